/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects_guards — what is different about who may call, in words.
 */
#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define ACCESS(name, spec) POLICY("AuthorizationPolicy", name, spec)
#define OF_WEB "selector: {matchLabels: {app: web}}, "

struct pair {
	struct compiled a;
	struct compiled b;
	struct arena arena;
	const struct value *told;
};

static void
pair_fini(struct pair *p)
{
	compiled_fini(&p->a);
	compiled_fini(&p->b);
	arena_fini(&p->arena);
}

/* Seen from a workload with the label app=web. */
static void
compare(struct pair *p, const char *before, const char *after)
{
	static const struct label web[] = {{{"app", 3}, {"web", 3}}};
	const struct view_input at = {.ns = S("shop"), .labels = {web, 1}};

	memset(p, 0, sizeof(*p));
	compiled_init_from(&p->a, before, &at);
	compiled_init_from(&p->b, after, &at);
	arena_init(&p->arena, 1 << 20);
	p->told = view_effects(p->a.v, p->b.v, &p->arena);
	EXPECT_TRUE(p->told != NULL);
}

static bool
says(const struct pair *p, const char *words)
{
	VALUE_EACH(p->told, it)
	if (slice_eq(value_get_string(it, S("text"), S("")), slice_str(words)))
		return true;
	return false;
}

TEST(what_ports_take_is_told_of_all_and_of_those_that_differ)
{
	AUTO(pair_fini) struct pair p;

	compare(&p,
	    OF(NET, "Sidecar", NAMED("s"),
		"workloadSelector: {labels: {app: web}}, ingress: [{port: "
		"{number: 81, protocol: HTTP, name: a}, defaultEndpoint: "
		"'127.0.0.1:1'}, {port: {number: 82, protocol: HTTP, name: b}, "
		"defaultEndpoint: '127.0.0.1:2'}]"),
	    OF(NET, "Sidecar", NAMED("s"),
		"workloadSelector: {labels: {app: web}}, ingress: [{port: "
		"{number: 81, protocol: HTTP, name: a}, defaultEndpoint: "
		"'127.0.0.1:1'}, {port: {number: 82, protocol: HTTP, name: b}, "
		"defaultEndpoint: '127.0.0.1:2'}]")
		OF(SEC, "PeerAuthentication", NAMED("w"),
		    OF_WEB "mtls: {mode: STRICT}, portLevelMtls: {82: {mode: "
			   "DISABLE}}"));
	EXPECT_TRUE(
	    says(&p, "mutual TLS is STRICT now (until now PERMISSIVE)"));
	EXPECT_TRUE(says(
	    &p, "port 82: mutual TLS is DISABLE now (until now PERMISSIVE)"));
	EXPECT_FALSE(says(
	    &p, "port 81: mutual TLS is STRICT now (until now PERMISSIVE)"));
}

TEST(rules_of_policies_are_told_by_stage_and_number)
{
	static const char deny[] = ACCESS("d",
	    OF_WEB "action: DENY, rules: [{to: [{operation: {paths: [/x]}}]}]");
	static const char other[] = ACCESS("d",
	    OF_WEB "action: DENY, rules: [{to: [{operation: {paths: [/y]}}]}]");
	AUTO(pair_fini) struct pair come, go, same, change;

	compare(&come, "", deny);
	EXPECT_TRUE(says(&come, "DENY rule 1 of policy shop/d is new: it "
				"takes request.path is one of /x"));
	EXPECT_EQ(come.told->count, 1);
	compare(&go, deny, "");
	EXPECT_TRUE(says(&go, "DENY rule 1 of policy shop/d is gone: it "
			      "took request.path is one of /x"));
	compare(&same, deny, deny);
	EXPECT_EQ(same.told->count, 0);
	compare(&change, deny, other);
	EXPECT_TRUE(says(&change,
	    "DENY rule 1 of policy shop/d takes now request.path is one of "
	    "/y (until now request.path is one of /x)"));
}

/* Only the first few are shown. */
TEST(values_that_are_not_shown_count_too)
{
#define FIVE(last)                                                             \
	ACCESS("d",                                                            \
	    OF_WEB "action: DENY, rules: [{to: [{operation: {paths: [/1, /2, " \
		   "/3, /4, " last "]}}]}]")
	AUTO(pair_fini) struct pair p;

	compare(&p, FIVE("/5"), FIVE("/6"));
	EXPECT_TRUE(
	    says(&p, "DENY rule 1 of policy shop/d has other values now: "
		     "request.path is one of /1, /2, /3, /4 … (5)"));
}

TEST(the_first_allow_policy_refuses_the_rest)
{
	static const char allow[] = ACCESS(
	    "a", OF_WEB "rules: [{to: [{operation: {methods: [GET]}}]}]");
	AUTO(pair_fini) struct pair come, go;

	compare(&come, "", allow);
	EXPECT_TRUE(says(&come, "what no ALLOW rule takes is refused now"));
	compare(&go, allow, "");
	EXPECT_TRUE(says(&go, "there is no ALLOW policy now, and what no DENY "
			      "rule takes may pass"));
}

TEST(whose_tokens_are_looked_at_is_told)
{
	static const char jwt[] = OF(SEC, "RequestAuthentication", NAMED("j"),
	    "jwtRules: [{issuer: i}]");
	AUTO(pair_fini) struct pair come, go;

	compare(&come, "", jwt);
	EXPECT_TRUE(says(&come, "tokens of i are looked at now"));
	compare(&go, jwt, "");
	EXPECT_TRUE(says(&go, "tokens of i are looked at no longer"));
}
