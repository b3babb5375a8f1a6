/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_kept — what is captured, on the disk, and again after a restart.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"

#include "captured.h"

#include <unistd.h>

enum {
	RESTORE_US = 5000000,  /* until what failed is tried again */
	FILE_BYTES = 256 << 10 /* of ours */
};

/* --- the disk ------------------------------------------------------------- */

void
captured_keep(struct captured *c)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(buf_fini) struct buf json = BUF(FILE_BYTES);
	struct fault why = {0};
	struct value *v;
	enum err e;

	arena_init(&arena, FILE_BYTES);
	v = node_capture_encode(&c->wish, &arena);
	e = v != NULL ? codec_json_emit_pretty(v, &json) : ERR_NO_MEMORY;
	if (e == OK)
		e = state_write(
		    &c->node->state, STATE_CAPTURE, buf_slice(&json), &why);
	if (e != OK)
		log_error("what is captured was not kept: a restart will not "
			  "know of it",
		    "why=\"%s\"", why.text);
}

void
captured_forget(struct captured *c)
{
	char path[STATE_PATH_MAX];

	if (state_path(&c->node->state, STATE_CAPTURE, path) == OK)
		(void)unlink(path); /* it need not be there */
	timer_clear(&c->restore);
	c->trouble = (struct fault){0};
}

/* --- after a restart ------------------------------------------------------ */

/* Who waits until the agent is ready has waited for this, too. */
static void
end_first(struct captured *c)
{
	if (!c->is_restoring)
		return;
	c->is_restoring = false;
	node_published(c->node);
}

static void
on_restored(void *arg, enum err e, const struct fault *why)
{
	struct captured *c = captured_of(arg);

	end_first(c);
	if (e == OK)
		return;
	if (strcmp(c->trouble.text, why->text) != 0)
		log_error("what was captured is not; it is tried again",
		    "why=\"%s\"", why->text);
	c->trouble = *why;
	c->trouble.code = e;
	timer_set(&c->restore, RESTORE_US);
}

static enum err
read_kept(struct captured *c, struct capture_wish *out, struct fault *why)
{
	AUTO(buf_fini) struct buf json = BUF(FILE_BYTES);
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *v = NULL;
	enum err e = state_read(&c->node->state, STATE_CAPTURE, &json, why);

	if (e != OK)
		return e;
	arena_init(&arena, FILE_BYTES);
	e = codec_json_parse(buf_slice(&json), &arena, &v, why);
	if (e == OK)
		e = node_capture_decode(v, out, why);
	/* A cgroup that is missing: its unit may be started later. */
	return e == ERR_NOT_FOUND ? ERR_BUSY : e;
}

static void
on_cleared(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);

	captured_told(c);
	if (r->e != OK)
		log_error("what an agent before left captured stays so",
		    "why=\"%s\"", r->why.text);
	if (c->stopped)
		return;
	end_first(c);
	wards_go_on(c);
}

/* An agent that was killed may have left a table that was to stay, or what
 * refuses calls to addresses of services. */
static void
clear(struct captured *c)
{
	if (c->helper != NULL)
		captured_load(c, NULL, on_cleared);
	else
		end_first(c);
}

static void
restore(void *arg)
{
	struct captured *c = captured_of(arg);
	struct capture_wish w;
	struct fault why = {0};
	enum err e = read_kept(c, &w, &why);

	if (e == ERR_NOT_FOUND)
		clear(c);
	else if (e != OK)
		on_restored(c, e, &why);
	else
		change_to(c, &w,
		    (struct change){
			.is_restored = true, .done = on_restored, .arg = c});
}

bool
captured_restore(struct node *n)
{
	struct captured *c = n->captured;

	if (!c->looked) {
		c->looked = c->is_restoring = true;
		restore(c);
	}
	return !c->is_restoring;
}

void
kept_open(struct captured *c)
{
	timer_init(&c->restore, c->node->loop, restore, c);
}
