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

/* NULL: nobody names one. */
const struct destination_spec *
egress_proxy_of(const struct scope *s)
{
	const struct outbound_policy *own = own_policy(s);

	return own != NULL ? own->egress_proxy : NULL;
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
	out->passes = true;
	out->missing = S("not in force yet: calls to what the mesh does not "
			 "know, but by the HTTP proxy and by capture");
}

static const char NOWHERE_WORDS[] =
    "the mesh does not know it, and outboundTrafficPolicy is REGISTRY_ONLY";

static void
compile_nowhere(struct view_destination *out)
{
	out->flag = FLOW_NO_CLUSTER;
	out->name = S("BlackHoleCluster");
	out->missing = slice_str(NOWHERE_WORDS);
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

/* Requests are answered where connections are led nowhere. */
static void
answer_all(struct builder *b, struct view_http_route *r)
{
	struct view_answer *a = take(b, 1, sizeof(*a));

	if (a != NULL) {
		a->status = 502;
		a->refusal = slice_str(NOWHERE_WORDS);
	}
	r->answer = a;
}

static void
send_all(struct builder *b, struct view_http_route *r, struct slice cluster)
{
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (d == NULL)
		return;
	compile_proxy(b, d);
	if (cluster.len > 0)
		d->name = cluster;
	r->destinations = d;
	r->destination_count = 1;
}

static const struct view_host *
unknown_host(struct builder *b, enum policy p)
{
	static const struct {
		const char *name;
		const char *cluster; /* in place of where it really leads */
	} words[] = {[NOWHERE] = {"block_all", ""},
	    [ANYWHERE] = {"allow_any", ""},
	    [BY_NAME] = {"allow_any_dynamic_dns", "AllowAnyDynamicDNSCluster"}};
	struct slice name = slice_str(words[p].name);
	struct view_http_route *r = take(b, 1, sizeof(*r));
	struct view_host *h = take(b, 1, sizeof(*h));

	if (r == NULL || h == NULL)
		return NULL;
	if (p == NOWHERE)
		answer_all(b, r);
	else
		send_all(b, r, slice_str(words[p].cluster));
	r->name = name;
	r->origin = h->origin = origin_of_policy(b);
	h->name = name;
	h->host = S("*");
	h->scope = &b->scope->row;
	h->protocol = VIEW_HTTP;
	h->http = r;
	h->http_count = 1;
	return h;
}

bool
view_is_unknown(const struct view_host *h)
{
	return h->scope != NULL && scope_const(h->scope)->unknown_host == h;
}

/* The host is known, and this port of it is another matter. */
static struct slice
port_words(const struct view *v, const struct view_called *c, struct arena *a)
{
	const struct view_host *h = view_find_host(v, NULL, c->host, c->port);

	if (h != NULL && !c->connect)
		return arena_printf(a,
		    "port %u of %.*s speaks %s, no HTTP; CONNECT reaches it",
		    (unsigned)c->port, SLICE_ARG(h->host),
		    view_protocol_name(h->protocol));
	h = view_find_host(v, NULL, c->host, 0);
	return h != NULL ? arena_printf(a, "%.*s has no port %u",
			       SLICE_ARG(h->host), (unsigned)c->port)
			 : SLICE_NONE;
}

bool
view_is_refused(const struct view *v, const struct view_called *c,
    struct arena *arena, struct view_refusal *out)
{
	const struct scope *s = v->scopes.items[0];
	const struct view_answer *a = s->unknown_host->http->answer;
	struct slice words = port_words(v, c, arena);

	if (words.len > 0)
		*out = (struct view_refusal){404, FLOW_NO_ROUTE, words};
	else if (a != NULL)
		*out = (struct view_refusal){
		    a->status, FLOW_NO_CLUSTER, a->refusal};
	return words.len > 0 || a != NULL;
}

const struct view_destination *
view_unknown_destination(const struct view *v)
{
	const struct scope *s = v->scopes.items[0];

	return s->unknown_route->destinations;
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
