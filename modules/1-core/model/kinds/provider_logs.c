/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_logs — where access logs go.
 */
#include "provider_fields.h"

enum { ONEOF_FORMAT = 1 };

static const struct field file_format_fields[] = {
    ROW(provider_log_format, "text", text, FIELD_STRING, .oneof = ONEOF_FORMAT,
	.doc = "One line of text, with Envoy's operators such as "
	       "%RESPONSE_CODE%."),
    ROW(provider_log_format, "labels", labels, FIELD_TREE,
	.oneof = ONEOF_FORMAT,
	.doc = "An object of JSON, with operators in it."),
};

static const struct message file_format_message = MESSAGE(provider_log_format,
    "LogFormat", file_format_fields, .doc = "How a line looks.");

static const struct field file_log_fields[] = {
    ROW(file_log_provider, "path", path, FIELD_STRING,
	.doc = "File, such as /dev/stdout."),
    ROW_OF(file_log_provider, "logFormat", log_format, file_format,
	.doc = "How a line looks; the usual way if absent."),
    ROW(file_log_provider, "omitEmptyValues", omit_empty_values, FIELD_BOOL,
	.otherwise = "false", .doc = "Leaves out what has no value."),
};

const struct message file_log_provider_message = MESSAGE(file_log_provider,
    "EnvoyFileAccessLogProvider", file_log_fields, .doc = "A file.");

static void
check_grpc_log(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct grpc_log_provider *)message)->service);
}

#define NAMES_ROW(field_name, member, words)                                   \
	ROW(grpc_log_provider, field_name, member, FIELD_STRING,               \
	    .flags = FIELD_REPEATED, .doc = words)

/* What both of Envoy's services have. */
#define GRPC_LOG_ROWS                                                          \
	PROVIDER_SERVICE_ROWS(grpc_log_provider),                              \
	    ROW(grpc_log_provider, "logName", log_name, FIELD_STRING,          \
		.doc = "Names the log to its receiver."),                      \
	    NAMES_ROW("filterStateObjectsToLog", filter_state,                 \
		"State of Envoy's filters that is told, too.")

static const struct field http_log_fields[] = {
    GRPC_LOG_ROWS,
    NAMES_ROW("additionalRequestHeadersToLog", request_headers,
	"Headers of the request that are told, too."),
    NAMES_ROW("additionalResponseHeadersToLog", response_headers,
	"Headers of the answer that are told, too."),
    NAMES_ROW("additionalResponseTrailersToLog", response_trailers,
	"Trailers of the answer that are told, too."),
};

const struct message http_log_provider_message =
    MESSAGE(grpc_log_provider, "EnvoyHttpGrpcV3LogProvider", http_log_fields,
	.check = check_grpc_log, .doc = "Envoy's service for requests.");

static const struct field tcp_log_fields[] = {
    GRPC_LOG_ROWS,
};

const struct message tcp_log_provider_message =
    MESSAGE(grpc_log_provider, "EnvoyTcpGrpcV3LogProvider", tcp_log_fields,
	.check = check_grpc_log, .doc = "Envoy's service for connections.");

static const struct field otel_format_fields[] = {
    ROW(provider_log_format, "text", text, FIELD_STRING,
	.doc = "The record's body, with Envoy's operators."),
    ROW(provider_log_format, "labels", labels, FIELD_TREE,
	.doc = "The record's attributes, with operators in them."),
};

static const struct message otel_format_message = MESSAGE(provider_log_format,
    "LogFormat", otel_format_fields, .doc = "What a record holds.");

static void
check_otel_log(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct otel_log_provider *)message)->service);
}

static const struct field otel_log_fields[] = {
    PROVIDER_SERVICE_ROWS(otel_log_provider),
    ROW(otel_log_provider, "logName", log_name, FIELD_STRING,
	.doc = "Names the log to its receiver."),
    ROW_OF(otel_log_provider, "logFormat", log_format, otel_format,
	.doc = "What a record holds; the usual if absent."),
};

const struct message otel_log_provider_message =
    MESSAGE(otel_log_provider, "EnvoyOpenTelemetryLogProvider", otel_log_fields,
	.check = check_otel_log, .doc = "A collector of OpenTelemetry.");
