/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check — what an expression refers to that will not be there.
 *
 * Attributes are Envoy's ("Attributes" in its documentation), with those that
 * its statistics and Wasm filters add.
 */
#include <stdarg.h>
#include <stdio.h>

#include "value.h"

/* A name of the scope; without members, they are anything or none. */
struct attribute {
	const char *name;
	const char *const *members; /* ends with NULL; NULL: not looked at */
};

static const char *const request[] = {"duration", "headers", "host", "id",
    "method", "path", "protocol", "query", "referer", "scheme", "size", "time",
    "total_size", "url_path", "useragent", NULL};
static const char *const response[] = {"backend_latency", "code",
    "code_details", "flags", "grpc_status", "headers", "size", "total_size",
    "trailers", NULL};
static const char *const address[] = {"address", "port", NULL};
static const char *const connection[] = {"dns_san_local_certificate",
    "dns_san_peer_certificate", "id", "mtls", "requested_server_name",
    "sha256_peer_certificate_digest", "subject_local_certificate",
    "subject_peer_certificate", "termination_details", "tls_version",
    "transport_failure_reason", "uri_san_local_certificate",
    "uri_san_peer_certificate", NULL};
static const char *const upstream[] = {"address", "cx_pool_ready_duration",
    "dns_san_local_certificate", "dns_san_peer_certificate", "local_address",
    "locality", "num_endpoints", "port", "request_attempt_count",
    "sha256_peer_certificate_digest", "subject_local_certificate",
    "subject_peer_certificate", "tls_version", "transport_failure_reason",
    "uri_san_local_certificate", "uri_san_peer_certificate", NULL};
static const char *const xds[] = {"cluster_metadata", "cluster_name",
    "filter_chain_name", "listener_direction", "listener_metadata", "node",
    "route_metadata", "route_name", "upstream_host_locality_metadata",
    "upstream_host_metadata", "virtual_host_metadata", "virtual_host_name",
    NULL};

static const struct attribute attributes[] = {
    {"request", request},
    {"response", response},
    {"source", address},
    {"destination", address},
    {"connection", connection},
    {"upstream", upstream},
    {"xds", xds},
    {"metadata", NULL},
    {"filter_state", NULL},
    {"upstream_filter_state", NULL},
    {"node", NULL},
    {"plugin_name", NULL},
    {"plugin_root_id", NULL},
    {"plugin_vm_id", NULL},
    {"cluster_name", NULL},
    {"cluster_metadata", NULL},
    {"listener_direction", NULL},
    {"listener_metadata", NULL},
    {"route_name", NULL},
    {"route_metadata", NULL},
    {"upstream_host_metadata", NULL},
};

/* Names of types are values too: type(x) == int. */
static const char *const types[] = {"bool", "bytes", "double", "int", "list",
    "map", "null_type", "string", "type", "uint"};

/* The variables that macros around a node bind. */
struct bound {
	struct slice name;
	const struct bound *outer;
};

static void PRINTF_LIKE(3, 4)
    report(struct faults *out, const struct cel_node *n, const char *fmt, ...)
{
	struct fault why = {0};
	char words[FAULT_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, ap); /* may be cut */
	va_end(ap);
	(void)fault_set(&why, ERR_NOT_FOUND, "%s (byte %u)", words, n->at + 1);
	faults_add(out, &why);
}

static const struct attribute *
find_attribute(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (slice_eq(name, slice_str(attributes[i].name)))
			return &attributes[i];
	return NULL;
}

static bool
is_bound(const struct bound *b, const struct cel_node *n)
{
	for (; b != NULL && !n->absolute; b = b->outer)
		if (slice_eq(b->name, n->name))
			return true;
	return false;
}

static void
check_name(
    const struct cel_node *n, const struct bound *bound, struct faults *out)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest nearest;

	if (is_bound(bound, n) || find_attribute(n->name) != NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (slice_eq(n->name, slice_str(types[i])))
			return;
	nearest_init(&nearest, n->name);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		nearest_offer(&nearest, attributes[i].name);
	report(out, n, "there is no attribute \"%.*s\"%s",
	    SLICE_ARG(slice_sub(n->name, 0, 64)), nearest_text(&nearest, hint));
}

/* "request.x", of which Envoy has a fixed set. */
static void
check_member(
    const struct cel_node *n, const struct bound *bound, struct faults *out)
{
	const struct cel_node *of = n->child;
	const struct attribute *a;
	char hint[NEAREST_TEXT_MAX];
	struct nearest nearest;

	if (of->type != CEL_NODE_NAME || is_bound(bound, of))
		return;
	a = find_attribute(of->name);
	if (a == NULL || a->members == NULL)
		return;
	nearest_init(&nearest, n->name);
	for (size_t i = 0; a->members[i] != NULL; i++) {
		if (slice_eq(n->name, slice_str(a->members[i])))
			return;
		nearest_offer(&nearest, a->members[i]);
	}
	report(out, n, "there is no attribute \"%s.%.*s\"%s", a->name,
	    SLICE_ARG(slice_sub(n->name, 0, 64)), nearest_text(&nearest, hint));
}

static void
check_call(const struct cel_node *n, struct faults *out)
{
	const char *wrong = cel_check_call(n);
	const struct cel_node *pattern = n->last;
	AUTO(regex_unref) struct regex *r = NULL;
	struct fault why = {0};

	if (wrong != NULL)
		report(out, n, "%.*s() %s",
		    SLICE_ARG(slice_sub(n->name, 0, 64)), wrong);
	else if (slice_eq(n->name, S("matches")) && n->regex == NULL &&
		 pattern->type == CEL_NODE_LITERAL &&
		 pattern->literal.type == CEL_STRING &&
		 regex_compile(pattern->literal.text, &r, &why) != OK)
		report(out, pattern,
		    "what matches() is given is no regular expression: %s",
		    why.text);
}

static void
check(const struct cel_node *n, const struct bound *bound, struct faults *out)
{
	struct bound inner = {n->name, bound};
	const struct bound *inside = bound;

	switch (n->type) {
	case CEL_NODE_NAME:
		check_name(n, bound, out);
		break;
	case CEL_NODE_MEMBER:
	case CEL_NODE_HAS:
		check_member(n, bound, out);
		break;
	case CEL_NODE_CALL:
		check_call(n, out);
		break;
	case CEL_NODE_STRUCT:
		report(out, n, "there are no messages to make, and so no %.*s",
		    SLICE_ARG(slice_sub(n->name, 0, 64)));
		break;
	case CEL_NODE_MACRO:
		inside = &inner;
		break;
	default:
		break;
	}
	for (const struct cel_node *c = n->child; c != NULL; c = c->next)
		check(c, c == n->child ? bound : inside, out);
}

void
cel_check(const struct cel *c, struct faults *out)
{
	check(c->root, NULL, out);
}
