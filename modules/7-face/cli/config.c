/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config — commands on the server's configuration: get, delete.
 */
#include "base/base.h"
#include "files/files.h"
#include "model/model.h"

#include "api.h"
#include "changes.h"
#include "command.h"
#include "findings.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 4096 };

/* --- shared --- */

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

/* --- get --- */

static const char *const get_head[] = {
    "NAMESPACE", "KIND", "NAME", "REVISION", "CREATED"};

static void
print_items(const struct value *items)
{
	AUTO(table_fini) struct table t;

	table_init(&t, get_head, ARRAY_LEN(get_head));
	VALUE_EACH(items, it)
	{
		const struct value *meta = value_get(it, S("metadata"));

		table_cell(&t, text_of(meta, S("namespace")));
		table_cell(&t, text_of(it, S("kind")));
		table_cell(&t, text_of(meta, S("name")));
		table_cell(&t, text_of(meta, S("resourceVersion")));
		table_cell(&t, text_of(meta, S("creationTimestamp")));
	}
	table_print(&t, stdout);
}

/* Each as a document of its own, so that it can be applied again. */
static int
print_yaml(const struct value *items)
{
	struct fault why = {0};

	VALUE_EACH(items, it)
	{
		(void)printf("---\n");
		if (output_value(OUTPUT_YAML, it, &why) != OK)
			return cli_fault(&why);
	}
	return CLI_EXIT_OK;
}

/* One that was named has to be there. */
static int
not_there(const struct options *o)
{
	const char *ns = options_text(o, "namespace");

	return command_fail(CLI_EXIT_INVALID,
	    "there is no %s %s%s%s; see them with: meshd get %s", o->args[0],
	    o->args[1], ns != NULL ? " in namespace " : "",
	    ns != NULL ? ns : "", o->args[0]);
}

static int
print_answer(const struct options *o, const struct value *body, enum output how)
{
	const struct value *items = value_get(body, S("items"));
	struct fault why = {0};

	if (o->arg_count > 1 && (items == NULL || items->count == 0))
		return not_there(o);
	if (how == OUTPUT_YAML)
		return print_yaml(items);
	if (how == OUTPUT_JSON)
		return output_value(how, body, &why) == OK ? CLI_EXIT_OK
							   : cli_fault(&why);
	print_items(items);
	return CLI_EXIT_OK;
}

static int
get(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	AUTO(api_answer_fini) struct api_answer a = {0};
	struct api_question q = {API_SERVER, "GET", NULL, NULL};
	struct fault why = {0};
	enum output how;
	bool all = o->arg_count == 0 || strcmp(o->args[0], "all") == 0;

	if (output_parse(options_text(o, "output"), &how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: %s", why.text);
	if (buf_add_slice(&path, S("/v1/resources")) != OK ||
	    api_path_add(&path, "kind", all ? NULL : o->args[0]) != OK ||
	    api_path_add(&path, "name", o->arg_count > 1 ? o->args[1] : NULL) !=
		OK ||
	    api_path_add(&path, "namespace", options_text(o, "namespace")) !=
		OK ||
	    buf_add_byte(&path, 0) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: names too long");
	q.path = buf_slice(&path).ptr;
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	return a.status == 200 ? print_answer(o, a.body, how) : api_refused(&a);
}

static const struct option_row get_rows[] = {
    {"namespace", 'n', OPTION_TEXT, "NAME", NULL, false,
	"only of this namespace"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_get = {
    .name = "get",
    .args = "[all | KIND [NAME]]",
    .words = 2,
    .summary = "show configuration",
    .section = "cli",
    .rows = get_rows,
    .row_count = ARRAY_LEN(get_rows),
    .run = get,
};

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
	struct arena *a = &keys->body.arena;
	struct value *m = value_new(a, VALUE_MAP);

	value_put_text(a, &m, S("group"), k->group);
	value_put_text(a, &m, S("kind"), k->kind);
	value_put_text(a, &m, S("namespace"), k->ns);
	value_put_text(a, &m, S("name"), k->name);
	value_push(&keys->list, m);
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
	enum err e;
	int code;

	files_init(&f, FILES_BYTES);
	body_init(&keys.body);
	keys.list = value_new(&keys.body.arena, VALUE_LIST);
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
	return changes_ask(o, "/v1/delete", &keys.body, NULL, CHANGES_DONE);
}

static const struct option_row delete_rows[] = {
    OPTION_FILES,
    OPTION_NAMESPACE,
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
