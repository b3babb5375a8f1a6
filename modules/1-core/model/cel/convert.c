/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert — int(), string(), timestamp() and their kin; and how values print.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "value.h"

enum {
	US_PER_SECOND = 1000000,
	TEXT_MAX = 64 /* of a number or a time */
};

static struct cel_value
no_conversion(void)
{
	return cel_error("a value of this type or content cannot be converted");
}

/* --- numbers -------------------------------------------------------------- */

static struct cel_value
to_int(const struct cel_value *v)
{
	int64_t n = 0;

	if (v->type == CEL_UINT && v->natural <= INT64_MAX)
		return cel_int((int64_t)v->natural);
	if (v->type == CEL_DOUBLE && v->real > -0x1p63 && v->real < 0x1p63)
		return cel_int((int64_t)v->real);
	if (v->type == CEL_STRING && slice_to_i64(v->text, &n) == OK)
		return cel_int(n);
	if (v->type == CEL_TIMESTAMP)
		return cel_int(
		    (v->integer - (v->integer < 0 ? US_PER_SECOND - 1 : 0)) /
		    US_PER_SECOND);
	return no_conversion();
}

static struct cel_value
to_uint(const struct cel_value *v)
{
	struct cel_value out = {.type = CEL_UINT};

	if (v->type == CEL_INT && v->integer >= 0)
		out.natural = (uint64_t)v->integer;
	else if (v->type == CEL_DOUBLE && v->real >= 0 && v->real < 0x1p64)
		out.natural = (uint64_t)v->real;
	else if (v->type != CEL_STRING ||
		 slice_to_u64(v->text, &out.natural) != OK)
		return no_conversion();
	return out;
}

/* Decimal only, all of it. */
static bool
read_double(struct slice text, double *out)
{
	char zero_ended[TEXT_MAX];
	char *end;

	if (text.len == 0 ||
	    slice_to_cstr(text, zero_ended, sizeof(zero_ended)) != OK ||
	    strspn(zero_ended, "0123456789+-.eE") != text.len)
		return false;
	*out = strtod(zero_ended, &end);
	return *end == '\0';
}

static struct cel_value
to_double(const struct cel_value *v)
{
	struct cel_value out = {.type = CEL_DOUBLE};

	if (v->type == CEL_INT)
		out.real = (double)v->integer;
	else if (v->type == CEL_UINT)
		out.real = (double)v->natural;
	else if (v->type != CEL_STRING || !read_double(v->text, &out.real))
		return no_conversion();
	return out;
}

static struct cel_value
to_bool(const struct cel_value *v)
{
	static const char *const words[] = {"true", "True", "TRUE", "t", "1",
	    "false", "False", "FALSE", "f", "0"};

	for (size_t i = 0; v->type == CEL_STRING && i < ARRAY_LEN(words); i++)
		if (slice_eq(v->text, slice_str(words[i])))
			return cel_bool(i < ARRAY_LEN(words) / 2);
	return no_conversion();
}

/* --- times ---------------------------------------------------------------- */

/* Digits of a fixed width, and what stands behind them if it is not 0. */
static bool
take(struct slice *s, size_t width, char behind, int *out)
{
	uint64_t n;

	if (s->len < width + (behind != '\0') ||
	    slice_to_u64(slice_sub(*s, 0, width), &n) != OK ||
	    (behind != '\0' && s->ptr[width] != behind))
		return false;
	*s = slice_sub(*s, width + (behind != '\0'), s->len);
	*out = (int)n;
	return true;
}

/* ".123456789", cut to microseconds. */
static bool
take_fraction(struct slice *s, int64_t *us)
{
	int64_t scale = US_PER_SECOND;
	size_t len = 1;

	*us = 0;
	if (!slice_starts(*s, S(".")))
		return true;
	for (; len < s->len && s->ptr[len] >= '0' && s->ptr[len] <= '9'; len++)
		*us += (s->ptr[len] - '0') * (scale /= 10);
	*s = slice_sub(*s, len, s->len);
	return len > 1;
}

/* "Z" or "+01:30", in seconds, and nothing behind. */
static bool
take_zone(struct slice s, int64_t *out)
{
	bool minus = slice_starts(s, S("-"));
	int hours, minutes;

	*out = 0;
	if (slice_eq(s, S("Z")) || slice_eq(s, S("z")))
		return true;
	if (!minus && !slice_starts(s, S("+")))
		return false;
	s = slice_sub(s, 1, s.len);
	if (!take(&s, 2, ':', &hours) || !take(&s, 2, '\0', &minutes) ||
	    s.len > 0 || hours > 23 || minutes > 59)
		return false;
	*out = (hours * 60 + minutes) * (minus ? -60 : 60);
	return true;
}

/* RFC 3339. */
static bool
read_time(struct slice s, int64_t *out_us)
{
	struct tm t = {0}, back;
	int64_t us, zone;
	time_t seconds;

	if (!take(&s, 4, '-', &t.tm_year) || !take(&s, 2, '-', &t.tm_mon) ||
	    !take(&s, 2, 'T', &t.tm_mday) || !take(&s, 2, ':', &t.tm_hour) ||
	    !take(&s, 2, ':', &t.tm_min) || !take(&s, 2, '\0', &t.tm_sec) ||
	    !take_fraction(&s, &us) || !take_zone(s, &zone))
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	back = t;
	seconds = timegm(&t); /* makes the first of March of February 29 */
	if (back.tm_mday != t.tm_mday || back.tm_mon != t.tm_mon ||
	    back.tm_hour != t.tm_hour || back.tm_min != t.tm_min ||
	    back.tm_sec != t.tm_sec)
		return false;
	*out_us = ((int64_t)seconds - zone) * US_PER_SECOND + us;
	return *out_us >= CEL_TIME_MIN_US && *out_us <= CEL_TIME_MAX_US;
}

static struct cel_value
to_timestamp(const struct cel_value *v)
{
	struct cel_value out = {.type = CEL_TIMESTAMP};
	int64_t least = CEL_TIME_MIN_US / US_PER_SECOND;
	int64_t most = CEL_TIME_MAX_US / US_PER_SECOND;

	if (v->type == CEL_INT && v->integer >= least && v->integer <= most)
		out.integer = v->integer * US_PER_SECOND;
	else if (v->type != CEL_STRING || !read_time(v->text, &out.integer))
		return no_conversion();
	return out;
}

static struct cel_value
to_duration(const struct cel_value *v)
{
	struct cel_value out = {.type = CEL_DURATION};
	bool minus = v->type == CEL_STRING && slice_starts(v->text, S("-"));
	uint64_t us;

	if (v->type != CEL_STRING ||
	    slice_to_duration_us(slice_sub(v->text, minus, v->text.len), &us) !=
		OK)
		return no_conversion();
	out.integer = minus ? -(int64_t)us : (int64_t)us;
	return out;
}

/* --- texts ---------------------------------------------------------------- */

/* ".5" of 500000: without the zeros at the end. */
static void
print_fraction(int64_t us, char out[TEXT_MAX])
{
	size_t len;

	(void)snprintf(out, TEXT_MAX, ".%06d", (int)us); /* seven bytes */
	for (len = strlen(out); out[len - 1] == '0'; len--)
		;
	out[out[len - 1] == '.' ? len - 1 : len] = '\0';
}

MUST_USE static enum err
print_time(int64_t us, struct buf *out)
{
	int64_t fraction = us % US_PER_SECOND;
	char text[TEXT_MAX];
	time_t seconds;
	struct tm t;

	fraction += fraction < 0 ? US_PER_SECOND : 0;
	seconds = (time_t)((us - fraction) / US_PER_SECOND);
	if (gmtime_r(&seconds, &t) == NULL)
		return ERR_INVALID;
	print_fraction(fraction, text);
	return buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
	    t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min,
	    t.tm_sec, text);
}

MUST_USE static enum err
print_duration(int64_t us, struct buf *out)
{
	uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	char text[TEXT_MAX];

	print_fraction((int64_t)(size % US_PER_SECOND), text);
	return buf_printf(out, "%s%" PRIu64 "%ss", us < 0 ? "-" : "",
	    size / US_PER_SECOND, text);
}

MUST_USE static enum err
print_double(double d, struct buf *out)
{
	char text[SLICE_DOUBLE_MAX];

	if (isnan(d))
		return buf_add_slice(out, S("NaN"));
	if (isinf(d))
		return buf_add_slice(out, d > 0 ? S("+Inf") : S("-Inf"));
	return buf_add_slice(out, slice_from_double(d, text));
}

MUST_USE static enum err
print_items(const struct cel_value *v, bool map, struct buf *out)
{
	size_t count = v->list.count * (map ? 2 : 1);
	enum err e = buf_add_byte(out, map ? '{' : '[');

	for (size_t i = 0; i < count && e == OK; i++) {
		if (i > 0)
			e = buf_add_slice(
			    out, map && i % 2 == 1 ? S(": ") : S(", "));
		if (e == OK)
			e = cel_print(&v->list.items[i], out);
	}
	return e == OK ? buf_add_byte(out, map ? '}' : ']') : e;
}

enum err
cel_print(const struct cel_value *v, struct buf *out)
{
	switch (v->type) {
	case CEL_NULL:
		return buf_add_slice(out, S("null"));
	case CEL_BOOL:
		return buf_add_slice(out, v->boolean ? S("true") : S("false"));
	case CEL_INT:
		return buf_printf(out, "%" PRId64, v->integer);
	case CEL_UINT:
		return buf_printf(out, "%" PRIu64, v->natural);
	case CEL_DOUBLE:
		return print_double(v->real, out);
	case CEL_LIST:
	case CEL_MAP:
		return print_items(v, v->type == CEL_MAP, out);
	case CEL_TIMESTAMP:
		return print_time(v->integer, out);
	case CEL_DURATION:
		return print_duration(v->integer, out);
	case CEL_OBJECT:
		return buf_add_slice(out, S("{...}"));
	default:
		return buf_add_slice(out, v->text);
	}
}

static struct cel_value
to_string(struct cel_run *run, const struct cel_value *v)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_MAX);
	struct slice copy;

	if (v->type == CEL_BYTES)
		return slice_is_utf8(v->text) && cel_spend(run, v->text.len)
			   ? cel_text(CEL_STRING, v->text)
			   : no_conversion();
	if (!cel_is_number(v) && v->type != CEL_BOOL &&
	    v->type != CEL_TIMESTAMP && v->type != CEL_DURATION)
		return no_conversion();
	if (cel_print(v, &text) != OK ||
	    arena_copy(run->arena, buf_slice(&text), &copy) != OK)
		return cel_over(run);
	return cel_text(CEL_STRING, copy);
}

struct cel_value
cel_convert(struct cel_run *run, enum cel_type type, const struct cel_value *v)
{
	if (v->type == type)
		return *v;
	switch (type) {
	case CEL_INT:
		return to_int(v);
	case CEL_UINT:
		return to_uint(v);
	case CEL_DOUBLE:
		return to_double(v);
	case CEL_BOOL:
		return to_bool(v);
	case CEL_STRING:
		return to_string(run, v);
	case CEL_BYTES:
		return v->type == CEL_STRING ? cel_text(CEL_BYTES, v->text)
					     : no_conversion();
	case CEL_TIMESTAMP:
		return to_timestamp(v);
	case CEL_DURATION:
		return to_duration(v);
	default:
		return no_conversion();
	}
}
