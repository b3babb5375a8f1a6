/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects — what is different between two views, in words.
 */
#include "load.h"
#include "unit.h"

#include <stdio.h>

static const char services[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    "spec: {ports: [{name: http, port: 9080}]}\n"
    "---\n"
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
    "metadata: {name: reviews}\nspec:\n  host: reviews\n"
    "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}\n"
    "  subsets: [{name: v1, labels: {version: v1}},"
    " {name: v2, labels: {version: v2}}]\n";

static const char to_v1[] =
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews}\nspec:\n  hosts: [reviews]\n  http:\n"
    "  - match: [{uri: {prefix: /old}}]\n"
    "    route: [{destination: {host: reviews, subset: v1}}]\n"
    "  - route: [{destination: {host: reviews, subset: v1}}]\n";

static const char to_both[] =
    "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
    "metadata: {name: reviews}\nspec:\n  hosts: [reviews]\n  http:\n"
    "  - match: [{headers: {who: {exact: tester}}}]\n"
    "    route: [{destination: {host: reviews, subset: v2}}]\n"
    "  - timeout: 2s\n    route:\n"
    "    - {destination: {host: reviews, subset: v1}, weight: 90}\n"
    "    - {destination: {host: reviews, subset: v2}, weight: 10}\n";

static const char other[] =
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: ratings}\n"
    "spec: {ports: [{name: http, port: 80}]}\n";

struct made {
	char text[8192];
	struct loaded l;
	struct view *v;
};

static void
made_fini(struct made *m)
{
	view_unref(&m->v);
	loaded_fini(&m->l);
}

static void
make_at(
    struct made *m, const char *a, const char *b, const struct view_input *at)
{
	struct view_input in = *at;

	memset(m, 0, sizeof(*m));
	EXPECT_TRUE((size_t)snprintf(m->text, sizeof(m->text), "%s%s", a, b) <
		    sizeof(m->text));
	load(m->text, "m.yaml", &m->l);
	in.resources = (const struct resource *const *)m->l.items;
	in.resource_count = m->l.count;
	EXPECT_OK(view_compile(&in, &m->v, NULL));
}

static void
make(struct made *m, const char *a, const char *b)
{
	make_at(m, a, b, &(struct view_input){0});
}

static bool
says(const struct value *list, const char *to, const char *words)
{
	VALUE_EACH(list, it)
	if (slice_eq(value_get_string(it, S("to"), S("")), slice_str(to)) &&
	    slice_eq(value_get_string(it, S("text"), S("")), slice_str(words)))
		return true;
	return false;
}

TEST(equal_views_have_no_effects)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;

	make(&a, services, to_both);
	make(&b, services, to_both);
	arena_init(&arena, 1 << 20);
	EXPECT_EQ(view_effects(a.v, b.v, &arena)->count, 0);
	arena_fini(&arena);
}

/* However many rows are looked at. */
TEST(what_is_not_told_takes_no_room)
{
	AUTO(made_fini) struct made a, b;
	AUTO(arena_fini) struct arena arena;
	const struct value *list;

	make(&a, services, to_both);
	make(&b, services, to_both);
	arena_init(&arena, 256);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(list != NULL && list->count == 0);
}

TEST(words_that_do_not_fit_are_no_answer)
{
	AUTO(made_fini) struct made a, b;
	AUTO(arena_fini) struct arena arena;

	make(&a, services, to_v1);
	make(&b, services, to_both);
	arena_init(&arena, 256);
	EXPECT_TRUE(view_effects(a.v, b.v, &arena) == NULL);
}

TEST(shares_rules_and_actions_are_told_in_words)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;
	const struct value *list;

	make(&a, services, to_v1);
	make(&b, services, to_both);
	arena_init(&arena, 1 << 20);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(says(list, "reviews.default:9080",
	    "10 % now go to v2 (until now all to v1)"));
	EXPECT_TRUE(
	    says(list, "reviews.default:9080", "timeout is now 2s, not 0s"));
	EXPECT_TRUE(says(list, "reviews.default:9080",
	    "where header who is tester: a rule of its own now, all to v2"));
	EXPECT_TRUE(says(list, "reviews.default:9080",
	    "where path begins with /old: no rule of its own any more"));
	EXPECT_EQ(list->count, 4);
	arena_fini(&arena);
}

TEST(the_first_rule_of_a_host_is_compared_with_what_was_without_any)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;
	const struct value *list;

	make(&a, services, "");
	make(&b, services, to_v1);
	arena_init(&arena, 1 << 20);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(says(list, "reviews.default:9080",
	    "all now go to v1 (until now all to any instance)"));
	arena_fini(&arena);
}

#define RULE(policy)                                                           \
	"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"     \
	"metadata: {name: ratings}\nspec:\n  host: ratings\n"                  \
	"  trafficPolicy: {" policy "}\n"

TEST(how_calls_are_secured_is_told_in_words)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;
	const struct value *list;

	make(&a, other, RULE("loadBalancer: {simple: RANDOM}"));
	make(&b, other,
	    RULE("loadBalancer: {simple: RANDOM}, tls: {mode: ISTIO_MUTUAL}"));
	arena_init(&arena, 1 << 20);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(says(list, "ratings.default:80",
	    "mutual TLS now (until now mutual TLS where the endpoint wants "
	    "it)"));
	EXPECT_EQ(list->count, 1);
	arena_fini(&arena);
}

TEST(each_setting_of_a_cluster_is_told)
{
	static const struct {
		const char *before, *after, *words;
	} rows[] = {
	    {"loadBalancer: {simple: RANDOM}",
		"loadBalancer: {simple: "
		"ROUND_ROBIN}",
		"balancer is now ROUND_ROBIN, not RANDOM"},
	    {"connectionPool: {tcp: {connectTimeout: 2s}}",
		"connectionPool: {tcp: {connectTimeout: 3s}}",
		"connections.connectTimeout is now 3s, not 2s"},
	    {"outlierDetection: {minHealthPercent: 10}",
		"outlierDetection: {minHealthPercent: 20}",
		"outlierDetection.minHealthPercent is now 20, not 10"},
	    {"loadBalancer: {warmup: {duration: 5s}}",
		"loadBalancer: {warmup: {duration: 5s, aggression: 2}}",
		"warmup.aggression is now 2, not 1"},
	    {"loadBalancer: {localityLbSetting: {failover: [{from: a, to: "
	     "b}]}}",
		"loadBalancer: {localityLbSetting: {failover: [{from: "
		"a, to: c}]}}",
		"localityLbSetting.failover[0].to is now c, not b"},
	    {"tls: {mode: SIMPLE, sni: a.com}",
		"tls: {mode: SIMPLE, sni: b.com}",
		"sni is now b.com, not a.com"},
	    {"connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE}}",
		"connectionPool: {http: {h2UpgradePolicy: UPGRADE}}",
		"http2 is now true, not false"},
	    {"loadBalancer: {consistentHash: {httpHeaderName: a}}",
		"loadBalancer: {consistentHash: {httpHeaderName: b}}",
		"hash.name is now b, not a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(made_fini) struct made a, b;
		AUTO(arena_fini) struct arena arena;
		char of_a[1024], of_b[1024];

		(void)snprintf(of_a, sizeof(of_a), RULE("%s"), rows[i].before);
		(void)snprintf(of_b, sizeof(of_b), RULE("%s"), rows[i].after);
		make(&a, other, of_a);
		make(&b, other, of_b);
		arena_init(&arena, 1 << 20);
		EXPECT_TRUE(says(view_effects(a.v, b.v, &arena),
		    "ratings.default:80", rows[i].words));
	}
}

TEST(a_host_that_comes_or_goes_is_told)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;

	make(&a, services, "");
	make(&b, services, other);
	arena_init(&arena, 1 << 20);
	EXPECT_TRUE(says(view_effects(a.v, b.v, &arena), "ratings.default:80",
	    "can be called now"));
	EXPECT_TRUE(says(view_effects(b.v, a.v, &arena), "ratings.default:80",
	    "can no longer be called"));
	arena_fini(&arena);
}

#define SERVER(name, host, mode)                                               \
	"  - {port: {number: 443, name: " name                                 \
	", protocol: HTTPS}, hosts: [" host "], tls: {mode: " mode             \
	", credentialName: c}}\n"
static const char gateway[] =
    "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
    "metadata: {name: gw}\nspec:\n  selector: {app: gw}\n  servers:\n" SERVER(
	"one", "a.com", "SIMPLE");

TEST(servers_of_a_gateway_are_told_by_their_names)
{
	static const struct label app[] = {{{"app", 3}, {"gw", 2}}};
	const struct view_input at = {
	    .proxy = VIEW_ROUTER, .ns = S("default"), .labels = {app, 1}};
	AUTO(made_fini) struct made a, b;
	struct arena arena;
	const struct value *list;

	make_at(&a, gateway, "", &at);
	make_at(&b, gateway, SERVER("two", "b.com", "MUTUAL"), &at);
	arena_init(&arena, 1 << 20);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(says(list, "0.0.0.0_443",
	    "the chain for b.com is new, or ends TLS in another way"));
	EXPECT_EQ(list->count, 1);
	EXPECT_TRUE(says(view_effects(b.v, a.v, &arena), "0.0.0.0_443",
	    "the chain for b.com is gone, or as it was no longer"));
	arena_fini(&arena);
}

#define BEHIND                                                                 \
	"---\napiVersion: meshd.dev/v1\nkind: MeshConfig\n"                    \
	"metadata: {name: default}\n"                                          \
	"spec: {defaultConfig: {gatewayTopology: {proxyProtocol: {}}}}\n"

TEST(a_gateway_that_stands_behind_a_proxy_is_told)
{
	static const struct label app[] = {{{"app", 3}, {"gw", 2}}};
	const struct view_input at = {
	    .proxy = VIEW_ROUTER, .ns = S("default"), .labels = {app, 1}};
	AUTO(made_fini) struct made a, b;
	struct arena arena;

	make_at(&a, gateway, "", &at);
	make_at(&b, gateway, BEHIND, &at);
	arena_init(&arena, 1 << 20);
	EXPECT_TRUE(says(view_effects(a.v, b.v, &arena), "0.0.0.0_443",
	    "takes only what begins with a PROXY header"));
	EXPECT_TRUE(says(view_effects(b.v, a.v, &arena), "0.0.0.0_443",
	    "takes no PROXY header any more"));
	arena_fini(&arena);
}

#define SUBNET(text)                                                           \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: db}\n"           \
	"spec: {ports: [{name: tcp, port: 5432}]}\n---\n"                      \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: db}\nspec:\n  hosts: [db]\n  tcp:\n"                 \
	"  - {match: [{destinationSubnets: [" text "]}], route: "              \
	"[{destination: {host: db}}]}\n"

TEST(a_rule_for_other_addresses_is_told)
{
	AUTO(made_fini) struct made a, b;
	struct arena arena;
	const struct value *list;

	make(&a, services, SUBNET("10.0.0.0/8"));
	make(&b, services, SUBNET("10.0.0.0/16"));
	arena_init(&arena, 1 << 20);
	list = view_effects(a.v, b.v, &arena);
	EXPECT_TRUE(says(list, "db.default:5432",
	    "rule 1: is for other addresses, or other names of servers, than "
	    "until now"));
	EXPECT_EQ(list->count, 1);
	EXPECT_EQ(view_effects(a.v, a.v, &arena)->count, 0);
	arena_fini(&arena);
}
