/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall — the rules that the machine has, as its own programs print them.
 *
 * A program that is not there or may not ask is no finding: this machine may
 * have no firewall at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checks.h"

enum { RULES_MAX = 4 << 20, WAIT_MS = 3000 };

extern char **environ;

/* Each a program and its words. */
static const char *const nft_words[] = {"nft", "-a", "list", "ruleset", NULL};
static const char *const legacy_words[] = {"iptables-legacy-save", NULL};
static const char *const iptables_words[] = {"iptables-save", NULL};

static bool
start(const char *const *words, int out_fd, pid_t *out_pid)
{
	posix_spawn_file_actions_t files;
	bool ok;

	if (posix_spawn_file_actions_init(&files) != 0)
		return false;
	ok = posix_spawn_file_actions_addopen(
		 &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
	     posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO) ==
		 0 &&
	     posix_spawn_file_actions_addopen(
		 &files, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
	     /* It does not write them (POSIX, exec's rationale). */
	     posix_spawnp(out_pid, words[0], &files, NULL,
		 (char *const *)(uintptr_t)words, environ) == 0;
	(void)posix_spawn_file_actions_destroy(&files); /* cannot fail */
	return ok;
}

/* Until its end, or until it takes too long. */
static bool
read_all(int fd, struct buf *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[4096];

	while (poll(&p, 1, WAIT_MS) > 0) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (buf_add(out, bytes, (size_t)n) != OK)
			return false;
	}
	return false;
}

/* What the program prints; false if it is not there or fails. */
static bool
run(const char *const *words, struct buf *out)
{
	int fds[2], status = -1;
	bool ok;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	ok = start(words, fds[1], &pid);
	(void)close(fds[1]); /* the program's now */
	if (ok) {
		ok = read_all(fds[0], out);
		if (!ok)
			(void)kill(pid, SIGKILL); /* it takes too long */
		ok = waitpid(pid, &status, 0) == pid && ok && status == 0;
	}
	(void)close(fds[0]); /* only read */
	return ok;
}

/* Are there tables of the old kind in the kernel? */
static bool
has_legacy(const struct doctor *d)
{
	AUTO(buf_fini) struct buf names = BUF(DOCTOR_FILE_MAX);
	struct slice rest;

	if (doctor_read(d, "/proc/net/ip_tables_names", &names) != OK)
		return false;
	rest = buf_slice(&names);
	return doctor_word(&rest).len > 0;
}

static void
look_at_legacy(struct doctor *d)
{
	AUTO(buf_fini) struct buf saved = BUF(RULES_MAX);

	if (!has_legacy(d))
		return;
	if (run(legacy_words, &saved) || run(iptables_words, &saved)) {
		judge_iptables(d, buf_slice(&saved));
		return;
	}
	doctor_mend(d, "sudo iptables-legacy-save");
	doctor_say(d, DOCTOR_WARNING,
	    "the kernel has rules of legacy iptables, and no program here "
	    "tells them");
}

bool
check_firewall(struct doctor *d)
{
	AUTO(buf_fini) struct buf ruleset = BUF(RULES_MAX);

	if (run(nft_words, &ruleset))
		judge_nft(d, buf_slice(&ruleset));
	else
		doctor_say(d, DOCTOR_OK,
		    "rules of nftables are not known: nft is not there, or may "
		    "not ask (as root it may)");
	look_at_legacy(d);
	return true;
}
