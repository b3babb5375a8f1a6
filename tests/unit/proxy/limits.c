/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits — what takes too long, what is too much, and that it is counted.
 */
#include "mesh.h"
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

enum { SOON_US = 200000, LATE_US = 30000000 };

/* One more of it; the client may see the end first. */
#define EXPECT_COUNTED(r, peer, reason, before)                                \
	RIG_UNTIL(r, rig_refused(peer, reason) == (before) + 1)

static struct duo *
duo_limited(struct way way, struct proxy_limits limits, server_fn fn)
{
	struct duo *d;

	rig_limits = limits;
	d = duo_new(way, fn, NULL, NULL);
	rig_limits = (struct proxy_limits){0};
	return d;
}

static struct scene *
scene_limited(struct proxy_limits limits, server_fn fn, const char *text)
{
	struct scene *s;

	rig_limits = limits;
	s = scene_new(fn, text);
	rig_limits = (struct proxy_limits){0};
	return s;
}

/* --- heads that come slowly ------------------------------------------------
 */

static void
expect_slow_head(const char *first, unsigned answers)
{
	struct scene *s = scene_limited(
	    (struct proxy_limits){.head_us = SOON_US}, serve_ok, NULL);
	uint64_t before = rig_refused("client", "slow_head");

	EXPECT_TRUE(wire_say(&s->client, first));
	for (unsigned i = 0; i < answers; i++) {
		reply_read(&s->client, "GET", &s->reply);
		EXPECT_EQ(s->reply.status, 200);
		reply_fini(&s->reply);
	}
	reply_read(&s->client, "GET", &s->reply);
	EXPECT_EQ(s->reply.status, 408);
	EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_EQ(rig_record(s->rig, answers).flag, FLOW_DOWNSTREAM_PROTOCOL);
	EXPECT_EQ(rig_record(s->rig, answers).status, 408);
	EXPECT_COUNTED(s->rig, "client", "slow_head", before);
	scene_free(&s);
}

TEST(a_head_that_comes_slowly_is_408)
{
	expect_slow_head("GET / HTTP/1.1\r\nHost: w", 0);
}

/* It came with the request before, and its time runs all the same. */
TEST(half_a_head_behind_a_request_is_408_as_well)
{
	expect_slow_head(GET_WEB "GET / HTTP/1.1\r\nHost: w", 1);
}

/* HEADERS that say that more of it comes. */
TEST(a_head_of_http2_that_comes_slowly_ends_the_connection)
{
	static const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\0\4\0\0\0\0\0"
				    "\0\0\1\1\1\0\0\0\1\x82";
	struct scene *s = scene_limited(
	    (struct proxy_limits){.head_us = SOON_US}, serve_ok, NULL);
	uint64_t before = rig_refused("client", "slow_head");
	struct slice some;

	EXPECT_TRUE(wire_send(&s->client, slice_of(bytes, sizeof(bytes) - 1)));
	while (wire_some(&s->client, &some))
		continue;
	EXPECT_COUNTED(s->rig, "client", "slow_head", before);
	scene_free(&s);
}

/* --- what stands still -----------------------------------------------------
 */

TEST(a_service_that_says_nothing_is_504_si)
{
	for (int two = 0; two < 2; two++) {
		struct duo *d = duo_limited((struct way){.down2 = two},
		    (struct proxy_limits){.stream_idle_us = SOON_US},
		    serve_silence);

		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 504);
		EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_STREAM_IDLE);
		duo_free(&d);
	}
}

TEST_WAYS(a_body_that_does_not_come_is_408_si)
{
	struct duo *d = duo_limited(way,
	    (struct proxy_limits){.stream_idle_us = SOON_US}, serve_mirror);

	peer_head(&d->client,
	    "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\n",
	    /* end */ false);
	peer_body(&d->client, S("abc"));
	duo_read(d);
	EXPECT_EQ(d->reply.status, 408);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_STREAM_IDLE);
	duo_free(&d);
}

/* More than all buffers on the way; it is not asked whether it went. */
static void
serve_endless(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	static const char piece[64 << 10];

	(void)n;
	peer_server(p, w);
	if (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n",
		    /* end */ false);
		for (int i = 0; i < 16384; i++)
			if (!wire_send(w, slice_of(piece, sizeof(piece))))
				break;
	}
	peer_fini(p);
}

/* Neither of the two versions waits for a client for ever. */
TEST(an_answer_whose_client_reads_nothing_is_cut_si)
{
	for (int two = 0; two < 2; two++) {
		struct duo *d = duo_limited((struct way){.down2 = two},
		    (struct proxy_limits){.stream_idle_us = SOON_US},
		    serve_endless);

		d->client.h2.how.hold = true;
		peer_head(&d->client, GET_WEB, /* end */ true);
		EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_STREAM_IDLE);
		EXPECT_EQ(rig_record(d->rig, 0).status, 200);
		if (!two)
			RIG_UNTIL(d->rig,
			    (rig_list(d->rig), d->rig->conn_count == 0));
		duo_free(&d);
	}
}

/* All of it is at the proxy: a window and as much again. */
static void
serve_two_windows(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	static const char piece[64 << 10];

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		atomic_fetch_add(&s->requests, 1);
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ncontent-length: 131072\r\n\r\n",
		    /* end */ false);
		peer_body(p, slice_of(piece, sizeof(piece)));
		peer_body(p, slice_of(piece, sizeof(piece)));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

TEST(what_is_left_of_an_answer_of_http2_has_to_be_taken)
{
	struct duo *d = duo_limited((struct way){.down2 = true},
	    (struct proxy_limits){.stream_idle_us = SOON_US},
	    serve_two_windows);
	uint64_t before = rig_refused("client", "stalled");

	d->client.h2.how.hold = true;
	peer_head(&d->client, GET_WEB, /* end */ true);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_OK); /* for the service */
	EXPECT_TRUE(H2_UNTIL(&d->client.h2, d->client.now->reset));
	EXPECT_EQ(d->client.now->code, H2_CANCEL);
	EXPECT_COUNTED(d->rig, "client", "stalled", before);
	h2_credit(&d->client.h2);
	d->client.h2.how.hold = false;
	duo_ask(d, GET_WEB); /* the connection lives */
	EXPECT_TRUE(d->reply.whole);
	duo_free(&d);
}

/* Small, or a megabyte. */
static void
serve_by_size(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	static const char piece[1 << 20];

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		bool large = strstr(p->request, "/large") != NULL;

		atomic_fetch_add(&s->requests, 1);
		peer_head(p,
		    large ? "HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n"
			  : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
		    /* end */ false);
		peer_body(p, large ? slice_of(piece, sizeof(piece)) : S("ok"));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

/* They share a tunnel's window; who comes behind them gets another tunnel. */
TEST(answers_that_nobody_takes_stop_nobody_else)
{
	struct duo *d = duo_new((struct way){.down2 = true, .tunnel = true},
	    serve_by_size, NULL, NULL);
	struct reply reply;

	d->client.h2.how.hold = true;
	for (int i = 0; i < 99; i++)
		(void)h2_request(&d->client.h2,
		    "GET /large HTTP/1.1\r\nHost: web\r\n\r\n", true);
	RIG_UNTIL(d->rig, atomic_load(&d->server->requests) == 99);
	(void)rig_still(d->rig);
	for (int i = 0; i < 20; i++) {
		rig_get(d->rig, "web", "/", &reply);
		EXPECT_EQ(reply.status, 200);
		EXPECT_TRUE(reply.whole);
		reply_fini(&reply);
	}
	duo_free(&d);
}

/* RFC 7541: GET, http, / by the static table, and "web" as it is. */
static void
add_request(struct buf *b, uint32_t id, bool reset)
{
	static const char block[] = "\x82\x86\x84\x01\x03web";
	enum err e = buf_add_slice(b, S("\0\0\x08\x01\x05"));

	CHECK(e == OK && buf_add_u32(b, id) == OK &&
	      buf_add(b, block, sizeof(block) - 1) == OK);
	if (reset)
		CHECK(buf_add_slice(b, S("\0\0\x04\x03\0")) == OK &&
		      buf_add_u32(b, id) == OK &&
		      buf_add_u32(b, H2_CANCEL) == OK);
}

/* CVE-2023-44487: what is taken back at once goes to no service. */
TEST(requests_that_are_reset_in_the_same_write_reach_nobody)
{
	struct duo *d =
	    duo_new((struct way){.down2 = true}, serve_mirror, NULL, NULL);
	AUTO(buf_fini) struct buf out = BUF(1 << 20);
	uint64_t before = rig_refused("client", "reset_flood");

	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 200);
	for (uint32_t i = 0; i < 400; i++)
		add_request(&out, 1001 + 2 * i, /* reset */ true);
	EXPECT_TRUE(wire_send(&d->wire, buf_slice(&out)));
	EXPECT_TRUE(h2_ping(&d->client.h2)); /* all of it was read */
	EXPECT_TRUE(atomic_load(&d->server->requests) <= 1 + 3 * 8);
	buf_reset(&out);
	for (uint32_t i = 0; i < 200; i++)
		add_request(&out, 3001 + 2 * i, /* reset */ true);
	(void)wire_send(&d->wire, buf_slice(&out));
	(void)!H2_UNTIL(&d->client.h2, false);
	EXPECT_COUNTED(d->rig, "client", "reset_flood", before);
	duo_free(&d);
}

/* Those that wait for the turn's end are served in their order, and whole. */
TEST(many_requests_in_one_write_are_all_served)
{
	struct scene *s = scene_new(serve_ok, NULL);
	AUTO(buf_fini) struct buf out = BUF(1 << 20);

	EXPECT_OK(buf_add_slice(&out, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
					"\0\0\0\4\0\0\0\0\0")));
	for (uint32_t i = 0; i < 50; i++)
		add_request(&out, 1 + 2 * i, /* reset */ false);
	EXPECT_TRUE(wire_send(&s->client, buf_slice(&out)));
	RIG_UNTIL(s->rig, rig_records(s->rig) == 50);
	for (size_t i = 0; i < 50; i++)
		EXPECT_EQ(rig_record(s->rig, i).status, 200);
	scene_free(&s);
}

/* --- connections without a request -----------------------------------------
 */

TEST(a_client_that_asks_for_nothing_is_left_in_order)
{
	for (int two = 0; two < 2; two++) {
		struct duo *d = duo_limited((struct way){.down2 = two},
		    (struct proxy_limits){.idle_us = SOON_US}, serve_mirror);

		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		if (two)
			(void)H2_UNTIL(&d->client.h2, false);
		EXPECT_TRUE(wire_is_over(&d->wire));
		EXPECT_EQ(d->client.h2.goaway, two);
		EXPECT_EQ(d->client.h2.goaway_code, H2_NO_ERROR);
		EXPECT_EQ(rig_records(d->rig), 1);
		duo_free(&d);
	}
}

/* --- too many --------------------------------------------------------------
 */

/* True once it is answered by a service or a refusal. */
static bool
is_let_in(const struct addr *at, struct wire *out)
{
	struct slice some;

	*out = wire_dial(at);
	return wire_say(out, GET_WEB) && wire_some(out, &some);
}

static void
expect_ceiling(const char *protocol, const char *greeting)
{
	struct server own;
	struct wire w[4];
	struct rig *r;
	struct addr at;
	uint64_t before = rig_refused("client", "connections");

	rig_limits = (struct proxy_limits){.conns = 2};
	r = rig_web(serve_text, greeting, protocol, &own);
	rig_limits = (struct proxy_limits){0};
	at = rig_addr(r, "web");
	EXPECT_TRUE(is_let_in(&at, &w[0]));
	EXPECT_TRUE(is_let_in(&at, &w[1]));
	EXPECT_FALSE(is_let_in(&at, &w[2]));
	EXPECT_COUNTED(r, "client", "connections", before);
	wire_close(&w[0]);
	RIG_UNTIL(r, (rig_list(r), r->conn_count == 1));
	EXPECT_TRUE(is_let_in(&at, &w[3]));
	for (size_t i = 1; i < ARRAY_LEN(w); i++)
		wire_close(&w[i]);
	RIG_UNTIL(r, (rig_list(r), r->conn_count == 0));
	rig_free(&r);
	server_close(&own);
}

TEST(a_listener_has_only_so_many_connections)
{
	expect_ceiling("http", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST(a_program_has_a_thousand_streams_at_once)
{
	struct scene *s = scene_new(serve_ok, NULL);

	EXPECT_EQ(wire_streams_announced(&s->client), 1024);
	scene_free(&s);
}

TEST(a_connection_of_bytes_counts_like_any_other)
{
	expect_ceiling("tcp", "hello");
}

/* The first shakes no hands, and counts already. */
TEST(a_worker_has_only_so_many_tunnels_that_come_in)
{
	uint64_t before = rig_refused("node", "connections");
	struct wire first, second;
	struct mesh *m;

	rig_limits = (struct proxy_limits){.tunnels = 1};
	m = mesh_new(ADDR_V4, "http", serve_ok);
	rig_limits = (struct proxy_limits){0};
	mesh_publish(m);
	first = wire_dial(&m->hbone);
	second = wire_dial(&m->hbone);
	EXPECT_TRUE(wire_is_over(&second));
	EXPECT_COUNTED(m->far, "node", "connections", before);
	wire_close(&first);
	wire_close(&second);
	mesh_free(&m);
}

/* --- what is refused is counted --------------------------------------------
 */

TEST(a_clients_flaw_is_counted_by_its_word)
{
	struct scene *s = scene_new(serve_ok, NULL);
	uint64_t before = rig_refused("client", "two_hosts");

	scene_ask(s, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
	EXPECT_EQ(s->reply.status, 400);
	EXPECT_COUNTED(s->rig, "client", "two_hosts", before);
	scene_free(&s);
}

TEST(a_services_flaw_is_counted_by_its_word)
{
	struct scene *s = scene_new(
	    serve_text, "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx");
	uint64_t before = rig_refused("service", "bad_content_length");

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 502);
	EXPECT_COUNTED(s->rig, "service", "bad_content_length", before);
	scene_free(&s);
}

TEST(a_flood_of_http2_is_counted_by_its_name)
{
	struct duo *d =
	    duo_new((struct way){.down2 = true}, serve_mirror, NULL, NULL);
	uint64_t before = rig_refused("client", "ping_flood");

	duo_ask(d, GET_WEB);
	for (int i = 0; i < 1200; i++)
		if (!wire_send(&d->wire, S("\0\0\x08\x06\0\0\0\0\0"
					   "12345678")))
			break;
	(void)!H2_UNTIL(&d->client.h2, false);
	EXPECT_TRUE(d->client.h2.goaway);
	EXPECT_COUNTED(d->rig, "client", "ping_flood", before);
	duo_free(&d);
}

TEST(a_request_of_http2_that_is_nobodys_is_in_the_log)
{
	struct duo *d =
	    duo_new((struct way){.down2 = true}, serve_mirror, NULL, NULL);
	uint64_t before = rig_refused("client", "bad_head");

	duo_ask(d, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n");
	EXPECT_EQ(d->reply.status, 0); /* it is reset */
	EXPECT_EQ(rig_record(d->rig, 0).status, 0);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	EXPECT_COUNTED(d->rig, "client", "bad_head", before);
	duo_free(&d);
}
