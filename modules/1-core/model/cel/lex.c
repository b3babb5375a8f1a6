/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lex — the words of an expression, one at a time.
 */
#include "lex.h"

enum { RUNE_MAX = 0x10FFFF };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The byte, or zero behind the end: no word has one. */
static char
byte_at(struct slice text, size_t at)
{
	return at < text.len ? text.ptr[at] : '\0';
}

static size_t
skip_blank(struct slice text, size_t at)
{
	for (;;) {
		char c = byte_at(text, at);

		if (c == '/' && byte_at(text, at + 1) == '/')
			while (at < text.len && text.ptr[at] != '\n')
				at++;
		else if (c != '\0' && strchr(" \t\r\n\f", c) != NULL)
			at++;
		else
			return at;
	}
}

static struct token
token(enum token_type type, struct slice text, size_t at, size_t end)
{
	return (struct token){type, at, slice_sub(text, at, end - at)};
}

static struct token
bad(size_t at, const char *why)
{
	return (struct token){TOKEN_BAD, at, slice_str(why)};
}

/* --- numbers -------------------------------------------------------------- */

static size_t
digits(struct slice text, size_t at)
{
	while (is_digit(byte_at(text, at)))
		at++;
	return at;
}

/* Behind "e5", "E+5"; `at` if there is no exponent. */
static size_t
exponent(struct slice text, size_t at)
{
	size_t from = at + 1;

	if (byte_at(text, at) != 'e' && byte_at(text, at) != 'E')
		return at;
	if (byte_at(text, from) == '+' || byte_at(text, from) == '-')
		from++;
	return is_digit(byte_at(text, from)) ? digits(text, from) : at;
}

/* "1", "1u", "0x1F", "1.5e3", ".5"; "1.x" is 1 and its member x. */
static struct token
number(struct slice text, size_t at, size_t *end)
{
	size_t to = digits(text, at), whole = to;

	if (byte_at(text, at) == '0' && byte_at(text, at + 1) == 'x' &&
	    slice_hex_digit(byte_at(text, at + 2)) >= 0) {
		to = at + 2;
		while (slice_hex_digit(byte_at(text, to)) >= 0)
			to++;
		whole = to;
	} else {
		if (byte_at(text, to) == '.' && is_digit(byte_at(text, to + 1)))
			to = digits(text, to + 1);
		to = exponent(text, to);
	}
	*end = to;
	if (to > whole)
		return token(TOKEN_DOUBLE, text, at, to);
	if (byte_at(text, to) != 'u' && byte_at(text, to) != 'U')
		return token(TOKEN_INT, text, at, to);
	*end = to + 1;
	return token(TOKEN_UINT, text, at, to);
}

/* --- strings -------------------------------------------------------------- */

struct literal
lex_literal(struct slice text)
{
	struct literal l = {false, false, text};
	size_t quotes = 1;

	for (; l.body.ptr[0] != '"' && l.body.ptr[0] != '\'';
	     l.body = slice_sub(l.body, 1, SIZE_MAX)) {
		l.bytes |= l.body.ptr[0] == 'b' || l.body.ptr[0] == 'B';
		l.raw |= l.body.ptr[0] == 'r' || l.body.ptr[0] == 'R';
	}
	if (l.body.len >= 6 && l.body.ptr[1] == l.body.ptr[0] &&
	    l.body.ptr[2] == l.body.ptr[0])
		quotes = 3;
	l.body = slice_sub(l.body, quotes, l.body.len - 2 * quotes);
	return l;
}

/* How many bytes of prefix stand before a quote; SIZE_MAX if none does. */
static size_t
string_prefix(struct slice text, size_t at)
{
	size_t len = 0;
	char c = byte_at(text, at);

	if (c == 'b' || c == 'B')
		c = byte_at(text, at + ++len);
	if (c == 'r' || c == 'R')
		c = byte_at(text, at + ++len);
	return c == '"' || c == '\'' ? len : SIZE_MAX;
}

/* Behind a run of quotes that ends the string; SIZE_MAX if none does. */
static size_t
string_end(struct slice text, size_t from, char quote, bool triple, bool raw)
{
	for (size_t at = from; at < text.len; at++) {
		char c = text.ptr[at];

		if (c == '\\' && !raw)
			at++; /* what follows is looked at later */
		else if (c == quote && !triple)
			return at + 1;
		else if (c == quote && byte_at(text, at + 1) == quote &&
			 byte_at(text, at + 2) == quote)
			return at + 3;
		else if (!triple && (c == '\n' || c == '\r'))
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

static struct token
string(struct slice text, size_t at, size_t prefix, size_t *end)
{
	size_t first = at + prefix;
	char quote = text.ptr[first];
	bool raw = prefix > 0 &&
		   (text.ptr[first - 1] == 'r' || text.ptr[first - 1] == 'R');
	bool twice = byte_at(text, first + 1) == quote;
	bool triple = twice && byte_at(text, first + 2) == quote;

	*end = twice && !triple ? first + 2
				: string_end(text, first + (triple ? 3 : 1),
				      quote, triple, raw);
	if (*end == SIZE_MAX)
		return bad(at, "a string lacks its closing quote");
	return token(TOKEN_STRING, text, at, *end);
}

static bool
put_rune(char *out, size_t *len, uint32_t r)
{
	if (r > RUNE_MAX || (r >= 0xD800 && r <= 0xDFFF))
		return false;
	if (r < 0x80) {
		out[(*len)++] = (char)r;
		return true;
	}
	if (r < 0x800)
		out[(*len)++] = (char)(0xC0 | r >> 6);
	else {
		if (r < 0x10000)
			out[(*len)++] = (char)(0xE0 | r >> 12);
		else {
			out[(*len)++] = (char)(0xF0 | r >> 18);
			out[(*len)++] = (char)(0x80 | (r >> 12 & 0x3F));
		}
		out[(*len)++] = (char)(0x80 | (r >> 6 & 0x3F));
	}
	out[(*len)++] = (char)(0x80 | (r & 0x3F));
	return true;
}

/* `count` digits of the base, as many as have to be there. */
static bool
read_digits(
    struct slice s, size_t at, size_t count, unsigned base, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < count; i++) {
		int digit = slice_hex_digit(byte_at(s, at + i));

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		*out = *out * base + (uint32_t)digit;
	}
	return true;
}

/* "\x41" and its kin: how many digits, in which base. */
static size_t
escape_digits(char c, size_t *skip, unsigned *base)
{
	*skip = 1;
	*base = 16;
	if (c == 'x' || c == 'X')
		return 2;
	if (c == 'u')
		return 4;
	if (c == 'U')
		return 8;
	*skip = 0;
	*base = 8;
	return c >= '0' && c <= '3' ? 3 : 0;
}

/* Behind a backslash at body[at - 1]; writes what it stands for. */
static const char *
unescape_one(const struct literal *l, size_t *at, char *out, size_t *len)
{
	static const char letters[] = "abfnrtv\\?\"'`";
	static const char means[] = "\a\b\f\n\r\t\v\\?\"'`";
	char c = byte_at(l->body, *at);
	const char *simple = c != '\0' ? strchr(letters, c) : NULL;
	size_t skip, count;
	unsigned base;
	uint32_t rune;

	if (simple != NULL) {
		out[(*len)++] = means[simple - letters];
		++*at;
		return NULL;
	}
	count = escape_digits(c, &skip, &base);
	if (count == 0)
		return "a string has an escape that there is not";
	if (!read_digits(l->body, *at + skip, count, base, &rune))
		return "an escape in a string lacks digits";
	if (l->bytes && count > 3)
		return "\\u stands for a character, and bytes have none";
	*at += skip + count;
	if (l->bytes)
		out[(*len)++] = (char)rune;
	else if (!put_rune(out, len, rune))
		return "an escape in a string is beyond Unicode";
	return NULL;
}

enum err
lex_unescape(const struct literal *l, struct arena *arena, struct slice *out,
    const char **why)
{
	/* An escape is never shorter than what it stands for. */
	char *text = arena_alloc(arena, l->body.len + 1);
	size_t len = 0, at = 0;

	if (text == NULL)
		return ERR_NO_MEMORY;
	while (at < l->body.len) {
		char c = l->body.ptr[at++];

		if (c != '\\' || l->raw)
			text[len++] = c;
		else if ((*why = unescape_one(l, &at, text, &len)) != NULL)
			return ERR_PARSE;
	}
	*out = slice_of(text, len);
	return OK;
}

/* --- the rest ------------------------------------------------------------- */

static struct token
quoted_name(struct slice text, size_t at, size_t *end)
{
	size_t to = at + 1;

	while (
	    is_letter(byte_at(text, to)) || is_digit(byte_at(text, to)) ||
	    (byte_at(text, to) != '\0' && strchr(".-/ ", text.ptr[to]) != NULL))
		to++;
	if (to == at + 1 || byte_at(text, to) != '`')
		return bad(at, "a name in back quotes is letters, digits and "
			       "any of \"_.-/ \"");
	*end = to + 1;
	return token(TOKEN_QUOTED_NAME, text, at + 1, to);
}

static struct token
sign(struct slice text, size_t at, size_t *end)
{
	static const char *const signs[] = {"==", "!=", "<=", ">=", "&&", "||",
	    "<", ">", "[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?",
	    ":", "+", "*", "/", "%"};
	struct slice rest = slice_sub(text, at, text.len);

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (slice_starts(rest, slice_str(signs[i]))) {
			*end = at + strlen(signs[i]);
			return token(TOKEN_SIGN, text, at, *end);
		}
	return bad(at, "no part of an expression begins like this");
}

struct token
lex_next(struct slice text, size_t from, size_t *end)
{
	size_t at = skip_blank(text, from), prefix;
	char c = byte_at(text, at);
	size_t to = at;

	*end = at;
	if (at >= text.len)
		return token(TOKEN_END, text, at, at);
	prefix = string_prefix(text, at);
	if (prefix != SIZE_MAX)
		return string(text, at, prefix, end);
	if (is_digit(c) || (c == '.' && is_digit(byte_at(text, at + 1))))
		return number(text, at, end);
	if (c == '`')
		return quoted_name(text, at, end);
	if (!is_letter(c))
		return sign(text, at, end);
	while (is_letter(byte_at(text, to)) || is_digit(byte_at(text, to)))
		to++;
	*end = to;
	return token(TOKEN_NAME, text, at, to);
}
