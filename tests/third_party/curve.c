/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curve — P-256 and X25519 by AWS-LC against vectors and mbedTLS's own code.
 */
#include "curve.h"
#include "ecdsa_own.h"
#include "unit.h"

#include <stdio.h>

#include <mbedtls/ecp.h>
#include <psa/crypto.h>

enum { ROUNDS = 50, HASH_LEN = 32 };

static void
unhex(const char *hex, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		EXPECT_EQ(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
}

static int
chance(void *arg, unsigned char *out, size_t len)
{
	(void)arg;
	return (int)psa_generate_random(out, len);
}

/* A key on the curve as both libraries see it. */
struct pair {
	mbedtls_ecp_group group;
	mbedtls_mpi d, r, s;
	mbedtls_ecp_point q;
	uint8_t key[CURVE_KEY_LEN];
	uint8_t point[CURVE_P256_POINT_LEN];
};

static void
pair_init(struct pair *p)
{
	EXPECT_EQ(psa_crypto_init(), PSA_SUCCESS);
	mbedtls_ecp_group_init(&p->group);
	EXPECT_EQ(
	    mbedtls_ecp_group_load(&p->group, MBEDTLS_ECP_DP_SECP256R1), 0);
	mbedtls_mpi_init(&p->d);
	mbedtls_mpi_init(&p->r);
	mbedtls_mpi_init(&p->s);
	mbedtls_ecp_point_init(&p->q);
	EXPECT_TRUE(curve_p256_keygen(p->key));
	EXPECT_TRUE(curve_p256_public(p->key, p->point));
	EXPECT_EQ(mbedtls_mpi_read_binary(&p->d, p->key, CURVE_KEY_LEN), 0);
	EXPECT_EQ(
	    mbedtls_ecp_mul(&p->group, &p->q, &p->d, &p->group.G, chance, NULL),
	    0);
}

static void
pair_fini(struct pair *p)
{
	mbedtls_ecp_point_free(&p->q);
	mbedtls_mpi_free(&p->s);
	mbedtls_mpi_free(&p->r);
	mbedtls_mpi_free(&p->d);
	mbedtls_ecp_group_free(&p->group);
}

TEST(p256_agrees_with_rfc6979_a_2_5)
{
	uint8_t key[CURVE_KEY_LEN], point[CURVE_P256_POINT_LEN];
	uint8_t made[CURVE_P256_POINT_LEN], hash[HASH_LEN], sig[CURVE_SIG_LEN];
	size_t n;

	unhex(
	    "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
	    key, sizeof(key));
	unhex(
	    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	    point, sizeof(point));
	unhex(
	    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
	    sig, sizeof(sig));
	EXPECT_EQ(psa_crypto_init(), PSA_SUCCESS);
	EXPECT_EQ(psa_hash_compute(PSA_ALG_SHA_256, (const uint8_t *)"sample",
		      6, hash, sizeof(hash), &n),
	    PSA_SUCCESS);
	EXPECT_TRUE(curve_p256_public(key, made));
	EXPECT_MEM(made, point, sizeof(point));
	EXPECT_TRUE(curve_p256_verify(point, hash, sizeof(hash), sig));
	sig[10] ^= 1;
	EXPECT_FALSE(curve_p256_verify(point, hash, sizeof(hash), sig));
}

TEST(mbedtls_makes_the_same_public_key)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct pair p;
		uint8_t point[CURVE_P256_POINT_LEN];
		size_t n;

		pair_init(&p);
		EXPECT_EQ(
		    mbedtls_ecp_point_write_binary(&p.group, &p.q,
			MBEDTLS_ECP_PF_UNCOMPRESSED, &n, point, sizeof(point)),
		    0);
		EXPECT_MEM(point, p.point, sizeof(point));
		pair_fini(&p);
	}
}

TEST(each_library_verifies_what_the_other_signed)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct pair p;
		uint8_t hash[48], sig[CURVE_SIG_LEN];
		size_t hash_len = i % 2 == 0 ? 32 : 48;

		pair_init(&p);
		chance(NULL, hash, sizeof(hash));
		EXPECT_TRUE(curve_p256_sign(p.key, hash, hash_len, sig));
		EXPECT_EQ(mbedtls_mpi_read_binary(&p.r, sig, 32), 0);
		EXPECT_EQ(mbedtls_mpi_read_binary(&p.s, sig + 32, 32), 0);
		EXPECT_EQ(ecdsa_own_verify(
			      &p.group, hash, hash_len, &p.q, &p.r, &p.s),
		    0);
		EXPECT_EQ(ecdsa_own_sign(&p.group, &p.r, &p.s, &p.d, hash,
			      hash_len, chance, NULL),
		    0);
		EXPECT_EQ(mbedtls_mpi_write_binary(&p.r, sig, 32), 0);
		EXPECT_EQ(mbedtls_mpi_write_binary(&p.s, sig + 32, 32), 0);
		EXPECT_TRUE(curve_p256_verify(p.point, hash, hash_len, sig));
		sig[i] ^= 4;
		EXPECT_FALSE(curve_p256_verify(p.point, hash, hash_len, sig));
		memset(sig, 0, sizeof(sig));
		EXPECT_FALSE(curve_p256_verify(p.point, hash, hash_len, sig));
		pair_fini(&p);
	}
}

TEST(both_sides_of_p256_agree_and_a_point_off_the_curve_is_refused)
{
	struct pair a, b;
	uint8_t x[CURVE_KEY_LEN], y[CURVE_KEY_LEN];

	pair_init(&a);
	pair_init(&b);
	EXPECT_TRUE(curve_p256_shared(a.key, b.point, x));
	EXPECT_TRUE(curve_p256_shared(b.key, a.point, y));
	EXPECT_MEM(x, y, sizeof(x));
	b.point[40] ^= 1;
	EXPECT_FALSE(curve_p256_shared(a.key, b.point, x));
	pair_fini(&b);
	pair_fini(&a);
}

TEST(a_private_key_of_zero_is_refused)
{
	uint8_t zero[CURVE_KEY_LEN] = {0}, hash[HASH_LEN] = {1};
	uint8_t sig[CURVE_SIG_LEN];

	EXPECT_FALSE(curve_p256_sign(zero, hash, sizeof(hash), sig));
}

TEST(x25519_agrees_with_rfc7748_5_2)
{
	uint8_t k[CURVE_KEY_LEN] = {9}, u[CURVE_KEY_LEN] = {9};
	uint8_t next[CURVE_KEY_LEN], wanted[CURVE_KEY_LEN];

	for (int i = 1; i <= 1000; i++) {
		EXPECT_TRUE(curve_x25519_shared(k, u, next));
		memcpy(u, k, sizeof(u));
		memcpy(k, next, sizeof(k));
		if (i == 1) {
			unhex("422c8e7a6227d7bca1350b3e2bb7279f"
			      "7897b87bb6854b783c60e80311ae3079",
			    wanted, sizeof(wanted));
			EXPECT_MEM(k, wanted, sizeof(k));
		}
	}
	unhex("684cf59ba83309552800ef566f2f4d3c"
	      "1c3887c49360e3875f2eb94d99532c51",
	    wanted, sizeof(wanted));
	EXPECT_MEM(k, wanted, sizeof(k));
}

TEST(x25519_refuses_a_point_of_small_order)
{
	uint8_t key[CURVE_KEY_LEN], zero[CURVE_KEY_LEN] = {0};
	uint8_t out[CURVE_KEY_LEN];

	EXPECT_TRUE(curve_x25519_keygen(key));
	EXPECT_FALSE(curve_x25519_shared(key, zero, out));
}
