/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread — the store's own thread and the requests that travel to it.
 *
 *	loop: submit --queue--> store's thread: run --post--> loop: done
 *
 * A request belongs to the loop until it is submitted and after it is posted
 * back, and to the store's thread in between.
 */
#ifndef MESHD_STORE_THREAD_H
#define MESHD_STORE_THREAD_H

#include <pthread.h>

#include "db.h"
#include "loop/loop.h"

enum { STORE_MAGIC = 0x53746f72, WATCH_MAGIC = 0x57617463 };

struct request {
	struct list link;
	struct store *store;
	/* On the store's thread; NULL: a proposal, which runs in a group. */
	void (*run)(struct request *r);
	/* On the loop; frees it. */
	void (*done)(struct request *r);
};

struct store {
	uint32_t magic;
	struct loop *loop;
	struct secret key;
	char *path;
	char *vfs; /* or NULL */

	/* The loop's. */
	bool closing;
	store_open_cb on_open;
	void *open_arg;
	store_close_cb on_close;
	void *close_arg;
	struct fault trouble; /* of the last write; empty: none */
	struct metric_series *failing;

	/* Both threads', under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list queue; /* of struct request */
	size_t proposals;  /* of them */

	/* The store's thread's. */
	pthread_t thread;
	struct db db;
	bool is_open;
	bool stop;
	enum err open_err;
	struct fault open_why;
	struct list watches; /* of struct store_watch */
};

/* From the loop. */
void request_submit(struct request *r);

/* From either side: done(r) comes on the loop. */
void request_post(struct request *r);

/* From the store's thread: words for what needs the file when it is not open.
 */
MUST_USE enum err store_check_open(struct store *s, struct fault *why);

/* Runs the proposals of the list as one transaction; posts each back. */
void propose_run(struct store *s, struct list *group);

/* From the store's thread, after a commit. */
void watch_deliver_all(struct store *s);

/* From the loop, when the thread has ended. */
void watch_free_all(struct store *s);

#endif
