/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action — what a route does with a request, and what it may reach, by Envoy's
 * words: for whoever compares with those.
 */
#include "story.h"

/* --- clusters ------------------------------------------------------------- */

static void
put_cluster(
    struct story *s, struct value *map, const struct view_destination *d)
{
	struct slice name = story_cluster(d);
	struct value *c;

	if (name.len == 0 || map == NULL || value_get(map, name) != NULL)
		return;
	if (d->cluster != NULL)
		c = tree_cluster_settings(&s->t, d->cluster);
	else
		c = value_new_string(s->t.arena, S("absent"));
	if (value_set(map, name, c) != OK)
		s->t.full = true;
}

static void
put_clusters(
    struct story *s, const struct view_destination *items, size_t count)
{
	struct value *map = tree_map(&s->t);

	for (size_t i = 0; i < count; i++)
		put_cluster(s, map, &items[i]);
	tree_put(&s->t, s->root, "clusters", map);
}

/* --- actions -------------------------------------------------------------- */

static struct value *
weighted(struct story *s, const struct view_destination *d)
{
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "cluster", story_cluster(d));
	tree_put_int(&s->t, map, "weight", d->weight);
	return map;
}

static void
put_targets(struct story *s, struct value *map,
    const struct view_destination *items, size_t count)
{
	struct value *list = tree_list(&s->t);

	if (count == 1) {
		tree_put_text(&s->t, map, "cluster", story_cluster(&items[0]));
		return;
	}
	for (size_t i = 0; i < count; i++)
		tree_add(&s->t, list, weighted(s, &items[i]));
	tree_put(&s->t, map, "weightedClusters", list);
}

void
story_action(struct story *s, const struct view_http_choice *c)
{
	const struct view_http_route *r = c->route;
	struct value *map = tree_map(&s->t);

	put_targets(s, map, r->destinations, r->destination_count);
	tree_put_text(
	    &s->t, map, "timeout", tree_duration(&s->t, r->timeout_us));
	tree_put(&s->t, s->root, "action", map);
	put_clusters(s, r->destinations, r->destination_count);
}

void
story_tcp_action(struct story *s, const struct view_tcp_route *r)
{
	struct value *map = tree_map(&s->t);

	put_targets(s, map, r->destinations, r->destination_count);
	tree_put(&s->t, s->root, "action", map);
	put_clusters(s, r->destinations, r->destination_count);
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
		tree_put(&t, map, "settings", tree_cluster_settings(&t, c));
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
