/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool — see pool.h.
 */
#include "pool.h"

#include <stdio.h>

void
pool_ca(uint8_t secret[CRYPTO_ED25519_SECRET_LEN], struct gossip_trust *out)
{
	static const uint8_t seed[CRYPTO_KEY_LEN] = {1};

	CHECK(crypto_init() == OK);
	out->count = 1;
	crypto_ed25519_from_seed(seed, out->keys[0], secret);
}

void
pool_node(struct pool_node *out, unsigned number)
{
	uint8_t seed[CRYPTO_KEY_LEN] = {2, (uint8_t)number};
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	struct gossip_voucher v = {.network = S("default"),
	    .namespaces = S("default,shop"),
	    .accounts = S("web"),
	    .issued_s = POOL_WALL_S,
	    .expires_s = 4102444800U};

	*out = (struct pool_node){0};
	pool_ca(ca, &out->trust);
	crypto_ed25519_from_seed(seed, out->public_key, out->secret);
	gossip_id_of_key(out->public_key, &out->id);
	(void)snprintf(out->name, sizeof(out->name), "node-%u", number);
	v.name = slice_str(out->name);
	memcpy(v.public_key, out->public_key, sizeof(v.public_key));
	CHECK(gossip_voucher_sign(
		  &v, ca, out->voucher, &out->voucher_len, NULL) == OK);
	out->addr.family = ADDR_V4;
	out->addr.bytes[0] = 10;
	out->addr.bytes[3] = (uint8_t)number;
	out->addr.port = GOSSIP_PORT;
}

void
pool_offers(
    struct gossip_offers *out, struct gossip_service *services, size_t count)
{
	static const struct gossip_label labels[] = {
	    {{"app", 3}, {"web", 3}},
	    {{"version", 7}, {"v1", 2}},
	    {{"tier", 4}, {"front", 5}},
	};

	for (size_t i = 0; i < count; i++)
		services[i] = (struct gossip_service){.name = S("web"),
		    .ns = S("default"),
		    .account = S("web"),
		    .protocol = S("http"),
		    .labels = labels,
		    .label_count = ARRAY_LEN(labels),
		    .port = (uint16_t)(8080 + i),
		    .weight = 100};
	*out = (struct gossip_offers){.network = S("default"),
	    .locality = S("eu/west/a"),
	    .roles = GOSSIP_ROLE_AGENT,
	    .tunnel_port = 15008,
	    .services = services,
	    .service_count = count,
	    .addr_count = 1};
	CHECK(addr_parse_ip(S("10.0.0.1"), &out->addrs[0]) == OK);
}

void
pool_offer(struct gossip *g, size_t count)
{
	struct gossip_service services[GOSSIP_SERVICES_MAX];
	struct gossip_offers o;

	pool_offers(&o, services, count);
	CHECK(gossip_set_offers(g, &o, NULL) == OK);
}

static void
on_action(void *arg, const struct core_action *a)
{
	struct pool_machine *m = arg;

	m->calls += a->type == CORE_CALL;
	m->answers += a->type == CORE_ANSWER;
	m->sent += a->type == CORE_SEND;
	if (a->type != CORE_EVENT && a->payload.len <= sizeof(m->packet)) {
		m->packet_len = a->payload.len;
		m->packet_to = a->to;
		if (a->payload.len > 0)
			memcpy(m->packet, a->payload.ptr, a->payload.len);
	} else if (a->type == CORE_EVENT) {
		m->events[a->event.type]++;
		if (a->event.type == GOSSIP_EVENT_MEMBER)
			m->status = a->event.member->status;
	}
}

void
pool_start(struct pool_machine *m, const struct pool_node *n)
{
	struct core_config config = {
	    .voucher = slice_of(n->voucher, n->voucher_len),
	    .trust = n->trust,
	    .revoked = gossip_revoked_new(),
	    .advertise = n->addr,
	    .boot = 77,
	    .seed = 1,
	    .verify = crypto_ed25519_verify,
	    .sink = on_action,
	    .arg = m};

	*m = (struct pool_machine){.revoked = config.revoked};
	memcpy(config.secret_key, n->secret, sizeof(config.secret_key));
	CHECK(core_new(&config, (struct core_time){1000, POOL_WALL_S}, &m->core,
		  NULL) == OK);
}

void
pool_stop(struct pool_machine *m)
{
	core_free(&m->core);
	gossip_revoked_free(&m->revoked);
}

size_t
pool_revocation(
    unsigned number, int64_t since_ms, uint8_t out[GOSSIP_REVOCATION_MAX])
{
	char name[32];
	struct gossip_revocation r = {
	    .since_ms = since_ms, .expires_s = POOL_WALL_S + 10 * 86400};
	uint8_t ca[CRYPTO_ED25519_SECRET_LEN];
	struct gossip_trust trust;
	size_t len;

	pool_ca(ca, &trust);
	(void)snprintf(name, sizeof(name), "node-%u", number);
	r.node = slice_str(name);
	CHECK(gossip_revocation_sign(&r, ca, out, &len) == OK);
	return len;
}
