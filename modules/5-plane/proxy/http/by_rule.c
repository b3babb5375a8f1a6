/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_rule — answers that a rule says: a redirect, or a response of its own.
 *
 * They look like a service's: no words of ours, no flag. A body may be larger
 * than what a slow client's connection holds, so it goes piece by piece.
 */
#include "http/by_rule.h"

#include "http/filter.h"

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

/* RFC 9110 §6.4.1: these never have a body, whatever the rule says. */
static bool
has_body(unsigned status)
{
	return status != 204 && status != 304;
}

static void
init_head(
    struct request *r, unsigned status, struct slice body, struct http_head *h)
{
	http_head_init(h, &r->arena);
	h->status = (uint16_t)status;
	h->framing = has_body(status) ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	h->content_length = body.len;
}

static enum err
make_head(
    struct request *r, unsigned status, struct slice body, struct http_head *h)
{
	const struct view_http_route *route = r->choice.route;
	enum err e = OK;

	init_head(r, status, body, h);
	if (route->redirect != NULL)
		e = add_location(r, h);
	if (e == OK && body.len > 0)
		e = http_head_set_id(h, HTTP_CONTENT_TYPE, S("text/plain"));
	return e == OK ? filter_apply_headers(&route->response, h) : e;
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

static bool
send_head(struct request *r, struct http_head *h, bool no_body)
{
	if (r->client->ops->head(r->client, h, no_body) != OK)
		return false;
	sm_go(&r->state, REQUEST_ANSWERING);
	r->started = true;
	r->record.status = h->status;
	return true;
}

static void
refuse(struct request *r)
{
	request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
	    S("no room for the fields of the rule's answer"));
}

void
by_rule_to_https(struct request *r)
{
	const struct slice location =
	    arena_printf(&r->arena, "https://%.*s%.*s",
		SLICE_ARG(r->head->authority), SLICE_ARG(r->head->path));
	struct http_head h;

	r->client->last = request_is_last(r);
	init_head(r, 301, S(""), &h);
	if (location.len == 0 ||
	    http_head_set_id(&h, HTTP_LOCATION, location) != OK ||
	    !send_head(r, &h, /* no_body */ true))
		refuse(r);
	else
		send_rest(r);
}

void
by_rule_answer(struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	unsigned status = route->redirect != NULL ? route->redirect->code
						  : route->answer->status;
	struct slice body = route->answer != NULL && has_body(status)
				? route->answer->body
				: S("");
	bool no_body = body.len == 0 || http_head_is_method(r->head, S("HEAD"));
	struct http_head h;

	r->client->last = request_is_last(r);
	if (make_head(r, status, body, &h) != OK ||
	    !send_head(r, &h, no_body)) {
		refuse(r);
		return;
	}
	if (!no_body)
		r->own_rest = body;
	send_rest(r);
}
