/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1 — HTTP/1.1 as a codec: bytes in, events out; heads in, bytes out.
 *
 * Pure: no socket, no clock. Strict where leniency lets two parsers see two
 * messages (RFC 9112 §11.2). One parser serves one direction of a connection
 * for its whole life; between messages it holds no memory but itself.
 */
#ifndef MESHD_HTTP1_H
#define MESHD_HTTP1_H

#include "head.h"

/*	X(id, status, word for logs, sentence for people)	*/
#define HTTP1_FLAW_TABLE(X)                                                    \
	X(HTTP1_OK, 0, "-", "nothing is wrong")                                \
	X(HTTP1_BAD_START, 400, "bad_start_line", "malformed start line")      \
	X(HTTP1_BAD_METHOD, 400, "bad_method", "malformed or unknown method")  \
	X(HTTP1_BAD_TARGET, 400, "bad_target", "malformed request target")     \
	X(HTTP1_BAD_VERSION, 505, "bad_version",                               \
	    "HTTP version is neither 1.0 nor 1.1")                             \
	X(HTTP1_BAD_STATUS, 502, "bad_status", "malformed status code")        \
	X(HTTP1_BAD_NAME, 400, "bad_field_name",                               \
	    "illegal byte in a field name")                                    \
	X(HTTP1_BAD_VALUE, 400, "bad_field_value",                             \
	    "illegal byte in a field value")                                   \
	X(HTTP1_SPACE_COLON, 400, "space_before_colon",                        \
	    "space between field name and colon")                              \
	X(HTTP1_OBS_FOLD, 400, "folded_field",                                 \
	    "field value continues on the next line")                          \
	X(HTTP1_BARE_LF, 400, "bare_line_end",                                 \
	    "line ends without CR and LF together")                            \
	X(HTTP1_TWO_FRAMINGS, 400, "length_and_coding",                        \
	    "both Content-Length and Transfer-Encoding")                       \
	X(HTTP1_BAD_LENGTH, 400, "bad_content_length",                         \
	    "Content-Length is no number, or there are two")                   \
	X(HTTP1_BAD_CODING, 400, "bad_transfer_coding",                        \
	    "malformed or misplaced Transfer-Encoding")                        \
	X(HTTP1_UNKNOWN_CODING, 501, "unknown_transfer_coding",                \
	    "a transfer coding other than chunked")                            \
	X(HTTP1_BAD_CHUNK, 400, "bad_chunk", "malformed chunk")                \
	X(HTTP1_BAD_TRAILER, 400, "bad_trailer",                               \
	    "a trailer field that belongs into the head")                      \
	X(HTTP1_NO_HOST, 400, "missing_host", "no Host field")                 \
	X(HTTP1_TWO_HOSTS, 400, "two_hosts", "more than one Host field")       \
	X(HTTP1_BAD_HOST, 400, "bad_host", "malformed Host field")             \
	X(HTTP1_HOST_MISMATCH, 400, "host_mismatch",                           \
	    "Host differs from the request target")                            \
	X(HTTP1_BAD_HEAD, 400, "bad_head",                                     \
	    "a head that makes no sense") /* of HTTP/2 */                      \
	X(HTTP1_HEAD_TOO_LARGE, 431, "head_too_large",                         \
	    "start line and fields are too large")                             \
	X(HTTP1_TOO_MANY_FIELDS, 431, "too_many_fields", "too many fields")    \
	X(HTTP1_BODY_TOO_LARGE, 413, "body_too_large", "body is too large")    \
	X(HTTP1_BAD_EXPECT, 417, "bad_expectation",                            \
	    "an expectation other than 100-continue")                          \
	X(HTTP1_CUT_SHORT, 400, "cut_short",                                   \
	    "connection ended inside a message")                               \
	X(HTTP1_NO_MEMORY, 503, "out_of_memory", "no memory for the head")     \
	X(HTTP1_ABORTED, 500, "aborted", "given up by the receiver")

enum http1_flaw {
#define X(id, status, word, text) id,
	HTTP1_FLAW_TABLE(X)
#undef X
};

/* The status for a client whose request has the flaw; a response: 502. */
unsigned http1_flaw_status(enum http1_flaw f);
const char *http1_flaw_word(enum http1_flaw f);
const char *http1_flaw_text(enum http1_flaw f);

enum http1_side { HTTP1_REQUESTS, HTTP1_RESPONSES };

/*
 * Any may be NULL. `arg` is the parser's. A callback may call
 * http1_parser_pause() and http1_parser_abort(), but not feed or next.
 */
struct http1_events {
	/* 1xx of a response but 101; `h` is lent for this call. */
	void (*on_interim)(void *arg, struct http_head *h);
	/*
	 * The head, checked, framing decided. It stays the parser's until
	 * http1_parser_next(); its lent slices only until feed returns, so
	 * call http_head_keep() if it is needed for longer. Changing it does
	 * not change how the message is read.
	 */
	void (*on_head)(void *arg, struct http_head *h);
	/* Body bytes without framing; lent for this call. */
	void (*on_body)(void *arg, struct slice bytes);
	/* Only if there are any; as long-lived as the head. */
	void (*on_trailers)(void *arg, struct http_head *trailers);
	/* The message is over. Always the last event before feed returns. */
	void (*on_complete)(void *arg);
};

struct http1_parser; /* opaque; about 300 bytes */

struct http1_parser *http1_parser_new(
    enum http1_side side, const struct http1_events *events, void *arg);
void http1_parser_free(struct http1_parser **pp);

/*
 * Reads until the message ends, pauses or the bytes do; *out_used tells how
 * many were taken. The rest belongs to the next message, to the tunnel, or,
 * after a pause, to the next feed. OK: go on. ERR_EOF: the message is over,
 * call http1_parser_next(). ERR_AGAIN: paused; feed again to go on, if need be
 * with no bytes. ERR_PARSE: see http1_parser_flaw(); the parser stays dead.
 */
MUST_USE enum err http1_parser_feed(
    struct http1_parser *p, struct slice bytes, size_t *out_used);

/*
 * The connection has ended. OK: between messages. ERR_EOF: this ended the
 * message (on_complete was called). ERR_PARSE: inside one.
 */
MUST_USE enum err http1_parser_finish(struct http1_parser *p);

/* Frees the message; ready for another. Responses: see expect. */
void http1_parser_next(struct http1_parser *p);

/*
 * The method of the request whose response comes next: HEAD has no body and
 * a 2xx to CONNECT opens a tunnel. Before the response's first byte.
 */
void http1_parser_expect(struct http1_parser *p, struct slice method);

/* Body bytes past this are HTTP1_BODY_TOO_LARGE; 0 is no limit (default). */
void http1_parser_limit_body(struct http1_parser *p, uint64_t bytes);

/* Inside a callback: feed returns ERR_AGAIN behind the current event. */
void http1_parser_pause(struct http1_parser *p);

/* Inside a callback: feed fails with HTTP1_ABORTED. */
void http1_parser_abort(struct http1_parser *p);

enum http1_flaw http1_parser_flaw(const struct http1_parser *p);

/* The head from on_head until next; NULL before. */
struct http_head *http1_parser_head(struct http1_parser *p);

/* True between messages: not one byte of the next has come. */
bool http1_parser_is_idle(const struct http1_parser *p);

/* After the message: the connection may carry another. */
bool http1_parser_keep_alive(const struct http1_parser *p);

/* --- writing --- */

/*
 * Writes a request (status 0) or response head. Host comes from `authority`;
 * Content-Length, Transfer-Encoding, Connection and Upgrade come from
 * framing, connection and upgrade, never from the fields, save that a
 * Content-Length field is written where there is no body (HEAD, 304). Names
 * are written in lower case. ERR_LIMIT leaves `out` unchanged.
 */
MUST_USE enum err http1_write_head(const struct http_head *h, struct buf *out);

enum { HTTP1_CHUNK_HEAD_MAX = 18 }; /* 16 digits, CR, LF */

/* What goes before n body bytes (n > 0); "\r\n" goes behind them. */
size_t http1_chunk_head(uint64_t n, char out[HTTP1_CHUNK_HEAD_MAX]);

/* One whole chunk; nothing for an empty slice. */
MUST_USE enum err http1_write_chunk(struct slice bytes, struct buf *out);

/* The last chunk and the trailers, which may be NULL. */
MUST_USE enum err http1_write_end(
    const struct http_head *trailers, struct buf *out);

/* "HTTP/1.1 100 Continue" and an empty line. */
struct slice http1_continue(void);

#endif
