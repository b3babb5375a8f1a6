/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects_guards — what is different about who may call, between two views.
 */
#ifndef MESHD_EFFECTS_GUARDS_H
#define MESHD_EFFECTS_GUARDS_H

#include "listener.h"
#include "tree.h"

/*
 * A list of texts: which ports take mutual TLS only, or plain text, too; which
 * rules of policies are new, gone or others; whose tokens are looked at.
 */
struct value *guards_compare(struct tree *t, const struct view_listener *before,
    const struct view_listener *after);

#endif
