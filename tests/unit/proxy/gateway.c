/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway — clients from outside of the mesh: by host, by name of TLS, by port.
 */
#include "scene.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { YAML_MAX = 4096, HELLO_MAX = 512 };

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
#define TO_WEB "[{route: [{destination: {host: web}}]}]\n"

TEST(what_comes_from_outside_is_not_believed)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " TO_WEB);
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

TEST(a_host_that_nobody_has_is_said_to_have_nobody)
{
	struct edge e;
	struct reply r;
	struct wire w;

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " TO_WEB);
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

	edge_open(&e, serve_echo, HTTP, ROUTES "  http: " TO_WEB);
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
	    ROUTES "  http: " TO_WEB);
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

	edge_open(
	    &e, serve_back, "TCP}, hosts: ['*']}\n", ROUTES "  tcp: " TO_WEB);
	w = dial(&e);
	EXPECT_TRUE(wire_say(&w, "ping"));
	EXPECT_TRUE(wire_take(&w, 4, &got));
	EXPECT_SLICE(got, S("ping"));
	EXPECT_EQ(rig_record(e.rig, 0).kind, FLOW_TCP_OPENED);
	wire_close(&w);
	edge_fini(&e);
}

/* A ClientHello that wants this host. */
static struct slice
hello(const char *host, uint8_t out[HELLO_MAX])
{
	size_t n = strlen(host);
	const uint8_t head[] = {
	    22, 3, 1, 0, (uint8_t)(n + 56), 1, 0, 0, (uint8_t)(n + 52), 3, 3};
	const uint8_t rest[] = {0, 0, 2, 0x13, 1, 1, 0, 0, (uint8_t)(n + 9), 0,
	    0, 0, (uint8_t)(n + 5), 0, (uint8_t)(n + 3), 0, 0, (uint8_t)n};
	size_t len = sizeof(head) + 32 + sizeof(rest) + n;

	CHECK(len <= HELLO_MAX && n < 100);
	memset(out, 0, len);
	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head) + 32, rest, sizeof(rest));
	memcpy(out + len - n, host, n);
	return slice_of(out, len);
}

#define PASS "TLS}, hosts: ['*'], tls: {mode: PASSTHROUGH}}\n"
#define BY_NAME                                                                \
	ROUTES "  tls: [{match: [{sniHosts: [a.com]}], "                       \
	       "route: [{destination: {host: web}}]}]\n"

TEST(tls_is_passed_on_by_the_name_that_it_wants)
{
	static const size_t pieces[] = {HELLO_MAX, 1, 30};
	uint8_t bytes[HELLO_MAX];
	struct slice all = hello("A.com", bytes), got;
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
	uint8_t bytes[HELLO_MAX];
	struct edge e;

	edge_open(&e, serve_back, PASS, BY_NAME);
	for (unsigned i = 0; i < 2; i++) {
		struct wire w = dial(&e);

		EXPECT_TRUE(wire_send(
		    &w, i == 0 ? hello("b.com", bytes) : slice_str(plain)));
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
	uint8_t bytes[HELLO_MAX];
	struct edge e;
	struct wire w;

	edge_open(&e, serve_back, PASS, BY_NAME);
	w = dial(&e);
	EXPECT_TRUE(wire_send(&w, slice_sub(hello("a.com", bytes), 0, 20)));
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
	    ROUTES "  http: " TO_WEB);
	rig_list(e.rig);
	EXPECT_EQ(e.rig->listening_count, 0);
	EXPECT_TRUE(is_refused(e.port));
	edge_fini(&e);
}
