/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_wire — the JSON that a server sends while a machine joins, and later.
 *
 * The first byte chooses which. What is refused has words and leaves the
 * caller's storage as it was; a membership is written and read as the same.
 */
#include "node/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same(const void *a, const void *b, size_t len)
{
	CHECK(memcmp(a, b, len) == 0);
}

static void
try_membership(struct slice json)
{
	static const struct membership none;
	AUTO(membership_fini) struct membership m = {0};
	AUTO(membership_fini) struct membership again = {0};
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	AUTO(buf_fini) struct buf first = BUF(4 * WIRE_BODY_MAX);
	AUTO(buf_fini) struct buf second = BUF(4 * WIRE_BODY_MAX);
	struct fault why = {0};

	if (wire_membership_decode(json, &m, &chain, &why) != OK) {
		CHECK(why.text[0] != '\0' && chain == NULL);
		check_same(&m, &none, sizeof(m));
		return;
	}
	CHECK(m.keyring.count > 0 && m.bundle.voucher_keys.count > 0);
	CHECK(m.voucher_len <= sizeof(m.voucher));
	CHECK(wire_membership_encode(&m, &first) == OK);
	CHECK(wire_membership_decode(buf_slice(&first), &again, NULL, NULL) ==
	      OK);
	CHECK(wire_membership_encode(&again, &second) == OK);
	CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
}

static void
try_certified(struct slice json)
{
	static const struct wire_certified none;
	struct wire_certified c = {0};
	struct fault why = {0};

	if (wire_certified_decode(json, &c, &why) != OK) {
		CHECK(why.text[0] != '\0');
		check_same(&c, &none, sizeof(c));
		return;
	}
	CHECK(c.chain != NULL && c.voucher_len <= sizeof(c.voucher));
	tls_chain_unref(&c.chain);
}

static void
try_bundle(struct slice json)
{
	static const struct wire_bundle none;
	AUTO(wire_bundle_fini) struct wire_bundle b = {0};
	struct fault why = {0};

	if (wire_bundle_decode(json, &b, &why) != OK) {
		CHECK(why.text[0] != '\0');
		check_same(&b, &none, sizeof(b));
		return;
	}
	CHECK(b.roots != NULL && b.voucher_keys.count > 0);
	CHECK(name_check_trust_domain(slice_str(b.trust_domain), NULL) == OK);
}

static void
try_keys(struct slice json)
{
	static const struct gossip_keyring none;
	struct gossip_keyring k = {0};
	struct fault why = {0};

	if (wire_gossip_keys_decode(json, &k, &why) == OK)
		CHECK(k.count > 0 && k.count <= GOSSIP_KEYS_MAX);
	else
		check_same(&k, &none, sizeof(k));
}

static void
try_revocation(struct slice json)
{
	AUTO(arena_fini) struct arena arena;
	struct wire_revocation r = {.what = {.since_ms = -7}};
	struct identity id;
	struct fault why = {0};

	arena_init(&arena, 1 << 20);
	if (wire_revocation_decode(json, &arena, &r, &why) == OK)
		CHECK(name_identity_parse(r.what.identity, &id, NULL) == OK);
	else
		CHECK(why.text[0] != '\0' && r.what.since_ms == -7);
}

static void
try_refusal(struct slice json)
{
	struct fault why = {0};

	CHECK(wire_refusal(503, json, &why) == ERR_UNREACHABLE);
	CHECK(why.text[0] != '\0');
	CHECK(wire_refusal(403, json, &why) != OK);
	CHECK(slice_is_utf8(slice_str(why.text)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct slice json) = {try_membership,
	    try_certified, try_bundle, try_keys, try_revocation, try_refusal};
	static bool ready;

	if (!ready)
		CHECK(crypto_init() == OK && tls_init() == OK);
	ready = true;
	if (size > 0)
		tries[data[0] % ARRAY_LEN(tries)](slice_of(data + 1, size - 1));
	return 0;
}
