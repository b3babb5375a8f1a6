/* SPDX-License-Identifier: Apache-2.0 */
/*
 * udp — datagrams that arrive whole, in batches, within bounds.
 */
#include "owner.h"
#include "unit.h"

enum { MANY = 100 };

struct party {
	struct loop *loop;
	struct net_udp *udp;
	struct addr addr;
	bool open;
	bool closed;
	enum err why;
	unsigned packets;
	struct buf got;
	struct addr from;
	bool close_at_first;
};

static void
on_open(struct net_udp *u, void *arg)
{
	struct party *p = arg;

	p->open = true;
	p->addr = net_udp_addr(u);
}

static void
on_packet(
    struct net_udp *u, void *arg, const struct addr *from, struct slice packet)
{
	struct party *p = arg;

	CHECK(!p->closed);
	p->packets++;
	p->from = *from;
	CHECK(buf_add_slice(&p->got, packet) == OK);
	if (p->close_at_first)
		net_udp_close(u);
}

static void
on_close(struct net_udp *u, void *arg, enum err why, const struct fault *words)
{
	struct party *p = arg;

	(void)u;
	(void)words;
	CHECK(!p->closed);
	p->closed = true;
	p->why = why;
}

static const struct net_udp_events party_events = {
    .on_open = on_open,
    .on_packet = on_packet,
    .on_close = on_close,
};

static void
party_open(
    struct party *p, struct net_factory *f, struct loop *l, struct slice ip)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	*p = (struct party){.loop = l, .got = BUF(1 << 20)};
	spec.name = S("udp");
	spec.kind = NET_DATAGRAM;
	EXPECT_OK(addr_parse_ip(ip, &spec.addr));
	p->udp = net_udp_open(f, l, &spec, &party_events, p);
	UNTIL(l, p->open || p->closed);
}

static void
party_close(struct party *p)
{
	if (!p->closed)
		net_udp_close(p->udp);
	loop_settle(p->loop);
	EXPECT_TRUE(p->closed);
	buf_fini(&p->got);
}

TEST(packets_arrive_with_their_sender_over_both_families)
{
	static const struct slice ips[] = {{"127.0.0.1", 9}, {"::1", 3}};

	for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
		AUTO(loop_free) struct loop *l = loop_new(NULL);
		AUTO(net_factory_free)
		struct net_factory *f = net_factory_new();
		struct party a, b;

		party_open(&a, f, l, ips[i]);
		party_open(&b, f, l, ips[i]);
		EXPECT_OK(net_udp_send(a.udp, &b.addr, S("hello")));
		UNTIL(l, b.packets == 1);
		EXPECT_SLICE(buf_slice(&b.got), S("hello"));
		EXPECT_TRUE(addr_eq(&b.from, &a.addr));
		party_close(&a);
		party_close(&b);
	}
}

TEST(a_turns_packets_leave_together_and_all_arrive)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct party a, b;

	party_open(&a, f, l, S("127.0.0.1"));
	party_open(&b, f, l, S("127.0.0.1"));
	for (int i = 0; i < MANY; i++)
		EXPECT_OK(net_udp_send(a.udp, &b.addr, S("packet")));
	EXPECT_EQ(b.packets, 0);
	UNTIL(l, b.packets == MANY);
	EXPECT_EQ(buf_len(&b.got), MANY * 6);
	party_close(&a);
	party_close(&b);
}

TEST(packets_of_one_length_are_cut_where_they_were)
{
	static const char *const sent[] = {
	    "ab", "cd", "ef", "ghi", "jkl", "m", "", "", "n", "op", "qr"};
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	char large[NET_UDP_PACKET_MAX];
	struct party a, b, c;

	memset(large, 'x', sizeof(large));
	party_open(&a, f, l, S("127.0.0.1"));
	party_open(&b, f, l, S("127.0.0.1"));
	party_open(&c, f, l, S("127.0.0.1"));
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		EXPECT_OK(net_udp_send(a.udp, &b.addr, slice_str(sent[i])));
	for (size_t i = 0; i < 12; i++)
		EXPECT_OK(net_udp_send(a.udp, i % 3 == 0 ? &b.addr : &c.addr,
		    slice_of(large, sizeof(large))));
	UNTIL(l, b.packets == ARRAY_LEN(sent) + 4 && c.packets == 8);
	EXPECT_SLICE(
	    slice_sub(buf_slice(&b.got), 0, 18), S("abcdefghijklmnopqr"));
	EXPECT_EQ(buf_len(&c.got), 8 * sizeof(large));
	party_close(&a);
	party_close(&b);
	party_close(&c);
}

TEST(a_packet_that_cannot_go_does_not_stop_the_next)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct party a, b;
	struct addr nowhere;

	party_open(&a, f, l, S("127.0.0.1"));
	party_open(&b, f, l, S("127.0.0.1"));
	EXPECT_OK(addr_parse(S("[::1]:9"), &nowhere));
	EXPECT_OK(net_udp_send(a.udp, &nowhere, S("lost")));
	EXPECT_OK(net_udp_send(a.udp, &b.addr, S("found")));
	UNTIL(l, b.packets == 1);
	EXPECT_SLICE(buf_slice(&b.got), S("found"));
	party_close(&a);
	party_close(&b);
}

TEST(the_queue_and_a_packet_are_bounded)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	static char big[NET_UDP_PACKET_MAX + 1];
	struct party a;
	enum err e = OK;
	int n = 0;

	party_open(&a, f, l, S("127.0.0.1"));
	EXPECT_ERR(net_udp_send(a.udp, &a.addr, slice_of(big, sizeof(big))),
	    ERR_LIMIT);
	while (e == OK && n++ < 1000)
		e = net_udp_send(
		    a.udp, &a.addr, slice_of(big, NET_UDP_PACKET_MAX));
	EXPECT_ERR(e, ERR_BUSY);
	EXPECT_TRUE(n <= NET_UDP_QUEUE_BYTES / NET_UDP_PACKET_MAX);
	party_close(&a);
}

TEST(it_may_be_closed_while_it_receives)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct party a, b;

	party_open(&a, f, l, S("127.0.0.1"));
	party_open(&b, f, l, S("127.0.0.1"));
	b.close_at_first = true;
	for (int i = 0; i < 5; i++)
		EXPECT_OK(net_udp_send(a.udp, &b.addr, S("x")));
	UNTIL(l, b.closed);
	EXPECT_EQ(b.packets, 1);
	EXPECT_OK(b.why);
	party_close(&a);
	party_close(&b);
}

TEST(what_was_sent_before_the_close_leaves)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	AUTO(net_factory_free) struct net_factory *f = net_factory_new();
	struct party a, b;

	party_open(&a, f, l, S("127.0.0.1"));
	party_open(&b, f, l, S("127.0.0.1"));
	EXPECT_OK(net_udp_send(a.udp, &b.addr, S("leave")));
	party_close(&a);
	UNTIL(l, b.packets == 1);
	party_close(&b);
}
