/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults — requests that a rule keeps back or refuses on purpose.
 */
#include "scene.h"
#include "unit.h"

#define VS                                                                     \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
#define WEB "route: [{destination: {host: web}}]"
#define ALL "percentage: {value: 100}"

static uint64_t
now_ms(void)
{
	return clock_mono_us(&clock_system) / 1000;
}

TEST(a_delay_keeps_a_request_back)
{
	struct scene *s = scene_with(serve_echo, NULL,
	    VS "  - {fault: {delay: {fixedDelay: 100ms, " ALL "}}, timeout: "
	       "60ms, " WEB "}\n");

	/* With and without a body; the rule's time begins behind the wait. */
	for (size_t i = 0; i < 2; i++) {
		uint64_t began = now_ms();

		scene_ask(s, i == 0 ? GET_WEB
				    : "POST / HTTP/1.1\r\nHost: web\r\n"
				      "Content-Length: 5\r\n\r\nhello");
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(now_ms() - began >= 99);
		EXPECT_TRUE(i == 0 || body_has(&s->reply, "hello"));
		EXPECT_TRUE(rig_record(s->rig, i).delayed);
		EXPECT_EQ(rig_record(s->rig, i).flag, FLOW_OK);
	}
	scene_free(&s);
}

TEST(the_rules_time_begins_behind_a_delay)
{
	struct scene *s = scene_with(serve_silence, NULL,
	    VS "  - {fault: {delay: {fixedDelay: 50ms, " ALL "}}, timeout: "
	       "50ms, " WEB "}\n");

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 504);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_TIMEOUT);
	EXPECT_EQ(atomic_load(&s->server.requests), 1);
	scene_free(&s);
}

TEST(an_abort_is_our_answer)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - fault: {delay: {fixedDelay: 1ms, " ALL "}, abort: "
	       "{httpStatus: 418, " ALL "}}\n"
	       "    headers: {response: {set: {x-by: rule}}}\n"
	       "    retries: {attempts: 3, retryOn: '5xx,418'}\n"
	       "    " WEB "\n");

	for (size_t i = 0; i < 2; i++) {
		scene_ask(s, GET_WEB);
		EXPECT_EQ(s->reply.status, 418);
		EXPECT_SLICE(
		    buf_slice(&s->reply.body), S("fault filter abort\n"));
		EXPECT_TRUE(head_has(s->reply.head, "x-by: rule"));
		EXPECT_TRUE(rig_record(s->rig, i).delayed);
		EXPECT_EQ(rig_record(s->rig, i).flag, FLOW_FAULT);
		EXPECT_EQ(rig_record(s->rig, i).attempts, 0);
	}
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(an_abort_may_have_a_status_without_a_body)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /204}}], fault: {abort: "
	       "{httpStatus: 204, " ALL "}}, " WEB "}\n  - {" WEB "}\n");

	for (int i = 0; i < 2; i++) {
		scene_ask(s, "GET /204 HTTP/1.1\r\nHost: web\r\n\r\n");
		EXPECT_EQ(s->reply.status, 204);
		scene_ask(s, GET_WEB); /* the connection is in step */
		EXPECT_EQ(s->reply.status, 200);
	}
	scene_free(&s);
}

/* Whose body is still to come, so that our answer is the connection's last. */
static void
call(struct rig *r, const char *path, struct reply *out)
{
	struct addr at = rig_addr(r, "web");
	struct wire w = wire_dial(&at);
	AUTO(buf_fini) struct buf request = BUF(1024);

	EXPECT_OK(buf_printf(&request,
	    "POST %s HTTP/1.1\r\nHost: web\r\nContent-Type: "
	    "application/grpc\r\nContent-Length: 5\r\n\r\n%c",
	    path, 0));
	reply_fini(out);
	ask(&w, buf_slice(&request).ptr, out);
	wire_close(&w);
}

/* What Envoy 1.40 says to each. */
TEST(a_status_of_grpc_is_said_to_those_who_speak_it)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /a.B}}], fault: {abort: "
	       "{httpStatus: 503, " ALL "}}, " WEB "}\n"
	       "  - {fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, " ALL
	       "}}, " WEB "}\n");

	call(s->rig, "/a.B/C", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "grpc-status: 14"));
	EXPECT_TRUE(
	    head_has(s->reply.head, "grpc-message: fault filter abort"));
	call(s->rig, "/x", &s->reply);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "grpc-status: 8"));
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(head_has(s->reply.head, "content-type: text/plain"));
	EXPECT_SLICE(buf_slice(&s->reply.body), S("fault filter abort\n"));
	EXPECT_EQ(rig_record(s->rig, 2).flag, FLOW_FAULT);
	scene_free(&s);
}

/* A share that is not said is none; 0.0001 % is one in a million. */
TEST(a_fault_hits_its_share)
{
	enum { ASKED = 1000 };
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {match: [{uri: {prefix: /none}}], fault: {delay: "
	       "{fixedDelay: 9s}, abort: {httpStatus: 500}}, " WEB "}\n"
	       "  - {match: [{uri: {prefix: /rare}}], fault: {abort: "
	       "{httpStatus: 500, percentage: {value: 0.0001}}}, " WEB "}\n"
	       "  - {fault: {abort: {httpStatus: 500, percentage: {value: "
	       "30}}}, " WEB "}\n");
	size_t hits = 0, rare = 0;

	scene_ask(s, "GET /none HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	for (size_t i = 0; i < ASKED; i++) {
		scene_ask(s, GET_WEB);
		hits += s->reply.status == 500;
		scene_ask(s, "GET /rare HTTP/1.1\r\nHost: web\r\n\r\n");
		rare += s->reply.status == 500;
	}
	/* Seven standard deviations. */
	EXPECT_TRUE(hits > 200 && hits < 400);
	EXPECT_TRUE(rare < 3);
	scene_free(&s);
}

TEST(a_client_that_goes_away_is_not_waited_for)
{
	struct scene *s = scene_with(serve_ok, NULL,
	    VS "  - {fault: {delay: {fixedDelay: 300ms, " ALL "}}, " WEB "}\n");

	EXPECT_TRUE(wire_say(&s->client, GET_WEB));
	rig_list(s->rig);
	RIG_UNTIL(s->rig, (rig_list(s->rig), s->rig->conn_count == 1));
	wire_reset(&s->client);
	RIG_UNTIL(s->rig, (rig_list(s->rig), s->rig->conn_count == 0));
	EXPECT_TRUE(rig_record(s->rig, 0).delayed);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	scene_free(&s);
}
