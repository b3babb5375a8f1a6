/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal — how far back the log goes, and who asks for more than that.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static struct rig r;

struct many {
	size_t asked;
	size_t answered;
	bool all;
};

static void
on_result(const struct store_result *result, void *arg)
{
	struct many *m = arg;

	EXPECT_OK(result->err);
	m->all = ++m->answered == m->asked;
}

/* `count` mutations at once: the queue bounds how many may wait. */
static void
put_some(size_t count, const char *body)
{
	struct many m = {.asked = count};
	static int n;

	for (size_t i = 0; i < count; i++) {
		char name[24];
		struct store_op op = {
		    .type = STORE_PUT, .expected = STORE_EXPECT_ANY};
		struct store_mutation mutation = {
		    .actor = S("tester"), .ops = &op, .op_count = 1};

		snprintf(name, sizeof(name), "n%d", n++);
		op.row = rig_resource(name, body);
		store_propose(r.store, &mutation, on_result, &m);
	}
	rig_wait(&r, &m.all);
}

struct log_end {
	size_t count;
	uint64_t oldest;
	bool done;
};

static void
on_log(const struct store_log *log, void *arg)
{
	struct log_end *end = arg;

	EXPECT_OK(log->err);
	end->count = log->count;
	if (log->count > 0)
		end->oldest = log->entries[log->count - 1].revision;
	end->done = true;
}

/* Walks the log page by page to its end. */
static struct log_end
find_end(void)
{
	struct log_end total = {0};
	struct log_end page = {.count = 1};

	while (page.count > 0) {
		page.done = false;
		store_log_list(r.store, page.oldest, 0, on_log, &page);
		rig_wait(&r, &page.done);
		total.count += page.count;
		total.oldest = page.oldest;
	}
	return total;
}

static void
on_changes(const struct store_changes *c, void *arg)
{
	int *resets = arg;

	EXPECT_OK(c->err);
	*resets += c->reset;
	if (c->current)
		*resets += 100;
}

/* How often a watch from there was reset before it was current. */
static int
resets_from(uint64_t since)
{
	int resets = 0;
	struct store_watch *w =
	    store_watch(r.store, since, on_changes, &resets);

	while (resets < 100)
		loop_turn(r.loop, 100000);
	store_unwatch(&w);
	return resets - 100;
}

TEST(the_log_keeps_so_many_mutations_and_who_was_away_longer_begins_anew)
{
	struct log_end end;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	for (int i = 0; i < 5; i++)
		put_some(2010, "{}");
	end = find_end();
	EXPECT_EQ(end.count, STORE_LOG_MAX);
	EXPECT_EQ(end.oldest, 51);
	EXPECT_EQ(resets_from(50), 0);
	EXPECT_EQ(resets_from(49), 1);
	EXPECT_ERR(rig_as_of(&r, 49, NULL), ERR_NOT_FOUND);
	EXPECT_STR(r.why.text,
	    "what was at revision 49 is forgotten; the log reaches back to "
	    "revision 50");
	EXPECT_OK(rig_as_of(&r, 10040, NULL));
	EXPECT_EQ(r.count, 10);
	rig_fini(&r);
}

TEST(the_log_keeps_so_many_bytes)
{
	enum { BODY = 1 << 20, PUTS = (STORE_LOG_BYTES >> 20) + 4 };
	char *body = mem_new(BODY + 1);
	struct log_end end;

	memset(body, 'x', BODY);
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	put_some(PUTS, body);
	end = find_end();
	EXPECT_TRUE(end.count < (STORE_LOG_BYTES >> 20));
	EXPECT_TRUE(end.count >= (STORE_LOG_BYTES >> 20) - 2);
	put_some(1, "{}");
	EXPECT_EQ(find_end().oldest, end.oldest);
	rig_fini(&r);
	mem_free(&body);
}

/* What was replaced is kept as well, and counts. */
TEST(the_bytes_of_what_was_replaced_count)
{
	enum { BODY = 1 << 20, PUTS = (STORE_LOG_BYTES >> 20) };
	char *body = mem_new(BODY + 1);
	struct log_end end;

	memset(body, 'x', BODY);
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	for (int i = 0; i < PUTS; i++) {
		body[i] = 'y';
		EXPECT_OK(rig_put(&r, "a", body));
	}
	end = find_end();
	EXPECT_TRUE(end.count <= PUTS / 2);
	EXPECT_TRUE(end.count >= PUTS / 2 - 2);
	rig_fini(&r);
	mem_free(&body);
}
