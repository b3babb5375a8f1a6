/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hot — free blocks by size, a list for each, a thread's own.
 *
 * A list is no longer than what its thread took of this size and did not give
 * back to malloc. One thread may make what another ends, all the time: there
 * the blocks would wait for nobody.
 * A sanitizer has to see each block come and go: there is no list then.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hot.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT_MAX 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEPT_MAX 0
#endif
#endif
#ifndef KEPT_MAX
#define KEPT_MAX (1 << 20) /* bytes that wait, all sizes together */
#endif

enum { STEP = 16, LISTS = 160 }; /* the largest is 2544 bytes */

struct block {
	struct block *next;
};

struct list_of_size {
	struct block *first;
	uint32_t count;
	uint32_t taken; /* of malloc, by this thread; less what it gave back */
};

struct blocks {
	struct list_of_size lists[LISTS];
	size_t kept; /* bytes */
};

static _Thread_local struct blocks *blocks;
static pthread_key_t blocks_key;
static pthread_once_t blocks_once = PTHREAD_ONCE_INIT;

static void *
pop(struct blocks *b, size_t i)
{
	struct list_of_size *l = &b->lists[i];
	struct block *first = l->first;

	l->first = first->next;
	l->count--;
	b->kept -= i * STEP;
	return first;
}

static void
give_back(struct blocks *b)
{
	for (size_t i = 0; i < LISTS; i++) {
		b->lists[i].taken -= b->lists[i].count;
		while (b->lists[i].first != NULL)
			free(pop(b, i));
	}
}

static void
blocks_fini(void *arg)
{
	struct blocks *b = arg;

	give_back(b);
	blocks = NULL;
	free(b);
}

static void
make_key(void)
{
	CHECK(pthread_key_create(&blocks_key, blocks_fini) == 0);
}

static struct blocks *
mine(void)
{
	if (LIKELY(blocks != NULL))
		return blocks;
	CHECK(pthread_once(&blocks_once, make_key) == 0);
	blocks = mem_new(sizeof(*blocks));
	CHECK(pthread_setspecific(blocks_key, blocks) == 0);
	return blocks;
}

static size_t
list_of(size_t size)
{
	return (size + STEP - 1) / STEP;
}

/* The next of its size; NULL: it has to come from malloc. */
static void *
take(size_t size)
{
	size_t i = list_of(size);
	struct blocks *b = blocks;

	if (i >= LISTS || b == NULL || b->lists[i].first == NULL)
		return NULL;
	return pop(b, i);
}

/* One that came from malloc. */
static void *
count_taken(void *p, size_t size)
{
	size_t i = list_of(size);

	if (p != NULL && i < LISTS && KEPT_MAX > 0)
		mine()->lists[i].taken++;
	return p;
}

void *
hot_new(size_t size)
{
	void *p = take(size);

	if (p == NULL)
		return count_taken(mem_new(list_of(size) * STEP), size);
	memset(p, 0, size);
	return p;
}

/* Would it wait for somebody, and is there room? */
static bool
is_kept(const struct blocks *b, size_t i)
{
	return b->lists[i].count < b->lists[i].taken &&
	       b->kept + i * STEP <= KEPT_MAX;
}

void
hot_free(void *p_address, size_t size)
{
	size_t i = list_of(size);
	struct blocks *b = blocks;
	struct block *p;

	memcpy(&p, p_address, sizeof(p));
	memset(p_address, 0, sizeof(p));
	if (p == NULL)
		return;
	if (i >= LISTS || b == NULL) {
		free(p);
		return;
	}
	if (!is_kept(b, i)) {
		if (b->lists[i].count < b->lists[i].taken)
			b->lists[i].taken--;
		free(p);
		return;
	}
	p->next = b->lists[i].first;
	b->lists[i].first = p;
	b->lists[i].count++;
	b->kept += i * STEP;
}

void *
hot_try(size_t size)
{
	void *p = take(size);

	if (p == NULL)
		return count_taken(mem_try(list_of(size) * STEP), size);
	if (mem_must_fail())
		hot_free(&p, size);
	return p;
}

void
hot_give_back(void)
{
	if (blocks != NULL)
		give_back(blocks);
}
