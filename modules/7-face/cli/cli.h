/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli — the subcommands of meshd, as an operator types them.
 */
#ifndef MESHD_CLI_H
#define MESHD_CLI_H

/* What the process ends with; documented in meshd(8). */
enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_FAILED = 1,      /* tried, and it did not work */
	CLI_EXIT_USAGE = 2,       /* the command line is wrong */
	CLI_EXIT_INVALID = 3,     /* configuration that is refused */
	CLI_EXIT_UNREACHABLE = 4, /* no server or agent answers */
	CLI_EXIT_DENIED = 5       /* not allowed to this caller */
};

/* Runs the command that argv names; returns one of the above. */
int cli_run(int argc, char **argv);

#endif
