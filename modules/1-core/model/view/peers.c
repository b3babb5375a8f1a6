/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers — whether a workload takes plain text: PeerAuthentication.
 *
 * The narrowest policy that says something decides: one for single ports of
 * the workload, one for the workload, one for its namespace, one for the mesh;
 * of several of one kind the oldest. What nobody says is PERMISSIVE.
 *
 * It is asked for each endpoint of the mesh, so a policy with a selector is
 * found by one of its labels, and not by a walk over all of its namespace.
 */
#include "inside.h"

static const struct peer_authentication *
spec_of(const struct resource *r)
{
	return r->spec;
}

static const struct labels *
selector_of(const struct resource *r)
{
	static const struct labels everything = {NULL, 0};
	const struct policy_selector *s = spec_of(r)->selector;

	return s != NULL ? &s->match_labels : &everything;
}

/* --- the index ------------------------------------------------------------ */

static void
add_selecting(struct builder *b, const struct resource *r)
{
	char text[LABEL_KEY_BYTES];
	struct slice key = label_key(r->key.ns, selector_of(r)->items, text);

	rows_add_under(b, &b->peers_by_label, key, (void *)(uintptr_t)r);
}

static void
add(struct builder *b, const struct resource *r)
{
	struct origin o = origin_of(r, 0);
	const struct resource *older;
	char name[RESOURCE_KEY_MAX];

	if (selector_of(r)->count > 0 && slice_eq(r->key.ns, b->v->root_ns)) {
		add_loss(b, &o,
		    "is not used: in the root namespace %.*s only one without "
		    "a selector is, for all of the mesh",
		    SLICE_ARG(b->v->root_ns));
		return;
	}
	if (selector_of(r)->count > 0) {
		add_selecting(b, r);
		return;
	}
	older = map_get(&b->peers_by_ns, r->key.ns);
	if (older != NULL)
		add_loss(b, &o, "is not used, as %s is older",
		    resource_key_format(&older->key, name));
	else
		(void)map_put(&b->peers_by_ns, r->key.ns,
		    (void *)(uintptr_t)r); /* was not there */
}

void
collect_peers(struct builder *b)
{
	struct rows all = {0};

	rows_of_kind(b, &kind_peer_authentication, &all);
	for (size_t i = 0; i < all.count; i++)
		add(b, all.items[i]);
	rows_fini(&all);
}

void
peers_fini(struct builder *b)
{
	map_fini(&b->peers_by_ns, NULL);
	map_fini(&b->peers_by_label, rows_drop);
}

/* --- asking --------------------------------------------------------------- */

/* The oldest whose selector fits. */
static const struct resource *
selecting(const struct builder *b, struct slice ns, const struct labels *labels)
{
	const struct resource *best = NULL;
	char key[LABEL_KEY_BYTES];

	for (size_t i = 0; b->peers_by_label.count > 0 && i < labels->count;
	     i++) {
		const struct rows *all = map_get(
		    &b->peers_by_label, label_key(ns, &labels->items[i], key));

		for (size_t j = 0; all != NULL && j < all->count; j++) {
			const struct resource *r = all->items[j];

			if (!labels_match(labels, selector_of(r)))
				continue;
			if (best == NULL || resource_age_cmp(r, best) < 0)
				best = r;
			break; /* those behind it are younger */
		}
	}
	return best;
}

static void
narrow(struct peer_policy *p, const struct resource *r)
{
	const struct mutual_tls *m = r != NULL ? spec_of(r)->mtls : NULL;

	if (m == NULL || m->mode == MUTUAL_TLS_UNSET)
		return;
	p->mode = (enum mutual_tls_mode)m->mode;
	p->by = r;
}

struct peer_policy
peer_policy_of(
    const struct builder *b, struct slice ns, const struct labels *labels)
{
	struct peer_policy p = {.mode = MUTUAL_TLS_PERMISSIVE};

	narrow(&p, map_get(&b->peers_by_ns, b->v->root_ns));
	narrow(&p, map_get(&b->peers_by_ns, ns));
	p.workload = selecting(b, ns, labels);
	narrow(&p, p.workload);
	return p;
}

uint16_t
peer_policy_port(const struct peer_policy *p, size_t i)
{
	const struct peer_authentication *spec;
	uint64_t port;

	if (p->workload == NULL)
		return 0;
	spec = spec_of(p->workload);
	if (i >= spec->port_level_mtls.count ||
	    slice_to_u64(spec->port_level_mtls.items[i].key, &port) != OK)
		return 0;
	return (uint16_t)port; /* it was checked */
}

enum mutual_tls_mode
peer_policy_on(
    const struct peer_policy *p, uint16_t port, const struct resource **out_by)
{
	uint16_t apart;

	*out_by = p->by;
	for (size_t i = 0; (apart = peer_policy_port(p, i)) != 0; i++) {
		const struct mutual_tls *m =
		    spec_of(p->workload)->port_level_mtls.items[i].message;

		if (apart != port || m->mode == MUTUAL_TLS_UNSET)
			continue;
		*out_by = p->workload;
		return (enum mutual_tls_mode)m->mode;
	}
	return p->mode;
}

enum mutual_tls_mode
mutual_tls_of(struct builder *b, struct slice ns, const struct labels *labels,
    uint16_t port)
{
	struct peer_policy p = peer_policy_of(b, ns, labels);
	const struct resource *by;

	return peer_policy_on(&p, port, &by);
}
