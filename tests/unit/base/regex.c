/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — what is a pattern, and what it matches.
 */
#include <stdlib.h>

#include "base/base.h"
#include "unit.h"

enum { TEXT_64K = 64 << 10, GROUPS = 10 };

/* What a pattern says about a text, as words to compare. */
static void
say(struct buf *out, const struct regex *r, struct slice text)
{
	struct slice groups[GROUPS];
	size_t count = regex_groups(r) + 1;
	enum err e = regex_find(r, text, 0, groups, MIN(count, GROUPS));

	EXPECT_OK(buf_printf(out, "%s %s", regex_match(r, text) ? "all" : "-",
	    regex_search(r, text) ? "some" : "-"));
	if (e != OK)
		EXPECT_ERR(e, ERR_NOT_FOUND);
	for (size_t i = 0; e == OK && i < MIN(count, GROUPS); i++)
		if (groups[i].ptr == NULL)
			EXPECT_OK(buf_printf(out, " none"));
		else
			EXPECT_OK(
			    buf_printf(out, " [%.*s]", SLICE_ARG(groups[i])));
	EXPECT_OK(buf_add_byte(out, '\0'));
}

static struct regex *
compiled(const char *pattern)
{
	struct fault why = {0};
	struct regex *r = NULL;
	enum err e = regex_compile(slice_str(pattern), &r, &why);

	EXPECT_STR(e == OK ? "" : why.text, "");
	return r;
}

struct match {
	const char *pattern;
	const char *text;
	const char *says; /* as say() puts it */
};

static void
expect_matches(const struct match *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(regex_unref) struct regex *r = compiled(rows[i].pattern);
		AUTO(buf_fini) struct buf out = BUF(1 << 12);

		say(&out, r, slice_str(rows[i].text));
		EXPECT_STR(buf_slice(&out).ptr, rows[i].says);
	}
}
#define EXPECT_MATCHES(rows) expect_matches(rows, ARRAY_LEN(rows))

TEST(all_of_a_text_or_a_part_of_it_matches)
{
	static const struct match rows[] = {
	    {"", "", "all some []"},
	    {"", "a", "- some []"},
	    {"abc", "abc", "all some [abc]"},
	    {"abc", "xabcx", "- some [abc]"},
	    {"abc", "ab", "- -"},
	    {"^/api/v[0-9]+$", "/api/v12", "all some [/api/v12]"},
	    {"/foo.*", "/foobar", "all some [/foobar]"},
	    {"a|b|cd", "cd", "all some [cd]"},
	    {"(?:a|ab)(?:c|bcd)", "abcd", "all some [abcd]"},
	    {"a.c", "a\nc", "- -"},
	    {"(?s)a.c", "a\nc", "all some [a\nc]"},
	    {"x*", "aaa", "- some []"},
	    {"[^a]", "\n", "all some [\n]"},
	    {"a{2,3}", "aaaa", "- some [aaa]"},
	    {"a{2,3}?", "aaaa", "- some [aa]"},
	    {"a{2}b{0}c{1,}", "aacc", "all some [aacc]"},
	    {"a{,2}", "a{,2}", "all some [a{,2}]"},
	    {"a{02}", "a{02}", "all some [a{02}]"},
	};
	EXPECT_MATCHES(rows);
}

TEST(the_first_way_that_fits_is_taken)
{
	static const struct match rows[] = {
	    {"(a|ab)(c|bcd)(d*)", "abcd", "all some [abcd] [a] [bcd] []"},
	    {"(a*)(a*)", "aa", "all some [aa] [aa] []"},
	    {"(a*?)(a*)", "aa", "all some [aa] [] [aa]"},
	    {"(?U)(a*)(a*?)", "aa", "all some [aa] [] [aa]"},
	    {"(a)|b", "b", "all some [b] none"},
	    {"(a*)*", "b", "- some [] []"},
	    {"(a*)+", "b", "- some [] []"},
	    {"(a|b)*", "abab", "all some [abab] [b]"},
	    {"((a)|(b))*", "ab", "all some [ab] [b] [a] [b]"},
	    {"(?P<year>\\d+)-(?<month>\\d+)", "x2024-05",
		"- some [2024-05] [2024] [05]"},
	    {"(x)?(y)??z", "yz", "all some [yz] none [y]"},
	    {"a+?b", "aaab", "all some [aaab]"},
	};
	EXPECT_MATCHES(rows);
}

TEST(places_without_width_are_looked_at)
{
	static const struct match rows[] = {
	    {"\\bfoo\\b", "a foo.", "- some [foo]"},
	    {"\\bfoo\\b", "afoo", "- -"},
	    {"\\Boo", "foo", "- some [oo]"},
	    {"^b", "a\nb", "- -"},
	    {"(?m)^b$", "a\nb\nc", "- some [b]"},
	    {"a$", "a\n", "- -"},
	    {"(?m)a$", "a\n", "- some [a]"},
	    {"\\Aa\\z", "a", "all some [a]"},
	    {"(?m)\\Ab", "a\nb", "- -"},
	    {"a^b", "ab", "- -"},
	    {"\\b\\B", "a", "- -"},
	    {"(^|/)x(/|$)", "a/x", "- some [/x] [/] []"},
	};
	EXPECT_MATCHES(rows);
}

TEST(classes_are_those_of_re2)
{
	static const struct match rows[] = {
	    {"[a-c]+", "xabcd", "- some [abc]"},
	    {"[]a]+", "]a", "all some []a]"},
	    {"[^]a]", "b", "all some [b]"},
	    {"[a-]+", "-a", "all some [-a]"},
	    {"[a\\-z]+", "-az", "all some [-az]"},
	    {"[[:alpha:][:digit:]]+", "a1!", "- some [a1]"},
	    {"[[:^alpha:]]+", "a1!", "- some [1!]"},
	    {"[[:word:]]+", "a_1", "all some [a_1]"},
	    {"[[a]+", "[a", "all some [[a]"},
	    {"\\d\\D\\s\\S\\w\\W", "1a b_!", "all some [1a b_!]"},
	    {"[\\d\\-]+", "1-2", "all some [1-2]"},
	    {"\\x41\\x{42}\\103\\Q.*\\E\\.", "ABC.*.", "all some [ABC.*.]"},
	    {"\\pL+", "aé1", "- some [aé]"},
	    {"\\p{Greek}\\P{Greek}\\p{^Greek}", "αab", "all some [αab]"},
	    {"\\p{Lowercase_Letter}\\p{lu}", "aB", "all some [aB]"},
	    {"[\\p{Nd}x]+", "٣x", "all some [٣x]"},
	    {"[é-ü]", "ö", "all some [ö]"},
	};
	EXPECT_MATCHES(rows);
}

TEST(case_is_folded_where_it_is_asked_for)
{
	static const struct match rows[] = {
	    {"(?i)straße", "STRAßE", "all some [STRAßE]"},
	    {"(?i)k", "\u212A", "all some [\u212A]"},
	    {"(?i)[j-l]", "\u212A", "all some [\u212A]"},
	    {"(?i)σ", "ς", "all some [ς]"},
	    {"a(?i)b(?-i)c", "aBc", "all some [aBc]"},
	    {"a(?i:b)c", "aBC", "- -"},
	    {"(?i)\\p{Lu}", "a", "all some [a]"},
	    {"(?i)[^x]", "X", "- -"},
	};
	EXPECT_MATCHES(rows);
}

TEST(a_byte_that_is_not_utf8_matches_nothing)
{
	static const struct match rows[] = {
	    {".", "\xff", "- -"},
	    {"(?s).*", "a\xff", "- some [a]"},
	    {"[^a]", "\xc3", "- -"},
	    {"b", "\xe2\x82zb\xff", "- some [b]"},
	    {"\\x{ff}", "\xff", "- -"},
	    {"a", "\xed\xa0\x80", "- -"},
	};
	EXPECT_MATCHES(rows);
}

TEST(a_text_may_hold_zero_bytes)
{
	AUTO(regex_unref) struct regex *r = compiled("a\\x00.b");

	EXPECT_TRUE(regex_match(r, S("a\0\0b")));
	EXPECT_FALSE(regex_match(r, S("a\0b")));
}

struct refusal {
	const char *pattern;
	enum err code;
	const char *words;
};

TEST(what_is_no_pattern_is_refused_in_words)
{
	static const struct refusal rows[] = {
	    {"a(b", ERR_PARSE, "( lacks its ) (byte 2)"},
	    {"a)b", ERR_PARSE, ") has no ( before it (byte 2)"},
	    {"[a", ERR_PARSE, "[ lacks its ] (byte 1)"},
	    {"x[z-a]", ERR_PARSE, "the range z-a runs backwards (byte 3)"},
	    {"*a", ERR_PARSE, "there is nothing before * to repeat (byte 1)"},
	    {"a|*", ERR_PARSE, "there is nothing before * to repeat (byte 3)"},
	    {"a**", ERR_PARSE, "* may not follow another repetition (byte 3)"},
	    {"a{2}{3}", ERR_PARSE,
		"{3} may not follow another repetition (byte 5)"},
	    {"a{2,1}", ERR_PARSE,
		"{2,1}: the most is less than the least (byte 2)"},
	    {"a{1001}", ERR_PARSE, "{1001} is more than 1000 times (byte 2)"},
	    {"(a{50}){50}", ERR_PARSE,
		"{50}: repetitions inside each other come to more than 1000 "
		"times (byte 8)"},
	    {"(a)\\1", ERR_PARSE,
		"\\1: back-references are not in RE2's syntax, since they "
		"need backtracking (byte 4)"},
	    {"a(?=b)", ERR_PARSE,
		"(?=...): look-around is not in RE2's syntax, since it needs "
		"backtracking (byte 2)"},
	    {"(?<!b)a", ERR_PARSE,
		"(?<!...): look-around is not in RE2's syntax, since it needs "
		"backtracking (byte 1)"},
	    {"(?>a)", ERR_PARSE,
		"(? is followed by neither ':', flags out of \"imsU\" nor "
		"P<name> (byte 1)"},
	    {"(?i-)a", ERR_PARSE,
		"(? is followed by neither ':', flags out of \"imsU\" nor "
		"P<name> (byte 1)"},
	    {"(?P<a b>c)", ERR_PARSE,
		"a group's name is letters, digits and '_' before a '>' (byte "
		"1)"},
	    {"a\\", ERR_PARSE, "a backslash ends the pattern (byte 2)"},
	    {"\\y", ERR_PARSE, "\\y is no escape of RE2's syntax (byte 1)"},
	    {"\\C", ERR_PARSE, "\\C is no escape of RE2's syntax (byte 1)"},
	    {"\\Z", ERR_PARSE, "\\Z is no escape of RE2's syntax (byte 1)"},
	    {"\\x{110000}", ERR_PARSE,
		"\\x stands before two hexadecimal digits, or before some in "
		"braces up to {10FFFF} (byte 1)"},
	    {"\\p{Foo}", ERR_PARSE,
		"\"Foo\" is no category or script of Unicode (byte 1)"},
	    {"\\p{Lu", ERR_PARSE, "\\p{ lacks its } (byte 1)"},
	    {"[[:foo:]]", ERR_PARSE,
		"[:foo:] is no class of characters (byte 2)"},
	    {"a\xff", ERR_PARSE, "the pattern is not UTF-8 (byte 2)"},
	    {"[ab]{1000}[ab]{1000}", ERR_LIMIT,
		"the pattern needs more than 2000 instructions; write it with "
		"fewer or smaller repetitions"},
	    {"((a?){400})*c", ERR_LIMIT,
		"the pattern leaves too many ways open at once; write it with "
		"fewer parts in a row that may be absent"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct regex *r = NULL;
		struct fault why = {0};

		EXPECT_ERR(regex_compile(slice_str(rows[i].pattern), &r, &why),
		    rows[i].code);
		EXPECT_STR(why.text, rows[i].words);
		EXPECT_TRUE(r == NULL);
		EXPECT_ERR(regex_compile(slice_str(rows[i].pattern), &r, NULL),
		    rows[i].code);
	}
}

/* `count` times `text`. */
static void
repeat(struct buf *out, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		EXPECT_OK(buf_add_slice(out, slice_str(text)));
}

TEST(a_pattern_is_bounded_in_size_and_depth)
{
	AUTO(buf_fini) struct buf pattern = BUF(1 << 20);
	AUTO(regex_unref) struct regex *r = NULL;
	struct fault why = {0};

	repeat(&pattern, "(", REGEX_DEPTH_MAX);
	repeat(&pattern, ")", REGEX_DEPTH_MAX);
	EXPECT_OK(regex_compile(buf_slice(&pattern), &r, &why));
	EXPECT_TRUE(regex_match(r, S("")));
	EXPECT_EQ(regex_groups(r), REGEX_DEPTH_MAX);
	regex_unref(&r);
	buf_reset(&pattern);
	repeat(&pattern, "(", REGEX_DEPTH_MAX + 1);
	EXPECT_ERR(regex_compile(buf_slice(&pattern), &r, &why), ERR_LIMIT);
	EXPECT_STR(why.text, "groups are nested deeper than 512 (byte 513)");
	buf_reset(&pattern);
	repeat(&pattern, "a", REGEX_PATTERN_MAX + 1);
	EXPECT_ERR(regex_compile(buf_slice(&pattern), &r, &why), ERR_LIMIT);
	EXPECT_STR(why.text, "the pattern is longer than 16384 bytes");
	buf_reset(&pattern);
	repeat(&pattern, "a", REGEX_INSTRUCTIONS_MAX - 1);
	EXPECT_OK(regex_compile(buf_slice(&pattern), &r, &why));
	EXPECT_EQ(regex_instructions(r), REGEX_INSTRUCTIONS_MAX);
	EXPECT_TRUE(regex_match(r, buf_slice(&pattern)));
	EXPECT_FALSE(
	    regex_search(r, slice_sub(buf_slice(&pattern), 1, SIZE_MAX)));
}

/* Many characters that are all told apart, in every state. */
TEST(a_pattern_that_needs_too_much_memory_is_refused)
{
	AUTO(buf_fini) struct buf pattern = BUF(REGEX_PATTERN_MAX);
	AUTO(regex_unref) struct regex *r = NULL;
	struct fault why = {0};

	for (unsigned i = 0; i < 1990; i++)
		EXPECT_OK(buf_printf(&pattern, "\\x{%x}", 0x4E00 + i));
	EXPECT_ERR(regex_compile(buf_slice(&pattern), &r, &why), ERR_LIMIT);
	EXPECT_STR(why.text, "the pattern needs too much memory");
}

/* Patterns on which a backtracking matcher takes longer than the universe. */
TEST(nothing_backtracks)
{
	static const char *const patterns[] = {"(a*)*b", "(a|aa)+b", "(a+a+)+b",
	    "((a?){100})*b", "(.*)(.*)(.*)(.*)(.*)b", "[ab]*a[ab]{900}c"};
	AUTO(buf_fini) struct buf text = BUF(TEXT_64K);
	struct slice group;

	repeat(&text, "a", TEXT_64K);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		AUTO(regex_unref) struct regex *r = compiled(patterns[i]);

		EXPECT_FALSE(regex_match(r, buf_slice(&text)));
		EXPECT_FALSE(regex_search(r, buf_slice(&text)));
		EXPECT_ERR(regex_find(r, buf_slice(&text), 0, &group, 1),
		    ERR_NOT_FOUND);
	}
}

/* The states of these lie in several words, the text in several blocks. */
TEST(long_texts_and_patterns_are_matched_the_same)
{
	AUTO(regex_unref)
	struct regex *r = compiled("x(é{100}(a{60}|b{70}c?)){3}(y+?)(z*)");
	AUTO(buf_fini) struct buf text = BUF(TEXT_64K);
	struct slice g[5];

	repeat(&text, "-", 1000);
	EXPECT_OK(buf_add_byte(&text, 'x'));
	for (int i = 0; i < 3; i++) {
		repeat(&text, "é", 100);
		repeat(&text, i < 2 ? "a" : "b", i < 2 ? 60 : 70);
	}
	EXPECT_FALSE(regex_search(r, buf_slice(&text)));
	repeat(&text, "y", 2);
	EXPECT_TRUE(regex_search(r, buf_slice(&text)));
	EXPECT_FALSE(regex_match(r, buf_slice(&text)));
	EXPECT_TRUE(
	    regex_match(r, slice_sub(buf_slice(&text), 1000, SIZE_MAX)));
	EXPECT_OK(regex_find(r, buf_slice(&text), 7, g, ARRAY_LEN(g)));
	EXPECT_EQ(g[0].ptr - buf_slice(&text).ptr, 1000);
	EXPECT_EQ(g[1].len, 270);
	EXPECT_EQ(g[2].len, 70);
	EXPECT_SLICE(g[3], S("y"));
	EXPECT_SLICE(g[4], S(""));
}

TEST(a_search_goes_on_from_where_it_is_told)
{
	AUTO(regex_unref) struct regex *r = compiled("\\b[a-z]+");
	struct slice text = S("one two"), g;

	EXPECT_OK(regex_find(r, text, 0, &g, 1));
	EXPECT_SLICE(g, S("one"));
	EXPECT_OK(regex_find(r, text, 1, &g, 1));
	EXPECT_SLICE(g, S("two"));
	EXPECT_ERR(regex_find(r, text, 5, &g, 1), ERR_NOT_FOUND);
	EXPECT_ERR(regex_find(r, text, 8, &g, 1), ERR_NOT_FOUND);
}

struct rewrite {
	const char *pattern, *rewrite, *text, *becomes;
};

TEST(matches_are_replaced_as_re2_does)
{
	static const struct rewrite rows[] = {
	    {"^/service/([^/]+)(/.*)$", "\\2/instance/\\1",
		"/service/foo/v1/api", "/v1/api/instance/foo"},
	    {"one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz"},
	    {"(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb"},
	    {"a", "<\\0>", "banana", "b<a>n<a>n<a>"},
	    {"", "-", "añb", "-a-ñ-b-"},
	    {"x*", "-", "axb", "-a-b-"},
	    {"a*", "-", "baac", "-b-c-"},
	    {"(a)|(b)", "[\\1|\\2]", "abc", "[a|][|b]c"},
	    {"b", "\\\\", "abc", "a\\c"},
	    {"b", "", "abc", "ac"},
	    {"z", "y", "abc", "abc"},
	    {"$", "!", "abc", "abc!"},
	    {"\\b", "|", "ab cd", "|ab| |cd|"},
	    {".", "x", "a\xff", "x\xff"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(regex_unref) struct regex *r = compiled(rows[i].pattern);
		AUTO(buf_fini) struct buf out = BUF(1 << 12);
		struct slice rewrite = slice_str(rows[i].rewrite);

		EXPECT_OK(regex_check_rewrite(r, rewrite, NULL));
		EXPECT_OK(
		    regex_replace(r, slice_str(rows[i].text), rewrite, &out));
		EXPECT_SLICE(buf_slice(&out), slice_str(rows[i].becomes));
	}
}

TEST(a_substitution_names_groups_that_there_are)
{
	AUTO(regex_unref) struct regex *r = compiled("(a)(b)");
	struct fault why = {0};

	EXPECT_OK(regex_check_rewrite(r, S("\\0\\1\\2\\\\x"), NULL));
	EXPECT_ERR(regex_check_rewrite(r, S("\\3"), &why), ERR_INVALID);
	EXPECT_STR(why.text, "\\3: the pattern has only 2 groups");
	EXPECT_ERR(regex_check_rewrite(r, S("a\\x"), &why), ERR_INVALID);
	EXPECT_STR(why.text,
	    "a backslash in a substitution stands before a group's digit or "
	    "another backslash (byte 2)");
	EXPECT_ERR(regex_check_rewrite(r, S("a\\"), &why), ERR_INVALID);
}

TEST(what_is_replaced_stays_within_the_buffer)
{
	AUTO(regex_unref) struct regex *r = compiled("a");
	AUTO(buf_fini) struct buf out = BUF(10);

	EXPECT_OK(regex_replace(r, S("aaaaa"), S("\\0\\0"), &out));
	buf_reset(&out);
	EXPECT_ERR(regex_replace(r, S("aaaaaa"), S("\\0\\0"), &out), ERR_LIMIT);
}

TEST(a_text_to_find_in_is_bounded)
{
	AUTO(regex_unref) struct regex *r = compiled("a");
	char *text = mem_new(REGEX_SEARCH_TEXT_MAX + 1);
	struct slice g;

	EXPECT_ERR(
	    regex_find(r, slice_of(text, REGEX_SEARCH_TEXT_MAX + 1), 0, &g, 1),
	    ERR_LIMIT);
	EXPECT_ERR(
	    regex_find(r, slice_of(text, REGEX_SEARCH_TEXT_MAX), 0, &g, 1),
	    ERR_NOT_FOUND);
	mem_free(&text);
}

/* Compiling and finding, with the n-th allocation failing. */
static enum err
try_all(void)
{
	AUTO(regex_unref) struct regex *r = NULL;
	AUTO(buf_fini) struct buf out = BUF(1 << 10);
	struct fault why = {0};
	enum err e = regex_compile(
	    S("(?i)^(a|b[^c-é]|\\bc)*?(\\pL{2,9}|x+)$"), &r, &why);

	EXPECT_EQ(why.text[0] != '\0', e != OK);
	EXPECT_EQ(r != NULL, e == OK);
	return e != OK ? e : regex_replace(r, S("abxcdef"), S("\\2"), &out);
}

TEST(without_memory_there_is_an_error)
{
	uint64_t n = 0;
	enum err e;

	do {
		mem_fail_at(++n);
		e = try_all();
		mem_fail_at(0);
		EXPECT_TRUE(e == OK || e == ERR_NO_MEMORY || e == ERR_LIMIT);
	} while (e != OK);
	EXPECT_TRUE(n > 10);
}
