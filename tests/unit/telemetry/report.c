/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report — what is logged, what is counted, and what a full log costs.
 */
#include "unit.h"

#include "telemetry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The count of the requests' series with this text in it; 0: there is none. */
static unsigned long
requests_of(const char *text)
{
	AUTO(buf_fini) struct buf out = BUF(256 << 20);
	struct slice rest, line;

	EXPECT_OK(metrics_render(&out));
	rest = buf_slice(&out);
	while (rest.len > 0) {
		line = slice_split(&rest, '\n');
		if (slice_starts(line, S("istio_requests_total{")) &&
		    memmem(line.ptr, line.len, text, strlen(text)) != NULL)
			return strtoul(
			    line.ptr + slice_rfind(line, ' ') + 1, NULL, 10);
	}
	return 0;
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

TEST(a_copy_is_counted_as_no_request_and_logged_when_it_is_lost)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_COPY, .status = 500};

	setup(&f, true);
	telemetry_report(f.w, &r);
	EXPECT_EQ(logged(&f).len, 0);
	r.flag = FLOW_OVERFLOW;
	r.status = 0;
	for (int i = 0; i < 3; i++) {
		r.start_wall_ms = 1000000 + i * 900;
		telemetry_report(f.w, &r);
		EXPECT_EQ(logged(&f).len > 0, i != 1); /* one a second */
	}
	EXPECT_TRUE(metrics_have("meshd_mirrored_requests_total{"));
	EXPECT_FALSE(metrics_have("istio_requests_total{"));
	teardown(&f);
}

TEST(each_party_is_counted_under_its_own_labels)
{
	struct fixture f;
	struct flow_record a = {.kind = FLOW_HTTP,
	    .status = 200,
	    .destination = {.service_name = S("web"), .version = S("v1")}};
	struct flow_record b = a;

	b.destination.version = S("v2");
	flow_party_seal(&a.destination);
	flow_party_seal(&b.destination);
	setup(&f, false);
	telemetry_report(f.w, &a);
	telemetry_report(f.w, &b);
	telemetry_report(f.w, &b);
	EXPECT_EQ(requests_of("destination_version=\"v1\""), 1);
	EXPECT_EQ(requests_of("destination_version=\"v2\""), 2);
	teardown(&f);
}

/* Names from Istio's documents; `le` is the histogram's own. */
TEST(labels_and_buckets_are_istios)
{
	static const char *const labels[] = {"reporter", "source_workload",
	    "source_workload_namespace", "source_principal", "source_app",
	    "source_version", "source_cluster", "source_canonical_service",
	    "source_canonical_revision", "destination_workload",
	    "destination_workload_namespace", "destination_principal",
	    "destination_app", "destination_version", "destination_service",
	    "destination_service_name", "destination_service_namespace",
	    "destination_cluster", "destination_canonical_service",
	    "destination_canonical_revision", "request_protocol",
	    "response_flags", "connection_security_policy",
	    "grpc_response_status", "response_code"};
	static const char *const buckets[] = {"0.5", "1", "5", "10", "25", "50",
	    "100", "250", "500", "1000", "2500", "5000", "10000", "30000",
	    "60000", "300000", "600000", "1800000", "3600000", "+Inf"};
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP, .status = 200};
	char text[64];

	setup(&f, false);
	telemetry_report(f.w, &r);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		(void)snprintf(text, sizeof(text), "%s%s=\"",
		    i == 0 ? "istio_requests_total{" : ",", labels[i]);
		EXPECT_TRUE(metrics_have(text));
	}
	for (size_t i = 0; i < ARRAY_LEN(buckets); i++) {
		(void)snprintf(text, sizeof(text), ",le=\"%s\"}", buckets[i]);
		EXPECT_TRUE(metrics_have(text));
	}
	EXPECT_TRUE(metrics_have("istio_build{component=\"proxy\",tag=\""));
	teardown(&f);
}

/* Peers come and go for years: what is gone makes room for what is new. */
TEST(series_of_former_parties_make_room)
{
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP, .status = 200};
	char name[32];

	setup(&f, false);
	for (unsigned i = 0; i < METRIC_SERIES_MAX + 1000; i++) {
		(void)snprintf(name, sizeof(name), "svc-%u", i);
		r.destination.service_name = slice_str(name);
		flow_party_seal(&r.destination);
		telemetry_report(f.w, &r);
	}
	EXPECT_EQ(requests_of("destination_service_name=\"other\""), 0);
	EXPECT_EQ(requests_of(name), 1);
	teardown(&f);
}

/* What the port of metrics gives in one answer. */
TEST(a_full_table_can_still_be_read)
{
	AUTO(buf_fini) struct buf out = BUF(128 << 20);
	struct fixture f;
	struct flow_record r = {.kind = FLOW_HTTP, .status = 200};
	char host[128];

	setup(&f, false);
	r.source.identity = S("spiffe://mesh.internal/ns/shop/sa/frontend");
	flow_party_seal(&r.source);
	for (unsigned i = 0; i < METRIC_SERIES_MAX + 10; i++) {
		(void)snprintf(host, sizeof(host),
		    "a-service-with-a-long-name-%u.shop.svc.mesh.internal", i);
		r.destination.service = r.destination.identity =
		    r.destination.canonical_name = slice_str(host);
		flow_party_seal(&r.destination);
		telemetry_report(f.w, &r);
	}
	EXPECT_OK(metrics_render(&out));
	teardown(&f);
}

TEST(a_refused_connection_was_opened_and_closed)
{
	struct fixture f;
	struct flow_record r = {
	    .kind = FLOW_TCP_REFUSED, .flag = FLOW_NO_ROUTE};

	setup(&f, false);
	telemetry_report(f.w, &r);
	EXPECT_TRUE(logged(&f).len > 0);
	EXPECT_TRUE(metrics_have("istio_tcp_connections_opened_total{"));
	EXPECT_TRUE(metrics_have("istio_tcp_connections_closed_total{"));
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
