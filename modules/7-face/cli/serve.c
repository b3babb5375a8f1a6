/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve — the commands that make a mesh and stay: server init, server run.
 *
 * What a role is put together from lies beside this module or below it;
 * main.c does that and is called through struct cli_roles.
 */
#include "base/base.h"
#include "server/server.h"

#include "command.h"

#include <stdio.h>

/* --- init --- */

static int
init(struct options *o)
{
	const char *dir = options_text(o, "state");
	struct fault why = {0};

	if (server_init(dir, &why) != OK)
		return cli_fault(&why);
	(void)printf("a new mesh is in %s; start it: meshd server run\n", dir);
	return CLI_EXIT_OK;
}

#define OPTION_STATE                                                           \
	{                                                                      \
		"state", 0, OPTION_TEXT, "DIR", "/var/lib/meshd", true,        \
		    "where the mesh is kept"                                   \
	}

static const struct option_row init_rows[] = {OPTION_STATE};

const struct command command_server_init = {
    .name = "server init",
    .args = "",
    .summary = "make a new mesh on this machine",
    .section = "server",
    .rows = init_rows,
    .row_count = ARRAY_LEN(init_rows),
    .run = init,
};

/* --- run --- */

static enum err
set_log(const struct options *o, struct fault *why)
{
	const char *text = options_text(o, "log-level");
	enum log_level level;

	if (log_level_parse(slice_str(text), &level) != OK)
		return fault_set(why, ERR_INVALID,
		    "log-level is trace, debug, info, warn or error, not "
		    "\"%s\"",
		    text);
	return log_set_level(SLICE_NONE, level);
}

static int
serve(struct options *o)
{
	struct cli_server settings = {
	    .state_dir = options_text(o, "state"),
	    .socket_path = options_text(o, "socket"),
	};
	struct fault why = {0};

	if (set_log(o, &why) != OK)
		return cli_fault(&why);
	return command_roles()->server(&settings);
}

static const struct option_row run_rows[] = {
    OPTION_STATE,
    OPTION_SOCKET,
    {"log-level", 0, OPTION_TEXT, "LEVEL", "info", true,
	"trace, debug, info, warn or error"},
};

const struct command command_server_run = {
    .name = "server run",
    .args = "",
    .summary = "run the server of the mesh",
    .section = "server",
    .rows = run_rows,
    .row_count = ARRAY_LEN(run_rows),
    .run = serve,
};
