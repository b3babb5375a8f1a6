/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_text — what an agent tells of one request, for people.
 */
#include "flow_text.h"

struct slice
flow_text(const struct value *flow, const char *key, struct arena *a)
{
	struct slice s = value_get_string(flow, slice_str(key), SLICE_NONE);
	struct slice copy = SLICE_NONE;
	char *p;

	if (s.len == 0 || arena_copy(a, s, &copy) != OK)
		return SLICE_NONE;
	p = (char *)(uintptr_t)copy.ptr; /* ours */
	for (size_t i = 0; i < copy.len; i++)
		if ((uint8_t)p[i] < 0x20 || (uint8_t)p[i] >= 0x7f)
			p[i] = '?';
	return copy;
}

double
flow_ms(const struct value *flow, const char *key)
{
	const struct value *v = value_get(flow, slice_str(key));

	if (v == NULL || (v->type != VALUE_FLOAT && v->type != VALUE_INT))
		return -1;
	return v->type == VALUE_FLOAT ? v->real : (double)v->integer;
}

struct slice
flow_outcome(const struct value *flow, struct arena *a)
{
	int64_t status = value_get_int(flow, S("status"), 0);
	int64_t grpc = value_get_int(flow, S("grpcStatus"), -1);
	struct slice flag = flow_text(flow, "flag", a);

	if (grpc >= 0)
		return arena_printf(
		    a, "grpc %d %.*s", (int)grpc, SLICE_ARG(flag));
	if (status > 0 && flag.len == 0)
		return arena_printf(a, "%d", (int)status);
	if (status > 0)
		return arena_printf(a, "%d %.*s", (int)status, SLICE_ARG(flag));
	return flag;
}

struct slice
flow_route(const struct value *flow, struct arena *a)
{
	struct slice name = flow_text(flow, "route", a);
	struct slice from = flow_text(flow, "from", a);

	if (name.len == 0 || from.len == 0)
		return name.len > 0 ? name : from;
	return arena_printf(a, "%.*s (%.*s)", SLICE_ARG(name), SLICE_ARG(from));
}
