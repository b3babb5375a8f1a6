/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offers — the slow part of a record in bytes.
 *
 * version 1 · node 16 · network · locality · roles 4 · tunnel port 2 ·
 * addresses · services, each name, namespace, account, protocol, port 2,
 * weight 2, health 1, labels · signature 64. One walk serves all who read: it
 * visits services one by one and allocates nothing.
 */
#include "record.h"

enum { OFFERS_VERSION = 1, PROTOCOL_MAX = 15 };

static enum err
check_limits(const struct gossip_offers *o, struct fault *why)
{
	if (o->addr_count > GOSSIP_ADDRS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a node may have at most %d addresses", GOSSIP_ADDRS_MAX);
	if (o->service_count > GOSSIP_SERVICES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a node may offer at most %d services",
		    GOSSIP_SERVICES_MAX);
	if (o->locality.len > GOSSIP_LOCALITY_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a locality may have at most %d bytes",
		    GOSSIP_LOCALITY_MAX);
	return OK;
}

static enum err
pack_service(
    struct packer *p, const struct gossip_service *s, struct fault *why)
{
	if (s->label_count > GOSSIP_LABELS_MAX)
		return fault_set(why, ERR_LIMIT,
		    "service %.*s has more than %d labels", SLICE_ARG(s->name),
		    GOSSIP_LABELS_MAX);
	if (s->protocol.len > PROTOCOL_MAX || s->health > GOSSIP_DRAINING)
		return fault_set(why, ERR_INVALID,
		    "service %.*s has no legal protocol or health",
		    SLICE_ARG(s->name));
	pack_text(p, s->name);
	pack_text(p, s->ns);
	pack_text(p, s->account);
	pack_text(p, s->protocol);
	pack_u16(p, s->port);
	pack_u16(p, s->weight);
	pack_u8(p, s->health);
	pack_u8(p, (uint8_t)s->label_count);
	for (size_t i = 0; i < s->label_count; i++) {
		pack_text16(p, s->labels[i].key);
		pack_text(p, s->labels[i].value);
	}
	return OK;
}

MUST_USE enum err
offers_encode(const struct gossip_offers *o, const struct gossip_id *id,
    const uint8_t secret[CRYPTO_ED25519_SECRET_LEN], struct packer *p,
    struct fault *why)
{
	size_t from = p->len;
	enum err err = check_limits(o, why);

	if (err != OK)
		return err;
	pack_u8(p, OFFERS_VERSION);
	pack_id(p, id);
	pack_text(p, o->network);
	pack_text(p, o->locality);
	pack_u32(p, o->roles);
	pack_u16(p, o->tunnel_port);
	pack_u8(p, (uint8_t)o->addr_count);
	for (size_t i = 0; i < o->addr_count; i++)
		pack_addr(p, &o->addrs[i]);
	pack_u16(p, (uint16_t)o->service_count);
	for (size_t i = 0; i < o->service_count; i++) {
		err = pack_service(p, &o->services[i], why);
		if (err != OK)
			return err;
	}
	record_sign(p, from, RECORD_OFFERS, secret);
	if (p->failed)
		return fault_set(why, ERR_LIMIT,
		    "the services of a node may take at most %d bytes",
		    GOSSIP_OFFERS_MAX);
	return OK;
}

/* --- reading -------------------------------------------------------------- */

static enum err
read_head(struct reader *r, struct gossip_offers *o, struct gossip_id *owner)
{
	if (reader_u8(r) != OFFERS_VERSION)
		return ERR_PARSE;
	*owner = wire_id(r);
	o->network = wire_text(r);
	o->locality = wire_text(r);
	o->roles = reader_u32(r);
	o->tunnel_port = reader_u16(r);
	o->addr_count = reader_u8(r);
	if (o->addr_count > GOSSIP_ADDRS_MAX ||
	    o->locality.len > GOSSIP_LOCALITY_MAX)
		return ERR_PARSE;
	for (size_t i = 0; i < o->addr_count; i++)
		o->addrs[i] = wire_addr(r);
	o->service_count = reader_u16(r);
	if (r->failed || o->service_count > GOSSIP_SERVICES_MAX ||
	    name_check_label(o->network, NULL) != OK ||
	    !slice_is_utf8(o->locality))
		return ERR_PARSE;
	return OK;
}

/* `labels` has room for GOSSIP_LABELS_MAX. */
static enum err
read_service(
    struct reader *r, struct gossip_service *s, struct gossip_label *labels)
{
	s->name = wire_text(r);
	s->ns = wire_text(r);
	s->account = wire_text(r);
	s->protocol = wire_text(r);
	s->port = reader_u16(r);
	s->weight = reader_u16(r);
	s->health = reader_u8(r);
	s->label_count = reader_u8(r);
	s->labels = labels;
	if (r->failed || s->port == 0 || s->label_count > GOSSIP_LABELS_MAX ||
	    s->health > GOSSIP_DRAINING || s->protocol.len > PROTOCOL_MAX ||
	    name_check_label(s->name, NULL) != OK ||
	    name_check_label(s->ns, NULL) != OK ||
	    (s->account.len > 0 && name_check_label(s->account, NULL) != OK) ||
	    !slice_is_utf8(s->protocol))
		return ERR_PARSE;
	for (size_t i = 0; i < s->label_count; i++) {
		labels[i].key = wire_text16(r);
		labels[i].value = wire_text(r);
		if (!slice_is_utf8(labels[i].key) ||
		    !slice_is_utf8(labels[i].value))
			return ERR_PARSE;
	}
	return r->failed ? ERR_PARSE : OK;
}

MUST_USE enum err
offers_owner(struct slice bytes, struct gossip_id *out)
{
	struct reader r = READER(record_body(bytes));
	struct gossip_id id;

	if (reader_u8(&r) != OFFERS_VERSION)
		return ERR_PARSE;
	id = wire_id(&r);
	if (r.failed)
		return ERR_PARSE;
	*out = id;
	return OK;
}

MUST_USE enum err
gossip_offers_open(struct slice bytes, struct gossip_reading *out)
{
	struct gossip_id owner;

	*out = (struct gossip_reading){.rest = READER(record_body(bytes))};
	return bytes.len > GOSSIP_OFFERS_MAX
		   ? ERR_PARSE
		   : read_head(&out->rest, &out->offers, &owner);
}

bool
gossip_offers_next(struct gossip_reading *x, struct gossip_service *out)
{
	if (x->index == x->offers.service_count ||
	    read_service(&x->rest, out, x->labels) != OK)
		return false;
	x->index++;
	return true;
}

MUST_USE enum err
gossip_offers_done(const struct gossip_reading *x)
{
	return x->index == x->offers.service_count ? reader_done(&x->rest)
						   : ERR_PARSE;
}

static enum err
check_services(
    struct gossip_reading *x, const struct gossip_voucher *v, struct fault *why)
{
	struct gossip_service s;

	while (gossip_offers_next(x, &s))
		if (!gossip_voucher_grants(v, s.ns, s.account))
			return fault_set(why, ERR_DENIED,
			    "this node may not offer %.*s in namespace %.*s "
			    "as account %.*s; its join token did not grant it",
			    SLICE_ARG(s.name), SLICE_ARG(s.ns),
			    SLICE_ARG(s.account));
	if (x->index < x->offers.service_count)
		return fault_set(why, ERR_PARSE,
		    "service %zu has a name, namespace, account, protocol, "
		    "port or label that is not legal",
		    x->index + 1);
	return gossip_offers_done(x);
}

MUST_USE enum err
offers_check(struct slice bytes, const struct gossip_id *id,
    const struct gossip_voucher *v, struct fault *why)
{
	struct gossip_reading x;
	struct gossip_id owner;

	if (gossip_offers_open(bytes, &x) != OK ||
	    offers_owner(bytes, &owner) != OK || !gossip_id_eq(&owner, id))
		return fault_set(why, ERR_PARSE,
		    "network %.*s or the locality is no legal text",
		    SLICE_ARG(v->network));
	if (!slice_eq(x.offers.network, v->network))
		return fault_set(why, ERR_DENIED,
		    "this node is vouched for in network %.*s, not %.*s",
		    SLICE_ARG(v->network), SLICE_ARG(x.offers.network));
	return check_services(&x, v, why);
}

static enum err
keep_labels(struct arena *arena, struct gossip_service *s)
{
	struct gossip_label *kept;

	if (s->label_count == 0) {
		s->labels = NULL;
		return OK;
	}
	kept = arena_alloc_array(arena, s->label_count, sizeof(*kept));
	if (kept == NULL)
		return ERR_NO_MEMORY;
	memcpy(kept, s->labels, s->label_count * sizeof(*kept));
	s->labels = kept;
	return OK;
}

MUST_USE enum err
gossip_offers_decode(
    struct slice bytes, struct arena *arena, struct gossip_offers *out)
{
	struct gossip_reading x;
	struct gossip_service *services;
	enum err e = gossip_offers_open(bytes, &x);

	if (e != OK)
		return e;
	services = arena_alloc_array(
	    arena, MAX(x.offers.service_count, 1), sizeof(*services));
	if (services == NULL)
		return ERR_NO_MEMORY;
	for (struct gossip_service s; gossip_offers_next(&x, &s);) {
		if (keep_labels(arena, &s) != OK)
			return ERR_NO_MEMORY;
		services[x.index - 1] = s;
	}
	e = gossip_offers_done(&x);
	if (e != OK)
		return e;
	*out = x.offers;
	out->services = services;
	return OK;
}

bool
gossip_service_is_healthy(
    const struct gossip_record *r, const struct gossip_service *s, size_t index)
{
	if (r->member->health != GOSSIP_HEALTHY || s->health != GOSSIP_HEALTHY)
		return false;
	return index >= 64 || (r->unhealthy & (UINT64_C(1) << index)) == 0;
}
