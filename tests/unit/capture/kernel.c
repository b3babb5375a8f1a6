/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel — the table and the routes in a real kernel, in a network of the
 * test's own; and the helper, with both its ends.
 */
#include "kernel.h"
#include "capture.h"
#include "nft.h"
#include "unit.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
new_netns(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) != 0)
		CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0);
	(void)close(fd);
}

/* In a child, which has a network of its own then. */
static void
in_netns(int (*work)(void))
{
	pid_t pid = fork();
	int status = -1;

	EXPECT_TRUE(pid >= 0);
	if (pid == 0) {
		new_netns();
		_exit(work());
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

static struct capture_wish
wish(void)
{
	struct capture_wish w = {.mark = CAPTURE_MARK, .out_count = 2};

	CHECK(cidr_parse(S("0.0.0.0/0"), &w.out[0]) == OK);
	CHECK(cidr_parse(S("2001::/15"), &w.out[1]) == OK);
	w.in[0] = (struct capture_ports){80, 90};
	w.in_count = 1;
	w.sshd_count = capture_sshd_ports(S(""), w.sshd, 0);
	w.uids[0] = 1000;
	w.uid_count = 1;
	w.gids[0] = 1000;
	w.gid_count = 1;
	return w;
}

static size_t
count_rules(struct kernel *k, bool *loaded)
{
	AUTO(mem_free)
	struct capture_count *counts =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*counts));
	size_t count = 0;

	CHECK(kernel_read(k, counts, &count, loaded, NULL) == OK);
	for (size_t i = 0; i < count; i++)
		CHECK(counts[i].text[0] != '\0');
	return count;
}

static int
load_and_unload(void)
{
	struct capture_wish w = wish();
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));
	struct kernel k;
	bool loaded;

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == 0 && !loaded);
	CHECK(kernel_unload(&k, NULL) == OK); /* harmless */
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == capture_rules(&w, rules) && loaded);
	w.uid_count = w.gid_count = 0; /* another one in its place */
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == capture_rules(&w, rules) && loaded);
	CHECK(kernel_unload(&k, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == 0 && !loaded);
	kernel_close(&k);
	mem_free(&rules);
	return 0;
}

TEST(a_table_is_loaded_replaced_and_taken_away)
{
	in_netns(load_and_unload);
}

/* Each way from one to the other, also where somebody else has changed it. */
static int
replace_all(void)
{
	static const uint32_t hows[] = {0, CAPTURE_SOURCE, CAPTURE_CLOSED,
	    CAPTURE_CLOSED | CAPTURE_SOURCE, CAPTURE_CLOSED, CAPTURE_SOURCE, 0};
	struct capture_wish w = wish();
	struct capture_rule *rules =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*rules));
	struct kernel k, other;
	bool loaded;

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_open(&other, NULL) == OK);
	for (size_t i = 0; i < ARRAY_LEN(hows); i++)
		for (w.out_count = 0; w.out_count < 3; w.out_count++) {
			w.how = hows[i];
			CHECK(kernel_load(&k, &w, NULL) == OK);
			CHECK(count_rules(&k, &loaded) ==
			      capture_rules(&w, rules));
		}
	w.out_count = 1;
	w.how = CAPTURE_CLOSED | CAPTURE_SOURCE;
	CHECK(kernel_load(&k, &w, NULL) == OK);
	w.how = CAPTURE_CLOSED; /* another's, without some of the chains */
	other.holds = true;     /* nobody but k may */
	CHECK(kernel_load(&other, &w, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == capture_rules(&w, rules) && loaded);
	CHECK(kernel_unload(&k, NULL) == OK);
	kernel_close(&other);
	kernel_close(&k);
	mem_free(&rules);
	return 0;
}

TEST(whatever_is_loaded_is_replaced_by_anything)
{
	in_netns(replace_all);
}

static int
end_of_owner(void)
{
	struct capture_wish w = wish();
	struct kernel k, other;
	bool loaded;

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_open(&other, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(kernel_load(&other, &w, NULL) == ERR_PERMISSION);
	kernel_close(&k); /* and the table with it */
	CHECK(count_rules(&other, &loaded) == 0 && !loaded);
	w.how = CAPTURE_CLOSED;
	CHECK(kernel_load(&other, &w, NULL) == OK);
	kernel_close(&other); /* and it stays */
	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(count_rules(&k, &loaded) > 0 && loaded);
	CHECK(kernel_load(&k, &w, NULL) == OK); /* as after a restart */
	CHECK(kernel_unload(&k, NULL) == OK);
	kernel_close(&k);
	return 0;
}

TEST(a_table_goes_with_its_owner_unless_it_is_to_stay)
{
	in_netns(end_of_owner);
}

static size_t
count_brief(struct kernel *k)
{
	AUTO(mem_free)
	struct capture_count *counts =
	    mem_new_array(CAPTURE_RULES_MAX, sizeof(*counts));
	size_t count = 0, brief = 0;
	bool loaded;

	CHECK(kernel_read(k, counts, &count, &loaded, NULL) == OK);
	for (size_t i = 0; i < count; i++)
		brief += counts[i].is_brief;
	return brief;
}

/* Two networks; and questions to name servers over TCP. */
static int
count_what_is_forgotten(void)
{
	struct capture_wish w = wish();
	struct kernel k;

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(!k.has_no_brief && count_brief(&k) == 2);
	w.how = CAPTURE_DNS;
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(count_brief(&k) == 3);
	w.out_count = w.how = 0;
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(count_brief(&k) == 0);
	kernel_close(&k);
	return 0;
}

TEST(what_programs_call_is_forgotten_soon)
{
	in_netns(count_what_is_forgotten);
}

static void
answer_with(int fd, uint32_t seq, int errnum)
{
	const struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = {{.nlmsg_len = sizeof(m),
		   .nlmsg_type = NLMSG_ERROR,
		   .nlmsg_seq = seq},
	    {.error = -errnum}};

	CHECK(send(fd, &m, sizeof(m), 0) == sizeof(m));
}

static bool
tells(int fd, char *mem, size_t len, unsigned what)
{
	struct netlink_message m;
	struct slice rest;
	ssize_t n = recv(fd, mem, len, MSG_DONTWAIT);

	CHECK(n > 0);
	rest = slice_of(mem, (size_t)n);
	while (netlink_next(&rest, &m) == OK)
		if (m.type == (NFNL_SUBSYS_NFTABLES << 8 | what))
			return true;
	return false;
}

/* What it says to the kernel of a test, which has said already what it says to
 * it: no table is there, no time of conntrack's is known. */
static int
do_without(void)
{
	AUTO(mem_free) char *mem = mem_new(NFT_BATCH_BYTES);
	struct capture_wish w = wish();
	struct kernel k;
	int ends[2];

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	(void)close(k.nft);
	k.nft = ends[0];
	answer_with(ends[1], k.seq, ENOENT);
	answer_with(ends[1], k.seq + 3, ENOENT); /* begin, table, this */
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(k.has_no_brief);
	CHECK(tells(ends[1], mem, NFT_BATCH_BYTES, NFT_MSG_GETTABLE));
	CHECK(tells(ends[1], mem, NFT_BATCH_BYTES, NFT_MSG_NEWOBJ));
	CHECK(!tells(ends[1], mem, NFT_BATCH_BYTES, NFT_MSG_NEWOBJ));
	answer_with(ends[1], k.seq, ENOENT);
	CHECK(kernel_load(&k, &w, NULL) == OK); /* it is not tried again */
	CHECK(tells(ends[1], mem, NFT_BATCH_BYTES, NFT_MSG_GETTABLE));
	CHECK(!tells(ends[1], mem, NFT_BATCH_BYTES, NFT_MSG_NEWOBJ));
	kernel_close(&k);
	(void)close(ends[1]);
	return 0;
}

TEST(a_kernel_that_cannot_forget_captures_all_the_same)
{
	in_netns(do_without);
}

/* As `nft flush ruleset` of a program that knows nothing of us. */
static void
flush_tables(struct kernel *by)
{
	CHECK(kernel_unload(by, NULL) == OK);
}

static int
mend_what_others_break(void)
{
	struct capture_wish w = wish();
	struct kernel k, other;
	bool loaded;

	w.how = CAPTURE_CLOSED | CAPTURE_SOURCE;
	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_open(&other, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == OK);
	kernel_look_again(&k); /* nothing is missing */
	flush_tables(&other);
	CHECK(count_rules(&k, &loaded) == 0 && !loaded);
	kernel_look_again(&k);
	CHECK(count_rules(&k, &loaded) > 0 && loaded);
	/* What was taken back on purpose does not come again. */
	CHECK(kernel_unload(&k, NULL) == OK);
	kernel_look_again(&k);
	CHECK(count_rules(&k, &loaded) == 0 && !loaded);
	kernel_close(&other);
	kernel_close(&k);
	return 0;
}

TEST(what_others_take_away_comes_again)
{
	in_netns(mend_what_others_break);
}

/* Nobody is led anywhere, but what bears a caller's address has its way back.
 */
static int
rest(void)
{
	struct capture_wish w = wish();
	struct kernel k;
	bool loaded, found = false;

	w.how = CAPTURE_SOURCE;
	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_rest(&k, NULL) == OK); /* harmless */
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(capture_clear(&found, NULL) == ERR_BUSY && !found);
	CHECK(kernel_rest(&k, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == 4 && loaded);
	w.how = 0;
	CHECK(kernel_load(&k, &w, NULL) == OK);
	CHECK(kernel_rest(&k, NULL) == OK);
	CHECK(count_rules(&k, &loaded) == 0 && !loaded);
	kernel_tidy(&k);
	kernel_close(&k);
	CHECK(capture_clear(&found, NULL) == OK && found); /* of routes */
	CHECK(capture_clear(&found, NULL) == OK && !found);
	return 0;
}

TEST(what_rests_leaves_no_more_than_is_needed)
{
	in_netns(rest);
}

static int
refuse_nonsense(void)
{
	struct capture_wish w = wish();
	struct fault why = {0};
	struct kernel k;
	bool loaded;

	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == OK);
	w.in_count = CAPTURE_LIST_MAX + 1;
	CHECK(kernel_load(&k, &w, &why) == ERR_INVALID);
	w = wish();
	w.cgroups[0] = (struct capture_cgroup){.path = "a/b", .id = 1};
	w.cgroup_count = 1;
	CHECK(kernel_load(&k, &w, &why) == OK); /* of nobody */
	w = (struct capture_wish){.own_count = 1,
	    .own[0] = {.cgroup = w.cgroups[0], .port = 15101},
	    .how = CAPTURE_OWN_DNS};
	CHECK(kernel_load(&k, &w, &why) == OK);
	CHECK(count_rules(&k, &loaded) > 0 && loaded);
	kernel_close(&k);
	return 0;
}

TEST(what_is_no_wish_changes_nothing)
{
	in_netns(refuse_nonsense);
}

/* --- the helper ----------------------------------------------------------- */

struct answers {
	struct loop *loop;
	unsigned count;
	enum err last;
	size_t rules;
	bool loaded;
	bool lost;
};

static void
on_answer(void *arg, const struct capture_report *r)
{
	struct answers *a = arg;

	a->count++;
	a->last = r->e;
	a->rules = r->count;
	a->loaded = r->loaded;
}

static void
on_lost(void *arg)
{
	struct answers *a = arg;

	a->lost = true;
}

static void
wait_for(struct answers *a, unsigned count)
{
	while (a->count < count)
		loop_turn(a->loop, 1000000);
	CHECK(a->count == count);
}

static int
take_socket(int from)
{
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr m = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	int fd;

	CHECK(recvmsg(from, &m, 0) == 1);
	CHECK(CMSG_FIRSTHDR(&m) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static uint32_t
mark_of(int fd)
{
	uint32_t mark = 0;
	socklen_t len = sizeof(mark);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) == 0);
	return mark;
}

/* As many as are wanted, of either family: each may bear any address, and says
 * by its mark what it is. The helper has the right to, nobody here. */
static void
ask_for_sockets(struct answers *a, struct capture *c, const int from[2])
{
	struct capture_wish w = {.mark = CAPTURE_MARK, .how = CAPTURE_SOURCE};
	struct addr far = {ADDR_V4, {198, 51, 100, 7}, 0};

	capture_on(c, &w, on_answer, a);
	wait_for(a, 4);
	CHECK(a->last == OK);
	for (int i = 0; i < 200; i++) {
		struct sockaddr_storage ss;
		unsigned len;
		int fd = take_socket(from[i % 2]);

		if (i % 2 == 1) /* of IPv6 */
			CHECK(addr_parse_ip(S("2001:db8::7"), &far) == OK);
		else
			CHECK(addr_parse_ip(S("198.51.100.7"), &far) == OK);
		len = addr_to_sockaddr(&far, (struct sockaddr *)&ss);
		CHECK(bind(fd, (struct sockaddr *)&ss, len) == 0);
		CHECK(mark_of(fd) == CAPTURE_SOURCE_MARK);
		(void)close(fd);
	}
}

static int
talk_to_helper(void)
{
	char secret[] = "token";
	struct answers a = {.loop = loop_new(NULL)};
	struct capture_wish w = wish(), none = {0};
	struct capture *c;
	struct capture_ends ends;
	struct kernel k;

	CHECK(capture_helper_start(slice_str(secret), &ends, NULL) == OK);
	CHECK(ends.pair > 0 && ends.sockets[0] > 0 && ends.sockets[1] > 0);
	c = capture_new(a.loop, ends.pair, on_lost, &a);
	capture_on(c, &none, on_answer, &a);
	wait_for(&a, 1);
	CHECK(a.last == ERR_INVALID);
	capture_on(c, &w, on_answer, &a);
	capture_read(c, on_answer, &a);
	wait_for(&a, 3);
	CHECK(a.last == OK && a.loaded && a.rules > 10);
	/* Whoever started it has the right no more. */
	CHECK(kernel_open(&k, NULL) == OK);
	CHECK(kernel_load(&k, &w, NULL) == ERR_PERMISSION);
	kernel_close(&k);
	ask_for_sockets(&a, c, ends.sockets);
	CHECK(capture_helper_start(SLICE_NONE, &ends, NULL) == OK);
	CHECK(ends.pair == -1 && ends.sockets[1] == -1);
	capture_off(c, on_answer, &a);
	capture_read(c, on_answer, &a);
	wait_for(&a, 6);
	CHECK(!a.loaded && !a.lost);
	/* What it cannot understand ends it, and whoever asked is told. */
	CHECK(strcmp(secret, "token") == 0); /* only the child's is wiped */
	capture_free(&c);
	loop_free(&a.loop);
	return 0;
}

TEST(the_helper_does_what_it_is_asked_and_alone_may)
{
	in_netns(talk_to_helper);
}

static int
lose_helper(void)
{
	struct answers a = {.loop = loop_new(NULL)};
	struct capture *c;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	c = capture_new(a.loop, fds[0], on_lost, &a);
	capture_read(c, on_answer, &a);
	(void)close(fds[1]);
	wait_for(&a, 1);
	CHECK(a.last == ERR_CLOSED && a.lost);
	capture_read(c, on_answer, &a); /* and whoever asks then */
	wait_for(&a, 2);
	CHECK(a.last == ERR_CLOSED);
	capture_free(&c);
	loop_free(&a.loop);
	return 0;
}

TEST(a_helper_that_is_gone_is_told_to_who_asked)
{
	in_netns(lose_helper);
}

static int
lying_helper(void)
{
	struct answers a = {.loop = loop_new(NULL)};
	struct capture *c;
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	c = capture_new(a.loop, fds[0], on_lost, &a);
	capture_read(c, on_answer, &a);
	CHECK(write(fds[1], "nonsense", 8) == 8);
	wait_for(&a, 1);
	CHECK(a.last == ERR_CLOSED && a.lost);
	(void)close(fds[1]);
	capture_free(&c);
	loop_free(&a.loop);
	return 0;
}

TEST(an_answer_that_is_none_is_the_helpers_end)
{
	in_netns(lying_helper);
}

TEST(a_cgroup_is_named_by_a_path_below_the_root)
{
	struct capture_cgroup g;

	EXPECT_EQ(capture_cgroup_find(S("../etc"), &g, NULL), ERR_INVALID);
	EXPECT_EQ(capture_cgroup_find(S("a//b"), &g, NULL), ERR_INVALID);
	EXPECT_EQ(capture_cgroup_find(S(""), &g, NULL), ERR_INVALID);
	EXPECT_TRUE(capture_cgroup_find(S("no/such"), &g, NULL) != OK);
}

TEST(a_process_is_in_one_cgroup_of_version_2)
{
	struct slice path = S("?");

	EXPECT_OK(capture_cgroup_of(
	    S("9:name=systemd:/x\n0::/system.slice/web.service\n"), &path));
	EXPECT_TRUE(slice_eq(path, S("system.slice/web.service")));
	EXPECT_OK(capture_cgroup_of(S("0::/"), &path));
	EXPECT_EQ(path.len, 0);
	EXPECT_EQ(capture_cgroup_of(S("4:memory:/x\n"), &path), ERR_NOT_FOUND);
}
