/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sequence — both ends through the turns that a stream takes.
 */
#include "unit.h"

#include <stdio.h>

#include "pair.h"

static struct pair p;

static void
begin(void)
{
	pair_init(&p);
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	pair_connect(&p);
	pair_run(&p);
}

TEST(a_client_gets_what_is_there_and_what_comes_later)
{
	pair_init(&p);
	pair_put(&p, "a", "1", "A");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	pair_connect(&p);
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A ");
	pair_put(&p, "b", "2", "B");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A b@2=B ");
	EXPECT_STR(p.last, "b@2 acked");
	pair_remove(&p, "a");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "b@2=B ");
	EXPECT_TRUE(xds_server_stream_is_quiet(p.stream));
	pair_fini(&p);
}

TEST(an_empty_server_answers_so_that_the_client_knows)
{
	pair_init(&p);
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	EXPECT_FALSE(xds_client_is_synced(p.client));
	pair_connect(&p);
	EXPECT_FALSE(xds_client_is_synced(p.client));
	pair_run(&p);
	EXPECT_TRUE(xds_client_is_synced(p.client));
	EXPECT_EQ(p.responses, 1);
	EXPECT_EQ(p.answers, 1); /* though there was nothing to acknowledge */
	pair_disconnect(&p);
	EXPECT_FALSE(xds_client_is_synced(p.client));
	pair_fini(&p);
}

TEST(the_first_change_goes_at_once_and_later_ones_wait_together)
{
	begin();
	p.responses = 0;
	p.hold = true;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_EQ(p.responses, 1);
	for (int i = 0; i < 5; i++) {
		char version[16];

		snprintf(version, sizeof(version), "%d", i + 2);
		pair_put(&p, "a", version, "A");
		pair_put(&p, "b", version, "B");
		xds_source_flush(p.source);
	}
	EXPECT_EQ(p.responses, 1);
	pair_run(&p);
	EXPECT_EQ(p.responses, 2);
	EXPECT_STR(pair_set(&p), "a@6=A b@6=B ");
	pair_fini(&p);
}

TEST(an_update_is_acknowledged_when_it_is_in_force_and_not_before)
{
	begin();
	p.hold = true;
	p.requests = 0;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_TRUE(pair_down(&p));
	EXPECT_EQ(p.requests, 0);
	EXPECT_STR(pair_set(&p), "");
	EXPECT_FALSE(xds_client_is_synced(p.client));
	pair_settle(&p);
	EXPECT_EQ(p.requests, 1);
	EXPECT_STR(pair_set(&p), "a@1=A ");
	pair_fini(&p);
}

TEST(one_bad_resource_is_refused_alone_and_the_last_good_one_stays)
{
	begin();
	pair_put(&p, "a", "1", "A");
	pair_put(&p, "b", "1", "B");
	pair_run(&p);
	pair_put(&p, "a", "2", "bad weight");
	pair_put(&p, "b", "2", "B2");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A b@2=B2 ");
	EXPECT_STR(pair_refused(&p), "a@2: bad weight ");
	pair_put(&p, "a", "3", "A3");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@3=A3 b@2=B2 ");
	EXPECT_STR(pair_refused(&p), "");
	EXPECT_STR(p.last, "a@3 acked");
	pair_fini(&p);
}

struct seen {
	char text[256];
	size_t len;
};

static void
see(void *arg, const struct xds_status *s)
{
	struct seen *seen = arg;

	seen->len += (size_t)snprintf(seen->text + seen->len,
	    sizeof(seen->text) - seen->len, "%.*s@%.*s %s %.*s;",
	    SLICE_ARG(s->name), SLICE_ARG(s->version), xds_state_name(s->state),
	    SLICE_ARG(s->reason));
}

TEST(the_server_knows_how_each_resource_stands)
{
	struct seen seen = {.len = 0};

	begin();
	pair_put(&p, "a", "2", "bad weight");
	pair_run(&p);
	xds_server_stream_each(p.stream, see, &seen);
	EXPECT_STR(seen.text, "a@2 refused bad weight;");
	EXPECT_STR(p.last, "a@2 refused: bad weight");
	pair_remove(&p, "a");
	pair_run(&p);
	EXPECT_STR(pair_refused(&p), "");
	seen = (struct seen){.len = 0};
	xds_server_stream_each(p.stream, see, &seen);
	EXPECT_STR(seen.text, "");
	pair_fini(&p);
}

TEST(who_comes_back_gets_only_what_changed_while_away)
{
	begin();
	pair_put(&p, "a", "1", "A");
	pair_put(&p, "b", "1", "B");
	pair_put(&p, "c", "1", "C");
	pair_run(&p);
	pair_disconnect(&p);
	pair_put(&p, "b", "2", "B2");
	pair_remove(&p, "c");
	pair_connect(&p);
	p.hold = true;
	EXPECT_TRUE(pair_up(&p));
	EXPECT_TRUE(pair_down(&p));
	EXPECT_EQ(p.open[0]->resource_count, 1);
	EXPECT_SLICE(p.open[0]->resources[0].name, S("b"));
	EXPECT_EQ(p.open[0]->removed_count, 1);
	EXPECT_SLICE(p.open[0]->removed[0], S("c"));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A b@2=B2 ");
	pair_fini(&p);
}

TEST(an_update_that_outlives_its_stream_counts_but_is_not_answered)
{
	begin();
	p.hold = true;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_TRUE(pair_down(&p));
	pair_disconnect(&p);
	pair_connect(&p);
	/* The new stream hears of the set when it is known, not before. */
	EXPECT_FALSE(pair_up(&p));
	pair_settle(&p);
	EXPECT_STR(pair_set(&p), "a@1=A ");
	EXPECT_TRUE(pair_up(&p));
	EXPECT_TRUE(pair_down(&p));
	EXPECT_EQ(p.open[0]->resource_count, 0);
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A ");
	pair_fini(&p);
}

TEST(an_update_that_outlives_its_client_is_only_released)
{
	begin();
	p.hold = true;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_TRUE(pair_down(&p));
	xds_client_disconnected(p.client);
	xds_client_free(&p.client);
	pair_settle(&p);
	xds_server_stream_free(&p.stream);
	xds_source_free(&p.source);
}

TEST(a_subscription_by_name_gets_that_name_and_hears_if_there_is_none)
{
	pair_init(&p);
	pair_put(&p, "a", "1", "A");
	pair_put(&p, "b", "1", "B");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("a")));
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("none")));
	pair_connect(&p);
	p.hold = true;
	while (pair_up(&p))
		;
	EXPECT_TRUE(pair_down(&p));
	EXPECT_EQ(p.open[0]->removed_count, 1);
	EXPECT_SLICE(p.open[0]->removed[0], S("none"));
	p.hold = false;
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A ");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("b")));
	pair_put(&p, "none", "1", "N");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A b@1=B none@1=N ");
	pair_fini(&p);
}

TEST(after_unsubscribing_a_name_it_is_gone_and_stays_away)
{
	pair_init(&p);
	pair_put(&p, "a", "1", "A");
	pair_put(&p, "b", "1", "B");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("a")));
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("b")));
	pair_connect(&p);
	pair_run(&p);
	xds_client_unsubscribe(p.client, S(PAIR_TYPE), S("a"));
	EXPECT_STR(pair_set(&p), "b@1=B ");
	pair_put(&p, "a", "2", "A2");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "b@1=B ");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("a")));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@2=A2 b@1=B ");
	pair_fini(&p);
}

TEST(what_came_before_unsubscribing_does_not_come_back)
{
	begin();
	p.hold = true;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_TRUE(pair_down(&p));
	xds_client_unsubscribe(p.client, S(PAIR_TYPE), S(""));
	pair_remove(&p, "a");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "");
	EXPECT_TRUE(xds_client_is_synced(p.client));
	pair_fini(&p);
}

TEST(leaving_the_wildcard_keeps_the_names)
{
	pair_init(&p);
	pair_put(&p, "a", "1", "A");
	pair_put(&p, "b", "1", "B");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	pair_connect(&p);
	pair_run(&p);
	xds_client_unsubscribe(p.client, S(PAIR_TYPE), S(""));
	EXPECT_STR(pair_set(&p), "");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("b")));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "b@1=B ");
	pair_put(&p, "a", "2", "A2");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "b@1=B ");
	pair_fini(&p);
}

TEST(what_concerns_a_client_may_change)
{
	begin();
	p.interests = 1u << 1;
	pair_put(&p, "n1", "1", "1");
	pair_put(&p, "n2", "1", "2");
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "n1@1=1 ");
	p.interests = 1u << 2;
	xds_server_stream_refilter(p.stream, S(PAIR_TYPE));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "n2@1=2 ");
	pair_fini(&p);
}

TEST(types_do_not_wait_for_each_other)
{
	struct xds_resource bundle = {.type_url = S(PAIR_OTHER),
	    .name = S("root"),
	    .version = S("1"),
	    .body = S("pem")};

	begin();
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_OTHER), S("")));
	pair_run(&p);
	p.hold = true;
	p.responses = 0;
	pair_put(&p, "a", "1", "A");
	xds_source_flush(p.source);
	EXPECT_OK(xds_source_put(p.source, &bundle));
	xds_source_flush(p.source);
	EXPECT_EQ(p.responses, 2);
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "a@1=A root@1=pem ");
	pair_fini(&p);
}

TEST(more_than_fits_one_response_comes_in_several)
{
	enum { MANY = XDS_RESPONSE_ITEMS + 10 };

	begin();
	p.responses = 0;
	for (int i = 0; i < MANY; i++) {
		char name[24];

		snprintf(name, sizeof(name), "x%dx", i);
		pair_put(&p, name, "1", "");
	}
	p.hold = true;
	pair_run(&p);
	EXPECT_EQ(p.responses, 2);
	EXPECT_TRUE(xds_server_stream_is_quiet(p.stream));
	pair_fini(&p);
}

static void
collect_name(void *arg, struct slice name)
{
	char *last = arg; /* of names of one letter, the only one here */

	EXPECT_EQ(name.len, 1);
	*last = name.ptr[0];
}

TEST(the_server_is_told_which_names_are_asked_for)
{
	char names[8] = "";

	pair_init(&p);
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_OTHER), S("a")));
	pair_connect(&p);
	pair_run(&p);
	xds_server_stream_each_name(
	    p.stream, S(PAIR_OTHER), collect_name, names);
	EXPECT_STR(names, "a");
	EXPECT_EQ(p.names_changed, 2);
	xds_client_unsubscribe(p.client, S(PAIR_OTHER), S("a"));
	pair_run(&p);
	names[0] = '\0';
	xds_server_stream_each_name(
	    p.stream, S(PAIR_OTHER), collect_name, names);
	EXPECT_STR(names, "");
	EXPECT_EQ(p.names_changed, 3);
	pair_fini(&p);
}

TEST(one_name_is_asked_for_again_without_the_others)
{
	uint64_t mark;

	pair_init(&p);
	pair_put(&p, "r1", "1", "A");
	pair_put(&p, "r2", "1", "B");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	p.interests = 0;
	pair_connect(&p);
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "");
	p.interests = 1 << 1 | 1 << 2;
	xds_server_stream_refilter_name(p.stream, S(PAIR_TYPE), S("r2"));
	mark = xds_server_stream_mark(p.stream, S(PAIR_TYPE));
	EXPECT_FALSE(xds_server_stream_is_past(p.stream, S(PAIR_TYPE), mark));
	pair_run(&p);
	EXPECT_TRUE(xds_server_stream_is_past(p.stream, S(PAIR_TYPE), mark));
	EXPECT_STR(pair_set(&p), "r2@1=B ");
	EXPECT_TRUE(xds_client_has(p.client, S(PAIR_TYPE), S("r2")));
	EXPECT_FALSE(xds_client_has(p.client, S(PAIR_TYPE), S("r1")));
	p.interests = 0;
	xds_server_stream_refilter_name(p.stream, S(PAIR_TYPE), S("r2"));
	pair_run(&p);
	EXPECT_STR(pair_set(&p), "");
	pair_fini(&p);
}

/* Each comes before the one ahead of it is answered. */
TEST(a_mark_is_passed_though_changes_go_on_and_on)
{
	static const char *const versions[] = {"1", "2", "3", "4"};
	uint64_t mark = 0;

	begin();
	pair_put(&p, "a", versions[0], "A");
	xds_source_flush(p.source);
	for (size_t i = 1; i < ARRAY_LEN(versions); i++) {
		pair_put(&p, "a", versions[i], "A");
		if (i == 1)
			mark = xds_server_stream_mark(p.stream, S(PAIR_TYPE));
		EXPECT_TRUE(pair_down(&p));
		EXPECT_TRUE(pair_up(&p)); /* and what is due goes out */
		EXPECT_FALSE(xds_server_stream_is_quiet(p.stream));
		EXPECT_EQ(
		    xds_server_stream_is_past(p.stream, S(PAIR_TYPE), mark),
		    i >= 2);
		EXPECT_TRUE(xds_server_stream_had_all(p.stream));
	}
	pair_run(&p);
	EXPECT_TRUE(xds_server_stream_is_quiet(p.stream));
	pair_fini(&p);
}

TEST(a_type_keeps_its_place_on_the_stream_before_it_is_wanted)
{
	pair_init(&p);
	EXPECT_OK(xds_client_add_type(p.client, S(PAIR_OTHER)));
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_OTHER), S("a")));
	pair_connect(&p);
	EXPECT_TRUE(pair_up(&p));
	EXPECT_TRUE(pair_down(&p));
	EXPECT_FALSE(xds_server_stream_is_past(p.stream, S(PAIR_TYPE), 1));
	EXPECT_EQ(p.names_changed, 1);
	pair_run(&p);
	pair_fini(&p);
}
