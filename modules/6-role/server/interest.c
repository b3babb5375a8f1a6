/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — which resources concern an agent: those about hosts it may call.
 */
#include "interest.h"

/* --- the index ------------------------------------------------------------ */

static void
drop_resource(void *value)
{
	struct resource *r = value;

	resource_unref(&r);
}

static void
drop_names(void *value)
{
	struct map *names = value;

	map_fini(names, NULL);
	mem_free(&names);
}

void
interest_index_init(struct interest_index *x, struct slice domain)
{
	x->domain = domain;
	map_init(&x->resources);
	map_init(&x->about);
}

void
interest_index_fini(struct interest_index *x)
{
	map_fini(&x->resources, drop_resource);
	map_fini(&x->about, drop_names);
}

/* One resource, while its hosts are gone through. */
struct indexing {
	struct interest_index *x;
	struct slice name;
	struct resource *r;
};

static void
add_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *in = arg;
	struct map *names = map_get(&in->x->about, host);

	if (part != HOST_ABOUT)
		return;
	if (names == NULL) {
		names = mem_new(sizeof(*names));
		map_init(names);
		(void)map_put(&in->x->about, host, names); /* was not there */
	}
	(void)map_put(names, in->name, in->r); /* borrowed there */
}

static void
remove_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *in = arg;
	struct map *names = map_get(&in->x->about, host);

	if (part != HOST_ABOUT || names == NULL)
		return;
	(void)map_remove(names, in->name); /* borrowed there */
	if (names->count == 0)
		drop_names(map_remove(&in->x->about, host));
}

void
interest_index_put(
    struct interest_index *x, struct slice name, const struct resource *r)
{
	struct indexing in = {.x = x, .name = name};

	in.r = map_remove(&x->resources, name);
	if (in.r != NULL)
		resource_each_host(in.r, x->domain, remove_about, &in);
	resource_unref(&in.r);
	if (r == NULL)
		return;
	in.r = resource_ref(r);
	(void)map_put(&x->resources, name, in.r); /* was removed */
	resource_each_host(in.r, x->domain, add_about, &in);
}

const struct resource *
interest_index_get(const struct interest_index *x, struct slice name)
{
	return map_get(&x->resources, name);
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
	const struct map *names = map_get(&w->x->about, pattern);
	struct slice name;
	void *r;

	for (size_t i = 0; names != NULL && map_next(names, &i, &name, &r);)
		if (map_put(&w->resources, name, r) == NULL)
			resource_each_host(r, w->x->domain, meet_referred, w);
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
