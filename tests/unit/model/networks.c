/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks — gateways in the place of what lies in other networks.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define AT(n, network, more)                                                   \
	"{address: 192.0.2." n ", network: " network                           \
	", labels: {security.istio.io/tlsMode: istio" more "}}"
#define MESH_OF(endpoints)                                                     \
	ENTRY("e",                                                             \
	    "hosts: [e.com], location: MESH_INTERNAL, resolution: STATIC, "    \
	    "ports: [{number: 80, name: h, protocol: HTTP}], endpoints: "      \
	    "[" endpoints "]")
#define NETWORK(name, spec) OF("meshd.dev/v1", "Network", "name: " name, spec)
#define BY(gateways) "gateways: [" gateways "]"
#define GW(address) "{address: " address ", port: 15443}"
#define EAST NETWORK("east", BY(GW("203.0.113.1")))
#define FOUR                                                                   \
	MESH_OF(AT("1", "west", "") ", " AT("2", "east", "") ", " AT(          \
	    "3", "east", "") ", " AT("4", "south", ""))
#define TLS_OF(mode)                                                           \
	OF(NET, "DestinationRule", NAMED("r"),                                 \
	    "host: e.com, trafficPolicy: {tls: {mode: " mode "}}")

static const struct view_input in_west = {.network = {"west", 4}};

/* "192.0.2.1:80 1, …": address and weight. */
static const char *
seen(const struct compiled *c)
{
	static char text[1024];
	const struct view_cluster *of =
	    view_find_cluster(c->v, S("outbound|80||e.com"));
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < of->endpoint_count; i++) {
		char addr[ENDPOINT_TEXT_MAX];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %u",
		    n > 0 ? ", " : "",
		    view_endpoint_address(of->endpoints[i], addr),
		    (unsigned)of->endpoints[i]->weight);
	}
	return text;
}

static const char *
from_west(const char *yaml)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init_from(&c, yaml, &in_west);
	return seen(&c);
}

TEST(a_gateway_stands_for_all_of_its_network)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster *of;

	compiled_init_from(&c, FOUR EAST, &in_west);
	EXPECT_STR(
	    seen(&c), "203.0.113.1:15443 2, 192.0.2.4:80 1, 192.0.2.1:80 1");
	of = view_find_cluster(c.v, S("outbound|80||e.com"));
	EXPECT_TRUE(of->endpoints[0]->gateway);
	EXPECT_FALSE(of->endpoints[0]->usable);
	EXPECT_SLICE(of->endpoints[0]->reason,
	    S("not in force yet: through a gateway of network east"));
	EXPECT_EQ(of->usable_count, 2);
}

TEST(without_gateways_and_from_inside_everything_is_direct)
{
	const struct view_input in_east = {.network = {"east", 4}};
	AUTO(compiled_fini) struct compiled c;

	EXPECT_STR(from_west(FOUR),
	    "192.0.2.2:80 1, 192.0.2.3:80 1, 192.0.2.4:80 1, 192.0.2.1:80 1");
	compiled_init_from(&c, FOUR EAST, &in_east);
	EXPECT_STR(seen(&c),
	    "192.0.2.2:80 1, 192.0.2.3:80 1, 192.0.2.4:80 1, 192.0.2.1:80 1");
}

TEST(several_gateways_share_the_weight_exactly)
{
	EXPECT_STR(from_west(FOUR NETWORK("east",
		       BY(GW("203.0.113.1") ", " GW("203.0.113.2") ", " GW(
			   "203.0.113.3"))) NETWORK("south",
		       BY(GW("203.0.113.8") ", " GW("203.0.113.9")))),
	    "203.0.113.1:15443 4, 203.0.113.2:15443 4, 203.0.113.3:15443 4, "
	    "203.0.113.8:15443 3, 203.0.113.9:15443 3, 192.0.2.1:80 6");
}

TEST(what_has_no_mutual_tls_does_not_pass_a_gateway)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init_from(&c,
	    MESH_OF("{address: 192.0.2.1, network: east}, " AT("2", "east", ""))
		EAST,
	    &in_west);
	EXPECT_STR(seen(&c), "203.0.113.1:15443 1");
	EXPECT_TRUE(
	    compiled_tells(&c, "only mutual TLS passes their gateways"));
	EXPECT_STR(from_west(FOUR EAST TLS_OF("DISABLE")),
	    "192.0.2.4:80 1, 192.0.2.1:80 1");
	EXPECT_STR(from_west(MESH_OF("{address: 192.0.2.1, network: east}")
			   EAST TLS_OF("ISTIO_MUTUAL")),
	    "203.0.113.1:15443 1");
}

TEST(what_has_no_address_counts_behind_its_gateway)
{
	EXPECT_STR(from_west(MESH_OF(
		       AT("1", "east", "") ", {network: east, weight: "
					   "5, serviceAccount: e}") EAST),
	    "203.0.113.1:15443 6");
}

TEST(a_place_lies_in_the_network_of_its_label)
{
	const struct label east[] = {
	    {S("topology.istio.io/network"), S("east")}};
	const struct explain_place place = {.labels = {east, 1}};
	struct view_input in = {.network = S("west")};
	AUTO(compiled_fini) struct compiled c;

	explain_view_input(&place, &in);
	compiled_init_from(&c, FOUR EAST, &in);
	EXPECT_STR(seen(&c),
	    "192.0.2.2:80 1, 192.0.2.3:80 1, 192.0.2.4:80 1, 192.0.2.1:80 1");
}

TEST(an_address_of_its_range_lies_in_a_network)
{
	EXPECT_STR(from_west(MESH_OF(AT("1", "''", "") ", " AT("129", "''", ""))
			   NETWORK("east",
			       "endpoints: [{fromCidr: 192.0.2.128/25}], " BY(
				   GW("203.0.113.1")))),
	    "192.0.2.1:80 1, 203.0.113.1:15443 1");
}

TEST(a_gateway_may_be_a_service)
{
	EXPECT_STR(
	    from_west(FOUR ENTRY("gw",
		"hosts: [gw.com], resolution: STATIC, ports: [{number: 1, "
		"name: t, protocol: TCP}], endpoints: [{address: 203.0.113.5}]")
		    NETWORK("east", BY("{registryServiceName: gw.com, port: "
				       "15443}"))),
	    "203.0.113.5:15443 2, 192.0.2.4:80 1, 192.0.2.1:80 1");
}
