/* SPDX-License-Identifier: Apache-2.0 */
/*
 * living — certificates and their end, services and what serves them.
 */
#include "inside.h"

/* --- certificates --------------------------------------------------------- */

enum { DAY_MS = 86400000, SECRET_DAYS = 14 };

static void
tell_end(struct analysis *a, const struct item *it, const char *field,
    int64_t left_ms)
{
	struct place p = place_at(it, NULL, "%s", field);

	if (left_ms < 0)
		tell(a, "MSH0102", &p, "the certificate has expired");
	else if (left_ms < DAY_MS)
		tell(a, "MSH0102", &p,
		    "the certificate expires in less than a day");
	else
		tell(a, "MSH0102", &p, "the certificate expires in %lld day%s",
		    (long long)(left_ms / DAY_MS),
		    left_ms < 2 * (int64_t)DAY_MS ? "" : "s");
}

static void
check_secret(struct analysis *a, const struct secret_fact *s)
{
	int64_t from, to, left;

	if (s->pem.len == 0 || a->in->read_pem == NULL ||
	    a->in->read_pem(s->pem, &from, &to) != OK)
		return;
	left = to - a->in->now_ms;
	if (left < (int64_t)SECRET_DAYS * DAY_MS)
		tell_end(a, s->item, "data", left);
}

/* The mesh's own are no documents: they get a key to be spoken of. */
static void
check_certificate(struct analysis *a, const struct analysis_certificate *c)
{
	struct item it = {
	    .key = {S("meshd.dev"), S("Certificate"), S(""), c->of},
	    .file = ""};
	int64_t left = c->not_after_ms - a->in->now_ms;

	if (left < c->warn_ms)
		tell_end(a, &it, "", left);
}

void
analyze_expiry(struct analysis *a)
{
	if (a->in->now_ms == 0)
		return;
	for (size_t i = 0; i < a->facts.secrets.count; i++)
		check_secret(a, &a->facts.secrets.items[i]);
	for (size_t i = 0; i < a->in->certificate_count; i++)
		check_certificate(a, &a->in->certificates[i]);
}

/* --- services ------------------------------------------------------------- */

static void
check_endpoints(struct analysis *a, const struct item *it,
    const struct labels *selector, const char *field)
{
	struct place p = place_at(it, NULL, "%s", field);
	char text[LABELS_TEXT_MAX];

	if (selector->count == 0 ||
	    workload_find(a, it->key.ns, selector, WORKLOAD_HEALTHY) != NULL)
		return;
	if (workload_find(a, it->key.ns, selector, 0) != NULL)
		tell(a, "MSH0103", &p,
		    "has no healthy endpoint: no workload with %s is healthy",
		    labels_text(selector, text));
	else
		tell(a, "MSH0103", &p,
		    "has no endpoint: no workload of namespace %.*s has %s",
		    SLICE_ARG(it->key.ns), labels_text(selector, text));
}

/* Without a selector it is served by the machines that offer its name. */
static void
check_offers(struct analysis *a, const struct item *it)
{
	struct lookup_rows rows = lookup_get(
	    &a->facts.living_of_service, LOOKUP_HASH(it->key.ns, it->key.name));
	struct place p = place_at(it, NULL, "spec");
	bool any = false;

	for (size_t i = 0; i < rows.count; i++) {
		const struct workload *w = rows.rows[i].item;

		if (!slice_eq(w->ns, it->key.ns) ||
		    !slice_eq(w->living->name, it->key.name))
			continue;
		if (w->flags & WORKLOAD_HEALTHY)
			return;
		any = true;
	}
	tell(a, "MSH0103", &p,
	    any ? "has no healthy endpoint: no machine that offers it is "
		  "healthy"
		: "has no endpoint: it selects nothing, and no machine offers "
		  "it");
}

static void
check_service(struct analysis *a, const struct item *it)
{
	const struct service_spec *s = it->r->spec;

	if (s->type == SERVICE_EXTERNAL_NAME)
		return;
	if (s->selector.count > 0)
		check_endpoints(a, it, &s->selector, "spec.selector");
	else if (a->in->flags & ANALYSIS_LIVING)
		check_offers(a, it);
}

void
analyze_healthless_services(struct analysis *a)
{
	struct item_list services = items_of(a, &kind_service);
	struct item_list entries = items_of(a, &kind_service_entry);

	if (!a->facts.workloads_known)
		return;
	for (size_t i = 0; i < services.count; i++)
		check_service(a, services.items[i]);
	for (size_t i = 0; i < entries.count; i++) {
		const struct service_entry *e = entries.items[i]->r->spec;

		if (e->workload_selector != NULL)
			check_endpoints(a, entries.items[i],
			    &e->workload_selector->labels,
			    "spec.workloadSelector");
	}
}
