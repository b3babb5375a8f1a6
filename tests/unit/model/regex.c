/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — what a document may hold as a regular expression.
 */
#include "unit.h"
#include "validate.h"

struct row {
	const char *pattern;
	enum err code;
	const char *words; /* NULL: it is valid */
};

static void
expect_row(const struct row *row)
{
	struct findings found = {0};
	struct check c = {
	    .file = "x.yaml", .found = &found, .line = 7, .path = "spec.x"};
	struct slice pattern = slice_str(row->pattern);

	check_regex(&c, &pattern);
	EXPECT_EQ(found.errors.count, row->words != NULL);
	if (row->words != NULL) {
		EXPECT_STR(found.errors.items[0].text, row->words);
		EXPECT_STR(found.errors.items[0].field, "spec.x");
		EXPECT_EQ(found.errors.items[0].line, 7);
		EXPECT_ERR(found.errors.items[0].code, row->code);
	}
	EXPECT_EQ(found.warnings.count, 0);
	findings_fini(&found);
}

TEST(a_regular_expression_is_checked_in_words)
{
	static const struct row rows[] = {
	    {"GET|HEAD", OK, NULL},
	    {"^/api/(.*)$", OK, NULL},
	    {".*\\.(png|jpg)", OK, NULL},
	    {"https://.*\\.b\\.com", OK, NULL},
	    {"", ERR_INVALID,
		"a regular expression may not be empty: \".*\" fits all"},
	    {"*", ERR_PARSE,
		"\"*\" is no regular expression here: there is nothing before "
		"* to repeat (byte 1)"},
	    {"a{2,1}", ERR_PARSE,
		"\"a{2,1}\" is no regular expression here: {2,1}: the most is "
		"less than the least (byte 2)"},
	    {"(a){800}(b){800}", ERR_LIMIT,
		"\"(a){800}(b){800}\" is no regular expression here: the "
		"pattern needs more than 2000 instructions; write it with "
		"fewer or smaller repetitions"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_row(&rows[i]);
}

TEST(a_regular_expression_is_at_most_1024_bytes)
{
	char pattern[1026];

	memset(pattern, 'a', sizeof(pattern));
	pattern[1024] = '\0';
	expect_row(&(struct row){pattern, OK, NULL});
	pattern[1024] = 'a';
	pattern[1025] = '\0';
	expect_row(&(struct row){pattern, ERR_LIMIT,
	    "a regular expression has at most 1024 bytes, not 1025"});
}
