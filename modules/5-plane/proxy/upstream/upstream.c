/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream — what both ways to an endpoint have in common; see upstream.h.
 */
#include "upstream/inside.h"

#include "proxy_header.h"
#include "tunnel/tunnels.h"

static void
on_stray_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the stream has its new owner");
}

static void
on_stray_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* closed in the turn in which it changed hands */
	(void)arg;
	(void)why;
}

const struct stream_events upstream_nobody = {
    .on_data = on_stray_data, .on_close = on_stray_close};

void
upstream_tell(struct tunnels_ask *way, const struct view_cluster *c,
    const struct addr *client, const struct addr *called)
{
	way->header = c->policy->proxy_protocol;
	if (way->header == 0)
		return;
	way->client = client;
	way->called = called;
}

static struct stream *
dial(struct worker *w, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	if (ask->to->tunnel.family != ADDR_NONE)
		return tunnels_open(w->tunnels, ask, events, arg, why);
	spec.addr = ask->to->addr;
	spec.others = ask->to->others;
	spec.other_count = ask->to->other_count;
	spec.timeout_us = UPSTREAM_CONNECT_MS * UINT64_C(1000);
	if (ask->source != NULL)
		worker_bear_source(w, ask->source, &spec);
	return net_connect(w->loop, &spec, events, arg);
}

/* A stream that is opening keeps it until then. A failure is told by its own
 * end. */
static void
send_header(struct stream *s, const struct tunnels_ask *ask)
{
	char mem[PROXY_HEADER_SENT_MAX];

	(void)!stream_write(
	    s, proxy_header_write(ask->header, ask->client, ask->called, mem));
}

struct stream *
upstream_dial(struct worker *w, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why)
{
	struct stream *s = dial(w, ask, events, arg, why);

	if (s != NULL && ask->header != 0)
		send_header(s, ask);
	return s;
}

static uint64_t
mix(uint64_t hash, uint64_t more)
{
	return hash * UINT64_C(0x9e3779b97f4a7c15) + more;
}

static uint64_t
mix_ip(uint64_t hash, const struct addr *a)
{
	return mix(hash, slice_hash(slice_of(a->bytes, sizeof(a->bytes))));
}

static uint64_t
mix_addr(uint64_t hash, const struct addr *a)
{
	return mix_ip(hash, a) + a->port;
}

uint64_t
upstream_way(const struct worker *w, const struct tunnels_ask *ask)
{
	const struct view_endpoint *e = ask->to;
	uint64_t way = slice_hash(ask->from->identity) + ask->is_copy;

	if (ask->source != NULL && w->captured.keeps_source)
		way = mix_ip(mix(way, /* any number */ 1), ask->source);

	if (ask->header != 0)
		way = mix_addr(
		    mix_addr(mix(way, ask->header), ask->client), ask->called);
	if (e->tunnel.family == ADDR_NONE)
		return way;
	return mix_addr(mix(way, slice_hash(e->identity)), &e->tunnel);
}

struct upstream_conn *
upstream_acquire(const struct upstream_ask *ask, struct fault *why)
{
	struct upstream_conn *u =
	    ask->http2 ? sessions_acquire(ask, why) : conns_acquire(ask, why);

	if (u == NULL)
		return NULL;
	u->events = ask->events;
	u->arg = ask->arg;
	return u;
}

enum err
upstream_send_head(struct upstream_conn *u, const struct http_head *h, bool end)
{
	return u->ops->send_head(u, h, end);
}

enum err
upstream_send_body(struct upstream_conn *u, struct slice bytes)
{
	return u->ops->send_body(u, bytes);
}

enum err
upstream_send_end(struct upstream_conn *u, const struct http_head *trailers)
{
	return u->ops->send_end(u, trailers);
}

enum err
upstream_flush(struct upstream_conn *u)
{
	return u->ops->flush(u);
}

void
upstream_pause(struct upstream_conn *u, enum stream_pause why)
{
	u->ops->pause(u, why);
}

void
upstream_resume(struct upstream_conn *u, enum stream_pause why)
{
	u->ops->resume(u, why);
}

bool
upstream_is_reused(const struct upstream_conn *u)
{
	return u->reused;
}

bool
upstream_is_open(const struct upstream_conn *u)
{
	return u->open;
}

bool
upstream_has_answer(const struct upstream_conn *u)
{
	return u->answered;
}

bool
upstream_is_untouched(const struct upstream_conn *u)
{
	return u->untouched;
}

bool
upstream_is_left(const struct upstream_conn *u)
{
	return u->left;
}

bool
upstream_is_overlong(const struct upstream_conn *u)
{
	return u->overlong;
}

struct addr
upstream_local(const struct upstream_conn *u)
{
	return u->local;
}

struct addr
upstream_peer(const struct upstream_conn *u)
{
	return u->ops->peer(u);
}

void
upstream_release(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;

	*up = NULL;
	u->ops->release(u);
}

void
upstream_cancel(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;

	*up = NULL;
	if (u == NULL)
		return;
	/* What one handler collected is of this request. */
	buf_reset(&u->worker->to_service);
	u->ops->cancel(u);
}

struct stream *
upstream_take_stream(struct upstream_conn **up)
{
	struct upstream_conn *u = *up;

	*up = NULL;
	return u->ops->take(u);
}

void
upstream_close_idle(struct host *host, const struct http2 *session)
{
	conns_close_idle(host, session);
	sessions_drain(host, session);
}
