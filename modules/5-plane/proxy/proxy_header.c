/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header — the PROXY protocol; see proxy_header.h.
 *
 *	version 1	PROXY TCP4 192.0.2.1 192.0.2.9 40000 443\r\n
 *	version 2	signature 12 | version, command 1 | family 1 | length 2
 *| addresses | TLVs
 *
 * Stricter than Envoy: a field has one spelling, the family's number is one
 * that the document has, and a checksum is looked at.
 */
#include "proxy_header.h"

#include <stdio.h>

/* A string's zero is not of the signature. */
static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
static const struct slice first_word = {"PROXY ", 6};

enum {
	SIGNATURE_BYTES = sizeof(signature) - 1,
	FIXED_BYTES = SIGNATURE_BYTES + 4,
	VERSION = 2,
	LOCAL = 0,
	PROXY = 1,
	TYPE_CRC32C = 3,
	V4_BYTES = 4,
	V6_BYTES = 16
};

static enum err
refuse(struct slice *out_why, enum err e, const char *words)
{
	*out_why = slice_str(words);
	return e;
}

/* --- version 1 ------------------------------------------------------------ */

static bool
read_ip(struct slice text, bool v6, struct addr *out)
{
	bool has_colon = slice_find(text, ':') < text.len;

	return has_colon == v6 && !slice_starts(text, S("[")) &&
	       addr_parse_ip(text, out) == OK;
}

/* Without zeros in front, as the document has it. */
static bool
read_port(struct slice text, uint16_t *out)
{
	uint64_t n;

	if ((text.len > 1 && text.ptr[0] == '0') ||
	    slice_to_u64(text, &n) != OK || n > UINT16_MAX)
		return false;
	*out = (uint16_t)n;
	return true;
}

/* "192.0.2.1 192.0.2.9 40000 443" */
static bool
read_ends(struct slice rest, bool v6, struct proxy_header *out)
{
	struct addr *source = &out->source, *destination = &out->destination;

	return read_ip(slice_split(&rest, ' '), v6, source) &&
	       read_ip(slice_split(&rest, ' '), v6, destination) &&
	       read_port(slice_split(&rest, ' '), &source->port) &&
	       read_port(rest, &destination->port);
}

static enum err
read_text(struct slice bytes, struct proxy_header *out, struct slice *out_why)
{
	struct slice line = slice_sub(bytes, 0, PROXY_HEADER_SENT_MAX), family;
	struct proxy_header h = {.len = slice_find(line, '\n') + 1};

	if (h.len > line.len)
		return line.len < PROXY_HEADER_SENT_MAX
			   ? ERR_AGAIN
			   : refuse(out_why, ERR_LIMIT,
				 "the line of the PROXY header is longer than "
				 "107 bytes");
	line = slice_sub(line, first_word.len, h.len - 1 - first_word.len);
	if (!slice_ends(line, S("\r")))
		return refuse(out_why, ERR_PARSE,
		    "the line of the PROXY header does not end with CR LF");
	line.len--;
	family = slice_split(&line, ' ');
	h.is_for_another = !slice_eq(family, S("UNKNOWN"));
	if (h.is_for_another && !slice_eq(family, S("TCP4")) &&
	    !slice_eq(family, S("TCP6")))
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header names another family than TCP4, TCP6 "
		    "and UNKNOWN");
	if (h.is_for_another &&
	    !read_ends(line, slice_eq(family, S("TCP6")), &h))
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header's addresses or ports are none");
	*out = h;
	return OK;
}

/* --- version 2 ------------------------------------------------------------ */

/* What the second byte behind the signature may be. */
static const struct family {
	uint8_t number;
	uint8_t ip; /* bytes of each address; 0: none that is of use */
	uint8_t addresses;
} families[] = {
    {0x00, 0, 0},
    {0x11, V4_BYTES, 12},
    {0x12, V4_BYTES, 12},
    {0x21, V6_BYTES, 36},
    {0x22, V6_BYTES, 36},
    {0x31, 0, 216},
    {0x32, 0, 216},
};

static const struct family *
find_family(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].number == number)
			return &families[i];
	return NULL;
}

/* One that is mapped becomes IPv4, as everywhere. */
static bool
take_ip(struct reader *r, size_t len, struct addr *out)
{
	static const char mapped[12] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
	struct slice ip = reader_bytes(r, len);

	if (slice_starts(ip, slice_of(mapped, sizeof(mapped))))
		ip = slice_sub(ip, sizeof(mapped), V4_BYTES);
	*out = (struct addr){.family = ip.len == V4_BYTES ? ADDR_V4 : ADDR_V6};
	if (!r->failed)
		memcpy(out->bytes, ip.ptr, ip.len);
	return !r->failed;
}

static void
take_ends(struct reader *r, const struct family *f, struct proxy_header *out)
{
	(void)take_ip(r, f->ip, &out->source); /* the reader knows */
	(void)take_ip(r, f->ip, &out->destination);
	out->source.port = reader_u16(r);
	out->destination.port = reader_u16(r);
	out->is_for_another = true;
}

/* RFC 3720 §B.4, four bits at a time: a header is short. */
static uint32_t
crc32c(uint32_t crc, struct slice s)
{
	static const uint32_t table[16] = {0, 0x105ec76f, 0x20bd8ede,
	    0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4,
	    0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint8_t)s.ptr[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* Over all of the header, as if the sum in it were zeros. */
static bool
is_sum(struct slice all, struct slice sum)
{
	static const char zeros[sizeof(uint32_t)] = {0};
	struct reader r = READER(sum);
	size_t before = (size_t)(sum.ptr - all.ptr);
	uint32_t crc;

	if (sum.len != sizeof(zeros))
		return false;
	crc = crc32c(UINT32_MAX, slice_sub(all, 0, before));
	crc = crc32c(crc, slice_of(zeros, sizeof(zeros)));
	crc = crc32c(crc, slice_sub(all, before + sizeof(zeros), all.len));
	return reader_u32(&r) == ~crc;
}

/* Nobody asks what they say, but for the sum, which there is once. */
static bool
are_tlvs(struct reader *r, struct slice all)
{
	bool summed = false;

	while (r->rest.len > 0 && !r->failed) {
		uint8_t type = reader_u8(r);
		struct slice value = reader_bytes(r, reader_u16(r));

		if (r->failed)
			return false;
		if (type == TYPE_CRC32C && (summed || !is_sum(all, value)))
			return false;
		summed = summed || type == TYPE_CRC32C;
	}
	return !r->failed;
}

/* All that is behind the fixed part; `all` is whole. */
static enum err
read_block(struct slice all, const struct family *f, struct proxy_header *out,
    struct slice *out_why)
{
	struct reader r =
	    READER(slice_sub(all, FIXED_BYTES, all.len - FIXED_BYTES));

	if (f->number == 0) /* where its TLVs begin nobody knows */
		return OK;
	if (f->ip > 0)
		take_ends(&r, f, out);
	else
		(void)reader_bytes(&r, f->addresses);
	if (r.failed)
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header is shorter than its addresses");
	if (!are_tlvs(&r, all))
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header ends inside of a TLV, or its checksum "
		    "is another one");
	return OK;
}

static enum err
read_bytes(struct slice bytes, struct proxy_header *out, struct slice *out_why)
{
	struct reader r = READER(slice_sub(bytes, SIGNATURE_BYTES, bytes.len));
	uint8_t command = reader_u8(&r);
	const struct family *f = find_family(reader_u8(&r));
	struct proxy_header h = {.len = FIXED_BYTES + (size_t)reader_u16(&r)};
	enum err e = OK;

	if (r.failed)
		return ERR_AGAIN;
	if (command >> 4 != VERSION || (command & 15) > PROXY)
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header is of a version or a command that "
		    "nobody knows");
	if (h.len > PROXY_HEADER_BYTES_MAX)
		return refuse(out_why, ERR_LIMIT,
		    "the PROXY header is longer than 16 KiB");
	if ((command & 15) == PROXY && f == NULL)
		return refuse(out_why, ERR_PARSE,
		    "the PROXY header is of a family that nobody knows");
	if (h.len > bytes.len)
		return ERR_AGAIN;
	if ((command & 15) == PROXY)
		e = read_block(slice_sub(bytes, 0, h.len), f, &h, out_why);
	if (e == OK)
		*out = h;
	return e;
}

/* Do they begin with it, as far as they go? */
static bool
may_begin(struct slice bytes, struct slice with)
{
	return slice_eq(
	    slice_sub(bytes, 0, with.len), slice_sub(with, 0, bytes.len));
}

enum err
proxy_header_read(
    struct slice bytes, struct proxy_header *out, struct slice *out_why)
{
	struct slice second = slice_of(signature, SIGNATURE_BYTES);

	if (may_begin(bytes, second))
		return bytes.len < second.len ? ERR_AGAIN
					      : read_bytes(bytes, out, out_why);
	if (may_begin(bytes, first_word))
		return bytes.len < first_word.len
			   ? ERR_AGAIN
			   : read_text(bytes, out, out_why);
	return refuse(out_why, ERR_PARSE,
	    "the client did not begin with a PROXY header, which is expected "
	    "here");
}

/* --- writing -------------------------------------------------------------- */

/* Both ends, of one family; ADDR_NONE: nothing is known. */
struct ends {
	struct addr source;
	struct addr destination;
};

/* "::ffff:192.0.2.1" */
static struct addr
as_v6(const struct addr *a)
{
	struct addr out = {.family = ADDR_V6, .port = a->port};

	if (a->family == ADDR_V6)
		return *a;
	out.bytes[10] = out.bytes[11] = 0xff;
	memcpy(&out.bytes[12], a->bytes, V4_BYTES);
	return out;
}

static struct ends
ends_of(const struct addr *source, const struct addr *destination)
{
	if (source->family == ADDR_NONE || destination->family == ADDR_NONE)
		return (struct ends){0};
	if (source->family == destination->family)
		return (struct ends){*source, *destination};
	return (struct ends){as_v6(source), as_v6(destination)};
}

static struct slice
write_text(const struct ends *e, char out[PROXY_HEADER_SENT_MAX])
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	char line[PROXY_HEADER_SENT_MAX + 1];
	int n;

	if (e->source.family == ADDR_NONE)
		n = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	else
		n = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n",
		    e->source.family == ADDR_V6 ? '6' : '4',
		    addr_format_ip(&e->source, from),
		    addr_format_ip(&e->destination, to), e->source.port,
		    e->destination.port);
	CHECK(n > 0 && n <= PROXY_HEADER_SENT_MAX);
	memcpy(out, line, (size_t)n);
	return slice_of(out, (size_t)n);
}

static char *
put(char *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static char *
put_u16(char *to, uint16_t n)
{
	const uint8_t bytes[] = {(uint8_t)(n >> 8), (uint8_t)n};

	return put(to, bytes, sizeof(bytes));
}

static struct slice
write_bytes(const struct ends *e, char out[PROXY_HEADER_SENT_MAX])
{
	static const struct family kinds[] = {[ADDR_NONE] = {0x00, 0, 0},
	    [ADDR_V4] = {0x11, V4_BYTES, 12},
	    [ADDR_V6] = {0x21, V6_BYTES, 36}};
	const struct family *f = &kinds[e->source.family];
	const uint8_t fixed[] = {VERSION << 4 | (f->ip > 0 ? PROXY : LOCAL),
	    f->number, 0, f->addresses};
	char *at = put(out, signature, SIGNATURE_BYTES);

	at = put(at, fixed, sizeof(fixed));
	if (f->ip > 0) {
		at = put(at, e->source.bytes, f->ip);
		at = put(at, e->destination.bytes, f->ip);
		at = put_u16(at, e->source.port);
		at = put_u16(at, e->destination.port);
	}
	return slice_of(out, (size_t)(at - out));
}

struct slice
proxy_header_write(unsigned version, const struct addr *source,
    const struct addr *destination, char out[PROXY_HEADER_SENT_MAX])
{
	const struct ends e = ends_of(source, destination);

	return version == 1 ? write_text(&e, out) : write_bytes(&e, out);
}
