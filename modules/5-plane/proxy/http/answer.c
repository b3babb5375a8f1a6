/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — what the proxy says itself, with the reason in words.
 *
 * The same words stand in the body, in Proxy-Status (RFC 9209) and in the
 * access log.
 */
#include "http/request.h"

#include <stdio.h>

enum {
	WORDS_MAX = 512,
	STATUS_MAX = 1024,
	REFUSAL_BYTES = 8 << 10,
	GRPC_MESSAGE_MAX = 3 * WORDS_MAX
};

/* Details is a Structured Fields string (RFC 8941 §3.3.3): ASCII, escaped. */
static void
quote(struct slice words, char out[WORDS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < words.len && n + 2 < WORDS_MAX; i++) {
		char c = words.ptr[i];

		if (c == '"' || c == '\\')
			out[n++] = '\\';
		out[n++] = c < 0x20 || c == 0x7f ? '?' : c;
	}
	out[n] = 0;
}

static struct slice
words_of(enum flow_flag flag, struct slice detail)
{
	struct slice words =
	    detail.len > 0 ? detail : slice_str(flow_flag_words(flag));

	words.len = MIN(words.len, (size_t)WORDS_MAX / 2);
	return words;
}

struct answer {
	unsigned status;
	enum flow_flag flag;
	struct slice words;
	char proxy_status[STATUS_MAX];
};

static void
answer_init(struct answer *a, const struct worker *w, unsigned status,
    enum flow_flag flag, struct slice detail)
{
	char quoted[WORDS_MAX];
	int n;

	a->status = status;
	a->flag = flag;
	a->words = words_of(flag, detail);
	quote(a->words, quoted);
	n = snprintf(a->proxy_status, sizeof(a->proxy_status),
	    "%.*s; error=%s; details=\"%s\"", SLICE_ARG(w->proxy->server_name),
	    flow_flag_token(flag), quoted);
	CHECK(n > 0 && (size_t)n < sizeof(a->proxy_status));
}

/* Its fields are few, and there is room for them; borrows the answer. */
static void
make_head(const struct answer *a, struct arena *arena, struct http_head *h)
{
	enum err e;

	http_head_init(h, arena);
	h->status = (uint16_t)a->status;
	h->framing = HTTP_BODY_LENGTH;
	h->content_length = a->words.len + 1;
	e = http_head_set_id(h, HTTP_CONTENT_TYPE, S("text/plain"));
	if (e == OK)
		e = http_head_set_id(
		    h, HTTP_PROXY_STATUS, slice_str(a->proxy_status));
	CHECK(e == OK);
}

/* A client of gRPC reads no body: its status and message are fields, and the
 * answer is these alone. As Envoy maps them. */
static void
make_grpc_head(struct request *r, const struct answer *a, struct arena *arena,
    struct http_head *h)
{
	AUTO(buf_fini) struct buf message = BUF(GRPC_MESSAGE_MAX);
	char code[SLICE_U64_MAX];
	struct slice kept;
	enum err e = grpc_message_encode(a->words, &message);

	r->record.has_grpc = true;
	r->record.grpc = (uint8_t)grpc_status_from_http(a->status);
	r->record.status = 200;
	http_head_init(h, arena);
	h->status = 200;
	h->framing =
	    r->head->version == HTTP_V2 ? HTTP_BODY_NONE : HTTP_BODY_LENGTH;
	if (e == OK)
		e = http_head_set_id(
		    h, HTTP_CONTENT_TYPE, S("application/grpc"));
	if (e == OK)
		e = arena_copy(
		    arena, slice_from_u64(r->record.grpc, code), &kept);
	if (e == OK)
		e = http_head_set_id(h, HTTP_GRPC_STATUS, kept);
	if (e == OK)
		e = arena_copy(arena, buf_slice(&message), &kept);
	if (e == OK)
		e = http_head_set_id(h, HTTP_GRPC_MESSAGE, kept);
	if (e == OK)
		e = http_head_set_id(
		    h, HTTP_PROXY_STATUS, slice_str(a->proxy_status));
	CHECK(e == OK);
}

bool
request_read_grpc(const struct http_head *h, uint8_t *out)
{
	struct slice value;
	uint64_t n;

	if (!http_head_get_id(h, HTTP_GRPC_STATUS, &value) ||
	    slice_to_u64(value, &n) != OK || n > UINT8_MAX)
		return false;
	*out = (uint8_t)n;
	return true;
}

/* What comes behind a request that was not read to its end is no request. */
bool
request_is_last(const struct request *r)
{
	return r->client->last || !r->complete || !r->head->keep_alive ||
	       r->head->version == HTTP_V1_0;
}

/* In an arena of its own: the request's may be what is full. */
static void
send_answer(struct request *r, const struct answer *a)
{
	bool no_body = r->grpc || http_head_is_method(r->head, S("HEAD"));
	const struct client_ops *ops = r->client->ops;
	AUTO(arena_fini) struct arena arena;
	struct http_head h;
	enum err e;

	arena_init(&arena, REFUSAL_BYTES);
	if (r->grpc)
		make_grpc_head(r, a, &arena, &h);
	else
		make_head(a, &arena, &h);
	e = ops->head(r->client, &h, no_body);
	CHECK(e == OK);
	r->started = true;
	if (no_body)
		return;
	r->record.bytes_sent = a->words.len + 1;
	request_to_client(r, a->words);
	request_to_client(r, S("\n"));
	e = ops->end(r->client, NULL);
	(void)e; /* there are no trailers; the client's end tells the rest */
}

void
request_answer(struct request *r, unsigned status, enum flow_flag flag,
    struct slice detail)
{
	struct answer a;

	request_drop_try(r);
	answer_init(&a, r->worker, status, flag, detail);
	r->record.flag = flag;
	r->record.status = (uint16_t)status;
	r->record.bytes_sent = 0;
	if (arena_copy(&r->arena, detail, &r->record.detail) != OK)
		r->record.detail = SLICE_NONE;
	r->client->last = request_is_last(r);
	send_answer(r, &a);
	request_flush_client(r);
	request_finish(r);
}

/* There is no request to speak of: the record has what the connection knows. */
static void
report_refusal(struct client *c, const struct answer *a)
{
	const struct view_connection seen = {
	    .destination = c->local, .source = c->peer};
	struct listener_way way;
	struct flow_record f = {
	    .kind = FLOW_HTTP,
	    .reporter = FLOW_SOURCE,
	    .flag = a->flag,
	    .detail = a->words,
	    .status = (uint16_t)a->status,
	    .protocol = S("http"),
	    .version = S("HTTP/1.1"),
	    .bytes_sent = a->words.len + 1,
	    .start_wall_ms = clock_wall_ms(loop_clock(c->worker->loop)),
	    .downstream_remote = c->peer,
	    .downstream_local = c->local,
	};

	listener_way(c->listener, c->worker->now->view, &seen, &way);
	if (way.caller != NULL)
		f.source = way.caller->party;
	worker_report(c->worker, &f);
}

void
request_refuse(
    struct client *c, unsigned status, struct slice words, struct buf *out)
{
	AUTO(arena_fini) struct arena arena;
	struct http_head h;
	struct answer a;
	enum err e;

	answer_init(&a, c->worker, status, FLOW_DOWNSTREAM_PROTOCOL, words);
	report_refusal(c, &a);
	arena_init(&arena, REFUSAL_BYTES);
	make_head(&a, &arena, &h);
	h.connection = HTTP_CONN_CLOSE;
	e = http1_write_head(&h, out);
	if (e == OK)
		e = buf_printf(out, "%.*s\n", SLICE_ARG(a.words));
	CHECK(e == OK); /* it is small */
}
