/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interest — which hosts the servers are asked for, and who waits for them;
 * and what they are told of this machine.
 *
 * The stream, the upstreams and what is exposed are the test's own: they stand
 * here instead of uplink.c, upstreams.c and exposed.c.
 */
#include <stdio.h>

#include "discovery/discovery.h"

#include "inside.h"
#include "unit.h"

enum {
	SECOND = 1000000,
	MINUTE = 60 * SECOND,
	MANY = 5000,
	ALWAYS = 3 /* wanted of the mesh, its networks and the own namespace */
};

static struct {
	struct clock_fake time;
	struct clock clock;
	struct node node;
	struct map wanted;  /* as the stream was told */
	struct map brought; /* as it has told */
	struct map told;    /* facts of the machine */
	struct discovery_local local;
	bool is_full; /* nothing can be said of the machine */
	bool has_server;
	bool is_captured;
	struct view_upstream_input upstreams[MANY];
	size_t upstream_count;
	struct node_expose exposed[2];
	size_t exposed_count;
	size_t touches; /* a new view was wished for */
	size_t answers;
	enum err last;
	char words[FAULT_TEXT_MAX];
} scene;

/* --- in the place of the node's other parts ------------------------------- */

void
uplink_want(struct node *n, struct slice host, bool more)
{
	EXPECT_TRUE(n == &scene.node);
	EXPECT_EQ(
	    map_get(&scene.wanted, host) == NULL, more); /* no word twice */
	if (more)
		(void)map_put(&scene.wanted, host, &scene);
	else
		(void)map_remove(&scene.wanted, host);
}

void
uplink_tell(struct node *n, struct slice fact, bool more)
{
	EXPECT_TRUE(n == &scene.node);
	EXPECT_EQ(map_get(&scene.told, fact) == NULL, more); /* no word twice */
	if (more)
		(void)map_put(&scene.told, fact, &scene);
	else
		(void)map_remove(&scene.told, fact);
}

enum err
node_machine(
    const struct node *n, struct arena *arena, struct discovery_machine *out)
{
	EXPECT_TRUE(n == &scene.node && arena != NULL);
	*out = (struct discovery_machine){.ns = slice_str(n->ns),
	    .upstreams = scene.upstreams,
	    .upstream_count = scene.upstream_count,
	    .locals = &scene.local,
	    .local_count = scene.local.port != 0};
	return scene.is_full ? ERR_NO_MEMORY : OK;
}

void
groups_each_host(
    const struct node *n, void (*each)(void *arg, struct slice host), void *arg)
{
	EXPECT_TRUE(n == &scene.node && each != NULL && arg != NULL);
}

bool
captured_wants_all(const struct node *n)
{
	EXPECT_TRUE(n == &scene.node);
	return scene.is_captured;
}

bool
uplink_has_host(const struct node *n, struct slice host)
{
	EXPECT_TRUE(n == &scene.node);
	return map_get(&scene.brought, host) != NULL;
}

void
publisher_touch(struct node *n)
{
	EXPECT_TRUE(n == &scene.node);
	scene.touches++;
}

struct http2 *
uplink_session(const struct node *n)
{
	EXPECT_TRUE(n == &scene.node);
	return scene.has_server ? (struct http2 *)&scene
				: NULL; /* never looked at */
}

const struct view_upstream_input *
upstreams_inputs(const struct node *n, struct arena *arena)
{
	EXPECT_TRUE(n == &scene.node && arena != NULL);
	return scene.upstreams;
}

size_t
upstreams_count(const struct node *n)
{
	EXPECT_TRUE(n == &scene.node);
	return scene.upstream_count;
}

void
node_each_exposed(const struct node *n,
    void (*each)(void *arg, const struct node_exposed *e), void *arg)
{
	EXPECT_TRUE(n == &scene.node);
	for (size_t i = 0; i < scene.exposed_count; i++) {
		const struct node_exposed e = {.what = &scene.exposed[i]};

		each(arg, &e);
	}
}

/* --- the scene ------------------------------------------------------------ */

static void
begin(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.clock = clock_fake_as_clock(&scene.time);
	scene.node = (struct node){.magic = NODE_MAGIC,
	    .loop = loop_new(&scene.clock),
	    .ns = "default",
	    .uplink = (struct uplink *)&scene}; /* there is one, no more */
	(void)snprintf(scene.node.member.domain,
	    sizeof(scene.node.member.domain), "mesh.internal");
	map_init(&scene.wanted);
	map_init(&scene.brought);
	map_init(&scene.told);
}

static void
end(void)
{
	interests_close(&scene.node);
	EXPECT_TRUE(scene.node.interests == NULL);
	map_fini(&scene.wanted, NULL);
	map_fini(&scene.brought, NULL);
	map_fini(&scene.told, NULL);
	loop_free(&scene.node.loop);
}

static void
pass(uint64_t us)
{
	clock_fake_advance(&scene.time, us);
	loop_turn(scene.node.loop, 0);
	loop_settle(scene.node.loop);
}

static void
on_host(void *arg, enum err e, const struct fault *why)
{
	EXPECT_TRUE(arg == &scene);
	scene.answers++;
	scene.last = e;
	(void)snprintf(
	    scene.words, sizeof(scene.words), "%s", e != OK ? why->text : "");
}

static void
ask(struct slice host)
{
	node_ask_host(&scene.node, host, on_host, &scene);
}

/* The view was made of what is wanted now. */
static void
put_in_force(void)
{
	AUTO(arena_fini) struct arena a = {0};
	struct discovery_scope scope;

	arena_init(&a, LIMIT_RESOURCE_BYTES);
	EXPECT_OK(interests_scope(&scene.node, &a, &scope));
	interests_in_force(&scene.node, scope.version);
}

static void
bring(struct slice host)
{
	(void)map_put(&scene.brought, host, &scene);
	interests_arrived(&scene.node);
}

static void
add_upstream(struct slice host)
{
	scene.upstreams[scene.upstream_count++].host = host;
}

#define WANTS_JUST(name) (map_get(&scene.wanted, S(name)) != NULL)
#define WANTS(host) WANTS_JUST(host ".svc.mesh.internal")

/* --- what is wanted ------------------------------------------------------- */

TEST(upstreams_and_what_is_exposed_are_wanted_as_long_as_they_are)
{
	begin();
	add_upstream(S("web"));
	add_upstream(S("web.default")); /* the same in other words */
	add_upstream(S("db.shop"));
	scene.exposed[0] =
	    (struct node_expose){.name = S("api"), .ns = S("shop")};
	scene.exposed_count = 1;
	interests_open(&scene.node);
	/* Two labels in both spellings, and the exposed one's namespace. */
	EXPECT_EQ(scene.wanted.count, ALWAYS + 6);
	EXPECT_TRUE(WANTS("web.default"));
	EXPECT_TRUE(WANTS_JUST("web.default"));
	EXPECT_TRUE(WANTS("db.shop"));
	EXPECT_TRUE(WANTS("api.shop"));
	EXPECT_TRUE(WANTS_JUST("space/shop"));
	scene.upstream_count = 1;
	scene.exposed_count = 0;
	interests_refresh(&scene.node);
	EXPECT_EQ(scene.wanted.count, ALWAYS + 1);
	EXPECT_TRUE(WANTS("web.default"));
	end();
}

TEST(what_holds_for_the_mesh_and_for_callers_namespaces_is_wanted)
{
	begin();
	add_upstream(S("web"));
	scene.upstreams[0].ns = S("shop"); /* its clients call from there */
	interests_open(&scene.node);
	EXPECT_TRUE(WANTS_JUST(HOST_MESH));
	EXPECT_TRUE(WANTS_JUST(HOST_NETWORKS));
	EXPECT_TRUE(WANTS_JUST("space/default"));
	EXPECT_TRUE(WANTS_JUST("space/shop"));
	EXPECT_TRUE(WANTS("web.shop"));
	EXPECT_EQ(scene.wanted.count, ALWAYS + 2);
	end();
}

TEST(a_gateway_wants_those_that_select_it_and_what_is_in_front)
{
	static const struct label labels[] = {
	    {{"istio", 5}, {"edge", 4}}, {{"site", 4}, {"x", 1}}};

	begin();
	scene.node.proxy = VIEW_ROUTER;
	scene.node.labels = (struct labels){labels, ARRAY_LEN(labels)};
	interests_open(&scene.node);
	EXPECT_TRUE(WANTS_JUST("gateway/"));
	EXPECT_TRUE(WANTS_JUST("gateway/istio=edge"));
	EXPECT_TRUE(WANTS_JUST("gateway/site=x"));
	EXPECT_TRUE(WANTS_JUST("front/default/istio=edge"));
	EXPECT_TRUE(WANTS_JUST("front/default/site=x"));
	EXPECT_EQ(scene.wanted.count, ALWAYS + 5);
	end();
}

TEST(all_hosts_are_wanted_while_programs_call_by_addresses)
{
	begin();
	interests_open(&scene.node);
	EXPECT_FALSE(interests_have_all(&scene.node));
	scene.is_captured = true;
	interests_refresh(&scene.node);
	EXPECT_TRUE(WANTS_JUST(HOST_ALL));
	EXPECT_TRUE(interests_have_all(&scene.node));
	EXPECT_FALSE(interests_know_all(&scene.node));
	(void)map_put(&scene.brought, S(HOST_ALL), &scene); /* a mark */
	interests_in_force(&scene.node, 1); /* the view before */
	EXPECT_FALSE(interests_know_all(&scene.node));
	interests_in_force(&scene.node, 3);
	EXPECT_TRUE(interests_know_all(&scene.node));
	scene.is_captured = false;
	interests_refresh(&scene.node);
	EXPECT_FALSE(WANTS_JUST(HOST_ALL));
	EXPECT_FALSE(interests_have_all(&scene.node));
	end();
}

TEST(what_is_no_host_is_not_asked_for)
{
	begin();
	add_upstream(S("*.shop"));
	add_upstream(S(""));
	interests_open(&scene.node);
	EXPECT_EQ(scene.wanted.count, ALWAYS);
	ask(S("*"));
	EXPECT_EQ(scene.last, ERR_INVALID);
	EXPECT_STR(scene.words, "\"*\" is no host");
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.wanted.count, ALWAYS);
	end();
}

TEST(hosts_past_the_limit_of_a_server_are_left_out)
{
	static char names[MANY][16];

	begin();
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "s%zu", i);
		add_upstream(slice_str(names[i]));
	}
	interests_open(&scene.node);
	EXPECT_EQ(scene.wanted.count, 4096);
	end();
}

/* --- those that were asked about ------------------------------------------ */

TEST(one_that_is_asked_about_is_wanted_for_five_minutes)
{
	begin();
	scene.has_server = true;
	interests_open(&scene.node);
	ask(S("web"));
	EXPECT_TRUE(WANTS("web.default"));
	pass(4 * MINUTE);
	ask(S("web.default")); /* a question more, and it stays as long again */
	pass(4 * MINUTE);
	EXPECT_TRUE(WANTS("web.default"));
	pass(2 * MINUTE);
	EXPECT_EQ(scene.wanted.count, ALWAYS);
	end();
}

TEST(an_upstream_stays_wanted_when_the_question_is_over)
{
	begin();
	add_upstream(S("web"));
	interests_open(&scene.node);
	ask(S("web"));
	pass(10 * MINUTE);
	EXPECT_EQ(scene.wanted.count, ALWAYS + 1);
	end();
}

TEST(too_many_questions_are_refused_until_some_are_over)
{
	char name[16];

	begin();
	interests_open(&scene.node);
	for (unsigned i = 0; i < 1024; i++) {
		(void)snprintf(name, sizeof(name), "s%u", i);
		ask(slice_str(name));
		EXPECT_EQ(
		    scene.last, ERR_UNREACHABLE); /* asked, and not here */
	}
	ask(S("one-more"));
	EXPECT_EQ(scene.last, ERR_BUSY);
	EXPECT_EQ(scene.wanted.count, ALWAYS + 1024);
	pass(6 * MINUTE);
	ask(S("one-more"));
	EXPECT_EQ(scene.last, ERR_UNREACHABLE);
	EXPECT_EQ(scene.wanted.count, ALWAYS + 1);
	end();
}

/* --- those who wait ------------------------------------------------------- */

TEST(what_is_here_is_answered_at_once)
{
	begin();
	add_upstream(S("web"));
	interests_open(&scene.node);
	put_in_force();
	bring(S("web.default.svc.mesh.internal"));
	ask(S("web"));
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.last, OK);
	end();
}

TEST(an_answer_waits_until_the_stream_has_brought_the_host)
{
	begin();
	scene.has_server = true;
	interests_open(&scene.node);
	ask(S("web"));
	ask(S("db"));
	pass(SECOND / 2);
	interests_arrived(&scene.node);
	EXPECT_EQ(scene.answers, 0);
	put_in_force();
	bring(S("web.default.svc.mesh.internal"));
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.last, OK);
	pass(SECOND);
	EXPECT_EQ(scene.answers, 2); /* the other: after a second, in words */
	EXPECT_EQ(scene.last, ERR_UNREACHABLE);
	EXPECT_STR(scene.words,
	    "configuration of db.default.svc.mesh.internal is not at hand: the "
	    "server has not sent all of it yet");
	end();
}

TEST(a_name_that_may_be_of_the_outside_is_here_in_both_spellings)
{
	begin();
	scene.has_server = true;
	interests_open(&scene.node);
	ask(S("example.com"));
	EXPECT_TRUE(WANTS_JUST("example.com"));
	EXPECT_TRUE(WANTS("example.com"));
	(void)map_put(&scene.brought, S("example.com"), &scene);
	interests_arrived(&scene.node);
	EXPECT_EQ(scene.answers, 0);
	(void)map_put(
	    &scene.brought, S("example.com.svc.mesh.internal"), &scene);
	put_in_force();
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.last, OK);
	end();
}

TEST(an_answer_waits_for_the_view_that_knows_the_host)
{
	begin();
	scene.has_server = true;
	interests_open(&scene.node);
	put_in_force();
	ask(S("web"));
	EXPECT_EQ(scene.touches, 1);
	bring(S("web.default.svc.mesh.internal"));
	EXPECT_EQ(scene.answers, 0);
	put_in_force();
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.last, OK);
	ask(S("web")); /* it is here */
	EXPECT_EQ(scene.answers, 2);
	EXPECT_EQ(scene.touches, 1);
	end();
}

TEST(a_view_that_does_not_come_is_said_in_words)
{
	begin();
	interests_open(&scene.node);
	bring(S("web.default.svc.mesh.internal"));
	ask(S("web"));
	EXPECT_EQ(scene.answers, 0);
	pass(SECOND + 1000);
	EXPECT_EQ(scene.last, ERR_UNREACHABLE);
	EXPECT_STR(scene.words,
	    "configuration of web.default.svc.mesh.internal is not at hand: it "
	    "is not in force yet");
	end();
}

static bool
has_name(const struct discovery_scope *s, struct slice host)
{
	for (size_t i = 0; i < s->count; i++)
		if (slice_eq(s->hosts[i], host))
			return true;
	return false;
}

TEST(what_is_wanted_is_a_scope_with_a_version)
{
	AUTO(arena_fini) struct arena a = {0};
	struct discovery_scope one, two;

	begin();
	arena_init(&a, LIMIT_RESOURCE_BYTES);
	add_upstream(S("web"));
	interests_open(&scene.node);
	EXPECT_OK(interests_scope(&scene.node, &a, &one));
	EXPECT_TRUE(has_name(&one, S("web.default.svc.mesh.internal")));
	EXPECT_SLICE(one.domain, S("mesh.internal"));
	interests_refresh(&scene.node);
	EXPECT_OK(interests_scope(&scene.node, &a, &two));
	EXPECT_EQ(two.version, one.version);
	scene.upstream_count = 0;
	interests_refresh(&scene.node);
	EXPECT_OK(interests_scope(&scene.node, &a, &two));
	EXPECT_NE(two.version, one.version);
	EXPECT_FALSE(has_name(&two, S("web.default.svc.mesh.internal")));
	end();
}

TEST(without_a_server_nobody_waits)
{
	begin();
	interests_open(&scene.node);
	ask(S("web"));
	EXPECT_EQ(scene.answers, 1);
	EXPECT_STR(scene.words,
	    "configuration of web.default.svc.mesh.internal is not at hand: "
	    "this agent has no server now");
	end();
}

TEST(the_end_answers_those_who_wait_and_after_it_nobody_may_ask)
{
	begin();
	scene.has_server = true;
	interests_open(&scene.node);
	ask(S("web"));
	EXPECT_EQ(scene.answers, 0);
	interests_close(&scene.node);
	EXPECT_EQ(scene.answers, 1);
	EXPECT_EQ(scene.last, ERR_CANCELLED);
	ask(S("web"));
	EXPECT_EQ(scene.answers, 2);
	EXPECT_EQ(scene.last, ERR_BUSY);
	end();
}

/* --- what servers are told ------------------------------------------------ */

#define TOLD(fact) (map_get(&scene.told, S(fact)) != NULL)
#define OF_WEB(port)                                                           \
	"{\"account\":\"\",\"host\":\"web\",\"listen\":\"-\",\"namespace\":"   \
	"\"\",\"port\":" port ",\"upstream\":\"\"}"

TEST(servers_are_told_what_the_machine_is_and_what_of_it_is_another)
{
	begin();
	add_upstream(S("web"));
	facts_refresh(&scene.node); /* there is no stream yet */
	EXPECT_EQ(scene.told.count, 0);
	facts_open(&scene.node);
	EXPECT_EQ(scene.told.count, 2);
	EXPECT_TRUE(TOLD("{\"namespace\":\"default\"}"));
	EXPECT_TRUE(TOLD(OF_WEB("0")));
	scene.upstreams[0].port = 80;
	scene.local = (struct discovery_local){.port = 81,
	    .target = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 9}};
	facts_refresh(&scene.node);
	EXPECT_EQ(scene.told.count, 3);
	EXPECT_TRUE(TOLD(OF_WEB("80")));
	EXPECT_TRUE(TOLD("{\"port\":81,\"target\":\"127.0.0.1:9\"}"));
	scene.is_full = true; /* then what was told stays */
	facts_refresh(&scene.node);
	EXPECT_EQ(scene.told.count, 3);
	facts_close(&scene.node);
	EXPECT_TRUE(scene.node.facts == NULL);
	end();
}
