/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — a small HTTP server for APIs: a head, a whole body, an answer.
 *
 * It serves connections that someone else accepted (TCP, unix, TLS), as
 * HTTP/1.1 or HTTP/2. Bodies are collected up to a bound. Not for proxied
 * traffic: the proxy uses the codecs.
 */
#ifndef MESHD_HTTP_SERVER_H
#define MESHD_HTTP_SERVER_H

#include "grpc.h"

struct http_server;
struct http_exchange; /* one request, until it is answered */

enum http_proto { HTTP_PROTO_1, HTTP_PROTO_2 };

struct http_server_spec {
	struct loop *loop;
	/*
	 * A head is here, its body is not; may be NULL. True: go on. False:
	 * the owner answers by itself, now or later; the body is not taken,
	 * and an HTTP/1 connection ends with the answer.
	 */
	bool (*on_head)(void *arg, struct http_exchange *x);
	/*
	 * A request with its whole body is here. Answer now or later: the
	 * exchange lives until http_exchange_respond() or _end(), even if
	 * the client has left; see http_exchange_on_gone().
	 */
	void (*on_request)(void *arg, struct http_exchange *x);
	/*
	 * A gRPC request on HTTP/2: call grpc_call_accept() or grpc_refuse()
	 * inside. NULL: every gRPC call is refused as unimplemented.
	 * `conn_arg` is the connection's.
	 */
	void (*on_grpc)(void *arg, struct http2_stream *s, struct http_head *h,
	    void *conn_arg);
	/* A connection has ended; may be NULL. */
	void (*on_conn_close)(void *arg, void *conn_arg);
	void *arg;
	size_t body_limit;   /* bytes; 0 is LIMIT_API_BODY */
	uint64_t idle_us;    /* between requests; 0 is 60 s */
	uint64_t request_us; /* from first byte to whole body; 0 is 30 s */
	uint32_t conns_max;  /* 0 is 1024; more are closed at once */
	struct http2_budget *budget; /* for HTTP/2; may be NULL */
	bool secret; /* what comes and goes is wiped, an exchange's arena too */
};

struct http_server *http_server_new(const struct http_server_spec *spec);

/* Closes every connection; exchanges become deaf and dumb. */
void http_server_free(struct http_server **sp);

/*
 * Serves one connection; takes the stream. `conn_arg` is whatever the owner
 * knows of the peer (uid, identity); it must live until on_conn_close.
 */
void http_server_serve(struct http_server *s, struct stream *conn,
    enum http_proto proto, void *conn_arg);

/* Finishes what is being answered, then closes; no new requests. */
void http_server_drain(struct http_server *s);

size_t http_server_conns(const struct http_server *s);

/* Live until the exchange is answered. */
const struct http_head *http_exchange_head(const struct http_exchange *x);
struct slice http_exchange_body(const struct http_exchange *x);
struct slice http_exchange_path(const struct http_exchange *x); /* no query */
struct slice http_exchange_query(const struct http_exchange *x);
void *http_exchange_conn_arg(const struct http_exchange *x);
struct stream *http_exchange_stream(const struct http_exchange *x);

/* An arena that lives as long as the exchange; 16 times the body's limit. */
struct arena *http_exchange_arena(struct http_exchange *x);

/* The decoded value of a query parameter; false if absent. In the arena. */
bool http_exchange_param(
    struct http_exchange *x, struct slice name, struct slice *out);

/*
 * Called if the client leaves before the answer was whole. The exchange ends
 * when `gone` returns; without one it must be answered into the void.
 */
void http_exchange_on_gone(
    struct http_exchange *x, void (*gone)(void *arg), void *arg);

/* A field for the answer, before it begins; copies. */
MUST_USE enum err http_exchange_set(
    struct http_exchange *x, struct slice name, struct slice value);

/* The whole answer; copies; the exchange is gone after it. */
void http_exchange_respond(struct http_exchange *x, unsigned status,
    struct slice content_type, struct slice body);

/*
 * An answer in pieces: begin, any number of writes, end. A write takes all
 * and says ERR_AGAIN when the client is slow (then wait for `drained`), and
 * ERR_CLOSED when it has left.
 */
void http_exchange_begin(struct http_exchange *x, unsigned status,
    struct slice content_type, void (*drained)(void *arg), void *arg);
MUST_USE enum err http_exchange_write(
    struct http_exchange *x, struct slice bytes);
void http_exchange_end(struct http_exchange *x);

#endif
