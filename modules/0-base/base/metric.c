/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric — families and series, and their text for Prometheus.
 *
 * A series is a run of cells in every shard (shard.h); counting touches only
 * these. One lock guards families and series; counting takes none.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "check.h"
#include "list.h"
#include "map.h"
#include "metric.h"
#include "shard.h"

enum { KEY_MAX = METRIC_LABELS_MAX * (METRIC_VALUE_MAX + 2) };

struct metric_family {
	struct list link; /* in families */
	const char *name;
	const char *help;
	enum metric_type type;
	const char *label_names[METRIC_LABELS_MAX];
	size_t labels;
	double bounds[METRIC_BUCKETS_MAX];
	size_t bound_count;
	struct map by_values;
	struct list series; /* the oldest first; all but `other` */
	struct list idle;   /* given back; the longest ago first */
	struct metric_series *other;
};

struct metric_series {
	struct list link; /* in family->series */
	struct list idle; /* in family->idle while refs is 0 */
	struct metric_family *family;
	char *values; /* own: per label a 16-bit length and the bytes */
	size_t values_len;
	uint64_t refs;
	size_t cell;               /* the first of its cells */
	_Atomic int64_t gauge_set; /* what metric_gauge_set() left */
};

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

static struct list families = {&families, &families};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- families and series, under the lock ------------------------------- */

static void
lock_all(void)
{
	CHECK(pthread_mutex_lock(&lock) == 0);
}

static void
unlock_all(void)
{
	CHECK(pthread_mutex_unlock(&lock) == 0);
}

/* Writes one value with its length, cut and made UTF-8; returns the size. */
static size_t
put_value(char *out, struct slice value)
{
	bool utf8;

	value = slice_sub(value, 0, METRIC_VALUE_MAX);
	utf8 = slice_is_utf8(value);
	out[0] = (char)(value.len >> 8);
	out[1] = (char)(value.len & 0xff);
	for (size_t i = 0; i < value.len; i++)
		out[2 + i] =
		    utf8 || (uint8_t)value.ptr[i] < 0x80 ? value.ptr[i] : '_';
	return 2 + value.len;
}

/* Counts, +Inf, and the sum of a histogram; else one. */
static size_t
cell_count(const struct metric_family *f)
{
	return f->type == METRIC_HISTOGRAM ? f->bound_count + 2 : 1;
}

static struct metric_series *
series_new(struct metric_family *f, struct slice values)
{
	struct metric_series *s;
	size_t first;

	if (!shard_take(cell_count(f), &first))
		return NULL;
	s = mem_new(sizeof(*s));
	s->family = f;
	s->cell = first;
	s->values = mem_strndup(values.ptr, values.len);
	s->values_len = values.len;
	list_init(&s->idle);
	return s;
}

/* Gives the place of the series that was idle longest to new values. */
static struct metric_series *
series_reuse(struct metric_family *f, struct slice values)
{
	struct metric_series *s =
	    LIST_FIRST(&f->idle, struct metric_series, idle);

	if (s == NULL)
		return NULL;
	CHECK(
	    map_remove(&f->by_values, slice_of(s->values, s->values_len)) == s);
	list_remove(&s->link);
	mem_free(&s->values);
	s->values = mem_strndup(values.ptr, values.len);
	s->values_len = values.len;
	shard_cells_clear(s->cell, cell_count(f));
	atomic_store(&s->gauge_set, 0);
	return s;
}

static struct metric_series *
series_add(struct metric_family *f, struct slice values)
{
	struct metric_series *s = NULL;

	if (f->by_values.count < METRIC_SERIES_MAX)
		s = series_new(f, values);
	if (s == NULL)
		s = series_reuse(f, values);
	if (s == NULL)
		return f->other;
	list_push_back(&f->series, &s->link);
	CHECK(map_put(&f->by_values, values, s) == NULL);
	return s;
}

static struct metric_family *
family_find(const char *name)
{
	LIST_EACH (&families, it) {
		struct metric_family *f =
		    CONTAINER(it, struct metric_family, link);

		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static void
make_other(struct metric_family *f)
{
	char key[KEY_MAX];
	size_t len = 0;

	for (size_t i = 0; i < f->labels; i++)
		len += put_value(key + len, S("other"));
	f->other = series_new(f, slice_of(key, len));
	CHECK(f->other != NULL);
}

static void
series_drop(void *arg)
{
	struct metric_series *s = arg;

	mem_free(&s->values);
	mem_free(&s);
}

static void
family_free(struct metric_family **fp)
{
	struct metric_family *f = *fp;

	map_fini(&f->by_values, series_drop);
	series_drop(f->other);
	list_remove(&f->link);
	mem_free(fp);
}

/* --- text, under the lock ---------------------------------------------- */

static enum err
put_number(struct buf *out, double v)
{
	char text[SLICE_DOUBLE_MAX];

	if (isinf(v))
		return buf_add_slice(out, v > 0 ? S("+Inf") : S("-Inf"));
	if (isnan(v))
		return buf_add_slice(out, S("NaN"));
	return buf_add_slice(out, slice_from_double(v, text));
}

static enum err
put_escaped(struct buf *out, struct slice s, bool quotes)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '\n')
			e = buf_add_slice(out, S("\\n"));
		else if (c == '\\' || (c == '"' && quotes))
			e = buf_printf(out, "\\%c", c);
		else
			e = buf_add_byte(out, (uint8_t)c);
	}
	return e;
}

/* {a="1",b="2",le="0.5"}; `le` is NULL but for buckets. */
static enum err
put_labels(struct buf *out, const struct metric_series *s, const double *le)
{
	struct reader r = READER(slice_of(s->values, s->values_len));
	const struct metric_family *f = s->family;
	const char *before = "{";
	enum err e = OK;

	for (size_t i = 0; e == OK && i < f->labels; i++, before = ",") {
		struct slice value = reader_bytes(&r, reader_u16(&r));

		e = buf_printf(out, "%s%s=\"", before, f->label_names[i]);
		if (e == OK)
			e = put_escaped(out, value, /* quotes */ true);
		if (e == OK)
			e = buf_add_byte(out, '"');
	}
	if (e == OK && le != NULL) {
		e = buf_printf(out, "%sle=\"", before);
		if (e == OK)
			e = put_number(out, *le);
		if (e == OK)
			e = buf_add_byte(out, '"');
		before = ",";
	}
	if (e == OK && before[0] == ',')
		e = buf_add_byte(out, '}');
	return e;
}

/* name_suffix{labels} with a space behind. */
static enum err
put_head(struct buf *out, const struct metric_series *s, const char *suffix,
    const double *le)
{
	enum err e = buf_printf(out, "%s%s", s->family->name, suffix);

	if (e == OK)
		e = put_labels(out, s, le);
	return e == OK ? buf_add_byte(out, ' ') : e;
}

static enum err
put_count(struct buf *out, const struct metric_series *s, const char *suffix,
    const double *le, uint64_t count)
{
	enum err e = put_head(out, s, suffix, le);

	return e == OK ? buf_printf(out, "%ju\n", (uintmax_t)count) : e;
}

static enum err
put_histogram(struct buf *out, const struct metric_series *s)
{
	const struct metric_family *f = s->family;
	uint64_t count = 0;
	enum err e = OK;

	for (size_t i = 0; e == OK && i <= f->bound_count; i++) {
		double bound = i < f->bound_count ? f->bounds[i] : INFINITY;

		count += shard_cell_sum(s->cell + i);
		e = put_count(out, s, "_bucket", &bound, count);
	}
	if (e == OK)
		e = put_head(out, s, "_sum", NULL);
	if (e == OK)
		e = put_number(
		    out, shard_cell_sum_double(s->cell + f->bound_count + 1));
	if (e == OK)
		e = buf_add_byte(out, '\n');
	/* The same number as the last bucket, also while others count. */
	return e == OK ? put_count(out, s, "_count", NULL, count) : e;
}

static enum err
put_series(struct buf *out, const struct metric_series *s)
{
	enum err e;

	if (s->family->type == METRIC_HISTOGRAM)
		return put_histogram(out, s);
	if (s->family->type == METRIC_COUNTER)
		return put_count(out, s, "", NULL, shard_cell_sum(s->cell));
	e = put_head(out, s, "", NULL);
	return e == OK ? buf_printf(out, "%jd\n", (intmax_t)metric_value(s))
		       : e;
}

static enum err
put_family(struct buf *out, const struct metric_family *f)
{
	enum err e = buf_printf(out, "# HELP %s ", f->name);

	if (e == OK)
		e = put_escaped(out, slice_str(f->help), /* quotes */ false);
	if (e == OK)
		e = buf_printf(
		    out, "\n# TYPE %s %s\n", f->name, type_names[f->type]);
	LIST_EACH (&f->series, it)
		if (e == OK)
			e = put_series(
			    out, CONTAINER(it, struct metric_series, link));
	if (e == OK && (f->other->refs > 0 || metric_value(f->other) != 0))
		e = put_series(out, f->other);
	return e;
}

/* --- rows, under the lock ---------------------------------------------- */

struct each_row {
	void (*each)(void *arg, const struct metric_row *row);
	void *arg;
};

static void
tell_series(const struct each_row *e, const struct metric_series *s)
{
	const struct metric_family *f = s->family;
	struct reader r = READER(slice_of(s->values, s->values_len));
	struct slice values[METRIC_LABELS_MAX];
	uint64_t buckets[METRIC_BUCKETS_MAX + 1];
	struct metric_row row = {.values = values,
	    .buckets = buckets,
	    .bounds = f->bounds,
	    .bound_count = f->bound_count};

	for (size_t i = 0; i < f->labels; i++)
		values[i] = reader_bytes(&r, reader_u16(&r));
	if (f->type != METRIC_HISTOGRAM)
		row.count = (uint64_t)metric_value(s);
	for (size_t i = 0; f->type == METRIC_HISTOGRAM && i <= f->bound_count;
	     i++) {
		buckets[i] = shard_cell_sum(s->cell + i);
		row.count += buckets[i];
	}
	e->each(e->arg, &row);
}

/* --- exported ---------------------------------------------------------- */

struct metric_family *
metric_family_new(const char *name, const char *help, enum metric_type type,
    const char *const *label_names, size_t labels, const double *bounds,
    size_t bound_count)
{
	struct metric_family *f;

	CHECK(labels <= METRIC_LABELS_MAX && bound_count <= METRIC_BUCKETS_MAX);
	CHECK((type == METRIC_HISTOGRAM) == (bound_count > 0));
	lock_all();
	if ((f = family_find(name)) != NULL) {
		CHECK(f->type == type && f->labels == labels &&
		      f->bound_count == bound_count);
		unlock_all();
		return f;
	}
	f = mem_new(sizeof(*f));
	f->name = name;
	f->help = help;
	f->type = type;
	f->labels = labels;
	f->bound_count = bound_count;
	for (size_t i = 0; i < labels; i++)
		f->label_names[i] = label_names[i];
	for (size_t i = 0; i < bound_count; i++)
		f->bounds[i] = bounds[i];
	list_init(&f->series);
	list_init(&f->idle);
	make_other(f);
	list_push_back(&families, &f->link);
	unlock_all();
	return f;
}

struct metric_series *
metric_series_get(struct metric_family *f, const struct slice *values)
{
	struct metric_series *s;
	char key[KEY_MAX];
	size_t len = 0;

	for (size_t i = 0; i < f->labels; i++)
		len += put_value(key + len, values[i]);
	lock_all();
	/* Without labels, or if they all say so, it is the other series. */
	if (slice_eq(slice_of(f->other->values, f->other->values_len),
		slice_of(key, len)))
		s = f->other;
	else
		s = map_get(&f->by_values, slice_of(key, len));
	if (s == NULL)
		s = series_add(f, slice_of(key, len));
	s->refs++;
	list_remove(&s->idle);
	unlock_all();
	return s;
}

void
metric_series_release(struct metric_series *s)
{
	lock_all();
	CHECK(s->refs > 0);
	if (--s->refs == 0 && s != s->family->other)
		list_push_back(&s->family->idle, &s->idle);
	unlock_all();
}

void
metric_add(struct metric_series *s, uint64_t n)
{
	shard_cell_add(s->cell, n);
}

void
metric_gauge_add(struct metric_series *s, int64_t n)
{
	/* Two's complement: adding the negative subtracts. */
	shard_cell_add(s->cell, (uint64_t)n);
}

void
metric_gauge_set(struct metric_series *s, int64_t v)
{
	atomic_store_explicit(&s->gauge_set, v, memory_order_relaxed);
}

void
metric_observe(struct metric_series *s, double v)
{
	const struct metric_family *f = s->family;
	size_t bucket = 0;

	if (isnan(v))
		return;
	while (bucket < f->bound_count && v > f->bounds[bucket])
		bucket++;
	shard_cell_add(s->cell + bucket, 1);
	shard_cell_add_double(s->cell + f->bound_count + 1, v);
}

int64_t
metric_value(const struct metric_series *s)
{
	const struct metric_family *f = s->family;
	uint64_t sum = 0;

	if (f->type == METRIC_GAUGE)
		sum = (uint64_t)atomic_load_explicit(
		    &s->gauge_set, memory_order_relaxed);
	if (f->type != METRIC_HISTOGRAM)
		return (int64_t)(sum + shard_cell_sum(s->cell));
	for (size_t i = 0; i <= f->bound_count; i++)
		sum += shard_cell_sum(s->cell + i);
	return (int64_t)sum;
}

void
metrics_each(const char *name,
    void (*each)(void *arg, const struct metric_row *row), void *arg)
{
	const struct each_row e = {each, arg};
	struct metric_family *f;

	lock_all();
	f = family_find(name);
	if (f != NULL) {
		LIST_EACH (&f->series, it)
			tell_series(
			    &e, CONTAINER(it, struct metric_series, link));
		tell_series(&e, f->other);
	}
	unlock_all();
}

enum err
metrics_render(struct buf *out)
{
	enum err e = OK;

	lock_all();
	LIST_EACH (&families, it)
		if (e == OK)
			e = put_family(
			    out, CONTAINER(it, struct metric_family, link));
	unlock_all();
	return e;
}

void
metrics_fini(void)
{
	lock_all();
	LIST_EACH (&families, it) {
		struct metric_family *f =
		    CONTAINER(it, struct metric_family, link);

		family_free(&f);
	}
	shard_fini();
	unlock_all();
}
