/* SPDX-License-Identifier: Apache-2.0 */
/*
 * respond — the service's answer on its way; see respond.h.
 */
#include "http/respond.h"

#include "http/filter.h"
#include "http/upgrade.h"
#include "http/web.h"

/* --- the head that the client gets ------------------------------------------
 */

static void
too_large(struct request *r)
{
	request_answer(r, 503, FLOW_UPSTREAM_PROTOCOL,
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
		upstream_pause(r->up, STREAM_PAUSE_FILTER);
}

static void
resume_service(struct request *r)
{
	if (r->up != NULL)
		upstream_resume(r->up, STREAM_PAUSE_FILTER);
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
	buf_fini(&r->held);
	r->replayable = r->sent = false;
}

/* --- from the head to the end ----------------------------------------------
 */

/* Behind the body, once; without room for the trailers it breaks off. */
static void
end_answer(struct request *r, const struct http_head *trailers)
{
	enum err e = OK;

	if (trailers != NULL)
		request_note_trailers(r, trailers);
	if (r->web.on) {
		e = web_end(r, trailers);
		trailers = NULL;
	}
	if (e == OK)
		e = r->client->ops->end(r->client, trailers);

	if (e == ERR_LIMIT)
		r->client->ops->cut(r->client, ERR_LIMIT);
}

/* Passed by all filters: what was held goes, the rest follows as it comes. */
static void
start(struct request *r)
{
	bool end = r->response->framing == HTTP_BODY_NONE ||
		   (r->response_over && !r->response_upgraded &&
		       buf_len(&r->response_held) == 0 &&
		       r->response_trailers == NULL);

	request_note_answer(r, r->response);
	if (r->client->ops->head(r->client, r->response, end) != OK) {
		too_large(r);
		return;
	}
	request_to_client(r, buf_slice(&r->response_held));
	buf_fini(&r->response_held);
	if (r->response_upgraded) {
		request_become_pipe(r, SLICE_NONE);
	} else if (r->response_over) {
		end_answer(r, r->response_trailers);
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

static void
read_grpc(struct request *r, const struct http_head *h)
{
	if (r->grpc && request_read_grpc(h, &r->record.grpc))
		r->record.has_grpc = true;
}

void
respond_begin(struct request *r, struct http_head *h)
{
	sm_go(&r->state, REQUEST_ANSWERING);
	timer_clear(&r->try_end);
	request_note(r, FLOW_ANSWERED);
	r->record.status = h->status;
	read_grpc(r, h);
	r->record.upstream_us = loop_now_us(r->worker->loop) - r->began_us;
	lb_host_succeeded(&r->host->lb);
	r->answered = true;
	if (is_stray_upgrade(r, h)) {
		request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
		    S("the endpoint switched protocols unasked"));
		return;
	}
	if (h->framing == HTTP_BODY_TUNNEL && upgrade_answer(r, h) != OK) {
		request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
		    S("the endpoint's proof is not of the WebSocket's key"));
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
		request_to_client(r, bytes);
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
	read_grpc(r, t);
	if (!is_waiting(r)) {
		end_answer(r, t);
		return;
	}
	if (http_head_copy(t, &r->arena, &r->response_trailers_kept) == OK)
		r->response_trailers = &r->response_trailers_kept;
}

void
respond_end(struct request *r)
{
	r->response_over = true;
	request_note(r, FLOW_ANSWER_CAME);
	if (is_waiting(r)) {
		leave_service(r);
		tell_collector(r);
		return;
	}
	end_answer(r, NULL);
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
