/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch — the change feed: each watcher at its own pace, none of them ahead.
 *
 *	IDLE --commit--> batches are posted, to the end --> IDLE
 *	begin --> a batch is posted --current--> IDLE
 *	               `--more left--> BUSY --loop took it--> next batch
 *
 * A watcher that has all of the past to see gets the next batch when it has
 * taken the last one, so that it costs one batch of memory and not the
 * database. One that is up to date gets all of what was just committed, so
 * that it hears of it before its proposer does; the proposals are bounded.
 */
#include "query.h"
#include "thread.h"

struct store_watch {
	uint32_t magic;
	struct store *store;
	store_watch_cb cb;
	void *arg;
	bool dead; /* the loop's: no call any more */

	/* The store's thread's. */
	struct list link;
	struct query_position at;
	bool busy;
};

/* A step of a watcher: begin, go on, end. */
struct step {
	struct request r;
	struct store_watch *watch;
};

/* A batch on its way to the loop. */
struct batch {
	struct request r;
	struct store_watch *watch;
	struct arena arena;
	struct fault why;
	struct store_changes changes;
	bool is_followed; /* by another that was made with it */
};

static struct step *
step_of(struct request *r)
{
	return CONTAINER(r, struct step, r);
}

static void
done_step(struct request *r)
{
	struct step *step = step_of(r);

	mem_free(&step);
}

static void
submit_step(struct store_watch *w, void (*run)(struct request *),
    void (*done)(struct request *))
{
	struct step *step = mem_new(sizeof(*step));

	step->r = (struct request){.store = w->store, .run = run, .done = done};
	step->watch = w;
	request_submit(&step->r);
}

static void run_continue(struct request *r);

static void
done_batch(struct request *r)
{
	struct batch *b = CONTAINER(r, struct batch, r);
	struct store_watch *w = b->watch;

	if (!w->dead && !w->store->closing)
		w->cb(&b->changes, w->arg);
	/* The call may have ended the watch, or the store. */
	if (!w->dead && !w->store->closing && !b->is_followed &&
	    !b->changes.current && b->changes.err == OK)
		submit_step(w, run_continue, done_step);
	arena_fini(&b->arena);
	mem_free(&b);
}

static void
deliver_one(struct store_watch *w, bool to_the_end)
{
	struct store *s = w->store;
	struct batch *b = mem_new(sizeof(*b));
	enum err e;

	b->r = (struct request){.store = s, .done = done_batch};
	b->watch = w;
	arena_init(&b->arena, QUERY_ARENA);
	e = store_check_open(s, &b->why);
	if (e == OK)
		e = query_changes(
		    &s->db, &w->at, &b->arena, &b->changes, &b->why);
	if (e != OK)
		b->changes = (struct store_changes){.err = e, .why = &b->why};
	b->changes.read_us = clock_mono_us(&clock_system);
	w->busy = e == OK && !b->changes.current;
	b->is_followed = to_the_end && w->busy;
	request_post(&b->r);
}

/* The next batch; or all there is, which is what was just committed. */
static void
deliver(struct store_watch *w, bool to_the_end)
{
	do
		deliver_one(w, to_the_end);
	while (to_the_end && w->busy);
}

void
watch_deliver_all(struct store *s)
{
	LIST_EACH (&s->watches, it) {
		struct store_watch *w = CONTAINER(it, struct store_watch, link);

		if (s->is_open && !w->busy && w->at.revision < s->db.revision)
			deliver(w, /* to_the_end */ true);
	}
}

static void
run_begin(struct request *r)
{
	struct store_watch *w = step_of(r)->watch;

	list_push_back(&r->store->watches, &w->link);
	deliver(w, /* to_the_end */ false);
}

static void
run_continue(struct request *r)
{
	deliver(step_of(r)->watch, /* to_the_end */ false);
}

static void
run_end(struct request *r)
{
	list_remove(&step_of(r)->watch->link);
}

static void
done_end(struct request *r)
{
	struct step *step = step_of(r);

	mem_free(&step->watch);
	mem_free(&step);
}

struct store_watch *
store_watch(struct store *s, uint64_t since, store_watch_cb cb, void *arg)
{
	struct store_watch *w = mem_new(sizeof(*w));

	w->magic = WATCH_MAGIC;
	w->store = s;
	w->cb = cb;
	w->arg = arg;
	w->at = query_position_at(since);
	submit_step(w, run_begin, done_step);
	return w;
}

void
store_unwatch(struct store_watch **wp)
{
	struct store_watch *w = TAKE(*wp);

	if (w == NULL)
		return;
	CHECK(w->magic == WATCH_MAGIC);
	w->dead = true;
	submit_step(w, run_end, done_end);
}

void
watch_free_all(struct store *s)
{
	LIST_EACH (&s->watches, it) {
		struct store_watch *w = CONTAINER(it, struct store_watch, link);

		list_remove(it);
		mem_free(&w);
	}
}
