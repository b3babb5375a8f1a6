/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_world — many gossip machines in memory, on one virtual clock.
 *
 * Messages take time, get lost, meet partitions and dead or paused nodes. All
 * chance comes from one seed, and every event goes into a hash: the same seed
 * gives the same hash. What must never happen is checked at each event.
 */
#ifndef MESHD_GOSSIP_WORLD_H
#define MESHD_GOSSIP_WORLD_H

#include "gossip/core.h"

struct world; /* opaque */

struct world_options {
	uint64_t seed;
	unsigned loss_permille; /* of datagrams */
	unsigned latency_min_ms;
	unsigned latency_max_ms;
	bool sealed; /* every datagram goes through packet.c */
};

struct world *world_new(const struct world_options *options);
void world_free(struct world **wp);

/* Starts a node that offers one service; its number counts from 0. */
size_t world_add(struct world *w, const char *name, uint32_t issued_s);

/* Node `i` asks node `seed` to let it in. */
void world_join(struct world *w, size_t i, size_t seed);

/* Adds `count` nodes; each joins node 0. */
void world_fill(struct world *w, size_t count);

void world_run(struct world *w, uint64_t ms);
uint64_t world_now_ms(const struct world *w);

/* Runs until true(w, arg); the virtual ms it took, or UINT64_MAX. */
uint64_t world_until(struct world *w,
    bool (*is_so)(const struct world *w, size_t arg), size_t arg,
    uint64_t limit_ms);

/* Chaos. Nodes of different sides do not reach each other. */
void world_set_loss(struct world *w, unsigned permille);
void world_set_side(struct world *w, size_t i, unsigned side);
void world_kill(struct world *w, size_t i);
void world_pause(struct world *w, size_t i, uint64_t ms);
void world_leave(struct world *w, size_t i);
/* Node `at` is told that the CA takes back what `subject` has. */
void world_revoke(struct world *w, size_t at, size_t subject);
/* With what it saved last, or with nothing but its key. */
void world_restart(struct world *w, size_t i, bool with_saved);
/* A second process with the key of node i; returns its number. */
size_t world_clone(struct world *w, size_t i);
/* The next datagram to every node is delivered again later. */
void world_replay(struct world *w, bool on);

struct core *world_core(const struct world *w, size_t i);
const struct peer *world_view(const struct world *w, size_t of, size_t on);
size_t world_count(const struct world *w);
bool world_is_running(const struct world *w, size_t i);

/* How often node `of` was told so by `on`, summed over all observers. */
size_t world_events(
    const struct world *w, size_t of, enum gossip_event_type type);
/* How often any node has seen node `of` go down. */
size_t world_deaths(const struct world *w, size_t of);

/* All running nodes of side 0 see node `arg` up / down / left. */
bool world_all_see_up(const struct world *w, size_t arg);
bool world_all_see_down(const struct world *w, size_t arg);
bool world_all_see_left(const struct world *w, size_t arg);
/* All of side 0 but itself know that it was revoked, and know no such member.
 */
bool world_all_refuse(const struct world *w, size_t arg);
bool world_any_suspects(const struct world *w, size_t arg);
/* All running nodes see all running nodes up, with their offers. */
bool world_is_whole(const struct world *w, size_t unused);

uint64_t world_hash(const struct world *w);
uint64_t world_packets(const struct world *w);
uint64_t world_bytes(const struct world *w);

#endif
