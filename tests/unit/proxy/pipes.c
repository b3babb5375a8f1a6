/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pipes — bytes that nobody looks into: TCP, and what an upgrade leaves.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#include <errno.h>
#include <sys/socket.h>

/* A service "web" whose bytes are nobody's business. */
static struct scene *
tcp_scene(enum addr_family family, server_fn fn)
{
	struct scene *s = mem_new(sizeof(*s));
	struct addr at;

	s->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&s->server, family, fn, NULL);
	rig_service(s->rig, "web", "tcp");
	rig_endpoint(s->rig, "web", &s->server.addr, NULL);
	rig_listen(s->rig, "web", family);
	rig_publish(s->rig, NULL);
	at = rig_addr(s->rig, "web");
	s->client = wire_dial(&at);
	return s;
}

/* Speaks first, gives back what comes, speaks last. */
static void
serve_back(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)n;
	wire_say(w, "hello\n");
	while (wire_take(w, 1, &one)) {
		atomic_fetch_add(&s->requests, 1); /* bytes */
		wire_send(w, one);
	}
	wire_say(w, "bye\n");
}

static void
client_ends_first(enum addr_family family)
{
	struct scene *s = tcp_scene(family, serve_back);
	struct rig_record end;
	struct slice got;

	EXPECT_TRUE(wire_until(&s->client, "\n", &got));
	EXPECT_SLICE(got, S("hello\n"));
	EXPECT_TRUE(wire_say(&s->client, "abc"));
	wire_shut(&s->client);
	EXPECT_TRUE(wire_until(&s->client, "\n", &got));
	EXPECT_SLICE(got, S("abcbye\n"));
	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_EQ(rig_record(s->rig, 0).kind, FLOW_TCP_OPENED);
	end = rig_record(s->rig, 1);
	EXPECT_EQ(end.kind, FLOW_TCP_CLOSED);
	EXPECT_EQ(end.flag, FLOW_OK);
	EXPECT_EQ(end.received, 3);
	scene_free(&s);
}

TEST(a_service_may_speak_first_and_after_its_clients_end)
{
	client_ends_first(ADDR_V4);
}

TEST(the_same_over_ipv6)
{
	client_ends_first(ADDR_V6);
}

/* Ends its half at once, then counts what still comes. */
static void
serve_ended(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)n;
	wire_say(w, "bye\n");
	wire_shut(w);
	while (wire_take(w, 1, &one))
		atomic_fetch_add(&s->requests, 1); /* bytes */
}

TEST(a_client_may_speak_after_its_services_end)
{
	struct scene *s = tcp_scene(ADDR_V4, serve_ended);
	struct slice got;

	EXPECT_TRUE(wire_until(&s->client, "\n", &got));
	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_TRUE(wire_say(&s->client, "still here"));
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 10);
	wire_shut(&s->client);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_OK);
	EXPECT_EQ(rig_record(s->rig, 1).received, 10);
	scene_free(&s);
}

/* Says whether a reset or an end came, behind the first line. */
static void
serve_reset_seen(struct server *s, struct wire *w, unsigned n)
{
	struct slice line;
	char byte;

	(void)n;
	CHECK(wire_until(w, "\n", &line));
	wire_say(w, "in\n");
	if (recv(w->fd, &byte, 1, 0) < 0 && errno == ECONNRESET)
		atomic_fetch_add(&s->requests, 1);
}

TEST(a_reset_by_the_client_is_a_reset_for_the_service)
{
	struct scene *s = tcp_scene(ADDR_V4, serve_reset_seen);
	struct slice got;

	EXPECT_TRUE(wire_say(&s->client, "x\n"));
	EXPECT_TRUE(wire_until(&s->client, "\n", &got));
	wire_reset(&s->client);
	RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 1);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_DOWNSTREAM_CLOSED);
	scene_free(&s);
}

static void
serve_reset(struct server *s, struct wire *w, unsigned n)
{
	struct linger hard = {.l_onoff = 1};
	struct slice line;

	(void)s;
	(void)n;
	CHECK(wire_until(w, "\n", &line));
	CHECK(
	    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)) == 0);
}

TEST(a_reset_by_the_service_is_a_reset_for_the_client)
{
	struct scene *s = tcp_scene(ADDR_V4, serve_reset);
	char byte;

	EXPECT_TRUE(wire_say(&s->client, "x\n"));
	EXPECT_EQ(recv(s->client.fd, &byte, 1, 0), -1);
	EXPECT_EQ(errno, ECONNRESET);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_UPSTREAM_RESET);
	scene_free(&s);
}

TEST(a_service_that_is_not_there_resets_the_client_and_says_uf)
{
	struct scene *s = tcp_scene(ADDR_V4, serve_back);
	struct addr at = rig_addr(s->rig, "web");
	struct rig_record r;

	s->rig->endpoints[0].addr = closed_port(ADDR_V4);
	rig_publish(s->rig, NULL);
	wire_close(&s->client);
	(void)rig_record(s->rig, 1); /* the first connection's end */
	s->client = wire_dial(&at);
	EXPECT_TRUE(wire_is_over(&s->client));
	r = rig_record(s->rig, 2);
	EXPECT_EQ(r.kind, FLOW_TCP_REFUSED);
	EXPECT_EQ(r.flag, FLOW_CONNECT_FAILED);
	scene_free(&s);
}

/* --- weights --- */

static void
serve_one_line(struct server *s, struct wire *w, unsigned n)
{
	(void)s;
	(void)n;
	wire_say(w, "x\n");
}

TEST(connections_follow_the_weights_of_a_tcp_rule)
{
	enum { MANY = 200 };
	struct rig *r = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	struct server often, seldom;
	struct addr at;

	server_open(&often, ADDR_V4, serve_one_line, NULL);
	server_open(&seldom, ADDR_V4, serve_one_line, NULL);
	rig_service(r, "web", "tcp");
	rig_endpoint(r, "web", &often.addr, "v1");
	rig_endpoint(r, "web", &seldom.addr, "v2");
	rig_listen(r, "web", ADDR_V4);
	rig_publish(r, "apiVersion: networking.istio.io/v1\n"
		       "kind: DestinationRule\n"
		       "metadata: {name: web, namespace: default}\n"
		       "spec:\n"
		       "  host: web\n"
		       "  subsets:\n"
		       "  - {name: v1, labels: {version: v1}}\n"
		       "  - {name: v2, labels: {version: v2}}\n"
		       "---\n"
		       "apiVersion: networking.istio.io/v1\n"
		       "kind: VirtualService\n"
		       "metadata: {name: web, namespace: default}\n"
		       "spec:\n"
		       "  hosts: [web]\n"
		       "  tcp:\n"
		       "  - route:\n"
		       "    - destination: {host: web, subset: v1}\n"
		       "      weight: 80\n"
		       "    - destination: {host: web, subset: v2}\n"
		       "      weight: 20\n");
	at = rig_addr(r, "web");
	for (int i = 0; i < MANY; i++) {
		struct wire w = wire_dial(&at);

		EXPECT_TRUE(wire_is_over(&w) == false);
		wire_close(&w);
	}
	EXPECT_EQ(
	    atomic_load(&often.connections) + atomic_load(&seldom.connections),
	    MANY);
	/* Six standard deviations around 40. */
	EXPECT_TRUE(atomic_load(&seldom.connections) > 6);
	EXPECT_TRUE(atomic_load(&seldom.connections) < 74);
	rig_free(&r);
	server_close(&often);
	server_close(&seldom);
}

/* --- backpressure --- */

enum {
	FLOOD = 32 << 20,
	/* What kernels keep on two connections, and what we may. */
	HELD_MAX = (16 << 20) + 4 * LIMIT_STREAM_BUFFER
};

static void
serve_flood(struct server *s, struct wire *w, unsigned n)
{
	static char block[64 << 10];

	(void)s;
	(void)n;
	for (size_t i = 0; i < FLOOD / sizeof(block); i++)
		if (!wire_send(w, slice_of(block, sizeof(block))))
			return;
}

TEST(a_client_that_does_not_read_stops_its_service)
{
	struct scene *s = tcp_scene(ADDR_V4, serve_flood);
	uint64_t now = 0, before;
	struct slice all;

	(void)rig_record(s->rig, 0); /* it is a pipe by now */
	do {
		before = now;
		for (int i = 0; i < 20; i++)
			loop_turn(s->rig->control, 5000);
		rig_list(s->rig);
		EXPECT_EQ(s->rig->conn_count, 1);
		now = s->rig->conns[0].bytes_out;
	} while (now != before || now == 0);
	EXPECT_TRUE(now < HELD_MAX);
	EXPECT_TRUE(wire_take(&s->client, FLOOD, &all));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

/* --- upgrades --- */

static void
serve_upgrade(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	if (!server_head(s, w, &head))
		return;
	if (memmem(head.ptr, head.len, "upgrade: chat", 13) == NULL) {
		wire_say(w, "HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n");
		return;
	}
	/* The first bytes behind the head come in the same read. */
	wire_say(w, "HTTP/1.1 101 Switching Protocols\r\n"
		    "connection: upgrade\r\nupgrade: chat\r\n\r\nhello\n");
	serve_back(s, w, n);
}

#define UPGRADE                                                                \
	"GET /chat HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\n"           \
	"Upgrade: chat\r\n\r\n"

TEST(an_upgrade_leaves_a_pipe_with_each_end_by_itself)
{
	struct scene *s = scene_new(serve_upgrade, NULL);
	struct rig_record r;
	struct slice got;

	/* Bytes behind the head must not be lost either. */
	scene_ask(s, UPGRADE "early ");
	EXPECT_EQ(s->reply.status, 101);
	EXPECT_TRUE(head_has(s->reply.head, "upgrade: chat"));
	EXPECT_TRUE(head_has(s->reply.head, "connection: upgrade"));
	rig_list(s->rig);
	EXPECT_EQ(s->rig->conns[0].kind, PROXY_CONN_UPGRADE);
	EXPECT_TRUE(wire_until(&s->client, "hello\nhello\n", &got));
	EXPECT_TRUE(wire_say(&s->client, "late"));
	wire_shut(&s->client);
	EXPECT_TRUE(wire_until(&s->client, "bye\n", &got));
	EXPECT_SLICE(got, S("early latebye\n"));
	EXPECT_TRUE(wire_is_over(&s->client));
	r = rig_record(s->rig, 0);
	EXPECT_EQ(r.kind, FLOW_HTTP);
	EXPECT_EQ(r.status, 101);
	EXPECT_EQ(r.flag, FLOW_OK);
	scene_free(&s);
}

TEST(an_upgrade_that_is_declined_is_an_answer_like_any_other)
{
	struct scene *s = scene_new(serve_ok, NULL);

	for (int i = 0; i < 2; i++) {
		scene_ask(s, UPGRADE);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_SLICE(buf_slice(&s->reply.body), S("ok\n"));
	}
	scene_free(&s);
}

/* HTTP/2 behind our back would pass every filter by (RFC 9113 dropped it). */
TEST(nobody_switches_to_http_2_in_the_clear)
{
	static const char *const asks[] = {"h2c", "H2C", "websocket, h2c"};

	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		struct scene *s = scene_new(serve_echo, NULL);
		char text[256];

		(void)snprintf(text, sizeof(text),
		    "GET / HTTP/1.1\r\nHost: web\r\n"
		    "Connection: upgrade, http2-settings\r\n"
		    "Upgrade: %s\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
		    asks[i]);
		scene_ask(s, text);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_FALSE(body_has(&s->reply, "upgrade"));
		EXPECT_FALSE(body_has(&s->reply, "ettings"));
		scene_free(&s);
	}
}

TEST(a_switch_that_nobody_asked_for_is_502)
{
	struct scene *s = scene_new(serve_text,
	    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
	    "upgrade: chat\r\n\r\n");

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 502);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_PROTOCOL);
	scene_free(&s);
}
