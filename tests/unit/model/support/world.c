/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world — a mesh made at random, of which one thing after another changes.
 */
#include "world.h"

#include <stdio.h>

#include "codec/codec.h"
#include "random.h"
#include "unit.h"

enum { PORTS = 2 };

const struct view_port_input world_port = {9000, {"tcp", 3}, {"tcp", 3}};

static const char *const names[] = {"web", "cart", "db"};
static const char *const spaces[] = {"shop", "pay", "istio-system"};
static const char *const networks[] = {"", "", "far", "near"};

static bool
is_of_services(const struct world *w)
{
	return w->kind == OF_SERVICES || w->kind == OF_HEADLESS;
}

static bool
has_tunnels(const struct world *w)
{
	return w->kind == OF_PEERS || w->kind == OF_NETWORKS;
}

void
world_touch_serving(struct world *w, size_t n)
{
	w->servings[n].version = ++w->clock;
}

void
world_fill_serving(struct world *w, size_t n)
{
	static const struct label labels[] = {
	    {{"version", 7}, {"v1", 2}}, {{"version", 7}, {"v2", 2}}};
	static const uint16_t ports[] = {80, 8080, 3306, 9000};
	struct view_serving *s = &w->servings[n];
	struct view_endpoint_input *all = w->endpoints[n];

	s->count = rng_below(&w->rng, MOST + 1);
	world_touch_serving(w, n);
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

/* The group of a gateway is of the namespace of a Service in front. */
static bool
is_elsewhere(const struct world *w, const struct resource *r)
{
	return w->kind == OF_FRONTS && w->count == OTHERS - 1 &&
	       !slice_eq(r->key.ns, w->items[RULED + 1]->key.ns);
}

/* Few worlds have two of one key, of which the newer counts. */
static bool
is_welcome(const struct world *w, const struct resource *r)
{
	if (is_elsewhere(w, r))
		return false;
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
	if (w->kind == OF_WORKLOADS || is_of_services(w) ||
	    w->kind == OF_CONNECTIONS || w->kind == OF_NAMES ||
	    w->kind == OF_HOSTS || w->kind == OF_RESOLVED ||
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

/* The same, and what stands before it. */
static struct resource *
make_at_front(struct world *w, size_t at, uint64_t head)
{
	if (at == RULED)
		return random_again(&w->rng, head & ~1ULL);
	if (at > RULED && at < OTHERS)
		return at < OTHERS - 1 ? random_front(&w->rng, head)
				       : random_group(&w->rng, head);
	return at >= OTHERS && at < OTHERS + OWN ? random_passing(&w->rng, head)
						 : make_at_gate(w, at, head);
}

static struct resource *
make(struct world *w, size_t at, uint64_t head)
{
	if (w->kind == OF_FRONTS)
		return make_at_front(w, at, head);
	if (w->kind == OF_GATES)
		return make_at_gate(w, at, head);
	if ((w->kind == OF_GATEWAYS || w->kind == OF_DELEGATES) && at < 2)
		return random_door(&w->rng, spaces[at]);
	if ((is_of_services(w) || has_tunnels(w)) && at < RULED)
		return random_again(&w->rng, head);
	if (w->kind == OF_NAMES && at < RULED)
		return random_named(&w->rng, head);
	if (w->kind == OF_HOSTS && at < RULED)
		return random_hosts(&w->rng, head);
	if (w->kind == OF_RESOLVED && at < RULED - 1)
		return random_resolved(&w->rng, (head & ~15ULL) | at << 2 | 3);
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
		return w->kind == OF_WORKLOADS || is_of_services(w) ||
			       w->kind == OF_NAMES || w->kind == OF_HOSTS
			   ? random_workload(&w->rng, head)
			   : random_own(&w->rng, head);
	if (w->kind == OF_HEADLESS)
		return random_headless(&w->rng, head);
	if (w->kind == OF_SERVICES || w->kind == OF_NAMES)
		return random_service(&w->rng, head);
	if (w->kind == OF_HOSTS)
		return head % 2 == 0 ? random_service(&w->rng, head)
				     : random_hosts(&w->rng, head);
	if (w->kind == OF_RESOLVED)
		return random_resolved(
		    &w->rng, head % 4 == 3 ? head - 1 : head);
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

void
world_fill_told(struct world *w, size_t i)
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
		world_fill_told(w, i);
	if (rng_below(&w->rng, 2) == 0)
		w->told[0] = (struct view_service_input){
		    S("web"), S("shop"), &world_port, 1, S("a record")};
	for (size_t i = rng_below(&w->rng, SERVINGS + 1); i < SERVINGS; i++)
		w->is_untold[i] = true;
}

void
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
	if (kind == OF_GATEWAYS || kind == OF_GATES || kind == OF_FRONTS) {
		w->in.proxy = VIEW_ROUTER;
		w->in.labels = (struct labels){&ingress, 1};
	}
	if (kind == OF_NAMES || is_of_services(w) || kind == OF_HOSTS ||
	    kind == OF_RESOLVED || w->is_scoped ||
	    kind ==
		OF_CONNECTIONS) /* at gateways there are no patches of them */
		w->in.proxy = VIEW_SIDECAR;
	if (kind == OF_NETWORKS)
		w->in.network = slice_str(networks[rng_below(&w->rng, 4)]);
	fill_resources(w);
	for (size_t i = 0; kind == OF_FRONTS && i < ARRAY_LEN(spaces); i++)
		if (slice_eq(
			w->items[OTHERS - 1]->key.ns, slice_str(spaces[i])))
			w->in.ns = slice_str(spaces[i]); /* its group's */
	w->in.parse_yaml = codec_yaml_parse_one;
	for (size_t i = 0; i < SERVINGS; i++) {
		w->servings[i] =
		    (struct view_serving){.service = slice_str(names[i % 3]),
			.ns = slice_str(spaces[i / 3]),
			.endpoints = w->endpoints[i]};
		world_fill_serving(w, i);
	}
	fill_services(w);
	random_machine(&w->rng, &w->in);
	w->in.upstreams = upstreams; /* so there are scopes of others */
	w->in.upstream_count = rng_below(&w->rng, 3);
	w->in.addrs = &w->own;
	w->in.addr_count = rng_below(&w->rng, 2);
	w->in.knows_members = w->seed % 2 == 0;
	w->in.captures_dns = w->seed % 4 == 0;
	w->lists = w->resources_version = w->names_version = 1;
}

void
world_fini(struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		resource_unref(&w->items[i]);
}

/* Some worlds know each of these, some do not. */
static void
tell_changes(
    const struct world *w, struct view_input *in, size_t moved[SERVINGS])
{
	enum { LAST = 2 };

	in->lists_version = w->seed % 3 > 0 ? w->lists : 0;
	in->resources_version = w->seed % 5 > 0 ? w->resources_version : 0;
	in->names_version = w->seed % 7 > 0 ? w->names_version : 0;
	if (w->seed % 4 == 0)
		return;
	in->moved_since = w->clock - LAST;
	in->moved = moved;
	for (size_t i = 0; i < in->serving_count; i++)
		if (in->servings[i].version > in->moved_since)
			moved[in->moved_count++] = i;
}

struct view *
world_compile(
    const struct world *w, const struct view *before, uint64_t version)
{
	const struct resource *there[RESOURCES];
	struct view_serving servings[SERVINGS];
	struct view_service_input told[SERVINGS];
	size_t moved[SERVINGS];
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
	tell_changes(w, &in, moved);
	in.resources = there;
	for (size_t i = 0; i < w->count; i++)
		if (w->items[i] != NULL)
			there[in.resource_count++] = w->items[i];
	in.before = before;
	in.version = version;
	EXPECT_OK(view_compile(&in, &v, NULL));
	return v;
}

void
world_fill_name(struct world *w, size_t n)
{
	struct view_name_input *name = &w->names[n];
	size_t count = rng_below(&w->rng, MOST + 1);

	name->version++;
	w->names_version++;
	name->count = count;
	name->reason = rng_below(&w->rng, 2) ? S("nobody") : S("");
	for (size_t i = 0; i < count; i++)
		w->leads[n][i] = (struct addr){ADDR_V4,
		    {10, 0, 1, (uint8_t)(i * 8 + rng_below(&w->rng, 8))}, 0};
}

void
world_find_names(struct world *w)
{
	AUTO(view_unref) struct view *v = world_compile(w, NULL, 0);
	const struct view_name *needed = view_names(v, &w->in.name_count);

	EXPECT_TRUE(w->in.name_count <= NAMES);
	for (size_t i = 0; i < w->in.name_count; i++) {
		snprintf(w->name_texts[i], sizeof(w->name_texts[i]), "%.*s",
		    SLICE_ARG(needed[i].name));
		w->names[i] = (struct view_name_input){
		    .name = slice_str(w->name_texts[i]), .addrs = w->leads[i]};
		if (rng_below(&w->rng, 2) == 0)
			world_fill_name(w, i);
	}
	w->in.names = w->names;
}

void
world_make_again(struct world *w, size_t n)
{
	w->resources_version++;
	resource_unref(&w->items[n]);
	w->items[n] = make(w, n, w->heads[n]);
	w->items[n]->revision = ++w->revision;
	if (rng_below(&w->rng, 2) == 0)
		w->items[n]->file = S(""); /* then the revision is told */
}

void
world_come_or_go(struct world *w, size_t n)
{
	w->resources_version++;
	if (w->items[n] == NULL)
		world_make_again(w, n);
	else
		resource_unref(&w->items[n]);
}
