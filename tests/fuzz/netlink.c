/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink — any bytes as the kernel's answer about rules.
 *
 * Whatever is read ends, lies within the bytes, and has words that end.
 */
#include <linux/netlink.h>

#include "capture/nft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(struct slice attrs, int depth)
{
	struct netlink_attr a;
	enum err e;

	while ((e = netlink_next_attr(&attrs, &a)) == OK) {
		CHECK((a.type & (NLA_F_NESTED | NLA_F_NET_BYTEORDER)) == 0);
		if (depth < NETLINK_DEPTH)
			walk(a.body, depth + 1);
	}
	CHECK(e == ERR_PARSE || e == ERR_NOT_FOUND);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of(data, size);
	struct capture_count c = {0};
	struct netlink_message m;

	while (netlink_next(&rest, &m) == OK) {
		CHECK(netlink_errno(m.body) >= 0);
		walk(m.body, 0);
		if (nft_rule_read(m.body, &c) == OK)
			CHECK(memchr(c.text, 0, sizeof(c.text)) != NULL &&
			      slice_is_utf8(slice_str(c.text)));
	}
	return 0;
}
