/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retry_words — the conditions that retryOn may name.
 */
#include "retry_words.h"
#include "view.h"

static const struct {
	const char *word;
	uint32_t bit;
} rows[] = {
    {"5xx", VIEW_RETRY_5XX},
    {"gateway-error", VIEW_RETRY_GATEWAY_ERROR},
    {"reset", VIEW_RETRY_RESET},
    {"reset-before-request", VIEW_RETRY_RESET_BEFORE_REQUEST},
    {"connect-failure", VIEW_RETRY_CONNECT_FAILURE},
    {"retriable-4xx", VIEW_RETRY_RETRIABLE_4XX},
    {"refused-stream", VIEW_RETRY_REFUSED_STREAM},
    {"retriable-status-codes", VIEW_RETRY_STATUS_CODES},
    {"retriable-headers", VIEW_RETRY_HEADERS},
    {"envoy-ratelimited", VIEW_RETRY_RATELIMITED},
    {"http3-post-connect-failure", VIEW_RETRY_HTTP3},
    {"cancelled", VIEW_RETRY_GRPC_CANCELLED},
    {"deadline-exceeded", VIEW_RETRY_GRPC_DEADLINE},
    {"internal", VIEW_RETRY_GRPC_INTERNAL},
    {"resource-exhausted", VIEW_RETRY_GRPC_EXHAUSTED},
    {"unavailable", VIEW_RETRY_GRPC_UNAVAILABLE},
};

/* Statuses that have a name; upstream knows no others. */
static const struct {
	uint16_t first;
	uint16_t last;
} statuses[] = {{100, 103}, {200, 208}, {226, 226}, {300, 305}, {307, 308},
    {400, 418}, {421, 426}, {428, 429}, {431, 431}, {451, 451}, {500, 508},
    {510, 511}};

static bool
is_status(uint64_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (n >= statuses[i].first && n <= statuses[i].last)
			return true;
	return false;
}

bool
retry_word_parse(struct slice word, uint32_t *out_on, uint16_t *out_status)
{
	uint64_t n;

	*out_status = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_eq(word, slice_str(rows[i].word))) {
			*out_on = rows[i].bit;
			return true;
		}
	if (slice_to_u64(word, &n) != OK || !is_status(n))
		return false;
	*out_on = VIEW_RETRY_STATUS_CODES;
	*out_status = (uint16_t)n;
	return true;
}

const char *
retry_word(uint32_t bit)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].bit == bit)
			return rows[i].word;
	return NULL;
}

void
retry_words_offer(struct nearest *n)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		nearest_offer(n, rows[i].word);
}
