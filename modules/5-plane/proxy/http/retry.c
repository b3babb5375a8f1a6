/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry — whether and when a request is tried again. Pure.
 */
#include "http/retry.h"

#include "http/http.h"

static bool
has_status(const struct view_retry *p, uint16_t status)
{
	for (size_t i = 0; i < p->status_count; i++)
		if (p->statuses[i] == status)
			return true;
	return false;
}

static bool
wants_status(const struct view_retry *p, uint16_t status)
{
	if ((p->on & VIEW_RETRY_5XX) && status >= 500 && status <= 599)
		return true;
	if ((p->on & VIEW_RETRY_GATEWAY_ERROR) && status >= 502 &&
	    status <= 504)
		return true;
	if ((p->on & VIEW_RETRY_RETRIABLE_4XX) && status == 409)
		return true;
	return (p->on & VIEW_RETRY_STATUS_CODES) && has_status(p, status);
}

static bool
wants_grpc(const struct view_retry *p, uint16_t status)
{
	static const uint32_t wanted[] = {
	    [GRPC_CANCELLED] = VIEW_RETRY_GRPC_CANCELLED,
	    [GRPC_DEADLINE_EXCEEDED] = VIEW_RETRY_GRPC_DEADLINE,
	    [GRPC_RESOURCE_EXHAUSTED] = VIEW_RETRY_GRPC_EXHAUSTED,
	    [GRPC_INTERNAL] = VIEW_RETRY_GRPC_INTERNAL,
	    [GRPC_UNAVAILABLE] = VIEW_RETRY_GRPC_UNAVAILABLE,
	};

	return status < ARRAY_LEN(wanted) && (p->on & wanted[status]) != 0;
}

/* What each cause is called in retryOn; 5xx means "no answer" as well. */
static const uint32_t wanted_by[] = {
    [RETRY_CONNECT] = VIEW_RETRY_CONNECT_FAILURE | VIEW_RETRY_RESET |
		      VIEW_RETRY_RESET_BEFORE_REQUEST | VIEW_RETRY_5XX |
		      VIEW_RETRY_GATEWAY_ERROR,
    /* For us it is a tunnel's stream, so there is no connection either. */
    [RETRY_REFUSED] = VIEW_RETRY_REFUSED_STREAM | VIEW_RETRY_CONNECT_FAILURE |
		      VIEW_RETRY_RESET | VIEW_RETRY_RESET_BEFORE_REQUEST |
		      VIEW_RETRY_5XX | VIEW_RETRY_GATEWAY_ERROR,
    [RETRY_RESET] =
	VIEW_RETRY_RESET | VIEW_RETRY_5XX | VIEW_RETRY_GATEWAY_ERROR,
    [RETRY_TIMEOUT] =
	VIEW_RETRY_RESET | VIEW_RETRY_5XX | VIEW_RETRY_GATEWAY_ERROR,
};

bool
retry_is_wanted(
    const struct view_retry *policy, enum retry_cause cause, uint16_t status)
{
	if (cause == RETRY_STATUS)
		return wants_status(policy, status);
	if (cause == RETRY_GRPC)
		return wants_grpc(policy, status);
	return (policy->on & wanted_by[cause]) != 0;
}

uint64_t
retry_backoff_us(const struct view_retry *policy, unsigned n, struct rng *rng)
{
	uint64_t base =
	    policy->backoff_us > 0 ? policy->backoff_us : RETRY_BACKOFF_BASE_US;
	uint64_t times =
	    n < 8 ? (UINT64_C(1) << n) - 1 : RETRY_BACKOFF_TIMES_MAX;

	CHECK(n > 0);
	return rng_below(rng, MIN(times, RETRY_BACKOFF_TIMES_MAX) * base);
}

bool
retry_is_idempotent(struct slice method)
{
	static const char *const safe[] = {
	    "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};

	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		if (slice_eq(method, slice_str(safe[i])))
			return true;
	return false;
}
