/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conditions — what the `when` of an AuthorizationPolicy may name.
 */
#ifndef MESHD_CONDITIONS_H
#define MESHD_CONDITIONS_H

#include "../field.h"

/* struct authz_condition. */
extern const struct message authz_condition_message;

/* Reports a key that a policy with the action CUSTOM cannot use. */
void check_custom_key(struct check *c, struct slice key);

/* True for what upstream reads as a boolean: 1, t, true, F, False … */
bool is_bool_text(struct slice s);

#endif
