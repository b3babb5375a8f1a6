/* SPDX-License-Identifier: Apache-2.0 */
/*
 * envelope — what all kinds have around their spec: apiVersion, kind, metadata.
 */
#ifndef MESHD_ENVELOPE_H
#define MESHD_ENVELOPE_H

#include "resource.h"

enum envelope_verdict {
	ENVELOPE_OK,     /* a kind that is built; maybe with mistakes */
	ENVELOPE_SKIP,   /* a kind that means nothing here, warned */
	ENVELOPE_REFUSED /* reported */
};

/* Fills everything of `r` but the spec, from `a`. */
enum envelope_verdict envelope_read(const struct value *doc,
    const struct resource_source *source, struct arena *a, struct resource *r,
    struct findings *found);

/*
 * Decodes the spec into `r` and runs the kind's own check. An absent spec is
 * an empty one. Without room r->spec stays NULL.
 */
void envelope_read_spec(const struct value *doc,
    const struct resource_source *source, struct arena *a, struct resource *r,
    struct findings *found);

#endif
