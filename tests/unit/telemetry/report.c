/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report — what is logged, what is counted, and what a full log costs.
 */
#include "unit.h"

#include "telemetry.h"

#include <fcntl.h>
#include <unistd.h>

struct fixture {
	int pipe[2];
	struct telemetry *t;
	struct telemetry_writer *w;
	char text[8192];
};

static void
setup(struct fixture *f, bool log_success)
{
	struct telemetry_config c = {.log_success = log_success};

	EXPECT_EQ(pipe2(f->pipe, O_NONBLOCK), 0);
	c.fd = f->pipe[1];
	f->t = telemetry_new(&c);
	f->w = telemetry_writer_new(f->t);
}

static struct slice
logged(struct fixture *f)
{
	ssize_t n;

	telemetry_flush(f->w);
	n = read(f->pipe[0], f->text, sizeof(f->text));
	return slice_of(f->text, n > 0 ? (size_t)n : 0);
}

static void
teardown(struct fixture *f)
{
	telemetry_writer_free(&f->w);
	telemetry_free(&f->t);
	metrics_fini();
	close(f->pipe[0]);
	close(f->pipe[1]);
}

static bool
metrics_have(const char *text)
{
	AUTO(buf_fini) struct buf out = BUF(1 << 20);

	EXPECT_OK(metrics_render(&out));
	EXPECT_OK(buf_add_byte(&out, 0));
	return strstr(buf_slice(&out).ptr, text) != NULL;
}

TEST(failures_are_logged_and_successes_only_when_asked)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP, .status = 200};

	setup(&f, false);
	telemetry_report(f.w, &r);
	EXPECT_EQ(logged(&f).len, 0);
	r.status = 503;
	r.flag = FLOW_NO_ROUTE;
	telemetry_report(f.w, &r);
	EXPECT_TRUE(logged(&f).len > 0);
	telemetry_set_log_success(f.t, true);
	r.status = 200;
	r.flag = FLOW_OK;
	telemetry_report(f.w, &r);
	EXPECT_TRUE(logged(&f).len > 0);
	teardown(&f);
}

TEST(requests_are_counted_under_istios_names)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP,
	    .status = 404,
	    .series_key = 99,
	    .protocol = S("http"),
	    .duration_us = 7000,
	    .destination = {.service_name = S("reviews")}};

	setup(&f, false);
	telemetry_report(f.w, &r);
	telemetry_report(f.w, &r);
	r.status = 200;
	telemetry_report(f.w, &r);
	EXPECT_TRUE(metrics_have("destination_service_name=\"reviews\""));
	EXPECT_TRUE(metrics_have("response_code=\"404\"} 2"));
	EXPECT_TRUE(metrics_have("response_code=\"200\"} 1"));
	EXPECT_TRUE(metrics_have("istio_request_duration_milliseconds_bucket"));
	teardown(&f);
}

TEST(flows_without_a_key_are_told_apart_by_their_labels)
{
	struct fixture f;
	struct flow_record a = {.kind = FLOW_HTTP,
	    .status = 200,
	    .destination = {.service_name = S("alpha")}};
	struct flow_record b = a;

	b.destination.service_name = S("beta");
	setup(&f, false);
	telemetry_report(f.w, &a);
	telemetry_report(f.w, &b);
	EXPECT_TRUE(metrics_have("destination_service_name=\"alpha\""));
	EXPECT_TRUE(metrics_have("destination_service_name=\"beta\""));
	teardown(&f);
}

TEST(tcp_connections_count_opened_closed_and_bytes)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_TCP_OPENED, .protocol = S("tcp")};

	setup(&f, true);
	telemetry_report(f.w, &r);
	EXPECT_EQ(logged(&f).len, 0);
	r.kind = FLOW_TCP_CLOSED;
	r.bytes_received = 1234;
	telemetry_report(f.w, &r);
	EXPECT_TRUE(metrics_have("istio_tcp_connections_opened_total"));
	EXPECT_TRUE(metrics_have("istio_tcp_connections_closed_total"));
	EXPECT_TRUE(metrics_have(" 1234\n"));
	EXPECT_TRUE(logged(&f).len > 0);
	teardown(&f);
}

TEST(a_log_that_is_full_loses_lines_and_says_so)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP, .status = 500};

	setup(&f, true);
	for (int i = 0; i < 2000; i++)
		telemetry_report(f.w, &r);
	telemetry_flush(f.w);
	EXPECT_FALSE(metrics_have("meshd_access_log_dropped_total 0\n"));
	teardown(&f);
}
