/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata — what every resource has besides its spec, by a table like any
 * message.
 */
#ifndef MESHD_METADATA_H
#define MESHD_METADATA_H

#include "validate.h"

struct metadata {
	struct message_head head;
	struct slice name;
	struct slice ns;
	struct labels labels;
	struct labels annotations;
	struct slice created;
	struct slice version;
	struct slice generate_name;
};

extern const struct message metadata_message;

/* "2026-01-02T03:04:05Z", a fraction allowed (RFC 3339 §5.6, UTC only). */
bool metadata_time(struct slice text, int64_t *out_ms);

/* Annotations that upstream refuses; `c` is metadata. Core's have none. */
void metadata_check_reserved(struct check *c, const struct resource *r);

#endif
