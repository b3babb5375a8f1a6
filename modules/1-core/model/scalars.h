/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scalars — values that hold no others: how each type reads, and its default.
 *
 * Types are upstream's, as its reader takes JSON: "5" is a number, 5.0 a whole
 * one. What is wrong is reported, and the output left alone.
 */
#ifndef MESHD_SCALARS_H
#define MESHD_SCALARS_H

#include "validate.h"

/* There is no room for the resource. */
void decode_is_full(struct check *c);

/* The value is of another type than "a map is expected" says. */
void decode_wrong_type(
    struct check *c, const struct value *v, const char *wanted);

/* Copies; `longest` 0 is any length. */
bool decode_string(struct check *c, uint32_t longest, const struct value *v,
    struct slice *out);

/* Inside of the row's bounds. */
bool decode_int(struct check *c, const struct field *f, const struct value *v,
    int64_t *out);

/* By the row's type; false: nothing was read, and why was said. */
bool decode_scalar(
    struct check *c, const struct field *f, const struct value *v, void *out);

/* What an absent field holds, in the struct of its message. */
void set_default(const struct field *f, char *out);

#endif
