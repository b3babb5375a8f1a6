/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer — a client or a service that speaks HTTP/1.1 or HTTP/2, one exchange
 * after the other; and a proxy between two of them.
 *
 * Heads are texts as HTTP/1.1 has them. A service takes the version that it is
 * spoken to.
 */
#ifndef MESHD_TEST_PEER_H
#define MESHD_TEST_PEER_H

#include "h2.h"
#include "mesh.h"

/* One end of a connection. */
struct peer {
	struct wire *wire; /* borrowed */
	bool is_h2;
	bool chunked;                /* HTTP/1.1: the body that goes */
	struct h2 h2;                /* if it is */
	struct h2_stream *now;       /* of this exchange */
	unsigned earlies;            /* of it, seen */
	char method[16];             /* of the request that went */
	char request[WIRE_HEAD_MAX]; /* head of the one that came */
};

void peer_client(struct peer *p, struct wire *w, bool is_h2);
void peer_server(struct peer *p, struct wire *w);
void peer_fini(struct peer *p);

/*
 * A head, with "transfer-encoding: chunked" if the body has no length; then
 * the body, and its end, with trailers unless NULL. `end`: there is no body.
 */
void peer_head(struct peer *p, const char *head, bool end);
void peer_body(struct peer *p, struct slice bytes);
void peer_end(struct peer *p, const char *trailers);

/* Client: the next 1xx or response, whole or not. */
void peer_reply(struct peer *p, struct reply *out);

/* Server: the next request's head, then all of the rest; false: there is
 * none, or not all of it. */
bool peer_next(struct peer *p);
bool peer_rest(struct peer *p, struct buf *body, char trailers[1024]);

/* --- scripts of services --- */

/* Answers 200 with what it was asked: head, body, trailers. */
void serve_mirror(struct server *s, struct wire *w, unsigned n);

/* --- a proxy between them --- */

struct way {
	bool down2;  /* the client speaks HTTP/2 */
	bool up2;    /* the service does */
	bool tunnel; /* between them */
	bool web;    /* the service, of HTTP/2, says grpc-web */
};

struct duo {
	struct rig *rig; /* the client's */
	struct server *server;
	struct wire wire; /* of the client */
	struct peer client;
	struct reply reply; /* the last that duo_ask() read */
	struct mesh *mesh;
	struct server own;
};

/* `yaml`: rules for the host "web", or NULL. */
struct duo *duo_new(
    struct way way, server_fn fn, const char *text, const char *yaml);
void duo_free(struct duo **dp);

/* A request without a body, and its answer. */
void duo_ask(struct duo *d, const char *head);

/* The same with "hi" as the body of a POST. */
void duo_post(struct duo *d);

/* The client's next answer. */
void duo_read(struct duo *d);

/* The one rule for "web"; and that of which requests are tried again. */
#define WEB_RULE(rest)                                                         \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec:\n"                                                              \
	"  hosts: [web]\n"                                                     \
	"  http:\n"                                                            \
	"  - {" rest "}\n"
#define TO_WEB "route: [{destination: {host: web}}]"
#define RETRY(rest) WEB_RULE(TO_WEB ", retries: {" rest "}")

/* A test for each way, of a function that takes one; and for those only that
 * end at a service of HTTP/2. */
#define TEST_WAYS(name)                                                        \
	static void name(struct way way);                                      \
	TEST(name##_from_1_to_1)                                               \
	{                                                                      \
		name((struct way){0});                                         \
	}                                                                      \
	TEST(name##_from_2_to_1)                                               \
	{                                                                      \
		name((struct way){.down2 = true});                             \
	}                                                                      \
	TEST(name##_from_2_to_1_through_a_tunnel)                              \
	{                                                                      \
		name((struct way){.down2 = true, .tunnel = true});             \
	}                                                                      \
	TEST_WAYS_TO_2(name)

#define TEST_WAYS_TO_2(name)                                                   \
	static void name(struct way way);                                      \
	TEST(name##_from_1_to_2)                                               \
	{                                                                      \
		name((struct way){.up2 = true});                               \
	}                                                                      \
	TEST(name##_from_2_to_2)                                               \
	{                                                                      \
		name((struct way){.down2 = true, .up2 = true});                \
	}                                                                      \
	TEST(name##_from_1_to_2_through_a_tunnel)                              \
	{                                                                      \
		name((struct way){.up2 = true, .tunnel = true});               \
	}                                                                      \
	TEST(name##_from_2_to_2_through_a_tunnel)                              \
	{                                                                      \
		name(                                                          \
		    (struct way){.down2 = true, .up2 = true, .tunnel = true}); \
	}                                                                      \
	static void name(struct way way)

#endif
