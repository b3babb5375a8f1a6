/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe — one member a second is asked for a sign of life.
 *
 *	IDLE --next of the walk--> DIRECT --no ack in time--> INDIRECT
 *	  ^                           | ack                      | deadline
 *	  `---------------------------+---- ack, or TCP ---------+--> accuse
 *
 * In INDIRECT five helpers ask too, and TCP is tried: only when all of them
 * fail is the member accused. A helper that gets no answer says so at 80 % of
 * the time that the request grants it; if even helpers are silent, the trouble
 * is ours, and local health slows us down (Lifeguard §IV.A).
 */
#include "core.h"

void
health_add(struct core *c, int delta)
{
	int health = (int)c->health + delta;

	c->health = (unsigned)MAX(MIN(health, HEALTH_MAX), 0);
}

static void
note_outcome(struct core *c, bool failed)
{
	c->outcomes = (c->outcomes << 1 | failed) & ((1U << OUTCOMES) - 1);
	c->outcome_count = MIN(c->outcome_count + 1, OUTCOMES);
}

static void
shuffle(struct core *c)
{
	for (size_t i = c->walk_count; i > 1; i--) {
		size_t j = (size_t)rng_below(&c->rng, i);
		struct peer *p = c->walk[i - 1];

		c->walk[i - 1] = c->walk[j];
		c->walk[j] = p;
	}
	c->walk_at = 0;
}

static struct peer *
walk_next(struct core *c)
{
	for (size_t i = 0; i < c->walk_count; i++) {
		struct peer *p;

		if (c->walk_at >= c->walk_count)
			shuffle(c);
		p = c->walk[c->walk_at++];
		if (fits_alive(c, p))
			return p;
	}
	return NULL;
}

static uint64_t
timeout_ms(const struct peer *p)
{
	if (p->pub.rtt_ms == 0)
		return PROBE_TIMEOUT_MAX_MS;
	return MAX(PROBE_TIMEOUT_MIN_MS,
	    MIN(UINT64_C(3) * p->pub.rtt_ms, PROBE_TIMEOUT_MAX_MS));
}

/* A suspect hears of it first of all, so that it can refute (buddy system). */
static void
send_ping(struct core *c, uint32_t seq, const struct peer *target)
{
	struct out o;

	out_packet(c, &o, &target->pub.addr);
	(void)pack_ping(&o.p, seq, &target->pub.id);
	out_verdict(&o, target);
	out_flush(&o);
}

static void
probe_start(struct core *c)
{
	struct peer *target = walk_next(c);
	uint64_t interval = (uint64_t)PROBE_INTERVAL_MS * (c->health + 1);

	c->next_probe_ms = c->now.ms + interval;
	if (target == NULL)
		return;
	c->stats.probes++;
	c->probe = (struct probe){.phase = PROBE_DIRECT,
	    .target = target->pub.id,
	    .seq = core_seq(c),
	    .sent_ms = c->now.ms,
	    .timeout_ms = c->now.ms + timeout_ms(target),
	    .deadline_ms = c->next_probe_ms};
	send_ping(c, c->probe.seq, target);
}

static void
ask_helper(struct core *c, const struct peer *helper, const struct peer *target)
{
	uint64_t budget = c->probe.deadline_ms - c->now.ms;
	struct out o;
	size_t mark;

	out_packet(c, &o, &helper->pub.addr);
	mark = pack_open(&o.p, PART_PING_REQ);
	pack_u32(&o.p, c->probe.seq);
	pack_id(&o.p, &target->pub.id);
	pack_addr(&o.p, &target->pub.addr);
	pack_u16(&o.p, (uint16_t)MIN(budget, UINT16_MAX));
	(void)pack_close(&o.p, mark);
	out_flush(&o);
}

static void
ask_over_tcp(struct core *c, const struct peer *target)
{
	struct out o;

	if (!out_call(c, &o, &target->pub.addr, 0))
		return;
	(void)pack_ping(&o.p, c->probe.seq, &target->pub.id);
	out_verdict(&o, target);
	out_flush(&o);
}

/* Up to PROBE_HELPERS different members, the target not among them. */
static void
probe_widen(struct core *c, struct peer *target)
{
	const struct peer *asked[PROBE_HELPERS];
	uint32_t count = 0;

	c->probe.phase = PROBE_INDIRECT;
	for (unsigned tries = 0;
	     tries < 4 * PROBE_HELPERS && count < PROBE_HELPERS; tries++) {
		struct peer *p = members_pick(c, fits_alive);
		bool again = p == NULL || p == target;

		for (size_t i = 0; !again && i < count; i++)
			again = asked[i] == p;
		if (again)
			continue;
		asked[count++] = p;
		ask_helper(c, p, target);
	}
	c->probe.helpers = count;
	ask_over_tcp(c, target);
}

static void
probe_fail(struct core *c, struct peer *target)
{
	int missing = (int)c->probe.helpers - (int)c->probe.nacks;

	c->probe.phase = PROBE_IDLE;
	if (c->probe.tcp_answered) {
		c->stats.probes_tcp++;
		note_outcome(c, false);
		return;
	}
	c->stats.probes_failed++;
	note_outcome(c, true);
	health_add(c, c->probe.helpers > 0 ? MAX(missing, 0) : 1);
	accuse(c, target);
}

static void
probe_advance(struct core *c)
{
	struct peer *target = peer_find(c, &c->probe.target);

	if (target == NULL || !peer_is_alive(target)) {
		c->probe.phase = PROBE_IDLE;
		return;
	}
	if (c->now.ms >= c->probe.deadline_ms)
		probe_fail(c, target);
	else if (c->probe.phase == PROBE_DIRECT &&
		 c->now.ms >= c->probe.timeout_ms)
		probe_widen(c, target);
}

/* --- helping -------------------------------------------------------------- */

static void
send_seq(
    struct core *c, enum part_type type, uint32_t seq, const struct addr *to)
{
	struct out o;

	out_packet(c, &o, to);
	(void)pack_seq(&o.p, type, seq);
	out_flush(&o);
}

static void
relays_tick(struct core *c)
{
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		struct relay *r = &c->relays[i];

		if (r->seq == 0)
			continue;
		if (r->nack_ms != 0 && c->now.ms >= r->nack_ms) {
			r->nack_ms = 0;
			send_seq(c, PART_NACK, r->origin_seq, &r->origin);
		}
		if (c->now.ms >= r->until_ms)
			r->seq = 0;
	}
}

void
on_ping_req(struct core *c, const struct core_input *in, struct slice body)
{
	struct reader r = READER(body);
	uint32_t origin_seq = reader_u32(&r);
	struct gossip_id target = wire_id(&r);
	struct addr to = wire_addr(&r);
	uint16_t budget = reader_u16(&r);
	struct out o;

	if (reader_done(&r) != OK || to.family == ADDR_NONE) {
		c->stats.drop_malformed++;
		return;
	}
	/* Strangers may not use us to send packets elsewhere. */
	if (peer_find(c, &in->sender.node) == NULL)
		return;
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		if (c->relays[i].seq != 0)
			continue;
		c->relays[i] = (struct relay){.seq = core_seq(c),
		    .origin_seq = origin_seq,
		    .origin = in->from,
		    .nack_ms = c->now.ms + budget * 4 / 5,
		    .until_ms = c->now.ms + budget};
		out_packet(c, &o, &to);
		(void)pack_ping(&o.p, c->relays[i].seq, &target);
		out_flush(&o);
		return;
	}
}

static bool
relay_ack(struct core *c, uint32_t seq)
{
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		struct relay *r = &c->relays[i];

		if (r->seq != seq)
			continue;
		r->seq = 0;
		send_seq(c, PART_ACK, r->origin_seq, &r->origin);
		return true;
	}
	return false;
}

/* --- answers -------------------------------------------------------------- */

static bool
id_is_zero(const struct gossip_id *id)
{
	static const struct gossip_id zero;

	return gossip_id_eq(id, &zero);
}

void
on_ping(struct core *c, struct out *o, const struct core_input *in,
    struct slice body)
{
	struct reader r = READER(body);
	uint32_t seq = reader_u32(&r);
	struct gossip_id target = wire_id(&r);
	const struct peer *sender = peer_find(c, &in->sender.node);
	struct packer *p = out_room(o, 64);

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	/* Meant for who had this address before us. */
	if (!id_is_zero(&target) && !gossip_id_eq(&target, &c->self->pub.id))
		return;
	if (p == NULL)
		return;
	(void)pack_seq(p, PART_ACK, seq);
	if (sender == NULL)
		(void)pack_pull(p, &in->sender.node, WANT_VOUCHER | WANT_STATE);
	else
		out_verdict(o, sender);
	/* A restart we have not heard of yet, or a second one of its kind. */
	if (sender != NULL && in->sender.boot != sender->state.boot)
		out_intro(o, sender);
	if (id_is_zero(&target))
		out_intro(o, c->self);
}

static void
learn_rtt(struct core *c, struct peer *p)
{
	uint32_t rtt = (uint32_t)MAX(c->now.ms - c->probe.sent_ms, 1);

	p->pub.rtt_ms =
	    p->pub.rtt_ms == 0 ? rtt : (7 * p->pub.rtt_ms + rtt + 7) / 8;
}

void
on_ack(struct core *c, const struct core_input *in, struct slice body)
{
	struct reader r = READER(body);
	uint32_t seq = reader_u32(&r);
	struct peer *target;

	if (reader_done(&r) != OK || seq == 0) {
		c->stats.drop_malformed++;
		return;
	}
	if (c->probe.phase == PROBE_IDLE || seq != c->probe.seq) {
		(void)relay_ack(c, seq);
		return;
	}
	if (in->type == CORE_REPLY) {
		/* Alive, but UDP may be filtered: told apart at the end. */
		c->probe.tcp_answered =
		    gossip_id_eq(&in->sender.node, &c->probe.target);
		return;
	}
	target = peer_find(c, &c->probe.target);
	if (target != NULL && c->probe.phase == PROBE_DIRECT &&
	    gossip_id_eq(&in->sender.node, &c->probe.target))
		learn_rtt(c, target);
	c->probe.phase = PROBE_IDLE;
	note_outcome(c, false);
	health_add(c, -1);
}

void
on_nack(struct core *c, struct slice body)
{
	struct reader r = READER(body);
	uint32_t seq = reader_u32(&r);

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	if (c->probe.phase == PROBE_INDIRECT && seq == c->probe.seq &&
	    c->probe.nacks < c->probe.helpers)
		c->probe.nacks++;
}

/* --- time ----------------------------------------------------------------- */

void
probe_tick(struct core *c)
{
	relays_tick(c);
	if (c->probe.phase != PROBE_IDLE)
		probe_advance(c);
	if (c->probe.phase == PROBE_IDLE && c->now.ms >= c->next_probe_ms)
		probe_start(c);
}

/* We slept: what came meanwhile is not read yet, so nobody is to blame. */
void
probe_slipped(struct core *c, uint64_t ms)
{
	c->probe.phase = PROBE_IDLE;
	c->next_probe_ms = MAX(c->next_probe_ms, c->now.ms + 100);
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		c->relays[i].until_ms += ms;
		if (c->relays[i].nack_ms != 0)
			c->relays[i].nack_ms += ms;
	}
}

uint64_t
probe_due_ms(const struct core *c)
{
	uint64_t due = c->next_probe_ms;

	if (c->probe.phase == PROBE_DIRECT)
		due = MIN(c->probe.timeout_ms, c->probe.deadline_ms);
	else if (c->probe.phase == PROBE_INDIRECT)
		due = c->probe.deadline_ms;
	for (size_t i = 0; i < RELAYS_MAX; i++) {
		const struct relay *r = &c->relays[i];

		if (r->seq == 0)
			continue;
		due = MIN(due, r->nack_ms != 0 ? r->nack_ms : r->until_ms);
	}
	return due;
}
