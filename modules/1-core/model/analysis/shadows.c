/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shadows — rules that another VirtualService of the same gateway hides.
 *
 * Behind a gateway the rules of all VirtualServices for one host become one
 * list: the older resource's first, and what takes every path last. So a
 * prefix of an older one hides longer paths of a younger one, and of those
 * that take everything the first wins.
 */
#include <stdlib.h>

#include "http_fields.h"
#include "routes.h"

enum { NESTED_MAX = 64 };

/* One match, or a rule without any, of one host of one gateway. */
struct entry {
	uint64_t group; /* gateway, host, and whether it takes every path */
	struct slice path;
	bool exact;
	bool plain; /* asks for nothing but the path */
	const struct item *it;
	size_t rule;
	size_t match;
	size_t age;  /* of the resource: the older one is smaller */
	size_t slot; /* of the rule at this host of this gateway */
};

/* A rule at one host of one gateway: hidden when all its matches are. */
struct slot {
	size_t matches;
	size_t hidden;
};

struct shadows {
	struct analysis *a;
	FACTS_OF(struct entry) all;
	FACTS_OF(struct slot) slots;
};

/* --- collecting ----------------------------------------------------------- */

static bool
is_plain(const struct http_match *m)
{
	return m->scheme == NULL && m->method == NULL && m->authority == NULL &&
	       m->headers.count == 0 && m->without_headers.count == 0 &&
	       m->query_params.count == 0 && m->port == 0 &&
	       m->source_labels.count == 0 && m->source_namespace.len == 0 &&
	       m->gateways.count == 0 && !m->ignore_uri_case;
}

static bool
takes_all(const struct http_match *m)
{
	return m->headers.count == 0 && m->query_params.count == 0 &&
	       m->without_headers.count == 0 &&
	       (m->uri == NULL || slice_eq(m->uri->prefix, S("/")) ||
		   slice_eq(m->uri->regex, S(".*")) ||
		   slice_eq(m->uri->regex, S("*")));
}

static void
add_entry(struct shadows *s, const struct entry *like, uint64_t place,
    const struct http_match *m)
{
	bool all = m == NULL || takes_all(m);
	struct entry e = *like;

	if (!all && m->uri != NULL && m->uri->regex.len > 0)
		return; /* not compared, and so never hidden */
	e.group = LOOKUP_HASH(
	    slice_of(&place, sizeof(place)), all ? S("all") : S("some"));
	e.plain = m == NULL || is_plain(m);
	e.path = S("");
	if (!all && m->uri != NULL) {
		e.exact = m->uri->exact.len > 0;
		e.path = e.exact ? m->uri->exact : m->uri->prefix;
	}
	*FACTS_PUSH(&s->all) = e;
}

static void
add_rules(struct shadows *s, const struct item *it, size_t age, uint64_t place)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct http_route *r = &vs->http.items[i];
		struct entry e = {
		    .it = it, .rule = i, .age = age, .slot = s->slots.count};

		*FACTS_PUSH(&s->slots) =
		    (struct slot){MAX(r->match.count, 1), 0};
		if (r->match.count == 0)
			add_entry(s, &e, place, NULL);
		for (e.match = 0; e.match < r->match.count; e.match++)
			add_entry(s, &e, place, &r->match.items[e.match]);
	}
}

static void
add_route(struct shadows *s, const struct item *it, size_t age)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->gateways.count; i++) {
		struct slice of, name;

		if (slice_eq(vs->gateways.items[i], S("mesh")))
			continue;
		split_ref(vs->gateways.items[i], it->key.ns, &of, &name);
		for (size_t j = 0; j < vs->hosts.count; j++) {
			char text[HOST_TEXT_MAX];

			add_rules(s, it, age,
			    LOOKUP_HASH(of, name,
				host_spell(vs->hosts.items[j], it->key.ns,
				    s->a->domain, text)));
		}
	}
}

static int
by_age(const void *x, const void *y)
{
	const struct item *const *a = x, *const *b = y;

	return resource_age_cmp((*a)->r, (*b)->r);
}

/* --- comparing ------------------------------------------------------------ */

/* A path comes behind the prefixes that it begins with. */
static int
by_path(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int n = slice_cmp(a->path, b->path);

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (n == 0)
		n = (int)a->exact - (int)b->exact;
	if (n == 0 && a->age != b->age)
		n = a->age < b->age ? -1 : 1;
	if (n == 0 && a->rule != b->rule)
		n = a->rule < b->rule ? -1 : 1;
	return n;
}

static bool
hides(const struct entry *older, const struct entry *e)
{
	if (!older->plain || older->it == e->it || older->age >= e->age)
		return false;
	return older->exact ? e->exact && slice_eq(older->path, e->path)
			    : slice_starts(e->path, older->path);
}

static void
tell_hidden(struct shadows *s, const struct entry *e, const struct entry *by)
{
	struct slot *slot = &s->slots.items[e->slot];
	const struct virtual_service *vs = e->it->r->spec;
	struct place p = place_at(
	    e->it, &vs->http.items[e->rule].head, "spec.http[%zu]", e->rule);
	char key[RESOURCE_KEY_MAX];

	if (++slot->hidden != slot->matches)
		return;
	place_relate(&p, by->it);
	tell(s->a, "MSH0105", &p,
	    "is never reached: rule %zu of %s%s%s takes its requests first",
	    by->rule, resource_key_format(&by->it->key, key),
	    by->it->file[0] != '\0' ? " in " : "", by->it->file);
}

/* Entries that the next may be inside of, the shortest first. */
struct nest {
	const struct entry *items[NESTED_MAX];
	size_t count;
};

static void
look(struct shadows *s, struct nest *n, const struct entry *e)
{
	const struct entry *by = NULL;

	while (n->count > 0 &&
	       (n->items[n->count - 1]->group != e->group ||
		   !slice_starts(e->path, n->items[n->count - 1]->path)))
		n->count--;
	for (size_t i = 0; i < n->count && by == NULL; i++)
		if (hides(n->items[i], e))
			by = n->items[i];
	if (by != NULL)
		tell_hidden(s, e, by);
	else if (e->plain && n->count < NESTED_MAX)
		n->items[n->count++] = e; /* what is hidden hides no more */
}

void
analyze_shadowed_routes(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);
	AUTO(mem_free)
	const struct item **old =
	    mem_new_array(MAX(all.count, 1), sizeof(*old));
	struct shadows s = {.a = a};
	struct nest nest = {.count = 0};

	for (size_t i = 0; i < all.count; i++)
		old[i] = all.items[i];
	if (all.count > 0)
		qsort(old, all.count, sizeof(*old), by_age);
	for (size_t i = 0; i < all.count; i++)
		add_route(&s, old[i], i);
	if (s.all.count > 0)
		qsort(s.all.items, s.all.count, sizeof(*s.all.items), by_path);
	for (size_t i = 0; i < s.all.count; i++)
		look(&s, &nest, &s.all.items[i]);
	mem_free(&s.all.items);
	mem_free(&s.slots.items);
}
