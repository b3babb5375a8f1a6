/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff — a port that declares no protocol: what comes first decides, and
 * nothing gets past a rule for requests, however slowly it comes.
 */
#include "http/http.h"
#include "scene.h"
#include "unit.h"

#include <unistd.h>

/* --- the bytes alone ------------------------------------------------------ */

static const struct {
	const char *text;
	enum http_sniff is;
} firsts[] = {
    {"GET / HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"\r\nGET / HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"OPTIONS * HTTP/1.0\r\n", HTTP_SNIFF_1},
    {"M-SEARCH * HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"GET http://web/ HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"CONNECT web:80 HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"CONNECT [::1]:80 HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_SNIFF_2},
    {"", HTTP_SNIFF_MORE},
    {"\r", HTTP_SNIFF_MORE},
    {"GET", HTTP_SNIFF_MORE},
    {"GET ", HTTP_SNIFF_MORE},
    {"GET /aaaaa", HTTP_SNIFF_MORE},
    {"GET / HTT", HTTP_SNIFF_MORE},
    {"GET / HTTP/3.0\r\n", HTTP_SNIFF_BYTES},
    {"GET /\r\n", HTTP_SNIFF_BYTES}, /* HTTP/0.9 */
    {"get / HTTP/1.1\r\n", HTTP_SNIFF_BYTES},
    {" GET / HTTP/1.1\r\n", HTTP_SNIFF_BYTES},
    {"GET  /  HTTP/1.1\r\n", HTTP_SNIFF_1},
    {"\x16\x03\x01", HTTP_SNIFF_BYTES},         /* TLS */
    {"EHLO me\r\n", HTTP_SNIFF_BYTES},          /* SMTP */
    {"PING\r\n", HTTP_SNIFF_BYTES},             /* Redis, inline */
    {"*1\r\n$4\r\nPING\r\n", HTTP_SNIFF_BYTES}, /* Redis */
    {"CONNECT\naccept-version:1\n", HTTP_SNIFF_BYTES} /* STOMP */,
    {"USER a 0 * :b\r\n", HTTP_SNIFF_BYTES}, /* IRC */
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", HTTP_SNIFF_BYTES},
};

TEST(the_first_bytes_say_whether_they_are_http)
{
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		EXPECT_EQ(http_sniff(slice_str(firsts[i].text)), firsts[i].is);
}

TEST(what_was_said_of_some_bytes_holds_for_more)
{
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct slice all = slice_str(firsts[i].text);
		enum http_sniff before = HTTP_SNIFF_MORE;

		for (size_t n = 0; n <= all.len; n++) {
			enum http_sniff now = http_sniff(slice_sub(all, 0, n));

			EXPECT_TRUE(before == HTTP_SNIFF_MORE || before == now);
			before = now;
		}
	}
}

TEST(a_line_without_an_end_is_left_to_who_reads_requests)
{
	static char text[HTTP_SNIFF_MAX];

	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	EXPECT_EQ(
	    http_sniff(slice_of(text, sizeof(text) - 1)), HTTP_SNIFF_MORE);
	EXPECT_EQ(http_sniff(slice_of(text, sizeof(text))), HTTP_SNIFF_1);
}

/* --- a listener ----------------------------------------------------------- */

#define UNDECLARED                                                             \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{port: 80, name: x}], selector: {app: web}}\n"

/* /deny is refused; nothing else is. */
#define RULE                                                                   \
	"---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"      \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"              \
	"  - match: [{uri: {prefix: /deny}}]\n"                                \
	"    directResponse: {status: 451}\n"                                  \
	"  - route: [{destination: {host: web}}]\n"

static struct scene *
sniffed(server_fn fn, const char *text, const char *yaml)
{
	struct scene *s = mem_new(sizeof(*s));
	struct addr at;
	struct view_endpoint_input *e;
	static const struct label label = {{"app", 3}, {"web", 3}};

	s->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&s->server, ADDR_V4, fn, text);
	e = rig_endpoint(s->rig, "web", &s->server.addr, NULL);
	e->labels = (struct labels){&label, 1};
	rig_listen(s->rig, "web", ADDR_V4);
	rig_publish(s->rig, yaml);
	at = rig_addr(s->rig, "web");
	s->client = wire_dial(&at);
	return s;
}

/* Gives back what comes. */
static void
serve_same(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)n;
	while (wire_some(w, &one)) {
		atomic_fetch_add(&s->requests, 1);
		wire_send(w, one);
		(void)!wire_take(w, one.len, &one);
	}
}

/* As SMTP and MySQL do. */
static void
serve_banner(struct server *s, struct wire *w, unsigned n)
{
	struct slice line;

	(void)n;
	wire_say(w, "220 hello\r\n");
	while (wire_until(w, "\n", &line)) {
		atomic_fetch_add(&s->requests, 1);
		wire_send(w, line);
	}
}

static void
nap(unsigned ms)
{
	usleep(ms * 1000);
}

static void
say_slowly(struct wire *w, const char *text, unsigned ms)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		EXPECT_TRUE(wire_send(w, slice_of(text + i, 1)));
		nap(ms);
	}
}

#define OK_HI "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"

TEST(requests_meet_rules_where_no_protocol_is_declared)
{
	struct scene *s = sniffed(serve_text, OK_HI, UNDECLARED RULE);

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	scene_ask(s, "GET /deny HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 451);
	EXPECT_EQ(rig_record(s->rig, 0).kind, FLOW_HTTP);
	scene_free(&s);
}

TEST(a_client_that_is_silent_first_meets_the_rule_too)
{
	struct scene *s = sniffed(serve_text, OK_HI, UNDECLARED RULE);

	nap(200);
	scene_ask(s, "GET /deny HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 451);
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(and_so_does_one_that_speaks_byte_by_byte)
{
	struct scene *s = sniffed(serve_text, OK_HI, UNDECLARED RULE);

	nap(200);
	say_slowly(&s->client, "GET /deny HTTP/1.1\r\n", 60);
	scene_ask(s, "Host: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 451);
	EXPECT_EQ(atomic_load(&s->server.requests), 0);
	scene_free(&s);
}

TEST(what_is_no_http_is_refused_where_a_rule_holds)
{
	static const char *const texts[] = {
	    "\x16\x03\x01\x02\x00\x01", "EHLO me\r\n", "GET /\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct scene *s = sniffed(serve_same, NULL, UNDECLARED RULE);
		struct rig_record r;

		nap(i == 1 ? 100 : 0);
		EXPECT_TRUE(wire_say(&s->client, texts[i]));
		EXPECT_TRUE(wire_is_over(&s->client));
		EXPECT_EQ(atomic_load(&s->server.requests), 0);
		r = rig_record(s->rig, 0);
		EXPECT_EQ(r.kind, FLOW_TCP_REFUSED);
		EXPECT_EQ(r.flag, FLOW_DOWNSTREAM_PROTOCOL);
		EXPECT_SLICE(slice_str(r.detail), view_only_requests);
		scene_free(&s);
	}
}

TEST(a_service_that_speaks_first_is_refused_where_a_rule_holds)
{
	struct scene *s = sniffed(serve_banner, NULL, UNDECLARED RULE);

	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	scene_free(&s);
}

TEST(a_service_that_speaks_first_does_so_at_once)
{
	struct scene *s = sniffed(serve_banner, NULL, UNDECLARED);
	uint64_t began = clock_mono_us(&clock_system);
	struct slice line;

	EXPECT_TRUE(wire_until(&s->client, "\n", &line));
	EXPECT_SLICE(line, S("220 hello\r\n"));
	EXPECT_TRUE(clock_mono_us(&clock_system) - began < 1000000);
	EXPECT_TRUE(wire_say(&s->client, "GET / HTTP/1.1\r\n"));
	EXPECT_TRUE(wire_until(&s->client, "\n", &line));
	EXPECT_SLICE(line, S("GET / HTTP/1.1\r\n"));
	EXPECT_EQ(rig_record(s->rig, 0).kind, FLOW_TCP_OPENED);
	wire_shut(&s->client);
	EXPECT_TRUE(wire_is_over(&s->client));
	EXPECT_EQ(rig_record(s->rig, 1).sent, 11 + 16);
	scene_free(&s);
}

TEST(bytes_are_bytes_where_no_rule_holds)
{
	static const char *const texts[] = {
	    "\x16\x03\x01", "EHLO me\r\n", "GE"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct scene *s = sniffed(serve_same, NULL, UNDECLARED);
		struct slice back;

		EXPECT_TRUE(wire_say(&s->client, texts[i]));
		EXPECT_TRUE(wire_take(&s->client, strlen(texts[i]), &back));
		EXPECT_SLICE(back, slice_str(texts[i]));
		EXPECT_EQ(rig_record(s->rig, 0).kind, FLOW_TCP_OPENED);
		scene_free(&s);
	}
}

TEST(a_client_that_only_listens_gets_what_there_is)
{
	struct scene *s = sniffed(serve_banner, NULL, UNDECLARED);
	struct slice line;

	wire_shut(&s->client);
	EXPECT_TRUE(wire_until(&s->client, "\n", &line));
	EXPECT_SLICE(line, S("220 hello\r\n"));
	EXPECT_TRUE(wire_is_over(&s->client));
	scene_free(&s);
}

TEST(a_client_that_goes_meanwhile_leaves_nothing_behind)
{
	struct scene *s = sniffed(serve_same, NULL, UNDECLARED);

	nap(100); /* an endpoint is connected by now */
	wire_reset(&s->client);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_DOWNSTREAM_CLOSED);
	rig_list(s->rig);
	EXPECT_EQ(s->rig->conn_count, 0);
	scene_free(&s);
}

TEST(nobody_serves_a_silent_client)
{
	struct scene *s = sniffed(serve_same, NULL, UNDECLARED);
	struct addr at = rig_addr(s->rig, "web");
	struct wire other;

	server_close(&s->server);
	other = wire_dial(&at);
	EXPECT_TRUE(wire_is_over(&other));
	wire_close(&other);
	server_open(&s->server, ADDR_V4, serve_same, NULL);
	scene_free(&s);
}

/* The preface may come in pieces, and late. */
TEST(http2_is_told_by_its_preface_in_pieces)
{
	struct scene *s = sniffed(serve_text, OK_HI, UNDECLARED RULE);

	nap(100);
	say_slowly(&s->client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 10);
	EXPECT_TRUE(
	    wire_send(&s->client, S("\0\0\0\4\0\0\0\0\0"))); /* SETTINGS */
	{
		struct slice head;

		EXPECT_TRUE(wire_take(&s->client, 9, &head));
		EXPECT_EQ(head.ptr[3], 4); /* SETTINGS, too */
	}
	scene_free(&s);
}
