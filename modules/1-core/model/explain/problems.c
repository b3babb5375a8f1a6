/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problems — what is wrong with what a call meets.
 *
 * Rules that are asked speak for themselves. Those are told that are not in the
 * view: of a resource by which the call went, or of another that lost against
 * such a one. At a gateway any server that was left out may be the one that was
 * meant.
 */
#include "story.h"

enum { TOLD_MAX = 20 };

void
story_meet(struct story *s, const struct origin *o)
{
	if (o->key.kind.len == 0)
		return;
	for (size_t i = 0; i < s->met_count; i++)
		if (resource_key_eq(&s->met[i]->key, &o->key))
			return;
	if (s->met_count < ARRAY_LEN(s->met))
		s->met[s->met_count++] = o;
}

/* "Kind/ns/name", and no longer name that begins so. */
static bool
is_named(struct slice text, const struct resource_key *key)
{
	char name[RESOURCE_KEY_MAX];
	struct slice wanted = slice_str(resource_key_format(key, name));

	for (size_t i = 0; i + wanted.len <= text.len; i++) {
		struct slice rest = slice_sub(text, i, text.len);

		if (slice_starts(rest, wanted) &&
		    (rest.len == wanted.len || rest.ptr[wanted.len] == ',' ||
			rest.ptr[wanted.len] == ' '))
			return true;
	}
	return false;
}

static bool
concerns(const struct story *s, const struct view_problem *p)
{
	if (!p->lost)
		return false;
	if (s->is_gateway && slice_eq(p->origin.key.kind, S("Gateway")))
		return true;
	for (size_t i = 0; i < s->met_count; i++)
		if (resource_key_eq(&s->met[i]->key, &p->origin.key) ||
		    is_named(p->text, &s->met[i]->key))
			return true;
	return false;
}

void
story_problems(struct story *s)
{
	struct value *list = tree_list(&s->t);
	const struct view_problem *p;
	size_t count, told = 0;

	p = view_problems(s->v, &count);
	for (size_t i = 0; i < count && told < TOLD_MAX; i++) {
		struct value *map;

		if (!concerns(s, &p[i]))
			continue;
		map = tree_map(&s->t);
		tree_put_text(
		    &s->t, map, "origin", tree_origin(&s->t, &p[i].origin));
		tree_put_text(&s->t, map, "text", p[i].text);
		tree_add(&s->t, list, map);
		told++;
	}
	tree_put(&s->t, s->root, "problems", list);
}
