/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where a view says that clients come in, on one worker.
 */
#define LOG_MODULE "proxy"

#include "outbound/listeners.h"

#include "http/conn.h"
#include "outbound/peek.h"
#include "snapshot.h"
#include "tcp/tcp.h"

#include <stdio.h>

enum {
	LISTENER_MAGIC = 0x6c697374,
	NAME_MAX_LEN = 128,
	AWAIT_AGAIN_US = 30 * 1000000
};

struct listener {
	uint32_t magic;
	uint32_t refs;
	struct worker *worker;
	struct net_listener *net; /* gone after on_close, as the link is */
	struct addr addr;
	bool is_gateway;
	bool wanted; /* by the view that is being put in force */
	bool closing;
	struct list link;
	char name[NAME_MAX_LEN];
	char identity[PROXY_CONN_TEXT_MAX];
	uint64_t told;          /* hash of the last reason that is in the log */
	uint64_t await_from_us; /* since the last call that waited in vain */
};

struct listeners {
	struct worker *worker;
	struct list all;
};

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
	l->magic = 0;
	mem_free(&l);
}

const char *
listener_name(const struct listener *l)
{
	return l->name;
}

bool
listener_is_gateway(const struct listener *l)
{
	return l->is_gateway;
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

static void
gateway_way(const struct view *v, const struct view_connection *seen,
    struct listener_way *out)
{
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_GATEWAY, &seen->destination);

	out->why_not = S("this listener is no longer configured");
	if (l == NULL)
		return;
	out->caller = view_self(v);
	out->why_not = S("the listener takes no connection of this kind");
	out->chain = view_find_chain(l, seen);
	if (out->chain == NULL || view_chain_missing(out->chain).len == 0)
		return;
	out->why_not = view_chain_missing(out->chain);
	out->chain = NULL;
}

void
listener_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out)
{
	*out = (struct listener_way){0};
	if (l->is_gateway) {
		gateway_way(v, seen, out);
		return;
	}
	out->upstream = view_find_upstream(v, slice_str(l->name));
	if (out->upstream != NULL)
		out->caller = &out->upstream->caller;
	else
		out->why_not = S("this listener is no longer configured");
}

static bool
is_http(const struct listener_way *way)
{
	const struct view_upstream *u = way->upstream;

	if (way->chain != NULL)
		return way->chain->routes != NULL;
	return u != NULL && u->host != NULL &&
	       view_protocol_is_http(u->host->protocol);
}

void
listener_hand_over(struct listener *l, struct stream *s,
    const struct view_connection *seen, struct slice first)
{
	struct worker *w = l->worker;
	struct listener_way way;

	listener_way(l, w->now->view, seen, &way);
	stream_set_events(s, &early, NULL); /* who had it may be gone */
	if (!is_http(&way)) {
		stream_pause(s, STREAM_PAUSE_NOT_READY);
		tcp_accept(w, l, s, seen, first);
		return;
	}
	conn_accept(w, l, s, first);
	stream_resume(s, STREAM_PAUSE_NOT_READY); /* if it waited */
}

/* What its client is to say first decides where it goes. */
static bool
is_peeked_at(const struct listener *l, const struct addr *destination)
{
	const struct view_listener *v =
	    l->is_gateway ? view_find_listener(l->worker->now->view, NULL,
				VIEW_GATEWAY, destination)
			  : NULL;

	return v != NULL && v->sniffs_tls;
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
	seen.destination = stream_local(s);
	seen.source = stream_peer(s);
	if (is_peeked_at(l, &seen.destination))
		peek_accept(l->worker, l, s);
	else
		listener_hand_over(l, s, &seen, SLICE_NONE);
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

/* What a view wants to be open. */
struct wanted {
	bool is_gateway;
	struct slice name;
	struct addr addr;
	struct slice identity;
};

static void
listener_open(struct listeners *ls, const struct wanted *u)
{
	struct worker *w = ls->worker;
	struct listener *l = mem_new(sizeof(*l));
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	char stable[NAME_MAX_LEN + 16];

	l->magic = LISTENER_MAGIC;
	l->refs = 1; /* of the open socket */
	l->worker = w;
	l->is_gateway = u->is_gateway;
	l->addr = u->addr;
	l->wanted = true;
	(void)snprintf(l->name, sizeof(l->name), "%.*s", SLICE_ARG(u->name));
	(void)snprintf(
	    l->identity, sizeof(l->identity), "%.*s", SLICE_ARG(u->identity));
	(void)snprintf(stable, sizeof(stable), "%s-%s-%u",
	    u->is_gateway ? "gateway" : "upstream", l->name, w->index);
	spec.name = slice_str(stable);
	spec.kind = NET_LISTEN;
	spec.addr = u->addr;
	spec.worker = w->index;
	spec.options = NET_REUSEPORT | NET_NODELAY | NET_KEEPALIVE;
	list_push_back(&ls->all, &l->link);
	l->net = net_listener_open(
	    w->proxy->spec.factory, w->loop, &spec, &net_events, l);
}

static struct listener *
find(struct listeners *ls, const struct wanted *u)
{
	LIST_EACH (&ls->all, it) {
		struct listener *l = CONTAINER(it, struct listener, link);

		if (!l->closing && l->is_gateway == u->is_gateway &&
		    slice_eq(slice_str(l->name), u->name) &&
		    addr_eq(&l->addr, &u->addr))
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
want(struct listeners *ls, const struct wanted *u)
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
		want(ls, &(struct wanted){.name = u[i].name,
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
			want(ls, &(struct wanted){.is_gateway = true,
				     .name = l->name,
				     .addr = l->addr.family != ADDR_NONE
						 ? l->addr
						 : net_any_addr(l->addr.port),
				     .identity = view_self(v)->identity});
	}
}

void
listeners_update(struct listeners *ls, const struct view *v)
{
	LIST_EACH (&ls->all, it)
		CONTAINER(it, struct listener, link)->wanted = false;
	want_upstreams(ls, v);
	want_gateway(ls, v);
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
	mem_free(lp);
}
