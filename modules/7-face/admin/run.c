/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run — an agent's paths about programs that call as accounts of their own.
 *
 * Whoever runs one stays connected as long as it lives, and that is how its end
 * is noticed, whatever ended whom.
 */
#include "inside.h"

enum { RUNNING_MAGIC = 0x72756e6e };

/*	WAITING --ready--> ANSWERED --client gone--> over: this object is gone
 *	   `-- client gone, or refused --------------^	*/
struct running {
	uint32_t magic;
	struct admin *admin;
	struct http_exchange *exchange;
	struct ward *ward;
};

static void
running_free(struct running *r)
{
	node_run_end(&r->ward);
	r->magic = 0;
	mem_free(&r);
}

static struct running *
running_of(void *arg)
{
	struct running *r;

	OBJ(r, arg, RUNNING_MAGIC);
	return r;
}

/* The exchange ends by itself. */
static void
on_gone(void *arg)
{
	running_free(running_of(arg));
}

static void
on_drained(void *arg)
{
	(void)arg; /* one line is all that is said */
}

/* The first and only line; then the answer goes on for as long as it lives. */
static void
answer(struct running *r, struct slice missed)
{
	AUTO(buf_fini) struct buf line = BUF(LIMIT_API_BODY);
	struct arena *a = http_exchange_arena(r->exchange);
	struct value *m = json_map(a);

	json_bool(a, &m, S("captured"), true);
	json_text(a, &m, S("missed"), missed);
	http_exchange_begin(
	    r->exchange, 200, S("application/x-ndjson"), on_drained, r);
	/* Whoever has left is told by on_gone. */
	if (m != NULL && codec_json_emit(m, &line) == OK &&
	    buf_add_byte(&line, '\n') == OK)
		(void)!http_exchange_write(r->exchange, buf_slice(&line));
}

static void
on_ready(void *arg, enum err e, const struct fault *why)
{
	struct running *r = running_of(arg);
	struct http_exchange *x = r->exchange;

	if (e == OK) {
		answer(r, slice_str(why->text));
		return;
	}
	http_exchange_on_gone(x, NULL, NULL);
	running_free(r);
	admin_refuse(x, e, why);
}

static uint64_t
wait_of(const struct value *body)
{
	int64_t ms = value_get_int(body, S("waitMs"), 0);

	return ms > 0 ? (uint64_t)ms * 1000 : 0;
}

static enum err
read_run(const struct value *body, struct label labels[ADMIN_LABELS_MAX],
    struct node_expose *expose, struct node_run *out, struct fault *why)
{
	const struct value *offered = value_get(body, S("expose"));

	*out = (struct node_run){
	    .cgroup = value_get_string(body, S("cgroup"), S("")),
	    .ns = value_get_string(body, S("namespace"), S("default")),
	    .account = value_get_string(body, S("account"), S("default")),
	    .is_anew = true,
	    .wait_us = wait_of(body)};
	if (offered == NULL)
		return OK;
	out->expose = expose;
	return admin_read_expose(offered, labels, expose, why);
}

static void
run(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct label labels[ADMIN_LABELS_MAX];
	struct node_expose expose;
	struct node_run spec;
	struct fault why = {0};
	struct running *r;
	enum err e;

	if (body == NULL)
		return;
	r = mem_new(sizeof(*r));
	*r =
	    (struct running){.magic = RUNNING_MAGIC, .admin = a, .exchange = x};
	e = read_run(body, labels, &expose, &spec, &why);
	if (e == OK)
		e = node_run_begin(
		    a->spec.node, &spec, on_ready, r, &r->ward, &why);
	if (e == OK) {
		http_exchange_on_gone(x, on_gone, r);
		return;
	}
	running_free(r);
	admin_refuse(x, e, &why);
}

/* --- those that there are ------------------------------------------------- */

struct rows {
	struct arena *arena;
	struct value *list;
};

static void
add_run(void *arg, const struct node_run_state *s)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("cgroup"), s->cgroup);
	if (s->unit.len > 0)
		json_text(r->arena, &m, S("unit"), s->unit);
	json_text(r->arena, &m, S("identity"), s->identity);
	json_text(r->arena, &m, S("service"), s->service);
	json_text(r->arena, &m, S("state"), slice_str(s->state));
	json_text(r->arena, &m, S("missed"), s->missed);
	json_push(&r->list, m);
}

void
admin_put_runs(const struct admin *a, struct arena *arena, struct value **m)
{
	struct rows r = {arena, json_list(arena)};

	node_each_run(a->spec.node, add_run, &r);
	json_put(m, S("programs"), r.list);
}

/* --- units ---------------------------------------------------------------- */

static struct slice
unit_of(const struct value *body)
{
	return value_get_string(body, S("unit"), S(""));
}

static void
put_unit(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};

	if (body != NULL)
		admin_done(x, node_unit_put(a->spec.node, body, &why), &why);
}

static void
remove_unit(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};

	if (body != NULL)
		admin_done(x,
		    node_unit_remove(a->spec.node, unit_of(body), &why), &why);
}

/* What was missing is told, too. */
static void
on_started(void *arg, enum err e, const struct fault *why)
{
	struct http_exchange *x = arg;
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a);

	if (e != OK) {
		admin_refuse(x, e, why);
		return;
	}
	json_text(a, &m, S("missed"), slice_str(why->text));
	admin_answer(x, m);
}

static void
unit_started(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);

	if (body != NULL)
		node_unit_started(a->spec.node, unit_of(body),
		    value_get_string(body, S("cgroup"), S("")), wait_of(body),
		    on_started, x);
}

static void
unit_stopped(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};

	if (body != NULL)
		admin_done(x,
		    node_unit_stopped(a->spec.node, unit_of(body), &why), &why);
}

const struct admin_route admin_run_routes[] = {
    {"POST", "/v1/run", CA_ROLE_ADMIN, run},
    {"POST", "/v1/units", CA_ROLE_ADMIN, put_unit},
    {"POST", "/v1/units/remove", CA_ROLE_ADMIN, remove_unit},
    {"POST", "/v1/units/started", CA_ROLE_ADMIN, unit_started},
    {"POST", "/v1/units/stopped", CA_ROLE_ADMIN, unit_stopped},
};
const size_t admin_run_route_count = ARRAY_LEN(admin_run_routes);
