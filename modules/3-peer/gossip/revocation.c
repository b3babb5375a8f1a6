/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocation — what the CA takes back, and the set of all that is known of it.
 *
 * version 1 · since 8 · expires 4 · node with a length byte · signature 64.
 * The set has one for each node. Two sets that have heard the same are the
 * same, in whatever order they heard it: of two about one node the later
 * counts, and a full set keeps those that last longest.
 */
#include "revocation.h"

enum { REVOCATION_VERSION = 1, SET_VERSION = 1 };

/* --- in bytes ------------------------------------------------------------- */

MUST_USE enum err
gossip_revocation_sign(const struct gossip_revocation *r,
    const uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_REVOCATION_MAX], size_t *out_len)
{
	struct packer p = {.mem = out, .cap = GOSSIP_REVOCATION_MAX};

	if (name_check_subdomain(r->node, NULL) != OK || r->since_ms < 0)
		return ERR_INVALID;
	pack_u8(&p, REVOCATION_VERSION);
	pack_u64(&p, (uint64_t)r->since_ms);
	pack_u32(&p, r->expires_s);
	pack_text(&p, r->node);
	record_sign(&p, 0, RECORD_REVOCATION, ca_secret);
	if (p.failed)
		return ERR_INVALID; /* a name that no voucher has either */
	*out_len = p.len;
	return OK;
}

MUST_USE enum err
gossip_revocation_parse(struct slice bytes, struct gossip_revocation *out)
{
	struct reader r = READER(record_body(bytes));
	struct gossip_revocation v = {0};
	uint64_t since;

	if (bytes.len > GOSSIP_REVOCATION_MAX ||
	    reader_u8(&r) != REVOCATION_VERSION)
		return ERR_PARSE;
	since = reader_u64(&r);
	v.expires_s = reader_u32(&r);
	v.node = wire_text(&r);
	if (reader_done(&r) != OK || since > INT64_MAX ||
	    name_check_subdomain(v.node, NULL) != OK)
		return ERR_PARSE;
	v.since_ms = (int64_t)since;
	*out = v;
	return OK;
}

static enum err
verify(struct slice bytes, const struct gossip_trust *trust, int64_t now_s,
    record_verify_fn check, struct gossip_revocation *out)
{
	enum err err = gossip_revocation_parse(bytes, out);

	if (err != OK)
		return err;
	for (size_t i = 0; i < trust->count; i++)
		if (record_check(
			bytes, RECORD_REVOCATION, trust->keys[i], check))
			return voucher_is_expired(out->expires_s, now_s)
				   ? ERR_EXPIRED
				   : OK;
	return ERR_AUTH;
}

/* --- the set -------------------------------------------------------------- */

struct gossip_revoked *
gossip_revoked_new(void)
{
	struct gossip_revoked *set = mem_new(sizeof(*set));

	map_init(&set->by_hash);
	return set;
}

void
gossip_revoked_free(struct gossip_revoked **setp)
{
	struct gossip_revoked *set = *setp;

	if (set == NULL)
		return;
	map_fini(&set->by_hash, NULL);
	for (size_t i = 0; i < set->count; i++)
		mem_free(&set->items[i]);
	mem_free(&set->items);
	mem_free(setp);
}

static struct slice
hash_key(const uint64_t *hash)
{
	return slice_of(hash, sizeof(*hash));
}

struct revoked *
revoked_find(const struct gossip_revoked *set, uint64_t hash)
{
	return map_get(&set->by_hash, hash_key(&hash));
}

static void
drop(struct gossip_revoked *set, struct revoked *r)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i] == r)
			set->items[i] = set->items[--set->count];
	(void)map_remove(&set->by_hash, hash_key(&r->hash));
	set->hash ^= r->hash;
	set->news -= r->is_news;
	mem_free(&r);
}

static int
cmp(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Whether `a` goes on to count when there is no room for both. */
static bool
lasts_longer(const struct revoked *a, const struct revoked *b)
{
	int order = cmp(a->says.expires_s, b->says.expires_s);

	return (order != 0 ? order : cmp(a->hash, b->hash)) > 0;
}

/* Whether `a` says more of the node that both are about. */
static bool
is_later(const struct revoked *a, const struct revoked *b)
{
	int order = cmp((uint64_t)a->says.since_ms, (uint64_t)b->says.since_ms);

	return order != 0 ? order > 0 : lasts_longer(a, b);
}

static struct revoked *
find_node(const struct gossip_revoked *set, struct slice node)
{
	for (size_t i = 0; i < set->count; i++)
		if (slice_eq(set->items[i]->says.node, node))
			return set->items[i];
	return NULL;
}

static struct revoked *
first_to_go(const struct gossip_revoked *set)
{
	struct revoked *first = set->items[0];

	for (size_t i = 1; i < set->count; i++)
		if (lasts_longer(first, set->items[i]))
			first = set->items[i];
	return first;
}

static struct revoked *
revoked_new(struct slice bytes)
{
	struct revoked *r = mem_new(sizeof(*r));

	memcpy(r->bytes, bytes.ptr, bytes.len);
	r->len = bytes.len;
	r->hash = record_hash(bytes);
	CHECK(gossip_revocation_parse(slice_of(r->bytes, r->len), &r->says) ==
	      OK);
	return r;
}

/* What has to give way to it, if anything; ERR_EXISTS, ERR_LIMIT. */
static enum err
make_room(struct gossip_revoked *set, const struct revoked *r)
{
	struct revoked *other = find_node(set, r->says.node);

	if (other != NULL && !is_later(r, other))
		return ERR_EXISTS;
	if (other == NULL && set->count == GOSSIP_REVOCATIONS_MAX) {
		other = first_to_go(set);
		if (!lasts_longer(r, other))
			return ERR_LIMIT;
	}
	if (other != NULL)
		drop(set, other);
	return OK;
}

static void
put(struct gossip_revoked *set, struct revoked *r)
{
	if (set->count == set->cap) {
		size_t cap = MAX(set->cap * 2, 8);

		set->items =
		    mem_resize(set->items, set->cap, cap, sizeof(*set->items));
		set->cap = cap;
	}
	set->items[set->count++] = r;
	(void)map_put(&set->by_hash, hash_key(&r->hash), r);
	set->hash ^= r->hash;
}

MUST_USE enum err
revoked_add_with(struct gossip_revoked *set, struct slice bytes,
    const struct gossip_trust *trust, int64_t now_s, record_verify_fn check,
    struct revoked **out)
{
	AUTO(mem_free) struct revoked *r = NULL;
	struct gossip_revocation says;
	enum err err;

	if (revoked_find(set, record_hash(bytes)) != NULL)
		return ERR_EXISTS;
	err = verify(bytes, trust, now_s, check, &says);
	if (err != OK)
		return err;
	r = revoked_new(bytes);
	err = make_room(set, r);
	if (err != OK)
		return err;
	put(set, r);
	*out = TAKE(r);
	return OK;
}

MUST_USE enum err
gossip_revoked_add(struct gossip_revoked *set, struct slice bytes,
    const struct gossip_trust *trust, int64_t now_s)
{
	struct revoked *fresh;

	return revoked_add_with(
	    set, bytes, trust, now_s, crypto_ed25519_verify, &fresh);
}

bool
gossip_revoked_next(const struct gossip_revoked *set, size_t *cursor,
    struct gossip_revocation *out)
{
	if (*cursor >= set->count)
		return false;
	*out = set->items[(*cursor)++]->says;
	return true;
}

bool
gossip_revoked_has(
    const struct gossip_revoked *set, struct slice node, uint32_t issued_s)
{
	const struct revoked *r = find_node(set, node);

	return r != NULL && issued_s * INT64_C(1000) <= r->says.since_ms;
}

void
revoked_sweep(struct gossip_revoked *set, int64_t now_s)
{
	for (size_t i = set->count; i-- > 0;)
		if (voucher_is_expired(set->items[i]->says.expires_s, now_s))
			drop(set, set->items[i]);
}

/* --- on the disk ---------------------------------------------------------- */

MUST_USE enum err
gossip_revoked_encode(const struct gossip_revoked *set, struct buf *out)
{
	size_t total = 1 + set->count * (2 + GOSSIP_REVOCATION_MAX);
	struct packer p = {.cap = total};
	char *mem;
	enum err err = buf_reserve(out, total, &mem);

	if (err != OK)
		return err;
	p.mem = (uint8_t *)mem;
	pack_u8(&p, SET_VERSION);
	for (size_t i = 0; i < set->count; i++)
		pack_text16(
		    &p, slice_of(set->items[i]->bytes, set->items[i]->len));
	CHECK(!p.failed);
	buf_commit(out, p.len);
	return OK;
}

MUST_USE enum err
gossip_revoked_decode(struct gossip_revoked *set, struct slice bytes,
    const struct gossip_trust *trust, int64_t now_s)
{
	struct reader r = READER(bytes);
	enum err err = OK;

	if (reader_u8(&r) != SET_VERSION)
		return ERR_CORRUPT;
	while (!r.failed && r.rest.len > 0) {
		struct slice one = wire_text16(&r);
		enum err e = r.failed
				 ? ERR_CORRUPT
				 : gossip_revoked_add(set, one, trust, now_s);

		/* What has expired meanwhile is as it should be. */
		if (e != OK && e != ERR_EXPIRED && e != ERR_EXISTS)
			err = ERR_CORRUPT;
	}
	return err;
}
