/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network — the fields of Network.
 */
#include "addresses.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

enum { ONEOF_ENDPOINTS = 1, ONEOF_GATEWAY = 1 };

static void
check_registry(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_dns_label(*s))
		check_error(c, ERR_INVALID,
		    "invalid registry name \"%.*s\": at most 63 letters, "
		    "digits and dashes inside",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static const struct field endpoints_fields[] = {
    ROW(network_endpoints, "fromCidr", from_cidr, FIELD_STRING,
	.oneof = ONEOF_ENDPOINTS, .check = check_ip_or_subnet,
	.doc = "Addresses of the network: 10.1.0.0/16."),
    ROW(network_endpoints, "fromRegistry", from_registry, FIELD_STRING,
	.oneof = ONEOF_ENDPOINTS, .check = check_registry,
	.doc = "Everything that this registry knows is in the network."),
};

static const struct message network_endpoints_message =
    MESSAGE(network_endpoints, "NetworkEndpoints", endpoints_fields,
	.doc = "What belongs to the network.");

static const struct field gateway_fields[] = {
    ROW(network_gateway, "registryServiceName", registry_service_name,
	FIELD_STRING, .oneof = ONEOF_GATEWAY, .check = check_host,
	.doc = "Host of the service that lets into the network."),
    ROW(network_gateway, "address", address, FIELD_STRING,
	.oneof = ONEOF_GATEWAY, .check = check_ip,
	.doc = "Address of what lets into the network; no name."),
    ROW(network_gateway, "port", port, FIELD_INT, .flags = FIELD_REQUIRED,
	.min = 1, .max = 65535, .doc = "Port that it listens on."),
    ROW(network_gateway, "locality", locality, FIELD_STRING,
	.doc = "Where it is: region/zone/subzone."),
};

static const struct message network_gateway_message = MESSAGE(network_gateway,
    "NetworkGateway", gateway_fields, .doc = "A way into the network.");

static const struct field network_fields[] = {
    ROWS_OF(network, "endpoints", endpoints, network_endpoints, 0,
	.doc = "What belongs to the network."),
    ROWS_OF(network, "gateways", gateways, network_gateway, 0,
	.doc = "Ways into it, for those who are in another one."),
};

const struct message network_message =
    MESSAGE(network, "Network", network_fields,
	.doc = "One network: who is in it, and how others reach them.");

const struct resource_kind kind_network = {
    .group = "meshd.dev",
    .kind = "Network",
    .plural = "networks",
    .alias = "net",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &network_message,
    .mesh_wide = true,
    .flags = FIELD_INERT,
};
