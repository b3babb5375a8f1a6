/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get — configuration as it is stored, page by page: there may be very much.
 */
#include "base/base.h"

#include "api.h"
#include "command.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 8192, ITEMS_BYTES = 2047 << 20 };

/* What has come so far. */
struct gathered {
	enum output how;
	struct table table;  /* OUTPUT_TABLE */
	struct arena arena;  /* OUTPUT_JSON: */
	struct value *items; /* NULL: too many */
	size_t count;
};

static void
gathered_fini(struct gathered *g)
{
	table_fini(&g->table);
	arena_fini(&g->arena);
}

static struct slice
text_of(const struct value *v, struct slice key)
{
	return value_get_string(v, key, SLICE_NONE);
}

static void
add_row(struct table *t, const struct value *item)
{
	const struct value *meta = value_get(item, S("metadata"));

	table_cell(t, text_of(meta, S("namespace")));
	table_cell(t, text_of(item, S("kind")));
	table_cell(t, text_of(meta, S("name")));
	table_cell(t, text_of(meta, S("resourceVersion")));
	table_cell(t, text_of(meta, S("creationTimestamp")));
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

static int
take_page(struct gathered *g, const struct value *items)
{
	if (g->how == OUTPUT_YAML)
		return print_yaml(items);
	VALUE_EACH(items, it)
	if (g->how == OUTPUT_TABLE)
		add_row(&g->table, it);
	else
		value_push(&g->items, value_copy(it, &g->arena));
	return CLI_EXIT_OK;
}

static int
print_all(struct gathered *g)
{
	struct value *all;
	struct fault why = {0};

	if (g->how == OUTPUT_TABLE)
		table_print(&g->table, stdout);
	if (g->how != OUTPUT_JSON)
		return CLI_EXIT_OK;
	all = value_new(&g->arena, VALUE_MAP);
	value_put(&all, S("items"), g->items);
	if (all == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "there is too much for one text");
	return output_value(OUTPUT_JSON, all, &why) == OK ? CLI_EXIT_OK
							  : cli_fault(&why);
}

/* The page behind the resource that `after` names; "": the first. */
static enum err
page_path(const struct options *o, const char *after, struct buf *out)
{
	bool all = o->arg_count == 0 || strcmp(o->args[0], "all") == 0;
	enum err e = buf_add_slice(out, S("/v1/resources"));

	if (e == OK)
		e = api_path_add(out, "kind", all ? NULL : o->args[0]);
	if (e == OK)
		e = api_path_add(
		    out, "name", o->arg_count > 1 ? o->args[1] : NULL);
	if (e == OK)
		e = api_path_add(
		    out, "namespace", options_text(o, "namespace"));
	if (e == OK)
		e = api_path_add(out, "after", after);
	return e == OK ? buf_add_byte(out, 0) : e;
}

/* Moves `after` on; it is empty when this was the last. */
static int
get_page(const struct options *o, struct gathered *g, struct buf *after)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	struct api_question q = {API_SERVER, "GET", NULL, NULL};
	const struct value *items;
	struct slice next;
	struct fault why = {0};
	int code;

	if (page_path(o, buf_slice(after).ptr, &path) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: names too long");
	q.path = buf_slice(&path).ptr;
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	code = api_refused(&a);
	items = value_get(a.body, S("items"));
	g->count += items != NULL ? items->count : 0;
	if (code == CLI_EXIT_OK)
		code = take_page(g, items);
	next = text_of(a.body, S("next"));
	buf_reset(after);
	if (code == CLI_EXIT_OK && next.len > 0 &&
	    (buf_add_slice(after, next) != OK || buf_add_byte(after, 0) != OK))
		return command_fail(CLI_EXIT_FAILED, "get: name too long");
	return code;
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
get(struct options *o)
{
	static const char *const head[] = {
	    "NAMESPACE", "KIND", "NAME", "REVISION", "CREATED"};
	AUTO(gathered_fini) struct gathered g = {0};
	AUTO(buf_fini) struct buf after = BUF(PATH_BYTES);
	struct fault why = {0};
	int code;

	table_init(&g.table, head, ARRAY_LEN(head));
	arena_init(&g.arena, ITEMS_BYTES);
	g.arena.secret = true;
	g.items = value_new(&g.arena, VALUE_LIST);
	if (output_parse(options_text(o, "output"), &g.how, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "get: %s", why.text);
	do
		code = get_page(o, &g, &after);
	while (code == CLI_EXIT_OK && buf_len(&after) > 0);
	if (code == CLI_EXIT_OK && o->arg_count > 1 && g.count == 0)
		return not_there(o);
	return code == CLI_EXIT_OK ? print_all(&g) : code;
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
