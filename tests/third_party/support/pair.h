/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — two ends of one TLS 1.3 connection, in memory, both authenticated.
 */
#ifndef MESHD_PAIR_H
#define MESHD_PAIR_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <stdbool.h>

enum { PIPE_MAX = 1 << 16 };

/* One direction. `stutter`: takes some bytes or none, by chance. */
struct pipe_bytes {
	unsigned char bytes[PIPE_MAX];
	size_t from, to;
	bool stutter;
};

struct end {
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_x509_crt cert;
	mbedtls_pk_context key;
	struct pipe_bytes *in, *out;
};

struct pair {
	mbedtls_x509_crt root;
	mbedtls_pk_context root_key;
	struct end client, server;
	struct pipe_bytes up, down;
	mbedtls_ssl_ticket_context tickets;
};

/* Keys, certificates and settings. The root's curve; leaves are on P-256. */
void pair_init(struct pair *p, mbedtls_ecp_group_id root_curve);
void pair_fini(struct pair *p);

/* A fresh connection; ends the one before. `resume` may be NULL. */
void pair_open(struct pair *p, mbedtls_ssl_session *resume);

/* The same for one end, which may be of another pair. */
void pair_end_open(struct end *e);

/* Both handshakes to the end; the first error, or 0. */
int pair_shake(struct pair *p);
int pair_shake_ends(struct end *client, struct end *server);

/* Writes all of it on one end and reads it at the other; false on an error. */
bool pair_pass(mbedtls_ssl_context *from, mbedtls_ssl_context *to,
    const unsigned char *data, size_t len);

/* What mbedTLS calls for chance. */
int pair_random(void *arg, unsigned char *out, size_t len);

#endif
