/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_entry — the fields of WorkloadEntry.
 */
#include "addresses.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

#define UNIX_PREFIX "unix://"

bool
workload_is_unix(const struct workload_entry *w)
{
	return slice_starts(w->address, S(UNIX_PREFIX));
}

struct slice
workload_unix_path(const struct workload_entry *w)
{
	return slice_sub(w->address, strlen(UNIX_PREFIX), w->address.len);
}

/* An absolute path, or a name in the abstract space (unix(7)). */
static void
check_unix_address(struct check *c, struct slice address)
{
	struct slice path =
	    slice_sub(address, strlen(UNIX_PREFIX), address.len);

	if (!slice_starts(path, S("/")) && !slice_starts(path, S("@")))
		check_error(c, ERR_INVALID,
		    "has to be an absolute path behind unix://, or @ and a "
		    "name");
	else if (slice_ends(path, S("/")))
		check_error(c, ERR_INVALID, "names a folder, not a socket");
}

static void
check_no_address(struct check *c, const struct workload_entry *w)
{
	if (w->network.len == 0)
		check_error(c, ERR_INVALID,
		    "address is required, unless a network is given");
	else
		check_warning(c,
		    "address is unset with network \"%.*s\": it can be "
		    "reached by that network's gateways only",
		    SLICE_ARG(slice_sub(w->network, 0, NAME_LABEL_MAX)));
}

static void
check_address(struct check *c, const struct workload_entry *w, unsigned rules)
{
	struct check ports = check_member(c, "ports");
	struct check at = check_member(c, "address");

	if (w->address.len == 0)
		check_no_address(&at, w);
	else if (workload_is_unix(w)) {
		check_unix_address(&at, w->address);
		if (w->ports.count > 0)
			check_error(&ports, ERR_INVALID,
			    "must not be given: a unix socket has no ports");
	} else if (!(rules & WORKLOAD_NAMES))
		check_ip(&at, &w->address);
	else if (!is_ip(w->address))
		check_host(&at, &w->address);
}

void
check_workload_entry(
    struct check *c, const struct workload_entry *w, unsigned rules)
{
	check_address(c, w, rules);
	for (size_t i = 0; i < w->ports.count; i++) {
		const struct int_entry *e = &w->ports.items[i];
		struct check at = check_member(c, "ports");

		at = check_entry(&at, e->key);
		if (!is_dns_label(e->key))
			check_error(&at, ERR_INVALID, "invalid port name");
		if (e->number < 1 || e->number > UINT16_MAX)
			check_error(&at, ERR_INVALID,
			    "%lld is outside 1 to 65535", (long long)e->number);
	}
	for (size_t i = 0; i < w->labels.count; i++) {
		struct check at = check_member(c, "labels");

		at = check_entry(&at, w->labels.items[i].key);
		check_label(&at, &w->labels.items[i]);
	}
}

/* What is written by hand, and what machines take, say the same. */
#define COMMON_ROWS                                                            \
	ROW(workload_entry, "labels", labels, FIELD_STRING_MAP,                \
	    .doc = "Labels that services select it by."),                      \
	    ROW(workload_entry, "locality", locality, FIELD_STRING,            \
		.doc = "Where it is, as region/zone/subzone."),                \
	    ROW(workload_entry, "weight", weight, FIELD_INT, .min = 0,         \
		.max = UINT32_MAX,                                             \
		.doc = "Its share of the calls, among equals.")

static const struct field workload_entry_fields[] = {
    ROW(workload_entry, "address", address, FIELD_STRING,
	.doc = "IP address, name that is resolved, or `unix:///path`."),
    ROW(workload_entry, "ports", ports, FIELD_INT_MAP, .max = UINT32_MAX,
	.doc = "Ports of the workload by the name of the service's port; "
	       "absent: the service's own."),
    ROW(workload_entry, "network", network, FIELD_STRING,
	.doc = "Network that it lies in; from others it is reached by "
	       "gateways."),
    COMMON_ROWS,
    ROW(workload_entry, "serviceAccount", service_account, FIELD_STRING,
	.flags = FIELD_INERT, .doc = "Account whose identity it has."),
};

const struct message workload_entry_message =
    MESSAGE(workload_entry, "WorkloadEntry", workload_entry_fields,
	.doc = "One workload: where it is, and who it is.");

static const struct field workload_template_fields[] = {
    ROW(workload_entry, "address", address, FIELD_STRING,
	.doc = "Not looked at: each machine has its own."),
    ROW(workload_entry, "ports", ports, FIELD_INT_MAP, .max = UINT32_MAX,
	.doc = "Ports that each of them serves, by the name of the service's "
	       "port, which says the protocol, too."),
    ROW(workload_entry, "network", network, FIELD_STRING,
	.doc = "Only machines that joined this network are its workloads."),
    COMMON_ROWS,
    ROW(workload_entry, "serviceAccount", service_account, FIELD_STRING,
	.otherwise = "default",
	.doc = "Account whose identity they have, if their join tokens "
	       "granted it."),
};

const struct message workload_template_message =
    MESSAGE(workload_entry, "WorkloadEntry", workload_template_fields,
	.doc = "What each workload begins with.");

static void
check_entry_kind(struct check *c, const struct resource *r)
{
	struct check at = check_member(c, "spec");

	check_workload_entry(&at, r->spec, WORKLOAD_NAMES);
}

const struct resource_kind kind_workload_entry = {
    .group = "networking.istio.io",
    .kind = "WorkloadEntry",
    .plural = "workloadentries",
    .alias = "we",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &workload_entry_message,
    .check = check_entry_kind,
};
