/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — what finished flows look like in the log and in numbers.
 *
 * One `struct telemetry` a process; one `struct telemetry_writer` for each
 * thread that reports, so that nothing here takes a lock on a request's path.
 */
#ifndef MESHD_TELEMETRY_H
#define MESHD_TELEMETRY_H

#include "base/base.h"
#include "model/model.h"

enum telemetry_format { TELEMETRY_TEXT, TELEMETRY_JSON };

struct telemetry_config {
	int fd; /* where lines go; -1 is nowhere; borrowed */
	enum telemetry_format format;
	bool log_success; /* else only refusals and failures */
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

/* Counts the flow and, if it is to be logged, adds a line to what waits. */
void telemetry_report(
    struct telemetry_writer *w, const struct flow_record *record);

/*
 * Writes what waits, in one call if the file takes it; for the end of a
 * loop's turn. A log that does not take lines loses them, counted in
 * meshd_access_log_dropped_total, and never stops a request.
 */
void telemetry_flush(struct telemetry_writer *w);

/*
 * One line with its newline; Istio's default text format or its JSON keys. The
 * reason in words stands where Envoy has its transport's failure reason.
 * ERR_LIMIT if it does not fit.
 */
MUST_USE enum err telemetry_format_line(const struct flow_record *record,
    enum telemetry_format format, struct buf *out);

#endif
