/* SPDX-License-Identifier: Apache-2.0 */
/*
 * services — what can be called, and who serves it: an agent's view in force
 * and what else its peers offer, or what the server would compile now.
 */
#include "inside.h"

/* What is asked, and the rows of the answer. */
struct rows {
	const struct node *node; /* NULL: the server */
	struct arena *arena;
	struct value *list;
};

/*
 * The view in force, and beside it what members offer that is out of its
 * scope. NULL, without a refusal, while an agent has none; a server's has all.
 */
static enum err
views_of(const struct admin *a, struct view *out[2], struct fault *why)
{
	static const struct explain_place here = {.ns = S("default")};
	static const struct explain_documents none = {NULL, NULL};
	const struct view *v;

	if (a->spec.server != NULL)
		return server_view(a->spec.server, &here, &none, &out[0], why);
	v = node_view(a->spec.node);
	if (v == NULL)
		return OK;
	out[0] = view_ref(v);
	return node_survey(a->spec.node, &out[1], why);
}

/* The server has all configuration; an agent has what is called here. */
static void
put_configuration(
    struct rows *r, struct value **m, const struct view_service *s)
{
	if (r->node != NULL)
		json_text(r->arena, m, S("configuration"),
		    node_is_by_records(r->node, s) ? S("by records only")
						   : S("in force"));
}

/* Of the first that may not be called: which, and why. */
static void
put_why(struct rows *r, struct value **m, const struct view_cluster *c)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < c->endpoint_count; i++) {
		const struct view_endpoint *e = c->endpoints[i];

		if (e->usable)
			continue;
		json_text(r->arena, m, S("why"),
		    arena_printf(r->arena, "%s: %.*s",
			view_endpoint_address(e, text), SLICE_ARG(e->reason)));
		return;
	}
}

static void
add_service(struct rows *r, const struct view_cluster *c)
{
	const struct view_service *s = c->service;
	struct value *m = json_map(r->arena);
	char text[ORIGIN_TEXT_MAX];

	json_text(r->arena, &m, S("host"), s->host);
	json_text(r->arena, &m, S("name"), s->name);
	json_text(r->arena, &m, S("namespace"), s->ns);
	json_number(r->arena, &m, S("port"), c->port);
	json_text(r->arena, &m, S("protocol"),
	    slice_str(view_protocol_name(c->protocol)));
	json_number(r->arena, &m, S("endpoints"), (int64_t)c->endpoint_count);
	json_number(r->arena, &m, S("usable"), (int64_t)c->usable_count);
	put_why(r, &m, c);
	json_text(r->arena, &m, S("origin"),
	    slice_str(origin_format(&s->origin, text)));
	put_configuration(r, &m, s);
	json_push(&r->list, m);
}

static void
add_endpoints(struct rows *r, const struct view_cluster *c)
{
	for (size_t i = 0; i < c->endpoint_count; i++) {
		const struct view_endpoint *e = c->endpoints[i];
		struct value *m = json_map(r->arena);
		char text[ENDPOINT_TEXT_MAX];

		json_text(r->arena, &m, S("service"), c->service->name);
		json_text(r->arena, &m, S("namespace"), c->service->ns);
		json_number(r->arena, &m, S("port"), c->port);
		json_text(r->arena, &m, S("protocol"),
		    slice_str(view_protocol_name(c->protocol)));
		json_text(r->arena, &m, S("address"),
		    slice_str(view_endpoint_address(e, text)));
		json_text(r->arena, &m, S("byName"), e->name);
		json_text(r->arena, &m, S("node"), e->node);
		json_text(r->arena, &m, S("group"),
		    labels_get(&e->labels, S(OFFER_GROUP)));
		json_text(r->arena, &m, S("locality"), e->locality);
		json_text(r->arena, &m, S("account"), e->account);
		json_text(r->arena, &m, S("status"),
		    e->usable ? S("in use") : S("not usable"));
		json_text(r->arena, &m, S("reason"), e->reason);
		put_configuration(r, &m, c->service);
		json_push(&r->list, m);
	}
}

static const struct view_host *
find_host(struct view *const views[2], struct slice asked)
{
	const struct view_host *h = NULL;

	for (size_t i = 0; i < 2 && h == NULL; i++)
		if (views[i] != NULL)
			h = view_find_host(views[i], NULL, asked, 0);
	return h;
}

/* Any form of a service's name; the view's own namespace is the default. */
static enum err
find_asked(struct view *const views[2], struct slice asked,
    struct slice *out_host, struct fault *why)
{
	const struct view_host *h;

	*out_host = SLICE_NONE;
	if (asked.len == 0)
		return OK;
	h = find_host(views, asked);
	if (h == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "no service %.*s is known here; see them with: meshd "
		    "services",
		    SLICE_ARG(slice_sub(asked, 0, NAME_HOST_MAX)));
	*out_host = h->host;
	return OK;
}

/* The clusters that have no subset: one for each service and port. */
static void
add_all(struct rows *r, const struct view *v, struct slice host,
    void (*add)(struct rows *r, const struct view_cluster *c))
{
	const struct view_cluster *c;

	if (v == NULL)
		return;
	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;) {
		/* One without a namespace is no service, as PassthroughCluster.
		 */
		if (c->subset.len == 0 && c->service->ns.len > 0 &&
		    (host.len == 0 || slice_eq(c->service->host, host)))
			add(r, c);
	}
}

static void
answer(struct admin *a, struct http_exchange *x,
    void (*add)(struct rows *r, const struct view_cluster *c))
{
	struct view *views[2] = {NULL, NULL};
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {a->spec.node, arena, json_list(arena)};
	struct slice host;
	struct fault why = {0};
	enum err e = views_of(a, views, &why);

	if (e == OK)
		e = find_asked(
		    views, admin_param(x, S("service")), &host, &why);
	if (e == OK) {
		add_all(&r, views[0], host, add);
		add_all(&r, views[1], host, add);
		admin_answer_items(x, r.list);
	} else {
		admin_refuse(x, e, &why);
	}
	view_unref(&views[0]);
	if (views[1] != NULL) {
		view_unref(&views[1]);
		mem_give_back(); /* it may have been the whole mesh */
	}
}

static void
services(struct admin *a, struct http_exchange *x)
{
	answer(a, x, add_service);
}

static void
endpoints(struct admin *a, struct http_exchange *x)
{
	answer(a, x, add_endpoints);
}

const struct admin_route admin_service_routes[] = {
    {"GET", "/v1/services", CA_ROLE_VIEWER, services},
    {"GET", "/v1/endpoints", CA_ROLE_VIEWER, endpoints},
};
const size_t admin_service_route_count = ARRAY_LEN(admin_service_routes);
