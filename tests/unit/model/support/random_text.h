/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_text — the text of a resource, put together at random out of few
 * names; for those who make resources.
 */
#ifndef MESHD_TEST_RANDOM_TEXT_H
#define MESHD_TEST_RANDOM_TEXT_H

#include "random.h"

extern const char *const few_spaces[3];
extern const char *const few_names[3];
extern const char *const few_hosts[7];
extern const char *const few_ports[3];

struct text {
	struct rng *rng;
	struct buf b;
	uint64_t head;     /* its key comes of this; 0: it is any */
	const char *notes; /* more of its metadata; NULL: none */
};

/* One of an array. */
#define ANY(t, list) ((list)[rng_below((t)->rng, ARRAY_LEN(list))])

/* True once in `of` times. */
bool maybe(struct text *t, uint64_t of);

/* Behind what is there: one piece, or three of which one is chosen. */
void put(struct text *t, const char *s);
void put2(struct text *t, const char *before, const char *s, const char *after);

/* All up to what the spec says. */
void put_head(struct text *t, const char *group, const char *kind);

/* Members that may not be there. */
void put_export(struct text *t);
void put_selector(struct text *t, const char *form, const char *end);

/* Where a rule leads. */
void put_destination(struct text *t);

/* A rule for requests. */
void put_http_rule(struct text *t);

/* One of another VirtualService, maybe of one that is not there. */
void put_delegate(struct text *t);

/* What this puts, decoded; NULL if it is not valid. */
struct resource *random_try(
    struct rng *rng, uint64_t head, void (*put_kind)(struct text *t));

/* The same, until it is. */
struct resource *random_valid(
    struct rng *rng, uint64_t head, void (*put_kind)(struct text *t));

/* A document of each kind. */
void put_service(struct text *t);
void put_entry(struct text *t);
void put_workload(struct text *t);
void put_routes(struct text *t);
void put_delegated(struct text *t); /* without hosts: others delegate to it */
void put_rule(struct text *t);
void put_sidecar(struct text *t);
void put_gateway(struct text *t);
void put_peers(struct text *t);
void put_access(struct text *t);
void put_tokens(struct text *t);
void put_telemetry(struct text *t);
void put_mesh(struct text *t);

#endif
