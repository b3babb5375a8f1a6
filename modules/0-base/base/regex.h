/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — regular expressions of RE2's syntax, in time linear in the text.
 *
 * Never backtracks: all states of a bounded automaton advance together, a
 * machine word of them at a time. What RE2 leaves out (look-around, \1 in a
 * pattern) is refused in words, and so is a pattern whose automaton would be
 * too large. Text is UTF-8; a byte that is none matches nothing, not even a
 * dot. The README of regex/ says why this is not Debian's RE2.
 *
 * A compiled pattern never changes: any thread may match with it at once.
 */
#ifndef MESHD_REGEX_H
#define MESHD_REGEX_H

#include "buf.h"

enum {
	REGEX_PATTERN_MAX = 16 << 10,   /* bytes */
	REGEX_INSTRUCTIONS_MAX = 2000,  /* of the program */
	REGEX_REPEAT_MAX = 1000,        /* x{1000}, nested ones multiplied */
	REGEX_DEPTH_MAX = 512,          /* groups in groups */
	REGEX_STEP_MAX = 384,           /* words of work for one rune */
	REGEX_MEMORY_MAX = 512 << 10,   /* of a compiled pattern */
	REGEX_SEARCH_TEXT_MAX = 1 << 20 /* for finding and replacing */
};

struct regex; /* opaque */

/*
 * Compiles; copies the pattern. ERR_PARSE for what is not RE2's syntax, with
 * the byte where it goes wrong; ERR_LIMIT for what is too large;
 * ERR_NO_MEMORY.
 */
MUST_USE enum err regex_compile(
    struct slice pattern, struct regex **out, struct fault *why);
struct regex *regex_ref(const struct regex *r);
void regex_unref(struct regex **rp);

size_t regex_bytes(const struct regex *r); /* of memory */
size_t regex_instructions(const struct regex *r);
size_t regex_groups(const struct regex *r); /* without the whole match */

/* True if all of the text matches; no memory is taken. */
bool regex_match(const struct regex *r, struct slice text);

/* True if any part of the text matches; no memory is taken. */
bool regex_search(const struct regex *r, struct slice text);

/*
 * The leftmost match that begins at byte `from` or later, as Perl would
 * choose it. groups[0] is the match and groups[n] the n-th group, with a NULL
 * ptr if that took no part; they point into the text. ERR_NOT_FOUND;
 * ERR_LIMIT for a text that is too long; ERR_NO_MEMORY.
 */
MUST_USE enum err regex_find(const struct regex *r, struct slice text,
    size_t from, struct slice *groups, size_t group_count);

/*
 * ERR_INVALID unless each backslash of the substitution stands before another
 * one or the digit of a group that the pattern has.
 */
MUST_USE enum err regex_check_rewrite(
    const struct regex *r, struct slice rewrite, struct fault *why);

/*
 * Writes the text with every match replaced: \1 is the first group, \0 the
 * match, \\ a backslash. As RE2's GlobalReplace: no empty match right behind
 * another one. The rewrite has passed regex_check_rewrite(). ERR_LIMIT if the
 * text is too long or the buffer is full, ERR_NO_MEMORY; what the buffer then
 * holds is of no use.
 */
MUST_USE enum err regex_replace(const struct regex *r, struct slice text,
    struct slice rewrite, struct buf *out);

#endif
