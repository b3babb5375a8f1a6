/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault — requests that a rule keeps back, or refuses, on purpose.
 *
 * Envoy's semantics: each by a chance of its own, the delay first. The time
 * that the rule gives a request begins behind the delay, and what is refused
 * is not tried again.
 */
#include "http/filter.h"

static const struct view_fault *
fault_of(const struct request *r)
{
	return r->choice.route->fault;
}

static bool
is_hit(const struct request *r, uint32_t millionths)
{
	return rng_below(&r->worker->rng, VIEW_MILLION) < millionths;
}

static enum filter_verdict
delay_request(struct request *r)
{
	const struct view_fault *f = fault_of(r);

	if (f == NULL || f->delay_us == 0 || !is_hit(r, f->delay_millionths))
		return FILTER_GO_ON;
	r->record.delayed = true;
	timer_set(&r->delay, f->delay_us);
	return FILTER_WAIT;
}

static enum filter_verdict
abort_request(struct request *r)
{
	const struct view_fault *f = fault_of(r);
	bool aborts = f != NULL && (f->abort_status != 0 || f->aborts_grpc);

	if (!aborts || !is_hit(r, f->abort_millionths))
		return FILTER_GO_ON;
	if (f->aborts_grpc)
		request_answer_grpc(
		    r, (enum grpc_status)f->grpc_status, FLOW_FAULT);
	else
		request_answer(r, f->abort_status, FLOW_FAULT, SLICE_NONE);
	return FILTER_ANSWERED;
}

const struct filter filter_delay = {
    .name = "delay", .on_request = delay_request};
const struct filter filter_abort = {
    .name = "abort", .on_request = abort_request};
