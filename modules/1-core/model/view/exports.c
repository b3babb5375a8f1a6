/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exports — who sees a resource.
 */
#include "inside.h"

struct names {
	const struct slice *items;
	size_t count;
};

#define NAMES(list) ((struct names){(list).items, (list).count})

/* Of a Service an annotation says it, by commas; true if that has `what`. */
static bool
annotation_has(const struct resource *r, struct slice what)
{
	struct slice rest =
	    labels_get(&r->annotations, S("networking.istio.io/exportTo"));

	while (rest.len > 0)
		if (slice_eq(slice_trim(slice_split(&rest, ',')), what))
			return true;
	return false;
}

static bool
is_annotated(const struct resource *r)
{
	return r->kind == &kind_service &&
	       labels_get(&r->annotations, S("networking.istio.io/exportTo"))
		       .len > 0;
}

/* What is written on the resource, else for its kind; nothing: everybody. */
static struct names
names_of(const struct builder *b, const struct resource *r)
{
	const struct mesh_config *m = b->mesh;
	struct names own = {NULL, 0}, otherwise = {NULL, 0};

	if (r->kind == &kind_virtual_service) {
		own = NAMES(resource_virtual_service(r)->export_to);
		otherwise = NAMES(m->virtual_service_export_to);
	} else if (r->kind == &kind_destination_rule) {
		own = NAMES(resource_destination_rule(r)->export_to);
		otherwise = NAMES(m->destination_rule_export_to);
	} else if (r->kind == &kind_service_entry) {
		own = NAMES(((const struct service_entry *)r->spec)->export_to);
		otherwise = NAMES(m->service_export_to);
	} else {
		otherwise = NAMES(m->service_export_to);
	}
	return own.count > 0 ? own : otherwise;
}

/* Where it is written, whatever that is; of none everybody. */
static bool
says(const struct builder *b, const struct resource *r, struct slice what)
{
	struct names written = names_of(b, r);

	return is_annotated(r)
		   ? annotation_has(r, what)
		   : slice_is_among(what, written.items, written.count);
}

static bool
is_public(const struct builder *b, const struct resource *r)
{
	return says(b, r, S("*")) ||
	       (!is_annotated(r) && names_of(b, r).count == 0);
}

bool
is_exported(const struct builder *b, const struct resource *r, struct slice ns)
{
	return is_public(b, r) || says(b, r, ns) ||
	       (says(b, r, S(".")) && slice_eq(r->key.ns, ns));
}

bool
exports_cover(const struct slice *list, size_t count,
    const struct slice *wanted, size_t wanted_count)
{
	for (size_t i = 0; i < wanted_count; i++)
		if (!slice_is_among(wanted[i], list, count))
			return false;
	return true;
}

enum sight
sight_of(const struct builder *b, const struct resource *r, struct slice ns)
{
	if (is_public(b, r))
		return SIGHT_PUBLIC;
	if (!is_exported(b, r, ns))
		return SIGHT_NONE;
	return slice_eq(r->key.ns, ns) ? SIGHT_PRIVATE : SIGHT_NAMED;
}
