/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health — which policy is the check of a service, and checks of its own.
 */
#include "inside.h"

#include "codec/codec.h"
#include "unit.h"

#include <stdio.h>

enum { POLICIES_MAX = 8 };

static const struct label labels[] = {
    {{"app", 3}, {"web", 3}}, {{"tier", 4}, {"front", 5}}};
static const struct node_expose web = {.name = {"web", 3},
    .ns = {"shop", 4},
    .labels = labels,
    .label_count = ARRAY_LEN(labels)};

/* The name of the one that counts, whatever the order; all of one moment. */
static void
expect_best(const char *yaml, const char *name)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct resource *all[POLICIES_MAX];
	const struct resource *first = NULL, *last = NULL;
	struct codec_documents docs;
	struct faults faults = {0};
	size_t count = 0;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(
	    codec_yaml_parse(slice_str(yaml), NULL, &arena, &docs, &faults));
	for (size_t i = 0; i < docs.count; i++)
		EXPECT_OK(resource_decode(
		    docs.items[i].root, &source, &all[count++], &found));
	for (size_t i = 0; i < count; i++) {
		first = health_better(first, all[i], &web, S("root"));
		last = health_better(last, all[count - 1 - i], &web, S("root"));
	}
	EXPECT_SLICE(first != NULL ? first->key.name : S(""), slice_str(name));
	EXPECT_TRUE(first == last);
	for (size_t i = 0; i < count; i++)
		resource_unref(&all[i]);
}

#define POLICY(name, ns, born, spec)                                           \
	"---\napiVersion: meshd.dev/v1\nkind: HealthCheckPolicy\n"             \
	"metadata: {name: " name ", namespace: " ns                            \
	", creationTimestamp: \"20" born "-01-01T00:00:00Z\"}\n"               \
	"spec: {tcp: {}" spec "}\n"

TEST(a_policy_is_for_its_namespace_its_labels_and_its_service)
{
	expect_best(POLICY("a", "shop", "20", ""), "a");
	expect_best(POLICY("a", "other", "20", ""), "");
	expect_best(POLICY("a", "istio-system", "20", ""), "");
	expect_best(POLICY("a", "shop", "20", ", service: web"), "a");
	expect_best(POLICY("a", "shop", "20", ", service: pay"), "");
	expect_best(
	    POLICY("a", "shop", "20", ", selector: {matchLabels: {app: web}}"),
	    "a");
	expect_best(POLICY("a", "shop", "20",
			", selector: {matchLabels: {app: web, tier: back}}"),
	    "");
	expect_best(POLICY("a", "shop", "20",
			", targetRefs: [{kind: Service, name: pay}, {kind: "
			"Service, name: web}]"),
	    "a");
	expect_best(POLICY("a", "shop", "20",
			", targetRefs: [{kind: Service, name: pay}]"),
	    "");
}

TEST(the_one_that_says_most_counts_then_the_oldest_then_the_name)
{
	expect_best(POLICY("all", "shop", "20", "") POLICY("label", "shop",
			"21", ", selector: {matchLabels: {app: web}}")
			POLICY("name", "shop", "22", ", service: web"),
	    "name");
	expect_best(POLICY("name", "shop", "20", ", service: web")
			POLICY("both", "shop", "22",
			    ", service: web, selector: {matchLabels: {app: "
			    "web}}"),
	    "both");
	expect_best(
	    POLICY("b", "shop", "20", "") POLICY("a", "shop", "21", ""), "b");
	expect_best(
	    POLICY("b", "shop", "20", "") POLICY("a", "shop", "20", ""), "a");
}

TEST(one_of_the_root_namespace_counts_where_the_own_has_none)
{
	expect_best(POLICY("all", "root", "20", ""), "all");
	expect_best(
	    POLICY("a", "root", "20", ", selector: {matchLabels: {app: web}}"),
	    "a");
	expect_best(
	    POLICY("a", "root", "20", ", selector: {matchLabels: {app: pay}}"),
	    "");
	/* A service is named in its own namespace. */
	expect_best(POLICY("a", "root", "20", ", service: web"), "");
	expect_best(
	    POLICY("a", "root", "20", ", selector: {matchLabels: {app: web}}")
		POLICY("own", "shop", "22", ""),
	    "own");
}

TEST(one_that_asks_by_https_counts_as_others_do)
{
	expect_best("---\napiVersion: meshd.dev/v1\nkind: HealthCheckPolicy\n"
		    "metadata: {name: s, namespace: shop}\n"
		    "spec: {service: web, http: {scheme: HTTPS}}\n" POLICY(
			"a", "shop", "20", ""),
	    "s");
}

/* --- a check of its own --------------------------------------------------- */

static enum err
read_check(const char *json, struct resource **out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct node_expose e = web;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(codec_json_parse(slice_str(json), &arena, &e.check, why));
	return health_read_check(&e, out, why);
}

TEST(a_check_of_its_own_has_the_rules_and_words_of_the_kind)
{
	AUTO(resource_unref) struct resource *r = NULL;
	const struct health_check_policy *p;
	struct fault why = {0};

	EXPECT_OK(read_check("{\"http\":{\"path\":\"/h\"},\"interval\":"
			     "\"500ms\",\"timeout\":\"200ms\"}",
	    &r, &why));
	p = r->spec;
	EXPECT_SLICE(p->http->path, S("/h"));
	EXPECT_EQ(p->interval, 500000);
	EXPECT_EQ(p->unhealthy_threshold, 3);
	resource_unref(&r);
	EXPECT_ERR(
	    read_check("{\"http\":{\"path\":\"h\"}}", &r, &why), ERR_INVALID);
	EXPECT_STR(
	    why.text, "its check: spec.http.path: has to begin with \"/\"");
	EXPECT_ERR(read_check("{\"tcp\":{},\"interval\":\"1ms\"}", &r, &why),
	    ERR_INVALID);
	EXPECT_STR(
	    why.text, "its check: spec.interval: has to be at least 100ms");
	EXPECT_TRUE(r == NULL);
}

TEST(a_command_is_refused_unless_the_machine_allows_it)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(mem_free) struct node *n = mem_new(sizeof(*n));
	const struct value *exec, *tcp;
	struct fault why = {0};

	arena_init(&arena, 1 << 20);
	EXPECT_OK(codec_json_parse(
	    S("{\"exec\":{\"command\":[\"true\"]}}"), &arena, &exec, &why));
	EXPECT_OK(codec_json_parse(S("{\"tcp\":{}}"), &arena, &tcp, &why));
	EXPECT_OK(health_may_check(n, NULL, &why));
	EXPECT_OK(health_may_check(n, tcp, &why));
	EXPECT_ERR(health_may_check(n, exec, &why), ERR_DENIED);
	EXPECT_TRUE(strstr(why.text, "exec-checks") != NULL);
	n->exec_checks = true;
	EXPECT_OK(health_may_check(n, exec, &why));
}
