/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena — blocks that double in size, and a chain of drop hooks.
 */
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "arena.h"
#include "check.h"
#include "secret.h"

enum {
	ARENA_BLOCK_FIRST = 992, /* with its head: what malloc keeps at hand */
	ARENA_BLOCK_MAX = 64 << 10,
	ARENA_ALIGN = alignof(uint64_t)
};

struct arena_block {
	struct arena_block *older;
	size_t size; /* bytes behind this head */
	size_t used;
	alignas(uint64_t) char bytes[];
};

struct arena_hook {
	struct arena_hook *older;
	void (*drop)(void *);
	void *arg;
};

/* Puts a new block in front with room for `size` bytes. */
static enum err
add_block(struct arena *a, size_t size)
{
	struct arena_block *block = mem_try(sizeof(*block) + size);

	if (block == NULL)
		return ERR_NO_MEMORY;
	block->older = a->blocks;
	block->size = size;
	block->used = 0;
	a->blocks = block;
	return OK;
}

/* The same with room for what comes after it, too. */
static enum err
grow(struct arena *a, size_t size)
{
	size_t want = a->blocks != NULL
			  ? MIN(a->blocks->size * 2, (size_t)ARENA_BLOCK_MAX)
			  : (size_t)ARENA_BLOCK_FIRST;

	/* What is left of the limit is enough: nothing beyond it is used. */
	return add_block(a, MAX(MIN(want, a->limit - a->used), size));
}

static enum err
take(struct arena *a, size_t size, void **out)
{
	if (size > a->limit)
		return ERR_LIMIT;
	size = (MAX(size, 1) + ARENA_ALIGN - 1) & ~((size_t)ARENA_ALIGN - 1);
	if (size > a->limit - a->used)
		return ERR_LIMIT;
	if (a->blocks == NULL || size > a->blocks->size - a->blocks->used)
		if (grow(a, size) != OK)
			return ERR_NO_MEMORY;
	*out = memset(a->blocks->bytes + a->blocks->used, 0, size);
	a->blocks->used += size;
	a->used += size;
	return OK;
}

void
arena_init(struct arena *a, size_t limit)
{
	/* Sizes are rounded up; so near the end that would wrap around. */
	*a = (struct arena){.limit = MIN(limit, SIZE_MAX / 2)};
}

enum err
arena_reserve(struct arena *a, size_t size)
{
	return size > a->limit - a->used ? ERR_LIMIT : add_block(a, size);
}

void
arena_reset(struct arena *a)
{
	struct arena_block *block;
	struct arena_hook *hook;

	/* A hook may still use the memory, so all of them run first. */
	while ((hook = a->hooks) != NULL) {
		a->hooks = hook->older;
		hook->drop(hook->arg);
	}
	while ((block = a->blocks) != NULL) {
		a->blocks = block->older;
		if (a->secret)
			secret_wipe(block->bytes, block->used);
		mem_free(&block);
	}
	a->used = 0;
}

void
arena_fini(struct arena *a)
{
	arena_reset(a);
}

void *
arena_alloc(struct arena *a, size_t size)
{
	void *p;

	return take(a, size, &p) == OK ? p : NULL;
}

void *
arena_alloc_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

enum err
arena_copy(struct arena *a, struct slice s, struct slice *out)
{
	void *p;
	enum err e;

	if (s.len == SIZE_MAX)
		return ERR_LIMIT;
	if ((e = take(a, s.len + 1, &p)) != OK)
		return e;
	if (s.len > 0)
		memcpy(p, s.ptr, s.len);
	*out = slice_of(p, s.len);
	return OK;
}

struct slice
arena_join(struct arena *a, const struct slice *parts, size_t count)
{
	size_t len = 0;
	char *p;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len; /* all lie in memory */
	p = arena_alloc(a, len + 1);
	return p != NULL ? slice_join(parts, count, p, len) : SLICE_NONE;
}

struct slice
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args;
	char *p;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || (p = arena_alloc(a, (size_t)len + 1)) == NULL)
		return SLICE_NONE;
	va_start(args, fmt);
	len = vsnprintf(p, (size_t)len + 1, fmt, args);
	va_end(args);
	return len < 0 ? SLICE_NONE : slice_of(p, (size_t)len);
}

enum err
arena_on_reset(struct arena *a, void (*drop)(void *), void *arg)
{
	struct arena_hook *hook;
	void *p;
	enum err e = take(a, sizeof(*hook), &p);

	if (e != OK)
		return e;
	hook = p;
	*hook = (struct arena_hook){a->hooks, drop, arg};
	a->hooks = hook;
	return OK;
}
