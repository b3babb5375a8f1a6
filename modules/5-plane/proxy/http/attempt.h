/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempt — the service's side of a request: one try after another.
 */
#ifndef MESHD_ATTEMPT_H
#define MESHD_ATTEMPT_H

#include "http/request.h"

/* Body bytes for the try whose head is on its way; collected. */
void attempt_send_body(struct request *r, struct slice bytes);

/* The body is over: its last chunk and trailers, if it has chunks. */
void attempt_send_end(struct request *r);

/* Sends what was collected. */
void attempt_flush(struct request *r);

/* The try's own time is over. */
void attempt_on_timeout(struct request *r);

#endif
