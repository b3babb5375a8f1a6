/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic_policy — how a destination is called: balancing, pools, ejection,
 * TLS.
 *
 * Parts of a DestinationRule that other kinds hold, too. Durations are µs;
 * what is absent is told by message_has(), not by zero.
 */
#ifndef MESHD_TRAFFIC_POLICY_H
#define MESHD_TRAFFIC_POLICY_H

#include "../field.h"

/* --- load balancing (load_balancer.c) ------------------------------------- */

/* The numbers are upstream's, here and below. */
enum balancer {
	BALANCER_UNSPECIFIED = 0,
	BALANCER_LEAST_CONN = 1, /* deprecated name of LEAST_REQUEST */
	BALANCER_RANDOM = 2,
	BALANCER_PASSTHROUGH = 3,
	BALANCER_ROUND_ROBIN = 4,
	BALANCER_LEAST_REQUEST = 5
};

struct cookie_attribute {
	struct message_head head;
	struct slice name;
	struct slice value;
};

struct hash_cookie {
	struct message_head head;
	struct slice name;
	struct slice path;
	uint64_t ttl; /* present and 0: as long as the browser runs */
	LIST_OF(struct cookie_attribute) attributes;
};

struct ring_hash {
	struct message_head head;
	int64_t minimum_ring_size;
};

struct maglev {
	struct message_head head;
	int64_t table_size;
};

/* One key of four, one algorithm of two. */
struct consistent_hash {
	struct message_head head;
	struct slice http_header_name;
	const struct hash_cookie *http_cookie;
	bool use_source_ip;
	struct slice http_query_parameter_name;
	const struct ring_hash *ring_hash;
	const struct maglev *maglev;
	int64_t minimum_ring_size; /* the older place of ring_hash's */
};

struct locality_share {
	struct message_head head;
	struct slice from;
	LIST_OF(struct int_entry) to; /* percent by locality */
};

struct locality_failover {
	struct message_head head;
	struct slice from;
	struct slice to;
};

struct locality_balancer {
	struct message_head head;
	bool enabled;
	LIST_OF(struct locality_share) distribute;
	LIST_OF(struct locality_failover) failover;
	LIST_OF(struct slice) failover_priority;
};

struct zone_balancer {
	struct message_head head;
	bool enabled;
	LIST_OF(struct locality_failover) failover;
	LIST_OF(struct slice) failover_priority;
	int64_t min_cluster_size;
};

struct warmup {
	struct message_head head;
	uint64_t duration;
	double minimum_percent;
	double aggression;
};

struct load_balancer {
	struct message_head head;
	int simple; /* enum balancer */
	const struct consistent_hash *consistent_hash;
	const struct locality_balancer *locality;
	const struct zone_balancer *zone;
	const struct warmup *warmup;
	uint64_t warmup_duration; /* the older form of warmup */
};

extern const struct message hash_cookie_message;
extern const struct message load_balancer_message;
extern const struct message locality_balancer_message;
extern const struct message zone_balancer_message;

/* Endpoints are left only where failures are noticed: warned if not so. */
void check_failover(
    struct check *c, const struct load_balancer *lb, bool notices_failures);

/* --- pools, ejection, TLS (traffic_policy.c) ------------------------------ */

struct tcp_keepalive {
	struct message_head head;
	int64_t probes;
	uint64_t time;
	uint64_t interval;
};

struct tcp_pool {
	struct message_head head;
	int64_t max_connections;
	uint64_t connect_timeout;
	const struct tcp_keepalive *keepalive;
	uint64_t max_connection_duration;
	uint64_t idle_timeout; /* present and 0: none */
};

enum h2_upgrade { H2_DEFAULT, H2_DO_NOT_UPGRADE, H2_UPGRADE };

struct http2_keepalive {
	struct message_head head;
	uint64_t interval;
	uint64_t timeout;
};

struct http_pool {
	struct message_head head;
	int64_t http1_max_pending;
	int64_t http2_max_requests;
	int64_t max_requests_per_connection; /* 0: any number */
	int64_t max_retries;
	uint64_t idle_timeout;
	int h2_upgrade; /* enum h2_upgrade */
	bool use_client_protocol;
	int64_t max_concurrent_streams;
	const struct http2_keepalive *http2_keepalive;
};

struct connection_pool {
	struct message_head head;
	const struct tcp_pool *tcp;
	const struct http_pool *http;
};

struct outlier_detection {
	struct message_head head;
	int64_t consecutive_5xx; /* 0: not counted */
	int64_t consecutive_gateway;
	int64_t consecutive_local;
	bool split_local;
	uint64_t interval;
	uint64_t base_ejection_time;
	int64_t max_ejection_percent;
	int64_t min_health_percent;
	LIST_OF(int64_t) error_codes; /* which statuses are failures */
	int64_t consecutive_errors;   /* deprecated */
};

enum client_tls_mode {
	CLIENT_TLS_DISABLE,
	CLIENT_TLS_SIMPLE,
	CLIENT_TLS_MUTUAL,
	CLIENT_TLS_ISTIO_MUTUAL
};

struct client_tls {
	struct message_head head;
	int mode; /* enum client_tls_mode */
	struct slice client_certificate;
	struct slice private_key;
	struct slice ca_certificates;
	struct slice ca_crl;
	struct slice credential_name;
	LIST_OF(struct slice) subject_alt_names;
	struct slice sni;
	bool insecure_skip_verify;
};

extern const struct message tcp_keepalive_message;
extern const struct message tcp_pool_message;
extern const struct message http_pool_message;
extern const struct message connection_pool_message;
extern const struct message outlier_detection_message;
extern const struct message client_tls_message;

/* `c` is what holds the `tls`, which may be NULL; `ns` is the resource's. */
void check_credential_place(
    struct check *c, const struct client_tls *t, struct slice ns);

#endif
