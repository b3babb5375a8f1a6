/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — how long the worst patterns take for 64 KB of text.
 *
 * Prints a line a pattern: milliseconds of this thread for matching, searching
 * and replacing, the least of some tries; the last line is the slowest match.
 */
#include <stdio.h>
#include <time.h>

#include "base/base.h"

enum { TEXT_LEN = 64 << 10, TRIES = 5, OUT_MAX = 1 << 20 };

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct times {
	double match, search, replace;
};

static void
least(double *ms, double since)
{
	double took = now_ms() - since;

	if (*ms < 0 || took < *ms)
		*ms = took;
}

static void
measure(const struct regex *r, struct slice text, struct times *t)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	double at = now_ms();

	(void)regex_match(r, text); /* only its time is of interest */
	least(&t->match, at);
	at = now_ms();
	(void)regex_search(r, text);
	least(&t->search, at);
	at = now_ms();
	CHECK(regex_replace(r, text, S("\\0"), &out) == OK);
	least(&t->replace, at);
}

/* The milliseconds of the match. */
static double
run(const char *pattern, struct slice text)
{
	AUTO(regex_unref) struct regex *r = NULL;
	struct times t = {-1, -1, -1};
	struct fault why;

	if (regex_compile(slice_str(pattern), &r, &why) != OK) {
		printf("%-36s refused: %s\n", pattern, why.text);
		return 0;
	}
	for (int i = 0; i < TRIES; i++)
		measure(r, text, &t);
	printf(
	    "%-36s %8.3f %8.3f %8.3f\n", pattern, t.match, t.search, t.replace);
	return t.match;
}

int
main(void)
{
	/* Nested, wide, with very many sets of states, and near the bounds. */
	static const char *const patterns[] = {"([ab]*)*c", "([ab]|[ab][ab])+c",
	    "([ab]+[ab]+)+c", ".*a.{60}c", "[ab]*a[ab]{900}c",
	    "[ab]*a[ab]{1000}[ab]{990}c", "([ab]*a[ab]{40}){20}c",
	    "([ab]+[a-m]){300}c", "([ab]{1,4}[ab]{1,4}){100}c", "(\\pL{1,2})*c",
	    "(d|(.*)){44}c", "((a?){400})*c"};
	char *text = mem_new(TEXT_LEN);
	struct rng rng;
	double worst = 0;

	rng_init(&rng, 1);
	for (size_t i = 0; i < TEXT_LEN; i++)
		text[i] = rng_below(&rng, 2) ? 'a' : 'b';
	printf("%-36s %8s %8s %8s ms for 64 KB\n", "pattern", "match", "search",
	    "replace");
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		double took = run(patterns[i], slice_of(text, TEXT_LEN));

		worst = MAX(worst, took);
	}
	printf("worst match: %.3f ms\n", worst);
	mem_free(&text);
	return 0;
}
