/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head — the first part of a message: start line and fields, in order.
 *
 * One shape for HTTP/1 and HTTP/2 (RFC 9110). Text is a slice, either into
 * bytes that were just read (lent) or into the head's arena. Names compare
 * without regard to case; names that the proxy asks for often have an id.
 */
#ifndef MESHD_HTTP_HEAD_H
#define MESHD_HTTP_HEAD_H

#include "base/base.h"

/*	X(id, lower-case name)	*/
#define HTTP_FIELD_TABLE(X)                                                    \
	X(HTTP_HOST, "host")                                                   \
	X(HTTP_CONNECTION, "connection")                                       \
	X(HTTP_KEEP_ALIVE, "keep-alive")                                       \
	X(HTTP_PROXY_CONNECTION, "proxy-connection")                           \
	X(HTTP_TRANSFER_ENCODING, "transfer-encoding")                         \
	X(HTTP_CONTENT_LENGTH, "content-length")                               \
	X(HTTP_CONTENT_TYPE, "content-type")                                   \
	X(HTTP_TE, "te")                                                       \
	X(HTTP_TRAILER, "trailer")                                             \
	X(HTTP_UPGRADE, "upgrade")                                             \
	X(HTTP_EXPECT, "expect")                                               \
	X(HTTP_DATE, "date")                                                   \
	X(HTTP_SERVER, "server")                                               \
	X(HTTP_VIA, "via")                                                     \
	X(HTTP_FORWARDED, "forwarded")                                         \
	X(HTTP_AUTHORIZATION, "authorization")                                 \
	X(HTTP_USER_AGENT, "user-agent")                                       \
	X(HTTP_LOCATION, "location")                                           \
	X(HTTP_RETRY_AFTER, "retry-after")                                     \
	X(HTTP_PROXY_STATUS, "proxy-status")                                   \
	X(HTTP_X_REQUEST_ID, "x-request-id")                                   \
	X(HTTP_X_FORWARDED_FOR, "x-forwarded-for")                             \
	X(HTTP_X_FORWARDED_PROTO, "x-forwarded-proto")                         \
	X(HTTP_X_FORWARDED_CLIENT_CERT, "x-forwarded-client-cert")             \
	X(HTTP_X_ENVOY_ATTEMPT_COUNT, "x-envoy-attempt-count")                 \
	X(HTTP_TRACEPARENT, "traceparent")                                     \
	X(HTTP_BAGGAGE, "baggage")                                             \
	X(HTTP_GRPC_STATUS, "grpc-status")                                     \
	X(HTTP_GRPC_MESSAGE, "grpc-message")                                   \
	X(HTTP_GRPC_TIMEOUT, "grpc-timeout")

enum http_field_id {
	HTTP_OTHER, /* any name that is not in the table */
#define X(id, name) id,
	HTTP_FIELD_TABLE(X)
#undef X
	    HTTP_FIELD_IDS
};

enum http_version { HTTP_V1_0, HTTP_V1_1, HTTP_V2 };

/* How the body's end is known (RFC 9112 §6). */
enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,  /* content_length bytes */
	HTTP_BODY_CHUNKED, /* until the last chunk, or END_STREAM on HTTP/2 */
	HTTP_BODY_CLOSE,   /* a response until the connection ends */
	HTTP_BODY_TUNNEL   /* no body: raw bytes follow */
};

/* What the Connection field that http1_write_head() makes shall say. */
enum http_connection {
	HTTP_CONN_DEFAULT, /* no such field */
	HTTP_CONN_CLOSE,
	HTTP_CONN_KEEP_ALIVE, /* for HTTP/1.0 clients */
	HTTP_CONN_UPGRADE     /* with "upgrade: <head.upgrade>" */
};

struct http_field {
	struct slice name; /* in the case that it came in */
	struct slice value;
	uint16_t id; /* enum http_field_id */
	bool lent;   /* points into bytes of the feed, not the arena */
	bool secret; /* never put into an HPACK table */
};

struct http_head {
	struct arena *arena;     /* borrowed; fields and added text lie here */
	struct slice method;     /* "GET"; empty in a response */
	struct slice scheme;     /* "http"; may be empty */
	struct slice authority;  /* "host:port"; the Host field is not kept */
	struct slice path;       /* with query; empty for CONNECT */
	struct slice reason;     /* of a response; may be empty */
	struct slice upgrade;    /* Upgrade's value if Connection names it */
	uint16_t status;         /* of a response, 100–999; 0 in a request */
	uint8_t version;         /* enum http_version */
	uint8_t framing;         /* enum http_framing */
	uint8_t connection;      /* enum http_connection */
	bool keep_alive;         /* the sender lets the connection live */
	bool expect_continue;    /* Expect: 100-continue */
	uint8_t lent;            /* bit set over the slices above, private */
	uint64_t content_length; /* if framing is HTTP_BODY_LENGTH */
	uint64_t present;        /* bit 1 << id for each id that is there */
	struct http_field *fields;
	uint16_t count;
	uint16_t cap;
	uint32_t bytes; /* names and values together */
};

/* Empty, HTTP/1.1; borrows the arena for as long as the head lives. */
void http_head_init(struct http_head *h, struct arena *a);

/* The id of a name in any case; HTTP_OTHER if it has none. */
enum http_field_id http_field_id(struct slice name);

/* The lower-case name of an id. */
struct slice http_field_name(enum http_field_id id);

/*
 * Appends a field; borrows both texts until the head ends. ERR_LIMIT past
 * LIMIT_HEAD_FIELDS or LIMIT_HEAD_BYTES; ERR_INVALID for bytes that a name
 * or value may not have (RFC 9110 §5.5, §5.6.2). Here and in set, "host" is
 * the head's authority.
 */
MUST_USE enum err http_head_add(
    struct http_head *h, struct slice name, struct slice value);

/* Replaces the first of that name and drops the others, or appends. */
MUST_USE enum err http_head_set(
    struct http_head *h, struct slice name, struct slice value);

/* The same for a name that has an id; no lookup. */
MUST_USE enum err http_head_set_id(
    struct http_head *h, enum http_field_id id, struct slice value);

/* Drops all of that name; returns how many there were. */
size_t http_head_remove(struct http_head *h, struct slice name);
size_t http_head_remove_id(struct http_head *h, enum http_field_id id);

/*
 * The first value; false if absent (an empty value is not absent). "host"
 * and ":authority", ":path", ":method", ":scheme" give the head's own parts.
 */
bool http_head_get(
    const struct http_head *h, struct slice name, struct slice *out);
bool http_head_get_id(
    const struct http_head *h, enum http_field_id id, struct slice *out);

/* The next field of that name from *cursor (0 at first), or NULL. */
const struct http_field *http_head_next(
    const struct http_head *h, struct slice name, size_t *cursor);

/*
 * All values of that name as one list, joined by ", " (RFC 9110 §5.3); in
 * the arena if there are several. SLICE_NONE if absent or out of room.
 */
struct slice http_head_join(const struct http_head *h, struct slice name);
struct slice http_head_join_id(
    const struct http_head *h, enum http_field_id id);

/*
 * True if a comma-separated list holds the token, without regard to case;
 * parameters behind ';' are not looked at.
 */
bool http_list_has(struct slice list, struct slice token);

/*
 * Removes what concerns one connection only (RFC 9110 §7.6.1): Connection
 * and what it names, Keep-Alive, Proxy-Connection, Transfer-Encoding,
 * Upgrade, TE unless it says trailers. `upgrade` of the head stays.
 */
void http_head_strip_hops(struct http_head *h);

/*
 * Copies everything that is lent into the arena, so that the head outlives
 * the bytes that it was read from. ERR_LIMIT when the arena is full.
 */
MUST_USE enum err http_head_keep(struct http_head *h);

/* A deep copy into another arena, which `out` borrows. */
MUST_USE enum err http_head_copy(
    const struct http_head *h, struct arena *a, struct http_head *out);

/* Standard words for a status ("Not Found"); "Unknown" if none. */
struct slice http_status_text(unsigned status);

/*
 * Proxy-Status of an answer that we made: `meshd; error=TOKEN; details="…"`
 * (RFC 9209 §2.1), the error being left out if it is empty, and the details of
 * such a value; SLICE_NONE if there are none or the arena is full.
 */
struct slice http_proxy_status(
    struct arena *a, struct slice error, struct slice details);
struct slice http_proxy_status_details(struct arena *a, struct slice value);

static inline bool
http_head_has(const struct http_head *h, enum http_field_id id)
{
	return (h->present >> id) & 1;
}

static inline bool
http_head_is_method(const struct http_head *h, struct slice method)
{
	return slice_eq(h->method, method); /* methods are case-sensitive */
}

#endif
