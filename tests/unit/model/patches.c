/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches — a view of before with other endpoints, or with rules that come, go
 * or say something else, is the view that is made from nothing, and what it
 * does to calls is told in the same words.
 */
#include <stdio.h>

#include "load.h"
#include "random.h"
#include "settings.h"
#include "unit.h"

enum {
	SEEDS = UNIT_SEEDS(2000), /* of all that may change */
	FEW_SEEDS = UNIT_SEEDS(200),
	SERVICE_SEEDS = UNIT_SEEDS(240),
	OTHERS = 7,
	RULED = 3,  /* the first, of services: see random_again() */
	SCOPES = 3, /* the last of the others, see random_scoping() */
	OWN = 3,    /* behind these, see random_own() */
	RULES = 5,  /* the last, see random_again() */
	RESOURCES = OTHERS + OWN + RULES,
	SERVINGS = 9,
	NAMES = 8,
	MOST = 4,
	PORTS = 2,
	STEPS = 6,
	EFFECTS_BYTES = 4 << 20
};

/* What may meet anything, VirtualServices that meet Gateways, WorkloadEntries
 * that meet Services, Services that meet all of these and rules, rules for
 * connections that meet Services, VirtualServices that meet each other,
 * Services that come to VirtualServices for them, Gateways that meet all of it,
 * PeerAuthentications that meet endpoints with tunnels, a MeshConfig, Networks
 * that meet endpoints of these. */
enum kind_of_world {
	OF_ANY,
	OF_GATEWAYS,
	OF_WORKLOADS,
	OF_SERVICES,
	OF_CONNECTIONS,
	OF_DELEGATES,
	OF_NAMES,
	OF_GATES,
	OF_PEERS,
	OF_MESH,
	OF_NETWORKS,
	SCOPED = 64 /* beside one of these: Sidecars hold for most callers */
};

struct world {
	struct rng rng;
	uint64_t seed, revision;
	enum kind_of_world kind;
	bool is_scoped;
	uint64_t heads[RESOURCES];         /* of what is made again */
	struct resource *items[RESOURCES]; /* NULL: it is away */
	size_t count;
	struct view_endpoint_input endpoints[SERVINGS][MOST];
	struct view_serving servings[SERVINGS];
	bool is_away[SERVINGS];
	uint64_t lists;
	struct view_service_input told[SERVINGS];
	bool is_untold[SERVINGS];
	struct addr leads[NAMES][MOST];
	struct view_name_input names[NAMES];
	char name_texts[NAMES][64];
	struct addr own;
	struct view_input in;
};

static const struct view_port_input own_port = {9000, {"tcp", 3}, {"tcp", 3}};
static const char *const names[] = {"web", "cart", "db"};
static const char *const spaces[] = {"shop", "pay", "istio-system"};

static const char *const networks[] = {"", "", "far", "near"};

static bool
has_tunnels(const struct world *w)
{
	return w->kind == OF_PEERS || w->kind == OF_NETWORKS;
}

static void
fill(struct world *w, struct view_serving *s, struct view_endpoint_input *all)
{
	static const struct label labels[] = {
	    {{"version", 7}, {"v1", 2}}, {{"version", 7}, {"v2", 2}}};
	static const uint16_t ports[] = {80, 8080, 3306, 9000};

	s->count = rng_below(&w->rng, MOST + 1);
	s->version++;
	for (size_t i = 0; i < s->count; i++)
		all[i] = (struct view_endpoint_input){.service = s->service,
		    .service_ns = s->ns,
		    .service_port = ports[rng_below(&w->rng, 4)],
		    .addr = {ADDR_V4,
			{10, 0, 0, (uint8_t)rng_below(&w->rng, 6)}, 8080},
		    .network = rng_below(&w->rng, 8) ? S("") : S("far"),
		    .node = S("n"),
		    .workload = s->service,
		    .ns = s->ns,
		    .account = S("a"),
		    .labels = {&labels[rng_below(&w->rng, 2)], 1},
		    .locality = rng_below(&w->rng, 2) ? S("a/b/c") : S("x/y/z"),
		    .weight = (uint32_t)rng_below(&w->rng, 3),
		    .health = (enum view_health)rng_below(&w->rng, 4)};
	for (size_t i = 0; has_tunnels(w) && i < s->count; i++) {
		all[i].ns = slice_str(spaces[rng_below(&w->rng, 3)]);
		all[i].network = slice_str(networks[rng_below(&w->rng, 4)]);
		/* What has none may be told of. */
		if (w->kind == OF_NETWORKS || rng_below(&w->rng, 4) > 0) {
			all[i].tunnel = all[i].addr;
			all[i].tunnel.port = VIEW_TUNNEL_PORT;
		}
	}
}

/* Few worlds have two of one key, of which the newer counts. */
static bool
is_welcome(const struct world *w, const struct resource *r)
{
	for (size_t i = 0; w->seed % 8 != 0 && i < w->count; i++)
		if (resource_key_eq(&w->items[i]->key, &r->key))
			return false;
	return true;
}

/* At a gateway no VirtualService: there are not so many keys of them. */
static bool
is_wanted(const struct world *w, const struct resource *r)
{
	if (w->kind == OF_MESH)
		return r->kind != &kind_mesh_config && r->kind != &kind_sidecar;
	if (w->kind == OF_WORKLOADS || w->kind == OF_SERVICES ||
	    w->kind == OF_CONNECTIONS || w->kind == OF_NAMES ||
	    w->kind == OF_GATES || has_tunnels(w))
		return r->kind == &kind_service ||
		       r->kind == &kind_destination_rule;
	return w->kind == OF_ANY || r->kind != &kind_virtual_service;
}

static struct resource *
random_other(struct world *w)
{
	struct resource *r = random_resource(&w->rng);

	while (!is_wanted(w, r)) {
		resource_unref(&r);
		r = random_resource(&w->rng);
	}
	return r;
}

/* Services, a policy, delegates, Gateways, and VirtualServices for these. */
static struct resource *
make_at_gate(struct world *w, size_t at, uint64_t head)
{
	if (at < RULED)
		return random_service(&w->rng, head);
	if (at < RULED + 2)
		return at == RULED ? random_own(&w->rng, head)
				   : random_delegation(&w->rng, head & ~1ULL);
	if (at < OTHERS + OWN)
		return random_gate(&w->rng, head);
	return random_passed(&w->rng, head);
}

static struct resource *
make(struct world *w, size_t at, uint64_t head)
{
	if (w->kind == OF_GATES)
		return make_at_gate(w, at, head);
	if ((w->kind == OF_GATEWAYS || w->kind == OF_DELEGATES) && at < 2)
		return random_door(&w->rng, spaces[at]);
	if ((w->kind == OF_SERVICES || has_tunnels(w)) && at < RULED)
		return random_again(&w->rng, head);
	if (w->kind == OF_NAMES && at < RULED)
		return random_named(&w->rng, head);
	if (w->kind == OF_CONNECTIONS && at < RULED)
		return random_service(&w->rng, head);
	if (at < OTHERS && w->is_scoped && at >= OTHERS - SCOPES)
		return random_scoping(&w->rng, head);
	if (w->kind == OF_MESH && at == OTHERS)
		return random_mesh(&w->rng);
	if (at < OTHERS)
		return random_other(w);
	if (w->kind == OF_CONNECTIONS)
		return at < OTHERS + OWN ? random_again(&w->rng, head & ~1ULL)
					 : random_wired(&w->rng, head);
	if (w->kind == OF_PEERS)
		return at < OTHERS + OWN ? random_peers(&w->rng, head)
					 : random_service(&w->rng, head);
	if (w->kind == OF_NETWORKS && at >= OTHERS && at < OTHERS + 2)
		return random_network(&w->rng, at);
	if (w->kind == OF_NETWORKS)
		return at < OTHERS + OWN ? random_workload(&w->rng, head)
					 : random_service(&w->rng, head);
	if (at < OTHERS + OWN)
		return w->kind == OF_WORKLOADS || w->kind == OF_SERVICES ||
			       w->kind == OF_NAMES
			   ? random_workload(&w->rng, head)
			   : random_own(&w->rng, head);
	if (w->kind == OF_SERVICES || w->kind == OF_NAMES)
		return random_service(&w->rng, head);
	if (w->kind == OF_DELEGATES)
		return random_delegation(&w->rng, head);
	return w->kind == OF_GATEWAYS ? random_bound(&w->rng, head)
				      : random_again(&w->rng, head);
}

static void
fill_resources(struct world *w)
{
	while (w->count < RESOURCES) {
		uint64_t head = rng_u64(&w->rng);
		struct resource *r = make(w, w->count, head);

		if (is_welcome(w, r)) {
			w->heads[w->count] = head;
			w->items[w->count++] = r;
		} else {
			resource_unref(&r);
		}
	}
}

static void
fill_told(struct world *w, size_t i)
{
	static const struct view_port_input ports[][PORTS] = {
	    {{80, {"http", 4}, {"http", 4}}, {8080, {"http", 4}, {"http", 4}}},
	    {{8080, {"http", 4}, {"http", 4}}, {3306, {"tcp", 3}, {"tcp", 3}}},
	    {{80, {"grpc", 4}, {"grpc", 4}}, {9000, {"tcp", 3}, {"tcp", 3}}}};

	w->told[i] = (struct view_service_input){w->servings[i].service,
	    w->servings[i].ns, ports[rng_below(&w->rng, 3)],
	    1 + rng_below(&w->rng, PORTS),
	    rng_below(&w->rng, 4) > 0 ? S("a record") : S("another")};
}

/* The first may be web of shop, with a port of its own. */
static void
fill_services(struct world *w)
{
	for (size_t i = 0; i < SERVINGS; i++)
		fill_told(w, i);
	if (rng_below(&w->rng, 2) == 0)
		w->told[0] = (struct view_service_input){
		    S("web"), S("shop"), &own_port, 1, S("a record")};
	for (size_t i = rng_below(&w->rng, SERVINGS + 1); i < SERVINGS; i++)
		w->is_untold[i] = true;
}

static void
world_init(struct world *w, uint64_t seed, enum kind_of_world kind)
{
	static const struct label ingress = {{"istio", 5}, {"ingress", 7}};
	static const struct view_upstream_input upstreams[] = {
	    {.name = {"a", 1}, .host = {"web.shop", 8}, .ns = {"shop", 4}},
	    {.name = {"b", 1}, .host = {"cart", 4}, .ns = {"pay", 3}}};

	*w = (struct world){.seed = seed,
	    .kind = kind & ~(unsigned)SCOPED,
	    .is_scoped = (kind & SCOPED) != 0,
	    .own = {ADDR_V4, {10, 0, 0, 5}, 0}};
	kind = w->kind;
	rng_init(&w->rng, seed);
	random_place(&w->rng, &w->in);
	if (kind == OF_GATEWAYS || kind == OF_GATES) {
		w->in.proxy = VIEW_ROUTER;
		w->in.labels = (struct labels){&ingress, 1};
	}
	if (kind == OF_NAMES || kind == OF_SERVICES || w->is_scoped ||
	    kind ==
		OF_CONNECTIONS) /* at gateways there are no patches of them */
		w->in.proxy = VIEW_SIDECAR;
	if (kind == OF_NETWORKS)
		w->in.network = slice_str(networks[rng_below(&w->rng, 4)]);
	fill_resources(w);
	for (size_t i = 0; i < SERVINGS; i++) {
		w->servings[i] =
		    (struct view_serving){.service = slice_str(names[i % 3]),
			.ns = slice_str(spaces[i / 3]),
			.endpoints = w->endpoints[i]};
		fill(w, &w->servings[i], w->endpoints[i]);
	}
	fill_services(w);
	random_machine(&w->rng, &w->in);
	w->in.upstreams = upstreams; /* so there are scopes of others */
	w->in.upstream_count = rng_below(&w->rng, 3);
	w->in.addrs = &w->own;
	w->in.addr_count = rng_below(&w->rng, 2);
	w->in.knows_members = w->seed % 2 == 0;
	w->in.captures_dns = w->seed % 4 == 0;
	w->lists = 1;
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		resource_unref(&w->items[i]);
}

static struct view *
compile(const struct world *w, const struct view *before, uint64_t version)
{
	const struct resource *there[RESOURCES];
	struct view_serving servings[SERVINGS];
	struct view_service_input told[SERVINGS];
	struct view_input in = w->in;
	struct view *v;

	in.servings = servings;
	in.serving_count = 0;
	for (size_t i = 0; i < SERVINGS; i++)
		if (!w->is_away[i])
			servings[in.serving_count++] = w->servings[i];
	in.services = told;
	in.service_count = 0;
	for (size_t i = 0; i < SERVINGS; i++)
		if (!w->is_untold[i])
			told[in.service_count++] = w->told[i];
	in.lists_version = w->seed % 3 > 0 ? w->lists : 0;
	in.resources = there;
	for (size_t i = 0; i < w->count; i++)
		if (w->items[i] != NULL)
			there[in.resource_count++] = w->items[i];
	in.before = before;
	in.version = version;
	EXPECT_OK(view_compile(&in, &v, NULL));
	return v;
}

static void
fill_name(struct world *w, size_t n)
{
	struct view_name_input *name = &w->names[n];
	size_t count = rng_below(&w->rng, MOST + 1);

	name->version++;
	name->count = count;
	name->reason = rng_below(&w->rng, 2) ? S("nobody") : S("");
	for (size_t i = 0; i < count; i++)
		w->leads[n][i] = (struct addr){ADDR_V4,
		    {10, 0, 1, (uint8_t)(i * 8 + rng_below(&w->rng, 8))}, 0};
}

/* Those that the view needs, of some of which nothing is known at first. */
static void
find_names(struct world *w)
{
	AUTO(view_unref) struct view *v = compile(w, NULL, 0);
	const struct view_name *needed = view_names(v, &w->in.name_count);

	EXPECT_TRUE(w->in.name_count <= NAMES);
	for (size_t i = 0; i < w->in.name_count; i++) {
		snprintf(w->name_texts[i], sizeof(w->name_texts[i]), "%.*s",
		    SLICE_ARG(needed[i].name));
		w->names[i] = (struct view_name_input){
		    .name = slice_str(w->name_texts[i]), .addrs = w->leads[i]};
		if (rng_below(&w->rng, 2) == 0)
			fill_name(w, i);
	}
	w->in.names = w->names;
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

/* What a fingerprint has not: whom requests meet, by whatever name. */
static void
compare_chain(const struct view *v, const struct view_routes *r,
    const struct view *alone, const struct view_routes *of_alone)
{
	static const char *const authorities[] = {"a.test", "x.test",
	    "web.shop.svc.cluster.local", "cart.shop.svc.cluster.local",
	    "example.com", "api.example.com", "x.api.example.com", "maple.com",
	    "nowhere", ""};

	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		struct slice a = slice_str(authorities[i]);
		const struct view_host *x = view_find_domain(v, r, a);
		const struct view_host *y =
		    view_find_domain(alone, of_alone, a);

		EXPECT_EQ(x == NULL, y == NULL);
		if (x == NULL)
			continue;
		EXPECT_TRUE(slice_eq(x->name, y->name));
		EXPECT_TRUE(
		    x->needs_tls == y->needs_tls && x->ends_tls == y->ends_tls);
	}
}

/* Listeners are known to be the same. */
static void
compare_doors(const struct view *v, const struct view *alone)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, NULL, VIEW_GATEWAY, &count);
	const struct view_listener *const *of_alone =
	    view_listeners(alone, NULL, VIEW_GATEWAY, &count);

	for (size_t i = 0; i < count; i++) {
		EXPECT_EQ(
		    view_find_listener(v, NULL, VIEW_GATEWAY, &all[i]->addr),
		    all[i]);
		for (size_t j = 0; j < all[i]->chain_count; j++)
			if (all[i]->chains[j].routes != NULL)
				compare_chain(v, all[i]->chains[j].routes,
				    alone, of_alone[i]->chains[j].routes);
	}
}

static size_t
compare_views(
    const struct view *before, const struct view *v, const struct view *alone)
{
	EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
	compare_doors(v, alone);
	compare_settings(v, alone);
	return compare_effects(before, v, alone);
}

static size_t
compare(const struct world *w, const struct view *before, const struct view *v)
{
	AUTO(view_unref) struct view *alone = compile(w, NULL, 0);

	if (view_fingerprint(v) != view_fingerprint(alone))
		printf("seed %llu\n", (unsigned long long)w->seed);
	return compare_views(before, v, alone);
}

static void
change_serving(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);
	struct view_serving *s = &w->servings[n];

	if (rng_below(&w->rng, 3) > 0) {
		fill(w, s, w->endpoints[n]);
		return;
	}
	/* Where they are they stay. */
	s->version++;
	for (size_t i = 0; i < s->count; i++)
		w->endpoints[n][i].health =
		    (enum view_health)rng_below(&w->rng, 4);
}

/* One that was away comes, or one goes. */
static void
change_list(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	w->is_away[n] = !w->is_away[n];
	w->lists++;
	if (rng_below(&w->rng, 2) == 0)
		change_serving(w);
}

/* As a machine exposes a service, or no more, or in another way. */
static void
change_told(struct world *w)
{
	size_t n = rng_below(&w->rng, SERVINGS);

	w->lists++;
	if (!w->is_untold[n] && rng_below(&w->rng, 2) == 0) {
		fill_told(w, n);
		return;
	}
	w->is_untold[n] = !w->is_untold[n];
	w->is_away[n] = w->is_untold[n];
}

static void
change_name(struct world *w)
{
	if (w->in.name_count > 0)
		fill_name(w, rng_below(&w->rng, w->in.name_count));
	else
		change_serving(w);
}

static void
make_again_at(struct world *w, size_t n)
{
	resource_unref(&w->items[n]);
	w->items[n] = make(w, n, w->heads[n]);
	w->items[n]->revision = ++w->revision;
	if (rng_below(&w->rng, 2) == 0)
		w->items[n]->file = S(""); /* then the revision is told */
}

static void
change_rule(struct world *w)
{
	make_again_at(w, RESOURCES - 1 - rng_below(&w->rng, RULES));
}

/* One that was away comes, or one goes. */
static void
come_or_go_at(struct world *w, size_t n)
{
	if (w->items[n] == NULL)
		make_again_at(w, n);
	else
		resource_unref(&w->items[n]);
}

static void
come_or_go(struct world *w)
{
	come_or_go_at(w, RESOURCES - 1 - rng_below(&w->rng, RULES));
}

static void
change_own(struct world *w)
{
	size_t n = OTHERS + rng_below(&w->rng, OWN);

	if (rng_below(&w->rng, 2) == 0)
		make_again_at(w, n);
	else
		come_or_go_at(w, n);
}

/* It has the rows that a patch leaves as they are. */
static bool
is_patch(const struct view *v, const struct view *before)
{
	size_t count;

	return view_upstreams(v, &count) == view_upstreams(before, &count);
}

/* One step at a time; how many of the views were patches. Many say something
 * else about calls than the one before. */
static size_t
walk_as(
    void (*change)(struct world *w), uint64_t seeds, enum kind_of_world kind)
{
	size_t patches = 0, effects = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct view *v;
		struct world w;

		world_init(&w, seed, kind);
		find_names(&w);
		v = compile(&w, NULL, 1);
		for (size_t i = 0; i < STEPS; i++) {
			struct view *before = v;

			change(&w);
			v = compile(&w, before, 1);
			patches += is_patch(v, before);
			effects += compare(&w, before, v);
			view_unref(&before);
		}
		view_unref(&v);
		world_fini(&w);
	}
	EXPECT_TRUE(effects > seeds / 2); /* of endpoints there are few */
	return patches;
}

static size_t
walk(void (*change)(struct world *w), uint64_t seeds)
{
	return walk_as(change, seeds, OF_ANY);
}

TEST(endpoints_step_by_step_are_endpoints_at_once)
{
	EXPECT_TRUE(walk(change_serving, FEW_SEEDS) > 2 * FEW_SEEDS);
}

TEST(servings_come_and_go)
{
	size_t patches = walk(change_list, FEW_SEEDS);

	printf("%zu of %d views are patches\n", patches, FEW_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * FEW_SEEDS);
}

TEST(services_of_records_come_go_and_change)
{
	size_t patches = walk_as(change_told, FEW_SEEDS, OF_SERVICES);

	printf("%zu of %d views are patches\n", patches, FEW_SEEDS * STEPS);
	EXPECT_TRUE(patches > FEW_SEEDS);
}

TEST(names_step_by_step_are_names_at_once)
{
	EXPECT_TRUE(walk(change_name, FEW_SEEDS) > FEW_SEEDS);
}

TEST(rules_step_by_step_are_rules_at_once)
{
	EXPECT_TRUE(walk(change_rule, FEW_SEEDS) > FEW_SEEDS);
}

TEST(rules_that_come_and_go_are_there_or_not)
{
	size_t patches = walk(come_or_go, SERVICE_SEEDS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(policies_step_by_step_are_policies_at_once)
{
	size_t patches = walk(change_own, FEW_SEEDS);

	printf("%zu of %d views are patches\n", patches, FEW_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * FEW_SEEDS);
}

TEST(rules_of_gateways_come_go_and_change)
{
	size_t patches = walk_as(come_or_go, SERVICE_SEEDS, OF_GATEWAYS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

/* Gateways, what is bound to them, and what that leads to. */
static void
change_gate(struct world *w)
{
	size_t n = OTHERS + rng_below(&w->rng, OWN);

	switch (rng_below(&w->rng, 12)) {
	case 0:
		make_again_at(w, n);
		break;
	case 1:
		come_or_go_at(w, n);
		break;
	case 2:
		make_again_at(w, rng_below(&w->rng, RULED + 2));
		break;
	case 3:
		come_or_go_at(w, rng_below(&w->rng, RULED + 2));
		break;
	case 4:
		change_told(w);
		break;
	case 5:
		change_serving(w);
		break;
	case 6:
	case 7:
	case 8:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(gateways_change_with_all_that_is_bound_to_them)
{
	size_t patches = walk_as(change_gate, SERVICE_SEEDS, OF_GATES);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 7 * SERVICE_SEEDS / 2);
}

/* And endpoints, which their services have beside them. */
static void
change_workload(struct world *w)
{
	if (rng_below(&w->rng, 3) == 0)
		change_serving(w);
	else
		change_own(w);
}

TEST(workloads_come_go_and_change)
{
	size_t patches = walk_as(change_workload, FEW_SEEDS, OF_WORKLOADS);

	printf("%zu of %d views are patches\n", patches, FEW_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * FEW_SEEDS);
}

static void
change_service(struct world *w)
{
	if (rng_below(&w->rng, 3) == 0)
		come_or_go(w);
	else
		change_rule(w);
}

TEST(services_come_go_and_change)
{
	size_t patches = walk_as(change_service, SERVICE_SEEDS, OF_SERVICES);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > SERVICE_SEEDS);
}

/* And what is said of them beside that. */
static void
change_around_services(struct world *w)
{
	size_t n = rng_below(&w->rng, RULED);

	switch (rng_below(&w->rng, 9)) {
	case 0:
		make_again_at(w, n);
		break;
	case 1:
		come_or_go_at(w, n);
		break;
	case 2:
		change_workload(w);
		break;
	case 3:
		change_name(w);
		break;
	case 4:
		change_list(w);
		break;
	case 5:
		change_told(w);
		break;
	default:
		change_service(w);
	}
}

TEST(services_change_with_all_that_is_said_of_them)
{
	size_t patches =
	    walk_as(change_around_services, SERVICE_SEEDS, OF_SERVICES);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(services_come_and_go_where_rules_are_for_them)
{
	size_t patches =
	    walk_as(change_around_services, SERVICE_SEEDS, OF_NAMES);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

/* Rules for connections, and what they lead to. */
static void
change_connections(struct world *w)
{
	size_t n = rng_below(&w->rng, RULED);

	switch (rng_below(&w->rng, 8)) {
	case 0:
		make_again_at(w, n);
		break;
	case 1:
		change_workload(w);
		break;
	case 2:
		change_name(w);
		break;
	case 3:
	case 4:
		come_or_go(w);
		break;
	default:
		change_rule(w);
	}
}

TEST(rules_for_connections_come_go_and_change)
{
	size_t patches =
	    walk_as(change_connections, SERVICE_SEEDS, OF_CONNECTIONS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > SERVICE_SEEDS);
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
	size_t patches = walk_as(change_peers, SERVICE_SEEDS, OF_PEERS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}

/* Mostly the mesh itself, which the first of the own is. */
static void
change_mesh(struct world *w)
{
	static void (*const all[])(struct world *) = {change_serving,
	    change_list, change_name, change_rule, come_or_go, change_own};

	switch (rng_below(&w->rng, 4)) {
	case 0:
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
		break;
	case 1:
		come_or_go_at(w, OTHERS);
		break;
	default:
		make_again_at(w, OTHERS);
	}
}

TEST(what_holds_for_the_mesh_step_by_step_is_what_holds_at_once)
{
	size_t patches = walk_as(change_mesh, SERVICE_SEEDS, OF_MESH);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 3 * SERVICE_SEEDS);
}

static void
change_network(struct world *w)
{
	if (rng_below(&w->rng, 4) == 0)
		come_or_go_at(w, OTHERS + rng_below(&w->rng, 2));
	else
		make_again_at(w, OTHERS + rng_below(&w->rng, 2));
}

/* Networks, and all that lies in them. */
static void
change_around_networks(struct world *w)
{
	static void (*const all[])(struct world *) = {change_serving,
	    change_list, change_told, change_name, change_workload,
	    change_service};

	if (rng_below(&w->rng, 2) == 0)
		change_network(w);
	else
		all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(networks_step_by_step_are_networks_at_once)
{
	size_t patches =
	    walk_as(change_around_networks, SERVICE_SEEDS, OF_NETWORKS);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(delegates_and_who_names_them_come_go_and_change)
{
	size_t patches = walk_as(change_service, SERVICE_SEEDS, OF_DELEGATES);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

/* Where Sidecars say what there is, of which some are others, too. */
static void
change_around_scopes(struct world *w)
{
	size_t n = OTHERS - SCOPES + rng_below(&w->rng, SCOPES);

	switch (rng_below(&w->rng, 16)) {
	case 0:
		come_or_go_at(w, n);
		break;
	case 1:
		make_again_at(w, n);
		break;
	default:
		change_around_services(w);
	}
}

TEST(services_come_and_go_where_sidecars_hold)
{
	size_t patches =
	    walk_as(change_around_scopes, SERVICE_SEEDS, OF_SERVICES | SCOPED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(rules_for_services_come_and_go_where_sidecars_hold)
{
	size_t patches =
	    walk_as(change_around_scopes, SERVICE_SEEDS, OF_NAMES | SCOPED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(connections_come_and_go_where_sidecars_hold)
{
	size_t patches =
	    walk_as(change_connections, SERVICE_SEEDS, OF_CONNECTIONS | SCOPED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

TEST(delegates_come_and_go_where_sidecars_hold)
{
	size_t patches =
	    walk_as(change_service, SERVICE_SEEDS, OF_DELEGATES | SCOPED);

	printf("%zu of %d views are patches\n", patches, SERVICE_SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SERVICE_SEEDS);
}

static void
change_any(struct world *w)
{
	static void (*const all[])(struct world *) = {change_rule, come_or_go,
	    change_serving, change_list, change_told, change_name, change_own};

	all[rng_below(&w->rng, ARRAY_LEN(all))](w);
}

TEST(all_step_by_step_is_all_at_once)
{
	size_t patches = walk(change_any, SEEDS);

	printf("%zu of %d views are patches\n", patches, SEEDS * STEPS);
	EXPECT_TRUE(patches > 2 * SEEDS);
}

/* Routes name the clusters of the first; what they have now is the last's. */
TEST(what_routes_name_has_the_endpoints_of_now)
{
	struct world w;
	struct view *v, *before;
	const struct view_cluster *c;
	const struct view_host *h;

	world_init(&w, 1, OF_ANY);
	world_fini(&w); /* no resource is there */
	w.told[0] = (struct view_service_input){
	    S("web"), S("shop"), &own_port, 1, S("a record")};
	w.in.proxy = VIEW_SIDECAR;
	w.is_untold[0] = false;
	w.in.ns = S("shop");
	w.servings[0].count = 0;
	before = compile(&w, NULL, 1);
	w.endpoints[0][0] = (struct view_endpoint_input){.service = S("web"),
	    .service_ns = S("shop"),
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 9000},
	    .weight = 1};
	w.servings[0].count = 1;
	w.servings[0].version++;
	v = compile(&w, before, 1);
	h = view_find_host(v, NULL, S("web"), 9000);
	EXPECT_TRUE(h != NULL);
	EXPECT_TRUE(view_find_host(before, NULL, S("web"), 9000) == h);
	c = h->tcp[0].destinations[0].cluster;
	EXPECT_EQ(view_cluster_now(before, c)->usable_count, 0);
	EXPECT_EQ(view_cluster_now(v, c)->usable_count, 1);
	EXPECT_TRUE(view_find_cluster(v, c->name) == view_cluster_now(v, c));
	view_unref(&before); /* its rows live on */
	EXPECT_SLICE(c->name, S("outbound|9000||web.shop.svc.cluster.local"));
	view_unref(&v);
	world_fini(&w);
}

/* Another machine exposes what nobody here knew, and no more. */
TEST(a_service_that_is_exposed_is_a_patch)
{
	static const struct view_port_input ports[] = {
	    {80, {"http", 4}, {"http", 4}}, {9000, {"tcp", 3}, {"tcp", 3}}};
	static const struct {
		size_t services, ports, endpoints;
		const char *origin;
	} steps[] = {{1, 1, 1, "a"}, {2, 1, 1, "a"}, {2, 1, 2, "a"},
	    {2, 2, 1, "a"}, {2, 2, 1, "b"}, {2, 2, 0, "b"}, {1, 1, 1, "b"},
	    {2, 1, 1, "b"}, {0, 0, 0, "b"}, {1, 1, 1, "a"}};
	struct view_endpoint_input all[] = {
	    {.addr = {ADDR_V4, {10, 0, 0, 1}, 80}, .node = S("n"), .weight = 1},
	    {.addr = {ADDR_V4, {10, 0, 0, 2}, 80},
		.node = S("m"),
		.weight = 1}};
	struct view_service_input told[] = {
	    {S("b"), S("shop"), ports, 1, S("b")},
	    {S("a"), S("shop"), ports, 1, S("a")}};
	struct view_serving servings[] = {
	    {S("b"), S("shop"), 1, all, 1}, {S("a"), S("shop"), 1, all, 1}};
	struct view_input in = {.ns = S("shop"),
	    .services = told,
	    .servings = servings,
	    .version = 1};
	struct view *before = NULL;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i].service = S("a");
		all[i].service_ns = S("shop");
		all[i].service_port = 80;
	}
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		AUTO(view_unref) struct view *alone = NULL;
		struct view *v;

		in.lists_version++;
		in.service_count = in.serving_count = steps[i].services;
		told[1].port_count = steps[i].ports;
		told[1].origin = slice_str(steps[i].origin);
		servings[1].count = steps[i].endpoints;
		servings[1].version++;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_TRUE(before == NULL || is_patch(v, before));
		in.before = NULL;
		EXPECT_OK(view_compile(&in, &alone, NULL));
		EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
		EXPECT_EQ(view_find_host(v, NULL, S("a"), 80) != NULL,
		    steps[i].services == 2);
		view_unref(&before);
		before = v;
	}
	view_unref(&before);
}

static struct resource *
resource_of(const char *text)
{
	AUTO(loaded_fini) struct loaded l;

	load(text, /* file */ NULL, &l);
	EXPECT_EQ(l.count, 1);
	return resource_ref(l.items[0]);
}

#define ROUTES_HEAD                                                            \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  hosts: [web]\n  http:\n"

/* The timeout of the rule that takes a call of the port, or of the name. */
static uint64_t
timeout_of(const struct view *v)
{
	struct http_attrs a = {.authority = S("web.shop"), .path = S("/")};
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 9000};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h = view_find_host(v, NULL, S("web"), 9000);
	const struct view_http_choice one = view_route_http(h, &a, NULL);
	size_t count;
	const struct view_upstream *u = view_upstreams(v, &count);

	EXPECT_EQ(h, view_find_domain(v, l->chains[0].routes, a.authority));
	EXPECT_EQ(h, view_host_now(v, u[0].host));
	return one.route->timeout_us;
}

TEST(a_request_meets_the_rules_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *r[] = {
	    resource_of(
		ROUTES_HEAD "  - timeout: 1s\n"
			    "    route: [{destination: {host: web}}]\n"),
	    resource_of(
		ROUTES_HEAD "  - timeout: 2s\n"
			    "    route: [{destination: {host: web}}]\n"),
	    resource_of(
		ROUTES_HEAD "  - match: [{port: 80}]\n"
			    "    route: [{destination: {host: web}}]\n")};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view *v[4];
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .resource_count = 1,
	    .lists_version = 1,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		in.resources = (const struct resource *const *)&r[i % 3];
		in.before = i > 0 ? v[i - 1] : NULL;
		EXPECT_OK(view_compile(&in, &v[i], NULL));
	}
	EXPECT_EQ(timeout_of(v[0]), 1000000);
	EXPECT_TRUE(is_patch(v[1], v[0]));
	EXPECT_EQ(timeout_of(v[1]), 2000000);
	/* It does not decide about this port any more. */
	EXPECT_TRUE(is_patch(v[2], v[1]));
	EXPECT_EQ(timeout_of(v[2]), 0);
	EXPECT_TRUE(is_patch(v[3], v[2]));
	EXPECT_EQ(timeout_of(v[3]), 1000000);
	in.resources = (const struct resource *const *)&r[1];
	view_unref(&v[2]);
	in.before = v[1];
	EXPECT_OK(view_compile(&in, &v[2], NULL));
	EXPECT_EQ(v[2], v[1]); /* nothing is another */
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		view_unref(&v[i]);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}

#define WIRED(subset)                                                          \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  hosts: [web]\n  tcp:\n"                                      \
	"  - route: [{destination: {host: web, subset: " subset "}}]\n"

/* The subset that connections to web go to, whichever way they are looked up.
 */
static struct slice
subset_of(const struct view *v)
{
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 9000};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h = view_find_host(v, NULL, S("web"), 9000);
	const struct view_destination *d = &h->tcp[0].destinations[0];
	size_t count;

	EXPECT_EQ(l->otherwise->tcp->destinations[0].cluster, d->cluster);
	EXPECT_EQ(h, view_host_now(v, view_upstreams(v, &count)->host));
	EXPECT_EQ(view_host_port(v, NULL, h, 0), h);
	return d->cluster != NULL ? view_cluster_now(v, d->cluster)->subset
				  : S("none");
}

TEST(a_connection_meets_the_rules_of_now)
{
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *r[] = {resource_of(WIRED("v1")),
	    resource_of(WIRED("v2")),
	    resource_of("apiVersion: networking.istio.io/v1\n"
			"kind: DestinationRule\n"
			"metadata: {name: web, namespace: shop}\n"
			"spec:\n  host: web\n  subsets:\n"
			"  - {name: v1, labels: {version: v1}}\n")};
	const struct resource *all[2];
	struct view_service_input service = {
	    S("web"), S("shop"), &own_port, 1, S("a record")};
	static const struct {
		size_t first, count;
		const char *subset;
	} steps[] = {{2, 1, ""}, {0, 2, "v1"}, {1, 2, "none"}, {0, 2, "v1"},
	    {2, 1, ""}, {0, 1, "none"}, {0, 2, "v1"}};
	struct view *v = NULL;
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .resources = all,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		all[0] = r[steps[i].first];
		all[1] = r[2];
		in.resource_count = steps[i].count;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_TRUE(before == NULL || is_patch(v, before));
		EXPECT_TRUE(slice_eq(subset_of(v), slice_str(steps[i].subset)));
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}

#define POLICY(connections)                                                    \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec:\n  host: web\n  trafficPolicy: {connectionPool: "               \
	"{tcp: {maxConnections: " connections "}}}\n"

static uint32_t
connections_of(const struct view *v, size_t endpoints)
{
	const struct view_cluster *c = view_find_cluster(
	    v, S("outbound|9000||web.shop.svc.cluster.local"));

	EXPECT_EQ(c->endpoint_count, endpoints);
	return c->policy->limits.connections;
}

TEST(a_cluster_has_the_policy_and_the_endpoints_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .weight = 1};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view_serving serving = {.service = S("web"),
	    .ns = S("shop"),
	    .version = 1,
	    .endpoints = &one};
	struct resource *r[] = {
	    resource_of(POLICY("5")), resource_of(POLICY("6"))};
	struct view *v[5];
	struct view_input in = {.ns = S("shop"),
	    .services = &service,
	    .service_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .resource_count = 1,
	    .version = 1};
	static const struct {
		size_t rule, endpoints;
	} steps[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		serving.count = steps[i].endpoints;
		serving.version +=
		    i > 0 && steps[i].endpoints != steps[i - 1].endpoints;
		in.resources =
		    (const struct resource *const *)&r[steps[i].rule];
		in.before = i > 0 ? v[i - 1] : NULL;
		EXPECT_OK(view_compile(&in, &v[i], NULL));
		EXPECT_TRUE(i == 0 || is_patch(v[i], v[i - 1]));
	}
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		EXPECT_EQ(connections_of(v[i], steps[i].endpoints),
		    5 + steps[i].rule);
		view_unref(&v[i]);
	}
	resource_unref(&r[0]);
	resource_unref(&r[1]);
}

#define GATEWAY                                                                \
	"apiVersion: networking.istio.io/v1\nkind: Gateway\n"                  \
	"metadata: {name: door, namespace: shop}\n"                            \
	"spec:\n  selector: {app: door}\n"                                     \
	"  servers: [{port: {number: 80, name: http, protocol: HTTP}, "        \
	"hosts: [\"*.com\"]}]\n"
#define BOUND_TO(gateways, name, hosts, rest)                                  \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec:\n  hosts: [" hosts "]\n  gateways: [" gateways "]\n"            \
	"  http:\n  - " rest "    route: [{destination: {host: web}}]\n"

/* The timeout of the rule that takes a call of the name at the gateway. */
static uint64_t
timeout_at(const struct view *v, struct slice authority)
{
	const struct http_attrs a = {.authority = authority, .path = S("/")};
	const struct addr to = {.family = ADDR_V4, .port = 80};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_GATEWAY, &to);
	const struct view_host *h =
	    view_find_domain(v, l->chains[0].routes, authority);

	return view_route_http(h, &a, NULL).route->timeout_us;
}

TEST(a_gateway_meets_the_rules_and_the_endpoints_of_now)
{
	static const struct view_port_input port = {
	    9000, {"http", 4}, {"http", 4}};
	static const struct label app = {{"app", 3}, {"door", 4}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 9000,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .weight = 1};
	struct view_service_input service = {
	    S("web"), S("shop"), &port, 1, S("a record")};
	struct view_serving serving = {
	    .service = S("web"), .ns = S("shop"), .endpoints = &one};
	static const struct view_upstream_input upstream = {
	    .name = {"a", 1}, .host = {"web", 3}};
	struct resource *gateway = resource_of(GATEWAY);
	/* The last two have a host in common. */
	struct resource *r[] = {
	    resource_of(BOUND_TO("door", "a", "a.com", "timeout: 1s\n")),
	    resource_of(BOUND_TO("door", "a", "a.com", "timeout: 2s\n")),
	    resource_of(BOUND_TO("door", "b", "b.com", "timeout: 3s\n")),
	    resource_of(BOUND_TO("door", "b", "b.com", "timeout: 4s\n")),
	    resource_of(BOUND_TO("door", "c", "b.com", "timeout: 5s\n"))};
	static const struct {
		size_t rules[2];
		size_t resources, endpoints;
		bool patch;
		uint64_t a, b; /* seconds */
	} steps[] = {{{0, 2}, 3, 0, false, 1, 3}, {{1, 2}, 3, 0, true, 2, 3},
	    {{1, 2}, 3, 1, true, 2, 3}, {{1, 3}, 3, 1, true, 2, 4},
	    {{0, 3}, 3, 0, true, 1, 4}, {{0, 2}, 3, 0, true, 1, 3},
	    {{0, 2}, 4, 0, true, 1, 3}, {{1, 2}, 4, 0, true, 2, 3},
	    {{1, 3}, 4, 0, true, 2, 4}};
	const struct resource *all[] = {gateway, NULL, NULL, r[4]};
	struct view *v = NULL;
	struct view_input in = {.ns = S("shop"),
	    .proxy = VIEW_ROUTER,
	    .labels = {&app, 1},
	    .services = &service,
	    .service_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .resources = all,
	    .upstreams = &upstream,
	    .upstream_count = 1,
	    .version = 1};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		all[1] = r[steps[i].rules[0]];
		all[2] = r[steps[i].rules[1]];
		in.resource_count = steps[i].resources;
		serving.count = steps[i].endpoints;
		serving.version = 1 + steps[i].endpoints;
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_EQ(
		    before != NULL && is_patch(v, before), steps[i].patch);
		EXPECT_EQ(timeout_at(v, S("a.com")), steps[i].a * 1000000);
		EXPECT_EQ(timeout_at(v, S("b.com")), steps[i].b * 1000000);
		(void)connections_of(v, steps[i].endpoints);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	resource_unref(&gateway);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		resource_unref(&r[i]);
}

/* --- what comes and goes -------------------------------------------------- */

/* A DestinationRule or a VirtualService of shop. */
#define RESOURCE(kind, name, year, rest)                                       \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: " name                                               \
	", namespace: shop, creationTimestamp: \"" year                        \
	"-01-01T00:00:00Z\"}\nspec:\n" rest
#define ROUTES(name, year, hosts, rest)                                        \
	RESOURCE("VirtualService", name, year,                                 \
	    "  hosts: [" hosts "]\n  http:\n  - " rest "\n")
#define POLICIES(name, host, rest)                                             \
	RESOURCE(                                                              \
	    "DestinationRule", name, "2020", "  host: " host "\n  " rest "\n")
#define LEAD_TO(host) "route: [{destination: {host: " host "}}]"

/* What is there in one step: digits are places among the documents. */
struct act {
	const char *there;
	bool is_patch;
	/* Of what takes a request to web: its timeout, in seconds, and if it
	 * leads somewhere; how many clusters web has, how many problems. */
	uint64_t timeout;
	bool is_led;
	size_t clusters, problems;
};

struct play {
	struct resource *documents[10];
	const struct resource *there[10];
	struct view_input in;
};

static void
play_init(struct play *p, const char *const *documents, size_t count)
{
	static const struct view_port_input port = {
	    80, {"http", 4}, {"http", 4}};
	static const struct view_port_input other = {
	    8080, {"http", 4}, {"http", 4}};
	static const struct view_service_input services[] = {
	    {{"cart", 4}, {"shop", 4}, &other, 1, {"a record", 8}},
	    {{"web", 3}, {"shop", 4}, &port, 1, {"a record", 8}}};
	static const struct label v1 = {{"version", 7}, {"v1", 2}};
	static const struct view_endpoint_input one = {.service = {"web", 3},
	    .service_ns = {"shop", 4},
	    .service_port = 80,
	    .addr = {ADDR_V4, {10, 0, 0, 1}, 80},
	    .tunnel = {ADDR_V4, {10, 0, 0, 1}, VIEW_TUNNEL_PORT},
	    .ns = {"shop", 4},
	    .account = {"web", 3},
	    .labels = {&v1, 1},
	    .weight = 1};
	static const struct view_serving servings[] = {
	    {{"cart", 4}, {"shop", 4}, 1, NULL, 0},
	    {{"web", 3}, {"shop", 4}, 1, &one, 1}};

	*p = (struct play){.in = {.ns = S("shop"),
			       .services = services,
			       .service_count = ARRAY_LEN(services),
			       .servings = servings,
			       .serving_count = ARRAY_LEN(servings),
			       .version = 1}};
	for (size_t i = 0; i < count; i++)
		p->documents[i] = resource_of(documents[i]);
}

static void
play_fini(struct play *p)
{
	for (size_t i = 0; i < ARRAY_LEN(p->documents); i++)
		resource_unref(&p->documents[i]);
}

static size_t
clusters_of_web(const struct view *v)
{
	const struct view_cluster *c;
	size_t found = 0;

	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;) {
		if (!slice_ends(c->name, S("|web.shop.svc.cluster.local")))
			continue;
		found++;
		EXPECT_EQ(view_find_cluster(v, c->name), c);
		EXPECT_EQ(
		    c->usable_count, slice_eq(c->subset, S("v2")) ? 0 : 1);
	}
	return found;
}

static void
expect_act(const struct view *v, const struct act *act)
{
	const struct http_attrs a = {.authority = S("web"), .path = S("/")};
	const struct view_host *h = view_find_host(v, NULL, S("web"), 80);
	const struct view_http_route *r = view_route_http(h, &a, NULL).route;
	const struct view_cluster *c = r->destinations[0].cluster;
	size_t problems;

	(void)view_problems(v, &problems);
	EXPECT_EQ(r->timeout_us, act->timeout * 1000000);
	EXPECT_EQ(c != NULL, act->is_led);
	EXPECT_TRUE(c == NULL ||
		    view_cluster_now(v, c) == view_find_cluster(v, c->name));
	EXPECT_EQ(clusters_of_web(v), act->clusters);
	EXPECT_EQ(problems, act->problems);
}

static struct view *
compile_act(struct play *p, const struct act *act, const struct view *before)
{
	AUTO(view_unref) struct view *alone = NULL;
	struct view_input in = p->in;
	struct view *v;

	in.resources = p->there;
	for (const char *c = act->there; *c != '\0'; c++)
		p->there[in.resource_count++] = p->documents[*c - '0'];
	EXPECT_OK(view_compile(&in, &alone, NULL));
	in.before = before;
	EXPECT_OK(view_compile(&in, &v, NULL));
	if (before == NULL)
		return v;
	if (is_patch(v, before) != act->is_patch)
		printf("with %s\n", act->there);
	EXPECT_EQ(is_patch(v, before), act->is_patch);
	(void)compare_views(before, v, alone);
	return v;
}

static void
play(struct play *p, const struct act *acts, size_t count)
{
	struct view *v = NULL;

	for (size_t i = 0; i < count; i++) {
		struct view *before = v;

		v = compile_act(p, &acts[i], before);
		if (acts[i].clusters > 0)
			expect_act(v, &acts[i]);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
}

TEST(a_virtual_service_comes_goes_and_comes_again)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "web", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "web", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("a", "2021", "web, web.shop",
		"timeout: 3s\n    " LEAD_TO("cart")),
	    ROUTES("b", "2021", "cart", "timeout: 4s\n    " LEAD_TO("web"))};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"0", true, 1, true, 1, 0}, {"", true, 0, true, 1, 0},
	    {"0", true, 1, true, 1, 0}, {"1", true, 2, true, 1, 0},
	    /* No destination without a port is at the port of cart. */
	    {"2", true, 3, false, 1, 1}, {"", true, 0, true, 1, 0},
	    {"3", true, 0, true, 1, 1}, {"13", true, 2, true, 1, 1},
	    {"1", true, 2, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* The timeout of what takes a request on port 80 to cart, which is not there,
 * in seconds; 0 if it goes where what is not known goes. */
static uint64_t
web_timeout(const struct view *v)
{
	struct http_attrs a = {.authority = S("cart.shop.svc.mesh.internal"),
	    .path = S("/"),
	    .port = 80};
	const struct addr to = {ADDR_V4, {10, 0, 0, 9}, 80};
	const struct view_listener *l =
	    view_find_listener(v, NULL, VIEW_OUTBOUND, &to);
	const struct view_host *h =
	    view_find_domain(v, l->chains[0].routes, a.authority);

	EXPECT_EQ(h, view_host_now(v, h));
	EXPECT_EQ(slice_eq(h->host, a.authority),
	    slice_eq(h->name, S("cart.shop.svc.cluster.local:80")));
	return view_route_http(h, &a, NULL).route->timeout_us / 1000000;
}

/* On port 80 all rules count: their hosts are there because of them. */
TEST(a_host_that_only_rules_know_comes_and_goes_with_them)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "cart", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "cart", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("c", "2022", "web, cart",
		"match: [{port: 80}]\n    timeout: 3s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "cart",
		"match: [{port: 8080}]\n    timeout: 4s\n    " LEAD_TO("web"))};
	static const struct {
		const char *there;
		uint64_t timeout;
	} steps[] = {{"", 0}, {"0", 1}, {"01", 1}, {"1", 2}, {"", 0}, {"2", 3},
	    {"21", 2}, {"210", 1}, {"213", 2}, {"23", 3}, {"3", 0}, {"", 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t first = 0; first < ARRAY_LEN(steps); first++) {
		struct view *v = NULL;

		for (size_t i = first; i < ARRAY_LEN(steps); i++) {
			struct view *before = v;

			v = compile_act(&p,
			    &(struct act){
				.there = steps[i].there, .is_patch = true},
			    before);
			EXPECT_EQ(web_timeout(v), steps[i].timeout);
			if (before != NULL)
				view_unref(&before);
		}
		view_unref(&v);
	}
	play_fini(&p);
}

TEST(of_two_with_one_host_the_older_decides)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "web", "timeout: 1s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "web", "timeout: 2s\n    " LEAD_TO("web")),
	    ROUTES("b", "2021", "web", "timeout: 3s\n    " LEAD_TO("web")),
	    ROUTES("a", "2020", "web",
		"match: [{port: 8080}]\n    timeout: 4s\n    " LEAD_TO("web")),
	    ROUTES("c", "2019", "web", "timeout: 5s\n    " LEAD_TO("web"))};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"1", true, 2, true, 1, 0}, {"10", true, 1, true, 1, 1},
	    {"20", true, 1, true, 1, 1}, {"2", true, 3, true, 1, 0},
	    /* What is older, but for another port, leaves it to the other. */
	    {"23", true, 3, true, 1, 1}, {"13", true, 2, true, 1, 1},
	    {"3", true, 0, true, 1, 0}, {"0", true, 1, true, 1, 0},
	    {"041", true, 5, true, 1, 2}, {"41", true, 5, true, 1, 1},
	    {"1", true, 2, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play(&p, &acts[9], ARRAY_LEN(acts) - 9); /* with all of them first */
	play_fini(&p);
}

TEST(subsets_come_and_go_with_those_who_lead_to_them)
{
	static const char *const documents[] = {
	    POLICIES("a", "web",
		"subsets: [{name: v1, labels: {version: v1}}, "
		"{name: v2, labels: {version: v2}}]"),
	    POLICIES(
		"a", "web", "subsets: [{name: v1, labels: {version: v1}}]"),
	    POLICIES(
		"b", "web", "subsets: [{name: v2, labels: {version: v2}}]"),
	    ROUTES("a", "2020", "web",
		"timeout: 1s\n    route: "
		"[{destination: {host: web, subset: v2}}]"),
	    ROUTES("a", "2020", "web",
		"timeout: 2s\n    route: "
		"[{destination: {host: web, subset: v1}}]")};
	static const struct act acts[] = {{"3", false, 1, false, 1, 1},
	    {"30", true, 1, true, 3, 0}, {"31", true, 1, false, 2, 1},
	    {"321", true, 1, true, 3, 0}, {"32", true, 1, true, 2, 0},
	    {"42", true, 2, false, 2, 1}, {"421", true, 2, true, 3, 0},
	    {"41", true, 2, true, 2, 0}, {"4", true, 2, false, 1, 1},
	    {"", true, 0, true, 1, 0}, {"0", true, 0, true, 3, 0},
	    {"03", true, 1, true, 3, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	for (size_t i = 1; i < ARRAY_LEN(acts); i++)
		play(&p, &acts[i], ARRAY_LEN(acts) - i);
	play_fini(&p);
}

/* What is said of web alone makes the box of the wildcard's rule anew, and the
 * rules that lead to what is in it. */
TEST(a_wildcard_gives_subsets_to_those_who_have_no_rule_of_their_own)
{
	static const char *const documents[] = {
	    POLICIES("web", "web",
		"trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
	    POLICIES("web", "web",
		"trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}"),
	    POLICIES("all", "\"*.shop.svc.mesh.internal\"",
		"subsets: [{name: v1, labels: {version: v1}}]"),
	    ROUTES("a", "2020", "cart",
		"timeout: 1s\n    route: "
		"[{destination: {host: cart, subset: v1}}]")};
	static const struct act acts[] = {{"03", false, 0, true, 1, 1},
	    {"032", true, 0, true, 1, 0}, {"132", true, 0, true, 1, 0},
	    {"032", true, 0, true, 1, 0}, {"32", true, 0, true, 2, 0},
	    {"132", true, 0, true, 1, 0}, {"13", true, 0, true, 1, 1},
	    {"3", true, 0, true, 1, 1}, {"", true, 0, true, 1, 0},
	    {"2", true, 0, true, 2, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		play(&p, &acts[i], ARRAY_LEN(acts) - i);
	play_fini(&p);
}

/* By what it is hashed is a part of routes, all else one of clusters. */
TEST(a_rule_that_hashes_by_the_same_is_one_of_clusters)
{
	static const char *const documents[] = {
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 3s}}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 3s}, minimumRingSize: 9}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{httpCookie: {name: c, ttl: 4s}}}}"),
	    POLICIES(
		"a", "web", "trafficPolicy: {loadBalancer: {simple: RANDOM}}")};
	static const struct act acts[] = {{"0", false, 0, true, 1, 1},
	    {"1", true, 0, true, 1, 1}, {"0", true, 0, true, 1, 1},
	    {"2", false, 0, true, 1, 1}, {"3", false, 0, true, 1, 0},
	    {"0", false, 0, true, 1, 1}, {"", false, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

TEST(where_more_follows_the_view_is_made_from_nothing)
{
	static const char *const documents[] = {
	    ROUTES("a", "2020", "shop.com", LEAD_TO("web")),
	    ROUTES("a", "2020", "\"*.shop.svc.mesh.internal\"", LEAD_TO("web")),
	    /* Where one is called the other would be, too. */
	    ROUTES("a", "2020", "web, cart", LEAD_TO("cart")),
	    RESOURCE("VirtualService", "a", "2020",
		"  hosts: [\"*.shop\"]\n  tcp: [{" LEAD_TO("web") "}]\n"),
	    ROUTES("a", "2020", "cart, shop.com", LEAD_TO("web")),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {consistentHash: "
		"{useSourceIp: true}}}"),
	    POLICIES("a", "web",
		"trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"),
	    POLICIES("a", "\"*b.shop.svc.mesh.internal\"",
		"trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
	    RESOURCE(
		"Sidecar", "a", "2020", "  egress: [{hosts: [\"./*\"]}]\n"),
	    ROUTES("z", "2020", "web", LEAD_TO("web"))};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i + 1 < ARRAY_LEN(documents); i++) {
		const char with[] = {(char)('0' + i), '\0'};
		const struct act acts[] = {
		    {"", false, 0, true, 1, 0}, {.there = with}, {.there = ""}};

		play(&p, acts, ARRAY_LEN(acts));
	}
	/* Whether it counts is the Sidecar's word. */
	play(&p,
	    (struct act[]){{.there = "8"}, {.there = "89", .is_patch = true}},
	    2);
	play_fini(&p);
}

/* A Service "a" and a ServiceEntry "e" of shop. */
#define SERVICE(labels, spec)                                                  \
	"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop, " \
	"labels: {" labels "}}\nspec: {" spec "}\n"
#define ENTRY(rest)                                                            \
	RESOURCE("ServiceEntry", "e", "2020",                                  \
	    "  hosts: [a.test]\n"                                              \
	    "  ports: [{number: 80, name: http, protocol: HTTP}, "             \
	    "{number: 3306, name: tcp, protocol: TCP}]\n  " rest "\n")
#define HTTP_PORT "{name: http, port: 80}"

/* From any of these states to any that follows it. */
static void
play_from_each(struct play *p, const struct act *acts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		play(p, &acts[i], count - i);
}

TEST(ordinary_services_are_patches)
{
	static const char *const documents[] = {
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT
			", {name: tcp, port: 3306}]"),
	    SERVICE("", "selector: {app: a}, ports: [{name: grpc, port: 80}]"),
	    SERVICE("x: y", "ports: [" HTTP_PORT "]"),
	    SERVICE("", "clusterIP: 10.1.1.9, ports: [" HTTP_PORT
			", {name: tcp, port: 3306}]"),
	    ENTRY("resolution: STATIC\n  endpoints: [{address: 10.9.0.1}]"),
	    ENTRY("resolution: STATIC\n  exportTo: [pay]"),
	    ENTRY("resolution: DNS"), ENTRY("resolution: NONE"),
	    ENTRY("resolution: DNS_ROUND_ROBIN\n"
		  "  endpoints: [{address: a.names.test}]")};
	static const struct act acts[] = {{.there = ""},
	    {.there = "0", .is_patch = true}, {.there = "1", .is_patch = true},
	    {.there = "2", .is_patch = true}, {.there = "3", .is_patch = true},
	    {.there = "4", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "05", .is_patch = true}, {.there = "6", .is_patch = true},
	    {.there = "5", .is_patch = true}, {.there = "7", .is_patch = true},
	    {.there = "8", .is_patch = true}, {.there = "94", .is_patch = true},
	    {.there = "4", .is_patch = true}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* What is called at its endpoints is a patch where these stay, or the port is
 * HTTP's, which is told by names. */
TEST(headless_endpoints_are_patches_where_they_stay)
{
	static const struct {
		uint8_t host;
		enum view_health health;
		bool is_patch;
	} steps[] = {{5, VIEW_HEALTHY, false}, {5, VIEW_UNHEALTHY, true},
	    {6, VIEW_HEALTHY, false}, {6, VIEW_DRAINING, true},
	    {6, VIEW_HEALTHY, true}};

	for (int http = 0; http <= 1; http++) {
		struct view_endpoint_input one = {.service = S("a"),
		    .service_ns = S("shop"),
		    .service_port = 80,
		    .addr = {ADDR_V4, {10, 0, 0, 0}, 80},
		    .ns = S("shop"),
		    .weight = 1};
		struct view_serving serving = {S("a"), S("shop"), 1, &one, 1};
		struct resource *r = resource_of(
		    http == 1
			? SERVICE("", "clusterIP: None, ports: [" HTTP_PORT "]")
			: SERVICE("", "clusterIP: None, ports: [{name: tcp, "
				      "port: 80}]"));
		struct view_input in = {.ns = S("shop"),
		    .resources = (const struct resource *const *)&r,
		    .resource_count = 1,
		    .servings = &serving,
		    .serving_count = 1,
		    .version = 1};
		struct view *v = NULL;

		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			AUTO(view_unref) struct view *alone = NULL;
			struct view *before = v;

			one.addr.bytes[3] = steps[i].host;
			one.health = steps[i].health;
			serving.version++;
			in.before = NULL;
			EXPECT_OK(view_compile(&in, &alone, NULL));
			in.before = before;
			EXPECT_OK(view_compile(&in, &v, NULL));
			EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
			EXPECT_EQ(before != NULL && is_patch(v, before),
			    steps[i].is_patch || (http == 1 && i > 0));
			if (before != NULL)
				view_unref(&before);
		}
		view_unref(&v);
		resource_unref(&r);
	}
}

TEST(an_entry_that_chooses_is_a_patch_and_no_bar_to_others)
{
	static const char *const documents[] = {
	    ENTRY("resolution: STATIC\n"
		  "  workloadSelector: {labels: {version: v1}}"),
	    ENTRY("resolution: STATIC\n"
		  "  workloadSelector: {labels: {app: a}}"),
	    RESOURCE("WorkloadEntry", "w", "2020",
		"  address: 10.9.9.1\n  labels: {version: v1}\n"),
	    RESOURCE("WorkloadEntry", "w", "2020",
		"  address: 10.9.9.2\n  labels: {version: v1, app: a}\n"),
	    RESOURCE("WorkloadEntry", "w", "2020", "  address: 10.9.9.3\n"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    ROUTES("a", "2020", "web", LEAD_TO("a.test"))};
	static const struct act acts[] = {{.there = ""},
	    {.there = "0", .is_patch = true}, {.there = "02", .is_patch = true},
	    {.there = "03", .is_patch = true},
	    {.there = "13", .is_patch = true},
	    {.there = "12", .is_patch = true},
	    {.there = "026", .is_patch = true},
	    {.there = "0356", .is_patch = true},
	    {.there = "045", .is_patch = true},
	    {.there = "5", .is_patch = true}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

TEST(what_is_said_of_a_service_follows_it)
{
	static const char *const documents[] = {
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("x: y", "ports: [" HTTP_PORT "]"),
	    ROUTES("a", "2020", "a",
		"timeout: 1s\n    route: "
		"[{destination: {host: a, subset: v1}}]"),
	    POLICIES("a", "a", "subsets: [{name: v1, labels: {version: v1}}]"),
	    ROUTES("b", "2020", "web", "timeout: 2s\n    " LEAD_TO("a"))};
	static const struct act acts[] = {{.there = "0234"},
	    {.there = "1234", .is_patch = true},
	    {.there = "0234", .is_patch = true},
	    {.there = "034", .is_patch = true}};
	static const struct act without[] = {{.there = "034"},
	    {.there = "14", .is_patch = true}, {.there = "4", .is_patch = true},
	    {.there = "04", .is_patch = true}, {.there = "3", .is_patch = true},
	    {.there = "03", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "", .is_patch = true}};
	/* Whose requests a rule decides about comes or goes. */
	static const struct act others[] = {{.there = "02"},
	    {.there = "2", .is_patch = true}, {.there = "02", .is_patch = true},
	    {.there = "12", .is_patch = true},
	    {.there = "2", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_from_each(&p, without, ARRAY_LEN(without));
	play_from_each(&p, others, ARRAY_LEN(others));
	play_fini(&p);
}

#define SCOPING(egress)                                                        \
	RESOURCE("Sidecar", "s", "2020", "  egress: [" egress "]\n")
#define OF_PAY(kind, name, rest)                                               \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: " name ", namespace: pay}\nspec:\n  " rest "\n"

/* Whether a listener names it or not. */
TEST(what_is_ordinary_is_a_patch_where_a_sidecar_holds)
{
	static const char *const scopes[] = {SCOPING("{hosts: [\"*/*\"]}"),
	    SCOPING("{hosts: [\"./web.shop.svc.cluster.local\", \"pay/*\"]}"),
	    SCOPING("{hosts: [\"./*\"]}"),
	    SCOPING("{hosts: [\"*/a.test\", \"~pay/x.test\"]}"),
	    SCOPING("{captureMode: NONE, hosts: [\"*/*\"]}"),
	    SCOPING("{port: {number: 80, name: h, protocol: HTTP}, hosts: "
		    "[\"pay/*\"]}, {hosts: [\"./*\"]}"),
	    SCOPING("{port: {number: 3306, name: t, protocol: TCP}, bind: "
		    "10.8.0.1, hosts: [\"pay/*\"]}, {hosts: [\"*/*\"]}"),
	    RESOURCE("Sidecar", "s", "2020",
		"  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n")};
	static const char *const documents[] = {"",
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("x: y", "clusterIP: 10.1.1.9, ports: [" HTTP_PORT
			    ", {name: tcp, port: 5432}]"),
	    OF_PAY("ServiceEntry", "e",
		"{hosts: [a.test], resolution: STATIC, ports: [{number: 80, "
		"name: http, protocol: HTTP}, {number: 3306, name: tcp, "
		"protocol: TCP}], endpoints: [{address: 10.9.0.1}]}"),
	    OF_PAY("ServiceEntry", "e",
		"{hosts: [a.test], resolution: DNS, ports: [{number: 80, "
		"name: http, protocol: HTTP}]}"),
	    ROUTES("a", "2020", "a", "timeout: 1s\n    " LEAD_TO("a")),
	    OF_PAY("VirtualService", "b",
		"{hosts: [a.test], tcp: [{route: [{destination: {host: "
		"a.test, port: {number: 80}}}]}]}"),
	    OF_PAY("DestinationRule", "c",
		"{host: a.test, trafficPolicy: {loadBalancer: {simple: "
		"RANDOM}}}"),
	    ROUTES("d", "2020", "a", "delegate: {name: f}"),
	    RESOURCE("VirtualService", "f", "2020",
		"  http: [{timeout: 2s, " LEAD_TO("a") "}]\n")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "023", .is_patch = true},
	    {.there = "0237", .is_patch = true},
	    {.there = "0235", .is_patch = true},
	    {.there = "0135", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0189", .is_patch = true},
	    {.there = "018", .is_patch = true},
	    {.there = "01", .is_patch = true}};
	static const struct act wired[] = {{.there = "03"},
	    {.there = "036", .is_patch = true},
	    {.there = "02367", .is_patch = true},
	    {.there = "03", .is_patch = true}};
	static const struct act gone[] = {{.there = "014"},
	    {.there = "04", .is_patch = true},
	    {.there = "03", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "01", .is_patch = true}};

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct play p;

		play_init(&p, documents + 1, ARRAY_LEN(documents) - 1);
		memmove(&p.documents[1], &p.documents[0],
		    (ARRAY_LEN(documents) - 1) * sizeof(p.documents[0]));
		p.documents[0] = resource_of(scopes[i]);
		play_from_each(&p, acts, ARRAY_LEN(acts));
		play_from_each(&p, wired, ARRAY_LEN(wired));
		play_from_each(&p, gone, ARRAY_LEN(gone));
		play_fini(&p);
	}
}

TEST(a_sidecar_that_another_stands_before_is_nothing)
{
	static const char *const documents[] = {SCOPING("{hosts: [\"./*\"]}"),
	    RESOURCE(
		"Sidecar", "t", "2021", "  egress: [{hosts: [\"*/*\"]}]\n"),
	    "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
	    "metadata: {name: all, namespace: istio-system}\n"
	    "spec: {egress: [{hosts: [\"~/*\"]}]}\n",
	    RESOURCE("Sidecar", "u", "2019",
		"  workloadSelector: {labels: {app: none}}\n"
		"  egress: [{hosts: [\"~/*\"]}]\n"),
	    RESOURCE(
		"Sidecar", "v", "2019", "  egress: [{hosts: [\"pay/*\"]}]\n"),
	    OF_PAY("Sidecar", "w", "{egress: [{hosts: [\"./*\"]}]}")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "012", .is_patch = true},
	    {.there = "0123", .is_patch = true},
	    {.there = "035", .is_patch = true},
	    /* What stands before it, or takes its place. */
	    {.there = "0354"}, {.there = "1"},
	    {.there = "12", .is_patch = true}, {.there = "2"}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* What two claim, what is many, and what leads to this machine. */
TEST(services_that_meddle_are_made_from_nothing)
{
	static const char *const documents[] = {
	    SERVICE("", "ports: [" HTTP_PORT "]"),
	    SERVICE("", "clusterIP: None, ports: [" HTTP_PORT "]"),
	    SERVICE("", "type: ExternalName, externalName: web.shop"),
	    RESOURCE("ServiceEntry", "e", "2020",
		"  hosts: [a.shop.svc.cluster.local]\n"
		"  ports: [{number: 80, name: http, protocol: HTTP}]\n"
		"  resolution: DNS\n"),
	    RESOURCE("ServiceEntry", "w", "2020",
		"  hosts: [\"*.test\"]\n"
		"  ports: [{number: 80, name: http, protocol: HTTP}]\n"
		"  resolution: NONE\n")};
	static const struct act acts[] = {{.there = "0"}, {.there = "03"},
	    {.there = "3"}, {.there = "1"}, {.there = "2"}, {.there = "4"}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
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

/* Of a program here, ports are made of where it listens, and no more. */
TEST(an_own_endpoint_is_a_patch_where_it_stays)
{
	static const struct addr own = {ADDR_V4, {10, 0, 0, 5}, 0};
	static const struct {
		uint16_t port;
		enum view_health health;
		bool is_patch;
	} steps[] = {{80, VIEW_HEALTHY, false}, {80, VIEW_UNHEALTHY, true},
	    {80, VIEW_HEALTHY, true}, {81, VIEW_HEALTHY, false},
	    {81, VIEW_DRAINING, true}, {0, VIEW_HEALTHY, false}};
	struct view_endpoint_input all[] = {
	    {.service = S("web"),
		.service_ns = S("shop"),
		.service_port = 80,
		.addr = {ADDR_V4, {10, 0, 0, 5}, 80},
		.ns = S("shop"),
		.weight = 1},
	    {.service = S("web"),
		.service_ns = S("shop"),
		.service_port = 80,
		.addr = {ADDR_V4, {10, 0, 0, 6}, 80},
		.ns = S("shop"),
		.weight = 1}};
	struct view_serving serving = {S("web"), S("shop"), 1, all, 2};
	struct resource *documents[] = {
	    resource_of("apiVersion: v1\nkind: Service\n"
			"metadata: {name: web, namespace: shop}\n"
			"spec: {ports: [" HTTP_PORT "]}\n")};
	struct view_input in = {.ns = S("shop"),
	    .resources = (const struct resource *const *)documents,
	    .resource_count = 1,
	    .servings = &serving,
	    .serving_count = 1,
	    .addrs = &own,
	    .addr_count = 1,
	    .version = 1};
	struct view *before = NULL;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		AUTO(view_unref) struct view *alone = NULL;
		struct view *v;

		all[0].addr.port = steps[i].port;
		all[0].addr.bytes[3] = steps[i].port != 0 ? 5 : 7;
		all[0].health = steps[i].health;
		serving.version++;
		in.before = NULL;
		EXPECT_OK(view_compile(&in, &alone, NULL));
		in.before = before;
		EXPECT_OK(view_compile(&in, &v, NULL));
		EXPECT_EQ(view_fingerprint(v), view_fingerprint(alone));
		EXPECT_EQ(
		    before != NULL && is_patch(v, before), steps[i].is_patch);
		if (before != NULL)
			view_unref(&before);
		before = v;
	}
	view_unref(&before);
	resource_unref(&documents[0]);
}

#define NETWORK(name, spec)                                                    \
	"apiVersion: meshd.dev/v1\nkind: Network\n"                            \
	"metadata: {name: " name "}\nspec: {" spec "}\n"
#define GATEWAYS(list) "gateways: [" list "]"
#define GATEWAY_AT(address) "{address: " address ", port: 15443}"

TEST(a_network_is_a_patch_unless_all_weights_are_others)
{
	static const char *const documents[] = {
	    NETWORK("near", GATEWAYS(GATEWAY_AT("203.0.113.1"))),
	    NETWORK("far", GATEWAYS(GATEWAY_AT("203.0.113.2"))),
	    NETWORK("far", "endpoints: [{fromCidr: 10.0.0.0/8}], " GATEWAYS(
			       GATEWAY_AT("203.0.113.3"))),
	    NETWORK("far", GATEWAYS(GATEWAY_AT("203.0.113.2") ", " GATEWAY_AT(
			       "203.0.113.3"))),
	    NETWORK("far", "endpoints: [{fromCidr: 10.0.0.0/8}]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]")};
	static const struct act acts[] = {{.there = ""}, {.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "025", .is_patch = true},
	    {.there = "04", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "03"}, {.there = "035", .is_patch = true},
	    {.there = "02"}, {.there = "4"}, {.there = "", .is_patch = true}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

#define MESH(spec)                                                             \
	"apiVersion: meshd.dev/v1\nkind: MeshConfig\n"                         \
	"metadata: {name: default}\nspec: {" spec "}\n"

TEST(what_is_only_asked_of_the_mesh_is_a_patch)
{
	static const char *const documents[] = {
	    MESH("accessLogFormat: '%PROTOCOL%'"),
	    MESH("dnsRefreshRate: 5s, enableTracing: false"),
	    MESH("defaultConfig: {concurrency: 2}, "
		 "pathNormalization: {normalization: NONE}"),
	    MESH("connectTimeout: 3s"),
	    MESH("connectTimeout: 3s, accessLogFormat: '%PROTOCOL%'"),
	    ROUTES("a", "2020", "web", LEAD_TO("web"))};
	static const struct {
		const char *there;
		bool is_patch;
		const char *format;
		uint64_t refresh_us;
	} steps[] = {{"", false, "", 60000000},
	    {"0", true, "%PROTOCOL%", 60000000}, {"15", true, "", 5000000},
	    {"2", true, "", 60000000}, {"05", true, "%PROTOCOL%", 60000000},
	    {"", true, "", 60000000}, {"3", false, "", 60000000},
	    {"4", true, "%PROTOCOL%", 60000000}, {"35", true, "", 60000000},
	    {"2", false, "", 60000000}};
	struct view *v = NULL;
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct view *before = v;

		v = compile_act(&p,
		    &(struct act){
			.there = steps[i].there, .is_patch = steps[i].is_patch},
		    before);
		EXPECT_SLICE(
		    view_access_log(v).format, slice_str(steps[i].format));
		EXPECT_EQ(view_name_refresh_us(v), steps[i].refresh_us);
		if (before != NULL)
			view_unref(&before);
	}
	view_unref(&v);
	play_fini(&p);
}

TEST(what_is_for_gateways_alone_is_nothing_to_a_machine)
{
	static const char *const documents[] = {
	    BOUND_TO("door", "a", "shop.com", "timeout: 1s\n"),
	    BOUND_TO("door, mesh", "a", "web", "timeout: 2s\n")};
	static const struct act acts[] = {{"", false, 0, true, 1, 0},
	    {"0", true, 0, true, 1, 0}, {"1", true, 2, true, 1, 0},
	    {"0", true, 0, true, 1, 0}, {"", true, 0, true, 1, 0}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	p.in.proxy = VIEW_ROUTER;
	play(&p,
	    (struct act[]){{.there = ""}, {.there = "1", .is_patch = true},
		{.there = "", .is_patch = true}},
	    3);
	play_fini(&p);
}

#define GATE(name, year, app, servers)                                         \
	RESOURCE("Gateway", name, year,                                        \
	    "  selector: {app: " app "}\n  servers: [" servers "]\n")
#define WEB_SERVER(hosts)                                                      \
	"{port: {number: 80, name: http, protocol: HTTP}, hosts: [" hosts "]}"
#define AT_GATES(name, year, hosts, rest)                                      \
	RESOURCE("VirtualService", name, year,                                 \
	    "  hosts: [" hosts "]\n  gateways: [door, two]\n  " rest "\n")

static void
play_at_gates(const char *const *documents, size_t count,
    const struct act *acts, size_t act_count)
{
	static const struct label app = {{"app", 3}, {"door", 4}};
	struct play p;

	play_init(&p, documents, count);
	p.in.proxy = VIEW_ROUTER;
	p.in.labels = (struct labels){&app, 1};
	play_from_each(&p, acts, act_count);
	play_fini(&p);
}

/* One host of several, wildcards, and those that are in them. */
TEST(ordinary_rules_of_gateways_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", "door", WEB_SERVER("\"*.com\", x.test")),
	    AT_GATES("a", "2021", "a.com",
		"http: [{timeout: 1s, " LEAD_TO("web") "}]"),
	    AT_GATES("a", "2021", "a.com",
		"http: [{timeout: 2s, " LEAD_TO("cart") "}]"),
	    AT_GATES("b", "2020", "b.com", "http: [{" LEAD_TO("web") "}]"),
	    AT_GATES("b", "2020", "a.com, b.com",
		"http: [{match: [{uri: {prefix: /b}}], timeout: 3s, " LEAD_TO(
		    "web") "}]"),
	    AT_GATES("w", "2019", "\"*.com\"",
		"http: [{timeout: 4s, " LEAD_TO("web") "}]"),
	    AT_GATES("w", "2019", "\"*\"", "http: [{delegate: {name: leaf}}]"),
	    RESOURCE("VirtualService", "leaf", "2020",
		"  http: [{timeout: 5s, " LEAD_TO("web") "}]\n"),
	    AT_GATES("m", "2020", "a.com, mesh.com, x.test",
		"http: [{timeout: 6s, " LEAD_TO("a") "}]"),
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "024", .is_patch = true},
	    {.there = "0245", .is_patch = true},
	    {.there = "0145", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0146", .is_patch = true},
	    {.there = "01467", .is_patch = true},
	    {.there = "0467", .is_patch = true},
	    {.there = "04678", .is_patch = true},
	    {.there = "046789", .is_patch = true},
	    {.there = "0489", .is_patch = true},
	    {.there = "08", .is_patch = true},
	    {.there = "05", .is_patch = true},
	    {.there = "0", .is_patch = true}};

	play_at_gates(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

/* Of this machine, or not; on ports that others have, too. */
TEST(ordinary_gateways_are_patches)
{
	static const char *const documents[] = {
	    GATE("door", "2020", "door", WEB_SERVER("\"*.com\"")),
	    GATE("door", "2020", "door",
		WEB_SERVER("\"*.com\"") ", {port: {number: 443, name: s, "
					"protocol: HTTPS}, tls: "
					"{mode: SIMPLE, credentialName: c}, "
					"hosts: [a.com]}"),
	    GATE("two", "2021", "door",
		WEB_SERVER(
		    "\"*\"") ", {port: {number: 443, name: p, protocol: TLS}, "
			     "tls: "
			     "{mode: PASSTHROUGH}, hosts: [b.com]}"
			     ", {port: {number: 3306, name: t, protocol: TCP}, "
			     "hosts: [\"*\"]}"),
	    GATE("two", "2019", "door",
		"{port: {number: 80, name: t, protocol: TCP}, "
		"hosts: [\"*\"]}"),
	    GATE("far", "2020", "far", WEB_SERVER("\"*\"")),
	    AT_GATES("a", "2021", "a.com, b.com",
		"http: [{timeout: 1s, " LEAD_TO("web") "}]"),
	    AT_GATES("t", "2020", "\"*\"", "tcp: [{" LEAD_TO("web") "}]"),
	    AT_GATES("t", "2020", "\"*\"", "tcp: [{" LEAD_TO("cart") "}]"),
	    AT_GATES("p", "2020", "b.com",
		"tls: [{match: [{sniHosts: [b.com]}], " LEAD_TO("web") "}]"),
	    AT_GATES("q", "2019", "b.com",
		"tls: [{match: [{sniHosts: [b.com]}], " LEAD_TO("web") "}]")};
	static const struct act acts[] = {{.there = "05"},
	    {.there = "15", .is_patch = true},
	    {.there = "125", .is_patch = true},
	    {.there = "1256", .is_patch = true},
	    {.there = "1257", .is_patch = true},
	    {.there = "12578", .is_patch = true},
	    {.there = "125789", .is_patch = true},
	    {.there = "12589", .is_patch = true},
	    {.there = "1259", .is_patch = true},
	    {.there = "12594", .is_patch = true},
	    {.there = "2594", .is_patch = true},
	    {.there = "0259", .is_patch = true},
	    {.there = "0357", .is_patch = true},
	    {.there = "0356", .is_patch = true},
	    {.there = "056", .is_patch = true},
	    {.there = "05", .is_patch = true}};

	play_at_gates(documents, ARRAY_LEN(documents), acts, ARRAY_LEN(acts));
}

TEST(the_same_endpoints_are_the_same_view)
{
	AUTO(view_unref) struct view *v = NULL;
	AUTO(view_unref) struct view *again = NULL;
	struct world w;

	world_init(&w, 2, OF_ANY);
	v = compile(&w, NULL, 1);
	again = compile(&w, v, 1);
	EXPECT_TRUE(again == v);
	world_fini(&w);
}
