/* SPDX-License-Identifier: Apache-2.0 */
/*
 * waiting — a node that is no member yet: its directory, what it exposes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/codec.h"
#include "node/node.h"
#include "state.h"
#include "unit.h"

enum { PATH_LEN = 64 };

struct rig {
	char dir[PATH_LEN];
	struct loop *loop;
	struct net_factory *factory;
	struct node *node;
	bool closed;
};

static void
on_closed(void *arg)
{
	*(bool *)arg = true;
}

static struct node_spec
spec_of(const struct rig *r)
{
	return (struct node_spec){.loop = r->loop,
	    .factory = r->factory,
	    .state_dir = r->dir,
	    .name = S("web-1"),
	    .log = {.fd = -1}};
}

static void
rig_open(struct rig *r)
{
	struct node_spec spec;

	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	*r = (struct rig){.dir = "/tmp/meshd-node-XXXXXX"};
	EXPECT_TRUE(mkdtemp(r->dir) != NULL);
	r->loop = loop_new(NULL);
	r->factory = net_factory_new();
	spec = spec_of(r);
	EXPECT_OK(node_open(&spec, &r->node, NULL));
	loop_settle(r->loop);
}

static void
close_node(struct rig *r)
{
	r->closed = false;
	node_close(&r->node, 0, on_closed, &r->closed);
	loop_settle(r->loop);
	EXPECT_TRUE(r->closed);
}

static void
rig_close(struct rig *r)
{
	struct state s;
	char path[2 * PATH_LEN];

	close_node(r);
	EXPECT_OK(state_open(&s, r->dir, NULL));
	state_forget(&s);
	state_close(&s);
	(void)snprintf(path, sizeof(path), "%s/identities", r->dir);
	EXPECT_EQ(rmdir(path), 0);
	(void)snprintf(path, sizeof(path), "%s/lock", r->dir);
	EXPECT_EQ(unlink(path), 0);
	EXPECT_EQ(rmdir(r->dir), 0); /* nothing else was left */
	net_factory_free(&r->factory);
	loop_free(&r->loop);
}

static struct node_expose
web_at(uint16_t port)
{
	return (struct node_expose){.name = S("web"), .target = {.port = port}};
}

struct seen {
	size_t count;
	uint16_t port;
	uint16_t target;
	char text[512];
	char check[NODE_CHECK_MAX];
};

static void
see(void *arg, const struct node_exposed *e)
{
	struct seen *s = arg;
	char addr[ADDR_TEXT_MAX];

	s->count++;
	(void)snprintf(s->text, sizeof(s->text),
	    "%.*s.%.*s:%u -> %s as %.*s, %.*s, %.*s=%.*s, %.*s",
	    SLICE_ARG(e->what->name), SLICE_ARG(e->what->ns),
	    (unsigned)e->what->port, addr_format(&e->what->target, addr),
	    SLICE_ARG(e->what->account), SLICE_ARG(e->what->protocol),
	    SLICE_ARG(e->what->labels[0].key),
	    SLICE_ARG(e->what->labels[0].value), SLICE_ARG(e->waits_for));
	(void)snprintf(s->check, sizeof(s->check), "%s", e->check);
	EXPECT_FALSE(e->announced);
}

TEST(a_node_without_a_token_waits)
{
	struct node_status s;
	struct rig r;

	rig_open(&r);
	node_status(r.node, &s);
	EXPECT_EQ(s.state, NODE_WAITING);
	EXPECT_SLICE(s.name, S("web-1"));
	EXPECT_FALSE(s.connected);
	EXPECT_TRUE(node_view(r.node) == NULL);
	rig_close(&r);
}

TEST(an_exposed_service_survives_a_restart)
{
	struct node_spec spec;
	struct node_expose web = web_at(8080);
	struct seen seen = {0};
	struct rig r;

	rig_open(&r);
	EXPECT_OK(node_expose(r.node, &web, NULL));
	close_node(&r);
	spec = spec_of(&r);
	EXPECT_OK(node_open(&spec, &r.node, NULL));
	node_each_exposed(r.node, see, &seen);
	EXPECT_EQ(seen.count, 1);
	EXPECT_STR(seen.text,
	    "web.default:8080 -> 127.0.0.1:8080 as default, tcp, app=web, "
	    "this machine has not joined a mesh");
	rig_close(&r);
}

TEST(a_check_survives_a_restart_with_its_service)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct node_expose web = web_at(8080);
	struct seen seen = {0};
	struct node_spec spec;
	struct rig r;

	rig_open(&r);
	arena_init(&arena, 1 << 20);
	EXPECT_OK(codec_json_parse(S("{\"http\":{\"path\":\"/healthz\"},"
				     "\"interval\":\"2s\"}"),
	    &arena, &web.check, NULL));
	EXPECT_OK(node_expose(r.node, &web, NULL));
	for (int i = 0; i < 2; i++) {
		close_node(&r);
		spec = spec_of(&r);
		EXPECT_OK(node_open(&spec, &r.node, NULL));
		node_each_exposed(r.node, see, &seen);
		EXPECT_STR(seen.check, "http/healthz");
	}
	web.check = NULL; /* the same service without one */
	EXPECT_OK(node_expose(r.node, &web, NULL));
	node_each_exposed(r.node, see, &seen);
	EXPECT_STR(seen.check, "");
	rig_close(&r);
}

TEST(a_port_belongs_to_one_service)
{
	struct node_expose web = web_at(8080), api = web_at(9090);
	struct fault why = {0};
	struct seen seen = {0};
	struct rig r;

	rig_open(&r);
	api.name = S("api");
	api.port = 8080;
	EXPECT_OK(node_expose(r.node, &web, NULL));
	EXPECT_ERR(node_expose(r.node, &api, &why), ERR_EXISTS);
	EXPECT_TRUE(strstr(why.text, "web.default") != NULL);
	EXPECT_OK(node_expose(r.node, &web, NULL)); /* the same replaces */
	node_each_exposed(r.node, see, &seen);
	EXPECT_EQ(seen.count, 1);
	EXPECT_OK(node_unexpose(r.node, S("web"), S(""), 0, NULL));
	EXPECT_ERR(
	    node_unexpose(r.node, S("web"), S(""), 0, &why), ERR_NOT_FOUND);
	EXPECT_OK(node_expose(r.node, &api, NULL));
	rig_close(&r);
}

TEST(what_a_program_offers_is_its_own_and_not_kept)
{
	struct node_expose run = web_at(8080), web = web_at(8080);
	struct node_spec spec;
	struct fault why = {0};
	struct seen seen = {0};
	struct rig r;

	rig_open(&r);
	run.is_passing = true;
	EXPECT_OK(node_expose(r.node, &run, NULL));
	EXPECT_ERR(node_expose(r.node, &run, &why), ERR_EXISTS);
	EXPECT_ERR(node_expose(r.node, &web, &why), ERR_EXISTS);
	EXPECT_TRUE(strstr(why.text, "meshd run") != NULL);
	close_node(&r);
	spec = spec_of(&r);
	EXPECT_OK(node_open(&spec, &r.node, NULL));
	node_each_exposed(r.node, see, &seen);
	EXPECT_EQ(seen.count, 0);
	EXPECT_OK(node_expose(r.node, &web, NULL));
	EXPECT_ERR(node_expose(r.node, &run, &why), ERR_EXISTS);
	EXPECT_TRUE(strstr(why.text, "meshd unexpose") != NULL);
	rig_close(&r);
}

static void
never(void *arg, enum err e, const struct fault *why)
{
	(void)arg;
	(void)e;
	(void)why;
	CHECK(!"what cannot begin is never ready");
}

TEST(a_program_or_a_unit_takes_an_agent_that_may_capture)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct node_run run = {
	    .cgroup = S("a"), .ns = S("default"), .account = S("default")};
	const struct value *unit;
	struct ward *ward = NULL;
	struct fault why = {0};
	struct rig r;

	rig_open(&r);
	arena_init(&arena, 1 << 20);
	EXPECT_ERR(node_run_begin(r.node, &run, never, NULL, &ward, &why),
	    ERR_PERMISSION);
	EXPECT_TRUE(strstr(why.text, "CAP_NET_ADMIN") != NULL);
	EXPECT_OK(codec_json_parse(
	    S("{\"unit\":\"x.service\"}"), &arena, &unit, NULL));
	EXPECT_ERR(node_unit_put(r.node, unit, &why), ERR_PERMISSION);
	EXPECT_ERR(
	    node_unit_stopped(r.node, S("x.service"), &why), ERR_NOT_FOUND);
	EXPECT_TRUE(ward == NULL);
	rig_close(&r);
}

TEST(what_cannot_be_exposed_is_refused_in_words)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct node_expose e = web_at(53);
	struct fault why = {0};
	struct rig r;

	rig_open(&r);
	e.protocol = S("udp");
	EXPECT_ERR(node_expose(r.node, &e, &why), ERR_UNSUPPORTED);
	EXPECT_STR(why.text, "protocol udp is not supported yet");
	e.protocol = S("htpp");
	EXPECT_ERR(node_expose(r.node, &e, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "did you mean \"http\"") != NULL);
	e.protocol = S("http");
	e.name = S("Web_");
	EXPECT_TRUE(node_expose(r.node, &e, &why) != OK);
	e = web_at(0);
	EXPECT_ERR(node_expose(r.node, &e, &why), ERR_INVALID);
	e = web_at(53);
	arena_init(&arena, 1 << 20);
	EXPECT_OK(codec_json_parse(
	    S("{\"exec\":{\"command\":[\"true\"]}}"), &arena, &e.check, NULL));
	EXPECT_ERR(node_expose(r.node, &e, &why), ERR_DENIED);
	EXPECT_OK(codec_json_parse(
	    S("{\"tcp\":{\"prot\":1}}"), &arena, &e.check, NULL));
	EXPECT_TRUE(node_expose(r.node, &e, &why) != OK);
	EXPECT_TRUE(strstr(why.text, "prot") != NULL);
	rig_close(&r);
}

TEST(two_processes_do_not_share_a_directory)
{
	struct node_spec spec;
	struct node *second = NULL;
	struct fault why = {0};
	struct rig r;

	rig_open(&r);
	spec = spec_of(&r);
	EXPECT_ERR(node_open(&spec, &second, &why), ERR_BUSY);
	EXPECT_TRUE(strstr(why.text, "another meshd") != NULL);
	rig_close(&r);
}

TEST(a_bad_token_is_told_at_once)
{
	struct fault why = {0};
	struct rig r;

	rig_open(&r);
	EXPECT_TRUE(node_join(r.node, S("mj1.nonsense"), &why) != OK);
	EXPECT_TRUE(why.text[0] != '\0');
	EXPECT_EQ(node_state(r.node), NODE_WAITING);
	rig_close(&r);
}

TEST(upstreams_of_one_name_are_refused)
{
	struct node_upstream u[] = {
	    {.name = S("a"), .host = S("a"), .listen = {ADDR_V4, {127}, 1}},
	    {.name = S("a"), .host = S("b"), .listen = {ADDR_V4, {127}, 2}},
	};
	struct node_status s;
	struct rig r;

	rig_open(&r);
	EXPECT_ERR(node_set_upstreams(r.node, u, 2, NULL), ERR_INVALID);
	u[1].name = S("b");
	EXPECT_OK(node_set_upstreams(r.node, u, 2, NULL));
	u[1].listen = u[0].listen;
	EXPECT_ERR(node_set_upstreams(r.node, u, 2, NULL), ERR_INVALID);
	node_status(r.node, &s);
	EXPECT_EQ(s.upstreams, 2);
	rig_close(&r);
}
