/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — a service on loopback that answers as the test says, and policies
 * from their text.
 */
#ifndef MESHD_TEST_HEALTH_SCENE_H
#define MESHD_TEST_HEALTH_SCENE_H

#include "ask.h"
#include "http/http.h"
#include "net/net.h"

struct scene {
	struct clock_fake time;
	struct clock clock; /* moves when the test says so */
	struct loop *loop;
	struct net_factory *factory;
	struct net_listener *listener;
	struct http_server *http;
	enum http_proto proto;
	struct addr addr; /* where it listens */
	bool closed;
	unsigned asked;
	unsigned status;          /* that it answers */
	bool silent;              /* it does not */
	size_t body;              /* bytes of its answers */
	struct slice serving;     /* what gRPC's health answers; static */
	enum grpc_status refusal; /* not GRPC_OK: instead of it */
	char asked_for[64];       /* bytes of gRPC's question, in hex */
	struct http_exchange *kept;
	char path[64];  /* of the last request */
	char probe[64]; /* its header x-probe */
	/* What came of an ask. */
	unsigned told;
	bool is_good;
	char reason[HEALTH_REASON_MAX];
};

void scene_open(struct scene *s, enum http_proto proto);
void scene_close(struct scene *s);

/* Turns until the condition holds; ten seconds, and the test dies. */
#define UNTIL(scene, cond)                                                     \
	do {                                                                   \
		uint64_t until_ = clock_mono_us(&clock_system) + 10000000;     \
		while (!(cond)) {                                              \
			CHECK(clock_mono_us(&clock_system) < until_);          \
			loop_turn((scene)->loop, 5000);                        \
		}                                                              \
	} while (0)

/* A HealthCheckPolicy whose spec is this JSON. */
struct resource *policy(const char *spec);

/* Asks once; `told`, `is_good` and `reason` say what came of it. */
void scene_ask(struct scene *s, const char *spec);

/* The ask of that moment, not answered yet; for the caller to cancel. */
struct ask *scene_begin(struct scene *s, const struct resource *r);

#endif
