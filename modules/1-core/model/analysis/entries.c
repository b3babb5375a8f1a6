/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entries — ServiceEntries beside each other, and the names of ports.
 */
#include <stdio.h>

#include "inside.h"
#include "protocols.h"

/* --- addresses ------------------------------------------------------------ */

static bool
has_address(struct analysis *a, const struct item *it)
{
	const struct service_entry *e = it->r->spec;
	const struct value *given =
	    it->tree == NULL ? NULL
			     : value_get_path(it->tree, S("status.addresses"));

	return e->addresses.count > 0 || a->facts.mesh.gives_addresses ||
	       (given != NULL && given->count > 0);
}

void
analyze_entry_addresses(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_service_entry);

	for (size_t i = 0; i < all.count; i++) {
		const struct service_entry *e = all.items[i]->r->spec;

		if (has_address(a, all.items[i]))
			continue;
		for (size_t j = 0; j < e->ports.count; j++) {
			const struct entry_port *port = &e->ports.items[j];
			struct place p = place_at(
			    all.items[i], &port->head, "spec.ports[%zu]", j);
			enum port_protocol speaks =
			    port_protocol_parse(port->protocol);

			if (speaks == PORT_TCP || speaks == PORT_UNSET)
				tell(a, "IST0134", &p,
				    "port %lld carries bytes, which are told "
				    "apart by address only; set addresses",
				    (long long)port->number);
		}
	}
}

/* --- protocols ------------------------------------------------------------ */

/* One port of one host, as one namespace sees it. */
struct said {
	const struct item *it;
	struct slice scope;
	struct slice host;
	struct slice protocol;
	int64_t port;
};

struct saying {
	struct analysis *a;
	FACTS_OF(struct said) all;
	struct lookup of_port; /* scope, host and port */
	bool *told;            /* of each item */
};

static uint64_t
said_hash(const struct said *s, struct slice scope)
{
	return LOOKUP_HASH(scope, s->host, slice_of(&s->port, sizeof(s->port)));
}

static void
add_ports(struct saying *x, const struct host_fact *h)
{
	const struct service_entry *e = h->item->r->spec;

	for (size_t i = 0; i < e->ports.count; i++)
		for (size_t j = 0; j < h->scope_count; j++)
			*FACTS_PUSH(&x->all) = (struct said){.it = h->item,
			    .scope = h->scopes[j],
			    .host = h->host,
			    .protocol = e->ports.items[i].protocol,
			    .port = e->ports.items[i].number};
}

static void
tell_said(struct saying *x, const struct said *s, const struct said *other)
{
	struct place p = place_at(s->it, NULL, "spec.ports");
	bool *told = &x->told[s->it - x->a->items.items];
	char key[RESOURCE_KEY_MAX];

	if (*told)
		return;
	*told = true;
	place_relate(&p, other->it);
	tell(x->a, "IST0177", &p,
	    "port %lld of %.*s is %.*s here and %.*s in %s", (long long)s->port,
	    SLICE_ARG(s->host), SLICE_ARG(s->protocol),
	    SLICE_ARG(other->protocol),
	    resource_key_format(&other->it->key, key));
}

/*
 * Against what the namespace sees beside it: its own scope, where all find
 * each other by themselves, or everybody's.
 */
static void
check_said(
    struct saying *x, const struct said *s, struct slice scope, bool until_told)
{
	struct lookup_rows rows = lookup_get(&x->of_port, said_hash(s, scope));
	const bool *told = &x->told[s->it - x->a->items.items];

	for (size_t i = 0; i < MIN(rows.count, SELECTED_MAX); i++) {
		const struct said *other = rows.rows[i].item;

		if (until_told && *told)
			return;
		if (other->port != s->port || !slice_eq(other->host, s->host) ||
		    !slice_eq(other->scope, scope) ||
		    slice_eq_nocase(other->protocol, s->protocol))
			continue;
		tell_said(x, s, other);
		tell_said(x, other, s);
	}
}

void
analyze_entry_protocols(struct analysis *a)
{
	struct saying x = {.a = a,
	    .told = mem_new_array(MAX(a->items.count, 1), sizeof(bool))};

	for (size_t i = 0; i < a->facts.hosts.count; i++) {
		const struct host_fact *h = &a->facts.hosts.items[i];

		if (h->item != NULL && h->item->r->kind == &kind_service_entry)
			add_ports(&x, h);
	}
	for (size_t i = 0; i < x.all.count; i++)
		lookup_put(&x.of_port,
		    said_hash(&x.all.items[i], x.all.items[i].scope),
		    &x.all.items[i]);
	lookup_sort(&x.of_port);
	for (size_t i = 0; i < x.all.count; i++) {
		const struct said *s = &x.all.items[i];

		check_said(&x, s, s->scope, /* until_told */ true);
		if (!slice_eq(s->scope, S("*")))
			check_said(&x, s, S("*"), /* until_told */ false);
	}
	mem_free(&x.all.items);
	mem_free(&x.told);
	lookup_fini(&x.of_port);
}

/* --- names of ports ------------------------------------------------------- */

/* Ports whose servers speak first are bytes, whatever they are called. */
static bool
is_well_known(int64_t port)
{
	return port == 25 || port == 53 || port == 3306 || port == 27017;
}

static enum port_protocol
spoken_on(const struct service_port *p)
{
	bool by_app = p->app_protocol.len > 0;
	struct slice name = by_app ? p->app_protocol : p->name;
	enum port_protocol speaks;

	if (p->protocol == SERVICE_UDP)
		return PORT_UDP;
	if (by_app && (slice_eq(name, S("kubernetes.io/h2c")) ||
			  slice_eq(name, S("kubernetes.io/ws")) ||
			  slice_eq(name, S("kubernetes.io/wss"))))
		return PORT_HTTP;
	if (slice_eq_nocase(slice_sub(name, 0, 8), S("grpc-web")))
		return PORT_GRPC_WEB;
	name = slice_sub(name, 0, slice_find(name, '-'));
	speaks = port_protocol_parse(name);
	if (speaks != PORT_UNSET && speaks != PORT_UNKNOWN)
		return speaks;
	return is_well_known(p->port) ? PORT_TCP : PORT_UNKNOWN;
}

/* What a control plane made itself is named as that wants. */
static bool
is_of_control_plane(const struct labels *l)
{
	static const char *const managers[] = {"istio.io-gateway-controller",
	    "istio.io-mesh-controller", "istio.io-eastwest-controller"};
	struct slice by = labels_get(l, S("gateway.istio.io/managed"));

	for (size_t i = 0; i < ARRAY_LEN(managers); i++)
		if (slice_eq(by, slice_str(managers[i])))
			return true;
	return labels_get(l, S("istio")).ptr != NULL ||
	       slice_eq(labels_get(l, S("release")), S("istio"));
}

static void
check_port_name(struct analysis *a, const struct item *it, size_t i)
{
	const struct service_spec *s = it->r->spec;
	const struct service_port *port = &s->ports.items[i];
	bool is_alias = s->type == SERVICE_EXTERNAL_NAME;
	struct place p = place_at(it, &port->head, "spec.ports[%zu].name", i);

	if (spoken_on(port) != PORT_UNKNOWN &&
	    !(is_alias && slice_eq(port->name, S("tcp"))))
		return;
	if (is_alias)
		tell(a, "IST0150", &p,
		    "port \"%.*s\" of an ExternalName service: bytes of any "
		    "other host on port %lld would be taken, too",
		    SLICE_ARG(port->name), (long long)port->port);
	else
		tell(a, "IST0118", &p,
		    "port \"%.*s\" (%lld) does not say what it speaks: name "
		    "it <protocol>[-<suffix>], or set appProtocol",
		    SLICE_ARG(port->name), (long long)port->port);
}

void
analyze_port_names(struct analysis *a)
{
	struct item_list all = items_of(a, &kind_service);

	for (size_t i = 0; i < all.count; i++) {
		const struct service_spec *s = all.items[i]->r->spec;

		if (is_of_control_plane(&all.items[i]->r->labels))
			continue;
		for (size_t j = 0; j < s->ports.count; j++)
			check_port_name(a, all.items[i], j);
	}
}
