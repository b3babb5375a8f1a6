/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — clients from outside of the mesh: by host, by name of TLS, by port.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { YAML_MAX = 4096 };

#define ISTIO "apiVersion: networking.istio.io/v1\nkind: "
#define ROUTES                                                                 \
	"---\n" ISTIO "VirtualService\nmetadata: {name: v}\nspec:\n"           \
	"  gateways: [g]\n  hosts: ['*']\n"

/* A service "web", and a gateway at a port that was free. */
struct edge {
	struct rig *rig;
	struct server server;
	uint16_t port;
	char name[32];
};

static void
edge_init(struct edge *e, const char *protocol, server_fn fn)
{
	memset(e, 0, sizeof(*e));
	e->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	e->rig->kind = VIEW_ROUTER;
	server_open(&e->server, ADDR_V4, fn, NULL);
	rig_service(e->rig, "web", protocol);
	rig_endpoint(e->rig, "web", &e->server.addr, NULL);
	e->port = closed_port(ADDR_V4).port;
	(void)snprintf(
	    e->name, sizeof(e->name), "0.0.0.0_%u", (unsigned)e->port);
}

/* One server of a Gateway, from its protocol on; then routes. */
static void
publish(struct edge *e, const char *server, const char *routes)
{
	char yaml[YAML_MAX];
	int n = snprintf(yaml, sizeof(yaml),
	    ISTIO "Gateway\nmetadata: {name: g}\nspec:\n"
		  "  selector: {istio: edge}\n  servers:\n"
		  "  - {port: {number: %u, name: p, protocol: %s\n%s",
	    (unsigned)e->port, server, routes);

	CHECK(n > 0 && (size_t)n < sizeof(yaml));
	rig_publish(e->rig, yaml);
}

static void
edge_open(struct edge *e, server_fn fn, const char *server, const char *routes)
{
	edge_init(e, fn == serve_echo ? "http" : "tcp", fn);
	publish(e, server, routes);
	rig_await(e->rig, e->name);
}

static struct wire
dial(const struct edge *e)
{
	struct addr at = closed_port(ADDR_V4);

	at.port = e->port;
	return wire_dial(&at);
}

static void
edge_fini(struct edge *e)
{
	rig_free(&e->rig);
	server_close(&e->server);
}

static void
get(struct wire *w, const char *fields, struct reply *out)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\n%s\r\n", fields);
	CHECK(wire_say(w, text));
	reply_read(w, "GET", out);
}

#define HTTP "HTTP}, hosts: ['shop.com']}\n"
#define GOES_TO_WEB "[{" TO_WEB "}]\n"

TEST(what_comes_from_outside_is_not_believed)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	get(&w,
	    "Host: shop.com\r\nX-Envoy-Retry-On: 5xx\r\nx-meshd-a: b\r\n"
	    "X-Forwarded-Client-Cert: URI=spiffe://a\r\nX-Request-Id: mine\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4\r\n"
	    "x-forwarded-for: 5.6.7.8\r\nX-Kept: yes\r\n",
	    &r);
	EXPECT_EQ(r.status, 200);
	EXPECT_FALSE(body_has(&r, "x-envoy-retry-on"));
	EXPECT_FALSE(body_has(&r, "X-Envoy-Retry-On"));
	EXPECT_FALSE(body_has(&r, "x-meshd-a"));
	EXPECT_FALSE(body_has(&r, "spiffe://a"));
	EXPECT_FALSE(body_has(&r, ": mine"));
	EXPECT_TRUE(body_has(&r, "x-request-id: "));
	EXPECT_TRUE(body_has(&r, "x-forwarded-proto: http\r\n"));
	EXPECT_TRUE(body_has(&r, ": 1.2.3.4, 5.6.7.8,127.0.0.1\r\n"));
	EXPECT_TRUE(body_has(&r, "x-envoy-external-address: 127.0.0.1\r\n"));
	EXPECT_TRUE(body_has(&r, "x-kept: yes"));
	EXPECT_STR(
	    rig_record(e.rig, 0).forwarded_for, "1.2.3.4, 5.6.7.8,127.0.0.1");
	EXPECT_STR(rig_record(e.rig, 0).source,
	    "spiffe://mesh.internal/ns/edge/sa/gw");
	EXPECT_EQ(rig_record(e.rig, 0).reporter, FLOW_SOURCE);
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

TEST(a_client_from_outside_has_a_hundred_streams_at_once)
{
	struct edge e;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	EXPECT_EQ(wire_streams_announced(&w), 100);
	wire_close(&w);
	edge_fini(&e);
}

TEST(a_host_that_nobody_has_is_said_to_have_nobody)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	get(&w, "Host: other.com\r\n", &r);
	EXPECT_EQ(r.status, 404);
	EXPECT_TRUE(
	    body_has(&r, "no virtual host has the authority \"other.com\""));
	EXPECT_EQ(rig_record(e.rig, 0).flag, FLOW_NO_ROUTE);
	reply_fini(&r);
	get(&w, "Host: SHOP.com:8080\r\n", &r); /* the same connection */
	EXPECT_EQ(r.status, 200);
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

TEST(a_connection_lives_through_changes_and_meets_the_new_rules)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	get(&w, "Host: shop.com\r\n", &r);
	EXPECT_EQ(r.status, 200);
	reply_fini(&r);
	publish(&e, HTTP, ROUTES "  http: [{directResponse: {status: 418}}]\n");
	get(&w, "Host: shop.com\r\n", &r);
	EXPECT_EQ(r.status, 418);
	reply_fini(&r);
	rig_publish(e.rig, NULL); /* nobody listens any more */
	get(&w, "Host: shop.com\r\n", &r);
	EXPECT_EQ(r.status, 404);
	EXPECT_TRUE(body_has(&r, "no longer configured"));
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

TEST(a_server_that_wants_tls_sends_plain_requests_there)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo,
	    "HTTP}, hosts: ['*'], tls: {httpsRedirect: true}}\n",
	    ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	get(&w, "Host: shop.com\r\n", &r);
	EXPECT_EQ(r.status, 301);
	EXPECT_TRUE(head_has(r.head, "location: https://shop.com/a"));
	EXPECT_EQ(rig_record(e.rig, 0).flag, FLOW_OK);
	EXPECT_EQ(rig_record(e.rig, 0).status, 301);
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

/* --- gRPC-Web ------------------------------------------------------------- */

static void
call_web(struct wire *w, const char *host, struct reply *out)
{
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "POST /a HTTP/1.1\r\nHost: %s\r\nContent-Length: 8\r\n"
	    "Content-Type: application/grpc-web-text\r\n\r\nAAAAAAFB",
	    host);
	CHECK(wire_say(w, text));
	reply_read(w, "POST", out);
}

TEST(browsers_may_speak_grpc_at_a_server_that_says_so)
{
	static const struct {
		const char *host;
		const char *line;
	} rows[] = {{"shop.com", "grpc-status: 2"},
	    {"other.com", "grpc-status: 12"}}; /* nobody has it */
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, "GRPC-WEB}, hosts: ['shop.com']}\n",
	    ROUTES "  http: " GOES_TO_WEB);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		w = dial(&e);
		call_web(&w, rows[i].host, &r);
		EXPECT_EQ(r.status, 200);
		EXPECT_TRUE(head_has(
		    r.head, "content-type: application/grpc-web-text+proto"));
		EXPECT_TRUE(head_has(r.head, rows[i].line));
		EXPECT_EQ(buf_len(&r.body), 0);
		/* What was no gRPC is told: it was asked as if it spoke it. */
		if (i == 0)
			EXPECT_TRUE(
			    strstr(r.head, "application/grpc%0D") != NULL &&
			    strstr(r.head, "%00%00%00%00%01A") != NULL);
		reply_fini(&r);
		wire_close(&w);
	}
	edge_fini(&e);
}

TEST(at_any_other_server_what_browsers_say_passes)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB);
	w = dial(&e);
	call_web(&w, "shop.com", &r);
	EXPECT_EQ(r.status, 200);
	EXPECT_TRUE(body_has(&r, "application/grpc-web-text"));
	EXPECT_TRUE(body_has(&r, "AAAAAAFB"));
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

/* --- bytes ---------------------------------------------------------------- */

static void
serve_back(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)n;
	while (wire_take(w, 1, &one)) {
		atomic_fetch_add(&s->requests, 1);
		wire_send(w, one);
	}
}

TEST(tcp_goes_where_its_rule_says)
{
	struct edge e;
	struct slice got;
	struct wire w;

	edge_open(&e, serve_back, "TCP}, hosts: ['*']}\n",
	    ROUTES "  tcp: " GOES_TO_WEB);
	w = dial(&e);
	EXPECT_TRUE(wire_say(&w, "ping"));
	EXPECT_TRUE(wire_take(&w, 4, &got));
	EXPECT_SLICE(got, S("ping"));
	EXPECT_EQ(rig_record(e.rig, 0).kind, FLOW_TCP_OPENED);
	wire_close(&w);
	edge_fini(&e);
}

#define PASS "TLS}, hosts: ['*'], tls: {mode: PASSTHROUGH}}\n"
#define BY_NAME                                                                \
	ROUTES "  tls: [{match: [{sniHosts: [a.com]}], "                       \
	       "route: [{destination: {host: web}}]}]\n"

TEST(tls_is_passed_on_by_the_name_that_it_wants)
{
	static const size_t pieces[] = {WIRE_HELLO_MAX, 1, 30};
	uint8_t bytes[WIRE_HELLO_MAX];
	struct slice all = wire_hello("A.com", bytes), got;
	struct edge e;

	edge_open(&e, serve_back, PASS, BY_NAME);
	for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
		struct wire w = dial(&e);

		for (size_t i = 0; i < all.len; i += pieces[k])
			EXPECT_TRUE(
			    wire_send(&w, slice_sub(all, i, pieces[k])));
		EXPECT_TRUE(wire_take(&w, all.len, &got));
		EXPECT_SLICE(got, all); /* byte for byte */
		EXPECT_TRUE(wire_say(&w, "more"));
		EXPECT_TRUE(wire_take(&w, 4, &got));
		wire_close(&w);
		EXPECT_EQ(rig_record(e.rig, 2 * k + 1).kind, FLOW_TCP_CLOSED);
		EXPECT_EQ(rig_record(e.rig, 2 * k + 1).received, all.len + 4);
	}
	edge_fini(&e);
}

TEST(a_name_that_no_rule_has_is_closed_and_counted)
{
	static const char *const plain = "GET / HTTP/1.1\r\n\r\n";
	uint8_t bytes[WIRE_HELLO_MAX];
	struct edge e;

	edge_open(&e, serve_back, PASS, BY_NAME);
	for (unsigned i = 0; i < 2; i++) {
		struct wire w = dial(&e);

		EXPECT_TRUE(wire_send(&w,
		    i == 0 ? wire_hello("b.com", bytes) : slice_str(plain)));
		EXPECT_TRUE(wire_is_over(&w));
		EXPECT_EQ(rig_record(e.rig, i).kind, FLOW_TCP_REFUSED);
		EXPECT_EQ(rig_record(e.rig, i).flag, FLOW_NO_ROUTE);
		EXPECT_STR(rig_record(e.rig, i).detail,
		    "the listener takes no connection of this kind");
		wire_close(&w);
	}
	EXPECT_EQ(atomic_load(&e.server.requests), 0);
	edge_fini(&e);
}

TEST(a_client_that_ends_before_it_says_a_name_is_told_of)
{
	uint8_t bytes[WIRE_HELLO_MAX];
	struct edge e;
	struct wire w;

	edge_open(&e, serve_back, PASS, BY_NAME);
	w = dial(&e);
	EXPECT_TRUE(
	    wire_send(&w, slice_sub(wire_hello("a.com", bytes), 0, 20)));
	rig_list(e.rig);
	RIG_UNTIL(e.rig, (rig_list(e.rig), e.rig->conn_count) == 1);
	EXPECT_STR(e.rig->conns[0].what, e.name);
	wire_shut(&w);
	EXPECT_TRUE(wire_is_over(&w));
	EXPECT_EQ(rig_record(e.rig, 0).kind, FLOW_TCP_REFUSED);
	EXPECT_EQ(rig_record(e.rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	wire_close(&w);
	edge_fini(&e);
}

static bool
is_refused(uint16_t port)
{
	struct addr at = closed_port(ADDR_V4);
	struct sockaddr_storage ss;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	unsigned len;
	bool refused;

	at.port = port;
	len = addr_to_sockaddr(&at, (struct sockaddr *)&ss);
	refused = connect(fd, (struct sockaddr *)&ss, len) != 0 &&
		  errno == ECONNREFUSED;
	(void)close(fd);
	return refused;
}

TEST(a_port_whose_tls_would_end_here_is_not_opened)
{
	struct edge e;

	edge_init(&e, "http", serve_echo);
	publish(&e,
	    "HTTPS}, hosts: ['*'], "
	    "tls: {mode: SIMPLE, credentialName: c}}\n",
	    ROUTES "  http: " GOES_TO_WEB);
	rig_list(e.rig);
	EXPECT_EQ(e.rig->listening_count, 0);
	EXPECT_TRUE(is_refused(e.port));
	edge_fini(&e);
}

/* --- behind another proxy ------------------------------------------------- */

#define BEHIND                                                                 \
	"---\napiVersion: meshd.dev/v1\nkind: MeshConfig\n"                    \
	"metadata: {name: default}\n"                                          \
	"spec: {defaultConfig: {gatewayTopology: {proxyProtocol: {}}}}\n"

#define V1 "PROXY TCP4 192.0.2.1 198.51.100.9 40000 443\r\n"
#define V2                                                                     \
	"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\x09\x9c\x40" \
	"\1\xbb"
#define V2_LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
#define LITERAL(text)                                                          \
	{                                                                      \
		"" text, sizeof(text) - 1                                      \
	}

/* In pieces of that many bytes. */
static void
send_pieces(struct wire *w, struct slice all, size_t each)
{
	for (size_t i = 0; i < all.len; i += each)
		EXPECT_TRUE(wire_send(w, slice_sub(all, i, each)));
}

TEST(a_proxy_header_says_who_the_client_is)
{
	static const struct slice headers[] = {LITERAL(V1), LITERAL(V2)};
	static const size_t pieces[] = {1000, 1, 20};
	struct edge e;
	size_t n = 0;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB BEHIND);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++, n++) {
			struct wire w = dial(&e);
			char mem[ADDR_TEXT_MAX];
			struct rig_record told;
			struct reply r;

			send_pieces(&w, headers[i], pieces[k]);
			get(&w, "Host: shop.com\r\n", &r);
			EXPECT_EQ(r.status, 200);
			EXPECT_TRUE(body_has(&r, "forwarded-for: 192.0.2.1\r"));
			reply_fini(&r);
			told = rig_record(e.rig, n);
			EXPECT_STR(
			    addr_format(&told.remote, mem), "192.0.2.1:40000");
			EXPECT_STR(
			    addr_format(&told.local, mem), "198.51.100.9:443");
			wire_close(&w);
		}
	edge_fini(&e);
}

TEST(a_header_and_a_request_may_come_at_once)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB BEHIND);
	w = dial(&e);
	EXPECT_TRUE(
	    wire_say(&w, V1 "GET / HTTP/1.1\r\nHost: shop.com\r\n\r\n"));
	reply_read(&w, "GET", &r);
	EXPECT_EQ(r.status, 200);
	EXPECT_TRUE(body_has(&r, "x-forwarded-for: 192.0.2.1\r\n"));
	reply_fini(&r);
	get(&w, "Host: shop.com\r\n", &r); /* once is enough */
	EXPECT_EQ(r.status, 200);
	EXPECT_TRUE(body_has(&r, "x-forwarded-for: 192.0.2.1\r\n"));
	reply_fini(&r);
	wire_close(&w);
	edge_fini(&e);
}

TEST(http2_may_come_behind_a_header)
{
	struct edge e;
	struct peer client;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB BEHIND);
	w = dial(&e);
	EXPECT_TRUE(wire_say(&w, V1));
	peer_client(&client, &w, /* is_h2 */ true);
	for (int i = 0; i < 2; i++) {
		peer_head(&client, "GET / HTTP/1.1\r\nHost: shop.com\r\n\r\n",
		    /* end */ true);
		peer_reply(&client, &r);
		EXPECT_EQ(r.status, 200);
		EXPECT_TRUE(body_has(&r, "x-forwarded-for: 192.0.2.1\r\n"));
		reply_fini(&r);
	}
	peer_fini(&client);
	wire_close(&w);
	edge_fini(&e);
}

TEST(a_header_that_knows_nobody_leaves_the_connections_own_ends)
{
	static const struct slice headers[] = {
	    LITERAL("PROXY UNKNOWN\r\n"), LITERAL(V2_LOCAL)};
	struct edge e;
	struct reply r;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB BEHIND);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct wire w = dial(&e);

		EXPECT_TRUE(wire_send(&w, headers[i]));
		get(&w, "Host: shop.com\r\n", &r);
		EXPECT_EQ(r.status, 200);
		EXPECT_TRUE(body_has(&r, "x-forwarded-for: 127.0.0.1\r\n"));
		reply_fini(&r);
		EXPECT_EQ(rig_record(e.rig, i).local.port, e.port);
		wire_close(&w);
	}
	edge_fini(&e);
}

TEST(without_a_header_the_connection_is_closed_told_and_counted)
{
	static const struct {
		const char *text;
		const char *words;
	} rows[] = {
	    {"GET / HTTP/1.1\r\nHost: shop.com\r\n\r\n",
		"did not begin with a PROXY header"},
	    {"PROXY TCP4 192.0.2.1 198.51.100.9 40000\r\n",
		"addresses or ports"},
	    {"PROXY UNKNOWN", "ended before its PROXY header did"},
	};
	struct edge e;
	uint64_t before;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " GOES_TO_WEB BEHIND);
	before = rig_refused("client", "proxy_header");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct wire w = dial(&e);
		struct rig_record told;

		EXPECT_TRUE(wire_say(&w, rows[i].text));
		wire_shut(&w);
		EXPECT_TRUE(wire_is_over(&w));
		wire_close(&w);
		told = rig_record(e.rig, i);
		EXPECT_EQ(told.kind, FLOW_TCP_REFUSED);
		EXPECT_EQ(told.flag, FLOW_DOWNSTREAM_PROTOCOL);
		EXPECT_TRUE(strstr(told.detail, rows[i].words) != NULL);
		EXPECT_EQ(
		    rig_refused("client", "proxy_header"), before + i + 1);
	}
	EXPECT_EQ(atomic_load(&e.server.requests), 0);
	edge_fini(&e);
}

TEST(a_name_of_tls_comes_behind_the_header)
{
	static const struct slice header = LITERAL(V2);
	uint8_t bytes[WIRE_HELLO_MAX];
	struct slice all = wire_hello("a.com", bytes), got;
	struct edge e;

	edge_open(&e, serve_back, PASS, BY_NAME BEHIND);
	for (size_t each = 1; each <= 1000; each *= 10) {
		struct wire w = dial(&e);

		send_pieces(&w, header, each);
		send_pieces(&w, all, each);
		EXPECT_TRUE(wire_take(&w, all.len, &got));
		EXPECT_SLICE(got, all); /* and nothing in front */
		wire_close(&w);
	}
	edge_fini(&e);
}

static void
serve_greeting(struct server *s, struct wire *w, unsigned n)
{
	(void)n;
	(void)wire_say(w, s->text);
	(void)wire_is_over(w);
}

TEST(a_service_that_speaks_first_waits_for_the_header_only)
{
	struct edge e;
	struct slice got;
	struct wire w;

	edge_init(&e, "tcp", serve_greeting);
	e.server.text = "220 hi\r\n";
	publish(
	    &e, "TCP}, hosts: ['*']}\n", ROUTES "  tcp: " GOES_TO_WEB BEHIND);
	rig_await(e.rig, e.name);
	w = dial(&e);
	EXPECT_TRUE(wire_say(&w, V1));
	EXPECT_TRUE(wire_until(&w, "\n", &got));
	EXPECT_SLICE(got, S("220 hi\r\n"));
	wire_close(&w);
	edge_fini(&e);
}
