/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls — which listener, chain and virtual host a call meets.
 */
#include "calls.h"
#include "unit.h"

static const struct view_listener *
find_listener_of(const struct compiled *c, const char *to)
{
	struct addr a;

	EXPECT_OK(addr_parse(slice_str(to), &a));
	return view_find_listener(c->v, NULL, VIEW_OUTBOUND, &a);
}

struct slice
call_listener(const struct compiled *c, const char *to)
{
	const struct view_listener *l = find_listener_of(c, to);

	return l != NULL ? l->name : S("none");
}

static const struct view_chain *
find_chain_of(const struct compiled *c, const struct call *call)
{
	const struct view_listener *l = find_listener_of(c, call->to);
	const struct slice http = S("http/1.1");
	struct view_connection met = {0};

	EXPECT_TRUE(l != NULL);
	EXPECT_OK(addr_parse(slice_str(call->to), &met.destination));
	if (call->sni != NULL && l->sniffs_tls) {
		met.tls = true;
		met.sni = slice_str(call->sni);
	} else if (call->http && l->sniffs_http) {
		met.alpns = &http;
		met.alpn_count = 1;
	}
	return view_find_chain(c->v, l, &met);
}

struct slice
call_target(const struct compiled *c, struct call call)
{
	const struct view_chain *chain = find_chain_of(c, &call);

	if (chain == NULL)
		return S("none");
	return chain->routes != NULL ? view_routes_name(chain->routes)
				     : chain->tcp->destinations[0].name;
}

struct slice
call_host(const struct compiled *c, struct call call)
{
	const struct view_chain *chain = find_chain_of(c, &call);
	const struct view_host *h = NULL;

	if (chain != NULL && chain->routes != NULL)
		h = view_find_domain(c->v, chain->routes, slice_str(call.host));
	return h != NULL ? h->name : S("none");
}
