/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolved — endpoints that are written by a name are where that leads.
 *
 * Upstream's two ways: each address of a name is an endpoint (DNS), or the name
 * is one whose connections go to the first of its addresses by then, or to
 * the others if that is dead (DNS_ROUND_ROBIN). A view says which names it
 * needs, and who has it finds out and makes another one.
 */
#include <stdlib.h>

#include "inside.h"

/* --- what is known -------------------------------------------------------- */

static int
compare_key(const void *key, const void *row)
{
	const struct slice *name = key;

	return slice_cmp(*name, ((const struct view_name_input *)row)->name);
}

static const struct view_name_input *
find_known(const struct view_input *in, struct slice name)
{
	if (in->name_count == 0)
		return NULL;
	return bsearch(
	    &name, in->names, in->name_count, sizeof(*in->names), compare_key);
}

uint64_t
names_version(const struct view_input *in, const struct service_row *s)
{
	uint64_t h = 1;

	for (const struct name_use *u = s->names; u != NULL; u = u->next) {
		const struct view_name_input *n = find_known(in, u->name);

		h = hash_with(h, n != NULL ? n->version : 0);
	}
	return h;
}

/* --- what is needed ------------------------------------------------------- */

/* The view's row of the name, made if new; NULL when it is full. */
static struct view_name *
name_row(struct builder *b, struct slice name)
{
	struct view_name *row = map_get(&b->names, name);

	if (row != NULL)
		return row;
	row = take(b, 1, sizeof(*row));
	if (row == NULL)
		return NULL;
	row->name = name;
	(void)map_put(&b->names, name, row); /* it was not there */
	return row;
}

static void
note_use(struct builder *b, struct service_row *s, struct slice name)
{
	struct view_name *row = name_row(b, name);
	struct name_use *u;

	if (row == NULL)
		return;
	row->in_order |= s->row.resolution == VIEW_DNS_FIRST;
	u = take(b, 1, sizeof(*u));
	if (u == NULL)
		return;
	b->is_mixed = b->is_mixed || s->serving != 0;
	if (s->names == NULL && b->box == NULL)
		rows_add(&b->named, s);
	*u = (struct name_use){row->name, s->names};
	s->names = u;
}

static int
by_name(const void *x, const void *y)
{
	return slice_cmp(((const struct view_name *)x)->name,
	    ((const struct view_name *)y)->name);
}

void
keep_names(struct builder *b)
{
	struct view *v = b->v;
	struct slice name;
	void *row;

	v->names = take(b, b->names.count, sizeof(*v->names));
	if (v->names == NULL)
		return;
	for (size_t i = 0; map_next(&b->names, &i, &name, &row);)
		v->names[v->name_count++] = *(const struct view_name *)row;
	if (v->name_count > 1)
		qsort(v->names, v->name_count, sizeof(*v->names), by_name);
}

static void
use_again(struct builder *b, const struct service_row *s)
{
	for (const struct name_use *u = s->names; u != NULL; u = u->next) {
		struct view_name *row = name_row(b, u->name);

		if (row != NULL)
			row->in_order |= s->row.resolution == VIEW_DNS_FIRST;
	}
}

/* Texts of the base and of boxes stay where they are. */
void
keep_names_now(struct builder *b)
{
	struct view *v = b->v;
	struct slice host;
	void *now;

	map_init(&b->names);
	for (size_t i = 0; i < b->named.count; i++) {
		const struct service_row *s = b->named.items[i];

		if (service_now_of(b, s->row.host) == NULL)
			use_again(b, s);
	}
	for (size_t i = 0; map_next(b->services_now, &i, &host, &now);)
		if (((const struct service_now *)now)->fresh != NULL)
			use_again(b, ((const struct service_now *)now)->fresh);
	v->name_count = 0;
	keep_names(b);
	b->box->names = v->names;
	b->box->name_count = v->name_count;
	map_fini(&b->names, NULL);
}

/* --- where it leads ------------------------------------------------------- */

static void
at(struct found_endpoint *f, const struct addr *a)
{
	uint16_t port = f->in.addr.port;

	f->in.addr = *a;
	f->in.addr.port = port;
}

/* One for all: the first, and those that are tried beside it. */
static void
add_floating(struct builder *b, const struct service_row *s, struct port_row *p,
    struct found_endpoint *f, const struct view_name_input *n)
{
	struct addr *others = take(b, n->count - 1, sizeof(*others));

	for (size_t i = 1; others != NULL && i < n->count; i++) {
		others[i - 1] = n->addrs[i];
		others[i - 1].port = f->in.addr.port;
	}
	f->others = others;
	f->other_count = others != NULL ? n->count - 1 : 0;
	at(f, &n->addrs[0]);
	add_endpoint_row(b, s, p, f);
}

static void
add_nowhere(struct builder *b, const struct service_row *s, struct port_row *p,
    struct found_endpoint *f, struct slice why)
{
	f->is_awaited = why.len == 0;
	f->why_not = f->is_awaited ? take_printf(b, "%.*s is being looked up",
					 SLICE_ARG(f->name))
				   : take_printf(b, "%.*s leads nowhere: %.*s",
					 SLICE_ARG(f->name), SLICE_ARG(why));
	add_endpoint_row(b, s, p, f);
}

void
add_by_name(struct builder *b, struct service_row *s, struct port_row *p,
    const struct found_endpoint *f)
{
	struct slice name = take_lower(b, f->name);
	const struct view_name_input *n = find_known(b->in, name);
	struct found_endpoint each = *f;

	if (b->full)
		return;
	/* A patch has those of its base, and each port the same. */
	if ((b->box == NULL || b->arriving == s) && p == s->ports)
		note_use(b, s, name);
	each.floats = s->row.resolution == VIEW_DNS_FIRST;
	if (n == NULL || n->count == 0) {
		add_nowhere(b, s, p, &each, n != NULL ? n->reason : S(""));
		return;
	}
	if (each.floats) {
		add_floating(b, s, p, &each, n);
		return;
	}
	for (size_t i = 0; i < n->count; i++) {
		at(&each, &n->addrs[i]);
		each.is_further = i > 0;
		add_endpoint_row(b, s, p, &each);
	}
}
