/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_log — any bytes as a format of the access log, or as a condition of a
 * tap.
 *
 * The first byte chooses which. What the format's check takes has to make
 * lines, of a flow that knows much and of one that knows nothing: one line,
 * whatever the values are, unless the format itself has more.
 */
#include "telemetry/telemetry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The head is the input itself, as lines of "name=value". */
static bool
field(const void *head, struct slice name, struct slice *out)
{
	struct slice rest = *(const struct slice *)head;

	while (rest.len > 0) {
		struct slice value = slice_split(&rest, '\n');

		if (!slice_eq(slice_split(&value, '='), name))
			continue;
		*out = value;
		return true;
	}
	return false;
}

static size_t
count_lines(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.ptr[i] == '\n';
	return n;
}

static struct flow_record
full(const struct slice *bytes)
{
	static const struct flow_try tries[] = {{.flag = FLOW_CONNECT_FAILED,
	    .endpoint = {.family = ADDR_V6, .port = 1}}};

	return (struct flow_record){.kind = FLOW_HTTP,
	    .flag = FLOW_TIMEOUT,
	    .detail = *bytes,
	    .own = true,
	    .start_wall_ms = 1700000000123,
	    .duration_us = 9000,
	    .at_us = {1, 2, 3, 4, 5, 6, 7, 8},
	    .has_grpc = true,
	    .grpc = (uint8_t)bytes->len,
	    .method = *bytes,
	    .path = *bytes,
	    .forwarded_for = *bytes,
	    .request_id = *bytes,
	    .route = *bytes,
	    .tries = tries,
	    .try_count = 1,
	    .mutual_tls = true,
	    .upstream = {.family = ADDR_V4, .port = 80},
	    .heads = {.request = bytes,
		.answer = bytes,
		.trailers = bytes,
		.field = field}};
}

static void
write_lines(struct slice setting, const struct slice *bytes)
{
	AUTO(telemetry_lines_unref) struct telemetry_lines *lines = NULL;
	AUTO(buf_fini) struct buf out = BUF(16 << 20);
	const struct flow_record empty = {.kind = FLOW_TCP_CLOSED};
	const struct flow_record record = full(bytes);
	struct fault why = {0};
	size_t own = 0;

	if (telemetry_lines_parse(setting, &lines, &why) != OK) {
		CHECK(why.text[0] != 0);
		return;
	}
	(void)telemetry_lines_want_answers(lines);
	CHECK(telemetry_format_line(&empty, lines, &out) == OK);
	own = count_lines(buf_slice(&out));
	buf_reset(&out);
	if (telemetry_format_line(&record, lines, &out) == OK)
		CHECK(count_lines(buf_slice(&out)) == own);
	CHECK(own >= 1);
}

static void
ask(struct slice condition)
{
	struct telemetry_query *query = NULL;
	struct fault why = {0};

	if (telemetry_query_new(S(""), &condition, 1, &query, &why) != OK)
		CHECK(query == NULL && why.text[0] != 0);
	telemetry_query_free(&query);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data + 1, size > 0 ? size - 1 : 0);

	if (size == 0)
		return 0;
	if (data[0] & 1)
		ask(bytes);
	else
		write_lines(bytes, &bytes);
	return 0;
}
