/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry — tokens, nodes and revocations, at hand.
 *
 * Fed by the store's changes, like the cache; the store stays the truth. What
 * is decided from here is checked again by the mutation that it leads to.
 */
#ifndef MESHD_SERVER_REGISTRY_H
#define MESHD_SERVER_REGISTRY_H

#include "ca/ca.h"
#include "gossip/gossip.h"
#include "store/store.h"

enum {
	REGISTRY_SEALED_KEY = CRYPTO_KEY_LEN + CRYPTO_SEAL_OVERHEAD,
	REGISTRY_SERIALS = 4, /* kept of a node */
	REGISTRY_HEX_MAX = 65 /* of 32 bytes, and the zero */
};

struct registry_token {
	char id[CA_TOKEN_ID_TEXT];
	char *note;
	uint8_t sealed[REGISTRY_SEALED_KEY]; /* ca_token_key() */
	struct ca_bounds bounds;
	int64_t created_ms;
	int64_t expires_ms;
	bool revoked;
};

struct registry_node {
	char name[GOSSIP_NAME_MAX + 1];
	char id[GOSSIP_ID_TEXT_MAX];
	char network[GOSSIP_NAME_MAX + 1];
	char token_id[CA_TOKEN_ID_TEXT];
	struct tls_pin key;
	uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN];
	struct ca_grant grant;
	int64_t joined_ms;
	int64_t issued_ms; /* when it last got a certificate */
	int64_t not_after_ms;
	char serials[REGISTRY_SERIALS][2 * TLS_SERIAL_LEN + 1]; /* newest 1st */
	uint64_t revision;
};

struct registry_revocation {
	int64_t since_ms;
	int64_t expires_ms;
};

struct registry {
	struct map tokens;      /* id → struct registry_token */
	struct map uses;        /* "id/key" → struct tls_pin */
	struct map nodes;       /* name → struct registry_node */
	struct map revocations; /* identity or serial → … */
};

void registry_init(struct registry *r);
void registry_fini(struct registry *r);

/* A row that is of no use is left out, with a warning in the log. */
void registry_take(struct registry *r, const struct store_row *row);

/* NULL if there is none. Borrowed until the next change. */
const struct registry_token *registry_token(
    const struct registry *r, struct slice id);
const struct registry_node *registry_node(
    const struct registry *r, struct slice name);

/* NULL if there is none. `what` is an identity's URI or a serial. */
const struct registry_revocation *registry_revocation(
    const struct registry *r, struct slice what);

/* Since when, or 0. */
int64_t registry_revoked_since(const struct registry *r, struct slice what);

/* Was the node's last certificate issued before it was revoked? */
bool registry_node_is_revoked(const struct registry *r,
    const struct registry_node *n, struct slice trust_domain);

/* The keys that joined by a token, in a new array (mem_free). */
struct tls_pin *registry_users(
    const struct registry *r, struct slice token_id, size_t *out_count);

/* --- the rows' JSON columns, written ---------------------------------------
 */

MUST_USE enum err registry_bounds_encode(
    const struct ca_bounds *b, struct arena *arena, struct slice *out);

/* As written by these; ERR_INVALID, ERR_PARSE. */
MUST_USE enum err registry_bounds_decode(
    struct slice json, struct ca_bounds *out);

/*
 * The node's row as an operation; text lies in the arena or is borrowed from
 * `n`, which has everything but revision and times.
 */
MUST_USE enum err registry_node_op(const struct registry_node *n,
    struct arena *arena, int64_t expected, struct store_op *out);

#endif
