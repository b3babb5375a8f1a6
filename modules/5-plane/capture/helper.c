/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper — the process that alone may change what the kernel does.
 *
 * It has CAP_NET_ADMIN and nothing else: no user of its own but nobody, no
 * descriptor but the pair. It knows three verbs, and whatever it is told it
 * changes one table and two routes. When its other end is gone, which is how
 * it watches the agent, it ends; the kernel takes the table with its socket.
 */
#include "helper.h"

#include "kernel.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAIR_FD = 3, NOBODY = 65534, CAPS_MAX = 64 };

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
	else
		e = kernel_read(k, r->counts, &count, &loaded, &why);
	r->e = (uint32_t)e;
	r->loaded = loaded;
	r->count = (uint32_t)count;
	memcpy(r->why, why.text, sizeof(r->why));
}

static void
serve(struct kernel *k)
{
	AUTO(mem_free) struct helper_request *q = mem_new(sizeof(*q));
	AUTO(mem_free) struct helper_reply *r = mem_new(sizeof(*r));
	ssize_t n;

	for (;;) {
		n = recv(PAIR_FD, q, sizeof(*q), MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(*q))
			return; /* its end, or nonsense */
		answer(k, q, r);
		if (send(PAIR_FD, r, helper_reply_len(r), MSG_NOSIGNAL) < 0)
			return;
	}
}

/* It ends with its other end and no sooner: the agent drains first. */
static _Noreturn void
live(int fd, struct slice secret)
{
	struct kernel k = {.nft = -1, .route = -1};
	struct fault why = {0};

	secret_wipe((void *)(uintptr_t)secret.ptr, secret.len);
	(void)prctl(PR_SET_NAME, "meshd-capture", 0, 0, 0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (fd == PAIR_FD || dup2(fd, PAIR_FD) == PAIR_FD) {
		(void)syscall(SYS_close_range, PAIR_FD + 1, ~0u, 0);
		if (keep_one() && kernel_open(&k, &why) == OK)
			serve(&k);
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

enum err
capture_helper_start(struct slice secret, int *out, struct fault *why)
{
	int fds[2];
	pid_t child;

	*out = -1;
	if (!may_change_network())
		return OK;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot make the helper's socket: %s", strerror(errno));
	child = fork_away();
	if (child == 0) {
		(void)close(fds[0]);
		live(fds[1], secret);
	}
	(void)close(fds[1]);
	if (child < 0 || !give_up()) {
		(void)close(fds[0]);
		return fault_set(why, ERR_PERMISSION,
		    "the helper of capture cannot be started: %s",
		    strerror(errno));
	}
	*out = fds[0];
	return OK;
}
