/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name — names as they are sent and as they are written.
 */
#include "dns.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* --- text to wire --------------------------------------------------------- */

/* One character of a label, escapes resolved; cut off `rest`. */
static enum err
take_char(struct slice *rest, uint8_t *out)
{
	unsigned n = 0;

	*out = (uint8_t)rest->ptr[0];
	*rest = slice_sub(*rest, 1, rest->len);
	if (*out != '\\')
		return OK;
	if (rest->len == 0)
		return ERR_PARSE;
	if (!isdigit((unsigned char)rest->ptr[0])) {
		*out = (uint8_t)rest->ptr[0];
		*rest = slice_sub(*rest, 1, rest->len);
		return OK;
	}
	for (int i = 0; i < 3; i++) {
		if (rest->len == 0 || !isdigit((unsigned char)rest->ptr[0]))
			return ERR_PARSE;
		n = n * 10 + (unsigned)(rest->ptr[0] - '0');
		*rest = slice_sub(*rest, 1, rest->len);
	}
	*out = (uint8_t)n;
	return n <= UINT8_MAX ? OK : ERR_PARSE;
}

/* One label and its dot. */
static enum err
take_label(struct slice *rest, struct dns_name *n)
{
	size_t at = n->len, len = 0;

	while (rest->len > 0 && rest->ptr[0] != '.') {
		uint8_t c;

		if (take_char(rest, &c) != OK)
			return ERR_PARSE;
		if (len == DNS_LABEL_MAX || at + 1 + len + 1 >= DNS_NAME_MAX)
			return ERR_LIMIT;
		n->bytes[at + 1 + len++] = c;
	}
	if (len == 0)
		return ERR_PARSE;
	*rest = slice_sub(*rest, 1, rest->len);
	n->bytes[at] = (uint8_t)len;
	n->len = (uint8_t)(at + 1 + len);
	return OK;
}

enum err
dns_name_parse(struct slice text, struct dns_name *out)
{
	struct dns_name n = {0};

	if (text.len == 0)
		return ERR_PARSE;
	if (slice_eq(text, S(".")))
		text = S("");
	while (text.len > 0) {
		enum err e = take_label(&text, &n);

		if (e != OK)
			return e;
	}
	n.bytes[n.len++] = 0;
	*out = n;
	return OK;
}

/* --- wire to text --------------------------------------------------------- */

static size_t
put_char(uint8_t c, char *out)
{
	if (c == '.' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c > ' ' && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	(void)snprintf(out, 5, "\\%03u", (unsigned)c);
	return 4;
}

struct slice
dns_name_text(const struct dns_name *n, char out[DNS_TEXT_MAX])
{
	size_t len = 0;

	for (size_t at = 0; at < n->len && n->bytes[at] > 0;) {
		size_t end = at + 1 + n->bytes[at];

		if (len > 0)
			out[len++] = '.';
		for (at++; at < end; at++)
			len += put_char(n->bytes[at], out + len);
	}
	if (len == 0)
		out[len++] = '.';
	return slice_of(out, len);
}

/* Each in lower case; 0: no host has it. */
static const char host_chars[256] = {
    ['-'] = '-',
    ['_'] = '_',
    ['0'] = '0',
    ['1'] = '1',
    ['2'] = '2',
    ['3'] = '3',
    ['4'] = '4',
    ['5'] = '5',
    ['6'] = '6',
    ['7'] = '7',
    ['8'] = '8',
    ['9'] = '9',
    ['a'] = 'a',
    ['b'] = 'b',
    ['c'] = 'c',
    ['d'] = 'd',
    ['e'] = 'e',
    ['f'] = 'f',
    ['g'] = 'g',
    ['h'] = 'h',
    ['i'] = 'i',
    ['j'] = 'j',
    ['k'] = 'k',
    ['l'] = 'l',
    ['m'] = 'm',
    ['n'] = 'n',
    ['o'] = 'o',
    ['p'] = 'p',
    ['q'] = 'q',
    ['r'] = 'r',
    ['s'] = 's',
    ['t'] = 't',
    ['u'] = 'u',
    ['v'] = 'v',
    ['w'] = 'w',
    ['x'] = 'x',
    ['y'] = 'y',
    ['z'] = 'z',
    ['A'] = 'a',
    ['B'] = 'b',
    ['C'] = 'c',
    ['D'] = 'd',
    ['E'] = 'e',
    ['F'] = 'f',
    ['G'] = 'g',
    ['H'] = 'h',
    ['I'] = 'i',
    ['J'] = 'j',
    ['K'] = 'k',
    ['L'] = 'l',
    ['M'] = 'm',
    ['N'] = 'n',
    ['O'] = 'o',
    ['P'] = 'p',
    ['Q'] = 'q',
    ['R'] = 'r',
    ['S'] = 's',
    ['T'] = 't',
    ['U'] = 'u',
    ['V'] = 'v',
    ['W'] = 'w',
    ['X'] = 'x',
    ['Y'] = 'y',
    ['Z'] = 'z',
};

struct slice
dns_name_host(const struct dns_name *n, char out[NAME_HOST_MAX + 1])
{
	size_t len = 0;

	for (size_t at = 0; at < n->len && n->bytes[at] > 0;) {
		size_t end = at + 1 + n->bytes[at];
		bool star = at == 0 && end == 2 && n->bytes[1] == '*';

		if (at > 0)
			out[len++] = '.';
		for (at++; at < end; at++) {
			char c = star ? '*' : host_chars[n->bytes[at]];

			if (c == 0)
				return SLICE_NONE;
			out[len++] = c;
		}
	}
	return len > 0 ? slice_of(out, len) : SLICE_NONE;
}

/* A label's length is no letter, so that all bytes may be compared as text. */
bool
dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return slice_eq_nocase(
	    slice_of(a->bytes, a->len), slice_of(b->bytes, b->len));
}

/* --- addresses ------------------------------------------------------------ */

static const struct slice suffix_v4 = {".in-addr.arpa", 13};
static const struct slice suffix_v6 = {".ip6.arpa", 9};

void
dns_name_reverse(const struct addr *a, struct dns_name *out)
{
	char text[NAME_HOST_MAX + 1];
	size_t len = 0;

	if (a->family == ADDR_V4)
		len = (size_t)snprintf(text, sizeof(text),
		    "%u.%u.%u.%u.in-addr.arpa", a->bytes[3], a->bytes[2],
		    a->bytes[1], a->bytes[0]);
	for (int i = 15; a->family == ADDR_V6 && i >= 0; i--)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%x.%x.", a->bytes[i] & 0xf, a->bytes[i] >> 4);
	if (a->family == ADDR_V6)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "ip6.arpa");
	CHECK(dns_name_parse(slice_of(text, len), out) == OK);
}

static bool
read_v4(struct slice rest, struct addr *out)
{
	for (int i = 3; i >= 0; i--) {
		struct slice part = slice_split(&rest, '.');
		uint64_t n;

		if (part.len > 3 || slice_to_u64(part, &n) != OK ||
		    n > UINT8_MAX)
			return false;
		out->bytes[i] = (uint8_t)n;
	}
	out->family = ADDR_V4;
	return rest.len == 0;
}

static bool
read_v6(struct slice rest, struct addr *out)
{
	if (rest.len != 63)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int digit = slice_hex_digit(rest.ptr[2 * i]);
		size_t byte = 15 - i / 2;

		if (digit < 0 || (i < 31 && rest.ptr[2 * i + 1] != '.'))
			return false;
		out->bytes[byte] |= (uint8_t)(i % 2 == 0 ? digit : digit << 4);
	}
	out->family = ADDR_V6;
	return true;
}

bool
dns_host_is_reverse(struct slice host, struct addr *out)
{
	*out = (struct addr){0};
	if (slice_ends(host, suffix_v4))
		return read_v4(
		    slice_sub(host, 0, host.len - suffix_v4.len), out);
	return slice_ends(host, suffix_v6) &&
	       read_v6(slice_sub(host, 0, host.len - suffix_v6.len), out);
}

/* --- types ---------------------------------------------------------------- */

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
    {"A", DNS_A},
    {"NS", DNS_NS},
    {"CNAME", DNS_CNAME},
    {"SOA", DNS_SOA},
    {"PTR", DNS_PTR},
    {"HINFO", DNS_HINFO},
    {"MX", DNS_MX},
    {"TXT", DNS_TXT},
    {"AAAA", DNS_AAAA},
    {"SRV", DNS_SRV},
    {"OPT", DNS_OPT},
    {"SVCB", DNS_SVCB},
    {"HTTPS", DNS_HTTPS},
    {"IXFR", DNS_IXFR},
    {"AXFR", DNS_AXFR},
    {"ANY", DNS_ANY},
};

const char *
dns_type_name(uint16_t type, char out[DNS_TYPE_TEXT_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return types[i].name;
	(void)snprintf(out, DNS_TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
	return out;
}

enum err
dns_type_parse(struct slice text, uint16_t *out)
{
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (slice_eq_nocase(text, slice_str(types[i].name))) {
			*out = types[i].type;
			return OK;
		}
	if (!slice_eq_nocase(slice_sub(text, 0, 4), S("TYPE")) ||
	    slice_to_u64(slice_sub(text, 4, text.len), &n) != OK ||
	    n > UINT16_MAX)
		return ERR_INVALID;
	*out = (uint16_t)n;
	return OK;
}

const char *
dns_rcode_name(unsigned rcode)
{
	static const char *const names[] = {[DNS_NOERROR] = "NOERROR",
	    [DNS_FORMERR] = "FORMERR",
	    [DNS_SERVFAIL] = "SERVFAIL",
	    [DNS_NXDOMAIN] = "NXDOMAIN",
	    [DNS_NOTIMP] = "NOTIMP",
	    [DNS_REFUSED] = "REFUSED"};

	if (rcode < ARRAY_LEN(names))
		return names[rcode];
	return rcode == DNS_BADVERS ? "BADVERS" : "other";
}
