/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — the tables of fields, walked as paths: for documentation,
 * completion, and to say what is not in force.
 */
#ifndef MESHD_FIELDS_H
#define MESHD_FIELDS_H

#include "resource.h"

enum { FIELD_PATH_MAX = 256, FIELD_TYPE_MAX = 64 };

/* One row, or one word of a row, of a kind. */
struct field_place {
	const struct resource_kind *kind;
	const char *path; /* "spec.http.retries.attempts"; "" is the kind */
	const struct field *field;     /* NULL: the kind itself */
	const struct field_word *word; /* NULL: the whole row */
	uint32_t flags; /* FIELD_INERT, FIELD_GUARD, also from what is around */
};

typedef void (*field_each_cb)(void *arg, const struct field_place *p);

/* The kind, then its rows in the order of the tables, words behind them. */
void fields_each(const struct resource_kind *k, field_each_cb cb, void *arg);

/*
 * What is not in force: as fields_each(), but inside of what is not in force as
 * a whole only what lets more through.
 */
void fields_each_inert(
    const struct resource_kind *k, field_each_cb cb, void *arg);

/*
 * The row at "spec.http.retries", with or without "spec." and indices; an
 * empty path is the kind. False if there is none: `near` has been offered the
 * names at the place where it goes wrong.
 */
bool fields_find(const struct resource_kind *k, struct slice path,
    struct field_place *out, struct nearest *near);

/* "list of text", "map of numbers 1 to 65535", "HTTPRetry". Returns out. */
char *field_type_text(const struct field *f, char out[FIELD_TYPE_MAX]);

#endif
