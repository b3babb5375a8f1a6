/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revoke — revocations as they come: told on, repaired, and obeyed.
 *
 * Signed by the CA, they are believed from anybody. What is new is pushed like
 * other news, next to it and never instead of it; whoever missed it gets it
 * with the exchange of digests, whose root covers the revocations too:
 *
 *	it: the hashes of all that it knows
 *	we: what it lacks; and, if it knows more, the hashes of ours
 *	it: what we lack
 *
 * A node that was revoked is no member any more, whatever its voucher says.
 * It still holds the pool's key: only a new one would keep it from listening.
 */
#include "core.h"

static void
expel(struct core *c, const struct gossip_revocation *r)
{
	for (size_t i = c->count; i-- > 0;) {
		struct peer *p = c->peers[i];

		if (p != c->self && p->voucher_len > 0 &&
		    slice_eq(slice_str(p->pub.name), r->node) &&
		    gossip_revoked_has(c->config.revoked, r->node, p->issued_s))
			peer_expel(c, p);
	}
}

static enum err
learn(struct core *c, struct slice bytes)
{
	struct core_action a = {.type = CORE_EVENT};
	struct revoked *r;
	enum err err = revoked_add_with(c->config.revoked, bytes,
	    &c->config.trust, c->now.wall_s, c->config.verify, &r);

	if (err != OK)
		return err;
	r->is_news = true;
	c->config.revoked->news++;
	a.event.type = GOSSIP_EVENT_REVOKED;
	a.event.node = r->says.node;
	c->config.sink(c->config.arg, &a);
	expel(c, &r->says);
	return OK;
}

MUST_USE enum err
core_revoke(struct core *c, struct core_time now, struct slice bytes)
{
	c->now = now;
	return learn(c, bytes);
}

void
on_revocation(struct core *c, struct slice body)
{
	enum err err = learn(c, body);

	if (err == ERR_LIMIT)
		c->stats.drop_limit++;
	else if (err != OK && err != ERR_EXISTS)
		c->stats.drop_revocation++;
}

/* --- telling it on -------------------------------------------------------- */

/* Up to half of what is free, so that other news goes on. */
void
revocations_fill(struct core *c, struct packer *p, unsigned limit)
{
	struct gossip_revoked *set = c->config.revoked;
	size_t end = p->len + (p->cap - p->len) / 2;

	for (size_t i = 0; set->news > 0 && i < set->count; i++) {
		struct revoked *r = set->items[i];

		if (!r->is_news || p->len + PART_HEAD + r->len > end)
			continue;
		(void)pack_part(p, PART_REVOCATION, slice_of(r->bytes, r->len));
		r->told++;
		if (r->told < limit)
			continue;
		r->is_news = false;
		set->news--;
	}
}

/* --- repair --------------------------------------------------------------- */

void
revocations_pack_known(const struct core *c, struct packer *p)
{
	const struct gossip_revoked *set = c->config.revoked;
	size_t mark = pack_open(p, PART_REVOKED);

	for (size_t i = 0; i < set->count; i++)
		pack_u64(p, set->items[i]->hash);
	(void)pack_close(p, mark);
}

/* Full: the next exchange goes on from here. */
static void
give_missing(const struct core *c, struct packer *p)
{
	const struct gossip_revoked *set = c->config.revoked;

	for (size_t i = 0; i < set->count; i++) {
		const struct revoked *r = set->items[i];

		if (r->seen != c->mark &&
		    !pack_part(p, PART_REVOCATION, slice_of(r->bytes, r->len)))
			return;
	}
}

void
on_revoked(struct core *c, struct out *o, struct slice body)
{
	struct reader r = READER(body);
	bool lacking = false;

	if (body.len % 8 != 0 || body.len / 8 > GOSSIP_REVOCATIONS_MAX ||
	    o->mode == OUT_PACKET) {
		c->stats.drop_malformed++;
		return;
	}
	c->mark++;
	while (r.rest.len > 0) {
		struct revoked *known =
		    revoked_find(c->config.revoked, reader_u64(&r));

		if (known != NULL)
			known->seen = c->mark;
		else
			lacking = true;
	}
	give_missing(c, &o->p);
	/* Asked back once: what it gives may be nothing that we take. */
	if (lacking && o->mode == OUT_ANSWER)
		revocations_pack_known(c, &o->p);
}
