/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways — what a connection to a listener meets in a view.
 */
#include "outbound/inside.h"

/* By its own address: a client may be said to have called another one. */
const struct view_listener *
listener_gateway_row(const struct listener *l, const struct view *v)
{
	return view_find_listener(v, NULL, VIEW_GATEWAY, &l->addr);
}

static const struct view_listener *
outbound_row(const struct view *v, const struct addr *called)
{
	return view_find_listener(v, NULL, VIEW_OUTBOUND, called);
}

/* Where it is ended here: in front of programs of this machine. */
bool
listener_ends_mutual(const struct view_chain *c)
{
	return c->tls.mode == VIEW_TLS_ISTIO_MUTUAL &&
	       c->peers != MUTUAL_TLS_UNSET;
}

static const struct view_listener *
inbound_row(const struct view *v, const struct addr *called)
{
	return view_find_listener(v, NULL, VIEW_INBOUND, called);
}

const struct view_listener *
listener_captured_row(
    const struct listener *l, const struct view *v, const struct addr *called)
{
	return listener_is_inbound(l) ? inbound_row(v, called)
				      : outbound_row(v, called);
}

static void
chain_way(const struct view *v, const struct view_listener *l,
    const struct view_connection *seen, struct listener_way *out)
{
	out->why_not = S("this listener is no longer configured");
	if (l == NULL)
		return;
	out->caller = view_self(v);
	out->why_not = S("the listener takes no connection of this kind");
	out->chain = view_find_chain(v, l, seen);
	out->sniffs = l->sniffs_http && seen->alpn_count == 0 && !seen->tls;
	if (out->chain == NULL || view_chain_missing(out->chain).len == 0 ||
	    listener_ends_mutual(out->chain))
		return;
	out->why_not = view_chain_missing(out->chain);
	out->chain = NULL;
}

static bool
has_names(const struct view_host *h)
{
	for (size_t i = 0; i < h->tcp_count; i++)
		if (h->tcp[i].sni_count > 0)
			return true;
	return false;
}

static void
host_way(const struct view_host *host, const struct view_connection *seen,
    struct listener_way *out)
{
	out->host = host;
	out->peeks = host != NULL && has_names(host);
	out->sniffs = host != NULL && host->protocol == VIEW_AUTO &&
		      seen->alpn_count == 0;
}

static void
upstream_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out)
{
	const struct view_upstream *u =
	    view_find_upstream(v, slice_str(l->name));

	out->why_not = S("this listener is no longer configured");
	if (u == NULL)
		return;
	out->caller = &u->caller;
	host_way(view_host_now(v, u->host), seen, out);
	out->may_come = out->host == NULL;
	out->why_not = u->missing;
}

struct addr
listener_called(const struct listener *l, const struct addr *local)
{
	return l->kind == TARGET ? l->addr : *local;
}

/* As if it had been called without a proxy. */
static void
target_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out)
{
	struct view_connection called = *seen;

	called.destination = listener_called(l, &seen->destination);
	if (l->host == NULL) {
		chain_way(v, outbound_row(v, &l->addr), &called, out);
		return;
	}
	out->caller = view_self(v);
	out->why_not = S("the service is not known any more");
	host_way(view_find_host(v, NULL, slice_str(l->host), l->addr.port),
	    seen, out);
}

/* However a request of it was seen, behind TLS it came. */
static void
mutual_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out)
{
	struct view_connection called = *seen;

	called.tls = true;
	called.alpns = &l->alpn;
	called.alpn_count = l->alpn.len > 0;
	chain_way(v, inbound_row(v, &seen->destination), &called, out);
}

void
listener_way(const struct listener *l, const struct view *v,
    const struct view_connection *seen, struct listener_way *out)
{
	*out = (struct listener_way){0};
	switch (l->kind) {
	case UPSTREAM:
		upstream_way(l, v, seen, out);
		return;
	case GATEWAY:
		chain_way(v, listener_gateway_row(l, v), seen, out);
		return;
	case CAPTURED_IN:
		chain_way(v, inbound_row(v, &seen->destination), seen, out);
		return;
	case MUTUAL:
		mutual_way(l, v, seen, out);
		return;
	case CAPTURED_OUT:
	case PROXY:
		chain_way(v, outbound_row(v, &seen->destination), seen, out);
		if (l->is_own && out->caller != NULL)
			out->caller = &l->caller;
		return;
	case TARGET:
		target_way(l, v, seen, out);
	}
}

void
listener_way_of_request(const struct listener *l, const struct view *v,
    const struct addr *local, const struct addr *peer, struct listener_way *out)
{
	static const struct slice alpn = {"http/1.1", 8};
	const struct view_connection seen = {.destination = *local,
	    .source = *peer,
	    .alpns = &alpn,
	    .alpn_count = l->kind == GATEWAY ? 0 : 1};

	listener_way(l, v, &seen, out);
}

bool
listener_way_refuses_bytes(const struct listener_way *way)
{
	if (way->chain != NULL)
		return way->chain->refuses_bytes;
	return way->host != NULL && way->host->protocol == VIEW_AUTO &&
	       way->host->has_rules;
}

bool
listener_way_is_bytes(const struct listener_way *way)
{
	if (way->sniffs || way->peeks)
		return false;
	return way->chain != NULL ? way->chain->routes == NULL
				  : !view_protocol_is_http(way->host->protocol);
}

const struct view_caller *
listener_caller(const struct listener *l, const struct view *v)
{
	const struct view_upstream *u =
	    l->kind == UPSTREAM ? view_find_upstream(v, slice_str(l->name))
				: NULL;

	if (l->is_own)
		return &l->caller;
	return u != NULL ? &u->caller : view_self(v);
}
