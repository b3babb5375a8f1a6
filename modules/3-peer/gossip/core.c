/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core — a step: the time passes, one input is taken apart, timers are run.
 */
#include "core.h"

/* --- bytes on their way out ----------------------------------------------- */

uint32_t
core_seq(struct core *c)
{
	c->next_seq++;
	if (c->next_seq == 0)
		c->next_seq = 1;
	return c->next_seq;
}

void
out_packet(struct core *c, struct out *o, const struct addr *to)
{
	o->c = c;
	o->mode = OUT_PACKET;
	o->to = *to;
	o->hops = 0;
	o->sent = 0;
	o->filled = false;
	o->mem = NULL;
	o->p = (struct packer){.mem = o->packet, .cap = sizeof(o->packet)};
}

/* What a call carries is too much to keep room for; it is made when needed. */
static bool
out_stream(struct core *c, struct out *o, enum out_mode mode)
{
	o->c = c;
	o->mode = mode;
	o->sent = 0;
	o->filled = false;
	o->mem = mem_try(CALL_PAYLOAD_MAX);
	if (o->mem == NULL)
		c->stats.drop_limit++;
	o->p = (struct packer){.mem = o->mem, .cap = CALL_PAYLOAD_MAX};
	return o->mem != NULL;
}

bool
out_call(struct core *c, struct out *o, const struct addr *to, uint8_t hops)
{
	o->to = *to;
	o->hops = hops;
	return out_stream(c, o, OUT_CALL);
}

struct packer *
out_room(struct out *o, size_t n)
{
	if (o->p.cap - o->p.len >= n)
		return &o->p;
	if (o->mode != OUT_PACKET || n > o->p.cap ||
	    o->sent >= REPLY_PACKETS_MAX)
		return NULL;
	out_flush(o);
	return &o->p;
}

void
out_flush(struct out *o)
{
	static const enum core_action_type types[] = {
	    [OUT_PACKET] = CORE_SEND,
	    [OUT_ANSWER] = CORE_ANSWER,
	    [OUT_CALL] = CORE_CALL,
	};
	struct core_action a = {
	    .type = types[o->mode], .to = o->to, .hops = o->hops};

	/* An answer is owed even if there is nothing to say. */
	if (o->p.len > 0 || o->mode == OUT_ANSWER) {
		if (o->mode == OUT_PACKET && !o->filled)
			spread_fill(o->c, &o->p);
		a.payload = slice_of(o->p.mem, o->p.len);
		o->c->config.sink(o->c->config.arg, &a);
		o->sent++;
	}
	o->p.len = 0;
	o->filled = false;
	mem_free(&o->mem);
}

void
out_intro(struct out *o, const struct peer *p)
{
	struct packer *b =
	    out_room(o, 2 * PART_HEAD + (size_t)p->voucher_len + p->state_len);

	if (b == NULL || p->state_len == 0)
		return;
	(void)pack_part(b, PART_VOUCHER, slice_of(p->voucher, p->voucher_len));
	(void)pack_part(b, PART_STATE, slice_of(p->state_bytes, p->state_len));
}

/* What is held against it, if anything. */
void
out_verdict(struct out *o, const struct peer *p)
{
	struct packer *b;

	if (p->pub.status != GOSSIP_SUSPECT && p->pub.status != GOSSIP_DOWN)
		return;
	b = out_room(o, 64);
	if (b != NULL)
		(void)pack_verdict(b,
		    p->pub.status == GOSSIP_DOWN ? PART_DEAD : PART_SUSPECT,
		    &p->pub.id, p->pub.incarnation, &o->c->self->pub.id);
}

/* --- birth and end -------------------------------------------------------- */

static enum err
check_own_voucher(const struct core_config *config, struct core_time now,
    struct gossip_voucher *v, struct fault *why)
{
	const uint8_t *public_key = config->secret_key +
				    CRYPTO_ED25519_SECRET_LEN -
				    CRYPTO_ED25519_PUBLIC_LEN;
	enum err err = voucher_verify_with(
	    config->voucher, &config->trust, now.wall_s, config->verify, v);

	if (err != OK)
		return fault_set(why, err,
		    "our gossip voucher does not stand: %s", err_text(err));
	if (memcmp(v->public_key, public_key, CRYPTO_ED25519_PUBLIC_LEN) != 0)
		return fault_set(why, ERR_INVALID,
		    "our gossip voucher is for another key than ours");
	if (config->advertise.family == ADDR_NONE)
		return fault_set(
		    why, ERR_INVALID, "gossip needs an address to advertise");
	return OK;
}

static void
init_lists(struct core *c)
{
	map_init(&c->by_id);
	map_init(&c->by_name);
	for (size_t i = 0; i < SPREAD_TIERS; i++)
		list_init(&c->tiers[i]);
	for (size_t i = 0; i < DIGEST_BUCKETS; i++)
		list_init(&c->buckets[i]);
}

/* Members that start together do not act together. */
static void
init_times(struct core *c)
{
	uint64_t ms = c->now.ms;

	c->next_probe_ms = ms + rng_below(&c->rng, PROBE_INTERVAL_MS);
	c->next_spread_ms = ms + rng_below(&c->rng, SPREAD_INTERVAL_MS);
	c->next_digest_ms = ms + rng_below(&c->rng, DIGEST_INTERVAL_MS);
	c->next_announce_ms = ms + rng_below(&c->rng, ANNOUNCE_INTERVAL_MS);
	c->next_sweep_ms = ms + rng_below(&c->rng, SWEEP_INTERVAL_MS);
	c->next_seq = (uint32_t)rng_u64(&c->rng);
}

static void
init_self(struct core *c, const struct gossip_voucher *v)
{
	struct gossip_id id;
	struct peer *self;

	gossip_id_of_key(v->public_key, &id);
	self = peer_add(c, &id);
	c->self = self;
	self->pub.self = true;
	self->state.id = id;
	self->state.boot = c->config.boot;
	self->state.incarnation = 1;
	self->state.addr = c->config.advertise;
	peer_set_voucher(c, self, c->config.voucher, v);
	c->config.voucher = SLICE_NONE; /* it was only lent */
	self->with_voucher = true;
	peer_set_status(c, self, GOSSIP_UP);
	self_publish(c);
}

MUST_USE enum err
core_new(const struct core_config *config, struct core_time now,
    struct core **out, struct fault *why)
{
	struct gossip_voucher v;
	struct core *c;
	enum err err = check_own_voucher(config, now, &v, why);

	if (err != OK)
		return err;
	c = mem_new(sizeof(*c));
	c->config = *config;
	c->now = now;
	rng_init(&c->rng, config->seed);
	init_lists(c);
	init_times(c);
	init_self(c, &v);
	*out = c;
	return OK;
}

void
core_free(struct core **cp)
{
	struct core *c = *cp;

	if (c == NULL)
		return;
	while (c->count > 0)
		peer_remove(c, c->peers[c->count - 1]);
	map_fini(&c->by_id, NULL);
	map_fini(&c->by_name, NULL);
	mem_free(&c->peers);
	mem_free(&c->walk);
	secret_wipe(c->config.secret_key, sizeof(c->config.secret_key));
	mem_free(cp);
}

void
core_leave(struct core *c, struct core_time now)
{
	c->now = now;
	if (c->leaving)
		return;
	c->leaving = true;
	c->leave_until_ms = now.ms + LEAVE_MS;
	c->self->state.left = true;
	c->self->state.health = GOSSIP_DRAINING;
	c->self->state.epoch++;
	self_publish(c);
	spread_at_once(c);
}

/* --- steps ---------------------------------------------------------------- */

static void
on_part(struct core *c, struct out *o, const struct core_input *in,
    const struct part *part, struct slice *voucher)
{
	switch (part->type) {
	case PART_PING:
		on_ping(c, o, in, part->body);
		break;
	case PART_PING_REQ:
		on_ping_req(c, in, part->body);
		break;
	case PART_ACK:
		on_ack(c, in, part->body);
		break;
	case PART_NACK:
		on_nack(c, part->body);
		break;
	case PART_VOUCHER:
		*voucher = part->body;
		break;
	case PART_STATE:
		on_state(c, o, in, *voucher, part->body);
		break;
	case PART_OFFERS:
		on_offers(c, part->body);
		break;
	case PART_SUSPECT:
	case PART_DEAD:
		on_verdict(c, o, in, part->type, part->body);
		break;
	case PART_PULL:
		on_pull(c, o, part->body);
		break;
	case PART_TOO_BIG:
		on_too_big(c, in, part->body);
		break;
	case PART_ROOT:
		on_root(c, in, part->body);
		break;
	case PART_DIGEST:
		on_digest(c, o, part->body);
		break;
	case PART_BUCKET:
		on_bucket(c, o, in, part->body);
		break;
	case PART_REVOCATION:
		on_revocation(c, part->body);
		break;
	case PART_REVOKED:
		on_revoked(c, o, part->body);
		break;
	default:
		break; /* of a later version */
	}
}

static bool
begin_reply(struct core *c, struct out *o, const struct core_input *in)
{
	if (in->type == CORE_PACKET)
		out_packet(c, o, &in->from);
	else if (in->type == CORE_REPLY)
		return out_call(c, o, &in->from, in->hops + 1);
	else
		return out_stream(c, o, OUT_ANSWER);
	return true;
}

static void
on_parts(struct core *c, const struct core_input *in)
{
	struct reader r = READER(in->payload);
	struct slice voucher = SLICE_NONE;
	struct part part;
	struct out o;

	/* Our own packet come back, or a talk that does not end. */
	if (gossip_id_eq(&in->sender.node, &c->self->pub.id) &&
	    in->sender.boot == c->config.boot)
		return;
	if (!begin_reply(c, &o, in))
		return;
	while (wire_part_next(&r, &part))
		on_part(c, &o, in, &part, &voucher);
	if (r.failed)
		c->stats.drop_malformed++;
	if (in->type == CORE_REPLY && in->hops >= CALL_HOPS_MAX)
		o.p.len = 0;
	out_flush(&o);
}

static void
leave_tick(struct core *c)
{
	struct core_action a = {.type = CORE_LEFT};

	if (c->leave_until_ms == 0)
		return;
	if (c->self->news != NEWS_NONE && c->alive > 1 &&
	    c->now.ms < c->leave_until_ms)
		return;
	c->leave_until_ms = 0;
	c->config.sink(c->config.arg, &a);
}

/*
 * Called much later than planned, we did not run: the answers that came
 * meanwhile are still unread, and silence proves nothing.
 */
static void
note_slip(struct core *c)
{
	uint64_t slip;

	if (c->planned_ms == 0 || c->now.ms <= c->planned_ms + SLIP_MS)
		return;
	slip = c->now.ms - c->planned_ms;
	health_add(c, 1);
	probe_slipped(c, slip);
	verdict_slipped(c, slip);
}

void
core_step(struct core *c, struct core_time now, const struct core_input *in)
{
	CHECK(now.ms >= c->now.ms);
	c->now = now;
	note_slip(c);
	c->planned_ms = 0;
	if (in->type != CORE_TICK)
		on_parts(c, in);
	probe_tick(c);
	verdict_tick(c);
	spread_tick(c);
	repair_tick(c);
	leave_tick(c);
	c->stats.health = c->health;
	c->stats.queued = (uint32_t)c->queued;
}

uint64_t
core_due_ms(struct core *c)
{
	uint64_t due = MIN(probe_due_ms(c), verdict_due_ms(c));

	due = MIN(due, spread_due_ms(c));
	due = MIN(due, repair_due_ms(c));
	if (c->leave_until_ms != 0)
		due = MIN(due, c->leave_until_ms);
	c->planned_ms = MAX(due, c->now.ms);
	return c->planned_ms;
}
