/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format_time — operators that tell when, and how long.
 */
#include "format_parts.h"

#include <stdio.h>
#include <time.h>

/* --- when ----------------------------------------------------------------- */

/* One letter of strftime(3); what has no meaning here is left out. */
static size_t
put_letter(char letter, const struct tm *tm, char *out, size_t room)
{
	switch (letter) {
#define LETTER(c, format)                                                      \
	case c:                                                                \
		return strftime(out, room, format, tm)
		LETTER('a', "%a");
		LETTER('A', "%A");
		LETTER('b', "%b");
		LETTER('B', "%B");
		LETTER('C', "%C");
		LETTER('d', "%d");
		LETTER('e', "%e");
		LETTER('F', "%F");
		LETTER('H', "%H");
		LETTER('I', "%I");
		LETTER('j', "%j");
		LETTER('m', "%m");
		LETTER('M', "%M");
		LETTER('p', "%p");
		LETTER('R', "%R");
		LETTER('S', "%S");
		LETTER('T', "%T");
		LETTER('u', "%u");
		LETTER('w', "%w");
		LETTER('Y', "%Y");
		LETTER('z', "%z");
		LETTER('Z', "%Z");
		LETTER('%', "%%");
#undef LETTER
	default:
		return 0;
	}
}

/* So many digits of the second's fraction. */
static size_t
put_fraction(int64_t wall_ms, unsigned digits, char *out, size_t room)
{
	char text[16];

	(void)snprintf(
	    text, sizeof(text), "%03u000000", (unsigned)(wall_ms % 1000));
	if (digits > 9 || digits >= room)
		return 0;
	memcpy(out, text, digits);
	return digits;
}

/* A time, by the clock on the wall here or by UTC. */
struct moment {
	int64_t wall_ms;
	bool local;
};

/* What stands behind a "%" at `at`, which it moves along. */
static size_t
put_directive(struct slice format, size_t *at, const struct moment *when,
    char *out, size_t room)
{
	time_t seconds = (time_t)(when->wall_ms / 1000);
	char c = format.ptr[(*at)++];
	struct tm tm;

	if (c >= '1' && c <= '9' && *at < format.len &&
	    format.ptr[*at] == 'f') {
		(*at)++;
		return put_fraction(
		    when->wall_ms, (unsigned)(c - '0'), out, room);
	}
	if (c == 'f')
		return put_fraction(when->wall_ms, 9, out, room);
	if (c == 's') {
		int n = snprintf(out, room, "%lld", (long long)seconds);

		return n > 0 && (size_t)n < room ? (size_t)n : 0;
	}
	if ((when->local ? localtime_r(&seconds, &tm)
			 : gmtime_r(&seconds, &tm)) == NULL)
		return 0;
	return put_letter(c, &tm, out, room);
}

static void
put_moment(
    struct format_value *v, struct slice format, const struct moment *when)
{
	size_t n = 0, at = 0;

	if (format.len == 0 && !when->local) {
		clock_format_rfc3339(when->wall_ms, v->room);
		v->text = slice_str(v->room);
		return;
	}
	if (format.len == 0)
		format = S("%Y-%m-%dT%H:%M:%S.%3f%z");
	while (at < format.len && n < sizeof(v->room)) {
		char c = format.ptr[at++];

		if (c != '%' || at == format.len)
			v->room[n++] = c;
		else
			n += put_directive(format, &at, when, v->room + n,
			    sizeof(v->room) - n);
	}
	v->text = slice_of(v->room, n);
}

static bool
is_local(enum operator_id id)
{
	return id == OPERATOR_START_LOCAL || id == OPERATOR_EMIT_LOCAL;
}

static bool
is_start(enum operator_id id)
{
	return id == OPERATOR_START_TIME || id == OPERATOR_START_LOCAL;
}

void
format_put_time(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	struct moment when = {f->start_wall_ms, is_local(p->id)};

	if (!is_start(p->id)) /* when it was over */
		when.wall_ms += (int64_t)(f->duration_us / 1000);
	put_moment(v, p->argument, &when);
}

/* --- how long ------------------------------------------------------------- */

static enum flow_point
point_of(struct slice name)
{
	static const char *const names[FLOW_POINTS] = {
	    [FLOW_BEGAN] = "DS_RX_BEG",
	    [FLOW_CAME] = "DS_RX_END",
	    [FLOW_SENT] = "US_TX_BEG",
	    [FLOW_SENT_ALL] = "US_TX_END",
	    [FLOW_ANSWERED] = "US_RX_BEG",
	    [FLOW_ANSWER_CAME] = "US_RX_END",
	    [FLOW_ANSWER_SENT] = "DS_TX_BEG",
	    [FLOW_ENDED] = "DS_TX_END",
	};

	for (int i = 0; i < FLOW_POINTS; i++)
		if (slice_eq(name, slice_str(names[i])))
			return (enum flow_point)i;
	return FLOW_POINTS;
}

/* "DS_RX_BEG:US_RX_BEG:us", of which the unit may be left out. */
static bool
read_span(struct slice text, enum flow_point *from, enum flow_point *to,
    struct slice *unit)
{
	*from = point_of(slice_split(&text, ':'));
	*to = point_of(slice_split(&text, ':'));
	*unit = text;
	return *from != FLOW_POINTS && *to != FLOW_POINTS &&
	       (text.len == 0 || slice_eq(text, S("ms")) ||
		   slice_eq(text, S("us")) || slice_eq(text, S("ns")));
}

bool
format_is_span(struct slice argument)
{
	enum flow_point from, to;
	struct slice unit;

	return read_span(argument, &from, &to, &unit);
}

void
format_put_span(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	static const struct {
		enum flow_point from, to;
	} spans[OPERATOR_COUNT] = {
	    [OPERATOR_REQUEST_TIME] = {FLOW_BEGAN, FLOW_CAME},
	    [OPERATOR_REQUEST_TX] = {FLOW_BEGAN, FLOW_SENT_ALL},
	    [OPERATOR_RESPONSE_TIME] = {FLOW_BEGAN, FLOW_ANSWERED},
	    [OPERATOR_RESPONSE_TX] = {FLOW_ANSWERED, FLOW_ENDED},
	};
	enum flow_point from = spans[p->id].from, to = spans[p->id].to;
	struct slice unit = SLICE_NONE;
	uint64_t us;

	if (p->id == OPERATOR_COMMON_TIME)
		CHECK(read_span(p->argument, &from, &to, &unit)); /* parsed */
	if (f->at_us[from] == 0 || f->at_us[to] < f->at_us[from])
		return;
	us = f->at_us[to] - f->at_us[from];
	if (slice_eq(unit, S("ns")))
		us *= 1000;
	else if (!slice_eq(unit, S("us")))
		us /= 1000;
	format_count(v, us);
}
