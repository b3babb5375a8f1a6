/* SPDX-License-Identifier: Apache-2.0 */
/*
 * viewpoints — from where calls are made in this mesh, each with a name.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "model/model.h"

#include "matter.h"
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

struct offers {
	struct viewpoints *v;
	struct slice node;
};

static void
add_offer(void *arg, const struct member_offer *o)
{
	const struct offers *of = arg;
	struct arena *a = &of->v->arena;
	struct explain_place at = {
	    .labels = members_copy_labels(o->service, a)};
	bool any = of->node.len == 0;

	if (o->gone || arena_copy(a, o->service->ns, &at.ns) != OK ||
	    (!any && !slice_eq(of->node, slice_str(o->member->name))))
		return;
	if (!any && o->offers->addr_count > 0)
		at.ip = o->offers->addrs[0];
	viewpoints_add(of->v,
	    arena_printf(a, "%.*s.%.*s", SLICE_ARG(o->service->name),
		SLICE_ARG(o->service->ns)),
	    &at);
}

void
viewpoints_add_offers(
    struct viewpoints *v, const struct server *s, struct slice node)
{
	struct offers of = {v, node};

	members_each_offer(s, add_offer, &of);
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

/* --- the views of one machine --------------------------------------------- */

struct caller {
	struct viewpoints *v;
	struct slice node;
};

static void
add_caller(void *arg, struct slice ns)
{
	const struct caller *c = arg;
	struct explain_place at = {0};

	if (arena_copy(&c->v->arena, ns, &at.ns) == OK)
		viewpoints_add(c->v, c->node, &at);
}

/* What offers nothing is a place that only calls are made from. */
static enum err
look_from(struct viewpoints *v, const struct server *s, struct slice node,
    struct fault *why)
{
	struct explain_place here = {.ns = S("default")};
	struct caller caller = {v, node};

	if (registry_node(&s->registry, node) == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "no machine %.*s has joined this mesh; node list shows "
		    "those that have",
		    SLICE_ARG(node));
	viewpoints_add_offers(v, s, node);
	if (v->count == 0)
		agents_each_space(s, node, add_caller, &caller);
	if (v->count == 0)
		viewpoints_add(v, node, &here);
	return OK;
}

enum err
server_each_view(const struct server *s, struct slice node,
    void (*each)(void *arg, struct slice caller, const struct view *v),
    void *arg, struct fault *why)
{
	struct viewpoints *from = mem_new(sizeof(*from));
	AUTO(matter_fini) struct matter m;
	enum err e;

	viewpoints_init(from);
	matter_init(&m);
	e = look_from(from, s, node, why);
	if (e == OK)
		e = matter_gather(&m, s, NULL, SLICE_NONE, why);
	for (size_t i = 0; e == OK && i < from->count; i++) {
		AUTO(view_unref) struct view *v = NULL;

		e = matter_view(&m, &from->items[i].at, &v, why);
		if (e == OK)
			each(arg, from->items[i].name, v);
	}
	viewpoints_fini(from);
	mem_free(&from);
	return e;
}
