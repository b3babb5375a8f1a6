/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture_doors — the ports to which rules lead programs: which are open for
 * what is captured, and whether they are; and what else of the agent hangs on
 * what is captured.
 */
#include "captured.h"

enum {
	REFUSED_US = 2000000, /* until a port that was taken has to be open */
	AWAITED_US = 30000000 /* the same of one that may not be taken */
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

void
captured_open_doors(struct captured *c, const struct capture_wish *w)
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

enum door_state
captured_dns_doors(const struct captured *c, const struct capture_wish *w)
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

enum door_state
captured_all_doors(const struct captured *c, const struct capture_wish *w)
{
	struct proxy_captured doors = {0};
	enum door_state s = captured_dns_doors(c, w);

	doors_for(w, &doors);
	s = MAX(s, captured_doors(c, doors.out, S("captured-out")));
	return MAX(s, captured_doors(c, doors.in, S("captured-in")));
}

/* Units know whom they may call as soon as they begin, also after a boot that
 * finds no server: so what they need is kept while they are not active. */
bool
captured_wants_all(const struct node *n)
{
	const struct captured *c = n->captured;

	return c != NULL &&
	       (wards_any(c) || (c->helper != NULL && units_any(n)) ||
		   (c->on && c->wish.out_count > 0) ||
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
	captured_open_doors(c, NULL);
}
