/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read — messages that came: everything in them may be a lie.
 *
 * A pointer has to lead back, behind none that was followed before it, so that
 * no name is without an end; counts are believed as far as there are bytes.
 */
#include "dns.h"

static uint16_t
get_u16(struct slice m, size_t at)
{
	return (uint16_t)((uint8_t)m.ptr[at] << 8 | (uint8_t)m.ptr[at + 1]);
}

static uint32_t
get_u32(struct slice m, size_t at)
{
	return (uint32_t)get_u16(m, at) << 16 | get_u16(m, at + 2);
}

/* --- names ---------------------------------------------------------------- */

enum { POINTER = 0xc0, POINTER_MAX = 0x3fff };

/* The label at `*at`, or where a pointer leads; `*low` only falls. */
static enum err
read_step(
    struct slice m, size_t *at, size_t *low, size_t *end, struct dns_name *out)
{
	uint8_t len = (uint8_t)m.ptr[*at];

	if ((len & POINTER) == POINTER) {
		size_t to;

		if (*at + 2 > m.len)
			return ERR_PARSE;
		to = get_u16(m, *at) & POINTER_MAX;
		if (*end == 0)
			*end = *at + 2;
		if (to >= *low)
			return ERR_PARSE;
		*low = *at = to;
		return OK;
	}
	if (len > DNS_LABEL_MAX || *at + 1 + len > m.len ||
	    (size_t)out->len + 1 + len > DNS_NAME_MAX)
		return ERR_PARSE;
	memcpy(out->bytes + out->len, m.ptr + *at, (size_t)len + 1);
	out->len = (uint8_t)(out->len + 1 + len);
	*at += (size_t)len + 1;
	return OK;
}

enum err
dns_name_read(
    struct slice message, size_t at, struct dns_name *out, size_t *out_end)
{
	size_t low = at, end = 0;

	out->len = 0;
	while (at < message.len) {
		bool last = message.ptr[at] == 0;
		enum err e = read_step(message, &at, &low, &end, out);

		if (e != OK)
			return e;
		if (last) {
			*out_end = end > 0 ? end : at;
			return OK;
		}
	}
	return ERR_PARSE;
}

/* Behind the name; it is not read, but has an end. */
static enum err
skip_name(struct slice m, size_t at, size_t *out_end)
{
	while (at < m.len) {
		uint8_t len = (uint8_t)m.ptr[at];

		if ((len & POINTER) == POINTER) {
			*out_end = at + 2;
			return at + 2 <= m.len ? OK : ERR_PARSE;
		}
		if (len > DNS_LABEL_MAX)
			return ERR_PARSE;
		at += (size_t)len + 1;
		if (len == 0) {
			*out_end = at;
			return at <= m.len ? OK : ERR_PARSE;
		}
	}
	return ERR_PARSE;
}

/* --- records -------------------------------------------------------------- */

enum { RECORD_HEAD = 10 };

static enum err
read_record(struct slice m, size_t *at, struct dns_record *out)
{
	size_t end, len;

	out->name_at = *at;
	if (skip_name(m, *at, &end) != OK || end + RECORD_HEAD > m.len)
		return ERR_PARSE;
	out->type = get_u16(m, end);
	out->class = get_u16(m, end + 2);
	out->ttl_at = end + 4;
	out->ttl = get_u32(m, out->ttl_at);
	len = get_u16(m, end + 8);
	out->data_at = end + RECORD_HEAD;
	if (out->data_at + len > m.len)
		return ERR_PARSE;
	out->data = slice_sub(m, out->data_at, len);
	*at = out->data_at + len;
	return OK;
}

enum err
dns_record_next(struct dns_reader *r, struct dns_record *out)
{
	while (r->section < DNS_SECTIONS && r->left[r->section] == 0)
		r->section++;
	if (r->section == DNS_SECTIONS)
		return r->at == r->message.len ? ERR_NOT_FOUND : ERR_PARSE;
	if (++r->seen > DNS_RECORDS_MAX)
		return ERR_PARSE;
	out->section = r->section;
	r->left[r->section]--;
	return read_record(r->message, &r->at, out);
}

/* --- heads ---------------------------------------------------------------- */

enum { OPCODE = 0xf << 11 };

static enum err
read_question(struct slice m, struct dns_question *out)
{
	if (dns_name_read(m, DNS_HEAD_LEN, &out->name, &out->end) != OK ||
	    out->end != (size_t)DNS_HEAD_LEN + out->name.len ||
	    out->end + 4 > m.len)
		return ERR_INVALID; /* there is nothing to point to before it */
	out->type = get_u16(m, out->end);
	out->class = get_u16(m, out->end + 2);
	out->end += 4;
	return OK;
}

enum err
dns_answer_read(struct slice message, struct dns_reader *out,
    struct dns_question *out_question)
{
	uint16_t questions;

	*out_question = (struct dns_question){.udp_size = DNS_UDP_MIN};
	if (message.len < DNS_HEAD_LEN || message.len > DNS_MESSAGE_MAX)
		return ERR_PARSE;
	out_question->id = get_u16(message, 0);
	out_question->flags = get_u16(message, 2);
	questions = get_u16(message, 4);
	*out = (struct dns_reader){.message = message, .at = DNS_HEAD_LEN};
	if (questions > 1 || !(out_question->flags & DNS_QR))
		return ERR_PARSE;
	if (questions == 1 && read_question(message, out_question) != OK)
		return ERR_PARSE;
	if (questions == 1)
		out->at = out_question->end;
	for (size_t i = 0; i < DNS_SECTIONS; i++)
		out->left[i] = get_u16(message, 6 + 2 * i);
	return OK;
}

/* The root's, with flags for a TTL and a size for a class (RFC 6891 §6.1). */
static enum err
take_edns(struct slice m, const struct dns_record *r, struct dns_question *out)
{
	if (out->has_edns || m.ptr[r->name_at] != 0)
		return ERR_INVALID;
	out->has_edns = true;
	out->has_options = r->data.len > 0;
	out->udp_size = MAX(r->class, DNS_UDP_MIN);
	out->edns_version = (uint8_t)(r->ttl >> 16);
	out->dnssec_ok = (r->ttl & 0x8000) != 0;
	return OK;
}

/* No answers among questions; of what is added only EDNS is ours to know, but
 * signatures (TSIG) may stand behind it. */
static enum err
read_additions(struct slice m, struct dns_question *out)
{
	size_t at = out->end;
	uint16_t count = get_u16(m, 10);
	struct dns_record r;

	if (get_u16(m, 6) != 0 || get_u16(m, 8) != 0)
		return ERR_INVALID;
	for (uint16_t i = 0; i < count; i++) {
		if (read_record(m, &at, &r) != OK)
			return ERR_INVALID;
		if (r.type == DNS_OPT && take_edns(m, &r, out) != OK)
			return ERR_INVALID;
		out->has_options |= r.type != DNS_OPT;
	}
	return at == m.len ? OK : ERR_INVALID;
}

enum err
dns_question_read(struct slice message, struct dns_question *out)
{
	*out = (struct dns_question){.udp_size = DNS_UDP_MIN};
	if (message.len < DNS_HEAD_LEN)
		return ERR_PARSE;
	out->id = get_u16(message, 0);
	out->flags = get_u16(message, 2);
	if (out->flags & DNS_QR)
		return ERR_PARSE;
	if (out->flags & OPCODE)
		return ERR_UNSUPPORTED;
	if (message.len > DNS_QUESTION_BYTES || get_u16(message, 4) != 1 ||
	    read_question(message, out) != OK)
		return ERR_INVALID;
	return read_additions(message, out);
}
