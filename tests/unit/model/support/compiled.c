/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compiled — the view of YAML by itself: no records, no listeners.
 */
#include "compiled.h"
#include "unit.h"

void
compiled_init_from(
    struct compiled *c, const char *yaml, const struct view_input *place)
{
	struct view_input in = *place;

	memset(c, 0, sizeof(*c));
	load(yaml, "m.yaml", &c->l);
	EXPECT_OK(c->l.e);
	in.resources = (const struct resource *const *)c->l.items;
	in.resource_count = c->l.count;
	EXPECT_OK(view_compile(&in, &c->v, NULL));
	arena_init(&c->arena, 1 << 20);
}

void
compiled_init(struct compiled *c, const char *yaml)
{
	compiled_init_from(c, yaml, &(struct view_input){0});
}

void
compiled_fini(struct compiled *c)
{
	view_unref(&c->v);
	loaded_fini(&c->l);
	arena_fini(&c->arena);
}

bool
compiled_tells(const struct compiled *c, const char *words)
{
	size_t n;
	const struct view_problem *p = view_problems(c->v, &n);

	for (size_t i = 0; i < n; i++)
		if (memmem(p[i].text.ptr, p[i].text.len, words,
			strlen(words)) != NULL)
			return true;
	return false;
}
