/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo — packets of a stranger, of the length that was asked for.
 */
#include "packet.h"
#include "unit.h"
#include "wire.h"

static const uint8_t mesh[GOSSIP_MESH_LEN] = {1};
static const struct gossip_keyring ring = {{{1, {1}}}, 1};

/* As a member answers: what else it has to say comes along. */
static size_t
answer(struct packets *p, uint32_t seq, uint8_t out[LIMIT_GOSSIP_PACKET])
{
	static const struct gossip_id nobody;
	uint8_t payload[PACKET_PAYLOAD_MAX];
	struct packer k = {.mem = payload, .cap = sizeof(payload)};

	EXPECT_TRUE(pack_pull(&k, &nobody, WANT_STATE));
	EXPECT_TRUE(pack_seq(&k, PART_ACK, seq));
	return packets_seal(p, slice_of(payload, k.len), out);
}

TEST(a_member_understands_a_question_of_any_length)
{
	static const size_t sizes[] = {
	    GOSSIP_ECHO_MIN, 777, LIMIT_GOSSIP_PACKET};
	static const struct gossip_id member = {{9}}, whoever;
	AUTO(gossip_echo_free)
	struct gossip_echo *e = gossip_echo_new(mesh, &ring);
	AUTO(packets_free) struct packets *p = packets_new(mesh, &member, 1);
	uint8_t packet[LIMIT_GOSSIP_PACKET], payload[PACKET_PAYLOAD_MAX];
	struct packet_from from;
	size_t len;

	EXPECT_OK(packets_set_keyring(p, &ring));
	for (uint32_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct part part;
		struct reader r, body;
		struct gossip_id target;

		gossip_echo_ask(e, i + 1, sizes[i], packet);
		EXPECT_OK(packets_open(
		    p, slice_of(packet, sizes[i]), payload, &len, &from));
		r = READER(slice_of(payload, len));
		EXPECT_TRUE(wire_part_next(&r, &part));
		EXPECT_EQ(part.type, PART_PING);
		body = READER(part.body);
		EXPECT_EQ(reader_u32(&body), i + 1);
		target = wire_id(&body);
		EXPECT_TRUE(gossip_id_eq(&target, &whoever));
		EXPECT_TRUE(wire_part_next(&r, &part));
		EXPECT_EQ(part.type, PART_PADDING);
		EXPECT_FALSE(wire_part_next(&r, &part));
		EXPECT_FALSE(r.failed);
	}
}

TEST(an_answer_tells_which_question_it_is_for)
{
	static const struct gossip_id member = {{9}};
	static const uint8_t other[GOSSIP_MESH_LEN] = {2};
	AUTO(gossip_echo_free)
	struct gossip_echo *e = gossip_echo_new(mesh, &ring);
	AUTO(packets_free) struct packets *p = packets_new(mesh, &member, 1);
	AUTO(packets_free) struct packets *q = packets_new(other, &member, 1);
	uint8_t packet[LIMIT_GOSSIP_PACKET];
	uint32_t seq = 0;
	size_t len;

	EXPECT_OK(packets_set_keyring(p, &ring));
	EXPECT_OK(packets_set_keyring(q, &ring));
	len = answer(p, 3, packet);
	EXPECT_TRUE(gossip_echo_answer(e, slice_of(packet, len), &seq));
	EXPECT_EQ(seq, 3);
	EXPECT_FALSE(gossip_echo_answer(e, slice_of(packet, len), &seq));
	len = answer(q, 4, packet);
	EXPECT_FALSE(gossip_echo_answer(e, slice_of(packet, len), &seq));
	EXPECT_FALSE(gossip_echo_answer(e, S("rubbish"), &seq));
	len = packets_seal(p, S(""), packet);
	EXPECT_FALSE(gossip_echo_answer(e, slice_of(packet, len), &seq));
	EXPECT_EQ(seq, 3);
}

TEST(without_a_key_there_is_none)
{
	static const struct gossip_keyring none;

	EXPECT_TRUE(gossip_echo_new(mesh, &none) == NULL);
}
