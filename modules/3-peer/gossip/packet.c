/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet — sealing and opening; see packet.h.
 */
#include "wire.h"

#include "packet.h"

enum {
	PACKET_VERSION = 1,
	SENDER_KEY = GOSSIP_ID_LEN + 8,
	MESH_AT = PACKET_HEAD /* in the associated data */
};

/* One process that sends to us. */
struct sender {
	struct list link; /* least recently heard first */
	uint8_t key[SENDER_KEY];
	struct window window;
	struct gossip_key derived[GOSSIP_KEYS_MAX];
	size_t derived_count;
};

struct packets {
	uint8_t mesh[GOSSIP_MESH_LEN];
	struct gossip_id self;
	uint64_t boot;
	uint64_t counter;
	struct gossip_keyring ring;
	uint8_t own_key[CRYPTO_KEY_LEN]; /* derived from ring.keys[0] */
	struct map senders;
	struct list by_age;
};

bool
window_accept(struct window *w, uint64_t counter)
{
	uint64_t word = counter / 64;
	uint64_t bit = UINT64_C(1) << (counter % 64);

	if (counter > w->highest) {
		uint64_t skipped = word - w->highest / 64;

		for (uint64_t i = 1; i <= MIN(skipped, WINDOW_WORDS); i++)
			w->bits[(w->highest / 64 + i) % WINDOW_WORDS] = 0;
		w->highest = counter;
	} else if (w->highest - counter >= WINDOW_BITS) {
		return false;
	}
	if (w->bits[word % WINDOW_WORDS] & bit)
		return false;
	w->bits[word % WINDOW_WORDS] |= bit;
	return true;
}

struct packets *
packets_new(const uint8_t mesh[GOSSIP_MESH_LEN], const struct gossip_id *self,
    uint64_t boot)
{
	struct packets *p = mem_new(sizeof(*p));

	memcpy(p->mesh, mesh, GOSSIP_MESH_LEN);
	p->self = *self;
	p->boot = boot;
	map_init(&p->senders);
	list_init(&p->by_age);
	return p;
}

static void
sender_drop(void *value)
{
	secret_wipe(value, sizeof(struct sender));
	mem_free(&value);
}

void
packets_free(struct packets **pp)
{
	struct packets *p = *pp;

	if (p == NULL)
		return;
	map_fini(&p->senders, sender_drop);
	secret_wipe(p, sizeof(*p));
	mem_free(pp);
}

size_t
packets_senders(const struct packets *p)
{
	return p->senders.count;
}

static const struct gossip_key *
ring_find(const struct packets *p, uint8_t id)
{
	for (size_t i = 0; i < p->ring.count; i++)
		if (p->ring.keys[i].id == id)
			return &p->ring.keys[i];
	return NULL;
}

/* The subkey of one sender: `who` is its node and boot. */
static void
derive_sender(const struct gossip_key *pool, const uint8_t who[SENDER_KEY],
    uint8_t out[CRYPTO_KEY_LEN])
{
	static const char context[] = "meshd gossip packet";
	uint8_t info[sizeof(context) + SENDER_KEY];

	memcpy(info, context, sizeof(context));
	memcpy(info + sizeof(context), who, SENDER_KEY);
	crypto_derive(pool->bytes, slice_of(info, sizeof(info)), out);
}

static void
put_u64(uint8_t out[8], uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t
get_u64(const uint8_t in[8])
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return v;
}

static void
put_who(uint8_t out[SENDER_KEY], const struct packets *p)
{
	memcpy(out, p->self.bytes, GOSSIP_ID_LEN);
	put_u64(out + GOSSIP_ID_LEN, p->boot);
}

static struct packet_from
get_who(const uint8_t in[SENDER_KEY])
{
	struct packet_from from;

	memcpy(from.node.bytes, in, GOSSIP_ID_LEN);
	from.boot = get_u64(in + GOSSIP_ID_LEN);
	return from;
}

static void
sender_forget_keys(struct sender *s)
{
	secret_wipe(s->derived, sizeof(s->derived));
	s->derived_count = 0;
}

MUST_USE enum err
packets_set_keyring(struct packets *p, const struct gossip_keyring *k)
{
	uint8_t who[SENDER_KEY];

	if (k->count == 0 || k->count > GOSSIP_KEYS_MAX)
		return ERR_INVALID;
	for (size_t i = 0; i < k->count; i++)
		for (size_t j = 0; j < i; j++)
			if (k->keys[i].id == k->keys[j].id)
				return ERR_INVALID;
	p->ring = *k;
	put_who(who, p);
	derive_sender(&p->ring.keys[0], who, p->own_key);
	LIST_EACH (&p->by_age, it)
		sender_forget_keys(CONTAINER(it, struct sender, link));
	return OK;
}

/* --- datagrams ------------------------------------------------------------ */

/* Head and mesh id; a receiver takes the mesh id from itself. */
static void
associated(const struct packets *p, const uint8_t head[PACKET_HEAD],
    uint8_t out[PACKET_HEAD + GOSSIP_MESH_LEN])
{
	memcpy(out, head, PACKET_HEAD);
	memcpy(out + MESH_AT, p->mesh, GOSSIP_MESH_LEN);
}

size_t
packets_seal(
    struct packets *p, struct slice payload, uint8_t out[LIMIT_GOSSIP_PACKET])
{
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN] = {0};
	uint8_t ad[PACKET_HEAD + GOSSIP_MESH_LEN];

	CHECK(p->ring.count > 0 && payload.len <= PACKET_PAYLOAD_MAX);
	out[0] = PACKET_VERSION;
	out[1] = p->ring.keys[0].id;
	put_who(out + 2, p);
	p->counter++;
	put_u64(out + 2 + SENDER_KEY, p->counter);
	put_u64(nonce + 4, p->counter);
	associated(p, out, ad);
	crypto_aead_encrypt(p->own_key, nonce, slice_of(ad, sizeof(ad)),
	    payload, out + PACKET_HEAD);
	return PACKET_HEAD + payload.len + CRYPTO_AEAD_TAG_LEN;
}

/* Derives into `scratch` unless the sender's is known. */
static const uint8_t *
key_for(const struct gossip_key *pool, const struct sender *s,
    const uint8_t who[SENDER_KEY], uint8_t scratch[CRYPTO_KEY_LEN])
{
	for (size_t i = 0; s != NULL && i < s->derived_count; i++)
		if (s->derived[i].id == pool->id)
			return s->derived[i].bytes;
	derive_sender(pool, who, scratch);
	return scratch;
}

static void
sender_evict_oldest(struct packets *p)
{
	struct sender *s = LIST_FIRST(&p->by_age, struct sender, link);

	CHECK(s != NULL);
	list_remove(&s->link);
	(void)map_remove(&p->senders, slice_of(s->key, SENDER_KEY));
	sender_drop(s);
}

/* Only for who has proven to hold the pool's key. */
static struct sender *
sender_touch(struct packets *p, struct sender *s, const uint8_t who[SENDER_KEY])
{
	if (s == NULL) {
		if (p->senders.count >= PACKET_SENDERS_MAX)
			sender_evict_oldest(p);
		s = mem_new(sizeof(*s));
		memcpy(s->key, who, SENDER_KEY);
		list_init(&s->link);
		(void)map_put(&p->senders, slice_of(who, SENDER_KEY), s);
	}
	list_remove(&s->link);
	list_push_back(&p->by_age, &s->link);
	return s;
}

static void
sender_keep_key(struct sender *s, uint8_t id, const uint8_t *key)
{
	for (size_t i = 0; i < s->derived_count; i++)
		if (s->derived[i].id == id)
			return;
	if (s->derived_count == GOSSIP_KEYS_MAX)
		sender_forget_keys(s);
	s->derived[s->derived_count].id = id;
	memcpy(s->derived[s->derived_count].bytes, key, CRYPTO_KEY_LEN);
	s->derived_count++;
}

MUST_USE enum err
packets_open(struct packets *p, struct slice datagram,
    uint8_t out[PACKET_PAYLOAD_MAX], size_t *out_len, struct packet_from *from)
{
	const uint8_t *head = (const uint8_t *)datagram.ptr;
	uint8_t nonce[CRYPTO_AEAD_NONCE_LEN] = {0};
	uint8_t ad[PACKET_HEAD + GOSSIP_MESH_LEN];
	uint8_t scratch[CRYPTO_KEY_LEN];
	const struct gossip_key *pool;
	const uint8_t *key;
	struct sender *s;

	if (datagram.len < PACKET_HEAD + CRYPTO_AEAD_TAG_LEN ||
	    datagram.len > LIMIT_GOSSIP_PACKET || head[0] != PACKET_VERSION)
		return ERR_PARSE;
	pool = ring_find(p, head[1]);
	if (pool == NULL)
		return ERR_AUTH;
	s = map_get(&p->senders, slice_of(head + 2, SENDER_KEY));
	key = key_for(pool, s, head + 2, scratch);
	memcpy(nonce + 4, head + 2 + SENDER_KEY, 8);
	associated(p, head, ad);
	if (crypto_aead_decrypt(key, nonce, slice_of(ad, sizeof(ad)),
		slice_sub(datagram, PACKET_HEAD, datagram.len), out) != OK)
		return ERR_AUTH;
	s = sender_touch(p, s, head + 2);
	sender_keep_key(s, pool->id, key);
	if (!window_accept(&s->window, get_u64(head + 2 + SENDER_KEY)))
		return ERR_EXISTS;
	*from = get_who(head + 2);
	*out_len = datagram.len - PACKET_HEAD - CRYPTO_AEAD_TAG_LEN;
	return OK;
}

/* --- calls ---------------------------------------------------------------- */

/* One key for one message: the nonce can stay zero. */
static void
derive_call(const struct packets *p, const struct gossip_key *pool,
    const uint8_t *request_head, const uint8_t *head,
    uint8_t out[CRYPTO_KEY_LEN])
{
	static const char context[] = "meshd gossip call";
	uint8_t info[sizeof(context) + GOSSIP_MESH_LEN + 2 * CALL_HEAD];
	struct packer b = {.mem = info, .cap = sizeof(info)};

	pack_bytes(&b, context, sizeof(context));
	pack_bytes(&b, p->mesh, GOSSIP_MESH_LEN);
	if (request_head != NULL)
		pack_bytes(&b, request_head, CALL_HEAD);
	pack_bytes(&b, head, CALL_HEAD);
	CHECK(!b.failed);
	crypto_derive(pool->bytes, slice_of(info, b.len), out);
}

static void
seal_call(struct packets *p, const struct gossip_key *pool,
    const uint8_t *request_head, struct slice payload, uint8_t *out)
{
	static const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	uint8_t key[CRYPTO_KEY_LEN];
	struct packer b = {.mem = out, .cap = CALL_HEAD + CALL_LENGTH};
	uint8_t fresh[16];

	CHECK(payload.len <= CALL_PAYLOAD_MAX);
	crypto_random(fresh, sizeof(fresh));
	pack_u8(&b, PACKET_VERSION);
	pack_u8(&b, pool->id);
	pack_id(&b, &p->self);
	pack_u64(&b, p->boot);
	pack_bytes(&b, fresh, sizeof(fresh));
	pack_u32(&b, (uint32_t)(payload.len + CRYPTO_AEAD_TAG_LEN));
	derive_call(p, pool, request_head, out, key);
	crypto_aead_encrypt(key, nonce, slice_of(p->mesh, GOSSIP_MESH_LEN),
	    payload, out + CALL_HEAD + CALL_LENGTH);
	secret_wipe(key, sizeof(key));
}

void
call_seal(struct packets *p, struct slice payload, uint8_t *out)
{
	CHECK(p->ring.count > 0);
	seal_call(p, &p->ring.keys[0], NULL, payload, out);
}

void
call_answer(struct packets *p, const uint8_t request_head[CALL_HEAD],
    struct slice payload, uint8_t *out)
{
	const struct gossip_key *pool = ring_find(p, request_head[1]);

	/* The ring may have moved on since the request was opened. */
	if (pool == NULL)
		pool = &p->ring.keys[0];
	seal_call(p, pool, request_head, payload, out);
}

MUST_USE enum err
call_length(struct slice start, size_t *out)
{
	struct reader r = READER(start);
	size_t body;

	*out = 0;
	if (start.len > 0 && reader_u8(&r) != PACKET_VERSION)
		return ERR_PARSE;
	if (start.len < CALL_HEAD + CALL_LENGTH)
		return OK;
	(void)reader_bytes(&r, CALL_HEAD - 1);
	body = reader_u32(&r);
	if (body < CRYPTO_AEAD_TAG_LEN)
		return ERR_PARSE;
	if (body > LIMIT_GOSSIP_STREAM - CALL_HEAD - CALL_LENGTH)
		return ERR_LIMIT;
	*out = CALL_HEAD + CALL_LENGTH + body;
	return OK;
}

MUST_USE enum err
call_open(struct packets *p, const uint8_t *request_head, struct slice message,
    uint8_t *out, struct packet_from *from)
{
	static const uint8_t nonce[CRYPTO_AEAD_NONCE_LEN];
	const uint8_t *head = (const uint8_t *)message.ptr;
	const struct gossip_key *pool;
	uint8_t key[CRYPTO_KEY_LEN];
	enum err err;

	CHECK(message.len >= CALL_OVERHEAD);
	pool = ring_find(p, head[1]);
	if (pool == NULL)
		return ERR_AUTH;
	derive_call(p, pool, request_head, head, key);
	err =
	    crypto_aead_decrypt(key, nonce, slice_of(p->mesh, GOSSIP_MESH_LEN),
		slice_sub(message, CALL_HEAD + CALL_LENGTH, message.len), out);
	secret_wipe(key, sizeof(key));
	if (err == OK)
		*from = get_who(head + 2);
	return err;
}
