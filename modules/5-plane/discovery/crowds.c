/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowds — who has to be looked at when somebody comes or goes.
 *
 * Workloads are kept by name and by each label, written Services by one label
 * of their selector, all within a namespace. So a record that changes touches
 * the services that it may stand behind, and those look at workloads that
 * have that name or label: never all at all.
 */
#include "inside.h"

enum { CROWD_FIRST = 4 };

void
crowd_add(struct crowd *c, void *item)
{
	if (c->count == c->cap) {
		size_t cap = MAX(CROWD_FIRST, c->cap * 2);

		c->items = mem_resize(c->items, c->cap, cap, sizeof(void *));
		c->cap = cap;
	}
	c->items[c->count++] = item;
}

/* Order is of no meaning. */
void
crowd_remove(struct crowd *c, const void *item)
{
	size_t i = 0;

	while (c->items[i] != item) /* it is there */
		i++;
	c->items[i] = c->items[--c->count];
}

void
crowd_fini(struct crowd *c)
{
	mem_free(&c->items);
	c->count = c->cap = 0;
}

/* --- keys ----------------------------------------------------------------- */

/* Asked for each label of each record: without a format to read. */
static void
append(char out[KEY_MAX], size_t *len, struct slice s)
{
	if (s.len > 0 && *len + s.len <= KEY_MAX)
		memcpy(out + *len, s.ptr, s.len);
	*len += s.len;
}

static struct slice
key_of(const char out[KEY_MAX], size_t len)
{
	return len > KEY_MAX ? S("") : slice_of(out, len);
}

struct slice
crowd_name_key(struct slice ns, struct slice name, char out[KEY_MAX])
{
	size_t len = 0;

	append(out, &len, ns);
	append(out, &len, S("/"));
	append(out, &len, name);
	return key_of(out, len);
}

struct slice
crowd_label_key(struct slice ns, const struct label *l, char out[KEY_MAX])
{
	size_t len = 0;

	append(out, &len, ns);
	append(out, &len, S("/"));
	append(out, &len, l->key);
	append(out, &len, S("="));
	append(out, &len, l->value);
	return key_of(out, len);
}

static void
put(struct map *m, struct slice key, void *item)
{
	struct crowd *c = map_get(m, key);

	if (key.len == 0)
		return;
	if (c == NULL) {
		c = mem_new(sizeof(*c));
		(void)map_put(m, key, c); /* was not there */
	}
	crowd_add(c, item);
}

static void
take(struct map *m, struct slice key, const void *item)
{
	struct crowd *c = map_get(m, key);

	if (key.len == 0)
		return;
	crowd_remove(c, item);
	if (c->count > 0)
		return;
	(void)map_remove(m, key); /* it is `c` */
	crowd_fini(c);
	mem_free(&c);
}

/* --- servings ------------------------------------------------------------- */

void
serving_free(void *serving)
{
	struct serving *s = serving;

	arena_fini(&s->arena);
	mem_free(&s);
}

void
serving_drop(struct discovery *d, struct serving *s)
{
	char text[KEY_MAX];

	(void)map_remove(
	    &d->servings, crowd_name_key(s->ns, s->name, text)); /* it is `s` */
	list_remove(&s->link);
	serving_free(s);
}

static struct serving *
serving_new(struct slice ns, struct slice name)
{
	struct serving *s = mem_new(sizeof(*s) + ns.len + name.len);
	char *text = (char *)(s + 1);

	memcpy(text, ns.ptr, ns.len);
	memcpy(text + ns.len, name.ptr, name.len);
	s->ns = slice_of(text, ns.len);
	s->name = slice_of(text + ns.len, name.len);
	arena_init(&s->arena, DISCOVERY_BYTES_MAX);
	return s;
}

/* The service of this name is made anew in this update. */
static struct serving *
touch(struct discovery *d, struct slice ns, struct slice name)
{
	char text[KEY_MAX];
	struct slice key = crowd_name_key(ns, name, text);
	struct serving *s = map_get(&d->servings, key);

	if (s == NULL) {
		s = serving_new(ns, name);
		(void)map_put(&d->servings, key, s); /* was not there */
		crowd_add(&d->order, s);
		d->is_unordered = true;
	}
	if (!s->is_dirty)
		crowd_add(&d->dirty, s);
	s->is_dirty = true;
	d->has_changed = true;
	return s;
}

/* --- workloads ------------------------------------------------------------ */

struct service_offer
workload_offer(const struct workload *w)
{
	return (struct service_offer){
	    w->name, w->ns, w->protocol, w->labels, w->port};
}

void
touch_workload(struct discovery *d, const struct workload *w)
{
	struct service_offer o = workload_offer(w);
	char text[KEY_MAX];

	(void)touch(d, w->ns, w->name);
	for (size_t i = 0; i < w->labels.count; i++) {
		const struct crowd *c = map_get(&d->selecting,
		    crowd_label_key(w->ns, &w->labels.items[i], text));

		for (size_t j = 0; c != NULL && j < c->count; j++) {
			const struct resource *r = c->items[j];

			if (service_selects(r, &o))
				(void)touch(d, r->key.ns, r->key.name);
		}
	}
}

static void
each_crowd(struct discovery *d, struct workload *w,
    void (*each)(struct map *m, struct slice key, struct workload *w))
{
	char text[KEY_MAX];

	each(&d->workloads, crowd_name_key(w->ns, w->name, text), w);
	for (size_t i = 0; i < w->labels.count; i++)
		each(&d->workloads,
		    crowd_label_key(w->ns, &w->labels.items[i], text), w);
}

static void
put_workload(struct map *m, struct slice key, struct workload *w)
{
	put(m, key, w);
}

static void
take_workload(struct map *m, struct slice key, struct workload *w)
{
	take(m, key, w);
}

void
join_workload(struct discovery *d, struct workload *w)
{
	each_crowd(d, w, put_workload);
	touch_workload(d, w);
	scoping_draw(d, w);
}

void
leave_workload(struct discovery *d, struct workload *w)
{
	touch_workload(d, w);
	each_crowd(d, w, take_workload);
	scoping_let_go(d, w);
}

/* --- written Services ----------------------------------------------------- */

/* By its first label: whoever it selects has that, too. */
static void
each_selection(struct discovery *d, const struct resource *r,
    void (*each)(struct map *m, struct slice key, const struct resource *r))
{
	const struct labels *l = &resource_service(r)->selector;
	char text[KEY_MAX];

	if (l->count > 0)
		each(&d->selecting,
		    crowd_label_key(r->key.ns, &l->items[0], text), r);
}

static void
put_selection(struct map *m, struct slice key, const struct resource *r)
{
	put(m, key, (void *)(uintptr_t)r);
}

static void
take_selection(struct map *m, struct slice key, const struct resource *r)
{
	take(m, key, r);
}

void
join_service(struct discovery *d, const struct resource *r)
{
	struct serving *s = touch(d, r->key.ns, r->key.name);

	s->written = r;
	each_selection(d, r, put_selection);
}

void
leave_service(struct discovery *d, const struct resource *r)
{
	struct serving *s = touch(d, r->key.ns, r->key.name);

	s->written = NULL;
	each_selection(d, r, take_selection);
}

struct crowd *
named_as(const struct discovery *d, const struct serving *s)
{
	char text[KEY_MAX];

	return map_get(&d->workloads, crowd_name_key(s->ns, s->name, text));
}

const struct crowd *
candidates_of(const struct discovery *d, const struct serving *s)
{
	const struct labels *l = &resource_service(s->written)->selector;
	struct crowd *fewest = l->count == 0 ? named_as(d, s) : NULL;
	char text[KEY_MAX];

	for (size_t i = 0; i < l->count; i++) {
		struct crowd *c = map_get(
		    &d->workloads, crowd_label_key(s->ns, &l->items[i], text));

		if (c == NULL)
			return NULL;
		if (fewest == NULL || c->count < fewest->count)
			fewest = c;
	}
	return fewest;
}
