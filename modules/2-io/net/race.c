/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race — a connection to a peer of several addresses; see race.h.
 *
 *	attempt 1 ──────────────── swallowed ──────────► closed with the race
 *	   250 ms ─► attempt 2 ── refused ─┐
 *	                                   └─► attempt 3 ── stands ─► the result
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "race.h"
#include "socket.h"

enum { AGAIN_US = 1000 /* until there is a transparent socket, perhaps */ };

struct attempt {
	struct race *race;
	struct loop_io io;
	int fd; /* -1: not under way */
};

struct race {
	struct loop *loop;
	struct net_connect_spec spec;
	race_cb cb;
	void *arg;
	struct addr *addrs; /* in the order of the attempts */
	struct attempt *attempts;
	size_t count;
	size_t next; /* to be tried */
	size_t under_way;
	struct timer step;
	struct timer deadline;
	struct loop_later end;
	enum err result; /* once the end is arranged */
	int fd;          /* that stands; -1: none */
};

/* --- the end -------------------------------------------------------------- */

static void
stop(struct attempt *a)
{
	if (a->fd < 0)
		return;
	loop_io_close(&a->io);
	close(a->fd);
	a->fd = -1;
	a->race->under_way--;
}

static void
race_free(struct race **rp)
{
	struct race *r = *rp;

	for (size_t i = 0; i < r->next; i++)
		stop(&r->attempts[i]);
	timer_clear(&r->step);
	timer_clear(&r->deadline);
	loop_later_cancel(&r->end);
	if (r->fd >= 0)
		close(r->fd);
	mem_free(&r->addrs);
	mem_free(&r->attempts);
	mem_free(rp);
}

void
race_cancel(struct race **rp)
{
	if (*rp != NULL)
		race_free(rp);
}

static void
on_end(void *arg)
{
	struct race *r = arg;
	race_cb cb = r->cb;
	void *cb_arg = r->arg;
	enum err result = r->result;
	int fd = r->fd;

	r->fd = -1;
	race_free(&r);
	cb(cb_arg, result, fd);
}

static void
finish(struct race *r, enum err result)
{
	r->result = result;
	timer_clear(&r->step);
	timer_clear(&r->deadline);
	loop_later(r->loop, &r->end);
}

static void
on_deadline(void *arg)
{
	finish(arg, ERR_TIMEOUT);
}

/* --- attempts ------------------------------------------------------------- */

static bool
is_over(const struct race *r)
{
	return loop_later_is_set(&r->end);
}

static void
win(struct attempt *a)
{
	struct race *r = a->race;

	loop_io_close(&a->io);
	r->fd = a->fd;
	a->fd = -1;
	r->under_way--;
	finish(r, OK);
}

static void start_next(struct race *r);

static void
lose(struct attempt *a, enum err why)
{
	struct race *r = a->race;

	stop(a);
	r->result = why;
	start_next(r);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct attempt *a = arg;
	int errnum;

	(void)readable; /* an answer may be here already: it is read later */
	if (!writable || is_over(a->race))
		return;
	errnum = socket_error(a->fd);
	if (errnum != 0)
		lose(a, err_from_errno(errnum));
	else
		win(a);
}

/* True if it is under way, or has won at once. */
static bool
begin(struct race *r, size_t i)
{
	struct attempt *a = &r->attempts[i];
	int errnum;

	*a = (struct attempt){.race = r, .fd = -1};
	r->spec.addr = r->addrs[i];
	r->result = socket_make_client(&r->spec, &a->fd);
	if (r->result != OK)
		return false;
	r->under_way++;
	errnum = socket_connect(a->fd, &r->spec);
	if (errnum == 0) {
		win(a);
		return true;
	}
	r->result = errnum == EINPROGRESS
			? loop_io_open(&a->io, r->loop, a->fd, on_ready, a)
			: err_from_errno(errnum);
	if (r->result != OK)
		stop(a);
	return r->result == OK;
}

/* Passes over those that cannot even begin, as those of a missing family. */
static void
start_next(struct race *r)
{
	bool begun = false;

	timer_clear(&r->step);
	while (r->next < r->count && !begun) {
		begun = begin(r, r->next);
		if (!begun && r->result == ERR_AGAIN) {
			timer_set(&r->step, AGAIN_US);
			return;
		}
		r->next++;
	}
	if (is_over(r))
		return;
	if (r->next < r->count)
		timer_set(&r->step, NET_RACE_STEP_MS * UINT64_C(1000));
	else if (r->under_way == 0)
		finish(r, r->result);
}

static void
on_step(void *arg)
{
	start_next(arg);
}

/* --- making one ----------------------------------------------------------- */

/* The first stays the first; then the families take turns (RFC 8305 §4). */
static void
interleave(const struct net_connect_spec *spec, struct addr *out)
{
	size_t at[2] = {0, 0}; /* of its family, of the other one */
	size_t n = 0;
	bool turn = true; /* of another family than the first */

	out[n++] = spec->addr;
	while (n <= spec->other_count) {
		size_t *from = &at[turn];

		while (
		    *from < spec->other_count &&
		    (spec->others[*from].family != spec->addr.family) != turn)
			++*from;
		if (*from < spec->other_count)
			out[n++] = spec->others[(*from)++];
		turn = !turn;
	}
}

struct race *
race_new(struct loop *loop, const struct net_connect_spec *spec, race_cb cb,
    void *arg)
{
	struct race *r = mem_new(sizeof(*r));

	r->loop = loop;
	r->spec = *spec;
	r->spec.others = NULL;
	r->spec.other_count = 0;
	r->cb = cb;
	r->arg = arg;
	r->fd = -1;
	r->count = spec->other_count + 1;
	r->addrs = mem_new_array(r->count, sizeof(*r->addrs));
	r->attempts = mem_new_array(r->count, sizeof(*r->attempts));
	interleave(spec, r->addrs);
	timer_init(&r->step, loop, on_step, r);
	timer_init(&r->deadline, loop, on_deadline, r);
	loop_later_init(&r->end, on_end, r);
	if (spec->timeout_us > 0)
		timer_set(&r->deadline, spec->timeout_us);
	start_next(r);
	return r;
}
