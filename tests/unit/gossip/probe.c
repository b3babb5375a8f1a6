/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe — who is asked, when, and who is blamed.
 */
#include "pool.h"
#include "unit.h"

struct scene {
	struct pool_node nodes[8]; /* 0 is us */
	struct pool_machine m;
	uint64_t now_ms;
};

static void
tell(struct scene *s, const struct pool_node *from, enum core_input_type type,
    const struct packer *p)
{
	struct core_input in = {.type = type,
	    .from = from->addr,
	    .sender = {from->id, 5},
	    .payload = slice_of(p->mem, p->len)};

	core_step(s->m.core, (struct core_time){s->now_ms, POOL_WALL_S}, &in);
}

static void
introduce(struct scene *s, const struct pool_node *n)
{
	struct slice voucher = slice_of(n->voucher, n->voucher_len);
	struct state state = {.id = n->id,
	    .boot = 5,
	    .incarnation = 1,
	    .voucher = record_hash(voucher),
	    .addr = n->addr};
	uint8_t bytes[GOSSIP_STATE_MAX];
	uint8_t packet[PACKET_PAYLOAD_MAX];
	struct packer p = {.mem = packet, .cap = sizeof(packet)};
	size_t len = state_encode(&state, n->secret, bytes);

	EXPECT_TRUE(pack_part(&p, PART_VOUCHER, voucher));
	EXPECT_TRUE(pack_part(&p, PART_STATE, slice_of(bytes, len)));
	tell(s, n, CORE_PACKET, &p);
}

static void
begin(struct scene *s, unsigned peers)
{
	*s = (struct scene){.now_ms = 1000};
	for (unsigned i = 0; i < ARRAY_LEN(s->nodes); i++)
		pool_node(&s->nodes[i], i);
	pool_start(&s->m, &s->nodes[0]);
	for (unsigned i = 1; i <= peers; i++)
		introduce(s, &s->nodes[i]);
}

/* Runs timers until `ms` from now, as the loop would. */
static void
run(struct scene *s, uint64_t ms)
{
	static const struct core_input tick = {.type = CORE_TICK};
	uint64_t end = s->now_ms + ms;

	while (core_due_ms(s->m.core) <= end) {
		s->now_ms = MAX(s->m.core->planned_ms, s->now_ms);
		core_step(s->m.core, (struct core_time){s->now_ms, POOL_WALL_S},
		    &tick);
	}
	s->now_ms = end;
}

static void
until_probe(struct scene *s)
{
	while (s->m.core->probe.phase != PROBE_DIRECT)
		run(s, 1);
}

static void
answer(struct scene *s, const struct pool_node *from, enum part_type part,
    enum core_input_type type)
{
	uint8_t bytes[16];
	struct packer p = {.mem = bytes, .cap = sizeof(bytes)};

	EXPECT_TRUE(pack_seq(&p, part, s->m.core->probe.seq));
	tell(s, from, type, &p);
}

static const struct gossip_member *
view(const struct scene *s, unsigned i)
{
	return &peer_find(s->m.core, &s->nodes[i].id)->pub;
}

TEST(an_answer_in_time_blames_nobody_and_gives_a_round_trip)
{
	struct scene s;

	begin(&s, 1);
	until_probe(&s);
	s.now_ms += 20;
	answer(&s, &s.nodes[1], PART_ACK, CORE_PACKET);
	EXPECT_EQ(s.m.core->probe.phase, PROBE_IDLE);
	EXPECT_EQ(view(&s, 1)->status, GOSSIP_UP);
	EXPECT_TRUE(view(&s, 1)->rtt_ms >= 20);
	pool_stop(&s.m);
}

TEST(silence_asks_five_helpers_and_tcp_and_then_suspects)
{
	struct scene s;

	begin(&s, 7);
	until_probe(&s);
	run(&s, PROBE_TIMEOUT_MAX_MS);
	EXPECT_EQ(s.m.core->probe.phase, PROBE_INDIRECT);
	EXPECT_EQ(s.m.core->probe.helpers, PROBE_HELPERS);
	EXPECT_EQ(s.m.calls, 1);
	run(&s, PROBE_INTERVAL_MS);
	EXPECT_EQ(s.m.core->doubted, 1);
	EXPECT_EQ(s.m.status, GOSSIP_SUSPECT);
	pool_stop(&s.m);
}

TEST(helpers_that_say_no_spare_our_health_and_silent_ones_do_not)
{
	for (unsigned nacks = 0; nacks <= PROBE_HELPERS; nacks++) {
		struct scene s;

		begin(&s, 7);
		until_probe(&s);
		run(&s, PROBE_TIMEOUT_MAX_MS);
		for (unsigned i = 0; i < nacks; i++)
			answer(&s, &s.nodes[1], PART_NACK, CORE_PACKET);
		while (s.m.core->doubted == 0)
			run(&s, 1);
		EXPECT_EQ(s.m.core->health, PROBE_HELPERS - nacks);
		pool_stop(&s.m);
	}
}

TEST(what_answers_over_tcp_only_is_alive_and_counted)
{
	struct scene s;
	unsigned target = 1;

	begin(&s, 7);
	until_probe(&s);
	while (!gossip_id_eq(&s.nodes[target].id, &s.m.core->probe.target))
		target++;
	run(&s, PROBE_TIMEOUT_MAX_MS);
	answer(&s, &s.nodes[target], PART_ACK, CORE_REPLY);
	while (s.m.core->stats.probes_tcp == 0)
		run(&s, 1);
	EXPECT_EQ(view(&s, target)->status, GOSSIP_UP);
	EXPECT_EQ(s.m.core->doubted, 0);
	pool_stop(&s.m);
}

TEST(a_helper_says_no_at_four_fifths_of_what_it_was_granted)
{
	uint8_t bytes[64];
	struct packer p = {.mem = bytes, .cap = sizeof(bytes)};
	struct scene s;
	size_t mark;
	uint64_t asked;

	begin(&s, 2);
	mark = pack_open(&p, PART_PING_REQ);
	pack_u32(&p, 4711);
	pack_id(&p, &s.nodes[2].id);
	pack_addr(&p, &s.nodes[2].addr);
	pack_u16(&p, 500);
	EXPECT_TRUE(pack_close(&p, mark));
	tell(&s, &s.nodes[1], CORE_PACKET, &p);
	asked = s.now_ms;
	EXPECT_EQ(s.m.core->relays[0].nack_ms, asked + 400);
	run(&s, 399);
	EXPECT_NE(s.m.core->relays[0].nack_ms, 0);
	run(&s, 2);
	EXPECT_EQ(s.m.core->relays[0].nack_ms, 0);
	run(&s, 200);
	EXPECT_EQ(s.m.core->relays[0].seq, 0);
	pool_stop(&s.m);
}

TEST(after_a_sleep_nobody_is_blamed_for_silence)
{
	static const struct core_input tick = {.type = CORE_TICK};
	struct scene s;

	begin(&s, 7);
	until_probe(&s);
	(void)core_due_ms(s.m.core);
	s.now_ms += 10000;
	core_step(s.m.core, (struct core_time){s.now_ms, POOL_WALL_S}, &tick);
	EXPECT_EQ(s.m.core->doubted, 0);
	EXPECT_EQ(s.m.core->probe.phase, PROBE_IDLE);
	EXPECT_EQ(s.m.core->health, 1);
	pool_stop(&s.m);
}

TEST(who_fails_to_reach_many_accuses_seldom)
{
	struct scene s;

	begin(&s, 7);
	for (unsigned ms = 0; ms < 10000; ms++) {
		run(&s, 1);
		if (s.m.core->probe.phase == PROBE_INDIRECT)
			answer(&s, &s.nodes[1], PART_NACK, CORE_PACKET);
	}
	/* Ten probes failed: the first five accuse, then one in 5 s. */
	EXPECT_EQ(s.m.core->health, 0);
	EXPECT_TRUE(s.m.core->stats.probes_failed >= 8);
	EXPECT_TRUE(s.m.core->stats.accusations_held >= 2);
	pool_stop(&s.m);
}
