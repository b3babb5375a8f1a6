/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek — a gateway's client, until it has said what it wants.
 *
 *	PEEKING --all of a hello, or no hello--> (the listener's: this is gone)
 *	   `--too long, too late, client gone--> closed, reported
 */
#define LOG_MODULE "proxy"

#include "outbound/peek.h"

#include "snapshot.h"

#include <stdio.h>

enum { PEEK_MAGIC = 0x7065656b };

struct peek {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *stream;
	struct tls_hello_reader reader;
	struct buf first; /* all that came */
	struct timer timer;
	struct registered reg;
	bool over; /* reported */
};

static struct peek *
peek_of(void *arg)
{
	struct peek *p;

	OBJ(p, arg, PEEK_MAGIC);
	return p;
}

static struct peek *
peek_of_reg(struct registered *r)
{
	return peek_of(CONTAINER(r, struct peek, reg));
}

static void
describe(struct registered *r, struct proxy_conn_info *out)
{
	struct peek *p = peek_of_reg(r);

	out->peer = stream_peer(p->stream);
	(void)snprintf(
	    out->what, sizeof(out->what), "%s", listener_name(p->listener));
}

static void
cut(struct registered *r, enum err why)
{
	stream_close(peek_of_reg(r)->stream, why);
}

static void
peek_free(struct peek *p)
{
	timer_clear(&p->timer);
	tls_hello_reader_fini(&p->reader);
	buf_fini(&p->first);
	listener_unref(&p->listener);
	worker_unregister(&p->reg);
	p->magic = 0;
	mem_free(&p);
}

/* --- the end without a word ----------------------------------------------- */

static void
report(struct peek *p, enum flow_flag flag, struct slice detail)
{
	const struct view_caller *self = view_self(p->worker->now->view);
	const struct loop *l = p->worker->loop;
	const struct flow_record f = {.kind = FLOW_TCP_REFUSED,
	    .reporter = FLOW_SOURCE,
	    .flag = flag,
	    .detail = detail,
	    .protocol = S("tcp"),
	    .start_wall_ms = clock_wall_ms(loop_clock(l)),
	    .downstream_remote = stream_peer(p->stream),
	    .downstream_local = stream_local(p->stream),
	    .source = self->party,
	    .duration_us = loop_now_us(l) - p->reg.since_us};

	p->over = true;
	worker_report(p->worker, &f);
}

static void
refuse(struct peek *p, struct slice words)
{
	listener_refused(p->listener, words);
	report(p, FLOW_DOWNSTREAM_PROTOCOL, words);
	stream_close(p->stream, ERR_PROTOCOL);
}

static void
on_late(void *arg)
{
	refuse(peek_of(arg),
	    S("the client did not say in time which server it wants"));
}

/* --- what it says --------------------------------------------------------- */

static void
hand_over(struct peek *p, const struct tls_hello *h)
{
	struct stream *s = p->stream;
	const struct view_connection seen = {.destination = stream_local(s),
	    .source = stream_peer(s),
	    .tls = h != NULL,
	    .sni = slice_str(h != NULL ? h->sni : ""),
	    .alpns = h != NULL ? h->alpns : NULL,
	    .alpn_count = h != NULL ? h->alpn_count : 0};

	listener_hand_over(p->listener, s, &seen, buf_slice(&p->first));
	peek_free(p);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct peek *p = peek_of(arg);
	struct tls_hello hello;
	enum err e;

	(void)s; /* p->stream */
	if (p->over)
		return;
	e = tls_hello_feed(&p->reader, data, &hello);
	if (e == ERR_LIMIT || buf_add_slice(&p->first, data) != OK)
		refuse(p, S("the client's hello is too long"));
	else if (e != ERR_AGAIN)
		hand_over(p, e == OK ? &hello : NULL);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct peek *p = peek_of(arg);

	(void)s; /* p->stream */
	if (!p->over)
		refuse(p, S("the client ended before it said which server it "
			    "wants"));
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct peek *p = peek_of(arg);

	(void)s;   /* gone with this call */
	(void)why; /* whatever it was, the client is gone */
	if (!p->over)
		report(p, FLOW_DOWNSTREAM_CLOSED, SLICE_NONE);
	peek_free(p);
}

static const struct stream_events events = {
    .on_data = on_data, .on_eof = on_eof, .on_close = on_close};

void
peek_accept(struct worker *w, struct listener *l, struct stream *stream)
{
	struct peek *p = mem_new(sizeof(*p));

	p->magic = PEEK_MAGIC;
	p->worker = w;
	p->listener = listener_ref(l);
	p->stream = stream;
	tls_hello_reader_init(&p->reader);
	buf_init(&p->first, PEEK_BYTES_MAX);
	timer_init(&p->timer, w->loop, on_late, p);
	timer_set(&p->timer, PEEK_US);
	p->reg = (struct registered){
	    .kind = PROXY_CONN_TCP, .describe = describe, .cut = cut};
	worker_register(w, &p->reg);
	stream_set_events(stream, &events, p);
}
