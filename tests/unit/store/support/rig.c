/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig — a store in a folder of its own, asked and answered in one call.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rig.h"
#include "table.h"

enum { WAIT_MAX_US = 10000000 };

void
rig_init(struct rig *r)
{
	CHECK(crypto_init() == OK);
	*r = (struct rig){0};
	snprintf(r->dir, sizeof(r->dir), "/tmp/meshd-store-XXXXXX");
	CHECK(mkdtemp(r->dir) != NULL);
	snprintf(r->path, sizeof(r->path), "%s/store.db", r->dir);
	memset(r->key, 7, sizeof(r->key));
	r->loop = loop_new(NULL);
	arena_init(&r->arena, 64 << 20);
}

static void
remove_folder(const char *path)
{
	DIR *dir = opendir(path);

	CHECK(dir != NULL);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.')
			CHECK(unlinkat(dirfd(dir), e->d_name, 0) == 0);
	closedir(dir);
	CHECK(rmdir(path) == 0);
}

void
rig_fini(struct rig *r)
{
	rig_close(r);
	loop_free(&r->loop);
	arena_fini(&r->arena);
	remove_folder(r->dir);
}

void
rig_wait(struct rig *r, const bool *flag)
{
	uint64_t deadline = clock_mono_us(&clock_system) + WAIT_MAX_US;

	while (!*flag) {
		loop_turn(r->loop, 100000);
		CHECK(clock_mono_us(&clock_system) < deadline);
	}
}

/* Forgets the last answer and waits for the next. */
static void
expect_answer(struct rig *r)
{
	arena_reset(&r->arena);
	r->answered = false;
	r->err = OK;
	r->why = (struct fault){0};
	r->count = 0;
	r->next = 0;
}

static enum err
take(struct rig *r, enum err e, const struct fault *why)
{
	r->err = e;
	if (why != NULL)
		r->why = *why;
	r->answered = true;
	return e;
}

static void
on_open(enum err e, const struct fault *why, void *arg)
{
	take(arg, e, why);
}

enum err
rig_open(struct rig *r)
{
	struct store_config config = {.path = r->path,
	    .key = r->key,
	    .loop = r->loop,
	    .test_vfs = r->vfs};

	expect_answer(r);
	r->store = store_open(&config, on_open, r);
	rig_wait(r, &r->answered);
	return r->err;
}

static void
on_close(void *arg)
{
	bool *closed = arg;

	*closed = true;
}

void
rig_close(struct rig *r)
{
	bool closed = r->store == NULL;

	store_close(&r->store, on_close, &closed);
	rig_wait(r, &closed);
}

static void
on_result(const struct store_result *result, void *arg)
{
	struct rig *r = arg;

	r->failed_op = result->failed_op;
	r->revision = result->revision;
	r->count = MIN(result->count, (size_t)RIG_OUTCOMES);
	for (size_t i = 0; i < r->count; i++)
		r->outcomes[i] = result->outcomes[i];
	take(r, result->err, result->why);
}

enum err
rig_propose(struct rig *r, const struct store_mutation *m)
{
	expect_answer(r);
	store_propose(r->store, m, on_result, r);
	rig_wait(r, &r->answered);
	return r->err;
}

enum err
rig_do(struct rig *r, int64_t now, const struct store_op *op)
{
	struct store_mutation m = {
	    .actor = S("tester"), .time_ms = now, .ops = op, .op_count = 1};

	return rig_propose(r, &m);
}

struct store_row
rig_resource(const char *name, const char *body)
{
	return (struct store_row){
	    .table = STORE_RESOURCES,
	    .resource = {.group = S("networking.istio.io"),
		.kind = S("VirtualService"),
		.ns = S("default"),
		.name = slice_str(name),
		.labels = S("{}"),
		.body = slice_str(body)},
	};
}

enum err
rig_put(struct rig *r, const char *name, const char *body)
{
	struct store_op op = {.type = STORE_PUT,
	    .expected = STORE_EXPECT_ANY,
	    .row = rig_resource(name, body)};

	return rig_do(r, 1000, &op);
}

static void
on_rows(const struct store_rows *rows, void *arg)
{
	struct rig *r = arg;

	r->count = rows->count;
	r->next = rows->next;
	r->revision = rows->revision;
	for (size_t i = 0; i < rows->count && i < RIG_ROWS; i++)
		CHECK(table_copy(&r->arena, &rows->rows[i], &r->rows[i]) == OK);
	take(r, rows->err, rows->why);
}

enum err
rig_get(struct rig *r, const struct store_row *which)
{

	expect_answer(r);
	store_get(r->store, which, on_rows, r);
	rig_wait(r, &r->answered);
	return r->err;
}

enum err
rig_list(struct rig *r, const struct store_query *q)
{
	expect_answer(r);
	store_list(r->store, q, on_rows, r);
	rig_wait(r, &r->answered);
	return r->err;
}

enum err
rig_history(struct rig *r, const struct store_row *which)
{
	expect_answer(r);
	store_history(r->store, which, on_rows, r);
	rig_wait(r, &r->answered);
	return r->err;
}

enum err
rig_as_of(struct rig *r, uint64_t revision, const struct store_row *which)
{
	expect_answer(r);
	store_as_of(r->store, revision, which, on_rows, r);
	rig_wait(r, &r->answered);
	return r->err;
}

struct hash_answer {
	struct rig *rig;
	uint8_t *out;
};

static void
on_hash(enum err e, const uint8_t hash[CRYPTO_SHA256_LEN], void *arg)
{
	struct hash_answer *a = arg;

	memcpy(a->out, hash, CRYPTO_SHA256_LEN);
	take(a->rig, e, NULL);
}

void
rig_hash(struct rig *r, uint8_t out[CRYPTO_SHA256_LEN])
{
	struct hash_answer a = {r, out};

	expect_answer(r);
	store_hash(r->store, on_hash, &a);
	rig_wait(r, &r->answered);
	CHECK(r->err == OK);
}
