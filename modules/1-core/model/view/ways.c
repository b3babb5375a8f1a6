/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ways — how a port of this machine may be come to.
 *
 * By what PeerAuthentication says and what the port speaks; order and
 * application protocols are Istio's (its filter chain match options).
 */
#include "inbound.h"

static const struct {
	struct slice items[5];
	size_t count;
} alpns[] = {
    [ANY_ALPN] = {.count = 0},
    [PLAIN_HTTP] = {{{"http/1.1", 8}, {"h2c", 3}}, 2},
    [MESH_HTTP] = {{{"istio-http/1.0", 14}, {"istio-http/1.1", 14},
		       {"istio-h2", 8}},
	3},
    [MESH_TCP] = {{{"istio-peer-exchange", 19}, {"istio", 5}}, 2},
    [MESH_ANY] = {{{"istio", 5}, {"istio-peer-exchange", 19},
		      {"istio-http/1.0", 14}, {"istio-http/1.1", 14},
		      {"istio-h2", 8}},
	5},
};

enum kind { KIND_TCP, KIND_HTTP, KIND_SNIFFED, KINDS };

static const struct way ways[][KINDS][WAYS_MAX + 1] =
    {
	[MUTUAL_TLS_DISABLE] =
	    {
		[KIND_TCP] = {{VIEW_PLAIN, ANY_ALPN, false, false}},
		[KIND_HTTP] = {{VIEW_PLAIN, ANY_ALPN, false, true}},
		[KIND_SNIFFED] = {{VIEW_PLAIN, PLAIN_HTTP, false, true},
		    {VIEW_PLAIN, ANY_ALPN, false, false}},
	    },
	/* Another's TLS is told from the mesh's by the application protocol. */
	[MUTUAL_TLS_PERMISSIVE] =
	    {
		[KIND_TCP] = {{VIEW_TLS_TRANSPORT, MESH_ANY, true, false},
		    {VIEW_TLS_TRANSPORT, ANY_ALPN, false, false},
		    {VIEW_PLAIN, ANY_ALPN, false, false}},
		[KIND_HTTP] = {{VIEW_TLS_TRANSPORT, MESH_ANY, true, true},
		    {VIEW_PLAIN, ANY_ALPN, false, true}},
		[KIND_SNIFFED] = {{VIEW_TLS_TRANSPORT, MESH_HTTP, true, true},
		    {VIEW_PLAIN, PLAIN_HTTP, false, true},
		    {VIEW_TLS_TRANSPORT, MESH_TCP, true, false},
		    {VIEW_PLAIN, ANY_ALPN, false, false},
		    {VIEW_TLS_TRANSPORT, ANY_ALPN, false, false}},
	    },
	[MUTUAL_TLS_STRICT] =
	    {
		[KIND_TCP] = {{VIEW_TLS_TRANSPORT, ANY_ALPN, true, false}},
		[KIND_HTTP] = {{VIEW_TLS_TRANSPORT, ANY_ALPN, true, true}},
		[KIND_SNIFFED] = {{VIEW_TLS_TRANSPORT, MESH_HTTP, true, true},
		    {VIEW_TLS_TRANSPORT, ANY_ALPN, true, false}},
	    },
};

/* Where a Sidecar's ingress ends TLS with a certificate of its own. */
static const struct way own_tls[KINDS][2] = {
    [KIND_TCP] = {{VIEW_TLS_TRANSPORT, ANY_ALPN, true, false}},
    [KIND_HTTP] = {{VIEW_TLS_TRANSPORT, ANY_ALPN, true, true}},
    [KIND_SNIFFED] = {{VIEW_TLS_TRANSPORT, ANY_ALPN, true, true}},
};

static enum kind
kind_of(enum view_protocol p)
{
	if (view_protocol_is_http(p))
		return KIND_HTTP;
	return p == VIEW_AUTO ? KIND_SNIFFED : KIND_TCP;
}

const struct way *
inbound_ways(enum mutual_tls_mode peers, enum view_protocol p)
{
	return ways[peers][kind_of(p)];
}

const struct way *
inbound_ways_behind_tls(enum view_protocol p)
{
	return own_tls[kind_of(p)];
}

void
way_match(const struct way *w, struct view_chain_match *out)
{
	out->transport = w->transport;
	out->alpns = alpns[w->alpns].items;
	out->alpn_count = alpns[w->alpns].count;
}
