/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — where calls to addresses that stand for services go; see routes.h.
 *
 *	captured     240.240.0.0/16 dev lo src 127.0.0.1, and as the last
 *	             resort unreachable 240.240.0.0/16
 *	let go       unreachable 240.240.0.0/16
 *	off          none
 *
 * Both are ours by their protocol, and made where nothing but a default route
 * leads there. Others' route of the same length comes before the second, and
 * one of a longer prefix before both.
 */
#include "routes.h"

#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

enum { ASK_BYTES = 4096 };

/*
 * By loopback: it only has to go as far as our own chain, also where there is
 * no default route. And programs call from loopback by it: for what ended there
 * a client's kernel has the same port again after a second, and else after a
 * minute alone; calls of a program that makes a connection each would soon wait
 * for a free one.
 *
 * Who remembers such an address when nobody takes calls to it any more would
 * send to the default route, and hear nothing for minutes. This fails at once;
 * it is there ahead, since at a helper's end there may be no time to make it.
 */
enum kind { BY_LOOPBACK, NOWHERE, KINDS };

static const struct {
	struct cidr to;
	struct addr from;
	uint8_t family;
	uint32_t metric[KINDS]; /* the kernel's own for such, and the last */
} routes[] = {{{{ADDR_V4, {240, 240}, 0}, 16}, {ADDR_V4, {127, 0, 0, 1}, 0},
		  AF_INET, {0, UINT32_MAX - 1}},
    {{{ADDR_V6, {0x20, 0x01, 0x00, 0x02}, 0}, 48}, {ADDR_V6, {[15] = 1}, 0},
	AF_INET6, {1024, UINT32_MAX - 1}}};

static size_t
addr_len(size_t i)
{
	return routes[i].family == AF_INET ? 4 : 16;
}

/* One of others that is meant for them, or for some of them: no default route.
 */
static bool
has_route(struct kernel *k, size_t i)
{
	AUTO(buf_fini) struct buf ask = BUF(ASK_BYTES);
	AUTO(mem_free) char *mem = mem_new(KERNEL_ANSWER_BYTES);
	struct netlink_writer w = {.out = &ask};
	const struct rtmsg r = {.rtm_family = routes[i].family,
	    .rtm_dst_len = (uint8_t)(8 * addr_len(i)),
	    .rtm_flags = RTM_F_FIB_MATCH};
	struct addr one = routes[i].to.base;
	struct netlink_message m;
	struct rtmsg found;

	one.bytes[addr_len(i) - 1] = 1;
	netlink_begin(&w, RTM_GETROUTE, 0, k->seq++, &r, sizeof(r));
	netlink_put(&w, RTA_DST, one.bytes, addr_len(i));
	netlink_end(&w);
	if (netlink_done(&w) != OK || kernel_ask(k, &ask, mem, &m) != OK ||
	    m.type != RTM_NEWROUTE || m.body.len < sizeof(found))
		return false;
	memcpy(&found, m.body.ptr, sizeof(found));
	return found.rtm_dst_len > 0 && found.rtm_protocol != KERNEL_OURS;
}

/* An errno. */
static int
change(struct kernel *k, size_t i, enum kind kind, uint16_t what)
{
	AUTO(buf_fini) struct buf ask = BUF(ASK_BYTES);
	struct netlink_writer w = {.out = &ask};
	bool here = kind == BY_LOOPBACK, adds = what == RTM_NEWROUTE;
	const struct rtmsg r = {.rtm_family = routes[i].family,
	    .rtm_dst_len = routes[i].to.bits,
	    .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = KERNEL_OURS,
	    .rtm_scope = here ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
	    .rtm_type = here ? RTN_UNICAST : RTN_UNREACHABLE};

	netlink_begin(&w, what,
	    (uint16_t)(NLM_F_ACK | (adds ? NLM_F_CREATE | NLM_F_EXCL : 0)),
	    k->seq++, &r, sizeof(r));
	netlink_put(&w, RTA_DST, routes[i].to.base.bytes, addr_len(i));
	netlink_host32(&w, RTA_PRIORITY, routes[i].metric[kind]);
	if (here && adds)
		netlink_put(&w, RTA_PREFSRC, routes[i].from.bytes, addr_len(i));
	if (here)
		netlink_host32(&w, RTA_OIF, if_nametoindex("lo"));
	netlink_end(&w);
	return netlink_done(&w) == OK ? kernel_talk(k, &ask) : ENOBUFS;
}

static bool
is_taken(const struct capture_wish *w, const struct addr *a)
{
	if (w->own_count > 0)
		return true; /* they may call anybody */
	for (uint32_t i = 0; i < w->out_count; i++)
		if (cidr_contains(&w->out[i], a))
			return true;
	return false;
}

/*
 * A machine that knows no IPv6 needs none of it. Those that are there stay, so
 * that no call meets a moment without; but those of one before us are looked at
 * anew, for others may have made one behind them meanwhile.
 */
void
routes_settle(struct kernel *k, const struct capture_wish *w)
{
	if (!k->is_loaded)
		(void)routes_remove(k);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		bool wanted =
		    is_taken(w, &routes[i].to.base) && !has_route(k, i);

		for (int kind = 0; kind < KINDS; kind++)
			(void)change(k, i, (enum kind)kind,
			    wanted ? RTM_NEWROUTE : RTM_DELROUTE);
	}
}

void
routes_let_go(struct kernel *k)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		(void)change(k, i, BY_LOOPBACK, RTM_DELROUTE);
}

bool
routes_remove(struct kernel *k)
{
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		for (int kind = 0; kind < KINDS; kind++)
			found |=
			    change(k, i, (enum kind)kind, RTM_DELROUTE) == 0;
	return found;
}
