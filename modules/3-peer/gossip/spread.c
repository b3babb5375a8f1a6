/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spread — what is told on: one queue, at most one entry a subject.
 *
 * A newer word about a member replaces the older, so the queue is never longer
 * than the table and never carries what is wrong by now. Entries lie in tiers
 * by how often they were told; within a tier the newest comes first. When each
 * of n members tells it t times, one stays ignorant with about e^-t: t is
 * SPREAD_MULTIPLE * (1 + ceil(log10(n + 1))), four more than memberlist's,
 * which in a pool of 50 misses somebody at one of sixty updates. Digests find
 * the rest.
 */
#include "core.h"

static bool
has_news(const struct core *c)
{
	return c->queued > 0 || c->config.revoked->news > 0;
}

static unsigned
told_limit(const struct core *c)
{
	unsigned digits = 2;

	for (size_t n = c->alive + 1; n > 10; n = (n + 9) / 10)
		digits++;
	return MIN(SPREAD_MULTIPLE * digits, SPREAD_TIERS - 1);
}

void
spread_forget(struct core *c, struct peer *p)
{
	if (p->news == NEWS_NONE)
		return;
	list_remove(&p->in_tier);
	p->news = NEWS_NONE;
	p->with_voucher = false;
	c->queued--;
}

void
spread_news(struct core *c, struct peer *p, enum news n,
    const struct gossip_id *accuser)
{
	bool with_voucher = p->with_voucher;

	spread_forget(c, p);
	p->news = n;
	p->told = 0;
	p->with_voucher = with_voucher && n == NEWS_STATE;
	if (accuser != NULL)
		p->accuser = *accuser;
	list_push_front(&c->tiers[0], &p->in_tier);
	c->queued++;
}

/* Voucher and state together or neither. */
static bool
pack_state_news(struct packer *p, const struct peer *subject)
{
	size_t before = p->len;

	if (subject->with_voucher &&
	    !pack_part(p, PART_VOUCHER,
		slice_of(subject->voucher, subject->voucher_len)))
		return false;
	if (pack_part(p, PART_STATE,
		slice_of(subject->state_bytes, subject->state_len)))
		return true;
	p->len = before;
	return false;
}

static bool
pack_news(struct packer *p, const struct peer *subject)
{
	switch (subject->news) {
	case NEWS_STATE:
		return pack_state_news(p, subject);
	case NEWS_SUSPECT:
		return pack_verdict(p, PART_SUSPECT, &subject->pub.id,
		    subject->pub.incarnation, &subject->accuser);
	case NEWS_DEAD:
		return pack_verdict(p, PART_DEAD, &subject->pub.id,
		    subject->pub.incarnation, &subject->accuser);
	case NEWS_NONE:
		break;
	}
	CHECK(!"news without a kind");
	return false;
}

enum { PICKED_MAX = LIMIT_GOSSIP_PACKET / 32 };

/* Back into the queue, one tier on, the order kept; or out of it. */
static void
told(struct core *c, struct peer **picked, size_t count)
{
	unsigned limit = told_limit(c);

	while (count-- > 0) {
		struct peer *p = picked[count];

		list_remove(&p->in_tier);
		p->told++;
		if (p->told >= limit) {
			list_init(&p->in_tier);
			spread_forget(c, p);
			continue;
		}
		list_push_front(&c->tiers[p->told], &p->in_tier);
	}
}

void
spread_fill(struct core *c, struct packer *p)
{
	struct peer *picked[PICKED_MAX];
	size_t count = 0;

	revocations_fill(c, p, told_limit(c));
	if (c->queued == 0)
		return;
	for (size_t tier = 0; tier < SPREAD_TIERS; tier++) {
		LIST_EACH (&c->tiers[tier], it) {
			struct peer *s = CONTAINER(it, struct peer, in_tier);

			if (count == PICKED_MAX || p->cap - p->len < 32)
				break;
			if (pack_news(p, s))
				picked[count++] = s;
		}
	}
	told(c, picked, count);
}

/* A dead one hears of it for a while: perhaps it is not. */
static bool
fits_spread(const struct core *c, const struct peer *p)
{
	if (p->pub.status == GOSSIP_DOWN)
		return c->now.ms - p->pub.since_ms < DEAD_TOLD_MS;
	return fits_alive(c, p);
}

static void
spread_to(struct core *c, const struct peer *target)
{
	for (unsigned i = 0; i < SPREAD_PACKETS_MAX && has_news(c); i++) {
		struct out o;

		out_packet(c, &o, &target->pub.addr);
		spread_fill(c, &o.p);
		o.filled = true;
		out_flush(&o);
		if (list_empty(&c->tiers[0]))
			return;
	}
}

void
spread_at_once(struct core *c)
{
	size_t start = (size_t)rng_below(&c->rng, c->count), told = 0;

	for (size_t i = 0; i < c->count && told < SPREAD_AT_ONCE; i++) {
		const struct peer *p = c->peers[(start + i) % c->count];
		struct out o;

		if (!fits_alive(c, p))
			continue;
		out_packet(c, &o, &p->pub.addr);
		o.filled = pack_state_news(&o.p, c->self);
		out_flush(&o);
		told++;
	}
}

void
spread_tick(struct core *c)
{
	if (!has_news(c) || c->now.ms < c->next_spread_ms)
		return;
	c->next_spread_ms = c->now.ms + SPREAD_INTERVAL_MS;
	for (unsigned i = 0; i < SPREAD_FANOUT && has_news(c); i++) {
		struct peer *target = members_pick(c, fits_spread);

		if (target == NULL)
			return;
		spread_to(c, target);
	}
}

uint64_t
spread_due_ms(const struct core *c)
{
	return has_news(c) && c->count > 1 ? c->next_spread_ms : UINT64_MAX;
}
