/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — who is doubted, who is dead, and what we say when it is us.
 *
 * Accusations are not signed: any member may accuse. So they never move an
 * incarnation, the accused has time to refute, and a member whose own probes
 * fail all over accuses seldom: more likely the trouble is its own (consul's
 * refutation storms; Lifeguard §IV.A).
 */
#include "core.h"

static unsigned
failures(const struct core *c)
{
	return (unsigned)__builtin_popcount(c->outcomes);
}

/* More than 30 % of our own probes fail. */
static bool
is_sick(const struct core *c)
{
	return c->outcome_count >= OUTCOMES_MIN &&
	       10 * failures(c) > 3 * c->outcome_count;
}

static bool
may_accuse(struct core *c)
{
	uint64_t minute = c->now.ms / 60000;

	if (minute != c->accused_minute_ms) {
		c->accused_minute_ms = minute;
		c->accused_in_minute = 0;
	}
	if (c->accused_in_minute >= ACCUSE_PER_MINUTE)
		return false;
	return !is_sick(c) || c->last_accused_ms == 0 ||
	       c->now.ms - c->last_accused_ms >= ACCUSE_SICK_MS;
}

void
accuse(struct core *c, struct peer *p)
{
	if (!may_accuse(c)) {
		c->stats.accusations_held++;
		return;
	}
	c->last_accused_ms = c->now.ms;
	c->accused_in_minute++;
	suspect(c, p, p->pub.incarnation, &c->self->pub.id);
}

void
suspect(struct core *c, struct peer *p, uint64_t incarnation,
    const struct gossip_id *accuser)
{
	if (!peer_is_alive(p) || incarnation < p->pub.incarnation)
		return;
	if (p->pub.status == GOSSIP_SUSPECT) {
		if (suspicion_confirm(&p->doubt, accuser))
			spread_news(c, p, NEWS_SUSPECT, accuser);
		return;
	}
	c->stats.suspicions++;
	suspicion_begin(&p->doubt, accuser, c->alive, c->now.ms);
	peer_set_status(c, p, GOSSIP_SUSPECT);
	spread_news(c, p, NEWS_SUSPECT, accuser);
}

static void
declare_dead(struct core *c, struct peer *p, const struct gossip_id *accuser)
{
	peer_set_status(c, p, GOSSIP_DOWN);
	spread_news(c, p, NEWS_DEAD, accuser);
}

/*
 * Says "I live" louder than `above`. A process that yielded to another one
 * with the same key takes over again: the other does not answer any more.
 */
void
refute(struct core *c, uint64_t above)
{
	if (c->leaving)
		return;
	c->yielded = false;
	c->clone_hits = 0;
	c->stats.refutations++;
	health_add(c, 1);
	c->self->state.incarnation = MAX(c->self->state.incarnation, above) + 1;
	self_publish(c);
}

static void
on_own_verdict(struct core *c, struct out *o, uint64_t incarnation)
{
	if (incarnation < c->self->pub.incarnation)
		return;
	/* Only our own signature may raise us: ask for that state. */
	if (incarnation > c->self->pub.incarnation) {
		struct packer *p = out_room(o, 64);

		if (p != NULL)
			(void)pack_pull(p, &c->self->pub.id, WANT_STATE);
		return;
	}
	refute(c, incarnation);
}

void
on_verdict(struct core *c, struct out *o, const struct core_input *in,
    enum part_type type, struct slice body)
{
	struct reader r = READER(body);
	struct gossip_id subject = wire_id(&r);
	uint64_t incarnation = reader_u64(&r);
	struct gossip_id accuser = wire_id(&r);
	struct peer *p;
	struct packer *b;

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	if (peer_find(c, &in->sender.node) == NULL ||
	    peer_find(c, &accuser) == NULL) {
		c->stats.drop_stranger++;
		return;
	}
	p = peer_find(c, &subject);
	if (p == c->self) {
		on_own_verdict(c, o, incarnation);
		return;
	}
	if (p == NULL || !peer_is_alive(p) || incarnation < p->pub.incarnation)
		return;
	if (incarnation > p->pub.incarnation) {
		b = out_room(o, 64); /* we missed a state of it */
		if (b != NULL)
			(void)pack_pull(b, &subject, WANT_STATE);
	}
	if (type == PART_SUSPECT)
		suspect(c, p, incarnation, &accuser);
	else
		declare_dead(c, p, &accuser);
}

void
verdict_tick(struct core *c)
{
	for (size_t i = 0; c->doubted > 0 && i < c->count; i++) {
		struct peer *p = c->peers[i];

		if (p->pub.status == GOSSIP_SUSPECT &&
		    c->now.ms >= p->doubt.due_ms)
			declare_dead(c, p, &c->self->pub.id);
	}
}

void
verdict_slipped(struct core *c, uint64_t ms)
{
	for (size_t i = 0; c->doubted > 0 && i < c->count; i++)
		if (c->peers[i]->pub.status == GOSSIP_SUSPECT)
			suspicion_extend(&c->peers[i]->doubt, ms);
}

uint64_t
verdict_due_ms(const struct core *c)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; c->doubted > 0 && i < c->count; i++)
		if (c->peers[i]->pub.status == GOSSIP_SUSPECT)
			due = MIN(due, c->peers[i]->doubt.due_ms);
	return due;
}
