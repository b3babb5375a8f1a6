/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own — what this one server is: its name, addresses, keys and certificates.
 *
 * Its intermediate, its gossip key and the API's key lie in the state directory
 * (0600) and never enter the store. The key that agents see is only in memory:
 * a new one comes with each start and each renewal. That of the API stays,
 * because people and programs pin it.
 */
#ifndef MESHD_SERVER_OWN_H
#define MESHD_SERVER_OWN_H

#include "ca/ca.h"
#include "gossip/gossip.h"

#include "mesh.h"
#include "server.h"

struct own {
	char name[GOSSIP_NAME_MAX + 1];
	/* At which agents reach it: as written, and those that are IPs. */
	char hosts[SERVER_ADVERTISED_MAX][NAME_HOST_MAX + 1];
	size_t host_count;
	struct addr ips[SERVER_ADVERTISED_MAX];
	size_t ip_count;
	struct ca *ca;
	struct tls_trust *trust;
	struct tls_identity *identity;
	struct tls_key *api_key;
	struct tls_identity *api_identity;
	int64_t renew_at_ms; /* of the identities */
	struct rng rng;
	uint8_t gossip_public[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t gossip_secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
};

void own_init(struct own *o);
void own_fini(struct own *o);

/*
 * Names and addresses first, then keys from the state directory, which are
 * made if they are not there, are of another root or past half of their life;
 * then a certificate and a voucher. Words for everything that fails.
 */
MUST_USE enum err own_open(struct own *o, const struct server_spec *spec,
    const struct mesh *mesh, struct fault *why);

/* Whether own_renew() is due. */
bool own_is_due(const struct own *o, int64_t now_ms);

/*
 * A new intermediate, if that is past half of its life, a new certificate and
 * a new voucher. On failure what there was stays.
 */
MUST_USE enum err own_renew(struct own *o, const struct server_spec *spec,
    const struct mesh *mesh, struct fault *why);

/* "10.0.0.1:15012", "[fd00::1]:15012", "mesh.example:15012". */
MUST_USE enum err own_server_text(const struct own *o, size_t index,
    uint16_t port, char out[CA_TOKEN_SERVER_LEN]);

#endif
