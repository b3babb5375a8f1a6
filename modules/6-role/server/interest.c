/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — which resources concern an agent: those about hosts it may call.
 */
#include "interest.h"
#include "cache.h"

enum { EDGES_BYTES = 4 << 20 };

/* --- the index ------------------------------------------------------------ */

/* One host or pattern: few resources for most of them, many for "*". */
struct place {
	const struct resource **about;
	size_t count;
	size_t cap;
	struct list watches; /* of struct watch */
};

/* One interest in one place. */
struct watch {
	struct list link; /* in the place */
	struct interest *interest;
	struct place *place;
};

static void
drop_place(void *value)
{
	struct place *p = value;

	mem_free(&p->about);
	mem_free(&p);
}

void
interest_index_init(struct interest_index *x, struct slice domain)
{
	x->domain = domain;
	map_init(&x->places);
	list_init(&x->stale);
	list_init(&x->all);
}

void
interest_index_fini(struct interest_index *x)
{
	map_fini(&x->places, drop_place);
}

static struct place *
place_get(struct interest_index *x, struct slice host)
{
	struct place *p = map_get(&x->places, host);

	if (p != NULL)
		return p;
	p = mem_new(sizeof(*p));
	list_init(&p->watches);
	(void)map_put(&x->places, host, p); /* it was not there */
	return p;
}

static void
place_left(struct interest_index *x, struct slice host, struct place *p)
{
	if (p->count == 0 && list_empty(&p->watches))
		drop_place(map_remove(&x->places, host));
}

static void
make_stale(struct interest_index *x, struct interest *i)
{
	if (!interest_is_stale(i))
		list_push_back(&x->stale, &i->link);
}

static void
alarm(struct interest_index *x, const struct place *p)
{
	LIST_EACH (&p->watches, it)
		make_stale(x, CONTAINER(it, struct watch, link)->interest);
}

/* One is new, and concerns whoever wants all. */
static void
tell_news(struct interest_index *x, const struct resource *r)
{
	char name[CACHE_KEY_MAX];

	LIST_EACH (&x->all, it) {
		struct interest *i = CONTAINER(it, struct interest, all);

		(void)map_put(
		    &i->news, cache_key_text(&r->key, name), x); /* a mark */
		make_stale(x, i);
	}
}

/* One resource, while its hosts are gone through. */
struct indexing {
	struct interest_index *x;
	const struct resource *r;
	const struct resource *now; /* in its place */
};

static void
add_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *i = arg;
	struct place *p;

	if (part != HOST_ABOUT)
		return;
	p = place_get(i->x, host);
	alarm(i->x, p);
	/* It may name the host again. */
	if (p->count > 0 && p->about[p->count - 1] == i->r)
		return;
	if (p->count == p->cap) {
		size_t cap = p->cap > 0 ? p->cap * 2 : 1;
		const struct resource **more =
		    mem_new_array(cap, sizeof(*more));

		if (p->count > 0)
			memcpy(more, p->about, p->count * sizeof(*more));
		mem_free(&p->about);
		p->about = more;
		p->cap = cap;
	}
	p->about[p->count++] = i->r;
}

static void
remove_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *i = arg;
	struct place *p = map_get(&i->x->places, host);

	if (part != HOST_ABOUT || p == NULL)
		return;
	alarm(i->x, p);
	for (size_t k = 0; k < p->count; k++)
		if (p->about[k] == i->r) {
			p->about[k] = p->about[--p->count];
			break;
		}
	place_left(i->x, host, p);
}

static void
replace_about(void *arg, enum host_part part, struct slice host)
{
	const struct indexing *i = arg;
	const struct place *p = map_get(&i->x->places, host);

	for (size_t k = 0; part == HOST_ABOUT && k < p->count; k++)
		if (p->about[k] == i->r)
			p->about[k] = i->now;
}

static void
write_edge(void *arg, enum host_part part, struct slice host)
{
	struct buf *out = arg;
	enum err e = buf_printf(out, "%d%.*s\n", (int)part, SLICE_ARG(host));

	(void)e; /* one that is full is like no other */
}

/* Whether both are about the same hosts, and refer to the same. */
static bool
has_same_edges(const struct interest_index *x, const struct resource *a,
    const struct resource *b)
{
	AUTO(buf_fini) struct buf first = BUF(EDGES_BYTES);
	AUTO(buf_fini) struct buf second = BUF(EDGES_BYTES);

	resource_each_host(a, x->domain, write_edge, &first);
	resource_each_host(b, x->domain, write_edge, &second);
	return buf_len(&first) < EDGES_BYTES / 2 &&
	       slice_eq(buf_slice(&first), buf_slice(&second));
}

void
interest_index_change(struct interest_index *x, const struct resource *before,
    const struct resource *now)
{
	struct indexing was = {x, before, now};
	struct indexing is = {x, now, NULL};

	if (before != NULL && now != NULL && has_same_edges(x, before, now)) {
		resource_each_host(before, x->domain, replace_about, &was);
		return;
	}
	if (before != NULL)
		resource_each_host(before, x->domain, remove_about, &was);
	if (now != NULL)
		resource_each_host(now, x->domain, add_about, &is);
	if (before == NULL && now != NULL)
		tell_news(x, now);
}

void
interest_index_clear(struct interest_index *x)
{
	struct map before = x->places;
	struct slice host;
	void *value;

	map_init(&x->places);
	for (size_t i = 0; map_next(&before, &i, &host, &value);) {
		struct place *p = value;

		alarm(x, p);
		p->count = 0;
		if (list_empty(&p->watches))
			drop_place(p);
		else
			(void)map_put(&x->places, host, p); /* it is alone */
	}
	map_fini(&before, NULL);
}

/* --- one agent ------------------------------------------------------------ */

void
interest_init(struct interest *i, struct interest_index *x)
{
	*i = (struct interest){.index = x};
	map_init(&i->asked);
	map_init(&i->patterns);
	map_init(&i->resources);
	map_init(&i->news);
}

static void
watch(struct interest *i, struct slice pattern)
{
	struct watch *w;

	if (map_get(&i->patterns, pattern) != NULL)
		return;
	w = mem_new(sizeof(*w));
	w->interest = i;
	w->place = place_get(i->index, pattern);
	list_push_back(&w->place->watches, &w->link);
	(void)map_put(&i->patterns, pattern, w); /* it was not there */
}

static void
unwatch(struct interest_index *x, struct slice pattern, struct watch *w)
{
	struct place *p = w->place;

	list_remove(&w->link);
	mem_free(&w);
	place_left(x, pattern, p);
}

static void
unwatch_all(struct interest_index *x, struct map *patterns)
{
	struct slice pattern;
	void *w;

	for (size_t at = 0; map_next(patterns, &at, &pattern, &w);)
		unwatch(x, pattern, w);
	map_fini(patterns, NULL);
}

void
interest_fini(struct interest *i)
{
	list_remove(&i->link);
	list_remove(&i->all);
	map_fini(&i->news, NULL);
	unwatch_all(i->index, &i->patterns);
	map_fini(&i->asked, NULL);
	map_fini(&i->resources, NULL);
}

bool
interest_is_stale(const struct interest *i)
{
	return list_is_linked(&i->link);
}

bool
interest_concerns(const struct interest *i, struct slice name)
{
	return list_is_linked(&i->all) || map_get(&i->resources, name) != NULL;
}

/* --- what concerns it ----------------------------------------------------- */

struct host {
	struct list link;
	size_t len;
	char text[];
};

/* The way from the hosts that were asked for to all that they lead to. */
struct walk {
	struct interest *i;
	struct map hosts; /* that were met: marks */
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

/* False: nothing is. */
static bool
take_about(struct walk *w, struct slice pattern)
{
	const struct interest_index *x = w->i->index;
	const struct place *p = map_get(&x->places, pattern);

	for (size_t i = 0; p != NULL && i < p->count; i++) {
		const struct resource *r = p->about[i];
		char name[CACHE_KEY_MAX];

		if (map_put(&w->resources, cache_key_text(&r->key, name), w) ==
		    NULL) /* only the mark */
			resource_each_host(r, x->domain, meet_referred, w);
	}
	return p != NULL && p->count > 0;
}

static void
go_through(struct walk *w, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern, next;
	bool bare = true;

	for (size_t at = 0; host_next_pattern(host, &at, text, &pattern);) {
		watch(w->i, pattern);
		bare = !take_about(w, pattern) && bare;
	}
	if (host_leads_to(host, bare, w->i->index->domain, text, &next))
		meet(w, next);
}

static void
walk(struct walk *w)
{
	struct slice asked;
	struct host *h;
	void *mark;

	for (size_t at = 0; map_next(&w->i->asked, &at, &asked, &mark);)
		meet(w, asked);
	while ((h = LIST_FIRST(&w->ahead, struct host, link)) != NULL) {
		list_remove(&h->link);
		go_through(w, slice_of(h->text, h->len));
		mem_free(&h);
	}
}

static void
tell_marked(const struct map *names, void (*each)(void *arg, struct slice name),
    void *arg)
{
	struct slice name;
	void *mark;

	for (size_t i = 0; map_next(names, &i, &name, &mark);)
		each(arg, name);
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

static void
tell_all(const struct interest_index *x,
    void (*each)(void *arg, struct slice name), void *arg)
{
	char name[CACHE_KEY_MAX];
	struct slice host;
	void *value;

	for (size_t at = 0; map_next(&x->places, &at, &host, &value);) {
		const struct place *p = value;

		for (size_t i = 0; i < p->count; i++)
			each(arg, cache_key_text(&p->about[i]->key, name));
	}
}

void
interest_each(const struct interest *i,
    void (*each)(void *arg, struct slice name), void *arg)
{
	if (list_is_linked(&i->all))
		tell_all(i->index, each, arg);
	else
		tell_marked(&i->resources, each, arg);
}

/* Whether it wants all now; true: that is another answer than before. */
static bool
follow_all(struct interest *i)
{
	bool had = list_is_linked(&i->all);
	bool has = map_get(&i->asked, S(HOST_ALL)) != NULL;

	if (has && !had)
		list_push_back(&i->index->all, &i->all);
	else if (!has)
		list_remove(&i->all);
	return had != has;
}

void
interest_follow(
    struct interest *i, void (*each)(void *arg, struct slice name), void *arg)
{
	struct walk w = {.i = i};
	struct map before = i->resources;
	struct map watched = i->patterns;
	bool turned = follow_all(i);

	list_remove(&i->link);
	list_init(&w.ahead);
	map_init(&i->patterns);
	walk(&w);
	unwatch_all(i->index, &watched);
	i->resources = w.resources;
	tell_others(&before, &i->resources, each, arg);
	tell_others(&i->resources, &before, each, arg);
	if (turned)
		tell_all(i->index, each, arg);
	tell_marked(&i->news, each, arg);
	map_fini(&i->news, NULL);
	map_init(&i->news);
	map_fini(&before, NULL);
	map_fini(&w.hosts, NULL);
}
