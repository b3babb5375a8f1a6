/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority — lifetimes, names, renewal, and CAs that were brought along.
 */
#include "office.h"
#include "unit.h"

static struct ca_leaf_spec
spec_of(enum ca_leaf kind, const struct tls_key *key)
{
	return (struct ca_leaf_spec){.kind = kind,
	    .ns = S("default"),
	    .account = S("web"),
	    .spki = tls_key_spki(key),
	    .now_ms = NOW_MS,
	    .serial = {5}};
}

static void
expect_life(struct office *o, enum ca_leaf kind, const char *uri, int64_t ms)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct ca_leaf_spec spec = spec_of(kind, key);
	struct tls_cert_info info;

	EXPECT_EQ(ca_issue(o->ca, &spec, &chain, NULL), OK);
	tls_cert_inspect(chain, 0, &info);
	EXPECT_STR(info.uri, uri);
	EXPECT_EQ(info.not_before_ms, NOW_MS - CA_BACKDATE_MS);
	EXPECT_EQ(info.not_after_ms, NOW_MS + ms);
	EXPECT_EQ(tls_chain_count(chain), 2); /* without the root */
	EXPECT_EQ(tls_chain_verify(chain, o->trust, NOW_MS, NULL, NULL), OK);
}

TEST(each_kind_of_leaf_has_its_name_and_its_life)
{
	struct office o;

	office_init(&o);
	expect_life(&o, CA_LEAF_NODE,
	    "spiffe://mesh.internal/ns/meshd-nodes/sa/web", 7 * CA_DAY_MS);
	expect_life(&o, CA_LEAF_SERVER,
	    "spiffe://mesh.internal/ns/meshd-servers/sa/web", 7 * CA_DAY_MS);
	expect_life(&o, CA_LEAF_WORKLOAD,
	    "spiffe://mesh.internal/ns/default/sa/web", 3 * CA_DAY_MS);
	office_fini(&o);
}

TEST(a_leaf_never_outlives_its_issuer)
{
	struct office o;
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	AUTO(tls_chain_unref) struct tls_chain *none = NULL;
	struct ca_leaf_spec spec;
	struct tls_cert_info info;

	office_init(&o);
	key = tls_key_new();
	spec = spec_of(CA_LEAF_NODE, key);
	spec.now_ms = NOW_MS + 29 * CA_DAY_MS;
	EXPECT_EQ(ca_issue(o.ca, &spec, &chain, NULL), OK);
	tls_cert_inspect(chain, 0, &info);
	EXPECT_EQ(info.not_after_ms, ca_not_after_ms(o.ca));
	EXPECT_EQ(info.not_after_ms, NOW_MS + 30 * CA_DAY_MS);
	spec.now_ms = NOW_MS + 31 * CA_DAY_MS;
	EXPECT_EQ(ca_issue(o.ca, &spec, &none, NULL), ERR_EXPIRED);
	office_fini(&o);
}

TEST(a_servers_leaf_carries_the_root_and_its_names_when_asked)
{
	struct office o;
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct ca_leaf_spec spec;
	struct slice dns = S("mesh.example");
	struct addr ip;
	struct tls_pin pin;
	struct tls_cert_info info;

	office_init(&o);
	EXPECT_EQ(addr_parse_ip(S("::1"), &ip), OK);
	key = tls_key_new();
	spec = spec_of(CA_LEAF_SERVER, key);
	spec.dns_names = &dns;
	spec.dns_count = 1;
	spec.ips = &ip;
	spec.ip_count = 1;
	spec.with_root = true;
	EXPECT_EQ(ca_issue(o.ca, &spec, &chain, NULL), OK);
	EXPECT_EQ(tls_chain_count(chain), 3);
	tls_cert_inspect(chain, 2, &info);
	ca_root_pin(o.ca, &pin);
	EXPECT_TRUE(tls_pin_eq(&info.pin, &pin));
	EXPECT_EQ(info.not_after_ms, NOW_MS + CA_ROOT_MS);
	office_fini(&o);
}

TEST(an_account_that_makes_no_identity_is_refused)
{
	struct office o;
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct ca_leaf_spec spec;

	office_init(&o);
	key = tls_key_new();
	spec = spec_of(CA_LEAF_WORKLOAD, key);
	spec.account = S("a/b");
	EXPECT_EQ(ca_issue(o.ca, &spec, &chain, NULL), ERR_INVALID);
	office_fini(&o);
}

TEST(renewal_falls_between_a_fifth_and_35_percent_of_the_life)
{
	struct tls_cert_info leaf = {.not_before_ms = NOW_MS - CA_BACKDATE_MS,
	    .not_after_ms = NOW_MS + 100 * CA_HOUR_MS};
	struct rng rng;
	int64_t least = INT64_MAX, most = 0;

	rng_init(&rng, 1);
	for (int i = 0; i < 1000; i++) {
		int64_t at = ca_renew_at_ms(&leaf, &rng) - NOW_MS;

		least = MIN(least, at);
		most = MAX(most, at);
	}
	EXPECT_TRUE(least >= 20 * CA_HOUR_MS && least < 21 * CA_HOUR_MS);
	EXPECT_TRUE(most <= 35 * CA_HOUR_MS && most > 34 * CA_HOUR_MS);
}

TEST(a_root_of_our_own_passes_the_check_of_given_ones)
{
	struct office o;

	office_init(&o);
	EXPECT_EQ(ca_root_check(o.root, o.root_key, NOW_MS, NULL), OK);
	EXPECT_EQ(ca_root_check(o.root, o.key, NOW_MS, NULL), ERR_INVALID);
	EXPECT_EQ(
	    ca_root_check(o.root, o.root_key, NOW_MS + 2 * CA_ROOT_MS, NULL),
	    ERR_EXPIRED);
	office_fini(&o);
}

TEST(a_given_authority_needs_room_below_it)
{
	struct office o;
	struct fault why = {0};

	office_init(&o);
	/* Our intermediate allows none below itself. */
	EXPECT_EQ(ca_root_check(o.chain, o.key, NOW_MS, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "allows only 0") != NULL);
	office_fini(&o);
}

TEST(a_voucher_says_what_was_granted_and_verifies)
{
	struct office o;
	struct ca_grant grant = {"default,shop", "*"};
	uint8_t key[CRYPTO_ED25519_PUBLIC_LEN] = {3};
	uint8_t bytes[GOSSIP_VOUCHER_MAX], ca_key[CRYPTO_ED25519_PUBLIC_LEN];
	size_t len = 0;
	struct gossip_trust trust = {.count = 1};
	struct gossip_voucher v;
	struct ca_voucher_spec spec = {.gossip_key = key,
	    .node_name = S("web-1"),
	    .network = S("default"),
	    .grant = &grant,
	    .issued_ms = NOW_MS,
	    .expires_ms = NOW_MS + CA_NODE_MS};

	office_init(&o);
	ca_voucher_key(o.ca, ca_key);
	EXPECT_MEM(ca_key, o.voucher_public, sizeof(ca_key));
	EXPECT_EQ(ca_voucher_make(o.ca, &spec, bytes, &len, NULL), OK);
	memcpy(trust.keys[0], ca_key, sizeof(ca_key));
	EXPECT_EQ(gossip_voucher_verify(
		      slice_of(bytes, len), &trust, NOW_MS / 1000, &v),
	    OK);
	EXPECT_SLICE(v.namespaces, S("default,shop"));
	EXPECT_SLICE(v.name, S("web-1"));
	EXPECT_TRUE(gossip_voucher_grants(&v, S("shop"), S("any")));
	office_fini(&o);
}

TEST(a_revocation_is_signed_by_the_key_of_vouchers)
{
	struct office o;
	struct gossip_revoked *set = gossip_revoked_new();
	struct gossip_trust trust = {.count = 1};
	struct gossip_revocation r = {S("vm1"), NOW_MS, NOW_MS / 1000 + 60};
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	size_t len;

	office_init(&o);
	memcpy(trust.keys[0], o.voucher_public, sizeof(trust.keys[0]));
	EXPECT_EQ(ca_revocation_make(o.ca, &r, bytes, &len), OK);
	EXPECT_EQ(gossip_revoked_add(
		      set, slice_of(bytes, len), &trust, NOW_MS / 1000),
	    OK);
	EXPECT_TRUE(gossip_revoked_has(set, S("vm1"), NOW_MS / 1000));
	r.node = S("no name");
	EXPECT_EQ(ca_revocation_make(o.ca, &r, bytes, &len), ERR_INVALID);
	gossip_revoked_free(&set);
	office_fini(&o);
}
