/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cel — what is an expression, what it refers to, and its value.
 */
#include "model/model.h"
#include "unit.h"

enum { ARENA_MAX = 1 << 20 };

/* --- the scope of the tests ----------------------------------------------- */

static const int request, headers;

static bool
member(void *arg, const void *object, struct slice name, struct arena *arena,
    struct cel_value *out)
{
	size_t *asked = arg;

	(void)arena;
	++*asked;
	*out = (struct cel_value){.type = CEL_OBJECT};
	if (object == NULL && slice_eq(name, S("request")))
		out->object = &request;
	else if (object == &request && slice_eq(name, S("headers")))
		out->object = &headers;
	else if (object == &request && slice_eq(name, S("path")))
		*out =
		    (struct cel_value){.type = CEL_STRING, .text = S("/a/b?c")};
	else if (object == &headers && slice_eq(name, S("x-id")))
		*out = (struct cel_value){.type = CEL_STRING, .text = S("7")};
	else if (object == NULL && slice_eq(name, S("i")))
		*out = (struct cel_value){.type = CEL_INT, .integer = 5};
	else
		return false;
	return true;
}

/* "int 5", or the words of the error. */
static void
value_of(const char *text, struct buf *out, size_t *asked)
{
	AUTO(arena_fini) struct arena a;
	AUTO(cel_free) struct cel *c = NULL;
	struct cel_scope scope = {member, asked};
	struct fault why = {0};
	struct cel_value v;
	enum err e;

	arena_init(&a, ARENA_MAX);
	e = cel_parse(slice_str(text), &c, &why);
	if (e == OK)
		e = cel_eval(c, &scope, &a, &v, &why);
	EXPECT_EQ(e != OK, why.text[0] != '\0');
	if (e == OK) {
		EXPECT_OK(
		    buf_add_slice(out, v.type == CEL_STRING ? S("\"") : S("")));
		EXPECT_OK(cel_print(&v, out));
		EXPECT_OK(
		    buf_add_slice(out, v.type == CEL_STRING ? S("\"") : S("")));
		EXPECT_OK(
		    buf_add_slice(out, v.type == CEL_UINT ? S("u") : S("")));
	} else
		EXPECT_OK(buf_add_slice(out, slice_str(why.text)));
	EXPECT_OK(buf_add_byte(out, '\0'));
}

struct row {
	const char *expression;
	const char *value;
};

static void
expect_values(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(buf_fini) struct buf out = BUF(1 << 12);
		size_t asked = 0;

		value_of(rows[i].expression, &out, &asked);
		EXPECT_STR(buf_slice(&out).ptr, rows[i].value);
	}
}
#define EXPECT_VALUES(rows) expect_values(rows, ARRAY_LEN(rows))

/* --- values --------------------------------------------------------------- */

TEST(operators_bind_as_the_language_says)
{
	static const struct row rows[] = {
	    {"1 + 2 * 3", "7"},
	    {"(1 + 2) * 3", "9"},
	    {"7 - 2 - 1", "4"},
	    {"7 / 2 * 2", "6"},
	    {"-7 / 2", "-3"},
	    {"-7 % 4", "-3"},
	    {"- 1 - -1", "0"},
	    {"--1", "1"},
	    {"!!true", "true"},
	    {"!-1 == 1 || true", "true"},
	    {"1 + 1 == 2 && 3 > 2", "true"},
	    {"true || false && false", "true"},
	    {"(true || false) && false", "false"},
	    {"1 < 2 == true", "true"},
	    {"2 in [1, 2] == true", "true"},
	    {"!(1 in [])", "true"},
	    {"false ? 1 : true ? 2 : 3", "2"},
	    {"1 == 2 ? 'a' : 'b'", "\"b\""},
	    {"'a' + 'b' == 'ab'", "true"},
	    {"true // && false", "true"},
	};
	EXPECT_VALUES(rows);
}

TEST(literals_are_read)
{
	static const struct row rows[] = {
	    {"0x1F", "31"},
	    {"0xffu", "255u"},
	    {"-9223372036854775808", "-9223372036854775808"},
	    {"18446744073709551615u", "18446744073709551615u"},
	    {"1.5e3", "1500"},
	    {".5", "0.5"},
	    {"null", "null"},
	    {"'\\x41\\u00e9\\U0001F600\\101\\n\\''", "\"Aé😀A\n'\""},
	    {"r'\\n'", "\"\\n\""},
	    {"\"\"\"a\"b\"\"\"", "\"a\"b\""},
	    {"''''a'''", "\"'a\""},
	    {"size(b'\\xff\\377')", "2"},
	    {"size(b'é')", "2"},
	    {"[1, 'a', [2.5,],]", "[1, a, [2.5]]"},
	    {"{'a': 1, 2: {}}", "{a: 1, 2: {}}"},
	};
	EXPECT_VALUES(rows);
}

TEST(one_side_that_decides_absorbs_the_error_of_the_other)
{
	static const struct row rows[] = {
	    {"false && 1 / 0 == 1", "false"},
	    {"1 / 0 == 1 && false", "false"},
	    {"true || nope.x", "true"},
	    {"nope.x || true", "true"},
	    {"nope || 1 / 0 == 1 || true", "true"},
	    {"true && 1 / 0 == 1", "division by zero"},
	    {"nope || false", "no such attribute"},
	    {"1 || true", "true"},
	    {"true ? 1 : 1 / 0", "1"},
	    {"nope ? 1 : 2", "no such attribute"},
	    {"[1, 0].exists(x, 1 / x == 1)", "true"},
	    {"[0, 1].exists(x, 1 / x == 1)", "true"},
	    {"[0, 2].exists(x, 1 / x == 1)", "division by zero"},
	    {"[0, 2].all(x, 1 / x == 1)", "false"},
	    {"[0, 1].all(x, 1 / x == 1)", "division by zero"},
	};
	EXPECT_VALUES(rows);
}

TEST(what_does_not_go_together_is_an_error)
{
	static const char no_overload[] =
	    "no such overload: operands of these types do not go together";
	static const struct row rows[] = {
	    {"1 + 1u", no_overload},
	    {"1 + 1.0", no_overload},
	    {"'a' < 1", no_overload},
	    {"1 && 2", no_overload},
	    {"!1", no_overload},
	    {"-'a'", no_overload},
	    {"[1] < [2]", no_overload},
	    {"1.5 % 1.0", no_overload},
	    {"'a'.size() + size(1)", no_overload},
	    {"9223372036854775807 + 1",
		"a number is out of the range of its type"},
	    {"-(-9223372036854775807 - 1)",
		"a number is out of the range of its type"},
	    {"(-9223372036854775807 - 1) / -1",
		"a number is out of the range of its type"},
	    {"1u - 2u", "a number is out of the range of its type"},
	    {"1 % 0", "division by zero"},
	    {"1.0 / 0.0", "+Inf"},
	    {"[1][1]", "index out of bounds"},
	    {"[1][-1]", "index out of bounds"},
	    {"{'a': 1}.b", "no such key"},
	    {"{'a': 1, 'a': 2}", "a map has a key twice"},
	    {"{1.5: 1}",
		"the key of a map is a string, a whole number or a bool"},
	    {"(1).x", "there are no members in a value of this type"},
	    {"A{x: 1}", "there are no messages to make"},
	};
	EXPECT_VALUES(rows);
}

TEST(numbers_compare_across_their_types)
{
	static const struct row rows[] = {
	    {"1 == 1u && 1 == 1.0 && 1u == 1.0", "true"},
	    {"-1 < 0u && 1u > 0.5 && 1.5 > 1", "true"},
	    {"9007199254740993 == 9007199254740992.0", "false"},
	    {"9223372036854775807 < 1e19", "true"},
	    {"18446744073709551615u < 1e300", "true"},
	    {"-1 == 18446744073709551615u", "false"},
	    {"1 == '1'", "false"},
	    {"null == null && [1] == [1.0] && {1: 2} == {1u: 2}", "true"},
	    {"double('1e308') * 10.0 == 1.0", "false"},
	    {"'é' < 'z'", "false"},
	    {"false < true", "true"},
	    {"2 in [1.0, 2.0] && 'a' in {'a': 1} && !(1 in [])", "true"},
	};
	EXPECT_VALUES(rows);
}

TEST(macros_go_over_lists_and_keys)
{
	static const struct row rows[] = {
	    {"[1, 2, 3].all(x, x > 0)", "true"},
	    {"[].all(x, false)", "true"},
	    {"[1, 2, 3].exists(x, x == 2)", "true"},
	    {"[1, 2, 3].exists_one(x, x > 1)", "false"},
	    {"[1, 2, 3].map(x, x * 2)", "[2, 4, 6]"},
	    {"[1, 2, 3].map(x, x > 1, x * 2)", "[4, 6]"},
	    {"[1, 2, 3].filter(x, x > 1)", "[2, 3]"},
	    {"{'a': 1, 'b': 2}.map(k, k)", "[a, b]"},
	    {"[[1, 2], [3]].map(a, a.map(b, b + size(a)))", "[[3, 4], [4]]"},
	    {"[1].map(i, i) == [1] && i == 5", "true"},
	    {"[1].map(i, .i)", "[5]"},
	    {"5.all(x, true)", "this cannot be iterated over"},
	    {"[1].filter(x, 1)", "no such overload: operands of these types "
				 "do not go together"},
	};
	EXPECT_VALUES(rows);
}

TEST(functions_are_the_standard_ones)
{
	static const struct row rows[] = {
	    {"size('héllo') == 5 && [1, 2].size() == 2 && size({}) == 0",
		"true"},
	    {"'abc'.contains('b') && 'abc'.startsWith('ab')", "true"},
	    {"'abc'.endsWith('bc') && 'abc'.contains('')", "true"},
	    {"'abc'.matches('^a.c$') && matches('abc', 'b')", "true"},
	    {"'abc'.matches('^b')", "false"},
	    {"'abc'.matches('(')",
		"what matches() is given is no regular expression"},
	    {"int('-5') + int(1.9) + int(2u)", "-2"},
	    {"int('x')", "a value of this type or content cannot be "
			 "converted"},
	    {"int(1e30)", "a value of this type or content cannot be "
			  "converted"},
	    {"uint(5) == 5u && double('1.5') == 1.5 && bool('true')", "true"},
	    {"string(1.5) + string(2) + string(true) + string(b'x')",
		"\"1.52truex\""},
	    {"bytes('é') == b'\\xc3\\xa9'", "true"},
	    {"type(1) == int && type('') == string && type(int) == type",
		"true"},
	    {"dyn(1) == 1", "true"},
	    {"existsOne(1)", "a function is called that there is not, or with "
			     "other arguments than it has"},
	};
	EXPECT_VALUES(rows);
}

TEST(times_are_counted_with)
{
	static const struct row rows[] = {
	    {"timestamp('2024-02-29T01:02:03.5Z') + duration('1h')",
		"2024-02-29T02:02:03.5Z"},
	    {"timestamp('2024-02-29T00:30:00+01:00')", "2024-02-28T23:30:00Z"},
	    {"timestamp('2023-02-29T00:00:00Z')",
		"a value of this type or content cannot be converted"},
	    {"timestamp(86400) - timestamp(0) == duration('24h')", "true"},
	    {"duration('-1.5s') - duration('1m')", "-61.5s"},
	    {"timestamp('9999-12-31T23:59:59Z') + duration('1s')",
		"a number is out of the range of its type"},
	    {"int(timestamp('1969-12-31T23:59:59.5Z'))", "-1"},
	    {"timestamp('2024-02-29T01:02:03.5Z').getHours()", "1"},
	    {"timestamp('2024-02-29T01:02:03.5Z').getDayOfYear()", "59"},
	    {"timestamp('2024-02-29T01:02:03.5Z').getMilliseconds()", "500"},
	    {"duration('90m').getHours()", "1"},
	    {"timestamp(0) < timestamp(1)", "true"},
	};
	EXPECT_VALUES(rows);
}

TEST(attributes_come_from_the_callback)
{
	static const struct row rows[] = {
	    {"request.headers['x-id'] == '7' && i == 5", "true"},
	    {"request.headers.`x-id`", "\"7\""},
	    {"'x-id' in request.headers && !('y' in request.headers)", "true"},
	    {"has(request.path) && !has(request.useragent)", "true"},
	    {"has(request.headers.x)", "false"},
	    {"request.useragent", "no such key"},
	    {"request.path.startsWith('/a') ? 'a' : 'b'", "\"a\""},
	    {"has(nope.x)", "no such attribute"},
	};
	size_t asked = 0;
	AUTO(buf_fini) struct buf out = BUF(64);

	EXPECT_VALUES(rows);
	value_of("false && request.path == ''", &out, &asked);
	EXPECT_EQ(asked, 0);
}

/* --- bounds --------------------------------------------------------------- */

static void
repeat(struct buf *out, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		EXPECT_OK(buf_add_slice(out, slice_str(text)));
}

/* `count` times before and after an x. */
static enum err
parse_nested(const char *before, const char *after, size_t count)
{
	AUTO(buf_fini) struct buf text = BUF(1 << 20);
	AUTO(cel_free) struct cel *c = NULL;

	repeat(&text, before, count);
	repeat(&text, "x", 1);
	repeat(&text, after, count);
	return cel_parse(buf_slice(&text), &c, NULL);
}

TEST(nesting_ends_where_istio_ends_it)
{
	EXPECT_OK(parse_nested("(", ")", 249));
	EXPECT_ERR(parse_nested("(", ")", 250), ERR_LIMIT);
	EXPECT_OK(parse_nested("f(", ")", 249));
	EXPECT_ERR(parse_nested("f(", ")", 250), ERR_LIMIT);
	EXPECT_OK(parse_nested("a ? b : ", "", 249));
	EXPECT_ERR(parse_nested("a ? b : ", "", 250), ERR_LIMIT);
	EXPECT_OK(parse_nested("", ".b", 250));
	EXPECT_ERR(parse_nested("", ".b", 251), ERR_LIMIT);
	EXPECT_OK(parse_nested("", "[0]", 250));
	EXPECT_ERR(parse_nested("", "[0]", 251), ERR_LIMIT);
	EXPECT_OK(parse_nested("", " + 1", 250));
	EXPECT_ERR(parse_nested("", " + 1", 251), ERR_LIMIT);
	EXPECT_OK(parse_nested("!", "", 20000));
	EXPECT_OK(parse_nested("-", "", 20001));
	EXPECT_OK(parse_nested("", " || y", 9000));
	EXPECT_ERR(parse_nested("", "||y", 11000), ERR_LIMIT);
	EXPECT_ERR(parse_nested("", "||y", 40000), ERR_LIMIT);
}

TEST(an_evaluation_ends_in_time)
{
	static const struct row rows[] = {
	    {"[1,2,3,4,5,6,7,8].map(a, [1,2,3,4,5,6,7,8].map(b, "
	     "[1,2,3,4,5,6,7,8].map(c, [1,2,3,4,5,6,7,8].map(d, "
	     "[1,2,3,4,5,6,7,8].map(e, a)))))",
		"the expression takes too long or too much memory"},
	    {"[1,2,3,4,5,6,7,8].all(a, [1,2,3,4,5,6,7,8].all(b, "
	     "[1,2,3,4,5,6,7,8].all(c, [1,2,3,4,5,6,7,8].all(d, "
	     "[1,2,3,4,5,6,7,8].all(e, false || true))))) || true",
		"the expression takes too long or too much memory"},
	    {"[1,2,3,4,5,6,7,8].all(a, [1,2,3].all(b, true))", "true"},
	};
	EXPECT_VALUES(rows);
}

TEST(without_memory_there_is_an_error)
{
	static const char text[] =
	    "[1, 2].map(x, {'a\\n': [x]}) + ['a'.matches('b+')] == [string(i)]";
	uint64_t n = 0;
	enum err e;

	do {
		AUTO(arena_fini) struct arena a;
		AUTO(cel_free) struct cel *c = NULL;
		size_t asked = 0;
		struct cel_scope scope = {member, &asked};
		struct fault why = {0};
		struct cel_value v;

		arena_init(&a, ARENA_MAX);
		mem_fail_at(++n);
		e = cel_parse(slice_str(text), &c, &why);
		if (e == OK)
			e = cel_eval(c, &scope, &a, &v, &why);
		mem_fail_at(0);
		EXPECT_EQ(e != OK, why.text[0] != '\0');
		EXPECT_TRUE(e == OK || e == ERR_LIMIT || e == ERR_NO_MEMORY);
		/* A pattern that could not be compiled is, when needed. */
	} while (e != OK || n < 30);
}

/* --- verdicts ------------------------------------------------------------- */

TEST(what_is_no_expression_is_refused_in_words)
{
	static const struct row rows[] = {
	    {"", "the expression ends where a value is expected (byte 1)"},
	    {"// x", "the expression ends where a value is expected (byte 5)"},
	    {"[", "the expression ends where a value is expected (byte 2)"},
	    {"a b", "an operator or the end is expected, not \"b\" (byte 3)"},
	    {"%REQ(x)%", "a value is expected, not \"%\" (byte 1)"},
	    {"a = b", "no part of an expression begins like this (byte 3)"},
	    {"a.", "the expression ends where the name of a member is "
		   "expected (byte 3)"},
	    {"a ? b", "the expression ends where \":\" is expected (byte 6)"},
	    {"f(a,)", "a value is expected, not \")\" (byte 5)"},
	    {"a()()", "an operator or the end is expected, not \"(\" (byte "
		      "4)"},
	    {"-!a", "a value is expected, not \"!\" (byte 2)"},
	    {"!-a", "a number is expected, not \"a\" (byte 3)"},
	    {"for", "\"for\" is a reserved word (byte 1)"},
	    {"in", "a value is expected, not \"in\" (byte 1)"},
	    {"'abc", "a string lacks its closing quote (byte 1)"},
	    {"'\\q'", "a string has an escape that there is not (byte 1)"},
	    {"'\\x4'", "an escape in a string lacks digits (byte 1)"},
	    {"'\\ud800'", "an escape in a string is beyond Unicode (byte 1)"},
	    {"b'\\u00e9'",
		"\\u stands for a character, and bytes have none (byte 1)"},
	    {"9223372036854775808",
		"9223372036854775808 is too large for a number of its type "
		"(byte 1)"},
	    {"--9223372036854775808",
		"9223372036854775808 is too large for a number of its type "
		"(byte 3)"},
	    {"1e400", "1e400 is too large for a number of its type (byte 1)"},
	    {"has(x)",
		"the argument of has() is a member, as in has(x.y) (byte 5)"},
	    {"x.all(a.b, true)", "the first argument of all() is the name of "
				 "a variable (byte 9)"},
	    {"x.all(__result__, true)",
		"a variable may not be called __result__ (byte 7)"},
	    {"[?a]", "a value is expected, not \"?\" (byte 2)"},
	    {"a[0]{b: 1}",
		"an operator or the end is expected, not \"{\" (byte 5)"},
	    {"a\xff", "the expression is not UTF-8"},
	};
	EXPECT_VALUES(rows);
}

/* Istio takes these; whether they can work is another question. */
TEST(what_is_an_expression_is_taken)
{
	static const char *const rows[] = {"x", "0", "GET", "\"true\"",
	    "response.code >= 400", "has(a, b)", ".has(x)", "all(x, y)",
	    "x.all(a)", "for{a: 1}", "a.for", "x.existsOne(1, a)",
	    ".a.b{c: 1}.d", "1.x", "1.e5", "a--1", "a{`x-y`: 1,}", "[,]", "{,}",
	    "''''a'''", "a.`b.c/d e`"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(cel_free) struct cel *c = NULL;
		struct fault why = {0};
		enum err e = cel_parse(slice_str(rows[i]), &c, &why);

		EXPECT_STR(e == OK ? "" : why.text, "");
	}
}

TEST(what_an_expression_refers_to_is_checked_apart)
{
	static const struct row rows[] = {
	    {"request.url_path.contains('x') && connection.mtls", NULL},
	    {"filter_state.upstream_peer.labels['a'] == xds.node.id", NULL},
	    {"[1].all(x, x == size('a')) && type(1) == int", NULL},
	    {"has(request.useragent)", NULL},
	    {"reqest.path", "there is no attribute \"reqest\"; did you mean "
			    "\"request\"? (byte 1)"},
	    {"request.pth", "there is no attribute \"request.pth\"; did you "
			    "mean \"path\"? (byte 9)"},
	    {"has(response.cod)", "there is no attribute \"response.cod\"; "
				  "did you mean \"code\"? (byte 14)"},
	    {"[1].all(x, true) && .x", "there is no attribute \"x\" (byte 21)"},
	    {"lower('a') == ''", "lower() is no function (byte 1)"},
	    {"size(1, 2)",
		"size() is called with another number of arguments (byte 1)"},
	    {"'a'.int()", "int() is called as f(x), not x.f() (byte 5)"},
	    {"contains('a', 'b')",
		"contains() is called as x.f(), not f(x) (byte 1)"},
	    {"'a'.matches('(?=a)')",
		"what matches() is given is no regular expression: (?=...): "
		"look-around is not in RE2's syntax, since it needs "
		"backtracking (byte 1) (byte 13)"},
	    {"a.B{c: 1}",
		"there are no messages to make, and so no a.B (byte 1)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(cel_free) struct cel *c = NULL;
		struct faults found = {0};

		EXPECT_OK(cel_parse(slice_str(rows[i].expression), &c, NULL));
		cel_check(c, &found);
		EXPECT_EQ(found.count, rows[i].value != NULL);
		if (found.count > 0)
			EXPECT_STR(found.items[0].text, rows[i].value);
		faults_fini(&found);
	}
}
