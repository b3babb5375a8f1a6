/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_answer — what a client of HTTP/1.1 is sent: framed for it, and collected
 * until there is enough of it.
 */
#include "http/h1.h"
#include "http/request.h"

enum { SMALL_BODY = 8 << 10 };

/* It waited for a 100 and got this: its body may come or not (RFC 9110
 * §10.1.1), so that nobody can say where the next request would begin. */
static bool
is_out_of_step(const struct request *r)
{
	return r->head->expect_continue && !r->complete &&
	       r->record.bytes_received == 0;
}

/* Without a length the client would wait for the connection's end. */
static bool
wants_length(const struct request *r, const struct http_head *h)
{
	return h->framing == HTTP_BODY_NONE && h->version == HTTP_V2 &&
	       h->status != 204 && h->status != 304 &&
	       !http_head_has(h, HTTP_CONTENT_LENGTH) &&
	       !http_head_is_method(r->head, S("HEAD"));
}

/* How the client learns where the body ends; it may be older than we are. */
static void
frame(struct conn *c, struct http_head *h)
{
	const struct request *r = c->client.request;
	bool old = r->head->version == HTTP_V1_0;
	bool open_end =
	    h->framing == HTTP_BODY_CHUNKED || h->framing == HTTP_BODY_CLOSE;

	if (open_end)
		h->framing = old ? HTTP_BODY_CLOSE : HTTP_BODY_CHUNKED;
	if (wants_length(r, h)) {
		h->framing = HTTP_BODY_LENGTH;
		h->content_length = 0;
	}
	if ((open_end && old) || is_out_of_step(r))
		c->client.last = true;
	c->to_chunked = h->framing == HTTP_BODY_CHUNKED;
	h->version = HTTP_V1_1;
	if (h->framing == HTTP_BODY_TUNNEL) /* or CONNECT's 200 */
		h->connection =
		    h->status == 101 ? HTTP_CONN_UPGRADE : HTTP_CONN_DEFAULT;
	else if (c->client.last || !r->head->keep_alive)
		h->connection = HTTP_CONN_CLOSE;
	else
		h->connection = old ? HTTP_CONN_KEEP_ALIVE : HTTP_CONN_DEFAULT;
}

/* All of a write was taken, or the stream's own end tells that it was not. */
static enum err
written(struct conn *c, enum err e)
{
	c->client.full = c->client.full || e == ERR_AGAIN;
	return e;
}

enum err
h1_flush(struct client *client)
{
	struct conn *c = conn_of_client(client);
	struct buf *out = &client->worker->to_client;
	enum err e = OK;

	if (buf_len(out) > 0 && c->stream != NULL)
		e = stream_write(c->stream, buf_slice(out));
	buf_reset(out);
	return written(c, e);
}

/* Small pieces are collected; a large one goes out with what waits. */
static enum err
put(struct conn *c, struct slice bytes)
{
	struct buf *out = &c->client.worker->to_client;
	struct slice parts[2];
	enum err e;

	if (bytes.len <= SMALL_BODY && buf_add_slice(out, bytes) == OK)
		return OK;
	if (c->stream == NULL)
		return ERR_CLOSED;
	parts[0] = buf_slice(out);
	parts[1] = bytes;
	e = stream_writev(c->stream, parts, ARRAY_LEN(parts));
	buf_reset(out);
	return written(c, e);
}

void
h1_interim(struct client *client, const struct http_head *h)
{
	const struct request *r = client->request;
	enum err e;

	if (r->head->version == HTTP_V1_0)
		return;
	e = http1_write_head(h, &client->worker->to_client);
	if (e == OK)
		e = h1_flush(client);
	(void)e; /* what does not fit is left out; the rest its end tells */
}

enum err
h1_head(struct client *client, struct http_head *h, bool end)
{
	(void)end; /* the framing says it */
	frame(conn_of_client(client), h);
	return http1_write_head(h, &client->worker->to_client);
}

enum err
h1_body(struct client *client, struct slice bytes)
{
	struct conn *c = conn_of_client(client);
	char size[HTTP1_CHUNK_HEAD_MAX];
	enum err e;

	if (!c->to_chunked)
		return put(c, bytes);
	e = put(c, slice_of(size, http1_chunk_head(bytes.len, size)));
	if (e == OK || e == ERR_AGAIN)
		e = put(c, bytes);
	if (e == OK || e == ERR_AGAIN)
		e = put(c, S("\r\n"));
	return c->client.full && e == OK ? ERR_AGAIN : e;
}

enum err
h1_end(struct client *client, const struct http_head *trailers)
{
	struct conn *c = conn_of_client(client);

	if (!c->to_chunked)
		return OK;
	c->to_chunked = false;
	return http1_write_end(trailers, &client->worker->to_client);
}
