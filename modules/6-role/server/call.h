/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — changes of configuration on their way to one mutation.
 *
 *	call_new ─► call_put, call_delete … ─► call_propose ─► the caller's cb
 *	                                    `─► call_blast, call_end ────┘
 *
 * A call lives from the first change to the answer. Its arena holds the text
 * that the mutation points to until then.
 */
#ifndef MESHD_CALL_H
#define MESHD_CALL_H

#include "inside.h"

struct call {
	struct server *server;
	struct arena arena;
	struct findings found;
	struct fault why;
	struct analysis_result analysis; /* what the change brings */
	struct map keys;                 /* text of each key → its mark */
	/* One an operation; NULL for what is deleted. */
	struct resource **resources;
	struct store_op *ops;
	struct server_change *changes;
	size_t count;
	size_t cap;
	bool of_folder;        /* by the folder that the server follows */
	bool has_extra;        /* an operation more, which is no change */
	struct store_op extra; /* of configuration */
	const struct server_blast *blast; /* NULL: nobody asked */
	server_apply_cb cb;
	void *arg;
};

struct call *call_new(struct server *s, server_apply_cb cb, void *arg);

/* Whether both say the same, to the letter; trees of both lie in the arena. */
bool call_is_same(
    const struct resource *a, const struct resource *b, struct arena *arena);

/* True if an operation on it is there already. */
bool call_has(const struct call *c, const struct resource_key *key);

/*
 * Takes `r`, also on failure: writes it if `expected` (a store_op's) holds.
 * ERR_CONFLICT if it is there twice; what the actor may not write is
 * ERR_DENIED; nobody (NULL) may see what would be. The words are in c->why.
 */
MUST_USE enum err call_put(struct call *c, struct resource *r, int64_t expected,
    const struct server_actor *actor);

/* The same; copies the key. */
MUST_USE enum err call_delete(struct call *c, const struct resource_key *key,
    int64_t expected, const struct server_actor *actor);

/* For as long as the call lives. ERR_LIMIT. */
MUST_USE enum err call_copy_key(
    struct call *c, const struct resource_key *key, struct resource_key *out);

/* ERR_UNSUPPORTED if what was decoded into c->found lets more through. */
MUST_USE enum err call_check_guards(struct call *c, bool allow_inert);

/*
 * When all of the change is there: what it brings goes into c->analysis.
 * ERR_INVALID if errors are among it, unless it is forced.
 */
MUST_USE enum err call_look_around(struct call *c, bool force);

/* Answers and frees: from the store; at once, without a change; on failure. */
void call_propose(
    struct call *c, const struct server_actor *actor, struct slice request_id);
void call_end(struct call *c, enum err e, uint64_t revision);

/* The same for whatever is intended, unless `e` is a failure already. */
void call_finish(struct call *c, enum err e, enum server_intent intent,
    const struct server_actor *actor, struct slice request_id);

/* --- blast.c --- */

/* Answers and frees, later, with what the changes would do to whose calls. */
void call_blast(struct call *c);

#endif
