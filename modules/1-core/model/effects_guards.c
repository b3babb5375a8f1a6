/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects_guards — what is different about who may call, between two views.
 *
 * All chains of a listener are of one workload or gateway, so that the policies
 * of one are those of all; what a port takes is said of each port by itself,
 * unless it is what is said of all others.
 */
#include "effects_guards.h"

#include "access.h"
#include "authn.h"

/* --- mutual TLS ----------------------------------------------------------- */

/* That of the port, or else of those that nothing is said of. */
static enum mutual_tls_mode
mode_at(const struct view_listener *l, uint16_t port)
{
	enum mutual_tls_mode any = MUTUAL_TLS_UNSET;

	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain *c = &l->chains[i];

		if (c->peers == MUTUAL_TLS_UNSET)
			continue;
		if (c->match.port == port)
			return c->peers;
		if (c->match.port == 0)
			any = c->peers;
	}
	return any;
}

static void
say_mode(struct tree *t, struct value *list, const struct view_listener *before,
    const struct view_listener *after, uint16_t port)
{
	enum mutual_tls_mode was = mode_at(before, port);
	enum mutual_tls_mode is = mode_at(after, port);
	struct slice at =
	    port == 0 ? S("") : tree_printf(t, "port %u: ", (unsigned)port);

	tree_add_text(t, list,
	    tree_printf(t, "%.*smutual TLS is %s now (until now %s)",
		SLICE_ARG(at), mutual_tls_mode_name(is),
		mutual_tls_mode_name(was)));
}

static bool
is_first_of_port(const struct view_listener *l, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (l->chains[i].match.port == l->chains[at].match.port)
			return false;
	return true;
}

static void
compare_modes(struct tree *t, struct value *list,
    const struct view_listener *before, const struct view_listener *after)
{
	enum mutual_tls_mode was = mode_at(before, 0), is = mode_at(after, 0);

	if (was != is)
		say_mode(t, list, before, after, 0);
	for (size_t i = 0; i < after->chain_count; i++) {
		uint16_t port = after->chains[i].match.port;

		if (port == 0 || !is_first_of_port(after, i) ||
		    mode_at(before, port) == mode_at(after, port) ||
		    (mode_at(before, port) == was &&
			mode_at(after, port) == is))
			continue;
		say_mode(t, list, before, after, port);
	}
}

/* --- rules ---------------------------------------------------------------- */

static bool
is_same_condition(
    const struct access_condition *a, const struct access_condition *b)
{
	if (!slice_eq(a->name, b->name) || a->negated != b->negated ||
	    a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!slice_eq(a->values[i].written, b->values[i].written))
			return false;
	return true;
}

static bool
are_same(const struct access_all *a, size_t a_count, const struct access_all *b,
    size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		if (a[i].count != b[i].count)
			return false;
		for (size_t j = 0; j < a[i].count; j++)
			if (!is_same_condition(
				&a[i].conditions[j], &b[i].conditions[j]))
				return false;
	}
	return true;
}

static bool
is_same_rule(const struct access_rule *a, const struct access_rule *b)
{
	return are_same(a->from, a->from_count, b->from, b->from_count) &&
	       are_same(a->to, a->to_count, b->to, b->to_count) &&
	       are_same(&a->when, 1, &b->when, 1) &&
	       slice_eq(a->never, b->never) &&
	       slice_eq(a->policy->provider, b->policy->provider);
}

/* The one of the same number in the same policy. */
static const struct access_rule *
find_rule(const struct access_set *s, const struct access_rule *like)
{
	for (size_t i = 0; s != NULL && i < s->count; i++)
		if (s->rules[i]->index == like->index &&
		    resource_key_eq(&s->rules[i]->policy->origin.key,
			&like->policy->origin.key))
			return s->rules[i];
	return NULL;
}

static void
say_rule(struct tree *t, struct value *list, enum access_stage stage,
    const struct access_rule *before, const struct access_rule *after)
{
	const struct access_rule *r = after != NULL ? after : before;
	struct slice of = tree_printf(t, "%s rule %zu of policy %.*s/%.*s",
	    access_stage_name(stage), r->index + 1,
	    SLICE_ARG(r->policy->origin.key.ns),
	    SLICE_ARG(r->policy->origin.key.name));
	struct slice takes = tree_access_rule(t, r), was;

	if (before != NULL && after != NULL) {
		was = tree_access_rule(t, before);
		tree_add_text(t, list,
		    slice_eq(was, takes)
			? tree_printf(t, "%.*s has other values now: %.*s",
			      SLICE_ARG(of), SLICE_ARG(takes))
			: tree_printf(t, "%.*s takes now %.*s (until now %.*s)",
			      SLICE_ARG(of), SLICE_ARG(takes), SLICE_ARG(was)));
		return;
	}
	tree_add_text(t, list,
	    tree_printf(t, "%.*s is %s: it %s %.*s", SLICE_ARG(of),
		after != NULL ? "new" : "gone",
		after != NULL ? "takes" : "took", SLICE_ARG(takes)));
}

static void
compare_stage(struct tree *t, struct value *list, enum access_stage stage,
    const struct access_set *before, const struct access_set *after)
{
	for (size_t i = 0; after != NULL && i < after->count; i++) {
		const struct access_rule *was =
		    find_rule(before, after->rules[i]);

		if (was == NULL || !is_same_rule(was, after->rules[i]))
			say_rule(t, list, stage, was, after->rules[i]);
	}
	for (size_t i = 0; before != NULL && i < before->count; i++)
		if (find_rule(after, before->rules[i]) == NULL)
			say_rule(t, list, stage, before->rules[i], NULL);
}

/* The first and the last ALLOW policy turn everything round. */
static void
compare_default(struct tree *t, struct value *list,
    const struct view_access *before, const struct view_access *after)
{
	bool was = before != NULL && before->http[ACCESS_ALLOW].present;
	bool is = after != NULL && after->http[ACCESS_ALLOW].present;

	if (was != is)
		tree_add_text(t, list,
		    is ? S("what no ALLOW rule takes is refused now")
		       : S("there is no ALLOW policy now, and what no DENY "
			   "rule takes may pass"));
}

/* --- tokens --------------------------------------------------------------- */

static bool
has_issuer(const struct view_authn *a, struct slice issuer)
{
	for (size_t i = 0; a != NULL && i < a->count; i++)
		if (slice_eq(a->rules[i].issuer, issuer))
			return true;
	return false;
}

static void
say_issuers(struct tree *t, struct value *list, const struct view_authn *a,
    const struct view_authn *b, const char *what)
{
	for (size_t i = 0; a != NULL && i < a->count; i++)
		if (!has_issuer(b, a->rules[i].issuer))
			tree_add_text(t, list,
			    tree_printf(t, "tokens of %.*s are looked at %s",
				SLICE_ARG(a->rules[i].issuer), what));
}

/* --- both ----------------------------------------------------------------- */

/* The first that says something. */
static const struct view_guard *
guard_of(const struct listener_then *then)
{
	const struct view_guard *g = view_guard_now(then->v, NULL);

	for (size_t i = 0;
	     g->access == NULL && g->authn == NULL && i < then->l->chain_count;
	     i++)
		g = view_guard_now(then->v, then->l->chains[i].guard);
	return g;
}

struct value *
guards_compare(struct tree *t, const struct listener_then *before,
    const struct listener_then *after)
{
	struct value *list = tree_list(t);
	const struct view_guard *was = guard_of(before);
	const struct view_guard *is = guard_of(after);
	const struct view_access *a = was->access, *b = is->access;

	compare_modes(t, list, before->l, after->l);
	compare_default(t, list, a, b);
	for (int s = 0; s < ACCESS_STAGES; s++)
		compare_stage(t, list, s, a != NULL ? &a->http[s] : NULL,
		    b != NULL ? &b->http[s] : NULL);
	say_issuers(t, list, is->authn, was->authn, "now");
	say_issuers(t, list, was->authn, is->authn, "no longer");
	return list;
}
