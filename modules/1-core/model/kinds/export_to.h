/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_to — which namespaces a resource is shown to.
 */
#ifndef MESHD_EXPORT_TO_H
#define MESHD_EXPORT_TO_H

#include "../field.h"

/* Text lists of `exportTo`; LIST_OF(struct slice) has the same layout. */
struct export_to {
	const struct slice *items;
	size_t count;
};

enum export_rules {
	EXPORT_NOBODY_TOO = 1 << 0, /* "~" is a word */
	EXPORT_OWN_ONLY = 1 << 1    /* it is for chosen workloads only */
};

/* `c` is the spec, `ns` the resource's namespace. */
void check_export_to(struct check *c, const struct export_to *list,
    struct slice ns, unsigned rules);

#endif
