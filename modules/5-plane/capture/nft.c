/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft — rules as messages to the kernel's nf_tables; see nft.h.
 *
 * A rule is a row of expressions: one loads a fact of the packet into a
 * register, the next compares it, and where one says no the rule is over.
 * They are those that nft(8) makes of the same words, so that `nft list table
 * inet meshd` shows what was meant.
 */
#include "nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	RAW_PRIORITY = -300,
	MANGLE_PRIORITY = -150,
	DSTNAT_PRIORITY = -100,
	APART_ZONE = 0x6d73, /* of conntrack: "ms" */
	COMMENT = 0          /* what libnftnl calls NFTNL_UDATA_RULE_COMMENT */
};

static uint16_t
type_of(unsigned message)
{
	return (uint16_t)((NFNL_SUBSYS_NFTABLES << 8) | message);
}

static void
begin(struct netlink_writer *w, unsigned message, uint16_t flags, uint32_t seq)
{
	const struct nfgenmsg g = {.nfgen_family = NFPROTO_INET};

	netlink_begin(w, type_of(message), flags, seq, &g, sizeof(g));
}

static void
mark_batch(struct netlink_writer *w, uint16_t type, uint32_t seq)
{
	const struct nfgenmsg g = {.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	netlink_begin(w, type, 0, seq, &g, sizeof(g));
	netlink_end(w);
}

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

static void
put_expressions(struct netlink_writer *w, const struct capture_rule *r)
{
	netlink_nest(w, NFTA_RULE_EXPRESSIONS);
	put_tests(w, r);
	count(w);
	put_decision(w, r);
	netlink_end(w);
}

/* Type, length, text with its zero. */
static void
put_comment(struct netlink_writer *w, const char *text)
{
	uint8_t mem[2 + CAPTURE_TEXT_MAX] = {COMMENT};
	size_t len = strlen(text) + 1;

	CHECK(len <= CAPTURE_TEXT_MAX);
	mem[1] = (uint8_t)len;
	memcpy(mem + 2, text, len);
	netlink_put(w, NFTA_RULE_USERDATA, mem, 2 + len);
}

static void
put_rule(struct netlink_writer *w, const char *table,
    const struct capture_rule *r, uint32_t seq)
{
	begin(w, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, seq);
	netlink_text(w, NFTA_RULE_TABLE, table);
	netlink_text(w, NFTA_RULE_CHAIN, capture_chain_name(r->chain));
	put_expressions(w, r);
	put_comment(w, r->text);
	netlink_end(w);
}

/* --- the table ------------------------------------------------------------ */

static void
put_table(struct netlink_writer *w, const char *name, bool closed, uint32_t seq)
{
	begin(w, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, seq);
	netlink_text(w, NFTA_TABLE_NAME, name);
	netlink_be32(w, NFTA_TABLE_FLAGS, closed ? 0 : NFT_TABLE_F_OWNER);
	netlink_end(w);
}

static const struct chain {
	const char *type; /* NULL: rules send there */
	uint32_t hook;
	int32_t priority;
	bool is_rare; /* it is there if it has rules */
} chains[CAPTURE_CHAINS] = {
    [CAPTURE_CHAIN_OUT] = {"nat", NF_INET_LOCAL_OUT, DSTNAT_PRIORITY, false},
    [CAPTURE_CHAIN_IN] = {"nat", NF_INET_PRE_ROUTING, DSTNAT_PRIORITY, false},
    [CAPTURE_CHAIN_APART] = {"filter", NF_INET_LOCAL_OUT, RAW_PRIORITY, true},
    [CAPTURE_CHAIN_SOURCE] = {"route", NF_INET_LOCAL_OUT, MANGLE_PRIORITY,
	true},
    [CAPTURE_CHAIN_BACK] = {
	"filter", NF_INET_PRE_ROUTING, MANGLE_PRIORITY, true}};

/* Whom every packet meets, whatever it is, costs each of them. */
static bool
is_wanted(const struct nft_batch *b, enum capture_chain chain)
{
	if (!chains[chain].is_rare)
		return true;
	for (size_t i = 0; i < b->count; i++)
		if (b->rules[i].chain == chain)
			return true;
	return false;
}

static void
put_chain(struct netlink_writer *w, const char *table, enum capture_chain chain,
    uint32_t seq)
{
	const struct chain *c = &chains[chain];

	begin(w, NFT_MSG_NEWCHAIN, NLM_F_CREATE, seq);
	netlink_text(w, NFTA_CHAIN_TABLE, table);
	netlink_text(w, NFTA_CHAIN_NAME, capture_chain_name(chain));
	if (c->type != NULL) {
		netlink_nest(w, NFTA_CHAIN_HOOK);
		netlink_be32(w, NFTA_HOOK_HOOKNUM, c->hook);
		netlink_be32(w, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
		netlink_end(w);
		netlink_be32(w, NFTA_CHAIN_POLICY, NF_ACCEPT);
		netlink_text(w, NFTA_CHAIN_TYPE, c->type);
	}
	netlink_end(w);
}

/* A chain of NAT, and a question to conntrack: both work as long as somebody
 * has one. */
static void
put_holder(struct netlink_writer *w, uint32_t *seq)
{
	static const struct capture_rule holder = {.chain = CAPTURE_CHAIN_OUT,
	    .tests = CAPTURE_IS_NEW,
	    .verdict = CAPTURE_PASSES,
	    .text = "connections that were led to the proxy go on"};

	put_table(w, NFT_HOLDER, /* closed */ false, (*seq)++);
	put_chain(w, NFT_HOLDER, holder.chain, (*seq)++);
	put_rule(w, NFT_HOLDER, &holder, (*seq)++);
}

static void
remove_table(struct netlink_writer *w, uint32_t seq)
{
	begin(w, NFT_MSG_DELTABLE, 0, seq);
	netlink_text(w, NFTA_TABLE_NAME, NFT_TABLE);
	netlink_end(w);
}

enum err
nft_batch_write(const struct nft_batch *b, struct buf *out)
{
	struct netlink_writer w = {.out = out};
	uint32_t seq = b->seq;

	mark_batch(&w, NFNL_MSG_BATCH_BEGIN, seq++);
	if (b->replaces)
		remove_table(&w, seq++);
	if (b->loads) {
		put_table(&w, NFT_TABLE, b->closed, seq++);
		for (int i = 0; i < CAPTURE_CHAINS; i++)
			if (is_wanted(b, (enum capture_chain)i))
				put_chain(&w, NFT_TABLE, (enum capture_chain)i,
				    seq++);
		for (size_t i = 0; i < b->count; i++)
			put_rule(&w, NFT_TABLE, &b->rules[i], seq++);
	}
	if (b->loads && b->holds)
		put_holder(&w, &seq);
	mark_batch(&w, NFNL_MSG_BATCH_END, seq);
	return netlink_done(&w);
}

const struct capture_rule *
nft_batch_rule(const struct nft_batch *b, uint32_t seq)
{
	/* behind the beginning and the table */
	uint32_t first = b->seq + 2 + (b->replaces ? 1 : 0);

	for (int i = 0; i < CAPTURE_CHAINS; i++)
		first += is_wanted(b, (enum capture_chain)i);
	if (!b->loads || seq < first || seq - first >= b->count)
		return NULL;
	return &b->rules[seq - first];
}

/* --- questions and answers ------------------------------------------------ */

enum err
nft_ask_table(uint32_t seq, struct buf *out)
{
	struct netlink_writer w = {.out = out};

	begin(&w, NFT_MSG_GETTABLE, NLM_F_ACK, seq);
	netlink_text(&w, NFTA_TABLE_NAME, NFT_TABLE);
	netlink_end(&w);
	return netlink_done(&w);
}

enum err
nft_ask_rules(uint32_t seq, struct buf *out)
{
	struct netlink_writer w = {.out = out};

	begin(&w, NFT_MSG_GETRULE, NLM_F_DUMP, seq);
	netlink_text(&w, NFTA_RULE_TABLE, NFT_TABLE);
	netlink_end(&w);
	return netlink_done(&w);
}

bool
nft_is_rule(uint16_t type)
{
	return type == type_of(NFT_MSG_NEWRULE);
}

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
		if (type == COMMENT)
			return text_of(slice_sub(userdata, 2, len));
		userdata = slice_sub(userdata, 2 + (size_t)len, userdata.len);
	}
	return SLICE_NONE;
}

static uint64_t
packets_of(struct slice expressions)
{
	struct netlink_attr a;
	uint64_t n;

	while (netlink_next_attr(&expressions, &a) == OK) {
		struct slice name = netlink_find(a.body, NFTA_EXPR_NAME);
		struct slice packets = netlink_find(
		    netlink_find(a.body, NFTA_EXPR_DATA), NFTA_COUNTER_PACKETS);

		if (!slice_eq(text_of(name), S("counter")) ||
		    packets.len != sizeof(n))
			continue;
		memcpy(&n, packets.ptr, sizeof(n));
		return be64toh(n);
	}
	return 0;
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
	c.packets = packets_of(netlink_find(attrs, NFTA_RULE_EXPRESSIONS));
	*out = c;
	return OK;
}
