/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — commands on the server's configuration: delete, log level.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "command.h"
#include "table.h"

#include <stdio.h>

/* --- delete --- */

/* Keys of what is to go; the text is the arguments' or the files'. */
struct keys {
	struct body body;
	struct value *list; /* NULL: no room */
};

static void
keys_fini(struct keys *k)
{
	body_fini(&k->body);
}

static void
add_key(struct keys *keys, const struct resource_key *k)
{
	value_push(&keys->list, command_key_value(k, &keys->body.arena));
}

static enum err
add_named(struct keys *keys, const struct options *o, struct fault *why)
{
	struct resource_key k;
	enum err e = command_key(o, o->args[0], o->args[1], &k, why);

	for (size_t i = 1; e == OK && i < o->arg_count; i++) {
		k.name = slice_str(o->args[i]);
		add_key(keys, &k);
	}
	return e;
}

static enum err
add_from_files(struct keys *keys, const struct files *f,
    const struct options *o, struct fault *why)
{
	struct slice ns = slice_str(options_text(o, "namespace"));

	for (size_t i = 0; i < f->count; i++) {
		struct resource_key k;
		enum err e = resource_key_read(f->docs[i].root, ns, &k, why);

		if (e != OK) {
			fault_at(
			    why, f->docs[i].file, f->docs[i].root->line, 0);
			return e;
		}
		add_key(keys, &k);
	}
	return OK;
}

static int delete (struct options *o)
{
	AUTO(files_fini) struct files f;
	AUTO(keys_fini) struct keys keys;
	struct fault why = {0};
	enum changes_how how;
	enum err e;
	int code = changes_how(o, &how);

	files_init(&f, FILES_BYTES);
	body_init(&keys.body);
	keys.list = value_new(&keys.body.arena, VALUE_LIST);
	if (code != CLI_EXIT_OK)
		return code;
	if (o->arg_count == 1)
		return command_fail(CLI_EXIT_USAGE,
		    "say which %s: delete KIND NAME...", o->args[0]);
	if (o->arg_count > 1) {
		e = add_named(&keys, o, &why);
	} else {
		code = command_files(&f, o, /* words */ false);
		if (code != CLI_EXIT_OK)
			return code;
		e = add_from_files(&keys, &f, o, &why);
	}
	if (e != OK)
		return cli_fault(&why);
	body_set(&keys.body, "keys", keys.list);
	return changes_ask(o, "/v1/delete", &keys.body, NULL, how);
}

static const struct option_row delete_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
    OPTION_DRY_RUN,
    OPTION_BLAST,
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_delete = {
    .name = "delete",
    .args = "[KIND NAME...]",
    .words = OPTION_ARGS_MAX,
    .summary = "take configuration away, all of it or none",
    .section = "cli",
    .rows = delete_rows,
    .row_count = ARRAY_LEN(delete_rows),
    .run = delete,
};

/* --- log level --- */

static void
print_levels(const struct value *body)
{
	static const char *const head[] = {"MODULE", "LEVEL"};
	AUTO(table_fini) struct table t;

	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(body, S("items")), it)
	{
		table_value(&t, value_get(it, S("module")));
		table_value(&t, value_get(it, S("level")));
	}
	table_print(&t, stdout);
}

/* "MODULE=LEVEL", or a level for all. */
static int
set_log_level(const struct options *o, struct slice level)
{
	AUTO(arena_fini) struct arena arena;
	struct slice module = SLICE_NONE;
	struct value *body;

	arena_init(&arena, 4096);
	if (slice_find(level, '=') < level.len)
		module = slice_split(&level, '=');
	body = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &body, S("module"), module);
	value_put_text(&arena, &body, S("level"), level);
	if (body == NULL)
		return command_fail(CLI_EXIT_USAGE, "log level: too long");
	return api_do(o, API_EITHER, "/v1/log-levels", body, "changed");
}

static int
log_level(struct options *o)
{
	if (o->arg_count == 0)
		return api_show(o, API_EITHER, "/v1/log-levels", print_levels);
	if (o->arg_count == 1)
		return set_log_level(o, slice_str(o->args[0]));
	return command_fail(
	    CLI_EXIT_USAGE, "log level: give one [MODULE=]LEVEL");
}

static const struct option_row log_level_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_log_levels = {
    .name = "log level",
    .args = "[[MODULE=]LEVEL]",
    .words = 1,
    .summary = "show or change how much a server or agent logs",
    .section = "cli",
    .rows = log_level_rows,
    .row_count = ARRAY_LEN(log_level_rows),
    .run = log_level,
};
