/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — tunnels that come in (HBONE), on one worker: the listener, whose
 * worker takes which, and their sessions. What is asked inside one is
 * connect.c's.
 */
#define LOG_MODULE "proxy"

#include "inbound/inside.h"

#include "snapshot.h"

#include <stdio.h>
#include <unistd.h>

enum {
	SESSION_MAGIC = 0x696e7365,
	/* In a tunnel: of all clients that the other node has. */
	RESETS_MAX = 2000
};

/* --- a session --- */

static void
on_request(void *arg, struct http2_stream *h2, struct http_head *h, bool end)
{
	struct session *s;

	(void)end; /* a tunnel's end comes with its stream */
	OBJ(s, arg, SESSION_MAGIC);
	session_on_connect(s, h2, h);
}

/* A handshake that failed is worth a line: it is how a refusal looks here. So
 * is a tunnel that broke, or whose peer broke a rule. */
static void
log_end(struct session *s, enum err why, const struct http2 *c)
{
	struct stream *transport = http2_transport(s->http2);
	const struct fault *f =
	    transport != NULL ? tls_stream_fault(transport) : NULL;
	char text[ADDR_TEXT_MAX];
	bool stood;

	if (http2_flaw_of(c) != HTTP2_SOUND) {
		log_warn("tunnel cut", "peer=%s reason=\"%s\"",
		    addr_format(&s->peer, text),
		    http2_flaw_text(http2_flaw_of(c)));
		return;
	}
	if (why == OK || f == NULL || f->code == OK)
		return;
	stood = tls_stream_peer(transport) != NULL;
	log_warn(stood ? "tunnel broke" : "tunnel refused",
	    "peer=%s reason=\"%s\"", addr_format(&s->peer, text), f->text);
}

static void
on_session_close(void *arg, struct http2 *c, enum err why)
{
	struct session *s;

	OBJ(s, arg, SESSION_MAGIC);
	worker_refused_http2(s->inbound->worker, REFUSED_NODE, c);
	log_end(s, why, c);
	list_remove(&s->link);
	s->inbound->count--;
	s->inbound->worker->load--;
	s->magic = 0;
	mem_free(&s);
}

static void
on_ready(void *arg, struct http2 *c)
{
	struct session *s;

	OBJ(s, arg, SESSION_MAGIC);
	worker_tell_tunnel(s->inbound->worker, TUNNEL_IN, c);
}

/* No request that anybody could answer for, or one that was answered already.
 */
static void
on_refused(void *arg, struct http2 *c, unsigned status, const char *word,
    const char *text)
{
	static const struct http_head none;
	struct flow_record f;
	struct session *s;

	(void)c; /* s->http2 */
	OBJ(s, arg, SESSION_MAGIC);
	worker_refused(s->inbound->worker, REFUSED_NODE, word);
	session_record(s, &none, &f);
	session_tell_refusal(
	    s, status, &f, FLOW_DOWNSTREAM_PROTOCOL, slice_str(text));
}

static const struct http2_events session_events = {
    .on_ready = on_ready,
    .on_request = on_request,
    .on_refused = on_refused,
    .on_close = on_session_close,
};

/* Who names nobody, as ztunnel, means who is at the address that it called. */
static struct tls_identity *
identity_at(const struct worker *w, const struct addr *local)
{
	struct slice uri = SLICE_NONE;

	if (w->now != NULL)
		uri = view_identity_at(w->now->view, local);
	return uri.len > 0 ? credentials_find(w->credentials, uri) : NULL;
}

static struct tls_identity *
pick_identity(void *arg, struct slice sni)
{
	struct session *s;
	struct worker *w;
	struct tls_identity *id = NULL;

	OBJ(s, arg, SESSION_MAGIC);
	w = s->inbound->worker;
	if (sni.len == 0)
		id = identity_at(w, &s->local);
	if (id == NULL)
		id = credentials_find_sni(w->credentials, sni);
	return id == NULL ? NULL : tls_identity_ref(id);
}

/* Counted each time, and told now and then. */
static bool
is_full(struct inbound *in)
{
	struct worker *w = in->worker;
	uint64_t now = loop_now_us(w->loop);

	if (in->count < w->proxy->limits.tunnels)
		return false;
	worker_refused(w, REFUSED_NODE, "connections");
	if (in->told_us > 0 && now - in->told_us < NET_SHORT_TOLD_US)
		return true;
	in->told_us = now;
	log_warn("tunnels are refused",
	    "reason=\"there are as many as may be: %u\"",
	    (unsigned)w->proxy->limits.tunnels);
	return true;
}

static void
serve(struct worker *w, int fd)
{
	struct inbound *in = w->inbound;
	struct stream *socket =
	    net_stream_new(w->loop, fd, &inbound_nobody, NULL);
	struct session *s = mem_new(sizeof(*s));
	struct tls_server_spec spec = {.config = in->tls,
	    .pick = pick_identity,
	    .pick_arg = s,
	    .trust = credentials_trust(w->credentials),
	    .trust_domain = w->proxy->trust_domain};
	struct http2_limits limits = http2_limits_server;
	struct stream *transport;

	limits.resets = RESETS_MAX;
	s->magic = SESSION_MAGIC;
	s->inbound = in;
	s->peer = stream_peer(socket);
	s->local = stream_local(socket);
	if (w->draining || w->credentials == NULL || is_full(in) ||
	    tls_stream_server(
		socket, &spec, &inbound_nobody, NULL, &transport, NULL) != OK) {
		stream_close(socket, ERR_RESET);
		w->load--;
		mem_free(&s);
		return;
	}
	list_push_back(&in->sessions, &s->link);
	in->count++;
	s->http2 = http2_open(&(struct http2_spec){.loop = w->loop,
	    .transport = transport,
	    .server = true,
	    .limits = &limits,
	    .budget = &w->proxy->budget,
	    .events = &session_events,
	    .arg = s});
}

/* --- which worker takes it --- */

struct handover {
	struct worker *to;
	int fd;
};

static void
on_handover(void *arg)
{
	struct handover *h = arg;

	if (h->to->inbound != NULL)
		serve(h->to, h->fd);
	else
		(void)close(h->fd); /* the worker is going away */
	mem_free(&h);
}

/* Few long sessions balance badly by chance: the least loaded takes it. */
static struct worker *
least_loaded(struct worker *w)
{
	struct worker *best = w;

	for (unsigned i = 0; i < w->proxy->count; i++)
		if (w->proxy->worker[i].load + 1 < best->load + (best == w))
			best = &w->proxy->worker[i];
	return best;
}

static void
on_accept(struct net_listener *net, void *arg, int fd, const struct addr *peer)
{
	struct worker *w = arg;
	struct worker *to = least_loaded(w);
	struct handover *h;

	(void)net;  /* the worker's */
	(void)peer; /* the stream knows */
	to->load++;
	if (to == w) {
		serve(w, fd);
		return;
	}
	h = mem_new(sizeof(*h));
	*h = (struct handover){.to = to, .fd = fd};
	loop_post(to->loop, on_handover, h);
}

static void
on_short(struct net_listener *net, void *arg, enum err why)
{
	(void)net;
	(void)arg;
	worker_tell_shortage("hbone", why);
}

static void
on_listener_close(struct net_listener *net, void *arg, enum err why,
    const struct fault *words)
{
	struct worker *w = arg;

	(void)net; /* gone with this call */
	(void)why; /* our own wish, else the kernel's */
	(void)words;
	w->inbound->net = NULL;
	worker_tell_listener(
	    w, S("hbone"), &w->proxy->spec.hbone, PROXY_CLOSED, NULL);
}

static void
on_listener_wait(struct net_listener *net, void *arg, const struct fault *words)
{
	struct worker *w = arg;

	(void)net; /* the worker's */
	worker_tell_listener(
	    w, S("hbone"), &w->proxy->spec.hbone, PROXY_WAITS, words);
}

static void
on_listener_open(struct net_listener *net, void *arg)
{
	struct worker *w = arg;
	struct addr addr = net_listener_addr(net);

	worker_tell_listener(w, S("hbone"), &addr, PROXY_LISTENS, NULL);
}

static const struct net_listener_events net_events = {
    .on_open = on_listener_open,
    .on_accept = on_accept,
    .on_short = on_short,
    .on_wait = on_listener_wait,
    .on_close = on_listener_close,
};

struct inbound *
inbound_new(struct worker *w)
{
	struct inbound *in = mem_new(sizeof(*in));
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	char name[32];
	enum err e;

	in->worker = w;
	list_init(&in->sessions);
	e = tls_config_new(&(struct tls_config_spec){.role = TLS_SERVER,
			       .ask = TLS_ASK_REQUIRED,
			       .alpn = {"h2"},
			       .clock = loop_clock(w->loop),
			       .check = credentials_check,
			       .check_arg = w,
			       .tickets = w->proxy->tickets},
	    &in->tls);
	CHECK(e == OK);
	if (w->proxy->spec.hbone.family == ADDR_NONE)
		return in;
	(void)snprintf(name, sizeof(name), "hbone-%u", w->index);
	spec.name = slice_str(name);
	spec.kind = NET_LISTEN;
	spec.addr = w->proxy->spec.hbone;
	spec.worker = w->index;
	spec.options = NET_REUSEPORT | NET_NODELAY | NET_KEEPALIVE;
	in->net = net_listener_open(
	    w->proxy->spec.factory, w->loop, &spec, &net_events, w);
	return in;
}

void
inbound_free(struct inbound **ip)
{
	if (*ip == NULL)
		return;
	CHECK(list_empty(&(*ip)->sessions));
	tls_config_unref(&(*ip)->tls);
	mem_free(ip);
}

static void
stop_listening(struct inbound *in)
{
	if (in->net != NULL && !in->stopping)
		net_listener_close(in->net);
	in->stopping = true;
}

void
inbound_drain(struct inbound *in)
{
	stop_listening(in);
	LIST_EACH (&in->sessions, it)
		http2_shutdown(CONTAINER(it, struct session, link)->http2);
}

void
inbound_cut(struct inbound *in)
{
	LIST_EACH (&in->sessions, it)
		http2_close(
		    CONTAINER(it, struct session, link)->http2, HTTP2_NO_ERROR);
}

void
inbound_cut_revoked(struct inbound *in)
{
	LIST_EACH (&in->sessions, it) {
		struct session *s = CONTAINER(it, struct session, link);
		const struct tls_peer *peer = session_peer(s);
		char text[ADDR_TEXT_MAX];

		if (peer == NULL ||
		    !credentials_revoke(in->worker->credentials, peer))
			continue;
		log_warn("tunnel cut", "peer=%s reason=\"%s was revoked\"",
		    addr_format(&s->peer, text), peer->uri);
		http2_close(s->http2, HTTP2_NO_ERROR);
	}
}

bool
inbound_is_empty(const struct inbound *in)
{
	return list_empty(&in->sessions) && in->net == NULL;
}
