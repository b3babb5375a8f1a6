/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain — what would happen to one request or connection, and why, as a
 * tree.
 *
 * Asks the view through the functions that the proxy uses; nothing here knows
 * a rule of its own.
 */
#ifndef MESHD_EXPLAIN_H
#define MESHD_EXPLAIN_H

#include "view.h"

enum { EXPLAIN_HEADERS_MAX = 100, EXPLAIN_ALPNS_MAX = 16 };

/* One request, by the host that it names. */
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
	/* Of a connection that is no request, lower case; empty: the host. */
	struct slice sni;
	bool offline; /* nobody knows who is alive: endpoints are not judged */
};

enum explain_protocol {
	EXPLAIN_TCP,
	EXPLAIN_HTTP,
	EXPLAIN_HTTP2,
	EXPLAIN_GRPC
};

enum explain_tls {
	EXPLAIN_PLAINTEXT,
	EXPLAIN_TLS,   /* the client shows no certificate */
	EXPLAIN_MTLS,  /* it shows one of the mesh, or what `secret` names */
	EXPLAIN_CLIENT /* it shows one of its own, and the server takes it */
};

/* One connection, by the address that it calls, and the request on it. */
struct explain_connection {
	enum view_direction direction;
	struct addr destination; /* family ADDR_NONE: one that nobody has */
	enum explain_protocol protocol;
	enum explain_tls tls;
	struct slice sni;          /* in lower case */
	const struct slice *alpns; /* none: what such a client offers */
	size_t alpn_count;
	/* The server's certificate that a client with one expects there, by
	 * the secret's name; empty: the mesh's own. */
	struct slice secret;
	/* Whom the client's certificate is of: NAME.NAMESPACE or spiffe://…;
	 * empty: it is not said. */
	struct slice peer;
	struct addr source; /* family ADDR_NONE: not known */
	/* Who calls (of inbound and gateway: nobody in the mesh), and what is
	 * asked, unless the protocol is TCP. Its host says, of outbound, which
	 * address is called where none is given. */
	struct explain_request request;
	/* For tokens, by whoever asks: what reads them, and when they expire.
	 * NULL: none can be read. */
	resource_json_cb parse_json;
	int64_t now_ms;
};

/* Whose view has to answer. */
struct explain_place {
	enum view_proxy proxy;
	struct slice ns;
	struct labels labels;
	struct addr ip; /* of the machine; family ADDR_NONE: not known */
};

/* The input of a view from there; borrows from the place. Its label
 * topology.istio.io/network, if it has one, is the network. */
void explain_view_input(
    const struct explain_place *place, struct view_input *out);

/* The gateways that a Gateway selects, in its namespace; borrows. False for a
 * resource of another kind. */
bool explain_gateway_place(const struct resource *r, struct explain_place *out);

/* Documents that are to be on top of what there is. */
struct explain_documents {
	const struct value *list; /* NULL: none */
	/* Of each, in their order, where it is written: "file", and "lines" as
	 * value_lines() has them. NULL: not known. */
	const struct value *places;
};

struct explain_question {
	struct explain_place place;
	struct explain_documents with; /* for whoever compiles the view */
	struct slice cluster; /* by its name; empty: one of the others */
	bool is_connection;   /* else only its request is set */
	struct explain_connection connection;
};

/*
 * A question as JSON has it. Of all: namespace, labels, proxy (sidecar,
 * gateway), ip, with [document], places [{file, lines}]. Of a request and a
 * connection: port, method, scheme, authority, path, headers {name: value}. Of
 * a request: host, or upstream; sni. Of a connection: direction (outbound,
 * inbound, gateway), which makes it one; address, protocol (tcp, http, http2,
 * grpc), tls (plaintext, tls, mtls, client), sni, alpn [text], secret, peer,
 * sourceIp. Of a cluster just that: cluster, its name. Borrows from `v`.
 * ERR_INVALID names the member that is not right, not known or missing.
 */
MUST_USE enum err explain_read(const struct value *v, struct arena *arena,
    struct explain_question *out, struct fault *why);

/*
 * A map: caller {namespace, labels}; request; error, ErrNoVirtualHost or
 * ErrNoRoute; outcome {status 0 or what we
 * would answer, flag, reason}; listener {name, address, identity}, the first
 * that leads to the host, of so many listeners; virtualHostMatched;
 * routeMatched; clusterMatched (with one destination; with several it is in
 * each of `destinations`); origin; rules
 * [{rule, origin, matched, why}] in the order they are asked; destinations
 * [{cluster, missing, weight, percent, type, balancer, security, sni, policy,
 * origin, notInForce [what of it the proxy does not do yet], endpoints
 * [{address, node, identity, labels, locality, priority, weight, usable,
 * reason}]}]; action, notInForce [what of that the proxy goes on without];
 * rewrittenPath, location (of this request); problems [{origin, text}], what is
 * wrong with the resources that the call met, at most 20. What has no value is
 * left out. Text is borrowed from the view and the request. NULL only
 * when the arena is full.
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

/*
 * The same for a connection, and before it: connection {direction,
 * destination, protocol, tls, sni, alpn, as the listener sees it};
 * listenerMatched; filterChainMatched; routeConfigMatched, of chains whose
 * routes are found by name; error, one of
 *
 *	ErrNoListener      nobody listens at this address
 *	ErrNoFilterChain   the listener has no chain for what is known of it
 *	ErrTLSError        it is plain, and the chain ends TLS
 *	ErrMTLSError       the chain wants a certificate of the mesh and there
 *	                   is none, or the reverse
 *	ErrProtocolError   requests are expected, and there are none to read
 *	ErrNoVirtualHost   no virtual host has the authority
 *	ErrTLSRedirect     the virtual host sends plain requests to https
 *	ErrNoRoute         no rule takes the request
 *
 * access, of what comes in where a policy is for whom it leads to: from, and
 * what model_explain_access() says of it; that changes nothing of the rest, as
 * the proxy does not enforce policies yet. steps [{step, name, origin, why}],
 * one for each of them; chains [{name, origin, why}], those of the listener
 * that do not take it, at most 50 (of inbound only if none does); action, what
 * is done with it, and clusters {name: settings}, of each that it may reach, by
 * Envoy's words.
 */
struct value *model_explain_connection(const struct view *v,
    const struct explain_connection *connection, struct arena *arena);

/* Whichever it is; of a cluster {cluster, origin, settings}, of one that is
 * not there its name alone. */
struct value *model_answer(const struct view *v,
    const struct explain_question *question, struct arena *arena);

#endif
