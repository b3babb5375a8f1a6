/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks — checks of a JSON Web Key Set (RFC 7517) and of where one is fetched.
 */
#ifndef MESHD_JWKS_H
#define MESHD_JWKS_H

#include "../field.h"

/* For rows: `value` is a struct slice; an empty one is as good as none. */
void check_jwks(struct check *c, const void *value);
void check_jwks_uri(struct check *c, const void *value); /* http or https */

#endif
