/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_group — the fields of WorkloadGroup.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* --- probes --------------------------------------------------------------- */

static void
check_header_name(struct check *c, const void *value)
{
	const struct slice *s = value;

	for (size_t i = 0; i < s->len; i++)
		if (!is_alnum(s->ptr[i]) && s->ptr[i] != '-') {
			check_error(c, ERR_INVALID,
			    "is no name of a header: letters, digits and '-'");
			return;
		}
}

static void
check_scheme(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len > 0 && !slice_eq(*s, S("HTTP")) && !slice_eq(*s, S("HTTPS")))
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is neither HTTP nor HTTPS",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static const struct field probe_header_fields[] = {
    ROW(probe_header, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .check = check_header_name,
	.doc = "Name of the header."),
    ROW(probe_header, "value", value, FIELD_STRING,
	.doc = "Value of the header."),
};

const struct message probe_header_message = MESSAGE(probe_header, "HTTPHeader",
    probe_header_fields, .doc = "A header of the request.");

static const struct field probe_http_fields[] = {
    ROW(probe_http, "path", path, FIELD_STRING, .otherwise = "/",
	.doc = "Path that is asked for."),
    ROW(probe_http, "port", port, FIELD_INT, .flags = FIELD_REQUIRED, .min = 1,
	.max = 65535, .doc = "Port of the workload."),
    ROW(probe_http, "host", host, FIELD_STRING,
	.doc = "Host that is asked; the workload itself unless it is said."),
    ROW(probe_http, "scheme", scheme, FIELD_STRING, .check = check_scheme,
	.otherwise = "HTTP", .doc = "HTTP or HTTPS."),
    ROWS_OF(probe_http, "httpHeaders", http_headers, probe_header, 0,
	.doc = "Headers of the request."),
};

static const struct message probe_http_message =
    MESSAGE(probe_http, "HTTPHealthCheckConfig", probe_http_fields,
	.doc = "Asks by HTTP; a status from 200 to 399 is good.");

static const struct field probe_tcp_fields[] = {
    ROW(probe_tcp, "host", host, FIELD_STRING, .otherwise = "localhost",
	.doc = "Host that is connected to."),
    ROW(probe_tcp, "port", port, FIELD_INT, .flags = FIELD_REQUIRED, .min = 1,
	.max = 65535, .doc = "Port that is connected to."),
};

static const struct message probe_tcp_message =
    MESSAGE(probe_tcp, "TCPHealthCheckConfig", probe_tcp_fields,
	.doc = "Connects; that it can is good.");

static const struct field probe_exec_fields[] = {
    ROW(probe_exec, "command", command, FIELD_STRING,
	.flags = FIELD_REPEATED | FIELD_REQUIRED,
	.doc = "Command and its arguments, without a shell."),
};

const struct message probe_exec_message =
    MESSAGE(probe_exec, "ExecHealthCheckConfig", probe_exec_fields,
	.doc = "Runs a command; the status 0 is good.");

static const struct field probe_grpc_fields[] = {
    ROW(probe_grpc, "port", port, FIELD_INT, .min = 0, .max = 65535,
	.doc = "Port that is asked."),
    ROW(probe_grpc, "service", service, FIELD_STRING,
	.doc = "Service whose health is asked for."),
};

static const struct message probe_grpc_message =
    MESSAGE(probe_grpc, "GrpcHealthCheckConfig", probe_grpc_fields,
	.doc = "Asks by grpc.health.v1.");

/* Upstream's validation does not know gRPC, although its API does. */
static void
check_probe(struct check *c, const void *message)
{
	const struct readiness_probe *p = message;

	if (p->grpc != NULL)
		check_error(c, ERR_INVALID,
		    "grpc is not a way to probe here; use httpGet, tcpSocket "
		    "or exec, or a HealthCheckPolicy");
	else if (p->http_get == NULL && p->tcp_socket == NULL &&
		 p->exec == NULL)
		check_error(c, ERR_INVALID,
		    "has to say how: httpGet, tcpSocket or exec");
}

enum { ONEOF_PROBE = 1 };

#define SECONDS_ROW(field_name, member, otherwise_text, words)                 \
	ROW(readiness_probe, field_name, member, FIELD_INT, .max = INT32_MAX,  \
	    .otherwise = otherwise_text, .doc = words)

static const struct field probe_fields[] = {
    SECONDS_ROW("initialDelaySeconds", initial_delay_seconds, "0",
	"Seconds before the first time."),
    SECONDS_ROW("timeoutSeconds", timeout_seconds, "1",
	"Seconds after which no answer is a bad one."),
    SECONDS_ROW(
	"periodSeconds", period_seconds, "10", "Seconds from one to the next."),
    SECONDS_ROW("successThreshold", success_threshold, "1",
	"Good answers in a row after which it is healthy."),
    SECONDS_ROW("failureThreshold", failure_threshold, "3",
	"Bad answers in a row after which it is not."),
    ROW_OF(readiness_probe, "httpGet", http_get, probe_http,
	.oneof = ONEOF_PROBE, .doc = "Asks by HTTP."),
    ROW_OF(readiness_probe, "tcpSocket", tcp_socket, probe_tcp,
	.oneof = ONEOF_PROBE, .doc = "Connects."),
    ROW_OF(readiness_probe, "exec", exec, probe_exec, .oneof = ONEOF_PROBE,
	.doc = "Runs a command."),
    ROW_OF(readiness_probe, "grpc", grpc, probe_grpc, .oneof = ONEOF_PROBE,
	.doc = "Asks by gRPC; refused, as upstream does."),
};

const struct message readiness_probe_message =
    MESSAGE(readiness_probe, "ReadinessProbe", probe_fields,
	.check = check_probe, .doc = "How the workload's health is asked.");

/* --- the kind ------------------------------------------------------------- */

static const struct field metadata_fields[] = {
    ROW(workload_metadata, "labels", labels, FIELD_STRING_MAP,
	.check = check_label,
	.doc = "Labels of its workloads, which win over the template's; "
	       "by them a gateway finds its group."),
    ROW(workload_metadata, "annotations", annotations, FIELD_STRING_MAP,
	.doc = "Of these proxy.istio.io/config is looked at by a gateway "
	       "with the labels, for gatewayTopology.proxyProtocol."),
};

static const struct message metadata_message = MESSAGE(workload_metadata,
    "ObjectMeta", metadata_fields, .doc = "What each workload gets.");

static const struct field workload_group_fields[] = {
    ROW_OF(workload_group, "metadata", metadata, metadata,
	.doc = "Labels and annotations of each workload that joins."),
    ROW_OF(workload_group, "template", workload, workload_template,
	.flags = FIELD_REQUIRED,
	.doc = "What each workload's entry begins with; its address is its "
	       "own."),
    ROW_OF(workload_group, "probe", probe, readiness_probe,
	.doc = "How their health is asked, on the machine that they run on."),
};

const struct message workload_group_message =
    MESSAGE(workload_group, "WorkloadGroup", workload_group_fields,
	.doc = "What workloads that join have in common.");

const struct resource_kind kind_workload_group = {
    .group = "networking.istio.io",
    .kind = "WorkloadGroup",
    .plural = "workloadgroups",
    .alias = "wg",
    .versions = (const char *const[]){"v1", "v1beta1", "v1alpha3", NULL},
    .spec = &workload_group_message,
};
