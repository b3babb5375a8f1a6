/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_connections — services to which other rules for connections lead.
 *
 * The rules of all VirtualServices that name a host follow each other in its
 * routes for connections, and chains of listeners lead to these. So where one
 * with such rules is another, each service that it names, which itself is as in
 * the base, is rewired: its virtual hosts are made again in their slots, and so
 * are the listeners in which it has a part (patch_front.c).
 */
#include "patch.h"

/* --- which services ------------------------------------------------------- */

bool
is_rewired(const struct builder *b, const struct service_row *s)
{
	return b->rewired != NULL && map_get(b->rewired, s->row.host) != NULL;
}

bool
is_told_of_itself(const struct teller *t)
{
	while (t != NULL && (t->owner != NULL || t->door == DOOR_HIDDEN))
		t = t->next;
	return t != NULL;
}

/* Something is told of it that is nobody's rule's, and may be so no more. */
static bool
is_told_itself(const struct view *base, const struct service_row *s)
{
	const struct origin *o = &s->row.origin;

	for (size_t i = 0; i < base->problem_count; i++) {
		const struct origin *x = &base->problems[i].origin;

		if (is_told_of_itself(base->problem_tellers[i]) &&
		    resource_key_eq(&x->key, &o->key) &&
		    slice_eq(x->words, o->words))
			return true;
	}
	return false;
}

/* False: several have the host, or it has more than its own rows. */
static bool
rewire(struct patching *p, struct slice host)
{
	struct service_row *s = map_get(&p->b.service_by_host, host);

	if (s == NULL || is_changed_service(&p->b, s) || is_rewired(&p->b, s))
		return true;
	if (s->next != NULL || is_told_itself(p->base, s))
		return false;
	(void)map_put(&p->rewired, s->row.host, s); /* was not there */
	return true;
}

/* Those of its hosts, and those of wildcards that these lie in. */
static bool
rewire_all_of(struct patching *p, const struct resource *r)
{
	size_t count = r != NULL ? resource_virtual_service(r)->hosts.count : 0;
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	for (size_t i = 0; i < count; i++) {
		struct slice host = host_at(&p->b, r, i);

		if (slice_starts(host, S("*")))
			return false;
		for (size_t at = 0;
		     host_next_pattern(host, &at, text, &pattern);)
			if (!rewire(p, pattern))
				return false;
	}
	return true;
}

static bool
is_of_proxies(const struct builder *b, const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service &&
	       is_obeyed_anywhere(b, r);
}

static bool
find_all(struct patching *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (!has_connections(r->old) && !has_connections(r->fresh))
			continue;
		if ((is_of_proxies(&p->b, r->old) &&
			!rewire_all_of(p, r->old)) ||
		    (is_of_proxies(&p->b, r->fresh) &&
			!rewire_all_of(p, r->fresh)))
			return false;
	}
	return true;
}

/* A wildcard may, and is more than there are patches of. */
static bool
names_rewired(struct patching *p, const struct resource *r)
{
	char text[HOST_TEXT_MAX];
	struct slice pattern;

	for (size_t i = 0; i < resource_virtual_service(r)->hosts.count; i++) {
		struct slice host = host_at(&p->b, r, i);

		if (slice_starts(host, S("*")))
			return true;
		for (size_t at = 0;
		     host_next_pattern(host, &at, text, &pattern);)
			if (map_get(&p->rewired, pattern) != NULL)
				return true;
	}
	return false;
}

/* What the base tells of rules that stay may be so no more: others decide
 * before them now. */
static bool
renew_told(struct patching *p)
{
	for (size_t i = 0; i < p->base->problem_count; i++) {
		const struct teller *t = p->base->problem_tellers[i];

		for (; t != NULL; t = t->next)
			if (has_connections(t->owner) &&
			    is_of_proxies(&p->b, t->owner) &&
			    names_rewired(p, t->owner) &&
			    !renew_too(p, t->owner))
				return false;
	}
	return true;
}

bool
find_rewired(struct patching *p)
{
	size_t count;

	p->b.arena = &p->arena;
	p->b.rewired = &p->rewired;
	do {
		count = p->count;
		if (!find_all(p) || (p->rewired.count > 0 && !renew_told(p)))
			return false;
	} while (p->count > count); /* these name services as well */
	return true;
}

/* --- their rows ----------------------------------------------------------- */

static bool
leads_to_kept(const struct view_tcp_route *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < rows[i].destination_count; j++)
			if (!is_kept_cluster(rows[i].destinations[j].cluster))
				return false;
	return true;
}

/* Its rules of now; false: a cluster would be gone with those of before. */
static bool
make_again(
    struct patching *p, struct service_row *s, const struct host_row *old)
{
	struct builder *b = &p->b;
	struct host_row *h = take(b, 1, sizeof(*h));

	if (h == NULL || !lead_to_kept(old->row.http, old->row.http_count) ||
	    !leads_to_kept(old->row.tcp, old->row.tcp_count))
		return false;
	*h = *old;
	stand_at(b, old);
	fill_host(
	    b, h, s, old->port, owner_of_port(p, s->row.host, old->row.port));
	rows_add(&b->box->hosts, h);
	return true;
}

static struct host_row *
made_of(const struct rows *made, const struct host_row *old)
{
	for (size_t i = 0; old != NULL && i < made->count; i++) {
		struct host_row *h = made->items[i];

		if (h->row.slot == old->row.slot)
			return h;
	}
	return NULL;
}

bool
fill_rewired(struct patching *p)
{
	struct rows *made = &p->b.box->hosts;
	struct slice host;
	void *s;

	for (size_t i = 0; map_next(&p->rewired, &i, &host, &s);)
		for (const struct host_row *h =
			 ((const struct service_row *)s)->hosts;
		     h != NULL; h = h->next_of_service)
			if (!make_again(p, s, h))
				return false;
	for (size_t i = 0; i < made->count; i++) {
		struct host_row *h = made->items[i];

		h->next = made_of(made, h->next);
	}
	return true;
}

/* For who looks for the host in a scope: the first of its ports. */
void
list_rewired(struct patching *p)
{
	const struct rows *made = &p->b.v->front->hosts;
	char text[MORE_KEY_MAX];

	for (size_t i = 0; i < made->count; i++) {
		struct host_row *h = made->items[i];
		const struct scope *s = scope_const(h->row.scope);
		const struct host_row *first = map_get(&s->hosts, h->row.host);

		if (first != NULL && first->row.slot == h->row.slot)
			(void)map_put(&p->b.v->hosts_now,
			    more_key(s, h->row.host, text),
			    h); /* hosts differ */
	}
}
