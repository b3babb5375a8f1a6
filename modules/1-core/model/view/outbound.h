/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbound — listeners of programs' calls while they are made: all of them
 * (outbound.c), or those that services of a patch have a part in
 * (patch_outbound.c).
 */
#ifndef MESHD_VIEW_OUTBOUND_H
#define MESHD_VIEW_OUTBOUND_H

#include "listening.h"

/* A listener while services are added. */
struct entry {
	struct shared_listener *shared;
	struct view_listener *listener; /* its row */
	struct rows chains;             /* struct view_chain */
	enum view_protocol protocol;
	enum port_protocol said;
	const struct egress *egress;
};

struct making {
	struct rows entries; /* struct entry, in the arena */
	struct map by_name;
	struct doubts *doubts; /* of these names alone; NULL: of all */
};

/*
 * What a listener is in a patch, where services that are others than in the
 * base have or had a part in it. Mostly it is the base's, as its first service
 * alone says what it is.
 */
struct doubt {
	struct slice name;
	const struct shared_listener *base; /* NULL: there was none */
	bool is_unlike; /* one that came is no simple part of it */
	bool is_first;  /* or is before all others */
	bool is_forced; /* what it hides is told anew */
	bool is_settled;
};

struct doubts {
	struct map by_name; /* → struct doubt */
	struct rows all;
	enum { ASK_OLD, ASK_FRESH, ANSWER } state;
};

/* Is the listener of this name to be made now, or is it only asked for? */
bool is_wanted(struct builder *b, struct making *m, const struct listening *l,
    struct slice name);

/* Of such ones the first says what the listener is. */
bool is_simple(const struct listening *l);

/* The service's part of the egress's listeners. */
void listen_in(struct builder *b, struct making *m, struct egress *e,
    struct service_row *s);

/* After the last service: it becomes a row. */
void finish_entry(struct builder *b, struct entry *e);

#endif
