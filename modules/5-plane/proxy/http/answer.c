/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — what the proxy says itself, with the reason in words.
 *
 * The same words stand in the body, in Proxy-Status (RFC 9209) and in the
 * access log. The route's changes of answers are made to it as well. A call of
 * gRPC gets it as gRPC says things: status 200, and the outcome in fields.
 */
#include "http/filter.h"
#include "http/web.h"

enum { WORDS_MAX = 512, ANSWER_ARENA_BYTES = 2 * LIMIT_HEAD_BYTES };

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
	/* Of gRPC, else empty; then the status is 200, and there is no body. */
	struct slice grpc_type;
	enum grpc_status grpc_status;
};

static bool
is_grpc(const struct answer *a)
{
	return a->grpc_type.len > 0;
}

static enum err
set_copy(struct http_head *h, enum http_field_id id, struct slice text)
{
	struct slice kept;
	enum err e = arena_copy(h->arena, text, &kept);

	return e == OK ? http_head_set_id(h, id, kept) : e;
}

enum err
request_write_grpc(struct http_head *h, struct slice type,
    enum grpc_status status, struct slice words)
{
	AUTO(buf_fini) struct buf message = BUF(3 * REQUEST_GRPC_WORDS);
	char number[SLICE_U64_MAX];
	enum err e = grpc_message_encode(
	    slice_sub(words, 0, REQUEST_GRPC_WORDS), &message);

	h->framing = HTTP_BODY_LENGTH;
	h->content_length = 0;
	if (e == OK)
		e = http_head_set_id(h, HTTP_CONTENT_TYPE, type);
	if (e == OK)
		e = set_copy(
		    h, HTTP_GRPC_STATUS, slice_from_u64(status, number));
	if (e == OK && words.len > 0)
		e = set_copy(h, HTTP_GRPC_MESSAGE, buf_slice(&message));
	return e;
}

/* Bounded, so that only the route's changes can be too much for it. */
static void
make_head(const struct answer *a, struct arena *arena, struct http_head *h)
{
	struct slice why;
	enum err e;

	http_head_init(h, arena);
	h->status = (uint16_t)a->status;
	h->framing =
	    answer_has_body(a->status) ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	h->content_length = a->words.len + 1;
	why = http_proxy_status(
	    arena, slice_str(flow_flag_token(a->flag)), a->words);
	e = is_grpc(a)
		? request_write_grpc(h, a->grpc_type, a->grpc_status, a->words)
		: http_head_set_id(h, HTTP_CONTENT_TYPE, S("text/plain"));
	CHECK(e == OK);
	e = http_head_set_id(h, HTTP_PROXY_STATUS, why);
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
	return r->client->last || !r->complete || !r->head->keep_alive;
}

/* Without the route's changes if they are too much; in an arena of its own, as
 * the request's may be what is full. */
static void
send_head(struct request *r, const struct answer *a, bool no_body)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct client_ops *ops = r->client->ops;
	struct http_head h;
	enum err e;

	arena_init(&arena, ANSWER_ARENA_BYTES);
	make_head(a, &arena, &h);
	e = filter_dress(r, &h);
	request_note_answer(r, &h);
	if (e == OK)
		e = ops->head(r->client, &h, no_body);
	if (e == OK)
		return;
	make_head(a, &arena, &h);
	request_note_answer(r, &h);
	e = ops->head(r->client, &h, no_body);
	CHECK(e == OK);
}

static void
send_body(struct request *r, const struct answer *a)
{
	enum err e;

	r->record.bytes_sent = a->words.len + 1;
	request_to_client(r, a->words);
	request_to_client(r, S("\n"));
	e = r->client->ops->end(r->client, NULL);
	(void)e; /* there are no trailers; the client's end tells the rest */
}

static void
say(struct request *r, struct answer *a, struct slice detail)
{
	bool no_body;

	web_recognize(r);
	a->grpc_type = web_answer_type(r);
	if (is_grpc(a))
		a->status = 200;
	no_body = is_grpc(a) || !answer_has_body(a->status) ||
		  http_head_is_method(r->head, S("HEAD"));
	request_drop_try(r);
	r->record.flag = a->flag;
	r->record.own = true;
	r->record.status = (uint16_t)a->status;
	r->record.has_grpc = is_grpc(a);
	r->record.grpc = (uint8_t)a->grpc_status;
	r->record.bytes_sent = 0;
	if (arena_copy(&r->arena, detail, &r->record.detail) != OK)
		r->record.detail = SLICE_NONE;
	r->client->last = request_is_last(r);
	send_head(r, a, no_body);
	r->started = true;
	if (!no_body)
		send_body(r, a);
	request_flush_client(r);
	request_finish(r);
}

void
request_answer(struct request *r, unsigned status, enum flow_flag flag,
    struct slice detail)
{
	struct answer a = {.status = status,
	    .flag = flag,
	    .words = words_of(flag, detail),
	    .grpc_status = grpc_status_from_http(status)};

	say(r, &a, detail);
}

void
request_answer_grpc(
    struct request *r, enum grpc_status status, enum flow_flag flag)
{
	struct answer a = {.status = 200,
	    .flag = flag,
	    .words = words_of(flag, SLICE_NONE),
	    .grpc_status = status};

	say(r, &a, SLICE_NONE);
}

/* There is no request to speak of: the record has what the connection knows. */
void
request_report_refusal(const struct client *c, struct slice version,
    unsigned status, struct slice words, size_t bytes)
{
	struct listener_way way;
	struct flow_record f = {
	    .kind = FLOW_HTTP,
	    .reporter = FLOW_SOURCE,
	    .flag = FLOW_DOWNSTREAM_PROTOCOL,
	    .detail = words,
	    .own = status != 0,
	    .status = (uint16_t)status,
	    .protocol = S("http"),
	    .version = version,
	    .bytes_sent = bytes,
	    .start_wall_ms = clock_wall_ms(loop_clock(c->worker->loop)),
	    .downstream_remote = c->peer,
	    .downstream_local = c->local,
	};

	listener_way_of_request(
	    c->listener, c->worker->now->view, &c->local, &c->peer, &way);
	if (way.caller != NULL)
		f.source = way.caller->party;
	worker_report(c->worker, &f);
}

void
request_refuse(
    struct client *c, unsigned status, struct slice words, struct buf *out)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct answer a = {.status = status,
	    .flag = FLOW_DOWNSTREAM_PROTOCOL,
	    .words = words_of(FLOW_DOWNSTREAM_PROTOCOL, words)};
	struct http_head h;
	enum err e;

	request_report_refusal(c, S("HTTP/1.1"), status, a.words,
	    /* bytes */ a.words.len + 1);
	arena_init(&arena, ANSWER_ARENA_BYTES);
	make_head(&a, &arena, &h);
	h.connection = HTTP_CONN_CLOSE;
	e = http1_write_head(&h, out);
	if (e == OK)
		e = buf_printf(out, "%.*s\n", SLICE_ARG(a.words));
	CHECK(e == OK); /* it is small */
}
