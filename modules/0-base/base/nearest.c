/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest — the known word that a misspelt one was likely meant to be.
 *
 * Levenshtein's distance without regard to case, over one row.
 */
#include <stdio.h>

#include "nearest.h"

enum { WORD_MAX = 64 };

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned
distance(struct slice a, struct slice b)
{
	unsigned row[WORD_MAX + 1];

	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = lower(a.ptr[i - 1]) == lower(b.ptr[j - 1]);
			unsigned replace = diagonal + !same;

			diagonal = row[j];
			row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.len];
}

void
nearest_init(struct nearest *n, struct slice wrong)
{
	/* A third of a word may be wrong, but always one letter. */
	*n = (struct nearest){wrong, NULL, (unsigned)MAX(wrong.len / 3, 1) + 1};
}

void
nearest_offer(struct nearest *n, const char *word)
{
	struct slice w = slice_str(word);
	unsigned d;

	if (n->wrong.len > WORD_MAX || w.len > WORD_MAX)
		return;
	d = distance(n->wrong, w);
	if (d < n->distance) {
		n->distance = d;
		n->best = word;
	}
}

const char *
nearest_text(const struct nearest *n, char out[NEAREST_TEXT_MAX])
{
	out[0] = '\0';
	if (n->best != NULL)
		(void)snprintf(out, NEAREST_TEXT_MAX, "; did you mean \"%s\"?",
		    n->best); /* may be cut */
	return out;
}
