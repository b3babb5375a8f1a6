/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date — a moment as the field Date has it.
 *
 * By hand: strftime() and strptime() speak the machine's language.
 */
#include <stdio.h>
#include <time.h>

#include "date.h"

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

char *
http_date_format(int64_t unix_ms, char out[HTTP_DATE_LEN])
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm t = {0};

	(void)gmtime_r(&s, &t); /* fails beyond year 2^31 */
	(void)snprintf(out, HTTP_DATE_LEN,
	    "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT", days + 3 * t.tm_wday,
	    (unsigned)t.tm_mday % 100, months + 3 * t.tm_mon,
	    (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
	    (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
	return out;
}

static bool
read_number(struct slice text, size_t at, size_t len, int *out)
{
	uint64_t n;

	if (slice_to_u64(slice_sub(text, at, len), &n) != OK)
		return false;
	*out = (int)n;
	return true;
}

static bool
read_month(struct slice text, int *out)
{
	for (int i = 0; i < 12; i++)
		if (slice_eq(
			slice_sub(text, 8, 3), slice_of(months + 3 * i, 3)))
			*out = i;
	return *out >= 0;
}

enum err
http_date_parse(struct slice text, int64_t *out_ms)
{
	struct tm t = {.tm_mon = -1};

	if (text.len != HTTP_DATE_LEN - 1 || !slice_ends(text, S(" GMT")) ||
	    !read_month(text, &t.tm_mon) ||
	    !read_number(text, 5, 2, &t.tm_mday) ||
	    !read_number(text, 12, 4, &t.tm_year) ||
	    !read_number(text, 17, 2, &t.tm_hour) ||
	    !read_number(text, 20, 2, &t.tm_min) ||
	    !read_number(text, 23, 2, &t.tm_sec) || t.tm_year < 1970)
		return ERR_PARSE;
	t.tm_year -= 1900;
	*out_ms = (int64_t)timegm(&t) * 1000;
	return OK;
}
