/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_record — vouchers, states, offers, revocations, and from the disk
 * peers and sets of revocations.
 *
 * The first byte chooses; what is read is written again and has to be the same
 * where that can be said.
 */
#include "gossip/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_state(struct slice s)
{
	static const uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t bytes[GOSSIP_STATE_MAX];
	struct state first;
	struct state second;
	size_t len;

	if (state_decode(s, &first) != OK)
		return;
	len = state_encode(&first, secret, bytes);
	CHECK(len == s.len);
	CHECK(state_decode(slice_of(bytes, len), &second) == OK);
	CHECK(slice_eq(record_body(s), record_body(slice_of(bytes, len))));
}

static void
try_voucher(struct slice s)
{
	static const uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	static const struct gossip_trust none;
	uint8_t bytes[GOSSIP_VOUCHER_MAX];
	struct gossip_voucher v;
	size_t len;

	CHECK(gossip_voucher_verify(s, &none, 0, &v) != OK);
	if (gossip_voucher_parse(s, &v) != OK)
		return;
	CHECK(gossip_voucher_sign(&v, secret, bytes, &len, NULL) == OK);
	CHECK(slice_eq(record_body(s), record_body(slice_of(bytes, len))));
	(void)gossip_voucher_grants(&v, S("default"), S("web"));
}

static void
try_offers(struct slice s)
{
	static const struct gossip_voucher v = {.network = {"default", 7}};
	AUTO(arena_fini) struct arena arena;
	struct gossip_offers o;
	struct gossip_id id;
	struct fault why;

	arena_init(&arena, 1 << 20);
	if (gossip_offers_decode(s, &arena, &o) != OK)
		return;
	CHECK(o.service_count <= GOSSIP_SERVICES_MAX);
	CHECK(offers_owner(s, &id) == OK);
	CHECK(offers_check(s, &id, &v, &why) == OK || o.service_count > 0 ||
	      !slice_eq(o.network, v.network));
}

static void
on_action(void *arg, const struct core_action *a)
{
	(void)arg;
	(void)a;
}

static bool
verify_all(
    struct slice message, const uint8_t *public_key, const uint8_t *signature)
{
	(void)message;
	(void)public_key;
	(void)signature;
	return true;
}

/* With the right checksum, or it would end there. */
static void
try_saved(struct slice s)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *revoked = gossip_revoked_new();
	AUTO(core_free) struct core *c = NULL;
	AUTO(mem_free) uint8_t *bytes = mem_new(s.len + 8);
	struct packer p = {.mem = bytes, .cap = s.len + 8};
	struct core_config config = {.boot = 1,
	    .revoked = revoked,
	    .verify = verify_all,
	    .sink = on_action};
	struct gossip_voucher v = {.name = S("n"), .network = S("default")};
	static const uint8_t seed[CRYPTO_KEY_LEN] = {3};
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	size_t len;

	crypto_ed25519_from_seed(seed, v.public_key, config.secret_key);
	CHECK(gossip_voucher_sign(&v, config.secret_key, voucher, &len, NULL) ==
	      OK);
	config.voucher = slice_of(voucher, len);
	config.trust.count = 1;
	CHECK(addr_parse(S("10.0.0.1:1"), &config.advertise) == OK);
	CHECK(core_new(&config, (struct core_time){1, 0}, &c, NULL) == OK);
	pack_bytes(&p, s.ptr, s.len);
	pack_u64(&p, record_hash(s));
	core_restore(c, (struct core_time){2, 0}, slice_of(bytes, p.len));
}

static void
try_revocation(struct slice s)
{
	static const uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	struct gossip_revocation r;
	size_t len;

	if (gossip_revocation_parse(s, &r) != OK)
		return;
	CHECK(gossip_revocation_sign(&r, secret, bytes, &len) == OK);
	CHECK(slice_eq(record_body(s), record_body(slice_of(bytes, len))));
}

/* What is in the set is written and read again, and is the same set. */
static void
try_revoked(struct slice s)
{
	AUTO(gossip_revoked_free)
	struct gossip_revoked *first = gossip_revoked_new();
	AUTO(gossip_revoked_free)
	struct gossip_revoked *second = gossip_revoked_new();
	AUTO(buf_fini) struct buf file = BUF(GOSSIP_REVOKED_BYTES_MAX);
	const struct gossip_trust any = {.count = 1};
	struct reader r = READER(s);
	struct revoked *fresh;
	size_t refused = 0;

	/* Without a key that would sign: so past the signature. */
	while (!r.failed && r.rest.len > 0)
		refused += revoked_add_with(first, wire_text16(&r), &any, 0,
			       verify_all, &fresh) != OK;
	CHECK(gossip_revoked_encode(first, &file) == OK);
	r = READER(slice_sub(buf_slice(&file), 1, SIZE_MAX));
	while (r.rest.len > 0)
		CHECK(revoked_add_with(second, wire_text16(&r), &any, 0,
			  verify_all, &fresh) == OK);
	CHECK(first->hash == second->hash && first->count == second->count);
	CHECK(refused <= s.len);
	/* No real signature is in there. */
	CHECK(gossip_revoked_decode(second, s, &any, 0) != OK || s.len < 2);
	revoked_sweep(first, INT64_MAX);
	CHECK(first->count == 0 && first->hash == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(struct slice s) = {try_state, try_voucher,
	    try_offers, try_saved, try_revocation, try_revoked};

	CHECK(crypto_init() == OK);
	if (size > 0)
		tries[data[0] % ARRAY_LEN(tries)](slice_of(data + 1, size - 1));
	return 0;
}
