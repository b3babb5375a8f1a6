/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors — which other origins a browser may call from (Fetch §3.2).
 *
 * Envoy's semantics: a preflight of an origin that may call is answered here
 * and not by the service, whose other answers are marked as ones that it may
 * read. A preflight of any other origin is sent on, unless the rule says that
 * it is answered without a word for it. Rules that answer by themselves have
 * none of this.
 */
#include "http/by_rule.h"
#include "http/filter.h"

static bool
passes(const struct view_allowed *a, struct slice origin)
{
	switch (a->test) {
	case VIEW_EXACT:
		return slice_eq(origin, a->value);
	case VIEW_PREFIX:
		return slice_starts(origin, a->value);
	case VIEW_REGEX:
		return a->regex != NULL && regex_match(a->regex, origin);
	case VIEW_PRESENT:
		break;
	}
	return false;
}

/* Whatever lets "*" call lets everybody. */
static bool
is_allowed(const struct view_cors *c, struct slice origin)
{
	for (size_t i = 0; i < c->origin_count; i++)
		if (passes(&c->origins[i], S("*")) ||
		    passes(&c->origins[i], origin))
			return true;
	return false;
}

static bool
is_preflight(const struct http_head *h)
{
	struct slice method;

	return http_head_is_method(h, S("OPTIONS")) &&
	       http_head_get(h, S("access-control-request-method"), &method) &&
	       method.len > 0;
}

static enum err
say(struct http_head *h, struct slice name, struct slice value)
{
	return value.len > 0 ? http_head_set(h, name, value) : OK;
}

static enum err
say_credentials(const struct view_cors *c, struct http_head *h)
{
	return say(h, S("access-control-allow-credentials"),
	    c->credentials ? S("true") : S(""));
}

enum err
cors_allow(const struct request *r, struct http_head *h)
{
	const struct view_cors *c;
	enum err e;

	if (r->origin.len == 0)
		return OK;
	c = r->choice.route->cors;
	e = say(h, S("access-control-allow-origin"), r->origin);
	if (e == OK)
		e = say_credentials(c, h);
	if (e == OK)
		e = say(h, S("access-control-expose-headers"), c->expose);
	return e;
}

static void
answer(struct request *r)
{
	const struct view_cors *c = r->choice.route->cors;
	struct http_head h;
	enum err e;

	http_head_init(&h, &r->arena);
	h.status = 200;
	e = cors_allow(r, &h);
	if (e == OK)
		e = say_credentials(c, &h);
	if (e == OK)
		e = say(&h, S("access-control-allow-methods"), c->methods);
	if (e == OK)
		e = say(&h, S("access-control-allow-headers"), c->headers);
	if (e == OK)
		e = say(&h, S("access-control-max-age"), c->max_age);
	if (e == OK)
		by_rule_send(r, &h, S(""));
	else
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
		    S("no room for what a browser is told"));
}

static enum filter_verdict
cors_request(struct request *r)
{
	const struct view_cors *c = r->choice.route->cors;
	struct slice origin;

	if (c == NULL || r->destination == NULL)
		return FILTER_GO_ON;
	origin = http_head_join(r->head, S("origin"));
	if (origin.len == 0)
		return FILTER_GO_ON;
	if (is_allowed(c, origin))
		r->origin = origin;
	if (!is_preflight(r->head) ||
	    (r->origin.len == 0 && c->forwards_unmatched))
		return FILTER_GO_ON;
	answer(r);
	return FILTER_ANSWERED;
}

static enum filter_verdict
cors_response(struct request *r, struct http_head *h)
{
	if (cors_allow(r, h) == OK)
		return FILTER_GO_ON;
	request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
	    S("the head of the answer is too large"));
	return FILTER_ANSWERED;
}

const struct filter filter_cors = {
    .name = "cors", .on_request = cors_request, .on_response = cors_response};
