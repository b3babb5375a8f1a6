/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control — the listener of agents: who may say what, and in which words no.
 *
 *	TCP ─► TLS 1.3, certificate asked for but not needed ─► HTTP/2
 *	  /v1/join, /v1/reenroll    anybody: a token or a known key decides
 *	  everything else           a node that joined, with its certificate
 *
 * A revoked node gets through the handshake, so that it can be told why.
 *
 * So many connections at a time are between their beginning and their first
 * request; the others wait in the kernel's queue, so that a thousand that come
 * at once finish one after the other and do not all time out together.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "codec/codec.h"
#include "http/http.h"
#include "net/net.h"
#include "tls/tls.h"

#include "inside.h"

#include <stdio.h>

enum {
	CONN_MAGIC = 0x636f6e6e,
	BODY_MAX = 64 << 10,
	CONNS_MAX = 16384,
	REPLY_MAX = 1 << 20, /* bytes of an answer */
	SHAKING_MAX = 256,   /* connections before their first request */
	SHAKING_US = 250000  /* a slower one keeps nobody out */
};

/* A connection, as long as http has it. */
struct conn {
	uint32_t magic;
	struct server *server;
	struct turn turn; /* held until the first request */
};

/* --- answers --- */

/* `meshd doctor` learns the time by it; without it all else is right. */
static void
set_date(struct http_exchange *x)
{
	char text[HTTP_DATE_LEN];
	struct slice date =
	    slice_str(http_date_format(clock_wall_ms(&clock_system), text));

	if (http_exchange_set(x, S("date"), date) != OK)
		log_debug(
		    "an answer has no room for its date", "len=%zu", date.len);
}

static void
answer_as(struct http_exchange *x, unsigned status, const struct value *v)
{
	AUTO(buf_fini) struct buf text = BUF(REPLY_MAX);

	set_date(x);
	if (v == NULL || codec_json_emit(v, &text) != OK)
		http_exchange_respond(x, 500, S("application/json"),
		    S("{\"code\":\"internal\",\"hint\":\"\",\"message\":"
		      "\"the server could not put its answer together\"}"));
	else
		http_exchange_respond(
		    x, status, S("application/json"), buf_slice(&text));
}

void
control_answer(struct http_exchange *x, const struct value *v)
{
	answer_as(x, 200, v);
}

void
control_refuse(struct http_exchange *x, unsigned status, const char *code,
    struct slice message, const char *hint)
{
	struct arena *a = http_exchange_arena(x);
	struct value *v = value_new(a, VALUE_MAP);

	value_put_text(a, &v, S("code"), slice_str(code));
	value_put_text(a, &v, S("message"), message);
	value_put_text(a, &v, S("hint"), slice_str(hint));
	answer_as(x, status, v);
}

void
control_refuse_verdict(struct http_exchange *x, const struct ca_decision *d)
{
	char words[2 * FAULT_TEXT_MAX];

	ca_decision_format(d, words, sizeof(words));
	control_refuse(x, ca_verdict_status(d->verdict),
	    ca_verdict_code(d->verdict), slice_str(words),
	    ca_verdict_hint(d->verdict));
}

void
control_refuse_store(
    struct http_exchange *x, enum err e, const struct fault *why)
{
	log_error("cannot record", "err=\"%s\"", why->text);
	if (e == ERR_NO_SPACE)
		control_refuse(x, 507, "no_space", slice_str(why->text),
		    "make room on the server's disk; nothing was lost");
	else
		control_refuse(x, 503, "unavailable", slice_str(why->text),
		    "try again later; the server's log says more");
}

/* --- who is there --- */

static void
nobody(struct ca_decision *out, enum ca_verdict v, const char *detail)
{
	out->verdict = v;
	(void)snprintf(out->detail, sizeof(out->detail), "%.200s", detail);
}

const struct registry_node *
control_peer(const struct server *s, const struct stream *stream,
    struct ca_decision *out)
{
	const struct tls_peer *peer =
	    stream != NULL ? tls_stream_peer(stream) : NULL;
	const struct registry_node *n;

	*out = (struct ca_decision){.verdict = CA_OK};
	if (peer == NULL) {
		nobody(out, CA_NODE_ANONYMOUS, "");
		return NULL;
	}
	n = registry_node(&s->registry, peer->identity.account);
	if (n == NULL || !slice_eq(peer->identity.ns, S(CA_NS_NODES)))
		nobody(out, CA_NODE_UNKNOWN, peer->uri);
	else if (!tls_pin_eq(&peer->pin, &n->key))
		nobody(out, CA_NODE_OTHER_KEY, peer->uri);
	else if (registry_node_is_revoked(
		     &s->registry, n, slice_str(s->mesh.trust_domain)) ||
		 registry_revoked_since(
		     &s->registry, slice_str(peer->serial)) != 0)
		nobody(out, CA_NODE_REVOKED, "");
	return out->verdict == CA_OK ? n : NULL;
}

/* --- so many at a time --- */

static void
make_way(struct server *s)
{
	if (s->shaking.begun < s->shaking.most && s->listener != NULL)
		net_listener_resume(s->listener);
}

static void
on_shaking_timer(void *arg)
{
	struct server *s = server_of(arg);
	uint64_t now = loop_now_us(s->spec.loop);

	turns_expire(&s->shaking, now > SHAKING_US ? now - SHAKING_US : 0);
	make_way(s);
	if (!list_empty(&s->shaking.holding))
		timer_set(&s->shaking_timer, SHAKING_US);
}

static struct conn *
conn_new(struct server *s)
{
	struct conn *c = mem_new(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->server = s;
	turns_wait(&s->shaking, &c->turn);
	(void)turns_next(&s->shaking, loop_now_us(s->spec.loop)); /* it is c */
	if (s->shaking.begun == s->shaking.most)
		net_listener_pause(s->listener);
	if (!timer_is_set(&s->shaking_timer))
		timer_set(&s->shaking_timer, SHAKING_US);
	return c;
}

/* Its first request is here, or it is gone. */
static void
leave_turn(struct conn *c)
{
	turns_leave(&c->server->shaking, &c->turn);
	make_way(c->server);
}

static void
on_conn_close(void *arg, void *conn_arg)
{
	struct conn *c;

	(void)arg; /* the connection's own */
	OBJ(c, conn_arg, CONN_MAGIC);
	leave_turn(c);
	c->magic = 0;
	mem_free(&c);
}

static void
on_first(void *conn_arg)
{
	struct conn *c;

	OBJ(c, conn_arg, CONN_MAGIC);
	leave_turn(c);
}

/* --- requests --- */

static const struct route {
	const char *path;
	void (*handle)(struct server *s, struct http_exchange *x);
} routes[] = {
    {"/v1/join", join_handle},
    {"/v1/reenroll", reenrol_handle},
    {"/v1/certify", certify_handle},
};

static void
on_request(void *arg, struct http_exchange *x)
{
	struct server *s = server_of(arg);
	struct slice path = http_exchange_path(x);

	on_first(http_exchange_conn_arg(x));
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!slice_eq(path, slice_str(routes[i].path)))
			continue;
		if (http_head_is_method(http_exchange_head(x), S("POST")))
			routes[i].handle(s, x);
		else
			control_refuse(x, 405, "method_not_allowed",
			    S("this path takes POST only"), "");
		return;
	}
	control_refuse(x, 404, "not_found",
	    S("there is nothing here: this port is for agents"),
	    "the API is at the server's unix socket, and at port 15080");
}

static void
on_grpc(
    void *arg, struct http2_stream *stream, struct http_head *h, void *conn_arg)
{
	on_first(conn_arg);
	agents_accept(server_of(arg), stream, h);
}

/* --- connections --- */

static void
ignore_data(struct stream *stream, void *arg, struct slice bytes)
{
	(void)stream; /* a layer whose owner comes right after */
	(void)arg;
	(void)bytes;
}

static void
ignore_close(struct stream *stream, void *arg, enum err why)
{
	(void)stream;
	(void)arg;
	(void)why;
}

static const struct stream_events no_owner = {
    .on_data = ignore_data, .on_close = ignore_close};

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *from)
{
	struct server *s = server_of(arg);
	struct stream *socket =
	    net_stream_new(s->spec.loop, fd, &no_owner, NULL);
	struct tls_server_spec spec = {
	    .config = s->tls,
	    .identity = s->own.identity,
	    .trust = s->own.trust,
	    .trust_domain = slice_str(s->mesh.trust_domain),
	};
	struct stream *secure;
	struct fault why = {0};

	(void)l;
	(void)from;
	if (s->http == NULL || tls_stream_server(socket, &spec, &no_owner, NULL,
				   &secure, &why) != OK) {
		log_debug("connection refused", "why=\"%s\"", why.text);
		stream_close(socket, ERR_RESET);
		return;
	}
	http_server_serve(s->http, secure, HTTP_PROTO_2, conn_new(s));
}

static void
on_listening(struct net_listener *l, void *arg)
{
	struct server *s = server_of(arg);
	struct addr a = net_listener_addr(l);
	char text[ADDR_TEXT_MAX];

	if (s->closing)
		return;
	log_info("control port is open", "addr=%s server=%s trust_domain=%s",
	    addr_format(&a, text), s->own.name, s->mesh.trust_domain);
	members_open(s);
}

static void
on_listener_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct server *s = server_of(arg);

	(void)l;
	s->listener = NULL;
	if (!s->closing)
		server_fail(s, why, words);
	server_part_gone(s, PART_CONTROL);
}

static const struct net_listener_events listener_events = {
    .on_open = on_listening,
    .on_accept = on_accept,
    .on_close = on_listener_close,
};

/* --- open and close --- */

static enum err
make_tls(struct server *s)
{
	struct tls_config_spec spec = {
	    .role = TLS_SERVER,
	    .ask = TLS_ASK_OPTIONAL,
	    .alpn = {"h2"},
	    .clock = s->spec.clock,
	};

	return tls_config_new(&spec, &s->tls);
}

void
control_open(struct server *s)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	enum err e = make_tls(s);

	if (e != OK) {
		(void)fault_set(&s->start_fault, e, "TLS could not be set up");
		server_fail(s, e, &s->start_fault);
		return;
	}
	turns_init(&s->shaking, SHAKING_MAX);
	timer_init(&s->shaking_timer, s->spec.loop, on_shaking_timer, s);
	s->http = http_server_new(&(struct http_server_spec){
	    .loop = s->spec.loop,
	    .on_request = on_request,
	    .on_grpc = on_grpc,
	    .on_conn_close = on_conn_close,
	    .arg = s,
	    .body_limit = BODY_MAX,
	    .conns_max = CONNS_MAX,
	    .secret = true, /* who joins is told the gossip's keys */
	});
	spec.name = S("control");
	spec.kind = NET_LISTEN;
	spec.addr = s->spec.control.family != ADDR_NONE
			? s->spec.control
			: net_any_addr(SERVER_CONTROL_PORT);
	spec.options = NET_KEEPALIVE | NET_NODELAY;
	s->parts |= PART_CONTROL;
	s->listener = net_listener_open(
	    s->spec.factory, s->spec.loop, &spec, &listener_events, s);
}

void
control_close(struct server *s)
{
	http_server_free(&s->http);
	timer_clear(&s->shaking_timer);
	if (s->listener != NULL)
		net_listener_close(s->listener);
}

uint16_t
control_port(const struct server *s)
{
	return s->listener != NULL ? net_listener_addr(s->listener).port : 0;
}
