/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wanted — hosts that programs call by name; see wanted.h.
 */
#include "outbound/wanted.h"

struct wanted_host {
	struct list waiting;
	uint64_t asked_us;
	bool answered; /* at least once */
};

struct wanted {
	struct worker *worker;
	struct map by_name; /* struct wanted_host */
	size_t open;        /* questions */
};

/* A question on its way to the control loop and back. */
struct proxy_ask {
	struct worker *worker;
	char *host;
};

static void
drop_host(void *value)
{
	struct wanted_host *h = value;

	CHECK(list_empty(&h->waiting));
	mem_free(&h);
}

struct wanted *
wanted_new(struct worker *w)
{
	struct wanted *x = mem_new(sizeof(*x));

	x->worker = w;
	map_init(&x->by_name);
	return x;
}

void
wanted_free(struct wanted **xp)
{
	if (*xp == NULL)
		return;
	CHECK((*xp)->open == 0);
	map_fini(&(*xp)->by_name, drop_host);
	mem_free(xp);
}

bool
wanted_is_quiet(const struct wanted *x)
{
	return x->open == 0;
}

/* --- asking --------------------------------------------------------------- */

/* On the worker. Who waits may be gone with each call. */
static void
on_answer(void *arg)
{
	struct proxy_ask *a = arg;
	struct wanted *x = a->worker->wanted;
	struct wanted_host *h = map_get(&x->by_name, slice_str(a->host));

	x->open--;
	if (h != NULL)
		h->answered = true;
	while (h != NULL && !list_empty(&h->waiting)) {
		struct wanted_waiter *v =
		    LIST_FIRST(&h->waiting, struct wanted_waiter, link);

		wanted_leave(v);
		v->fn(v->arg);
	}
	mem_free(&a->host);
	mem_free(&a);
}

void
proxy_host_told(struct proxy_ask *a)
{
	loop_post(a->worker->loop, on_answer, a);
}

/* On the control loop. */
static void
on_ask(void *arg)
{
	struct proxy_ask *a = arg;
	const struct proxy_spec *spec = &a->worker->proxy->spec;

	spec->on_host(spec->arg, slice_str(a->host), a);
}

static void
ask(struct wanted *x, struct slice host)
{
	struct proxy_ask *a = mem_new(sizeof(*a));

	a->worker = x->worker;
	a->host = mem_strndup(host.ptr, host.len);
	x->open++;
	loop_post(x->worker->proxy->spec.control, on_ask, a);
}

/* Those that are called will be there again soon. */
static void
make_room(struct wanted *x)
{
	if (x->by_name.count < WANTED_HOSTS_MAX || x->open > 0)
		return;
	map_fini(&x->by_name, drop_host);
	map_init(&x->by_name);
}

static struct wanted_host *
find(struct wanted *x, struct slice host)
{
	struct wanted_host *h = map_get(&x->by_name, host);

	if (h != NULL)
		return h;
	make_room(x);
	if (x->by_name.count >= WANTED_HOSTS_MAX)
		return NULL;
	h = mem_new(sizeof(*h));
	list_init(&h->waiting);
	(void)map_put(&x->by_name, host, h); /* it was not there */
	return h;
}

bool
wanted_call(struct wanted *x, struct slice host)
{
	uint64_t now = loop_now_us(x->worker->loop);
	struct wanted_host *h;

	if (x->worker->proxy->spec.on_host == NULL || x->worker->draining)
		return true;
	h = find(x, host);
	if (h == NULL)
		return true; /* so many at once: what is known has to do */
	if (h->asked_us == 0 || now - h->asked_us >= WANTED_AGAIN_US) {
		h->asked_us = now;
		ask(x, host);
	}
	return h->answered;
}

void
wanted_wait(struct wanted *x, struct slice host, struct wanted_waiter *v)
{
	struct wanted_host *h = map_get(&x->by_name, host);

	CHECK(h != NULL && !h->answered);
	list_push_back(&h->waiting, &v->link);
}

void
wanted_leave(struct wanted_waiter *v)
{
	list_remove(&v->link);
}
