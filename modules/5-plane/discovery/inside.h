/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — workloads, as both halves of a compilation see them.
 */
#ifndef MESHD_DISCOVERY_INSIDE_H
#define MESHD_DISCOVERY_INSIDE_H

#include "discovery.h"

/* One service of one node's record, or of this machine. */
struct workload {
	struct slice node;
	struct slice network;
	struct slice locality;
	struct slice name;
	struct slice ns;
	struct slice account;
	struct slice protocol;
	struct labels labels;
	uint16_t port;
	uint16_t weight;
	struct addr addr;   /* with `port`; here: where it listens */
	struct addr tunnel; /* family 0: none */
	enum view_health health;
	struct slice reason;
	/* Its age, for conflicts: the living first, then the older voucher. */
	bool gone;
	uint32_t issued_s;
	struct gossip_id id;
};

struct pile {
	void *items;
	size_t count;
	size_t cap;
};

/* A compilation under way. */
struct compiler {
	const struct discovery_input *in;
	struct arena *arena;
	enum err err; /* the first failure; then nothing more is added */
	struct pile workloads; /* struct workload, the oldest first */
	struct pile services;  /* struct view_service_input */
	struct pile endpoints; /* struct row */
	struct pile conflicts; /* struct slice */
	size_t conflicts_dropped;
};

/* Room for one more in a list of such things, zeroed; NULL: see c->err. */
void *pile_add(struct compiler *c, struct pile *l, size_t size);

void report(struct compiler *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* <0 if `a` wins over `b`. */
int workload_age_cmp(const struct workload *a, const struct workload *b);

/* Fills c->workloads from records and local services. */
void collect_workloads(struct compiler *c);

/* Fills services, endpoints and conflicts from workloads and Services. */
void match_workloads(struct compiler *c);

#endif
