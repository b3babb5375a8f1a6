/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — what makes a mesh this one: root, voucher key, gossip keys, its id.
 *
 * Made once by `server init`, sealed in the store from then on, the same on
 * every server. Secrets lie here in the clear as long as the server runs.
 */
#ifndef MESHD_SERVER_MESH_H
#define MESHD_SERVER_MESH_H

#include "ca/ca.h"
#include "gossip/gossip.h"
#include "store/store.h"

/* Services' names end in it; networks are not configured yet. */
#define MESH_DOMAIN "mesh.internal"
#define MESH_NETWORK "default"

struct mesh {
	char trust_domain[NAME_TRUST_DOMAIN_MAX + 1];
	uint8_t id[GOSSIP_MESH_LEN];
	/* From the certificate of root_key up to the root; may be only that. */
	struct tls_chain *root_chain;
	struct tls_key *root_key;
	uint8_t voucher_secret[CRYPTO_ED25519_SECRET_LEN];
	struct gossip_keyring keyring; /* of MESH_NETWORK */
	uint32_t parts;                /* which of them are here, private */
};

void mesh_init(struct mesh *m);
void mesh_fini(struct mesh *m);

/*
 * Draws everything anew. `cert` and `key` are PEM files of a CA to use
 * instead of a root of our own, or both NULL. ERR_INVALID in words.
 */
MUST_USE enum err mesh_make(struct mesh *m, const char *trust_domain,
    const char *cert, const char *key, int64_t now_ms, struct fault *why);

enum { MESH_OPS = 5 };

/* The operations that put it into the store; text lies in the arena. */
MUST_USE enum err mesh_ops(const struct mesh *m, const struct store *store,
    struct arena *arena, struct store_op ops[MESH_OPS]);

/* A row of the store that may be part of it; others are ignored. */
MUST_USE enum err mesh_take(struct mesh *m, const struct store *store,
    const struct store_row *row, struct fault *why);

/* OK, or ERR_CORRUPT in words about what is missing. */
MUST_USE enum err mesh_check(const struct mesh *m, struct fault *why);

#endif
