/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies — whom policies are for, and where keys of tokens come from.
 */
#include <stdio.h>

#include "inside.h"

/* --- whom they are for ---------------------------------------------------- */

/* A policy of the root namespace is for all of them. */
static struct slice
reach(const struct analysis *a, const struct item *it)
{
	return slice_eq(it->key.ns, a->root_ns) ? S("") : it->key.ns;
}

/* Of those that have a proxy, or are in ambient mode. */
static bool
is_for_somebody(
    const struct analysis *a, struct slice ns, const struct labels *labels)
{
	return workload_find(a, ns, labels, WORKLOAD_IN_MESH) != NULL ||
	       workload_find(a, ns, labels, WORKLOAD_AMBIENT) != NULL;
}

static void
check_authorized(struct analysis *a, const struct item *it)
{
	const struct authorization_policy *p = it->r->spec;
	struct labels labels = {NULL, 0};
	struct slice ns = reach(a, it);
	char text[LABELS_TEXT_MAX];
	struct place at = place_at(it, NULL, "spec.selector");

	if (p->scope.selector != NULL)
		labels = p->scope.selector->match_labels;
	else if (ns.len == 0)
		return; /* the whole mesh */
	if (!is_for_somebody(a, ns, &labels))
		tell(a, "IST0127", &at,
		    "is for nobody: no workload of %s%.*s has %s",
		    ns.len > 0 ? "namespace " : "the mesh", SLICE_ARG(ns),
		    labels_text(&labels, text));
}

/* --- namespaces that they name -------------------------------------------- */

/* "shop", "*shop", "shop*" or "*". */
static bool
namespace_fits(struct slice ns, struct slice pattern)
{
	if (slice_eq(pattern, S("*")))
		return true;
	if (slice_starts(pattern, S("*")))
		return slice_ends(ns, slice_sub(pattern, 1, pattern.len));
	if (slice_ends(pattern, S("*")))
		return slice_starts(ns, slice_sub(pattern, 0, pattern.len - 1));
	return slice_eq_nocase(ns, pattern);
}

static bool
is_namespace(const struct analysis *a, struct slice pattern)
{
	if (namespace_find(a, pattern) != NULL)
		return true;
	for (size_t i = 0; i < MIN(a->facts.namespaces.count, SELECTED_MAX);
	     i++)
		if (namespace_fits(a->facts.namespaces.items[i].name, pattern))
			return true;
	return false;
}

static void
check_namespaces(struct analysis *a, const struct item *it,
    const struct authz_source *s, struct texts names, const char *field)
{
	for (size_t i = 0; i < names.count; i++) {
		struct place p = place_at(it, &s->head, "%s[%zu]", field, i);

		if (!is_namespace(a, names.items[i]))
			tell(a, "IST0101", &p,
			    "namespace \"%.*s\" is not there",
			    SLICE_ARG(names.items[i]));
	}
}

static void
check_sources(struct analysis *a, const struct item *it, size_t i,
    const struct authz_rule *r)
{
	for (size_t j = 0; j < r->from.count; j++) {
		const struct authz_source *s = r->from.items[j].source;
		char field[FAULT_FIELD_MAX];

		if (s == NULL)
			continue;
		(void)snprintf(field, sizeof(field),
		    "spec.rules[%zu].from[%zu].source.namespaces", i, j);
		check_namespaces(a, it, s, TEXTS(s->namespaces), field);
		(void)snprintf(field, sizeof(field),
		    "spec.rules[%zu].from[%zu].source.notNamespaces", i, j);
		check_namespaces(a, it, s, TEXTS(s->not_namespaces), field);
	}
}

void
analyze_authorization(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_authorization_policy);

	for (size_t i = 0; i < all.count; i++) {
		const struct item *it = all.items[i];
		const struct authorization_policy *p = it->r->spec;

		if (a->facts.workloads_known)
			check_authorized(a, it);
		/* Without any Namespace it is unknown which there are. */
		for (size_t j = 0;
		     a->facts.namespaces.count > 0 && j < p->rules.count; j++)
			check_sources(a, it, j, &p->rules.items[j]);
	}
}

/* --- other policies ------------------------------------------------------- */

/* Whom a resource is for, whatever its kind; NULL: it has no selector. */
static const struct labels *
labels_of(const struct resource *r, const char **out_field)
{
	const struct resource_kind *k = r->kind;
	const struct policy_selector *s = NULL;

	*out_field = "spec.selector";
	if (k == &kind_peer_authentication)
		s = ((const struct peer_authentication *)r->spec)->selector;
	else if (k == &kind_request_authentication)
		s = ((const struct request_authentication *)r->spec)
			->scope.selector;
	else if (k == &kind_authorization_policy)
		s = ((const struct authorization_policy *)r->spec)
			->scope.selector;
	else if (k == &kind_wasm_plugin)
		s = ((const struct wasm_plugin *)r->spec)->scope.selector;
	else if (k == &kind_traffic_extension)
		s = ((const struct traffic_extension *)r->spec)->scope.selector;
	else if (k == &kind_telemetry)
		s = ((const struct telemetry_spec *)r->spec)->scope.selector;
	else if (k == &kind_proxy_config)
		s = ((const struct proxy_config *)r->spec)->selector;
	else if (k == &kind_destination_rule) {
		*out_field = "spec.workloadSelector";
		s = ((const struct destination_rule *)r->spec)
			->workload_selector;
	}
	return s != NULL ? &s->match_labels : NULL;
}

bool
selector_of(const struct resource *r, struct labels *out)
{
	const struct sidecar *sidecar = r->spec;
	const struct labels *l;
	const char *field;

	if (r->kind == &kind_sidecar) {
		if (sidecar->workload_selector == NULL)
			return false;
		*out = sidecar->workload_selector->labels;
		return true;
	}
	l = labels_of(r, &field);
	if (l == NULL)
		return false;
	*out = *l;
	return true;
}

static const struct resource_kind *const idle_kinds[] = {
    &kind_peer_authentication,
    &kind_request_authentication,
    &kind_wasm_plugin,
    &kind_traffic_extension,
    &kind_proxy_config,
    &kind_destination_rule,
};

void
analyze_idle_policies(struct analysis *a)
{
	for (size_t k = 0;
	     a->facts.workloads_known && k < ARRAY_LEN(idle_kinds); k++) {
		struct item_list all = items_of(a, idle_kinds[k]);

		for (size_t i = 0; i < all.count; i++) {
			const char *field;
			const struct labels *l =
			    labels_of(all.items[i]->r, &field);
			struct place p =
			    place_at(all.items[i], NULL, "%s", field);
			char text[LABELS_TEXT_MAX];

			if (l != NULL && l->count > 0 &&
			    workload_find(a, reach(a, all.items[i]), l, 0) ==
				NULL)
				tell(a, "MSH0104", &p,
				    "is for nobody: no workload that it could "
				    "be for has %s",
				    labels_text(l, text));
		}
	}
}

/* --- where keys come from ------------------------------------------------- */

/* The host of "https://host:port/path", brackets taken away. */
static struct slice
host_of_uri(struct slice uri)
{
	struct slice rest = uri, host;
	size_t end;

	(void)slice_split(&rest, ':');
	while (slice_starts(rest, S("/")))
		rest = slice_sub(rest, 1, rest.len);
	host = slice_split(&rest, '/');
	end = slice_rfind(host, '@');
	if (end < host.len)
		host = slice_sub(host, end + 1, host.len);
	if (slice_starts(host, S("[")))
		return slice_sub(host, 1, slice_find(host, ']') - 1);
	return slice_sub(host, 0, slice_find(host, ':'));
}

/* Addresses that mean something else to whoever fetches. */
static bool
is_inward(struct slice host)
{
	static const char *const ranges[] = {"0.0.0.0/8", "127.0.0.0/8",
	    "169.254.0.0/16", "::/127", "fe80::/10"};
	struct addr addr;

	if (slice_eq_nocase(host, S("localhost")))
		return true;
	if (addr_parse_ip(host, &addr) != OK)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct cidr c;

		if (cidr_parse(slice_str(ranges[i]), &c) == OK &&
		    cidr_contains(&c, &addr))
			return true;
	}
	return false;
}

static void
check_key_uris(struct analysis *a, const struct item *it)
{
	const struct request_authentication *ra = it->r->spec;

	for (size_t i = 0; i < ra->jwt_rules.count; i++) {
		const struct jwt_rule *r = &ra->jwt_rules.items[i];
		struct place p =
		    place_at(it, &r->head, "spec.jwtRules[%zu].jwksUri", i);

		if (is_inward(host_of_uri(r->jwks_uri)))
			tell(a, "IST0175", &p,
			    "keys would be fetched from %.*s, which leads to "
			    "whoever fetches, or to the machine's own metadata",
			    SLICE_ARG(host_of_uri(r->jwks_uri)));
	}
}

static bool
has_limit(const struct value *containers)
{
	VALUE_EACH(containers, c)
	{
		VALUE_EACH(value_get(c, S("env")), e)
		{
			if (slice_eq(value_get_string(e, S("name"), S("")),
				S("BLOCKED_CIDRS_IN_JWKS_URIS")) &&
			    value_get_string(e, S("value"), S("")).len > 0)
				return true;
		}
	}
	return false;
}

/* Upstream's control plane fetches them from anywhere unless told not to. */
static void
check_control_plane(struct analysis *a, const struct item *it, size_t rules)
{
	struct place p = place_at(it, NULL, "spec.template.spec.containers");
	struct slice app = value_get_string(
	    value_get_path(it->tree, S("metadata.labels")), S("app"), S(""));

	if (!slice_eq(app, S("istiod")) ||
	    has_limit(
		value_get_path(it->tree, S("spec.template.spec.containers"))))
		return;
	tell(a, "IST0175", &p,
	    "keys for %zu RequestAuthentication%s are fetched from anywhere: "
	    "BLOCKED_CIDRS_IN_JWKS_URIS is not set",
	    rules, rules == 1 ? "" : "s");
}

void
analyze_key_fetching(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_request_authentication);

	for (size_t i = 0; i < all.count; i++)
		check_key_uris(a, all.items[i]);
	for (size_t i = 0; all.count > 0 && i < a->items.count; i++)
		if (a->items.items[i].r == NULL &&
		    slice_eq(a->items.items[i].key.kind, S("Deployment")))
			check_control_plane(a, &a->items.items[i], all.count);
}
