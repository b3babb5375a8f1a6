/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors — copies of requests that go elsewhere.
 */
#include "h2.h"
#include "scene.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "route: [{destination: {host: web}}]"
#define MIRRORED(more) VS "  - {mirror: {host: copy}, " more WEB "}\n"

/* "web" and a client, as in a scene, and "copy". */
struct stage {
	struct rig *rig;
	struct server web;
	struct server copy;
	struct wire client;
	struct reply reply;
};

/* What the copy's server got last. */
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static char seen[4096];

static void
serve_and_keep(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	while (server_head(s, w, &head)) {
		AUTO(buf_fini) struct buf all = BUF(4 << 20);
		AUTO(buf_fini) struct buf body = BUF(4 << 20);

		EXPECT_OK(buf_add_slice(&all, head));
		if (!server_body(w, buf_slice(&all), &body))
			return;
		pthread_mutex_lock(&seen_lock);
		(void)snprintf(seen, sizeof(seen), "%.*s%.*s",
		    SLICE_ARG(buf_slice(&all)),
		    SLICE_ARG(slice_sub(buf_slice(&body), 0, 1000)));
		pthread_mutex_unlock(&seen_lock);
		wire_say(w, "HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nlate");
	}
}

static bool
was_seen(const char *text)
{
	bool found;

	pthread_mutex_lock(&seen_lock);
	found = strstr(seen, text) != NULL;
	pthread_mutex_unlock(&seen_lock);
	return found;
}

static struct stage *
stage_of(const char *protocol, server_fn copy, const char *yaml)
{
	struct stage *s = mem_new(sizeof(*s));
	struct addr at;

	seen[0] = 0;
	s->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&s->web, ADDR_V4, serve_ok, NULL);
	server_open(&s->copy, ADDR_V4, copy, NULL);
	rig_service(s->rig, "web", "http");
	rig_service(s->rig, "copy", protocol);
	rig_endpoint(s->rig, "web", &s->web.addr, NULL);
	rig_endpoint(s->rig, "copy", &s->copy.addr, NULL);
	rig_listen(s->rig, "web", ADDR_V4);
	rig_publish(s->rig, yaml);
	at = rig_addr(s->rig, "web");
	s->client = wire_dial(&at);
	return s;
}

static struct stage *
stage_new(server_fn copy, const char *yaml)
{
	return stage_of("http", copy, yaml);
}

static void
stage_free(struct stage **sp)
{
	struct stage *s = *sp;

	wire_close(&s->client);
	rig_free(&s->rig);
	server_close(&s->web);
	server_close(&s->copy);
	reply_fini(&s->reply);
	mem_free(sp);
}

static void
stage_ask(struct stage *s, const char *request)
{
	reply_fini(&s->reply);
	ask(&s->client, request, &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("ok\n"));
}

/* The n-th record of a copy. */
static struct rig_record
copied(struct stage *s, size_t n)
{
	for (size_t i = 0;; i++) {
		struct rig_record r = rig_record(s->rig, i);

		if (r.kind == FLOW_COPY && n-- == 0)
			return r;
	}
}

#define POST_HELLO                                                             \
	"POST /old/x HTTP/1.1\r\nHost: web:80\r\nx-a: me\r\nExpect: "          \
	"100-continue\r\nContent-Length: 5\r\n\r\nhello"

TEST(a_copy_is_what_is_sent_but_for_its_host)
{
	struct stage *s = stage_new(serve_and_keep,
	    VS "  - {match: [{uri: {prefix: /old}}], mirror: {host: copy}, "
	       "rewrite: {uri: /new}, headers: {request: {set: {x-b: "
	       "'%REQ(x-a)%'}}}, " WEB "}\n");
	struct rig_record r;

	EXPECT_TRUE(wire_say(&s->client, POST_HELLO));
	reply_read(&s->client, "POST", &s->reply);
	while (s->reply.status == 100) {
		reply_fini(&s->reply);
		reply_read(&s->client, "POST", &s->reply);
	}
	EXPECT_EQ(s->reply.status, 200);
	r = copied(s, 0);
	EXPECT_EQ(r.flag, FLOW_OK);
	EXPECT_EQ(r.status, 500);
	EXPECT_EQ(r.received, 5);
	EXPECT_STR(r.cluster, "outbound|80||copy.default.svc.cluster.local");
	EXPECT_TRUE(was_seen("POST /new/x HTTP/1.1\r\n"));
	EXPECT_TRUE(was_seen("host: web:80\r\n"));
	EXPECT_TRUE(was_seen("x-b: me\r\n"));
	EXPECT_TRUE(was_seen("content-length: 5\r\n"));
	EXPECT_TRUE(was_seen("\r\n\r\nhello"));
	EXPECT_FALSE(was_seen("expect:"));
	stage_free(&s);
}

TEST(a_body_in_chunks_is_copied_as_a_whole)
{
	struct stage *s = stage_new(serve_and_keep, MIRRORED(""));

	stage_ask(s,
	    "POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: "
	    "chunked\r\nTrailer: x-t\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nx-t: "
	    "1\r\n\r\n");
	EXPECT_EQ(copied(s, 0).flag, FLOW_OK);
	EXPECT_TRUE(was_seen("content-length: 5\r\n"));
	EXPECT_TRUE(was_seen("\r\n\r\nhello"));
	EXPECT_FALSE(was_seen("x-t"));
	stage_free(&s);
}

/* All that an answer may have; nobody waits for any of it. */
static void
serve_all_in_http2(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	(void)n;
	while ((x = h2_next(h)) != NULL) {
		(void)atomic_fetch_add(&s->requests, 1);
		h2_respond(h, x, "HTTP/2 103\r\nlink: a\r\n\r\n", false);
		h2_respond(h, x, "HTTP/2 200\r\nx: y\r\n\r\n", false);
		h2_data(h, x, S("late"), /* end */ false);
		h2_trailers(h, x, "sum: 4\r\n");
		(void)h2_sent(h, x);
	}
	h2_leave(&h);
}

TEST(a_copy_may_be_answered_in_http2)
{
	struct stage *s = stage_of("http2", serve_all_in_http2, MIRRORED(""));

	for (size_t i = 0; i < 3; i++) {
		stage_ask(s, POST_HELLO);
		EXPECT_EQ(copied(s, i).flag, FLOW_OK);
		EXPECT_EQ(copied(s, i).status, 200);
	}
	EXPECT_EQ(atomic_load(&s->copy.requests), 3);
	stage_free(&s);
}

TEST(each_mirror_has_its_share)
{
	enum { ASKED = 400 };
	struct stage *s = stage_new(serve_and_keep,
	    VS "  - {mirrors: [{destination: {host: copy}}, {destination: "
	       "{host: copy}, percentage: {value: 25}}, {destination: {host: "
	       "copy}, percentage: {value: 0}}], " WEB "}\n");
	unsigned got;

	for (int i = 0; i < ASKED; i++)
		stage_ask(s, GET_WEB);
	RIG_UNTIL(s->rig, atomic_load(&s->copy.requests) >= ASKED + 40);
	(void)copied(s, ASKED + 40 - 1);
	got = atomic_load(&s->copy.requests);
	EXPECT_TRUE(got < ASKED + 170);
	stage_free(&s);
}

/* Nobody reads it, so that nobody waits for it. */
TEST(a_copy_that_is_not_answered_holds_nobody_up)
{
	struct stage *s =
	    stage_new(serve_silence, MIRRORED("timeout: 100ms, "));

	for (size_t i = 0; i < 20; i++)
		stage_ask(s, GET_WEB);
	for (size_t i = 0; i < 20; i++)
		EXPECT_EQ(copied(s, i).flag, FLOW_TIMEOUT);
	EXPECT_EQ(atomic_load(&s->copy.requests), 20);
	stage_free(&s);
}

TEST(copies_under_way_end_with_the_proxy)
{
	struct stage *s = stage_new(serve_silence, MIRRORED(""));

	stage_ask(s, GET_WEB);
	RIG_UNTIL(s->rig, atomic_load(&s->copy.requests) == 1);
	stage_free(&s);
}

TEST(a_copy_that_nobody_takes_is_told)
{
	struct stage *s = stage_new(serve_and_keep, VS
	    "  - {match: [{uri: {prefix: /gone}}], mirror: {host: gone}, " WEB
	    "}\n  - {mirror: {host: copy}, " WEB "}\n");

	server_refuse(&s->copy);
	stage_ask(s, GET_WEB);
	EXPECT_EQ(copied(s, 0).flag, FLOW_CONNECT_FAILED);
	stage_ask(s, "GET /gone HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(copied(s, 1).flag, FLOW_NO_CLUSTER);
	EXPECT_TRUE(strstr(copied(s, 1).detail, "gone") != NULL);
	stage_free(&s);
}

/* Sends a body of so many bytes, and reads the answer. */
static void
post(struct stage *s, size_t bytes)
{
	wire_post(&s->client, bytes);
	reply_fini(&s->reply);
	reply_read(&s->client, "POST", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
}

enum { MIB = 1 << 20 };

TEST(a_body_that_is_too_large_is_not_copied)
{
	struct stage *s = stage_new(serve_and_keep, MIRRORED(""));

	post(s, MIB);
	EXPECT_EQ(copied(s, 0).flag, FLOW_OK);
	EXPECT_EQ(copied(s, 0).received, MIB);
	post(s, MIB + 1);
	EXPECT_EQ(copied(s, 1).flag, FLOW_OVERFLOW);
	EXPECT_STR(copied(s, 1).detail,
	    "the body is larger than 1 MiB, which is not copied");
	EXPECT_EQ(atomic_load(&s->copy.requests), 1);
	stage_free(&s);
}

/* 32 MiB a worker. */
TEST(bodies_that_are_held_for_copies_have_a_bound)
{
	struct stage *s = stage_new(serve_silence, MIRRORED(""));

	for (size_t i = 0; i < 32; i++)
		post(s, MIB);
	post(s, 10);
	EXPECT_EQ(copied(s, 0).flag, FLOW_OVERFLOW);
	EXPECT_STR(copied(s, 0).detail,
	    "as many bytes as there may be are held for copies");
	stage_ask(s, GET_WEB); /* no bytes, no bound */
	RIG_UNTIL(s->rig, atomic_load(&s->copy.requests) == 33);
	stage_free(&s);
}

TEST(a_client_that_leaves_takes_its_copy_along)
{
	struct stage *s = stage_new(serve_and_keep, MIRRORED(""));

	EXPECT_TRUE(wire_say(&s->client, "POST / HTTP/1.1\r\nHost: web\r\n"
					 "Content-Length: 50\r\n\r\nhello"));
	RIG_UNTIL(s->rig, atomic_load(&s->web.requests) == 1);
	wire_reset(&s->client);
	EXPECT_EQ(copied(s, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	EXPECT_EQ(atomic_load(&s->copy.requests), 0);
	stage_free(&s);
}

/* The end of its stream may come after the answer. */
TEST(a_copy_is_whole_once_its_length_is_there)
{
	struct stage *s = stage_new(serve_and_keep, MIRRORED(""));
	struct h2_stream *posted;
	struct h2 h;

	h2_client(&h, &s->client, (struct h2_how){.hold = false});
	posted = h2_request(&h,
	    "POST / HTTP/2\r\nhost: web\r\ncontent-length: 5\r\n\r\n",
	    /* end */ false);
	h2_data(&h, posted, S("hello"), /* end */ false);
	EXPECT_TRUE(H2_UNTIL(&h, posted->ended));
	EXPECT_EQ(posted->status, 200);
	h2_fini(&h);
	wire_reset(&s->client);
	EXPECT_EQ(copied(s, 0).flag, FLOW_OK);
	EXPECT_TRUE(was_seen("content-length: 5\r\n"));
	EXPECT_TRUE(was_seen("\r\n\r\nhello"));
	stage_free(&s);
}

/* A copy that is slow must not make a request wait for a connection. */
TEST(copies_have_connections_of_their_own)
{
	struct stage *s = stage_new(
	    serve_and_keep, VS "  - {mirror: {host: web}, " WEB "}\n");

	for (size_t i = 0; i < 10; i++) {
		stage_ask(s, GET_WEB);
		EXPECT_EQ(copied(s, i).flag, FLOW_OK);
	}
	EXPECT_EQ(atomic_load(&s->web.requests), 20);
	EXPECT_EQ(atomic_load(&s->web.connections), 2);
	stage_free(&s);
}
