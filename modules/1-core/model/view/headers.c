/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers — what a rule does to the headers of requests and answers.
 *
 * In the order in which it is done: what is set, then what is added, each by
 * its name, as upstream sorts them.
 */
#include <stdlib.h>

#include "actions.h"

/* --- values --------------------------------------------------------------- */

/* "%%" is the only use of the sign here. */
static struct slice
plain_value(struct builder *b, struct slice value)
{
	struct slice out = S("");

	if (format_unescape(value, b->arena, &out) != OK)
		b->full = true;
	return out;
}

static const struct view_format *
compile_format(struct builder *b, struct slice value)
{
	struct view_format *f = take(b, 1, sizeof(*f));

	if (f == NULL ||
	    format_parse(value, OPERATOR_IN_HEADER, b->arena, f) == OK)
		return f;
	b->full = true;
	return NULL;
}

/* --- names ---------------------------------------------------------------- */

static bool
is_authority(struct slice name)
{
	return slice_eq_nocase(name, S("host")) ||
	       slice_eq_nocase(name, S(":authority"));
}

/* Those that are parts of the request's first line, in one version or other. */
static bool
is_internal(struct slice name)
{
	return slice_starts(name, S(":")) || slice_eq_nocase(name, S("host"));
}

static int
by_name(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return slice_cmp(x->key, y->key);
}

static const struct label *
sorted(struct builder *b, const struct labels *l)
{
	struct label *items = take(b, l->count, sizeof(*items));

	if (items == NULL || l->count == 0)
		return items;
	memcpy(items, l->items, l->count * sizeof(*items));
	qsort(items, l->count, sizeof(*items), by_name);
	return items;
}

/* --- operations ----------------------------------------------------------- */

/* What is made of one message. */
struct operations {
	struct view_headers headers;
	struct slice authority;
	bool leaves_out; /* a name that none can have, a value nobody makes */
};

static void
add_change(struct builder *b, const struct label *l, bool append,
    struct view_header *out, struct operations *o)
{
	out->append = append;
	out->name = take_lower(b, l->key);
	if (header_value_is_computed(l->value)) {
		out->format = compile_format(b, l->value);
		o->headers.computes = true;
		if (out->format != NULL && out->format->is_inert)
			o->leaves_out = true;
	} else {
		out->value = plain_value(b, l->value);
	}
	o->headers.change_count++;
}

static void
add_changes(struct builder *b, const struct labels *l, bool append,
    struct view_header *changes, struct operations *o)
{
	const struct label *items = sorted(b, l);

	for (size_t i = 0; items != NULL && i < l->count; i++) {
		struct slice name = items[i].key;

		if (is_authority(name) && (!append || o->authority.len == 0))
			o->authority = items[i].value;
		if (is_internal(name))
			continue;
		if (is_token(name))
			add_change(b, &items[i], append,
			    &changes[o->headers.change_count], o);
		else
			o->leaves_out = true;
	}
}

static struct operations
compile_operations(struct builder *b, const struct header_operations *spec)
{
	struct operations o = {0};
	struct view_header *changes;
	struct slice *gone;

	if (spec == NULL)
		return o;
	changes = take(b, spec->set.count + spec->add.count, sizeof(*changes));
	gone = take(b, spec->remove.count, sizeof(*gone));
	if (changes == NULL || gone == NULL)
		return o;
	add_changes(b, &spec->set, /* append */ false, changes, &o);
	add_changes(b, &spec->add, /* append */ true, changes, &o);
	for (size_t i = 0; i < spec->remove.count; i++)
		if (is_token(spec->remove.items[i]) &&
		    !is_internal(spec->remove.items[i]))
			gone[o.headers.remove_count++] =
			    take_lower(b, spec->remove.items[i]);
	o.headers.changes = changes;
	o.headers.remove = gone;
	return o;
}

static void
report(struct builder *b, const struct operations *o,
    const struct header_operations *spec, const struct resource *owner)
{
	struct origin at;

	if (!o->leaves_out)
		return;
	at = origin_of(owner, spec->head.line);
	add_problem(b, &at,
	    "headers with a name that none can have, or with a value that the "
	    "proxy does not make, are left out; what was to be set is taken "
	    "out");
}

void
compile_headers(struct builder *b, const struct headers_spec *spec,
    const struct resource *owner, struct header_changes *out)
{
	struct operations request, response;

	*out = (struct header_changes){0};
	if (spec == NULL)
		return;
	request = compile_operations(b, spec->request);
	response = compile_operations(b, spec->response);
	report(b, &request, spec->request, owner);
	report(b, &response, spec->response, owner);
	out->request = request.headers;
	out->response = response.headers;
	out->authority = request.authority;
}

/* --- both levels in one --------------------------------------------------- */

void
append_headers(
    struct builder *b, const struct view_headers *more, struct view_headers *to)
{
	struct view_header *changes;
	struct slice *gone;

	if (more->change_count == 0 && more->remove_count == 0)
		return;
	changes =
	    take(b, to->change_count + more->change_count, sizeof(*changes));
	gone = take(b, to->remove_count + more->remove_count, sizeof(*gone));
	if (changes == NULL || gone == NULL)
		return;
	for (size_t i = 0; i < to->change_count; i++)
		changes[i] = to->changes[i];
	for (size_t i = 0; i < more->change_count; i++)
		changes[to->change_count + i] = more->changes[i];
	for (size_t i = 0; i < to->remove_count; i++)
		gone[i] = to->remove[i];
	for (size_t i = 0; i < more->remove_count; i++)
		gone[to->remove_count + i] = more->remove[i];
	to->changes = changes;
	to->computes = to->computes || more->computes;
	to->change_count += more->change_count;
	to->remove = gone;
	to->remove_count += more->remove_count;
}
