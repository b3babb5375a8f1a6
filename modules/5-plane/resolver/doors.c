/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors — where questions come in: UDP and TCP of each address.
 *
 * A socket is bound to one address, so that an answer comes from where it was
 * asked. A port that is taken is tried again.
 */
#include <stdio.h>

#include "inside.h"

enum {
	IDLE_US = 10 * 1000000, /* a connection without a question */
	HELD_MAX = 16,          /* questions of one that wait */
	FRAME = 2               /* a length before each message */
};

struct door {
	struct resolver *resolver; /* NULL: it closes */
	struct addr addr;
	struct net_udp *udp;
	struct net_listener *tcp;
	struct timer again;
	unsigned left; /* of the two */
	bool told;
	char why[FAULT_TEXT_MAX];
};

struct conn {
	struct list link;
	struct resolver *resolver;
	struct stream *stream;
	struct addr peer;
	struct buf in;
	struct timer idle;
	int held;
};

/* --- the owner is told ---------------------------------------------------- */

struct news {
	struct resolver *resolver; /* a reference */
	struct addr addr;
	char why[FAULT_TEXT_MAX];
};

/* On the control loop. */
static void
on_news(void *arg)
{
	struct news *n = arg;
	const struct resolver_spec *spec = &n->resolver->spec;

	if (!n->resolver->closed && spec->on_listener != NULL)
		spec->on_listener(
		    spec->arg, &n->addr, n->why[0] != '\0' ? n->why : NULL);
	resolver_unref(n->resolver);
	mem_free(&n);
}

static void
tell_news(struct door *d, const char *why)
{
	struct resolver *r = d->resolver;
	struct news *n;

	if (r == NULL || (d->told && strcmp(d->why, why) == 0))
		return;
	d->told = true;
	(void)snprintf(d->why, sizeof(d->why), "%s", why);
	n = mem_new(sizeof(*n));
	n->resolver = r;
	n->addr = d->addr;
	(void)snprintf(n->why, sizeof(n->why), "%s", why);
	atomic_fetch_add(&r->refs, 1);
	loop_post(r->spec.control, on_news, n);
}

/* --- answers -------------------------------------------------------------- */

size_t
asker_limit(const struct asker *who, const struct dns_question *q)
{
	if (who->kind != ASKER_UDP)
		return DNS_MESSAGE_MAX;
	return q->has_edns ? MIN(q->udp_size, NET_UDP_PACKET_MAX) : DNS_UDP_MIN;
}

static void
write_frame(struct conn *c, struct slice message)
{
	char frame[FRAME] = {(char)(message.len >> 8), (char)message.len};
	enum err e =
	    stream_writev(c->stream, SLICES(slice_of(frame, FRAME), message));

	if (e != OK && e != ERR_AGAIN)
		stream_close(c->stream, e);
}

void
asker_tell(struct resolver *r, const struct asker *who, struct slice message,
    const struct outcome *o)
{
	switch (who->kind) {
	case ASKER_UDP:
		if (who->door->udp == NULL ||
		    net_udp_send(who->door->udp, &who->from, message) != OK)
			log_debug(
			    "an answer is lost", "bytes=%zu", message.len);
		break;
	case ASKER_TCP:
		if (who->conn != NULL && who->conn->stream != NULL)
			write_frame(who->conn, message);
		break;
	case ASKER_INSIDE:
		inquiry_told(r, who->inquiry, message, o);
		break;
	case ASKER_PROBE:
		break;
	}
}

/* --- UDP ------------------------------------------------------------------ */

static void
on_udp_open(struct net_udp *u, void *arg)
{
	struct door *d = arg;

	(void)u; /* the door's */
	if (d->tcp != NULL)
		tell_news(d, "");
}

static void
on_packet(
    struct net_udp *u, void *arg, const struct addr *from, struct slice packet)
{
	struct door *d = arg;
	struct asker who = {.kind = ASKER_UDP, .door = d, .from = *from};

	(void)u; /* the door's */
	if (d->resolver != NULL)
		answer_question(d->resolver, &who, packet);
}

static void
door_gone(struct door *d)
{
	if (--d->left > 0 || d->resolver != NULL)
		return;
	mem_free(&d);
}

static void
on_udp_close(
    struct net_udp *u, void *arg, enum err why, const struct fault *words)
{
	struct door *d = arg;

	(void)u; /* gone with this call */
	d->udp = NULL;
	if (d->resolver != NULL) {
		tell_news(d, words != NULL ? words->text : err_text(why));
		timer_set(&d->again, NET_RETRY_MS * UINT64_C(1000));
	}
	door_gone(d);
}

static const struct net_udp_events udp_events = {
    .on_open = on_udp_open,
    .on_packet = on_packet,
    .on_close = on_udp_close,
};

static void
open_udp(void *arg)
{
	struct door *d = arg;
	struct resolver *r = d->resolver;
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("dns");
	spec.kind = NET_DATAGRAM;
	spec.addr = d->addr;
	d->left++;
	d->udp = net_udp_open(r->spec.factory, r->loop, &spec, &udp_events, d);
}

/* --- connections ---------------------------------------------------------- */

/* Those of its questions that still wait are answered to nobody. */
static void
forget_conn(struct conn *c)
{
	LIST_EACH (&c->resolver->asks, it) {
		struct ask *a = CONTAINER(it, struct ask, link);

		if (a->asker.conn == c)
			a->asker.conn = NULL;
	}
}

static void
on_conn_close(struct stream *s, void *arg, enum err why)
{
	struct conn *c = arg;

	(void)s;   /* gone with this call */
	(void)why; /* theirs or ours */
	forget_conn(c);
	timer_clear(&c->idle);
	list_remove(&c->link);
	c->resolver->conn_count--;
	buf_fini(&c->in);
	mem_free(&c);
}

static void
on_idle(void *arg)
{
	struct conn *c = arg;

	if (c->held > 0)
		timer_set(&c->idle, IDLE_US);
	else
		stream_close(c->stream, OK);
}

void
conn_hold(struct conn *c, int more)
{
	c->held += more;
	if (!stream_is_open(c->stream))
		return;
	if (c->held >= HELD_MAX)
		stream_pause(c->stream, STREAM_PAUSE_FILTER);
	else
		stream_resume(c->stream, STREAM_PAUSE_FILTER);
}

/* True if one message was whole. */
static bool
take_message(struct conn *c)
{
	struct slice got = buf_slice(&c->in);
	struct asker who = {.kind = ASKER_TCP, .conn = c, .from = c->peer};
	char message[DNS_QUESTION_BYTES];
	size_t len;

	if (got.len < FRAME || stream_is_closing(c->stream))
		return false;
	len = (size_t)(uint8_t)got.ptr[0] << 8 | (uint8_t)got.ptr[1];
	if (len > DNS_QUESTION_BYTES || len < DNS_HEAD_LEN) {
		stream_close(c->stream, ERR_LIMIT);
		return false;
	}
	if (got.len < FRAME + len)
		return false;
	memcpy(message, got.ptr + FRAME, len);
	buf_consume(&c->in, FRAME + len);
	answer_question(c->resolver, &who, slice_of(message, len));
	return true;
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct conn *c = arg;

	timer_set(&c->idle, IDLE_US);
	while (data.len > 0 && !stream_is_closing(s)) {
		struct slice part = slice_sub(data, 0, DNS_QUESTION_BYTES);

		if (buf_add_slice(&c->in, part) != OK) {
			stream_close(s, ERR_LIMIT);
			return;
		}
		data = slice_sub(data, part.len, data.len);
		while (take_message(c))
			;
	}
}

static void
on_eof(struct stream *s, void *arg)
{
	struct conn *c = arg;

	if (c->held == 0)
		stream_close(s, OK);
	else
		timer_set(&c->idle, IDLE_US);
}

static const struct stream_events conn_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_close = on_conn_close,
};

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct door *d = arg;
	struct resolver *r = d->resolver;
	struct conn *c = mem_new(sizeof(*c));

	(void)l; /* the door's */
	c->resolver = r;
	c->peer = *peer;
	buf_init(&c->in, 2 * DNS_QUESTION_BYTES + FRAME);
	timer_init(&c->idle, r->loop, on_idle, c);
	list_push_back(&r->conns, &c->link);
	r->conn_count++;
	c->stream = net_stream_new(r->loop, fd, &conn_events, c);
	timer_set(&c->idle, IDLE_US);
	if (r->conn_count > RESOLVER_CONNS_MAX)
		stream_close(c->stream, ERR_BUSY);
}

static void
on_tcp_open(struct net_listener *l, void *arg)
{
	struct door *d = arg;

	(void)l; /* the door's */
	if (d->udp != NULL)
		tell_news(d, "");
}

static void
on_tcp_wait(struct net_listener *l, void *arg, const struct fault *words)
{
	(void)l; /* the door's */
	tell_news(arg, words->text);
}

static void
on_tcp_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct door *d = arg;

	(void)l;   /* gone with this call */
	(void)why; /* our own wish */
	(void)words;
	d->tcp = NULL;
	door_gone(d);
}

static const struct net_listener_events listener_events = {
    .on_open = on_tcp_open,
    .on_accept = on_accept,
    .on_wait = on_tcp_wait,
    .on_close = on_tcp_close,
};

/* --- doors ---------------------------------------------------------------- */

struct door *
door_open(struct resolver *r, const struct addr *a)
{
	struct door *d = mem_new(sizeof(*d));
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	d->resolver = r;
	d->addr = *a;
	timer_init(&d->again, r->loop, open_udp, d);
	spec.name = S("dns");
	spec.kind = NET_LISTEN;
	spec.addr = *a;
	spec.options = NET_NODELAY;
	d->left++;
	d->tcp = net_listener_open(
	    r->spec.factory, r->loop, &spec, &listener_events, d);
	open_udp(d);
	return d;
}

void
door_close(struct door **dp)
{
	struct door *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	d->resolver = NULL;
	timer_clear(&d->again);
	if (d->udp != NULL)
		net_udp_close(d->udp);
	if (d->tcp != NULL)
		net_listener_close(d->tcp);
}

void
conns_close(struct resolver *r)
{
	LIST_EACH (&r->conns, it)
		stream_close(
		    CONTAINER(it, struct conn, link)->stream, ERR_CANCELLED);
}
