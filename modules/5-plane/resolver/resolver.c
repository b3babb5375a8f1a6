/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver — its thread, its views, its birth and end.
 *
 * What is on its way between the two loops holds a reference; after the close
 * it comes to nothing.
 */
#include <stdio.h>

#include "inside.h"

/* --- on the thread -------------------------------------------------------- */

static void
on_start(struct loop *l, unsigned index, void *arg)
{
	struct resolver *r;

	(void)index; /* there is one */
	OBJ(r, arg, RESOLVER_MAGIC);
	r->loop = l;
	stats_open(r);
	r->cache = dns_cache_new(CACHE_BYTES_MAX);
	for (size_t i = 0; i < r->spec.listen_count; i++)
		r->doors[i] = door_open(r, &r->listen[i]);
	relay_set_upstreams(r);
}

static void
on_stop(struct loop *l, unsigned index, void *arg)
{
	struct resolver *r;

	(void)l; /* r->loop */
	(void)index;
	OBJ(r, arg, RESOLVER_MAGIC);
	r->stopping = true;
	while (!list_empty(&r->asks)) {
		struct ask *a = LIST_FIRST(&r->asks, struct ask, link);

		if (a->asker.kind == ASKER_INSIDE)
			answer_failed(
			    a, DNS_SERVFAIL, "this agent is stopping");
		else
			ask_free(a);
	}
	for (size_t i = 0; i < ARRAY_LEN(r->doors); i++)
		door_close(&r->doors[i]);
	conns_close(r);
}

struct new_view {
	struct resolver *resolver;
	struct view *view; /* a reference */
};

static void
on_view(void *arg)
{
	struct new_view *n = arg;
	struct view *before = (struct view *)(uintptr_t)n->resolver->view;

	n->resolver->view = n->view;
	view_unref(&before);
	hosts_look(n->resolver);
	mem_free(&n);
}

/* --- on the control loop -------------------------------------------------- */

void
resolver_publish(struct resolver *r, const struct view *v)
{
	struct new_view *n = mem_new(sizeof(*n));

	*n = (struct new_view){r, view_ref(v)};
	loop_post(r->loop, on_view, n);
}

static void
keep_spec(struct resolver *r, const struct resolver_spec *spec)
{
	const char *conf = spec->conf != NULL ? spec->conf : RESOLVER_CONF;
	size_t upstreams = MIN(spec->upstream_count, RESOLVER_ADDRS_MAX);

	r->spec = *spec;
	r->spec.listen_count = MIN(spec->listen_count, RESOLVER_ADDRS_MAX);
	for (size_t i = 0; i < r->spec.listen_count; i++)
		r->listen[i] = spec->listen[i];
	for (size_t i = 0; i < upstreams; i++)
		r->asked[i] = spec->upstreams[i];
	r->spec.listen = r->listen;
	r->spec.upstreams = r->asked;
	r->spec.upstream_count = upstreams;
	(void)snprintf(r->conf, sizeof(r->conf), "%s", conf);
	r->spec.conf = r->conf;
}

struct resolver *
resolver_open(const struct resolver_spec *spec)
{
	struct resolver *r = mem_new(sizeof(*r));
	struct workers_spec thread = {.count = 1,
	    .clock = loop_clock(spec->control),
	    .on_start = on_start,
	    .on_stop = on_stop,
	    .arg = r};

	r->magic = RESOLVER_MAGIC;
	atomic_init(&r->refs, 1);
	keep_spec(r, spec);
	list_init(&r->asks);
	list_init(&r->conns);
	map_init(&r->hosts);
	rng_init_random(&r->rng);
	r->thread = workers_new(&thread);
	return r;
}

void
resolver_unref(struct resolver *r)
{
	if (atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	r->magic = 0;
	mem_free(&r);
}

void
resolver_close(struct resolver **rp)
{
	struct resolver *r = *rp;
	struct view *v;

	*rp = NULL;
	if (r == NULL)
		return;
	r->closed = true;
	workers_free(&r->thread);
	hosts_close(r);
	dns_cache_free(&r->cache);
	v = (struct view *)(uintptr_t)r->view;
	r->view = NULL;
	view_unref(&v);
	resolver_unref(r);
}
