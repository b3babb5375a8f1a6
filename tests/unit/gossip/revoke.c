/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoke — one machine that is told whom the CA took back.
 */
#include "pool.h"
#include "unit.h"

struct scene {
	struct pool_node us;
	struct pool_node peer;
	struct pool_machine m;
	struct packer p;
	uint8_t packet[PACKET_PAYLOAD_MAX];
	uint64_t now_ms;
};

static void
begin(struct scene *s)
{
	*s = (struct scene){.now_ms = 2000};
	pool_node(&s->us, 1);
	pool_node(&s->peer, 2);
	pool_start(&s->m, &s->us);
	s->p = (struct packer){.mem = s->packet, .cap = sizeof(s->packet)};
}

static void
hear(struct scene *s, enum core_input_type type)
{
	struct core_input in = {.type = type,
	    .from = s->peer.addr,
	    .sender = {s->peer.id, 5},
	    .payload = slice_of(s->packet, s->p.len)};

	s->now_ms += 10;
	core_step(s->m.core, (struct core_time){s->now_ms, POOL_WALL_S}, &in);
	s->p.len = 0;
}

static void
introduce(struct scene *s, uint64_t incarnation)
{
	struct slice voucher = slice_of(s->peer.voucher, s->peer.voucher_len);
	struct state state = {.id = s->peer.id,
	    .boot = 5,
	    .incarnation = incarnation,
	    .voucher = record_hash(voucher),
	    .addr = s->peer.addr};
	uint8_t bytes[GOSSIP_STATE_MAX];
	size_t len = state_encode(&state, s->peer.secret, bytes);

	EXPECT_TRUE(pack_part(&s->p, PART_VOUCHER, voucher));
	EXPECT_TRUE(pack_part(&s->p, PART_STATE, slice_of(bytes, len)));
	hear(s, CORE_PACKET);
}

/* Since the moment of the vouchers: those of that second are taken back. */
static const int64_t now_ms = POOL_WALL_S * 1000LL;

static void
revoke(struct scene *s, unsigned number, int64_t since_ms)
{
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	size_t len = pool_revocation(number, since_ms, bytes);

	EXPECT_TRUE(pack_part(&s->p, PART_REVOCATION, slice_of(bytes, len)));
	hear(s, CORE_PACKET);
}

/* How many parts of this type the last datagram, call or answer had. */
static size_t
said(const struct scene *s, enum part_type type)
{
	struct reader r = READER(slice_of(s->m.packet, s->m.packet_len));
	struct part part;
	size_t n = 0;

	while (wire_part_next(&r, &part))
		n += part.type == (uint8_t)type;
	return n;
}

TEST(a_revoked_member_is_forgotten_and_does_not_come_back)
{
	struct scene s;

	begin(&s);
	introduce(&s, 3);
	EXPECT_TRUE(peer_find(s.m.core, &s.peer.id) != NULL);
	EXPECT_EQ(s.m.core->alive, 2);
	revoke(&s, 2, now_ms);
	EXPECT_TRUE(peer_find(s.m.core, &s.peer.id) == NULL);
	EXPECT_EQ(s.m.core->alive, 1);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_REVOKED], 1);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_FORGOTTEN], 1);
	introduce(&s, 4);
	EXPECT_TRUE(peer_find(s.m.core, &s.peer.id) == NULL);
	EXPECT_EQ(s.m.core->stats.drop_revoked, 1);
	pool_stop(&s.m);
}

TEST(a_voucher_of_after_the_revocation_stays)
{
	struct scene s;

	begin(&s);
	introduce(&s, 3);
	revoke(&s, 2, now_ms - 1);
	EXPECT_TRUE(peer_find(s.m.core, &s.peer.id) != NULL);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_REVOKED], 1);
	pool_stop(&s.m);
}

TEST(our_own_revocation_is_told_and_we_go_on_passing_it)
{
	struct scene s;

	begin(&s);
	revoke(&s, 1, now_ms);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_REVOKED], 1);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_FORGOTTEN], 0);
	EXPECT_EQ(s.m.core->count, 1);
	pool_stop(&s.m);
}

TEST(one_that_is_known_or_does_not_stand_is_no_news)
{
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct scene s;
	size_t len;

	begin(&s);
	revoke(&s, 3, now_ms);
	revoke(&s, 3, now_ms);
	revoke(&s, 3, now_ms - 5000);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_REVOKED], 1);
	EXPECT_EQ(s.m.core->stats.drop_revocation, 0);
	len = pool_revocation(4, now_ms, bytes);
	bytes[len - 1] ^= 1;
	EXPECT_TRUE(pack_part(&s.p, PART_REVOCATION, slice_of(bytes, len)));
	hear(&s, CORE_PACKET);
	EXPECT_EQ(s.m.core->stats.drop_revocation, 1);
	EXPECT_EQ(s.m.revoked->count, 1);
	pool_stop(&s.m);
}

TEST(what_is_new_is_told_as_often_as_other_news_and_then_no_more)
{
	static const struct core_input tick = {.type = CORE_TICK};
	struct scene s;
	size_t told = 0;

	begin(&s);
	introduce(&s, 3);
	revoke(&s, 7, now_ms);
	for (unsigned i = 0; i < 400; i++) {
		size_t before = s.m.sent;

		s.now_ms += 50;
		core_step(
		    s.m.core, (struct core_time){s.now_ms, POOL_WALL_S}, &tick);
		if (s.m.sent > before)
			told += said(&s, PART_REVOCATION);
	}
	EXPECT_TRUE(told > 0);
	EXPECT_EQ(s.m.revoked->news, 0);
	pool_stop(&s.m);
}

TEST(many_leave_half_of_a_packet_to_other_news)
{
	struct packer p = {.cap = PACKET_PAYLOAD_MAX};
	uint8_t bytes[PACKET_PAYLOAD_MAX];
	struct scene s;

	begin(&s);
	p.mem = bytes;
	for (unsigned i = 10; i < 60; i++)
		revoke(&s, i, now_ms);
	revocations_fill(s.m.core, &p, 2);
	EXPECT_TRUE(p.len > PACKET_PAYLOAD_MAX / 4);
	EXPECT_TRUE(p.len <= PACKET_PAYLOAD_MAX / 2);
	pool_stop(&s.m);
}

static void
pack_known(struct scene *s, uint64_t hash)
{
	size_t mark = pack_open(&s->p, PART_REVOKED);

	if (hash != 0)
		pack_u64(&s->p, hash);
	EXPECT_TRUE(pack_close(&s->p, mark));
}

TEST(who_lists_what_it_knows_gets_the_rest_and_is_asked_back_once)
{
	struct scene s;

	begin(&s);
	revoke(&s, 7, now_ms);
	revoke(&s, 8, now_ms);
	/* It knows one of ours and nothing else. */
	pack_known(&s, s.m.revoked->items[0]->hash);
	hear(&s, CORE_REQUEST);
	EXPECT_EQ(s.m.answers, 1);
	EXPECT_EQ(said(&s, PART_REVOCATION), 1);
	EXPECT_EQ(said(&s, PART_REVOKED), 0);
	/* It knows something that we lack: we say what we have. */
	pack_known(&s, 12345);
	hear(&s, CORE_REQUEST);
	EXPECT_EQ(said(&s, PART_REVOCATION), 2);
	EXPECT_EQ(said(&s, PART_REVOKED), 1);
	/* The same as an answer to us: what it lacks, and no more questions. */
	pack_known(&s, 12345);
	hear(&s, CORE_REPLY);
	EXPECT_EQ(s.m.calls, 1);
	EXPECT_EQ(said(&s, PART_REVOCATION), 2);
	EXPECT_EQ(said(&s, PART_REVOKED), 0);
	/* By datagram it would be a way to make us send a lot. */
	pack_known(&s, 12345);
	hear(&s, CORE_PACKET);
	EXPECT_EQ(s.m.core->stats.drop_malformed, 1);
	pool_stop(&s.m);
}
