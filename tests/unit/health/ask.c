/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask — questions by HTTP, by connecting and by gRPC, over loopback.
 */
#include "scene.h"

#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- http ----------------------------------------------------------------- */

TEST(a_status_says_whether_it_is_good)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	scene_ask(&s, "{\"http\":{\"path\":\"/healthz\"}}");
	EXPECT_STR(s.reason, "GET /healthz: 200");
	EXPECT_TRUE(s.is_good);
	EXPECT_STR(s.path, "/healthz");
	s.status = 399;
	scene_ask(&s, "{\"http\":{}}");
	EXPECT_TRUE(s.is_good);
	s.status = 503;
	scene_ask(&s, "{\"http\":{\"path\":\"/healthz\"}}");
	EXPECT_STR(s.reason, "GET /healthz: 503");
	EXPECT_FALSE(s.is_good);
	scene_close(&s);
}

TEST(statuses_may_be_said_and_so_may_headers_and_the_method)
{
	static const char spec[] =
	    "{\"http\":{\"method\":\"HEAD\",\"expectedStatuses\":[\"204\","
	    "\"400-499\"],\"headers\":[{\"name\":\"X-Probe\",\"value\":"
	    "\"meshd\"}]}}";
	static const struct {
		unsigned status;
		bool is_good;
	} rows[] = {{200, false}, {204, true}, {399, false}, {400, true},
	    {499, true}, {500, false}};
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		s.status = rows[i].status;
		scene_ask(&s, spec);
		EXPECT_EQ(s.is_good, rows[i].is_good);
		EXPECT_STR(s.probe, "meshd");
	}
	EXPECT_STR(s.reason, "HEAD /: 500");
	scene_close(&s);
}

TEST(a_body_that_is_too_long_to_look_at_is_no_failure)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	s.body = HEALTH_BODY_MAX + 1;
	scene_ask(&s, "{\"http\":{}}");
	EXPECT_TRUE(s.is_good);
	scene_close(&s);
}

TEST(no_answer_in_time_is_a_bad_one)
{
	AUTO(resource_unref)
	struct resource *r = policy("{\"http\":{},\"timeout\":\"1s\"}");
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	s.silent = true;
	(void)scene_begin(&s, r);
	UNTIL(&s, s.asked == 1);
	EXPECT_EQ(s.told, 0);
	clock_fake_advance(&s.time, 1001000);
	UNTIL(&s, s.told == 1);
	EXPECT_FALSE(s.is_good);
	EXPECT_STR(s.reason, "GET /: no answer within 1s");
	http_exchange_respond(s.kept, 200, SLICE_NONE, SLICE_NONE);
	scene_close(&s);
}

TEST(what_was_cancelled_tells_nothing)
{
	AUTO(resource_unref) struct resource *http = policy("{\"http\":{}}");
	AUTO(resource_unref) struct resource *tcp = policy("{\"tcp\":{}}");
	struct ask *a, *b;
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	s.silent = true;
	a = scene_begin(&s, http);
	UNTIL(&s, s.asked == 1);
	b = scene_begin(&s, tcp);
	ask_cancel(&a);
	ask_cancel(&b);
	EXPECT_TRUE(a == NULL && b == NULL);
	loop_settle(s.loop);
	http_exchange_respond(s.kept, 200, SLICE_NONE, SLICE_NONE);
	loop_settle(s.loop);
	EXPECT_EQ(s.told, 0);
	scene_close(&s);
}

/* --- tcp ------------------------------------------------------------------ */

TEST(that_it_takes_a_connection_is_good)
{
	struct scene s;
	char wanted[64];
	char text[ADDR_TEXT_MAX];

	scene_open(&s, HTTP_PROTO_1);
	scene_ask(&s, "{\"tcp\":{}}");
	EXPECT_TRUE(s.is_good);
	(void)snprintf(wanted, sizeof(wanted), "connect to %s: ok",
	    addr_format(&s.addr, text));
	EXPECT_STR(s.reason, wanted);
	scene_close(&s);
}

/* A port that is bound and not listened at refuses whoever comes. */
static int
take_port(uint16_t *out)
{
	struct sockaddr_storage sa;
	struct addr a = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	socklen_t len = addr_to_sockaddr(&a, (struct sockaddr *)&sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(bind(fd, (struct sockaddr *)&sa, len), 0);
	EXPECT_EQ(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	EXPECT_OK(addr_from_sockaddr((struct sockaddr *)&sa, len, &a));
	*out = a.port;
	return fd;
}

TEST(another_port_may_be_asked_and_a_refusal_has_its_words)
{
	struct scene s;
	uint16_t port;
	char spec[64], wanted[64];
	int fd = take_port(&port);

	scene_open(&s, HTTP_PROTO_1);
	(void)snprintf(spec, sizeof(spec), "{\"tcp\":{\"port\":%u}}", port);
	scene_ask(&s, spec);
	EXPECT_FALSE(s.is_good);
	(void)snprintf(wanted, sizeof(wanted),
	    "connect to 127.0.0.1:%u: connection refused", port);
	EXPECT_STR(s.reason, wanted);
	(void)snprintf(spec, sizeof(spec), "{\"http\":{\"port\":%u}}", port);
	scene_ask(&s, spec);
	EXPECT_STR(s.reason, "GET /: connection refused");
	scene_close(&s);
	(void)close(fd);
}

/* --- grpc ----------------------------------------------------------------- */

TEST(grpc_is_asked_for_a_service_and_serving_is_good)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_2);
	s.serving = S("\x08\x01");
	scene_ask(&s, "{\"grpc\":{\"service\":\"a.B\"}}");
	EXPECT_STR(s.reason, "gRPC health of a.B: SERVING");
	EXPECT_TRUE(s.is_good);
	EXPECT_STR(s.path, "/grpc.health.v1.Health/Check");
	EXPECT_STR(s.asked_for, "0a03612e42");
	scene_ask(&s, "{\"grpc\":{}}");
	EXPECT_TRUE(s.is_good);
	scene_close(&s);
}

TEST(every_other_state_of_grpc_is_bad_and_named)
{
	static const struct {
		struct slice bytes;
		const char *words;
	} rows[] = {
	    {{"\x08\x02", 2}, "gRPC health: NOT_SERVING"},
	    {{"\x08\x03", 2}, "gRPC health: SERVICE_UNKNOWN"},
	    {{"\x10\x01", 2}, "gRPC health: UNKNOWN"},
	    {{"\x08\x07", 2}, "gRPC health: its answer is no health"},
	    {{"\x08", 1}, "gRPC health: its answer is no health"},
	    {{NULL, 0}, "gRPC health: its answer is no health"},
	};
	struct scene s;

	scene_open(&s, HTTP_PROTO_2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		s.serving = rows[i].bytes;
		scene_ask(&s, "{\"grpc\":{}}");
		EXPECT_STR(s.reason, rows[i].words);
		EXPECT_FALSE(s.is_good);
	}
	s.refusal = GRPC_NOT_FOUND;
	scene_ask(&s, "{\"grpc\":{}}");
	EXPECT_STR(s.reason, "gRPC health: gRPC status 5 there is no such");
	EXPECT_FALSE(s.is_good);
	scene_close(&s);
}

TEST(who_speaks_no_http2_is_no_grpc)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	scene_ask(&s, "{\"grpc\":{}}");
	EXPECT_FALSE(s.is_good);
	EXPECT_TRUE(strstr(s.reason, "gRPC health: ") != NULL);
	scene_close(&s);
}
