/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate — where a check stands, how it reports, and checks that many share.
 */
#include <stdarg.h>
#include <stdio.h>

#include "cel/cel.h"
#include "hosts.h"
#include "layout.h"
#include "validate.h"

enum { HOST_MAX = 255, PREFIX_MAX = 253, MS_US = 1000, REGEX_MAX = 1024 };

/* --- reports -------------------------------------------------------------- */

static void PRINTF_LIKE(3, 0) fill(const struct check *c, enum err code,
    const char *fmt, va_list ap, struct fault *out)
{
	char text[FAULT_TEXT_MAX];

	(void)vsnprintf(text, sizeof(text), fmt, ap); /* may be cut */
	memset(out, 0, sizeof(*out));
	(void)fault_set(out, code, "%s", text); /* returns the code */
	fault_at(out, c->file, c->line, c->column);
	fault_in(out, c->path);
}

void
check_error(struct check *c, enum err code, const char *fmt, ...)
{
	struct fault why;
	va_list ap;

	va_start(ap, fmt);
	fill(c, code, fmt, ap, &why);
	va_end(ap);
	faults_add(&c->found->errors, &why);
}

void
check_warning(struct check *c, const char *fmt, ...)
{
	struct fault why;
	va_list ap;

	va_start(ap, fmt);
	fill(c, OK, fmt, ap, &why);
	va_end(ap);
	faults_add(&c->found->warnings, &why);
}

void
check_warning_id(struct check *c, const char *id, const char *fmt, ...)
{
	struct fault why;
	va_list ap;

	va_start(ap, fmt);
	fill(c, OK, fmt, ap, &why);
	va_end(ap);
	why.id = id;
	faults_add(&c->found->warnings, &why);
}

void
check_inert(struct check *c, uint32_t flags, const char *fmt, ...)
{
	bool guards = flags & FIELD_GUARD;
	struct fault why;
	va_list ap;

	/* That more gets through is told inside of what does nothing, too. */
	if (guards ? c->inert & FIELD_GUARD : c->inert != 0)
		return;
	c->inert |= guards ? FIELD_GUARD : FIELD_INERT;
	va_start(ap, fmt);
	fill(c, guards ? ERR_UNSUPPORTED : OK, fmt, ap, &why);
	va_end(ap);
	why.id = guards ? "MSH0002" : "MSH0001";
	findings_add_inert(c->found, &why);
}

void
check_in_force(struct check *c, uint32_t flags)
{
	if (flags & FIELD_GUARD)
		check_inert(c, flags,
		    "valid, but not in force yet; without it more is let "
		    "through than the document says");
	else if (flags & FIELD_INERT)
		check_inert(c, flags, "valid, but nothing acts on it yet");
}

/* --- places --------------------------------------------------------------- */

/* Moves the place along "a[1].b", as far as that is there. */
static void
walk(struct check *c, struct slice path)
{
	while (path.len > 0) {
		c->node = value_step(c->node, &path, field_get);
		if (c->node == NULL || c->node->line == 0)
			continue;
		c->line = c->node->line;
		c->column = c->node->column;
	}
}

struct check
check_member(const struct check *c, const char *fmt, ...)
{
	struct check inner = *c;
	char step[FAULT_FIELD_MAX];
	va_list ap;
	size_t len = strlen(c->path);

	va_start(ap, fmt);
	(void)vsnprintf(step, sizeof(step), fmt, ap); /* may be cut */
	va_end(ap);
	(void)snprintf(inner.path + len, sizeof(inner.path) - len, "%s%s",
	    len > 0 ? "." : "", step); /* may be cut */
	walk(&inner, slice_str(step));
	return inner;
}

struct check
check_entry(const struct check *c, struct slice key)
{
	struct check inner = *c;
	size_t len = strlen(c->path);

	(void)snprintf(inner.path + len, sizeof(inner.path) - len, "[\"%.*s\"]",
	    SLICE_ARG(slice_sub(key, 0, 64))); /* may be cut */
	inner.node = value_get(c->node, key);
	if (inner.node != NULL && inner.node->line > 0) {
		inner.line = inner.node->line;
		inner.column = inner.node->column;
	}
	return inner;
}

bool
check_given(const struct check *c, const char *member)
{
	const struct value *v = field_get(c->node, slice_str(member));

	return v != NULL && v->type != VALUE_NULL;
}

/* --- shared checks -------------------------------------------------------- */

void
check_duration(struct check *c, const void *us)
{
	uint64_t d;

	memcpy(&d, us, sizeof(d));
	if (d < MS_US)
		check_error(c, ERR_INVALID, "must be at least 1ms");
	else if (d % MS_US != 0)
		check_error(
		    c, ERR_INVALID, "must be a whole number of milliseconds");
}

void
check_dns_label(struct check *c, const void *slice)
{
	const struct slice *s = slice;
	struct fault why = {0};

	if (name_check_label(*s, &why) != OK)
		check_error(c, ERR_INVALID, "%s", why.text);
}

bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

bool
is_dns_label(struct slice l)
{
	if (l.len == 0 || l.len > NAME_LABEL_MAX || !is_alnum(l.ptr[0]) ||
	    !is_alnum(l.ptr[l.len - 1]))
		return false;
	for (size_t i = 0; i < l.len; i++)
		if (!is_alnum(l.ptr[i]) && l.ptr[i] != '-')
			return false;
	return true;
}

void
check_subset_name(struct check *c, const void *slice)
{
	const struct slice *s = slice;

	if (!is_dns_label(*s))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no name of a subset: at most 63 letters, "
		    "digits and dashes inside",
		    SLICE_ARG(slice_sub(*s, 0, HOST_MAX)));
}

static bool
is_number(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return s.len > 0;
}

/* Labels with dots; the last one is no number, so an IPv4 address is none. */
static void
check_labels_of_host(struct check *c, struct slice host)
{
	struct slice rest = host, label;
	bool rooted = slice_ends(host, S("."));

	rest.len -= rooted;
	do {
		label = slice_split(&rest, '.');
		if (is_dns_label(label))
			continue;
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no host name: the part \"%.*s\" has to be "
		    "letters, digits and dashes inside",
		    SLICE_ARG(slice_sub(host, 0, HOST_MAX)),
		    SLICE_ARG(slice_sub(label, 0, HOST_MAX)));
		return;
	} while (rest.len > 0);
	if (!rooted && is_number(label))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no host name: an address, or its last part "
		    "is a number",
		    SLICE_ARG(host));
}

void
check_host(struct check *c, const void *slice)
{
	const struct slice *host = slice;

	if (host->len == 0)
		check_error(c, ERR_INVALID, "may not be empty");
	else if (host->len > HOST_MAX)
		check_error(
		    c, ERR_INVALID, "is longer than %d bytes", (int)HOST_MAX);
	else if (slice_find(*host, '*') < host->len)
		check_error(
		    c, ERR_INVALID, "may not hold a wildcard: name one host");
	else
		check_labels_of_host(c, *host);
}

/* "*", "*x", "*-x" or a plain label. */
static bool
is_wildcard_label(struct slice l)
{
	if (l.len > NAME_LABEL_MAX)
		return false;
	if (slice_starts(l, S("*-")))
		return is_dns_label(slice_sub(l, 2, l.len));
	if (slice_starts(l, S("*")))
		return l.len == 1 || is_dns_label(slice_sub(l, 1, l.len));
	return is_dns_label(l);
}

void
check_wildcard_host(struct check *c, const void *slice)
{
	const struct slice *host = slice;
	size_t dot = slice_find(*host, '.');
	struct slice rest = slice_sub(*host, dot + 1, host->len);

	if (host->len == 0)
		check_error(c, ERR_INVALID, "may not be empty");
	else if (host->len > HOST_MAX)
		check_error(
		    c, ERR_INVALID, "is longer than %d bytes", (int)HOST_MAX);
	else if (slice_find(rest, '*') < rest.len)
		check_error(c, ERR_INVALID,
		    "a wildcard may only begin the first label: "
		    "\"*.example\"");
	else if (!is_wildcard_label(slice_sub(*host, 0, dot)))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no host name: the part \"%.*s\" has to be "
		    "letters, digits and dashes inside",
		    SLICE_ARG(*host), SLICE_ARG(slice_sub(*host, 0, dot)));
	else if (rest.len > 0)
		check_labels_of_host(c, rest);
}

/* [A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])? */
static bool
is_label_text(struct slice s)
{
	if (!is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && strchr("-._", s.ptr[i]) == NULL)
			return false;
	return true;
}

static bool
is_label_prefix(struct slice s)
{
	if (s.len == 0 || s.len > PREFIX_MAX || slice_ends(s, S(".")))
		return false;
	while (s.len > 0)
		if (!is_dns_label(slice_split(&s, '.')))
			return false;
	return true;
}

static void
check_label_text(struct check *c, const struct label *l, size_t value_max)
{
	struct slice name = l->key;
	size_t slash = slice_find(name, '/');

	if (slash < name.len) {
		struct slice prefix = slice_sub(name, 0, slash);

		name = slice_sub(name, slash + 1, name.len);
		if (!is_label_prefix(prefix))
			name = SLICE_NONE;
	}
	if (name.len == 0 || name.len > NAME_LABEL_MAX || !is_label_text(name))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no label name: at most 63 of letters, "
		    "digits, '-', '_', '.', with a DNS name and '/' before it",
		    SLICE_ARG(slice_sub(l->key, 0, PREFIX_MAX)));
	if (l->value.len > 0 &&
	    (l->value.len > value_max || !is_label_text(l->value)))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no label value: at most 63 of letters, "
		    "digits, '-', '_', '.', beginning and ending with one of "
		    "the first two",
		    SLICE_ARG(slice_sub(l->value, 0, PREFIX_MAX)));
}

void
check_label(struct check *c, const void *label)
{
	check_label_text(c, label, NAME_LABEL_MAX);
}

/* Longer ones exist nowhere, so asking for them is no mistake upstream. */
void
check_wanted_label(struct check *c, const void *label)
{
	check_label_text(c, label, SIZE_MAX);
}

void
check_word(struct check *c, struct slice word, const char *const *words,
    size_t count, const char *what)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, word);
	for (size_t i = 0; i < count; i++) {
		if (slice_eq(word, slice_str(words[i])))
			return;
		nearest_offer(&near, words[i]);
	}
	check_error(c, ERR_INVALID, "\"%.*s\" is no %s%s",
	    SLICE_ARG(slice_sub(word, 0, NAME_LABEL_MAX)), what,
	    nearest_text(&near, hint));
}

void
check_pattern_in_force(struct check *c, struct slice host)
{
	if (slice_starts(host, S("*")) && !host_is_pattern(host))
		check_in_force(c, FIELD_INERT);
}

void
check_regex(struct check *c, const void *slice)
{
	AUTO(regex_unref) struct regex *r = NULL;
	const struct slice *s = slice;
	struct fault why = {0};
	enum err e;

	if (s->len == 0) {
		check_error(c, ERR_INVALID,
		    "a regular expression may not be empty: \".*\" fits all");
		return;
	}
	if (s->len > REGEX_MAX) {
		check_error(c, ERR_LIMIT,
		    "a regular expression has at most %d bytes, not %zu",
		    (int)REGEX_MAX, s->len);
		return;
	}
	e = regex_compile(*s, &r, &why);
	if (e != OK)
		check_error(c, e, "\"%.*s\" is no regular expression here: %s",
		    SLICE_ARG(slice_sub(*s, 0, PREFIX_MAX)), why.text);
}

void
check_cel(struct check *c, const void *slice)
{
	AUTO(cel_free) struct cel *expression = NULL;
	const struct slice *s = slice;
	struct fault why = {0};
	enum err e = cel_parse(*s, &expression, &why);

	if (e != OK)
		check_error(c, e, "\"%.*s\" is no CEL expression: %s",
		    SLICE_ARG(slice_sub(*s, 0, PREFIX_MAX)), why.text);
}

bool
host_is_inside(struct slice a, struct slice b)
{
	if (!slice_starts(b, S("*")))
		return slice_eq(a, b);
	if (slice_starts(a, S("*"))) {
		if (a.len < b.len)
			return false;
		a = slice_sub(a, 1, a.len);
	}
	return slice_ends(a, slice_sub(b, 1, b.len));
}

bool
is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) &&
		    (s.ptr[i] == '\0' ||
			strchr("!#$%&'*+-.^_`|~", s.ptr[i]) == NULL))
			return false;
	return s.len > 0;
}
