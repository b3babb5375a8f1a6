/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program — a pattern as instructions (Thompson 1968, Pike's groups).
 *
 * It says what a match is, and in which order it is looked for. The automaton
 * is made of it; groups are found by walking it.
 */
#ifndef MESHD_PROGRAM_H
#define MESHD_PROGRAM_H

#include "syntax.h"

enum op {
	OP_RUNES, /* one character of the set `arg`, then `next` */
	OP_SPLIT, /* `next`, or if that fails `other` */
	OP_SAVE,  /* remember the place in slot `arg`, then `next` */
	OP_NEED,  /* where `arg` holds: `next` */
	OP_MATCH
};

struct instruction {
	uint8_t op;
	uint16_t arg;
	uint16_t next;
	uint16_t other;
};

struct program {
	struct instruction *code; /* code[0] is OP_MATCH */
	size_t count;
	uint16_t start;
	const struct runes **sets; /* no two the same */
	size_t set_count;
};

/* In the arena; ERR_LIMIT in words. */
MUST_USE enum err program_make(const struct syntax *syntax, struct arena *arena,
    struct program *out, struct fault *why);

#endif
