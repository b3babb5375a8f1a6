/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — one spelling of a path, so that what is judged is what is served.
 *
 * In the steps of MeshConfig's pathNormalization: escaped slashes become
 * slashes; escapes of unreserved characters are undone, others that no path
 * may have are made, a backslash becomes a slash, dot segments go (RFC 3986
 * §6.2.2, §5.2.4); runs of slashes become one. A fragment is no part of a
 * request and goes in any case; the query stays as it came. Nearly every path
 * has its one spelling already: that one costs no memory.
 */
#include "view/inside.h"

static const char HEX[] = "0123456789ABCDEF";

static bool
is_unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

/* What a path has only escaped. */
static bool
is_to_be_escaped(char c)
{
	return c <= ' ' || c > '~' ||
	       slice_find(S("\"#<>?^`{|}"), c) < sizeof("\"#<>?^`{|}") - 1;
}

/* --- the steps, each from one text into another --------------------------- */

/* Never longer than what it is made of. */
static size_t
unescape_slashes(struct slice s, char *p)
{
	size_t to = 0;

	for (size_t i = 0; i < s.len; i++) {
		int c = slice_escaped(s, i);

		if (c == '/' || c == '\\') {
			p[to++] = (char)c;
			i += 2;
		} else {
			p[to++] = s.ptr[i];
		}
	}
	return to;
}

/*
 * "%%34" + "1" is no escape and must not become one. `next` is what follows
 * what was written last; the answer is where the percent sign stands, or `to`.
 */
static size_t
new_escape(const char *p, size_t to, const char *next)
{
	if (to >= 3 && slice_escaped(slice_of(p, to), to - 3) >= 0)
		return to - 3;
	if (to >= 2 && p[to - 2] == '%' && slice_hex_digit(p[to - 1]) >= 0 &&
	    next != NULL && slice_hex_digit(*next) >= 0)
		return to - 2;
	return to;
}

/* At most three times as long. */
static size_t
set_escapes(struct slice s, char *p)
{
	size_t to = 0;

	for (size_t i = 0; i < s.len; i++) {
		int c = slice_escaped(s, i);
		size_t at;

		if (is_unreserved(c)) {
			i += 2;
			p[to++] = (char)c;
			at = new_escape(
			    p, to, i + 1 < s.len ? &s.ptr[i + 1] : NULL);
			if (at == to)
				continue;
			memmove(p + at + 3, p + at + 1, to - at - 1);
			p[at + 1] = '2';
			p[at + 2] = '5';
			to += 2;
		} else if (c >= 0) {
			memcpy(p + to, s.ptr + i, 3);
			to += 3;
			i += 2;
		} else if (is_to_be_escaped(s.ptr[i])) {
			p[to++] = '%';
			p[to++] = HEX[(unsigned char)s.ptr[i] >> 4];
			p[to++] = HEX[(unsigned char)s.ptr[i] & 15];
		} else {
			p[to++] = s.ptr[i] == '\\' ? '/' : s.ptr[i];
		}
	}
	return to;
}

/* Behind the slash of the segment before the last, which ends in one. */
static size_t
parent(const char *p, size_t to)
{
	if (to > 1)
		to--;
	while (to > 1 && p[to - 1] != '/')
		to--;
	return to;
}

static size_t
drop_dots(char *p, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len;) {
		size_t n = 0;

		while (i + n < len && p[i + n] != '/')
			n++;
		if (to > 0 && n == 1 && p[i] == '.') {
			i += n + 1;
		} else if (to > 0 && n == 2 && p[i] == '.' && p[i + 1] == '.') {
			to = parent(p, to);
			i += n + 1;
		} else {
			n += i + n < len; /* with its slash */
			memmove(p + to, p + i, n);
			to += n;
			i += n;
		}
	}
	return to;
}

static size_t
merge_slashes(char *p, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++)
		if (p[i] != '/' || to == 0 || p[to - 1] != '/')
			p[to++] = p[i];
	return to;
}

/* --- the whole ------------------------------------------------------------ */

static bool
merges(enum path_normalization how)
{
	return how == NORMALIZE_MERGE_SLASHES ||
	       how == NORMALIZE_DECODE_AND_MERGE;
}

/* True if no step could change it. */
static bool
is_plain(enum path_normalization how, struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		bool begins = i > 0 && path.ptr[i - 1] == '/';

		if (is_to_be_escaped(c) || c == '%' || c == '\\' ||
		    (begins && (c == '.' || (c == '/' && merges(how)))))
			return false;
	}
	return true;
}

static bool
has_zero(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '\0' || slice_escaped(s, i) == 0)
			return true;
	return false;
}

enum err
view_normalize_path(const struct view *v, struct slice path,
    struct arena *arena, struct slice *out)
{
	enum path_normalization how = v->normalization;
	struct slice whole = slice_sub(path, 0, slice_find(path, '#'));
	struct slice alone = slice_sub(whole, 0, slice_find(whole, '?'));
	struct slice query = slice_sub(whole, alone.len, whole.len);
	char *p, *half = NULL;
	size_t n;

	if (how == NORMALIZE_NONE || !slice_starts(alone, S("/")) ||
	    is_plain(how, alone)) {
		*out = whole;
		return OK;
	}
	if (has_zero(alone))
		return ERR_INVALID;
	p = arena_alloc(arena, 3 * alone.len + query.len);
	if (how == NORMALIZE_DECODE_AND_MERGE)
		half = arena_alloc(arena, alone.len);
	if (p == NULL || (how == NORMALIZE_DECODE_AND_MERGE && half == NULL))
		return ERR_LIMIT;
	if (half != NULL)
		alone = slice_of(half, unescape_slashes(alone, half));
	n = drop_dots(p, set_escapes(alone, p));
	if (merges(how))
		n = merge_slashes(p, n);
	if (query.len > 0)
		memcpy(p + n, query.ptr, query.len);
	*out = slice_of(p, n + query.len);
	return OK;
}
