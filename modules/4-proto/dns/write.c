/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write — answers: names compressed, and never more than the asker takes.
 *
 * Whatever does not fit leaves no trace; of an answer it sets TC, so that the
 * asker comes again over TCP.
 */
#include "dns.h"

enum { OPT_LEN = 11, OPCODE_RD_CD = 0xf << 11 | DNS_RD | DNS_CD };

static void
set_u16(char *at, unsigned v)
{
	at[0] = (char)(v >> 8);
	at[1] = (char)v;
}

/* --- pieces; false: there is no room, and `len` is past it ---------------- */

static bool
put(struct dns_writer *w, const void *bytes, size_t len)
{
	if (w->len + len > w->limit - w->reserved)
		return false;
	memcpy(w->out + w->len, bytes, len);
	w->len += len;
	return true;
}

static bool
put_u16(struct dns_writer *w, unsigned v)
{
	char b[2];

	set_u16(b, v);
	return put(w, b, sizeof(b));
}

static bool
put_u32(struct dns_writer *w, uint32_t v)
{
	return put_u16(w, v >> 16) && put_u16(w, v & 0xffff);
}

/* What was written there ends as this does; pointers only lead back. */
static bool
is_suffix_at(const struct dns_writer *w, size_t at, struct slice rest)
{
	struct slice message = slice_of(w->out, w->len);
	struct dns_name n;
	size_t end;

	return dns_name_read(message, at, &n, &end) == OK &&
	       slice_eq_nocase(slice_of(n.bytes, n.len), rest);
}

/* Where the name that begins so lies already; 0: nowhere. */
static size_t
find_suffix(const struct dns_writer *w, struct slice rest)
{
	for (size_t i = 0; i < w->suffix_count; i++)
		if (is_suffix_at(w, w->suffixes[i], rest))
			return w->suffixes[i];
	return 0;
}

static void
remember(struct dns_writer *w, size_t at)
{
	if (at <= 0x3fff && w->suffix_count < DNS_SUFFIXES_MAX)
		w->suffixes[w->suffix_count++] = (uint16_t)at;
}

/* `compress`: not in data of types that are younger than RFC 1035. */
static bool
put_domain(struct dns_writer *w, const struct dns_name *n, bool compress)
{
	struct slice rest = slice_of(n->bytes, n->len);

	while (rest.len > 1) {
		size_t len = (size_t)(uint8_t)rest.ptr[0] + 1;
		size_t at = compress ? find_suffix(w, rest) : 0;

		if (at > 0)
			return put_u16(w, 0xc000u | (unsigned)at);
		at = w->len;
		if (!put(w, rest.ptr, len))
			return false;
		remember(w, at);
		rest = slice_sub(rest, len, rest.len);
	}
	return put(w, "", 1);
}

/* --- records -------------------------------------------------------------- */

/* Where one began, to go back to. */
struct mark {
	size_t len;
	size_t suffix_count;
	size_t data; /* where its length stands */
};

static bool
begin(struct dns_writer *w, struct mark *m, const struct dns_name *owner,
    uint16_t type, uint32_t ttl)
{
	*m = (struct mark){.len = w->len, .suffix_count = w->suffix_count};
	if (!put_domain(w, owner, /* compress */ true) || !put_u16(w, type) ||
	    !put_u16(w, DNS_IN) || !put_u32(w, ttl))
		return false;
	m->data = w->len;
	return put_u16(w, 0);
}

static void
end(struct dns_writer *w, const struct mark *m, unsigned section, bool fits)
{
	CHECK(section >= w->section && section < DNS_SECTIONS);
	if (!fits) {
		w->len = m->len;
		w->suffix_count = m->suffix_count;
		w->is_full |= section == DNS_ANSWER;
		return;
	}
	w->section = section;
	w->counts[section]++;
	set_u16(w->out + m->data, (unsigned)(w->len - m->data - 2));
}

void
dns_put_addr(struct dns_writer *w, unsigned section,
    const struct dns_name *owner, uint32_t ttl, const struct addr *a)
{
	bool v4 = a->family == ADDR_V4;
	struct mark m;
	bool fits = begin(w, &m, owner, v4 ? DNS_A : DNS_AAAA, ttl) &&
		    put(w, a->bytes, v4 ? 4 : 16);

	end(w, &m, section, fits);
}

void
dns_put_name(struct dns_writer *w, uint16_t type, const struct dns_name *owner,
    uint32_t ttl, const struct dns_name *to)
{
	struct mark m;
	bool fits = begin(w, &m, owner, type, ttl) &&
		    put_domain(w, to, /* compress */ true);

	end(w, &m, DNS_ANSWER, fits);
}

/* The name is not compressed (RFC 2782). */
void
dns_put_srv(struct dns_writer *w, const struct dns_name *owner, uint32_t ttl,
    uint16_t port, const struct dns_name *target)
{
	struct mark m;
	bool fits = begin(w, &m, owner, DNS_SRV, ttl) &&
		    put_u32(w, 0 /* priority and weight */) &&
		    put_u16(w, port) &&
		    put_domain(w, target, /* compress */ false);

	end(w, &m, DNS_ANSWER, fits);
}

void
dns_put_hinfo(struct dns_writer *w, const struct dns_name *owner, uint32_t ttl)
{
	static const char said[] = "\7RFC8482"; /* and an empty text */
	struct mark m;
	bool fits =
	    begin(w, &m, owner, DNS_HINFO, ttl) && put(w, said, sizeof(said));

	end(w, &m, DNS_ANSWER, fits);
}

void
dns_put_soa(struct dns_writer *w, unsigned section, const struct dns_name *zone,
    uint32_t ttl, uint32_t serial)
{
	enum { REFRESH = 3600, RETRY = 600, EXPIRE = 86400 };
	struct mark m;
	bool fits = begin(w, &m, zone, DNS_SOA, ttl) &&
		    put_domain(w, zone, /* compress */ true) &&
		    put_domain(w, zone, /* compress */ true) &&
		    put_u32(w, serial) && put_u32(w, REFRESH) &&
		    put_u32(w, RETRY) && put_u32(w, EXPIRE) && put_u32(w, ttl);

	end(w, &m, section, fits);
}

/* --- the frame ------------------------------------------------------------ */

/* Opcode, RD and CD are the asker's (RFC 1035 §4.1.1, RFC 4035 §3.2.2). */
static void
put_head(char *out, const struct dns_question *q, unsigned flags)
{
	memset(out, 0, DNS_HEAD_LEN);
	set_u16(out, q->id);
	set_u16(out + 2, (q->flags & OPCODE_RD_CD) | DNS_QR | flags);
}

static void
remember_question(struct dns_writer *w, const struct dns_question *q)
{
	for (size_t at = 0; at < q->name.len && q->name.bytes[at] > 0;
	     at += (size_t)q->name.bytes[at] + 1)
		remember(w, DNS_HEAD_LEN + at);
}

void
dns_answer_begin(struct dns_writer *w, char *out, size_t limit,
    struct slice asked, const struct dns_question *q, unsigned flags)
{
	CHECK(limit >= DNS_UDP_MIN && q->end <= asked.len);
	w->out = out;
	w->limit = MIN(limit, DNS_MESSAGE_MAX);
	w->section = DNS_ANSWER;
	memset(w->counts, 0, sizeof(w->counts));
	w->suffix_count = 0;
	w->is_full = false;
	w->with_edns = q->has_edns;
	w->dnssec_ok = q->dnssec_ok;
	w->reserved = q->has_edns ? OPT_LEN : 0;
	put_head(out, q, flags);
	set_u16(out + 4, 1);
	memcpy(out + DNS_HEAD_LEN, asked.ptr + DNS_HEAD_LEN,
	    q->end - DNS_HEAD_LEN); /* 259 bytes at most */
	w->len = q->end;
	remember_question(w, q);
}

/* The root's: a size for a class, and for a TTL the upper bits of the code, the
 * version, which is 0, and DO (RFC 6891 §6.1.3). */
static void
put_edns(struct dns_writer *w, unsigned rcode, bool dnssec_ok)
{
	w->reserved = 0;
	CHECK(put(w, "", 1) && put_u16(w, DNS_OPT) &&
	      put_u16(w, DNS_UDP_OURS) &&
	      put_u32(w, (rcode >> 4) << 24 | (dnssec_ok ? 0x8000 : 0)) &&
	      put_u16(w, 0));
	w->counts[DNS_ADDITIONAL]++;
}

struct slice
dns_answer_end(struct dns_writer *w, unsigned rcode)
{
	if (w->with_edns)
		put_edns(w, rcode, w->dnssec_ok);
	if (w->is_full)
		w->out[2] = (char)(w->out[2] | DNS_TC >> 8);
	w->out[3] = (char)(w->out[3] | (rcode & DNS_RCODE));
	for (size_t i = 0; i < DNS_SECTIONS; i++)
		set_u16(w->out + 6 + 2 * i, w->counts[i]);
	return slice_of(w->out, w->len);
}

struct slice
dns_refusal(
    const struct dns_question *q, unsigned rcode, char out[DNS_REFUSAL_LEN])
{
	put_head(out, q, DNS_RA | (rcode & DNS_RCODE));
	return slice_of(out, DNS_REFUSAL_LEN);
}

enum err
dns_question_write(const struct dns_question *q, struct buf *out)
{
	char text[DNS_HEAD_LEN + DNS_NAME_MAX + 4 + OPT_LEN];
	struct dns_writer w = {.out = text, .limit = sizeof(text)};

	memset(text, 0, DNS_HEAD_LEN);
	set_u16(text, q->id);
	set_u16(text + 2, q->flags);
	set_u16(text + 4, 1);
	w.len = DNS_HEAD_LEN;
	CHECK(put(&w, q->name.bytes, q->name.len) && put_u16(&w, q->type) &&
	      put_u16(&w, q->class));
	if (q->has_edns)
		put_edns(&w, 0, q->dnssec_ok);
	set_u16(text + 10, w.counts[DNS_ADDITIONAL]);
	return buf_add(out, text, w.len);
}
