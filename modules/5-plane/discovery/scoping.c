/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoping — which services of a record are wanted.
 *
 * By name, "ns/name": hosts that somebody asked for, written Services, and
 * what rules lead to. By label, "ns/key=value", or "ns" alone: what selectors
 * may choose. A workload that is chosen by its label draws in its name, so
 * that nobody sees a part of a service; it does as long as it is there.
 */
#include <stdio.h>

#include "inside.h"

/* So many workloads draw in a name. */
struct drawn {
	size_t count;
};

static void
drop_drawn(void *value)
{
	struct drawn *n = value;

	mem_free(&n);
}

void
scoping_init(struct discovery *d)
{
	map_init(&d->scope);
	map_init(&d->drawn);
	map_init(&d->spaces);
}

void
scoping_fini(struct discovery *d)
{
	map_fini(&d->scope, NULL);
	map_fini(&d->drawn, drop_drawn);
	map_fini(&d->spaces, NULL);
}

/* --- what is asked for ---------------------------------------------------- */

struct gathering {
	struct discovery *d;
	struct map *to;
	bool is_service; /* the resource at hand */
};

static void
add_key(const struct gathering *g, struct slice key)
{
	if (key.len > 0)
		(void)map_put(g->to, key, g->d); /* only the mark */
}

/* "<name>.<ns>.svc.<domain>"; no record is about another host. */
static void
add_host(const struct gathering *g, struct slice host)
{
	struct slice rest = host;
	struct slice name = slice_split(&rest, '.');
	struct slice ns = slice_split(&rest, '.');
	struct slice svc = slice_split(&rest, '.');
	char text[KEY_MAX];

	if (slice_eq(svc, S("svc")) && slice_eq(rest, g->d->in.scope->domain))
		add_key(g, crowd_name_key(ns, name, text));
}

/* As resource_each_host() spells them. */
static void
add_part(void *arg, enum host_part part, struct slice host)
{
	static const struct slice workload = {"workload/", 9};
	const struct gathering *g = arg;

	if (part == HOST_ABOUT && !g->is_service)
		return; /* it is here since somebody asked, or leads to it */
	if (slice_starts(host, workload))
		add_key(g, slice_sub(host, workload.len, SIZE_MAX));
	else
		add_host(g, host);
}

static bool
is_same_set(const struct map *a, const struct map *b)
{
	struct slice key;
	void *mark;

	if (a->count != b->count)
		return false;
	for (size_t i = 0; map_next(a, &i, &key, &mark);)
		if (map_get(b, key) == NULL)
			return false;
	return true;
}

static void
gather(struct discovery *d, struct map *to)
{
	const struct discovery_input *in = &d->in;
	struct gathering g = {.d = d, .to = to};

	for (size_t i = 0; i < in->scope->count; i++)
		add_host(&g, in->scope->hosts[i]);
	for (size_t i = 0; i < in->resource_count; i++) {
		g.is_service = in->resources[i]->kind == &kind_service;
		resource_each_host(
		    in->resources[i], in->scope->domain, add_part, &g);
	}
}

/* A key begins with the namespace. */
static void
add_spaces(struct discovery *d, const struct map *keys)
{
	struct slice key;
	void *mark;

	for (size_t i = 0; map_next(keys, &i, &key, &mark);)
		(void)map_put(
		    &d->spaces, slice_split(&key, '/'), d); /* only the mark */
}

/* Most services are in a namespace of which nothing is wanted. */
static void
list_spaces(struct discovery *d)
{
	map_fini(&d->spaces, NULL);
	map_init(&d->spaces);
	add_spaces(d, &d->scope);
	add_spaces(d, &d->drawn);
}

void
scoping_look(struct discovery *d)
{
	const struct discovery_input *in = &d->in;
	struct map now;

	if (in->scope == NULL ||
	    (in->scope->version != 0 && in->resources_version != 0 &&
		in->scope->version == d->scope_version &&
		in->resources_version == d->scope_resources))
		return;
	map_init(&now);
	gather(d, &now);
	d->scope_moved = !is_same_set(&now, &d->scope);
	map_fini(&d->scope, NULL);
	d->scope = now;
	list_spaces(d);
	d->scope_version = in->scope->version;
	d->scope_resources = in->resources_version;
}

/* --- what is in it -------------------------------------------------------- */

static bool
has_label(const struct discovery *d, const struct gossip_service *s)
{
	char text[KEY_MAX];

	if (map_get(&d->scope, s->ns) != NULL)
		return true;
	for (size_t i = 0; i < s->label_count; i++) {
		struct label l = {s->labels[i].key, s->labels[i].value};

		if (map_get(&d->scope, crowd_label_key(s->ns, &l, text)) !=
		    NULL)
			return true;
	}
	return false;
}

bool
discovery_wants(const struct discovery *d, struct slice ns, struct slice name)
{
	char text[KEY_MAX];
	struct slice key = crowd_name_key(ns, name, text);

	return !d->is_scoped || map_get(&d->scope, key) != NULL ||
	       map_get(&d->drawn, key) != NULL;
}

enum wanted
scoping_wants(const struct discovery *d, const struct gossip_service *s)
{
	if (d->in.scope == NULL)
		return WANTED;
	if (map_get(&d->spaces, s->ns) == NULL)
		return WANTED_NOT;
	if (has_label(d, s))
		return WANTED_WITH_NAME;
	return discovery_wants(d, s->ns, s->name) ? WANTED : WANTED_NOT;
}

void
scoping_draw(struct discovery *d, const struct workload *w)
{
	char text[KEY_MAX];
	struct slice key = crowd_name_key(w->ns, w->name, text);
	struct drawn *n = map_get(&d->drawn, key);

	if (d->in.scope == NULL || !w->draws)
		return;
	if (n == NULL) {
		n = mem_new(sizeof(*n));
		(void)map_put(&d->drawn, key, n);    /* was not there */
		(void)map_put(&d->spaces, w->ns, d); /* only the mark */
		d->scope_moved = true;
	}
	n->count++;
}

void
scoping_let_go(struct discovery *d, const struct workload *w)
{
	char text[KEY_MAX];
	struct slice key = crowd_name_key(w->ns, w->name, text);
	struct drawn *n = map_get(&d->drawn, key);

	if (d->in.scope == NULL || !w->draws || --n->count > 0)
		return;
	drop_drawn(map_remove(&d->drawn, key));
	d->scope_moved = true;
}
