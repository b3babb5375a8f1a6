/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip_io — ties the pure machine to the loop: UDP, TCP calls, one timer.
 *
 * UDP is opened first, TCP then on the port that it got. Events of the machine
 * are copied and told at the end of the turn, so that their owner may call
 * back. A call is one connection: request, answer, end.
 */
#define LOG_MODULE "gossip"

#include <unistd.h>

#include "core.h"
#include "gossip_io.h"

enum {
	CALL_MAGIC = 0x60551bca,
	CALLS_MAX = 64, /* each way */
	CALL_TIMEOUT_US = 5000000,
	TRIES_MAX = 8
};

/* An event with copies of the members that it speaks of. */
struct told {
	struct list link;
	struct gossip_event event;
	struct gossip_member member;
	struct gossip_member other;
	char node[GOSSIP_NAME_MAX + 1];
};

struct call {
	uint32_t magic;
	struct list link;
	struct gossip *g;
	struct stream *stream;
	struct timer deadline;
	struct buf in;
	struct addr to; /* outgoing */
	uint8_t head[CALL_HEAD];
	uint8_t hops;
	bool outgoing;
	bool done;
};

struct core_time
gossip_io_now(const struct gossip *g)
{
	return (struct core_time){loop_now_us(g->loop) / 1000,
	    clock_wall_ms(loop_clock(g->loop)) / 1000};
}

/* --- telling the owner ---------------------------------------------------- */

static void
queue_event(struct gossip *g, const struct gossip_event *e)
{
	struct told *t = mem_new(sizeof(*t));

	t->event = *e;
	if (e->member != NULL) {
		t->member = *e->member;
		t->event.member = &t->member;
	}
	if (e->other != NULL) {
		t->other = *e->other;
		t->event.other = &t->other;
	}
	/* A name that a revocation could say, so it fits. */
	CHECK(slice_to_cstr(e->node, t->node, sizeof(t->node)) == OK);
	t->event.node = slice_str(t->node);
	list_push_back(&g->told, &t->link);
	loop_later(g->loop, &g->tell);
}

static void
queue_simple(struct gossip *g, enum gossip_event_type type, enum err err)
{
	struct gossip_event e = {.type = type, .err = err};

	queue_event(g, &e);
}

static void
drop_told(struct gossip *g)
{
	while (!list_empty(&g->told)) {
		struct told *t = LIST_FIRST(&g->told, struct told, link);

		list_remove(&t->link);
		mem_free(&t);
	}
}

static void
end(struct gossip *g)
{
	struct gossip_event e = {.type = GOSSIP_EVENT_CLOSED};
	gossip_event_cb on_event = g->config.on_event;
	void *arg = g->config.arg;

	/* A close from within tell() arranged it once more. */
	loop_later_cancel(&g->tell);
	drop_told(g);
	core_free(&g->core);
	packets_free(&g->packets);
	mem_free(&g);
	on_event(arg, &e);
}

static bool
is_all_closed(const struct gossip *g)
{
	return g->closing && g->udp == NULL && g->listener == NULL &&
	       list_empty(&g->calls);
}

static void
tell(void *arg)
{
	struct gossip *g;

	OBJ(g, arg, GOSSIP_MAGIC);
	while (!g->closing && !list_empty(&g->told)) {
		struct told *t = LIST_FIRST(&g->told, struct told, link);

		list_remove(&t->link);
		g->config.on_event(g->config.arg, &t->event);
		mem_free(&t);
	}
	if (!g->closing && g->left && g->on_left != NULL) {
		void (*on_left)(void *) = g->on_left;

		g->on_left = NULL;
		on_left(g->on_left_arg);
	}
	if (is_all_closed(g))
		end(g);
}

/* --- steps ---------------------------------------------------------------- */

void
gossip_io_rearm(struct gossip *g)
{
	uint64_t due;
	uint64_t now = loop_now_us(g->loop) / 1000;

	if (!g->ready || g->closing)
		return;
	due = core_due_ms(g->core);
	timer_set(&g->timer, (due > now ? due - now : 0) * 1000);
}

static void
step(struct gossip *g, const struct core_input *in)
{
	if (g->closing)
		return;
	core_step(g->core, gossip_io_now(g), in);
	gossip_io_rearm(g);
}

static void
on_timer(void *arg)
{
	static const struct core_input tick = {.type = CORE_TICK};
	struct gossip *g;

	OBJ(g, arg, GOSSIP_MAGIC);
	step(g, &tick);
}

/* --- calls ---------------------------------------------------------------- */

static void
call_free(struct call *c)
{
	struct gossip *g = c->g;

	list_remove(&c->link);
	if (c->outgoing)
		g->calls_out--;
	else
		g->calls_in--;
	timer_clear(&c->deadline);
	buf_fini(&c->in);
	mem_free(&c);
	if (is_all_closed(g))
		loop_later(g->loop, &g->tell);
}

static void
on_call_close(struct stream *s, void *arg, enum err why)
{
	struct call *c;

	(void)s;
	(void)why; /* a lost call is just lost; the machine asks again */
	OBJ(c, arg, CALL_MAGIC);
	call_free(c);
}

static void
on_call_deadline(void *arg)
{
	struct call *c;

	OBJ(c, arg, CALL_MAGIC);
	stream_close(c->stream, ERR_TIMEOUT);
}

static void
on_message(struct call *c, struct slice message)
{
	struct gossip *g = c->g;
	size_t len = message.len - CALL_OVERHEAD;
	AUTO(mem_free) uint8_t *payload = mem_try(MAX(len, 1));
	struct core_input in = {.type = c->outgoing ? CORE_REPLY : CORE_REQUEST,
	    .from = c->outgoing ? c->to : stream_peer(c->stream),
	    .hops = c->hops};

	if (payload == NULL ||
	    call_open(g->packets, c->outgoing ? c->head : NULL, message,
		payload, &in.sender) != OK) {
		g->core->stats.drop_key++;
		stream_close(c->stream, ERR_AUTH);
		return;
	}
	in.payload = slice_of(payload, len);
	if (!c->outgoing) {
		memcpy(c->head, message.ptr, CALL_HEAD);
		g->core->stats.calls_in++;
		g->answering = c;
	}
	step(g, &in);
	g->answering = NULL;
	stream_close(c->stream, OK);
}

static void
on_call_data(struct stream *s, void *arg, struct slice data)
{
	struct call *c;
	size_t whole;

	OBJ(c, arg, CALL_MAGIC);
	if (c->done)
		return;
	if (buf_add_slice(&c->in, data) != OK ||
	    call_length(buf_slice(&c->in), &whole) != OK) {
		c->g->core->stats.drop_malformed++;
		stream_close(s, ERR_PROTOCOL);
		return;
	}
	if (whole == 0 || buf_len(&c->in) < whole)
		return;
	c->done = true;
	on_message(c, slice_sub(buf_slice(&c->in), 0, whole));
}

static void
on_call_eof(struct stream *s, void *arg)
{
	struct call *c;

	OBJ(c, arg, CALL_MAGIC);
	if (!c->done)
		stream_close(s, ERR_EOF);
}

static const struct stream_events call_events = {
    .on_data = on_call_data,
    .on_eof = on_call_eof,
    .on_close = on_call_close,
};

static struct call *
call_new(struct gossip *g, bool outgoing)
{
	struct call *c = mem_new(sizeof(*c));

	c->magic = CALL_MAGIC;
	c->g = g;
	c->outgoing = outgoing;
	buf_init(&c->in, LIMIT_GOSSIP_STREAM);
	timer_init(&c->deadline, g->loop, on_call_deadline, c);
	timer_set(&c->deadline, CALL_TIMEOUT_US);
	list_push_back(&g->calls, &c->link);
	if (outgoing)
		g->calls_out++;
	else
		g->calls_in++;
	return c;
}

static void
write_message(struct call *c, const uint8_t *bytes, size_t len)
{
	enum err err;

	stream_set_high_mark(c->stream, LIMIT_GOSSIP_STREAM);
	err = stream_write(c->stream, slice_of(bytes, len));
	if (err != OK && err != ERR_AGAIN)
		stream_close(c->stream, err);
}

static void
start_call(struct gossip *g, const struct core_action *a)
{
	size_t len = CALL_OVERHEAD + a->payload.len;
	AUTO(mem_free) uint8_t *bytes = NULL;
	struct net_connect_spec spec = NET_CONNECT_SPEC;
	struct call *c;

	if (!g->ready || g->calls_out >= CALLS_MAX)
		return;
	bytes = mem_try(len);
	if (bytes == NULL) {
		g->core->stats.drop_limit++;
		return;
	}
	g->core->stats.calls_out++;
	c = call_new(g, /* outgoing */ true);
	c->to = a->to;
	c->hops = a->hops;
	spec.addr = a->to;
	spec.timeout_us = CALL_TIMEOUT_US;
	c->stream = net_connect(g->loop, &spec, &call_events, c);
	call_seal(g->packets, a->payload, bytes);
	memcpy(c->head, bytes, CALL_HEAD);
	write_message(c, bytes, len);
}

static void
send_answer(struct gossip *g, const struct core_action *a)
{
	size_t len = CALL_OVERHEAD + a->payload.len;
	AUTO(mem_free) uint8_t *bytes = mem_try(len);

	CHECK(g->answering != NULL);
	if (bytes == NULL) {
		g->core->stats.drop_limit++;
		return;
	}
	call_answer(g->packets, g->answering->head, a->payload, bytes);
	write_message(g->answering, bytes, len);
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct gossip *g;
	struct call *c;

	(void)l;
	(void)peer;
	OBJ(g, arg, GOSSIP_MAGIC);
	if (g->closing || g->calls_in >= CALLS_MAX) {
		(void)close(fd); /* it asks again, or another */
		return;
	}
	c = call_new(g, /* outgoing */ false);
	c->stream = net_stream_new(g->loop, fd, &call_events, c);
}

/* --- what the machine wants ----------------------------------------------- */

static void
send_packet(struct gossip *g, const struct core_action *a)
{
	uint8_t sealed[LIMIT_GOSSIP_PACKET];
	size_t len;

	if (!g->ready)
		return;
	len = packets_seal(g->packets, a->payload, sealed);
	g->core->stats.packets_out++;
	g->core->stats.bytes_out += len;
	/* A full queue loses packets as the network does. */
	if (net_udp_send(g->udp, &a->to, slice_of(sealed, len)) != OK)
		g->core->stats.drop_send++;
}

static void
on_action(void *arg, const struct core_action *a)
{
	struct gossip *g;

	OBJ(g, arg, GOSSIP_MAGIC);
	switch (a->type) {
	case CORE_SEND:
		send_packet(g, a);
		break;
	case CORE_CALL:
		start_call(g, a);
		break;
	case CORE_ANSWER:
		send_answer(g, a);
		break;
	case CORE_EVENT:
		queue_event(g, &a->event);
		break;
	case CORE_LEFT:
		g->left = true;
		loop_later(g->loop, &g->tell);
		break;
	}
}

/* --- sockets -------------------------------------------------------------- */

static void
on_packet(
    struct net_udp *u, void *arg, const struct addr *from, struct slice packet)
{
	uint8_t payload[PACKET_PAYLOAD_MAX];
	struct core_input in = {.type = CORE_PACKET, .from = *from};
	struct gossip *g;
	size_t len;
	enum err err;

	(void)u;
	OBJ(g, arg, GOSSIP_MAGIC);
	if (!g->ready || g->closing)
		return;
	g->core->stats.bytes_in += packet.len;
	err = packets_open(g->packets, packet, payload, &len, &in.sender);
	if (err == OK)
		g->core->stats.packets_in++;
	else if (err == ERR_EXISTS)
		g->core->stats.drop_replay++;
	else if (err == ERR_PARSE)
		g->core->stats.drop_malformed++;
	else
		g->core->stats.drop_key++;
	if (err != OK)
		return;
	in.payload = slice_of(payload, len);
	step(g, &in);
}

static void
on_socket_gone(struct gossip *g, enum err why)
{
	g->ready = false;
	if (!g->closing)
		queue_simple(g, GOSSIP_EVENT_FAILED, why);
	else if (is_all_closed(g))
		loop_later(g->loop, &g->tell);
}

static void open_udp(struct gossip *g);

static void
on_udp_close(
    struct net_udp *u, void *arg, enum err why, const struct fault *words)
{
	struct gossip *g;

	(void)u;
	OBJ(g, arg, GOSSIP_MAGIC);
	if (words != NULL)
		log_debug("gossip socket failed", "why=%s", words->text);
	g->udp = NULL;
	if (g->another && !g->closing)
		open_udp(g);
	else
		on_socket_gone(g, why);
	g->another = false;
}

/* UDP got a port that somebody has for TCP. */
static bool
may_try_another(struct gossip *g, enum err why)
{
	return why == ERR_BUSY && g->config.bind.port == 0 && !g->closing &&
	       g->udp != NULL && g->tries++ < TRIES_MAX;
}

static void
on_listener_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct gossip *g;

	(void)l;
	OBJ(g, arg, GOSSIP_MAGIC);
	if (words != NULL)
		log_debug("gossip listener failed", "why=%s", words->text);
	g->listener = NULL;
	g->another = may_try_another(g, why);
	if (g->another)
		net_udp_close(g->udp);
	else
		on_socket_gone(g, why);
}

void
gossip_set_advertise(struct gossip *g, const struct addr *advertise)
{
	struct addr a = *advertise;

	g->config.advertise = a;
	if (!g->ready)
		return; /* its port may not be known */
	if (a.port == 0)
		a.port = gossip_port(g);
	core_set_advertise(g->core, gossip_io_now(g), &a);
	gossip_io_rearm(g);
}

static void
on_listening(struct net_listener *l, void *arg)
{
	struct gossip *g;
	struct addr advertise;

	(void)l;
	OBJ(g, arg, GOSSIP_MAGIC);
	if (g->closing)
		return;
	g->ready = true;
	advertise = g->config.advertise;
	gossip_set_advertise(g, &advertise);
	queue_simple(g, GOSSIP_EVENT_READY, OK);
	gossip_io_rearm(g);
}

static void
on_udp_open(struct net_udp *u, void *arg)
{
	static const struct net_listener_events events = {
	    .on_open = on_listening,
	    .on_accept = on_accept,
	    .on_close = on_listener_close,
	};
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	struct gossip *g;

	OBJ(g, arg, GOSSIP_MAGIC);
	if (g->closing)
		return;
	spec.name = S("gossip-tcp");
	spec.kind = NET_LISTEN;
	spec.addr = g->config.bind;
	spec.addr.port = net_udp_addr(u).port;
	g->listener =
	    net_listener_open(g->config.factory, g->loop, &spec, &events, g);
}

static void
open_udp(struct gossip *g)
{
	static const struct net_udp_events events = {
	    .on_open = on_udp_open,
	    .on_packet = on_packet,
	    .on_close = on_udp_close,
	};
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	spec.name = S("gossip-udp");
	spec.kind = NET_DATAGRAM;
	spec.addr = g->config.bind;
	g->udp = net_udp_open(g->config.factory, g->loop, &spec, &events, g);
}

/* --- birth and end -------------------------------------------------------- */

static enum err
make_machine(
    struct gossip *g, const struct gossip_config *config, struct fault *why)
{
	struct core_config cc = {.voucher = config->voucher,
	    .trust = config->trust,
	    .revoked = config->revoked,
	    .advertise = config->advertise,
	    .verify = crypto_ed25519_verify,
	    .sink = on_action,
	    .arg = g};
	enum err err;

	memcpy(cc.secret_key, config->secret_key, sizeof(cc.secret_key));
	crypto_random(&cc.boot, sizeof(cc.boot));
	crypto_random(&cc.seed, sizeof(cc.seed));
	err = core_new(&cc, gossip_io_now(g), &g->core, why);
	secret_wipe(cc.secret_key, sizeof(cc.secret_key));
	if (err != OK)
		return err;
	g->packets = packets_new(config->mesh, &g->core->self->pub.id, cc.boot);
	err = packets_set_keyring(g->packets, &config->keyring);
	if (err != OK)
		return fault_set(why, err,
		    "the gossip keys are empty or one number is there twice");
	core_restore(g->core, gossip_io_now(g), config->saved);
	return OK;
}

MUST_USE enum err
gossip_open(struct loop *loop, const struct gossip_config *config,
    struct gossip **out, struct fault *why)
{
	struct gossip *g = mem_new(sizeof(*g));
	enum err err;

	g->magic = GOSSIP_MAGIC;
	g->loop = loop;
	g->config.bind = config->bind;
	g->config.advertise = config->advertise;
	g->config.factory = config->factory;
	g->config.on_event = config->on_event;
	g->config.arg = config->arg;
	list_init(&g->calls);
	list_init(&g->told);
	loop_later_init(&g->tell, tell, g);
	timer_init(&g->timer, loop, on_timer, g);
	err = make_machine(g, config, why);
	if (err != OK) {
		loop_later_cancel(&g->tell);
		drop_told(g);
		core_free(&g->core);
		packets_free(&g->packets);
		mem_free(&g);
		return err;
	}
	open_udp(g);
	*out = g;
	return OK;
}

void
gossip_close(struct gossip **gp)
{
	struct gossip *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	g->closing = true;
	g->ready = false;
	timer_clear(&g->timer);
	if (g->udp != NULL)
		net_udp_close(g->udp);
	if (g->listener != NULL)
		net_listener_close(g->listener);
	LIST_EACH (&g->calls, it)
		stream_close(
		    CONTAINER(it, struct call, link)->stream, ERR_CANCELLED);
	loop_later(g->loop, &g->tell);
}
