/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_entry — the fields of ServiceEntry.
 *
 * What its way of resolving asks of the rest is in entry_rules.c.
 */
#include "addresses.h"
#include "entry_rules.h"
#include "export_to.h"
#include "kinds.h"
#include "protocols.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

#define GIVE_ADDRESS "networking.istio.io/enable-autoallocate-ip"

enum { HOSTS_MAX = 256, PORTS_MAX = 256, ENDPOINTS_MAX = 4096 };

/* --- rows ----------------------------------------------------------------- */

static void
check_entry_host(struct check *c, const void *value)
{
	const struct slice *host = value;

	if (slice_eq(*host, S("*")))
		check_error(c, ERR_INVALID,
		    "may not be \"*\": that would be every service there is");
	else
		check_wildcard_host(c, host);
}

static void
check_port_name(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_dns_label(*s))
		check_error(c, ERR_INVALID, "invalid port name: \"%.*s\"",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static const struct field port_fields[] = {
    ROW(entry_port, "number", number, FIELD_INT, .flags = FIELD_REQUIRED,
	.min = 1, .max = 65535, .doc = "Where callers address the service."),
    ROW(entry_port, "protocol", protocol, FIELD_STRING, .longest = 256,
	.check = check_port_protocol,
	.doc = "What is spoken: HTTP, HTTP2, GRPC, HTTPS, TLS, TCP …; found "
	       "out if absent."),
    ROW(entry_port, "name", name, FIELD_STRING, .flags = FIELD_REQUIRED,
	.longest = 256, .check = check_port_name, .doc = "Names the port."),
    ROW(entry_port, "targetPort", target_port, FIELD_INT, .min = 0,
	.max = 65535,
	.doc = "Where the endpoints listen; the same number if absent."),
};

static const struct message entry_port_message = MESSAGE(
    entry_port, "ServicePort", port_fields, .doc = "One port of the service.");

static const struct field_word location_words[] = {
    {"MESH_EXTERNAL", ENTRY_MESH_EXTERNAL, 0},
    {"MESH_INTERNAL", ENTRY_MESH_INTERNAL, 0},
    {NULL, 0, 0},
};

static const struct field_word resolution_words[] = {
    {"NONE", ENTRY_NONE, 0},
    {"STATIC", ENTRY_STATIC, 0},
    {"DNS", ENTRY_DNS, 0},
    {"DNS_ROUND_ROBIN", ENTRY_DNS_ROUND_ROBIN, 0},
    {"DYNAMIC_DNS", ENTRY_DYNAMIC_DNS, FIELD_INERT},
    {NULL, 0, 0},
};

static const struct field service_entry_fields[] = {
    ROW(service_entry, "hosts", hosts, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_REQUIRED, .most = HOSTS_MAX,
	.check = check_entry_host,
	.doc = "Names that callers use; the first label may be `*`."),
    ROW(service_entry, "addresses", addresses, FIELD_STRING,
	.flags = FIELD_REPEATED, .most = HOSTS_MAX, .longest = 64,
	.check = check_ip_or_subnet,
	.doc = "Addresses, or networks of them, that are the service's, for "
	       "callers that are captured."),
    ROWS_OF(service_entry, "ports", ports, entry_port, 0, .most = PORTS_MAX,
	.doc = "Ports of the service."),
    ROW(service_entry, "location", location, FIELD_ENUM,
	.words = location_words, .otherwise = "MESH_EXTERNAL",
	.doc = "Whether its workloads are in the mesh, with its identities, or "
	       "outside."),
    ROW(service_entry, "resolution", resolution, FIELD_ENUM,
	.words = resolution_words, .otherwise = "NONE",
	.doc = "How endpoints are found: NONE keeps the address that was "
	       "called, STATIC takes the given ones, the rest resolve names."),
    ROWS_OF(service_entry, "endpoints", endpoints, workload_entry, 0,
	.most = ENDPOINTS_MAX, .doc = "Its endpoints."),
    ROW_OF(service_entry, "workloadSelector", workload_selector,
	workload_selector,
	.doc = "WorkloadEntries, and machines, of the namespace that are its "
	       "endpoints."),
    ROW(service_entry, "exportTo", export_to, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Namespaces that see it; `*` all, `.` its own, `~` none."),
    ROW(service_entry, "subjectAltNames", subject_alt_names, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_INERT,
	.doc = "Names of which an endpoint's certificate has to hold one."),
};

static void
check_service_entry(struct check *c, const void *message)
{
	check_entry_ports(c, message);
	check_entry_addresses(c, message);
	check_entry_resolution(c, message);
}

const struct message service_entry_message = MESSAGE(service_entry,
    "ServiceEntry", service_entry_fields, .check = check_service_entry,
    .doc = "A service that the mesh would not know by itself.");

/* A name that is resolved for each caller cannot be sent elsewhere first. */
static void
check_waypoint(struct check *c, const struct resource *r)
{
	const struct service_entry *s = r->spec;
	struct slice waypoint =
	    labels_get(&r->labels, S("istio.io/use-waypoint"));
	struct check at = check_member(c, "resolution");

	if (s->resolution == ENTRY_DYNAMIC_DNS &&
	    s->location == ENTRY_MESH_INTERNAL && waypoint.len > 0 &&
	    !slice_eq_nocase(waypoint, S("none")))
		check_error(&at, ERR_INVALID,
		    "location MESH_INTERNAL with resolution DYNAMIC_DNS is not "
		    "supported together with the label istio.io/use-waypoint");
}

static void
check_entry_kind(struct check *c, const struct resource *r)
{
	const struct service_entry *s = r->spec;
	const struct export_to list = {s->export_to.items, s->export_to.count};
	struct check at = check_member(c, "spec");

	check_export_to(&at, &list, r->key.ns, EXPORT_NOBODY_TOO);
	check_waypoint(&at, r);
	check_bytes_have_address(&at, s,
	    slice_eq_nocase(
		labels_get(&r->labels, S(GIVE_ADDRESS)), S("false")));
}

const struct resource_kind kind_service_entry = {
    .group = "networking.istio.io",
    .kind = "ServiceEntry",
    .plural = "serviceentries",
    .alias = "se",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &service_entry_message,
    .check = check_entry_kind,
};
