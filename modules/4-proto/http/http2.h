/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2 — an HTTP/2 connection, either end, over a struct stream (RFC 9113).
 *
 * Framing and HPACK are nghttp2's; flow control, limits and when to write are
 * ours. Credit goes back to the peer only for bytes that the owner reports as
 * consumed, so what a slow reader costs is bounded by its window. Windows
 * start at LIMIT_H2_WINDOW_START and grow with a reader that keeps up. All
 * frames of a loop turn leave in one write.
 *
 * Nothing here is called back from inside the caller's own call, except
 * http2_feed's events; objects end after the turn in which they closed.
 */
#ifndef MESHD_HTTP2_H
#define MESHD_HTTP2_H

#include "head.h"

/*
 * What ended a connection, if it was a rule or a bound.
 *	X(id, GOAWAY's code, word for logs and counters, sentence for people)
 */
#define HTTP2_FLAW_TABLE(X)                                                    \
	X(HTTP2_SOUND, NO_ERROR, "-", "nothing is wrong")                      \
	X(HTTP2_NONSENSE, PROTOCOL_ERROR, "protocol_error",                    \
	    "frames that break the rules of HTTP/2")                           \
	X(HTTP2_OUT_OF_STEP, STREAM_CLOSED, "stream_closed",                   \
	    "frames of a stream that is over")                                 \
	X(HTTP2_PING_FLOOD, ENHANCE_YOUR_CALM, "ping_flood", "too many PINGs") \
	X(HTTP2_SETTINGS_FLOOD, ENHANCE_YOUR_CALM, "settings_flood",           \
	    "too many SETTINGS")                                               \
	X(HTTP2_PRIORITY_FLOOD, ENHANCE_YOUR_CALM, "priority_flood",           \
	    "too many PRIORITY frames")                                        \
	X(HTTP2_WINDOW_FLOOD, ENHANCE_YOUR_CALM, "window_update_flood",        \
	    "too many WINDOW_UPDATEs for what was sent")                       \
	X(HTTP2_FRAME_FLOOD, ENHANCE_YOUR_CALM, "frame_flood",                 \
	    "too many frames that say nothing")                                \
	X(HTTP2_EMPTY_FLOOD, ENHANCE_YOUR_CALM, "empty_data_flood",            \
	    "too many DATA frames without a byte")                             \
	X(HTTP2_CONTINUATION_FLOOD, ENHANCE_YOUR_CALM, "continuation_flood",   \
	    "a head in too many pieces")                                       \
	X(HTTP2_HEAD_BOMB, ENHANCE_YOUR_CALM, "head_bomb",                     \
	    "a head many times as large as may be")                            \
	X(HTTP2_RESET_FLOOD, ENHANCE_YOUR_CALM, "reset_flood",                 \
	    "too many streams that were reset")                                \
	X(HTTP2_FAULT_FLOOD, ENHANCE_YOUR_CALM, "fault_flood",                 \
	    "too many streams that had to be reset")                           \
	X(HTTP2_ANSWER_FLOOD, ENHANCE_YOUR_CALM, "answer_flood",               \
	    "answers to PINGs and SETTINGS are not taken")                     \
	X(HTTP2_SLOW_HEAD, ENHANCE_YOUR_CALM, "slow_head",                     \
	    "a head did not come in time")                                     \
	X(HTTP2_STALLED, ENHANCE_YOUR_CALM, "stalled",                         \
	    "what was sent was not taken in time")                             \
	X(HTTP2_SILENT, NO_ERROR, "silent", "no answer to a PING in time")

enum http2_flaw {
#define X(id, code, word, text) id,
	HTTP2_FLAW_TABLE(X)
#undef X
};

const char *http2_flaw_word(enum http2_flaw f);
const char *http2_flaw_text(enum http2_flaw f);

struct loop;
struct stream;
struct http2;        /* one connection */
struct http2_stream; /* one request and its response */

/* RFC 9113 §7, those that callers name. */
enum http2_code {
	HTTP2_NO_ERROR = 0,
	HTTP2_PROTOCOL_ERROR = 1,
	HTTP2_INTERNAL_ERROR = 2,
	HTTP2_FLOW_CONTROL_ERROR = 3,
	HTTP2_STREAM_CLOSED = 5,
	HTTP2_REFUSED_STREAM = 7,
	HTTP2_CANCEL = 8,
	HTTP2_CONNECT_ERROR = 10,
	HTTP2_ENHANCE_YOUR_CALM = 11
};

/* Growth of all windows in the process together; any thread. */
struct http2_budget {
	uint64_t limit;
	_Atomic uint64_t used;
};

struct http2_limits {
	uint32_t streams;         /* MAX_CONCURRENT_STREAMS that we announce */
	uint32_t head_bytes;      /* MAX_HEADER_LIST_SIZE */
	uint32_t frame_bytes;     /* MAX_FRAME_SIZE, 16 KiB to 1 MiB */
	uint64_t ping_every_us;   /* of silence, then a PING; 0: none */
	uint64_t ping_timeout_us; /* without an answer the connection ends */
	uint64_t quiet_us;        /* the same while a stream is urgent; or 0 */
	uint64_t answer_us;       /* then the peer is doubted; 0: never */
	uint64_t idle_us;         /* without streams; 0: never closed for it */
	uint64_t head_us;         /* server: for a head to be whole; or 0 */
	uint64_t stall_us;        /* server: for what is left to send; or 0 */
	uint32_t resets;          /* server: by a client, in 10 s; 0: 500 */
	bool takes_upgrades;      /* server: extended CONNECT (RFC 8441) */
};

/* HBONE's values (client and server differ in head_bytes). */
extern const struct http2_limits http2_limits_client;
extern const struct http2_limits http2_limits_server;

/* Of the connection; any may be NULL. `arg` is the session's. */
struct http2_events {
	/* The peer's SETTINGS are here; streams may be opened before, too. */
	void (*on_ready)(void *arg, struct http2 *c);
	/*
	 * Server: a request. The owner calls http2_stream_own() in here, or
	 * the stream is refused (REFUSED_STREAM). `end`: it has no body. The
	 * head stays with the stream, see http2_stream_forget_head().
	 */
	void (*on_request)(
	    void *arg, struct http2_stream *s, struct http_head *h, bool end);
	/*
	 * Server: a request that is no one's: answered here with the status,
	 * or reset (0).
	 */
	void (*on_refused)(void *arg, struct http2 *c, unsigned status,
	    const char *word, const char *text);
	/* The peer says goodbye: no new streams here. */
	void (*on_goaway)(void *arg, struct http2 *c, uint32_t code);
	/* A stream ended: there is room for another, if not going away. */
	void (*on_room)(void *arg, struct http2 *c);
	/* All that one read brought was handed on. */
	void (*on_batch_end)(void *arg, struct http2 *c);
	/* Once and last; all streams are closed by now. `why` OK: in order. */
	void (*on_close)(void *arg, struct http2 *c, enum err why);
};

/* Of one stream; any but on_close may be NULL. */
struct http2_stream_events {
	/* Client: 1xx; lent for this call. */
	void (*on_interim)(
	    void *arg, struct http2_stream *s, struct http_head *h);
	/* Client: the response's head; `end`: no body follows. */
	void (*on_head)(
	    void *arg, struct http2_stream *s, struct http_head *h, bool end);
	/* Lent for this call. Owes http2_stream_consumed() for each byte. */
	void (*on_data)(void *arg, struct http2_stream *s, struct slice bytes);
	/* Before on_end. */
	void (*on_trailers)(
	    void *arg, struct http2_stream *s, struct http_head *h);
	/* The peer has ended its half: behind data, trailers or the head. */
	void (*on_end)(void *arg, struct http2_stream *s);
	/* Below the low mark again, after a send that said ERR_AGAIN. */
	void (*on_drained)(void *arg, struct http2_stream *s);
	/*
	 * Once and last. OK: both halves ended. ERR_RESET: RST_STREAM with
	 * `code`. ERR_REFUSED: the peer has not touched it, safe to retry.
	 * ERR_CANCELLED: we reset it; with HTTP2_ENHANCE_YOUR_CALM if a head
	 * was too large (http2_stream_is_overlong()). ERR_TIMEOUT: the rest
	 * of what it was to be sent was not taken. ERR_PROTOCOL: what came
	 * makes no sense. Else the connection's own end, and `code` is
	 * HTTP2_INTERNAL_ERROR.
	 */
	void (*on_close)(
	    void *arg, struct http2_stream *s, enum err why, uint32_t code);
};

struct http2_spec {
	struct loop *loop;
	struct stream *transport; /* taken; open or opening */
	bool server;
	const struct http2_limits *limits; /* NULL: by side, as above */
	struct http2_budget *budget;       /* NULL: windows do not grow */
	const struct http2_events *events;
	void *arg;
};

/* Sends preface and SETTINGS as soon as the transport is open. */
struct http2 *http2_open(const struct http2_spec *spec);

/* Bytes that came before it took the transport. */
void http2_feed(struct http2 *c, struct slice bytes);

/* The transport is open, or was: some of what was sent may have gone out. */
bool http2_was_open(const struct http2 *c);

/*
 * Graceful: GOAWAY, no new streams; closes when the last one has ended.
 * A server first announces it, so that requests in flight are not lost.
 */
void http2_shutdown(struct http2 *c);

/* GOAWAY with `code` and the end; streams close with ERR_CLOSED. */
void http2_close(struct http2 *c, enum http2_code code);

/* Another owner from now on. */
void http2_set_events(
    struct http2 *c, const struct http2_events *events, void *arg);

/* In on_close too: it knows why it ended. */
struct stream *http2_transport(struct http2 *c);

/* In on_close: what rule or bound it met, if that was why. */
enum http2_flaw http2_flaw_of(const struct http2 *c);

/* Streams that are open, and how many more the peer lets us open. */
uint32_t http2_streams(const struct http2 *c);
uint32_t http2_room(const struct http2 *c);
/* How many it lets us have, as far as we know. */
uint32_t http2_streams_max(const struct http2 *c);

/* GOAWAY came or went; and no stream lives on. */
bool http2_is_going(const struct http2 *c);
bool http2_is_ending(const struct http2 *c);

/* True if http2_request() will not be refused here. */
bool http2_is_usable(const struct http2 *c);

/* Client: the peer's SETTINGS are here, and allow extended CONNECT. */
bool http2_is_ready(const struct http2 *c);
bool http2_allows_upgrades(const struct http2 *c);

/*
 * A request for another protocol has it as `upgrade` and the method GET, as in
 * HTTP/1.1, and framing HTTP_BODY_TUNNEL; on the wire it is an extended CONNECT
 * (RFC 8441), and its answer is a 200.
 *
 * Client: opens a stream and sends the head. For CONNECT only method and
 * authority go out (RFC 9113 §8.5). NULL if !http2_is_usable() or no room.
 */
struct http2_stream *http2_request(struct http2 *c, const struct http_head *h,
    bool end, const struct http2_stream_events *events, void *arg);

/* Server, inside on_request: says who hears of this stream. */
void http2_stream_own(struct http2_stream *s,
    const struct http2_stream_events *events, void *arg);

/*
 * Server: while the owner's events have no on_data, bytes are held, up to the
 * window. A later owner gets them here: takes them into `out` (replaced if
 * there are any) and owes consumed() for them. True if the peer has ended.
 */
bool http2_stream_take_early(struct http2_stream *s, struct buf *out);

/* Server: 1xx (any number), then the response. ERR_LIMIT: head too large. */
MUST_USE enum err http2_stream_respond(
    struct http2_stream *s, const struct http_head *h, bool end);

/*
 * Body bytes, all taken. OK: go on. ERR_AGAIN: taken too, but more than
 * LIMIT_STREAM_BUFFER waits; stop until on_drained. ERR_CLOSED: dropped, the
 * stream's end is under way.
 */
MUST_USE enum err http2_stream_send(struct http2_stream *s, struct slice bytes);

/* END_STREAM behind what was sent, with trailers unless NULL. */
MUST_USE enum err http2_stream_end(
    struct http2_stream *s, const struct http_head *trailers);

/* The mark of send's ERR_AGAIN, if not LIMIT_STREAM_BUFFER. */
void http2_stream_set_high_mark(struct http2_stream *s, uint32_t bytes);

/*
 * Server: with our end out, what the client still sends is of no use; then it
 * is told so with NO_ERROR (RFC 9113 §8.1). on_close says OK.
 */
void http2_stream_leave(struct http2_stream *s);

/* The head that was too large has too many bytes, not too many fields. */
bool http2_stream_is_overlong(const struct http2_stream *s);

/* RST_STREAM; on_close follows at the end of the turn. */
void http2_stream_reset(struct http2_stream *s, enum http2_code code);

/* What a stream does when the peer falls silent. */
enum http2_patience {
	HTTP2_PATIENT, /* it stays until the connection ends */
	HTTP2_IDLE,    /* nobody waits, but a doubted peer ends it */
	HTTP2_URGENT   /* somebody waits: ask soon, and end it then */
};

/*
 * Client; the default is HTTP2_PATIENT. A peer is doubted that left a PING
 * unanswered for answer_us: then streams that are not patient close with
 * ERR_TIMEOUT, and http2_is_usable() is false until bytes come again.
 */
void http2_stream_set_patience(
    struct http2_stream *s, enum http2_patience patience);

/* n bytes of on_data have left the owner's hands. */
void http2_stream_consumed(struct http2_stream *s, size_t n);

/* Nothing more comes of it but on_close, now or as soon as it is reset. */
bool http2_stream_is_over(const struct http2_stream *s);

/* Bytes that wait to be sent, and bytes received but not consumed. */
size_t http2_stream_queued(const struct http2_stream *s);
size_t http2_stream_held(const struct http2_stream *s);

/* Frees the memory of the head received last early. */
void http2_stream_forget_head(struct http2_stream *s);

/* Frees what a burst left behind it, for a stream that rests now. */
void http2_stream_relax(struct http2_stream *s);

struct http2 *http2_stream_conn(struct http2_stream *s);

#endif
