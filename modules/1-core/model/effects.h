/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects — what is different for calls between two views of one place, as
 * people say it.
 */
#ifndef MESHD_EFFECTS_H
#define MESHD_EFFECTS_H

#include "view.h"

/*
 * A list of {to, text}: "reviews.default:9080", "10 % now go to v2". What is
 * called, and what is different about that: whether it can be, by which rules,
 * with which shares, and how its clusters are. At listeners for calls from
 * outside, `to` is their name. NULL only when the arena is full, or one host
 * has more to tell than there is room for.
 */
struct value *view_effects(
    const struct view *before, const struct view *after, struct arena *arena);

#endif
