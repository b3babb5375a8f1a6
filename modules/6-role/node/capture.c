/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture — what is captured on this machine: changed, tried, kept, restored.
 *
 *	OFF --on--> OPENING --listens, knows--> LOADING --> ON
 *	 ^             `------- in vain --------.             |
 *	 `------ off, or not confirmed in time -----------<---'
 *
 * Listeners are open, and the configuration of all hosts is here, or has been
 * waited for, before the first rule leads anybody to them. A change on trial
 * is not kept on the disk: whatever ends the agent then, it begins with what
 * was there before.
 */
#define LOG_MODULE "node"

#include "codec/codec.h"

#include "captured.h"

#include <unistd.h>

enum {
	POLL_US = 10000,
	REFUSED_US = 2000000,  /* until a port that was taken has to be open */
	AWAITED_US = 30000000, /* the same of one that may not be taken */
	KNOW_US = 1000000,     /* until all hosts should be known */
	RESTORE_US = 5000000,  /* until what failed is tried again */
	FILE_BYTES = 256 << 10 /* of ours */
};

/* --- doors ---------------------------------------------------------------- */

/* Where rules lead what this machine sends; where IPv6 is switched off there is
 * only the first. */
void
captured_loopback(uint16_t port, struct addr out[PROXY_DOORS_MAX])
{
	out[0] = (struct addr){ADDR_V4, {127, 0, 0, 1}, port};
	out[1] = (struct addr){ADDR_V6, {[15] = 1}, port};
	if (!net_has_addr(&out[1]))
		out[1] = (struct addr){.family = ADDR_NONE};
}

/* Adds to them. */
static void
doors_for(const struct capture_wish *w, struct proxy_captured *out)
{
	if (w != NULL && w->out_count > 0)
		captured_loopback(CAPTURE_OUT_PORT, out->out);
	if (w != NULL && w->in_count > 0)
		out->in[0] = net_any_addr(CAPTURE_IN_PORT);
}

static bool
keeps_source(const struct capture_wish *w)
{
	return w != NULL && (w->how & CAPTURE_SOURCE);
}

/* Those of what is in force stay open: rules lead there until others do. */
static void
open_doors(struct captured *c, const struct capture_wish *w)
{
	struct proxy_captured doors = {0};

	doors_for(w, &doors);
	doors_for(c->on ? &c->wish : NULL, &doors);
	wards_add_doors(c, &doors);
	/* Not before there is a way back, and not when that is to go. */
	doors.keeps_source = keeps_source(c->on ? &c->wish : NULL) &&
			     (w == NULL || keeps_source(w));
	if (plane_proxy(c->node) != NULL)
		proxy_capture(plane_proxy(c->node), &doors, NULL, NULL);
	interests_refresh(c->node);
	publisher_touch(c->node);
}

enum door_state
captured_doors(const struct captured *c,
    const struct addr doors[PROXY_DOORS_MAX], struct slice name)
{
	enum door_state s = DOOR_OPEN;

	for (size_t i = 0; i < PROXY_DOORS_MAX; i++)
		if (doors[i].family != ADDR_NONE)
			s = MAX(s, plane_door(c->node, name, &doors[i]));
	return s;
}

/* A machine that stands still for seconds is no reason. */
bool
captured_gives_up(enum door_state s, uint64_t waited_us)
{
	return waited_us >= (s == DOOR_REFUSED ? REFUSED_US : AWAITED_US);
}

static enum door_state
dns_doors(const struct captured *c, const struct capture_wish *w)
{
	struct addr doors[PROXY_DOORS_MAX];
	enum door_state s = DOOR_OPEN;

	if (!(w->how & CAPTURE_DNS))
		return s; /* no question is led anywhere */
	captured_loopback(CAPTURE_DNS_PORT, doors);
	for (size_t i = 0; i < PROXY_DOORS_MAX; i++)
		if (doors[i].family != ADDR_NONE)
			s = MAX(s, dns_door(c->node, &doors[i]));
	return s;
}

static enum door_state
all_doors(const struct captured *c, const struct capture_wish *w)
{
	struct proxy_captured doors = {0};
	enum door_state s = dns_doors(c, w);

	doors_for(w, &doors);
	s = MAX(s, captured_doors(c, doors.out, S("captured-out")));
	return MAX(s, captured_doors(c, doors.in, S("captured-in")));
}

bool
captured_wants_all(const struct node *n)
{
	const struct captured *c = n->captured;

	return c != NULL &&
	       (wards_any(c) || (c->on && c->wish.out_count > 0) ||
		   (c->change.is_under_way && c->change.wish.out_count > 0));
}

static bool
takes_automatic(const struct capture_wish *w)
{
	static const struct addr one = {ADDR_V4, {240, 240, 0, 1}, 0};

	for (uint32_t i = 0; i < w->out_count; i++)
		if (cidr_contains(&w->out[i], &one))
			return true;
	return false;
}

static bool
takes_everybody(const struct capture_wish *w)
{
	return w->uid_count + w->gid_count + w->cgroup_count == 0;
}

/* Of programs that are not captured only those ask that were wired to. */
bool
captured_tells_automatic(const struct node *n)
{
	const struct captured *c = n->captured;
	bool is_wired = n->wiring != WIRING_OFF;

	if (c == NULL)
		return false;
	if (c->on && takes_automatic(&c->wish) &&
	    (is_wired ? takes_everybody(&c->wish)
		      : (c->wish.how & CAPTURE_DNS) != 0))
		return true;
	return wards_any(c) && dns_takes_questions(n) && !is_wired;
}

/* As it was before a change, or with nothing. */
void
captured_settle(struct captured *c)
{
	open_doors(c, NULL);
}

/* --- the helper ----------------------------------------------------------- */

void
captured_load(struct captured *c, const struct capture_wish *w, capture_cb done)
{
	struct capture_wish whole = {0};

	if (w != NULL)
		whole = *w;
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

static void
forget(struct captured *c)
{
	char path[STATE_PATH_MAX];

	if (state_path(&c->node->state, STATE_CAPTURE, path) == OK)
		(void)unlink(path); /* it need not be there */
	timer_clear(&c->restore);
	c->trouble = (struct fault){0};
}

/* --- a change ------------------------------------------------------------- */

static void
end_change(struct captured *c, enum err e, const struct fault *why)
{
	struct change *ch = &c->change;
	node_capture_cb done = ch->done, off = c->off;
	void *arg = ch->arg;

	ch->is_under_way = ch->is_told = false;
	timer_clear(&c->poll);
	captured_settle(c);
	if (done != NULL && !c->stopped)
		done(arg, e, why);
	c->off = NULL;
	if (off != NULL && !c->stopped)
		node_capture_off(c->node, off, c->off_arg);
	wards_go_on(c);
}

static void
on_loaded(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);
	struct change *ch = &c->change;

	captured_told(c);
	if (r->e != OK) {
		end_change(c, r->e, &r->why);
		return;
	}
	if (ch->confirm_us > 0)
		trial_begin(c, ch->confirm_us);
	else
		trial_end(c);
	c->on = true;
	c->wish = ch->wish;
	c->trouble = (struct fault){0};
	timer_clear(&c->restore);
	if (ch->confirm_us == 0 && !ch->is_restored)
		captured_keep(c);
	log_info("captures", "networks=%u ports=%u confirm_s=%u",
	    (unsigned)c->wish.out_count, (unsigned)c->wish.in_count,
	    (unsigned)(ch->confirm_us / 1000000));
	end_change(c, OK, NULL);
}

/* Nobody is led to a door that is shut. */
static void
on_poll(void *arg)
{
	struct captured *c = captured_of(arg);
	struct change *ch = &c->change;
	uint64_t waited_us = loop_now_us(c->node->loop) - ch->began_us;
	bool is_free = c->loads == 0;
	enum door_state doors = all_doors(c, &ch->wish);
	bool knows = ch->wish.out_count == 0 || interests_know_all(c->node) ||
		     waited_us >= KNOW_US;
	struct fault why = {0};

	if (doors == DOOR_OPEN && knows && is_free) {
		trial_note(c, &ch->wish);
		ch->is_told = true;
		captured_load(c, &ch->wish, on_loaded);
	} else if (captured_gives_up(doors, waited_us)) {
		end_change(c,
		    fault_set(&why, ERR_BUSY,
			"port %d, %d or %d could not be opened; meshd status "
			"says why",
			CAPTURE_OUT_PORT, CAPTURE_IN_PORT, CAPTURE_DNS_PORT),
		    &why);
	} else {
		timer_set(&c->poll, POLL_US);
	}
}

enum err
captured_may(const struct captured *c, struct fault *why)
{
	const struct node *n = c->node;

	if (c->helper == NULL)
		return fault_set(why, ERR_PERMISSION,
		    "this agent may not change the machine's rules: start it "
		    "with CAP_NET_ADMIN, see meshd-capture(7)");
	if (n->proxy == VIEW_ROUTER)
		return fault_set(why, ERR_UNSUPPORTED,
		    "a gateway captures nothing; an agent on this machine "
		    "may");
	if (plane_proxy(n) == NULL || publisher_view(n) == NULL)
		return fault_set(why, ERR_BUSY,
		    "this agent is in no mesh yet: meshd join TOKEN");
	return OK;
}

enum err
captured_check(const struct captured *c, struct fault *why)
{
	enum err e = captured_may(c, why);

	if (e != OK)
		return e;
	if (c->change.is_told || c->trial.probe != NULL)
		return fault_set(
		    why, ERR_BUSY, "what is captured is being changed");
	return OK;
}

/* Another one comes: who says off must not be kept waiting. */
static void
give_up_change(struct captured *c)
{
	struct fault why = {0};

	if (c->change.is_under_way)
		end_change(c,
		    fault_set(&why, ERR_CANCELLED,
			"another change came before this was in force"),
		    &why);
}

static void
change_to(struct captured *c, const struct capture_wish *w, struct change how)
{
	struct capture_wish whole = *w;
	struct fault why = {0};
	enum err e = captured_check(c, &why);

	if (e == OK) {
		give_up_change(c);
		captured_fill(c->node, &whole);
		e = capture_wish_check(&whole, &why);
	}
	if (e == OK && dns_doors(c, &whole) == DOOR_NONE)
		e = fault_set(&why, ERR_UNSUPPORTED,
		    "--dns leads questions to port %d of 127.0.0.1 and ::1, "
		    "where this agent does not answer names: its --dns says "
		    "otherwise",
		    CAPTURE_DNS_PORT);
	if (e != OK) {
		captured_settle(c);
		how.done(how.arg, e, &why);
		return;
	}
	c->change = how;
	c->change.wish = whole;
	c->change.is_under_way = true;
	c->change.began_us = loop_now_us(c->node->loop);
	open_doors(c, &whole);
	timer_set(&c->poll, POLL_US);
}

void
node_capture_on(struct node *n, const struct capture_wish *w,
    uint64_t confirm_us, node_capture_cb done, void *arg)
{
	change_to(n->captured, w,
	    (struct change){
		.confirm_us = confirm_us, .done = done, .arg = arg});
}

static void
on_off(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);

	captured_told(c);
	if (r->e == OK) {
		c->on = false;
		trial_end(c);
		forget(c);
		log_info("captures nothing any more", "reason=asked");
	}
	end_change(c, r->e, &r->why);
}

void
node_capture_off(struct node *n, node_capture_cb done, void *arg)
{
	struct captured *c = n->captured;
	struct fault why = {0};
	enum err e;

	if (c->change.is_told && c->off == NULL) { /* the helper's answer */
		c->off = done;
		c->off_arg = arg;
		return;
	}
	e = captured_check(c, &why);
	if (e != OK) {
		done(arg, e, &why);
		return;
	}
	give_up_change(c);
	c->change = (struct change){
	    .is_under_way = true, .is_told = true, .done = done, .arg = arg};
	captured_load(c, NULL, on_off);
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
restore(void *arg)
{
	struct captured *c = captured_of(arg);
	struct capture_wish w;
	struct fault why = {0};
	enum err e = read_kept(c, &w, &why);

	if (e == ERR_NOT_FOUND)
		end_first(c);
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
	timer_init(&c->poll, n->loop, on_poll, c);
	trial_open(c);
	wards_open(c);
	timer_init(&c->restore, n->loop, restore, c);
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

/* What bears a caller's address drains, too: it needs its way back, which goes
 * with the helper. */
static void
let_go(struct captured *c)
{
	struct capture_wish w = c->wish;

	if (!c->on || !keeps_source(&w)) {
		capture_off(c->helper, on_stopped, c);
		return;
	}
	w.out_count = w.in_count = 0;
	w.how = CAPTURE_SOURCE;
	capture_on(c->helper, &w, on_stopped, c);
}

/* Programs call as they would without us while connections drain. */
void
captured_stop(struct node *n)
{
	struct captured *c = n->captured;

	c->stopped = true;
	wards_stop(c);
	timer_clear(&c->poll);
	timer_clear(&c->restore);
	trial_end(c);
	if (c->on ? !(c->wish.how & CAPTURE_CLOSED)
		  : c->helper != NULL && wards_any(c))
		let_go(c);
	c->on = false;
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
