/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc — messages in both directions over one HTTP/2 stream.
 *
 * The wire is gRPC over HTTP/2: POST to /package.Service/Method, each message
 * behind five bytes (compressed flag, length), the outcome in trailers. We
 * send no compression and refuse it. A message is at most LIMIT_GRPC_MESSAGE.
 */
#ifndef MESHD_HTTP_GRPC_H
#define MESHD_HTTP_GRPC_H

#include "http2.h"

/* gRPC's status codes; the numbers are the wire's. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_UNAUTHENTICATED = 16
};

/*
 * What a Content-Type says: "application/grpc", "-web", "-web-text" or
 * "-web-text-base64", and the format of messages behind a plus. Parameters are
 * passed over. False: something else.
 */
struct grpc_type {
	bool web;             /* gRPC-Web, see grpc_web.h */
	bool text;            /* its bytes are base64 */
	struct slice subtype; /* "+proto"; may be empty */
};

bool grpc_read_type(struct slice content_type, struct grpc_type *out);

/* The content of a head is gRPC itself. */
bool grpc_is_content(const struct http_head *h);

/* What an HTTP status means where a grpc-status is missing. */
enum grpc_status grpc_status_from_http(unsigned status);

/*
 * What grpc-timeout says: up to eight digits and a unit, H M S m u n; in whole
 * microseconds, at least one. ERR_PARSE otherwise.
 */
MUST_USE enum err grpc_timeout_parse(struct slice text, uint64_t *out_us);

/* --- framing, pure --- */

enum { GRPC_PREFIX_LEN = 5 };

/* Cuts a flow of bytes into messages. */
struct grpc_reader {
	struct buf buf; /* an unfinished message */
	size_t limit;   /* bytes of one message */
};

void grpc_reader_init(struct grpc_reader *r, size_t message_limit);
void grpc_reader_fini(struct grpc_reader *r);

/*
 * Calls `each` with every message that is whole; the slice is lent for the
 * call, which returns false to stop (the rest is dropped). ERR_LIMIT: too
 * large. ERR_UNSUPPORTED: compressed. ERR_PARSE: flag is neither 0 nor 1.
 */
MUST_USE enum err grpc_reader_feed(struct grpc_reader *r, struct slice bytes,
    bool (*each)(void *arg, struct slice message), void *arg);

/* True if a message has begun and not ended. */
bool grpc_reader_is_inside(const struct grpc_reader *r);

/* Prefix and message. */
MUST_USE enum err grpc_write(struct slice message, struct buf *out);

/* grpc-message's percent encoding, and back (in the arena). */
MUST_USE enum err grpc_message_encode(struct slice text, struct buf *out);
MUST_USE enum err grpc_message_decode(
    struct slice text, struct arena *a, struct slice *out);

/* --- calls --- */

struct grpc_call; /* either end of one call */

/* Any but on_close may be NULL. */
struct grpc_events {
	/* The other side accepted: its head is here (client only). */
	void (*on_head)(void *arg, struct grpc_call *c, struct http_head *h);
	/*
	 * One message, lent for this call; credit for it goes back after the
	 * call, or with grpc_call_resume() if it paused the call.
	 */
	void (*on_message)(
	    void *arg, struct grpc_call *c, struct slice message);
	/* The other side sends no more (server: client's half close). */
	void (*on_end)(void *arg, struct grpc_call *c);
	/* After a send that said ERR_AGAIN. */
	void (*on_drained)(void *arg, struct grpc_call *c);
	/* Once and last; the call is gone after it. `text` is lent. */
	void (*on_close)(void *arg, struct grpc_call *c,
	    enum grpc_status status, struct slice text);
};

/*
 * Client: begins a call of "/meshd.v1.Control/DeltaResources" at `authority`.
 * `extra` holds metadata and may be NULL. NULL if the session has no room.
 */
struct grpc_call *grpc_call_open(struct http2 *c, struct slice authority,
    struct slice path, const struct http_head *extra,
    const struct grpc_events *events, void *arg);

/* True if a request is one of gRPC: POST, content-type application/grpc. */
bool grpc_is_request(const struct http_head *h);

/* Server, inside on_request: takes the stream, sends the response's head. */
struct grpc_call *grpc_call_accept(
    struct http2_stream *s, const struct grpc_events *events, void *arg);

/* Server, inside on_request: a trailers-only answer. */
void grpc_refuse(
    struct http2_stream *s, enum grpc_status status, struct slice text);

/* As http2_stream_send(); ERR_LIMIT if larger than LIMIT_GRPC_MESSAGE. */
MUST_USE enum err grpc_call_send(struct grpc_call *c, struct slice message);

/* Client: no more messages from us. */
void grpc_call_end(struct grpc_call *c);

/* Server: trailers with the outcome; on_close follows. Copies the text. */
void grpc_call_finish(
    struct grpc_call *c, enum grpc_status status, struct slice text);

/* Either: RST_STREAM with CANCEL; on_close follows with GRPC_CANCELLED. */
void grpc_call_cancel(struct grpc_call *c);

/* Frees what large messages left behind them, if all of it has been sent. */
void grpc_call_relax(struct grpc_call *c);

/* Holds credit back, and gives it. Messages at hand still arrive. */
void grpc_call_pause(struct grpc_call *c);
void grpc_call_resume(struct grpc_call *c);

#endif
