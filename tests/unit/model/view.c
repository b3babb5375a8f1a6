/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what one proxy makes of resources, records and its own listeners.
 */
#include "codec/codec.h"
#include "compiled.h"
#include "load.h"
#include "unit.h"

static const char mesh[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    "spec:\n  selector: {app: reviews}\n"
    "  ports: [{name: http, port: 9080}]\n"
    "---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop,\n"
    "  annotations: {meshd.dev/accounts: 'db, spare'}}\n"
    "spec: {ports: [{name: tcp, port: 6379}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: reviews}\nspec:\n  host: reviews\n"
    "  trafficPolicy: {loadBalancer: {simple: RANDOM}}\n"
    "  subsets:\n  - {name: v1, labels: {version: v1}}\n"
    "  - {name: v2, labels: {version: v2},\n"
    "     trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews, "
    "creationTimestamp: '2026-01-01T00:00:00Z'}\n"
    "spec:\n  hosts: [reviews]\n  http:\n"
    "  - name: jason\n"
    "    match:\n    - name: test\n"
    "      headers: {End-User: {exact: jason}}\n"
    "      uri: {prefix: /api/}\n"
    "    rewrite: {uri: /}\n    timeout: 2s\n"
    "    retries: {attempts: 3, retryOn: 'reset,503'}\n"
    "    route: [{destination: {host: reviews, subset: v2}}]\n"
    "  - match: [{uri: {exact: /gone}}]\n"
    "    route: [{destination: {host: reviews, subset: v9}}]\n"
    "  - match: [{method: {exact: DELETE}}]\n"
    "    route: [{destination: {host: nowhere}}]\n"
    "  - route:\n"
    "    - {destination: {host: reviews, subset: v1}, weight: 90}\n"
    "    - {destination: {host: reviews, subset: v2}, weight: 10}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: a-younger, "
    "creationTimestamp: '2026-02-01T00:00:00Z'}\n"
    "spec:\n  hosts: [reviews.default.svc.cluster.local, '*.example.com']\n"
    "  http: [{match: [{uri: {prefix: /x}}],\n"
    "    route: [{destination: {host: reviews}}]}]\n";

enum { ENDPOINTS = 6 };

/* The world of these tests: the mesh above and its workloads. */
struct world {
	struct loaded l;
	struct view_endpoint_input endpoints[ENDPOINTS];
	struct label labels[ENDPOINTS];
	struct view_upstream_input upstreams[2];
	struct view_exposed_input exposed[2];
	struct view_service_input implied[2];
	struct view_port_input port;
	struct view_input in;
	struct view *v;
};

static void
set_endpoint(struct world *w, size_t i, struct slice service, struct slice ns,
    uint16_t port, const char *addr, struct slice version)
{
	struct view_endpoint_input *e = &w->endpoints[i];

	w->labels[i] = (struct label){S("version"), version};
	*e = (struct view_endpoint_input){.service = service,
	    .service_ns = ns,
	    .service_port = port,
	    .node = S("n1"),
	    .ns = ns,
	    .account = service,
	    .labels = {&w->labels[i], 1},
	    .weight = 1};
	EXPECT_OK(addr_parse(slice_str(addr), &e->addr));
}

static void
compile(struct world *w)
{
	view_unref(&w->v);
	EXPECT_OK(view_compile(&w->in, &w->v, NULL));
}

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	load(mesh, "mesh.yaml", &w->l);
	EXPECT_EQ(w->l.count, 5);
	set_endpoint(
	    w, 0, S("reviews"), S("default"), 9080, "10.0.0.1:9080", S("v1"));
	set_endpoint(
	    w, 1, S("reviews"), S("default"), 9080, "10.0.0.2:9080", S("v2"));
	set_endpoint(
	    w, 2, S("reviews"), S("default"), 9080, "[fd::3]:9080", S("v2"));
	set_endpoint(w, 3, S("db"), S("shop"), 6379, "10.0.0.4:6379", S("1"));
	set_endpoint(w, 4, S("db"), S("shop"), 6379, "10.0.0.5:6379", S("1"));
	set_endpoint(w, 5, S("web"), S("default"), 80, "10.0.0.6:80", S("1"));
	w->endpoints[2].health = VIEW_UNHEALTHY;
	w->endpoints[4].account = S("stranger");
	w->upstreams[0] = (struct view_upstream_input){
	    .name = S("reviews"), .host = S("reviews"), .account = S("web")};
	w->upstreams[1] = (struct view_upstream_input){
	    .name = S("lost"), .host = S("nobody.shop"), .port = 80};
	EXPECT_OK(addr_parse(S("127.0.0.1:9000"), &w->upstreams[0].listen));
	w->exposed[0] = (struct view_exposed_input){.service = S("web"),
	    .ns = S("default"),
	    .port = 80,
	    .protocol = S("http"),
	    .account = S("web")};
	w->exposed[1] = w->exposed[0];
	EXPECT_OK(addr_parse(S("10.0.0.6:80"), &w->exposed[0].addr));
	EXPECT_OK(addr_parse(S("0.0.0.0:81"), &w->exposed[1].addr));
	w->port = (struct view_port_input){.port = 80, .protocol = S("http")};
	w->implied[0] = (struct view_service_input){
	    S("web"), S("default"), &w->port, 1, S("record of node n1")};
	w->implied[1] = (struct view_service_input){
	    S("reviews"), S("default"), &w->port, 1, S("record of node n9")};
	w->in = (struct view_input){
	    .resources = (const struct resource *const *)w->l.items,
	    .resource_count = w->l.count,
	    .services = w->implied,
	    .service_count = 2,
	    .endpoints = w->endpoints,
	    .endpoint_count = ENDPOINTS,
	    .upstreams = w->upstreams,
	    .upstream_count = 2,
	    .exposed = w->exposed,
	    .exposed_count = 2};
	compile(w);
}

static void
world_fini(struct world *w)
{
	view_unref(&w->v);
	loaded_fini(&w->l);
}

static bool
jason(void *arg, struct slice name, struct slice *out)
{
	(void)arg;
	*out = S("jason");
	return slice_eq(name, S("end-user"));
}

static struct view_http_choice
ask(const struct world *w, struct slice method, struct slice path,
    bool as_jason)
{
	struct http_attrs a = {.method = method,
	    .path = path,
	    .port = 9080,
	    .header = as_jason ? jason : NULL};

	return view_route_http(
	    view_find_host(w->v, NULL, S("reviews"), 9080), &a, NULL);
}

TEST(a_service_has_every_spelling)
{
	AUTO(world_fini) struct world w;
	const struct view_host *h;

	world_init(&w);
	h = view_find_host(w.v, NULL, S("reviews"), 9080);
	EXPECT_TRUE(h != NULL);
	EXPECT_SLICE(h->name, S("reviews.default.svc.cluster.local:9080"));
	EXPECT_SLICE(h->host, S("reviews.default.svc.mesh.internal"));
	EXPECT_TRUE(h == view_find_host(w.v, NULL, S("Reviews.Default"), 0));
	EXPECT_TRUE(h == view_find_host(w.v, NULL,
			     S("reviews.default.svc.cluster.local."), 0));
	EXPECT_TRUE(view_find_host(w.v, NULL, S("reviews"), 80) == NULL);
	EXPECT_TRUE(view_find_host(w.v, NULL, S("nobody"), 0) == NULL);
	EXPECT_TRUE(view_find_host(w.v, NULL, S(""), 0) == NULL);
}

TEST(the_first_rule_that_matches_wins)
{
	AUTO(world_fini) struct world w;

	world_init(&w);
	EXPECT_EQ(ask(&w, S("GET"), S("/api/1"), true).route->index, 0);
	EXPECT_EQ(ask(&w, S("GET"), S("/api/1"), false).route->index, 3);
	EXPECT_EQ(ask(&w, S("GET"), S("/api"), true).route->index, 3);
	EXPECT_EQ(ask(&w, S("GET"), S("/gone?q"), true).route->index, 1);
	EXPECT_EQ(ask(&w, S("DELETE"), S("/"), true).route->index, 2);
}

TEST(a_rule_keeps_its_place_timeout_and_retries)
{
	AUTO(world_fini) struct world w;
	const struct view_http_route *r;
	char text[ORIGIN_TEXT_MAX];

	world_init(&w);
	r = ask(&w, S("GET"), S("/api/1"), true).route;
	EXPECT_EQ(r->timeout_us, 2000000);
	EXPECT_EQ(r->retry.attempts, 3);
	EXPECT_EQ(r->retry.on, VIEW_RETRY_RESET | VIEW_RETRY_STATUS_CODES);
	EXPECT_EQ(r->retry.statuses[0], 503);
	EXPECT_STR(origin_format(&r->origin, text), "mesh.yaml:31");
	r = ask(&w, S("GET"), S("/"), false).route;
	EXPECT_EQ(r->timeout_us, 0);
	EXPECT_EQ(r->retry.attempts, 2);
	EXPECT_EQ(r->retry.on,
	    VIEW_RETRY_CONNECT_FAILURE | VIEW_RETRY_REFUSED_STREAM |
		VIEW_RETRY_GRPC_UNAVAILABLE | VIEW_RETRY_GRPC_CANCELLED |
		VIEW_RETRY_STATUS_CODES);
}

TEST(subsets_choose_endpoints_by_labels_and_override_the_balancer)
{
	AUTO(world_fini) struct world w;
	const struct view_cluster *c;

	world_init(&w);
	c = view_find_cluster(
	    w.v, S("outbound|9080|v2|reviews.default.svc.cluster.local"));
	EXPECT_TRUE(c != NULL);
	EXPECT_EQ(c->endpoint_count, 2);
	EXPECT_EQ(c->usable_count, 1);
	EXPECT_EQ(c->policy->balancing.balancer, BALANCER_ROUND_ROBIN);
	EXPECT_SLICE(c->endpoints[0]->identity,
	    S("spiffe://mesh.internal/ns/default/sa/reviews"));
	c = view_find_cluster(
	    w.v, S("outbound|9080|v1|reviews.default.svc.cluster.local"));
	EXPECT_EQ(c->endpoint_count, 1);
	EXPECT_EQ(c->policy->balancing.balancer, BALANCER_RANDOM);
	c = view_find_cluster(
	    w.v, S("outbound|6379||db.shop.svc.cluster.local"));
	EXPECT_EQ(c->policy->balancing.balancer, BALANCER_LEAST_REQUEST);
}

TEST(what_leads_nowhere_says_so)
{
	AUTO(world_fini) struct world w;
	const struct view_destination *d;

	world_init(&w);
	d = ask(&w, S("GET"), S("/gone"), false).route->destinations;
	EXPECT_TRUE(d->cluster == NULL);
	EXPECT_EQ(d->flag, FLOW_NO_CLUSTER);
	EXPECT_SLICE(d->missing,
	    S("no DestinationRule gives reviews.default.svc.mesh.internal a "
	      "subset v9"));
	d = ask(&w, S("DELETE"), S("/"), false).route->destinations;
	EXPECT_SLICE(d->missing,
	    S("there is no service nowhere.default.svc.mesh.internal"));
}

/* Its owner would look for it in vain. */
TEST(a_service_that_is_there_but_not_seen_is_told_so)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;

	compiled_init(&c,
	    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	    "spec: {ports: [{name: http, port: 80}]}\n---\n"
	    "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: "
	    "shop, annotations: {networking.istio.io/exportTo: '.'}}\n"
	    "spec: {ports: [{name: http, port: 80}]}\n---\n"
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"
	    "  - route: [{destination: {host: db.shop.svc.cluster.local}}]\n");
	h = view_find_host(c.v, NULL, S("web"), 80);
	EXPECT_SLICE(h->http[0].destinations[0].missing,
	    S("db.shop.svc.mesh.internal is not seen from here: it is not "
	      "exported here, or a Sidecar leaves it out"));
}

TEST(an_unexpected_account_takes_no_traffic)
{
	AUTO(world_fini) struct world w;
	const struct view_cluster *c;

	world_init(&w);
	c = view_find_cluster(
	    w.v, S("outbound|6379||db.shop.svc.cluster.local"));
	EXPECT_EQ(c->endpoint_count, 2);
	EXPECT_EQ(c->usable_count, 1);
	EXPECT_TRUE(c->endpoints[0]->usable);
	EXPECT_FALSE(c->endpoints[1]->usable);
	EXPECT_TRUE(c->endpoints[1]->reason.len > 0);
}

TEST(a_tcp_port_goes_to_its_service)
{
	AUTO(world_fini) struct world w;
	const struct view_host *h;
	const struct view_tcp_route *r;

	world_init(&w);
	h = view_find_host(w.v, NULL, S("db.shop"), 0);
	EXPECT_EQ(h->protocol, VIEW_TCP);
	r = view_route_tcp(h, &(struct view_connection){0}, NULL);
	EXPECT_SLICE(r->destinations[0].cluster->name,
	    S("outbound|6379||db.shop.svc.cluster.local"));
}

TEST(the_oldest_rule_set_has_the_host_and_the_other_is_reported)
{
	AUTO(world_fini) struct world w;
	const struct view_problem *p;
	size_t n, found = 0;

	world_init(&w);
	p = view_problems(w.v, &n);
	for (size_t i = 0; i < n; i++)
		found += slice_eq(p[i].origin.key.name, S("a-younger")) &&
			 slice_starts(p[i].text, S("its rules for "));
	EXPECT_EQ(found, 1);
	/* Its other host is its own all the same. */
	EXPECT_TRUE(
	    view_find_host(w.v, NULL, S("a.example.com.au"), 80) == NULL);
	EXPECT_TRUE(
	    view_find_host(w.v, NULL, S("a.b.c.example.com"), 80) != NULL);
}

TEST(a_written_service_overrides_records)
{
	AUTO(world_fini) struct world w;
	const struct view_host *h;

	world_init(&w);
	EXPECT_TRUE(view_find_host(w.v, NULL, S("reviews"), 80) == NULL);
	h = view_find_host(w.v, NULL, S("web"), 80);
	EXPECT_SLICE(h->service->origin.words, S("record of node n1"));
	EXPECT_EQ(h->protocol, VIEW_HTTP);
}

TEST(upstreams_know_their_host_or_why_not)
{
	AUTO(world_fini) struct world w;
	const struct view_upstream *u;
	const struct view_problem *p;
	size_t n, found = 0;

	world_init(&w);
	u = view_find_upstream(w.v, S("reviews"));
	EXPECT_TRUE(u->host == view_find_host(w.v, NULL, S("reviews"), 9080));
	EXPECT_SLICE(
	    u->caller.identity, S("spiffe://mesh.internal/ns/default/sa/web"));
	u = view_find_upstream(w.v, S("lost"));
	EXPECT_TRUE(u->host == NULL);
	EXPECT_TRUE(u->missing.len > 0);
	EXPECT_TRUE(view_find_upstream(w.v, S("none")) == NULL);
	p = view_problems(w.v, &n);
	for (size_t i = 0; i < n; i++)
		found += slice_eq(p[i].origin.words, S("upstream lost")) &&
			 slice_eq(p[i].text, u->missing);
	EXPECT_EQ(found, 1);
}

/* exposed[0] is at 10.0.0.6, exposed[1] at any address. */
TEST(who_names_nobody_means_who_is_at_the_address)
{
	AUTO(world_fini) struct world w;
	struct addr here, elsewhere;

	world_init(&w);
	EXPECT_OK(addr_parse(S("10.0.0.6:15008"), &here));
	EXPECT_OK(addr_parse(S("192.0.2.1:15008"), &elsewhere));
	EXPECT_SLICE(view_identity_at(w.v, &here),
	    S("spiffe://mesh.internal/ns/default/sa/web"));
	w.exposed[1].account = S("other");
	w.exposed[1].addr = w.exposed[0].addr;
	w.exposed[1].addr.port = 81;
	compile(&w);
	EXPECT_EQ(view_identity_at(w.v, &here).len, 0); /* two */
	EXPECT_EQ(view_identity_at(w.v, &elsewhere).len, 0);
	EXPECT_OK(addr_parse(S("10.0.0.7:81"), &w.exposed[1].addr));
	compile(&w);
	EXPECT_SLICE(view_identity_at(w.v, &here),
	    S("spiffe://mesh.internal/ns/default/sa/web"));
	w.in.exposed_count = 1;
	compile(&w);
	/* As behind NAT, where the address is one that nobody announced. */
	EXPECT_SLICE(view_identity_at(w.v, &elsewhere),
	    S("spiffe://mesh.internal/ns/default/sa/web"));
	w.in.exposed_count = 0;
	compile(&w);
	EXPECT_EQ(view_identity_at(w.v, &here).len, 0);
}

TEST(only_exposed_ports_are_found)
{
	AUTO(world_fini) struct world w;
	struct addr a;

	world_init(&w);
	EXPECT_OK(addr_parse(S("10.0.0.6:80"), &a));
	EXPECT_SLICE(view_find_exposed(w.v, &a)->host,
	    S("web.default.svc.mesh.internal"));
	EXPECT_OK(addr_parse(S("10.0.0.7:80"), &a));
	EXPECT_TRUE(view_find_exposed(w.v, &a) == NULL);
	EXPECT_OK(addr_parse(S("10.0.0.7:81"), &a));
	EXPECT_TRUE(view_find_exposed(w.v, &a) != NULL);
	EXPECT_OK(addr_parse(S("10.0.0.6:22"), &a));
	EXPECT_TRUE(view_find_exposed(w.v, &a) == NULL);
	EXPECT_TRUE(view_find_exposed_host(
			w.v, S("Web.default.svc.cluster.local"), 80) != NULL);
	EXPECT_TRUE(view_find_exposed_host(w.v, S("web"), 22) == NULL);
	EXPECT_TRUE(view_find_exposed_host(w.v, S("db.shop"), 80) == NULL);
}

TEST(a_prefix_is_rewritten_as_text_and_the_query_stays)
{
	AUTO(world_fini) struct world w;
	AUTO(arena_fini) struct arena a;
	struct view_http_choice c;
	struct slice out;

	world_init(&w);
	arena_init(&a, 4096);
	c = ask(&w, S("GET"), S("/api/x?q=1"), true);
	EXPECT_OK(view_rewrite_path(&c, S("/api/x?q=1"), &a, &out));
	EXPECT_SLICE(out, S("/x?q=1"));
	c.match = NULL;
	EXPECT_OK(view_rewrite_path(&c, S("/api/x?q=1"), &a, &out));
	EXPECT_SLICE(out, S("/api/x?q=1")); /* "/" takes everything */
}

TEST(chance_is_shared_out_by_weight)
{
	AUTO(world_fini) struct world w;
	const struct view_http_route *r;
	struct rng rng;
	unsigned first = 0;

	world_init(&w);
	rng_init(&rng, 1);
	r = ask(&w, S("GET"), S("/"), false).route;
	for (int i = 0; i < 10000; i++)
		first +=
		    view_choose(r->destinations, r->destination_count,
			r->weight_total, rng_u64(&rng)) == &r->destinations[0];
	EXPECT_TRUE(first > 8850 && first < 9150);
	EXPECT_TRUE(view_choose(r->destinations, 2, r->weight_total,
			UINT64_MAX) == &r->destinations[1]);
}

static void
swap(void *array, size_t size, size_t i, size_t j)
{
	char tmp[sizeof(struct view_endpoint_input)];
	char *a = array;

	memcpy(tmp, a + i * size, size);
	memmove(a + i * size, a + j * size, size);
	memcpy(a + j * size, tmp, size);
}

static void
shuffle(struct rng *rng, void *array, size_t count, size_t size)
{
	for (size_t i = count; i > 1; i--)
		swap(array, size, i - 1, (size_t)rng_below(rng, i));
}

TEST(the_order_of_the_inputs_does_not_matter)
{
	AUTO(world_fini) struct world w;
	struct rng rng;
	uint64_t wanted;

	world_init(&w);
	rng_init(&rng, 4);
	wanted = view_fingerprint(w.v);
	for (int i = 0; i < 50; i++) {
		shuffle(&rng, w.l.items, w.l.count, sizeof(w.l.items[0]));
		shuffle(&rng, w.endpoints, ENDPOINTS, sizeof(w.endpoints[0]));
		shuffle(&rng, w.upstreams, 2, sizeof(w.upstreams[0]));
		shuffle(&rng, w.exposed, 2, sizeof(w.exposed[0]));
		shuffle(&rng, w.implied, 2, sizeof(w.implied[0]));
		compile(&w);
		EXPECT_EQ(view_fingerprint(w.v), wanted);
	}
	w.endpoints[0].weight = 7;
	compile(&w);
	EXPECT_NE(view_fingerprint(w.v), wanted);
}

/* Istio's order of labels, for both sides of a flow. */
TEST(reports_call_a_workload_by_its_canonical_name)
{
	const struct label labels[] = {{S("app"), S("shop")},
	    {S("version"), S("v3")}, {S("app.kubernetes.io/name"), S("cart")},
	    {S("app.kubernetes.io/version"), S("3.1")},
	    {S("service.istio.io/canonical-name"), S("basket")},
	    {S("service.istio.io/canonical-revision"), S("r7")}};
	static const char *const want[][3] = {{"2", "shop", "v3"},
	    {"4", "cart", "3.1"}, {"6", "basket", "r7"},
	    {"0", "cart-1", "latest"}};

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct flow_party p = {.workload = S("cart-1")};
		struct labels some = {labels, (size_t)(want[i][0][0] - '0')};

		flow_party_label(&p, &some);
		EXPECT_SLICE(p.canonical_name, slice_str(want[i][1]));
		EXPECT_SLICE(p.canonical_revision, slice_str(want[i][2]));
	}
}

TEST(both_sides_report_a_service_alike)
{
	AUTO(world_fini) struct world w;
	const struct view_cluster *c;
	const struct view_exposed *e;

	world_init(&w);
	e = view_find_exposed_host(w.v, S("web"), 80);
	EXPECT_TRUE(e != NULL);
	c = view_find_cluster(
	    w.v, S("outbound|80||web.default.svc.cluster.local"));
	EXPECT_EQ(c->endpoint_count, 1);
	EXPECT_SLICE(e->cluster, S("inbound|80||"));
	EXPECT_SLICE(e->party.service, c->endpoints[0]->party->service);
	EXPECT_SLICE(e->party.identity, c->endpoints[0]->party->identity);
	EXPECT_SLICE(e->party.service_ns, c->endpoints[0]->party->service_ns);
	EXPECT_SLICE(e->party.workload, S("web"));
}

TEST(who_calls_without_an_account_is_the_machine)
{
	AUTO(world_fini) struct world w;
	const struct view_upstream *u;

	world_init(&w);
	w.in.identity = S("spiffe://mesh.internal/ns/meshd-nodes/sa/vm4");
	view_unref(&w.v);
	compile(&w);
	u = view_find_upstream(w.v, S("lost"));
	EXPECT_SLICE(u->caller.identity, w.in.identity);
	EXPECT_SLICE(u->caller.party.workload, S("vm4"));
	EXPECT_SLICE(u->caller.party.ns, S("meshd-nodes"));
	u = view_find_upstream(w.v, S("reviews"));
	EXPECT_SLICE(
	    u->caller.identity, S("spiffe://mesh.internal/ns/default/sa/web"));
}

TEST(an_empty_view_has_nothing)
{
	const struct view_input in = {0};
	struct view *v = NULL;
	size_t n = 0;

	EXPECT_OK(view_compile(&in, &v, NULL));
	EXPECT_TRUE(view_next_host(v, &n) == NULL);
	EXPECT_TRUE(view_find_host(v, NULL, S("x"), 1) == NULL);
	view_unref(&v);
	EXPECT_TRUE(v == NULL);
}

TEST(running_out_of_memory_is_an_error_at_every_step)
{
	AUTO(world_fini) struct world w;
	struct view *v = NULL;
	enum err e = ERR_LIMIT;
	uint64_t n;

	world_init(&w);
	for (n = 1; e != OK && n < 10000; n++) {
		mem_fail_at(n);
		e = view_compile(&w.in, &v, NULL);
		mem_fail_at(0);
		view_unref(&v);
	}
	EXPECT_OK(e);
	EXPECT_TRUE(n > 1);
}
