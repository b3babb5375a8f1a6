/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener — accepts in batches, and waits when descriptors run out.
 *
 *	ASKING --socket--> LISTENING <--resume, time-- WAITING
 *	 |  ^                  `------- pause, EMFILE ----^
 *	 |  `--NET_RETRY_MS--.
 *	 `--taken (if the owner waits for it)
 *
 * Edge-triggered like all else: whoever stops before EAGAIN must come back by
 * itself, so a stop always leaves a later, a timer or a pause behind.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "socket.h"

enum { BACKOFF_FIRST_US = 10000, BACKOFF_MAX_US = 1000000 };

struct net_listener {
	struct loop *loop;
	struct net_factory *factory;
	struct net_socket_spec spec; /* borrows the two */
	char *name;
	char *path;
	const struct net_listener_events *events;
	void *arg;
	struct net_socket_request *request; /* while asking */
	int fd;
	struct loop_io io;
	bool ready; /* there may be more in the backlog */
	bool paused;
	bool closing;
	enum err why;
	struct fault words;
	uint64_t backoff_us;
	uint64_t told_us; /* of the shortage; 0: never */
	struct timer backoff;
	struct timer retry;      /* to open at all */
	struct loop_later again; /* the batch was not all */
	struct loop_later gone;
};

static struct slice
keep(struct slice s, char **out)
{
	*out = mem_strndup(s.len > 0 ? s.ptr : "", s.len);
	return slice_of(*out, s.len);
}

static void
close_with(struct net_listener *n, enum err why)
{
	if (n->closing)
		return;
	n->closing = true;
	n->why = why;
	net_socket_cancel(&n->request);
	timer_clear(&n->backoff);
	timer_clear(&n->retry);
	loop_later_cancel(&n->again);
	loop_io_close(&n->io);
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	loop_later(n->loop, &n->gone);
}

static void
on_gone(void *arg)
{
	struct net_listener *n = arg;
	bool has_words = n->why != OK && n->words.text[0] != '\0';

	n->events->on_close(n, n->arg, n->why, has_words ? &n->words : NULL);
	mem_free(&n->name);
	mem_free(&n->path);
	mem_free(&n);
}

/* The kernel has no descriptor or memory for another connection. */
static bool
is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOBUFS ||
	       errnum == ENOMEM;
}

static void
tell_shortage(struct net_listener *n, enum err why)
{
	uint64_t now = loop_now_us(n->loop);

	if (n->events->on_short == NULL ||
	    (n->told_us != 0 && now - n->told_us < NET_SHORT_TOLD_US))
		return;
	n->told_us = MAX(now, 1);
	n->events->on_short(n, n->arg, why);
}

static void
back_off(struct net_listener *n)
{
	n->backoff_us = n->backoff_us == 0
			    ? BACKOFF_FIRST_US
			    : MIN(n->backoff_us * 2, (uint64_t)BACKOFF_MAX_US);
	timer_set(&n->backoff, n->backoff_us);
}

static void
take(struct net_listener *n, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct addr peer;

	n->backoff_us = 0;
	if (addr_from_sockaddr(sa, len, &peer) != OK)
		peer = (struct addr){.family = ADDR_NONE};
	n->events->on_accept(n, n->arg, fd, &peer);
}

/* False when there is no more for now. */
static bool
accept_one(struct net_listener *n)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	socklen_t len = sizeof(ss);
	int fd = accept4(n->fd, sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		take(n, fd, sa, len);
		return true;
	}
	if (is_shortage(errno)) {
		tell_shortage(n, err_from_errno(errno));
		if (!n->closing)
			back_off(n);
		return false;
	}
	if (errno == EAGAIN) {
		n->ready = false;
		return false;
	}
	/* A connection that died in the backlog reports its own error. */
	if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) {
		close_with(n, ERR_IO);
		return false;
	}
	return true;
}

static void
accept_batch(struct net_listener *n)
{
	int left = NET_ACCEPT_BATCH;

	while (n->ready && !n->paused && !n->closing) {
		if (left-- == 0) {
			loop_later(n->loop, &n->again);
			return;
		}
		if (!accept_one(n))
			return;
	}
}

static void
on_again(void *arg)
{
	accept_batch(arg);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct net_listener *n = arg;

	(void)writable;
	if (!readable)
		return;
	n->ready = true;
	if (!timer_is_set(&n->backoff))
		accept_batch(n);
}

static void
on_failed(struct net_listener *n, enum err e, const struct fault *why)
{
	bool news = strcmp(n->words.text, why->text) != 0;

	n->words = *why;
	if (n->events->on_wait == NULL) {
		close_with(n, e);
		return;
	}
	timer_set(&n->retry, NET_RETRY_MS * UINT64_C(1000));
	if (news)
		n->events->on_wait(n, n->arg, &n->words);
}

static void
on_socket(void *arg, enum err e, int fd, const struct fault *why)
{
	struct net_listener *n = arg;

	n->request = NULL;
	if (e != OK) {
		on_failed(n, e, why);
		return;
	}
	n->words.text[0] = '\0';
	n->fd = fd;
	if (loop_io_open(&n->io, n->loop, fd, on_ready, n) != OK) {
		close_with(n, ERR_IO);
		return;
	}
	if (n->events->on_open != NULL)
		n->events->on_open(n, n->arg);
}

static void
on_retry(void *arg)
{
	struct net_listener *n = arg;

	n->request =
	    net_socket_open(n->factory, n->loop, &n->spec, on_socket, n);
}

struct net_listener *
net_listener_open(struct net_factory *f, struct loop *loop,
    const struct net_socket_spec *spec,
    const struct net_listener_events *events, void *arg)
{
	struct net_listener *n = mem_new(sizeof(*n));

	CHECK(spec->kind != NET_DATAGRAM);
	n->loop = loop;
	n->factory = f;
	n->spec = *spec;
	n->spec.name = keep(spec->name, &n->name);
	n->spec.path = keep(spec->path, &n->path);
	n->events = events;
	n->arg = arg;
	n->fd = -1;
	timer_init(&n->backoff, loop, on_again, n);
	loop_later_init(&n->again, on_again, n);
	loop_later_init(&n->gone, on_gone, n);
	timer_init(&n->retry, loop, on_retry, n);
	on_retry(n);
	return n;
}

void
net_listener_close(struct net_listener *n)
{
	close_with(n, OK);
}

void
net_listener_pause(struct net_listener *n)
{
	n->paused = true;
}

void
net_listener_resume(struct net_listener *n)
{
	if (!n->paused)
		return;
	n->paused = false;
	if (n->ready && !n->closing)
		loop_later(n->loop, &n->again);
}

struct addr
net_listener_addr(const struct net_listener *n)
{
	return socket_local(n->fd);
}
