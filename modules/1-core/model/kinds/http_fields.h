/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_fields — the messages of a VirtualService that speak of requests.
 */
#ifndef MESHD_HTTP_FIELDS_H
#define MESHD_HTTP_FIELDS_H

#include "kinds.h"
#include "validate.h"

/* In http_fields.c. */
extern const struct message http_route_message;
extern const struct message string_match_message;

/* In http_headers.c. */
extern const struct message headers_message;

/* In virtual_service.c. */
extern const struct message destination_message;

/* Several destinations need a weight among them. */
void check_weights(struct check *c, uint64_t sum, size_t count);

/* True if the operations give the request another authority. */
bool headers_set_authority(const struct headers_spec *h);

#endif
