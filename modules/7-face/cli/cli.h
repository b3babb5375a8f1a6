/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli — the subcommands of meshd, as an operator types them.
 */
#ifndef MESHD_CLI_H
#define MESHD_CLI_H

#include "base/base.h"

/* What the process ends with; documented in meshd(8). */
enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_FAILED = 1,      /* tried, and it did not work */
	CLI_EXIT_USAGE = 2,       /* the command line is wrong */
	CLI_EXIT_INVALID = 3,     /* configuration that is refused */
	CLI_EXIT_UNREACHABLE = 4, /* no server or agent answers */
	CLI_EXIT_DENIED = 5       /* not allowed to this caller */
};

/* Settings of `server run`; text lives as long as the command runs. */
struct cli_server {
	const char *state_dir;
	const char *socket_path;
};

/* What stays: each runs a role until it is stopped, and returns its exit. */
struct cli_roles {
	int (*server)(const struct cli_server *settings);
};

/* Runs the command that argv names; returns one of the above. */
int cli_run(int argc, char **argv, const struct cli_roles *roles);

/* The fault as one line on stderr; returns the exit status that fits. */
int cli_fault(const struct fault *why);

#endif
