/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules — DestinationRules: whom their TLS trusts, whom their subsets select.
 */
#include "inside.h"

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

/* --- hosts and subsets ---------------------------------------------------- */

/* Labels that an endpoint has from where it runs. */
static bool
is_of_place(struct slice key)
{
	return slice_starts(key, S("topology.")) ||
	       slice_eq(key, S("kubernetes.io/hostname"));
}

enum { SUBSET_LABELS_MAX = 64 };

/* What a workload must have to be in the subset of this host. */
static struct labels
wanted(const struct host_fact *h, const struct subset_spec *s,
    struct label out[SUBSET_LABELS_MAX])
{
	struct labels of_entry = {NULL, 0};
	size_t n = 0;

	if (h->item != NULL && h->item->r->kind == &kind_service_entry) {
		const struct service_entry *e = h->item->r->spec;

		if (e->workload_selector != NULL)
			of_entry = e->workload_selector->labels;
	}
	for (size_t i = 0; i < s->labels.count && n < SUBSET_LABELS_MAX; i++)
		if (!is_of_place(s->labels.items[i].key))
			out[n++] = s->labels.items[i];
	/* The subset's own word counts where both say something. */
	for (size_t i = 0; i < of_entry.count && n < SUBSET_LABELS_MAX; i++)
		if (labels_get(&s->labels, of_entry.items[i].key).ptr == NULL)
			out[n++] = of_entry.items[i];
	return (struct labels){out, n};
}

static void
check_subsets(
    struct analysis *a, const struct item *it, const struct host_fact *h)
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
		if (workload_find(a, S(""), &labels, 0) == NULL)
			tell(a, "IST0173", &p,
			    "subset %.*s selects nothing: no workload has %s; "
			    "calls of it end with 503 until one has",
			    SLICE_ARG(s->name), labels_text(&labels, text));
	}
}

void
analyze_rule_hosts(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_destination_rule);

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
			check_subsets(a, it, h);
	}
}
