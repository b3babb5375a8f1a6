/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nft — rules as messages to the kernel's nf_tables; see nft.h.
 */
#include "nft.h"

#include "nft_rule.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <linux/netlink.h>
#include <netinet/in.h>

/* Just before all else that redirects, whoever was there first: a container's
 * port that is captured must not be led past the proxy by who published it. */
enum { RAW_PRIORITY = -300, MANGLE_PRIORITY = -150, DSTNAT_PRIORITY = -101 };

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

/* Type, length, text with its zero. */
static void
put_comment(struct netlink_writer *w, const char *text)
{
	uint8_t mem[2 + CAPTURE_TEXT_MAX] = {NFT_COMMENT};
	size_t len = strlen(text) + 1;

	CHECK(len <= CAPTURE_TEXT_MAX);
	mem[1] = (uint8_t)len;
	memcpy(mem + 2, text, len);
	netlink_put(w, NFTA_RULE_USERDATA, mem, 2 + len);
}

static void
put_rule(struct netlink_writer *w, const char *table,
    const struct capture_rule *r, bool has_brief, uint32_t seq)
{
	begin(w, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, seq);
	netlink_text(w, NFTA_RULE_TABLE, table);
	netlink_text(w, NFTA_RULE_CHAIN, capture_chain_name(r->chain));
	nft_rule_put(w, r, has_brief);
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

/*
 * How long conntrack remembers what has ended. What it is not told stays as it
 * is when this is loaded: net.netfilter.nf_conntrack_tcp_timeout_*.
 */
static void
put_brief(struct netlink_writer *w, uint32_t seq)
{
	const uint8_t tcp = IPPROTO_TCP;

	begin(w, NFT_MSG_NEWOBJ, NLM_F_CREATE, seq);
	netlink_text(w, NFTA_OBJ_TABLE, NFT_TABLE);
	netlink_text(w, NFTA_OBJ_NAME, NFT_BRIEF);
	netlink_be32(w, NFTA_OBJ_TYPE, NFT_OBJECT_CT_TIMEOUT);
	netlink_nest(w, NFTA_OBJ_DATA);
	netlink_put(w, NFTA_CT_TIMEOUT_L4PROTO, &tcp, sizeof(tcp));
	netlink_nest(w, NFTA_CT_TIMEOUT_DATA);
	netlink_be32(w, CTA_TIMEOUT_TCP_TIME_WAIT, CAPTURE_BRIEF_S);
	netlink_be32(w, CTA_TIMEOUT_TCP_CLOSE, CAPTURE_BRIEF_S);
	netlink_end(w);
	netlink_end(w);
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
uint32_t
nft_batch_chains(const struct nft_batch *b)
{
	uint32_t wanted = 0;

	for (int i = 0; i < CAPTURE_CHAINS; i++)
		if (!chains[i].is_rare)
			wanted |= 1u << i;
	for (size_t i = 0; i < b->count; i++)
		wanted |= 1u << b->rules[i].chain;
	return wanted;
}

/* Those that are to come, and to go. */
static uint32_t
new_chains(const struct nft_batch *b)
{
	return nft_batch_chains(b) & ~(b->keeps ? b->chains : 0);
}

static uint32_t
old_chains(const struct nft_batch *b)
{
	return b->keeps ? b->chains & ~nft_batch_chains(b) : 0;
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
	put_rule(w, NFT_HOLDER, &holder, /* has_brief */ false, (*seq)++);
}

static void
remove_table(struct netlink_writer *w, uint32_t seq)
{
	begin(w, NFT_MSG_DELTABLE, 0, seq);
	netlink_text(w, NFTA_TABLE_NAME, NFT_TABLE);
	netlink_end(w);
}

static void
remove_rules(struct netlink_writer *w, uint32_t seq)
{
	begin(w, NFT_MSG_DELRULE, 0, seq);
	netlink_text(w, NFTA_RULE_TABLE, NFT_TABLE);
	netlink_end(w);
}

static void
remove_chain(struct netlink_writer *w, enum capture_chain chain, uint32_t seq)
{
	begin(w, NFT_MSG_DELCHAIN, 0, seq);
	netlink_text(w, NFTA_CHAIN_TABLE, NFT_TABLE);
	netlink_text(w, NFTA_CHAIN_NAME, capture_chain_name(chain));
	netlink_end(w);
}

static void
put_all(struct netlink_writer *w, const struct nft_batch *b, uint32_t *seq)
{
	uint32_t come = new_chains(b), go = old_chains(b);

	if (b->keeps)
		remove_rules(w, (*seq)++);
	else
		put_table(w, NFT_TABLE, b->closed, (*seq)++);
	if (b->has_brief && !b->keeps)
		put_brief(w, (*seq)++);
	for (int i = 0; i < CAPTURE_CHAINS; i++) {
		if (come & (1u << i))
			put_chain(
			    w, NFT_TABLE, (enum capture_chain)i, (*seq)++);
		if (go & (1u << i))
			remove_chain(w, (enum capture_chain)i, (*seq)++);
	}
	for (size_t i = 0; i < b->count; i++)
		put_rule(w, NFT_TABLE, &b->rules[i], b->has_brief, (*seq)++);
}

enum err
nft_batch_write(const struct nft_batch *b, struct buf *out)
{
	struct netlink_writer w = {.out = out};
	uint32_t seq = b->seq;

	mark_batch(&w, NFNL_MSG_BATCH_BEGIN, seq++);
	if (b->replaces && !b->keeps)
		remove_table(&w, seq++);
	if (b->loads)
		put_all(&w, b, &seq);
	if (b->loads && b->holds)
		put_holder(&w, &seq);
	mark_batch(&w, NFNL_MSG_BATCH_END, seq);
	return netlink_done(&w);
}

/* Behind the beginning and the table, or what of it goes. */
static uint32_t
after_table(const struct nft_batch *b)
{
	return b->seq + 2 + (b->replaces && !b->keeps ? 1 : 0);
}

static bool
makes_brief(const struct nft_batch *b)
{
	return b->has_brief && !b->keeps;
}

bool
nft_batch_is_brief(const struct nft_batch *b, uint32_t seq)
{
	return b->loads && makes_brief(b) && seq == after_table(b);
}

const struct capture_rule *
nft_batch_rule(const struct nft_batch *b, uint32_t seq)
{
	uint32_t first =
	    after_table(b) + (makes_brief(b) ? 1 : 0) +
	    (uint32_t)__builtin_popcount(new_chains(b) | old_chains(b));

	if (!b->loads || seq < first || seq - first >= b->count)
		return NULL;
	return &b->rules[seq - first];
}

/* --- questions and answers ------------------------------------------------ */

enum err
nft_ask_table(const char *name, uint32_t seq, struct buf *out)
{
	struct netlink_writer w = {.out = out};

	begin(&w, NFT_MSG_GETTABLE, NLM_F_ACK, seq);
	netlink_text(&w, NFTA_TABLE_NAME, name);
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
