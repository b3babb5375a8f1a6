/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api — bytes of a client at the small HTTP server of sockets and of 15012.
 *
 * The first byte chooses the protocol and how requests are answered: at once,
 * later, in pieces, not before the client has left, or before their body.
 * Parameters come back decoded and are plain text; each exchange ends once, and
 * the connection too.
 */
#include "http/http.h"
#include "net/net.h"

#include "far.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_S = 10, BODY_MAX = 2048, WAITING_MAX = 64 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"
			      "\0\0\0\4\1\0\0\0\0";

static struct clock_fake fake;
static uint8_t mode;
static unsigned conns; /* that owe their end */
static struct http_exchange *waiting[WAITING_MAX];
static size_t waiting_count;

/* --- answers -------------------------------------------------------------- */

static void
answer(struct http_exchange *x)
{
	struct slice body = http_exchange_body(x);

	if (http_exchange_set(x, S("x-seen"), S("1")) != OK)
		CHECK(false); /* one field always fits */
	if (!(mode & 2)) {
		http_exchange_respond(x, 200, S("text/plain"), body);
		return;
	}
	http_exchange_begin(x, 200, S("text/plain"), NULL, NULL);
	for (int i = 0; i < 3; i++) {
		enum err e = http_exchange_write(x, S("piece\n"));

		CHECK(e == OK || e == ERR_AGAIN || e == ERR_CLOSED);
	}
	http_exchange_end(x);
}

static void
on_gone(void *arg)
{
	for (size_t i = 0; i < waiting_count; i++)
		if (waiting[i] == arg) {
			waiting[i] = waiting[--waiting_count];
			return;
		}
	CHECK(false);
}

static void
check_request(struct http_exchange *x)
{
	const struct http_head *h = http_exchange_head(x);
	struct slice path = http_exchange_path(x);
	struct slice value = SLICE_NONE;

	CHECK(h->method.len > 0 && h->count <= LIMIT_HEAD_FIELDS);
	CHECK(http_exchange_body(x).len <= BODY_MAX);
	CHECK(slice_find(path, '?') == path.len);
	if (http_exchange_param(x, S("a"), &value))
		CHECK(value.len <= http_exchange_query(x).len);
}

static void
answer_or_wait(struct http_exchange *x)
{
	check_request(x);
	if (!(mode & 4) || waiting_count == WAITING_MAX) {
		answer(x);
		return;
	}
	waiting[waiting_count++] = x;
	http_exchange_on_gone(x, on_gone, x);
}

static bool
on_head(void *arg, struct http_exchange *x)
{
	(void)arg;
	CHECK(http_exchange_body(x).len == 0);
	if (!(mode & 64))
		return true;
	answer_or_wait(x);
	return false;
}

static void
on_request(void *arg, struct http_exchange *x)
{
	(void)arg;
	CHECK(!(mode & 64));
	answer_or_wait(x);
}

static void
on_grpc(void *arg, struct http2_stream *s, struct http_head *h, void *conn_arg)
{
	(void)arg;
	CHECK(grpc_is_request(h) && conn_arg == &conns);
	grpc_refuse(s, GRPC_UNIMPLEMENTED, S("not here"));
}

static void
on_conn_close(void *arg, void *conn_arg)
{
	(void)arg;
	CHECK(conn_arg == &conns && conns == 1);
	conns--;
}

/* --- the client ----------------------------------------------------------- */

static void
send(struct loop *l, struct stream **far, struct slice bytes)
{
	/* Who was cut off says no more. */
	if (*far != NULL && stream_write(*far, bytes) > ERR_AGAIN)
		settle(l);
	settle(l);
}

static void
talk(struct loop *l, struct http_server *server, struct slice bytes)
{
	struct net_pair_spec pair = {.chunk = mode & 8 ? 1 : 0};
	struct stream *near, *far;

	net_pair_new(l, &pair, &near, &far);
	stream_set_events(far, &far_events, &far);
	conns = 1;
	http_server_serve(
	    server, near, mode & 1 ? HTTP_PROTO_2 : HTTP_PROTO_1, &conns);
	settle(l);
	if (mode & 1)
		send(l, &far, slice_of(preface, sizeof(preface) - 1));
	send(l, &far, bytes);
	if (mode & 16)
		while (waiting_count > 0)
			answer(waiting[--waiting_count]);
	settle(l);
	if (far != NULL)
		stream_close(far, mode & 32 ? ERR_RESET : OK);
	for (int s = 0; s < 120; s += STEP_S) {
		settle(l);
		clock_fake_advance(&fake, STEP_S * 1000000);
	}
	settle(l);
	while (waiting_count > 0)
		answer(waiting[--waiting_count]); /* into the void */
	settle(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct clock clock = clock_fake_as_clock(&fake);
	AUTO(loop_free) struct loop *l = NULL;
	struct http_server_spec spec = {.on_head = on_head,
	    .on_request = on_request,
	    .on_grpc = on_grpc,
	    .on_conn_close = on_conn_close,
	    .body_limit = BODY_MAX};
	struct http_server *server;

	if (size < 1 || size > 1 << 14)
		return 0;
	fake.mono_us = 1;
	mode = data[0];
	waiting_count = 0;
	l = loop_new(&clock);
	spec.loop = l;
	server = http_server_new(&spec);
	talk(l, server, slice_of(data + 1, size - 1));
	CHECK(http_server_conns(server) == conns);
	http_server_free(&server);
	settle(l);
	CHECK(conns == 0 && waiting_count == 0);
	return 0;
}
