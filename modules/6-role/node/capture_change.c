/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_change — from what is captured to what is asked for.
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

#include "model/model.h"

#include "captured.h"

enum {
	POLL_US = 10000,
	/* Until all hosts should be known, that a server is telling, or the
	 * disk has; and at boot, where a machine may be very slow. */
	KNOW_US = 5000000,
	KNOW_AT_BOOT_US = 30000000,
	/* The same where neither is so: perhaps they never are. */
	ALONE_US = 1000000,
	ALONE_AT_BOOT_US = 5000000
};

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

/* Who is captured and calls a service that is not known calls a stranger: an
 * agent that begins tells nobody that it is ready before, but not for ever. */
static bool
knows(const struct captured *c, uint64_t waited_us)
{
	bool comes = uplink_session(c->node) != NULL ||
		     uplink_has_host(c->node, S(HOST_ALL));
	bool boots = c->change.is_restored;

	if (c->change.wish.out_count == 0 || interests_know_all(c->node))
		return true;
	if (waited_us < (comes ? (boots ? KNOW_AT_BOOT_US : KNOW_US)
			       : (boots ? ALONE_AT_BOOT_US : ALONE_US)))
		return false;
	log_warn("captures before all services are known",
	    "waited_ms=%u server=%s", (unsigned)(waited_us / 1000),
	    uplink_session(c->node) != NULL ? "yes" : "none");
	return true;
}

/* Nobody is led to a door that is shut. */
static void
on_poll(void *arg)
{
	struct captured *c = captured_of(arg);
	struct change *ch = &c->change;
	uint64_t waited_us = loop_now_us(c->node->loop) - ch->began_us;
	enum door_state doors = captured_all_doors(c, &ch->wish);
	struct fault why = {0};

	if (doors == DOOR_OPEN && c->loads == 0 && knows(c, waited_us)) {
		trial_note(c, &ch->wish);
		ch->is_told = true;
		captured_load(c, &ch->wish, on_loaded);
	} else if (doors != DOOR_OPEN && captured_gives_up(doors, waited_us)) {
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

void
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
	if (e == OK && !how.is_restored)
		e = capture_in_check(&whole, &why);
	if (e == OK && captured_dns_doors(c, &whole) == DOOR_NONE)
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
	captured_open_doors(c, &whole);
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
		captured_forget(c);
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

void
change_open(struct captured *c)
{
	timer_init(&c->poll, c->node->loop, on_poll, c);
}
