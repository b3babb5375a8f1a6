/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access — who may call a workload, by the policies that are for it.
 */
#include "codec/codec.h"
#include "policies.h"
#include "unit.h"

#define ALLOWS(g, ...) guarded_allows((g), &(struct call){__VA_ARGS__})
#define WEB "selector: {matchLabels: {app: web}}, "

static const struct value *
json(const char *text, struct arena *a)
{
	const struct value *v = NULL;

	arena_init(a, 1 << 16);
	EXPECT_OK(codec_json_parse(slice_str(text), a, &v, NULL));
	return v;
}

/* --- what holds for a workload -------------------------------------------- */

TEST(without_a_policy_everybody_may_call)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, POLICY("other", "default",
			     "selector: {matchLabels: {app: db}}, rules: []"));
	EXPECT_TRUE(g.web->access == NULL);
	EXPECT_TRUE(ALLOWS(&g, .path = "/"));
}

TEST(an_empty_policy_allows_nothing_and_an_empty_rule_everything)
{
	AUTO(guarded_fini) struct guarded none, all;

	guarded_init(&none, POLICY("none", "default", ""));
	EXPECT_FALSE(ALLOWS(&none, .path = "/"));
	EXPECT_FALSE(ALLOWS(&none, .path = NULL));
	guarded_init(&all, POLICY("none", "default", "")
			       POLICY("all", "default", "rules: [{}]"));
	EXPECT_TRUE(ALLOWS(&all, .path = "/"));
	EXPECT_TRUE(ALLOWS(&all, .path = NULL));
}

TEST(policies_of_the_root_namespace_hold_in_each_and_add_up)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g,
	    POLICY("a", "istio-system",
		WEB "rules: [{to: [{operation: {paths: [/root]}}]}]")
		POLICY("b", "default",
		    "rules: [{to: [{operation: {paths: [/own]}}]}]")
		    POLICY("c", "elsewhere",
			"rules: [{to: [{operation: {paths: [/other]}}]}]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/root"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/own?x=/other"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/other"));
}

TEST(the_root_namespace_is_what_the_mesh_was_told)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, "rootNamespace: hq\n---\n" POLICY("a", "hq", "")
			     POLICY("b", "default", "rules: [{}]"));
	EXPECT_EQ(g.web->access->policies, 2);
}

TEST(a_reference_to_a_gateway_is_for_no_other_workload)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, POLICY("a", "default",
			     "targetRefs: [{group: gateway.networking.k8s.io, "
			     "kind: Gateway, name: web}]"));
	EXPECT_TRUE(g.web->access == NULL);
}

TEST(deny_comes_before_allow)
{
	AUTO(guarded_fini) struct guarded g;
	struct access_decision d;

	guarded_init(&g,
	    POLICY("allow", "default", "rules: [{}]") POLICY("deny", "default",
		"action: DENY, rules: [{to: [{operation: {methods: "
		"[POST]}}]}, {to: [{operation: {paths: [/x]}}]}]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .method = "POST"));
	d = guarded_ask(&g, &(struct call){.path = "/x"});
	EXPECT_EQ(d.reason, ACCESS_DENY_RULE);
	EXPECT_EQ(d.rule->index, 1);
	EXPECT_SLICE(d.rule->policy->origin.key.name, S("deny"));
	EXPECT_TRUE(d.rule->origin.line > 0);
}

/* --- who calls ------------------------------------------------------------ */

#define SOURCE(text)                                                           \
	POLICY("p", "default", "rules: [{from: [{source: {" text "}}]}]")

TEST(principals_are_exact_or_begin_or_end_so)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, SOURCE("principals: [mesh.internal/ns/a/sa/b, '*/sa/c', "
		       "other/ns/*]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .from = "a/b"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .from = "a/bb"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .from = "z/c"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://other/ns/q/sa/r"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/"));
}

TEST(a_star_is_whoever_has_an_identity)
{
	AUTO(guarded_fini) struct guarded g, not ;

	guarded_init(&g, SOURCE("principals: ['*']"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .from = "a/b"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/"));
	guarded_init(&not, SOURCE("notPrincipals: ['*']"));
	EXPECT_FALSE(ALLOWS(&not, .path = "/", .from = "a/b"));
	EXPECT_TRUE(ALLOWS(&not, .path = "/"));
}

TEST(aliases_of_the_trust_domain_count_as_the_own)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g,
	    "trustDomain: td1\ntrustDomainAliases: [td2, "
	    "old-td3]\n---\n" SOURCE(
		"principals: [cluster.local/ns/a/sa/b, '*-td3/ns/x/sa/y', "
		"foreign/ns/a/sa/z]"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://td1/ns/a/sa/b"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://td2/ns/a/sa/b"));
	EXPECT_FALSE(ALLOWS(&g, .from = "spiffe://cluster.local/ns/a/sa/b"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://td1/ns/x/sa/y"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://new-td3/ns/x/sa/y"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://foreign/ns/a/sa/z"));
	EXPECT_FALSE(ALLOWS(&g, .from = "spiffe://td1/ns/a/sa/z"));
}

TEST(trust_domains_are_a_part_of_identities)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, "trustDomain: td1\ntrustDomainAliases: [td2]\n---\n" SOURCE(
		    "trustDomains: [td1, 'pre*', '*.org']"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://td1/ns/a/sa/b"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://td2/ns/a/sa/b"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://prefix/ns/a/sa/b"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://x.org/ns/a/sa/b"));
	EXPECT_FALSE(ALLOWS(&g, .from = "spiffe://td3/ns/td1/sa/x.org"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/"));
}

TEST(namespaces_may_have_stars_anywhere)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, SOURCE("namespaces: [a, 'team-*-prod']"));
	EXPECT_TRUE(ALLOWS(&g, .from = "a/x"));
	EXPECT_FALSE(ALLOWS(&g, .from = "ab/x"));
	EXPECT_TRUE(ALLOWS(&g, .from = "team-q-prod/x"));
	EXPECT_FALSE(ALLOWS(&g, .from = "team-prod/x"));
}

TEST(an_account_without_a_namespace_is_of_the_policys)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, SOURCE("serviceAccounts: [x, other/y]"));
	EXPECT_TRUE(ALLOWS(&g, .from = "default/x"));
	EXPECT_FALSE(ALLOWS(&g, .from = "other/x"));
	EXPECT_TRUE(ALLOWS(&g, .from = "other/y"));
	EXPECT_FALSE(ALLOWS(&g, .from = "other/yy"));
	EXPECT_TRUE(ALLOWS(&g, .from = "spiffe://t/ns/other/k/v/sa/y/k/v"));
	EXPECT_FALSE(ALLOWS(&g, .from = "spiffe://t/ns/other/sax/sa/z"));
}

TEST(addresses_are_of_who_is_connected_or_of_who_calls)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g,
	    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	    "metadata: {name: p}\nspec:\n  rules:\n"
	    "  - from: [{source: {ipBlocks: [10.0.0.0/8], notIpBlocks: "
	    "[10.1.0.0/16]}}]\n"
	    "  - from: [{source: {remoteIpBlocks: [192.0.2.7, "
	    "'2001:db8::/32']}}]\n");
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .source = "10.2.3.4"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .source = "10.1.3.4"));
	EXPECT_TRUE(ALLOWS(
	    &g, .path = "/", .source = "10.1.3.4", .remote = "192.0.2.7"));
	EXPECT_TRUE(ALLOWS(&g, .source = "192.0.2.7"));
	EXPECT_TRUE(ALLOWS(&g, .source = "2001:db8::5"));
	EXPECT_TRUE(ALLOWS(&g, .source = "::ffff:10.2.3.4"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/"));
}

/* --- what is called ------------------------------------------------------- */

#define OPERATION(text)                                                        \
	POLICY("p", "default", "rules: [{to: [{operation: {" text "}}]}]")

TEST(hosts_are_compared_without_their_case)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, OPERATION("hosts: [Web.Example.com, '*.suffix.com', 'pre.*']"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .host = "wEB.example.COM"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .host = "web.example.com:80"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .host = "A.SUFFIX.com"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .host = "PRE.x"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .host = "prex"));
}

TEST(paths_are_compared_without_their_query)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, OPERATION("paths: [/exact, /prefix/*, '*/suffix'], "
				   "notPaths: [/prefix/secret*]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/exact?x=1"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/exact#x"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/Exact"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/prefix/"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/prefix"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/prefix/secrets"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/a/suffix"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/a?/suffix"));
}

TEST(templates_take_segments_and_the_rest)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, OPERATION("paths: ['/allow/admin/{**}', '/foo/{*}/bar/{**}', "
			  "'/store/{**}/cart', '/one/{*}']"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/allow/admin/"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/allow/admin"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/allow/admin?p=v"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/allow/admin/a/t.txt?p=v"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/foo/buzz/bar/bat/f.txt"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/foo/bar/bat.txt"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/foo//bar/bat.txt"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/store//cart"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/store/cart"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/store/a/b/cart"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/one/x-y.z"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/one/"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/one/x/y"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/one/{x}"));
}

TEST(ports_are_the_workloads)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, OPERATION("ports: ['8080'], methods: ['*']"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .to = "10.0.0.1:8080"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .to = "10.0.0.1:80"));
}

/* --- further conditions --------------------------------------------------- */

#define WHEN(key, values)                                                      \
	POLICY(                                                                \
	    "p", "default", "rules: [{when: [{key: '" key "', " values "}]}]")

TEST(headers_are_named_whatever_their_case)
{
	AUTO(guarded_fini) struct guarded g, any;

	guarded_init(
	    &g, WHEN("request.headers[X-Token]", "values: ['ad*', b]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .headers = "x-token: admin"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/", .headers = "x-token: Admin"));
	EXPECT_FALSE(ALLOWS(&g, .path = "/"));
	guarded_init(&any, WHEN("request.headers[x]", "values: ['*']"));
	EXPECT_TRUE(ALLOWS(&any, .path = "/", .headers = "x:"));
	EXPECT_FALSE(ALLOWS(&any, .path = "/", .headers = "y: 1"));
}

TEST(claims_are_texts_or_lists_however_deep)
{
	AUTO(arena_fini) struct arena a;
	AUTO(guarded_fini) struct guarded flat, deep;
	const struct value *claims =
	    json("{\"iss\":\"i\",\"sub\":\"s\",\"groups\":[\"x\",\"y\"],"
		 "\"n\":{\"k\":[\"v1\",\"v2\"]},\"num\":7}",
		&a);

	guarded_init(&flat, WHEN("request.auth.claims[groups]", "values: [y]"));
	EXPECT_TRUE(ALLOWS(&flat, .path = "/", .claims = claims));
	EXPECT_FALSE(ALLOWS(&flat, .path = "/"));
	guarded_init(&deep,
	    WHEN("request.auth.claims[n][k]", "values: [v2], notValues: [w]"));
	EXPECT_TRUE(ALLOWS(&deep, .path = "/", .claims = claims));
}

TEST(a_scope_is_a_list_of_words)
{
	AUTO(arena_fini) struct arena a;
	AUTO(guarded_fini) struct guarded g;
	const struct value *claims = json("{\"scope\":\"read write\"}", &a);

	guarded_init(&g, WHEN("request.auth.claims[scope]", "values: [write]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/", .claims = claims));
}

TEST(a_request_principal_is_issuer_and_subject)
{
	AUTO(arena_fini) struct arena a;
	AUTO(guarded_fini) struct guarded exact, any, begins;
	const struct value *claims =
	    json("{\"iss\":\"https://i/x\",\"sub\":\"s1\"}", &a);

	guarded_init(&exact, SOURCE("requestPrincipals: [https://i/x/s1]"));
	EXPECT_TRUE(ALLOWS(&exact, .path = "/", .claims = claims));
	EXPECT_FALSE(ALLOWS(&exact, .path = "/"));
	guarded_init(&any, SOURCE("requestPrincipals: ['*']"));
	EXPECT_TRUE(ALLOWS(&any, .path = "/", .claims = claims));
	EXPECT_FALSE(ALLOWS(&any, .path = "/"));
	guarded_init(&begins, SOURCE("requestPrincipals: ['https://i/x/s*']"));
	EXPECT_TRUE(ALLOWS(&begins, .path = "/", .claims = claims));
}

TEST(audience_and_presenter_are_claims)
{
	AUTO(arena_fini) struct arena a;
	AUTO(guarded_fini) struct guarded aud, azp;
	const struct value *claims =
	    json("{\"aud\":[\"q\",\"foo\"],\"azp\":\"bar\"}", &a);

	guarded_init(&aud, WHEN("request.auth.audiences", "values: [foo]"));
	EXPECT_TRUE(ALLOWS(&aud, .path = "/", .claims = claims));
	guarded_init(&azp, WHEN("request.auth.presenter", "notValues: [bar]"));
	EXPECT_FALSE(ALLOWS(&azp, .path = "/", .claims = claims));
}

TEST(what_the_connection_says_holds_without_requests_too)
{
	AUTO(arena_fini) struct arena a;
	AUTO(guarded_fini) struct guarded sni, ip, meta;
	const struct value *known =
	    json("{\"envoy.filters.a\":{\"k\":[\"v\"]}}", &a);

	guarded_init(&sni, WHEN("connection.sni", "values: ['*.com']"));
	EXPECT_TRUE(ALLOWS(&sni, .sni = "a.com"));
	EXPECT_FALSE(ALLOWS(&sni, .path = "/"));
	guarded_init(&ip, WHEN("destination.ip", "values: [10.0.0.0/24]"));
	EXPECT_TRUE(ALLOWS(&ip, .to = "10.0.0.9:1"));
	guarded_init(
	    &meta, WHEN("experimental.envoy.filters.a[k]", "values: ['[v]']"));
	EXPECT_TRUE(ALLOWS(&meta, .metadata = known));
	EXPECT_FALSE(ALLOWS(&meta, .path = "/"));
}

/* --- connections without requests ----------------------------------------- */

TEST(a_connection_is_not_allowed_by_a_rule_about_requests)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, POLICY("p", "default",
		    "rules: [{from: [{source: {namespaces: [a]}}], to: "
		    "[{operation: {methods: [GET]}}]}, {from: [{source: "
		    "{namespaces: [b]}}]}]"));
	EXPECT_TRUE(ALLOWS(&g, .from = "a/x", .path = "/"));
	EXPECT_FALSE(ALLOWS(&g, .from = "a/x"));
	EXPECT_TRUE(ALLOWS(&g, .from = "b/x"));
}

TEST(a_connection_is_denied_whatever_a_rule_says_of_requests)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(
	    &g, POLICY("p", "default",
		    "action: DENY, rules: [{to: [{operation: {methods: [POST], "
		    "ports: ['80']}}]}]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/"));
	EXPECT_FALSE(ALLOWS(&g, .to = "10.0.0.1:80"));
	EXPECT_TRUE(ALLOWS(&g, .to = "10.0.0.1:81"));
}

/* --- the other actions ---------------------------------------------------- */

TEST(a_dry_run_says_what_it_would_do_and_does_nothing)
{
	AUTO(guarded_fini) struct guarded g;
	struct access_decision d;

	guarded_init(&g,
	    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	    "metadata: {name: dry, annotations: {istio.io/dry-run: 'true'}}\n"
	    "spec: {rules: [{to: [{operation: {paths: [/ok]}}]}]}\n");
	d = guarded_ask(&g, &(struct call){.path = "/x"});
	EXPECT_TRUE(d.allowed);
	EXPECT_EQ(d.reason, ACCESS_NO_ALLOW_POLICY);
	EXPECT_TRUE(d.dry_denied);
	d = guarded_ask(&g, &(struct call){.path = "/ok"});
	EXPECT_FALSE(d.dry_denied);
	EXPECT_TRUE(d.dry != NULL);
}

TEST(audit_marks_and_lets_pass)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g,
	    POLICY("p", "default",
		"action: AUDIT, rules: [{to: [{operation: {paths: [/x]}}]}]"));
	EXPECT_TRUE(ALLOWS(&g, .path = "/x"));
	EXPECT_TRUE(
	    guarded_ask(&g, &(struct call){.path = "/x"}).audit != NULL);
	EXPECT_TRUE(guarded_ask(&g, &(struct call){.path = "/"}).audit == NULL);
}

#define AUTHZ_SERVICE                                                          \
	"apiVersion: v1\nkind: Service\nmetadata: {name: authz}\n"             \
	"spec: {ports: [{name: http, port: 9000}]}\n---\n"
#define PROVIDER(way)                                                          \
	"extensionProviders:\n- name: ext\n  " way                             \
	": {service: authz.default.svc.cluster.local, port: 9000}\n---\n"
#define CUSTOM(name, provider, path)                                           \
	POLICY(name, "default",                                                \
	    "action: CUSTOM, provider: {name: " provider                       \
	    "}, rules: [{to: [{operation: {paths: [" path "]}}]}]")

TEST(custom_asks_the_provider_before_the_rest)
{
	AUTO(guarded_fini) struct guarded g;
	struct access_decision d;

	guarded_init(&g, AUTHZ_SERVICE PROVIDER("envoyExtAuthzHttp")
			     CUSTOM("c", "ext", "/x"));
	EXPECT_SLICE(g.web->access->provider->bad, S(""));
	d = guarded_ask(&g, &(struct call){.path = "/x"});
	EXPECT_TRUE(d.allowed && d.ask != NULL);
	EXPECT_TRUE(guarded_ask(&g, &(struct call){.path = "/"}).ask == NULL);
	/* An HTTP provider knows nothing of connections. */
	EXPECT_TRUE(guarded_ask(&g, &(struct call){.from = "a/b"}).ask == NULL);
}

TEST(a_grpc_provider_is_asked_about_connections_too)
{
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, AUTHZ_SERVICE PROVIDER("envoyExtAuthzGrpc")
			     CUSTOM("c", "ext", "/x"));
	EXPECT_TRUE(guarded_ask(&g, &(struct call){.from = "a/b"}).ask != NULL);
}

TEST(what_custom_takes_is_denied_when_nobody_can_be_asked)
{
	static const char *const meshes[] = {CUSTOM("c", "ext", "/x"),
	    PROVIDER("envoyExtAuthzHttp") CUSTOM("c", "ext", "/x"),
	    AUTHZ_SERVICE PROVIDER("envoyExtAuthzHttp") CUSTOM("c", "ext", "/x")
		CUSTOM("d", "two", "/y")};

	for (size_t i = 0; i < ARRAY_LEN(meshes); i++) {
		AUTO(guarded_fini) struct guarded g;
		struct access_decision d;

		guarded_init(&g, meshes[i]);
		d = guarded_ask(&g, &(struct call){.path = "/x"});
		EXPECT_FALSE(d.allowed);
		EXPECT_EQ(d.reason, ACCESS_BAD_PROVIDER);
		EXPECT_TRUE(ALLOWS(&g, .path = "/"));
	}
}

/* --- the story ------------------------------------------------------------ */

static void
on_step(void *arg, const struct access_step *step)
{
	struct buf *out = arg;

	EXPECT_OK(buf_printf(out, "%s %zu %s %.*s %.*s\n",
	    access_stage_name(step->stage), step->rule->index,
	    step->matched ? "yes" : "no",
	    SLICE_ARG(step->failed != NULL ? step->failed->name : S("-")),
	    SLICE_ARG(step->has_actual ? step->actual : S("-"))));
}

TEST(the_trace_tells_each_rule_up_to_the_one_that_took_the_call)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(buf_fini) struct buf told = BUF(4096);
	const struct access_trace trace = {on_step, &told};
	const struct http_attrs http = {
	    .method = S("GET"), .path = S("/b?q"), .authority = S("h")};
	struct access_question q = {.http = &http};

	guarded_init(
	    &g, POLICY("a", "default",
		    "action: DENY, rules: [{from: [{source: {principals: "
		    "['*']}}]}]") POLICY("b", "default",
		    "rules: [{to: [{operation: {paths: [/a]}}]}, {to: "
		    "[{operation: {methods: [GET]}}], when: [{key: "
		    "source.ip, notValues: [10.0.0.1]}]}, {}, {}]"));
	EXPECT_OK(addr_parse_ip(S("10.0.0.1"), &q.source));
	(void)view_access_decide(g.web->access, &q, &trace);
	EXPECT_SLICE(buf_slice(&told), S("DENY 0 no source.principal -\n"
					 "ALLOW 0 no request.path /b\n"
					 "ALLOW 1 no source.ip 10.0.0.1\n"
					 "ALLOW 2 yes - -\n"));
}

TEST(a_view_with_other_policies_is_another_view)
{
	AUTO(guarded_fini) struct guarded none, one;

	guarded_init(&none, "");
	guarded_init(&one, POLICY("p", "default", ""));
	EXPECT_NE(view_fingerprint(none.v), view_fingerprint(one.v));
}
