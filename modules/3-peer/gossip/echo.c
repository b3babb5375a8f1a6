/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo — a ping by who is no member, of the length that was asked for.
 *
 * A stranger is answered as everybody is; it cannot make a member send
 * anywhere else, and is not remembered but as the sender of a packet.
 */
#include "packet.h"
#include "wire.h"

struct gossip_echo {
	struct packets *packets;
};

struct gossip_echo *
gossip_echo_new(
    const uint8_t mesh[GOSSIP_MESH_LEN], const struct gossip_keyring *keyring)
{
	struct gossip_echo *e = mem_new(sizeof(*e));
	struct gossip_id self;
	uint64_t boot;

	/* Never the node's own: members would take it for its restart. */
	crypto_random(self.bytes, sizeof(self.bytes));
	crypto_random((uint8_t *)&boot, sizeof(boot));
	e->packets = packets_new(mesh, &self, boot);
	if (packets_set_keyring(e->packets, keyring) != OK)
		gossip_echo_free(&e);
	return e;
}

void
gossip_echo_free(struct gossip_echo **ep)
{
	if (*ep == NULL)
		return;
	packets_free(&(*ep)->packets);
	mem_free(ep);
}

void
gossip_echo_ask(struct gossip_echo *e, uint32_t seq, size_t size, uint8_t *out)
{
	static const struct gossip_id whoever;
	static const uint8_t nothing[PACKET_PAYLOAD_MAX];
	uint8_t payload[PACKET_PAYLOAD_MAX];
	struct packer p = {
	    .mem = payload, .cap = size - PACKET_HEAD - CRYPTO_AEAD_TAG_LEN};

	CHECK(size >= GOSSIP_ECHO_MIN && size <= LIMIT_GOSSIP_PACKET);
	CHECK(pack_ping(&p, seq, &whoever));
	CHECK(pack_part(
	    &p, PART_PADDING, slice_of(nothing, p.cap - p.len - PART_HEAD)));
	CHECK(packets_seal(e->packets, slice_of(payload, p.len), out) == size);
}

bool
gossip_echo_answer(
    struct gossip_echo *e, struct slice packet, uint32_t *out_seq)
{
	uint8_t payload[PACKET_PAYLOAD_MAX];
	struct packet_from from;
	struct reader r;
	struct part part;
	size_t len;

	if (packets_open(e->packets, packet, payload, &len, &from) != OK)
		return false;
	r = READER(slice_of(payload, len));
	while (wire_part_next(&r, &part)) {
		struct reader body = READER(part.body);
		uint32_t seq;

		if (part.type != PART_ACK)
			continue;
		seq = reader_u32(&body);
		if (reader_done(&body) != OK)
			return false;
		*out_seq = seq;
		return true;
	}
	return false;
}
