/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — each way to be refused, on a fake clock.
 */
#include <stdio.h>

#include "office.h"
#include "unit.h"

struct desk {
	struct office office;
	struct tls_key *key; /* the agent's */
	struct buf csr;
	struct ca_token token;
	struct ca_token_row row;
	struct ca_node_row node;
	uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t proof[CRYPTO_HMAC_LEN];
	struct ca_join join;
	struct ca_wanted wanted;
	struct ca_decision d;
	int64_t now_ms;
};

/* Makes the proof anew, as the agent would. */
static void
prove(struct desk *k)
{
	struct tls_csr csr;
	uint8_t key[CRYPTO_KEY_LEN];

	EXPECT_EQ(tls_csr_parse(buf_slice(&k->csr), &csr, NULL), OK);
	ca_token_key(&k->token, key);
	ca_join_proof(key, csr.sha256, k->gossip_key, k->proof);
	k->join.csr = buf_slice(&k->csr);
}

static void
ask_with_new_key(struct desk *k, struct slice uri)
{
	tls_key_unref(&k->key);
	k->key = tls_key_new();
	buf_reset(&k->csr);
	EXPECT_EQ(tls_csr_make(k->key, S("web-1"), uri, &k->csr), OK);
	prove(k);
}

static void
begin(struct desk *k)
{
	*k = (struct desk){.csr = BUF(TLS_CSR_BYTES_MAX)};
	office_init(&k->office);
	k->now_ms = NOW_MS + 60000;
	k->token = (struct ca_token){.id = {1}, .secret = {2}};
	k->row.created_ms = NOW_MS;
	ca_bounds_default(CA_ROLE_NONE, &k->row.bounds);
	ca_token_key(&k->token, k->row.key);
	memset(k->gossip_key, 7, sizeof(k->gossip_key));
	k->join = (struct ca_join){.gossip_key = k->gossip_key,
	    .proof = slice_of(k->proof, sizeof(k->proof)),
	    .node_name = S("web-1"),
	    .wanted = &k->wanted};
	EXPECT_EQ(addr_parse_ip(S("10.1.2.3"), &k->join.from), OK);
	ask_with_new_key(k, SLICE_NONE);
}

static void
end(struct desk *k)
{
	tls_key_unref(&k->key);
	buf_fini(&k->csr);
	office_fini(&k->office);
}

static void
expect_join(struct desk *k, enum ca_verdict wanted)
{
	ca_join_check(k->office.ca, &k->row, NULL, &k->join, k->now_ms, &k->d);
	EXPECT_STR(ca_verdict_code(k->d.verdict), ca_verdict_code(wanted));
}

TEST(a_good_request_is_granted_what_the_token_grants)
{
	struct desk k;

	begin(&k);
	expect_join(&k, CA_OK);
	EXPECT_TRUE(k.d.first_use);
	EXPECT_STR(k.d.grant.namespaces, "default");
	EXPECT_EQ(k.d.csr.spki_len, tls_key_spki(k.key).len);
	end(&k);
}

TEST(an_unknown_token_is_refused)
{
	struct desk k;

	begin(&k);
	ca_join_check(k.office.ca, NULL, NULL, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_TOKEN_UNKNOWN);
	end(&k);
}

TEST(an_expired_token_is_refused_and_says_since_when)
{
	struct desk k;
	char words[200];

	begin(&k);
	k.now_ms = NOW_MS + CA_TOKEN_MS - 1;
	expect_join(&k, CA_OK);
	k.now_ms = NOW_MS + CA_TOKEN_MS + 10 * 60000;
	expect_join(&k, CA_TOKEN_EXPIRED);
	ca_decision_format(&k.d, words, sizeof(words));
	EXPECT_STR(words, "the token has expired (10 min ago)");
	k.now_ms = NOW_MS + CA_TOKEN_MS + 9000;
	expect_join(&k, CA_TOKEN_EXPIRED);
	EXPECT_STR(k.d.detail, "9 s ago");
	k.now_ms = NOW_MS + CA_TOKEN_MS + 50 * CA_HOUR_MS;
	expect_join(&k, CA_TOKEN_EXPIRED);
	EXPECT_STR(k.d.detail, "2 days ago");
	end(&k);
}

TEST(an_operators_token_lets_no_machine_in)
{
	struct desk k;

	begin(&k);
	k.row.bounds.role = CA_ROLE_ADMIN;
	expect_join(&k, CA_TOKEN_UNKNOWN);
	end(&k);
}

TEST(a_revoked_token_is_refused)
{
	struct desk k;

	begin(&k);
	k.row.revoked = true;
	expect_join(&k, CA_TOKEN_REVOKED);
	end(&k);
}

TEST(the_same_key_may_try_again_and_another_may_not)
{
	struct desk k;
	struct tls_pin used;

	begin(&k);
	tls_key_pin(k.key, &used);
	k.row.users = &used;
	k.row.user_count = 1;
	expect_join(&k, CA_OK);
	EXPECT_FALSE(k.d.first_use);
	ask_with_new_key(&k, SLICE_NONE);
	expect_join(&k, CA_TOKEN_OTHER_KEY);
	end(&k);
}

TEST(a_token_for_several_machines_is_used_up_after_them)
{
	struct desk k;
	struct tls_pin used[3] = {{{1}}, {{2}}, {{3}}};

	begin(&k);
	k.row.bounds.uses = 3;
	k.row.users = used;
	k.row.user_count = 2;
	expect_join(&k, CA_OK);
	k.row.user_count = 3;
	expect_join(&k, CA_TOKEN_USED_UP);
	end(&k);
}

TEST(a_wrong_proof_is_refused_before_anything_else_is_told)
{
	struct desk k;

	begin(&k);
	k.row.revoked = true;
	k.proof[0] ^= 1;
	expect_join(&k, CA_PROOF_WRONG);
	k.proof[0] ^= 1;
	k.gossip_key[0] ^= 1; /* the proof is over this as well */
	expect_join(&k, CA_PROOF_WRONG);
	k.join.proof = SLICE_NONE;
	expect_join(&k, CA_PROOF_WRONG);
	end(&k);
}

TEST(a_request_that_is_none_is_refused)
{
	struct desk k;

	begin(&k);
	k.join.csr = S("hello");
	expect_join(&k, CA_CSR_BAD);
	EXPECT_TRUE(k.d.detail[0] != '\0');
	end(&k);
}

TEST(a_request_for_another_identity_than_the_nodes_is_refused)
{
	struct desk k;

	begin(&k);
	ask_with_new_key(
	    &k, S("spiffe://mesh.internal/ns/meshd-servers/sa/s1"));
	expect_join(&k, CA_CSR_OTHER_NAME);
	ask_with_new_key(
	    &k, S("spiffe://mesh.internal/ns/meshd-nodes/sa/web-1"));
	expect_join(&k, CA_OK);
	end(&k);
}

TEST(names_are_checked_against_rules_and_pattern)
{
	struct desk k;

	begin(&k);
	k.join.node_name = S("Web 1");
	expect_join(&k, CA_NAME_INVALID);
	k.join.node_name = SLICE_NONE;
	expect_join(&k, CA_NAME_INVALID);
	k.join.node_name = S("web-1");
	EXPECT_OK(slice_to_cstr(
	    S("db-*"), k.row.bounds.name_glob, sizeof(k.row.bounds.name_glob)));
	expect_join(&k, CA_NAME_NOT_ALLOWED);
	EXPECT_OK(slice_to_cstr(S("w*b-?"), k.row.bounds.name_glob,
	    sizeof(k.row.bounds.name_glob)));
	expect_join(&k, CA_OK);
	end(&k);
}

TEST(addresses_are_checked_against_the_networks)
{
	struct desk k;

	begin(&k);
	k.row.bounds.cidr_count = 1;
	EXPECT_EQ(cidr_parse(S("192.168.0.0/16"), &k.row.bounds.cidrs[0]), OK);
	expect_join(&k, CA_ADDRESS_NOT_ALLOWED);
	EXPECT_STR(k.d.detail, "10.1.2.3");
	EXPECT_EQ(cidr_parse(S("10.0.0.0/8"), &k.row.bounds.cidrs[0]), OK);
	expect_join(&k, CA_OK);
	end(&k);
}

TEST(namespaces_and_accounts_have_to_be_granted)
{
	struct desk k;

	begin(&k);
	k.join.wanted_count = 1;
	k.wanted = (struct ca_wanted){S("shop"), S("web")};
	expect_join(&k, CA_NAMESPACE_NOT_GRANTED);
	EXPECT_STR(k.d.detail, "shop was asked for, default is granted");
	k.wanted.ns = S("default");
	expect_join(&k, CA_OK);
	EXPECT_OK(slice_to_cstr(S("db,api"), k.row.bounds.grant.accounts,
	    sizeof(k.row.bounds.grant.accounts)));
	expect_join(&k, CA_ACCOUNT_NOT_GRANTED);
	EXPECT_OK(slice_to_cstr(S("*"), k.row.bounds.grant.namespaces,
	    sizeof(k.row.bounds.grant.namespaces)));
	EXPECT_OK(slice_to_cstr(S("*"), k.row.bounds.grant.accounts,
	    sizeof(k.row.bounds.grant.accounts)));
	k.wanted.ns = S(CA_NS_SERVERS); /* never, not even by "*" */
	expect_join(&k, CA_NAMESPACE_NOT_GRANTED);
	end(&k);
}

TEST(a_clock_that_is_too_far_off_is_refused_and_a_little_is_told)
{
	struct desk k;

	begin(&k);
	k.join.clock_ms = k.now_ms - 3600000;
	expect_join(&k, CA_OK);
	EXPECT_EQ(k.d.skew_ms, -3600000);
	k.join.clock_ms = k.now_ms + CA_BACKDATE_MS + 60000;
	expect_join(&k, CA_CLOCK_SKEW);
	EXPECT_STR(k.d.detail, "by 121 min, the machine is ahead");
	end(&k);
}

TEST(a_name_belongs_to_its_key_until_that_is_revoked)
{
	struct desk k;

	begin(&k);
	k.node.key.bytes[0] = 1;
	ca_join_check(k.office.ca, &k.row, &k.node, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_NAME_TAKEN);
	k.node.revoked = true;
	ca_join_check(k.office.ca, &k.row, &k.node, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_OK);
	tls_key_pin(k.key, &k.node.key);
	ca_join_check(k.office.ca, &k.row, &k.node, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_NODE_REVOKED);
	k.node.revoked = false;
	ca_join_check(k.office.ca, &k.row, &k.node, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_OK);
	end(&k);
}

/* --- coming back --- */

static void
expect_return(struct desk *k, enum ca_verdict wanted)
{
	ca_reenrol_check(k->office.ca, &k->node, &k->join, k->now_ms, &k->d);
	EXPECT_STR(ca_verdict_code(k->d.verdict), ca_verdict_code(wanted));
}

TEST(an_expired_node_comes_back_by_its_key_within_the_grace)
{
	struct desk k;

	begin(&k);
	tls_key_pin(k.key, &k.node.key);
	memcpy(k.node.gossip_key, k.gossip_key, sizeof(k.gossip_key));
	k.node.not_after_ms = NOW_MS - 29 * CA_DAY_MS;
	k.node.grant = k.row.bounds.grant;
	expect_return(&k, CA_OK);
	EXPECT_STR(k.d.grant.namespaces, "default");
	k.node.not_after_ms = NOW_MS - 31 * CA_DAY_MS;
	expect_return(&k, CA_NODE_GRACE_OVER);
	k.node.not_after_ms = NOW_MS;
	k.node.revoked = true;
	expect_return(&k, CA_NODE_REVOKED);
	k.node.revoked = false;
	k.gossip_key[0] ^= 1; /* a request that was overheard */
	expect_return(&k, CA_NODE_OTHER_KEY);
	k.gossip_key[0] ^= 1;
	ask_with_new_key(&k, SLICE_NONE);
	expect_return(&k, CA_NODE_OTHER_KEY);
	ca_reenrol_check(k.office.ca, NULL, &k.join, k.now_ms, &k.d);
	EXPECT_EQ(k.d.verdict, CA_NODE_UNKNOWN);
	end(&k);
}

/* --- workloads --- */

static void
certify(struct desk *k, struct slice peer_uri, struct slice uri,
    enum ca_verdict wanted)
{
	struct tls_peer peer = {.uri = peer_uri.ptr};
	AUTO(tls_key_unref) struct tls_key *workload = tls_key_new();
	AUTO(buf_fini) struct buf csr = BUF(TLS_CSR_BYTES_MAX);

	EXPECT_EQ(name_identity_parse(peer_uri, &peer.identity, NULL), OK);
	tls_key_pin(k->key, &peer.pin);
	EXPECT_EQ(tls_csr_make(workload, S("x"), uri, &csr), OK);
	ca_certify_check(k->office.ca, &k->node, &peer, buf_slice(&csr), &k->d);
	EXPECT_STR(ca_verdict_code(k->d.verdict), ca_verdict_code(wanted));
}

TEST(a_node_gets_certificates_for_what_it_was_granted)
{
	struct desk k;
	const struct slice me =
	    S("spiffe://mesh.internal/ns/meshd-nodes/sa/web-1");

	begin(&k);
	tls_key_pin(k.key, &k.node.key);
	k.node.grant = k.row.bounds.grant;
	certify(&k, me, S("spiffe://mesh.internal/ns/default/sa/web"), CA_OK);
	certify(&k, me, S("spiffe://mesh.internal/ns/shop/sa/web"),
	    CA_NAMESPACE_NOT_GRANTED);
	certify(
	    &k, me, S("spiffe://other.internal/ns/default/sa/web"), CA_CSR_BAD);
	certify(&k, me, SLICE_NONE, CA_CSR_BAD);
	certify(&k, S("spiffe://mesh.internal/ns/default/sa/web"),
	    S("spiffe://mesh.internal/ns/default/sa/web"), CA_NODE_UNKNOWN);
	k.node.revoked = true;
	certify(&k, me, S("spiffe://mesh.internal/ns/default/sa/web"),
	    CA_NODE_REVOKED);
	end(&k);
}

TEST(every_verdict_has_a_code_a_sentence_and_a_hint)
{
	for (unsigned v = 0; v < CA_VERDICT_COUNT; v++) {
		enum ca_verdict back;

		EXPECT_EQ(
		    ca_verdict_parse(slice_str(ca_verdict_code(v)), &back), OK);
		EXPECT_EQ(back, v);
		EXPECT_TRUE(ca_verdict_text(v)[0] != '\0');
		EXPECT_TRUE(v == CA_OK || ca_verdict_hint(v)[0] != '\0');
		EXPECT_TRUE(v == CA_OK || ca_verdict_status(v) >= 400);
	}
}

/* --- bounds --- */

TEST(bounds_that_make_no_sense_are_refused_in_words)
{
	struct ca_bounds b;
	struct fault why = {0};

	ca_bounds_default(CA_ROLE_NONE, &b);
	EXPECT_EQ(ca_bounds_check(&b, NULL), OK);
	EXPECT_OK(slice_to_cstr(S("Web_*"), b.name_glob, sizeof(b.name_glob)));
	EXPECT_EQ(ca_bounds_check(&b, &why), ERR_INVALID);
	ca_bounds_default(CA_ROLE_NONE, &b);
	b.uses = 0;
	EXPECT_EQ(ca_bounds_check(&b, &why), ERR_INVALID);
	ca_bounds_default(CA_ROLE_NONE, &b);
	b.lifetime_ms = CA_TOKEN_MAX_MS + 1;
	EXPECT_EQ(ca_bounds_check(&b, &why), ERR_INVALID);
	ca_bounds_default(CA_ROLE_NONE, &b);
	EXPECT_OK(slice_to_cstr(S("shop," CA_NS_SERVERS), b.grant.namespaces,
	    sizeof(b.grant.namespaces)));
	EXPECT_EQ(ca_bounds_check(&b, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "meshd's own") != NULL);
	ca_bounds_default(CA_ROLE_NONE, &b);
	EXPECT_OK(slice_to_cstr(
	    S("a,,b"), b.grant.accounts, sizeof(b.grant.accounts)));
	EXPECT_EQ(ca_bounds_check(&b, &why), ERR_INVALID);
}

TEST(an_operators_bounds_are_a_role_namespaces_and_a_lifetime)
{
	struct ca_bounds b;
	struct fault why = {0};

	for (enum ca_role r = CA_ROLE_VIEWER; r <= CA_ROLE_ADMIN; r++) {
		ca_bounds_default(r, &b);
		EXPECT_OK(ca_bounds_check(&b, NULL));
		EXPECT_EQ(b.lifetime_ms, CA_OPERATOR_MS);
		b.uses = 1;
		EXPECT_ERR(ca_bounds_check(&b, &why), ERR_INVALID);
		EXPECT_TRUE(strstr(why.text, "for an operator") != NULL);
	}
	ca_bounds_default(CA_ROLE_EDITOR, &b);
	EXPECT_STR(b.grant.namespaces, "default");
	EXPECT_OK(slice_to_cstr(
	    S("a,b"), b.grant.namespaces, sizeof(b.grant.namespaces)));
	EXPECT_OK(ca_bounds_check(&b, NULL));
	b.role = CA_ROLE_VIEWER;
	EXPECT_ERR(ca_bounds_check(&b, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "only an editor") != NULL);
}

TEST(a_role_has_a_name_and_comes_back)
{
	enum ca_role role = CA_ROLE_NONE;
	struct fault why = {0};

	EXPECT_OK(ca_role_parse(S("editor"), &role, NULL));
	EXPECT_STR(ca_role_name(role), "editor");
	EXPECT_ERR(ca_role_parse(S("machine"), &role, &why), ERR_INVALID);
	EXPECT_ERR(ca_role_parse(S("root"), &role, &why), ERR_INVALID);
	EXPECT_STR(why.text, "a role is viewer, editor or admin, not \"root\"");
	EXPECT_EQ(role, CA_ROLE_EDITOR);
}

/* --- operators --- */

/* A token and the row that the server keeps of it. */
static void
make_operator(struct ca_token *t, struct ca_token_row *row)
{
	EXPECT_OK(crypto_init());
	*t = (struct ca_token){
	    .kind = CA_TOKEN_OPERATOR, .id = {1}, .secret = {2}};
	*row = (struct ca_token_row){.created_ms = NOW_MS};
	ca_bounds_default(CA_ROLE_VIEWER, &row->bounds);
	ca_token_key(t, row->key);
}

static void
expect_operator(const struct ca_token_row *row, const struct ca_token *t,
    int64_t now_ms, enum ca_verdict wanted)
{
	struct ca_decision d;

	ca_operator_check(row, t, now_ms, &d);
	EXPECT_STR(ca_verdict_code(d.verdict), ca_verdict_code(wanted));
}

TEST(an_operators_token_is_good_until_it_ends_or_is_taken_back)
{
	struct ca_token t;
	struct ca_token_row row;

	make_operator(&t, &row);
	expect_operator(&row, &t, NOW_MS, CA_OK);
	expect_operator(&row, &t, NOW_MS + CA_OPERATOR_MS - 1, CA_OK);
	expect_operator(&row, &t, NOW_MS + CA_OPERATOR_MS, CA_OPERATOR_EXPIRED);
	row.revoked = true;
	expect_operator(&row, &t, NOW_MS, CA_OPERATOR_REVOKED);
}

TEST(a_wrong_secret_learns_nothing_else_of_the_token)
{
	struct ca_token t;
	struct ca_token_row row;

	make_operator(&t, &row);
	row.revoked = true;
	t.secret[CA_TOKEN_SECRET_LEN - 1] ^= 1;
	expect_operator(&row, &t, NOW_MS, CA_OPERATOR_WRONG);
	expect_operator(NULL, &t, NOW_MS, CA_OPERATOR_UNKNOWN);
}

TEST(a_token_for_joining_is_no_operators_whatever_its_letters_say)
{
	struct ca_token t;
	struct ca_token_row row;

	make_operator(&t, &row);
	ca_bounds_default(CA_ROLE_NONE, &row.bounds);
	expect_operator(&row, &t, NOW_MS, CA_OPERATOR_UNKNOWN);
	/* And its secret makes another key, were the row an operator's. */
	make_operator(&t, &row);
	t.kind = CA_TOKEN_JOIN;
	ca_token_key(&t, row.key);
	t.kind = CA_TOKEN_OPERATOR;
	expect_operator(&row, &t, NOW_MS, CA_OPERATOR_WRONG);
}
