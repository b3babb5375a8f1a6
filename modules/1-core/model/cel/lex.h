/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex — the words of an expression, one at a time.
 */
#ifndef MESHD_CEL_LEX_H
#define MESHD_CEL_LEX_H

#include "base/base.h"

enum token_type {
	TOKEN_END,
	TOKEN_BAD, /* `text` says why */
	TOKEN_NAME,
	TOKEN_QUOTED_NAME, /* `a-b`; the text is without the quotes */
	TOKEN_INT,
	TOKEN_UINT, /* the text is without the u */
	TOKEN_DOUBLE,
	TOKEN_STRING, /* as it stands, with prefix and quotes */
	TOKEN_SIGN    /* an operator or a bracket; the text is it */
};

struct token {
	enum token_type type;
	size_t at; /* its first byte */
	struct slice text;
};

/* The word at `from` or behind the blanks and comments there. */
struct token lex_next(struct slice text, size_t from, size_t *end);

/* What a string's token is made of. */
struct literal {
	bool raw, bytes;
	struct slice body; /* between the quotes */
};

struct literal lex_literal(struct slice text);

/*
 * The body with its escapes resolved; *why gets words, which are static.
 * ERR_PARSE, ERR_NO_MEMORY.
 */
MUST_USE enum err lex_unescape(const struct literal *l, struct arena *arena,
    struct slice *out, const char **why);

#endif
