/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blast — whose calls a change would concern, and in what words.
 *
 *	stored ─────────────► matter ─► a view from each place ─┐
 *	stored + documents ─► matter ─► a view from each place ─┴► effects
 *
 * Places are those of what members offer, each with its namespace and labels;
 * of programs that offer nothing; and of gateways, by the selectors of the
 * Gateways. Compiled on the thread of analyses.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "model/model.h"

#include "matter.h"

enum { BLAST_BYTES = 256 << 20, PLACES_MAX = 256 };

struct place {
	struct slice name; /* "web.default" */
	struct explain_place at;
};

struct blast {
	struct server *server;
	struct matter before;
	struct matter after;
	struct place places[PLACES_MAX];
	size_t count;
	size_t left_out;
	struct map by_key; /* of a place → itself */
	struct arena arena;
	struct value *list; /* NULL: no room */
	struct fault why;
	server_blast_cb cb;
	void *arg;
};

static void
blast_free(struct blast *b)
{
	map_fini(&b->by_key, NULL);
	matter_fini(&b->before);
	matter_fini(&b->after);
	arena_fini(&b->arena);
	mem_free(&b);
}

/* --- places --------------------------------------------------------------- */

static struct slice
key_of(struct blast *b, const struct explain_place *at)
{
	struct slice text = arena_printf(
	    &b->arena, "%d %.*s", (int)at->proxy, SLICE_ARG(at->ns));

	for (size_t i = 0; i < at->labels.count; i++)
		text = arena_printf(&b->arena, "%.*s %.*s=%.*s",
		    SLICE_ARG(text), SLICE_ARG(at->labels.items[i].key),
		    SLICE_ARG(at->labels.items[i].value));
	return text;
}

/* One of each; the name of the first counts. Copies nothing but the key. */
static void
add_place(struct blast *b, struct slice name, const struct explain_place *at)
{
	struct slice key = key_of(b, at);

	if (key.ptr == NULL || map_get(&b->by_key, key) != NULL)
		return;
	if (b->count == PLACES_MAX) {
		b->left_out++;
		return;
	}
	b->places[b->count] = (struct place){name, *at};
	(void)map_put(
	    &b->by_key, key, &b->places[b->count++]); /* was not there */
}

static void
add_offer(void *arg, const struct member_offer *o)
{
	struct blast *b = arg;
	struct explain_place at = {
	    .labels = members_copy_labels(o->service, &b->arena)};

	if (o->gone || arena_copy(&b->arena, o->service->ns, &at.ns) != OK)
		return;
	add_place(b,
	    arena_printf(&b->arena, "%.*s.%.*s", SLICE_ARG(o->service->name),
		SLICE_ARG(o->service->ns)),
	    &at);
}

/* "gateways with istio=ingressgateway" */
static struct slice
gateway_name(struct blast *b, const struct labels *l)
{
	struct slice text = S("gateways");

	for (size_t i = 0; i < l->count; i++)
		text = arena_printf(&b->arena, "%.*s%s%.*s=%.*s",
		    SLICE_ARG(text), i == 0 ? " with " : ", ",
		    SLICE_ARG(l->items[i].key), SLICE_ARG(l->items[i].value));
	return text;
}

/* Text and labels live as long as the matter. */
static void
add_gateways(struct blast *b, const struct matter *m)
{
	for (size_t i = 0; i < m->in.resource_count; i++) {
		struct explain_place at;

		if (explain_gateway_place(m->all[i], &at))
			add_place(b, gateway_name(b, &at.labels), &at);
	}
}

static void
add_places(struct blast *b)
{
	const struct explain_place anybody = {.ns = S("default")};

	members_each_offer(b->server, add_offer, b);
	add_place(b, S("other programs in default"), &anybody);
	add_gateways(b, &b->after);
	add_gateways(b, &b->before);
}

/* --- comparing ------------------------------------------------------------ */

static enum err
compare(struct blast *b, const struct place *p)
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
	for (size_t i = 0; e == OK && i < b->count; i++)
		e = compare(b, &b->places[i]);
	if (e == OK && b->list == NULL)
		(void)fault_set(&b->why, ERR_LIMIT,
		    "what is different is too much to tell");
}

static void
done(void *arg)
{
	struct blast *b = arg;
	struct server *s = b->server;
	const struct server_blast told = {
	    .list = b->list, .places = b->count, .left_out = b->left_out};

	b->cb(b->arg, b->why.code, &b->why, b->why.code == OK ? &told : NULL);
	blast_free(b);
	analyze_done(s);
}

void
server_blast(struct server *s, const struct value *docs, struct slice ns,
    server_blast_cb cb, void *arg)
{
	struct blast *b = mem_new(sizeof(*b));
	struct fault why = {0};
	enum err e;

	b->server = s;
	b->cb = cb;
	b->arg = arg;
	map_init(&b->by_key);
	arena_init(&b->arena, BLAST_BYTES);
	matter_init(&b->before);
	matter_init(&b->after);
	e = matter_gather(&b->before, s, NULL, ns, &why);
	if (e == OK)
		e = matter_gather(&b->after, s, docs, ns, &why);
	if (e == OK) {
		add_places(b);
		e = analyze_submit(s, work, done, b, &why);
	}
	if (e == OK)
		return;
	cb(arg, e, &why, NULL);
	blast_free(b);
}
