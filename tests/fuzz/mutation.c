/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutation — any bytes as an entry of the store's log, or as a row's key.
 *
 * The first byte chooses. What is read is written as the very same bytes: the
 * log is what several servers would compare.
 */
#include "store/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 64 << 20 };

static void
try_mutation(struct slice bytes)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf out = BUF(ARENA_MAX);
	struct store_mutation m = {0};
	struct fault why = {0};
	size_t op = 0;

	arena_init(&a, ARENA_MAX);
	if (wire_decode(bytes, &a, &m) != OK) {
		CHECK(m.ops == NULL && m.op_count == 0);
		return;
	}
	CHECK(wire_encode(&m, &out) == OK);
	CHECK(slice_eq(buf_slice(&out), bytes));
	if (wire_check(&m, &op, &why) != OK) {
		CHECK(why.text[0] != '\0');
		CHECK(op < MAX(m.op_count, 1u));
	}
	for (size_t i = 0; i < m.op_count; i++) {
		buf_reset(&out);
		CHECK(wire_row_encode(&m.ops[i].row, &out) == OK);
		CHECK(table_same(&m.ops[i].row, &m.ops[i].row));
		CHECK(table_describe(&m.ops[i].row, &out) == OK);
	}
}

static void
try_key(enum store_table table, struct slice bytes)
{
	AUTO(buf_fini) struct buf out = BUF(ARENA_MAX);
	struct store_row row;

	if (wire_key_decode(table, bytes, &row) != OK)
		return;
	CHECK(wire_key_encode(&row, &out) == OK);
	CHECK(slice_eq(buf_slice(&out), bytes));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest;

	if (size == 0)
		return 0;
	rest = slice_of(data + 1, size - 1);
	if (data[0] < STORE_TABLE_COUNT)
		try_key(data[0], rest);
	else
		try_mutation(rest);
	return 0;
}
