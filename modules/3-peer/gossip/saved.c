/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saved — peers and our own counters, for the next start.
 *
 * version 1 · our incarnation 8 · epoch 8 · peers: status 1, seconds since 4,
 * voucher, state · record_hash of all that 8. What comes back from the disk is
 * checked like what comes from the wire; who was alive counts as alive again
 * until probes say otherwise.
 */
#include "core.h"

enum { SAVED_VERSION = 1, SAVED_CHECKSUM = 8 };

static size_t
entry_len(const struct peer *p)
{
	return 1 + 4 + 2 + (size_t)p->voucher_len + 2 + p->state_len;
}

static void
pack_saved(struct packer *b, const struct core *c, const struct peer *p)
{
	uint64_t age_s = (c->now.ms - MIN(p->pub.since_ms, c->now.ms)) / 1000;

	pack_u8(b, p->pub.status);
	pack_u32(b, (uint32_t)MIN(age_s, UINT32_MAX));
	pack_text16(b, slice_of(p->voucher, p->voucher_len));
	pack_text16(b, slice_of(p->state_bytes, p->state_len));
}

MUST_USE enum err
core_save(const struct core *c, struct buf *out)
{
	size_t total = 1 + 8 + 8 + SAVED_CHECKSUM;
	struct packer b = {0};
	char *mem;
	enum err err;

	for (size_t i = 0; i < c->count; i++)
		total += entry_len(c->peers[i]);
	err = buf_reserve(out, total, &mem);
	if (err != OK)
		return err;
	b.mem = (uint8_t *)mem;
	b.cap = total;
	pack_u8(&b, SAVED_VERSION);
	pack_u64(&b, c->self->pub.incarnation);
	pack_u64(&b, c->self->pub.epoch);
	for (size_t i = 0; i < c->count; i++)
		if (c->peers[i] != c->self)
			pack_saved(&b, c, c->peers[i]);
	pack_u64(&b, record_hash(slice_of(b.mem, b.len)));
	CHECK(!b.failed);
	buf_commit(out, b.len);
	return OK;
}

static enum err
check_saved(const struct core *c, struct slice voucher, struct slice state,
    struct gossip_voucher *v, struct state *s)
{
	struct gossip_id id;

	if (voucher_verify_with(voucher, &c->config.trust, c->now.wall_s,
		c->config.verify, v) != OK ||
	    state_decode(state, s) != OK)
		return ERR_CORRUPT;
	gossip_id_of_key(v->public_key, &id);
	if (gossip_revoked_has(c->config.revoked, v->name, v->issued_s))
		return ERR_AUTH;
	if (!gossip_id_eq(&id, &s->id) || s->voucher != record_hash(voucher) ||
	    !record_check(state, RECORD_STATE, v->public_key, c->config.verify))
		return ERR_CORRUPT;
	return OK;
}

/* Status as it was, at its age, so that the dead are forgotten in time. */
static void
add_saved(struct core *c, enum gossip_status status, uint64_t age_ms,
    struct slice voucher, struct slice state, const struct gossip_voucher *v,
    const struct state *s)
{
	struct peer *p = peer_add(c, &s->id);

	if (p == NULL)
		return;
	peer_set_voucher(c, p, voucher, v);
	peer_set_state(p, state, s);
	peer_set_status(c, p, status == GOSSIP_SUSPECT ? GOSSIP_UP : status);
	if (!peer_is_alive(p))
		p->pub.since_ms = c->now.ms > age_ms ? c->now.ms - age_ms : 1;
	peer_want_offers(c, p);
}

static void
restore_peer(struct core *c, struct reader *r)
{
	uint8_t status = reader_u8(r);
	uint64_t age_ms = (uint64_t)reader_u32(r) * 1000;
	struct slice voucher = wire_text16(r);
	struct slice state = wire_text16(r);
	struct gossip_voucher v;
	struct state s;

	if (r->failed || status > GOSSIP_LEFT ||
	    check_saved(c, voucher, state, &v, &s) != OK ||
	    peer_find(c, &s.id) != NULL) {
		c->stats.drop_saved++;
		return;
	}
	if (s.left)
		status = GOSSIP_LEFT;
	add_saved(c, status, MIN(age_ms, DOWN_KEPT_MS), voucher, state, &v, &s);
}

void
core_restore(struct core *c, struct core_time now, struct slice saved)
{
	struct slice body =
	    slice_sub(saved, 0, saved.len - MIN(saved.len, SAVED_CHECKSUM));
	struct reader sum = READER(slice_sub(saved, body.len, SAVED_CHECKSUM));
	struct reader r = READER(body);
	uint64_t incarnation;
	uint64_t epoch;

	c->now = now;
	if (saved.len == 0)
		return;
	if (reader_u64(&sum) != record_hash(body) ||
	    reader_u8(&r) != SAVED_VERSION) {
		c->stats.drop_saved++;
		return;
	}
	incarnation = reader_u64(&r);
	epoch = reader_u64(&r);
	if (r.failed) {
		c->stats.drop_saved++;
		return;
	}
	/* A restart is a new incarnation. */
	c->self->state.incarnation = MAX(incarnation, incarnation + 1);
	c->self->state.epoch = epoch;
	self_publish(c);
	while (!r.failed && r.rest.len > 0)
		restore_peer(c, &r);
}
