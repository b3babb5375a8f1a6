/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history — what configuration was: who changed it, and back to it.
 */
#include "base/base.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "command.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_BYTES = 4096, WHAT_BYTES = 4096, PATHS_SHOWN = 3 };

/* --- history --- */

/* "updated spec.a, spec.b and 2 more": as much as an eye takes in. */
static void
say_what(const struct value *row, struct buf *out)
{
	const struct value *list = value_get(row, S("differences"));
	const char *gap = " ";
	size_t told = 0;
	enum err e =
	    buf_add_slice(out, value_get_string(row, S("what"), SLICE_NONE));

	VALUE_EACH(list, it)
	{
		struct slice path = value_get_string(it, S("path"), S(""));

		if (e != OK || told == PATHS_SHOWN)
			break;
		e = buf_printf(out, "%s%.*s", gap, SLICE_ARG(path));
		gap = ", ";
		told++;
	}
	if (e == OK && list != NULL && told < list->count)
		e = buf_printf(out, " and %zu more", list->count - told);
	if (e != OK)
		buf_reset(out); /* shown as nothing */
}

static void
print_history(const struct value *body)
{
	static const char *const head[] = {"REVISION", "TIME", "WHO", "WHAT"};
	AUTO(table_fini) struct table t;

	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(body, S("items")), it)
	{
		AUTO(buf_fini) struct buf what = BUF(WHAT_BYTES);

		say_what(it, &what);
		table_value(&t, value_get(it, S("revision")));
		table_value(&t, value_get(it, S("time")));
		table_value(&t, value_get(it, S("actor")));
		table_cell(&t, buf_slice(&what));
	}
	table_print(&t, stdout);
}

static int
history(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	bool of_one = o->arg_count == 2;

	if (o->arg_count != 0 && !of_one)
		return command_fail(CLI_EXIT_USAGE,
		    "say of what: history KIND NAME, or nothing for all");
	if (buf_add_slice(&path, S("/v1/history")) != OK ||
	    api_path_add(&path, "limit", options_text(o, "limit")) != OK ||
	    api_path_add(&path, "kind", of_one ? o->args[0] : NULL) != OK ||
	    api_path_add(&path, "name", of_one ? o->args[1] : NULL) != OK ||
	    api_path_add(&path, "namespace",
		of_one ? options_text(o, "namespace") : NULL) != OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "history: words too long");
	return api_show(o, API_SERVER, buf_slice(&path).ptr, print_history);
}

static const struct option_row history_rows[] = {
    {"limit", 0, OPTION_NUMBER, "N", "20", false, "how many, at most 1000"},
    OPTION_NAMESPACE,
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_history = {
    .name = "history",
    .args = "[KIND NAME]",
    .words = 2,
    .summary = "show who changed what, and when",
    .section = "cli",
    .rows = history_rows,
    .row_count = ARRAY_LEN(history_rows),
    .run = history,
};

static const struct option_row log_rows[] = {
    {"limit", 0, OPTION_NUMBER, "N", "20", false, "how many, at most 1000"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_log = {
    .name = "log",
    .args = "",
    .summary = "show who changed what",
    .section = "cli",
    .rows = log_rows,
    .row_count = ARRAY_LEN(log_rows),
    .run = history,
};

/* --- rollback --- */

/* "[KIND NAME] REVISION" */
static enum err
read_words(const struct options *o, struct body *b, struct fault *why)
{
	struct slice text = slice_str(o->args[o->arg_count - 1]);
	struct resource_key key;
	uint64_t revision;
	enum err e = OK;

	if (slice_to_u64(text, &revision) != OK || revision > INT64_MAX)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no revision; `meshd history` lists them",
		    SLICE_ARG(text));
	body_set(b, "revision", value_new_int(&b->arena, (int64_t)revision));
	if (o->arg_count == 3)
		e = command_key(o, o->args[0], o->args[1], &key, why);
	if (e == OK && o->arg_count == 3)
		body_set(b, "key", command_key_value(&key, &b->arena));
	return e;
}

static int
rollback(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	AUTO(body_fini) struct body b;
	enum changes_how how;
	struct fault why = {0};
	int code = changes_how(o, &how);

	body_init(&b);
	if (code != CLI_EXIT_OK)
		return code;
	if (o->arg_count != 1 && o->arg_count != 3)
		return command_fail(CLI_EXIT_USAGE,
		    "say to what: rollback [KIND NAME] REVISION");
	if (read_words(o, &b, &why) != OK)
		return cli_fault(&why);
	if (buf_add_slice(&path, S("/v1/rollback")) != OK ||
	    api_path_flag(
		&path, "allowInert", options_flag(o, "allow-inert")) != OK ||
	    api_path_flag(&path, "force", options_flag(o, "force")) != OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "rollback: too long");
	return changes_ask(o, buf_slice(&path).ptr, &b, NULL, how);
}

static const struct option_row rollback_rows[] = {
    OPTION_DRY_RUN,
    OPTION_BLAST,
    OPTION_ALLOW_INERT,
    OPTION_FORCE,
    OPTION_NAMESPACE,
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_rollback = {
    .name = "rollback",
    .args = "[KIND NAME] REVISION",
    .words = 3,
    .summary = "bring back configuration as it was",
    .section = "cli",
    .rows = rollback_rows,
    .row_count = ARRAY_LEN(rollback_rows),
    .run = rollback,
};
