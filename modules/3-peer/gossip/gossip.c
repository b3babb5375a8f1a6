/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip — the owner's calls, handed to the machine.
 */
#include "gossip_io.h"

uint16_t
gossip_port(const struct gossip *g)
{
	return g->udp != NULL ? net_udp_addr(g->udp).port : 0;
}

void
gossip_join(struct gossip *g, const struct addr *seeds, size_t count)
{
	core_join(g->core, gossip_io_now(g), seeds, count);
	gossip_io_rearm(g);
}

void
gossip_leave(struct gossip *g, void (*done)(void *arg), void *arg)
{
	g->on_left = done;
	g->on_left_arg = arg;
	if (!g->ready) { /* nobody has heard of us */
		g->left = true;
		loop_later(g->loop, &g->tell);
		return;
	}
	core_leave(g->core, gossip_io_now(g));
	gossip_io_rearm(g);
}

MUST_USE enum err
gossip_set_offers(
    struct gossip *g, const struct gossip_offers *offers, struct fault *why)
{
	enum err err = core_set_offers(g->core, gossip_io_now(g), offers, why);

	gossip_io_rearm(g);
	return err;
}

void
gossip_set_health(struct gossip *g, enum gossip_health node, uint64_t unhealthy)
{
	core_set_health(g->core, gossip_io_now(g), node, unhealthy);
	gossip_io_rearm(g);
}

MUST_USE enum err
gossip_set_voucher(struct gossip *g, struct slice voucher)
{
	enum err err = core_set_voucher(g->core, gossip_io_now(g), voucher);

	gossip_io_rearm(g);
	return err;
}

void
gossip_set_trust(struct gossip *g, const struct gossip_trust *trust)
{
	g->core->config.trust = *trust;
}

MUST_USE enum err
gossip_revoke(struct gossip *g, struct slice revocation)
{
	enum err err = core_revoke(g->core, gossip_io_now(g), revocation);

	gossip_io_rearm(g);
	return err;
}

MUST_USE enum err
gossip_set_keyring(struct gossip *g, const struct gossip_keyring *keyring)
{
	return packets_set_keyring(g->packets, keyring);
}

const struct gossip_member *
gossip_member_next(const struct gossip *g, size_t *cursor)
{
	if (*cursor >= g->core->count)
		return NULL;
	return &g->core->peers[(*cursor)++]->pub;
}

const struct gossip_member *
gossip_member_get(const struct gossip *g, const struct gossip_id *id)
{
	const struct peer *p = peer_find(g->core, id);

	return p != NULL ? &p->pub : NULL;
}

const struct gossip_member *
gossip_self(const struct gossip *g)
{
	return &g->core->self->pub;
}

bool
gossip_record_next(
    const struct gossip *g, size_t *cursor, struct gossip_record *out)
{
	while (*cursor < g->core->count)
		if (core_record(g->core->peers[(*cursor)++], out))
			return true;
	return false;
}

bool
gossip_record_get(const struct gossip *g, const struct gossip_id *id,
    struct gossip_record *out)
{
	const struct peer *p = peer_find(g->core, id);

	return p != NULL && core_record(p, out);
}

MUST_USE enum err
gossip_save(const struct gossip *g, struct buf *out)
{
	return core_save(g->core, out);
}

void
gossip_stats(const struct gossip *g, struct gossip_stats *out)
{
	*out = g->core->stats;
	out->keys_known = (uint32_t)packets_senders(g->packets);
}
