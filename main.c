/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main — starts the layers, runs one subcommand, ends.
 */
#include "base/base.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return CLI_EXIT_FAILED;
	if (crypto_init() != OK) {
		(void)fputs("meshd: the system gives no randomness\n", stderr);
		return CLI_EXIT_FAILED;
	}
	return cli_run(argc, argv);
}
