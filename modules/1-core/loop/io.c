/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io — descriptors and signals on a loop's library base.
 *
 * A descriptor is one edge-triggered registration for its whole life: no
 * epoll_ctl but at its beginning and its end.
 */
#include <event2/event.h>

#include "inside.h"

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	(void)fd;
	loop_begin(loop_current());
	if (what & EV_CLOSED)
		io->ended = true;
	io->on_ready(io->arg, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

static void
on_signal(evutil_socket_t signum, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)signum;
	(void)what;
	loop_begin(loop_current());
	s->fn(s->arg);
}

/* NULL if the kernel or the memory refuses. */
static struct event *
register_event(
    struct loop *l, int fd, short what, event_callback_fn fn, void *arg)
{
	struct event *event = event_new(l->base, fd, what, fn, arg);

	if (event != NULL && event_add(event, NULL) != 0) {
		event_free(event);
		event = NULL;
	}
	return event;
}

enum err
loop_io_open(struct loop_io *io, struct loop *l, int fd,
    void (*on_ready)(void *arg, bool readable, bool writable), void *arg)
{
	io->on_ready = on_ready;
	io->arg = arg;
	io->ended = false;
	io->event = register_event(l, fd,
	    EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_io, io);
	return io->event != NULL ? OK : ERR_IO;
}

void
loop_io_close(struct loop_io *io)
{
	if (io->event == NULL)
		return;
	event_free(io->event);
	io->event = NULL;
}

enum err
loop_signal_open(struct loop_signal *s, struct loop *l, int signum,
    void (*fn)(void *arg), void *arg)
{
	s->fn = fn;
	s->arg = arg;
	s->event =
	    register_event(l, signum, EV_SIGNAL | EV_PERSIST, on_signal, s);
	return s->event != NULL ? OK : ERR_IO;
}

void
loop_signal_close(struct loop_signal *s)
{
	if (s->event == NULL)
		return;
	event_free(s->event);
	s->event = NULL;
}
