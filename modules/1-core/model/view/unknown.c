/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unknown — what becomes of calls to what a scope does not know.
 *
 * They go to where the program meant them to (ALLOW_ANY), by way of a proxy if
 * a Sidecar says so, or nowhere (REGISTRY_ONLY).
 */
#include "inside.h"

enum policy { NOWHERE, ANYWHERE, BY_NAME };

static const struct outbound_policy *
own_policy(const struct scope *s)
{
	return s->sidecar != NULL ? ((const struct sidecar *)s->sidecar->spec)
					->outbound_traffic_policy
				  : NULL;
}

/* A Sidecar's word, else the mesh's. */
static enum policy
policy_of(const struct builder *b)
{
	const struct outbound_policy *own = own_policy(b->scope);
	const struct mesh_outbound_policy *all = b->mesh->outbound;

	if (own != NULL)
		return own->mode == OUTBOUND_ALLOW_ANY ? ANYWHERE : NOWHERE;
	if (all == NULL || all->mode == MESH_OUTBOUND_ALLOW_ANY)
		return ANYWHERE;
	return all->mode == MESH_OUTBOUND_DYNAMIC_DNS ? BY_NAME : NOWHERE;
}

static void
compile_proxy(struct builder *b, struct view_destination *out)
{
	const struct outbound_policy *own = own_policy(b->scope);

	if (own != NULL && own->egress_proxy != NULL) {
		compile_destination(b, own->egress_proxy, b->scope->sidecar,
		    /* called */ 0, out);
		return;
	}
	out->flag = FLOW_NO_CLUSTER;
	out->name = S("PassthroughCluster");
	out->missing = S("not in force yet: calls to what the mesh does not "
			 "know");
}

static void
compile_nowhere(struct view_destination *out)
{
	out->flag = FLOW_NO_CLUSTER;
	out->name = S("BlackHoleCluster");
	out->missing = S("the mesh does not know it, and outboundTrafficPolicy "
			 "is REGISTRY_ONLY");
}

static struct origin
origin_of_policy(const struct builder *b)
{
	const struct outbound_policy *own = own_policy(b->scope);

	if (own != NULL)
		return origin_of(b->scope->sidecar, own->head.line);
	return (struct origin){.words = S("outboundTrafficPolicy of the mesh")};
}

static const struct view_tcp_route *
unknown_route(struct builder *b, enum policy p)
{
	struct view_tcp_route *r = take(b, 1, sizeof(*r));
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (r == NULL || d == NULL)
		return NULL;
	if (p == NOWHERE)
		compile_nowhere(d);
	else
		compile_proxy(b, d);
	r->destinations = d;
	r->destination_count = 1;
	r->origin = origin_of_policy(b);
	return r;
}

static const struct view_host *
unknown_host(struct builder *b, enum policy p)
{
	static const struct {
		const char *name;
		const char *cluster;
	} words[] = {[NOWHERE] = {"block_all", ""},
	    [ANYWHERE] = {"allow_any", "PassthroughCluster"},
	    [BY_NAME] = {"allow_any_dynamic_dns", "AllowAnyDynamicDNSCluster"}};
	struct slice name = slice_str(words[p].name);
	struct view_http_route *r = take(b, 1, sizeof(*r));
	struct view_destination *d = take(b, 1, sizeof(*d));
	struct view_host *h = take(b, 1, sizeof(*h));

	if (r == NULL || d == NULL || h == NULL)
		return NULL;
	if (p == NOWHERE)
		compile_nowhere(d);
	else
		compile_proxy(b, d);
	if (p != ANYWHERE)
		d->name = slice_str(words[p].cluster);
	r->name = name;
	r->destinations = d;
	r->destination_count = 1;
	r->origin = h->origin = origin_of_policy(b);
	h->name = name;
	h->host = S("*");
	h->scope = &b->scope->row;
	h->protocol = VIEW_HTTP;
	h->http = r;
	h->http_count = 1;
	return h;
}

const struct view_tcp_route *
nowhere_route(struct builder *b)
{
	return unknown_route(b, NOWHERE);
}

void
compile_unknown(struct builder *b)
{
	enum policy p = policy_of(b);

	b->scope->unknown_route = unknown_route(b, p);
	b->scope->unknown_host = unknown_host(b, p);
}
