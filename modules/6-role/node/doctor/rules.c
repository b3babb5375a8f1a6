/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — would rules of a firewall catch what the mesh sends, or keep out
 * what comes to it?
 *
 * Read are the lists that nft(8) and iptables-save(8) print. What a rule does
 * to a port is judged by its verdict and by the ports that it names; who has
 * more conditions is believed to mean others. So this may miss a rule and
 * never knows better than a packet: what it finds are warnings.
 */
#include <stdio.h>

#include "checks.h"

/* One of the two ways to write rules. */
struct dialect {
	struct slice ports[2]; /* the words in front of them */
	struct slice accept;
	struct slice refuse[2];
	struct slice steal[4];
};

static const struct dialect nft = {
    .ports = {{"dport", 5}},
    .accept = {"accept", 6},
    .refuse = {{"drop", 4}, {"reject", 6}},
    .steal = {{"redirect", 8}, {"dnat", 4}, {"tproxy", 6}},
};

static const struct dialect iptables = {
    .ports = {{"--dport", 7}, {"--dports", 8}},
    .accept = {"ACCEPT", 6},
    .refuse = {{"DROP", 4}, {"REJECT", 6}},
    .steal = {{"REDIRECT", 8}, {"DNAT", 4}, {"TPROXY", 6}},
};

/* Conditions that say: not what peers send to whatever port. */
static const struct slice narrowing[] = {{"state", 5}, {"--state", 7},
    {"--ctstate", 9}, {"icmp", 4}, {"icmpv6", 6}, {"\"lo\"", 4}, {"lo", 2},
    {"ipv6-icmp", 9}, {"vmap", 4}, {"daddr", 5}, {"-d", 2}};

enum verdict { PASSES, ACCEPTS, REFUSES, STEALS };

struct rule {
	struct slice text;
	enum verdict verdict;
	struct slice ports; /* from them on; empty: it names none */
	bool is_narrow;
};

/* A chain through which packets come. */
struct chain {
	char name[128]; /* "inet filter input" */
	bool is_input;
	bool is_base;   /* packets come to it by themselves */
	bool is_closed; /* its policy is to drop */
	bool is_own;    /* the mesh's */
};

/* --- a rule --------------------------------------------------------------- */

static bool
is_one_of(struct slice word, const struct slice *items, size_t count)
{
	return word.len > 0 && slice_is_among(word, items, count);
}

static struct rule
read_rule(struct slice text, const struct dialect *how)
{
	struct rule r = {.text = slice_trim(text)};
	struct slice rest = text, word;

	while ((word = doctor_word(&rest)).len > 0) {
		word = slice_ends(word, S(";"))
			   ? slice_sub(word, 0, word.len - 1)
			   : word;
		if (is_one_of(word, how->ports, ARRAY_LEN(how->ports)))
			r.ports = rest;
		else if (slice_eq(word, how->accept))
			r.verdict = ACCEPTS;
		else if (is_one_of(word, how->refuse, ARRAY_LEN(how->refuse)))
			r.verdict = REFUSES;
		else if (is_one_of(word, how->steal, ARRAY_LEN(how->steal)))
			r.verdict = STEALS;
		else if (is_one_of(word, narrowing, ARRAY_LEN(narrowing)))
			r.is_narrow = true;
	}
	return r;
}

/* "15008", "15000-15100", "80:90" */
static bool
item_has(struct slice item, uint16_t port)
{
	char between = slice_find(item, ':') < item.len ? ':' : '-';
	struct slice first = slice_split(&item, between);
	uint64_t low, high;

	if (slice_to_u64(first, &low) != OK)
		return false;
	if (item.len == 0 || slice_to_u64(item, &high) != OK)
		high = low;
	return port >= low && port <= high;
}

/* "{ 22, 15008 } accept", "15008 accept", "22,80 -j ACCEPT" */
static bool
names_port(const struct rule *r, uint16_t port)
{
	struct slice rest = r->ports, word = doctor_word(&rest);
	bool is_set = slice_eq(word, S("{"));

	if (is_set)
		rest = slice_split(&rest, '}');
	else
		rest = word;
	while (rest.len > 0)
		if (item_has(slice_trim(slice_split(&rest, ',')), port))
			return true;
	return false;
}

static bool
concerns(const struct rule *r, const struct doctor_port *p)
{
	return r->ports.len == 0 || names_port(r, p->addr.port);
}

/* --- chains --------------------------------------------------------------- */

enum { PORTS_MAX = 16 };

/* What was found of the chain at hand. */
struct reading {
	struct doctor *d;
	const struct dialect *how;
	const char *program; /* "nft": how rules are taken away */
	struct chain chain;
	bool opened[PORTS_MAX]; /* by a rule, for the port of the spec */
	bool refused[PORTS_MAX];
	size_t found;
};

static void
mend_rule(struct reading *r, struct slice text)
{
	size_t at = slice_rfind(text, '#');
	struct slice handle = slice_sub(text, at, text.len);

	if (slice_starts(handle, S("# ")))
		doctor_mend(r->d, "nft delete rule %s %.*s", r->chain.name,
		    SLICE_ARG(slice_sub(handle, 2, handle.len)));
	else if (slice_starts(text, S("-A ")))
		doctor_mend(r->d, "%s -t %s -D %.*s", r->program, r->chain.name,
		    SLICE_ARG(slice_sub(text, 3, text.len)));
	else
		doctor_mend(r->d, "nft -a list chain %s", r->chain.name);
}

static void
say_rule(struct reading *r, const struct rule *rule,
    const struct doctor_port *p, const char *does)
{
	r->found++;
	mend_rule(r, rule->text);
	doctor_say(r->d, DOCTOR_WARNING, "a rule of %s %s port %u (%s): %.*s",
	    r->chain.name, does, p->addr.port, p->name,
	    SLICE_ARG(slice_sub(rule->text, 0, 200)));
}

/* Without a port it means all that comes to the chain, or few know what. */
static bool
steals(const struct reading *r, const struct rule *rule)
{
	return rule->verdict == STEALS &&
	       (rule->ports.len > 0 || (r->chain.is_base && !rule->is_narrow));
}

static void
take_rule(struct reading *r, struct slice text)
{
	struct rule rule = read_rule(text, r->how);
	size_t count = MIN(r->d->spec.port_count, (size_t)PORTS_MAX);

	if (r->chain.is_own || rule.verdict == PASSES)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct doctor_port *p = &r->d->spec.ports[i];

		if (!p->is_for_peers || !concerns(&rule, p))
			continue;
		if (steals(r, &rule)) {
			say_rule(r, &rule, p, "sends elsewhere what goes to");
			return;
		}
		if (!r->chain.is_input)
			continue;
		if (rule.verdict == ACCEPTS)
			r->opened[i] = r->opened[i] || !rule.is_narrow;
		if (rule.verdict == REFUSES && rule.ports.len > 0 &&
		    !r->opened[i]) {
			say_rule(r, &rule, p, "keeps out what comes to");
			r->refused[i] = true;
		}
	}
}

static void
end_chain(struct reading *r)
{
	size_t count = MIN(r->d->spec.port_count, (size_t)PORTS_MAX);

	for (size_t i = 0; r->chain.is_closed && !r->chain.is_own && i < count;
	     i++) {
		const struct doctor_port *p = &r->d->spec.ports[i];
		const char *proto = p->is_udp ? "udp" : "tcp";

		if (!p->is_for_peers || r->opened[i] || r->refused[i])
			continue;
		r->found++;
		if (r->how == &nft)
			doctor_mend(r->d,
			    "nft insert rule %s %s dport %u accept",
			    r->chain.name, proto, p->addr.port);
		else
			doctor_mend(r->d,
			    "%s -I INPUT -p %s --dport %u -j ACCEPT",
			    r->program, proto, p->addr.port);
		doctor_say(r->d, DOCTOR_WARNING,
		    "%s drops what no rule of it accepts, and none names %s "
		    "port %u (%s)",
		    r->chain.name, proto, p->addr.port, p->name);
	}
	r->chain = (struct chain){.name = ""};
	memset(r->opened, 0, sizeof(r->opened));
	memset(r->refused, 0, sizeof(r->refused));
}

/* --- nft list ruleset ----------------------------------------------------- */

/* "type filter hook input priority filter; policy drop;" */
static void
take_hook(struct reading *r, struct slice line)
{
	struct slice before = S(""), word;

	while ((word = doctor_word(&line)).len > 0) {
		r->chain.is_base = true;
		if (slice_eq(before, S("hook")))
			r->chain.is_input = slice_eq(word, S("input"));
		if (slice_eq(before, S("policy")))
			r->chain.is_closed = slice_eq(word, S("drop;"));
		before = word;
	}
	r->chain.is_closed = r->chain.is_closed && r->chain.is_input;
}

static void
begin_chain(struct reading *r, struct slice table, struct slice line)
{
	struct slice family = doctor_word(&table), name = doctor_word(&table);
	struct slice chain;

	end_chain(r);
	(void)doctor_word(&line);
	chain = doctor_word(&line);
	(void)snprintf(r->chain.name, sizeof(r->chain.name), "%.*s %.*s %.*s",
	    SLICE_ARG(family), SLICE_ARG(name), SLICE_ARG(chain));
	r->chain.is_own = slice_starts(name, S("meshd"));
}

void
judge_nft(struct doctor *d, struct slice ruleset)
{
	struct reading r = {.d = d, .how = &nft, .program = "nft"};
	struct slice table = S("");

	while (ruleset.len > 0) {
		struct slice line = slice_trim(slice_split(&ruleset, '\n'));

		if (slice_starts(line, S("table ")))
			table = slice_sub(line, 6, line.len);
		else if (slice_starts(line, S("chain ")))
			begin_chain(&r, table, line);
		else if (slice_starts(line, S("type ")))
			take_hook(&r, line);
		else if (r.chain.name[0] != '\0')
			take_rule(&r, line);
	}
	end_chain(&r);
	if (r.found == 0)
		doctor_say(d, DOCTOR_OK,
		    "no rule of nftables catches what the mesh needs");
}

/* --- iptables-save -------------------------------------------------------- */

/* Of the kernel's own, and those that Istio's sidecars leave behind. */
static bool
is_known_chain(struct slice rule)
{
	static const struct slice known[] = {{"-A INPUT ", 9},
	    {"-A OUTPUT ", 10}, {"-A PREROUTING ", 14}, {"-A ISTIO_", 9}};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_starts(rule, known[i]))
			return true;
	return false;
}

/* "*filter", ":INPUT DROP [0:0]", "-A INPUT -p tcp … -j ACCEPT" */
void
judge_iptables(struct doctor *d, struct slice saved)
{
	struct reading r = {.d = d, .how = &iptables, .program = "iptables"};
	bool is_closed = false;

	while (saved.len > 0) {
		struct slice line = slice_trim(slice_split(&saved, '\n'));

		if (slice_starts(line, S("*"))) {
			end_chain(&r);
			(void)snprintf(r.chain.name, sizeof(r.chain.name),
			    "%.*s", SLICE_ARG(slice_sub(line, 1, line.len)));
			is_closed = false;
		} else if (slice_starts(line, S(":INPUT DROP"))) {
			is_closed =
			    slice_eq(slice_str(r.chain.name), S("filter"));
		} else if (slice_starts(line, S("-A "))) {
			r.chain.is_input = slice_starts(line, S("-A INPUT "));
			r.chain.is_base = is_known_chain(line);
			take_rule(&r, line);
		}
		r.chain.is_closed = is_closed;
	}
	end_chain(&r);
	if (r.found == 0)
		doctor_say(d, DOCTOR_OK,
		    "no rule of iptables catches what the mesh needs");
}
