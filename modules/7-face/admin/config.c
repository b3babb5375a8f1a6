/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — the API's paths for configuration: apply, delete, get, explain.
 */
#include "inside.h"

#include <stdio.h>

enum { KEYS_MAX = SERVER_APPLY_MAX };

/* --- apply and delete --- */

static void
put_key(struct arena *a, struct value **m, const struct resource_key *k)
{
	json_text(a, m, S("group"), k->group);
	json_text(a, m, S("kind"), k->kind);
	json_text(a, m, S("namespace"), k->ns);
	json_text(a, m, S("name"), k->name);
}

static struct value *
changes_list(struct arena *a, const struct server_apply_result *r)
{
	struct value *list = json_list(a);

	for (size_t i = 0; i < r->count; i++) {
		struct value *m = json_map(a);

		put_key(a, &m, &r->changes[i].key);
		json_text(
		    a, &m, S("outcome"), slice_str(r->changes[i].outcome));
		json_push(&list, m);
	}
	return list;
}

static void
on_applied(void *arg, const struct server_apply_result *r)
{
	struct http_exchange *x = arg;
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a);

	if (r->err != OK) {
		json_text(a, &m, S("code"), slice_str(err_name(r->err)));
		json_text(a, &m, S("message"), slice_str(r->why->text));
	} else {
		json_number(a, &m, S("revision"), (int64_t)r->revision);
		json_put(&m, S("changes"), changes_list(a, r));
	}
	json_put(&m, S("errors"), faults_value(&r->found->errors, a));
	json_put(&m, S("warnings"), faults_value(&r->found->warnings, a));
	json_put(&m, S("findings"), analysis_value(r->analysis, a));
	admin_answer_status(x, r->err == OK ? 200 : admin_status_of(r->err), m);
}

static void
apply(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	const struct value *docs;
	AUTO(mem_free) const struct value **items = NULL;
	struct server_apply_spec spec = {.actor = admin_actor(x),
	    .ns = admin_param(x, S("namespace")),
	    .dry_run = slice_eq(admin_param(x, S("dryRun")), S("true")),
	    .force = slice_eq(admin_param(x, S("force")), S("true"))};

	if (body == NULL)
		return;
	docs = value_get(body, S("documents"));
	if (docs == NULL || docs->type != VALUE_LIST) {
		struct fault why = {0};

		admin_refuse(x,
		    fault_set(&why, ERR_INVALID,
			"the body has no list \"documents\""),
		    &why);
		return;
	}
	items = mem_new_array(MAX(docs->count, 1), sizeof(*items));
	VALUE_EACH(docs, it)
	items[spec.count++] = it;
	spec.docs = items;
	spec.request_id = value_get_string(body, S("requestId"), SLICE_NONE);
	server_apply(a->spec.server, &spec, on_applied, x);
}

static struct resource_key
read_key(const struct value *v)
{
	return (struct resource_key){
	    value_get_string(v, S("group"), SLICE_NONE),
	    value_get_string(v, S("kind"), SLICE_NONE),
	    value_get_string(v, S("namespace"), SLICE_NONE),
	    value_get_string(v, S("name"), SLICE_NONE)};
}

static void delete (struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	const struct value *list;
	AUTO(mem_free) struct resource_key *keys = NULL;
	size_t count = 0;

	if (body == NULL)
		return;
	list = value_get(body, S("keys"));
	keys = mem_new_array(KEYS_MAX, sizeof(*keys));
	VALUE_EACH(list, it)
	if (count < KEYS_MAX)
		keys[count++] = read_key(it);
	server_delete(
	    a->spec.server, keys, count, admin_actor(x), on_applied, x);
}

/* --- analyze --- */

static void
on_analyzed(void *arg, enum err e, const struct fault *why,
    const struct analysis_result *r)
{
	struct http_exchange *x = arg;

	if (e != OK)
		admin_refuse(x, e, why);
	else
		admin_answer_items(
		    x, analysis_value(r, http_exchange_arena(x)));
}

static void
analyze(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	const struct value *docs;
	AUTO(mem_free) const struct value **items = NULL;
	struct server_analyze_spec spec = {.count = 0};

	if (body == NULL)
		return;
	docs = value_get(body, S("documents"));
	items = mem_new_array(
	    docs != NULL ? MAX(docs->count, 1) : 1, sizeof(*items));
	VALUE_EACH(docs, it)
	items[spec.count++] = it;
	spec.docs = items;
	spec.ns = value_get_string(body, S("namespace"), SLICE_NONE);
	server_analyze(a->spec.server, &spec, on_analyzed, x);
}

/* --- get --- */

struct listing {
	struct arena *arena;
	struct value *items;
};

static bool
list_resource(void *arg, const struct resource *r)
{
	struct listing *l = arg;

	json_push(&l->items, resource_encode(r, RESOURCE_WITH_STATE, l->arena));
	return l->items != NULL;
}

static void
get(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct listing l = {.arena = arena, .items = json_list(arena)};
	struct server_filter f = {admin_param(x, S("kind")),
	    admin_param(x, S("namespace")), admin_param(x, S("name"))};
	struct fault why = {0};
	enum err e =
	    server_each_resource(a->spec.server, &f, list_resource, &l, &why);

	if (e != OK) {
		admin_refuse(x, e, &why);
		return;
	}
	admin_answer_items(x, l.items);
}

/* --- log and status --- */

static void
on_log(void *arg, enum err e, const struct server_log_row *rows, size_t count)
{
	struct http_exchange *x = arg;
	struct arena *a = http_exchange_arena(x);
	struct value *list = json_list(a);

	if (e != OK) {
		admin_refuse(x, e, NULL);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct value *row = json_map(a);
		char when[CLOCK_RFC3339_LEN];

		clock_format_rfc3339(rows[i].time_ms, when);
		json_number(a, &row, S("revision"), (int64_t)rows[i].revision);
		json_text(a, &row, S("time"), slice_str(when));
		json_text(a, &row, S("actor"), rows[i].actor);
		json_text(a, &row, S("what"), rows[i].what);
		json_push(&list, row);
	}
	admin_answer_items(x, list);
}

static void
log_get(struct admin *a, struct http_exchange *x)
{
	struct slice text = admin_param(x, S("limit"));
	uint64_t limit = ADMIN_LOG_DEFAULT;
	struct fault why = {0};

	if (text.len > 0 &&
	    (slice_to_u64(text, &limit) != OK || limit > ADMIN_LOG_MAX)) {
		admin_refuse(x,
		    fault_set(&why, ERR_INVALID, "limit is a number up to %d",
			ADMIN_LOG_MAX),
		    &why);
		return;
	}
	server_log(a->spec.server, (size_t)limit, on_log, x);
}

static void
status(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct value *m = json_map(arena);
	struct server_status s;

	server_status(a->spec.server, &s);
	json_text(arena, &m, S("role"), S("server"));
	json_text(arena, &m, S("version"), S(MESHD_VERSION));
	json_text(arena, &m, S("name"), s.name);
	json_text(arena, &m, S("trustDomain"), s.trust_domain);
	json_number(arena, &m, S("nodes"), (int64_t)s.nodes);
	json_number(arena, &m, S("revision"), (int64_t)s.revision);
	json_number(arena, &m, S("resources"), (int64_t)s.resources);
	json_number(arena, &m, S("quarantined"), (int64_t)s.quarantined);
	json_number(arena, &m, S("uptimeMs"), (int64_t)(s.uptime_us / 1000));
	admin_put_agents(a, arena, S("agents"), &m);
	admin_answer(x, m);
}

/* --- explain --- */

static void
explain(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	AUTO(view_unref) struct view *view = NULL;
	struct label headers[ADMIN_HEADERS_MAX];
	struct explain_request q;
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	e = server_view(a->spec.server,
	    value_get_string(body, S("namespace"), SLICE_NONE), &view, &why);
	if (e != OK) {
		admin_refuse(x, e, &why);
		return;
	}
	admin_explain_request(body, headers, &q);
	admin_answer(x, model_explain(view, &q, http_exchange_arena(x)));
}

const struct admin_route admin_config_routes[] = {
    {"POST", "/v1/apply", apply},
    {"POST", "/v1/delete", delete},
    {"POST", "/v1/analyze", analyze},
    {"GET", "/v1/resources", get},
    {"GET", "/v1/log", log_get},
    {"GET", "/v1/status", status},
    {"POST", "/v1/explain", explain},
};
const size_t admin_config_route_count = ARRAY_LEN(admin_config_routes);
