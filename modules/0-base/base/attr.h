/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr — the few compiler attributes and macros that the code uses.
 */
#ifndef MESHD_ATTR_H
#define MESHD_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))
#define NORETURN __attribute__((noreturn))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The object whose member `member` lies at `ptr`. */
#define CONTAINER(ptr, type, member)                                           \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * AUTO(x_free) struct x *x = …;  is released on every path out of the block:
 * x_free takes the variable's address (STYLE: free takes the address).
 * return TAKE(x);  hands it over instead and leaves NULL behind.
 */
#define AUTO(release) __attribute__((cleanup(release)))
#define TAKE(p)                                                                \
	__extension__({                                                        \
		__typeof__(p) *take_p_ = &(p);                                 \
		__typeof__(p) take_v_ = *take_p_;                              \
		*take_p_ = NULL;                                               \
		take_v_;                                                       \
	})

#endif
