/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select — which policies are for a workload.
 *
 * One in the root namespace is for all namespaces. A reference to a gateway is
 * for the gateway of that name alone; whoever is no gateway passes over it.
 */
#include "parts.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define GATEWAY_LABEL "gateway.networking.k8s.io/gateway-name"

static bool
is_that_gateway(const struct target_ref *t, struct slice gateway)
{
	return slice_eq(t->group, S(GATEWAY_GROUP)) &&
	       slice_eq(t->kind, S("Gateway")) && slice_eq(t->name, gateway);
}

static bool
refers_to(const struct policy_scope *s, struct slice gateway)
{
	for (size_t i = 0; i < s->target_refs.count; i++)
		if (is_that_gateway(&s->target_refs.items[i], gateway))
			return true;
	return s->target_refs.count == 0 && s->target_ref != NULL &&
	       is_that_gateway(s->target_ref, gateway);
}

bool
is_policy_for(const struct resource *r, const struct policy_scope *s,
    const struct policy_target *w)
{
	struct slice gateway = labels_get(&w->labels, S(GATEWAY_LABEL));

	if (s->target_refs.count > 0 || s->target_ref != NULL)
		return gateway.ptr != NULL && slice_eq(r->key.ns, w->ns) &&
		       refers_to(s, gateway);
	return s->selector == NULL ||
	       labels_match(&w->labels, &s->selector->match_labels);
}

static const struct policy_scope *
scope_of(const struct resource *r)
{
	if (r->kind == &kind_authorization_policy)
		return &((const struct authorization_policy *)r->spec)->scope;
	return &((const struct request_authentication *)r->spec)->scope;
}

static void
select_in(const struct view *v, struct slice ns, const struct policy_target *w,
    const struct resource_kind *kind, struct rows *out)
{
	for (size_t i = first_resource(v, kind, ns); i < v->resources.count;
	     i++) {
		struct resource *r = v->resources.items[i];

		if (r->kind != kind || !slice_eq(r->key.ns, ns))
			break;
		if (is_policy_for(r, scope_of(r), w))
			rows_add(out, r);
	}
}

void
select_policies(const struct view *v, const struct policy_target *w,
    const struct resource_kind *kind, struct rows *out)
{
	int n = slice_cmp(v->root_ns, w->ns);

	if (n <= 0)
		select_in(v, v->root_ns, w, kind, out);
	if (n != 0)
		select_in(v, w->ns, w, kind, out);
	if (n > 0)
		select_in(v, v->root_ns, w, kind, out);
}
