/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxied — requests of programs that name this as their HTTP proxy.
 *
 * They name whom they call: a host of the mesh is met as if it had been called
 * itself, and one that nobody here asked for yet is waited for. CONNECT leads
 * to a service's port; what a port that speaks HTTP, or may do so, is sent
 * then is read as on any other way to it, so that no rule is got around.
 * Where only bytes go, an endpoint is connected before the 200. Whoever the
 * mesh does not know is called by the addresses of its name, unless policy
 * forbids that.
 */
#include "http/filter.h"
#include "outbound/wanted.h"
#include "upstream/dial.h"
#include "upstream/outside.h"

enum { VISIT_MAGIC = 0x76697374, WEB_PORT = 80 };

/* What cannot be done at once. */
struct visit {
	uint32_t magic;
	struct request *request;
	struct slice host; /* no brackets around it */
	uint16_t port;
	struct loop_later next;
	struct wanted_waiter waiter;
	struct outside outside;
	struct dial dial;
};

static struct visit *
visit_of(void *arg)
{
	struct visit *v;

	OBJ(v, arg, VISIT_MAGIC);
	return v;
}

static bool
is_connect(const struct request *r)
{
	return http_head_is_method(r->head, S("CONNECT"));
}

/* --- whom it names -------------------------------------------------------- */

static enum filter_verdict
refuse(
    struct request *r, unsigned status, enum flow_flag flag, struct slice words)
{
	/* Whoever said CONNECT may send what is no request. */
	r->client->last |= is_connect(r);
	r->client->ops->resume(r->client, STREAM_PAUSE_FILTER);
	request_answer(r, status, flag, words);
	return FILTER_ANSWERED;
}

static struct slice
without_brackets(struct slice host)
{
	return slice_starts(host, S("[")) && slice_ends(host, S("]"))
		   ? slice_sub(host, 1, host.len - 2)
		   : host;
}

/* Its requests would go round for ever. */
static bool
is_itself(const struct request *r, const struct addr *a)
{
	const struct addr *own = &r->client->local;

	return a->port == own->port &&
	       (addr_is_loopback(a) || addr_is_any(a) || addr_ip_eq(a, own) ||
		   view_is_announced(r->snapshot->view, a));
}

static bool
is_known(const struct request *r, struct slice host, uint16_t port)
{
	const struct view *v = r->snapshot->view;
	const struct view_chain *c = r->way.chain;
	const struct view_host *h;
	struct addr ip;

	if (is_connect(r) && addr_parse_ip(host, &ip) == OK)
		return true; /* as far as it can be */
	if (is_connect(r))
		return view_find_host(v, NULL, host, port) != NULL;
	h = c != NULL && c->routes != NULL
		? view_find_domain(v, c->routes, r->head->authority)
		: NULL;
	return h != NULL && !view_is_unknown(h);
}

/* --- CONNECT -------------------------------------------------------------- */

static bool
say_connected(struct request *r)
{
	struct http_head h;

	http_head_init(&h, &r->arena);
	h.status = r->record.status = 200;
	h.framing = HTTP_BODY_TUNNEL;
	if (r->client->ops->head(r->client, &h, /* end */ false) == OK)
		return true;
	r->client->ops->cut(r->client, ERR_LIMIT);
	return false;
}

static void
on_open(void *arg)
{
	struct visit *v = visit_of(arg);
	uint64_t longest_us = bound_longest_us(v->dial.bound);
	struct host *host;
	struct stream *up;

	if (!say_connected(v->request))
		return;
	up = dial_take(&v->dial, &host);
	request_join(v->request, up, host, longest_us);
}

static void
on_failed(void *arg, enum flow_flag flag, struct slice words)
{
	(void)refuse(visit_of(arg)->request, 503, flag, words);
}

static const struct dial_events dial_events = {
    .on_open = on_open, .on_failed = on_failed};

/* An endpoint of the cluster, or (NULL) who is outside. */
static void
dial(struct visit *v, const struct view_cluster *c)
{
	struct request *r = v->request;

	flow_party_seal(&r->record.destination);
	v->dial = (struct dial){.worker = r->worker,
	    .bound = c != NULL ? snapshot_bind(r->snapshot, c) : NULL,
	    .outside = r->outside,
	    .from = view_self(r->snapshot->view),
	    .record = &r->record,
	    .events = &dial_events,
	    .arg = v};
	dial_begin(&v->dial);
}

static void find_outside(struct visit *v);

static void
connect_to(struct visit *v, const struct view_destination *d)
{
	struct request *r = v->request;

	r->record.cluster = d->name;
	if (d->cluster != NULL) {
		worker_name_destination(&r->record, d->cluster);
		dial(v, d->cluster);
	} else if (d->passes) {
		find_outside(v);
	} else {
		(void)refuse(r, 503, d->flag, d->missing);
	}
}

static void
connect_by(struct visit *v, const struct view_tcp_route *route)
{
	struct request *r = v->request;

	if (route == NULL)
		(void)refuse(r, 404, FLOW_NO_ROUTE, SLICE_NONE);
	else
		connect_to(v,
		    view_choose(route->destinations, route->destination_count,
			route->weight_total, rng_u64(&r->worker->rng)));
}

/* --- whom nobody knows ---------------------------------------------------- */

/* Where it is refused, that is done. */
static bool
is_refused(struct visit *v)
{
	struct request *r = v->request;
	struct view_refusal why;

	if (!view_is_refused(r->snapshot->view,
		&(struct view_called){v->host, v->port, is_connect(r)},
		&r->arena, &why))
		return false;
	(void)refuse(r, why.status, why.flag, why.words);
	return true;
}

static void
refuse_itself(struct request *r)
{
	(void)refuse(r, 403, FLOW_NOT_EXPOSED, S("this is the proxy itself"));
}

static void
on_outside(void *arg, enum err e)
{
	struct visit *v = visit_of(arg);
	struct request *r = v->request;

	if (v->outside.count == 0) {
		(void)refuse(r, 503, FLOW_NO_ENDPOINT,
		    arena_printf(&r->arena,
			"the mesh does not know %.*s, and neither does DNS: %s",
			SLICE_ARG(v->host), err_text(e)));
		return;
	}
	for (size_t i = 0; i < v->outside.count; i++)
		if (is_itself(r, &v->outside.addrs[i])) {
			refuse_itself(r);
			return;
		}
	r->outside = &v->outside;
	r->record.destination.service = v->host;
	if (is_connect(r))
		dial(v, NULL);
	else
		request_continue(r);
}

static void
find_outside(struct visit *v)
{
	v->outside.worker = v->request->worker;
	v->outside.done = on_outside;
	v->outside.arg = v;
	if (!outside_find(&v->outside, v->host, v->port))
		(void)refuse(v->request, 503, FLOW_OVERFLOW,
		    S("too many names are being looked up"));
}

/* By way of another proxy, or to itself. */
static void
go_outside(struct visit *v)
{
	struct request *r = v->request;
	const struct view_destination *d =
	    view_unknown_destination(r->snapshot->view);

	if (is_refused(v))
		return;
	if (is_connect(r))
		connect_to(v, d);
	else if (d->passes)
		find_outside(v);
	else
		request_continue(r);
}

/* --- waiting -------------------------------------------------------------- */

/* Of an address that is nobody's. */
static bool
is_outside(const struct request *r, const struct view_chain *c)
{
	return c != NULL && c->tcp != NULL &&
	       c->tcp->destinations ==
		   view_unknown_destination(r->snapshot->view);
}

static void
connect_host(struct visit *v)
{
	struct request *r = v->request;
	struct listener *to = listener_new_target(r->worker, v->host, v->port);
	const struct view_connection seen = {.source = r->client->peer};
	struct listener_way way;
	struct addr ip = {0};

	listener_way(to, r->snapshot->view, &seen, &way);
	if (addr_parse_ip(v->host, &ip) == OK)
		ip.port = v->port;
	if (ip.port != 0 && is_itself(r, &ip))
		refuse_itself(r);
	else if ((way.host == NULL && way.chain == NULL) ||
		 is_outside(r, way.chain))
		go_outside(v);
	else if (listener_way_is_bytes(&way))
		connect_by(v, way.chain != NULL
				  ? way.chain->tcp
				  : view_route_tcp(way.host, &seen, NULL));
	else if (say_connected(r))
		request_hand_over(r, to);
	listener_unref(&to);
}

static void
go_on(void *arg)
{
	struct visit *v = visit_of(arg);
	struct request *r = v->request;

	request_renew_view(r);
	if (is_connect(r))
		connect_host(v);
	else if (is_known(r, v->host, v->port))
		request_continue(r);
	else
		go_outside(v);
}

static enum filter_verdict
wait(struct request *r, struct slice host, uint16_t port, bool for_host)
{
	struct visit *v = mem_new(sizeof(*v));

	v->magic = VISIT_MAGIC;
	v->request = r;
	v->host = host;
	v->port = port;
	v->waiter.fn = go_on;
	v->waiter.arg = v;
	loop_later_init(&v->next, go_on, v);
	r->visit = v;
	if (for_host)
		wanted_wait(r->worker->wanted, host, &v->waiter);
	else
		loop_later(r->worker->loop, &v->next);
	return FILTER_WAIT;
}

static enum filter_verdict
name_host(struct request *r)
{
	struct addr ip;
	uint16_t port;
	struct slice host =
	    without_brackets(view_split_authority(r->head->authority, &port));
	bool known, all;

	if (port == 0 && is_connect(r))
		return refuse(r, 400, FLOW_DOWNSTREAM_PROTOCOL,
		    S("CONNECT names a host and a port, as in web:80"));
	if (port == 0)
		port = WEB_PORT;
	known = is_known(r, host, port);
	all = addr_parse_ip(host, &ip) == OK ||
	      wanted_call(r->worker->wanted, host);
	if (known && !is_connect(r))
		return FILTER_GO_ON;
	return wait(r, host, port, /* for_host */ !known && !all);
}

static enum filter_verdict
proxied_request(struct request *r)
{
	static const struct slice authorization = {"proxy-authorization", 19};

	if (!listener_is_proxy(r->client->listener)) {
		if (!is_connect(r))
			return FILTER_GO_ON;
		return refuse(r, 403, FLOW_NOT_EXPOSED,
		    S("CONNECT is not served on this listener"));
	}
	if (slice_eq_nocase(r->head->scheme, S("https")))
		return refuse(r, 400, FLOW_DOWNSTREAM_PROTOCOL,
		    S("a proxy is asked for https:// by CONNECT"));
	/* Of this proxy, which does not ask for it (RFC 9110 §11.7.2). */
	(void)http_head_remove(r->head, authorization);
	return name_host(r);
}

static void
proxied_end(struct request *r)
{
	struct visit *v = TAKE(r->visit);

	if (v == NULL)
		return;
	loop_later_cancel(&v->next);
	wanted_leave(&v->waiter);
	outside_stop(&v->outside);
	dial_stop(&v->dial);
	v->magic = 0;
	mem_free(&v);
}

const struct filter filter_proxied = {
    .name = "proxied", .on_request = proxied_request, .on_end = proxied_end};
