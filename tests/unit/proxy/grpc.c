/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc — calls of gRPC: how long they may take, and what a rule answers.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

static void
call(struct duo *d, const char *more)
{
	char head[512];

	(void)snprintf(head, sizeof(head),
	    "POST /a.B/C HTTP/1.1\r\nHost: web\r\n"
	    "Content-Type: application/grpc\r\nTE: trailers\r\n"
	    "Content-Length: 5\r\n%s\r\n",
	    more);
	peer_head(&d->client, head, /* end */ false);
	peer_body(&d->client, S("\0\0\0\0\0"));
	peer_end(&d->client, NULL);
	duo_read(d);
}

static bool
says(const struct duo *d, const char *line)
{
	return head_has(d->reply.head, line);
}

/* --- time ----------------------------------------------------------------- */

/* What the service is told of the time that it has. */
TEST_WAYS_TO_2(the_service_knows_how_long_anybody_waits)
{
	static const struct {
		const char *rule;
		const char *said; /* by the client */
		const char *told;
	} rows[] = {
	    {"", "", NULL},
	    {"", "grpc-timeout: 30S\r\n", "grpc-timeout: 30S"},
	    {"timeout: 40s", "", "grpc-timeout: 40000m"},
	    {"timeout: 40s", "grpc-timeout: 30S\r\n", "grpc-timeout: 30S"},
	    {"timeout: 40s", "grpc-timeout: 1H\r\n", "grpc-timeout: 40000m"},
	    {"timeout: 40s", "grpc-timeout: soon\r\n", "grpc-timeout: 40000m"},
	    {"timeout: 40s, retries: {attempts: 1, perTryTimeout: 20s}",
		"grpc-timeout: 30S\r\n", "grpc-timeout: 20000m"},
	    {"timeout: 100000s", "", "grpc-timeout: 100000S"},
	};
	struct duo *d = duo_new(way, serve_mirror, NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml), WEB_RULE("%s%s" TO_WEB),
		    rows[i].rule, rows[i].rule[0] != 0 ? ", " : "");
		rig_publish(d->rig, yaml);
		call(d, rows[i].said);
		if (rows[i].told != NULL)
			EXPECT_TRUE(body_has(&d->reply, rows[i].told));
		else
			EXPECT_FALSE(body_has(&d->reply, "grpc-timeout"));
	}
	duo_free(&d);
}

/* Both the client's own and the route's, whichever is shorter. */
TEST_WAYS_TO_2(a_call_ends_when_its_time_is_over)
{
	static const struct {
		const char *rule;
		const char *said;
	} rows[] = {
	    {"", "grpc-timeout: 100m\r\n"},
	    {"timeout: 10s, ", "grpc-timeout: 100000u\r\n"},
	    {"timeout: 0.1s, ", ""},
	    {"timeout: 0.1s, ", "grpc-timeout: 99999999H\r\n"},
	};
	struct duo *d = duo_new(way, serve_silence, NULL, NULL);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml),
		    WEB_RULE("%sretries: {attempts: 0}, " TO_WEB),
		    rows[i].rule);
		rig_publish(d->rig, yaml);
		call(d, rows[i].said);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(says(d, "grpc-status: 14"));
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_TIMEOUT);
	}
	duo_free(&d);
}

/* --- answers of a rule ---------------------------------------------------- */

TEST_WAYS(an_answer_of_a_rule_is_an_outcome)
{
	struct duo *d = duo_new(way, serve_mirror, NULL,
	    WEB_RULE(
		"directResponse: {status: 429, body: {string: 'slow down'}}, "
		"headers: {response: {set: {x-a: b}}}"));

	duo_ask(d, GET_WEB);
	EXPECT_EQ(d->reply.status, 429);
	EXPECT_TRUE(body_has(&d->reply, "slow down"));
	call(d, "");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "content-type: application/grpc"));
	EXPECT_TRUE(says(d, "grpc-status: 14"));
	EXPECT_TRUE(says(d, "grpc-message: slow down"));
	EXPECT_TRUE(says(d, "x-a: b"));
	EXPECT_EQ(buf_len(&d->reply.body), 0);
	EXPECT_EQ(rig_record(d->rig, 1).flag, FLOW_OK);
	EXPECT_EQ(rig_record(d->rig, 1).status, 200);
	duo_free(&d);
}

TEST_WAYS(a_redirect_is_an_outcome_too)
{
	struct duo *d =
	    duo_new(way, serve_mirror, NULL, WEB_RULE("redirect: {uri: /y}"));

	call(d, "");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "grpc-status: 2"));
	EXPECT_TRUE(says(d, "location: http://web/y"));
	duo_free(&d);
}

/* --- what is told of a call ----------------------------------------------- */

#define GRPC_200 "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n"

/* Its text: a head, a body of one byte, and trailers, with a zero between. */
static void
serve_call(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(1 << 20);
		char trailers[1024];

		(void)peer_rest(p, &body, trailers);
		peer_head(p, s->text, /* end */ false);
		peer_body(p, S("x"));
		peer_end(p, s->text + strlen(s->text) + 1);
	}
	peer_fini(p);
}

TEST_WAYS_TO_2(the_outcome_of_a_call_is_told)
{
	static const struct {
		const char *text;
		uint8_t grpc;
	} rows[] = {
	    {GRPC_200 "\r\n\0grpc-status: 5\r\n", 5},
	    {GRPC_200 "grpc-status: 7\r\n\r\n\0x: y\r\n", 7},
	    {GRPC_200 "\r\n\0x: y\r\n", 2}, /* none */
	    {"HTTP/1.1 503 Service Unavailable\r\n\r\n\0x: y\r\n", 14},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct duo *d = duo_new(
		    way, serve_call, rows[i].text, RETRY("attempts: 0"));

		call(d, "");
		EXPECT_TRUE(rig_record(d->rig, 0).has_grpc);
		EXPECT_EQ(rig_record(d->rig, 0).grpc, rows[i].grpc);
		duo_ask(d, GET_WEB); /* is no call */
		EXPECT_FALSE(rig_record(d->rig, 1).has_grpc);
		duo_free(&d);
	}
}
