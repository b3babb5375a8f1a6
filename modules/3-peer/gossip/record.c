/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — signing, and the state; see record.h.
 */
#include "record.h"

enum { CONTEXT_LEN = 16, STATE_VERSION = 1, STATE_LEFT = 1 << 0 };

static const char contexts[][CONTEXT_LEN + 1] = {
    [RECORD_VOUCHER] = "meshd voucher 1\n",
    [RECORD_STATE] = "meshd state 1  \n",
    [RECORD_OFFERS] = "meshd offers 1 \n",
    [RECORD_REVOCATION] = "meshd revoke 1 \n",
};

enum { MESSAGE_LEN = CONTEXT_LEN + CRYPTO_SHA256_LEN };

static void
message_of(struct slice body, enum record_kind kind, uint8_t out[MESSAGE_LEN])
{
	memcpy(out, contexts[kind], CONTEXT_LEN);
	crypto_sha256(body, out + CONTEXT_LEN);
}

void
record_sign(struct packer *p, size_t from, enum record_kind kind,
    const uint8_t secret[CRYPTO_ED25519_SECRET_LEN])
{
	uint8_t message[MESSAGE_LEN];
	uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN];

	if (p->failed)
		return;
	message_of(slice_of(p->mem + from, p->len - from), kind, message);
	crypto_ed25519_sign(
	    slice_of(message, sizeof(message)), secret, signature);
	pack_bytes(p, signature, sizeof(signature));
}

struct slice
record_body(struct slice bytes)
{
	if (bytes.len < CRYPTO_ED25519_SIGNATURE_LEN)
		return SLICE_NONE;
	return slice_of(bytes.ptr, bytes.len - CRYPTO_ED25519_SIGNATURE_LEN);
}

bool
record_check(struct slice bytes, enum record_kind kind,
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    record_verify_fn verify)
{
	struct slice body = record_body(bytes);
	uint8_t message[MESSAGE_LEN];

	if (bytes.len < CRYPTO_ED25519_SIGNATURE_LEN)
		return false;
	message_of(body, kind, message);
	return verify(slice_of(message, sizeof(message)), public_key,
	    (const uint8_t *)bytes.ptr + body.len);
}

uint64_t
record_hash(struct slice bytes)
{
	uint8_t sum[CRYPTO_SHA256_LEN];
	uint64_t h = 0;

	crypto_sha256(bytes, sum);
	for (size_t i = 0; i < 8; i++)
		h = h << 8 | sum[i];
	return h != 0 ? h : 1;
}

size_t
state_encode(const struct state *s,
    const uint8_t secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_STATE_MAX])
{
	struct packer p = {.mem = out, .cap = GOSSIP_STATE_MAX};

	pack_u8(&p, STATE_VERSION);
	pack_u8(&p, s->left ? STATE_LEFT : 0);
	pack_u8(&p, s->health);
	pack_id(&p, &s->id);
	pack_u64(&p, s->boot);
	pack_u64(&p, s->incarnation);
	pack_u64(&p, s->epoch);
	pack_u64(&p, s->unhealthy);
	pack_u64(&p, s->voucher);
	pack_u64(&p, s->offers);
	pack_addr(&p, &s->addr);
	record_sign(&p, 0, RECORD_STATE, secret);
	CHECK(!p.failed);
	return p.len;
}

MUST_USE enum err
state_decode(struct slice bytes, struct state *out)
{
	struct reader r = READER(record_body(bytes));
	struct state s = {0};
	uint8_t flags;

	if (bytes.len > GOSSIP_STATE_MAX || reader_u8(&r) != STATE_VERSION)
		return ERR_PARSE;
	flags = reader_u8(&r);
	s.left = flags & STATE_LEFT;
	s.health = reader_u8(&r);
	s.id = wire_id(&r);
	s.boot = reader_u64(&r);
	s.incarnation = reader_u64(&r);
	s.epoch = reader_u64(&r);
	s.unhealthy = reader_u64(&r);
	s.voucher = reader_u64(&r);
	s.offers = reader_u64(&r);
	s.addr = wire_addr(&r);
	if (reader_done(&r) != OK || (flags & ~STATE_LEFT) != 0 ||
	    s.health > GOSSIP_DRAINING || s.addr.family == ADDR_NONE)
		return ERR_PARSE;
	*out = s;
	return OK;
}

int
state_version_cmp(
    uint64_t inc_a, uint64_t epoch_a, uint64_t inc_b, uint64_t epoch_b)
{
	if (inc_a != inc_b)
		return inc_a < inc_b ? -1 : 1;
	if (epoch_a != epoch_b)
		return epoch_a < epoch_b ? -1 : 1;
	return 0;
}

const char *
gossip_status_name(enum gossip_status s)
{
	static const char *const names[] = {
	    [GOSSIP_UP] = "up",
	    [GOSSIP_SUSPECT] = "suspect",
	    [GOSSIP_DOWN] = "down",
	    [GOSSIP_LEFT] = "left",
	};

	return names[s];
}

const char *
gossip_health_name(uint8_t health)
{
	static const char *const names[] = {
	    [GOSSIP_HEALTHY] = "healthy",
	    [GOSSIP_UNHEALTHY] = "unhealthy",
	    [GOSSIP_DRAINING] = "draining",
	};

	return health < ARRAY_LEN(names) ? names[health] : "unknown";
}
