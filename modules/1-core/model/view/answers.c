/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answers — rules that answer by themselves: a redirect, a response.
 */
#include "actions.h"

enum { MOVED = 301, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Envoy derives nothing from a request; the port that is called is known. */
static uint16_t
port_of(const struct http_redirect *spec, const struct view_host *h)
{
	uint16_t port = spec->derive_port == PORT_OF_REQUEST
			    ? h->port
			    : (uint16_t)spec->port;
	struct slice scheme = spec->scheme.len > 0 ? spec->scheme
			      : h->ends_tls        ? S("https")
						   : S("http");
	bool is_usual = (port == HTTP_PORT && slice_eq(scheme, S("http"))) ||
			(port == HTTPS_PORT && slice_eq(scheme, S("https")));

	return is_usual ? 0 : port;
}

const struct view_redirect *
compile_redirect(struct builder *b, const struct http_redirect *spec,
    const struct view_host *h)
{
	struct view_redirect *r = take(b, 1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->code = spec->code != 0 ? (uint16_t)spec->code : MOVED;
	r->scheme = spec->scheme;
	r->host = spec->authority;
	r->port = port_of(spec, h);
	if (spec->prefix_rewrite.len > 0)
		r->prefix = spec->prefix_rewrite;
	else
		r->path = spec->uri;
	return r;
}

static struct slice
decode(struct builder *b, struct slice base64)
{
	uint8_t *bytes = take(b, base64.len, 1);
	size_t len = 0;

	/* It was checked to be base64. */
	if (bytes == NULL ||
	    crypto_base64_decode(base64, bytes, base64.len, &len) != OK)
		return S("");
	return slice_of(bytes, len);
}

const struct view_answer *
compile_answer(struct builder *b, const struct http_direct_response *spec)
{
	struct view_answer *a = take(b, 1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->status = (uint16_t)spec->status;
	if (spec->body == NULL)
		return a;
	a->body = spec->body->text;
	a->encoded = spec->body->bytes;
	if (a->encoded.len > 0)
		a->body = decode(b, a->encoded);
	return a;
}
