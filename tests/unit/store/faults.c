/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults — a disk that fails or is full, a memory that runs out.
 *
 * Each walk lets the n-th operation fail, for every n that there is, and looks
 * at the file afterwards: what was acknowledged is there, and it opens without
 * anybody's help.
 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "faulty.h"
#include "rig.h"

enum { WRITES = 3, WALK_MAX = 3000 };

static struct rig r;
static bool acked[WRITES];

static const char *const names[WRITES] = {"a", "b", "c"};

__attribute__((constructor)) static void
set_up(void)
{
	faulty_memory_register();
	faulty_register();
}

static void
begin(void)
{
	faulty_reset();
	memset(acked, 0, sizeof(acked));
	rig_init(&r);
	r.vfs = FAULTY_VFS;
}

static bool
is_disk_error(enum err e)
{
	return e == ERR_IO || e == ERR_NO_SPACE || e == ERR_PERMISSION;
}

/* What was acknowledged is there, and the store works again. */
static void
check_after(void)
{
	faulty_reset();
	faulty_memory_fail_at(0);
	mem_fail_at(0);
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	for (int i = 0; i < WRITES; i++) {
		struct store_row key = rig_resource(names[i], "");

		if (acked[i])
			EXPECT_OK(rig_get(&r, &key));
	}
	EXPECT_OK(rig_put(&r, "later", "{}"));
}

static void
write_some(void)
{
	for (int i = 0; i < WRITES; i++) {
		enum err e = rig_put(&r, names[i], "{}");

		acked[i] = e == OK;
		EXPECT_TRUE(e == OK || is_disk_error(e));
		if (e != OK)
			EXPECT_TRUE(r.why.text[0] != 0);
	}
}

static void
walk_writing(enum faulty_kind kind, int code)
{
	bool reached = true;
	uint64_t n;

	for (n = 1; reached && n < WALK_MAX; n++) {
		begin();
		EXPECT_OK(rig_open(&r));
		faulty_reset();
		faulty.code = code;
		faulty.fail_at[kind] = n;
		write_some();
		reached = faulty.count[kind] >= n;
		check_after();
		rig_fini(&r);
	}
	EXPECT_TRUE(n > 3 && !reached);
}

TEST(any_failing_write_loses_nothing_that_was_acknowledged)
{
	walk_writing(FAULTY_WRITE, SQLITE_IOERR_WRITE);
}

TEST(any_failing_fsync_loses_nothing_that_was_acknowledged)
{
	walk_writing(FAULTY_SYNC, 0);
}

TEST(any_failing_write_while_the_file_is_made_leaves_it_usable)
{
	static const enum faulty_kind kinds[] = {
	    FAULTY_WRITE, FAULTY_SYNC, FAULTY_READ};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		bool reached = true;

		for (uint64_t n = 1; reached && n < WALK_MAX; n++) {
			enum err e;

			begin();
			faulty.fail_at[kinds[k]] = n;
			e = rig_open(&r);
			/* The check reports what it cannot read as damage. */
			EXPECT_TRUE(
			    e == OK || is_disk_error(e) ||
			    (kinds[k] == FAULTY_READ && e == ERR_CORRUPT));
			reached = faulty.count[kinds[k]] >= n;
			check_after();
			rig_fini(&r);
		}
		EXPECT_FALSE(reached);
	}
}

TEST(a_full_disk_is_said_in_words_and_writing_goes_on_when_there_is_room)
{
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "a", "{}"));
	faulty_reset();
	faulty.code = SQLITE_FULL;
	faulty.fail_at[FAULTY_WRITE] = 1;
	faulty.lasting = true;
	for (int i = 0; i < 5; i++) {
		EXPECT_ERR(rig_put(&r, "b", "{}"), ERR_NO_SPACE);
		EXPECT_TRUE(
		    strstr(r.why.text, "no space is left on the disk") != NULL);
		EXPECT_OK(rig_get(&r, &key));
	}
	faulty_reset();
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_EQ(r.revision, 2);
	check_after();
	key = rig_resource("b", "");
	EXPECT_OK(rig_get(&r, &key));
	rig_fini(&r);
}

TEST(after_a_failed_fsync_nothing_is_written_until_a_restart)
{
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "a", "{}"));
	faulty_reset();
	faulty.fail_at[FAULTY_SYNC] = 1;
	EXPECT_ERR(rig_put(&r, "b", "{}"), ERR_IO);
	EXPECT_TRUE(strstr(r.why.text, "known after a restart") != NULL);
	EXPECT_ERR(rig_put(&r, "c", "{}"), ERR_IO);
	EXPECT_TRUE(strstr(r.why.text, "until the server restarts") != NULL);
	EXPECT_OK(rig_get(&r, &key));
	check_after();
	EXPECT_OK(rig_get(&r, &key));
	rig_fini(&r);
}

struct group {
	size_t done;
	size_t ok;
	bool all;
};

static void
on_grouped(const struct store_result *result, void *arg)
{
	struct group *g = arg;

	g->ok += result->err == OK;
	g->all = ++g->done == 2;
}

TEST(a_write_that_finds_no_room_does_not_take_its_neighbours_along)
{
	struct group g = {0};
	struct store_op op = {.type = STORE_PUT,
	    .expected = STORE_EXPECT_ANY,
	    .row = rig_resource("a", "{}")};
	struct store_mutation m = {
	    .actor = S("tester"), .ops = &op, .op_count = 1};

	begin();
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "before", "{}"));
	faulty_reset();
	faulty.code = SQLITE_FULL;
	faulty.fail_at[FAULTY_WRITE] = 1;
	store_propose(r.store, &m, on_grouped, &g);
	op.row = rig_resource("b", "{}");
	store_propose(r.store, &m, on_grouped, &g);
	rig_wait(&r, &g.all);
	EXPECT_TRUE(g.ok >= 1);
	check_after();
	rig_fini(&r);
}

/* One short life of a store while the n-th allocation fails. */
static void
live_without_memory(void)
{
	struct store_query q = {.table = STORE_RESOURCES};
	enum err e = rig_open(&r);

	EXPECT_TRUE(e == OK || e == ERR_NO_MEMORY);
	if (e != OK)
		return;
	for (int i = 0; i < WRITES; i++) {
		e = rig_put(&r, names[i], "{}");
		EXPECT_TRUE(e == OK || e == ERR_NO_MEMORY);
		acked[i] = e == OK;
	}
	e = rig_list(&r, &q);
	EXPECT_TRUE(e == OK || e == ERR_NO_MEMORY);
}

TEST(sqlite_may_run_out_of_memory_at_any_time)
{
	uint64_t step = 1;
	bool failed = true;

	for (uint64_t n = 1; failed && n < 100000; n += step) {
		begin();
		faulty_memory_fail_at(n);
		live_without_memory();
		failed = faulty_memory_has_failed();
		check_after();
		rig_fini(&r);
		step = 1 + n / 50;
	}
	EXPECT_FALSE(failed);
}

TEST(our_own_memory_may_run_out_at_any_time)
{
	for (uint64_t n = 1; n < 60; n++) {
		begin();
		EXPECT_OK(rig_open(&r));
		mem_fail_at(n);
		for (int i = 0; i < WRITES; i++) {
			enum err e = rig_put(&r, names[i], "{}");

			EXPECT_TRUE(e == OK || e == ERR_NO_MEMORY);
			acked[i] = e == OK;
		}
		check_after();
		rig_fini(&r);
	}
}
