/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routing — which rule takes a request, and which of its destinations.
 *
 * On a request's path: no allocation and no lock.
 */
#include "conditions.h"

const struct slice view_only_requests = {
    "rules for requests hold here, and this is no HTTP", 49};

static bool
tell(const struct view_trace *trace, const struct view_step *step)
{
	if (trace != NULL)
		trace->step(trace->arg, step);
	return step->matched;
}

static bool
try_route(const struct view_host *host, const struct view_http_route *r,
    const struct http_attrs *attrs, const struct view_trace *trace,
    const struct view_match **out_match)
{
	struct view_step step = {.host = host, .route = r, .matched = true};

	*out_match = NULL;
	if (r->match_count == 0)
		return tell(trace, &step);
	for (size_t i = 0; i < r->match_count; i++) {
		step.match = &r->matches[i];
		step.failed = first_failure(step.match, attrs, &step);
		step.matched = step.failed == NULL;
		*out_match = step.match;
		if (tell(trace, &step))
			return true;
	}
	return false;
}

/* A trace tells of each rule before the one that matches: they are walked. */
struct view_http_choice
view_route_http(const struct view_host *host, const struct http_attrs *attrs,
    const struct view_trace *trace)
{
	struct view_http_choice choice = {NULL, NULL};

	if (host->index != NULL && trace == NULL &&
	    index_find(host, attrs, &choice))
		return choice;
	for (size_t i = 0; i < host->http_count; i++)
		if (try_route(
			host, &host->http[i], attrs, trace, &choice.match)) {
			choice.route = &host->http[i];
			return choice;
		}
	return (struct view_http_choice){NULL, NULL};
}

struct slice
view_choice_name(const struct view_http_choice *choice)
{
	if (choice->match != NULL && choice->match->name.len > 0)
		return choice->match->logged;
	return choice->route->name;
}

/* The high half of a product maps 64 bits of chance on [0, total). */
static uint32_t
scale(uint64_t chance, uint32_t total)
{
	return (uint32_t)(((chance >> 32) * total) >> 32);
}

const struct view_destination *
view_choose(const struct view_destination *destinations, size_t count,
    uint32_t weight_total, uint64_t chance)
{
	uint32_t point;

	if (count == 1 || weight_total == 0)
		return &destinations[0];
	point = scale(chance, weight_total);
	for (size_t i = 0; i < count; i++) {
		if (point < destinations[i].weight)
			return &destinations[i];
		point -= destinations[i].weight;
	}
	return &destinations[count - 1];
}
