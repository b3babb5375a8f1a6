/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff — when to try which server.
 *
 * Full jitter: the wait is drawn from the whole span, so that agents that lost
 * the same server at once do not come back at once.
 */
#include "xds.h"

void
xds_backoff_init(struct xds_backoff *b, size_t servers, uint64_t seed)
{
	CHECK(servers > 0);
	*b = (struct xds_backoff){.servers = servers};
	rng_init(&b->rng, seed);
	b->next = rng_below(&b->rng, servers);
}

size_t
xds_backoff_next(struct xds_backoff *b, uint64_t *out_delay_ms)
{
	size_t server = b->next;
	size_t rounds = b->failures / b->servers;
	uint64_t span = XDS_BACKOFF_MIN_MS;
	uint64_t most =
	    b->refused ? XDS_BACKOFF_REFUSED_MAX_MS : XDS_BACKOFF_MAX_MS;

	for (size_t i = 0; i < rounds && span < most; i++)
		span *= 2;
	span = MIN(span, most);
	*out_delay_ms = b->started ? rng_below(&b->rng, span) + 1 : 0;
	b->started = true;
	b->refused = false;
	b->failures++;
	b->next = (server + 1) % b->servers;
	return server;
}

void
xds_backoff_refused(struct xds_backoff *b)
{
	b->refused = true;
}

void
xds_backoff_success(struct xds_backoff *b)
{
	b->failures = 0;
}
