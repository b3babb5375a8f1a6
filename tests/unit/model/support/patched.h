/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patched — a view that was made of the one before, and the same made from
 * nothing.
 */
#ifndef MESHD_TEST_PATCHED_H
#define MESHD_TEST_PATCHED_H

#include "model/model.h"

/* It has the rows that a patch leaves as they are. */
bool is_patch(const struct view *v, const struct view *before);

/* Both are the same, also in what they do to calls beside `before`; how many
 * effects that are. */
size_t compare_views(
    const struct view *before, const struct view *v, const struct view *alone);

#endif
