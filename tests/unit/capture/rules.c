/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — a wish as rules, in words; and what is no wish.
 */
#include "capture.h"
#include "unit.h"

#include <stdio.h>

enum { TEXT_BYTES = 64 << 10 };

static struct cidr
cidr(const char *text)
{
	struct cidr c;

	EXPECT_OK(cidr_parse(slice_str(text), &c));
	return c;
}

/* Of an agent that is root, with a server. */
static struct capture_wish
wish(void)
{
	struct capture_wish w = {.mark = CAPTURE_MARK, .server_count = 1};

	EXPECT_OK(addr_parse(S("10.9.0.1:15012"), &w.servers[0]));
	w.sshd_count = capture_sshd_ports(S(""), w.sshd, 0);
	return w;
}

/* A line a rule: its chain and its words. */
static void
expect_rules(const struct capture_wish *w, const char *want)
{
	AUTO(mem_free)
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));
	AUTO(buf_fini) struct buf text = BUF(TEXT_BYTES);
	size_t count;

	EXPECT_OK(capture_wish_check(w, NULL));
	count = capture_rules(w, rules);
	for (size_t i = 0; i < count; i++)
		EXPECT_OK(buf_printf(&text, "%s: %s\n",
		    capture_chain_name(rules[i].chain), rules[i].text));
	EXPECT_OK(buf_add_byte(&text, '\0'));
	EXPECT_STR(buf_slice(&text).ptr, want);
}

TEST(all_that_goes_out_is_taken_but_what_must_not_be)
{
	struct capture_wish w = wish();

	w.out[0] = cidr("0.0.0.0/0");
	w.out[1] = cidr("::/0");
	w.out_count = 2;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: what bears the mark 0x6d736864 passes: the agent's own\n"
	    "output: calls to 10.9.0.1/32 pass: a server of the mesh\n"
	    "output: everybody's calls are looked at\n"
	    "take: calls to the machine itself pass\n"
	    "take: calls to addresses of a link, fe80::/10, pass\n"
	    "take: connections to 0.0.0.0/0 come to the proxy, port 15001\n"
	    "take: connections to ::/0 come to the proxy, port 15001\n");
}

TEST(only_who_is_named_is_taken_and_what_is_excluded_passes_first)
{
	struct capture_wish w = wish();

	w.mark = 0;
	w.uid = 998; /* the agent's own */
	w.server_count = 0;
	w.out[0] = cidr("10.0.0.0/8");
	w.out_count = 1;
	w.uids[0] = 1000;
	w.uid_count = 1;
	w.gids[0] = 50;
	w.gid_count = 1;
	(void)snprintf(w.cgroups[0].path, sizeof(w.cgroups[0].path),
	    "system.slice/web.service");
	w.cgroups[0].id = 77;
	w.cgroup_count = 1;
	w.except[0] = cidr("10.1.0.0/16");
	w.except_count = 1;
	w.except_ports[0] = (struct capture_ports){5432, 5433};
	w.except_port_count = 1;
	w.how = CAPTURE_LOOPBACK;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: what user 998 sends passes: the agent itself\n"
	    "output: calls to 10.1.0.0/16 pass: excluded\n"
	    "output: port 5432-5433 passes: excluded\n"
	    "output: calls of user 1000 are looked at\n"
	    "output: calls of group 50 are looked at\n"
	    "output: calls of cgroup system.slice/web.service are looked at\n"
	    "take: calls to addresses of a link, fe80::/10, pass\n"
	    "take: connections to 10.0.0.0/8 come to the proxy, port 15001\n");
}

TEST(what_comes_in_is_taken_but_for_sshd_and_the_mesh)
{
	struct capture_wish w = wish();

	w.in[0] = (struct capture_ports){8080, 8080};
	w.in[1] = (struct capture_ports){1, 65535};
	w.in_count = 2;
	w.sshd_count =
	    capture_sshd_ports(S("Port 2222\n"), w.sshd, w.sshd_count);
	expect_rules(&w,
	    "input: connections that stood before pass\n"
	    "input: port 22 passes: sshd's\n"
	    "input: port 2222 passes: sshd's\n"
	    "input: port 15000-15053 passes: the mesh's own\n"
	    "input: port 15080 passes: the mesh's own\n"
	    "input: port 15101-15132 passes: the mesh's own\n"
	    "input: port 15443 passes: the mesh's own\n"
	    "input: port 15946 passes: the mesh's own\n"
	    "input: calls to addresses of a link, fe80::/10, pass\n"
	    "input: connections from elsewhere to port 8080 come to the "
	    "proxy, port 15006\n"
	    "input: connections from elsewhere to port 1-65535 come to the "
	    "proxy, port 15006\n");
}

TEST(questions_to_name_servers_are_taken_alone)
{
	struct capture_wish w = wish();

	w.uid = 998;
	w.mark = 0;
	w.server_count = 0;
	w.how = CAPTURE_DNS;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: what user 998 sends passes: the agent itself\n"
	    "output: everybody's calls are looked at\n"
	    "take: questions to name servers by UDP come to port 15053\n"
	    "take: questions to name servers by TCP come to port 15053\n"
	    "take: calls to the machine itself pass\n");
}

static struct capture_own
own(const char *path, uint64_t id, uint16_t port)
{
	struct capture_own o = {.cgroup.id = id, .port = port};

	(void)snprintf(o.cgroup.path, sizeof(o.cgroup.path), "%s", path);
	return o;
}

TEST(a_cgroup_of_its_own_has_a_port_of_its_own)
{
	struct capture_wish w = wish();

	w.own[0] = own("a/b", 7, 15101);
	w.own[1] = own("c", 8, 15102);
	w.own_count = 2;
	w.server_count = 0;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: what bears the mark 0x6d736864 passes: the agent's own\n"
	    "output: calls of a/b to the machine itself pass\n"
	    "output: calls of a/b to addresses of a link, fe80::/10, pass\n"
	    "output: connections of a/b come to the proxy, port 15101\n"
	    "output: calls of c to the machine itself pass\n"
	    "output: calls of c to addresses of a link, fe80::/10, pass\n"
	    "output: connections of c come to the proxy, port 15102\n");
	w.own_count = 1;
	w.mark = w.uid = 0; /* nobody else is met by its rules */
	w.how = CAPTURE_LOOPBACK | CAPTURE_OWN_DNS;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: questions of a/b by UDP come to port 15053\n"
	    "output: questions of a/b by TCP come to port 15053\n"
	    "output: calls of a/b to addresses of a link, fe80::/10, pass\n"
	    "output: connections of a/b come to the proxy, port 15101\n");
}

TEST(a_cgroup_of_its_own_is_met_before_everybody_is)
{
	struct capture_wish w = wish();
	AUTO(mem_free)
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));

	w.own[0] = own("a/b", 7, 15101);
	w.own_count = 1;
	w.server_count = 0;
	w.out[0] = cidr("10.0.0.0/8");
	w.out_count = 1;
	EXPECT_OK(capture_wish_check(&w, NULL));
	EXPECT_EQ(capture_rules(&w, rules), 9);
	EXPECT_EQ(rules[4].number, 7);
	EXPECT_EQ(rules[4].level, 2);
	EXPECT_EQ(rules[4].port, 15101);
	EXPECT_EQ(rules[5].verdict, CAPTURE_IS_ASKED);
}

TEST(programs_see_who_calls_them_by_connections_apart)
{
	struct capture_wish w = wish();

	w.how = CAPTURE_SOURCE;
	expect_rules(&w,
	    "apart: packets with a caller's address are told from the "
	    "caller's\n"
	    "source: connections to programs here bear their caller's "
	    "address\n"
	    "source: packets that answer them come to the proxy\n"
	    "back: packets that answer them come to the proxy\n");
	w.how |= CAPTURE_LOOPBACK;
	w.server_count = 0;
	w.out[0] = cidr("10.0.0.0/8");
	w.out_count = 1;
	expect_rules(&w,
	    "output: connections that stood before pass\n"
	    "output: what bears the mark 0x6d736864 passes: the agent's own\n"
	    "output: what bears the mark 0x6d736873 passes: a caller's "
	    "address\n"
	    "output: everybody's calls are looked at\n"
	    "take: calls to addresses of a link, fe80::/10, pass\n"
	    "take: connections to 10.0.0.0/8 come to the proxy, port 15001\n"
	    "apart: packets with a caller's address are told from the "
	    "caller's\n"
	    "source: connections to programs here bear their caller's "
	    "address\n"
	    "source: packets that answer them come to the proxy\n"
	    "back: packets that answer them come to the proxy\n");
}

static void
expect_refused(const struct capture_wish *w, enum err e, const char *words)
{
	struct fault why = {0};

	EXPECT_EQ(capture_wish_check(w, &why), e);
	EXPECT_TRUE(strstr(why.text, words) != NULL);
}

TEST(a_wish_that_makes_no_sense_is_refused_in_words)
{
	struct capture_wish w = wish();

	expect_refused(&w, ERR_INVALID, "nothing is to be captured");
	w.in[0] = (struct capture_ports){80, 80};
	w.in_count = 1;
	EXPECT_OK(capture_wish_check(&w, NULL));
	w.mark = 0;
	expect_refused(&w, ERR_UNSUPPORTED, "could not be told from others");
}

TEST(bytes_of_somebody_else_are_no_wish)
{
	struct capture_wish w = wish();

	w.in_count = CAPTURE_LIST_MAX + 1;
	expect_refused(&w, ERR_INVALID, "longer than");
	w.in_count = 1; /* port 0 */
	expect_refused(&w, ERR_INVALID, "none of its kind");
	w = wish();
	w.out[0] = cidr("10.0.0.0/8");
	w.out[0].bits = 33;
	w.out_count = 1;
	expect_refused(&w, ERR_INVALID, "none of its kind");
	w = wish();
	memset(w.cgroups[0].path, 'x', sizeof(w.cgroups[0].path));
	w.cgroup_count = 1;
	expect_refused(&w, ERR_INVALID, "none of its kind");
	w = wish();
	w.own_count = 1; /* port 0 */
	expect_refused(&w, ERR_INVALID, "none of its kind");
}

static void
expect_never(const char *ports, const char *words)
{
	struct capture_wish w = wish();
	struct fault why = {0};

	w.sshd[0] = (struct capture_ports){22, 22};
	w.sshd[1] = (struct capture_ports){2222, 2222};
	w.sshd_count = 2;
	w.agent[0] = (struct capture_ports){25008, 25008};
	w.agent_count = 1;
	w.in[0] = (struct capture_ports){8080, 8080};
	EXPECT_OK(capture_ports_parse(slice_str(ports), &w.in[1], NULL));
	w.in_count = 2;
	EXPECT_OK(capture_wish_check(&w, NULL));
	if (words == NULL) {
		EXPECT_OK(capture_in_check(&w, &why));
		return;
	}
	EXPECT_EQ(capture_in_check(&w, &why), ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, ports) != NULL);
	EXPECT_TRUE(strstr(why.text, words) != NULL);
}

TEST(ports_that_are_never_captured_cannot_be_named)
{
	expect_never("22", "sshd listens there");
	expect_never("2222", "sshd listens there");
	expect_never("15008", "the mesh's own");
	expect_never("15000-15021", "the mesh's own");
	expect_never("15120-15130", "the mesh's own");
	expect_never("25008", "this agent listens there");
	/* Some of these are taken, as rules say. */
	expect_never("22-23", NULL);
	expect_never("15000-15090", NULL);
	expect_never("1-65535", NULL);
	expect_never("8081", NULL);
}

TEST(where_the_agent_listens_is_not_captured)
{
	struct capture_wish w = wish();
	AUTO(mem_free)
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));
	size_t count;
	bool found = false;

	w.in[0] = (struct capture_ports){1, 65535};
	w.in_count = 1;
	w.agent[0] = (struct capture_ports){25008, 25008};
	w.agent_count = 1;
	count = capture_rules(&w, rules);
	for (size_t i = 0; i < count; i++)
		found |= strcmp(rules[i].text,
			     "port 25008 passes: the agent's own") == 0;
	EXPECT_TRUE(found);
	w.agent_count = CAPTURE_AGENT_MAX + 1;
	EXPECT_EQ(capture_wish_check(&w, NULL), ERR_INVALID);
}

TEST(the_longest_lists_have_room)
{
	struct capture_wish w = wish();
	AUTO(mem_free)
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));

	for (uint32_t i = 0; i < CAPTURE_LIST_MAX; i++) {
		w.out[i] = w.except[i] = cidr("2001:db8:ffff:ffff::/64");
		w.servers[i].family = ADDR_V6;
		w.in[i] = w.except_ports[i] = w.sshd[i] =
		    (struct capture_ports){10000, 60000};
		w.uids[i] = w.gids[i] = UINT32_MAX - 1;
		memset(w.cgroups[i].path, 'x', CAPTURE_CGROUP_MAX - 1);
		w.own[i] = (struct capture_own){w.cgroups[i], UINT16_MAX};
	}
	for (uint32_t i = 0; i < CAPTURE_AGENT_MAX; i++)
		w.agent[i] = (struct capture_ports){10000, 60000};
	w.agent_count = CAPTURE_AGENT_MAX;
	w.how = CAPTURE_OWN_DNS;
	w.out_count = w.except_count = w.server_count = w.in_count =
	    w.except_port_count = w.sshd_count = w.uid_count = w.gid_count =
		w.cgroup_count = w.own_count = CAPTURE_LIST_MAX;
	w.uid = UINT32_MAX;
	EXPECT_OK(capture_wish_check(&w, NULL));
	EXPECT_TRUE(capture_rules(&w, rules) < CAPTURE_RULES_MAX);
}

TEST(ports_are_one_or_a_range)
{
	struct capture_ports p;

	EXPECT_OK(capture_ports_parse(S("80"), &p, NULL));
	EXPECT_TRUE(p.first == 80 && p.last == 80);
	EXPECT_OK(capture_ports_parse(S("8000-8099"), &p, NULL));
	EXPECT_TRUE(p.first == 8000 && p.last == 8099);
	EXPECT_EQ(capture_ports_parse(S(""), &p, NULL), ERR_PARSE);
	EXPECT_EQ(capture_ports_parse(S("80-"), &p, NULL), ERR_PARSE);
	EXPECT_EQ(capture_ports_parse(S("-80"), &p, NULL), ERR_PARSE);
	EXPECT_EQ(capture_ports_parse(S("90-80"), &p, NULL), ERR_PARSE);
	EXPECT_EQ(capture_ports_parse(S("0"), &p, NULL), ERR_PARSE);
	EXPECT_TRUE(p.first == 8000); /* untouched */
}
