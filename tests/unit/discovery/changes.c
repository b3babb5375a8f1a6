/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes — what was made step by step is what would be made at once.
 */
#include <stdio.h>

#include "mesh.h"
#include "unit.h"

enum { SEEDS = 2000, STEPS = 12, NODES = 6, SERVICES = 4 };

static const char *const names[] = {"web", "db", "cache"};

static const char *const yaml[SERVICES] = {
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    "spec:\n  selector: {app: web}\n  ports:\n"
    "  - {name: http, port: 80, targetPort: 8080}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: all}\n"
    "spec:\n  selector: {tier: a}\n  ports:\n  - {name: tcp, port: 8080}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n"
    "spec:\n  ports:\n  - {name: tcp, port: 5432}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: both}\n"
    "spec:\n  selector: {app: db, tier: b}\n  ports:\n"
    "  - {name: tcp, port: 1, targetPort: 5432}\n",
};

/* What a node said last. */
struct said {
	struct mesh_node node;
	struct gossip_service services[2];
	struct gossip_label labels[2][2];
};

struct world {
	struct mesh m;
	struct said said[NODES];
	struct rng rng;
	const struct resource *written[SERVICES];
	bool is_in[SERVICES];
	struct discovery_local local;
	struct discovery_scope scope;
	struct slice hosts[ARRAY_LEN(names)];
	char trail[STEPS + 1];
	uint64_t lists_version; /* of the last output ... */
	struct buf lists;       /* ... and what was so numbered */
};

static void
choose_services(struct world *w, struct said *to)
{
	to->node.services = to->services;
	to->node.count = rng_below(&w->rng, 3);
	for (size_t i = 0; i < ARRAY_LEN(to->services); i++) {
		struct gossip_service *s = &to->services[i];

		*s = mesh_service(names[rng_below(&w->rng, 3)],
		    rng_below(&w->rng, 2) ? 8080 : 5432,
		    rng_below(&w->rng, 2) ? "http" : "tcp");
		to->labels[i][0] = s->labels[0];
		to->labels[i][1] = (struct gossip_label){
		    S("tier"), rng_below(&w->rng, 2) ? S("a") : S("b")};
		s->labels = to->labels[i];
		s->label_count = 1 + rng_below(&w->rng, 2);
	}
}

static void
choose_health(struct world *w, struct mesh_node *n)
{
	n->status = (uint8_t)rng_below(&w->rng, GOSSIP_LEFT + 1);
	n->unhealthy = rng_below(&w->rng, 4);
	n->health = (uint8_t)rng_below(&w->rng, GOSSIP_DRAINING + 1);
}

static void
put_node(struct world *w)
{
	static const char *const ids[NODES] = {"a", "b", "c", "d", "e", "f"};
	size_t which = rng_below(&w->rng, NODES);
	struct said *s = &w->said[which];

	s->node = (struct mesh_node){.name = ids[which],
	    .addrs = rng_below(&w->rng, 4) == 0 ? "10.0.0.9" : "10.0.0.2",
	    .issued_s = (uint32_t)(100 * rng_below(&w->rng, 3)),
	    .name_lost = rng_below(&w->rng, 6) == 0};
	choose_services(w, s);
	choose_health(w, &s->node);
	(void)mesh_put(&w->m, &s->node); /* maybe the same again */
}

/* One that offers what it offered. */
static void
change_health(struct world *w)
{
	struct mesh_node *n = &w->said[rng_below(&w->rng, NODES)].node;

	if (n->name == NULL)
		return;
	choose_health(w, n);
	if (rng_below(&w->rng, 8) == 0)
		n->issued_s += 100; /* its voucher was renewed */
	(void)mesh_put(&w->m, n);   /* maybe the same again */
}

static void
forget_node(struct world *w)
{
	struct gossip_id id = {0};

	id.bytes[0] = (uint8_t)('a' + rng_below(&w->rng, NODES));
	(void)discovery_catalog_forget(
	    w->m.catalog, &id); /* maybe it was not there */
}

static void
toggle_service(struct world *w)
{
	size_t which = rng_below(&w->rng, SERVICES);

	w->is_in[which] = !w->is_in[which];
	w->m.in.resource_count = 0;
	for (size_t i = 0; i < SERVICES; i++)
		if (w->is_in[i])
			w->m.resources[w->m.in.resource_count++] =
			    w->written[i];
}

static void
change_local(struct world *w)
{
	w->local = (struct discovery_local){
	    .name = slice_str(names[rng_below(&w->rng, 3)]),
	    .ns = S("default"),
	    .protocol = S("tcp"),
	    .port = (uint16_t)(1 + rng_below(&w->rng, 2)),
	    .weight = 100,
	    .target = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 9},
	    .unhealthy = rng_below(&w->rng, 2) ? S("GET /: 503") : S("")};
	w->m.in.locals = &w->local;
	w->m.in.local_count = rng_below(&w->rng, 2);
}

/* Vouchers end at 2000; sometimes all goes on in another network. */
static void
change_place(struct world *w)
{
	w->m.in.now_s = rng_below(&w->rng, 2) ? 1000 : 2000;
	w->m.in.network = rng_below(&w->rng, 4) ? S("default") : S("other");
}

static void
change_scope(struct world *w)
{
	static const struct slice hosts[] = {
	    {"web.default.svc.mesh.internal",
		sizeof("web.default.svc.mesh.internal") - 1},
	    {"db.default.svc.mesh.internal",
		sizeof("db.default.svc.mesh.internal") - 1},
	    {"cache.default.svc.mesh.internal",
		sizeof("cache.default.svc.mesh.internal") - 1}};

	w->scope.domain = S("mesh.internal");
	w->scope.hosts = w->hosts;
	w->scope.count = 0;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (rng_below(&w->rng, 2) == 0)
			w->hosts[w->scope.count++] = hosts[i];
	w->m.in.scope = rng_below(&w->rng, 4) > 0 ? &w->scope : NULL;
}

static void
step(struct world *w, size_t at)
{
	static void (*const steps[])(struct world *) = {put_node, put_node,
	    put_node, change_health, change_health, forget_node, toggle_service,
	    change_local, change_place, change_scope};
	size_t which = rng_below(&w->rng, ARRAY_LEN(steps));

	w->trail[at] = (char)('0' + which);
	steps[which](w);
}

/* Everything that comes out, as text. */
static const char *
text_of(struct world *w, const struct discovery_output *out)
{
	AUTO(buf_fini) struct buf b = BUF(1 << 20);
	struct slice text;

	w->m.out = *out;
	mesh_flatten(&w->m);
	EXPECT_OK(buf_printf(&b, "%s", mesh_text(&w->m)));
	for (size_t i = 0; i < out->service_count; i++)
		EXPECT_OK(buf_printf(&b, "%.*s by %.*s, %zu ports\n",
		    SLICE_ARG(out->services[i].name),
		    SLICE_ARG(out->services[i].origin),
		    out->services[i].port_count));
	for (size_t i = 0; i < out->exposed_count; i++)
		EXPECT_OK(buf_printf(
		    &b, "exposed %.*s\n", SLICE_ARG(out->exposed[i].service)));
	for (size_t i = 0; i < out->conflict_count; i++)
		EXPECT_OK(
		    buf_printf(&b, "%.*s\n", SLICE_ARG(out->conflicts[i])));
	EXPECT_OK(arena_copy(&w->m.arena, buf_slice(&b), &text));
	return text.ptr;
}

static void
tell_lists(const struct discovery_output *out, struct buf *b)
{
	for (size_t i = 0; i < out->serving_count; i++)
		EXPECT_OK(buf_printf(
		    b, "%.*s\n", SLICE_ARG(out->servings[i].service)));
	for (size_t i = 0; i < out->service_count; i++) {
		const struct view_service_input *s = &out->services[i];

		EXPECT_OK(buf_printf(b, "%.*s by %.*s", SLICE_ARG(s->name),
		    SLICE_ARG(s->origin)));
		for (size_t j = 0; j < s->port_count; j++)
			EXPECT_OK(buf_printf(b, " %u", s->ports[j].port));
	}
}

/* The same number as of the last output is of the same things. */
static void
expect_numbered(
    const struct discovery_output *out, uint64_t *last, struct buf *told)
{
	AUTO(buf_fini) struct buf now = BUF(1 << 20);

	tell_lists(out, &now);
	if (out->lists_version == *last)
		EXPECT_SLICE(buf_slice(&now), buf_slice(told));
	buf_reset(told);
	EXPECT_OK(buf_add_slice(told, buf_slice(&now)));
	*last = out->lists_version;
}

/* Of all that are not named there. */
static void
expect_settled(const struct discovery_output *out)
{
	enum { SERVINGS_MAX = ARRAY_LEN(names) + SERVICES };
	bool moved[SERVINGS_MAX] = {false};

	EXPECT_TRUE(out->serving_count <= SERVINGS_MAX);
	for (size_t i = 0; i < out->moved_count; i++) {
		EXPECT_TRUE(out->moved[i] < out->serving_count);
		moved[out->moved[i]] = true;
	}
	for (size_t i = 0; i < out->serving_count; i++)
		EXPECT_TRUE(
		    moved[i] || out->servings[i].version <= out->moved_since);
}

static void
compare(struct world *w, uint64_t seed)
{
	AUTO(discovery_free) struct discovery *fresh = discovery_new();
	struct discovery_output once, stepwise;
	const char *a, *b;

	EXPECT_OK(discovery_update(fresh, &w->m.in, &once));
	EXPECT_OK(discovery_update(w->m.discovery, &w->m.in, &stepwise));
	expect_settled(&stepwise);
	expect_numbered(&stepwise, &w->lists_version, &w->lists);
	a = text_of(w, &once);
	b = text_of(w, &stepwise);
	if (strcmp(a, b) != 0)
		printf("seed %llu, steps %s\n", (unsigned long long)seed,
		    w->trail);
	EXPECT_STR(b, a);
}

static void
world_init(struct world *w, uint64_t seed)
{
	*w = (struct world){.lists = BUF(1 << 20)};
	mesh_init(&w->m);
	rng_init(&w->rng, seed);
	for (size_t i = 0; i < SERVICES; i++)
		mesh_apply(&w->m, yaml[i]);
	memcpy(w->written, w->m.resources, sizeof(w->written));
	w->m.in.resource_count = 0;
}

/* mesh_fini() gives back those that were applied. */
static void
world_fini(struct world *w)
{
	memcpy(w->m.resources, w->written, sizeof(w->written));
	buf_fini(&w->lists);
	mesh_fini(&w->m);
}

TEST(any_sequence_of_changes_ends_like_all_at_once)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_init(&w, seed);
		for (size_t i = 0; i < STEPS; i++) {
			step(&w, i);
			if (rng_below(&w.rng, 3) > 0)
				compare(&w, seed);
		}
		compare(&w, seed);
		world_fini(&w);
	}
}

/* The arrays of before are given again: nobody has to look at them. */
TEST(nothing_is_made_anew_where_nothing_changed)
{
	struct gossip_service web = mesh_service("web", 8080, "http");
	struct mesh_node a = {
	    .name = "a", .addrs = "10.0.0.2", .services = &web, .count = 1};
	const struct view_serving *before;
	uint64_t version;
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	before = m.out.servings;
	version = before[0].version;
	EXPECT_FALSE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 1);
	EXPECT_TRUE(m.out.servings == before);
	EXPECT_EQ(before[0].version, version);
	mesh_fini(&m);
}

/* Its record is read no more: where a reason lies is where it lay. */
TEST(what_a_node_says_of_its_health_touches_only_services_with_news)
{
	struct gossip_service s[] = {
	    mesh_service("web", 8080, "http"), mesh_service("db", 5432, "tcp")};
	struct mesh_node a = {.name = "a",
	    .addrs = "10.0.0.2",
	    .services = s,
	    .count = ARRAY_LEN(s)};
	const char *text;
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	text = m.endpoints[0].node.ptr;
	a.unhealthy = 1 << 1;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "db.default:5432 10.0.0.2:5432 unhealthy\n"
				  "web.default:8080 10.0.0.2:8080 healthy\n");
	EXPECT_TRUE(m.endpoints[0].node.ptr == text);
	a.unhealthy = 0;
	a.health = GOSSIP_DRAINING;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_SLICE(m.endpoints[0].reason, S("node a drains it"));
	mesh_fini(&m);
}

/* What is listed has a number of its own, who serves it one by each. */
TEST(a_service_that_comes_is_another_list_and_nothing_else)
{
	struct gossip_service s[] = {
	    mesh_service("web", 8080, "http"), mesh_service("db", 5432, "tcp")};
	struct mesh_node a = {
	    .name = "a", .addrs = "10.0.0.2", .services = s, .count = 1};
	uint64_t lists;
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	lists = m.out.lists_version;
	a.unhealthy = 1;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.out.lists_version, lists);
	a.count = ARRAY_LEN(s);
	EXPECT_TRUE(mesh_put(&m, &a)); /* it exposes one more */
	mesh_compile(&m);
	EXPECT_NE(m.out.lists_version, lists);
	lists = m.out.lists_version;
	mesh_apply(&m, yaml[1]);
	mesh_compile(&m);
	EXPECT_NE(m.out.lists_version, lists);
	mesh_fini(&m);
}
