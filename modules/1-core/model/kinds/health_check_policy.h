/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_check_policy — HealthCheckPolicy (meshd.dev/v1): how agents find out
 * whether the services of their machines are well.
 */
#ifndef MESHD_HEALTH_CHECK_POLICY_H
#define MESHD_HEALTH_CHECK_POLICY_H

#include "../field.h"
#include "selector.h"
#include "workload.h"

enum health_scheme { HEALTH_HTTP, HEALTH_HTTPS };

/* Ports are the service's own where none is said. */
struct health_http {
	struct message_head head;
	int64_t port;
	struct slice path;
	struct slice host;
	struct slice method;
	int scheme; /* enum health_scheme */
	LIST_OF(struct probe_header) headers;
	LIST_OF(struct slice) expected_statuses; /* "200", "200-299" */
};

struct health_tcp {
	struct message_head head;
	int64_t port;
};

struct health_grpc {
	struct message_head head;
	int64_t port;
	struct slice service;
};

/* One of the four ways to ask. */
struct health_check_policy {
	struct message_head head;
	struct policy_scope scope;
	struct slice service; /* of the workload; empty: each of them */
	const struct health_http *http;
	const struct health_tcp *tcp;
	const struct health_grpc *grpc;
	const struct probe_exec *exec;
	uint64_t interval;
	uint64_t timeout;
	uint64_t initial_delay;
	int64_t healthy_threshold;
	int64_t unhealthy_threshold;
};

extern const struct message health_check_policy_message;

#endif
