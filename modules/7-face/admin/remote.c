/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote — the API for operators elsewhere: TLS 1.3, and a token each time.
 *
 *	head ─► token is good ─► body ─► dispatch, as on the unix socket
 *	     `─► not: after a second the reason, and the connection ends
 *
 * Nobody's body is taken before the token was looked at. A guess costs a
 * handshake and a second, and one address has few connections at a time, so
 * that strangers cannot keep operators out or the log busy.
 */
#define LOG_MODULE "admin"

#include "inside.h"
#include "install.h"
#include "tls/tls.h"

#include <stdio.h>

enum {
	REMOTE_MAGIC = 0x72656d6f,
	CONNS_MAX = 256,
	CONNS_PER_ADDR = 32,
	IDLE_US = 30000000,
	REFUSAL_US = 1000000
};

struct remote {
	uint32_t magic;
	struct admin *admin; /* NULL once it is closed */
	struct net_listener *listener;
	struct http_server *http;
	struct tls_config *tls;
	struct list callers;
	bool is_open;
};

/* One connection. */
struct caller {
	struct admin_peer peer; /* first; its actor is the last token's */
	struct list link;
	struct addr from;
	struct http_exchange *refused; /* waits for its answer */
	struct ca_decision decision;
	struct timer timer;
};

/* --- who asks --- */

/* "Bearer <token>" (RFC 6750 §2.1). */
static struct slice
token_of(const struct http_head *h)
{
	struct slice text;

	if (!http_head_get(h, S("authorization"), &text) ||
	    !slice_eq_nocase(slice_split(&text, ' '), S("bearer")))
		return SLICE_NONE;
	return slice_trim(text);
}

static void
on_refusal(void *arg)
{
	struct caller *c = arg;
	struct http_exchange *x = TAKE(c->refused);

	/* A head's limits leave room for one field in the answer. */
	CHECK(http_exchange_set(
		  x, S("WWW-Authenticate"), S("Bearer realm=\"meshd\"")) == OK);
	admin_refuse_decision(x, &c->decision);
}

static void
on_gone(void *arg)
{
	struct caller *c = arg;

	c->refused = NULL;
	timer_clear(&c->timer);
}

static void
refuse(struct caller *c, struct http_exchange *x)
{
	char text[ADDR_TEXT_MAX];

	log_warn("operator refused", "peer=%s code=%s",
	    addr_format(&c->from, text), ca_verdict_code(c->decision.verdict));
	c->refused = x;
	http_exchange_on_gone(x, on_gone, c);
	timer_set(&c->timer, REFUSAL_US);
}

static bool
on_head(void *arg, struct http_exchange *x)
{
	const struct http_head *h = http_exchange_head(x);
	struct caller *c = http_exchange_conn_arg(x);
	struct remote *r;

	OBJ(r, arg, REMOTE_MAGIC);
	if (http_head_is_method(h, S("GET")) &&
	    slice_eq(http_exchange_path(x), S("/healthz/ready"))) {
		http_exchange_respond(x, 200, S("text/plain"), S("serving\n"));
		return false;
	}
	if (install_takes(r->admin->install, x)) {
		install_answer(r->admin->install, x, &c->from);
		return false; /* all that a stranger gets, without a body */
	}
	server_operator(
	    r->admin->spec.server, token_of(h), &c->peer.actor, &c->decision);
	if (c->decision.verdict == CA_OK)
		return true;
	refuse(c, x);
	return false;
}

static void
on_request(void *arg, struct http_exchange *x)
{
	struct remote *r;

	OBJ(r, arg, REMOTE_MAGIC);
	admin_dispatch(r->admin, x);
}

/* --- connections --- */

static void
on_conn_close(void *arg, void *conn_arg)
{
	struct caller *c = conn_arg;

	(void)arg; /* the port goes on */
	timer_clear(&c->timer);
	list_remove(&c->link);
	mem_free(&c);
}

bool
admin_is_near(const struct addr *a, const struct addr *b)
{
	struct cidr near;

	cidr_around(a, a->family == ADDR_V6 ? 64 : 32, &near);
	return cidr_contains(&near, b);
}

static bool
has_many(const struct remote *r, const struct addr *from)
{
	size_t n = 0;

	LIST_EACH (&r->callers, it)
		n += admin_is_near(
		    from, &CONTAINER(it, struct caller, link)->from);
	return n >= CONNS_PER_ADDR;
}

static struct caller *
caller_new(struct remote *r, const struct addr *from)
{
	struct caller *c = mem_new(sizeof(*c));

	c->peer.admin = r->admin;
	c->from = *from;
	timer_init(&c->timer, r->admin->spec.loop, on_refusal, c);
	list_push_back(&r->callers, &c->link);
	return c;
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *from)
{
	struct remote *r;
	struct stream *socket, *secure;
	struct tls_server_spec spec = {0};
	struct fault why = {0};

	(void)l; /* the port's */
	OBJ(r, arg, REMOTE_MAGIC);
	spec.config = r->tls;
	spec.identity = server_api_identity(r->admin->spec.server);
	socket = net_stream_new(r->admin->spec.loop, fd, &admin_early, NULL);
	if (has_many(r, from) || tls_stream_server(socket, &spec, &admin_early,
				     NULL, &secure, &why) != OK) {
		stream_close(socket, ERR_RESET);
		return;
	}
	http_server_serve(r->http, secure, HTTP_PROTO_1, caller_new(r, from));
}

/* --- opening and closing --- */

static void
remote_free(struct remote *r)
{
	tls_config_unref(&r->tls);
	r->magic = 0;
	mem_free(&r);
}

static void
on_open(struct net_listener *l, void *arg)
{
	struct remote *r;
	struct addr addr = net_listener_addr(l);
	char text[ADDR_TEXT_MAX];

	OBJ(r, arg, REMOTE_MAGIC);
	r->is_open = true;
	if (r->admin == NULL)
		return;
	log_info("API port is open", "addr=%s", addr_format(&addr, text));
	admin_open_socket(r->admin);
}

static void
on_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct remote *r;

	(void)l; /* gone with this call */
	OBJ(r, arg, REMOTE_MAGIC);
	r->listener = NULL;
	if (r->admin == NULL)
		remote_free(r);
	else
		admin_tell(r->admin, why, words); /* who may close us there */
}

static const struct net_listener_events listener_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_close = on_close,
};

struct remote *
remote_open(struct admin *a)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	struct tls_config_spec tls = {
	    .role = TLS_SERVER, .ask = TLS_ASK_NONE, .alpn = {"http/1.1"}};
	struct remote *r = mem_new(sizeof(*r));

	r->magic = REMOTE_MAGIC;
	r->admin = a;
	list_init(&r->callers);
	CHECK(tls_config_new(&tls, &r->tls) == OK); /* nothing of it varies */
	r->http = http_server_new(&(struct http_server_spec){
	    .loop = a->spec.loop,
	    .on_head = on_head,
	    .on_request = on_request,
	    .on_conn_close = on_conn_close,
	    .arg = r,
	    .idle_us = IDLE_US,
	    .conns_max = CONNS_MAX,
	    .secret = true,
	});
	spec.name = S("remote");
	spec.kind = NET_LISTEN;
	spec.addr = a->spec.remote;
	spec.options = NET_KEEPALIVE | NET_NODELAY;
	r->listener = net_listener_open(
	    a->spec.factory, a->spec.loop, &spec, &listener_events, r);
	return r;
}

void
remote_close(struct remote **rp)
{
	struct remote *r = TAKE(*rp);

	if (r == NULL)
		return;
	r->admin = NULL;
	http_server_free(&r->http);
	if (r->listener != NULL)
		net_listener_close(r->listener);
	else
		remote_free(r);
}

uint16_t
remote_port(const struct remote *r)
{
	return r != NULL && r->is_open ? net_listener_addr(r->listener).port
				       : 0;
}
