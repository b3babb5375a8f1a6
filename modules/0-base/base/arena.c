/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena — blocks that double in size, and a chain of drop hooks.
 *
 * AddressSanitizer is told what of a block was handed out, and each thing has
 * a gap behind it, so that it sees who writes beyond what was asked for.
 */
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "arena.h"
#include "check.h"
#include "hot.h"
#include "secret.h"

#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#define HAS_ASAN 0
#endif

enum {
	ARENA_BLOCK_FIRST = 992, /* with its head: what malloc keeps at hand */
	ARENA_BLOCK_MAX = 64 << 10,
	ARENA_ALIGN = alignof(uint64_t),
	ARENA_GAP = HAS_ASAN ? ARENA_ALIGN : 0
};

struct arena_block {
	struct arena_block *older;
	size_t size; /* bytes behind this head */
	size_t used;
	size_t gap; /* behind each thing */
	alignas(uint64_t) char bytes[];
};

struct arena_hook {
	struct arena_hook *older;
	void (*drop)(void *);
	void *arg;
};

/* Puts a new block in front with room for `size` bytes. */
static enum err
add_block(struct arena *a, size_t size, size_t gap)
{
	struct arena_block *block = hot_try(sizeof(*block) + size);

	if (block == NULL)
		return ERR_NO_MEMORY;
	block->older = a->blocks;
	block->size = size;
	block->used = 0;
	block->gap = gap;
	a->blocks = block;
	ASAN_POISON_MEMORY_REGION(block->bytes, size);
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
	want = MIN(want, a->limit - a->used);
	return add_block(a, MAX(want, size + ARENA_GAP), ARENA_GAP);
}

static bool
has_room(const struct arena_block *b, size_t size)
{
	return b != NULL && size + b->gap <= b->size - b->used;
}

static enum err
take(struct arena *a, size_t asked, void **out)
{
	struct arena_block *block;
	size_t size;

	if (asked > a->limit)
		return ERR_LIMIT;
	size = (MAX(asked, 1) + ARENA_ALIGN - 1) & ~((size_t)ARENA_ALIGN - 1);
	if (size > a->limit - a->used)
		return ERR_LIMIT;
	if (!has_room(a->blocks, size) && grow(a, size) != OK)
		return ERR_NO_MEMORY;
	block = a->blocks;
	*out = block->bytes + block->used;
	ASAN_UNPOISON_MEMORY_REGION(*out, asked);
	memset(*out, 0, asked);
	block->used += size + block->gap;
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
	return size > a->limit - a->used ? ERR_LIMIT
					 : add_block(a, size, /* gap */ 0);
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
		ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
		if (a->secret)
			secret_wipe(block->bytes, block->used);
		hot_free(&block, sizeof(*block) + block->size);
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
