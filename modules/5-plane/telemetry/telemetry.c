/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — the writer of one thread: lines that wait, series at hand.
 *
 * A flow's series are found through a small table by the key that the proxy
 * gave it; the labels are only put together when the table has no answer.
 */
#include "base/base.h"

#include "recent.h"
#include "series.h"
#include "tap.h"
#include "telemetry.h"

#include <errno.h>
#include <unistd.h>

enum {
	TELEMETRY_MAGIC = 0x74656c65,
	WAITING_MAX = 256 << 10,
	COPY_EVERY_MS = 1000
};

struct telemetry {
	uint32_t magic;
	int fd;
	struct telemetry_lines *lines; /* of new writers */
	bool log_success; /* relaxed: a line more or less does not matter */
	struct metric_series *dropped;
};

struct telemetry_writer {
	struct telemetry *owner;
	struct buf waiting;
	size_t lines;
	struct telemetry_lines *form; /* of what follows */
	struct series_table *series;
	struct recent *recent;
	struct tapped taps[TELEMETRY_TAPS_MAX];
	size_t tap_count; /* mostly none */
	bool told_copy;
	int64_t copy_wall_ms; /* when the last lost copy was told */
};

static struct telemetry_lines *
usual_lines(void)
{
	struct telemetry_lines *l = NULL;

	CHECK(telemetry_lines_new(TELEMETRY_TEXT, S(""), &l, NULL) == OK);
	return l;
}

struct telemetry *
telemetry_new(const struct telemetry_config *config)
{
	struct telemetry *t = mem_new(sizeof(*t));

	t->magic = TELEMETRY_MAGIC;
	t->fd = config->fd;
	t->lines = config->lines != NULL ? telemetry_lines_ref(config->lines)
					 : usual_lines();
	t->log_success = config->log_success;
	t->dropped = metric_series_get(
	    metric_family_new("meshd_access_log_dropped_total",
		"Access log lines that the log did not take.", METRIC_COUNTER,
		NULL, 0, NULL, 0),
	    NULL);
	series_register();
	return t;
}

void
telemetry_free(struct telemetry **tp)
{
	if (*tp == NULL)
		return;
	telemetry_lines_unref(&(*tp)->lines);
	mem_free(tp);
}

void
telemetry_set_log_success(struct telemetry *t, bool on)
{
	__atomic_store_n(&t->log_success, on, __ATOMIC_RELAXED);
}

struct telemetry_writer *
telemetry_writer_new(struct telemetry *t)
{
	struct telemetry_writer *w = mem_new(sizeof(*w));

	w->owner = t;
	buf_init(&w->waiting, WAITING_MAX);
	w->form = telemetry_lines_ref(t->lines);
	w->series = series_table_new();
	w->recent = recent_new();
	return w;
}

void
telemetry_writer_free(struct telemetry_writer **wp)
{
	if (*wp == NULL)
		return;
	telemetry_flush(*wp);
	while ((*wp)->tap_count > 0)
		telemetry_writer_untap(*wp, (*wp)->taps[0].tap);
	telemetry_lines_unref(&(*wp)->form);
	recent_free(&(*wp)->recent);
	buf_fini(&(*wp)->waiting);
	series_table_free(&(*wp)->series);
	mem_free(wp);
}

static bool
is_failure(const struct flow_record *r)
{
	return r->flag != FLOW_OK || r->retries_spent || r->status >= 500;
}

/* What a copy is answered is nobody's business, and where nobody takes them a
 * line a second says so. */
static bool
wants_copy(struct telemetry_writer *w, const struct flow_record *r)
{
	int64_t since_ms = r->start_wall_ms - w->copy_wall_ms;

	if (r->flag == FLOW_OK ||
	    (w->told_copy && since_ms >= 0 && since_ms < COPY_EVERY_MS))
		return false;
	w->told_copy = true;
	w->copy_wall_ms = r->start_wall_ms;
	return true;
}

static bool
wants_line(struct telemetry_writer *w, const struct flow_record *r)
{
	const struct telemetry *t = w->owner;

	if (t->fd < 0 || r->kind == FLOW_TCP_OPENED)
		return false;
	if (r->kind == FLOW_COPY)
		return wants_copy(w, r);
	return is_failure(r) ||
	       __atomic_load_n(&t->log_success, __ATOMIC_RELAXED);
}

/* Half a line is worse than none: what did not fit is taken back. */
static void
add_line(struct telemetry_writer *w, const struct flow_record *r)
{
	size_t before = buf_len(&w->waiting);

	if (telemetry_format_line(r, w->form, &w->waiting) == OK) {
		w->lines++;
		return;
	}
	w->waiting.end = w->waiting.start + before;
	metric_add(w->owner->dropped, 1);
}

void
telemetry_report(struct telemetry_writer *w, const struct flow_record *r)
{
	series_count(series_table_find(w->series, r), r);
	recent_note(w->recent, r);
	for (size_t i = 0; i < w->tap_count; i++)
		tapped_note(&w->taps[i], r);
	if (!wants_line(w, r))
		return;
	if (buf_len(&w->waiting) > WAITING_MAX / 2)
		telemetry_flush(w);
	add_line(w, r);
}

void
telemetry_flush(struct telemetry_writer *w)
{
	struct slice rest = buf_slice(&w->waiting);

	for (size_t i = 0; i < w->tap_count; i++)
		tapped_flush(&w->taps[i]);
	while (rest.len > 0) {
		ssize_t n = write(w->owner->fd, rest.ptr, rest.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			metric_add(w->owner->dropped, w->lines);
			break;
		}
		rest = slice_sub(rest, (size_t)n, rest.len - (size_t)n);
	}
	buf_reset(&w->waiting);
	w->lines = 0;
}

void
telemetry_writer_use(struct telemetry_writer *w, struct telemetry_lines *lines)
{
	telemetry_lines_unref(&w->form);
	w->form = telemetry_lines_ref(lines);
}

void
telemetry_writer_tap(struct telemetry_writer *w, struct telemetry_tap *t)
{
	CHECK(w->tap_count < TELEMETRY_TAPS_MAX);
	w->taps[w->tap_count++] = (struct tapped){.tap = t};
}

void
telemetry_writer_untap(struct telemetry_writer *w, struct telemetry_tap *t)
{
	for (size_t i = 0; i < w->tap_count; i++) {
		if (w->taps[i].tap != t)
			continue;
		buf_fini(&w->taps[i].lines);
		w->taps[i] = w->taps[--w->tap_count];
		return;
	}
}

enum err
telemetry_writer_find(
    const struct telemetry_writer *w, struct slice id, struct buf *out)
{
	return recent_find(w->recent, id, out);
}
