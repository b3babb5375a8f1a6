/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patched — a view that was made of the one before, and the same made from
 * nothing.
 */
#include "patched.h"

#include "settings.h"
#include "unit.h"

enum { EFFECTS_BYTES = 4 << 20 };

bool
is_patch(const struct view *v, const struct view *before)
{
	size_t count;

	return view_upstreams(v, &count) == view_upstreams(before, &count);
}

/* How many there are; a patch shares most rows with the view of before. */
static size_t
compare_effects(
    const struct view *before, const struct view *v, const struct view *alone)
{
	struct arena arena;
	const struct value *told, *of_alone;
	size_t count;

	arena_init(&arena, EFFECTS_BYTES);
	told = view_effects(before, v, &arena);
	of_alone = view_effects(before, alone, &arena);
	EXPECT_TRUE(told != NULL && of_alone != NULL);
	EXPECT_TRUE(value_eq(told, of_alone));
	count = told->count;
	arena_fini(&arena);
	return count;
}

static const struct value *
settings_of(const struct view *v, struct arena *arena)
{
	size_t count;
	const struct view_scope *own = view_scopes(v, &count)[0];
	const struct view_settings *s =
	    view_settings_of(v, own->ns, &own->labels, arena);
	const struct value *value =
	    s != NULL ? view_settings_value(s, arena) : NULL;

	EXPECT_TRUE(value != NULL);
	return value;
}

static void
compare_settings(const struct view *v, const struct view *alone)
{
	AUTO(arena_fini) struct arena arena = {0};

	arena_init(&arena, EFFECTS_BYTES);
	EXPECT_TRUE(
	    value_eq(settings_of(v, &arena), settings_of(alone, &arena)));
}

static const char *const authorities[] = {"a.test", "x.test", "b.test",
    "web.shop.svc.cluster.local", "cart.shop.svc.cluster.local", "web", "cart",
    "db.pay", "example.com", "api.example.com", "x.api.example.com",
    "maple.com", "nowhere", ""};

static void
compare_hosts(const struct view_host *x, const struct view_host *y)
{
	EXPECT_EQ(x == NULL, y == NULL);
	if (x == NULL)
		return;
	EXPECT_TRUE(slice_eq(x->name, y->name));
	EXPECT_TRUE(resource_key_eq(&x->origin.key, &y->origin.key));
	EXPECT_TRUE(x->needs_tls == y->needs_tls && x->ends_tls == y->ends_tls);
}

/* What a fingerprint has not: whom requests meet, by whatever name. */
static void
compare_chain(const struct view *v, const struct view_routes *r,
    const struct view *alone, const struct view_routes *of_alone)
{
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		struct slice a = slice_str(authorities[i]);

		compare_hosts(view_find_domain(v, r, a),
		    view_find_domain(alone, of_alone, a));
	}
}

/* Which chain of the same ones takes a connection that says the name. */
static void
compare_taken(const struct view *v, const struct view_listener *x,
    const struct view *alone, const struct view_listener *y, struct slice sni)
{
	static const struct slice alpns[] = {{"istio", 5}, {"h2", 2}};

	for (size_t i = 0; i < ARRAY_LEN(alpns); i++) {
		const struct view_connection c = {.destination = x->addr,
		    .tls = true,
		    .sni = sni,
		    .alpns = &alpns[i],
		    .alpn_count = 1};
		const struct view_chain *of_x = view_find_chain(v, x, &c);
		const struct view_chain *of_y = view_find_chain(alone, y, &c);

		EXPECT_EQ(of_x == NULL, of_y == NULL);
		if (of_x != NULL && of_x != x->otherwise)
			EXPECT_EQ(of_x - x->chains, of_y - y->chains);
	}
}

static void
compare_listener(const struct view *v, const struct view_listener *x,
    const struct view *alone, const struct view_listener *y)
{
	compare_taken(v, x, alone, y, S("a.example.com"));
	for (size_t i = 0; i < x->chain_count; i++) {
		const struct view_chain_match *m = &x->chains[i].match;

		for (size_t j = 0; j < m->sni_count; j++)
			compare_taken(v, x, alone, y, m->snis[j]);
		if (x->chains[i].routes != NULL)
			compare_chain(
			    v, x->chains[i].routes, alone, y->chains[i].routes);
	}
}

/* Listeners are known to be the same. */
static void
compare_doors(const struct view *v, const struct view_scope *s,
    const struct view *alone, const struct view_scope *of_s,
    enum view_direction direction)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, s, direction, &count);
	const struct view_listener *const *of_alone =
	    view_listeners(alone, of_s, direction, &count);

	for (size_t i = 0; i < count; i++)
		compare_listener(v, all[i], alone, of_alone[i]);
	for (size_t i = 0; direction == VIEW_GATEWAY && i < count; i++)
		EXPECT_EQ(
		    view_find_listener(v, s, direction, &all[i]->addr), all[i]);
}

/* And who is called by name, by those of each scope. */
static void
compare_calls(const struct view *v, const struct view *alone)
{
	size_t count;
	const struct view_scope *const *all = view_scopes(v, &count);
	const struct view_scope *const *of_alone = view_scopes(alone, &count);

	for (size_t i = 0; i < count; i++) {
		compare_doors(v, all[i], alone, of_alone[i], VIEW_OUTBOUND);
		for (size_t j = 0; j < ARRAY_LEN(authorities); j++) {
			struct slice a = slice_str(authorities[j]);

			compare_hosts(view_find_host(v, all[i], a, 0),
			    view_find_host(alone, of_alone[i], a, 0));
		}
	}
}

size_t
compare_views(
    const struct view *before, const struct view *v, const struct view *alone)
{
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
	compare_doors(v, NULL, alone, NULL, VIEW_GATEWAY);
	compare_calls(v, alone);
	compare_settings(v, alone);
	return compare_effects(before, v, alone);
}
