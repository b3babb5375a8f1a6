/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft — rules as messages, read back as the kernel would tell them.
 */
#include "nft.h"
#include "unit.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

static const struct capture_rule rules[] = {{.chain = CAPTURE_CHAIN_OUT,
						.tests = CAPTURE_IS_MARKED,
						.number = CAPTURE_MARK,
						.verdict = CAPTURE_PASSES,
						.text = "own"},
    {.chain = CAPTURE_CHAIN_IN,
	.tests = CAPTURE_IS_TCP | CAPTURE_IS_TO_PORT,
	.ports = {80, 90},
	.verdict = CAPTURE_IS_TAKEN,
	.port = CAPTURE_IN_PORT,
	.text = "in"}};

static void
write_batch(struct nft_batch b, struct buf *out)
{
	EXPECT_OK(nft_batch_write(&b, out));
}

static unsigned
message_of(uint16_t type)
{
	return type & 0xff;
}

TEST(a_batch_replaces_at_one_stroke)
{
	AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
	static const unsigned want[] = {NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE,
	    NFT_MSG_NEWCHAIN, NFT_MSG_NEWCHAIN, NFT_MSG_NEWCHAIN,
	    NFT_MSG_NEWRULE, NFT_MSG_NEWRULE, NFT_MSG_NEWTABLE,
	    NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE};
	struct netlink_message m;
	struct slice rest;

	write_batch((struct nft_batch){.rules = rules,
			.count = 2,
			.replaces = true,
			.loads = true,
			.holds = true,
			.seq = 7},
	    &out);
	rest = buf_slice(&out);
	EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_EQ(m.type, NFNL_MSG_BATCH_BEGIN);
	EXPECT_EQ(m.seq, 7);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_EQ(message_of(m.type), want[i]);
		EXPECT_EQ(m.type >> 8, NFNL_SUBSYS_NFTABLES);
		EXPECT_EQ(m.seq, 8 + i);
	}
	EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_EQ(m.type, NFNL_MSG_BATCH_END);
	EXPECT_EQ(netlink_next(&rest, &m), ERR_NOT_FOUND);
}

/* So what hangs on NFT_BRIEF stays. Of the chains one is missing, and one has
 * no rule any more. */
TEST(a_batch_that_keeps_the_table_replaces_its_rules)
{
	AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
	static const unsigned want[] = {NFT_MSG_DELRULE, NFT_MSG_NEWCHAIN,
	    NFT_MSG_DELCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWRULE};
	const struct nft_batch b = {.rules = rules,
	    .count = 2,
	    .replaces = true,
	    .keeps = true,
	    .chains = 1u << CAPTURE_CHAIN_OUT | 1u << CAPTURE_CHAIN_TAKE |
		      1u << CAPTURE_CHAIN_BACK,
	    .loads = true,
	    .has_brief = true,
	    .seq = 7};
	struct netlink_message m;
	struct slice rest;

	write_batch(b, &out);
	rest = buf_slice(&out);
	EXPECT_OK(netlink_next(&rest, &m));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_EQ(message_of(m.type), want[i]);
	}
	EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_EQ(m.type, NFNL_MSG_BATCH_END);
	EXPECT_EQ(nft_batch_chains(&b), 1u << CAPTURE_CHAIN_OUT |
					    1u << CAPTURE_CHAIN_TAKE |
					    1u << CAPTURE_CHAIN_IN);
	EXPECT_FALSE(nft_batch_is_brief(&b, 9));
	EXPECT_TRUE(nft_batch_rule(&b, 10) == NULL);
	EXPECT_TRUE(nft_batch_rule(&b, 11) == &rules[0]);
	EXPECT_TRUE(nft_batch_rule(&b, 12) == &rules[1]);
	EXPECT_TRUE(nft_batch_rule(&b, 13) == NULL);
}

TEST(an_error_finds_its_rule)
{
	const struct nft_batch b = {.rules = rules,
	    .count = 2,
	    .replaces = true,
	    .loads = true,
	    .seq = 7};

	EXPECT_TRUE(nft_batch_rule(&b, 7) == NULL);
	EXPECT_TRUE(nft_batch_rule(&b, 12) == NULL);
	EXPECT_TRUE(nft_batch_rule(&b, 13) == &rules[0]);
	EXPECT_TRUE(nft_batch_rule(&b, 14) == &rules[1]);
	EXPECT_TRUE(nft_batch_rule(&b, 15) == NULL);
}

/* Its chains are there then, and the number of its message counts them. */
TEST(chains_that_every_packet_meets_are_there_where_they_have_rules)
{
	static const struct capture_rule source[] = {
	    {.chain = CAPTURE_CHAIN_APART,
		.tests = CAPTURE_IS_MARKED,
		.verdict = CAPTURE_IS_APART,
		.text = "apart"},
	    {.chain = CAPTURE_CHAIN_BACK,
		.tests = CAPTURE_IS_ANSWER,
		.verdict = CAPTURE_COMES_BACK,
		.text = "back"}};
	static const unsigned want[] = {NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN,
	    NFT_MSG_NEWCHAIN, NFT_MSG_NEWCHAIN, NFT_MSG_NEWCHAIN,
	    NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE, NFT_MSG_NEWRULE};
	const struct nft_batch b = {
	    .rules = source, .count = 2, .loads = true, .seq = 7};
	AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
	struct netlink_message m;
	struct slice rest;

	write_batch(b, &out);
	rest = buf_slice(&out);
	EXPECT_OK(netlink_next(&rest, &m));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_EQ(message_of(m.type), want[i]);
	}
	EXPECT_TRUE(nft_batch_rule(&b, 13) == NULL);
	EXPECT_TRUE(nft_batch_rule(&b, 14) == &source[0]);
	EXPECT_TRUE(nft_batch_rule(&b, 15) == &source[1]);
}

/* The time of conntrack's is there before the rules that give it. */
TEST(what_is_forgotten_soon_is_told_by_a_batch_that_may)
{
	static const struct capture_rule out_rules[] = {
	    {.chain = CAPTURE_CHAIN_TAKE,
		.tests = CAPTURE_IS_TCP,
		.verdict = CAPTURE_IS_TAKEN,
		.port = CAPTURE_OUT_PORT,
		.is_brief = true,
		.text = "out"},
	    {.chain = CAPTURE_CHAIN_IN,
		.tests = CAPTURE_IS_TCP,
		.verdict = CAPTURE_IS_TAKEN,
		.port = CAPTURE_IN_PORT,
		.text = "in"}};

	for (int has = 0; has < 2; has++) {
		const struct nft_batch b = {.rules = out_rules,
		    .count = 2,
		    .loads = true,
		    .has_brief = has,
		    .seq = 7};
		uint32_t first = 12 + (uint32_t)has;
		AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
		struct capture_count c;
		struct netlink_message m;
		struct slice rest;

		write_batch(b, &out);
		EXPECT_EQ(nft_batch_is_brief(&b, 9), has);
		EXPECT_FALSE(nft_batch_is_brief(&b, 10));
		EXPECT_TRUE(nft_batch_rule(&b, first - 1) == NULL);
		EXPECT_TRUE(nft_batch_rule(&b, first) == &out_rules[0]);
		rest = buf_slice(&out);
		for (uint32_t seq = 7; seq <= first; seq++)
			EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_OK(nft_rule_read(m.body, &c));
		EXPECT_STR(c.text, "out");
		EXPECT_EQ(c.is_brief, has);
		EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_OK(nft_rule_read(m.body, &c));
		EXPECT_FALSE(c.is_brief);
	}
}

/* The owner's flag is what takes the table away with its socket. */
TEST(a_table_is_owned_unless_it_is_to_stay)
{
	for (int closed = 0; closed < 2; closed++) {
		AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
		struct netlink_message m;
		struct slice rest, flags;

		write_batch(
		    (struct nft_batch){.loads = true, .closed = closed}, &out);
		rest = buf_slice(&out);
		EXPECT_OK(netlink_next(&rest, &m));
		EXPECT_OK(netlink_next(&rest, &m));
		flags = netlink_find(
		    slice_sub(m.body, sizeof(struct nfgenmsg), m.body.len),
		    NFTA_TABLE_FLAGS);
		EXPECT_EQ(flags.len, 4);
		EXPECT_EQ(flags.ptr[3], closed ? 0 : NFT_TABLE_F_OWNER);
	}
}

/* The kernel tells a rule as it was told one, with numbers in its counter. */
static void
read_back(size_t at, struct capture_count *out)
{
	AUTO(buf_fini) struct buf batch = BUF(NFT_BATCH_BYTES);
	struct netlink_message m = {0};
	struct slice rest;

	write_batch(
	    (struct nft_batch){.rules = rules, .count = 2, .loads = true},
	    &batch);
	rest = buf_slice(&batch);
	for (size_t i = 0; i < 6 + at; i++)
		EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_TRUE(nft_is_rule(m.type));
	EXPECT_OK(nft_rule_read(m.body, out));
}

TEST(a_rule_is_read_back_with_its_words)
{
	struct capture_count c;

	read_back(0, &c);
	EXPECT_EQ(c.chain, CAPTURE_CHAIN_OUT);
	EXPECT_STR(c.text, "own");
	EXPECT_EQ(c.packets, 0);
	read_back(1, &c);
	EXPECT_EQ(c.chain, CAPTURE_CHAIN_IN);
	EXPECT_STR(c.text, "in");
}

TEST(what_is_no_rule_of_ours_is_left)
{
	AUTO(buf_fini) struct buf out = BUF(1024);
	struct netlink_writer w = {.out = &out};
	struct capture_count c = {.packets = 7};
	struct netlink_message m;
	struct slice rest;
	const struct nfgenmsg g = {0};

	EXPECT_EQ(nft_rule_read(S(""), &c), ERR_PARSE);
	netlink_begin(&w, 0, 0, 1, &g, sizeof(g));
	netlink_text(&w, NFTA_RULE_TABLE, "filter");
	netlink_text(&w, NFTA_RULE_CHAIN, "output");
	netlink_end(&w);
	EXPECT_OK(netlink_done(&w));
	rest = buf_slice(&out);
	EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_EQ(nft_rule_read(m.body, &c), ERR_NOT_FOUND);
	EXPECT_EQ(c.packets, 7); /* untouched */
}

TEST(a_batch_that_has_no_room_is_told)
{
	AUTO(buf_fini) struct buf out = BUF(100);
	const struct nft_batch b = {.rules = rules, .count = 2, .loads = true};

	EXPECT_EQ(nft_batch_write(&b, &out), ERR_LIMIT);
}

/* --- netlink itself ------------------------------------------------------- */

TEST(attributes_are_filled_up_and_found)
{
	AUTO(buf_fini) struct buf out = BUF(1024);
	struct netlink_writer w = {.out = &out};
	struct netlink_message m;
	struct slice rest, inner;

	netlink_begin(&w, 5, NLM_F_ACK, 9, "head", 4);
	netlink_text(&w, 1, "abc"); /* four bytes, with its zero */
	netlink_put(&w, 2, "x", 1);
	netlink_nest(&w, 3);
	netlink_be32(&w, 4, 0x01020304);
	netlink_end(&w);
	netlink_end(&w);
	EXPECT_OK(netlink_done(&w));
	rest = buf_slice(&out);
	EXPECT_OK(netlink_next(&rest, &m));
	EXPECT_EQ(m.type, 5);
	EXPECT_EQ(m.flags, NLM_F_REQUEST | NLM_F_ACK);
	EXPECT_EQ(m.seq, 9);
	m.body = slice_sub(m.body, 4, m.body.len);
	EXPECT_EQ(netlink_find(m.body, 2).len, 1);
	inner = netlink_find(netlink_find(m.body, 3), 4);
	EXPECT_EQ(inner.len, 4);
	EXPECT_EQ(inner.ptr[0], 1);
	EXPECT_EQ(netlink_find(m.body, 7).len, 0);
}

TEST(lengths_that_lie_are_refused)
{
	struct nlmsghdr h = {.nlmsg_len = sizeof(h) + 1};
	struct nlattr a = {.nla_len = 3};
	struct netlink_message m;
	struct netlink_attr got;
	struct slice rest = slice_of(&h, sizeof(h));

	EXPECT_EQ(netlink_next(&rest, &m), ERR_PARSE);
	h.nlmsg_len = sizeof(h) - 1;
	rest = slice_of(&h, sizeof(h));
	EXPECT_EQ(netlink_next(&rest, &m), ERR_PARSE);
	rest = slice_of(&h, 3);
	EXPECT_EQ(netlink_next(&rest, &m), ERR_PARSE);
	rest = slice_of(&a, sizeof(a));
	EXPECT_EQ(netlink_next_attr(&rest, &got), ERR_PARSE);
	a.nla_len = sizeof(a) + 1;
	rest = slice_of(&a, sizeof(a));
	EXPECT_EQ(netlink_next_attr(&rest, &got), ERR_PARSE);
}

TEST(an_error_is_an_errno)
{
	int32_t code = -ENOENT;

	EXPECT_EQ(netlink_errno(slice_of(&code, sizeof(code))), ENOENT);
	code = 0;
	EXPECT_EQ(netlink_errno(slice_of(&code, sizeof(code))), 0);
	code = 5;
	EXPECT_EQ(netlink_errno(slice_of(&code, sizeof(code))), EPROTO);
	code = INT32_MIN;
	EXPECT_EQ(netlink_errno(slice_of(&code, sizeof(code))), EPROTO);
	EXPECT_EQ(netlink_errno(S("ab")), EPROTO);
}
