/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — what a ClientHello says, for whoever passes TLS on without ending it.
 *
 * RFC 8446 §4.1.2, §5.1; the server's name RFC 6066 §3, protocols RFC 7301
 * §3.1. It may be cut into records, and records into pieces, anywhere. What is
 * not asked for is passed over unread, but its lengths have to add up.
 */
#include "tls.h"

enum {
	RECORD_HANDSHAKE = 22,
	RECORD_BYTES_MAX = 1 << 14,
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_HEADER = 4,
	RANDOM_LEN = 32,
	SESSION_ID_MAX = 32,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	NAME_IS_HOST = 0
};

void
tls_hello_reader_init(struct tls_hello_reader *r)
{
	*r = (struct tls_hello_reader){0};
	buf_init(&r->message, MESSAGE_HEADER + TLS_HELLO_BYTES_MAX);
}

void
tls_hello_reader_fini(struct tls_hello_reader *r)
{
	buf_fini(&r->message);
}

/* --- what it says --------------------------------------------------------- */

static struct reader
part(struct reader *r, size_t len)
{
	struct reader inner = READER(reader_bytes(r, len));

	inner.failed = r->failed;
	return inner;
}

static enum err
keep_name(struct slice name, struct tls_hello *out)
{
	if (name.len == 0 || name.len > NAME_HOST_MAX)
		return ERR_PROTOCOL;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c <= ' ' || c > '~')
			return ERR_PROTOCOL;
		out->sni[i] =
		    c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	out->sni[name.len] = 0;
	return OK;
}

/* One name of the kind that there is; of others nothing is known. */
static enum err
read_names(struct reader r, struct tls_hello *out)
{
	struct reader list = part(&r, reader_u16(&r));
	enum err e = reader_done(&r);

	while (e == OK && list.rest.len > 0) {
		uint8_t kind = reader_u8(&list);
		struct slice name = reader_bytes(&list, reader_u16(&list));

		if (list.failed)
			return ERR_PROTOCOL;
		if (kind == NAME_IS_HOST)
			e = out->sni[0] == 0 ? keep_name(name, out)
					     : ERR_PROTOCOL;
	}
	return e;
}

static enum err
read_protocols(struct reader r, struct tls_hello *out)
{
	struct reader list = part(&r, reader_u16(&r));
	size_t used = 0;

	if (reader_done(&r) != OK)
		return ERR_PROTOCOL;
	while (list.rest.len > 0) {
		struct slice name = reader_bytes(&list, reader_u8(&list));

		if (list.failed || name.len == 0)
			return ERR_PROTOCOL;
		if (out->alpn_count == TLS_HELLO_ALPNS_MAX ||
		    name.len > sizeof(out->text) - used)
			continue;
		memcpy(out->text + used, name.ptr, name.len);
		out->alpns[out->alpn_count++] =
		    slice_of(out->text + used, name.len);
		used += name.len;
	}
	return OK;
}

static enum err
read_extensions(struct reader r, struct tls_hello *out)
{
	bool has_names = false, has_protocols = false;
	enum err e = OK;

	while (e == OK && r.rest.len > 0) {
		uint16_t type = reader_u16(&r);
		struct reader body = part(&r, reader_u16(&r));
		bool *has = type == EXTENSION_SERVER_NAME ? &has_names
			    : type == EXTENSION_ALPN      ? &has_protocols
							  : NULL;

		if (r.failed || (has != NULL && *has))
			return ERR_PROTOCOL;
		if (has == NULL)
			continue;
		*has = true;
		e = type == EXTENSION_ALPN ? read_protocols(body, out)
					   : read_names(body, out);
	}
	return e == OK ? OK : ERR_PROTOCOL;
}

static enum err
read_hello(struct slice body, struct tls_hello *out)
{
	struct reader r = READER(body);
	size_t session, suites, methods, extensions;

	memset(out, 0, sizeof(*out));
	(void)reader_u16(&r); /* the version is an extension's since 1.3 */
	(void)reader_bytes(&r, RANDOM_LEN);
	session = reader_u8(&r);
	(void)reader_bytes(&r, session);
	suites = reader_u16(&r);
	(void)reader_bytes(&r, suites);
	methods = reader_u8(&r);
	(void)reader_bytes(&r, methods);
	if (r.failed || session > SESSION_ID_MAX || suites < 2 ||
	    suites % 2 != 0 || methods == 0)
		return ERR_PROTOCOL;
	if (r.rest.len == 0)
		return OK; /* before there were extensions */
	extensions = reader_u16(&r);
	if (r.failed || extensions != r.rest.len)
		return ERR_PROTOCOL;
	return read_extensions(r, out);
}

/* --- records -------------------------------------------------------------- */

/* A byte of the header of a record; what cannot be one is told at once. */
static enum err
take_header(struct tls_hello_reader *r, uint8_t byte)
{
	r->header[r->header_len++] = byte;
	if (r->header_len <= 2 &&
	    byte != (r->header_len == 1 ? RECORD_HANDSHAKE : 3))
		return ERR_PROTOCOL;
	if (r->header_len < sizeof(r->header))
		return OK;
	r->left = (size_t)r->header[3] << 8 | r->header[4];
	r->header_len = 0;
	return r->left > 0 && r->left <= RECORD_BYTES_MAX ? OK : ERR_PROTOCOL;
}

static enum err
take_body(struct tls_hello_reader *r, struct slice *bytes)
{
	size_t n = MIN(r->left, bytes->len);
	enum err e = buf_add(&r->message, bytes->ptr, n);

	*bytes = slice_sub(*bytes, n, bytes->len);
	r->left -= n;
	return e;
}

/* ERR_AGAIN: it is not all here. */
static enum err
look(const struct tls_hello_reader *r, struct tls_hello *out)
{
	struct slice all = buf_slice(&r->message);
	const uint8_t *p = (const uint8_t *)all.ptr;
	size_t len;

	if (all.len > 0 && p[0] != MESSAGE_CLIENT_HELLO)
		return ERR_PROTOCOL;
	if (all.len < MESSAGE_HEADER)
		return ERR_AGAIN;
	len = (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (len > TLS_HELLO_BYTES_MAX)
		return ERR_LIMIT;
	if (all.len < MESSAGE_HEADER + len)
		return ERR_AGAIN;
	return read_hello(slice_sub(all, MESSAGE_HEADER, len), out);
}

enum err
tls_hello_feed(
    struct tls_hello_reader *r, struct slice bytes, struct tls_hello *out)
{
	enum err e = ERR_AGAIN;

	while (e == ERR_AGAIN && bytes.len > 0) {
		if (r->left == 0) {
			e = take_header(r, (uint8_t)bytes.ptr[0]);
			bytes = slice_sub(bytes, 1, bytes.len);
		} else {
			e = take_body(r, &bytes);
		}
		if (e == OK)
			e = look(r, out);
	}
	return e;
}
