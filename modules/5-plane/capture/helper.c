/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper — the process that alone may change what the kernel does.
 *
 * It has CAP_NET_ADMIN and nothing else: no user of its own but nobody, no
 * descriptor but the pair and two over which sockets go, and the kernel's. It
 * knows four verbs, and whatever it is told it changes one table, six routes
 * and three rules of routing. When its other end is gone, which is how it
 * watches the agent, it ends; the kernel takes the table with its socket.
 */
#include "helper.h"

#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PAIR_FD = 3,
	SOCKETS_FD, /* and the next one */
	FDS_END = SOCKETS_FD + SOURCE_FAMILIES,
	/* What waits for workers: some tens of sockets a family. */
	SOCKETS_BYTES = 16 << 10,
	AGAIN_MS = 1000, /* until what could not be made is tried again */
	NOBODY = 65534,
	CAPS_MAX = 64
};

/* --- rights --------------------------------------------------------------- */

static bool
get_caps(struct __user_cap_data_struct out[2])
{
	struct __user_cap_header_struct h = {
	    .version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &h, out) == 0;
}

static bool
set_caps(const struct __user_cap_data_struct c[2])
{
	struct __user_cap_header_struct h = {
	    .version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capset, &h, c) == 0;
}

static bool
may_change_network(void)
{
	struct __user_cap_data_struct c[2];

	return get_caps(c) && (c[0].permitted & (1u << CAP_NET_ADMIN));
}

/* For good: also what is started from here has it no more. */
static bool
give_up(void)
{
	const uint32_t others = ~(1u << CAP_NET_ADMIN);
	struct __user_cap_data_struct c[2];

	/* Who may not change the bound has no more than it has. */
	(void)prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_ADMIN, 0, 0);
	if (!get_caps(c))
		return false;
	c[0].effective &= others;
	c[0].permitted &= others;
	c[0].inheritable &= others;
	return set_caps(c);
}

/* Only that one right, as nobody if that is possible. */
static bool
keep_one(void)
{
	static const struct __user_cap_data_struct one[2] = {
	    {.effective = 1u << CAP_NET_ADMIN,
		.permitted = 1u << CAP_NET_ADMIN}};

	for (int i = 0; i < CAPS_MAX; i++)
		if (i != CAP_NET_ADMIN)
			(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	if (geteuid() == 0 && (syscall(SYS_setgroups, 0, NULL) != 0 ||
				  setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
				  setresuid(NOBODY, NOBODY, NOBODY) != 0))
		return false;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set_caps(one);
}

/* --- the child ------------------------------------------------------------ */

static void
answer(struct kernel *k, const struct helper_request *q, struct helper_reply *r)
{
	struct fault why = {0};
	bool loaded = false;
	size_t count = 0;
	enum err e;

	if (q->verb == HELPER_ON)
		e = kernel_load(k, &q->wish, &why);
	else if (q->verb == HELPER_OFF)
		e = kernel_unload(k, &why);
	else if (q->verb == HELPER_REST)
		e = kernel_rest(k, &why);
	else
		e = kernel_read(k, r->counts, &count, &loaded, &why);
	r->e = (uint32_t)e;
	r->loaded = loaded;
	r->count = (uint32_t)count;
	memcpy(r->why, why.text, sizeof(r->why));
}

/* One request. False: its end, or nonsense. */
static bool
serve_one(struct kernel *k, struct helper_request *q, struct helper_reply *r)
{
	ssize_t n;

	do
		n = recv(PAIR_FD, q, sizeof(*q), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*q))
		return false;
	answer(k, q, r);
	return send(PAIR_FD, r, helper_reply_len(r), MSG_NOSIGNAL) >= 0;
}

static void
wait_for_sockets(struct pollfd fds[SOURCE_FAMILIES], bool on)
{
	for (int i = 0; i < SOURCE_FAMILIES; i++)
		fds[i] = (struct pollfd){
		    .fd = on ? SOCKETS_FD + i : -1, .events = POLLOUT};
}

/* A family that cannot be fed is left for a while: true, then. */
static bool
feed(struct pollfd fds[SOURCE_FAMILIES])
{
	bool is_left = false;

	for (int i = 0; i < SOURCE_FAMILIES; i++)
		if (fds[i].revents != 0 && !source_feed(fds[i].fd, i)) {
			fds[i].fd = -1;
			is_left = true;
		}
	return is_left;
}

/* What it waits for: requests, changes of others, room for sockets. */
enum {
	FOR_REQUESTS,
	FOR_CHANGES,
	FOR_ROOM = FOR_CHANGES + KERNEL_WATCHES,
	FOR_ALL = FOR_ROOM + SOURCE_FAMILIES
};

static bool
have_changed(const struct pollfd fds[KERNEL_WATCHES])
{
	for (int i = 0; i < KERNEL_WATCHES; i++)
		if (fds[i].revents != 0)
			return true;
	return false;
}

static void
serve(struct kernel *k)
{
	AUTO(mem_free) struct helper_request *q = mem_new(sizeof(*q));
	AUTO(mem_free) struct helper_reply *r = mem_new(sizeof(*r));
	struct pollfd fds[FOR_ALL] = {{.fd = PAIR_FD, .events = POLLIN}};
	bool is_left = false;
	int n;

	for (int i = 0; i < KERNEL_WATCHES; i++)
		fds[FOR_CHANGES + i] =
		    (struct pollfd){.fd = k->watches[i], .events = POLLIN};
	wait_for_sockets(fds + FOR_ROOM, false);
	do {
		n = poll(fds, FOR_ALL, is_left ? AGAIN_MS : -1);
		if (n > 0 && have_changed(fds + FOR_CHANGES))
			kernel_look_again(k);
		if (n > 0 && fds[FOR_REQUESTS].revents != 0 &&
		    !serve_one(k, q, r))
			return;
		if (n > 0 && feed(fds + FOR_ROOM))
			is_left = true;
		if (n == 0 || fds[FOR_REQUESTS].revents != 0) {
			wait_for_sockets(fds + FOR_ROOM, k->keeps_source);
			is_left = false;
		}
	} while (n >= 0 || errno == EINTR);
}

/* They may lie where others of them are to be. */
static bool
keep_only(const int theirs[FDS_END - PAIR_FD])
{
	int high[FDS_END - PAIR_FD];

	for (size_t i = 0; i < ARRAY_LEN(high); i++)
		high[i] = fcntl(theirs[i], F_DUPFD, FDS_END);
	for (size_t i = 0; i < ARRAY_LEN(high); i++)
		if (high[i] < 0 || dup2(high[i], PAIR_FD + (int)i) < 0)
			return false;
	return syscall(SYS_close_range, FDS_END, ~0u, 0) == 0;
}

/* It ends with its other end and no sooner: the agent drains first. */
static _Noreturn void
live(const int theirs[FDS_END - PAIR_FD], struct slice secret)
{
	struct kernel k = {.nft = -1, .route = -1, .watches = {-1, -1}};
	struct fault why = {0};

	secret_wipe((void *)(uintptr_t)secret.ptr, secret.len);
	(void)prctl(PR_SET_NAME, "meshd-capture", 0, 0, 0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (keep_only(theirs)) {
		if (keep_one() && kernel_open(&k, &why) == OK) {
			kernel_tidy(&k);
			serve(&k);
			kernel_tidy(&k);
		}
		kernel_close(&k);
	}
	_exit(0);
}

/* --- the agent ------------------------------------------------------------ */

/* As fork(), of a child whose parent is the machine's first process: when it
 * ends, nobody here has to take note. */
static pid_t
fork_away(void)
{
	pid_t between = fork();
	int status = 0;

	if (between == 0) {
		pid_t child = fork();

		if (child != 0)
			_exit(child < 0);
		return 0;
	}
	if (between > 0 && (waitpid(between, &status, 0) < 0 || status != 0))
		return -1;
	return between;
}

/* Both ends of each: ours and theirs. */
static bool
make_pairs(struct capture_ends *ours, int theirs[FDS_END - PAIR_FD])
{
	const int room = SOCKETS_BYTES;
	int *const mine[] = {&ours->pair, &ours->sockets[0], &ours->sockets[1]};
	int fds[2];

	for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
		if (socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
			return false;
		*mine[i] = fds[0];
		theirs[i] = fds[1];
		if (i > 0 && setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room,
				 sizeof(room)) != 0)
			return false;
	}
	return true;
}

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

enum err
capture_helper_start(
    struct slice secret, struct capture_ends *out, struct fault *why)
{
	struct capture_ends ours = CAPTURE_NO_ENDS;
	int theirs[FDS_END - PAIR_FD] = {-1, -1, -1};
	pid_t child = -1;

	*out = ours;
	if (!may_change_network())
		return OK;
	if (make_pairs(&ours, theirs))
		child = fork_away();
	if (child == 0) {
		(void)close(ours.pair);
		close_all(ours.sockets, ARRAY_LEN(ours.sockets));
		live(theirs, secret);
	}
	close_all(theirs, ARRAY_LEN(theirs));
	if (child < 0 || !give_up()) {
		(void)close(ours.pair);
		close_all(ours.sockets, ARRAY_LEN(ours.sockets));
		return fault_set(why, ERR_PERMISSION,
		    "the helper of capture cannot be started: %s",
		    strerror(errno));
	}
	*out = ours;
	return OK;
}
