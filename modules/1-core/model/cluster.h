/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster — what serves: services, their endpoints, and the clusters that a
 * policy makes of them.
 */
#ifndef MESHD_CLUSTER_H
#define MESHD_CLUSTER_H

#include "flow.h"
#include "origin.h"

enum view_health {
	VIEW_HEALTHY,
	VIEW_UNHEALTHY, /* its owner says so */
	VIEW_DRAINING,  /* no new traffic */
	VIEW_DOWN       /* its node is dead */
};

enum view_protocol {
	VIEW_TCP, /* bytes */
	VIEW_HTTP,
	VIEW_HTTP2,
	VIEW_GRPC, /* HTTP/2 with trailers */
	VIEW_TLS,  /* bytes, whose ClientHello names a server */
	VIEW_AUTO  /* found out from the first bytes */
};

/* "tcp", "http", "http2", "grpc", "tls", "auto". */
const char *view_protocol_name(enum view_protocol p);

static inline bool
view_protocol_is_http(enum view_protocol p)
{
	return p == VIEW_HTTP || p == VIEW_HTTP2 || p == VIEW_GRPC;
}

/* How the endpoints of a service are found. */
enum view_resolution {
	VIEW_LISTED,      /* by records, or as they are written (STATIC) */
	VIEW_ORIGINAL,    /* where the caller went: NONE, or clusterIP None */
	VIEW_DNS,         /* all addresses of names */
	VIEW_DNS_FIRST,   /* of one name, the first at each connection */
	VIEW_DNS_DYNAMIC, /* of the name that the caller asks for */
	VIEW_ALIAS        /* it is another service: ExternalName */
};

struct view_service {
	struct slice name;
	struct slice ns;
	struct slice host; /* "reviews.default.svc.mesh.internal" */
	/* The same as dashboards have it: "reviews.default.svc.cluster.local".
	 */
	struct slice istio;
	enum view_resolution resolution;
	bool external; /* outside of the mesh: no mutual TLS */
	/* Virtual addresses as they are written, IPs as /32 and /128. */
	const struct cidr *addresses;
	size_t address_count;
	/* What stands for it where none is written: of IPv4 and of IPv6,
	 * without a port; family ADDR_NONE: it gets none. The same in every
	 * view that has the same services. */
	struct addr automatic[2];
	struct slice alias; /* VIEW_ALIAS: the host that it stands for */
	/* Accounts that configuration gives it (annotation
	 * meshd.dev/accounts); none: any that a voucher allowed. */
	const struct slice *accounts;
	size_t account_count;
	struct origin origin;
};

struct view_endpoint {
	uint64_t id; /* of (network, address, port); the same in every view */
	struct addr addr;
	struct addr tunnel; /* family 0: plaintext to `addr` */
	struct slice network;
	struct slice node;
	struct slice workload;
	struct slice identity; /* spiffe://…, who has to answer; may be empty */
	struct slice ns;
	struct slice account;
	struct labels labels;
	struct flow_party party; /* what reports say of it */
	struct slice locality;
	uint32_t weight;
	enum view_health health;
	bool usable;         /* healthy, weight > 0, of an expected account */
	struct slice reason; /* words, if not usable */
};

/* A set of endpoints that share a port, a subset and a policy. */
struct view_cluster {
	uint64_t id;       /* of its name; survives views */
	struct slice name; /* "outbound|9080|v1|reviews.default.svc.…" */
	const struct view_service *service;
	uint16_t port;
	struct slice subset; /* may be empty */
	enum view_protocol protocol;
	enum balancer balancer; /* LEAST_REQUEST, ROUND_ROBIN or RANDOM */
	const struct view_endpoint *const
	    *endpoints; /* by id's address order */
	size_t endpoint_count;
	size_t usable_count;
	struct origin origin; /* of the DestinationRule, if any */
};

#endif
