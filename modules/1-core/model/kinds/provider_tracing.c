/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provider_tracing — services that take traces.
 */
#include "mesh_proxy.h"
#include "provider_fields.h"

/* --- how they are called -------------------------------------------------- */

enum { ONEOF_HEADER_VALUE = 1 };

static const struct field header_fields[] = {
    ROW(provider_header, "name", name, FIELD_STRING,
	.doc = "Name of the header."),
    ROW(provider_header, "value", value, FIELD_STRING,
	.oneof = ONEOF_HEADER_VALUE, .doc = "Its value."),
    ROW(provider_header, "envName", env_name, FIELD_STRING,
	.oneof = ONEOF_HEADER_VALUE,
	.doc = "Variable of the control plane's environment that has it."),
};

static const struct message provider_header_message =
    MESSAGE(provider_header, "HttpHeader", header_fields, .doc = "A header.");

static const struct field http_fields[] = {
    ROW(provider_http, "path", path, FIELD_STRING, .doc = "Path to send to."),
    ROW(provider_http, "timeout", timeout, FIELD_DURATION,
	.doc = "How long it may take."),
    ROWS_OF(provider_http, "headers", headers, provider_header, 0,
	.doc = "Headers of what is sent."),
};

static const struct message provider_http_message =
    MESSAGE(provider_http, "HttpService", http_fields, .doc = "By HTTP.");

static const struct field grpc_fields[] = {
    ROW(provider_grpc, "timeout", timeout, FIELD_DURATION,
	.doc = "How long it may take."),
    ROWS_OF(provider_grpc, "initialMetadata", initial_metadata, provider_header,
	0, .doc = "Metadata of what is sent."),
};

static const struct message provider_grpc_message =
    MESSAGE(provider_grpc, "GrpcService", grpc_fields, .doc = "By gRPC.");

/* --- those of few words --------------------------------------------------- */

static void
check_zipkin(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct zipkin_provider *)message)->service);
}

static const struct field_word b3_words[] = {
    {"USE_B3", 0, 0},
    {"USE_B3_WITH_W3C_PROPAGATION", 1, 0},
    {NULL, 0, 0},
};

static const struct field zipkin_fields[] = {
    PROVIDER_SERVICE_ROWS(zipkin_provider),
    TAG_LENGTH_ROW(zipkin_provider),
    ROW(zipkin_provider, "enable64bitTraceId", trace_id_64bit, FIELD_BOOL,
	.otherwise = "false", .doc = "Names traces by 64 bits, not 128."),
    ROW(zipkin_provider, "path", path, FIELD_STRING,
	.otherwise = "/api/v2/spans", .doc = "Path to send to."),
    ROW(zipkin_provider, "traceContextOption", trace_context, FIELD_ENUM,
	.words = b3_words, .otherwise = "USE_B3",
	.doc = "Which headers carry the trace."),
    ROW(zipkin_provider, "timeout", timeout, FIELD_DURATION, .otherwise = "5s",
	.doc = "How long sending may take."),
    ROWS_OF(zipkin_provider, "headers", headers, provider_header, 0,
	.doc = "Headers of what is sent."),
};

const struct message zipkin_provider_message =
    MESSAGE(zipkin_provider, "ZipkinTracingProvider", zipkin_fields,
	.check = check_zipkin, .doc = "Zipkin.");

static void
check_lightstep(struct check *c, const void *message)
{
	const struct lightstep_provider *p = message;

	check_provider_service(c, &p->service);
	check_provider_text(c, "accessToken", p->access_token);
}

static const struct field lightstep_fields[] = {
    PROVIDER_SERVICE_ROWS(lightstep_provider),
    ROW(lightstep_provider, "accessToken", access_token, FIELD_STRING,
	.doc = "Token of the project."),
    TAG_LENGTH_ROW(lightstep_provider),
};

const struct message lightstep_provider_message = MESSAGE(lightstep_provider,
    "LightstepTracingProvider", lightstep_fields, .check = check_lightstep,
    .doc = "Lightstep; opentelemetry is what it takes today.");

static void
check_datadog(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct datadog_provider *)message)->service);
}

static const struct field datadog_fields[] = {
    PROVIDER_SERVICE_ROWS(datadog_provider),
    TAG_LENGTH_ROW(datadog_provider),
};

const struct message datadog_provider_message =
    MESSAGE(datadog_provider, "DatadogTracingProvider", datadog_fields,
	.check = check_datadog, .doc = "Datadog.");

static void
check_skywalking(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct skywalking_provider *)message)->service);
}

static const struct field skywalking_fields[] = {
    PROVIDER_SERVICE_ROWS(skywalking_provider),
    ROW(skywalking_provider, "accessToken", access_token, FIELD_STRING,
	.doc = "Token, if the receiver asks for one."),
};

const struct message skywalking_provider_message =
    MESSAGE(skywalking_provider, "SkyWalkingTracingProvider", skywalking_fields,
	.check = check_skywalking, .doc = "SkyWalking.");

static const struct field logging_fields[] = {
    ROW(stackdriver_logging, "labels", labels, FIELD_STRING_MAP,
	.doc = "Labels of each line, in CEL."),
};

static const struct message stackdriver_logging_message =
    MESSAGE(stackdriver_logging, "Logging", logging_fields,
	.doc = "What lines of the log have besides.");

static const struct field stackdriver_fields[] = {
    ROW(stackdriver_provider, "debug", debug, FIELD_BOOL, .otherwise = "false",
	.doc = "No longer used upstream."),
    ROW(stackdriver_provider, "maxNumberOfAttributes", max_attributes,
	FIELD_INT, .doc = "No longer used upstream."),
    ROW(stackdriver_provider, "maxNumberOfAnnotations", max_annotations,
	FIELD_INT, .doc = "No longer used upstream."),
    ROW(stackdriver_provider, "maxNumberOfMessageEvents", max_message_events,
	FIELD_INT, .doc = "No longer used upstream."),
    TAG_LENGTH_ROW(stackdriver_provider),
    ROW_OF(stackdriver_provider, "logging", logging, stackdriver_logging,
	.doc = "What lines of the log have besides."),
};

const struct message stackdriver_provider_message =
    MESSAGE(stackdriver_provider, "StackdriverProvider", stackdriver_fields,
	.doc = "Google's traces, metrics and logs.");

static void
check_opencensus(struct check *c, const void *message)
{
	check_provider_service(
	    c, &((const struct opencensus_provider *)message)->service);
}

static const struct field opencensus_fields[] = {
    PROVIDER_SERVICE_ROWS(opencensus_provider),
    ROW(opencensus_provider, "context", context, FIELD_ENUM,
	.flags = FIELD_REPEATED, .words = trace_context_words,
	.doc = "Headers that carry the trace."),
    TAG_LENGTH_ROW(opencensus_provider),
};

const struct message opencensus_provider_message =
    MESSAGE(opencensus_provider, "OpenCensusAgentTracingProvider",
	opencensus_fields, .check = check_opencensus,
	.doc = "An agent of OpenCensus; opentelemetry came after it.");

/* --- OpenTelemetry -------------------------------------------------------- */

static const struct message environment_detector_message = EMPTY_MESSAGE(
    "EnvironmentResourceDetector", .doc = "Reads OTEL_RESOURCE_ATTRIBUTES.");
static const struct message dynatrace_detector_message = EMPTY_MESSAGE(
    "DynatraceResourceDetector", .doc = "Reads Dynatrace's files.");

static const struct field detectors_fields[] = {
    ROW_OF(resource_detectors, "environment", environment, environment_detector,
	.doc = "From the environment."),
    ROW_OF(resource_detectors, "dynatrace", dynatrace, dynatrace_detector,
	.doc = "From Dynatrace's files."),
};

static const struct message resource_detectors_message =
    MESSAGE(resource_detectors, "ResourceDetectors", detectors_fields,
	.doc = "Where it is found out what the proxy runs on.");

static const struct field dynatrace_api_fields[] = {
    PROVIDER_SERVICE_ROWS(dynatrace_api),
    ROW_OF(dynatrace_api, "http", http, provider_http, .doc = "By HTTP."),
};

static const struct message dynatrace_api_message =
    MESSAGE(dynatrace_api, "DynatraceApi", dynatrace_api_fields,
	.doc = "Where Dynatrace says how much it takes.");

static const struct field dynatrace_fields[] = {
    ROW(dynatrace_sampler, "tenant", tenant, FIELD_STRING,
	.doc = "Names the environment of Dynatrace."),
    ROW(dynatrace_sampler, "clusterId", cluster_id, FIELD_INT, .min = INT32_MIN,
	.max = INT32_MAX, .doc = "Names the cluster of Dynatrace."),
    ROW(dynatrace_sampler, "rootSpansPerMinute", root_spans_per_minute,
	FIELD_INT, .min = 0, .max = UINT32_MAX, .otherwise = "1000",
	.doc = "Traces a minute where Dynatrace says nothing."),
    ROW_OF(dynatrace_sampler, "httpService", http_service, dynatrace_api,
	.doc = "Where Dynatrace says how much it takes."),
};

static const struct message dynatrace_sampler_message =
    MESSAGE(dynatrace_sampler, "DynatraceSampler", dynatrace_fields,
	.doc = "Traces as much as Dynatrace asks for.");

static void
check_otel(struct check *c, const void *message)
{
	const struct otel_provider *p = message;

	check_provider_service(c, &p->service);
	if (p->http != NULL && p->grpc != NULL)
		check_warning(c, "cannot specify both grpc and http");
}

static const struct field_word enrichment_words[] = {
    {"ISTIO_CANONICAL", 0, 0},
    {"OTEL_SEMANTIC_CONVENTIONS", 1, 0},
    {NULL, 0, 0},
};

static const struct field otel_fields[] = {
    PROVIDER_SERVICE_ROWS(otel_provider),
    TAG_LENGTH_ROW(otel_provider),
    ROW_OF(otel_provider, "http", http, provider_http,
	.doc = "By HTTP; by gRPC if absent."),
    ROW_OF(otel_provider, "grpc", grpc, provider_grpc, .doc = "By gRPC."),
    ROW_OF(otel_provider, "resourceDetectors", resource_detectors,
	resource_detectors,
	.doc = "Where it is found out what the proxy runs on."),
    ROW(otel_provider, "serviceAttributeEnrichment",
	service_attribute_enrichment, FIELD_ENUM, .words = enrichment_words,
	.otherwise = "ISTIO_CANONICAL",
	.doc = "Whose conventions name the service of a span."),
    ROW_OF(otel_provider, "dynatraceSampler", dynatrace_sampler,
	dynatrace_sampler, .doc = "Traces as much as Dynatrace asks for."),
};

const struct message otel_provider_message =
    MESSAGE(otel_provider, "OpenTelemetryTracingProvider", otel_fields,
	.check = check_otel, .doc = "A collector of OpenTelemetry.");
