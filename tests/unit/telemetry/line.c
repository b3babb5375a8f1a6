/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line — the access log's two forms, column by column.
 */
#include "unit.h"

#include "telemetry.h"

static struct flow_record
sample(void)
{
	struct flow_record r = {
	    .kind = FLOW_HTTP,
	    .status = 200,
	    .duration_us = 12345,
	    .upstream_us = 11000,
	    .protocol = S("http"),
	    .version = S("HTTP/1.1"),
	    .method = S("GET"),
	    .path = S("/x?y=1"),
	    .authority = S("reviews"),
	    .user_agent = S("curl/8"),
	    .bytes_received = 3,
	    .bytes_sent = 42,
	    .cluster = S("outbound|80||reviews.default.svc.mesh.internal"),
	    .route = S("default"),
	};

	EXPECT_OK(addr_parse(S("10.0.0.7:8080"), &r.upstream));
	EXPECT_OK(addr_parse(S("10.0.0.4:40000"), &r.upstream_local));
	EXPECT_OK(addr_parse(S("127.0.0.1:9000"), &r.downstream_local));
	EXPECT_OK(addr_parse(S("[::1]:5555"), &r.downstream_remote));
	return r;
}

/* A line as the setting says. */
static void
format(const struct flow_record *r, const char *setting, struct buf *out)
{
	AUTO(telemetry_lines_unref) struct telemetry_lines *lines = NULL;

	EXPECT_OK(telemetry_lines_parse(slice_str(setting), &lines, NULL));
	EXPECT_OK(telemetry_format_line(r, lines, out));
}

TEST(text_has_istios_columns_in_istios_order)
{
	AUTO(buf_fini) struct buf out = BUF(4096);
	struct flow_record r = sample();

	format(&r, "text", &out);
	EXPECT_SLICE(buf_slice(&out),
	    S("[1970-01-01T00:00:00.000Z] \"GET /x?y=1 HTTP/1.1\" 200 - "
	      "via_upstream - \"-\" 3 42 12 11 \"-\" \"curl/8\" \"-\" "
	      "\"reviews\" \"10.0.0.7:8080\" "
	      "outbound|80||reviews.default.svc.mesh.internal 10.0.0.4:40000 "
	      "127.0.0.1:9000 [::1]:5555 - default\n"));
}

TEST(json_has_istios_keys_and_null_for_what_is_missing)
{
	AUTO(buf_fini) struct buf out = BUF(4096);
	struct flow_record r = sample();

	r.user_agent = SLICE_NONE;
	format(&r, "json", &out);
	EXPECT_SLICE(buf_slice(&out),
	    S("{\"start_time\":\"1970-01-01T00:00:00.000Z\",\"method\":\"GET\","
	      "\"path\":\"/x?y=1\",\"protocol\":\"HTTP/1.1\","
	      "\"response_code\":200,\"response_flags\":\"-\","
	      "\"response_code_details\":\"via_upstream\","
	      "\"connection_termination_details\":null,"
	      "\"upstream_transport_failure_reason\":null,"
	      "\"bytes_received\":3,\"bytes_sent\":42,\"duration\":12,"
	      "\"upstream_service_time\":11,\"x_forwarded_for\":null,"
	      "\"user_agent\":null,\"request_id\":null,"
	      "\"authority\":\"reviews\",\"upstream_host\":\"10.0.0.7:8080\","
	      "\"upstream_cluster\":"
	      "\"outbound|80||reviews.default.svc.mesh.internal\","
	      "\"upstream_local_address\":\"10.0.0.4:40000\","
	      "\"downstream_local_address\":\"127.0.0.1:9000\","
	      "\"downstream_remote_address\":\"[::1]:5555\","
	      "\"requested_server_name\":null,\"route_name\":\"default\"}\n"));
}

TEST(a_refusal_says_why_in_words)
{
	AUTO(buf_fini) struct buf out = BUF(4096);
	struct flow_record r = sample();
	struct slice line;

	r.flag = FLOW_NO_ENDPOINT;
	r.status = 503;
	format(&r, "text", &out);
	line = buf_slice(&out);
	EXPECT_TRUE(memmem(line.ptr, line.len,
			S("503 UH destination_unavailable - "
			  "\"the destination has no healthy endpoint\"")
			    .ptr,
			S("503 UH destination_unavailable - "
			  "\"the destination has no healthy endpoint\"")
			    .len) != NULL);
}

static bool
line_has(const struct flow_record *r, const char *text)
{
	AUTO(buf_fini) struct buf out = BUF(4096);
	struct slice line;

	format(r, "text", &out);
	line = buf_slice(&out);
	return memmem(line.ptr, line.len, text, strlen(text)) != NULL;
}

TEST(bytes_that_nobody_looked_into_have_no_details)
{
	struct flow_record r = {.kind = FLOW_TCP_CLOSED};

	EXPECT_TRUE(line_has(&r, "\"- - -\" 0 - - - \"-\" 0 0 0 - "));
}

TEST(what_a_rule_answers_has_envoys_word)
{
	struct flow_record r = sample();

	r.upstream = (struct addr){.family = ADDR_NONE};
	r.status = 301;
	EXPECT_TRUE(line_has(&r, " 301 - direct_response "));
}

TEST(a_failure_that_only_grpc_tells_of_is_told)
{
	struct flow_record r = sample();

	r.has_grpc = true;
	EXPECT_FALSE(line_has(&r, "gRPC"));
	r.grpc = 5;
	EXPECT_TRUE(line_has(&r, " via_upstream - \"gRPC status 5\" "));
	r.detail = S("other words");
	EXPECT_TRUE(line_has(&r, " via_upstream - \"other words\" "));
}

TEST(retries_that_are_spent_have_envoys_letters)
{
	struct flow_record r = sample();

	r.retries_spent = true;
	EXPECT_TRUE(line_has(&r, " 200 URX via_upstream "));
	r.flag = FLOW_CONNECT_FAILED;
	EXPECT_TRUE(line_has(&r, " 200 UF,URX connection_refused "));
}

TEST(a_request_that_was_kept_back_has_envoys_letters_in_its_order)
{
	struct flow_record r = sample();

	r.delayed = true;
	EXPECT_TRUE(line_has(&r, " 200 DI via_upstream "));
	r.flag = FLOW_FAULT;
	EXPECT_TRUE(line_has(&r, " 200 DI,FI proxy_internal_response "));
	r.flag = FLOW_CONNECT_FAILED;
	r.retries_spent = true;
	EXPECT_TRUE(line_has(&r, " 200 UF,DI,URX connection_refused "));
}

TEST(a_peers_bytes_cannot_forge_a_line)
{
	AUTO(buf_fini) struct buf out = BUF(4096);
	struct flow_record r = sample();
	struct slice line;

	r.user_agent = S("a\"\n[2026-01-01] \\ \x7f");
	format(&r, "text", &out);
	line = buf_slice(&out);
	EXPECT_EQ(slice_find(line, '\n'), line.len - 1);
	EXPECT_TRUE(memmem(line.ptr, line.len, "a\\u0022\\u000a[", 14) != NULL);
}

TEST(a_line_that_does_not_fit_is_an_error)
{
	AUTO(buf_fini) struct buf out = BUF(20);
	AUTO(telemetry_lines_unref) struct telemetry_lines *lines = NULL;
	struct flow_record r = sample();

	EXPECT_OK(telemetry_lines_parse(S("text"), &lines, NULL));
	EXPECT_EQ(telemetry_format_line(&r, lines, &out), ERR_LIMIT);
}
