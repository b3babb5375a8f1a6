/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — names that are asked for, so that the servers tell of them.
 *
 * An agent knows of the mesh what it needs. Who asks for a name is about to
 * call it: the servers are asked, the first question waits for a moment, and
 * while it is asked for they are asked again. Any name may be a ServiceEntry's:
 * of those outside the mesh's domain only so many are asked about at a time.
 */
#include "inside.h"

enum {
	AGAIN_US = 60 * 1000000,   /* until the servers are asked again */
	FORGET_US = 300 * 1000000, /* nobody asks for it any more */
	SWEEP_US = 10 * 1000000
};

struct host {
	struct list waiting; /* struct ask */
	uint64_t asked_us;
	bool ours;
	bool answered; /* at least once */
};

/* A question on its way to the control loop and back. */
struct resolver_host {
	struct resolver *resolver; /* a reference */
	enum err e;
	size_t len;
	char host[NAME_HOST_MAX + 1];
};

static void
drop_ask(struct resolver_host *x)
{
	resolver_unref(x->resolver);
	mem_free(&x);
}

/* --- what was said -------------------------------------------------------- */

/* No server answers: what members say may still come, with a view. */
static void
go_on_blind(struct host *h)
{
	LIST_EACH (&h->waiting, it)
		timer_set(&CONTAINER(it, struct ask, host_link)->timer,
		    BLIND_WAIT_US);
}

static void
answer_all(struct host *h)
{
	while (!list_empty(&h->waiting))
		answer_ask(LIST_FIRST(&h->waiting, struct ask, host_link));
}

/* On the thread. */
static void
on_answer(void *arg)
{
	struct resolver_host *x = arg;
	struct resolver *r = x->resolver;
	struct host *h = map_get(&r->hosts, slice_of(x->host, x->len));

	if (h != NULL) {
		h->answered = true;
		if (x->e != OK && h->ours)
			go_on_blind(h);
		else
			answer_all(h);
	}
	drop_ask(x);
}

/* On the control loop. */
void
resolver_host_told(struct resolver_host *x, enum err e)
{
	x->e = e;
	if (x->resolver->closed)
		drop_ask(x);
	else
		loop_post(x->resolver->loop, on_answer, x);
}

static void
on_ask(void *arg)
{
	struct resolver_host *x = arg;
	struct resolver *r = x->resolver;

	if (r->closed)
		drop_ask(x);
	else
		r->spec.on_host(r->spec.arg, slice_of(x->host, x->len), x);
}

static void
ask_servers(struct resolver *r, struct slice host)
{
	struct resolver_host *x = mem_new(sizeof(*x));

	x->resolver = r;
	atomic_fetch_add(&r->refs, 1);
	x->len = host.len;
	memcpy(x->host, host.ptr, host.len);
	loop_post(r->spec.control, on_ask, x);
}

/* --- which are known ------------------------------------------------------ */

static void
drop_host(void *value)
{
	struct host *h = value;

	mem_free(&h);
}

static void
move_host(struct resolver *r, struct map *to, struct slice name, struct host *h,
    uint64_t now)
{
	if (list_empty(&h->waiting) && h->asked_us + FORGET_US < now) {
		r->outside_count -= !h->ours;
		drop_host(h);
		return;
	}
	(void)map_put(to, name, h); /* each name once */
}

static void
sweep(struct resolver *r, uint64_t now)
{
	struct map before = r->hosts;
	struct slice name;
	void *value;

	if (now - r->hosts_swept_us < SWEEP_US)
		return;
	r->hosts_swept_us = now;
	map_init(&r->hosts);
	for (size_t i = 0; map_next(&before, &i, &name, &value);)
		move_host(r, &r->hosts, name, value, now);
	map_fini(&before, NULL);
}

static bool
has_room(const struct resolver *r, bool ours)
{
	return r->hosts.count < RESOLVER_HOSTS_MAX &&
	       (ours || r->outside_count < RESOLVER_OUTSIDE_MAX);
}

/* NULL: so many at once; what is known has to do. */
static struct host *
find(struct resolver *r, struct slice name, bool ours, uint64_t now)
{
	struct host *h = map_get(&r->hosts, name);

	if (h != NULL)
		return h;
	if (!has_room(r, ours))
		sweep(r, now);
	if (!has_room(r, ours))
		return NULL;
	h = mem_new(sizeof(*h));
	list_init(&h->waiting);
	h->ours = ours;
	r->outside_count += !ours;
	(void)map_put(&r->hosts, name, h); /* it was not there */
	return h;
}

bool
hosts_know(struct resolver *r, const struct decided *d)
{
	uint64_t now = loop_now_us(r->loop);
	struct host *h;

	if (r->spec.on_host == NULL)
		return true;
	h = find(r, d->ask, d->is_ours, now);
	if (h == NULL)
		return true;
	if (h->asked_us == 0 || now - h->asked_us >= AGAIN_US) {
		h->asked_us = now;
		ask_servers(r, d->ask);
	}
	return h->answered;
}

/* --- who waits ------------------------------------------------------------ */

static void
on_time(void *arg)
{
	answer_ask(arg);
}

void
hosts_wait(struct ask *a, const struct decided *d)
{
	struct resolver *r = a->resolver;
	struct host *h = map_get(&r->hosts, d->ask);

	CHECK(h != NULL && !h->answered);
	timer_init(&a->timer, r->loop, on_time, a);
	timer_set(&a->timer, d->is_ours ? MESH_WAIT_US : OUTSIDE_WAIT_US);
	list_push_back(&h->waiting, &a->host_link);
}

/* True if it need not wait any more. */
static bool
has_come(struct ask *a)
{
	struct decided *d = &a->resolver->decided;

	decide(a->resolver->view, &a->q, /* chance */ 0, d);
	return !d->may_come;
}

void
hosts_look(struct resolver *r)
{
	LIST_EACH (&r->asks, it) {
		struct ask *a = CONTAINER(it, struct ask, link);

		if (list_is_linked(&a->host_link) && has_come(a))
			answer_ask(a);
	}
}

void
hosts_close(struct resolver *r)
{
	map_fini(&r->hosts, drop_host);
}
