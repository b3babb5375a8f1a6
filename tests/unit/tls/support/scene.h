/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — a small mesh's certificates, and two ends of TLS in memory.
 */
#ifndef MESHD_TEST_TLS_SCENE_H
#define MESHD_TEST_TLS_SCENE_H

#include "tls/tls.h"

#define HOUR_MS INT64_C(3600000)
#define NOW_MS INT64_C(1790000000000) /* 2026-09-21 */

#define URI_WEB S("spiffe://mesh.internal/ns/default/sa/web")
#define URI_DB S("spiffe://mesh.internal/ns/default/sa/db")

/* An authority: root and intermediate, one key each. */
struct authority {
	struct tls_key *root_key;
	struct tls_key *key;
	struct tls_chain *root;
	struct tls_chain *chain; /* intermediate, then root */
};

void authority_init(struct authority *a, const char *name);
void authority_fini(struct authority *a);

/* A leaf as the mesh issues it; change it before leaf_new(). */
struct tls_cert_spec leaf_spec(struct slice uri);

/* Its identity: leaf, intermediate, and the root if asked. */
struct tls_identity *leaf_new(const struct authority *a,
    const struct tls_cert_spec *spec, bool with_root);

/* A chain of one certificate made by hand: DER that the caller changed. */
struct tls_trust *trust_new(const struct authority *a);

/* One end of a connection, as its owner sees it. */
struct end {
	struct stream *stream; /* NULL after on_close */
	bool opened;
	bool eof;
	bool closed;
	unsigned drained;
	enum err why;
	char words[FAULT_TEXT_MAX];
	struct buf got;
	bool echo_close; /* closes when the other end does */
};

/* What it said in the end has this in it. */
void expect_words(const struct end *e, const char *part);

struct scene {
	struct clock_fake time;
	struct clock clock;
	struct loop *loop;
	struct authority mesh;
	struct tls_trust *trust;
	struct stream *low[2]; /* below the client, below the server */
	struct end client;
	struct end server;
	struct tls_client_spec client_spec;
	struct tls_server_spec server_spec;
	struct tls_config_spec client_config;
	struct tls_config_spec server_config;
	struct slice expected;
};

/* web calls db; both as they should be. */
void scene_init(struct scene *s);
void scene_fini(struct scene *s);

/* Ends the connection; the next one has the same configurations. */
void scene_hang_up(struct scene *s);

/* Makes both ends from the specs over a pair with that chunk (0: none). */
void scene_connect(struct scene *s, size_t chunk);

/* Turns until nothing happens any more, at most `turns`. */
void scene_run(struct scene *s, unsigned turns);

/* Connects and runs; then both are open, or closed with a reason. */
void scene_shake(struct scene *s, size_t chunk);

extern const struct stream_events end_events;

#endif
