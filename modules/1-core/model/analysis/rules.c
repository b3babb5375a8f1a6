/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — DestinationRules: whom their TLS trusts, whom their subsets select.
 */
#include "routes.h"

/* --- TLS ------------------------------------------------------------------ */

static bool
trusts_anyone(const struct destination_rule *r, const struct client_tls *t)
{
	return t != NULL &&
	       (t->mode == CLIENT_TLS_SIMPLE || t->mode == CLIENT_TLS_MUTUAL) &&
	       t->ca_certificates.len == 0 &&
	       !(t->credential_name.len > 0 && r->workload_selector != NULL);
}

static void
check_authorities(struct analysis *a, const struct item *it)
{
	const struct destination_rule *r = it->r->spec;
	const struct traffic_policy *tp = r->traffic_policy;

	if (tp == NULL)
		return;
	if (trusts_anyone(r, tp->tls)) {
		struct place p =
		    place_at(it, &tp->tls->head, "spec.trafficPolicy.tls");

		tell(a, "IST0128", &p,
		    "%.*s is not asked who it is: caCertificates are not set",
		    SLICE_ARG(r->host));
	}
	for (size_t i = 0; i < tp->port_level.count; i++) {
		const struct port_policy *port = &tp->port_level.items[i];
		struct place p =
		    place_at(it, port->tls == NULL ? NULL : &port->tls->head,
			"spec.trafficPolicy.portLevelSettings[%zu].tls", i);

		if (trusts_anyone(r, port->tls))
			tell(a, "IST0129", &p,
			    "%.*s is not asked who it is on port %lld: "
			    "caCertificates are not set",
			    SLICE_ARG(r->host),
			    (long long)(port->port == NULL
					    ? 0
					    : port->port->number));
	}
}

void
analyze_rule_authorities(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_destination_rule);

	for (size_t i = 0; i < all.count; i++)
		check_authorities(a, all.items[i]);
}

/* --- what a subset asks for ----------------------------------------------- */

/* Labels that an endpoint has from where it runs. */
static bool
is_of_place(struct slice key)
{
	return slice_starts(key, S("topology.")) ||
	       slice_eq(key, S("kubernetes.io/hostname"));
}

enum { SUBSET_LABELS_MAX = 64 };

/* Without those of its place: what a workload says of itself. */
static struct labels
own_labels(const struct subset_spec *s, struct label out[SUBSET_LABELS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < s->labels.count && n < SUBSET_LABELS_MAX; i++)
		if (!is_of_place(s->labels.items[i].key))
			out[n++] = s->labels.items[i];
	return (struct labels){out, n};
}

/* What a workload must have to be in the subset of this host. */
static struct labels
wanted(const struct host_fact *h, const struct subset_spec *s,
    struct label out[SUBSET_LABELS_MAX])
{
	struct labels of_entry = {NULL, 0};
	size_t n = own_labels(s, out).count;

	if (h->item != NULL && h->item->r->kind == &kind_service_entry) {
		const struct service_entry *e = h->item->r->spec;

		if (e->workload_selector != NULL)
			of_entry = e->workload_selector->labels;
	}
	/* The subset's own word counts where both say something. */
	for (size_t i = 0; i < of_entry.count && n < SUBSET_LABELS_MAX; i++)
		if (labels_get(&s->labels, of_entry.items[i].key).ptr == NULL)
			out[n++] = of_entry.items[i];
	return (struct labels){out, n};
}

/* --- subsets that routes lead to ------------------------------------------ */

/* Which VirtualService leads to a subset. */
struct leading {
	struct analysis *a;
	const struct item *it; /* the one that is looked at */
	struct lookup of_subset;
};

static uint64_t
subset_hash(struct slice host, struct slice subset)
{
	return LOOKUP_HASH(host, subset);
}

static void
add_leading(void *arg, const struct destination_spec *d, const struct place *p,
    bool mirror)
{
	struct leading *l = arg;

	(void)p;
	(void)mirror;
	if (d != NULL && d->subset.len > 0)
		lookup_put(&l->of_subset,
		    subset_hash(spell(l->a, d->host, l->it->key.ns), d->subset),
		    l->it);
}

static void
collect_leading(struct leading *l)
{
	struct item_list all = items_of(l->a, &kind_virtual_service);

	for (size_t i = 0; i < all.count; i++) {
		l->it = all.items[i];
		each_destination(l->it, add_leading, l);
	}
	lookup_sort(&l->of_subset);
}

/* --- who serves a host ---------------------------------------------------- */

static bool
is_offered_as(const struct workload *w, struct slice name)
{
	return w->living != NULL && slice_eq(w->living->name, name);
}

static bool
serves(const struct host_fact *h, const struct workload *w)
{
	const struct resource *r = h->item != NULL ? h->item->r : NULL;

	if (r == NULL)
		return is_offered_as(w, h->text);
	if (r->kind == &kind_service) {
		const struct service_spec *s = r->spec;

		return s->selector.count > 0
			   ? labels_match(&w->labels, &s->selector)
			   : is_offered_as(w, r->key.name);
	} else {
		const struct service_entry *e = r->spec;

		if (w->flags & WORKLOAD_INLINE)
			return w->item == h->item;
		return e->workload_selector != NULL &&
		       labels_match(&w->labels, &e->workload_selector->labels);
	}
}

struct serving {
	const struct host_fact *h;
	bool found;
	bool healthy;
};

static bool
take_serving(void *arg, const struct workload *w)
{
	struct serving *x = arg;

	if (!serves(x->h, w))
		return true;
	x->found = true;
	x->healthy = w->flags & WORKLOAD_HEALTHY;
	return !x->healthy;
}

/* Whether somebody with these labels serves the host, and is healthy. */
static struct serving
who_serves(const struct analysis *a, const struct host_fact *h,
    const struct labels *labels)
{
	struct serving x = {.h = h};

	workloads_select(a, h->ns, labels, take_serving, &x);
	return x;
}

/*
 * Of a host that nobody healthy serves, that is told already; of one that
 * nobody serves, nobody knows how it is served.
 */
static void
check_served(struct leading *l, struct place *p, const struct host_fact *h,
    const struct subset_spec *s)
{
	const struct destination_rule *r = p->item->r->spec;
	const struct labels none = {NULL, 0};
	struct label room[SUBSET_LABELS_MAX];
	struct labels labels = own_labels(s, room);
	struct lookup_rows routes = lookup_get(&l->of_subset,
	    subset_hash(spell(l->a, r->host, p->item->key.ns), s->name));
	char text[LABELS_TEXT_MAX];
	struct serving x;

	if (routes.count == 0 || !who_serves(l->a, h, &none).healthy)
		return;
	x = who_serves(l->a, h, &labels);
	if (x.healthy)
		return;
	for (size_t i = 0; i < MIN(routes.count, ANALYSIS_RELATED_MAX); i++)
		place_relate(p, routes.rows[i].item);
	tell(l->a, "MSH0103", p,
	    "subset %.*s has no %sendpoint, and a route leads there: no %s"
	    "workload of %.*s has %s",
	    SLICE_ARG(s->name), x.found ? "healthy " : "",
	    x.found ? "healthy " : "", SLICE_ARG(h->text),
	    labels_text(&labels, text));
}

/* --- hosts and subsets ---------------------------------------------------- */

static void
check_subsets(
    struct leading *l, const struct item *it, const struct host_fact *h)
{
	const struct destination_rule *r = it->r->spec;

	for (size_t i = 0; i < r->subsets.count; i++) {
		const struct subset_spec *s = &r->subsets.items[i];
		struct label room[SUBSET_LABELS_MAX];
		struct labels labels = wanted(h, s, room);
		struct place p = place_at(it, &s->head, "spec.subsets[%zu]", i);
		char text[LABELS_TEXT_MAX];

		place_relate(&p, h->item);
		p.passing = true;
		if (workload_find(l->a, S(""), &labels, 0) == NULL)
			tell(l->a, "IST0173", &p,
			    "subset %.*s selects nothing: no workload has %s; "
			    "calls of it end with 503 until one has",
			    SLICE_ARG(s->name), labels_text(&labels, text));
		else
			check_served(l, &p, h, s);
	}
}

void
analyze_rule_hosts(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_destination_rule);
	struct leading l = {.a = a};

	collect_leading(&l);
	for (size_t i = 0; a->facts.hosts_known && i < all.count; i++) {
		const struct item *it = all.items[i];
		const struct destination_rule *r = it->r->spec;
		const struct host_fact *h =
		    host_find(a, it->key.ns, TEXTS(r->export_to), r->host);
		struct place p = place_at(it, NULL, "spec.host");

		if (h == NULL)
			tell(a, "IST0174", &p,
			    "host \"%.*s\" is no service that %.*s may call",
			    SLICE_ARG(r->host), SLICE_ARG(it->key.ns));
		else if (a->facts.workloads_known)
			check_subsets(&l, it, h);
	}
	lookup_fini(&l.of_subset);
}
