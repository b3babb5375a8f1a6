/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto — the published vectors, and that any change is noticed.
 */
#include "base/base.h"
#include "unit.h"

static void
expect_hex(const void *bytes, size_t len, const char *wanted)
{
	char text[513];

	CHECK(len * 2 < sizeof(text));
	crypto_hex(slice_of(bytes, len), text);
	text[len * 2] = '\0';
	EXPECT_STR(text, wanted);
}

static void
from_hex(const char *text, uint8_t *out)
{
	EXPECT_OK(crypto_hex_decode(slice_str(text), out, strlen(text) / 2));
}

static void
count_up(uint8_t *out, size_t len, uint8_t first)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

TEST(siphash_is_that_of_its_paper)
{
	uint8_t key[CRYPTO_SIPHASH_KEY_LEN], in[15];

	count_up(key, sizeof(key), 0);
	count_up(in, sizeof(in), 0);
	/* appendix A */
	EXPECT_EQ(crypto_siphash(key, slice_of(in, sizeof(in))),
	    UINT64_C(0xa129ca6149be45e5));
}

TEST(hashes_and_keyed_hashes_match_their_vectors)
{
	uint8_t out[32];

	/* FIPS 180-4 example */
	crypto_sha256(S("abc"), out);
	expect_hex(out, sizeof(out),
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	/* RFC 4231 §4.3 */
	crypto_hmac_sha256(S("Jefe"), S("what do ya want for nothing?"), out);
	expect_hex(out, sizeof(out),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
}

TEST(derived_keys_are_hkdf_and_depend_on_their_use)
{
	uint8_t key[CRYPTO_KEY_LEN], a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];

	count_up(key, sizeof(key), 0);
	crypto_derive(key, S("gossip"), a);
	/* HKDF-SHA-256 without salt, worked out by Python's hmac */
	expect_hex(a, sizeof(a),
	    "cddbbfaa3cea1bf7e032a4bc549ec1de"
	    "3d8cbc019197d109debcb5480cfadfe2");
	crypto_derive(key, S("sealing"), b);
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
}

TEST(ed25519_matches_rfc_8032)
{
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t sig[CRYPTO_ED25519_SIGNATURE_LEN];

	/* §7.1, test 2: the seed, and behind it the public key */
	from_hex("4ccd089b28ff96da9db6c346ec114e0f"
		 "5b8a319f35aba624da8cf6ed4fb8a6fb"
		 "3d4017c3e843895a92b70aa74d1b7ebc"
		 "9c982ccf2ec4968cc0cd55f12af4660c",
	    secret);
	crypto_ed25519_sign(S("\x72"), secret, sig);
	expect_hex(sig, sizeof(sig),
	    "92a009a9f0d4cab8720e820b5f642540"
	    "a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c"
	    "387b2eaeb4302aeeb00d291612bb0c00");
	EXPECT_TRUE(crypto_ed25519_verify(S("\x72"), secret + 32, sig));
	EXPECT_FALSE(crypto_ed25519_verify(S("\x73"), secret + 32, sig));
	sig[3] ^= 1;
	EXPECT_FALSE(crypto_ed25519_verify(S("\x72"), secret + 32, sig));
}

TEST(a_new_signing_key_works)
{
	uint8_t pub[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t sig[CRYPTO_ED25519_SIGNATURE_LEN];

	EXPECT_OK(crypto_init());
	crypto_ed25519_new(pub, secret);
	crypto_ed25519_sign(SLICE_NONE, secret, sig);
	EXPECT_TRUE(crypto_ed25519_verify(SLICE_NONE, pub, sig));
}

TEST(packets_are_sealed_as_in_rfc_8439)
{
	struct slice text =
	    S("Ladies and Gentlemen of the class of '99: If I could offer you "
	      "only one tip for the future, sunscreen would be it.");
	uint8_t key[CRYPTO_KEY_LEN], nonce[CRYPTO_AEAD_NONCE_LEN], ad[12];
	uint8_t out[160], back[160];

	/* §2.8.2 */
	count_up(key, sizeof(key), 0x80);
	from_hex("070000004041424344454647", nonce);
	from_hex("50515253c0c1c2c3c4c5c6c7", ad);
	crypto_aead_encrypt(key, nonce, slice_of(ad, 12), text, out);
	expect_hex(out, 16, "d31a8d34648e60db7b86afbc53ef7ec2");
	expect_hex(out + text.len, 16, "1ae10b594f09e26a7e902ecbd0600691");
	EXPECT_OK(crypto_aead_decrypt(key, nonce, slice_of(ad, 12),
	    slice_of(out, text.len + CRYPTO_AEAD_TAG_LEN), back));
	EXPECT_MEM(back, text.ptr, text.len);
	EXPECT_ERR(crypto_aead_decrypt(key, nonce, slice_of(ad, 11),
		       slice_of(out, text.len + CRYPTO_AEAD_TAG_LEN), back),
	    ERR_AUTH);
	EXPECT_ERR(crypto_aead_decrypt(
		       key, nonce, slice_of(ad, 12), slice_of(out, 15), back),
	    ERR_AUTH);
	out[0] ^= 1;
	EXPECT_ERR(crypto_aead_decrypt(key, nonce, slice_of(ad, 12),
		       slice_of(out, text.len + CRYPTO_AEAD_TAG_LEN), back),
	    ERR_AUTH);
}

TEST(what_is_sealed_opens_only_unchanged)
{
	uint8_t key[CRYPTO_KEY_LEN] = {1}, out[5 + CRYPTO_SEAL_OVERHEAD];
	uint8_t again[sizeof(out)], back[5];

	EXPECT_OK(crypto_init());
	crypto_seal(key, S("root"), S("hello"), out);
	crypto_seal(key, S("root"), S("hello"), again);
	EXPECT_NE(memcmp(out, again, sizeof(out)), 0);
	EXPECT_OK(
	    crypto_unseal(key, S("root"), slice_of(out, sizeof(out)), back));
	EXPECT_MEM(back, "hello", 5);
	EXPECT_ERR(
	    crypto_unseal(key, S("leaf"), slice_of(out, sizeof(out)), back),
	    ERR_AUTH);
	EXPECT_ERR(crypto_unseal(key, S("root"),
		       slice_of(out, CRYPTO_SEAL_OVERHEAD - 1), back),
	    ERR_AUTH);
	for (size_t i = 0; i < sizeof(out); i++) {
		out[i] ^= 0x80;
		EXPECT_ERR(crypto_unseal(key, S("root"),
			       slice_of(out, sizeof(out)), back),
		    ERR_AUTH);
		out[i] ^= 0x80;
	}
}

TEST(base64url_goes_both_ways_for_every_length)
{
	uint8_t in[200], back[200];
	char text[280];
	size_t len;

	count_up(in, sizeof(in), 0x7f);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t chars = crypto_base64url_len(n);

		text[chars] = '#'; /* nothing is written behind */
		crypto_base64url(slice_of(in, n), text);
		EXPECT_EQ(text[chars], '#');
		EXPECT_OK(crypto_base64url_decode(
		    slice_of(text, chars), back, n, &len));
		EXPECT_SLICE(slice_of(back, len), slice_of(in, n));
	}
	crypto_base64url(S("\xfb\xff"), text);
	EXPECT_SLICE(slice_of(text, 3), S("-_8"));
}

TEST(what_is_no_base64url_is_refused)
{
	static const char *const bad[] = {
	    "A", "AB=", "AB==", "A+B/", "AAA ", "\nAAA", "AB", "AAB"};
	uint8_t out[8];
	size_t len = 7;

	/* The last two have bits that stand for nothing. */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_ERR(crypto_base64url_decode(
			       slice_str(bad[i]), out, sizeof(out), &len),
		    ERR_PARSE);
	EXPECT_ERR(crypto_base64url_decode(S("AAAA"), out, 2, &len), ERR_LIMIT);
	EXPECT_EQ(len, 7);
}

TEST(hex_goes_both_ways_and_fills_its_place)
{
	uint8_t out[2] = {0};

	EXPECT_OK(crypto_hex_decode(S("09af"), out, sizeof(out)));
	expect_hex(out, sizeof(out), "09af");
	EXPECT_OK(crypto_hex_decode(S(""), out, 0));
	EXPECT_EQ(crypto_hex_decode(S("09AF"), out, 2), ERR_PARSE);
	EXPECT_EQ(crypto_hex_decode(S("09ag"), out, 2), ERR_PARSE);
	EXPECT_EQ(crypto_hex_decode(S("09a"), out, 2), ERR_PARSE);
	EXPECT_EQ(crypto_hex_decode(S("09a"), out, 1), ERR_PARSE);
	EXPECT_EQ(crypto_hex_decode(S("09af00"), out, 2), ERR_PARSE);
}

TEST(base64url_has_sixty_four_digits)
{
	char text[] = "AAA?";
	uint8_t out[3];
	size_t len, digits = 0;

	for (int c = 0; c < 256; c++) {
		text[3] = (char)c;
		digits += crypto_base64url_decode(
			      slice_of(text, 4), out, sizeof(out), &len) == OK;
	}
	EXPECT_EQ(digits, 64);
}

TEST(base64_goes_both_ways_for_every_length)
{
	uint8_t in[200], back[200];
	char text[280];
	size_t len;

	count_up(in, sizeof(in), 0x7f);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t chars = CRYPTO_BASE64_LEN(n);

		text[chars] = '#'; /* nothing is written behind */
		crypto_base64(slice_of(in, n), text);
		EXPECT_EQ(text[chars], '#');
		EXPECT_OK(
		    crypto_base64_decode(slice_of(text, chars), back, n, &len));
		EXPECT_SLICE(slice_of(back, len), slice_of(in, n));
	}
	crypto_base64(S("\xfb\xff"), text);
	EXPECT_SLICE(slice_of(text, 4), S("+/8="));
}

TEST(base64_of_files_is_read_with_its_line_ends)
{
	static const char *const bad[] = {"aGk", "aGk=x", "a-_=", "a Gk="};
	uint8_t out[4];
	size_t len = 7;

	EXPECT_OK(crypto_base64_decode(S("aGk=\r\n"), out, 4, &len));
	EXPECT_SLICE(slice_of(out, len), S("hi"));
	EXPECT_OK(crypto_base64_decode(S("+/\n+/"), out, 4, &len));
	EXPECT_EQ(len, 3);
	EXPECT_OK(crypto_base64_decode(S(""), out, 0, &len));
	EXPECT_EQ(len, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_ERR(
		    crypto_base64_decode(slice_str(bad[i]), out, 4, &len),
		    ERR_PARSE);
	EXPECT_ERR(crypto_base64_decode(S("a\0Gk="), out, 4, &len), ERR_PARSE);
	EXPECT_ERR(
	    crypto_base64_decode(S("AAAAAAAA"), out, 4, &len), ERR_LIMIT);
}

TEST(random_bytes_differ)
{
	uint8_t a[16], b[16];

	EXPECT_OK(crypto_init());
	crypto_random(a, sizeof(a));
	crypto_random(b, sizeof(b));
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
}
