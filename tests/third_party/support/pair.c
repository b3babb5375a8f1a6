/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair — two ends of one TLS 1.3 connection, in memory, both authenticated.
 */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>

#include "unit.h"

static const int suites[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0};
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384, 0};
static const char *protocols[] = {"h2", NULL};

int
pair_random(void *arg, unsigned char *out, size_t len)
{
	(void)arg;
	return (int)psa_generate_random(out, len);
}

static void
make_key(mbedtls_pk_context *key, mbedtls_ecp_group_id curve)
{
	mbedtls_pk_init(key);
	EXPECT_EQ(
	    mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
	    0);
	EXPECT_EQ(
	    mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(*key), pair_random, NULL),
	    0);
}

/* A certificate for `subject`, signed by `issuer`, read back from its DER. */
static void
make_cert(mbedtls_x509_crt *out, const char *subject, mbedtls_pk_context *key,
    const char *issuer, mbedtls_pk_context *issuer_key, int is_ca)
{
	unsigned char der[4096], serial[] = {1};
	mbedtls_x509write_cert w;
	int n;

	mbedtls_x509write_crt_init(&w);
	mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&w, key);
	mbedtls_x509write_crt_set_issuer_key(&w, issuer_key);
	EXPECT_EQ(mbedtls_x509write_crt_set_subject_name(&w, subject), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_issuer_name(&w, issuer), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_serial_raw(&w, serial, 1), 0);
	EXPECT_EQ(mbedtls_x509write_crt_set_validity(
		      &w, "20200101000000", "20991231235959"),
	    0);
	EXPECT_EQ(
	    mbedtls_x509write_crt_set_basic_constraints(&w, is_ca, -1), 0);
	n = mbedtls_x509write_crt_der(&w, der, sizeof(der), pair_random, NULL);
	EXPECT_TRUE(n > 0);
	mbedtls_x509_crt_init(out);
	EXPECT_EQ(mbedtls_x509_crt_parse_der(
		      out, der + sizeof(der) - (size_t)n, (size_t)n),
	    0);
	mbedtls_x509write_crt_free(&w);
}

static void
end_init(struct pair *p, struct end *e, int role, const char *name)
{
	make_key(&e->key, MBEDTLS_ECP_DP_SECP256R1);
	make_cert(&e->cert, name, &e->key, "CN=root", &p->root_key, 0);
	mbedtls_ssl_config_init(&e->config);
	EXPECT_EQ(mbedtls_ssl_config_defaults(&e->config, role,
		      MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
	    0);
	mbedtls_ssl_conf_rng(&e->config, pair_random, NULL);
	mbedtls_ssl_conf_authmode(&e->config, MBEDTLS_SSL_VERIFY_REQUIRED);
	mbedtls_ssl_conf_ca_chain(&e->config, &p->root, NULL);
	EXPECT_EQ(mbedtls_ssl_conf_own_cert(&e->config, &e->cert, &e->key), 0);
	mbedtls_ssl_conf_ciphersuites(&e->config, suites);
	mbedtls_ssl_conf_groups(&e->config, groups);
	mbedtls_ssl_conf_sig_algs(&e->config, signatures);
	EXPECT_EQ(mbedtls_ssl_conf_alpn_protocols(&e->config, protocols), 0);
	mbedtls_ssl_init(&e->ssl);
}

static void
tickets_init(struct pair *p)
{
	mbedtls_ssl_ticket_init(&p->tickets);
	EXPECT_EQ(mbedtls_ssl_ticket_setup(&p->tickets, pair_random, NULL,
		      MBEDTLS_CIPHER_AES_256_GCM, /* lifetime, s */ 3600),
	    0);
	mbedtls_ssl_conf_session_tickets_cb(&p->server.config,
	    mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &p->tickets);
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
	    &p->client.config,
	    MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
}

void
pair_init(struct pair *p, mbedtls_ecp_group_id root_curve)
{
	memset(p, 0, sizeof(*p));
	EXPECT_EQ(psa_crypto_init(), PSA_SUCCESS);
	make_key(&p->root_key, root_curve);
	make_cert(&p->root, "CN=root", &p->root_key, "CN=root", &p->root_key,
	    /* is_ca */ 1);
	end_init(p, &p->client, MBEDTLS_SSL_IS_CLIENT, "CN=client");
	end_init(p, &p->server, MBEDTLS_SSL_IS_SERVER, "CN=server");
	p->client.in = p->server.out = &p->down;
	p->client.out = p->server.in = &p->up;
	tickets_init(p);
}

static void
end_fini(struct end *e)
{
	mbedtls_ssl_free(&e->ssl);
	mbedtls_ssl_config_free(&e->config);
	mbedtls_x509_crt_free(&e->cert);
	mbedtls_pk_free(&e->key);
}

void
pair_fini(struct pair *p)
{
	end_fini(&p->client);
	end_fini(&p->server);
	mbedtls_ssl_ticket_free(&p->tickets);
	mbedtls_x509_crt_free(&p->root);
	mbedtls_pk_free(&p->root_key);
}

static int
on_send(void *arg, const unsigned char *data, size_t len)
{
	struct pipe_bytes *b = ((struct end *)arg)->out;

	if (b->from == b->to)
		b->from = b->to = 0;
	if (len > PIPE_MAX - b->to)
		len = PIPE_MAX - b->to;
	if (b->stutter)
		len = rand() % 3 == 0 ? 1 + (size_t)rand() % len : 0;
	if (len == 0)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	memcpy(b->bytes + b->to, data, len);
	b->to += len;
	return (int)len;
}

static int
on_receive(void *arg, unsigned char *out, size_t len)
{
	struct pipe_bytes *b = ((struct end *)arg)->in;

	if (b->from == b->to)
		return MBEDTLS_ERR_SSL_WANT_READ;
	if (len > b->to - b->from)
		len = b->to - b->from;
	memcpy(out, b->bytes + b->from, len);
	b->from += len;
	return (int)len;
}

void
pair_end_open(struct end *e)
{
	mbedtls_ssl_free(&e->ssl);
	mbedtls_ssl_init(&e->ssl);
	e->in->from = e->in->to = 0;
	EXPECT_EQ(mbedtls_ssl_setup(&e->ssl, &e->config), 0);
	EXPECT_EQ(mbedtls_ssl_set_hostname(&e->ssl, NULL), 0);
	mbedtls_ssl_set_bio(&e->ssl, e, on_send, on_receive, NULL);
}

void
pair_open(struct pair *p, mbedtls_ssl_session *resume)
{
	pair_end_open(&p->client);
	pair_end_open(&p->server);
	if (resume != NULL)
		EXPECT_EQ(mbedtls_ssl_set_session(&p->client.ssl, resume), 0);
}

static bool
is_waiting(int ret)
{
	return ret == MBEDTLS_ERR_SSL_WANT_READ ||
	       ret == MBEDTLS_ERR_SSL_WANT_WRITE;
}

int
pair_shake_ends(struct end *client, struct end *server)
{
	int c = MBEDTLS_ERR_SSL_WANT_READ, s = MBEDTLS_ERR_SSL_WANT_READ;

	for (int i = 0; i < 1000 && (c != 0 || s != 0); i++) {
		if (c != 0)
			c = mbedtls_ssl_handshake(&client->ssl);
		if (s != 0)
			s = mbedtls_ssl_handshake(&server->ssl);
		if (c != 0 && !is_waiting(c))
			return c;
		if (s != 0 && !is_waiting(s))
			return s;
	}
	return c != 0 ? c : s;
}

int
pair_shake(struct pair *p)
{
	return pair_shake_ends(&p->client, &p->server);
}

bool
pair_pass(mbedtls_ssl_context *from, mbedtls_ssl_context *to,
    const unsigned char *data, size_t len)
{
	unsigned char got[PIPE_MAX];
	size_t n = 0;
	int ret;

	do
		ret = mbedtls_ssl_write(from, data, len);
	while (ret == MBEDTLS_ERR_SSL_WANT_WRITE);
	if (ret != (int)len)
		return false;
	while (n < len) {
		ret = mbedtls_ssl_read(to, got + n, sizeof(got) - n);
		if (ret <= 0)
			return false;
		n += (size_t)ret;
	}
	return memcmp(got, data, len) == 0;
}
