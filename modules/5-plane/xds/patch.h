/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — a body as what is different in it from the one before.
 *
 *	8 bytes of the SHA-256 of the former body, then, until the end:
 *	u32 to copy from it, u32 to pass over in it, u32 that are new, these
 *
 * So one endpoint's change costs that endpoint and not the list that it is in.
 * Pure.
 */
#ifndef MESHD_XDS_PATCH_H
#define MESHD_XDS_PATCH_H

#include "base/base.h"

/* The type of a body that is one, inside a response of any other type. */
#define PATCH_TYPE "type.googleapis.com/meshd.v1.Patch"

/* ERR_LIMIT when `out` is full, or too much is different. */
MUST_USE enum err patch_make(
    struct slice base, struct slice now, struct buf *out);

/* ERR_PARSE if it is none, or not of this base; ERR_LIMIT. */
MUST_USE enum err patch_apply(
    struct slice base, struct slice patch, struct buf *out);

#endif
