/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_tracing — MeshConfig's defaultConfig.tracing.
 */
#include "addresses.h"
#include "mesh_proxy.h"
#include "rows.h"
#include "validate.h"

const struct field_word trace_context_words[] = {
    {"UNSPECIFIED", TRACE_CONTEXT_UNSPECIFIED, 0},
    {"W3C_TRACE_CONTEXT", TRACE_CONTEXT_W3C, 0},
    {"GRPC_BIN", TRACE_CONTEXT_GRPC_BIN, 0},
    {"CLOUD_TRACE_CONTEXT", TRACE_CONTEXT_CLOUD, 0},
    {"B3", TRACE_CONTEXT_B3, 0},
    {NULL, 0, 0},
};

/* --- tracers -------------------------------------------------------------- */

/* "$(HOST_IP):9411" is the machine's own address. */
static void
check_tracer_address(struct check *c, const void *message)
{
	static const struct slice own = {"$(HOST_IP)", 10};
	struct slice address =
	    ((const struct tracer_address *)message)->address;
	struct check at = check_member(c, "address");

	if (slice_starts(address, own))
		address = arena_printf(c->arena, "127.0.0.1%.*s",
		    SLICE_ARG(slice_sub(address, own.len, address.len)));
	check_host_port(&at, &address);
}

static const struct field tracer_address_fields[] = {
    ROW(tracer_address, "address", address, FIELD_STRING,
	.doc = "HOST:PORT of the collector; $(HOST_IP) is the machine's own "
	       "address."),
};

static const struct message zipkin_tracer_message =
    MESSAGE(tracer_address, "Zipkin", tracer_address_fields,
	.check = check_tracer_address, .doc = "A collector of Zipkin's.");

static const struct message datadog_tracer_message =
    MESSAGE(tracer_address, "Datadog", tracer_address_fields,
	.check = check_tracer_address, .doc = "An agent of Datadog's.");

static void
check_lightstep(struct check *c, const void *message)
{
	const struct lightstep_tracer *t = message;
	struct check at = check_member(c, "address");
	struct check token = check_member(c, "accessToken");

	check_host_port(&at, &t->address);
	if (t->access_token.len == 0)
		check_error(&token, ERR_INVALID, "access token is required");
}

static const struct field lightstep_fields[] = {
    ROW(lightstep_tracer, "address", address, FIELD_STRING,
	.doc = "HOST:PORT of the satellites."),
    ROW(lightstep_tracer, "accessToken", access_token, FIELD_STRING,
	.doc = "Token of the project."),
};

static const struct message lightstep_tracer_message =
    MESSAGE(lightstep_tracer, "Lightstep", lightstep_fields,
	.check = check_lightstep, .doc = "Lightstep.");

static const struct field stackdriver_fields[] = {
    ROW(stackdriver_tracer, "debug", debug, FIELD_BOOL, .otherwise = "false",
	.doc = "Prints spans instead of sending them."),
    ROW(stackdriver_tracer, "maxNumberOfAttributes", max_attributes, FIELD_INT,
	.doc = "Most attributes of a span."),
    ROW(stackdriver_tracer, "maxNumberOfAnnotations", max_annotations,
	FIELD_INT, .doc = "Most annotations of a span."),
    ROW(stackdriver_tracer, "maxNumberOfMessageEvents", max_message_events,
	FIELD_INT, .doc = "Most events of messages of a span."),
};

static const struct message stackdriver_tracer_message =
    MESSAGE(stackdriver_tracer, "Stackdriver", stackdriver_fields,
	.doc = "Stackdriver.");

static const struct field opencensus_fields[] = {
    ROW(opencensus_tracer, "address", address, FIELD_STRING,
	.doc = "Address of the agent, as gRPC writes them."),
    ROW(opencensus_tracer, "context", context, FIELD_ENUM,
	.flags = FIELD_REPEATED, .words = trace_context_words,
	.doc = "Headers that carry the trace."),
};

static const struct message opencensus_tracer_message =
    MESSAGE(opencensus_tracer, "OpenCensusAgent", opencensus_fields,
	.doc = "An agent of OpenCensus.");

/* --- tags ----------------------------------------------------------------- */

static const struct field literal_fields[] = {
    ROW(tag_literal, "value", value, FIELD_STRING, .doc = "The tag's value."),
};

static const struct message tag_literal_message =
    MESSAGE(tag_literal, "Literal", literal_fields, .doc = "Always the same.");

static const struct field tag_source_fields[] = {
    ROW(tag_source, "name", name, FIELD_STRING, .doc = "What is looked for."),
    ROW(tag_source, "defaultValue", default_value, FIELD_STRING,
	.doc = "The value where it is not there."),
};

static const struct message tag_environment_message =
    MESSAGE(tag_source, "Environment", tag_source_fields,
	.doc = "A variable of the proxy's environment.");

static const struct message tag_header_message = MESSAGE(tag_source,
    "RequestHeader", tag_source_fields, .doc = "A header of the request.");

enum { ONEOF_TAG = 1, ONEOF_TRACER = 1 };

static const struct field custom_tag_fields[] = {
    ROW_OF(custom_tag, "literal", literal, tag_literal, .oneof = ONEOF_TAG,
	.doc = "Always the same value."),
    ROW_OF(custom_tag, "environment", environment, tag_environment,
	.oneof = ONEOF_TAG, .doc = "From the proxy's environment."),
    ROW_OF(custom_tag, "header", header, tag_header, .oneof = ONEOF_TAG,
	.doc = "From a header of the request."),
};

static const struct message custom_tag_message = MESSAGE(
    custom_tag, "CustomTag", custom_tag_fields, .doc = "One tag of spans.");

/* --- the whole ------------------------------------------------------------ */

static const struct field tracing_fields[] = {
    ROW_OF(mesh_tracing, "zipkin", zipkin, zipkin_tracer, .oneof = ONEOF_TRACER,
	.doc = "Spans go to Zipkin."),
    ROW_OF(mesh_tracing, "lightstep", lightstep, lightstep_tracer,
	.oneof = ONEOF_TRACER, .doc = "Spans go to Lightstep."),
    ROW_OF(mesh_tracing, "datadog", datadog, datadog_tracer,
	.oneof = ONEOF_TRACER, .doc = "Spans go to Datadog."),
    ROW_OF(mesh_tracing, "stackdriver", stackdriver, stackdriver_tracer,
	.oneof = ONEOF_TRACER, .doc = "Spans go to Stackdriver."),
    ROW_OF(mesh_tracing, "openCensusAgent", opencensus, opencensus_tracer,
	.oneof = ONEOF_TRACER, .doc = "Spans go to an OpenCensus agent."),
    ROW(mesh_tracing, "customTags", custom_tags, FIELD_MESSAGE_MAP,
	.of = &custom_tag_message, .doc = "Further tags of spans, by name."),
    ROW(mesh_tracing, "maxPathTagLength", max_path_tag_length, FIELD_INT,
	.min = 0, .max = UINT32_MAX, .otherwise = "256",
	.doc = "Bytes of the path that a span keeps."),
    ROW(mesh_tracing, "sampling", sampling, FIELD_NUMBER, .otherwise = "1",
	.doc = "Percent of requests that are traced."),
    ROW_OF(mesh_tracing, "tlsSettings", tls_settings, client_tls,
	.doc = "How the connection to the tracer is secured."),
    ROW(mesh_tracing, "enableIstioTags", enable_istio_tags, FIELD_BOOL,
	.otherwise = "true", .doc = "Whether spans have the mesh's own tags."),
};

const struct message mesh_tracing_message = MESSAGE(mesh_tracing, "Tracing",
    tracing_fields, .doc = "How requests are traced; Telemetry is newer.");
