/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index — rules by what a call has to have for them to take it.
 *
 * A rule is filed under the values of one of its parts (its callers, its
 * calls, or one condition of `when`), that which the fewest rules share: it
 * can only take a call that has one of them. What cannot be filed is asked
 * always. A call is looked up by its identity, host, path and end user; each
 * text is hashed once, from the front and from the back, with a look at each
 * length that some prefix or suffix has.
 *
 *	keys.c   what is hashed, and the table
 *	index.c  which keys a rule is filed under
 *	find.c   which keys a call has
 */
#ifndef MESHD_ACCESS_INDEX_H
#define MESHD_ACCESS_INDEX_H

#include "parts.h"

/* A class that is exact, then its prefixes, then its suffixes. */
enum key_class {
	KEY_PRINCIPAL,
	KEY_PRINCIPAL_PREFIX,
	KEY_PRINCIPAL_SUFFIX,
	KEY_HOST,
	KEY_HOST_PREFIX,
	KEY_HOST_SUFFIX,
	KEY_PATH,
	KEY_PATH_PREFIX,
	KEY_PATH_SUFFIX,
	KEY_NAMESPACE,
	KEY_ACCOUNT,
	KEY_TOKEN,
	KEY_CLASSES
};

/* Lengths of the prefixes, or suffixes, of one class; rising. */
struct lengths {
	uint32_t *items;
	size_t count;
};

struct key {
	const struct access_value *value;
	uint32_t hash;
	uint32_t first; /* in postings */
	uint32_t count; /* of rules */
	uint16_t as;
	bool used;
};

struct table {
	struct key *keys;
	size_t mask;
};

struct access_index {
	struct table table;
	const uint32_t *postings; /* numbers of rules, rising for each key */
	const uint32_t *always;
	size_t always_count;
	struct lengths lengths[KEY_CLASSES];
};

/* One or two texts that a key consists of. */
struct texts {
	struct slice a;
	struct slice b;
};

/* The rest of a hash, whose steps may be taken one by one. */
uint64_t key_hash_start(enum key_class as);
uint64_t key_hash_front(uint64_t h, enum key_class as, struct slice s);
uint64_t key_hash_back(uint64_t h, enum key_class as, struct slice s);
uint32_t key_hash_end(uint64_t h);

/* All of it: from the back for suffixes, both texts for pairs. */
uint32_t key_hash(enum key_class as, const struct texts *t);

struct texts key_texts(enum key_class as, const struct access_value *v);

bool key_is_prefix(enum key_class as);
bool key_is_suffix(enum key_class as);

/* The key, or the free place where it would be. */
struct key *key_find(const struct table *table, enum key_class as,
    uint32_t hash, const struct texts *t);
struct key *key_add(
    struct table *table, enum key_class as, const struct access_value *v);

#endif
