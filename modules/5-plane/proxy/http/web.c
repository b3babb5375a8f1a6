/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web — calls of browsers (gRPC-Web), for services that speak gRPC; see web.h.
 */
#include "http/web.h"

#include "http/filter.h"

/* --- what it is ----------------------------------------------------------- */

/* The first form of gRPC-Web that it accepts; else that of its own body. */
static bool
wants_text(const struct request *r, bool is_text)
{
	struct slice accept;
	struct grpc_type t;

	if (!http_head_get(r->head, S("accept"), &accept))
		return is_text;
	while (accept.len > 0)
		if (grpc_read_type(slice_split(&accept, ','), &t) && t.web)
			return t.text;
	return is_text;
}

/* What its head says, if it is one. */
static bool
read_type(const struct request *r, struct grpc_type *out)
{
	struct slice type;

	return http_head_is_method(r->head, S("POST")) &&
	       http_head_get_id(r->head, HTTP_CONTENT_TYPE, &type) &&
	       grpc_read_type(type, out) && out->web;
}

static bool
is_translated(const struct request *r)
{
	const struct view_destination *d = r->destination;

	return view_translates_grpc_web(
	    r->way.chain, r->virtual_host, d != NULL ? d->cluster : NULL);
}

void
web_recognize(struct request *r)
{
	struct grpc_type t;

	if (r->web.on || !read_type(r, &t) || !is_translated(r))
		return;
	request_speaks_grpc(r);
	r->web.on = true;
	r->web.reads_text = t.text;
	r->web.writes_text = wants_text(r, t.text);
}

struct slice
web_answer_type(const struct request *r)
{
	if (!r->grpc)
		return SLICE_NONE;
	if (!r->web.on)
		return S("application/grpc");
	return r->web.writes_text ? S("application/grpc-web-text+proto")
				  : S("application/grpc-web+proto");
}

/* --- bytes ---------------------------------------------------------------- */

static void
no_base64(struct request *r)
{
	request_on_flaw(
	    r, 400, S("the body is not base64, as grpc-web-text has to be"));
}

void
web_from_client(struct request *r, struct slice text, web_take take)
{
	AUTO(buf_fini) struct buf bytes = BUF(text.len + sizeof(r->web.text));

	if (grpc_web_decode(&r->web.text, text, &bytes) != OK)
		no_base64(r);
	else if (buf_len(&bytes) > 0)
		take(r, buf_slice(&bytes));
}

void
web_is_torn(struct request *r)
{
	r->web.text.count = 0;
	no_base64(r);
}

void
web_to_client(struct request *r, struct slice bytes, web_take take)
{
	AUTO(buf_fini) struct buf text = BUF(CRYPTO_BASE64_LEN(bytes.len));
	enum err e = grpc_web_encode(bytes, &text);

	CHECK(e == OK); /* there is just that room */
	r->record.bytes_sent += buf_len(&text) - bytes.len;
	take(r, buf_slice(&text));
}

enum err
web_end(struct request *r, const struct http_head *trailers)
{
	AUTO(buf_fini) struct buf last = BUF(GRPC_WEB_TRAILERS_MAX);
	enum err e;

	if (trailers == NULL)
		return OK;
	e = grpc_web_write_trailers(trailers, &last);
	if (e != OK)
		return e;
	r->record.bytes_sent += buf_len(&last);
	request_to_client(r, buf_slice(&last));
	return OK;
}

/* --- the request ---------------------------------------------------------- */

static enum err
set_type(struct http_head *h, struct slice name, struct slice subtype)
{
	struct slice type = arena_printf(
	    h->arena, "%.*s%.*s", SLICE_ARG(name), SLICE_ARG(subtype));

	return type.len > 0 ? http_head_set_id(h, HTTP_CONTENT_TYPE, type)
			    : ERR_LIMIT;
}

/* As a client of gRPC says it; messages one by one are not compressed, as no
 * browser could read them. */
static enum err
translate_head(struct http_head *h, const struct grpc_type *t)
{
	const struct slice codings = S("grpc-accept-encoding");
	struct slice said;
	enum err e = set_type(h, S("application/grpc"), t->subtype);

	if (e == OK)
		e = http_head_set_id(h, HTTP_TE, S("trailers"));
	if (e == OK && !http_head_get(h, codings, &said))
		e = http_head_set(h, codings, S("identity"));
	if (t->text && h->framing == HTTP_BODY_LENGTH)
		h->framing = HTTP_BODY_CHUNKED;
	return e;
}

/* What came while a filter before this one waited. */
static enum err
translate_held(struct request *r)
{
	struct buf text = r->held;
	enum err e;

	buf_init(&r->held, text.limit);
	e = grpc_web_decode(&r->web.text, buf_slice(&text), &r->held);
	buf_fini(&text);
	return e;
}

static enum filter_verdict
translate_request(struct request *r)
{
	struct grpc_type t;

	web_recognize(r);
	if (!r->web.on || !read_type(r, &t))
		return FILTER_GO_ON;
	if (translate_head(r->head, &t) != OK)
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
		    S("no room for the fields that gRPC needs"));
	else if (t.text && translate_held(r) != OK)
		no_base64(r);
	else
		return FILTER_GO_ON;
	return FILTER_ANSWERED;
}

/* --- the answer ----------------------------------------------------------- */

/* Of gRPC, or of a service that speaks gRPC-Web itself; then `out` has its
 * type. */
static bool
is_outcome(const struct http_head *h, struct grpc_type *out)
{
	struct slice type = SLICE_NONE;
	bool known;

	*out = (struct grpc_type){0};
	(void)http_head_get_id(h, HTTP_CONTENT_TYPE, &type); /* or none */
	known = grpc_read_type(type, out);
	if (h->framing == HTTP_BODY_NONE && http_head_has(h, HTTP_GRPC_STATUS))
		return true;
	return h->status == 200 && known && !out->text;
}

static void
too_large(struct request *r)
{
	request_answer(r, 502, FLOW_UPSTREAM_PROTOCOL,
	    S("the head of the answer is too large"));
}

/* What is no gRPC becomes the words of an outcome; the status stays. */
static enum filter_verdict
say_outcome(struct request *r, struct http_head *h)
{
	enum grpc_status status = grpc_status_from_http(h->status);

	if (!request_has_response(r))
		return FILTER_COLLECT;
	(void)http_head_remove(h, S("content-encoding")); /* or none */
	if (request_write_grpc(h, web_answer_type(r), status,
		buf_slice(&r->response_held)) != OK) {
		too_large(r);
		return FILTER_ANSWERED;
	}
	r->record.has_grpc = true;
	r->record.grpc = (uint8_t)status;
	r->record.bytes_sent = 0;
	buf_fini(&r->response_held);
	r->response_trailers = NULL;
	r->response_over = true;
	return FILTER_GO_ON;
}

static enum filter_verdict
translate_response(struct request *r, struct http_head *h)
{
	struct slice form = r->web.writes_text ? S("application/grpc-web-text")
					       : S("application/grpc-web");
	struct grpc_type t;

	if (!r->web.on)
		return FILTER_GO_ON;
	if (!is_outcome(h, &t))
		return say_outcome(r, h);
	if (set_type(h, form, t.subtype.len > 0 ? t.subtype : S("+proto")) !=
	    OK) {
		too_large(r);
		return FILTER_ANSWERED;
	}
	if (h->framing == HTTP_BODY_LENGTH)
		h->framing = HTTP_BODY_CHUNKED; /* trailers come in it */
	return FILTER_GO_ON;
}

const struct filter filter_grpc_web = {.name = "grpc_web",
    .on_request = translate_request,
    .on_response = translate_response};
