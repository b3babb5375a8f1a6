/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers — what rule and destination do to heads.
 *
 * Envoy's order: of the destination, then of the route; what is computed sees
 * the head as it was when its level began.
 */
#include "http/filter.h"
#include "http/format.h"

/*
 * A value that the proxy does not make is not there, and must not come from
 * whoever calls either: the service might believe it.
 */
static enum err
change(const struct view_header *to, struct slice value, struct http_head *h)
{
	if (to->format != NULL && to->format->is_inert) {
		if (!to->append)
			(void)http_head_remove(h, to->name);
		return OK;
	}
	if (value.len == 0)
		return OK;
	return to->append ? http_head_add(h, to->name, value)
			  : http_head_set(h, to->name, value);
}

static enum err
compute(struct request *r, const struct view_headers *ops,
    const struct http_head *h, struct slice **out)
{
	struct slice *values =
	    arena_alloc_array(&r->arena, ops->change_count, sizeof(*values));
	enum err e = OK;

	*out = values;
	if (values == NULL)
		return ERR_LIMIT;
	for (size_t i = 0; e == OK && i < ops->change_count; i++) {
		const struct view_header *to = &ops->changes[i];

		if (to->format != NULL && !to->format->is_inert)
			e = format_make(to->format, r, h, &values[i]);
	}
	return e;
}

enum err
filter_apply_headers(
    struct request *r, const struct view_headers *ops, struct http_head *h)
{
	struct slice *values = NULL;
	enum err e = OK;

	for (size_t i = 0; i < ops->remove_count; i++)
		(void)http_head_remove(h, ops->remove[i]);
	if (ops->computes)
		e = compute(r, ops, h, &values);
	for (size_t i = 0; e == OK && i < ops->change_count; i++) {
		const struct view_header *to = &ops->changes[i];
		bool made = to->format != NULL && values != NULL;

		e = change(to, made ? values[i] : slice_trim(to->value), h);
	}
	return e;
}

/* --- the request ---------------------------------------------------------- */

/* How long the service has for this try; 0: as long as it takes. Never 0 when
 * the time is over, as that would be for ever. */
static uint64_t
time_left_ms(const struct request *r)
{
	uint64_t now_us = loop_now_us(r->worker->loop);
	uint64_t all_us = request_time_us(r), left_us = all_us;
	uint64_t try_us = r->choice.route->retry.per_try_timeout_us;

	if (r->route_end_us > 0)
		left_us = r->route_end_us - MIN(now_us, r->route_end_us);
	if (try_us > 0 && (all_us == 0 || try_us < left_us))
		left_us = try_us;
	return all_us > 0 || try_us > 0 ? MAX(left_us / 1000, 1) : 0;
}

static enum err
set_number(struct request *r, struct slice name, uint64_t n)
{
	char text[SLICE_U64_MAX];
	struct slice kept;
	enum err e = arena_copy(&r->arena, slice_from_u64(n, text), &kept);

	return e == OK ? http_head_set(r->head, name, kept) : e;
}

/* In a unit for which gRPC's eight digits are enough. */
static enum err
set_grpc_timeout(struct request *r, uint64_t ms)
{
	enum { DIGITS_END = 100000000 };
	static const struct {
		char unit;
		unsigned of_next;
	} units[] = {{'m', 1000}, {'S', 60}, {'M', 60}, {'H', 1}};
	struct slice text;
	size_t i = 0;

	while (ms >= DIGITS_END && i + 1 < ARRAY_LEN(units))
		ms /= units[i++].of_next;
	text = arena_printf(&r->arena, "%llu%c",
	    (unsigned long long)MIN(ms, DIGITS_END - 1), units[i].unit);
	return text.len > 0 ? http_head_set_id(r->head, HTTP_GRPC_TIMEOUT, text)
			    : ERR_LIMIT;
}

/* The service is not to work for longer than anybody waits. What the client
 * says stands, unless there is less. */
static enum err
tell_grpc(struct request *r, uint64_t left_ms)
{
	if (!r->grpc ||
	    (r->grpc_time_us > 0 && r->grpc_time_us <= left_ms * 1000))
		return OK;
	return set_grpc_timeout(r, left_ms);
}

enum err
headers_tell_try(struct request *r)
{
	uint64_t left_ms = time_left_ms(r);
	enum err e =
	    r->attempts <= 1
		? http_head_set_id(r->head, HTTP_X_ENVOY_ATTEMPT_COUNT, S("1"))
		: set_number(r, S("x-envoy-attempt-count"), r->attempts);

	if (e != OK || left_ms == 0)
		return e;
	e = set_number(r, S("x-envoy-expected-rq-timeout-ms"), left_ms);
	return e == OK ? tell_grpc(r, left_ms) : e;
}

static enum err
rewrite_authority(struct request *r)
{
	struct slice to = r->choice.route->new_authority.len > 0
			      ? r->choice.route->new_authority
			      : r->destination->new_authority;
	enum err e;

	if (to.len == 0)
		return OK;
	e = http_head_set(
	    r->head, S("x-envoy-original-host"), r->head->authority);
	r->head->authority = to;
	return e;
}

static enum err
rewrite_path(struct request *r)
{
	enum err e;

	if (!r->choice.route->rewrite_uri)
		return OK;
	e = http_head_set(r->head, S("x-envoy-original-path"), r->head->path);
	return e == OK ? view_rewrite_path(&r->choice, r->head->path, &r->arena,
			     &r->head->path)
		       : e;
}

static enum filter_verdict
headers_request(struct request *r)
{
	/* What is told of the try comes first: a rule may take it out. */
	if (headers_tell_try(r) == OK &&
	    filter_apply_headers(r, &r->destination->request, r->head) == OK &&
	    filter_apply_headers(r, &r->choice.route->request, r->head) == OK &&
	    rewrite_authority(r) == OK && rewrite_path(r) == OK)
		return FILTER_GO_ON;
	request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
	    S("the head is too large after the route's changes"));
	return FILTER_ANSWERED;
}

/* --- the answer ----------------------------------------------------------- */

static enum err
change_answer(struct request *r, struct http_head *h)
{
	enum err e = OK;

	if (r->destination != NULL)
		e = filter_apply_headers(r, &r->destination->response, h);
	if (e == OK && r->choice.route != NULL)
		e = filter_apply_headers(r, &r->choice.route->response, h);
	return e;
}

enum err
filter_dress(struct request *r, struct http_head *h)
{
	enum err e = change_answer(r, h);

	return e == OK ? cors_allow(r, h) : e;
}

static enum filter_verdict
headers_response(struct request *r, struct http_head *h)
{
	if (change_answer(r, h) == OK)
		return FILTER_GO_ON;
	request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
	    S("the head of the answer is too large"));
	return FILTER_ANSWERED;
}

const struct filter filter_headers = {.name = "headers",
    .on_request = headers_request,
    .on_response = headers_response};
