/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — what the proxy says itself, with the reason in words.
 *
 * The same words stand in the body, in Proxy-Status (RFC 9209) and in the
 * access log. The route's changes of answers are made to it as well. A call of
 * gRPC gets it as gRPC says things: status 200, and the outcome in fields.
 */
#include "http/filter.h"

enum {
	WORDS_MAX = 512,
	ANSWER_MAX = LIMIT_HEAD_BYTES + 2 * WORDS_MAX,
	ANSWER_ARENA_BYTES = 2 * LIMIT_HEAD_BYTES
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
	return detail.len > 0 ? detail : slice_str(flow_flag_words(flag));
}

struct answer {
	unsigned status;
	enum flow_flag flag;
	struct slice detail;
	bool no_body; /* to HEAD */
	bool close;
	bool is_grpc;
	enum grpc_status grpc_status;
};

static enum err
add_outcome(const struct answer *a, struct slice words, struct http_head *h)
{
	AUTO(buf_fini) struct buf message = BUF(3 * WORDS_MAX);
	struct slice text, kept;
	char number[SLICE_U64_MAX];
	enum err e = grpc_message_encode(words, &message);

	if (e == OK)
		e = http_head_set_id(
		    h, HTTP_CONTENT_TYPE, S("application/grpc"));
	text = slice_from_u64(a->grpc_status, number);
	if (e == OK)
		e = arena_copy(h->arena, text, &kept);
	if (e == OK)
		e = http_head_set_id(h, HTTP_GRPC_STATUS, kept);
	if (e == OK)
		e = arena_copy(h->arena, buf_slice(&message), &kept);
	return e == OK ? http_head_set_id(h, HTTP_GRPC_MESSAGE, kept) : e;
}

/* Bounded, so that only the route's changes can be too much for it. */
static void
make_head(const struct worker *w, const struct answer *a, struct slice words,
    struct http_head *h)
{
	char quoted[WORDS_MAX];
	struct slice why;
	enum err e;

	quote(words, quoted);
	h->status = (uint16_t)a->status;
	h->framing =
	    answer_has_body(a->status) ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	h->content_length = a->is_grpc ? 0 : words.len + 1;
	h->connection = a->close ? HTTP_CONN_CLOSE : HTTP_CONN_DEFAULT;
	why = arena_printf(h->arena, "%.*s; error=%s; details=\"%s\"",
	    SLICE_ARG(w->proxy->server_name), flow_flag_token(a->flag), quoted);
	e = a->is_grpc
		? add_outcome(a, words, h)
		: http_head_set_id(h, HTTP_CONTENT_TYPE, S("text/plain"));
	CHECK(e == OK);
	e = http_head_set_id(h, HTTP_PROXY_STATUS, why);
	CHECK(e == OK);
}

/* `r` NULL: there is no request. Without the route's changes if they are too
 * much. */
static void
write_answer(const struct worker *w, struct request *r, const struct answer *a,
    struct buf *out)
{
	AUTO(arena_fini) struct arena mem = {0};
	struct slice words = words_of(a->flag, a->detail);
	struct http_head h;
	enum err e;

	words.len = MIN(words.len, WORDS_MAX / 2);
	arena_init(&mem, ANSWER_ARENA_BYTES);
	http_head_init(&h, &mem);
	make_head(w, a, words, &h);
	if (r == NULL || filter_dress(r, &h) != OK ||
	    http1_write_head(&h, out) != OK) {
		http_head_init(&h, &mem);
		make_head(w, a, words, &h);
		e = http1_write_head(&h, out);
		CHECK(e == OK);
	}
	if (a->no_body || a->is_grpc)
		return;
	e = buf_printf(out, "%.*s\n", SLICE_ARG(words));
	CHECK(e == OK);
}

/* What comes behind a request that was not read to its end is no request. */
bool
request_is_last(const struct request *r)
{
	return r->conn->last || !r->complete || !r->head->keep_alive ||
	       r->head->version == HTTP_V1_0;
}

static void
say(struct request *r, struct answer *a)
{
	AUTO(buf_fini) struct buf out = BUF(ANSWER_MAX);

	if (a->is_grpc)
		a->status = 200;
	a->no_body = http_head_is_method(r->head, S("HEAD")) ||
		     !answer_has_body(a->status);
	a->close = request_is_last(r);
	request_drop_try(r);
	r->record.flag = a->flag;
	r->record.status = (uint16_t)a->status;
	if (arena_copy(&r->arena, a->detail, &r->record.detail) != OK)
		r->record.detail = SLICE_NONE;
	write_answer(r->worker, r, a, &out);
	r->record.bytes_sent =
	    a->no_body || a->is_grpc ? 0 : words_of(a->flag, a->detail).len + 1;
	r->conn->last = a->close;
	request_to_client(r, buf_slice(&out));
	request_flush_client(r);
	request_finish(r);
}

void
request_answer(struct request *r, unsigned status, enum flow_flag flag,
    struct slice detail)
{
	struct answer a = {.status = status,
	    .flag = flag,
	    .detail = detail,
	    .is_grpc = grpc_is_request(r->head),
	    .grpc_status = grpc_status_from_http(status)};

	say(r, &a);
}

void
request_answer_grpc(
    struct request *r, enum grpc_status status, enum flow_flag flag)
{
	struct answer a = {.status = 200,
	    .flag = flag,
	    .is_grpc = grpc_is_request(r->head),
	    .grpc_status = status};

	say(r, &a);
}

/* There is no request to speak of: the record has what the connection knows. */
static void
report_refusal(struct conn *c, const struct answer *a)
{
	const struct view_upstream *u = view_find_upstream(
	    c->worker->now->view, slice_str(listener_name(c->listener)));
	struct flow_record f = {
	    .kind = FLOW_HTTP,
	    .reporter = FLOW_SOURCE,
	    .flag = a->flag,
	    .detail = a->detail,
	    .status = (uint16_t)a->status,
	    .protocol = S("http"),
	    .version = S("HTTP/1.1"),
	    .bytes_sent = words_of(a->flag, a->detail).len + 1,
	    .start_wall_ms = clock_wall_ms(loop_clock(c->worker->loop)),
	    .downstream_remote = stream_peer(c->stream),
	    .downstream_local = stream_local(c->stream),
	};

	if (u != NULL)
		f.source = u->party;
	worker_report(c->worker, &f);
}

void
request_refuse(struct conn *c, unsigned status, struct slice words)
{
	AUTO(buf_fini) struct buf out = BUF(ANSWER_MAX);
	struct answer a = {.status = status,
	    .flag = FLOW_DOWNSTREAM_PROTOCOL,
	    .detail = words,
	    .close = true};
	enum err e;

	if (c->closing || c->stream == NULL || stream_is_closing(c->stream))
		return;
	report_refusal(c, &a);
	write_answer(c->worker, NULL, &a, &out);
	e = stream_write(c->stream, buf_slice(&out));
	if (e == OK || e == ERR_AGAIN) /* else its on_close follows */
		conn_end(c);
}
