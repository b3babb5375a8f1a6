/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec — commands: how they end, what they say, and that nothing is left.
 */
#include "scene.h"

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void
run(struct scene *s, const char *command)
{
	char spec[1024];

	(void)snprintf(spec, sizeof(spec),
	    "{\"exec\":{\"command\":%s},\"timeout\":\"10s\"}", command);
	scene_ask(s, spec);
}

static void
run_shell(struct scene *s, const char *script)
{
	char command[900];

	(void)snprintf(
	    command, sizeof(command), "[\"/bin/sh\",\"-c\",\"%s\"]", script);
	run(s, command);
}

static bool
has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST(status_0_is_good_and_the_first_line_is_the_reason)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	run(&s, "[\"true\"]"); /* by PATH */
	EXPECT_TRUE(s.is_good);
	EXPECT_STR(s.reason, "true: exit status 0");
	run_shell(&s, "echo; echo no response >&2; echo more; exit 3");
	EXPECT_FALSE(s.is_good);
	EXPECT_STR(s.reason, "/bin/sh: exit status 3: no response");
	run_shell(&s, "kill -9 $$");
	EXPECT_FALSE(s.is_good);
	EXPECT_STR(s.reason, "/bin/sh: ended by signal 9");
	EXPECT_FALSE(has_children());
	scene_close(&s);
}

TEST(what_it_says_is_cut_and_made_safe)
{
	struct scene s;
	size_t len;

	scene_open(&s, HTTP_PROTO_1);
	run_shell(&s, "printf 'a\\\\001b\\\\377c'");
	EXPECT_TRUE(slice_is_utf8(slice_str(s.reason)));
	EXPECT_STR(s.reason, "/bin/sh: exit status 0: a b?c");
	run_shell(&s, "head -c 300000 /dev/zero | tr '\\\\000' x");
	len = strlen(s.reason);
	EXPECT_EQ(len, strlen("/bin/sh: exit status 0: ") + HEALTH_OUTPUT_MAX);
	/* Who never stops is cut off, and ends by it. */
	run_shell(&s, "exec yes");
	EXPECT_STR(s.reason, "/bin/sh: ended by signal 13: y");
	scene_close(&s);
}

TEST(a_missing_program_is_a_bad_answer_in_words)
{
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	run(&s, "[\"/nowhere/at/all\"]");
	EXPECT_FALSE(s.is_good);
	EXPECT_STR(s.reason, "/nowhere/at/all: No such file or directory");
	run(&s, "[\"/\"]");
	EXPECT_STR(s.reason, "/: Permission denied");
	EXPECT_FALSE(has_children());
	scene_close(&s);
}

TEST(it_has_nothing_of_ours_but_the_path)
{
	struct scene s;
	int fd = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */

	EXPECT_TRUE(fd > STDERR_FILENO);
	EXPECT_EQ(setenv("MESHD_JOIN", "mj1.secret", 1), 0);
	scene_open(&s, HTTP_PROTO_1);
	run_shell(&s, "echo ${MESHD_JOIN-none} $PWD ${PATH:+path}");
	EXPECT_STR(s.reason, "/bin/sh: exit status 0: none / path");
	run(&s, "[\"/usr/bin/test\",\"-e\",\"/proc/self/fd/3\"]");
	EXPECT_STR(s.reason, "/usr/bin/test: exit status 1");
	scene_close(&s);
	EXPECT_EQ(close(fd), 0);
	EXPECT_EQ(unsetenv("MESHD_JOIN"), 0);
}

static pid_t
number(struct slice text)
{
	uint64_t n;

	EXPECT_OK(slice_to_u64(slice_split(&text, '\n'), &n));
	return (pid_t)n;
}

/* The process of that number is gone, or is a zombie that init has. */
static bool
is_gone(pid_t pid)
{
	char path[64], state = 'X';
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return true;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	(void)fclose(f);
	return state == 'Z' || state == 'X';
}

TEST(at_the_timeout_its_whole_group_is_killed_and_reaped)
{
	AUTO(resource_unref) struct resource *r = NULL;
	AUTO(buf_fini) struct buf text = BUF(64);
	char folder[] = "/tmp/meshd-exec-XXXXXX", path[64], spec[512];
	struct scene s;
	pid_t child;

	EXPECT_TRUE(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof(path), "%s/pid", folder);
	(void)snprintf(spec, sizeof(spec),
	    "{\"exec\":{\"command\":[\"/bin/sh\",\"-c\",\"sleep 1000 & echo "
	    "$! >%s.new; mv %s.new %s; wait\"]}}",
	    path, path, path);
	r = policy(spec);
	scene_open(&s, HTTP_PROTO_1);
	(void)scene_begin(&s, r);
	UNTIL(&s, access(path, R_OK) == 0);
	EXPECT_OK(file_read(path, &text, NULL));
	child = number(buf_slice(&text));
	EXPECT_EQ(s.told, 0);
	clock_fake_advance(&s.time, 1001000);
	UNTIL(&s, s.told == 1);
	EXPECT_STR(s.reason, "/bin/sh: no end within 1s, so it was killed");
	UNTIL(&s, !has_children());
	UNTIL(&s, is_gone(child));
	scene_close(&s);
	EXPECT_EQ(unlink(path), 0);
	EXPECT_EQ(rmdir(folder), 0);
}

TEST(what_it_leaves_behind_ends_with_it)
{
	struct scene s;
	pid_t child;

	scene_open(&s, HTTP_PROTO_1);
	run_shell(&s, "sleep 1000 & echo $!");
	EXPECT_TRUE(s.is_good);
	child =
	    number(slice_str(s.reason + strlen("/bin/sh: exit status 0: ")));
	UNTIL(&s, is_gone(child));
	scene_close(&s);
}

TEST(a_cancelled_one_is_reaped_and_the_loop_may_end_before)
{
	AUTO(resource_unref)
	struct resource *r =
	    policy("{\"exec\":{\"command\":[\"sleep\",\"1000\"]}}");
	struct ask *a;
	struct scene s;

	scene_open(&s, HTTP_PROTO_1);
	a = scene_begin(&s, r);
	EXPECT_TRUE(has_children());
	ask_cancel(&a);
	UNTIL(&s, !has_children());
	a = scene_begin(&s, r);
	ask_cancel(&a);
	scene_close(&s); /* without a turn in which it could be reaped */
	EXPECT_EQ(s.told, 0);
	EXPECT_TRUE(wait(NULL) > 0);
}
