/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection — what would happen to one connection, and to the request on it.
 *
 * Listener, chain, set of routes, virtual host, route: in this order, each by
 * the function that the proxy calls.
 */
#include "address.h"
#include "chains.h"
#include "story.h"
#include "verdict.h"

enum { WEB_PORT = 80 };

struct trip {
	struct story s;
	const struct explain_connection *c;
	struct slice alpns[EXPLAIN_ALPNS_MAX]; /* as the listener sees them */
	struct view_connection seen;
	const struct view_listener *listener;
	const struct view_chain *chain;
	struct value *steps;
};

/* --- what is told --------------------------------------------------------- */

static void
put_connection(struct trip *t)
{
	static const char *const protocols[] = {
	    [EXPLAIN_TCP] = "tcp",
	    [EXPLAIN_HTTP] = "http",
	    [EXPLAIN_HTTP2] = "http2",
	    [EXPLAIN_GRPC] = "grpc",
	};
	static const char *const tls[] = {
	    [EXPLAIN_PLAINTEXT] = "plaintext",
	    [EXPLAIN_TLS] = "tls",
	    [EXPLAIN_MTLS] = "mtls",
	    [EXPLAIN_CLIENT] = "client",
	};
	struct tree *tree = &t->s.t;
	struct value *map = tree_map(tree);

	tree_put_text(tree, map, "direction",
	    slice_str(view_direction_name(t->c->direction)));
	if (t->c->destination.family != ADDR_NONE)
		tree_put_text(tree, map, "destination",
		    tree_addr(tree, &t->c->destination));
	else
		tree_put_int(tree, map, "port", t->c->destination.port);
	tree_put_text(
	    tree, map, "protocol", slice_str(protocols[t->c->protocol]));
	tree_put_text(tree, map, "tls", slice_str(tls[t->c->tls]));
	tree_put_text(tree, map, "sni", t->c->sni);
	tree_put(tree, t->s.root, "connection", map);
}

static void
put_step(struct trip *t, const char *step, struct slice name,
    const struct origin *o, struct slice why)
{
	struct tree *tree = &t->s.t;
	struct value *map = tree_map(tree);

	tree_put_text(tree, map, "step", slice_str(step));
	tree_put_text(tree, map, "name", name);
	if (o != NULL)
		tree_put_text(tree, map, "origin", tree_origin(tree, o));
	tree_put_text(tree, map, "why", why);
	tree_add(tree, t->steps, map);
}

static void
refuse(
    struct trip *t, const char *error, enum flow_flag flag, struct slice reason)
{
	story_error(&t->s, error);
	story_outcome(&t->s, 0, flag, reason);
}

/* --- what the listener sees ----------------------------------------------- */

/* What a client of this kind offers by itself. */
static struct slice
usual_alpn(const struct explain_connection *c)
{
	bool two = c->protocol == EXPLAIN_HTTP2 || c->protocol == EXPLAIN_GRPC;

	if (c->tls == EXPLAIN_MTLS && c->secret.len == 0)
		return c->protocol == EXPLAIN_TCP ? S("istio")
		       : two                      ? S("istio-h2")
						  : S("istio-http/1.1");
	if (c->protocol == EXPLAIN_TCP)
		return S("");
	return two ? S("h2") : S("http/1.1");
}

/* A plain connection is read ahead for HTTP, one with TLS for its hello. */
static void
look(struct trip *t)
{
	const struct explain_connection *c = t->c;
	const struct view_listener *l = t->listener;

	t->seen = (struct view_connection){.destination = c->destination,
	    .tls = l->sniffs_tls && c->tls != EXPLAIN_PLAINTEXT,
	    .alpns = t->alpns};
	if (t->seen.tls) {
		t->seen.sni = c->sni;
		for (size_t i = 0; i < c->alpn_count; i++)
			t->alpns[t->seen.alpn_count++] = c->alpns[i];
		if (c->alpn_count == 0 && usual_alpn(c).len > 0)
			t->alpns[t->seen.alpn_count++] = usual_alpn(c);
	} else if (l->sniffs_http && c->tls == EXPLAIN_PLAINTEXT &&
		   c->protocol != EXPLAIN_TCP) {
		t->alpns[t->seen.alpn_count++] =
		    c->protocol == EXPLAIN_HTTP ? S("http/1.1") : S("h2c");
	}
}

/* --- TLS ------------------------------------------------------------------ */

static struct slice
tls_words(const struct view_chain *c)
{
	switch (c->tls.mode) {
	case VIEW_TLS_NONE:
		return c->routes != NULL
			   ? S("reads plain requests")
			   : S("passes the bytes on as they come");
	case VIEW_TLS_SIMPLE:
		return S("ends TLS with a certificate of its own");
	case VIEW_TLS_MUTUAL:
		return S("ends TLS and wants its client's certificate");
	case VIEW_TLS_OPTIONAL:
		return S("ends TLS and takes its client's certificate if "
			 "there is one");
	case VIEW_TLS_ISTIO_MUTUAL:
		return S("ends TLS of the mesh: both sides show who they are");
	}
	return S("");
}

/* What the proxy does not do yet is explained all the same. */
static struct slice
chain_words(struct trip *t)
{
	struct slice words = tls_words(t->chain);

	if (t->c->direction != VIEW_GATEWAY ||
	    view_chain_missing(t->chain).len == 0)
		return words;
	return tree_printf(&t->s.t,
	    "%.*s; not in force yet: the gateway takes nobody here",
	    SLICE_ARG(words));
}

/* Whether the client finds whom it expects, and shows what it is asked for. */
static bool
is_mutual(const struct trip *t)
{
	const struct view_chain_tls *tls = &t->chain->tls;

	if (tls->mode == VIEW_TLS_ISTIO_MUTUAL)
		return t->c->secret.len == 0;
	return tls->mode == VIEW_TLS_MUTUAL && t->c->secret.len > 0 &&
	       slice_is_among(t->c->secret, tls->secrets, tls->secret_count);
}

static bool
wants_certificate(enum view_tls_mode m)
{
	return m == VIEW_TLS_MUTUAL || m == VIEW_TLS_ISTIO_MUTUAL;
}

static bool
passes_tls(struct trip *t)
{
	enum view_tls_mode mode = t->chain->tls.mode;

	if (mode == VIEW_TLS_NONE)
		return true;
	if (t->c->tls == EXPLAIN_PLAINTEXT)
		refuse(t, "ErrTLSError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("the connection is plain, and TLS is expected here"));
	else if (t->c->tls == EXPLAIN_MTLS && !is_mutual(t))
		refuse(t, "ErrMTLSError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("the client expects another server's certificate"));
	else if (t->c->tls == EXPLAIN_CLIENT && mode == VIEW_TLS_ISTIO_MUTUAL)
		refuse(t, "ErrMTLSError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("a certificate of the mesh is wanted, and its client "
		      "has another"));
	else if (t->c->tls == EXPLAIN_TLS && wants_certificate(mode))
		refuse(t, "ErrMTLSError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("its client's certificate is wanted, and it has none"));
	else
		return true;
	return false;
}

/* --- the steps ------------------------------------------------------------ */

/* A program that calls a name is told its address, if it has one here. */
static void
find_address(
    struct trip *t, const struct view_scope *of, struct addr *destination)
{
	const struct view_service *s;

	if (t->c->direction != VIEW_OUTBOUND ||
	    destination->family != ADDR_NONE || t->s.ask->host.len == 0)
		return;
	s = address_of(t->s.v, of, t->s.ask->host, destination);
	if (s == NULL)
		return;
	put_step(t, "address", tree_addr(&t->s.t, destination), &s->origin,
	    S("of the name, in the mesh"));
}

enum { LISTENERS_TOLD = 8 };

/* And who does, instead. */
static struct slice
nobody_listens(struct trip *t, const struct view_scope *of)
{
	struct tree *tree = &t->s.t;
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(t->s.v, of, t->c->direction, &count);
	struct slice text = S("nobody listens at this address");

	if (count == 0 && t->s.is_gateway)
		return S("nobody listens at this address: no Gateway selects "
			 "this gateway");
	for (size_t i = 0; i < MIN(count, LISTENERS_TOLD); i++)
		text = tree_printf(tree, "%.*s%s%.*s", SLICE_ARG(text),
		    i == 0 ? "; there are listeners " : ", ",
		    SLICE_ARG(all[i]->name));
	return count > LISTENERS_TOLD
		   ? tree_printf(tree, "%.*s …", SLICE_ARG(text))
		   : text;
}

static bool
find_listener(struct trip *t, const struct view_scope *of)
{
	const struct view_listener *l =
	    view_find_listener(t->s.v, of, t->c->direction, &t->c->destination);

	t->listener = l;
	if (l == NULL) {
		refuse(
		    t, "ErrNoListener", FLOW_NO_ROUTE, nobody_listens(t, of));
		return false;
	}
	story_meet(&t->s, &l->origin);
	tree_put_text(&t->s.t, t->s.root, "listenerMatched", l->name);
	put_step(t, "listener", l->name, &l->origin,
	    l->reads_proxy_header
		? S("takes only what begins with a PROXY header, which says "
		    "who the client is")
		: S(""));
	return true;
}

/* One of the port, whatever else it asks for; NULL: the listener has none. */
static const struct view_chain *
chain_at(const struct view_listener *l, uint16_t port)
{
	const struct view_chain *any = NULL;

	for (size_t i = 0; i < l->chain_count; i++) {
		if (l->chains[i].match.port == port)
			return &l->chains[i];
		if (l->chains[i].match.port == 0 && any == NULL)
			any = &l->chains[i];
	}
	return any;
}

/* What the port takes; false if that rules this connection out. */
static bool
tell_peers(struct trip *t)
{
	static const char *const words[] = {
	    [MUTUAL_TLS_DISABLE] = "mutual TLS of the mesh is not taken here",
	    [MUTUAL_TLS_PERMISSIVE] =
		"mutual TLS of the mesh and plain text are taken here",
	    [MUTUAL_TLS_STRICT] =
		"nothing but mutual TLS of the mesh is taken here"};
	const struct view_chain *c =
	    chain_at(t->listener, t->c->destination.port);

	if (c == NULL || c->peers == MUTUAL_TLS_UNSET)
		return true;
	story_meet(&t->s, &c->peers_origin);
	put_step(t, "mutual TLS", slice_str(mutual_tls_mode_name(c->peers)),
	    &c->peers_origin, slice_str(words[c->peers]));
	return c->peers != MUTUAL_TLS_STRICT || t->c->tls != EXPLAIN_PLAINTEXT;
}

static bool
find_chain(struct trip *t)
{
	bool may_come = tell_peers(t);

	look(t);
	t->chain = t->s.chain = view_find_chain(t->s.v, t->listener, &t->seen);
	if (t->chain == NULL || !t->s.is_inbound)
		tree_put(&t->s.t, t->s.root, "chains",
		    chains_tell(&t->s.t, t->listener, t->chain, &t->seen));
	if (t->chain == NULL) {
		refuse(t, "ErrNoFilterChain", FLOW_NO_ROUTE,
		    may_come
			? S("the listener takes no connection of this kind")
			: S("the connection is plain, and nothing but mutual "
			    "TLS of the mesh is taken here"));
		return false;
	}
	story_meet(&t->s, &t->chain->origin);
	tree_put_text(&t->s.t, t->s.root, "filterChainMatched", t->chain->name);
	put_step(t, "chain", t->chain->name, &t->chain->origin, chain_words(t));
	return passes_tls(t);
}

/* --- policies ------------------------------------------------------------- */

/* Nobody, unless TLS is ended here and the client shows who it is. */
static struct slice
identity_of(struct trip *t)
{
	if (t->c->tls != EXPLAIN_MTLS || t->chain->tls.mode == VIEW_TLS_NONE)
		return S("");
	return verdict_identity(&t->s.t, t->s.v, t->c->peer);
}

static struct slice
identity_words(const struct trip *t, struct slice identity)
{
	if (identity.len > 0)
		return identity;
	return t->c->tls == EXPLAIN_MTLS || t->c->tls == EXPLAIN_CLIENT
		   ? S("it is not said whose certificate it is")
		   : S("nobody: no certificate");
}

static struct slice
verdict_words(struct trip *t, const struct verdict *v)
{
	if (v->allowed)
		return tree_printf(
		    &t->s.t, "allowed: %.*s", SLICE_ARG(v->reason));
	if (v->status > 0)
		return tree_printf(&t->s.t,
		    "to be refused with %u, but not enforced yet: %.*s",
		    v->status, SLICE_ARG(v->reason));
	return tree_printf(&t->s.t, "to be closed, but not enforced yet: %.*s",
	    SLICE_ARG(v->reason));
}

/* The verdict of the policies that hold for whom it leads to. */
static void
tell_access(struct trip *t, const struct http_attrs *http)
{
	const struct view_guard *g = view_guard_now(t->s.v, t->chain->guard);
	struct tree *tree = &t->s.t;
	struct value *map = tree_map(tree);
	const struct verdict_ask ask = {.v = t->s.v,
	    .access = g->access,
	    .authn = g->authn,
	    .call = {.identity = identity_of(t),
		.source = t->c->source,
		.destination = t->c->destination,
		.sni = t->seen.sni,
		.http = http},
	    .parse_json = t->c->parse_json,
	    .now_ms = t->c->now_ms};
	struct verdict v;

	if (g->access == NULL && g->authn == NULL)
		return;
	tree_put_text(tree, map, "from", identity_words(t, ask.call.identity));
	v = verdict_tell(tree, &ask, map);
	tree_put(tree, t->s.root, "access", map);
	put_step(t, "access", story_or(v.policy, S("policies")), v.origin,
	    verdict_words(t, &v));
}

/* --- requests ------------------------------------------------------------- */

/* Its bytes are requests that can be read. */
static bool
is_readable(struct trip *t)
{
	if (t->c->tls != EXPLAIN_PLAINTEXT &&
	    t->chain->tls.mode == VIEW_TLS_NONE)
		refuse(t, "ErrProtocolError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("requests are expected, and TLS comes"));
	else if (t->c->protocol == EXPLAIN_TCP)
		refuse(t, "ErrProtocolError", FLOW_DOWNSTREAM_PROTOCOL,
		    S("requests are expected, and other bytes come"));
	else
		return true;
	return false;
}

static void
redirect(struct trip *t, const struct view_host *h)
{
	tree_put_text(&t->s.t, t->s.root, "virtualHostMatched", h->name);
	story_error(&t->s, "ErrTLSRedirect");
	story_outcome(
	    &t->s, 301, FLOW_OK, S("plain requests are sent to https here"));
}

/* Of a proxy for programs; true if it is the end. */
static bool
refuse_unknown(struct trip *t, const struct http_attrs *http)
{
	struct view_called c = {0};
	struct view_refusal why;

	c.host = view_split_authority(http->authority, &c.port);
	if (c.port == 0)
		c.port = WEB_PORT;
	if (!view_is_refused(t->s.v, &c, t->s.t.arena, &why))
		return false;
	story_outcome(&t->s, why.status, why.flag, why.words);
	return true;
}

static void
tell_requests(struct trip *t)
{
	const struct view_routes *r = t->chain->routes;
	const struct view_host *h;
	struct http_attrs http = story_attrs(&t->s, NULL);

	if (!is_readable(t))
		return;
	tell_access(t, &http);
	/* The routes of an inbound chain are part of it. */
	if (t->c->direction != VIEW_INBOUND)
		tree_put_text(&t->s.t, t->s.root, "routeConfigMatched",
		    view_routes_name(r));
	put_step(t, "routes", view_routes_name(r), NULL, S(""));
	h = view_find_domain(t->s.v, r, t->s.ask->authority);
	if (h == NULL) {
		story_error(&t->s, "ErrNoVirtualHost");
		story_outcome(&t->s, 404, FLOW_NO_ROUTE,
		    tree_printf(&t->s.t,
			"no virtual host has the authority \"%.*s\"",
			SLICE_ARG(t->s.ask->authority)));
		return;
	}
	put_step(t, "virtual host", h->name, &h->origin, S(""));
	if (t->listener->proxies && view_is_unknown(h) &&
	    refuse_unknown(t, &http))
		return;
	if (h->needs_tls && t->c->tls == EXPLAIN_PLAINTEXT)
		redirect(t, h);
	else
		story_http(&t->s, h);
}

/* Where they would go is told even if they are refused. */
static void
tell_bytes(struct trip *t)
{
	tell_access(t, NULL);
	t->s.is_refused = t->chain->refuses_bytes;
	story_tcp(&t->s, t->chain->tcp);
}

struct value *
model_explain_connection(const struct view *v,
    const struct explain_connection *connection, struct arena *arena)
{
	struct explain_connection c = *connection;
	struct trip t = {.c = &c};
	const struct explain_request *ask = &connection->request;
	const struct view_scope *of =
	    connection->direction == VIEW_OUTBOUND
		? view_find_scope(v, ask->ns, &ask->labels)
		: NULL;

	story_init(&t.s, v, ask, arena);
	t.s.is_inbound = connection->direction == VIEW_INBOUND;
	t.s.is_gateway = connection->direction == VIEW_GATEWAY;
	t.s.port = connection->destination.port;
	t.steps = tree_list(&t.s.t);
	if (of != NULL)
		story_caller(&t.s, of);
	find_address(&t, of, &c.destination);
	put_connection(&t);
	if (find_listener(&t, of) && find_chain(&t)) {
		if (t.chain->routes != NULL)
			tell_requests(&t);
		else
			tell_bytes(&t);
	}
	tree_put(&t.s.t, t.s.root, "steps", t.steps);
	story_problems(&t.s);
	return t.s.t.full ? NULL : t.s.root;
}
