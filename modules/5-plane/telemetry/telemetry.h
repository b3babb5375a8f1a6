/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — what finished flows look like in the log, in numbers, and to who
 * looks at them while they happen or afterwards.
 *
 * One `struct telemetry` a process; one `struct telemetry_writer` for each
 * thread that reports, so that nothing here takes a lock on a request's path.
 */
#ifndef MESHD_TELEMETRY_H
#define MESHD_TELEMETRY_H

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"

/* --- how lines of the access log look ------------------------------------- */

enum telemetry_format { TELEMETRY_TEXT, TELEMETRY_JSON };

enum { TELEMETRY_FORMAT_MAX = 8192 };

struct telemetry_lines; /* immutable, counted; any thread */

/*
 * Text with Envoy's operators, or an object of JSON with operators in its
 * texts; empty: Istio's own. ERR_PARSE, ERR_INVALID (no such operator) and
 * ERR_LIMIT in words.
 */
MUST_USE enum err telemetry_lines_new(enum telemetry_format format,
    struct slice written, struct telemetry_lines **out, struct fault *why);

/* The same of a setting: "text", "json", or what is written, an object of JSON
 * if it begins like one. */
MUST_USE enum err telemetry_lines_parse(
    struct slice setting, struct telemetry_lines **out, struct fault *why);

struct telemetry_lines *telemetry_lines_ref(struct telemetry_lines *l);
void telemetry_lines_unref(struct telemetry_lines **lp);

/* Operators are in it that read the answer's fields or trailers. */
bool telemetry_lines_want_answers(const struct telemetry_lines *l);

/*
 * One line with its newline. Whatever a peer chose is escaped. ERR_LIMIT if it
 * does not fit.
 */
MUST_USE enum err telemetry_format_line(const struct flow_record *record,
    const struct telemetry_lines *lines, struct buf *out);

/* --- the log and the numbers ---------------------------------------------- */

struct telemetry_config {
	int fd; /* where lines go; -1 is nowhere; borrowed */
	struct telemetry_lines *lines; /* kept; NULL: Istio's text */
	bool log_success;              /* else only refusals and failures */
};

struct telemetry;
struct telemetry_writer;

/* Registers Istio's metric families; one a process. */
struct telemetry *telemetry_new(const struct telemetry_config *config);

/* After the last writer is gone. */
void telemetry_free(struct telemetry **tp);

/* May be called at any time, from any thread. */
void telemetry_set_log_success(struct telemetry *t, bool on);

/* For the calling thread only. */
struct telemetry_writer *telemetry_writer_new(struct telemetry *t);
void telemetry_writer_free(struct telemetry_writer **wp);

/* What follows looks so; on the writer's thread. */
void telemetry_writer_use(
    struct telemetry_writer *w, struct telemetry_lines *lines);

/* Counts the flow, keeps it for who asks, and, if it is to be logged, adds a
 * line to what waits. */
void telemetry_report(
    struct telemetry_writer *w, const struct flow_record *record);

/*
 * Writes what waits, in one call if the file takes it; for the end of a
 * loop's turn. A log that does not take lines loses them, counted in
 * meshd_access_log_dropped_total, and never stops a request.
 */
void telemetry_flush(struct telemetry_writer *w);

/* --- looking while it happens --------------------------------------------- */

enum { TELEMETRY_CONDITIONS_MAX = 16, TELEMETRY_TAPS_MAX = 8 };

struct telemetry_query;

/*
 * Flows to the service's host (empty: to any) for which all conditions hold:
 * "KEY=VALUE", "KEY!=VALUE" and "duration>TIME" (match.h, meshd(8)). Copies.
 * ERR_INVALID, ERR_LIMIT, in words.
 */
MUST_USE enum err telemetry_query_new(struct slice service,
    const struct slice *conditions, size_t count, struct telemetry_query **out,
    struct fault *why);
void telemetry_query_free(struct telemetry_query **mp);

struct telemetry_tap_spec {
	struct loop *loop;             /* that wants the lines */
	struct telemetry_query *match; /* taken */
	/* On that loop: lines of JSON, each with its newline; lent. */
	void (*on_lines)(void *arg, struct slice lines, size_t count);
	void *arg;
};

struct telemetry_tap;

/* On the loop: no lines come after it is closed; free it when all writers have
 * it no more, and what they had sent has come. */
struct telemetry_tap *telemetry_tap_new(const struct telemetry_tap_spec *spec);
void telemetry_tap_close(struct telemetry_tap *t);
void telemetry_tap_free(struct telemetry_tap **tp);

/* Lines that were lost since it was last asked; and one more way to lose some.
 */
uint64_t telemetry_tap_take_lost(struct telemetry_tap *t);
void telemetry_tap_lose(struct telemetry_tap *t, uint64_t lines);

/* On the writer's thread. At most TELEMETRY_TAPS_MAX at a time. */
void telemetry_writer_tap(struct telemetry_writer *w, struct telemetry_tap *t);
void telemetry_writer_untap(
    struct telemetry_writer *w, struct telemetry_tap *t);

/* --- looking back --------------------------------------------------------- */

/* Requests with this id that the writer still has, as lines of JSON; on its
 * thread. */
MUST_USE enum err telemetry_writer_find(
    const struct telemetry_writer *w, struct slice id, struct buf *out);

/* --- adding up ------------------------------------------------------------ */

enum { TELEMETRY_TRAFFIC_BYTES = 8 << 20 };

/* Since the process began, to one service from here, or from it to here. */
struct telemetry_traffic {
	struct slice service;
	bool is_out;
	uint64_t requests;
	uint64_t errors; /* of them: 5xx, no answer, gRPC's kin */
	/* Of their durations in ms, each under its bound; then all above. */
	uint64_t buckets[METRIC_BUCKETS_MAX + 1];
	double bounds[METRIC_BUCKETS_MAX];
	size_t bound_count;
	uint64_t connections; /* of TCP, opened */
	uint64_t received;    /* their bytes */
	uint64_t sent;
};

/* Any thread; `t` is lent. ERR_LIMIT: there were more. */
MUST_USE enum err telemetry_each_traffic(
    void (*each)(void *arg, const struct telemetry_traffic *t), void *arg);

#endif
