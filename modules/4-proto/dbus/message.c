/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message — D-Bus's wire format, as its specification has it.
 *
 * Everything lies at a multiple of its own size from the begin of the message;
 * a body begins at a multiple of 8, so that of a body alone the same holds.
 * What we write is little-endian; what comes says what it is.
 */
#include "dbus.h"

enum {
	HEAD = 16, /* up to and with the length of the fields */
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR = 4,
	FIELD_REPLY = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
	FIELDS_MAX = 64
};

/* --- writing -------------------------------------------------------------- */

static enum err
pad(struct buf *b, size_t align)
{
	static const char zeros[8];

	return buf_add(b, zeros, (align - buf_len(b) % align) % align);
}

enum err
dbus_put_u16(struct buf *b, uint16_t v)
{
	const uint8_t bytes[] = {(uint8_t)v, (uint8_t)(v >> 8)};
	enum err e = pad(b, sizeof(bytes));

	return e == OK ? buf_add(b, bytes, sizeof(bytes)) : e;
}

enum err
dbus_put_u32(struct buf *b, uint32_t v)
{
	const uint8_t bytes[] = {(uint8_t)v, (uint8_t)(v >> 8),
	    (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	enum err e = pad(b, sizeof(bytes));

	return e == OK ? buf_add(b, bytes, sizeof(bytes)) : e;
}

enum err
dbus_put_bool(struct buf *b, bool v)
{
	return dbus_put_u32(b, v);
}

enum err
dbus_put_text(struct buf *b, struct slice text)
{
	enum err e = dbus_put_u32(b, (uint32_t)text.len);

	if (e == OK)
		e = buf_add_slice(b, text);
	return e == OK ? buf_add_byte(b, 0) : e;
}

enum err
dbus_put_bytes(struct buf *b, struct slice bytes)
{
	enum err e = dbus_put_u32(b, (uint32_t)bytes.len);

	return e == OK ? buf_add_slice(b, bytes) : e;
}

enum err
dbus_put_struct(struct buf *b)
{
	return pad(b, 8);
}

/* What lies between its length and the first element does not count. */
enum err
dbus_begin_array(struct buf *b, size_t align, struct dbus_array *out)
{
	enum err e = dbus_put_u32(b, 0);

	if (e != OK)
		return e;
	out->length_at = buf_len(b) - sizeof(uint32_t);
	e = pad(b, align);
	out->first = buf_len(b);
	return e;
}

void
dbus_end_array(struct buf *b, const struct dbus_array *a)
{
	size_t len = buf_len(b) - a->first;

	for (size_t i = 0; i < sizeof(uint32_t); i++)
		b->mem[b->start + a->length_at + i] = (char)(len >> (8 * i));
}

/* One field of the head: its number, and a text of that type. */
static enum err
put_field(struct buf *b, uint8_t field, const char *type, const char *text)
{
	bool is_signature = type[0] == 'g';
	uint8_t head[] = {field, 1, (uint8_t)type[0], 0};
	enum err e = dbus_put_struct(b);

	if (e == OK)
		e = buf_add(b, head, sizeof(head));
	if (!is_signature)
		return e == OK ? dbus_put_text(b, slice_str(text)) : e;
	if (e == OK)
		e = buf_add_byte(b, (uint8_t)strlen(text));
	return e == OK ? buf_add(b, text, strlen(text) + 1) : e;
}

static enum err
put_fields(struct buf *b, const struct dbus_call *c)
{
	struct dbus_array fields;
	enum err e = dbus_begin_array(b, 8, &fields);

	if (e == OK)
		e = put_field(b, FIELD_PATH, "o", c->path);
	if (e == OK)
		e = put_field(b, FIELD_DESTINATION, "s", c->destination);
	if (e == OK)
		e = put_field(b, FIELD_INTERFACE, "s", c->interface);
	if (e == OK)
		e = put_field(b, FIELD_MEMBER, "s", c->member);
	if (e == OK && c->signature[0] != '\0')
		e = put_field(b, FIELD_SIGNATURE, "g", c->signature);
	if (e == OK)
		dbus_end_array(b, &fields);
	return e == OK ? pad(b, 8) : e;
}

enum err
dbus_call_write(const struct dbus_call *c, uint32_t serial, struct buf *out)
{
	static const uint8_t first[] = {'l', DBUS_CALL, 0, 1};
	AUTO(buf_fini) struct buf m = BUF(DBUS_MESSAGE_MAX);
	enum err e = buf_add(&m, first, sizeof(first));

	if (e == OK)
		e = dbus_put_u32(&m, (uint32_t)c->body.len);
	if (e == OK)
		e = dbus_put_u32(&m, serial);
	if (e == OK)
		e = put_fields(&m, c);
	if (e == OK)
		e = buf_add_slice(&m, c->body);
	return e == OK ? buf_add_slice(out, buf_slice(&m)) : e;
}

/* --- reading -------------------------------------------------------------- */

/* Bytes of one message, from its begin. */
struct cursor {
	struct slice all;
	size_t at;
	bool big;
	bool failed;
};

static void
align_to(struct cursor *c, size_t align)
{
	c->at += (align - c->at % align) % align;
	c->failed |= c->at > c->all.len;
}

static uint8_t
get_u8(struct cursor *c)
{
	c->failed |= c->at >= c->all.len;
	return c->failed ? 0 : (uint8_t)c->all.ptr[c->at++];
}

static uint32_t
get_u32(struct cursor *c)
{
	uint32_t v = 0;

	align_to(c, sizeof(v));
	for (unsigned i = 0; i < sizeof(v); i++) {
		uint32_t byte = get_u8(c);

		v |= byte << 8 * (c->big ? 3 - i : i);
	}
	return v;
}

/* `len` bytes and the zero behind them. */
static struct slice
get_text(struct cursor *c, size_t len)
{
	struct slice s;

	if (c->failed || len >= c->all.len || c->at + len >= c->all.len ||
	    c->all.ptr[c->at + len] != '\0') {
		c->failed = true;
		return SLICE_NONE;
	}
	s = slice_sub(c->all, c->at, len);
	c->at += len + 1;
	return s;
}

/* Fields are texts, numbers or signatures; others nobody sends. */
static void
read_field(struct cursor *c, struct dbus_message *out, struct slice *signature)
{
	struct slice type, text = SLICE_NONE;
	uint32_t number = 0;
	uint8_t field;

	align_to(c, 8);
	field = get_u8(c);
	type = get_text(c, get_u8(c));
	if (slice_eq(type, S("s")) || slice_eq(type, S("o")))
		text = get_text(c, get_u32(c));
	else if (slice_eq(type, S("g")))
		text = get_text(c, get_u8(c));
	else if (slice_eq(type, S("u")))
		number = get_u32(c);
	else
		c->failed = true;
	if (field == FIELD_REPLY)
		out->reply_serial = number;
	else if (field == FIELD_ERROR)
		out->error_name = text;
	else if (field == FIELD_SIGNATURE)
		*signature = text;
}

static void
read_fields(struct cursor *c, size_t end, struct dbus_message *out,
    struct slice *signature)
{
	for (unsigned i = 0; !c->failed && c->at < end; i++) {
		if (i == FIELDS_MAX)
			c->failed = true;
		else
			read_field(c, out, signature);
	}
	c->failed |= c->at != end;
}

/* How long it is, of a head that is whole; 0: it is none. */
static size_t
whole_length(struct cursor *c, size_t *out_fields_end)
{
	uint32_t body, fields;
	uint8_t order = get_u8(c);

	c->big = order == 'B';
	c->at = 3;
	if ((order != 'l' && order != 'B') || get_u8(c) != 1)
		return 0;
	body = get_u32(c);
	(void)get_u32(c); /* its own serial */
	fields = get_u32(c);
	if (body > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
		return DBUS_MESSAGE_MAX + 1;
	*out_fields_end = HEAD + (size_t)fields;
	return (*out_fields_end + 7) / 8 * 8 + body;
}

enum err
dbus_message_read(struct slice bytes, struct dbus_message *out, size_t *out_len)
{
	struct cursor c = {.all = bytes};
	struct slice signature = SLICE_NONE;
	size_t len, end = 0;

	if (bytes.len < HEAD)
		return ERR_AGAIN;
	len = whole_length(&c, &end);
	if (len == 0)
		return ERR_PARSE;
	if (len > DBUS_MESSAGE_MAX)
		return ERR_LIMIT;
	if (bytes.len < len)
		return ERR_AGAIN;
	c.all.len = len;
	*out = (struct dbus_message){.type = (uint8_t)bytes.ptr[1]};
	read_fields(&c, end, out, &signature);
	align_to(&c, 8);
	if (!c.failed && slice_starts(signature, S("s")))
		out->text = get_text(&c, get_u32(&c));
	*out_len = len;
	return c.failed ? ERR_PARSE : OK;
}
