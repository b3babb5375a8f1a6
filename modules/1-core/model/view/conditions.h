/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conditions — what a request has, and whether a match takes it.
 *
 * On a request's path: no allocation and no lock.
 */
#ifndef MESHD_VIEW_CONDITIONS_H
#define MESHD_VIEW_CONDITIONS_H

#include "inside.h"

/* What is tested by it; false if the request has none. Not of a port. */
bool condition_actual(const struct view_condition *c,
    const struct http_attrs *a, struct slice *out);

/* NULL: all hold. Else the first that does not; `step` says what was there. */
const struct view_condition *first_failure(const struct view_match *m,
    const struct http_attrs *a, struct view_step *step);

/* By the index; false if it cannot tell, as too much of it fits (index.c). */
bool index_find(const struct view_host *host, const struct http_attrs *attrs,
    struct view_http_choice *out);

#endif
