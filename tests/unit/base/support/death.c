/* SPDX-License-Identifier: Apache-2.0 */
/*
 * death — a fork, so that the test program itself survives.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#include "death.h"

bool
dies(void (*f)(void))
{
	struct rlimit no_core = {0, 0};
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		(void)close(STDERR_FILENO); /* its last words are expected */
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL); /* cmocka would catch it */
		f();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
