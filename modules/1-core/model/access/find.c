/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find — the first rule that takes a call, by the keys that the call has.
 */
#include "index.h"

struct search {
	const struct access_set *set;
	const struct access_index *index;
	const struct access_question *q;
	uint32_t best; /* number of the first rule so far; or the count */
};

static void
try_rules(struct search *s, const uint32_t *rules, size_t count)
{
	for (size_t i = 0; i < count && rules[i] < s->best; i++)
		if (rule_takes(s->set->rules[rules[i]], s->q, NULL, NULL)) {
			s->best = rules[i];
			return;
		}
}

static void
try_key(struct search *s, enum key_class as, uint64_t h, struct slice a,
    struct slice b)
{
	const struct texts t = {a, b};
	const struct key *k =
	    key_find(&s->index->table, as, key_hash_end(h), &t);

	if (k->used)
		try_rules(s, s->index->postings + k->first, k->count);
}

static void
try_starts(struct search *s, enum key_class as, struct slice text)
{
	const struct lengths *l = &s->index->lengths[as];
	uint64_t h = key_hash_start(as);
	size_t at = 0;

	for (size_t i = 0; i < l->count && l->items[i] <= text.len; i++) {
		h = key_hash_front(
		    h, as, slice_sub(text, at, l->items[i] - at));
		at = l->items[i];
		try_key(s, as, h, slice_sub(text, 0, at), S(""));
	}
}

static void
try_ends(struct search *s, enum key_class as, struct slice text)
{
	const struct lengths *l = &s->index->lengths[as];
	uint64_t h = key_hash_start(as);
	size_t at = 0;

	for (size_t i = 0; i < l->count && l->items[i] <= text.len; i++) {
		size_t n = l->items[i];

		h = key_hash_back(h, as, slice_sub(text, text.len - n, n - at));
		at = n;
		try_key(s, as, h, slice_sub(text, text.len - n, n), S(""));
	}
}

/* `exact` and the two classes behind it. */
static void
try_text(struct search *s, enum key_class exact, struct slice text)
{
	try_key(s, exact, key_hash_front(key_hash_start(exact), exact, text),
	    text, S(""));
	try_starts(s, exact + 1, text);
	try_ends(s, exact + 2, text);
}

static void
try_pair(struct search *s, enum key_class as, struct slice a, struct slice b)
{
	const struct texts t = {a, b};
	uint32_t hash = key_hash(as, &t);
	const struct key *k = key_find(&s->index->table, as, hash, &t);

	if (k->used)
		try_rules(s, s->index->postings + k->first, k->count);
}

/* Cuts off what stands before the next such part; false: there is none. */
static bool
next_part(struct slice *rest, struct slice part, struct slice *out)
{
	const char *at = memmem(rest->ptr, rest->len, part.ptr, part.len);
	size_t n;

	if (at == NULL)
		return false;
	n = (size_t)(at - rest->ptr) + part.len;
	*out = slice_sub(*rest, n, rest->len);
	*rest = slice_sub(*rest, n - 1, rest->len); /* "/ns/ns/" overlap */
	*out = slice_sub(*out, 0, slice_find(*out, '/'));
	return true;
}

/* An identity may be of any shape: what stands behind "/ns/" and "/sa/". */
static void
try_names(struct search *s, struct slice identity)
{
	struct slice rest = identity, ns, account;

	while (next_part(&rest, S("/ns/"), &ns)) {
		struct slice tail = rest;

		try_key(s, KEY_NAMESPACE,
		    key_hash_front(
			key_hash_start(KEY_NAMESPACE), KEY_NAMESPACE, ns),
		    ns, S(""));
		while (next_part(&tail, S("/sa/"), &account))
			try_pair(s, KEY_ACCOUNT, account, ns);
	}
}

static void
try_identity(struct search *s, struct slice identity)
{
	const struct slice start = S("spiffe://");

	if (slice_starts(identity, start))
		try_text(s, KEY_PRINCIPAL,
		    slice_sub(identity, start.len, identity.len));
	if (identity.len > 0)
		try_names(s, identity);
}

const struct access_rule *
find_rule(const struct access_set *set, const struct access_question *q)
{
	struct search s = {.set = set,
	    .index = set->index,
	    .q = q,
	    .best = (uint32_t)set->count};

	for (uint32_t i = 0; s.index == NULL && i < set->count; i++)
		try_rules(&s, &i, 1);
	if (s.index != NULL) {
		try_rules(&s, s.index->always, s.index->always_count);
		try_identity(&s, q->identity);
		if (q->claims.tree != NULL)
			try_pair(&s, KEY_TOKEN, claim_text(q, S("iss")),
			    claim_text(q, S("sub")));
	}
	if (s.index != NULL && q->http != NULL) {
		try_text(&s, KEY_HOST, q->http->authority);
		try_text(&s, KEY_PATH, without_query(q->http->path));
	}
	return s.best < set->count ? set->rules[s.best] : NULL;
}
