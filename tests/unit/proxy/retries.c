/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retries — what becomes of a request whose endpoint fails.
 */
#include "http/retry.h"
#include "scene.h"
#include "unit.h"

#include <sys/resource.h>
#include <unistd.h>

/* Rules for "web" with what follows the route's destination. */
#define RULE(rest)                                                             \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec:\n"                                                              \
	"  hosts: [web]\n"                                                     \
	"  http:\n"                                                            \
	"  - route: [{destination: {host: web}}]\n" rest
#define RETRY(rest) RULE("    retries: {" rest "}\n")

/* Two endpoints of "web"; the first takes nothing, or is `first`. */
struct pair {
	struct rig *rig;
	struct server first;
	struct server second;
};

static struct pair *
pair_new(server_fn first, const char *text, const char *yaml)
{
	struct pair *p = mem_new(sizeof(*p));

	p->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&p->first, ADDR_V4, first, text);
	server_open(&p->second, ADDR_V4, serve_ok, NULL);
	rig_service(p->rig, "web", "http");
	rig_endpoint(p->rig, "web", &p->first.addr, NULL);
	rig_endpoint(p->rig, "web", &p->second.addr, NULL);
	rig_listen(p->rig, "web", ADDR_V4);
	rig_publish(p->rig, yaml);
	return p;
}

static void
pair_free(struct pair **pp)
{
	rig_free(&(*pp)->rig);
	server_close(&(*pp)->first);
	server_close(&(*pp)->second);
	mem_free(pp);
}

/* One request over its own connection; out of `how`, each CRLF by hand. */
static int
status_of(struct rig *r, const char *request)
{
	AUTO(mem_free) struct reply *reply = mem_new(sizeof(*reply));
	struct addr at = rig_addr(r, "web");
	struct wire w = wire_dial(&at);
	int status;

	ask(&w, request, reply);
	status = reply->status;
	wire_close(&w);
	reply_fini(reply);
	return status;
}

/* --- nobody there --- */

TEST(a_connection_that_fails_goes_to_another_endpoint)
{
	struct pair *p = pair_new(serve_ok, NULL, NULL);

	server_refuse(&p->first);
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(status_of(p->rig, GET_WEB), 200);
	EXPECT_EQ(atomic_load(&p->second.requests), 20);
	pair_free(&p);
}

/* Avoided after its first failure: the others are not tried there first. */
TEST(an_endpoint_that_failed_is_left_alone_for_a_while)
{
	struct pair *p = pair_new(serve_ok, NULL, NULL);
	unsigned tries = 0;

	server_refuse(&p->first);
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(status_of(p->rig, GET_WEB), 200);
		tries += rig_record(p->rig, (size_t)i).attempts;
	}
	EXPECT_TRUE(tries <= 22);
	pair_free(&p);
}

/* Suspicion alone never empties a service. */
TEST(endpoints_that_all_failed_are_tried_all_the_same)
{
	struct scene *s = scene_with(serve_ok, NULL, RETRY("attempts: 0"));
	struct addr away = closed_port(ADDR_V4);
	struct addr here = s->server.addr;

	s->rig->endpoints[0].addr = away;
	rig_publish(s->rig, RETRY("attempts: 0"));
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_CONNECT_FAILED);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 1);
	EXPECT_TRUE(strstr(s->reply.head, "proxy-status: meshd; ") != NULL);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_CONNECT_FAILED);
	s->rig->endpoints[0].addr = here;
	rig_publish(s->rig, NULL);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(strstr(s->reply.head, "proxy-status") == NULL);
	scene_free(&s);
}

/* Says 503 to the first, then what it got. */
static void
serve_second(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (atomic_load(&s->requests) == 0 && server_head(s, w, &head))
		wire_say(w, "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
	serve_echo(s, w, n);
}

TEST(a_service_is_told_of_further_tries)
{
	struct scene *s = scene_with(serve_second, NULL,
	    RULE("    timeout: 9s\n    retries: {attempts: 1, retryOn: '503', "
		 "backoff: 40ms}\n"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_TRUE(body_has(&s->reply, "x-envoy-attempt-count: 2\r\n"));
	EXPECT_TRUE(body_has(&s->reply, "x-envoy-expected-rq-timeout-ms: "));
	scene_free(&s);
}

TEST(tries_are_bounded_by_the_policy)
{
	struct scene *s = scene_with(
	    serve_ok, NULL, RETRY("attempts: 3, retryOn: connect-failure"));

	server_refuse(&s->server);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 4);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_CONNECT_FAILED);
	EXPECT_TRUE(rig_record(s->rig, 0).retries_spent);
	EXPECT_STR(rig_record(s->rig, 0).detail,
	    "no connection to the endpoint: connection refused");
	scene_free(&s);
}

TEST(without_descriptors_it_is_our_limit_and_not_the_endpoints_fault)
{
	struct scene *s =
	    scene_new(serve_text, "HTTP/1.1 200 OK\r\nconnection: close\r\n"
				  "content-length: 2\r\n\r\nok");
	struct rlimit old, none;

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_OVERFLOW);
	scene_free(&s);
}

TEST(what_the_policy_does_not_retry_is_no_spent_retry)
{
	struct scene *s = scene_with(serve_ok, NULL, RETRY("attempts: 0"));

	server_refuse(&s->server);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 1);
	EXPECT_FALSE(rig_record(s->rig, 0).retries_spent);
	scene_free(&s);
}

TEST(a_service_without_a_usable_endpoint_is_503_uh)
{
	struct scene *s = scene_new(serve_ok, NULL);

	s->rig->endpoints[0].weight = 0;
	rig_publish(s->rig, NULL);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_NO_ENDPOINT);
	EXPECT_TRUE(head_has(s->reply.head,
	    "proxy-status: meshd; error=destination_unavailable; "
	    "details=\"the destination has no healthy endpoint\""));
	scene_free(&s);
}

TEST(a_request_that_no_rule_takes_is_404_nr)
{
	struct scene *s = scene_with(
	    serve_ok, NULL, RULE("    match: [{uri: {prefix: /only}}]\n"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 404);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_NO_ROUTE);
	EXPECT_TRUE(strstr(s->reply.head, "proxy-status: meshd; ") != NULL);
	scene_ask(s, "GET /only HTTP/1.1\r\nHost: web\r\n\r\n");
	EXPECT_EQ(s->reply.status, 200);
	scene_free(&s);
}

/* A node that refuses a tunnel's stream has looked at nothing of it. */
TEST(a_refused_stream_is_tried_again_by_either_name)
{
	struct view_retry policy = {.on = VIEW_RETRY_REFUSED_STREAM};

	EXPECT_TRUE(retry_is_wanted(&policy, RETRY_REFUSED, 0));
	EXPECT_FALSE(retry_is_wanted(&policy, RETRY_CONNECT, 0));
	EXPECT_FALSE(retry_is_wanted(&policy, RETRY_RESET, 0));
	policy.on = VIEW_RETRY_CONNECT_FAILURE;
	EXPECT_TRUE(retry_is_wanted(&policy, RETRY_REFUSED, 0));
	EXPECT_TRUE(retry_is_wanted(&policy, RETRY_CONNECT, 0));
}

TEST(the_pause_grows_from_the_policys_base_to_ten_times_of_it)
{
	struct view_retry usual = {.backoff_us = 0}, own = {.backoff_us = 1000};
	uint64_t most[2][4] = {{0}};
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < 2000; i++)
		for (unsigned n = 1; n <= 4; n++) {
			uint64_t a = retry_backoff_us(&usual, n, &rng);
			uint64_t b = retry_backoff_us(&own, n, &rng);

			most[0][n - 1] = MAX(most[0][n - 1], a);
			most[1][n - 1] = MAX(most[1][n - 1], b);
		}
	for (int i = 0; i < 4; i++) {
		static const uint64_t times[] = {1, 3, 7, 10};

		EXPECT_TRUE(most[0][i] < times[i] * 25000);
		EXPECT_TRUE(most[0][i] > times[i] * 24000);
		EXPECT_TRUE(most[1][i] < times[i] * 1000);
		EXPECT_TRUE(most[1][i] > times[i] * 960);
	}
}

/* --- it breaks --- */

static void
serve_break(struct server *s, struct wire *w, unsigned n)
{
	AUTO(buf_fini) struct buf body = BUF(1 << 20);
	struct slice head;

	(void)n;
	if (server_head(s, w, &head))
		(void)server_body(w, head, &body);
}

TEST(a_reset_is_tried_again_only_when_the_policy_says_so)
{
	struct scene *s = scene_new(serve_break, NULL);
	struct pair *p;

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_UPSTREAM_CLOSED);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 1);
	scene_free(&s);
	p = pair_new(serve_break, NULL, RETRY("attempts: 2, retryOn: reset"));
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(status_of(p->rig, GET_WEB), 200);
	EXPECT_TRUE(atomic_load(&p->first.requests) <= 2);
	pair_free(&p);
}

TEST(a_body_is_sent_again_with_the_request)
{
	struct pair *p =
	    pair_new(serve_break, NULL, RETRY("attempts: 2, retryOn: reset"));

	p->second.text = "still ok\n";
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(status_of(p->rig, "POST / HTTP/1.1\r\nHost: web\r\n"
					    "Content-Length: 5\r\n\r\nhello"),
		    200);
	EXPECT_EQ(atomic_load(&p->second.requests), 4);
	pair_free(&p);
}

TEST(a_status_that_the_policy_names_goes_to_another_endpoint)
{
	struct pair *p = pair_new(serve_text,
	    "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
	    RETRY("attempts: 2, retryOn: 5xx"));

	for (int i = 0; i < 10; i++)
		EXPECT_EQ(status_of(p->rig, GET_WEB), 200);
	EXPECT_TRUE(atomic_load(&p->first.requests) > 0);
	EXPECT_EQ(atomic_load(&p->second.requests), 10);
	pair_free(&p);
}

TEST(a_status_that_stays_is_the_servers_own_in_the_end)
{
	struct scene *s = scene_with(serve_text,
	    "HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno",
	    RETRY("attempts: 2, retryOn: 5xx"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_SLICE(buf_slice(&s->reply.body), S("no"));
	EXPECT_TRUE(strstr(s->reply.head, "proxy-status") == NULL);
	EXPECT_EQ(atomic_load(&s->server.requests), 3);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 3);
	EXPECT_TRUE(rig_record(s->rig, 0).retries_spent);
	scene_free(&s);
}

/* --- a kept connection that is dead --- */

/* Answers once; the second request finds the connection reset. */
static void
serve_once(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (!server_head(s, w, &head))
		return;
	wire_say(w, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n");
	(void)server_head(s, w, &head);
}

TEST(a_get_on_a_dead_kept_connection_is_sent_again)
{
	struct scene *s = scene_with(serve_once, NULL, RETRY("attempts: 0"));

	for (int i = 0; i < 4; i++) {
		scene_ask(s, GET_WEB);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(rig_record(s->rig, (size_t)i).attempts, 1);
	}
	EXPECT_EQ(atomic_load(&s->server.connections), 4);
	scene_free(&s);
}

TEST(a_post_on_a_dead_kept_connection_is_not)
{
	struct scene *s = scene_with(serve_once, NULL, RETRY("attempts: 0"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	scene_ask(s, "POST / HTTP/1.1\r\nHost: web\r\n"
		     "Content-Length: 0\r\n\r\n");
	EXPECT_EQ(s->reply.status, 503);
	EXPECT_EQ(rig_record(s->rig, 1).flag, FLOW_UPSTREAM_CLOSED);
	scene_free(&s);
}

/* --- it is slow --- */

TEST(an_answer_that_does_not_come_in_time_is_504_ut)
{
	struct scene *s =
	    scene_with(serve_silence, NULL, RULE("    timeout: 50ms\n"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 504);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_TIMEOUT);
	EXPECT_TRUE(
	    strstr(s->reply.head,
		"proxy-status: meshd; error=http_response_timeout") != NULL);
	EXPECT_EQ(atomic_load(&s->server.requests), 1);
	scene_free(&s);
}

TEST(a_try_that_takes_too_long_goes_to_another_endpoint)
{
	struct pair *p = pair_new(serve_silence, NULL,
	    RETRY("attempts: 2, perTryTimeout: 50ms, retryOn: 5xx"));

	for (int i = 0; i < 4; i++)
		EXPECT_EQ(status_of(p->rig, GET_WEB), 200);
	EXPECT_EQ(atomic_load(&p->second.requests), 4);
	pair_free(&p);
}

TEST(tries_that_all_take_too_long_are_504_ut)
{
	struct scene *s = scene_with(serve_silence, NULL,
	    RETRY("attempts: 1, perTryTimeout: 30ms, retryOn: 5xx"));

	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 504);
	EXPECT_EQ(rig_record(s->rig, 0).flag, FLOW_TIMEOUT);
	EXPECT_EQ(rig_record(s->rig, 0).attempts, 2);
	scene_free(&s);
}
