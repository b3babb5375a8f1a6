/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shake — handshakes, a bounded number of steps a turn.
 *
 * All handshakes of one loop share a budget, so that a thousand new clients
 * delay the streams that are open by a few milliseconds at a time and not by a
 * second. Who comes too late waits in a queue, first come first served, and is
 * not read from meanwhile.
 */
#include "session.h"

/* About five whole handshakes of one side. */
enum { STEPS_A_TURN = 80 };

/* What one loop has spent in this turn; there while somebody shakes hands. */
struct turn {
	struct list link;
	struct loop *loop;
	struct list waiting; /* struct shake.link */
	struct loop_later later;
	unsigned spent;
};

/* Few: one a loop, and a thread has one loop. */
static __thread struct list turns;

static void on_turn_end(void *arg);

static struct turn *
turn_of(struct loop *loop)
{
	struct turn *turn;

	if (turns.next == NULL)
		list_init(&turns);
	LIST_EACH (&turns, it) {
		turn = CONTAINER(it, struct turn, link);
		if (turn->loop == loop)
			return turn;
	}
	turn = mem_new(sizeof(*turn));
	turn->loop = loop;
	list_init(&turn->waiting);
	loop_later_init(&turn->later, on_turn_end, turn);
	loop_later(loop, &turn->later);
	list_push_back(&turns, &turn->link);
	return turn;
}

void
shake_end(struct tls *t)
{
	struct shake *h = TAKE(t->shake);

	if (h == NULL)
		return;
	timer_clear(&t->timer);
	list_remove(&h->link);
	if (h->has_own) {
		t->ssl.MBEDTLS_PRIVATE(conf) = &t->config->conf;
		mbedtls_ssl_config_free(&h->own);
	}
	verify_fini(&h->verify);
	expected_fini(&h->expected);
	tls_trust_unref(&h->trust);
	tls_peer_free(&h->known);
	mem_free(&h);
}

/*
 * Nobody showed a certificate, so the ticket was taken: who had it is the one
 * that it speaks of. Its owner may have been revoked since it was offered.
 */
static enum err
identify_by_ticket(struct tls *t, struct fault *why)
{
	struct verify *v = &t->shake->verify;
	enum err e;

	if (v->began || t->shake->known == NULL ||
	    mbedtls_ssl_get_peer_cert(&t->ssl) != NULL)
		return OK;
	e = verify_known(v, t->shake->known, why);
	if (e != OK)
		return e;
	v->peer = TAKE(t->shake->known);
	v->good = true;
	t->resumed = true;
	return OK;
}

/* The library's answer is never the only one: ours has to be there too. */
static bool
is_good(struct tls *t)
{
	const struct tls_config_spec *spec = &t->config->spec;
	struct verify *v = &t->shake->verify;
	bool needed = spec->role == TLS_CLIENT || spec->ask == TLS_ASK_REQUIRED;
	struct fault why = {0};

	if (t->config->unverified)
		return true; /* and nobody: there is no t->peer */
	if (identify_by_ticket(t, &why) != OK) {
		tls_fail(t, ERR_AUTH, "%s", why.text);
		return false;
	}
	if (v->good || (!v->began && !needed))
		return true;
	tls_fail(t, ERR_AUTH, "the peer was not verified");
	return false;
}

static bool
has_protocol(struct tls *t)
{
	const struct tls_config *c = t->config;

	if (c->spec.role == TLS_SERVER || c->alpn[0] == NULL ||
	    mbedtls_ssl_get_alpn_protocol(&t->ssl) != NULL)
		return true;
	tls_fail(t, ERR_TLS, "the server chose no application protocol (ALPN)");
	return false;
}

static void
complete(struct tls *t)
{
	if (!is_good(t) || !has_protocol(t))
		return;
	t->peer = TAKE(t->shake->verify.peer);
	t->root = TAKE(t->shake->verify.root);
	shake_end(t);
	mbedtls_ssl_drop_peer_cert(&t->ssl); /* its identity is in t->peer */
	idle_detach(t);
	/* Before open: the owner may pause and resume from there on. */
	if (stream_is_paused(&t->s))
		stream_pause(t->s.below, STREAM_PAUSE_ABOVE);
	stream_emit_open(&t->s);
	if (buf_len(&t->out) > 0 || t->s.shut)
		loop_later_flush(t->s.loop, &t->flush);
	record_read(t);
}

static void
wait_for_turn(struct tls *t, struct turn *turn)
{
	if (list_empty(&t->shake->link))
		list_push_back(&turn->waiting, &t->shake->link);
	stream_pause(t->s.below, STREAM_PAUSE_HANDSHAKE);
}

/*
 * RFC 8446 §4.4.4: what a server sends behind its Finished, a refusal of the
 * client included, is under application keys. The library would change over
 * only when it has the client's, and no client could read why it was refused.
 */
static void
send_under_application_keys(struct tls *t)
{
	mbedtls_ssl_context *ssl = &t->ssl;

	if (t->config->spec.role == TLS_CLIENT ||
	    ssl->MBEDTLS_PRIVATE(transform_application) == NULL ||
	    ssl->MBEDTLS_PRIVATE(transform_out) ==
		ssl->MBEDTLS_PRIVATE(transform_application))
		return;
	ssl->MBEDTLS_PRIVATE(transform_out) =
	    ssl->MBEDTLS_PRIVATE(transform_application);
	memset(ssl->MBEDTLS_PRIVATE(cur_out_ctr), 0,
	    sizeof(ssl->MBEDTLS_PRIVATE(cur_out_ctr)));
}

/* With a server's ticket, which the library does not count in. */
static bool
is_over(const struct tls *t)
{
	return t->ssl.MBEDTLS_PRIVATE(state) == MBEDTLS_SSL_HANDSHAKE_OVER;
}

void
shake_run(struct tls *t)
{
	struct turn *turn = turn_of(t->s.loop);

	while (turn->spent < STEPS_A_TURN) {
		int code;

		ticket_begin_step(t);
		code = mbedtls_ssl_handshake_step(&t->ssl);
		ticket_end_step();
		if (code == MBEDTLS_ERR_SSL_WANT_READ) {
			if (t->below_ended)
				tls_fail(t, ERR_RESET,
				    "the peer closed the connection during "
				    "the handshake");
			return;
		}
		if (code != 0) {
			tls_fail_code(t, code);
			return;
		}
		turn->spent++;
		if (is_over(t)) {
			complete(t);
			return;
		}
		send_under_application_keys(t);
	}
	wait_for_turn(t, turn);
}

static void
go_on(struct shake *h)
{
	struct tls *t = h->owner;

	list_remove(&h->link);
	stream_resume(t->s.below, STREAM_PAUSE_HANDSHAKE);
	shake_run(t);
}

static void
on_turn_end(void *arg)
{
	struct turn *turn = arg;

	turn->spent = 0;
	while (turn->spent < STEPS_A_TURN && !list_empty(&turn->waiting))
		go_on(CONTAINER(turn->waiting.next, struct shake, link));
	if (!list_empty(&turn->waiting)) {
		loop_later(turn->loop, &turn->later);
		return;
	}
	list_remove(&turn->link);
	mem_free(&turn);
}
