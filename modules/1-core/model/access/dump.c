/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump — which policies hold for a workload, as a tree.
 */
#include "../view/tree.h"
#include "parts.h"

/* Each rule by its origin; those of connections are the same. */
enum { VALUES_SHOWN = 4, TEXT_SHOWN = 200 };

struct slice
tree_access_condition(struct tree *t, const struct access_condition *c)
{
	struct slice all = S("");

	for (size_t i = 0; i < c->count && i < VALUES_SHOWN; i++)
		all = tree_printf(t, "%.*s%s%.*s", SLICE_ARG(all),
		    i > 0 ? ", " : "",
		    SLICE_ARG(slice_sub(c->values[i].written, 0, TEXT_SHOWN)));
	if (c->count > VALUES_SHOWN)
		all = tree_printf(t, "%.*s … (%zu)", SLICE_ARG(all), c->count);
	return tree_printf(t, "%.*s is %s %.*s", SLICE_ARG(c->name),
	    c->negated ? "none of" : "one of", SLICE_ARG(all));
}

static struct slice
joined(
    struct tree *t, struct slice text, const char *between, struct slice more)
{
	if (text.len == 0 || more.len == 0)
		return text.len == 0 ? more : text;
	return tree_printf(
	    t, "%.*s%s%.*s", SLICE_ARG(text), between, SLICE_ARG(more));
}

static struct slice
all_words(struct tree *t, const struct access_all *all)
{
	struct slice text = S("");

	for (size_t i = 0; i < all->count; i++)
		text = joined(t, text, " and ",
		    tree_access_condition(t, &all->conditions[i]));
	return text;
}

/* One that asks nothing takes all, whatever the others ask. */
static struct slice
any_words(struct tree *t, const struct access_all *items, size_t count)
{
	struct slice text = S("");

	for (size_t i = 0; i < count; i++) {
		if (items[i].count == 0)
			return S("");
		text = joined(t, text, ", or ", all_words(t, &items[i]));
	}
	return text;
}

struct slice
tree_access_rule(struct tree *t, const struct access_rule *r)
{
	struct slice text = any_words(t, r->from, r->from_count);

	if (r->never.len > 0)
		return tree_printf(t, "nothing: %.*s", SLICE_ARG(r->never));
	text = joined(t, text, "; ", any_words(t, r->to, r->to_count));
	text = joined(t, text, "; ", all_words(t, &r->when));
	return text.len > 0 ? text : S("all");
}

static struct value *
stage(struct tree *t, const struct access_set *s)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < s->count; i++)
		tree_add_text(t, list, tree_origin(t, &s->rules[i]->origin));
	return list;
}

struct value *
tree_access(struct tree *t, const struct view_access *a)
{
	struct value *map = tree_map(t);

	if (a == NULL)
		return map;
	if (a->provider != NULL) {
		tree_put_text(t, map, "provider", a->provider->name);
		tree_put_text(t, map, "problem", a->provider->bad);
	}
	for (int s = 0; s < ACCESS_STAGES; s++)
		tree_put(t, map, access_stage_name(s), stage(t, &a->http[s]));
	return map;
}

struct value *
tree_authn(struct tree *t, const struct view_authn *a)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; a != NULL && i < a->count; i++) {
		struct value *map = tree_map(t);

		tree_put_text(t, map, "issuer", a->rules[i].issuer);
		tree_put_text(
		    t, map, "origin", tree_origin(t, &a->rules[i].origin));
		tree_add(t, list, map);
	}
	return list;
}
