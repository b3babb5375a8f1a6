/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys — what rules are filed under, as a table.
 */
#include "index.h"

#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t
hash_byte(uint64_t h, unsigned char c)
{
	return (h ^ c) * UINT64_C(0x100000001b3);
}

uint64_t
key_hash_start(enum key_class as)
{
	return hash_byte(HASH_START, (unsigned char)as);
}

static unsigned char
folded(enum key_class as, char c)
{
	bool fold = as >= KEY_HOST && as <= KEY_HOST_SUFFIX;

	return (
	    unsigned char)(fold && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

uint64_t
key_hash_front(uint64_t h, enum key_class as, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		h = hash_byte(h, folded(as, s.ptr[i]));
	return h;
}

uint64_t
key_hash_back(uint64_t h, enum key_class as, struct slice s)
{
	for (size_t i = s.len; i-- > 0;)
		h = hash_byte(h, folded(as, s.ptr[i]));
	return h;
}

bool
key_is_prefix(enum key_class as)
{
	return as == KEY_PRINCIPAL_PREFIX || as == KEY_HOST_PREFIX ||
	       as == KEY_PATH_PREFIX;
}

bool
key_is_suffix(enum key_class as)
{
	return as == KEY_PRINCIPAL_SUFFIX || as == KEY_HOST_SUFFIX ||
	       as == KEY_PATH_SUFFIX;
}

struct texts
key_texts(enum key_class as, const struct access_value *v)
{
	if (as == KEY_NAMESPACE)
		return (struct texts){v->written, S("")};
	if (as == KEY_ACCOUNT || as == KEY_TOKEN)
		return (struct texts){v->text.text, v->also.text};
	if (v->text.test == ACCESS_TEMPLATE)
		return (struct texts){template_start(v->text.text), S("")};
	return (struct texts){v->text.text, S("")};
}

uint32_t
key_hash_end(uint64_t h)
{
	return (uint32_t)(h ^ (h >> 32));
}

uint32_t
key_hash(enum key_class as, const struct texts *t)
{
	uint64_t h = key_hash_start(as);

	if (key_is_suffix(as))
		return key_hash_end(key_hash_back(h, as, t->a));
	h = key_hash_front(h, as, t->a);
	if (as == KEY_ACCOUNT || as == KEY_TOKEN)
		h = key_hash_front(hash_byte(h, 0), as, t->b);
	return key_hash_end(h);
}

static bool
is_key(const struct key *k, enum key_class as, uint32_t hash,
    const struct texts *t)
{
	struct texts own;

	if (k->hash != hash || k->as != as)
		return false;
	own = key_texts(as, k->value);
	if (as >= KEY_HOST && as <= KEY_HOST_SUFFIX)
		return slice_eq_nocase(own.a, t->a);
	return slice_eq(own.a, t->a) && slice_eq(own.b, t->b);
}

/* The key, or the free place where it would be. */
struct key *
key_find(const struct table *table, enum key_class as, uint32_t hash,
    const struct texts *t)
{
	size_t i = hash & table->mask;

	while (table->keys[i].used && !is_key(&table->keys[i], as, hash, t))
		i = (i + 1) & table->mask;
	return &table->keys[i];
}

struct key *
key_add(struct table *table, enum key_class as, const struct access_value *v)
{
	struct texts t = key_texts(as, v);
	uint32_t hash = key_hash(as, &t);
	struct key *k = key_find(table, as, hash, &t);

	if (!k->used)
		*k = (struct key){
		    .value = v, .hash = hash, .as = (uint16_t)as, .used = true};
	return k;
}
