/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters — the table: in this order for requests, backwards for answers.
 */
#include "http/filter.h"

const struct filter *const filters[] = {
    &filter_edge,     /* at a gateway: what only the mesh may say goes */
    &filter_proxied,  /* of an HTTP proxy's client: whom it names; CONNECT */
    &filter_hygiene,  /* what concerns one connection only goes; an id comes */
    &filter_route,    /* which rule, which destination */
    &filter_grpc_web, /* what browsers make of gRPC becomes gRPC */
    &filter_cors,     /* a browser asks whether it may call */
    &filter_delay,    /* a fault on purpose: first it waits, */
    &filter_abort,    /* then it is refused */
    &filter_target,   /* the rule answers, or the destination is there */
    &filter_headers,  /* what rule and destination do to heads */
    &filter_mirror,   /* copies of what is sent */
};
const size_t filter_count = ARRAY_LEN(filters);
