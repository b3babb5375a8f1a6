/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_service — the fields of VirtualService.
 *
 * The messages of requests are in http_fields.c; here are the top, TCP and
 * what both share.
 */
#include "http_fields.h"
#include "resource.h"
#include "rows.h"

/* --- destinations --------------------------------------------------------- */

static void
check_destination_host(struct check *c, const void *value)
{
	const struct slice *host = value;

	if (slice_eq(*host, S("*")))
		check_error(c, ERR_INVALID,
		    "\"*\" is no destination: name one service");
	else
		check_wildcard_host(c, host);
}

static const struct field port_selector_fields[] = {
    {.name = "number",
	.type = FIELD_INT,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct port_selector, number),
	.min = 1,
	.max = 65535,
	.doc = "The service's port."},
};

static const struct message port_selector_message = {
    .name = "PortSelector",
    .size = sizeof(struct port_selector),
    .fields = port_selector_fields,
    .field_count = ARRAY_LEN(port_selector_fields),
    .doc = "One port of a service.",
};

static const struct field destination_fields[] = {
    {.name = "host",
	.type = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct destination_spec, host),
	.check = check_destination_host,
	.doc = "The service; a short name is one of the rule's namespace."},
    {.name = "subset",
	.type = FIELD_STRING,
	.offset = offsetof(struct destination_spec, subset),
	.check = check_subset_name,
	.doc = "A subset of it, as its DestinationRule names them."},
    {.name = "port",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct destination_spec, port),
	.of = &port_selector_message,
	.doc = "Which port, if the service has several."},
};

const struct message destination_message = {
    .name = "Destination",
    .size = sizeof(struct destination_spec),
    .fields = destination_fields,
    .field_count = ARRAY_LEN(destination_fields),
    .doc = "Where requests or connections go.",
};

void
check_weights(struct check *c, uint64_t sum, size_t count)
{
	struct check at = check_member(c, "route");

	if (count > 1 && sum == 0)
		check_error(&at, ERR_INVALID,
		    "the weights of several destinations add up to 0");
	else if (sum > UINT32_MAX)
		check_error(&at, ERR_INVALID,
		    "the weights add up to more than %llu",
		    (unsigned long long)UINT32_MAX);
}

/* --- TCP ------------------------------------------------------------------ */

static const struct field tcp_match_fields[] = {
    {.name = "port",
	.type = FIELD_INT,
	.offset = offsetof(struct tcp_match, port),
	.min = 1,
	.max = 65535,
	.doc = "The service's port that was called."},
    UNBUILT("destinationSubnets", "Addresses that were called."),
    UNBUILT("sourceSubnet", "Addresses of the caller."),
    UNBUILT("sourceLabels", "Labels of the calling workload."),
    UNBUILT("sourceNamespace", "Namespace of the calling workload."),
    UNBUILT("gateways", "Gateways that the match is for."),
};

static const struct message tcp_match_message = {
    .name = "L4MatchAttributes",
    .size = sizeof(struct tcp_match),
    .fields = tcp_match_fields,
    .field_count = ARRAY_LEN(tcp_match_fields),
    .doc = "Which connections a rule is for.",
};

static const struct field tcp_destination_fields[] = {
    {.name = "destination",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct tcp_destination, destination),
	.of = &destination_message,
	.doc = "Where they go."},
    {.name = "weight",
	.type = FIELD_INT,
	.offset = offsetof(struct tcp_destination, weight),
	.min = 0,
	.max = INT32_MAX,
	.doc = "Its share, against the sum of the weights."},
};

static const struct message tcp_destination_message = {
    .name = "RouteDestination",
    .size = sizeof(struct tcp_destination),
    .fields = tcp_destination_fields,
    .field_count = ARRAY_LEN(tcp_destination_fields),
    .doc = "One destination and its share.",
};

static void
check_tcp_route(struct check *c, const void *message)
{
	const struct tcp_route *r = message;
	uint64_t sum = 0;

	for (size_t i = 0; i < r->route.count; i++)
		sum += (uint64_t)r->route.items[i].weight;
	check_weights(c, sum, r->route.count);
}

static const struct field tcp_route_fields[] = {
    {.name = "match",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct tcp_route, match),
	.of = &tcp_match_message,
	.doc = "Any of these; without one, every connection."},
    {.name = "route",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED | FIELD_REQUIRED,
	.offset = offsetof(struct tcp_route, route),
	.of = &tcp_destination_message,
	.doc = "Where the connections go, by weight."},
};

static const struct message tcp_route_message = {
    .name = "TCPRoute",
    .size = sizeof(struct tcp_route),
    .fields = tcp_route_fields,
    .field_count = ARRAY_LEN(tcp_route_fields),
    .check = check_tcp_route,
    .doc = "One rule for connections.",
};

/* --- top ------------------------------------------------------------------ */

static void
check_gateway(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!slice_eq(*s, S("mesh")))
		check_error(c, ERR_UNSUPPORTED,
		    "gateways other than \"mesh\" are not supported yet");
}

static void
check_hosts_differ(struct check *c, const struct virtual_service *vs)
{
	for (size_t j = 0; j < vs->hosts.count; j++)
		for (size_t i = 0; i < j; i++) {
			struct slice a = vs->hosts.items[i];
			struct slice b = vs->hosts.items[j];
			struct check at;

			if (!host_is_inside(a, b) && !host_is_inside(b, a))
				continue;
			at = check_member(c, "hosts[%zu]", j);
			check_error(&at, ERR_INVALID,
			    "duplicate hosts in virtual service: \"%.*s\" "
			    "and \"%.*s\"",
			    SLICE_ARG(a), SLICE_ARG(b));
			break;
		}
}

/* An empty list is as good as none; a list of wrong ones was reported. */
static bool
hosts_are_absent(const struct check *c)
{
	const struct value *v = value_get(c->node, S("hosts"));

	return !check_given(c, "hosts") ||
	       (v->type == VALUE_LIST && v->count == 0);
}

/* Inside the mesh a VirtualService may not be about everything. */
static void
check_host_of_mesh(struct check *c, const struct virtual_service *vs)
{
	bool mesh = vs->gateways.count == 0;

	for (size_t i = 0; i < vs->gateways.count; i++)
		mesh = mesh || slice_eq(vs->gateways.items[i], S("mesh"));
	for (size_t i = 0; mesh && i < vs->hosts.count; i++) {
		struct check at = check_member(c, "hosts[%zu]", i);

		if (slice_eq(vs->hosts.items[i], S("*")))
			check_error(&at, ERR_INVALID,
			    "the wildcard host \"*\" may not be used inside "
			    "the mesh; only gateways may");
	}
	if (vs->hosts.count == 0 && hosts_are_absent(c)) {
		struct check at = check_member(c, "hosts");

		check_error(&at, ERR_UNSUPPORTED,
		    "are missing: a delegate, which is not supported yet");
	}
}

enum { VS_HOSTS_MAX = 256 };

static void
check_virtual_service(struct check *c, const void *message)
{
	const struct virtual_service *vs = message;

	if (vs->hosts.count > VS_HOSTS_MAX) {
		struct check at = check_member(c, "hosts");

		check_error(
		    &at, ERR_LIMIT, "more than %d hosts", (int)VS_HOSTS_MAX);
		return;
	}
	check_host_of_mesh(c, vs);
	check_hosts_differ(c, vs);
	if (vs->http.count == 0 && vs->tcp.count == 0 && !check_given(c, "tls"))
		check_error(c, ERR_INVALID, "http or tcp has to hold a rule");
}

static const struct field virtual_service_fields[] = {
    {.name = "hosts",
	.type = FIELD_STRING,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct virtual_service, hosts),
	.check = check_wildcard_host,
	.doc = "Names that callers use; a short one is of its namespace."},
    {.name = "gateways",
	.type = FIELD_STRING,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct virtual_service, gateways),
	.check = check_gateway,
	.doc = "Where it applies; only `mesh` for now, which is the default."},
    {.name = "http",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct virtual_service, http),
	.of = &http_route_message,
	.doc = "Rules for requests; the first that matches is used."},
    {.name = "tcp",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct virtual_service, tcp),
	.of = &tcp_route_message,
	.doc = "Rules for connections on ports that do not speak HTTP."},
    {.name = "exportTo",
	.type = FIELD_STRING,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct virtual_service, export_to),
	.check = check_export_to,
	.doc = "Namespaces that see it; only `*` for now."},
    UNBUILT("tls", "Rules for TLS connections by their server name."),
};

const struct message virtual_service_message = {
    .name = "VirtualService",
    .size = sizeof(struct virtual_service),
    .fields = virtual_service_fields,
    .field_count = ARRAY_LEN(virtual_service_fields),
    .check = check_virtual_service,
    .doc = "What happens to calls of a host.",
};

const struct resource_kind kind_virtual_service = {
    .group = "networking.istio.io",
    .kind = "VirtualService",
    .plural = "virtualservices",
    .alias = "vs",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &virtual_service_message,
};
