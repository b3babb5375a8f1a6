/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet — sealing, replay windows, rotation, calls.
 */
#include "packet.h"

#include "unit.h"

static const uint8_t mesh[GOSSIP_MESH_LEN] = {1};
static const uint8_t other_mesh[GOSSIP_MESH_LEN] = {2};
static const struct gossip_id alice = {{0xa}};
static const struct gossip_id bob = {{0xb}};
static const struct gossip_keyring old_ring = {{{1, {11}}}, 1};
static const struct gossip_keyring both_rings = {{{2, {22}}, {1, {11}}}, 2};
static const struct gossip_keyring new_ring = {{{2, {22}}}, 1};

static struct packets *
make(const uint8_t *m, const struct gossip_id *id, uint64_t boot,
    const struct gossip_keyring *ring)
{
	struct packets *p = packets_new(m, id, boot);

	EXPECT_EQ(crypto_init(), OK);
	EXPECT_EQ(packets_set_keyring(p, ring), OK);
	return p;
}

static enum err
open_at(struct packets *p, const uint8_t *bytes, size_t len)
{
	uint8_t out[PACKET_PAYLOAD_MAX];
	struct packet_from from;
	size_t out_len;
	enum err err =
	    packets_open(p, slice_of(bytes, len), out, &out_len, &from);

	if (err == OK) {
		EXPECT_SLICE(slice_of(out, out_len), S("hello"));
		EXPECT_TRUE(gossip_id_eq(&from.node, &alice));
	}
	return err;
}

TEST(a_counter_is_accepted_once_and_not_when_too_old)
{
	struct window w = {0};

	EXPECT_TRUE(window_accept(&w, 1));
	EXPECT_FALSE(window_accept(&w, 1));
	EXPECT_TRUE(window_accept(&w, 300));
	EXPECT_TRUE(window_accept(&w, 299));
	EXPECT_TRUE(window_accept(&w, 300 - WINDOW_BITS + 1));
	EXPECT_FALSE(window_accept(&w, 300 - WINDOW_BITS));
	EXPECT_FALSE(window_accept(&w, 299));
	EXPECT_TRUE(window_accept(&w, UINT64_C(1) << 40));
	EXPECT_FALSE(window_accept(&w, 301));
	for (uint64_t i = 1; i < WINDOW_BITS; i++)
		EXPECT_TRUE(window_accept(&w, (UINT64_C(1) << 40) - i));
}

TEST(a_packet_opens_once_and_any_changed_byte_spoils_it)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	AUTO(packets_free) struct packets *b = make(mesh, &bob, 6, &old_ring);
	uint8_t sealed[LIMIT_GOSSIP_PACKET];
	size_t len = packets_seal(a, S("hello"), sealed);

	EXPECT_EQ(len, PACKET_HEAD + 5 + CRYPTO_AEAD_TAG_LEN);
	for (size_t i = 1; i < len; i++) {
		sealed[i] ^= 1;
		EXPECT_EQ(open_at(b, sealed, len), ERR_AUTH);
		sealed[i] ^= 1;
	}
	for (size_t i = 0; i < PACKET_HEAD + CRYPTO_AEAD_TAG_LEN; i++)
		EXPECT_EQ(open_at(b, sealed, i), ERR_PARSE);
	EXPECT_EQ(packets_senders(b), 0);
	EXPECT_EQ(open_at(b, sealed, len), OK);
	EXPECT_EQ(open_at(b, sealed, len), ERR_EXISTS);
	EXPECT_EQ(packets_senders(b), 1);
}

TEST(two_meshes_with_one_key_do_not_understand_each_other)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	AUTO(packets_free)
	struct packets *b = make(other_mesh, &bob, 6, &old_ring);
	uint8_t sealed[LIMIT_GOSSIP_PACKET];
	size_t len = packets_seal(a, S("hello"), sealed);

	EXPECT_EQ(open_at(b, sealed, len), ERR_AUTH);
}

TEST(while_keys_rotate_old_and_new_are_understood)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	AUTO(packets_free) struct packets *b = make(mesh, &bob, 6, &both_rings);
	uint8_t sealed[LIMIT_GOSSIP_PACKET];
	size_t len = packets_seal(a, S("hello"), sealed);

	EXPECT_EQ(open_at(b, sealed, len), OK);
	EXPECT_EQ(packets_set_keyring(a, &both_rings), OK);
	len = packets_seal(a, S("hello"), sealed);
	EXPECT_EQ(sealed[1], 2);
	EXPECT_EQ(open_at(b, sealed, len), OK);
	EXPECT_EQ(packets_set_keyring(a, &old_ring), OK);
	EXPECT_EQ(packets_set_keyring(b, &new_ring), OK);
	len = packets_seal(a, S("hello"), sealed);
	EXPECT_EQ(open_at(b, sealed, len), ERR_AUTH);
}

TEST(an_empty_keyring_or_one_number_twice_is_refused)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	struct gossip_keyring k = {{{1, {1}}, {1, {2}}}, 2};

	EXPECT_EQ(packets_set_keyring(a, &k), ERR_INVALID);
	k.count = 0;
	EXPECT_EQ(packets_set_keyring(a, &k), ERR_INVALID);
}

TEST(an_answer_opens_for_its_own_call_only)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	AUTO(packets_free) struct packets *b = make(mesh, &bob, 6, &old_ring);
	uint8_t first[CALL_OVERHEAD + 5];
	uint8_t second[CALL_OVERHEAD + 5];
	uint8_t answer[CALL_OVERHEAD + 2];
	uint8_t out[16];
	struct packet_from from;
	size_t len;

	call_seal(a, S("hello"), first);
	call_seal(a, S("hello"), second);
	EXPECT_EQ(call_length(slice_of(first, CALL_HEAD + 3), &len), OK);
	EXPECT_EQ(len, 0);
	EXPECT_EQ(call_length(slice_of(first, sizeof(first)), &len), OK);
	EXPECT_EQ(len, sizeof(first));
	EXPECT_EQ(call_open(b, NULL, slice_of(first, len), out, &from), OK);
	EXPECT_SLICE(slice_of(out, 5), S("hello"));
	EXPECT_TRUE(gossip_id_eq(&from.node, &alice));
	EXPECT_EQ(from.boot, 5);
	call_answer(b, first, S("ok"), answer);
	EXPECT_EQ(
	    call_open(a, second, slice_of(answer, sizeof(answer)), out, &from),
	    ERR_AUTH);
	EXPECT_EQ(
	    call_open(a, first, slice_of(answer, sizeof(answer)), out, &from),
	    OK);
	EXPECT_TRUE(gossip_id_eq(&from.node, &bob));
}

TEST(a_call_that_claims_too_much_is_refused_at_its_head)
{
	AUTO(packets_free) struct packets *a = make(mesh, &alice, 5, &old_ring);
	uint8_t bytes[CALL_OVERHEAD + 5];
	size_t len;

	call_seal(a, S("hello"), bytes);
	bytes[CALL_HEAD] = 0x7f;
	EXPECT_EQ(call_length(slice_of(bytes, sizeof(bytes)), &len), ERR_LIMIT);
	memset(bytes + CALL_HEAD, 0, CALL_LENGTH);
	EXPECT_EQ(call_length(slice_of(bytes, sizeof(bytes)), &len), ERR_PARSE);
	bytes[0] = 9;
	EXPECT_EQ(call_length(slice_of(bytes, 1), &len), ERR_PARSE);
}
