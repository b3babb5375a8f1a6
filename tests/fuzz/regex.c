/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — any bytes as a pattern, a substitution and a text.
 *
 * Up to the first zero byte stands the pattern, up to the second one the
 * substitution. What the three ways to match say has to agree.
 */
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GROUPS = 8, OUT_MAX = 4 << 20 };

/* The text is what `inner` matched as a whole. */
static bool
matches_all(const struct regex *r, struct slice text)
{
	struct slice groups[1];

	return regex_find(r, text, 0, groups, 1) == OK &&
	       groups[0].len == text.len;
}

static void
find(const struct regex *r, struct slice text)
{
	struct slice g[GROUPS];
	enum err e = regex_find(r, text, 0, g, ARRAY_LEN(g));

	CHECK(e == OK || e == ERR_NOT_FOUND);
	CHECK((e == OK) == regex_search(r, text));
	if (e != OK)
		CHECK(!regex_match(r, text));
	for (size_t i = 0; e == OK && i < ARRAY_LEN(g); i++)
		if (g[i].ptr != NULL)
			CHECK(g[i].ptr >= text.ptr &&
			      g[i].ptr + g[i].len <= text.ptr + text.len);
}

/* The same pattern, held to both ends, is what matching as a whole means. */
static void
compare(struct slice pattern, const struct regex *r, struct slice text)
{
	AUTO(buf_fini) struct buf whole = BUF(REGEX_PATTERN_MAX + 16);
	AUTO(regex_unref) struct regex *held = NULL;

	if (buf_printf(&whole, "\\A(?:%.*s)\\z", SLICE_ARG(pattern)) != OK ||
	    regex_compile(buf_slice(&whole), &held, NULL) != OK)
		return; /* \Q without \E, or a limit */
	CHECK(matches_all(held, text) == regex_match(r, text));
	CHECK(regex_match(held, text) == regex_match(r, text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	AUTO(regex_unref) struct regex *r = NULL;
	struct slice text = slice_of(data, size);
	struct slice pattern = slice_split(&text, '\0');
	struct slice rewrite = slice_split(&text, '\0');
	struct fault why = {0};

	if (regex_compile(pattern, &r, &why) != OK) {
		CHECK(why.code != OK && why.text[0] != '\0' && r == NULL);
		return 0;
	}
	CHECK(regex_instructions(r) <= REGEX_INSTRUCTIONS_MAX);
	find(r, text);
	compare(pattern, r, text);
	if (regex_check_rewrite(r, rewrite, NULL) != OK)
		return 0;
	if (regex_replace(r, text, rewrite, &out) == OK &&
	    !regex_search(r, text))
		CHECK(slice_eq(buf_slice(&out), text));
	return 0;
}
