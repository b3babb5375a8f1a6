/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain — the same answers as the proxy's, with their reasons.
 */
#include "load.h"
#include "unit.h"

static const char mesh[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    "spec: {ports: [{name: http, port: 9080}, {name: tcp, port: 5432}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: reviews}\nspec:\n  host: reviews\n"
    "  subsets: [{name: v1, labels: {version: v1}}]\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews}\nspec:\n  hosts: [reviews]\n  http:\n"
    "  - match: [{uri: {prefix: /api}, headers: {k: {exact: v}}}]\n"
    "    name: api\n"
    "    route: [{destination: {host: reviews, subset: v1}}]\n"
    "  - match: [{uri: {prefix: /lost}}]\n"
    "    route: [{destination: {host: reviews, subset: v9}}]\n"
    "  - match: [{uri: {exact: /}}]\n"
    "    route: [{destination: {host: reviews}}]\n"
    "  - match: [{uri: {prefix: /all-lost}}]\n"
    "    route: [{destination: {host: reviews, subset: v9}, weight: 1},\n"
    "      {destination: {host: reviews}, weight: 0}]\n"
    "  - match: [{uri: {prefix: /none-lost}}]\n"
    "    route: [{destination: {host: reviews, subset: v9}, weight: 0},\n"
    "      {destination: {host: reviews}, weight: 1}]\n";

struct asked {
	struct loaded l;
	struct view *v;
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
ask(struct asked *a, const struct explain_request *r)
{
	const struct label v1[] = {{S("version"), S("v1")}};
	struct view_endpoint_input e = {.service = S("reviews"),
	    .service_ns = S("default"),
	    .service_port = 9080,
	    .labels = {v1, 1},
	    .weight = 1};
	struct view_upstream_input up = {
	    .name = S("reviews"), .host = S("reviews")};
	struct view_input in = {.endpoints = &e,
	    .endpoint_count = r->offline ? 0 : 1,
	    .upstreams = &up,
	    .upstream_count = 1};

	memset(a, 0, sizeof(*a));
	load(mesh, "m.yaml", &a->l);
	EXPECT_EQ(a->l.count, 3);
	EXPECT_OK(addr_parse(S("10.0.0.1:80"), &e.addr));
	EXPECT_OK(addr_parse(S("127.0.0.1:9000"), &up.listen));
	in.resources = (const struct resource *const *)a->l.items;
	in.resource_count = a->l.count;
	EXPECT_OK(view_compile(&in, &a->v, NULL));
	arena_init(&a->arena, 1 << 20);
	a->tree = model_explain(a->v, r, &a->arena);
	EXPECT_TRUE(a->tree != NULL);
}

static struct slice
text(const struct asked *a, const char *path)
{
	const struct value *v = value_get_path(a->tree, slice_str(path));

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

TEST(a_request_that_goes_through_is_told_with_istios_names)
{
	AUTO(asked_fini) struct asked a;
	const struct label header = {S("K"), S("v")};
	struct explain_request r = {.host = S("reviews.default"),
	    .path = S("/api/1"),
	    .headers = &header,
	    .header_count = 1};

	ask(&a, &r);
	EXPECT_SLICE(text(&a, "clusterMatched"),
	    S("outbound|9080|v1|reviews.default.svc.cluster.local"));
	EXPECT_SLICE(text(&a, "routeMatched"), S("api"));
	EXPECT_SLICE(text(&a, "virtualHostMatched"),
	    S("reviews.default.svc.cluster.local:9080"));
	EXPECT_SLICE(text(&a, "origin"), S("m.yaml:19"));
	EXPECT_SLICE(text(&a, "outcome.flag"), S("-"));
	EXPECT_EQ(value_get(a.tree, S("rules"))->count, 1);
}

TEST(earlier_rules_say_why_they_did_not_match)
{
	AUTO(asked_fini) struct asked a;
	struct explain_request r = {.host = S("reviews"), .path = S("/api")};
	const struct value *rules, *first;

	ask(&a, &r);
	rules = value_get(a.tree, S("rules"));
	EXPECT_EQ(rules->count, 5);
	first = rules->child;
	EXPECT_SLICE(value_get_string(first, S("why"), S("")),
	    S("not so: header k is v; the request has none"));
	EXPECT_SLICE(value_get_string(first->next, S("why"), S("")),
	    S("not so: path begins with /lost; it is \"/api\""));
	EXPECT_EQ(value_get_path(a.tree, S("outcome.status"))->integer, 404);
	EXPECT_SLICE(text(&a, "outcome.flag"), S("NR"));
	EXPECT_SLICE(text(&a, "error"), S("ErrNoRoute"));
}

TEST(the_listener_that_leads_to_the_host_is_told)
{
	AUTO(asked_fini) struct asked a;
	struct explain_request r = {.host = S("reviews"), .path = S("/")};

	ask(&a, &r);
	EXPECT_SLICE(text(&a, "listener.name"), S("reviews"));
	EXPECT_SLICE(text(&a, "listener.address"), S("127.0.0.1:9000"));
}

TEST(where_nobody_knows_who_is_alive_endpoints_are_not_missed)
{
	AUTO(asked_fini) struct asked a;
	struct explain_request r = {
	    .host = S("reviews"), .path = S("/"), .offline = true};

	ask(&a, &r);
	EXPECT_EQ(value_get_path(a.tree, S("outcome.status"))->integer, 0);
	EXPECT_TRUE(value_get(value_get(a.tree, S("destinations"))->child,
			S("endpoints")) == NULL);
}

/* Nobody knows whether they live, but where they are is written. */
TEST(endpoints_that_files_name_are_told)
{
	static const char entry[] =
	    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	    "metadata: {name: db}\n"
	    "spec: {hosts: [db.com], resolution: STATIC, location: "
	    "MESH_INTERNAL, ports: [{number: 80, name: http, protocol: HTTP}], "
	    "endpoints: [{address: 10.0.0.1, serviceAccount: db}, {address: "
	    "10.0.0.2, locality: eu/a}]}\n";
	AUTO(asked_fini) struct asked a = {0};
	struct explain_request r = {.host = S("db.com"), .offline = true};
	struct view_input in = {0};
	const struct value *first;

	load(entry, "e.yaml", &a.l);
	in.resources = (const struct resource *const *)a.l.items;
	in.resource_count = a.l.count;
	EXPECT_OK(view_compile(&in, &a.v, NULL));
	arena_init(&a.arena, 1 << 20);
	a.tree = model_explain(a.v, &r, &a.arena);
	first = value_get(
	    value_get(a.tree, S("destinations"))->child, S("endpoints"));
	EXPECT_TRUE(first != NULL && first->count == 2);
	first = first->child;
	EXPECT_SLICE(
	    value_get_string(first, S("address"), S("")), S("10.0.0.1:80"));
	EXPECT_SLICE(value_get_string(first, S("security"), S("")),
	    S("mutual TLS, not in force yet: plain text"));
	EXPECT_SLICE(value_get_string(first->next, S("security"), S("")),
	    S("plain text"));
	EXPECT_SLICE(text(&a, "outcome.reason"),
	    S("goes to an endpoint that the files name; whether it lives, "
	      "files do not tell"));
}

TEST(a_port_without_http_says_that_rules_are_not_asked)
{
	AUTO(asked_fini) struct asked a;
	struct explain_request r = {.host = S("reviews"), .port = 5432};

	ask(&a, &r);
	EXPECT_SLICE(text(&a, "protocol"), S("tcp"));
	EXPECT_TRUE(slice_starts(
	    text(&a, "note"), S("the port declares no HTTP, so rules for")));
	EXPECT_SLICE(text(&a, "clusterMatched"),
	    S("outbound|5432||reviews.default.svc.cluster.local"));
	EXPECT_SLICE(text(&a, "outcome.flag"), S("UH"));
	EXPECT_EQ(value_get_path(a.tree, S("outcome.status"))->integer, 0);
	EXPECT_TRUE(slice_starts(
	    text(&a, "outcome.reason"), S("the connection is closed: ")));
}

TEST(a_missing_subset_is_a_503_with_a_reason)
{
	AUTO(asked_fini) struct asked a;
	struct explain_request r = {.host = S("reviews"), .path = S("/lost")};

	ask(&a, &r);
	EXPECT_EQ(value_get_path(a.tree, S("outcome.status"))->integer, 503);
	EXPECT_SLICE(text(&a, "outcome.flag"), S("NC"));
	EXPECT_SLICE(text(&a, "outcome.reason"),
	    S("no DestinationRule gives reviews.default.svc.mesh.internal a "
	      "subset v9"));
}

TEST(what_gets_no_traffic_is_not_missed)
{
	AUTO(asked_fini) struct asked all, none;
	struct explain_request r = {
	    .host = S("reviews"), .path = S("/all-lost"), .offline = true};

	ask(&all, &r);
	EXPECT_EQ(value_get_path(all.tree, S("outcome.status"))->integer, 503);
	r.path = S("/none-lost");
	ask(&none, &r);
	EXPECT_EQ(value_get_path(none.tree, S("outcome.status"))->integer, 0);
	EXPECT_SLICE(text(&none, "outcome.flag"), S("-"));
}

/* A delegate that is not there, and a second owner of the host. */
TEST(what_is_wrong_with_what_a_call_meets_is_told)
{
	static const char docs[] =
	    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	    "spec: {ports: [{name: http, port: 80}]}\n---\n"
	    "apiVersion: v1\nkind: Service\nmetadata: {name: other}\n"
	    "spec: {ports: [{name: http, port: 80}]}\n---\n"
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: a}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - match: [{uri: {prefix: /d}}]\n"
	    "    delegate: {name: gone}\n"
	    "  - route: [{destination: {host: web}}]\n---\n"
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: ab}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - route: [{destination: {host: web}}]\n---\n"
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: c}\nspec:\n  hosts: [other]\n  http:\n"
	    "  - route: [{destination: {host: nobody}}]\n";
	AUTO(asked_fini) struct asked a = {0};
	struct explain_request r = {.host = S("web"), .offline = true};
	struct view_input in = {0};
	const struct value *problems;

	load(docs, "d.yaml", &a.l);
	in.resources = (const struct resource *const *)a.l.items;
	in.resource_count = a.l.count;
	EXPECT_OK(view_compile(&in, &a.v, NULL));
	arena_init(&a.arena, 1 << 20);
	a.tree = model_explain(a.v, &r, &a.arena);
	problems = value_get(a.tree, S("problems"));
	EXPECT_TRUE(problems != NULL && problems->count == 2);
	EXPECT_SLICE(value_get_string(problems->child, S("text"), S("")),
	    S("this rule takes nothing: the delegate gone is not there"));
	EXPECT_SLICE(value_get_string(problems->child, S("origin"), S("")),
	    S("d.yaml:18"));
	EXPECT_TRUE(slice_starts(
	    value_get_string(problems->child->next, S("text"), S("")),
	    S("its rules for web.default.svc.mesh.internal are used only "
	      "where VirtualService/default/a, which comes first")));
}

TEST(an_unknown_host_port_or_listener_is_told)
{
	AUTO(asked_fini) struct asked host;
	AUTO(asked_fini) struct asked port;
	AUTO(asked_fini) struct asked listener;
	struct explain_request r = {.host = S("nobody")};

	ask(&host, &r);
	EXPECT_SLICE(text(&host, "error"), S("ErrNoVirtualHost"));
	EXPECT_SLICE(text(&host, "outcome.reason"),
	    S("no service and no rule is known for nobody, as seen from "
	      "namespace "
	      "default"));
	r = (struct explain_request){.host = S("reviews"), .port = 81};
	ask(&port, &r);
	EXPECT_SLICE(text(&port, "outcome.reason"),
	    S("reviews.default.svc.mesh.internal has no port 81"));
	r = (struct explain_request){.upstream = S("x")};
	ask(&listener, &r);
	EXPECT_SLICE(text(&listener, "outcome.reason"),
	    S("there is no listener named x"));
}
