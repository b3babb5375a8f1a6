/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine — who knows the same of a machine makes the same view of it: itself,
 * and a server that has its record and what it tells.
 */
#include "mesh.h"
#include "unit.h"

#include <stdio.h>

enum { FACTS_MAX = 32, LOCALS = 3, UPSTREAMS = 2 };

#define ISTIO "apiVersion: networking.istio.io/v1\nkind: "

static const char *const documents[] = {
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
    "spec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
    "metadata: {name: strict, namespace: shop}\n"
    "spec: {mtls: {mode: STRICT}}\n",
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
    "metadata: {name: pay, namespace: shop}\n"
    "spec: {selector: {matchLabels: {app: pay}}, action: DENY, rules: [{}]}\n",
    ISTIO "Sidecar\nmetadata: {name: narrow, namespace: shop}\n"
	  "spec: {workloadSelector: {labels: {app: pay}},\n"
	  "  egress: [{hosts: ['./*']}]}\n",
    ISTIO "VirtualService\nmetadata: {name: web}\n"
	  "spec: {hosts: [web], http: [{match: [{sourceLabels: {app: pay}}],\n"
	  "  route: [{destination: {host: web}}], timeout: 2s},\n"
	  "  {route: [{destination: {host: web}}]}]}\n",
};

static const struct label pay_labels[] = {
    {{"app", 3}, {"pay", 3}}, {{"tier", 4}, {"one", 3}}};
static const struct label edge_labels[] = {
    {{"istio", 5}, {"ingressgateway", 14}}, {{"site", 4}, {"\"x\"", 3}}};
static const struct label web_labels[] = {{{"app", 3}, {"web", 3}}};

static struct addr
local(uint16_t port)
{
	return (struct addr){
	    .family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = port};
}

/* What the machine knows of itself. */
struct self {
	struct discovery_machine m;
	struct addr addr;
	struct discovery_local locals[LOCALS];
	struct view_upstream_input upstreams[UPSTREAMS];
};

static void
self_init(struct self *s)
{
	const struct discovery_local pay = {.name = S("pay"),
	    .ns = S("shop"),
	    .account = S("payer"),
	    .protocol = S("http"),
	    .labels = {pay_labels, ARRAY_LEN(pay_labels)},
	    .port = 81,
	    .weight = 100,
	    .target = local(8081)};

	memset(s, 0, sizeof(*s));
	s->locals[0] = s->locals[1] = s->locals[2] = pay;
	s->locals[1].name = S("web");
	s->locals[1].ns = s->locals[1].account = S("default");
	s->locals[1].labels = (struct labels){web_labels, 1};
	s->locals[1].port = 80;
	s->locals[1].target = local(8080);
	s->locals[2].name = S("odd");
	s->locals[2].port = 83;
	s->locals[2].target = local(8083);
	s->upstreams[0] = (struct view_upstream_input){.name = S("web"),
	    .host = S("web.default"),
	    .port = 80,
	    .listen = local(9000),
	    .ns = S("shop"),
	    .account = S("payer")};
	s->upstreams[1] = (struct view_upstream_input){.name = S("far \"one\""),
	    .host = S("far.other"),
	    .listen = local(9001),
	    .ns = S("shop")};
	EXPECT_OK(addr_parse_ip(S("10.0.0.1"), &s->addr));
	s->m = (struct discovery_machine){.id = {.bytes = "here"},
	    .name = S("here"),
	    .network = S("default"),
	    .domain = S("mesh.internal"),
	    .trust_domain = S("mesh.internal"),
	    .identity = S("spiffe://mesh.internal/ns/meshd-nodes/sa/here"),
	    .issued_s = 500,
	    .families = DISCOVERY_V4,
	    .addrs = &s->addr,
	    .addr_count = 1,
	    .locals = s->locals,
	    .local_count = LOCALS,
	    .ns = S("shop"),
	    .upstreams = s->upstreams,
	    .upstream_count = UPSTREAMS};
}

/* --- facts ---------------------------------------------------------------- */

struct facts {
	struct slice items[FACTS_MAX];
	size_t count;
	struct arena arena;
};

static void
keep_fact(void *arg, struct slice fact)
{
	struct facts *f = arg;

	EXPECT_TRUE(f->count < FACTS_MAX && fact.len <= DISCOVERY_FACT_MAX);
	EXPECT_OK(arena_copy(&f->arena, fact, &f->items[f->count++]));
}

static size_t
tell(const struct self *s, struct facts *f)
{
	f->count = 0;
	arena_init(&f->arena, 1 << 20);
	return discovery_each_fact(&s->m, keep_fact, f);
}

/* As a record has it: where services listen is not in it, nor who calls. */
static void
forget(struct self *s)
{
	for (size_t i = 0; i < LOCALS; i++) {
		s->locals[i].target = s->addr;
		s->locals[i].target.port = s->locals[i].port;
	}
	s->m.ns = s->m.account = SLICE_NONE;
	s->m.proxy = VIEW_SIDECAR;
	s->m.labels = (struct labels){NULL, 0};
	s->m.upstreams = NULL;
	s->m.upstream_count = 0;
}

static void
swap(struct slice *a, struct slice *b)
{
	struct slice c = *a;

	*a = *b;
	*b = c;
}

static void
turn_round(struct facts *f)
{
	for (size_t i = 0; i < f->count / 2; i++)
		swap(&f->items[i], &f->items[f->count - 1 - i]);
}

TEST(facts_say_what_a_record_does_not_say)
{
	struct self here, there;
	struct facts f;
	struct fault why = {0};

	self_init(&here);
	self_init(&there);
	EXPECT_EQ(tell(&here, &f), 0);
	EXPECT_EQ(f.count, 1 + UPSTREAMS + LOCALS);
	turn_round(&f);
	forget(&there);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, &why));
	EXPECT_SLICE(there.m.ns, S("shop"));
	EXPECT_EQ(there.m.local_count, LOCALS);
	EXPECT_EQ(there.m.mismatches, 0);
	for (size_t i = 0; i < LOCALS; i++)
		EXPECT_TRUE(
		    addr_eq(&there.m.locals[i].target, &here.locals[i].target));
	EXPECT_EQ(there.m.upstream_count, UPSTREAMS);
	for (size_t i = 0; i < UPSTREAMS; i++) {
		const struct view_upstream_input *u =
		    &there.m.upstreams[UPSTREAMS - 1 - i];

		EXPECT_SLICE(u->name, here.upstreams[i].name);
		EXPECT_SLICE(u->host, here.upstreams[i].host);
		EXPECT_SLICE(u->ns, here.upstreams[i].ns);
		EXPECT_SLICE(u->account, here.upstreams[i].account);
		EXPECT_EQ(u->port, here.upstreams[i].port);
		EXPECT_TRUE(addr_eq(&u->listen, &here.upstreams[i].listen));
	}
	arena_fini(&f.arena);
}

static void
make_gateway(struct self *s)
{
	s->m.proxy = VIEW_ROUTER;
	s->m.labels = (struct labels){edge_labels, ARRAY_LEN(edge_labels)};
	s->m.account = S("edge");
}

TEST(a_gateway_says_that_it_is_one_and_who_selects_it)
{
	struct self here, there;
	struct facts f;

	self_init(&here);
	self_init(&there);
	make_gateway(&here);
	EXPECT_EQ(tell(&here, &f), 0);
	forget(&there);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, NULL));
	EXPECT_EQ(there.m.proxy, VIEW_ROUTER);
	EXPECT_SLICE(there.m.account, S("edge"));
	EXPECT_EQ(there.m.labels.count, ARRAY_LEN(edge_labels));
	EXPECT_TRUE(labels_match(&there.m.labels, &here.m.labels));
	arena_fini(&f.arena);
}

static enum err
take(const char *fact, struct self *s, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct slice text = slice_str(fact);

	arena_init(&arena, 1 << 20);
	return discovery_take_facts(&text, 1, &arena, &s->m, why);
}

TEST(a_record_of_another_time_is_told_by_the_services_that_differ)
{
	struct self here, there;
	struct facts f;

	self_init(&here);
	self_init(&there);
	here.locals[0].port = 85; /* it was 81 */
	EXPECT_EQ(tell(&here, &f), 0);
	forget(&there);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, NULL));
	EXPECT_EQ(there.m.mismatches, 2);
	EXPECT_EQ(there.m.local_count, LOCALS);
	EXPECT_EQ(there.m.locals[0].target.port, 81); /* as it is called */
	arena_fini(&f.arena);
}

TEST(a_fact_that_is_none_is_refused_in_words)
{
	static const char *const bad[] = {"", "x", "[]", "{\"port\":", "null",
	    "{\"port\":-1,\"target\":\"127.0.0.1:80\"}",
	    "{\"port\":65536,\"target\":\"127.0.0.1:80\"}",
	    "{\"port\":80,\"target\":\"nowhere\"}", "{\"proxy\":\"sidecar\"}",
	    "{\"proxy\":1}", "{\"upstream\":\"a\",\"host\":\"b\",\"port\":1}",
	    "{\"upstream\":\"a\",\"host\":\"b\",\"listen\":\"127.0.0.1:80\"}"};
	struct self s;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct fault why = {0};
		char wanted[256];

		self_init(&s);
		EXPECT_EQ(take(bad[i], &s, &why), ERR_INVALID);
		(void)snprintf(wanted, sizeof(wanted),
		    "what it tells of itself is not understood: %s", bad[i]);
		EXPECT_STR(why.text, wanted);
	}
	self_init(&s);
	EXPECT_OK(take("{\"moons\":2}", &s, NULL)); /* of a newer agent */
	self_init(&s);
	EXPECT_OK(take("{\"port\":99,\"target\":\"127.0.0.1:1\"}", &s, NULL));
}

TEST(what_is_too_much_to_tell_is_left_out_and_counted)
{
	static char name[2 * DISCOVERY_FACT_MAX];
	AUTO(mem_free)
	struct slice *many =
	    mem_new_array(DISCOVERY_FACTS_MAX + 1, sizeof(*many));
	struct fault why = {0};
	struct self s;
	struct facts f;

	self_init(&s);
	memset(name, 'x', sizeof(name));
	s.upstreams[0].name = slice_of(name, sizeof(name));
	EXPECT_EQ(tell(&s, &f), 1);
	EXPECT_EQ(f.count, UPSTREAMS + LOCALS);
	EXPECT_EQ(discovery_take_facts(
		      many, DISCOVERY_FACTS_MAX + 1, &f.arena, &s.m, &why),
	    ERR_LIMIT);
	EXPECT_STR(why.text, "a machine may tell at most 4096 facts of itself");
	arena_fini(&f.arena);
}

/* --- views ---------------------------------------------------------------- */

static struct mesh_node
node_of(const char *name, const char *addrs, const struct gossip_service *s,
    size_t count)
{
	return (struct mesh_node){.name = name,
	    .addrs = addrs,
	    .issued_s = 500,
	    .services = s,
	    .count = count};
}

/* The record of the machine, as others have it. */
static void
put_own(struct mesh *to, const struct self *s)
{
	struct gossip_service services[LOCALS];
	struct gossip_label labels[LOCALS][2];
	struct mesh_node n;

	for (size_t i = 0; i < LOCALS; i++) {
		const struct discovery_local *l = &s->locals[i];

		for (size_t j = 0; j < l->labels.count; j++)
			labels[i][j] = (struct gossip_label){
			    l->labels.items[j].key, l->labels.items[j].value};
		services[i] = (struct gossip_service){.name = l->name,
		    .ns = l->ns,
		    .account = l->account,
		    .protocol = l->protocol,
		    .labels = labels[i],
		    .label_count = l->labels.count,
		    .port = l->port,
		    .weight = l->weight};
	}
	n = node_of("here", "10.0.0.1", services, LOCALS);
	EXPECT_TRUE(mesh_put(to, &n));
}

static void
put_others(struct mesh *to)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct gossip_service far = mesh_service("far", 84, "tcp");
	struct mesh_node a = node_of("a", "10.0.0.2", &web, 1);
	struct mesh_node b = node_of("b", "fd00::3,10.0.0.3", &far, 1);

	far.ns = S("other");
	EXPECT_TRUE(mesh_put(to, &a));
	EXPECT_TRUE(mesh_put(to, &b));
}

static uint64_t
view_of(struct mesh *m, const struct discovery_machine *of, struct view **out)
{
	struct discovery_output found;
	struct view_input in;

	m->in.resources_version++;
	EXPECT_OK(discovery_view_input(m->discovery, of, &m->in, &found, &in));
	EXPECT_OK(view_compile(&in, out, NULL));
	return view_fingerprint(*out);
}

/* What it makes after some changes, so with a past. */
static uint64_t
own_view(struct mesh *m, struct self *s, struct view **out)
{
	struct view *before;

	s->m.local_count = 1;
	s->m.upstream_count = 1;
	(void)view_of(m, &s->m, &before); /* another one */
	view_unref(&before);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		mesh_apply(m, documents[i]);
	put_others(m);
	s->m.local_count = LOCALS;
	s->m.upstream_count = UPSTREAMS;
	return view_of(m, &s->m, out);
}

TEST(a_server_makes_the_view_that_the_machine_makes)
{
	struct mesh at_home, at_server;
	struct self here, there;
	struct view *own, *told;
	struct facts f;
	size_t count;

	mesh_init(&at_home);
	mesh_init(&at_server);
	self_init(&here);
	self_init(&there);
	put_own(&at_server, &here);
	put_others(&at_server);
	for (size_t i = ARRAY_LEN(documents); i-- > 0;)
		mesh_apply(&at_server, documents[i]);
	forget(&there);
	EXPECT_EQ(tell(&here, &f), 0);
	turn_round(&f);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, NULL));
	EXPECT_EQ(own_view(&at_home, &here, &own),
	    view_of(&at_server, &there.m, &told));
	/* Nobody else is meant: of two places, and with all that is here. */
	(void)view_scopes(told, &count);
	EXPECT_EQ(count, 2);
	(void)view_exposures(told, &count);
	EXPECT_EQ(count, LOCALS);
	(void)view_upstreams(told, &count);
	EXPECT_EQ(count, UPSTREAMS);
	view_unref(&told);
	/* And it is what was told that makes it so. */
	forget(&there);
	EXPECT_NE(view_fingerprint(own), view_of(&at_server, &there.m, &told));
	view_unref(&own);
	view_unref(&told);
	arena_fini(&f.arena);
	mesh_fini(&at_home);
	mesh_fini(&at_server);
}

TEST(a_server_makes_the_view_that_a_gateway_makes)
{
	static const char *const edge[] = {ISTIO
	    "Gateway\nmetadata: {name: g}\n"
	    "spec: {selector: {istio: ingressgateway}, servers: [\n"
	    "  {port: {number: 80, name: http, protocol: HTTP},\n"
	    "  hosts: ['*']}]}\n",
	    ISTIO "VirtualService\nmetadata: {name: v}\n"
		  "spec: {hosts: ['*'], gateways: [g], http: [\n"
		  "  {route: [{destination: {host: web}}]}]}\n"};
	struct mesh at_home, at_server;
	struct self here, there;
	struct view *own, *told;
	struct facts f;
	size_t count;

	mesh_init(&at_home);
	mesh_init(&at_server);
	self_init(&here);
	self_init(&there);
	make_gateway(&here);
	put_own(&at_server, &here);
	put_others(&at_server);
	put_others(&at_home);
	for (size_t i = 0; i < ARRAY_LEN(edge); i++) {
		mesh_apply(&at_home, edge[i]);
		mesh_apply(&at_server, edge[i]);
	}
	forget(&there);
	EXPECT_EQ(tell(&here, &f), 0);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, NULL));
	EXPECT_EQ(view_of(&at_home, &here.m, &own),
	    view_of(&at_server, &there.m, &told));
	(void)view_listeners(told, NULL, VIEW_GATEWAY, &count);
	EXPECT_EQ(count, 1);
	EXPECT_SLICE(view_self(told)->identity,
	    S("spiffe://mesh.internal/ns/shop/sa/edge"));
	view_unref(&told);
	view_unref(&own);
	arena_fini(&f.arena);
	mesh_fini(&at_home);
	mesh_fini(&at_server);
}

/* --- any machine ---------------------------------------------------------- */

enum { SEEDS = 300, HOSTS = 3 };

/* What is wanted and written at some time. */
struct times {
	bool is_written[ARRAY_LEN(documents)];
	size_t locals;
	size_t upstreams;
	struct discovery_scope scope; /* without a domain: none */
};

static void
draw(struct rng *r, struct times *out)
{
	static const struct slice hosts[HOSTS] = {
	    {"web.default.svc.mesh.internal", 29},
	    {"pay.shop.svc.mesh.internal", 26},
	    {"far.other.svc.mesh.internal", 27}};

	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		out->is_written[i] = rng_below(r, 3) > 0;
	out->locals = rng_below(r, LOCALS + 1);
	out->upstreams = rng_below(r, UPSTREAMS + 1);
	out->scope = (struct discovery_scope){
	    .hosts = hosts, .count = rng_below(r, HOSTS + 1)};
	if (rng_below(r, 2) > 0)
		out->scope.domain = S("mesh.internal");
}

/* `m` has all documents; `written` is the caller's room for some of them. */
static void
set_times(
    struct mesh *m, const struct times *t, const struct resource **written)
{
	m->in.resources = written;
	m->in.resource_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		if (t->is_written[i])
			written[m->in.resource_count++] = m->resources[i];
	m->in.scope = t->scope.domain.len > 0 ? &t->scope : NULL;
}

/* After another time. */
static uint64_t
live(struct mesh *m, struct self *s, const struct times *t, size_t count)
{
	const struct resource *written[ARRAY_LEN(documents)];
	uint64_t last = 0;

	for (size_t i = 0; i < count; i++) {
		struct view *v;

		set_times(m, &t[i], written);
		s->m.local_count = t[i].locals;
		s->m.upstream_count = t[i].upstreams;
		last = view_of(m, &s->m, &v);
		view_unref(&v);
	}
	return last;
}

/* From nothing, by what is told and a record that has just that. */
static uint64_t
hear_of(struct mesh *m, const struct self *of, const struct times *t)
{
	const struct resource *written[ARRAY_LEN(documents)];
	struct discovery *before = m->discovery;
	struct self there;
	struct facts f;
	struct view *v;
	uint64_t hash;

	self_init(&there);
	forget(&there);
	there.m.local_count = t->locals;
	EXPECT_EQ(tell(of, &f), 0);
	turn_round(&f);
	EXPECT_OK(
	    discovery_take_facts(f.items, f.count, &f.arena, &there.m, NULL));
	EXPECT_EQ(there.m.mismatches, 0);
	set_times(m, t, written);
	m->discovery = discovery_new();
	hash = view_of(m, &there.m, &v);
	view_unref(&v);
	discovery_free(&m->discovery);
	m->discovery = before;
	arena_fini(&f.arena);
	return hash;
}

TEST(whatever_a_machine_is_a_server_makes_its_view)
{
	struct mesh at_home, at_server;
	struct self here;

	mesh_init(&at_home);
	mesh_init(&at_server);
	self_init(&here);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		mesh_apply(&at_home, documents[i]);
		mesh_apply(&at_server, documents[i]);
	}
	put_others(&at_home);
	put_others(&at_server);
	put_own(&at_server, &here); /* which is not looked at */
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct times t[2];
		struct rng r;
		uint64_t own, told;

		rng_init(&r, seed);
		draw(&r, &t[0]);
		draw(&r, &t[1]);
		own = live(&at_home, &here, t, 2);
		told = hear_of(&at_server, &here, &t[1]);
		if (own != told)
			printf("seed %llu\n", (unsigned long long)seed);
		EXPECT_EQ(own, told);
	}
	mesh_fini(&at_home);
	mesh_fini(&at_server);
}
