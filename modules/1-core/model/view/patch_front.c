/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_front — where programs call, when services are others than in the base:
 * listeners, sets of routes for ports that nobody had, and names to be
 * resolved.
 *
 * All services that are others, or are rewired, are in one box, since several
 * may meet in one listener.
 */
#include "patch.h"

static bool
has_front_of_before(const struct patching *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (is_about_services(&p->items[i]) && p->anew[i])
			return false;
	return p->changed.count == 0 && p->before->front != NULL &&
	       !has_other_rules(p);
}

/* --- port 80 -------------------------------------------------------------- */

static bool
has_come(const struct patching *p, const struct scope *of)
{
	const struct egress *e = egress_of_port(of, WEB_PORT);
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;
		const struct host_row *h =
		    now->fresh != NULL ? now->fresh->hosts : NULL;

		for (; h != NULL; h = h->next_of_service)
			if (h->row.scope == &of->row && h->egress == e &&
			    h->row.port == WEB_PORT && takes_requests(h))
				return true;
	}
	return false;
}

/* Another stands for it, or it is called at its endpoints, of which there may
 * be none: it is no reason that anybody listens on the port. */
static bool
may_be_unheard(const struct host_row *h)
{
	return h->service->row.resolution == VIEW_ALIAS ||
	       (is_called_at_endpoints(h->service) &&
		   !view_protocol_is_http(h->row.protocol));
}

/* Of the base, one that is the same now. */
static bool
has_stayed(const struct patching *p, const struct view_routes *web)
{
	for (size_t i = 0; i < web->hosts.count; i++) {
		const struct host_row *h = web->hosts.items[i];

		if (h->service != NULL && !may_be_unheard(h) &&
		    !is_changed_service(&p->b, h->service))
			return true;
	}
	return false;
}

/* It would name a virtual host there that is no service's. */
static bool
names_bare_host(struct patching *p, const struct resource *r)
{
	struct builder *b = &p->b;
	size_t count = r != NULL && r->kind == &kind_virtual_service
			   ? resource_virtual_service(r)->hosts.count
			   : 0;

	if (count == 0 || !egress_obeys(b, b->egress, r) ||
	    !has_http_rule(b, r, WEB_PORT))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct service_row *s = service_at(b, host_at(b, r, i));

		/* Of several with the host it may be another's port. */
		if (s == NULL || s->next != NULL ||
		    !has_host_place(b, s, b->egress, WEB_PORT))
			return true;
	}
	return false;
}

static bool
names_any_bare_host(struct patching *p)
{
	struct slice host;
	void *value;

	for (size_t i = 0; i < p->count; i++)
		if (names_bare_host(p, p->items[i].fresh))
			return true;
	for (size_t at = 0;
	     map_next(&p->b.egress->owner_by_host, &at, &host, &value);) {
		const struct host_owners *o = value;

		for (size_t i = 0; i < o->all.count; i++) {
			const struct ruling *r = o->all.items[i];

			if (names_bare_host(p, r->resource))
				return true;
		}
	}
	return false;
}

static bool
has_bare_host(const struct view_routes *web)
{
	for (size_t i = 0; web != NULL && i < web->hosts.count; i++) {
		const struct view_host *h = web->hosts.items[i];

		if (h->service == NULL)
			return true;
	}
	return false;
}

/* All hosts that rules name are there, if any service is. */
static bool
is_web_alike(struct patching *p, struct scope *s)
{
	const struct view_routes *web = map_get(&s->routes_by_name, S("80"));

	if ((web != NULL && has_stayed(p, web)) ||
	    (web != NULL) == has_come(p, s))
		return true;
	p->b.scope = s;
	p->b.egress = egress_of_port(s, WEB_PORT);
	return !has_bare_host(web) &&
	       (p->b.egress == NULL || !names_any_bare_host(p));
}

/* Hosts that only rules name are on another port, too, if any service is whose
 * rules these are, as long as anybody listens there. */
static bool
keeps_port_sets(const struct patching *p, const struct service_row *old)
{
	char port[SLICE_U64_MAX];

	for (const struct host_row *h = old != NULL ? old->hosts : NULL;
	     h != NULL; h = h->next_of_service) {
		const struct view_routes *set =
		    map_get(&scope_const(h->row.scope)->routes_by_name,
			slice_from_u64(h->row.port, port));

		if (set != NULL && h->row.port != WEB_PORT &&
		    has_bare_host(set) && !has_stayed(p, set))
			return false;
	}
	return true;
}

static bool
are_port_sets_alike(const struct patching *p)
{
	struct slice host;
	void *value;

	for (size_t i = 0; map_next(&p->services, &i, &host, &value);) {
		const struct service_now *now = value;

		if (!keeps_port_sets(p, now->old))
			return false;
	}
	return true;
}

static bool
are_webs_alike(struct patching *p)
{
	bool is_gateway = p->b.in->proxy == VIEW_ROUTER;

	for (size_t i = 0; !is_gateway && i < p->base->scopes.count; i++)
		if (!is_web_alike(p, p->base->scopes.items[i]))
			return false;
	return is_gateway || are_port_sets_alike(p);
}

/* --- the box -------------------------------------------------------------- */

static void
listen(struct patching *p)
{
	struct builder *b = &p->b;
	size_t count = p->base->scopes.count;

	b->box->outbound = mem_new_array(count, sizeof(*b->box->outbound));
	b->box->outbound_count = count;
	for (size_t i = 0; i < count; i++)
		listeners_init(&b->box->outbound[i]);
	if (b->in->proxy == VIEW_ROUTER || b->mesh->proxy_listen_port == 0)
		return; /* nobody here calls but by named listeners */
	for (size_t i = 0; i < count; i++) {
		b->scope = p->base->scopes.items[i];
		b->box->tells_hidden |= opens_hiding(b);
	}
	for (size_t i = 0; i < count; i++) {
		b->scope = p->base->scopes.items[i];
		renew_outbound(b, &b->box->outbound[i]);
	}
	b->scope = NULL;
}

static bool
fill(struct patching *p)
{
	struct view *v = p->b.v;

	if (!fill_rewired(p))
		return false;
	list_rewired(p);
	listen(p);
	v->front->names = v->names;
	v->front->name_count = v->name_count;
	if (p->services.count > 0)
		keep_names_now(&p->b);
	return true;
}

/* Each is of a rule that is told of anyway, if it is no other one; or of what a
 * listener hides, which goes with this box. */
static bool
is_told_of_rules_alone(const struct box *box)
{
	for (size_t i = 0; i < box->problems.count; i++) {
		const struct problem_row *p = box->problems.items[i];

		if (is_told_of_itself(p->tellers))
			return false;
	}
	return true;
}

/* False: more follows from it, or others than these services are told. */
bool
patch_front(struct patching *p)
{
	struct view *v = p->b.v;

	bool ok = true;

	if (p->services.count + p->rewired.count == 0)
		return true;
	if (p->services.count > 0 && !are_webs_alike(p))
		return false;
	list_hosts_now(p);
	if (has_front_of_before(p)) {
		v->front = box_ref(p->before->front);
		list_rewired(p);
	} else {
		v->front = open_box(&p->b);
		ok = fill(p);
		leave_box(p);
	}
	v->names = v->front->names;
	v->name_count = v->front->name_count;
	return ok && is_told_of_rules_alone(v->front) && !p->b.full &&
	       !p->b.more_follows;
}
