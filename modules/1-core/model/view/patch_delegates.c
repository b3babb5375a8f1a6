/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_delegates — VirtualServices whose rules are those of others, too.
 *
 * Where a delegate comes, goes or says something else, all that name it are
 * renewed: what their rules are now is another thing than in the base, though
 * they are the same resources.
 */
#include "patch.h"

static bool
is_rule(const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service;
}

bool
is_delegate(const struct resource *r)
{
	return is_rule(r) && resource_virtual_service(r)->hosts.count == 0;
}

static bool
names(const struct resource *r, const struct resource_key *delegate)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct delegate_spec *d = vs->http.items[i].delegate;

		if (d != NULL && slice_eq(d->name, delegate->name) &&
		    slice_eq(d->ns.len > 0 ? d->ns : r->key.ns, delegate->ns))
			return true;
	}
	return false;
}

/* A delegate is another one; not so what is no one's, before or now. */
static bool
delegates(const struct renewal *r)
{
	return is_delegate(r->old) || is_delegate(r->fresh);
}

static bool
renew_all_naming(struct patching *p, const struct renewal *r)
{
	const struct rows *all = &p->b.roots;

	for (size_t i = 0; i < all->count; i++)
		if (names(all->items[i], &any_of(r)->key) &&
		    !renew_too(p, all->items[i]))
			return false;
	return true;
}

/* Of what it names now something is another than in the view before. */
static bool
names_anew(const struct patching *p, const struct resource *r)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++)
		if (delegates(&p->items[i]) &&
		    renewal_before(p, &p->items[i]) == NULL &&
		    names(r, &any_of(&p->items[i])->key))
			return true;
	for (size_t i = 0; i < before->renewal_count; i++)
		if (delegates(&before->renewals[i]) &&
		    !is_still_there(p, &before->renewals[i]) &&
		    names(r, &any_of(&before->renewals[i])->key))
			return true;
	return false;
}

bool
find_delegated(struct patching *p)
{
	size_t count = p->count;

	for (size_t i = 0; i < count; i++)
		if (delegates(&p->items[i]) &&
		    !renew_all_naming(p, &p->items[i]))
			return false;
	for (size_t i = 0; i < p->count; i++)
		p->anew[i] = is_rule(p->items[i].fresh) &&
			     names_anew(p, p->items[i].fresh);
	return true;
}

const struct resource *
delegate_now(const struct patching *p, struct slice ns, struct slice name)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct resource_key *key = &any_of(&p->items[i])->key;

		if (is_rule(any_of(&p->items[i])) && slice_eq(key->ns, ns) &&
		    slice_eq(key->name, name))
			return p->items[i].fresh;
	}
	return find_resource(p->base, &kind_virtual_service, ns, name);
}

/* Whom nobody asked in the base has the same as now: nothing hangs on it. */
const struct http_rules *
rules_before(struct patching *p, const struct resource *old)
{
	const struct http_rules *rules =
	    map_get(&p->base->made_by->http_rules, slice_of(&old, sizeof(old)));

	return rules != NULL ? rules : http_rules_of(&p->b, old);
}

/* Does any scope ask for its rules, where the view is made from nothing? */
static bool
is_asked_for(struct patching *p, const struct renewal *r)
{
	if (is_for_gateways(r->fresh))
		return false; /* told with its parts */
	if (!r->moves)
		return map_get(&p->base->made_by->http_rules,
			   slice_of(&r->old, sizeof(r->old))) != NULL;
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (is_obeyed_here(&p->b, r->fresh))
			return true;
	}
	return false;
}

void
report_delegates_of(struct patching *p, const struct renewal *r)
{
	if (has_delegates(r->fresh) && is_asked_for(p, r))
		report_delegates(&p->b, r->fresh);
}
