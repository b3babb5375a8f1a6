/* SPDX-License-Identifier: Apache-2.0 */
/*
 * office — an authority with its root, made for a test.
 */
#include "office.h"
#include "unit.h"

void
office_init(struct office *o)
{
	static const uint8_t serial[TLS_SERIAL_LEN] = {1, 2, 3};
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	struct tls_issuer root;
	struct tls_root_set set;
	struct ca_spec spec;

	EXPECT_EQ(crypto_init(), OK);
	EXPECT_EQ(tls_init(), OK);
	o->root_key = tls_key_new();
	o->key = tls_key_new();
	crypto_ed25519_new(o->voucher_public, secret);
	EXPECT_EQ(
	    ca_root_make(DOMAIN, o->root_key, serial, NOW_MS, &o->root, NULL),
	    OK);
	root = (struct tls_issuer){o->root, o->root_key};
	EXPECT_EQ(ca_intermediate_make(&root, DOMAIN, S("s1"), o->key, serial,
		      NOW_MS, &o->chain, NULL),
	    OK);
	spec = (struct ca_spec){DOMAIN, o->chain, o->key, secret};
	EXPECT_EQ(ca_new(&spec, &o->ca, NULL), OK);
	set = (struct tls_root_set){DOMAIN, o->root};
	EXPECT_EQ(tls_trust_new(&set, 1, /* epoch */ 1, &o->trust, NULL), OK);
}

void
office_fini(struct office *o)
{
	tls_key_unref(&o->root_key);
	tls_key_unref(&o->key);
	tls_chain_unref(&o->root);
	tls_chain_unref(&o->chain);
	tls_trust_unref(&o->trust);
	ca_unref(&o->ca);
}
