/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — two ends in memory behave as two sockets do.
 */
#include "owner.h"
#include "unit.h"

struct pair {
	struct loop *loop;
	struct owner a;
	struct owner b;
};

static void
pair_open(struct pair *p, struct net_pair_spec spec)
{
	struct stream *a;
	struct stream *b;

	*p = (struct pair){.a = OWNER, .b = OWNER};
	p->loop = loop_new(NULL);
	net_pair_new(p->loop, &spec, &a, &b);
	owner_set(&p->a, a);
	owner_set(&p->b, b);
}

static void
pair_close(struct pair *p)
{
	if (p->a.stream != NULL)
		stream_close(p->a.stream, OK);
	if (p->b.stream != NULL)
		stream_close(p->b.stream, OK);
	loop_settle(p->loop);
	EXPECT_EQ(p->a.closes, 1);
	EXPECT_EQ(p->b.closes, 1);
	owner_fini(&p->a);
	owner_fini(&p->b);
	loop_free(&p->loop);
}

TEST(bytes_go_both_ways_at_the_end_of_a_turn)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){0});
	EXPECT_OK(stream_write(p.a.stream, S("ping")));
	EXPECT_OK(stream_write(p.b.stream, S("pong")));
	EXPECT_EQ(p.b.datas, 0);
	loop_turn(p.loop, 0);
	EXPECT_SLICE(buf_slice(&p.b.got), S("ping"));
	EXPECT_SLICE(buf_slice(&p.a.got), S("pong"));
	pair_close(&p);
}

TEST(chunks_are_as_small_as_asked)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){.chunk = 1});
	EXPECT_OK(stream_write(p.a.stream, S("abc")));
	stream_shutdown(p.a.stream);
	loop_settle(p.loop);
	EXPECT_EQ(p.b.datas, 3);
	EXPECT_EQ(p.b.largest, 1);
	EXPECT_EQ(p.b.eofs, 1);
	EXPECT_SLICE(buf_slice(&p.b.got), S("abc"));
	pair_close(&p);
}

TEST(a_paused_reader_fills_the_writer_and_drains_it)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){.capacity = 10});
	stream_set_high_mark(p.a.stream, 8);
	stream_pause(p.b.stream, STREAM_PAUSE_OWNER);
	EXPECT_OK(stream_write(p.a.stream, S("0123456789")));
	EXPECT_EQ(stream_pending(p.a.stream), 0);
	EXPECT_OK(stream_write(p.a.stream, S("01234567")));
	EXPECT_ERR(stream_write(p.a.stream, S("8")), ERR_AGAIN);
	EXPECT_EQ(stream_pending(p.a.stream), 9);
	loop_settle(p.loop);
	EXPECT_EQ(p.b.datas + p.a.drains, 0);
	stream_resume(p.b.stream, STREAM_PAUSE_OWNER);
	loop_settle(p.loop);
	EXPECT_EQ(buf_len(&p.b.got), 19);
	EXPECT_EQ(p.a.drains, 1);
	pair_close(&p);
}

TEST(a_closed_end_is_the_others_eof_after_its_bytes)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){0});
	EXPECT_OK(stream_write(p.a.stream, S("last words")));
	stream_close(p.a.stream, OK);
	loop_settle(p.loop);
	EXPECT_EQ(p.a.closes, 1);
	EXPECT_SLICE(buf_slice(&p.b.got), S("last words"));
	EXPECT_EQ(p.b.eofs, 1);
	EXPECT_ERR(stream_write(p.b.stream, S("x")), ERR_RESET);
	loop_settle(p.loop);
	EXPECT_ERR(p.b.why, ERR_RESET);
	pair_close(&p);
}

TEST(a_reset_closes_the_other_end)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){0});
	EXPECT_OK(stream_write(p.a.stream, S("lost")));
	stream_close(p.a.stream, ERR_RESET);
	loop_settle(p.loop);
	EXPECT_EQ(p.b.datas, 0);
	EXPECT_ERR(p.b.why, ERR_RESET);
	pair_close(&p);
}

static void
answer(struct owner *o, struct slice data)
{
	if (o->datas < 100)
		CHECK(stream_write(o->stream, data) == OK);
}

TEST(an_end_may_write_while_it_reads)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){0});
	p.a.then_data = p.b.then_data = answer;
	EXPECT_OK(stream_write(p.a.stream, S("x")));
	loop_settle(p.loop);
	EXPECT_EQ(p.b.datas, 100);
	pair_close(&p);
}

TEST(a_lingering_close_waits_for_the_others_end)
{
	struct pair p;

	pair_open(&p, (struct net_pair_spec){0});
	stream_close_lingering(p.a.stream);
	EXPECT_OK(stream_write(p.b.stream, S("for nobody")));
	loop_settle(p.loop);
	EXPECT_EQ(p.b.eofs, 1);
	EXPECT_EQ(p.a.closes + p.a.datas, 0);
	stream_close(p.b.stream, OK);
	loop_settle(p.loop);
	EXPECT_EQ(p.a.closes, 1);
	EXPECT_OK(p.a.why);
	pair_close(&p);
}

static void
close_far(void *arg)
{
	struct pair *p = arg;

	stream_close(p->b.stream, OK);
}

TEST(a_lingering_close_ends_with_the_loop_at_the_latest)
{
	struct pair p;
	struct loop_hook hook = {0};

	pair_open(&p, (struct net_pair_spec){0});
	stream_close_lingering(p.a.stream);
	loop_hook_add_end(p.loop, &hook, close_far, &p);
	loop_settle(p.loop);
	EXPECT_EQ(p.a.closes, 0);
	loop_free(&p.loop);
	EXPECT_EQ(p.a.closes, 1);
	EXPECT_ERR(p.a.why, ERR_CANCELLED);
	owner_fini(&p.a);
	owner_fini(&p.b);
}
