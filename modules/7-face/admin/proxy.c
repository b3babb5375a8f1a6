/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — the API's path for what a machine's proxy is made of, of both roles.
 */
#include "inside.h"

struct overviews {
	struct arena *arena;
	struct slice table;
	struct value *list;
};

static void
add(struct overviews *o, struct slice caller, const struct server_machine *of)
{
	struct value *m = json_map(o->arena), *unknown = json_list(o->arena);
	const struct value *rows = view_overview(of->view, o->table, o->arena);

	/* The view may be gone when this is sent. */
	json_text(o->arena, &m, S("caller"), caller);
	json_put(
	    &m, S("rows"), rows != NULL ? value_copy(rows, o->arena) : NULL);
	for (size_t i = 0; i < of->unknown_count; i++)
		value_push_text(o->arena, &unknown, of->unknown[i]);
	if (of->unknown_count > 0)
		json_put(&m, S("unknown"), unknown);
	json_push(&o->list, m);
}

static enum err
add_own(const struct admin *a, struct overviews *o, struct slice node,
    struct fault *why)
{
	const struct view *v = node_view(a->spec.node);
	struct server_machine self = {.view = (struct view *)(uintptr_t)v};
	struct node_status s;

	node_status(a->spec.node, &s);
	if (node.len > 0 && !slice_eq(node, s.name))
		return fault_set(why, ERR_UNSUPPORTED,
		    "this agent is %.*s; ask a server about other machines",
		    SLICE_ARG(s.name));
	if (v == NULL)
		return fault_set(
		    why, ERR_BUSY, "this agent has no configuration yet");
	add(o, s.name, &self);
	return OK;
}

static enum err
add_machine(const struct admin *a, struct overviews *o, struct slice node,
    struct fault *why)
{
	struct server_machine machine;
	enum err e;

	if (a->spec.server == NULL)
		return add_own(a, o, node, why);
	if (node.len == 0)
		return fault_set(why, ERR_INVALID,
		    "say which machine; node list shows them");
	e = server_machine_view(a->spec.server, node, o->arena, &machine, why);
	if (e != OK)
		return e;
	add(o, node, &machine);
	view_unref(&machine.view);
	return OK;
}

static void
proxy(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct overviews o = {
	    arena, admin_param(x, S("table")), json_list(arena)};
	struct fault why = {0};
	enum err e = OK;

	if (!view_has_overview(o.table))
		e = fault_set(&why, ERR_INVALID,
		    "there is listeners, routes, clusters, endpoints and "
		    "policies, and no %.*s",
		    SLICE_ARG(slice_sub(o.table, 0, 64)));
	if (e == OK)
		e = add_machine(a, &o, admin_param(x, S("node")), &why);
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		admin_answer_items(x, o.list);
}

const struct admin_route admin_proxy_routes[] = {
    {"GET", "/v1/proxy", CA_ROLE_VIEWER, proxy},
};
const size_t admin_proxy_route_count = ARRAY_LEN(admin_proxy_routes);
