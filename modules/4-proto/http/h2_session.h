/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_session — a connection and its streams, as the parts of http2 see them.
 *
 *	http2.c      life of the connection: open, keepalive, goodbye, end
 *	h2_stream.c  life of a stream, and what its owner asks of it
 *	h2_recv.c    nghttp2's events → heads, data, ends
 *	h2_check.c   whether they are a message
 *	h2_send.c    heads and queues → frames → one write a turn
 *	h2_flow.c    when credit goes back, and how windows grow
 *	h2_alive.c   whether the peer is still there
 *	h2_order.c   frames of streams that are over
 *	h2_calm.c    what a peer may not do too often, or too slowly
 *	h2_memory.c  nghttp2's, and the room where it makes frames
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
	H2_INTERIM_MAX = 32,         /* 1xx before one response */
	H2_RESETS = 16               /* of ours that are remembered */
};

/* What a block has brought so far. */
enum h2_part {
	H2_NONE = 0,
	H2_METHOD = 1 << 0,
	H2_SCHEME = 1 << 1,
	H2_AUTHORITY = 1 << 2,
	H2_PATH = 1 << 3,
	H2_PROTOCOL = 1 << 4,
	H2_STATUS = 1 << 5,
	H2_FIELDS = 1 << 6, /* others than those: none of them may follow */
	H2_HOST = 1 << 7,
	H2_TRAILERS = 1 << 8 /* it stands behind the body */
};

/* Methods whose answers are framed in a way of their own. */
enum h2_asked { H2_ASKED_OTHER, H2_ASKED_HEAD, H2_ASKED_CONNECT };

/* Where frames begin, and what is known of streams that are over. */
struct h2_order {
	uint8_t head[9]; /* of the next frame, as far as it came */
	uint8_t have;
	uint8_t type;              /* of the frame under way, or of the last */
	bool in_block;             /* CONTINUATION is to follow */
	uint32_t skip;             /* bytes until the next frame begins */
	int32_t last_id;           /* of the peer's streams */
	int32_t resets[H2_RESETS]; /* streams that we reset, a ring */
	uint32_t reset_count;
	int32_t forgotten;     /* the highest that was in it */
	int32_t reset_by_peer; /* the last one */
};

/* How often something happened, in h2_calm.c's time. */
struct h2_calm {
	uint64_t since_us;
	uint32_t count;
};

struct http2 {
	uint32_t magic;
	uint8_t flaw; /* enum http2_flaw */
	bool server;
	bool inside;       /* in a call of nghttp2, which is not reentrant */
	bool blocked;      /* the transport is full */
	bool opened;       /* the transport was open */
	bool ready;        /* the peer's SETTINGS came */
	bool going;        /* GOAWAY came or went */
	bool parting;      /* graceful: the last GOAWAY has yet to go */
	bool dying;        /* the last frames go, then the transport ends */
	bool ending;       /* the transport is being closed */
	bool ping_sent;    /* and not answered */
	bool doubted;      /* not in time either; see h2_alive.c */
	bool room_news;    /* on_room is owed */
	enum err why;      /* our own reason for the end */
	uint32_t open;     /* streams */
	uint32_t full;     /* of them, whose owners wait for on_drained */
	uint32_t urgent;   /* of them, whose owners wait for the peer */
	uint32_t owing;    /* of them, whose ends have yet to go */
	uint32_t window;   /* of the connection, for what we receive */
	uint32_t borrowed; /* of it, from the budget */
	uint64_t promised; /* windows of all streams together */
	uint64_t held;     /* received and not consumed, all streams */
	uint32_t updates;  /* WINDOW_UPDATEs that the peer has earned */
	uint32_t pings;    /* PINGs, the same */
	struct h2_calm frames; /* of the peer's that say nothing */
	struct h2_calm faults; /* of the peer's, in streams */
	struct h2_calm resets; /* by the peer */
	uint64_t blocked_us;   /* since when the transport is full */
	uint64_t heard_us;     /* bytes came last */
	uint64_t asked_us;     /* the last PING went */
	uint64_t look_us;      /* the ping timer rings */
	struct h2_order order;
	struct http2_limits limits;
	struct http2_budget *budget;
	struct loop *loop;
	struct stream *transport; /* NULL once it is gone */
	nghttp2_session *ng;
	void *room; /* where nghttp2 makes frames, while it does */
	struct http2_stream *last; /* that h2_stream_of() found, or NULL */
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
	struct timer slow_head;
	struct timer stall;
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
	uint64_t sent_us; /* bytes left last, or the end was asked for */
	uint32_t code;    /* of the reset */
	uint64_t due;     /* bytes of data that are to come, if counted */
	uint16_t empty_data;
	uint16_t seen; /* enum h2_part, of the block */
	uint8_t asked; /* client: enum h2_asked */
	uint8_t interims;
	uint32_t listed;  /* bytes of the block, even of those not kept */
	uint8_t patience; /* enum http2_patience */
	enum err why;
	bool answered;  /* server: the response's head was submitted */
	bool got_head;  /* client: it came */
	bool ended_in;  /* the peer ended its half */
	bool ended_out; /* we asked to end ours */
	bool sent_end;  /* and it is out */
	bool owing;     /* or has yet to go: counted in conn->owing */
	bool leave;     /* reset the rest once it is */
	bool full;      /* on_drained is owed */
	bool deferred;  /* nghttp2 waits for http2_stream_send */
	bool too_large; /* the block is past the limit */
	bool overlong;  /* of bytes, not of fields */
	bool bad_block; /* it is no message */
	bool counted;   /* the head says how many bytes of data there are */
	bool invalid;   /* nghttp2 refuses it, or a frame of data */
	bool done;      /* nothing more comes but on_close */
};

/* --- http2.c --- */

/* The end, with a reason of our own; GOAWAY goes first where it can. */
void h2_end(struct http2 *c, enum err why, uint32_t code);

/* The last GOAWAY, if it has yet to go: what came before it is served. */
void h2_part(struct http2 *c);

/* After anything that may have finished the connection: is it over? */
void h2_look_over(struct http2 *c);

/* --- h2_stream.c --- */

struct http2_stream *h2_stream_new(struct http2 *c, int32_t id);

/* That nghttp2 knows by this id; NULL if it is done. */
struct http2_stream *h2_stream_of(struct http2 *c, int32_t id);

/* From now on only on_close comes, at the end of the turn. */
void h2_stream_finish(struct http2_stream *s, enum err why, uint32_t code);

/* The same with ERR_TIMEOUT; the peer is told by a reset. */
void h2_stream_give_up(struct http2_stream *s);

/* Our end is asked for; it has gone out. */
void h2_stream_owe_end(struct http2_stream *s);
void h2_stream_end_sent(struct http2_stream *s);

/* Bytes that nobody takes yet; the window bounds them. */
void h2_stream_hold(struct http2_stream *s, struct slice bytes);

/* Calls on_close for all that ended, and frees them. */
void h2_reap(struct http2 *c);

/* --- h2_recv.c --- */

void h2_recv_setup(nghttp2_session_callbacks *cb);

/* Bytes of the transport. */
void h2_recv(struct http2 *c, struct slice bytes);

/* --- h2_check.c --- */

/* A block begins. */
void h2_check_begin(struct http2_stream *s, bool trailers);

/* A field of it, the first with a colon before its name, which then is put
 * into the head. False, here and below: the message is malformed. */
MUST_USE bool h2_check_part(
    struct http2_stream *s, struct slice name, struct slice value);
MUST_USE bool h2_check_field(struct http2_stream *s, enum http_field_id id,
    struct slice name, struct slice value);

/* The block is whole; `end`: no data follows. */
MUST_USE bool h2_check_request(struct http2_stream *s, bool end);
MUST_USE bool h2_check_response(struct http2_stream *s, bool end);

/* Data came; the end did. */
MUST_USE bool h2_check_data(struct http2_stream *s, size_t len);
MUST_USE bool h2_check_end(const struct http2_stream *s);

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

/* Does a frame of a head go on, or is one to follow? */
bool h2_order_is_in_head(const struct http2 *c);

/* --- h2_calm.c --- */

void h2_calm_init(struct http2 *c);
void h2_calm_fini(struct http2 *c);

/* The end, with its reason. */
void h2_fail(struct http2 *c, enum http2_flaw f);

/* A frame came, of this stream if any; server: of any type. */
void h2_calm_frame(
    struct http2 *c, const nghttp2_frame *f, struct http2_stream *s);
void h2_calm_type(struct http2 *c, uint8_t type);

/* Server: one of that length, of a stream that is over by our doing. */
void h2_calm_late(struct http2 *c, size_t len);

/* A frame of data went; a stream began; one was reset by us. */
void h2_calm_data_sent(struct http2 *c);
void h2_calm_stream(struct http2 *c);
void h2_calm_reset(struct http2 *c, uint32_t code);

/* So many bytes more of the head that comes; false: it is one that only looks
 * small, and all is over. */
bool h2_calm_field(struct http2_stream *s, size_t bytes);

/* What nghttp2 calls an error. */
enum http2_flaw h2_calm_error(int rv);

/* Why nghttp2 itself said goodbye. */
enum http2_flaw h2_calm_goaway(uint32_t code);

/* A read is handed on; what could be written is. */
void h2_calm_read(struct http2 *c);
void h2_calm_flushed(struct http2 *c);

/* --- h2_memory.c --- */

/* What a session of nghttp2 takes its memory from. */
nghttp2_mem h2_memory(struct http2 *c);

/* --- h2_alive.c --- */

void h2_alive_init(struct http2 *c);

/* The transport is open; bytes came; the PING's answer did. */
void h2_alive_opened(struct http2 *c);
void h2_alive_heard(struct http2 *c);
void h2_alive_answered(struct http2 *c);

/* Sends a PING; false without memory. */
bool h2_alive_ask(struct http2 *c);

#endif
