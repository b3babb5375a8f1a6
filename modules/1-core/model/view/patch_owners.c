/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_owners — who decides about a host when VirtualServices come or go.
 *
 * One that says something else about the hosts that it had keeps them. One that
 * comes or goes, or has other hosts, may make others decide about each of its
 * hosts, so all that name one are compiled again, each in its own box. So may
 * one of several hosts of which one has another service: where that is called
 * its other hosts are, too (patch_sets.c). There is no patch where a wildcard
 * has a word in it. What no listener of a Sidecar names is nothing.
 */
#include "patch.h"

/* --- who decides ---------------------------------------------------------- */

static bool
is_virtual_service(const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service;
}

struct slice
host_at(struct builder *b, const struct resource *r, size_t i)
{
	return canonical_host(
	    b, resource_virtual_service(r)->hosts.items[i], r->key.ns);
}

static bool
has_host(struct builder *b, const struct resource *r, struct slice host)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->hosts.count; i++)
		if (slice_eq(host_at(b, r, i), host))
			return true;
	return false;
}

static const struct renewal *
renewal_of(const struct patching *p, const struct resource *old)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == old)
			return &p->items[i];
	return NULL;
}

/* As the scope at hand asks them. */
static void
insert(const struct builder *b, struct rows *all, const struct resource *r)
{
	size_t i = all->count;

	rows_add(all, (void *)(uintptr_t)r);
	for (; i > 0 && is_ruling_before(b, r, all->items[i - 1]); i--)
		all->items[i] = all->items[i - 1];
	all->items[i] = (void *)(uintptr_t)r;
}

const struct resource *
ruling_now(const struct patching *p, const struct resource *old)
{
	const struct renewal *r = renewal_of(p, old);

	if (r == NULL)
		return old;
	return r->moves ? NULL : r->fresh;
}

/* Those of the base that stay where they are. */
static void
add_old_rulings(struct patching *p, struct slice host, struct rows *out)
{
	const struct host_owners *o =
	    map_get(&p->b.egress->owner_by_host, host);

	for (size_t i = 0; o != NULL && i < o->all.count; i++) {
		const struct ruling *x = o->all.items[i];
		const struct resource *r = ruling_now(p, x->resource);

		if (r != NULL)
			rows_add(out, (void *)(uintptr_t)r);
	}
}

static bool
names_part(struct builder *b, const struct resource *r, struct slice pattern)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->hosts.count; i++)
		if (host_is_within(host_at(b, r, i), pattern))
			return true;
	return false;
}

/* Those with wildcards do not move, see find_rewired(). */
void
add_moved_rulings(struct patching *p, struct slice host, struct rows *out)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (r->moves && has_connections(r->fresh) &&
		    egress_obeys(&p->b, p->b.egress, r->fresh) &&
		    names_part(&p->b, r->fresh, host))
			insert(&p->b, out, r->fresh);
	}
}

void
find_rulings(struct patching *p, struct slice host, struct rows *out)
{
	add_old_rulings(p, host, out);
	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (r->moves && is_virtual_service(r->fresh) &&
		    egress_obeys(&p->b, p->b.egress, r->fresh) &&
		    has_host(&p->b, r->fresh, host))
			insert(&p->b, out, r->fresh);
	}
}

const struct resource *
owner_of_port(struct patching *p, struct slice host, uint16_t port)
{
	const struct resource *owner = NULL;
	struct rows all = {0};

	find_rulings(p, host, &all);
	for (size_t i = 0; owner == NULL && i < all.count; i++)
		if (has_http_rule(&p->b, all.items[i], port))
			owner = all.items[i];
	rows_fini(&all);
	return owner;
}

static void
report_conflicts(struct patching *p, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);
	struct rows all = {0};

	for (size_t i = 0; i < vs->hosts.count; i++) {
		struct slice host = host_at(&p->b, r, i);
		size_t at = 0;

		all.count = 0;
		find_rulings(p, host, &all);
		while (at < all.count && all.items[at] != r)
			at++;
		if (at > 0 && at < all.count)
			report_conflict(&p->b, r, all.items[0], host);
	}
	rows_fini(&all);
}

void
report_all_conflicts(struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		struct scope *s = p->base->scopes.items[i];

		p->b.scope = s;
		for (size_t j = 0; j < s->egresses.count; j++) {
			p->b.egress = s->egresses.items[j];
			report_conflicts(p, r);
		}
	}
}

/* --- may it come, or go --------------------------------------------------- */

/* Nothing but its own rows and names hang on it: it is no wildcard, nor a part
 * of one, nor is it of several services or an alias. */
static bool
is_ordinary_host(struct builder *b, struct slice host)
{
	const struct service_row *s = service_at(b, host);

	return !slice_starts(host, S("*")) && !has_wildcard_owner(b, host) &&
	       (s == NULL ||
		   (s->next == NULL && s->row.resolution != VIEW_ALIAS));
}

enum { MOVED_KEY_MAX = HOST_TEXT_MAX + sizeof(void *) };

/* The host in the scope at hand. */
static struct slice
moved_key(const struct builder *b, struct slice host, char out[MOVED_KEY_MAX])
{
	return slice_join(SLICES(slice_of(&b->scope, sizeof(b->scope)), host),
	    out, MOVED_KEY_MAX);
}

bool
is_moved(const struct patching *p, struct slice host)
{
	char text[MOVED_KEY_MAX];

	return map_get(&p->moved, moved_key(&p->b, host, text)) != NULL;
}

static bool
is_ordinary_everywhere(struct builder *b, struct slice host)
{
	const struct rows *all = &b->scope->egresses;

	for (size_t i = 0; i < all->count; i++) {
		b->egress = all->items[i];
		if (!is_ordinary_host(b, host))
			return false;
	}
	return true;
}

/* Others may decide about its hosts now: by whatever listener they are asked,
 * as a name that is no service is the first one's. */
static bool
move_host(struct patching *p, struct slice host)
{
	char text[MOVED_KEY_MAX];
	bool any = false; /* nobody asks */

	(void)map_put(
	    &p->moved, moved_key(&p->b, host, text), p); /* only the mark */
	return renew_owners(p, p->b.scope, host, &any);
}

static bool
move_in_scope(struct patching *p, const struct resource *r)
{
	struct builder *b = &p->b;
	size_t count = resource_virtual_service(r)->hosts.count;

	if (!is_obeyed_here(b, r))
		return true;
	for (size_t i = 0; i < count; i++) {
		struct slice host = host_at(b, r, i);

		if (!is_ordinary_everywhere(b, host) || !move_host(p, host))
			return false;
	}
	return true;
}

/* What only gateways know decides about nothing that is called. */
static bool
is_unowned(const struct builder *b, const struct resource *r)
{
	return is_nothing(b, r) || is_for_gateways(r);
}

/* False: more hangs on it than who decides about requests. */
static bool
move(struct patching *p, const struct resource *r)
{
	if (is_unowned(&p->b, r))
		return true;
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (!move_in_scope(p, r))
			return false;
	}
	return true;
}

/* Of several hosts one is a service that others were, or are: where that is
 * called, its other hosts are called, too. */
static bool
shifts_hosts(struct patching *p, const struct resource *r)
{
	size_t count = r != NULL ? resource_virtual_service(r)->hosts.count : 0;

	for (size_t i = 0; count > 1 && i < count; i++) {
		const struct service_now *now =
		    service_now_of(&p->b, host_at(&p->b, r, i));

		if (now != NULL && now->shifts)
			return true;
	}
	return false;
}

static bool
moves(struct patching *p, const struct renewal *r)
{
	const struct renewal *x = renewal_before(p, r);

	if (is_unowned(&p->b, r->old) && is_unowned(&p->b, r->fresh))
		return false;
	if (shifts_hosts(p, r->old) || shifts_hosts(p, r->fresh))
		return true;
	/* The same may have other delegates than then. */
	return x != NULL && !has_delegates(r->fresh) ? x->moves
						     : !is_alike(p, r);
}

static bool
names_changed_here(struct patching *p, const struct resource *r)
{
	size_t count = r != NULL ? resource_virtual_service(r)->hosts.count : 0;

	for (size_t i = 0; count > 1 && i < count; i++)
		if (names_changed(p, host_at(&p->b, r, i)))
			return true;
	return false;
}

bool
shifts_anew(struct patching *p)
{
	for (size_t i = 0; p->changed.count > 0 && i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (r->moves && is_virtual_service(any_of(r)) &&
		    (names_changed_here(p, r->old) ||
			names_changed_here(p, r->fresh)))
			return true;
	}
	return false;
}

bool
find_moved(struct patching *p)
{
	size_t count = p->count;

	for (size_t i = 0; i < count; i++) {
		struct renewal *r = &p->items[i];

		if (!is_virtual_service(any_of(r)))
			continue;
		r->moves = moves(p, r);
		if (r->moves && (!move(p, r->old) || !move(p, r->fresh)))
			return false;
	}
	return true;
}
