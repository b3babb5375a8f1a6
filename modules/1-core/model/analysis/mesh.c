/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — what the configuration of the mesh says, its networks, and fields
 * that are going away.
 */
#include <stdio.h>

#include "../layout.h"
#include "inside.h"

/* --- MeshConfig ----------------------------------------------------------- */

static bool
is_set(const struct value *metadata, struct slice name)
{
	return slice_eq(value_get_string(metadata, name, S("")), S("true"));
}

static void
add_old_tracers(struct analysis *a, const struct value *providers)
{
	struct mesh_facts *m = &a->facts.mesh;
	struct slice *names;

	if (providers == NULL || providers->count == 0)
		return;
	names = arena_alloc_array(&a->arena, providers->count, sizeof(*names));
	m->old_tracers = names;
	VALUE_EACH(names == NULL ? NULL : providers, it)
	{
		if (field_get(it, S("lightstep")) != NULL)
			names[m->old_tracer_count++] =
			    value_get_string(it, S("name"), S(""));
	}
}

void
facts_add_mesh(struct analysis *a, const struct item *it)
{
	const struct value *spec = value_get(item_tree(a, it), S("spec"));
	const struct value *metadata =
	    field_get(field_get(spec, S("defaultConfig")), S("proxyMetadata"));
	const struct value *logging = field_get(
	    field_get(spec, S("defaultProviders")), S("accessLogging"));
	const struct value *root = field_get(spec, S("rootNamespace"));

	if (root != NULL && root->type == VALUE_STRING && root->string.len > 0)
		a->root_ns = root->string;
	a->facts.mesh.log_providers = logging != NULL && logging->count > 0;
	a->facts.mesh.gives_addresses =
	    is_set(metadata, S("ISTIO_META_DNS_CAPTURE")) &&
	    (is_set(metadata, S("ISTIO_META_DNS_AUTO_ALLOCATE")) ||
		is_set(metadata, S("PILOT_ENABLE_IP_AUTOALLOCATE")));
	add_old_tracers(a, field_get(spec, S("extensionProviders")));
}

/* --- networks ------------------------------------------------------------- */

/* A cluster's own registry, and those that its secrets lead to. */
static bool
is_known_registry(struct analysis *a, struct slice name)
{
	if (slice_eq(name, S("Kubernetes")) || slice_eq(name, S("Mock")) ||
	    slice_eq(name, S("External")))
		return true;
	for (size_t i = 0; i < a->facts.secrets.count; i++) {
		const struct value *tree = a->facts.secrets.items[i].item->tree;
		struct slice remote =
		    value_get_string(value_get_path(tree, S("metadata.labels")),
			S("istio/multiCluster"), S(""));

		if (slice_eq(remote, S("true")) &&
		    value_get(value_get(tree, S("data")), name) != NULL)
			return true;
	}
	return false;
}

static void
check_registries(struct analysis *a, const struct item *it,
    const struct value *network, struct slice name, const char *field)
{
	size_t n = 0;

	VALUE_EACH(value_get(network, S("endpoints")), e)
	{
		const struct value *from = field_get(e, S("fromRegistry"));
		struct place p = place_at(
		    it, NULL, "%s.endpoints[%zu].fromRegistry", field, n++);

		p.line = e->line;
		if (from != NULL && from->type == VALUE_STRING &&
		    from->string.len > 0 && !is_known_registry(a, from->string))
			tell(a, "IST0126", &p,
			    "network %.*s: there is no registry \"%.*s\"",
			    SLICE_ARG(name), SLICE_ARG(from->string));
	}
}

/* Ours have the network's name; upstream's one document has all of them. */
void
analyze_network_registries(struct analysis *a)
{
	for (size_t i = 0; i < a->items.count; i++) {
		const struct item *it = &a->items.items[i];
		bool ours = slice_eq(it->key.kind, S("Network"));
		const struct value *spec;

		if (!ours && !slice_eq(it->key.kind, S("MeshNetworks")))
			continue;
		spec = value_get(item_tree(a, it), S("spec"));
		if (ours) {
			check_registries(a, it, spec, it->key.name, "spec");
			continue;
		}
		VALUE_EACH(value_get(spec, S("networks")), network)
		{
			char field[FAULT_FIELD_MAX];

			(void)snprintf(field, sizeof(field),
			    "spec.networks.%.*s",
			    SLICE_ARG(slice_sub(network->key, 0, 128)));
			check_registries(a, it, network, network->key, field);
		}
	}
}

/* --- what is going away --------------------------------------------------- */

/* Said once of a resource, of the first place. */
static void
check_old_delay(struct analysis *a, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;
	struct place p = {.item = it};
	size_t count = 0;

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct http_fault *f = vs->http.items[i].fault;

		if (f == NULL || f->delay == NULL || f->delay->percent <= 0)
			continue;
		if (count++ == 0)
			p = place_at(it, &f->delay->head,
			    "spec.http[%zu].fault.delay.percent", i);
	}
	if (count > 0)
		tell(a, "IST0002", &p,
		    "percent of a delay is deprecated; use percentage (%zu "
		    "rule%s)",
		    count, count == 1 ? "" : "s");
}

static void
check_egress_proxy(struct analysis *a, const struct item *it)
{
	const struct sidecar *s = it->r->spec;
	const struct outbound_policy *o = s->outbound_traffic_policy;
	struct place p;

	if (o == NULL || o->egress_proxy == NULL)
		return;
	p = place_at(it, &o->egress_proxy->head,
	    "spec.outboundTrafficPolicy.egressProxy");
	tell(a, "IST0002", &p, "egressProxy is not looked at any more");
}

static bool
is_old_tracer(const struct analysis *a, struct slice name)
{
	for (size_t i = 0; i < a->facts.mesh.old_tracer_count; i++)
		if (slice_eq(a->facts.mesh.old_tracers[i], name))
			return true;
	return false;
}

static void
check_tracers(struct analysis *a, const struct item *it)
{
	const struct telemetry_spec *t = it->r->spec;

	for (size_t i = 0; i < t->tracing.count; i++) {
		const struct telemetry_tracing *of = &t->tracing.items[i];
		struct place p =
		    place_at(it, &of->head, "spec.tracing[%zu].providers", i);

		for (size_t j = 0; j < of->providers.count; j++) {
			struct slice name = of->providers.items[j].name;

			if (is_old_tracer(a, name))
				tell(a, "IST0002", &p,
				    "provider %.*s is of Lightstep's kind, "
				    "which is going away; use OpenTelemetry",
				    SLICE_ARG(name));
		}
	}
}

void
analyze_deprecated(struct analysis *a)
{
	struct item_list routes = items_of(a, &kind_virtual_service);
	struct item_list sidecars = items_of(a, &kind_sidecar);
	struct item_list telemetries = items_of(a, &kind_telemetry);

	for (size_t i = 0; i < routes.count; i++)
		check_old_delay(a, routes.items[i]);
	for (size_t i = 0; i < sidecars.count; i++)
		check_egress_proxy(a, sidecars.items[i]);
	for (size_t i = 0; i < telemetries.count; i++)
		check_tracers(a, telemetries.items[i]);
}
