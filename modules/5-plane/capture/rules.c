/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — what a wish becomes, each rule with its meaning in words. Pure.
 *
 *	output: own traffic, servers, exceptions pass ─► of a cgroup with a port
 *		of its own? ─► the proxy, else: whose is it? ─► take
 *	take:   name servers, networks ─► the proxy
 *	input:  sshd, our own ports pass; ports ─► the proxy
 *	apart, source, back: what programs answer to a caller's address, which
 *		a connection of ours bears, comes to us
 *
 * Only the first packet of a connection is asked: the rest of it follows. Of
 * one that stood before that would be any packet, for conntrack may just have
 * begun to look, and takes it for new: each chain lets these pass. DHCP, and
 * whatever else is no TCP and no question to a name server, meets no rule that
 * takes it.
 */
#include "wish.h"

#include <stdarg.h>
#include <stdio.h>

struct making {
	const struct capture_wish *w;
	struct capture_rule *out;
	size_t count;
};

const char *
capture_chain_name(enum capture_chain c)
{
	static const char *const names[CAPTURE_CHAINS] = {
	    [CAPTURE_CHAIN_OUT] = "output",
	    [CAPTURE_CHAIN_TAKE] = "take",
	    [CAPTURE_CHAIN_IN] = "input",
	    [CAPTURE_CHAIN_APART] = "apart",
	    [CAPTURE_CHAIN_SOURCE] = "source",
	    [CAPTURE_CHAIN_BACK] = "back"};

	CHECK((unsigned)c < CAPTURE_CHAINS);
	return names[c];
}

/* --- rules ---------------------------------------------------------------- */

static struct capture_rule *
add(struct making *m, enum capture_chain chain, uint32_t tests,
    enum capture_verdict verdict)
{
	struct capture_rule *r = &m->out[m->count++];

	CHECK(m->count <= CAPTURE_RULES_MAX);
	*r = (struct capture_rule){
	    .chain = chain, .tests = tests, .verdict = verdict};
	return r;
}

/*
 * What programs here call differs from one another by the port it comes from
 * alone, once it is led to one of ours: whomever it was to. With two minutes of
 * memory 540 of them a second leave none free; a kernel then searches long for
 * one, or drops the call. Both ends are here, so nothing of it comes late.
 */
static void
take(struct capture_rule *r, uint16_t port)
{
	r->port = port;
	r->is_brief = (r->tests & CAPTURE_IS_TCP) != 0;
}

static PRINTF_LIKE(2, 3) void say(struct capture_rule *r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, args);
	va_end(args);
}

/* What stands already, a session of SSH as well. */
static void
spare_standing(struct making *m, enum capture_chain chain)
{
	struct capture_rule *r =
	    add(m, chain, CAPTURE_IS_LATER, CAPTURE_PASSES);

	say(r, "connections that stood before pass");
}

static void
spare_ports(struct making *m, enum capture_chain chain,
    const struct capture_ports *p, const char *words)
{
	struct capture_rule *r =
	    add(m, chain, CAPTURE_IS_TCP | CAPTURE_IS_TO_PORT, CAPTURE_PASSES);
	char text[SLICE_U64_MAX];

	r->ports = *p;
	say(r, "port %s passes: %s", wish_ports_text(p, text), words);
}

static void
spare_cidr(struct making *m, const struct cidr *c, const char *words)
{
	struct capture_rule *r =
	    add(m, CAPTURE_CHAIN_OUT, CAPTURE_IS_TO, CAPTURE_PASSES);
	char text[ADDR_TEXT_MAX];

	r->to = *c;
	say(r, "calls to %s pass: %s", cidr_format(c, text), words);
}

static void
spare_servers(struct making *m)
{
	for (uint32_t i = 0; i < m->w->server_count; i++) {
		const struct addr *a = &m->w->servers[i];
		struct cidr c;

		cidr_around(a, a->family == ADDR_V4 ? 32 : 128, &c);
		spare_cidr(m, &c, "a server of the mesh");
	}
}

/* Whose link the proxy does not know, and so could not call there. */
static const struct cidr of_a_link = {{ADDR_V6, {0xfe, 0x80}, 0}, 10};

static void
spare_links(struct making *m, enum capture_chain chain)
{
	struct capture_rule *r = add(m, chain, CAPTURE_IS_TO, CAPTURE_PASSES);

	r->to = of_a_link;
	say(r, "calls to addresses of a link, fe80::/10, pass");
}

/* What it sends is never captured, or it would come back to it for ever. */
static void
spare_own(struct making *m)
{
	struct capture_rule *r;

	if (m->w->mark != 0) {
		r = add(
		    m, CAPTURE_CHAIN_OUT, CAPTURE_IS_MARKED, CAPTURE_PASSES);
		r->number = m->w->mark;
		say(r, "what bears the mark 0x%x passes: the agent's own",
		    (unsigned)m->w->mark);
	}
	if (m->w->how & CAPTURE_SOURCE) {
		r = add(
		    m, CAPTURE_CHAIN_OUT, CAPTURE_IS_MARKED, CAPTURE_PASSES);
		r->number = CAPTURE_SOURCE_MARK;
		say(r, "what bears the mark 0x%x passes: a caller's address",
		    (unsigned)CAPTURE_SOURCE_MARK);
	}
	if (m->w->uid != 0) {
		r = add(m, CAPTURE_CHAIN_OUT, CAPTURE_IS_UID, CAPTURE_PASSES);
		r->number = m->w->uid;
		say(r, "what user %u sends passes: the agent itself",
		    (unsigned)m->w->uid);
	}
}

static void
spare(struct making *m)
{
	const struct capture_wish *w = m->w;

	spare_standing(m, CAPTURE_CHAIN_OUT);
	spare_own(m);
	spare_servers(m);
	for (uint32_t i = 0; i < w->except_count; i++)
		spare_cidr(m, &w->except[i], "excluded");
	for (uint32_t i = 0; i < w->except_port_count; i++)
		spare_ports(
		    m, CAPTURE_CHAIN_OUT, &w->except_ports[i], "excluded");
}

/* --- who has a port of its own -------------------------------------------- */

static uint32_t
levels_of(const char *path)
{
	uint32_t n = 1;

	for (const char *c = path; *c != '\0'; c++)
		n += *c == '/';
	return n;
}

static struct capture_rule *
add_of_cgroup(struct making *m, const struct capture_cgroup *g, uint32_t tests,
    enum capture_verdict verdict)
{
	struct capture_rule *r =
	    add(m, CAPTURE_CHAIN_OUT, tests | CAPTURE_IS_CGROUP, verdict);

	r->number = g->id;
	r->level = levels_of(g->path);
	return r;
}

static void
take_own_dns(struct making *m, const struct capture_cgroup *g,
    enum capture_test how, const char *words)
{
	struct capture_rule *r = add_of_cgroup(
	    m, g, (uint32_t)how | CAPTURE_IS_TO_PORT, CAPTURE_IS_TAKEN);

	r->ports = (struct capture_ports){53, 53};
	take(r, CAPTURE_DNS_PORT);
	say(r, "questions of %.60s by %s come to port %d", g->path, words,
	    CAPTURE_DNS_PORT);
}

static void
take_own(struct making *m, const struct capture_own *o)
{
	const struct capture_cgroup *g = &o->cgroup;
	struct capture_rule *r;

	if (m->w->how & CAPTURE_OWN_DNS) {
		take_own_dns(m, g, CAPTURE_IS_UDP, "UDP");
		take_own_dns(m, g, CAPTURE_IS_TCP, "TCP");
	}
	if (!(m->w->how & CAPTURE_LOOPBACK)) {
		r = add_of_cgroup(m, g, CAPTURE_IS_HERE, CAPTURE_PASSES);
		say(r, "calls of %.60s to the machine itself pass", g->path);
	}
	r = add_of_cgroup(m, g, CAPTURE_IS_TO, CAPTURE_PASSES);
	r->to = of_a_link;
	say(r, "calls of %.60s to addresses of a link, fe80::/10, pass",
	    g->path);
	r = add_of_cgroup(m, g, CAPTURE_IS_TCP, CAPTURE_IS_TAKEN);
	take(r, o->port);
	say(r, "connections of %.60s come to the proxy, port %u", g->path,
	    (unsigned)o->port);
}

/* --- who is asked --------------------------------------------------------- */

static void
ask_ids(struct making *m, const uint32_t *ids, uint32_t count,
    enum capture_test test, const char *what)
{
	for (uint32_t i = 0; i < count; i++) {
		struct capture_rule *r =
		    add(m, CAPTURE_CHAIN_OUT, test, CAPTURE_IS_ASKED);

		r->number = ids[i];
		say(r, "calls of %s %u are looked at", what, (unsigned)ids[i]);
	}
}

static void
ask_cgroups(struct making *m)
{
	for (uint32_t i = 0; i < m->w->cgroup_count; i++) {
		const struct capture_cgroup *g = &m->w->cgroups[i];
		struct capture_rule *r =
		    add_of_cgroup(m, g, 0, CAPTURE_IS_ASKED);

		say(r, "calls of cgroup %.80s are looked at", g->path);
	}
}

static void
ask(struct making *m)
{
	const struct capture_wish *w = m->w;
	struct capture_rule *r;

	ask_ids(m, w->uids, w->uid_count, CAPTURE_IS_UID, "user");
	ask_ids(m, w->gids, w->gid_count, CAPTURE_IS_GID, "group");
	ask_cgroups(m);
	if (w->uid_count + w->gid_count + w->cgroup_count > 0)
		return;
	r = add(m, CAPTURE_CHAIN_OUT, 0, CAPTURE_IS_ASKED);
	say(r, "everybody's calls are looked at");
}

/* --- what is taken -------------------------------------------------------- */

static void
take_dns(struct making *m, enum capture_test how, const char *words)
{
	struct capture_rule *r = add(m, CAPTURE_CHAIN_TAKE,
	    (uint32_t)how | CAPTURE_IS_TO_PORT, CAPTURE_IS_TAKEN);

	r->ports = (struct capture_ports){53, 53};
	take(r, CAPTURE_DNS_PORT);
	say(r, "questions to name servers by %s come to port %d", words,
	    CAPTURE_DNS_PORT);
}

static void
take_out(struct making *m)
{
	const struct capture_wish *w = m->w;
	char text[ADDR_TEXT_MAX];
	struct capture_rule *r;

	if (w->how & CAPTURE_DNS) {
		take_dns(m, CAPTURE_IS_UDP, "UDP");
		take_dns(m, CAPTURE_IS_TCP, "TCP");
	}
	if (!(w->how & CAPTURE_LOOPBACK)) {
		r = add(m, CAPTURE_CHAIN_TAKE, CAPTURE_IS_HERE, CAPTURE_PASSES);
		say(r, "calls to the machine itself pass");
	}
	if (w->out_count > 0)
		spare_links(m, CAPTURE_CHAIN_TAKE);
	for (uint32_t i = 0; i < w->out_count; i++) {
		r = add(m, CAPTURE_CHAIN_TAKE, CAPTURE_IS_TCP | CAPTURE_IS_TO,
		    CAPTURE_IS_TAKEN);
		r->to = w->out[i];
		take(r, CAPTURE_OUT_PORT);
		say(r, "connections to %s come to the proxy, port %d",
		    cidr_format(&w->out[i], text), CAPTURE_OUT_PORT);
	}
}

/* A call to a port of ours must not become a call to another one of ours. */
static void
spare_in(struct making *m)
{
	const struct capture_wish *w = m->w;

	spare_standing(m, CAPTURE_CHAIN_IN);
	for (uint32_t i = 0; i < w->sshd_count; i++)
		spare_ports(m, CAPTURE_CHAIN_IN, &w->sshd[i], "sshd's");
	for (size_t i = 0; i < WISH_MESH_PORTS; i++)
		spare_ports(
		    m, CAPTURE_CHAIN_IN, &wish_mesh_ports[i], "the mesh's own");
	for (uint32_t i = 0; i < w->agent_count; i++)
		spare_ports(
		    m, CAPTURE_CHAIN_IN, &w->agent[i], "the agent's own");
	spare_links(m, CAPTURE_CHAIN_IN);
}

static void
take_in(struct making *m)
{
	const struct capture_wish *w = m->w;

	if (w->in_count > 0)
		spare_in(m);
	for (uint32_t i = 0; i < w->in_count; i++) {
		struct capture_rule *r = add(m, CAPTURE_CHAIN_IN,
		    CAPTURE_IS_TCP | CAPTURE_IS_TO_PORT, CAPTURE_IS_TAKEN);
		char text[SLICE_U64_MAX];

		r->ports = w->in[i];
		r->port = CAPTURE_IN_PORT;
		say(r,
		    "connections from elsewhere to port %s come to the proxy, "
		    "port %d",
		    wish_ports_text(&w->in[i], text), CAPTURE_IN_PORT);
	}
}

/* --- a caller's address --------------------------------------------------- */

/*
 * A connection of ours to a program bears the address of who calls. Its ends
 * may be those of the caller's own connection, which was led to us: so
 * conntrack has it in a zone of its own, by the direction in which it was made.
 * What the program answers would leave the machine: it is marked by its
 * connection, and a rule of routing has it stay. In `source` answers of
 * programs here meet that, in `back` those of containers, to which others'
 * rules led.
 */
static void
keep_source(struct making *m)
{
	static const enum capture_chain ways[] = {
	    CAPTURE_CHAIN_SOURCE, CAPTURE_CHAIN_BACK};
	struct capture_rule *r;

	r = add(m, CAPTURE_CHAIN_APART, CAPTURE_IS_MARKED, CAPTURE_IS_APART);
	r->number = CAPTURE_SOURCE_MARK;
	say(r, "packets with a caller's address are told from the caller's");
	r = add(m, CAPTURE_CHAIN_SOURCE, CAPTURE_IS_MARKED | CAPTURE_IS_NEW,
	    CAPTURE_IS_NOTED);
	r->number = CAPTURE_SOURCE_MARK;
	say(r, "connections to programs here bear their caller's address");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		r = add(m, ways[i], CAPTURE_IS_ANSWER, CAPTURE_COMES_BACK);
		r->number = CAPTURE_BACK_MARK;
		say(r, "packets that answer them come to the proxy");
	}
}

size_t
capture_rules(
    const struct capture_wish *w, struct capture_rule out[CAPTURE_RULES_MAX])
{
	struct making m = {.w = w, .out = out};

	bool asks = w->out_count > 0 || (w->how & CAPTURE_DNS);

	if (asks || w->own_count > 0)
		spare(&m);
	for (uint32_t i = 0; i < w->own_count; i++)
		take_own(&m, &w->own[i]);
	if (asks) {
		ask(&m);
		take_out(&m);
	}
	take_in(&m);
	if (w->how & CAPTURE_SOURCE)
		keep_source(&m);
	return m.count;
}
