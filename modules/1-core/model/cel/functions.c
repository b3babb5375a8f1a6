/* SPDX-License-Identifier: Apache-2.0 */
/*
 * functions — those that an expression may call.
 */
#include <time.h>

#include "value.h"

enum { REGEX_COST = 64 << 10, US_PER_SECOND = 1000000 };

typedef struct cel_value (*function_cb)(struct cel_run *run,
    const struct cel_node *n, const struct cel_value *args);

/* --- texts ---------------------------------------------------------------- */

static int64_t
code_points(struct slice text)
{
	int64_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((uint8_t)text.ptr[i] & 0xC0) != 0x80;
	return count;
}

static struct cel_value
size(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)n;
	switch (args[0].type) {
	case CEL_STRING:
		(void)cel_spend(run, args[0].text.len); /* seen later */
		return cel_int(code_points(args[0].text));
	case CEL_BYTES:
		return cel_int((int64_t)args[0].text.len);
	case CEL_LIST:
	case CEL_MAP:
		return cel_int((int64_t)args[0].list.count);
	default:
		return cel_no_overload();
	}
}

static bool
are_strings(struct cel_run *run, const struct cel_value *args)
{
	return args[0].type == CEL_STRING && args[1].type == CEL_STRING &&
	       cel_spend(run, args[0].text.len + args[1].text.len);
}

static struct cel_value
contains(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)n;
	if (!are_strings(run, args))
		return cel_no_overload();
	return cel_bool(args[1].text.len == 0 ||
			memmem(args[0].text.ptr, args[0].text.len,
			    args[1].text.ptr, args[1].text.len) != NULL);
}

static struct cel_value
starts_with(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)n;
	return are_strings(run, args)
		   ? cel_bool(slice_starts(args[0].text, args[1].text))
		   : cel_no_overload();
}

static struct cel_value
ends_with(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)n;
	return are_strings(run, args)
		   ? cel_bool(slice_ends(args[0].text, args[1].text))
		   : cel_no_overload();
}

/* Any part of the text; a pattern that is a literal is compiled already. */
static struct cel_value
matches(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	AUTO(regex_unref) struct regex *r = NULL;
	enum err e;

	if (!are_strings(run, args))
		return cel_no_overload();
	if (n->regex != NULL)
		return cel_bool(regex_search(n->regex, args[0].text));
	if (!cel_spend(run, REGEX_COST))
		return cel_over(run);
	e = regex_compile(args[1].text, &r, NULL);
	if (e == ERR_PARSE)
		return cel_error("what matches() is given is no regular "
				 "expression");
	if (e != OK)
		return cel_over(run);
	return cel_bool(regex_search(r, args[0].text));
}

/* --- types ---------------------------------------------------------------- */

static const enum cel_type convertible[] = {CEL_INT, CEL_UINT, CEL_DOUBLE,
    CEL_BOOL, CEL_STRING, CEL_BYTES, CEL_TIMESTAMP, CEL_DURATION};

/* "timestamp" and "duration" are functions, the types have long names. */
static const char *
conversion_name(enum cel_type t)
{
	if (t == CEL_TIMESTAMP)
		return "timestamp";
	return t == CEL_DURATION ? "duration" : cel_type_name(t);
}

static struct cel_value
convert(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	for (size_t i = 0; i < ARRAY_LEN(convertible); i++)
		if (slice_eq(
			n->name, slice_str(conversion_name(convertible[i]))))
			return cel_convert(run, convertible[i], &args[0]);
	return cel_no_overload();
}

static struct cel_value
type(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)run;
	(void)n;
	return cel_text(CEL_TYPE, slice_str(cel_type_name(args[0].type)));
}

static struct cel_value
dyn(struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	(void)run;
	(void)n;
	return args[0];
}

/* --- times, in UTC -------------------------------------------------------- */

static int64_t
part_of(const struct tm *t, struct slice name)
{
	if (slice_eq(name, S("getFullYear")))
		return t->tm_year + 1900;
	if (slice_eq(name, S("getMonth")))
		return t->tm_mon;
	if (slice_eq(name, S("getDate")))
		return t->tm_mday;
	if (slice_eq(name, S("getDayOfMonth")))
		return t->tm_mday - 1;
	if (slice_eq(name, S("getDayOfWeek")))
		return t->tm_wday;
	if (slice_eq(name, S("getDayOfYear")))
		return t->tm_yday;
	if (slice_eq(name, S("getHours")))
		return t->tm_hour;
	return slice_eq(name, S("getMinutes")) ? t->tm_min : t->tm_sec;
}

/* All of a duration in the unit; of a time, the part of its second. */
static struct cel_value
part_of_duration(int64_t us, struct slice name)
{
	if (slice_eq(name, S("getHours")))
		return cel_int(us / US_PER_SECOND / 3600);
	if (slice_eq(name, S("getMinutes")))
		return cel_int(us / US_PER_SECOND / 60);
	if (slice_eq(name, S("getSeconds")))
		return cel_int(us / US_PER_SECOND);
	if (slice_eq(name, S("getMilliseconds")))
		return cel_int(us / 1000);
	return cel_no_overload();
}

static struct cel_value
part(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	int64_t us = args[0].integer, below;
	time_t seconds;
	struct tm t;

	(void)run;
	if (args[0].type == CEL_DURATION)
		return part_of_duration(us, n->name);
	if (args[0].type != CEL_TIMESTAMP)
		return cel_no_overload();
	below = us % US_PER_SECOND;
	below += below < 0 ? US_PER_SECOND : 0;
	if (slice_eq(n->name, S("getMilliseconds")))
		return cel_int(below / 1000);
	seconds = (time_t)((us - below) / US_PER_SECOND);
	if (gmtime_r(&seconds, &t) == NULL)
		return cel_error("a time is out of range");
	return cel_int(part_of(&t, n->name));
}

/* --- the table ------------------------------------------------------------ */

struct function {
	const char *name;
	uint32_t args;       /* the receiver included */
	bool free, receiver; /* f(x), x.f(): how it may be called */
	function_cb call;
};

static const struct function functions[] = {
    {"size", 1, true, true, size},
    {"contains", 2, false, true, contains},
    {"startsWith", 2, false, true, starts_with},
    {"endsWith", 2, false, true, ends_with},
    {"matches", 2, true, true, matches},
    {"int", 1, true, false, convert},
    {"uint", 1, true, false, convert},
    {"double", 1, true, false, convert},
    {"bool", 1, true, false, convert},
    {"string", 1, true, false, convert},
    {"bytes", 1, true, false, convert},
    {"timestamp", 1, true, false, convert},
    {"duration", 1, true, false, convert},
    {"type", 1, true, false, type},
    {"dyn", 1, true, false, dyn},
    {"getFullYear", 1, false, true, part},
    {"getMonth", 1, false, true, part},
    {"getDate", 1, false, true, part},
    {"getDayOfMonth", 1, false, true, part},
    {"getDayOfWeek", 1, false, true, part},
    {"getDayOfYear", 1, false, true, part},
    {"getHours", 1, false, true, part},
    {"getMinutes", 1, false, true, part},
    {"getSeconds", 1, false, true, part},
    {"getMilliseconds", 1, false, true, part},
};

static const struct function *
find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (slice_eq(name, slice_str(functions[i].name)))
			return &functions[i];
	return NULL;
}

const char *
cel_check_call(const struct cel_node *n)
{
	const struct function *f = find(n->name);

	if (f == NULL)
		return "is no function";
	if (n->receiver ? !f->receiver : !f->free)
		return n->receiver ? "is called as f(x), not x.f()"
				   : "is called as x.f(), not f(x)";
	if (n->count != f->args)
		return "is called with another number of arguments";
	return NULL;
}

struct cel_value
cel_call(
    struct cel_run *run, const struct cel_node *n, const struct cel_value *args)
{
	const char *wrong = cel_check_call(n);

	return wrong == NULL
		   ? find(n->name)->call(run, n, args)
		   : cel_error("a function is called that there is not, or "
			       "with other arguments than it has");
}
