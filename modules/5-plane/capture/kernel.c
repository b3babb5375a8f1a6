/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel — the helper's talk with the kernel; see kernel.h.
 */
#include "kernel.h"

#include "nft.h"
#include "routes.h"
#include "source.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* One that the system's header leaves out. */
#define RTMGRP_IPV6_RULE (1u << (RTNLGRP_IPV6_RULE - 1))

enum {
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
		n = recvfrom(fd, mem, KERNEL_ANSWER_BYTES, flags | MSG_TRUNC,
		    (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return errno == EAGAIN ? ERR_NOT_FOUND : err_from_errno(errno);
	if (n > KERNEL_ANSWER_BYTES)
		return ERR_LIMIT;
	*out = slice_of(mem, (size_t)n);
	return OK;
}

/* --- the table ------------------------------------------------------------ */

/* Is there one, whoever's? */
static enum err
has_table(struct kernel *k, const char *name, bool *out, struct fault *why)
{
	AUTO(buf_fini) struct buf ask = BUF(KERNEL_ANSWER_BYTES);
	AUTO(mem_free) char *mem = mem_new(KERNEL_ANSWER_BYTES);
	struct netlink_message m;
	struct slice answer;
	enum err e = nft_ask_table(name, k->seq++, &ask);

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
	AUTO(mem_free) char *mem = mem_new(KERNEL_ANSWER_BYTES);
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

/* --- routing -------------------------------------------------------------- */

enum err
kernel_ask(struct kernel *k, const struct buf *ask, char *mem,
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
	AUTO(mem_free) char *mem = mem_new(KERNEL_ANSWER_BYTES);
	struct netlink_message m;

	if (kernel_ask(k, ask, mem, &m) != OK)
		return EIO;
	return m.type == NLMSG_ERROR ? netlink_errno(m.body) : 0;
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
		open_watches(k);
	return e;
}

void
kernel_tidy(struct kernel *k)
{
	routes_let_go(k);
	source_remove_routes(k);
}

void
kernel_close(struct kernel *k)
{
	if (k->route >= 0)
		(void)close(k->route);
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
	enum err e = has_table(k, NFT_TABLE, &b.replaces, why);

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
		routes_settle(k, w);
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
	if (!k->is_loaded || has_table(k, NFT_TABLE, &is_there, NULL) != OK)
		return;
	if (!is_there)
		(void)load(k, k->wish, NULL); /* the next change tries again */
	else if (k->keeps_source)
		(void)!source_add_routes(k, NULL); /* likewise */
}

static enum err
remove_table(struct kernel *k, bool *out_found, struct fault *why)
{
	struct nft_batch b = {0};
	enum err e = has_table(k, NFT_TABLE, &b.replaces, why);

	*out_found = b.replaces;
	if (e == OK && b.replaces)
		e = commit(k, &b, why);
	if (e == OK)
		k->keeps_source = k->is_loaded = false;
	return e;
}

/* Its own connections that bear a caller's address drain: these need their way
 * back. */
enum err
kernel_rest(struct kernel *k, struct fault *why)
{
	struct capture_wish w = *k->wish;
	bool found;
	enum err e;

	w.out_count = w.in_count = w.own_count = 0;
	w.how = CAPTURE_SOURCE;
	if (k->keeps_source)
		e = load(k, &w, why);
	else
		e = remove_table(k, &found, why);
	if (e != OK)
		return e;
	routes_let_go(k);
	if (k->keeps_source)
		*k->wish = w;
	return OK;
}

enum err
kernel_unload(struct kernel *k, struct fault *why)
{
	bool found;
	enum err e = remove_table(k, &found, why);

	if (e != OK)
		return e;
	(void)routes_remove(k);
	source_remove_routes(k);
	return OK;
}

enum err
capture_clear(bool *out_found, struct fault *why)
{
	struct kernel k;
	bool is_held = false, had_table, had_routes;
	enum err e = kernel_open(&k, why);

	if (e == OK)
		e = has_table(&k, NFT_HOLDER, &is_held, why);
	if (e == OK && is_held)
		e = fault_set(why, ERR_BUSY, "an agent that runs captures");
	if (e == OK)
		e = remove_table(&k, &had_table, why);
	if (e == OK) {
		had_routes = routes_remove(&k);
		source_remove_routes(&k);
		*out_found = had_table || had_routes;
	}
	kernel_close(&k);
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
	AUTO(buf_fini) struct buf ask = BUF(KERNEL_ANSWER_BYTES);
	AUTO(mem_free) char *mem = mem_new(KERNEL_ANSWER_BYTES);
	struct slice answer;
	enum err e = has_table(k, NFT_TABLE, out_loaded, why);

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
