/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_connections — a view of before with other rules for connections is
 * the view that is made from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

/* Rules for connections, and what they lead to. */
static void
change_connections(struct world *w)
{
	size_t n = rng_below(&w->rng, RULED);

	switch (rng_below(&w->rng, 8)) {
	case 0:
		world_make_again(w, n);
		break;
	case 1:
		change_workload(w);
		break;
	case 2:
		change_name(w);
		break;
	case 3:
	case 4:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(rules_for_connections_come_go_and_change)
{
	walk_as(
	    change_connections, SERVICE_SEEDS, OF_CONNECTIONS, SERVICE_SEEDS);
}

TEST(connections_come_and_go_where_sidecars_hold)
{
	walk_as(change_connections, SERVICE_SEEDS, OF_CONNECTIONS | SCOPED,
	    2 * SERVICE_SEEDS);
}

#define WIRED(subset)                                                          \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  hosts: [web]\n  tcp:\n"                                      \
	"  - route: [{destination: {host: web, subset: " subset "}}]\n"

/* The subset that connections to web go to, whichever way they are looked up.
 */
static struct slice
subset_of(const struct view *v)
{
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 9000};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h = view_find_host(v, NULL, S("web"), 9000);
	const struct view_destination *d = &h->tcp[0].destinations[0];
	size_t count;

	EXPECT_EQ(l->otherwise->tcp->destinations[0].cluster, d->cluster);
	EXPECT_EQ(h, view_host_now(v, view_upstreams(v, &count)->host));
	EXPECT_EQ(view_host_port(v, NULL, h, 0), h);
	return d->cluster != NULL ? view_cluster_now(v, d->cluster)->subset
				  : S("none");
}

TEST(a_connection_meets_the_rules_of_now)
{
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *r[] = {resource_of(WIRED("v1")),
	    resource_of(WIRED("v2")),
	    resource_of("apiVersion: networking.istio.io/v1\n"
			"kind: DestinationRule\n"
			"metadata: {name: web, namespace: shop}\n"
			"spec:\n  host: web\n  subsets:\n"
			"  - {name: v1, labels: {version: v1}}\n")};
	const struct resource *all[2];
	struct view_service_input service = {
	    S("web"), S("shop"), &world_port, 1, S("a record")};
	static const struct {
		size_t first, count;
		const char *subset;
	} steps[] = {{2, 1, ""}, {0, 2, "v1"}, {1, 2, "none"}, {0, 2, "v1"},
	    {2, 1, ""}, {0, 1, "none"}, {0, 2, "v1"}};
	struct view *v = NULL;
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .resources = all,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		all[0] = r[steps[i].first];
		all[1] = r[2];
		in.resource_count = steps[i].count;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_TRUE(before == NULL || is_patch(v, before));
		EXPECT_TRUE(slice_eq(subset_of(v), slice_str(steps[i].subset)));
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}
