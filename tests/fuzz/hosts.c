/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — any bytes as /etc/hosts, asked for each word of it.
 *
 * A name is found whatever its case, its addresses are of the family asked
 * for, and there are never more of them than there is room.
 */
#include "loop/hosts.h"

#include <ctype.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
ask(const struct hosts *h, struct slice name)
{
	struct addr any[HOSTS_ADDRS_MAX], some[HOSTS_ADDRS_MAX];
	char upper[NAME_HOST_MAX];
	size_t count = hosts_find(h, name, ADDR_NONE, any, ARRAY_LEN(any));
	size_t v4 = hosts_find(h, name, ADDR_V4, some, ARRAY_LEN(some));
	size_t v6;

	for (size_t i = 0; i < v4; i++)
		CHECK(some[i].family == ADDR_V4 && some[i].port == 0);
	v6 = hosts_find(h, name, ADDR_V6, some, ARRAY_LEN(some));
	for (size_t i = 0; i < v6; i++)
		CHECK(some[i].family == ADDR_V6 && some[i].port == 0);
	CHECK(count == v4 + v6);
	CHECK(hosts_find(h, name, ADDR_NONE, some, 1) == MIN(count, 1u));
	if (name.len > sizeof(upper))
		return;
	for (size_t i = 0; i < name.len; i++)
		upper[i] = (char)toupper((unsigned char)name.ptr[i]);
	CHECK(hosts_find(h, slice_of(upper, name.len), ADDR_NONE, some,
		  ARRAY_LEN(some)) == count);
}

static void
ask_words(const struct hosts *h, struct slice text)
{
	while (text.len > 0) {
		struct slice line = slice_split(&text, '\n');

		while (line.len > 0)
			ask(h, slice_split(&line, ' '));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct hosts once, twice;

	hosts_init(&once);
	hosts_parse(&once, text);
	ask_words(&once, text);
	ask(&once, S("localhost"));
	CHECK(hosts_find(&once, S(""), ADDR_NONE, NULL, 0) == 0);
	/* A second reading adds no name. */
	hosts_init(&twice);
	hosts_parse(&twice, text);
	hosts_parse(&twice, text);
	CHECK(twice.names.count == once.names.count);
	hosts_fini(&once);
	hosts_fini(&twice);
	return 0;
}
