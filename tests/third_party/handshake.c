/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake — TLS 1.3 over the built mbedTLS, with hooks and patches in use.
 */
#include "pair.h"
#include "unit.h"

#include <stdlib.h>

enum { MESSAGES = 2000, MESSAGE_MAX = 3000, KEY_UPDATES_MAX = 32 };

static struct pair p; /* large: two pipes of 64 KiB */

static void
fill(unsigned char *data, size_t len, int salt)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (unsigned char)(i + (size_t)salt);
}

/* Two opened ends, and a word each way. */
static void
connect_both(mbedtls_ecp_group_id root_curve)
{
	const unsigned char *word = (const unsigned char *)"word";

	pair_init(&p, root_curve);
	pair_open(&p, NULL);
	EXPECT_EQ(pair_shake(&p), 0);
	EXPECT_TRUE(pair_pass(&p.client.ssl, &p.server.ssl, word, 4));
}

/* Reads until the ticket is there; `out` is initialised. */
static void
take_ticket(mbedtls_ssl_session *out)
{
	unsigned char b[16];
	int ret = MBEDTLS_ERR_SSL_WANT_READ;

	/* The first read says WANT_READ although the ticket has come. */
	for (int i = 0; i < 4 && ret == MBEDTLS_ERR_SSL_WANT_READ; i++)
		ret = mbedtls_ssl_read(&p.client.ssl, b, sizeof(b));
	EXPECT_EQ(ret, MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	EXPECT_EQ(mbedtls_ssl_get_session(&p.client.ssl, out), 0);
}

TEST(two_ends_with_certificates_agree_on_aes_gcm_and_alpn)
{
	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	EXPECT_EQ(mbedtls_ssl_get_version_number(&p.server.ssl),
	    MBEDTLS_SSL_VERSION_TLS1_3);
	EXPECT_STR(mbedtls_ssl_get_ciphersuite(&p.server.ssl),
	    "TLS1-3-AES-256-GCM-SHA384");
	EXPECT_STR(mbedtls_ssl_get_alpn_protocol(&p.server.ssl), "h2");
	EXPECT_TRUE(mbedtls_ssl_get_peer_cert(&p.server.ssl) != NULL);
	EXPECT_TRUE(mbedtls_ssl_get_peer_cert(&p.client.ssl) != NULL);
	pair_fini(&p);
}

TEST(a_root_on_p384_is_verified_by_mbedtls_own_code)
{
	connect_both(MBEDTLS_ECP_DP_SECP384R1);
	pair_fini(&p);
}

TEST(a_client_of_another_root_is_refused_even_after_a_good_one)
{
	static struct pair other;
	struct end *client = &other.client;

	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	/* The same names under another key: the memo must not help it. */
	pair_init(&other, MBEDTLS_ECP_DP_SECP256R1);
	mbedtls_ssl_conf_ca_chain(&client->config, &p.root, NULL);
	client->in = p.client.in;
	client->out = p.client.out;
	pair_open(&p, NULL);
	pair_end_open(client);
	EXPECT_EQ(pair_shake_ends(client, &p.server),
	    MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
	pair_fini(&other);
	pair_fini(&p);
}

TEST(a_ticket_resumes_without_a_certificate)
{
	mbedtls_ssl_session session;

	mbedtls_ssl_session_init(&session);
	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	take_ticket(&session);
	pair_open(&p, &session);
	EXPECT_EQ(pair_shake(&p), 0);
	EXPECT_TRUE(mbedtls_ssl_get_peer_cert(&p.server.ssl) == NULL);
	mbedtls_ssl_session_free(&session);
	pair_fini(&p);
}

TEST(keys_move_on_under_load_with_writes_that_block)
{
	unsigned char data[MESSAGE_MAX];

	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	p.up.stutter = p.down.stutter = true;
	for (int i = 0; i < MESSAGES; i++) {
		bool up = rand() % 2;
		mbedtls_ssl_context *from = up ? &p.client.ssl : &p.server.ssl;
		mbedtls_ssl_context *to = up ? &p.server.ssl : &p.client.ssl;
		size_t len = 1 + (size_t)rand() % sizeof(data);

		if (i > 0 && rand() % 4 == 0)
			EXPECT_EQ(mbedtls_ssl_send_key_update(from, i % 2), 0);
		/* The client's first read is its ticket. */
		if (!up && i < 2)
			continue;
		fill(data, len, i);
		if (i == 2) {
			mbedtls_ssl_session s;

			mbedtls_ssl_session_init(&s);
			take_ticket(&s);
			mbedtls_ssl_session_free(&s);
		}
		EXPECT_TRUE(pair_pass(from, to, data, len));
	}
	pair_fini(&p);
}

TEST(a_flood_of_key_updates_ends_the_connection)
{
	unsigned char b[16];
	int ret = MBEDTLS_ERR_SSL_WANT_READ, i;

	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	for (i = 0; i <= KEY_UPDATES_MAX; i++) {
		EXPECT_EQ(ret, MBEDTLS_ERR_SSL_WANT_READ);
		EXPECT_EQ(mbedtls_ssl_send_key_update(&p.client.ssl, 0), 0);
		EXPECT_EQ(mbedtls_ssl_write(&p.client.ssl, b, 0), 0);
		do
			ret = mbedtls_ssl_read(&p.server.ssl, b, sizeof(b));
		while (
		    ret == MBEDTLS_ERR_SSL_WANT_READ && p.up.from != p.up.to);
	}
	EXPECT_EQ(ret, MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE);
	pair_fini(&p);
}

/* Lends one pair of buffers for one message, and takes it back. */
static bool
pass_lent(mbedtls_ssl_context *from, mbedtls_ssl_context *to,
    const unsigned char *data, size_t len, unsigned char *lent[4])
{
	bool passed;

	mbedtls_ssl_attach_buffers(from, lent[0], lent[1]);
	mbedtls_ssl_attach_buffers(to, lent[2], lent[3]);
	passed = pair_pass(from, to, data, len);
	return passed &&
	       mbedtls_ssl_detach_buffers(from, &lent[0], &lent[1]) == 0 &&
	       mbedtls_ssl_detach_buffers(to, &lent[2], &lent[3]) == 0;
}

TEST(buffers_come_and_go_between_messages)
{
	unsigned char data[MESSAGE_MAX], *lent[4];
	mbedtls_ssl_session session;

	mbedtls_ssl_session_init(&session);
	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	take_ticket(&session);
	mbedtls_ssl_session_free(&session);
	mbedtls_ssl_drop_peer_cert(&p.client.ssl);
	EXPECT_TRUE(mbedtls_ssl_get_peer_cert(&p.client.ssl) == NULL);
	EXPECT_EQ(
	    mbedtls_ssl_detach_buffers(&p.client.ssl, &lent[0], &lent[1]), 0);
	EXPECT_EQ(
	    mbedtls_ssl_detach_buffers(&p.server.ssl, &lent[2], &lent[3]), 0);
	for (int i = 0; i < MESSAGES; i++) {
		bool up = rand() % 2;
		mbedtls_ssl_context *from = up ? &p.client.ssl : &p.server.ssl;
		mbedtls_ssl_context *to = up ? &p.server.ssl : &p.client.ssl;

		fill(data, sizeof(data), i);
		if (i % 7 == 0)
			EXPECT_EQ(mbedtls_ssl_send_key_update(from, 1), 0);
		EXPECT_TRUE(pass_lent(
		    from, to, data, 1 + (size_t)rand() % sizeof(data), lent));
	}
	for (int i = 0; i < 4; i++)
		free(lent[i]);
	pair_fini(&p);
}

TEST(a_half_arrived_record_keeps_its_buffers)
{
	unsigned char data[100], *in, *out;
	size_t all;

	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	fill(data, sizeof(data), 1);
	EXPECT_EQ(mbedtls_ssl_write(&p.client.ssl, data, sizeof(data)), 100);
	all = p.up.to;
	p.up.to -= 20;
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, data, sizeof(data)),
	    MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_detach_buffers(&p.server.ssl, &in, &out),
	    MBEDTLS_ERR_SSL_WANT_READ);
	p.up.to = all;
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, data, sizeof(data)), 100);
	EXPECT_EQ(mbedtls_ssl_detach_buffers(&p.server.ssl, &in, &out), 0);
	mbedtls_ssl_attach_buffers(&p.server.ssl, in, out);
	pair_fini(&p);
}

TEST(a_ticket_that_comes_late_still_resumes)
{
	unsigned char *in, *out;
	mbedtls_ssl_session session;

	mbedtls_ssl_session_init(&session);
	connect_both(MBEDTLS_ECP_DP_SECP256R1);
	EXPECT_EQ(mbedtls_ssl_detach_buffers(&p.client.ssl, &in, &out), 0);
	mbedtls_ssl_attach_buffers(&p.client.ssl, in, out);
	take_ticket(&session);
	pair_open(&p, &session);
	EXPECT_EQ(pair_shake(&p), 0);
	EXPECT_TRUE(mbedtls_ssl_get_peer_cert(&p.server.ssl) == NULL);
	mbedtls_ssl_session_free(&session);
	pair_fini(&p);
}
