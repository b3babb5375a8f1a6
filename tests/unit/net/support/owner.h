/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner — an owner of a stream that writes down what it is told.
 */
#ifndef MESHD_TEST_OWNER_H
#define MESHD_TEST_OWNER_H

#include "net/net.h"

struct owner {
	struct stream *stream; /* NULL after on_close */
	struct buf got;
	unsigned opens;
	unsigned datas;
	unsigned eofs;
	unsigned drains;
	unsigned closes;
	enum err why;
	size_t largest; /* of one on_data */
	/* What it does when told; any may be NULL. */
	void (*then_open)(struct owner *o);
	void (*then_data)(struct owner *o, struct slice data);
	void (*then_eof)(struct owner *o);
	void (*then_drained)(struct owner *o);
	void (*then_close)(struct owner *o);
	void *arg;
};

extern const struct stream_events owner_events;

#define OWNER                                                                  \
	{                                                                      \
		.got = BUF(64 << 20)                                           \
	}

void owner_fini(struct owner *o);

/* Owns s from now on. */
void owner_set(struct owner *o, struct stream *s);

/* Turns until the condition holds; ten seconds, and the test dies. */
#define UNTIL(loop, cond)                                                      \
	do {                                                                   \
		uint64_t until_ = clock_mono_us(&clock_system) + 10000000;     \
		while (!(cond)) {                                              \
			CHECK(clock_mono_us(&clock_system) < until_);          \
			loop_turn((loop), 100000);                             \
		}                                                              \
	} while (0)

/* Two connected streams over what `kind` says. */
enum link_kind { LINK_V4, LINK_V6, LINK_UNIX, LINK_COUNT };

struct link {
	struct loop *loop;
	struct net_factory *factory;
	struct net_listener *listener;
	bool listening;
	unsigned listener_closes;
	int accepted; /* the descriptor; -1: none yet */
	struct addr peer;
	struct addr addr; /* where it listens */
	char path[64];
	struct owner client;
	struct owner server;
};

/* Listens only. */
void link_listen(struct link *k, enum link_kind kind);

/* Both ends are open when it returns. */
void link_open(struct link *k, enum link_kind kind);

/* Closes what is still open and frees all. */
void link_close(struct link *k);

#endif
