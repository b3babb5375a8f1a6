/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_naming — who names the host of a service that is another one.
 *
 * What VirtualServices say of it is compiled again, and what DestinationRules
 * do, where it comes or goes: these are renewed with it.
 */
#include "patch.h"

static void
add_named(struct patching *p, struct rows *out, struct slice written,
    const struct resource *by)
{
	struct host_spellings s;
	size_t n = host_spellings(written, by->key.ns, p->b.v->domain, &s);

	for (size_t i = 0; i < n; i++) {
		struct slice *copy = take(&p->b, 1, sizeof(*copy));

		if (copy == NULL)
			return;
		*copy = take_copy(&p->b, s.names[i]);
		rows_add(out, copy);
	}
}

struct naming {
	struct patching *p;
	struct rows *out;
};

static void
add_destination(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct http_rule *rule, void *arg)
{
	const struct naming *n = arg;

	(void)b;
	(void)rule; /* of any kind */
	add_named(n->p, n->out, d->host, owner);
}

static void
add_all_named(struct patching *p, size_t item, const struct resource *r,
    const struct http_rules *rules)
{
	struct named *n = &p->named[item];
	struct naming led_to = {p, &n->led_to};
	const struct virtual_service *vs;

	vs = resource_virtual_service(r);
	for (size_t i = 0; i < vs->hosts.count; i++)
		add_named(p, &n->hosts, vs->hosts.items[i], r);
	each_lead(&p->b, rules, r, add_destination, &led_to);
}

static bool
is_rule(const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service;
}

void
list_named(struct patching *p)
{
	p->b.arena = &p->arena;
	for (size_t i = 0; i < p->count; i++) {
		struct named *n = &p->named[i];
		const struct renewal *r = &p->items[i];

		n->hosts.count = n->led_to.count = 0;
		if (!is_rule(any_of(r)))
			continue;
		if (r->old != NULL)
			add_all_named(p, i, r->old, rules_before(p, r->old));
		if (r->fresh != NULL)
			add_all_named(
			    p, i, r->fresh, http_rules_of(&p->b, r->fresh));
	}
}

bool
is_among_hosts(const struct rows *hosts, struct slice host)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (slice_eq(*(const struct slice *)hosts->items[i], host))
			return true;
	return false;
}

bool
names_host(const struct named *n, struct slice host)
{
	return is_among_hosts(&n->hosts, host) ||
	       is_among_hosts(&n->led_to, host);
}

bool
renew_owners(struct patching *p, const struct scope *s, struct slice host,
    bool *is_ruled)
{
	for (size_t i = 0; i < s->egresses.count; i++) {
		const struct egress *e = s->egresses.items[i];
		const struct host_owners *o = map_get(&e->owner_by_host, host);

		*is_ruled = *is_ruled || o != NULL;
		for (size_t j = 0; o != NULL && j < o->all.count; j++)
			if (!renew_too(
				p, ((const struct ruling *)o->all.items[j])
				       ->resource))
				return false;
	}
	return true;
}

/* What rules say of it is compiled again: those of the base. */
bool
renew_rules_for(struct patching *p, struct slice host, bool *is_ruled)
{
	const struct rows *led = map_get(&p->b.led_to, host);

	for (size_t i = 0; led != NULL && i < led->count; i++)
		if (!renew_too(p, led->items[i]))
			return false;
	for (size_t i = 0; i < p->base->scopes.count; i++)
		if (!renew_owners(p, p->base->scopes.items[i], host, is_ruled))
			return false;
	return true;
}

static bool
renew_tellers_for(struct patching *p, const struct teller *t, struct slice host)
{
	for (; t != NULL; t = t->next)
		if (t->owner != NULL &&
		    t->owner->kind == &kind_destination_rule &&
		    slice_eq(host_of_rule(&p->b, t->owner), host) &&
		    !renew_too(p, t->owner))
			return false;
	return true;
}

/* That there is no such service is told of them, or would be. */
bool
renew_policies_for(struct patching *p, struct slice host)
{
	const struct service_row *s = map_get(&p->b.service_by_host, host);
	const struct view *base = p->base;

	p->b.arena = &p->arena;
	for (const struct named_by *n = s != NULL ? s->policies : NULL;
	     n != NULL; n = n->next)
		if (!renew_too(p, n->by))
			return false;
	for (size_t i = 0; s == NULL && i < base->problem_count; i++)
		if (!renew_tellers_for(p, base->problem_tellers[i], host))
			return false;
	return true;
}

/* By rules that are others than in the base. */
bool
is_ruled_now(const struct patching *p, struct slice host)
{
	for (size_t i = 0; i < p->count; i++)
		if (is_among_hosts(&p->named[i].hosts, host))
			return true;
	return false;
}

static bool
names_alone(struct builder *b, const struct resource *r, struct slice host)
{
	size_t count = r != NULL ? resource_virtual_service(r)->hosts.count : 0;
	bool alone = true, named = false;

	for (size_t i = 0; i < count; i++) {
		bool is_it = slice_eq(host_at(b, r, i), host);

		named = named || is_it;
		alone = alone && is_it;
	}
	return alone || !named;
}

/* Of several hosts of one rule, one that is called makes the others virtual
 * hosts of its ports. */
bool
is_named_alone(struct patching *p, struct slice host)
{
	struct arena *before = p->b.arena;
	bool alone = true;

	p->b.arena = &p->arena; /* nothing of it stays */
	for (size_t i = 0; alone && i < p->count; i++)
		if (is_rule(any_of(&p->items[i])))
			alone = names_alone(&p->b, p->items[i].fresh, host);
	p->b.arena = before;
	return alone; /* those of the base are renewed by now */
}
