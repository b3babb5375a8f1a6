/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_io — the running thing behind struct gossip.
 */
#ifndef MESHD_GOSSIP_IO_H
#define MESHD_GOSSIP_IO_H

#include "core.h"
#include "loop/loop.h"
#include "net/net.h"

enum { GOSSIP_MAGIC = 0x60551b00 };

struct call;

struct gossip {
	uint32_t magic;
	struct loop *loop;
	struct gossip_config config; /* without its secrets and slices */
	struct core *core;
	struct packets *packets;
	struct net_udp *udp;
	struct net_listener *listener;
	struct timer timer;
	struct list calls;
	unsigned calls_in;
	unsigned calls_out;
	struct call *answering; /* the request that is in its step */
	struct list told;
	struct loop_later tell;
	unsigned tries; /* of any port that is free for UDP and TCP */
	bool another;   /* the next of them, once UDP is closed */
	bool ready;
	bool closing;
	bool left;
	void (*on_left)(void *arg);
	void *on_left_arg;
};

struct core_time gossip_io_now(const struct gossip *g);

/* After anything that may have moved the machine's next wish to be woken. */
void gossip_io_rearm(struct gossip *g);

#endif
