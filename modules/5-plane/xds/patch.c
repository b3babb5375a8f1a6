/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch — a body as what is different in it from the one before.
 *
 * Both are walked side by side. Where they part, the nearest place is looked
 * for at which a run of bytes is the same again: something was replaced, put
 * in or left out. What is found may not be the smallest difference, but it is
 * one, and it is found in time that the window bounds.
 */
#include "patch.h"

enum {
	SUM_LEN = 8,
	STEPS_MAX = 64,
	RUN = 16,     /* bytes that are the same again */
	NEAR = 32,    /* of a replacement, each side */
	WINDOW = 2048 /* of what was put in or left out */
};

static struct slice
sum_of(struct slice base, uint8_t hash[CRYPTO_SHA256_LEN])
{
	crypto_sha256(base, hash);
	return slice_of(hash, SUM_LEN);
}

static size_t
common(struct slice a, struct slice b)
{
	size_t n = 0, most = MIN(a.len, b.len);

	while (n < most && a.ptr[n] == b.ptr[n])
		n++;
	return n;
}

/* Whether they go on alike after so many bytes of each. */
static bool
meet(struct slice a, size_t skip, struct slice b, size_t fresh)
{
	if (skip + RUN > a.len || fresh + RUN > b.len)
		return skip == a.len && fresh == b.len;
	return memcmp(a.ptr + skip, b.ptr + fresh, RUN) == 0;
}

/* One of the two is 0. */
static bool
find_one_sided(struct slice a, struct slice b, size_t *skip, size_t *fresh)
{
	for (size_t n = 1; n <= WINDOW; n++) {
		bool put_in = n <= b.len && meet(a, 0, b, n);

		if (!put_in && !(n <= a.len && meet(a, n, b, 0)))
			continue;
		*skip = put_in ? 0 : n;
		*fresh = put_in ? n : 0;
		return true;
	}
	return false;
}

static bool
find_replaced(struct slice a, struct slice b, size_t *skip, size_t *fresh)
{
	for (size_t n = 1; n <= 2 * NEAR; n++)
		for (size_t i = n > NEAR ? n - NEAR : 0; i <= MIN(n, NEAR); i++)
			if (i <= a.len && n - i <= b.len &&
			    meet(a, i, b, n - i)) {
				*skip = i;
				*fresh = n - i;
				return true;
			}
	return false;
}

/* All but what their ends have in common. */
static void
take_rest(struct slice a, struct slice b, size_t *skip, size_t *fresh)
{
	size_t n = 0, most = MIN(a.len, b.len);

	while (n < most && a.ptr[a.len - n - 1] == b.ptr[b.len - n - 1])
		n++;
	*skip = a.len - n;
	*fresh = b.len - n;
}

static enum err
add_step(struct buf *out, size_t copy, size_t skip, struct slice fresh)
{
	enum err e = buf_add_u32(out, (uint32_t)copy);

	if (e == OK)
		e = buf_add_u32(out, (uint32_t)skip);
	if (e == OK)
		e = buf_add_u32(out, (uint32_t)fresh.len);
	return e == OK ? buf_add_slice(out, fresh) : e;
}

enum err
patch_make(struct slice base, struct slice now, struct buf *out)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	enum err e = buf_add_slice(out, sum_of(base, hash));

	if (base.len > UINT32_MAX || now.len > UINT32_MAX)
		return ERR_LIMIT;
	for (int n = 0; e == OK && base.len + now.len > 0; n++) {
		size_t copy = common(base, now), skip = 0, fresh = 0;
		struct slice a = slice_sub(base, copy, base.len);
		struct slice b = slice_sub(now, copy, now.len);

		if (n == STEPS_MAX)
			return ERR_LIMIT;
		if (a.len + b.len > 0 && !find_replaced(a, b, &skip, &fresh) &&
		    !find_one_sided(a, b, &skip, &fresh))
			take_rest(a, b, &skip, &fresh);
		e = add_step(out, copy, skip, slice_sub(b, 0, fresh));
		base = slice_sub(a, skip, a.len);
		now = slice_sub(b, fresh, b.len);
	}
	return e;
}

static bool
take_u32(struct slice *from, size_t *out)
{
	const uint8_t *p = (const uint8_t *)from->ptr;

	if (from->len < 4)
		return false;
	*out =
	    (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	*from = slice_sub(*from, 4, from->len);
	return true;
}

static enum err
apply_step(struct slice *base, struct slice *patch, struct buf *out)
{
	size_t copy, skip, fresh;
	enum err e;

	if (!take_u32(patch, &copy) || !take_u32(patch, &skip) ||
	    !take_u32(patch, &fresh) || copy > base->len ||
	    skip > base->len - copy || fresh > patch->len)
		return ERR_PARSE;
	e = buf_add_slice(out, slice_sub(*base, 0, copy));
	if (e == OK)
		e = buf_add_slice(out, slice_sub(*patch, 0, fresh));
	*base = slice_sub(*base, copy + skip, base->len);
	*patch = slice_sub(*patch, fresh, patch->len);
	return e;
}

enum err
patch_apply(struct slice base, struct slice patch, struct buf *out)
{
	uint8_t hash[CRYPTO_SHA256_LEN];
	enum err e = OK;

	if (!slice_starts(patch, sum_of(base, hash)))
		return ERR_PARSE;
	patch = slice_sub(patch, SUM_LEN, patch.len);
	while (e == OK && patch.len > 0)
		e = apply_step(&base, &patch, out);
	return e == OK && base.len > 0 ? ERR_PARSE : e;
}
