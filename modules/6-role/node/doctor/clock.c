/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock — does this machine know what time it is?
 *
 * Alone it can tell only what cannot be: a time before there was a meshd, or
 * before its own certificate began. The servers tell the rest (servers.c).
 */
#include <sys/timex.h>

#include "ca/ca.h"

#include "checks.h"

/* 2026: nothing of ours is older. */
#define FIRST_MS INT64_C(1767225600000)
#define MEND "timedatectl set-ntp true"

bool
check_clock(struct doctor *d)
{
	char text[CLOCK_RFC3339_LEN];
	int64_t now_ms = doctor_now_ms(d);

	clock_format_rfc3339(now_ms, text);
	if (now_ms < FIRST_MS) {
		doctor_mend(d, MEND);
		doctor_say(d, DOCTOR_PROBLEM,
		    "this machine's clock says %s, which is past", text);
	} else {
		doctor_say(d, DOCTOR_OK, "this machine's clock says %s", text);
	}
	return true;
}

void
judge_time(struct doctor *d, const char *server, int64_t server_ms)
{
	int64_t off = doctor_now_ms(d) - server_ms;
	int64_t size = off < 0 ? -off : off;
	const char *way = off > 0 ? "ahead of" : "behind";
	char span[DOCTOR_SPAN_MAX];

	d->told_time = true;
	(void)doctor_span(off, span);
	if (size <= CA_SKEW_WARN_MS) {
		doctor_say(d, DOCTOR_OK,
		    "%s answers, and its clock is as this machine's (%s off)",
		    server, span);
		return;
	}
	doctor_mend(d, MEND);
	if (size <= CA_BACKDATE_MS)
		doctor_say(d, DOCTOR_WARNING,
		    "%s answers; this machine's clock is %s %s its clock",
		    server, span, way);
	else
		doctor_say(d, DOCTOR_PROBLEM,
		    "%s answers; this machine's clock is %s %s its clock: no "
		    "certificate is given to it",
		    server, span, way);
}

void
judge_sync(struct doctor *d)
{
	struct timex t = {.modes = 0};

	if (d->told_time || adjtimex(&t) < 0 || (t.status & STA_UNSYNC) == 0)
		return;
	doctor_mend(d, MEND);
	doctor_say(d, DOCTOR_WARNING,
	    "no server told the time, and nothing on this machine keeps its "
	    "clock right");
}
