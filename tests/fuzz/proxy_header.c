/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_header — the first bytes of a connection to a gateway that stands
 * behind another proxy.
 *
 * However they are cut, the same comes of them, and what was read can be
 * written and read again.
 */
#include "proxy/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As they come, one more each time. */
static enum err
read_slowly(struct slice all, struct proxy_header *out, size_t *out_needed)
{
	struct slice why;
	enum err e = ERR_AGAIN;
	size_t n = 0;

	while (e == ERR_AGAIN && n < MIN(all.len, 600))
		e = proxy_header_read(slice_sub(all, 0, ++n), out, &why);
	*out_needed = n;
	return e;
}

static void
check_same(const struct proxy_header *a, const struct proxy_header *b)
{
	CHECK(a->is_for_another == b->is_for_another);
	CHECK(addr_eq(&a->source, &b->source));
	CHECK(addr_eq(&a->destination, &b->destination));
}

static void
write_again(const struct proxy_header *h)
{
	char mem[PROXY_HEADER_SENT_MAX];
	struct proxy_header again;
	struct slice text, why;

	for (unsigned version = 1; version <= 2; version++) {
		text = proxy_header_write(
		    version, &h->source, &h->destination, mem);
		CHECK(proxy_header_read(text, &again, &why) == OK);
		CHECK(again.len == text.len);
		check_same(h, &again);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_of(data, size), why = SLICE_NONE;
	struct proxy_header whole, slow;
	enum err e = proxy_header_read(all, &whole, &why);
	size_t needed;

	if (e == ERR_PARSE || e == ERR_LIMIT)
		CHECK(why.len > 0);
	if (e == OK) {
		CHECK(whole.len <= size && whole.len > 0);
		CHECK(whole.len <= PROXY_HEADER_BYTES_MAX);
		write_again(&whole);
	}
	if (read_slowly(all, &slow, &needed) == ERR_AGAIN)
		return 0;
	CHECK(e != ERR_AGAIN);
	if (e != OK)
		return 0;
	CHECK(needed == whole.len && slow.len == whole.len);
	check_same(&whole, &slow);
	return 0;
}
