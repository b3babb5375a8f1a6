/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket — what a server knows of a client, sealed and handed to it.
 *
 * The client brings it back, and neither shows a certificate (RFC 8446 §2.2);
 * new keys are agreed on all the same. The library's half is the secret that
 * both will share; ours is who the client is, until when that is certain, which
 * state of the bundle said so, and whom it had called. A ticket that is too
 * old, or of another epoch, server or trust domain, or whose client's
 * certificate is expired or revoked by now, is passed over: a full handshake
 * follows, which says why if it fails.
 *
 * Tickets are sealed with a key that lives for an hour and opens for another.
 */
#include <pthread.h>

#include "peer.h"
#include "session.h"
#include "ticket.h"

enum {
	LIFE_MS = 3600 * 1000, /* of a ticket, and of a key that seals them */
	PLAIN_MAX = 4 << 10,
	FORMAT = 1
};

struct tls_tickets {
	atomic_uint refs;
	pthread_mutex_t lock;            /* of what follows */
	uint8_t keys[2][CRYPTO_KEY_LEN]; /* the newer first */
	int64_t since_ms;                /* of the newer; 0: there is none */
};

static const struct slice label = {"meshd session ticket", 20};

/* --- the inside --- */

void
ticket_fini(struct ticket *k)
{
	tls_peer_free(&k->peer);
}

enum err
ticket_write(const struct ticket *k, struct buf *out)
{
	enum err e = buf_add_byte(out, FORMAT);

	if (e == OK)
		e = buf_add_u64(out, (uint64_t)k->issued_ms);
	if (e == OK)
		e = buf_add_u64(out, k->epoch);
	if (e == OK)
		e = buf_add(out, k->server, sizeof(k->server));
	if (e == OK)
		e = peer_write(k->peer, out);
	return e == OK ? buf_add_slice(out, k->session) : e;
}

enum err
ticket_read(struct slice plain, struct ticket *out)
{
	struct reader r = READER(plain);
	uint8_t format = reader_u8(&r);
	AUTO(ticket_fini)
	struct ticket k = {.issued_ms = (int64_t)reader_u64(&r)};
	struct slice server;

	k.epoch = reader_u64(&r);
	server = reader_bytes(&r, sizeof(k.server));
	k.peer = peer_read(&r);
	k.session = r.rest;
	if (r.failed || format != FORMAT)
		return ERR_PARSE;
	memcpy(k.server, server.ptr, server.len);
	*out = k;
	k.peer = NULL; /* theirs now */
	return OK;
}

/* --- keys --- */

struct tls_tickets *
tls_tickets_new(void)
{
	struct tls_tickets *t = mem_new(sizeof(*t));

	atomic_init(&t->refs, 1);
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	return t;
}

struct tls_tickets *
tls_tickets_ref(struct tls_tickets *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tls_tickets_unref(struct tls_tickets **tp)
{
	struct tls_tickets *t = TAKE(*tp);

	if (t == NULL ||
	    atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	(void)pthread_mutex_destroy(&t->lock);
	secret_wipe(t->keys, sizeof(t->keys));
	mem_free(&t);
}

static void
renew_key(struct tls_tickets *t, int64_t now_ms)
{
	if (t->since_ms == 0)
		crypto_random(t->keys[0], sizeof(t->keys[0]));
	memcpy(t->keys[1], t->keys[0], sizeof(t->keys[0]));
	crypto_random(t->keys[0], sizeof(t->keys[0]));
	t->since_ms = now_ms;
}

/* Copies the keys; wipe them. Only who seals needs a fresh one. */
static void
copy_keys(struct tls_tickets *t, int64_t now_ms, bool fresh,
    uint8_t out[2][CRYPTO_KEY_LEN])
{
	CHECK(pthread_mutex_lock(&t->lock) == 0);
	if (t->since_ms == 0 ||
	    (fresh && (now_ms < t->since_ms || now_ms > t->since_ms + LIFE_MS)))
		renew_key(t, now_ms);
	memcpy(out, t->keys, sizeof(t->keys));
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
}

static void
seal(struct tls_tickets *t, int64_t now_ms, struct slice plain, uint8_t *out)
{
	uint8_t keys[2][CRYPTO_KEY_LEN];

	copy_keys(t, now_ms, /* fresh */ true, keys);
	crypto_seal(keys[0], label, plain, out);
	secret_wipe(keys, sizeof(keys));
}

static enum err
unseal(struct tls_tickets *t, int64_t now_ms, struct slice sealed,
    struct buf *plain)
{
	uint8_t keys[2][CRYPTO_KEY_LEN];
	enum err e;
	char *room;

	if (sealed.len < CRYPTO_SEAL_OVERHEAD)
		return ERR_PARSE;
	e = buf_reserve(plain, sealed.len - CRYPTO_SEAL_OVERHEAD + 1, &room);
	if (e != OK)
		return e;
	copy_keys(t, now_ms, /* fresh */ false, keys);
	e = crypto_unseal(keys[0], label, sealed, (uint8_t *)room);
	if (e != OK)
		e = crypto_unseal(keys[1], label, sealed, (uint8_t *)room);
	secret_wipe(keys, sizeof(keys));
	if (e == OK)
		buf_commit(plain, sealed.len - CRYPTO_SEAL_OVERHEAD);
	return e;
}

/* --- what the library calls --- */

/* Whose handshake makes a step on this thread. */
static __thread struct tls *stepping;

void
ticket_begin_step(struct tls *t)
{
	stepping = t;
}

void
ticket_end_step(void)
{
	stepping = NULL;
}

static void
hash_of_server(const struct tls *t, uint8_t out[CRYPTO_SHA256_LEN])
{
	crypto_sha256(slice_str(t->identity->info.uri), out);
}

/* How long all that it rests on is good. */
static int64_t
life_of(const struct tls *t, const struct ticket *k)
{
	int64_t end_ms =
	    MIN(k->peer->not_after_ms, t->identity->info.not_after_ms);

	return MAX(MIN(end_ms - k->issued_ms, (int64_t)LIFE_MS), 0);
}

/* Who the client is: by its certificate, or by the ticket that it brought. */
static struct tls_peer *
client_of(const struct shake *h)
{
	return h->verify.began ? h->verify.peer : h->known;
}

/* Ours, then the library's half. */
static enum err
fill(
    const struct ticket *k, const mbedtls_ssl_session *session, struct buf *out)
{
	enum err e = ticket_write(k, out);
	char *room;
	size_t len;

	if (e == OK)
		e = buf_reserve(out, PLAIN_MAX - buf_len(out), &room);
	if (e != OK)
		return e;
	if (mbedtls_ssl_session_save(session, (unsigned char *)room,
		PLAIN_MAX - buf_len(out), &len) != 0)
		return ERR_LIMIT;
	buf_commit(out, len);
	return OK;
}

/* Failing ends the handshake. */
static int
on_write(void *arg, const mbedtls_ssl_session *session, unsigned char *start,
    const unsigned char *end, size_t *out_len, uint32_t *out_life_s)
{
	struct tls *t = stepping;
	AUTO(buf_fini) struct buf plain = BUF_SECRET(PLAIN_MAX);
	struct ticket k = {0};

	CHECK(t != NULL);
	k.peer = client_of(t->shake);
	if (k.peer == NULL)
		return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
	k.issued_ms = t->shake->verify.now_ms;
	k.epoch = tls_trust_epoch(t->shake->trust);
	hash_of_server(t, k.server);
	if (fill(&k, session, &plain) != OK ||
	    (size_t)(end - start) < buf_len(&plain) + CRYPTO_SEAL_OVERHEAD)
		return MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL;
	seal(arg, k.issued_ms, buf_slice(&plain), start);
	*out_len = buf_len(&plain) + CRYPTO_SEAL_OVERHEAD;
	*out_life_s = (uint32_t)(life_of(t, &k) / 1000);
	return 0;
}

static bool
is_in_force(const struct tls *t, const struct ticket *k)
{
	const struct verify *v = &t->shake->verify;
	uint8_t server[CRYPTO_SHA256_LEN];
	struct fault why = {0};

	hash_of_server(t, server);
	return k->epoch == tls_trust_epoch(t->shake->trust) &&
	       v->now_ms >= k->issued_ms &&
	       v->now_ms - k->issued_ms <= LIFE_MS &&
	       memcmp(k->server, server, sizeof(server)) == 0 &&
	       verify_known(v, k->peer, &why) == OK;
}

/* The client's proof that it has the secret is looked at after this. */
static int
on_parse(
    void *arg, mbedtls_ssl_session *session, unsigned char *bytes, size_t len)
{
	struct tls *t = stepping;
	AUTO(buf_fini) struct buf plain = BUF_SECRET(PLAIN_MAX);
	AUTO(ticket_fini) struct ticket k = {0};

	CHECK(t != NULL);
	tls_peer_free(&t->shake->known); /* of one that was not taken */
	if (unseal(arg, t->shake->verify.now_ms, slice_of(bytes, len),
		&plain) != OK ||
	    ticket_read(buf_slice(&plain), &k) != OK)
		return MBEDTLS_ERR_SSL_INVALID_MAC;
	if (!config_choose_identity(t) || !is_in_force(t, &k) ||
	    mbedtls_ssl_session_load(session,
		(const unsigned char *)k.session.ptr, k.session.len) != 0)
		return MBEDTLS_ERR_SSL_SESSION_TICKET_EXPIRED;
	t->shake->known = TAKE(k.peer);
	return 0;
}

void
ticket_set_up(mbedtls_ssl_config *conf, struct tls_tickets *tickets)
{
	mbedtls_ssl_conf_session_tickets_cb(conf, on_write, on_parse, tickets);
}
