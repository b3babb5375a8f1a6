/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts — what an agent tells of itself, from one that may be anybody's: a
 * fact a line. What is understood is told again, and understood as the same.
 */
#include <stdint.h>

#include "discovery/discovery.h"

enum { FACTS_MAX = 64, ARENA_BYTES = 1 << 20 };

struct facts {
	struct slice items[FACTS_MAX + 8];
	size_t count;
	struct arena arena;
};

static void
keep(void *arg, struct slice fact)
{
	struct facts *f = arg;

	CHECK(fact.len <= DISCOVERY_FACT_MAX);
	CHECK(f->count < ARRAY_LEN(f->items));
	CHECK(arena_copy(&f->arena, fact, &f->items[f->count++]) == OK);
}

static enum err
take(struct facts *f, struct discovery_machine *m, struct fault *why)
{
	static const struct discovery_local locals[] = {
	    {.port = 80}, {.port = 81}};

	*m = (struct discovery_machine){
	    .locals = locals, .local_count = ARRAY_LEN(locals)};
	return discovery_take_facts(f->items, f->count, &f->arena, m, why);
}

/* A local that nobody told of has no target that could be told. */
static bool
is_whole(const struct discovery_machine *m)
{
	for (size_t i = 0; i < m->local_count; i++)
		if (m->locals[i].target.family == ADDR_NONE)
			return false;
	return true;
}

static void
tell_again(const struct discovery_machine *m)
{
	struct facts again = {.count = 0};
	struct discovery_machine same;
	size_t facts = 1 + (m->account.len > 0) + (m->proxy == VIEW_ROUTER) +
		       m->labels.count + m->upstream_count + m->local_count;
	size_t left_out;

	arena_init(&again.arena, ARENA_BYTES);
	left_out = discovery_each_fact(m, keep, &again);
	CHECK(again.count + left_out == facts);
	if (left_out == 0 && is_whole(m)) {
		CHECK(take(&again, &same, NULL) == OK);
		CHECK(slice_eq(same.ns, m->ns));
		CHECK(slice_eq(same.account, m->account));
		CHECK(same.proxy == m->proxy);
		CHECK(same.labels.count == m->labels.count);
		CHECK(same.upstream_count == m->upstream_count);
		for (size_t i = 0; i < m->upstream_count; i++)
			CHECK(slice_eq(same.upstreams[i].host,
				  m->upstreams[i].host) &&
			      addr_eq(&same.upstreams[i].listen,
				  &m->upstreams[i].listen));
	}
	arena_fini(&again.arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice rest = slice_of(data, len);
	struct facts f = {.count = 0};
	struct discovery_machine m;
	struct fault why = {0};

	while (rest.len > 0 && f.count < FACTS_MAX)
		f.items[f.count++] = slice_split(&rest, '\n');
	arena_init(&f.arena, ARENA_BYTES);
	if (take(&f, &m, &why) == OK)
		tell_again(&m);
	else
		CHECK(why.text[0] != '\0');
	arena_fini(&f.arena);
	return 0;
}
