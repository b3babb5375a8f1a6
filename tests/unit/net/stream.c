/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream — bytes, ends and failures over IPv4, IPv6 and unix sockets.
 */
#include "owner.h"
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 4 << 20, PIECE = 48 << 10 };

static char
byte_at(size_t i)
{
	return (char)(i * 31 + (i >> 12));
}

static struct slice
piece(char mem[PIECE], size_t from)
{
	for (size_t i = 0; i < PIECE; i++)
		mem[i] = byte_at(from + i);
	return slice_of(mem, PIECE);
}

static bool
is_pattern(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != byte_at(i))
			return false;
	return true;
}

TEST(both_ends_know_their_addresses)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;
		struct addr peer;
		struct addr local;

		link_open(&k, kind);
		peer = stream_peer(k.client.stream);
		local = stream_local(k.client.stream);
		EXPECT_TRUE(addr_eq(&peer, &k.addr));
		EXPECT_TRUE(addr_eq(&local, &k.peer));
		EXPECT_EQ(peer.family == ADDR_NONE, kind == LINK_UNIX);
		link_close(&k);
	}
}

TEST(ends_that_were_said_stand_for_those_of_the_socket)
{
	const struct addr client = {.family = ADDR_V4, .port = 40000};
	const struct addr server = {.family = ADDR_V6, .port = 443};
	struct addr peer, local;
	struct link k;

	link_open(&k, LINK_V4);
	net_stream_set_ends(k.server.stream, &server, &client);
	net_stream_set_ends(k.server.stream, &client, &server);
	peer = stream_peer(k.server.stream);
	local = stream_local(k.server.stream);
	EXPECT_TRUE(addr_eq(&peer, &client));
	EXPECT_TRUE(addr_eq(&local, &server));
	link_close(&k);
}

TEST(a_unix_peer_has_a_uid)
{
	struct link k;
	struct net_cred cred;

	link_open(&k, LINK_UNIX);
	EXPECT_OK(net_stream_cred(k.server.stream, &cred));
	EXPECT_EQ(cred.uid, getuid());
	EXPECT_EQ(cred.gid, getgid());
	EXPECT_EQ(cred.pid, getpid());
	link_close(&k);
	link_open(&k, LINK_V4);
	EXPECT_ERR(net_stream_cred(k.server.stream, &cred), ERR_UNSUPPORTED);
	link_close(&k);
}

/* --- a writer that obeys and one direction that is slow --- */

/*
 * How much the kernel takes by itself depends on the machine's settings and
 * load; with little of it bytes have to wait in the stream. What is no socket
 * is not touched by this.
 */
static void
narrow_sockets(void)
{
	enum { FDS = 256, BYTES = 64 << 10 };
	int n = BYTES;

	for (int fd = 0; fd < FDS; fd++) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof(n));
	}
}

struct writer {
	size_t written;
	size_t most_pending;
};

static void
write_more(struct owner *o)
{
	struct writer *w = o->arg;
	char mem[PIECE];
	enum err e = OK;

	while (w->written < BIG && e == OK) {
		size_t left = BIG - w->written;
		struct slice s = piece(mem, w->written);

		s.len = MIN(s.len, left);
		e = stream_write(o->stream, s);
		CHECK(e == OK || e == ERR_AGAIN);
		w->written += s.len;
		w->most_pending =
		    MAX(w->most_pending, stream_pending(o->stream));
	}
	if (w->written == BIG)
		stream_shutdown(o->stream);
}

static void
echo(struct owner *o, struct slice data)
{
	if (stream_write(o->stream, data) == ERR_AGAIN)
		stream_pause(o->stream, STREAM_PAUSE_PEER_FULL);
}

static void
echo_on(struct owner *o)
{
	stream_resume(o->stream, STREAM_PAUSE_PEER_FULL);
}

static void
echo_end(struct owner *o)
{
	stream_shutdown(o->stream);
}

TEST(big_data_is_echoed_to_a_slow_reader_with_bounded_memory)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;
		struct writer w = {0};
		size_t most = 0;
		unsigned turns = 0;

		link_open(&k, kind);
		narrow_sockets();
		k.client.arg = &w;
		k.client.then_drained = write_more;
		k.server.then_data = echo;
		k.server.then_drained = echo_on;
		k.server.then_eof = echo_end;
		write_more(&k.client);
		while (k.client.eofs == 0) {
			size_t pending = stream_pending(k.server.stream);

			/* Reads one turn in four. */
			if (turns++ % 4 == 0)
				stream_resume(
				    k.client.stream, STREAM_PAUSE_OWNER);
			else
				stream_pause(
				    k.client.stream, STREAM_PAUSE_OWNER);
			loop_turn(k.loop, 10000);
			most = MAX(most, pending);
		}
		EXPECT_EQ(buf_len(&k.client.got), BIG);
		EXPECT_TRUE(is_pattern(buf_slice(&k.client.got)));
		EXPECT_EQ(k.server.eofs, 1);
		EXPECT_TRUE(most <= LIMIT_STREAM_BUFFER + LOOP_SCRATCH_LEN);
		EXPECT_TRUE(w.most_pending <= LIMIT_STREAM_BUFFER + PIECE);
		EXPECT_TRUE(k.client.drains > 0);
		EXPECT_EQ(k.client.stream->bytes_in, BIG);
		EXPECT_EQ(k.client.stream->bytes_out, BIG);
		link_close(&k);
	}
}

TEST(an_owner_that_never_stops_writing_is_cut_off)
{
	struct link k;
	char mem[PIECE];
	enum err e = OK;
	size_t written = 0;

	link_open(&k, LINK_V4);
	stream_pause(k.server.stream, STREAM_PAUSE_OWNER);
	while ((e == OK || e == ERR_AGAIN) && written < 1 << 30) {
		e = stream_write(k.client.stream, piece(mem, written));
		written += PIECE;
	}
	EXPECT_ERR(e, ERR_LIMIT);
	EXPECT_EQ(k.client.closes, 0);
	loop_settle(k.loop);
	EXPECT_EQ(k.client.closes, 1);
	EXPECT_ERR(k.client.why, ERR_LIMIT);
	link_close(&k);
}

TEST(many_small_parts_arrive_as_one_stream)
{
	struct link k;
	struct slice parts[300];
	char bytes[300];

	link_open(&k, LINK_V6);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		bytes[i] = byte_at(i);
		parts[i] = slice_of(&bytes[i], 1);
	}
	EXPECT_OK(stream_writev(k.client.stream, parts, ARRAY_LEN(parts)));
	EXPECT_EQ(stream_pending(k.client.stream), 0);
	UNTIL(k.loop, buf_len(&k.server.got) == ARRAY_LEN(parts));
	EXPECT_TRUE(is_pattern(buf_slice(&k.server.got)));
	link_close(&k);
}

TEST(an_idle_stream_holds_no_buffer)
{
	struct link k;

	link_open(&k, LINK_V4);
	EXPECT_OK(stream_write(k.client.stream, S("hello")));
	EXPECT_EQ(stream_pending(k.client.stream), 0);
	UNTIL(k.loop, k.server.datas == 1);
	EXPECT_SLICE(buf_slice(&k.server.got), S("hello"));
	link_close(&k);
}

TEST(corked_writes_leave_together_at_the_turns_end)
{
	struct link k;

	link_open(&k, LINK_V4);
	stream_cork(k.client.stream);
	EXPECT_OK(stream_write(k.client.stream, S("one ")));
	EXPECT_OK(stream_write(k.client.stream, S("two")));
	EXPECT_EQ(stream_pending(k.client.stream), 7);
	UNTIL(k.loop, k.server.datas == 1);
	EXPECT_SLICE(buf_slice(&k.server.got), S("one two"));
	EXPECT_EQ(stream_pending(k.client.stream), 0);
	link_close(&k);
}

TEST(many_corked_bytes_do_not_wait_and_keep_their_order)
{
	AUTO(mem_free) char *many = mem_new(LIMIT_STREAM_BUFFER);
	struct link k;
	enum err e;

	memset(many, 'x', LIMIT_STREAM_BUFFER);
	link_open(&k, LINK_V4);
	stream_cork(k.client.stream);
	EXPECT_OK(stream_write(k.client.stream, S("first")));
	e = stream_write(k.client.stream, slice_of(many, LIMIT_STREAM_BUFFER));
	EXPECT_TRUE(e == OK || e == ERR_AGAIN);
	EXPECT_TRUE(stream_pending(k.client.stream) < LIMIT_STREAM_BUFFER);
	UNTIL(k.loop,
	    buf_len(&k.server.got) == strlen("first") + LIMIT_STREAM_BUFFER);
	EXPECT_SLICE(slice_sub(buf_slice(&k.server.got), 0, 6), S("firstx"));
	link_close(&k);
}

/* --- pausing --- */

TEST(a_pause_holds_data_and_eof_and_loses_neither)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;

		link_open(&k, kind);
		stream_pause(k.server.stream, STREAM_PAUSE_OWNER);
		stream_pause(k.server.stream, STREAM_PAUSE_FILTER);
		EXPECT_OK(stream_write(k.client.stream, S("later")));
		stream_shutdown(k.client.stream);
		for (int i = 0; i < 5; i++)
			loop_turn(k.loop, 1000);
		stream_resume(k.server.stream, STREAM_PAUSE_OWNER);
		loop_turn(k.loop, 0);
		EXPECT_EQ(k.server.datas, 0);
		stream_resume(k.server.stream, STREAM_PAUSE_FILTER);
		EXPECT_EQ(k.server.datas, 0);
		UNTIL(k.loop, k.server.eofs == 1);
		EXPECT_SLICE(buf_slice(&k.server.got), S("later"));
		link_close(&k);
	}
}

static void
pause_self(struct owner *o, struct slice data)
{
	(void)data;
	stream_pause(o->stream, STREAM_PAUSE_OWNER);
}

TEST(reading_goes_on_after_a_pause_without_a_new_edge)
{
	struct link k;
	struct writer w = {.written = BIG - 5 * LOOP_SCRATCH_LEN};
	size_t sent = BIG - w.written;

	link_open(&k, LINK_V4);
	k.client.arg = &w;
	k.client.then_drained = write_more;
	k.server.then_data = pause_self;
	write_more(&k.client);
	while (k.server.eofs == 0) {
		stream_resume(k.server.stream, STREAM_PAUSE_OWNER);
		loop_turn(k.loop, 1000);
	}
	EXPECT_EQ(buf_len(&k.server.got), sent);
	/* An owner that pauses each time is never given more than this. */
	EXPECT_TRUE(k.server.largest <= LIMIT_STREAM_BUFFER);
	link_close(&k);
}

static size_t
waiting_in_kernel(const struct stream *s)
{
	int n = 0;

	EXPECT_EQ(ioctl(net_stream_fd(s), FIONREAD, &n), 0);
	return (size_t)n;
}

TEST(reads_grow_with_an_owner_that_keeps_up)
{
	struct link k;
	struct writer w = {0};
	int much = 1 << 20; /* or as much as the machine allows */
	int fd;

	link_open(&k, LINK_V4);
	fd = net_stream_fd(k.server.stream);
	EXPECT_EQ(
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &much, sizeof(much)), 0);
	stream_pause(k.server.stream, STREAM_PAUSE_OWNER);
	k.client.arg = &w;
	k.client.then_drained = write_more;
	write_more(&k.client);
	UNTIL(k.loop,
	    waiting_in_kernel(k.server.stream) > 2 * LIMIT_STREAM_BUFFER);
	stream_resume(k.server.stream, STREAM_PAUSE_OWNER);
	UNTIL(k.loop, k.server.eofs == 1);
	EXPECT_EQ(buf_len(&k.server.got), BIG);
	EXPECT_TRUE(k.server.largest > LIMIT_STREAM_BUFFER);
	EXPECT_TRUE(k.server.largest <= LOOP_SCRATCH_LEN);
	link_close(&k);
}

TEST(the_peers_kernel_is_heard_over_tcp)
{
	struct link k;

	link_open(&k, LINK_V4);
	EXPECT_OK(stream_write(k.client.stream, S("hello")));
	UNTIL(k.loop, buf_len(&k.server.got) == 5);
	/* Acknowledged a moment ago, although nobody has answered. */
	EXPECT_TRUE(net_stream_silence_us(k.client.stream) < 10000000);
	link_close(&k);
	link_open(&k, LINK_UNIX);
	EXPECT_EQ(net_stream_silence_us(k.client.stream), UINT64_MAX);
	link_close(&k);
}

TEST(a_reset_is_noticed_while_paused)
{
	struct link k;

	link_open(&k, LINK_V4);
	stream_pause(k.server.stream, STREAM_PAUSE_PEER_FULL);
	loop_turn(k.loop, 0);
	stream_close(k.client.stream, ERR_RESET);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_ERR(k.server.why, ERR_RESET);
	EXPECT_ERR(k.client.why, ERR_RESET);
	link_close(&k);
}

/* Both are there when the loop looks, so that one event tells of them. */
TEST(a_reset_right_behind_bytes_is_noticed)
{
	struct link k;

	link_open(&k, LINK_V4);
	EXPECT_OK(stream_write(k.client.stream, S("last words")));
	stream_close(k.client.stream, ERR_RESET);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_SLICE(buf_slice(&k.server.got), S("last words"));
	EXPECT_ERR(k.server.why, ERR_RESET);
	link_close(&k);
}

/* As a client does that shuts down, thinks again and goes. */
TEST(a_reset_right_behind_an_end_is_noticed)
{
	for (unsigned late = 0; late < 2; late++) {
		struct link k;

		link_open(&k, LINK_V4);
		stream_shutdown(k.client.stream);
		if (late)
			UNTIL(k.loop, k.server.eofs == 1);
		stream_close(k.client.stream, ERR_RESET);
		UNTIL(k.loop, k.server.closes == 1);
		EXPECT_TRUE(k.server.why != OK);
		link_close(&k);
	}
}

TEST(a_resting_stream_notices_it_when_it_writes)
{
	struct link k;

	link_open(&k, LINK_V4);
	stream_set_resting(k.server.stream, true);
	EXPECT_OK(stream_write(k.client.stream, S("last words")));
	stream_close(k.client.stream, ERR_RESET);
	UNTIL(k.loop, buf_len(&k.server.got) > 0 && k.client.closes == 1);
	if (k.server.closes == 0)
		EXPECT_NE(stream_write(k.server.stream, S("answer")), OK);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_TRUE(k.server.why != OK);
	link_close(&k);
}

/* The kernel tells of it once, and the write is first. */
TEST(a_reset_that_a_write_was_told_is_no_end)
{
	struct link k;

	link_open(&k, LINK_V4);
	EXPECT_OK(stream_write(k.client.stream, S("half an ans")));
	stream_close(k.client.stream, ERR_RESET);
	EXPECT_ERR(stream_write(k.server.stream, S("a window")), ERR_RESET);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_SLICE(buf_slice(&k.server.got), S("half an ans"));
	EXPECT_EQ(k.server.eofs, 0);
	EXPECT_ERR(k.server.why, ERR_RESET);
	link_close(&k);
}

/* It stops reading until its answer is out, which is never. */
TEST(an_owner_that_waits_for_what_it_wrote_is_told_that_it_cannot)
{
	struct link k;

	link_open(&k, LINK_V4);
	k.server.then_data = pause_self;
	EXPECT_OK(stream_write(k.client.stream, S("one question more")));
	stream_close(k.client.stream, ERR_RESET);
	EXPECT_ERR(stream_write(k.server.stream, S("answer")), ERR_RESET);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_SLICE(buf_slice(&k.server.got), S("one question more"));
	EXPECT_ERR(k.server.why, ERR_RESET);
	link_close(&k);
}

TEST(one_stream_does_not_take_the_whole_turn)
{
	struct link k;
	struct writer w = {0};

	link_open(&k, LINK_UNIX);
	k.client.arg = &w;
	k.client.then_drained = write_more;
	write_more(&k.client);
	while (k.server.eofs == 0) {
		unsigned before = k.server.datas;

		loop_turn(k.loop, 1000);
		/* Those of the edge, and those of a later before. */
		EXPECT_TRUE(k.server.datas - before <= 2 * NET_READS_A_TURN);
	}
	EXPECT_EQ(buf_len(&k.server.got), BIG);
	link_close(&k);
}

/* --- ends --- */

TEST(each_direction_ends_by_itself)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;

		link_open(&k, kind);
		stream_shutdown(k.client.stream);
		EXPECT_ERR(stream_write(k.client.stream, S("x")), ERR_CLOSED);
		UNTIL(k.loop, k.server.eofs == 1);
		EXPECT_OK(stream_write(k.server.stream, S("still here")));
		UNTIL(k.loop, buf_len(&k.client.got) == 10);
		stream_shutdown(k.server.stream);
		UNTIL(k.loop, k.client.eofs == 1);
		EXPECT_EQ(k.client.closes + k.server.closes, 0);
		link_close(&k);
	}
}

TEST(data_and_end_in_one_edge_are_both_seen)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;

		link_open(&k, kind);
		EXPECT_OK(stream_write(k.client.stream, S("bye")));
		stream_close(k.client.stream, OK);
		UNTIL(k.loop, k.server.eofs == 1);
		EXPECT_SLICE(buf_slice(&k.server.got), S("bye"));
		EXPECT_OK(k.client.why);
		link_close(&k);
	}
}

TEST(close_flushes_what_is_pending_first)
{
	struct link k;
	struct writer w = {0};

	link_open(&k, LINK_V4);
	narrow_sockets();
	stream_pause(k.server.stream, STREAM_PAUSE_OWNER);
	k.client.arg = &w;
	write_more(&k.client);
	EXPECT_TRUE(stream_pending(k.client.stream) > 0);
	stream_close(k.client.stream, OK);
	loop_turn(k.loop, 1000);
	EXPECT_EQ(k.client.closes, 0);
	stream_resume(k.server.stream, STREAM_PAUSE_OWNER);
	UNTIL(k.loop, k.server.eofs == 1);
	EXPECT_EQ(buf_len(&k.server.got), w.written);
	EXPECT_TRUE(is_pattern(buf_slice(&k.server.got)));
	EXPECT_EQ(k.client.closes, 1);
	EXPECT_OK(k.client.why);
	link_close(&k);
}

TEST(the_first_reason_is_the_one_that_counts)
{
	struct link k;

	link_open(&k, LINK_V4);
	stream_close(k.client.stream, ERR_TIMEOUT);
	stream_close(k.client.stream, ERR_PROTOCOL);
	EXPECT_EQ(k.client.closes, 0);
	EXPECT_ERR(stream_write(k.client.stream, S("x")), ERR_CLOSED);
	loop_settle(k.loop);
	EXPECT_EQ(k.client.closes, 1);
	EXPECT_ERR(k.client.why, ERR_TIMEOUT);
	link_close(&k);
}

TEST(an_early_answer_is_read_although_the_write_side_broke)
{
	struct link k;
	char mem[PIECE];
	enum err e = OK;

	link_open(&k, LINK_V4);
	EXPECT_OK(stream_write(k.server.stream, S("413")));
	stream_close(k.server.stream, OK);
	while (e == OK || e == ERR_AGAIN)
		e = stream_write(k.client.stream, piece(mem, 0));
	EXPECT_ERR(e, ERR_RESET);
	UNTIL(k.loop, k.client.closes == 1);
	EXPECT_SLICE(buf_slice(&k.client.got), S("413"));
	link_close(&k);
}

TEST(a_lingering_close_lets_the_answer_through)
{
	struct link k;
	struct writer w = {0};

	link_open(&k, LINK_V4);
	k.client.arg = &w;
	k.client.then_drained = write_more;
	EXPECT_OK(stream_write(k.server.stream, S("413")));
	stream_close_lingering(k.server.stream);
	write_more(&k.client);
	UNTIL(k.loop, k.client.eofs == 1);
	EXPECT_SLICE(buf_slice(&k.client.got), S("413"));
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_OK(k.server.why);
	EXPECT_EQ(w.written, BIG);
	EXPECT_EQ(k.server.datas, 0);
	link_close(&k);
}

/* --- closing inside call-backs --- */

static void
close_now(struct owner *o)
{
	stream_close(o->stream, OK);
}

static void
close_on_data(struct owner *o, struct slice data)
{
	(void)data;
	stream_close(o->stream, OK);
}

TEST(bytes_that_are_given_back_come_again_first)
{
	struct addr peer, local;
	struct link k;

	link_open(&k, LINK_V4);
	peer = stream_peer(k.server.stream);
	local = stream_local(k.server.stream);
	stream_pause(k.server.stream, STREAM_PAUSE_NOT_READY);
	EXPECT_OK(stream_write(k.client.stream, S(" and more")));
	net_stream_unread(k.server.stream, S("")); /* nothing */
	net_stream_unread(k.server.stream, S("read ahead"));
	stream_resume(k.server.stream, STREAM_PAUSE_NOT_READY);
	UNTIL(k.loop, buf_len(&k.server.got) == 19);
	EXPECT_TRUE(
	    slice_eq(buf_slice(&k.server.got), S("read ahead and more")));
	/* Its ends are the same. */
	EXPECT_EQ(stream_peer(k.server.stream).port, peer.port);
	EXPECT_EQ(stream_local(k.server.stream).port, local.port);
	/* One that is closed meanwhile forgets them. */
	stream_pause(k.server.stream, STREAM_PAUSE_NOT_READY);
	net_stream_unread(k.server.stream, S("never"));
	stream_close(k.server.stream, OK);
	UNTIL(k.loop, k.server.closes == 1);
	EXPECT_EQ(buf_len(&k.server.got), 19);
	link_close(&k);
}

TEST(whoever_was_led_nowhere_meant_this_very_socket)
{
	struct addr a = {.port = 7};

	for (enum link_kind kind = LINK_V4; kind <= LINK_V6; kind++) {
		struct link k;

		link_open(&k, kind);
		EXPECT_EQ(net_original_destination(
			      net_stream_fd(k.server.stream), &a),
		    ERR_NOT_FOUND);
		link_close(&k);
	}
	EXPECT_EQ(a.port, 7); /* untouched */
	EXPECT_EQ(net_original_destination(-1, &a), ERR_NOT_FOUND);
}

TEST(a_stream_may_be_closed_inside_any_call_back)
{
	struct link k;

	link_open(&k, LINK_V4);
	k.server.then_data = close_on_data;
	k.client.then_eof = close_now;
	EXPECT_OK(stream_write(k.client.stream, S("x")));
	UNTIL(k.loop, k.server.closes == 1 && k.client.closes == 1);
	EXPECT_EQ(k.server.datas, 1);
	EXPECT_EQ(k.server.eofs, 0);
	link_close(&k);
}

static void
close_other(struct owner *o)
{
	struct owner *other = o->arg;

	if (other->stream != NULL)
		stream_close(other->stream, ERR_CANCELLED);
}

TEST(one_streams_end_may_close_the_other)
{
	struct link k;

	link_open(&k, LINK_UNIX);
	k.server.arg = &k.client;
	k.server.then_close = close_other;
	stream_close(k.server.stream, OK);
	loop_settle(k.loop);
	EXPECT_EQ(k.client.closes, 1);
	EXPECT_ERR(k.client.why, ERR_CANCELLED);
	link_close(&k);
}

TEST(a_stream_may_be_closed_when_it_opens)
{
	struct link k;
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	link_listen(&k, LINK_V4);
	spec.addr = k.addr;
	k.client.then_open = close_now;
	k.client.stream = net_connect(k.loop, &spec, &owner_events, &k.client);
	UNTIL(k.loop, k.client.closes == 1 && k.accepted >= 0);
	EXPECT_OK(k.client.why);
	close(k.accepted);
	link_close(&k);
}

/* --- connecting --- */

TEST(what_is_written_before_the_connection_is_up_is_kept)
{
	for (enum link_kind kind = LINK_V4; kind < LINK_COUNT; kind++) {
		struct link k;
		struct net_connect_spec spec = NET_CONNECT_SPEC;

		link_listen(&k, kind);
		spec.addr = k.addr;
		if (kind == LINK_UNIX)
			spec.path = slice_str(k.path);
		k.client.stream =
		    net_connect(k.loop, &spec, &owner_events, &k.client);
		stream_pause(k.client.stream, STREAM_PAUSE_OWNER);
		EXPECT_OK(stream_write(k.client.stream, S("early")));
		stream_shutdown(k.client.stream);
		UNTIL(k.loop, k.accepted >= 0 && k.client.opens == 1);
		k.server.stream = net_stream_new(
		    k.loop, k.accepted, &owner_events, &k.server);
		UNTIL(k.loop, k.server.eofs == 1);
		EXPECT_SLICE(buf_slice(&k.server.got), S("early"));
		link_close(&k);
	}
}

/* A port at which nobody listens: bound, and not listening. */
static int
dead_port(struct addr *out)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(bind(fd, (struct sockaddr *)&sin, len), 0);
	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	EXPECT_OK(addr_from_sockaddr((struct sockaddr *)&sin, len, out));
	return fd;
}

static enum err
connect_and_fail(const struct net_connect_spec *spec)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(owner_fini) struct owner o = OWNER;

	o.stream = net_connect(l, spec, &owner_events, &o);
	EXPECT_EQ(o.closes, 0);
	UNTIL(l, o.closes == 1);
	EXPECT_EQ(o.opens, 0);
	return o.why;
}

TEST(a_refused_connection_says_so)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	int fd = dead_port(&spec.addr);

	EXPECT_ERR(connect_and_fail(&spec), ERR_REFUSED);
	close(fd);
	spec.path = S("/nonexistent/socket");
	EXPECT_ERR(connect_and_fail(&spec), ERR_NOT_FOUND);
	spec = (struct net_connect_spec)NET_CONNECT_SPEC;
	EXPECT_ERR(connect_and_fail(&spec), ERR_INVALID);
}

/* A listener whose backlog is full: what connects then waits. */
static int
full_port(struct addr *out, int fillers[2])
{
	int fd = dead_port(out);
	struct sockaddr_storage ss;
	unsigned len = addr_to_sockaddr(out, (struct sockaddr *)&ss);

	EXPECT_EQ(listen(fd, 0), 0);
	for (int i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&ss, len);
	}
	return fd;
}

TEST(a_connection_that_takes_too_long_times_out)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	int fillers[2];
	int fd = full_port(&spec.addr, fillers);

	spec.timeout_us = 20000;
	EXPECT_ERR(connect_and_fail(&spec), ERR_TIMEOUT);
	close(fillers[0]);
	close(fillers[1]);
	close(fd);
}

TEST(a_connection_under_way_can_be_cancelled)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(owner_fini) struct owner o = OWNER;
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	int fillers[2];
	int fd = full_port(&spec.addr, fillers);

	spec.timeout_us = 10000000;
	o.stream = net_connect(l, &spec, &owner_events, &o);
	loop_turn(l, 0);
	stream_close(o.stream, ERR_CANCELLED);
	loop_settle(l);
	EXPECT_EQ(o.closes, 1);
	EXPECT_ERR(o.why, ERR_CANCELLED);
	close(fillers[0]);
	close(fillers[1]);
	close(fd);
}

TEST(a_connection_leaves_from_the_source_that_was_asked)
{
	struct link k;
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	link_listen(&k, LINK_V4);
	spec.addr = k.addr;
	EXPECT_OK(addr_parse_ip(S("127.0.0.9"), &spec.source));
	k.client.stream = net_connect(k.loop, &spec, &owner_events, &k.client);
	UNTIL(k.loop, k.accepted >= 0 && k.client.opens == 1);
	EXPECT_TRUE(addr_ip_eq(&k.peer, &spec.source));
	close(k.accepted);
	link_close(&k);
}
