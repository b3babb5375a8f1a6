/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request — what would happen to one request, by the host that it names.
 */
#include "story.h"

/* --- the host ------------------------------------------------------------- */

static void
put_listener(struct story *s, const struct view_upstream *u)
{
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "name", u->name);
	tree_put_text(&s->t, map, "address", tree_addr(&s->t, &u->listen));
	tree_put_text(&s->t, map, "identity", u->caller.identity);
	tree_put(&s->t, s->root, "listener", map);
	s->seen.destination = u->listen;
}

/* Where a program of this machine would find the host. */
static void
put_listener_to(struct story *s, const struct view_host *h)
{
	size_t count;
	const struct view_upstream *u = view_upstreams(s->v, &count);
	size_t i = 0;

	while (i < count && view_host_now(s->v, u[i].host) != h)
		i++;
	if (i < count)
		put_listener(s, &u[i]);
	if (count > 0)
		tree_put_int(&s->t, s->root, "listeners", (int64_t)count);
}

static const struct view_host *
find_listener(struct story *s)
{
	const struct view_upstream *u =
	    view_find_upstream(s->v, s->ask->upstream);

	if (u == NULL) {
		story_outcome(s, 0, FLOW_NO_ROUTE,
		    tree_printf(&s->t, "there is no listener named %.*s",
			SLICE_ARG(s->ask->upstream)));
		return NULL;
	}
	story_caller(s, u->scope);
	put_listener(s, u);
	if (u->host == NULL)
		story_outcome(s, 503, FLOW_NO_CLUSTER, u->missing);
	return view_host_now(s->v, u->host);
}

static const struct view_host *
find_host(struct story *s)
{
	const struct view_scope *of =
	    view_find_scope(s->v, s->ask->ns, &s->ask->labels);
	const struct view_host *h;

	if (s->ask->upstream.len > 0)
		return find_listener(s);
	story_caller(s, of);
	h = view_find_host(s->v, of, s->ask->host, s->ask->port);
	if (h != NULL) {
		put_listener_to(s, h);
		return h;
	}
	story_error(s, "ErrNoVirtualHost");
	h = view_find_host(s->v, of, s->ask->host, 0);
	if (h != NULL)
		story_outcome(s, 404, FLOW_NO_ROUTE,
		    tree_printf(&s->t, "%.*s has no port %u",
			SLICE_ARG(h->host), (unsigned)s->ask->port));
	else
		story_outcome(s, 404, FLOW_NO_ROUTE,
		    tree_printf(&s->t,
			"no service and no rule is known for %.*s, as seen "
			"from namespace %.*s",
			SLICE_ARG(s->ask->host), SLICE_ARG(of->ns)));
	return NULL;
}

/* A connection to a port that declares no HTTP. */
static void
tell_tcp(struct story *s, const struct view_host *h)
{
	struct view_trace trace = {story_on_step, s};
	const struct view_tcp_route *r;

	if (s->seen.sni.len == 0) /* as clients of TLS say it mostly */
		s->seen.sni = story_or(s->ask->authority, s->ask->host);
	r = view_route_tcp(h, &s->seen, &trace);

	tree_put_text(&s->t, s->root, "virtualHostMatched", h->name);
	tree_put_text(&s->t, s->root, "note",
	    S("the port declares no HTTP, so rules for requests are not "
	      "asked; name it http-… or set appProtocol"));
	tree_put(&s->t, s->root, "rules", s->rules);
	story_tcp(s, r);
}

struct value *
model_explain(const struct view *v, const struct explain_request *request,
    struct arena *arena)
{
	struct story s;
	const struct view_host *h;

	story_init(&s, v, request, arena);
	h = find_host(&s);
	if (h != NULL) {
		story_meet(&s, &h->origin);
		tree_put_text(&s.t, s.root, "protocol",
		    slice_str(view_protocol_name(h->protocol)));
		if (h->protocol == VIEW_AUTO)
			tree_put_text(&s.t, s.root, "note",
			    S("the port declares no protocol, so it is found "
			      "out from the first bytes; this is what a "
			      "request meets"));
		if (h->protocol == VIEW_AUTO ||
		    view_protocol_is_http(h->protocol))
			story_http(&s, h);
		else
			tell_tcp(&s, h);
	}
	story_problems(&s);
	return s.t.full ? NULL : s.root;
}
