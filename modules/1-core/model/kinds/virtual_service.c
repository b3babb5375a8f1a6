/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtual_service — the fields of VirtualService, and the rules between them.
 *
 * The messages of requests are in http_*.c, those of connections in
 * l4_fields.c; here is the top, and what needs to know hosts and gateways.
 */
#include "virtual_service.h"
#include "addresses.h"
#include "export_to.h"
#include "http_fields.h"
#include "resource.h"
#include "rows.h"
#include "scoped_host.h"

/* --- gateways ------------------------------------------------------------- */

static const struct slice mesh_gateway = {"mesh", 4};

bool
gateways_have_mesh(const struct slice *gateways, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(gateways[i], mesh_gateway))
			return true;
	return count == 0;
}

void
gateway_name_split(struct slice text, struct slice ns, struct slice *out_ns,
    struct slice *out_name)
{
	struct slice rest = text, of, second;

	scoped_host_split(text, &of, out_name);
	if (of.len > 0) {
		*out_ns = of;
		return;
	}
	*out_name = slice_split(&rest, '.');
	second = slice_split(&rest, '.');
	*out_ns = second.len > 0 ? second : ns;
}

/* "name.namespace…" said it before "namespace/name" did. */
static void
check_plain_gateway(struct check *c, struct slice name, unsigned rules)
{
	struct slice rest = name;
	struct slice first = slice_split(&rest, '.');
	struct slice second = slice_split(&rest, '.');

	if (first.len < name.len && (rules & GATEWAYS_WARN))
		check_warning(c,
		    "using legacy gatewayName format \"%.*s\"; write "
		    "\"%.*s/%.*s\"",
		    SLICE_ARG(slice_sub(name, 0, NAME_HOST_MAX)),
		    SLICE_ARG(slice_sub(second, 0, NAME_LABEL_MAX)),
		    SLICE_ARG(slice_sub(first, 0, NAME_LABEL_MAX)));
	check_host(c, &name);
}

static void
check_full_gateway(struct check *c, struct slice name)
{
	struct slice rest = name;
	struct slice ns = slice_split(&rest, '/');

	if (!is_dns_label(ns) || !is_dns_label(rest))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no gateway: write namespace/name, or the "
		    "name alone for one of the same namespace",
		    SLICE_ARG(slice_sub(name, 0, NAME_HOST_MAX)));
}

/* Upstream looks no further once it has met a name without namespace. */
void
check_gateways(struct check *c, const struct gateway_list *list, unsigned rules)
{
	bool plain = false;

	for (size_t i = 0; i < list->count; i++) {
		struct slice name = list->items[i];
		struct check at = check_member(c, "gateways[%zu]", i);

		if (name.ptr == NULL)
			continue; /* no text: reported */
		if (plain)
			continue;
		plain = slice_find(name, '/') == name.len;
		if (plain)
			check_plain_gateway(&at, name, rules);
		else
			check_full_gateway(&at, name);
	}
}

/* --- hosts ---------------------------------------------------------------- */

/* "outbound_.80_.v1_.host": a name that proxies give each other. */
static bool
is_generated_sni(struct slice host)
{
	struct slice rest = host, port, name;
	struct slice first = slice_split(&rest, '_');

	port = slice_split(&rest, '_');
	(void)slice_split(&rest, '_'); /* the subset */
	name = slice_split(&rest, '_');
	if (!slice_eq(first, S("outbound")))
		return false;
	for (size_t i = 0; i < port.len; i++)
		if (port.ptr[i] >= '0' && port.ptr[i] <= '9')
			for (size_t j = 0; j < name.len; j++)
				if ((name.ptr[j] | 0x20) >= 'a' &&
				    (name.ptr[j] | 0x20) <= 'z')
					return true;
	return false;
}

static bool
has_sni_hosts(const struct virtual_service *vs)
{
	for (size_t i = 0; i < vs->tls.count; i++)
		for (size_t j = 0; j < vs->tls.items[i].match.count; j++)
			if (vs->tls.items[i].match.items[j].sni_hosts.count > 0)
				return true;
	return false;
}

/* True if it is a name of a host; else said, unless it is an address. */
static bool
check_name(struct check *c, struct slice host, bool generated_too)
{
	size_t before = c->found->errors.count + c->found->errors.dropped;

	if (is_ip(host) || (generated_too && is_generated_sni(host)))
		return true;
	check_wildcard_host(c, &host);
	check_pattern_in_force(c, host);
	return before == c->found->errors.count + c->found->errors.dropped;
}

static void
check_hosts_differ(struct check *c, const struct virtual_service *vs)
{
	for (size_t j = 0; j < vs->hosts.count; j++)
		for (size_t i = 0; i < j; i++) {
			struct slice a = vs->hosts.items[i];
			struct slice b = vs->hosts.items[j];
			struct check at;

			if (!host_is_inside(a, b) && !host_is_inside(b, a))
				continue;
			at = check_member(c, "hosts[%zu]", j);
			check_error(&at, ERR_INVALID,
			    "duplicate hosts in virtual service: \"%.*s\" "
			    "and \"%.*s\"",
			    SLICE_ARG(slice_sub(a, 0, NAME_HOST_MAX)),
			    SLICE_ARG(slice_sub(b, 0, NAME_HOST_MAX)));
			break;
		}
}

/* Inside the mesh a VirtualService may not be about everything. */
enum { HOSTS_MAX = 4096 }; /* each is compared with each */

static void
check_hosts(struct check *c, const struct virtual_service *vs)
{
	bool mesh = gateways_have_mesh(vs->gateways.items, vs->gateways.count);
	bool generated = !mesh && has_sni_hosts(vs);
	bool right = vs->hosts.count <= HOSTS_MAX;

	for (size_t i = 0; i < vs->hosts.count; i++) {
		struct slice host = vs->hosts.items[i];
		struct check at = check_member(c, "hosts[%zu]", i);

		if (host.ptr == NULL)
			right = false; /* no text: reported */
		else if (mesh && slice_eq(host, S("*"))) {
			right = false;
			check_error(&at, ERR_INVALID,
			    "the wildcard host \"*\" may not be used inside "
			    "the mesh; only gateways may");
		} else
			right = check_name(&at, host, generated) && right;
	}
	if (right)
		check_hosts_differ(c, vs);
}

/* --- requests ------------------------------------------------------------- */

static void
check_claims(struct check *c, const struct message_entry *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct check at = check_entry(c, items[i].key);

		if (is_claim_name(items[i].key))
			check_error(&at, ERR_INVALID,
			    "claims of a token may be matched at gateways "
			    "only; name one in gateways, and not \"mesh\"");
	}
}

static void
check_no_claims(struct check *c, const struct http_route *r)
{
	for (size_t i = 0; i < r->match.count; i++) {
		const struct http_match *m = &r->match.items[i];
		struct check with = check_member(c, "match[%zu].headers", i);
		struct check without =
		    check_member(c, "match[%zu].withoutHeaders", i);

		check_claims(&with, m->headers.items, m->headers.count);
		check_claims(&without, m->without_headers.items,
		    m->without_headers.count);
	}
}

static void
refuse_beside(struct check *c, bool there, const char *what, const char *by)
{
	struct check at = check_member(c, "%s", what);

	if (there)
		check_error(&at, ERR_INVALID, "may not be given beside %s", by);
}

/* An empty list is as good as none; one of wrong items was reported. */
static bool
is_absent(const struct check *c, const char *member)
{
	const struct value *v = check_member(c, "%s", member).node;

	return v == NULL || v->type == VALUE_NULL ||
	       (v->type == VALUE_LIST && v->count == 0);
}

/* A root leaves everything to its delegate; else one action is needed. */
static void
check_action(struct check *c, const struct http_route *r, bool delegate)
{
	bool route = r->route.count > 0;
	const char *own = r->redirect != NULL ? "redirect" : "directResponse";

	if (r->delegate != NULL && !delegate) {
		refuse_beside(c, r->redirect != NULL, "redirect", "delegate");
		refuse_beside(c, route, "route", "delegate");
		return;
	}
	if (r->delegate != NULL)
		refuse_beside(c, true, "delegate",
		    "nothing here: a VirtualService without hosts is a "
		    "delegate itself");
	if (r->redirect != NULL || r->direct_response != NULL) {
		refuse_beside(c, route, "route", own);
		refuse_beside(c, r->fault != NULL, "fault", own);
		refuse_beside(c, r->rewrite != NULL, "rewrite", own);
		refuse_beside(c,
		    r->redirect != NULL && r->direct_response != NULL,
		    "directResponse", own);
	} else if (!route && is_absent(c, "route"))
		check_error(c, ERR_INVALID,
		    "has no route, no redirect and no directResponse: nothing "
		    "says where requests go");
	refuse_beside(
	    c, r->mirror != NULL && r->mirrors.count > 0, "mirrors", "mirror");
}

static void
check_http_rules(struct check *c, const struct virtual_service *vs)
{
	bool delegate = vs->hosts.count == 0;
	bool mesh = gateways_have_mesh(vs->gateways.items, vs->gateways.count);

	for (size_t i = 0; i < vs->http.count; i++) {
		struct check at = check_member(c, "http[%zu]", i);

		check_action(&at, &vs->http.items[i], delegate);
		if (mesh)
			check_no_claims(&at, &vs->http.items[i]);
	}
}

/* --- TLS ------------------------------------------------------------------ */

static bool
is_of_hosts(const struct virtual_service *vs, struct slice sni)
{
	for (size_t i = 0; i < vs->hosts.count; i++)
		if (host_is_inside(sni, vs->hosts.items[i]))
			return true;
	return false;
}

static void
check_sni(struct check *c, const struct virtual_service *vs, struct slice sni)
{
	bool mesh = vs->gateways.count > 0 &&
		    gateways_have_mesh(vs->gateways.items, vs->gateways.count);

	if (is_ip(sni))
		check_warning(c,
		    "\"%.*s\" is an address: hardly a client puts one into "
		    "its SNI",
		    SLICE_ARG(sni));
	else if (check_name(c, sni, !mesh) && !is_of_hosts(vs, sni))
		check_error(c, ERR_INVALID,
		    "SNI host \"%.*s\" is not a compatible subset of any of "
		    "the virtual service hosts",
		    SLICE_ARG(slice_sub(sni, 0, NAME_HOST_MAX)));
}

static void
check_tls_rules(struct check *c, const struct virtual_service *vs)
{
	for (size_t i = 0; i < vs->tls.count; i++)
		for (size_t j = 0; j < vs->tls.items[i].match.count; j++) {
			const struct tls_match *m =
			    &vs->tls.items[i].match.items[j];

			for (size_t k = 0; k < m->sni_hosts.count; k++) {
				struct check at = check_member(c,
				    "tls[%zu].match[%zu].sniHosts[%zu]", i, j,
				    k);

				if (m->sni_hosts.items[k].ptr != NULL)
					check_sni(
					    &at, vs, m->sni_hosts.items[k]);
			}
		}
}

/* --- top ------------------------------------------------------------------ */

static void
check_delegate(struct check *c, const struct virtual_service *vs)
{
	const char *why = "a VirtualService without hosts, which is a delegate";

	refuse_beside(c, vs->gateways.count > 0, "gateways", why);
	refuse_beside(c, vs->tls.count > 0, "tls", why);
	refuse_beside(c, vs->tcp.count > 0, "tcp", why);
}

static void
check_virtual_service(struct check *c, const void *message)
{
	const struct virtual_service *vs = message;
	const struct gateway_list list = {
	    vs->gateways.items, vs->gateways.count};

	if (vs->hosts.count == 0)
		check_delegate(c, vs);
	check_gateways(c, &list, GATEWAYS_WARN);
	check_hosts(c, vs);
	if (vs->http.count == 0 && vs->tcp.count == 0 && vs->tls.count == 0)
		check_error(
		    c, ERR_INVALID, "http, tcp or tls has to hold a rule");
	check_http_rules(c, vs);
	check_tls_rules(c, vs);
	check_reachability(c, vs);
}

static const struct field virtual_service_fields[] = {
    ROW(virtual_service, "hosts", hosts, FIELD_STRING, .flags = FIELD_REPEATED,
	.most = HOSTS_MAX,
	.doc = "Names that callers use; a short one is of its namespace. "
	       "Without any it is a delegate."),
    ROW(virtual_service, "gateways", gateways, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Where it applies: namespace/name of gateways, and `mesh` for "
	       "all other proxies, which alone is the default."),
    ROWS_OF(virtual_service, "http", http, http_route, 0,
	.doc = "Rules for requests; the first that matches is used."),
    ROWS_OF(virtual_service, "tls", tls, tls_route, 0,
	.doc = "Rules for TLS connections at gateways by their server name."),
    ROWS_OF(virtual_service, "tcp", tcp, tcp_route, 0,
	.doc = "Rules for connections on ports that do not speak HTTP."),
    ROW(virtual_service, "exportTo", export_to, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Namespaces that see it: `*` all, `.` its own; all if absent."),
};

const struct message virtual_service_message = MESSAGE(virtual_service,
    "VirtualService", virtual_service_fields, .check = check_virtual_service,
    .doc = "What happens to calls of a host.");

static void
check_place(struct check *c, const struct resource *r)
{
	const struct virtual_service *vs = r->spec;
	const struct export_to list = {
	    vs->export_to.items, vs->export_to.count};
	struct check spec = check_member(c, "spec");

	check_export_to(&spec, &list, r->key.ns, 0);
}

const struct resource_kind kind_virtual_service = {
    .group = "networking.istio.io",
    .kind = "VirtualService",
    .plural = "virtualservices",
    .alias = "vs",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &virtual_service_message,
    .check = check_place,
};
