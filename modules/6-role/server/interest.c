/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — which resources concern an agent: those about hosts it may call.
 */
#include "interest.h"
#include "cache.h"

/* --- the index ------------------------------------------------------------ */

/* What is about one host: few for most of them, many for "*". */
struct about {
	size_t count;
	size_t cap;
	const struct resource *items[];
};

static void
drop_about(void *value)
{
	struct about *a = value;

	mem_free(&a);
}

void
interest_index_init(struct interest_index *x, struct slice domain)
{
	x->domain = domain;
	map_init(&x->about);
}

void
interest_index_fini(struct interest_index *x)
{
	map_fini(&x->about, drop_about);
}

/* One resource, while its hosts are gone through. */
struct indexing {
	struct interest_index *x;
	const struct resource *r;
};

/* Room for one more; the old one is gone. */
static struct about *
grow(struct about *old)
{
	size_t count = old != NULL ? old->count : 0;
	size_t cap = old != NULL ? old->cap * 2 : 1;
	struct about *a = mem_new(sizeof(*a) + cap * sizeof(a->items[0]));

	a->cap = cap;
	a->count = count;
	if (old != NULL)
		memcpy(a->items, old->items, count * sizeof(a->items[0]));
	mem_free(&old);
	return a;
}

static void
add_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *i = arg;
	struct about *a = map_get(&i->x->about, host);

	if (part != HOST_ABOUT)
		return;
	/* It may name the host again. */
	if (a != NULL && a->count > 0 && a->items[a->count - 1] == i->r)
		return;
	if (a == NULL || a->count == a->cap) {
		a = grow(a);
		(void)map_put(&i->x->about, host, a); /* the old one is gone */
	}
	a->items[a->count++] = i->r;
}

static void
remove_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *i = arg;
	struct about *a = map_get(&i->x->about, host);

	if (part != HOST_ABOUT || a == NULL)
		return;
	for (size_t k = 0; k < a->count; k++)
		if (a->items[k] == i->r) {
			a->items[k] = a->items[--a->count];
			break;
		}
	if (a->count == 0)
		drop_about(map_remove(&i->x->about, host));
}

void
interest_index_add(struct interest_index *x, const struct resource *r)
{
	struct indexing i = {x, r};

	resource_each_host(r, x->domain, add_about, &i);
}

void
interest_index_remove(struct interest_index *x, const struct resource *r)
{
	struct indexing i = {x, r};

	resource_each_host(r, x->domain, remove_about, &i);
}

/* --- one agent ------------------------------------------------------------ */

void
interest_init(struct interest *i)
{
	map_init(&i->asked);
	map_init(&i->patterns);
	map_init(&i->resources);
}

void
interest_fini(struct interest *i)
{
	map_fini(&i->asked, NULL);
	map_fini(&i->patterns, NULL);
	map_fini(&i->resources, NULL);
}

struct touching {
	const struct interest *i;
	bool touched;
};

static void
touch(void *arg, enum host_part part, struct slice host)
{
	struct touching *t = arg;

	t->touched |=
	    part == HOST_ABOUT && map_get(&t->i->patterns, host) != NULL;
}

bool
interest_is_touched(
    const struct interest *i, struct slice domain, const struct resource *r)
{
	struct touching t = {.i = i};

	resource_each_host(r, domain, touch, &t);
	return t.touched;
}

bool
interest_concerns(const struct interest *i, struct slice name)
{
	return map_get(&i->resources, name) != NULL;
}

/* --- what concerns it ----------------------------------------------------- */

struct host {
	struct list link;
	size_t len;
	char text[];
};

/* The way from the hosts that were asked for to all that they lead to. */
struct walk {
	const struct interest_index *x;
	struct map hosts; /* that were met: marks */
	struct map patterns;
	struct map resources;
	struct list ahead; /* of struct host, to be gone through */
};

static void
meet(struct walk *w, struct slice host)
{
	struct host *h;

	if (map_put(&w->hosts, host, w) != NULL)
		return;
	h = mem_new(sizeof(*h) + host.len);
	h->len = host.len;
	memcpy(h->text, host.ptr, host.len);
	list_push_back(&w->ahead, &h->link);
}

static void
meet_referred(void *arg, enum host_part part, struct slice host)
{
	if (part == HOST_REFERS)
		meet(arg, host);
}

static void
take_about(struct walk *w, struct slice pattern)
{
	const struct about *a = map_get(&w->x->about, pattern);

	for (size_t i = 0; a != NULL && i < a->count; i++) {
		const struct resource *r = a->items[i];
		char name[CACHE_KEY_MAX];

		if (map_put(&w->resources, cache_key_text(&r->key, name), w) ==
		    NULL) /* only the mark */
			resource_each_host(r, w->x->domain, meet_referred, w);
	}
}

static void
go_through(struct walk *w, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	for (size_t at = 0; host_next_pattern(host, &at, text, &pattern);) {
		(void)map_put(&w->patterns, pattern, w); /* only the mark */
		take_about(w, pattern);
	}
}

static void
walk(struct walk *w, const struct interest *i)
{
	struct slice asked;
	struct host *h;
	void *mark;

	for (size_t at = 0; map_next(&i->asked, &at, &asked, &mark);)
		meet(w, asked);
	while ((h = LIST_FIRST(&w->ahead, struct host, link)) != NULL) {
		list_remove(&h->link);
		go_through(w, slice_of(h->text, h->len));
		mem_free(&h);
	}
}

static void
tell_others(const struct map *these, const struct map *those,
    void (*each)(void *arg, struct slice name), void *arg)
{
	struct slice name;
	void *mark;

	for (size_t i = 0; map_next(these, &i, &name, &mark);)
		if (map_get(those, name) == NULL)
			each(arg, name);
}

void
interest_follow(struct interest *i, const struct interest_index *x,
    void (*each)(void *arg, struct slice name), void *arg)
{
	struct walk w = {.x = x};
	struct map before = i->resources;

	list_init(&w.ahead);
	walk(&w, i);
	map_fini(&i->patterns, NULL);
	i->patterns = w.patterns;
	i->resources = w.resources;
	tell_others(&before, &i->resources, each, arg);
	tell_others(&i->resources, &before, each, arg);
	map_fini(&before, NULL);
	map_fini(&w.hosts, NULL);
}
