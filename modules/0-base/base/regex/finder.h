/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finder — where matches lie in a text, and their groups.
 *
 * First the automaton runs over the text from its end, which says for each
 * place which ways lead to a match from there (Frisch and Cardelli 2004). Then
 * the program is walked from the start, at each choice along the first way
 * that does: what Perl finds by going back and forth, found without.
 *
 * What the run says is kept for one block of the text at a time; the rest is
 * run again from the next block's beginning when it is needed.
 */
#ifndef MESHD_FINDER_H
#define MESHD_FINDER_H

#include "automaton.h"

struct trial;

struct finder {
	const struct regex *r;
	struct slice text;
	struct arena arena;
	/* Blocks, from the end of the text to its start. */
	size_t block_count;
	size_t *begins;  /* of a block */
	uint64_t *alive; /* states that reach a match from there, by block */
	size_t block;    /* the one that `open` is of */
	uint64_t *open;  /* by byte of the block: states that may be entered; */
			 /* bit 0: a match may begin */
	/* The walk. */
	size_t *slots; /* where groups begin and end; SIZE_MAX: not set */
	size_t slot_count;
	uint64_t choice; /* counts them */
	uint64_t *seen;  /* by instruction: in which choice it was tried */
	struct trial *trials;
};

/* Borrows the pattern and the text until fini; ERR_LIMIT, ERR_NO_MEMORY. */
MUST_USE enum err finder_init(
    struct finder *f, const struct regex *r, struct slice text);
void finder_fini(struct finder *f);

/* The next match that begins at `from` or later, into the slots. */
bool finder_next(struct finder *f, size_t from);

/* The n-th group; SLICE_NONE if it took no part. */
struct slice finder_group(const struct finder *f, size_t n);

#endif
