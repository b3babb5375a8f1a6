/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli — finds the command that the words name, reads its options, runs it.
 */
#include "base/base.h"

#include "cli.h"
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_BYTES = 64 << 10, SETTINGS_MAX = 256, USAGE_MAX = 128 };

static const struct cli_roles *roles_given;

static const char config_default[] = "/etc/meshd/meshd.conf";
static const char *const sections[] = {"server", "agent", "cli", NULL};

static const struct command *const commands[] = {
    &command_server_init,
    &command_server_run,
    &command_server_backup,
    &command_server_restore,
    &command_token_create,
    &command_token_list,
    &command_token_revoke,
    &command_agent,
    &command_gateway,
    &command_join,
    &command_leave,
    &command_expose,
    &command_unexpose,
    &command_exposed,
    &command_discover,
    &command_run,
    &command_unit_started,
    &command_unit_stopped,
    &command_capture_on,
    &command_capture_off,
    &command_capture_confirm,
    &command_capture_status,
    &command_apply,
    &command_get,
    &command_delete,
    &command_diff,
    &command_history,
    &command_rollback,
    &command_validate,
    &command_analyze,
    &command_explain_access, /* before what is its first word */
    &command_explain_workload,
    &command_explain,
    &command_explain_field,
    &command_members,
    &command_services,
    &command_endpoints,
    &command_dns_query,
    &command_dns_unwire,
    &command_proxy_config,
    &command_tap,
    &command_top,
    &command_why,
    &command_node_list,
    &command_node_revoke,
    &command_ca_show,
    &command_log_levels,
    &command_log,
    &command_status,
    &command_doctor,
    &command_completion,
    &command_version,
};

const struct command *const *
command_all(size_t *out_count)
{
	*out_count = ARRAY_LEN(commands);
	return commands;
}

/* --- words to the operator --- */

int
command_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("meshd: ", stderr);
	(void)vfprintf(stderr, fmt, ap);
	(void)fputc('\n', stderr);
	va_end(ap);
	return code;
}

static int
exit_of(enum err e)
{
	switch (e) {
	case OK:
		return CLI_EXIT_OK;
	case ERR_PARSE:
	case ERR_INVALID:
	case ERR_UNSUPPORTED:
	case ERR_CONFLICT:
		return CLI_EXIT_INVALID;
	case ERR_UNREACHABLE:
		return CLI_EXIT_UNREACHABLE;
	case ERR_DENIED:
	case ERR_PERMISSION:
		return CLI_EXIT_DENIED;
	default:
		return CLI_EXIT_FAILED;
	}
}

int
cli_fault(const struct fault *why)
{
	char text[FAULT_TEXT_MAX + FAULT_FIELD_MAX + FAULT_FILE_MAX];

	fault_format(why, text, sizeof(text));
	return command_fail(exit_of(why->code), "%s", text);
}

const struct cli_roles *
command_roles(void)
{
	return roles_given;
}

/* --- help --- */

/* "token list" is in the group "token", and all are in "". */
static bool
is_in_group(const struct command *c, const char *group)
{
	size_t len = strlen(group);

	CHECK(c != NULL);
	return len == 0 ||
	       (strncmp(c->name, group, len) == 0 && c->name[len] == ' ');
}

static bool
is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (is_in_group(commands[i], word))
			return true;
	return false;
}

static void
print_commands(FILE *out, const char *group)
{
	(void)fputs("meshd — a service mesh for machines\n\n"
		    "usage: meshd COMMAND [OPTION...] [WORD...]\n\n",
	    out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (is_in_group(commands[i], group))
			(void)fprintf(out, "  %-15s %s\n", commands[i]->name,
			    commands[i]->summary);
	(void)fputs("\n`meshd COMMAND --help` tells more.\n", out);
}

/* "usage: meshd get [OPTION...] KIND". Returns out. */
static const char *
usage_of(const struct command *c, char out[USAGE_MAX])
{
	(void)snprintf(out, USAGE_MAX, "usage: meshd %s%s%s%s", c->name,
	    c->row_count > 0 ? " [OPTION...]" : "", c->args[0] != 0 ? " " : "",
	    c->args);
	return out;
}

static int
print_help(const struct command *c)
{
	char usage[USAGE_MAX];
	AUTO(buf_fini) struct buf text = BUF(HELP_BYTES);

	if (options_help(c->rows, c->row_count, &text) != OK)
		return CLI_EXIT_FAILED;
	(void)printf("%s\n\n%s\n", usage_of(c, usage), c->summary);
	if (c->row_count > 0)
		(void)printf("\noptions:\n%.*s", SLICE_ARG(buf_slice(&text)));
	return CLI_EXIT_OK;
}

/* --- finding --- */

/* How many of the words are the command's name; 0: they are not it. */
static int
name_length(const struct command *c, int argc, char **argv)
{
	struct slice rest = slice_str(c->name);
	int words = 0;

	while (rest.len > 0) {
		struct slice word = slice_split(&rest, ' ');

		if (words == argc || !slice_eq(slice_str(argv[words]), word))
			return 0;
		words++;
	}
	return words;
}

static const struct command *
find(int argc, char **argv, int *out_words)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		*out_words = name_length(commands[i], argc, argv);
		if (*out_words > 0)
			return commands[i];
	}
	return NULL;
}

/* What a later release has. */
static bool
is_to_come(const char *word)
{
	static const char *const later[] = {"proxy", "console"};

	for (size_t i = 0; i < ARRAY_LEN(later); i++)
		if (strcmp(word, later[i]) == 0)
			return true;
	return false;
}

static int
unknown(int argc, char **argv)
{
	char text[NEAREST_TEXT_MAX];
	char words[128];
	struct nearest near;

	if (is_to_come(argv[0]))
		return command_fail(CLI_EXIT_USAGE,
		    "\"%s\" is not supported yet; `meshd help` lists what is",
		    argv[0]);
	(void)snprintf(words, sizeof(words), "%s%s%s", argv[0],
	    argc > 1 && argv[1][0] != '-' ? " " : "",
	    argc > 1 && argv[1][0] != '-' ? argv[1] : "");
	nearest_init(&near, slice_str(words));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		nearest_offer(&near, commands[i]->name);
	if (near.best == NULL)
		nearest_init(&near, slice_str(argv[0]));
	for (size_t i = 0; near.best == NULL && i < ARRAY_LEN(commands); i++)
		nearest_offer(&near, commands[i]->name);
	return command_fail(CLI_EXIT_USAGE,
	    "there is no command \"%s\"%s; `meshd help` lists them", words,
	    nearest_text(&near, text));
}

/* --- running --- */

/* What the commands that read this section ask it for. */
static void
gather_settings(const char *section, struct option_section *out,
    const char *names[SETTINGS_MAX])
{
	*out = (struct option_section){
	    .name = section, .settings = names, .sections = sections};
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = commands[i];

		if (c->section == NULL || strcmp(c->section, section) != 0)
			continue;
		for (size_t k = 0; k < c->row_count; k++) {
			if (!c->rows[k].setting)
				continue;
			CHECK(out->count < SETTINGS_MAX);
			names[out->count++] = c->rows[k].name;
		}
	}
}

static enum err
read_settings(const struct command *c, struct options *o, struct fault *why)
{
	const char *named = getenv("MESHD_CONF");
	const char *names[SETTINGS_MAX];
	struct option_section section;
	bool must = named != NULL && named[0] != 0;
	enum err e = options_read_env(o, why);

	if (e != OK || c->section == NULL)
		return e;
	gather_settings(c->section, &section, names);
	return options_read_file(
	    o, must ? named : config_default, &section, must, why);
}

/* The role that runs, as it was called. */
static struct {
	const struct command *command;
	int argc;
	char **argv;
} running;

enum err
cli_read_again(cli_use use, void *arg, struct fault *why)
{
	AUTO(options_fini) struct options o = {0};
	const struct command *c = running.command;
	bool help;
	enum err e;

	CHECK(c != NULL && c->again != NULL);
	e = options_parse(
	    &o, c->rows, c->row_count, running.argc, running.argv, &help, why);
	if (e == OK)
		e = read_settings(c, &o, why);
	return e != OK ? e : c->again(&o, use, arg, why);
}

/* A word that nobody reads may have been meant as something. */
static enum err
check_words(const struct command *c, const struct options *o, struct fault *why)
{
	char usage[USAGE_MAX];

	if (o->arg_count <= c->words)
		return OK;
	return fault_set(why, ERR_INVALID, "\"%s\" is one word too many; %s",
	    o->args[c->words], usage_of(c, usage));
}

static int
run(const struct command *c, int argc, char **argv)
{
	AUTO(options_fini) struct options o = {0};
	struct fault why = {0};
	bool help = false;
	enum err e =
	    options_parse(&o, c->rows, c->row_count, argc, argv, &help, &why);

	if (help)
		return print_help(c);
	if (e == OK)
		e = check_words(c, &o, &why);
	if (e != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "%s: %s", c->name, why.text);
	if (read_settings(c, &o, &why) != OK)
		return cli_fault(&why);
	running.command = c;
	running.argc = argc;
	running.argv = argv;
	return c->run(&o);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* The words are those behind "help": none, "token", or "token create". */
static int
help(int argc, char **argv)
{
	int words = 0;
	const struct command *c = find(argc, argv, &words);

	if (c != NULL)
		return print_help(c);
	if (argc > 1 || (argc == 1 && !is_group(argv[0])))
		return unknown(argc, argv);
	print_commands(stdout, argc > 0 ? argv[0] : "");
	return CLI_EXIT_OK;
}

int
cli_run(int argc, char **argv, const struct cli_roles *roles)
{
	static char version[] = "version";
	const struct command *c;
	int words = 0;

	roles_given = roles;
	if (argc > 1 && (strcmp(argv[1], "help") == 0 || is_help(argv[1])))
		return help(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	c = find(argc - 1, argv + 1, &words);
	if (c != NULL)
		return run(c, argc - 1 - words, argv + 1 + words);
	if (argc == 3 && is_group(argv[1]) && is_help(argv[2]))
		return help(1, argv + 1);
	if (argc > 1 && (!is_group(argv[1]) || (argc > 2 && argv[2][0] != '-')))
		return unknown(argc - 1, argv + 1);
	print_commands(stderr, argc > 1 ? argv[1] : "");
	return CLI_EXIT_USAGE;
}
