/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where a view says that clients come in, on one worker.
 */
#define LOG_MODULE "proxy"

#include "outbound/inside.h"

#include "http/conn.h"
#include "inbound/mutual.h"
#include "outbound/peek.h"
#include "snapshot.h"
#include "tcp/tcp.h"

#include <stdio.h>

enum { AWAIT_AGAIN_US = 30 * 1000000 };

struct listener *
listener_ref(struct listener *l)
{
	l->refs++;
	return l;
}

void
listener_unref(struct listener **lp)
{
	struct listener *l = *lp;

	*lp = NULL;
	if (l == NULL || --l->refs > 0)
		return;
	mem_free(&l->host);
	l->magic = 0;
	mem_free(&l);
}

struct listener *
listener_join(struct listener *l)
{
	l->conns++;
	return listener_ref(l);
}

void
listener_leave(struct listener **lp)
{
	if (*lp != NULL)
		(*lp)->conns--;
	listener_unref(lp);
}

const char *
listener_name(const struct listener *l)
{
	return l->name;
}

bool
listener_is_gateway(const struct listener *l)
{
	return l->kind == GATEWAY;
}

bool
listener_is_proxy(const struct listener *l)
{
	return l->kind == PROXY;
}

const char *
listener_identity(const struct listener *l)
{
	return l->identity;
}

void
listener_refused(struct listener *l, struct slice reason)
{
	uint64_t hash = slice_hash(reason);

	if (hash == l->told)
		return;
	l->told = hash;
	log_warn("connections are refused", "listener=%s reason=\"%.*s\"",
	    l->name, SLICE_ARG(reason));
}

bool
listener_may_await(const struct listener *l)
{
	return !l->worker->draining &&
	       loop_now_us(l->worker->loop) >= l->await_from_us;
}

void
listener_missed(struct listener *l)
{
	l->await_from_us = loop_now_us(l->worker->loop) + AWAIT_AGAIN_US;
}

/* --- what comes in --- */

static void
on_early_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the connection has its owner");
}

static void
on_early_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* refused below: nobody is interested */
	(void)arg;
	(void)why;
}

static const struct stream_events early = {
    .on_data = on_early_data, .on_close = on_early_close};

/* --- who reads a connection --- */

static bool
is_http(const struct listener_way *way, const struct view_connection *seen)
{
	if (way->chain == NULL && way->host == NULL)
		return false;
	if (way->host != NULL && way->host->protocol == VIEW_AUTO)
		return !seen->tls && seen->alpn_count > 0;
	return !way->sniffs && !way->peeks && !listener_way_is_bytes(way);
}

void
listener_hand_over(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first)
{
	struct worker *w = l->worker;
	struct listener_way way;

	listener_way(l, w->now->view, seen, &way);
	stream_set_events(s, &early, NULL); /* who had it may be gone */
	if (l->kind == CAPTURED_IN && way.chain != NULL &&
	    listener_ends_mutual(way.chain)) {
		mutual_accept(w, l, s, first);
		return;
	}
	if (!is_http(&way, seen)) {
		stream_pause(s, STREAM_PAUSE_NOT_READY);
		tcp_accept(w, l, s, seen, first);
		return;
	}
	conn_accept(w, l, s, first);
	stream_resume(s, STREAM_PAUSE_NOT_READY); /* if it waited */
}

/* What its client is to say first: enum peek_for. */
static unsigned
peeked_for(const struct listener *l, const struct view_connection *seen)
{
	const struct view *v = l->worker->now->view;
	const struct view_listener *row;
	struct listener_way way;

	if (listener_is_captured(l)) {
		row = listener_captured_row(l, v, &seen->destination);
		return row != NULL && row->sniffs_tls
			   ? PEEK_HELLO | PEEK_SILENCE
			   : 0;
	}
	if (l->kind != GATEWAY) {
		listener_way(l, v, seen, &way);
		return way.peeks ? PEEK_HELLO : 0;
	}
	row = listener_gateway_row(l, v);
	if (row == NULL)
		return 0;
	return (row->reads_proxy_header ? PEEK_HEADER : 0u) |
	       (row->sniffs_tls ? PEEK_HELLO : 0u);
}

void
listener_accept(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first)
{
	unsigned what = peeked_for(l, seen);

	if (what != 0)
		peek_accept(l->worker, l, s, what, first);
	else
		listener_hand_over(l, s, seen, first);
}

/* There are too many. */
static void
refuse(struct listener *l, struct stream *s)
{
	worker_refused(l->worker, REFUSED_CLIENT, "connections");
	listener_refused(l, S("it has as many connections as it may have"));
	stream_close(s, ERR_RESET);
}

static void
on_accept(struct net_listener *net, void *arg, int fd, const struct addr *peer)
{
	struct view_connection seen = {0};
	struct listener *l;
	struct stream *s;

	(void)net;  /* l->net */
	(void)peer; /* the stream knows */
	OBJ(l, arg, LISTENER_MAGIC);
	s = net_stream_new(l->worker->loop, fd, &early, NULL);
	if (l->conns >= l->worker->proxy->limits.conns) {
		refuse(l, s);
		return;
	}
	if (listener_is_captured(l) && !captured_find_called(l, s))
		return;
	seen.destination = stream_local(s);
	seen.source = stream_peer(s);
	listener_accept(l, s, &seen, SLICE_NONE);
}

/* --- opening and closing --- */

static void
tell(struct listener *l, enum proxy_listening state, const struct fault *why)
{
	struct addr addr =
	    state == PROXY_LISTENS ? net_listener_addr(l->net) : l->addr;

	worker_tell_listener(l->worker, slice_str(l->name), &addr, state, why);
}

static void
on_open(struct net_listener *net, void *arg)
{
	struct listener *l;

	(void)net; /* l->net */
	OBJ(l, arg, LISTENER_MAGIC);
	tell(l, PROXY_LISTENS, NULL);
}

static void
on_wait(struct net_listener *net, void *arg, const struct fault *words)
{
	struct listener *l;

	(void)net; /* l->net */
	OBJ(l, arg, LISTENER_MAGIC);
	tell(l, PROXY_WAITS, words);
}

static void
on_short(struct net_listener *net, void *arg, enum err why)
{
	struct listener *l;

	(void)net; /* l->net */
	OBJ(l, arg, LISTENER_MAGIC);
	worker_tell_shortage(l->name, why);
}

static void
on_close(struct net_listener *net, void *arg, enum err why,
    const struct fault *words)
{
	struct listener *l;

	(void)net; /* gone with this call */
	(void)why; /* our own wish, else the kernel's */
	(void)words;
	OBJ(l, arg, LISTENER_MAGIC);
	l->net = NULL;
	tell(l, PROXY_CLOSED, NULL);
	list_remove(&l->link);
	listener_unref(&l);
}

static const struct net_listener_events net_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_short = on_short,
    .on_wait = on_wait,
    .on_close = on_close,
};

/* The first reference is the caller's. */
struct listener *
listener_new(struct worker *w, const struct listener_spec *u)
{
	struct listener *l = mem_new(sizeof(*l));

	l->magic = LISTENER_MAGIC;
	l->refs = 1;
	l->worker = w;
	l->kind = u->kind;
	l->addr = u->addr;
	(void)snprintf(l->name, sizeof(l->name), "%.*s", SLICE_ARG(u->name));
	(void)snprintf(
	    l->identity, sizeof(l->identity), "%.*s", SLICE_ARG(u->identity));
	(void)snprintf(
	    l->cluster, sizeof(l->cluster), "%.*s", SLICE_ARG(u->cluster));
	l->is_own = u->is_own;
	if (l->is_own)
		listener_make_caller(l);
	return l;
}

struct listener *
listener_new_target(struct worker *w, struct slice host, uint16_t port)
{
	char name[NAME_MAX_LEN];
	struct listener_spec u = {
	    .kind = TARGET, .identity = view_self(w->now->view)->identity};
	struct listener *l;

	(void)snprintf(name, sizeof(name), "CONNECT %.*s:%u",
	    SLICE_ARG(slice_sub(host, 0, NAME_MAX_LEN / 2)), (unsigned)port);
	u.name = slice_str(name);
	l = listener_new(w, &u);
	if (addr_parse_ip(host, &l->addr) != OK)
		l->host = mem_strndup(host.ptr, host.len);
	l->addr.port = port;
	return l;
}

static void
listener_open(struct listeners *ls, const struct listener_spec *u)
{
	static const char *const kinds[] = {[UPSTREAM] = "upstream",
	    [GATEWAY] = "gateway",
	    [PROXY] = "proxy",
	    [CAPTURED_OUT] = "capture",
	    [CAPTURED_IN] = "capture"};
	struct worker *w = ls->worker;
	struct listener *l = listener_new(w, u); /* of the open socket */
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	char stable[NAME_MAX_LEN + 16];

	l->wanted = true;
	(void)snprintf(stable, sizeof(stable), "%s-%s-%u", kinds[u->kind],
	    l->name, w->index);
	spec.name = slice_str(stable);
	spec.kind = NET_LISTEN;
	spec.addr = u->addr;
	spec.worker = w->index;
	spec.options = NET_REUSEPORT | NET_NODELAY | NET_KEEPALIVE;
	list_push_back(&ls->all, &l->link);
	l->net = net_listener_open(
	    w->proxy->spec.factory, w->loop, &spec, &net_events, l);
}

/* Of another identity it is another one, though the address is the same. */
static bool
is_same_caller(const struct listener *l, const struct listener_spec *u)
{
	return l->is_own == u->is_own &&
	       (!u->is_own || slice_eq(slice_str(l->identity), u->identity));
}

static struct listener *
find(struct listeners *ls, const struct listener_spec *u)
{
	LIST_EACH (&ls->all, it) {
		struct listener *l = CONTAINER(it, struct listener, link);

		if (!l->closing && l->kind == u->kind &&
		    slice_eq(slice_str(l->name), u->name) &&
		    addr_eq(&l->addr, &u->addr) && is_same_caller(l, u))
			return l;
	}
	return NULL;
}

static void
close_unwanted(struct listeners *ls)
{
	LIST_EACH (&ls->all, it) {
		struct listener *l = CONTAINER(it, struct listener, link);

		if (l->wanted || l->closing)
			continue;
		l->closing = true;
		net_listener_close(l->net);
	}
}

static void
want(struct listeners *ls, const struct listener_spec *u)
{
	struct listener *l = find(ls, u);

	if (l == NULL)
		listener_open(ls, u);
	else
		l->wanted = true;
}

static void
want_upstreams(struct listeners *ls, const struct view *v)
{
	size_t count;
	const struct view_upstream *u = view_upstreams(v, &count);

	for (size_t i = 0; i < count; i++)
		want(ls, &(struct listener_spec){.kind = UPSTREAM,
			     .name = u[i].name,
			     .addr = u[i].listen,
			     .identity = u[i].caller.identity});
}

/* Nobody is let in only to be sent away. */
static bool
takes_anybody(const struct view_listener *l)
{
	for (size_t i = 0; i < l->chain_count; i++)
		if (view_chain_missing(&l->chains[i]).len == 0)
			return true;
	return false;
}

static void
want_gateway(struct listeners *ls, const struct view *v)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, NULL, VIEW_GATEWAY, &count);

	for (size_t i = 0; i < count; i++) {
		const struct view_listener *l = all[i];

		if (takes_anybody(l))
			want(ls, &(struct listener_spec){.kind = GATEWAY,
				     .name = l->name,
				     .addr = l->addr.family != ADDR_NONE
						 ? l->addr
						 : net_any_addr(l->addr.port),
				     .identity = view_self(v)->identity});
	}
}

static void
want_proxy(struct listeners *ls, const struct view *v)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, NULL, VIEW_OUTBOUND, &count);

	for (size_t i = 0; i < count; i++)
		if (all[i]->proxies)
			want(ls, &(struct listener_spec){.kind = PROXY,
				     .name = S("http-proxy"),
				     .addr = all[i]->addr,
				     .identity = view_self(v)->identity});
}

static void
want_captured(struct listeners *ls, const struct view *v,
    enum listener_kind kind, struct slice name,
    const struct addr doors[PROXY_DOORS_MAX])
{
	for (size_t i = 0; i < PROXY_DOORS_MAX; i++)
		if (doors[i].family != ADDR_NONE)
			want(ls, &(struct listener_spec){.kind = kind,
				     .name = name,
				     .addr = doors[i],
				     .identity = view_self(v)->identity});
}

static void
want_own(struct listeners *ls)
{
	for (size_t i = 0; i < PROXY_OWN_MAX; i++) {
		const struct proxy_own *o = &ls->worker->captured.own[i];

		for (size_t k = 0; k < PROXY_DOORS_MAX; k++)
			if (o->out[k].family != ADDR_NONE)
				want(ls, &(struct listener_spec){
					     .kind = CAPTURED_OUT,
					     .name = S("captured-out"),
					     .addr = o->out[k],
					     .identity = slice_str(o->identity),
					     .is_own = true,
					     .cluster = slice_str(o->cluster)});
	}
}

void
listeners_update(struct listeners *ls, const struct view *v)
{
	LIST_EACH (&ls->all, it)
		CONTAINER(it, struct listener, link)->wanted = false;
	want_upstreams(ls, v);
	want_gateway(ls, v);
	want_proxy(ls, v);
	want_captured(
	    ls, v, CAPTURED_OUT, S("captured-out"), ls->worker->captured.out);
	want_captured(
	    ls, v, CAPTURED_IN, S("captured-in"), ls->worker->captured.in);
	want_own(ls);
	close_unwanted(ls);
}

struct listeners *
listeners_new(struct worker *w)
{
	struct listeners *ls = mem_new(sizeof(*ls));

	ls->worker = w;
	list_init(&ls->all);
	return ls;
}

void
listeners_stop(struct listeners *ls)
{
	LIST_EACH (&ls->all, it)
		CONTAINER(it, struct listener, link)->wanted = false;
	close_unwanted(ls);
}

bool
listeners_are_empty(const struct listeners *ls)
{
	return list_empty(&ls->all);
}

void
listeners_free(struct listeners **lp)
{
	CHECK(*lp == NULL || list_empty(&(*lp)->all));
	if (*lp != NULL)
		tls_config_unref(&(*lp)->mutual);
	mem_free(lp);
}
