/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peers — which PeerAuthentication holds for a workload's port.
 */
#include "load.h"
#include "unit.h"
#include "view/inside.h"

#define PEER(name, ns, day, spec)                                              \
	"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"         \
	"metadata: {name: " name ", namespace: " ns ",\n"                      \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"                  \
	"spec: {" spec "}\n---\n"
#define MODE(word) "mtls: {mode: " word "}"
#define FOR(labels) "selector: {matchLabels: {" labels "}}, "
#define PORT(number, word) "portLevelMtls: {'" number "': {mode: " word "}}"

struct world {
	struct loaded l;
	struct view v;
	struct builder b;
};

static void
world_init(struct world *w, const char *yaml)
{
	memset(w, 0, sizeof(*w));
	load(yaml, "m.yaml", &w->l);
	EXPECT_OK(w->l.e);
	arena_init(&w->v.arena, 1 << 20);
	w->v.root_ns = S("istio-system");
	for (size_t i = 0; i < w->l.count; i++)
		rows_add(&w->v.resources, w->l.items[i]);
	w->b.v = &w->v;
	map_init(&w->b.peers_by_ns);
	map_init(&w->b.peers_by_label);
	collect_peers(&w->b);
}

static void
world_fini(struct world *w)
{
	peers_fini(&w->b);
	rows_fini(&w->b.problems);
	rows_fini(&w->v.resources);
	arena_fini(&w->v.arena);
	loaded_fini(&w->l);
}

static const struct label web[] = {
    {{"app", 3}, {"web", 3}}, {{"tier", 4}, {"front", 5}}};

/* Of a workload in "shop" with app=web, tier=front. */
static enum mutual_tls_mode
mode_on(struct world *w, uint16_t port)
{
	return mutual_tls_of(
	    &w->b, S("shop"), &(struct labels){web, ARRAY_LEN(web)}, port);
}

TEST(what_nobody_says_is_permissive)
{
	AUTO(world_fini) struct world w;
	struct peer_policy p;

	world_init(&w, PEER("a", "blog", "01", MODE("STRICT")));
	EXPECT_EQ(mode_on(&w, 80), MUTUAL_TLS_PERMISSIVE);
	p = peer_policy_of(&w.b, S("shop"), &(struct labels){NULL, 0});
	EXPECT_TRUE(p.by == NULL);
}

TEST(the_narrower_policy_decides)
{
	AUTO(world_fini) struct world mesh, ns, workload;

	world_init(&mesh, PEER("m", "istio-system", "05", MODE("STRICT")));
	EXPECT_EQ(mode_on(&mesh, 80), MUTUAL_TLS_STRICT);
	world_init(&ns, PEER("m", "istio-system", "05", MODE("STRICT"))
			    PEER("n", "shop", "06", MODE("DISABLE")));
	EXPECT_EQ(mode_on(&ns, 80), MUTUAL_TLS_DISABLE);
	world_init(&workload,
	    PEER("m", "istio-system", "05", MODE("STRICT"))
		PEER("n", "shop", "06", MODE("DISABLE")) PEER(
		    "w", "shop", "07", FOR("tier: front") MODE("PERMISSIVE")));
	EXPECT_EQ(mode_on(&workload, 80), MUTUAL_TLS_PERMISSIVE);
}

TEST(unset_is_what_the_wider_one_says)
{
	AUTO(world_fini) struct world w;

	world_init(&w,
	    PEER("m", "istio-system", "05", MODE("STRICT"))
		PEER("n", "shop", "06", MODE("UNSET")) PEER("w", "shop", "07",
		    FOR("app: web") MODE("UNSET") ", " PORT("81", "UNSET")));
	EXPECT_EQ(mode_on(&w, 80), MUTUAL_TLS_STRICT);
	EXPECT_EQ(mode_on(&w, 81), MUTUAL_TLS_STRICT);
}

TEST(one_port_may_differ_and_is_told_from_the_rest)
{
	AUTO(world_fini) struct world w;
	struct peer_policy p;
	const struct resource *by;

	world_init(&w, PEER("n", "shop", "01", MODE("STRICT")) PEER("w", "shop",
			   "02", FOR("app: web") PORT("81", "DISABLE")));
	p = peer_policy_of(
	    &w.b, S("shop"), &(struct labels){web, ARRAY_LEN(web)});
	EXPECT_EQ(peer_policy_on(&p, 80, &by), MUTUAL_TLS_STRICT);
	EXPECT_SLICE(by->key.name, S("n"));
	EXPECT_EQ(peer_policy_on(&p, 81, &by), MUTUAL_TLS_DISABLE);
	EXPECT_SLICE(by->key.name, S("w"));
}

TEST(the_oldest_of_several_holds_with_its_ports)
{
	AUTO(world_fini) struct world w;

	world_init(&w,
	    PEER("late", "shop", "09",
		FOR("tier: front") MODE("DISABLE") ", " PORT("81", "STRICT"))
		PEER("early", "shop", "02", FOR("app: web") MODE("STRICT"))
		    PEER("n2", "shop", "08", MODE("DISABLE"))
			PEER("n1", "shop", "07", MODE("PERMISSIVE")));
	EXPECT_EQ(mode_on(&w, 81), MUTUAL_TLS_STRICT);
	EXPECT_EQ(mode_on(&w, 80), MUTUAL_TLS_STRICT);
	EXPECT_EQ(mutual_tls_of(&w.b, S("shop"), &(struct labels){NULL, 0}, 80),
	    MUTUAL_TLS_PERMISSIVE);
	EXPECT_EQ(w.b.problems.count, 1); /* n2 is told of */
}

TEST(a_selector_needs_all_of_its_labels)
{
	AUTO(world_fini) struct world w;

	world_init(&w, PEER("w", "shop", "01",
			   FOR("app: web, version: v1") MODE("STRICT")));
	EXPECT_EQ(mode_on(&w, 80), MUTUAL_TLS_PERMISSIVE);
}

TEST(a_selector_in_the_root_namespace_selects_nothing_and_is_told)
{
	AUTO(world_fini) struct world w;

	world_init(&w,
	    PEER("w", "istio-system", "01", FOR("app: web") MODE("STRICT")));
	EXPECT_EQ(mode_on(&w, 80), MUTUAL_TLS_PERMISSIVE);
	EXPECT_EQ(w.b.problems.count, 1);
}
