/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_rules — a VirtualService that says something else about its hosts.
 *
 * What hangs on its rules for requests is made anew: the routes of the hosts
 * that it decides about. Whether it decides, what is imported and which
 * clusters there are may hang on them too; where that would be another answer
 * than before, or where it is not known, there is no patch.
 */
#include "inside.h"

/* --- is it about the same ------------------------------------------------- */

static bool
is_about_requests(const struct virtual_service *vs)
{
	for (size_t i = 0; i < vs->http.count; i++)
		if (vs->http.items[i].delegate != NULL)
			return false;
	return vs->hosts.count > 0 && vs->tcp.count + vs->tls.count == 0;
}

static bool
is_like(const struct resource *old, const struct resource *fresh)
{
	const struct virtual_service *x = resource_virtual_service(old);
	const struct virtual_service *y = resource_virtual_service(fresh);

	return old->created_ms == fresh->created_ms && is_about_requests(x) &&
	       is_about_requests(y) &&
	       slice_lists_eq(x->hosts.items, x->hosts.count, y->hosts.items,
		   y->hosts.count) &&
	       slice_lists_eq(x->gateways.items, x->gateways.count,
		   y->gateways.items, y->gateways.count) &&
	       slice_lists_eq(x->export_to.items, x->export_to.count,
		   y->export_to.items, y->export_to.count);
}

bool
is_told_of(const struct view *base, const struct resource *r)
{
	for (size_t i = 0; i < base->problem_count; i++)
		if (base->problem_owners[i] != r &&
		    resource_key_eq(&base->problems[i].origin.key, &r->key))
			return true;
	return false;
}

/* --- does it decide about the same ---------------------------------------- */

/* Ports that its matches name, each once. */
struct ports {
	uint16_t items[16];
	size_t count;
};

static bool
has_port(const struct ports *p, uint16_t port)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i] == port)
			return true;
	return false;
}

/* False: more than there is room for. */
static bool
add_ports(const struct resource *r, struct ports *out)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->http.count; i++)
		for (size_t j = 0; j < vs->http.items[i].match.count; j++) {
			uint16_t port =
			    (uint16_t)vs->http.items[i].match.items[j].port;

			if (has_port(out, port))
				continue;
			if (out->count == ARRAY_LEN(out->items))
				return false;
			out->items[out->count++] = port;
		}
	return true;
}

static uint16_t
another_port(const struct ports *p)
{
	uint16_t port = 1;

	while (has_port(p, port))
		port++;
	return port;
}

static bool
takes_alike(struct builder *b, const struct resource *old,
    const struct resource *fresh, uint16_t port)
{
	return has_http_rule(b, old, port) == has_http_rule(b, fresh, port);
}

/* At any port, one that no match names standing for the others. */
static bool
decides_alike(
    struct builder *b, const struct resource *old, const struct resource *fresh)
{
	struct ports named = {.count = 0};

	if (!add_ports(old, &named) || !add_ports(fresh, &named))
		return false;
	for (size_t i = 0; i < named.count; i++)
		if (!takes_alike(b, old, fresh, named.items[i]))
			return false;
	return takes_alike(b, old, fresh, 0) &&
	       takes_alike(b, old, fresh, another_port(&named));
}

/* --- does it lead to what is there in any case ---------------------------- */

/* Its service is there with all of its ports, whoever leads to it. */
static bool
is_imported(struct builder *b, const struct destination_spec *d,
    const struct resource *owner)
{
	struct slice host = canonical_host(b, d->host, owner->key.ns);
	const struct service_row *s = map_get(&b->service_by_host, host);
	const struct import *i = find_import(b, host);

	if (s == NULL)
		return true;
	if (s->next != NULL || i == NULL || i->is_ruled || i->service != s)
		return false;
	for (size_t j = 0; j < s->port_count; j++)
		if (find_import_port(b, host, s->ports[j].port) == NULL)
			return false;
	return true;
}

static bool
imports_nothing(struct builder *b, const struct resource *r)
{
	const struct virtual_service *vs = resource_virtual_service(r);

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct http_route *h = &vs->http.items[i];

		for (size_t j = 0; j < h->route.count; j++)
			if (!is_imported(b, h->route.items[j].destination, r))
				return false;
		for (size_t j = 0; j < h->mirrors.count; j++)
			if (h->mirrors.items[j].destination != NULL &&
			    !is_imported(b, h->mirrors.items[j].destination, r))
				return false;
		if (h->mirror != NULL && !is_imported(b, h->mirror, r))
			return false;
	}
	return true;
}

/* Else it would be gone with a rule that does not lead there any more. */
static bool
is_kept(const struct view_cluster *c)
{
	return c == NULL ||
	       ((const struct cluster_row *)(const void *)c)->is_kept;
}

bool
lead_to_kept(const struct view_http_route *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct view_http_route *r = &rows[i];

		for (size_t j = 0; j < r->destination_count; j++)
			if (!is_kept(r->destinations[j].cluster))
				return false;
		for (size_t j = 0; j < r->mirror_count; j++)
			if (!is_kept(r->mirrors[j].to.cluster))
				return false;
	}
	return true;
}

/* --- the rows ------------------------------------------------------------- */

static bool
renew_host(
    struct builder *b, const struct host_row *old, const struct resource *fresh)
{
	struct host_row *row = take(b, 1, sizeof(*row));

	if (row == NULL || !lead_to_kept(old->row.http, old->row.http_count))
		return false;
	*row = *old;
	row->row.http = NULL;
	row->row.http_count = 0;
	row->row.index = NULL;
	b->scope = (struct scope *)(uintptr_t)scope_const(old->row.scope);
	b->egress = (struct egress *)(uintptr_t)old->egress;
	compile_http(b, row, fresh, NULL, NULL);
	rows_add(&b->box->hosts, row);
	return true;
}

bool
patch_rules(struct builder *b, const struct view *base,
    const struct resource *old, const struct resource *fresh)
{
	const struct http_rules *rules =
	    map_get(&base->made_by->http_rules, slice_of(&old, sizeof(old)));

	if (!is_like(old, fresh) || is_told_of(base, old))
		return false;
	for (size_t i = 0; i < base->scopes.count; i++) {
		b->scope = base->scopes.items[i];
		if (!decides_alike(b, old, fresh) || !imports_nothing(b, old) ||
		    !imports_nothing(b, fresh))
			return false;
	}
	for (size_t i = 0; rules != NULL && i < rules->hosts.count; i++) {
		const struct host_row *h = rules->hosts.items[i];

		/* Another one may have made the row its own. */
		if (h->owner == old && !renew_host(b, h, fresh))
			return false;
	}
	return rules == NULL || patch_gateway_parts(b, &rules->parts, fresh);
}
