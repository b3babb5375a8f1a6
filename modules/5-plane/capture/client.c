/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — the agent's end of the helper: asks, and is answered in order.
 */
#define LOG_MODULE "capture"

#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CAPTURE_MAGIC = 0x63617074 };

/* What is not answered yet. */
struct asked {
	struct list link;
	capture_cb done;
	void *arg;
};

struct capture {
	uint32_t magic;
	struct loop *loop;
	int fd; /* -1: the helper is gone */
	struct loop_io io;
	struct list asked;
	struct loop_later lost;
	void (*on_lost)(void *arg);
	void *arg;
	struct helper_reply reply; /* the one that is being read */
};

static struct capture *
capture_of(void *arg)
{
	struct capture *c;

	OBJ(c, arg, CAPTURE_MAGIC);
	return c;
}

/* --- its end -------------------------------------------------------------- */

static void
hang_up(struct capture *c)
{
	if (c->fd < 0)
		return;
	loop_io_close(&c->io);
	(void)close(c->fd);
	c->fd = -1;
}

static void
answer_first(struct capture *c, const struct capture_report *r)
{
	struct asked *a = CONTAINER(c->asked.next, struct asked, link);
	capture_cb done = a->done;
	void *arg = a->arg;

	list_remove(&a->link);
	mem_free(&a);
	done(arg, r);
}

/* Whoever asked is told, and so is the owner. */
static void
on_gone(void *arg)
{
	struct capture *c = capture_of(arg);
	struct capture_report r = {.e = ERR_CLOSED};

	(void)fault_set(&r.why, ERR_CLOSED,
	    "the helper that captures is gone; it comes again when the agent "
	    "starts again");
	while (!list_empty(&c->asked))
		answer_first(c, &r);
	if (c->on_lost != NULL) {
		void (*lost)(void *arg) = c->on_lost;

		c->on_lost = NULL; /* once */
		lost(c->arg);
	}
}

static void
lose(struct capture *c)
{
	hang_up(c);
	loop_later(c->loop, &c->lost);
}

/* --- answers -------------------------------------------------------------- */

static bool
is_reply(const struct helper_reply *r, size_t len)
{
	return len >= offsetof(struct helper_reply, counts) &&
	       r->count <= CAPTURE_RULES_MAX && len == helper_reply_len(r) &&
	       r->e < ERR_COUNT && memchr(r->why, 0, sizeof(r->why)) != NULL;
}

static void
take_reply(struct capture *c)
{
	const struct helper_reply *r = &c->reply;
	struct capture_report out = {.e = (enum err)r->e,
	    .loaded = r->loaded != 0,
	    .counts = r->counts,
	    .count = r->count};

	if (out.e != OK)
		(void)fault_set(&out.why, out.e, "%s", r->why);
	answer_first(c, &out);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct capture *c = capture_of(arg);
	ssize_t n;

	(void)readable; /* read until there is no more */
	(void)writable; /* what is asked always fits */
	while (c->fd >= 0) {
		n = recv(c->fd, &c->reply, sizeof(c->reply), MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0 || list_empty(&c->asked) ||
		    !is_reply(&c->reply, (size_t)n)) {
			lose(c);
			return;
		}
		take_reply(c);
	}
}

/* --- questions ------------------------------------------------------------ */

static void
ask(struct capture *c, enum helper_verb verb, const struct capture_wish *w,
    capture_cb done, void *arg)
{
	AUTO(mem_free) struct helper_request *q = mem_new(sizeof(*q));
	struct asked *a = mem_new(sizeof(*a));

	a->done = done;
	a->arg = arg;
	list_push_back(&c->asked, &a->link);
	q->verb = verb;
	if (w != NULL)
		q->wish = *w;
	if (c->fd < 0 || send(c->fd, q, sizeof(*q), MSG_NOSIGNAL) < 0)
		lose(c);
}

void
capture_on(
    struct capture *c, const struct capture_wish *w, capture_cb done, void *arg)
{
	ask(c, HELPER_ON, w, done, arg);
}

void
capture_off(struct capture *c, capture_cb done, void *arg)
{
	ask(c, HELPER_OFF, NULL, done, arg);
}

void
capture_rest(struct capture *c, capture_cb done, void *arg)
{
	ask(c, HELPER_REST, NULL, done, arg);
}

void
capture_read(struct capture *c, capture_cb done, void *arg)
{
	ask(c, HELPER_READ, NULL, done, arg);
}

struct capture *
capture_new(struct loop *loop, int fd, void (*on_lost)(void *arg), void *arg)
{
	struct capture *c = mem_new(sizeof(*c));

	c->magic = CAPTURE_MAGIC;
	c->loop = loop;
	c->fd = fd;
	c->on_lost = on_lost;
	c->arg = arg;
	list_init(&c->asked);
	loop_later_init(&c->lost, on_gone, c);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
	    loop_io_open(&c->io, loop, fd, on_ready, c) != OK)
		lose(c);
	return c;
}

void
capture_free(struct capture **cp)
{
	struct capture *c = *cp;

	if (c == NULL)
		return;
	hang_up(c);
	loop_later_cancel(&c->lost);
	LIST_EACH (&c->asked, it) {
		struct asked *a = CONTAINER(it, struct asked, link);

		list_remove(it);
		mem_free(&a);
	}
	c->magic = 0;
	mem_free(cp);
}
