/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scalars — values that hold no others: how each type reads, and its default.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "layout.h"
#include "scalars.h"

/* --- what is wrong with a value ------------------------------------------- */

void
decode_is_full(struct check *c)
{
	check_error(c, ERR_LIMIT, "the resource is too large");
}

/* "is a list" but "is an integer". */
void
decode_wrong_type(struct check *c, const struct value *v, const char *wanted)
{
	const char *is = value_type_name(v->type);

	c->found->unread++;
	check_error(c, ERR_PARSE, "is %s %s; %s",
	    strchr("aeiou", is[0]) != NULL ? "an" : "a", is, wanted);
}

/* --- one value ------------------------------------------------------------ */

bool
decode_string(
    struct check *c, uint32_t longest, const struct value *v, struct slice *out)
{
	if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
		decode_wrong_type(c, v, "text is expected");
		return false;
	}
	if (v->type != VALUE_STRING) {
		decode_wrong_type(
		    c, v, "text is expected, so put it in quotes");
		return false;
	}
	if (longest > 0 && v->string.len > longest)
		check_error(c, ERR_LIMIT, "is longer than %u bytes", longest);
	if (arena_copy(c->arena, v->string, out) == OK)
		return true;
	decode_is_full(c);
	return false;
}

/* YAML 1.1's words, which Kubernetes takes for booleans. */
static bool
is_old_bool(const struct value *v)
{
	static const char *const words[] = {"yes", "no", "on", "off"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (v->type == VALUE_STRING &&
		    slice_eq_nocase(v->string, slice_str(words[i])))
			return true;
	return false;
}

static bool
decode_bool(struct check *c, const struct value *v, bool *out)
{
	if (v->type == VALUE_BOOL) {
		*out = v->boolean;
		return true;
	}
	if (is_old_bool(v))
		check_error(
		    c, ERR_PARSE, "is text in YAML 1.2; write true or false");
	else
		decode_wrong_type(c, v, "true or false is expected");
	return false;
}

/* Where the digits from `at` on end; false if there are none. */
static bool
skip_digits(struct slice s, size_t *at)
{
	size_t from = *at;

	while (*at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9')
		++*at;
	return *at > from;
}

/*
 * A text that is a number as JSON has it (RFC 8259 §6). Upstream takes one in
 * quotes, and blanks around it.
 */
static bool
quoted_number(const struct value *v, struct slice *out)
{
	struct slice s = slice_trim(v->string);
	size_t at = slice_starts(s, S("-")), from = at;

	*out = s;
	if (!skip_digits(s, &at) || (s.ptr[from] == '0' && at > from + 1))
		return false;
	if (at < s.len && s.ptr[at] == '.') {
		at++;
		if (!skip_digits(s, &at))
			return false;
	}
	if (at == s.len || (s.ptr[at] != 'e' && s.ptr[at] != 'E'))
		return at == s.len;
	at++;
	at += at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-');
	return skip_digits(s, &at) && at == s.len;
}

/* As upstream reads JSON: 5, "5" and 5.0 are the same number. */
static bool
whole_number(const struct value *v, int64_t *out)
{
	struct slice text;

	if (v->type == VALUE_STRING)
		return quoted_number(v, &text) && slice_to_i64(text, out) == OK;
	if (v->type == VALUE_INT)
		*out = v->integer;
	else if (v->type == VALUE_FLOAT && fabs(v->real) < 9e15 &&
		 v->real == floor(v->real))
		*out = (int64_t)v->real;
	else
		return false;
	return true;
}

/* Upstream's fields have 32 bits; a row that reaches INT32_MAX has a sign. */
static bool
fits_32_bits(const struct field *f, int64_t n)
{
	bool is_signed = f->max == INT32_MAX || f->min < 0;

	return is_signed ? n >= INT32_MIN && n <= INT32_MAX
			 : n >= 0 && n <= UINT32_MAX;
}

bool
decode_int(
    struct check *c, const struct field *f, const struct value *v, int64_t *out)
{
	bool any = f->min == 0 && f->max == 0;
	int64_t n;

	if (!whole_number(v, &n)) {
		decode_wrong_type(c, v, "a whole number is expected");
		return false;
	}
	if (!any && (n < f->min || n > f->max)) {
		c->found->unread += !fits_32_bits(f, n);
		check_error(c, ERR_INVALID, "%lld is outside %lld to %lld",
		    (long long)n, (long long)f->min, (long long)f->max);
		return false;
	}
	*out = n;
	return true;
}

/* Decimal: "5", "-0.25", "1e3". */
static bool
text_to_number(struct slice text, double *out)
{
	char z[64], *end;

	if (slice_to_cstr(text, z, sizeof(z)) != OK ||
	    strspn(z, "+-.0123456789eE") != text.len)
		return false;
	*out = strtod(z, &end);
	return text.len > 0 && *end == '\0' && isfinite(*out);
}

/* As upstream reads JSON: a number may be in quotes. */
static bool
any_number(const struct value *v, double *out)
{
	struct slice text;

	if (v->type == VALUE_STRING)
		return quoted_number(v, &text) && text_to_number(text, out);
	*out = v->type == VALUE_INT ? (double)v->integer : v->real;
	return v->type == VALUE_INT || v->type == VALUE_FLOAT;
}

static bool
decode_number(
    struct check *c, const struct field *f, const struct value *v, double *out)
{
	bool any = f->min == 0 && f->max == 0;
	double n;

	if (!any_number(v, &n)) {
		decode_wrong_type(c, v, "a number is expected");
		return false;
	}
	if (!any && !(n >= (double)f->min && n <= (double)f->max)) {
		check_error(c, ERR_INVALID, "%g is outside %lld to %lld", n,
		    (long long)f->min, (long long)f->max);
		return false;
	}
	*out = n;
	return true;
}

static void
take_word(struct check *c, const struct field_word *w, int *out)
{
	if (w->flags & FIELD_DEPRECATED)
		check_warning(c, "%s is deprecated", w->word);
	check_in_force(c, w->flags);
	*out = w->value;
}

/* As upstream reads JSON: the number of a word, or one of no word at all. */
static bool
decode_enum_number(
    struct check *c, const struct field *f, const struct value *v, int *out)
{
	int64_t n;

	if (!whole_number(v, &n) || n < INT32_MIN || n > INT32_MAX) {
		decode_wrong_type(c, v, "a word is expected");
		return false;
	}
	for (const struct field_word *w = f->words; w->word != NULL; w++)
		if (w->value == n) {
			take_word(c, w, out);
			return true;
		}
	check_inert(c, FIELD_GUARD,
	    "%lld stands for none of its words, so nothing is meant",
	    (long long)n);
	*out = (int)n;
	return true;
}

enum { WORDS_TEXT_MAX = 160 };

/* "A, B, C"; of many only that there is a list. */
static const char *
list_words(const struct field *f, char out[WORDS_TEXT_MAX])
{
	size_t len = 0;

	for (const struct field_word *w = f->words; w->word != NULL; w++) {
		int n = snprintf(out + len, WORDS_TEXT_MAX - len, "%s%s",
		    len > 0 ? ", " : "", w->word);

		if (n < 0 || (size_t)n >= WORDS_TEXT_MAX - len)
			return "its words, which explain-field lists";
		len += (size_t)n;
	}
	return out;
}

static bool
decode_enum(
    struct check *c, const struct field *f, const struct value *v, int *out)
{
	char hint[NEAREST_TEXT_MAX], words[WORDS_TEXT_MAX];
	struct nearest near;

	if (v->type == VALUE_INT || v->type == VALUE_FLOAT)
		return decode_enum_number(c, f, v, out);
	if (v->type != VALUE_STRING) {
		decode_wrong_type(c, v, "a word is expected");
		return false;
	}
	nearest_init(&near, v->string);
	for (const struct field_word *w = f->words; w->word != NULL; w++) {
		nearest_offer(&near, w->word);
		if (!slice_eq(v->string, slice_str(w->word)))
			continue;
		take_word(c, w, out);
		return true;
	}
	c->found->unread++;
	check_error(c, ERR_INVALID, "\"%.*s\" is none of %s%s",
	    SLICE_ARG(slice_sub(v->string, 0, 64)), list_words(f, words),
	    nearest_text(&near, hint));
	return false;
}

static bool
decode_duration(struct check *c, const struct value *v, uint64_t *out)
{
	uint64_t ns;
	bool plus;

	if (v->type != VALUE_STRING) {
		decode_wrong_type(c, v,
		    "a duration such as \"1.5s\" or \"200ms\" is expected");
		return false;
	}
	plus = slice_starts(v->string, S("+")); /* upstream takes it */
	if (slice_to_duration_ns(
		slice_sub(v->string, plus, v->string.len), &ns) == OK) {
		*out = ns / 1000;
		if (ns % 1000 != 0)
			check_error(
			    c, ERR_INVALID, "is finer than a microsecond");
		return true;
	}
	c->found->unread++;
	check_error(c, ERR_INVALID,
	    "\"%.*s\" is no duration; write \"1.5s\", \"200ms\" or \"1h2m\"",
	    SLICE_ARG(slice_sub(v->string, 0, 64)));
	return false;
}

static bool
decode_int_or_string(struct check *c, const struct field *f,
    const struct value *v, struct int_or_string *out)
{
	if (v->type == VALUE_STRING) {
		out->is_string = true;
		return decode_string(c, f->longest, v, &out->text);
	}
	return decode_int(c, f, v, &out->number);
}

bool
decode_scalar(
    struct check *c, const struct field *f, const struct value *v, void *out)
{
	switch (f->type) {
	case FIELD_STRING:
		return decode_string(c, f->longest, v, out);
	case FIELD_BOOL:
		return decode_bool(c, v, out);
	case FIELD_INT:
		return decode_int(c, f, v, out);
	case FIELD_NUMBER:
		return decode_number(c, f, v, out);
	case FIELD_ENUM:
		return decode_enum(c, f, v, out);
	case FIELD_DURATION:
		return decode_duration(c, v, out);
	case FIELD_INT_OR_STRING:
		return decode_int_or_string(c, f, v, out);
	default:
		return false; /* FIELD_ANY, of which nothing is read */
	}
}

/* --- what an absent one is ------------------------------------------------ */

void
set_default(const struct field *f, char *out)
{
	struct slice text = slice_str(f->otherwise);
	void *at = out + f->offset;
	enum err e = OK;

	if (f->otherwise == NULL)
		return;
	switch (f->type) {
	case FIELD_STRING:
		*(struct slice *)at = text;
		break;
	case FIELD_BOOL:
		*(bool *)at = slice_eq(text, S("true"));
		break;
	case FIELD_INT:
		e = slice_to_i64(text, at);
		break;
	case FIELD_NUMBER:
		e = text_to_number(text, at) ? OK : ERR_PARSE;
		break;
	case FIELD_DURATION:
		e = slice_to_duration_us(text, at);
		break;
	case FIELD_ENUM:
		for (const struct field_word *w = f->words; w->word; w++)
			if (slice_eq(text, slice_str(w->word)))
				*(int *)at = w->value;
		break;
	default:
		e = ERR_INTERNAL;
	}
	CHECK(e == OK); /* the tables are ours */
}
