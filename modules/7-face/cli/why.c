/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why — what happened to one request, by its x-request-id.
 */
#include "base/base.h"

#include "api.h"
#include "command.h"
#include "flow_text.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 2048, TEXT_BYTES = 1 << 20, LABEL_WIDTH = 9 };

static void
row(const char *label, struct slice text)
{
	output_line(label, LABEL_WIDTH, text);
}

static void
print_party(const struct value *flow, const char *key, const char *label,
    struct slice before, struct arena *a)
{
	const struct value *p = value_get(flow, slice_str(key));
	struct slice who = flow_text(p, "identity", a);

	if (who.len == 0)
		who = flow_text(p, "workload", a);
	row(label,
	    arena_printf(a, "%.*s%s%.*s", SLICE_ARG(before),
		before.len > 0 && who.len > 0 ? ", " : "", SLICE_ARG(who)));
}

static void
print_request(const struct value *flow, struct arena *a)
{
	row("request", arena_printf(a, "%.*s %.*s%.*s (%.*s)",
			   SLICE_ARG(flow_text(flow, "method", a)),
			   SLICE_ARG(flow_text(flow, "authority", a)),
			   SLICE_ARG(flow_text(flow, "path", a)),
			   SLICE_ARG(flow_text(flow, "protocol", a))));
	row("id", flow_text(flow, "id", a));
	row("began", arena_printf(a, "%.*s, and took %.1f ms",
			 SLICE_ARG(flow_text(flow, "time", a)),
			 flow_ms(flow, "durationMs")));
	print_party(flow, "source", "from", flow_text(flow, "client", a), a);
}

static void
print_outcome(const struct value *flow, struct arena *a)
{
	struct slice reason = flow_text(flow, "reason", a);
	struct slice details = flow_text(flow, "details", a);

	row("outcome",
	    arena_printf(a, "%.*s%s%.*s", SLICE_ARG(flow_outcome(flow, a)),
		reason.len + details.len > 0 ? "  " : "",
		SLICE_ARG(reason.len > 0 ? reason : details)));
	row("answered", flow_text(flow, "proxyStatus", a));
	row("route", flow_route(flow, a));
	row("service", flow_text(flow, "service", a));
	row("cluster", flow_text(flow, "cluster", a));
}

/* The last one is the request's own end. */
static void
add_try(struct table *t, const struct value *try, size_t number, double ms,
    struct arena *a)
{
	table_cellf(t, "%zu", number);
	table_cell(t, flow_text(try, "endpoint", a));
	table_cellf(t, "%.1f", ms);
	table_cell(t, flow_outcome(try, a));
	table_cell(t, flow_text(try, "reason", a));
}

static void
print_tries(const struct value *flow, struct arena *a)
{
	static const char *const head[] = {
	    "TRY", "ENDPOINT", "OVER AFTER MS", "ENDED", "WHY"};
	AUTO(table_fini) struct table t = {0};
	size_t n = 0;

	if (flow_text(flow, "endpoint", a).len == 0 &&
	    value_get(flow, S("tries")) == NULL)
		return;
	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(value_get(flow, S("tries")), it)
	add_try(&t, it, ++n, flow_ms(it, "endedMs"), a);
	add_try(&t, flow, ++n, flow_ms(flow, "durationMs"), a);
	table_print(&t, stdout);
}

static void
print_times(const struct value *flow, struct arena *a)
{
	static const struct {
		const char *key;
		const char *words;
	} points[] = {{"requestCameMs", "all of the request was here"},
	    {"sentMs", "sent on"}, {"allSentMs", "all of it sent"},
	    {"answeredMs", "the answer began"}, {"answerSentMs", "passed on"},
	    {"answerCameMs", "all of it was here"}};
	struct slice all = S("");

	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		double ms = flow_ms(flow, points[i].key);

		if (ms >= 0)
			all = arena_printf(a, "%.*s%s%s %.1f", SLICE_ARG(all),
			    all.len > 0 ? ", " : "", points[i].words, ms);
	}
	row("ms", all);
}

/* There is another agent, which saw the bytes only; but what that machine
 * calls on with the same id, it knows. */
static void
print_other_end(const struct value *flow, struct arena *a)
{
	struct slice node = flow_text(flow, "node", a);

	print_party(flow, "destination", "to", node, a);
	if (node.len > 0)
		(void)printf("What %.*s called for it, with the same id, is "
			     "known there: meshd why %.*s\n",
		    SLICE_ARG(node), SLICE_ARG(flow_text(flow, "id", a)));
}

static void
print_items(const struct value *items)
{
	VALUE_EACH(items, it)
	{
		AUTO(arena_fini) struct arena a = {0};

		arena_init(&a, TEXT_BYTES);
		if (it != items->child)
			(void)putchar('\n');
		print_request(it, &a);
		print_outcome(it, &a);
		print_times(it, &a);
		print_tries(it, &a);
		print_other_end(it, &a);
	}
}

static int
show(const struct options *o, const char *path, enum output how)
{
	AUTO(api_answer_fini) struct api_answer answer = {0};
	const struct api_question q = {API_AGENT, "GET", path, NULL};
	const struct value *items;
	struct fault why = {0};
	int code;

	if (api_ask(o, &q, &answer, &why) != OK)
		return cli_fault(&why);
	code = api_refused(&answer);
	if (code != CLI_EXIT_OK)
		return code;
	items = value_get(answer.body, S("items"));
	if (items == NULL || items->count == 0)
		return command_fail(CLI_EXIT_INVALID,
		    "this agent remembers no request with the id \"%s\"; those "
		    "that went well are soon forgotten, and each agent knows "
		    "what was sent from its own machine",
		    o->args[0]);
	if (how == OUTPUT_TABLE)
		print_items(items);
	else if (output_value(how, answer.body, &why) != OK)
		return cli_fault(&why);
	return CLI_EXIT_OK;
}

static int
why(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	struct fault fault = {0};
	enum output how;
	enum err e;

	if (output_parse(options_text(o, "output"), &how, &fault) != OK)
		return command_fail(CLI_EXIT_USAGE, "why: %s", fault.text);
	if (o->arg_count == 0)
		return command_fail(CLI_EXIT_USAGE,
		    "why: say which request, by its x-request-id; the access "
		    "log and `meshd tap` have it");
	e = buf_add_slice(&path, S("/v1/why"));
	if (e == OK)
		e = api_path_add(&path, "id", o->args[0]);
	if (e == OK)
		e = buf_add_byte(&path, 0);
	if (e != OK)
		return command_fail(CLI_EXIT_USAGE, "why: the id is too long");
	return show(o, buf_slice(&path).ptr, how);
}

static const struct option_row why_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_why = {
    .name = "why",
    .args = "REQUEST_ID",
    .words = 1,
    .summary = "show what happened to a request",
    .section = "cli",
    .rows = why_rows,
    .row_count = ARRAY_LEN(why_rows),
    .run = why,
};
