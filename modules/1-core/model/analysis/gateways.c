/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateways — Gateways beside each other, their workloads, ports and secrets.
 */
#include <stdio.h>

#include "inside.h"

static const struct gateway *
spec_of(const struct item *it)
{
	return it->r->spec;
}

/* --- selectors ------------------------------------------------------------ */

static const struct workload *
workload_of(const struct analysis *a, const struct item *it)
{
	return workload_find(a, S(""), &spec_of(it)->selector, 0);
}

void
analyze_gateway_selector(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);

	for (size_t i = 0; i < all.count; i++) {
		const struct item *it = all.items[i];
		struct place p = place_at(it, NULL, "spec.selector");
		char text[LABELS_TEXT_MAX];

		p.passing = true;
		if (a->facts.workloads.count > 0 && workload_of(a, it) == NULL)
			tell(a, "IST0101", &p,
			    "selector \"%s\": no gateway has these labels",
			    labels_text(&spec_of(it)->selector, text));
	}
}

/* --- ports and the Services in front -------------------------------------- */

enum { USUAL_PORTS = 4, FRONT_PORTS_MAX = 1024 };

static const int64_t usual_ports[USUAL_PORTS] = {80, 443, 31400, 15443};

/* The ports under which the gateway's workloads are reached. */
struct front {
	struct analysis *a;
	bool in_cluster; /* some workload is reached by a Service only */
	bool many;       /* more than could be kept */
	int64_t ports[FRONT_PORTS_MAX];
	size_t count;
};

static void
add_port(struct front *f, int64_t port)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->ports[i] == port)
			return;
	f->many = f->many || f->count == FRONT_PORTS_MAX;
	if (!f->many)
		f->ports[f->count++] = port;
}

/* The port that is listened on is the target; the other is as good. */
static void
add_service_ports(void *arg, const struct item *it)
{
	const struct service_spec *s = it->r->spec;
	struct front *f = arg;

	for (size_t i = 0; i < s->ports.count; i++) {
		const struct service_port *p = &s->ports.items[i];

		if (p->protocol != SERVICE_TCP)
			continue;
		add_port(f, p->port);
		if (service_port_has_target(p) && !p->target_port.is_string)
			add_port(f, p->target_port.number);
	}
}

/* What has the usual labels is behind the usual Service, too. */
static bool
is_usual(const struct analysis *a, const struct workload *w)
{
	struct slice name = labels_get(&w->labels, S("istio"));

	return (a->in->flags & ANALYSIS_USUAL_GATEWAYS) &&
	       slice_eq(w->ns, a->root_ns) &&
	       (slice_eq(name, S("ingressgateway")) ||
		   slice_eq(name, S("egressgateway")));
}

static bool
add_workload_ports(void *arg, const struct workload *w)
{
	struct front *f = arg;

	for (size_t i = 0; is_usual(f->a, w) && i < USUAL_PORTS; i++)
		add_port(f, usual_ports[i]);
	if (w->flags & (WORKLOAD_POD | WORKLOAD_USUAL))
		f->in_cluster = true;
	services_selecting(f->a, w->ns, &w->labels, add_service_ports, f);
	return !f->many;
}

static bool
is_open(const struct front *f, int64_t port)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->ports[i] == port)
			return true;
	return f->many;
}

/* An earlier server has the port, so it was told of. */
static bool
is_said(const struct gateway *g, size_t index)
{
	int64_t number = g->servers.items[index].port->number;

	for (size_t i = 0; i < index; i++)
		if (g->servers.items[i].port != NULL &&
		    g->servers.items[i].port->number == number)
			return true;
	return false;
}

static void
check_ports(struct analysis *a, const struct item *it, const struct front *f)
{
	const struct gateway *g = spec_of(it);
	char text[LABELS_TEXT_MAX];

	for (size_t i = 0; i < g->servers.count; i++) {
		const struct gateway_port *port = g->servers.items[i].port;
		struct place p = place_at(it, port == NULL ? NULL : &port->head,
		    "spec.servers[%zu].port.number", i);

		if (port != NULL && !is_open(f, port->number) && !is_said(g, i))
			tell(a, "IST0162", &p,
			    "port %lld is no port of a Service in front of "
			    "the gateways with %s, so nobody reaches it there",
			    (long long)port->number,
			    labels_text(&g->selector, text));
	}
}

void
analyze_gateway_ports(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);
	struct front *f = mem_new(sizeof(*f));

	for (size_t i = 0; i < all.count; i++) {
		f->a = a;
		f->in_cluster = f->many = false;
		f->count = 0;
		workloads_select(a, S(""), &spec_of(all.items[i])->selector,
		    add_workload_ports, f);
		/* A machine's gateway is reached as it is. */
		if (f->in_cluster)
			check_ports(a, all.items[i], f);
	}
	mem_free(&f);
}

/* --- one host on one port, twice ------------------------------------------ */

struct bound {
	const struct item *it;
	size_t server;
	struct slice host;
	struct slice bind;
	int64_t port;
};

struct bounds {
	struct analysis *a;
	FACTS_OF(struct bound) all;
	struct lookup of_host;
};

static uint64_t
bound_hash(const struct bound *b)
{
	return LOOKUP_HASH(
	    b->host, b->bind, slice_of(&b->port, sizeof(b->port)));
}

static bool
is_same_bound(const struct bound *a, const struct bound *b)
{
	return a->port == b->port && slice_eq(a->host, b->host) &&
	       slice_eq(a->bind, b->bind);
}

/* "./x" is of the gateway's own namespace; every namespace has "*" + "/x". */
static struct slice
bound_host(struct analysis *a, const struct item *it, struct slice text)
{
	if (slice_starts(text, S("*/")))
		return slice_sub(text, 2, text.len);
	if (!slice_starts(text, S("./")))
		return text;
	return arena_printf(&a->arena, "%.*s/%.*s", SLICE_ARG(it->key.ns),
	    SLICE_ARG(slice_sub(text, 2, text.len)));
}

static void
add_bounds(struct bounds *b, const struct item *it)
{
	const struct gateway *g = spec_of(it);

	for (size_t i = 0; i < g->servers.count; i++) {
		const struct gateway_server *s = &g->servers.items[i];

		for (size_t j = 0; s->port != NULL && j < s->hosts.count; j++)
			*FACTS_PUSH(&b->all) = (struct bound){.it = it,
			    .server = i,
			    .host = bound_host(b->a, it, s->hosts.items[j]),
			    .bind = s->bind,
			    .port = s->port->number};
	}
}

static bool
fits_both(void *arg, const struct workload *w)
{
	const struct labels **other = arg;

	if (!labels_match(&w->labels, *other))
		return true;
	*other = NULL;
	return false;
}

bool
gateways_meet(
    const struct analysis *a, const struct item *x, const struct item *y)
{
	const struct labels *sx = &spec_of(x)->selector;
	const struct labels *sy = &spec_of(y)->selector;

	if (labels_match(sx, sy) && labels_match(sy, sx))
		return true;
	workloads_select(a, S(""), sx, fits_both, &sy);
	return sy == NULL;
}

/* Who else has a host of this server there; the first few are named. */
static void
check_server(struct bounds *b, const struct item *it, size_t server)
{
	const struct gateway_server *s = &spec_of(it)->servers.items[server];
	struct place p = place_at(it, &s->head, "spec.servers[%zu]", server);
	const struct bound *first = NULL;
	char key[RESOURCE_KEY_MAX];

	for (size_t j = 0; s->port != NULL && j < s->hosts.count; j++) {
		const struct bound own = {it, server,
		    bound_host(b->a, it, s->hosts.items[j]), s->bind,
		    s->port->number};
		struct lookup_rows rows =
		    lookup_get(&b->of_host, bound_hash(&own));

		for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX) &&
				   p.related_count < ANALYSIS_RELATED_MAX;
		     i++) {
			const struct bound *x = rows.rows[i].item;

			if (x->it == it || !is_same_bound(x, &own) ||
			    !gateways_meet(b->a, it, x->it))
				continue;
			place_relate(&p, x->it);
			first = first == NULL ? x : first;
		}
	}
	if (first != NULL)
		tell(b->a, "IST0145", &p,
		    "%s has host %.*s on port %lld of the same workloads, "
		    "too; only one of them is used",
		    resource_key_format(&first->it->key, key),
		    SLICE_ARG(first->host), (long long)first->port);
}

void
analyze_gateway_conflicts(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);
	struct bounds b = {.a = a};

	for (size_t i = 0; i < all.count; i++)
		add_bounds(&b, all.items[i]);
	for (size_t i = 0; i < b.all.count; i++)
		lookup_put(
		    &b.of_host, bound_hash(&b.all.items[i]), &b.all.items[i]);
	lookup_sort(&b.of_host);
	for (size_t i = 0; i < all.count; i++)
		for (size_t j = 0; j < spec_of(all.items[i])->servers.count;
		     j++)
			check_server(&b, all.items[i], j);
	mem_free(&b.all.items);
	lookup_fini(&b.of_host);
}

/* --- one certificate, several gateways ------------------------------------ */

struct shown {
	const struct item *it;
	size_t server;
	struct slice name; /* of the credential, or of both files */
	struct slice key;
};

struct showing {
	struct analysis *a;
	FACTS_OF(struct shown) all;
	struct lookup of_name;
};

static void
add_shown(struct showing *x, const struct item *it)
{
	const struct gateway *g = spec_of(it);

	for (size_t i = 0; i < g->servers.count; i++) {
		const struct server_tls *t = g->servers.items[i].tls;

		if (t == NULL)
			continue;
		if (t->credential_name.len > 0)
			*FACTS_PUSH(&x->all) =
			    (struct shown){it, i, t->credential_name, S("")};
		else if (t->server_certificate.len > 0 &&
			 t->private_key.len > 0)
			*FACTS_PUSH(&x->all) = (struct shown){
			    it, i, t->server_certificate, t->private_key};
	}
}

static void
check_shown(struct showing *x, const struct shown *s)
{
	struct lookup_rows rows =
	    lookup_get(&x->of_name, LOOKUP_HASH(s->name, s->key));
	size_t told = 0;

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct shown *other = rows.rows[i].item;
		struct place p = place_at(s->it, NULL, "spec.servers");
		char key[RESOURCE_KEY_MAX];

		/* Upstream asks whether the other's workloads are among its. */
		if (other->it == s->it || !slice_eq(other->name, s->name) ||
		    !slice_eq(other->key, s->key) ||
		    !labels_match(&spec_of(other->it)->selector,
			&spec_of(s->it)->selector))
			continue;
		if (told++ == ANALYSIS_RELATED_MAX)
			return;
		place_relate(&p, other->it);
		tell(x->a, "IST0138", &p,
		    "shows the same certificate as %s; clients that reuse an "
		    "HTTP/2 connection may get 404",
		    resource_key_format(&other->it->key, key));
	}
}

void
analyze_gateway_certificates(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);
	struct showing x = {.a = a};

	for (size_t i = 0; i < all.count; i++)
		add_shown(&x, all.items[i]);
	for (size_t i = 0; i < x.all.count; i++)
		lookup_put(&x.of_name,
		    LOOKUP_HASH(x.all.items[i].name, x.all.items[i].key),
		    &x.all.items[i]);
	lookup_sort(&x.of_name);
	for (size_t i = 0; i < x.all.count; i++)
		check_shown(&x, &x.all.items[i]);
	mem_free(&x.all.items);
	lookup_fini(&x.of_name);
}

/* --- credentials ---------------------------------------------------------- */

static bool
is_good(const struct analysis *a, const struct secret_fact *s)
{
	int64_t from, to;

	if (s->sealed)
		return true;
	if (s->pem.len == 0)
		return false;
	if (a->in->read_pem == NULL)
		return true;
	if (a->in->read_pem(s->pem, &from, &to) != OK)
		return false;
	return a->in->now_ms == 0 ||
	       (from <= a->in->now_ms && a->in->now_ms <= to);
}

static void
check_credential(
    struct analysis *a, const struct item *it, struct slice ns, size_t server)
{
	const struct server_tls *t = spec_of(it)->servers.items[server].tls;
	struct place p;
	struct slice of, name;
	const struct secret_fact *s;

	if (t == NULL || t->credential_name.len == 0)
		return;
	p = place_at(
	    it, &t->head, "spec.servers[%zu].tls.credentialName", server);
	split_ref(t->credential_name, ns, &of, &name);
	s = secret_find(a, of, name);
	if (s != NULL)
		place_relate(&p, s->item);
	if (s == NULL)
		tell(a, "IST0101", &p,
		    "credentialName \"%.*s\" is not there: namespace %.*s "
		    "has no such Secret",
		    SLICE_ARG(t->credential_name), SLICE_ARG(of));
	else if (!is_good(a, s))
		tell(a, "IST0161", &p,
		    "the Secret %.*s/%.*s holds no certificate with its key "
		    "that is good now",
		    SLICE_ARG(of), SLICE_ARG(name));
}

/* Secrets are looked for where the gateway runs, not where it is written. */
void
analyze_gateway_credentials(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);

	for (size_t i = 0; i < all.count; i++) {
		const struct workload *w = workload_of(a, all.items[i]);

		/* Without any Secret it is unknown which there are. */
		if (w == NULL || a->facts.secrets.count == 0)
			continue;
		for (size_t j = 0; j < spec_of(all.items[i])->servers.count;
		     j++)
			check_credential(a, all.items[i], w->ns, j);
	}
}
