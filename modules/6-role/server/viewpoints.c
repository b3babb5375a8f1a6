/* SPDX-License-Identifier: Apache-2.0 */
/*
 * viewpoints — from where calls are made in this mesh, each with a name.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "discovery/discovery.h"
#include "model/model.h"

#include "inside.h"
#include "viewpoints.h"

enum { TEXTS_BYTES = 64 << 20 };

void
viewpoints_init(struct viewpoints *v)
{
	v->count = 0;
	v->left_out = 0;
	map_init(&v->by_key);
	arena_init(&v->arena, TEXTS_BYTES);
}

void
viewpoints_fini(struct viewpoints *v)
{
	map_fini(&v->by_key, NULL);
	arena_fini(&v->arena);
}

static struct slice
key_of(struct viewpoints *v, const struct explain_place *at)
{
	struct slice text = arena_printf(
	    &v->arena, "%d %.*s", (int)at->proxy, SLICE_ARG(at->ns));

	for (size_t i = 0; i < at->labels.count; i++)
		text = arena_printf(&v->arena, "%.*s %.*s=%.*s",
		    SLICE_ARG(text), SLICE_ARG(at->labels.items[i].key),
		    SLICE_ARG(at->labels.items[i].value));
	return text;
}

void
viewpoints_add(
    struct viewpoints *v, struct slice name, const struct explain_place *at)
{
	struct slice key = key_of(v, at);

	if (key.ptr == NULL || map_get(&v->by_key, key) != NULL)
		return;
	if (v->count == VIEWPOINTS_MAX) {
		v->left_out++;
		return;
	}
	v->items[v->count] = (struct viewpoint){name, *at};
	(void)map_put(
	    &v->by_key, key, &v->items[v->count++]); /* was not there */
}

static void
add_offer(void *arg, const struct member_offer *o)
{
	struct viewpoints *v = arg;
	struct explain_place at = {
	    .labels = members_copy_labels(o->service, &v->arena)};

	if (o->gone || arena_copy(&v->arena, o->service->ns, &at.ns) != OK)
		return;
	viewpoints_add(v,
	    arena_printf(&v->arena, "%.*s.%.*s", SLICE_ARG(o->service->name),
		SLICE_ARG(o->service->ns)),
	    &at);
}

void
viewpoints_add_offers(struct viewpoints *v, const struct server *s)
{
	members_each_offer(s, add_offer, v);
}

struct callers {
	struct viewpoints *v;
	const struct server *s;
};

/* By what it tells of itself; one that has not yet calls from nowhere. */
static void
add_programs(void *arg, const struct server_agent *of)
{
	AUTO(arena_fini) struct arena scratch = {0};
	const struct callers *c = arg;
	struct explain_place at = {0};
	struct discovery_machine m = {0};
	const struct slice *facts;
	size_t count;

	arena_init(&scratch, TEXTS_BYTES);
	facts = agents_facts(c->s, of->node, &scratch, &count);
	if (discovery_take_facts(facts, count, &scratch, &m, NULL) != OK ||
	    m.ns.len == 0 || arena_copy(&c->v->arena, m.ns, &at.ns) != OK)
		return;
	viewpoints_add(c->v,
	    arena_printf(
		&c->v->arena, "other programs in %.*s", SLICE_ARG(at.ns)),
	    &at);
}

void
viewpoints_add_programs(struct viewpoints *v, const struct server *s)
{
	struct callers c = {v, s};

	server_each_agent(s, add_programs, &c);
}

static void
add_gateway(void *arg, const struct discovery_machine *m)
{
	struct viewpoints *v = arg;
	const struct explain_place at = {
	    .proxy = VIEW_ROUTER, .ns = m->ns, .labels = m->labels};
	struct slice name;

	if (arena_copy(&v->arena, m->name, &name) == OK)
		viewpoints_add(v,
		    arena_printf(
			&v->arena, "the gateway %.*s", SLICE_ARG(name)),
		    &at);
}

void
viewpoints_add_routers(struct viewpoints *v, const struct server *s)
{
	agents_each_gateway(s, &v->arena, add_gateway, v);
}

/* "gateways with istio=ingressgateway" */
static struct slice
gateway_name(struct viewpoints *v, const struct labels *l)
{
	struct slice text = S("gateways");

	for (size_t i = 0; i < l->count; i++)
		text = arena_printf(&v->arena, "%.*s%s%.*s=%.*s",
		    SLICE_ARG(text), i == 0 ? " with " : ", ",
		    SLICE_ARG(l->items[i].key), SLICE_ARG(l->items[i].value));
	return text;
}

void
viewpoints_add_gateways(
    struct viewpoints *v, const struct resource *const *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct explain_place at;

		if (explain_gateway_place(all[i], &at))
			viewpoints_add(v, gateway_name(v, &at.labels), &at);
	}
}
