/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect — what is said about a document, for the tests of kinds.
 */
#ifndef MESHD_TEST_EXPECT_H
#define MESHD_TEST_EXPECT_H

#include "load.h"

/* Wrong text; the field that is named; words of the message; its code. */
struct wrong {
	const char *yaml;
	const char *field;
	const char *words;
	enum err code;
};

/* Refused, with this among what is said, and a line. */
void expect_wrong(const struct wrong *w);

/* The same of several, whatever their codes. */
struct mistake {
	const char *yaml;
	const char *field;
	const char *words;
};
void expect_mistakes(const struct mistake *rows, size_t count);

/* Each is one resource with so many warnings. */
struct warned {
	const char *yaml;
	size_t warnings;
};
void expect_warned(const struct warned *rows, size_t count);

/* One resource, whose spec is this JSON as it was written. */
void expect_written(const char *yaml, struct slice json);

/* One resource, no error. */
void expect_valid(const char *yaml);

/* The same, and no warning either. */
void expect_quiet(const char *yaml);

/* One resource; a warning at this field that has these words. */
void expect_warning(const char *yaml, const char *field, const char *words);

/* One resource; this field is not in force: "MSH0001" or "MSH0002". */
void expect_inert(const char *yaml, const char *field, const char *id);

/* One resource of which nothing is said to be not in force. */
void expect_in_force(const char *yaml);

/* Decoded, encoded, decoded and encoded again: both texts are equal. */
void expect_round_trip(const char *yaml);

#endif
