/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap — requests to a service and from it, as they happen.
 */
#include "base/base.h"
#include "codec/codec.h"

#include "api.h"
#include "command.h"
#include "flow_text.h"
#include "output.h"

#include <stdio.h>

enum { BODY_BYTES = 64 << 10, LINE_BYTES = 1 << 20 };

struct tapping {
	enum output how;
	bool broken; /* a line made no sense, or nobody reads ours */
};

static void
print_end(const struct value *flow, struct arena *a)
{
	struct slice endpoint = flow_text(flow, "endpoint", a);
	struct slice route = flow_route(flow, a);
	struct slice reason = flow_text(flow, "reason", a);

	(void)printf("  %.1f ms", flow_ms(flow, "durationMs"));
	(void)printf("  %.*s", SLICE_ARG(endpoint.len > 0 ? endpoint : S("-")));
	(void)printf("  %.*s", SLICE_ARG(route.len > 0 ? route : S("-")));
	if (reason.len > 0)
		(void)printf("  %.*s", SLICE_ARG(reason));
	(void)putchar('\n');
}

/* "11:02:03.123  out  GET  web/x  200 -  1.2 ms  10.0.0.7:80  v2 (…)" */
static void
print_flow(const struct value *flow, struct arena *a)
{
	struct slice kind = flow_text(flow, "kind", a);
	struct slice host = flow_text(flow, "authority", a);
	struct slice time = flow_text(flow, "time", a);
	bool is_bytes = slice_eq(kind, S("tcp"));
	struct slice method = is_bytes ? kind : flow_text(flow, "method", a);

	if (host.len == 0 || is_bytes)
		host = flow_text(flow, "service", a);
	(void)printf("%.*s  %-3.*s  %.*s  %.*s%.*s  %.*s",
	    SLICE_ARG(slice_sub(time, 11, 12)),
	    SLICE_ARG(flow_text(flow, "direction", a)),
	    SLICE_ARG(method.len > 0 ? method : S("-")),
	    SLICE_ARG(host.len > 0 ? host : S("-")),
	    SLICE_ARG(flow_text(flow, "path", a)),
	    SLICE_ARG(flow_outcome(flow, a)));
	print_end(flow, a);
}

static bool
print_line(struct slice line)
{
	AUTO(arena_fini) struct arena a = {0};
	const struct value *flow = NULL;
	int64_t lost;

	arena_init(&a, LINE_BYTES);
	if (codec_json_parse(line, &a, &flow, NULL) != OK)
		return false;
	lost = value_get_int(flow, S("lost"), 0);
	if (lost > 0)
		(void)printf(
		    "(%lld more that this terminal was too slow for)\n",
		    (long long)lost);
	else
		print_flow(flow, &a);
	return true;
}

static bool
on_line(void *arg, struct slice line)
{
	struct tapping *t = arg;

	if (t->how == OUTPUT_TABLE)
		t->broken = !print_line(line);
	else
		(void)printf("%.*s\n", SLICE_ARG(line));
	t->broken = t->broken || fflush(stdout) != 0;
	return !t->broken;
}

static enum err
make_body(const struct options *o, struct arena *a, struct value **out,
    struct fault *why)
{
	struct value *m = value_new(a, VALUE_MAP);
	struct value *match = value_new(a, VALUE_LIST);
	uint64_t count = 0, us = 0;
	enum err e = options_number(o, "count", &count, why);

	if (e == OK)
		e = options_duration_us(o, "duration", &us, why);
	if (e == OK && o->arg_count == 0)
		e = fault_set(
		    why, ERR_INVALID, "say which service, or '*' for all");
	if (e != OK)
		return e;
	value_put_text(a, &m, S("service"), slice_str(o->args[0]));
	for (size_t i = 1; i < o->arg_count; i++)
		value_push_text(a, &match, slice_str(o->args[i]));
	value_put(&m, S("match"), match);
	value_put_int(a, &m, S("count"), (int64_t)count);
	value_put_int(a, &m, S("durationMs"), (int64_t)(us / 1000));
	*out = m;
	return m != NULL ? OK : fault_set(why, ERR_LIMIT, "that is too much");
}

static enum err
read_output(const struct options *o, enum output *out, struct fault *why)
{
	enum err e = output_parse(options_text(o, "output"), out, why);

	if (e == OK && *out == OUTPUT_YAML)
		e = fault_set(why, ERR_INVALID,
		    "tap prints lines for people, or of JSON with -o json");
	return e;
}

static int
tap(struct options *o)
{
	AUTO(api_answer_fini) struct api_answer answer = {0};
	AUTO(arena_fini) struct arena arena = {0};
	struct api_question q = {API_AGENT, "POST", "/v1/tap", NULL};
	struct tapping t = {0};
	struct value *body = NULL;
	struct fault why = {0};

	arena_init(&arena, BODY_BYTES);
	if (read_output(o, &t.how, &why) != OK ||
	    make_body(o, &arena, &body, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "tap: %s", why.text);
	q.body = body;
	if (api_follow(o, &q, on_line, &t, &answer, &why) != OK)
		return cli_fault(&why);
	if (t.broken)
		return CLI_EXIT_FAILED;
	return answer.status == 0 ? CLI_EXIT_OK : api_refused(&answer);
}

static const struct option_row tap_rows[] = {
    {"count", 'n', OPTION_NUMBER, "N", "0", false,
	"end after so many; 0 is never"},
    {"duration", 0, OPTION_DURATION, "TIME", "0s", false,
	"end after so long; 0 is never"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_tap = {
    .name = "tap",
    .args = "SERVICE|'*' [KEY=VALUE...]",
    .words = 17,
    .summary = "show requests as they happen, and why they end so",
    .section = "cli",
    .rows = tap_rows,
    .row_count = ARRAY_LEN(tap_rows),
    .run = tap,
};
