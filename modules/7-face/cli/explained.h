/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explained — an explanation, for people or for programs.
 */
#ifndef MESHD_EXPLAINED_H
#define MESHD_EXPLAINED_H

#include "base/base.h"

#include "output.h"

/* What model_answer() made; an exit status. */
int explained_print(const struct value *v, enum output how);

/* A member that is a text, under a label; nothing if it is none. */
void explained_line(const struct value *v, const char *key, const char *label);

/* The rules of policies that were asked (model/explain_access.h). */
void explained_access_rules(const struct value *rules);

#endif
