/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry_rules — what the fields of a ServiceEntry ask of each other.
 */
#include "entry_rules.h"
#include "addresses.h"
#include "protocols.h"
#include "validate.h"

static enum port_protocol
protocol_of(const struct entry_port *p)
{
	return port_protocol_parse(p->protocol);
}

static bool
is_wildcard(struct slice host)
{
	return slice_starts(host, S("*"));
}

/* --- ports ---------------------------------------------------------------- */

static bool
has_port_before(const struct service_entry *s, size_t j, bool by_name)
{
	const struct entry_port *p = &s->ports.items[j];

	for (size_t i = 0; i < j; i++)
		if (by_name ? slice_eq(s->ports.items[i].name, p->name)
			    : s->ports.items[i].number == p->number)
			return true;
	return false;
}

static void
check_port(struct check *c, const struct service_entry *s, size_t j)
{
	const struct entry_port *p = &s->ports.items[j];
	struct check number = check_member(c, "ports[%zu].number", j);
	struct check name = check_member(c, "ports[%zu].name", j);

	if (p->number != 0 && has_port_before(s, j, /* by_name */ false))
		check_error(&number, ERR_INVALID,
		    "service entry port %lld already defined",
		    (long long)p->number);
	if (p->name.len > 0 && has_port_before(s, j, /* by_name */ true))
		check_error(&name, ERR_INVALID,
		    "service entry port name \"%.*s\" already defined",
		    SLICE_ARG(slice_sub(p->name, 0, NAME_LABEL_MAX)));
}

void
check_entry_ports(struct check *c, const struct service_entry *s)
{
	for (size_t j = 0; j < s->ports.count; j++)
		check_port(c, s, j);
}

/* --- addresses ------------------------------------------------------------ */

static bool
is_bytes(enum port_protocol p)
{
	return p == PORT_TCP || p == PORT_UNSET;
}

void
check_bytes_have_address(
    struct check *c, const struct service_entry *s, bool declined)
{
	if (s->addresses.count > 0 ||
	    (s->resolution != ENTRY_NONE && !declined))
		return;
	for (size_t i = 0; i < s->ports.count; i++)
		if (is_bytes(protocol_of(&s->ports.items[i]))) {
			check_warning_id(c, "IST0134",
			    "addresses are required for ports serving TCP (or "
			    "unset) protocol where none is given by itself");
			return;
		}
}

void
check_entry_addresses(struct check *c, const struct service_entry *s)
{
	for (size_t i = 0; i < s->addresses.count; i++) {
		struct slice a = s->addresses.items[i];
		struct check at = check_member(c, "addresses[%zu]", i);

		if (slice_find(a, '/') < a.len && s->resolution != ENTRY_NONE &&
		    s->resolution != ENTRY_STATIC)
			check_error(&at, ERR_INVALID,
			    "CIDR addresses are allowed only for NONE/STATIC "
			    "resolution types");
	}
}

/* --- hosts ---------------------------------------------------------------- */

/* Names that are looked for as they come fit such a one, too. */
static void
check_partial_wildcards(struct check *c, const struct service_entry *s)
{
	for (size_t i = 0;
	     s->resolution != ENTRY_DYNAMIC_DNS && i < s->hosts.count; i++) {
		struct slice host = s->hosts.items[i];
		struct check at = check_member(c, "hosts[%zu]", i);

		if (slice_find(host, '*') < host.len && host.len > 1 &&
		    !slice_starts(host, S("*.")))
			check_warning(&at,
			    "partial wildcard \"%.*s\" is not looked for by "
			    "all; write *. and a domain",
			    SLICE_ARG(slice_sub(host, 0, NAME_LABEL_MAX)));
	}
}

/* --- resolution ----------------------------------------------------------- */

static bool
has_port_named(const struct service_entry *s, struct slice name)
{
	for (size_t i = 0; i < s->ports.count; i++)
		if (slice_eq(s->ports.items[i].name, name))
			return true;
	return false;
}

static void
check_endpoints(struct check *c, const struct service_entry *s, unsigned rules)
{
	for (size_t i = 0; i < s->endpoints.count; i++) {
		const struct workload_entry *w = &s->endpoints.items[i];
		struct check at = check_member(c, "endpoints[%zu]", i);

		check_workload_entry(&at, w, rules);
		if (workload_is_unix(w) && s->ports.count != 1)
			check_error(&at, ERR_INVALID,
			    "a unix socket serves one port, and the service "
			    "has %zu",
			    s->ports.count);
		for (size_t j = 0; j < w->ports.count; j++) {
			struct slice name = w->ports.items[j].key;
			struct check port = check_member(&at, "ports");

			if (!has_port_named(s, name))
				check_error(&port, ERR_INVALID,
				    "endpoint port \"%.*s\" is not defined by "
				    "the service entry",
				    SLICE_ARG(
					slice_sub(name, 0, NAME_LABEL_MAX)));
		}
	}
}

static void
check_none(struct check *c, const struct service_entry *s)
{
	struct check at = check_member(c, "endpoints");
	struct check selector = check_member(c, "workloadSelector");

	if (s->endpoints.count > 0)
		check_error(&at, ERR_INVALID,
		    "no endpoints should be provided for resolution type "
		    "none");
	if (s->workload_selector != NULL &&
	    labels_get(&s->workload_selector->labels, S("")).ptr == NULL)
		check_warning(&selector,
		    "should not be set when resolution mode is NONE");
}

/* Without endpoints it is the hosts that are resolved. */
static void
check_dns(struct check *c, const struct service_entry *s)
{
	struct check at = check_member(c, "endpoints");

	for (size_t i = 0; s->endpoints.count == 0 && i < s->hosts.count; i++) {
		struct check host = check_member(c, "hosts[%zu]", i);

		if (is_wildcard(s->hosts.items[i]))
			check_error(&host, ERR_INVALID,
			    "hosts must be FQDN if no endpoints are provided "
			    "for resolution by DNS");
		else
			check_host(&host, &s->hosts.items[i]);
	}
	if (s->resolution == ENTRY_DNS_ROUND_ROBIN && s->endpoints.count > 1)
		check_error(&at, ERR_INVALID,
		    "there must only be 0 or 1 endpoint for resolution mode "
		    "DNS_ROUND_ROBIN");
	check_endpoints(c, s, WORKLOAD_NAMES);
	for (size_t i = 0; i < s->endpoints.count; i++) {
		const struct workload_entry *w = &s->endpoints.items[i];
		struct check address =
		    check_member(c, "endpoints[%zu].address", i);

		if (w->address.len == 0 && w->network.len > 0)
			check_error(&address, ERR_INVALID,
			    "is needed: there is nothing to resolve");
		else if (workload_is_unix(w))
			check_error(&address, ERR_INVALID,
			    "is no name to resolve; a unix socket takes "
			    "resolution STATIC");
	}
}

static bool
has_port_of(const struct service_entry *s, bool (*is)(enum port_protocol))
{
	for (size_t i = 0; i < s->ports.count; i++)
		if (is(protocol_of(&s->ports.items[i])))
			return true;
	return false;
}

/* Several hosts behind one address, and bytes that name none of them. */
static void
check_shared_address(struct check *c, const struct service_entry *s)
{
	struct check at = check_member(c, "hosts");

	if (s->hosts.count > 1 && s->addresses.count > 0 &&
	    has_port_of(s, port_protocol_is_tls))
		check_warning(&at,
		    "share the addresses; on ports that are not HTTP the first "
		    "is taken");
}

static bool
is_named_protocol(enum port_protocol p)
{
	return p == PORT_HTTP || p == PORT_HTTP2 || p == PORT_GRPC ||
	       p == PORT_TLS;
}

/* The name is resolved that a request asks for, so there has to be one. */
static void
check_dynamic_dns(struct check *c, const struct service_entry *s)
{
	struct check addresses = check_member(c, "addresses");
	struct check endpoints = check_member(c, "endpoints");
	struct check location = check_member(c, "location");

	if (s->location != ENTRY_MESH_EXTERNAL &&
	    s->location != ENTRY_MESH_INTERNAL)
		check_error(&location, ERR_INVALID,
		    "is neither MESH_EXTERNAL nor MESH_INTERNAL");
	if (s->addresses.count > 0)
		check_error(&addresses, ERR_INVALID,
		    "cannot be set for resolution type DYNAMIC_DNS");
	if (s->endpoints.count > 0)
		check_error(&endpoints, ERR_INVALID,
		    "cannot be set for resolution type DYNAMIC_DNS");
	for (size_t i = 0; i < s->hosts.count; i++) {
		struct check at = check_member(c, "hosts[%zu]", i);

		if (!is_wildcard(s->hosts.items[i]))
			check_error(&at, ERR_INVALID,
			    "host must be wildcarded for resolution mode "
			    "DYNAMIC_DNS");
	}
	for (size_t i = 0; i < s->ports.count; i++) {
		struct check at = check_member(c, "ports[%zu].protocol", i);

		if (!is_named_protocol(protocol_of(&s->ports.items[i])))
			check_error(&at, ERR_INVALID,
			    "only HTTP, TLS, GRPC, and HTTP2 protocols are "
			    "supported for resolution type DYNAMIC_DNS");
	}
}

static bool
has_no_name(enum port_protocol p)
{
	return !port_protocol_is_http(p) && !port_protocol_is_tls(p);
}

/* Hosts are told apart by names that requests carry, else by addresses. */
static void
check_hosts_are_told_apart(struct check *c, const struct service_entry *s)
{
	struct check at = check_member(c, "hosts");

	if (s->hosts.count < 2)
		return;
	if (s->resolution != ENTRY_NONE && has_port_of(s, has_no_name))
		check_error(&at, ERR_INVALID,
		    "multiple hosts provided with non-HTTP, non-TLS ports");
}

void
check_entry_resolution(struct check *c, const struct service_entry *s)
{
	struct check at = check_member(c, "resolution");

	if (s->workload_selector != NULL && s->endpoints.count > 0)
		check_error(c, ERR_INVALID,
		    "only one of workloadSelector and endpoints is allowed");
	if (s->workload_selector != NULL &&
	    s->workload_selector->labels.count == 0)
		check_warning(c, "workload selector specified without labels");
	check_partial_wildcards(c, s);
	check_hosts_are_told_apart(c, s);
	switch (s->resolution) {
	case ENTRY_NONE:
		check_none(c, s);
		break;
	case ENTRY_STATIC:
		check_endpoints(c, s, 0);
		break;
	case ENTRY_DNS:
	case ENTRY_DNS_ROUND_ROBIN:
		check_dns(c, s);
		check_shared_address(c, s);
		break;
	case ENTRY_DYNAMIC_DNS:
		check_dynamic_dns(c, s);
		break;
	default:
		check_error(&at, ERR_INVALID, "unsupported resolution type");
	}
}
