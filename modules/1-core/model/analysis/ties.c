/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ties — what ties a resource to others, each tie a number.
 */
#include "ties.h"
#include "../hosts.h"
#include "lookup.h"
#include "routes.h"

#define BOTH (TIE_HAS | TIE_ASKS)

static void
tie(const struct tie_user *u, uint64_t number, unsigned part)
{
	u->each(u->arg, number, part);
}

/* --- hosts ---------------------------------------------------------------- */

/* Found under itself; looks also for what stands for it with a star. */
static void
tie_host(const struct tie_user *u, struct slice host, struct slice ns)
{
	char text[HOST_TEXT_MAX], room[HOST_TEXT_MAX];
	struct slice p, h = host_spell(host, ns, u->domain, text);
	size_t at = 0;

	while (host_next_pattern(h, &at, room, &p))
		tie(u, LOOKUP_HASH(S("host"), p),
		    slice_eq(p, h) ? BOTH : TIE_ASKS);
}

static void
tie_hosts(const struct tie_user *u, const struct slice *hosts, size_t count,
    struct slice ns)
{
	for (size_t i = 0; i < count; i++)
		tie_host(u, hosts[i], ns);
}

struct walk {
	const struct tie_user *u;
	struct slice ns;
};

static void
tie_destination(void *arg, const struct destination_spec *d,
    const struct place *p, bool mirror)
{
	const struct walk *w = arg;

	(void)p;
	(void)mirror;
	if (d != NULL)
		tie_host(w->u, d->host, w->ns);
}

/* --- labels --------------------------------------------------------------- */

uint64_t
tie_of_label(const struct label *l)
{
	return LOOKUP_HASH(S("label"), l->key, l->value);
}

static uint64_t
tie_of_selector(const struct label *l)
{
	return LOOKUP_HASH(S("selector"), l->key, l->value);
}

/* Found by workloads under one of its labels. */
static void
tie_selector(const struct tie_user *u, const struct labels *labels)
{
	if (labels->count > 0)
		tie(u, tie_of_selector(&labels->items[0]), TIE_HAS);
	u->select(u->arg, labels);
}

static void
tie_workload(const struct tie_user *u, const struct labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		tie(u, tie_of_label(&labels->items[i]), TIE_HAS);
		tie(u, tie_of_selector(&labels->items[i]), TIE_ASKS);
	}
}

/* --- the kinds ------------------------------------------------------------ */

static void
tie_virtual_service(const struct resource *r, const struct tie_user *u)
{
	const struct virtual_service *vs = r->spec;
	const struct item it = {.r = r, .file = ""};
	struct walk w = {u, r->key.ns};

	tie_hosts(u, vs->hosts.items, vs->hosts.count, r->key.ns);
	each_destination(&it, tie_destination, &w);
	for (size_t i = 0; i < vs->gateways.count; i++) {
		struct slice ns, name;

		split_ref(vs->gateways.items[i], r->key.ns, &ns, &name);
		tie(u, LOOKUP_HASH(S("gateway"), ns, name), BOTH);
	}
}

static void
tie_destination_rule(const struct resource *r, const struct tie_user *u)
{
	const struct destination_rule *d = r->spec;

	tie_host(u, d->host, r->key.ns);
	for (size_t i = 0; i < d->subsets.count; i++)
		tie_selector(u, &d->subsets.items[i].labels);
	if (d->workload_selector != NULL)
		tie_selector(u, &d->workload_selector->match_labels);
}

static void
tie_gateway(const struct resource *r, const struct tie_user *u)
{
	const struct gateway *g = r->spec;

	tie(u, LOOKUP_HASH(S("gateway"), r->key.ns, r->key.name), BOTH);
	tie_selector(u, &g->selector);
	for (size_t i = 0; i < g->servers.count; i++) {
		const struct gateway_server *s = &g->servers.items[i];

		if (s->port != NULL)
			tie(u,
			    LOOKUP_HASH(
				S("port"), slice_of(&s->port->number,
					       sizeof(s->port->number))),
			    BOTH);
		if (s->tls != NULL && s->tls->credential_name.len > 0) {
			struct slice ns, name;

			split_ref(s->tls->credential_name, S(""), &ns, &name);
			tie(u, LOOKUP_HASH(S("secret"), name), BOTH);
		}
	}
}

static void
tie_service(const struct resource *r, const struct tie_user *u)
{
	const struct service_spec *s = r->spec;

	tie_host(u, r->key.name, r->key.ns);
	tie_selector(u, &s->selector);
}

static void
tie_service_entry(const struct resource *r, const struct tie_user *u)
{
	const struct service_entry *e = r->spec;

	tie_hosts(u, e->hosts.items, e->hosts.count, r->key.ns);
	if (e->workload_selector != NULL)
		tie_selector(u, &e->workload_selector->labels);
	for (size_t i = 0; i < e->endpoints.count; i++)
		tie_workload(u, &e->endpoints.items[i].labels);
}

static struct labels
tie_labels(const struct resource *r)
{
	const struct workload_group *g = r->spec;

	if (r->kind == &kind_workload_entry)
		return ((const struct workload_entry *)r->spec)->labels;
	if (r->kind == &kind_workload_group && g->metadata != NULL)
		return g->metadata->labels;
	return (struct labels){NULL, 0};
}

static void
tie_entry(const struct resource *r, const struct tie_user *u)
{
	const struct workload_entry *w = r->spec;
	struct labels labels = tie_labels(r);

	tie_workload(u, &labels);
	if (r->kind == &kind_workload_entry)
		tie_workload(u, &r->labels);
	if (r->kind != &kind_workload_entry)
		return;
	for (size_t i = 0; i < w->ports.count; i++) {
		int64_t port = w->ports.items[i].number;

		tie(u,
		    LOOKUP_HASH(S("address"), w->address,
			slice_of(&port, sizeof(port))),
		    BOTH);
	}
}

bool
tie_fits(const struct resource *r, const struct labels *wanted)
{
	struct labels has = tie_labels(r);

	for (size_t i = 0; i < wanted->count; i++) {
		const struct label *l = &wanted->items[i];

		if (!slice_eq(labels_get(&has, l->key), l->value) &&
		    !slice_eq(labels_get(&r->labels, l->key), l->value))
			return r->kind == &kind_service_entry;
	}
	return true;
}

/* Of a kind that may be there once: for a workload, or for a namespace. */
static void
tie_policy(const struct resource *r, const struct tie_user *u)
{
	struct labels labels;

	tie(u, LOOKUP_HASH(S("kind"), r->key.kind, r->key.ns), BOTH);
	if (selector_of(r, &labels))
		tie_selector(u, &labels);
}

void
ties_each(const struct resource *r, const struct tie_user *u)
{
	const struct resource_kind *k = r->kind;

	if (k == &kind_virtual_service)
		tie_virtual_service(r, u);
	else if (k == &kind_destination_rule)
		tie_destination_rule(r, u);
	else if (k == &kind_gateway)
		tie_gateway(r, u);
	else if (k == &kind_service)
		tie_service(r, u);
	else if (k == &kind_service_entry)
		tie_service_entry(r, u);
	else if (k == &kind_workload_entry || k == &kind_workload_group)
		tie_entry(r, u);
	else if (slice_eq(r->key.kind, S("Secret")))
		tie(u, LOOKUP_HASH(S("secret"), r->key.name), BOTH);
	else
		tie_policy(r, u);
}
