/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listeners — where connections of the scope at hand come in.
 */
#include "inside.h"

bool
is_own_address(const struct builder *b, const struct addr *a)
{
	for (size_t i = 0; i < b->in->addr_count; i++)
		if (addr_ip_eq(&b->in->addrs[i], a))
			return true;
	return false;
}

struct slice
any_address(const struct builder *b)
{
	for (size_t i = 0; i < b->in->addr_count; i++)
		if (b->in->addrs[i].family == ADDR_V4)
			return S("0.0.0.0");
	return b->in->addr_count > 0 ? S("::") : S("0.0.0.0");
}

int
compare_listeners(const void *a, const void *b)
{
	const struct view_listener *const *x = a;
	const struct view_listener *const *y = b;

	return slice_cmp((*x)->name, (*y)->name);
}

void
listeners_init(struct listener_set *set)
{
	*set = (struct listener_set){.rows = {0}};
	map_init(&set->by_addr);
}

void
listeners_fini(struct listener_set *set)
{
	rows_fini(&set->rows);
	map_fini(&set->by_addr, NULL);
}

void
listeners_sort(struct listener_set *set)
{
	rows_sort(&set->rows, compare_listeners);
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
		listeners_sort(&s->listeners[i]);
}
