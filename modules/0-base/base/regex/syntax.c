/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax — a pattern as a tree.
 */
#include <stdarg.h>
#include <stdio.h>

#include "../regex.h"
#include "syntax.h"

/* --- what all parts of the parser share ----------------------------------- */

void
parser_fail_with(struct parser *p, enum err e, size_t at, const char *fmt, ...)
{
	char words[FAULT_TEXT_MAX];
	va_list ap;

	if (p->err != OK)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, ap); /* may be cut */
	va_end(ap);
	p->err = fault_set(p->why, e, "%s (byte %zu)", words, at + 1);
}

bool
parser_sees(const struct parser *p, const char *words)
{
	return slice_starts(
	    slice_sub(p->text, p->at, p->text.len), slice_str(words));
}

/* True, and goes on behind the words, if the pattern goes on with them. */
static bool
accept(struct parser *p, const char *words)
{
	if (!parser_sees(p, words))
		return false;
	p->at += strlen(words);
	return true;
}

uint32_t
parser_rune(struct parser *p)
{
	uint32_t rune;
	size_t at = p->at;

	if (p->err != OK || at >= p->text.len)
		return RUNE_NONE;
	p->at += rune_at(p->text, at, &rune);
	if (rune == RUNE_NONE)
		parser_fail(p, at, "the pattern is not UTF-8");
	return rune;
}

static struct node *
node_new(struct parser *p, enum node_type type)
{
	struct node *n = arena_alloc(p->arena, sizeof(*n));

	if (n == NULL) {
		parser_fail_with(
		    p, ERR_LIMIT, p->at, "the pattern needs too much memory");
		return NULL;
	}
	n->type = type;
	n->nullable = type != NODE_RUNES && type != NODE_CHOICE;
	runes_init(&n->runes, p->arena);
	return n;
}

/* Adds a child; a parent or child of NULL is an error said before. */
static void
append(struct node *parent, struct node *child)
{
	if (parent == NULL || child == NULL)
		return;
	child->previous = parent->last;
	if (parent->last == NULL)
		parent->child = child;
	else
		parent->last->next = child;
	parent->last = child;
}

/* --- atoms ---------------------------------------------------------------- */

static struct node *
runes_node(struct parser *p, uint32_t low, uint32_t high)
{
	struct node *n = node_new(p, NODE_RUNES);

	if (n != NULL && p->err == OK) {
		parser_add(p, &n->runes, low, high);
		runes_tidy(&n->runes);
	}
	return n;
}

static struct node *
need_node(struct parser *p, enum need need)
{
	struct node *n = node_new(p, NODE_NEED);

	if (n != NULL)
		n->need = (uint8_t)need;
	return n;
}

static struct node *
dot_node(struct parser *p)
{
	struct node *n = node_new(p, NODE_RUNES);

	if (n == NULL)
		return NULL;
	if (!(p->flags & FLAG_DOT_NL))
		runes_add(&n->runes, '\n', '\n');
	runes_negate(&n->runes);
	return n;
}

/* "\A", "\b", "\d", "\." and what else begins with a backslash. */
static struct node *
escape_node(struct parser *p)
{
	struct node *n;
	uint32_t rune;

	if (accept(p, "\\A"))
		return need_node(p, NEED_TEXT_BEGIN);
	if (accept(p, "\\z"))
		return need_node(p, NEED_TEXT_END);
	if (accept(p, "\\b"))
		return need_node(p, NEED_WORD_EDGE);
	if (accept(p, "\\B"))
		return need_node(p, NEED_NO_EDGE);
	n = node_new(p, NODE_RUNES);
	if (n == NULL || parser_class_escape(p, &n->runes))
		return n;
	rune = parser_escape(p);
	return p->err == OK ? runes_node(p, rune, rune) : NULL;
}

/* "\Q...\E": what is between is itself; the end of the pattern ends it too. */
static void
quoted(struct parser *p, struct node *concat)
{
	while (p->err == OK && p->at < p->text.len && !accept(p, "\\E")) {
		uint32_t rune = parser_rune(p);

		append(concat, runes_node(p, rune, rune));
	}
}

/* --- groups --------------------------------------------------------------- */

static struct node *choice(struct parser *p);

/* Up to the closing bracket. Flags that are set inside end with it. */
static struct node *
group_body(struct parser *p, size_t start, unsigned flags_after)
{
	struct node *body;

	if (++p->depth > REGEX_DEPTH_MAX) {
		parser_fail_with(p, ERR_LIMIT, start,
		    "groups are nested deeper than %d", (int)REGEX_DEPTH_MAX);
		return NULL;
	}
	body = choice(p);
	p->depth--;
	if (!accept(p, ")"))
		parser_fail(p, start, "( lacks its )");
	p->flags = flags_after;
	return body;
}

static struct node *
capture(struct parser *p, size_t start)
{
	struct node *n = node_new(p, NODE_GROUP);
	struct node *body;

	if (n == NULL)
		return NULL;
	n->group = ++p->groups;
	body = group_body(p, start, p->flags);
	append(n, body);
	n->nullable = body == NULL || body->nullable;
	return n;
}

/* "(?P<name>" or "(?<name>", behind the "<". */
static struct node *
named_capture(struct parser *p, size_t start)
{
	struct slice name = slice_sub(p->text, p->at, p->text.len);
	bool good;

	name = slice_sub(name, 0, slice_find(name, '>'));
	good = name.len > 0 && p->at + name.len < p->text.len;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		good &= c == '_' || (c >= '0' && c <= '9') ||
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	}
	if (!good) {
		parser_fail(p, start,
		    "a group's name is letters, digits and '_' before a '>'");
		return NULL;
	}
	p->at += name.len + 1;
	return capture(p, start);
}

static void
fail_group(struct parser *p, size_t start)
{
	static const char *const around[] = {"(?=", "(?!", "(?<=", "(?<!"};

	p->at = start;
	for (size_t i = 0; i < ARRAY_LEN(around); i++)
		if (parser_sees(p, around[i]))
			parser_fail(p, start,
			    "%s...): look-around is not in RE2's syntax, since "
			    "it needs backtracking",
			    around[i]);
	parser_fail(p, start,
	    "(? is followed by neither ':', flags out of \"imsU\" nor "
	    "P<name>");
}

static unsigned
flag_of(char c)
{
	static const char letters[] = "imsU";
	const char *found = c != '\0' ? strchr(letters, c) : NULL;

	return found != NULL ? 1u << (found - letters) : 0;
}

/* "(?i-s)" changes flags and is no node; "(?i:" begins a group. */
static struct node *
flags_or_group(struct parser *p, size_t start)
{
	unsigned on = 0, off = 0;
	unsigned before = p->flags;
	bool minus = false;

	while (p->at < p->text.len) {
		char c = p->text.ptr[p->at++];

		if (c == '-' && !minus)
			minus = true;
		else if (flag_of(c) != 0)
			*(minus ? &off : &on) |= flag_of(c);
		else if ((c != ':' && c != ')') || (minus && off == 0))
			break;
		else {
			p->flags = (before | on) & ~off;
			return c == ':' ? group_body(p, start, before) : NULL;
		}
	}
	fail_group(p, start);
	return NULL;
}

/* At "(". */
static struct node *
group(struct parser *p)
{
	size_t start = p->at++;

	if (!accept(p, "?"))
		return capture(p, start);
	if (accept(p, "P<"))
		return named_capture(p, start);
	if (parser_sees(p, "<=") || parser_sees(p, "<!"))
		fail_group(p, start);
	else if (accept(p, "<"))
		return named_capture(p, start);
	else
		return flags_or_group(p, start);
	return NULL;
}

/* Appends what stands here, if it is more than a change of flags. */
static void
atom(struct parser *p, struct node *concat)
{
	struct node *n = NULL;
	uint32_t rune;

	if (accept(p, "\\Q")) {
		quoted(p, concat);
		return;
	}
	if (parser_sees(p, "("))
		n = group(p);
	else if (parser_sees(p, "\\"))
		n = escape_node(p);
	else if (accept(p, "."))
		n = dot_node(p);
	else if (accept(p, "^"))
		n = need_node(p,
		    p->flags & FLAG_LINES ? NEED_LINE_BEGIN : NEED_TEXT_BEGIN);
	else if (accept(p, "$"))
		n = need_node(
		    p, p->flags & FLAG_LINES ? NEED_LINE_END : NEED_TEXT_END);
	else if (parser_sees(p, "[")) {
		n = node_new(p, NODE_RUNES);
		if (n != NULL)
			parser_class(p, &n->runes);
	} else {
		rune = parser_rune(p);
		n = runes_node(p, rune, rune);
	}
	append(concat, n);
}

/* --- repetitions ---------------------------------------------------------- */

struct repeat {
	int least, most;
	size_t len; /* of its text */
};

/* Digits without leading zeros; what is too large is just that. */
static bool
read_count(struct slice *s, int *out)
{
	uint64_t n = 0;
	size_t len = 0;

	while (len < s->len && s->ptr[len] >= '0' && s->ptr[len] <= '9') {
		n = n * 10 + (uint64_t)(s->ptr[len++] - '0');
		n = MIN(n, REGEX_REPEAT_MAX + 1);
	}
	if (len == 0 || (len > 1 && s->ptr[0] == '0'))
		return false;
	*s = slice_sub(*s, len, s->len);
	*out = (int)n;
	return true;
}

/* "*", "+", "?", "{2}", "{2,}", "{2,3}"; a brace that is none is itself. */
static bool
sees_repeat(const struct parser *p, struct repeat *out)
{
	struct slice rest = slice_sub(p->text, p->at, p->text.len);
	size_t len = rest.len;

	*out = (struct repeat){0, REPEAT_ENDLESS, 1};
	if (parser_sees(p, "*"))
		return true;
	out->least = 1;
	if (parser_sees(p, "+"))
		return true;
	*out = (struct repeat){0, 1, 1};
	if (parser_sees(p, "?"))
		return true;
	if (!parser_sees(p, "{"))
		return false;
	rest = slice_sub(rest, 1, rest.len);
	if (!read_count(&rest, &out->least))
		return false;
	out->most = out->least;
	if (slice_starts(rest, S(","))) {
		rest = slice_sub(rest, 1, rest.len);
		out->most = REPEAT_ENDLESS;
		if (!slice_starts(rest, S("}")) &&
		    !read_count(&rest, &out->most))
			return false;
	}
	out->len = len - rest.len + 1;
	return slice_starts(rest, S("}"));
}

/*
 * Nested counts multiply. `left` is how often what is inside may still be
 * repeated.
 */
static bool
repeat_fits(const struct node *n, int left)
{
	int times = n->most == REPEAT_ENDLESS ? n->least : n->most;

	if (n->type == NODE_REPEAT && n->most == 0)
		return true;
	if (n->type == NODE_REPEAT && times > 0) {
		if (times > left)
			return false;
		left /= times;
	}
	for (const struct node *c = n->child; c != NULL; c = c->next)
		if (!repeat_fits(c, left))
			return false;
	return true;
}

static void
check_repeat(struct parser *p, const struct node *n, size_t start)
{
	struct slice text = slice_sub(p->text, start, p->at - start);

	if (n->least > REGEX_REPEAT_MAX || n->most > REGEX_REPEAT_MAX)
		parser_fail(p, start, "%.*s is more than %d times",
		    SLICE_ARG(slice_sub(text, 0, 64)), (int)REGEX_REPEAT_MAX);
	else if (n->most != REPEAT_ENDLESS && n->most < n->least)
		parser_fail(p, start, "%.*s: the most is less than the least",
		    SLICE_ARG(slice_sub(text, 0, 64)));
	else if ((n->least > 1 || n->most > 1) &&
		 !repeat_fits(n, REGEX_REPEAT_MAX))
		parser_fail(p, start,
		    "%.*s: repetitions inside each other come to more than %d "
		    "times",
		    SLICE_ARG(slice_sub(text, 0, 64)), (int)REGEX_REPEAT_MAX);
}

/* Puts a repetition in the place of the last child. */
static void
repeat(struct parser *p, struct node *concat, const struct repeat *r,
    bool repeated)
{
	size_t start = p->at;
	struct node *n, *what = concat->last;

	p->at += r->len;
	if (what == NULL || repeated) {
		parser_fail(p, start,
		    what == NULL ? "there is nothing before %.*s to repeat"
				 : "%.*s may not follow another repetition",
		    (int)MIN(r->len, 64u), p->text.ptr + start);
		return;
	}
	n = node_new(p, NODE_REPEAT);
	if (n == NULL)
		return;
	n->least = r->least;
	n->most = r->most;
	n->lazy = accept(p, "?") != !!(p->flags & FLAG_LAZY);
	n->nullable = n->least == 0 || what->nullable;
	concat->last = what->previous;
	if (concat->last != NULL)
		concat->last->next = NULL;
	else
		concat->child = NULL;
	what->previous = NULL;
	append(n, what);
	append(concat, n);
	check_repeat(p, n, start);
}

/* --- sequences ------------------------------------------------------------ */

/* A sequence of one is that one. */
static struct node *
concat(struct parser *p)
{
	struct node *n = node_new(p, NODE_CONCAT);
	bool repeated = false;

	if (n == NULL)
		return NULL;
	while (p->err == OK && p->at < p->text.len && !parser_sees(p, "|") &&
	       !parser_sees(p, ")")) {
		struct repeat r;
		bool is_repeat = sees_repeat(p, &r);

		if (is_repeat)
			repeat(p, n, &r, repeated);
		else
			atom(p, n);
		repeated = is_repeat;
	}
	if (p->err != OK)
		return NULL;
	for (const struct node *c = n->child; c != NULL; c = c->next)
		n->nullable &= c->nullable;
	if (n->child == NULL)
		n->type = NODE_EMPTY;
	return n->child != NULL && n->child == n->last ? n->child : n;
}

/* "a|b" is [ab]: one state, and no choice. */
static bool
joined(struct node *last, const struct node *n)
{
	if (last == NULL || last->type != NODE_RUNES || n->type != NODE_RUNES)
		return false;
	runes_add_set(&last->runes, &n->runes);
	runes_tidy(&last->runes);
	return true;
}

static struct node *
choice(struct parser *p)
{
	struct node *n = node_new(p, NODE_CHOICE);

	if (n == NULL)
		return NULL;
	do {
		struct node *branch = concat(p);

		if (branch == NULL)
			return NULL;
		n->nullable |= branch->nullable;
		if (!joined(n->last, branch))
			append(n, branch);
	} while (accept(p, "|"));
	return n->child == n->last ? n->child : n;
}

enum err
syntax_parse(struct slice pattern, struct arena *arena, struct syntax *out,
    struct fault *why)
{
	struct parser p = {.text = pattern, .arena = arena, .why = why};
	struct node *root = choice(&p);

	if (parser_sees(&p, ")"))
		parser_fail(&p, p.at, ") has no ( before it");
	if (p.err != OK)
		return p.err;
	CHECK(root != NULL);
	*out = (struct syntax){root, p.groups};
	return OK;
}
