/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_sidecars — which egress of a scope has what is another than in the
 * base.
 *
 * Without a Sidecar one has all that is seen. With one each of its listeners
 * names what it has: what none names is nothing to the scope, and nothing of
 * the patch hangs on it there.
 */
#include "patch.h"

bool
is_obeyed_here(struct builder *b, const struct resource *r)
{
	const struct rows *all = &b->scope->egresses;

	for (size_t i = 0; i < all->count; i++)
		if (egress_obeys(b, all->items[i], r))
			return true;
	return false;
}

bool
is_obeyed_anywhere(const struct builder *b, const struct resource *r)
{
	struct builder at = *b;

	for (size_t i = 0; i < b->v->scopes.count; i++) {
		at.scope = b->v->scopes.items[i];
		if (is_obeyed_here(&at, r))
			return true;
	}
	return false;
}

/* --- rows of a service ---------------------------------------------------- */

static bool
has_place(const struct host_place *all, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].port->port == port)
			return true;
	return false;
}

/* One after the other, as they are made where a view is (hosts.c). */
static size_t
add_places(struct builder *b, const struct service_row *s,
    struct host_place *out, size_t n)
{
	uint16_t only = egress_port(b->egress);

	if (only == 0 && !is_egress_of_rest(b->egress))
		return n; /* a socket */
	for (size_t i = 0; i < s->port_count; i++) {
		const struct port_row *p = &s->ports[i];

		if ((only == 0 || p->port == only) && is_called_here(b, p) &&
		    !has_place(out, n, p->port))
			out[n++] = (struct host_place){b->egress, p};
	}
	return n;
}

size_t
host_places(
    struct builder *b, const struct service_row *s, struct host_place **out)
{
	struct egress *before = b->egress;
	size_t n = 0;

	*out = take(b, s->port_count, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < b->scope->egresses.count; i++) {
		b->egress = b->scope->egresses.items[i];
		if (egress_has(b, b->egress, s))
			n = add_places(b, s, *out, n);
	}
	b->egress = before;
	return n;
}

bool
has_host_place(struct builder *b, const struct service_row *s,
    const struct egress *e, uint16_t port)
{
	struct host_place *all;
	size_t n = s != NULL ? host_places(b, s, &all) : 0;

	for (size_t i = 0; i < n; i++)
		if (all[i].egress == e && all[i].port->port == port)
			return true;
	return false;
}

/* --- what is seen --------------------------------------------------------- */

static bool
is_had_alike_here(const struct builder *b, const struct service_row *x,
    const struct service_row *y)
{
	const struct rows *all = &b->scope->egresses;

	for (size_t i = 0; i < all->count; i++)
		if (egress_has(b, all->items[i], x) !=
		    egress_has(b, all->items[i], y))
			return false;
	return is_seen_service(b, x) == is_seen_service(b, y);
}

bool
is_had_alike(struct patching *p, const struct service_row *x,
    const struct service_row *y)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (!is_had_alike_here(&p->b, x, y))
			return false;
	}
	return true;
}

static bool
has_import_port(const struct import *i, uint16_t port)
{
	const struct import_port *p = i->ports;

	while (p != NULL && p->port->port != port)
		p = p->next;
	return p != NULL;
}

/* A listener of one port lets its rules lead to that one alone. */
bool
is_imported_whole(const struct builder *b, const struct service_row *s,
    const struct import *i)
{
	uint16_t only = taken_port(b->egress);

	if (i == NULL || i->is_ruled || i->service != s)
		return only != 0 && find_port(s, only) == NULL;
	for (size_t j = 0; j < s->port_count; j++)
		if ((only == 0 || s->ports[j].port == only) &&
		    !has_import_port(i, s->ports[j].port))
			return false;
	return true;
}

static bool
leads_here_from(struct patching *p, size_t item, struct slice host)
{
	struct builder *b = &p->b;
	const struct renewal *r = &p->items[item];

	return kind_of(r) == &kind_virtual_service &&
	       names_host(&p->named[item], host) &&
	       ((r->old != NULL && egress_obeys(b, b->egress, r->old)) ||
		   (r->fresh != NULL && egress_obeys(b, b->egress, r->fresh)));
}

/* By a rule of the egress at hand; after list_named(). */
static bool
is_led_to_here(struct patching *p, struct slice host)
{
	for (size_t i = 0; i < p->count; i++)
		if (leads_here_from(p, i, host))
			return true;
	return false;
}

static bool
is_found_whole(const struct builder *b, const struct service_row *s,
    const struct import *i)
{
	return s == NULL || is_imported_whole(b, s, i) ||
	       (!is_seen_service(b, s) &&
		   !slice_eq(s->row.ns, b->scope->row.ns));
}

static bool
is_led_to_whole_here(
    struct patching *p, const struct service_now *now, struct slice host)
{
	struct builder *b = &p->b;
	const struct import *old = map_get(&b->scope->imports, host);

	for (size_t i = 0; i < b->scope->egresses.count; i++) {
		b->egress = b->scope->egresses.items[i];
		if ((!is_found_whole(b, now->old, old) ||
			!is_found_whole(b, now->fresh, find_import(b, host))) &&
		    is_led_to_here(p, host))
			return false;
	}
	return true;
}

/* May all be there that a rule leads to without saying a port, whichever is
 * called? */
static bool
leads_to_whole(struct patching *p, size_t item)
{
	const struct rows *all = &p->named[item].led_to;
	struct builder *b = &p->b;

	for (size_t i = 0; i < all->count; i++) {
		struct slice to = *(const struct slice *)all->items[i];

		if (!is_found_whole(b, service_at(b, to), find_import(b, to)))
			return false;
	}
	return true;
}

/* In the scope at hand, by rules for the host. */
static bool
leads_on_to_whole(struct patching *p, struct slice host)
{
	struct builder *b = &p->b;

	for (size_t i = 0; i < b->scope->egresses.count; i++) {
		b->egress = b->scope->egresses.items[i];
		for (size_t j = 0; j < p->count; j++)
			if (is_among_hosts(&p->named[j].hosts, host) &&
			    leads_here_from(p, j, host) &&
			    !leads_to_whole(p, j))
				return false;
	}
	return true;
}

bool
is_led_to_whole(
    struct patching *p, const struct service_now *now, struct slice host)
{
	bool is_as_before = is_there_as_before(p, now);

	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (!is_led_to_whole_here(p, now, host) ||
		    (!is_as_before && !leads_on_to_whole(p, host)))
			return false;
	}
	return true;
}
