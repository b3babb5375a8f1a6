/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast — whose calls a change would concern, and in what words.
 *
 *	stored ─────────────────► matter ─► a view from each place ─┐
 *	a call's changes on top ─► matter ─► a view from each place ─┴► effects
 *
 * The later view is a patch of the earlier where that will do: the places of
 * resources, and who serves, are the same in both.
 *
 * Places are those of what members offer, each with its namespace and labels;
 * of programs that offer nothing, in the namespaces that agents tell; and of
 * gateways, those that are connected, and by the selectors of the Gateways.
 * Compiled on the thread of
 * analyses.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "model/model.h"

#include "call.h"
#include "matter.h"
#include "viewpoints.h"

enum { BLAST_BYTES = 256 << 20 };

struct blast {
	struct call *call; /* whose changes have their outcomes */
	uint64_t revision; /* that was looked at */
	struct matter before;
	struct matter after;
	struct viewpoints from;
	struct arena arena;
	struct value *list; /* NULL: no room */
	struct fault why;
};

static void
blast_free(struct blast *b)
{
	viewpoints_fini(&b->from);
	matter_fini(&b->after);
	matter_fini(&b->before);
	arena_fini(&b->arena);
	mem_free(&b);
}

static void
look_from(struct blast *b)
{
	const struct explain_place anybody = {.ns = S("default")};

	viewpoints_add_offers(&b->from, b->call->server);
	viewpoints_add(&b->from, S("other programs in default"), &anybody);
	viewpoints_add_programs(&b->from, b->call->server);
	viewpoints_add_routers(&b->from, b->call->server);
	viewpoints_add_gateways(
	    &b->from, b->after.all, b->after.in.resource_count);
	viewpoints_add_gateways(
	    &b->from, b->before.all, b->before.in.resource_count);
}

static bool
is_unchanged(const struct server_change *c)
{
	return slice_eq(slice_str(c->outcome),
	    slice_str(store_outcome_name(STORE_UNCHANGED)));
}

static void
take_changes(struct blast *b)
{
	const struct call *c = b->call;

	for (size_t i = 0; i < c->count; i++) {
		struct resource *now = c->resources[i];

		if (!is_unchanged(&c->changes[i]))
			overlay_put(&b->after.overlay, c->server,
			    &c->changes[i].key,
			    now != NULL ? resource_ref(now) : NULL);
	}
}

static enum err
gather(struct blast *b)
{
	struct server *s = b->call->server;
	enum err e =
	    matter_gather(&b->before, s, /* docs */ NULL, SLICE_NONE, &b->why);

	if (e != OK)
		return e;
	b->before.in.version = 1; /* known to be the same in both */
	take_changes(b);
	e = matter_change(&b->after, s, &b->before, &b->why);
	if (e == OK)
		look_from(b);
	return e;
}

/* --- comparing ------------------------------------------------------------ */

static enum err
compare(struct blast *b, const struct viewpoint *p)
{
	AUTO(view_unref) struct view *before = NULL;
	AUTO(view_unref) struct view *after = NULL;
	AUTO(arena_fini) struct arena scratch = {0};
	const struct value *found;
	enum err e = matter_view(&b->before, &p->at, &before, &b->why);

	b->after.in.before = before;
	if (e == OK)
		e = matter_view(&b->after, &p->at, &after, &b->why);
	if (e != OK)
		return e;
	arena_init(&scratch, BLAST_BYTES);
	found = view_effects(before, after, &scratch);
	if (found == NULL)
		return fault_set(&b->why, ERR_LIMIT,
		    "what is different for %.*s is too much to tell",
		    SLICE_ARG(p->name));
	VALUE_EACH(found, it)
	{
		struct value *m = value_copy(it, &b->arena);

		value_put_text(&b->arena, &m, S("caller"), p->name);
		value_push(&b->list, m);
	}
	return OK;
}

/* On the thread of analyses: touches nothing but this. */
static void
work(void *arg)
{
	struct blast *b = arg;
	enum err e = OK;

	b->list = value_new(&b->arena, VALUE_LIST);
	for (size_t i = 0; e == OK && i < b->from.count; i++)
		e = compare(b, &b->from.items[i]);
	if (e == OK && b->list == NULL)
		(void)fault_set(&b->why, ERR_LIMIT,
		    "what is different is too much to tell");
}

static void
finish(struct blast *b)
{
	const struct server_blast told = {.list = b->list,
	    .places = b->from.count,
	    .left_out = b->from.left_out};
	struct call *c = b->call;

	c->why = b->why;
	c->blast = &told;
	call_end(c, b->why.code, b->revision);
	blast_free(b);
}

static void
done(void *arg)
{
	struct blast *b = arg;
	struct server *s = b->call->server;

	finish(b);
	analyze_done(s);
}

void
call_blast(struct call *c)
{
	struct blast *b = mem_new(sizeof(*b));
	enum err e;

	b->call = c;
	b->revision = c->server->cache.revision;
	viewpoints_init(&b->from);
	arena_init(&b->arena, BLAST_BYTES);
	matter_init(&b->before, c->server);
	matter_init(&b->after, c->server);
	e = gather(b);
	if (e == OK)
		e = analyze_submit(c->server, work, done, b, &b->why);
	if (e != OK)
		finish(b);
}
