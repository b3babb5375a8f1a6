/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traffic_policy — bounds of connections, ejection of failing endpoints, TLS.
 */
#include "traffic_policy.h"
#include "rows.h"
#include "validate.h"

/* --- pools ---------------------------------------------------------------- */

static const struct field tcp_keepalive_fields[] = {
    ROW(tcp_keepalive, "probes", probes, FIELD_INT, .min = 0, .max = UINT32_MAX,
	.doc = "Probes without an answer until the connection is dead."),
    ROW(tcp_keepalive, "time", time, FIELD_DURATION, .check = check_duration,
	.doc = "Silence before the first probe."),
    ROW(tcp_keepalive, "interval", interval, FIELD_DURATION,
	.check = check_duration, .doc = "Time between probes."),
};

const struct message tcp_keepalive_message =
    MESSAGE(tcp_keepalive, "TcpKeepalive", tcp_keepalive_fields,
	.doc = "The kernel's probes of silent connections.");

/* Less than a millisecond switches it off. */
static void
check_tcp_idle(struct check *c, const void *us)
{
	enum { MS_US = 1000 };

	if (*(const uint64_t *)us >= MS_US)
		check_duration(c, us);
}

static const struct field tcp_pool_fields[] = {
    ROW(tcp_pool, "maxConnections", max_connections, FIELD_INT, .min = 0,
	.max = INT32_MAX, .otherwise = "4294967295", .flags = FIELD_INERT,
	.doc = "Most connections to the destination."),
    ROW(tcp_pool, "connectTimeout", connect_timeout, FIELD_DURATION,
	.check = check_duration, .otherwise = "10s", .flags = FIELD_INERT,
	.doc = "How long a connection may take to be made."),
    ROW_OF(tcp_pool, "tcpKeepalive", keepalive, tcp_keepalive,
	.flags = FIELD_INERT,
	.doc = "The kernel's probes of silent connections; none if absent."),
    ROW(tcp_pool, "maxConnectionDuration", max_connection_duration,
	FIELD_DURATION, .check = check_duration,
	.doc = "How long a connection lives: then TCP's is reset, and HTTP's "
	       "ends with the requests that it has; without end if absent."),
    ROW(tcp_pool, "idleTimeout", idle_timeout, FIELD_DURATION,
	.check = check_tcp_idle, .otherwise = "1h", .flags = FIELD_INERT,
	.doc = "Silence that ends a connection; 0s for none."),
};

const struct message tcp_pool_message = MESSAGE(
    tcp_pool, "TCPSettings", tcp_pool_fields, .doc = "Bounds of connections.");

static const struct field http2_keepalive_fields[] = {
    ROW(http2_keepalive, "interval", interval, FIELD_DURATION,
	.flags = FIELD_REQUIRED, .check = check_duration,
	.doc = "Time between PINGs."),
    ROW(http2_keepalive, "timeout", timeout, FIELD_DURATION,
	.flags = FIELD_REQUIRED, .check = check_duration,
	.doc = "How long an answer may take."),
};

static const struct message http2_keepalive_message =
    MESSAGE(http2_keepalive, "KeepaliveSettings", http2_keepalive_fields,
	.doc = "PINGs on HTTP/2 connections.");

static void
check_http_pool(struct check *c, const void *message)
{
	const struct http_pool *h = message;
	struct check at = check_member(c, "useClientProtocol");

	if (h->h2_upgrade == H2_UPGRADE && h->use_client_protocol)
		check_error(&at, ERR_INVALID,
		    "may not be true where h2UpgradePolicy is UPGRADE");
}

static const struct field_word h2_upgrade_words[] = {
    {"DEFAULT", H2_DEFAULT, 0},
    {"DO_NOT_UPGRADE", H2_DO_NOT_UPGRADE, 0},
    {"UPGRADE", H2_UPGRADE, 0},
    {NULL, 0, 0},
};

static const struct field http_pool_fields[] = {
    ROW(http_pool, "http1MaxPendingRequests", http1_max_pending, FIELD_INT,
	.min = 0, .max = INT32_MAX, .otherwise = "4294967295",
	.flags = FIELD_INERT,
	.doc = "Most requests that wait for a connection."),
    ROW(http_pool, "http2MaxRequests", http2_max_requests, FIELD_INT, .min = 0,
	.max = INT32_MAX, .otherwise = "4294967295", .flags = FIELD_INERT,
	.doc = "Most requests at once, of any version."),
    ROW(http_pool, "maxRequestsPerConnection", max_requests_per_connection,
	FIELD_INT, .min = 0, .max = INT32_MAX, .otherwise = "0",
	.flags = FIELD_INERT,
	.doc = "Requests until a connection is closed; 0 for any number."),
    ROW(http_pool, "maxRetries", max_retries, FIELD_INT, .min = 0,
	.max = INT32_MAX, .otherwise = "4294967295", .flags = FIELD_INERT,
	.doc = "Most retries at once."),
    ROW(http_pool, "idleTimeout", idle_timeout, FIELD_DURATION,
	.check = check_duration, .otherwise = "1h", .flags = FIELD_INERT,
	.doc = "How long a connection without requests is kept."),
    ROW(http_pool, "h2UpgradePolicy", h2_upgrade, FIELD_ENUM,
	.words = h2_upgrade_words, .otherwise = "DEFAULT",
	.doc = "Whether HTTP/1.1 becomes HTTP/2 on the way."),
    ROW(http_pool, "useClientProtocol", use_client_protocol, FIELD_BOOL,
	.otherwise = "false",
	.doc = "Speaks to the destination as the caller spoke."),
    ROW(http_pool, "maxConcurrentStreams", max_concurrent_streams, FIELD_INT,
	.min = 0, .max = INT32_MAX, .otherwise = "2147483647",
	.flags = FIELD_INERT, .doc = "Most streams of one HTTP/2 connection."),
    ROW_OF(http_pool, "http2KeepAlive", http2_keepalive, http2_keepalive,
	.flags = FIELD_INERT,
	.doc = "PINGs on HTTP/2 connections; none if absent."),
};

const struct message http_pool_message = MESSAGE(http_pool, "HTTPSettings",
    http_pool_fields, .check = check_http_pool, .doc = "Bounds of requests.");

static void
check_pool(struct check *c, const void *message)
{
	const struct connection_pool *p = message;

	if (p->tcp == NULL && p->http == NULL)
		check_error(c, ERR_INVALID, "has to hold tcp or http");
}

static const struct field connection_pool_fields[] = {
    ROW_OF(connection_pool, "tcp", tcp, tcp_pool,
	.doc = "Bounds of connections, of HTTP's too."),
    ROW_OF(
	connection_pool, "http", http, http_pool, .doc = "Bounds of requests."),
};

const struct message connection_pool_message =
    MESSAGE(connection_pool, "ConnectionPoolSettings", connection_pool_fields,
	.check = check_pool, .doc = "Bounds of connections and requests.");

/* --- ejection ------------------------------------------------------------- */

static void
check_outlier(struct check *c, const void *message)
{
	const struct outlier_detection *o = message;
	struct check at = check_member(c, "consecutiveLocalOriginFailures");

	if (o->consecutive_local > 0 && !o->split_local &&
	    message_has(&outlier_detection_message, o,
		"consecutiveLocalOriginFailures"))
		check_error(&at, ERR_INVALID,
		    "is counted only where splitExternalLocalOriginErrors is "
		    "true");
}

static const struct field outlier_fields[] = {
    ROW(outlier_detection, "consecutive5xxErrors", consecutive_5xx, FIELD_INT,
	.min = 0, .max = UINT32_MAX, .otherwise = "5",
	.doc = "Failures in a row that eject an endpoint; 0 counts none."),
    ROW(outlier_detection, "consecutiveGatewayErrors", consecutive_gateway,
	FIELD_INT, .min = 0, .max = UINT32_MAX, .otherwise = "0",
	.doc = "The same of 502, 503 and 504 alone; 0 counts none."),
    ROW(outlier_detection, "consecutiveLocalOriginFailures", consecutive_local,
	FIELD_INT, .min = 0, .max = UINT32_MAX, .otherwise = "5",
	.doc = "The same of connections that failed, if they are counted "
	       "apart."),
    ROW(outlier_detection, "splitExternalLocalOriginErrors", split_local,
	FIELD_BOOL, .otherwise = "false",
	.doc = "Counts connections that failed apart from bad answers."),
    ROW(outlier_detection, "interval", interval, FIELD_DURATION,
	.check = check_duration, .otherwise = "10s",
	.doc = "Time between two looks at who may come back."),
    ROW(outlier_detection, "baseEjectionTime", base_ejection_time,
	FIELD_DURATION, .check = check_duration, .otherwise = "30s",
	.doc = "How long an endpoint stays out, times how often it was."),
    ROW(outlier_detection, "maxEjectionPercent", max_ejection_percent,
	FIELD_INT, .min = 0, .max = 100, .otherwise = "10",
	.doc = "Most percent of the endpoints that may be out."),
    ROW(outlier_detection, "minHealthPercent", min_health_percent, FIELD_INT,
	.min = 0, .max = 100, .otherwise = "0",
	.doc = "With fewer healthy ones nobody is ejected; 0: always."),
    ROW(outlier_detection, "outlierDetectionHttpErrorCodes", error_codes,
	FIELD_INT, .flags = FIELD_REPEATED, .min = 0, .max = UINT32_MAX,
	.doc = "Statuses that are failures, instead of all 5xx."),
    ROW(outlier_detection, "consecutiveErrors", consecutive_errors, FIELD_INT,
	.min = INT32_MIN, .max = INT32_MAX,
	.doc = "The older form of consecutiveGatewayErrors."),
};

const struct message outlier_detection_message = MESSAGE(outlier_detection,
    "OutlierDetection", outlier_fields, .check = check_outlier,
    .doc = "Takes endpoints that fail out for a while.");

/* --- TLS ------------------------------------------------------------------ */

static void
check_skip_verify(struct check *c, const struct client_tls *t)
{
	struct check at = check_member(c, "insecureSkipVerify");
	bool simple = t->mode == CLIENT_TLS_SIMPLE;

	if (!t->insecure_skip_verify ||
	    (!simple && t->mode != CLIENT_TLS_MUTUAL))
		return;
	if (t->ca_certificates.len > 0 || t->subject_alt_names.count > 0 ||
	    (simple && t->credential_name.len > 0))
		check_error(&at, ERR_INVALID,
		    "nothing is verified, so caCertificates, subjectAltNames "
		    "and, in SIMPLE, credentialName may not be given");
}

static void
check_credential(struct check *c, const struct client_tls *t)
{
	struct check at = check_member(c, "credentialName");

	if (t->client_certificate.len > 0 || t->private_key.len > 0 ||
	    t->ca_certificates.len > 0 || t->ca_crl.len > 0)
		check_error(&at, ERR_INVALID,
		    "brings all certificates; clientCertificate, privateKey, "
		    "caCertificates and caCrl may not be given");
}

static void
check_client_tls(struct check *c, const void *message)
{
	const struct client_tls *t = message;
	bool mutual = t->mode == CLIENT_TLS_MUTUAL;

	check_skip_verify(c, t);
	if (!mutual && t->mode != CLIENT_TLS_SIMPLE)
		return;
	if (t->credential_name.len > 0)
		check_credential(c, t);
	else if (mutual &&
		 (t->client_certificate.len == 0 || t->private_key.len == 0))
		check_error(c, ERR_INVALID,
		    "MUTUAL needs a clientCertificate and a privateKey, or a "
		    "credentialName");
}

static const struct field_word client_tls_words[] = {
    {"DISABLE", CLIENT_TLS_DISABLE, 0},
    {"SIMPLE", CLIENT_TLS_SIMPLE, 0},
    {"MUTUAL", CLIENT_TLS_MUTUAL, 0},
    {"ISTIO_MUTUAL", CLIENT_TLS_ISTIO_MUTUAL, 0},
    {NULL, 0, 0},
};

static const struct field client_tls_fields[] = {
    ROW(client_tls, "mode", mode, FIELD_ENUM, .words = client_tls_words,
	.otherwise = "DISABLE",
	.doc = "DISABLE, SIMPLE (the server proves itself), MUTUAL (both), or "
	       "ISTIO_MUTUAL with the mesh's certificates."),
    ROW(client_tls, "clientCertificate", client_certificate, FIELD_STRING,
	.doc = "File of the client's certificate, for MUTUAL."),
    ROW(client_tls, "privateKey", private_key, FIELD_STRING,
	.doc = "File of the client's key, for MUTUAL."),
    ROW(client_tls, "caCertificates", ca_certificates, FIELD_STRING,
	.doc = "File of the authorities that the server is checked against; "
	       "the system's if absent."),
    ROW(client_tls, "caCrl", ca_crl, FIELD_STRING,
	.doc = "File of revoked certificates."),
    ROW(client_tls, "credentialName", credential_name, FIELD_STRING,
	.doc = "Secret with certificate, key and authorities, instead of "
	       "files."),
    ROW(client_tls, "subjectAltNames", subject_alt_names, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "Names of which the server's certificate has to have one."),
    ROW(client_tls, "sni", sni, FIELD_STRING,
	.doc = "Server name that is asked for."),
    ROW(client_tls, "insecureSkipVerify", insecure_skip_verify, FIELD_BOOL,
	.otherwise = "false",
	.doc = "Believes any server: for trying things out only."),
};

const struct message client_tls_message = MESSAGE(client_tls,
    "ClientTLSSettings", client_tls_fields, .check = check_client_tls,
    .doc = "How the client secures the connection.");

/* configmap://namespace/name may not reach into another namespace. */
void
check_credential_place(
    struct check *c, const struct client_tls *t, struct slice ns)
{
	static const struct slice scheme = {"configmap://", 12};
	struct check at = check_member(c, "tls.credentialName");
	struct slice rest, owner;

	if (t == NULL || !slice_starts(t->credential_name, scheme))
		return;
	rest =
	    slice_sub(t->credential_name, scheme.len, t->credential_name.len);
	owner = slice_split(&rest, '/');
	if (!slice_eq(owner, ns) || slice_find(rest, '/') == 0 || rest.len == 0)
		check_error(&at, ERR_INVALID,
		    "a configmap is of the rule's own namespace: "
		    "configmap://%.*s/name",
		    SLICE_ARG(ns));
}
