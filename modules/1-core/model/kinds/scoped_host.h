/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoped_host — "namespace/host", as Gateway and Sidecar write hosts.
 */
#ifndef MESHD_SCOPED_HOST_H
#define MESHD_SCOPED_HOST_H

#include "../field.h"

enum scope_rules {
	SCOPE_OPTIONAL = 1 << 0, /* without a namespace it is any */
	SCOPE_NONE = 1 << 1,     /* "~", and "~ns" for all but that */
	SCOPE_ADDRESSES = 1 << 2 /* a host may be an IP */
};

/* Namespaces are "*", "." or a name; hosts have a dot or a wildcard first. */
void check_scoped_host(struct check *c, struct slice text, unsigned rules);

/* "ns/host" apart; without a slash the namespace is empty. */
void scoped_host_split(
    struct slice text, struct slice *out_ns, struct slice *out_host);

#endif
