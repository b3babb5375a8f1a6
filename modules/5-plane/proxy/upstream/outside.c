/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside — the way to a host that the mesh does not know; see outside.h.
 */
#include "upstream/outside.h"

enum {
	KNOWN_MAX = 256,     /* names; at one more all are forgotten */
	KNOWN_S_MAX = 5 * 60 /* however long an answer may be kept */
};

/* Where a name leads, by an answer that may be kept until then. */
struct known {
	uint64_t until_us;
	size_t count;
	struct addr addrs[OUTSIDE_ADDRS_MAX];
};

static void
drop(void *value)
{
	mem_free(&value);
}

void
outside_forget(struct worker *w)
{
	map_fini(&w->outside, drop);
	map_init(&w->outside);
}

static void
keep(const struct outside *o, uint32_t ttl_s)
{
	struct map *all = &o->worker->outside;
	struct known *k = map_get(all, o->host);

	if (o->count == 0 || ttl_s == 0)
		return;
	if (k == NULL) {
		if (all->count == KNOWN_MAX)
			outside_forget(o->worker);
		k = mem_new(sizeof(*k));
		(void)map_put(all, o->host, k); /* was not there */
	}
	k->until_us = loop_now_us(o->worker->loop) +
		      MIN(ttl_s, (uint32_t)KNOWN_S_MAX) * UINT64_C(1000000);
	k->count = o->count;
	memcpy(k->addrs, o->addrs, o->count * sizeof(o->addrs[0]));
}

static void
take(struct outside *o, const struct addr *addrs, size_t count)
{
	o->count = MIN(count, (size_t)OUTSIDE_ADDRS_MAX);
	for (size_t i = 0; i < o->count; i++) {
		o->addrs[i] = addrs[i];
		o->addrs[i].port = o->port;
	}
}

static void
on_addrs(void *arg, enum err e, const struct addr *addrs, size_t count,
    uint32_t ttl_s)
{
	struct outside *o = arg;

	o->looking = NULL;
	take(o, addrs, count);
	keep(o, ttl_s);
	o->done(o->arg, e);
}

static void
on_known(void *arg)
{
	struct outside *o = arg;

	o->done(o->arg, OK);
}

bool
outside_find(struct outside *o, struct slice host, uint16_t port)
{
	struct loop *l = o->worker->loop;
	const struct known *k = map_get(&o->worker->outside, host);

	o->host = host;
	o->port = port;
	if (k != NULL && k->until_us > loop_now_us(l)) {
		take(o, k->addrs, k->count);
		loop_later_init(&o->later, on_known, o);
		loop_later(l, &o->later);
		return true;
	}
	o->looking = loop_resolve(l, host, ADDR_NONE, on_addrs, o);
	return o->looking != NULL;
}

void
outside_be(struct outside *o, struct worker *w, const struct addr *a)
{
	*o = (struct outside){.worker = w, .port = a->port, .count = 1};
	o->addrs[0] = *a;
}

/* Apart from the ids of what the mesh knows, whose network is part of them. */
static uint64_t
id_of(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	return slice_hash_stable(slice_str(addr_format(a, text))) ^
	       UINT64_C(0x6f75747369646521);
}

const struct view_endpoint *
outside_pick(struct outside *o, struct host **out_host)
{
	const struct addr *a;

	if (o->count == 0)
		return NULL;
	a = &o->addrs[o->tried++ % o->count];
	o->endpoint = (struct view_endpoint){
	    .id = id_of(a), .addr = *a, .weight = 1, .usable = true};
	*out_host = hosts_ref(o->worker->hosts, o->endpoint.id);
	(*out_host)->lb.active++;
	return &o->endpoint;
}

void
outside_stop(struct outside *o)
{
	loop_resolve_cancel(&o->looking);
	loop_later_cancel(&o->later);
}
