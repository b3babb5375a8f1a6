/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1_parse — messages as they should be, whole and torn at every byte.
 */
#include "transcript.h"
#include "unit.h"

static struct transcript seen;

/* The same events, whatever the pieces, and with a pause at each event. */
static void
expect_events(enum http1_side side, struct slice bytes, const char *events)
{
	for (int pause = 0; pause < 2; pause++) {
		seen.pause = pause == 1;
		EXPECT_STR(
		    transcript_of(&seen, side, bytes, bytes.len), events);
		for (size_t piece = 1; piece < bytes.len; piece++)
			EXPECT_STR(
			    transcript_of(&seen, side, bytes, piece), events);
	}
	seen.pause = false;
}

static void
expect_request(const char *bytes, const char *events)
{
	expect_events(HTTP1_REQUESTS, slice_str(bytes), events);
}

static void
expect_response(const char *bytes, const char *events)
{
	expect_events(HTTP1_RESPONSES, slice_str(bytes), events);
}

TEST(a_get_is_a_head_and_an_end)
{
	expect_request("GET /a?b=c HTTP/1.1\r\nHost: web:80\r\n"
		       "X-One: 1\r\naccept: \ta, b \t\r\nEmpty:\r\n\r\n",
	    "head GET |web:80|/a?b=c [X-One: 1] [accept: a, b] [Empty: ] none\n"
	    "end\n");
}

TEST(one_empty_line_before_a_request_is_forgiven)
{
	expect_request("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
	    "head GET |h|/ none\nend\n");
	expect_request("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
	    "flaw bad_start_line\n");
	expect_request(
	    "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "flaw bad_start_line\n");
}

TEST(a_body_of_known_length_is_given_on)
{
	expect_request("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
		       "\r\nhello",
	    "head POST |h|/p [Content-Length: 5] length=5\n"
	    "body hello\nend\n");
}

TEST(a_length_of_zero_is_a_whole_message)
{
	expect_request("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
		       "\r\n",
	    "head POST |h|/p [Content-Length: 0] length=0\nend\n");
}

TEST(chunks_lose_their_framing_and_extensions)
{
	expect_request("POST /p HTTP/1.1\r\nHost: h\r\n"
		       "Transfer-Encoding: Chunked\r\n\r\n"
		       "3\r\nabc\r\n0A;x=y;z=\"q\"\r\n0123456789\r\n0\r\n\r\n",
	    "head POST |h|/p [Transfer-Encoding: Chunked] chunked\n"
	    "body abc0123456789\nend\n");
}

TEST(trailers_come_behind_the_body)
{
	expect_response("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
			"1\r\na\r\n0\r\nGrpc-Status: 0\r\nx: y\r\n\r\n",
	    "head 200 OK [transfer-encoding: chunked] chunked\nbody a\n"
	    "trailers [Grpc-Status: 0] [x: y]\nend\n");
}

TEST(the_absolute_form_is_taken_apart)
{
	expect_request("GET http://h:8080/x?y HTTP/1.1\r\nHost: h:8080\r\n\r\n",
	    "head GET http|h:8080|/x?y none\nend\n");
	expect_request("GET HTTP://h HTTP/1.1\r\nHost: H\r\n\r\n",
	    "head GET HTTP|h|/ none\nend\n");
}

TEST(connect_is_a_tunnel_to_an_authority)
{
	expect_request("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
	    "head CONNECT |[::1]:443| tunnel\nend\n");
}

TEST(an_upgrade_is_told_but_not_with_a_body)
{
	expect_request("GET /chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		       "Connection: keep-alive, Upgrade\r\n\r\n",
	    "head GET |h|/chat [Upgrade: websocket]"
	    " [Connection: keep-alive, Upgrade] none upgrade=websocket\nend\n");
	expect_request("POST / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n"
		       "Connection: upgrade\r\nContent-Length: 1\r\n\r\nx",
	    "head POST |h|/ [Upgrade: h2c] [Connection: upgrade]"
	    " [Content-Length: 1] length=1\nbody x\nend\n");
}

TEST(an_expectation_is_told)
{
	expect_request("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n"
		       "Content-Length: 1\r\n\r\nx",
	    "head PUT |h|/ [Expect: 100-Continue] [Content-Length: 1]"
	    " length=1 expect\nbody x\nend\n");
}

TEST(interim_responses_come_before_the_head)
{
	expect_response("HTTP/1.1 100 Continue\r\n\r\n"
			"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
			"HTTP/1.1 204 No Content\r\n\r\n",
	    "interim 100 Continue none\n"
	    "interim 103 Early Hints [link: x] none\n"
	    "head 204 No Content none\nend\n");
}

TEST(a_response_without_length_lasts_until_the_end)
{
	transcript_init(&seen, HTTP1_RESPONSES);
	transcript_feed(&seen, S("HTTP/1.1 200 \r\n\r\nabc"), 4);
	EXPECT_ERR(seen.last, OK);
	EXPECT_ERR(http1_parser_finish(seen.parser), ERR_EOF);
	EXPECT_STR(seen.text, "head 200  close\nbody abc\nend\n");
	EXPECT_FALSE(http1_parser_keep_alive(seen.parser));
	transcript_fini(&seen);
}

TEST(an_end_inside_a_message_is_told)
{
	static const char *const cut[] = {"G", "GET / HTTP/1.1\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
	    ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
	     "\r\n1\r\na\r\n")};

	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		transcript_init(&seen, HTTP1_REQUESTS);
		transcript_feed(&seen, slice_str(cut[i]), 100);
		EXPECT_ERR(http1_parser_finish(seen.parser), ERR_PARSE);
		EXPECT_EQ(http1_parser_flaw(seen.parser), HTTP1_CUT_SHORT);
		transcript_fini(&seen);
	}
}

TEST(an_end_between_messages_is_in_order)
{
	transcript_init(&seen, HTTP1_REQUESTS);
	EXPECT_OK(http1_parser_finish(seen.parser));
	EXPECT_TRUE(http1_parser_is_idle(seen.parser));
	transcript_fini(&seen);
}

static void
expect_answer(
    struct slice method, struct slice bytes, const char *events, size_t used)
{
	transcript_init(&seen, HTTP1_RESPONSES);
	http1_parser_expect(seen.parser, method);
	transcript_feed(&seen, bytes, bytes.len);
	EXPECT_STR(seen.text, events);
	EXPECT_EQ(seen.used, used);
	transcript_fini(&seen);
}

TEST(the_request_decides_whether_a_response_has_a_body)
{
	expect_answer(S("HEAD"),
	    S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP"),
	    "head 200 OK [Content-Length: 9] none\nend\n", 38);
	expect_answer(S("CONNECT"), S("HTTP/1.1 200 OK\r\n\r\nraw"),
	    "head 200 OK tunnel\nend\n", 19);
	expect_answer(S("CONNECT"),
	    S("HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx"),
	    "head 403 No [Content-Length: 1] length=1\nbody x\nend\n", 39);
	expect_answer(S("GET"),
	    S("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
	    "head 304 Not Modified [Content-Length: 9] none\nend\n", 48);
	expect_answer(S("GET"),
	    S("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
	      "Upgrade: websocket\r\n\r\nraw"),
	    "head 101 Switching Protocols [Connection: upgrade]"
	    " [Upgrade: websocket] tunnel upgrade=websocket\nend\n",
	    77);
}

TEST(the_parser_stops_at_the_end_of_a_message)
{
	struct slice two = S("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
			     "POST /2 HTTP/1.1\r\nHost: h\r\n"
			     "Content-Length: 1\r\n\r\nx");

	transcript_init(&seen, HTTP1_REQUESTS);
	transcript_feed(&seen, two, two.len);
	EXPECT_EQ(seen.used, 28);
	EXPECT_FALSE(http1_parser_is_idle(seen.parser));
	http1_parser_next(seen.parser);
	EXPECT_TRUE(http1_parser_is_idle(seen.parser));
	transcript_feed(&seen, slice_sub(two, seen.used, two.len), two.len);
	EXPECT_EQ(seen.used, two.len);
	EXPECT_STR(seen.text, "head GET |h|/1 none\nend\n"
			      "head POST |h|/2 [Content-Length: 1] length=1\n"
			      "body x\nend\n");
	transcript_fini(&seen);
}

static bool
keeps_alive(const char *bytes)
{
	(void)transcript_of(
	    &seen, HTTP1_REQUESTS, slice_str(bytes), strlen(bytes));
	EXPECT_ERR(seen.last, ERR_EOF);
	return seen.keep_alive;
}

TEST(version_and_connection_decide_keep_alive)
{
	EXPECT_TRUE(keeps_alive("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
	EXPECT_FALSE(keeps_alive(
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n"));
	EXPECT_FALSE(keeps_alive("GET / HTTP/1.1\r\nHost: h\r\n"
				 "Connection: keep-alive\r\n"
				 "Connection: x, close\r\n\r\n"));
	EXPECT_FALSE(keeps_alive("GET / HTTP/1.0\r\nHost: h\r\n\r\n"));
	EXPECT_TRUE(keeps_alive(
	    "GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"));
}

static void
keep_head(void *arg, struct http_head *h)
{
	(void)arg;
	EXPECT_OK(http_head_keep(h));
}

TEST(a_kept_head_outlives_its_bytes)
{
	static const struct http1_events events = {.on_head = keep_head};
	char bytes[] = "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: w\r\n"
		       "Connection: upgrade\r\n\r\n";
	struct http1_parser *p =
	    http1_parser_new(HTTP1_REQUESTS, &events, NULL);
	const struct http_head *h;
	struct slice value;
	size_t used;

	EXPECT_ERR(http1_parser_feed(p, slice_str(bytes), &used), ERR_EOF);
	memset(bytes, '?', sizeof(bytes));
	h = http1_parser_head(p);
	EXPECT_SLICE(h->path, S("/x"));
	EXPECT_SLICE(h->authority, S("h"));
	EXPECT_SLICE(h->upgrade, S("w"));
	EXPECT_TRUE(http_head_get(h, S("connection"), &value));
	EXPECT_SLICE(value, S("upgrade"));
	http1_parser_free(&p);
}

TEST(an_aborted_parser_stays_dead)
{
	size_t used;

	transcript_init(&seen, HTTP1_REQUESTS);
	http1_parser_abort(seen.parser);
	EXPECT_ERR(http1_parser_feed(seen.parser, S("GET"), &used), ERR_PARSE);
	EXPECT_EQ(http1_parser_flaw(seen.parser), HTTP1_ABORTED);
	transcript_fini(&seen);
}
