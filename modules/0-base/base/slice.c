/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice — comparing, cutting and reading views of bytes.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "check.h"
#include "crypto.h"
#include "slice.h"

static const uint64_t FNV_OFFSET = UINT64_C(0xcbf29ce484222325);
static const uint64_t FNV_PRIME = UINT64_C(0x100000001b3);

/* Go's units, the longer spelling of a shared prefix first. */
static const struct {
	struct slice name;
	uint64_t ns;
} duration_units[] = {
    {{"ns", 2}, 1},
    {{"us", 2}, 1000},
    {{"\xc2\xb5s", 3}, 1000}, /* U+00B5, the micro sign */
    {{"\xce\xbcs", 3}, 1000}, /* U+03BC, the Greek letter */
    {{"ms", 2}, 1000000},
    {{"s", 1}, UINT64_C(1000000000)},
    {{"m", 1}, UINT64_C(60000000000)},
    {{"h", 1}, UINT64_C(3600000000000)},
};

static uint8_t hash_key[CRYPTO_SIPHASH_KEY_LEN];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * From the system itself and not through crypto_random(): tables are filled
 * before crypto_init() has run.
 */
static void
hash_key_make(void)
{
	CHECK(getrandom(hash_key, sizeof(hash_key), 0) == sizeof(hash_key));
}

/*
 * Cuts leading digits off *s: *out_frac over *out_scale is what they say. Those
 * that a number has no room for are too small to matter.
 */
static size_t
take_fraction(struct slice *s, uint64_t *out_frac, double *out_scale)
{
	size_t n = 0;

	for (; n < s->len && is_digit(s->ptr[n]); n++) {
		if (*out_frac > (UINT64_MAX - 9) / 10)
			continue;
		*out_frac = *out_frac * 10 + (uint64_t)(s->ptr[n] - '0');
		*out_scale *= 10;
	}
	*s = slice_sub(*s, n, s->len);
	return n;
}

static enum err
take_unit(struct slice *s, uint64_t *out_ns)
{
	struct slice unit = *s;

	for (size_t n = 0; n < s->len; n++)
		if (is_digit(s->ptr[n]) || s->ptr[n] == '.') {
			unit.len = n;
			break;
		}
	for (size_t i = 0; i < ARRAY_LEN(duration_units); i++)
		if (slice_eq(unit, duration_units[i].name)) {
			*out_ns = duration_units[i].ns;
			*s = slice_sub(*s, unit.len, s->len);
			return OK;
		}
	return ERR_PARSE;
}

/* One "12.5h" from the front of *s, in nanoseconds. */
static enum err
take_duration(struct slice *s, uint64_t *out_ns)
{
	uint64_t whole = 0, frac = 0, unit_ns;
	double scale = 1;
	size_t digits = 0;
	enum err e;

	while (digits < s->len && is_digit(s->ptr[digits]))
		digits++;
	if (digits > 0 && (e = slice_to_u64(slice_sub(*s, 0, digits), &whole)))
		return e;
	*s = slice_sub(*s, digits, s->len);
	if (s->len > 0 && s->ptr[0] == '.') {
		*s = slice_sub(*s, 1, s->len);
		digits += take_fraction(s, &frac, &scale);
	}
	if (digits == 0 || take_unit(s, &unit_ns) != OK)
		return ERR_PARSE;
	if (__builtin_mul_overflow(whole, unit_ns, &whole) ||
	    __builtin_add_overflow(whole,
		(uint64_t)((double)frac * ((double)unit_ns / scale)), out_ns))
		return ERR_LIMIT;
	return OK;
}

/* The length of the UTF-8 sequence at the front, 0 if it is none. */
static size_t
utf8_len(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f; /* no surrogates */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f; /* nothing beyond U+10FFFF */
	if (n > left || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The letters A to Z among eight bytes, in lower case; others stay. */
static uint64_t
lower_word(uint64_t w)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t low = w & 0x7f * each;
	uint64_t from_a = low + (0x80 - 'A') * each;
	uint64_t past_z = low + (0x7f - 'Z') * each;
	uint64_t upper = (from_a ^ past_z) & ~w & 0x80 * each;

	return w | upper >> 2;
}

/* Eight bytes, or the four to seven that there are, some of them twice. */
static uint64_t
load_word(const char *p, size_t len)
{
	uint64_t w;
	uint32_t first, last;

	if (len >= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		return w;
	}
	memcpy(&first, p, sizeof(first));
	memcpy(&last, p + len - sizeof(last), sizeof(last));
	return (uint64_t)last << 32 | first;
}

static bool
is_same_word(const char *a, const char *b, size_t len)
{
	uint64_t x = load_word(a, len), y = load_word(b, len);

	return x == y || lower_word(x) == lower_word(y);
}

static bool
is_same_short(const char *a, const char *b, size_t len)
{
	if (len >= sizeof(uint32_t))
		return is_same_word(a, b, len);
	for (size_t i = 0; i < len; i++)
		if (to_lower(a[i]) != to_lower(b[i]))
			return false;
	return true;
}

/* Nearly all that it compares are names of header fields: word by word. */
bool
slice_eq_nocase(struct slice a, struct slice b)
{
	const size_t word = sizeof(uint64_t);

	if (a.len != b.len)
		return false;
	if (a.len < word)
		return is_same_short(a.ptr, b.ptr, a.len);
	for (size_t i = 0; i + word <= a.len; i += word)
		if (!is_same_word(a.ptr + i, b.ptr + i, word))
			return false;
	/* The last word, some of it once more. */
	return is_same_word(a.ptr + a.len - word, b.ptr + b.len - word, word);
}

int
slice_cmp(struct slice a, struct slice b)
{
	size_t n = MIN(a.len, b.len);
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

int
slice_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
slice_escaped(struct slice s, size_t at)
{
	int high, low;

	if (at + 2 >= s.len || s.ptr[at] != '%')
		return -1;
	high = slice_hex_digit(s.ptr[at + 1]);
	low = slice_hex_digit(s.ptr[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool
slice_is_among(struct slice s, const struct slice *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(items[i], s))
			return true;
	return false;
}

bool
slice_lists_eq(const struct slice *a, size_t a_count, const struct slice *b,
    size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!slice_eq(a[i], b[i]))
			return false;
	return true;
}

bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	       slice_eq(slice_sub(s, 0, prefix.len), prefix);
}

bool
slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       slice_eq(slice_sub(s, s.len - suffix.len, suffix.len), suffix);
}

struct slice
slice_sub(struct slice s, size_t from, size_t len)
{
	if (s.ptr == NULL)
		return s;
	from = MIN(from, s.len);
	return slice_of(s.ptr + from, MIN(len, s.len - from));
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = slice_sub(s, 1, s.len);
	return s;
}

size_t
slice_find(struct slice s, char byte)
{
	const char *at = s.len > 0 ? memchr(s.ptr, byte, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

size_t
slice_rfind(struct slice s, char byte)
{
	const char *at = s.len > 0 ? memrchr(s.ptr, byte, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

struct slice
slice_split(struct slice *rest, char byte)
{
	size_t at = slice_find(*rest, byte);
	struct slice head = slice_sub(*rest, 0, at);

	*rest = slice_sub(*rest, MIN(at + 1, rest->len), rest->len);
	return head;
}

enum err
slice_to_u64(struct slice s, uint64_t *out)
{
	uint64_t n = 0;
	bool too_large = false;

	if (s.len == 0)
		return ERR_PARSE;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]))
			return ERR_PARSE;
		too_large |= __builtin_mul_overflow(n, UINT64_C(10), &n);
		too_large |=
		    __builtin_add_overflow(n, (uint64_t)(s.ptr[i] - '0'), &n);
	}
	if (too_large)
		return ERR_LIMIT;
	*out = n;
	return OK;
}

enum err
slice_to_i64(struct slice s, int64_t *out)
{
	bool minus = s.len > 0 && s.ptr[0] == '-';
	uint64_t n;
	enum err e = slice_to_u64(minus ? slice_sub(s, 1, s.len) : s, &n);

	if (e != OK)
		return e;
	if (n > (uint64_t)INT64_MAX + (minus ? 1 : 0))
		return ERR_LIMIT;
	/* Two's complement by way of unsigned, for the smallest number. */
	*out = (int64_t)(minus ? 0 - n : n);
	return OK;
}

enum err
slice_to_duration_ns(struct slice s, uint64_t *out_ns)
{
	uint64_t total_ns = 0, part_ns;
	enum err e;

	if (slice_eq(s, S("0"))) {
		*out_ns = 0;
		return OK;
	}
	if (s.len == 0)
		return ERR_PARSE;
	while (s.len > 0) {
		if ((e = take_duration(&s, &part_ns)) != OK)
			return e;
		if (__builtin_add_overflow(total_ns, part_ns, &total_ns) ||
		    total_ns > INT64_MAX)
			return ERR_LIMIT;
	}
	*out_ns = total_ns;
	return OK;
}

enum err
slice_to_duration_us(struct slice s, uint64_t *out_us)
{
	uint64_t ns;
	enum err e = slice_to_duration_ns(s, &ns);

	if (e == OK)
		*out_us = ns / 1000;
	return e;
}

enum err
slice_to_cstr(struct slice s, char *out, size_t out_len)
{
	if (s.len >= out_len)
		return ERR_LIMIT;
	if (slice_find(s, '\0') < s.len)
		return ERR_PARSE;
	if (s.len > 0)
		memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
	return OK;
}

struct slice
slice_from_double(double d, char out[SLICE_DOUBLE_MAX])
{
	/* 17 digits are always enough (IEEE 754-2019 §5.12.2). */
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(out, SLICE_DOUBLE_MAX, "%.*g", digits,
		    d); /* at most 24 characters */
		if (strtod(out, NULL) == d)
			break;
	}
	return slice_str(out);
}

struct slice
slice_from_u64(uint64_t n, char out[SLICE_U64_MAX])
{
	char *p = out + SLICE_U64_MAX;

	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return slice_of(p, (size_t)(out + SLICE_U64_MAX - p));
}

struct slice
slice_join(const struct slice *parts, size_t count, char *out, size_t out_len)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		if (parts[i].len > out_len - len)
			return S("");
		if (parts[i].len > 0)
			memcpy(out + len, parts[i].ptr, parts[i].len);
		len += parts[i].len;
	}
	return slice_of(out, len);
}

uint64_t
slice_hash(struct slice s)
{
	CHECK(pthread_once(&hash_key_once, hash_key_make) == 0);
	return crypto_siphash(hash_key, s);
}

uint64_t
slice_hash_stable(struct slice s)
{
	uint64_t hash = FNV_OFFSET;

	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (uint8_t)s.ptr[i]) * FNV_PRIME;
	return hash;
}

uint64_t
hash_u64(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

bool
slice_is_utf8(struct slice s)
{
	const uint8_t *p = (const uint8_t *)s.ptr;

	for (size_t i = 0, n; i < s.len; i += n)
		if ((n = utf8_len(p + i, s.len - i)) == 0)
			return false;
	return true;
}

void
slice_mend_utf8(char *text, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += MAX(n, 1)) {
		n = utf8_len((const uint8_t *)text + i, len - i);
		if (n == 0)
			text[i] = '?';
	}
}
