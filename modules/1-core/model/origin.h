/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin — where a row of a view came from, for people.
 */
#ifndef MESHD_ORIGIN_H
#define MESHD_ORIGIN_H

#include "resource.h"

/* Where a row came from. Empty slices and zeroes are unknown. */
struct origin {
	struct resource_key key; /* empty kind: no resource, see `words` */
	uint64_t revision;
	struct slice file;
	uint32_t line;      /* of the very rule, if it came from a file */
	struct slice words; /* "record of node db-1", "default" */
};

enum { ORIGIN_TEXT_MAX = 1024 };

/* "file:12" or "VirtualService/default/reviews@7" or the words. */
char *origin_format(const struct origin *o, char out[ORIGIN_TEXT_MAX]);

#endif
