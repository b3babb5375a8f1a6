/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store — opening, closing and the thread in between.
 */
#include "store.h"
#include "thread.h"

const char *
store_outcome_name(enum store_outcome o)
{
	static const char *const names[] = {
	    [STORE_UNCHANGED] = "unchanged",
	    [STORE_CREATED] = "created",
	    [STORE_UPDATED] = "updated",
	    [STORE_DELETED] = "deleted",
	};

	CHECK((unsigned)o < ARRAY_LEN(names));
	return names[o];
}

/* --- requests ------------------------------------------------------------- */

static void
queue_add(struct request *r)
{
	struct store *s = r->store;

	pthread_mutex_lock(&s->lock);
	list_push_back(&s->queue, &r->link);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void
request_submit(struct request *r)
{
	CHECK(!r->store->closing);
	queue_add(r);
}

static void
on_done(void *arg)
{
	struct request *r = arg;

	r->done(r);
}

void
request_post(struct request *r)
{
	loop_post(r->store->loop, on_done, r);
}

enum err
store_check_open(struct store *s, struct fault *why)
{
	if (s->is_open)
		return OK;
	if (why != NULL)
		*why = s->open_why;
	return s->open_err;
}

/* --- the thread ----------------------------------------------------------- */

/* Waits, then moves all that is queued to the caller's list. */
static void
take_all(struct store *s, struct list *out)
{
	pthread_mutex_lock(&s->lock);
	while (list_empty(&s->queue))
		pthread_cond_wait(&s->wake, &s->lock);
	LIST_EACH (&s->queue, it) {
		list_remove(it);
		list_push_back(out, it);
	}
	s->proposals = 0;
	pthread_mutex_unlock(&s->lock);
}

static struct request *
first(struct list *requests)
{
	return LIST_FIRST(requests, struct request, link);
}

/* Some are there. Proposals that follow each other share a transaction. */
static void
run_some(struct store *s, struct list *requests)
{
	struct request *r = first(requests);
	struct list group;

	CHECK(r != NULL);
	if (r->run != NULL) {
		list_remove(&r->link);
		r->run(r);
		request_post(r);
		return;
	}
	list_init(&group);
	while ((r = first(requests)) != NULL && r->run == NULL) {
		list_remove(&r->link);
		list_push_back(&group, &r->link);
	}
	propose_run(s, &group);
}

static void
on_opened(void *arg)
{
	struct store *s;

	OBJ(s, arg, STORE_MAGIC);
	s->on_open(
	    s->open_err, s->open_err == OK ? NULL : &s->open_why, s->open_arg);
}

static void *
thread_main(void *arg)
{
	struct store *s;
	struct list requests;

	OBJ(s, arg, STORE_MAGIC);
	list_init(&requests);
	s->open_err =
	    db_open(&s->db, s->path, s->key.bytes, s->vfs, &s->open_why);
	s->is_open = s->open_err == OK;
	loop_post(s->loop, on_opened, s);
	while (!s->stop) {
		take_all(s, &requests);
		while (!list_empty(&requests))
			run_some(s, &requests);
	}
	return NULL;
}

/* --- open and close ------------------------------------------------------- */

struct store *
store_open(const struct store_config *config, store_open_cb on_open, void *arg)
{
	struct store *s = mem_new(sizeof(*s));

	s->failing = metric_series_get(
	    metric_family_new("meshd_store_failing",
		"1 while the last write to the disk could not be made.",
		METRIC_GAUGE, NULL, 0, NULL, 0),
	    NULL);
	s->magic = STORE_MAGIC;
	s->loop = config->loop;
	s->path = mem_strndup(config->path, strlen(config->path));
	if (config->test_vfs != NULL)
		s->vfs =
		    mem_strndup(config->test_vfs, strlen(config->test_vfs));
	secret_set(&s->key, slice_of(config->key, CRYPTO_KEY_LEN));
	s->on_open = on_open;
	s->open_arg = arg;
	list_init(&s->queue);
	list_init(&s->watches);
	CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
	CHECK(pthread_cond_init(&s->wake, NULL) == 0);
	CHECK(pthread_create(&s->thread, NULL, thread_main, s) == 0);
	return s;
}

static void
run_close(struct request *r)
{
	if (r->store->is_open)
		db_close(&r->store->db);
	r->store->is_open = false;
	r->store->stop = true;
}

static void
done_close(struct request *r)
{
	struct store *s = r->store;
	store_close_cb on_close = s->on_close;
	void *arg = s->close_arg;

	CHECK(pthread_join(s->thread, NULL) == 0);
	watch_free_all(s);
	CHECK(list_empty(&s->queue));
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	secret_fini(&s->key);
	mem_free(&s->path);
	mem_free(&s->vfs);
	mem_free(&s);
	mem_free(&r);
	if (on_close != NULL)
		on_close(arg);
}

void
store_close(struct store **sp, store_close_cb on_close, void *arg)
{
	struct store *s = TAKE(*sp);
	struct request *r;

	if (s == NULL)
		return;
	r = mem_new(sizeof(*r));
	*r = (struct request){.store = s, .run = run_close, .done = done_close};
	s->on_close = on_close;
	s->close_arg = arg;
	s->closing = true;
	queue_add(r);
}

/* --- secrets at rest ------------------------------------------------------ */

enum err
store_seal(const struct store *s, struct slice name, struct slice secret,
    struct buf *out)
{
	char *room;
	enum err e = buf_reserve(out, secret.len + CRYPTO_SEAL_OVERHEAD, &room);

	if (e != OK)
		return e;
	crypto_seal(s->key.bytes, name, secret, (uint8_t *)room);
	buf_commit(out, secret.len + CRYPTO_SEAL_OVERHEAD);
	return OK;
}

enum err
store_unseal(const struct store *s, struct slice name, struct slice sealed,
    struct secret *out)
{
	AUTO(secret_fini) struct secret plain = {0};
	enum err e;

	if (sealed.len < CRYPTO_SEAL_OVERHEAD)
		return ERR_AUTH;
	secret_init(&plain, sealed.len - CRYPTO_SEAL_OVERHEAD);
	e = crypto_unseal(s->key.bytes, name, sealed, plain.bytes);
	if (e != OK)
		return e;
	*out = plain;
	plain = (struct secret){0};
	return OK;
}
