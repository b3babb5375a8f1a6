/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_hosts — VirtualServices that get into each other's way: one host twice
 * inside the mesh, and subsets that only the mesh's own routes choose.
 */
#include "routes.h"

/* --- one host, several VirtualServices ------------------------------------ */

/* A host of a VirtualService, as one namespace sees it. */
struct claim {
	struct slice scope; /* a namespace, or "*" */
	struct slice host;
	struct slice text; /* as it was written */
	const struct item *it;
};

struct claims {
	struct analysis *a;
	FACTS_OF(struct claim) all;
	FACTS_OF(const struct claim *) shared; /* of everybody */
	FACTS_OF(const struct claim *) wide;   /* of these, with a star */
	struct lookup of_host;                 /* scope and host */
	bool *told;                            /* of each item */
};

static void
add_claims(struct claims *c, const struct item *it, struct slice scope)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->hosts.count; i++)
		*FACTS_PUSH(&c->all) = (struct claim){.scope = scope,
		    .host = spell(c->a, vs->hosts.items[i], it->key.ns),
		    .text = vs->hosts.items[i],
		    .it = it};
}

static void
add_item(struct claims *c, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;
	struct texts scopes = TEXTS(vs->export_to);

	if (!route_is_in_mesh(vs))
		return;
	if (scopes.count == 0 ||
	    slice_is_among(S("*"), scopes.items, scopes.count)) {
		add_claims(c, it, S("*"));
		return;
	}
	for (size_t i = 0; i < scopes.count; i++) {
		struct texts before = {scopes.items, i};
		bool own = slice_eq(scopes.items[i], S("."));

		if (slice_is_among(
			scopes.items[i], before.items, before.count) ||
		    (!own && slice_eq(scopes.items[i], it->key.ns) &&
			slice_is_among(S("."), before.items, before.count)))
			continue;
		add_claims(c, it, own ? it->key.ns : scopes.items[i]);
	}
}

static bool *
is_told(const struct claims *c, const struct claim *x)
{
	return &c->told[x->it - c->a->items.items];
}

static void
tell_conflict(
    struct claims *c, const struct claim *x, const struct claim *other)
{
	struct place p = place_at(x->it, NULL, "spec.hosts");
	char text[RESOURCE_KEY_MAX];

	if (*is_told(c, x))
		return;
	*is_told(c, x) = true;
	place_relate(&p, other->it);
	tell(c->a, "IST0109", &p,
	    "%s has the host %.*s inside the mesh, too, and only one of them "
	    "is used; put their routes into one VirtualService",
	    resource_key_format(&other->it->key, text), SLICE_ARG(x->text));
}

/* Both sides hear of it; of each VirtualService once. */
static void
check_pair(struct claims *c, const struct claim *x, const struct claim *other)
{
	if (x->it == other->it)
		return;
	tell_conflict(c, x, other);
	tell_conflict(c, other, x);
}

/* `until_told`: those of the same scope find each other by themselves. */
static void
check_exact(struct claims *c, const struct claim *x, struct slice scope,
    bool until_told)
{
	struct lookup_rows rows =
	    lookup_get(&c->of_host, LOOKUP_HASH(scope, x->host));

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct claim *other = rows.rows[i].item;

		if (until_told && *is_told(c, x))
			return;
		if (slice_eq(other->host, x->host) &&
		    slice_eq(other->scope, scope))
			check_pair(c, x, other);
	}
}

/* "a.org" is no service of namespace org where stars are about. */
static struct slice
full(const struct claim *x)
{
	return slice_find(x->text, '.') < x->text.len ||
		       slice_starts(x->text, S("*"))
		   ? x->text
		   : x->host;
}

/*
 * What is for some only, against what is for everybody: a star on either side
 * stands for any text.
 */
static void
check_wide(struct claims *c, const struct claim *x)
{
	bool star = slice_starts(x->host, S("*"));
	const struct claim *const *all = star ? c->shared.items : c->wide.items;
	size_t count = star ? c->shared.count : c->wide.count;

	for (size_t i = 0; i < MIN(count, SELECTED_MAX); i++)
		if (host_matches(full(all[i]), full(x)))
			check_pair(c, x, all[i]);
}

void
analyze_mesh_hosts(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);
	struct claims c = {.a = a,
	    .told = mem_new_array(MAX(a->items.count, 1), sizeof(bool))};

	for (size_t i = 0; i < all.count; i++)
		add_item(&c, all.items[i]);
	for (size_t i = 0; i < c.all.count; i++) {
		struct claim *x = &c.all.items[i];

		lookup_put(&c.of_host, LOOKUP_HASH(x->scope, x->host), x);
		if (!slice_eq(x->scope, S("*")))
			continue;
		*FACTS_PUSH(&c.shared) = x;
		if (slice_starts(x->host, S("*")))
			*FACTS_PUSH(&c.wide) = x;
	}
	lookup_sort(&c.of_host);
	for (size_t i = 0; i < c.all.count; i++) {
		const struct claim *x = &c.all.items[i];

		check_exact(&c, x, x->scope, /* until_told */ true);
		if (slice_eq(x->scope, S("*")))
			continue;
		check_exact(&c, x, S("*"), /* until_told */ false);
		check_wide(&c, x);
	}
	mem_free(&c.all.items);
	mem_free(&c.shared.items);
	mem_free(&c.wide.items);
	lookup_fini(&c.of_host);
	mem_free(&c.told);
}

/* --- subsets and gateways ------------------------------------------------- */

/* A host whose own VirtualService leads to a subset of it. */
struct chosen {
	struct slice host;
	const struct item *it;
};

struct choices {
	struct analysis *a;
	FACTS_OF(struct chosen) all;
	struct lookup of_host;
	const struct item *it; /* that is being looked at */
};

static bool
is_about(struct choices *c, struct slice host)
{
	const struct virtual_service *vs = c->it->r->spec;
	char text[HOST_TEXT_MAX];

	for (size_t i = 0; i < vs->hosts.count; i++)
		if (slice_eq(host, host_spell(vs->hosts.items[i], c->it->key.ns,
				       c->a->domain, text)))
			return true;
	return false;
}

static void
add_choice(void *arg, const struct destination_spec *d, const struct place *p,
    bool mirror)
{
	struct choices *c = arg;
	struct slice host;

	(void)p;
	if (mirror || d == NULL || d->subset.len == 0)
		return;
	host = spell(c->a, d->host, c->it->key.ns);
	if (is_about(c, host))
		*FACTS_PUSH(&c->all) = (struct chosen){host, c->it};
}

static void
check_choice(void *arg, const struct destination_spec *d, const struct place *p,
    bool mirror)
{
	struct choices *c = arg;
	char text[HOST_TEXT_MAX], key[RESOURCE_KEY_MAX];
	struct lookup_rows rows;
	struct slice host;

	if (mirror || d == NULL || d->subset.len > 0)
		return;
	host = host_spell(d->host, c->it->key.ns, c->a->domain, text);
	rows = lookup_get(&c->of_host, LOOKUP_HASH(host));
	for (size_t i = 0; i < MIN(rows.count, ANALYSIS_RELATED_MAX); i++) {
		const struct chosen *x = rows.rows[i].item;
		struct place at = place_at(c->it, NULL, "spec.http");

		if (!slice_eq(x->host, host))
			continue;
		at.line = p->line; /* said once, of the first route */
		place_relate(&at, x->it);
		tell(c->a, "IST0140", &at,
		    "%s chooses a subset of %.*s, which has no effect on "
		    "requests that come through a gateway and are routed here",
		    resource_key_format(&x->it->key, key), SLICE_ARG(d->host));
	}
}

static bool
is_http(const struct place *p)
{
	return slice_starts(slice_str(p->field), S("spec.http"));
}

static void
add_http_choice(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror)
{
	if (is_http(p))
		add_choice(arg, d, p, mirror);
}

static void
check_http_choice(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror)
{
	if (is_http(p))
		check_choice(arg, d, p, mirror);
}

void
analyze_subset_at_ingress(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);
	struct choices c = {.a = a};

	for (size_t i = 0; i < all.count; i++) {
		c.it = all.items[i];
		each_destination(c.it, add_http_choice, &c);
	}
	for (size_t i = 0; i < c.all.count; i++)
		lookup_put(&c.of_host, LOOKUP_HASH(c.all.items[i].host),
		    &c.all.items[i]);
	lookup_sort(&c.of_host);
	for (size_t i = 0; i < all.count; i++) {
		const struct virtual_service *vs = all.items[i]->r->spec;

		c.it = all.items[i];
		if (vs->gateways.count > 0)
			each_destination(c.it, check_http_choice, &c);
	}
	mem_free(&c.all.items);
	lookup_fini(&c.of_host);
}
