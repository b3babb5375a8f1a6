/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where connections of the scope at hand come in.
 */
#include <stdlib.h>

#include "inside.h"

static int
by_name(const void *a, const void *b)
{
	const struct view_listener *const *x = a;
	const struct view_listener *const *y = b;

	return slice_cmp((*x)->name, (*y)->name);
}

void
compile_listeners(struct builder *b)
{
	struct scope *s = b->scope;

	if (b->in->proxy == VIEW_ROUTER) {
		compile_gateway(b);
	} else {
		compile_outbound(b);
		compile_inbound(b);
	}
	for (size_t i = 0; i < ARRAY_LEN(s->listeners); i++)
		if (s->listeners[i].count > 0)
			qsort(s->listeners[i].items, s->listeners[i].count,
			    sizeof(void *), by_name);
}
