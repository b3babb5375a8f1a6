/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web — calls of browsers (gRPC-Web), for services that speak gRPC.
 *
 * What the service gets is a call of gRPC like any other; what it answers is
 * said as gRPC-Web, and so is what we answer ourselves. Envoy's filter is of
 * the same name; where it is in force says view_translates_grpc_web().
 */
#ifndef MESHD_WEB_H
#define MESHD_WEB_H

#include "http/request.h"

/*
 * Whether it is such a call, as far as is known where it goes; from then on
 * r->grpc and r->web say so. To be asked by whoever answers early.
 */
void web_recognize(struct request *r);

/* What a client of gRPC is answered in; SLICE_NONE to any other one. */
struct slice web_answer_type(const struct request *r);

/* Hands bytes on as the other side is to have them. The request may be over
 * behind it. */
typedef void (*web_take)(struct request *r, struct slice bytes);
void web_from_client(struct request *r, struct slice text, web_take take);
void web_to_client(struct request *r, struct slice bytes, web_take take);

/* The body is over, and its text is not; the request may be over behind it. */
void web_is_torn(struct request *r);

/* The service's trailers, if there are, as the last message to the client.
 * ERR_LIMIT: they are too large. */
MUST_USE enum err web_end(struct request *r, const struct http_head *trailers);

#endif
