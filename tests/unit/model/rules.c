/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — which of several resources that speak of a host counts.
 */
#include "load.h"
#include "unit.h"

static const char several[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    "spec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: wide}\n"
    "spec: {hosts: ['*.example.com'], http: [{name: wide, route: [\n"
    "  {destination: {host: web, subset: v1}, weight: 50},\n"
    "  {destination: {host: web, subset: v2}, weight: 50}]}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: narrow}\n"
    "spec: {hosts: ['*.shop.example.com'], http: [{name: narrow,\n"
    "  route: [{destination: {host: web}}]}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: wide}\n"
    "spec: {host: '*.default.svc.cluster.local',\n"
    "  trafficPolicy: {loadBalancer: {simple: RANDOM}}}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: a-younger, "
    "creationTimestamp: '2026-02-01T00:00:00Z'}\n"
    "spec: {host: web,\n"
    "  trafficPolicy: {loadBalancer: {simple: RANDOM}},\n"
    "  subsets: [{name: v1, labels: {version: younger}},\n"
    "    {name: v2, labels: {version: v2}}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: z-older, "
    "creationTimestamp: '2026-01-01T00:00:00Z'}\n"
    "spec: {host: web,\n"
    "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}},\n"
    "  subsets: [{name: v1, labels: {version: older}}]}\n";

struct compiled {
	struct loaded l;
	struct view *v;
};

static void
compiled_fini(struct compiled *c)
{
	view_unref(&c->v);
	loaded_fini(&c->l);
}

static void
compile(struct compiled *c)
{
	struct view_input in = {0};

	memset(c, 0, sizeof(*c));
	load(several, "x.yaml", &c->l);
	EXPECT_EQ(c->l.found.errors.count, 0);
	in.resources = (const struct resource *const *)c->l.items;
	in.resource_count = c->l.count;
	EXPECT_OK(view_compile(&in, &c->v, NULL));
}

static struct slice
route_of(const struct compiled *c, struct slice host)
{
	struct http_attrs a = {.method = S("GET"), .path = S("/"), .port = 80};
	const struct view_host *h = view_find_host(c->v, NULL, host, 80);

	return h != NULL ? view_route_http(h, &a, NULL).route->name : S("none");
}

TEST(the_longest_pattern_that_fits_has_the_host)
{
	AUTO(compiled_fini) struct compiled c;

	compile(&c);
	EXPECT_SLICE(route_of(&c, S("a.example.com")), S("wide"));
	EXPECT_SLICE(route_of(&c, S("a.shop.example.com")), S("narrow"));
	EXPECT_SLICE(route_of(&c, S("shop.example.com")), S("wide"));
	EXPECT_SLICE(route_of(&c, S("example.com")), S("none"));
}

TEST(rules_of_one_host_are_merged_and_the_older_counts_where_they_differ)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster *all, *v1;

	compile(&c);
	all = view_find_cluster(
	    c.v, S("outbound|80||web.default.svc.cluster.local"));
	v1 = view_find_cluster(
	    c.v, S("outbound|80|v1|web.default.svc.cluster.local"));
	EXPECT_TRUE(all != NULL && v1 != NULL);
	EXPECT_EQ(all->policy->balancing.balancer,
	    BALANCER_ROUND_ROBIN); /* nor the pattern's */
	EXPECT_SLICE(v1->origin.key.name, S("z-older"));
	EXPECT_TRUE(
	    view_find_cluster(c.v,
		S("outbound|80|v2|web.default.svc.cluster.local")) != NULL);
}
