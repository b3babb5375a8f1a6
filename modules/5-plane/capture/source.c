/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — sockets that bear a caller's address, and the way back to it; see
 * source.h.
 */
#include "source.h"

#include "netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TABLE = 15006,    /* of routes; */
	PRIORITY = 15006, /* of the rule: before the usual tables */
	ASK_BYTES = 4096,
	LEFT_MAX = 16 /* rules of helpers before, at most */
};

static const uint8_t families[SOURCE_FAMILIES] = {AF_INET, AF_INET6};

/* --- the way back --------------------------------------------------------- */

/* Everything is of this machine. */
static int
change_route(struct kernel *k, uint8_t family, uint16_t what, uint16_t flags)
{
	AUTO(buf_fini) struct buf ask = BUF(ASK_BYTES);
	struct netlink_writer w = {.out = &ask};
	const struct rtmsg r = {.rtm_family = family,
	    .rtm_table = RT_TABLE_UNSPEC,
	    .rtm_protocol = KERNEL_OURS,
	    .rtm_scope = RT_SCOPE_HOST,
	    .rtm_type = RTN_LOCAL};

	netlink_begin(
	    &w, what, (uint16_t)(NLM_F_ACK | flags), k->seq++, &r, sizeof(r));
	netlink_host32(&w, RTA_TABLE, TABLE);
	netlink_host32(&w, RTA_OIF, if_nametoindex("lo"));
	netlink_end(&w);
	return netlink_done(&w) == OK ? kernel_talk(k, &ask) : ENOBUFS;
}

/* Who leads to that table. */
struct rule {
	uint8_t family;
	uint8_t from_bits; /* of loopback: who answers there; 0: the mark */
};

/*
 * Where a program listens at 127.0.0.1 the kernel looks for a route from there
 * to the caller before any rule of nftables could mark what is answered, and
 * finds none: nothing with that source ever leaves a machine. Of IPv6 it does.
 */
static const struct rule rules[] = {{AF_INET, 0}, {AF_INET, 8}, {AF_INET6, 0}};

static int
change_rule(
    struct kernel *k, const struct rule *rule, uint16_t what, uint16_t flags)
{
	AUTO(buf_fini) struct buf ask = BUF(ASK_BYTES);
	struct netlink_writer w = {.out = &ask};
	const struct fib_rule_hdr r = {.family = rule->family,
	    .src_len = rule->from_bits,
	    .action = FR_ACT_TO_TBL};
	const uint8_t ours = KERNEL_OURS, tcp = IPPROTO_TCP;
	const uint8_t loopback[] = {127, 0, 0, 0};

	netlink_begin(
	    &w, what, (uint16_t)(NLM_F_ACK | flags), k->seq++, &r, sizeof(r));
	netlink_host32(&w, FRA_PRIORITY, PRIORITY);
	netlink_host32(&w, FRA_TABLE, TABLE);
	netlink_put(&w, FRA_PROTOCOL, &ours, sizeof(ours));
	if (rule->from_bits == 0) {
		netlink_host32(&w, FRA_FWMARK, CAPTURE_BACK_MARK);
	} else {
		netlink_put(&w, FRA_SRC, loopback, sizeof(loopback));
		netlink_put(&w, FRA_IP_PROTO, &tcp, sizeof(tcp));
	}
	netlink_end(&w);
	return netlink_done(&w) == OK ? kernel_talk(k, &ask) : ENOBUFS;
}

/* An errno; what is there already is as good. */
static int
add_ways(struct kernel *k, uint8_t family)
{
	const uint16_t flags = NLM_F_CREATE | NLM_F_EXCL;
	int errnum = change_route(k, family, RTM_NEWROUTE, flags);

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if ((errnum == 0 || errnum == EEXIST) &&
		    rules[i].family == family)
			errnum = change_rule(k, &rules[i], RTM_NEWRULE, flags);
	return errnum == EEXIST ? 0 : errnum;
}

enum err
source_add_routes(struct kernel *k, struct fault *why)
{
	int errnum = add_ways(k, AF_INET);

	if (errnum != 0)
		return fault_set(why, err_from_errno(errnum),
		    "the kernel does not take the rules of routing by which "
		    "answers to callers come back (table %d): %s",
		    TABLE, strerror(errnum));
	errnum = add_ways(k, AF_INET6);
	/* EACCES: it is switched off (disable_ipv6). */
	if (errnum == 0 || errnum == EAFNOSUPPORT || errnum == EOPNOTSUPP ||
	    errnum == EACCES)
		return OK;
	return fault_set(why, err_from_errno(errnum),
	    "the kernel does not take the same rules of IPv6: %s",
	    strerror(errnum));
}

void
source_remove_routes(struct kernel *k)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		int left = LEFT_MAX;

		while (left-- > 0 &&
		       change_rule(k, &rules[i], RTM_DELRULE, 0) == 0)
			continue;
	}
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		(void)change_route(k, families[i], RTM_DELROUTE, 0);
}

/* --- sockets -------------------------------------------------------------- */

/* -1, with errno: it cannot be made. */
static int
make(int family)
{
	const uint32_t mark = CAPTURE_SOURCE_MARK;
	const int one = 1;
	int fd = socket(
	    families[family], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int level = family == 0 ? IPPROTO_IP : IPPROTO_IPV6;
	int name = family == 0 ? IP_TRANSPARENT : IPV6_TRANSPARENT;

	if (fd >= 0 && setsockopt(fd, level, name, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* An errno; 0: it is on its way. */
static int
pass(int over, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {0};
	char byte = 0; /* a message has to have one */
	struct iovec part = {&byte, sizeof(byte)};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(over, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

bool
source_feed(int over, int family)
{
	for (;;) {
		int fd = make(family), errnum;

		if (fd < 0)
			return false;
		errnum = pass(over, fd);
		(void)close(fd);
		if (errnum != 0)
			return errnum == EAGAIN || errnum == EINTR;
	}
}
