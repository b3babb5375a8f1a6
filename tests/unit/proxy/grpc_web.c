/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc_web — browsers that call services of gRPC: both forms, by both versions
 * of HTTP, and whatever is answered.
 */
#include "http/http.h"
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#define TYPE "application/grpc-web"
#define ENDS_WELL "\x80\0\0\0\x10grpc-status: 0\r\n"

/* Each from a client of either version, and through a tunnel. */
#define TEST_CLIENTS(name)                                                     \
	static void name(struct way way);                                      \
	TEST(name##_from_1)                                                    \
	{                                                                      \
		name((struct way){.web = true});                               \
	}                                                                      \
	TEST(name##_from_2)                                                    \
	{                                                                      \
		name((struct way){.web = true, .down2 = true});                \
	}                                                                      \
	TEST(name##_through_a_tunnel)                                          \
	{                                                                      \
		name((struct way){.web = true, .tunnel = true});               \
	}                                                                      \
	static void name(struct way way)

/* --- services --- */

/* Answers with the head of what it was asked, and its body. */
static void
serve_grpc(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	char trailers[1024];

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(64 << 20);

		atomic_fetch_add(&s->requests, 1);
		if (!peer_rest(p, &body, trailers))
			continue;
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n"
		    "transfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		peer_body(p, slice_str(p->request));
		peer_body(p, buf_slice(&body));
		peer_end(p, "grpc-status: 0\r\n");
	}
	peer_fini(p);
}

/* Its text is a head, and a body if there is one behind it. */
static void
serve_head(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	const char *body = strstr(s->text, "\r\n\r\n") + 4;
	char trailers[1024];

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf asked = BUF(1 << 20);
		char head[1024];

		atomic_fetch_add(&s->requests, 1);
		(void)peer_rest(p, &asked, trailers);
		(void)snprintf(
		    head, sizeof(head), "%.*s", (int)(body - s->text), s->text);
		peer_head(p, head, body[0] == 0);
		if (body[0] == 0)
			continue;
		peer_body(p, slice_str(body));
		peer_end(p, NULL);
	}
	peer_fini(p);
}

/* --- clients --- */

static void
begin(struct duo *d, const char *type, const char *more)
{
	char head[512];

	(void)snprintf(head, sizeof(head),
	    "POST /a.B/C HTTP/1.1\r\nHost: web\r\nContent-Type: %s\r\n"
	    "transfer-encoding: chunked\r\n%s\r\n",
	    type, more);
	peer_head(&d->client, head, /* end */ false);
}

static void
call(struct duo *d, const char *type, const char *more, struct slice body)
{
	begin(d, type, more);
	peer_body(&d->client, body);
	peer_end(&d->client, NULL);
	duo_read(d);
}

static bool
says(const struct duo *d, const char *line)
{
	return head_has(d->reply.head, line);
}

/* The answer's body, from text if it has to be that. */
static void
read_body(struct duo *d, bool text, struct buf *out)
{
	struct grpc_web_text t = {0};
	struct slice body = buf_slice(&d->reply.body);

	if (text)
		EXPECT_OK(grpc_web_decode(&t, body, out));
	else
		EXPECT_OK(buf_add_slice(out, body));
	EXPECT_FALSE(grpc_web_is_inside(&t));
}

static void
expect_echo(struct duo *d, bool text, struct slice body)
{
	AUTO(buf_fini) struct buf got = BUF(64 << 20);
	struct slice all;

	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, text ? "content-type: " TYPE "-text+proto"
				 : "content-type: " TYPE "+proto"));
	EXPECT_STR(d->reply.trailers, "");
	read_body(d, text, &got);
	all = buf_slice(&got);
	EXPECT_TRUE(slice_ends(all, S(ENDS_WELL)));
	all.len -= sizeof(ENDS_WELL) - 1;
	EXPECT_TRUE(slice_ends(all, body));
}

/* --- both forms --- */

TEST_CLIENTS(bytes_go_as_they_are_and_trailers_as_a_message)
{
	struct duo *d = duo_new(way, serve_grpc, NULL, NULL);
	const struct slice body = S("\0\0\0\0\5hello");

	for (unsigned i = 0; i < 3; i++) {
		call(d, TYPE "+proto", "", body);
		expect_echo(d, /* text */ false, body);
		EXPECT_TRUE(body_has(
		    &d->reply, "content-type: application/grpc+proto"));
		EXPECT_TRUE(body_has(&d->reply, "te: trailers"));
		EXPECT_TRUE(
		    body_has(&d->reply, "grpc-accept-encoding: identity"));
		EXPECT_EQ(rig_record(d->rig, i).received, body.len);
		EXPECT_EQ(rig_record(d->rig, i).sent, buf_len(&d->reply.body));
	}
	duo_free(&d);
}

TEST_CLIENTS(text_becomes_bytes_and_bytes_become_text)
{
	struct duo *d = duo_new(way, serve_grpc, NULL, NULL);
	static const char *const pieces[] = {"AA", "AAAAVo", "ZQ==bG", "xv"};

	begin(d, TYPE "-text", "");
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		peer_body(&d->client, slice_str(pieces[i]));
	peer_end(&d->client, NULL);
	duo_read(d);
	expect_echo(d, /* text */ true, S("\0\0\0\0\5hello"));
	EXPECT_EQ(rig_record(d->rig, 0).received, 16);
	EXPECT_EQ(rig_record(d->rig, 0).sent, buf_len(&d->reply.body));
	duo_free(&d);
}

TEST(the_answer_is_in_the_form_that_is_accepted)
{
	struct duo *d =
	    duo_new((struct way){.web = true}, serve_grpc, NULL, NULL);
	const struct slice body = S("\0\0\0\0\2hi");

	call(d, TYPE, "Accept: " TYPE "-text\r\n", body);
	expect_echo(d, /* text */ true, body);
	call(d, TYPE "-text", "Accept: */*, " TYPE "+proto\r\n",
	    S("AAAAAAJoaQ=="));
	expect_echo(d, /* text */ false, body);
	call(d, TYPE "-text+proto", "Accept: */*\r\n", S("AAAAAAJoaQ=="));
	expect_echo(d, /* text */ true, body);
	duo_free(&d);
}

TEST_CLIENTS(a_long_message_goes_both_ways)
{
	enum { LONG = 3 << 20 };
	struct duo *d = duo_new(way, serve_grpc, NULL, NULL);
	AUTO(buf_fini) struct buf body = BUF(LONG);
	AUTO(buf_fini) struct buf text = BUF(2 * LONG);

	for (uint32_t i = 0; i < LONG / 4; i++)
		EXPECT_OK(buf_add_u32(&body, i));
	EXPECT_OK(grpc_web_encode(buf_slice(&body), &text));
	call(d, TYPE "-text", "", buf_slice(&text));
	expect_echo(d, /* text */ true, buf_slice(&body));
	duo_free(&d);
}

/* --- messages as they come --- */

/* Answers each message with the same, and ends when its client does. */
static void
serve_stream(struct server *s, struct wire *w, unsigned n)
{
	struct h2 *h = h2_serve(w);
	struct h2_stream *x;

	(void)n;
	while ((x = h2_next(h)) != NULL) {
		size_t done = 0;

		h2_respond(h, x,
		    "HTTP/2 200\r\ncontent-type: application/grpc\r\n\r\n",
		    /* end */ false);
		while (H2_UNTIL(h,
			   x->ended || x->closed || buf_len(&x->body) > done) &&
		       buf_len(&x->body) > done) {
			struct slice all = buf_slice(&x->body);
			struct slice fresh =
			    slice_sub(all, done, all.len - done);

			done = all.len;
			h2_data(h, x, fresh, /* end */ false);
			atomic_fetch_add(&s->requests, 1);
		}
		h2_trailers(h, x, "grpc-status: 0\r\n");
	}
	h2_leave(&h);
}

TEST(a_stream_of_messages_does_not_wait_for_its_end)
{
	struct duo *d = duo_new(
	    (struct way){.web = true, .down2 = true}, serve_stream, NULL, NULL);
	struct h2 *h = &d->client.h2;

	begin(d, TYPE "-text", "");
	for (unsigned i = 1; i <= 5; i++) {
		peer_body(&d->client, S("AAAAAAEx"));
		EXPECT_TRUE(
		    H2_UNTIL(h, buf_len(&d->client.now->body) == i * 8));
	}
	EXPECT_SLICE(
	    slice_sub(buf_slice(&d->client.now->body), 32, 8), S("AAAAAAEx"));
	peer_end(&d->client, NULL);
	EXPECT_TRUE(h2_whole(h, d->client.now));
	duo_free(&d);
}

/* --- answers that are something else --- */

TEST_CLIENTS(an_outcome_without_messages_stays_in_the_head)
{
	struct duo *d = duo_new(way, serve_head,
	    "HTTP/1.1 200 OK\r\ncontent-type: application/grpc+json\r\n"
	    "grpc-status: 5\r\ngrpc-message: not%20here\r\n\r\n",
	    NULL);

	call(d, TYPE "-text+json", "", S("AAAAAAA="));
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "content-type: " TYPE "-text+json"));
	EXPECT_TRUE(says(d, "grpc-status: 5"));
	EXPECT_TRUE(says(d, "grpc-message: not%20here"));
	EXPECT_EQ(buf_len(&d->reply.body), 0);
	EXPECT_TRUE(d->reply.whole);
	duo_free(&d);
}

TEST_CLIENTS(what_is_no_grpc_becomes_the_words_of_an_outcome)
{
	struct duo *d = duo_new(way, serve_head,
	    "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\n"
	    "content-encoding: none\r\ntransfer-encoding: chunked\r\n\r\n"
	    "<p>50% is \xc3\xa9",
	    NULL);

	for (unsigned i = 0; i < 2; i++) {
		call(d, TYPE, "", S("\0\0\0\0\0"));
		EXPECT_EQ(d->reply.status, 404);
		EXPECT_TRUE(says(d, "content-type: " TYPE "+proto"));
		EXPECT_TRUE(says(d, "grpc-status: 12"));
		EXPECT_TRUE(says(d, "grpc-message: <p>50%25 is %C3%A9"));
		EXPECT_FALSE(says(d, "content-encoding: none"));
		EXPECT_EQ(buf_len(&d->reply.body), 0);
		EXPECT_EQ(rig_record(d->rig, i).status, 404);
		EXPECT_EQ(rig_record(d->rig, i).flag, FLOW_OK);
	}
	duo_free(&d);
}

/* Writes text for as long as anybody reads it. */
static void
serve_endless(struct server *s, struct wire *w, unsigned n)
{
	static char block[1 << 20];
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	char trailers[1024];

	(void)n;
	memset(block, 'y', sizeof(block));
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf asked = BUF(1 << 20);

		atomic_fetch_add(&s->requests, 1);
		/* An answer before the request's end ends its connection. */
		(void)peer_rest(p, &asked, trailers);
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
		    "transfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		peer_body(p, slice_of(block, sizeof(block)));
	}
	peer_fini(p);
}

TEST_CLIENTS(of_a_long_text_only_the_beginning_is_told)
{
	struct duo *d = duo_new(way, serve_endless, NULL, NULL);

	for (unsigned i = 0; i < 2; i++) {
		call(d, TYPE, "", S("\0\0\0\0\0"));
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(says(d, "grpc-status: 2"));
		EXPECT_TRUE(
		    strstr(d->reply.head, "grpc-message: yyyy") != NULL);
		EXPECT_TRUE(strlen(d->reply.head) < 5000);
		EXPECT_TRUE(d->reply.whole);
	}
	duo_free(&d);
}

/* --- our own answers --- */

TEST_CLIENTS(a_refusal_is_an_outcome)
{
	struct duo *d = duo_new(way, serve_grpc, NULL, RETRY("attempts: 0"));

	server_refuse(d->server);
	call(d, TYPE, "", S("\0\0\0\0\0"));
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "content-type: " TYPE "+proto"));
	EXPECT_TRUE(says(d, "grpc-status: 14"));
	EXPECT_TRUE(strstr(d->reply.head, "grpc-message: ") != NULL);
	EXPECT_EQ(buf_len(&d->reply.body), 0);
	call(d, TYPE "-text", "", S("AAAAAAA="));
	EXPECT_TRUE(says(d, "content-type: " TYPE "-text+proto"));
	duo_free(&d);
}

/* A call that a rule decides about; the request is not read to its end. */
static void
meets(struct way way, const char *rule, int status, const char *const lines[3])
{
	struct duo *d = duo_new(way, serve_grpc, NULL, rule);

	call(d, TYPE "-text", "", S("AAAAAAA="));
	EXPECT_EQ(d->reply.status, status);
	EXPECT_EQ(buf_len(&d->reply.body), 0);
	EXPECT_TRUE(d->reply.whole);
	for (size_t i = 0; i < 3; i++)
		EXPECT_TRUE(says(d, lines[i]));
	EXPECT_EQ(says(d, "content-type: " TYPE "-text+proto"), status == 200);
	EXPECT_EQ(atomic_load(&d->server->requests), 0);
	duo_free(&d);
}

TEST_CLIENTS(faults_and_answers_of_a_rule_are_outcomes)
{
	static const struct {
		const char *rule;
		const char *lines[3];
	} rows[] = {
	    {WEB_RULE("fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, "
		      "percentage: {value: 100}}}, " TO_WEB),
		{"grpc-status: 8", "grpc-message: fault filter abort",
		    "content-length: 0"}},
	    {WEB_RULE("directResponse: {status: 503, body: {string: 'at 5%'}}"),
		{"grpc-status: 14", "grpc-message: at 5%25",
		    "content-length: 0"}},
	    {WEB_RULE("match: [{uri: {exact: /x}}], " TO_WEB),
		{"grpc-status: 12",
		    "grpc-message: no route matches this request",
		    "content-length: 0"}},
	};
	/* A browser goes there. */
	static const char *const moved[] = {
	    "location: http://web/y", "content-length: 0", ""};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		meets(way, rows[i].rule, 200, rows[i].lines);
	meets(way, WEB_RULE("redirect: {uri: /y}"), 301, moved);
}

TEST_CLIENTS(what_is_no_base64_is_an_outcome_of_that)
{
	static const char *const bad[] = {"A*==", "AAAAAAA", "AA=AAAAA"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct duo *d = duo_new(way, serve_grpc, NULL, NULL);

		call(d, TYPE "-text", "", slice_str(bad[i]));
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(says(d, "grpc-status: 13"));
		EXPECT_TRUE(strstr(d->reply.head, "is not base64") != NULL);
		EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
		duo_free(&d);
	}
}

/* --- whom it concerns --- */

TEST(where_nobody_declares_it_nothing_is_changed)
{
	struct duo *d =
	    duo_new((struct way){.up2 = true}, serve_grpc, NULL, NULL);

	call(d, TYPE "-text", "", S("AAAAAAA="));
	EXPECT_TRUE(says(d, "content-type: application/grpc"));
	EXPECT_TRUE(body_has(&d->reply, "content-type: " TYPE "-text"));
	EXPECT_TRUE(body_has(&d->reply, "AAAAAAA="));
	EXPECT_STR(d->reply.trailers, "grpc-status: 0\r\n");
	duo_free(&d);
}

TEST_CLIENTS(a_call_of_grpc_passes_by)
{
	struct duo *d = duo_new(way, serve_grpc, NULL, NULL);

	call(d, "application/grpc", "TE: trailers\r\n", S("\0\0\0\0\0"));
	EXPECT_TRUE(says(d, "content-type: application/grpc"));
	EXPECT_TRUE(slice_ends(buf_slice(&d->reply.body), S("\0\0\0\0\0")));
	EXPECT_STR(d->reply.trailers, "grpc-status: 0\r\n");
	duo_free(&d);
}

TEST_CLIENTS(a_browser_of_another_origin_may_call)
{
	struct duo *d = duo_new(way, serve_grpc, NULL,
	    WEB_RULE("corsPolicy: {allowOrigins: [{exact: 'http://a.com'}], "
		     "allowMethods: [POST], allowHeaders: [content-type, "
		     "x-grpc-web], exposeHeaders: [grpc-status, "
		     "grpc-message]}, " TO_WEB));

	duo_ask(d,
	    "OPTIONS /a.B/C HTTP/1.1\r\nHost: web\r\nOrigin: http://a.com\r\n"
	    "Access-Control-Request-Method: POST\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(
	    says(d, "access-control-allow-headers: content-type,x-grpc-web"));
	call(d, TYPE, "Origin: http://a.com\r\n", S("\0\0\0\0\0"));
	expect_echo(d, /* text */ false, S("\0\0\0\0\0"));
	EXPECT_TRUE(says(d, "access-control-allow-origin: http://a.com"));
	EXPECT_TRUE(
	    says(d, "access-control-expose-headers: grpc-status,grpc-message"));
	duo_free(&d);
}
