/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxied — the port for programs that have an HTTP proxy.
 */
#include "h2.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

/* "web" speaks HTTP and has a rule, "any" says nothing and has the same rule,
 * "db" is bytes. */
struct den {
	struct rig *rig;
	struct server web;
	struct server db;
	struct wire client;
	struct reply reply;
};

static const char config[] =
    "apiVersion: meshd.dev/v1\nkind: MeshConfig\nmetadata: {name: default}\n"
    "spec:\n  proxyHttpPort: %u\n"
    "  outboundTrafficPolicy: {mode: %s}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: any}\n"
    "spec: {ports: [{port: 80, name: x}], selector: {app: any}}\n"
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: web}\nspec:\n  hosts: [web, any]\n  http:\n"
    "  - match: [{uri: {prefix: /deny}}]\n"
    "    directResponse: {status: 451}\n"
    "  - route: [{destination: {host: web}}]\n";

static struct den *
den_of(server_fn db, const char *policy, const char *more)
{
	static const struct label label = {{"app", 3}, {"any", 3}};
	struct den *d = mem_new(sizeof(*d));
	struct addr at = closed_port(ADDR_V4);
	struct view_endpoint_input *e;
	char yaml[4096];
	int n;

	d->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&d->web, ADDR_V4, serve_echo, NULL);
	server_open(&d->db, ADDR_V4, db, NULL);
	rig_service(d->rig, "web", "http");
	rig_service(d->rig, "db", "tcp");
	rig_endpoint(d->rig, "web", &d->web.addr, NULL);
	rig_endpoint(d->rig, "db", &d->db.addr, NULL);
	e = rig_endpoint(d->rig, "any", &d->web.addr, NULL);
	e->labels = (struct labels){&label, 1};
	n = snprintf(yaml, sizeof(yaml), config, (unsigned)at.port, policy);
	(void)snprintf(yaml + n, sizeof(yaml) - (size_t)n, "%s", more);
	rig_publish(d->rig, yaml);
	rig_await(d->rig, "http-proxy");
	at = rig_addr(d->rig, "http-proxy");
	d->client = wire_dial(&at);
	return d;
}

static struct den *
den_with(server_fn db, const char *policy)
{
	return den_of(db, policy, "");
}

static struct den *
den_new(server_fn db)
{
	return den_with(db, "REGISTRY_ONLY");
}

static void
den_free(struct den **dp)
{
	struct den *d = *dp;

	wire_close(&d->client);
	rig_free(&d->rig);
	server_close(&d->web);
	server_close(&d->db);
	reply_fini(&d->reply);
	mem_free(dp);
}

static void
den_ask(struct den *d, const char *request)
{
	reply_fini(&d->reply);
	EXPECT_TRUE(wire_say(&d->client, request));
	reply_read(
	    &d->client, request[0] == 'C' ? "CONNECT" : "GET", &d->reply);
}

/* The head of a CONNECT's answer, whose bytes follow at once. */
static void
den_connect(struct den *d, const char *target)
{
	char text[256];
	struct slice head;

	(void)snprintf(text, sizeof(text),
	    "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target);
	EXPECT_TRUE(wire_say(&d->client, text));
	EXPECT_TRUE(wire_until(&d->client, "\r\n\r\n", &head));
	EXPECT_SLICE(head, S("HTTP/1.1 200 OK\r\n\r\n"));
}

static bool
says(const struct den *d, const char *text)
{
	return body_has(&d->reply, text);
}

TEST(an_absolute_url_reaches_the_service)
{
	static const char *const hosts[] = {"web", "WEB", "web:80",
	    "web.default", "web.default.svc.cluster.local",
	    "web.default.svc.mesh.internal:80"};
	struct den *d = den_new(serve_ok);
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		(void)snprintf(text, sizeof(text),
		    "GET http://%s/x?y HTTP/1.1\r\nHost: %s\r\n"
		    "Proxy-Connection: keep-alive\r\n"
		    "Proxy-Authorization: Basic eA==\r\n\r\n",
		    hosts[i], hosts[i]);
		den_ask(d, text);
		EXPECT_EQ(d->reply.status, 200);
		EXPECT_TRUE(says(d, "GET /x?y HTTP/1.1"));
		EXPECT_FALSE(says(d, "roxy-"));
	}
	den_ask(d, "GET http://web/deny HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(d->reply.status, 451);
	den_free(&d);
}

TEST(an_absolute_url_of_an_undeclared_port_is_a_request)
{
	struct den *d = den_new(serve_ok);

	den_ask(d, "GET http://any/ HTTP/1.1\r\nHost: any\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	den_ask(d, "GET http://any/deny HTTP/1.1\r\nHost: any\r\n\r\n");
	EXPECT_EQ(d->reply.status, 451);
	den_free(&d);
}

TEST(what_cannot_be_reached_is_refused_in_words)
{
	static const struct {
		const char *request;
		int status;
		const char *words;
	} rows[] = {
	    {"GET http://nobody/ HTTP/1.1\r\nHost: nobody\r\n\r\n", 502,
		"REGISTRY_ONLY"},
	    {"GET http://web:81/ HTTP/1.1\r\nHost: web:81\r\n\r\n", 404,
		"web.default.svc.mesh.internal has no port 81"},
	    {"GET http://db/ HTTP/1.1\r\nHost: db\r\n\r\n", 404,
		"port 80 of db.default.svc.mesh.internal speaks tcp, no HTTP; "
		"CONNECT reaches it"},
	    {"GET https://web/ HTTP/1.1\r\nHost: web\r\n\r\n", 400,
		"by CONNECT"},
	    {"GET http://10.9.9.9/ HTTP/1.1\r\nHost: 10.9.9.9\r\n\r\n", 502,
		"REGISTRY_ONLY"},
	    {"CONNECT nobody:80 HTTP/1.1\r\nHost: nobody:80\r\n\r\n", 502,
		"REGISTRY_ONLY"},
	    {"CONNECT 10.9.9.9:44 HTTP/1.1\r\nHost: 10.9.9.9:44\r\n\r\n", 502,
		"REGISTRY_ONLY"},
	    {"CONNECT db:81 HTTP/1.1\r\nHost: db:81\r\n\r\n", 404,
		"db.default.svc.mesh.internal has no port 81"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct den *d = den_new(serve_ok);

		den_ask(d, rows[i].request);
		EXPECT_EQ(d->reply.status, rows[i].status);
		EXPECT_TRUE(says(d, rows[i].words));
		EXPECT_TRUE(head_has(d->reply.head, "proxy-status") ||
			    strstr(d->reply.head, "proxy-status") != NULL);
		if (rows[i].request[0] == 'C')
			EXPECT_TRUE(wire_is_over(&d->client));
		den_free(&d);
	}
}

static void
serve_banner(struct server *s, struct wire *w, unsigned n)
{
	struct slice line;

	(void)n;
	wire_say(w, "hello\n");
	while (wire_until(w, "\n", &line)) {
		atomic_fetch_add(&s->requests, 1);
		wire_send(w, line);
	}
	wire_say(w, "bye\n");
}

TEST(connect_leads_to_a_service_of_bytes)
{
	struct den *d = den_new(serve_banner);
	struct rig_record r;
	struct slice line;

	den_connect(d, "db:80");
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("hello\n"));
	EXPECT_TRUE(wire_say(&d->client, "GET /deny HTTP/1.1\n"));
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("GET /deny HTTP/1.1\n"));
	wire_shut(&d->client);
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("bye\n"));
	EXPECT_TRUE(wire_is_over(&d->client));
	r = rig_record(d->rig, 0);
	EXPECT_EQ(r.kind, FLOW_HTTP);
	EXPECT_EQ(r.status, 200);
	EXPECT_EQ(r.received, 19);
	EXPECT_EQ(r.sent, 6 + 19 + 4);
	den_free(&d);
}

TEST(what_comes_behind_a_connect_waits_for_its_answer)
{
	struct den *d = den_new(serve_banner);
	struct slice line;

	EXPECT_TRUE(
	    wire_say(&d->client, "CONNECT db:80 HTTP/1.0\r\n\r\nearly\n"));
	EXPECT_TRUE(wire_until(&d->client, "\r\n\r\n", &line));
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("early\n"));
	den_free(&d);
}

TEST(a_service_of_bytes_that_nobody_serves_is_told_before_the_200)
{
	struct den *d = den_new(serve_banner);

	server_refuse(&d->db);
	den_ask(d, "CONNECT db:80 HTTP/1.1\r\nHost: db:80\r\n\r\n");
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_CONNECT_FAILED);
	den_free(&d);
}

/* Declared or found out: rules are met. */
TEST(connect_gets_around_no_rule)
{
	static const char *const targets[] = {"web:80", "any:80"};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct den *d = den_new(serve_ok);

		den_connect(d, targets[i]);
		den_ask(d, "GET /a HTTP/1.1\r\nHost: elsewhere\r\n\r\n");
		EXPECT_EQ(d->reply.status, 200);
		den_ask(d, "GET /deny HTTP/1.1\r\nHost: x\r\n\r\n");
		EXPECT_EQ(d->reply.status, 451);
		EXPECT_EQ(atomic_load(&d->web.requests), 1);
		/* And there is no second proxy behind the first. */
		den_ask(d, "CONNECT db:80 HTTP/1.1\r\nHost: db:80\r\n\r\n");
		EXPECT_EQ(d->reply.status, 403);
		den_free(&d);
	}
}

TEST(bytes_behind_a_connect_to_requests_are_refused)
{
	struct den *d = den_new(serve_ok);

	den_connect(d, "web:80");
	EXPECT_TRUE(wire_say(&d->client, "\x16\x03\x01\x02\x00\x01\x00"));
	reply_read(&d->client, "GET", &d->reply);
	EXPECT_EQ(d->reply.status, 400);
	den_free(&d);
	d = den_new(serve_ok);
	den_connect(d, "any:80");
	EXPECT_TRUE(wire_say(&d->client, "\x16\x03\x01\x02\x00\x01\x00"));
	EXPECT_TRUE(wire_is_over(&d->client));
	EXPECT_EQ(atomic_load(&d->web.requests), 0);
	den_free(&d);
}

TEST(http2_clients_connect_as_well)
{
	struct den *d = den_new(serve_banner);
	struct h2 h = {0};
	struct h2_stream *s;

	h2_client(&h, &d->client, (struct h2_how){0});
	s = h2_request(
	    &h, "CONNECT db:80 HTTP/2\r\nhost: db:80\r\n\r\n", false);
	EXPECT_TRUE(H2_UNTIL(&h, buf_len(&s->body) >= 6));
	EXPECT_EQ(s->status, 200);
	EXPECT_SLICE(buf_slice(&s->body), S("hello\n"));
	h2_fini(&h);
	den_free(&d);
}

TEST(a_client_that_goes_during_a_connect_leaves_nothing_behind)
{
	struct den *d = den_new(serve_banner);

	EXPECT_TRUE(wire_say(
	    &d->client, "CONNECT any:80 HTTP/1.1\r\nHost: any:80\r\n\r\n"));
	wire_reset(&d->client);
	(void)rig_record(d->rig, 0);
	RIG_UNTIL(d->rig, (rig_list(d->rig), d->rig->conn_count == 0));
	den_free(&d);
}

static const char *const open_policies[] = {
    "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"};

/* The same server, as one that the mesh does not know. */
TEST(what_the_mesh_does_not_know_may_be_let_through)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost"};
	char text[256];

	for (size_t i = 0; i < 4; i++) {
		struct den *d = den_with(serve_banner, open_policies[i % 2]);

		(void)snprintf(text, sizeof(text),
		    "GET http://%s:%u/deny HTTP/1.1\r\nHost: %s:%u\r\n\r\n",
		    hosts[i / 2], (unsigned)d->web.addr.port, hosts[i / 2],
		    (unsigned)d->web.addr.port);
		for (int n = 0; n < 2; n++) {
			den_ask(d, text);
			EXPECT_EQ(d->reply.status, 200);
			EXPECT_TRUE(says(d, "GET /deny HTTP/1.1"));
		}
		EXPECT_EQ(atomic_load(&d->web.connections), 1); /* kept */
		EXPECT_STR(rig_record(d->rig, 0).cluster,
		    i % 2 == 0 ? "PassthroughCluster"
			       : "AllowAnyDynamicDNSCluster");
		(void)snprintf(text, sizeof(text), "%s:%u", hosts[i / 2],
		    (unsigned)d->db.addr.port);
		den_connect(d, text);
		{
			struct slice line;

			EXPECT_TRUE(wire_until(&d->client, "\n", &line));
			EXPECT_SLICE(line, S("hello\n"));
		}
		den_free(&d);
	}
}

#define SIDECAR                                                                \
	"---\napiVersion: networking.istio.io/v1\nkind: Sidecar\n"             \
	"metadata: {name: s}\nspec:\n  outboundTrafficPolicy: "

/* A Sidecar's word comes before the mesh's. */
TEST(the_unknown_may_go_by_way_of_another_proxy)
{
	struct den *d = den_of(serve_banner, "REGISTRY_ONLY",
	    SIDECAR "{mode: ALLOW_ANY, egressProxy: {host: "
		    "web.default.svc.cluster.local, port: {number: 80}}}\n");

	den_ask(
	    d, "GET http://a.invalid/x HTTP/1.1\r\nHost: a.invalid\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "host: a.invalid"));
	den_connect(d, "a.invalid:443");
	den_ask(d, "GET /deny HTTP/1.1\r\nHost: b\r\n\r\n");
	EXPECT_EQ(d->reply.status, 200);
	EXPECT_TRUE(says(d, "GET /deny"));
	den_free(&d);
	d = den_of(
	    serve_banner, "ALLOW_ANY", SIDECAR "{mode: REGISTRY_ONLY}\n");
	den_ask(d, "GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
	EXPECT_EQ(d->reply.status, 502);
	den_free(&d);
}

/* "vault" is TLS: a.vault is the server of "db", the rest is web's. */
#define VAULT                                                                  \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: vault}\n"        \
	"spec: {ports: [{port: 443, name: tls}, {port: 444, name: tls-x}], "   \
	"selector: {app: any}}\n"                                              \
	"---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"      \
	"metadata: {name: vault}\nspec:\n  hosts: [vault, '*.vault']\n  "      \
	"tls:\n"                                                               \
	"  - match: [{sniHosts: ['*.vault'], port: 443}]\n"                    \
	"    route: [{destination: {host: web, port: {number: 80}}}]\n"        \
	"  - match: [{sniHosts: [a.vault], port: 443}]\n"                      \
	"    route: [{destination: {host: db, port: {number: 80}}}]\n"         \
	"  - match: [{sniHosts: [a.vault], port: 444}]\n"                      \
	"    route: [{destination: {host: web, port: {number: 80}}}]\n"

TEST(rules_by_the_servers_name_hold_behind_a_connect)
{
	static const struct {
		const char *target, *name, *cluster;
	} rows[] = {
	    {"vault:443", "a.vault", "outbound|80||db."},
	    {"vault:443", "b.vault", "outbound|80||web."},
	    {"vault:444", "a.vault", "outbound|80||web."},
	    {"vault:443", "elsewhere", "outbound|443||vault."},
	};
	uint8_t bytes[WIRE_HELLO_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct den *d = den_of(serve_banner, "REGISTRY_ONLY", VAULT);
		struct slice all = wire_hello(rows[i].name, bytes);
		struct rig_record r;

		den_connect(d, rows[i].target);
		EXPECT_TRUE(wire_send(&d->client, slice_sub(all, 0, 20)));
		EXPECT_TRUE(wire_send(&d->client, slice_sub(all, 20, all.len)));
		r = rig_record(d->rig, 1); /* behind that of the CONNECT */
		EXPECT_TRUE(slice_starts(
		    slice_str(r.cluster), slice_str(rows[i].cluster)));
		den_free(&d);
	}
}

/* Of who named a host nobody knows which address was called. */
#define ANY_ADDRESS                                                            \
	"---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"      \
	"metadata: {name: db}\nspec:\n  hosts: [db]\n  tcp:\n"                 \
	"  - match: [{destinationSubnets: [0.0.0.0/0]}]\n"                     \
	"    route: [{destination: {host: web}}]\n"
#define TOLD                                                                   \
	"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"     \
	"metadata: {name: db}\nspec: {host: db, trafficPolicy: "               \
	"{proxyProtocol: {version: V1}}}\n"

#define AGED                                                                   \
	"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"     \
	"metadata: {name: db}\nspec: {host: db, trafficPolicy: "               \
	"{connectionPool: {tcp: {maxConnectionDuration: 50ms}}}}\n"

TEST(bytes_behind_a_connect_are_cut_at_their_age)
{
	struct den *d = den_of(serve_silence, "REGISTRY_ONLY", AGED);

	den_connect(d, "db:80");
	EXPECT_TRUE(wire_is_over(&d->client));
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_TOO_OLD);
	den_free(&d);
}

TEST(a_service_behind_a_connect_is_told_whose_it_is)
{
	struct den *d = den_of(serve_banner, "REGISTRY_ONLY", ANY_ADDRESS TOLD);
	struct slice line;

	den_connect(d, "db:80");
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("hello\n"));
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_TRUE(slice_starts(line, S("PROXY TCP4 127.0.0.1 127.0.0.1 ")));
	EXPECT_TRUE(wire_say(&d->client, "ping\n"));
	EXPECT_TRUE(wire_until(&d->client, "\n", &line));
	EXPECT_SLICE(line, S("ping\n"));
	den_free(&d);
}

TEST(a_proxy_does_not_call_itself)
{
	static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct den *d = den_with(serve_banner, "ALLOW_ANY");
		unsigned port = rig_addr(d->rig, "http-proxy").port;

		(void)snprintf(text, sizeof(text),
		    "GET http://%s:%u/ HTTP/1.1\r\nHost: %s:%u\r\n\r\n",
		    hosts[i], port, hosts[i], port);
		den_ask(d, text);
		EXPECT_EQ(d->reply.status, 403);
		(void)snprintf(text, sizeof(text),
		    "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", hosts[i],
		    port, hosts[i], port);
		den_ask(d, text);
		EXPECT_EQ(d->reply.status, 403);
		EXPECT_TRUE(says(d, "the proxy itself"));
		den_free(&d);
	}
}

TEST(nobody_at_an_unknown_address_is_told)
{
	struct den *d = den_with(serve_banner, "ALLOW_ANY");
	char text[256];

	server_refuse(&d->db);
	(void)snprintf(text, sizeof(text),
	    "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
	    (unsigned)d->db.addr.port, (unsigned)d->db.addr.port);
	den_ask(d, text);
	EXPECT_EQ(d->reply.status, 503);
	EXPECT_EQ(rig_record(d->rig, 0).flag, FLOW_CONNECT_FAILED);
	den_free(&d);
}

TEST(a_listener_of_a_service_is_no_proxy)
{
	struct scene *s = scene_new(serve_ok, NULL);

	scene_ask(s, "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n");
	EXPECT_EQ(s->reply.status, 403);
	scene_free(&s);
}
