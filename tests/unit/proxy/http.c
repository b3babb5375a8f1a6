/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http — requests and answers of every shape through a listener.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>

static void
many_requests(enum addr_family family)
{
	struct rig *r = rig_new(/* workers */ 2, /* hbone */ ADDR_NONE);
	struct server s;
	struct addr at;
	struct wire w;

	server_open(&s, family, serve_ok, NULL);
	rig_service(r, "web", "http");
	rig_endpoint(r, "web", &s.addr, NULL);
	rig_listen(r, "web", family);
	rig_publish(r, NULL);
	at = rig_addr(r, "web");
	w = wire_dial(&at);
	for (int i = 0; i < 200; i++) {
		struct reply reply;

		ask(&w, "GET /x HTTP/1.1\r\nHost: web\r\n\r\n", &reply);
		EXPECT_EQ(reply.status, 200);
		EXPECT_SLICE(buf_slice(&reply.body), S("ok\n"));
		reply_fini(&reply);
	}
	EXPECT_EQ(atomic_load(&s.requests), 200);
	EXPECT_EQ(atomic_load(&s.connections), 1);
	EXPECT_EQ(rig_record(r, 199).status, 200);
	wire_close(&w);
	rig_free(&r);
	server_close(&s);
}

TEST(many_requests_share_one_connection_on_each_side)
{
	many_requests(ADDR_V4);
}

TEST(the_same_over_ipv6)
{
	many_requests(ADDR_V6);
}

TEST(a_request_arrives_without_what_concerns_one_connection)
{
	struct scene *s = scene_new(serve_echo, NULL);

	scene_ask(s, "GET /a?b=c HTTP/1.1\r\nHost: web\r\nX-One: 1\r\n"
		     "Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "GET /a?b=c HTTP/1.1\r\n"));
	EXPECT_TRUE(body_has(&s->reply, "host: web\r\n"));
	EXPECT_TRUE(body_has(&s->reply, "x-one: 1\r\n"));
	EXPECT_TRUE(body_has(&s->reply, "x-request-id: "));
	EXPECT_TRUE(body_has(&s->reply, "x-forwarded-proto: http\r\n"));
	EXPECT_FALSE(body_has(&s->reply, "x-hop"));
	EXPECT_FALSE(body_has(&s->reply, "keep-alive"));
	scene_free(&s);
}

#define MESH(mode)                                                             \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\nmetadata: {name: "        \
	"default}\nspec: {pathNormalization: {normalization: " mode            \
	"}}\n---\n"
#define OLD_MOVED                                                              \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec: {hosts: [web], http: [{match: [{uri: "   \
	"{exact: /old/x}}], redirect: {uri: /new}}, {route: [{destination: "   \
	"{host: web}}]}]}\n"

/* What rules are asked about is what the service gets. */
TEST(a_path_has_one_spelling_before_anybody_asks_for_it)
{
	struct scene *s = scene_with(serve_echo, NULL, OLD_MOVED);

	scene_ask(s, "GET /a/../old/%78?y HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 301);
	scene_ask(
	    s, "GET /x/./y%41//z?q=/../%41 HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_TRUE(body_has(&s->reply, "GET /x/yA//z?q=/../%41 HTTP/1.1\r\n"));
	scene_ask(s, "GET /%00 HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 400);
	EXPECT_TRUE(strstr(s->reply.head, "no path may have") != NULL);
	EXPECT_EQ(rig_record(s->rig, 2).flag, FLOW_DOWNSTREAM_PROTOCOL);
	EXPECT_EQ(atomic_load(&s->server.requests), 1);
	scene_free(&s);
}

TEST(a_path_is_spelled_as_the_mesh_says)
{
	static const struct {
		const char *yaml;
		const char *gets;
	} rows[] = {
	    {MESH("NONE") OLD_MOVED, "GET /a/..//old%2fx HTTP/1.1\r\n"},
	    {MESH("BASE") OLD_MOVED, "GET //old%2fx HTTP/1.1\r\n"},
	    {MESH("MERGE_SLASHES") OLD_MOVED, "GET /old%2fx HTTP/1.1\r\n"},
	    {MESH("DECODE_AND_MERGE_SLASHES") OLD_MOVED, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene *s = scene_with(serve_echo, NULL, rows[i].yaml);

		scene_ask(
		    s, "GET /a/..//old%2fx HTTP/1.1\r\nHost: web\r\n\r\n");
		if (rows[i].gets != NULL)
			EXPECT_TRUE(body_has(&s->reply, rows[i].gets));
		else
			EXPECT_EQ(s->reply.status, 301);
		scene_free(&s);
	}
}

/* RFC 9562 §5.4: version 4, and the variant's two bits are 10. */
TEST(a_request_gets_an_id_of_its_own)
{
	struct scene *s = scene_new(serve_echo, NULL);
	const char *found;
	char first[37] = "";

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_OK(buf_add_byte(&s->reply.body, 0));
		found = strstr(s->reply.body.mem, "x-request-id: ");
		EXPECT_TRUE(found != NULL);
		found += strlen("x-request-id: ");
		EXPECT_EQ(strspn(found, "0123456789abcdef-"), 36);
		EXPECT_EQ(found[14], '4');
		EXPECT_TRUE(strchr("89ab", found[19]) != NULL);
		EXPECT_TRUE(found[8] == '-' && found[13] == '-' &&
			    found[18] == '-' && found[23] == '-');
		EXPECT_TRUE(strncmp(first, found, 36) != 0);
		(void)snprintf(first, sizeof(first), "%s", found);
	}
	scene_free(&s);
}

TEST(a_body_with_a_length_goes_through)
{
	struct scene *s = scene_new(serve_echo, NULL);

	for (int i = 0; i < 3; i++) {
		scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
			     "Content-Length: 5\r\n\r\nhello");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(body_has(&s->reply, "content-length: 5\r\n"));
		EXPECT_TRUE(body_has(&s->reply, "\r\n\r\nhello"));
	}
	EXPECT_EQ(rig_record(s->rig, 2).received, 5);
	scene_free(&s);
}

TEST(a_body_in_chunks_goes_through_with_its_trailers)
{
	struct scene *s = scene_new(serve_echo, NULL);

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n"
		     "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "transfer-encoding: chunked\r\n"));
	EXPECT_TRUE(body_has(&s->reply, "\r\n\r\nabcdefg"));
	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

enum { BIG = 8 << 20 };

static void
big_body(const char *framing, bool chunked)
{
	struct scene *s = scene_new(serve_echo, NULL);
	char *body = mem_new(BIG);
	char head[256];

	for (size_t i = 0; i < BIG; i++)
		body[i] = (char)('a' + (i / 7) % 26);
	snprintf(head, sizeof(head),
	    "POST / HTTP/1.1\r\nHost: web\r\n%s\r\n\r\n", framing);
	EXPECT_TRUE(wire_say(&s->client, head));
	for (size_t at = 0; at < BIG; at += 64 << 10) {
		if (chunked)
			EXPECT_TRUE(wire_say(&s->client, "10000\r\n"));
		EXPECT_TRUE(
		    wire_send(&s->client, slice_of(body + at, 64 << 10)));
		if (chunked)
			EXPECT_TRUE(wire_say(&s->client, "\r\n"));
	}
	if (chunked)
		EXPECT_TRUE(wire_say(&s->client, "0\r\n\r\n"));
	reply_read(&s->client, "POST", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(buf_len(&s->reply.body) > BIG);
	EXPECT_MEM(
	    buf_slice(&s->reply.body).ptr + buf_len(&s->reply.body) - BIG, body,
	    BIG);
	mem_free(&body);
	scene_free(&s);
}

TEST(a_big_body_with_a_length_comes_back_whole)
{
	big_body("Content-Length: 8388608", false);
}

TEST(a_big_body_in_chunks_comes_back_whole)
{
	big_body("Transfer-Encoding: chunked", true);
}

static void
serve_trailers(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head))
		wire_say(w, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
			    "\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n");
}

TEST(trailers_of_an_answer_reach_the_client)
{
	struct scene *s = scene_new(serve_trailers, NULL);

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_SLICE(buf_slice(&s->reply.body), S("hi"));
		EXPECT_STR(s->reply.trailers, "x-sum: 1\r\n");
	}
	EXPECT_EQ(atomic_load(&s->server.connections), 1);
	scene_free(&s);
}

TEST(head_has_a_length_and_no_body)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, "HEAD / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "content-length: 3"));
	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_SLICE(buf_slice(&s->reply.body), S("ok\n"));
	scene_free(&s);
}

TEST(answers_without_a_body_leave_the_connection_in_step)
{
	struct scene *s =
	    scene_new(serve_text, "HTTP/1.1 204 No Content\r\n\r\n");

	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 204);
	scene_ask(s, "DELETE / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 204);
	scene_free(&s);
	s = scene_new(serve_text,
	    "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n");
	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 304);
	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 304);
	EXPECT_EQ(atomic_load(&s->server.connections), 1);
	scene_free(&s);
}

static void
serve_continue(struct server *s, struct wire *w, unsigned n)
{
	AUTO(buf_fini) struct buf body = BUF(1 << 20);
	struct slice head;

	(void)n;
	CHECK(server_head(s, w, &head));
	CHECK(wire_say(w, "HTTP/1.1 100 Continue\r\n\r\n"));
	if (server_body(w, S("content-length: 4\r\n\r\n"), &body))
		wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
}

TEST(who_expects_100_gets_it_from_the_service_first)
{
	struct scene *s = scene_new(serve_continue, NULL);

	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n"
		     "Expect: 100-continue\r\n\r\n");
	EXPECT_EQ(s->reply.status, 100);
	scene_ask(s, "body");
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

TEST(requests_in_one_write_are_answered_in_order)
{
	struct scene *s = scene_new(serve_echo, NULL);
	char path[32];

	EXPECT_TRUE(wire_say(&s->client,
	    "GET /1 HTTP/1.1\r\nHost: web\r\n\r\n"
	    "POST /2 HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"
	    "GET /3 HTTP/1.1\r\nHost: web\r\n\r\n"));
	for (int i = 1; i <= 3; i++) {
		reply_fini(&s->reply);
		reply_read(&s->client, "GET", &s->reply);
		EXPECT_EQ(s->reply.status, 200);
		snprintf(path, sizeof(path), " /%d HTTP/1.1\r\n", i);
		EXPECT_TRUE(body_has(&s->reply, path));
	}
	scene_free(&s);
}

/* More than one backlog: the client has to be stopped, not cut. */
TEST(thousands_of_requests_ahead_are_all_answered)
{
	enum { MANY = 4000 };
	struct scene *s = scene_new(serve_ok, NULL);
	AUTO(buf_fini) struct buf all = BUF(1 << 20);

	for (int i = 0; i < MANY; i++)
		EXPECT_OK(buf_add_slice(
		    &all, S("GET / HTTP/1.1\r\nHost: web\r\nX: y\r\n\r\n")));
	EXPECT_TRUE(wire_send(&s->client, buf_slice(&all)));
	wire_shut(&s->client);
	for (int i = 0; i < MANY; i++) {
		reply_fini(&s->reply);
		reply_read(&s->client, "GET", &s->reply);
		EXPECT_EQ(s->reply.status, 200);
	}
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

TEST(an_old_client_gets_an_answer_that_ends_with_the_connection)
{
	struct scene *s = scene_new(serve_trailers, NULL);

	scene_ask(s, "GET / HTTP/1.0\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
	EXPECT_FALSE(head_has(s->reply.head, "transfer-encoding: chunked"));
	EXPECT_SLICE(buf_slice(&s->reply.body), S("hi"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

TEST(an_old_client_may_keep_its_connection)
{
	struct scene *s = scene_new(serve_ok, NULL);

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET / HTTP/1.0\r\nHost: web\r\n"
			     "Connection: keep-alive\r\n\r\n");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(head_has(s->reply.head, "connection: keep-alive"));
	}
	scene_free(&s);
}

/* Ours and a rule's say how long they are. */
TEST(an_old_client_keeps_its_connection_behind_our_own_answers)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - match: [{uri: {prefix: /rule}}]\n"
	    "    directResponse: {status: 451, body: {string: no}}\n"
	    "  - match: [{uri: {prefix: /ok}}]\n"
	    "    route: [{destination: {host: web}}]\n");

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET /none HTTP/1.0\r\nHost: web\r\n"
			     "Connection: keep-alive\r\n\r\n");
		EXPECT_EQ(s->reply.status, 404);
		EXPECT_TRUE(head_has(s->reply.head, "connection: keep-alive"));
		scene_ask(s, "GET /rule HTTP/1.0\r\nHost: web\r\n"
			     "Connection: keep-alive\r\n\r\n");
		EXPECT_EQ(s->reply.status, 451);
	}
	scene_ask(s, "GET /none HTTP/1.0\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 404);
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

TEST(a_client_that_says_close_is_closed_behind_the_answer)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(
	    s, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

TEST(a_service_that_closes_is_no_matter_to_the_client)
{
	struct scene *s =
	    scene_new(serve_text, "HTTP/1.1 200 OK\r\nconnection: close\r\n"
				  "content-length: 2\r\n\r\nhi");

	for (int i = 0; i < 3; i++) {
		scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_FALSE(head_has(s->reply.head, "connection: close"));
	}
	EXPECT_EQ(atomic_load(&s->server.connections), 3);
	scene_free(&s);
}

/* No length, no chunks: the end of the connection ends the body. */
static void
serve_until_end(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (server_head(s, w, &head))
		wire_say(w, "HTTP/1.1 200 OK\r\n\r\nall there is");
}

TEST(a_body_that_ends_with_its_connection_is_framed_for_the_client)
{
	struct scene *s = scene_new(serve_until_end, NULL);

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(
		    head_has(s->reply.head, "transfer-encoding: chunked"));
		EXPECT_TRUE(s->reply.whole);
		EXPECT_SLICE(buf_slice(&s->reply.body), S("all there is"));
	}
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_OK);
	scene_free(&s);
}

TEST(a_half_closed_client_still_gets_its_answer)
{
	struct scene *s = scene_new(serve_ok, NULL);

	EXPECT_TRUE(
	    wire_say(&s->client, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"));
	wire_shut(&s->client);
	reply_read(&s->client, "GET", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

static void
serve_half(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (server_head(s, w, &head))
		wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal");
}

TEST(an_answer_that_is_cut_off_is_cut_off_for_the_client_too)
{
	struct scene *s = scene_new(serve_half, NULL);

	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_FALSE(s->reply.whole);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_CLOSED);
	EXPECT_STR(
	    rig_record(s->rig, 0).detail, "the endpoint's answer was cut off");
	scene_free(&s);
}

TEST(an_answer_that_is_no_http_is_a_502_with_words)
{
	struct scene *s = scene_new(serve_text, "SSH-2.0-hello\r\n\r\n");

	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 502);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_PROTOCOL);
	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 502);
	scene_free(&s);
}

/* Two of one service, of two versions: reports must not mix them up. */
TEST(each_endpoint_is_reported_as_itself)
{
	struct server v1, v2;
	struct rig *r = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	bool seen[2] = {false};
	uint64_t keys[2] = {0};

	server_open(&v1, ADDR_V4, serve_ok, "v1");
	server_open(&v2, ADDR_V4, serve_ok, "v2");
	rig_service(r, "web", "http");
	rig_endpoint(r, "web", &v1.addr, "v1");
	rig_endpoint(r, "web", &v2.addr, "v2");
	rig_listen(r, "web", ADDR_V4);
	rig_publish(r, NULL);
	for (size_t i = 0; i < 40; i++) {
		AUTO(mem_free) struct reply *reply = mem_new(sizeof(*reply));
		struct rig_record record;
		size_t which;

		rig_get(r, "web", "/", reply);
		record = rig_record(r, i);
		EXPECT_EQ(record.upstream_local.family, ADDR_V4);
		EXPECT_NE(record.upstream_local.port, 0);
		which = strcmp(record.version, "v2") == 0;
		EXPECT_TRUE(body_has(reply, which ? "v2" : "v1"));
		EXPECT_TRUE(!seen[which] || keys[which] == record.destination);
		seen[which] = true;
		keys[which] = record.destination;
		reply_fini(reply);
	}
	EXPECT_TRUE(seen[0] && seen[1]);
	EXPECT_NE(keys[0], keys[1]);
	rig_free(&r);
	server_close(&v1);
	server_close(&v2);
}

/* The head is taken, then the answer breaks in the same read. */
TEST(what_was_collected_for_one_client_never_reaches_another)
{
	struct scene *s = scene_new(serve_text,
	    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
	struct addr at = rig_addr(s->rig, "web");
	struct wire other = wire_dial(&at);

	scene_ask(s, "GET / HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_FALSE(s->reply.whole);
	reply_fini(&s->reply);
	ask(&other, "BAD\r\n\r\n", &s->reply);
	EXPECT_EQ(s->reply.status, 400);
	wire_close(&other);
	scene_free(&s);
}

TEST(a_head_that_two_parsers_may_read_differently_is_400_and_closed)
{
	static const char *const heads[] = {
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
	    "Content-Length: 4\r\n\r\nabcd",
	    "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n y\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.1\nHost: a\n\n",
	    "POST / HTTP/1.1\r\nHost: a\r\n"
	    "Transfer-Encoding: chunked, identity\r\n\r\n",
	};
	struct scene *s = scene_new(serve_ok, NULL);
	struct addr at = rig_addr(s->rig, "web");

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct wire w = wire_dial(&at);

		reply_fini(&s->reply);
		ask(&w, heads[i], &s->reply);
		EXPECT_TRUE(s->reply.status == 400 || s->reply.status == 501);
		EXPECT_TRUE(head_has(s->reply.head, "connection: close"));
		EXPECT_TRUE(wire_is_over(&w));
		wire_close(&w);
		EXPECT_EQ(rig_record(s->rig, i).flag, FLOW_DOWNSTREAM_PROTOCOL);
	}
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(connect_is_refused_on_a_named_listener)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n");
	EXPECT_EQ(s->reply.status, 403);
	scene_free(&s);
}

/* A reader that takes nothing: what we hold of the answer stays bounded. */
static void
serve_flood(struct server *s, struct wire *w, unsigned n)
{
	static char block[64 << 10];
	struct slice head;

	(void)n;
	if (!server_head(s, w, &head))
		return;
	wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n");
	for (int i = 0; i < 1024; i++) {
		if (!wire_send(w, slice_of(block, sizeof(block))))
			return;
		atomic_fetch_add(&s->requests, 1); /* blocks */
	}
}

TEST(a_slow_reader_stops_the_service)
{
	struct scene *s = scene_new(serve_flood, NULL);
	struct slice bytes;

	EXPECT_TRUE(
	    wire_say(&s->client, "GET / HTTP/1.1\r\nHost: web\r\n\r\n"));
	EXPECT_TRUE(wire_take(&s->client, 1 << 20, &bytes));
	EXPECT_TRUE(rig_still(s->rig).out < 32 << 20);
	EXPECT_TRUE(atomic_load(&s->server.requests) < 700);
	EXPECT_TRUE(wire_take(&s->client, 63 << 20, &bytes));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_OK);
	scene_free(&s);
}
