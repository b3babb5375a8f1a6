/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_access — whether a workload may be called so, and which policy says
 * it, as a tree.
 */
#include "explain_access.h"
#include "access/call.h"
#include "tree.h"
#include "view/inside.h"

enum {
	VALUES_SHOWN = 4,
	TEXT_SHOWN = 200,
	CLOCK_SKEW_MS = 60 * 1000,
	TOKEN_MAX = 64 << 10
};

struct story {
	struct tree t;
	const struct view *v;
	const struct explain_access *ask;
	const struct view_exposed *to;
	struct access_call call;
	struct value *root;
	struct value *rules;
};

/* --- tokens --------------------------------------------------------------- */

static const struct value *
claims_of(struct story *s, struct slice token)
{
	struct slice rest = token;
	struct slice header = slice_split(&rest, '.');
	struct slice body = slice_split(&rest, '.');
	const struct value *claims = NULL;
	uint8_t *text;
	size_t n;

	if (s->call.claims != NULL &&
	    token.ptr == s->call.bearer.ptr + strlen("Bearer "))
		return s->call.claims;
	if (header.len == 0 || rest.ptr == NULL || body.len == 0 ||
	    body.len > TOKEN_MAX || slice_find(rest, '.') < rest.len)
		return NULL;
	text = arena_alloc(s->t.arena, body.len);
	if (text == NULL ||
	    crypto_base64url_decode(body, text, body.len, &n) != OK ||
	    s->ask->parse_json(slice_of(text, n), s->t.arena, &claims, NULL) !=
		OK)
		return NULL;
	return claims->type == VALUE_MAP ? claims : NULL;
}

/* Seconds since 1970; false if it is not there. */
static bool
time_of(const struct value *claims, struct slice name, double *out_ms)
{
	const struct value *v = value_get(claims, name);

	if (v == NULL || (v->type != VALUE_INT && v->type != VALUE_FLOAT))
		return false;
	*out_ms = (v->type == VALUE_INT ? (double)v->integer : v->real) * 1e3;
	return true;
}

/* But for the signature, which who explains has no keys for. */
static enum authn_verdict
verify(void *arg, const struct authn_rule *rule, struct slice token,
    const struct value **out)
{
	struct story *s = arg;
	double now = (double)s->ask->now_ms, ms;

	(void)rule;
	*out = claims_of(s, token);
	if (*out == NULL)
		return AUTHN_MALFORMED;
	if (time_of(*out, S("exp"), &ms) && now > ms + CLOCK_SKEW_MS)
		return AUTHN_EXPIRED;
	if (time_of(*out, S("nbf"), &ms) && now < ms - CLOCK_SKEW_MS)
		return AUTHN_EXPIRED;
	return AUTHN_VALID;
}

static void
put_token(struct story *s, const struct authn_decision *d)
{
	struct value *map = tree_map(&s->t);
	const struct value *claims = d->claims.tree;

	if (d->rule == NULL)
		return;
	if (d->status != 0)
		tree_put_int(&s->t, map, "status", d->status);
	tree_put_text(
	    &s->t, map, "why", slice_str(authn_verdict_words(d->why)));
	tree_put_text(&s->t, map, "issuer",
	    value_get_string(claims, S("iss"), SLICE_NONE));
	tree_put_text(&s->t, map, "subject",
	    value_get_string(claims, S("sub"), SLICE_NONE));
	tree_put_text(
	    &s->t, map, "origin", tree_origin(&s->t, &d->rule->origin));
	tree_put_text(&s->t, map, "note",
	    S("its signature is not verified here; it is taken for good"));
	tree_put(&s->t, s->root, "token", map);
}

/* --- rules ---------------------------------------------------------------- */

static struct slice
policy_name(struct story *s, const struct access_policy *p)
{
	return tree_printf(&s->t, "%.*s/%.*s", SLICE_ARG(p->origin.key.ns),
	    SLICE_ARG(p->origin.key.name));
}

/* "source.principal is one of a, b". */
static struct slice
condition(struct story *s, const struct access_condition *c)
{
	struct slice all = S("");

	for (size_t i = 0; i < c->count && i < VALUES_SHOWN; i++)
		all = tree_printf(&s->t, "%.*s%s%.*s", SLICE_ARG(all),
		    i > 0 ? ", " : "",
		    SLICE_ARG(slice_sub(c->values[i].written, 0, TEXT_SHOWN)));
	if (c->count > VALUES_SHOWN)
		all = tree_printf(
		    &s->t, "%.*s … (%zu)", SLICE_ARG(all), c->count);
	return tree_printf(&s->t, "%.*s is %s %.*s", SLICE_ARG(c->name),
	    c->negated ? "none of" : "one of", SLICE_ARG(all));
}

static struct slice
why_not(struct story *s, const struct access_step *step)
{
	struct slice wanted, others = S("");

	if (step->matched)
		return S("");
	if (step->failed == NULL)
		return step->rule->never;
	wanted = condition(s, step->failed);
	if (step->others > 0)
		others = tree_printf(
		    &s->t, "; nor does one of %zu others hold", step->others);
	if (step->has_actual)
		return tree_printf(&s->t, "not so: %.*s; it is \"%.*s\"%.*s",
		    SLICE_ARG(wanted),
		    SLICE_ARG(slice_sub(step->actual, 0, TEXT_SHOWN)),
		    SLICE_ARG(others));
	return tree_printf(&s->t, "not so: %.*s; the call has none%.*s",
	    SLICE_ARG(wanted), SLICE_ARG(others));
}

static void
on_step(void *arg, const struct access_step *step)
{
	struct story *s = arg;
	struct value *map = tree_map(&s->t);
	struct slice actual;

	/* It is for this call only. */
	if (arena_copy(s->t.arena, step->actual, &actual) != OK)
		s->t.full = true;
	tree_put_text(
	    &s->t, map, "stage", slice_str(access_stage_name(step->stage)));
	tree_put_text(&s->t, map, "policy", policy_name(s, step->rule->policy));
	tree_put_int(&s->t, map, "rule", (int64_t)step->rule->index + 1);
	tree_put_text(
	    &s->t, map, "origin", tree_origin(&s->t, &step->rule->origin));
	tree_put_bool(&s->t, map, "matched", step->matched);
	tree_put_text(&s->t, map, "why", why_not(s, step));
	tree_add(&s->t, s->rules, map);
}

static void
put_rule(struct story *s, struct value *map, const struct access_rule *r)
{
	if (r == NULL)
		return;
	tree_put_text(&s->t, map, "policy", policy_name(s, r->policy));
	tree_put_int(&s->t, map, "rule", (int64_t)r->index + 1);
	tree_put_text(&s->t, map, "origin", tree_origin(&s->t, &r->origin));
}

/* --- the end of it -------------------------------------------------------- */

static void
put_outcome(struct story *s, bool allowed, unsigned status, struct slice reason)
{
	struct value *map = tree_map(&s->t);

	tree_put_bool(&s->t, map, "allowed", allowed);
	tree_put_int(&s->t, map, "status", s->call.tcp ? 0 : status);
	tree_put_text(&s->t, map, "reason", reason);
	tree_put(&s->t, s->root, "outcome", map);
}

static struct slice
reason_of(struct story *s, const struct access_decision *d)
{
	switch (d->reason) {
	case ACCESS_NO_ALLOW_POLICY:
		return S("no DENY rule takes it, and no ALLOW policy is for "
			 "the workload");
	case ACCESS_ALLOW_RULE:
		return S("an ALLOW rule takes it");
	case ACCESS_NO_ALLOW_RULE:
		return S("there are ALLOW policies, and none of their rules "
			 "takes it");
	case ACCESS_DENY_RULE:
		return S("a DENY rule takes it");
	case ACCESS_BAD_PROVIDER:
		return tree_printf(&s->t,
		    "a CUSTOM rule takes it, and nobody can be asked: %.*s",
		    SLICE_ARG(s->to->access->provider->bad));
	}
	return S("");
}

static void
put_besides(struct story *s, const struct access_decision *d)
{
	struct value *ask = tree_map(&s->t);
	struct value *audit = tree_map(&s->t);
	struct value *dry = tree_map(&s->t);

	if (d->ask != NULL)
		tree_put_text(&s->t, ask, "provider", d->ask->policy->provider);
	put_rule(s, ask, d->ask);
	tree_put(&s->t, s->root, "ask", ask);
	put_rule(s, audit, d->audit);
	tree_put(&s->t, s->root, "audit", audit);
	if (d->dry != NULL || d->dry_denied)
		tree_put_bool(&s->t, dry, "allowed", !d->dry_denied);
	put_rule(s, dry, d->dry);
	tree_put(&s->t, s->root, "dryRun", dry);
}

static void
tell_decision(struct story *s, const struct access_question *q)
{
	const struct access_trace trace = {on_step, s};
	struct access_decision d = view_access_decide(s->to->access, q, &trace);

	put_outcome(s, d.allowed, d.allowed ? 0 : 403, reason_of(s, &d));
	put_rule(s, s->root, d.rule);
	put_besides(s, &d);
	tree_put(&s->t, s->root, "rules", s->rules);
}

static void
tell_tcp(struct story *s)
{
	tell_decision(s, &s->call.question);
}

static void
tell_http(struct story *s)
{
	struct access_question q = s->call.question;
	struct http_attrs http = s->call.http;
	struct authn_decision token;
	enum err e =
	    view_normalize_path(s->v, http.path, s->t.arena, &http.path);

	if (e != OK) {
		s->t.full = s->t.full || e == ERR_LIMIT;
		put_outcome(s, false, 400, S("the path holds a zero byte"));
		return;
	}
	token = view_authn_decide(s->to->authn, &http, verify, s);
	put_token(s, &token);
	if (token.status != 0) {
		put_outcome(s, false, token.status,
		    tree_printf(
			&s->t, "a token %s", authn_verdict_words(token.why)));
		return;
	}
	q.http = &http;
	q.claims = token.claims;
	tell_decision(s, &q);
}

/* --- what was asked ------------------------------------------------------- */

static void
put_workload(struct story *s)
{
	const struct view_exposed *e = s->to;
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "service", e->host);
	tree_put_text(&s->t, map, "namespace", e->ns);
	tree_put_int(&s->t, map, "port", e->port);
	tree_put_int(&s->t, map, "workloadPort", e->target.port);
	tree_put(&s->t, map, "labels", tree_labels(&s->t, &e->labels));
	tree_put_int(&s->t, map, "policies",
	    e->access != NULL ? (int64_t)e->access->policies : 0);
	tree_put_int(&s->t, map, "tokenRules",
	    e->authn != NULL ? (int64_t)e->authn->count : 0);
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

enum err
model_explain_access(const struct view *v, const struct explain_access *ask,
    struct arena *arena, struct value **out, struct fault *why)
{
	struct story s = {.t = {.arena = arena}, .v = v, .ask = ask};
	enum err e = access_call_read(
	    ask->question, v->trust_domain, arena, &s.call, why);

	if (e == OK)
		e = find_workload(&s, why);
	if (e != OK)
		return e;
	s.root = tree_map(&s.t);
	s.rules = tree_list(&s.t);
	put_workload(&s);
	put_call(&s);
	if (s.call.tcp)
		tell_tcp(&s);
	else
		tell_http(&s);
	tree_put_bool(&s.t, s.root, "enforced", false);
	tree_put_text(&s.t, s.root, "note",
	    S("compiled and explained; the proxy does not enforce policies "
	      "yet"));
	*out = s.t.full ? NULL : s.root;
	return OK;
}
