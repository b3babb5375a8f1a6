/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch — the change feed: from the start, from a revision, as it happens.
 */
#include "unit.h"

#include <stdio.h>

#include "rig.h"

enum { SEEN_MAX = 4096 };

static struct rig r;

/* What a watcher was told: names with "-" for deleted, one word each. */
static struct {
	char text[SEEN_MAX];
	size_t len;
	size_t rows;
	size_t batches;
	size_t resets;
	uint64_t revision;
	bool current;
	bool ended;
} seen;

static void
on_changes(const struct store_changes *c, void *arg UNUSED)
{
	EXPECT_OK(c->err);
	EXPECT_FALSE(seen.ended);
	seen.batches++;
	seen.resets += c->reset;
	seen.rows += c->count;
	seen.current = c->current;
	seen.revision = c->revision;
	for (size_t i = 0; i < c->count && seen.len < SEEN_MAX / 2; i++)
		if (c->rows[i].table == STORE_RESOURCES)
			seen.len += (size_t)snprintf(seen.text + seen.len,
			    SEEN_MAX - seen.len, "%s%.*s@%d ",
			    c->rows[i].deleted ? "-" : "",
			    SLICE_ARG(c->rows[i].resource.name),
			    (int)c->rows[i].revision);
}

static struct store_watch *
begin_watch(uint64_t since)
{
	struct store_watch *w;

	memset(&seen, 0, sizeof(seen));
	w = store_watch(r.store, since, on_changes, NULL);
	rig_wait(&r, &seen.current);
	return w;
}

static void
begin(void)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
}

static enum err delete (const char *name) {
	struct store_op op = {.type = STORE_DELETE,
	    .expected = STORE_EXPECT_ANY,
	    .row = rig_resource(name, "")};

	return rig_do(&r, 1, &op);
}

TEST(a_watch_from_zero_begins_with_all_there_is)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	w = begin_watch(0);
	EXPECT_STR(seen.text, "a@1 b@2 ");
	EXPECT_EQ(seen.resets, 1);
	EXPECT_EQ(seen.revision, 2);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(a_current_watch_hears_of_a_change_before_its_proposer)
{
	struct store_watch *w;

	begin();
	w = begin_watch(0);
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_STR(seen.text, "a@1 ");
	EXPECT_OK(delete ("a"));
	EXPECT_STR(seen.text, "a@1 -a@2 ");
	EXPECT_EQ(seen.revision, 2);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(a_watch_from_a_revision_gets_the_latest_of_each_since_then)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_put(&r, "c", "{}"));
	EXPECT_OK(rig_put(&r, "b", "{\"v\":2}"));
	EXPECT_OK(delete ("a"));
	w = begin_watch(1);
	EXPECT_STR(seen.text, "c@3 b@4 -a@5 ");
	EXPECT_EQ(seen.resets, 0);
	store_unwatch(&w);
	w = begin_watch(5);
	EXPECT_STR(seen.text, "");
	EXPECT_EQ(seen.resets, 0);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(a_watch_from_the_future_begins_anew)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	w = begin_watch(99);
	EXPECT_EQ(seen.resets, 1);
	EXPECT_STR(seen.text, "a@1 ");
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(what_changes_nothing_is_not_told)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	w = begin_watch(0);
	seen.batches = 0;
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_EQ(seen.batches, 0);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(after_unwatch_nothing_comes)
{
	struct store_watch *w;

	begin();
	w = begin_watch(0);
	store_unwatch(&w);
	seen.ended = true;
	EXPECT_TRUE(w == NULL);
	EXPECT_OK(rig_put(&r, "a", "{}"));
	w = store_watch(r.store, 0, on_changes, NULL);
	store_unwatch(&w);
	EXPECT_OK(rig_put(&r, "b", "{}"));
	rig_fini(&r);
}

/* Names "n0" … of `count` rows, in one mutation. */
static enum err
put_many(size_t count)
{
	static struct store_op ops[STORE_OPS_MAX];
	static char names[STORE_OPS_MAX][24];
	struct store_mutation m = {
	    .actor = S("tester"), .ops = ops, .op_count = count};

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		ops[i] = (struct store_op){.type = STORE_PUT,
		    .expected = STORE_EXPECT_ANY,
		    .row = rig_resource(names[i], "{}")};
	}
	return rig_propose(&r, &m);
}

TEST(a_large_store_comes_in_batches_and_each_row_once)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(put_many(2500));
	w = begin_watch(0);
	EXPECT_EQ(seen.rows, 2500);
	EXPECT_TRUE(seen.batches >= 3);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(a_large_mutation_comes_in_batches_and_each_row_once)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	w = begin_watch(1);
	seen.current = false;
	EXPECT_OK(put_many(2500));
	/* All of it was heard before the proposer's answer. */
	EXPECT_TRUE(seen.current);
	EXPECT_EQ(seen.rows, 2500);
	EXPECT_EQ(seen.revision, 2);
	EXPECT_OK(put_many(STORE_OPS_MAX));
	EXPECT_TRUE(seen.current);
	EXPECT_EQ(seen.rows, STORE_OPS_MAX);
	EXPECT_EQ(seen.revision, 3);
	store_unwatch(&w);
	rig_fini(&r);
}

TEST(a_store_may_be_closed_while_it_is_watched)
{
	struct store_watch *w;

	begin();
	EXPECT_OK(put_many(2500));
	memset(&seen, 0, sizeof(seen));
	w = store_watch(r.store, 0, on_changes, NULL);
	EXPECT_TRUE(w != NULL);
	rig_fini(&r);
}
