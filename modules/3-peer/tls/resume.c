/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume — what a client needs to come back to servers that it knows.
 *
 * One ticket a server, used once (RFC 8446 C.4); the oldest makes room. Who
 * the server was when it showed its certificate is kept beside it. It is
 * offered only by the same identity of ours, while the same state of the
 * bundle is in force, and while that server would still be let in.
 */
#include <mbedtls/platform.h>

#include "peer.h"
#include "session.h"

enum { SERVERS_MAX = 256 };

struct resumable {
	struct list link;
	char *server;
	mbedtls_ssl_session session;
	struct tls_peer *peer;
	struct tls_identity *identity; /* ours */
	uint64_t epoch;
};

struct resumables {
	struct map by_server;
	struct list order; /* the oldest first */
};

struct comeback {
	uint64_t epoch;
	char *server;
};

/* --- one --- */

static void
resumable_free(struct resumable **rp)
{
	struct resumable *r = TAKE(*rp);

	if (r == NULL)
		return;
	list_remove(&r->link);
	mbedtls_ssl_session_free(&r->session);
	tls_peer_free(&r->peer);
	tls_identity_unref(&r->identity);
	mem_free(&r->server);
	mem_free(&r);
}

void
comeback_free(struct comeback **cp)
{
	struct comeback *c = TAKE(*cp);

	if (c == NULL)
		return;
	mem_free(&c->server);
	mem_free(&c);
}

/* --- all of a configuration --- */

struct resumables *
resumables_new(void)
{
	struct resumables *all = mem_new(sizeof(*all));

	map_init(&all->by_server);
	list_init(&all->order);
	return all;
}

static void
drop(void *value)
{
	struct resumable *r = value;

	resumable_free(&r);
}

void
resumables_free(struct resumables **rp)
{
	if (*rp == NULL)
		return;
	map_fini(&(*rp)->by_server, drop);
	mem_free(rp);
}

static struct resumable *
take(struct resumables *all, const char *server)
{
	struct resumable *r = map_remove(&all->by_server, slice_str(server));

	if (r != NULL)
		list_remove(&r->link);
	return r;
}

static void
put(struct resumables *all, struct resumable *r)
{
	struct resumable *old = take(all, r->server);

	resumable_free(&old);
	if (all->by_server.count >= SERVERS_MAX) {
		old = take(all,
		    CONTAINER(all->order.next, struct resumable, link)->server);
		resumable_free(&old);
	}
	(void)map_put(&all->by_server, slice_str(r->server), r); /* absent */
	list_push_back(&all->order, &r->link);
}

/* --- a stream --- */

/* The library gives up the connection for a name that differs. */
static bool
has_same_name(struct tls *t, const struct resumable *r)
{
	return slice_eq(slice_str(mbedtls_ssl_get_hostname(&t->ssl)),
	    slice_str(r->session.MBEDTLS_PRIVATE(hostname)));
}

static bool
may_come_back(struct tls *t, const struct resumable *r)
{
	struct fault why = {0};

	return r->identity == t->identity && r->epoch == t->comeback->epoch &&
	       has_same_name(t, r) &&
	       verify_known(&t->shake->verify, r->peer, &why) == OK;
}

void
resume_begin(struct tls *t, struct slice server)
{
	AUTO(resumable_free) struct resumable *r = NULL;

	t->comeback = mem_new(sizeof(*t->comeback));
	t->comeback->epoch = tls_trust_epoch(t->shake->trust);
	t->comeback->server = mem_strndup(server.ptr, server.len);
	r = take(t->config->resumables, t->comeback->server);
	/* Without it, it is a handshake as any other. */
	if (r != NULL && may_come_back(t, r) &&
	    mbedtls_ssl_set_session(&t->ssl, &r->session) == 0)
		t->shake->known = TAKE(r->peer);
}

/* The stream needs it no longer. */
static void
forget_ticket(struct tls *t)
{
	mbedtls_ssl_session *s = t->ssl.MBEDTLS_PRIVATE(session);

	mbedtls_free(s->MBEDTLS_PRIVATE(ticket));
	s->MBEDTLS_PRIVATE(ticket) = NULL;
	s->MBEDTLS_PRIVATE(ticket_len) = 0;
}

void
resume_keep(struct tls *t)
{
	AUTO(comeback_free) struct comeback *c = TAKE(t->comeback);
	AUTO(resumable_free) struct resumable *r = NULL;

	/* One a connection is enough. */
	if (c != NULL) {
		r = mem_new(sizeof(*r));
		list_init(&r->link);
		mbedtls_ssl_session_init(&r->session);
		r->server = TAKE(c->server);
		r->epoch = c->epoch;
		r->peer = peer_copy(t->peer);
		r->identity = tls_identity_ref(t->identity);
		if (mbedtls_ssl_get_session(&t->ssl, &r->session) == 0)
			put(t->config->resumables, TAKE(r));
	}
	forget_ticket(t);
}
