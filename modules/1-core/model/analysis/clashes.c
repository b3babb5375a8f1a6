/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clashes — two that want one port of a gateway, and one host under two
 * spellings.
 */
#include "inside.h"
#include "protocols.h"

/* --- ports of gateways ---------------------------------------------------- */

/* What can share a port: a listener reads one of them. */
enum reading { READS_HTTP, READS_TLS, READS_BYTES, READINGS };

static const char *const readings[READINGS] = {
    [READS_HTTP] = "HTTP",
    [READS_TLS] = "TLS",
    [READS_BYTES] = "bytes",
};

struct server {
	const struct item *it;
	size_t index;
	struct slice bind;
	int64_t port;
	enum reading reads;
};

struct servers {
	struct analysis *a;
	FACTS_OF(struct server) all;
	struct lookup of_port; /* with what it reads */
};

static uint64_t
server_hash(const struct server *s, enum reading reads)
{
	return LOOKUP_HASH(s->bind, slice_of(&s->port, sizeof(s->port)),
	    slice_str(readings[reads]));
}

static enum reading
reading_of(const struct gateway_server *s)
{
	enum port_protocol p = port_protocol_parse(s->port->protocol);

	if (port_protocol_is_tls(p))
		return READS_TLS;
	return port_protocol_is_http(p) ? READS_HTTP : READS_BYTES;
}

static void
add_servers(struct servers *x, const struct item *it)
{
	const struct gateway *g = it->r->spec;

	for (size_t i = 0; i < g->servers.count; i++)
		if (g->servers.items[i].port != NULL)
			*FACTS_PUSH(&x->all) = (struct server){.it = it,
			    .index = i,
			    .bind = g->servers.items[i].bind,
			    .port = g->servers.items[i].port->number,
			    .reads = reading_of(&g->servers.items[i])};
}

static bool
is_beside(const struct analysis *a, const struct item *x, const struct item *y)
{
	return x == y || gateways_meet(a, x, y);
}

static void
check_server(struct servers *x, const struct server *s, enum reading reads)
{
	struct lookup_rows rows =
	    lookup_get(&x->of_port, server_hash(s, reads));

	for (size_t i = 0; i < MIN(rows.count, ANALYSIS_RELATED_MAX); i++) {
		const struct server *other = rows.rows[i].item;
		struct place p =
		    place_at(s->it, NULL, "spec.servers[%zu].port", s->index);
		char key[RESOURCE_KEY_MAX];

		if (other->port != s->port || !slice_eq(other->bind, s->bind) ||
		    other->reads != reads || !is_beside(x->a, s->it, other->it))
			continue;
		place_relate(&p, other->it);
		tell(x->a, "MSH0106", &p,
		    "port %lld is for %s here and for %s in %s; a port can "
		    "be for one of them only",
		    (long long)s->port, readings[s->reads], readings[reads],
		    resource_key_format(&other->it->key, key));
		return;
	}
}

void
analyze_gateway_clashes(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_gateway);
	struct servers x = {.a = a};

	for (size_t i = 0; i < all.count; i++)
		add_servers(&x, all.items[i]);
	for (size_t i = 0; i < x.all.count; i++)
		lookup_put(&x.of_port,
		    server_hash(&x.all.items[i], x.all.items[i].reads),
		    &x.all.items[i]);
	lookup_sort(&x.of_port);
	for (size_t i = 0; i < x.all.count; i++)
		for (enum reading r = 0; r < READINGS; r++)
			if (r != x.all.items[i].reads)
				check_server(&x, &x.all.items[i], r);
	mem_free(&x.all.items);
	lookup_fini(&x.of_port);
}

/* --- one host, two spellings ---------------------------------------------- */

struct spelling {
	const struct item *it;
	const char *field;
	struct slice kind; /* what may not be about one host twice unseen */
	struct slice host;
	struct slice text;
};

struct spellings {
	struct analysis *a;
	FACTS_OF(struct spelling) all;
	struct lookup of_host;
};

static void
add_spelling(struct spellings *x, const struct item *it, const char *field,
    struct slice text)
{
	/* Entries and Services are one kind: both say what a host is. */
	bool defines =
	    it->r->kind == &kind_service_entry || it->r->kind == &kind_service;

	*FACTS_PUSH(&x->all) = (struct spelling){.it = it,
	    .field = field,
	    .kind = defines ? S("service") : it->key.kind,
	    .host = spell(x->a, text, it->key.ns),
	    .text = text};
}

static void
add_spellings(struct spellings *x)
{
	struct item_list routes = items_of(x->a, &kind_virtual_service);
	struct item_list rules = items_of(x->a, &kind_destination_rule);
	struct item_list entries = items_of(x->a, &kind_service_entry);
	struct item_list services = items_of(x->a, &kind_service);

	for (size_t i = 0; i < routes.count; i++) {
		const struct virtual_service *vs = routes.items[i]->r->spec;

		for (size_t j = 0; j < vs->hosts.count; j++)
			add_spelling(x, routes.items[i], "spec.hosts",
			    vs->hosts.items[j]);
	}
	for (size_t i = 0; i < rules.count; i++) {
		const struct destination_rule *r = rules.items[i]->r->spec;

		add_spelling(x, rules.items[i], "spec.host", r->host);
	}
	for (size_t i = 0; i < services.count; i++)
		add_spelling(x, services.items[i], "metadata.name",
		    services.items[i]->key.name);
	for (size_t i = 0; i < entries.count; i++) {
		const struct service_entry *e = entries.items[i]->r->spec;

		for (size_t j = 0; j < e->hosts.count; j++)
			add_spelling(x, entries.items[i], "spec.hosts",
			    e->hosts.items[j]);
	}
}

/* The later document is told, of the first that writes it otherwise. */
static void
check_spelling(struct spellings *x, const struct spelling *s)
{
	struct lookup_rows rows =
	    lookup_get(&x->of_host, LOOKUP_HASH(s->kind, s->host));

	for (size_t i = 0; i < MIN(rows.count, ANALYSIS_RELATED_MAX); i++) {
		const struct spelling *other = rows.rows[i].item;
		struct place p = place_at(s->it, NULL, "%s", s->field);
		char key[RESOURCE_KEY_MAX];

		if (other >= s)
			return;
		if (other->it == s->it || !slice_eq(other->host, s->host) ||
		    !slice_eq(other->kind, s->kind) ||
		    slice_eq_nocase(other->text, s->text))
			continue;
		place_relate(&p, other->it);
		tell(x->a, "MSH0107", &p, "%.*s is the same host as %.*s in %s",
		    SLICE_ARG(s->text), SLICE_ARG(other->text),
		    resource_key_format(&other->it->key, key));
		return;
	}
}

void
analyze_host_spellings(struct analysis *a)
{
	struct spellings x = {.a = a};

	add_spellings(&x);
	for (size_t i = 0; i < x.all.count; i++)
		if (x.all.items[i].host.len > 0)
			lookup_put(&x.of_host,
			    LOOKUP_HASH(
				x.all.items[i].kind, x.all.items[i].host),
			    &x.all.items[i]);
	lookup_sort(&x.of_host);
	for (size_t i = 0; i < x.all.count; i++)
		check_spelling(&x, &x.all.items[i]);
	mem_free(&x.all.items);
	lookup_fini(&x.of_host);
}
