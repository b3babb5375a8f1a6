/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2_memory — where nghttp2 has its memory from.
 *
 * A session has room for frames only while it makes some, at the end of a turn
 * (our patch of it). That room goes from session to session of one thread.
 */
#include <pthread.h>
#include <stdlib.h>

#include "h2_session.h"

/* The smallest largest frame, its head, and one byte for padding. */
enum { ROOM_BYTES = (16 << 10) + 9 + 1 };

static pthread_key_t room_key;
static pthread_once_t room_once = PTHREAD_ONCE_INIT;

static void
make_key(void)
{
	CHECK(pthread_key_create(&room_key, free) == 0);
}

static void *
take_room(void)
{
	void *room;

	CHECK(pthread_once(&room_once, make_key) == 0);
	room = pthread_getspecific(room_key);
	if (room != NULL)
		CHECK(pthread_setspecific(room_key, NULL) == 0);
	return room;
}

static void
leave_room(void *room)
{
	if (pthread_getspecific(room_key) == NULL)
		CHECK(pthread_setspecific(room_key, room) == 0);
	else
		free(room);
}

/*
 * In front of each block, since nghttp2 does not say how large it was. Nothing
 * of it asks for a stricter alignment than numbers of 64 bits do.
 */
struct block {
	uint64_t size;
};

static void *
block_new(size_t size)
{
	struct block *b = hot_try(sizeof(*b) + size);

	if (b == NULL)
		return NULL;
	b->size = size;
	return b + 1;
}

static struct block *
block_of(void *p)
{
	return (struct block *)p - 1;
}

/* Other things may be as large: then they have what would be the room. */
static void *
on_malloc(size_t size, void *arg)
{
	struct http2 *c = arg;

	if (size != ROOM_BYTES || c->room != NULL)
		return block_new(size);
	c->room = take_room();
	if (c->room == NULL)
		c->room = malloc(size);
	return c->room;
}

static void
on_free(void *p, void *arg)
{
	struct http2 *c = arg;
	struct block *b;

	if (p == NULL)
		return;
	if (p == c->room) {
		leave_room(TAKE(c->room));
		return;
	}
	b = block_of(p);
	hot_free(&b, sizeof(*b) + b->size);
}

static void *
on_calloc(size_t count, size_t size, void *arg)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	p = on_malloc(bytes, arg);
	if (p != NULL)
		memset(p, 0, bytes);
	return p;
}

static void *
on_realloc(void *old, size_t size, void *arg)
{
	const struct http2 *c = arg;
	void *p;

	if (old == NULL)
		return on_malloc(size, arg);
	p = block_new(size);
	if (p == NULL)
		return NULL;
	memcpy(p, old,
	    MIN(size, old == c->room ? ROOM_BYTES : block_of(old)->size));
	on_free(old, arg);
	return p;
}

nghttp2_mem
h2_memory(struct http2 *c)
{
	return (nghttp2_mem){c, on_malloc, on_free, on_calloc, on_realloc};
}
