/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict — may a workload be called, and if not, why.
 *
 * Only evidence counts: who is merely suspected stays. What a member says of
 * its health moves more often than what it offers, so that a record of which
 * nothing else is new is judged again in its place: only services of which
 * the verdict is another are made anew.
 */
#include "inside.h"

enum why {
	WHY_NOT, /* it may be called */
	WHY_DOWN,
	WHY_LEFT,
	WHY_DRAINS,
	WHY_UNHEALTHY,
	WHY_FAR,
	WHY_NO_ADDRESS,
	WHYS
};

static const char is_far[] = "is in another network, and gateways between "
			     "networks are not supported yet";

static const char *const words[WHYS] = {
    [WHY_DOWN] = "is down",
    [WHY_LEFT] = "has left",
    [WHY_DRAINS] = "drains it",
    [WHY_UNHEALTHY] = "says that it is unhealthy",
    [WHY_FAR] = is_far,
    [WHY_NO_ADDRESS] = "has no address of a family that this machine has",
};

static const enum view_health healths[WHYS] = {
    [WHY_NOT] = VIEW_HEALTHY,
    [WHY_DOWN] = VIEW_DOWN,
    [WHY_LEFT] = VIEW_DOWN,
    [WHY_DRAINS] = VIEW_DRAINING,
    [WHY_UNHEALTHY] = VIEW_UNHEALTHY,
    [WHY_FAR] = VIEW_UNHEALTHY,
    [WHY_NO_ADDRESS] = VIEW_UNHEALTHY,
};

/* Made once for each source. */
static struct slice
reason_of(struct source *to, const char *node, enum why why)
{
	if (why == WHY_NOT)
		return SLICE_NONE;
	if (to->reasons == NULL)
		to->reasons =
		    arena_alloc_array(&to->arena, WHYS, sizeof(*to->reasons));
	if (to->reasons != NULL && to->reasons[why].len == 0)
		to->reasons[why] =
		    arena_printf(&to->arena, "node %s %s", node, words[why]);
	to->is_full =
	    to->is_full || to->reasons == NULL || to->reasons[why].len == 0;
	return to->reasons != NULL ? to->reasons[why] : SLICE_NONE;
}

static bool
is_service_healthy(const struct discovery_record *r,
    const struct gossip_service *s, size_t index)
{
	const struct gossip_member m = {.health = r->health};
	const struct gossip_record g = {
	    .member = &m, .unhealthy = r->unhealthy};

	return gossip_service_is_healthy(&g, s, index);
}

static enum why
why_not(const struct discovery *d, const struct discovery_record *r,
    const struct gossip_service *s, const struct workload *w)
{
	if (r->status == GOSSIP_DOWN)
		return WHY_DOWN;
	if (r->status == GOSSIP_LEFT)
		return WHY_LEFT;
	if (r->health == GOSSIP_DRAINING || s->health == GOSSIP_DRAINING)
		return WHY_DRAINS;
	if (!is_service_healthy(r, s, w->index))
		return WHY_UNHEALTHY;
	if (!slice_eq(w->network, d->in.network))
		return WHY_FAR;
	return w->is_reachable ? WHY_NOT : WHY_NO_ADDRESS;
}

bool
workload_judge(const struct discovery *d, const struct discovery_record *r,
    const struct gossip_service *s, struct source *of, struct workload *w)
{
	enum why why = why_not(d, r, s, w);
	struct slice reason = reason_of(of, r->name, why);

	/* One reason lies in one place. */
	if (w->reason.ptr == reason.ptr && w->health == healths[why])
		return false;
	w->health = healths[why];
	w->reason = reason;
	w->gone = why == WHY_DOWN || why == WHY_LEFT;
	return true;
}

/* Nothing is new but what it says of its health, or others of its life. */
static bool
is_same_offer(
    const struct source *s, const struct discovery_record *r, enum use use)
{
	const struct workload *w = s->workloads;

	return s->use == USE_ALL && use == USE_ALL && s->count > 0 &&
	       slice_eq(blob_bytes(s->offers), blob_bytes(r->offers)) &&
	       w->issued_s == r->issued_s &&
	       slice_eq(w->node, slice_str(r->name)) &&
	       slice_eq(w->network, slice_str(r->network));
}

bool
source_judge_again(struct discovery *d, struct source *s,
    const struct discovery_record *r, enum use use)
{
	struct gossip_reading x;
	struct gossip_service offered;
	size_t at = 0;

	if (!is_same_offer(s, r, use) ||
	    gossip_offers_open(blob_bytes(r->offers), &x) != OK)
		return false;
	while (at < s->count && gossip_offers_next(&x, &offered)) {
		struct workload *w = &s->workloads[at];

		if (w->index != x.index - 1)
			continue; /* out of the scope */
		at++;
		if (workload_judge(d, r, &offered, s, w))
			touch_workload(d, w);
	}
	s->version = r->version;
	return !s->is_full;
}
