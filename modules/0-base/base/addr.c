/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr — addresses to and from text and the kernel's structures.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "addr.h"
#include "check.h"

enum { ADDR_V4_BITS = 32, ADDR_V6_BITS = 128, ADDR_MAPPED_BITS = 96 };

/* ::ffff:0:0/96, RFC 4291 §2.5.5.2 */
static const uint8_t mapped_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool
is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static struct addr
from_v4(const void *bytes, uint16_t port)
{
	struct addr a = {.family = ADDR_V4, .port = port};

	memcpy(a.bytes, bytes, 4);
	return a;
}

static struct addr
from_v6(const uint8_t bytes[16], uint16_t port)
{
	struct addr a = {.family = ADDR_V6, .port = port};

	if (is_mapped(bytes))
		return from_v4(bytes + sizeof(mapped_prefix), port);
	memcpy(a.bytes, bytes, 16);
	return a;
}

static enum err
parse_bare(struct slice text, struct addr *out)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (slice_to_cstr(text, copy, sizeof(copy)) != OK)
		return ERR_PARSE;
	if (inet_pton(AF_INET, copy, bytes) == 1)
		*out = from_v4(bytes, 0);
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		*out = from_v6(bytes, 0);
	else
		return ERR_PARSE;
	return OK;
}

static bool
has_brackets(struct slice text)
{
	return slice_starts(text, S("[")) && slice_ends(text, S("]"));
}

enum err
addr_parse_ip(struct slice text, struct addr *out)
{
	if (!has_brackets(text))
		return parse_bare(text, out);
	text = slice_sub(text, 1, text.len - 2);
	/* Brackets belong to IPv6 (RFC 3986 §3.2.2). */
	if (slice_find(text, ':') == text.len)
		return ERR_PARSE;
	return parse_bare(text, out);
}

enum err
addr_parse(struct slice text, struct addr *out)
{
	size_t colon = slice_rfind(text, ':');
	struct slice host = slice_sub(text, 0, colon);
	struct addr a;
	uint16_t port;
	enum err e;

	if (colon == text.len)
		return ERR_PARSE;
	/* "::1:80" could be read in two ways. */
	if (slice_find(host, ':') < host.len && !has_brackets(host))
		return ERR_PARSE;
	e = addr_parse_port(slice_sub(text, colon + 1, text.len), &port);
	if (e != OK)
		return e;
	if ((e = addr_parse_ip(host, &a)) != OK)
		return e;
	a.port = port;
	*out = a;
	return OK;
}

enum err
addr_parse_port(struct slice text, uint16_t *out)
{
	uint64_t n;
	enum err e = slice_to_u64(text, &n);

	if (e != OK)
		return e;
	if (n < 1 || n > UINT16_MAX)
		return ERR_LIMIT;
	*out = (uint16_t)n;
	return OK;
}

char *
addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];

	(void)addr_format_ip(a, ip); /* gives back its own argument */
	if (a->port == 0)
		return addr_format_ip(a, out);
	/* An IP of at most 45 bytes, brackets, colon, port: it fits. */
	(void)snprintf(out, ADDR_TEXT_MAX,
	    a->family == ADDR_V6 ? "[%.45s]:%u" : "%.45s:%u", ip, a->port);
	return out;
}

char *
addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
	int family = a->family == ADDR_V6 ? AF_INET6 : AF_INET;

	if (a->family == ADDR_NONE)
		memcpy(out, "-", 2);
	else
		CHECK(inet_ntop(family, a->bytes, out, ADDR_TEXT_MAX) != NULL);
	return out;
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_ip_eq(a, b) && a->port == b->port;
}

bool
addr_ip_eq(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int
addr_cmp(const struct addr *a, const struct addr *b)
{
	int c;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if ((c = memcmp(a->bytes, b->bytes, sizeof(a->bytes))) != 0)
		return c;
	return (a->port > b->port) - (a->port < b->port);
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t v6[16] = {[15] = 1};

	if (a->family == ADDR_V4)
		return a->bytes[0] == 127;
	return a->family == ADDR_V6 && memcmp(a->bytes, v6, sizeof(v6)) == 0;
}

bool
addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return a->family != ADDR_NONE &&
	       memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

bool
addr_is_global_unicast(const struct addr *a)
{
	const uint8_t *b = a->bytes;

	if (a->family == ADDR_NONE || addr_is_any(a) || addr_is_loopback(a))
		return false;
	if (a->family == ADDR_V6)
		return b[0] != 0xff && (b[0] != 0xfe || (b[1] & 0xc0) != 0x80);
	return (b[0] & 0xf0) != 0xe0 && (b[0] != 169 || b[1] != 254) &&
	       memcmp(b, "\xff\xff\xff\xff", 4) != 0;
}

unsigned
addr_to_sockaddr(const struct addr *a, struct sockaddr *out)
{
	struct sockaddr_in v4 = {
	    .sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 v6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(a->port)};

	CHECK(a->family != ADDR_NONE);
	if (a->family == ADDR_V4) {
		memcpy(&v4.sin_addr, a->bytes, sizeof(v4.sin_addr));
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, a->bytes, sizeof(v6.sin6_addr));
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

enum err
addr_from_sockaddr(const struct sockaddr *sa, unsigned len, struct addr *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (len < sizeof(sa->sa_family))
		return ERR_PARSE;
	if (sa->sa_family == AF_INET && len >= sizeof(v4)) {
		memcpy(&v4, sa, sizeof(v4));
		*out = from_v4(&v4.sin_addr, ntohs(v4.sin_port));
		return OK;
	}
	if (sa->sa_family == AF_INET6 && len >= sizeof(v6)) {
		memcpy(&v6, sa, sizeof(v6));
		*out = from_v6(v6.sin6_addr.s6_addr, ntohs(v6.sin6_port));
		return OK;
	}
	return ERR_UNSUPPORTED;
}

/* Clears the bytes' bits from `bits` on. */
static void
mask(uint8_t bytes[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++, bits -= MIN(bits, 8))
		bytes[i] &= (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);
}

enum err
cidr_parse(struct slice text, struct cidr *out)
{
	struct slice rest = text, ip = slice_split(&rest, '/');
	struct addr base;
	uint64_t bits, width;

	if (addr_parse_ip(ip, &base) != OK)
		return ERR_PARSE;
	/* The width is that of the text: "::ffff:10.0.0.0/104" has 128. */
	width = slice_find(ip, ':') < ip.len ? ADDR_V6_BITS : ADDR_V4_BITS;
	bits = width;
	if (ip.len < text.len && slice_to_u64(rest, &bits) != OK)
		return ERR_PARSE;
	if (bits > width)
		return ERR_LIMIT;
	if (width == ADDR_V6_BITS && base.family == ADDR_V4) {
		if (bits < ADDR_MAPPED_BITS)
			return ERR_INVALID;
		bits -= ADDR_MAPPED_BITS;
	}
	cidr_around(&base, (uint8_t)bits, out);
	return OK;
}

void
cidr_around(const struct addr *a, uint8_t bits, struct cidr *out)
{
	*out = (struct cidr){*a, bits};
	mask(out->base.bytes, bits);
}

char *
cidr_format(const struct cidr *c, char out[ADDR_TEXT_MAX])
{
	size_t len;

	(void)addr_format_ip(&c->base, out);
	len = strlen(out); /* without port and brackets: there is room */
	(void)snprintf(out + len, ADDR_TEXT_MAX - len, "/%u", c->bits);
	return out;
}

bool
cidr_contains(const struct cidr *c, const struct addr *a)
{
	struct addr cut = *a;

	if (a->family != c->base.family)
		return false;
	mask(cut.bytes, c->bits);
	return addr_ip_eq(&cut, &c->base);
}
