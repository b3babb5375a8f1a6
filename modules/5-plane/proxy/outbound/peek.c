/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek — a client, until it has said who it is and what it wants; see peek.h.
 *
 *	(PROXY header) --> (hello, or none) --> the listener's: this is gone
 *	    `---------------------`--- no such, too long, too late, client gone
 *					`--> closed, reported
 */
#define LOG_MODULE "proxy"

#include "outbound/peek.h"

#include "proxy_header.h"
#include "snapshot.h"

#include <stdio.h>

enum { PEEK_MAGIC = 0x7065656b };

struct peek {
	uint32_t magic;
	struct worker *worker;
	struct listener *listener; /* counted */
	struct stream *stream;
	unsigned left; /* enum peek_for: what is to come yet */
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
	listener_leave(&p->listener);
	worker_unregister(&p->reg);
	p->magic = 0;
	mem_free(&p);
}

/* --- the end without a word ----------------------------------------------- */

static void
report(struct peek *p, enum flow_flag flag, struct slice detail)
{
	const struct view_caller *from =
	    listener_caller(p->listener, p->worker->now->view);
	const struct loop *l = p->worker->loop;
	const struct flow_record f = {.kind = FLOW_TCP_REFUSED,
	    .reporter = FLOW_SOURCE,
	    .flag = flag,
	    .detail = detail,
	    .protocol = S("tcp"),
	    .start_wall_ms = clock_wall_ms(loop_clock(l)),
	    .downstream_remote = stream_peer(p->stream),
	    .downstream_local = stream_local(p->stream),
	    .source = from->party,
	    .duration_us = loop_now_us(l) - p->reg.since_us};

	p->over = true;
	worker_report(p->worker, &f);
}

static void
refuse(struct peek *p, struct slice words)
{
	if (p->left & PEEK_HEADER)
		worker_refused(p->worker, REFUSED_CLIENT, "proxy_header");
	listener_refused(p->listener, words);
	report(p, FLOW_DOWNSTREAM_PROTOCOL, words);
	stream_close(p->stream, ERR_PROTOCOL);
}

static void
on_late(void *arg)
{
	struct peek *p = peek_of(arg);

	refuse(
	    p, p->left & PEEK_HEADER
		   ? S("the client's PROXY header did not come in time")
		   : S("the client did not say in time which server it wants"));
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

/* False: all of it is not here yet, or it is refused. */
static bool
read_header(struct peek *p)
{
	struct proxy_header h;
	struct slice why;
	enum err e = proxy_header_read(buf_slice(&p->first), &h, &why);

	if (e != OK && e != ERR_AGAIN)
		refuse(p, why);
	if (e != OK)
		return false;
	if (h.is_for_another)
		net_stream_set_ends(p->stream, &h.source, &h.destination);
	buf_consume(&p->first, h.len);
	p->left &= ~(unsigned)PEEK_HEADER;
	return true;
}

static void
read_hello(struct peek *p, struct slice more)
{
	struct tls_hello hello;
	enum err e = tls_hello_feed(&p->reader, more, &hello);

	if (e == ERR_LIMIT)
		refuse(p, S("the client's hello is too long"));
	else if (e != ERR_AGAIN)
		hand_over(p, e == OK ? &hello : NULL);
}

static void
on_silence(void *arg)
{
	struct peek *p = peek_of(arg);

	stream_pause(p->stream, STREAM_PAUSE_NOT_READY);
	hand_over(p, NULL);
}

/* It has begun, and says all of it. */
static void
expect_rest(struct peek *p)
{
	if ((p->left & PEEK_SILENCE) == 0)
		return;
	p->left &= ~(unsigned)PEEK_SILENCE;
	timer_clear(&p->timer);
	timer_init(&p->timer, p->worker->loop, on_late, p);
	timer_set(&p->timer, PEEK_US);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct peek *p = peek_of(arg);

	(void)s; /* p->stream */
	if (p->over)
		return;
	if (buf_add_slice(&p->first, data) != OK) {
		refuse(p, S("the client's hello is too long"));
		return;
	}
	expect_rest(p);
	if (p->left & PEEK_HEADER) {
		if (!read_header(p))
			return;
		data = buf_slice(&p->first);
	}
	if ((p->left & PEEK_HELLO) == 0)
		hand_over(p, NULL);
	else if (data.len > 0)
		read_hello(p, data);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct peek *p = peek_of(arg);

	(void)s; /* p->stream */
	if (p->over)
		return;
	if (p->left & PEEK_SILENCE)
		hand_over(p, NULL);
	else
		refuse(p,
		    p->left & PEEK_HEADER
			? S("the client ended before its PROXY header did")
			: S("the client ended before it said which server it "
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
peek_accept(struct worker *w, struct listener *l, struct stream *stream,
    unsigned what, struct slice first)
{
	struct peek *p = mem_new(sizeof(*p));

	p->magic = PEEK_MAGIC;
	p->worker = w;
	p->listener = listener_join(l);
	p->stream = stream;
	p->left = what;
	tls_hello_reader_init(&p->reader);
	buf_init(&p->first, PEEK_BYTES_MAX);
	timer_init(
	    &p->timer, w->loop, what & PEEK_SILENCE ? on_silence : on_late, p);
	timer_set(&p->timer, what & PEEK_SILENCE ? PEEK_SILENCE_US : PEEK_US);
	p->reg = (struct registered){
	    .kind = PROXY_CONN_TCP, .describe = describe, .cut = cut};
	worker_register(w, &p->reg);
	stream_set_events(stream, &events, p);
	stream_resume(stream, STREAM_PAUSE_NOT_READY); /* if it waited */
	if (first.len > 0)
		on_data(stream, p, first);
}
