/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection — what becomes of one, step by step, and where it ends.
 */
#include "load.h"
#include "unit.h"
#include "view/inside.h"

static const char mesh[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    "spec: {ports: [{name: http, port: 9080}, {name: tcp, port: 5432}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews}\nspec:\n  hosts: [reviews]\n  http:\n"
    "  - name: api\n    match: [{uri: {prefix: /api}}]\n"
    "    route: [{destination: {host: reviews, port: {number: 9080}}}]\n";

/*
 * Port 80 takes requests in the clear, 443 with a certificate of its own, 8443
 * wants its client's too, 15443 those of the mesh; 5432 takes bytes; 81 has no
 * chain.
 */
struct asked {
	struct loaded l;
	struct view *v;
	struct builder b;
	struct arena arena;
	const struct value *tree;
};

static void
asked_fini(struct asked *a)
{
	view_unref(&a->v);
	loaded_fini(&a->l);
	arena_fini(&a->arena);
}

static void
listen_at(struct asked *a, uint16_t port, const struct view_chain *chain)
{
	struct view_listener *l = take(&a->b, 1, sizeof(*l));
	struct view_chain *c = take(&a->b, 1, sizeof(*c));

	EXPECT_TRUE(l != NULL && c != NULL);
	l->name = take_printf(&a->b, "0.0.0.0_%u", (unsigned)port);
	l->direction = VIEW_GATEWAY;
	l->addr.port = port;
	l->sniffs_http = true;
	l->sniffs_tls = true;
	l->origin = (struct origin){.words = S("port 80 of gw")};
	if (chain != NULL) {
		*c = *chain;
		l->chains = c;
		l->chain_count = 1;
	}
	add_listener(&a->b, l);
}

static const struct view_routes *
routes(struct asked *a)
{
	struct view_routes *r = add_routes(&a->b, S("http.80"));

	EXPECT_TRUE(add_domain(&a->b, r, S("shop.com"),
	    view_find_host(a->v, NULL, S("reviews"), 9080)));
	seal_routes(r);
	return r;
}

static void
prepare(struct asked *a)
{
	struct view_input in = {0};
	struct view_chain http = {.name = S("http")};
	struct view_chain tcp = {.name = S("tcp")};

	memset(a, 0, sizeof(*a));
	load(mesh, "m.yaml", &a->l);
	in.resources = (const struct resource *const *)a->l.items;
	in.resource_count = a->l.count;
	EXPECT_OK(view_compile(&in, &a->v, NULL));
	arena_init(&a->arena, 1 << 20);
	a->b = (struct builder){
	    .v = a->v, .arena = &a->v->arena, .scope = a->v->scopes.items[0]};
	http.routes = routes(a);
	tcp.tcp = view_find_host(a->v, NULL, S("reviews"), 5432)->tcp;
	listen_at(a, 80, &http);
	http.tls.mode = VIEW_TLS_SIMPLE;
	listen_at(a, 443, &http);
	http.tls.mode = VIEW_TLS_MUTUAL;
	listen_at(a, 8443, &http);
	http.tls.mode = VIEW_TLS_ISTIO_MUTUAL;
	listen_at(a, 15443, &http);
	listen_at(a, 5432, &tcp);
	listen_at(a, 81, NULL);
}

static void
ask(struct asked *a, struct explain_connection c, uint16_t port)
{
	c.direction = VIEW_GATEWAY;
	c.destination.port = port;
	c.request.offline = true;
	prepare(a);
	a->tree = model_explain_connection(a->v, &c, &a->arena);
	EXPECT_TRUE(a->tree != NULL);
}

static struct slice
text(const struct asked *a, const char *path)
{
	const struct value *v = value_get_path(a->tree, slice_str(path));

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

static struct explain_connection
http(struct slice authority, struct slice path, enum explain_tls tls)
{
	return (struct explain_connection){.protocol = EXPLAIN_HTTP,
	    .tls = tls,
	    .request = {.authority = authority, .path = path}};
}

TEST(a_request_on_a_connection_is_told_from_the_listener_to_the_cluster)
{
	AUTO(asked_fini) struct asked a;

	ask(&a, http(S("shop.com:80"), S("/api/1"), EXPLAIN_PLAINTEXT), 80);
	EXPECT_SLICE(text(&a, "error"), S(""));
	EXPECT_SLICE(text(&a, "listenerMatched"), S("0.0.0.0_80"));
	EXPECT_SLICE(text(&a, "filterChainMatched"), S("http"));
	EXPECT_SLICE(text(&a, "routeConfigMatched"), S("http.80"));
	EXPECT_SLICE(text(&a, "virtualHostMatched"),
	    S("reviews.default.svc.cluster.local:9080"));
	EXPECT_SLICE(text(&a, "routeMatched"), S("api"));
	EXPECT_SLICE(text(&a, "clusterMatched"),
	    S("outbound|9080||reviews.default.svc.cluster.local"));
	EXPECT_EQ(value_get(a.tree, S("steps"))->count, 4);
	EXPECT_SLICE(value_get_string(value_get(a.tree, S("steps"))->child,
			 S("origin"), S("")),
	    S("port 80 of gw"));
}

TEST(bytes_go_where_the_chain_sends_them)
{
	AUTO(asked_fini) struct asked a;

	ask(&a, (struct explain_connection){0}, 5432);
	EXPECT_SLICE(text(&a, "error"), S(""));
	EXPECT_SLICE(text(&a, "clusterMatched"),
	    S("outbound|5432||reviews.default.svc.cluster.local"));
	EXPECT_SLICE(text(&a, "action.cluster"),
	    S("outbound|5432||reviews.default.svc.cluster.local"));
}

TEST(a_chain_that_does_not_take_a_connection_says_why)
{
	AUTO(asked_fini) struct asked a;
	const struct view_chain only = {
	    .name = S("h2"), .match = {.alpns = &S("h2"), .alpn_count = 1}};
	struct explain_connection c = http(S("a"), S("/"), EXPLAIN_PLAINTEXT);

	prepare(&a);
	listen_at(&a, 82, &only);
	c.direction = VIEW_GATEWAY;
	c.destination.port = 82;
	a.tree = model_explain_connection(a.v, &c, &a.arena);
	EXPECT_SLICE(text(&a, "error"), S("ErrNoFilterChain"));
	EXPECT_SLICE(value_get_string(value_get(a.tree, S("chains"))->child,
			 S("why"), S("")),
	    S("not so: application protocol is h2; it is http/1.1"));
}

/* Each property that tells chains apart, and what is there instead. */
TEST(what_a_chain_asks_for_and_what_there_is_are_told)
{
	static const struct slice names[] = {{"a.com", 5}, {"*.b.com", 7}};
	static const struct cidr net = {
	    .base = {.family = ADDR_V4, .bytes = {10, 1}}, .bits = 16};
	static const struct {
		struct view_chain_match match;
		const char *why;
	} rows[] = {
	    {{.port = 7}, "not so: port is 7"},
	    {{.cidrs = &net, .cidr_count = 1},
		"not so: address is in 10.1.0.0/16; it is 10.2.0.1"},
	    {{.snis = names, .sni_count = 2},
		"not so: server name is one of a.com, *.b.com; it is "
		"\"c.com\""},
	    {{.transport = VIEW_TLS_TRANSPORT}, "not so: it comes with TLS"},
	    {{.alpns = names, .alpn_count = 1},
		"not so: application protocol is a.com; none is offered"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(asked_fini) struct asked a;
		const struct view_chain only = {.match = rows[i].match};
		struct explain_connection c = {.direction = VIEW_GATEWAY,
		    .tls = only.match.transport == VIEW_ANY_TRANSPORT
			       ? EXPLAIN_TLS
			       : EXPLAIN_PLAINTEXT,
		    .sni = S("c.com")};

		prepare(&a);
		listen_at(&a, 82, &only);
		EXPECT_OK(addr_parse(S("10.2.0.1:82"), &c.destination));
		a.tree = model_explain_connection(a.v, &c, &a.arena);
		EXPECT_SLICE(text(&a, "error"), S("ErrNoFilterChain"));
		EXPECT_SLICE(
		    value_get_string(
			value_get(a.tree, S("chains"))->child, S("why"), S("")),
		    slice_str(rows[i].why));
	}
}

TEST(where_nobody_listens_those_who_do_are_told)
{
	AUTO(asked_fini) struct asked a;

	ask(&a, http(S("shop.com"), S("/"), EXPLAIN_PLAINTEXT), 79);
	EXPECT_TRUE(slice_starts(text(&a, "outcome.reason"),
	    S("nobody listens at this address; there are listeners 0.0.0.0_")));
}

/* Where each kind of connection ends. */
static const struct ending {
	uint16_t port;
	enum explain_protocol protocol;
	enum explain_tls tls;
	const char *authority;
	const char *path;
	const char *error;
} endings[] = {
    {79, EXPLAIN_HTTP, EXPLAIN_PLAINTEXT, "shop.com", "/", "ErrNoListener"},
    {81, EXPLAIN_HTTP, EXPLAIN_PLAINTEXT, "shop.com", "/", "ErrNoFilterChain"},
    {443, EXPLAIN_HTTP, EXPLAIN_PLAINTEXT, "shop.com", "/", "ErrTLSError"},
    {443, EXPLAIN_HTTP, EXPLAIN_MTLS, "shop.com", "/api", "ErrMTLSError"},
    {443, EXPLAIN_HTTP, EXPLAIN_TLS, "shop.com", "/api", ""},
    {8443, EXPLAIN_HTTP, EXPLAIN_TLS, "shop.com", "/api", "ErrMTLSError"},
    {15443, EXPLAIN_HTTP, EXPLAIN_TLS, "shop.com", "/api", "ErrMTLSError"},
    {443, EXPLAIN_HTTP, EXPLAIN_CLIENT, "shop.com", "/api", ""},
    {8443, EXPLAIN_HTTP, EXPLAIN_CLIENT, "shop.com", "/api", ""},
    {15443, EXPLAIN_HTTP, EXPLAIN_CLIENT, "shop.com", "/api", "ErrMTLSError"},
    {15443, EXPLAIN_HTTP2, EXPLAIN_MTLS, "shop.com", "/api", ""},
    {80, EXPLAIN_HTTP, EXPLAIN_TLS, "shop.com", "/", "ErrProtocolError"},
    {80, EXPLAIN_TCP, EXPLAIN_PLAINTEXT, "", "", "ErrProtocolError"},
    {80, EXPLAIN_HTTP, EXPLAIN_PLAINTEXT, "a.com", "/", "ErrNoVirtualHost"},
    {80, EXPLAIN_HTTP, EXPLAIN_PLAINTEXT, "shop.com", "/x", "ErrNoRoute"},
};

TEST(each_way_to_end_has_its_name)
{
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		AUTO(asked_fini) struct asked a;
		const struct ending *e = &endings[i];
		struct explain_connection c =
		    http(slice_str(e->authority), slice_str(e->path), e->tls);

		c.protocol = e->protocol;
		ask(&a, c, e->port);
		EXPECT_SLICE(text(&a, "error"), slice_str(e->error));
		EXPECT_TRUE(text(&a, "outcome.reason").len > 0);
	}
}

/* --- questions ------------------------------------------------------------ */

static enum err
read_json(const struct value *v, struct explain_question *q, struct fault *why)
{
	struct arena arena;
	enum err e;

	arena_init(&arena, 1 << 16);
	e = explain_read(v, &arena, q, why);
	arena_fini(&arena);
	return e;
}

TEST(a_question_is_read_member_by_member)
{
	struct arena arena;
	struct value *v;
	struct explain_question q;

	arena_init(&arena, 1 << 16);
	v = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &v, S("direction"), S("gateway"));
	value_put_text(&arena, &v, S("proxy"), S("gateway"));
	value_put_text(&arena, &v, S("ip"), S("10.0.0.9"));
	value_put_text(&arena, &v, S("address"), S("10.0.0.7"));
	value_put_int(&arena, &v, S("port"), 443);
	value_put_text(&arena, &v, S("tls"), S("mtls"));
	EXPECT_OK(read_json(v, &q, NULL));
	EXPECT_TRUE(q.is_connection);
	EXPECT_EQ(q.place.proxy, VIEW_ROUTER);
	EXPECT_EQ(q.place.ip.bytes[3], 9);
	EXPECT_EQ(q.connection.destination.bytes[3], 7);
	EXPECT_EQ(q.connection.destination.port, 443);
	EXPECT_EQ(q.connection.tls, EXPLAIN_MTLS);
	arena_fini(&arena);
}

static const struct bad {
	const char *key;
	const char *text;
	const char *words;
} bad[] = {
    {"hots", "reviews", "a question has no member hots"},
    {"direction", "up",
	"direction is outbound, inbound or gateway, not \"up\""},
    {"port", "80", "port is a number from 0 to 65535, not \"80\""},
    {"ip", "localhost", "ip is an IP address, not \"localhost\""},
    {"labels", "app", "labels is a map of texts, not \"app\""},
    {"alpn", "h2", "alpn is a list of at most 16 texts, not \"h2\""},
};

TEST(a_question_about_nothing_is_refused)
{
	struct arena arena;
	struct value *v;
	struct explain_question q;
	struct fault why = {0};

	arena_init(&arena, 1 << 16);
	v = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &v, S("namespace"), S("shop"));
	EXPECT_EQ(read_json(v, &q, &why), ERR_INVALID);
	EXPECT_STR(why.text,
	    "a question has a host or an upstream (of a request), a direction "
	    "(of a connection), or a cluster");
	value_put_text(&arena, &v, S("direction"), S("inbound"));
	EXPECT_EQ(read_json(v, &q, &why), ERR_INVALID);
	EXPECT_STR(why.text,
	    "a question about a connection has the port that it calls");
	value_put_int(&arena, &v, S("port"), 80);
	EXPECT_OK(read_json(v, &q, NULL));
	arena_fini(&arena);
}

TEST(a_wrong_member_of_a_question_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct arena arena;
		struct value *v;
		struct explain_question q;
		struct fault why = {0};

		arena_init(&arena, 1 << 16);
		v = value_new(&arena, VALUE_MAP);
		value_put_text(
		    &arena, &v, slice_str(bad[i].key), slice_str(bad[i].text));
		EXPECT_EQ(read_json(v, &q, &why), ERR_INVALID);
		EXPECT_STR(why.text, bad[i].words);
		arena_fini(&arena);
	}
}
