/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner — see owner.h.
 */
#include "owner.h"

#include <stdio.h>
#include <unistd.h>

static void
on_open(struct stream *s, void *arg)
{
	struct owner *o = arg;

	CHECK(o->stream == s && o->opens == 0);
	o->opens++;
	if (o->then_open != NULL)
		o->then_open(o);
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct owner *o = arg;

	CHECK(o->stream == s && o->eofs == 0 && o->closes == 0);
	CHECK(data.len > 0);
	CHECK(!stream_is_paused(s) && !stream_is_closing(s));
	o->datas++;
	o->largest = MAX(o->largest, data.len);
	CHECK(buf_add_slice(&o->got, data) == OK);
	if (o->then_data != NULL)
		o->then_data(o, data);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct owner *o = arg;

	CHECK(o->stream == s && o->eofs == 0 && o->closes == 0);
	o->eofs++;
	if (o->then_eof != NULL)
		o->then_eof(o);
}

static void
on_drained(struct stream *s, void *arg)
{
	struct owner *o = arg;

	CHECK(o->stream == s && o->closes == 0);
	o->drains++;
	if (o->then_drained != NULL)
		o->then_drained(o);
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct owner *o = arg;

	CHECK(o->stream == s && o->closes == 0);
	o->closes++;
	o->why = why;
	if (o->then_close != NULL)
		o->then_close(o);
	o->stream = NULL;
}

const struct stream_events owner_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

void
owner_fini(struct owner *o)
{
	buf_fini(&o->got);
}

void
owner_set(struct owner *o, struct stream *s)
{
	o->stream = s;
	stream_set_events(s, &owner_events, o);
}

/* --- links --- */

static void
on_listening(struct net_listener *l, void *arg)
{
	struct link *k = arg;

	k->listening = true;
	k->addr = net_listener_addr(l);
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct link *k = arg;

	(void)l;
	CHECK(k->accepted < 0);
	k->accepted = fd;
	k->peer = *peer;
}

static void
on_listener_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct link *k = arg;

	(void)l;
	CHECK(why == OK && words == NULL);
	k->listener_closes++;
}

static const struct net_listener_events listener_events = {
    .on_open = on_listening,
    .on_accept = on_accept,
    .on_close = on_listener_close,
};

void
link_listen(struct link *k, enum link_kind kind)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	static unsigned serial;

	memset(k, 0, sizeof(*k));
	k->client = (struct owner)OWNER;
	k->server = (struct owner)OWNER;
	k->accepted = -1;
	k->loop = loop_new(NULL);
	k->factory = net_factory_new();
	spec.name = S("link");
	spec.options = NET_KEEPALIVE | NET_NODELAY;
	snprintf(k->path, sizeof(k->path), "/tmp/meshd-net-%d-%u", getpid(),
	    serial++);
	if (kind == LINK_UNIX) {
		spec.kind = NET_UNIX;
		spec.path = slice_str(k->path);
	} else {
		spec.kind = NET_LISTEN;
		CHECK(addr_parse_ip(kind == LINK_V4 ? S("127.0.0.1") : S("::1"),
			  &spec.addr) == OK);
	}
	k->listener =
	    net_listener_open(k->factory, k->loop, &spec, &listener_events, k);
	UNTIL(k->loop, k->listening);
}

void
link_open(struct link *k, enum link_kind kind)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	link_listen(k, kind);
	spec.addr = k->addr;
	if (kind == LINK_UNIX)
		spec.path = slice_str(k->path);
	k->client.stream =
	    net_connect(k->loop, &spec, &owner_events, &k->client);
	UNTIL(k->loop, k->accepted >= 0 && k->client.opens == 1);
	k->server.stream =
	    net_stream_new(k->loop, k->accepted, &owner_events, &k->server);
}

void
link_close(struct link *k)
{
	if (k->client.stream != NULL)
		stream_close(k->client.stream, ERR_CANCELLED);
	if (k->server.stream != NULL)
		stream_close(k->server.stream, ERR_CANCELLED);
	net_listener_close(k->listener);
	loop_settle(k->loop);
	CHECK(k->client.stream == NULL && k->server.stream == NULL);
	CHECK(k->listener_closes == 1);
	unlink(k->path);
	owner_fini(&k->client);
	owner_fini(&k->server);
	net_factory_free(&k->factory);
	loop_free(&k->loop);
}
