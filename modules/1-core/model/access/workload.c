/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload — which workload a question about access means, in files alone.
 */
#include "../kinds/service.h"
#include "call.h"

static const struct resource *
find_written(const struct resource *const *items, size_t count,
    const struct service_name *name)
{
	for (size_t i = 0; i < count; i++)
		if (items[i]->kind == &kind_service &&
		    slice_eq(items[i]->key.name, name->name) &&
		    slice_eq(items[i]->key.ns, name->ns))
			return items[i];
	return NULL;
}

static const struct service_port *
find_port_of(const struct service_spec *s, uint16_t port)
{
	for (size_t i = 0; i < s->ports.count; i++)
		if (port == 0 || s->ports.items[i].port == port)
			return &s->ports.items[i];
	return NULL;
}

static void
put_service(const struct resource *r, const struct service_port *p,
    struct view_exposed_input *out)
{
	const struct service_spec *s = resource_service(r);

	out->port = (uint16_t)p->port;
	out->protocol = p->app_protocol.len > 0
			    ? p->app_protocol
			    : slice_sub(p->name, 0, slice_find(p->name, '-'));
	out->labels = s->selector;
	out->target.port = out->port;
	if (service_port_has_target(p) && !p->target_port.is_string)
		out->target.port = (uint16_t)p->target_port.number;
}

/* What the first machine that serves it says in its record. */
static const struct view_endpoint_input *
find_recorded(
    const struct view_input *in, const struct service_name *name, uint16_t port)
{
	for (size_t i = 0; i < in->serving_count; i++) {
		const struct view_serving *s = &in->servings[i];

		if (!slice_eq(s->service, name->name) ||
		    !slice_eq(s->ns, name->ns))
			continue;
		for (size_t j = 0; j < s->count; j++)
			if (port == 0 || s->endpoints[j].service_port == port)
				return &s->endpoints[j];
	}
	return NULL;
}

static void
put_recorded(const struct view_input *in, const struct view_endpoint_input *e,
    struct view_exposed_input *out)
{
	out->port = e->service_port;
	out->target.port = e->addr.port;
	out->labels = e->labels;
	for (size_t i = 0; i < in->service_count; i++) {
		const struct view_service_input *s = &in->services[i];

		if (!slice_eq(s->name, out->service) ||
		    !slice_eq(s->ns, out->ns))
			continue;
		for (size_t j = 0; j < s->port_count; j++)
			if (s->ports[j].port == e->service_port)
				out->protocol = s->ports[j].protocol;
	}
}

/* As the Service says it, or else the records of those who serve it. */
static enum err
fill(const struct view_input *in, const struct access_call *c,
    const struct service_name *name, struct view_exposed_input *out,
    struct fault *why)
{
	const struct resource *r =
	    find_written(in->resources, in->resource_count, name);
	const struct view_endpoint_input *e =
	    r == NULL ? find_recorded(in, name, c->port) : NULL;
	const struct service_port *p = NULL;

	if (r != NULL)
		p = find_port_of(resource_service(r), c->port);
	if (r != NULL && p == NULL)
		return fault_set(why, ERR_NOT_FOUND, "%.*s has no port %u",
		    SLICE_ARG(c->to), (unsigned)c->port);
	if (p != NULL)
		put_service(r, p, out);
	else if (e != NULL)
		put_recorded(in, e, out);
	else if (c->labels == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "there is no Service %.*s.%.*s; say with labels whom to "
		    "judge, as policies go by them",
		    SLICE_ARG(name->name), SLICE_ARG(name->ns));
	return OK;
}

enum err
explain_access_workload(const struct value *question,
    const struct view_input *in, struct arena *arena,
    struct view_exposed_input *out, struct fault *why)
{
	struct service_name name;
	struct access_call c;
	enum err e = access_call_read(question, S("-"), arena, &c, why);

	if (e != OK)
		return e;
	if (name_service_parse(c.to, S("default"), S("mesh.internal"), &name) !=
	    OK)
		return fault_set(why, ERR_INVALID,
		    "to: \"%.*s\" is no name of a service",
		    SLICE_ARG(slice_sub(c.to, 0, 100)));
	*out = (struct view_exposed_input){.service = name.name,
	    .ns = name.ns,
	    .port = c.port > 0 ? c.port : 80,
	    .protocol = c.tcp ? S("tcp") : S("http")};
	out->target.port = out->port;
	e = fill(in, &c, &name, out, why);
	if (e == OK && c.labels != NULL)
		out->labels = access_call_labels(c.labels, arena);
	return e;
}
