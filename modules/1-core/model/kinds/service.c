/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service — the fields of the core Service.
 */
#include "addresses.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

enum { PORT_NAME_MAX = 15 };

/* A number of a port, or its name in the workload (RFC 6335 §5.1). */
static void
check_target_port(struct check *c, const void *value)
{
	const struct int_or_string *t = value;

	if (t->is_string && (t->text.len > PORT_NAME_MAX ||
				name_check_label(t->text, NULL) != OK))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no name of a port: at most 15 lower-case "
		    "letters, digits and dashes",
		    SLICE_ARG(slice_sub(t->text, 0, NAME_LABEL_MAX)));
}

/* Words of Istio's and Kubernetes' own; UDP has no stream to carry it. */
static void
check_app_protocol(struct check *c, const void *value)
{
	static const char *const words[] = {"tcp", "http", "http2", "grpc",
	    "grpc-web", "https", "tls", "mongo", "redis", "mysql",
	    "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"};
	const struct slice *s = value;
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, *s);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (slice_eq_nocase(*s, slice_str(words[i])))
			return;
		nearest_offer(&near, words[i]);
	}
	check_warning(c,
	    "\"%.*s\" is no protocol that the mesh knows; the port is taken "
	    "for plain TCP%s",
	    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
}

static void
check_cluster_ip(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len > 0 && !slice_eq(*s, S("None")) && !is_ip(*s))
		check_error(c, ERR_INVALID, "is neither an IP nor None");
}

static const struct field_word protocol_words[] = {
    {"TCP", SERVICE_TCP, 0},
    {"UDP", SERVICE_UDP, FIELD_INERT}, /* the port is left out */
    {"SCTP", SERVICE_SCTP, FIELD_INERT},
    {NULL, 0, 0},
};

static const struct field port_fields[] = {
    {.name = "name",
	.type = FIELD_STRING,
	.offset = offsetof(struct service_port, name),
	.check = check_dns_label,
	.doc = "Names the port; `http-web` also says its protocol."},
    {.name = "protocol",
	.type = FIELD_ENUM,
	.offset = offsetof(struct service_port, protocol),
	.words = protocol_words,
	.otherwise = "TCP",
	.doc = "The transport; only TCP is carried."},
    {.name = "appProtocol",
	.type = FIELD_STRING,
	.offset = offsetof(struct service_port, app_protocol),
	.check = check_app_protocol,
	.doc = "What is spoken: http, http2, grpc, tcp …; else the name says "
	       "it."},
    {.name = "port",
	.type = FIELD_INT,
	.flags = FIELD_REQUIRED,
	.offset = offsetof(struct service_port, port),
	.min = 1,
	.max = 65535,
	.doc = "Where callers address the service."},
    {.name = "targetPort",
	.type = FIELD_INT_OR_STRING,
	.offset = offsetof(struct service_port, target_port),
	.min = 1,
	.max = 65535,
	.check = check_target_port,
	.doc = "Where the workload listens; the same as port if absent."},
    FOREIGN("nodePort", "A port on every node of a cluster."),
};

static const struct message port_message = {
    .name = "ServicePort",
    .size = sizeof(struct service_port),
    .fields = port_fields,
    .field_count = ARRAY_LEN(port_fields),
    .doc = "One port of a service.",
};

bool
service_port_has_target(const struct service_port *p)
{
	return message_has(&port_message, p, "targetPort");
}

bool
service_is_headless(const struct service_spec *s)
{
	return slice_eq(s->cluster_ip, S("None")) ||
	       (s->cluster_ips.count > 0 &&
		   slice_eq(s->cluster_ips.items[0], S("None")));
}

bool
service_selects(const struct resource *r, const struct service_offer *o)
{
	const struct service_spec *s = r->spec;

	if (!slice_eq(r->key.ns, o->ns))
		return false;
	if (s->selector.count == 0)
		return slice_eq(r->key.name, o->name);
	return labels_match(&o->labels, &s->selector);
}

bool
labels_name_port(const struct labels *l, struct slice port_name)
{
	const struct label wanted = {S(OFFER_PORT_NAME), port_name};
	const struct labels one = {&wanted, 1};

	return port_name.len > 0 && labels_match(l, &one);
}

bool
service_port_leads_to(const struct resource *r, const struct service_port *p,
    const struct service_offer *o)
{
	if (p->protocol != SERVICE_TCP)
		return false;
	if (slice_eq(r->key.name, o->name) && p->port == o->port)
		return true;
	if (labels_name_port(&o->labels, p->name))
		return true;
	if (!service_port_has_target(p))
		return p->port == o->port;
	if (!p->target_port.is_string)
		return p->target_port.number == o->port;
	return slice_eq(p->target_port.text, o->protocol) ||
	       slice_eq(p->target_port.text, o->name);
}

static void
check_port_pair(
    struct check *c, const struct service_spec *s, size_t i, size_t j)
{
	const struct service_port *a = &s->ports.items[i];
	const struct service_port *b = &s->ports.items[j];

	if (a->port != 0 && a->port == b->port && a->protocol == b->protocol) {
		struct check at = check_member(c, "ports[%zu].port", j);

		check_error(&at, ERR_INVALID, "port %lld is there twice",
		    (long long)b->port);
	}
	if (b->name.len > 0 && slice_eq(a->name, b->name)) {
		struct check at = check_member(c, "ports[%zu].name", j);

		check_error(&at, ERR_INVALID,
		    "the name \"%.*s\" is there "
		    "twice",
		    SLICE_ARG(b->name));
	}
}

enum { SERVICE_PORTS_MAX = 250 };

/* Without ports: another name, or one without an address of its own. */
static void
check_type(struct check *c, const struct service_spec *s)
{
	struct check ports = check_member(c, "ports");
	struct check name = check_member(c, "externalName");
	bool other = s->type == SERVICE_EXTERNAL_NAME;

	if (s->ports.count == 0 && !other && !service_is_headless(s))
		check_error(&ports, ERR_INVALID,
		    "is required: nothing else says where callers go");
	if (other && s->external_name.len == 0)
		check_error(
		    &name, ERR_INVALID, "is required for type ExternalName");
}

static void
check_service(struct check *c, const void *message)
{
	const struct service_spec *s = message;

	if (s->ports.count > SERVICE_PORTS_MAX) {
		struct check at = check_member(c, "ports");

		check_error(&at, ERR_LIMIT, "more than %d ports",
		    (int)SERVICE_PORTS_MAX);
		return;
	}
	for (size_t j = 0; j < s->ports.count; j++) {
		for (size_t i = 0; i < j; i++)
			check_port_pair(c, s, i, j);
		if (s->ports.count > 1 && s->ports.items[j].name.len == 0) {
			struct check at = check_member(c, "ports[%zu].name", j);

			check_error(&at, ERR_INVALID,
			    "is required where there are several ports");
		}
	}
	check_type(c, s);
	if (s->type == SERVICE_NODE_PORT || s->type == SERVICE_LOAD_BALANCER) {
		struct check at = check_member(c, "type");

		check_warning(&at,
		    "means nothing outside Kubernetes; the service is "
		    "reachable inside the mesh");
	}
}

static const struct field_word type_words[] = {
    {"ClusterIP", SERVICE_CLUSTER_IP, 0},
    {"NodePort", SERVICE_NODE_PORT, 0},
    {"LoadBalancer", SERVICE_LOAD_BALANCER, 0},
    {"ExternalName", SERVICE_EXTERNAL_NAME, FIELD_INERT},
    {NULL, 0, 0},
};

static const struct field service_fields[] = {
    {.name = "selector",
	.type = FIELD_STRING_MAP,
	.offset = offsetof(struct service_spec, selector),
	.check = check_label,
	.doc = "Labels that a workload must have to serve it."},
    {.name = "ports",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct service_spec, ports),
	.of = &port_message,
	.doc = "The ports, each under a number of its own."},
    {.name = "type",
	.type = FIELD_ENUM,
	.offset = offsetof(struct service_spec, type),
	.words = type_words,
	.otherwise = "ClusterIP",
	.doc = "Kubernetes' way to publish it; every type is inside the mesh "
	       "only."},
    ROW(service_spec, "externalName", external_name, FIELD_STRING,
	.flags = FIELD_INERT, .check = check_host,
	.doc = "Another name that stands for the service."),
    ROW(service_spec, "publishNotReadyAddresses", publish_not_ready, FIELD_BOOL,
	.flags = FIELD_INERT, .otherwise = "false",
	.doc = "Whether endpoints that are not ready are called too."),
    ROW(service_spec, "clusterIP", cluster_ip, FIELD_STRING,
	.check = check_cluster_ip,
	.doc = "The address that callers connect to, where they are captured; "
	       "None: the workloads'."),
    ROW(service_spec, "clusterIPs", cluster_ips, FIELD_STRING,
	.flags = FIELD_REPEATED, .most = 2, .check = check_cluster_ip,
	.doc = "The same, one of each family."),
    FOREIGN("ipFamilies", "Families of the virtual addresses."),
    FOREIGN("ipFamilyPolicy", "How many of them."),
    FOREIGN("externalIPs", "Addresses that lead to a node."),
    FOREIGN("externalTrafficPolicy", "Which nodes take outside traffic."),
    FOREIGN("internalTrafficPolicy", "Which nodes take inside traffic."),
    FOREIGN("healthCheckNodePort", "A health check of a load balancer."),
    FOREIGN("loadBalancerIP", "An address of a load balancer."),
    FOREIGN("loadBalancerClass", "An implementation of a load balancer."),
    FOREIGN("loadBalancerSourceRanges", "Clients of a load balancer."),
    FOREIGN("allocateLoadBalancerNodePorts", "Ports of a load balancer."),
    FOREIGN("sessionAffinity", "Stickiness in a cluster's own proxy."),
    FOREIGN("sessionAffinityConfig", "How long it lasts."),
    FOREIGN("trafficDistribution", "A wish about zones in a cluster."),
};

const struct message service_message = {
    .name = "Service",
    .size = sizeof(struct service_spec),
    .fields = service_fields,
    .field_count = ARRAY_LEN(service_fields),
    .check = check_service,
    .doc = "A name and ports for the workloads that carry certain labels.",
};

/* Name and namespace are the first labels of its host. */
static void
check_service_kind(struct check *c, const struct resource *r)
{
	struct check at = check_member(c, "metadata.name");
	struct check ns = check_member(c, "metadata.namespace");

	/* What is no name at all was reported already. */
	if (name_check_subdomain(r->key.name, NULL) == OK)
		check_dns_label(&at, &r->key.name);
	if (is_dns_label(r->key.ns)) /* else: reported */
		check_dns_label(&ns, &r->key.ns);
}

const struct resource_kind kind_service = {
    .group = "",
    .kind = "Service",
    .plural = "services",
    .alias = "svc",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &service_message,
    .check = check_service_kind,
};
