/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_connections — MeshConfig's defaultConfig.connectionSettings.
 */
#include "mesh_proxy.h"
#include "rows.h"

enum { WINDOW_MIN = 65535 }; /* RFC 9113 §6.9.2 */

static const struct field_word profile_words[] = {
    {"SIDECAR", 0, 0},
    {"EDGE", 1, 0},
    {NULL, 0, 0},
};

static const struct field_word underscores_words[] = {
    {"HEADERS_WITH_UNDERSCORES_UNSPECIFIED", UNDERSCORES_UNSPECIFIED, 0},
    {"HEADERS_WITH_UNDERSCORES_ALLOW", UNDERSCORES_ALLOW, 0},
    {"HEADERS_WITH_UNDERSCORES_REJECT_REQUEST", UNDERSCORES_REJECT,
	FIELD_GUARD},
    {"HEADERS_WITH_UNDERSCORES_DROP_HEADER", UNDERSCORES_DROP, FIELD_GUARD},
    {NULL, 0, 0},
};

static const struct field_word slashes_words[] = {
    {"PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED", ESCAPED_SLASHES_UNSPECIFIED, 0},
    {"KEEP_UNCHANGED", ESCAPED_SLASHES_KEEP, 0},
    {"REJECT_REQUEST", ESCAPED_SLASHES_REJECT, FIELD_GUARD},
    {"UNESCAPE_AND_REDIRECT", ESCAPED_SLASHES_REDIRECT, FIELD_GUARD},
    {"UNESCAPE_AND_FORWARD", ESCAPED_SLASHES_FORWARD, FIELD_GUARD},
    {NULL, 0, 0},
};

#define TIME_ROW(field_name, member, words)                                    \
	ROW(connection_settings, field_name, member, FIELD_DURATION,           \
	    .doc = words)

#define COUNT_ROW(field_name, member, least, more_flags, words)                \
	ROW(connection_settings, field_name, member, FIELD_INT, .min = least,  \
	    .max = INT32_MAX, .flags = more_flags, .doc = words)

static const struct field connection_settings_fields[] = {
    ROW(connection_settings, "profile", profile, FIELD_ENUM,
	.words = profile_words, .otherwise = "SIDECAR",
	.doc = "What is taken where nothing is said: EDGE is stricter."),
    COUNT_ROW("listenerPerConnectionBufferLimitBytes", listener_buffer_bytes, 0,
	0, "Bytes that wait for one connection of a caller."),
    COUNT_ROW("clusterPerConnectionBufferLimitBytes", cluster_buffer_bytes, 0,
	0, "Bytes that wait for one connection to a destination."),
    TIME_ROW("httpIdleTimeout", http_idle_timeout,
	"How long a caller's connection without requests is kept."),
    TIME_ROW("httpMaxConnectionDuration", http_max_connection_duration,
	"How long a caller's connection lives."),
    TIME_ROW("httpDrainTimeout", http_drain_timeout,
	"How long one that ends still takes requests."),
    TIME_ROW("httpRequestTimeout", http_request_timeout,
	"How long a request may take to come in whole."),
    TIME_ROW("httpRequestHeadersTimeout", http_request_headers_timeout,
	"How long its head may take to come in."),
    TIME_ROW("httpStreamIdleTimeout", http_stream_idle_timeout,
	"How long a request may be silent."),
    TIME_ROW("httpMaxStreamDuration", http_max_stream_duration,
	"How long a request may take with its answer."),
    COUNT_ROW("httpMaxConcurrentStreams", http_max_concurrent_streams, 1, 0,
	"Requests at once of one HTTP/2 connection."),
    COUNT_ROW("http2InitialStreamWindowSize", http2_stream_window, WINDOW_MIN,
	0, "Bytes that a stream may send unasked."),
    COUNT_ROW("http2InitialConnectionWindowSize", http2_connection_window,
	WINDOW_MIN, 0, "Bytes that a connection may send unasked."),
    ROW(connection_settings, "httpHeadersWithUnderscoresAction", underscores,
	FIELD_ENUM, .words = underscores_words,
	.otherwise = "HEADERS_WITH_UNDERSCORES_UNSPECIFIED",
	.doc = "What becomes of requests whose headers have underscores."),
    ROW(connection_settings, "httpMergeSlashes", merge_slashes, FIELD_BOOL,
	.flags = FIELD_GUARD, .doc = "Takes // in a path for /."),
    ROW(connection_settings, "httpPathWithEscapedSlashesAction",
	escaped_slashes, FIELD_ENUM, .words = slashes_words,
	.otherwise = "PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED",
	.doc = "What becomes of %2F and %5C in a path."),
    COUNT_ROW("listenerConnectionLimit", listener_connection_limit, 1,
	FIELD_GUARD, "Most connections of a listener."),
    COUNT_ROW("globalDownstreamConnectionLimit", downstream_connection_limit, 1,
	FIELD_GUARD, "Most connections of callers in all."),
};

const struct message connection_settings_message =
    MESSAGE(connection_settings, "ConnectionSettings",
	connection_settings_fields, .doc = "Limits of connections.");
