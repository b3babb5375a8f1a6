/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy — how a cluster is called, everything merged and every default in.
 *
 * What comes of the DestinationRule's policy, its port's or its subset's, and
 * of the mesh's defaults. Clusters with the same settings share one.
 */
#ifndef MESHD_POLICY_H
#define MESHD_POLICY_H

#include "origin.h"

enum { VIEW_UNBOUNDED = UINT32_MAX };

/* Bounds of one proxy towards one cluster; VIEW_UNBOUNDED: none. */
struct view_limits {
	uint32_t connections;
	uint32_t pending; /* requests that wait for a connection */
	uint32_t requests;
	uint32_t retries;
	/* Retries as a share of what is active instead; 0: `retries` holds. */
	double budget_percent;
	uint32_t budget_min;         /* always allowed */
	uint64_t budget_interval_us; /* requests of how long ago count, too */
};

/* Connections to an endpoint. */
struct view_connections {
	uint64_t connect_timeout_us;
	uint64_t idle_timeout_us; /* 0: kept as long as it lives */
	uint64_t longest_us;      /* closed when it is so old; 0: never */
	uint32_t requests_each;   /* 0: any number */
	uint32_t streams_each;    /* at a time; 0: as many as the peer allows */
	bool keepalive;           /* of TCP; what is 0 there is the system's */
	uint32_t keepalive_probes;
	uint64_t keepalive_time_us;
	uint64_t keepalive_interval_us;
	uint64_t ping_interval_us; /* HTTP/2's; 0: none */
	uint64_t ping_timeout_us;
	int upgrade;        /* enum h2_upgrade: HTTP/1.1 goes as HTTP/2 */
	bool as_downstream; /* the version that the caller speaks */
};

/* Endpoints that fail are left out for a while. */
struct view_outlier {
	const struct outlier_detection *written; /* NULL: nobody is left out */
	uint32_t after_5xx;                      /* in a row; 0: not counted */
	uint32_t after_gateway; /* 502, 503, 504 in a row; 0: not counted */
	uint32_t after_local;   /* own failures in a row; 0: counted as 5xx */
	uint64_t interval_us;
	uint64_t ejection_us; /* times the number of ejections */
	uint32_t most_percent;
};

enum view_hash_on {
	VIEW_HASH_NONE,
	VIEW_HASH_HEADER,
	VIEW_HASH_COOKIE,
	VIEW_HASH_SOURCE,
	VIEW_HASH_PARAMETER
};

enum view_hash_table { VIEW_RING, VIEW_MAGLEV };

struct view_hash {
	enum view_hash_on on;
	struct slice name;                /* of header, cookie, parameter */
	const struct hash_cookie *cookie; /* VIEW_HASH_COOKIE: what is set */
	enum view_hash_table table;
	uint64_t size; /* least of the ring, or of the table */
};

/* An endpoint that came back gets its share little by little. */
struct view_warmup {
	uint64_t duration_us; /* 0: at once */
	double from_percent;
	double aggression;
};

struct view_balancing {
	/* LEAST_REQUEST, ROUND_ROBIN or RANDOM, where `hash.on` is none. */
	enum balancer balancer;
	bool passthrough; /* to the address that the caller called */
	struct view_hash hash;
	struct view_warmup warmup;
	/* Below so many healthy ones all get traffic; 0: never. */
	uint32_t panic_percent;
	/* Which localities are preferred, at most by one of the two; both NULL:
	 * none is. */
	const struct locality_balancer *locality;
	const struct zone_balancer *zone;
};

struct view_cluster_policy {
	struct view_limits limits;
	struct view_connections connections;
	struct view_outlier outlier;
	struct view_balancing balancing;
	const struct client_tls *tls; /* NULL: nobody says, see `security` */
	/* `tls` names a secret that this proxy may not have: no TLS then. */
	bool no_credential;
	uint8_t proxy_protocol;               /* its version, 1 or 2; 0: none */
	const struct tunnel_settings *tunnel; /* NULL: none */
};

#endif
