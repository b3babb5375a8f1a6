/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog — records as they come, and our own.
 *
 * A state is believed when its node's key signed it, the CA vouches for that
 * key and has not taken it back, and its (incarnation, epoch) is above what is
 * known. Offers are
 * believed when the state names their hash, the same key signed them and the
 * voucher covers them. Nothing else moves an incarnation, an address or a
 * service: not the packet's sender, not an accusation.
 */
#include "core.h"

static struct slice
voucher_of(const struct peer *p)
{
	return slice_of(p->voucher, p->voucher_len);
}

/* --- our own -------------------------------------------------------------- */

/* Signs what state holds now and tells everybody. */
void
self_publish(struct core *c)
{
	struct peer *p = c->self;

	p->state.voucher = p->voucher_hash;
	p->state_len = (uint8_t)state_encode(
	    &p->state, c->config.secret_key, p->state_bytes);
	p->pub.incarnation = p->state.incarnation;
	p->pub.epoch = p->state.epoch;
	p->pub.health = p->state.health;
	p->pub.addr = p->state.addr;
	peer_set_digest(c, p);
	spread_news(c, p, NEWS_STATE, NULL);
}

static void
publish_change(struct core *c)
{
	c->self->state.epoch++;
	self_publish(c);
	emit_event(c, GOSSIP_EVENT_RECORD, c->self, NULL);
}

MUST_USE enum err
core_set_offers(struct core *c, struct core_time now,
    const struct gossip_offers *o, struct fault *why)
{
	AUTO(mem_free) uint8_t *bytes = mem_new(GOSSIP_OFFERS_MAX);
	struct packer p = {.mem = bytes, .cap = GOSSIP_OFFERS_MAX};
	struct peer *self = c->self;
	struct gossip_voucher v;
	struct blob *blob;
	uint64_t hash;
	enum err err;

	c->now = now;
	err = offers_encode(o, &self->pub.id, c->config.secret_key, &p, why);
	if (err != OK)
		return err;
	CHECK(gossip_voucher_parse(voucher_of(self), &v) == OK);
	err = offers_check(slice_of(bytes, p.len), &self->pub.id, &v, why);
	if (err != OK)
		return err;
	hash = record_hash(slice_of(bytes, p.len));
	if (hash == self->offers_have)
		return OK;
	blob = blob_new(slice_of(bytes, p.len));
	if (blob == NULL)
		return ERR_NO_MEMORY;
	blob_unref(&self->offers);
	self->offers = blob;
	self->offers_have = self->state.offers = hash;
	publish_change(c);
	return OK;
}

void
core_set_health(struct core *c, struct core_time now, enum gossip_health node,
    uint64_t unhealthy)
{
	struct state *s = &c->self->state;

	c->now = now;
	if (s->health == node && s->unhealthy == unhealthy)
		return;
	s->health = (uint8_t)node;
	s->unhealthy = unhealthy;
	publish_change(c);
	spread_at_once(c);
}

MUST_USE enum err
core_set_voucher(struct core *c, struct core_time now, struct slice voucher)
{
	struct gossip_voucher v;
	enum err err = voucher_verify_with(
	    voucher, &c->config.trust, now.wall_s, c->config.verify, &v);

	if (err != OK)
		return err;
	if (memcmp(v.public_key, c->self->public_key, sizeof(v.public_key)) !=
	    0)
		return ERR_INVALID;
	c->now = now;
	peer_set_voucher(c, c->self, voucher, &v);
	c->self->with_voucher = true;
	publish_change(c);
	return OK;
}

void
core_set_advertise(struct core *c, struct core_time now, const struct addr *a)
{
	c->now = now;
	if (addr_eq(&c->self->state.addr, a))
		return;
	c->self->state.addr = *a;
	publish_change(c);
}

/* --- a state about us ----------------------------------------------------- */

/*
 * Two living processes with one key would outbid each other for ever: the one
 * with the higher boot id yields. A mere restart outbids once.
 */
static bool
is_clone(struct core *c, const struct state *s)
{
	if (c->clone_boot != s->boot) {
		c->clone_boot = s->boot;
		c->clone_hits = 0;
		c->clone_told = false;
	}
	c->clone_hits++;
	return c->clone_hits >= CLONE_HITS;
}

static void
on_own_state(struct core *c, struct slice bytes, const struct state *s)
{
	struct peer *self = c->self;
	int cmp = state_version_cmp(
	    s->incarnation, s->epoch, self->pub.incarnation, self->pub.epoch);

	if (cmp < 0 ||
	    slice_eq(bytes, slice_of(self->state_bytes, self->state_len)))
		return;
	if (!record_check(
		bytes, RECORD_STATE, self->public_key, c->config.verify)) {
		c->stats.drop_signature++;
		return;
	}
	if (c->yielded || c->leaving)
		return;
	/* Who yields outbids once more, so that the other one finds out, too.
	 */
	if (s->boot != c->config.boot && is_clone(c, s)) {
		if (!c->clone_told)
			emit_event(c, GOSSIP_EVENT_CLONED, self, NULL);
		c->clone_told = true;
		c->yielded = c->config.boot > s->boot;
	}
	c->stats.refutations++;
	self->state.incarnation = s->incarnation + 1;
	self->state.epoch = MAX(self->state.epoch, s->epoch);
	self_publish(c);
}

/* --- a state about another ------------------------------------------------ */

static void
ask_for(struct core *c, struct out *o, const struct gossip_id *id, uint8_t want)
{
	struct packer *p = out_room(o, 64);

	if (p == NULL)
		return;
	(void)pack_pull(p, id, want);
	c->stats.pulls++;
}

/* Old news. If its own subject sends it, it lost its counters or is a clone. */
static void
on_stale_state(struct out *o, const struct core_input *in, const struct peer *p,
    const struct state *s)
{
	if (!gossip_id_eq(&in->sender.node, &s->id))
		return;
	if (s->incarnation == p->pub.incarnation)
		out_verdict(o, p);
	if (s->boot != p->state.boot ||
	    state_version_cmp(
		s->incarnation, s->epoch, p->pub.incarnation, p->pub.epoch) < 0)
		out_intro(o, p);
}

/*
 * The voucher that the state was made under: the one known, or the one that
 * came just before it. False, and asked for, if it is neither.
 */
static bool
find_voucher(struct core *c, struct out *o, const struct peer *known,
    const struct state *s, struct slice came, struct slice *out)
{
	if (known != NULL && known->voucher_hash == s->voucher) {
		*out = voucher_of(known);
		return true;
	}
	if (came.len > 0 && record_hash(came) == s->voucher) {
		*out = came;
		return true;
	}
	ask_for(c, o, &s->id, WANT_VOUCHER | WANT_STATE);
	return false;
}

static enum err
check_state(struct core *c, const struct peer *known, struct slice bytes,
    const struct state *s, struct slice voucher, struct gossip_voucher *v)
{
	bool same = known != NULL && known->voucher_hash == s->voucher;
	struct gossip_id id;

	if (same ? gossip_voucher_parse(voucher, v)
		 : voucher_verify_with(voucher, &c->config.trust, c->now.wall_s,
		       c->config.verify, v)) {
		c->stats.drop_voucher++;
		return ERR_AUTH;
	}
	if (gossip_revoked_has(c->config.revoked, v->name, v->issued_s)) {
		c->stats.drop_revoked++;
		return ERR_AUTH;
	}
	gossip_id_of_key(v->public_key, &id);
	if (!gossip_id_eq(&id, &s->id) ||
	    !record_check(
		bytes, RECORD_STATE, v->public_key, c->config.verify)) {
		c->stats.drop_signature++;
		return ERR_AUTH;
	}
	return OK;
}

/*
 * What the new state does to the status. A good-bye is taken back by any newer
 * state: nobody tells its subject that it counts as gone, and a process that
 * began with a copy of another's numbers may be just as far as that one was.
 */
static enum gossip_status
next_status(const struct peer *p, const struct state *s, bool fresh)
{
	if (s->left)
		return GOSSIP_LEFT;
	if (fresh || s->incarnation > p->pub.incarnation ||
	    p->pub.status == GOSSIP_LEFT)
		return GOSSIP_UP;
	return p->pub.status;
}

static void
apply_state(
    struct core *c, struct peer *p, struct slice bytes, const struct state *s)
{
	bool fresh = p->state_len == 0;
	enum gossip_status next = next_status(p, s, fresh);
	bool changed = fresh || p->pub.epoch != s->epoch;

	peer_set_state(p, bytes, s);
	peer_set_status(c, p, next);
	spread_news(c, p, NEWS_STATE, NULL);
	if (changed)
		emit_event(c, GOSSIP_EVENT_RECORD, p, NULL);
}

static void
store_state(struct core *c, struct out *o, struct slice bytes,
    const struct state *s, struct slice voucher, const struct gossip_voucher *v)
{
	struct peer *p = peer_find(c, &s->id);

	if (p == NULL)
		p = peer_add(c, &s->id);
	if (p == NULL)
		return;
	if (p->voucher_hash != s->voucher) {
		peer_set_voucher(c, p, voucher, v);
		p->with_voucher = true;
	}
	apply_state(c, p, bytes, s);
	peer_want_offers(c, p);
	if (p->pull_at_ms != 0)
		ask_for(c, o, &s->id, WANT_OFFERS);
}

void
on_state(struct core *c, struct out *o, const struct core_input *in,
    struct slice came, struct slice bytes)
{
	struct gossip_voucher v;
	struct slice voucher;
	struct state s;
	struct peer *known;

	if (state_decode(bytes, &s) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	if (gossip_id_eq(&s.id, &c->self->pub.id)) {
		on_own_state(c, bytes, &s);
		return;
	}
	known = peer_find(c, &s.id);
	if (known != NULL &&
	    state_version_cmp(s.incarnation, s.epoch, known->pub.incarnation,
		known->pub.epoch) <= 0) {
		on_stale_state(o, in, known, &s);
		return;
	}
	if (find_voucher(c, o, known, &s, came, &voucher) &&
	    check_state(c, known, bytes, &s, voucher, &v) == OK)
		store_state(c, o, bytes, &s, voucher, &v);
}

/* --- offers --------------------------------------------------------------- */

static enum err
check_offers(struct core *c, const struct peer *p, struct slice bytes)
{
	struct gossip_voucher v;

	if (!record_check(
		bytes, RECORD_OFFERS, p->public_key, c->config.verify)) {
		c->stats.drop_signature++;
		return ERR_AUTH;
	}
	CHECK(gossip_voucher_parse(voucher_of(p), &v) == OK);
	if (offers_check(bytes, &p->pub.id, &v, NULL) != OK) {
		c->stats.drop_granted++;
		return ERR_DENIED;
	}
	return OK;
}

static void
store_offers(struct core *c, struct peer *p, struct slice bytes)
{
	struct blob *blob = blob_new(bytes);

	if (blob == NULL) {
		c->stats.drop_limit++; /* asked for again later */
		return;
	}
	blob_unref(&p->offers);
	p->offers = blob;
	p->offers_have = p->state.offers;
	peer_want_offers(c, p);
	emit_event(c, GOSSIP_EVENT_RECORD, p, NULL);
}

void
on_offers(struct core *c, struct slice bytes)
{
	struct gossip_id id;
	struct peer *p;

	if (offers_owner(bytes, &id) != OK) {
		c->stats.drop_malformed++;
		return;
	}
	p = peer_find(c, &id);
	if (p == NULL || p->pull_at_ms == 0 ||
	    record_hash(bytes) != p->state.offers)
		return; /* older than what its state names, or here already */
	if (check_offers(c, p, bytes) == OK) {
		store_offers(c, p, bytes);
		return;
	}
	p->offers_refused = p->state.offers;
	peer_want_offers(c, p);
}

bool
core_record(const struct peer *p, struct gossip_record *out)
{
	struct gossip_record r = {.member = &p->pub};

	if (p->expired || gossip_voucher_parse(voucher_of(p), &r.voucher) != OK)
		return false;
	r.unhealthy = p->state.unhealthy;
	if (p->offers_have != 0)
		r.offers = p->offers;
	*out = r;
	return true;
}
