/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err — codes have names and words; faults say where and what.
 */
#include <errno.h>

#include "base/base.h"
#include "unit.h"

static const char *
formatted(const struct fault *why)
{
	static char text[2 * FAULT_TEXT_MAX];

	fault_format(why, text, sizeof(text));
	return text;
}

TEST(every_code_has_a_name_and_words)
{
	EXPECT_STR(err_name(ERR_LIMIT), "ERR_LIMIT");
	EXPECT_STR(err_text(ERR_LIMIT), "limit exceeded");
	for (int e = 0; e < ERR_COUNT; e++) {
		EXPECT_TRUE(err_name((enum err)e) != NULL);
		EXPECT_TRUE(strlen(err_text((enum err)e)) > 1);
	}
}

TEST(a_stream_error_is_not_fatal_to_its_connection)
{
	EXPECT_FALSE(err_is_fatal(ERR_CANCELLED));
	EXPECT_TRUE(err_is_fatal(ERR_RESET));
}

TEST(errno_becomes_a_code)
{
	EXPECT_ERR(err_from_errno(ECONNREFUSED), ERR_REFUSED);
	EXPECT_ERR(err_from_errno(EADDRINUSE), ERR_BUSY);
	EXPECT_ERR(err_from_errno(EACCES), ERR_PERMISSION);
	EXPECT_ERR(err_from_errno(ENOSPC), ERR_NO_SPACE);
	EXPECT_ERR(err_from_errno(EXDEV), ERR_IO);
	EXPECT_OK(err_from_errno(0));
}

TEST(a_fault_returns_its_code_with_and_without_room_for_words)
{
	struct fault why;

	EXPECT_ERR(fault_set(NULL, ERR_PARSE, "x"), ERR_PARSE);
	EXPECT_ERR(fault_prefix(NULL, ERR_IO, "x"), ERR_IO);
	EXPECT_ERR(fault_set(&why, ERR_PARSE, "%d is odd", 3), ERR_PARSE);
	EXPECT_EQ(why.code, ERR_PARSE);
	EXPECT_STR(why.text, "3 is odd");
	fault_at(NULL, "f", 1, 2);
}

TEST(a_fault_is_utf8_wherever_it_was_cut)
{
	char field[2 * FAULT_FIELD_MAX], text[2 * FAULT_TEXT_MAX] = "";
	struct fault why;

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	for (size_t i = 0; i < 4; i++) {
		memset(field, 'a', i);
		memcpy(field + i, text, sizeof(field) - i);
		field[sizeof(field) - 1] = '\0';
		(void)fault_set(&why, ERR_PARSE, "%.*s", 4 - (int)i, text);
		EXPECT_TRUE(slice_is_utf8(slice_str(why.text)));
		(void)fault_set(&why, ERR_PARSE, "%s", field);
		(void)fault_prefix(&why, ERR_PARSE, "%s", text + i);
		EXPECT_TRUE(slice_is_utf8(slice_str(why.text)));
		EXPECT_TRUE(slice_ends(slice_str(why.text), S("...")));
		fault_at(&why, field, 1, 1);
		EXPECT_TRUE(slice_is_utf8(slice_str(why.file)));
		fault_in(&why, field);
		EXPECT_TRUE(slice_is_utf8(slice_str(why.field)));
	}
	(void)fault_set(&why, ERR_PARSE, "a \xff b\xc3");
	EXPECT_STR(why.text, "a ? b?");
}

TEST(a_fault_is_formatted_with_the_parts_that_it_has)
{
	struct fault why;

	(void)fault_set(&why, ERR_PARSE, "no");
	EXPECT_STR(formatted(&why), "no");
	fault_at(&why, "a.yaml", 0, 0);
	EXPECT_STR(formatted(&why), "a.yaml: no");
	fault_at(&why, "a.yaml", 3, 0);
	EXPECT_STR(formatted(&why), "a.yaml:3: no");
	fault_at(&why, "a.yaml", 3, 7);
	EXPECT_OK(slice_to_cstr(S("spec.x"), why.field, sizeof(why.field)));
	EXPECT_STR(formatted(&why), "a.yaml:3:7: spec.x: no");
	fault_at(&why, NULL, 3, 7);
	EXPECT_STR(formatted(&why), "3:7: spec.x: no");
}

TEST(a_fault_with_an_id_ends_in_it)
{
	char text[64];
	struct fault why = {0};

	(void)fault_set(&why, ERR_INVALID, "is wrong"); /* returns the code */
	why.id = "MSH0001";
	fault_format(&why, text, sizeof(text));
	EXPECT_STR(text, "is wrong [MSH0001]");
	(void)fault_set(&why, ERR_INVALID, "again"); /* a new one */
	EXPECT_TRUE(why.id == NULL);
}

TEST(a_new_fault_forgets_where_the_old_one_was)
{
	struct fault why;

	(void)fault_set(&why, ERR_PARSE, "old");
	fault_at(&why, "a.yaml", 3, 7);
	(void)fault_set(&why, ERR_IO, "new");
	EXPECT_STR(formatted(&why), "new");
}

TEST(a_prefix_goes_in_front_and_changes_the_code)
{
	struct fault why;

	(void)fault_set(&why, ERR_NOT_FOUND, "no such file");
	EXPECT_ERR(fault_prefix(&why, ERR_IO, "reading %s: ", "a"), ERR_IO);
	EXPECT_STR(why.text, "reading a: no such file");
	EXPECT_EQ(why.code, ERR_IO);
}

TEST(words_that_do_not_fit_end_in_dots)
{
	char wide[2 * FAULT_TEXT_MAX], narrow[8];
	struct fault why;

	memset(wide, 'x', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	(void)fault_set(&why, ERR_PARSE, "%s", wide);
	EXPECT_EQ(strlen(why.text), FAULT_TEXT_MAX - 1);
	EXPECT_STR(why.text + FAULT_TEXT_MAX - 5, "x...");
	(void)fault_prefix(&why, ERR_PARSE, "ab: ");
	EXPECT_SLICE(slice_of(why.text, 6), S("ab: xx"));
	EXPECT_STR(why.text + FAULT_TEXT_MAX - 4, "...");
	fault_format(&why, narrow, sizeof(narrow));
	EXPECT_STR(narrow, "ab: ...");
}

static void
add_at(struct faults *all, const char *file, uint32_t line, const char *text)
{
	struct fault why;

	(void)fault_set(&why, ERR_PARSE, "%s", text);
	fault_at(&why, file, line, 1);
	faults_add(all, &why);
}

TEST(a_fault_that_is_there_is_not_added_again)
{
	AUTO(faults_fini) struct faults all = {NULL, 0, 0};

	add_at(&all, "a", 1, "x");
	add_at(&all, "a", 1, "x");
	EXPECT_EQ(all.count, 1);
	add_at(&all, "a", 1, "y");
	add_at(&all, "b", 1, "x");
	EXPECT_EQ(all.count, 3);
}

TEST(faults_are_sorted_by_line_within_files_as_these_came)
{
	AUTO(faults_fini) struct faults all = {NULL, 0, 0};
	AUTO(buf_fini) struct buf text = BUF(256);

	add_at(&all, "z", 9, "syntax");
	add_at(&all, "a", 5, "syntax");
	add_at(&all, "z", 12, "late");
	add_at(&all, "z", 3, "early");
	add_at(&all, "a", 2, "early");
	faults_sort(&all);
	for (size_t i = 0; i < all.count; i++)
		EXPECT_OK(buf_printf(
		    &text, "%s%u ", all.items[i].file, all.items[i].line));
	EXPECT_SLICE(buf_slice(&text), S("z3 z9 z12 a2 a5 "));
}

TEST(faults_past_the_limit_are_counted_only)
{
	AUTO(faults_fini) struct faults all = {NULL, 0, 0};
	struct fault why;

	for (int i = 0; i < FAULTS_MAX + 3; i++) {
		(void)fault_set(&why, ERR_PARSE, "mistake %d", i);
		faults_add(&all, &why);
	}
	EXPECT_EQ(all.count, FAULTS_MAX);
	EXPECT_EQ(all.dropped, 3);
	EXPECT_STR(all.items[0].text, "mistake 0");
	EXPECT_STR(all.items[FAULTS_MAX - 1].text, "mistake 199");
}
