/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults — requests that are kept back or refused on purpose.
 */
#include "actions.h"
#include "validate.h"

static void
compile_delay(const struct fault_delay *spec, struct view_fault *out)
{
	/* The older form was a whole number. */
	uint32_t older = (uint32_t)MAX(spec->percent, 0) * (VIEW_MILLION / 100);

	out->delay_us = spec->fixed_delay;
	out->delay_millionths = millionths_of(spec->percentage, older);
}

static void
compile_abort(const struct fault_abort *spec, struct view_fault *out)
{
	out->abort_status = (uint16_t)spec->http_status;
	out->aborts_grpc =
	    spec->http_status == 0 &&
	    grpc_status_parse(spec->grpc_status, &out->grpc_status);
	out->says_abort_share = spec->percentage != NULL;
	out->abort_millionths = millionths_of(spec->percentage, 0);
}

const struct view_fault *
compile_fault(struct builder *b, const struct http_fault *spec)
{
	struct view_fault *f;

	if (spec == NULL)
		return NULL;
	f = take(b, 1, sizeof(*f));
	if (f == NULL)
		return NULL;
	if (spec->delay != NULL)
		compile_delay(spec->delay, f);
	if (spec->abort != NULL)
		compile_abort(spec->abort, f);
	return f->delay_us > 0 || f->abort_status != 0 || f->aborts_grpc ? f
									 : NULL;
}
