/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notice — tells that something in a folder may have changed.
 */
#include "base/base.h"

#include "notice.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { NOTICE_MAGIC = 0x6e6f7469, NONE = -1, EVENT_BYTES = 16 << 10 };

/* Reading is no change; a file is looked at when its writer closes it. */
enum {
	INSIDE = IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM |
		 IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF,
	AROUND = IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE
};

struct notice {
	uint32_t magic;
	char *path;
	char *parent;
	int fd; /* NONE: the kernel gives none */
	int inside;
	int around;
	struct loop_io io;
	void (*on_change)(void *arg);
	void *arg;
};

/* What happened does not matter, not even that some of it was lost. */
static void
on_ready(void *arg, bool readable, bool writable)
{
	struct notice *n;
	char events[EVENT_BYTES];
	bool any = false;

	(void)readable; /* it is never written to */
	(void)writable;
	OBJ(n, arg, NOTICE_MAGIC);
	for (;;) {
		ssize_t got = read(n->fd, events, sizeof(events));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		any = true;
	}
	if (any)
		n->on_change(n->arg);
}

/* "." for a plain name; a slash at the end is not part of it. */
static char *
parent_of(const char *path)
{
	struct slice s = slice_str(path);
	size_t at;

	while (s.len > 1 && s.ptr[s.len - 1] == '/')
		s.len--;
	at = slice_rfind(s, '/');
	if (at >= s.len)
		return mem_strndup(".", 1);
	return mem_strndup(path, MAX(at, 1));
}

struct notice *
notice_open(
    struct loop *l, const char *path, void (*on_change)(void *arg), void *arg)
{
	struct notice *n = mem_new(sizeof(*n));

	n->magic = NOTICE_MAGIC;
	n->path = mem_strndup(path, strlen(path));
	n->parent = parent_of(path);
	n->inside = n->around = NONE;
	n->on_change = on_change;
	n->arg = arg;
	n->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (n->fd >= 0 && loop_io_open(&n->io, l, n->fd, on_ready, n) != OK) {
		(void)close(n->fd); /* nothing was told by it yet */
		n->fd = NONE;
	}
	return n;
}

void
notice_close(struct notice **np)
{
	struct notice *n = TAKE(*np);

	if (n == NULL)
		return;
	loop_io_close(&n->io);
	if (n->fd >= 0)
		(void)close(n->fd); /* its watches go with it */
	n->magic = 0;
	mem_free(&n->path);
	mem_free(&n->parent);
	mem_free(&n);
}

static void
renew(struct notice *n, const char *path, uint32_t mask, int *watch)
{
	int fresh = inotify_add_watch(n->fd, path, mask | IN_ONLYDIR);

	/* The one before is of what was there before, or gone with it. */
	if (*watch != NONE && *watch != fresh)
		(void)inotify_rm_watch(n->fd, *watch);
	*watch = fresh < 0 ? NONE : fresh;
}

void
notice_renew(struct notice *n)
{
	if (n->fd < 0)
		return;
	renew(n, n->parent, AROUND, &n->around);
	renew(n, n->path, INSIDE, &n->inside);
}

bool
notice_is_blind(const struct notice *n)
{
	return n->inside == NONE && n->around == NONE;
}
