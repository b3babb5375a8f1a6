/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — one spelling of a path, so that what is judged is what is served.
 *
 * In the steps of MeshConfig's pathNormalization: escaped slashes become
 * slashes; escapes of unreserved characters are undone, a backslash becomes a
 * slash, dot segments go (RFC 3986 §6.2.2, §5.2.4); runs of slashes become
 * one. A fragment is no part of a request and goes in any case; the query
 * stays as it came.
 */
#include "parts.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that an escape stands for; -1: none stands here. */
static int
escaped(struct slice s, size_t at)
{
	int high, low;

	if (at + 2 >= s.len || s.ptr[at] != '%')
		return -1;
	high = hex_digit(s.ptr[at + 1]);
	low = hex_digit(s.ptr[at + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool
is_unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

/* Each step writes over what it read: none makes the text longer. */
static size_t
unescape_slashes(char *p, size_t len)
{
	const struct slice s = slice_of(p, len);
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		int c = escaped(s, i);

		if (c == '/' || c == '\\') {
			p[to++] = (char)c;
			i += 2;
		} else {
			p[to++] = p[i];
		}
	}
	return to;
}

static size_t
undo_escapes(char *p, size_t len)
{
	const struct slice s = slice_of(p, len);
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		int c = escaped(s, i);

		if (is_unreserved(c)) {
			p[to++] = (char)c;
			i += 2;
		} else {
			p[to++] = p[i];
			if (p[to - 1] == '\\')
				p[to - 1] = '/';
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

static bool
has_zero(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (escaped(s, i) == 0)
			return true;
	return false;
}

static enum path_normalization
normalization_of(const struct view *v)
{
	const struct mesh_config *m = v->mesh;

	if (m->path_normalization == NULL ||
	    m->path_normalization->normalization == NORMALIZE_DEFAULT)
		return NORMALIZE_BASE;
	return (enum path_normalization)m->path_normalization->normalization;
}

enum err
view_normalize_path(const struct view *v, struct slice path,
    struct arena *arena, struct slice *out)
{
	enum path_normalization how = normalization_of(v);
	struct slice alone = without_query(path);
	struct slice query = slice_sub(path, alone.len, path.len);
	char *p = arena_alloc(arena, path.len + 1);
	size_t n = alone.len;

	if (p == NULL)
		return ERR_LIMIT;
	query = slice_sub(query, 0, slice_find(query, '#'));
	memcpy(p, alone.ptr, n);
	if (how != NORMALIZE_NONE && has_zero(alone))
		return ERR_INVALID;
	if (how == NORMALIZE_DECODE_AND_MERGE)
		n = unescape_slashes(p, n);
	if (how != NORMALIZE_NONE)
		n = drop_dots(p, undo_escapes(p, n));
	if (how == NORMALIZE_MERGE_SLASHES || how == NORMALIZE_DECODE_AND_MERGE)
		n = merge_slashes(p, n);
	memcpy(p + n, query.ptr, query.len);
	*out = slice_of(p, n + query.len);
	return OK;
}
