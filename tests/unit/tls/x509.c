/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509 — keys, requests and certificates; SPIFFE's rules for leaves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/oid.h>

#include "scene.h"
#include "unit.h"
#include "x509.h"

/* --- keys --- */

TEST(a_key_comes_back_from_pem_and_from_der)
{
	struct tls_key *k, *a = NULL, *b = NULL;
	struct secret pem, der;

	EXPECT_EQ(crypto_init(), OK);
	EXPECT_EQ(tls_init(), OK);
	k = tls_key_new();
	EXPECT_EQ(tls_key_pem(k, &pem), OK);
	EXPECT_EQ(tls_key_der(k, &der), OK);
	EXPECT_EQ(memcmp(pem.bytes, "-----BEGIN PRIVATE KEY-----\n", 28), 0);
	EXPECT_EQ(tls_key_parse(slice_of(pem.bytes, pem.len), &a, NULL), OK);
	EXPECT_EQ(tls_key_parse(slice_of(der.bytes, der.len), &b, NULL), OK);
	EXPECT_SLICE(tls_key_spki(a), tls_key_spki(k));
	EXPECT_SLICE(tls_key_spki(b), tls_key_spki(k));
	secret_fini(&pem);
	secret_fini(&der);
	tls_key_unref(&a);
	tls_key_unref(&b);
	tls_key_unref(&k);
}

TEST(a_key_signs_what_its_public_half_verifies)
{
	struct tls_key *k, *other;
	AUTO(buf_fini) struct buf pem = BUF(1024);
	uint8_t sig[TLS_SIGNATURE_MAX], hash[CRYPTO_SHA256_LEN];
	size_t len = 0;

	EXPECT_EQ(crypto_init(), OK);
	EXPECT_EQ(tls_init(), OK);
	k = tls_key_new();
	other = tls_key_new();
	EXPECT_OK(tls_key_sign(k, S("a list"), sig, &len));
	crypto_sha256(S("a list"), hash);
	EXPECT_EQ(mbedtls_pk_verify(
		      &k->pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), sig, len),
	    0);
	EXPECT_TRUE(mbedtls_pk_verify(&other->pk, MBEDTLS_MD_SHA256, hash,
			sizeof(hash), sig, len) != 0);
	hash[0] ^= 1;
	EXPECT_TRUE(mbedtls_pk_verify(&k->pk, MBEDTLS_MD_SHA256, hash,
			sizeof(hash), sig, len) != 0);
	EXPECT_OK(tls_key_public_pem(k, &pem));
	EXPECT_TRUE(
	    slice_starts(buf_slice(&pem), S("-----BEGIN PUBLIC KEY-----\n")));
	tls_key_unref(&k);
	tls_key_unref(&other);
}

TEST(what_is_no_key_is_refused_in_words)
{
	struct tls_key *k = NULL;
	struct fault why = {0};

	EXPECT_EQ(tls_key_parse(S("hello"), &k, &why), ERR_PARSE);
	EXPECT_TRUE(strstr(why.text, "no usable private key") != NULL);
	EXPECT_EQ(tls_key_parse(SLICE_NONE, &k, &why), ERR_LIMIT);
	EXPECT_EQ(
	    tls_key_parse(S("\x30\x03\x02\x01\x00"), &k, &why), ERR_PARSE);
	EXPECT_TRUE(k == NULL);
}

TEST(a_saved_key_is_private_and_one_that_others_may_read_is_refused)
{
	char folder[] = "/tmp/meshd-key-XXXXXX", path[64];
	struct tls_key *k = tls_key_new(), *back = NULL;
	struct fault why = {0};
	struct stat st;

	EXPECT_TRUE(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/node.key", folder);
	EXPECT_EQ(tls_key_save(k, path, NULL), OK);
	EXPECT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	EXPECT_EQ(tls_key_load(path, &back, NULL), OK);
	EXPECT_SLICE(tls_key_spki(back), tls_key_spki(k));
	EXPECT_EQ(chmod(path, 0644), 0);
	tls_key_unref(&back);
	EXPECT_EQ(tls_key_load(path, &back, &why), ERR_PERMISSION);
	EXPECT_EQ(unlink(path), 0);
	EXPECT_EQ(rmdir(folder), 0);
	tls_key_unref(&k);
}

/* --- requests --- */

TEST(a_request_says_its_names_and_proves_its_key)
{
	struct tls_key *k = tls_key_new();
	struct buf pem = BUF(TLS_CSR_BYTES_MAX);
	struct tls_csr csr;
	struct tls_pin pin;

	EXPECT_EQ(tls_csr_make(k, S("web, \"1\""), URI_WEB, &pem), OK);
	EXPECT_EQ(tls_csr_parse(buf_slice(&pem), &csr, NULL), OK);
	EXPECT_STR(csr.common_name, "web, \"1\"");
	EXPECT_SLICE(slice_str(csr.uri), URI_WEB);
	tls_key_pin(k, &pin);
	EXPECT_TRUE(tls_pin_eq(&pin, &csr.pin));
	EXPECT_SLICE(slice_of(csr.spki, csr.spki_len), tls_key_spki(k));
	buf_fini(&pem);
	tls_key_unref(&k);
}

TEST(a_request_with_any_byte_changed_is_refused)
{
	struct tls_key *k = tls_key_new();
	struct buf pem = BUF(TLS_CSR_BYTES_MAX);
	struct buf der = BUF(TLS_CSR_BYTES_MAX);
	struct tls_csr csr;

	EXPECT_EQ(tls_csr_make(k, S("web"), URI_WEB, &pem), OK);
	EXPECT_EQ(
	    x509_unwrap(buf_slice(&pem), "CERTIFICATE REQUEST", &der, NULL),
	    OK);
	EXPECT_EQ(tls_csr_parse(buf_slice(&der), &csr, NULL), OK);
	for (size_t i = 0; i < buf_len(&der); i++) {
		der.mem[der.start + i] ^= 1;
		EXPECT_NE(tls_csr_parse(buf_slice(&der), &csr, NULL), OK);
		der.mem[der.start + i] ^= 1;
	}
	for (size_t n = 0; n < buf_len(&der); n++)
		EXPECT_NE(
		    tls_csr_parse(slice_sub(buf_slice(&der), 0, n), &csr, NULL),
		    OK);
	buf_fini(&pem);
	buf_fini(&der);
	tls_key_unref(&k);
}

/* --- certificates --- */

TEST(an_issued_leaf_says_what_its_spec_said)
{
	struct authority a;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	struct tls_identity *id;
	const struct tls_cert_info *info;

	authority_init(&a, "mesh root");
	id = leaf_new(&a, &spec, true);
	info = tls_identity_info(id);
	EXPECT_STR(info->subject, "CN=leaf");
	EXPECT_STR(info->issuer, "CN=server 1");
	EXPECT_SLICE(slice_str(info->uri), URI_WEB);
	EXPECT_EQ(info->uri_count, 1);
	EXPECT_EQ(info->not_before_ms, spec.not_before_ms);
	EXPECT_EQ(info->not_after_ms, spec.not_after_ms);
	EXPECT_FALSE(info->is_ca);
	EXPECT_STR(info->serial, "42000000000000000000000000000000");
	tls_identity_unref(&id);
	authority_fini(&a);
}

TEST(a_leaf_is_cut_to_its_issuers_end)
{
	struct authority a;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	struct tls_identity *id;

	authority_init(&a, "mesh root");
	spec.not_after_ms = NOW_MS + 9000 * HOUR_MS;
	id = leaf_new(&a, &spec, false);
	EXPECT_EQ(tls_identity_info(id)->not_after_ms, NOW_MS + 500 * HOUR_MS);
	tls_identity_unref(&id);
	authority_fini(&a);
}

TEST(an_issuer_that_may_not_sign_is_refused)
{
	struct authority a;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	struct tls_identity *id;
	struct tls_issuer by;
	struct tls_chain *out = NULL;

	authority_init(&a, "mesh root");
	id = leaf_new(&a, &spec, false);
	by = (struct tls_issuer){tls_identity_chain(id), tls_identity_key(id)};
	EXPECT_EQ(tls_cert_issue(&spec, tls_key_spki(a.key), &by, &out, NULL),
	    ERR_INVALID); /* a leaf */
	by = (struct tls_issuer){a.chain, a.root_key};
	EXPECT_EQ(tls_cert_issue(&spec, tls_key_spki(a.key), &by, &out, NULL),
	    ERR_INVALID); /* another's key */
	by.key = a.key;
	spec.common_name = SLICE_NONE;
	EXPECT_EQ(tls_cert_issue(&spec, tls_key_spki(a.key), &by, &out, NULL),
	    ERR_INVALID);
	spec = leaf_spec(URI_WEB);
	spec.not_before_ms = spec.not_after_ms;
	EXPECT_EQ(tls_cert_issue(&spec, tls_key_spki(a.key), &by, &out, NULL),
	    ERR_INVALID);
	EXPECT_TRUE(out == NULL);
	tls_identity_unref(&id);
	authority_fini(&a);
}

TEST(a_chain_goes_through_pem_and_back_in_order)
{
	struct authority a;
	struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	struct tls_chain *back = NULL;

	authority_init(&a, "mesh root");
	EXPECT_EQ(tls_chain_pem(a.chain, &pem), OK);
	EXPECT_EQ(tls_chain_parse(buf_slice(&pem), &back, NULL), OK);
	EXPECT_EQ(tls_chain_count(back), 2);
	EXPECT_SLICE(tls_chain_der(back, 0), tls_chain_der(a.chain, 0));
	EXPECT_SLICE(tls_chain_der(back, 1), tls_chain_der(a.root, 0));
	tls_chain_unref(&back);
	EXPECT_EQ(tls_chain_parse(S("no PEM"), &back, NULL), ERR_PARSE);
	buf_fini(&pem);
	authority_fini(&a);
}

/* --- leaves that our own issuing would never make --- */

struct forgery {
	unsigned key_usage;
	bool usage_is_plain; /* not critical */
	bool only_server;
	bool is_ca;
	const char *second_uri;
};

static void
add_usage(mbedtls_x509write_cert *w, const struct forgery *f)
{
	/* A BIT STRING of one byte: 7 unused bits at most. */
	uint8_t bits[4] = {3, 2, 0, (uint8_t)f->key_usage};

	EXPECT_EQ(mbedtls_x509write_crt_set_extension(w, MBEDTLS_OID_KEY_USAGE,
		      MBEDTLS_OID_SIZE(MBEDTLS_OID_KEY_USAGE),
		      !f->usage_is_plain, bits, sizeof(bits)),
	    0);
}

static void
add_purpose(mbedtls_x509write_cert *w)
{
	char oid[] = MBEDTLS_OID_SERVER_AUTH;
	mbedtls_asn1_sequence server = {
	    .buf = {MBEDTLS_ASN1_OID, sizeof(oid) - 1, (uint8_t *)oid}};

	EXPECT_EQ(mbedtls_x509write_crt_set_ext_key_usage(w, &server), 0);
}

static struct tls_chain *
forge(const struct authority *a, const struct forgery *f)
{
	char one[] = "spiffe://mesh.internal/ns/default/sa/web";
	char two[64];
	mbedtls_x509_san_list second = {
	    .node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
	    .node.san.unstructured_name = {.p = (uint8_t *)two}};
	mbedtls_x509_san_list first = {
	    .node.type = MBEDTLS_X509_SAN_UNIFORM_RESOURCE_IDENTIFIER,
	    .node.san.unstructured_name = {
		.p = (uint8_t *)one, .len = sizeof(one) - 1}};
	uint8_t der[4096], serial[] = {7};
	mbedtls_x509write_cert w;
	struct tls_chain *leaf = NULL, *all = NULL;
	int len;

	mbedtls_x509write_crt_init(&w);
	if (f->second_uri != NULL) {
		snprintf(two, sizeof(two), "%s", f->second_uri);
		second.node.san.unstructured_name.len = strlen(two);
		first.next = &second;
	}
	mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, &a->root_key->pk);
	mbedtls_x509write_crt_set_issuer_key(&w, &a->key->pk);
	EXPECT_EQ(mbedtls_x509write_crt_set_serial_raw(&w, serial, 1), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_subject_name(&w, "CN=x"), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_issuer_name(&w, "CN=server 1"), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_validity(
		      &w, "20260901000000", "20261001000000"),
	    0);
	EXPECT_EQ(
	    mbedtls_x509write_crt_set_subject_alternative_name(&w, &first), 0);
	EXPECT_EQ(
	    mbedtls_x509write_crt_set_basic_constraints(&w, f->is_ca, -1), 0);
	if (f->key_usage != 0)
		add_usage(&w, f);
	if (f->only_server)
		add_purpose(&w);
	len =
	    mbedtls_x509write_crt_der(&w, der, sizeof(der), x509_random, NULL);
	EXPECT_TRUE(len > 0);
	mbedtls_x509write_crt_free(&w);
	EXPECT_EQ(
	    tls_chain_parse(
		slice_of(der + sizeof(der) - len, (size_t)len), &leaf, NULL),
	    OK);
	EXPECT_EQ(tls_chain_join(leaf, a->chain, &all), OK);
	tls_chain_unref(&leaf);
	return all;
}

static void
expect_forgery(const struct forgery *f, enum err wanted, const char *part)
{
	struct authority a;
	struct tls_trust *trust;
	struct tls_chain *chain;
	struct fault why = {0};

	authority_init(&a, "mesh root");
	trust = trust_new(&a);
	chain = forge(&a, f);
	EXPECT_EQ(tls_chain_verify(chain, trust, NOW_MS, NULL, &why), wanted);
	EXPECT_STR(strstr(why.text, part) != NULL ? part : why.text, part);
	tls_chain_unref(&chain);
	tls_trust_unref(&trust);
	authority_fini(&a);
}

enum { DIGITAL = 0x80, CERT_SIGN = 0x04 };

TEST(a_leaf_by_hand_passes_if_it_keeps_the_rules)
{
	expect_forgery(&(struct forgery){.key_usage = DIGITAL}, OK, "");
}

TEST(a_leaf_with_two_identities_is_refused)
{
	expect_forgery(
	    &(struct forgery){.key_usage = DIGITAL,
		.second_uri = "spiffe://mesh.internal/ns/default/sa/db"},
	    ERR_AUTH, "has 2 identities");
}

TEST(a_leaf_without_key_usage_is_refused)
{
	expect_forgery(&(struct forgery){.key_usage = 0}, ERR_AUTH,
	    "has not the key usage");
}

TEST(a_leaf_whose_key_usage_is_not_critical_is_refused)
{
	expect_forgery(
	    &(struct forgery){.key_usage = DIGITAL, .usage_is_plain = true},
	    ERR_AUTH, "has not the key usage");
}

TEST(a_leaf_that_may_sign_certificates_is_refused)
{
	expect_forgery(&(struct forgery){.key_usage = DIGITAL | CERT_SIGN},
	    ERR_AUTH, "has not the key usage");
	expect_forgery(&(struct forgery){.key_usage = DIGITAL, .is_ca = true},
	    ERR_AUTH, "that of an authority");
}

TEST(a_leaf_for_servers_alone_is_refused)
{
	expect_forgery(
	    &(struct forgery){.key_usage = DIGITAL, .only_server = true},
	    ERR_AUTH, "not for both servers and clients");
}

TEST(a_chain_is_judged_by_the_roots_of_its_own_trust_domain)
{
	struct authority a, b;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	struct tls_identity *id;
	struct tls_root_set sets[2];
	struct tls_trust *trust = NULL;
	struct tls_peer *peer = NULL;

	authority_init(&a, "root a");
	authority_init(&b, "root b");
	id = leaf_new(&b, &spec, false); /* says mesh.internal, signed by b */
	sets[0] = (struct tls_root_set){S("mesh.internal"), a.root};
	sets[1] = (struct tls_root_set){S("other.internal"), b.root};
	EXPECT_EQ(tls_trust_new(sets, 2, 1, &trust, NULL), OK);
	EXPECT_EQ(tls_chain_verify(
		      tls_identity_chain(id), trust, NOW_MS, &peer, NULL),
	    ERR_AUTH);
	tls_identity_unref(&id);
	id = leaf_new(&a, &spec, false);
	EXPECT_EQ(tls_chain_verify(
		      tls_identity_chain(id), trust, NOW_MS, &peer, NULL),
	    OK);
	EXPECT_SLICE(slice_str(peer->uri), URI_WEB);
	EXPECT_EQ(tls_chain_verify(tls_identity_chain(id), trust,
		      NOW_MS + 100 * HOUR_MS, NULL, NULL),
	    ERR_EXPIRED);
	tls_peer_free(&peer);
	tls_identity_unref(&id);
	tls_trust_unref(&trust);
	authority_fini(&a);
	authority_fini(&b);
}

/* --- signatures that are known: patch 2-signature-memo --- */

/* The chain with one bit of one certificate changed; NULL if it is none. */
static struct tls_chain *
changed(const struct tls_chain *chain, size_t which, size_t at)
{
	AUTO(buf_fini) struct buf der = BUF(TLS_CHAIN_BYTES_MAX);
	struct tls_chain *out = NULL;
	size_t start = 0;

	for (size_t i = 0; i < tls_chain_count(chain); i++) {
		if (i == which)
			start = buf_len(&der);
		EXPECT_OK(buf_add_slice(&der, tls_chain_der(chain, i)));
	}
	der.mem[der.start + start + at] ^= 1;
	if (tls_chain_parse(buf_slice(&der), &out, NULL) != OK)
		return NULL;
	return out;
}

TEST(no_bit_of_a_chain_that_was_good_may_change)
{
	struct authority a;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	const struct tls_chain *good;
	unsigned parsed = 0;

	authority_init(&a, "mesh root");
	trust = trust_new(&a);
	id = leaf_new(&a, &spec, /* with root */ false);
	good = tls_identity_chain(id);
	for (size_t which = 0; which < tls_chain_count(good); which++) {
		for (size_t at = 0; at < tls_chain_der(good, which).len; at++) {
			AUTO(tls_chain_unref)
			struct tls_chain *bad = changed(good, which, at);

			EXPECT_OK(
			    tls_chain_verify(good, trust, NOW_MS, NULL, NULL));
			if (bad == NULL)
				continue;
			parsed++;
			EXPECT_TRUE(tls_chain_verify(
					bad, trust, NOW_MS, NULL, NULL) != OK);
		}
	}
	EXPECT_TRUE(parsed > 300);
	authority_fini(&a);
}

TEST(a_known_signature_says_nothing_of_another_key_of_that_name)
{
	struct authority a, b;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	AUTO(tls_trust_unref) struct tls_trust *ours = NULL;
	AUTO(tls_trust_unref) struct tls_trust *theirs = NULL;
	AUTO(tls_chain_unref) struct tls_chain *leaf = NULL;
	AUTO(tls_chain_unref) struct tls_chain *mixed = NULL;

	authority_init(&a, "mesh root");
	authority_init(&b, "mesh root");
	ours = trust_new(&a);
	theirs = trust_new(&b);
	id = leaf_new(&a, &spec, /* with root */ false);
	for (int i = 0; i < 2; i++) {
		EXPECT_OK(tls_chain_verify(
		    tls_identity_chain(id), ours, NOW_MS, NULL, NULL));
		EXPECT_ERR(tls_chain_verify(tls_identity_chain(id), theirs,
			       NOW_MS, NULL, NULL),
		    ERR_AUTH);
	}
	/* The leaf that is known, behind an issuer of the same name. */
	EXPECT_OK(tls_chain_part(tls_identity_chain(id), 0, 1, &leaf));
	EXPECT_OK(tls_chain_join(leaf, b.chain, &mixed));
	EXPECT_ERR(
	    tls_chain_verify(mixed, theirs, NOW_MS, NULL, NULL), ERR_AUTH);
	authority_fini(&a);
	authority_fini(&b);
}

TEST(dates_of_known_certificates_are_looked_at_each_time)
{
	struct authority a;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	const struct tls_chain *c;

	authority_init(&a, "mesh root");
	trust = trust_new(&a);
	spec.not_after_ms = NOW_MS + 600 * HOUR_MS; /* cut to the issuer's */
	id = leaf_new(&a, &spec, /* with root */ false);
	c = tls_identity_chain(id);
	EXPECT_OK(tls_chain_verify(c, trust, NOW_MS, NULL, NULL));
	EXPECT_ERR(
	    tls_chain_verify(c, trust, NOW_MS + 501 * HOUR_MS, NULL, NULL),
	    ERR_EXPIRED);
	EXPECT_ERR(tls_chain_verify(c, trust, NOW_MS - 3 * HOUR_MS, NULL, NULL),
	    ERR_EXPIRED);
	EXPECT_OK(tls_chain_verify(c, trust, NOW_MS, NULL, NULL));
	authority_fini(&a);
}
