/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — each operator of Envoy's, and what it makes of a flow.
 */
#include "unit.h"

#include "format.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A head as lines of "name: value". */
static bool
field(const void *head, struct slice name, struct slice *out)
{
	struct slice rest = slice_str(head);

	while (rest.len > 0) {
		struct slice value = slice_split(&rest, '\n');

		if (!slice_eq(slice_split(&value, '='), name))
			continue;
		*out = value;
		return true;
	}
	return false;
}

static const struct flow_try tried[] = {{.flag = FLOW_CONNECT_FAILED,
    .endpoint = {.family = ADDR_V4, .bytes = {10, 0, 0, 1}, .port = 80}}};

static struct flow_record
sample(void)
{
	struct flow_record f = {
	    .kind = FLOW_HTTP,
	    .reporter = FLOW_SOURCE,
	    .status = 503,
	    .flag = FLOW_CONNECT_FAILED,
	    .detail = S("refused"),
	    .own = true,
	    .delayed = true,
	    .retries_spent = true,
	    .start_wall_ms = 1700000000123,
	    .duration_us = 9000,
	    .at_us = {1000, 2000, 3000, 4000, 5500, 6000, 7000, 10000},
	    .upstream_us = 4500,
	    .has_grpc = true,
	    .grpc = 4,
	    .version = S("HTTP/2"),
	    .upstream_version = S("HTTP/1.1"),
	    .method = S("GET"),
	    .path = S("/old?a=1"),
	    .authority = S("web"),
	    .forwarded_for = S("1.2.3.4, 5.6.7.8"),
	    .request_id = S("an-id"),
	    .bytes_received = 3,
	    .bytes_sent = 42,
	    .attempts = 2,
	    .tries = tried,
	    .try_count = 1,
	    .connection = 17,
	    .cluster = S("outbound|80||web"),
	    .route = S("v2"),
	    .sni = S("web.shop"),
	    .mutual_tls = true,
	    .source = {.identity = S("spiffe://m/ns/a/sa/b")},
	    .destination = {.identity = S("spiffe://m/ns/c/sa/d")},
	    .heads = {.request = ":path=/new?b=2&c=\nx-a=1\n"
				 "x-envoy-original-path=/old?a=1",
		.answer = "x-b=2",
		.trailers = "x-t=3",
		.field = field},
	};

	EXPECT_OK(addr_parse(S("10.0.0.7:8080"), &f.upstream));
	EXPECT_OK(addr_parse(S("10.0.0.4:4000"), &f.upstream_local));
	EXPECT_OK(addr_parse(S("127.0.0.1:9000"), &f.downstream_local));
	EXPECT_OK(addr_parse(S("[::1]:5555"), &f.downstream_remote));
	return f;
}

/* What stands for the text with its operators; "-" for what has no value. */
static void
expect(const struct flow_record *f, const char *text, const char *made)
{
	AUTO(arena_fini) struct arena a = {0};
	AUTO(buf_fini) struct buf out = BUF(1 << 16);
	struct view_format format;
	struct format_value v;

	arena_init(&a, 1 << 16);
	EXPECT_OK(format_parse(slice_str(text), OPERATOR_IN_LOG, &a, &format));
	for (size_t i = 0; i < format.count; i++) {
		EXPECT_OK(buf_add_slice(&out, format.parts[i].text));
		if (format.parts[i].id == OPERATOR_NONE)
			continue;
		format_value(&format.parts[i], f, &v);
		EXPECT_OK(
		    buf_add_slice(&out, v.text.len > 0 ? v.text : S("-")));
	}
	if (!slice_eq(buf_slice(&out), slice_str(made)))
		fail_msg("%s makes \"%.*s\"", text, SLICE_ARG(buf_slice(&out)));
}

TEST(a_client_that_wrote_its_own_address_keeps_its_port)
{
	struct flow_record f = sample();

	f.forwarded_for = S("5.6.7.8, ::1");
	expect(&f, "%DOWNSTREAM_REMOTE_ADDRESS%", "[::1]:5555");
}

TEST(each_operator_has_its_value)
{
	static const char *const rows[][2] = {
	    {"a %PROTOCOL% b%%", "a HTTP/2 b%"},
	    {"%UPSTREAM_PROTOCOL%", "HTTP/1.1"}, {"%REQ(x-a)%", "1"},
	    {"%REQ(X-A)%", "1"}, {"%REQ(x-none?x-a)%", "1"},
	    {"%REQ(x-none)%", "-"},
	    {"%REQ(:METHOD)% %REQ(:AUTHORITY)%", "GET web"},
	    {"%REQ(:PATH)%", "/new?b=2&c="}, {"%REQ(:PATH):4%", "/new"},
	    {"%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "/old?a=1"},
	    {"%RESP(x-b)% %RESP(x-c)%", "2 -"},
	    {"%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "4"},
	    {"%TRAILER(x-t)%", "3"}, {"%PATH%", "/old?a=1"},
	    {"%PATH(NQ)%", "/old"}, {"%PATH(WQ:PATH)%", "/new?b=2&c="},
	    {"%PATH(NQ:ORIG)%", "/old"},
	    {"%QUERY_PARAM(b)%%QUERY_PARAM(c)%", "2-"},
	    {"%START_TIME%", "2023-11-14T22:13:20.123Z"},
	    {"%START_TIME(%Y/%m/%d %H:%M:%S.%3f)%", "2023/11/14 22:13:20.123"},
	    {"%START_TIME(%s)%", "1700000000"},
	    {"%EMIT_TIME%", "2023-11-14T22:13:20.132Z"}, {"%DURATION%", "9"},
	    {"%REQUEST_DURATION%", "1"}, {"%REQUEST_TX_DURATION%", "3"},
	    {"%RESPONSE_DURATION%", "4"}, {"%RESPONSE_TX_DURATION%", "4"},
	    {"%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%", "4500"},
	    {"%COMMON_DURATION(US_TX_BEG:US_TX_END)%", "1"},
	    {"%COMMON_DURATION(US_RX_END:DS_TX_END:ns)%", "4000000"},
	    {"%COMMON_DURATION(DS_TX_END:DS_RX_BEG)%", "-"},
	    {"%RESPONSE_CODE%", "503"},
	    {"%RESPONSE_CODE_DETAILS%", "connection_refused"},
	    {"%RESPONSE_FLAGS%", "UF,DI,URX"},
	    {"%RESPONSE_FLAGS_LONG%", "UpstreamConnectionFailure,DelayInjected,"
				      "UpstreamRetryLimitExceeded"},
	    {"%UPSTREAM_TRANSPORT_FAILURE_REASON%", "refused"},
	    {"%LOCAL_REPLY_BODY%", "refused"},
	    {"%CONNECTION_TERMINATION_DETAILS%", "-"},
	    {"%GRPC_STATUS%", "DeadlineExceeded"},
	    {"%GRPC_STATUS(SNAKE_STRING)%", "DEADLINE_EXCEEDED"},
	    {"%GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%", "4 4"},
	    {"%BYTES_RECEIVED% %BYTES_SENT%", "3 42"},
	    {"%ROUTE_NAME% %UPSTREAM_CLUSTER%", "v2 outbound|80||web"},
	    {"%UPSTREAM_HOST%", "10.0.0.7:8080"},
	    {"%UPSTREAM_HOST_NAME_WITHOUT_PORT%", "10.0.0.7"},
	    {"%UPSTREAM_REMOTE_PORT%", "8080"},
	    {"%UPSTREAM_HOSTS_ATTEMPTED%", "10.0.0.1:80,10.0.0.7:8080"},
	    {"%UPSTREAM_REQUEST_ATTEMPT_COUNT%", "2"},
	    {"%UPSTREAM_LOCAL_ADDRESS%", "10.0.0.4:4000"},
	    {"%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", "127.0.0.1"},
	    {"%DOWNSTREAM_REMOTE_ADDRESS%", "5.6.7.8:0"},
	    {"%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "[::1]:5555"},
	    {"%DOWNSTREAM_DIRECT_LOCAL_ADDRESS%", "127.0.0.1:9000"},
	    {"%DOWNSTREAM_PEER_URI_SAN%", "spiffe://m/ns/a/sa/b"},
	    {"%DOWNSTREAM_LOCAL_URI_SAN%", "spiffe://m/ns/c/sa/d"},
	    {"%DOWNSTREAM_TLS_VERSION%", "TLSv1.3"},
	    {"%REQUESTED_SERVER_NAME%", "web.shop"},
	    {"%CONNECTION_ID% %STREAM_ID%", "17 an-id"},
	    {"%ACCESS_LOG_TYPE%", "DownstreamEnd"},
	    {"%METADATA(a:b)%", "-"}, /* known, and never there */
	};
	struct flow_record f = sample();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(&f, rows[i][0], rows[i][1]);
}

TEST(a_request_whose_head_is_gone_is_what_its_record_says)
{
	struct flow_record f = sample();

	f.heads = (struct flow_heads){0};
	expect(&f, "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
	    "GET /old?a=1");
	expect(&f, "%REQ(X-REQUEST-ID)% %REQ(X-FORWARDED-FOR)%",
	    "an-id 1.2.3.4, 5.6.7.8");
	expect(&f, "%REQ(x-a)% %RESP(x-b)% %TRAILER(x-t)%", "- - -");
}

TEST(what_did_not_happen_has_no_value)
{
	const struct flow_record f = {.kind = FLOW_TCP_CLOSED};

	expect(&f, "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%",
	    "0 - -");
	expect(
	    &f, "%RESPONSE_DURATION%%REQUEST_DURATION%%UPSTREAM_HOST%", "---");
	expect(
	    &f, "%GRPC_STATUS%%DOWNSTREAM_PEER_URI_SAN%%REQ(:METHOD)%", "---");
	expect(&f, "%RESPONSE_FLAGS_LONG% %ACCESS_LOG_TYPE%",
	    "- TcpConnectionEnd");
	expect(&f, "%UPSTREAM_HOSTS_ATTEMPTED%", "-");
}

TEST(local_time_is_the_clock_on_the_wall)
{
	struct flow_record f = sample();

	EXPECT_EQ(setenv("TZ", "XST-3", 1), 0);
	tzset();
	expect(&f, "%START_TIME_LOCAL(%H:%M %z)%", "01:13 +0300");
	EXPECT_EQ(unsetenv("TZ"), 0);
	tzset();
}

TEST(what_is_no_operator_is_refused_in_words)
{
	static const struct {
		const char *text;
		const char *says;
	} rows[] = {
	    {"%NOTHING%", "%NOTHING% is no operator"},
	    {"%RESPONSE_CODES%", "did you mean \"RESPONSE_CODE\"?"},
	    {"%REQ%", "%REQ% is no operator"},
	    {"%PROTOCOL(x)%", "%PROTOCOL% is no operator"},
	    {"%PATH(XX)%", "%PATH% is no operator"},
	    {"%GRPC_STATUS(WORDS)%", "%GRPC_STATUS% is no operator"},
	    {"%COMMON_DURATION(NOW:THEN)%", "%COMMON_DURATION% is no operator"},
	    {"%REQ(x):0%", "%REQ% is no operator"},
	    {"%REQ(x):y%", "%REQ% is no operator"},
	    {"50% of it", "does not end"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault why = {0};
		bool inert;

		EXPECT_EQ(format_check(slice_str(rows[i].text), &inert, &why),
		    ERR_INVALID);
		if (strstr(why.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, why.text);
	}
}

TEST(what_only_envoy_knows_is_said_to_be_so)
{
	bool inert;

	EXPECT_OK(format_check(S("%DURATION% %CEL(a)%"), &inert, NULL));
	EXPECT_TRUE(inert);
	EXPECT_OK(format_check(S("100%% of %REQ(x?y):7%"), &inert, NULL));
	EXPECT_FALSE(inert);
}

TEST(a_header_has_no_operator_of_the_log)
{
	EXPECT_EQ(
	    operator_parse(S("DOWNSTREAM_PEER_URI_SAN"), OPERATOR_IN_HEADER).id,
	    OPERATOR_INERT);
	EXPECT_EQ(
	    operator_parse(S("DOWNSTREAM_PEER_URI_SAN"), OPERATOR_IN_LOG).id,
	    OPERATOR_PEER_URI);
}
