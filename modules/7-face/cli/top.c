/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top — requests a second, errors and how long they take, by service.
 *
 * What an agent counted is asked twice; what is shown is the difference. On a
 * terminal it goes on, drawn over what was there.
 */
#include "base/base.h"

#include "api.h"
#include "command.h"
#include "output.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARENA_BYTES = 16 << 20 };

/* One service in one direction, in the time between two answers. */
struct rate {
	struct slice direction;
	struct slice service;
	double requests; /* a second */
	double errors;   /* a second */
	double p50_ms;   /* below 0: nothing was measured */
	double p99_ms;
	double connections; /* a second */
	double received;    /* bytes a second */
	double sent;
};

static const struct value *
find(const struct value *items, const struct value *like)
{
	VALUE_EACH(items, it)
	{
		if (slice_eq(value_get_string(it, S("direction"), S("")),
			value_get_string(like, S("direction"), S(""))) &&
		    slice_eq(value_get_string(it, S("service"), S("")),
			value_get_string(like, S("service"), S(""))))
			return it;
	}
	return NULL;
}

static double
growth(const struct value *now, const struct value *before, const char *key,
    double seconds)
{
	int64_t a = value_get_int(before, slice_str(key), 0);
	int64_t b = value_get_int(now, slice_str(key), 0);

	return b > a ? (double)(b - a) / seconds : 0;
}

static int64_t
number_at(const struct value *list, size_t at)
{
	VALUE_EACH(list, it)
	{
		if (at-- == 0)
			return it->type == VALUE_INT ? it->integer : 0;
	}
	return 0;
}

/*
 * The duration that this share of the requests did not exceed, in ms, as if
 * they were spread evenly between two bounds (Prometheus's histogram_quantile).
 * Above the last bound: that.
 */
static double
quantile(const struct value *now, const struct value *before, double share)
{
	const struct value *counts = value_get(now, S("durations"));
	const struct value *bounds = value_get(now, S("boundsUs"));
	const struct value *old = value_get(before, S("durations"));
	size_t n = bounds != NULL ? bounds->count : 0;
	double all = 0, rank, seen = 0, low = 0;

	for (size_t i = 0; i <= n; i++)
		all += (double)(number_at(counts, i) - number_at(old, i));
	if (all <= 0)
		return -1;
	rank = share * all;
	for (size_t i = 0; i < n; i++) {
		double here =
		    (double)(number_at(counts, i) - number_at(old, i));
		double high = (double)number_at(bounds, i) / 1000;

		if (here > 0 && seen + here >= rank)
			return low + (high - low) * (rank - seen) / here;
		seen += here;
		low = high;
	}
	return low;
}

static struct rate
rate_of(const struct value *now, const struct value *before, double seconds)
{
	return (struct rate){
	    .direction = value_get_string(now, S("direction"), S("")),
	    .service = value_get_string(now, S("service"), S("")),
	    .requests = growth(now, before, "requests", seconds),
	    .errors = growth(now, before, "errors", seconds),
	    .p50_ms = quantile(now, before, 0.5),
	    .p99_ms = quantile(now, before, 0.99),
	    .connections = growth(now, before, "connections", seconds),
	    .received = growth(now, before, "bytesReceived", seconds),
	    .sent = growth(now, before, "bytesSent", seconds)};
}

/* Who is busiest first; what is idle by its name. */
static int
by_rate(const void *pa, const void *pb)
{
	const struct rate *a = pa, *b = pb;
	double x = a->requests + a->connections,
	       y = b->requests + b->connections;
	int n;

	if (x != y)
		return x < y ? 1 : -1;
	n = slice_cmp(a->service, b->service);
	return n != 0 ? n : slice_cmp(a->direction, b->direction);
}

/* Returns how many; the caller frees. */
static struct rate *
compare(const struct value *now, const struct value *before, size_t *out_count)
{
	const struct value *items = value_get(now, S("items"));
	const struct value *old = value_get(before, S("items"));
	int64_t us = value_get_int(now, S("atUs"), 0) -
		     value_get_int(before, S("atUs"), 0);
	double seconds = us > 0 ? (double)us / 1e6 : 1;
	size_t n = 0;
	struct rate *rates =
	    mem_new_array(items != NULL ? items->count + 1 : 1, sizeof(*rates));

	VALUE_EACH(items, it)
	rates[n++] = rate_of(it, find(old, it), seconds);
	qsort(rates, n, sizeof(*rates), by_rate);
	*out_count = n;
	return rates;
}

/* --- what is printed ------------------------------------------------------ */

static void
cell_number(struct table *t, double n)
{
	if (n <= 0)
		table_cell(t, SLICE_NONE);
	else
		table_cellf(t, n < 10 ? "%.1f" : "%.0f", n);
}

static void
cell_ms(struct table *t, double ms)
{
	if (ms < 0)
		table_cell(t, SLICE_NONE);
	else
		table_cellf(t, ms < 10 ? "%.2f" : "%.0f", ms);
}

static void
cell_share(struct table *t, const struct rate *r)
{
	if (r->errors <= 0 || r->requests <= 0)
		table_cell(t, SLICE_NONE);
	else
		table_cellf(t, "%.1f%%", 100 * r->errors / r->requests);
}

static void
print_rates(const struct rate *rates, size_t count)
{
	static const char *const head[] = {"DIRECTION", "SERVICE", "REQ/S",
	    "ERRORS", "P50 MS", "P99 MS", "CONN/S", "IN B/S", "OUT B/S"};
	AUTO(table_fini) struct table t = {0};

	if (count == 0) {
		(void)printf("nothing has passed here yet\n");
		return;
	}
	table_init(&t, head, ARRAY_LEN(head));
	for (size_t i = 0; i < count; i++) {
		table_cell(&t, rates[i].direction);
		table_cell(&t, rates[i].service);
		cell_number(&t, rates[i].requests);
		cell_share(&t, &rates[i]);
		cell_ms(&t, rates[i].p50_ms);
		cell_ms(&t, rates[i].p99_ms);
		cell_number(&t, rates[i].connections);
		cell_number(&t, rates[i].received);
		cell_number(&t, rates[i].sent);
	}
	table_print(&t, stdout);
}

static void
put_number(struct arena *a, struct value **m, const char *key, double n)
{
	struct value *v = n < 0 ? NULL : value_new(a, VALUE_FLOAT);

	if (v == NULL)
		return;
	v->real = n;
	value_put(m, slice_str(key), v);
}

static int
print_tree(const struct rate *rates, size_t count, enum output how)
{
	AUTO(arena_fini) struct arena a = {0};
	struct value *all, *list;
	struct fault why = {0};

	arena_init(&a, ARENA_BYTES);
	list = value_new(&a, VALUE_LIST);
	for (size_t i = 0; i < count; i++) {
		const struct rate *r = &rates[i];
		struct value *m = value_new(&a, VALUE_MAP);

		value_put_text(&a, &m, S("direction"), r->direction);
		value_put_text(&a, &m, S("service"), r->service);
		put_number(&a, &m, "requestsPerSecond", r->requests);
		put_number(&a, &m, "errorsPerSecond", r->errors);
		put_number(&a, &m, "p50Ms", r->p50_ms);
		put_number(&a, &m, "p99Ms", r->p99_ms);
		put_number(&a, &m, "connectionsPerSecond", r->connections);
		put_number(&a, &m, "bytesReceivedPerSecond", r->received);
		put_number(&a, &m, "bytesSentPerSecond", r->sent);
		value_push(&list, m);
	}
	all = value_new(&a, VALUE_MAP);
	value_put(&all, S("items"), list);
	if (all == NULL)
		return command_fail(
		    CLI_EXIT_FAILED, "there is too much for one text");
	return output_value(how, all, &why) == OK ? CLI_EXIT_OK
						  : cli_fault(&why);
}

/* --- asking --------------------------------------------------------------- */

static int
ask(const struct options *o, struct api_answer *out)
{
	const struct api_question q = {API_AGENT, "GET", "/v1/traffic", NULL};
	struct fault why = {0};

	if (api_ask(o, &q, out, &why) != OK)
		return cli_fault(&why);
	return api_refused(out);
}

/* What was there goes; a line that becomes shorter leaves nothing. */
static void
clear_screen(void)
{
	(void)fputs("\033[H\033[2J", stdout);
}

static int
show(const struct value *now, const struct value *before, enum output how)
{
	AUTO(mem_free) struct rate *rates = NULL;
	size_t count = 0;

	rates = compare(now, before, &count);
	if (how != OUTPUT_TABLE)
		return print_tree(rates, count, how);
	print_rates(rates, count);
	return fflush(stdout) == 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int
watch(const struct options *o, enum output how, uint64_t interval_us, bool once)
{
	struct api_answer before = {0}, now = {0};
	int code = ask(o, &before);

	while (code == CLI_EXIT_OK) {
		(void)usleep((useconds_t)interval_us); /* sooner is fine, too */
		code = ask(o, &now);
		if (code == CLI_EXIT_OK && !once)
			clear_screen();
		if (code == CLI_EXIT_OK)
			code = show(now.body, before.body, how);
		api_answer_fini(&before);
		before = now;
		now = (struct api_answer){0};
		if (once)
			break;
	}
	api_answer_fini(&before);
	api_answer_fini(&now);
	return code;
}

static int
top(struct options *o)
{
	enum { SHORTEST_US = 100000, LONGEST_US = 900000000 };
	struct fault why = {0};
	uint64_t interval_us = 0;
	enum output how;
	bool once;

	if (output_parse(options_text(o, "output"), &how, &why) != OK ||
	    options_duration_us(o, "interval", &interval_us, &why) != OK)
		return command_fail(CLI_EXIT_USAGE, "top: %s", why.text);
	if (interval_us < SHORTEST_US || interval_us > LONGEST_US)
		return command_fail(
		    CLI_EXIT_USAGE, "top: --interval is between 100ms and 15m");
	once = options_flag(o, "once") || how != OUTPUT_TABLE ||
	       isatty(STDOUT_FILENO) != 1;
	return watch(o, how, interval_us, once);
}

static const struct option_row top_rows[] = {
    {"interval", 0, OPTION_DURATION, "TIME", "2s", false,
	"over which rates are taken"},
    {"once", 0, OPTION_FLAG, NULL, NULL, false,
	"end after the first, as without a terminal"},
    OPTION_OUTPUT,
    OPTION_SOCKET,
};

const struct command command_top = {
    .name = "top",
    .args = "",
    .summary = "show rates, errors and latencies by service",
    .section = "cli",
    .rows = top_rows,
    .row_count = ARRAY_LEN(top_rows),
    .run = top,
};
