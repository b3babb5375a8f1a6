/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — the first bytes of a connection to a gateway that passes TLS on.
 *
 * However they are cut, the same comes of them. The first byte says how.
 */
#include "tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err
feed(struct slice bytes, size_t each, struct tls_hello *out)
{
	struct tls_hello_reader r;
	enum err e = ERR_AGAIN;

	tls_hello_reader_init(&r);
	for (size_t i = 0; e == ERR_AGAIN && i < bytes.len; i += each)
		e = tls_hello_feed(&r, slice_sub(bytes, i, each), out);
	tls_hello_reader_fini(&r);
	return e;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_hello whole, cut;
	struct slice all;
	enum err e;

	if (size < 2)
		return 0;
	all = slice_of(data + 1, size - 1);
	e = feed(all, all.len, &whole);
	CHECK(feed(all, (size_t)data[0] + 1, &cut) == e);
	if (e != OK)
		return 0;
	CHECK(strcmp(whole.sni, cut.sni) == 0);
	CHECK(strlen(whole.sni) <= NAME_HOST_MAX);
	CHECK(whole.alpn_count == cut.alpn_count);
	for (size_t i = 0; i < whole.alpn_count; i++)
		CHECK(slice_eq(whole.alpns[i], cut.alpns[i]));
	return 0;
}
