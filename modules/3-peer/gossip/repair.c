/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repair — what gossip missed: pulls, digests, joining, the dead.
 *
 * Every ten seconds one random member gets the hash of all that we know to
 * live, and of all that was revoked (8 bytes). If it knows otherwise it calls
 *us over TCP:
 *
 *	it: a hash for each of 256 buckets   we: lists of the differing ones
 *	it: asks for what it lacks, and gives what we lack     we: give it
 *
 * So the cost follows the difference, never the size of the pool; joining is
 * the same exchange with everything different. A death in someone's list is
 * only a suspicion here: that is what heals partitions (memberlist's merge).
 */
#include "core.h"

/* --- asking for and giving records ---------------------------------------- */

static void
give_offers(struct out *o, const struct peer *p)
{
	struct packer *b;

	if (p->offers_have == 0 || p->offers_have != p->state.offers)
		return;
	b = out_room(o, PART_HEAD + blob_bytes(p->offers).len);
	if (b != NULL) {
		(void)pack_part(b, PART_OFFERS, blob_bytes(p->offers));
		return;
	}
	b = o->mode == OUT_PACKET ? out_room(o, 32) : NULL;
	if (b != NULL)
		(void)pack_part(
		    b, PART_TOO_BIG, slice_of(p->pub.id.bytes, GOSSIP_ID_LEN));
}

void
on_pull(struct core *c, struct out *o, struct slice body)
{
	struct reader r = READER(body);
	struct gossip_id id = wire_id(&r);
	uint8_t want = reader_u8(&r);
	const struct peer *p;
	struct packer *b;

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	p = peer_find(c, &id);
	if (p == NULL || p->state_len == 0)
		return;
	if (want & WANT_VOUCHER) {
		out_intro(o, p);
	} else if (want & WANT_STATE) {
		b = out_room(o, PART_HEAD + p->state_len);
		if (b != NULL)
			(void)pack_part(b, PART_STATE,
			    slice_of(p->state_bytes, p->state_len));
	}
	if (want & WANT_OFFERS)
		give_offers(o, p);
}

void
on_too_big(struct core *c, const struct core_input *in, struct slice body)
{
	struct reader r = READER(body);
	struct gossip_id id = wire_id(&r);
	const struct peer *sender = peer_find(c, &in->sender.node);
	struct peer *p;
	struct out o;

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	p = peer_find(c, &id);
	if (p == NULL || p->pull_at_ms == 0 || sender == NULL ||
	    !out_call(c, &o, &sender->pub.addr, 0))
		return;
	(void)pack_pull(&o.p, &id, WANT_OFFERS);
	out_flush(&o);
}

/* Its own node is asked first, then it and others in turn. */
static void
pull_again(struct core *c, struct peer *p)
{
	uint64_t wait = (uint64_t)PULL_RETRY_MS << MIN(p->pull_tries, 10);
	const struct peer *who = p;
	struct out o;

	peer_want_offers(c, p);
	if (p->pull_at_ms == 0)
		return;
	if (p->pull_tries % 2 == 1)
		who = members_pick(c, fits_alive);
	p->pull_tries++;
	wait = MIN(wait, PULL_RETRY_MAX_MS);
	p->pull_at_ms = c->now.ms + wait + rng_below(&c->rng, wait);
	out_packet(c, &o, &who->pub.addr);
	(void)pack_pull(&o.p, &p->pub.id, WANT_OFFERS);
	c->stats.pulls++;
	out_flush(&o);
}

static void
pulls_tick(struct core *c)
{
	unsigned made = 0;

	for (size_t i = 0;
	     c->pulling > 0 && i < c->count && made < PULLS_PER_TICK; i++) {
		struct peer *p = c->peers[i];

		if (p->pull_at_ms == 0 || c->now.ms < p->pull_at_ms)
			continue;
		if (!peer_is_alive(p))
			peer_want_offers(c, p);
		else
			pull_again(c, p);
		made++;
	}
}

static uint64_t
pulls_due_ms(const struct core *c)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; c->pulling > 0 && i < c->count; i++)
		if (c->peers[i]->pull_at_ms != 0)
			due = MIN(due, c->peers[i]->pull_at_ms);
	return due;
}

/* --- digests -------------------------------------------------------------- */

static uint64_t
root_of(const struct core *c)
{
	return c->config.revoked->hash ^
	       slice_hash_stable(
		   slice_of(c->bucket_hash, sizeof(c->bucket_hash)));
}

static void
send_root(struct core *c)
{
	struct peer *p = members_pick(c, fits_alive);
	struct out o;
	size_t mark;

	if (p == NULL)
		return;
	out_packet(c, &o, &p->pub.addr);
	mark = pack_open(&o.p, PART_ROOT);
	pack_u64(&o.p, root_of(c));
	(void)pack_close(&o.p, mark);
	out_flush(&o);
}

/* Revocations first: of what they are about the answer says no more. */
static void
pack_digest(const struct core *c, struct packer *p)
{
	size_t mark;

	revocations_pack_known(c, p);
	mark = pack_open(p, PART_DIGEST);
	for (size_t i = 0; i < DIGEST_BUCKETS; i++)
		pack_u64(p, c->bucket_hash[i]);
	(void)pack_close(p, mark);
}

void
on_root(struct core *c, const struct core_input *in, struct slice body)
{
	struct reader r = READER(body);
	uint64_t root = reader_u64(&r);
	const struct peer *sender = peer_find(c, &in->sender.node);
	struct out o;

	if (reader_done(&r) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	if (root == root_of(c) || sender == NULL || sender == c->self ||
	    c->now.ms < c->next_sync_ms ||
	    !out_call(c, &o, &sender->pub.addr, 0))
		return;
	c->next_sync_ms = c->now.ms + SYNC_SPACING_MS;
	c->stats.syncs++;
	pack_digest(c, &o.p);
	out_flush(&o);
}

static void
pack_entry(struct packer *p, const struct peer *peer)
{
	pack_id(p, &peer->pub.id);
	pack_u64(p, peer->pub.incarnation);
	pack_u64(p, peer->pub.epoch);
	pack_u8(p, peer->pub.status);
}

/* All that live in one bucket. */
static bool
pack_bucket(const struct core *c, struct packer *p, size_t number)
{
	size_t mark = pack_open(p, PART_BUCKET);

	pack_u8(p, (uint8_t)number);
	pack_u8(p, /* complete */ 1);
	LIST_EACH (&c->buckets[number], it) {
		const struct peer *peer = CONTAINER(it, struct peer, in_bucket);

		if (peer->digest != 0)
			pack_entry(p, peer);
	}
	return pack_close(p, mark);
}

void
on_digest(struct core *c, struct out *o, struct slice body)
{
	struct reader r = READER(body);

	if (body.len != DIGEST_BUCKETS * 8 || o->mode == OUT_PACKET) {
		c->stats.drop_malformed++;
		return;
	}
	for (size_t i = 0; i < DIGEST_BUCKETS; i++)
		if (reader_u64(&r) != c->bucket_hash[i] &&
		    !pack_bucket(c, &o->p, i))
			return; /* full: the next exchange goes on from here */
}

/* Our differing word, as a list of one that says nothing of others. */
static void
give_entry(struct out *o, const struct peer *p)
{
	struct packer *b = out_room(o, PART_HEAD + 2 + BUCKET_ENTRY);
	size_t mark;

	if (b == NULL)
		return;
	mark = pack_open(b, PART_BUCKET);
	pack_u8(b, p->pub.id.bytes[0]);
	pack_u8(b, /* complete */ 0);
	pack_entry(b, p);
	(void)pack_close(b, mark);
}

static void
ask(struct core *c, struct out *o, const struct gossip_id *id, uint8_t want)
{
	struct packer *b = out_room(o, 32);

	if (b == NULL)
		return;
	(void)pack_pull(b, id, want);
	c->stats.pulls++;
	/* Who lacks something looks again soon, should this not bring it. */
	c->next_digest_ms = MIN(c->next_digest_ms, c->now.ms + SYNC_SPACING_MS);
}

struct entry {
	struct gossip_id id;
	uint64_t incarnation;
	uint64_t epoch;
	uint8_t status;
};

static void
merge_death(struct core *c, struct peer *p, const struct entry *e,
    const struct core_input *in)
{
	if (p != c->self)
		suspect(c, p, e->incarnation, &in->sender.node);
	else if (e->incarnation == p->pub.incarnation)
		refute(c, e->incarnation);
}

static void
merge_entry(struct core *c, struct out *o, const struct core_input *in,
    const struct entry *e)
{
	struct peer *p = peer_find(c, &e->id);
	int cmp;

	if (p == NULL) {
		if (e->status <= GOSSIP_SUSPECT)
			ask(c, o, &e->id, WANT_VOUCHER | WANT_STATE);
		return;
	}
	p->seen = c->mark;
	cmp = state_version_cmp(
	    e->incarnation, e->epoch, p->pub.incarnation, p->pub.epoch);
	if (cmp > 0)
		ask(c, o, &e->id, WANT_STATE);
	else if (p->pub.status == GOSSIP_DOWN &&
		 e->incarnation == p->pub.incarnation &&
		 e->status <= GOSSIP_SUSPECT)
		give_entry(o, p);
	else if (cmp < 0)
		out_intro(o, p);
	if (cmp < 0 && p->pub.status == GOSSIP_DOWN)
		give_entry(o, p);
	if (cmp <= 0 && e->status == GOSSIP_DOWN)
		merge_death(c, p, e, in);
}

/* The other side lists all that it knows of: what is missing it lacks. */
static void
give_missing(struct core *c, struct out *o, uint8_t number)
{
	LIST_EACH (&c->buckets[number], it) {
		const struct peer *p = CONTAINER(it, struct peer, in_bucket);

		if (p->digest != 0 && p->seen != c->mark)
			out_intro(o, p);
	}
}

void
on_bucket(struct core *c, struct out *o, const struct core_input *in,
    struct slice body)
{
	struct reader r = READER(body);
	uint8_t number = reader_u8(&r);
	uint8_t complete = reader_u8(&r);

	if (r.failed || r.rest.len % BUCKET_ENTRY != 0 || complete > 1) {
		c->stats.drop_malformed++;
		return;
	}
	if (peer_find(c, &in->sender.node) == NULL && in->type != CORE_REPLY) {
		c->stats.drop_stranger++;
		return;
	}
	c->mark++;
	while (r.rest.len > 0) {
		struct entry e;

		e.id = wire_id(&r);
		e.incarnation = reader_u64(&r);
		e.epoch = reader_u64(&r);
		e.status = reader_u8(&r);
		if (e.id.bytes[0] == number && e.status <= GOSSIP_LEFT)
			merge_entry(c, o, in, &e);
	}
	if (complete)
		give_missing(c, o, number);
}

/* --- joining and the dead ------------------------------------------------- */

/* By packet, which gets through first, and by a call, which brings the rest. */
static void
introduce_to(struct core *c, const struct addr *to)
{
	static const struct gossip_id whoever;
	struct out o;

	out_packet(c, &o, to);
	(void)pack_ping(&o.p, core_seq(c), &whoever);
	out_intro(&o, c->self);
	out_flush(&o);
	if (!out_call(c, &o, to, 0))
		return;
	out_intro(&o, c->self);
	pack_digest(c, &o.p);
	out_flush(&o);
}

static bool
is_member_addr(const struct core *c, const struct addr *a)
{
	for (size_t i = 0; i < c->count; i++)
		if (peer_is_alive(c->peers[i]) &&
		    addr_eq(&c->peers[i]->pub.addr, a))
			return true;
	return false;
}

/*
 * Alone, we ask seed after seed. In company a seed that is no member is still
 * asked once a minute: perhaps there are two halves of one pool.
 */
static void
join_tick(struct core *c)
{
	const struct addr *seed;
	bool alone = c->alive <= 1;

	if (c->seed_count == 0 || c->leaving || c->now.ms < c->next_join_ms)
		return;
	seed = &c->seeds[c->seed_at++ % c->seed_count];
	c->next_join_ms =
	    c->now.ms + (alone ? c->join_wait_ms : SEED_INTERVAL_MS);
	c->join_wait_ms =
	    alone ? MIN(c->join_wait_ms * 2, JOIN_RETRY_MAX_MS) : JOIN_RETRY_MS;
	if (alone || !is_member_addr(c, seed))
		introduce_to(c, seed);
}

void
core_join(struct core *c, struct core_time now, const struct addr *seeds,
    size_t count)
{
	c->now = now;
	c->seed_count = MIN(count, GOSSIP_SEEDS_MAX);
	for (size_t i = 0; i < c->seed_count; i++)
		c->seeds[i] = seeds[i];
	c->seed_at = 0;
	c->join_wait_ms = JOIN_RETRY_MS;
	c->next_join_ms = now.ms;
}

static bool
fits_down(const struct core *c, const struct peer *p)
{
	return p != c->self && p->pub.status == GOSSIP_DOWN;
}

/* Perhaps a partition is over: who forgets the dead never heals. */
static void
announce(struct core *c)
{
	struct peer *p = members_pick(c, fits_down);
	struct out o;

	if (p == NULL)
		return;
	out_packet(c, &o, &p->pub.addr);
	(void)pack_ping(&o.p, core_seq(c), &p->pub.id);
	out_verdict(&o, p);
	out_intro(&o, c->self);
	out_flush(&o);
}

/* --- time ----------------------------------------------------------------- */

void
repair_tick(struct core *c)
{
	pulls_tick(c);
	join_tick(c);
	if (c->now.ms >= c->next_digest_ms) {
		c->next_digest_ms = c->now.ms + DIGEST_INTERVAL_MS;
		if (!c->leaving)
			send_root(c);
	}
	if (c->now.ms >= c->next_announce_ms) {
		c->next_announce_ms = c->now.ms + ANNOUNCE_INTERVAL_MS;
		if (c->down > 0 && !c->leaving)
			announce(c);
	}
	if (c->now.ms >= c->next_sweep_ms) {
		c->next_sweep_ms = c->now.ms + SWEEP_INTERVAL_MS;
		members_sweep(c);
	}
}

uint64_t
repair_due_ms(const struct core *c)
{
	uint64_t due = MIN(c->next_digest_ms, c->next_announce_ms);

	due = MIN(due, c->next_sweep_ms);
	if (c->seed_count > 0 && !c->leaving)
		due = MIN(due, c->next_join_ms);
	return MIN(due, pulls_due_ms(c));
}
