/* SPDX-License-Identifier: Apache-2.0 */
/*
 * propose — mutations on their way in, several to one commit.
 *
 * What waits while the disk flushes goes into the next transaction together,
 * so that the cost of an fsync is shared by as many as there are. A refusal
 * undoes its own mutation only. If the transaction as a whole fails, each is
 * tried alone: a large one that finds no room does not take the small along.
 */
#include "apply.h"
#include "thread.h"
#include "wire.h"

enum { DECODED_MAX = STORE_OPS_MAX * sizeof(struct store_op) + 4096 };

struct proposal {
	struct request r;
	store_propose_cb cb;
	void *arg;
	struct buf bytes; /* the mutation, encoded */
	enum err err;
	struct fault why;
	struct apply_result result;
	size_t count; /* of outcomes */
};

static struct proposal *
proposal_of(struct list *it)
{
	return CONTAINER(it, struct proposal, r.link);
}

/* Of the disk or the file, and not of what was to be written. */
static bool
is_trouble(enum err e)
{
	return e == ERR_IO || e == ERR_NO_SPACE || e == ERR_PERMISSION ||
	       e == ERR_CORRUPT;
}

static void
keep_trouble(struct store *s, const struct proposal *p)
{
	if (is_trouble(p->err))
		s->trouble = p->why;
	else if (p->err == OK)
		s->trouble = (struct fault){0};
	else
		return; /* it was not tried */
	metric_gauge_set(s->failing, p->err != OK);
}

static void
done(struct request *r)
{
	struct proposal *p = CONTAINER(r, struct proposal, r);
	struct store_result result = {
	    .err = p->err,
	    .why = p->err == OK ? NULL : &p->why,
	    .failed_op = p->result.failed_op,
	    .revision = p->result.revision,
	    .outcomes = p->result.outcomes,
	    .count = p->err == OK ? p->count : 0,
	};

	keep_trouble(r->store, p);
	p->cb(&result, p->arg);
	buf_fini(&p->bytes);
	mem_free(&p->result.outcomes);
	mem_free(&p);
}

static enum err
run_one(struct store *s, struct proposal *p)
{
	AUTO(arena_fini) struct arena a;
	struct store_mutation m;
	enum err e;

	arena_init(&a, DECODED_MAX);
	e = wire_decode(buf_slice(&p->bytes), &a, &m);
	if (e != OK)
		return fault_set(&p->why, e, "%s", err_text(e));
	return apply(&s->db, s->db.revision + 1, &m, buf_slice(&p->bytes),
	    &p->result, &p->why);
}

/* True if it is settled; else the whole group is undone, for *out_err. */
static bool
run_group(
    struct store *s, struct list *group, enum err *out_err, struct fault *why)
{
	uint64_t before = s->db.revision;
	enum err e = db_begin(&s->db, why);

	LIST_EACH (group, it) {
		struct proposal *p = proposal_of(it);

		if (e != OK || s->db.failed)
			break;
		p->err = run_one(s, p);
		if (s->db.failed) {
			e = p->err;
			*why = p->why;
		}
	}
	if (e == OK)
		e = db_commit(&s->db, why);
	if (e == OK)
		return true;
	db_rollback(&s->db, before);
	*out_err = e;
	return false;
}

static void
fail_all(struct list *group, enum err e, const struct fault *why)
{
	LIST_EACH (group, it) {
		struct proposal *p = proposal_of(it);

		p->err = e;
		p->why = *why;
		p->result.failed_op = 0;
	}
}

static void
post_all(struct list *group)
{
	LIST_EACH (group, it) {
		struct proposal *p = proposal_of(it);

		list_remove(it);
		request_post(&p->r);
	}
}

static void
run_alone(struct store *s, struct list *group)
{
	LIST_EACH (group, it) {
		struct list one;

		list_remove(it);
		list_init(&one);
		list_push_back(&one, it);
		propose_run(s, &one);
	}
}

void
propose_run(struct store *s, struct list *group)
{
	bool several = group->next->next != group;
	struct fault why = {0};
	enum err e = store_check_open(s, &why);

	if (e != OK) {
		fail_all(group, e, &why);
	} else if (!run_group(s, group, &e, &why)) {
		if (several && !s->db.frozen) {
			run_alone(s, group);
			return;
		}
		fail_all(group, e, &why);
	}
	watch_deliver_all(s);
	post_all(group);
	if (s->is_open)
		db_checkpoint(&s->db);
}

/* False if too many wait already. */
static bool
take_place(struct store *s)
{
	bool room;

	pthread_mutex_lock(&s->lock);
	room = s->proposals < STORE_QUEUE_MAX;
	if (room)
		s->proposals++;
	pthread_mutex_unlock(&s->lock);
	return room;
}

static enum err
prepare(struct proposal *p, const struct store_mutation *m)
{
	enum err e = wire_check(m, &p->result.failed_op, &p->why);

	if (e != OK)
		return e;
	e = wire_encode(m, &p->bytes);
	if (e == OK) {
		p->result.outcomes =
		    mem_try(m->op_count * sizeof(*p->result.outcomes));
		if (p->result.outcomes == NULL)
			e = ERR_NO_MEMORY;
	}
	if (e == ERR_LIMIT)
		return fault_set(&p->why, e,
		    "more than %d bytes in one mutation", STORE_MUTATION_MAX);
	if (e != OK)
		return fault_set(&p->why, e, "%s", err_text(e));
	p->count = m->op_count;
	if (!take_place(p->r.store))
		return fault_set(&p->why, ERR_BUSY,
		    "more than %d writes are waiting for the disk",
		    STORE_QUEUE_MAX);
	return OK;
}

struct slice
store_trouble(const struct store *s)
{
	return slice_str(s->trouble.text);
}

void
store_propose(struct store *s, const struct store_mutation *m,
    store_propose_cb cb, void *arg)
{
	struct proposal *p = mem_new(sizeof(*p));

	CHECK(!s->closing);
	p->r.store = s;
	p->r.done = done;
	p->cb = cb;
	p->arg = arg;
	buf_init(&p->bytes, STORE_MUTATION_MAX);
	p->err = prepare(p, m);
	if (p->err == OK)
		request_submit(&p->r);
	else
		request_post(&p->r);
}
