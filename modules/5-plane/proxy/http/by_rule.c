/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_rule — answers that a rule says: a redirect, or a response of its own.
 *
 * They look like a service's: no words of ours, no flag. A body may be larger
 * than what a slow client's connection holds, so it goes piece by piece.
 */
#include "http/by_rule.h"

#include "http/filter.h"
#include "http/web.h"

/* --- the head --- */

static enum err
add_location(struct request *r, struct http_head *h)
{
	struct http_attrs attrs = {.scheme = S("http"),
	    .authority = r->head->authority,
	    .path = r->head->path};
	struct slice location;
	enum err e =
	    view_redirect_location(&r->choice, &attrs, &r->arena, &location);

	return e == OK ? http_head_set_id(h, HTTP_LOCATION, location) : e;
}

static enum err
make_head(
    struct request *r, unsigned status, bool has_body, struct http_head *h)
{
	enum err e = OK;

	http_head_init(h, &r->arena);
	h->status = (uint16_t)status;
	if (r->choice.route->redirect != NULL)
		e = add_location(r, h);
	if (e == OK && has_body)
		e = http_head_set_id(h, HTTP_CONTENT_TYPE, S("text/plain"));
	return e == OK ? filter_dress(r, h) : e;
}

/* --- the body --- */

/* Until the client's connection is full; then its on_drained goes on. */
static void
send_rest(struct request *r)
{
	enum err e;

	while (r->own_rest.len > 0) {
		struct slice piece =
		    slice_sub(r->own_rest, 0, LIMIT_STREAM_BUFFER);

		if (r->client->full) {
			request_flush_client(r);
			return;
		}
		r->own_rest =
		    slice_sub(r->own_rest, piece.len, r->own_rest.len);
		r->record.bytes_sent += piece.len;
		r->moved_us = loop_now_us(r->worker->loop);
		request_to_client(r, piece);
	}
	e = r->client->ops->end(r->client, NULL);
	(void)e; /* there are no trailers; the client's end tells the rest */
	request_finish(r);
}

void
by_rule_go_on(struct request *r)
{
	if (r->own_rest.len > 0)
		send_rest(r);
}

static void
no_room(struct request *r)
{
	request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
	    S("no room for the fields of the rule's answer"));
}

/* A browser follows a redirect before gRPC-Web sees anything of it. */
static bool
wants_outcome(const struct request *r, const struct http_head *h)
{
	return r->grpc && !(r->web.on && http_head_has(h, HTTP_LOCATION));
}

/* A client of gRPC reads no body, and no status but its own. */
static enum err
say_outcome(struct request *r, struct http_head *h, struct slice words)
{
	enum grpc_status status = grpc_status_from_http(h->status);

	h->status = 200;
	r->record.has_grpc = true;
	r->record.grpc = (uint8_t)status;
	return request_write_grpc(h, web_answer_type(r), status, words);
}

void
by_rule_send(struct request *r, struct http_head *h, struct slice body)
{
	bool no_body = body.len == 0 || http_head_is_method(r->head, S("HEAD"));
	enum err e = OK;

	r->client->last = request_is_last(r);
	h->framing =
	    answer_has_body(h->status) ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	h->content_length = body.len;
	if (wants_outcome(r, h)) {
		no_body = true;
		e = say_outcome(r, h, body);
	}
	request_note_answer(r, h);
	if (e != OK || r->client->ops->head(r->client, h, no_body) != OK) {
		no_room(r);
		return;
	}
	sm_go(&r->state, REQUEST_ANSWERING);
	r->started = true;
	r->record.status = h->status;
	if (!no_body)
		r->own_rest = body;
	send_rest(r);
}

void
by_rule_to_https(struct request *r)
{
	const struct slice location =
	    arena_printf(&r->arena, "https://%.*s%.*s",
		SLICE_ARG(r->head->authority), SLICE_ARG(r->head->path));
	struct http_head h;

	http_head_init(&h, &r->arena);
	h.status = 301;
	if (location.len == 0 ||
	    http_head_set_id(&h, HTTP_LOCATION, location) != OK)
		no_room(r);
	else
		by_rule_send(r, &h, S(""));
}

void
by_rule_answer(struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	unsigned status = route->redirect != NULL ? route->redirect->code
						  : route->answer->status;
	struct slice body = route->answer != NULL && answer_has_body(status)
				? route->answer->body
				: S("");
	struct http_head h;

	if (make_head(r, status, body.len > 0, &h) == OK)
		by_rule_send(r, &h, body);
	else
		no_room(r);
}
