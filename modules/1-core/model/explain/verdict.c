/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — what policies say of one call, as a tree.
 */
#include "verdict.h"

#include "../access/call.h"
#include "../access/parts.h"

enum { TEXT_SHOWN = 200, CLOCK_SKEW_MS = 60 * 1000, TOKEN_MAX = 64 << 10 };

/* While it is told. */
struct telling {
	struct tree *t;
	const struct verdict_ask *ask;
	struct value *map;
	struct value *rules;
	struct verdict told;
};

/* --- tokens --------------------------------------------------------------- */

static const struct value *
claims_of(struct telling *s, struct slice token)
{
	struct slice rest = token;
	struct slice header = slice_split(&rest, '.');
	struct slice body = slice_split(&rest, '.');
	const struct value *claims = NULL;
	uint8_t *text;
	size_t n;

	if (s->ask->claims != NULL && token.ptr == s->ask->given.ptr)
		return s->ask->claims;
	if (s->ask->parse_json == NULL || header.len == 0 || rest.ptr == NULL ||
	    body.len == 0 || body.len > TOKEN_MAX ||
	    slice_find(rest, '.') < rest.len)
		return NULL;
	text = arena_alloc(s->t->arena, body.len);
	if (text == NULL ||
	    crypto_base64url_decode(body, text, body.len, &n) != OK ||
	    s->ask->parse_json(slice_of(text, n), s->t->arena, &claims, NULL) !=
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
	struct telling *s = arg;
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
put_token(struct telling *s, const struct authn_decision *d)
{
	struct value *map = tree_map(s->t);
	const struct value *claims = d->claims.tree;

	if (d->rule == NULL)
		return;
	if (d->status != 0)
		tree_put_int(s->t, map, "status", d->status);
	tree_put_text(s->t, map, "why", slice_str(authn_verdict_words(d->why)));
	tree_put_text(s->t, map, "issuer",
	    value_get_string(claims, S("iss"), SLICE_NONE));
	tree_put_text(s->t, map, "subject",
	    value_get_string(claims, S("sub"), SLICE_NONE));
	tree_put_text(s->t, map, "origin", tree_origin(s->t, &d->rule->origin));
	tree_put_text(s->t, map, "note",
	    S("its signature is not verified here; it is taken for good"));
	tree_put(s->t, s->map, "token", map);
	if (d->status != 0)
		s->told.origin = &d->rule->origin;
}

/* --- rules ---------------------------------------------------------------- */

static struct slice
policy_name(struct telling *s, const struct access_policy *p)
{
	return tree_printf(s->t, "%.*s/%.*s", SLICE_ARG(p->origin.key.ns),
	    SLICE_ARG(p->origin.key.name));
}

/* A DENY rule gets wider where there is no request to ask. */
static struct slice
why(const struct telling *s, const struct access_step *step)
{
	return s->ask->call.http == NULL && rule_is_about_requests(step->rule)
		   ? S("takes it; what it asks of requests is not asked of a "
		       "connection")
		   : S("");
}

static struct slice
why_not(struct telling *s, const struct access_step *step)
{
	struct slice wanted, others = S("");

	if (step->failed == NULL)
		return step->rule->never;
	wanted = tree_access_condition(s->t, step->failed);
	if (step->others > 0)
		others = tree_printf(
		    s->t, "; nor does one of %zu others hold", step->others);
	if (step->has_actual)
		return tree_printf(s->t, "not so: %.*s; it is \"%.*s\"%.*s",
		    SLICE_ARG(wanted),
		    SLICE_ARG(slice_sub(step->actual, 0, TEXT_SHOWN)),
		    SLICE_ARG(others));
	return tree_printf(s->t, "not so: %.*s; the call has none%.*s",
	    SLICE_ARG(wanted), SLICE_ARG(others));
}

static void
on_step(void *arg, const struct access_step *step)
{
	struct telling *s = arg;
	struct value *map = tree_map(s->t);
	struct slice actual;

	/* It is for this call only. */
	if (arena_copy(s->t->arena, step->actual, &actual) != OK)
		s->t->full = true;
	tree_put_text(
	    s->t, map, "stage", slice_str(access_stage_name(step->stage)));
	tree_put_text(s->t, map, "policy", policy_name(s, step->rule->policy));
	tree_put_int(s->t, map, "rule", (int64_t)step->rule->index + 1);
	tree_put_text(
	    s->t, map, "origin", tree_origin(s->t, &step->rule->origin));
	tree_put_bool(s->t, map, "matched", step->matched);
	tree_put_text(
	    s->t, map, "why", step->matched ? why(s, step) : why_not(s, step));
	tree_add(s->t, s->rules, map);
}

static void
put_rule(struct telling *s, struct value *map, const struct access_rule *r)
{
	if (r == NULL)
		return;
	tree_put_text(s->t, map, "policy", policy_name(s, r->policy));
	tree_put_int(s->t, map, "rule", (int64_t)r->index + 1);
	tree_put_text(s->t, map, "origin", tree_origin(s->t, &r->origin));
}

/* --- the end of it -------------------------------------------------------- */

static void
put_outcome(
    struct telling *s, bool allowed, unsigned status, struct slice reason)
{
	struct value *map = tree_map(s->t);

	s->told.allowed = allowed;
	s->told.status = s->ask->call.http != NULL ? status : 0;
	s->told.reason = reason;
	tree_put_bool(s->t, map, "allowed", allowed);
	tree_put_int(s->t, map, "status", s->told.status);
	tree_put_text(s->t, map, "reason", reason);
	tree_put(s->t, s->map, "outcome", map);
}

static struct slice
reason_of(struct telling *s, const struct access_decision *d)
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
		return tree_printf(s->t,
		    "a CUSTOM rule takes it, and nobody can be asked: %.*s",
		    SLICE_ARG(s->ask->access->provider->bad));
	}
	return S("");
}

static void
put_besides(struct telling *s, const struct access_decision *d)
{
	struct value *ask = tree_map(s->t);
	struct value *audit = tree_map(s->t);
	struct value *dry = tree_map(s->t);

	if (d->ask != NULL)
		tree_put_text(s->t, ask, "provider", d->ask->policy->provider);
	put_rule(s, ask, d->ask);
	tree_put(s->t, s->map, "ask", ask);
	put_rule(s, audit, d->audit);
	tree_put(s->t, s->map, "audit", audit);
	if (d->dry != NULL || d->dry_denied)
		tree_put_bool(s->t, dry, "allowed", !d->dry_denied);
	put_rule(s, dry, d->dry);
	tree_put(s->t, s->map, "dryRun", dry);
}

static void
tell_decision(struct telling *s, const struct access_question *q)
{
	const struct access_trace trace = {on_step, s};
	struct access_decision d =
	    view_access_decide(s->ask->access, q, &trace);

	put_outcome(s, d.allowed, d.allowed ? 0 : 403, reason_of(s, &d));
	if (d.rule != NULL) {
		s->told.policy = policy_name(s, d.rule->policy);
		s->told.origin = &d.rule->origin;
	}
	put_rule(s, s->map, d.rule);
	put_besides(s, &d);
	tree_put(s->t, s->map, "rules", s->rules);
}

static void
tell_http(struct telling *s)
{
	struct access_question q = s->ask->call;
	struct http_attrs http = *q.http;
	struct authn_decision token;
	enum err e =
	    view_normalize_path(s->ask->v, http.path, s->t->arena, &http.path);

	if (e != OK) {
		s->t->full = s->t->full || e == ERR_LIMIT;
		put_outcome(s, false, 400, S("the path holds a zero byte"));
		return;
	}
	token = view_authn_decide(s->ask->authn, &http, verify, s);
	put_token(s, &token);
	if (token.status != 0) {
		put_outcome(s, false, token.status,
		    tree_printf(
			s->t, "a token %s", authn_verdict_words(token.why)));
		return;
	}
	q.http = &http;
	q.claims = token.claims;
	tell_decision(s, &q);
}

struct slice
verdict_identity(struct tree *t, const struct view *v, struct slice name)
{
	struct slice id = S("");

	if (access_call_identity(name, v->trust_domain, t->arena, &id) != OK)
		t->full = true;
	return id;
}

struct verdict
verdict_tell(struct tree *t, const struct verdict_ask *ask, struct value *map)
{
	struct telling s = {
	    .t = t, .ask = ask, .map = map, .rules = tree_list(t)};

	if (ask->call.http != NULL)
		tell_http(&s);
	else
		tell_decision(&s, &ask->call);
	tree_put_bool(t, map, "enforced", false);
	tree_put_text(t, map, "note",
	    S("compiled and explained; the proxy does not enforce policies "
	      "yet"));
	return s.told;
}
