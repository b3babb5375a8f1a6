/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegates — rules that stand elsewhere, and rules that are for nobody here.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"

#define SERVICES                                                               \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}, {name: http-b, port: 81},\n"   \
	"  {name: tcp, port: 82}]}\n---\n"                                     \
	"apiVersion: v1\nkind: Service\n"                                      \
	"metadata: {name: web, namespace: team}\n"                             \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"
#define VS(name, ns, day, spec)                                                \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name ", namespace: " ns ",\n"                      \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec:\n" spec "---\n"
#define ROOT(rules)                                                            \
	VS("root", "default", "01", "  hosts: [web]\n  http:\n" rules)
#define LEAF(rules) VS("leaf", "team", "02", "  http:\n" rules)
#define TO_LEAF "delegate: {name: leaf, namespace: team}"
#define WEB "route: [{destination: {host: web, port: {number: 80}}}]"

static const struct view_http_route *
get(const struct compiled *w, const char *path, uint16_t port)
{
	const struct http_attrs a = {
	    .method = S("GET"), .path = slice_str(path), .port = port};

	return view_route_http(
	    view_find_host(w->v, NULL, S("web"), port), &a, NULL)
	    .route;
}

/* --- delegates ------------------------------------------------------------ */

TEST(the_rules_of_a_delegate_stand_in_the_place_of_the_rule_that_names_it)
{
	AUTO(compiled_fini) struct compiled w;
	const struct view_http_route *r;

	compiled_init(&w,
	    SERVICES ROOT(
		"  - {name: r, match: [{uri: {prefix: /a}}], timeout: 3s,\n"
		"     headers: {request: {set: {x: root}}}, " TO_LEAF "}\n"
		"  - {name: rest, " WEB "}\n")
		LEAF(
		    "  - {name: one, match: [{uri: {prefix: /a/1}}], " WEB "}\n"
		    "  - {match: [{headers: {h: {exact: v}}}], timeout: "
		    "5s, " WEB "}\n"
		    "  - {name: any, timeout: 5s, " WEB "}\n"));
	r = get(&w, "/a/1/x", 80);
	EXPECT_SLICE(r->name, S("r-one"));
	EXPECT_EQ(r->timeout_us, 3000000);
	EXPECT_EQ(r->request.change_count, 1);
	/* A short name in it is of its own namespace. */
	EXPECT_SLICE(r->destinations[0].cluster->service->ns, S("team"));
	EXPECT_SLICE(r->origin.key.name, S("leaf"));
	r = get(&w, "/a/2", 80);
	EXPECT_SLICE(r->name, S("r-any"));
	EXPECT_EQ(r->index, 2);
	EXPECT_EQ(r->timeout_us, 5000000); /* said by the delegate */
	r = get(&w, "/b", 80);
	EXPECT_SLICE(r->name, S("rest"));
	EXPECT_EQ(r->index, 3);
}

/* Whether a rule of a delegate with this match is there, and what it takes. */
static const struct {
	const char *root;
	const char *leaf;
	const char *path; /* that it takes; NULL: the rule is left out */
} matches[] = {
    {"uri: {prefix: /a}", "uri: {prefix: /a/b}", "/a/b/c"},
    {"uri: {prefix: /a}", "uri: {exact: /ab}", "/ab"},
    {"uri: {prefix: /a}", "uri: {prefix: /}", NULL},
    {"uri: {prefix: /a}", "uri: {regex: /a.*}", NULL},
    {"uri: {regex: /a.*}", "uri: {exact: /a}", NULL},
    {"uri: {regex: /a.*}", "port: 80", "/ab"},
    {"uri: {exact: /a}", "uri: {exact: /a}", "/a"},
    {"uri: {exact: /a}", "uri: {prefix: /a}", NULL},
    {"uri: {exact: /a}", "method: {exact: GET}", "/a"},
    {"method: {exact: GET}", "method: {exact: PUT}", NULL},
    {"headers: {a: {exact: b}}", "headers: {a: {exact: c}}", NULL},
    {"headers: {a: {prefix: b}}", "headers: {c: {exact: d}}, uri: {exact: /}",
	""},
    {"withoutHeaders: {a: {exact: b}}", "withoutHeaders: {a: {exact: b}}",
	"/x"},
    {"queryParams: {q: {exact: a}}", "queryParams: {q: {exact: b}}", NULL},
    {"queryParams: {q: {prefix: a}}", "queryParams: {q: {exact: ab}}",
	"/?q=ab"},
    {"port: 80", "port: 81", NULL},
    {"port: 80", "uri: {exact: /a}", "/a"},
    {"uri: {prefix: /a}, ignoreUriCase: true", "uri: {prefix: /a}", NULL},
    {"sourceNamespace: default", "uri: {exact: /a}", NULL},
    {"uri: {exact: /a}", "sourceNamespace: default", "/a"},
    {"sourceLabels: {a: b}", "sourceLabels: {a: c}", NULL},
    {"gateways: [mesh]", "gateways: [mesh, g]", NULL},
    {"gateways: [mesh, g]", "gateways: [mesh]", "/"},
};

TEST(a_rule_of_a_delegate_is_within_what_leads_to_it)
{
	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		AUTO(compiled_fini) struct compiled w;
		char yaml[4096];
		const char *path = matches[i].path;
		bool is_there;

		(void)snprintf(yaml, sizeof(yaml),
		    SERVICES ROOT("  - {match: [{%s}], " TO_LEAF "}\n"
				  "  - {name: rest, " WEB "}\n")
			LEAF("  - {name: leaf, match: [{%s}], " WEB "}\n"),
		    matches[i].root, matches[i].leaf);
		compiled_init(&w, yaml);
		is_there =
		    view_find_host(w.v, NULL, S("web"), 80)->http_count == 2;
		if (is_there != (path != NULL))
			printf("%s + %s\n", matches[i].root, matches[i].leaf);
		EXPECT_EQ(is_there, path != NULL);
		EXPECT_EQ(compiled_tells(&w, "not within"), path == NULL);
		if (path != NULL && path[0] != '\0')
			EXPECT_SLICE(get(&w, path, 80)->name, S("leaf"));
	}
}

TEST(matches_of_both_are_combined_each_with_each)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES ROOT("  - {match: [{uri: {prefix: /a}}, {uri: {prefix: "
			  "/b}, name: b}], " TO_LEAF "}\n"
			  "  - {name: rest, " WEB "}\n")
		LEAF("  - {name: leaf, match: [{uri: {prefix: /b/x}, name: x}, "
		     "{method: {exact: GET}}], " WEB "}\n"));
	EXPECT_SLICE(get(&w, "/a", 80)->name, S("leaf"));
	EXPECT_SLICE(get(&w, "/b/x", 80)->name, S("leaf"));
	EXPECT_SLICE(get(&w, "/c", 80)->name, S("rest"));
	EXPECT_EQ(get(&w, "/a", 80)->match_count, 3);
	EXPECT_SLICE(get(&w, "/a", 80)->matches[0].name, S("b-x"));
}

TEST(a_delegate_that_is_not_there_or_not_shown_takes_nothing)
{
	static const struct {
		const char *leaf;
		const char *words;
	} rows[] = {
	    {"", "leaf is not there"},
	    {VS("leaf", "other", "02", "  http: [{" WEB "}]\n"),
		"leaf is not there"},
	    {VS("leaf", "team", "02",
		 "  hosts: [x.example]\n  http: [{" WEB "}]\n"),
		"leaf is not there"},
	    {VS("leaf", "team", "02",
		 "  exportTo: ['.']\n  http: [{" WEB "}]\n"),
		"leaf is not exported"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml),
		    SERVICES ROOT(
			"  - {" TO_LEAF "}\n  - {name: rest, " WEB "}\n") "%s",
		    rows[i].leaf);
		compiled_init(&w, yaml);
		EXPECT_SLICE(get(&w, "/", 80)->name, S("rest"));
		EXPECT_EQ(get(&w, "/", 80)->index, 0);
		EXPECT_TRUE(compiled_tells(&w, rows[i].words));
	}
}

/* --- rules for nobody here ------------------------------------------------ */

#define FOR(name, day, match, port)                                            \
	VS(name, "default", day,                                               \
	    "  hosts: [web]\n  http: [{name: " name ", match: [{" match        \
	    "}], route: [{destination: {host: web, port: {number: " port       \
	    "}}}]}]\n")

TEST(of_several_with_a_host_the_first_that_is_for_the_caller_decides)
{
	static const struct {
		const char *yaml;
		const char *on_80;
		const char *on_81;
	} rows[] = {
	    {FOR("a", "01", "port: 80", "80") FOR("b", "02", "port: 81", "81"),
		"a", "b"},
	    {FOR("a", "01", "sourceNamespace: x", "80")
		    FOR("b", "02", "uri: {prefix: /}", "80"),
		"b", "b"},
	    {FOR("a", "01", "gateways: [g]", "80"), "default", "default"},
	    {FOR("a", "01", "sourceLabels: {a: b}", "80"), "default",
		"default"},
	    {FOR("a", "01", "uri: {prefix: /}", "80")
		    FOR("b", "02", "uri: {prefix: /}", "80"),
		"a", "a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml), SERVICES "%s", rows[i].yaml);
		compiled_init(&w, yaml);
		EXPECT_SLICE(get(&w, "/", 80)->name, slice_str(rows[i].on_80));
		EXPECT_SLICE(get(&w, "/", 81)->name, slice_str(rows[i].on_81));
	}
}

TEST(rules_for_connections_only_decide_nothing_about_requests)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("a", "default", "01",
		"  hosts: [web]\n  tcp: [{route: [{destination: {host: web, "
		"port: {number: 82}}}]}]\n")
		FOR("b", "02", "uri: {prefix: /}", "80"));
	EXPECT_SLICE(get(&w, "/", 80)->name, S("b"));
	EXPECT_SLICE(view_route_tcp(view_find_host(w.v, NULL, S("web"), 82),
			 &(struct view_connection){0}, NULL)
			 ->origin.key.name,
	    S("a"));
}
