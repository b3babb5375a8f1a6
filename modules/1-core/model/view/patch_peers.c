/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_peers — PeerAuthentications that turn mutual TLS off somewhere, or no
 * more.
 *
 *	those of before ─┐
 *	                 ├─► for whom is it another word? ─► clusters made anew
 *	those of now    ─┘
 *
 * A cluster is made of it in two ways: each of its endpoints wants mutual TLS
 * unless its workload's policy turns that off, and the service's namespace says
 * it of the whole. All of a patch asks those of now; who is asked by nobody
 * that changed is not looked at.
 */
#include "kinds/security.h"
#include "patch.h"

/* --- does any turn it off ------------------------------------------------- */

static bool
turns_off(const struct resource *r)
{
	const struct peer_authentication *spec = r->spec;

	if (spec->mtls != NULL && spec->mtls->mode == MUTUAL_TLS_DISABLE)
		return true;
	for (size_t i = 0; i < spec->port_level_mtls.count; i++) {
		const struct mutual_tls *m =
		    spec->port_level_mtls.items[i].message;

		if (m->mode == MUTUAL_TLS_DISABLE)
			return true;
	}
	return false;
}

static bool
is_any_off(struct builder *b, const struct rows *resources)
{
	struct rows as_before = b->v->resources, some = {0};
	bool off = false;

	b->v->resources = *resources;
	rows_of_kind(b, &kind_peer_authentication, &some);
	b->v->resources = as_before;
	for (size_t i = 0; i < some.count; i++)
		off = off || turns_off(some.items[i]);
	rows_fini(&some);
	return off;
}

/* --- those of before and of now ------------------------------------------- */

static void
index_peers(struct builder *b, const struct rows *resources)
{
	struct rows as_before = b->v->resources;

	b->v->resources = *resources;
	b->is_quiet = true; /* it is told with what is said of this machine */
	map_init(&b->peers_by_ns);
	map_init(&b->peers_by_label);
	collect_peers(b);
	b->is_quiet = false;
	b->v->resources = as_before;
}

void
find_peers(struct patching *p)
{
	struct builder *b = &p->b;
	struct rows now = {0};

	p->other_peers = has_any_of(p, &kind_peer_authentication);
	list_moved(p, &kind_peer_authentication, &p->moved_peers);
	if (!p->other_peers && p->moved_peers.count == 0)
		return;
	list_resources(p, &now);
	if (p->moved_peers.count > 0 &&
	    (is_any_off(b, &now) || is_any_off(b, &p->before->resources))) {
		p->disarms = true;
		p->of_before = *b;
		index_peers(&p->of_before, &p->before->resources);
	}
	if (p->other_peers)
		index_peers(b, &now);
	rows_fini(&now);
}

void
forget_peers(struct patching *p)
{
	if (p->other_peers)
		peers_fini(&p->b);
	if (p->disarms)
		peers_fini(&p->of_before);
	rows_fini(&p->moved_peers);
}

/* --- for whom is it another word ------------------------------------------ */

static bool
is_asked(const struct patching *p, struct slice ns)
{
	for (size_t i = 0; i < p->moved_peers.count; i++) {
		const struct resource *r = p->moved_peers.items[i];

		if (slice_eq(r->key.ns, ns) ||
		    slice_eq(r->key.ns, p->base->root_ns))
			return true;
	}
	return false;
}

static bool
is_off(struct builder *b, struct slice ns, const struct labels *labels,
    uint16_t port)
{
	return mutual_tls_of(b, ns, labels, port) == MUTUAL_TLS_DISABLE;
}

static bool
is_other_word(struct patching *p, struct slice ns, const struct labels *labels,
    uint16_t port)
{
	return is_asked(p, ns) && is_off(&p->b, ns, labels, port) !=
				      is_off(&p->of_before, ns, labels, port);
}

/* What lies behind a gateway is not in it. */
static bool
is_other_cluster(struct patching *p, const struct view_cluster *c)
{
	if (c != NULL &&
	    ((const struct cluster_row *)(const void *)c)->is_behind)
		return true;
	for (size_t i = 0; c != NULL && i < c->endpoint_count; i++) {
		const struct view_endpoint *e = c->endpoints[i];

		if (is_other_word(p, e->ns, &e->labels, e->addr.port))
			return true;
	}
	return false;
}

static bool
is_other_port(struct patching *p, const struct port_row *port)
{
	for (const struct cluster_row *c = port->clusters; c != NULL;
	     c = c->next)
		if (is_other_cluster(
			p, slots_at(&p->before->clusters, c->row.slot)))
			return true;
	return false;
}

/* Of a service that is the base's, in the view before. Mostly endpoints are of
 * the service's namespace, and need not be looked at to know it. */
static bool
is_other_service(struct patching *p, const struct service_row *s)
{
	static const struct labels nobody = {NULL, 0};
	bool asked = is_asked(p, s->row.ns);

	if (asked && is_other_word(p, s->row.ns, &nobody, /* port */ 0))
		return true;
	for (size_t i = 0; i < s->port_count; i++)
		if ((asked || s->ports[i].is_scattered) &&
		    is_other_port(p, &s->ports[i]))
			return true;
	return false;
}

/* Of clusters that only boxes have. */
static void
mark_later(struct patching *p, bool *due)
{
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct rows *some = &p->before->renewals[i].box->clusters;

		for (size_t j = 0; j < some->count; j++) {
			const struct cluster_row *c = some->items[j];
			const struct service_row *s = service_of_cluster(c);

			if (!is_changed_service(&p->b, s) &&
			    is_other_cluster(
				p, slots_at(&p->before->clusters, c->row.slot)))
				due[s->serving - 1] = true;
		}
	}
}

bool
mark_disarmed(struct patching *p, bool *due)
{
	size_t count = 0;

	for (size_t i = 0; p->disarms && i < p->b.services.count; i++) {
		const struct service_row *s = p->b.services.items[i];

		if (!is_other_service(p, s) || !has_clusters(s) ||
		    is_changed_service(&p->b, s))
			continue;
		due[s->serving - 1] = true;
		if (++count > DUE_MAX)
			return false;
	}
	if (p->disarms)
		mark_later(p, due);
	return true;
}
