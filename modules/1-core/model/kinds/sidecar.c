/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar — the fields of Sidecar.
 *
 * The rules of its listeners are in sidecar_rules.c.
 */
#include "http_fields.h"
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "sidecar_rules.h"
#include "validate.h"

static const struct field_word capture_words[] = {
    {"DEFAULT", CAPTURE_DEFAULT, 0},
    {"IPTABLES", CAPTURE_IPTABLES, 0},
    {"NONE", CAPTURE_NONE, 0},
    {NULL, 0, 0},
};

static const struct field port_fields[] = {
    ROW(sidecar_port, "number", number, FIELD_INT, .min = 0, .max = UINT32_MAX,
	.doc = "Where it listens; 0 with a unix socket only."),
    ROW(sidecar_port, "protocol", protocol, FIELD_STRING,
	.check = check_port_protocol,
	.doc = "What is spoken; found out if absent."),
    ROW(sidecar_port, "name", name, FIELD_STRING,
	.check = check_sidecar_port_name, .doc = "Names the port."),
    ROW(sidecar_port, "targetPort", target_port, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .doc = "Refused: it means nothing here."),
};

static void
check_port(struct check *c, const void *message)
{
	const struct sidecar_port *p = message;
	struct check at = check_member(c, "targetPort");

	if (p->target_port != 0)
		check_error(
		    &at, ERR_INVALID, "targetPort has no impact on Sidecars");
}

static const struct message sidecar_port_message = MESSAGE(sidecar_port,
    "SidecarPort", port_fields, .check = check_port, .doc = "One port.");

static const struct field ingress_fields[] = {
    ROW_OF(sidecar_ingress, "port", port, sidecar_port, .flags = FIELD_REQUIRED,
	.doc = "Where it listens."),
    ROW(sidecar_ingress, "bind", bind, FIELD_STRING,
	.doc = "Address that it listens on."),
    ROW(sidecar_ingress, "captureMode", capture_mode, FIELD_ENUM,
	.words = capture_words, .otherwise = "DEFAULT",
	.doc = "Whether traffic is captured for it or comes by itself."),
    ROW(sidecar_ingress, "defaultEndpoint", default_endpoint, FIELD_STRING,
	.doc =
	    "Where it is passed on: 127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT "
	    "or [::]:PORT for the workload's own address, unix://PATH."),
    ROW_OF(sidecar_ingress, "tls", tls, server_tls, .flags = FIELD_GUARD,
	.doc = "How callers outside of the mesh are answered."),
    ROW_OF(sidecar_ingress, "connectionPool", connection_pool, connection_pool,
	.doc = "Bounds of what is passed on."),
};

static const struct message sidecar_ingress_message =
    MESSAGE(sidecar_ingress, "IstioIngressListener", ingress_fields,
	.check = check_sidecar_ingress, .doc = "One way in.");

static const struct field egress_fields[] = {
    ROW_OF(sidecar_egress, "port", port, sidecar_port,
	.doc = "Where it listens; the last may leave it out, for all ports."),
    ROW(sidecar_egress, "bind", bind, FIELD_STRING, .flags = FIELD_INERT,
	.doc = "Address or unix socket that it listens on."),
    ROW(sidecar_egress, "captureMode", capture_mode, FIELD_ENUM,
	.words = capture_words, .otherwise = "DEFAULT", .flags = FIELD_INERT,
	.doc = "Whether traffic is captured for it or comes by itself."),
    ROW(sidecar_egress, "hosts", hosts, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_REQUIRED,
	.doc = "Hosts that are seen, as NAMESPACE/HOST: `*` any, `.` the own, "
	       "`~` none; `~NAMESPACE` takes them away."),
};

static const struct message sidecar_egress_message =
    MESSAGE(sidecar_egress, "IstioEgressListener", egress_fields,
	.check = check_sidecar_egress, .doc = "One way out.");

static const struct field_word outbound_words[] = {
    {"REGISTRY_ONLY", OUTBOUND_REGISTRY_ONLY, 0},
    {"ALLOW_ANY", OUTBOUND_ALLOW_ANY, 0},
    {NULL, 0, 0},
};

static const struct field outbound_fields[] = {
    ROW(outbound_policy, "mode", mode, FIELD_ENUM, .words = outbound_words,
	.otherwise = "REGISTRY_ONLY",
	.doc = "REGISTRY_ONLY lets nobody call what the mesh does not know, "
	       "ALLOW_ANY passes it on."),
    ROW_OF(outbound_policy, "egressProxy", egress_proxy, destination_spec,
	.doc = "Where what the mesh does not know is sent; with ALLOW_ANY "
	       "only."),
};

static const struct message outbound_policy_message = MESSAGE(outbound_policy,
    "OutboundTrafficPolicy", outbound_fields, .check = check_outbound_policy,
    .doc = "What becomes of calls that the mesh does not know.");

static void
check_sidecar(struct check *c, const void *message)
{
	const struct sidecar *s = message;

	if (s->ingress.count == 0 && s->egress.count == 0 &&
	    s->outbound_traffic_policy == NULL &&
	    s->inbound_connection_pool == NULL)
		check_error(c, ERR_INVALID,
		    "empty configuration: it has to hold ingress, egress, "
		    "outboundTrafficPolicy or inboundConnectionPool");
	if (s->workload_selector != NULL &&
	    s->workload_selector->labels.count == 0)
		check_warning(c,
		    "workload selector specified without labels: it is for "
		    "all workloads of the namespace");
	check_sidecar_listeners(c, s);
}

static const struct field sidecar_fields[] = {
    ROW_OF(sidecar, "workloadSelector", workload_selector, workload_selector,
	.doc = "Workloads that it is for; absent: all of the namespace."),
    ROWS_OF(sidecar, "ingress", ingress, sidecar_ingress, FIELD_INERT,
	.doc = "Ways in, in place of those that services give."),
    ROWS_OF(sidecar, "egress", egress, sidecar_egress, 0,
	.doc = "Ways out, and which hosts are seen by them."),
    ROW_OF(sidecar, "inboundConnectionPool", inbound_connection_pool,
	connection_pool, .flags = FIELD_INERT,
	.doc = "Bounds of what comes in, for all ports."),
    ROW_OF(sidecar, "outboundTrafficPolicy", outbound_traffic_policy,
	outbound_policy,
	.doc = "What becomes of calls that the mesh does not know; absent: "
	       "what the mesh says."),
};

const struct message sidecar_message =
    MESSAGE(sidecar, "Sidecar", sidecar_fields, .check = check_sidecar,
	.doc = "What a workload sees of the mesh, and takes from it.");

static void
check_hosts(struct check *c, const struct resource *r)
{
	struct check at = check_member(c, "spec");

	check_sidecar_hosts(&at, r->spec, r->key.ns);
}

const struct resource_kind kind_sidecar = {
    .group = "networking.istio.io",
    .kind = "Sidecar",
    .plural = "sidecars",
    .alias = "sc",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &sidecar_message,
    .check = check_hosts,
};
