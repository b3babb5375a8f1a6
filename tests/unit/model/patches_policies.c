/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_policies — a view of before with other policies, or others who ask
 * for mutual TLS, is the view that is made from nothing.
 */

#include "play.h"
#include "unit.h"
#include "walk.h"

TEST(policies_step_by_step_are_policies_at_once)
{
	walk_as(change_own, FEW_SEEDS, OF_ANY, 3 * FEW_SEEDS);
}

/* Mostly who wants mutual TLS, and what that is said of. */
static void
change_peers(struct world *w)
{
	static void (*const all[])(struct world *) = {
	    change_serving, change_list, change_name, change_service};

	if (rng_below(&w->rng, 3) > 0)
		change_own(w);
	else
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(peers_step_by_step_are_peers_at_once)
{
	walk_as(change_peers, SERVICE_SEEDS, OF_PEERS, 3 * SERVICE_SEEDS);
}

#define PEERS(name, ns, spec)                                                  \
	"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"         \
	"metadata: {name: " name ", namespace: " ns "}\nspec: {" spec "}\n"

#define ONE_PORT(mode)                                                         \
	"selector: {matchLabels: {version: v1}}, portLevelMtls: {80: "         \
	"{mode: " mode "}}"

/* Is web called in plain text: as a whole, and where it has its endpoint? */
static bool
is_plain(const struct view *v, bool *of_all)
{
	const struct view_cluster *c =
	    view_find_cluster(v, S("outbound|80||web.shop.svc.cluster.local"));

	*of_all = c->security == VIEW_SECURITY_NONE;
	EXPECT_EQ(c->endpoint_count, 1);
	return !c->endpoints[0]->mutual;
}

TEST(plain_text_comes_and_goes_with_those_who_ask_for_it)
{
	static const char *const documents[] = {
	    PEERS("mesh", "istio-system", "mtls: {mode: DISABLE}"),
	    PEERS("mesh", "istio-system", "mtls: {mode: STRICT}"),
	    PEERS("all", "shop", "mtls: {mode: DISABLE}"),
	    PEERS("all", "shop", "mtls: {mode: PERMISSIVE}"),
	    PEERS("all", "pay", "mtls: {mode: DISABLE}"),
	    PEERS("one", "shop",
		"selector: {matchLabels: {version: v1}}, "
		"mtls: {mode: DISABLE}"),
	    PEERS("one", "shop", ONE_PORT("DISABLE")),
	    PEERS("one", "shop", ONE_PORT("STRICT")),
	    POLICIES(
		"a", "web", "subsets: [{name: v1, labels: {version: v1}}]")};
	static const struct {
		const char *there;
		bool of_all, of_one;
	} steps[] = {{"", false, false}, {"0", true, true}, {"1", false, false},
	    {"2", true, true}, {"12", true, true}, {"03", false, false},
	    {"04", true, true}, {"4", false, false}, {"5", false, true},
	    {"6", false, true}, {"26", true, true}, {"27", true, false},
	    {"07", true, false}, {"7", false, false}, {"68", false, true},
	    {"28", true, true}, {"8", false, false}, {"", false, false}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t first = 0; first < ARRAY_LEN(steps); first++) {
		struct view *v = NULL;

		for (size_t i = first; i < ARRAY_LEN(steps); i++) {
			struct view *before = v;
			bool of_all;

			v = compile_act(&p,
			    &(struct act){
				.there = steps[i].there, .is_patch = true},
			    before);
			EXPECT_EQ(is_plain(v, &of_all), steps[i].of_one);
			EXPECT_EQ(of_all, steps[i].of_all);
			if (before != NULL)
				view_unref(&before);
		}
		view_unref(&v);
	}
	play_fini(&p);
}
