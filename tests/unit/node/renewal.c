/* SPDX-License-Identifier: Apache-2.0 */
/*
 * renewal — a server and a node on one loop, and days that pass at once.
 *
 * The clock is the machine's with an offset, which other threads read too:
 * workers, the store. Sockets are real, on loopback, as is the disk.
 */
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/node.h"
#include "server/server.h"
#include "unit.h"

enum { DIR_LEN = 64, PATH_LEN = 96, DEADLINE_US = 20000000 };

static _Atomic uint64_t offset_us; /* of both clocks */
static _Atomic uint64_t asleep_us; /* of the wall's alone */

static uint64_t
shifted_mono(void *arg)
{
	(void)arg;
	return clock_mono_us(&clock_system) + atomic_load(&offset_us);
}

static int64_t
shifted_wall(void *arg)
{
	(void)arg;
	return clock_wall_ms(&clock_system) +
	       (int64_t)((atomic_load(&offset_us) + atomic_load(&asleep_us)) /
			 1000);
}

static const struct clock shifted = {shifted_mono, shifted_wall, NULL};

struct rig {
	char dir[DIR_LEN];
	char server_dir[PATH_LEN];
	char node_dir[PATH_LEN];
	struct loop *loop;
	struct net_factory *factory;
	struct server *server;
	struct node *node;
	unsigned ready; /* answers of on_ready that were good */
	unsigned closed;
	char token[CA_TOKEN_TEXT_MAX];
	int64_t not_after_ms; /* of the first identity that was seen */
};

#define UNTIL(r, cond)                                                         \
	do {                                                                   \
		uint64_t until_ = clock_mono_us(&clock_system) + DEADLINE_US;  \
		while (!(cond)) {                                              \
			EXPECT_TRUE(clock_mono_us(&clock_system) < until_);    \
			loop_turn((r)->loop, 20000);                           \
		}                                                              \
	} while (0)

/* --- both roles --- */

static void
on_ready(void *arg, enum err e, const struct fault *why)
{
	struct rig *r = arg;

	if (e != OK)
		EXPECT_STR(why->text, "");
	r->ready++;
}

static void
on_closed(void *arg)
{
	((struct rig *)arg)->closed++;
}

static struct addr
any_port(void)
{
	return (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
}

static void
open_server(struct rig *r)
{
	static const char *const at[] = {"127.0.0.1"};
	unsigned before = r->ready;

	r->server = server_open(&(struct server_spec){.loop = r->loop,
	    .factory = r->factory,
	    .state_dir = r->server_dir,
	    .clock = &shifted,
	    .name = "srv",
	    .control = any_port(),
	    .gossip = any_port(),
	    .advertised = at,
	    .advertised_count = 1,
	    .on_ready = on_ready,
	    .arg = r});
	UNTIL(r, r->ready == before + 1);
}

static void
open_node(struct rig *r)
{
	struct addr own = any_port();
	struct node_spec spec = {.loop = r->loop,
	    .factory = r->factory,
	    .state_dir = r->node_dir,
	    .name = S("web-1"),
	    .token = slice_str(r->token),
	    .addrs = &own,
	    .addr_count = 1,
	    .hbone = any_port(),
	    .gossip = any_port(),
	    .workers = 1,
	    .log = {.fd = -1},
	    .on_ready = on_ready,
	    .arg = r};
	unsigned before = r->ready;

	EXPECT_OK(node_open(&spec, &r->node, NULL));
	UNTIL(r, r->ready == before + 1);
}

static void
close_node(struct rig *r)
{
	unsigned before = r->closed;

	node_close(&r->node, /* drain_us */ 0, on_closed, r);
	UNTIL(r, r->closed == before + 1);
}

static void
on_token(void *arg, enum err e, const struct fault *why, struct slice id,
    struct slice text)
{
	struct rig *r = arg;

	(void)id;
	(void)why;
	EXPECT_OK(e);
	EXPECT_OK(slice_to_cstr(text, r->token, sizeof(r->token)));
}

static void
make_token(struct rig *r)
{
	struct server_actor root = {.name = "test", .role = CA_ROLE_ADMIN};
	struct ca_bounds bounds;
	struct server_token_spec spec = {.bounds = &bounds, .actor = &root};

	ca_bounds_default(CA_ROLE_NONE, &bounds);
	server_token_create(r->server, &spec, on_token, r);
	UNTIL(r, r->token[0] != '\0');
}

static void
rig_open(struct rig *r)
{
	struct server_init_spec init = {.clock = &shifted};

	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	atomic_store(&offset_us, 0);
	atomic_store(&asleep_us, 0);
	*r = (struct rig){.dir = "/tmp/meshd-renewal-XXXXXX"};
	EXPECT_TRUE(mkdtemp(r->dir) != NULL);
	(void)snprintf(r->server_dir, sizeof(r->server_dir), "%s/s", r->dir);
	(void)snprintf(r->node_dir, sizeof(r->node_dir), "%s/n", r->dir);
	init.state_dir = r->server_dir;
	EXPECT_OK(server_init(&init, NULL));
	r->loop = loop_new(&shifted);
	r->factory = net_factory_new();
	open_server(r);
	make_token(r);
	open_node(r);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
rig_close(struct rig *r)
{
	unsigned before;

	close_node(r);
	before = r->closed;
	server_close(&r->server, on_closed, r);
	UNTIL(r, r->closed == before + 1);
	net_factory_free(&r->factory);
	loop_free(&r->loop);
	EXPECT_EQ(nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* --- what is looked at --- */

static void
pass(struct rig *r, int64_t ms)
{
	atomic_fetch_add(&offset_us, (uint64_t)ms * 1000);
	loop_turn(r->loop, 0);
}

static void
take_end(void *arg, const struct node_identity *i)
{
	struct rig *r = arg;

	if (r->not_after_ms == 0)
		r->not_after_ms = i->not_after_ms;
}

/* When the node's own certificate ends. */
static int64_t
end_of(struct rig *r)
{
	r->not_after_ms = 0;
	node_each_identity(r->node, take_end, r);
	return r->not_after_ms;
}

static bool
is_synced(const struct rig *r)
{
	struct node_status s;

	node_status(r->node, &s);
	return s.synced;
}

static void
see_announced(void *arg, const struct node_exposed *e)
{
	*(bool *)arg = e->announced;
}

static bool
is_announced(const struct rig *r)
{
	bool announced = false;

	node_each_exposed(r->node, see_announced, &announced);
	return announced;
}

static uint64_t
generation(const struct rig *r)
{
	struct node_status s;

	node_status(r->node, &s);
	return s.generation;
}

/* --- */

/* Who hears of it may call in the same moment. */
TEST(what_is_exposed_is_in_force_before_others_hear_of_it)
{
	struct node_expose web = {.name = S("web"), .target = {.port = 8080}};
	uint64_t before;
	struct rig r;

	rig_open(&r);
	UNTIL(&r, is_synced(&r));
	before = generation(&r);
	EXPECT_OK(node_expose(r.node, &web, NULL));
	EXPECT_FALSE(is_announced(&r));
	UNTIL(&r, is_announced(&r));
	EXPECT_TRUE(generation(&r) > before);
	EXPECT_OK(node_expose(r.node, &web, NULL)); /* the same stays */
	EXPECT_TRUE(is_announced(&r));
	rig_close(&r);
}

TEST(a_certificate_is_renewed_in_time_and_the_stream_stays)
{
	struct server_status before, after;
	struct rig r;
	int64_t end;

	rig_open(&r);
	UNTIL(&r, is_synced(&r));
	server_status(r.server, &before);
	end = end_of(&r);
	pass(&r, CA_NODE_MS / 5 - 2 * CA_HOUR_MS); /* 20 % at the earliest */
	loop_settle(r.loop);
	EXPECT_EQ(end_of(&r), end);
	pass(&r, CA_NODE_MS * 20 / 100); /* 35 % at the latest */
	UNTIL(&r, end_of(&r) > end);
	UNTIL(&r, is_synced(&r));
	server_status(r.server, &after);
	EXPECT_EQ(after.nodes, before.nodes);
	rig_close(&r);
}

/* No timer runs while a machine sleeps. */
TEST(a_certificate_is_renewed_when_the_machine_wakes)
{
	struct rig r;
	int64_t end;

	rig_open(&r);
	UNTIL(&r, is_synced(&r));
	end = end_of(&r);
	atomic_fetch_add(&asleep_us, (uint64_t)(3 * CA_DAY_MS) * 1000);
	pass(&r, 70000);
	UNTIL(&r, end_of(&r) > end);
	rig_close(&r);
}

/* It hears of its server on the way out, and no timer may outlive it. */
TEST(a_node_that_has_just_come_leaves_nothing_when_it_goes)
{
	struct rig r;

	rig_open(&r);
	for (int i = 0; i < 5; i++) {
		close_node(&r);
		pass(&r, 60000);
		open_node(&r);
	}
	rig_close(&r);
}

TEST(a_node_whose_certificate_has_ended_comes_back_by_its_key)
{
	struct rig r;
	int64_t end;

	rig_open(&r);
	UNTIL(&r, is_synced(&r));
	end = end_of(&r);
	close_node(&r);
	pass(&r, CA_NODE_MS + 2 * CA_DAY_MS);
	/* The server's own has ended as well; it looks every ten minutes. */
	for (int i = 0; i < 20; i++)
		loop_turn(r.loop, 10000);
	open_node(&r);
	UNTIL(&r, is_synced(&r));
	EXPECT_TRUE(end_of(&r) > end + CA_NODE_MS);
	rig_close(&r);
}
