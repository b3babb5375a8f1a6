/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — the signed texts of gossip: voucher, state, offers, revocation.
 *
 * Each is its body and then 64 bytes of Ed25519 over a context of 16 bytes and
 * SHA-256 of the body, so that a signature of one kind is none of another.
 */
#ifndef MESHD_GOSSIP_RECORD_H
#define MESHD_GOSSIP_RECORD_H

#include "wire.h"

/* How a signature is checked; a simulation remembers answers. */
typedef bool (*record_verify_fn)(struct slice message,
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN]);

enum record_kind {
	RECORD_VOUCHER,
	RECORD_STATE,
	RECORD_OFFERS,
	RECORD_REVOCATION
};

/* Appends the signature of what the packer holds from `from` on. */
void record_sign(struct packer *p, size_t from, enum record_kind kind,
    const uint8_t secret[CRYPTO_ED25519_SECRET_LEN]);

/* `bytes` is the body with its signature. */
bool record_check(struct slice bytes, enum record_kind kind,
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN],
    record_verify_fn verify);

/* The body without the signature; empty if it is too short to have one. */
struct slice record_body(struct slice bytes);

/* Names the very bytes: the first 8 of SHA-256, never 0. */
uint64_t record_hash(struct slice bytes);

/* gossip_voucher_verify() with a way to check signatures. */
MUST_USE enum err voucher_verify_with(struct slice bytes,
    const struct gossip_trust *trust, int64_t now_s, record_verify_fn verify,
    struct gossip_voucher *out);

/* Two hours of skew allowed. */
bool voucher_is_expired(uint32_t expires_s, int64_t now_s);

/* The small part of a record, pushed to all at once. */
struct state {
	struct gossip_id id;
	uint64_t boot; /* tells two processes with one key apart */
	uint64_t incarnation;
	uint64_t epoch;
	uint64_t unhealthy;
	uint64_t voucher; /* record_hash of the voucher it was made under */
	uint64_t offers;  /* record_hash of the offers, 0 without any */
	struct addr addr;
	uint8_t health;
	bool left;
};

/* Writes into GOSSIP_STATE_MAX bytes; returns how many. */
size_t state_encode(const struct state *s,
    const uint8_t secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_STATE_MAX]);
MUST_USE enum err state_decode(struct slice bytes, struct state *out);

/* <0, 0, >0 by (incarnation, epoch). */
int state_version_cmp(
    uint64_t inc_a, uint64_t epoch_a, uint64_t inc_b, uint64_t epoch_b);

/*
 * Encodes and signs into `p`. ERR_LIMIT or ERR_INVALID, in words, for offers
 * that the wire has no room for.
 */
MUST_USE enum err offers_encode(const struct gossip_offers *o,
    const struct gossip_id *id, const uint8_t secret[CRYPTO_ED25519_SECRET_LEN],
    struct packer *p, struct fault *why);

/*
 * ERR_PARSE if malformed or not of this node, ERR_DENIED, in words, if
 * something lies outside the voucher. Allocates nothing.
 */
MUST_USE enum err offers_check(struct slice bytes, const struct gossip_id *id,
    const struct gossip_voucher *v, struct fault *why);

/* Whose they are; not checked any further. */
MUST_USE enum err offers_owner(struct slice bytes, struct gossip_id *out);

#endif
