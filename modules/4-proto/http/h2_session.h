/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_session — a connection and its streams, as the parts of http2 see them.
 *
 *	http2.c      life of the connection: open, keepalive, goodbye, end
 *	h2_stream.c  life of a stream, and what its owner asks of it
 *	h2_recv.c    nghttp2's events → heads, data, ends
 *	h2_send.c    heads and queues → frames → one write a turn
 *	h2_flow.c    when credit goes back, and how windows grow
 *	h2_alive.c   whether the peer is still there
 *	h2_order.c   frames of streams that are over
 */
#ifndef MESHD_H2_SESSION_H
#define MESHD_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "fields.h"
#include "http2.h"
#include "loop/loop.h"
#include "net/net.h"

#define HTTP2_MAGIC 0x48545432u
#define HTTP2_STREAM_MAGIC 0x48325354u

enum {
	H2_OUT_MAX = 128 << 10,         /* bytes gathered for one write */
	H2_DATA_LEAST = 16 << 10,       /* room for a DATA frame at first */
	H2_DATA_MAX = LOOP_SCRATCH_LEN, /* of one DATA frame that we send */
	H2_CONN_START = 4 * LIMIT_H2_WINDOW_START,
	H2_STREAM_ARENA = 128 << 10, /* heads of one stream */
	H2_PSEUDO_MAX = 6,           /* fields of our own in a head */
	H2_CALM_FRAMES = 1000,       /* idle frames in H2_CALM_US */
	H2_EMPTY_DATA_MAX = 16,      /* in a row */
	H2_RESETS = 16               /* of ours that are remembered */
};
#define H2_CALM_US UINT64_C(10000000)

/* Where frames begin, and what is known of streams that are over. */
struct h2_order {
	uint8_t head[9]; /* of the next frame, as far as it came */
	uint8_t have;
	uint32_t skip;             /* bytes until that begins */
	int32_t last_id;           /* of the peer's streams */
	int32_t resets[H2_RESETS]; /* streams that we reset, a ring */
	uint32_t reset_count;
	int32_t forgotten;     /* the highest that was in it */
	int32_t reset_by_peer; /* the last one */
};

struct http2 {
	uint32_t magic;
	bool server;
	bool inside;     /* in a call of nghttp2, which is not reentrant */
	bool blocked;    /* the transport is full */
	bool opened;     /* the transport was open */
	bool ready;      /* the peer's SETTINGS came */
	bool going;      /* GOAWAY came or went */
	bool parting;    /* graceful: the last GOAWAY has yet to go */
	bool dying;      /* the last frames go, then the transport ends */
	bool ending;     /* the transport is being closed */
	bool ping_sent;  /* and not answered */
	bool doubted;    /* not in time either; see h2_alive.c */
	bool room_news;  /* on_room is owed */
	enum err why;    /* our own reason for the end */
	uint32_t open;   /* streams */
	uint32_t full;   /* of them, whose owners wait for on_drained */
	uint32_t urgent; /* of them, whose owners wait for the peer */
	uint32_t window; /* of the connection, for what we receive */
	uint64_t held;   /* received and not consumed, all streams */
	uint64_t calm_since_us;
	uint32_t calm_frames;
	uint64_t heard_us; /* bytes came last */
	uint64_t asked_us; /* the last PING went */
	uint64_t look_us;  /* the ping timer rings */
	struct h2_order order;
	struct http2_limits limits;
	struct http2_budget *budget;
	struct loop *loop;
	struct stream *transport; /* NULL once it is gone */
	nghttp2_session *ng;
	const struct http2_events *events;
	void *arg;
	struct list streams;
	struct list ended; /* streams whose on_close is owed */
	struct buf out;    /* frames of this turn */
	struct loop_later flush;
	struct loop_later reap;
	struct loop_later drain; /* on_drained is owed */
	struct timer ping;
	struct timer idle;
};

struct h2_trailers {
	struct arena arena;
	struct http_head head;
};

struct http2_stream {
	uint32_t magic;
	int32_t id;
	struct http2 *conn;
	struct list link; /* in conn->streams or conn->ended */
	const struct http2_stream_events *events; /* NULL: nobody's */
	void *arg;
	struct arena arena;
	struct http_head *head;  /* received last; in the arena */
	struct http_head *block; /* being received */
	struct buf queue;        /* to be sent */
	struct slice lent;       /* the same, of the send that runs now */
	struct h2_trailers *trailers;
	struct buf *early; /* received before there was an on_data */
	uint32_t mark;     /* of the queue: above it the owner waits */
	uint32_t window;   /* for what we receive */
	uint32_t held;     /* received and not consumed */
	uint32_t peak;     /* of held, since the window was looked at */
	uint32_t moved;    /* consumed since then */
	uint64_t moved_since_us;
	uint32_t code; /* of the reset */
	uint16_t empty_data;
	uint8_t patience; /* enum http2_patience */
	enum err why;
	bool answered;  /* server: the response's head was submitted */
	bool got_head;  /* client: it came */
	bool ended_in;  /* the peer ended its half */
	bool ended_out; /* we asked to end ours */
	bool sent_end;  /* and it is out */
	bool leave;     /* reset the rest once it is */
	bool full;      /* on_drained is owed */
	bool deferred;  /* nghttp2 waits for http2_stream_send */
	bool too_large; /* the block is past the limit */
	bool bad_block; /* we refuse it */
	bool invalid;   /* nghttp2 refuses it, or a frame of data */
	bool done;      /* nothing more comes but on_close */
};

/* --- http2.c --- */

/* The end, with a reason of our own; GOAWAY goes first where it can. */
void h2_end(struct http2 *c, enum err why, uint32_t code);

/* After anything that may have finished the connection: is it over? */
void h2_look_over(struct http2 *c);

/* --- h2_stream.c --- */

struct http2_stream *h2_stream_new(struct http2 *c, int32_t id);

/* From now on only on_close comes, at the end of the turn. */
void h2_stream_finish(struct http2_stream *s, enum err why, uint32_t code);

/* Our end has gone out. */
void h2_stream_end_sent(struct http2_stream *s);

/* Bytes that nobody takes yet; the window bounds them. */
void h2_stream_hold(struct http2_stream *s, struct slice bytes);

/* Calls on_close for all that ended, and frees them. */
void h2_reap(struct http2 *c);

/* --- h2_recv.c --- */

void h2_recv_setup(nghttp2_session_callbacks *cb);

/* Bytes of the transport. */
void h2_recv(struct http2 *c, struct slice bytes);

/* --- h2_send.c --- */

void h2_send_setup(nghttp2_session_callbacks *cb);

/* Arranges that this turn's frames leave at its end. */
void h2_want_flush(struct http2 *c);

/* Makes frames until H2_OUT_MAX. Not inside nghttp2. */
void h2_pump(struct http2 *c);

/* Makes frames and writes them, until nothing is left or the way is full. */
void h2_flush(struct http2 *c);

/* The head as nghttp2 wants it; returns how many, or 0: too many. */
size_t h2_fields(
    const struct http_head *h, bool trailers, nghttp2_nv *nv, size_t max);

/* Calls on_drained where it is due. */
void h2_tell_drained(struct http2 *c);

/* nghttp2's way to a stream's queue. */
nghttp2_data_provider h2_provider(void);

/* --- h2_flow.c --- */

/* n bytes of data came for s, which now holds them. */
void h2_flow_received(struct http2_stream *s, size_t n);

/* n of them are consumed. */
void h2_flow_consumed(struct http2_stream *s, size_t n);

/* The stream ends: what it holds counts as consumed. */
void h2_flow_drop(struct http2_stream *s);

/* The connection ends: what it took of the budget goes back. */
void h2_flow_fini(struct http2 *c);

/* --- h2_order.c --- */

void h2_order_init(struct http2 *c);

/* We reset it: what the peer still sends on it is not its fault. */
void h2_order_reset(struct http2 *c, int32_t id);

/*
 * How many of these bytes, which come next, raise no doubt: all, or those
 * before a frame of the stream *out_id. h2_order_allows() judges it, once
 * nghttp2 has seen those; then the rest may be looked at.
 */
size_t h2_order_look(struct http2 *c, struct slice bytes, int32_t *out_id);
bool h2_order_allows(struct http2 *c, int32_t id);

/* --- h2_alive.c --- */

void h2_alive_init(struct http2 *c);

/* The transport is open; bytes came; the PING's answer did. */
void h2_alive_opened(struct http2 *c);
void h2_alive_heard(struct http2 *c);
void h2_alive_answered(struct http2 *c);

/* Sends a PING; false without memory. */
bool h2_alive_ask(struct http2 *c);

#endif
