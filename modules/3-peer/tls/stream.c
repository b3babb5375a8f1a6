/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream — a TLS connection as one more layer of a stream.
 *
 *	            below opens        verified
 *	OPENING (waiting) --> (handshake) --> OPEN --close--> CLOSING
 *	   `-------- alert, eof, timeout, any failure --------^
 *
 * A stream that fails lets go of the layer below at once, with its alert
 * still on the way: that layer flushes, lingers and ends alone.
 */
#include <stdarg.h>
#include <stdio.h>

#include "session.h"

static const struct stream_ops tls_ops;

static struct tls *
tls_of(void *stream)
{
	struct stream *s = stream;

	CHECK(s->ops == &tls_ops);
	return (struct tls *)s;
}

/* --- how it ends --- */

static void
let_below_go(struct tls *t)
{
	struct stream *below = TAKE(t->s.below);

	if (below == NULL)
		return;
	stream_set_events(below, &stream_deaf, NULL);
	below->paused = 0;
	/* Lingering, so that no reset overtakes the alert. */
	stream_close_lingering(below);
}

static void
note_fault(struct tls *t, enum err e, const char *text)
{
	if (t->fault != NULL)
		return; /* the first reason is the one that matters */
	t->fault = mem_new(sizeof(*t->fault));
	(void)fault_set(t->fault, e, "%s", text);
}

void
tls_fail(struct tls *t, enum err e, const char *fmt, ...)
{
	char text[FAULT_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	note_fault(t, e, text);
	shake_end(t);
	let_below_go(t);
	stream_fail(&t->s, e);
}

/* X(number, what the peer means): RFC 8446 §6, the ones that people meet */
#define ALERT_TABLE(X)                                                         \
	X(10, "a message came out of turn")                                    \
	X(20, "a record was tampered with")                                    \
	X(40, "no parameters in common")                                       \
	X(41, "it wants a certificate of us")                                  \
	X(42, "our certificate is not acceptable")                             \
	X(43, "our certificate is not of a kind that it takes")                \
	X(44, "our certificate is revoked")                                    \
	X(45, "our certificate has expired, or a clock is wrong")              \
	X(46, "our certificate is not acceptable")                             \
	X(47, "a value is not allowed")                                        \
	X(48, "it does not know the root of our certificate")                  \
	X(49, "our identity is not one that it accepts")                       \
	X(50, "a message is malformed")                                        \
	X(51, "a signature does not fit")                                      \
	X(70, "it does not speak TLS 1.3")                                     \
	X(80, "it has an internal problem")                                    \
	X(112, "it does not know the name that we asked for")                  \
	X(116, "it wants a certificate of us")                                 \
	X(120, "no application protocol (ALPN) in common")

/*
 * A client that refuses its server says so in plaintext: it has no keys for
 * sending yet, and the library takes that for a record that was changed.
 */
static bool
is_plain_alert(const struct tls *t, int code)
{
	static const uint8_t head[] = {21, 3, 3, 0, 2}; /* RFC 8446 §5.1 */
	const unsigned char *record = t->ssl.MBEDTLS_PRIVATE(in_hdr);

	return code == MBEDTLS_ERR_SSL_INVALID_MAC && t->shake != NULL &&
	       record != NULL && memcmp(record, head, sizeof(head)) == 0;
}

static void
fail_by_alert(struct tls *t, const unsigned char *alert)
{
	unsigned number = alert == NULL ? 0 : alert[1];
	const char *words = "it gave no known reason";

#define X(n, text)                                                             \
	if (number == (n))                                                     \
		words = text;
	ALERT_TABLE(X)
#undef X
	tls_fail(t, ERR_TLS, "the peer refused the connection: %s (alert %u)",
	    words, number);
}

void
tls_fail_code(struct tls *t, int code)
{
	const struct fault *found =
	    t->shake == NULL ? NULL : &t->shake->verify.why;

	if (found != NULL && found->code != OK)
		tls_fail(t, found->code, "%s", found->text);
	else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
		fail_by_alert(t, t->ssl.MBEDTLS_PRIVATE(in_msg));
	else if (is_plain_alert(t, code))
		fail_by_alert(t, t->ssl.MBEDTLS_PRIVATE(in_hdr) + 5);
	else if (code == MBEDTLS_ERR_SSL_CONN_EOF)
		tls_fail(t, ERR_RESET, "the connection broke");
	else
		tls_fail(t,
		    code == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE ? ERR_AUTH
								  : ERR_TLS,
		    "%s (code -0x%04x)", x509_words(code), (unsigned)-code);
}

static void
on_timer(void *arg)
{
	struct tls *t = tls_of(arg);

	if (t->shake != NULL)
		tls_fail(t, ERR_TIMEOUT, "the handshake took longer than %u ms",
		    t->config->spec.handshake_ms);
	else
		tls_fail(
		    t, ERR_TIMEOUT, "the peer did not take the last bytes");
}

/* --- what the layer below says --- */

/* Received bytes, or none: the handshake or the reading goes on. */
static void
advance(struct tls *t)
{
	if (stream_is_closing(&t->s))
		t->lent = SLICE_NONE;
	else if (t->shake != NULL && list_empty(&t->shake->link))
		shake_run(t);
	else if (t->shake == NULL)
		record_read(t);
	record_stash(t);
}

static void
begin(struct tls *t)
{
	uint64_t ms = t->config->spec.handshake_ms;

	timer_set(&t->timer, ms * 1000);
	advance(t);
}

static void
on_below_open(struct stream *below, void *arg)
{
	struct tls *t = tls_of(arg);

	(void)below;
	if (!stream_is_closing(&t->s))
		begin(t);
}

static void
on_below_data(struct stream *below, void *arg, struct slice data)
{
	struct tls *t = tls_of(arg);

	(void)below;
	t->lent = data;
	/* What came first is read first. */
	if (buf_len(&t->in) > 0)
		record_stash(t);
	advance(t);
}

static void
on_below_eof(struct stream *below, void *arg)
{
	struct tls *t = tls_of(arg);

	(void)below;
	t->below_ended = true;
	if (!stream_is_closing(&t->s) && !t->s.ended)
		advance(t);
}

static void
on_below_drained(struct stream *below, void *arg)
{
	struct tls *t = tls_of(arg);

	(void)below;
	t->below_full = false;
	record_flush(t);
}

static void
on_below_close(struct stream *below, void *arg, enum err why)
{
	struct tls *t = tls_of(arg);

	(void)below;
	t->s.below = NULL;
	shake_end(t);
	timer_clear(&t->timer);
	if (t->s.state == STREAM_CLOSING && why == OK) {
		stream_finish(&t->s);
		return;
	}
	if (why == OK)
		why = ERR_RESET;
	note_fault(t, why, err_text(why));
	stream_fail(&t->s, why);
}

static const struct stream_events below_events = {
    .on_open = on_below_open,
    .on_data = on_below_data,
    .on_eof = on_below_eof,
    .on_drained = on_below_drained,
    .on_close = on_below_close,
};

/* --- what the owner says --- */

static void
on_flush(void *arg)
{
	record_flush(tls_of(arg));
}

static void
on_later(void *arg)
{
	struct tls *t = tls_of(arg);

	if (t->s.state == STREAM_OPENING)
		begin(t);
	else
		advance(t);
}

static void
tls_shutdown(struct stream *s)
{
	struct tls *t = tls_of(s);

	if (t->shake == NULL)
		loop_later_flush(s->loop, &t->flush);
}

static void
tls_pause(struct stream *s)
{
	if (stream_is_open(s) && s->below != NULL)
		stream_pause(s->below, STREAM_PAUSE_ABOVE);
}

static void
tls_resume(struct stream *s)
{
	struct tls *t = tls_of(s);

	if (!stream_is_open(s) || s->below == NULL)
		return;
	stream_resume(s->below, STREAM_PAUSE_ABOVE);
	if (record_waits(t) || t->below_ended)
		loop_later(s->loop, &t->later);
}

static size_t
tls_pending(const struct stream *s)
{
	return buf_len(&((const struct tls *)s)->out);
}

static void
tls_close(struct stream *s, enum err why)
{
	struct tls *t = tls_of(s);
	bool was_open = t->shake == NULL;

	shake_end(t);
	loop_later_cancel(&t->later);
	if (s->below == NULL) {
		stream_finish(s);
		return;
	}
	if (why != OK || !was_open) {
		stream_close(s->below, why);
		return;
	}
	timer_set(&t->timer, (uint64_t)NET_FLUSH_MS * 1000);
	if (t->notified)
		stream_close(s->below, OK);
	else
		loop_later_flush(s->loop, &t->flush);
}

static void
tls_free(struct stream *s)
{
	struct tls *t = tls_of(s);

	CHECK(s->below == NULL);
	shake_end(t);
	timer_clear(&t->timer);
	loop_later_cancel(&t->later);
	loop_later_cancel(&t->flush);
	mbedtls_ssl_free(&t->ssl);
	buf_fini(&t->out);
	buf_fini(&t->in);
	tls_peer_free(&t->peer);
	tls_chain_unref(&t->root);
	tls_identity_unref(&t->identity);
	comeback_free(&t->comeback);
	tls_config_unref(&t->config);
	mem_free(&t->sni);
	mem_free(&t->fault);
	mem_free(&t);
}

static const struct stream_ops tls_ops = {
    .name = "tls",
    .writev = record_writev,
    .shutdown = tls_shutdown,
    .pause = tls_pause,
    .resume = tls_resume,
    .pending = tls_pending,
    .close = tls_close,
    .free = tls_free,
};

/* --- how it begins --- */

/* Bounds: a paused owner's leftover; one write of an owner. */
enum { IN_MAX = 4 * LOOP_SCRATCH_LEN, OUT_MAX = 256 << 20 };

static struct tls *
tls_new(struct stream *below, struct tls_config *config,
    const struct stream_events *events, void *arg)
{
	struct tls *t = mem_new(sizeof(*t));

	stream_init(&t->s, &tls_ops, below->loop, events, arg, STREAM_OPENING);
	mbedtls_ssl_init(&t->ssl);
	t->config = tls_config_ref(config);
	buf_init(&t->in, IN_MAX);
	t->out = BUF_SECRET(OUT_MAX);
	loop_later_init(&t->flush, on_flush, t);
	loop_later_init(&t->later, on_later, t);
	timer_init(&t->timer, below->loop, on_timer, t);
	t->shake = mem_new(sizeof(*t->shake));
	t->shake->owner = t;
	list_init(&t->shake->link);
	return t;
}

/* An empty certificate: nothing is trusted, but the library wants a list. */
static mbedtls_x509_crt *
nobody(void)
{
	static mbedtls_x509_crt none;

	return &none;
}

/* The library's half; afterwards a verification can run. */
static enum err
set_up(struct tls *t, struct slice trust_domain, struct fault *why)
{
	struct shake *h = t->shake;
	const struct tls_config_spec *spec = &t->config->spec;
	struct tls_chain *roots = NULL;
	int code;

	if (h->trust != NULL)
		roots = tls_trust_roots(h->trust, trust_domain);
	if (h->trust != NULL && roots == NULL && h->verify.root_pin == NULL)
		return fault_set(why, ERR_INVALID,
		    "there is no root for the trust domain %.*s",
		    SLICE_ARG(trust_domain));
	code =
	    mbedtls_ssl_setup(&t->ssl, h->has_own ? &h->own : &t->config->conf);
	if (code != 0)
		return x509_fault(why, ERR_INTERNAL, code, "TLS");
	t->attached = true;
	h->verify.expected = &h->expected;
	h->verify.now_ms = clock_wall_ms(spec->clock);
	h->verify.check = spec->check;
	h->verify.check_arg = spec->check_arg;
	h->verify.must_stop =
	    spec->role == TLS_SERVER && spec->ask == TLS_ASK_OPTIONAL;
	mbedtls_ssl_set_user_data_p(&t->ssl, t);
	mbedtls_ssl_set_bio(&t->ssl, t, record_send, record_recv, NULL);
	mbedtls_ssl_set_verify(&t->ssl, verify_one, &h->verify);
	mbedtls_ssl_set_hs_ca_chain(&t->ssl,
	    h->verify.root_pin == NULL && roots != NULL ? x509_at(roots, 0)
							: nobody(),
	    NULL);
	return OK;
}

/* Takes `below`; from here on nothing fails at once. */
static struct stream *
start(struct tls *t, struct stream *below)
{
	t->s.below = below;
	stream_set_events(below, &below_events, t);
	if (stream_is_open(below))
		loop_later(t->s.loop, &t->later);
	return &t->s;
}

/* A client's certificate, if it has one. */
static enum err
show_identity(struct tls *t, struct fault *why)
{
	struct shake *h = t->shake;
	int code;

	if (t->identity == NULL)
		return OK;
	mbedtls_ssl_config_init(&h->own);
	h->has_own = true;
	code = config_set_up(t->config, &h->own);
	if (code == 0)
		code = mbedtls_ssl_conf_own_cert(&h->own,
		    x509_at(t->identity->chain, 0), &t->identity->key->pk);
	return code == 0 ? OK : x509_fault(why, ERR_INTERNAL, code, "TLS");
}

/* Only who shows a certificate is given a ticket. */
static bool
may_resume(const struct tls *t)
{
	return t->config->resumables != NULL && t->identity != NULL &&
	       t->shake->trust != NULL;
}

static enum err
set_up_client(
    struct tls *t, const struct tls_client_spec *spec, struct fault *why)
{
	struct shake *h = t->shake;
	char sni[NAME_HOST_MAX + 1];
	enum err e;

	if ((spec->trust == NULL) == (spec->root_pin == NULL))
		return fault_set(why, ERR_INVALID,
		    "either roots or the pin of one are needed");
	if (slice_to_cstr(spec->sni, sni, sizeof(sni)) != OK)
		return fault_set(why, ERR_LIMIT,
		    "a server name has at most %d characters", NAME_HOST_MAX);
	e = expected_init(&h->expected, spec->expected, spec->expected_count,
	    spec->trust_domain, why);
	if (e != OK)
		return e;
	if (spec->root_pin != NULL) {
		h->pin = *spec->root_pin;
		h->verify.root_pin = &h->pin;
	}
	e = show_identity(t, why);
	if (e == OK)
		e = set_up(t, slice_str(h->expected.trust_domain), why);
	if (e != OK)
		return e;
	/* Also says that no name is to be found in the certificate. */
	if (mbedtls_ssl_set_hostname(&t->ssl, spec->sni.len > 0 ? sni : NULL) !=
	    0)
		return fault_set(why, ERR_INVALID, "the server name is wrong");
	if (spec->server.len > 0 && may_resume(t))
		resume_begin(t, spec->server);
	return OK;
}

enum err
tls_stream_client(struct stream *below, const struct tls_client_spec *spec,
    const struct stream_events *events, void *arg, struct stream **out,
    struct fault *why)
{
	struct tls *t;
	enum err e;

	CHECK(spec->config->spec.role == TLS_CLIENT);
	CHECK(!spec->config->unverified);
	t = tls_new(below, spec->config, events, arg);
	if (spec->identity != NULL)
		t->identity = tls_identity_ref(spec->identity);
	if (spec->trust != NULL)
		t->shake->trust = tls_trust_ref(spec->trust);
	e = set_up_client(t, spec, why);
	if (e != OK)
		tls_free(&t->s);
	else
		*out = start(t, below);
	return e;
}

enum err
tls_unverified_client(struct stream *below, struct tls_config *config,
    struct slice sni, const struct stream_events *events, void *arg,
    struct stream **out, struct fault *why)
{
	char name[NAME_HOST_MAX + 1];
	struct tls *t;
	enum err e;

	CHECK(config->unverified);
	if (slice_to_cstr(sni, name, sizeof(name)) != OK)
		return fault_set(why, ERR_LIMIT,
		    "a server name has at most %d characters", NAME_HOST_MAX);
	t = tls_new(below, config, events, arg);
	e = set_up(t, SLICE_NONE, why);
	if (e == OK &&
	    mbedtls_ssl_set_hostname(&t->ssl, sni.len > 0 ? name : NULL) != 0)
		e = fault_set(why, ERR_INVALID, "the server name is wrong");
	if (e != OK)
		tls_free(&t->s);
	else
		*out = start(t, below);
	return e;
}

static enum err
set_up_server(
    struct tls *t, const struct tls_server_spec *spec, struct fault *why)
{
	struct shake *h = t->shake;
	bool asks = t->config->spec.ask != TLS_ASK_NONE;
	enum err e;

	if (spec->identity == NULL && spec->pick == NULL)
		return fault_set(
		    why, ERR_INVALID, "a server needs an identity");
	if (asks && spec->trust == NULL)
		return fault_set(why, ERR_INVALID,
		    "a server that asks for certificates needs roots");
	h->pick = spec->pick;
	h->pick_arg = spec->pick_arg;
	if (asks) {
		e = expected_init(
		    &h->expected, NULL, 0, spec->trust_domain, why);
		if (e != OK)
			return e;
	}
	return set_up(t, spec->trust_domain, why);
}

enum err
tls_stream_server(struct stream *below, const struct tls_server_spec *spec,
    const struct stream_events *events, void *arg, struct stream **out,
    struct fault *why)
{
	struct tls *t;
	enum err e;

	CHECK(spec->config->spec.role == TLS_SERVER);
	t = tls_new(below, spec->config, events, arg);
	if (spec->identity != NULL)
		t->identity = tls_identity_ref(spec->identity);
	if (spec->trust != NULL && t->config->spec.ask != TLS_ASK_NONE)
		t->shake->trust = tls_trust_ref(spec->trust);
	e = set_up_server(t, spec, why);
	if (e != OK)
		tls_free(&t->s);
	else
		*out = start(t, below);
	return e;
}

/* --- what is known of it --- */

bool
tls_stream_is(const struct stream *s)
{
	return s->ops == &tls_ops;
}

static const struct tls *
tls_const(const struct stream *s)
{
	CHECK(tls_stream_is(s));
	return (const struct tls *)s;
}

const struct tls_peer *
tls_stream_peer(const struct stream *s)
{
	return tls_const(s)->peer;
}

bool
tls_stream_is_resumed(const struct stream *s)
{
	return tls_const(s)->resumed;
}

struct tls_chain *
tls_stream_root(const struct stream *s)
{
	return tls_const(s)->root;
}

struct slice
tls_stream_alpn(const struct stream *s)
{
	return slice_str(mbedtls_ssl_get_alpn_protocol(&tls_const(s)->ssl));
}

struct slice
tls_stream_sni(const struct stream *s)
{
	return slice_str(tls_const(s)->sni);
}

const struct fault *
tls_stream_fault(const struct stream *s)
{
	static const struct fault none;
	const struct tls *t = tls_const(s);

	return t->fault == NULL ? &none : t->fault;
}

uint64_t
tls_stream_records(const struct stream *s)
{
	return record_count(tls_const(s));
}

enum err
tls_stream_update_keys(struct stream *s, bool ask)
{
	struct tls *t = tls_of(s);

	if (!stream_is_open(s) || t->shake != NULL)
		return ERR_INVALID;
	return mbedtls_ssl_send_key_update(&t->ssl, ask) == 0 ? OK : ERR_TLS;
}
