/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_storm — clients and services that do anything, at random, while views
 * change: every stream ends, and nothing is left.
 */
#include "peer.h"
#include "scene.h"
#include "unit.h"

#include <stdio.h>

enum { CLIENTS = 4, CONNS = 12, STREAMS_OF = 8, BODY = 100000, VIEWS = 40 };

static char body[BODY];

/* Answers, early or late, much or little; resets; says goodbye; leaves. */
static void
serve_anything(struct server *s, struct wire *w, unsigned n)
{
	AUTO(mem_free) struct peer *p = mem_new(sizeof(*p));
	struct rng rng;

	rng_init(&rng, n);
	peer_server(p, w);
	while (peer_next(p)) {
		uint64_t dice = rng_below(&rng, 10);

		atomic_fetch_add(&s->requests, 1);
		if (p->is_h2 && dice == 0) {
			h2_reset(&p->h2, p->now, H2_INTERNAL_ERROR);
			continue;
		}
		if (p->is_h2 && dice == 1)
			h2_goaway(&p->h2, p->now->id, H2_NO_ERROR);
		if (dice == 2)
			break;
		if (!p->is_h2 && strncmp(p->request, "POST", 4) == 0)
			break; /* one that reads no body */
		peer_head(p,
		    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
		    /* end */ false);
		if (p->is_h2 && dice == 3) {
			h2_reset(&p->h2, p->now, H2_CANCEL);
			continue;
		}
		if (p->is_h2)
			h2_data(&p->h2, p->now,
			    slice_of(body, dice == 4 ? BODY : 10), false);
		else
			peer_body(p, slice_of(body, dice == 4 ? BODY : 10));
		peer_end(p, dice & 1 ? "x-sum: 1\r\n" : NULL);
	}
	peer_fini(p);
}

static struct h2_stream *
begin_any(struct h2 *h, struct rng *rng)
{
	struct h2_stream *x;

	if (rng_below(rng, 2) == 0)
		return h2_request(h, GET_WEB, /* end */ true);
	x = h2_request(
	    h, "POST / HTTP/1.1\r\nHost: web\r\n\r\n", /* end */ false);
	h2_data(h, x, slice_of(body, rng_below(rng, BODY)),
	    /* end */ rng_below(rng, 3) > 0);
	if (!x->out_end || rng_below(rng, 4) == 0)
		h2_reset(h, x, H2_CANCEL);
	return x;
}

struct storm {
	struct addr at;
	unsigned seed;
	pthread_t thread;
	atomic_bool over;
};

/* A stream that never ends is one that a read waits for in vain. */
static void *
be_a_client(void *arg)
{
	struct storm *me = arg;
	AUTO(mem_free) struct h2 *h = mem_new(sizeof(*h));
	struct h2_stream *x[STREAMS_OF];
	struct rng rng;

	rng_init(&rng, me->seed);
	for (int i = 0; i < CONNS; i++) {
		struct wire w = wire_dial(&me->at);

		h2_client(h, &w, (struct h2_how){0});
		for (int k = 0; k < STREAMS_OF; k++)
			x[k] = begin_any(h, &rng);
		for (int k = 0; k < STREAMS_OF && rng_below(&rng, 20) > 0; k++)
			(void)h2_whole(h, x[k]);
		if (rng_below(&rng, 2) == 0)
			wire_reset(&w);
		else
			wire_close(&w);
		h2_fini(h);
	}
	atomic_store(&me->over, true);
	return NULL;
}

static bool
all_over(struct storm *storms)
{
	for (int i = 0; i < CLIENTS; i++)
		if (!atomic_load(&storms[i].over))
			return false;
	return true;
}

static void
storm(const char *protocol, unsigned seed)
{
	struct rig *r = rig_new(/* workers */ 2, /* hbone */ ADDR_NONE);
	struct storm storms[CLIENTS];
	struct server s;

	server_open(&s, ADDR_V4, serve_anything, NULL);
	rig_service(r, "web", protocol);
	rig_endpoint(r, "web", &s.addr, NULL);
	rig_listen(r, "web", ADDR_V4);
	rig_publish(r, NULL);
	for (unsigned i = 0; i < CLIENTS; i++) {
		storms[i] =
		    (struct storm){.at = rig_addr(r, "web"), .seed = seed + i};
		CHECK(pthread_create(&storms[i].thread, NULL, be_a_client,
			  &storms[i]) == 0);
	}
	for (int i = 0; i < VIEWS; i++)
		rig_publish(
		    r, i & 1 ? RETRY("attempts: 2, retryOn: 5xx") : NULL);
	RIG_UNTIL(r, all_over(storms));
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(storms[i].thread, NULL);
	RIG_UNTIL(r, (rig_list(r), r->conn_count == 0));
	EXPECT_TRUE(atomic_load(&s.requests) > CLIENTS * CONNS);
	rig_close(r, /* drain_us */ 5000000);
	server_close(&s);
	rig_free(&r);
}

TEST(every_stream_ends_in_a_storm_of_http2)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		storm("http2", 100 * seed);
}

TEST(every_stream_ends_in_a_storm_of_both_versions)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		storm("http", 100 * seed);
}
