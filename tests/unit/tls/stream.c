/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream — bytes both ways, ends, back-pressure, and what it costs.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"
#include "session.h"
#include "unit.h"

static void
open_both(struct scene *s, size_t chunk)
{
	scene_init(s);
	scene_shake(s, chunk);
	EXPECT_STR(s->client.words, "");
	EXPECT_STR(s->server.words, "");
	EXPECT_TRUE(s->client.opened && s->server.opened);
}

TEST(bytes_go_both_ways)
{
	struct scene s;

	open_both(&s, 0);
	EXPECT_EQ(stream_write(s.client.stream, S("hello ")), OK);
	EXPECT_EQ(stream_write(s.client.stream, S("server")), OK);
	EXPECT_EQ(stream_write(s.server.stream, S("hello client")), OK);
	scene_run(&s, 5);
	EXPECT_SLICE(buf_slice(&s.server.got), S("hello server"));
	EXPECT_SLICE(buf_slice(&s.client.got), S("hello client"));
	scene_fini(&s);
}

TEST(what_was_written_before_the_handshake_arrives_after_it)
{
	struct scene s;

	scene_init(&s);
	scene_connect(&s, 0);
	EXPECT_EQ(stream_write(s.client.stream, S("early")), OK);
	stream_shutdown(s.client.stream);
	scene_run(&s, 40);
	EXPECT_SLICE(buf_slice(&s.server.got), S("early"));
	EXPECT_TRUE(s.server.eof);
	scene_fini(&s);
}

/* --- records --- */

struct tap {
	struct stream *to;
	size_t records;
	size_t largest;
	struct buf bytes;
};

/* Counts the records in what an end wrote. */
static void
tap_count(struct tap *t)
{
	struct slice rest = buf_slice(&t->bytes);

	while (rest.len >= 5) {
		size_t len = 5 + ((size_t)(uint8_t)rest.ptr[3] << 8) +
			     (uint8_t)rest.ptr[4];

		t->records++;
		t->largest = MAX(t->largest, len);
		rest = slice_sub(rest, len, rest.len);
	}
}

static void
tap_data(struct stream *s, void *arg, struct slice data)
{
	struct tap *t = arg;

	(void)s;
	EXPECT_EQ(buf_add_slice(&t->bytes, data), OK);
}

static void
tap_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	(void)why;
}

static const struct stream_events tap_events = {
    .on_data = tap_data, .on_close = tap_close};

/* From now on the server's socket is ours: it sees ciphertext. */
static void
tap_open(struct scene *s, struct tap *t)
{
	*t = (struct tap){.bytes = BUF(64 << 20)};
	stream_set_events(s->low[1], &tap_events, t);
	((struct tls *)s->server.stream)->s.below = NULL;
}

TEST(the_writes_of_one_turn_make_one_record)
{
	struct scene s;
	struct tap t;

	open_both(&s, 0);
	tap_open(&s, &t);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(stream_write(s.client.stream, S("0123456789")), OK);
	scene_run(&s, 5);
	tap_count(&t);
	EXPECT_EQ(t.records, 1);
	/* Head, bytes, their type, tag (RFC 8446 §5.2): no padding. */
	EXPECT_EQ(t.largest, 5 + 1000 + 1 + 16);
	buf_fini(&t.bytes);
	stream_close(s.low[1], OK);
	scene_fini(&s);
}

TEST(a_large_write_makes_the_fewest_records_of_the_largest_size)
{
	struct scene s;
	struct tap t;
	size_t len = 100000;
	AUTO(mem_free) char *bytes = mem_new(len);

	open_both(&s, 0);
	stream_set_high_mark(s.low[0], 1 << 20);
	tap_open(&s, &t);
	EXPECT_EQ(stream_write(s.client.stream, slice_of(bytes, len)), OK);
	scene_run(&s, 20);
	tap_count(&t);
	EXPECT_EQ(t.records, 7);
	EXPECT_TRUE(t.largest > 16300);
	EXPECT_TRUE(t.largest <= 5 + 16384 + 1 + 16);
	buf_fini(&t.bytes);
	stream_close(s.low[1], OK);
	scene_fini(&s);
}

TEST(large_writes_are_sealed_at_once_behind_what_waits)
{
	struct scene s;
	struct tap t;
	size_t len = 2 * 16384; /* whole records */
	AUTO(mem_free) char *bytes = mem_new(len);

	open_both(&s, 0);
	stream_set_high_mark(s.low[0], 1 << 20);
	tap_open(&s, &t);
	EXPECT_EQ(stream_write(s.client.stream, S("012345678")), OK);
	EXPECT_EQ(stream_pending(s.client.stream), 9);
	EXPECT_EQ(stream_write(s.client.stream, slice_of(bytes, len)), OK);
	EXPECT_EQ(stream_pending(s.client.stream), 0);
	scene_run(&s, 20);
	tap_count(&t);
	EXPECT_EQ(t.records, 3);
	buf_fini(&t.bytes);
	stream_close(s.low[1], OK);
	scene_fini(&s);
}

/* --- much of it --- */

static void
fill(char *bytes, size_t len, uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)rng_u64(&rng);
}

/* Writes until told to stop, pauses the reader now and then. */
static size_t
pump(struct scene *s, struct slice all, struct rng *rng)
{
	size_t sent = 0, most = 0;

	while (buf_len(&s->server.got) < all.len) {
		while (sent < all.len && !s->client.stream->full) {
			size_t n = MIN(1 + rng_below(rng, 40000),
			    (uint64_t)(all.len - sent));
			enum err e = stream_write(
			    s->client.stream, slice_sub(all, sent, n));

			EXPECT_TRUE(e == OK || e == ERR_AGAIN);
			sent += n;
		}
		most = MAX(most, stream_pending(s->client.stream));
		if (rng_below(rng, 3) == 0)
			stream_pause(s->server.stream, STREAM_PAUSE_PEER_FULL);
		scene_run(s, (unsigned)rng_below(rng, 4));
		stream_resume(s->server.stream, STREAM_PAUSE_PEER_FULL);
		scene_run(s, 1);
		EXPECT_FALSE(s->client.closed || s->server.closed);
	}
	return most;
}

static void
pump_in_chunks(size_t chunk, size_t len)
{
	struct scene s;
	struct rng rng;
	AUTO(mem_free) char *bytes = mem_new(len);

	fill(bytes, len, 42);
	rng_init(&rng, chunk + 1);
	open_both(&s, chunk);
	/* Back-pressure holds: one write more than the mark is all. */
	EXPECT_TRUE(pump(&s, slice_of(bytes, len), &rng) <=
		    LIMIT_STREAM_BUFFER + 40000);
	EXPECT_SLICE(buf_slice(&s.server.got), slice_of(bytes, len));
	EXPECT_TRUE(s.client.drained > 0);
	scene_fini(&s);
}

TEST(much_data_arrives_whole_through_pauses)
{
	pump_in_chunks(0, 8 << 20);
}

TEST(much_data_arrives_whole_in_odd_chunks)
{
	pump_in_chunks(4099, 1 << 20);
	pump_in_chunks(17, 200000);
}

/* --- ends --- */

TEST(one_direction_may_end_while_the_other_goes_on)
{
	struct scene s;

	open_both(&s, 0);
	stream_shutdown(s.client.stream);
	scene_run(&s, 5);
	EXPECT_TRUE(s.server.eof);
	EXPECT_FALSE(s.server.closed || s.client.closed);
	EXPECT_EQ(stream_write(s.server.stream, S("answer")), OK);
	stream_close(s.server.stream, OK);
	scene_run(&s, 5);
	EXPECT_SLICE(buf_slice(&s.client.got), S("answer"));
	EXPECT_TRUE(s.client.eof);
	EXPECT_TRUE(s.server.closed);
	EXPECT_EQ(s.server.why, OK);
	stream_close(s.client.stream, OK);
	scene_run(&s, 5);
	EXPECT_TRUE(s.client.closed);
	EXPECT_EQ(s.client.why, OK);
	scene_fini(&s);
}

TEST(a_close_flushes_what_was_written)
{
	struct scene s;

	open_both(&s, 0);
	EXPECT_EQ(stream_write(s.client.stream, S("last words")), OK);
	stream_close(s.client.stream, OK);
	scene_run(&s, 5);
	EXPECT_SLICE(buf_slice(&s.server.got), S("last words"));
	EXPECT_TRUE(s.server.eof);
	scene_fini(&s);
}

TEST(an_end_without_close_notify_is_a_truncation)
{
	struct scene s;

	open_both(&s, 0);
	stream_close(s.low[0], OK); /* behind TLS's back */
	scene_run(&s, 5);
	EXPECT_TRUE(s.server.closed);
	EXPECT_EQ(s.server.why, ERR_RESET);
	EXPECT_TRUE(strstr(s.server.words, "close_notify") != NULL);
	EXPECT_FALSE(s.server.eof);
	scene_fini(&s);
}

TEST(a_changed_record_ends_the_connection)
{
	struct scene s;
	uint8_t forged[5 + 40] = {23, 3, 3, 0, 40, 1, 2, 3};

	open_both(&s, 0);
	EXPECT_EQ(stream_write(s.low[0], slice_of(forged, sizeof(forged))), OK);
	scene_run(&s, 5);
	EXPECT_TRUE(s.server.closed);
	EXPECT_EQ(s.server.why, ERR_TLS);
	EXPECT_TRUE(strstr(s.server.words, "tampered") != NULL);
	EXPECT_EQ(buf_len(&s.server.got), 0);
	scene_fini(&s);
}

TEST(keys_move_on_in_the_middle_of_a_connection)
{
	struct scene s;

	open_both(&s, 0);
	for (int i = 0; i < 50; i++) {
		EXPECT_EQ(tls_stream_update_keys(
			      s.client.stream, /* ask */ i % 2 == 0),
		    OK);
		EXPECT_EQ(stream_write(s.client.stream, S("a")), OK);
		scene_run(&s, 3);
		EXPECT_EQ(stream_write(s.server.stream, S("b")), OK);
		scene_run(&s, 3);
	}
	EXPECT_EQ(buf_len(&s.server.got), 50);
	EXPECT_EQ(buf_len(&s.client.got), 50);
	scene_fini(&s);
}

TEST(keys_move_on_between_large_writes)
{
	struct scene s;
	size_t len = 8 * 50000, sent = 0;
	AUTO(mem_free) char *bytes = mem_new(len);

	fill(bytes, len, 43);
	open_both(&s, 0);
	for (; sent < len; sent += 50000) {
		EXPECT_EQ(tls_stream_update_keys(
			      s.client.stream, /* ask */ sent % 3 == 0),
		    OK);
		EXPECT_EQ(stream_write(
			      s.client.stream, slice_of(bytes + sent, 50000)),
		    OK);
		scene_run(&s, 3);
	}
	scene_run(&s, 20);
	EXPECT_SLICE(buf_slice(&s.server.got), slice_of(bytes, len));
	scene_fini(&s);
}

/* As if so many records had gone from one to the other. */
static void
pretend_sent(struct stream *from, struct stream *to, uint64_t records)
{
	struct tls *a = (struct tls *)from, *b = (struct tls *)to;

	EXPECT_FALSE(b->attached);
	for (int i = 7; i >= 0; i--, records >>= 8)
		a->ssl.private_cur_out_ctr[i] = b->ssl.private_idle_in_ctr[i] =
		    (uint8_t)records;
}

static unsigned
sent_under_key(struct stream *s)
{
	return ((struct tls *)s)->ssl.private_cur_out_ctr[7];
}

TEST(keys_move_on_by_themselves_before_they_are_worn)
{
	struct scene s;

	open_both(&s, 0);
	pretend_sent(s.client.stream, s.server.stream, (1 << 23) - 2);
	EXPECT_EQ(tls_stream_records(s.server.stream), (1 << 23) - 2);
	pretend_sent(s.server.stream, s.client.stream, (1 << 23) - 2);
	for (int i = 0; i < 4; i++) {
		EXPECT_EQ(stream_write(s.client.stream, S("a")), OK);
		EXPECT_EQ(stream_write(s.server.stream, S("b")), OK);
		scene_run(&s, 3);
	}
	EXPECT_EQ(tls_stream_records(s.client.stream), 2);
	EXPECT_EQ(tls_stream_records(s.server.stream), 2);
	EXPECT_EQ(sent_under_key(s.client.stream), 2);
	EXPECT_EQ(sent_under_key(s.server.stream), 2);
	EXPECT_SLICE(buf_slice(&s.server.got), S("aaaa"));
	EXPECT_SLICE(buf_slice(&s.client.got), S("bbbb"));
	scene_fini(&s);
}

/* The layer below says when it has enough; nothing is sealed past that. */
TEST(what_the_layer_below_has_no_room_for_waits_in_plaintext)
{
	struct scene s;
	size_t len = 3 * LOOP_SCRATCH_LEN;
	AUTO(mem_free) char *bytes = mem_new(len);

	fill(bytes, len, 44);
	open_both(&s, 0);
	EXPECT_EQ(
	    stream_write(s.client.stream, slice_of(bytes, len)), ERR_AGAIN);
	EXPECT_TRUE(stream_pending(s.client.stream) > LOOP_SCRATCH_LEN);
	EXPECT_TRUE(
	    stream_pending(s.low[0]) <= LOOP_SCRATCH_LEN + LIMIT_STREAM_BUFFER);
	scene_run(&s, 100);
	EXPECT_SLICE(buf_slice(&s.server.got), slice_of(bytes, len));
	EXPECT_EQ(s.client.drained, 1);
	scene_fini(&s);
}

/* --- cost --- */

enum { MANY = 40 };

struct crowd {
	struct scene s;
	struct end ends[2 * MANY];
};

static void
crowd_open(struct crowd *c)
{
	struct net_pair_spec pair = {.chunk = 0};

	scene_init(&c->s);
	EXPECT_EQ(
	    tls_config_new(&c->s.client_config, &c->s.client_spec.config), OK);
	EXPECT_EQ(
	    tls_config_new(&c->s.server_config, &c->s.server_spec.config), OK);
	for (size_t i = 0; i < MANY; i++) {
		struct end *a = &c->ends[2 * i], *b = a + 1;
		struct stream *low[2];

		*a = *b = (struct end){.got = BUF(16)};
		net_pair_new(c->s.loop, &pair, &low[0], &low[1]);
		EXPECT_EQ(tls_stream_client(low[0], &c->s.client_spec,
			      &end_events, a, &a->stream, NULL),
		    OK);
		EXPECT_EQ(tls_stream_server(low[1], &c->s.server_spec,
			      &end_events, b, &b->stream, NULL),
		    OK);
	}
}

static unsigned
crowd_count(const struct crowd *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(c->ends); i++)
		n += c->ends[i].opened;
	return n;
}

static void
crowd_close(struct crowd *c)
{
	for (size_t i = 0; i < ARRAY_LEN(c->ends); i++)
		stream_close(c->ends[i].stream, ERR_CANCELLED);
	scene_run(&c->s, 10);
	for (size_t i = 0; i < ARRAY_LEN(c->ends); i++)
		EXPECT_TRUE(c->ends[i].closed);
	scene_fini(&c->s);
}

TEST(many_handshakes_share_a_turn_and_all_get_theirs)
{
	static struct crowd c;
	unsigned before, turns = 0;

	crowd_open(&c);
	while (crowd_count(&c) < 2 * MANY && turns < 500) {
		before = crowd_count(&c);
		scene_run(&c.s, 1);
		turns++;
		/* A turn's budget completes a few, never the crowd. */
		EXPECT_TRUE(crowd_count(&c) - before <= 60);
	}
	EXPECT_EQ(crowd_count(&c), 2 * MANY);
	EXPECT_TRUE(turns >= 8);
	crowd_close(&c);
}

static size_t
heap_bytes(void)
{
	idle_drop_spares();
	return mallinfo2().uordblks;
}

TEST(a_connection_at_rest_holds_less_than_six_kilobytes)
{
	static struct crowd c;
	size_t before, per_end;

	crowd_open(&c);
	scene_run(&c.s, 500);
	EXPECT_EQ(crowd_count(&c), 2 * MANY);
	before = heap_bytes();
	for (size_t i = 0; i < ARRAY_LEN(c.ends); i++)
		stream_close(c.ends[i].stream, ERR_CANCELLED);
	scene_run(&c.s, 10);
	/* The pair below is in it as well. Zero under a sanitizer's malloc. */
	per_end = (before - heap_bytes()) / ARRAY_LEN(c.ends);
	printf("at rest: %zu bytes, of which struct tls %zu\n", per_end,
	    sizeof(struct tls));
	EXPECT_TRUE(per_end < 6000);
	scene_fini(&c.s);
}
