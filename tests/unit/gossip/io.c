/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io — real sockets on loopback: members meet, offer, leave.
 */
#include "loop/loop.h"
#include "net/net.h"

#include "gossip.h"
#include "pool.h"
#include "unit.h"

enum { NODES = 3, TURNS = 4000 };

struct node {
	struct gossip *g;
	bool ready;
	bool failed;
	bool closed;
	bool left;
	bool close_on_failure;
	size_t ups;
	struct gossip_revoked *revoked;
	char told[GOSSIP_NAME_MAX + 1]; /* of REVOKED */
};

static void
on_event(void *arg, const struct gossip_event *e)
{
	struct node *n = arg;

	n->ready = n->ready || e->type == GOSSIP_EVENT_READY;
	n->failed = n->failed || e->type == GOSSIP_EVENT_FAILED;
	if (e->type == GOSSIP_EVENT_FAILED && n->close_on_failure)
		gossip_close(&n->g);
	if (e->type == GOSSIP_EVENT_CLOSED) {
		n->closed = true;
		gossip_revoked_free(&n->revoked);
	}
	if (e->type == GOSSIP_EVENT_MEMBER && e->member->status == GOSSIP_UP)
		n->ups++;
	if (e->type == GOSSIP_EVENT_REVOKED)
		EXPECT_EQ(slice_to_cstr(e->node, n->told, sizeof(n->told)), OK);
}

static void
on_left(void *arg)
{
	struct node *n = arg;

	n->left = true;
}

static void
open_node(struct node *n, struct loop *loop, struct net_factory *factory,
    unsigned number, const char *ip)
{
	struct gossip_config config = {.factory = factory,
	    .on_event = on_event,
	    .arg = n,
	    .keyring = {.keys = {{1, {9}}}, .count = 1}};
	struct pool_node p;

	pool_node(&p, number);
	memcpy(config.secret_key, p.secret, sizeof(config.secret_key));
	config.voucher = slice_of(p.voucher, p.voucher_len);
	config.trust = p.trust;
	config.revoked = n->revoked = gossip_revoked_new();
	EXPECT_EQ(addr_parse_ip(slice_str(ip), &config.bind), OK);
	config.advertise = config.bind;
	EXPECT_EQ(gossip_open(loop, &config, &n->g, NULL), OK);
}

static bool
all_offers_known(const struct node *nodes)
{
	for (size_t i = 0; i < NODES; i++) {
		struct gossip_record r;
		size_t known = 0;

		for (size_t k = 0; gossip_record_next(nodes[i].g, &k, &r);)
			known += r.offers != NULL;
		if (known != NODES)
			return false;
	}
	return true;
}

/* Turns until the flag is up; a deadline in turns of at most 5 ms. */
#define UNTIL(loop, condition)                                                 \
	do {                                                                   \
		int turns_ = 0;                                                \
		while (!(condition) && turns_++ < TURNS)                       \
			loop_turn(loop, 5000);                                 \
		EXPECT_TRUE(condition);                                        \
	} while (0)

static void
live(const char *ip)
{
	AUTO(loop_free) struct loop *loop = NULL;
	AUTO(net_factory_free) struct net_factory *factory = NULL;
	AUTO(buf_fini) struct buf saved = BUF(GOSSIP_SAVED_MAX);
	struct node nodes[NODES] = {0};
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct gossip_stats stats;
	struct gossip_id first;
	struct addr seed;

	EXPECT_EQ(crypto_init(), OK);
	loop = loop_new(NULL);
	factory = net_factory_new();
	for (unsigned i = 0; i < NODES; i++) {
		/* The second one's offers are too many for a packet. */
		open_node(&nodes[i], loop, factory, i, ip);
		pool_offer(nodes[i].g, i == 1 ? 100 : 1);
	}
	for (unsigned i = 0; i < NODES; i++)
		UNTIL(loop, nodes[i].ready);
	EXPECT_EQ(addr_parse_ip(slice_str(ip), &seed), OK);
	seed.port = gossip_port(nodes[0].g);
	gossip_join(nodes[1].g, &seed, 1);
	gossip_join(nodes[2].g, &seed, 1);
	UNTIL(loop, all_offers_known(nodes));
	EXPECT_TRUE(nodes[2].ups >= NODES - 1);
	gossip_stats(nodes[0].g, &stats);
	EXPECT_TRUE(stats.calls_in > 0);
	EXPECT_EQ(stats.drop_key, 0);
	EXPECT_EQ(stats.drop_malformed, 0);
	EXPECT_EQ(gossip_save(nodes[0].g, &saved), OK);
	EXPECT_TRUE(buf_len(&saved) > 2 * 200);

	/* Node 2 is taken back: it is told to one, and the other two obey. */
	first = gossip_self(nodes[2].g)->id;
	EXPECT_EQ(gossip_revoke(nodes[0].g,
		      slice_of(bytes,
			  pool_revocation(2, POOL_WALL_S * 1000LL, bytes))),
	    OK);
	UNTIL(loop, strcmp(nodes[1].told, "node-2") == 0);
	EXPECT_TRUE(gossip_member_get(nodes[0].g, &first) == NULL);
	EXPECT_TRUE(gossip_member_get(nodes[1].g, &first) == NULL);

	first = gossip_self(nodes[0].g)->id;
	gossip_leave(nodes[0].g, on_left, &nodes[0]);
	UNTIL(loop, nodes[0].left);
	UNTIL(
	    loop, gossip_member_get(nodes[1].g, &first)->status == GOSSIP_LEFT);
	for (unsigned i = 0; i < NODES; i++) {
		gossip_close(&nodes[i].g);
		UNTIL(loop, nodes[i].closed);
	}
	loop_settle(loop);
}

TEST(members_meet_over_ipv4_and_say_goodbye)
{
	live("127.0.0.1");
}

TEST(members_meet_over_ipv6_and_say_goodbye)
{
	live("::1");
}

TEST(a_taken_port_is_a_failure_and_still_closes)
{
	AUTO(loop_free) struct loop *loop = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *factory = net_factory_new();
	struct node n = {0};

	EXPECT_EQ(crypto_init(), OK);
	/* An address that no interface of this machine has (RFC 5737). */
	open_node(&n, loop, factory, 0, "192.0.2.1");
	UNTIL(loop, n.failed);
	gossip_close(&n.g);
	EXPECT_TRUE(n.g == NULL);
	UNTIL(loop, n.closed);
}

TEST(closing_inside_the_news_of_a_failure_is_fine)
{
	AUTO(loop_free) struct loop *loop = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *factory = net_factory_new();
	struct node n = {.close_on_failure = true};

	EXPECT_EQ(crypto_init(), OK);
	open_node(&n, loop, factory, 0, "192.0.2.1");
	gossip_leave(n.g, on_left, &n);
	UNTIL(loop, n.closed);
	EXPECT_TRUE(n.left);
	EXPECT_TRUE(n.failed);
}
