/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record — vouchers, states and offers in bytes, and who may say what.
 */
#include "pool.h"
#include "unit.h"

static struct gossip_voucher
a_voucher(void)
{
	return (struct gossip_voucher){.public_key = {7},
	    .name = S("vm-1.example"),
	    .network = S("default"),
	    .namespaces = S("default,shop"),
	    .accounts = S("web,*"),
	    .issued_s = 1000,
	    .expires_s = 100000};
}

TEST(a_voucher_comes_back_as_it_was_signed)
{
	struct gossip_voucher in = a_voucher();
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	uint8_t bytes[GOSSIP_VOUCHER_MAX];
	struct gossip_trust trust;
	struct gossip_voucher out;
	size_t len;

	pool_ca(ca, &trust);
	EXPECT_EQ(gossip_voucher_sign(&in, ca, bytes, &len, NULL), OK);
	EXPECT_EQ(
	    gossip_voucher_verify(slice_of(bytes, len), &trust, 5000, &out),
	    OK);
	EXPECT_SLICE(out.name, in.name);
	EXPECT_SLICE(out.namespaces, in.namespaces);
	EXPECT_SLICE(out.accounts, in.accounts);
	EXPECT_EQ(out.issued_s, 1000);
	EXPECT_MEM(out.public_key, in.public_key, sizeof(in.public_key));
}

TEST(a_voucher_of_another_ca_changed_or_expired_does_not_stand)
{
	struct gossip_voucher in = a_voucher();
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	uint8_t bytes[GOSSIP_VOUCHER_MAX];
	struct gossip_trust trust;
	struct gossip_trust other = {.count = 1};
	struct gossip_voucher out;
	struct slice s;
	size_t len;

	pool_ca(ca, &trust);
	EXPECT_EQ(gossip_voucher_sign(&in, ca, bytes, &len, NULL), OK);
	s = slice_of(bytes, len);
	EXPECT_EQ(gossip_voucher_verify(s, &other, 5000, &out), ERR_AUTH);
	/* Two hours of skew are forgiven, a second more is not. */
	EXPECT_EQ(gossip_voucher_verify(s, &trust, 107200, &out), OK);
	EXPECT_EQ(gossip_voucher_verify(s, &trust, 107201, &out), ERR_EXPIRED);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= 0x20;
		EXPECT_NE(gossip_voucher_verify(s, &trust, 5000, &out), OK);
		bytes[i] ^= 0x20;
	}
	for (size_t i = 0; i < len; i++)
		EXPECT_NE(gossip_voucher_verify(
			      slice_of(bytes, i), &trust, 5000, &out),
		    OK);
}

TEST(a_voucher_with_too_much_text_is_refused_in_words)
{
	struct gossip_voucher in = a_voucher();
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	uint8_t bytes[GOSSIP_VOUCHER_MAX];
	struct gossip_trust trust;
	struct fault why = {0};
	size_t len = 77;

	pool_ca(ca, &trust);
	in.namespaces = S("a-long-namespace,another-long-namespace,"
			  "a-third-long-namespace,and-a-fourth-one");
	EXPECT_EQ(gossip_voucher_sign(&in, ca, bytes, &len, &why), ERR_LIMIT);
	EXPECT_TRUE(strstr(why.text, "room for 91") != NULL);
	EXPECT_EQ(len, 77);
	in.namespaces = S("Not A Name");
	EXPECT_EQ(gossip_voucher_sign(&in, ca, bytes, &len, &why), ERR_INVALID);
}

TEST(a_grant_needs_the_namespace_and_the_account)
{
	struct gossip_voucher v = a_voucher();

	v.accounts = S("web,api");
	EXPECT_TRUE(gossip_voucher_grants(&v, S("shop"), S("web")));
	EXPECT_TRUE(gossip_voucher_grants(&v, S("default"), S("")));
	EXPECT_FALSE(gossip_voucher_grants(&v, S("other"), S("web")));
	EXPECT_FALSE(gossip_voucher_grants(&v, S("shop"), S("we")));
	v.namespaces = S("*");
	EXPECT_TRUE(gossip_voucher_grants(&v, S("other"), S("api")));
	v.namespaces = S("");
	EXPECT_FALSE(gossip_voucher_grants(&v, S("default"), S("api")));
}

TEST(a_state_takes_at_most_a_hundred_bytes_and_a_signature)
{
	struct pool_node n;
	struct state in = {.boot = UINT64_MAX,
	    .incarnation = 3,
	    .epoch = 4,
	    .unhealthy = 5,
	    .voucher = 6,
	    .offers = 7,
	    .health = GOSSIP_DRAINING,
	    .left = true};
	uint8_t bytes[GOSSIP_STATE_MAX];
	struct state out;
	size_t len;

	pool_node(&n, 1);
	in.id = n.id;
	EXPECT_EQ(addr_parse(S("[2001:db8::1]:15946"), &in.addr), OK);
	len = state_encode(&in, n.secret, bytes);
	EXPECT_TRUE(len <= 100 + CRYPTO_ED25519_SIGNATURE_LEN);
	EXPECT_EQ(state_decode(slice_of(bytes, len), &out), OK);
	EXPECT_TRUE(addr_eq(&out.addr, &in.addr));
	EXPECT_EQ(out.epoch, 4);
	EXPECT_TRUE(out.left);
	EXPECT_TRUE(record_check(slice_of(bytes, len), RECORD_STATE,
	    n.public_key, crypto_ed25519_verify));
	EXPECT_FALSE(record_check(slice_of(bytes, len), RECORD_OFFERS,
	    n.public_key, crypto_ed25519_verify));
	for (size_t i = 0; i < len; i++)
		EXPECT_EQ(state_decode(slice_of(bytes, i), &out), ERR_PARSE);
}

struct encoded {
	struct pool_node node;
	struct gossip_voucher voucher;
	struct gossip_service services[3];
	struct gossip_offers offers;
	uint8_t bytes[4096];
	size_t len;
};

static enum err
encode(struct encoded *e)
{
	struct packer p = {.mem = e->bytes, .cap = sizeof(e->bytes)};
	enum err err =
	    offers_encode(&e->offers, &e->node.id, e->node.secret, &p, NULL);

	e->len = p.len;
	return err;
}

static void
prepare(struct encoded *e)
{
	pool_node(&e->node, 1);
	pool_offers(&e->offers, e->services, ARRAY_LEN(e->services));
	EXPECT_EQ(
	    gossip_voucher_parse(
		slice_of(e->node.voucher, e->node.voucher_len), &e->voucher),
	    OK);
	EXPECT_EQ(encode(e), OK);
}

static enum err
check(const struct encoded *e, struct fault *why)
{
	return offers_check(
	    slice_of(e->bytes, e->len), &e->node.id, &e->voucher, why);
}

TEST(offers_come_back_as_they_were_made)
{
	AUTO(arena_fini) struct arena arena;
	struct encoded e;
	struct gossip_offers out;

	arena_init(&arena, 1 << 16);
	prepare(&e);
	EXPECT_EQ(check(&e, NULL), OK);
	EXPECT_EQ(
	    gossip_offers_decode(slice_of(e.bytes, e.len), &arena, &out), OK);
	EXPECT_EQ(out.service_count, 3);
	EXPECT_EQ(out.services[2].port, 8082);
	EXPECT_EQ(out.services[2].label_count, 3);
	EXPECT_SLICE(out.services[2].labels[1].value, S("v1"));
	EXPECT_SLICE(out.locality, S("eu/west/a"));
	EXPECT_TRUE(addr_eq(&out.addrs[0], &e.offers.addrs[0]));
	for (size_t i = 0; i < e.len; i++) {
		arena_reset(&arena);
		EXPECT_EQ(
		    gossip_offers_decode(slice_of(e.bytes, i), &arena, &out),
		    ERR_PARSE);
	}
}

TEST(offers_outside_the_voucher_are_denied_in_words)
{
	struct fault why = {0};
	struct encoded e;

	prepare(&e);
	e.services[1].ns = S("bank");
	EXPECT_EQ(encode(&e), OK);
	EXPECT_EQ(check(&e, &why), ERR_DENIED);
	EXPECT_TRUE(strstr(why.text, "namespace bank") != NULL);
	e.services[1].ns = S("shop");
	e.services[1].account = S("root");
	EXPECT_EQ(encode(&e), OK);
	EXPECT_EQ(check(&e, &why), ERR_DENIED);
	e.services[1].account = S("web");
	e.offers.network = S("elsewhere");
	EXPECT_EQ(encode(&e), OK);
	EXPECT_EQ(check(&e, &why), ERR_DENIED);
	EXPECT_TRUE(strstr(why.text, "elsewhere") != NULL);
}

TEST(a_service_without_a_port_is_none)
{
	AUTO(arena_fini) struct arena arena;
	struct gossip_offers out;
	struct fault why = {0};
	struct encoded e;

	arena_init(&arena, 1 << 16);
	prepare(&e);
	e.services[1].port = 0;
	EXPECT_EQ(encode(&e), OK);
	EXPECT_EQ(check(&e, &why), ERR_PARSE);
	EXPECT_TRUE(strstr(why.text, "service 2") != NULL);
	EXPECT_EQ(gossip_offers_decode(slice_of(e.bytes, e.len), &arena, &out),
	    ERR_PARSE);
}

TEST(each_failing_allocation_of_a_decode_is_reported)
{
	struct encoded e;
	enum err err = ERR_NO_MEMORY;
	uint64_t n = 0;

	prepare(&e);
	while (err != OK) {
		AUTO(arena_fini) struct arena arena;
		struct gossip_offers out;

		arena_init(&arena, 1 << 16);
		mem_fail_at(++n);
		err = gossip_offers_decode(
		    slice_of(e.bytes, e.len), &arena, &out);
		mem_fail_at(0);
		EXPECT_TRUE(err == OK || err == ERR_NO_MEMORY);
		EXPECT_TRUE(n < 100);
	}
	EXPECT_TRUE(n > 1);
}

TEST(health_of_a_service_is_the_nodes_the_offers_and_the_bits)
{
	struct gossip_member m = {.health = GOSSIP_HEALTHY};
	struct gossip_record r = {.member = &m, .unhealthy = 1 << 1};
	struct encoded e;

	prepare(&e);
	e.services[2].health = GOSSIP_UNHEALTHY;
	EXPECT_TRUE(gossip_service_is_healthy(&r, &e.services[0], 0));
	EXPECT_FALSE(gossip_service_is_healthy(&r, &e.services[1], 1));
	EXPECT_FALSE(gossip_service_is_healthy(&r, &e.services[2], 2));
	m.health = GOSSIP_DRAINING;
	EXPECT_FALSE(gossip_service_is_healthy(&r, &e.services[0], 0));
}
