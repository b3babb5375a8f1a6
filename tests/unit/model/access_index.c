/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_index — the index of rules says what asking every rule says.
 *
 * Policies and calls are made at random out of a few words, so that they meet
 * often. SEED=n runs one seed alone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "policies.h"
#include "unit.h"

enum { SEEDS = UNIT_SEEDS(2000), CALLS = 12, YAML_MAX = 64 << 10 };

struct maker {
	struct rng rng;
	char yaml[YAML_MAX];
	size_t len;
};

static void PRINTF_LIKE(2, 3) put(struct maker *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	m->len += (size_t)vsnprintf(
	    m->yaml + m->len, sizeof(m->yaml) - m->len, fmt, ap);
	va_end(ap);
	CHECK(m->len < sizeof(m->yaml));
}

static bool
chance(struct maker *m, unsigned percent)
{
	return rng_below(&m->rng, 100) < percent;
}

static const char *
any_of(struct maker *m, const char *const *words, size_t count)
{
	return words[rng_below(&m->rng, count)];
}
#define ANY(m, words) any_of((m), (words), ARRAY_LEN(words))

static const char *const principals[] = {"mesh.internal/ns/a/sa/x",
    "mesh.internal/ns/ab/sa/xy", "*", "*/sa/x", "*x", "mesh.internal/ns/a/*",
    "cluster.local/ns/b/sa/x", "other/ns/a/sa/x", "*-old/ns/a/sa/x"};
static const char *const namespaces[] = {"a", "ab", "b", "a*", "*b", "*", "ns"};
static const char *const accounts[] = {"x", "a/x", "ab/xy", "b/x", "ns/sa"};
static const char *const domains[] = {"mesh.internal", "other", "o*", "*.x"};
static const char *const blocks[] = {"10.0.0.0/8", "10.1.0.0/16", "192.0.2.1"};
static const char *const hosts[] = {
    "web", "WEB.example.com", "*.example.com", "web*", "*", "*b"};
static const char *const methods[] = {"GET", "POST", "P*", "*"};
static const char *const paths[] = {"/", "/a", "/a/b", "/a*", "/a/*", "*/b",
    "*", "/a/{*}", "/{**}/b", "/a/{*}/c", "*c", "/b", "/c", "/d"};
static const char *const ports[] = {"80", "8080"};
static const char *const tokens[] = {"i/s", "i/t", "*", "i/*", "*s", "j/s"};

static void
list(struct maker *m, const char *key, const char *const *words, size_t count)
{
	size_t n = 1 + rng_below(&m->rng, 3);

	put(m, "%s: [", key);
	for (size_t i = 0; i < n; i++)
		put(m, "%s'%s'", i > 0 ? ", " : "", any_of(m, words, count));
	put(m, "], ");
}

#define MAYBE(m, percent, key, words)                                          \
	do {                                                                   \
		if (chance((m), (percent)))                                    \
			list((m), (key), (words), ARRAY_LEN(words));           \
	} while (0)

static void
source(struct maker *m)
{
	bool by_account = chance(m, 20);

	put(m, "{source: {");
	if (by_account)
		list(m, "serviceAccounts", accounts, ARRAY_LEN(accounts));
	else
		MAYBE(m, 60, "principals", principals);
	if (!by_account)
		MAYBE(m, 30, "namespaces", namespaces);
	if (!by_account)
		MAYBE(m, 10, "notPrincipals", principals);
	MAYBE(m, 15, "trustDomains", domains);
	MAYBE(m, 15, "ipBlocks", blocks);
	MAYBE(m, 10, "notRemoteIpBlocks", blocks);
	MAYBE(m, 20, "requestPrincipals", tokens);
	put(m, "notRequestPrincipals: [zzz/z]}}, ");
}

static void
operation(struct maker *m)
{
	put(m, "{operation: {");
	MAYBE(m, 40, "hosts", hosts);
	MAYBE(m, 10, "notHosts", hosts);
	MAYBE(m, 30, "methods", methods);
	MAYBE(m, 60, "paths", paths);
	MAYBE(m, 10, "notPaths", paths);
	MAYBE(m, 20, "ports", ports);
	put(m, "notMethods: [ZZZ]}}, ");
}

static void
rule(struct maker *m)
{
	put(m, "  - {");
	if (chance(m, 70)) {
		put(m, "from: [");
		for (size_t n = 1 + rng_below(&m->rng, 2); n > 0; n--)
			source(m);
		put(m, "], ");
	}
	if (chance(m, 60)) {
		put(m, "to: [");
		for (size_t n = 1 + rng_below(&m->rng, 2); n > 0; n--)
			operation(m);
		put(m, "], ");
	}
	if (chance(m, 25)) {
		put(m, "when: [{key: source.namespace, ");
		list(m, "values", namespaces, ARRAY_LEN(namespaces));
		put(m, "}]");
	}
	put(m, "}\n");
}

static void
policy(struct maker *m, size_t number)
{
	static const char *const actions[] = {
	    "ALLOW", "DENY", "AUDIT", "ALLOW"};
	size_t rules = 1 + rng_below(&m->rng, 12);
	const char *action = ANY(m, actions);

	put(m,
	    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	    "metadata: {name: p%zu, namespace: %s",
	    number, chance(m, 30) ? "istio-system" : "default");
	if (strcmp(action, "AUDIT") != 0 && chance(m, 15))
		put(m, ", annotations: {istio.io/dry-run: 'true'}");
	put(m, "}\nspec:\n  action: %s\n  rules:\n", action);
	for (size_t i = 0; i < rules; i++)
		rule(m);
	put(m, "---\n");
}

static void
ask_at_random(
    struct maker *m, const struct guarded *g, const struct value *claims)
{
	static const char *const from[] = {NULL, "a/x", "ab/xy", "b/x", "ns/sa",
	    "spiffe://other/ns/a/sa/x", "spiffe://very-old/ns/a/sa/x",
	    "spiffe://mesh.internal/ns/ns/sa/ns", "spiffe://odd/sa/x/ns/a",
	    "spiffe://mesh.internal/x/ns/a/k/v/sa/x/y", "spiffe://"};
	static const char *const called[] = {"/", "/a", "/a/b", "/a/b?x=/c",
	    "/a/q/c", "/x/y/b", "", "/c", "/d#x", NULL};
	static const char *const at[] = {"web", "web.EXAMPLE.com", "x", ""};
	static const char *const addrs[] = {
	    NULL, "10.0.0.1", "10.1.0.1", "192.0.2.1"};
	static const char *const how[] = {"GET", "POST", "PUT"};
	static const char *const to[] = {"10.0.0.1:80", "10.0.0.1:8080"};
	const struct call c = {.from = ANY(m, from),
	    .path = ANY(m, called),
	    .host = ANY(m, at),
	    .source = ANY(m, addrs),
	    .remote = ANY(m, addrs),
	    .method = ANY(m, how),
	    .to = ANY(m, to),
	    .claims = chance(m, 50) ? claims : NULL};

	(void)guarded_ask(g, &c); /* compares both ways of asking */
}

static void
try_seed(uint64_t seed)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(arena_fini) struct arena a;
	struct maker *m = mem_new(sizeof(*m));
	struct value *claims;
	size_t policies;

	arena_init(&a, 4096);
	claims = value_new(&a, VALUE_MAP);
	value_put_text(&a, &claims, S("iss"), S("i"));
	value_put_text(&a, &claims, S("sub"), S("s"));
	rng_init(&m->rng, seed);
	policies = 1 + rng_below(&m->rng, 6);
	for (size_t i = 0; i < policies; i++)
		policy(m, i);
	guarded_init(&g, m->yaml);
	g.seed = seed;
	for (size_t i = 0; i < CALLS; i++)
		ask_at_random(m, &g, claims);
	mem_free(&m);
}

TEST(the_index_finds_the_rule_that_asking_all_finds)
{
	const char *one = getenv("SEED");

	for (uint64_t seed = 1; one == NULL && seed <= SEEDS; seed++)
		try_seed(seed);
	if (one != NULL)
		try_seed(strtoull(one, NULL, 10));
}

static bool
count_headers(void *arg, struct slice name, struct slice *out)
{
	size_t *asked = arg;

	(void)name;
	(void)out;
	(*asked)++;
	return false;
}

/* Each rule ("#" is its number) asks for a header last: that is counted. */
static size_t
rules_asked(const char *what, const struct access_question *of)
{
	AUTO(guarded_fini) struct guarded g;
	struct maker *m = mem_new(sizeof(*m));
	struct http_attrs http = *of->http;
	struct access_question q = *of;
	size_t asked = 0;

	put(m, "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	       "metadata: {name: p}\nspec:\n  rules:\n");
	for (int i = 0; i < 500; i++) {
		struct slice rest = slice_str(what);
		struct slice front = slice_split(&rest, '#');

		put(m,
		    "  - {%.*s%d%.*s, when: [{key: 'request.headers[x]', "
		    "values: [y]}]}\n",
		    SLICE_ARG(front), i, SLICE_ARG(rest));
	}
	guarded_init(&g, m->yaml);
	mem_free(&m);
	http.header = count_headers;
	http.arg = &asked;
	q.http = &http;
	EXPECT_FALSE(view_access_decide(g.web->access, &q, NULL).allowed);
	return asked;
}

#define FROM(member, value) "from: [{source: {" member ": ['" value "']}}]"
#define CALL(member, value) "to: [{operation: {" member ": ['" value "']}}]"

TEST(of_many_rules_only_those_are_asked_that_name_the_call)
{
	const struct http_attrs http = {
	    .method = S("GET"), .authority = S("h7.com"), .path = S("/p7/q")};
	const struct access_question q = {
	    .identity = S("spiffe://mesh.internal/ns/n7/sa/a7"), .http = &http};

	EXPECT_EQ(
	    rules_asked(FROM("principals", "mesh.internal/ns/n7/sa/a#"), &q),
	    1);
	EXPECT_EQ(rules_asked(FROM("principals", "*/n7/sa/a#"), &q), 1);
	EXPECT_EQ(rules_asked(FROM("namespaces", "n#"), &q), 1);
	EXPECT_EQ(rules_asked(FROM("serviceAccounts", "n7/a#"), &q), 1);
	EXPECT_EQ(rules_asked(CALL("hosts", "H#.com"), &q), 1);
	EXPECT_EQ(rules_asked(CALL("paths", "/p#/*"), &q), 1);
	EXPECT_EQ(rules_asked(CALL("paths", "/p#/{*}"), &q), 1);
	/* By methods nothing is filed. */
	EXPECT_EQ(
	    rules_asked(
		"to: [{operation: {methods: [GET], notPaths: [/#]}}]", &q),
	    500);
}
