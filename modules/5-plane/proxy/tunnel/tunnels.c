/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tunnels — HBONE sessions to other machines, shared by what goes there.
 *
 * A session's object outlives its http2 only until on_close, where it leaves
 * the pool; its group goes with the last of them.
 */
#define LOG_MODULE "proxy"

#include "tunnel/tunnels.h"

#include "snapshot.h"
#include "tunnel/hello.h"

#include <stdio.h>

enum { SESSION_MAGIC = 0x7365736e, KEY_MAX = 2 * NAME_SPIFFE_MAX + 80 };

struct tunnels {
	struct worker *worker;
	struct map groups; /* key → struct group */
	struct tls_config *tls;
	uint64_t records_max;
	struct timer look; /* while there are sessions */
};

/* All sessions of one key. */
struct group {
	struct tunnels *tunnels;
	struct list sessions;
	struct slice key; /* behind the struct */
};

struct session {
	uint32_t magic;
	struct list link;
	struct group *group;
	struct http2 *http2;
	char source[PROXY_CONN_TEXT_MAX];
	char destination[PROXY_CONN_TEXT_MAX];
	bool going; /* GOAWAY: no new streams */
};

static void
copy_text(struct slice s, char *out, size_t cap)
{
	size_t n = MIN(s.len, cap - 1);

	if (n > 0)
		memcpy(out, s.ptr, n);
	out[n] = 0;
}

/* --- a session's events --- */

static void
on_ready(void *arg, struct http2 *c)
{
	struct session *s;

	OBJ(s, arg, SESSION_MAGIC);
	worker_tell_tunnel(s->group->tunnels->worker, TUNNEL_OUT, c);
}

static void
on_goaway(void *arg, struct http2 *c, uint32_t code)
{
	struct session *s;

	(void)code; /* going is going */
	OBJ(s, arg, SESSION_MAGIC);
	s->going = true;
	/* What idles in it would hold the other side up until it cuts. */
	hosts_close_idle(s->group->tunnels->worker->hosts, c);
}

static void
group_drop_if_empty(struct group *g)
{
	if (!list_empty(&g->sessions))
		return;
	(void)map_remove(&g->tunnels->groups, g->key); /* it is g */
	mem_free(&g);
}

static void
on_session_close(void *arg, struct http2 *c, enum err why)
{
	struct session *s;

	OBJ(s, arg, SESSION_MAGIC);
	(void)why; /* each stream of it was told */
	worker_refused_http2(s->group->tunnels->worker, REFUSED_NODE, c);
	list_remove(&s->link);
	group_drop_if_empty(s->group);
	s->magic = 0;
	mem_free(&s);
}

static const struct http2_events session_events = {
    .on_ready = on_ready,
    .on_goaway = on_goaway,
    .on_close = on_session_close,
};

/* --- one that carried enough --- */

static bool
is_worn(const struct session *s)
{
	const struct stream *transport = http2_transport(s->http2);

	return transport != NULL &&
	       tls_stream_records(transport) >= s->group->tunnels->records_max;
}

/* Again and again: who was busy the last time may idle in it now. */
static void
retire_if_worn(struct session *s)
{
	if (!is_worn(s))
		return;
	hosts_close_idle(s->group->tunnels->worker->hosts, s->http2);
	if (s->going)
		return;
	log_debug("tunnel rolls over", "peer=%s streams=%u", s->destination,
	    (unsigned)http2_streams(s->http2));
	s->going = true;
	http2_shutdown(s->http2);
}

/* --- making one --- */

static void
on_transport_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the session took its transport");
}

static void
on_transport_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* a layer that never got an owner */
	(void)arg;
	(void)why;
}

/* Until the next layer takes the stream, in the same call. */
static const struct stream_events nobody = {
    .on_data = on_transport_data,
    .on_close = on_transport_close,
};

static struct slice
sni_for(struct slice identity, struct arena *a)
{
	struct identity id;

	if (name_identity_parse(identity, &id, NULL) != OK)
		return SLICE_NONE;
	return proxy_sni_of(a, &id);
}

static enum err
dial_tls(const struct group *g, struct tls_identity *own,
    const struct view_endpoint *e, struct stream **out, struct fault *why)
{
	struct tunnels *t = g->tunnels;
	struct worker *w = t->worker;
	struct net_connect_spec connect = NET_CONNECT_SPEC;
	AUTO(arena_fini) struct arena arena;
	struct tls_client_spec spec = {
	    .config = t->tls,
	    .identity = own,
	    .trust = credentials_trust(w->credentials),
	    .trust_domain = w->proxy->trust_domain,
	    .server = g->key,
	};
	struct stream *socket;
	enum err err;

	arena_init(&arena, 4096);
	if (e->identity.len > 0) {
		spec.expected = &e->identity;
		spec.expected_count = 1;
		spec.sni = sni_for(e->identity, &arena);
	}
	connect.addr = e->tunnel;
	connect.others = e->others;
	connect.other_count = e->other_count;
	connect.timeout_us = TUNNELS_CONNECT_MS * UINT64_C(1000);
	socket = net_connect(w->loop, &connect, &nobody, NULL);
	err = tls_stream_client(socket, &spec, &nobody, NULL, out, why);
	if (err != OK)
		stream_close(socket, err);
	return err;
}

static struct session *
session_new(struct tunnels *t, struct group *g, struct tls_identity *own,
    const struct view_endpoint *e, struct fault *why)
{
	struct session *s;
	struct stream *transport;
	struct http2_limits limits = http2_limits_client;

	limits.idle_us = TUNNELS_IDLE_US;
	if (dial_tls(g, own, e, &transport, why) != OK)
		return NULL;
	s = mem_new(sizeof(*s));
	s->magic = SESSION_MAGIC;
	s->group = g;
	copy_text(slice_str(tls_identity_info(own)->uri), s->source,
	    sizeof(s->source));
	copy_text(e->identity, s->destination, sizeof(s->destination));
	s->http2 = http2_open(&(struct http2_spec){
	    .loop = t->worker->loop,
	    .transport = transport,
	    .limits = &limits,
	    .budget = &t->worker->proxy->budget,
	    .events = &session_events,
	    .arg = s,
	});
	list_push_front(&g->sessions, &s->link);
	if (!timer_is_set(&t->look))
		timer_set(&t->look, TUNNELS_LOOK_US);
	return s;
}

/* --- the pool --- */

static void
on_look(void *arg)
{
	struct tunnels *t = arg;

	tunnels_roll_over(t);
	if (!tunnels_are_empty(t))
		timer_set(&t->look, TUNNELS_LOOK_US);
}

struct tunnels *
tunnels_new(struct worker *w)
{
	struct tunnels *t = mem_new(sizeof(*t));
	enum err e;

	t->worker = w;
	t->records_max = TUNNELS_RECORDS_MAX;
	timer_init(&t->look, w->loop, on_look, t);
	map_init(&t->groups);
	e = tls_config_new(&(struct tls_config_spec){.role = TLS_CLIENT,
			       .alpn = {"h2"},
			       .clock = loop_clock(w->loop),
			       .check = credentials_check,
			       .check_arg = w,
			       .resume = true},
	    &t->tls);
	CHECK(e == OK);
	return t;
}

void
tunnels_free(struct tunnels **tp)
{
	if (*tp == NULL)
		return;
	timer_clear(&(*tp)->look);
	tls_config_unref(&(*tp)->tls);
	CHECK(tunnels_are_empty(*tp));
	map_fini(&(*tp)->groups, NULL);
	mem_free(tp);
}

static struct group *
group_new(struct tunnels *t, struct slice key)
{
	struct group *g = mem_new(sizeof(*g) + key.len);

	g->tunnels = t;
	list_init(&g->sessions);
	memcpy(g + 1, key.ptr, key.len);
	g->key = slice_of(g + 1, key.len);
	(void)map_put(&t->groups, key, g); /* was absent */
	return g;
}

static struct group *
group_of(struct tunnels *t, struct slice source, const struct view_endpoint *e)
{
	char key[KEY_MAX + ADDR_TEXT_MAX];
	char addr[ADDR_TEXT_MAX];
	struct group *g;
	size_t len;

	len = (size_t)snprintf(key, sizeof(key), "%.*s|%.*s|%s",
	    SLICE_ARG(source), SLICE_ARG(e->identity),
	    addr_format(&e->tunnel, addr));
	CHECK(len < sizeof(key));
	g = map_get(&t->groups, slice_of(key, len));
	return g != NULL ? g : group_new(t, slice_of(key, len));
}

static bool
has_room(const struct session *s)
{
	return !s->going && http2_is_usable(s->http2) &&
	       http2_room(s->http2) > 0 &&
	       http2_streams(s->http2) < TUNNELS_STREAMS_MAX;
}

static struct session *
session_for(struct tunnels *t, struct group *g, struct tls_identity *own,
    const struct view_endpoint *e, struct fault *why)
{
	LIST_EACH (&g->sessions, it) {
		struct session *s = CONTAINER(it, struct session, link);

		if (!is_worn(s) && has_room(s))
			return s;
	}
	return session_new(t, g, own, e, why);
}

static struct stream *
open_stream(struct session *s, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg)
{
	AUTO(arena_fini) struct arena arena;
	char authority[ADDR_TEXT_MAX];
	struct http_head h;

	arena_init(&arena, HELLO_BYTES);
	http_head_init(&h, &arena);
	hello_say(&h, &ask->from->party);
	hello_forward(&h, ask->client, view_endpoint_party(ask->to)->service);
	addr_format(&ask->to->addr, authority);
	return http_tunnel_open(
	    s->http2, slice_str(authority), &h, events, arg);
}

struct stream *
tunnels_open(struct tunnels *t, const struct tunnels_ask *ask,
    const struct stream_events *events, void *arg, struct fault *why)
{
	struct slice source = ask->from->identity;
	struct tls_identity *own =
	    credentials_find(t->worker->credentials, source);
	struct group *g;
	struct session *s;
	struct stream *stream;

	if (own == NULL) {
		(void)fault_set(why, ERR_AUTH,
		    "this machine has no certificate for %.*s",
		    SLICE_ARG(source));
		return NULL;
	}
	g = group_of(t, source, ask->to);
	s = session_for(t, g, own, ask->to, why);
	if (s == NULL) {
		group_drop_if_empty(g);
		return NULL;
	}
	stream = open_stream(s, ask, events, arg);
	if (stream == NULL)
		(void)fault_set(why, ERR_BUSY, "the tunnel takes no stream");
	else
		http_tunnel_set_patience(stream, HTTP2_URGENT);
	return stream;
}

void
tunnels_set_patience(struct stream *s, enum http2_patience patience)
{
	if (http_tunnel_is(s))
		http_tunnel_set_patience(s, patience);
}

struct slice
tunnels_why(const struct stream *s)
{
	return http_tunnel_is(s) ? http_tunnel_reason(s) : SLICE_NONE;
}

bool
tunnels_is_untouched(const struct stream *s)
{
	return http_tunnel_is(s) && http_tunnel_is_untouched(s);
}

static void
each_session(struct tunnels *t, void (*fn)(struct session *s))
{
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&t->groups, &i, &key, &value);) {
		struct group *g = value;

		LIST_EACH (&g->sessions, it)
			fn(CONTAINER(it, struct session, link));
	}
}

void
tunnels_roll_over(struct tunnels *t)
{
	each_session(t, retire_if_worn);
}

void
tunnels_set_records_max(struct tunnels *t, uint64_t records)
{
	t->records_max = records;
}

static void
drain_one(struct session *s)
{
	s->going = true;
	http2_shutdown(s->http2);
}

void
tunnels_drain(struct tunnels *t)
{
	each_session(t, drain_one);
}

bool
tunnels_are_empty(const struct tunnels *t)
{
	return t->groups.count == 0;
}

static void
cut_one(struct session *s)
{
	s->going = true;
	http2_close(s->http2, HTTP2_NO_ERROR);
}

static void
cut_if_revoked(struct session *s)
{
	const struct worker *w = s->group->tunnels->worker;
	struct stream *transport = http2_transport(s->http2);
	const struct tls_peer *peer =
	    transport == NULL ? NULL : tls_stream_peer(transport);

	if (peer == NULL || !credentials_revoke(w->credentials, peer))
		return;
	log_warn("tunnel cut", "reason=\"%s was revoked\"", peer->uri);
	cut_one(s);
}

void
tunnels_cut(struct tunnels *t)
{
	each_session(t, cut_one);
}

void
tunnels_cut_revoked(struct tunnels *t)
{
	each_session(t, cut_if_revoked);
}
