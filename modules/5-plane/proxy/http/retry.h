/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry — whether and when a request is tried again. Pure.
 *
 * Conditions and back-off are Envoy's (config.route.v3.RetryPolicy); defaults
 * are Istio's and come with the view.
 */
#ifndef MESHD_RETRY_H
#define MESHD_RETRY_H

#include "model/model.h"

enum {
	RETRY_BACKOFF_BASE_US = 25000,
	RETRY_BACKOFF_TIMES_MAX = 10, /* the base, at most */
	RETRY_DEAD_REUSED_MAX = 3     /* kept connections that were dead */
};

enum retry_cause {
	RETRY_CONNECT, /* no connection; nothing was sent */
	RETRY_REFUSED, /* the peer says it did not touch the request */
	RETRY_RESET,   /* it broke after something was sent */
	RETRY_TIMEOUT, /* the try's own time is over */
	RETRY_STATUS,  /* an answer with this status */
	RETRY_GRPC     /* one without messages, with this status of gRPC */
};

/* True if the policy asks for another try; `status` for the last two. */
bool retry_is_wanted(
    const struct view_retry *policy, enum retry_cause cause, uint16_t status);

/*
 * Before further try number n (from 1): uniform in [0, (2^n - 1) * base),
 * at most ten times the base, which is the policy's or 25 ms.
 */
uint64_t retry_backoff_us(
    const struct view_retry *policy, unsigned n, struct rng *rng);

/* RFC 9110 §9.2.2: sending it twice does no harm. */
bool retry_is_idempotent(struct slice method);

#endif
