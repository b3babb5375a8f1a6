/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask — reads: to the store's thread with a question, back with an answer.
 */
#include "query.h"
#include "thread.h"

struct ask {
	struct request r;
	struct arena arena; /* question and answer */
	void *arg;
	union {
		store_rows_cb on_rows;
		store_log_cb on_log;
		store_hash_cb on_hash;
	};
	struct store_query query;
	struct store_row which;
	bool has_which;
	uint64_t before; /* or the revision that is asked about */
	size_t limit;
	enum err err;
	struct fault why;
	struct store_rows rows;
	struct store_log log;
	uint8_t hash[CRYPTO_SHA256_LEN];
};

static struct ask *
ask_of(struct request *r)
{
	return CONTAINER(r, struct ask, r);
}

static struct ask *
ask_new(struct store *s, void (*run)(struct request *),
    void (*done)(struct request *), void *arg)
{
	struct ask *a = mem_new(sizeof(*a));

	CHECK(!s->closing);
	a->r = (struct request){.store = s, .run = run, .done = done};
	a->arg = arg;
	arena_init(&a->arena, QUERY_ARENA);
	return a;
}

static void
ask_free(struct ask **ap)
{
	arena_fini(&(*ap)->arena);
	mem_free(ap);
}

/* Off to the store's thread, unless the question itself did not fit. */
static void
ask_send(struct ask *a, enum err e)
{
	if (e == OK) {
		request_submit(&a->r);
		return;
	}
	a->err = fault_set(&a->why, e, "%s", err_text(e));
	request_post(&a->r);
}

static const struct fault *
words(const struct ask *a)
{
	return a->err == OK ? NULL : &a->why;
}

static void
done_rows(struct request *r)
{
	struct ask *a = ask_of(r);

	a->rows.err = a->err;
	a->rows.why = words(a);
	a->on_rows(&a->rows, a->arg);
	ask_free(&a);
}

/* --- list ----------------------------------------------------------------- */

static void
run_list(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_list(
		    &r->store->db, &a->query, &a->arena, &a->rows, &a->why);
	a->rows.revision = r->store->db.revision;
}

void
store_list(
    struct store *s, const struct store_query *q, store_rows_cb cb, void *arg)
{
	struct ask *a = ask_new(s, run_list, done_rows, arg);
	enum err e = OK;

	a->on_rows = cb;
	a->query = *q;
	for (size_t i = 0; e == OK && i < STORE_WHERE_MAX; i++)
		e = arena_copy(
		    &a->arena, q->where[i].equals, &a->query.where[i].equals);
	ask_send(a, e);
}

/* --- get and history ------------------------------------------------------ */

static void
run_get(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_get(
		    &r->store->db, &a->which, &a->arena, &a->rows, &a->why);
	a->rows.revision = r->store->db.revision;
}

static void
run_history(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_history(
		    &r->store->db, &a->which, &a->arena, &a->rows, &a->why);
	a->rows.revision = r->store->db.revision;
}

static void
ask_about(struct store *s, const struct store_row *which,
    void (*run)(struct request *), store_rows_cb cb, void *arg)
{
	struct ask *a = ask_new(s, run, done_rows, arg);

	a->on_rows = cb;
	ask_send(a, table_copy_key(&a->arena, which, &a->which));
}

void
store_get(
    struct store *s, const struct store_row *which, store_rows_cb cb, void *arg)
{
	ask_about(s, which, run_get, cb, arg);
}

void
store_history(
    struct store *s, const struct store_row *which, store_rows_cb cb, void *arg)
{
	ask_about(s, which, run_history, cb, arg);
}

/* --- as it was ------------------------------------------------------------ */

static void
run_as_of(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_as_of(&r->store->db, a->before,
		    a->has_which ? &a->which : NULL, &a->arena, &a->rows,
		    &a->why);
	a->rows.revision = r->store->db.revision;
}

void
store_as_of(struct store *s, uint64_t revision, const struct store_row *which,
    store_rows_cb cb, void *arg)
{
	struct ask *a = ask_new(s, run_as_of, done_rows, arg);
	enum err e = OK;

	a->on_rows = cb;
	a->before = revision;
	a->has_which = which != NULL;
	if (which != NULL)
		e = table_copy_key(&a->arena, which, &a->which);
	ask_send(a, e);
}

/* --- the log -------------------------------------------------------------- */

static void
run_log(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_log(&r->store->db, a->before, a->limit,
		    &a->arena, &a->log, &a->why);
}

static void
done_log(struct request *r)
{
	struct ask *a = ask_of(r);

	a->log.err = a->err;
	a->log.why = words(a);
	a->on_log(&a->log, a->arg);
	ask_free(&a);
}

void
store_log_list(
    struct store *s, uint64_t before, size_t limit, store_log_cb cb, void *arg)
{
	struct ask *a = ask_new(s, run_log, done_log, arg);

	a->on_log = cb;
	a->before = before;
	a->limit = limit;
	ask_send(a, OK);
}

/* --- the hash ------------------------------------------------------------- */

static void
run_hash(struct request *r)
{
	struct ask *a = ask_of(r);

	a->err = store_check_open(r->store, &a->why);
	if (a->err == OK)
		a->err = query_hash(&r->store->db, a->hash, &a->why);
}

static void
done_hash(struct request *r)
{
	struct ask *a = ask_of(r);

	a->on_hash(a->err, a->hash, a->arg);
	ask_free(&a);
}

void
store_hash(struct store *s, store_hash_cb cb, void *arg)
{
	struct ask *a = ask_new(s, run_hash, done_hash, arg);

	a->on_hash = cb;
	ask_send(a, OK);
}
