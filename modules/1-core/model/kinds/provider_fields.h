/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_fields — the tables that the files of extension_provider share.
 *
 * Upstream accepts a provider with mistakes, since nobody may refer to it, and
 * logs them; so they are warnings here.
 */
#ifndef MESHD_PROVIDER_FIELDS_H
#define MESHD_PROVIDER_FIELDS_H

#include "extension_provider.h"
#include "rows.h"
#include "validate.h"

/* A service and a port that could be called; `c` is the provider. */
void check_provider_service(
    struct check *c, const struct provider_service *service);

/* A text that may not be missing. */
void check_provider_text(struct check *c, const char *name, struct slice text);

/* The rows of a struct whose member `service` is a struct provider_service. */
#define PROVIDER_SERVICE_ROWS(of_struct)                                       \
	ROW(of_struct, "service", service.name, FIELD_STRING,                  \
	    .doc = "Host of the service, or NAMESPACE/HOST."),                 \
	    ROW(of_struct, "port", service.port, FIELD_INT, .min = 0,          \
		.max = UINT32_MAX, .doc = "Port of the service.")

#define TAG_LENGTH_ROW(of_struct)                                              \
	ROW(of_struct, "maxTagLength", max_tag_length, FIELD_INT, .min = 0,    \
	    .max = UINT32_MAX, .otherwise = "256",                             \
	    .doc = "Bytes of the path that a span keeps.")

/* In provider_authz.c. */
extern const struct message authz_http_message;
extern const struct message authz_grpc_message;

/* In provider_tracing.c. */
extern const struct message zipkin_provider_message;
extern const struct message lightstep_provider_message;
extern const struct message datadog_provider_message;
extern const struct message skywalking_provider_message;
extern const struct message stackdriver_provider_message;
extern const struct message opencensus_provider_message;
extern const struct message otel_provider_message;

/* In provider_logs.c. */
extern const struct message file_log_provider_message;
extern const struct message http_log_provider_message;
extern const struct message tcp_log_provider_message;
extern const struct message otel_log_provider_message;

#endif
