/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map — robin hood hashing with deletion by shifting back.
 *
 * An entry far from home takes the place of one nearer to its own (Celis,
 * Robin Hood Hashing, 1986), so that chains stay short and a search may stop
 * at the first entry nearer to home than itself. No tombstones.
 */
#include "map.h"
#include "check.h"

enum { MAP_FIRST = 8 };

struct map_entry {
	char *key; /* own; NULL is an empty place */
	void *value;
	uint32_t key_len;
	uint32_t hash;
};

/* Half of it tells keys apart well enough, and is enough for the table. */
static uint32_t
hash_of(struct slice key)
{
	return (uint32_t)slice_hash(key);
}

static size_t
distance(const struct map *m, const struct map_entry *e, size_t at)
{
	return (at - (size_t)e->hash) & (m->cap - 1);
}

/* The place of the key, or cap. */
static size_t
find(const struct map *m, struct slice key, uint32_t hash)
{
	if (m->count == 0)
		return m->cap;
	for (size_t n = 0; n < m->cap; n++) {
		size_t at = ((size_t)hash + n) & (m->cap - 1);
		const struct map_entry *e = &m->entries[at];

		if (e->key == NULL || distance(m, e, at) < n)
			break;
		if (e->hash == hash &&
		    slice_eq(slice_of(e->key, e->key_len), key))
			return at;
	}
	return m->cap;
}

/* Puts an entry that is not there yet; there is a free place. */
static void
place(struct map *m, struct map_entry entry)
{
	size_t at = (size_t)entry.hash & (m->cap - 1);

	for (size_t n = 0; m->entries[at].key != NULL;
	     at = (at + 1) & (m->cap - 1), n++) {
		size_t theirs = distance(m, &m->entries[at], at);

		if (theirs < n) {
			struct map_entry richer = m->entries[at];

			m->entries[at] = entry;
			entry = richer;
			n = theirs;
		}
	}
	m->entries[at] = entry;
}

static void
grow(struct map *m)
{
	struct map_entry *old = m->entries;
	size_t old_cap = m->cap;

	m->cap = MAX(old_cap * 2, (size_t)MAP_FIRST);
	m->entries = mem_new_array(m->cap, sizeof(*m->entries));
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].key != NULL)
			place(m, old[i]);
	mem_free(&old);
}

void
map_init(struct map *m)
{
	*m = (struct map){NULL, 0, 0};
}

void
map_fini(struct map *m, void (*drop)(void *value))
{
	for (size_t i = 0; i < m->cap; i++) {
		if (m->entries[i].key == NULL)
			continue;
		if (drop != NULL)
			drop(m->entries[i].value);
		mem_free(&m->entries[i].key);
	}
	mem_free(&m->entries);
	map_init(m);
}

void *
map_get(const struct map *m, struct slice key)
{
	size_t at = m->count > 0 ? find(m, key, hash_of(key)) : m->cap;

	return at < m->cap ? m->entries[at].value : NULL;
}

void *
map_put(struct map *m, struct slice key, void *value)
{
	uint32_t hash = hash_of(key);
	size_t at = find(m, key, hash);

	CHECK(value != NULL && key.len <= UINT32_MAX);
	if (at < m->cap) {
		void *old = m->entries[at].value;

		m->entries[at].value = value;
		return old;
	}
	/* At most three quarters full. */
	if (m->count + 1 > m->cap - m->cap / 4)
		grow(m);
	place(m, (struct map_entry){.key = mem_strndup(key.ptr, key.len),
		     .value = value,
		     .key_len = (uint32_t)key.len,
		     .hash = hash});
	m->count++;
	return NULL;
}

void *
map_remove(struct map *m, struct slice key)
{
	size_t mask = m->cap - 1, next;
	size_t at = m->count > 0 ? find(m, key, hash_of(key)) : m->cap;
	void *value;

	if (at == m->cap)
		return NULL;
	value = m->entries[at].value;
	mem_free(&m->entries[at].key);
	for (;; at = next) {
		next = (at + 1) & mask;
		if (m->entries[next].key == NULL ||
		    distance(m, &m->entries[next], next) == 0)
			break;
		m->entries[at] = m->entries[next];
	}
	m->entries[at] = (struct map_entry){0};
	m->count--;
	return value;
}

bool
map_next(const struct map *m, size_t *cursor, struct slice *out_key,
    void **out_value)
{
	for (; *cursor < m->cap; ++*cursor) {
		const struct map_entry *e = &m->entries[*cursor];

		if (e->key == NULL)
			continue;
		*out_key = slice_of(e->key, e->key_len);
		*out_value = e->value;
		++*cursor;
		return true;
	}
	return false;
}
