/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — the CA's word in bytes, and the set of those that are known.
 */
#include "pool.h"
#include "unit.h"

#include <stdio.h>

static struct gossip_trust trust;

static struct slice
signed_one(uint8_t out[GOSSIP_REVOCATION_MAX], const char *node,
    int64_t since_ms, uint32_t expires_s)
{
	struct gossip_revocation r = {slice_str(node), since_ms, expires_s};
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	size_t len;

	pool_ca(ca, &trust);
	EXPECT_EQ(gossip_revocation_sign(&r, ca, out, &len), OK);
	return slice_of(out, len);
}

static enum err
add(struct gossip_revoked *set, const char *node, int64_t since_ms,
    uint32_t expires_s)
{
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct slice s = signed_one(bytes, node, since_ms, expires_s);

	return gossip_revoked_add(set, s, &trust, POOL_WALL_S);
}

enum { LATER = POOL_WALL_S + 86400 };

TEST(a_revocation_comes_back_as_it_was_signed)
{
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct gossip_revocation out;
	struct slice s = signed_one(bytes, "vm-1.example", 1234567, LATER);

	EXPECT_EQ(gossip_revocation_parse(s, &out), OK);
	EXPECT_SLICE(out.node, S("vm-1.example"));
	EXPECT_EQ(out.since_ms, 1234567);
	EXPECT_EQ(out.expires_s, LATER);
}

TEST(the_longest_name_of_a_voucher_has_room)
{
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	char name[GOSSIP_NAME_MAX + 2];
	struct gossip_revocation r = {0};
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	size_t len;

	pool_ca(ca, &trust);
	memset(name, 'a', sizeof(name));
	r.node = slice_of(name, GOSSIP_NAME_MAX);
	EXPECT_EQ(gossip_revocation_sign(&r, ca, bytes, &len), OK);
	EXPECT_EQ(len, GOSSIP_REVOCATION_MAX);
	EXPECT_EQ(gossip_revocation_parse(slice_of(bytes, len), &r), OK);
	r.node = slice_of(name, GOSSIP_NAME_MAX + 1);
	EXPECT_EQ(gossip_revocation_sign(&r, ca, bytes, &len), ERR_INVALID);
	r.node = S("-no-");
	EXPECT_EQ(gossip_revocation_sign(&r, ca, bytes, &len), ERR_INVALID);
}

TEST(changed_cut_foreign_and_expired_ones_are_not_taken)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *set = gossip_revoked_new();
	const struct gossip_trust other = {.count = 1};
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct slice s = signed_one(bytes, "web-1", 1000, POOL_WALL_S);

	for (size_t i = 0; i < s.len; i++) {
		bytes[i] ^= 0x20;
		EXPECT_NE(gossip_revoked_add(set, s, &trust, POOL_WALL_S), OK);
		bytes[i] ^= 0x20;
		EXPECT_NE(gossip_revoked_add(
			      set, slice_of(bytes, i), &trust, POOL_WALL_S),
		    OK);
	}
	EXPECT_EQ(gossip_revoked_add(set, s, &other, POOL_WALL_S), ERR_AUTH);
	/* Two hours of skew are forgiven, a second more is not. */
	EXPECT_EQ(gossip_revoked_add(set, s, &trust, POOL_WALL_S + 7201),
	    ERR_EXPIRED);
	EXPECT_EQ(set->count, 0);
	EXPECT_EQ(gossip_revoked_add(set, s, &trust, POOL_WALL_S + 7200), OK);
	EXPECT_EQ(gossip_revoked_add(set, s, &trust, POOL_WALL_S), ERR_EXISTS);
}

TEST(a_signature_of_another_kind_is_none)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *set = gossip_revoked_new();
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	struct slice s = signed_one(bytes, "web-1", 1000, LATER);
	struct packer p = {
	    .mem = bytes, .cap = sizeof(bytes), .len = record_body(s).len};

	pool_ca(ca, &trust);
	record_sign(&p, 0, RECORD_VOUCHER, ca);
	EXPECT_EQ(p.len, s.len);
	EXPECT_EQ(gossip_revoked_add(set, s, &trust, POOL_WALL_S), ERR_AUTH);
}

TEST(of_two_about_one_node_the_later_counts_in_any_order)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *a = gossip_revoked_new();
	AUTO(gossip_revoked_free)
	struct gossip_revoked *b = gossip_revoked_new();

	EXPECT_EQ(add(a, "web-1", 5000, LATER), OK);
	EXPECT_EQ(add(a, "web-1", 9000, LATER), OK);
	EXPECT_EQ(add(a, "web-1", 5000, LATER + 1), ERR_EXISTS);
	EXPECT_EQ(add(b, "web-1", 9000, LATER), OK);
	EXPECT_EQ(add(b, "web-1", 5000, LATER), ERR_EXISTS);
	EXPECT_EQ(a->count, 1);
	EXPECT_EQ(a->hash, b->hash);
	EXPECT_TRUE(gossip_revoked_has(a, S("web-1"), 9));
	EXPECT_FALSE(gossip_revoked_has(a, S("web-1"), 10));
	EXPECT_FALSE(gossip_revoked_has(a, S("web-2"), 1));
}

TEST(a_full_set_keeps_those_that_last_longest)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *set = gossip_revoked_new();
	char name[16];

	for (unsigned i = 0; i < GOSSIP_REVOCATIONS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n-%u", i);
		EXPECT_EQ(add(set, name, 1000, LATER + i), OK);
	}
	EXPECT_EQ(add(set, "short", 1000, LATER - 1), ERR_LIMIT);
	EXPECT_EQ(add(set, "long", 1000, LATER + 1), OK);
	EXPECT_EQ(set->count, GOSSIP_REVOCATIONS_MAX);
	EXPECT_FALSE(gossip_revoked_has(set, S("n-0"), 1));
	EXPECT_TRUE(gossip_revoked_has(set, S("n-1"), 1));
	EXPECT_TRUE(gossip_revoked_has(set, S("long"), 1));
}

TEST(what_has_expired_is_swept)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *set = gossip_revoked_new();

	EXPECT_EQ(add(set, "a", 1000, LATER), OK);
	EXPECT_EQ(add(set, "b", 1000, LATER + 10), OK);
	EXPECT_EQ(add(set, "c", 1000, LATER), OK);
	revoked_sweep(set, LATER + 7200);
	EXPECT_EQ(set->count, 3);
	revoked_sweep(set, LATER + 7201);
	EXPECT_EQ(set->count, 1);
	EXPECT_EQ(set->hash, set->items[0]->hash);
	revoked_sweep(set, LATER + 7211);
	EXPECT_EQ(set->count, 0);
	EXPECT_EQ(set->hash, 0);
}

TEST(a_set_comes_back_from_the_disk_and_damage_is_told)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *set = gossip_revoked_new();
	AUTO(gossip_revoked_free)
	struct gossip_revoked *back = gossip_revoked_new();
	AUTO(gossip_revoked_free)
	struct gossip_revoked *some = gossip_revoked_new();
	AUTO(buf_fini) struct buf file = BUF(GOSSIP_REVOKED_BYTES_MAX);
	struct slice bytes;

	EXPECT_EQ(add(set, "a", 1000, LATER), OK);
	EXPECT_EQ(add(set, "b", 1000, LATER + 9999), OK);
	EXPECT_EQ(gossip_revoked_encode(set, &file), OK);
	bytes = buf_slice(&file);
	EXPECT_EQ(gossip_revoked_decode(back, bytes, &trust, POOL_WALL_S), OK);
	EXPECT_EQ(back->hash, set->hash);
	/* What expired while nothing ran is no damage. */
	EXPECT_EQ(gossip_revoked_decode(some, bytes, &trust, LATER + 7201), OK);
	EXPECT_EQ(some->count, 1);
	EXPECT_EQ(gossip_revoked_decode(some,
		      slice_sub(bytes, 0, bytes.len - 1), &trust, POOL_WALL_S),
	    ERR_CORRUPT);
	EXPECT_EQ(some->count, 2); /* the one that was whole */
	EXPECT_EQ(gossip_revoked_decode(some, S("\2"), &trust, POOL_WALL_S),
	    ERR_CORRUPT);
	EXPECT_EQ(gossip_revoked_decode(some, SLICE_NONE, &trust, POOL_WALL_S),
	    ERR_CORRUPT);
}
