/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources — put, delete, conflicts, revisions, lists, history, the log.
 */
#include "unit.h"

#include "rig.h"

static struct rig r;

static void
begin(void)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
}

static struct store_op
put_op(const char *name, const char *body, int64_t expected)
{
	return (struct store_op){.type = STORE_PUT,
	    .expected = expected,
	    .row = rig_resource(name, body)};
}

static struct store_op
delete_op(const char *name, int64_t expected)
{
	return (struct store_op){.type = STORE_DELETE,
	    .expected = expected,
	    .row = rig_resource(name, "")};
}

TEST(what_was_put_is_there_with_its_revision_and_its_times)
{
	struct store_op op = put_op("reviews", "{\"a\":1}", STORE_EXPECT_ANY);
	struct store_row key = rig_resource("reviews", "");

	begin();
	EXPECT_OK(rig_do(&r, 1000, &op));
	EXPECT_EQ(r.revision, 1);
	EXPECT_EQ(r.outcomes[0], STORE_CREATED);
	op = put_op("reviews", "{\"a\":2}", STORE_EXPECT_ANY);
	EXPECT_OK(rig_do(&r, 2000, &op));
	EXPECT_EQ(r.outcomes[0], STORE_UPDATED);
	EXPECT_OK(rig_get(&r, &key));
	EXPECT_EQ(r.rows[0].revision, 2);
	EXPECT_EQ(r.rows[0].created_ms, 1000);
	EXPECT_EQ(r.rows[0].updated_ms, 2000);
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"a\":2}"));
	EXPECT_SLICE(r.rows[0].resource.group, S("networking.istio.io"));
	rig_fini(&r);
}

TEST(the_same_again_changes_nothing_and_takes_no_revision)
{
	begin();
	EXPECT_OK(rig_put(&r, "reviews", "{}"));
	EXPECT_OK(rig_put(&r, "reviews", "{}"));
	EXPECT_EQ(r.outcomes[0], STORE_UNCHANGED);
	EXPECT_EQ(r.revision, 1);
	rig_fini(&r);
}

TEST(a_stale_revision_is_a_conflict_in_words)
{
	struct store_op stale = put_op("reviews", "{\"b\":1}", 1);

	begin();
	EXPECT_OK(rig_put(&r, "reviews", "{}"));
	EXPECT_OK(rig_put(&r, "reviews", "{\"a\":1}"));
	EXPECT_ERR(rig_do(&r, 1000, &stale), ERR_CONFLICT);
	EXPECT_STR(r.why.text,
	    "VirtualService default/reviews was changed by tester at "
	    "1970-01-01T00:00:01.000Z: it has revision 2 by now, not 1");
	stale.expected = 2;
	EXPECT_OK(rig_do(&r, 1000, &stale));
	rig_fini(&r);
}

TEST(what_must_be_new_may_not_be_there_and_what_must_be_there_not_gone)
{
	struct store_op fresh = put_op("a", "{}", STORE_EXPECT_ABSENT);
	struct store_op third = put_op("b", "{}", 3);
	struct store_op gone = delete_op("b", STORE_EXPECT_ANY);

	begin();
	EXPECT_OK(rig_do(&r, 1, &fresh));
	EXPECT_ERR(rig_do(&r, 1, &fresh), ERR_CONFLICT);
	EXPECT_STR(r.why.text, "VirtualService default/a exists already");
	EXPECT_ERR(rig_do(&r, 1, &third), ERR_CONFLICT);
	EXPECT_STR(r.why.text,
	    "VirtualService default/b does not exist, so that it cannot have "
	    "revision 3");
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_do(&r, 5000, &gone));
	EXPECT_ERR(rig_do(&r, 1, &third), ERR_CONFLICT);
	EXPECT_STR(r.why.text,
	    "VirtualService default/b was deleted by tester at "
	    "1970-01-01T00:00:05.000Z");
	rig_fini(&r);
}

TEST(delete_takes_a_row_away_and_says_when_there_is_none)
{
	struct store_op op = delete_op("a", STORE_EXPECT_ANY);
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_OK(rig_do(&r, 1, &op));
	EXPECT_EQ(r.outcomes[0], STORE_DELETED);
	EXPECT_ERR(rig_get(&r, &key), ERR_NOT_FOUND);
	EXPECT_ERR(rig_do(&r, 1, &op), ERR_NOT_FOUND);
	EXPECT_STR(r.why.text, "VirtualService default/a does not exist");
	EXPECT_EQ(r.count, 0);
	rig_fini(&r);
}

TEST(a_mutation_happens_all_or_not_at_all)
{
	struct store_op ops[] = {put_op("a", "{}", STORE_EXPECT_ANY),
	    delete_op("nobody", STORE_EXPECT_ANY)};
	struct store_mutation m = {.actor = S("tester"),
	    .time_ms = 1,
	    .ops = ops,
	    .op_count = ARRAY_LEN(ops)};
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_ERR(rig_propose(&r, &m), ERR_NOT_FOUND);
	EXPECT_EQ(r.failed_op, 1);
	EXPECT_ERR(rig_get(&r, &key), ERR_NOT_FOUND);
	EXPECT_EQ(r.revision, 0);
	rig_fini(&r);
}

TEST(a_repeated_request_is_done_once)
{
	struct store_op op = put_op("a", "{}", STORE_EXPECT_ABSENT);
	struct store_mutation m = {.actor = S("tester"),
	    .request_id = S("7f"),
	    .time_ms = 1,
	    .ops = &op,
	    .op_count = 1};

	begin();
	EXPECT_OK(rig_propose(&r, &m));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_propose(&r, &m));
	EXPECT_EQ(r.revision, 1);
	rig_fini(&r);
}

TEST(nonsense_is_refused_before_it_reaches_the_disk)
{
	struct store_op no_name = put_op("", "{}", STORE_EXPECT_ANY);
	struct store_op control = put_op("a\nb", "{}", STORE_EXPECT_ANY);
	struct store_op latin = put_op("a", "\xe9", STORE_EXPECT_ANY);
	struct store_op use = {
	    .type = STORE_PUT, .row = {.table = STORE_TOKEN_USES}};
	struct store_mutation empty = {.actor = S("tester")};

	begin();
	EXPECT_ERR(rig_do(&r, 1, &no_name), ERR_INVALID);
	EXPECT_STR(r.why.text, "resource: name is empty");
	EXPECT_ERR(rig_do(&r, 1, &control), ERR_INVALID);
	EXPECT_ERR(rig_do(&r, 1, &latin), ERR_INVALID);
	EXPECT_ERR(rig_do(&r, 1, &use), ERR_INVALID);
	EXPECT_ERR(rig_propose(&r, &empty), ERR_INVALID);
	rig_fini(&r);
}

TEST(a_body_larger_than_the_limit_is_refused)
{
	static char body[LIMIT_RESOURCE_BYTES + 2];

	memset(body, ' ', LIMIT_RESOURCE_BYTES + 1);
	begin();
	EXPECT_ERR(rig_put(&r, "a", body), ERR_LIMIT);
	EXPECT_STR(r.why.text, "resource: body is longer than 1048576 bytes");
	body[LIMIT_RESOURCE_BYTES] = 0;
	EXPECT_OK(rig_put(&r, "a", body));
	rig_fini(&r);
}

TEST(a_list_is_filtered_and_goes_on_where_it_stopped)
{
	struct store_query q = {.table = STORE_RESOURCES,
	    .where = {{"kind", S("VirtualService")}, {"ns", S("default")}},
	    .limit = 2};

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_put(&r, "c", "{}"));
	EXPECT_OK(rig_list(&r, &q));
	EXPECT_EQ(r.count, 2);
	EXPECT_SLICE(r.rows[1].resource.name, S("b"));
	EXPECT_NE(r.next, 0);
	q.after = r.next;
	EXPECT_OK(rig_list(&r, &q));
	EXPECT_EQ(r.count, 1);
	EXPECT_SLICE(r.rows[0].resource.name, S("c"));
	EXPECT_EQ(r.next, 0);
	q = (struct store_query){
	    .table = STORE_RESOURCES, .where = {{"ns", S("other")}}};
	EXPECT_OK(rig_list(&r, &q));
	EXPECT_EQ(r.count, 0);
	rig_fini(&r);
}

TEST(history_has_the_versions_and_the_deletion_newest_first)
{
	struct store_op gone = delete_op("a", STORE_EXPECT_ANY);
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}"));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":2}"));
	EXPECT_OK(rig_do(&r, 5000, &gone));
	EXPECT_OK(rig_history(&r, &key));
	EXPECT_EQ(r.count, 3);
	EXPECT_TRUE(r.rows[0].deleted);
	EXPECT_EQ(r.rows[0].updated_ms, 5000);
	EXPECT_SLICE(r.rows[1].resource.body, S("{\"v\":2}"));
	EXPECT_EQ(r.rows[1].revision, 3);
	EXPECT_SLICE(r.rows[2].resource.body, S("{\"v\":1}"));
	EXPECT_EQ(r.rows[0].outcome, STORE_DELETED);
	EXPECT_EQ(r.rows[1].outcome, STORE_UPDATED);
	EXPECT_EQ(r.rows[2].outcome, STORE_CREATED);
	EXPECT_SLICE(r.rows[0].actor, S("tester"));
	key = rig_resource("nobody", "");
	EXPECT_ERR(rig_history(&r, &key), ERR_NOT_FOUND);
	rig_fini(&r);
}

TEST(of_two_changes_by_one_mutation_the_last_word_counts)
{
	struct store_op ops[] = {put_op("a", "{\"v\":2}", STORE_EXPECT_ANY),
	    put_op("a", "{\"v\":3}", STORE_EXPECT_ANY)};
	struct store_mutation m = {
	    .actor = S("two"), .ops = ops, .op_count = ARRAY_LEN(ops)};
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}"));
	EXPECT_OK(rig_propose(&r, &m));
	EXPECT_OK(rig_history(&r, &key));
	EXPECT_EQ(r.count, 2);
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":3}"));
	EXPECT_SLICE(r.rows[0].actor, S("two"));
	EXPECT_SLICE(r.rows[1].resource.body, S("{\"v\":1}"));
	EXPECT_OK(rig_as_of(&r, 1, &key));
	EXPECT_EQ(r.count, 1);
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":1}"));
	rig_fini(&r);
}

TEST(what_changed_since_is_told_as_it_was)
{
	struct store_op gone = delete_op("b", STORE_EXPECT_ANY);
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}")); /* 1 */
	EXPECT_OK(rig_put(&r, "b", "{\"v\":1}")); /* 2 */
	EXPECT_OK(rig_put(&r, "c", "{}"));        /* 3 */
	EXPECT_OK(rig_put(&r, "a", "{\"v\":2}")); /* 4 */
	EXPECT_OK(rig_put(&r, "a", "{\"v\":3}")); /* 5 */
	EXPECT_OK(rig_do(&r, 5000, &gone));       /* 6 */
	EXPECT_OK(rig_put(&r, "d", "{}"));        /* 7 */
	EXPECT_OK(rig_as_of(&r, 3, NULL));
	EXPECT_EQ(r.count, 3);
	EXPECT_SLICE(r.rows[0].resource.name, S("a"));
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":1}"));
	EXPECT_EQ(r.rows[0].revision, 1);
	EXPECT_SLICE(r.rows[1].resource.name, S("b"));
	EXPECT_FALSE(r.rows[1].deleted);
	EXPECT_SLICE(r.rows[1].resource.body, S("{\"v\":1}"));
	EXPECT_SLICE(r.rows[2].resource.name, S("d"));
	EXPECT_TRUE(r.rows[2].deleted);
	EXPECT_EQ(r.revision, 7);
	EXPECT_OK(rig_as_of(&r, 4, &key));
	EXPECT_EQ(r.count, 1);
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":2}"));
	EXPECT_OK(rig_as_of(&r, 5, &key));
	EXPECT_EQ(r.count, 0);
	EXPECT_OK(rig_as_of(&r, 7, NULL));
	EXPECT_EQ(r.count, 0);
	EXPECT_OK(rig_as_of(&r, 0, NULL));
	EXPECT_EQ(r.count, 4);
	EXPECT_ERR(rig_as_of(&r, 8, NULL), ERR_INVALID);
	EXPECT_STR(r.why.text, "there is no revision 8 yet; the newest is 7");
	rig_fini(&r);
}

static void
on_log(const struct store_log *log, void *arg)
{
	bool *done = arg;

	EXPECT_OK(log->err);
	EXPECT_EQ(log->count, 2);
	EXPECT_EQ(log->entries[0].revision, 2);
	EXPECT_SLICE(log->entries[0].actor, S("tester"));
	EXPECT_SLICE(
	    log->entries[0].what, S("deleted VirtualService default/a"));
	EXPECT_SLICE(
	    log->entries[1].what, S("created VirtualService default/a"));
	EXPECT_EQ(log->entries[1].time_ms, 1000);
	*done = true;
}

TEST(the_log_says_who_did_what_and_when)
{
	struct store_op gone = delete_op("a", STORE_EXPECT_ANY);
	bool done = false;

	begin();
	EXPECT_OK(rig_put(&r, "a", "{}"));
	EXPECT_OK(rig_do(&r, 5000, &gone));
	store_log_list(r.store, 0, 0, on_log, &done);
	rig_wait(&r, &done);
	rig_fini(&r);
}

TEST(everything_is_there_after_a_restart)
{
	struct store_row key = rig_resource("a", "");

	begin();
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}"));
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_get(&r, &key));
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":1}"));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":2}"));
	EXPECT_EQ(r.revision, 2);
	rig_fini(&r);
}
