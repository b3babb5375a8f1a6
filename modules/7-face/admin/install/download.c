/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download — read a piece, write it, wait until it is taken.
 */
#define LOG_MODULE "admin"

#include "download.h"
#include "inside.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { DOWNLOAD_MAGIC = 0x646f776e, JOBS_QUEUE = 2 * DOWNLOADS_MAX };

struct downloads {
	struct loop *loop;
	struct jobs *jobs;
	struct list all;
	size_t count;
};

struct download {
	uint32_t magic;
	struct list link;
	struct downloads *owner; /* NULL once that is freed */
	struct http_exchange *x; /* NULL once it is over */
	struct addr from;
	struct timer stall, whole;
	int fd;
	off_t at;
	bool is_reading; /* a job has it */
	enum err read_err;
	size_t len;
	uint8_t piece[DOWNLOAD_PIECE];
};

static void read_more(struct download *d);

/* With the job's end, if there is one: until then it counts, so that there is
 * room for the jobs of all. */
static void
release(struct download *d)
{
	if (d->is_reading)
		return;
	if (d->owner != NULL) {
		list_remove(&d->link);
		d->owner->count--;
	}
	(void)close(d->fd); /* it was only read */
	d->magic = 0;
	mem_free(&d);
}

/* Nobody waits for it any more. */
static void
finish(struct download *d)
{
	d->x = NULL;
	timer_clear(&d->stall);
	timer_clear(&d->whole);
	release(d);
}

static void
on_gone(void *arg)
{
	struct download *d;

	OBJ(d, arg, DOWNLOAD_MAGIC);
	finish(d);
}

/* A client that hears no end knows that it was cut. */
static void
cut(struct download *d, const char *why)
{
	char text[ADDR_TEXT_MAX];

	log_warn("download is cut", "peer=%s bytes=%lld why=\"%s\"",
	    addr_format(&d->from, text), (long long)d->at, why);
	stream_close(http_exchange_stream(d->x), ERR_TIMEOUT); /* on_gone */
}

static void
on_stall(void *arg)
{
	struct download *d;

	OBJ(d, arg, DOWNLOAD_MAGIC);
	cut(d, "the client takes nothing, or takes too long");
}

static void
on_drained(void *arg)
{
	struct download *d;

	OBJ(d, arg, DOWNLOAD_MAGIC);
	if (d->x != NULL && !d->is_reading)
		read_more(d);
}

static void
on_end(struct download *d)
{
	struct http_exchange *x = d->x;

	http_exchange_on_gone(x, NULL, NULL);
	finish(d);
	http_exchange_end(x);
}

/* --- the job --- */

static void
work(void *arg)
{
	struct download *d = arg;
	ssize_t n;

	do
		n = pread(d->fd, d->piece, sizeof(d->piece), d->at);
	while (n < 0 && errno == EINTR);
	d->read_err = n < 0 ? err_from_errno(errno) : OK;
	d->len = n < 0 ? 0 : (size_t)n;
}

static void
on_read(void *arg)
{
	struct download *d;
	enum err e;

	OBJ(d, arg, DOWNLOAD_MAGIC);
	d->is_reading = false;
	if (d->x == NULL) {
		release(d);
		return;
	}
	if (d->read_err != OK) {
		cut(d, err_text(d->read_err));
		return;
	}
	if (d->len == 0) {
		on_end(d);
		return;
	}
	d->at += (off_t)d->len;
	e = http_exchange_write(d->x, slice_of(d->piece, d->len));
	if (e == OK)
		read_more(d); /* ERR_CLOSED: on_gone comes */
}

static void
read_more(struct download *d)
{
	timer_set(&d->stall, DOWNLOAD_STALL_US);
	d->is_reading = true;
	/* Each download has one job at a time, so there is room. */
	CHECK(jobs_submit(d->owner->jobs, d->owner->loop, work, on_read, d) ==
	      OK);
}

/* --- for the installer --- */

struct downloads *
downloads_new(struct loop *loop)
{
	struct downloads *d = mem_new(sizeof(*d));

	d->loop = loop;
	d->jobs = jobs_new(/* threads */ 1, JOBS_QUEUE);
	list_init(&d->all);
	return d;
}

void
downloads_free(struct downloads **dp)
{
	struct downloads *d = TAKE(*dp);
	struct download *it;

	if (d == NULL)
		return;
	jobs_free(&d->jobs); /* what is read now is posted, and then let go */
	while ((it = LIST_FIRST(&d->all, struct download, link)) != NULL) {
		list_remove(&it->link);
		it->owner = NULL;
		if (it->x != NULL)
			on_end(it);
	}
	mem_free(&d);
}

enum err
downloads_may(const struct downloads *d, const struct addr *from)
{
	size_t same = 0;

	LIST_EACH (&d->all, it)
		same += admin_is_near(
		    &CONTAINER(it, struct download, link)->from, from);
	return d->count >= DOWNLOADS_MAX || same >= DOWNLOADS_PER_ADDR
		   ? ERR_BUSY
		   : OK;
}

void
downloads_start(struct downloads *owner, struct http_exchange *x, int fd,
    const struct addr *from)
{
	struct download *d = mem_new(sizeof(*d));

	d->magic = DOWNLOAD_MAGIC;
	d->owner = owner;
	d->x = x;
	d->fd = fd;
	d->from = *from;
	timer_init(&d->stall, owner->loop, on_stall, d);
	timer_init(&d->whole, owner->loop, on_stall, d);
	list_push_back(&owner->all, &d->link);
	owner->count++;
	http_exchange_on_gone(x, on_gone, d);
	http_exchange_begin(
	    x, 200, S("application/octet-stream"), on_drained, d);
	timer_set(&d->whole, DOWNLOAD_WHOLE_US);
	read_more(d);
}

struct jobs *
downloads_jobs(struct downloads *d)
{
	return d->jobs;
}
