/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept — connections to a service that may end at any time.
 */
#include "support/peer.h"
#include "support/scene.h"

#include "unit.h"

#include <unistd.h>

/* --- the end and the next request meet ------------------------------------ */

enum { CLIENTS = 4, REQUESTS_EACH = UNIT_SEEDS(25000), ANSWERS_MAX = 16 };

#define OK_ANSWER "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n"

/*
 * A few answers, then an end: with the last answer, or a reset or an end when
 * the next request is there.
 */
static void
serve_a_few(struct server *s, struct wire *w, unsigned n)
{
	struct rng rng;
	uint64_t answers, way;
	struct slice head;

	rng_init(&rng, n);
	answers = 1 + rng_below(&rng, ANSWERS_MAX);
	way = rng_below(&rng, 3);
	for (uint64_t i = 0; i < answers; i++) {
		if (!server_head(s, w, &head) || !wire_say(w, OK_ANSWER))
			return;
	}
	if (way > 0)
		(void)server_head(s, w, &head);
	if (way > 1)
		wire_reset(w);
}

struct client {
	struct addr at;
	pthread_t thread;
	unsigned good;
};

static void *
ask_often(void *arg)
{
	struct client *c = arg;
	struct wire w = wire_dial(&c->at);
	struct reply reply;

	for (int i = 0; i < REQUESTS_EACH; i++) {
		if (!wire_say(&w, GET_WEB))
			break;
		reply_read(&w, "GET", &reply);
		c->good += reply.status == 200;
		reply_fini(&reply);
	}
	wire_close(&w);
	return NULL;
}

TEST(of_100000_requests_none_fails_where_a_service_ends_connections_at_random)
{
	struct scene *s = scene_with(serve_a_few, NULL, RETRY("attempts: 0"));
	struct client clients[CLIENTS] = {0};

	for (int i = 0; i < CLIENTS; i++) {
		clients[i].at = rig_addr(s->rig, "web");
		CHECK(pthread_create(&clients[i].thread, NULL, ask_often,
			  &clients[i]) == 0);
	}
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		EXPECT_EQ(clients[i].good, REQUESTS_EACH);
	}
	/* They did end. */
	EXPECT_TRUE(atomic_load(&s->server.connections) >
		    CLIENTS * REQUESTS_EACH / ANSWERS_MAX);
	scene_free(&s);
}

/* --- all of them are dead ------------------------------------------------- */

enum { AT_ONCE = 5 };

/* The first ones wait for each other, and answer once. */
static void
serve_at_once(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	if (!server_head(s, w, &head))
		return;
	while (atomic_load(&s->requests) < AT_ONCE)
		(void)usleep(1000);
	(void)wire_say(w, OK_ANSWER);
	if (n < AT_ONCE && server_head(s, w, &head))
		wire_reset(w);
}

TEST(after_one_that_was_dead_no_other_kept_one_is_tried)
{
	struct scene *s = scene_with(serve_at_once, NULL, RETRY("attempts: 0"));
	struct addr at = rig_addr(s->rig, "web");
	struct wire clients[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++) {
		clients[i] = wire_dial(&at);
		EXPECT_TRUE(wire_say(&clients[i], GET_WEB));
	}
	for (int i = 0; i < AT_ONCE; i++) {
		reply_read(&clients[i], "GET", &s->reply);
		EXPECT_EQ(s->reply.status, 200);
		reply_fini(&s->reply);
		wire_close(&clients[i]);
	}
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(atomic_load(&s->server.requests), AT_ONCE + 2);
	EXPECT_EQ(atomic_load(&s->server.connections), AT_ONCE + 1);
	scene_free(&s);
}

/* --- many at once, again and again ---------------------------------------- */

enum { CROWD = 200, ROUNDS = 3 };

/* In each round the answers wait until all requests of it are here. */
static void
serve_crowd(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	for (unsigned round = 1; server_head(s, w, &head); round++) {
		while (atomic_load(&s->requests) < round * CROWD)
			(void)usleep(1000);
		if (!wire_say(w, OK_ANSWER))
			return;
	}
}

TEST(a_crowd_that_comes_again_finds_its_connections)
{
	struct scene *s = scene_new(serve_crowd, NULL);
	struct addr at = rig_addr(s->rig, "web");
	struct wire *clients = mem_new_array(CROWD, sizeof(*clients));

	for (int i = 0; i < CROWD; i++)
		clients[i] = wire_dial(&at);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < CROWD; i++)
			EXPECT_TRUE(wire_say(&clients[i], GET_WEB));
		for (int i = 0; i < CROWD; i++) {
			reply_read(&clients[i], "GET", &s->reply);
			EXPECT_EQ(s->reply.status, 200);
			reply_fini(&s->reply);
		}
	}
	EXPECT_EQ(atomic_load(&s->server.connections), CROWD);
	for (int i = 0; i < CROWD; i++)
		wire_close(&clients[i]);
	mem_free(&clients);
	scene_free(&s);
}

/* --- a service says how long it keeps them -------------------------------- */

/* Answers once, and counts that the other end went as a second request. */
static void
serve_until_left(struct server *s, struct wire *w, unsigned n)
{
	struct slice head;

	(void)n;
	if (server_head(s, w, &head) && wire_say(w, s->text) && wire_is_over(w))
		atomic_fetch_add(&s->requests, 1);
}

#define KEEP(value)                                                            \
	"HTTP/1.1 200 OK\r\nKeep-Alive: " value                                \
	"\r\nContent-Length: 3\r\n\r\nok\n"

TEST(a_connection_is_left_before_its_service_ends_it)
{
	static const char *const answers[] = {
	    KEEP("timeout=0"), KEEP("timeout=1"), KEEP("max=5, Timeout = 1")};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct scene *s = scene_new(serve_until_left, answers[i]);

		scene_ask(s, GET_WEB);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_TRUE(strstr(s->reply.head, "imeout") == NULL);
		RIG_UNTIL(s->rig, atomic_load(&s->server.requests) == 2);
		scene_free(&s);
	}
}

TEST(it_is_kept_where_a_service_does_not_say_so)
{
	static const char *const answers[] = {KEEP("max=5"),
	    KEEP("timeout=3600"), KEEP("timeout=soon"), KEEP("time=0"),
	    KEEP("timeout=99999999999999999999")};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct scene *s = scene_new(serve_text, answers[i]);

		scene_ask(s, GET_WEB);
		scene_ask(s, GET_WEB);
		EXPECT_EQ(s->reply.status, 200);
		EXPECT_EQ(atomic_load(&s->server.connections), 1);
		scene_free(&s);
	}
}
