/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop — one thread's events, timers and deferred work; workers; jobs; names.
 *
 * A turn: wait for descriptors and due timers, call their owners, run what was
 * posted from other threads, then the end of the turn: laters, then flushes.
 * A function here is for the loop's own thread unless it says "any thread".
 */
#ifndef MESHD_LOOP_H
#define MESHD_LOOP_H

#include "base/base.h"

struct loop; /* opaque */

/* `clock` is kept and must outlive the loop; NULL is the machine's. */
struct loop *loop_new(const struct clock *clock);

/*
 * Settles what is still posted or arranged, then frees. Descriptors and timers
 * must be closed by then; open look-ups are cancelled without a call.
 */
void loop_free(struct loop **lp);

/* Turns until loop_stop(). The calling thread is the loop's from now on. */
void loop_run(struct loop *l);

/*
 * One turn that waits at most wait_us for something to happen. For tests: with
 * a fake clock move the clock, then call this; a fake clock wakes nobody.
 */
void loop_turn(struct loop *l, uint64_t wait_us);

/* Turns without waiting until nothing is posted or arranged any more. */
void loop_settle(struct loop *l);

/* Any thread. The turn that runs is finished; a stop before the run counts. */
void loop_stop(struct loop *l);

/* Monotonic time, asked once a turn. */
uint64_t loop_now_us(const struct loop *l);

/* Asks the clock again, after long work inside a turn. */
void loop_now_refresh(struct loop *l);

const struct clock *loop_clock(const struct loop *l);

/* True on the thread that runs this loop now. */
bool loop_is_current(const struct loop *l);

/* The loop of the calling thread, while it runs; else NULL. */
struct loop *loop_current(void);

/* --- from other threads --- */

/* Any thread. fn(arg) runs on the loop's thread, in the order of posting. */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* --- the end of the turn --- */

/* Embedded in its object; zeroed or initialised it is idle. */
struct loop_later {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

void loop_later_init(struct loop_later *d, void (*fn)(void *arg), void *arg);

/*
 * fn(arg) once, at the end of this turn; no effect if that is arranged
 * already. What is arranged while laters run comes at the end of the next
 * turn, which then does not wait. This is where objects free themselves.
 */
void loop_later(struct loop *l, struct loop_later *d);

/*
 * The same after all laters of the turn, until none is left: here what the
 * turn collected is written. A flush must not arrange itself again.
 */
void loop_later_flush(struct loop *l, struct loop_later *d);

/* Harmless when idle. */
void loop_later_cancel(struct loop_later *d);
bool loop_later_is_set(const struct loop_later *d);

/* Called at every turn's end, behind the flushes, until removed. */
struct loop_hook {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

void loop_hook_add(
    struct loop *l, struct loop_hook *h, void (*fn)(void *arg), void *arg);
/*
 * Called once, by loop_free() before anything else: for what nobody owns any
 * more and only waits for its end.
 */
void loop_hook_add_end(
    struct loop *l, struct loop_hook *h, void (*fn)(void *arg), void *arg);
void loop_hook_remove(struct loop_hook *h);

/* --- timers --- */

enum { TIMER_TICK_US = 1000 };

/* Embedded in its object; set and clear cost the same at any number. */
struct timer {
	struct list link;
	uint64_t due; /* tick */
	void (*fn)(void *arg);
	void *arg;
	struct loop *loop;
};

void timer_init(
    struct timer *t, struct loop *l, void (*fn)(void *arg), void *arg);

/*
 * fn(arg) once, not before `delay_us` from loop_now_us(), rounded up to a tick.
 * Set again, it moves. Inside fn the timer is idle and may be set again.
 */
void timer_set(struct timer *t, uint64_t delay_us);

/* Harmless when idle, and for a zeroed timer. */
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);

/* --- descriptors and signals --- */

struct event; /* the library's, never looked into */

/*
 * One descriptor, registered once, edge-triggered in both directions: after a
 * call for "readable" the owner reads until EAGAIN or a short read, or
 * remembers that it did not.
 */
struct loop_io {
	struct event *event;
	/*
	 * Set before on_ready when the other end will send no more: then a
	 * short read is not the end of the data, for no further edge comes.
	 */
	bool ended;
	void (*on_ready)(void *arg, bool readable, bool writable);
	void *arg;
};

MUST_USE enum err loop_io_open(struct loop_io *io, struct loop *l, int fd,
    void (*on_ready)(void *arg, bool readable, bool writable), void *arg);

/* Before close(fd), which is the owner's. No call comes after. Harmless twice.
 */
void loop_io_close(struct loop_io *io);

struct loop_signal {
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
};

/* On one loop of the process only (the control loop). */
MUST_USE enum err loop_signal_open(struct loop_signal *s, struct loop *l,
    int signum, void (*fn)(void *arg), void *arg);
void loop_signal_close(struct loop_signal *s);

/* --- scratch --- */

enum { LOOP_SCRATCH_LEN = 256 << 10, LOOP_SCRATCH_DEPTH = 4 };

/*
 * Lends LOOP_SCRATCH_LEN bytes until given back, the last lent first and
 * before the calling function returns. Nested loans are different memory. It
 * is as much as one call of the kernel should move: at half of it calls, wakes
 * and acknowledgements cost a tenth more, at twice as much hardly less.
 */
char *loop_scratch_lend(struct loop *l);
void loop_scratch_return(struct loop *l, char *mem);

/* --- workers: the loops of the data plane --- */

struct workers; /* opaque */

enum { WORKERS_MAX = 64 };

struct workers_spec {
	unsigned count;            /* 1 to WORKERS_MAX */
	const struct clock *clock; /* NULL is the machine's */
	/*
	 * On the worker's thread: before its first turn; and after the run,
	 * when no worker runs any more: closes what is open, then the loop
	 * settles. Either may be NULL.
	 */
	void (*on_start)(struct loop *l, unsigned index, void *arg);
	void (*on_stop)(struct loop *l, unsigned index, void *arg);
	void *arg;
};

/* Starts the threads and returns when every on_start has returned. */
struct workers *workers_new(const struct workers_spec *spec);

/* Stops all, runs what is still posted to them, joins. Not from a worker. */
void workers_free(struct workers **wp);

unsigned workers_count(const struct workers *w);
struct loop *workers_loop(const struct workers *w, unsigned index);

/* Any thread. fn(arg) on one worker. */
void workers_post(
    struct workers *w, unsigned index, void (*fn)(void *arg), void *arg);

/*
 * Any thread. each(loop, index, arg) on every worker; when all have returned,
 * done(arg) on `back`. done may be NULL. Publishes views: when done comes, the
 * new one is in force everywhere.
 */
void workers_each(struct workers *w,
    void (*each)(struct loop *l, unsigned index, void *arg), struct loop *back,
    void (*done)(void *arg), void *arg);

/* --- jobs: slow work away from the loops --- */

struct jobs; /* opaque */

/* `queue_max` jobs may wait; at least one thread. */
struct jobs *jobs_new(unsigned threads, size_t queue_max);

/* Finishes all that were submitted (their `done` is posted), then joins. */
void jobs_free(struct jobs **jp);

/*
 * Any thread. work(arg) on a thread of the pool, then done(arg) on `back`,
 * which must outlive the pool. ERR_BUSY when the queue is full.
 */
MUST_USE enum err jobs_submit(struct jobs *j, struct loop *back,
    void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* --- names --- */

enum {
	LOOP_RESOLVE_ADDRS_MAX = 32,    /* of one name; more are dropped */
	LOOP_RESOLVE_PENDING_MAX = 256, /* look-ups of one loop at a time */
	LOOP_RESOLVE_TTL_STATIC = 60    /* s, for literals and the hosts file */
};

struct loop_resolve; /* one look-up; opaque */

/* `addrs` is borrowed, without ports; on failure count is 0. */
typedef void (*loop_resolve_cb)(void *arg, enum err e, const struct addr *addrs,
    size_t count, uint32_t ttl_s);

/*
 * Looks up an IP literal, the hosts file, then the name servers of
 * resolv.conf. ADDR_NONE asks for both families; IPv4 comes first. The
 * call-back comes once, never before this returns, unless it is cancelled:
 * ERR_NOT_FOUND (no such name or no address), ERR_TIMEOUT, ERR_UNREACHABLE (no
 * name server answers), ERR_PROTOCOL (its answer is of no use), ERR_INVALID
 * (not a name). A family that is silent while the other has addresses is left
 * out after a second. NULL when LOOP_RESOLVE_PENDING_MAX are open.
 */
struct loop_resolve *loop_resolve(struct loop *l, struct slice name,
    enum addr_family family, loop_resolve_cb cb, void *arg) MUST_USE;

/* No call comes after; *rp becomes NULL. Not after the call-back. */
void loop_resolve_cancel(struct loop_resolve **rp);

/*
 * Reads these files instead of /etc/resolv.conf and /etc/hosts, from now on;
 * NULL leaves one as it is. Also re-reads name servers (SIGHUP).
 */
void loop_resolve_setup(
    struct loop *l, const char *resolv_conf, const char *hosts);

/*
 * Sockets to name servers, of any loop, that are made from now on bear this
 * mark (SO_MARK); 0: none. Any thread. The caller has the right to.
 */
void loop_resolve_mark(uint32_t mark);

#endif
