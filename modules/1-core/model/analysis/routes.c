/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — VirtualServices and what their routes name: hosts, ports, subsets,
 * gateways, claims.
 */
#include "routes.h"
#include "http_fields.h"

/* --- destinations --------------------------------------------------------- */

struct l4_route {
	const struct tcp_destination *items;
	size_t count;
};

static void
each_l4(const struct item *it, const char *list, size_t i, struct l4_route r,
    destination_cb each, void *arg)
{
	for (size_t j = 0; j < r.count; j++) {
		struct place p = place_at(it, &r.items[j].head,
		    "spec.%s[%zu].route[%zu].destination", list, i, j);

		each(arg, r.items[j].destination, &p, false);
	}
}

static void
each_http(const struct item *it, size_t i, const struct http_route *r,
    destination_cb each, void *arg)
{
	for (size_t j = 0; j < r->route.count; j++) {
		struct place p = place_at(it, &r->route.items[j].head,
		    "spec.http[%zu].route[%zu].destination", i, j);

		each(arg, r->route.items[j].destination, &p, false);
	}
}

static void
each_mirror(const struct item *it, size_t i, const struct http_route *r,
    destination_cb each, void *arg)
{
	if (r->mirror != NULL) {
		struct place p =
		    place_at(it, &r->mirror->head, "spec.http[%zu].mirror", i);

		each(arg, r->mirror, &p, true);
	}
	for (size_t j = 0; j < r->mirrors.count; j++) {
		struct place p = place_at(it, &r->mirrors.items[j].head,
		    "spec.http[%zu].mirrors[%zu].destination", i, j);

		each(arg, r->mirrors.items[j].destination, &p, true);
	}
}

void
each_destination(const struct item *it, destination_cb each, void *arg)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->tcp.count; i++)
		each_l4(it, "tcp", i,
		    (struct l4_route){vs->tcp.items[i].route.items,
			vs->tcp.items[i].route.count},
		    each, arg);
	for (size_t i = 0; i < vs->tls.count; i++)
		each_l4(it, "tls", i,
		    (struct l4_route){vs->tls.items[i].route.items,
			vs->tls.items[i].route.count},
		    each, arg);
	for (size_t i = 0; i < vs->http.count; i++)
		each_http(it, i, &vs->http.items[i], each, arg);
	for (size_t i = 0; i < vs->http.count; i++)
		each_mirror(it, i, &vs->http.items[i], each, arg);
}

/* One VirtualService that is being looked at. */
struct looking {
	struct analysis *a;
	const struct item *it;
};

static void
look_at_all(struct analysis *a, destination_cb each)
{
	struct item_list all = items_of(a, &kind_virtual_service);

	for (size_t i = 0; i < all.count; i++) {
		struct looking l = {a, all.items[i]};

		each_destination(all.items[i], each, &l);
	}
}

/* --- hosts and ports ------------------------------------------------------ */

static bool
has_port(const struct host_fact *h, int64_t number)
{
	for (size_t i = 0; i < h->port_count; i++)
		if (h->ports[i].number == number)
			return true;
	return false;
}

static void
check_port(struct analysis *a, const struct host_fact *h,
    const struct destination_spec *d, const struct place *p)
{
	struct place at = *p;

	place_relate(&at, h->item);
	if (d->port == NULL && h->port_count > 1)
		tell(a, "IST0112", &at,
		    "%.*s has %zu ports, so the route has to name one: "
		    "port.number",
		    SLICE_ARG(d->host), h->port_count);
	else if (d->port != NULL && !has_port(h, d->port->number))
		tell(a, "IST0101", &at, "%.*s has no port %lld",
		    SLICE_ARG(d->host), (long long)d->port->number);
}

static void
check_host_of(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror)
{
	struct looking *l = arg;
	const struct virtual_service *vs = l->it->r->spec;
	const struct host_fact *h;

	if (d == NULL) {
		tell(l->a, "IST0101", p, "the route names no host");
		return;
	}
	h = host_find(l->a, l->it->key.ns, TEXTS(vs->export_to), d->host);
	if (h != NULL)
		check_port(l->a, h, d, p);
	else
		tell(l->a, "IST0101", p,
		    "%s \"%.*s\" is not there: no service that %.*s may call "
		    "has this name",
		    mirror ? "mirror host" : "host", SLICE_ARG(d->host),
		    SLICE_ARG(l->it->key.ns));
}

void
analyze_route_hosts(struct analysis *a)
{
	if (a->facts.hosts_known)
		look_at_all(a, check_host_of);
}

/* --- subsets -------------------------------------------------------------- */

struct subset_index {
	struct looking l; /* first: what the iteration hands on */
	struct lookup subsets;
};

/*
 * Rules for the mesh's own hosts are found wherever they are; those for other
 * hosts, in the namespace of the caller, of the service, or the root.
 */
static bool
has_subset_of(
    struct subset_index *x, const struct destination_spec *d, struct slice host)
{
	const struct item *it = x->l.it;
	const struct virtual_service *vs = it->r->spec;
	const struct host_fact *h =
	    host_find(x->l.a, it->key.ns, TEXTS(vs->export_to), d->host);
	const struct slice places[] = {
	    S(""), it->key.ns, x->l.a->root_ns, h != NULL ? h->ns : it->key.ns};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (lookup_get(
			&x->subsets, LOOKUP_HASH(places[i], host, d->subset))
			.count > 0)
			return true;
	return false;
}

/* A rule for "*.x" has subsets for every host inside. */
static bool
has_subset(struct subset_index *x, const struct destination_spec *d)
{
	char spelled[HOST_TEXT_MAX], pattern[HOST_TEXT_MAX];
	struct slice p, host = host_spell(
			    d->host, x->l.it->key.ns, x->l.a->domain, spelled);
	size_t at = 0;

	while (host_next_pattern(host, &at, pattern, &p))
		if (has_subset_of(x, d, p))
			return true;
	return false;
}

static void
check_subset_of(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror)
{
	struct subset_index *x = arg;

	if (d == NULL || d->subset.len == 0 || has_subset(x, d))
		return;
	tell(x->l.a, "IST0101", p,
	    "%s+subset \"%.*s+%.*s\" is not there: no DestinationRule for the "
	    "host has such a subset",
	    mirror ? "mirror" : "host", SLICE_ARG(d->host),
	    SLICE_ARG(d->subset));
}

static bool
is_of_mesh(const struct analysis *a, struct slice host)
{
	struct service_name name;

	return name_service_parse(host, S(""), a->domain, &name) == OK;
}

static void
put_subsets(struct subset_index *x, const struct item *it)
{
	const struct destination_rule *r = it->r->spec;
	struct slice host = spell(x->l.a, r->host, it->key.ns);
	struct slice ns = is_of_mesh(x->l.a, host) ? S("") : it->key.ns;

	for (size_t i = 0; i < r->subsets.count; i++)
		lookup_put(&x->subsets,
		    LOOKUP_HASH(ns, host, r->subsets.items[i].name), r);
}

void
analyze_route_subsets(struct analysis *a)
{
	struct item_list rules = items_of(a, &kind_destination_rule);
	struct item_list routes = items_of(a, &kind_virtual_service);
	struct subset_index x = {.l.a = a};

	for (size_t i = 0; i < rules.count; i++)
		put_subsets(&x, rules.items[i]);
	lookup_sort(&x.subsets);
	for (size_t i = 0; i < routes.count; i++) {
		x.l.it = routes.items[i];
		each_destination(routes.items[i], check_subset_of, &x);
	}
	lookup_fini(&x.subsets);
}

/* --- gateways ------------------------------------------------------------- */

bool
route_is_in_mesh(const struct virtual_service *vs)
{
	return gateways_have_mesh(vs->gateways.items, vs->gateways.count);
}

/* "*" and the namespace itself let it through; without one all do. */
static bool
is_host_for(struct slice text, struct slice ns, struct slice *out)
{
	struct slice of;

	split_ref(text, S("*"), &of, out);
	return slice_eq(of, S("*")) || slice_eq(of, ns);
}

static bool
gateway_has_host(const struct gateway_fact *g, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < g->host_count; i++) {
		struct slice host;

		if (!is_host_for(g->hosts[i], it->key.ns, &host))
			continue;
		for (size_t j = 0; j < vs->hosts.count; j++)
			if (host_matches(host, vs->hosts.items[j]))
				return true;
	}
	return false;
}

/* Made by upstream from another kind; nobody may bind to it. */
static bool
is_made_from_other_kind(struct slice gateway)
{
	static const char made[] = "~istio-autogenerated-k8s-gateway~";

	return gateway.len > 0 &&
	       memmem(gateway.ptr, gateway.len, made, sizeof(made) - 1) != NULL;
}

static void
check_gateway(struct analysis *a, const struct item *it, size_t i)
{
	const struct virtual_service *vs = it->r->spec;
	struct slice text = vs->gateways.items[i];
	struct place p = place_at(it, NULL, "spec.gateways[%zu]", i);
	const struct gateway_fact *g = gateway_find(a, it->key.ns, text);

	if (is_made_from_other_kind(text)) {
		tell(a, "IST0165", &p,
		    "gateway \"%.*s\" is made from another kind; bind the "
		    "routes to that",
		    SLICE_ARG(text));
		return;
	}
	if (g == NULL)
		tell(a, "IST0101", &p, "gateway \"%.*s\" is not there",
		    SLICE_ARG(text));
	else
		place_relate(&p, g->item);
	if (g == NULL || !gateway_has_host(g, it))
		tell(a, "IST0132", &p,
		    "gateway \"%.*s\" has none of the hosts for namespace "
		    "%.*s, so no request gets here through it",
		    SLICE_ARG(text), SLICE_ARG(it->key.ns));
}

void
analyze_route_gateways(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);

	for (size_t i = 0; i < all.count; i++) {
		const struct virtual_service *vs = all.items[i]->r->spec;

		for (size_t j = 0; j < vs->gateways.count; j++)
			if (!slice_eq(vs->gateways.items[j], S("mesh")))
				check_gateway(a, all.items[i], j);
	}
}

/* --- claims --------------------------------------------------------------- */

struct claim {
	struct slice name; /* empty: none is asked for */
	size_t rule;
	size_t match;
	const struct message_head *head;
};

static struct slice
claim_of(const struct message_entry *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_claim_name(items[i].key))
			return items[i].key;
	return S("");
}

static struct claim
first_claim(const struct virtual_service *vs)
{
	for (size_t i = 0; i < vs->http.count; i++)
		for (size_t j = 0; j < vs->http.items[i].match.count; j++) {
			const struct http_match *m =
			    &vs->http.items[i].match.items[j];
			struct slice name =
			    claim_of(m->headers.items, m->headers.count);

			if (name.len == 0)
				name = claim_of(m->without_headers.items,
				    m->without_headers.count);
			if (name.len > 0)
				return (struct claim){name, i, j, &m->head};
		}
	return (struct claim){.name = S("")};
}

/* Whom the RequestAuthentications of the root and of one namespace are for. */
struct verifiers {
	struct analysis *a;
	struct lookup of_ns;
	const struct workload *without; /* the first that nobody verifies for */
};

static bool
verifies_for(
    const struct verifiers *v, struct slice ns, const struct workload *w)
{
	struct lookup_rows rows = lookup_get(&v->of_ns, LOOKUP_HASH(ns));

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct item *it = rows.rows[i].item;
		const struct request_authentication *ra = it->r->spec;

		if (slice_eq(it->key.ns, ns) &&
		    (ra->scope.selector == NULL ||
			labels_match(
			    &w->labels, &ra->scope.selector->match_labels)))
			return true;
	}
	return false;
}

static bool
find_unverified(void *arg, const struct workload *w)
{
	struct verifiers *v = arg;

	if (verifies_for(v, v->a->root_ns, w) || verifies_for(v, w->ns, w))
		return true;
	v->without = w;
	return false;
}

static void
check_claims(struct verifiers *v, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;
	struct claim c = first_claim(vs);

	for (size_t i = 0; c.name.len > 0 && i < vs->gateways.count; i++) {
		struct slice text = vs->gateways.items[i];
		const struct gateway_fact *g =
		    gateway_find(v->a, it->key.ns, text);
		const struct gateway *spec;
		struct place p = place_at(it, c.head,
		    "spec.http[%zu].match[%zu].headers", c.rule, c.match);

		if (slice_eq(text, S("mesh")) || g == NULL ||
		    g->item->r == NULL)
			continue;
		spec = g->item->r->spec;
		v->without = NULL;
		workloads_select(
		    v->a, S(""), &spec->selector, find_unverified, v);
		place_relate(&p, g->item);
		if (v->without != NULL)
			tell(v->a, "IST0149", &p,
			    "the route asks for the claim \"%.*s\", but no "
			    "RequestAuthentication verifies tokens at %.*s of "
			    "gateway %.*s",
			    SLICE_ARG(c.name), SLICE_ARG(v->without->name),
			    SLICE_ARG(text));
	}
}

void
analyze_route_claims(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_virtual_service);
	struct item_list ras = items_of(a, &kind_request_authentication);
	struct verifiers v = {.a = a};

	for (size_t i = 0; i < ras.count; i++)
		lookup_put(
		    &v.of_ns, LOOKUP_HASH(ras.items[i]->key.ns), ras.items[i]);
	lookup_sort(&v.of_ns);
	for (size_t i = 0; i < all.count; i++)
		check_claims(&v, all.items[i]);
	lookup_fini(&v.of_ns);
}
