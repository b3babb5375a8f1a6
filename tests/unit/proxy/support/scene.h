/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — one listener, one service, and one connection of a client.
 */
#ifndef MESHD_TEST_SCENE_H
#define MESHD_TEST_SCENE_H

#include "rig.h"

struct scene {
	struct rig *rig;
	struct server server;
	struct wire client;
	struct reply reply; /* the last that scene_ask() read */
};

/* `yaml`: rules for the host "web", or NULL. */
struct scene *scene_new(server_fn fn, const char *text);
struct scene *scene_with(server_fn fn, const char *text, const char *yaml);
void scene_free(struct scene **sp);

/* A request whose answer is read into `out`, over a connection that stays. */
void ask(struct wire *w, const char *request, struct reply *out);

/* The same over the scene's own connection. */
void scene_ask(struct scene *s, const char *request);

/* A POST to "web" with a body of that many bytes, all 'x'. */
void wire_post(struct wire *w, size_t bytes);

bool body_has(const struct reply *r, const char *text);

/* Answers every head with the server's text. */
void serve_text(struct server *s, struct wire *w, unsigned n);

/* What a listener says first in HTTP/2: how many streams it takes at once. */
uint32_t wire_streams_announced(struct wire *w);

/* Takes requests and is silent until the other end is gone. */
void serve_silence(struct server *s, struct wire *w, unsigned n);

/* A GET of "/" at "web". */
#define GET_WEB "GET / HTTP/1.1\r\nHost: web\r\n\r\n"

#endif
