/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric — numbers about ourselves, counted without locks.
 *
 * Each thread that counts registers one shard; adding is a plain store into
 * its own shard (relaxed atomics), reading merges all of them. Families with
 * labels hold a bounded number of series; what does not fit is counted in one
 * series whose label values are all "other". A shard's numbers lie together
 * and in pages, so that a thread pays memory only for what it counts.
 */
#ifndef MESHD_METRIC_H
#define MESHD_METRIC_H

#include "buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum {
	METRIC_SHARDS_MAX = 66,   /* threads that count */
	METRIC_SERIES_MAX = 1000, /* series of one family */
	METRIC_LABELS_MAX = 25,
	METRIC_BUCKETS_MAX = 24,
	METRIC_VALUE_MAX = 256 /* bytes of a label value; the rest is cut */
};

struct metric_family; /* lives until metrics_fini */
struct metric_series; /* one set of label values */

/*
 * Registers a family; names and label names are borrowed for good (static).
 * `bounds` are a histogram's upper bounds, ascending, else NULL and 0; they
 * are copied. A name that is registered already gives the same family.
 */
struct metric_family *metric_family_new(const char *name, const char *help,
    enum metric_type type, const char *const *label_names, size_t labels,
    const double *bounds, size_t bound_count);

/*
 * The series of these values (copied), made if new; never NULL: past the
 * limit it is the "other" series. Locks: look it up once, keep the pointer.
 * Bytes that are not UTF-8 become '_'.
 *
 * Each get has its release, or is for good. A series that all gave back keeps
 * its numbers and is still shown, until a new one needs its place: then the
 * one that was given back first makes room.
 */
struct metric_series *metric_series_get(
    struct metric_family *f, const struct slice *values);
void metric_series_release(struct metric_series *s);

/*
 * Gives this thread a shard of its own, for as long as the process lives.
 * Threads that never called it, and threads past the limit, share one.
 */
void metric_thread_init(void);

void metric_add(struct metric_series *s, uint64_t n);      /* counter */
void metric_gauge_add(struct metric_series *s, int64_t n); /* gauge */
void metric_gauge_set(struct metric_series *s, int64_t v); /* the last wins */
void metric_observe(struct metric_series *s, double v); /* not a number: no */

/*
 * Merged value of a counter or gauge (what was set plus what was added), or
 * the number of a histogram's observations.
 */
int64_t metric_value(const struct metric_series *s);

/* One series, as it is now; lent. */
struct metric_row {
	const struct slice *values; /* in the order of the label names */
	uint64_t count;             /* a counter's, or all observations */
	/* Of a histogram: how many fell under each bound and over the one
	 * before; the last, at bound_count, over all of them. */
	const uint64_t *buckets;
	const double *bounds;
	size_t bound_count;
};

/* All series of a family by its name; none if there is no such. Under the lock:
 * `each` may not ask for metrics. */
void metrics_each(const char *name,
    void (*each)(void *arg, const struct metric_row *row), void *arg);

/* Prometheus text exposition 0.0.4 of everything. */
MUST_USE enum err metrics_render(struct buf *out);

/* Frees all families; for tests and the end of the process, all else quiet. */
void metrics_fini(void);

#endif
