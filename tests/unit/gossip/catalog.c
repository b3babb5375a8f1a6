/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog — one machine that is told true and false things.
 */
#include "pool.h"
#include "unit.h"

struct scene {
	struct pool_node us;
	struct pool_node peer;
	struct pool_machine m;
	struct state state; /* the peer's */
	struct packer p;
	uint8_t packet[PACKET_PAYLOAD_MAX];
	uint8_t offers[4096];
	size_t offers_len;
	uint64_t now_ms;
};

static struct slice
voucher_of(const struct pool_node *n)
{
	return slice_of(n->voucher, n->voucher_len);
}

static void
begin(struct scene *s)
{
	*s = (struct scene){.now_ms = 2000};
	pool_node(&s->us, 1);
	pool_node(&s->peer, 2);
	pool_start(&s->m, &s->us);
	s->state = (struct state){.id = s->peer.id,
	    .boot = 5,
	    .incarnation = 3,
	    .voucher = record_hash(voucher_of(&s->peer)),
	    .addr = s->peer.addr};
	s->p = (struct packer){.mem = s->packet, .cap = sizeof(s->packet)};
}

static void
end(struct scene *s)
{
	pool_stop(&s->m);
}

static void
pack_peer_state(struct scene *s)
{
	uint8_t bytes[GOSSIP_STATE_MAX];
	size_t len = state_encode(&s->state, s->peer.secret, bytes);

	EXPECT_TRUE(pack_part(&s->p, PART_STATE, slice_of(bytes, len)));
}

static void
say(struct scene *s)
{
	struct core_input in = {.type = CORE_PACKET,
	    .from = s->peer.addr,
	    .sender = {s->peer.id, 5},
	    .payload = slice_of(s->packet, s->p.len)};

	s->now_ms += 10;
	core_step(s->m.core, (struct core_time){s->now_ms, POOL_WALL_S}, &in);
	s->p.len = 0;
}

static void
introduce(struct scene *s)
{
	EXPECT_TRUE(pack_part(&s->p, PART_VOUCHER, voucher_of(&s->peer)));
	pack_peer_state(s);
	say(s);
}

static const struct gossip_member *
seen(const struct scene *s)
{
	const struct peer *p = peer_find(s->m.core, &s->peer.id);

	return p != NULL ? &p->pub : NULL;
}

TEST(a_vouched_and_signed_state_makes_a_member)
{
	struct scene s;

	begin(&s);
	introduce(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_UP);
	EXPECT_STR(seen(&s)->name, "node-2");
	EXPECT_EQ(seen(&s)->incarnation, 3);
	end(&s);
}

TEST(a_state_without_a_voucher_is_asked_about_and_not_believed)
{
	struct scene s;
	struct reader r;
	struct part part = {0};

	begin(&s);
	pack_peer_state(&s);
	say(&s);
	EXPECT_TRUE(seen(&s) == NULL);
	EXPECT_EQ(s.m.sent, 1);
	r = READER(slice_of(s.m.packet, s.m.packet_len));
	EXPECT_TRUE(wire_part_next(&r, &part));
	EXPECT_EQ(part.type, PART_PULL);
	end(&s);
}

TEST(forged_older_and_repeated_states_change_nothing)
{
	struct scene s;
	uint8_t bytes[GOSSIP_STATE_MAX];
	size_t len;

	begin(&s);
	introduce(&s);
	s.state.incarnation = 9;
	len = state_encode(&s.state, s.us.secret, bytes); /* not its key */
	EXPECT_TRUE(pack_part(&s.p, PART_STATE, slice_of(bytes, len)));
	say(&s);
	EXPECT_EQ(seen(&s)->incarnation, 3);
	EXPECT_EQ(s.m.core->stats.drop_signature, 1);
	s.state.incarnation = 2;
	pack_peer_state(&s);
	say(&s);
	s.state.incarnation = 3;
	pack_peer_state(&s);
	say(&s);
	EXPECT_EQ(seen(&s)->incarnation, 3);
	EXPECT_EQ(s.m.events[GOSSIP_EVENT_MEMBER], 2); /* us and it */
	end(&s);
}

/* As from a copy of its state, or after a clone of it said good-bye: what it
 * counts may be just where the other one ended. */
TEST(who_left_and_has_a_newer_word_lives)
{
	struct scene s;

	begin(&s);
	introduce(&s);
	s.state.incarnation = 4;
	s.state.left = true;
	pack_peer_state(&s);
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_LEFT);
	s.state.left = false;
	pack_peer_state(&s); /* the same number: older or newer, who knows */
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_LEFT);
	s.state.epoch++;
	pack_peer_state(&s);
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_UP);
	end(&s);
}

TEST(a_voucher_of_a_stranger_ca_admits_nobody)
{
	struct scene s;

	begin(&s);
	s.m.core->config.trust.keys[0][0] ^= 1;
	introduce(&s);
	EXPECT_TRUE(seen(&s) == NULL);
	EXPECT_EQ(s.m.core->stats.drop_voucher, 1);
	end(&s);
}

TEST(an_accusation_by_a_stranger_is_dropped)
{
	static const struct gossip_id stranger = {{0x55}};
	struct scene s;

	begin(&s);
	introduce(&s);
	EXPECT_TRUE(pack_verdict(&s.p, PART_DEAD, &s.peer.id, 3, &stranger));
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_UP);
	EXPECT_EQ(s.m.core->stats.drop_stranger, 1);
	end(&s);
}

TEST(an_accused_node_refutes_and_a_huge_accusation_does_not_lift_it)
{
	struct scene s;

	begin(&s);
	introduce(&s);
	EXPECT_TRUE(pack_verdict(&s.p, PART_SUSPECT, &s.us.id, 1, &s.peer.id));
	say(&s);
	EXPECT_EQ(s.m.core->self->pub.incarnation, 2);
	EXPECT_TRUE(pack_verdict(
	    &s.p, PART_SUSPECT, &s.us.id, UINT64_MAX - 1, &s.peer.id));
	say(&s);
	EXPECT_EQ(s.m.core->self->pub.incarnation, 2);
	end(&s);
}

TEST(the_dead_come_back_with_a_higher_incarnation_only)
{
	struct scene s;

	begin(&s);
	introduce(&s);
	EXPECT_TRUE(pack_verdict(&s.p, PART_DEAD, &s.peer.id, 3, &s.us.id));
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_DOWN);
	s.state.epoch = 7;
	pack_peer_state(&s);
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_DOWN);
	EXPECT_EQ(seen(&s)->epoch, 7);
	s.state.incarnation = 4;
	pack_peer_state(&s);
	say(&s);
	EXPECT_EQ(seen(&s)->status, GOSSIP_UP);
	end(&s);
}

static void
make_offers(struct scene *s, struct slice ns)
{
	struct gossip_service services[2];
	struct gossip_offers o;
	struct packer p = {.mem = s->offers, .cap = sizeof(s->offers)};

	pool_offers(&o, services, ARRAY_LEN(services));
	services[0].ns = ns;
	EXPECT_EQ(offers_encode(&o, &s->peer.id, s->peer.secret, &p, NULL), OK);
	s->offers_len = p.len;
	s->state.offers = record_hash(slice_of(s->offers, p.len));
	s->state.epoch++;
}

static void
give_offers(struct scene *s)
{
	EXPECT_TRUE(
	    pack_part(&s->p, PART_OFFERS, slice_of(s->offers, s->offers_len)));
	say(s);
}

static bool
has_offers(const struct scene *s)
{
	struct gossip_record r;

	return core_record(peer_find(s->m.core, &s->peer.id), &r) &&
	       r.offers != NULL;
}

TEST(offers_are_taken_once_their_state_names_them)
{
	struct scene s;

	begin(&s);
	introduce(&s);
	make_offers(&s, S("shop"));
	give_offers(&s);
	EXPECT_FALSE(has_offers(&s));
	pack_peer_state(&s);
	say(&s);
	give_offers(&s);
	EXPECT_TRUE(has_offers(&s));
	EXPECT_EQ(s.m.core->pulling, 0);
	end(&s);
}

TEST(offers_outside_the_voucher_are_dropped_counted_and_not_asked_for_again)
{
	struct scene s;

	begin(&s);
	make_offers(&s, S("bank"));
	introduce(&s);
	EXPECT_EQ(s.m.core->pulling, 1);
	give_offers(&s);
	EXPECT_FALSE(has_offers(&s));
	EXPECT_EQ(s.m.core->stats.drop_granted, 1);
	EXPECT_EQ(s.m.core->pulling, 0);
	end(&s);
}

TEST(an_expired_voucher_takes_the_record_with_it)
{
	struct core_input tick = {.type = CORE_TICK};
	struct gossip_record r;
	struct scene s;

	begin(&s);
	introduce(&s);
	EXPECT_TRUE(core_record(peer_find(s.m.core, &s.peer.id), &r));
	core_step(s.m.core,
	    (struct core_time){s.now_ms + 70000, INT64_C(4200000000)}, &tick);
	EXPECT_FALSE(core_record(peer_find(s.m.core, &s.peer.id), &r));
	end(&s);
}

/* Each allocation on the way fails once; later the record comes all the same */
TEST(a_merge_survives_each_failing_allocation)
{
	for (uint64_t n = 1; n <= 20; n++) {
		struct scene s;

		begin(&s);
		make_offers(&s, S("shop"));
		mem_fail_at(n);
		introduce(&s);
		give_offers(&s);
		mem_fail_at(0);
		EXPECT_EQ(seen(&s)->status, GOSSIP_UP);
		give_offers(&s);
		EXPECT_TRUE(has_offers(&s));
		end(&s);
	}
}

TEST(what_is_saved_comes_back_and_what_is_damaged_does_not)
{
	AUTO(buf_fini) struct buf saved = BUF(GOSSIP_SAVED_MAX);
	struct core_time now = {3000, POOL_WALL_S};
	struct scene s;
	struct scene again;

	begin(&s);
	introduce(&s);
	EXPECT_EQ(core_save(s.m.core, &saved), OK);
	begin(&again);
	core_restore(again.m.core, now, buf_slice(&saved));
	EXPECT_EQ(seen(&again)->status, GOSSIP_UP);
	EXPECT_EQ(again.m.core->self->pub.incarnation, 2);
	end(&again);
	for (size_t i = 0; i < buf_len(&saved); i++) {
		begin(&again);
		saved.mem[saved.start + i] ^= 1;
		core_restore(again.m.core, now, buf_slice(&saved));
		saved.mem[saved.start + i] ^= 1;
		EXPECT_TRUE(seen(&again) == NULL);
		EXPECT_EQ(again.m.core->stats.drop_saved, 1);
		end(&again);
	}
	end(&s);
}
