/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker — one thread's share of the proxy: its news and its connections.
 */
#define LOG_MODULE "proxy"

#include "worker.h"

enum { NEWS_NAME_MAX = 128 };

void
worker_name_destination(struct flow_record *f, const struct view_cluster *c)
{
	f->cluster = c->name;
	f->destination.service = c->service->host;
	f->destination.service_name = c->service->name;
	f->destination.service_ns = c->service->ns;
}

void
worker_report(struct worker *w, const struct flow_record *record)
{
	const struct proxy_spec *spec = &w->proxy->spec;

	if (spec->on_flow != NULL)
		spec->on_flow(spec->arg, w->index, record);
}

void
worker_tell_tunnel(struct worker *w, int way, struct http2 *session)
{
	const struct stream *transport = http2_transport(session);
	const struct tls_peer *peer = tls_stream_peer(transport);
	bool resumed = tls_stream_is_resumed(transport);

	metric_add(
	    w->proxy->tunnels[way][resumed ? TUNNEL_RESUMED : TUNNEL_FULL], 1);
	log_debug("tunnel open", "direction=%s peer=%s handshake=%s",
	    way == TUNNEL_IN ? "inbound" : "outbound",
	    peer == NULL ? "" : peer->uri, resumed ? "resumed" : "full");
}

/* Looked up each time, under a lock: who is refused is not in a hurry. */
void
worker_refused(struct worker *w, enum refused who, const char *reason)
{
	static const char *const names[] = {[REFUSED_CLIENT] = "client",
	    [REFUSED_SERVICE] = "service",
	    [REFUSED_NODE] = "node"};
	struct metric_series *s = metric_series_get(w->proxy->refusals,
	    (const struct slice[]){slice_str(names[who]), slice_str(reason)});

	metric_add(s, 1);
	metric_series_release(s);
}

void
worker_refused_http2(struct worker *w, enum refused who, const struct http2 *c)
{
	enum http2_flaw f = http2_flaw_of(c);

	if (f != HTTP2_SOUND)
		worker_refused(w, who, http2_flaw_word(f));
}

/* --- listeners' news, carried to the control loop --- */

struct news {
	struct proxy *proxy;
	unsigned worker;
	struct addr addr;
	enum proxy_listening state;
	struct fault why;
	char name[NEWS_NAME_MAX];
};

static void
on_news(void *arg)
{
	struct news *n = arg;
	const struct proxy_spec *spec = &n->proxy->spec;

	if (spec->on_listener != NULL)
		spec->on_listener(spec->arg,
		    &(struct proxy_listener){.name = slice_str(n->name),
			.addr = n->addr,
			.worker = n->worker,
			.state = n->state,
			.why = slice_str(n->why.text)});
	mem_free(&n);
}

void
worker_tell_listener(struct worker *w, struct slice name,
    const struct addr *addr, enum proxy_listening state,
    const struct fault *why)
{
	struct news *n = mem_new(sizeof(*n));
	size_t len = MIN(name.len, sizeof(n->name) - 1);

	n->proxy = w->proxy;
	n->worker = w->index;
	n->addr = *addr;
	n->state = state;
	if (why != NULL)
		n->why = *why;
	memcpy(n->name, name.ptr, len);
	loop_post(n->proxy->spec.control, on_news, n);
}

void
worker_tell_shortage(const char *listener, enum err why)
{
	log_warn("connections wait", "listener=%s reason=\"%s\"", listener,
	    why == ERR_LIMIT ? "no descriptor is left; the hard limit of open "
			       "files is reached"
			     : err_text(why));
}

/* --- the list of connections --- */

void
worker_register(struct worker *w, struct registered *r)
{
	r->id = w->next_id++;
	r->since_us = loop_now_us(w->loop);
	list_push_back(&w->conns, &r->link);
}

void
worker_unregister(struct registered *r)
{
	list_remove(&r->link);
}

/* --- what waits for a view that knows more --- */

static void
on_awaited_long(void *arg)
{
	struct awaiting *a = arg;

	awaiting_stop(a);
	a->on_end(a);
}

void
awaiting_begin(struct worker *w, struct awaiting *a, uint64_t longest_us)
{
	awaiting_stop(a);
	list_push_back(&w->awaiting, &a->link);
	timer_init(&a->until, w->loop, on_awaited_long, a);
	timer_set(&a->until, longest_us);
}

void
awaiting_stop(struct awaiting *a)
{
	list_remove(&a->link);
	timer_clear(&a->until);
}

void
awaiting_tell(struct worker *w)
{
	LIST_EACH (&w->awaiting, it) {
		struct awaiting *a = CONTAINER(it, struct awaiting, link);

		a->on_view(a);
	}
}

void
worker_bear_source(const struct worker *w, const struct addr *client,
    struct net_connect_spec *spec)
{
	if (!w->captured.keeps_source || client->family != spec->addr.family)
		return;
	spec->source = *client;
	spec->source.port = 0; /* the kernel's choice: theirs may be in use */
	spec->options |= NET_TRANSPARENT;
}
