/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers — N threads, a loop each, that start and stop together.
 *
 * Workers post to one another (an accepted descriptor changes hands), so no
 * loop goes away while another may still run: all leave their run, then each
 * closes what it has and settles, then all threads end, and only then are the
 * loops freed, by the thread that stops them.
 */
#include "inside.h"

struct worker {
	struct workers *all;
	unsigned index;
	struct loop *loop;
	pthread_t thread;
};

struct workers {
	struct workers_spec spec;
	pthread_barrier_t started; /* the workers and who makes them */
	pthread_barrier_t stopped; /* the workers */
	struct worker workers[];
};

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	const struct workers_spec *spec = &w->all->spec;

	metric_thread_init();
	if (spec->on_start != NULL)
		spec->on_start(w->loop, w->index, spec->arg);
	pthread_barrier_wait(&w->all->started);
	loop_run(w->loop);
	pthread_barrier_wait(&w->all->stopped);
	if (spec->on_stop != NULL)
		spec->on_stop(w->loop, w->index, spec->arg);
	loop_settle(w->loop);
	return NULL;
}

struct workers *
workers_new(const struct workers_spec *spec)
{
	struct workers *w;
	unsigned n = spec->count;

	CHECK(n >= 1 && n <= WORKERS_MAX);
	w = mem_new(sizeof(*w) + n * sizeof(w->workers[0]));
	w->spec = *spec;
	CHECK(pthread_barrier_init(&w->started, NULL, n + 1) == 0);
	CHECK(pthread_barrier_init(&w->stopped, NULL, n) == 0);
	for (unsigned i = 0; i < n; i++) {
		w->workers[i].all = w;
		w->workers[i].index = i;
		w->workers[i].loop = loop_new(spec->clock);
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_create(&w->workers[i].thread, NULL, worker_main,
			  &w->workers[i]) == 0);
	pthread_barrier_wait(&w->started);
	return w;
}

/* What one posted to another that had settled already. True if anything. */
static bool
settle_all(struct workers *w)
{
	bool any = false;

	for (unsigned i = 0; i < w->spec.count; i++) {
		any |= loop_has_work(w->workers[i].loop);
		loop_settle(w->workers[i].loop);
	}
	return any;
}

void
workers_free(struct workers **wp)
{
	struct workers *w = *wp;

	if (w == NULL)
		return;
	for (unsigned i = 0; i < w->spec.count; i++)
		loop_stop(w->workers[i].loop);
	for (unsigned i = 0; i < w->spec.count; i++)
		CHECK(pthread_join(w->workers[i].thread, NULL) == 0);
	while (settle_all(w))
		continue;
	for (unsigned i = 0; i < w->spec.count; i++)
		loop_free(&w->workers[i].loop);
	pthread_barrier_destroy(&w->started);
	pthread_barrier_destroy(&w->stopped);
	mem_free(wp);
}

unsigned
workers_count(const struct workers *w)
{
	return w->spec.count;
}

struct loop *
workers_loop(const struct workers *w, unsigned index)
{
	CHECK(index < w->spec.count);
	return w->workers[index].loop;
}

void
workers_post(
    struct workers *w, unsigned index, void (*fn)(void *arg), void *arg)
{
	loop_post(workers_loop(w, index), fn, arg);
}

/* One round of workers_each(); the last worker hands it on or frees it. */
struct round {
	void (*each)(struct loop *l, unsigned index, void *arg);
	void (*done)(void *arg);
	void *arg;
	struct loop *back;
	atomic_uint left;
};

/* One worker's part in it. */
struct part {
	struct round *round;
	struct loop *loop;
	unsigned index;
};

static void
run_part(void *arg)
{
	struct part *p = arg;
	struct round *r = p->round;

	r->each(p->loop, p->index, r->arg);
	mem_free(&p);
	if (atomic_fetch_sub(&r->left, 1) > 1)
		return;
	if (r->done != NULL)
		loop_post(r->back, r->done, r->arg);
	mem_free(&r);
}

void
workers_each(struct workers *w,
    void (*each)(struct loop *l, unsigned index, void *arg), struct loop *back,
    void (*done)(void *arg), void *arg)
{
	struct round *r = mem_new(sizeof(*r));

	*r = (struct round){
	    .each = each, .done = done, .arg = arg, .back = back};
	atomic_init(&r->left, w->spec.count);
	for (unsigned i = 0; i < w->spec.count; i++) {
		struct part *p = mem_new(sizeof(*p));

		*p = (struct part){r, w->workers[i].loop, i};
		loop_post(w->workers[i].loop, run_part, p);
	}
}
