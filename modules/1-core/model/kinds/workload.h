/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload — WorkloadEntry and WorkloadGroup (networking.istio.io/v1).
 */
#ifndef MESHD_WORKLOAD_H
#define MESHD_WORKLOAD_H

#include "../field.h"

/* --- WorkloadEntry -------------------------------------------------------- */

struct workload_entry {
	struct message_head head;
	struct slice address;            /* an IP, a name, or unix:///path */
	LIST_OF(struct int_entry) ports; /* by the service port's name */
	struct labels labels;
	struct slice network;
	struct slice locality; /* region/zone/subzone */
	int64_t weight;
	struct slice service_account;
};

extern const struct message workload_entry_message;
extern const struct message workload_template_message; /* of a group */

enum workload_rules {
	WORKLOAD_NAMES = 1 << 0 /* the address may be a name */
};

/* An entry that stands for itself, or is an endpoint of a ServiceEntry. */
void check_workload_entry(
    struct check *c, const struct workload_entry *w, unsigned rules);

/* "unix:///var/run/x.sock". */
bool workload_is_unix(const struct workload_entry *w);

/* The path in it. */
struct slice workload_unix_path(const struct workload_entry *w);

/* --- WorkloadGroup -------------------------------------------------------- */

struct probe_header {
	struct message_head head;
	struct slice name;
	struct slice value;
};

struct probe_http {
	struct message_head head;
	struct slice path;
	int64_t port;
	struct slice host;
	struct slice scheme; /* "HTTP" or "HTTPS" */
	LIST_OF(struct probe_header) http_headers;
};

struct probe_tcp {
	struct message_head head;
	struct slice host;
	int64_t port;
};

struct probe_exec {
	struct message_head head;
	LIST_OF(struct slice) command;
};

struct probe_grpc {
	struct message_head head;
	int64_t port;
	struct slice service;
};

/* One of the four ways to ask. */
struct readiness_probe {
	struct message_head head;
	int64_t initial_delay_seconds;
	int64_t timeout_seconds;
	int64_t period_seconds;
	int64_t success_threshold;
	int64_t failure_threshold;
	const struct probe_http *http_get;
	const struct probe_tcp *tcp_socket;
	const struct probe_exec *exec;
	const struct probe_grpc *grpc;
};

struct workload_metadata {
	struct message_head head;
	struct labels labels;
	struct labels annotations;
};

struct workload_group {
	struct message_head head;
	const struct workload_metadata *metadata;
	const struct workload_entry *workload; /* `template` */
	const struct readiness_probe *probe;
};

extern const struct message probe_header_message;
extern const struct message probe_exec_message;
extern const struct message readiness_probe_message;
extern const struct message workload_group_message;

#endif
