/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture — what is captured on this machine: its parts, and the helper that
 * they tell.
 */
#define LOG_MODULE "node"

#include "captured.h"

#include <unistd.h>

/* --- the helper ----------------------------------------------------------- */

/* What there will be without the change that is on trial. */
static const struct capture_wish *
before_trial(const struct captured *c)
{
	if (c->trial.is_under_way)
		return c->trial.was_on ? &c->trial.before : NULL;
	return c->on ? &c->wish : NULL;
}

static bool
is_on_trial(const struct captured *c)
{
	return c->trial.is_under_way ||
	       (c->change.is_told && c->change.confirm_us > 0);
}

/* A change on trial ends with us, unless what was before it outlives us. */
static bool
may_stay(const struct captured *c)
{
	const struct capture_wish *before = before_trial(c);

	return !is_on_trial(c) ||
	       (before != NULL && (before->how & CAPTURE_CLOSED));
}

bool
captured_outlives(const struct captured *c)
{
	return (c->wish.how & CAPTURE_CLOSED) && may_stay(c);
}

void
captured_load(struct captured *c, const struct capture_wish *w, capture_cb done)
{
	struct capture_wish whole = {0};

	if (w != NULL)
		whole = *w;
	if (!may_stay(c))
		whole.how &= ~(uint32_t)CAPTURE_CLOSED;
	wards_add_wish(c, &whole);
	c->loads++;
	if (w == NULL && whole.own_count == 0) {
		capture_off(c->helper, done, c);
		return;
	}
	if (w == NULL)
		captured_fill(c->node, &whole);
	capture_on(c->helper, &whole, done, c);
}

void
captured_told(struct captured *c)
{
	CHECK(c->loads > 0);
	c->loads--;
}

/* --- how it stands -------------------------------------------------------- */

struct reading {
	struct captured *captured;
	void (*done)(void *arg, const struct node_capture_state *s);
	void *arg;
};

static void
tell_state(const struct reading *r, const struct capture_report *report)
{
	const struct captured *c = r->captured;
	const struct trial *t = &c->trial;
	uint64_t now = loop_now_us(c->node->loop);

	r->done(r->arg,
	    &(struct node_capture_state){.possible = c->helper != NULL,
		.wish = c->on ? &c->wish : NULL,
		.left_us =
		    t->is_under_way ? t->until_us - MIN(now, t->until_us) : 0,
		.trouble = slice_str(c->trouble.text),
		.report = report});
}

static void
on_read(void *arg, const struct capture_report *report)
{
	struct reading *r = arg;

	if (!r->captured->stopped)
		tell_state(r, report);
	mem_free(&r);
}

void
node_capture_read(struct node *n,
    void (*done)(void *arg, const struct node_capture_state *s), void *arg)
{
	const struct capture_report none = {0};
	struct reading *r = mem_new(sizeof(*r));

	*r = (struct reading){n->captured, done, arg};
	if (n->captured->helper != NULL) {
		capture_read(n->captured->helper, on_read, r);
		return;
	}
	tell_state(r, &none);
	mem_free(&r);
}

void
captured_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	const struct captured *c = n->captured;

	if (c != NULL && c->trouble.code != OK)
		each(arg, &(struct node_problem){.kind = "capture",
			      .about = S("capture"),
			      .text = slice_str(c->trouble.text)});
}

/* --- birth and end -------------------------------------------------------- */

static void
on_lost(void *arg)
{
	struct captured *c = captured_of(arg);

	c->on = false;
	trial_end(c);
	(void)fault_set(&c->trouble, ERR_CLOSED,
	    "the helper that captures has ended; start the agent again");
	log_error(
	    "nothing is captured any more", "why=\"%s\"", c->trouble.text);
	wards_lost(c);
	captured_settle(c);
}

void
captured_open(struct node *n, const struct capture_ends *helper)
{
	struct captured *c = mem_new(sizeof(*c));

	c->magic = CAPTURED_MAGIC;
	c->node = n;
	change_open(c);
	trial_open(c);
	wards_open(c);
	kept_open(c);
	if (helper->pair > 0) {
		c->helper = capture_new(n->loop, helper->pair, on_lost, c);
		net_transparent_from(helper->sockets);
	}
	/* Of root's processes nobody could tell ours but by a mark, and some of
	 * its sockets live long: they bear it before anything is captured. */
	if (c->helper != NULL && geteuid() == 0 &&
	    net_mark_all(CAPTURE_MARK) != OK)
		log_debug("sockets cannot be marked", "mark=0x%x",
		    (unsigned)CAPTURE_MARK);
	n->captured = c;
}

static void
on_stopped(void *arg, const struct capture_report *r)
{
	(void)arg;
	if (r->e != OK)
		log_error("what was captured could not be let go", "why=\"%s\"",
		    r->why.text);
}

/* Programs call as they would without us while connections drain. Who leaves
 * the mesh leaves nothing behind, nor what was to stay. */
void
captured_stop(struct node *n)
{
	struct captured *c = n->captured;
	bool captures = c->on ? !captured_outlives(c) : wards_any(c);

	c->stopped = true;
	wards_stop(c);
	timer_clear(&c->poll);
	timer_clear(&c->restore);
	trial_end(c);
	c->on = false;
	if (c->helper == NULL)
		return;
	if (n->on_left != NULL)
		capture_off(c->helper, on_stopped, c);
	else if (captures)
		capture_rest(c->helper, on_stopped, c);
}

void
captured_close(struct node *n)
{
	struct captured *c = n->captured;

	if (c == NULL)
		return;
	timer_clear(&c->poll);
	timer_clear(&c->restore);
	trial_close(c);
	capture_free(&c->helper);
	wards_close(c);
	c->magic = 0;
	mem_free(&n->captured);
}
