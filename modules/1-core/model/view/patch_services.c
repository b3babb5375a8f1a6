/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_services — Services and ServiceEntries that come, go, or say something
 * else: which they are, and what hangs on them.
 *
 *	resource ─► rows of its hosts ─► patch_arrivals.c: clusters, virtual
 *	                │                hosts ─► patch_front.c: listeners
 *	                └─► VirtualServices that name one are compiled again
 *
 * A host has one service, now and in the base. There is no patch where two
 * claim one, where it is a wildcard or lies in one that rules are for, where it
 * stands for another or another for it, where its endpoints are called by their
 * own addresses, where it leads to this machine, and where nothing but a rule
 * leads to it (patch_sidecars.c); nor where a
 * named listener is for a host that has a service only now, or on other ports.
 * Of a host for which rules are, what is there without a service is in their
 * boxes.
 */
#include "kinds/service_entry.h"
#include "listening.h"
#include "patch.h"

/* --- which hosts ---------------------------------------------------------- */

bool
is_about_services(const struct renewal *r)
{
	const struct resource_kind *k = kind_of(r);

	return k == &kind_service || k == &kind_service_entry ||
	       k == &kind_record;
}

size_t
count_hosts(const struct resource *r)
{
	return r->kind == &kind_service_entry
		   ? ((const struct service_entry *)r->spec)->hosts.count
		   : 1;
}

struct slice
service_host(struct builder *b, const struct resource *r, size_t i)
{
	const struct service_entry *e = r->spec;

	if (r->kind != &kind_service_entry)
		return take_join(b, SLICES(r->key.name, S("."), r->key.ns,
					S(".svc."), b->v->domain));
	return written_host(b, e->hosts.items[i], r->key.ns);
}

/* NULL: it is full. */
static struct service_now *
now_of(struct patching *p, struct slice host, size_t item)
{
	struct service_now *now = map_get(&p->services, host);

	if (now != NULL)
		return now;
	p->b.arena = &p->arena;
	now = take(&p->b, 1, sizeof(*now));
	if (now == NULL)
		return NULL;
	now->item = item;
	now->old = map_get(&p->b.service_by_host, host);
	(void)map_put(&p->services, host, now); /* was not there */
	return now;
}

/* What the base has of it; false: a host is not its own. */
static bool
add_old(struct patching *p, size_t item)
{
	const struct resource *r = p->items[item].old;
	size_t count = r != NULL ? count_hosts(r) : 0;
	const struct resource *of_row =
	    r != NULL && r->kind != &kind_record ? r : NULL;

	p->b.arena = &p->arena;
	for (size_t i = 0; i < count; i++) {
		struct slice host = service_host(&p->b, r, i);
		struct service_now *now = now_of(p, host, item);

		if (now == NULL || now->is_free || now->old == NULL ||
		    now->old->resource != of_row)
			return false;
		now->is_free = true;
	}
	return true;
}

/* The same of its rows now; false: another one has it, too. */
static bool
add_fresh(struct patching *p, size_t item)
{
	const struct box *box = p->items[item].box;

	for (size_t i = 0; i < box->services.count; i++) {
		struct service_row *s = box->services.items[i];
		struct service_now *now = now_of(p, s->row.host, item);

		if (now == NULL || now->fresh != NULL)
			return false;
		now->item = item;
		now->fresh = s;
	}
	return true;
}

static bool
add_now(struct patching *p, size_t item, bool is_known)
{
	struct renewal *r = &p->items[item];
	const struct renewal *x = renewal_before(p, r);

	if (!is_about_services(r) || (x != NULL) != is_known)
		return true;
	if (!add_old(p, item))
		return false;
	r->box = x != NULL ? box_ref(x->box) : make_services(p, item);
	return add_fresh(p, item);
}

/* What is written has it, whatever records tell. */
static bool
is_left(const struct service_now *now)
{
	return now->old == NULL || now->is_free ||
	       (now->old->resource == NULL && now->fresh != NULL);
}

/* Those that the view before has are there first. */
static bool
add_all_now(struct patching *p)
{
	size_t count = p->count;
	struct slice host;
	void *value;

	for (int known = 1; known >= 0; known--)
		for (size_t i = 0; i < count; i++)
			if (!add_now(p, i, known == 1))
				return false;
	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		if ((now->old != NULL && now->old->next != NULL) ||
		    !is_left(now))
			return false;
	}
	return true;
}

/* --- is it ordinary ------------------------------------------------------- */

static bool
is_plain(const struct patching *p)
{
	return p->b.mesh->proxy_http_port == 0;
}

static bool
is_ordinary_row(const struct service_row *s)
{
	return s == NULL || s->row.resolution != VIEW_ALIAS;
}

static bool
is_entangled_here(struct builder *b, struct slice host)
{
	for (size_t i = 0; i < b->scope->egresses.count; i++) {
		b->egress = b->scope->egresses.items[i];
		if (aliases_of(b, host) != NULL || has_wildcard_owner(b, host))
			return true;
	}
	return false;
}

/* Others stand for it, or a rule for more than it holds. */
static bool
is_entangled(struct patching *p, struct slice host)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		p->b.scope = p->base->scopes.items[i];
		if (is_entangled_here(&p->b, host))
			return true;
	}
	return false;
}

static bool
has_same_ports(const struct service_row *a, const struct service_row *b)
{
	if (a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (a->ports[i].port != b->ports[i].port ||
		    is_bytes(a->ports[i].protocol) !=
			is_bytes(b->ports[i].protocol))
			return false;
	return true;
}

/* Two labels that stood for one of both would stand for the other. */
static bool
is_ambiguous_host(const struct builder *b, struct slice host)
{
	char text[HOST_TEXT_MAX];
	struct slice full;

	if (map_get(&b->two_labels, host) != NULL)
		return true;
	if (!host_may_be_outside(host))
		return false;
	full = host_spell(host, S(""), b->v->domain, text);
	return map_get(&b->service_by_host, full) != NULL ||
	       service_at(b, full) != NULL;
}

/* Who knows the host finds it as before. */
bool
is_there_as_before(struct patching *p, const struct service_now *now)
{
	return now->old != NULL && now->fresh != NULL &&
	       has_same_ports(now->old, now->fresh) &&
	       is_had_alike(p, now->old, now->fresh);
}

/* Where it is one, those who see it do so as before. */
static bool
comes_or_goes(struct patching *p, const struct service_now *now)
{
	return now->old == NULL || now->fresh == NULL ||
	       is_had_alike(p, now->old, now->fresh);
}

bool
is_spelled(
    struct builder *b, struct slice written, struct slice ns, struct slice host)
{
	struct host_spellings s;
	size_t n = host_spellings(written, ns, b->v->domain, &s);

	for (size_t i = 0; i < n; i++)
		if (slice_eq(s.names[i], host))
			return true;
	return false;
}

/* The machine's own place is the first scope. */
bool
is_named_listener_for(struct patching *p, struct slice host)
{
	const struct view_input *in = p->in;
	const struct scope *own = p->base->scopes.items[0];

	for (size_t i = 0; i < in->upstream_count; i++) {
		const struct view_upstream_input *u = &in->upstreams[i];

		if (is_spelled(&p->b, u->host,
			u->ns.len > 0 ? u->ns : own->row.ns, host))
			return true;
	}
	return false;
}

/* Of a Sidecar that leads there all that nobody knows. */
static bool
is_named_proxy(struct patching *p, struct slice host)
{
	for (size_t i = 0; i < p->base->scopes.count; i++) {
		const struct scope *s = p->base->scopes.items[i];
		const struct destination_spec *d = egress_proxy_of(s);

		if (d != NULL &&
		    is_spelled(&p->b, d->host, s->sidecar->key.ns, host))
			return true;
	}
	return false;
}

static bool
is_rule(const struct resource *r)
{
	return r != NULL && r->kind == &kind_virtual_service;
}

/* --- the checks ----------------------------------------------------------- */

/* False: more than its own rows hangs on it. */
static bool
is_ordinary(struct patching *p, struct service_now *now, struct slice host)
{
	struct builder *b = &p->b;
	bool ruled = is_ruled_now(p, host);

	if (slice_starts(host, S("*")) || is_entangled(p, host) ||
	    is_named_as_gateway(p, host) || !is_ordinary_row(now->old) ||
	    !is_ordinary_row(now->fresh) || is_served_at_gateway(p, now->old))
		return false;
	if ((now->old == NULL || now->fresh == NULL) &&
	    (is_ambiguous_host(b, host) || !renew_policies_for(p, host)))
		return false;
	if (!renew_rules_for(p, host, &ruled))
		return false;
	now->shifts = !is_there_as_before(p, now);
	if (!now->shifts)
		return true;
	return !is_named_listener_for(p, host) && !is_named_proxy(p, host) &&
	       (!ruled || comes_or_goes(p, now));
}

static bool
are_ordinary(struct patching *p)
{
	struct slice host;
	void *now;

	for (size_t i = 0; map_next(&p->services, &i, &host, &now);)
		if (!is_ordinary(p, now, host))
			return false;
	list_named(p); /* there are more by now */
	for (size_t i = 0; map_next(&p->services, &i, &host, &now);)
		if (!is_led_to_whole(p, now, host))
			return false;
	return true;
}

/* What was another service in the view before, or is now and was not then. */
static void
note_changed(struct patching *p, const struct resource *r)
{
	size_t count = r != NULL ? count_hosts(r) : 0;

	p->b.arena = &p->arena;
	for (size_t i = 0; i < count; i++) {
		struct slice *host = take(&p->b, 1, sizeof(*host));

		if (host == NULL)
			return;
		*host = service_host(&p->b, r, i);
		rows_add(&p->changed, host);
	}
}

static void
find_changed(struct patching *p)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (is_about_services(r) && renewal_before(p, r) == NULL) {
			note_changed(p, r->old);
			note_changed(p, r->fresh);
			p->anew[i] = true;
		}
	}
	for (size_t i = 0; i < before->renewal_count; i++) {
		const struct renewal *r = &before->renewals[i];

		if (is_about_services(r) && !is_still_there(p, r)) {
			note_changed(p, r->old);
			note_changed(p, r->fresh);
		}
	}
}

bool
find_services(struct patching *p)
{
	if (!add_all_now(p))
		return false;
	find_changed(p);
	if (p->services.count == 0)
		return !p->b.full;
	if (!is_plain(p))
		return false;
	list_named(p);
	return are_ordinary(p) && !p->b.full && !p->b.more_follows;
}

/* --- what is made anew ---------------------------------------------------- */

bool
names_changed(const struct patching *p, struct slice pattern)
{
	for (size_t i = 0; i < p->changed.count; i++) {
		const struct slice *host = p->changed.items[i];

		if (host_is_within(*host, pattern))
			return true;
	}
	return false;
}

/* Does any other DestinationRule, or WorkloadEntry, than before say something
 * of it? */
static bool
is_touched_by(
    struct patching *p, const struct resource *r, const struct service_row *s)
{
	if (r == NULL)
		return false;
	p->b.arena = &p->arena;
	if (r->kind == &kind_destination_rule)
		return host_is_within(s->row.host, host_of_rule(&p->b, r));
	if (r->kind == &kind_workload_entry)
		return selects_workload(s, workload_new(&p->b, r));
	if (r->kind == &kind_peer_authentication)
		return p->disarms;
	if (r->kind == &kind_network)
		return true;
	if (r->kind == &kind_virtual_service) {
		const struct virtual_service *vs = resource_virtual_service(r);

		for (size_t i = 0; i < vs->hosts.count; i++)
			if (is_spelled(&p->b, vs->hosts.items[i], r->key.ns,
				s->row.host))
				return true;
	}
	return false;
}

static bool
is_touched(struct patching *p, const struct service_row *s)
{
	const struct view *before = p->before;

	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (renewal_before(p, r) == NULL &&
		    (is_touched_by(p, r->old, s) ||
			is_touched_by(p, r->fresh, s)))
			return true;
	}
	for (size_t i = 0; i < before->renewal_count; i++) {
		const struct renewal *r = &before->renewals[i];

		if (!is_still_there(p, r) && (is_touched_by(p, r->old, s) ||
						 is_touched_by(p, r->fresh, s)))
			return true;
	}
	return false;
}

uint64_t
names_of_box(const struct view_input *in, const struct box *box)
{
	uint64_t h = 1;

	for (size_t i = 0; i < box->services.count; i++)
		h = hash_with(h, names_version(in, box->services.items[i]));
	return h;
}

static bool
has_touched(struct patching *p, const struct box *box)
{
	if (box->names_version != names_of_box(p->in, box))
		return true;
	for (size_t i = 0; i < box->services.count; i++)
		if (is_touched(p, box->services.items[i]) ||
		    is_headless_touched(p, box->services.items[i]) ||
		    is_selecting_entry(box->services.items[i]))
			return true;
	return false;
}

/* A rule that leads to what is made anew, or did. */
static bool
leads_to_anew(const struct patching *p, size_t item)
{
	struct slice host;
	void *value;

	for (size_t i = 0; i < p->changed.count; i++)
		if (names_host(&p->named[item],
			*(const struct slice *)p->changed.items[i]))
			return true;
	for (size_t i = 0; map_next(&p->services, &i, &host, &value);)
		if (p->anew[((const struct service_now *)value)->item] &&
		    names_host(&p->named[item], host))
			return true;
	return false;
}

/* A service about whose requests such a rule may decide. */
static bool
is_ruled_anew(const struct patching *p, size_t item)
{
	const struct box *box = p->items[item].box;

	for (size_t i = 0; i < box->services.count; i++) {
		const struct service_row *s = box->services.items[i];

		for (size_t j = 0; j < p->count; j++)
			if (p->anew[j] && is_rule(any_of(&p->items[j])) &&
			    is_among_hosts(&p->named[j].hosts, s->row.host))
				return true;
	}
	return false;
}

/* Of a host of its own another one has, or had, what is there now. */
static bool
has_changed_host(struct patching *p, const struct resource *r)
{
	size_t count = r != NULL ? count_hosts(r) : 0;

	p->b.arena = &p->arena;
	for (size_t i = 0; i < count; i++)
		if (names_changed(p, service_host(&p->b, r, i)))
			return true;
	return false;
}

static bool
has_changed(struct patching *p, const struct renewal *r)
{
	return p->changed.count > 0 &&
	       (has_changed_host(p, r->old) || has_changed_host(p, r->fresh));
}

static bool
has_rule_anew(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->anew[i] && is_rule(any_of(&p->items[i])))
			return true;
	return false;
}

static bool
spread(struct patching *p)
{
	bool any = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct renewal *r = &p->items[i];

		if (p->anew[i])
			continue;
		if (is_rule(any_of(r)))
			p->anew[i] = p->rules_anew ||
				     renewal_before(p, r) == NULL ||
				     leads_to_anew(p, i);
		else if (is_about_services(r))
			p->anew[i] = has_changed(p, r) || is_ruled_anew(p, i);
		any = any || p->anew[i];
	}
	/* A box may have what another one says of a host. */
	if (!p->rules_anew && is_moving(p) && has_rule_anew(p))
		p->rules_anew = any = true;
	return any;
}

/* Rows of what only seemed to be as before. */
static bool
make_again(struct patching *p, size_t item)
{
	struct renewal *r = &p->items[item];
	struct slice host;
	void *value;

	if (renewal_before(p, r) == NULL)
		return true; /* they are new */
	box_unref(&r->box);
	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		struct service_now *now = value;

		if (now->item == item)
			now->fresh = NULL;
	}
	r->box = make_services(p, item);
	return add_fresh(p, item);
}

/* Rules that no base has are merged in each patch again: who looks for one of
 * the clusters that stay does so by those of now. */
static void
know_rules(struct patching *p, const struct box *box)
{
	for (size_t i = 0; i < box->their_clusters.count; i++) {
		struct cluster_row *c = box->their_clusters.items[i];

		p->b.scope = c->scope;
		c->rule = rule_of(&p->b, service_of_cluster(c));
	}
}

bool
decide_services(struct patching *p)
{
	if (p->services.count + p->changed.count == 0)
		return true;
	list_named(p); /* more of them may be others by now */
	for (size_t i = 0; i < p->count; i++)
		if (is_about_services(&p->items[i]) && !p->anew[i])
			p->anew[i] = has_touched(p, p->items[i].box);
	while (spread(p))
		;
	for (size_t i = 0; i < p->count; i++) {
		if (!is_about_services(&p->items[i]))
			continue;
		if (!p->anew[i])
			know_rules(p, p->items[i].box);
		else if (!make_again(p, i))
			return false;
	}
	return !p->b.full && !p->b.more_follows;
}

bool
is_changed_service(const struct builder *b, const struct service_row *s)
{
	return service_now_of(b, s->row.host) != NULL;
}

void
forget_services(struct patching *p)
{
	for (size_t i = 0; i < RENEWALS_MAX; i++) {
		rows_fini(&p->named[i].hosts);
		rows_fini(&p->named[i].led_to);
	}
	for (size_t i = 0; i < p->count; i++)
		box_unref(&p->items[i].box);
	rows_fini(&p->changed);
	map_fini(&p->services, NULL);
	map_fini(&p->rewired, NULL);
}
