/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit — cmocka with tests that list themselves and failures that speak.
 *
 *	TEST(a_prefix_sorts_first)
 *	{
 *		EXPECT_TRUE(slice_cmp(S("a"), S("ab")) < 0);
 *	}
 *
 * Each file is one program; unit.c brings main(). A failed expectation prints
 * both values and ends its test. Arguments to the program are patterns: only
 * the tests whose names contain one of them run.
 */
#ifndef MESHD_UNIT_H
#define MESHD_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct unit_test {
	const char *name;
	void (*run)(void);
	struct unit_test *next;
};

/* Called by TEST() before main; keeps t. Tests run in the file's order. */
void unit_register(struct unit_test *t);

/* Where an expectation stands, and what it says in the source. */
struct unit_at {
	const char *file;
	int line;
	const char *left;
	const char *right;
};

/* What EXPECT_EQ and its kin compare: a number of either sign, or a pointer. */
struct unit_value {
	bool is_signed;
	union {
		int64_t i;
		uint64_t u;
	};
};

/*
 * Each of these returns if the expectation holds; otherwise it prints both
 * values and ends the running test.
 */
void unit_number(struct unit_at at, struct unit_value left,
    struct unit_value right, bool equal);
void unit_truth(struct unit_at at, bool value, bool wanted);
void unit_text(struct unit_at at, const char *left, const char *right);
void unit_bytes(struct unit_at at, const void *left, size_t left_len,
    const void *right, size_t right_len);
void unit_error(struct unit_at at, int err, int wanted);

/*
 * How many of `all` random worlds, rounds or members a test takes. Sanitizers
 * are slow: ASan sees a quarter of them, TSan a twentieth.
 */
#if defined(__SANITIZE_THREAD__)
#define UNIT_SEEDS(all) (((all) + 19) / 20)
#elif defined(__SANITIZE_ADDRESS__)
#define UNIT_SEEDS(all) (((all) + 3) / 4)
#else
#define UNIT_SEEDS(all) (all)
#endif

#define TEST(test_name)                                                        \
	static void test_##test_name(void);                                    \
	__attribute__((constructor)) static void register_##test_name(void)    \
	{                                                                      \
		static struct unit_test t = {                                  \
		    #test_name, test_##test_name, NULL};                       \
		unit_register(&t);                                             \
	}                                                                      \
	static void test_##test_name(void)

#define UNIT_AT(l, r) ((struct unit_at){__FILE__, __LINE__, l, r})

/* A signed value keeps its sign, whatever its width. */
#define UNIT_VALUE(x)                                                          \
	_Generic((x), signed char                                              \
		 : unit_signed, short                                          \
		 : unit_signed, int                                            \
		 : unit_signed, long                                           \
		 : unit_signed, long long                                      \
		 : unit_signed, default                                        \
		 : unit_unsigned)((uint64_t)(x))

static inline struct unit_value
unit_signed(uint64_t bits)
{
	return (struct unit_value){.is_signed = true, .i = (int64_t)bits};
}

static inline struct unit_value
unit_unsigned(uint64_t bits)
{
	return (struct unit_value){.is_signed = false, .u = bits};
}

#define EXPECT_EQ(l, r)                                                        \
	unit_number(                                                           \
	    UNIT_AT(#l, #r), UNIT_VALUE(l), UNIT_VALUE(r), /* equal */ true)
#define EXPECT_NE(l, r)                                                        \
	unit_number(                                                           \
	    UNIT_AT(#l, #r), UNIT_VALUE(l), UNIT_VALUE(r), /* equal */ false)
#define EXPECT_TRUE(x) unit_truth(UNIT_AT(#x, "true"), (x), true)
#define EXPECT_FALSE(x) unit_truth(UNIT_AT(#x, "false"), (x), false)

/* Zero-ended text. */
#define EXPECT_STR(l, r) unit_text(UNIT_AT(#l, #r), (l), (r))

/* Anything with .ptr and .len; each argument is evaluated once. */
#define EXPECT_SLICE(l, r)                                                     \
	do {                                                                   \
		__typeof__(l) left_ = (l);                                     \
		__typeof__(r) right_ = (r);                                    \
		unit_bytes(UNIT_AT(#l, #r), left_.ptr, left_.len, right_.ptr,  \
		    right_.len);                                               \
	} while (0)

#define EXPECT_MEM(l, r, len)                                                  \
	unit_bytes(UNIT_AT(#l, #r), (l), (len), (r), (len))

/* An enum err: OK, or a certain one. Prints the names. */
#define EXPECT_OK(x) unit_error(UNIT_AT(#x, "OK"), (int)(x), 0)
#define EXPECT_ERR(x, err) unit_error(UNIT_AT(#x, #err), (int)(x), (int)(err))

#endif
