/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft_rule — one rule as a row of expressions: one loads a fact of the packet
 * into a register, the next compares it, and where one says no the rule is
 * over. See nft_rule.h.
 *
 * They are those that nft(8) makes of the same words, so that `nft list table
 * inet meshd` shows what was meant.
 */
#include "nft_rule.h"

#include "nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { APART_ZONE = 0x6d73 /* of conntrack: "ms" */ };

/* --- expressions ---------------------------------------------------------- */

static void
begin_expression(struct netlink_writer *w, const char *name)
{
	netlink_nest(w, NFTA_LIST_ELEM);
	netlink_text(w, NFTA_EXPR_NAME, name);
	netlink_nest(w, NFTA_EXPR_DATA);
}

static void
end_expression(struct netlink_writer *w)
{
	netlink_end(w);
	netlink_end(w);
}

static void
put_value(
    struct netlink_writer *w, uint16_t type, const void *bytes, size_t len)
{
	netlink_nest(w, type);
	netlink_put(w, NFTA_DATA_VALUE, bytes, len);
	netlink_end(w);
}

static void
compare(struct netlink_writer *w, enum nft_cmp_ops op, const void *bytes,
    size_t len)
{
	begin_expression(w, "cmp");
	netlink_be32(w, NFTA_CMP_SREG, NFT_REG_1);
	netlink_be32(w, NFTA_CMP_OP, op);
	put_value(w, NFTA_CMP_DATA, bytes, len);
	end_expression(w);
}

/* A fact of the packet that is one number of the machine's order. */
static void
test_meta(struct netlink_writer *w, enum nft_meta_keys key, const void *bytes,
    size_t len)
{
	begin_expression(w, "meta");
	netlink_be32(w, NFTA_META_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_META_KEY, key);
	end_expression(w);
	compare(w, NFT_CMP_EQ, bytes, len);
}

static void
test_meta_number(
    struct netlink_writer *w, enum nft_meta_keys key, uint64_t number)
{
	const uint32_t v = (uint32_t)number;

	test_meta(w, key, &v, sizeof(v));
}

static void
test_meta_byte(struct netlink_writer *w, enum nft_meta_keys key, uint8_t v)
{
	test_meta(w, key, &v, sizeof(v));
}

static void
load_payload(struct netlink_writer *w, enum nft_payload_bases base,
    uint32_t offset, uint32_t len)
{
	begin_expression(w, "payload");
	netlink_be32(w, NFTA_PAYLOAD_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_PAYLOAD_BASE, base);
	netlink_be32(w, NFTA_PAYLOAD_OFFSET, offset);
	netlink_be32(w, NFTA_PAYLOAD_LEN, len);
	end_expression(w);
}

static void
keep_bits(struct netlink_writer *w, const void *mask, uint32_t len)
{
	static const uint8_t zeros[sizeof(struct in6_addr)];

	begin_expression(w, "bitwise");
	netlink_be32(w, NFTA_BITWISE_SREG, NFT_REG_1);
	netlink_be32(w, NFTA_BITWISE_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_BITWISE_LEN, len);
	put_value(w, NFTA_BITWISE_MASK, mask, len);
	put_value(w, NFTA_BITWISE_XOR, zeros, len);
	end_expression(w);
}

static void
keep_prefix(struct netlink_writer *w, uint8_t bits, uint32_t len)
{
	uint8_t mask[sizeof(struct in6_addr)] = {0};

	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	keep_bits(w, mask, len);
}

static void
test_destination(struct netlink_writer *w, const struct cidr *c)
{
	bool v4 = c->base.family == ADDR_V4;
	uint32_t len = v4 ? 4 : 16;

	test_meta_byte(w, NFT_META_NFPROTO, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	if (c->bits == 0)
		return;
	load_payload(w, NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, len);
	if (c->bits < 8 * len)
		keep_prefix(w, c->bits, len);
	compare(w, NFT_CMP_EQ, c->base.bytes, len);
}

static void
test_ports(struct netlink_writer *w, const struct capture_ports *p)
{
	const uint16_t first = htons(p->first), last = htons(p->last);

	load_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(first));
	if (p->first == p->last) {
		compare(w, NFT_CMP_EQ, &first, sizeof(first));
		return;
	}
	compare(w, NFT_CMP_GTE, &first, sizeof(first));
	compare(w, NFT_CMP_LTE, &last, sizeof(last));
}

static void
test_later(struct netlink_writer *w)
{
	enum { FLAGS_AT = 13 };
	const uint8_t mask = TH_SYN | TH_ACK | TH_RST | TH_FIN, syn = TH_SYN;

	test_meta_byte(w, NFT_META_L4PROTO, IPPROTO_TCP);
	load_payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, FLAGS_AT, sizeof(mask));
	keep_bits(w, &mask, sizeof(mask));
	compare(w, NFT_CMP_NEQ, &syn, sizeof(syn));
}

static void
test_here(struct netlink_writer *w)
{
	const uint32_t local = 2; /* RTN_LOCAL */

	begin_expression(w, "fib");
	netlink_be32(w, NFTA_FIB_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	netlink_be32(w, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	end_expression(w);
	compare(w, NFT_CMP_EQ, &local, sizeof(local));
}

static void
test_cgroup(struct netlink_writer *w, const struct capture_rule *r)
{
	begin_expression(w, "socket");
	netlink_be32(w, NFTA_SOCKET_KEY, NFT_SOCKET_CGROUPV2);
	netlink_be32(w, NFTA_SOCKET_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_SOCKET_LEVEL, r->level);
	end_expression(w);
	compare(w, NFT_CMP_EQ, &r->number, sizeof(r->number));
}

static void
load_ct(struct netlink_writer *w, enum nft_ct_keys key)
{
	begin_expression(w, "ct");
	netlink_be32(w, NFTA_CT_DREG, NFT_REG_1);
	netlink_be32(w, NFTA_CT_KEY, key);
	end_expression(w);
}

static void
test_new(struct netlink_writer *w)
{
	const uint32_t is_new = NF_CT_STATE_BIT(IP_CT_NEW), none = 0;

	load_ct(w, NFT_CT_STATE);
	keep_bits(w, &is_new, sizeof(is_new));
	compare(w, NFT_CMP_NEQ, &none, sizeof(none));
}

static void
test_answer(struct netlink_writer *w, uint64_t mark)
{
	const uint32_t of = (uint32_t)mark;
	const uint8_t reply = IP_CT_DIR_REPLY;

	load_ct(w, NFT_CT_MARK);
	compare(w, NFT_CMP_EQ, &of, sizeof(of));
	load_ct(w, NFT_CT_DIRECTION);
	compare(w, NFT_CMP_EQ, &reply, sizeof(reply));
}

static void
count(struct netlink_writer *w)
{
	begin_expression(w, "counter");
	netlink_be64(w, NFTA_COUNTER_BYTES, 0);
	netlink_be64(w, NFTA_COUNTER_PACKETS, 0);
	end_expression(w);
}

/* --- verdicts ------------------------------------------------------------- */

static void
put_verdict(struct netlink_writer *w, int32_t code, const char *chain)
{
	begin_expression(w, "immediate");
	netlink_be32(w, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	netlink_nest(w, NFTA_IMMEDIATE_DATA);
	netlink_nest(w, NFTA_DATA_VERDICT);
	netlink_be32(w, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain != NULL)
		netlink_text(w, NFTA_VERDICT_CHAIN, chain);
	netlink_end(w);
	netlink_end(w);
	end_expression(w);
}

static void
put_immediate(struct netlink_writer *w, const void *bytes, size_t len)
{
	begin_expression(w, "immediate");
	netlink_be32(w, NFTA_IMMEDIATE_DREG, NFT_REG_1);
	put_value(w, NFTA_IMMEDIATE_DATA, bytes, len);
	end_expression(w);
}

static void
redirect(struct netlink_writer *w, uint16_t port)
{
	const uint16_t to = htons(port);

	put_immediate(w, &to, sizeof(to));
	begin_expression(w, "redir");
	netlink_be32(w, NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
	netlink_be32(w, NFTA_REDIR_REG_PROTO_MAX, NFT_REG_1);
	netlink_be32(w, NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
	end_expression(w);
}

/* By the direction in which it was made: what is answered is asked as ever. */
static void
set_zone(struct netlink_writer *w)
{
	const uint16_t zone = APART_ZONE;
	const uint8_t original = IP_CT_DIR_ORIGINAL;

	put_immediate(w, &zone, sizeof(zone));
	begin_expression(w, "ct");
	netlink_be32(w, NFTA_CT_KEY, NFT_CT_ZONE);
	netlink_be32(w, NFTA_CT_SREG, NFT_REG_1);
	netlink_put(w, NFTA_CT_DIRECTION, &original, sizeof(original));
	end_expression(w);
}

static void
set_connection_mark(struct netlink_writer *w)
{
	const uint32_t mark = CAPTURE_BACK_MARK;

	put_immediate(w, &mark, sizeof(mark));
	begin_expression(w, "ct");
	netlink_be32(w, NFTA_CT_KEY, NFT_CT_MARK);
	netlink_be32(w, NFTA_CT_SREG, NFT_REG_1);
	end_expression(w);
}

static void
set_mark(struct netlink_writer *w)
{
	const uint32_t mark = CAPTURE_BACK_MARK;

	put_immediate(w, &mark, sizeof(mark));
	begin_expression(w, "meta");
	netlink_be32(w, NFTA_META_KEY, NFT_META_MARK);
	netlink_be32(w, NFTA_META_SREG, NFT_REG_1);
	end_expression(w);
}

/* --- a rule --------------------------------------------------------------- */

static void
put_tests(struct netlink_writer *w, const struct capture_rule *r)
{
	if (r->tests & CAPTURE_IS_MARKED)
		test_meta_number(w, NFT_META_MARK, r->number);
	if (r->tests & CAPTURE_IS_UID)
		test_meta_number(w, NFT_META_SKUID, r->number);
	if (r->tests & CAPTURE_IS_GID)
		test_meta_number(w, NFT_META_SKGID, r->number);
	if (r->tests & CAPTURE_IS_CGROUP)
		test_cgroup(w, r);
	if (r->tests & CAPTURE_IS_HERE)
		test_here(w);
	if (r->tests & CAPTURE_IS_TO)
		test_destination(w, &r->to);
	if (r->tests & CAPTURE_IS_TCP)
		test_meta_byte(w, NFT_META_L4PROTO, IPPROTO_TCP);
	if (r->tests & CAPTURE_IS_UDP)
		test_meta_byte(w, NFT_META_L4PROTO, IPPROTO_UDP);
	if (r->tests & CAPTURE_IS_TO_PORT)
		test_ports(w, &r->ports);
	if (r->tests & CAPTURE_IS_LATER)
		test_later(w);
	if (r->tests & CAPTURE_IS_NEW)
		test_new(w);
	if (r->tests & CAPTURE_IS_ANSWER)
		test_answer(w, r->number);
}

/* Its time is given before anything leads the connection anywhere: only what
 * conntrack has not taken up yet can be given one. */
static void
set_brief(struct netlink_writer *w)
{
	begin_expression(w, "objref");
	netlink_be32(w, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_CT_TIMEOUT);
	netlink_text(w, NFTA_OBJREF_IMM_NAME, NFT_BRIEF);
	end_expression(w);
}

static void
put_decision(struct netlink_writer *w, const struct capture_rule *r)
{
	switch (r->verdict) {
	case CAPTURE_PASSES:
		put_verdict(w, NFT_RETURN, NULL);
		return;
	case CAPTURE_IS_ASKED:
		put_verdict(
		    w, NFT_JUMP, capture_chain_name(CAPTURE_CHAIN_TAKE));
		return;
	case CAPTURE_IS_TAKEN:
		redirect(w, r->port);
		return;
	case CAPTURE_IS_APART:
		set_zone(w);
		return;
	case CAPTURE_IS_NOTED:
		set_connection_mark(w);
		return;
	case CAPTURE_COMES_BACK:
		set_mark(w);
	}
}

void
nft_rule_put(
    struct netlink_writer *w, const struct capture_rule *r, bool has_brief)
{
	netlink_nest(w, NFTA_RULE_EXPRESSIONS);
	put_tests(w, r);
	count(w);
	if (r->is_brief && has_brief)
		set_brief(w);
	put_decision(w, r);
	netlink_end(w);
}
