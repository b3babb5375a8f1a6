/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date — the field Date, written and read.
 */
#include "http/http.h"

#include "unit.h"

TEST(what_is_written_is_read_again_to_the_second)
{
	static const int64_t times[] = {
	    0, 951782399, 1709164800, 1795713123, INT64_C(253402300799)};
	char text[HTTP_DATE_LEN];
	int64_t ms;

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		(void)http_date_format(times[i] * 1000 + 999, text);
		EXPECT_EQ(http_date_parse(slice_str(text), &ms), OK);
		EXPECT_EQ(ms, times[i] * 1000);
	}
	EXPECT_STR(http_date_format(INT64_C(784111777000), text),
	    "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110 §5.6.7 */
}

TEST(other_forms_are_refused_and_leave_the_caller_untouched)
{
	static const char *const bad[] = {"", "Sunday, 06-Nov-94 08:49:37 GMT",
	    "Sun Nov  6 08:49:37 1994", "Sun, 06 Nox 1994 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, xx Nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 0001 08:49:37 GMT"};
	int64_t ms = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT_EQ(http_date_parse(slice_str(bad[i]), &ms), ERR_PARSE);
	EXPECT_EQ(ms, 7);
}
