/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wish — what may be wished for, and what nobody may; see wish.h. Pure.
 */
#include "wish.h"

#include <stdio.h>

const struct capture_ports wish_mesh_ports[WISH_MESH_PORTS] = {{15000, 15053},
    {15080, 15080}, {CAPTURE_OWN_PORT, CAPTURE_OWN_PORT + CAPTURE_LIST_MAX - 1},
    {15443, 15443}, {15946, 15946}};

/* --- ports ---------------------------------------------------------------- */

enum err
capture_ports_parse(
    struct slice text, struct capture_ports *out, struct fault *why)
{
	struct slice rest = text;
	struct slice first = slice_split(&rest, '-');
	struct capture_ports p;

	if (addr_parse_port(first, &p.first) != OK)
		return fault_set(why, ERR_PARSE,
		    "\"%.*s\" is neither a port nor a range of ports, as in "
		    "8000-8099",
		    SLICE_ARG(text));
	p.last = p.first;
	if (first.len != text.len &&
	    (addr_parse_port(rest, &p.last) != OK || p.last < p.first))
		return fault_set(why, ERR_PARSE,
		    "\"%.*s\" is no range of ports, as 8000-8099 is",
		    SLICE_ARG(text));
	*out = p;
	return OK;
}

const char *
wish_ports_text(const struct capture_ports *p, char out[SLICE_U64_MAX])
{
	(void)snprintf(out, SLICE_U64_MAX, p->first == p->last ? "%u" : "%u-%u",
	    (unsigned)p->first, (unsigned)p->last);
	return out;
}

/* --- is it one? ----------------------------------------------------------- */

static bool
are_ports(const struct capture_ports *p, uint32_t count)
{
	if (count > CAPTURE_LIST_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (p[i].first == 0 || p[i].last < p[i].first)
			return false;
	return true;
}

static bool
is_cidr(const struct cidr *c)
{
	return (c->base.family == ADDR_V4 && c->bits <= 32) ||
	       (c->base.family == ADDR_V6 && c->bits <= 128);
}

static bool
are_cidrs(const struct cidr *c, uint32_t count)
{
	if (count > CAPTURE_LIST_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!is_cidr(&c[i]))
			return false;
	return true;
}

static bool
are_cgroups(const struct capture_cgroup *g, uint32_t count)
{
	if (count > CAPTURE_LIST_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (memchr(g[i].path, 0, sizeof(g[i].path)) == NULL)
			return false;
	return true;
}

static bool
are_own(const struct capture_own *o, uint32_t count)
{
	if (count > CAPTURE_LIST_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (o[i].port == 0 || !are_cgroups(&o[i].cgroup, 1))
			return false;
	return true;
}

static bool
are_servers(const struct addr *a, uint32_t count)
{
	if (count > CAPTURE_LIST_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (a[i].family != ADDR_V4 && a[i].family != ADDR_V6)
			return false;
	return true;
}

static bool
is_whole(const struct capture_wish *w)
{
	return are_cidrs(w->out, w->out_count) &&
	       are_cidrs(w->except, w->except_count) &&
	       are_ports(w->in, w->in_count) &&
	       are_ports(w->except_ports, w->except_port_count) &&
	       are_ports(w->sshd, w->sshd_count) &&
	       w->agent_count <= CAPTURE_AGENT_MAX &&
	       are_ports(w->agent, w->agent_count) &&
	       are_cgroups(w->cgroups, w->cgroup_count) &&
	       are_own(w->own, w->own_count) &&
	       are_servers(w->servers, w->server_count) &&
	       w->uid_count <= CAPTURE_LIST_MAX &&
	       w->gid_count <= CAPTURE_LIST_MAX;
}

static bool
is_of_cgroups_alone(const struct capture_wish *w)
{
	return w->own_count > 0 && w->out_count == 0 && w->in_count == 0 &&
	       !(w->how & CAPTURE_DNS);
}

enum err
capture_wish_check(const struct capture_wish *w, struct fault *why)
{
	if (!is_whole(w))
		return fault_set(why, ERR_INVALID,
		    "a list of the wish is longer than %d, or holds what is "
		    "none of its kind",
		    CAPTURE_LIST_MAX);
	if (is_of_cgroups_alone(w))
		return OK; /* the agent is in none of them */
	if (w->out_count == 0 && w->in_count == 0 &&
	    !(w->how & (CAPTURE_DNS | CAPTURE_SOURCE)))
		return fault_set(why, ERR_INVALID,
		    "nothing is to be captured: say --out, --in, --dns or "
		    "--tproxy");
	if (w->mark == 0 && w->uid == 0)
		return fault_set(why, ERR_UNSUPPORTED,
		    "the agent's own connections could not be told from "
		    "others: it runs as root, and may not mark them "
		    "(CAP_NET_RAW, Linux 5.17); run it as a user of its own");
	return OK;
}

/* --- what would never be taken -------------------------------------------- */

static bool
has_port(const struct capture_ports *p, size_t count, uint32_t port,
    uint32_t *out_last)
{
	for (size_t i = 0; i < count; i++)
		if (p[i].first <= port && port <= p[i].last) {
			*out_last = p[i].last;
			return true;
		}
	return false;
}

/* Whose the port is that passes whatever is wished for; NULL: nobody's. */
static const char *
owner_of(const struct capture_wish *w, uint32_t port, uint32_t *out_last)
{
	if (has_port(w->sshd, w->sshd_count, port, out_last))
		return "sshd listens there, and has to be reached";
	if (has_port(wish_mesh_ports, WISH_MESH_PORTS, port, out_last))
		return "the mesh's own are 15000-15053, 15080, 15101-15132, "
		       "15443 and 15946";
	if (has_port(w->agent, w->agent_count, port, out_last))
		return "this agent listens there itself";
	return NULL;
}

/* All of them, one range behind the other. */
static bool
all_pass(const struct capture_wish *w, const struct capture_ports *p)
{
	uint32_t port = p->first, last;

	while (port <= p->last) {
		if (owner_of(w, port, &last) == NULL)
			return false;
		port = last + 1;
	}
	return true;
}

enum err
capture_in_check(const struct capture_wish *w, struct fault *why)
{
	char text[SLICE_U64_MAX];
	uint32_t last;

	for (uint32_t i = 0; i < w->in_count; i++)
		if (all_pass(w, &w->in[i]))
			return fault_set(why, ERR_INVALID,
			    "--in %s would never be captured: %s; leave it "
			    "out, and name ports at which programs of this "
			    "machine are called",
			    wish_ports_text(&w->in[i], text),
			    owner_of(w, w->in[i].first, &last));
	return OK;
}
