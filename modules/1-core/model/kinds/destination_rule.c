/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination_rule — the fields of DestinationRule.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

static const struct field_word balancer_words[] = {
    {"UNSPECIFIED", BALANCER_UNSPECIFIED, 0},
    {"LEAST_REQUEST", BALANCER_LEAST_REQUEST, 0},
    {"ROUND_ROBIN", BALANCER_ROUND_ROBIN, 0},
    {"RANDOM", BALANCER_RANDOM, 0},
    {"LEAST_CONN", BALANCER_LEAST_CONN, 0},
    {"PASSTHROUGH", BALANCER_PASSTHROUGH, FIELD_UNBUILT},
    {NULL, 0, 0},
};

enum { ONEOF_BALANCER = 1 };

static void
check_simple(struct check *c, const void *value)
{
	if (*(const int *)value == BALANCER_LEAST_CONN)
		check_warning(
		    c, "LEAST_CONN is deprecated; write LEAST_REQUEST");
}

static const struct field load_balancer_fields[] = {
    {.name = "simple",
	.type = FIELD_ENUM,
	.oneof = ONEOF_BALANCER,
	.offset = offsetof(struct load_balancer, simple),
	.words = balancer_words,
	.otherwise = "UNSPECIFIED",
	.check = check_simple,
	.doc = "How the next endpoint is chosen; least request unless said "
	       "otherwise."},
    UNBUILT("consistentHash", "The same key goes to the same endpoint."),
    UNBUILT("localityLbSetting", "Which places are preferred."),
    UNBUILT("zoneAwareLbSetting", "Prefers the own zone by its share."),
    UNBUILT("warmup", "New endpoints begin with less."),
    UNBUILT("warmupDurationSecs", "The same, in its old form."),
};

static const struct message load_balancer_message = {
    .name = "LoadBalancerSettings",
    .size = sizeof(struct load_balancer),
    .fields = load_balancer_fields,
    .field_count = ARRAY_LEN(load_balancer_fields),
    .doc = "How an endpoint is chosen.",
};

/* An empty policy is Istio's mistake too, and likely a slip of indentation. */
static void
check_policy(struct check *c, const void *message)
{
	(void)message;
	if (c->node != NULL && c->node->type == VALUE_MAP &&
	    c->node->count == 0)
		check_error(c, ERR_INVALID, "has to hold at least one setting");
}

static const struct field policy_fields[] = {
    {.name = "loadBalancer",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct traffic_policy, load_balancer),
	.of = &load_balancer_message,
	.doc = "How an endpoint is chosen."},
    UNBUILT("connectionPool", "Bounds of connections and requests."),
    UNBUILT("outlierDetection", "Takes failing endpoints out."),
    UNBUILT("tls", "How the client secures the connection."),
    UNBUILT("portLevelSettings", "Settings of one port."),
    UNBUILT("tunnel", "Carries TCP over HTTP CONNECT or POST."),
    UNBUILT("proxyProtocol", "Announces the client by PROXY protocol."),
    UNBUILT("retryBudget", "Bounds retries to a share of requests."),
};

static const struct message policy_message = {
    .name = "TrafficPolicy",
    .size = sizeof(struct traffic_policy),
    .fields = policy_fields,
    .field_count = ARRAY_LEN(policy_fields),
    .check = check_policy,
    .doc = "How a destination is called.",
};

static const struct field subset_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct subset_spec, name),
	.check = check_subset_name,
	.doc = "What routes call it."},
    {.name = "labels",
	.type = FIELD_STRING_MAP,
	.offset = offsetof(struct subset_spec, labels),
	.check = check_label,
	.doc = "Labels that its endpoints have."},
    {.name = "trafficPolicy",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct subset_spec, traffic_policy),
	.of = &policy_message,
	.doc = "Overrides the rule's own, setting by setting."},
};

static const struct message subset_message = {
    .name = "Subset",
    .size = sizeof(struct subset_spec),
    .fields = subset_fields,
    .field_count = ARRAY_LEN(subset_fields),
    .doc = "A part of a service's endpoints, under a name.",
};

static void
check_rule(struct check *c, const void *message)
{
	const struct destination_rule *r = message;

	for (size_t j = 0; j < r->subsets.count; j++)
		for (size_t i = 0; i < j; i++) {
			struct slice name = r->subsets.items[j].name;
			struct check at;

			if (name.len == 0 ||
			    !slice_eq(r->subsets.items[i].name, name))
				continue;
			at = check_member(c, "subsets[%zu].name", j);
			check_error(&at, ERR_INVALID,
			    "the subset \"%.*s\" is there twice",
			    SLICE_ARG(name));
			break;
		}
}

static const struct field rule_fields[] = {
    {.name = "host",
	.type = FIELD_STRING,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct destination_rule, host),
	.check = check_wildcard_host,
	.doc = "The service that it is about; `*.name` for many."},
    {.name = "trafficPolicy",
	.type = FIELD_MESSAGE,
	.offset = offsetof(struct destination_rule, traffic_policy),
	.of = &policy_message,
	.doc = "How the service is called."},
    {.name = "subsets",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct destination_rule, subsets),
	.of = &subset_message,
	.doc = "Parts of the service that routes may name."},
    {.name = "exportTo",
	.type = FIELD_STRING,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct destination_rule, export_to),
	.check = check_export_to,
	.doc = "Namespaces that see it; only `*` for now."},
    UNBUILT("workloadSelector", "Clients that it is for."),
};

const struct message destination_rule_message = {
    .name = "DestinationRule",
    .size = sizeof(struct destination_rule),
    .fields = rule_fields,
    .field_count = ARRAY_LEN(rule_fields),
    .check = check_rule,
    .doc = "How a service is called once a route has chosen it.",
};

const struct resource_kind kind_destination_rule = {
    .group = "networking.istio.io",
    .kind = "DestinationRule",
    .plural = "destinationrules",
    .alias = "dr",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &destination_rule_message,
};
