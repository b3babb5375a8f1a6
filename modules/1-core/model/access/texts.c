/* SPDX-License-Identifier: Apache-2.0 */
/*
 * texts — whether a text is what a policy's pattern says.
 */
#include "parts.h"

struct access_text
text_of(struct slice written)
{
	size_t n = written.len;

	if (slice_eq(written, S("*")))
		return (struct access_text){ACCESS_ANY, S("")};
	if (slice_starts(written, S("*")))
		return (struct access_text){
		    ACCESS_SUFFIX, slice_sub(written, 1, n)};
	if (slice_ends(written, S("*")))
		return (struct access_text){
		    ACCESS_PREFIX, slice_sub(written, 0, n - 1)};
	return (struct access_text){ACCESS_EXACT, written};
}

/*
 * A star takes as little as it can, and more when the rest does not fit; only
 * the last star is tried again, so it is bounded by the lengths' product.
 */
static bool
glob(struct slice pattern, struct slice s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, mark = 0;

	while (i < s.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			mark = i;
		} else if (p < pattern.len && pattern.ptr[p] == s.ptr[i]) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

/* --- templates of paths --------------------------------------------------- */

/* What a wildcard takes (RFC 3986 §3.3, as Envoy has it). */
static bool
is_segment_char(char c)
{
	static const char others[] = "-._~%!$&'()+,;:@=";

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c));
}

/* How many bytes a {*} takes. */
static size_t
segment_length(struct slice s)
{
	size_t n = 0;

	while (n < s.len && is_segment_char(s.ptr[n]))
		n++;
	return n;
}

static bool
is_rest(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '/' && !is_segment_char(s.ptr[i]))
			return false;
	return true;
}

struct slice template_start(struct slice template)
{
	return slice_sub(template, 0, slice_find(template, '{'));
}

/* Behind {**} there are plain texts only: the validation saw to that. */
static bool
template_holds(struct slice t, struct slice path)
{
	for (;;) {
		struct slice start = template_start(t);
		size_t n;

		if (start.len == t.len)
			return slice_eq(t, path);
		if (!slice_starts(path, start))
			return false;
		t = slice_sub(t, start.len, t.len);
		path = slice_sub(path, start.len, path.len);
		if (slice_starts(t, S("{**}"))) {
			t = slice_sub(t, 4, t.len);
			return slice_ends(path, t) &&
			       is_rest(slice_sub(path, 0, path.len - t.len));
		}
		n = segment_length(path);
		if (n == 0)
			return false;
		t = slice_sub(t, 3, t.len); /* {*} */
		path = slice_sub(path, n, path.len);
	}
}

/* --- any of them ---------------------------------------------------------- */

static bool
is_same(struct slice a, struct slice b, bool fold)
{
	return fold ? slice_eq_nocase(a, b) : slice_eq(a, b);
}

bool
text_holds(const struct access_text *t, struct slice s, bool fold)
{
	size_t n = t->text.len;

	switch (t->test) {
	case ACCESS_EXACT:
		return is_same(s, t->text, fold);
	case ACCESS_PREFIX:
		return s.len >= n && is_same(slice_sub(s, 0, n), t->text, fold);
	case ACCESS_SUFFIX:
		return s.len >= n &&
		       is_same(slice_sub(s, s.len - n, n), t->text, fold);
	case ACCESS_ANY:
		return s.len > 0;
	case ACCESS_GLOB:
		return glob(t->text, s);
	case ACCESS_TEMPLATE:
		return template_holds(t->text, s);
	}
	return false;
}
