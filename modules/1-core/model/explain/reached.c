/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reached — what a call may reach, by Envoy's words: for whoever compares with
 * those.
 */
#include "story.h"

/* One of no service is there, although a call may not use it yet. */
static const struct view_cluster *
find(struct story *s, const struct view_destination *d)
{
	const struct view_cluster *c = view_find_cluster(s->v, d->name);

	if (d->cluster != NULL)
		return d->cluster;
	return c != NULL && c->service->ns.len == 0 ? c : NULL;
}

static void
put(struct story *s, struct value *map, const struct view_destination *d)
{
	const struct view_cluster *of = find(s, d);
	struct slice name = d->name;
	struct value *c;

	if (name.len == 0 || map == NULL || value_get(map, name) != NULL)
		return;
	if (of != NULL)
		c = tree_cluster_facts(&s->t, of);
	else
		c = value_new_string(s->t.arena, S("absent"));
	if (value_set(map, name, c) != OK)
		s->t.full = true;
}

void
story_clusters(
    struct story *s, const struct view_destination *items, size_t count)
{
	struct value *map = tree_map(&s->t);

	for (size_t i = 0; i < count; i++)
		put(s, map, &items[i]);
	tree_put(&s->t, s->root, "clusters", map);
}

/* --- questions of any kind ------------------------------------------------ */

static struct value *
explain_cluster(const struct view *v, struct slice name, struct arena *arena)
{
	struct tree t = {.arena = arena};
	struct value *map = tree_map(&t);
	const struct view_cluster *c = view_find_cluster(v, name);

	tree_put_text(&t, map, "cluster", name);
	if (c != NULL) {
		tree_put_text(&t, map, "origin", tree_origin(&t, &c->origin));
		tree_put(&t, map, "settings", tree_cluster_facts(&t, c));
	}
	return t.full ? NULL : map;
}

struct value *
model_answer(const struct view *v, const struct explain_question *question,
    struct arena *arena)
{
	if (question->cluster.len > 0)
		return explain_cluster(v, question->cluster, arena);
	if (question->is_connection)
		return model_explain_connection(
		    v, &question->connection, arena);
	return model_explain(v, &question->connection.request, arena);
}
