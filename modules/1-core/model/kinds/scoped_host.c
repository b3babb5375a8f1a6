/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoped_host — "namespace/host", as Gateway and Sidecar write hosts.
 */
#include "scoped_host.h"
#include "addresses.h"
#include "validate.h"

void
scoped_host_split(
    struct slice text, struct slice *out_ns, struct slice *out_host)
{
	size_t slash = slice_find(text, '/');

	*out_ns = slash < text.len ? slice_sub(text, 0, slash) : S("");
	*out_host =
	    slash < text.len ? slice_sub(text, slash + 1, text.len) : text;
}

static bool
is_scope(struct slice ns, unsigned rules)
{
	if (slice_eq(ns, S("*")) || slice_eq(ns, S(".")))
		return true;
	if (rules & SCOPE_NONE) {
		if (slice_eq(ns, S("~")))
			return true;
		if (slice_starts(ns, S("~")))
			ns = slice_sub(ns, 1, ns.len);
	}
	return is_dns_label(ns);
}

static void
check_scope(struct check *c, struct slice ns, unsigned rules)
{
	if (!is_scope(ns, rules))
		check_error(c, ERR_INVALID,
		    "invalid namespace value \"%.*s\": it is a name, \".\" for "
		    "the own one or \"*\" for any",
		    SLICE_ARG(slice_sub(ns, 0, NAME_LABEL_MAX)));
}

static void
check_part(struct check *c, struct slice host, unsigned rules)
{
	if (slice_eq(host, S("*")))
		return;
	if (slice_find(host, '*') < host.len && !slice_starts(host, S("*."))) {
		check_error(c, ERR_INVALID,
		    "partial wildcard \"%.*s\" not allowed",
		    SLICE_ARG(slice_sub(host, 0, NAME_LABEL_MAX)));
		return;
	}
	if (!(rules & SCOPE_ADDRESSES) || !is_ip(host))
		check_wildcard_host(c, &host);
	if (slice_find(host, '.') == host.len && host.len > 0)
		check_error(
		    c, ERR_INVALID, "short names (non FQDN) are not allowed");
}

void
check_scoped_host(struct check *c, struct slice text, unsigned rules)
{
	struct slice ns, host;

	scoped_host_split(text, &ns, &host);
	if (slice_find(text, '/') == text.len) {
		if (rules & SCOPE_OPTIONAL)
			check_part(c, text, rules);
		else
			check_error(c, ERR_INVALID,
			    "host must be of form namespace/dnsName");
		return;
	}
	if (slice_find(host, '/') < host.len) {
		check_error(
		    c, ERR_INVALID, "host must be of form namespace/dnsName");
		return;
	}
	check_scope(c, ns, rules);
	check_part(c, host, rules);
}
