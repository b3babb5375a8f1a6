/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice — a view of bytes that someone else owns.
 *
 * Text inside the program is a slice; `char *` stays at the edges. A slice is
 * never zero-ended and may hold any byte.
 */
#ifndef MESHD_SLICE_H
#define MESHD_SLICE_H

#include "err.h"

#include <string.h>

struct slice {
	const char *ptr;
	size_t len;
};

/* A literal as a slice. */
#define S(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_NONE ((struct slice){NULL, 0})

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

/* Slices and how many there are: two arguments. */
#define SLICES(...)                                                            \
	((const struct slice[]){__VA_ARGS__}),                                 \
	    (sizeof((const struct slice[]){__VA_ARGS__}) /                     \
		sizeof(struct slice))

static inline struct slice
slice_of(const void *ptr, size_t len)
{
	return (struct slice){(const char *)ptr, len};
}

static inline struct slice
slice_str(const char *zero_ended)
{
	return (struct slice){zero_ended, zero_ended ? strlen(zero_ended) : 0};
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Equal without regard to ASCII case. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* <0, 0, >0 in byte order; a prefix sorts first. */
int slice_cmp(struct slice a, struct slice b);

/* Is it one of them? */
bool slice_is_among(struct slice s, const struct slice *items, size_t count);

/* The same ones in the same order. */
bool slice_lists_eq(const struct slice *a, size_t a_count,
    const struct slice *b, size_t b_count);

bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);

/* Bytes [from, from+len), cut to what is there. */
struct slice slice_sub(struct slice s, size_t from, size_t len);

/* Without spaces and tabs at both ends. */
struct slice slice_trim(struct slice s);

/* The index of the byte, or s.len. */
size_t slice_find(struct slice s, char byte);

/* The index of the last such byte, or s.len. */
size_t slice_rfind(struct slice s, char byte);

/*
 * Cuts the part before `byte` off *rest and returns it; the byte itself is
 * dropped. Without one, returns all and leaves *rest empty.
 */
struct slice slice_split(struct slice *rest, char byte);

/* Decimal digits only, no sign, no space; ERR_PARSE or ERR_LIMIT. */
MUST_USE enum err slice_to_u64(struct slice s, uint64_t *out);

/* The same, but a minus may stand in front. */
MUST_USE enum err slice_to_i64(struct slice s, int64_t *out);

/*
 * Go's duration text: "5s", "0.25s", "1h2m", "10ms", "1.5h"; units ns us ms s
 * m h; a lone "0" too. No sign. ERR_PARSE, or ERR_LIMIT beyond 2^63
 * nanoseconds, as there.
 */
MUST_USE enum err slice_to_duration_ns(struct slice s, uint64_t *out_ns);

/* The same, cut to microseconds. */
MUST_USE enum err slice_to_duration_us(struct slice s, uint64_t *out_us);

/*
 * Copies with an ending zero into a fixed array; ERR_LIMIT if it is too long,
 * ERR_PARSE if a zero byte inside would cut it short.
 */
MUST_USE enum err slice_to_cstr(struct slice s, char *out, size_t out_len);

/* The shortest decimal that reads back as the same number; not inf or NaN. */
enum { SLICE_DOUBLE_MAX = 32 };
struct slice slice_from_double(double d, char out[SLICE_DOUBLE_MAX]);

/* In decimal. */
enum { SLICE_U64_MAX = 20 };
struct slice slice_from_u64(uint64_t n, char out[SLICE_U64_MAX]);

/*
 * The parts one behind the other in `out`; empty if there is no room for all.
 * Where texts are put together by the ten thousand printf costs more than all
 * else.
 */
struct slice slice_join(
    const struct slice *parts, size_t count, char *out, size_t out_len);

/* What a hexadecimal digit of either case is worth; -1: it is none. */
int slice_hex_digit(char c);

/* The byte that "%41" at `at` stands for (RFC 3986 §2.1); -1: none is there. */
int slice_escaped(struct slice s, size_t at);

/* SipHash-2-4 under a key that is chosen at process start. */
uint64_t slice_hash(struct slice s);

/* FNV-1a, 64 bit: the same in every process; not for untrusted keys. */
uint64_t slice_hash_stable(struct slice s);

/* Each bit hangs on all of `x` (the last steps of splitmix64): what is hashed
 * so may be added up, whatever the order, which FNV's numbers may not. */
uint64_t hash_u64(uint64_t x);

/* Of a row of things, with one more. */
static inline uint64_t
hash_with(uint64_t h, uint64_t more)
{
	return hash_u64(h * 31 + more);
}

/* True if the bytes are valid UTF-8 (RFC 3629). */
bool slice_is_utf8(struct slice s);

/*
 * Puts a '?' in the place of each byte that is not part of a character: text
 * for people may have been cut anywhere, or come from anybody.
 */
void slice_mend_utf8(char *text, size_t len);

#endif
