/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig — a store in a folder of its own, asked and answered in one call.
 */
#ifndef MESHD_TEST_RIG_H
#define MESHD_TEST_RIG_H

#include "store.h"

#include "loop/loop.h"

enum { RIG_OUTCOMES = 16, RIG_ROWS = 64 };

struct rig {
	char dir[64];
	char path[96];
	uint8_t key[CRYPTO_KEY_LEN];
	const char *vfs;
	struct loop *loop;
	struct store *store;
	bool answered;

	/* The last answer. */
	enum err err;
	struct fault why;
	size_t failed_op;
	uint64_t revision;
	enum store_outcome outcomes[RIG_OUTCOMES];
	size_t count;
	uint64_t next;
	struct store_row rows[RIG_ROWS];
	struct arena arena; /* their text, until the next question */
};

/* Makes the folder; the store is not open yet. */
void rig_init(struct rig *r);

/* Closes, and removes the folder. */
void rig_fini(struct rig *r);

enum err rig_open(struct rig *r);
void rig_close(struct rig *r);

/* Turns the loop until *flag; dies after ten seconds. */
void rig_wait(struct rig *r, const bool *flag);

enum err rig_propose(struct rig *r, const struct store_mutation *m);

/* One operation by "tester" at `now`. */
enum err rig_do(struct rig *r, int64_t now, const struct store_op *op);

/* A put of default/<name>, whatever is there. */
enum err rig_put(struct rig *r, const char *name, const char *body);

enum err rig_get(struct rig *r, const struct store_row *which);
enum err rig_list(struct rig *r, const struct store_query *q);
enum err rig_history(struct rig *r, const struct store_row *which);
/* `which` may be NULL. */
enum err rig_as_of(
    struct rig *r, uint64_t revision, const struct store_row *which);
void rig_hash(struct rig *r, uint8_t out[CRYPTO_SHA256_LEN]);

/* A VirtualService of that name, with only its key or with a body. */
struct store_row rig_resource(const char *name, const char *body);

#endif
