/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — what a server says is checked, what we keep reads back the same.
 */
#include "wire.h"
#include "codec/codec.h"
#include "unit.h"

enum { NOW_MS = 1700000000 };

/* A root certificate as PEM, with \n escaped for JSON. */
static const char *
root_json(void)
{
	static char text[8192];
	AUTO(tls_key_unref) struct tls_key *key = NULL;
	AUTO(tls_chain_unref) struct tls_chain *root = NULL;
	AUTO(buf_fini) struct buf pem = BUF(4096);
	uint8_t serial[TLS_SERIAL_LEN] = {1};
	size_t n = 0;

	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	key = tls_key_new();
	EXPECT_OK(
	    ca_root_make(S("mesh.internal"), key, serial, NOW_MS, &root, NULL));
	EXPECT_OK(tls_chain_pem(root, &pem));
	for (size_t i = 0; i < buf_len(&pem); i++) {
		char c = buf_slice(&pem).ptr[i];

		if (c == '\n') {
			text[n++] = '\\';
			c = 'n';
		}
		text[n++] = c;
	}
	text[n] = '\0';
	return text;
}

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define BUNDLE                                                                 \
	"{\"epoch\":3,\"trust_domain\":\"mesh.internal\","                     \
	"\"roots_pem\":\"%s\",\"voucher_keys\":[\"" KEY32 "\"]}"
#define MEMBER                                                                 \
	"{\"node_name\":\"web-1\",\"domain\":\"mesh.internal\","               \
	"\"mesh_id\":\"AAECAwQFBgcICQoLDA0ODw\",\"network\":\"default\","      \
	"\"bundle\":" BUNDLE ",\"voucher\":\"AAEC\","                          \
	"\"gossip_keys\":[{\"id\":1,\"key\":\"" KEY32 "\"}],"                  \
	"\"gossip_seeds\":[\"10.0.0.1:15946\"],"                               \
	"\"servers\":[\"10.0.0.1:15012\"],\"clock_ms\":1767225600000,"         \
	"\"later\":{\"field\":1}}"

static struct slice
member_json(struct buf *out)
{
	EXPECT_OK(buf_printf(out, MEMBER, root_json()));
	return buf_slice(out);
}

TEST(a_membership_reads_back_as_it_was_written)
{
	AUTO(buf_fini) struct buf json = BUF(WIRE_BODY_MAX);
	AUTO(buf_fini) struct buf once = BUF(WIRE_BODY_MAX);
	AUTO(buf_fini) struct buf twice = BUF(WIRE_BODY_MAX);
	AUTO(membership_fini) struct membership m = {0};
	AUTO(membership_fini) struct membership again = {0};
	struct tls_chain *chain = NULL;

	EXPECT_OK(wire_membership_decode(member_json(&json), &m, &chain, NULL));
	EXPECT_TRUE(chain == NULL);
	EXPECT_STR(m.name, "web-1");
	EXPECT_EQ(m.bundle.epoch, 3);
	EXPECT_EQ(m.keyring.count, 1);
	EXPECT_EQ(m.keyring.keys[0].id, 1);
	EXPECT_EQ(m.keyring.keys[0].bytes[31], 31);
	EXPECT_EQ(m.mesh[15], 15);
	EXPECT_EQ(m.voucher_len, 3);
	EXPECT_EQ(m.seeds[0].port, 15946);
	EXPECT_STR(m.servers[0], "10.0.0.1:15012");
	EXPECT_EQ(m.clock_ms, INT64_C(1767225600000));
	EXPECT_OK(wire_membership_encode(&m, &once));
	EXPECT_OK(wire_membership_decode(buf_slice(&once), &again, NULL, NULL));
	EXPECT_EQ(again.clock_ms, 0); /* of that answer, not of the file */
	EXPECT_OK(wire_membership_encode(&again, &twice));
	EXPECT_SLICE(buf_slice(&twice), buf_slice(&once));
}

TEST(an_answer_without_a_needed_field_is_refused_in_words)
{
	static const char *const needed[] = {"node_name", "domain", "mesh_id",
	    "network", "bundle", "voucher", "gossip_keys", "trust_domain",
	    "roots_pem", "voucher_keys", "epoch"};
	AUTO(buf_fini) struct buf json = BUF(WIRE_BODY_MAX);
	struct slice text = member_json(&json);

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		struct membership m = {0};
		struct fault why = {0};
		char *at = memmem(json.mem + json.start, text.len, needed[i],
		    strlen(needed[i]));

		EXPECT_TRUE(at != NULL);
		at[0] ^= 1; /* now it is another field */
		EXPECT_TRUE(wire_membership_decode(text, &m, NULL, &why) != OK);
		EXPECT_TRUE(why.text[0] != '\0');
		EXPECT_EQ(m.name[0], '\0');
		at[0] ^= 1;
	}
}

TEST(a_join_says_what_the_server_reads)
{
	AUTO(buf_fini) struct buf out = BUF(WIRE_BODY_MAX);
	AUTO(arena_fini) struct arena arena;
	uint8_t bytes[32] = {0};
	struct addr addrs[] = {
	    {.family = ADDR_V4, .bytes = {10, 0, 0, 7}},
	    {.family = ADDR_V6, .bytes = {0xfd, [15] = 7}},
	};
	struct ca_wanted wanted = {S("default"), S("web")};
	struct wire_join j = {.token_id = S("0011223344556677"),
	    .proof = bytes,
	    .csr = S("PEM"),
	    .gossip_key = bytes,
	    .name = S("web-1"),
	    .network = S("default"),
	    .addrs = addrs,
	    .addr_count = 2,
	    .wanted = &wanted,
	    .wanted_count = 1,
	    .clock_ms = 5};
	const struct value *v;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(wire_join_encode(&j, &out));
	EXPECT_OK(codec_json_parse(buf_slice(&out), &arena, &v, NULL));
	EXPECT_SLICE(value_get_string(v, S("token_id"), SLICE_NONE),
	    S("0011223344556677"));
	EXPECT_EQ(value_get_string(v, S("hmac"), SLICE_NONE).len, 43);
	EXPECT_SLICE(
	    value_get(v, S("addresses"))->child->next->string, S("fd00::7"));
	EXPECT_SLICE(value_get_string(value_get(v, S("wanted"))->child,
			 S("account"), SLICE_NONE),
	    S("web"));
}

TEST(to_enrol_again_needs_no_token)
{
	AUTO(buf_fini) struct buf out = BUF(WIRE_BODY_MAX);
	AUTO(arena_fini) struct arena arena;
	uint8_t bytes[32] = {0};
	struct wire_join j = {
	    .csr = S("PEM"), .gossip_key = bytes, .name = S("web-1")};
	const struct value *v;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(wire_join_encode(&j, &out));
	EXPECT_OK(codec_json_parse(buf_slice(&out), &arena, &v, NULL));
	EXPECT_TRUE(value_get(v, S("token_id")) == NULL);
	EXPECT_TRUE(value_get(v, S("hmac")) == NULL);
}

TEST(a_refusal_keeps_the_servers_words_and_hint)
{
	struct fault why = {0};

	EXPECT_ERR(wire_refusal(403,
		       S("{\"code\":\"token_expired\",\"message\":\"the token "
			 "has expired\",\"hint\":\"make a new one\"}"),
		       &why),
	    ERR_DENIED);
	EXPECT_STR(
	    why.text, "token_expired: the token has expired; make a new one");
}

TEST(a_server_in_trouble_is_no_refusal)
{
	struct fault why = {0};

	EXPECT_ERR(wire_refusal(503,
		       S("{\"code\":\"busy\",\"message\":\"starting\"}"), &why),
	    ERR_UNREACHABLE);
	EXPECT_ERR(wire_refusal(404, S("<html>"), &why), ERR_UNREACHABLE);
	EXPECT_STR(why.text, "the server answered 404 without saying why");
}

TEST(gossip_keys_and_revocations_are_checked)
{
	AUTO(arena_fini) struct arena arena;
	struct gossip_keyring k;
	struct wire_revocation r;

	arena_init(&arena, 1 << 20);
	EXPECT_OK(wire_gossip_keys_decode(
	    S("{\"keys\":[{\"id\":2,\"key\":\"" KEY32 "\"}]}"), &k, NULL));
	EXPECT_EQ(k.keys[0].id, 2);
	EXPECT_ERR(wire_gossip_keys_decode(S("{\"keys\":[]}"), &k, NULL),
	    ERR_PROTOCOL);
	EXPECT_ERR(wire_gossip_keys_decode(
		       S("{\"keys\":[{\"id\":2,\"key\":\"AAEC\"}]}"), &k, NULL),
	    ERR_PROTOCOL);
	EXPECT_OK(wire_revocation_decode(
	    S("{\"identity\":\"spiffe://d/ns/x/sa/y\",\"revoked_ms\":7}"),
	    &arena, &r, NULL));
	EXPECT_SLICE(r.what.identity, S("spiffe://d/ns/x/sa/y"));
	EXPECT_EQ(r.what.since_ms, 7);
	EXPECT_EQ(r.statement_len, 0);
	EXPECT_OK(wire_revocation_decode(
	    S("{\"identity\":\"spiffe://d/ns/x/sa/y\",\"revoked_ms\":7,"
	      "\"statement\":\"AAEC\"}"),
	    &arena, &r, NULL));
	EXPECT_MEM(r.statement, "\0\1\2", 3);
	EXPECT_EQ(r.statement_len, 3);
	EXPECT_ERR(
	    wire_revocation_decode(S("{\"identity\":\"spiffe://d/ns/x/sa/y\","
				     "\"revoked_ms\":7,\"statement\":7}"),
		&arena, &r, NULL),
	    ERR_PARSE);
	EXPECT_ERR(
	    wire_revocation_decode(
		S("{\"identity\":\"spiffe://d/ns/x/sa/y\"}"), &arena, &r, NULL),
	    ERR_PARSE);
	EXPECT_ERR(
	    wire_revocation_decode(S("{}"), &arena, &r, NULL), ERR_PARSE);
}
