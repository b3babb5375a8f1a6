/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer — what is known of a peer: out of its certificate, or a ticket.
 */
#include "peer.h"

/* NULL if the identity has not our shape. */
static struct tls_peer *
named(struct slice uri)
{
	AUTO(tls_peer_free)
	struct tls_peer *p = mem_new(sizeof(*p) + uri.len + 1);
	char *text = (char *)(p + 1);

	if (uri.len > 0)
		memcpy(text, uri.ptr, uri.len);
	p->uri = text;
	if (name_identity_parse(slice_str(text), &p->identity, NULL) != OK)
		return NULL;
	return TAKE(p);
}

struct tls_peer *
peer_new(const struct tls_cert_info *info)
{
	struct tls_peer *p = named(slice_str(info->uri));

	CHECK(p != NULL); /* it was parsed once, so it parses again */
	p->pin = info->pin;
	memcpy(p->serial, info->serial, sizeof(p->serial));
	memcpy(p->common_name, info->common_name, sizeof(p->common_name));
	p->not_before_ms = info->not_before_ms;
	p->not_after_ms = info->not_after_ms;
	return p;
}

struct tls_peer *
peer_copy(const struct tls_peer *from)
{
	struct tls_peer *p = named(slice_str(from->uri));
	const char *uri;
	struct identity identity;

	CHECK(p != NULL);
	uri = p->uri;
	identity = p->identity;
	*p = *from;
	p->uri = uri;
	p->identity = identity;
	return p;
}

void
tls_peer_free(struct tls_peer **pp)
{
	mem_free(pp);
}

/* --- bytes --- */

static enum err
write_text(struct slice text, struct buf *out)
{
	enum err e = buf_add_u16(out, (uint16_t)text.len);

	return e == OK ? buf_add_slice(out, text) : e;
}

MUST_USE enum err
peer_write(const struct tls_peer *p, struct buf *out)
{
	enum err e = write_text(slice_str(p->uri), out);

	if (e == OK)
		e = write_text(slice_str(p->serial), out);
	if (e == OK)
		e = write_text(slice_str(p->common_name), out);
	if (e == OK)
		e = buf_add(out, p->pin.bytes, sizeof(p->pin.bytes));
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)p->not_before_ms);
	if (e == OK)
		e = buf_add_u64(out, (uint64_t)p->not_after_ms);
	return e;
}

static struct slice
read_text(struct reader *from)
{
	struct slice text = reader_bytes(from, reader_u16(from));

	/* A C string has to have it. */
	if (slice_find(text, '\0') < text.len)
		from->failed = true;
	return text;
}

static void
read_into(struct reader *from, char *out, size_t cap)
{
	struct slice text = read_text(from);

	if (text.len >= cap)
		from->failed = true;
	else if (!from->failed)
		memcpy(out, text.ptr, text.len);
}

struct tls_peer *
peer_read(struct reader *from)
{
	struct slice uri = read_text(from), pin;
	AUTO(tls_peer_free)
	struct tls_peer *p = from->failed ? NULL : named(uri);

	if (p == NULL) {
		from->failed = true;
		return NULL;
	}
	read_into(from, p->serial, sizeof(p->serial));
	read_into(from, p->common_name, sizeof(p->common_name));
	pin = reader_bytes(from, sizeof(p->pin.bytes));
	p->not_before_ms = (int64_t)reader_u64(from);
	p->not_after_ms = (int64_t)reader_u64(from);
	if (from->failed)
		return NULL;
	memcpy(p->pin.bytes, pin.ptr, pin.len);
	return TAKE(p);
}
