/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect — one CONNECT of a tunnel that came in.
 *
 * What is checked, in ztunnel's order: method, authority, whether the address
 * is exposed here; then the service is connected; only then comes the 200.
 */
#include "inbound/inside.h"

#include "pipe/piped.h"
#include "snapshot.h"
#include "tunnel/hello.h"

#include <stdio.h>

enum { PENDING_MAGIC = 0x70656e64 };

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

const struct tls_peer *
session_peer(const struct session *s)
{
	struct stream *transport = http2_transport(s->http2);

	return transport == NULL ? NULL : tls_stream_peer(transport);
}

void
session_record(
    const struct session *s, const struct http_head *h, struct flow_record *f)
{
	struct stream *transport = http2_transport(s->http2);
	const struct tls_peer *peer = session_peer(s);

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

void
session_tell_refusal(struct session *s, unsigned status, struct flow_record *f,
    enum flow_flag flag, struct slice why)
{
	f->flag = flag;
	f->own = true;
	f->status = (uint16_t)status;
	f->detail = why;
	worker_report(s->inbound->worker, f);
}

static void
refuse(struct session *s, struct http2_stream *h2, unsigned status,
    struct flow_record *f, enum flow_flag flag, struct slice why)
{
	session_tell_refusal(s, status, f, flag, why);
	if (http_tunnel_refuse(
		h2, status, slice_str(flow_flag_token(flag)), why) != OK)
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

const struct stream_events inbound_nobody = {
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
	spec.down = http_tunnel_accept(p->h2, &h, &inbound_nobody, NULL);
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
	/* As ztunnel: where the tunnel comes from. What the peer says of its
	 * own client is for reports. */
	worker_bear_source(
	    s->inbound->worker, &record->downstream_remote, &spec);
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

void
session_on_connect(
    struct session *s, struct http2_stream *h2, struct http_head *h)
{
	struct worker *w = s->inbound->worker;
	const struct tls_peer *peer = session_peer(s);
	const struct view_exposed *e;
	struct flow_record f;
	struct target target;

	session_record(s, h, &f);
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
