/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — a client's connection, as its two parts see it: tcp.c leads bytes
 * to an endpoint, first.c reads those that decide what they are.
 */
#ifndef MESHD_TCP_INSIDE_H
#define MESHD_TCP_INSIDE_H

#include "snapshot.h"
#include "tcp/tcp.h"
#include "upstream/dial.h"

#define TCP_MAGIC 0x74637063u

struct tcp {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *down;       /* NULL once closed */
	struct snapshot *snapshot;
	struct listener_way way;
	struct buf first; /* of the client's bytes, read ahead */
	char sni[NAME_HOST_MAX + 1];
	struct dial dial;
	struct outside *outside; /* where it meant to get, if nobody knows it */
	bool sniffs;             /* what the client speaks is being found out */
	bool over;               /* refused and reported */
	uint64_t first_us;       /* when the first of its bytes came; or 0 */
	struct timer silence;    /* until then the client may speak */
	struct awaiting await;   /* for the host to become known */
	struct flow_record record;
	struct registered reg;
};

static inline struct tcp *
tcp_of(void *arg)
{
	struct tcp *t;

	OBJ(t, arg, TCP_MAGIC);
	return t;
}

/* --- tcp.c: each may be the last for `t` ---------------------------------- */

void tcp_free(struct tcp *t);
void tcp_on_client_gone(struct tcp *t);

/* The connection ends here; in words to the log, too, as the client of a plain
 * one sees none. */
void tcp_refuse(struct tcp *t, enum flow_flag flag, struct slice words);

/* To an endpoint; or, where nobody is known, to whatever that means. */
void tcp_route(struct tcp *t);

/* There is an endpoint: its bytes and the client's are nobody's business. */
void tcp_become_pipe(struct tcp *t);

/* --- first.c -------------------------------------------------------------- */

/* The client's events come here. */
void first_init(struct tcp *t);

/* The client is read from now on, to find out what it speaks. */
void first_listen(struct tcp *t);

/* The service is not known: nobody can say what it speaks, either. */
void first_await(struct tcp *t);

/* Whoever it waits for has answered first. */
void first_watch_endpoint(struct tcp *t);

#endif
