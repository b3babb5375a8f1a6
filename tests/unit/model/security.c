/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security — the policies about peers, tokens and calls: right, wrong, and
 * what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define HEAD(kind)                                                             \
	"apiVersion: security.istio.io/v1\nkind: " kind "\n"                   \
	"metadata: {name: x}\n"
#define PA HEAD("PeerAuthentication") "spec:\n"
#define RA HEAD("RequestAuthentication") "spec:\n"
#define AP HEAD("AuthorizationPolicy") "spec:\n"
#define RULE AP "  rules:\n  - "
#define DENIAL AP "  action: DENY\n  rules:\n  - "

static const struct mistake wrongs[] = {
    {PA "  portLevelMtls: {80: {mode: STRICT}}\n", "spec.portLevelMtls",
	"needs a selector"},
    {PA "  port_level_mtls: {80: {mode: STRICT}}\n", "spec.portLevelMtls",
	"needs a selector"},
    {PA "  selector: {matchLabels: {a: b}}\n  portLevelMtls: {}\n",
	"spec.portLevelMtls", "at least one element"},
    {PA "  selector: {matchLabels: {a: b}}\n  portLevelMtls: {x: {}}\n",
	"spec.portLevelMtls[\"x\"]", "is no port"},
    {PA "  mtls: {mode: STRIKT}\n", "spec.mtls.mode",
	"did you mean \"STRICT\""},
    {RA "  jwtRules: [{}]\n", "spec.jwtRules[0]", "issuer"},
    {RA "  jwtRules: [{issuer: a, jwksUri: 'ftp://x'}]\n",
	"spec.jwtRules[0].jwksUri", "http or https"},
    {RA "  jwtRules: [{issuer: a, jwksUri: 'http://a:b'}]\n",
	"spec.jwtRules[0].jwksUri", "port"},
    {RA "  jwtRules: [{issuer: a, jwks: nonsense}]\n", "spec.jwtRules[0].jwks",
	"no JSON"},
    {RA "  jwtRules: [{issuer: a, jwks: '{\"keys\":[{\"kty\":\"EC\"}]}'}]\n",
	"spec.jwtRules[0].jwks", "\"crv\""},
    {RA "  jwtRules: [{issuer: a, fromHeaders: [{prefix: b}]}]\n",
	"spec.jwtRules[0].fromHeaders[0].name", "is required"},
    {RA "  jwtRules: [{issuer: a, timeout: 10us}]\n",
	"spec.jwtRules[0].timeout", "at least 1ms"},
    {RA "  jwtRules: [{issuer: a, outputClaimToHeaders: "
	"[{header: 'a b', claim: c}]}]\n",
	"spec.jwtRules[0].outputClaimToHeaders[0].header", "no name"},
    {RA "  selector: {matchLabels: {a: b}}\n"
	"  targetRefs: [{kind: Service, name: x}]\n",
	"spec", "only one of selector and targetRefs"},
    {RA "  target_ref: {kind: Service, name: x}\n", "spec.target_ref",
	"did you mean \"targetRef\""},
    {RA "  targetRef: {kind: Pod, name: x}\n", "spec.targetRef",
	"is no target"},
    {AP "  action: DENY\n", "spec", "without rules"},
    {AP "  action: CUSTOM\n  rules: [{}]\n", "spec", "provider.name"},
    {AP "  rules: [{}]\n  provider: {name: a}\n", "spec.provider",
	"CUSTOM only"},
    {RULE "from: [{source: {}}]\n", "spec.rules[0].from[0]",
	"must not be empty"},
    {RULE "from: [{source: {principals: ['']}}]\n",
	"spec.rules[0].from[0].source.principals[0]", "is empty"},
    {RULE "from: [{source: {serviceAccounts: [a], namespaces: [b]}}]\n",
	"spec.rules[0].from[0].source", "cannot set serviceAccounts"},
    {RULE "from: [{source: {serviceAccounts: [a/b/c]}}]\n",
	"spec.rules[0].from[0].source.serviceAccounts[0]", "neither"},
    {RULE "from: [{source: {notServiceAccounts: ['*/a']}}]\n",
	"spec.rules[0].from[0].source.notServiceAccounts[0]", "named whole"},
    {RULE "from: [{source: {ipBlocks: [10.0.0.0/33]}}]\n",
	"spec.rules[0].from[0].source.ipBlocks[0]", "neither an address"},
    {RULE "from: [{source: {trustDomains: [a*b]}}]\n",
	"spec.rules[0].from[0].source.trustDomains[0]", "beginning"},
    {RULE "to: [{operation: {ports: ['65536']}}]\n",
	"spec.rules[0].to[0].operation.ports[0]", "no port"},
    {RULE "to: [{operation: {paths: ['/a/{**}/{*}']}}]\n",
	"spec.rules[0].to[0].operation.paths[0]", "has to be the last"},
    {RULE "to: [{operation: {notPaths: ['a{2,1}']}}]\n",
	"spec.rules[0].to[0].operation.notPaths[0]", "whole segments"},
    {RULE "to: [{operation: {paths: ['/a//{*}']}}]\n",
	"spec.rules[0].to[0].operation.paths[0]", "whole segments"},
    {RULE "from: [{source: {serviceAccounts: ['ns/']}}]\n",
	"spec.rules[0].from[0].source.serviceAccounts[0]", "neither"},
    {RULE "to: [{operation: {paths: ['/a{*}']}}]\n",
	"spec.rules[0].to[0].operation.paths[0]", "whole segments"},
    {RULE "when: [{key: source.ipp, values: [a]}]\n",
	"spec.rules[0].when[0].key", "did you mean \"source.ip\""},
    {RULE "when: [{key: request.headers, values: [a]}]\n",
	"spec.rules[0].when[0].key", "in brackets"},
    {RULE "when: [{key: source.ip}]\n", "spec.rules[0].when[0]",
	"at least one of values and notValues"},
    {RULE "when: [{key: destination.port, notValues: [x]}]\n",
	"spec.rules[0].when[0].notValues[0]", "no port"},
    {AP "  action: CUSTOM\n  provider: {name: p}\n  rules:\n"
	"  - when: [{key: 'request.auth.claims[a]', values: [b]}]\n",
	"spec.rules[0].when[0].key", "a provider is not told"},
    {"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
     "metadata: {name: x, annotations: {istio.io/dry-run: maybe}}\nspec: {}\n",
	"metadata.annotations[\"istio.io/dry-run\"]", "neither"},
};

TEST(each_mistake_in_a_policy_is_named)
{
	expect_mistakes(wrongs, ARRAY_LEN(wrongs));
}

TEST(a_policy_that_is_right_is_said_to_be_not_in_force)
{
	static const char *const rights[] = {RA "  jwtRules: [{issuer: a}]\n",
	    AP "  rules: [{}]\n", HEAD("AuthorizationPolicy") "spec: {}\n"};

	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		AUTO(loaded_fini) struct loaded l;

		load(rights[i], NULL, &l);
		EXPECT_EQ(l.count, 1);
		EXPECT_EQ(l.found.errors.count, 0);
		EXPECT_EQ(l.found.inert.count, 1);
		EXPECT_STR(l.found.inert.items[0].id, "MSH0002");
	}
}

TEST(whether_plain_text_is_taken_is_in_force)
{
	AUTO(loaded_fini) struct loaded l;

	load(PA "  mtls: {mode: STRICT}\n", NULL, &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_EQ(l.found.errors.count, 0);
	EXPECT_EQ(l.found.inert.count, 0);
}

TEST(a_denial_of_http_is_warned_of_tcp)
{
	static const struct warned rows[] = {
	    {DENIAL "to: [{operation: {paths: [/a]}}]\n", 1},
	    {DENIAL "to: [{operation: {paths: [/a], ports: ['80']}}]\n", 0},
	    {DENIAL "from: [{source: {requestPrincipals: ['*']}}]\n", 1},
	    {DENIAL "from: [{source: {namespaces: [a]}}]\n", 0},
	    {DENIAL "from: [{source: {namespaces: [a]}}]\n"
		    "    to: [{operation: {methods: [GET]}}]\n",
		1},
	    {DENIAL "{}\n", 0},
	};

	expect_warned(rows, ARRAY_LEN(rows));
}

TEST(a_malformed_document_gets_no_advice)
{
	AUTO(loaded_fini) struct loaded l;

	load(PA "  selector: {}\n  mtls: {mode: 1, x: 2}\n", NULL, &l);
	EXPECT_EQ(l.found.errors.count, 1);
	EXPECT_EQ(l.found.warnings.count, 0);
}

TEST(a_private_key_among_public_ones_is_warned_of)
{
	AUTO(loaded_fini) struct loaded l;

	load(RA "  jwtRules: [{issuer: a, jwks: '{\"keys\":[{\"kty\":\"OKP\","
		"\"crv\":\"Ed25519\",\"x\":\"AA\",\"d\":\"AA\"}]}'}]\n",
	    NULL, &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_EQ(l.found.warnings.count, 1);
}

TEST(a_policy_comes_back_as_it_was_written)
{
	expect_written(AP
	    "  action: AUDIT\n  selector: {matchLabels: {a: b}}\n"
	    "  rules:\n  - from: [{source: {principals: ['*']}}]\n"
	    "    when: [{key: source.ip, values: [10.0.0.0/8]}]\n",
	    S("{\"action\":\"AUDIT\",\"rules\":[{\"from\":[{\"source\":{"
	      "\"principals\":[\"*\"]}}],\"when\":[{\"key\":\"source.ip\","
	      "\"values\":[\"10.0.0.0/8\"]}]}],\"selector\":{\"matchLabels\":"
	      "{\"a\":\"b\"}}}"));
}
