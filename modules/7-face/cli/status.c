/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status — how a server or an agent is: what it does, who is with it, what it
 * could not use, and when its certificates end.
 */
#include "base/base.h"

#include "api.h"
#include "command.h"
#include "findings.h"
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LABEL_WIDTH = 15 };

/* In the order in which a person asks; what a role has not is left out. */
static const struct line {
	const char *key;
	const char *label;
} lines[] = {
    {"role", "role"},
    {"labels", "labels"},
    {"name", "name"},
    {"version", "version"},
    {"state", "state"},
    {"trustDomain", "trust domain"},
    {"network", "network"},
    {"locality", "locality"},
    {"server", "server"},
    {"connected", "connected"},
    {"synced", "up to date"},
    {"trouble", "trouble"},
    {"revision", "revision"},
    {"resources", "resources"},
    {"quarantined", "not understood"},
    {"nodes", "nodes"},
    {"members", "members"},
    {"membersUp", "of them up"},
    {"upstreams", "upstreams"},
    {"exposed", "exposed"},
};

static void
print_line(const char *label, const struct value *v)
{
	if (v->type == VALUE_STRING && v->string.len > 0)
		(void)printf(
		    "%-*s  %.*s\n", LABEL_WIDTH, label, SLICE_ARG(v->string));
	else if (v->type == VALUE_INT)
		(void)printf(
		    "%-*s  %lld\n", LABEL_WIDTH, label, (long long)v->integer);
	else if (v->type == VALUE_BOOL)
		(void)printf("%-*s  %s\n", LABEL_WIDTH, label,
		    v->boolean ? "yes" : "no");
}

static void
print_uptime(const struct value *ms)
{
	long long s;

	if (ms == NULL || ms->type != VALUE_INT)
		return;
	s = (long long)ms->integer / 1000;
	(void)printf("%-*s  ", LABEL_WIDTH, "up for");
	if (s >= 86400)
		(void)printf("%lldd ", s / 86400);
	if (s >= 3600)
		(void)printf("%lldh ", s / 3600 % 24);
	if (s >= 60)
		(void)printf("%lldm ", s / 60 % 60);
	(void)printf("%llds\n", s % 60);
}

/* One of the answer's lists, if there is anything in it. */
static void
print_rows(const struct value *items, const char *title,
    const struct line *columns, size_t count)
{
	const char *head[TABLE_COLUMNS_MAX];
	AUTO(table_fini) struct table t = {0};

	if (items == NULL || items->count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		head[i] = columns[i].label;
	table_init(&t, head, count);
	VALUE_EACH(items, it)
	for (size_t i = 0; i < count; i++)
		table_value(&t, value_get(it, slice_str(columns[i].key)));
	(void)printf("\n%s\n", title);
	table_print(&t, stdout);
}

static uint64_t
number_of(const struct value *v, const char *path)
{
	const struct value *n = value_get_path(v, slice_str(path));

	return n != NULL && n->type == VALUE_INT ? (uint64_t)n->integer : 0;
}

static void
print_inert(const struct value *inert)
{
	uint64_t fields = number_of(inert, "fields");
	uint64_t resources = number_of(inert, "resources");

	if (fields > 0)
		(void)printf("%-*s  %" PRIu64 " field%s of %" PRIu64
			     " resource%s\n",
		    LABEL_WIDTH, "not in force", fields, command_plural(fields),
		    resources, command_plural(resources));
}

/* Loud, for as long as it is so. */
static void
print_guards(const struct value *inert)
{
	static const char *const head[] = {"RESOURCE", "FIELD"};
	AUTO(table_fini) struct table t = {0};
	uint64_t all = number_of(inert, "guards.fields"), told = 0;

	if (all == 0)
		return;
	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(inert, S("items")), it)
	{
		if (!slice_eq(
			value_get_string(it, S("id"), S("")), S("MSH0002")))
			continue;
		table_value(&t, value_get(it, S("resource")));
		table_value(&t, value_get(it, S("field")));
		told++;
	}
	(void)printf("\nNOT IN FORCE: more is let through than these say "
		     "(MSH0002)\n");
	table_print(&t, stdout);
	if (told < all)
		(void)printf("and %" PRIu64 " more\n", all - told);
}

static void
print_folder(const struct value *folder)
{
	struct slice why = value_get_string(folder, S("why"), S(""));

	if (folder == NULL)
		return;
	(void)printf("%-*s  %.*s: %.*s\n", LABEL_WIDTH, "folder",
	    SLICE_ARG(value_get_string(folder, S("path"), S(""))),
	    SLICE_ARG(value_get_string(folder, S("state"), S(""))));
	if (why.len > 0)
		(void)printf("\nThe folder is refused: %.*s\n", SLICE_ARG(why));
	findings_print_list(value_get(folder, S("errors")), "error", stdout);
}

static void
print_status(const struct value *v)
{
	static const struct line agents[] = {{"node", "AGENT"},
	    {"address", "ADDRESS"}, {"revision", "REVISION"},
	    {"refused", "REFUSED"}};
	static const struct line refusals[] = {
	    {"node", "AGENT"}, {"resource", "RESOURCE"}, {"reason", "WHY"}};
	static const struct line problems[] = {
	    {"kind", "KIND"}, {"about", "ABOUT"}, {"text", "WHY"}};
	static const struct line identities[] = {{"uri", "IDENTITY"},
	    {"ends", "ENDS"}, {"renews", "RENEWS"}, {"problem", "PROBLEM"}};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const struct value *at = value_get(v, slice_str(lines[i].key));

		if (at != NULL)
			print_line(lines[i].label, at);
	}
	print_inert(value_get(v, S("inert")));
	print_uptime(value_get(v, S("uptimeMs")));
	print_folder(value_get(v, S("folder")));
	print_guards(value_get(v, S("inert")));
	print_rows(value_get(v, S("agents")),
	    "Agents and what they have:", agents, ARRAY_LEN(agents));
	print_rows(value_get(v, S("refusals")),
	    "What agents could not use; the last good version stays:", refusals,
	    ARRAY_LEN(refusals));
	print_rows(value_get(v, S("identities")), "Certificates:", identities,
	    ARRAY_LEN(identities));
	print_rows(value_get(v, S("problems")), "What is wrong:", problems,
	    ARRAY_LEN(problems));
}

/* --- how long changes take ------------------------------------------------ */

/* Who is furthest behind first, then who is slowest. */
static int
by_lag(const void *a, const void *b)
{
	static const char *const keys[] = {"behindUs", "behind", "p99Us"};
	const struct value *x = *(const struct value *const *)a;
	const struct value *y = *(const struct value *const *)b;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		uint64_t m = number_of(x, keys[i]), n = number_of(y, keys[i]);

		if (m != n)
			return m < n ? 1 : -1;
	}
	return 0;
}

/* Nothing where there is none. */
static void
cell_ms(struct table *t, const struct value *v, const char *key, bool is_there)
{
	if (is_there)
		table_cellf(t, "%.1f", (double)number_of(v, key) / 1000);
	else
		table_cell(t, S(""));
}

static void
add_agent(struct table *t, const struct value *v)
{
	bool has_any = number_of(v, "changes") > 0;

	table_value(t, value_get(v, S("node")));
	table_value(t, value_get(v, S("changes")));
	cell_ms(t, v, "lastUs", has_any);
	cell_ms(t, v, "p50Us", has_any);
	cell_ms(t, v, "p99Us", has_any);
	table_value(t, value_get(v, S("behind")));
	cell_ms(t, v, "behindUs", number_of(v, "behindUs") > 0);
}

static void
print_propagation(const struct value *v)
{
	static const char *const head[] = {"AGENT", "CHANGES", "LAST MS",
	    "P50 MS", "P99 MS", "BEHIND", "SINCE MS"};
	const struct value *items = value_get(v, S("items"));
	AUTO(mem_free)
	const struct value **rows =
	    mem_new_array(items != NULL ? items->count + 1 : 1, sizeof(*rows));
	AUTO(table_fini) struct table t = {0};
	size_t count = 0;

	VALUE_EACH(items, it)
	rows[count++] = it;
	qsort(rows, count, sizeof(*rows), by_lag);
	table_init(&t, head, ARRAY_LEN(head));
	for (size_t i = 0; i < count; i++)
		add_agent(&t, rows[i]);
	(void)printf("%" PRIu64 " agents, %" PRIu64 " behind\n",
	    number_of(v, "agents"), number_of(v, "behind"));
	if (count > 0)
		table_print(&t, stdout);
}

static int
status(struct options *o)
{
	if (options_flag(o, "propagation"))
		return api_show(
		    o, API_SERVER, "/v1/propagation", print_propagation);
	return api_show(o, API_EITHER, "/v1/status", print_status);
}

static const struct option_row status_rows[] = {
    {"propagation", 0, OPTION_FLAG, NULL, NULL, false,
	"how long changes take to each agent"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
    OPTION_TOKEN,
};

const struct command command_status = {
    .name = "status",
    .args = "",
    .summary = "show how the server or agent is",
    .section = "cli",
    .rows = status_rows,
    .row_count = ARRAY_LEN(status_rows),
    .run = status,
};
