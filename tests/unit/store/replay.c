/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay — the same mutations on an empty file give the same content.
 */
#include "unit.h"

#include <stdio.h>

#include "apply.h"
#include "query.h"
#include "rig.h"
#include "wire.h"

enum { MUTATIONS = 400, NAMES = 20 };

static struct rig r;
static char names[NAMES][8];

static struct slice
some_name(struct rng *rng)
{
	size_t i = rng_below(rng, NAMES);

	snprintf(names[i], sizeof(names[i]), "x%zu", i);
	return slice_str(names[i]);
}

/* Any operation at all, sensible or not. */
static struct store_op
some_op(struct rng *rng)
{
	/* Half of them are puts, or there would be little to do. */
	uint64_t type = rng_below(rng, 2 * (STORE_SWEEP + 1));
	static const struct store_row kinds[] = {
	    {.table = STORE_RESOURCES, .resource.kind = {"K", 1}},
	    {.table = STORE_TOKENS,
		.token = {.max_uses = 2, .expires_ms = 300}},
	    {.table = STORE_NODES},
	    {.table = STORE_CERTS, .cert.expires_ms = 200},
	    {.table = STORE_REVOCATIONS, .revocation.expires_ms = 100},
	    {.table = STORE_SEALED},
	    {.table = STORE_SETTINGS},
	};
	struct store_op op = {.expected = STORE_EXPECT_ANY,
	    .type = type > STORE_SWEEP ? STORE_PUT : (enum store_op_type)type};

	if (op.type == STORE_CONSUME_TOKEN) {
		op.row.table = STORE_TOKEN_USES;
		op.row.token_use.token_id = some_name(rng);
		op.row.token_use.key_hash = some_name(rng);
		return op;
	}
	op.row = kinds[rng_below(rng, ARRAY_LEN(kinds))];
	if (op.type == STORE_REVOKE_TOKEN)
		op.row = kinds[1];
	if (op.row.table == STORE_RESOURCES) {
		op.row.resource.name = some_name(rng);
		op.row.resource.body = some_name(rng);
	} else if (op.row.table == STORE_TOKENS) {
		op.row.token.id = some_name(rng);
	} else {
		/* The key is the first field of all of these. */
		op.row.setting.name = some_name(rng);
	}
	return op;
}

static void
do_some(struct rng *rng, int64_t now)
{
	struct store_op ops[3];
	struct store_mutation m = {.actor = S("tester"),
	    .time_ms = now,
	    .ops = ops,
	    .op_count = 1 + rng_below(rng, ARRAY_LEN(ops))};
	enum err e;

	for (size_t i = 0; i < m.op_count; i++)
		ops[i] = some_op(rng);
	e = rig_propose(&r, &m);
	EXPECT_TRUE(e == OK || e == ERR_NOT_FOUND || e == ERR_DENIED ||
		    e == ERR_EXPIRED || e == ERR_LIMIT || e == ERR_EXISTS);
}

/* Applies the whole log of `from` to `to`, every mutation twice. */
static size_t
replay(struct db *from, struct db *to)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	size_t n = 0;

	EXPECT_OK(db_prepare(from,
	    "SELECT revision, mutation FROM log ORDER BY revision", &stmt,
	    NULL));
	EXPECT_OK(db_begin(to, NULL));
	for (; db_step(from, stmt, NULL) == OK; n++) {
		AUTO(arena_fini) struct arena a;
		enum store_outcome outcomes[8];
		struct apply_result result = {.outcomes = outcomes};
		struct store_mutation m;
		uint64_t index = (uint64_t)sqlite3_column_int64(stmt, 0);

		arena_init(&a, 1 << 20);
		EXPECT_OK(wire_decode(db_text(stmt, 1), &a, &m));
		for (int twice = 0; twice < 2; twice++)
			EXPECT_OK(apply(
			    to, index, &m, db_text(stmt, 1), &result, NULL));
		EXPECT_EQ(to->revision, index);
	}
	EXPECT_OK(db_commit(to, NULL));
	return n;
}

TEST(replaying_the_log_into_an_empty_file_gives_the_same_content)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	uint8_t copy[CRYPTO_SHA256_LEN];
	uint8_t empty[CRYPTO_SHA256_LEN];
	char path[128];
	struct db from;
	struct db to;
	struct rng rng;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	rng_init(&rng, 42);
	for (int i = 0; i < MUTATIONS; i++)
		do_some(&rng, i);
	rig_hash(&r, hash);
	rig_close(&r);
	snprintf(path, sizeof(path), "%s/copy.db", r.dir);
	EXPECT_OK(db_open(&from, r.path, r.key, NULL, NULL));
	EXPECT_OK(db_open(&to, path, r.key, NULL, NULL));
	EXPECT_OK(query_hash(&to, empty, NULL));
	EXPECT_TRUE(replay(&from, &to) > MUTATIONS / 4);
	EXPECT_OK(query_hash(&to, copy, NULL));
	EXPECT_MEM(copy, hash, sizeof(hash));
	EXPECT_TRUE(memcmp(empty, hash, sizeof(hash)) != 0);
	db_close(&to);
	db_close(&from);
	rig_fini(&r);
}

TEST(bytes_that_are_no_mutation_are_refused)
{
	AUTO(buf_fini) struct buf bytes = BUF(4096);
	AUTO(arena_fini) struct arena a;
	struct store_op op = {
	    .type = STORE_PUT, .row = rig_resource("a", "{}")};
	struct store_mutation m = {
	    .actor = S("tester"), .ops = &op, .op_count = 1};
	struct store_mutation out;

	arena_init(&a, 1 << 20);
	EXPECT_OK(wire_encode(&m, &bytes));
	EXPECT_OK(wire_decode(buf_slice(&bytes), &a, &out));
	EXPECT_SLICE(out.ops[0].row.resource.name, S("a"));
	for (size_t len = 0; len < buf_len(&bytes); len++)
		EXPECT_ERR(
		    wire_decode(slice_sub(buf_slice(&bytes), 0, len), &a, &out),
		    ERR_CORRUPT);
}
