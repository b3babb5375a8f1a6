/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scopes — what a caller sees depends on its namespace and its labels.
 */
#include <stdio.h>

#include "load.h"
#include "unit.h"

#define SERVICE(name, ns)                                                      \
	"apiVersion: v1\nkind: Service\n"                                      \
	"metadata: {name: " name ", namespace: " ns "}\n"                      \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"
/* `rest` stands on the level of hosts; the rule's name is the resource's. */
#define VS(name, ns, day, rest)                                                \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name ", namespace: " ns ",\n"                      \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec:\n  hosts: [web.shop]\n  " rest "\n"                             \
	"  http: [{name: " name ", route: [{destination: {host: web.shop}}]}]" \
	"\n---\n"
#define DR(name, ns, rest, balancer)                                           \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: " name ", namespace: " ns "}\n"                      \
	"spec: {host: web.shop.svc.cluster.local, " rest                       \
	" trafficPolicy: {loadBalancer: {simple: " balancer "}}}\n---\n"

#define ENTRY(ns, addr)                                                        \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: web, namespace: " ns "}\n"                           \
	"spec: {hosts: [web.shop], resolution: STATIC, exportTo: ['.'],\n"     \
	"  ports: [{number: 80, name: http, protocol: HTTP}],\n"               \
	"  endpoints: [{address: " addr "}]}\n---\n"

enum { CALLERS = 3 };

struct world {
	struct loaded l;
	struct view_upstream_input upstreams[CALLERS];
	struct view_exposed_input exposed[CALLERS];
	struct label labels[CALLERS];
	struct view_input in;
	struct view *v;
};

/* An upstream to web.shop as an account, whose service has a label. */
static void
set_caller(struct world *w, size_t i, struct slice name, struct slice ns,
    struct slice version)
{
	w->labels[i] = (struct label){S("version"), version};
	w->upstreams[i] = (struct view_upstream_input){.name = name,
	    .host = S("web.shop"),
	    .port = 80,
	    .ns = ns,
	    .account = name};
	w->exposed[i] = (struct view_exposed_input){.service = name,
	    .ns = ns,
	    .port = (uint16_t)(9000 + i),
	    .account = name,
	    .labels = {&w->labels[i], version.len > 0 ? 1 : 0}};
}

static void
world_init(struct world *w, const char *yaml)
{
	memset(w, 0, sizeof(*w));
	load(yaml, "m.yaml", &w->l);
	EXPECT_OK(w->l.e);
	set_caller(w, 0, S("one"), S("default"), S("v1"));
	set_caller(w, 1, S("two"), S("default"), S("v2"));
	set_caller(w, 2, S("far"), S("blog"), S(""));
	w->in = (struct view_input){
	    .resources = (const struct resource *const *)w->l.items,
	    .resource_count = w->l.count,
	    .upstreams = w->upstreams,
	    .upstream_count = CALLERS,
	    .exposed = w->exposed,
	    .exposed_count = CALLERS};
	EXPECT_OK(view_compile(&w->in, &w->v, NULL));
}

static void
world_fini(struct world *w)
{
	view_unref(&w->v);
	loaded_fini(&w->l);
}

static const struct view_http_route *
route_of(const struct world *w, struct slice upstream)
{
	const struct http_attrs a = {
	    .method = S("GET"), .path = S("/"), .port = 80};

	return view_route_http(
	    view_find_upstream(w->v, upstream)->host, &a, NULL)
	    .route;
}

static const struct view_cluster *
cluster_of(const struct world *w, struct slice upstream)
{
	return route_of(w, upstream)->destinations[0].cluster;
}

/* --- VirtualServices ------------------------------------------------------ */

TEST(a_rule_is_seen_where_it_is_exported_to)
{
	static const struct {
		const char *yaml;
		const char *near; /* the rule that `default` meets */
		const char *far;  /* that `blog` meets */
	} rows[] = {
	    {VS("a", "shop", "01", ""), "a", "a"},
	    {VS("a", "shop", "01", "exportTo: ['*']"), "a", "a"},
	    {VS("a", "shop", "01", "exportTo: ['.']"), "default", "default"},
	    {VS("a", "shop", "01", "exportTo: [blog]"), "default", "a"},
	    {VS("a", "blog", "01", "exportTo: ['.']"), "default", "a"},
	    {VS("a", "blog", "01", "exportTo: ['.', default]"), "a", "a"},
	    /* The oldest of one kind of sight; what is for few comes first. */
	    {VS("b", "shop", "02", "") VS("a", "shop", "01", ""), "a", "a"},
	    {VS("a", "shop", "01", "") VS("b", "blog", "02", "exportTo: ['.']"),
		"a", "b"},
	    {VS("a", "shop", "01", "")
		    VS("b", "shop", "02", "exportTo: [blog]"),
		"a", "b"},
	    {VS("a", "shop", "01", "exportTo: [blog]")
		    VS("b", "blog", "02", "exportTo: ['.']"),
		"default", "b"},
	    {VS("a", "shop", "01", "") VS("b", "blog", "02", ""), "a", "a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(world_fini) struct world w;
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml), SERVICE("web", "shop") "%s",
		    rows[i].yaml);
		world_init(&w, yaml);
		EXPECT_SLICE(
		    route_of(&w, S("one"))->name, slice_str(rows[i].near));
		EXPECT_SLICE(
		    route_of(&w, S("far"))->name, slice_str(rows[i].far));
	}
}

#define FOR_SOME(match)                                                        \
	SERVICE("web", "shop")                                                 \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: v, namespace: shop}\nspec:\n  hosts: [web]\n"        \
	"  http:\n  - {name: some, match: [" match "],\n"                      \
	"     route: [{destination: {host: web}}]}\n"                          \
	"  - {name: rest, route: [{destination: {host: web}}]}\n"

TEST(a_match_is_for_the_callers_that_it_names)
{
	static const struct {
		const char *yaml;
		const char *one;
		const char *two;
		const char *far;
	} rows[] = {
	    {FOR_SOME("{sourceNamespace: blog}"), "rest", "rest", "some"},
	    {FOR_SOME("{sourceLabels: {version: v2}}"), "rest", "some", "rest"},
	    {FOR_SOME("{sourceLabels: {version: v1}, sourceNamespace: blog}"),
		"rest", "rest", "rest"},
	    {FOR_SOME("{sourceLabels: {version: v1}}, {sourceNamespace: blog}"),
		"some", "rest", "some"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(world_fini) struct world w;

		world_init(&w, rows[i].yaml);
		EXPECT_SLICE(
		    route_of(&w, S("one"))->name, slice_str(rows[i].one));
		EXPECT_SLICE(
		    route_of(&w, S("two"))->name, slice_str(rows[i].two));
		EXPECT_SLICE(
		    route_of(&w, S("far"))->name, slice_str(rows[i].far));
	}
}

TEST(a_caller_has_the_labels_that_all_of_its_services_have)
{
	AUTO(world_fini) struct world w;

	world_init(&w, FOR_SOME("{sourceLabels: {version: v1}}"));
	EXPECT_SLICE(route_of(&w, S("one"))->name, S("some"));
	/* Another service of the same account: it may be either. */
	w.exposed[1].account = S("one");
	view_unref(&w.v);
	EXPECT_OK(view_compile(&w.in, &w.v, NULL));
	EXPECT_SLICE(route_of(&w, S("one"))->name, S("rest"));
}

/* --- DestinationRules ----------------------------------------------------- */

TEST(a_rule_of_the_callers_namespace_comes_first_and_what_it_sees_next)
{
	static const struct {
		const char *yaml;
		int near;
		int far;
	} rows[] = {
	    {DR("a", "shop", "", "RANDOM"), BALANCER_RANDOM, BALANCER_RANDOM},
	    {DR("a", "shop", "", "RANDOM") DR("b", "blog", "", "ROUND_ROBIN"),
		BALANCER_RANDOM, BALANCER_ROUND_ROBIN},
	    {DR("a", "shop", "exportTo: ['.'],", "RANDOM"),
		BALANCER_LEAST_REQUEST, BALANCER_LEAST_REQUEST},
	    {DR("a", "shop", "exportTo: [blog],", "RANDOM"),
		BALANCER_LEAST_REQUEST, BALANCER_RANDOM},
	    {DR("a", "istio-system", "", "RANDOM"), BALANCER_RANDOM,
		BALANCER_RANDOM},
	    {DR("a", "blog", "exportTo: ['.'],", "RANDOM"),
		BALANCER_LEAST_REQUEST, BALANCER_RANDOM},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(world_fini) struct world w;
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml), SERVICE("web", "shop") "%s",
		    rows[i].yaml);
		world_init(&w, yaml);
		EXPECT_EQ(cluster_of(&w, S("one"))->policy->balancing.balancer,
		    rows[i].near);
		EXPECT_EQ(cluster_of(&w, S("far"))->policy->balancing.balancer,
		    rows[i].far);
	}
}

TEST(a_rule_for_some_callers_stands_in_the_place_of_the_others)
{
	AUTO(world_fini) struct world w;
	const struct view_cluster *one, *two;

	world_init(&w,
	    SERVICE("web", "shop") DR("a", "default", "", "RANDOM") DR("b",
		"default", "workloadSelector: {matchLabels: {version: v2}},",
		"ROUND_ROBIN"));
	one = cluster_of(&w, S("one"));
	two = cluster_of(&w, S("two"));
	EXPECT_EQ(one->policy->balancing.balancer, BALANCER_RANDOM);
	EXPECT_EQ(two->policy->balancing.balancer, BALANCER_ROUND_ROBIN);
	EXPECT_EQ(cluster_of(&w, S("far"))->policy->balancing.balancer,
	    BALANCER_LEAST_REQUEST);
	/* One name, as dashboards know it; what traffic does is kept apart. */
	EXPECT_SLICE(one->name, two->name);
	EXPECT_TRUE(one->id != two->id);
}

TEST(callers_may_see_services_of_one_name_that_differ)
{
	AUTO(world_fini) struct world w;

	world_init(
	    &w, ENTRY("default", "192.0.2.1") ENTRY("blog", "192.0.2.2"));
	EXPECT_TRUE(cluster_of(&w, S("one")) == cluster_of(&w, S("two")));
	EXPECT_SLICE(
	    cluster_of(&w, S("one"))->name, cluster_of(&w, S("far"))->name);
	EXPECT_TRUE(
	    cluster_of(&w, S("one"))->id != cluster_of(&w, S("far"))->id);
	EXPECT_SLICE(
	    cluster_of(&w, S("one"))->endpoints[0]->workload, S("192.0.2.1"));
	EXPECT_SLICE(
	    cluster_of(&w, S("far"))->endpoints[0]->workload, S("192.0.2.2"));
}

/* --- what scopes have in common ------------------------------------------- */

TEST(callers_for_whom_the_same_holds_share_a_cluster)
{
	AUTO(world_fini) struct world w;
	const struct view_cluster *c;
	size_t of_services = 0;

	world_init(&w, SERVICE("web", "shop"));
	EXPECT_TRUE(cluster_of(&w, S("one")) == cluster_of(&w, S("far")));
	for (size_t i = 0; (c = view_next_cluster(w.v, &i)) != NULL;)
		of_services += slice_starts(c->name, S("outbound|"));
	EXPECT_EQ(of_services, 1);
}

TEST(a_view_does_not_depend_on_the_order_of_its_callers)
{
	AUTO(world_fini) struct world w;
	struct view_upstream_input first;
	uint64_t before;

	world_init(&w,
	    SERVICE("web", "shop") VS("a", "shop", "01", "exportTo: [blog]"));
	before = view_fingerprint(w.v);
	first = w.upstreams[0];
	w.upstreams[0] = w.upstreams[2];
	w.upstreams[2] = first;
	view_unref(&w.v);
	EXPECT_OK(view_compile(&w.in, &w.v, NULL));
	EXPECT_TRUE(view_fingerprint(w.v) == before);
}

TEST(a_scope_is_found_by_its_callers)
{
	AUTO(world_fini) struct world w;
	const struct labels v2 = {&(struct label){S("version"), S("v2")}, 1};
	const struct labels none = {NULL, 0};
	const struct view_scope *of;

	world_init(&w,
	    SERVICE("web", "shop") VS("a", "shop", "01", "exportTo: [blog]"));
	of = view_find_scope(w.v, S("default"), &v2);
	EXPECT_TRUE(of == view_find_upstream(w.v, S("two"))->scope);
	EXPECT_SLICE(view_find_scope(w.v, S("blog"), &v2)->ns, S("default"));
	of = view_find_scope(w.v, S("blog"), &none);
	EXPECT_SLICE(
	    view_find_host(w.v, of, S("web.shop"), 80)->http[0].name, S("a"));
	EXPECT_SLICE(view_find_host(w.v, NULL, S("web.shop"), 80)->http[0].name,
	    S("default"));
	/* A short name is one of the caller's namespace. */
	EXPECT_TRUE(view_find_host(w.v, of, S("web"), 80) == NULL);
}

/* --- what an upstream cannot reach -----------------------------------------
 */

#define SIDECAR(name, ns, hosts)                                               \
	"apiVersion: networking.istio.io/v1\nkind: Sidecar\n"                  \
	"metadata: {name: " name ", namespace: " ns "}\n"                      \
	"spec: {egress: [" hosts "]}\n---\n"
#define MESH_CONFIG(spec)                                                      \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\nspec: {" spec "}\n---\n"

TEST(an_upstream_says_why_its_clients_cannot_call)
{
	static const char hidden[] =
	    "web.shop.svc.mesh.internal is not exported to namespace default, "
	    "where this upstream's clients call from";
	static const struct {
		const char *yaml;
		const char *near, *far; /* empty: they can */
	} rows[] = {
	    {SERVICE("web", "shop"), "", ""},
	    {SIDECAR("s", "default", "{hosts: ['./*']}") SERVICE("web", "shop"),
		"Sidecar/default/s, which holds for this upstream's clients, "
		"does not let them call web.shop.svc.mesh.internal",
		""},
	    {SIDECAR("s", "default",
		 "{hosts: ['./*', shop/web.shop.svc.cluster.local]}")
		    SERVICE("web", "shop"),
		"", ""},
	    /* Of the root namespace: for whoever has none of his own. */
	    {SIDECAR("s", "istio-system", "{hosts: ['~/*']}") SIDECAR(
		 "t", "blog", "{hosts: ['*/*']}") SERVICE("web", "shop"),
		"Sidecar/istio-system/s, which holds for this upstream's "
		"clients, does not let them call web.shop.svc.mesh.internal",
		""},
	    {MESH_CONFIG("rootNamespace: base") SIDECAR("s", "istio-system",
		 "{hosts: ['~/*']}") SERVICE("web", "shop"),
		"", ""},
	    /* One that names a port is for that port. */
	    {SIDECAR("s", "default",
		 "{port: {number: 80, protocol: HTTP, name: http}, hosts: "
		 "['./*']}, {hosts: ['*/*']}") SERVICE("web", "shop"),
		"Sidecar/default/s, which holds for this upstream's clients, "
		"does not let them call web.shop.svc.mesh.internal",
		""},
	    {MESH_CONFIG("defaultServiceExportTo: [blog]")
		    SERVICE("web", "shop"),
		hidden, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(world_fini) struct world w;

		world_init(&w, rows[i].yaml);
		EXPECT_SLICE(view_find_upstream(w.v, S("one"))->missing,
		    slice_str(rows[i].near));
		EXPECT_SLICE(view_find_upstream(w.v, S("far"))->missing,
		    slice_str(rows[i].far));
	}
}
