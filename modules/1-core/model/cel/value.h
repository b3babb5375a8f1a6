/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value — values of expressions: made, compared, converted.
 */
#ifndef MESHD_CEL_VALUE_H
#define MESHD_CEL_VALUE_H

#include "ast.h"

#define CEL_TIME_MIN_US (INT64_C(-62135596800) * 1000000)
#define CEL_TIME_MAX_US (INT64_C(253402300799) * 1000000 + 999999)

/* How an evaluation goes. */
struct cel_run {
	const struct cel_scope *scope;
	struct arena *arena;
	const struct cel_variable *variables; /* the innermost first */
	size_t steps;
	bool over; /* a bound is reached: nothing is worth doing any more */
};

/* A static text, or one in the arena. */
struct cel_value cel_error(const char *words);

/* The bound was reached; the error that stands for it. */
struct cel_value cel_over(struct cel_run *run);

/* "no such overload", the error for operands of a wrong type. */
struct cel_value cel_no_overload(void);

struct cel_value cel_bool(bool b);
struct cel_value cel_int(int64_t n);
struct cel_value cel_text(enum cel_type type, struct slice text);

/* Counts what `bytes` cost; false if that is too much. */
bool cel_spend(struct cel_run *run, size_t bytes);

bool cel_is_number(const struct cel_value *v);

/* Numbers are equal across their types; other types never are. */
bool cel_equal(
    struct cel_run *run, const struct cel_value *a, const struct cel_value *b);

/* <0, 0, >0; false if there is no order: of two types, or of NaN. */
bool cel_order(const struct cel_value *a, const struct cel_value *b, int *out);

/* The item of a map, list or object; an error if there is none. */
struct cel_value cel_item(struct cel_run *run, const struct cel_value *of,
    const struct cel_value *key);

/* True, and *out set, if there is such a member or key. */
bool cel_find(struct cel_run *run, const struct cel_value *of,
    const struct cel_value *key, struct cel_value *out);

const char *cel_type_name(enum cel_type type);

/* --- convert.c: int(), string() … ----------------------------------------- */

struct cel_value cel_convert(
    struct cel_run *run, enum cel_type type, const struct cel_value *v);

/* --- functions.c ---------------------------------------------------------- */

/* A call; `n` has the name and the regex, args[0] may be the receiver. */
struct cel_value cel_call(struct cel_run *run, const struct cel_node *n,
    const struct cel_value *args);

/* Why this call can never be one, or NULL. */
const char *cel_check_call(const struct cel_node *n);

/* --- operators.c ---------------------------------------------------------- */

struct cel_value cel_binary(struct cel_run *run, enum cel_op op,
    const struct cel_value *a, const struct cel_value *b);
struct cel_value cel_negate(const struct cel_value *v);

#endif
