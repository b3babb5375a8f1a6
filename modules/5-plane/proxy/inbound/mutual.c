/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutual — mutual TLS of the mesh at a port that is captured.
 *
 *	HANDSHAKE --open--> the listener's, which knows the peer: this is gone
 *	    `--------- refused, client gone --> closed, in the log
 */
#define LOG_MODULE "proxy"

#include "inbound/mutual.h"

#include "snapshot.h"

#include <stdio.h>

enum { MUTUAL_MAGIC = 0x6d75746c };

struct mutual {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *tls;
	struct addr peer;
	struct addr called;
	struct registered reg;
};

static struct mutual *
mutual_of(void *arg)
{
	struct mutual *m;

	OBJ(m, arg, MUTUAL_MAGIC);
	return m;
}

static void
mutual_free(struct mutual *m)
{
	listener_leave(&m->listener);
	worker_unregister(&m->reg);
	m->magic = 0;
	mem_free(&m);
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct mutual *m = mutual_of(CONTAINER(r, struct mutual, reg));

	out->peer = m->peer;
	(void)snprintf(
	    out->what, sizeof(out->what), "%s", listener_name(m->listener));
}

static void
cut(struct registered *r, enum err why)
{
	stream_close(mutual_of(CONTAINER(r, struct mutual, reg))->tls, why);
}

/* --- the handshake -------------------------------------------------------- */

/* Who is exposed where it called, else whom it names. */
static struct tls_identity *
pick(void *arg, struct slice sni)
{
	const struct mutual *m = mutual_of(arg);
	const struct worker *w = m->worker;
	const struct view_exposed *e =
	    view_find_exposed(w->now->view, &m->called);
	struct tls_identity *id =
	    e != NULL ? credentials_find(w->credentials, e->identity) : NULL;

	if (id == NULL)
		id = credentials_find_sni(w->credentials, sni);
	return id != NULL ? tls_identity_ref(id) : NULL;
}

static void
on_open(struct stream *s, void *arg)
{
	struct mutual *m = mutual_of(arg);
	const struct tls_peer *peer = tls_stream_peer(s);
	const struct slice alpn = tls_stream_alpn(s);
	const struct view_connection seen = {.destination = m->called,
	    .source = m->peer,
	    .tls = true,
	    .alpns = &alpn,
	    .alpn_count = alpn.len > 0};
	struct listener *to;

	CHECK(peer != NULL); /* its certificate is asked for */
	to = listener_new_mutual(m->worker, peer->uri, alpn);
	listener_hand_over(to, s, &seen, SLICE_NONE);
	listener_unref(&to);
	mutual_free(m);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
	CHECK(!"bytes before the connection has its owner");
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct mutual *m = mutual_of(arg);
	const struct fault *f = tls_stream_fault(s);
	char text[ADDR_TEXT_MAX];

	if (why != OK && f != NULL && f->code != OK)
		log_warn("mutual TLS refused", "peer=%s reason=\"%s\"",
		    addr_format(&m->peer, text), f->text);
	mutual_free(m);
}

static const struct stream_events events = {
    .on_open = on_open, .on_data = on_data, .on_close = on_close};

/* Until TLS has the stream, in the same call. */
static void
on_no_close(struct stream *s, void *arg, enum err why)
{
	(void)s;
	(void)arg;
	(void)why;
}

static const struct stream_events nobody = {
    .on_data = on_data, .on_close = on_no_close};

void
mutual_accept(struct worker *w, struct listener *l, struct stream *stream,
    struct slice first)
{
	struct mutual *m = mem_new(sizeof(*m));
	struct tls_server_spec spec = {.config = listeners_mutual_tls(l),
	    .pick = pick,
	    .pick_arg = m,
	    .trust = credentials_trust(w->credentials),
	    .trust_domain = w->proxy->trust_domain};

	m->magic = MUTUAL_MAGIC;
	m->worker = w;
	m->listener = listener_join(l);
	m->peer = stream_peer(stream);
	m->called = stream_local(stream);
	m->reg = (struct registered){
	    .kind = PROXY_CONN_TCP, .describe = describe, .cut = cut};
	worker_register(w, &m->reg);
	stream_set_events(stream, &nobody, NULL);
	net_stream_unread(stream, first);
	if (w->credentials == NULL ||
	    tls_stream_server(stream, &spec, &events, m, &m->tls, NULL) != OK) {
		stream_close(stream, ERR_RESET);
		mutual_free(m);
		return;
	}
	stream_resume(stream, STREAM_PAUSE_NOT_READY); /* if it waited */
}
