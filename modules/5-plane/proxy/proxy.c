/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — the data plane of one machine, seen from the control loop.
 *
 * What the control loop wants done is a task that visits every worker and
 * comes back when all have done it. Closing is a sequence of such visits:
 * drain, wait, cut, wait until nothing is left, take down.
 */
#include "proxy.h"

#include "http/mirror.h"
#include "inbound/inbound.h"
#include "outbound/listeners.h"
#include "outbound/wanted.h"
#include "snapshot.h"
#include "tunnel/tunnels.h"
#include "upstream/outside.h"
#include "worker.h"

enum {
	PROXY_MAGIC = 0x70726f78,
	NAME_BYTES = 4096,
	OUT_BYTES = 2 * LIMIT_HEAD_BYTES + LIMIT_STREAM_BUFFER,
	CLOSE_POLL_US = 10000,
	CONNS_MAX = 32768,
	TUNNELS_MAX = 8192
};
#define HEAD_US UINT64_C(60000000)
#define IDLE_US UINT64_C(3600000000)
#define STREAM_IDLE_US UINT64_C(300000000)

static struct worker *
worker_at(struct proxy *p, unsigned index)
{
	CHECK(p->magic == PROXY_MAGIC && index < p->count);
	return &p->worker[index];
}

/* --- opening ---------------------------------------------------------------
 */

static void
start_worker(struct loop *l, unsigned index, void *arg)
{
	struct proxy *p = arg;
	struct worker *w = worker_at(p, index);

	w->index = index;
	w->proxy = p;
	w->loop = l;
	rng_init_random(&w->rng);
	list_init(&w->conns);
	list_init(&w->awaiting);
	list_init(&w->mirrors);
	buf_init(&w->to_client, OUT_BYTES);
	buf_init(&w->to_service, OUT_BYTES);
	map_init(&w->outside);
	w->hosts = hosts_new(l);
	w->tunnels = tunnels_new(w);
	w->listeners = listeners_new(w);
	w->wanted = wanted_new(w);
	w->inbound = inbound_new(w);
}

static void
copy_name(struct proxy *p, const struct proxy_spec *spec)
{
	arena_init(&p->arena, NAME_BYTES);
	CHECK(
	    arena_copy(&p->arena, spec->trust_domain, &p->trust_domain) == OK);
}

static void
count_tunnels(struct proxy *p)
{
	static const char *const labels[] = {"direction", "handshake"};
	static const char *const ways[TUNNEL_WAYS] = {
	    [TUNNEL_OUT] = "outbound", [TUNNEL_IN] = "inbound"};
	static const char *const kinds[TUNNEL_KINDS] = {
	    [TUNNEL_FULL] = "full", [TUNNEL_RESUMED] = "resumed"};
	struct metric_family *f =
	    metric_family_new("meshd_tunnels_opened_total",
		"Tunnels to and from other machines, by their handshake.",
		METRIC_COUNTER, labels, ARRAY_LEN(labels), NULL, 0);

	for (size_t i = 0; i < TUNNEL_WAYS; i++)
		for (size_t j = 0; j < TUNNEL_KINDS; j++)
			p->tunnels[i][j] = metric_series_get(
			    f, (const struct slice[]){
				   slice_str(ways[i]), slice_str(kinds[j])});
}

static void
count_refusals(struct proxy *p)
{
	static const char *const labels[] = {"peer", "reason"};

	p->refusals = metric_family_new("meshd_refusals_total",
	    "What broke a rule of its protocol, or met a limit.",
	    METRIC_COUNTER, labels, ARRAY_LEN(labels), NULL, 0);
}

static void
set_limits(struct proxy *p)
{
	struct proxy_limits *l = &p->limits;

	*l = p->spec.limits;
	l->conns = l->conns > 0 ? l->conns : CONNS_MAX;
	l->tunnels = l->tunnels > 0 ? l->tunnels : TUNNELS_MAX;
	l->head_us = l->head_us > 0 ? l->head_us : HEAD_US;
	l->idle_us = l->idle_us > 0 ? l->idle_us : IDLE_US;
	l->stream_idle_us =
	    l->stream_idle_us > 0 ? l->stream_idle_us : STREAM_IDLE_US;
}

struct proxy *
proxy_open(const struct proxy_spec *spec)
{
	struct proxy *p = mem_new(sizeof(*p));

	p->magic = PROXY_MAGIC;
	p->spec = *spec;
	p->count = workers_count(spec->workers);
	p->worker = mem_new_array(p->count, sizeof(*p->worker));
	p->budget.limit = spec->h2_window_bytes;
	p->tickets = tls_tickets_new();
	copy_name(p, spec);
	set_limits(p);
	count_tunnels(p);
	count_refusals(p);
	for (unsigned i = 0; i < p->count; i++)
		p->worker[i].loop = workers_loop(spec->workers, i);
	workers_each(spec->workers, start_worker, spec->control, NULL, p);
	return p;
}

/* --- views ------------------------------------------------------------------
 */

struct publication {
	struct proxy *proxy;
	struct view *view;
	void (*done)(void *arg);
	void *arg;
};

static void
take_view(struct loop *l, unsigned index, void *arg)
{
	struct publication *pub = arg;
	struct worker *w = worker_at(pub->proxy, index);

	(void)l; /* the worker's */
	if (w->draining)
		return;
	snapshot_unref(&w->now);
	w->now = snapshot_new(w, pub->view);
	listeners_update(w->listeners, pub->view);
	awaiting_tell(w);
}

static void
view_taken(void *arg)
{
	struct publication *pub = arg;

	if (pub->done != NULL)
		pub->done(pub->arg);
	view_unref(&pub->view);
	mem_free(&pub);
}

void
proxy_publish(
    struct proxy *p, const struct view *v, void (*done)(void *arg), void *arg)
{
	struct publication *pub = mem_new(sizeof(*pub));

	*pub = (struct publication){
	    .proxy = p, .view = view_ref(v), .done = done, .arg = arg};
	workers_each(
	    p->spec.workers, take_view, p->spec.control, view_taken, pub);
}

/* --- what rules of the machine lead here ------------------------------------
 */

struct capturing {
	struct proxy *proxy;
	struct proxy_captured what;
	void (*done)(void *arg);
	void *arg;
};

static void
take_doors(struct loop *l, unsigned index, void *arg)
{
	struct capturing *c = arg;
	struct worker *w = worker_at(c->proxy, index);

	(void)l; /* the worker's */
	w->captured = c->what;
	if (w->now != NULL && !w->draining)
		listeners_update(w->listeners, w->now->view);
}

static void
doors_taken(void *arg)
{
	struct capturing *c = arg;

	if (c->done != NULL)
		c->done(c->arg);
	mem_free(&c);
}

void
proxy_capture(struct proxy *p, const struct proxy_captured *what,
    void (*done)(void *arg), void *arg)
{
	struct capturing *c = mem_new(sizeof(*c));

	*c = (struct capturing){
	    .proxy = p, .what = *what, .done = done, .arg = arg};
	workers_each(
	    p->spec.workers, take_doors, p->spec.control, doors_taken, c);
}

void
proxy_keep_answers(struct proxy *p, bool on)
{
	__atomic_store_n(&p->keeps_answers, on, __ATOMIC_RELAXED);
}

/* --- credentials --- */

struct issue {
	struct proxy *proxy;
	struct proxy_credentials *credentials;
};

static void
take_credentials(struct loop *l, unsigned index, void *arg)
{
	struct issue *i = arg;
	struct worker *w = worker_at(i->proxy, index);

	(void)l; /* the worker's */
	proxy_credentials_unref(&w->credentials);
	w->credentials = proxy_credentials_ref(i->credentials);
	inbound_cut_revoked(w->inbound);
	tunnels_cut_revoked(w->tunnels);
}

static void
credentials_taken(void *arg)
{
	struct issue *i = arg;

	proxy_credentials_unref(&i->credentials);
	mem_free(&i);
}

void
proxy_set_credentials(struct proxy *p, struct proxy_credentials *c)
{
	struct issue *i = mem_new(sizeof(*i));

	*i =
	    (struct issue){.proxy = p, .credentials = proxy_credentials_ref(c)};
	workers_each(p->spec.workers, take_credentials, p->spec.control,
	    credentials_taken, i);
}

/* --- lists --- */

const char *
proxy_conn_kind_name(enum proxy_conn_kind k)
{
	static const char *const names[] = {
	    [PROXY_CONN_HTTP] = "http",
	    [PROXY_CONN_TCP] = "tcp",
	    [PROXY_CONN_UPGRADE] = "upgrade",
	    [PROXY_CONN_INBOUND] = "inbound",
	};

	CHECK((unsigned)k < ARRAY_LEN(names));
	return names[k];
}

/* Each worker fills its own part, so that none waits for another. */
struct survey {
	struct proxy *proxy;
	struct part {
		struct proxy_conn_info *conns;
		size_t count;
	} * parts;
	void (*cb)(
	    void *arg, const struct proxy_conn_info *conns, size_t count);
	void *arg;
};

static void
survey_worker(struct loop *l, unsigned index, void *arg)
{
	struct survey *s = arg;
	struct worker *w = worker_at(s->proxy, index);
	struct part *part = &s->parts[index];
	size_t n = 0;

	LIST_EACH (&w->conns, it)
		n++;
	n = MIN(n, PROXY_CONNS_LISTED_MAX);
	part->conns = mem_new_array(MAX(n, 1), sizeof(*part->conns));
	LIST_EACH (&w->conns, it) {
		struct registered *r = CONTAINER(it, struct registered, link);
		struct proxy_conn_info *info;

		if (part->count == n)
			break;
		info = &part->conns[part->count++];
		info->kind = r->kind;
		info->worker = index;
		info->id = r->id;
		info->age_us = loop_now_us(l) - r->since_us;
		r->describe(r, info);
	}
}

static void
survey_done(void *arg)
{
	struct survey *s = arg;
	struct proxy_conn_info *all;
	size_t total = 0;
	size_t n = 0;

	for (unsigned i = 0; i < s->proxy->count; i++)
		total += s->parts[i].count;
	all = mem_new_array(MAX(total, 1), sizeof(*all));
	for (unsigned i = 0; i < s->proxy->count; i++) {
		memcpy(all + n, s->parts[i].conns,
		    s->parts[i].count * sizeof(*all));
		n += s->parts[i].count;
		mem_free(&s->parts[i].conns);
	}
	s->cb(s->arg, all, total);
	mem_free(&all);
	mem_free(&s->parts);
	mem_free(&s);
}

void
proxy_list_conns(struct proxy *p,
    void (*cb)(void *arg, const struct proxy_conn_info *conns, size_t count),
    void *arg)
{
	struct survey *s = mem_new(sizeof(*s));

	*s = (struct survey){.proxy = p, .cb = cb, .arg = arg};
	s->parts = mem_new_array(p->count, sizeof(*s->parts));
	workers_each(
	    p->spec.workers, survey_worker, p->spec.control, survey_done, s);
}

/* --- closing --- */

struct closing {
	struct proxy *proxy;
	struct timer timer;
	uint64_t cut_at_us;
	bool cut;
	_Atomic uint32_t left; /* connections and sessions, over all workers */
	void (*done)(void *arg);
	void *arg;
};

static void
cut_conns(struct worker *w)
{
	LIST_EACH (&w->conns, it) {
		struct registered *r = CONTAINER(it, struct registered, link);

		r->cut(r, ERR_DENIED);
	}
}

static void
drain_worker(struct loop *l, unsigned index, void *arg)
{
	struct closing *c = arg;
	struct worker *w = worker_at(c->proxy, index);

	(void)l; /* the worker's */
	w->draining = true;
	listeners_stop(w->listeners);
	LIST_EACH (&w->conns, it) {
		struct registered *r = CONTAINER(it, struct registered, link);

		if (r->drain != NULL)
			r->drain(r);
	}
	inbound_drain(w->inbound);
	tunnels_drain(w->tunnels);
	hosts_close_idle(w->hosts, NULL);
}

static void
count_left(struct loop *l, unsigned index, void *arg)
{
	struct closing *c = arg;
	struct worker *w = worker_at(c->proxy, index);

	(void)l; /* the worker's */
	if (c->cut) {
		cut_conns(w);
		mirrors_cut(w);
		inbound_cut(w->inbound);
		tunnels_cut(w->tunnels);
	}
	if (!list_empty(&w->conns) || w->upstreams > 0 ||
	    !inbound_is_empty(w->inbound) || !tunnels_are_empty(w->tunnels) ||
	    !listeners_are_empty(w->listeners) || !wanted_is_quiet(w->wanted))
		c->left++;
}

static void
stop_worker(struct loop *l, unsigned index, void *arg)
{
	struct closing *c = arg;
	struct worker *w = worker_at(c->proxy, index);

	(void)l; /* the worker's */
	snapshot_unref(&w->now);
	outside_forget(w);
	hosts_free(&w->hosts);
	inbound_free(&w->inbound);
	listeners_free(&w->listeners);
	wanted_free(&w->wanted);
	tunnels_free(&w->tunnels);
	proxy_credentials_unref(&w->credentials);
	buf_fini(&w->to_client);
	buf_fini(&w->to_service);
}

static void
all_stopped(void *arg)
{
	struct closing *c = arg;
	struct proxy *p = c->proxy;

	for (size_t i = 0; i < TUNNEL_WAYS; i++)
		for (size_t j = 0; j < TUNNEL_KINDS; j++)
			metric_series_release(p->tunnels[i][j]);
	tls_tickets_unref(&p->tickets);
	arena_fini(&p->arena);
	mem_free(&p->worker);
	p->magic = 0;
	mem_free(&p);
	if (c->done != NULL)
		c->done(c->arg);
	mem_free(&c);
}

static void
counted(void *arg)
{
	struct closing *c = arg;

	if (c->left > 0)
		timer_set(&c->timer, CLOSE_POLL_US);
	else
		workers_each(c->proxy->spec.workers, stop_worker,
		    c->proxy->spec.control, all_stopped, c);
}

static void
look(void *arg)
{
	struct closing *c = arg;

	c->left = 0;
	c->cut = loop_now_us(c->proxy->spec.control) >= c->cut_at_us;
	workers_each(c->proxy->spec.workers, count_left, c->proxy->spec.control,
	    counted, c);
}

void
proxy_close(
    struct proxy **pp, uint64_t drain_us, void (*done)(void *arg), void *arg)
{
	struct proxy *p = *pp;
	struct closing *c = mem_new(sizeof(*c));

	*pp = NULL;
	*c = (struct closing){.proxy = p, .done = done, .arg = arg};
	c->cut_at_us = loop_now_us(p->spec.control) + drain_us;
	timer_init(&c->timer, p->spec.control, look, c);
	workers_each(p->spec.workers, drain_worker, p->spec.control, look, c);
}
