/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_mesh — a view of before with another MeshConfig, or other Networks,
 * is the view that is made from nothing.
 */

#include "play.h"
#include "unit.h"
#include "walk.h"

/* Mostly the mesh itself, which the first of the own is. */
static void
change_mesh(struct world *w)
{
	static void (*const all[])(struct world *) = {change_serving,
	    change_list, change_name, change_rule, come_or_go, change_own};

	switch (rng_below(&w->rng, 4)) {
	case 0:
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
		break;
	case 1:
		world_come_or_go(w, OTHERS);
		break;
	default:
		world_make_again(w, OTHERS);
	}
}

TEST(what_holds_for_the_mesh_step_by_step_is_what_holds_at_once)
{
	walk_as(change_mesh, SERVICE_SEEDS, OF_MESH, 3 * SERVICE_SEEDS);
}

static void
change_network(struct world *w)
{
	if (rng_below(&w->rng, 4) == 0)
		world_come_or_go(w, OTHERS + rng_below(&w->rng, 2));
	else
		world_make_again(w, OTHERS + rng_below(&w->rng, 2));
}

/* Networks, and all that lies in them. */
static void
change_around_networks(struct world *w)
{
	static void (*const all[])(struct world *) = {change_serving,
	    change_list, change_told, change_name, change_workload,
	    change_service};

	if (rng_below(&w->rng, 2) == 0)
		change_network(w);
	else
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(networks_step_by_step_are_networks_at_once)
{
	walk_as(change_around_networks, SERVICE_SEEDS, OF_NETWORKS,
	    2 * SERVICE_SEEDS);
}

#define NETWORK(name, spec)                                                    \
	"apiVersion: meshd.dev/v1\nkind: Network\n"                            \
	"metadata: {name: " name "}\nspec: {" spec "}\n"

#define GATEWAYS(list) "gateways: [" list "]"

#define GATEWAY_AT(address) "{address: " address ", port: 15443}"

TEST(a_network_is_a_patch_unless_all_weights_are_others)
{
	static const char *const documents[] = {
	    NETWORK("near", GATEWAYS(GATEWAY_AT("203.0.113.1"))),
	    NETWORK("far", GATEWAYS(GATEWAY_AT("203.0.113.2"))),
	    NETWORK("far", "endpoints: [{fromCidr: 10.0.0.0/8}], " GATEWAYS(
			       GATEWAY_AT("203.0.113.3"))),
	    NETWORK("far", GATEWAYS(GATEWAY_AT("203.0.113.2") ", " GATEWAY_AT(
			       "203.0.113.3"))),
	    NETWORK("far", "endpoints: [{fromCidr: 10.0.0.0/8}]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]")};
	static const struct act acts[] = {{.there = ""}, {.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "025", .is_patch = true},
	    {.there = "04", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "03"}, {.there = "035", .is_patch = true},
	    {.there = "02"}, {.there = "4"}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

#define MESH(spec)                                                             \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\nspec: {" spec "}\n"

TEST(what_is_only_asked_of_the_mesh_is_a_patch)
{
	static const char *const documents[] = {
	    MESH("accessLogFormat: '%PROTOCOL%'"),
	    MESH("dnsRefreshRate: 5s, enableTracing: false"),
	    MESH("defaultConfig: {concurrency: 2}, "
		 "pathNormalization: {normalization: NONE}"),
	    MESH("connectTimeout: 3s"),
	    MESH("connectTimeout: 3s, accessLogFormat: '%PROTOCOL%'"),
	    ROUTES("a", "2020", "web", LEAD_TO("web"))};
	static const struct {
		const char *there;
		bool is_patch;
		const char *format;
		uint64_t refresh_us;
	} steps[] = {{"", false, "", 60000000},
	    {"0", true, "%PROTOCOL%", 60000000}, {"15", true, "", 5000000},
	    {"2", true, "", 60000000}, {"05", true, "%PROTOCOL%", 60000000},
	    {"", true, "", 60000000}, {"3", false, "", 60000000},
	    {"4", true, "%PROTOCOL%", 60000000}, {"35", true, "", 60000000},
	    {"2", false, "", 60000000}};
	struct view *v = NULL;
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		v = compile_act(&p,
		    &(struct act){
			.there = steps[i].there, .is_patch = steps[i].is_patch},
		    before);
		EXPECT_SLICE(
		    view_access_log(v).format, slice_str(steps[i].format));
		EXPECT_EQ(view_name_refresh_us(v), steps[i].refresh_us);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	play_fini(&p);
}
