/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin — the socket, who is at its other end, and which handler answers.
 */
#define LOG_MODULE "admin"

#include "inside.h"
#include "install.h"

#include <stdio.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256 << 20 };

/* --- answers ----------------------------------------------------------------
 */

unsigned
admin_status_of(enum err e)
{
	switch (e) {
	case ERR_PARSE:
	case ERR_INVALID:
	case ERR_UNSUPPORTED:
		return 422;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
	case ERR_EXISTS:
		return 409;
	case ERR_DENIED:
	case ERR_PERMISSION:
		return 403;
	case ERR_LIMIT:
		return 413;
	case ERR_BUSY:
		return 503;
	case ERR_NO_SPACE:
		return 507;
	default:
		return 500;
	}
}

void
admin_answer_status(
    struct http_exchange *x, unsigned status, const struct value *v)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(ANSWER_BYTES);

	if (v == NULL || codec_json_emit(v, &text) != OK ||
	    buf_add_byte(&text, '\n') != OK) {
		http_exchange_respond(x, 500, S("application/json"),
		    S("{\"code\":\"ERR_LIMIT\","
		      "\"message\":\"the answer is too large\"}\n"));
		return;
	}
	http_exchange_respond(
	    x, status, S("application/json"), buf_slice(&text));
}

void
admin_answer(struct http_exchange *x, const struct value *v)
{
	admin_answer_status(x, 200, v);
}

void
admin_refuse(struct http_exchange *x, enum err e, const struct fault *why)
{
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a);
	const char *words =
	    why != NULL && why->text[0] != 0 ? why->text : err_text(e);

	json_text(a, &m, S("code"), slice_str(err_name(e)));
	json_text(a, &m, S("message"), slice_str(words));
	admin_answer_status(x, admin_status_of(e), m);
}

void
admin_done(void *exchange, enum err e, const struct fault *why)
{
	struct http_exchange *x = exchange;

	if (e != OK)
		admin_refuse(x, e, why);
	else
		admin_answer(x, json_map(http_exchange_arena(x)));
}

void
admin_refuse_decision(struct http_exchange *x, const struct ca_decision *d)
{
	struct arena *a = http_exchange_arena(x);
	struct value *m = json_map(a);
	char words[2 * FAULT_TEXT_MAX];

	ca_decision_format(d, words, sizeof(words));
	json_text(a, &m, S("code"), slice_str(ca_verdict_code(d->verdict)));
	json_text(a, &m, S("message"), slice_str(words));
	json_text(a, &m, S("hint"), slice_str(ca_verdict_hint(d->verdict)));
	admin_answer_status(x, ca_verdict_status(d->verdict), m);
}

const struct value *
admin_body(struct http_exchange *x)
{
	const struct value *v = NULL;
	struct fault why = {0};
	enum err e = codec_json_parse(
	    http_exchange_body(x), http_exchange_arena(x), &v, &why);

	if (e == OK && v->type == VALUE_MAP)
		return v;
	if (e == OK)
		e = fault_set(&why, ERR_INVALID, "the body is no JSON object");
	admin_refuse(x, e, &why);
	return NULL;
}

struct slice
admin_param(struct http_exchange *x, struct slice name)
{
	struct slice v;

	return http_exchange_param(x, name, &v) ? v : SLICE_NONE;
}

void
admin_answer_items(struct http_exchange *x, struct value *list)
{
	struct value *m = json_map(http_exchange_arena(x));

	json_put(&m, S("items"), list);
	admin_answer(x, m);
}

const struct server_actor *
admin_actor(struct http_exchange *x)
{
	const struct admin_peer *p = http_exchange_conn_arg(x);

	return &p->actor;
}

/* --- routing --- */

/* Who has which paths. */
enum { FOR_SERVER = 1, FOR_AGENT = 2, FOR_BOTH = FOR_SERVER | FOR_AGENT };

static const struct table {
	unsigned roles;
	const struct admin_route *routes;
	const size_t *count;
} tables[] = {
    {FOR_BOTH, admin_process_routes, &admin_process_route_count},
    {FOR_BOTH, admin_service_routes, &admin_service_route_count},
    {FOR_BOTH, admin_proxy_routes, &admin_proxy_route_count},
    {FOR_SERVER, admin_config_routes, &admin_config_route_count},
    {FOR_SERVER, admin_past_routes, &admin_past_route_count},
    {FOR_SERVER, admin_mesh_routes, &admin_mesh_route_count},
    {FOR_AGENT, admin_agent_routes, &admin_agent_route_count},
    {FOR_AGENT, admin_capture_routes, &admin_capture_route_count},
    {FOR_AGENT, admin_run_routes, &admin_run_route_count},
    {FOR_AGENT, admin_flow_routes, &admin_flow_route_count},
};

/* NULL if there is none; notes whether the path has another method. */
static const struct admin_route *
find_route(struct http_exchange *x, unsigned role, bool *path_known)
{
	struct slice method = http_exchange_head(x)->method;
	struct slice path = http_exchange_path(x);

	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (!(tables[i].roles & role))
			continue;
		for (size_t k = 0; k < *tables[i].count; k++) {
			const struct admin_route *r = &tables[i].routes[k];

			if (!slice_eq(path, slice_str(r->path)))
				continue;
			*path_known = true;
			if (slice_eq(method, slice_str(r->method)))
				return r;
		}
	}
	return NULL;
}

static void
refuse_path(struct http_exchange *x, unsigned role, bool path_known)
{
	const struct http_head *h = http_exchange_head(x);
	struct slice path = http_exchange_path(x);
	struct fault why = {0};
	bool is_server = role == FOR_SERVER;
	bool known;

	if (path_known)
		(void)fault_set(&why, ERR_NOT_FOUND,
		    "%.*s is not a method of %.*s", SLICE_ARG(h->method),
		    SLICE_ARG(path));
	else if (find_route(x, FOR_BOTH & ~role, &known) != NULL)
		(void)fault_set(&why, ERR_NOT_FOUND,
		    "%.*s %.*s is for %s, and this is %s: is --socket right?",
		    SLICE_ARG(h->method), SLICE_ARG(path),
		    is_server ? "an agent" : "the server",
		    is_server ? "the server" : "an agent");
	else
		(void)fault_set(&why, ERR_NOT_FOUND,
		    "nothing answers %.*s %.*s", SLICE_ARG(h->method),
		    SLICE_ARG(path));
	admin_refuse(x, ERR_NOT_FOUND, &why);
}

static void
handle(struct admin *a, struct http_exchange *x, const struct admin_route *r)
{
	struct fault why = {0};
	enum err e = server_may(admin_actor(x), r->needs, &why);

	if (e != OK)
		admin_refuse(x, e, &why);
	else
		r->handle(a, x);
}

void
admin_dispatch(struct admin *a, struct http_exchange *x)
{
	unsigned role = a->spec.server != NULL ? FOR_SERVER : FOR_AGENT;
	bool path_known = false;
	const struct admin_route *r = find_route(x, role, &path_known);

	if (r != NULL)
		handle(a, x, r);
	else
		refuse_path(x, role, path_known);
}

static void
on_request(void *arg, struct http_exchange *x)
{
	struct admin *a;

	OBJ(a, arg, ADMIN_MAGIC);
	admin_dispatch(a, x);
}

/* --- connections --- */

static void
on_conn_close(void *arg, void *conn_arg)
{
	(void)arg; /* the API goes on */
	mem_free(&conn_arg);
}

static void
on_early_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the server took the connection");
}

static void
on_early_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* refused below */
	(void)arg;
	(void)why;
}

const struct stream_events admin_early = {
    .on_data = on_early_data, .on_close = on_early_close};

static struct admin_peer *
peer_new(struct admin *a, const struct net_cred *cred)
{
	struct admin_peer *p = mem_new(sizeof(*p));

	p->admin = a;
	p->is_here = true;
	p->actor.role = cred->uid == 0 || cred->uid == a->spec.admin_uid
			    ? CA_ROLE_ADMIN
			    : CA_ROLE_VIEWER;
	(void)snprintf(p->actor.name, sizeof(p->actor.name), "uid %u",
	    (unsigned)cred->uid);
	return p;
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct admin *a;
	struct stream *s;
	struct net_cred cred;

	(void)l;    /* the API's */
	(void)peer; /* a unix socket has none */
	OBJ(a, arg, ADMIN_MAGIC);
	s = net_stream_new(a->spec.loop, fd, &admin_early, NULL);
	if (net_stream_cred(s, &cred) != OK) {
		stream_close(s, ERR_AUTH);
		return;
	}
	http_server_serve(a->http, s, HTTP_PROTO_1, peer_new(a, &cred));
}

static void
admin_free(struct admin *a)
{
	a->magic = 0;
	mem_free(&a);
}

void
admin_tell(struct admin *a, enum err e, const struct fault *why)
{
	if (a->told)
		return;
	a->told = true;
	if (a->spec.on_open != NULL)
		a->spec.on_open(a->spec.arg, e, why);
}

static void
on_open(struct net_listener *l, void *arg)
{
	struct admin *a;

	(void)l; /* the API's */
	OBJ(a, arg, ADMIN_MAGIC);
	a->bound = true;
	admin_tell(a, OK, NULL);
}

static void
on_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct admin *a;

	(void)l; /* gone with this call */
	OBJ(a, arg, ADMIN_MAGIC);
	a->listener = NULL;
	if (a->closing)
		admin_free(a);
	else
		admin_tell(a, why, words); /* who may close it there and then */
}

static const struct net_listener_events listener_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_close = on_close,
};

void
admin_open_socket(struct admin *a)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("api");
	spec.kind = NET_UNIX;
	spec.path = slice_str(a->path);
	spec.mode = 0666;
	a->listener = net_listener_open(
	    a->spec.factory, a->spec.loop, &spec, &listener_events, a);
}

struct admin *
admin_open(const struct admin_spec *spec)
{
	struct admin *a = mem_new(sizeof(*a));

	a->magic = ADMIN_MAGIC;
	a->spec = *spec;
	(void)snprintf(a->path, sizeof(a->path), "%s", spec->socket_path);
	a->http = http_server_new(&(struct http_server_spec){
	    .loop = spec->loop,
	    .on_request = on_request,
	    .on_conn_close = on_conn_close,
	    .arg = a,
	    .secret = true, /* tokens, and Secrets of others */
	});
	a->ports = ports_open(a);
	if (spec->remote.family != ADDR_NONE && spec->installer != NULL)
		a->install = install_open(a);
	if (spec->remote.family != ADDR_NONE)
		a->remote = remote_open(a);
	else
		admin_open_socket(a);
	return a;
}

void
admin_close(struct admin **ap)
{
	struct admin *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	a->told = true;
	ports_close(&a->ports);
	install_close(&a->install); /* its exchanges are the port's */
	remote_close(&a->remote);
	http_server_free(&a->http);
	if (a->bound)
		(void)unlink(a->path); /* the next start would replace it */
	a->closing = true;
	if (a->listener != NULL)
		net_listener_close(a->listener);
	else
		admin_free(a);
}
