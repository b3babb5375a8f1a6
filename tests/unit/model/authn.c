/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authn — what the tokens of a request make of it.
 *
 * Tokens of these tests are words; what they hold is in a table.
 */
#include "codec/codec.h"
#include "policies.h"
#include "unit.h"

#define TOKENS(name, ns, spec)                                                 \
	"apiVersion: security.istio.io/v1\nkind: RequestAuthentication\n"      \
	"metadata: {name: " name ", namespace: " ns "}\n"                      \
	"spec: {" spec "}\n---\n"

static const struct {
	const char *token;
	const char *claims;
	enum authn_verdict verdict;
} known[] = {
    {"one", "{\"iss\":\"i1\",\"sub\":\"s\"}", AUTHN_VALID},
    {"two", "{\"iss\":\"i2\",\"sub\":\"s\"}", AUTHN_VALID},
    {"aud", "{\"iss\":\"i1\",\"sub\":\"s\",\"aud\":[\"x\",\"foo\"]}",
	AUTHN_VALID},
    {"old", "{\"iss\":\"i1\",\"sub\":\"s\"}", AUTHN_EXPIRED},
    {"forged", "{\"iss\":\"i1\",\"sub\":\"s\"}", AUTHN_BAD_SIGNATURE},
};

static struct arena arena;

static enum authn_verdict
verify(void *arg, const struct authn_rule *rule, struct slice token,
    const struct value **out)
{
	(void)arg;
	(void)rule;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!slice_eq(token, slice_str(known[i].token)))
			continue;
		EXPECT_OK(codec_json_parse(
		    slice_str(known[i].claims), &arena, out, NULL));
		return known[i].verdict;
	}
	return AUTHN_MALFORMED;
}

static struct authn_decision
ask(const char *yaml, struct http_attrs http, const char *headers)
{
	AUTO(guarded_fini) struct guarded g;
	struct authn_decision d;

	arena_reset(&arena);
	arena_init(&arena, 1 << 20);
	http.header = header_in_text;
	http.arg = (void *)(uintptr_t)headers;
	if (http.method.len == 0)
		http.method = S("GET");
	guarded_init(&g, yaml);
	d = view_authn_decide(g.web->authn, &http, verify, NULL);
	/* The rule goes with the view. */
	d.rule = NULL;
	return d;
}

static unsigned
status(const char *yaml, const char *path, const char *headers)
{
	const struct http_attrs http = {.path = slice_str(path)};

	return ask(yaml, http, headers).status;
}

#define BOTH                                                                   \
	TOKENS("a", "default", "jwtRules: [{issuer: i1}]")                     \
	TOKENS("b", "istio-system", "jwtRules: [{issuer: i2}]")

TEST(a_request_without_a_token_goes_on_as_nobody)
{
	const struct http_attrs http = {.path = S("/")};
	struct authn_decision d = ask(BOTH, http, "");

	EXPECT_EQ(d.status, 0);
	EXPECT_TRUE(d.claims.tree == NULL);
	EXPECT_EQ(status("", "/", "authorization: Bearer old"), 0);
}

TEST(any_rule_that_is_for_the_workload_may_take_a_token)
{
	const struct http_attrs http = {.path = S("/")};
	struct authn_decision d = ask(BOTH, http, "Authorization: Bearer two");

	EXPECT_EQ(d.status, 0);
	EXPECT_SLICE(value_get_string(d.claims.tree, S("iss"), S("")), S("i2"));
	EXPECT_EQ(status(BOTH, "/", "authorization: Bearer one"), 0);
	EXPECT_EQ(status(BOTH, "/?access_token=one", ""), 0);
	EXPECT_EQ(status(BOTH, "/?x=1&access_token=old#y", ""), 401);
}

TEST(a_bad_token_is_refused_for_what_is_wrong_with_it)
{
	const struct http_attrs http = {.path = S("/")};

	EXPECT_EQ(
	    ask(BOTH, http, "authorization: Bearer old").why, AUTHN_EXPIRED);
	EXPECT_EQ(ask(BOTH, http, "authorization: Bearer forged").why,
	    AUTHN_BAD_SIGNATURE);
	EXPECT_EQ(
	    ask(BOTH, http, "authorization: Bearer x").why, AUTHN_MALFORMED);
	EXPECT_EQ(ask(TOKENS("a", "default", "jwtRules: [{issuer: i1}]"), http,
		      "authorization: Bearer two")
		      .why,
	    AUTHN_OTHER_ISSUER);
	EXPECT_EQ(status(BOTH, "/", "authorization: Bearer x"), 401);
}

TEST(a_scheme_that_is_not_looked_for_is_no_token)
{
	EXPECT_EQ(status(BOTH, "/", "authorization: Basic old"), 0);
}

TEST(an_audience_has_to_be_named_by_the_token)
{
	const char *yaml =
	    TOKENS("a", "default", "jwtRules: [{issuer: i1, audiences: [foo]}]")
		TOKENS("b", "default", "jwtRules: [{issuer: i2}]");

	EXPECT_EQ(status(yaml, "/", "authorization: Bearer one"), 403);
	EXPECT_EQ(status(yaml, "/", "authorization: Bearer aud"), 0);
	EXPECT_EQ(status(yaml, "/", "authorization: Bearer two"), 0);
}

TEST(a_rule_says_where_its_tokens_are)
{
	const char *yaml = TOKENS("a", "default",
	    "jwtRules: [{issuer: i1, fromHeaders: [{name: X-Jwt, prefix: "
	    "'Value '}, {name: plain}], fromParams: [token, second], "
	    "fromCookies: [c]}]");

	EXPECT_EQ(status(yaml, "/", "authorization: Bearer old"), 0);
	EXPECT_EQ(status(yaml, "/", "x-jwt: Value old"), 401);
	EXPECT_EQ(status(yaml, "/", "x-jwt: old"), 0);
	EXPECT_EQ(status(yaml, "/", "plain: old"), 401);
	EXPECT_EQ(status(yaml, "/", "cookie: a=b; c=old"), 401);
	EXPECT_EQ(status(yaml, "/?token=old", ""), 401);
	EXPECT_EQ(status(yaml, "/?access_token=old", ""), 0);
	/* Each that is there has to be good. */
	EXPECT_EQ(status(yaml, "/?token=one&second=one", ""), 0);
	EXPECT_EQ(status(yaml, "/?token=one&second=old", ""), 401);
	EXPECT_EQ(status(yaml, "/?token=old&second=one", ""), 401);
}

TEST(a_preflight_is_not_asked_for_its_token)
{
	const struct http_attrs http = {.method = S("OPTIONS"), .path = S("/")};
	const char *both = "authorization: Bearer old\norigin: https://x\n"
			   "access-control-request-method: POST";

	EXPECT_EQ(ask(BOTH, http, both).status, 0);
	EXPECT_EQ(
	    ask(BOTH, http,
		"authorization: Bearer old\naccess-control-request-method: "
		"POST")
		.status,
	    401);
	EXPECT_EQ(status(BOTH, "/", both), 401);
}

TEST(rows_have_what_the_service_is_told)
{
	AUTO(guarded_fini) struct guarded g;
	const struct authn_rule *r;

	guarded_init(&g,
	    TOKENS("a", "default",
		"jwtRules: [{issuer: z, jwksUri: 'https://k/x', "
		"forwardOriginalToken: true, outputPayloadToHeader: X-P, "
		"outputClaimToHeaders: [{header: X-C, claim: a.b}], "
		"spaceDelimitedClaims: [roles]}, {issuer: b, timeout: 2s}]"));
	EXPECT_EQ(g.web->authn->count, 2);
	r = &g.web->authn->rules[1];
	EXPECT_SLICE(r->issuer, S("z"));
	EXPECT_SLICE(r->jwks_uri, S("https://k/x"));
	EXPECT_TRUE(r->forward);
	EXPECT_SLICE(r->payload_header, S("x-p"));
	EXPECT_SLICE(r->claim_headers[0].header, S("x-c"));
	EXPECT_SLICE(r->claim_headers[0].claim, S("a.b"));
	EXPECT_SLICE(r->spaced[0], S("roles"));
	EXPECT_SLICE(r->headers[0].prefix, S("Bearer "));
	EXPECT_EQ(g.web->authn->rules[0].timeout_us, 2000000);
	EXPECT_TRUE(r->origin.line > 0);
}
