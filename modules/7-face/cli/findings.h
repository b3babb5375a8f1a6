/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings — what was found in configuration, for people: to stderr, one a
 * line, as "error: file:line:column: field: text [id]".
 */
#ifndef MESHD_FINDINGS_H
#define MESHD_FINDINGS_H

#include "base/base.h"
#include "model/model.h"

#include <stdio.h>

/* Errors and warnings; nothing of what is inert. */
void findings_print(const struct findings *f);

void findings_print_warnings(const struct findings *f);

/* What is inert: warnings, but what lets more through is an error. */
void findings_print_inert(const struct findings *f, bool allowed);

/* The same from lists of an answer; MSH0001 is a warning all the same. */
void findings_print_list(
    const struct value *list, const char *level, FILE *out);
void findings_print_answer(const struct value *answer);

/* The warnings of an answer that are not among these; NULL: all. */
void findings_print_others(
    const struct value *answer, const struct findings *known);

#endif
