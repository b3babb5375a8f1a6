/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replace — finding and replacing, as RE2 does it.
 */
#include "../regex.h"
#include "finder.h"

enum err
regex_find(const struct regex *r, struct slice text, size_t from,
    struct slice *groups, size_t group_count)
{
	AUTO(finder_fini) struct finder f;
	enum err e = finder_init(&f, r, text);

	if (e != OK)
		return e;
	if (!finder_next(&f, from))
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < group_count; i++)
		groups[i] = finder_group(&f, i);
	return OK;
}

enum err
regex_check_rewrite(
    const struct regex *r, struct slice rewrite, struct fault *why)
{
	for (size_t i = 0; i < rewrite.len; i++) {
		char c;

		if (rewrite.ptr[i] != '\\')
			continue;
		c = ++i < rewrite.len ? rewrite.ptr[i] : '\0';
		if (c == '\\')
			continue;
		if (c < '0' || c > '9')
			return fault_set(why, ERR_INVALID,
			    "a backslash in a substitution stands before a "
			    "group's digit or another backslash (byte %zu)",
			    i);
		if ((size_t)(c - '0') > r->groups)
			return fault_set(why, ERR_INVALID,
			    "\\%c: the pattern has only %zu groups", c,
			    r->groups);
	}
	return OK;
}

MUST_USE static enum err
add_rewrite(struct buf *out, const struct finder *f, struct slice rewrite)
{
	enum err e = OK;

	for (size_t i = 0; i < rewrite.len && e == OK; i++) {
		char c = rewrite.ptr[i];

		if (c == '\\' && i + 1 < rewrite.len) {
			c = rewrite.ptr[++i];
			if (c >= '0' && c <= '9') {
				e = buf_add_slice(
				    out, finder_group(f, (size_t)(c - '0')));
				continue;
			}
		}
		e = buf_add_byte(out, (uint8_t)c);
	}
	return e;
}

enum err
regex_replace(const struct regex *r, struct slice text, struct slice rewrite,
    struct buf *out)
{
	AUTO(finder_fini) struct finder f;
	enum err e = finder_init(&f, r, text);
	size_t copied = 0, at = 0, last = SIZE_MAX;
	uint32_t rune;

	while (e == OK && finder_next(&f, at)) {
		size_t begin = f.slots[0], end = f.slots[1];

		at = end;
		if (begin == end && begin == last) {
			at += at < text.len ? rune_at(text, at, &rune) : 1;
			continue;
		}
		last = end;
		e = buf_add_slice(out, slice_sub(text, copied, begin - copied));
		if (e == OK)
			e = add_rewrite(out, &f, rewrite);
		copied = end;
	}
	if (e != OK)
		return e;
	return buf_add_slice(out, slice_sub(text, copied, text.len));
}
