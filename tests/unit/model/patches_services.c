/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_services — a view of before with other services, of records and of
 * resources, is the view that is made from nothing.
 */

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

TEST(services_of_records_come_go_and_change)
{
	walk_as(change_told, FEW_SEEDS, OF_SERVICES, 4 * FEW_SEEDS);
}

TEST(services_come_go_and_change)
{
	walk_as(change_service, SERVICE_SEEDS, OF_SERVICES, 2 * SERVICE_SEEDS);
}

TEST(services_change_with_all_that_is_said_of_them)
{
	walk_as(change_around_services, SERVICE_SEEDS, OF_SERVICES,
	    2 * SERVICE_SEEDS);
}

TEST(services_are_called_where_their_endpoints_are_now)
{
	walk_as(change_around_services, SERVICE_SEEDS, OF_HEADLESS,
	    7 * SERVICE_SEEDS / 2);
}

TEST(services_come_and_go_where_rules_are_for_them)
{
	walk_as(
	    change_around_services, SERVICE_SEEDS, OF_NAMES, 2 * SERVICE_SEEDS);
}

/* Another machine exposes what nobody here knew, and no more. */
TEST(a_service_that_is_exposed_is_a_patch)
{
	static const struct view_port_input ports[] = {
	    {80, {"http", 4}, {"http", 4}}, {9000, {"tcp", 3}, {"tcp", 3}}};
	static const struct {
		size_t services, ports, endpoints;
		const char *origin;
	} steps[] = {{1, 1, 1, "a"}, {2, 1, 1, "a"}, {2, 1, 2, "a"},
	    {2, 2, 1, "a"}, {2, 2, 1, "b"}, {2, 2, 0, "b"}, {1, 1, 1, "b"},
	    {2, 1, 1, "b"}, {0, 0, 0, "b"}, {1, 1, 1, "a"}};
	struct view_endpoint_input all[] = {
	    {.addr = {ADDR_V4, {10, 0, 0, 1}, 80}, .node = S("n"), .weight = 1},
	    {.addr = {ADDR_V4, {10, 0, 0, 2}, 80},
		.node = S("m"),
		.weight = 1}};
	struct view_service_input told[] = {
	    {S("b"), S("shop"), ports, 1, S("b")},
	    {S("a"), S("shop"), ports, 1, S("a")}};
	struct view_serving servings[] = {
	    {S("b"), S("shop"), 1, all, 1}, {S("a"), S("shop"), 1, all, 1}};
	struct view_input in = {.ns = S("shop"),
	    .services = told,
	    .servings = servings,
	    .version = 1};
	struct view *before = NULL;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i].service = S("a");
		all[i].service_ns = S("shop");
		all[i].service_port = 80;
	}
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		AUTO(view_unref) struct view *alone = NULL;
		struct view *v;

		in.lists_version++;
		in.service_count = in.serving_count = steps[i].services;
		told[1].port_count = steps[i].ports;
		told[1].origin = slice_str(steps[i].origin);
		servings[1].count = steps[i].endpoints;
		servings[1].version++;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_TRUE(before == NULL || is_patch(v, before));
		in.before = NULL;
		EXPECT_OK(view_compile(&in, &alone, NULL));
		EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
		EXPECT_EQ(view_find_host(v, NULL, S("a"), 80) != NULL,
		    steps[i].services == 2);
		view_unref(&before);
		before = v;
	}
	view_unref(&before);
}

TEST(ordinary_services_are_patches)
{
	static const char *const documents[] = {
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT
			", {name: tcp, port: 3306}]"),
	    SERVICE("", "selector: {app: a}, ports: [{name: grpc, port: 80}]"),
	    SERVICE("x: y", "ports: [" HTTP_PORT "]"),
	    SERVICE("", "clusterIP: 10.1.1.9, ports: [" HTTP_PORT
			", {name: tcp, port: 3306}]"),
	    ENTRY("resolution: STATIC\n  endpoints: [{address: 10.9.0.1}]"),
	    ENTRY("resolution: STATIC\n  exportTo: [pay]"),
	    ENTRY("resolution: DNS"), ENTRY("resolution: NONE"),
	    ENTRY("resolution: DNS_ROUND_ROBIN\n"
		  "  endpoints: [{address: a.names.test}]")};
	static const struct act acts[] = {{.there = ""},
	    {.there = "0", .is_patch = true}, {.there = "1", .is_patch = true},
	    {.there = "2", .is_patch = true}, {.there = "3", .is_patch = true},
	    {.there = "4", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "05", .is_patch = true}, {.there = "6", .is_patch = true},
	    {.there = "5", .is_patch = true}, {.there = "7", .is_patch = true},
	    {.there = "8", .is_patch = true}, {.there = "94", .is_patch = true},
	    {.there = "4", .is_patch = true}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

TEST(an_entry_that_chooses_is_a_patch_and_no_bar_to_others)
{
	static const char *const documents[] = {
	    ENTRY("resolution: STATIC\n"
		  "  workloadSelector: {labels: {version: v1}}"),
	    ENTRY("resolution: STATIC\n"
		  "  workloadSelector: {labels: {app: a}}"),
	    RESOURCE("WorkloadEntry", "w", "2020",
		"  address: 10.9.9.1\n  labels: {version: v1}\n"),
	    RESOURCE("WorkloadEntry", "w", "2020",
		"  address: 10.9.9.2\n  labels: {version: v1, app: a}\n"),
	    RESOURCE("WorkloadEntry", "w", "2020", "  address: 10.9.9.3\n"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    ROUTES("a", "2020", "web", LEAD_TO("a.test"))};
	static const struct act acts[] = {{.there = ""},
	    {.there = "0", .is_patch = true}, {.there = "02", .is_patch = true},
	    {.there = "03", .is_patch = true},
	    {.there = "13", .is_patch = true},
	    {.there = "12", .is_patch = true},
	    {.there = "026", .is_patch = true},
	    {.there = "0356", .is_patch = true},
	    {.there = "045", .is_patch = true},
	    {.there = "5", .is_patch = true}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

TEST(what_is_said_of_a_service_follows_it)
{
	static const char *const documents[] = {
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("x: y", "ports: [" HTTP_PORT "]"),
	    ROUTES("a", "2020", "a",
		"timeout: 1s\n    route: "
		"[{destination: {host: a, subset: v1}}]"),
	    POLICIES("a", "a", "subsets: [{name: v1, labels: {version: v1}}]"),
	    ROUTES("b", "2020", "web", "timeout: 2s\n    " LEAD_TO("a"))};
	static const struct act acts[] = {{.there = "0234"},
	    {.there = "1234", .is_patch = true},
	    {.there = "0234", .is_patch = true},
	    {.there = "034", .is_patch = true}};
	static const struct act without[] = {{.there = "034"},
	    {.there = "14", .is_patch = true}, {.there = "4", .is_patch = true},
	    {.there = "04", .is_patch = true}, {.there = "3", .is_patch = true},
	    {.there = "03", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "", .is_patch = true}};
	/* Whose requests a rule decides about comes or goes. */
	static const struct act others[] = {{.there = "02"},
	    {.there = "2", .is_patch = true}, {.there = "02", .is_patch = true},
	    {.there = "12", .is_patch = true},
	    {.there = "2", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_from_each(&p, without, ARRAY_LEN(without));
	play_from_each(&p, others, ARRAY_LEN(others));
	play_fini(&p);
}

/* What two claim, what is many, and what leads to this machine. */
TEST(services_that_meddle_are_made_from_nothing)
{
	static const char *const documents[] = {
	    SERVICE("", "ports: [" HTTP_PORT "]"),
	    SERVICE("", "clusterIP: None, ports: [" HTTP_PORT "]"),
	    SERVICE("", "type: ExternalName, externalName: web.shop"),
	    RESOURCE("ServiceEntry", "e", "2020",
		"  hosts: [a.shop.svc.cluster.local]\n"
		"  ports: [{number: 80, name: http, protocol: HTTP}]\n"
		"  resolution: DNS\n"),
	    RESOURCE("ServiceEntry", "w", "2020",
		"  hosts: [\"*.test\"]\n"
		"  ports: [{number: 80, name: http, protocol: HTTP}]\n"
		"  resolution: NONE\n")};
	static const struct act acts[] = {{.there = "0"}, {.there = "03"},
	    {.there = "3"}, {.there = "1", .is_patch = true}, {.there = "2"},
	    {.there = "4"}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* Where records tell of a host and something is written for it, and the other
 * way round; which has a problem of its own. */
TEST(what_is_written_takes_the_place_of_records)
{
	static const struct view_port_input port = {
	    3306, {"tcp", 3}, {"tcp", 3}};
	static const struct view_service_input told[] = {
	    {{"a", 1}, {"shop", 4}, &port, 1, {"a record", 8}},
	    {{"b", 1}, {"shop", 4}, &port, 1, {"a record", 8}}};
	static const struct {
		bool is_written;
		size_t told;
	} steps[] = {{false, 2}, {true, 2}, {false, 2}, {true, 1}, {false, 0},
	    {true, 0}, {true, 2}, {false, 1}, {false, 2}};
	struct resource *r =
	    resource_of(SERVICE("", "ports: [{name: tcp, port: 3306}]"));

	for (size_t from = 0; from < ARRAY_LEN(steps); from++) {
		struct view *before = NULL;

		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			size_t n = (from + i) % ARRAY_LEN(steps);
			AUTO(view_unref) struct view *alone = NULL;
			struct view_input in = {.ns = S("shop"),
			    .resources = (const struct resource *const *)&r,
			    .resource_count = steps[n].is_written,
			    .services = told,
			    .service_count = steps[n].told,
			    .version = 1};
			struct view *v;

			EXPECT_OK(view_compile(&in, &alone, NULL));
			in.before = before;
			EXPECT_OK(view_compile(&in, &v, NULL));
			EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
			EXPECT_TRUE(before == NULL || is_patch(v, before));
			view_unref(&before);
			before = v;
		}
		view_unref(&before);
	}
	resource_unref(&r);
}
