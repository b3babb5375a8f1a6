/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — what concerns an agent, as its hosts and configuration change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "interest.h"
#include "unit.h"

enum { TEXT_MAX = 1024, YAML_BYTES = 1 << 20 };

#define DOMAIN "mesh.internal"
#define FULL(name) name ".default.svc." DOMAIN

/* An index and one agent; the names of resources tell them apart. */
struct rig {
	struct interest_index index;
	struct map resources; /* by name */
	struct interest agent;
	char told[TEXT_MAX]; /* what changed with the last follow() */
};

static void
rig_init(struct rig *r)
{
	interest_index_init(&r->index, S(DOMAIN));
	map_init(&r->resources);
	interest_init(&r->agent, &r->index);
}

static void
drop(void *value)
{
	struct resource *r = value;

	resource_unref(&r);
}

static void
rig_fini(struct rig *r)
{
	interest_fini(&r->agent);
	interest_index_fini(&r->index);
	map_fini(&r->resources, drop);
}

static struct resource *
decode(const char *yaml)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {0};
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&arena, YAML_BYTES);
	EXPECT_OK(codec_yaml_parse(
	    slice_str(yaml), NULL, &arena, &docs, &found.errors));
	EXPECT_EQ(docs.count, 1);
	EXPECT_OK(resource_decode(docs.items[0].root, &source, &r, &found));
	EXPECT_TRUE(r != NULL);
	return r;
}

/* True if the agent has to look anew. */
static bool
put(struct rig *r, const char *name, const char *yaml)
{
	struct resource *before = map_remove(&r->resources, slice_str(name));
	struct resource *now = yaml != NULL ? decode(yaml) : NULL;

	list_remove(&r->agent.link); /* only what comes now counts */
	interest_index_change(&r->index, before, now);
	if (now != NULL)
		(void)map_put(&r->resources, slice_str(name), now); /* new */
	resource_unref(&before);
	return interest_is_stale(&r->agent);
}

static bool
put_service(struct rig *r, const char *name)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"
	    "spec: {ports: [{port: 80}]}\n",
	    name);
	return put(r, name, yaml);
}

static bool
put_rule(struct rig *r, const char *name, const char *host)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
	    "metadata: {name: %s}\nspec: {host: '%s'}\n",
	    name, host);
	return put(r, name, yaml);
}

static bool
put_route(struct rig *r, const char *name, const char *host, const char *to)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: %s}\nspec:\n  hosts: ['%s']\n"
	    "  http: [{route: [{destination: {host: %s}}]}]\n",
	    name, host, to);
	return put(r, name, yaml);
}

static void
ask(struct rig *r, const char *host)
{
	(void)map_put(&r->agent.asked, slice_str(host), r); /* only the mark */
}

/* Of "group/kind/namespace/name". */
static struct slice
name_of(struct slice key)
{
	return slice_sub(key, slice_rfind(key, '/') + 1, key.len);
}

static void
tell(void *arg, struct slice key)
{
	struct rig *r = arg;
	struct slice name = name_of(key);
	size_t len = strlen(r->told);

	(void)snprintf(
	    r->told + len, sizeof(r->told) - len, "%.*s ", SLICE_ARG(name));
}

static int
by_text(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Follows; then what concerns the agent is `want`, sorted. */
static void
expect(struct rig *r, const char *want)
{
	struct slice names[64], key;
	char text[TEXT_MAX] = "";
	size_t count = 0;
	void *mark;

	r->told[0] = '\0';
	interest_follow(&r->agent, tell, r);
	for (size_t i = 0; map_next(&r->agent.resources, &i, &key, &mark);)
		names[count++] = name_of(key);
	if (count > 0)
		qsort(names, count, sizeof(*names), by_text);
	for (size_t i = 0; i < count; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%.*s ", SLICE_ARG(names[i]));
	EXPECT_STR(text, want);
}

TEST(nothing_concerns_an_agent_that_asks_for_nothing)
{
	struct rig r;

	rig_init(&r);
	EXPECT_FALSE(put_service(&r, "a"));
	EXPECT_FALSE(put_rule(&r, "all", "*.default.svc.cluster.local"));
	expect(&r, "");
	EXPECT_STR(r.told, "");
	rig_fini(&r);
}

TEST(what_is_about_a_host_that_was_asked_for_concerns_it)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	(void)put_service(&r, "b");
	(void)put_rule(&r, "rule-a", "a");
	(void)put_rule(&r, "rule-b", "b");
	ask(&r, FULL("a"));
	expect(&r, "a rule-a ");
	EXPECT_TRUE(interest_concerns(&r.agent, S("/Service/default/a")));
	EXPECT_FALSE(interest_concerns(&r.agent, S("/Service/default/b")));
	rig_fini(&r);
}

TEST(patterns_concern_every_host_inside_them)
{
	struct rig r;

	rig_init(&r);
	ask(&r, FULL("a"));
	expect(&r, "");
	EXPECT_TRUE(put_rule(&r, "ns", "*.default.svc.cluster.local"));
	EXPECT_TRUE(put_rule(&r, "mesh", "*.svc.cluster.local"));
	EXPECT_FALSE(put_rule(&r, "else", "*.other.svc.cluster.local"));
	expect(&r, "mesh ns ");
	rig_fini(&r);
}

TEST(a_route_leads_on_to_what_is_about_its_destinations)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "b");
	(void)put_service(&r, "c");
	(void)put_rule(&r, "rule-c", "c");
	(void)put_route(&r, "b-to-c", "b", "c");
	(void)put_service(&r, "d");
	ask(&r, FULL("a"));
	expect(&r, "");
	EXPECT_TRUE(put_route(&r, "a-to-b", "a", "b"));
	expect(&r, "a-to-b b b-to-c c rule-c ");
	EXPECT_TRUE(put_rule(&r, "late", "c"));
	EXPECT_FALSE(put_rule(&r, "never", "d"));
	expect(&r, "a-to-b b b-to-c c late rule-c ");
	EXPECT_STR(r.told, "late ");
	rig_fini(&r);
}

static bool
put_gateway(struct rig *r, const char *name, const char *selector)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
	    "metadata: {name: %s}\nspec: {selector: {%s}, servers: [\n"
	    "  {port: {number: 80, name: http, protocol: HTTP},\n"
	    "   hosts: ['*']}]}\n",
	    name, selector);
	return put(r, name, yaml);
}

static bool
put_bound(struct rig *r, const char *name, const char *gateway, const char *to)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: %s}\nspec:\n  hosts: ['%s.com']\n"
	    "  gateways: [%s]\n  http: [%s]\n",
	    name, name, gateway, to);
	return put(r, name, yaml);
}

#define GO(host) "{route: [{destination: {host: " host "}}]}"

TEST(gateways_lead_on_to_what_is_bound_to_them)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	(void)put_service(&r, "b");
	(void)put_service(&r, "c");
	(void)put_rule(&r, "rule-a", "a");
	(void)put_gateway(&r, "edge", "istio: edge");
	(void)put_gateway(&r, "other", "istio: other");
	(void)put_gateway(&r, "any", "");
	(void)put_bound(&r, "v-edge", "default/edge", GO("a"));
	(void)put_bound(&r, "v-other", "other", GO("b"));
	ask(&r, "gateway/");
	ask(&r, "gateway/istio=edge");
	expect(&r, "a any edge rule-a v-edge ");
	EXPECT_TRUE(put_bound(&r, "v-any", "any",
	    "{delegate: {name: d}, match: [{uri: {prefix: "
	    "/d}}]}"));
	EXPECT_TRUE(!put_bound(&r, "v-mesh", "mesh", GO("c")));
	expect(&r, "a any edge rule-a v-any v-edge ");
	EXPECT_TRUE(put(&r, "d",
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: d}\nspec: {http: [" GO("c") "]}\n"));
	expect(&r, "a any c d edge rule-a v-any v-edge ");
	EXPECT_TRUE(put(&r, "edge", NULL));
	expect(&r, "any c d v-any ");
	rig_fini(&r);
}

TEST(a_circle_of_routes_ends)
{
	struct rig r;

	rig_init(&r);
	(void)put_route(&r, "a-to-b", "a", "b");
	(void)put_route(&r, "b-to-a", "b", "a");
	ask(&r, FULL("b"));
	expect(&r, "a-to-b b-to-a ");
	rig_fini(&r);
}

TEST(without_the_route_what_it_led_to_is_gone)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "b");
	(void)put_route(&r, "a-to-b", "a", "b");
	ask(&r, FULL("a"));
	expect(&r, "a-to-b b ");
	EXPECT_TRUE(put(&r, "a-to-b", NULL));
	expect(&r, "");
	EXPECT_FALSE(put(&r, "b", NULL));
	expect(&r, "");
	rig_fini(&r);
}

TEST(a_route_that_changes_its_host_goes_from_one_agent_to_another)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "c");
	(void)put_route(&r, "route", "a", "c");
	ask(&r, FULL("a"));
	expect(&r, "c route ");
	EXPECT_TRUE(put_route(&r, "route", "b", "c"));
	expect(&r, "");
	EXPECT_TRUE(put_route(&r, "route", "a", "c"));
	expect(&r, "c route ");
	rig_fini(&r);
}

TEST(hosts_come_and_go_at_run_time)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	(void)put_service(&r, "b");
	ask(&r, FULL("a"));
	expect(&r, "a ");
	ask(&r, FULL("b"));
	expect(&r, "a b ");
	EXPECT_STR(r.told, "b ");
	(void)map_remove(&r.agent.asked, S(FULL("a"))); /* the mark */
	expect(&r, "b ");
	EXPECT_STR(r.told, "a ");
	rig_fini(&r);
}

TEST(the_same_hosts_as_before_make_nobody_look_anew)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	(void)put_service(&r, "b");
	(void)put_route(&r, "route", "a", "b");
	ask(&r, FULL("a"));
	expect(&r, "a b route ");
	EXPECT_FALSE(put(&r, "route",
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: route}\nspec:\n  hosts: [a]\n"
	    "  http: [{timeout: 7s, route: [{destination: {host: b}}]}]\n"));
	/* The old one is gone, and the new one is what is found. */
	expect(&r, "a b route ");
	EXPECT_TRUE(put_route(&r, "route", "a", "a"));
	expect(&r, "a route ");
	rig_fini(&r);
}

TEST(only_those_whom_it_may_concern_look_anew)
{
	struct interest other;
	struct rig r;

	rig_init(&r);
	interest_init(&other, &r.index);
	(void)map_put(&other.asked, S(FULL("b")), &r); /* only the mark */
	interest_follow(&other, tell, &r);
	ask(&r, FULL("a"));
	expect(&r, "");
	EXPECT_TRUE(put_service(&r, "a"));
	EXPECT_FALSE(interest_is_stale(&other));
	EXPECT_FALSE(put_service(&r, "b"));
	EXPECT_TRUE(interest_is_stale(&other));
	interest_follow(&other, tell, &r);
	EXPECT_FALSE(interest_is_stale(&other));
	EXPECT_TRUE(put_rule(&r, "all", "*.default.svc.cluster.local"));
	EXPECT_TRUE(interest_is_stale(&other));
	interest_fini(&other);
	rig_fini(&r);
}

TEST(when_all_is_gone_everybody_looks_anew_and_finds_what_comes_then)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	ask(&r, FULL("a"));
	expect(&r, "a ");
	interest_index_clear(&r.index);
	EXPECT_TRUE(interest_is_stale(&r.agent));
	expect(&r, "");
	map_fini(&r.resources, drop);
	EXPECT_TRUE(put_service(&r, "a"));
	expect(&r, "a ");
	rig_fini(&r);
}

/* --- what is about no host ------------------------------------------------ */

static bool
put_peers(struct rig *r, const char *name, const char *ns)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
	    "metadata: {name: %s, namespace: %s}\n"
	    "spec: {mtls: {mode: STRICT}}\n",
	    name, ns);
	return put(r, name, yaml);
}

static bool
put_policy(struct rig *r, const char *name, const char *ns)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
	    "metadata: {name: %s, namespace: %s}\nspec: {}\n",
	    name, ns);
	return put(r, name, yaml);
}

static bool
put_mesh(struct rig *r, const char *spec)
{
	char yaml[TEXT_MAX];

	(void)snprintf(yaml, sizeof(yaml),
	    "apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
	    "metadata: {name: default}\nspec: %s\n",
	    spec);
	return put(r, "default", yaml);
}

TEST(policies_concern_those_who_have_workloads_in_their_namespace)
{
	struct rig r;

	rig_init(&r);
	ask(&r, HOST_MESH);
	ask(&r, "space/shop");
	expect(&r, "");
	EXPECT_TRUE(put_policy(&r, "ours", "shop"));
	EXPECT_FALSE(put_policy(&r, "theirs", "other"));
	expect(&r, "ours ");
	/* Another version of it leads to the same. */
	EXPECT_FALSE(put_policy(&r, "ours", "shop"));
	EXPECT_FALSE(put_rule(&r, "all", "*"));
	expect(&r, "ours ");
	rig_fini(&r);
}

TEST(what_is_in_the_root_namespace_concerns_all)
{
	struct rig r;

	rig_init(&r);
	ask(&r, HOST_MESH);
	expect(&r, "");
	EXPECT_TRUE(put_policy(&r, "usual", "istio-system"));
	expect(&r, "usual ");
	EXPECT_TRUE(put_mesh(&r, "{rootNamespace: base}"));
	expect(&r, "default ");
	EXPECT_FALSE(put_policy(&r, "late", "istio-system"));
	EXPECT_TRUE(put_policy(&r, "moved", "base"));
	expect(&r, "default moved ");
	EXPECT_FALSE(put_mesh(&r, "{rootNamespace: base, connectTimeout: 1s}"));
	EXPECT_TRUE(put_mesh(&r, "{}"));
	expect(&r, "default late usual ");
	EXPECT_TRUE(put(&r, "default", NULL));
	expect(&r, "late usual ");
	rig_fini(&r);
}

TEST(callers_learn_how_a_namespace_is_called_and_nothing_else_of_it)
{
	struct rig r;

	rig_init(&r);
	(void)put_peers(&r, "strict", "shop");
	(void)put_policy(&r, "policy", "shop");
	(void)put_service(&r, "db");
	(void)put_route(&r, "route", "a", "web.shop.svc.cluster.local");
	ask(&r, FULL("a"));
	expect(&r, "route strict ");
	EXPECT_TRUE(put_peers(&r, "own", "default"));
	EXPECT_FALSE(put_peers(&r, "else", "other"));
	expect(&r, "own route strict ");
	EXPECT_TRUE(put_route(&r, "route", "a", "db"));
	expect(&r, "db own route ");
	rig_fini(&r);
}

TEST(a_pattern_finds_a_name_of_the_outside_of_two_labels)
{
	struct rig r;

	rig_init(&r);
	ask(&r, "example.com");
	ask(&r, "example.com.svc." DOMAIN);
	expect(&r, "");
	EXPECT_TRUE(put_rule(&r, "wide", "*.com"));
	EXPECT_TRUE(put_rule(&r, "just", "example.com"));
	EXPECT_FALSE(put_rule(&r, "org", "*.org"));
	expect(&r, "just wide ");
	rig_fini(&r);
}

TEST(a_rule_for_a_service_by_two_labels_concerns_those_who_ask_for_it_in_full)
{
	struct rig r;

	rig_init(&r);
	ask(&r, "db.shop.svc." DOMAIN);
	expect(&r, "");
	EXPECT_TRUE(put_rule(&r, "short", "db.shop"));
	expect(&r, "short ");
	rig_fini(&r);
}

TEST(everything_concerns_an_agent_that_asks_for_all)
{
	struct rig r;

	rig_init(&r);
	(void)put_service(&r, "a");
	(void)put_rule(&r, "rule-b", "b");
	expect(&r, "");
	ask(&r, HOST_ALL);
	expect(&r, "");                            /* nothing leads to them, */
	EXPECT_TRUE(strstr(r.told, "a ") != NULL); /* but they are told */
	EXPECT_TRUE(strstr(r.told, "rule-b ") != NULL);
	EXPECT_TRUE(interest_concerns(&r.agent, S("/Service/default/a")));
	/* What comes then concerns it at once, and is told. */
	EXPECT_TRUE(put_service(&r, "c"));
	expect(&r, "");
	EXPECT_STR(r.told, "c ");
	EXPECT_FALSE(put_service(&r, "c")); /* it has it */
	EXPECT_TRUE(interest_concerns(&r.agent, S("/Service/default/c")));
	(void)map_remove(&r.agent.asked, S(HOST_ALL)); /* a mark */
	expect(&r, "");
	EXPECT_TRUE(strstr(r.told, "c ") != NULL);
	EXPECT_FALSE(interest_concerns(&r.agent, S("/Service/default/c")));
	rig_fini(&r);
}
