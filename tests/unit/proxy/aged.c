/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aged — connections to a service that may become so old and no older.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <unistd.h>

enum { AGE_MS = 100 };

#define AGED(age)                                                              \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: web}\nspec:\n  host: web\n  trafficPolicy:\n"        \
	"    connectionPool: {tcp: {maxConnectionDuration: " age "}}\n"

static _Atomic unsigned ended;

/* The first answer of a connection takes longer than it may last. */
static void
serve_slowly(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	char trailers[1024];
	bool first = true;

	(void)n;
	peer_server(p, w);
	while (peer_next(p)) {
		AUTO(buf_fini) struct buf body = BUF(1024);

		atomic_fetch_add(&s->requests, 1);
		if (!peer_rest(p, &body, trailers))
			break;
		if (first)
			(void)usleep(2 * AGE_MS * 1000);
		first = false;
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		peer_end(p, NULL);
	}
	peer_fini(p);
	atomic_fetch_add(&ended, 1);
}

TEST_WAYS(a_connection_that_is_too_old_ends_with_its_request)
{
	struct duo *d = duo_new(way, serve_slowly, NULL, AGED("100ms"));

	atomic_store(&ended, 0);
	for (unsigned i = 1; i <= 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
		RIG_UNTIL(d->rig, atomic_load(&ended) == i);
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 2);
	EXPECT_EQ(atomic_load(&d->server->requests), 2);
	duo_free(&d);
}

TEST_WAYS(one_that_may_become_older_is_used_again)
{
	struct duo *d = duo_new(way, serve_slowly, NULL, AGED("1h"));

	for (int i = 0; i < 2; i++) {
		duo_ask(d, GET_WEB);
		EXPECT_EQ(d->reply.status, 200);
	}
	EXPECT_EQ(atomic_load(&d->server->connections), 1);
	duo_free(&d);
}

/* Answers, and sees the other end go. */
static void
serve_until_left(struct server *s, struct wire *w, unsigned n)
{
	serve_text(s, w, n);
	atomic_fetch_add(&ended, 1);
}

TEST(one_that_rests_ends_by_its_age)
{
	struct scene *s = scene_with(serve_until_left,
	    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n", AGED("100ms"));

	atomic_store(&ended, 0);
	scene_ask(s, GET_WEB);
	RIG_UNTIL(s->rig, atomic_load(&ended) == 1);
	scene_ask(s, GET_WEB);
	EXPECT_EQ(s->reply.status, 200);
	EXPECT_EQ(atomic_load(&s->server.connections), 2);
	scene_free(&s);
}

/* --- bytes --- */

/* Gives back what comes. */
static void
serve_back(struct server *s, struct wire *w, unsigned n)
{
	struct slice one;

	(void)s;
	(void)n;
	while (wire_take(w, 1, &one))
		wire_send(w, one);
	atomic_fetch_add(&ended, 1);
}

TEST(bytes_are_cut_at_that_age)
{
	struct server server;
	struct rig *rig = rig_web(serve_back, NULL, "tcp", &server);
	struct addr at = rig_addr(rig, "web");
	struct rig_record last;
	struct slice got;
	struct wire w;

	atomic_store(&ended, 0);
	rig_publish(rig, AGED("100ms"));
	w = wire_dial(&at);
	EXPECT_TRUE(wire_say(&w, "x"));
	EXPECT_TRUE(wire_take(&w, 1, &got));
	EXPECT_TRUE(wire_is_over(&w));
	RIG_UNTIL(rig, atomic_load(&ended) == 1);
	last = rig_record(rig, 1);
	EXPECT_EQ(last.kind, FLOW_TCP_CLOSED);
	EXPECT_EQ(last.flag, FLOW_TOO_OLD);
	EXPECT_EQ(last.received, 1);
	wire_close(&w);
	rig_free(&rig);
	server_close(&server);
}
