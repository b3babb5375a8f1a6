/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — what the proxy says itself, with the reason in words.
 *
 * The same words stand in the body, in Proxy-Status (RFC 9209) and in the
 * access log.
 */
#include "http/request.h"

#include <stdio.h>

enum { ANSWER_MAX = 4096, WORDS_MAX = 512 };

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
};

/* Head and body; bounded, so that it cannot fail in its buffer. */
static void
write_answer(const struct worker *w, const struct answer *a, struct buf *out)
{
	struct slice words = words_of(a->flag, a->detail);
	struct slice reason = http_status_text(a->status);
	char quoted[WORDS_MAX];
	enum err e;

	words.len = MIN(words.len, WORDS_MAX / 2);
	quote(words, quoted);
	e = buf_printf(out,
	    "HTTP/1.1 %u %.*s\r\n"
	    "content-type: text/plain\r\n"
	    "content-length: %zu\r\n"
	    "proxy-status: %.*s; error=%s; details=\"%s\"\r\n"
	    "%s\r\n",
	    a->status, SLICE_ARG(reason), words.len + 1,
	    SLICE_ARG(w->proxy->server_name), flow_flag_token(a->flag), quoted,
	    a->close ? "connection: close\r\n" : "");
	if (e == OK && !a->no_body)
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

void
request_answer(struct request *r, unsigned status, enum flow_flag flag,
    struct slice detail)
{
	AUTO(buf_fini) struct buf out = BUF(ANSWER_MAX);
	struct answer a = {.status = status,
	    .flag = flag,
	    .detail = detail,
	    .no_body = http_head_is_method(r->head, S("HEAD")),
	    .close = request_is_last(r)};

	request_drop_try(r);
	r->record.flag = flag;
	r->record.status = (uint16_t)status;
	if (arena_copy(&r->arena, detail, &r->record.detail) != OK)
		r->record.detail = SLICE_NONE;
	write_answer(r->worker, &a, &out);
	r->record.bytes_sent = a.no_body ? 0 : words_of(flag, detail).len + 1;
	r->conn->last = a.close;
	request_to_client(r, buf_slice(&out));
	request_flush_client(r);
	request_finish(r);
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
	write_answer(c->worker, &a, &out);
	e = stream_write(c->stream, buf_slice(&out));
	if (e == OK || e == ERR_AGAIN) /* else its on_close follows */
		conn_end(c);
}
