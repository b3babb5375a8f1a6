/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — a server's stream and a client with a wire between that a test holds.
 *
 * Messages are encoded into the wire and decoded out of it, so nothing is
 * lent from one side to the other.
 */
#ifndef MESHD_TEST_PAIR_H
#define MESHD_TEST_PAIR_H

#include "xds.h"

#define PAIR_TYPE "type.googleapis.com/meshd.v1.Resource"
#define PAIR_OTHER "type.googleapis.com/meshd.v1.Bundle"
#define PAIR_TOLD "type.googleapis.com/meshd.v1.Host" /* by the owner */

enum { PAIR_WIRE_MAX = 1024, PAIR_OPEN_MAX = 64, PAIR_TEXT_MAX = 4096 };

struct pair_message {
	char *bytes;
	size_t len;
};

struct pair_wire {
	struct pair_message items[PAIR_WIRE_MAX];
	size_t head;
	size_t tail;
};

struct pair {
	struct xds_source *source;
	struct xds_server_stream *stream; /* NULL: not connected */
	struct xds_client *client;
	struct pair_wire up;   /* requests */
	struct pair_wire down; /* responses */
	struct xds_update *open[PAIR_OPEN_MAX];
	size_t open_count;
	bool hold;            /* updates wait for pair_settle() */
	size_t responses;     /* the server sent */
	size_t requests;      /* the client sent */
	size_t names_changed; /* the server was told, and tells this: */
	void (*on_names)(struct pair *p);
	size_t answers; /* of responses */
	size_t bodies_made;
	size_t flushes;      /* of the source, that looked at the stream */
	uint64_t last_stamp; /* of the status in `last` */
	char last[256];      /* status the server heard last */
	uint64_t interests;  /* bit n: names that end in digit n concern it */
};

/* All three types are served; the client wants nothing yet. */
void pair_init(struct pair *p);
void pair_fini(struct pair *p);

/* As pair_init() over what there is; who gives it frees it, and `source` is
 * set to NULL before pair_fini(). */
void pair_init_over(struct pair *p, struct xds_source *source);

/* The client ends and begins anew from what it had in force. */
void pair_restart_client(struct pair *p);

void pair_connect(struct pair *p);
void pair_disconnect(struct pair *p); /* what is on the wire is lost */

/* Carries the oldest message; false if there was none. */
bool pair_up(struct pair *p);
bool pair_down(struct pair *p);

/* Carries all, settles all, flushes, until nothing moves. */
void pair_run(struct pair *p);

/* Settles the oldest held update; bodies that begin with "bad" are refused. */
void pair_settle(struct pair *p);

void pair_put(
    struct pair *p, const char *name, const char *version, const char *body);
void pair_remove(struct pair *p, const char *name);

/* "name@version=body " of the client's set, sorted. */
const char *pair_set(const struct pair *p);

/* The same of what the server holds and concerns the client. */
const char *pair_source_set(const struct pair *p);

/* "name@version: reason " of the client's quarantine. */
const char *pair_refused(const struct pair *p);

#endif
