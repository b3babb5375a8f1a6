/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — assertions about our own code, on in every build.
 *
 * CHECK never looks at bytes that came from a peer, a file or a socket: those
 * get an enum err. A failed CHECK writes one line to stderr and aborts.
 */
#ifndef MESHD_CHECK_H
#define MESHD_CHECK_H

#include "attr.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (UNLIKELY(!(cond)))                                         \
			check_failed(#cond, __FILE__, __LINE__, __func__);     \
	} while (0)

void check_failed(
    const char *cond, const char *file, int line, const char *func) NORETURN;

/*
 * An object that travels through a void pointer starts with `uint32_t magic`
 * and comes back through OBJ(), which dies on anything else.
 */
#define OBJ(var, arg, MAGIC)                                                   \
	do {                                                                   \
		(var) = (arg);                                                 \
		CHECK((var) != NULL && (var)->magic == (MAGIC));               \
	} while (0)

/* Allocation of small fixed objects: zeroed; running out ends the process. */
void *mem_new(size_t size) MUST_USE;
void *mem_new_array(size_t count, size_t size) MUST_USE;

/* Grows an array that only we size; the new part is zeroed; aborts as above. */
void *mem_resize(
    void *old, size_t old_count, size_t new_count, size_t size) MUST_USE;

/* A zero-ended copy of `len` bytes; aborts as above. */
char *mem_strndup(const char *s, size_t len) MUST_USE;

/* Frees *p and leaves NULL; p itself may not be NULL. For AUTO: mem_free. */
void mem_free(void *p_address);

/*
 * Gives back to the system what was freed and only lies at hand, for this
 * thread or for all: after a time when much was needed. Takes milliseconds.
 */
void mem_give_back(void);

/* Allocations that this thread made through these functions. Tests only. */
uint64_t mem_count(void);

/*
 * Failure walks: the n-th fallible allocation (buf, arena) from now on fails
 * once; 0 switches it off. Tests only.
 */
void mem_fail_at(uint64_t n);

/* malloc for what a peer may size: may return NULL, obeys mem_fail_at. */
void *mem_try(size_t size) MUST_USE;
void *mem_try_resize(void *old, size_t size) MUST_USE;

/* Counts one, and says whether it has to fail: for who has memory at hand. */
bool mem_must_fail(void);

#endif
