/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve — the commands that make a mesh and stay: server init, server run.
 *
 * What a role is put together from lies beside this module or below it;
 * main.c does that and is called through struct cli_roles.
 */
#include "base/base.h"
#include "server/server.h"
#include "tls/tls.h"

#include "command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- init --- */

static int
init(struct options *o)
{
	struct server_init_spec spec = {
	    .state_dir = options_text(o, "state"),
	    .trust_domain = options_text(o, "trust-domain"),
	    .ca_cert = options_text(o, "ca-cert"),
	    .ca_key = options_text(o, "ca-key"),
	};
	struct fault why = {0};

	if (tls_init() != OK)
		return command_fail(CLI_EXIT_FAILED, "TLS cannot start");
	if (server_init(&spec, &why) != OK)
		return cli_fault(&why);
	(void)printf("a new mesh is in %s; start it: meshd server run\n",
	    spec.state_dir);
	return CLI_EXIT_OK;
}

static const struct option_row init_rows[] = {
    OPTION_STATE,
    {"trust-domain", 0, OPTION_TEXT, "NAME", SERVER_TRUST_DOMAIN, true,
	"of all identities: spiffe://NAME/ns/…"},
    {"ca-cert", 0, OPTION_TEXT, "FILE", NULL, true,
	"PEM: a CA of yours up to its root, instead of a new one"},
    {"ca-key", 0, OPTION_TEXT, "FILE", NULL, true, "PEM: its key"},
};

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

enum err
command_log_level(const struct options *o, struct fault *why)
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

enum err
command_log_format(const struct options *o, struct fault *why)
{
	const char *text = options_text(o, "log-format");
	bool json = strcmp(text, "json") == 0;

	if (!json && strcmp(text, "text") != 0)
		return fault_set(why, ERR_INVALID,
		    "log-format is text or json, not \"%s\"", text);
	log_setup(STDERR_FILENO, json ? LOG_JSON : LOG_TEXT);
	return OK;
}

static enum err
read_installer(const struct options *o, bool *out, struct fault *why)
{
	const char *text = options_text(o, "installer");

	*out = strcmp(text, "on") == 0;
	if (*out || strcmp(text, "off") == 0)
		return OK;
	return fault_set(
	    why, ERR_INVALID, "installer is on or off, not \"%s\"", text);
}

static void
read_advertised(const struct options *o, struct cli_server *out)
{
	const struct option_values *list = options_list(o, "advertise");

	for (size_t i = 0; i < list->count && i < CLI_LIST_MAX; i++)
		out->advertised.items[out->advertised.count++] = list->text[i];
}

static int
serve(struct options *o)
{
	struct cli_server settings = {
	    .state_dir = options_text(o, "state"),
	    .socket_path = options_text(o, "socket"),
	    .name = options_text(o, "name"),
	    .config_dir = options_text(o, "config-dir"),
	    .config_allow_inert = options_flag(o, "config-allow-inert"),
	    .config_force = options_flag(o, "config-force"),
	};
	struct fault why = {0};

	if (command_log_level(o, &why) != OK ||
	    command_log_format(o, &why) != OK ||
	    command_addr(o, "control", &settings.control, &why) != OK ||
	    command_addr(o, "gossip", &settings.gossip, &why) != OK ||
	    command_addr_or_off(o, "api", &settings.api, &why) != OK ||
	    command_addr_or_off(o, "metrics", &settings.metrics, &why) != OK ||
	    read_installer(o, &settings.installer, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "server run: %s", why.text);
	read_advertised(o, &settings);
	return command_roles()->server(&settings);
}

static enum err
serve_again(const struct options *o, cli_use use, void *arg, struct fault *why)
{
	enum err e = command_log_level(o, why);

	if (e == OK)
		use(arg, NULL);
	return e;
}

static const struct option_row run_rows[] = {
    OPTION_STATE,
    {"socket", 0, OPTION_TEXT, "PATH", "/run/meshd/server.sock", true,
	"where commands reach it"},
    {"name", 0, OPTION_TEXT, "NAME", NULL, true,
	"of this server in the mesh, else the host's"},
    {"control", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"where agents reach it, else [::]:15012"},
    {"gossip", 0, OPTION_TEXT, "[ADDR:]PORT", NULL, true,
	"UDP and TCP, else [::]:15946"},
    {"api", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15080", true,
	"where operators reach it by a token"},
    {"installer", 0, OPTION_TEXT, "on|off", "on", true,
	"serve /install and the program there, to anybody"},
    {"metrics", 0, OPTION_TEXT, "[ADDR:]PORT|off", "15014", true,
	"GET /metrics for Prometheus"},
    {"advertise", 0, OPTION_LIST, "IP|NAME", NULL, true,
	"what agents are told, else all that the machine has"},
    {"config-dir", 0, OPTION_TEXT, "DIR", NULL, true,
	"a folder whose configuration is kept in force"},
    {"config-allow-inert", 0, OPTION_FLAG, NULL, NULL, true,
	"of it also what limits access and is not in force yet"},
    {"config-force", 0, OPTION_FLAG, NULL, NULL, true,
	"of it also what brings errors beside the rest"},
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
};

const struct command command_server_run = {
    .name = "server run",
    .args = "",
    .summary = "run the server of the mesh",
    .section = "server",
    .rows = run_rows,
    .row_count = ARRAY_LEN(run_rows),
    .run = serve,
    .again = serve_again,
};
