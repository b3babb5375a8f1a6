/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster — what serves: services, their endpoints, and the clusters that a
 * policy makes of them.
 */
#ifndef MESHD_CLUSTER_H
#define MESHD_CLUSTER_H

#include "flow.h"
#include "policy.h"

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
	VIEW_GRPC,     /* HTTP/2 with trailers */
	VIEW_GRPC_WEB, /* the same, and browsers are understood as well */
	VIEW_TLS,      /* bytes, whose ClientHello names a server */
	VIEW_AUTO      /* found out from the first bytes */
};

/* "tcp", "http", "http2", "grpc", "grpc-web", "tls", "auto". */
const char *view_protocol_name(enum view_protocol p);

static inline bool
view_protocol_is_http(enum view_protocol p)
{
	return p >= VIEW_HTTP && p <= VIEW_GRPC_WEB;
}

static inline bool
view_protocol_is_grpc(enum view_protocol p)
{
	return p == VIEW_GRPC || p == VIEW_GRPC_WEB;
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
	/* Of which an endpoint's certificate has to hold one, unless the
	 * policy's `tls` names others; none: any that fits the host. */
	const struct slice *alt_names;
	size_t alt_name_count;
	/* Accounts that configuration gives it (annotation
	 * meshd.dev/accounts); none: any that a voucher allowed. */
	const struct slice *accounts;
	size_t account_count;
	struct origin origin;
};

struct view_endpoint {
	/* Of (network, name, address, port); the same in every view. */
	uint64_t id;
	/* Family ADDR_NONE: `name` says where, and the port is here. */
	struct addr addr;
	struct slice name; /* that was or will be resolved, or the path of a
			    * unix socket */
	/* More addresses of it, with ports, to be tried beside `addr` or, if
	 * there is one, `tunnel`. */
	const struct addr *others;
	size_t other_count;
	struct addr tunnel; /* family 0: plaintext to `addr` */
	struct slice network;
	struct slice node;
	struct slice workload;
	struct slice identity; /* spiffe://…, who has to answer; may be empty */
	struct slice ns;
	struct slice account;
	struct labels labels;
	/* See view_endpoint_party(); those alike have it in common. */
	const struct flow_party *party;
	struct slice locality; /* "region/zone/subzone" */
	uint32_t weight;
	bool floats;     /* it is its name: each new connection goes where that
			  * leads by then */
	bool is_awaited; /* nobody knows yet where its name leads */
	/* It wants mutual TLS of the mesh, where nothing else is said. */
	bool mutual;
	/* Of another network: the gateway that stands for its endpoints there.
	 */
	bool gateway;
	enum view_health health;
	/* One more address of a name: its locality has the weight already. */
	bool is_further;
	bool usable;         /* healthy, weight > 0, of an expected account */
	struct slice reason; /* words, if not usable */
};

enum { ENDPOINT_TEXT_MAX = 272 };

/* What reports say of it; nothing where it is of no workload. */
const struct flow_party *view_endpoint_party(const struct view_endpoint *e);

/* "10.0.0.1:80", "db.example.com:5432", "/run/app.sock". Returns out. */
char *view_endpoint_address(
    const struct view_endpoint *e, char out[ENDPOINT_TEXT_MAX]);

/* The same as it is written: by its name also where that is resolved. */
char *view_endpoint_written(
    const struct view_endpoint *e, char out[ENDPOINT_TEXT_MAX]);

/* Envoy's types, as Istio chooses them. */
enum view_cluster_type {
	VIEW_CLUSTER_EDS,
	VIEW_CLUSTER_STATIC,
	VIEW_CLUSTER_STRICT_DNS,
	VIEW_CLUSTER_LOGICAL_DNS,
	VIEW_CLUSTER_ORIGINAL_DST, /* where the caller went */
	VIEW_CLUSTER_DYNAMIC_DNS   /* by the name that the caller asks for */
};

/* "EDS", … */
const char *view_cluster_type_name(enum view_cluster_type t);

/* How connections to its endpoints are secured. */
enum view_security {
	VIEW_SECURITY_NONE, /* plain text */
	VIEW_SECURITY_EACH, /* the mesh's mutual TLS if the endpoint wants it */
	VIEW_SECURITY_MESH, /* the same with all of them */
	VIEW_SECURITY_TLS   /* as the policy's `tls` is written */
};

/* Endpoints of one locality and one priority, one behind the other. */
struct view_locality {
	struct slice name;
	uint32_t priority; /* the next takes over where this one fails; no gaps
			    */
	uint32_t weight;   /* beside others of the priority */
	size_t first;      /* in the cluster's endpoints */
	size_t count;
};

/* A set of endpoints that share a port, a subset and a policy. */
struct view_cluster {
	size_t slot;       /* among those of its view, see view_cluster_now() */
	uint64_t id;       /* of its name; survives views */
	struct slice name; /* "outbound|9080|v1|reviews.default.svc.…" */
	const struct view_service *service;
	uint16_t port;
	struct slice subset; /* may be empty */
	enum view_protocol protocol;
	enum view_cluster_type type;
	const struct view_cluster_policy *policy;
	enum view_security security;
	struct slice sni; /* of the mesh's mutual TLS, or of `tls`; may be empty
			   */
	bool http2;       /* what is spoken to endpoints, if it is HTTP */
	/* By priority, locality, network and address. */
	const struct view_endpoint *const *endpoints;
	size_t endpoint_count;
	size_t usable_count;
	size_t awaited_count; /* see view_endpoint.is_awaited */
	const struct view_locality *localities;
	size_t locality_count;
	/* Localities get traffic by their weights, and only then endpoints. */
	bool by_locality;
	struct origin origin; /* of the DestinationRule, if any */
};

/*
 * Why no call can go to any of its endpoints, where there is more to say than
 * that: a name that leads nowhere. Else empty.
 */
struct slice view_cluster_why_none(const struct view_cluster *c);

#endif
