/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past — a server's paths for what was: who changed what, back to it, and a
 * copy of it all.
 */
#include "inside.h"

enum { PATH_BYTES = 4000 };

/* --- history --- */

static void
add_row(struct arena *a, struct value **list, const struct server_past_row *row)
{
	struct value *m = json_map(a);
	char when[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(row->time_ms, when);
	json_number(a, &m, S("revision"), (int64_t)row->revision);
	json_text(a, &m, S("time"), slice_str(when));
	json_text(a, &m, S("actor"), row->actor);
	json_text(a, &m, S("what"), row->what);
	if (row->diff.count > 0)
		json_put(&m, S("differences"), diff_value(&row->diff, a));
	json_push(list, m);
}

static void
on_past(void *arg, const struct server_past *past)
{
	struct http_exchange *x = arg;
	struct arena *a = http_exchange_arena(x);
	struct value *list = json_list(a);

	if (past->err != OK) {
		admin_refuse(x, past->err, past->why);
		return;
	}
	for (size_t i = 0; i < past->count; i++)
		add_row(a, &list, &past->rows[i]);
	admin_answer_items(x, list);
}

static enum err
read_limit(struct http_exchange *x, uint64_t *out, struct fault *why)
{
	struct slice text = admin_param(x, S("limit"));

	*out = ADMIN_HISTORY_DEFAULT;
	if (text.len == 0 || (slice_to_u64(text, out) == OK && *out > 0 &&
				 *out <= ADMIN_HISTORY_MAX))
		return OK;
	return fault_set(why, ERR_INVALID, "limit is a number from 1 to %d",
	    ADMIN_HISTORY_MAX);
}

/* The key that ?kind=, ?namespace= and ?name= say. */
static enum err
read_key(struct http_exchange *x, struct resource_key *out, struct fault *why)
{
	struct slice word = admin_param(x, S("kind"));
	struct slice ns = admin_param(x, S("namespace"));
	const struct resource_kind *kind = resource_kind_find(word);

	if (kind == NULL)
		return fault_set(why, ERR_INVALID, "there is no kind \"%.*s\"",
		    SLICE_ARG(word));
	if (kind->mesh_wide)
		ns = S("");
	else if (ns.len == 0)
		ns = S("default");
	*out = (struct resource_key){slice_str(kind->group),
	    slice_str(kind->kind), ns, admin_param(x, S("name"))};
	return OK;
}

static void
history(struct admin *a, struct http_exchange *x)
{
	bool of_one = admin_param(x, S("name")).len > 0;
	struct resource_key key;
	uint64_t limit;
	struct fault why = {0};
	enum err e = read_limit(x, &limit, &why);

	if (e == OK && of_one)
		e = read_key(x, &key, &why);
	if (e != OK)
		admin_refuse(x, e, &why);
	else if (of_one)
		server_history(a->spec.server, &key, (size_t)limit, on_past, x);
	else
		server_log(a->spec.server, (size_t)limit, on_past, x);
}

/* --- rollback --- */

static void
rollback(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	const struct value *revision = value_get(body, S("revision"));
	const struct value *of = value_get(body, S("key"));
	struct server_rollback_spec spec = {0};
	struct resource_key key;
	struct fault why = {0};

	if (body == NULL)
		return; /* and the exchange is gone */
	if (revision == NULL || revision->type != VALUE_INT ||
	    revision->integer < 0) {
		admin_refuse(x,
		    fault_set(&why, ERR_INVALID,
			"the body has no number \"revision\""),
		    &why);
		return;
	}
	spec.revision = (uint64_t)revision->integer;
	spec.actor = admin_actor(x);
	spec.intent = admin_intent(x);
	spec.allow_inert = admin_is_set(x, S("allowInert"));
	spec.force = admin_is_set(x, S("force"));
	if (of != NULL) {
		key = admin_key(of);
		spec.key = &key;
	}
	server_rollback(a->spec.server, &spec, admin_applied, x);
}

/* --- backup --- */

static void
on_backup(void *arg, enum err e, const struct fault *why, uint64_t revision)
{
	struct http_exchange *x = arg;
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a);

	if (e != OK) {
		admin_refuse(x, e, why);
		return;
	}
	json_number(a, &m, S("revision"), (int64_t)revision);
	admin_answer(x, m);
}

/* It writes a file as the server: nobody elsewhere says where. */
static enum err
check_backup(const struct admin_peer *p, struct slice path, char *out,
    size_t out_len, struct fault *why)
{
	if (!p->is_here)
		return fault_set(why, ERR_DENIED,
		    "a backup is written on the server's machine, for who "
		    "asks at its socket");
	if (path.len == 0 || path.ptr[0] != '/' ||
	    slice_to_cstr(path, out, out_len) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"path\" is the whole path of a file on the server's "
		    "machine");
	return OK;
}

static void
backup(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	char path[PATH_BYTES];
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	e = check_backup(http_exchange_conn_arg(x),
	    value_get_string(body, S("path"), S("")), path, sizeof(path), &why);
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		server_backup(a->spec.server, path, on_backup, x);
}

const struct admin_route admin_past_routes[] = {
    {"GET", "/v1/history", CA_ROLE_VIEWER, history},
    {"POST", "/v1/rollback", CA_ROLE_EDITOR, rollback},
    {"POST", "/v1/backup", CA_ROLE_ADMIN, backup},
};
const size_t admin_past_route_count = ARRAY_LEN(admin_past_routes);
