/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delegates — rules that are left out, as their delegate is not there or asks
 * for what its root does not let through.
 */
#include "../view/delegates.h"

#include "routes.h"

enum { KEY_BYTES = 2 * NAME_HOST_MAX + 2 };

static struct slice
key_of(struct slice ns, struct slice name, char out[KEY_BYTES])
{
	return slice_join(SLICES(ns, S("/"), name), out, KEY_BYTES);
}

static bool
is_exported_to(const struct item *it, struct slice ns)
{
	const struct virtual_service *vs = it->r->spec;
	struct texts to = TEXTS(vs->export_to);

	return to.count == 0 || slice_is_among(S("*"), to.items, to.count) ||
	       slice_is_among(ns, to.items, to.count) ||
	       (slice_eq(ns, it->key.ns) &&
		   slice_is_among(S("."), to.items, to.count));
}

static bool
names_gateways(const struct http_route *r)
{
	for (size_t i = 0; i < r->match.count; i++)
		if (r->match.items[i].gateways.count > 0)
			return true;
	return false;
}

static void
check_rules(struct analysis *a, const struct item *root,
    const struct http_route *of, const struct item *delegate)
{
	const struct virtual_service *vs = delegate->r->spec;
	char key[RESOURCE_KEY_MAX];

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct http_route *r = &vs->http.items[i];
		struct place p =
		    place_at(delegate, &r->head, "spec.http[%zu]", i);

		/* Those may be written in another way there. */
		if (names_gateways(r) || delegate_fits(of, r))
			continue;
		place_relate(&p, root);
		tell(a, "MSH0101", &p,
		    "can never match: what it asks for is not within what %s "
		    "lets through to it",
		    resource_key_format(&root->key, key));
	}
}

static void
check(struct analysis *a, const struct map *by_name, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->http.count; i++) {
		const struct delegate_spec *d = vs->http.items[i].delegate;
		const struct item *to;
		char key[KEY_BYTES];
		struct place p;

		if (d == NULL)
			continue;
		p = place_at(it, &d->head, "spec.http[%zu].delegate", i);
		to = map_get(by_name,
		    key_of(d->ns.len > 0 ? d->ns : it->key.ns, d->name, key));
		if (to == NULL)
			tell(a, "MSH0101", &p,
			    "can never match: the delegate %.*s is not there",
			    SLICE_ARG(d->name));
		else if (!is_exported_to(to, it->key.ns))
			tell(a, "MSH0101", &p,
			    "can never match: the delegate %.*s is not "
			    "exported to it",
			    SLICE_ARG(d->name));
		else
			check_rules(a, it, &vs->http.items[i], to);
	}
}

void
analyze_delegates(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);
	struct map by_name;

	map_init(&by_name);
	for (size_t i = 0; i < all.count; i++) {
		const struct item *it = all.items[i];
		const struct virtual_service *vs = it->r->spec;
		char key[KEY_BYTES];

		if (vs->hosts.count == 0) /* what a delegate is */
			(void)map_put(&by_name,
			    keep_text(a, key_of(it->key.ns, it->key.name, key)),
			    (void *)(uintptr_t)it); /* the last counts */
	}
	for (size_t i = 0; i < all.count; i++)
		check(a, &by_name, all.items[i]);
	map_fini(&by_name, NULL);
}
