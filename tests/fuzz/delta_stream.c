/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta_stream — any messages at either end of the incremental stream.
 *
 * The input is a row of messages: a byte that says to whom and what happens
 * besides, a byte for the length, the bytes. A machine that refuses a message
 * gets a new stream, as its owner would give it.
 */
#include "xds/xds.h"

#define TYPE "t"

enum { OPEN_MAX = 16, ARENA_MAX = 16 << 20 };

struct world {
	struct xds_source *source;
	struct xds_server_stream *stream;
	struct xds_client *client;
	struct xds_update *open[OPEN_MAX];
	size_t open_count;
	char version;
};

static void
ignore_response(void *arg UNUSED, const struct codec_delta_response *m UNUSED)
{
}

static void
ignore_request(void *arg UNUSED, const struct codec_delta_request *m UNUSED)
{
}

static void
settle_first(struct world *w)
{
	struct xds_update *u = w->open[0];

	if (w->open_count == 0)
		return;
	for (size_t i = 1; i < w->open_count; i++)
		w->open[i - 1] = w->open[i];
	w->open_count--;
	for (size_t i = 0; i < u->resource_count; i++)
		if (u->resources[i].body.len > 3)
			xds_update_refuse(u, i, u->resources[i].body);
	xds_update_settle(&u);
}

static void
on_update(void *arg, struct xds_update *u)
{
	struct world *w = arg;

	if (w->open_count == OPEN_MAX)
		settle_first(w);
	w->open[w->open_count++] = u;
}

static const struct xds_server_ops server_ops = {.send = ignore_response};
static const struct xds_client_ops client_ops = {ignore_request, on_update};

static void
reconnect(struct world *w)
{
	xds_server_stream_free(&w->stream);
	w->stream = xds_server_stream_new(w->source, &server_ops, w);
	xds_client_disconnected(w->client);
	xds_client_connected(w->client);
}

static void
to_server(struct world *w, struct slice bytes)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_request m;
	struct fault why;

	arena_init(&a, ARENA_MAX);
	if (codec_delta_request_decode(bytes, &a, &m) == OK &&
	    xds_server_stream_request(w->stream, &m, &why) != OK)
		reconnect(w);
}

static void
to_client(struct world *w, struct slice bytes)
{
	AUTO(arena_fini) struct arena a;
	struct codec_delta_response m;

	arena_init(&a, ARENA_MAX);
	if (codec_delta_response_decode(bytes, &a, &m) == OK &&
	    xds_client_response(w->client, &m) != OK)
		reconnect(w);
}

/* What an operator does meanwhile, on names of one letter. */
static void
disturb(struct world *w, uint8_t how)
{
	char letter = (char)('a' + (how >> 4 & 3));
	struct slice name = slice_of(&letter, 1);
	struct xds_resource r = {
	    .type_url = S(TYPE), .name = name, .body = S("body")};

	w->version = (char)('0' + (w->version + 1) % 10);
	r.version = slice_of(&w->version, 1);
	switch (how >> 1 & 7) {
	case 1:
		CHECK(xds_source_put(w->source, &r) == OK);
		break;
	case 2:
		xds_source_remove(w->source, S(TYPE), name);
		break;
	case 3:
		xds_source_flush(w->source);
		break;
	case 4:
		settle_first(w);
		break;
	case 5:
		CHECK(xds_client_subscribe(w->client, S(TYPE), name) == OK);
		break;
	case 6:
		xds_client_unsubscribe(
		    w->client, S(TYPE), how & 0x80 ? SLICE_NONE : name);
		break;
	case 7:
		reconnect(w);
		break;
	default:
		break;
	}
}

static void
run(struct world *w, struct slice data)
{
	struct reader r = READER(data);

	while (r.rest.len >= 2) {
		uint8_t how = reader_u8(&r);
		size_t len = reader_u8(&r);
		struct slice bytes = reader_bytes(&r, MIN(len, r.rest.len));

		disturb(w, how);
		if (how & 1)
			to_server(w, bytes);
		else
			to_client(w, bytes);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = {.version = '0'};

	w.source = xds_source_new(NULL, NULL);
	xds_source_add_type(w.source, S(TYPE), XDS_TOLD_ALL);
	w.client = xds_client_new(&client_ops, &w, S("n"), S("c"));
	CHECK(xds_client_subscribe(w.client, S(TYPE), SLICE_NONE) == OK);
	reconnect(&w);
	run(&w, slice_of(data, len));
	while (w.open_count > 0)
		settle_first(&w);
	xds_server_stream_free(&w.stream);
	xds_client_free(&w.client);
	xds_source_free(&w.source);
	return 0;
}
