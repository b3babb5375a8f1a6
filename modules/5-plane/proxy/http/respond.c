/* SPDX-License-Identifier: Apache-2.0 */
/*
 * respond — the service's answer on its way; see respond.h.
 */
#include "http/respond.h"

#include "http/filter.h"

/* --- the head that the client gets ------------------------------------------
 */

/* It waited for a 100 and got this: its body may come or not (RFC 9110
 * §10.1.1), so that nobody can say where the next request would begin. */
static bool
is_out_of_step(const struct request *r)
{
	return r->head->expect_continue && !r->complete &&
	       r->record.bytes_received == 0;
}

/* How the client learns where the body ends; it may be older than we are. */
static void
frame_for_client(struct request *r, struct http_head *h)
{
	bool old = r->head->version == HTTP_V1_0;
	bool open_end =
	    h->framing == HTTP_BODY_CHUNKED || h->framing == HTTP_BODY_CLOSE;

	if (open_end)
		h->framing = old ? HTTP_BODY_CLOSE : HTTP_BODY_CHUNKED;
	if ((open_end && old) || is_out_of_step(r))
		r->conn->last = true;
	r->to_chunked = h->framing == HTTP_BODY_CHUNKED;
	h->version = HTTP_V1_1;
	if (h->framing == HTTP_BODY_TUNNEL)
		h->connection = HTTP_CONN_UPGRADE;
	else if (r->conn->last || !r->head->keep_alive)
		h->connection = HTTP_CONN_CLOSE;
	else
		h->connection = old ? HTTP_CONN_KEEP_ALIVE : HTTP_CONN_DEFAULT;
}

static void
too_large(struct request *r)
{
	request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
	    S("the head of the answer is too large"));
}

/* Nobody asked for it, or not all of the request is out yet. */
static bool
is_stray_upgrade(const struct request *r, const struct http_head *h)
{
	return h->framing == HTTP_BODY_TUNNEL &&
	       (r->head->upgrade.len == 0 || !r->complete);
}

/* --- holding what a filter keeps waiting ------------------------------------
 */

static bool
is_waiting(const struct request *r)
{
	return r->response_wait != FILTER_GO_ON;
}

bool
request_has_response(const struct request *r)
{
	return r->response_over ||
	       buf_len(&r->response_held) >= LIMIT_STREAM_BUFFER;
}

/* The copy outlives the connection that the head came by. */
static enum err
keep_head(struct request *r)
{
	struct http_head *kept = &r->response_kept;
	enum err e;

	if (r->response == kept)
		return OK;
	e = http_head_copy(r->response, &r->arena, kept);
	if (e == OK)
		r->response = kept;
	return e;
}

static void
pause_service(struct request *r)
{
	if (r->up != NULL)
		stream_pause(upstream_stream(r->up), STREAM_PAUSE_FILTER);
}

static void
resume_service(struct request *r)
{
	if (r->up != NULL)
		stream_resume(upstream_stream(r->up), STREAM_PAUSE_FILTER);
}

/* Whoever collects is asked again when all is here, or as much as fits. */
static void
tell_collector(struct request *r)
{
	if (r->response_wait != FILTER_COLLECT || !request_has_response(r))
		return;
	pause_service(r);
	respond_continue(r);
}

/* The answer is whole, the request is not: nobody wants the rest of it. */
static void
leave_service(struct request *r)
{
	upstream_cancel(&r->up);
	buf_reset(&r->worker->to_service);
	buf_fini(&r->held);
	r->replayable = r->sent = false;
}

/* --- from the head to the end ----------------------------------------------
 */

static void
to_client(struct request *r, struct slice bytes)
{
	char size[HTTP1_CHUNK_HEAD_MAX];

	if (bytes.len == 0)
		return;
	if (!r->to_chunked) {
		request_to_client(r, bytes);
		return;
	}
	request_to_client(r, slice_of(size, http1_chunk_head(bytes.len, size)));
	request_to_client(r, bytes);
	request_to_client(r, S("\r\n"));
}

static void
end_chunks(struct request *r)
{
	if (r->to_chunked &&
	    http1_write_end(r->response_trailers, &r->worker->to_client) != OK)
		stream_close(r->conn->stream, ERR_LIMIT);
}

/* Passed by all filters: what was held goes, the rest follows as it comes. */
static void
start(struct request *r)
{
	frame_for_client(r, r->response);
	if (http1_write_head(r->response, &r->worker->to_client) != OK) {
		too_large(r);
		return;
	}
	r->started = true;
	to_client(r, buf_slice(&r->response_held));
	buf_fini(&r->response_held);
	if (r->response_upgraded) {
		request_become_pipe(r, SLICE_NONE);
	} else if (r->response_over) {
		end_chunks(r);
		request_finish(r);
	} else {
		resume_service(r);
	}
}

/* True if the filter lets it go on. */
static bool
pass(struct request *r, const struct filter *f)
{
	enum filter_verdict v = f->on_response == NULL
				    ? FILTER_GO_ON
				    : f->on_response(r, r->response);

	if (v == FILTER_GO_ON || v == FILTER_ANSWERED)
		return v == FILTER_GO_ON;
	if (keep_head(r) != OK) {
		too_large(r);
		return false;
	}
	r->response_wait = v;
	if (v == FILTER_WAIT) {
		pause_service(r);
		return false;
	}
	CHECK(!request_has_response(r));
	r->response_filters++; /* the same once more */
	resume_service(r);
	return false;
}

void
respond_continue(struct request *r)
{
	r->response_wait = FILTER_GO_ON;
	while (r->response_filters > 0)
		if (!pass(r, filters[--r->response_filters]))
			return;
	start(r);
}

void
respond_begin(struct request *r, struct http_head *h)
{
	sm_go(&r->state, REQUEST_ANSWERING);
	timer_clear(&r->try_end);
	r->record.status = h->status;
	r->record.upstream_us = loop_now_us(r->worker->loop) - r->began_us;
	lb_host_succeeded(&r->host->lb);
	r->answered = true;
	if (is_stray_upgrade(r, h)) {
		request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
		    S("the endpoint switched protocols unasked"));
		return;
	}
	r->response = h;
	r->response_filters = filter_count;
	respond_continue(r);
}

void
respond_body(struct request *r, struct slice bytes)
{
	enum err e;

	r->moved_us = loop_now_us(r->worker->loop);
	r->record.bytes_sent += bytes.len;
	if (!is_waiting(r)) {
		to_client(r, bytes);
		return;
	}
	e = buf_add_slice(&r->response_held, bytes);
	/* One high mark, and one read: for that there is room. */
	CHECK(e == OK);
	tell_collector(r);
}

void
respond_trailers(struct request *r, const struct http_head *t)
{
	if (!is_waiting(r)) {
		if (r->to_chunked &&
		    http1_write_end(t, &r->worker->to_client) == OK)
			r->to_chunked = false; /* its end is written */
		return;
	}
	if (http_head_copy(t, &r->arena, &r->response_trailers_kept) == OK)
		r->response_trailers = &r->response_trailers_kept;
}

void
respond_end(struct request *r)
{
	r->response_over = true;
	if (is_waiting(r)) {
		leave_service(r);
		tell_collector(r);
		return;
	}
	end_chunks(r);
	request_finish(r);
}

void
respond_upgrade(struct request *r, struct slice rest)
{
	enum err e;

	if (!is_waiting(r)) {
		request_become_pipe(r, rest);
		return;
	}
	r->response_upgraded = r->response_over = true;
	e = buf_add_slice(&r->response_held, rest);
	CHECK(e == OK); /* one read */
	pause_service(r);
	tell_collector(r);
}
