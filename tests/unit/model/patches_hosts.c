/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_hosts — a view of before with VirtualServices for several hosts,
 * which are services or not, with all of a service at once, and with what is
 * said of services that are resolved by names, is the view that is made from
 * nothing.
 */
#include <stdio.h>

#include "patched.h"
#include "play.h"
#include "unit.h"
#include "walk.h"

/* --- at random ------------------------------------------------------------ */

TEST(rules_for_several_hosts_come_go_and_change)
{
	walk_as(
	    change_around_services, SERVICE_SEEDS, OF_HOSTS, 3 * SERVICE_SEEDS);
}

TEST(rules_for_several_hosts_come_and_go_where_sidecars_hold)
{
	walk_as(change_around_services, SERVICE_SEEDS, OF_HOSTS | SCOPED,
	    3 * SERVICE_SEEDS);
}

/* As of one file that is applied, or removed. */
static void
change_several(struct world *w)
{
	size_t count = 2 + rng_below(&w->rng, 2);

	for (size_t i = 0; i < count; i++)
		if (rng_below(&w->rng, 3) == 0)
			world_come_or_go(w, rng_below(&w->rng, RULED));
		else
			come_or_go(w);
}

TEST(services_come_and_go_with_their_rules)
{
	walk_as(change_several, SERVICE_SEEDS, OF_HOSTS, 2 * SERVICE_SEEDS);
	walk_as(change_several, SERVICE_SEEDS, OF_SERVICES, SERVICE_SEEDS);
}

static void
change_around_names(struct world *w)
{
	switch (rng_below(&w->rng, 6)) {
	case 0:
		change_name(w);
		break;
	case 1:
		world_make_again(w, rng_below(&w->rng, RULED - 1));
		break;
	case 2:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(rules_for_what_is_resolved_by_names_come_go_and_change)
{
	walk_as(
	    change_around_names, SERVICE_SEEDS, OF_RESOLVED, 3 * SERVICE_SEEDS);
}

/* --- what is usual -------------------------------------------------------- */

#define SUBSETS "subsets: [{name: v1, labels: {version: v1}}]"

/* A new service with its rules in one file, whose VirtualService also names
 * what the world calls it; and its removal. */
TEST(a_service_comes_and_goes_with_all_that_is_said_of_it)
{
	static const char *const documents[] = {
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    ROUTES("a", "2020", "a",
		"timeout: 1s\n    route: "
		"[{destination: {host: a, subset: v1}}]"),
	    POLICIES("a", "a", SUBSETS),
	    ROUTES("a", "2020", "a, a.example.com",
		"timeout: 1s\n    route: "
		"[{destination: {host: a, subset: v1}}]"),
	    ROUTES("b", "2020", "shop.com", LEAD_TO("web")),
	    SCOPING("{hosts: [\"./*\", \"pay/*\"]}"),
	    SCOPING("{port: {number: 80, name: h, protocol: HTTP}, hosts: "
		    "[\"*/*\"]}, {hosts: [\"*/*\"]}"),
	    SCOPING("{port: {number: 0, name: s, protocol: HTTP}, bind: "
		    "'unix:///tmp/s', hosts: [\"pay/*\"]}, {hosts: "
		    "[\"*/*\"]}")};
	static const char *const scopes[] = {"", "5", "6", "7"};
	static const char *const steps[] = {
	    "", "012", "", "032", "0", "0324", "4", "32", "032", "12", ""};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct act acts[ARRAY_LEN(steps)] = {{.there = NULL}};
		char there[ARRAY_LEN(steps)][8];

		for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
			snprintf(there[j], sizeof(there[j]), "%s%s", scopes[i],
			    steps[j]);
			acts[j] =
			    (struct act){.there = there[j], .is_patch = j > 0};
		}
		play_from_each(&p, acts, ARRAY_LEN(acts));
	}
	play_fini(&p);
}

/* Beside a proxy and a socket, too, rules come and go. */
TEST(rules_come_and_go_where_a_listener_is_a_proxy)
{
	static const char *const documents[] = {
	    SCOPING("{port: {number: 8080, name: h, protocol: HTTP_PROXY}, "
		    "hosts: [\"./*\"]}, {hosts: [\"*/*\"]}"),
	    SCOPING("{port: {number: 0, name: s, protocol: HTTP}, bind: "
		    "'unix:///tmp/s', hosts: [\"./*\"]}, {hosts: "
		    "[\"*/*\"]}"),
	    ROUTES("a", "2020", "web", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "web, shop.com",
		"timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("c", "2019", "x.com, shop.com, cart",
		"match: [{port: 80}]\n    timeout: 3s\n    " LEAD_TO("web"))};
	static const char *const steps[] = {
	    "", "2", "23", "234", "34", "3", "4", "24", "", "34", "2"};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < 2; i++) {
		struct act acts[ARRAY_LEN(steps)] = {{.there = NULL}};
		char there[ARRAY_LEN(steps)][8];

		for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
			snprintf(
			    there[j], sizeof(there[j]), "%zu%s", i, steps[j]);
			acts[j] =
			    (struct act){.there = there[j], .is_patch = j > 0};
		}
		play_from_each(&p, acts, ARRAY_LEN(acts));
	}
	play_fini(&p);
}

/* Where its names lead is written: subsets that none has are no clusters. */
TEST(what_is_said_of_names_to_be_resolved_is_a_patch)
{
	static const char *const documents[] = {
	    ENTRY("resolution: DNS\n  endpoints:\n"
		  "  - {address: a.names.test, labels: {version: v1}}\n"
		  "  - {address: b.names.test, labels: {version: v2}}"),
	    POLICIES("a", "a.test", SUBSETS),
	    POLICIES(
		"a", "a.test", "subsets: [{name: v1, labels: {version: v3}}]"),
	    POLICIES("a", "a.test",
		"trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
	    ROUTES("a", "2020", "web",
		"timeout: 1s\n    route: "
		"[{destination: {host: a.test, port: {number: 80}, subset: "
		"v1}}]")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "03", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "024", .is_patch = true},
	    {.there = "034", .is_patch = true},
	    {.there = "04", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}
