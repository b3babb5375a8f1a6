/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l4_fields — rules for connections: by port, by address, by server name.
 */
#include "addresses.h"
#include "http_fields.h"
#include "rows.h"

/* --- what both have ------------------------------------------------------- */

static const struct field tcp_destination_fields[] = {
    ROW_OF(tcp_destination, "destination", destination, destination_spec,
	.flags = FIELD_REQUIRED, .doc = "Where they go."),
    ROW(tcp_destination, "weight", weight, FIELD_INT, .min = 0,
	.max = INT32_MAX, .doc = "Its share, against the sum of the weights."),
};

static const struct message tcp_destination_message =
    MESSAGE(tcp_destination, "RouteDestination", tcp_destination_fields,
	.doc = "One destination and its share.");

static void
check_shares(struct check *c, const struct tcp_destination *items, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (uint64_t)items[i].weight;
	check_weights(c, sum, count);
}

/* The rows of both matches, apart from the names of servers. */
#define L4_MATCH_ROWS(of_struct)                                               \
	ROW(of_struct, "destinationSubnets", destination_subnets,              \
	    FIELD_STRING, .flags = FIELD_REPEATED,                             \
	    .check = check_ip_or_subnet,                                       \
	    .doc = "Addresses or networks that were called; gateways do "      \
		   "not look at them."),                                       \
	    ROW(of_struct, "port", port, FIELD_INT, .min = 0, .max = 65535,    \
		.doc = "The service's port that was called; 0 for any."),      \
	    ROW(of_struct, "sourceLabels", source_labels, FIELD_STRING_MAP,    \
		.check = check_wanted_label,                                   \
		.doc = "Labels that the calling workload has."),               \
	    ROW(of_struct, "gateways", gateways, FIELD_STRING,                 \
		.flags = FIELD_REPEATED,                                       \
		.doc = "Gateways that the match is for, instead of the "       \
		       "resource's."),                                         \
	    ROW(of_struct, "sourceNamespace", source_namespace, FIELD_STRING,  \
		.doc = "Namespace of the calling workload.")

/* --- TCP ------------------------------------------------------------------ */

static void
check_tcp_match(struct check *c, const void *message)
{
	const struct tcp_match *m = message;
	const struct gateway_list list = {m->gateways.items, m->gateways.count};

	check_gateways(c, &list, 0);
}

static const struct field tcp_match_fields[] = {
    L4_MATCH_ROWS(tcp_match),
    ROW(tcp_match, "sourceSubnet", source_subnet, FIELD_STRING,
	.flags = FIELD_INERT,
	.doc = "Address or network of the caller; no proxy looks at it, nor "
	       "does upstream's."),
};

const struct message tcp_match_message =
    MESSAGE(tcp_match, "L4MatchAttributes", tcp_match_fields,
	.check = check_tcp_match, .doc = "Which connections a rule is for.");

static void
check_tcp_route(struct check *c, const void *message)
{
	const struct tcp_route *r = message;

	check_shares(c, r->route.items, r->route.count);
}

static const struct field tcp_route_fields[] = {
    ROWS_OF(tcp_route, "match", match, tcp_match, 0,
	.doc = "Any of these; without one, every connection."),
    ROWS_OF(tcp_route, "route", route, tcp_destination, FIELD_REQUIRED,
	.doc = "Where the connections go, by weight."),
};

const struct message tcp_route_message =
    MESSAGE(tcp_route, "TCPRoute", tcp_route_fields, .check = check_tcp_route,
	.doc = "One rule for connections.");

/* --- TLS ------------------------------------------------------------------ */

static void
check_tls_match(struct check *c, const void *message)
{
	const struct tls_match *m = message;
	const struct gateway_list list = {m->gateways.items, m->gateways.count};

	check_gateways(c, &list, GATEWAYS_WARN);
}

static const struct field tls_match_fields[] = {
    ROW(tls_match, "sniHosts", sni_hosts, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_REQUIRED,
	.doc = "Names of servers that are asked for; each of a host above."),
    L4_MATCH_ROWS(tls_match),
};

const struct message tls_match_message =
    MESSAGE(tls_match, "TLSMatchAttributes", tls_match_fields,
	.check = check_tls_match, .doc = "Which connections a rule is for.");

static void
check_tls_route(struct check *c, const void *message)
{
	const struct tls_route *r = message;

	check_shares(c, r->route.items, r->route.count);
}

static const struct field tls_route_fields[] = {
    ROWS_OF(tls_route, "match", match, tls_match, FIELD_REQUIRED,
	.doc = "Any of these."),
    ROWS_OF(tls_route, "route", route, tcp_destination, FIELD_REQUIRED,
	.doc = "Where the connections go, by weight."),
};

const struct message tls_route_message =
    MESSAGE(tls_route, "TLSRoute", tls_route_fields, .check = check_tls_route,
	.doc = "One rule for TLS connections by their server name.");
