/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery — one compilation from end to end, and the lists that it grows.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

enum { PILE_FIRST = 16, REPORT_MAX = 1024 };

void *
pile_add(struct compiler *c, struct pile *l, size_t size)
{
	size_t cap = MAX(PILE_FIRST, l->cap * 2);
	void *items;

	if (c->err != OK)
		return NULL;
	if (l->count == l->cap) {
		items = arena_alloc_array(c->arena, cap, size);
		if (items == NULL) {
			c->err = ERR_NO_MEMORY;
			return NULL;
		}
		if (l->count > 0)
			memcpy(items, l->items, l->count * size);
		l->items = items;
		l->cap = cap;
	}
	return (char *)l->items + l->count++ * size;
}

void
report(struct compiler *c, const char *fmt, ...)
{
	char text[REPORT_MAX];
	struct slice *s;
	va_list args;

	if (c->conflicts.count >= DISCOVERY_CONFLICTS_MAX) {
		c->conflicts_dropped++;
		return;
	}
	s = pile_add(c, &c->conflicts, sizeof(*s));
	if (s == NULL)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut if too long */
	va_end(args);
	if (arena_copy(c->arena, slice_str(text), s) != OK)
		c->err = ERR_NO_MEMORY;
}

static int
text_cmp(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return slice_cmp(*x, *y);
}

static int
exposed_cmp(const void *pa, const void *pb)
{
	const struct view_exposed_input *a = pa, *b = pb;
	int n = slice_cmp(a->ns, b->ns);

	if (n == 0)
		n = slice_cmp(a->service, b->service);
	return n != 0 ? n : (int)a->port - (int)b->port;
}

/* Whatever address of ours a caller used: the port alone decides. */
static struct addr
any_ip(uint16_t port)
{
	return (struct addr){.family = ADDR_V6, .port = port};
}

static const struct view_exposed_input *
expose_locals(struct compiler *c)
{
	const struct discovery_input *in = c->in;
	struct view_exposed_input *rows =
	    arena_alloc_array(c->arena, MAX(in->local_count, 1), sizeof(*rows));

	if (rows == NULL) {
		c->err = ERR_NO_MEMORY;
		return NULL;
	}
	for (size_t i = 0; i < in->local_count; i++) {
		const struct discovery_local *l = &in->locals[i];

		rows[i] = (struct view_exposed_input){.service = l->name,
		    .ns = l->ns,
		    .port = l->port,
		    .protocol = l->protocol,
		    .addr = any_ip(l->port),
		    .target = l->target,
		    .account = l->account,
		    .labels = l->labels};
	}
	qsort(rows, in->local_count, sizeof(*rows), exposed_cmp);
	return rows;
}

MUST_USE enum err
discovery_compile(const struct discovery_input *in, struct arena *arena,
    struct discovery_output *out)
{
	struct compiler c = {.in = in, .arena = arena};
	const struct view_exposed_input *exposed;

	collect_workloads(&c);
	match_workloads(&c);
	exposed = expose_locals(&c);
	if (c.conflicts.count > 0)
		qsort(c.conflicts.items, c.conflicts.count,
		    sizeof(struct slice), text_cmp);
	if (c.err != OK)
		return c.err;
	*out = (struct discovery_output){.services = c.services.items,
	    .service_count = c.services.count,
	    .endpoints = c.endpoints.items,
	    .endpoint_count = c.endpoints.count,
	    .exposed = exposed,
	    .exposed_count = in->local_count,
	    .conflicts = c.conflicts.items,
	    .conflict_count = c.conflicts.count,
	    .conflicts_dropped = c.conflicts_dropped};
	return OK;
}
