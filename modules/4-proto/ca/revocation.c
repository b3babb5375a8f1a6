/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — is a certificate or a voucher one that was taken back?
 *
 * A node's workloads share their identities with other nodes, so they are told
 * apart by the common name, which is the holder's (ca_leaf_spec).
 */
#include "authority.h"

struct slice
ca_node_of(struct slice uri)
{
	struct identity id;

	if (name_identity_parse(uri, &id, NULL) != OK ||
	    !slice_eq(id.ns, S(CA_NS_NODES)))
		return SLICE_NONE;
	return id.account;
}

bool
ca_node_is_revoked(const struct ca_revocation *list, size_t count,
    struct slice node, int64_t issued_ms)
{
	for (size_t i = 0; i < count; i++)
		if (issued_ms <= list[i].since_ms && node.len > 0 &&
		    slice_eq(ca_node_of(list[i].identity), node))
			return true;
	return false;
}

bool
ca_peer_is_revoked(
    const struct ca_revocation *list, size_t count, const struct tls_peer *peer)
{
	int64_t issued_ms = peer->not_before_ms + CA_BACKDATE_MS;

	for (size_t i = 0; i < count; i++)
		if (issued_ms <= list[i].since_ms &&
		    slice_eq(list[i].identity, slice_str(peer->uri)))
			return true;
	return ca_node_is_revoked(
	    list, count, slice_str(peer->common_name), issued_ms);
}

MUST_USE enum err
ca_revocation_make(const struct ca *ca, const struct gossip_revocation *r,
    uint8_t out[GOSSIP_REVOCATION_MAX], size_t *out_len)
{
	return gossip_revocation_sign(r, ca->voucher_secret, out, out_len);
}
