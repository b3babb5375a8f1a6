/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_strict — what is no message of HTTP/2, and that its stream alone ends
 * for it (RFC 9113 §8.1.1).
 */
#include "unit.h"
#include "wire.h"

static struct wire wire;
static struct http2 *conn;
static bool closed;
static char heard[64]; /* a letter an event of the first stream */
static unsigned refused;

static void
hear(const struct http2_stream *s, char letter)
{
	size_t n = strlen(heard);

	if (s != NULL && http2_stream_held(s) > 1000)
		return;
	EXPECT_TRUE(n < sizeof(heard) - 1);
	heard[n] = letter;
	heard[n + 1] = '\0';
}

static void
on_head(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	(void)arg;
	(void)end;
	hear(s, h->framing == HTTP_BODY_LENGTH ? 'l' : 'h');
}

static void
on_interim(void *arg, struct http2_stream *s, struct http_head *h)
{
	(void)arg;
	(void)h;
	hear(s, 'i');
}

static void
on_data(void *arg, struct http2_stream *s, struct slice bytes)
{
	(void)arg;
	(void)bytes;
	hear(s, 'd');
}

static void
on_trailers(void *arg, struct http2_stream *s, struct http_head *h)
{
	(void)arg;
	(void)h;
	hear(s, 't');
}

static void
on_end(void *arg, struct http2_stream *s)
{
	(void)arg;
	hear(s, 'e');
}

static void
on_stream_close(void *arg, struct http2_stream *s, enum err why, uint32_t code)
{
	(void)arg;
	(void)code;
	if (why == ERR_PROTOCOL)
		hear(s, 'x');
}

static const struct http2_stream_events stream_events = {.on_head = on_head,
    .on_interim = on_interim,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .on_end = on_end,
    .on_close = on_stream_close};

static void
on_request(void *arg, struct http2_stream *s, struct http_head *h, bool end)
{
	http2_stream_own(s, &stream_events, NULL);
	on_head(arg, s, h, end);
}

static void
on_refused(void *arg, struct http2 *c, unsigned status, const char *word,
    const char *text)
{
	(void)arg;
	(void)c;
	(void)word;
	(void)text;
	refused = status;
	hear(NULL, '!');
}

static void
on_conn_close(void *arg, struct http2 *c, enum err why)
{
	(void)arg;
	(void)c;
	(void)why;
	closed = true;
}

static const struct http2_events conn_events = {.on_request = on_request,
    .on_refused = on_refused,
    .on_close = on_conn_close};

static const struct http2_limits limits = {.streams = 100,
    .head_bytes = 4096,
    .frame_bytes = 16 << 10,
    .takes_upgrades = true};

static void
begin(bool server)
{
	struct http2_spec spec = {
	    .server = server, .limits = &limits, .events = &conn_events};

	wire_init(&wire);
	closed = false;
	refused = 0;
	heard[0] = '\0';
	spec.loop = wire.loop;
	spec.transport = wire.near;
	conn = http2_open(&spec);
	if (server)
		wire_greet(&wire);
	else
		wire_skip_preface(&wire);
}

static void
end(void)
{
	http2_close(conn, HTTP2_NO_ERROR);
	wire_fini(&wire);
	EXPECT_TRUE(closed);
}

struct row {
	const char *head;
	const char *body;     /* NULL: none, and no DATA */
	const char *trailers; /* NULL: none */
	const char *heard;    /* behind it */
};

/* What the peer sends on the first stream; true: it was reset for it. */
static bool
is_reset(const struct row *row)
{
	uint8_t last = row->body == NULL ? WIRE_END_STREAM : 0;
	bool reset;

	wire_send_head(&wire, 1, last, row->head);
	wire_settle(&wire);
	last = row->trailers == NULL ? WIRE_END_STREAM : 0;
	if (row->body != NULL && heard[0] != '!')
		wire_send_frame(
		    &wire, WIRE_DATA, last, 1, slice_str(row->body));
	if (row->trailers != NULL)
		wire_send_head(&wire, 1, WIRE_END_STREAM, row->trailers);
	wire_settle(&wire);
	EXPECT_FALSE(closed);
	EXPECT_FALSE(wire_has(&wire, WIRE_GOAWAY));
	/* Where both sides have ended there is nothing to reset. */
	reset = wire_has(&wire, WIRE_RST);
	if (reset)
		EXPECT_EQ(wire_u32(wire_expect(&wire, WIRE_RST)->payload),
		    HTTP2_PROTOCOL_ERROR);
	return reset;
}

static void
expect_rows(
    const struct row *rows, size_t count, bool server, const char *method)
{
	AUTO(arena_fini) struct arena a = {0};
	struct http_head h;

	arena_init(&a, 4096);
	http_head_init(&h, &a);
	h.method = slice_str(method);
	h.authority = S("h");
	for (size_t i = 0; i < count; i++) {
		bool bad = strpbrk(rows[i].heard, "!x") != NULL;
		bool reset;

		begin(server);
		if (!server) {
			wire_send_frame(&wire, WIRE_SETTINGS, 0, 0, SLICE_NONE);
			EXPECT_TRUE(http2_request(conn, &h, true,
					&stream_events, NULL) != NULL);
			wire_settle(&wire);
		}
		reset = is_reset(&rows[i]);
		if (strcmp(heard, rows[i].heard) != 0)
			print_message("row %zu: %s\n", i, rows[i].head);
		EXPECT_STR(heard, rows[i].heard);
		EXPECT_TRUE(server ? reset == bad : !reset || bad);
		EXPECT_EQ(refused, 0);
		end();
	}
}

#define ASK ":method: POST\n:scheme: http\n:authority: h\n:path: /\n"
#define BUT(method, scheme, authority, path)                                   \
	":method: " method "\n:scheme: " scheme "\n:authority: " authority     \
	"\n:path: " path "\n"

TEST(a_request_that_is_none_ends_its_stream)
{
	static const struct row rows[] = {
	    {ASK, NULL, NULL, "he"},
	    {ASK "x: \n", NULL, NULL, "he"},
	    {ASK "x-y_z!#$%&'*+.^`|~9: \xc3\xa4 b\n", NULL, NULL, "he"},
	    /* Pseudo-fields: which, how often, where (§8.3). */
	    {ASK ":path: /\n", NULL, NULL, "!"},
	    {ASK ":method: GET\n", NULL, NULL, "!"},
	    {ASK ":status: 200\n", NULL, NULL, "!"},
	    {ASK ":other: x\n", NULL, NULL, "!"},
	    {"x: y\n" ASK, NULL, NULL, "!"},
	    {":method: GET\n:authority: h\n:path: /\n", NULL, NULL, "!"},
	    {":method: GET\n:scheme: http\n:path: /\n", NULL, NULL, "!"},
	    {":method: GET\n:scheme: http\n:authority: h\n", NULL, NULL, "!"},
	    {":scheme: http\n:authority: h\n:path: /\n", NULL, NULL, "!"},
	    {":method: GET\n:scheme: http\n:path: /\nhost: h\n", NULL, NULL,
		"he"},
	    {ASK "host: h\n", NULL, NULL, "he"},
	    {ASK "host: h\nhost: h\n", NULL, NULL, "!"},
	    {ASK "host: a@b\n", NULL, NULL, "!"},
	    /* Their values. */
	    {BUT("", "http", "h", "/"), NULL, NULL, "!"},
	    {BUT("G T", "http", "h", "/"), NULL, NULL, "!"},
	    {BUT("m-search", "http", "h", "/"), NULL, NULL, "he"},
	    {BUT("GET", "", "h", "/"), NULL, NULL, "!"},
	    {BUT("GET", "9p", "h", "/"), NULL, NULL, "!"},
	    {BUT("GET", "ht tp", "h", "/"), NULL, NULL, "!"},
	    {BUT("GET", "a+b-c.9", "h", "/"), NULL, NULL, "he"},
	    {BUT("GET", "http", "", "/"), NULL, NULL, "!"},
	    {BUT("GET", "http", "a@h", "/"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h h", "/"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", ""), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", "x"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", "*"), NULL, NULL, "!"},
	    {BUT("OPTIONS", "http", "h", "*"), NULL, NULL, "he"},
	    {BUT("GET", "http", "h", "/a b"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", "/a#b"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", "/\xc3\xa4"), NULL, NULL, "!"},
	    {BUT("GET", "http", "h", "/%C3%A4?\"<>\\^`{|}"), NULL, NULL, "he"},
	    /* CONNECT (§8.5; RFC 8441 §4). */
	    {":method: CONNECT\n:authority: h:1\n", "x", NULL, "hde"},
	    {":method: CONNECT\n", "", NULL, "!"},
	    {":method: CONNECT\nhost: h:1\n", "", NULL, "!"},
	    {":method: CONNECT\n:authority: h:1\n:path: /\n", "", NULL, "!"},
	    {":method: CONNECT\n:authority: h:1\n:scheme: http\n", "", NULL,
		"!"},
	    {BUT("CONNECT", "http", "h", "/") ":protocol: websocket\n", "x",
		NULL, "hde"},
	    {BUT("CONNECT", "http", "h", "/") ":protocol: \n", "", NULL, "!"},
	    {BUT("GET", "http", "h", "/") ":protocol: websocket\n", "", NULL,
		"!"},
	    {":method: CONNECT\n:authority: h\n:protocol: websocket\n", "",
		NULL, "!"},
	    /* Fields (§8.2). */
	    {ASK "X: y\n", NULL, NULL, "!"},
	    {ASK "x y: z\n", NULL, NULL, "!"},
	    {ASK "x\xc3: z\n", NULL, NULL, "!"},
	    {ASK "x: y \n", NULL, NULL, "!"},
	    {ASK "x: \ty\n", NULL, NULL, "!"},
	    {ASK "x: a\rb\n", NULL, NULL, "!"},
	    {ASK "x: a\x7f\n", NULL, NULL, "!"},
	    {ASK "connection: close\n", NULL, NULL, "!"},
	    {ASK "keep-alive: 1\n", NULL, NULL, "!"},
	    {ASK "proxy-connection: close\n", NULL, NULL, "!"},
	    {ASK "transfer-encoding: chunked\n", NULL, NULL, "!"},
	    {ASK "upgrade: websocket\n", NULL, NULL, "!"},
	    {ASK "te: gzip\n", NULL, NULL, "!"},
	    {ASK "te: trailers\n", NULL, NULL, "he"},
	    /* As many bytes as it says (§8.1.1). */
	    {ASK "content-length: 3\n", "abc", NULL, "lde"},
	    {ASK "content-length: 0\n", NULL, NULL, "he"},
	    {ASK "content-length: 0\n", "", NULL, "le"},
	    {ASK "content-length: 3\n", NULL, NULL, "!"},
	    {ASK "content-length: 3\n", "ab", NULL, "ldx"},
	    {ASK "content-length: 3\n", "abcd", NULL, "lx"},
	    {ASK "content-length: 3\ncontent-length: 3\n", "abc", NULL, "!"},
	    {ASK "content-length: +3\n", "abc", NULL, "!"},
	    {ASK "content-length: 3,3\n", "abc", NULL, "!"},
	    {ASK "content-length: 99999999999999999999\n", "abc", NULL, "!"},
	    /* Trailers. */
	    {ASK, "abc", "x: y\n", "hdte"},
	    {ASK "content-length: 3\n", "abc", "x: y\n", "ldte"},
	    {ASK "content-length: 4\n", "abc", "x: y\n", "ldx"},
	    {ASK, "abc", ":path: /\n", "hdx"},
	    {ASK, "abc", "X: y\n", "hdx"},
	    {ASK, "abc", "content-length: 3\n", "hdx"},
	};

	expect_rows(rows, ARRAY_LEN(rows), /* server */ true, "");
}

TEST(an_answer_that_is_none_ends_its_stream)
{
	static const struct row rows[] = {
	    {":status: 200\n", "abc", NULL, "hde"},
	    {":status: 200\n", "abc", "grpc-status: 0\n", "hdte"},
	    {"x: y\n", "abc", NULL, "x"},
	    {":status: 200\n:status: 200\n", "abc", NULL, "x"},
	    {":status: 0200\n", "abc", NULL, "x"},
	    {":status: 20\n", "abc", NULL, "x"},
	    {":status: 099\n", "abc", NULL, "x"},
	    {":status: 2x0\n", "abc", NULL, "x"},
	    {":status: 101\n", "abc", NULL, "x"},
	    {":status: 200\n:path: /\n", "abc", NULL, "x"},
	    {":status: 200\nConnection: x\n", "abc", NULL, "x"},
	    {":status: 200\nconnection: close\n", "abc", NULL, "x"},
	    {":status: 200\ncontent-length: 3\n", "abc", NULL, "lde"},
	    {":status: 200\ncontent-length: 3\n", "abcd", NULL, "lx"},
	    {":status: 200\ncontent-length: 3\n", "ab", NULL, "ldx"},
	    {":status: 200\ncontent-length: 3\n", NULL, NULL, "x"},
	    {":status: 204\ncontent-length: 0\n", NULL, NULL, "he"},
	    {":status: 204\ncontent-length: 3\n", NULL, NULL, "x"},
	    {":status: 204\n", "abc", NULL, "hx"},
	    {":status: 304\ncontent-length: 3\n", NULL, NULL, "he"},
	    {":status: 304\n", "abc", NULL, "hx"},
	    {":status: 100\n", NULL, NULL, "x"},
	    {":status: 100\n", "abc", NULL, "ix"},
	    {":status: 100\n", "", NULL, "ix"},
	    {":status: 100\ncontent-length: 0\n", "", NULL, "x"},
	    {":status: 200\n", "abc", ":status: 200\n", "hdx"},
	};

	expect_rows(rows, ARRAY_LEN(rows), /* server */ false, "GET");
}

TEST(what_was_asked_says_what_may_follow_its_answer)
{
	static const struct row of_head[] = {
	    {":status: 200\ncontent-length: 3\n", NULL, NULL, "he"},
	    {":status: 200\ncontent-length: 3\n", "abc", NULL, "lx"},
	};
	static const struct row of_connect[] = {
	    {":status: 200\ncontent-length: 3\n", "abcdef", NULL, "hde"},
	    {":status: 403\ncontent-length: 3\n", "abcdef", NULL, "lx"},
	};

	expect_rows(of_head, ARRAY_LEN(of_head), /* server */ false, "HEAD");
	expect_rows(
	    of_connect, ARRAY_LEN(of_connect), /* server */ false, "CONNECT");
}

/* A request in good order beside one that is none. */
TEST(no_other_stream_ends_with_it)
{
	begin(/* server */ true);
	wire_send_head(&wire, 1, 0, ASK);
	wire_send_head(&wire, 3, WIRE_END_STREAM, ASK "X: y\n");
	wire_send_head(&wire, 5, WIRE_END_STREAM, ASK);
	wire_send_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, S("abc"));
	wire_settle(&wire);
	EXPECT_STR(heard, "h!hede");
	EXPECT_EQ(wire_expect(&wire, WIRE_RST)->stream, 3);
	EXPECT_FALSE(closed);
	end();
}
