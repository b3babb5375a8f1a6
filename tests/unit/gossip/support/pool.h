/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool — a CA and nodes with keys that are the same at every run.
 */
#ifndef MESHD_TEST_POOL_H
#define MESHD_TEST_POOL_H

#include "core.h"

enum { POOL_WALL_S = 1800000000 };

struct pool_node {
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN];
	struct gossip_id id;
	char name[32];
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t voucher_len;
	struct gossip_trust trust;
	struct addr addr;
};

/* Node `number`: namespaces "default,shop", accounts "web", till 2100. */
void pool_node(struct pool_node *out, unsigned number);

void pool_ca(
    uint8_t secret[CRYPTO_ED25519_SECRET_LEN], struct gossip_trust *out);

/* `services` of namespace "default", account "web", with 3 labels each. */
void pool_offers(
    struct gossip_offers *out, struct gossip_service *services, size_t count);
void pool_offer(struct gossip *g, size_t services);

/* A machine of this node that remembers the last payload of each kind. */
struct pool_machine {
	struct core *core;
	struct gossip_revoked *revoked;
	size_t sent;
	size_t events[GOSSIP_EVENT_CLOSED + 1];
	uint8_t status; /* of the last MEMBER */
	uint8_t
	    packet[PACKET_PAYLOAD_MAX]; /* the last one, or call, or answer */
	size_t packet_len;
	struct addr packet_to;
	size_t calls;
	size_t answers;
};

void pool_start(struct pool_machine *m, const struct pool_node *n);
void pool_stop(struct pool_machine *m);

/* Node `number` is revoked, for ten days; returns how long that is. */
size_t pool_revocation(
    unsigned number, int64_t since_ms, uint8_t out[GOSSIP_REVOCATION_MAX]);

#endif
