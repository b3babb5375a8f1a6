/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — a service on loopback that answers as the test says.
 */
#include "scene.h"

#include "codec/codec.h"
#include "unit.h"

#include <stdio.h>

enum { ARENA_MAX = 1 << 20 };

/* --- policies ------------------------------------------------------------- */

struct resource *
policy(const char *spec)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct fault why = {0};
	const struct value *doc;
	struct resource *r = NULL;
	struct slice text;

	arena_init(&arena, ARENA_MAX);
	text = arena_printf(&arena,
	    "{\"apiVersion\":\"meshd.dev/v1\",\"kind\":\"HealthCheckPolicy\","
	    "\"metadata\":{\"name\":\"a\"},\"spec\":%s}",
	    spec);
	EXPECT_OK(codec_json_parse(text, &arena, &doc, &why));
	EXPECT_OK(resource_decode(doc, &source, &r, &found));
	return r;
}

/* --- the service ---------------------------------------------------------- */

static void
on_request(void *arg, struct http_exchange *x)
{
	static const char zeros[2 * HEALTH_BODY_MAX];
	struct scene *s = arg;
	struct slice probe = S("");

	s->asked++;
	EXPECT_OK(slice_to_cstr(
	    http_exchange_head(x)->path, s->path, sizeof(s->path)));
	(void)http_head_get(http_exchange_head(x), S("x-probe"), &probe);
	EXPECT_OK(slice_to_cstr(probe, s->probe, sizeof(s->probe)));
	if (s->silent)
		s->kept = x;
	else
		http_exchange_respond(
		    x, s->status, S("text/plain"), slice_of(zeros, s->body));
}

static void
on_question(void *arg, struct grpc_call *c, struct slice message)
{
	struct scene *s = arg;

	EXPECT_TRUE(message.len < sizeof(s->asked_for) / 2);
	for (size_t i = 0; i < message.len; i++)
		(void)snprintf(s->asked_for + 2 * i, 3, "%02x",
		    (unsigned char)message.ptr[i]);
	if (s->serving.len > 0)
		EXPECT_OK(grpc_call_send(c, s->serving));
	grpc_call_finish(c, GRPC_OK, SLICE_NONE);
}

static void
on_call_close(
    void *arg, struct grpc_call *c, enum grpc_status status, struct slice text)
{
	(void)arg;
	(void)c;
	(void)status;
	(void)text;
}

static void
on_grpc(
    void *arg, struct http2_stream *stream, struct http_head *h, void *conn_arg)
{
	static const struct grpc_events events = {
	    .on_message = on_question,
	    .on_close = on_call_close,
	};
	struct scene *s = arg;

	(void)conn_arg;
	s->asked++;
	EXPECT_OK(slice_to_cstr(h->path, s->path, sizeof(s->path)));
	if (s->refusal != GRPC_OK)
		grpc_refuse(stream, s->refusal, S("there is no such"));
	else
		(void)grpc_call_accept(stream, &events, s);
}

static void
on_open(struct net_listener *l, void *arg)
{
	struct scene *s = arg;

	s->addr = net_listener_addr(l);
}

static void
ignore_data(struct stream *st, void *arg, struct slice bytes)
{
	(void)st;
	(void)arg;
	(void)bytes;
}

static void
ignore_close(struct stream *st, void *arg, enum err why)
{
	(void)st;
	(void)arg;
	(void)why;
}

static const struct stream_events early = {
    .on_data = ignore_data,
    .on_close = ignore_close,
};

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct scene *s = arg;

	(void)l;
	(void)peer;
	http_server_serve(
	    s->http, net_stream_new(s->loop, fd, &early, NULL), s->proto, NULL);
}

static void
on_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct scene *s = arg;

	(void)l;
	(void)why;
	(void)words;
	s->closed = true;
}

void
scene_open(struct scene *s, enum http_proto proto)
{
	static const struct net_listener_events events = {
	    .on_open = on_open,
	    .on_accept = on_accept,
	    .on_close = on_close,
	};
	struct net_socket_spec spec = NET_SOCKET_SPEC;

	*s = (struct scene){.proto = proto, .status = 200};
	s->time.mono_us = 1;
	s->clock = clock_fake_as_clock(&s->time);
	s->loop = loop_new(&s->clock);
	s->factory = net_factory_new();
	s->http = http_server_new(&(struct http_server_spec){.loop = s->loop,
	    .on_request = on_request,
	    .on_grpc = on_grpc,
	    .arg = s});
	spec.kind = NET_LISTEN;
	spec.name = S("asked");
	spec.addr = (struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}};
	s->listener = net_listener_open(s->factory, s->loop, &spec, &events, s);
	UNTIL(s, s->addr.port != 0);
}

void
scene_close(struct scene *s)
{
	if (!s->closed)
		net_listener_close(s->listener);
	UNTIL(s, s->closed);
	http_server_free(&s->http);
	loop_settle(s->loop);
	net_factory_free(&s->factory);
	loop_free(&s->loop);
	metrics_fini();
}

/* --- asking --------------------------------------------------------------- */

static void
on_done(void *arg, bool is_good, const char *reason)
{
	struct scene *s = arg;

	s->told++;
	s->is_good = is_good;
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

struct ask *
scene_begin(struct scene *s, const struct resource *r)
{
	return ask_open(&(struct ask_spec){.loop = s->loop,
	    .policy = r->spec,
	    .target = s->addr,
	    .done = on_done,
	    .arg = s});
}

void
scene_ask(struct scene *s, const char *spec)
{
	AUTO(resource_unref) struct resource *r = policy(spec);
	unsigned told = s->told;

	(void)scene_begin(s, r);
	EXPECT_EQ(s->told, told); /* never from inside */
	UNTIL(s, s->told > told);
	EXPECT_EQ(s->told, told + 1);
}
