/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edge — what a gateway makes of a request that comes from outside.
 *
 * Whoever sent it is no member of the mesh: what proxies tell each other in
 * fields is not believed from there. As Istio's gateways have it
 * (use_remote_address): the peer is the last of X-Forwarded-For, and an id is
 * always a new one.
 */
#include "http/filter.h"

/* Fields of a proxy's own, in any case. */
static bool
is_internal(struct slice name)
{
	static const struct slice prefixes[] = {
	    {"x-envoy-", 8}, {"x-meshd-", 8}};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (slice_eq_nocase(
			slice_sub(name, 0, prefixes[i].len), prefixes[i]))
			return true;
	return false;
}

static void
remove_internal(struct http_head *h)
{
	for (size_t i = 0; i < h->count;) {
		struct slice name = h->fields[i].name;

		if (!is_internal(name) || http_head_remove(h, name) == 0)
			i++;
	}
	http_head_remove_id(h, HTTP_X_FORWARDED_CLIENT_CERT);
	http_head_remove_id(h, HTTP_X_REQUEST_ID);
}

static enum err
add_peer(struct request *r)
{
	static const struct slice name = {"x-forwarded-for", 15};
	struct http_head *h = r->head;
	struct slice before = http_head_join(h, name), all;
	bool has = http_head_has(h, HTTP_X_FORWARDED_FOR);
	char text[ADDR_TEXT_MAX];
	enum err e;

	addr_format_ip(&r->client->peer, text);
	all = arena_printf(h->arena, "%.*s%s%s", SLICE_ARG(before),
	    before.len > 0 ? "," : "", text);
	if (all.len == 0 || (has && before.ptr == NULL))
		return ERR_LIMIT;
	e = http_head_set_id(h, HTTP_X_FORWARDED_FOR, all);
	r->record.forwarded_for = all;
	return e != OK ? e
		       : http_head_set(h, S("x-envoy-external-address"),
			     slice_sub(all, all.len - strlen(text), all.len));
}

static enum filter_verdict
edge_request(struct request *r)
{
	if (!listener_is_gateway(r->client->listener))
		return FILTER_GO_ON;
	remove_internal(r->head);
	if (add_peer(r) == OK &&
	    http_head_set_id(r->head, HTTP_X_FORWARDED_PROTO, S("http")) == OK)
		return FILTER_GO_ON;
	request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
	    S("no room for the fields that a request from outside gets"));
	return FILTER_ANSWERED;
}

const struct filter filter_edge = {.name = "edge", .on_request = edge_request};
