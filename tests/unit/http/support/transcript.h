/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcript — what an HTTP/1 parser said about some bytes, as one text.
 *
 *	"head GET http://h/x [a: 1] length=3\nbody abc\nend\n"
 */
#ifndef MESHD_TRANSCRIPT_H
#define MESHD_TRANSCRIPT_H

#include "http/http.h"

enum { TRANSCRIPT_MAX = 8192 };

struct transcript {
	struct http1_parser *parser;
	char text[TRANSCRIPT_MAX];
	size_t len;
	size_t used;     /* bytes of the input that belonged to messages */
	enum err last;   /* of the last feed */
	bool pause;      /* pauses in every callback */
	bool keep_alive; /* of the last message that ended */
	bool join_body;  /* body pieces of one message on one line */
	bool in_body;
};

void transcript_init(struct transcript *t, enum http1_side side);
void transcript_fini(struct transcript *t);

/* Feeds all of it, at most `piece` bytes at a time, each from fresh memory. */
void transcript_feed(struct transcript *t, struct slice bytes, size_t piece);

/* The events of one parse of `bytes`; static storage of the transcript. */
const char *transcript_of(struct transcript *t, enum http1_side side,
    struct slice bytes, size_t piece);

#endif
