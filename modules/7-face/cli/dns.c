/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns — what the name server of this machine says to a name, and why; and that
 * programs are not sent to it any more.
 */
#include "dns/dns.h"
#include "base/base.h"
#include "dns/dns.h"
#include "loop/loop.h"
#include "node/node.h"

#include "api.h"
#include "command.h"
#include "flow_text.h"
#include "output.h"
#include "table.h"

#include <stdio.h>

enum { PATH_BYTES = 8192, TEXT_BYTES = 1 << 20, LABEL_WIDTH = 8 };

static void
row(const char *label, struct slice text)
{
	output_line(label, LABEL_WIDTH, text);
}

static void
print_records(const struct value *records)
{
	static const char *const head[] = {
	    "NAME", "TYPE", "TTL", "DATA", "SECTION"};
	AUTO(table_fini) struct table t = {0};

	if (records == NULL || records->count == 0)
		return;
	table_init(&t, head, ARRAY_LEN(head));
	VALUE_EACH(records, it)
	{
		table_value(&t, value_get(it, S("name")));
		table_value(&t, value_get(it, S("type")));
		table_value(&t, value_get(it, S("ttl")));
		table_value(&t, value_get(it, S("data")));
		table_value(&t, value_get(it, S("section")));
	}
	table_print(&t, stdout);
}

static void
print_told(const struct value *told)
{
	AUTO(arena_fini) struct arena a = {0};
	struct slice upstream;

	arena_init(&a, TEXT_BYTES);
	upstream = flow_text(told, "upstream", &a);
	row("question", arena_printf(&a, "%.*s %.*s",
			    SLICE_ARG(flow_text(told, "name", &a)),
			    SLICE_ARG(flow_text(told, "type", &a))));
	row("answer", arena_printf(&a, "%.*s, %.*s: %.*s",
			  SLICE_ARG(flow_text(told, "code", &a)),
			  SLICE_ARG(flow_text(told, "result", &a)),
			  SLICE_ARG(flow_text(told, "why", &a))));
	row("form", flow_text(told, "form", &a));
	row("service", flow_text(told, "service", &a));
	row("origin", flow_text(told, "origin", &a));
	if (upstream.len > 0)
		row("asked",
		    arena_printf(&a, "%.*s, in %.1f ms", SLICE_ARG(upstream),
			(double)value_get_int(told, S("tookUs"), 0) / 1000));
	print_records(value_get(told, S("records")));
}

static int
query(struct options *o)
{
	AUTO(buf_fini) struct buf path = BUF(PATH_BYTES);
	uint16_t type;
	enum err e;

	if (o->arg_count == 0)
		return command_fail(
		    CLI_EXIT_USAGE, "dns query: say which name");
	if (o->arg_count > 1 &&
	    dns_type_parse(slice_str(o->args[1]), &type) != OK)
		return command_fail(CLI_EXIT_USAGE,
		    "dns query: \"%s\" is no type of DNS: A, AAAA, SRV, PTR, "
		    "ANY, TYPE65",
		    o->args[1]);
	e = buf_add_slice(&path, S("/v1/dns"));
	if (e == OK)
		e = api_path_add(&path, "name", o->args[0]);
	if (e == OK && o->arg_count > 1)
		e = api_path_add(&path, "type", o->args[1]);
	if (e == OK)
		e = buf_add_byte(&path, 0);
	if (e != OK)
		return command_fail(
		    CLI_EXIT_USAGE, "dns query: the name is too long");
	return api_show(o, API_AGENT, buf_slice(&path).ptr, print_told);
}

static const struct option_row query_rows[] = {
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_dns_query = {
    .name = "dns query",
    .args = "NAME [TYPE]",
    .words = 2,
    .summary = "ask the agent's name server, and say why it answers so",
    .section = "cli",
    .rows = query_rows,
    .row_count = ARRAY_LEN(query_rows),
    .run = query,
};

/* --- unwire --- */

struct unwiring {
	struct loop *loop;
	enum err e;
	struct fault why;
	bool done;
};

static void
on_unwired(void *arg, enum err e, const struct fault *why)
{
	struct unwiring *u = arg;

	u->e = e;
	u->why = *why;
	u->done = true;
}

static int
unwire(struct options *o)
{
	AUTO(loop_free) struct loop *l = loop_new(NULL);
	struct unwiring u = {.loop = l};

	wiring_restore(l, options_text(o, "state"), on_unwired, &u);
	while (!u.done)
		loop_turn(l, /* wait_us */ 100000);
	loop_settle(l);
	if (u.e == ERR_NOT_FOUND) {
		(void)printf("nothing is wired\n");
		return CLI_EXIT_OK;
	}
	if (u.e != OK)
		return cli_fault(&u.why);
	(void)printf("names are looked up as they were before\n");
	return CLI_EXIT_OK;
}

static const struct option_row unwire_rows[] = {
    {"state", 0, OPTION_TEXT, "DIR", NODE_STATE_DIR, false,
	"of the agent that did it"},
};

const struct command command_dns_unwire = {
    .name = "dns unwire",
    .args = "",
    .summary = "take back what an agent changed so that it is asked for names",
    .section = "cli",
    .rows = unwire_rows,
    .row_count = ARRAY_LEN(unwire_rows),
    .run = unwire,
};
