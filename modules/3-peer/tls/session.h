/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session — one TLS connection, as the files of this folder share it.
 */
#ifndef MESHD_TLS_SESSION_H
#define MESHD_TLS_SESSION_H

#include <mbedtls/ssl.h>

#include "verify.h"

struct tls_config {
	atomic_uint refs;
	mbedtls_ssl_config conf;
	struct tls_config_spec spec;
	const char *alpn[TLS_ALPN_MAX + 1]; /* NULL-ended for the library */
	struct resumables *resumables;      /* NULL: it resumes nothing */
	bool unverified; /* of tls_unverified_config() alone */
};

/* What only a handshake needs; freed when it is over. */
struct shake {
	struct list link; /* in its loop's queue, when out of budget */
	struct tls *owner;
	struct verify verify;
	struct expected expected;
	struct tls_pin pin;
	struct tls_trust *trust;
	struct tls_peer *known; /* who it is, if the handshake resumes */
	tls_pick_cb pick;
	void *pick_arg;
	/* A client's certificate can only hang on a configuration of its own,
	 * which is used in place of the shared one until the end. */
	bool has_own;
	mbedtls_ssl_config own;
};

struct tls {
	struct stream s; /* first */
	mbedtls_ssl_context ssl;
	struct tls_config *config;
	struct tls_identity *identity;
	struct shake *shake; /* NULL: over, or failed */
	struct tls_peer *peer;
	struct tls_chain *root;
	struct comeback *comeback; /* a client that waits for a ticket */
	char *sni;
	struct fault *fault;
	struct slice lent; /* what the layer below lends for this call */
	struct buf in;     /* ciphertext that could not be read yet */
	struct buf out;    /* plaintext that is not sealed yet */
	struct loop_later flush;
	struct loop_later later; /* reading goes on, or the handshake starts */
	struct timer timer;      /* of the handshake, then of closing */
	bool attached;           /* it has record buffers; see idle.c */
	bool below_full;         /* it said ERR_AGAIN */
	bool below_ended;        /* it will bring no more */
	bool notified;           /* our close_notify is on its way */
	bool resumed;            /* by a ticket: nobody showed a certificate */
};

/* --- config.c --- */

/* Fills a configuration of the library; its code, or 0. */
int config_set_up(const struct tls_config *c, mbedtls_ssl_config *conf);

/* A server's identity for the name in the ClientHello. False: there is none. */
bool config_choose_identity(struct tls *t);

/* --- stream.c --- */

/* Ends it: words, the code for on_close, and an alert if one was written. */
void tls_fail(struct tls *t, enum err e, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* The same with the library's code, or what verification found. */
void tls_fail_code(struct tls *t, int code);

/* --- shake.c --- */

/* Goes on as far as the bytes and this turn's budget reach. */
void shake_run(struct tls *t);
void shake_end(struct tls *t);

/* --- ticket.c --- */

/* The library's call-backs of a server with these tickets. */
void ticket_set_up(mbedtls_ssl_config *conf, struct tls_tickets *tickets);

/* Around each step of a handshake, whose call-backs are not told whose. */
void ticket_begin_step(struct tls *t);
void ticket_end_step(void);

/* --- resume.c --- */

struct resumables *resumables_new(void);
void resumables_free(struct resumables **rp);

/*
 * Offers the server of that name what it gave us last, and waits for what it
 * gives us this time. After the library's half is set up.
 */
void resume_begin(struct tls *t, struct slice server);
void comeback_free(struct comeback **cp);

/* A ticket has come. */
void resume_keep(struct tls *t);

/* --- record.c --- */

int record_send(void *arg, const unsigned char *bytes, size_t len);
int record_recv(void *arg, unsigned char *out, size_t len);

/* Reads what is there and hands it up. */
void record_read(struct tls *t);

/* Keeps what is left of the bytes lent for this call. */
void record_stash(struct tls *t);

/* True if something was received that is not handed up yet. */
bool record_waits(const struct tls *t);

/* Of the busier direction, under the keys in use. */
uint64_t record_count(const struct tls *t);

/* Seals what waits, and our end behind it if that was asked for. */
void record_flush(struct tls *t);

enum err record_writev(
    struct stream *s, const struct slice *parts, size_t count);

/* --- idle.c --- */

/* Around every use of the library: record buffers come and go. */
void idle_attach(struct tls *t);
void idle_detach(struct tls *t);

/* Frees this thread's spare buffers, before it ends by itself. For tests. */
void idle_drop_spares(void);

#endif
