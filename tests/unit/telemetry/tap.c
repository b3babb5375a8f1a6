/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap — which flows are shown, what is lost, and what is remembered.
 */
#include "unit.h"

#include "telemetry.h"

#include <stdio.h>

struct fixture {
	struct loop *loop;
	struct telemetry *t;
	struct telemetry_writer *w;
	struct telemetry_tap *tap;
	struct buf lines;
	size_t count;
};

static void
on_lines(void *arg, struct slice lines, size_t count)
{
	struct fixture *f = arg;

	EXPECT_OK(buf_add_slice(&f->lines, lines));
	f->count += count;
}

static void
setup(struct fixture *f)
{
	const struct telemetry_config c = {.fd = -1};

	*f = (struct fixture){.loop = loop_new(NULL)};
	buf_init(&f->lines, 64 << 20);
	f->t = telemetry_new(&c);
	f->w = telemetry_writer_new(f->t);
}

static void
tap(struct fixture *f, const char *service, const char *condition)
{
	const struct slice conditions[] = {slice_str(condition)};
	struct telemetry_tap_spec spec = {
	    .loop = f->loop, .on_lines = on_lines, .arg = f};

	EXPECT_OK(telemetry_query_new(slice_str(service), conditions,
	    condition[0] != 0, &spec.match, NULL));
	f->tap = telemetry_tap_new(&spec);
	telemetry_writer_tap(f->w, f->tap);
}

static void
untap(struct fixture *f)
{
	telemetry_writer_untap(f->w, f->tap);
	loop_settle(f->loop);
	telemetry_tap_free(&f->tap);
}

static void
teardown(struct fixture *f)
{
	telemetry_writer_free(&f->w);
	loop_settle(f->loop);
	telemetry_tap_free(&f->tap);
	telemetry_free(&f->t);
	buf_fini(&f->lines);
	loop_free(&f->loop);
	metrics_fini();
}

static struct flow_record
sample(void)
{
	return (struct flow_record){.kind = FLOW_HTTP,
	    .reporter = FLOW_SOURCE,
	    .status = 200,
	    .method = S("GET"),
	    .path = S("/x?y=1"),
	    .authority = S("web"),
	    .request_id = S("one"),
	    .duration_us = 1500,
	    .destination = {.service = S("web.default.svc.mesh.internal")}};
}

/* Reports it; whether it was shown. */
static bool
shows(struct fixture *f, const struct flow_record *r)
{
	size_t before = f->count;

	telemetry_report(f->w, r);
	telemetry_flush(f->w);
	loop_settle(f->loop);
	return f->count == before + 1;
}

TEST(what_matches_is_shown_as_a_line_of_json)
{
	struct fixture f;
	struct flow_record r = sample();

	setup(&f);
	tap(&f, "web.default.svc.mesh.internal", "");
	EXPECT_TRUE(shows(&f, &r));
	EXPECT_SLICE(buf_slice(&f.lines),
	    S("{\"time\":\"1970-01-01T00:00:00.000Z\",\"direction\":\"out\","
	      "\"kind\":\"http\",\"id\":\"one\",\"method\":\"GET\","
	      "\"authority\":\"web\",\"path\":\"/x?y=1\",\"bytesReceived\":0,"
	      "\"bytesSent\":0,\"status\":200,\"flag\":\"-\","
	      "\"details\":\"direct_response\","
	      "\"service\":\"web.default.svc.mesh.internal\",\"source\":{},"
	      "\"destination\":{},\"durationMs\":1.500}\n"));
	r.destination.service = S("other");
	EXPECT_FALSE(shows(&f, &r));
	untap(&f);
	teardown(&f);
}

TEST(conditions_are_asked_of_each)
{
	static const struct {
		const char *condition;
		bool holds;
	} rows[] = {
	    {"method=GET", true},
	    {"method=get", false},
	    {"method!=GET", false},
	    {"path=/x*", true},
	    {"path=*=1", true},
	    {"path=*y*", true},
	    {"path=/x", false},
	    {"path=*", true},
	    {"authority=web", true},
	    {"status=200", true},
	    {"status=2xx", true},
	    {"status=20*", true},
	    {"status=5xx", false},
	    {"status=2", false},
	    {"flag=-", true},
	    {"flag=UF", false},
	    {"route=", true},
	    {"route=a", false},
	    {"id=one", true},
	    {"direction=out", true},
	    {"direction=in", false},
	    {"kind=http", true},
	    {"kind=tcp", false},
	    {"duration>1ms", true},
	    {"duration>1.5ms", false},
	    {"header:user-agent=", true},
	    {"header:X-Request-Id=one", true},
	};
	struct fixture f;
	struct flow_record r = sample();

	setup(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tap(&f, "", rows[i].condition);
		if (shows(&f, &r) != rows[i].holds)
			fail_msg("%s", rows[i].condition);
		untap(&f);
	}
	teardown(&f);
}

TEST(one_of_several_flags_is_enough)
{
	struct fixture f;
	struct flow_record r = sample();

	r.flag = FLOW_CONNECT_FAILED;
	r.retries_spent = true;
	setup(&f);
	tap(&f, "", "flag=URX");
	EXPECT_TRUE(shows(&f, &r));
	untap(&f);
	tap(&f, "", "flag=UF,URX");
	EXPECT_FALSE(shows(&f, &r));
	untap(&f);
	teardown(&f);
}

TEST(what_is_no_condition_is_refused_in_words)
{
	static const char *const rows[] = {"", "method", "=", "verb=GET",
	    "status=abc", "direction=up", "kind=udp", "duration>x",
	    "duration=1s", "path>1", "header:=x"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct slice c = slice_str(rows[i]);
		struct telemetry_query *q = NULL;
		struct fault why = {0};

		EXPECT_EQ(
		    telemetry_query_new(S(""), &c, 1, &q, &why), ERR_INVALID);
		EXPECT_TRUE(why.text[0] != 0);
		EXPECT_TRUE(q == NULL);
	}
}

TEST(who_does_not_take_lines_loses_them_and_hears_how_many)
{
	struct fixture f;
	struct flow_record r = sample();
	uint64_t lost;

	setup(&f);
	tap(&f, "", "");
	for (int i = 0; i < 10000; i++) {
		telemetry_report(f.w, &r);
		telemetry_flush(f.w);
	}
	lost = telemetry_tap_take_lost(f.tap);
	EXPECT_TRUE(lost > 5000);
	EXPECT_EQ(telemetry_tap_take_lost(f.tap), 0);
	loop_settle(f.loop);
	EXPECT_EQ(f.count + lost, 10000);
	EXPECT_TRUE(buf_len(&f.lines) <= 256 << 10);
	EXPECT_TRUE(shows(&f, &r)); /* and then it goes on */
	untap(&f);
	teardown(&f);
}

TEST(after_it_is_closed_no_line_comes)
{
	struct fixture f;
	struct flow_record r = sample();

	setup(&f);
	tap(&f, "", "");
	telemetry_report(f.w, &r);
	telemetry_flush(f.w);
	telemetry_tap_close(f.tap);
	loop_settle(f.loop);
	EXPECT_EQ(f.count, 0);
	untap(&f);
	teardown(&f);
}

/* --- what is remembered --------------------------------------------------- */

static size_t
found(struct fixture *f, const char *id)
{
	size_t n = 0;

	buf_reset(&f->lines);
	EXPECT_OK(telemetry_writer_find(f->w, slice_str(id), &f->lines));
	for (size_t i = 0; i < buf_len(&f->lines); i++)
		n += buf_slice(&f->lines).ptr[i] == '\n';
	return n;
}

TEST(a_request_is_found_by_its_id_with_its_tries)
{
	const struct flow_try tries[] = {
	    {.flag = FLOW_CONNECT_FAILED, .at_us = 2000, .words = S("refused")},
	    {.status = 503, .at_us = 4000}};
	const struct origin from = {.words = S("somebody")};
	struct fixture f;
	struct flow_record r = sample();
	struct slice line;

	setup(&f);
	r.tries = tries;
	r.try_count = ARRAY_LEN(tries);
	r.origin = &from;
	r.flag = FLOW_NO_ENDPOINT;
	r.own = true;
	telemetry_report(f.w, &r);
	EXPECT_EQ(found(&f, "two"), 0);
	EXPECT_EQ(found(&f, "one"), 1);
	EXPECT_OK(buf_add_byte(&f.lines, 0));
	line = buf_slice(&f.lines);
	EXPECT_TRUE(
	    strstr(line.ptr, "\"tries\":[{\"endedMs\":2.000,\"flag\":\"UF\","
			     "\"reason\":\"refused\"},{\"endedMs\":4.000,"
			     "\"status\":503}]") != NULL);
	EXPECT_TRUE(strstr(line.ptr, "\"from\":\"somebody\"") != NULL);
	EXPECT_TRUE(
	    strstr(line.ptr,
		"\"proxyStatus\":\"meshd; error=destination_unavailable; "
		"details=\\u0022the destination has no healthy endpoint"
		"\\u0022\"") != NULL);
	teardown(&f);
}

TEST(what_failed_outlives_what_went_well)
{
	struct fixture f;
	struct flow_record good = sample(), bad = sample();

	setup(&f);
	bad.request_id = S("bad");
	bad.flag = FLOW_TIMEOUT;
	telemetry_report(f.w, &bad);
	for (int i = 0; i < 5000; i++)
		telemetry_report(f.w, &good);
	EXPECT_EQ(found(&f, "bad"), 1);
	EXPECT_EQ(found(&f, "one"), 256);
	for (int i = 0; i < 5000; i++)
		telemetry_report(f.w, &bad);
	EXPECT_EQ(found(&f, "bad"), 256);
	EXPECT_EQ(found(&f, "one"), 256);
	teardown(&f);
}

TEST(however_long_texts_are_they_fit)
{
	static char path[60000];
	struct fixture f;
	struct flow_record r = sample();

	memset(path, 'a', sizeof(path));
	setup(&f);
	r.path = slice_of(path, sizeof(path));
	r.authority = r.user_agent = r.forwarded_for = r.route = r.path;
	r.detail = r.cluster = r.sni = r.destination.identity = r.path;
	telemetry_report(f.w, &r);
	EXPECT_EQ(found(&f, "one"), 1);
	EXPECT_TRUE(buf_len(&f.lines) < 8192);
	teardown(&f);
}

/* --- what is added up ----------------------------------------------------- */

struct sums {
	struct telemetry_traffic web;
	size_t rows;
};

static void
sum(void *arg, const struct telemetry_traffic *t)
{
	struct sums *s = arg;

	s->rows++;
	if (slice_eq(t->service, S("web.default.svc.mesh.internal")) &&
	    t->is_out)
		s->web = *t;
}

TEST(traffic_is_added_up_by_service_and_direction)
{
	struct fixture f;
	struct flow_record r = sample();
	struct sums s = {0};

	setup(&f);
	flow_party_seal(&r.destination);
	telemetry_report(f.w, &r);
	r.status = 404;
	telemetry_report(f.w, &r);
	r.status = 503;
	telemetry_report(f.w, &r);
	r.status = 200;
	r.has_grpc = true;
	r.grpc = 14;
	telemetry_report(f.w, &r);
	r.reporter = FLOW_DESTINATION;
	telemetry_report(f.w, &r);
	EXPECT_OK(telemetry_each_traffic(sum, &s));
	EXPECT_EQ(s.rows, 2);
	EXPECT_EQ(s.web.requests, 4);
	EXPECT_EQ(s.web.errors, 2);
	EXPECT_EQ(s.web.buckets[2], 4); /* 1.5 ms: between 1 and 5 */
	EXPECT_EQ(s.web.connections, 0);
	r = (struct flow_record){
	    .kind = FLOW_TCP_OPENED, .destination = r.destination};
	telemetry_report(f.w, &r);
	r.kind = FLOW_TCP_CLOSED;
	r.bytes_received = 5;
	r.bytes_sent = 6;
	telemetry_report(f.w, &r);
	EXPECT_OK(telemetry_each_traffic(sum, &s));
	EXPECT_EQ(s.web.connections, 1);
	EXPECT_EQ(s.web.received, 5);
	EXPECT_EQ(s.web.sent, 6);
	EXPECT_EQ(s.web.requests, 4);
	teardown(&f);
}
