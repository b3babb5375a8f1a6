/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache — answers of others; see cache.h.
 *
 * One list from the one that was asked for last to the one that goes first.
 */
#include "cache.h"

enum { KEY_MAX = DNS_NAME_MAX + 5, SECOND_US = 1000000 };

struct entry {
	struct list link;
	uint64_t kept_us;
	uint64_t until_us;
	uint16_t key_len;
	uint16_t len;
	uint16_t ttl_count;
	uint16_t ttls[CACHE_TTLS_MAX]; /* where they are, then the rest */
	char bytes[];                  /* the key, then the answer */
};

struct dns_cache {
	struct map by_key; /* struct entry */
	struct list by_use;
	size_t bytes;
	size_t bytes_max;
};

/* --- keys ----------------------------------------------------------------- */

static struct slice
key_of(const struct dns_question *q, char out[KEY_MAX])
{
	size_t len = q->name.len;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = q->name.bytes[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	out[len++] = (char)(q->type >> 8);
	out[len++] = (char)q->type;
	out[len++] = (char)(q->class >> 8);
	out[len++] = (char)q->class;
	out[len++] =
	    (char)((q->has_edns ? 1 : 0) | (q->dnssec_ok ? 2 : 0) |
		   (q->flags & DNS_RD ? 4 : 0) | (q->flags & DNS_CD ? 8 : 0) |
		   (q->flags & DNS_AD ? 16 : 0));
	return slice_of(out, len);
}

static struct slice
entry_key(const struct entry *e)
{
	return slice_of(e->bytes, e->key_len);
}

static struct slice
entry_answer(const struct entry *e)
{
	return slice_of(e->bytes + e->key_len, e->len);
}

static size_t
entry_size(const struct entry *e)
{
	return sizeof(*e) + e->key_len + e->len;
}

static void
drop(struct dns_cache *c, struct entry *e)
{
	(void)map_remove(&c->by_key, entry_key(e)); /* it is `e` */
	list_remove(&e->link);
	c->bytes -= entry_size(e);
	mem_free(&e);
}

/* --- finding -------------------------------------------------------------- */

static void
age(char *at, uint64_t elapsed_s)
{
	uint32_t ttl = (uint32_t)(uint8_t)at[0] << 24 |
		       (uint32_t)(uint8_t)at[1] << 16 |
		       (uint32_t)(uint8_t)at[2] << 8 | (uint8_t)at[3];

	ttl = ttl > elapsed_s ? ttl - (uint32_t)elapsed_s : 0;
	for (int i = 3; i >= 0; i--, ttl >>= 8)
		at[i] = (char)ttl;
}

/* Id and case are the asker's; who has it from a cache has it from no
 * authority. */
static void
make_own(char *out, const struct dns_question *q)
{
	out[0] = (char)(q->id >> 8);
	out[1] = (char)q->id;
	out[2] = (char)(out[2] & ~(DNS_AA >> 8));
	memcpy(out + DNS_HEAD_LEN, q->name.bytes, q->name.len);
}

bool
dns_cache_find(struct dns_cache *c, const struct dns_question *q,
    uint64_t now_us, char *out, size_t limit, struct slice *out_answer)
{
	char key[KEY_MAX];
	struct entry *e;

	if (q->has_options)
		return false;
	e = map_get(&c->by_key, key_of(q, key));
	if (e == NULL)
		return false;
	if (e->until_us <= now_us) {
		drop(c, e);
		return false;
	}
	if (e->len > limit)
		return false;
	list_remove(&e->link);
	list_push_front(&c->by_use, &e->link);
	memcpy(out, entry_answer(e).ptr, e->len);
	for (size_t i = 0; i < e->ttl_count; i++)
		age(out + e->ttls[i], (now_us - e->kept_us) / SECOND_US);
	make_own(out, q);
	*out_answer = slice_of(out, e->len);
	return true;
}

/* --- keeping -------------------------------------------------------------- */

/* What an answer says of how long it holds. */
struct life {
	uint32_t least_s;
	uint32_t absence_s; /* of SOA in the authority section */
	bool has_answer;
	bool has_soa;
	bool is_for_one;
	uint16_t ttls[CACHE_TTLS_MAX];
	uint16_t ttl_count;
};

/* The last number of its data. */
static uint32_t
soa_minimum(const struct dns_record *r)
{
	const uint8_t *at;

	if (r->data.len < 20)
		return 0;
	at = (const uint8_t *)r->data.ptr + r->data.len - 4;
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static enum err
look_at(const struct dns_record *r, struct life *l)
{
	if (r->type == DNS_OPT) {
		l->is_for_one |= r->data.len > 0;
		return OK;
	}
	if (l->ttl_count == CACHE_TTLS_MAX)
		return ERR_LIMIT;
	l->ttls[l->ttl_count++] = (uint16_t)r->ttl_at; /* below 8192 */
	/* RFC 2181 §8: one with the first bit set counts as 0. */
	l->least_s = MIN(l->least_s, r->ttl > INT32_MAX ? 0 : r->ttl);
	l->has_answer |= r->section == DNS_ANSWER;
	if (r->section == DNS_AUTHORITY && r->type == DNS_SOA) {
		l->has_soa = true;
		l->absence_s = MIN(r->ttl, soa_minimum(r));
	}
	return OK;
}

static enum err
read_life(struct slice answer, struct life *l, struct dns_question *out)
{
	struct dns_reader reader;
	struct dns_record r;
	enum err e = dns_answer_read(answer, &reader, out);

	while (e == OK) {
		e = dns_record_next(&reader, &r);
		if (e == OK)
			e = look_at(&r, l);
	}
	return e == ERR_NOT_FOUND ? OK : e;
}

/* Seconds; 0: it is not kept. */
static uint32_t
keep_for(struct slice answer, const struct dns_question *q, struct life *l)
{
	struct dns_question of;
	unsigned rcode;
	bool absent;

	*l = (struct life){.least_s = CACHE_TTL_MAX_S};
	if (answer.len > CACHE_MESSAGE_MAX || read_life(answer, l, &of) != OK)
		return 0;
	rcode = of.flags & DNS_RCODE;
	if ((of.flags & DNS_TC) || l->is_for_one || q->has_options ||
	    (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) ||
	    !dns_name_eq(&of.name, &q->name) || of.type != q->type ||
	    of.class != q->class)
		return 0;
	absent = rcode == DNS_NXDOMAIN || !l->has_answer;
	if (!absent)
		return l->least_s;
	if (!l->has_soa)
		return 0; /* RFC 2308 §5; a referral is none, either */
	return MIN(MIN(l->absence_s, l->least_s), CACHE_ABSENCE_MAX_S);
}

void
dns_cache_keep(struct dns_cache *c, const struct dns_question *q,
    struct slice answer, uint64_t now_us)
{
	char text[KEY_MAX];
	struct slice key = key_of(q, text);
	struct entry *e = map_get(&c->by_key, key);
	struct life life;
	uint32_t ttl_s = keep_for(answer, q, &life);

	if (ttl_s == 0)
		return;
	if (e != NULL)
		drop(c, e);
	e = mem_new(sizeof(*e) + key.len + answer.len);
	e->kept_us = now_us;
	e->until_us = now_us + (uint64_t)ttl_s * SECOND_US;
	e->key_len = (uint16_t)key.len;
	e->len = (uint16_t)answer.len;
	e->ttl_count = life.ttl_count;
	memcpy(e->ttls, life.ttls, sizeof(e->ttls));
	memcpy(e->bytes, key.ptr, key.len);
	memcpy(e->bytes + key.len, answer.ptr, answer.len);
	(void)map_put(&c->by_key, key, e); /* it was not there */
	list_push_front(&c->by_use, &e->link);
	c->bytes += entry_size(e);
	while (c->bytes > c->bytes_max && !list_empty(&c->by_use))
		drop(c, CONTAINER(c->by_use.prev, struct entry, link));
}

/* --- birth and end -------------------------------------------------------- */

struct dns_cache *
dns_cache_new(size_t bytes_max)
{
	struct dns_cache *c = mem_new(sizeof(*c));

	map_init(&c->by_key);
	list_init(&c->by_use);
	c->bytes_max = bytes_max;
	return c;
}

void
dns_cache_flush(struct dns_cache *c)
{
	while (!list_empty(&c->by_use))
		drop(c, CONTAINER(c->by_use.prev, struct entry, link));
}

void
dns_cache_free(struct dns_cache **cp)
{
	if (*cp == NULL)
		return;
	dns_cache_flush(*cp);
	map_fini(&(*cp)->by_key, NULL);
	mem_free(cp);
}

size_t
dns_cache_count(const struct dns_cache *c)
{
	return c->by_key.count;
}

size_t
dns_cache_bytes(const struct dns_cache *c)
{
	return c->bytes;
}
