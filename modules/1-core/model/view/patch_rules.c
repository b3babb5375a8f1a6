/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_rules — the routes of hosts about which VirtualServices decide.
 *
 * What hangs on the rules for requests of one that comes, goes or says
 * something else is made anew: the routes of the hosts that it decides about,
 * or does so no longer (patch_owners.c). What is imported and which clusters
 * there are may hang on them too; where that would be another answer than
 * before, or where it is not known, there is no patch.
 */
#include "patch.h"

/* --- is it about the same ------------------------------------------------- */

static bool
is_like(const struct resource *old, const struct resource *fresh)
{
	const struct virtual_service *x = resource_virtual_service(old);
	const struct virtual_service *y = resource_virtual_service(fresh);

	return old->created_ms == fresh->created_ms && x->hosts.count > 0 &&
	       slice_lists_eq(x->hosts.items, x->hosts.count, y->hosts.items,
		   y->hosts.count) &&
	       slice_lists_eq(x->gateways.items, x->gateways.count,
		   y->gateways.items, y->gateways.count) &&
	       slice_lists_eq(x->export_to.items, x->export_to.count,
		   y->export_to.items, y->export_to.count);
}

static bool
is_renewed(const struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (r != NULL && p->items[i].old == r)
			return true;
	return false;
}

bool
is_told_by(const struct teller *t, const struct resource *owner)
{
	while (t != NULL && t->owner != owner)
		t = t->next;
	return t != NULL;
}

/* What is told at a gateway is told again there. */
static bool
is_told_elsewhere(const struct patching *p, const struct teller *t)
{
	while (t != NULL && (is_renewed(p, t->owner) || t->door != 0))
		t = t->next;
	return t != NULL;
}

bool
is_told_of(const struct patching *p, const struct resource *r)
{
	const struct view *base = p->base;

	for (size_t i = 0; i < base->problem_count; i++)
		if (is_told_elsewhere(p, base->problem_tellers[i]) &&
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
add_ports_of(const struct http_route *r, struct ports *out)
{
	for (size_t i = 0; i < r->match.count; i++) {
		uint16_t port = (uint16_t)r->match.items[i].port;

		if (has_port(out, port))
			continue;
		if (out->count == ARRAY_LEN(out->items))
			return false;
		out->items[out->count++] = port;
	}
	return true;
}

static bool
add_ports(const struct http_rules *rules, struct ports *out)
{
	for (size_t i = 0; i < rules->rows.count; i++) {
		const struct http_rule *rule = rules->rows.items[i];

		if (!add_ports_of(rule->spec, out))
			return false;
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
takes_alike(struct builder *b, const struct http_rules *old,
    const struct http_rules *fresh, uint16_t port)
{
	return has_rule_among(b, old, port) == has_rule_among(b, fresh, port);
}

/* At any port, one that no match names standing for the others. */
static bool
decides_alike(struct builder *b, const struct http_rules *old,
    const struct http_rules *fresh)
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

/* Its own, or those of delegates. */
static bool
has_other_text(const struct renewal *r)
{
	return r->old != r->fresh || has_delegates(r->fresh);
}

bool
is_alike(struct patching *p, const struct renewal *r)
{
	if (r->old == NULL || r->fresh == NULL || !is_like(r->old, r->fresh))
		return false;
	for (size_t i = 0; has_other_text(r) && i < p->base->scopes.count;
	     i++) {
		p->b.scope = p->base->scopes.items[i];
		if (!decides_alike(&p->b, rules_before(p, r->old),
			http_rules_of(&p->b, r->fresh)))
			return false;
	}
	return true;
}

/* --- does it lead to what is there in any case ---------------------------- */

/* Its service is there with all of its ports, whoever leads to it. */
static void
check_imported(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct http_rule *rule, void *arg)
{
	struct slice host = canonical_host(b, d->host, owner->key.ns);
	const struct service_row *s = service_at(b, host);
	const struct import *i = find_import(b, host);
	bool *imported = arg;

	(void)rule; /* of any kind */
	if (s == NULL)
		return;
	if (s->next != NULL || !is_imported_whole(b, s, i))
		*imported = false;
}

static bool
imports_nothing(
    struct builder *b, const struct http_rules *rules, const struct resource *r)
{
	bool imported = true;

	each_lead(b, rules, r, check_imported, &imported);
	return imported;
}

/* Else it would be gone with a rule that does not lead there any more. */
bool
is_kept_cluster(const struct view_cluster *c)
{
	const struct cluster_row *row = (const void *)c;

	return row == NULL ||
	       (row->is_kept && !(row->is_led_to && has_namesake(row)));
}

bool
lead_to_kept(const struct view_http_route *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct view_http_route *r = &rows[i];

		for (size_t j = 0; j < r->destination_count; j++)
			if (!is_kept_cluster(r->destinations[j].cluster))
				return false;
		for (size_t j = 0; j < r->mirror_count; j++)
			if (!is_kept_cluster(r->mirrors[j].to.cluster))
				return false;
	}
	return true;
}

/* --- the rows ------------------------------------------------------------- */

/* Without rules of requests it is the service's, or of those of connections. */
static struct origin
origin_of_service(const struct host_row *h)
{
	if (h->service == NULL)
		return h->row.origin;
	return h->tcp.owner != NULL ? origin_of(h->tcp.owner, 0)
				    : h->service->row.origin;
}

/* Calls go to the service itself, which has no cluster; that was told. */
static bool
has_no_cluster(const struct host_row *h)
{
	return h->owner == NULL && h->row.http_count > 0 &&
	       h->row.http[0].destinations[0].cluster == NULL;
}

void
stand_at(struct builder *b, const struct host_row *h)
{
	b->scope = (struct scope *)(uintptr_t)scope_const(h->row.scope);
	b->egress = (struct egress *)(uintptr_t)h->egress;
}

/* False where a chain goes by whether there are rules. */
static bool
renew_host(
    struct builder *b, const struct host_row *old, const struct resource *owner)
{
	struct host_row *row = take(b, 1, sizeof(*row));

	if (row == NULL || has_no_cluster(old) ||
	    !lead_to_kept(old->row.http, old->row.http_count))
		return false;
	*row = *old;
	row->egress = b->egress;
	row->row.http = NULL;
	row->row.http_count = 0;
	row->row.index = NULL;
	row->row.origin = origin_of_service(old);
	row->row.has_rules = false;
	row->owner = NULL;
	compile_http(b, row, owner, old->service, old->port);
	rows_add(&b->box->hosts, row);
	return row->row.protocol != VIEW_AUTO ||
	       row->row.has_rules == old->row.has_rules;
}

/* Of what was the old one's; false: not known. */
static bool
find_owner(struct patching *p, const struct renewal *r,
    const struct host_row *h, const struct resource **out)
{
	if (h->service == NULL)
		return find_bare_owner(p, r, h, out);
	*out = r->fresh;
	if (!is_moved(p, h->row.host))
		return !r->moves;
	*out = owner_of_port(p, h->row.host, h->row.port);
	return true;
}

/* It was there because of rules alone; false: another one may have its domain
 * now. */
static bool
drop_host(struct builder *b, const struct host_row *old)
{
	rows_add(&b->box->fewer_hosts, (void *)(uintptr_t)old);
	return !old->is_contested &&
	       lead_to_kept(old->row.http, old->row.http_count);
}

/* Its virtual hosts are not in those of rules. */
static bool
has_other_box(const struct builder *b, const struct service_row *s)
{
	return is_changed_service(b, s) || is_rewired(b, s);
}

static bool
renew_old_hosts(struct patching *p, const struct renewal *r)
{
	const struct http_rules *rules = map_get(
	    &p->base->made_by->http_rules, slice_of(&r->old, sizeof(r->old)));

	for (size_t i = 0; rules != NULL && i < rules->hosts.count; i++) {
		const struct host_row *h = rules->hosts.items[i];
		const struct resource *owner;

		if (h->owner != r->old)
			continue; /* another one made the row its own */
		if (h->service != NULL && has_other_box(&p->b, h->service))
			continue;
		stand_at(&p->b, h);
		if (!find_owner(p, r, h, &owner))
			return false;
		if (owner != NULL || h->service != NULL
			? !renew_host(&p->b, h, owner)
			: !drop_host(&p->b, h))
			return false;
	}
	return true;
}

/* What was nobody's, and is the fresh one's; what was another's that one
 * renews. */
static bool
renew_own_hosts(
    struct patching *p, const struct service_row *s, const struct resource *r)
{
	for (const struct host_row *h = s->hosts; h != NULL;
	     h = h->next_of_service) {
		if (h->owner != NULL || h->row.protocol == VIEW_TCP ||
		    h->row.protocol == VIEW_TLS)
			continue;
		stand_at(&p->b, h);
		if (owner_of_port(p, h->row.host, h->row.port) == r &&
		    !renew_host(&p->b, h, r))
			return false;
	}
	return true;
}

bool
is_named_before(struct builder *b, const struct resource *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (slice_eq(host_at(b, r, i), host_at(b, r, at)))
			return true;
	return false;
}

static bool
renew_fresh_hosts(struct patching *p, const struct resource *r)
{
	size_t count = resource_virtual_service(r)->hosts.count;

	for (size_t i = 0; i < count; i++) {
		const struct service_row *s =
		    service_at(&p->b, host_at(&p->b, r, i));

		if (s == NULL || is_named_before(&p->b, r, i))
			continue;
		if (!has_other_box(&p->b, s) && !renew_own_hosts(p, s, r))
			return false;
	}
	return true;
}

static bool
import_nothing_here(struct patching *p, const struct renewal *r)
{
	struct builder *b = &p->b;

	for (size_t i = 0; i < b->scope->egresses.count; i++) {
		b->egress = b->scope->egresses.items[i];
		if ((r->old != NULL && egress_obeys(b, b->egress, r->old) &&
			!imports_nothing(b, rules_before(p, r->old), r->old)) ||
		    (r->fresh != NULL && egress_obeys(b, b->egress, r->fresh) &&
			!imports_nothing(
			    b, http_rules_of(b, r->fresh), r->fresh)))
			return false;
	}
	return true;
}

static bool
import_nothing(struct patching *p, const struct renewal *r)
{
	for (size_t i = 0; has_other_text(r) && i < p->base->scopes.count;
	     i++) {
		p->b.scope = p->base->scopes.items[i];
		if (!import_nothing_here(p, r))
			return false;
	}
	return true;
}

bool
is_nothing(const struct builder *b, const struct resource *r)
{
	if (r == NULL || is_delegate(r))
		return true;
	return b->in->proxy != VIEW_ROUTER && !is_obeyed_anywhere(b, r);
}

/* What it is at a gateway is in another box. */
static bool
add_hosts_of(struct patching *p, const struct renewal *r)
{
	if (is_nothing(&p->b, r->fresh) || is_for_gateways(r->fresh))
		return true;
	return (!r->moves || renew_fresh_hosts(p, r->fresh)) &&
	       add_bare_hosts(p, r->fresh);
}

bool
patch_rules(struct patching *p, size_t item)
{
	const struct renewal *r = &p->items[item];

	if (is_nothing(&p->b, r->old) && is_nothing(&p->b, r->fresh))
		return true;
	if ((r->old != NULL && is_told_of(p, r->old)) ||
	    !import_nothing(p, r) || (r->old != NULL && !renew_old_hosts(p, r)))
		return false;
	if (r->fresh != NULL && !add_hosts_of(p, r))
		return false;
	if (r->fresh != NULL) {
		report_all_conflicts(p, r->fresh);
		report_delegates_of(p, r);
	}
	return true;
}
