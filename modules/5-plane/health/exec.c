/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec — a command that is asked for an answer.
 *
 *	STARTED --ends--> told, reaped, gone
 *	   |--timeout--> told; killed --ends--> reaped, gone
 *	   `--cancel---> killed --ends--> reaped, gone
 *
 * Its end is seen by a descriptor of it (pidfd_open(2), Linux 5.3), which no
 * other child of this process disturbs. Until it is reaped its number is
 * nobody else's, so that killing its group hits nobody else.
 */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXEC_MAGIC = 0x65786563,
	NAME_MAX_SHOWN = 64,
	READ_LEN = 4096,
	OUTPUT_READ_MAX = 1 << 20, /* then its output is closed */
	PATH_LEN = 4096
};

struct health_exec {
	uint32_t magic;
	struct health_exec_spec spec; /* `done` NULL: nobody waits any more */
	pid_t pid;                    /* 0: it did not start */
	int pidfd;                    /* or -1 */
	int out;                      /* what it says; or -1 */
	struct loop_io exit_io;
	struct loop_io out_io;
	struct timer timer;
	struct loop_later tell; /* why it did not start */
	struct loop_hook end;
	char name[NAME_MAX_SHOWN];
	char said[HEALTH_OUTPUT_MAX + 1]; /* its first line */
	size_t said_len;
	size_t read_len; /* of all that it said */
	bool line_ended;
	char reason[HEALTH_REASON_MAX];
};

/* --- the end -------------------------------------------------------------- */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written to it */
	*fd = -1;
}

static void
exec_free(struct health_exec *x)
{
	loop_io_close(&x->exit_io);
	loop_io_close(&x->out_io);
	close_fd(&x->pidfd);
	close_fd(&x->out);
	timer_clear(&x->timer);
	loop_later_cancel(&x->tell);
	loop_hook_remove(&x->end);
	x->magic = 0;
	mem_free(&x);
}

/* Once; then it waits for its end alone. */
static void
tell(struct health_exec *x, bool is_good)
{
	void (*done)(void *arg, bool is_good, const char *reason,
	    struct slice said) = x->spec.done;

	x->spec.done = NULL;
	if (done != NULL)
		done(x->spec.arg, is_good, x->reason,
		    slice_of(x->said, x->said_len));
}

/* The loop ends before the command did: it is killed already, and will be
 * init's. */
static void
on_loop_end(void *arg)
{
	struct health_exec *x;

	OBJ(x, arg, EXEC_MAGIC);
	exec_free(x);
}

/* All of its group. */
static void
kill_group(const struct health_exec *x)
{
	if (x->pid > 0)
		(void)kill(-x->pid, SIGKILL); /* perhaps all have ended */
}

/* --- what it says --------------------------------------------------------- */

static void
keep_line(struct health_exec *x, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !x->line_ended; i++) {
		x->line_ended = bytes[i] == '\n' && x->said_len > 0;
		if (x->line_ended || x->said_len == HEALTH_OUTPUT_MAX)
			return;
		if (bytes[i] == '\n')
			continue;
		x->said[x->said_len++] =
		    (unsigned char)bytes[i] < ' ' || bytes[i] == 127 ? ' '
								     : bytes[i];
	}
}

/*
 * To the last byte that is there, since no further edge would come. Only the
 * first line is kept; who never stops is cut off.
 */
static void
read_out(struct health_exec *x)
{
	char bytes[READ_LEN];
	ssize_t n = 1;

	while (x->out >= 0 && n > 0) {
		n = read(x->out, bytes, sizeof(bytes));
		if (n > 0)
			keep_line(x, bytes, (size_t)n);
		x->read_len += (size_t)MAX(n, 0);
		if (x->read_len <= OUTPUT_READ_MAX)
			continue;
		loop_io_close(&x->out_io);
		close_fd(&x->out);
	}
}

static void
on_output(void *arg, bool readable, bool writable)
{
	struct health_exec *x;

	(void)writable;
	OBJ(x, arg, EXEC_MAGIC);
	if (readable)
		read_out(x);
}

/* --- how it ended --------------------------------------------------------- */

static void
say_end(struct health_exec *x, const siginfo_t *info)
{
	char how[64];

	if (info->si_code == CLD_EXITED)
		(void)snprintf(
		    how, sizeof(how), "exit status %d", info->si_status);
	else
		(void)snprintf(
		    how, sizeof(how), "ended by signal %d", info->si_status);
	slice_mend_utf8(x->said, x->said_len);
	(void)snprintf(x->reason, sizeof(x->reason), "%s: %s%s%s", x->name, how,
	    x->said_len > 0 ? ": " : "", x->said);
}

static void
on_exit_ready(void *arg, bool readable, bool writable)
{
	siginfo_t info = {0};
	struct health_exec *x;

	(void)readable; /* there is one thing that it can say */
	(void)writable;
	OBJ(x, arg, EXEC_MAGIC);
	if (waitid(P_PID, (id_t)x->pid, &info, WEXITED | WNOHANG | WNOWAIT) !=
		0 ||
	    info.si_pid == 0)
		return;
	kill_group(x); /* those that it left behind */
	(void)waitid(P_PID, (id_t)x->pid, &info, WEXITED | WNOHANG);
	x->pid = 0;
	read_out(x);
	if (x->spec.done != NULL)
		say_end(x, &info);
	tell(x, info.si_code == CLD_EXITED && info.si_status == 0);
	exec_free(x);
}

static void
on_timer(void *arg)
{
	char time[ASK_TIME_MAX];
	struct health_exec *x;

	OBJ(x, arg, EXEC_MAGIC);
	kill_group(x);
	(void)snprintf(x->reason, sizeof(x->reason),
	    "%s: no end within %s, so it was killed", x->name,
	    ask_time(x->spec.timeout_us, time));
	tell(x, false);
}

/* --- the beginning -------------------------------------------------------- */

static void
prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *how, int out)
{
	sigset_t all, none;

	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	(void)posix_spawn_file_actions_addopen(
	    files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
	(void)posix_spawn_file_actions_addclosefrom_np(
	    files, STDERR_FILENO + 1);
	(void)posix_spawn_file_actions_addchdir_np(files, "/");
	(void)posix_spawnattr_setflags(how, POSIX_SPAWN_SETPGROUP |
						POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setpgroup(how, 0);
	(void)posix_spawnattr_setsigdefault(how, &all);
	(void)posix_spawnattr_setsigmask(how, &none);
}

/* No variable of ours: some hold what nobody else should see. */
static int
spawn(struct health_exec *x, char **words, int out)
{
	const char *path = getenv("PATH");
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	char text[PATH_LEN];
	char *environment[] = {text, NULL};
	int failed;

	(void)snprintf(text, sizeof(text), "PATH=%s",
	    path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&how);
	prepare(&files, &how, out);
	failed =
	    posix_spawnp(&x->pid, words[0], &files, &how, words, environment);
	(void)posix_spawnattr_destroy(&how);
	(void)posix_spawn_file_actions_destroy(&files);
	if (failed != 0)
		x->pid = 0;
	return failed;
}

static int
watch(struct health_exec *x)
{
	x->pidfd = pidfd_open(x->pid, 0);
	if (x->pidfd < 0)
		return errno;
	if (loop_io_open(
		&x->exit_io, x->spec.loop, x->pidfd, on_exit_ready, x) != OK ||
	    loop_io_open(&x->out_io, x->spec.loop, x->out, on_output, x) != OK)
		return ENOMEM;
	return 0;
}

/* 0, or why it does not run. */
static int
start(struct health_exec *x, char **words)
{
	int ends[2], failed;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	x->out = ends[0];
	failed = fcntl(x->out, F_SETFL, O_NONBLOCK) != 0
		     ? errno
		     : spawn(x, words, ends[1]);
	(void)close(ends[1]);
	if (failed == 0)
		failed = watch(x);
	if (failed == 0 || x->pid == 0)
		return failed;
	kill_group(x); /* it can not be watched */
	(void)waitid(P_PID, (id_t)x->pid, NULL, WEXITED);
	x->pid = 0;
	return failed;
}

static void
on_tell(void *arg)
{
	struct health_exec *x;

	OBJ(x, arg, EXEC_MAGIC);
	tell(x, false);
	exec_free(x);
}

static int
start_words(struct health_exec *x, const struct health_exec_spec *spec)
{
	char *words[HEALTH_WORDS_MAX + 1] = {NULL};
	int failed =
	    spec->word_count == 0 || spec->word_count > HEALTH_WORDS_MAX ? E2BIG
									 : 0;

	for (size_t i = 0; failed == 0 && i < spec->word_count; i++) {
		words[i] = mem_new(spec->words[i].len + 1);
		memcpy(words[i], spec->words[i].ptr, spec->words[i].len);
	}
	if (failed == 0)
		failed = start(x, words);
	for (size_t i = 0; i < HEALTH_WORDS_MAX; i++)
		mem_free(&words[i]);
	return failed;
}

struct health_exec *
health_exec_open(const struct health_exec_spec *spec)
{
	struct health_exec *x = mem_new(sizeof(*x));
	int failed;

	x->magic = EXEC_MAGIC;
	x->spec = *spec;
	x->pidfd = x->out = -1;
	loop_later_init(&x->tell, on_tell, x);
	timer_init(&x->timer, spec->loop, on_timer, x);
	loop_hook_add_end(spec->loop, &x->end, on_loop_end, x);
	(void)snprintf(x->name, sizeof(x->name), "%.*s",
	    SLICE_ARG(spec->word_count > 0 ? spec->words[0] : S("")));
	failed = start_words(x, spec);
	x->spec.words = NULL; /* it may outlive them */
	if (failed == 0) {
		timer_set(&x->timer, spec->timeout_us);
		return x;
	}
	(void)snprintf(
	    x->reason, sizeof(x->reason), "%s: %s", x->name, strerror(failed));
	loop_later(spec->loop, &x->tell);
	return x;
}

void
health_exec_cancel(struct health_exec **xp)
{
	struct health_exec *x = *xp;

	*xp = NULL;
	if (x == NULL)
		return;
	x->spec.done = NULL;
	kill_group(x);
	if (x->pid == 0)
		exec_free(x);
}
