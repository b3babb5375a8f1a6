/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts — what the servers are told of this machine beside its record, so that
 * they can say what its view is.
 *
 * Each fact is a name that is asked for on the stream, and that no resource
 * has: so it is told anew on each stream, and one that changes costs no more
 * than itself.
 */
#define LOG_MODULE "node"

#include "discovery/discovery.h"

#include "inside.h"

enum { TELLING_BYTES = 16 << 20 };

struct facts {
	struct map all; /* → mark */
	bool left_out;  /* was said */
};

static void
gather(void *arg, struct slice fact)
{
	struct map *to = arg;

	(void)map_put(to, fact, to); /* only the mark */
}

void
facts_refresh(struct node *n)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct discovery_machine self;
	struct map now;
	size_t left_out;

	if (n->facts == NULL)
		return;
	arena_init(&arena, TELLING_BYTES);
	if (node_machine(n, &arena, &self) != OK)
		return; /* nor will there be a view */
	map_init(&now);
	left_out = discovery_each_fact(&self, gather, &now);
	if (left_out > 0 && !n->facts->left_out)
		log_warn("servers are not told of some upstreams: their texts "
			 "are too long",
		    "count=%zu limit=%d", left_out, DISCOVERY_FACT_MAX);
	n->facts->left_out = left_out > 0;
	(void)tell_changes(n, &n->facts->all, &now, uplink_tell); /* if any */
	map_fini(&n->facts->all, NULL);
	n->facts->all = now;
}

void
facts_open(struct node *n)
{
	n->facts = mem_new(sizeof(*n->facts));
	map_init(&n->facts->all);
	facts_refresh(n);
}

void
facts_close(struct node *n)
{
	if (n->facts == NULL)
		return;
	map_fini(&n->facts->all, NULL);
	mem_free(&n->facts);
}
