/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — the far end of a connection, written and read by hand.
 *
 * A loop on a fake clock, a pair of streams in memory: one end belongs to the
 * code under test, the other to the test, which sends raw bytes or HTTP/2
 * frames and looks at those that come back.
 */
#ifndef MESHD_WIRE_H
#define MESHD_WIRE_H

#include "http/http.h"
#include "loop/loop.h"
#include "net/net.h"

enum { WIRE_FRAMES_MAX = 2048, WIRE_TEXT_MAX = 1024 };

enum wire_type {
	WIRE_DATA = 0,
	WIRE_HEADERS = 1,
	WIRE_PRIORITY = 2,
	WIRE_RST = 3,
	WIRE_SETTINGS = 4,
	WIRE_PING = 6,
	WIRE_GOAWAY = 7,
	WIRE_WINDOW = 8,
	WIRE_CONTINUATION = 9
};

enum { WIRE_END_STREAM = 1, WIRE_ACK = 1, WIRE_END_HEADERS = 4 };

struct wire_frame {
	uint8_t type;
	uint8_t flags;
	uint32_t stream;
	struct slice payload;     /* into wire.in */
	char text[WIRE_TEXT_MAX]; /* of HEADERS: "name: value\n"… */
};

struct nghttp2_hd_inflater;

struct wire {
	struct clock_fake fake;
	struct clock clock;
	struct loop *loop;
	struct stream *near;
	struct stream *far;
	struct buf *kept; /* if set: what is sent goes there instead */
	struct buf in;    /* all that came to the far end */
	size_t looked_at; /* bytes of it that are frames already */
	struct wire_frame *frames;
	size_t count;
	size_t next; /* the first that wire_expect has not seen */
	bool eof;
	bool closed;
	struct nghttp2_hd_inflater *inflater;
};

void wire_init(struct wire *w);
void wire_fini(struct wire *w);

/* Turns of the loop until it has nothing to do. */
void wire_settle(struct wire *w);

/* The clock moves, a second at a time. */
void wire_wait(struct wire *w, uint64_t us);

/* What the test sends. */
void wire_send(struct wire *w, struct slice bytes);
void wire_send_frame(struct wire *w, enum wire_type type, uint8_t flags,
    uint32_t stream, struct slice payload);

/* The client's preface and an empty SETTINGS. */
void wire_greet(struct wire *w);

/*
 * HEADERS from "name: value\n" lines, each a literal that is not indexed
 * (RFC 7541 §6.2.2), so that the bytes are what one would write by hand.
 */
void wire_send_head(
    struct wire *w, uint32_t stream, uint8_t flags, const char *lines);

/* Skips the client's preface, if that is what came first. */
void wire_skip_preface(struct wire *w);

/*
 * The next frame that came, of this type: settles first, skips frames of
 * other types. Fails the test if there is none.
 */
const struct wire_frame *wire_expect(struct wire *w, enum wire_type type);

/* True if such a frame came and was not expected yet. */
bool wire_has(struct wire *w, enum wire_type type);

/* Bytes of all DATA frames of a stream so far. */
size_t wire_data_bytes(struct wire *w, uint32_t stream);

/* A big-endian number at the front of a payload. */
uint32_t wire_u32(struct slice payload);

#endif
