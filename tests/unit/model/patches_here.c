/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_here — a view of before of a machine that serves something else is
 * the view that is made from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

/* Mostly what is served here, and what that is called by. */
static void
change_here(struct world *w)
{
	static void (*const all[])(struct world *) = {change_serving,
	    change_list, change_told, change_service, change_own};

	if (rng_below(&w->rng, 3) == 0)
		change_exposed(w);
	else
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(what_is_served_here_comes_goes_and_changes)
{
	walk_as(change_here, SERVICE_SEEDS, OF_SERVICES, 3 * SERVICE_SEEDS);
}

TEST(policies_hold_for_what_is_served_here_now)
{
	walk_as(change_here, SERVICE_SEEDS, OF_PEERS, 3 * SERVICE_SEEDS);
}

TEST(whatever_is_served_here_is_what_is_at_once)
{
	walk_as(change_here, SERVICE_SEEDS, OF_ANY, 3 * SERVICE_SEEDS);
}

/* Of a program here, ports are made of where it listens, and no more. */
TEST(an_own_endpoint_is_a_patch_wherever_it_is)
{
	static const struct addr own = {ADDR_V4, {10, 0, 0, 5}, 0};
	static const struct {
		uint16_t port;
		enum view_health health;
	} steps[] = {{80, VIEW_HEALTHY}, {80, VIEW_UNHEALTHY},
	    {80, VIEW_HEALTHY}, {81, VIEW_HEALTHY}, {81, VIEW_DRAINING},
	    {0, VIEW_HEALTHY}, {80, VIEW_HEALTHY}};
	struct view_endpoint_input all[] = {
	    {.service = S("web"),
		.service_ns = S("shop"),
		.service_port = 80,
		.addr = {ADDR_V4, {10, 0, 0, 5}, 80},
		.ns = S("shop"),
		.weight = 1},
	    {.service = S("web"),
		.service_ns = S("shop"),
		.service_port = 80,
		.addr = {ADDR_V4, {10, 0, 0, 6}, 80},
		.ns = S("shop"),
		.weight = 1}};
	struct view_serving serving = {S("web"), S("shop"), 1, all, 2};
	struct resource *documents[] = {
	    resource_of("apiVersion: v1\nkind: Service\n"
			"metadata: {name: web, namespace: shop}\n"
			"spec: {ports: [" HTTP_PORT "]}\n")};
	struct view_input in = {.ns = S("shop"),
	    .resources = (const struct resource *const *)documents,
	    .resource_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .addrs = &own,
	    .addr_count = 1,
	    .version = 1};
	struct view *before = NULL;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		AUTO(view_unref) struct view *alone = NULL;
		struct view *v;

		all[0].addr.port = steps[i].port;
		all[0].addr.bytes[3] = steps[i].port != 0 ? 5 : 7;
		all[0].health = steps[i].health;
		serving.version++;
		in.before = NULL;
		EXPECT_OK(view_compile(&in, &alone, NULL));
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
		EXPECT_TRUE(before == NULL || is_patch(v, before));
		if (before != NULL)
			view_unref(&before);
		before = v;
	}
	view_unref(&before);
	resource_unref(&documents[0]);
}
