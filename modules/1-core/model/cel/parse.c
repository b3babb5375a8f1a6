/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse — operators and their precedence; see operand.c for what is between.
 *
 * The grammar is that of the language's definition (cel.dev, "Syntax").
 */
#include <stdarg.h>
#include <stdio.h>

#include "parse.h"

enum { WORD_SHOWN_MAX = 32, ARENA_MAX = 8 << 20, REGEXES_MAX = 32 };

struct cel_node *
cel_fail(struct cel_parser *p, enum err e, size_t at, const char *fmt, ...)
{
	char words[FAULT_TEXT_MAX];
	va_list ap;

	if (p->err != OK)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, ap); /* may be cut */
	va_end(ap);
	p->err = fault_set(p->why, e, "%s (byte %zu)", words, at + 1);
	return NULL;
}

struct cel_node *
cel_fail_word(struct cel_parser *p, const char *expected)
{
	const struct token *t = &p->now;

	if (t->type == TOKEN_BAD)
		return cel_fail(
		    p, ERR_PARSE, t->at, "%.*s", SLICE_ARG(t->text));
	if (t->type == TOKEN_END)
		return cel_fail(p, ERR_PARSE, t->at,
		    "the expression ends where %s is expected", expected);
	return cel_fail(p, ERR_PARSE, t->at, "%s is expected, not \"%.*s\"",
	    expected, SLICE_ARG(slice_sub(t->text, 0, WORD_SHOWN_MAX)));
}

bool
cel_sees(const struct cel_parser *p, const char *sign)
{
	return p->now.type == TOKEN_SIGN &&
	       slice_eq(p->now.text, slice_str(sign));
}

void
cel_advance(struct cel_parser *p)
{
	p->now = lex_next(p->text, p->end, &p->end);
}

bool
cel_accept(struct cel_parser *p, const char *sign)
{
	if (!cel_sees(p, sign))
		return false;
	cel_advance(p);
	return true;
}

struct cel_node *
cel_node(struct cel_parser *p, enum cel_node_type type, size_t at)
{
	struct cel_node *n;

	if (p->err != OK)
		return NULL;
	if (++p->nodes > CEL_NODES_MAX)
		return cel_fail(p, ERR_LIMIT, at,
		    "an expression has at most %d parts", (int)CEL_NODES_MAX);
	n = arena_alloc(p->arena, sizeof(*n));
	if (n == NULL)
		return cel_fail(
		    p, ERR_LIMIT, at, "the expression needs too much memory");
	n->type = type;
	n->at = (uint32_t)at;
	return n;
}

void
cel_append(
    struct cel_parser *p, struct cel_node *parent, struct cel_node *child)
{
	if (parent == NULL || child == NULL)
		return;
	if (parent->last == NULL)
		parent->child = child;
	else
		parent->last->next = child;
	parent->last = child;
	parent->count++;
	parent->depth = MAX(parent->depth, child->depth + 1);
	if (parent->depth > CEL_DEPTH_MAX)
		(void)cel_fail(p, ERR_LIMIT, child->at,
		    "an expression is at most %d levels deep",
		    (int)CEL_DEPTH_MAX);
}

/* --- operators ------------------------------------------------------------ */

struct operator
{
	const char *sign;
	enum cel_op op;
	int level; /* what binds more is higher */
};

enum { LEVEL_RELATION, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_OPERAND };

static const struct operator operators[] = {
    {"<", CEL_OP_LESS, LEVEL_RELATION},
    {"<=", CEL_OP_LESS_EQUAL, LEVEL_RELATION},
    {">", CEL_OP_GREATER, LEVEL_RELATION},
    {">=", CEL_OP_GREATER_EQUAL, LEVEL_RELATION},
    {"==", CEL_OP_EQUAL, LEVEL_RELATION},
    {"!=", CEL_OP_NOT_EQUAL, LEVEL_RELATION},
    {"+", CEL_OP_ADD, LEVEL_SUM},
    {"-", CEL_OP_SUBTRACT, LEVEL_SUM},
    {"*", CEL_OP_MULTIPLY, LEVEL_PRODUCT},
    {"/", CEL_OP_DIVIDE, LEVEL_PRODUCT},
    {"%", CEL_OP_MODULO, LEVEL_PRODUCT},
};

static bool
sees_operator(const struct cel_parser *p, int level, enum cel_op *op)
{
	if (level == LEVEL_RELATION && p->now.type == TOKEN_NAME &&
	    slice_eq(p->now.text, S("in"))) {
		*op = CEL_OP_IN;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].level == level &&
		    cel_sees(p, operators[i].sign)) {
			*op = operators[i].op;
			return true;
		}
	return false;
}

/* Operators of one level from left to right: a - b - c is (a - b) - c. */
static struct cel_node *
binary(struct cel_parser *p, int level)
{
	struct cel_node *left;
	enum cel_op op;

	if (level == LEVEL_OPERAND)
		return cel_operand(p);
	left = binary(p, level + 1);
	for (int links = 0; sees_operator(p, level, &op); links++) {
		struct cel_node *n = cel_node(p, CEL_NODE_BINARY, p->now.at);

		if (links == CEL_NESTING_MAX)
			(void)cel_fail(p, ERR_LIMIT, p->now.at,
			    "more than %d operators stand in a row",
			    (int)CEL_NESTING_MAX);
		cel_advance(p);
		cel_append(p, n, left);
		cel_append(p, n, binary(p, level + 1));
		if (n == NULL || p->err != OK)
			return NULL;
		n->op = op;
		left = n;
	}
	return left;
}

/* Any number of parts between "&&" or "||"; one alone is itself. */
static struct cel_node *
logic(struct cel_parser *p, enum cel_node_type type)
{
	const char *sign = type == CEL_NODE_OR ? "||" : "&&";
	struct cel_node *n, *first;
	size_t at = p->now.at;

	first = type == CEL_NODE_OR ? logic(p, CEL_NODE_AND)
				    : binary(p, LEVEL_RELATION);
	if (p->err != OK || !cel_sees(p, sign))
		return first;
	n = cel_node(p, type, at);
	cel_append(p, n, first);
	while (p->err == OK && cel_accept(p, sign))
		cel_append(p, n,
		    type == CEL_NODE_OR ? logic(p, CEL_NODE_AND)
					: binary(p, LEVEL_RELATION));
	return n;
}

struct cel_node *
cel_expression(struct cel_parser *p)
{
	struct cel_node *n, *first;
	size_t at = p->now.at;

	if (p->err != OK)
		return NULL;
	if (++p->nesting > CEL_NESTING_MAX)
		return cel_fail(p, ERR_LIMIT, at,
		    "the expression is nested deeper than %d",
		    (int)CEL_NESTING_MAX);
	first = n = logic(p, CEL_NODE_OR);
	if (p->err == OK && cel_accept(p, "?")) {
		n = cel_node(p, CEL_NODE_CHOOSE, at);
		cel_append(p, n, first);
		cel_append(p, n, logic(p, CEL_NODE_OR));
		if (!cel_accept(p, ":"))
			(void)cel_fail_word(p, "\":\"");
		cel_append(p, n, cel_expression(p));
	}
	p->nesting--;
	return p->err == OK ? n : NULL;
}

/* --- an expression -------------------------------------------------------- */

static void
drop_regex(void *arg)
{
	struct cel_node *n = arg;

	regex_unref(&n->regex);
}

/* What cannot be compiled is said by cel_check(), and when it is evaluated. */
static void
compile_regex(struct cel_parser *p, struct cel_node *n, size_t *left)
{
	const struct cel_node *pattern = n->last;

	if (*left == 0 || n->type != CEL_NODE_CALL || n->count != 2 ||
	    !slice_eq(n->name, S("matches")) ||
	    pattern->type != CEL_NODE_LITERAL ||
	    pattern->literal.type != CEL_STRING ||
	    regex_compile(pattern->literal.text, &n->regex, NULL) != OK)
		return;
	--*left;
	if (arena_on_reset(p->arena, drop_regex, n) != OK) {
		regex_unref(&n->regex);
		(void)cel_fail(p, ERR_LIMIT, n->at,
		    "the expression needs too much memory");
	}
}

static void
compile_regexes(struct cel_parser *p, struct cel_node *n, size_t *left)
{
	compile_regex(p, n, left);
	for (struct cel_node *c = n->child; c != NULL; c = c->next)
		compile_regexes(p, c, left);
}

MUST_USE static enum err
parse(struct cel *c, struct slice text, struct fault *why)
{
	struct cel_parser p = {.arena = &c->arena, .why = why};
	size_t left = REGEXES_MAX;
	struct cel_node *root;

	if (arena_copy(&c->arena, text, &p.text) != OK)
		return fault_set(
		    why, ERR_NO_MEMORY, "no memory for the expression");
	cel_advance(&p);
	root = cel_expression(&p);
	if (p.err == OK && p.now.type != TOKEN_END)
		(void)cel_fail_word(&p, "an operator or the end");
	if (p.err == OK && root != NULL)
		compile_regexes(&p, root, &left);
	c->root = root;
	return p.err;
}

enum err
cel_parse(struct slice text, struct cel **out, struct fault *why)
{
	AUTO(cel_free) struct cel *c = NULL;
	enum err e;

	if (text.len > CEL_TEXT_MAX)
		return fault_set(why, ERR_LIMIT,
		    "an expression has at most %d bytes", (int)CEL_TEXT_MAX);
	if (!slice_is_utf8(text))
		return fault_set(why, ERR_PARSE, "the expression is not UTF-8");
	c = mem_new(sizeof(*c));
	arena_init(&c->arena, ARENA_MAX);
	if ((e = parse(c, text, why)) != OK)
		return e;
	*out = TAKE(c);
	return OK;
}

void
cel_free(struct cel **cp)
{
	if (*cp != NULL)
		arena_fini(&(*cp)->arena);
	mem_free(cp);
}
