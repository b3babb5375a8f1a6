/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_endpoints — a view of before with other endpoints, or services that
 * come and go with these, is the view that is made from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

TEST(endpoints_step_by_step_are_endpoints_at_once)
{
	walk_as(change_serving, FEW_SEEDS, OF_ANY, 2 * FEW_SEEDS);
}

TEST(servings_come_and_go)
{
	walk_as(change_list, FEW_SEEDS, OF_ANY, 2 * FEW_SEEDS);
}

TEST(names_step_by_step_are_names_at_once)
{
	walk_as(change_name, FEW_SEEDS, OF_ANY, FEW_SEEDS);
}

TEST(workloads_come_go_and_change)
{
	walk_as(change_workload, FEW_SEEDS, OF_WORKLOADS, 3 * FEW_SEEDS);
}

/* Routes name the clusters of the first; what they have now is the last's. */
TEST(what_routes_name_has_the_endpoints_of_now)
{
	struct world w;
	struct view *v, *before;
	const struct view_cluster *c;
	const struct view_host *h;

	world_init(&w, 1, OF_ANY);
	world_fini(&w); /* no resource is there */
	w.told[0] = (struct view_service_input){
	    S("web"), S("shop"), &world_port, 1, S("a record")};
	w.in.proxy = VIEW_SIDECAR;
	w.is_untold[0] = false;
	w.in.ns = S("shop");
	w.servings[0].count = 0;
	before = world_compile(&w, NULL, 1);
	w.endpoints[0][0] = (struct view_endpoint_input){.service = S("web"),
	    .service_ns = S("shop"),
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 9000},
	    .weight = 1};
	w.servings[0].count = 1;
	world_touch_serving(&w, 0);
	v = world_compile(&w, before, 1);
	h = view_find_host(v, NULL, S("web"), 9000);
	EXPECT_TRUE(h != NULL);
	EXPECT_TRUE(view_find_host(before, NULL, S("web"), 9000) == h);
	c = h->tcp[0].destinations[0].cluster;
	EXPECT_EQ(view_cluster_now(before, c)->usable_count, 0);
	EXPECT_EQ(view_cluster_now(v, c)->usable_count, 1);
	EXPECT_TRUE(view_find_cluster(v, c->name) == view_cluster_now(v, c));
	view_unref(&before); /* its rows live on */
	EXPECT_SLICE(c->name, S("outbound|9000||web.shop.svc.cluster.local"));
	view_unref(&v);
	world_fini(&w);
}

/* What is called at its endpoints, or by its name if that is HTTP, is a patch
 * wherever they are; who else chose them has them there, too. */
TEST(headless_endpoints_are_patches_wherever_they_are)
{
	static const struct {
		uint8_t host;
		enum view_health health;
	} steps[] = {{2, VIEW_HEALTHY}, {2, VIEW_UNHEALTHY}, {3, VIEW_HEALTHY},
	    {3, VIEW_DRAINING}, {2, VIEW_HEALTHY}, {3, VIEW_HEALTHY}};

	for (int kind = 0; kind < 4; kind++) {
		bool http = kind % 2 == 1, chosen = kind / 2 == 1;
		const struct label label = {{"version", 7}, {"v1", 2}};
		struct view_endpoint_input both[2] = {{.service = S("a"),
		    .service_ns = S("shop"),
		    .service_port = 80,
		    .addr = {ADDR_V4, {10, 0, 0, 0}, 80},
		    .ns = S("shop"),
		    .labels = {&label, 1},
		    .weight = 1}};
		struct view_serving serving = {S("a"), S("shop"), 1, both, 2};
		struct resource *all[] = {
		    resource_of(
			http ? SERVICE("",
				   "clusterIP: None, ports: [" HTTP_PORT "]")
			     : SERVICE("", "clusterIP: None, ports: "
					   "[{name: tcp, port: 80}]")),
		    resource_of(ENTRY("resolution: STATIC\n"
				      "  workloadSelector: {labels: {version: "
				      "v1}}"))};
		struct view_input in = {.ns = S("shop"),
		    .resources = (const struct resource *const *)all,
		    .resource_count = chosen ? 2 : 1,
		    .servings = &serving,
		    .serving_count = 1,
		    .version = 1};
		struct view *v = NULL;

		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			AUTO(view_unref) struct view *alone = NULL;
			struct view *before = v;

			both[0].addr.bytes[3] = steps[i].host;
			both[0].health = steps[i].health;
			both[1] = both[0];
			both[1].addr.bytes[3] = 7 - steps[i].host;
			serving.version++;
			in.before = NULL;
			EXPECT_OK(view_compile(&in, &alone, NULL));
			in.before = before;
			EXPECT_OK(view_compile(&in, &v, NULL));
			EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
			EXPECT_TRUE(before == NULL || is_patch(v, before));
			if (before != NULL)
				view_unref(&before);
		}
		view_unref(&v);
		resource_unref(&all[0]);
		resource_unref(&all[1]);
	}
}

TEST(the_same_endpoints_are_the_same_view)
{
	AUTO(view_unref) struct view *v = NULL;
	AUTO(view_unref) struct view *again = NULL;
	struct world w;

	world_init(&w, 2, OF_ANY);
	v = world_compile(&w, NULL, 1);
	again = world_compile(&w, v, 1);
	EXPECT_TRUE(again == v);
	world_fini(&w);
}
