/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_rule — the fields of DestinationRule.
 *
 * Upstream warns about the rule's own policy only, not about those of ports
 * and subsets; so do we.
 */
#include "destination_rule.h"
#include "addresses.h"
#include "export_to.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* --- ports ---------------------------------------------------------------- */

/* Looser than a route's: a port that no service has selects nothing. */
static const struct field policy_port_fields[] = {
    ROW(policy_port, "number", number, FIELD_INT, .min = 0, .max = UINT32_MAX,
	.doc = "The service's port."),
};

static const struct message policy_port_message = MESSAGE(policy_port,
    "PortSelector", policy_port_fields, .doc = "One port of a service.");

static void
check_port_policy(struct check *c, const void *message)
{
	const struct port_policy *p = message;

	if (p->load_balancer == NULL && p->connection_pool == NULL &&
	    p->outlier_detection == NULL && p->tls == NULL)
		check_error(c, ERR_INVALID, "has to hold at least one setting");
}

static const struct field port_policy_fields[] = {
    ROW_OF(port_policy, "port", port, policy_port, .flags = FIELD_REQUIRED,
	.doc = "The port that these settings are for."),
    ROW_OF(port_policy, "loadBalancer", load_balancer, load_balancer,
	.doc = "How an endpoint is chosen."),
    ROW_OF(port_policy, "connectionPool", connection_pool, connection_pool,
	.doc = "Bounds of connections and requests."),
    ROW_OF(port_policy, "outlierDetection", outlier_detection,
	outlier_detection, .flags = FIELD_INERT,
	.doc = "Takes failing endpoints out."),
    ROW_OF(port_policy, "tls", tls, client_tls, .flags = FIELD_GUARD,
	.doc = "How the client secures the connection."),
};

static const struct message port_policy_message = MESSAGE(port_policy,
    "PortTrafficPolicy", port_policy_fields, .check = check_port_policy,
    .doc = "Settings of one port, which replace the destination's wholly.");

/* --- the policy ----------------------------------------------------------- */

static void
check_tunnel_protocol(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len > 0 && !slice_eq(*s, S("CONNECT")) &&
	    !slice_eq(*s, S("POST")))
		check_error(c, ERR_INVALID, "has to be CONNECT or POST");
}

static void
check_tunnel_host(struct check *c, const void *value)
{
	if (!is_ip(*(const struct slice *)value))
		check_host(c, value);
}

static const struct field tunnel_fields[] = {
    ROW(tunnel_settings, "protocol", protocol, FIELD_STRING,
	.check = check_tunnel_protocol, .otherwise = "CONNECT",
	.doc = "Method that opens the tunnel: CONNECT or POST."),
    ROW(tunnel_settings, "targetHost", target_host, FIELD_STRING,
	.flags = FIELD_REQUIRED, .check = check_tunnel_host,
	.doc = "Host or address that the tunnel leads to."),
    ROW(tunnel_settings, "targetPort", target_port, FIELD_INT,
	.flags = FIELD_REQUIRED, .min = 1, .max = 65535,
	.doc = "Port that the tunnel leads to."),
};

static const struct message tunnel_settings_message =
    MESSAGE(tunnel_settings, "TunnelSettings", tunnel_fields,
	.doc = "Carries TCP through an HTTP proxy.");

static const struct field_word proxy_protocol_words[] = {
    {"V1", PROXY_PROTOCOL_V1, 0},
    {"V2", PROXY_PROTOCOL_V2, 0},
    {NULL, 0, 0},
};

/* A number may stand for a word, but has to be one's here. */
static void
check_proxy_version(struct check *c, const void *value)
{
	const int *version = value;

	if (*version != PROXY_PROTOCOL_V1 && *version != PROXY_PROTOCOL_V2)
		check_error(c, ERR_INVALID, "is neither V1 nor V2");
}

static const struct field proxy_protocol_fields[] = {
    ROW(proxy_protocol, "version", version, FIELD_ENUM,
	.words = proxy_protocol_words, .otherwise = "V1",
	.check = check_proxy_version, .doc = "V1 in text or V2 in bytes."),
};

static const struct message proxy_protocol_message =
    MESSAGE(proxy_protocol, "ProxyProtocol", proxy_protocol_fields,
	.doc = "Tells the destination who called.");

static const struct field retry_budget_fields[] = {
    ROW(retry_budget, "percent", percent, FIELD_NUMBER, .otherwise = "20",
	.doc = "Most retries, in percent of the requests at that moment."),
    ROW(retry_budget, "minRetryConcurrency", min_retry_concurrency, FIELD_INT,
	.min = 0, .max = UINT32_MAX, .otherwise = "3",
	.doc = "Retries that are always allowed."),
    ROW(retry_budget, "budgetInterval", budget_interval, FIELD_DURATION,
	.otherwise = "0s",
	.doc = "Requests of how long ago are counted too; 0s: none."),
};

static const struct message retry_budget_message =
    MESSAGE(retry_budget, "RetryBudget", retry_budget_fields,
	.doc = "Bounds retries to a share of the requests.");

/* An empty policy is likely a slip of indentation. */
static void
check_policy(struct check *c, const void *message)
{
	const struct traffic_policy *p = message;

	if (p->load_balancer == NULL && p->connection_pool == NULL &&
	    p->outlier_detection == NULL && p->tls == NULL &&
	    p->port_level.count == 0 && p->tunnel == NULL &&
	    p->proxy_protocol == NULL && p->retry_budget == NULL)
		check_error(c, ERR_INVALID, "has to hold at least one setting");
	if (p->tunnel != NULL && p->proxy_protocol != NULL)
		check_error(c, ERR_INVALID,
		    "only one of tunnel and proxyProtocol may be given");
}

static const struct field policy_fields[] = {
    ROW_OF(traffic_policy, "loadBalancer", load_balancer, load_balancer,
	.doc = "How an endpoint is chosen."),
    ROW_OF(traffic_policy, "connectionPool", connection_pool, connection_pool,
	.doc = "Bounds of connections and requests."),
    ROW_OF(traffic_policy, "outlierDetection", outlier_detection,
	outlier_detection, .flags = FIELD_INERT,
	.doc = "Takes failing endpoints out."),
    ROW_OF(traffic_policy, "tls", tls, client_tls, .flags = FIELD_GUARD,
	.doc = "How the client secures the connection."),
    ROWS_OF(traffic_policy, "portLevelSettings", port_level, port_policy, 0,
	.most = 4096,
	.doc = "Settings of single ports, which replace those beside them."),
    ROW_OF(traffic_policy, "tunnel", tunnel, tunnel_settings,
	.flags = FIELD_INERT, .doc = "Carries TCP through an HTTP proxy."),
    ROW_OF(traffic_policy, "proxyProtocol", proxy_protocol, proxy_protocol,
	.doc = "Tells the destination who called."),
    ROW_OF(traffic_policy, "retryBudget", retry_budget, retry_budget,
	.flags = FIELD_INERT,
	.doc = "Bounds retries to a share of the requests."),
};

static const struct message policy_message =
    MESSAGE(traffic_policy, "TrafficPolicy", policy_fields,
	.check = check_policy, .doc = "How a destination is called.");

/* What is right but unwise, in the rule's own policy. */
static void
warn_policy(struct check *c, const struct traffic_policy *p)
{
	const struct consistent_hash *h =
	    p->load_balancer != NULL ? p->load_balancer->consistent_hash : NULL;
	struct check ring =
	    check_member(c, "loadBalancer.consistentHash.minimumRingSize");
	struct check errors =
	    check_member(c, "outlierDetection.consecutiveErrors");

	if (h != NULL && h->minimum_ring_size != 0)
		check_warning(
		    &ring, "is deprecated; write ringHash.minimumRingSize");
	if (p->outlier_detection != NULL &&
	    p->outlier_detection->consecutive_errors != 0)
		check_warning(&errors,
		    "is deprecated; write consecutiveGatewayErrors or "
		    "consecutive5xxErrors");
	check_failover(c, p->load_balancer, p->outlier_detection != NULL);
}

/* --- the rule ------------------------------------------------------------- */

static const struct field subset_fields[] = {
    ROW(subset_spec, "name", name, FIELD_STRING, .flags = FIELD_REQUIRED,
	.check = check_subset_name, .doc = "What routes call it."),
    ROW(subset_spec, "labels", labels, FIELD_STRING_MAP,
	.check = check_wanted_label, .doc = "Labels that its endpoints have."),
    ROW_OF(subset_spec, "trafficPolicy", traffic_policy, policy,
	.doc = "Overrides the rule's own, setting by setting."),
};

static const struct message subset_message = MESSAGE(subset_spec, "Subset",
    subset_fields, .doc = "A part of a service's endpoints, under a name.");

enum { SUBSETS_MAX = 4096 }; /* each is compared with each */

static void
check_subsets(struct check *c, const struct destination_rule *r)
{
	for (size_t j = 0; j < r->subsets.count && j < SUBSETS_MAX; j++)
		for (size_t i = 0; i < j; i++) {
			struct slice name = r->subsets.items[j].name;
			struct check at;

			if (name.len == 0 ||
			    !slice_eq(r->subsets.items[i].name, name))
				continue;
			at = check_member(c, "subsets[%zu].name", j);
			check_error(&at, ERR_INVALID,
			    "the subset \"%.*s\" is there twice",
			    SLICE_ARG(slice_sub(name, 0, NAME_LABEL_MAX)));
			break;
		}
}

static void
check_rule(struct check *c, const void *message)
{
	const struct destination_rule *r = message;
	struct check policy = check_member(c, "trafficPolicy");

	check_subsets(c, r);
	if (r->traffic_policy != NULL)
		warn_policy(&policy, r->traffic_policy);
}

static void
check_rule_host(struct check *c, const void *value)
{
	check_wildcard_host(c, value);
	check_pattern_in_force(c, *(const struct slice *)value);
}

static const struct field rule_fields[] = {
    ROW(destination_rule, "host", host, FIELD_STRING, .flags = FIELD_REQUIRED,
	.check = check_rule_host,
	.doc = "The service that it is about; `*.name` for many."),
    ROW_OF(destination_rule, "trafficPolicy", traffic_policy, policy,
	.doc = "How the service is called."),
    ROWS_OF(destination_rule, "subsets", subsets, subset, 0,
	.most = SUBSETS_MAX,
	.doc = "Parts of the service that routes may name."),
    ROW(destination_rule, "exportTo", export_to, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Namespaces that see it: `*` all, `.` its own; all if absent."),
    ROW_OF(destination_rule, "workloadSelector", workload_selector,
	policy_selector,
	.doc = "Callers that it is for, of its own namespace; all if absent."),
};

const struct message destination_rule_message = MESSAGE(destination_rule,
    "DestinationRule", rule_fields, .check = check_rule,
    .doc = "How a service is called once a route has chosen it.");

static void
check_policy_place(
    struct check *c, const struct traffic_policy *p, struct slice ns)
{
	if (p == NULL)
		return;
	check_credential_place(c, p->tls, ns);
	for (size_t i = 0; i < p->port_level.count; i++) {
		struct check at = check_member(c, "portLevelSettings[%zu]", i);

		check_credential_place(&at, p->port_level.items[i].tls, ns);
	}
}

/* What depends on the namespace. */
static void
check_place(struct check *c, const struct resource *r)
{
	const struct destination_rule *d = r->spec;
	const struct export_to list = {d->export_to.items, d->export_to.count};
	struct check spec = check_member(c, "spec");
	struct check policy = check_member(&spec, "trafficPolicy");

	check_policy_place(&policy, d->traffic_policy, r->key.ns);
	for (size_t i = 0; i < d->subsets.count; i++) {
		struct check at =
		    check_member(&spec, "subsets[%zu].trafficPolicy", i);

		check_policy_place(
		    &at, d->subsets.items[i].traffic_policy, r->key.ns);
	}
	check_export_to(&spec, &list, r->key.ns,
	    d->workload_selector != NULL ? EXPORT_OWN_ONLY : 0);
}

const struct resource_kind kind_destination_rule = {
    .group = "networking.istio.io",
    .kind = "DestinationRule",
    .plural = "destinationrules",
    .alias = "dr",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &destination_rule_message,
    .check = check_place,
};
