/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regex — how long the worst patterns take for 64 KB of text, and for 128 KB.
 *
 * A line a pattern on stderr: milliseconds of this thread for matching,
 * searching and replacing in 64 KB, and for matching 128 KB, the least of some
 * tries. On stdout, as JSON, the slowest match or search of 64 KB, and how many
 * times of its own 64 KB any pattern takes at most to match 128 KB.
 */
#include <stdio.h>
#include <time.h>

#include "base/base.h"

enum { TEXT_LEN = 64 << 10, TRIES = 5, OUT_MAX = 1 << 20 };

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct times {
	double match, search, replace, twice;
};

static void
least(double *ms, double since)
{
	double took = cpu_ms() - since;

	if (*ms < 0 || took < *ms)
		*ms = took;
}

/* `text` is of twice TEXT_LEN. */
static void
measure(const struct regex *r, struct slice text, struct times *t)
{
	AUTO(buf_fini) struct buf out = BUF(OUT_MAX);
	struct slice half = slice_of(text.ptr, TEXT_LEN);
	double at = cpu_ms();

	(void)regex_match(r, half); /* only its time is of interest */
	least(&t->match, at);
	at = cpu_ms();
	(void)regex_search(r, half);
	least(&t->search, at);
	at = cpu_ms();
	CHECK(regex_replace(r, half, S("\\0"), &out) == OK);
	least(&t->replace, at);
	at = cpu_ms();
	(void)regex_match(r, text);
	least(&t->twice, at);
}

/* What all patterns have in common. */
struct worst {
	double took, growth;
};

static void
run(const char *pattern, struct slice text, struct worst *worst)
{
	AUTO(regex_unref) struct regex *r = NULL;
	struct times t = {-1, -1, -1, -1};
	struct fault why;

	if (regex_compile(slice_str(pattern), &r, &why) != OK) {
		fprintf(stderr, "%-36s refused: %s\n", pattern, why.text);
		return;
	}
	for (int i = 0; i < TRIES; i++)
		measure(r, text, &t);
	fprintf(stderr, "%-36s %8.3f %8.3f %8.3f %8.3f\n", pattern, t.match,
	    t.search, t.replace, t.twice);
	worst->took = MAX(worst->took, MAX(t.match, t.search));
	worst->growth = MAX(worst->growth, t.twice / t.match);
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
	char *text = mem_new(2 * TEXT_LEN);
	struct worst worst = {0};
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t i = 0; i < 2 * TEXT_LEN; i++)
		text[i] = rng_below(&rng, 2) ? 'a' : 'b';
	fprintf(stderr, "%-36s %8s %8s %8s %8s ms\n", "pattern", "match",
	    "search", "replace", "128 KB");
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		run(patterns[i], slice_of(text, 2 * TEXT_LEN), &worst);
	printf("{\"worst_ms\": %.3f, \"growth\": %.3f}\n", worst.took,
	    worst.growth);
	mem_free(&text);
	return 0;
}
