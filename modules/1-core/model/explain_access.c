/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_access — whether a workload may be called so, and which policy says
 * it, as a tree.
 */
#include "explain_access.h"
#include "access/call.h"
#include "explain/verdict.h"
#include "tree.h"
#include "view/inside.h"

enum { TEXT_SHOWN = 200 };

struct story {
	struct tree t;
	const struct view *v;
	const struct explain_access *ask;
	const struct view_exposed *to;
	struct access_call call;
	struct value *root;
};

/* --- what was asked ------------------------------------------------------- */

static void
put_workload(struct story *s)
{
	const struct view_exposed *e = s->to;
	const struct view_guard *g = view_guard_now(s->v, e->guard);
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "service", e->host);
	tree_put_text(&s->t, map, "namespace", e->ns);
	tree_put_int(&s->t, map, "port", e->port);
	tree_put_int(&s->t, map, "workloadPort", e->target.port);
	tree_put(&s->t, map, "labels", tree_labels(&s->t, &e->labels));
	tree_put_int(&s->t, map, "policies",
	    g->access != NULL ? (int64_t)g->access->policies : 0);
	tree_put_int(&s->t, map, "tokenRules",
	    g->authn != NULL ? (int64_t)g->authn->count : 0);
	tree_put(&s->t, s->root, "workload", map);
}

static void
put_call(struct story *s)
{
	const struct access_call *c = &s->call;
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "from",
	    c->question.identity.len > 0 ? c->question.identity
					 : S("nobody: no certificate"));
	if (c->question.source.family != ADDR_NONE)
		tree_put_text(&s->t, map, "sourceIp",
		    tree_addr(&s->t, &c->question.source));
	if (c->question.remote.family != ADDR_NONE)
		tree_put_text(&s->t, map, "remoteIp",
		    tree_addr(&s->t, &c->question.remote));
	tree_put_text(&s->t, map, "sni", c->question.sni);
	tree_put_text(&s->t, map, "protocol", c->tcp ? S("tcp") : S("http"));
	if (!c->tcp) {
		tree_put_text(&s->t, map, "method", c->http.method);
		tree_put_text(&s->t, map, "host", c->http.authority);
		tree_put_text(&s->t, map, "path", c->http.path);
	}
	tree_put(&s->t, s->root, "call", map);
}

/* The exposed service; it is called where it listens, as its port is. */
static enum err
find_workload(struct story *s, struct fault *why)
{
	struct access_call *c = &s->call;
	struct labels labels;
	uint16_t port = c->port;

	for (size_t i = 0; port == 0 && i < s->v->exposed_count; i++)
		if (view_find_exposed_host(
			s->v, c->to, s->v->exposed[i].port) != NULL)
			port = s->v->exposed[i].port;
	s->to = view_find_exposed_host(s->v, c->to, port);
	if (s->to == NULL)
		return fault_set(why, ERR_NOT_FOUND,
		    "%.*s is not exposed here; ask on the machine that "
		    "serves it, or with its configuration as files",
		    SLICE_ARG(slice_sub(c->to, 0, TEXT_SHOWN)));
	labels = access_call_labels(c->labels, s->t.arena);
	if (c->labels != NULL && (!labels_match(&s->to->labels, &labels) ||
				     !labels_match(&labels, &s->to->labels)))
		return fault_set(why, ERR_INVALID,
		    "labels: the workload that serves %.*s here has others",
		    SLICE_ARG(slice_sub(c->to, 0, TEXT_SHOWN)));
	if (c->question.destination.family == ADDR_NONE)
		c->question.destination = s->to->target;
	c->question.destination.port = s->to->target.port;
	c->tcp = c->tcp || !view_protocol_is_http(s->to->protocol);
	return OK;
}

static struct verdict_ask
verdict_of(const struct story *s)
{
	const struct view_guard *g = view_guard_now(s->v, s->to->guard);
	struct verdict_ask a = {.v = s->v,
	    .access = g->access,
	    .authn = g->authn,
	    .call = s->call.question,
	    .parse_json = s->ask->parse_json,
	    .now_ms = s->ask->now_ms,
	    .given = slice_sub(
		s->call.bearer, strlen("Bearer "), s->call.bearer.len),
	    .claims = s->call.claims};

	if (!s->call.tcp)
		a.call.http = &s->call.http;
	return a;
}

enum err
model_explain_access(const struct view *v, const struct explain_access *ask,
    struct arena *arena, struct value **out, struct fault *why)
{
	struct story s = {.t = {.arena = arena}, .v = v, .ask = ask};
	struct verdict_ask verdict;
	enum err e = access_call_read(
	    ask->question, v->trust_domain, arena, &s.call, why);

	if (e == OK)
		e = find_workload(&s, why);
	if (e != OK)
		return e;
	s.root = tree_map(&s.t);
	put_workload(&s);
	put_call(&s);
	verdict = verdict_of(&s);
	(void)verdict_tell(&s.t, &verdict, s.root); /* it is in the tree */
	*out = s.t.full ? NULL : s.root;
	return OK;
}
