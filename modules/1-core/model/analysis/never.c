/* SPDX-License-Identifier: Apache-2.0 */
/*
 * never — rules that contradict themselves, so that nothing ever fits them.
 */
#include "http_fields.h"
#include "routes.h"

/* --- matches of routes ---------------------------------------------------- */

/* A match for gateways of which the VirtualService has none. */
static bool
is_of_no_gateway(const struct virtual_service *vs, struct texts gateways)
{
	static const struct slice mesh[] = {{"mesh", 4}};
	struct texts has = TEXTS(vs->gateways);

	if (has.count == 0)
		has = (struct texts){mesh, 1};
	for (size_t i = 0; i < gateways.count; i++)
		if (slice_is_among(gateways.items[i], has.items, has.count))
			return false;
	return gateways.count > 0;
}

/* A port that none of the hosts has, where all of them are known. */
static bool
is_of_no_port(const struct analysis *a, const struct item *it, int64_t port)
{
	const struct virtual_service *vs = it->r->spec;

	if (port == 0 || vs->gateways.count > 0)
		return false;
	for (size_t i = 0; i < vs->hosts.count; i++) {
		const struct host_fact *h = host_find(
		    a, it->key.ns, TEXTS(vs->export_to), vs->hosts.items[i]);

		if (h == NULL || h->port_count == 0)
			return false;
		for (size_t j = 0; j < h->port_count; j++)
			if (h->ports[j].number == port)
				return false;
	}
	return vs->hosts.count > 0;
}

/* Labels of callers that no workload of the mesh has. */
static bool
is_of_no_caller(const struct analysis *a, const struct labels *callers)
{
	return callers->count > 0 && a->facts.workloads_known &&
	       workload_find(a, S(""), callers, 0) == NULL;
}

static bool
asks_for_presence(const struct string_match *m)
{
	return m == NULL ||
	       (m->exact.len == 0 && m->prefix.len == 0 && m->regex.len == 0);
}

/* Either may not be there at all, or may not have the one value asked for. */
static bool
is_forbidden(const struct message_entry *wanted, const struct http_match *m)
{
	const struct string_match *w = wanted->message;

	for (size_t i = 0; i < m->without_headers.count; i++) {
		const struct message_entry *e = &m->without_headers.items[i];
		const struct string_match *no = e->message;

		if (!slice_eq_nocase(e->key, wanted->key))
			continue;
		if (asks_for_presence(no) || (w != NULL && w->exact.len > 0 &&
						 slice_eq(no->exact, w->exact)))
			return true;
	}
	return false;
}

static const char *
why_http_never(
    const struct analysis *a, const struct item *it, const struct http_match *m)
{
	if (is_of_no_gateway(it->r->spec, TEXTS(m->gateways)))
		return "none of its gateways is one of the VirtualService's";
	if (is_of_no_port(a, it, m->port))
		return "none of the hosts has its port";
	if (is_of_no_caller(a, &m->source_labels))
		return "no workload has its sourceLabels";
	for (size_t i = 0; i < m->headers.count; i++)
		if (is_forbidden(&m->headers.items[i], m))
			return "a header has to be there and may not be there";
	return NULL;
}

static void
tell_never(struct analysis *a, const struct place *p, const char *why)
{
	if (why != NULL)
		tell(a, "MSH0101", p, "can never match: %s", why);
}

static const char *
why_bytes_never(const struct analysis *a, const struct item *it,
    struct texts gateways, int64_t port)
{
	if (is_of_no_gateway(it->r->spec, gateways))
		return "none of its gateways is one of the VirtualService's";
	return is_of_no_port(a, it, port) ? "none of the hosts has its port"
					  : NULL;
}

static void
check_route(struct analysis *a, const struct item *it)
{
	const struct virtual_service *vs = it->r->spec;

	for (size_t i = 0; i < vs->http.count; i++)
		for (size_t j = 0; j < vs->http.items[i].match.count; j++) {
			const struct http_match *m =
			    &vs->http.items[i].match.items[j];
			struct place p = place_at(
			    it, &m->head, "spec.http[%zu].match[%zu]", i, j);

			tell_never(a, &p, why_http_never(a, it, m));
		}
	for (size_t i = 0; i < vs->tls.count; i++)
		for (size_t j = 0; j < vs->tls.items[i].match.count; j++) {
			const struct tls_match *m =
			    &vs->tls.items[i].match.items[j];
			struct place p = place_at(
			    it, &m->head, "spec.tls[%zu].match[%zu]", i, j);

			tell_never(a, &p,
			    why_bytes_never(
				a, it, TEXTS(m->gateways), m->port));
		}
	for (size_t i = 0; i < vs->tcp.count; i++)
		for (size_t j = 0; j < vs->tcp.items[i].match.count; j++) {
			const struct tcp_match *m =
			    &vs->tcp.items[i].match.items[j];
			struct place p = place_at(
			    it, &m->head, "spec.tcp[%zu].match[%zu]", i, j);

			tell_never(a, &p,
			    why_bytes_never(
				a, it, TEXTS(m->gateways), m->port));
		}
}

/* --- rules of AuthorizationPolicies --------------------------------------- */

/* What the one stands for the other stands for, too: "a*" has "ab". */
static bool
text_covers(struct slice pattern, struct slice text)
{
	if (slice_eq(pattern, text) || slice_eq(pattern, S("*")))
		return true;
	if (slice_ends(pattern, S("*")))
		return slice_starts(
		    text, slice_sub(pattern, 0, pattern.len - 1));
	return slice_starts(pattern, S("*")) &&
	       slice_ends(text, slice_sub(pattern, 1, pattern.len));
}

/* Each that is asked for is excluded. */
static bool
excludes(struct texts not, struct texts wanted)
{
	for (size_t i = 0; i < wanted.count; i++) {
		bool covered = false;

		for (size_t j = 0; j < not .count && !covered; j++)
			covered = text_covers(not .items[j], wanted.items[i]);
		if (!covered)
			return false;
	}
	return wanted.count > 0;
}

#define EXCLUDED(m, list) excludes(TEXTS((m)->not_##list), TEXTS((m)->list))

static bool
is_no_source(const struct authz_source *s)
{
	return s != NULL &&
	       (EXCLUDED(s, principals) || EXCLUDED(s, request_principals) ||
		   EXCLUDED(s, namespaces) || EXCLUDED(s, service_accounts) ||
		   EXCLUDED(s, trust_domains) || EXCLUDED(s, ip_blocks) ||
		   EXCLUDED(s, remote_ip_blocks));
}

static bool
is_no_operation(const struct authz_operation *o)
{
	return o != NULL && (EXCLUDED(o, hosts) || EXCLUDED(o, ports) ||
				EXCLUDED(o, methods) || EXCLUDED(o, paths));
}

static const char *
why_rule_never(const struct authz_rule *r)
{
	size_t sources = 0, operations = 0;

	for (size_t i = 0; i < r->from.count; i++)
		sources += is_no_source(r->from.items[i].source);
	for (size_t i = 0; i < r->to.count; i++)
		operations += is_no_operation(r->to.items[i].operation);
	if (r->from.count > 0 && sources == r->from.count)
		return "each source excludes all that it asks for";
	if (r->to.count > 0 && operations == r->to.count)
		return "each operation excludes all that it asks for";
	for (size_t i = 0; i < r->when.count; i++)
		if (EXCLUDED(&r->when.items[i], values))
			return "a condition excludes all that it asks for";
	return NULL;
}

static void
check_policy(struct analysis *a, const struct item *it)
{
	const struct authorization_policy *p = it->r->spec;

	for (size_t i = 0; i < p->rules.count; i++) {
		struct place at =
		    place_at(it, &p->rules.items[i].head, "spec.rules[%zu]", i);

		tell_never(a, &at, why_rule_never(&p->rules.items[i]));
	}
}

void
analyze_never_matching(struct analysis *a)
{
	struct item_list routes = items_of(a, &kind_virtual_service);
	struct item_list policies = items_of(a, &kind_authorization_policy);

	for (size_t i = 0; i < routes.count; i++)
		check_route(a, routes.items[i]);
	for (size_t i = 0; i < policies.count; i++)
		check_policy(a, policies.items[i]);
}
