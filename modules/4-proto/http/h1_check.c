/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_check — where a message begins and ends, decided so that no other
 * parser could decide otherwise (RFC 9112 §3.2, §6, §11.2).
 *
 * What can be read in two ways is refused, even where the RFC lets a
 * recipient repair it: a repaired message is one that the next hop may have
 * read differently.
 */
#include "h1_message.h"

bool
h1_is_trailer_allowed(enum http_field_id id)
{
	switch (id) {
	case HTTP_HOST:
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_CONTENT_LENGTH:
	case HTTP_CONTENT_TYPE:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_UPGRADE:
	case HTTP_EXPECT:
	case HTTP_AUTHORIZATION:
		return false;
	default:
		return true;
	}
}

/* --- how long the body is --- */

/* "chunked", alone and once. */
static enum http1_flaw
check_coding(const struct http_head *h)
{
	struct slice list = http_head_join_id(h, HTTP_TRANSFER_ENCODING);
	struct slice item;
	size_t chunked = 0;
	size_t others = 0;

	if (h->version == HTTP_V1_0)
		return HTTP1_BAD_CODING;
	while (http_list_next(&list, &item)) {
		if (slice_eq_nocase(item, S("chunked")))
			chunked++;
		else
			others++;
	}
	if (others > 0)
		return HTTP1_UNKNOWN_CODING;
	return chunked == 1 ? HTTP1_OK : HTTP1_BAD_CODING;
}

/* Sets the framing that the fields ask for. */
static enum http1_flaw
read_framing(struct http_head *h, enum http_framing otherwise)
{
	bool coded = http_head_has(h, HTTP_TRANSFER_ENCODING);
	bool length = http_head_has(h, HTTP_CONTENT_LENGTH);

	if (coded && length)
		return HTTP1_TWO_FRAMINGS;
	h->framing = (uint8_t)otherwise;
	if (coded) {
		h->framing = HTTP_BODY_CHUNKED;
		return check_coding(h);
	}
	if (length) {
		h->framing = HTTP_BODY_LENGTH;
		return http_read_length(h) ? HTTP1_OK : HTTP1_BAD_LENGTH;
	}
	return HTTP1_OK;
}

/* --- whether the connection lives on, and as what --- */

static void
read_connection(struct http_head *h)
{
	struct slice list;

	h->keep_alive = h->version == HTTP_V1_1;
	if (!http_head_has(h, HTTP_CONNECTION))
		return;
	list = http_head_join_id(h, HTTP_CONNECTION);
	if (http_list_has(list, S("close")))
		h->keep_alive = false;
	else if (http_list_has(list, S("keep-alive")))
		h->keep_alive = true;
	if (!http_list_has(list, S("upgrade")) || h->version == HTTP_V1_0)
		return;
	if (!http_head_get_id(h, HTTP_UPGRADE, &h->upgrade))
		return;
	h->lent |= HEAD_UPGRADE; /* harmless if the field is in the arena */
}

/* --- what is asked for, and of whom --- */

/* "http://host/path": scheme, authority and path from one text. */
static enum http1_flaw
split_absolute(struct http_head *h, struct slice t)
{
	size_t colon = slice_find(t, ':');
	struct slice rest = slice_sub(t, colon, t.len);
	size_t end;

	h->scheme = slice_sub(t, 0, colon);
	if (!slice_starts(rest, S("://")))
		return HTTP1_BAD_TARGET;
	if (!slice_eq_nocase(h->scheme, S("http")) &&
	    !slice_eq_nocase(h->scheme, S("https")))
		return HTTP1_BAD_TARGET;
	rest = slice_sub(rest, 3, rest.len);
	for (end = 0; end < rest.len; end++)
		if (rest.ptr[end] == '/' || rest.ptr[end] == '?')
			break;
	h->authority = slice_sub(rest, 0, end);
	h->path = slice_sub(rest, end, rest.len);
	if (h->path.len == 0)
		h->path = S("/");
	if (h->path.ptr[0] != '/' || !http_is_authority(h->authority))
		return HTTP1_BAD_TARGET; /* "http://host?query" is not served */
	return HTTP1_OK;
}

/* CONNECT: "host:port", the port is needed (RFC 9110 §9.3.6). */
static enum http1_flaw
split_authority(struct http_head *h, struct slice t)
{
	size_t colon = slice_rfind(t, ':');

	if (!http_is_authority(t) || colon + 1 >= t.len ||
	    t.ptr[t.len - 1] == ']')
		return HTTP1_BAD_TARGET;
	h->authority = t;
	return HTTP1_OK;
}

static enum http1_flaw
read_target(struct h1_message *m)
{
	struct http_head *h = &m->head;
	struct slice t = m->target;
	bool star = slice_eq(t, S("*"));

	if (!http_is_target(t))
		return HTTP1_BAD_TARGET;
	if (m->target_lent)
		h->lent |= HEAD_SCHEME | HEAD_AUTHORITY | HEAD_PATH;
	if (http_head_is_method(h, S("CONNECT")))
		return split_authority(h, t);
	if (star && !http_head_is_method(h, S("OPTIONS")))
		return HTTP1_BAD_TARGET;
	if (!star && t.ptr[0] != '/')
		return split_absolute(h, t);
	h->path = t;
	return HTTP1_OK;
}

/* Host is needed, alone, and the same as an absolute target's authority. */
static enum http1_flaw
read_host(struct h1_message *m)
{
	struct http_head *h = &m->head;

	if (m->hosts > 1)
		return HTTP1_TWO_HOSTS;
	if (m->hosts == 0) {
		if (h->version == HTTP_V1_0 && h->authority.len > 0)
			return HTTP1_OK;
		return HTTP1_NO_HOST;
	}
	if (!http_is_authority(m->host))
		return HTTP1_BAD_HOST;
	if (h->authority.len > 0)
		return slice_eq_nocase(h->authority, m->host)
			   ? HTTP1_OK
			   : HTTP1_HOST_MISMATCH;
	h->authority = m->host;
	h->lent &= (uint8_t)~HEAD_AUTHORITY;
	if (m->host_lent)
		h->lent |= HEAD_AUTHORITY;
	return HTTP1_OK;
}

static enum http1_flaw
read_expect(struct http_head *h)
{
	struct slice value;

	if (!http_head_get_id(h, HTTP_EXPECT, &value))
		return HTTP1_OK;
	if (!slice_eq_nocase(value, S("100-continue")))
		return HTTP1_BAD_EXPECT;
	/* HTTP/1.0 does not know it (RFC 9110 §10.1.1). */
	h->expect_continue = h->version == HTTP_V1_1;
	return HTTP1_OK;
}

/* CONNECT has no body; one that claims to is a trap. */
static enum http1_flaw
connect_framing(struct http_head *h)
{
	if (http_head_has(h, HTTP_TRANSFER_ENCODING))
		return HTTP1_BAD_CODING;
	if (http_head_has(h, HTTP_CONTENT_LENGTH))
		return HTTP1_BAD_LENGTH;
	h->framing = HTTP_BODY_TUNNEL;
	return HTTP1_OK;
}

enum http1_flaw
h1_check_request(struct h1_message *m)
{
	struct http_head *h = &m->head;
	enum http1_flaw flaw = read_target(m);

	if (flaw == HTTP1_OK)
		flaw = read_host(m);
	if (flaw == HTTP1_OK)
		flaw = http_head_is_method(h, S("CONNECT"))
			   ? connect_framing(h)
			   : read_framing(h, HTTP_BODY_NONE);
	if (flaw == HTTP1_OK)
		flaw = read_expect(h);
	if (flaw != HTTP1_OK)
		return flaw;
	read_connection(h);
	/* A server may ignore Upgrade; with a body we do (RFC 9110 §7.8). */
	if (h->framing == HTTP_BODY_CHUNKED || h->content_length > 0)
		h->upgrade = SLICE_NONE;
	return HTTP1_OK;
}

enum http1_flaw
h1_check_response(struct h1_message *m, struct slice method)
{
	struct http_head *h = &m->head;
	bool connected = slice_eq(method, S("CONNECT")) && h->status >= 200 &&
			 h->status < 300;
	enum http1_flaw flaw;

	if (h->status < 100 || h->status > 999)
		return HTTP1_BAD_STATUS;
	read_connection(h);
	if (h->status == 101 || connected) {
		h->framing = HTTP_BODY_TUNNEL;
		return HTTP1_OK;
	}
	flaw = read_framing(h, HTTP_BODY_CLOSE);
	if (flaw != HTTP1_OK)
		return flaw;
	if (slice_eq(method, S("HEAD")) || h->status < 200 ||
	    h->status == 204 || h->status == 304)
		h->framing = HTTP_BODY_NONE;
	return HTTP1_OK;
}
