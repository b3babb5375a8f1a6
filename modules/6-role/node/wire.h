/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — the JSON of join, re-enrol, certify and of the stream's small types.
 *
 * Pure. README.md shows it. What a server sends is bounded and checked here;
 * unknown fields are ignored, so that an older agent understands a newer one.
 */
#ifndef MESHD_NODE_WIRE_H
#define MESHD_NODE_WIRE_H

#include "ca/ca.h"
#include "gossip/gossip.h"
#include "tls/tls.h"

enum {
	WIRE_BODY_MAX = 1 << 20,
	WIRE_SERVERS_MAX = CA_TOKEN_SERVERS_MAX,
	WIRE_WANTED_MAX = CA_WANTED_MAX
};

/* What a bundle says: whom to trust. */
struct wire_bundle {
	uint64_t epoch;
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	struct tls_chain *roots;
	struct gossip_trust voucher_keys;
};

void wire_bundle_fini(struct wire_bundle *b);

/* Everything that makes this machine a member, but its keys and leaf. */
struct membership {
	char name[GOSSIP_NAME_MAX + 1];
	char domain[NAME_HOST_MAX + 1];
	char network[GOSSIP_NAME_MAX + 1];
	uint8_t mesh[GOSSIP_MESH_LEN];
	struct wire_bundle bundle;
	struct gossip_keyring keyring;
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
	struct addr seeds[GOSSIP_SEEDS_MAX];
	size_t seed_count;
	char servers[WIRE_SERVERS_MAX][CA_TOKEN_SERVER_LEN];
	size_t server_count;
	int64_t clock_ms; /* the server's as it answered; 0 in the file */
};

/* Wipes the keys. Harmless for a zeroed one. */
void membership_fini(struct membership *m);

/*
 * The answer to join, or the file that keeps it. *out_chain (may be NULL) is
 * its certificate, NULL if it has none. On failure in words; `out` untouched.
 */
MUST_USE enum err wire_membership_decode(struct slice json,
    struct membership *out, struct tls_chain **out_chain, struct fault *why);

/* For the file; without a certificate. */
MUST_USE enum err wire_membership_encode(
    const struct membership *m, struct buf *out);

struct wire_join {
	struct slice token_id; /* hex; empty: re-enrol, and no proof */
	const uint8_t *proof;  /* CRYPTO_HMAC_LEN */
	struct slice csr;
	const uint8_t *gossip_key;
	struct slice name;
	struct slice network;
	const struct addr *addrs;
	size_t addr_count;
	const struct ca_wanted *wanted;
	size_t wanted_count;
	int64_t clock_ms;
};

MUST_USE enum err wire_join_encode(const struct wire_join *j, struct buf *out);

MUST_USE enum err wire_certify_encode(
    struct slice csr, int64_t clock_ms, struct buf *out);

/* `voucher` has GOSSIP_VOUCHER_MAX bytes; length 0: none came. */
struct wire_certified {
	struct tls_chain *chain;
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
};

MUST_USE enum err wire_certified_decode(
    struct slice json, struct wire_certified *out, struct fault *why);

/*
 * A refusal into words: "the token has expired (10 min ago); make a new one
 * with: …" Returns ERR_DENIED if it is final, ERR_UNREACHABLE if the server
 * could not answer now (5xx, 429, or no refusal of ours).
 */
MUST_USE enum err wire_refusal(
    unsigned status, struct slice body, struct fault *why);

/* --- bodies of the stream ------------------------------------------------- */

MUST_USE enum err wire_bundle_decode(
    struct slice json, struct wire_bundle *out, struct fault *why);
MUST_USE enum err wire_gossip_keys_decode(
    struct slice json, struct gossip_keyring *out, struct fault *why);

/* Text lies in the arena; without a statement length 0. */
struct wire_revocation {
	struct ca_revocation what;
	uint8_t statement[GOSSIP_REVOCATION_MAX]; /* for gossip */
	size_t statement_len;
};

MUST_USE enum err wire_revocation_decode(struct slice json, struct arena *arena,
    struct wire_revocation *out, struct fault *why);

#endif
