/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near — the index of resources by their ties, and what is near a change.
 *
 *	tie ─► slot ─► node ─► node ─► …      one node a resource and tie
 *
 * An open table of slots; nodes lie in one array and are linked by number. A
 * tie is a hash: if two meet, a change is judged among some more.
 */
#include "ties.h"

#include "../analysis.h"

enum {
	NONE = 0,        /* no node; the first one is never used */
	TIED_MAX = 256,  /* of one tie that are near */
	CHOSEN_MAX = 16, /* workloads that one selector needs to see */
	LOOKED_AT_MAX = 4096
};

struct slot {
	uint64_t tie;
	uint32_t first; /* NONE: free, unless it is used */
	bool used;
};

struct node {
	const struct resource *r;
	uint32_t next;
};

struct analysis_index {
	struct slice domain;
	struct slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
	struct node *nodes;
	size_t node_count; /* with the unused first */
	size_t node_cap;
	uint32_t spare; /* nodes that were given back */
};

/* --- the table ------------------------------------------------------------ */

/* The slot of the tie, or the free one where it would be. */
static struct slot *
find(const struct analysis_index *x, uint64_t tie)
{
	size_t at = (size_t)tie & (x->slot_count - 1);

	while (x->slots[at].used && x->slots[at].tie != tie)
		at = (at + 1) & (x->slot_count - 1);
	return &x->slots[at];
}

/* Ties that nothing has any more are left behind. */
static void
grow(struct analysis_index *x)
{
	struct slot *old = x->slots;
	size_t count = x->slot_count;

	if (x->used * 2 < count)
		return;
	x->slot_count = MAX(count * 2, 1024);
	x->slots = mem_new_array(x->slot_count, sizeof(*x->slots));
	x->used = 0;
	for (size_t i = 0; i < count; i++)
		if (old[i].used && old[i].first != NONE) {
			*find(x, old[i].tie) = old[i];
			x->used++;
		}
	mem_free(&old);
}

static uint32_t
node_new(struct analysis_index *x)
{
	uint32_t n = x->spare;

	if (n != NONE) {
		x->spare = x->nodes[n].next;
		return n;
	}
	if (x->node_count == x->node_cap) {
		size_t cap = MAX(x->node_cap * 2, 1024);

		x->nodes =
		    mem_resize(x->nodes, x->node_cap, cap, sizeof(*x->nodes));
		x->node_cap = cap;
		x->node_count = MAX(x->node_count, 1);
	}
	CHECK(x->node_count < UINT32_MAX);
	return (uint32_t)x->node_count++;
}

struct change {
	struct analysis_index *x;
	const struct resource *r;
};

/* One that comes twice follows itself, and is there once. */
static void
put(void *arg, uint64_t tie, unsigned part)
{
	struct change *c = arg;
	struct slot *s;
	uint32_t n;

	if (!(part & TIE_HAS))
		return;
	grow(c->x);
	s = find(c->x, tie);
	if (s->used && s->first != NONE && c->x->nodes[s->first].r == c->r)
		return;
	n = node_new(c->x);
	if (!s->used)
		*s = (struct slot){.tie = tie, .used = true};
	else
		c->x->used--;
	c->x->used++;
	c->x->nodes[n] = (struct node){c->r, s->first};
	s->first = n;
}

static void
take_out(void *arg, uint64_t tie, unsigned part)
{
	struct change *c = arg;
	struct node *nodes = c->x->nodes;
	struct slot *s;
	uint32_t *link;

	if (!(part & TIE_HAS) || c->x->slot_count == 0)
		return;
	s = find(c->x, tie);
	for (link = &s->first; s->used && *link != NONE;) {
		uint32_t n = *link;

		if (nodes[n].r != c->r) {
			link = &nodes[n].next;
			continue;
		}
		*link = nodes[n].next;
		nodes[n] = (struct node){NULL, c->x->spare};
		c->x->spare = n;
	}
}

static void
select_nothing(void *arg, const struct labels *labels)
{
	(void)arg;
	(void)labels;
}

struct analysis_index *
analysis_index_new(struct slice domain)
{
	struct analysis_index *x = mem_new(sizeof(*x));

	x->domain = domain;
	return x;
}

void
analysis_index_free(struct analysis_index **xp)
{
	if (*xp == NULL)
		return;
	mem_free(&(*xp)->slots);
	mem_free(&(*xp)->nodes);
	mem_free(xp);
}

void
analysis_index_add(struct analysis_index *x, const struct resource *r)
{
	struct change c = {x, r};
	struct tie_user u = {x->domain, put, select_nothing, &c};

	ties_each(r, &u);
}

void
analysis_index_remove(struct analysis_index *x, const struct resource *r)
{
	struct change c = {x, r};
	struct tie_user u = {x->domain, take_out, select_nothing, &c};

	ties_each(r, &u);
}

/* --- what is near --------------------------------------------------------- */

struct near {
	const struct analysis_index *x;
	struct map seen; /* of resources, by their address */
	const struct resource **out;
	size_t count;
	size_t most;
};

/* False if it was there already. */
static bool
see(struct near *n, const struct resource *r)
{
	return map_put(&n->seen, slice_of(&r, sizeof(r)), n) == NULL;
}

static void
add(struct near *n, const struct resource *r)
{
	if (n->count < n->most && see(n, r))
		n->out[n->count++] = r;
}

static uint32_t
first_of(const struct analysis_index *x, uint64_t tie)
{
	const struct slot *s;

	if (x->slot_count == 0)
		return NONE;
	s = find(x, tie);
	return s->used ? s->first : NONE;
}

static void
gather(void *arg, uint64_t tie, unsigned part)
{
	struct near *n = arg;
	uint32_t at = part & TIE_ASKS ? first_of(n->x, tie) : NONE;

	for (size_t i = 0; at != NONE && i < TIED_MAX; i++) {
		add(n, n->x->nodes[at].r);
		at = n->x->nodes[at].next;
	}
}

/* A few that fit wholly: whether there are any is what is asked. */
static void
gather_workloads(void *arg, const struct labels *labels)
{
	struct near *n = arg;
	size_t found = 0;
	uint32_t at = labels->count > 0
			  ? first_of(n->x, tie_of_label(&labels->items[0]))
			  : NONE;

	for (size_t i = 0;
	     at != NONE && i < LOOKED_AT_MAX && found < CHOSEN_MAX; i++) {
		const struct resource *r = n->x->nodes[at].r;

		at = n->x->nodes[at].next;
		if (!tie_fits(r, labels))
			continue;
		add(n, r);
		found++;
	}
}

size_t
analysis_index_near(const struct analysis_index *x,
    const struct resource *const *changed, size_t count,
    const struct resource **out, size_t most)
{
	struct near n = {.x = x, .out = out, .most = most};
	struct tie_user u = {x->domain, gather, gather_workloads, &n};

	map_init(&n.seen);
	for (size_t i = 0; i < count; i++)
		(void)see(&n, changed[i]); /* themselves are left out */
	for (size_t i = 0; i < count; i++)
		ties_each(changed[i], &u);
	map_fini(&n.seen, NULL);
	return n.count;
}
