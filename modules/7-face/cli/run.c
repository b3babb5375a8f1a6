/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run — a command that calls as an account of its own from its first
 * connection, and what it offers is offered as long as it lives.
 *
 *	meshd run ──► keeper: connected to the agent, which so notices the end
 *	     │           of this process, whatever ended it
 *	     └──────► the command, in a cgroup of its own
 *
 * Signals go on to the command, and its end is ours. What a terminal sends it
 * has got already: it is in the same group of processes.
 */
#include "base/base.h"
#include "capture/capture.h"
#include "codec/codec.h"

#include "api.h"
#include "body.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	AGAIN_MS = 200, /* until an agent that was lost is looked for again */
	NOT_STARTED = 127,
	BY_SIGNAL = 128
};

struct running {
	const struct options *options;
	const struct value *body;
	struct capture_cgroup cgroup;
	pid_t self;
	pid_t keeper;
	pid_t command;
	int ready;       /* the keeper's end of a pipe: a byte, when it may
			  * begin; -1: it did */
	bool was_lost;   /* the agent, which was said */
	sigset_t before; /* what was blocked when we came */
};

/* --- the keeper ----------------------------------------------------------- */

static bool
on_line(void *arg, struct slice line)
{
	struct running *r = arg;
	AUTO(arena_fini) struct arena a = {0};
	const struct value *m = NULL;
	struct slice missed = SLICE_NONE;

	arena_init(&a, LIMIT_API_BODY);
	if (codec_json_parse(line, &a, &m, NULL) == OK)
		missed = value_get_string(m, S("missed"), S(""));
	if (missed.len > 0)
		(void)command_fail(CLI_EXIT_OK,
		    "it begins before all that it needs is here: %.*s",
		    SLICE_ARG(missed));
	if (r->was_lost)
		(void)command_fail(
		    CLI_EXIT_OK, "the agent is back, and captures again");
	r->was_lost = false;
	if (r->ready >= 0 && write(r->ready, "", 1) == 1)
		(void)close(r->ready);
	r->ready = -1;
	return true;
}

static void
say_lost(struct running *r, const char *why)
{
	if (!r->was_lost)
		(void)command_fail(CLI_EXIT_OK,
		    "the agent is lost (%s): the command goes on, and calls "
		    "as without a mesh until it is back",
		    why);
	r->was_lost = true;
}

/* Its exit status, if the command may not begin; then that was said. */
static int
hold(struct running *r)
{
	const struct api_question q = {API_AGENT, "POST", "/v1/run", r->body};
	AUTO(api_answer_fini) struct api_answer answer = {0};
	struct fault why = {0};
	enum err e = api_follow(r->options, &q, on_line, r, &answer, &why);

	if (r->ready >= 0)
		return e != OK ? cli_fault(&why) : api_refused(&answer);
	if (e == OK)
		(void)fault_set(&why, ERR_CLOSED, "%.*s",
		    SLICE_ARG(value_get_string(
			answer.body, S("message"), S("it has ended"))));
	say_lost(r, why.text);
	return CLI_EXIT_OK;
}

static _Noreturn void
keep(struct running *r)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != r->self)
		_exit(CLI_EXIT_FAILED); /* it was quicker */
	for (;;) {
		int code = hold(r);

		if (r->ready >= 0)
			_exit(code);
		(void)usleep(AGAIN_MS * 1000);
	}
}

static enum err
start_keeper(struct running *r, struct fault *why)
{
	r->keeper = fork();
	if (r->keeper == 0)
		keep(r);
	return r->keeper > 0 ? OK
			     : fault_set(why, err_from_errno(errno),
				   "cannot fork: %s", strerror(errno));
}

/* True: it may begin. Else *out_code is ours, and was said. */
static bool
await_keeper(struct running *r, int *out_code)
{
	struct fault why = {0};
	int fds[2], status = 0;
	bool ready;
	char byte;

	*out_code = CLI_EXIT_FAILED;
	if (pipe2(fds, O_CLOEXEC) != 0) {
		(void)command_fail(
		    CLI_EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
		return false;
	}
	r->ready = fds[1];
	if (start_keeper(r, &why) != OK)
		(void)command_fail(CLI_EXIT_FAILED, "%s", why.text);
	(void)close(fds[1]);
	r->ready = -1;
	ready = r->keeper > 0 && read(fds[0], &byte, 1) == 1;
	(void)close(fds[0]);
	if (!ready && r->keeper > 0 &&
	    waitpid(r->keeper, &status, 0) == r->keeper && WIFEXITED(status))
		*out_code = WEXITSTATUS(status);
	return ready;
}

static void
end_keeper(struct running *r)
{
	if (r->keeper <= 0)
		return;
	(void)kill(r->keeper, SIGKILL);
	(void)waitpid(r->keeper, NULL, 0);
	r->keeper = 0;
}

/* --- the command ---------------------------------------------------------- */

/* As a shell finds it, but what is no program is not given to one. Returns if
 * that failed. */
static void
execute(char **words)
{
	const char *path = getenv("PATH");
	struct slice rest = slice_str(path != NULL ? path : "/usr/bin:/bin");
	char file[PATH_MAX];
	int errnum = ENOENT;

	if (strchr(words[0], '/') != NULL) {
		(void)execv(words[0], words);
		return;
	}
	while (rest.len > 0) {
		struct slice dir = slice_split(&rest, ':');

		if (snprintf(file, sizeof(file), "%.*s%s%s", SLICE_ARG(dir),
			dir.len > 0 ? "/" : "./", words[0]) < PATH_MAX)
			(void)execv(file, words);
		if (errno != ENOENT && errno != ENOTDIR)
			errnum = errno;
	}
	errno = errnum;
}

/* Ended with us: without us nobody would know of it. */
static _Noreturn void
become(struct running *r, char **words)
{
	struct fault why = {0};

	if (capture_cgroup_enter(&r->cgroup, &why) != OK)
		_exit(command_fail(CLI_EXIT_FAILED, "%s", why.text));
	(void)signal(SIGPIPE, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &r->before, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != r->self)
		_exit(CLI_EXIT_FAILED);
	execute(words);
	_exit(command_fail(
	    NOT_STARTED, "cannot run %s: %s", words[0], strerror(errno)));
}

/* True: the command is among them, and *out_status is its. */
static bool
reap(struct running *r, int *out_status)
{
	struct fault why = {0};
	bool over = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == r->command) {
			*out_status = status;
			over = true;
		} else if (pid == r->keeper && start_keeper(r, &why) != OK) {
			(void)command_fail(CLI_EXIT_FAILED, "%s", why.text);
		}
	}
	return over;
}

static int
watch(struct running *r, const sigset_t *set)
{
	siginfo_t info;
	int status = 0;

	for (;;) {
		int sig = sigwaitinfo(set, &info);

		if (sig == SIGCHLD && reap(r, &status))
			return status;
		if (sig > 0 && sig != SIGCHLD && info.si_code <= 0)
			(void)kill(r->command, sig);
	}
}

/* Whoever waits for us sees what became of the command. */
static int
end_as(int status)
{
	const struct rlimit none = {0};
	sigset_t one;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	(void)setrlimit(RLIMIT_CORE, &none); /* it has dumped its own */
	(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, sig);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	return BY_SIGNAL + sig;
}

static void
clean_up(struct running *r)
{
	size_t left;

	end_keeper(r);
	left = capture_cgroup_signal(&r->cgroup, SIGTERM);
	if (left > 0)
		(void)command_fail(CLI_EXIT_OK,
		    "%zu process%s that the command left behind %s ended", left,
		    left == 1 ? "" : "es", left == 1 ? "is" : "are");
	capture_cgroup_end(&r->cgroup);
}

static int
supervise(struct running *r, char **words, const sigset_t *set)
{
	int status, code;

	if (!await_keeper(r, &code)) {
		clean_up(r);
		return code;
	}
	r->command = fork();
	if (r->command == 0)
		become(r, words);
	if (r->command < 0) {
		code = command_fail(
		    CLI_EXIT_FAILED, "cannot fork: %s", strerror(errno));
		clean_up(r);
		return code;
	}
	status = watch(r, set);
	clean_up(r);
	return end_as(status);
}

/* --- the words ------------------------------------------------------------ */

static enum err
make_body(const struct options *o, struct body *b, struct body *service,
    struct fault *why)
{
	const char *name = options_text(o, "service");
	const char *where = options_text(o, "port");
	uint64_t wait_us = 0;
	enum err e = options_duration_us(o, "wait", &wait_us, why);

	if (e == OK && (name == NULL) != (where == NULL))
		e = fault_set(why, ERR_INVALID,
		    "--service NAME and --port PORT go together: what is "
		    "offered, and where it listens");
	if (e == OK && name != NULL)
		e = command_expose_body(o, name, where, service, why);
	if (e != OK)
		return e;
	body_text(b, "namespace", options_text(o, "namespace"));
	body_text(b, "account", options_text(o, "account"));
	body_set(
	    b, "waitMs", value_new_int(&b->arena, (int64_t)(wait_us / 1000)));
	if (name != NULL)
		body_set(b, "expose", service->map);
	return b->map != NULL
		   ? OK
		   : fault_set(why, ERR_LIMIT, "the request is too large");
}

/* Those that a supervisor may send. */
static void
block_signals(struct running *r, sigset_t *set)
{
	static const int ours[] = {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM,
	    SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGALRM};

	(void)sigemptyset(set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		(void)sigaddset(set, ours[i]);
	(void)sigprocmask(SIG_BLOCK, set, &r->before);
}

static int
run(struct options *o)
{
	AUTO(body_fini) struct body b, service;
	struct running r = {.options = o, .self = getpid(), .ready = -1};
	struct fault why = {0};
	sigset_t set;

	body_init(&b);
	body_init(&service);
	if (o->rest == NULL || o->rest[0] == NULL || o->rest[0] != o->args[0])
		return command_fail(CLI_EXIT_USAGE,
		    "say what to run, behind --: meshd run -- COMMAND "
		    "[ARGUMENT...]");
	if (make_body(o, &b, &service, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "run: %s", why.text);
	if (capture_cgroup_make(&r.cgroup, &why) != OK)
		return command_fail(CLI_EXIT_DENIED, "run: %s", why.text);
	body_text(&b, "cgroup", r.cgroup.path);
	r.body = b.map;
	block_signals(&r, &set);
	return supervise(&r, o->rest, &set);
}

static const struct option_row rows[] = {
    {"service", 0, OPTION_TEXT, "NAME", NULL, false,
	"what it offers as long as it lives"},
    {"port", 0, OPTION_TEXT, "[PORT:]TARGET", NULL, false,
	"where that listens, as with expose"},
    {"account", 0, OPTION_TEXT, "NAME", "default", false,
	"who it calls as, and who the service is"},
    {"namespace", 'n', OPTION_TEXT, "NAME", "default", false,
	"where account and name lie"},
    {"wait", 0, OPTION_DURATION, "TIME", "5s", false,
	"for its certificate and configuration, before it begins"},
    OPTIONS_OF_SERVICE,
    OPTION_SOCKET,
};

const struct command command_run = {
    .name = "run",
    .args = "-- COMMAND [ARGUMENT...]",
    .words = OPTION_ARGS_MAX,
    .summary = "run a command that is in the mesh as long as it lives",
    .section = "cli",
    .rows = rows,
    .row_count = ARRAY_LEN(rows),
    .run = run,
};
