/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_read — what the kernel tells of a rule; see nft.h.
 */
#include "nft.h"

#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* A text's ending zero is part of its attribute. */
static struct slice
text_of(struct slice body)
{
	return slice_sub(body, 0, slice_find(body, '\0'));
}

static bool
read_chain(struct slice name, enum capture_chain *out)
{
	for (int i = 0; i < CAPTURE_CHAINS; i++) {
		enum capture_chain c = (enum capture_chain)i;

		if (slice_eq(name, slice_str(capture_chain_name(c)))) {
			*out = c;
			return true;
		}
	}
	return false;
}

static struct slice
comment_of(struct slice userdata)
{
	while (userdata.len >= 2) {
		uint8_t type = (uint8_t)userdata.ptr[0];
		uint8_t len = (uint8_t)userdata.ptr[1];

		if (len > userdata.len - 2)
			break;
		if (type == NFT_COMMENT)
			return text_of(slice_sub(userdata, 2, len));
		userdata = slice_sub(userdata, 2 + (size_t)len, userdata.len);
	}
	return SLICE_NONE;
}

static uint64_t
number_of(struct slice packets)
{
	uint64_t n;

	if (packets.len != sizeof(n))
		return 0;
	memcpy(&n, packets.ptr, sizeof(n));
	return be64toh(n);
}

static void
read_expressions(struct slice all, struct capture_count *out)
{
	struct netlink_attr a;

	while (netlink_next_attr(&all, &a) == OK) {
		struct slice name =
		    text_of(netlink_find(a.body, NFTA_EXPR_NAME));
		struct slice data = netlink_find(a.body, NFTA_EXPR_DATA);

		if (slice_eq(name, S("counter")))
			out->packets =
			    number_of(netlink_find(data, NFTA_COUNTER_PACKETS));
		else if (slice_eq(name, S("objref")))
			out->is_brief = slice_eq(
			    text_of(netlink_find(data, NFTA_OBJREF_IMM_NAME)),
			    S(NFT_BRIEF));
	}
}

enum err
nft_rule_read(struct slice body, struct capture_count *out)
{
	struct slice attrs, text;
	struct capture_count c = {0};

	if (body.len < sizeof(struct nfgenmsg))
		return ERR_PARSE;
	attrs = slice_sub(body, sizeof(struct nfgenmsg), body.len);
	if (!slice_eq(text_of(netlink_find(attrs, NFTA_RULE_TABLE)),
		slice_str(NFT_TABLE)) ||
	    !read_chain(
		text_of(netlink_find(attrs, NFTA_RULE_CHAIN)), &c.chain))
		return ERR_NOT_FOUND;
	text = comment_of(netlink_find(attrs, NFTA_RULE_USERDATA));
	if (slice_to_cstr(text, c.text, sizeof(c.text)) != OK)
		return ERR_PARSE;
	slice_mend_utf8(c.text, strlen(c.text));
	read_expressions(netlink_find(attrs, NFTA_RULE_EXPRESSIONS), &c);
	*out = c;
	return OK;
}
