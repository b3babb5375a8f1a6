/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_machines — ports of machines, as entries and as records have them.
 */
#include "analyse.h"
#include "documents.h"
#include "unit.h"

static const struct addr one = {.family = ADDR_V4, .bytes = {10, 0, 0, 1}};
static const struct addr two = {.family = ADDR_V4, .bytes = {10, 0, 0, 2}};
static const struct label app_a = {{"app", 3}, {"a", 1}};

/* What a node offers: a.shop, at port 80, in the network "default". */
static struct analysis_workload
offer(struct slice node, const struct addr *at)
{
	return (struct analysis_workload){.node = node,
	    .network = S("default"),
	    .addrs = at,
	    .addr_count = 1,
	    .issued_s = 1,
	    .name = S("a"),
	    .ns = S("shop"),
	    .protocol = S("http"),
	    .labels = {&app_a, 1},
	    .port = 80,
	    .healthy = true};
}

/* Documents beside what lives. */
static void
expect_beside(const struct analysis_workload *living, size_t count,
    const char *yaml, const char *wanted)
{
	const struct analysis_input known = {.workloads = living,
	    .workload_count = count,
	    .network = S("default"),
	    .flags = ANALYSIS_LIVING};

	expect_found_with(yaml, &known, wanted);
}

/* --- ports ---------------------------------------------------------------- */

#define LISTENS(name, address, app, port)                                      \
	WORKLOAD(name, "address: '" address "', labels: {app: " app            \
		       "}, ports: {http: " port "}")
#define TAKEN(name) "MSH0106 WorkloadEntry/shop/" name " spec.ports.http\n"
#define FIRST LISTENS("x", "10.0.0.1", "x", "80")

TEST(a_workload_port_belongs_to_one_workload)
{
	expect_found(
	    FIRST LISTENS("y", "10.0.0.1", "y", "80"), TAKEN("x") TAKEN("y"));
	expect_found(FIRST LISTENS("y", "10.0.0.2", "y", "80"), "");
	expect_found(FIRST LISTENS("y", "10.0.0.1", "y", "81"), "");
	/* Another entry of the same workload. */
	expect_found(FIRST LISTENS("y", "10.0.0.1", "x", "80"), "");
}

TEST(an_address_is_compared_as_one)
{
	expect_found(LISTENS("x", "fd00::1", "x", "80")
			 LISTENS("y", "fd00:0::0:1", "y", "80"),
	    TAKEN("x") TAKEN("y"));
}

TEST(an_entry_meets_what_a_living_machine_offers)
{
	struct analysis_workload a = offer(S("n"), &one);

	expect_beside(&a, 1, FIRST, TAKEN("x"));
	expect_beside(&a, 1, LISTENS("x", "10.0.0.2", "x", "80"), "");
	expect_beside(&a, 1, LISTENS("x", "10.0.0.1", "x", "81"), "");
	/* It is the workload that the machine speaks of itself. */
	expect_beside(&a, 1, LISTENS("x", "10.0.0.1", "a", "80"), "");
	expect_beside(&a, 1,
	    WORKLOAD("x", "address: 10.0.0.1, network: other, labels: {app: "
			  "x}, ports: {http: 80}"),
	    "");
	a.gone = true;
	expect_beside(&a, 1, FIRST, "");
}

TEST(of_two_that_live_at_one_port_the_younger_is_told)
{
	struct analysis_workload both[] = {
	    offer(S("n"), &one), offer(S("m"), &one)};

	both[1].name = S("b");
	expect_beside(both, 2, "", "MSH0106 Workload/shop/a@n \n");
	both[1].issued_s = 2;
	expect_beside(both, 2, "", "MSH0106 Workload/shop/b@m \n");
	both[1].addrs = &two;
	expect_beside(both, 2, "", "");
	both[1].addrs = &one;
	both[0].gone = true;
	expect_beside(both, 2, "", "");
}

/* --- offers --------------------------------------------------------------- */

#define IN_VAIN(field) "MSH0109 Service/shop/a " field "\n"

TEST(a_written_service_overrides_what_is_offered)
{
	struct analysis_workload a = offer(S("n"), &one);

	expect_beside(&a, 1, SERVICE("a", HTTP80), "");
	expect_beside(&a, 1, SERVICE("a", "{name: http, port: 81}"),
	    IN_VAIN("spec.ports"));
	expect_beside(
	    &a, 1, SERVICE("a", "{name: http, port: 81, targetPort: 80}"), "");
	expect_beside(&a, 1,
	    SERVICE("a", "{name: http, port: 81, targetPort: http}"), "");
	expect_beside(&a, 1,
	    SERVICE_OF("a", "selector: {app: b}, ports: [" HTTP80 "]")
		POD("p", "app: b"),
	    IN_VAIN("spec.selector"));
	expect_beside(&a, 1, SERVICE("b", "{name: http, port: 81}"),
	    "MSH0103 Service/shop/b spec\n");
	a.gone = true;
	expect_beside(&a, 1, SERVICE("a", "{name: http, port: 81}"),
	    "MSH0103 Service/shop/a spec\n");
}

TEST(a_service_without_a_selector_needs_a_machine_that_offers_it)
{
	struct analysis_workload both[] = {
	    offer(S("n"), &one), offer(S("m"), &two)};
	static const char told[] = "MSH0103 Service/shop/a spec\n";

	expect_beside(both, 2, SERVICE("a", HTTP80), "");
	both[0].healthy = false;
	expect_beside(both, 2, SERVICE("a", HTTP80), "");
	both[1].healthy = false;
	expect_beside(both, 2, SERVICE("a", HTTP80), told);
	expect_beside(NULL, 0, SERVICE("a", HTTP80), told);
	both[1].ns = S("other");
	both[1].healthy = true;
	expect_beside(both, 2, SERVICE("a", HTTP80), told);
}

TEST(without_a_written_service_the_older_offer_is_right)
{
	struct analysis_workload both[] = {
	    offer(S("n"), &one), offer(S("m"), &two)};

	expect_beside(both, 2, "", "");
	both[0].protocol = S("tcp");
	expect_beside(both, 2, "", "MSH0109 Workload/shop/a@n \n");
	both[1].issued_s = 2;
	expect_beside(both, 2, "", "MSH0109 Workload/shop/a@m \n");
	expect_beside(both, 2, SERVICE("a", HTTP80), "");
	both[1].port = 81;
	expect_beside(both, 2, "", "");
}

/* --- subsets -------------------------------------------------------------- */

#define SELECTS_A SERVICE_OF("a", "selector: {app: a}, ports: [" HTTP80 "]")
#define SUBSETS                                                                \
	RULE("d", "host: a, subsets: [{name: v1, labels: {version: v1}}, "     \
		  "{name: v2, labels: {version: v2}}]")
#define LEAD_TO(subset) "{destination: {host: a, subset: " subset "}}"
#define TO_V2 ROUTE("r", RULES_TO(LEAD_TO("v2")))
#define NOBODY "MSH0103 DestinationRule/shop/d spec.subsets[1]\n"

TEST(a_subset_that_a_route_takes_needs_somebody_healthy)
{
	const struct label v1[] = {app_a, {S("version"), S("v1")}};
	const struct label v2[] = {app_a, {S("version"), S("v2")}};
	struct analysis_workload both[] = {
	    offer(S("n"), &one), offer(S("m"), &two)};

	both[0].labels = (struct labels){v1, ARRAY_LEN(v1)};
	both[1].labels = (struct labels){v2, ARRAY_LEN(v2)};
	expect_beside(both, 2, SELECTS_A SUBSETS TO_V2, "");
	both[1].healthy = false;
	expect_beside(both, 2, SELECTS_A SUBSETS TO_V2, NOBODY);
	/* Without a written Service it is the same. */
	expect_beside(both, 2, SUBSETS TO_V2, NOBODY);
	expect_beside(both, 2, SELECTS_A SUBSETS, "");
	expect_beside(
	    both, 2, SELECTS_A SUBSETS ROUTE("r", RULES_TO(LEAD_TO("v1"))), "");
	/* That nobody is healthy is said once. */
	both[0].healthy = false;
	expect_beside(both, 2, SELECTS_A SUBSETS TO_V2,
	    "MSH0103 Service/shop/a spec.selector\n");
	expect_beside(both, 1, SELECTS_A SUBSETS TO_V2,
	    "IST0173 DestinationRule/shop/d spec.subsets[1]\n"
	    "MSH0103 Service/shop/a spec.selector\n");
}

TEST(a_subset_is_one_of_what_serves_the_host)
{
	const struct label v2[] = {{S("app"), S("b")}, {S("version"), S("v2")}};
	struct analysis_workload both[] = {
	    offer(S("n"), &one), offer(S("m"), &two)};

#define A_AND_V2                                                               \
	RULE("d", "host: a, subsets: [{name: v1, labels: {app: a}}, {name: "   \
		  "v2, labels: {version: v2}}]")                               \
	TO_V2
#define LISTED                                                                 \
	ENTRY("e", "hosts: [a], resolution: STATIC, location: MESH_INTERNAL, " \
		   "ports: [{number: 80, name: http, protocol: HTTP}], "       \
		   "endpoints: [{address: 1.1.1.1, labels: {version: v2}}]")
	/* Another service has the labels. */
	both[1].name = S("b");
	both[1].labels = (struct labels){v2, ARRAY_LEN(v2)};
	expect_beside(both, 2, SELECTS_A A_AND_V2, NOBODY);
	expect_beside(both, 2, LISTED A_AND_V2, "");
}
