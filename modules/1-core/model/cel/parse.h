/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse — from words to a tree: what parse.c and operand.c share.
 */
#ifndef MESHD_CEL_PARSE_H
#define MESHD_CEL_PARSE_H

#include "ast.h"
#include "lex.h"

struct cel_parser {
	struct slice text;
	struct token now; /* the word at hand */
	size_t end;       /* behind it */
	struct arena *arena;
	uint32_t nesting;
	size_t nodes;
	enum err err; /* the first mistake; nothing is read after it */
	struct fault *why;
};

/* Records the first mistake; NULL for the caller to return. */
struct cel_node *cel_fail(struct cel_parser *p, enum err e, size_t at,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "x was expected, not …" at the word at hand. */
struct cel_node *cel_fail_word(struct cel_parser *p, const char *expected);

/* True if this sign is at hand; accepted, it is stepped over. */
bool cel_sees(const struct cel_parser *p, const char *sign);
bool cel_accept(struct cel_parser *p, const char *sign);
void cel_advance(struct cel_parser *p);

struct cel_node *cel_node(
    struct cel_parser *p, enum cel_node_type type, size_t at);

/* Adds a child; either may be NULL after a mistake. */
void cel_append(
    struct cel_parser *p, struct cel_node *parent, struct cel_node *child);

/* A whole expression, and what stands on either side of an operator. */
struct cel_node *cel_expression(struct cel_parser *p);
struct cel_node *cel_operand(struct cel_parser *p);

#endif
