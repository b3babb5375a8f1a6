/* SPDX-License-Identifier: Apache-2.0 */
/*
 * localities — which endpoints are preferred, by places and by labels.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define AT(n, locality, more)                                                  \
	"{address: 192.0.2." n ", locality: '" locality "'" more "}"
#define MESH_OF(endpoints)                                                     \
	ENTRY("e",                                                             \
	    "hosts: [e.com], resolution: STATIC, ports: [{number: 80, name: "  \
	    "h, protocol: HTTP}], endpoints: [" endpoints "]")
#define FIVE                                                                   \
	MESH_OF(AT("5", "eu/b/1", "") ", " AT(                                 \
	    "4", "us/a/1", ", weight: 3") ", " AT("3", "us/b/1",               \
	    "") ", " AT("2", "us/a/2", "") ", " AT("1", "as/a/1", ""))
#define BALANCED(more)                                                         \
	OF(NET, "DestinationRule", NAMED("r"),                                 \
	    "host: e.com, trafficPolicy: {" more "}")
#define NOTICED "outlierDetection: {}"
#define PLACES(setting)                                                        \
	BALANCED(NOTICED ", loadBalancer: {localityLbSetting: {" setting "}}")

/* "192.0.2.4 0 3, …": address, priority, weight of the locality. */
static const char *
arranged(const char *yaml, const struct view_input *in)
{
	static char text[1024];
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster *of;
	size_t n = 0;

	text[0] = '\0';
	compiled_init_from(&c, yaml, in);
	of = view_find_cluster(c.v, S("outbound|80||e.com"));
	for (size_t i = 0; i < of->locality_count; i++) {
		const struct view_locality *l = &of->localities[i];

		for (size_t j = 0; j < l->count; j++) {
			char addr[ADDR_TEXT_MAX];

			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%s %u %u", n > 0 ? ", " : "",
			    addr_format_ip(
				&of->endpoints[l->first + j]->addr, addr) +
				strlen("192.0.2."),
			    (unsigned)l->priority, (unsigned)l->weight);
		}
	}
	return text;
}

static const struct view_input us_a_1 = {.locality = {"us/a/1", 6}};

TEST(places_are_groups_and_all_alike_where_no_failure_is_noticed)
{
	EXPECT_STR(
	    arranged(FIVE, &us_a_1), "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
	EXPECT_STR(arranged(FIVE BALANCED("loadBalancer: {localityLbSetting: "
					  "{failover: [{from: us, to: eu}]}}"),
		       &us_a_1),
	    "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
}

TEST(what_is_nearer_comes_first_once_failures_are_noticed)
{
	const struct view_input far = {.locality = {"af/x/y", 6}};

	EXPECT_STR(arranged(FIVE BALANCED(NOTICED), &us_a_1),
	    "4 0 3, 2 1 1, 3 2 1, 1 3 1, 5 3 1");
	EXPECT_STR(arranged(FIVE BALANCED(NOTICED), &far),
	    "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
	EXPECT_STR(arranged(FIVE PLACES("enabled: false"), &us_a_1),
	    "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
	EXPECT_STR(arranged(FIVE BALANCED(NOTICED)
				MESH("localityLbSetting: {enabled: false}"),
		       &us_a_1),
	    "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
}

TEST(the_region_that_is_named_takes_over_first)
{
	EXPECT_STR(
	    arranged(FIVE PLACES("failover: [{from: us, to: eu}]"), &us_a_1),
	    "4 0 3, 2 1 1, 3 2 1, 5 3 1, 1 4 1");
}

#define TWO_ZONES                                                              \
	MESH_OF(AT("1", "us/a/1", ", labels: {v: a, w: x}") ", " AT(           \
	    "2", "us/a/1", ", labels: {v: a}") ", " AT("3", "us/a/1",          \
	    ", labels: {w: x}") ", " AT("4", "us/b/1",                         \
	    ", labels: {v: a, w: x}"))

TEST(labels_say_who_is_near_one_after_the_other)
{
	static const struct label own[] = {
	    {{"v", 1}, {"a", 1}}, {{"w", 1}, {"x", 1}}};
	struct view_input in = {.locality = {"us/a/1", 6}, .labels = {own, 2}};

	EXPECT_STR(arranged(TWO_ZONES PLACES("failoverPriority: [v, w]"), &in),
	    "1 0 1, 4 0 1, 2 1 1, 3 2 1");
	EXPECT_STR(
	    arranged(TWO_ZONES PLACES("failoverPriority: ['w=y', v]"), &in),
	    "1 0 3, 2 0 3, 3 0 3, 4 0 1");
	EXPECT_STR(arranged(TWO_ZONES PLACES("failoverPriority: "
					     "[topology.kubernetes.io/zone]"),
		       &in),
	    "1 0 3, 2 0 3, 3 0 3, 4 1 1");
	in.labels.count = 0; /* upstream asks nobody without labels */
	EXPECT_STR(arranged(TWO_ZONES PLACES("failoverPriority: [v, w]"), &in),
	    "1 0 3, 2 0 3, 3 0 3, 4 0 1");
}

TEST(shares_are_by_percent_and_who_has_none_is_left_out)
{
	EXPECT_STR(arranged(FIVE PLACES("distribute: [{from: 'us/*', to: "
					"{'us/a/*': 80, 'eu/*': 20}}]"),
		       &us_a_1),
	    "5 0 20, 4 0 60, 2 0 20");
	/* Nobody says anything of calls from here. */
	EXPECT_STR(arranged(FIVE PLACES("distribute: [{from: 'eu/*', to: "
					"{'us/*': 100}}]"),
		       &us_a_1),
	    "1 0 1, 5 0 1, 4 0 3, 2 0 1, 3 0 1");
}

TEST(zones_balance_within_their_region)
{
	EXPECT_STR(arranged(FIVE BALANCED("loadBalancer: {zoneAwareLbSetting: "
					  "{failover: [{from: us, to: eu}]}}"),
		       &us_a_1),
	    "4 0 3, 2 0 1, 3 0 1, 5 1 1, 1 2 1");
}

TEST(a_label_says_the_place_where_nothing_else_does)
{
	static const struct label here[] = {
	    {{"istio-locality", 14}, {"us.b.1", 6}}};
	const struct view_input in = {.labels = {here, 1}};

	EXPECT_STR(arranged(FIVE BALANCED(NOTICED), &in),
	    "3 0 1, 4 1 3, 2 1 1, 1 2 1, 5 2 1");
}

TEST(callers_with_other_labels_have_other_clusters_only_where_it_matters)
{
	static const struct label own[] = {{{"v", 1}, {"a", 1}}};
	const struct view_upstream_input upstream = {.name = {"u", 1},
	    .host = {"e.com", 5},
	    .ns = {"elsewhere", 9},
	    .account = {"x", 1}};
	const struct view_input in = {
	    .labels = {own, 1}, .upstreams = &upstream, .upstream_count = 1};
	static const struct {
		const char *yaml;
		size_t clusters;
	} rows[] = {
	    {TWO_ZONES BALANCED(NOTICED), 1},
	    {TWO_ZONES PLACES("failoverPriority: [v]"), 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		const struct view_cluster *one;
		size_t found = 0;

		compiled_init_from(&c, rows[i].yaml, &in);
		for (size_t j = 0; (one = view_next_cluster(c.v, &j)) != NULL;)
			found += slice_eq(one->service->host, S("e.com"));
		EXPECT_EQ(found, rows[i].clusters);
	}
}
