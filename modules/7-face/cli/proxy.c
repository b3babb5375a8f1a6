/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — what a machine's proxy is made of, in tables with their sources.
 */
#include "base/base.h"

#include "api.h"
#include "command.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 1024, COLUMNS_MAX = 9 };

static const struct kind {
	const char *name;
	const char *columns[COLUMNS_MAX]; /* members of a row */
	const char *head[COLUMNS_MAX];
} kinds[] = {
    {"listeners",
	{"direction", "caller", "name", "chain", "takes", "tls", "peers", "to",
	    "origin"},
	{"DIRECTION", "CALLER", "LISTENER", "CHAIN", "TAKES", "TLS", "PEERS",
	    "TO", "FROM"}},
    {"routes", {"caller", "host", "rule", "asks", "to", "origin"},
	{"CALLER", "VIRTUAL HOST", "RULE", "ASKS", "TO", "FROM"}},
    {"clusters", {"name", "balancer", "endpoints", "usable", "origin"},
	{"CLUSTER", "BALANCER", "ENDPOINTS", "USABLE", "FROM"}},
    {"endpoints",
	{"cluster", "address", "name", "node", "identity", "locality", "weight",
	    "state"},
	{"CLUSTER", "ADDRESS", "BY NAME", "NODE", "IDENTITY", "LOCALITY",
	    "WEIGHT", "STATE"}},
    {"policies", {"workload", "action", "policy", "asks", "origin"},
	{"WORKLOAD", "ACTION", "POLICY", "ASKS", "FROM"}},
};

static const struct kind *
find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static void
print_table(const struct kind *k, const struct value *rows)
{
	struct table t;
	size_t n = 0;

	while (n < COLUMNS_MAX && k->columns[n] != NULL)
		n++;
	table_init(&t, k->head, n);
	VALUE_EACH(rows, it)
	{
		for (size_t i = 0; i < n; i++)
			table_value(
			    &t, value_get(it, slice_str(k->columns[i])));
	}
	table_print(&t, stdout);
	table_fini(&t);
}

/* What the one who tells it cannot know. */
static void
print_unknown(const struct value *sentences)
{
	static const char *const head[] = {"NOT KNOWN HERE"};
	struct table t;

	if (sentences == NULL)
		return;
	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(sentences, it)
	table_value(&t, it);
	table_print(&t, stdout);
	table_fini(&t);
	(void)putchar('\n');
}

static void
print(const struct kind *k, const struct value *items, bool is_first)
{
	VALUE_EACH(items, it)
	{
		const struct value *rows = value_get(it, S("rows"));
		size_t count = rows != NULL ? rows->count : 0;

		if (is_first)
			print_unknown(value_get(it, S("unknown")));
		(void)printf("%s%.*s, %s: %zu\n",
		    it == items->child ? "" : "\n",
		    SLICE_ARG(value_get_string(it, S("caller"), S("-"))),
		    k->name, count);
		if (count > 0)
			print_table(k, rows);
	}
}

/* What is asked: at most a machine and a table, in this order. */
struct asked {
	const char *node;        /* NULL: this one */
	const struct kind *only; /* NULL: all */
};

static enum err
read_words(const struct options *o, struct asked *out, struct fault *why)
{
	const char *last = o->arg_count > 0 ? o->args[o->arg_count - 1] : NULL;

	*out = (struct asked){0};
	if (last != NULL)
		out->only = find_kind(last);
	if (o->arg_count == 2 && out->only == NULL)
		return fault_set(why, ERR_INVALID,
		    "there is listeners, routes, clusters, endpoints and "
		    "policies, and no %s",
		    last);
	if (o->arg_count == 2 || (o->arg_count == 1 && out->only == NULL))
		out->node = o->args[0];
	return OK;
}

static enum err
path_of(const struct asked *asked, const struct kind *k, struct buf *out)
{
	enum err e = buf_add_slice(out, S("/v1/proxy"));

	if (e == OK)
		e = api_path_add(out, "table", k->name);
	if (e == OK)
		e = api_path_add(out, "node", asked->node);
	return e == OK ? buf_add_byte(out, 0) : e;
}

/* One table; for programs it is kept in `all` instead of printed. */
static int
show(const struct options *o, const struct asked *asked, const struct kind *k,
    struct arena *arena, struct value **all)
{
	AUTO(api_answer_fini) struct api_answer a = {0};
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	struct api_question q = {API_EITHER, "GET", NULL, NULL};
	const struct value *items;
	struct fault why = {0};
	int code;

	if (path_of(asked, k, &path) != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "proxy config: the name is too long");
	q.path = buf_slice(&path).ptr;
	if (api_ask(o, &q, &a, &why) != OK)
		return cli_fault(&why);
	code = api_refused(&a);
	items = value_get(a.body, S("items"));
	if (code != CLI_EXIT_OK)
		return code;
	if (arena == NULL)
		print(k, items, k == asked->only || k == kinds);
	else
		value_put(all, slice_str(k->name), value_copy(items, arena));
	return CLI_EXIT_OK;
}

static int
show_all(const struct options *o, const struct asked *asked,
    struct arena *arena, struct value **all)
{
	int code = CLI_EXIT_OK;
	bool first = true;

	for (size_t i = 0; code == CLI_EXIT_OK && i < ARRAY_LEN(kinds); i++) {
		if (asked->only != NULL && asked->only != &kinds[i])
			continue;
		if (!first && arena == NULL)
			(void)putchar('\n');
		first = false;
		code = show(o, asked, &kinds[i], arena, all);
	}
	return code;
}

static int
proxy_config(struct options *o)
{
	enum { ARENA_BYTES = 512 << 20 };
	AUTO(arena_fini) struct arena arena = {0};
	struct asked asked;
	struct value *all;
	struct fault why = {0};
	enum output how;
	int code;

	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    read_words(o, &asked, &why) != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "proxy config: %s", why.text);
	if (how == OUTPUT_TABLE)
		return show_all(o, &asked, NULL, NULL);
	arena_init(&arena, ARENA_BYTES);
	all = value_new(&arena, VALUE_MAP);
	code = show_all(o, &asked, &arena, &all);
	if (code != CLI_EXIT_OK)
		return code;
	if (all == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "there is too much for one text");
	return output_value(how, all, &why) == OK ? CLI_EXIT_OK
						  : cli_fault(&why);
}

static const struct option_row proxy_config_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_proxy_config = {
    .name = "proxy config",
    .args = "[NODE] [listeners|routes|clusters|endpoints|policies]",
    .words = 2,
    .summary = "show what a machine's proxy is made of, and whence",
    .section = "cli",
    .rows = proxy_config_rows,
    .row_count = ARRAY_LEN(proxy_config_rows),
    .run = proxy_config,
};
