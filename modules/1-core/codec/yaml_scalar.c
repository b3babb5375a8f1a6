/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_scalar — what a plain scalar means.
 */
#include <stdlib.h>

#include "yaml_scalar.h"

enum { FLOAT_TEXT_MAX = 400 }; /* longer than any sensible double */

static bool
is_one_of(struct slice s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (slice_eq(s, slice_str(*words)))
			return true;
	return false;
}

static bool
is_null(struct slice s)
{
	static const char *const words[] = {"~", "null", "Null", "NULL", NULL};

	return s.len == 0 || is_one_of(s, words);
}

static bool
is_bool(struct slice s, bool *out)
{
	static const char *const yes[] = {"true", "True", "TRUE", NULL};
	static const char *const no[] = {"false", "False", "FALSE", NULL};

	*out = is_one_of(s, yes);
	return *out || is_one_of(s, no);
}

static struct slice
without_sign(struct slice s)
{
	if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		return slice_sub(s, 1, s.len);
	return s;
}

static size_t
count_digits(struct slice s, unsigned base)
{
	size_t n = 0;

	for (; n < s.len; n++) {
		char c = s.ptr[n];
		bool digit = (c >= '0' && c <= (base == 8 ? '7' : '9'));
		bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

		if (!digit && !(letter && base == 16))
			break;
	}
	return n;
}

static bool
is_based(struct slice s, unsigned *out_base)
{
	struct slice digits = slice_sub(s, 2, s.len);

	*out_base = slice_starts(s, S("0x")) ? 16 : 8;
	if (*out_base == 8 && !slice_starts(s, S("0o")))
		return false;
	return digits.len > 0 && count_digits(digits, *out_base) == digits.len;
}

/* 0x or 0o: at most 63 bits, more is a float. */
static void
set_based(struct slice s, unsigned base, struct value *out)
{
	double real = 0;
	uint64_t n = 0;
	bool fits = true;

	for (size_t i = 2; i < s.len; i++) {
		char c = s.ptr[i];
		unsigned digit = c <= '9' ? (unsigned)(c - '0')
					  : (unsigned)((c | 0x20) - 'a') + 10;

		fits = fits && n <= ((uint64_t)INT64_MAX - digit) / base;
		n = n * base + digit;
		real = real * base + digit;
	}
	out->type = fits ? VALUE_INT : VALUE_FLOAT;
	if (fits)
		out->integer = (int64_t)n;
	else
		out->real = real;
}

static bool
is_special_float(struct slice s, double *out)
{
	static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
	static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};

	if (is_one_of(s, nan)) {
		*out = __builtin_nan("");
		return true;
	}
	if (!is_one_of(without_sign(s), inf))
		return false;
	*out = s.ptr[0] == '-' ? -__builtin_inf() : __builtin_inf();
	return true;
}

/* digits [. digits] [e sign digits], or . digits … */
static bool
is_float(struct slice s)
{
	struct slice rest = without_sign(s);
	size_t whole = count_digits(rest, 10);
	size_t part = 0;

	rest = slice_sub(rest, whole, rest.len);
	if (rest.len > 0 && rest.ptr[0] == '.') {
		rest = slice_sub(rest, 1, rest.len);
		part = count_digits(rest, 10);
		rest = slice_sub(rest, part, rest.len);
	}
	if (whole + part == 0)
		return false;
	if (rest.len > 0 && (rest.ptr[0] | 0x20) == 'e') {
		rest = without_sign(slice_sub(rest, 1, rest.len));
		return rest.len > 0 && count_digits(rest, 10) == rest.len;
	}
	return rest.len == 0;
}

static bool
set_number(struct slice s, struct value *out)
{
	char text[FLOAT_TEXT_MAX];
	struct slice digits = without_sign(s);
	bool whole = digits.len > 0 && count_digits(digits, 10) == digits.len;
	int64_t n;

	if (whole && slice_to_i64(s.ptr[0] == '+' ? digits : s, &n) == OK) {
		out->type = VALUE_INT;
		out->integer = n;
		return true;
	}
	if (!whole && !is_float(s))
		return false;
	if (slice_to_cstr(s, text, sizeof(text)) != OK)
		return false;
	out->type = VALUE_FLOAT;
	out->real = strtod(text, NULL);
	return true;
}

void
yaml_scalar_resolve(struct slice text, struct value *out)
{
	unsigned base;

	out->type = VALUE_STRING;
	if (is_null(text))
		out->type = VALUE_NULL;
	else if (is_bool(text, &out->boolean))
		out->type = VALUE_BOOL;
	else if (is_based(text, &base))
		set_based(text, base, out);
	else if (is_special_float(text, &out->real))
		out->type = VALUE_FLOAT;
	else if (!set_number(text, out))
		out->string = text;
}

/* Words and shapes that YAML 1.1 gives another meaning. */
static bool
is_old_yaml(struct slice s)
{
	static const char *const words[] = {"y", "n", "yes", "no", "on", "off",
	    "true", "false", "null", "nan", "inf", NULL};
	size_t i;

	for (i = 0; words[i] != NULL; i++)
		if (slice_eq_nocase(s, slice_str(words[i])))
			return true;
	/* 1_000, 1:30, 0b1, 2026-01-01: all begin like a number. */
	s = without_sign(s);
	if (s.len == 0 || !((s.ptr[0] >= '0' && s.ptr[0] <= '9')))
		return false;
	for (i = 0; i < s.len; i++)
		if (strchr("0123456789_:-+.eExXobTZ ", s.ptr[i]) == NULL)
			return false;
	return true;
}

static bool
is_word_byte(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '/' || c == '.')
		return true;
	return !first && c != '\0' && strchr("-+@:,()=;<>~^$ ", c) != NULL;
}

bool
yaml_scalar_is_plain(struct slice text)
{
	struct value v = {0};

	if (text.len == 0 || text.ptr[text.len - 1] == ' ' ||
	    text.ptr[text.len - 1] == ':')
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_word_byte(text.ptr[i], i == 0))
			return false;
		if (text.ptr[i] == ':' && text.ptr[i + 1] == ' ')
			return false;
	}
	if (is_old_yaml(text) || slice_starts(text, S("...")))
		return false;
	yaml_scalar_resolve(text, &v);
	return v.type == VALUE_STRING;
}
