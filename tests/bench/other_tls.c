/* SPDX-License-Identifier: Apache-2.0 */
/*
 * other_tls — the same handshakes as handshakes.c, by the system's OpenSSL.
 */
#include "other_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { FLIGHTS_MAX = 10 };

static SSL_CTX *client_ctx, *server_ctx;
static SSL_SESSION *ticket; /* the last one; NULL: none */

static void
must(bool ok)
{
	if (ok)
		return;
	ERR_print_errors_fp(stderr);
	exit(EXIT_FAILURE);
}

static X509 *
read_cert(BIO *from)
{
	return PEM_read_bio_X509(from, NULL, NULL, NULL);
}

static void
use_chain(SSL_CTX *ctx, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *leaf = read_cert(in);
	X509 *next;

	must(leaf != NULL && SSL_CTX_use_certificate(ctx, leaf) == 1);
	X509_free(leaf);
	while ((next = read_cert(in)) != NULL)
		must(SSL_CTX_add0_chain_cert(ctx, next) == 1);
	ERR_clear_error(); /* the end of the text counts as one */
	BIO_free(in);
}

static void
use_key(SSL_CTX *ctx, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

	must(key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	EVP_PKEY_free(key);
	BIO_free(in);
}

static void
trust(SSL_CTX *ctx, const char *pem)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	X509 *root = read_cert(in);

	must(root != NULL &&
	     X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), root) == 1);
	X509_free(root);
	BIO_free(in);
}

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl; /* the only client */
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1; /* it is ours */
}

/* As our TLS has it: 1.3 only, X25519, AES-128-GCM first. */
static SSL_CTX *
ctx_new(const SSL_METHOD *method, const char *root, const char *chain,
    const char *key)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	int groups[] = {NID_X25519};

	must(ctx != NULL);
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
	must(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") == 1);
	must(SSL_CTX_set1_groups(ctx, groups, 1) == 1);
	must(SSL_CTX_set_session_id_context(
		 ctx, (const unsigned char *)"bench", 5) == 1);
	(void)SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	SSL_CTX_set_verify(
	    ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	use_chain(ctx, chain);
	use_key(ctx, key);
	trust(ctx, root);
	return ctx;
}

static void
init(const struct other_tls_spec *s)
{
	client_ctx = ctx_new(
	    TLS_client_method(), s->root, s->client_chain, s->client_key);
	server_ctx = ctx_new(
	    TLS_server_method(), s->root, s->server_chain, s->server_key);
}

/* True when this end has done its part. */
static bool
step(SSL *ssl)
{
	int ret = SSL_do_handshake(ssl);

	must(ret == 1 || SSL_get_error(ssl, ret) == SSL_ERROR_WANT_READ);
	return ret == 1;
}

static void
take_ticket(SSL *client)
{
	char none[1];
	int ret = SSL_read(client, none, sizeof(none));

	must(SSL_get_error(client, ret) == SSL_ERROR_WANT_READ);
	must(ticket != NULL);
}

static void
shake(bool resume)
{
	SSL *client = SSL_new(client_ctx);
	SSL *server = SSL_new(server_ctx);
	SSL_SESSION *known = resume ? ticket : NULL;
	bool done = false;
	BIO *a, *b;

	must(client != NULL && server != NULL);
	must(SSL_set_num_tickets(server, resume) == 1);
	must(known == NULL || SSL_set_session(client, known) == 1);
	must(BIO_new_bio_pair(&a, 1 << 16, &b, 1 << 16) == 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < FLIGHTS_MAX && !done; i++) {
		bool first = step(client);

		done = step(server) && first;
	}
	must(done && SSL_session_reused(server) == (known != NULL));
	if (resume)
		take_ticket(client);
	/* A connection that broke would take its session with it. */
	SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(client);
	SSL_free(server);
}

static const char *
version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

extern const struct other_tls other_tls;
const struct other_tls other_tls = {
    .version = version, .init = init, .shake = shake};
