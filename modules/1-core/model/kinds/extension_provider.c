/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extension_provider — one of MeshConfig's extensionProviders.
 */
#include "addresses.h"
#include "provider_fields.h"
#include "scoped_host.h"

/* What a check calls an error is a warning here. */
static void
warn_of(struct check *c, field_check_cb check, const void *value)
{
	AUTO(findings_fini) struct findings found = {0};
	struct check apart = *c;

	apart.found = &found;
	check(&apart, value);
	for (size_t i = 0; i < found.errors.count; i++)
		check_warning(c, "%s", found.errors.items[i].text);
}

static void
check_service(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len == 0)
		check_error(c, ERR_INVALID, "service must not be empty");
	else if (slice_find(*s, '/') < s->len)
		check_scoped_host(c, *s, 0);
	else if (!is_ip(*s))
		check_host(c, s);
}

void
check_provider_service(struct check *c, const struct provider_service *service)
{
	struct check name = check_member(c, "service");
	struct check port = check_member(c, "port");

	warn_of(&name, check_service, &service->name);
	if (service->port < 1 || service->port > UINT16_MAX)
		check_warning(&port,
		    "port number %lld must be in the range 1..65535",
		    (long long)service->port);
}

void
check_provider_text(struct check *c, const char *name, struct slice text)
{
	struct check at = check_member(c, "%s", name);

	if (text.len == 0)
		check_warning(&at, "is missing");
}

static const struct message prometheus_message = EMPTY_MESSAGE(
    "PrometheusMetricsProvider", .doc = "Metrics are fetched from proxies.");

static const struct field sds_fields[] = {
    ROW(sds_provider, "name", name, FIELD_STRING,
	.doc = "How credentialName begins that means it."),
    PROVIDER_SERVICE_ROWS(sds_provider),
};

static const struct message sds_provider_message = MESSAGE(sds_provider,
    "SDSProvider", sds_fields, .doc = "A service that gives certificates.");

enum { ONEOF_PROVIDER = 1 };

#define PROVIDER_ROW(field_name, member, table, words)                         \
	ROW_OF(extension_provider, field_name, member, table,                  \
	    .oneof = ONEOF_PROVIDER, .doc = words)

static const struct field provider_fields[] = {
    ROW(extension_provider, "name", name, FIELD_STRING,
	.doc = "How Telemetry and AuthorizationPolicy refer to it."),
    PROVIDER_ROW("envoyExtAuthzHttp", authz_http, authz_http,
	"Asks another service by HTTP whether a request may pass."),
    PROVIDER_ROW("envoyExtAuthzGrpc", authz_grpc, authz_grpc,
	"Asks another service by gRPC whether a request may pass."),
    PROVIDER_ROW("zipkin", zipkin, zipkin_provider, "Traces go to Zipkin."),
    PROVIDER_ROW("lightstep", lightstep, lightstep_provider,
	"Traces go to Lightstep; opentelemetry is what it takes today."),
    PROVIDER_ROW("datadog", datadog, datadog_provider, "Traces go to Datadog."),
    PROVIDER_ROW("stackdriver", stackdriver, stackdriver_provider,
	"Traces, metrics and logs go to Google."),
    PROVIDER_ROW("opencensus", opencensus, opencensus_provider,
	"Traces go to an OpenCensus agent; opentelemetry came after it."),
    PROVIDER_ROW("skywalking", skywalking, skywalking_provider,
	"Traces go to SkyWalking."),
    PROVIDER_ROW("opentelemetry", opentelemetry, otel_provider,
	"Traces go to OpenTelemetry."),
    PROVIDER_ROW("prometheus", prometheus, prometheus,
	"Metrics are fetched from proxies."),
    PROVIDER_ROW("envoyFileAccessLog", file_access_log, file_log_provider,
	"Access logs go to a file."),
    PROVIDER_ROW("envoyHttpAls", http_als, http_log_provider,
	"Access logs of requests go to a gRPC service."),
    PROVIDER_ROW("envoyTcpAls", tcp_als, tcp_log_provider,
	"Access logs of connections go to a gRPC service."),
    PROVIDER_ROW("envoyOtelAls", otel_als, otel_log_provider,
	"Access logs go to OpenTelemetry."),
    PROVIDER_ROW(
	"sds", sds, sds_provider, "Certificates come from another service."),
};

static void
check_provider(struct check *c, const void *message)
{
	const struct extension_provider *p = message;

	for (size_t i = 0; i < ARRAY_LEN(provider_fields); i++)
		if (provider_fields[i].oneof == ONEOF_PROVIDER &&
		    message_has(&extension_provider_message, p,
			provider_fields[i].name))
			return;
	check_warning(c, "says of nothing what it is, such as zipkin: {…}");
}

const struct message extension_provider_message = MESSAGE(extension_provider,
    "ExtensionProvider", provider_fields, .check = check_provider,
    .doc = "What others may refer to by its name.");
