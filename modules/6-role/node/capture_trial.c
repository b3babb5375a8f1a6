/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_trial — a change that falls back to what was before, unless a server
 * is still reached, the sessions of SSH still stand, and the operator says so.
 */
#define LOG_MODULE "node"

#include "captured.h"

enum { PROBE_US = 3000000 /* until a server has to answer */ };

/* --- its end ------------------------------------------------------------ */

static bool
stands(const struct addr *session, const struct addr *now, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (addr_eq(session, &now[i]))
			return true;
	return false;
}

static enum err
check_sessions(const struct captured *c, struct fault *why)
{
	struct addr now[CAPTURED_SESSIONS_MAX];
	size_t count = captured_sessions(&c->wish, now);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < c->trial.session_count; i++)
		if (!stands(&c->trial.sessions[i], now, count))
			return fault_set(why, ERR_RESET,
			    "the session of SSH from %s is gone since the "
			    "change; unless that was meant so, wait until it "
			    "falls back; else begin anew with: meshd capture "
			    "on",
			    addr_format(&c->trial.sessions[i], text));
	return OK;
}

static void
on_fallen_back(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);

	captured_told(c);
	if (r->e != OK) {
		log_error("what was captured before could not be put back",
		    "why=\"%s\"", r->why.text);
		return;
	}
	c->on = c->trial.was_on;
	c->wish = c->trial.before;
	captured_settle(c);
	wards_go_on(c);
}

static void
fall_back(struct captured *c)
{
	trial_end(c);
	captured_load(
	    c, c->trial.was_on ? &c->trial.before : NULL, on_fallen_back);
}

static void
on_trial_end(void *arg)
{
	struct captured *c = captured_of(arg);

	log_warn("what is captured was not confirmed in time; it is as it was "
		 "before",
	    "captured=%s", c->trial.was_on ? "yes" : "no");
	fall_back(c);
}

void
trial_begin(struct captured *c, uint64_t confirm_us)
{
	struct trial *t = &c->trial;

	if (!t->is_under_way) { /* else it is what was before that */
		t->was_on = c->on;
		t->before = c->wish;
	}
	t->is_under_way = true;
	t->until_us = loop_now_us(c->node->loop) + confirm_us;
	timer_set(&t->end, confirm_us);
}

void
trial_note(struct captured *c, const struct capture_wish *w)
{
	c->trial.server = captured_server(c->node);
	c->trial.session_count = captured_sessions(w, c->trial.sessions);
}

/* --- confirming ----------------------------------------------------------- */

static void
tell_confirmed(struct captured *c, enum err e, const struct fault *why)
{
	node_capture_cb done = c->trial.done;

	c->trial.done = NULL;
	if (!c->stopped)
		done(c->trial.arg, e, why);
}

static void
on_stays(void *arg, const struct capture_report *r)
{
	struct captured *c = captured_of(arg);

	captured_told(c);
	tell_confirmed(c, r->e, &r->why);
	wards_go_on(c);
}

static void
end_confirm(struct captured *c, enum err e, const struct fault *why)
{
	bool outlived = captured_outlives(c);

	if (e == OK) {
		trial_end(c);
		captured_keep(c);
		log_info("what is captured was confirmed", "kept=yes");
	}
	if (captured_outlives(c) && !outlived && !c->stopped)
		captured_load(c, &c->wish, on_stays); /* from here on */
	else
		tell_confirmed(c, e, why);
}

static void
on_probe_open(struct stream *s, void *arg)
{
	(void)arg;
	stream_close(s, OK);
}

static void
on_probe_data(struct stream *s, void *arg, struct slice data)
{
	(void)s; /* that it stands is all */
	(void)arg;
	(void)data;
}

static void
on_probe_close(struct stream *s, void *arg, enum err why)
{
	struct captured *c = captured_of(arg);
	char text[ADDR_TEXT_MAX];
	struct fault words = {0};

	(void)s; /* gone with this call */
	c->trial.probe = NULL;
	if (why == OK || !c->trial.is_under_way)
		end_confirm(c,
		    c->trial.is_under_way ? OK
					  : fault_set(&words, ERR_NOT_FOUND,
						"it fell back in the meantime"),
		    &words);
	else
		end_confirm(c,
		    fault_set(&words, ERR_UNREACHABLE,
			"the server %s, which was reached before, is not now: "
			"%s",
			addr_format(&c->trial.server, text), err_text(why)),
		    &words);
}

static const struct stream_events probe_events = {.on_open = on_probe_open,
    .on_data = on_probe_data,
    .on_close = on_probe_close};

static void
probe(struct captured *c)
{
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	spec.addr = c->trial.server;
	spec.timeout_us = PROBE_US;
	c->trial.probe = net_connect(c->node->loop, &spec, &probe_events, c);
}

void
node_capture_confirm(struct node *n, node_capture_cb done, void *arg)
{
	struct captured *c = n->captured;
	struct fault why = {0};
	enum err e = captured_check(c, &why);

	if (e == OK && !c->trial.is_under_way)
		e = fault_set(
		    &why, ERR_NOT_FOUND, "nothing waits to be confirmed");
	if (e == OK)
		e = check_sessions(c, &why);
	if (e != OK) {
		done(arg, e, &why);
		return;
	}
	c->trial.done = done;
	c->trial.arg = arg;
	if (c->trial.server.family != ADDR_NONE)
		probe(c);
	else
		end_confirm(c, OK, NULL);
}

/* --- birth and end -------------------------------------------------------- */

static void
on_no_close(struct stream *s, void *arg, enum err why)
{
	(void)s; /* gone with this call */
	(void)arg;
	(void)why;
}

static const struct stream_events nobody = {
    .on_data = on_probe_data, .on_close = on_no_close};

void
trial_open(struct captured *c)
{
	timer_init(&c->trial.end, c->node->loop, on_trial_end, c);
}

void
trial_end(struct captured *c)
{
	c->trial.is_under_way = false;
	timer_clear(&c->trial.end);
}

void
trial_close(struct captured *c)
{
	trial_end(c);
	if (c->trial.probe == NULL)
		return;
	stream_set_events(c->trial.probe, &nobody, NULL);
	stream_close(c->trial.probe, ERR_CANCELLED);
	c->trial.probe = NULL;
}
