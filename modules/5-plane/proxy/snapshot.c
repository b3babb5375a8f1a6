/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — one view on one worker, with its clusters bound to hosts.
 *
 * A host that nobody refers to is kept for a while, so that its failures and
 * open connections are there when the next view binds it.
 */
#include "snapshot.h"

#include "upstream/upstream.h"

enum { SWEEP_US = 10 * 1000000, BOUND_FIRST = 16 };

/* --- hosts --- */

struct hosts {
	struct loop *loop;
	struct map by_id;
	struct timer sweep;
};

static struct slice
key_of(const uint64_t *id)
{
	return slice_of(id, sizeof(*id));
}

static void
forget(struct hosts *h, struct host *host)
{
	(void)map_remove(&h->by_id, key_of(&host->id)); /* it is `host` */
	mem_free(&host);
}

/* One host a call: removing while iterating is not allowed. */
static struct host *
next_stale(const struct hosts *h, uint64_t now_us)
{
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&h->by_id, &i, &key, &value);) {
		struct host *host = value;

		if (host->refs == 0 &&
		    now_us - host->unused_since_us >= HOST_FORGET_US)
			return host;
	}
	return NULL;
}

static void
on_sweep(void *arg)
{
	struct hosts *h = arg;
	struct host *host;

	while ((host = next_stale(h, loop_now_us(h->loop))) != NULL)
		forget(h, host);
	timer_set(&h->sweep, SWEEP_US);
}

struct hosts *
hosts_new(struct loop *loop)
{
	struct hosts *h = mem_new(sizeof(*h));

	h->loop = loop;
	map_init(&h->by_id);
	timer_init(&h->sweep, loop, on_sweep, h);
	timer_set(&h->sweep, SWEEP_US);
	return h;
}

static void
drop_host(void *value)
{
	struct host *host = value;

	CHECK(host->refs == 0);
	mem_free(&host);
}

void
hosts_close_idle(struct hosts *h, const struct http2 *session)
{
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&h->by_id, &i, &key, &value);)
		upstream_close_idle(value, session);
}

void
hosts_free(struct hosts **hp)
{
	if (*hp == NULL)
		return;
	timer_clear(&(*hp)->sweep);
	map_fini(&(*hp)->by_id, drop_host);
	mem_free(hp);
}

struct host *
hosts_ref(struct hosts *h, uint64_t id)
{
	struct host *host = map_get(&h->by_id, key_of(&id));

	if (host == NULL) {
		host = mem_new(sizeof(*host));
		host->id = id;
		list_init(&host->idle);
		list_init(&host->sessions);
		(void)map_put(&h->by_id, key_of(&id), host); /* was absent */
	}
	host->refs++;
	return host;
}

void
host_unref(struct hosts *h, struct host **hp)
{
	struct host *host = *hp;

	if (host == NULL)
		return;
	CHECK(host->refs > 0);
	if (--host->refs == 0)
		host->unused_since_us = loop_now_us(h->loop);
	*hp = NULL;
}

/* --- snapshots --- */

struct snapshot *
snapshot_new(struct worker *w, const struct view *v)
{
	struct snapshot *s = mem_new(sizeof(*s));

	s->worker = w;
	s->view = view_ref(v);
	s->refs = 1;
	s->bound_cap = BOUND_FIRST;
	s->bound = mem_new_array(s->bound_cap, sizeof(*s->bound));
	return s;
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	s->refs++;
	return s;
}

static void
unbind(struct snapshot *s, struct bound *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->set.count; i++)
		host_unref(s->worker->hosts, &b->hosts[i]);
	mem_free(&b->hosts);
	mem_free(&b->set.slots);
	mem_free(&b);
}

void
snapshot_unref(struct snapshot **sp)
{
	struct snapshot *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	CHECK(s->refs > 0);
	if (--s->refs > 0)
		return;
	for (size_t i = 0; i < s->bound_cap; i++)
		unbind(s, s->bound[i]);
	mem_free(&s->bound);
	view_unref(&s->view);
	mem_free(&s);
}

static struct bound **
place_of(struct bound **table, size_t cap, const struct view_cluster *c)
{
	size_t mask = cap - 1;
	size_t i = (size_t)(c->id ^ (c->id >> 32)) & mask;

	while (table[i] != NULL && table[i]->cluster != c)
		i = (i + 1) & mask;
	return &table[i];
}

/* A large view has many clusters of which few are ever called from here. */
static void
grow(struct snapshot *s)
{
	size_t cap = s->bound_cap * 2;
	struct bound **table = mem_new_array(cap, sizeof(struct bound *));

	for (size_t i = 0; i < s->bound_cap; i++)
		if (s->bound[i] != NULL)
			*place_of(table, cap, s->bound[i]->cluster) =
			    s->bound[i];
	mem_free(&s->bound);
	s->bound = table;
	s->bound_cap = cap;
}

static struct bound *
bind(struct snapshot *s, const struct view_cluster *c)
{
	size_t n = c->endpoint_count;
	struct lb_slot *slots = mem_new_array(MAX(n, 1), sizeof(*slots));
	struct bound *b = mem_new(sizeof(*b));

	b->cluster = c;
	b->hosts = mem_new_array(MAX(n, 1), sizeof(struct host *));
	for (size_t i = 0; i < n; i++) {
		const struct view_endpoint *e = c->endpoints[i];
		struct host *host = hosts_ref(s->worker->hosts, e->id);

		host->lb.weight = e->weight;
		host->lb.unhealthy = !e->usable;
		b->hosts[i] = host;
		slots[i].host = &host->lb;
	}
	lb_set_init(&b->set, slots, n, &s->worker->rng);
	return b;
}

/* --- picking --- */

static void
exclude(struct host *const *tried, size_t count, bool on)
{
	for (size_t i = 0; i < count; i++)
		if (tried[i] != NULL)
			tried[i]->lb.excluded = on;
}

const struct view_endpoint *
bound_pick(struct bound *b, struct worker *w, struct host *const *tried,
    size_t count, struct host **out_host)
{
	static const enum lb_policy policies[] = {
	    [BALANCER_LEAST_REQUEST] = LB_LEAST_REQUEST,
	    [BALANCER_ROUND_ROBIN] = LB_ROUND_ROBIN,
	    [BALANCER_RANDOM] = LB_RANDOM,
	};
	size_t i;

	exclude(tried, count, true);
	i = lb_pick(&b->set, policies[b->cluster->policy->balancing.balancer],
	    loop_now_us(w->loop), &w->rng);
	exclude(tried, count, false);
	if (i == b->set.count)
		return NULL;
	*out_host = b->hosts[i];
	b->hosts[i]->refs++;
	b->hosts[i]->lb.active++;
	return b->cluster->endpoints[i];
}

/* The index, or how many there are. */
static size_t
find_at(const struct bound *b, const struct addr *at)
{
	size_t i = 0;

	while (
	    i < b->set.count && !addr_eq(&b->cluster->endpoints[i]->addr, at))
		i++;
	return i;
}

bool
bound_has_at(const struct bound *b, const struct addr *at)
{
	return find_at(b, at) < b->set.count;
}

const struct view_endpoint *
bound_pick_at(struct bound *b, const struct addr *at, struct host **out_host)
{
	size_t i = find_at(b, at);

	if (i == b->set.count)
		return NULL;
	*out_host = b->hosts[i];
	b->hosts[i]->refs++;
	b->hosts[i]->lb.active++;
	return b->cluster->endpoints[i];
}

uint64_t
bound_longest_us(const struct bound *b)
{
	return b != NULL ? b->cluster->policy->connections.longest_us : 0;
}

bool
bound_speaks_http2(const struct bound *b, const struct http_head *h)
{
	const struct view_cluster *c = b->cluster;

	return c->policy->connections.as_downstream ? h->version == HTTP_V2
						    : c->http2;
}

struct bound *
snapshot_bind(struct snapshot *s, const struct view_cluster *c)
{
	struct bound *b;

	c = view_cluster_now(s->view, c);
	b = *place_of(s->bound, s->bound_cap, c);
	if (b != NULL)
		return b;
	if (2 * ++s->bound_count > s->bound_cap)
		grow(s);
	b = bind(s, c);
	*place_of(s->bound, s->bound_cap, c) = b;
	return b;
}

bool
bound_is_awaited(const struct bound *b)
{
	return b->cluster->usable_count == 0 && b->cluster->awaited_count > 0;
}

struct bound *
bound_now(const struct bound *b, struct worker *w, struct snapshot **held)
{
	const struct view_cluster *c = view_find_like(w->now->view, b->cluster);
	struct snapshot *before = *held;

	if (c == NULL)
		return NULL;
	*held = snapshot_ref(w->now);
	snapshot_unref(&before);
	return snapshot_bind(*held, c);
}
