/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — tunnels that come in (HBONE), on one worker.
 *
 * What is checked, in ztunnel's order: method, authority, whether the address
 * is exposed here; then the service is connected; only then comes the 200.
 */
#define LOG_MODULE "proxy"

#include "inbound/inbound.h"

#include "pipe/piped.h"
#include "snapshot.h"
#include "tunnel/hello.h"

#include <stdio.h>
#include <unistd.h>

enum { SESSION_MAGIC = 0x696e7365, PENDING_MAGIC = 0x70656e64 };

struct inbound {
	struct worker *worker;
	struct net_listener *net; /* NULL once closed */
	bool stopping;
	struct tls_config *tls;
	struct list sessions;
	size_t count;
};

struct session {
	uint32_t magic;
	struct inbound *inbound;
	struct list link;
	struct http2 *http2;
	struct addr peer; /* the socket is gone when its end is told */
	struct addr local;
};

/* A CONNECT whose service is being connected. */
struct pending {
	uint32_t magic;
	struct session *session;
	struct http2_stream *h2; /* NULL once closed */
	struct stream *up;       /* NULL once closed */
	struct flow_record record;
	struct arena arena;
	char what[PROXY_CONN_TEXT_MAX];
};

/* --- a CONNECT --- */

static const struct tls_peer *
peer_of(struct session *s)
{
	struct stream *transport = http2_transport(s->http2);

	return transport == NULL ? NULL : tls_stream_peer(transport);
}

static void
begin_record(
    struct session *s, const struct http_head *h, struct flow_record *f)
{
	struct stream *transport = http2_transport(s->http2);
	const struct tls_peer *peer = peer_of(s);

	*f = (struct flow_record){.kind = FLOW_TCP_REFUSED,
	    .reporter = FLOW_DESTINATION,
	    .protocol = S("tcp"),
	    .mutual_tls = true};
	f->start_wall_ms = clock_wall_ms(loop_clock(s->inbound->worker->loop));
	if (transport == NULL)
		return;
	f->downstream_remote = stream_peer(transport);
	f->downstream_local = stream_local(transport);
	f->sni = tls_stream_sni(transport);
	f->authority = h->authority;
	f->forwarded_for = hello_client(h);
	if (peer == NULL)
		return;
	f->source.identity = slice_str(peer->uri);
	f->source.ns = peer->identity.ns;
	f->source.workload = peer->identity.account;
	flow_party_label(&f->source, &(struct labels){0});
	hello_hear(h, &f->source);
	flow_party_seal(&f->source);
}

static void
refuse(struct session *s, struct http2_stream *h2, unsigned status,
    struct flow_record *f, enum flow_flag flag, struct slice why)
{
	f->flag = flag;
	f->status = (uint16_t)status;
	f->detail = why;
	worker_report(s->inbound->worker, f);
	if (http_tunnel_refuse(h2, status, why) != OK)
		http2_stream_reset(h2, HTTP2_INTERNAL_ERROR);
}

static void
pending_free(struct pending *p)
{
	if (p->h2 != NULL || p->up != NULL)
		return;
	arena_fini(&p->arena);
	p->magic = 0;
	mem_free(&p);
}

static void
on_stray_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the stream has its owner");
}

static void
on_stray_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* a layer that never got an owner */
	(void)arg;
	(void)why;
}

/* Until the next layer takes the stream, in the same call. */
static const struct stream_events nobody = {
    .on_data = on_stray_data, .on_close = on_stray_close};

static void
on_up_open(struct stream *up, void *arg)
{
	struct pending *p;
	struct piped_spec spec = {.kind = PROXY_CONN_INBOUND, .up = up};
	struct http_head h;

	OBJ(p, arg, PENDING_MAGIC);
	spec.worker = p->session->inbound->worker;
	http_head_init(&h, &p->arena);
	hello_say(&h, &p->record.destination);
	spec.down = http_tunnel_accept(p->h2, &h, &nobody, NULL);
	if (spec.down == NULL) {
		stream_close(up, ERR_CANCELLED);
		return; /* both ends are under way */
	}
	p->up = NULL;
	p->h2 = NULL;
	p->record.upstream_local = stream_local(up);
	p->record.kind = FLOW_TCP_OPENED;
	spec.record = &p->record;
	spec.what = slice_str(p->what);
	piped_new(&spec);
	pending_free(p);
}

static void
on_up_close(struct stream *up, void *arg, enum err why)
{
	struct pending *p;
	char words[PROXY_CONN_TEXT_MAX];

	(void)up; /* gone with this call */
	OBJ(p, arg, PENDING_MAGIC);
	p->up = NULL;
	if (p->h2 != NULL) {
		(void)snprintf(
		    words, sizeof(words), "%.200s: %s", p->what, err_text(why));
		refuse(p->session, p->h2, 503, &p->record, FLOW_CONNECT_FAILED,
		    slice_str(words));
		return; /* on_h2_close follows */
	}
	pending_free(p);
}

static const struct stream_events up_events = {
    .on_open = on_up_open,
    .on_data = on_stray_data,
    .on_close = on_up_close,
};

static void
on_h2_close(void *arg, struct http2_stream *h2, enum err why, uint32_t code)
{
	struct pending *p;

	(void)h2; /* gone with this call */
	(void)why;
	(void)code;
	OBJ(p, arg, PENDING_MAGIC);
	p->h2 = NULL;
	if (p->up != NULL)
		stream_close(p->up, ERR_CANCELLED);
	else
		pending_free(p);
}

/* Bytes that come before the 200 wait in the stream's window. */
static const struct http2_stream_events h2_events = {
    .on_close = on_h2_close,
};

/* A refused request needs an owner as well, until its stream is gone. */
static void
on_refused_close(
    void *arg, struct http2_stream *h2, enum err why, uint32_t code)
{
	(void)arg;
	(void)h2;
	(void)why;
	(void)code;
}

static const struct http2_stream_events refused_events = {
    .on_close = on_refused_close};

static void
connect_service(struct session *s, struct http2_stream *h2,
    const struct view_exposed *e, const struct flow_record *record)
{
	struct pending *p = mem_new(sizeof(*p));
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	p->magic = PENDING_MAGIC;
	p->session = s;
	p->h2 = h2;
	arena_init(&p->arena, 16 << 10);
	flow_record_copy(record, &p->arena, &p->record);
	(void)snprintf(p->what, sizeof(p->what), "%.*s:%u", SLICE_ARG(e->host),
	    (unsigned)e->port);
	http2_stream_own(h2, &h2_events, p);
	http2_stream_forget_head(h2);
	spec.addr = e->target;
	spec.timeout_us = INBOUND_CONNECT_MS * UINT64_C(1000);
	p->up = net_connect(s->inbound->worker->loop, &spec, &up_events, p);
}

static void
name_destination(struct flow_record *f, const struct view_exposed *e)
{
	f->destination = e->party;
	f->cluster = e->cluster;
	f->upstream = e->target;
}

/* Where the tunnel came in, or an address that peers are told (behind NAT). */
static bool
is_here(const struct session *s, const struct addr *target,
    const struct flow_record *f)
{
	const struct worker *w = s->inbound->worker;

	return addr_ip_eq(target, &f->downstream_local) ||
	       (w->now != NULL && view_is_announced(w->now->view, target));
}

/* What the authority of a CONNECT means. */
struct target {
	struct addr addr;  /* family 0: it is a host */
	struct slice host; /* any form of a service's name */
	uint16_t port;
};

/* "10.0.0.7:80", "[fd00::7]:80" or "web.default.svc.mesh.internal:80". */
static bool
target_parse(struct slice authority, struct target *out)
{
	size_t colon = slice_rfind(authority, ':');
	uint64_t port;

	*out = (struct target){.host = slice_sub(authority, 0, colon)};
	if (addr_parse(authority, &out->addr) == OK)
		return true;
	if (colon == authority.len ||
	    slice_to_u64(
		slice_sub(authority, colon + 1, authority.len), &port) != OK ||
	    port < 1 || port > UINT16_MAX)
		return false;
	out->addr = (struct addr){.family = ADDR_NONE};
	out->port = (uint16_t)port;
	return name_check_subdomain(out->host, NULL) == OK;
}

/* An address has to be one of this machine; a host is one or is not. */
static const struct view_exposed *
find_exposed(
    struct session *s, const struct target *t, const struct flow_record *f)
{
	const struct snapshot *now = s->inbound->worker->now;

	if (now == NULL)
		return NULL;
	if (t->addr.family == ADDR_NONE)
		return view_find_exposed_host(now->view, t->host, t->port);
	return is_here(s, &t->addr, f) ? view_find_exposed(now->view, &t->addr)
				       : NULL;
}

static void
not_exposed(struct session *s, struct http2_stream *h2, const struct target *t,
    struct flow_record *f)
{
	char words[NAME_HOST_MAX + 64];
	bool ours = t->addr.family == ADDR_NONE || is_here(s, &t->addr, f);

	(void)snprintf(words, sizeof(words),
	    ours ? "%.*s is not exposed here" : "%.*s is not this machine",
	    SLICE_ARG(f->authority));
	refuse(s, h2, ours ? 503 : 400, f, FLOW_NOT_EXPOSED, slice_str(words));
}

static void
on_connect(struct session *s, struct http2_stream *h2, struct http_head *h)
{
	struct worker *w = s->inbound->worker;
	const struct tls_peer *peer = peer_of(s);
	const struct view_exposed *e;
	struct flow_record f;
	struct target target;

	begin_record(s, h, &f);
	http2_stream_own(h2, &refused_events, s);
	/* Its handshake may have begun before the revocation came. */
	if (peer != NULL && credentials_revoke(w->credentials, peer)) {
		refuse(s, h2, 403, &f, FLOW_NOT_EXPOSED,
		    S("the certificate was revoked"));
		return;
	}
	if (!http_head_is_method(h, S("CONNECT"))) {
		refuse(s, h2, 400, &f, FLOW_DOWNSTREAM_PROTOCOL,
		    S("only CONNECT is served here"));
		return;
	}
	if (!target_parse(h->authority, &target)) {
		refuse(s, h2, 400, &f, FLOW_DOWNSTREAM_PROTOCOL,
		    S("the authority is not an address or a host with a "
		      "port"));
		return;
	}
	e = find_exposed(s, &target, &f);
	if (e == NULL) {
		not_exposed(s, h2, &target, &f);
		return;
	}
	name_destination(&f, e);
	connect_service(s, h2, e, &f);
}

/* --- a session --- */

static void
on_request(void *arg, struct http2_stream *h2, struct http_head *h, bool end)
{
	struct session *s;

	(void)end; /* a tunnel's end comes with its stream */
	OBJ(s, arg, SESSION_MAGIC);
	on_connect(s, h2, h);
}

/* A handshake that failed is worth a line: it is how a refusal looks here. So
 * is a tunnel that broke. */
static void
log_end(struct session *s, enum err why)
{
	struct stream *transport = http2_transport(s->http2);
	const struct fault *f =
	    transport != NULL ? tls_stream_fault(transport) : NULL;
	char text[ADDR_TEXT_MAX];
	bool stood;

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

	(void)c; /* gone with this call */
	OBJ(s, arg, SESSION_MAGIC);
	log_end(s, why);
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

static const struct http2_events session_events = {
    .on_ready = on_ready,
    .on_request = on_request,
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

static void
serve(struct worker *w, int fd)
{
	struct inbound *in = w->inbound;
	struct stream *socket = net_stream_new(w->loop, fd, &nobody, NULL);
	struct session *s = mem_new(sizeof(*s));
	struct tls_server_spec spec = {.config = in->tls,
	    .pick = pick_identity,
	    .pick_arg = s,
	    .trust = credentials_trust(w->credentials),
	    .trust_domain = w->proxy->trust_domain};
	struct stream *transport;

	s->magic = SESSION_MAGIC;
	s->inbound = in;
	s->peer = stream_peer(socket);
	s->local = stream_local(socket);
	if (w->draining || w->credentials == NULL ||
	    in->count >= INBOUND_SESSIONS_MAX ||
	    tls_stream_server(socket, &spec, &nobody, NULL, &transport, NULL) !=
		OK) {
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
		const struct tls_peer *peer = peer_of(s);
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
