/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — the API's paths for configuration: apply, delete, get, explain.
 */
#include "inside.h"

#include <stdio.h>

enum { PAGE_BYTES = 32 << 20 };

/* --- apply and delete --- */

static void
put_key(struct arena *a, struct value **m, const struct resource_key *k)
{
	json_text(a, m, S("group"), k->group);
	json_text(a, m, S("kind"), k->kind);
	json_text(a, m, S("namespace"), k->ns);
	json_text(a, m, S("name"), k->name);
}

static void
put_change(struct arena *a, struct value **m, const struct server_change *c)
{
	put_key(a, m, &c->key);
	json_text(a, m, S("outcome"), slice_str(c->outcome));
	if (c->conflict != NULL)
		json_text(a, m, S("conflict"), slice_str(c->conflict));
	if (c->diff.count > 0)
		json_put(m, S("differences"), diff_value(&c->diff, a));
}

static struct value *
changes_list(struct arena *a, const struct server_apply_result *r)
{
	struct value *list = json_list(a);

	for (size_t i = 0; i < r->count; i++) {
		struct value *m = json_map(a);

		put_change(a, &m, &r->changes[i]);
		json_push(&list, m);
	}
	return list;
}

static struct value *
blast_value(struct arena *a, const struct server_blast *b)
{
	struct value *m = json_map(a);

	json_put(&m, S("items"), value_copy(b->list, a));
	json_number(a, &m, S("places"), (int64_t)b->places);
	json_number(a, &m, S("leftOut"), (int64_t)b->left_out);
	return m;
}

void
admin_applied(void *arg, const struct server_apply_result *r)
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
	/* It is no reason for any other refusal. */
	if (r->err == OK || r->err == ERR_UNSUPPORTED)
		json_put(&m, S("inert"), faults_value(&r->found->inert, a));
	json_put(&m, S("findings"), analysis_value(r->analysis, a));
	if (r->blast != NULL)
		json_put(&m, S("blast"), blast_value(a, r->blast));
	admin_answer_status(x, r->err == OK ? 200 : admin_status_of(r->err), m);
}

bool
admin_is_set(struct http_exchange *x, struct slice param)
{
	return slice_eq(admin_param(x, param), S("true"));
}

enum server_intent
admin_intent(struct http_exchange *x)
{
	if (admin_is_set(x, S("blast")))
		return SERVER_BLAST;
	return admin_is_set(x, S("dryRun")) ? SERVER_TRY : SERVER_CHANGE;
}

/* "key=value,key=value"; empty labels, for the server to refuse, if nothing. */
static enum err
read_labels(
    struct arena *a, struct slice text, struct labels *out, struct fault *why)
{
	struct label *items =
	    arena_alloc_array(a, text.len / 2 + 1, sizeof(*items));

	*out = (struct labels){items, 0};
	if (items == NULL)
		return fault_set(why, ERR_LIMIT, "too many labels");
	while (text.len > 0) {
		struct slice value = slice_split(&text, ',');
		struct slice all = value;
		struct slice key = slice_split(&value, '=');

		if (key.len == 0 || key.len == all.len)
			return fault_set(why, ERR_INVALID,
			    "a label is written key=value, not \"%.*s\"",
			    SLICE_ARG(all));
		items[out->count++] = (struct label){key, value};
	}
	return OK;
}

/* What ?prune= says, if it is there. */
static enum err
read_prune(struct http_exchange *x, struct labels *out,
    struct server_apply_spec *spec, struct fault *why)
{
	struct slice text;

	if (!http_exchange_param(x, S("prune"), &text))
		return OK;
	spec->prune = out;
	return read_labels(http_exchange_arena(x), text, out, why);
}

/* The documents of the body; answers by itself if there are none. */
static const struct value *
documents(struct http_exchange *x, const struct value *body)
{
	const struct value *docs = value_get(body, S("documents"));
	struct fault why = {0};

	if (docs != NULL && docs->type == VALUE_LIST)
		return docs;
	admin_refuse(x,
	    fault_set(&why, ERR_INVALID, "the body has no list \"documents\""),
	    &why);
	return NULL;
}

/* `spec` has what is not in the body. */
static void
apply_body(
    struct admin *a, struct http_exchange *x, struct server_apply_spec *spec)
{
	const struct value *body = admin_body(x);
	const struct value *docs = body != NULL ? documents(x, body) : NULL;
	AUTO(mem_free) const struct value **items = NULL;

	if (docs == NULL)
		return;
	items = mem_new_array(MAX(docs->count, 1), sizeof(*items));
	VALUE_EACH(docs, it)
	items[spec->count++] = it;
	spec->docs = items;
	spec->request_id = value_get_string(body, S("requestId"), SLICE_NONE);
	spec->ns = admin_param(x, S("namespace"));
	server_apply(a->spec.server, spec, admin_applied, x);
}

static void
apply(struct admin *a, struct http_exchange *x)
{
	struct server_apply_spec spec = {.actor = admin_actor(x),
	    .intent = admin_intent(x),
	    .allow_inert = admin_is_set(x, S("allowInert")),
	    .force = admin_is_set(x, S("force"))};
	struct labels prune;
	struct fault why = {0};
	enum err e = read_prune(x, &prune, &spec, &why);

	if (e != OK)
		admin_refuse(x, e, &why);
	else
		apply_body(a, x, &spec);
}

/* Whoever may read may compare. */
static void
diff(struct admin *a, struct http_exchange *x)
{
	struct server_apply_spec spec = {
	    .intent = admin_is_set(x, S("blast")) ? SERVER_BLAST : SERVER_TRY,
	    .allow_inert = true,
	    .force = true};

	apply_body(a, x, &spec);
}

struct resource_key
admin_key(const struct value *v)
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
	struct server_delete_spec spec = {.count = 0};

	if (body == NULL)
		return; /* and the exchange is gone */
	list = value_get(body, S("keys"));
	if (list == NULL || list->type != VALUE_LIST) {
		struct fault why = {0};

		admin_refuse(x,
		    fault_set(
			&why, ERR_INVALID, "the body has no list \"keys\""),
		    &why);
		return;
	}
	keys = mem_new_array(MAX(list->count, 1), sizeof(*keys));
	VALUE_EACH(list, it)
	keys[spec.count++] = admin_key(it);
	spec.keys = keys;
	spec.intent = admin_intent(x);
	spec.actor = admin_actor(x);
	server_delete(a->spec.server, &spec, admin_applied, x);
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

/* A page of resources; `next` is where the next one begins, if there is one. */
struct listing {
	struct arena *arena;
	struct value *items;
	unsigned flags; /* enum resource_encoding */
	size_t count;
	char next[SERVER_PLACE_MAX];
};

static bool
list_resource(void *arg, const struct resource *r)
{
	struct listing *l = arg;

	json_push(&l->items, resource_encode(r, l->flags, l->arena));
	if (++l->count < ADMIN_PAGE_ITEMS && l->arena->used < PAGE_BYTES)
		return l->items != NULL;
	(void)server_resource_place(r, l->next); /* where it is written */
	return false;
}

static void
get(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct listing l = {.arena = arena,
	    .items = json_list(arena),
	    .flags = RESOURCE_WITH_STATE};
	struct server_filter f = {admin_param(x, S("kind")),
	    admin_param(x, S("namespace")), admin_param(x, S("name")),
	    admin_param(x, S("after"))};
	struct value *m = json_map(arena);
	struct fault why = {0};
	enum err e;

	/* Only an admin is shown a private key. */
	if (server_may(admin_actor(x), CA_ROLE_ADMIN, &why) != OK)
		l.flags |= RESOURCE_SEALED;
	e = server_each_resource(a->spec.server, &f, list_resource, &l, &why);

	if (e != OK) {
		admin_refuse(x, e, &why);
		return;
	}
	json_put(&m, S("items"), l.items);
	if (l.next[0] != '\0')
		json_text(arena, &m, S("next"), slice_str(l.next));
	admin_answer(x, m);
}

/* --- what is not in force --- */

struct inert_list {
	struct arena *arena;
	struct value *items;
	size_t count;
};

static bool
add_inert(void *arg, const struct server_inert *row)
{
	struct inert_list *l = arg;
	struct value *m = json_map(l->arena);

	json_text(
	    l->arena, &m, S("id"), row->guards ? S("MSH0002") : S("MSH0001"));
	json_text(l->arena, &m, S("resource"), row->resource);
	json_text(l->arena, &m, S("field"), row->field);
	json_text(l->arena, &m, S("message"), row->text);
	json_push(&l->items, m);
	return ++l->count < ADMIN_INERT_MAX;
}

static struct value *
count_value(struct arena *a, const struct server_inert_count *c)
{
	struct value *m = json_map(a);

	json_number(a, &m, S("resources"), (int64_t)c->resources);
	json_number(a, &m, S("fields"), (int64_t)c->fields);
	return m;
}

static void
put_inert(const struct admin *a, struct arena *arena,
    const struct server_status *s, struct value **m)
{
	struct inert_list l = {arena, json_list(arena), 0};
	struct value *inert = count_value(arena, &s->inert);

	server_each_inert(a->spec.server, add_inert, &l);
	json_put(&inert, S("guards"), count_value(arena, &s->guards));
	json_put(&inert, S("items"), l.items);
	json_put(m, S("inert"), inert);
}

/* --- the folder that is followed --- */

static void
put_folder(const struct admin *a, struct arena *arena, struct value **m)
{
	static const char *const states[] = {
	    [SERVER_FOLDER_READING] = "being read",
	    [SERVER_FOLDER_IN_FORCE] = "in force",
	    [SERVER_FOLDER_REFUSED] = "refused",
	};
	struct value *v = json_map(arena);
	struct server_folder f;
	char when[CLOCK_RFC3339_LEN];

	if (!server_folder(a->spec.server, &f))
		return;
	json_text(arena, &v, S("path"), f.path);
	json_text(arena, &v, S("state"), slice_str(states[f.state]));
	json_number(arena, &v, S("resources"), (int64_t)f.resources);
	if (f.revision > 0) {
		clock_format_rfc3339(f.since_ms, when);
		json_number(arena, &v, S("revision"), (int64_t)f.revision);
		json_text(arena, &v, S("since"), slice_str(when));
	}
	if (f.why.len > 0)
		json_text(arena, &v, S("why"), f.why);
	json_put(&v, S("errors"), faults_value(f.errors, arena));
	json_put(m, S("folder"), v);
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
	json_text(arena, &m, S("trouble"), s.trouble);
	put_inert(a, arena, &s, &m);
	put_folder(a, arena, &m);
	admin_put_agents(a, arena, S("agents"), &m);
	admin_answer(x, m);
}

/* --- explain --- */

static void
explain(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	const struct value *body = admin_body(x);
	AUTO(view_unref) struct view *view = NULL;
	struct explain_question q;
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	e = explain_read(body, arena, &q, &why);
	if (e == OK) {
		q.connection.parse_json = codec_json_parse;
		q.connection.now_ms = clock_wall_ms(&clock_system);
		e = server_view(a->spec.server, &q.place, &q.with, &view, &why);
	}
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		admin_answer(x, model_answer(view, &q, arena));
}

static void
explain_access(struct admin *a, struct http_exchange *x)
{
	const struct explain_access ask = {.question = admin_body(x),
	    .parse_json = codec_json_parse,
	    .now_ms = clock_wall_ms(&clock_system)};
	struct value *answer = NULL;
	struct fault why = {0};
	enum err e;

	if (ask.question == NULL)
		return;
	e = server_explain_access(
	    a->spec.server, &ask, http_exchange_arena(x), &answer, &why);
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		admin_answer(x, answer);
}

const struct admin_route admin_config_routes[] = {
    {"POST", "/v1/apply", CA_ROLE_EDITOR, apply},
    {"POST", "/v1/delete", CA_ROLE_EDITOR, delete},
    {"POST", "/v1/diff", CA_ROLE_VIEWER, diff},
    {"POST", "/v1/analyze", CA_ROLE_VIEWER, analyze},
    {"GET", "/v1/resources", CA_ROLE_VIEWER, get},
    {"GET", "/v1/status", CA_ROLE_VIEWER, status},
    {"POST", "/v1/explain", CA_ROLE_VIEWER, explain},
    {"POST", "/v1/explain/access", CA_ROLE_VIEWER, explain_access},
};
const size_t admin_config_route_count = ARRAY_LEN(admin_config_routes);
