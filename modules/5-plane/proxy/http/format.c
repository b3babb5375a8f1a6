/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — values of headers that each request makes anew.
 */
#include "http/format.h"

/* What the record has at its end only, as it is now. */
static void
fill(struct request *r, const struct http_head *answer)
{
	struct flow_record *f = &r->record;

	f->duration_us = loop_now_us(r->worker->loop) - r->began_us;
	f->attempts = MAX(r->attempts, 1); /* that under way, too */
	f->status = answer != NULL ? answer->status : 0;
	f->heads.answer = answer;
}

static enum err
make(struct request *r, const struct view_format_part *p, struct slice *out)
{
	struct format_value v;

	format_value(p, &r->record, &v);
	*out = v.text;
	return v.text.ptr == v.room ? arena_copy(&r->arena, v.text, out) : OK;
}

enum err
format_make(const struct view_format *f, struct request *r,
    const struct http_head *h, struct slice *out)
{
	const void *before = r->record.heads.answer;
	struct slice *texts =
	    arena_alloc_array(&r->arena, 2 * f->count, sizeof(*texts));
	struct slice all;
	enum err e = OK;

	if (texts == NULL)
		return ERR_LIMIT;
	fill(r, h == r->head ? NULL : h);
	for (size_t i = 0; e == OK && i < f->count; i++) {
		texts[2 * i] = f->parts[i].text;
		e = make(r, &f->parts[i], &texts[2 * i + 1]);
	}
	r->record.heads.answer = before;
	all = e == OK ? arena_join(&r->arena, texts, 2 * f->count) : SLICE_NONE;
	if (all.ptr == NULL)
		return ERR_LIMIT;
	*out = slice_trim(all);
	return OK;
}
