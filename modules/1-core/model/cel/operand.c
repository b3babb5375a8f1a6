/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operand — what stands between operators: literals, names, members, calls.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "parse.h"

/* Words that may only stand as members, and in the name of a type. */
static const char *const reserved[] = {"as", "break", "const", "continue",
    "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while"};

static bool
is_reserved(struct slice word)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (slice_eq(word, slice_str(reserved[i])))
			return true;
	return false;
}

static bool
is_word(const struct token *t, const char *word)
{
	return t->type == TOKEN_NAME && slice_eq(t->text, slice_str(word));
}

/* A name that is no word of the language. */
static bool
is_name(const struct token *t)
{
	return t->type == TOKEN_NAME && !is_word(t, "in") &&
	       !is_word(t, "true") && !is_word(t, "false") &&
	       !is_word(t, "null");
}

/* --- literals ------------------------------------------------------------- */

static bool
read_natural(struct slice text, uint64_t *out)
{
	unsigned base = 10;

	*out = 0;
	if (slice_starts(text, S("0x"))) {
		base = 16;
		text = slice_sub(text, 2, text.len);
	}
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		unsigned digit = c <= '9' ? (unsigned)(c - '0')
					  : (unsigned)((c | 0x20) - 'a' + 10);

		if (__builtin_mul_overflow(*out, base, out) ||
		    __builtin_add_overflow(*out, digit, out))
			return false;
	}
	return true;
}

static bool
read_int(struct slice text, bool negative, int64_t *out)
{
	uint64_t n;

	if (!read_natural(text, &n) ||
	    n > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*out = negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

static bool
read_double(struct slice text, bool negative, double *out)
{
	char zero_ended[FAULT_TEXT_MAX];

	if (slice_to_cstr(text, zero_ended, sizeof(zero_ended)) != OK)
		return false;
	*out = strtod(zero_ended, NULL);
	if (negative)
		*out = -*out;
	return isfinite(*out);
}

/* The number at hand, behind a minus if it is negative. */
static struct cel_node *
number(struct cel_parser *p, bool negative, size_t at)
{
	struct cel_node *n = cel_node(p, CEL_NODE_LITERAL, at);
	bool good;

	if (n == NULL)
		return NULL;
	if (p->now.type == TOKEN_UINT) {
		n->literal.type = CEL_UINT;
		good = read_natural(p->now.text, &n->literal.natural);
	} else if (p->now.type == TOKEN_INT) {
		n->literal.type = CEL_INT;
		good = read_int(p->now.text, negative, &n->literal.integer);
	} else {
		n->literal.type = CEL_DOUBLE;
		good = read_double(p->now.text, negative, &n->literal.real);
	}
	if (!good)
		return cel_fail(p, ERR_PARSE, at,
		    "%.*s is too large for a number of its type",
		    SLICE_ARG(slice_sub(p->now.text, 0, 64)));
	cel_advance(p);
	return n;
}

static struct cel_node *
string(struct cel_parser *p)
{
	struct cel_node *n = cel_node(p, CEL_NODE_LITERAL, p->now.at);
	struct literal l = lex_literal(p->now.text);
	const char *why = "there is no memory for a string";
	enum err e;

	if (n == NULL)
		return NULL;
	n->literal.type = l.bytes ? CEL_BYTES : CEL_STRING;
	e = lex_unescape(&l, p->arena, &n->literal.text, &why);
	if (e != OK)
		return cel_fail(p, e, n->at, "%s", why);
	cel_advance(p);
	return n;
}

static struct cel_node *
constant(struct cel_parser *p)
{
	struct cel_node *n = cel_node(p, CEL_NODE_LITERAL, p->now.at);

	if (n == NULL)
		return NULL;
	n->literal.type = is_word(&p->now, "null") ? CEL_NULL : CEL_BOOL;
	n->literal.boolean = is_word(&p->now, "true");
	cel_advance(p);
	return n;
}

/* --- lists, maps, messages ------------------------------------------------ */

/* Between items: true if another one follows; a comma may end them. */
static bool
another(struct cel_parser *p, const char *close)
{
	if (p->err != OK || cel_accept(p, close))
		return false;
	if (!cel_accept(p, ",")) {
		(void)cel_fail(p, ERR_PARSE, p->now.at,
		    "\",\" or \"%s\" is expected", close);
		return false;
	}
	return !cel_accept(p, close);
}

/* True if items follow the opening bracket; "[,]" has none either. */
static bool
any(struct cel_parser *p, const char *close)
{
	if (cel_accept(p, close))
		return false;
	if (!cel_accept(p, ","))
		return true;
	if (!cel_accept(p, close))
		(void)cel_fail_word(p, "a value");
	return false;
}

static struct cel_node *
list(struct cel_parser *p)
{
	struct cel_node *n = cel_node(p, CEL_NODE_LIST, p->now.at);

	cel_advance(p);
	if (any(p, "]"))
		do
			cel_append(p, n, cel_expression(p));
		while (another(p, "]"));
	return n;
}

static struct cel_node *
map(struct cel_parser *p)
{
	struct cel_node *n = cel_node(p, CEL_NODE_MAP, p->now.at);

	cel_advance(p);
	if (any(p, "}"))
		do {
			cel_append(p, n, cel_expression(p));
			if (!cel_accept(p, ":"))
				(void)cel_fail_word(p, "\":\"");
			cel_append(p, n, cel_expression(p));
		} while (another(p, "}"));
	return n;
}

/* "a.b.C" of a chain of names, into one text; false if it is no such chain. */
static bool
type_name(const struct cel_node *n, struct slice text, struct slice *out)
{
	size_t end = n->name.ptr + n->name.len - text.ptr;

	for (; n->type == CEL_NODE_MEMBER; n = n->child)
		if (text.ptr[n->name.ptr - text.ptr - 1] == '`')
			return false;
	if (n->type != CEL_NODE_NAME)
		return false;
	*out = slice_sub(text, n->at, end - n->at);
	return true;
}

/* "a.b.C{x: 1}", at the brace. */
static struct cel_node *
message(struct cel_parser *p, const struct cel_node *chain)
{
	struct slice name;
	struct cel_node *n;

	if (!type_name(chain, p->text, &name))
		return cel_fail_word(p, "an operator or the end");
	n = cel_node(p, CEL_NODE_STRUCT, (size_t)(name.ptr - p->text.ptr));
	if (n == NULL)
		return NULL;
	n->name = name;
	cel_advance(p);
	if (any(p, "}"))
		do {
			if (!is_name(&p->now) &&
			    p->now.type != TOKEN_QUOTED_NAME)
				return cel_fail_word(p, "the name of a field");
			cel_advance(p);
			if (!cel_accept(p, ":"))
				return cel_fail_word(p, "\":\"");
			cel_append(p, n, cel_expression(p));
		} while (another(p, "}"));
	return n;
}

/* --- calls and macros ----------------------------------------------------- */

struct macro {
	const char *name;
	enum cel_op op;
	uint32_t least, most; /* arguments */
};

static const struct macro macros[] = {
    {"all", CEL_OP_ALL, 2, 2},
    {"exists", CEL_OP_EXISTS, 2, 2},
    {"exists_one", CEL_OP_EXISTS_ONE, 2, 2},
    {"map", CEL_OP_MAP, 2, 3},
    {"filter", CEL_OP_FILTER, 2, 2},
};

/* x.all(name, ...): the name is no value but a variable's. */
static void
expand(struct cel_parser *p, struct cel_node *n, enum cel_op op)
{
	struct cel_node *variable = n->child->next;

	if (variable->type != CEL_NODE_NAME) {
		(void)cel_fail(p, ERR_PARSE, variable->at,
		    "the first argument of %.*s() is the name of a variable",
		    SLICE_ARG(n->name));
		return;
	}
	if (slice_eq(variable->name, S("__result__"))) {
		(void)cel_fail(p, ERR_PARSE, variable->at,
		    "a variable may not be called __result__");
		return;
	}
	n->type = CEL_NODE_MACRO;
	n->op = op;
	n->name = variable->name;
	n->child->next = variable->next;
	n->count--;
}

/* has(x.y) asks whether there is one. */
static void
expand_has(struct cel_parser *p, struct cel_node *n)
{
	struct cel_node *member = n->child;

	if (member->type != CEL_NODE_MEMBER) {
		(void)cel_fail(p, ERR_PARSE, member->at,
		    "the argument of has() is a member, as in has(x.y)");
		return;
	}
	member->type = CEL_NODE_HAS;
	*n = *member;
}

static void
expand_macro(struct cel_parser *p, struct cel_node *n)
{
	if (!n->receiver) {
		/* ".has(x)" is a call of what is not there. */
		if (slice_eq(n->name, S("has")) && n->count == 1 &&
		    p->text.ptr[n->at] != '.')
			expand_has(p, n);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(macros); i++)
		if (slice_eq(n->name, slice_str(macros[i].name)) &&
		    n->count - 1 >= macros[i].least &&
		    n->count - 1 <= macros[i].most)
			expand(p, n, macros[i].op);
}

/* The arguments of a call, at its bracket; no comma may end them. */
static struct cel_node *
call(struct cel_parser *p, struct slice name, struct cel_node *receiver,
    size_t at)
{
	struct cel_node *n = cel_node(p, CEL_NODE_CALL, at);

	cel_advance(p);
	if (n == NULL)
		return NULL;
	n->name = name;
	n->receiver = receiver != NULL;
	cel_append(p, n, receiver);
	if (!cel_accept(p, ")")) {
		do
			cel_append(p, n, cel_expression(p));
		while (p->err == OK && cel_accept(p, ","));
		if (!cel_accept(p, ")"))
			return cel_fail_word(p, "\",\" or \")\"");
	}
	if (p->err == OK)
		expand_macro(p, n);
	return n;
}

/* --- operands ------------------------------------------------------------- */

/* "name", ".name", "name(...)". */
static struct cel_node *
name(struct cel_parser *p)
{
	size_t at = p->now.at;
	bool absolute = cel_accept(p, ".");
	struct slice text = p->now.text;
	struct cel_node *n;

	if (!is_name(&p->now))
		return cel_fail_word(p, absolute ? "a name" : "a value");
	cel_advance(p);
	if (cel_sees(p, "(") && !is_reserved(text))
		return call(p, text, NULL, at);
	n = cel_node(p, CEL_NODE_NAME, at);
	if (n != NULL) {
		n->name = text;
		n->absolute = absolute;
	}
	return n;
}

/* Behind the dot. */
static struct cel_node *
member(struct cel_parser *p, struct cel_node *of)
{
	struct cel_node *n;
	struct slice text = p->now.text;
	bool quoted = p->now.type == TOKEN_QUOTED_NAME;
	size_t at = p->now.at;

	if (!is_name(&p->now) && !quoted)
		return cel_fail_word(p, "the name of a member");
	cel_advance(p);
	if (!quoted && cel_sees(p, "("))
		return call(p, text, of, at);
	n = cel_node(p, CEL_NODE_MEMBER, at);
	if (n != NULL)
		n->name = text;
	cel_append(p, n, of);
	return n;
}

static struct cel_node *
item(struct cel_parser *p, struct cel_node *of)
{
	struct cel_node *n = cel_node(p, CEL_NODE_INDEX, p->now.at);

	cel_advance(p);
	cel_append(p, n, of);
	cel_append(p, n, cel_expression(p));
	return cel_accept(p, "]") ? n : cel_fail_word(p, "\"]\"");
}

/* One more member in a row. */
static bool
link_fits(struct cel_parser *p, int *count)
{
	if (++*count > CEL_NESTING_MAX)
		(void)cel_fail(p, ERR_LIMIT, p->now.at,
		    "more than %d members stand in a row",
		    (int)CEL_NESTING_MAX);
	return p->err == OK;
}

/* Members, items and calls of members, one behind another. */
static struct cel_node *
links(struct cel_parser *p, struct cel_node *n, int count)
{
	while (p->err == OK && (cel_sees(p, ".") || cel_sees(p, "["))) {
		if (!link_fits(p, &count))
			return NULL;
		n = cel_accept(p, ".") ? member(p, n) : item(p, n);
	}
	return p->err == OK ? n : NULL;
}

/* "a.b.c", which may turn out to be the type of a message. */
static struct cel_node *
names(struct cel_parser *p, int *count)
{
	struct cel_node *first = name(p), *n = first;

	while (p->err == OK && n->type != CEL_NODE_CALL && cel_sees(p, ".") &&
	       link_fits(p, count)) {
		cel_advance(p);
		n = member(p, n);
	}
	if (p->err != OK)
		return NULL;
	if (cel_sees(p, "{"))
		return message(p, n);
	if (first->type == CEL_NODE_NAME && is_reserved(first->name))
		return cel_fail(p, ERR_PARSE, first->at,
		    "\"%.*s\" is a reserved word", SLICE_ARG(first->name));
	return n;
}

/* What members follow; *count is how many are read already. */
static struct cel_node *
primary(struct cel_parser *p, int *count)
{
	struct cel_node *n;

	switch (p->now.type) {
	case TOKEN_INT:
	case TOKEN_UINT:
	case TOKEN_DOUBLE:
		return number(p, /* negative */ false, p->now.at);
	case TOKEN_STRING:
		return string(p);
	case TOKEN_NAME:
		if (is_name(&p->now) || is_word(&p->now, "in"))
			return names(p, count);
		return constant(p);
	default:
		break;
	}
	if (cel_sees(p, "["))
		return list(p);
	if (cel_sees(p, "{"))
		return map(p);
	if (!cel_accept(p, "("))
		return names(p, count);
	n = cel_expression(p);
	return cel_accept(p, ")") ? n : cel_fail_word(p, "\")\"");
}

static struct cel_node *
operand(struct cel_parser *p)
{
	int count = 0;
	struct cel_node *n = primary(p, &count);

	return links(p, n, count);
}

static bool
is_number(const struct token *t)
{
	return t->type == TOKEN_INT || t->type == TOKEN_DOUBLE;
}

/* "-1" is a literal; "--1" is 1 with two signs before it. */
static struct cel_node *
negative(struct cel_parser *p, size_t at)
{
	return links(p, number(p, /* negative */ true, at), 0);
}

/* Any number of one sign, of which pairs cancel out, and what is behind. */
static struct cel_node *
signs(struct cel_parser *p, const char *sign, enum cel_node_type type)
{
	size_t at = p->now.at, count = 0;
	struct cel_node *n, *of;

	for (; cel_accept(p, sign); count++)
		;
	if (type == CEL_NODE_NEGATE && count == 1 && is_number(&p->now))
		return negative(p, at);
	at = p->now.at;
	if (type == CEL_NODE_NOT && cel_accept(p, "-"))
		of = is_number(&p->now) ? negative(p, at)
					: cel_fail_word(p, "a number");
	else
		of = operand(p);
	if (count % 2 == 0)
		return of;
	n = cel_node(p, type, at);
	cel_append(p, n, of);
	return n;
}

struct cel_node *
cel_operand(struct cel_parser *p)
{
	if (p->err != OK)
		return NULL;
	if (cel_sees(p, "!"))
		return signs(p, "!", CEL_NODE_NOT);
	if (cel_sees(p, "-"))
		return signs(p, "-", CEL_NODE_NEGATE);
	return operand(p);
}
