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
 * [{cluster, missing, weight, percent, balancer, origin, endpoints [{address,
 * node, identity, labels, usable, reason}]}]; action; rewrittenPath, location
 * (of this request). What has no value is left out. Text is borrowed from the
 * view and the request. NULL only when the arena is full.
 *
 * `action` is what the rule does, in Istio's and Envoy's words:
 *
 *	sends on	cluster, or weightedClusters [{cluster, weight,
 *			hostRewrite, requestHeaders, responseHeaders}]; a
 *			cluster that is not there has its name all the same
 *			timeout "2.5s" ("0s": none); of inbound routes
 *			maxStreamDuration, grpcTimeoutHeaderMax
 *			retry {numRetries, retryOn, statusCodes,
 *			perTryTimeout, backoffBase, hostSelectionAttempts,
 *			hostPredicates, priority}
 *			prefixRewrite; regexRewrite {regex, substitution};
 *			hostRewrite
 *			hashPolicy [{header | queryParameter | sourceIp |
 *			cookie, ttl, path, attributes [{name, value}]}]
 *			mirrors [{cluster, percent}]
 *	or answers	redirect {code, scheme, host, port, path |
 *			prefixRewrite}
 *			directResponse {status, body | bodyBytes (base64)}
 *	and with both	requestHeaders, responseHeaders {add [{name, op "set"
 *			| "append", value}], remove}
 *			cors {origins ["exact:…", "prefix:…", "regex:…"],
 *			methods, headers, expose, maxAge, credentials,
 *			forwardUnmatchedPreflights}
 *			fault {delay {fixed, percent}, abort {http | grpc,
 *			percent}}
 *
 * Of bytes (a port that speaks no HTTP) it is cluster or weightedClusters.
 */
struct value *model_explain(const struct view *v,
    const struct explain_request *request, struct arena *arena);

#endif
