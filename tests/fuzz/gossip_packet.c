/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_packet — what a member that holds the pool's key can send us.
 *
 * The first byte chooses packet, request or reply; the rest are its parts, as
 * they are after opening. A second copy goes to the sealed forms' parsers.
 */
#include "gossip/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_action(void *arg, const struct core_action *a)
{
	size_t *bytes = arg;

	CHECK(a->type != CORE_SEND || a->payload.len <= PACKET_PAYLOAD_MAX);
	CHECK(a->payload.len <= CALL_PAYLOAD_MAX);
	*bytes += a->payload.len;
}

static struct gossip_voucher
voucher_for(uint8_t secret[CRYPTO_ED25519_SECRET_LEN], uint8_t number)
{
	const uint8_t seed[CRYPTO_KEY_LEN] = {number};
	struct gossip_voucher v = {.name = S("node"),
	    .network = S("default"),
	    .namespaces = S("*"),
	    .accounts = S("*"),
	    .expires_s = UINT32_MAX};

	crypto_ed25519_from_seed(seed, v.public_key, secret);
	return v;
}

/* Any signature is good: the fuzzer cannot make one, members can. */
static bool
verify_all(
    struct slice message, const uint8_t *public_key, const uint8_t *signature)
{
	(void)message;
	(void)public_key;
	(void)signature;
	return true;
}

static struct core *
make(size_t *bytes, struct gossip_revoked *revoked)
{
	struct core_config config = {.boot = 1,
	    .seed = 1,
	    .revoked = revoked,
	    .verify = verify_all,
	    .sink = on_action,
	    .arg = bytes};
	struct gossip_voucher v = voucher_for(config.secret_key, 1);
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	struct core *c;
	size_t len;

	CHECK(crypto_init() == OK);
	CHECK(gossip_voucher_sign(&v, config.secret_key, voucher, &len, NULL) ==
	      OK);
	config.voucher = slice_of(voucher, len);
	config.trust.count = 1;
	CHECK(addr_parse(S("10.0.0.1:15946"), &config.advertise) == OK);
	CHECK(core_new(&config, (struct core_time){1, 1}, &c, NULL) == OK);
	return c;
}

static void
open_sealed(struct slice s)
{
	static const uint8_t mesh[GOSSIP_MESH_LEN];
	static const struct gossip_id self;
	const struct gossip_keyring ring = {{{1, {1}}}, 1};
	AUTO(packets_free) struct packets *p = packets_new(mesh, &self, 1);
	uint8_t out[PACKET_PAYLOAD_MAX];
	struct packet_from from;
	size_t len;

	CHECK(packets_set_keyring(p, &ring) == OK);
	CHECK(packets_open(p, s, out, &len, &from) != OK);
	if (call_length(s, &len) == OK && len != 0 && len <= s.len &&
	    len <= LIMIT_GOSSIP_PACKET)
		CHECK(
		    call_open(p, NULL, slice_sub(s, 0, len), out, &from) != OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum core_input_type types[] = {
	    CORE_PACKET, CORE_REQUEST, CORE_REPLY};
	AUTO(gossip_revoked_free) struct gossip_revoked *revoked = NULL;
	AUTO(core_free) struct core *c = NULL;
	struct core_input in = {.sender = {.node = {{9}}, .boot = 2}};
	struct core_time now = {1, 1};
	size_t bytes = 0;

	if (size < 1)
		return 0;
	revoked = gossip_revoked_new();
	c = make(&bytes, revoked);
	in.type = types[data[0] % ARRAY_LEN(types)];
	in.payload = slice_of(data + 1, size - 1);
	in.from.family = ADDR_V4;
	in.from.port = 1;
	open_sealed(in.payload);
	/* Twice, then a minute of its own life. */
	core_step(c, now, &in);
	now.ms++;
	core_step(c, now, &in);
	in.type = CORE_TICK;
	for (unsigned i = 0; i < 60; i++) {
		now.ms = MAX(core_due_ms(c), now.ms + 1);
		core_step(c, now, &in);
	}
	CHECK(c->queued <= c->count);
	CHECK(revoked->news <= revoked->count);
	return 0;
}
