/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff — a client's first bytes, where nobody declared what they are.
 *
 * What was said of a beginning holds for all that follows, and bytes that the
 * parser of requests takes for one are never said to be anything else.
 */
#include "http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_head(void *arg, struct http_head *h)
{
	(void)h; /* that there is one is enough */
	*(bool *)arg = true;
}

static bool
is_request(struct slice all)
{
	static const struct http1_events events = {.on_head = on_head};
	bool is = false;
	AUTO(http1_parser_free)
	struct http1_parser *p = http1_parser_new(HTTP1_REQUESTS, &events, &is);
	size_t used;
	enum err e = http1_parser_feed(p, all, &used);

	(void)e; /* what is wrong behind the head does not matter */
	return is;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice all = slice_of(data, size);
	enum http_sniff before = HTTP_SNIFF_MORE;

	for (size_t n = 0; n <= size; n++) {
		enum http_sniff now = http_sniff(slice_sub(all, 0, n));

		CHECK(before == HTTP_SNIFF_MORE || before == now);
		before = now;
	}
	if (is_request(all))
		CHECK(before == HTTP_SNIFF_1);
	return 0;
}
