/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classes — what stands for one character: [...], \d, \p{Greek}, \x41.
 */
#include "syntax.h"

struct class_range {
	char low, high;
};

/* Of ASCII only, as in RE2. */
struct class_name {
	const char *name;
	struct class_range ranges[4]; /* ends with low 0 and high 0 */
};

static const struct class_name perl_classes[] = {
    {"d", {{'0', '9'}}},
    {"s", {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"w", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
};

static const struct class_name posix_classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", {{'\0', '\x7F'}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{'\0', '\x1F'}, {'\x7F', '\x7F'}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

void
parser_add(struct parser *p, struct runes *s, uint32_t low, uint32_t high)
{
	if (p->flags & FLAG_FOLD)
		runes_add_folded(s, low, high);
	else
		runes_add(s, low, high);
}

/* Adds a set that was made apart, turned round if `negated`. */
static void
add_apart(struct runes *out, struct runes *apart, bool negated)
{
	runes_tidy(apart);
	if (negated)
		runes_negate(apart);
	runes_add_set(out, apart);
}

static void
add_class(struct parser *p, struct runes *out, const struct class_name *c,
    bool negated)
{
	struct runes apart;

	runes_init(&apart, p->arena);
	for (size_t i = 0; i < ARRAY_LEN(c->ranges); i++)
		if (c->ranges[i].high != '\0')
			parser_add(p, &apart, (uint8_t)c->ranges[i].low,
			    (uint8_t)c->ranges[i].high);
	add_apart(out, &apart, negated);
}

/* "\pL" or "\p{^Greek}", at the backslash. */
static void
add_unicode(struct parser *p, struct runes *out)
{
	struct slice rest = slice_sub(p->text, p->at, p->text.len);
	bool negated = rest.ptr[1] == 'P';
	size_t start = p->at;
	struct slice name;
	struct runes apart;

	p->at += 2;
	(void)parser_rune(p); /* a name of one letter, or the brace */
	if (p->err != OK)
		return;
	name = slice_sub(p->text, start + 2, p->at - start - 2);
	if (slice_eq(name, S("{"))) {
		size_t end = slice_find(rest, '}');

		if (end == rest.len) {
			parser_fail(p, start, "\\%c{ lacks its }", rest.ptr[1]);
			return;
		}
		name = slice_sub(rest, 3, end - 3);
		p->at = start + end + 1;
	}
	if (slice_starts(name, S("^"))) {
		negated = !negated;
		name = slice_sub(name, 1, name.len);
	}
	runes_init(&apart, p->arena);
	if (!runes_add_named(&apart, name, p->flags & FLAG_FOLD))
		parser_fail(p, start,
		    "\"%.*s\" is no category or script of Unicode",
		    SLICE_ARG(slice_sub(name, 0, 64)));
	add_apart(out, &apart, negated);
}

bool
parser_class_escape(struct parser *p, struct runes *out)
{
	char letter;

	if (p->at + 1 >= p->text.len || p->text.ptr[p->at] != '\\')
		return false;
	letter = p->text.ptr[p->at + 1];
	if (letter == 'p' || letter == 'P') {
		add_unicode(p, out);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(perl_classes); i++) {
		char lower = perl_classes[i].name[0];

		if (letter != lower && letter != lower - 'a' + 'A')
			continue;
		p->at += 2;
		add_class(p, out, &perl_classes[i], letter != lower);
		return true;
	}
	return false;
}

/* --- escapes -------------------------------------------------------------- */

/* Behind "\x": two digits, or as many as there are in braces. */
static uint32_t
escape_hex(struct parser *p, size_t start)
{
	bool braced = parser_sees(p, "{");
	uint32_t rune = 0;
	bool good = false;

	p->at += braced;
	for (size_t i = 0; braced ? !parser_sees(p, "}") : i < 2; i++) {
		uint32_t c = parser_rune(p);
		int digit = c < 0x80 ? slice_hex_digit((char)c) : -1;

		rune = rune * 16 + (uint32_t)(digit & 0xF);
		good = digit >= 0 && rune <= RUNE_MAX;
		if (!good)
			break;
	}
	if (!good) {
		parser_fail(p, start,
		    "\\x stands before two hexadecimal digits, or before some "
		    "in braces up to {10FFFF}");
		return RUNE_NONE;
	}
	p->at += braced;
	return rune;
}

/* Octal, from its first digit on; a digit alone would be a back-reference. */
static uint32_t
escape_octal(struct parser *p, uint32_t first, size_t start)
{
	uint32_t rune = first - '0';

	for (int i = 1; i < 3 && p->at < p->text.len; i++) {
		char c = p->text.ptr[p->at];

		if (c < '0' || c > '7')
			break;
		rune = rune * 8 + (uint32_t)(c - '0');
		p->at++;
	}
	if (first == '0' || p->at > start + 2)
		return rune;
	parser_fail(p, start,
	    "\\%c: back-references are not in RE2's syntax, since they need "
	    "backtracking",
	    (char)first);
	return RUNE_NONE;
}

uint32_t
parser_escape(struct parser *p)
{
	static const char letters[] = "afnrtv", means[] = "\a\f\n\r\t\v";
	size_t start = p->at++;
	const char *found;
	uint32_t c;

	if (p->at == p->text.len) {
		parser_fail(p, start, "a backslash ends the pattern");
		return RUNE_NONE;
	}
	c = parser_rune(p);
	if (p->err != OK)
		return RUNE_NONE;
	if (c >= '0' && c <= '7')
		return escape_octal(p, c, start);
	if (c == 'x')
		return escape_hex(p, start);
	found = c < 0x80 && c != 0 ? strchr(letters, (int)c) : NULL;
	if (found != NULL)
		return (uint8_t)means[found - letters];
	if (c < 0x80 && (c < '0' || c > '9') && (c < 'A' || c > 'Z') &&
	    (c < 'a' || c > 'z'))
		return c;
	if (c == '8' || c == '9')
		parser_fail(p, start,
		    "\\%c: back-references are not in RE2's syntax, since "
		    "they need backtracking",
		    (char)c);
	else
		parser_fail(p, start, "\\%.*s is no escape of RE2's syntax",
		    (int)(p->at - start - 1), p->text.ptr + start + 1);
	return RUNE_NONE;
}

/* --- [...] ---------------------------------------------------------------- */

/* "[:^alpha:]"; false if it is no such thing. */
static bool
class_posix(struct parser *p, struct runes *out)
{
	struct slice rest = slice_sub(p->text, p->at, p->text.len);
	size_t end = 2;
	bool negated;
	struct slice name;

	if (!slice_starts(rest, S("[:")))
		return false;
	while (end + 1 < rest.len &&
	       !(rest.ptr[end] == ':' && rest.ptr[end + 1] == ']'))
		end++;
	if (end + 1 >= rest.len)
		return false;
	name = slice_sub(rest, 2, end - 2);
	negated = slice_starts(name, S("^"));
	name = slice_sub(name, negated, name.len);
	for (size_t i = 0; i < ARRAY_LEN(posix_classes); i++) {
		if (!slice_eq(name, slice_str(posix_classes[i].name)))
			continue;
		p->at += end + 2;
		add_class(p, out, &posix_classes[i], negated);
		return true;
	}
	parser_fail(p, p->at, "[:%.*s:] is no class of characters",
	    SLICE_ARG(slice_sub(name, 0, 32)));
	return true;
}

static uint32_t
class_rune(struct parser *p, size_t start)
{
	if (p->at == p->text.len)
		parser_fail(p, start, "[ lacks its ]");
	return parser_sees(p, "\\") ? parser_escape(p) : parser_rune(p);
}

/* "a" or "a-z". */
static void
class_range(struct parser *p, struct runes *out, size_t start)
{
	size_t at = p->at;
	uint32_t low = class_rune(p, start), high = low;

	if (p->err == OK && parser_sees(p, "-") && !parser_sees(p, "-]") &&
	    p->at + 1 < p->text.len) {
		p->at++;
		high = class_rune(p, start);
	}
	if (p->err != OK)
		return;
	if (high < low)
		parser_fail(p, at, "the range %.*s runs backwards",
		    (int)(p->at - at), p->text.ptr + at);
	else
		parser_add(p, out, low, high);
}

void
parser_class(struct parser *p, struct runes *out)
{
	size_t start = p->at++;
	bool negated = parser_sees(p, "^");
	bool first = true;

	p->at += negated;
	while (
	    p->err == OK && !out->failed && (first || !parser_sees(p, "]"))) {
		first = false;
		if (!class_posix(p, out) && !parser_class_escape(p, out))
			class_range(p, out, start);
	}
	p->at++;
	runes_tidy(out);
	if (negated)
		runes_negate(out);
}
