/* SPDX-License-Identifier: Apache-2.0 */
/*
 * saving — files of the state directory that nobody waits for: written in
 * jobs, and again until it is done.
 *
 * A disk is full for a while, or cannot be written. What is to be there is kept
 * meanwhile, each file once, as it should be now. Jobs are done in their order,
 * and what failed is only written again while none is under way, so that an
 * older file never comes after a newer one.
 */
#define LOG_MODULE "node"

#include <stdio.h>

#include "state.h"

enum { SAVING_MAGIC = 0x73617665, AGAIN_US = 5000000 };

struct saving {
	uint32_t magic;
	unsigned refs; /* the state's, and each job's: they may outlive it */
	struct jobs *jobs; /* NULL: it is closed */
	struct loop *loop;
	struct list failed; /* of struct save */
	struct timer again;
	unsigned under_way;
	struct fault trouble; /* empty: all is written, or under way */
};

struct save {
	struct list link; /* in failed */
	struct saving *of;
	char path[STATE_PATH_MAX];
	struct buf bytes;
	enum err err;
	struct fault why;
};

static void
save_free(struct save *w)
{
	list_remove(&w->link);
	buf_fini(&w->bytes);
	mem_free(&w);
}

static void
unref(struct saving *s)
{
	if (--s->refs > 0)
		return;
	s->magic = 0;
	mem_free(&s);
}

/* A newer one of the file is here. */
static void
drop(struct saving *s, const char *path)
{
	LIST_EACH (&s->failed, it) {
		struct save *w = CONTAINER(it, struct save, link);

		if (strcmp(w->path, path) == 0) {
			save_free(w);
			return;
		}
	}
}

static void
keep(struct saving *s, struct save *w)
{
	if (s->trouble.text[0] == '\0')
		log_error("state was not saved; it is tried again",
		    "path=\"%s\" why=\"%s\"", w->path, w->why.text);
	s->trouble = w->why;
	drop(s, w->path);
	list_push_back(&s->failed, &w->link);
	if (!timer_is_set(&s->again))
		timer_set(&s->again, AGAIN_US);
}

static void
work(void *arg)
{
	struct save *w = arg;

	w->err = file_replace(w->path, buf_slice(&w->bytes), 0600, &w->why);
}

static void
settle(struct saving *s, struct save *w)
{
	if (w->err != OK) {
		keep(s, w);
		return;
	}
	drop(s, w->path);
	if (s->trouble.text[0] != '\0' && list_empty(&s->failed) &&
	    s->under_way == 0) {
		log_info("all state is saved", "last=\"%s\"", w->path);
		s->trouble = (struct fault){0};
	}
	save_free(w);
}

static void
done(void *arg)
{
	struct save *w = arg;
	struct saving *s;

	OBJ(s, w->of, SAVING_MAGIC);
	s->under_way--;
	if (s->jobs != NULL) {
		settle(s, w);
	} else {
		if (w->err != OK)
			log_error("state was not saved",
			    "path=\"%s\" why=\"%s\"", w->path, w->why.text);
		save_free(w);
	}
	unref(s);
}

static void
submit(struct saving *s, struct save *w)
{
	s->under_way++;
	s->refs++;
	if (jobs_submit(s->jobs, s->loop, work, done, w) == OK)
		return;
	work(w); /* the queue is full: a slow disk may be felt */
	done(w);
}

static void
on_again(void *arg)
{
	struct saving *s;
	struct list now;

	OBJ(s, arg, SAVING_MAGIC);
	if (s->under_way > 0) {
		timer_set(&s->again, AGAIN_US);
		return;
	}
	list_init(&now);
	while (!list_empty(&s->failed)) {
		struct list *it = s->failed.next;

		list_remove(it);
		list_push_back(&now, it);
	}
	while (!list_empty(&now)) {
		struct save *w = CONTAINER(now.next, struct save, link);

		list_remove(&w->link);
		submit(s, w);
	}
}

static struct save *
save_new(const struct state *s, const char *file, struct buf *bytes)
{
	struct save *w = mem_new(sizeof(*w));

	list_init(&w->link);
	w->of = s->saving;
	w->bytes = *bytes;
	*bytes = (struct buf){.limit = bytes->limit, .secret = bytes->secret};
	/* Names of files are short, and the folder's fits: state_open(). */
	CHECK(state_path(s, file, w->path) == OK);
	return w;
}

void
state_write_later(const struct state *s, const char *file, struct buf *bytes)
{
	struct save *w = save_new(s, file, bytes);

	drop(s->saving, w->path);
	submit(s->saving, w);
}

struct slice
state_trouble(const struct state *s)
{
	return s->saving != NULL ? slice_str(s->saving->trouble.text)
				 : SLICE_NONE;
}

void
state_save_with(struct state *s, struct jobs *jobs, struct loop *loop)
{
	struct saving *v = mem_new(sizeof(*v));

	v->magic = SAVING_MAGIC;
	v->refs = 1;
	v->jobs = jobs;
	v->loop = loop;
	list_init(&v->failed);
	timer_init(&v->again, loop, on_again, v);
	s->saving = v;
}

void
state_save_no_more(struct state *s)
{
	struct saving *v = s->saving;

	if (v == NULL)
		return;
	timer_clear(&v->again);
	while (!list_empty(&v->failed))
		save_free(CONTAINER(v->failed.next, struct save, link));
	v->jobs = NULL;
	s->saving = NULL;
	unref(v);
}
