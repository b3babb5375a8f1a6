/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — what is different, and that it makes the same again.
 */
#include "patch.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 18, ROUNDS = 2000 };

static char before[TEXT_MAX], after[TEXT_MAX];

/* Bytes of the patch from one to the other, which is tried. */
static size_t
patched(struct slice from, struct slice to)
{
	AUTO(buf_fini) struct buf patch = BUF(TEXT_MAX);
	AUTO(buf_fini) struct buf out = BUF(TEXT_MAX);

	EXPECT_OK(patch_make(from, to, &patch));
	EXPECT_OK(patch_apply(from, buf_slice(&patch), &out));
	EXPECT_TRUE(slice_eq(buf_slice(&out), to));
	return buf_len(&patch);
}

static struct slice
list(char out[TEXT_MAX], int endpoints, int changed)
{
	size_t len =
	    (size_t)snprintf(out, TEXT_MAX, "{\"version\":\"%d\",[", changed);

	for (int i = 0; i < endpoints; i++)
		len += (size_t)snprintf(out + len, TEXT_MAX - len,
		    "{\"address\":\"10.%d.%d.%d\",\"weight\":%d},", i / 250,
		    i % 250, 7, i == changed ? 9 : 1);
	return slice_of(out, len);
}

TEST(one_of_very_many_costs_what_it_is)
{
	struct slice from = list(before, 5000, 17), to;

	to = list(after, 5000, 4321);
	EXPECT_TRUE(patched(from, to) < 150);
	to = list(after, 5001, 17); /* one more */
	EXPECT_TRUE(patched(from, to) < 150);
	EXPECT_TRUE(patched(to, from) < 150); /* one less */
}

TEST(nothing_and_all_are_differences_too)
{
	EXPECT_TRUE(patched(S("the same"), S("the same")) > 0);
	(void)patched(S(""), S("all of it"));
	(void)patched(S("all of it"), S(""));
	(void)patched(S(""), S(""));
	(void)patched(S("abc"), S("xyz"));
}

/* Pieces are replaced, put in, left out; sometimes many. */
static size_t
edit(struct rng *rng, struct slice from)
{
	size_t at = 0, len = 0;

	while (at < from.len && len < TEXT_MAX / 2) {
		size_t n = MIN(rng_below(rng, 3000), from.len - at);

		memcpy(after + len, from.ptr + at, n);
		len += n;
		at += n;
		at += rng_below(rng, 2) == 0 ? rng_below(rng, 40) : 0;
		n = rng_below(rng, 40);
		for (size_t i = 0; i < n; i++)
			after[len++] = (char)('a' + rng_below(rng, 3));
	}
	return len;
}

TEST(whatever_is_changed_is_made_again_or_is_too_much)
{
	struct slice from = list(before, 200, 3);
	struct rng rng;

	rng_init_random(&rng);
	for (int i = 0; i < ROUNDS; i++) {
		AUTO(buf_fini) struct buf patch = BUF(from.len / 2);
		AUTO(buf_fini) struct buf out = BUF(TEXT_MAX);
		struct slice to = slice_of(after, edit(&rng, from));
		enum err e = patch_make(from, to, &patch);

		if (e == ERR_LIMIT)
			continue;
		EXPECT_OK(e);
		EXPECT_OK(patch_apply(from, buf_slice(&patch), &out));
		EXPECT_TRUE(slice_eq(buf_slice(&out), to));
	}
}

TEST(a_patch_of_another_body_and_bytes_that_are_none_are_refused)
{
	AUTO(buf_fini) struct buf patch = BUF(TEXT_MAX);
	AUTO(buf_fini) struct buf out = BUF(TEXT_MAX);
	struct slice from = list(before, 50, 3), bytes;

	EXPECT_OK(patch_make(from, list(after, 50, 7), &patch));
	bytes = buf_slice(&patch);
	EXPECT_EQ(patch_apply(S("another"), bytes, &out), ERR_PARSE);
	EXPECT_EQ(patch_apply(from, S(""), &out), ERR_PARSE);
	for (size_t n = 8; n < bytes.len; n++) {
		buf_reset(&out);
		EXPECT_EQ(
		    patch_apply(from, slice_sub(bytes, 0, n), &out), ERR_PARSE);
	}
}

TEST(there_is_a_bound_to_what_comes_out)
{
	AUTO(buf_fini) struct buf patch = BUF(TEXT_MAX);
	AUTO(buf_fini) struct buf out = BUF(100);
	struct slice from = list(before, 50, 3);

	EXPECT_OK(patch_make(from, list(after, 50, 7), &patch));
	EXPECT_EQ(patch_apply(from, buf_slice(&patch), &out), ERR_LIMIT);
}
