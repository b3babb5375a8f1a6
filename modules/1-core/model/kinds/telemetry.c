/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — the fields of Telemetry.
 */
#include "kinds.h"
#include "resource.h"
#include "rows.h"
#include "validate.h"

/* --- what all sections have ----------------------------------------------- */

static const struct field_word mode_words[] = {
    {"CLIENT_AND_SERVER", TELEMETRY_CLIENT_AND_SERVER, 0},
    {"CLIENT", TELEMETRY_CLIENT, 0},
    {"SERVER", TELEMETRY_SERVER, 0},
    {NULL, 0, 0},
};

static const struct field provider_fields[] = {
    ROW(telemetry_provider, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "One of the mesh's extensionProviders, or prometheus or envoy, "
	       "which are built in."),
};

static const struct message provider_message = MESSAGE(
    telemetry_provider, "ProviderRef", provider_fields, .doc = "Who is told.");

static const struct field match_fields[] = {
    ROW(telemetry_match, "mode", mode, FIELD_ENUM, .words = mode_words,
	.otherwise = "CLIENT_AND_SERVER",
	.doc = "CLIENT is what the workload sends, SERVER what it is sent."),
};

static const struct message match_message = MESSAGE(telemetry_match,
    "TelemetrySelector", match_fields, .doc = "Which traffic.");

/* --- tracing -------------------------------------------------------------- */

static const struct field tag_text_fields[] = {
    ROW(telemetry_tag_text, "value", value, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY, .doc = "The text."),
};

static const struct message tag_text_message = MESSAGE(telemetry_tag_text,
    "Literal", tag_text_fields, .doc = "A tag that is a text.");

static const struct field tag_named_fields[] = {
    ROW(telemetry_tag_named, "name", name, FIELD_STRING,
	.flags = FIELD_REQUIRED | FIELD_NON_EMPTY,
	.doc = "Name of the variable or header."),
    ROW(telemetry_tag_named, "defaultValue", default_value, FIELD_STRING,
	.doc = "The value if there is none."),
};

static const struct message tag_named_message = MESSAGE(telemetry_tag_named,
    "Named", tag_named_fields, .doc = "A tag whose value is looked up.");

static const struct field formatter_fields[] = {
    ROW(telemetry_tag_text, "value", value, FIELD_STRING,
	.doc = "The text, with operators such as %REQ(x-user)%."),
};

static const struct message formatter_message = MESSAGE(telemetry_tag_text,
    "Formatter", formatter_fields, .doc = "A tag that is put together.");

enum { ONEOF_TAG = 1, ONEOF_METRIC = 1 };

static const struct field tag_fields[] = {
    ROW_OF(telemetry_tag, "literal", literal, tag_text, .oneof = ONEOF_TAG,
	.doc = "The same text always."),
    ROW_OF(telemetry_tag, "environment", environment, tag_named,
	.oneof = ONEOF_TAG, .doc = "A variable of the proxy's environment."),
    ROW_OF(telemetry_tag, "header", header, tag_named, .oneof = ONEOF_TAG,
	.doc = "A header of the request."),
    ROW_OF(telemetry_tag, "formatter", formatter, formatter, .oneof = ONEOF_TAG,
	.doc = "A text with operators of the access log."),
};

static const struct message tag_message = MESSAGE(
    telemetry_tag, "CustomTag", tag_fields, .doc = "Where a tag comes from.");

static void
check_percentage(struct check *c, const void *value)
{
	double p;

	memcpy(&p, value, sizeof(p));
	if (!(p >= 0.0 && p <= 100.0))
		check_error(c, ERR_INVALID, "%g is not in range 0 to 100", p);
}

static void
check_one_provider(struct check *c, const void *message)
{
	const struct telemetry_tracing *t = message;
	struct check at = check_member(c, "providers");

	if (t->providers.count > 1)
		check_warning(&at,
		    "multiple providers are not supported; the first is used");
}

static void
check_tag_name(struct check *c, const void *value)
{
	const struct message_entry *e = value;

	if (e->key.len == 0)
		check_error(c, ERR_INVALID, "the name of the tag is empty");
}

static const struct field tracing_fields[] = {
    ROW_OF(telemetry_tracing, "match", match, match, .doc = "Which traffic."),
    ROWS_OF(telemetry_tracing, "providers", providers, provider, 0,
	.doc = "Who is told; one of them."),
    ROW(telemetry_tracing, "randomSamplingPercentage",
	random_sampling_percentage, FIELD_NUMBER, .check = check_percentage,
	.doc = "How many of the requests that carry no decision are traced, "
	       "0 to 100; 1 for the whole mesh unless it is said."),
    ROW(telemetry_tracing, "disableSpanReporting", disable_span_reporting,
	FIELD_BOOL, .doc = "Reports nothing; headers are passed on."),
    ROW(telemetry_tracing, "customTags", custom_tags, FIELD_MESSAGE_MAP,
	.of = &tag_message, .check = check_tag_name,
	.doc = "Tags of each span by name; they replace those of a wider "
	       "Telemetry."),
    ROW(telemetry_tracing, "useRequestIdForTraceSampling",
	use_request_id_for_trace_sampling, FIELD_BOOL, .otherwise = "true",
	.doc = "Whether x-request-id carries the decision."),
    ROW(telemetry_tracing, "enableIstioTags", enable_istio_tags, FIELD_BOOL,
	.otherwise = "true", .doc = "Whether spans have the mesh's own tags."),
    ROW(telemetry_tracing, "disableContextPropagation",
	disable_context_propagation, FIELD_BOOL, .otherwise = "false",
	.doc = "Whether the headers of tracing are left alone."),
};

const struct message telemetry_tracing_message =
    MESSAGE(telemetry_tracing, "Tracing", tracing_fields,
	.check = check_one_provider, .doc = "How requests are traced.");

/* --- metrics -------------------------------------------------------------- */

static const struct field_word metric_words[] = {
    {"ALL_METRICS", TELEMETRY_ALL_METRICS, 0},
    {"REQUEST_COUNT", TELEMETRY_REQUEST_COUNT, 0},
    {"REQUEST_DURATION", TELEMETRY_REQUEST_DURATION, 0},
    {"REQUEST_SIZE", TELEMETRY_REQUEST_SIZE, 0},
    {"RESPONSE_SIZE", TELEMETRY_RESPONSE_SIZE, 0},
    {"TCP_OPENED_CONNECTIONS", TELEMETRY_TCP_OPENED_CONNECTIONS, 0},
    {"TCP_CLOSED_CONNECTIONS", TELEMETRY_TCP_CLOSED_CONNECTIONS, 0},
    {"TCP_SENT_BYTES", TELEMETRY_TCP_SENT_BYTES, 0},
    {"TCP_RECEIVED_BYTES", TELEMETRY_TCP_RECEIVED_BYTES, 0},
    {"GRPC_REQUEST_MESSAGES", TELEMETRY_GRPC_REQUEST_MESSAGES, 0},
    {"GRPC_RESPONSE_MESSAGES", TELEMETRY_GRPC_RESPONSE_MESSAGES, 0},
    {NULL, 0, 0},
};

static const struct field_word operation_words[] = {
    {"UPSERT", TELEMETRY_UPSERT, 0},
    {"REMOVE", TELEMETRY_REMOVE, 0},
    {NULL, 0, 0},
};

static const struct field metric_match_fields[] = {
    ROW(telemetry_metric_match, "metric", metric, FIELD_ENUM,
	.oneof = ONEOF_METRIC, .words = metric_words,
	.doc = "One of the mesh's own metrics, or ALL_METRICS."),
    ROW(telemetry_metric_match, "customMetric", custom_metric, FIELD_STRING,
	.oneof = ONEOF_METRIC, .flags = FIELD_NON_EMPTY,
	.doc = "Another metric, by its name."),
    ROW(telemetry_metric_match, "mode", mode, FIELD_ENUM, .words = mode_words,
	.otherwise = "CLIENT_AND_SERVER", .doc = "Which traffic."),
};

static const struct message metric_match_message =
    MESSAGE(telemetry_metric_match, "MetricSelector", metric_match_fields,
	.doc = "Which metrics; all unless it is said.");

static void
check_tag_override(struct check *c, const void *message)
{
	const struct telemetry_tag_override *t = message;
	struct check at = check_member(c, "value");

	if (t->operation == TELEMETRY_UPSERT && t->value.len == 0)
		check_error(
		    &at, ERR_INVALID, "must be set when operation is UPSERT");
	else if (t->operation == TELEMETRY_REMOVE && t->value.len > 0)
		check_error(&at, ERR_INVALID,
		    "may only be set when operation is UPSERT");
}

static const struct field tag_override_fields[] = {
    ROW(telemetry_tag_override, "operation", operation, FIELD_ENUM,
	.words = operation_words, .otherwise = "UPSERT",
	.doc = "UPSERT gives the tag a value, REMOVE takes it away."),
    ROW(telemetry_tag_override, "value", value, FIELD_STRING,
	.doc = "The value, as an expression (CEL) over attributes."),
};

static const struct message tag_override_message =
    MESSAGE(telemetry_tag_override, "TagOverride", tag_override_fields,
	.check = check_tag_override, .doc = "A change to one tag.");

static void
check_override_name(struct check *c, const void *value)
{
	const struct message_entry *e = value;

	if (e->key.len == 0)
		check_warning(c, "the name of the tag is empty");
}

static const struct field override_fields[] = {
    ROW_OF(telemetry_override, "match", match, metric_match,
	.doc = "Which metrics; all unless it is said."),
    ROW(telemetry_override, "disabled", disabled, FIELD_BOOL,
	.doc = "Whether they are left out."),
    ROW(telemetry_override, "tagOverrides", tag_overrides, FIELD_MESSAGE_MAP,
	.of = &tag_override_message, .check = check_override_name,
	.doc = "Changes to tags, by their name."),
};

const struct message telemetry_override_message = MESSAGE(telemetry_override,
    "MetricsOverrides", override_fields, .doc = "A change to metrics.");

/* Upstream takes any duration here, and never looks at it. */
static void
check_signed_duration(struct check *c, const void *value)
{
	struct slice s = *(const struct slice *)value;
	uint64_t ignored;

	if (slice_starts(s, S("-")))
		s = slice_sub(s, 1, s.len);
	if (slice_to_duration_us(s, &ignored) != OK)
		check_error(c, ERR_INVALID,
		    "\"%.*s\" is no duration such as \"5s\"",
		    SLICE_ARG(slice_sub(s, 0, NAME_LABEL_MAX)));
}

static const struct field metrics_fields[] = {
    ROWS_OF(telemetry_metrics, "providers", providers, provider, 0,
	.doc = "Who is told; prometheus unless it is said."),
    ROWS_OF(telemetry_metrics, "overrides", overrides, telemetry_override, 0,
	.doc = "Changes, in this order."),
    ROW(telemetry_metrics, "reportingInterval", reporting_interval,
	FIELD_STRING, .check = check_signed_duration, .otherwise = "5s",
	.doc = "How often open TCP connections are counted."),
};

const struct message telemetry_metrics_message = MESSAGE(telemetry_metrics,
    "Metrics", metrics_fields, .doc = "Which metrics there are.");

/* --- access log ----------------------------------------------------------- */

/* A filter without an expression is one that is none. */
static void
check_filter(struct check *c, const void *message)
{
	const struct telemetry_filter *f = message;
	struct check at = check_member(c, "expression");

	check_cel(&at, &f->expression);
}

static const struct field filter_fields[] = {
    ROW(telemetry_filter, "expression", expression, FIELD_STRING,
	.doc = "Whether a request is logged, as an expression (CEL) over "
	       "attributes: response.code >= 400."),
};

static const struct message filter_message = MESSAGE(telemetry_filter, "Filter",
    filter_fields, .check = check_filter, .doc = "Which requests are logged.");

static const struct field logging_fields[] = {
    ROW_OF(telemetry_logging, "match", match, match, .doc = "Which traffic."),
    ROWS_OF(telemetry_logging, "providers", providers, provider, 0,
	.doc = "Where it is logged."),
    ROW(telemetry_logging, "disabled", disabled, FIELD_BOOL,
	.doc = "Whether nothing is logged."),
    ROW_OF(telemetry_logging, "filter", filter, filter,
	.doc = "Which requests are logged; all unless it is said."),
};

static const struct message logging_message = MESSAGE(telemetry_logging,
    "AccessLogging", logging_fields, .doc = "What is logged.");

/* --- the kind ------------------------------------------------------------- */

static void
check_telemetry(struct check *c, const void *message)
{
	const struct telemetry_spec *t = message;
	struct check at = check_member(c, "tracing");

	check_policy_scope(c, &t->scope);
	if (t->tracing.count > 1)
		check_warning(&at,
		    "multiple tracing is not supported; the first is used");
}

static const struct field telemetry_fields[] = {
    POLICY_SCOPE_ROWS(telemetry_spec),
    ROWS_OF(telemetry_spec, "tracing", tracing, telemetry_tracing, 0,
	.doc = "How requests are traced; the first is used."),
    ROWS_OF(telemetry_spec, "metrics", metrics, telemetry_metrics, 0,
	.doc = "Which metrics there are."),
    ROWS_OF(telemetry_spec, "accessLogging", access_logging, logging, 0,
	.doc = "What is logged."),
};

const struct message telemetry_message = MESSAGE(telemetry_spec, "Telemetry",
    telemetry_fields, .check = check_telemetry,
    .doc = "What is told of traffic, and to whom.");

const struct resource_kind kind_telemetry = {
    .group = "telemetry.istio.io",
    .kind = "Telemetry",
    .plural = "telemetries",
    .alias = "telemetry",
    .versions = (const char *const[]){"v1", "v1alpha1", NULL},
    .spec = &telemetry_message,
    .flags = FIELD_INERT,
};
