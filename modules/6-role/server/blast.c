/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast — whose calls a change would concern, and in what words.
 *
 *	stored ─────────────► matter ─► a view from each place ─┐
 *	stored + documents ─► matter ─► a view from each place ─┴► effects
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

#include "matter.h"
#include "viewpoints.h"

enum { BLAST_BYTES = 256 << 20 };

struct blast {
	struct server *server;
	struct matter before;
	struct matter after;
	struct viewpoints from;
	struct arena arena;
	struct value *list; /* NULL: no room */
	struct fault why;
	server_blast_cb cb;
	void *arg;
};

static void
blast_free(struct blast *b)
{
	viewpoints_fini(&b->from);
	matter_fini(&b->before);
	matter_fini(&b->after);
	arena_fini(&b->arena);
	mem_free(&b);
}

static void
look_from(struct blast *b)
{
	const struct explain_place anybody = {.ns = S("default")};

	viewpoints_add_offers(&b->from, b->server);
	viewpoints_add(&b->from, S("other programs in default"), &anybody);
	viewpoints_add_programs(&b->from, b->server);
	viewpoints_add_routers(&b->from, b->server);
	viewpoints_add_gateways(
	    &b->from, b->after.all, b->after.in.resource_count);
	viewpoints_add_gateways(
	    &b->from, b->before.all, b->before.in.resource_count);
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
done(void *arg)
{
	struct blast *b = arg;
	struct server *s = b->server;
	const struct server_blast told = {.list = b->list,
	    .places = b->from.count,
	    .left_out = b->from.left_out};

	b->cb(b->arg, b->why.code, &b->why, b->why.code == OK ? &told : NULL);
	blast_free(b);
	analyze_done(s);
}

void
server_blast(struct server *s, const struct value *docs, struct slice ns,
    server_blast_cb cb, void *arg)
{
	struct blast *b = mem_new(sizeof(*b));
	const struct explain_documents on_top = {.list = docs};
	struct fault why = {0};
	enum err e;

	b->server = s;
	b->cb = cb;
	b->arg = arg;
	viewpoints_init(&b->from);
	arena_init(&b->arena, BLAST_BYTES);
	matter_init(&b->before, s);
	matter_init(&b->after, s);
	e = matter_gather(&b->before, s, NULL, ns, &why);
	if (e == OK)
		e = matter_gather(&b->after, s, &on_top, ns, &why);
	if (e == OK) {
		look_from(b);
		e = analyze_submit(s, work, done, b, &why);
	}
	if (e == OK)
		return;
	cb(arg, e, &why, NULL);
	blast_free(b);
}
