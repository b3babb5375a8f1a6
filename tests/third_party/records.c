/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records — sealed and opened past the library's own buffers.
 */
#include "pair.h"
#include "unit.h"

#include <stdlib.h>

enum {
	MESSAGES = 2000,
	DATA_MAX = MBEDTLS_SSL_OUT_CONTENT_LEN,
	SEALED_MAX = DATA_MAX + MBEDTLS_SSL_SEAL_OVERHEAD
};

/* The library's, but in no public header. */
int mbedtls_ssl_write_record(mbedtls_ssl_context *ssl, int force_flush);

static struct pair p;
static unsigned char data[DATA_MAX], got[SEALED_MAX], sealed[SEALED_MAX];

static void
fill(int salt)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 7 + (size_t)salt);
}

/* Two opened ends; the client's ticket has been read. */
static void
connect_both(void)
{
	mbedtls_ssl_config *c;

	pair_init(&p, MBEDTLS_ECP_DP_SECP256R1);
	c = &p.server.config;
	mbedtls_ssl_conf_new_session_tickets(c, 0);
	pair_open(&p, NULL);
	EXPECT_EQ(pair_shake(&p), 0);
	EXPECT_TRUE(pair_pass(&p.client.ssl, &p.server.ssl, data, 4));
}

/* Puts a record on the way, by seal or, if that cannot, by write. */
static void
put(struct end *e, size_t len, bool past)
{
	struct pipe_bytes *out = e->out;
	int ret = MBEDTLS_ERR_SSL_WANT_WRITE;

	if (past)
		ret = mbedtls_ssl_seal(&e->ssl, data, len, sealed);
	if (ret == MBEDTLS_ERR_SSL_WANT_WRITE) {
		EXPECT_TRUE(mbedtls_ssl_write(&e->ssl, data, len) == (int)len);
		return;
	}
	EXPECT_EQ(ret, 0);
	if (out->from == out->to)
		out->from = out->to = 0;
	EXPECT_TRUE(out->to + len + MBEDTLS_SSL_SEAL_OVERHEAD <= PIPE_MAX);
	memcpy(out->bytes + out->to, sealed, len + MBEDTLS_SSL_SEAL_OVERHEAD);
	out->to += len + MBEDTLS_SSL_SEAL_OVERHEAD;
}

static int
open_next(struct end *e, size_t *len)
{
	struct pipe_bytes *in = e->in;
	size_t used = 0;
	int ret = mbedtls_ssl_open(&e->ssl, in->bytes + in->from,
	    in->to - in->from, got, sizeof(got), &used, len);

	if (ret == 0)
		in->from += used;
	return ret;
}

/* Takes it, by open or, if that cannot, by read. */
static size_t
get(struct end *e, bool past)
{
	size_t n = 0;
	int ret;

	if (past && open_next(e, &n) == 0)
		return n;
	do
		ret = mbedtls_ssl_read(&e->ssl, got, sizeof(got));
	while (ret == MBEDTLS_ERR_SSL_WANT_READ && e->in->from < e->in->to);
	EXPECT_TRUE(ret > 0);
	return (size_t)ret;
}

static void
pass(int i)
{
	bool up = rand() % 2;
	struct end *from = up ? &p.client : &p.server;
	struct end *to = up ? &p.server : &p.client;
	size_t len = 1 + (size_t)rand() % (DATA_MAX - 1);

	fill(i);
	if (i % 7 == 0)
		EXPECT_EQ(mbedtls_ssl_send_key_update(&from->ssl, 1), 0);
	put(from, len, rand() % 2);
	EXPECT_EQ(get(to, rand() % 2), len);
	EXPECT_MEM(got, data, len);
}

TEST(records_past_the_buffers_mix_with_the_ordinary_way_and_new_keys)
{
	connect_both();
	for (int i = 0; i < MESSAGES; i++)
		pass(i);
	pair_fini(&p);
}

TEST(they_need_no_buffers)
{
	unsigned char *lent[4];

	connect_both();
	EXPECT_EQ(
	    mbedtls_ssl_detach_buffers(&p.client.ssl, &lent[0], &lent[1]), 0);
	EXPECT_EQ(
	    mbedtls_ssl_detach_buffers(&p.server.ssl, &lent[2], &lent[3]), 0);
	for (int i = 0; i < 10; i++) {
		size_t n = 0;

		fill(i);
		put(&p.client, DATA_MAX, /* past */ true);
		EXPECT_EQ(open_next(&p.server, &n), 0);
		EXPECT_EQ(n, DATA_MAX);
		EXPECT_MEM(got, data, n);
	}
	mbedtls_ssl_attach_buffers(&p.client.ssl, lent[0], lent[1]);
	mbedtls_ssl_attach_buffers(&p.server.ssl, lent[2], lent[3]);
	/* The counters are where they have to be. */
	EXPECT_TRUE(pair_pass(&p.client.ssl, &p.server.ssl, data, 100));
	EXPECT_TRUE(pair_pass(&p.server.ssl, &p.client.ssl, data, 100));
	pair_fini(&p);
}

/* Nothing has happened: the ordinary way still reads it. */
TEST(what_is_not_whole_or_does_not_fit_stays_as_it_is)
{
	struct pipe_bytes *up;
	size_t used, n;

	connect_both();
	fill(1);
	put(&p.client, 1000, /* past */ true);
	up = p.server.in;
	for (size_t len = 0; len < 1000 + MBEDTLS_SSL_SEAL_OVERHEAD; len++)
		EXPECT_EQ(mbedtls_ssl_open(&p.server.ssl, up->bytes + up->from,
			      len, got, sizeof(got), &used, &n),
		    MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_open(&p.server.ssl, up->bytes + up->from,
		      up->to - up->from, got, 1000, &used, &n),
	    MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(get(&p.server, /* past */ true), 1000);
	EXPECT_EQ(mbedtls_ssl_seal(&p.client.ssl, data, DATA_MAX + 1, sealed),
	    MBEDTLS_ERR_SSL_BAD_INPUT_DATA);
	pair_fini(&p);
}

TEST(a_changed_bit_is_left_to_the_ordinary_way_which_refuses_it)
{
	struct pipe_bytes *up;
	size_t n;

	connect_both();
	put(&p.client, 1000, /* past */ true);
	up = p.server.in;
	up->bytes[up->from + 500] ^= 1;
	EXPECT_EQ(open_next(&p.server, &n), MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, got, sizeof(got)),
	    MBEDTLS_ERR_SSL_INVALID_MAC);
	pair_fini(&p);
}

TEST(an_alert_and_an_empty_record_are_left_to_the_ordinary_way)
{
	size_t n;

	connect_both();
	EXPECT_EQ(mbedtls_ssl_write(&p.client.ssl, data, 0), 0);
	EXPECT_EQ(open_next(&p.server, &n), MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_close_notify(&p.client.ssl), 0);
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, got, sizeof(got)),
	    MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
	pair_fini(&p);
}

/* A part of a handshake message in a record of its own. */
static void
put_fragment(struct end *e, const unsigned char *bytes, size_t len)
{
	mbedtls_ssl_context *ssl = &e->ssl;

	memcpy(ssl->MBEDTLS_PRIVATE(out_msg), bytes, len);
	ssl->MBEDTLS_PRIVATE(out_msgtype) = MBEDTLS_SSL_MSG_HANDSHAKE;
	ssl->MBEDTLS_PRIVATE(out_msglen) = len;
	EXPECT_EQ(mbedtls_ssl_write_record(ssl, /* flush */ 1), 0);
}

/* Its beginning is in the buffer, which may not go to another connection. */
TEST(a_message_in_two_records_keeps_its_buffers)
{
	static const unsigned char update[] = {
	    MBEDTLS_SSL_HS_KEY_UPDATE, 0, 0, 1, 0};
	unsigned char *in, *out;
	size_t n;

	connect_both();
	put_fragment(&p.client, update, 4);
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, got, sizeof(got)),
	    MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_detach_buffers(&p.server.ssl, &in, &out),
	    MBEDTLS_ERR_SSL_WANT_READ);
	/* Data in between is against RFC 8446 §5.1. */
	put(&p.client, 100, /* past */ true);
	EXPECT_EQ(open_next(&p.server, &n), MBEDTLS_ERR_SSL_WANT_READ);
	EXPECT_EQ(mbedtls_ssl_read(&p.server.ssl, got, sizeof(got)),
	    MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE);
	pair_fini(&p);
}
