/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sniff — whether a client's first bytes are HTTP; see sniff.h.
 */
#include "sniff.h"

/* Longer than the name of any method that is known (VERSION-CONTROL). */
enum { METHOD_MAX = 24 };

static bool
is_method(char c)
{
	return (c >= 'A' && c <= 'Z') || c == '-';
}

/* Our parser takes more than one. */
static struct slice
behind_spaces(struct slice s)
{
	size_t i = 0;

	while (i < s.len && s.ptr[i] == ' ')
		i++;
	return slice_sub(s, i, s.len);
}

/* Is this the version, as far as it came? */
static enum http_sniff
version(struct slice rest)
{
	static const struct slice one = {"HTTP/1.", 7}, two = {"HTTP/2", 6};

	if (slice_starts(rest, one))
		return HTTP_SNIFF_1;
	if (slice_starts(rest, two))
		return HTTP_SNIFF_2;
	return slice_starts(one, rest) || slice_starts(two, rest)
		   ? HTTP_SNIFF_MORE
		   : HTTP_SNIFF_BYTES;
}

static enum http_sniff
target(struct slice rest)
{
	size_t i = 0;

	while (i < rest.len && rest.ptr[i] > ' ' && rest.ptr[i] < 0x7f)
		i++;
	if (i == rest.len)
		return HTTP_SNIFF_MORE;
	return rest.ptr[i] == ' '
		   ? version(behind_spaces(slice_sub(rest, i, rest.len)))
		   : HTTP_SNIFF_BYTES;
}

/* One empty line before a request is forgiven (RFC 9112 §2.2). */
static struct slice
behind_empty_line(struct slice all)
{
	return slice_starts(all, S("\r\n")) ? slice_sub(all, 2, all.len) : all;
}

static enum http_sniff
look(struct slice all)
{
	size_t i = 0;

	if (slice_starts(S("\r\n"), all))
		return HTTP_SNIFF_MORE;
	all = behind_empty_line(all);
	while (i < all.len && i < METHOD_MAX && is_method(all.ptr[i]))
		i++;
	if (i == all.len)
		return HTTP_SNIFF_MORE;
	return i > 0 && all.ptr[i] == ' '
		   ? target(behind_spaces(slice_sub(all, i, all.len)))
		   : HTTP_SNIFF_BYTES;
}

enum http_sniff
http_sniff(struct slice all)
{
	enum http_sniff s = look(all);

	return s == HTTP_SNIFF_MORE && all.len >= HTTP_SNIFF_MAX ? HTTP_SNIFF_1
								 : s;
}
