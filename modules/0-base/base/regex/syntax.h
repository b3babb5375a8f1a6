/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax — a pattern as a tree.
 *
 * The grammar is RE2's as Go's regexp/syntax reads it, which is what decides
 * whether Istio takes a pattern: Perl's, without what needs backtracking, and
 * without \C.
 */
#ifndef MESHD_SYNTAX_H
#define MESHD_SYNTAX_H

#include "runes.h"

enum node_type {
	NODE_EMPTY,
	NODE_RUNES,  /* one character of `runes` */
	NODE_NEED,   /* nothing, where `need` holds */
	NODE_GROUP,  /* its child, remembered */
	NODE_CONCAT, /* its children one after another */
	NODE_CHOICE, /* the first of its children that fits */
	NODE_REPEAT  /* its child, least to most times */
};

/* What holds at a place of the text. */
enum need {
	NEED_TEXT_BEGIN = 1 << 0, /* \A, ^ */
	NEED_TEXT_END = 1 << 1,   /* \z, $ */
	NEED_LINE_BEGIN = 1 << 2, /* (?m)^ */
	NEED_LINE_END = 1 << 3,   /* (?m)$ */
	NEED_WORD_EDGE = 1 << 4,  /* \b */
	NEED_NO_EDGE = 1 << 5,    /* \B */
	NEED_ALL = (1 << 6) - 1
};

enum { REPEAT_ENDLESS = -1 };

struct node {
	enum node_type type;
	bool nullable; /* may match nothing */
	bool lazy;     /* NODE_REPEAT: as few as possible */
	uint8_t need;  /* NODE_NEED */
	int least, most;
	size_t group; /* NODE_GROUP: from 1 */
	struct runes runes;
	struct node *child, *last; /* first and last */
	struct node *previous, *next;
};

struct syntax {
	struct node *root; /* in the arena */
	size_t groups;
};

/* The tree lies in the arena; ERR_PARSE, ERR_LIMIT, ERR_NO_MEMORY in words. */
MUST_USE enum err syntax_parse(struct slice pattern, struct arena *arena,
    struct syntax *out, struct fault *why);

/* --- shared by syntax.c and classes.c ------------------------------------- */

enum flag {
	FLAG_FOLD = 1 << 0,   /* i */
	FLAG_LINES = 1 << 1,  /* m */
	FLAG_DOT_NL = 1 << 2, /* s */
	FLAG_LAZY = 1 << 3    /* U */
};

struct parser {
	struct slice text;
	size_t at;
	unsigned flags; /* enum flag */
	size_t depth;
	size_t groups;
	struct arena *arena;
	enum err err; /* the first mistake; nothing is read after it */
	struct fault *why;
};

/* Records the first mistake; `at` is the byte where it begins. */
#define parser_fail(p, at, ...) parser_fail_with(p, ERR_PARSE, at, __VA_ARGS__)
void parser_fail_with(struct parser *p, enum err e, size_t at, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

/* True if the pattern goes on with these bytes. */
bool parser_sees(const struct parser *p, const char *words);

/* The next character; RUNE_NONE after an error or at the end. */
uint32_t parser_rune(struct parser *p);

/* Adds, with the other cases if (?i) holds. */
void parser_add(struct parser *p, struct runes *s, uint32_t low, uint32_t high);

/* "[...]", from the bracket on. */
void parser_class(struct parser *p, struct runes *out);

/* "\d", "\pL", "\p{Greek}"; false if it is none of them. */
bool parser_class_escape(struct parser *p, struct runes *out);

/* "\n", "\x41", "\." as one character; RUNE_NONE after an error. */
uint32_t parser_escape(struct parser *p);

#endif
