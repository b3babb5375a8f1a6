/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entries — services that a ServiceEntry writes down, and their endpoints.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"

#define SE(name, ns, day, spec)                                                \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: " name ", namespace: " ns ",\n"                      \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec:\n" spec "---\n"
#define STATIC "  resolution: STATIC\n"
#define HTTP80 "  ports: [{number: 80, name: http, protocol: HTTP}]\n"
#define DB                                                                     \
	SE("db", "default", "01",                                              \
	    "  hosts: [DB.example.com]\n" STATIC                               \
	    "  ports: [{number: 5432, name: sql, protocol: TCP},\n"            \
	    "    {number: 80, name: web, protocol: HTTP, targetPort: 8080}]\n" \
	    "  endpoints:\n"                                                   \
	    "  - {address: 192.0.2.2, labels: {v: '2'}, ports: {sql: 6543}}\n" \
	    "  - {address: 192.0.2.1, labels: {v: '1'}, weight: 3,\n"          \
	    "     locality: a/b/c, network: n2}\n"                             \
	    "  - {address: '2001:db8::1', labels: {v: '1'}}\n")

static const struct view_cluster *
cluster(const struct compiled *c, const char *name)
{
	return view_find_cluster(c->v, slice_str(name));
}

static bool
has_endpoint(const struct view_cluster *c, const char *addr)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < c->endpoint_count; i++)
		if (strcmp(addr_format(&c->endpoints[i]->addr, text), addr) ==
		    0)
			return true;
	return false;
}

TEST(an_entry_is_a_service_with_the_endpoints_that_it_lists)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;
	const struct view_cluster *sql, *web;

	compiled_init(&c, DB);
	h = view_find_host(c.v, NULL, S("db.example.com"), 5432);
	EXPECT_EQ(h->protocol, VIEW_TCP);
	EXPECT_SLICE(h->name, S("db.example.com:5432"));
	EXPECT_SLICE(h->service->ns, S("default"));
	h = view_find_host(c.v, NULL, S("DB.Example.com"), 80);
	EXPECT_EQ(h->protocol, VIEW_HTTP);
	sql = cluster(&c, "outbound|5432||db.example.com");
	EXPECT_EQ(sql->usable_count, 3);
	EXPECT_TRUE(has_endpoint(sql, "192.0.2.2:6543"));
	EXPECT_TRUE(has_endpoint(sql, "192.0.2.1:5432"));
	web = cluster(&c, "outbound|80||db.example.com");
	EXPECT_TRUE(has_endpoint(web, "192.0.2.2:8080"));
	EXPECT_TRUE(has_endpoint(web, "[2001:db8::1]:8080"));
	EXPECT_EQ(web->endpoints[0]->tunnel.family, 0);
	EXPECT_SLICE(web->endpoints[2]->network, S("n2"));
	EXPECT_EQ(web->endpoints[2]->weight, 3);
	EXPECT_SLICE(web->endpoints[2]->locality, S("a/b/c"));
}

TEST(rules_are_about_entries_as_about_services)
{
	AUTO(compiled_fini) struct compiled c;
	const struct http_attrs a = {
	    .method = S("GET"), .path = S("/x"), .port = 80};
	const struct view_cluster *to;

	compiled_init(&c,
	    DB "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
	       "metadata: {name: db}\nspec: {host: db.example.com,\n"
	       "  subsets: [{name: one, labels: {v: '1'}}]}\n---\n"
	       "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	       "metadata: {name: db}\nspec:\n  hosts: [db.example.com]\n"
	       "  http:\n  - match: [{uri: {prefix: /x}}]\n"
	       "    route: [{destination: {host: db.example.com, subset: one,"
	       " port: {number: 80}}}]\n");
	to = view_route_http(
	    view_find_host(c.v, NULL, S("db.example.com"), 80), &a, NULL)
		 .route->destinations[0]
		 .cluster;
	EXPECT_SLICE(to->name, S("outbound|80|one|db.example.com"));
	EXPECT_EQ(to->endpoint_count, 2);
}

/* Two of one host are one service if nothing but their ports differs. */
TEST(entries_of_one_host_are_merged_where_they_are_for_the_same)
{
#define TWO(meta, spec)                                                        \
	SE("a", "default", "01",                                               \
	    "  hosts: [a.b]\n" STATIC HTTP80                                   \
	    "  endpoints: [{address: 192.0.2.1}]\n")                           \
	SE("b" meta, "default", "02",                                          \
	    "  hosts: [a.b]\n" STATIC spec                                     \
	    "  ports: [{number: 81, name: two, protocol: HTTP}]\n")
	static const struct {
		const char *yaml;
		bool merged;
	} rows[] = {
	    {TWO("", "  endpoints: [{address: 192.0.2.1}]\n"), true},
	    {TWO("", "  exportTo: ['*']\n"), false},
	    {TWO("", "  workloadSelector: {labels: {a: b}}\n"), false},
	    {TWO(", labels: {a: b}", ""), false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_http_route *r;

		compiled_init(&c, rows[i].yaml);
		EXPECT_TRUE(cluster(&c, "outbound|80||a.b") != NULL);
		EXPECT_EQ(
		    cluster(&c, "outbound|81||a.b") != NULL, rows[i].merged);
		r = view_find_host(c.v, NULL, S("a.b"), 81)->http;
		EXPECT_SLICE(r->destinations[0].name, S("outbound|81||a.b"));
		EXPECT_EQ(r->destinations[0].flag,
		    rows[i].merged ? FLOW_OK : FLOW_NO_CLUSTER);
	}
#undef TWO
}

TEST(what_cannot_be_called_yet_is_told)
{
	static const struct {
		const char *yaml;
		const char *words;
		const char *cluster;
	} rows[] = {
	    {SE("a", "default", "01",
		 "  hosts: ['*.b']\n  resolution: DYNAMIC_DNS\n" HTTP80),
		"resolution DYNAMIC_DNS; no endpoint of it is called",
		"outbound|80||*.b"},
	    {SE("a", "default", "01", "  hosts: [a.b]\n" HTTP80),
		"resolution NONE; no endpoint of it is called",
		"outbound|80||a.b"},
	    {SE("a", "default", "01",
		 "  hosts: [a.b]\n  endpoints: [{address: "
		 "'unix:///run/x'}]\n" STATIC
		 "  ports: [{number: 80, name: http, protocol: HTTP}]\n"),
		"an endpoint that is no IP address, unix:///run/x",
		"outbound|80||a.b"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;

		compiled_init(&c, rows[i].yaml);
		EXPECT_TRUE(compiled_tells(&c, rows[i].words));
		EXPECT_EQ(cluster(&c, rows[i].cluster)->usable_count, 0);
	}
}

TEST(a_wildcard_stands_for_what_ends_so)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;

	compiled_init(
	    &c, SE("w", "default", "01",
		    "  hosts: ['*.example.com']\n" STATIC
		    "  ports: [{number: 80, name: http, protocol: HTTP},\n"
		    "    {number: 443, name: tls, protocol: TLS}]\n"
		    "  endpoints: [{address: 192.0.2.9}]\n"));
	h = view_find_host(c.v, NULL, S("a.example.com"), 443);
	EXPECT_EQ(h->port, 443);
	EXPECT_EQ(h->protocol, VIEW_TLS);
	EXPECT_EQ(
	    view_find_host(c.v, NULL, S("b.a.example.com"), 80)->port, 80);
	EXPECT_TRUE(view_find_host(c.v, NULL, S("a.example.com"), 81) == NULL);
	EXPECT_TRUE(view_find_host(c.v, NULL, S("example.com"), 80) == NULL);
	EXPECT_EQ(cluster(&c, "outbound|80||*.example.com")->endpoint_count, 1);
}

/* Which of two entries of one host a caller of `default` meets. */
#define AT(name, ns, day, addr, to)                                            \
	SE(name, ns, day,                                                      \
	    "  hosts: [a.b]\n" STATIC HTTP80 "  endpoints: [{address: " addr   \
	    "}]\n" to)

TEST(of_several_entries_of_a_host_one_is_seen)
{
	static const struct {
		const char *yaml;
		const char *addr; /* NULL: none is */
	} rows[] = {
	    {AT("x", "one", "02", "192.0.2.1", "")
		    AT("y", "two", "01", "192.0.2.2", ""),
		"192.0.2.2:80"},
	    {AT("x", "default", "02", "192.0.2.1", "")
		    AT("y", "two", "01", "192.0.2.2", ""),
		"192.0.2.1:80"},
	    {AT("x", "one", "01", "192.0.2.1", "  exportTo: ['.']\n")
		    AT("y", "two", "02", "192.0.2.2", ""),
		"192.0.2.2:80"},
	    {AT("x", "one", "01", "192.0.2.1", "  exportTo: [default]\n"),
		"192.0.2.1:80"},
	    {AT("x", "default", "01", "192.0.2.1", "  exportTo: ['~']\n"),
		NULL},
	    {AT("x", "one", "01", "192.0.2.1", "  exportTo: ['.']\n"), NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_host *h;

		compiled_init(&c, rows[i].yaml);
		h = view_find_host(c.v, NULL, S("a.b"), 80);
		EXPECT_EQ(h != NULL, rows[i].addr != NULL);
		if (h != NULL)
			EXPECT_TRUE(has_endpoint(
			    h->http[0].destinations[0].cluster, rows[i].addr));
	}
}

TEST(a_service_comes_before_an_entry_of_its_name)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	    "spec: {ports: [{name: http, port: 80}]}\n---\n" SE("web",
		"default", "01",
		"  hosts: [web.default.svc.cluster.local]\n" STATIC HTTP80
		"  endpoints: [{address: 192.0.2.1}]\n"));
	EXPECT_EQ(cluster(&c, "outbound|80||web.default.svc.cluster.local")
		      ->endpoint_count,
	    0);
}
