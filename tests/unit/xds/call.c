/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — both machines over gRPC, HTTP/2 and a pair of streams in memory.
 */
#include "unit.h"

#include <stdio.h>

#include "http/http.h"
#include "loop/loop.h"
#include "net/net.h"
#include "xds.h"

#define TYPE "type.googleapis.com/meshd.v1.Resource"

enum { TURNS_MAX = 200 };

/* Everything of both ends. */
static struct world {
	struct loop *loop;
	struct http2 *near; /* the client's session */
	struct http2 *far;
	struct xds_source *source;
	struct xds_server_stream *stream;
	struct xds_call *served;
	struct xds_client *client;
	struct xds_call *call;
	char held[256]; /* names of the last update */
	enum err client_why;
	char client_words[128];
	bool client_closed;
	bool server_closed;
	int sessions; /* that are open */
} w;

/* --- the server's side ---------------------------------------------------- */

static void
server_send(void *arg UNUSED, const struct codec_delta_response *m)
{
	xds_call_response(w.served, m);
}

static const struct xds_server_ops server_ops = {.send = server_send};

static void
on_server_closed(
    void *arg UNUSED, enum err why UNUSED, struct slice words UNUSED)
{
	w.server_closed = true;
	xds_server_stream_free(&w.stream);
}

static void
on_request(void *arg UNUSED, struct http2_stream *s, struct http_head *h,
    bool end UNUSED)
{
	EXPECT_TRUE(grpc_is_request(h));
	EXPECT_SLICE(h->path, S(XDS_PATH));
	w.stream = xds_server_stream_new(w.source, &server_ops, NULL);
	w.served = xds_call_accept(s, w.stream, on_server_closed, NULL);
}

static void
on_session_closed(void *arg UNUSED, struct http2 *c UNUSED, enum err why UNUSED)
{
	w.sessions--;
}

static const struct http2_events server_events = {
    .on_request = on_request, .on_close = on_session_closed};
static const struct http2_events client_events = {
    .on_close = on_session_closed};

/* --- the client's side ---------------------------------------------------- */

static void
client_send(void *arg UNUSED, const struct codec_delta_request *m)
{
	xds_call_request(w.call, m);
}

static void
on_update(void *arg UNUSED, struct xds_update *u)
{
	size_t len = strlen(w.held);

	for (size_t i = 0; i < u->resource_count; i++)
		len += (size_t)snprintf(w.held + len, sizeof(w.held) - len,
		    "%.*s ", SLICE_ARG(u->resources[i].name));
	for (size_t i = 0; i < u->removed_count; i++)
		len += (size_t)snprintf(w.held + len, sizeof(w.held) - len,
		    "-%.*s ", SLICE_ARG(u->removed[i]));
	xds_update_settle(&u);
}

static const struct xds_client_ops client_ops = {client_send, on_update};

static void
on_client_closed(void *arg UNUSED, enum err why, struct slice words)
{
	w.client_closed = true;
	w.client_why = why;
	EXPECT_OK(slice_to_cstr(words, w.client_words, sizeof(w.client_words)));
	xds_client_disconnected(w.client);
}

/* --- both ----------------------------------------------------------------- */

static struct http2 *
session(struct stream *transport, bool server)
{
	struct http2_spec spec = {.loop = w.loop,
	    .transport = transport,
	    .server = server,
	    .events = server ? &server_events : &client_events};

	w.sessions++;
	return http2_open(&spec);
}

static void
turns(void)
{
	for (int i = 0; i < TURNS_MAX; i++)
		loop_turn(w.loop, 0);
}

static void
begin(const char *type)
{
	struct net_pair_spec pair = {.chunk = 1000};
	struct stream *a;
	struct stream *b;

	w = (struct world){.loop = loop_new(NULL)};
	w.source = xds_source_new(NULL, NULL);
	xds_source_add_type(w.source, S(TYPE), XDS_TOLD_ALL);
	net_pair_new(w.loop, &pair, &a, &b);
	w.near = session(a, false);
	w.far = session(b, true);
	w.client = xds_client_new(&client_ops, NULL, S("vm1"), S("mesh"));
	EXPECT_OK(xds_client_subscribe(w.client, slice_str(type), S("")));
	w.call = xds_call_open(
	    w.near, S("server"), w.client, on_client_closed, NULL);
	EXPECT_TRUE(w.call != NULL);
	xds_client_connected(w.client);
	turns();
}

static void
end(void)
{
	if (w.sessions == 2)
		http2_close(w.near, HTTP2_NO_ERROR);
	turns();
	EXPECT_TRUE(w.client_closed);
	EXPECT_TRUE(w.server_closed);
	EXPECT_EQ(w.sessions, 0);
	xds_client_free(&w.client);
	xds_source_free(&w.source);
	loop_free(&w.loop);
}

static void
put(const char *name, size_t body_len)
{
	AUTO(buf_fini) struct buf body = BUF(4 << 20);
	char *room;
	struct xds_resource r = {
	    .type_url = S(TYPE), .name = slice_str(name), .version = S("1")};

	EXPECT_OK(buf_reserve(&body, body_len, &room));
	memset(room, 'x', body_len);
	buf_commit(&body, body_len);
	r.body = buf_slice(&body);
	EXPECT_OK(xds_source_put(w.source, &r));
	xds_source_flush(w.source);
}

static void
see_acked(void *arg, const struct xds_status *s)
{
	int *acked = arg;

	*acked += s->state == XDS_ACKED;
}

TEST(resources_travel_and_answers_come_back)
{
	int acked = 0;

	begin(TYPE);
	EXPECT_TRUE(xds_client_is_synced(w.client));
	put("a", 10);
	put("large", 1 << 20);
	turns();
	EXPECT_STR(w.held, "a large ");
	xds_server_stream_each(w.stream, see_acked, &acked);
	EXPECT_EQ(acked, 2);
	xds_source_remove(w.source, S(TYPE), S("a"));
	xds_source_flush(w.source);
	turns();
	EXPECT_STR(w.held, "a large -a ");
	end();
}

TEST(a_refused_type_ends_the_call_with_the_servers_words)
{
	begin("some.Thing");
	EXPECT_TRUE(w.client_closed);
	EXPECT_ERR(w.client_why, ERR_UNSUPPORTED);
	EXPECT_STR(w.client_words,
	    "resources of type some.Thing are not supported yet");
	end();
}

TEST(a_session_that_breaks_closes_both_ends_once)
{
	begin(TYPE);
	put("a", 10);
	turns();
	stream_close(http2_transport(w.near), ERR_RESET);
	turns();
	EXPECT_TRUE(w.client_closed);
	EXPECT_NE(w.client_why, OK);
	EXPECT_FALSE(xds_client_is_synced(w.client));
	end();
}

TEST(a_client_may_leave)
{
	begin(TYPE);
	xds_call_close(w.call, OK, SLICE_NONE);
	turns();
	EXPECT_TRUE(w.client_closed);
	EXPECT_ERR(w.client_why, ERR_CANCELLED);
	EXPECT_TRUE(w.server_closed);
	end();
}

TEST(a_server_may_say_why_it_ends_the_call)
{
	begin(TYPE);
	xds_call_close(w.served, ERR_DENIED, S("the certificate is revoked"));
	turns();
	EXPECT_ERR(w.client_why, ERR_DENIED);
	EXPECT_STR(w.client_words, "the certificate is revoked");
	end();
}
