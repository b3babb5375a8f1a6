/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2 — one end of an HTTP/2 connection over a blocking socket.
 *
 * Heads are texts as HTTP/1.1 has them, start line included, in both
 * directions: "GET /x HTTP/2\r\nhost: web\r\n\r\n". So what is said and what is
 * expected can be the same in either version. Nothing is read but by a call
 * that waits for something.
 */
#ifndef MESHD_TEST_H2_H
#define MESHD_TEST_H2_H

#include "wire.h"

enum { H2_STREAMS = 4096 };

/* Codes of RFC 9113 §7. */
enum {
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_STREAM_CLOSED = 5,
	H2_REFUSED_STREAM = 7,
	H2_CANCEL = 8
};

/* What came on one stream. */
struct h2_stream {
	int32_t id;
	int status;  /* of a response's head, once it is here */
	char *head;  /* NULL before */
	char *early; /* the last 1xx */
	unsigned earlies;
	char *trailers;
	struct buf body;
	size_t owed; /* credit for it */
	bool ended;  /* by END_STREAM */
	bool reset;  /* by RST_STREAM, with the code */
	uint32_t code;
	struct buf text; /* of the head that comes */
	struct buf out;  /* to be sent */
	bool out_end;    /* nothing follows it */
	char *out_trailers;
	bool closed; /* both halves are over, or it was reset */
};

/* How it behaves; zeroes: no limits of its own. */
struct h2_how {
	bool hold;        /* gives no credit until h2_credit() */
	uint32_t streams; /* MAX_CONCURRENT_STREAMS, or 0 */
};

struct h2 {
	struct wire *wire; /* borrowed */
	struct nghttp2_session *session;
	struct h2_how how;
	struct h2_stream *streams[H2_STREAMS];
	size_t count;
	size_t taken; /* by h2_next() */
	bool over;    /* the connection ended */
	bool goaway;  /* came, with these */
	int32_t goaway_last;
	uint32_t goaway_code;
	bool ponged;
};

/* Says the preface, or reads it; SETTINGS go. */
void h2_client(struct h2 *h, struct wire *w, struct h2_how how);
void h2_server(struct h2 *h, struct wire *w, struct h2_how how);
void h2_fini(struct h2 *h);

/* The same for a script's server, on the heap. */
struct h2 *h2_serve(struct wire *w);
void h2_leave(struct h2 **hp);

/* Reads once and answers what HTTP/2 itself asks. False: it is over. */
bool h2_turn(struct h2 *h);

/* Turns until the condition holds; true if it does. */
#define H2_UNTIL(h, cond)                                                      \
	({                                                                     \
		while (!(cond) && h2_turn(h))                                  \
			continue;                                              \
		(cond);                                                        \
	})

/* A client's request; the stream lives as long as the connection. */
struct h2_stream *h2_request(struct h2 *h, const char *head, bool end);

/* A server's: the next whose head came; NULL when the connection is over. */
struct h2_stream *h2_next(struct h2 *h);

/* A 1xx or the response's head: "HTTP/2 200\r\nx: y\r\n\r\n". */
void h2_respond(struct h2 *h, struct h2_stream *s, const char *head, bool end);

/* Queues body bytes, and sends what windows let through. */
void h2_data(struct h2 *h, struct h2_stream *s, struct slice bytes, bool end);

/* The last of what was queued is out, or never will be; true if it is. */
bool h2_sent(struct h2 *h, struct h2_stream *s);

/* "x: y\r\n" behind all data; ends our half. */
void h2_trailers(struct h2 *h, struct h2_stream *s, const char *fields);

/* A whole 200 with that body. */
void h2_answer(struct h2 *h, struct h2_stream *s, const char *body);

/* All of it came, or nothing more will; true if it is whole. */
bool h2_whole(struct h2 *h, struct h2_stream *s);

void h2_reset(struct h2 *h, struct h2_stream *s, uint32_t code);
void h2_goaway(struct h2 *h, int32_t last, uint32_t code);

/* Credit for what was held, of all or of one, and for what comes from now on.
 */
void h2_credit(struct h2 *h);
void h2_credit_stream(struct h2 *h, struct h2_stream *s);

/* What the other end had sent by now was read: a PING, and its answer. */
bool h2_ping(struct h2 *h);

#endif
