/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — how a broken promise ends the process, and allocation.
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hot.h"

enum { CACHED_MAX = 1032 }; /* glibc's largest, on 64 bits */

/* Fallible allocations until one fails; 0 is off. */
static _Atomic uint64_t fail_in;

/* Of this thread. */
static _Thread_local uint64_t made;

bool
mem_must_fail(void)
{
	made++;
	return UNLIKELY(
		   atomic_load_explicit(&fail_in, memory_order_relaxed) != 0) &&
	       atomic_fetch_sub(&fail_in, 1) == 1;
}

void
check_failed(const char *cond, const char *file, int line, const char *func)
{
	(void)fprintf(stderr, "meshd: %s:%d: %s: check failed: %s\n", file,
	    line, func, cond); /* nobody is left to be told of an error */
	abort();
}

/*
 * Small blocks come from malloc's cache of this thread, which calloc passes
 * by; large ones from calloc, which need not touch fresh pages.
 */
static void *
zeroed(size_t bytes)
{
	void *p;

	if (bytes > CACHED_MAX)
		return calloc(1, bytes);
	p = malloc(MAX(bytes, 1));
	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

void *
mem_new(size_t size)
{
	return mem_new_array(1, size);
}

void *
mem_new_array(size_t count, size_t size)
{
	size_t bytes;
	void *p;

	made++;
	CHECK(!__builtin_mul_overflow(count, size, &bytes));
	p = zeroed(bytes);
	CHECK(p != NULL);
	return p;
}

void *
mem_resize(void *old, size_t old_count, size_t new_count, size_t size)
{
	size_t bytes;
	char *p;

	CHECK(new_count >= old_count && new_count > 0 && size > 0);
	made++;
	CHECK(!__builtin_mul_overflow(new_count, size, &bytes));
	p = realloc(old, bytes);
	CHECK(p != NULL);
	memset(p + old_count * size, 0, (new_count - old_count) * size);
	return p;
}

char *
mem_strndup(const char *s, size_t len)
{
	char *p;

	made++;
	CHECK(len < SIZE_MAX);
	p = malloc(len + 1);
	CHECK(p != NULL);
	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void
mem_free(void *p_address)
{
	void *p;

	/* By memcpy: the variable is some other type of pointer. */
	memcpy(&p, p_address, sizeof(p));
	free(p);
	memset(p_address, 0, sizeof(p));
}

uint64_t
mem_count(void)
{
	return made;
}

void
mem_fail_at(uint64_t n)
{
	atomic_store(&fail_in, n);
}

void *
mem_try(size_t size)
{
	return mem_must_fail() ? NULL : malloc(size > 0 ? size : 1);
}

void *
mem_try_resize(void *old, size_t size)
{
	return mem_must_fail() ? NULL : realloc(old, size > 0 ? size : 1);
}

void
mem_give_back(void)
{
	hot_give_back();
	(void)malloc_trim(0); /* whether there was any */
}
