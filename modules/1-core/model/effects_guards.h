/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects_guards — what is different about who may call, between two views.
 */
#ifndef MESHD_EFFECTS_GUARDS_H
#define MESHD_EFFECTS_GUARDS_H

#include "listener.h"
#include "tree.h"

struct listener_then {
	const struct view *v;
	const struct view_listener *l;
};

/*
 * A list of texts: which ports take mutual TLS only, or plain text, too; which
 * rules of policies are new, gone or others; whose tokens are looked at.
 */
struct value *guards_compare(struct tree *t, const struct listener_then *before,
    const struct listener_then *after);

#endif
