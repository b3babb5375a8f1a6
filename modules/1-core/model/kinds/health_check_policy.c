/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_check_policy — the fields of HealthCheckPolicy.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

enum { STATUS_MIN = 100, STATUS_MAX = 599, STATUSES_MAX = 64 };

/* --- by HTTP -------------------------------------------------------------- */

static void
check_path(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!slice_starts(*s, S("/")))
		check_error(c, ERR_INVALID, "has to begin with \"/\"");
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->ptr[i] <= ' ' || s->ptr[i] == 127) {
			check_error(c, ERR_INVALID,
			    "holds a blank or a control character, which no "
			    "path may");
			return;
		}
}

static void
check_method(struct check *c, const void *value)
{
	if (!is_token(*(const struct slice *)value))
		check_error(c, ERR_INVALID, "is no method of HTTP");
}

static bool
is_status(struct slice text, uint64_t *out)
{
	return slice_to_u64(text, out) == OK && *out >= STATUS_MIN &&
	       *out <= STATUS_MAX;
}

static void
check_statuses(struct check *c, const void *value)
{
	const struct slice *s = value;
	struct slice last = *s;
	struct slice first = slice_split(&last, '-');
	uint64_t from, to;

	if (first.len == s->len)
		last = first; /* there was no dash */
	if (!is_status(first, &from) || !is_status(last, &to) || from > to)
		check_error(c, ERR_INVALID,
		    "is neither a status such as \"200\" nor a range of them "
		    "such as \"200-299\"");
}

static const struct field_word scheme_words[] = {
    {"HTTP", HEALTH_HTTP, 0},
    {"HTTPS", HEALTH_HTTPS, 0},
    {NULL, 0, 0},
};

#define PORT_ROW(of_struct)                                                    \
	ROW(of_struct, "port", port, FIELD_INT, .min = 1, .max = 65535,        \
	    .doc = "Port that is asked; the service's own if absent.")

static const struct field http_fields[] = {
    PORT_ROW(health_http),
    ROW(health_http, "path", path, FIELD_STRING, .check = check_path,
	.otherwise = "/", .doc = "Path that is asked for."),
    ROW(health_http, "host", host, FIELD_STRING, .check = check_host,
	.doc = "What the header Host says; the address if absent."),
    ROW(health_http, "method", method, FIELD_STRING, .check = check_method,
	.otherwise = "GET", .doc = "Method of the request."),
    ROW(health_http, "scheme", scheme, FIELD_ENUM, .words = scheme_words,
	.otherwise = "HTTP",
	.doc = "HTTP, or HTTPS by TLS 1.3, whatever the certificate says: "
	       "whether it is well is asked, not who it is."),
    ROWS_OF(health_http, "headers", headers, probe_header, 0,
	.doc = "Headers of the request."),
    ROW(health_http, "expectedStatuses", expected_statuses, FIELD_STRING,
	.flags = FIELD_REPEATED, .most = STATUSES_MAX, .check = check_statuses,
	.doc = "Statuses that are good, as \"200\" or \"200-299\"; 200-399 if "
	       "absent."),
};

static const struct message health_http_message = MESSAGE(health_http,
    "HTTPHealthCheck", http_fields, .doc = "Asks by HTTP; the status says it.");

/* --- other ways ----------------------------------------------------------- */

static const struct field tcp_fields[] = {
    PORT_ROW(health_tcp),
};

static const struct message health_tcp_message = MESSAGE(health_tcp,
    "TCPHealthCheck", tcp_fields, .doc = "Connects; that it can is good.");

static const struct field grpc_fields[] = {
    PORT_ROW(health_grpc),
    ROW(health_grpc, "service", service, FIELD_STRING,
	.doc = "Service whose health is asked for; the whole server if "
	       "absent."),
};

static const struct message health_grpc_message =
    MESSAGE(health_grpc, "GRPCHealthCheck", grpc_fields,
	.doc = "Asks by grpc.health.v1; SERVING is good.");

/* --- the whole ------------------------------------------------------------ */

enum { ONEOF_CHECK = 1 };

static void
check_interval(struct check *c, const void *us)
{
	enum { LEAST_US = 100000 };

	check_duration(c, us);
	if (*(const uint64_t *)us < LEAST_US)
		check_error(c, ERR_INVALID, "has to be at least 100ms");
}

static void
check_policy(struct check *c, const void *message)
{
	const struct health_check_policy *p = message;
	struct check at = check_member(c, "timeout");

	check_policy_scope(c, &p->scope);
	if (p->http == NULL && p->tcp == NULL && p->grpc == NULL &&
	    p->exec == NULL)
		check_error(
		    c, ERR_INVALID, "has to say how: http, tcp, grpc or exec");
	if (check_given(c, "timeout") && p->timeout > p->interval)
		check_error(&at, ERR_INVALID,
		    "is longer than the interval, so that the next check would "
		    "begin before it");
}

static const struct field policy_fields[] = {
    POLICY_SCOPE_ROWS(health_check_policy),
    ROW(health_check_policy, "service", service, FIELD_STRING,
	.check = check_dns_label,
	.doc = "Service of the workload that is asked; each of them if "
	       "absent. Of several policies the one that says most counts: "
	       "service or targetRefs, then selector; then the oldest. One of "
	       "the root namespace that names no service is for all "
	       "namespaces, where none of their own is for the service."),
    ROW_OF(health_check_policy, "http", http, health_http, .oneof = ONEOF_CHECK,
	.doc = "Asks by HTTP."),
    ROW_OF(health_check_policy, "tcp", tcp, health_tcp, .oneof = ONEOF_CHECK,
	.doc = "Connects."),
    ROW_OF(health_check_policy, "grpc", grpc, health_grpc, .oneof = ONEOF_CHECK,
	.doc = "Asks by gRPC."),
    ROW_OF(health_check_policy, "exec", exec, probe_exec, .oneof = ONEOF_CHECK,
	.doc = "Runs a command on the machine, only where the agent's own "
	       "settings allow it."),
    ROW(health_check_policy, "interval", interval, FIELD_DURATION,
	.check = check_interval, .otherwise = "10s",
	.doc = "Time from one check to the next, at least 100ms."),
    ROW(health_check_policy, "timeout", timeout, FIELD_DURATION,
	.check = check_duration, .otherwise = "1s",
	.doc = "After this no answer is a bad one; at most the interval."),
    ROW(health_check_policy, "initialDelay", initial_delay, FIELD_DURATION,
	.otherwise = "0s", .doc = "Time before the first check."),
    ROW(health_check_policy, "healthyThreshold", healthy_threshold, FIELD_INT,
	.min = 1, .max = 100, .otherwise = "1",
	.doc = "Good answers in a row after which it is healthy; the first "
	       "of all decides alone."),
    ROW(health_check_policy, "unhealthyThreshold", unhealthy_threshold,
	FIELD_INT, .min = 1, .max = 100, .otherwise = "3",
	.doc = "Bad answers in a row after which it is not; the first of all "
	       "decides alone."),
};

const struct message health_check_policy_message = MESSAGE(health_check_policy,
    "HealthCheckPolicy", policy_fields, .check = check_policy,
    .doc = "How agents find out whether services are well; what is not "
	   "gets no traffic.");

const struct resource_kind kind_health_check_policy = {
    .group = "meshd.dev",
    .kind = "HealthCheckPolicy",
    .plural = "healthcheckpolicies",
    .alias = "hc",
    .versions = (const char *const[]){"v1", NULL},
    .spec = &health_check_policy_message,
};
