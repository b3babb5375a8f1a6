/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow — what is known of one request or connection when it is over.
 *
 * The proxy fills it, telemetry turns it into a log line and into series.
 * It lives here, below both, because it speaks of rows of a view. Everything
 * is borrowed for the call in which it is handed over.
 */
#ifndef MESHD_FLOW_H
#define MESHD_FLOW_H

#include "field.h"

/*
 * Why we answered ourselves, or how it ended badly. Letters are Envoy's, so
 * that eyes and dashboards know them; words and the error token of RFC 9209
 * §2.3 are what `Proxy-Status` carries.
 *	X(name, letters, Proxy-Status error, words)
 */
#define FLOW_FLAG_TABLE(X)                                                     \
	X(FLOW_OK, "-", "", "")                                                \
	X(FLOW_NO_ROUTE, "NR", "destination_not_found",                        \
	    "no route matches this request")                                   \
	X(FLOW_NO_CLUSTER, "NC", "destination_not_found",                      \
	    "the route's destination does not exist")                          \
	X(FLOW_NO_ENDPOINT, "UH", "destination_unavailable",                   \
	    "the destination has no healthy endpoint")                         \
	X(FLOW_CONNECT_FAILED, "UF", "connection_refused",                     \
	    "no connection to the endpoint")                                   \
	X(FLOW_UPSTREAM_RESET, "UR", "connection_terminated",                  \
	    "the endpoint reset the stream")                                   \
	X(FLOW_UPSTREAM_CLOSED, "UC", "connection_terminated",                 \
	    "the endpoint closed the connection before it answered")           \
	X(FLOW_TIMEOUT, "UT", "http_response_timeout",                         \
	    "the endpoint did not answer in time")                             \
	X(FLOW_UPSTREAM_PROTOCOL, "UPE", "http_protocol_error",                \
	    "the endpoint broke the protocol")                                 \
	X(FLOW_DOWNSTREAM_CLOSED, "DC", "http_request_error",                  \
	    "the client went away")                                            \
	X(FLOW_DOWNSTREAM_PROTOCOL, "DPE", "http_request_error",               \
	    "the client broke the protocol")                                   \
	X(FLOW_STREAM_IDLE, "SI", "connection_timeout",                        \
	    "nothing moved for too long")                                      \
	X(FLOW_TOO_OLD, "DT", "connection_terminated",                         \
	    "the connection was as old as it may become")                      \
	X(FLOW_OVERFLOW, "UO", "proxy_internal_error",                         \
	    "a limit of this proxy was reached")                               \
	X(FLOW_DENIED, "UAEX", "http_request_denied", "refused by policy")     \
	X(FLOW_NOT_EXPOSED, "NR", "destination_not_found",                     \
	    "the port is not exposed here")                                    \
	X(FLOW_FAULT, "FI", "proxy_internal_response", "fault filter abort")

enum flow_flag {
#define X(name, letters, token, words) name,
	FLOW_FLAG_TABLE(X)
#undef X
	    FLOW_FLAG_COUNT
};

enum { FLOW_LETTERS_MAX = 16 };

const char *flow_flag_letters(enum flow_flag f);
const char *flow_flag_token(enum flow_flag f);
const char *flow_flag_words(enum flow_flag f);

/*
 * A connection is told of when it stands and at its end, or once: refused. A
 * copy of a request that went elsewhere, or that should have, is no request.
 */
enum flow_kind {
	FLOW_HTTP,
	FLOW_COPY,
	FLOW_TCP_OPENED,
	FLOW_TCP_CLOSED,
	FLOW_TCP_REFUSED
};
enum flow_reporter { FLOW_SOURCE, FLOW_DESTINATION };

/* "http", "copy", "tcp". */
const char *flow_kind_name(enum flow_kind k);

/* One side of a flow, as far as it is known; empty slices are unknown. */
struct flow_party {
	struct slice service; /* "reviews.default.svc.mesh.internal" */
	struct slice service_name;
	struct slice service_ns;
	struct slice workload;
	struct slice ns;       /* of the workload */
	struct slice identity; /* spiffe://… */
	struct slice app;      /* label app */
	struct slice version;  /* label version */
	struct slice canonical_name;
	struct slice canonical_revision;
	struct slice cluster; /* Istio's word; our network */
	/*
	 * Of all texts above, by flow_party_seal(): equal for equal parties,
	 * else almost surely not. Telemetry finds its series by it.
	 */
	uint64_t key;
};

/* What the labels say of a workload: app, version, and Istio's canonical name
 * and revision (name: the workload's own if no label has one). */
void flow_party_label(struct flow_party *p, const struct labels *labels);

/* To be called when the last text is set. */
void flow_party_seal(struct flow_party *p);

/* When something happened to a request. Named as Envoy does it in
 * %COMMON_DURATION%. */
enum flow_point {
	FLOW_BEGAN,       /* DS_RX_BEG: its head is here */
	FLOW_CAME,        /* DS_RX_END: all of it is */
	FLOW_SENT,        /* US_TX_BEG: on its way to the last endpoint */
	FLOW_SENT_ALL,    /* US_TX_END */
	FLOW_ANSWERED,    /* US_RX_BEG: the endpoint's head is here */
	FLOW_ANSWER_CAME, /* US_RX_END */
	FLOW_ANSWER_SENT, /* DS_TX_BEG: a head on its way to the client */
	FLOW_ENDED,       /* DS_TX_END */
	FLOW_POINTS
};

/* A try that was not the last, and why. */
struct flow_try {
	struct addr endpoint;
	uint64_t at_us; /* when it was over, since the request began */
	enum flow_flag
	    flag;        /* FLOW_OK: an answer that the policy did not take */
	uint16_t status; /* of that */
	struct slice words; /* beyond the flag's own; may be empty */
};

enum { FLOW_TRIES_MAX = 16 }; /* that are told */

/* Heads while they are there: for whoever is told of the flow, in that call. */
struct flow_heads {
	const void *request; /* NULL: there is none, or no more */
	const void *answer;
	const void *trailers;
	/* The first of that name (":path" and the like too); false if absent.
	 */
	bool (*field)(
	    const void *head, struct slice name, struct slice *out_value);
};

struct origin;

struct flow_record {
	enum flow_kind kind;
	enum flow_reporter reporter;
	enum flow_flag flag;
	struct slice detail; /* words beyond the flag's own, may be empty */
	bool own;            /* the answer is our own refusal, in words */
	int64_t start_wall_ms;
	uint64_t at_us[FLOW_POINTS]; /* by one clock; 0: it did not happen */
	uint64_t duration_us;
	uint64_t upstream_us;          /* until the first byte of the answer */
	struct slice protocol;         /* "http", "tcp", "grpc" */
	struct slice version;          /* "HTTP/1.1", empty for TCP */
	struct slice upstream_version; /* the same, to the endpoint */
	struct slice method;
	struct slice path;
	struct slice authority;
	struct slice user_agent;
	struct slice forwarded_for;
	struct slice request_id;
	uint16_t status;         /* 0 for TCP */
	bool has_grpc;           /* it is gRPC, and was answered */
	uint8_t grpc;            /* then its own status */
	uint64_t bytes_received; /* body or stream bytes from the client */
	uint64_t bytes_sent;     /* and to it */
	unsigned attempts;
	const struct flow_try *tries; /* before the last one */
	size_t try_count;
	bool delayed;       /* kept back by a rule: DI */
	bool retries_spent; /* the policy wanted one more than it allows: URX */
	bool mutual_tls;
	uint64_t connection; /* the client's number here; 0 is none */
	struct addr downstream_remote;
	struct addr downstream_local;
	struct addr upstream; /* family 0: none was chosen */
	struct addr upstream_local;
	struct slice upstream_node;  /* the machine that it is; may be empty */
	struct slice cluster;        /* "outbound|80||reviews.default.svc…" */
	struct slice route;          /* name of the route, may be empty */
	const struct origin *origin; /* where that stands; NULL: nowhere */
	struct slice sni;
	struct flow_heads heads;
	struct flow_party source; /* both are sealed */
	struct flow_party destination;
};

/* Envoy's letters for how it ended: "-", "UF", "UF,URX", "DI,FI". */
char *flow_letters(const struct flow_record *r, char out[FLOW_LETTERS_MAX]);

/* The same in Envoy's long names: "UpstreamConnectionFailure,DelayInjected". */
enum { FLOW_NAMES_MAX = 128 };
char *flow_names(const struct flow_record *r, char out[FLOW_NAMES_MAX]);

/* Why it ended as it did: the detail, or the flag's own words; may be empty. */
struct slice flow_reason(const struct flow_record *r);

/* "via_upstream", "direct_response", the token of a flag; empty: no answer. */
struct slice flow_details(const struct flow_record *r);

/*
 * Copies the record and its texts into the arena, without heads. A text for
 * which there is no room becomes empty: a log line without it is better than no
 * line.
 */
void flow_record_copy(
    const struct flow_record *from, struct arena *a, struct flow_record *out);

/* The same into so many bytes; long texts are cut, and of the parties only the
 * service, the workload and the identity are there. */
enum { FLOW_PACKED_TEXT_MAX = 256 };
void flow_record_pack(const struct flow_record *from, char *mem, size_t room,
    struct flow_record *out);

#endif
