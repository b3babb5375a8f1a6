/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain — what would happen to one request, and why, as a tree.
 *
 * Asks the view through the functions that the proxy uses; nothing here knows
 * a rule of its own.
 */
#ifndef MESHD_EXPLAIN_H
#define MESHD_EXPLAIN_H

#include "view.h"

struct explain_request {
	struct slice upstream; /* a named listener; empty: by `host` */
	/* Who calls. Where nobody calls from there, the proxy itself. */
	struct slice ns;
	struct labels labels;
	struct slice host;           /* any form, no port */
	uint16_t port;               /* 0: the service's first */
	struct slice method;         /* empty: GET */
	struct slice scheme;         /* empty: http */
	struct slice authority;      /* empty: the host */
	struct slice path;           /* empty: / */
	const struct label *headers; /* names in any case */
	size_t header_count;
	bool offline; /* nobody knows who is alive: endpoints are not judged */
};

/*
 * A map: caller {namespace, labels}; request; outcome {status 0 or what we
 * would answer, flag, reason}; listener {name, address, identity}, the first
 * that leads to the host, of so many listeners; virtualHostMatched;
 * routeMatched; clusterMatched (with one destination; with several it is in
 * each of `destinations`); origin; rules
 * [{rule, origin, matched, why}] in the order they are asked; destinations
 * [{cluster, weight, percent, balancer, origin, endpoints [{address, node,
 * identity, labels, usable, reason}]}]; timeout, retries, rewrite, headers.
 * What has no value is left out. Text is borrowed from the view and the
 * request. NULL only when the arena is full.
 */
struct value *model_explain(const struct view *v,
    const struct explain_request *request, struct arena *arena);

#endif
