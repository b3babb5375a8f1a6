/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index — under which keys each rule is filed.
 */
#include <stdlib.h>

#include "index.h"

enum { FEW = 4 }; /* rules that are asked one by one */

/* --- what a rule can be filed under --------------------------------------- */

static bool
class_of_text(
    enum key_class exact, const struct access_value *v, enum key_class *out)
{
	switch (v->text.test) {
	case ACCESS_EXACT:
		*out = exact;
		return true;
	case ACCESS_PREFIX:
	case ACCESS_TEMPLATE: /* its text has at least a "/" in front */
		*out = exact + 1;
		return true;
	case ACCESS_SUFFIX:
		*out = exact + 2;
		return true;
	default:
		return false;
	}
}

static bool
class_of(const struct access_condition *c, const struct access_value *v,
    enum key_class *out)
{
	switch (c->subject) {
	case ACCESS_ON_PRINCIPAL:
		return class_of_text(KEY_PRINCIPAL, v, out);
	case ACCESS_ON_HOST:
		return class_of_text(KEY_HOST, v, out);
	case ACCESS_ON_PATH:
		return class_of_text(KEY_PATH, v, out);
	case ACCESS_ON_NAMESPACE:
		*out = KEY_NAMESPACE;
		return slice_find(v->written, '*') == v->written.len &&
		       slice_find(v->written, '/') == v->written.len;
	case ACCESS_ON_ACCOUNT:
		*out = KEY_ACCOUNT;
		return slice_find(v->text.text, '/') == v->text.text.len &&
		       slice_find(v->also.text, '/') == v->also.text.len;
	case ACCESS_ON_TOKEN:
		*out = KEY_TOKEN;
		return v->text.test == ACCESS_EXACT &&
		       v->also.test == ACCESS_EXACT;
	default:
		return false;
	}
}

struct making {
	struct builder *b;
	const struct access_set *set;
	bool http;
	struct table seen;          /* count: rules that have the value */
	struct table kept;          /* count: rules that are filed there */
	struct access_index *index; /* NULL: postings are only counted */
	uint32_t *postings;
	uint32_t *always;
};

static bool
is_filable(const struct making *m, const struct access_condition *c)
{
	enum key_class as;

	if (c->negated || c->count == 0 ||
	    (!m->http && access_subject_is_http(c->subject)))
		return false;
	for (size_t i = 0; i < c->count; i++)
		if (!class_of(c, &c->values[i], &as))
			return false;
	return true;
}

/* How many rules share its values; SIZE_MAX: it cannot be filed under. */
static size_t
cost_of(const struct making *m, const struct access_condition *c)
{
	enum key_class as;
	size_t sum = 0;

	if (!is_filable(m, c))
		return SIZE_MAX;
	for (size_t i = 0; i < c->count; i++) {
		struct texts t;

		(void)class_of(c, &c->values[i], &as); /* is_filable */
		t = key_texts(as, &c->values[i]);
		sum += key_find(&m->seen, as, key_hash(as, &t), &t)->count;
	}
	return sum;
}

static const struct access_condition *
cheapest(const struct making *m, const struct access_all *all, size_t *out_cost)
{
	const struct access_condition *best = NULL;

	*out_cost = SIZE_MAX;
	for (size_t i = 0; i < all->count; i++) {
		size_t cost = cost_of(m, &all->conditions[i]);

		if (cost < *out_cost) {
			*out_cost = cost;
			best = &all->conditions[i];
		}
	}
	return best;
}

/* Of alternatives each has to be filed. */
static size_t
cost_of_any(const struct making *m, const struct access_all *any, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		size_t cost;

		if (cheapest(m, &any[i], &cost) == NULL)
			return SIZE_MAX;
		sum += cost;
	}
	return count > 0 ? sum : SIZE_MAX;
}

/* --- filing --------------------------------------------------------------- */

typedef void (*on_value)(struct making *m, uint32_t rule, enum key_class as,
    const struct access_value *v);

static void
each_value(struct making *m, uint32_t rule, const struct access_condition *c,
    on_value cb)
{
	enum key_class as;

	for (size_t i = 0; i < c->count; i++)
		if (class_of(c, &c->values[i], &as))
			cb(m, rule, as, &c->values[i]);
}

static void
count_seen(struct making *m, uint32_t rule, enum key_class as,
    const struct access_value *v)
{
	(void)rule;
	key_add(&m->seen, as, v)->count++;
}

static void
count_kept(struct making *m, uint32_t rule, enum key_class as,
    const struct access_value *v)
{
	(void)rule;
	key_add(&m->kept, as, v)->count++;
}

/* `first` runs to the end of the key's postings while they are written. */
static void
file(struct making *m, uint32_t rule, enum key_class as,
    const struct access_value *v)
{
	m->postings[key_add(&m->kept, as, v)->first++] = rule;
}

static void
file_any(struct making *m, uint32_t rule, const struct access_all *any,
    size_t count, on_value cb)
{
	size_t cost;

	for (size_t i = 0; i < count; i++)
		each_value(m, rule, cheapest(m, &any[i], &cost), cb);
}

/* False: it has to be asked always. */
static bool
file_rule(struct making *m, uint32_t rule, on_value cb)
{
	const struct access_rule *r = m->set->rules[rule];
	size_t from = cost_of_any(m, r->from, r->from_count);
	size_t to = cost_of_any(m, r->to, r->to_count);
	size_t when;
	const struct access_condition *c = cheapest(m, &r->when, &when);

	if (from == SIZE_MAX && to == SIZE_MAX && c == NULL)
		return false;
	if (from <= to && from <= when)
		file_any(m, rule, r->from, r->from_count, cb);
	else if (to <= when)
		file_any(m, rule, r->to, r->to_count, cb);
	else
		each_value(m, rule, c, cb);
	return true;
}

static void
see_all(struct making *m, const struct access_all *all, uint32_t rule)
{
	for (size_t i = 0; i < all->count; i++)
		if (is_filable(m, &all->conditions[i]))
			each_value(m, rule, &all->conditions[i], count_seen);
}

static void
see_rule(struct making *m, uint32_t rule)
{
	const struct access_rule *r = m->set->rules[rule];

	for (size_t i = 0; i < r->from_count; i++)
		see_all(m, &r->from[i], rule);
	for (size_t i = 0; i < r->to_count; i++)
		see_all(m, &r->to[i], rule);
	see_all(m, &r->when, rule);
}

/* --- making --------------------------------------------------------------- */

static size_t
values_in(const struct access_all *any, size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < any[i].count; j++)
			sum += any[i].conditions[j].count;
	return sum;
}

static size_t
values_of(const struct access_set *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct access_rule *r = s->rules[i];

		sum += values_in(r->from, r->from_count) +
		       values_in(r->to, r->to_count) + values_in(&r->when, 1);
	}
	return sum;
}

static size_t
table_size(size_t keys)
{
	size_t n = 8;

	while (n < keys * 2)
		n *= 2;
	return n;
}

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static bool
is_of(const struct key *k, enum key_class as)
{
	return k->used && k->as == as;
}

static uint32_t
length_of(const struct key *k)
{
	return (uint32_t)key_texts(k->as, k->value).a.len;
}

static void
put_lengths(struct making *m, enum key_class as)
{
	struct lengths *l = &m->index->lengths[as];
	size_t n = 0, kept = 0;

	for (size_t i = 0; i <= m->kept.mask; i++)
		n += is_of(&m->kept.keys[i], as);
	l->items = take(m->b, n, sizeof(*l->items));
	if (l->items == NULL)
		return;
	for (size_t i = 0; i <= m->kept.mask; i++)
		if (is_of(&m->kept.keys[i], as))
			l->items[l->count++] = length_of(&m->kept.keys[i]);
	if (l->count > 0)
		qsort(l->items, l->count, sizeof(*l->items), by_number);
	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || l->items[kept - 1] != l->items[i])
			l->items[kept++] = l->items[i];
	l->count = kept;
}

/* Where each key's postings begin; how many there are in all. */
static size_t
lay_out(struct making *m)
{
	uint32_t at = 0;

	for (size_t i = 0; i <= m->kept.mask; i++) {
		m->kept.keys[i].first = at;
		at += m->kept.keys[i].count;
	}
	for (int as = 0; as < KEY_CLASSES; as++)
		if (key_is_prefix(as) || key_is_suffix(as))
			put_lengths(m, as);
	return at;
}

static size_t
keys_in(const struct table *t)
{
	size_t n = 0;

	for (size_t i = 0; i <= t->mask; i++)
		n += t->keys[i].used;
	return n;
}

/* The keys that are left, in memory of the view. */
static bool
keep_keys(struct making *m)
{
	size_t n = table_size(keys_in(&m->kept));
	struct table t = {take(m->b, n, sizeof(*t.keys)), n - 1};

	for (size_t i = 0; t.keys != NULL && i <= m->kept.mask; i++) {
		const struct key *k = &m->kept.keys[i];
		struct key *to;

		if (!k->used)
			continue;
		to = key_add(&t, k->as, k->value);
		*to = *k;
		to->first -= k->count; /* file() ran to the end */
	}
	m->index->table = t;
	return t.keys != NULL;
}

static bool
file_all(struct making *m)
{
	struct access_index *x = m->index;
	size_t n;

	for (uint32_t i = 0; i < m->set->count; i++)
		x->always_count += !file_rule(m, i, count_kept);
	n = lay_out(m);
	m->postings = take(m->b, n, sizeof(uint32_t));
	m->always = take(m->b, x->always_count, sizeof(uint32_t));
	if (m->postings == NULL || m->always == NULL)
		return false;
	x->postings = m->postings;
	x->always = m->always;
	x->always_count = 0;
	for (uint32_t i = 0; i < m->set->count; i++)
		if (!file_rule(m, i, file))
			m->always[x->always_count++] = i;
	return keep_keys(m);
}

const struct access_index *
index_of(struct builder *b, const struct access_set *s, bool http)
{
	struct making m = {.b = b, .set = s, .http = http};
	size_t n = table_size(values_of(s));
	bool made;

	if (s->count <= FEW)
		return NULL;
	m.index = take(b, 1, sizeof(*m.index));
	if (m.index == NULL)
		return NULL;
	m.seen = (struct table){mem_new_array(n, sizeof(struct key)), n - 1};
	m.kept = (struct table){mem_new_array(n, sizeof(struct key)), n - 1};
	for (uint32_t i = 0; i < s->count; i++)
		see_rule(&m, i);
	made = file_all(&m);
	mem_free(&m.seen.keys);
	mem_free(&m.kept.keys);
	return made ? m.index : NULL;
}
