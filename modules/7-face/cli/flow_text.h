/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_text — what an agent tells of one request, for people.
 */
#ifndef MESHD_FLOW_TEXT_H
#define MESHD_FLOW_TEXT_H

#include "base/base.h"

/* A member as text; what is no printable ASCII becomes '?', as peers chose it.
 * SLICE_NONE if it is not there. In the arena. */
struct slice flow_text(
    const struct value *flow, const char *key, struct arena *a);

/* Milliseconds, or a negative number. */
double flow_ms(const struct value *flow, const char *key);

/* "503 UF", "200 -", "grpc 14 UF"; of a connection its flag. In the arena. */
struct slice flow_outcome(const struct value *flow, struct arena *a);

/* "v2 (VirtualService/default/web@6)"; empty if nothing is known. */
struct slice flow_route(const struct value *flow, struct arena *a);

#endif
