/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel — the helper's talk with the kernel; see kernel.h.
 */
#include "kernel.h"

#include "nft.h"
#include "source.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

/* One that the system's header leaves out. */
#define RTMGRP_IPV6_RULE (1u << (RTNLGRP_IPV6_RULE - 1))

enum {
	ANSWER_BYTES = 64 << 10,
	ROUTE_BYTES = 4096,
	WAIT_S = 2 /* for an answer, which the kernel has at once */
};

/* --- a socket ------------------------------------------------------------- */

static enum err
open_socket(int protocol, int *out, struct fault *why)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	const int room = 2 * NFT_BATCH_BYTES;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot talk to the kernel (netlink): %s", strerror(errno));
	/* Without the right to, what is usual has to do. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0) {
		(void)close(fd);
		return fault_set(why, ERR_IO, "cannot set a time limit");
	}
	*out = fd;
	return OK;
}

static enum err
send_all(int fd, const struct buf *b, struct fault *why)
{
	struct slice s = buf_slice(b);

	if (send(fd, s.ptr, s.len, 0) == (ssize_t)s.len)
		return OK;
	return fault_set(why, err_from_errno(errno),
	    "the kernel does not take what it is told (netlink): %s",
	    strerror(errno));
}

/* Of the kernel, and of nobody else. ERR_NOT_FOUND: there is none now. */
static enum err
receive(int fd, char *mem, int flags, struct slice *out)
{
	struct sockaddr_nl from = {0};
	socklen_t len = sizeof(from);
	ssize_t n;

	do {
		n = recvfrom(fd, mem, ANSWER_BYTES, flags | MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return errno == EAGAIN ? ERR_NOT_FOUND : err_from_errno(errno);
	if (n > ANSWER_BYTES)
		return ERR_LIMIT;
	*out = slice_of(mem, (size_t)n);
	return OK;
}

/* --- the table ------------------------------------------------------------ */

/* Is there one, whoever's? */
static enum err
has_table(struct kernel *k, bool *out, struct fault *why)
{
	AUTO(buf_fini) struct buf ask = BUF(ANSWER_BYTES);
	AUTO(mem_free) char *mem = mem_new(ANSWER_BYTES);
	struct netlink_message m;
	struct slice answer;
	enum err e = nft_ask_table(k->seq++, &ask);

	if (e == OK)
		e = send_all(k->nft, &ask, why);
	if (e != OK)
		return e;
	*out = false;
	for (;;) {
		if (receive(k->nft, mem, 0, &answer) != OK ||
		    netlink_next(&answer, &m) != OK)
			return fault_set(
			    why, ERR_IO, "the kernel does not answer");
		if (m.type != NLMSG_ERROR) {
			*out = true;
			continue;
		}
		if (netlink_errno(m.body) == 0 ||
		    netlink_errno(m.body) == ENOENT)
			return OK;
		return fault_set(why, err_from_errno(netlink_errno(m.body)),
		    "nftables cannot be asked: %s",
		    strerror(netlink_errno(m.body)));
	}
}

static enum err
refused(const struct nft_batch *b, int errnum, uint32_t seq, struct fault *why)
{
	const struct capture_rule *r = nft_batch_rule(b, seq);

	if (errnum == EPERM || errnum == EACCES)
		return fault_set(why, ERR_PERMISSION,
		    "the table inet " NFT_TABLE " cannot be changed: another "
		    "process has it, or the right to is missing "
		    "(CAP_NET_ADMIN)");
	if (nft_batch_is_brief(b, seq))
		return fault_set(why, ERR_UNSUPPORTED,
		    "the kernel knows no times of conntrack's per connection "
		    "(NF_CONNTRACK_TIMEOUT): %s",
		    strerror(errnum));
	if (r != NULL)
		return fault_set(why, err_from_errno(errnum),
		    "the kernel does not take the rule \"%s\": %s", r->text,
		    strerror(errnum));
	return fault_set(why, err_from_errno(errnum),
	    "the kernel does not take the table inet " NFT_TABLE ": %s%s",
	    strerror(errnum),
	    errnum == EOPNOTSUPP || errnum == EINVAL
		? "; it needs nf_tables with NAT, Linux 5.12"
		: "");
}

/* All errors are there when the batch was sent; the first is told. */
static enum err
collect_errors(struct kernel *k, const struct nft_batch *b, struct fault *why)
{
	AUTO(mem_free) char *mem = mem_new(ANSWER_BYTES);
	struct netlink_message m;
	struct slice answer;
	enum err first = OK, e;

	while ((e = receive(k->nft, mem, MSG_DONTWAIT, &answer)) == OK)
		while (netlink_next(&answer, &m) == OK) {
			int errnum =
			    m.type == NLMSG_ERROR ? netlink_errno(m.body) : 0;

			if (errnum != 0 && first == OK)
				first = refused(b, errnum, m.seq, why);
		}
	if (first != OK || e == ERR_NOT_FOUND)
		return first;
	return fault_set(why, e, "the kernel's answer cannot be read");
}

static enum err
commit(struct kernel *k, struct nft_batch *b, struct fault *why)
{
	AUTO(buf_fini) struct buf out = BUF(NFT_BATCH_BYTES);
	enum err e;

	b->seq = k->seq;
	k->seq += (uint32_t)b->count + 16;
	e = nft_batch_write(b, &out);
	if (e != OK)
		return fault_set(why, e, "the rules are too many");
	e = send_all(k->nft, &out, why);
	return e != OK ? e : collect_errors(k, b, why);
}

/* --- routes for addresses that stand for services ------------------------- */

/*
 * Where there is no default route, nothing would be sent to them; and by one of
 * ours programs call from loopback. For what ended there a client's kernel has
 * the same port again after a second, and else after a minute alone: calls of a
 * program that makes a connection each would soon wait for a free one.
 */
static const struct {
	struct cidr to;
	struct addr from;
	uint8_t family;
} routes[] = {
    {{{ADDR_V4, {240, 240}, 0}, 16}, {ADDR_V4, {127, 0, 0, 1}, 0}, AF_INET},
    {{{ADDR_V6, {0x20, 0x01, 0x00, 0x02}, 0}, 48}, {ADDR_V6, {[15] = 1}, 0},
	AF_INET6}};

static size_t
addr_len(size_t i)
{
	return routes[i].family == AF_INET ? 4 : 16;
}

/* What is answered lies in `mem`. ERR_IO. */
static enum err
ask_routes(struct kernel *k, const struct buf *ask, char *mem,
    struct netlink_message *out)
{
	struct slice answer;

	if (send_all(k->route, ask, NULL) != OK ||
	    receive(k->route, mem, 0, &answer) != OK ||
	    netlink_next(&answer, out) != OK)
		return ERR_IO;
	return OK;
}

int
kernel_talk(struct kernel *k, const struct buf *ask)
{
	AUTO(mem_free) char *mem = mem_new(ANSWER_BYTES);
	struct netlink_message m;

	if (ask_routes(k, ask, mem, &m) != OK)
		return EIO;
	return m.type == NLMSG_ERROR ? netlink_errno(m.body) : 0;
}

/* One that is meant for them, or for some of them: no default route. */
static bool
has_route(struct kernel *k, size_t i)
{
	AUTO(buf_fini) struct buf ask = BUF(ROUTE_BYTES);
	AUTO(mem_free) char *mem = mem_new(ANSWER_BYTES);
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
	if (netlink_done(&w) != OK || ask_routes(k, &ask, mem, &m) != OK ||
	    m.type != RTM_NEWROUTE || m.body.len < sizeof(found))
		return false;
	memcpy(&found, m.body.ptr, sizeof(found));
	return found.rtm_dst_len > 0;
}

/* By loopback: it only has to go as far as our own chain. */
static int
change_route(struct kernel *k, size_t i, uint16_t what, uint16_t flags)
{
	AUTO(buf_fini) struct buf ask = BUF(ROUTE_BYTES);
	struct netlink_writer w = {.out = &ask};
	const struct rtmsg r = {.rtm_family = routes[i].family,
	    .rtm_dst_len = routes[i].to.bits,
	    .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = KERNEL_OURS,
	    .rtm_scope = RT_SCOPE_LINK,
	    .rtm_type = RTN_UNICAST};

	netlink_begin(
	    &w, what, (uint16_t)(NLM_F_ACK | flags), k->seq++, &r, sizeof(r));
	netlink_put(&w, RTA_DST, routes[i].to.base.bytes, addr_len(i));
	if (what == RTM_NEWROUTE)
		netlink_put(&w, RTA_PREFSRC, routes[i].from.bytes, addr_len(i));
	netlink_host32(&w, RTA_OIF, if_nametoindex("lo"));
	netlink_end(&w);
	return netlink_done(&w) == OK ? kernel_talk(k, &ask) : ENOBUFS;
}

/* They need not be there. One may be of a helper that was killed. */
static void
remove_service_routes(struct kernel *k)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		(void)change_route(k, i, RTM_DELROUTE, 0);
}

static void
remove_routes(struct kernel *k)
{
	remove_service_routes(k);
	source_remove_routes(k);
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

/* A machine that knows no IPv6 needs none of it. */
static void
add_routes(struct kernel *k, const struct capture_wish *w)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (is_taken(w, &routes[i].to.base) && !has_route(k, i))
			(void)change_route(
			    k, i, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
}

/* --- what the helper is asked --------------------------------------------- */

/* Without it nothing is wrong, but nobody mends what others break. */
static void
open_watches(struct kernel *k)
{
	static const struct {
		int protocol;
		uint32_t groups;
	} of[KERNEL_WATCHES] = {
	    {NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1)},
	    {NETLINK_ROUTE, RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE}};

	for (size_t i = 0; i < ARRAY_LEN(of); i++) {
		const struct sockaddr_nl a = {
		    .nl_family = AF_NETLINK, .nl_groups = of[i].groups};

		if (open_socket(of[i].protocol, &k->watches[i], NULL) == OK)
			(void)!bind(k->watches[i], (const struct sockaddr *)&a,
			    sizeof(a));
	}
}

enum err
kernel_open(struct kernel *k, struct fault *why)
{
	enum err e;

	*k = (struct kernel){
	    .nft = -1, .route = -1, .seq = 1, .watches = {-1, -1}};
	k->rules = mem_new_array(CAPTURE_RULES_MAX, sizeof(*k->rules));
	k->wish = mem_new(sizeof(*k->wish));
	e = open_socket(NETLINK_NETFILTER, &k->nft, why);
	if (e == OK)
		e = open_socket(NETLINK_ROUTE, &k->route, why);
	if (e == OK)
		remove_routes(k);
	if (e == OK)
		open_watches(k);
	return e;
}

void
kernel_close(struct kernel *k)
{
	if (k->route >= 0) {
		remove_routes(k);
		(void)close(k->route);
	}
	if (k->nft >= 0)
		(void)close(k->nft);
	for (size_t i = 0; i < ARRAY_LEN(k->watches); i++)
		if (k->watches[i] >= 0)
			(void)close(k->watches[i]);
	mem_free(&k->rules);
	mem_free(&k->wish);
}

/* The way back is there before anything is marked to take it. */
static enum err
load(struct kernel *k, const struct capture_wish *w, struct fault *why)
{
	struct nft_batch b = {.loads = true,
	    .holds = !k->holds,
	    .has_brief = !k->has_no_brief,
	    .closed = (w->how & CAPTURE_CLOSED) != 0,
	    .rules = k->rules};
	enum err e = has_table(k, &b.replaces, why);

	if (e == OK && (w->how & CAPTURE_SOURCE))
		e = source_add_routes(k, why);
	if (e != OK)
		return e;
	b.count = capture_rules(w, k->rules);
	/* What ends is forgotten soon as long as NFT_BRIEF is there. */
	b.keeps = b.replaces && k->is_loaded && k->is_closed == b.closed;
	b.chains = k->chains;
	e = commit(k, &b, why);
	if (e != OK && b.keeps) { /* perhaps it is not as we left it */
		b.keeps = false;
		e = commit(k, &b, why);
	}
	if (e == ERR_UNSUPPORTED && b.has_brief) { /* it does without */
		b.has_brief = false;
		e = commit(k, &b, why);
		k->has_no_brief = e == OK;
	}
	if (e == OK) {
		k->holds = true;
		k->is_closed = b.closed;
		k->chains = nft_batch_chains(&b);
	}
	return e;
}

enum err
kernel_load(struct kernel *k, const struct capture_wish *w, struct fault *why)
{
	enum err e = capture_wish_check(w, why);

	if (e == OK)
		e = load(k, w, why);
	if (e == OK) {
		remove_service_routes(k);
		add_routes(k, w);
		k->keeps_source = (w->how & CAPTURE_SOURCE) != 0;
		k->is_loaded = true;
		*k->wish = *w;
	}
	if (!k->keeps_source)
		source_remove_routes(k);
	return e;
}

static void
drain(int fd)
{
	char mem[1 << 10]; /* what it says does not matter */

	while (
	    recv(fd, mem, sizeof(mem), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		continue;
}

void
kernel_look_again(struct kernel *k)
{
	bool is_there = true;

	for (size_t i = 0; i < ARRAY_LEN(k->watches); i++)
		if (k->watches[i] >= 0)
			drain(k->watches[i]);
	if (!k->is_loaded || has_table(k, &is_there, NULL) != OK)
		return;
	if (!is_there)
		(void)load(k, k->wish, NULL); /* the next change tries again */
	else if (k->keeps_source)
		(void)!source_add_routes(k, NULL); /* likewise */
}

enum err
kernel_unload(struct kernel *k, struct fault *why)
{
	struct nft_batch b = {0};
	enum err e = has_table(k, &b.replaces, why);

	if (e == OK && b.replaces)
		e = commit(k, &b, why);
	if (e == OK) {
		remove_routes(k);
		k->keeps_source = k->is_loaded = false;
	}
	return e;
}

/* True: more is to come. */
static bool
take_rules(struct slice answer, struct capture_count *out, size_t *count)
{
	struct netlink_message m;

	while (netlink_next(&answer, &m) == OK) {
		if (m.type == NLMSG_DONE || m.type == NLMSG_ERROR)
			return false;
		if (*count < CAPTURE_RULES_MAX && nft_is_rule(m.type) &&
		    nft_rule_read(m.body, &out[*count]) == OK)
			(*count)++;
	}
	return true;
}

enum err
kernel_read(struct kernel *k, struct capture_count out[CAPTURE_RULES_MAX],
    size_t *out_count, bool *out_loaded, struct fault *why)
{
	AUTO(buf_fini) struct buf ask = BUF(ANSWER_BYTES);
	AUTO(mem_free) char *mem = mem_new(ANSWER_BYTES);
	struct slice answer;
	enum err e = has_table(k, out_loaded, why);

	*out_count = 0;
	if (e != OK || !*out_loaded)
		return e;
	e = nft_ask_rules(k->seq++, &ask);
	if (e == OK)
		e = send_all(k->nft, &ask, why);
	if (e != OK)
		return e;
	do
		if (receive(k->nft, mem, 0, &answer) != OK)
			return fault_set(
			    why, ERR_IO, "the kernel does not answer");
	while (take_rules(answer, out, out_count));
	return OK;
}
