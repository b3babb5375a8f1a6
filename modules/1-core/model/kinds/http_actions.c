/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_actions — what a rule does besides sending requests on: answers of its
 * own, faults on purpose, copies, CORS.
 */
#include "http_fields.h"
#include "rows.h"

/* --- shares --------------------------------------------------------------- */

static const struct field percent_fields[] = {
    ROW(percent, "value", value, FIELD_NUMBER, .doc = "0 to 100."),
};

const struct message percent_message =
    MESSAGE(percent, "Percent", percent_fields, .doc = "A share in percent.");

void
check_percent(struct check *c, const void *message)
{
	const struct percent *p = message;

	if (!(p->value >= 0 && p->value <= 100))
		check_error(c, ERR_INVALID, "%g is outside 0 to 100", p->value);
}

/* Chances are counted in parts of a million. */
static void
check_chance(struct check *c, const void *message)
{
	const struct percent *p = message;

	check_percent(c, p);
	if (p->value > 0 && p->value < 0.0001)
		check_error(c, ERR_INVALID,
		    "%g is too little: 0, or 0.0001 and more", p->value);
}

/* --- redirect ------------------------------------------------------------- */

static void
check_code(struct check *c, const void *value)
{
	const int64_t *code = value;

	if (*code != 0 && (*code < 300 || *code > 399))
		check_error(c, ERR_INVALID,
		    "%lld is no redirect; 300 to 399 are", (long long)*code);
}

static void
check_scheme(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (s->len > 0 && !slice_eq(*s, S("http")) && !slice_eq(*s, S("https")))
		check_error(c, ERR_INVALID, "has to be http or https");
}

static void
check_redirect(struct check *c, const void *message)
{
	const struct http_redirect *r = message;

	if (r->uri.len > 0 && r->prefix_rewrite.len > 0)
		check_error(c, ERR_INVALID,
		    "only one of uri and prefixRewrite may be given");
	if (r->uri.len == 0 && r->prefix_rewrite.len == 0 &&
	    r->authority.len == 0 && r->scheme.len == 0 &&
	    !check_given(c, "port") && !check_given(c, "derivePort"))
		check_error(c, ERR_INVALID,
		    "has to name a uri, a prefixRewrite, an authority, a "
		    "scheme or a port");
}

enum { ONEOF_REDIRECT_PORT = 1 };

static const struct field_word derived_port_words[] = {
    {"FROM_PROTOCOL_DEFAULT", PORT_OF_PROTOCOL, 0},
    {"FROM_REQUEST_PORT", PORT_OF_REQUEST, 0},
    {NULL, 0, 0},
};

static const struct field http_redirect_fields[] = {
    ROW(http_redirect, "uri", uri, FIELD_STRING,
	.doc = "The path to go to, instead of the whole one."),
    ROW(http_redirect, "prefixRewrite", prefix_rewrite, FIELD_STRING,
	.doc = "Replaces the prefix that matched."),
    ROW(http_redirect, "authority", authority, FIELD_STRING,
	.doc = "The host to go to."),
    ROW(http_redirect, "port", port, FIELD_INT, .min = 0, .max = 65535,
	.oneof = ONEOF_REDIRECT_PORT, .doc = "The port to go to."),
    ROW(http_redirect, "derivePort", derive_port, FIELD_ENUM,
	.words = derived_port_words, .oneof = ONEOF_REDIRECT_PORT,
	.doc = "The scheme's own port, or the one that was called."),
    ROW(http_redirect, "scheme", scheme, FIELD_STRING, .check = check_scheme,
	.doc = "http or https."),
    ROW(http_redirect, "redirectCode", code, FIELD_INT, .min = 0,
	.max = UINT32_MAX, .check = check_code, .otherwise = "301",
	.doc = "Status of the answer, 3xx."),
};

const struct message http_redirect_message =
    MESSAGE(http_redirect, "HTTPRedirect", http_redirect_fields,
	.check = check_redirect, .doc = "Answers with another place.");

/* --- direct response ------------------------------------------------------ */

/* Bytes of base64 text (RFC 4648 §4), or false. */
static bool
base64_size(struct slice s, size_t *out)
{
	size_t pad = slice_ends(s, S("==")) ? 2 : slice_ends(s, S("="));

	for (size_t i = 0; i + pad < s.len; i++) {
		char b = s.ptr[i];

		if (!(b >= 'A' && b <= 'Z') && !(b >= 'a' && b <= 'z') &&
		    !(b >= '0' && b <= '9') && b != '+' && b != '/')
			return false;
	}
	*out = s.len / 4 * 3 - pad;
	return s.len % 4 == 0;
}

enum { BODY_WARN = 100 * 1024, BODY_MAX = 1024 * 1024 };

static void
check_body_size(struct check *c, size_t size)
{
	if (size > BODY_MAX)
		check_error(c, ERR_LIMIT,
		    "is %zu bytes long; a body has to be less than 1 MB", size);
	else if (size > BODY_WARN)
		check_warning(c,
		    "is %zu bytes long; every proxy keeps it, so 100 kB are "
		    "enough",
		    size);
}

static void
check_body_text(struct check *c, const void *value)
{
	check_body_size(c, ((const struct slice *)value)->len);
}

static void
check_body_bytes(struct check *c, const void *value)
{
	size_t size;

	if (base64_size(*(const struct slice *)value, &size))
		check_body_size(c, size);
	else
		check_error(c, ERR_PARSE, "is no base64");
}

enum { ONEOF_BODY = 1 };

static const struct field http_body_fields[] = {
    ROW(http_body, "string", text, FIELD_STRING, .oneof = ONEOF_BODY,
	.check = check_body_text, .doc = "The body as text."),
    ROW(http_body, "bytes", bytes, FIELD_STRING, .oneof = ONEOF_BODY,
	.check = check_body_bytes, .doc = "The body as base64."),
};

static const struct message http_body_message = MESSAGE(http_body, "HTTPBody",
    http_body_fields, .doc = "What stands in the answer.");

static void
check_status(struct check *c, const void *value)
{
	const int64_t *status = value;

	if (*status < 200 || *status > 600)
		check_error(c, ERR_INVALID, "%lld is outside 200 to 599",
		    (long long)*status);
}

static const struct field http_direct_response_fields[] = {
    ROW(http_direct_response, "status", status, FIELD_INT,
	.flags = FIELD_REQUIRED, .min = 0, .max = UINT32_MAX,
	.check = check_status, .doc = "Status of the answer."),
    ROW_OF(http_direct_response, "body", body, http_body,
	.doc = "What stands in it; nothing if absent."),
};

const struct message http_direct_response_message =
    MESSAGE(http_direct_response, "HTTPDirectResponse",
	http_direct_response_fields, .doc = "Answers by itself.");

/* --- delegate ------------------------------------------------------------- */

static const struct field delegate_spec_fields[] = {
    ROW(delegate_spec, "name", name, FIELD_STRING,
	.doc = "The VirtualService without hosts that has the rules."),
    ROW(delegate_spec, "namespace", ns, FIELD_STRING,
	.doc = "Its namespace; the same if absent."),
};

const struct message delegate_spec_message = MESSAGE(delegate_spec, "Delegate",
    delegate_spec_fields, .doc = "Leaves the rules to another VirtualService.");

/* --- faults --------------------------------------------------------------- */

static void
check_exponential(struct check *c, const void *value)
{
	(void)value;
	check_error(c, ERR_UNSUPPORTED,
	    "exponentialDelay is nothing that any proxy does; write "
	    "fixedDelay");
}

enum { ONEOF_DELAY = 1, ONEOF_ABORT };

static const struct field fault_delay_fields[] = {
    ROW(fault_delay, "fixedDelay", fixed_delay, FIELD_DURATION,
	.oneof = ONEOF_DELAY, .check = check_duration,
	.doc = "How long a request is kept back."),
    ROW(fault_delay, "exponentialDelay", exponential_delay, FIELD_DURATION,
	.oneof = ONEOF_DELAY, .check = check_exponential,
	.doc = "Refused: no proxy does it."),
    ROW_OF(fault_delay, "percentage", percentage, percent,
	.check = check_chance, .doc = "How many requests; none if absent."),
    ROW(fault_delay, "percent", percent, FIELD_INT, .min = INT32_MIN,
	.max = INT32_MAX, .doc = "The older form of percentage."),
};

static const struct message fault_delay_message = MESSAGE(
    fault_delay, "Delay", fault_delay_fields, .doc = "Keeps requests back.");

/* In the order of their numbers. */
static const char *const grpc_statuses[] = {"OK", "CANCELLED", "UNKNOWN",
    "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED"};

bool
grpc_status_parse(struct slice word, uint8_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(grpc_statuses); i++)
		if (slice_eq(word, slice_str(grpc_statuses[i]))) {
			*out = (uint8_t)i;
			return true;
		}
	return false;
}

static void
check_grpc_status(struct check *c, const void *value)
{
	check_word(c, *(const struct slice *)value, grpc_statuses,
	    ARRAY_LEN(grpc_statuses), "status of gRPC");
}

static void
check_http2_error(struct check *c, const void *value)
{
	(void)value;
	check_error(c, ERR_UNSUPPORTED,
	    "errors of HTTP/2 are nothing that any proxy makes; write "
	    "httpStatus or grpcStatus");
}

static const struct field fault_abort_fields[] = {
    ROW(fault_abort, "httpStatus", http_status, FIELD_INT, .min = INT32_MIN,
	.max = INT32_MAX, .oneof = ONEOF_ABORT, .check = check_status,
	.doc = "Status of the answer."),
    ROW(fault_abort, "grpcStatus", grpc_status, FIELD_STRING,
	.oneof = ONEOF_ABORT, .check = check_grpc_status,
	.doc = "Status of gRPC, such as UNAVAILABLE."),
    ROW(fault_abort, "http2Error", http2_error, FIELD_STRING,
	.oneof = ONEOF_ABORT, .check = check_http2_error,
	.doc = "Refused: no proxy does it."),
    ROW_OF(fault_abort, "percentage", percentage, percent,
	.check = check_chance, .doc = "How many requests; none if absent."),
};

static const struct message fault_abort_message = MESSAGE(fault_abort, "Abort",
    fault_abort_fields, .doc = "Answers requests with an error.");

static void
check_fault(struct check *c, const void *message)
{
	const struct http_fault *f = message;

	if (f->delay == NULL && f->abort == NULL)
		check_error(c, ERR_INVALID, "has to hold a delay or an abort");
}

static const struct field http_fault_fields[] = {
    ROW_OF(http_fault, "delay", delay, fault_delay,
	.doc = "Keeps some requests back."),
    ROW_OF(http_fault, "abort", abort, fault_abort,
	.doc = "Answers some requests with an error."),
};

const struct message http_fault_message =
    MESSAGE(http_fault, "HTTPFaultInjection", http_fault_fields,
	.check = check_fault, .doc = "Delays or refuses requests on purpose.");

/* --- copies --------------------------------------------------------------- */

static const struct field mirror_policy_fields[] = {
    ROW_OF(mirror_policy, "destination", destination, destination_spec,
	.flags = FIELD_REQUIRED, .doc = "Where the copies go."),
    ROW_OF(mirror_policy, "percentage", percentage, percent,
	.check = check_percent,
	.doc = "How many requests are copied; all if absent."),
};

const struct message mirror_policy_message =
    MESSAGE(mirror_policy, "HTTPMirrorPolicy", mirror_policy_fields,
	.doc = "Sends copies of requests elsewhere.");

/* --- CORS ----------------------------------------------------------------- */

static void
check_origin(struct check *c, const void *value)
{
	const struct string_match *m = value;

	if (m->exact.len + m->prefix.len + m->regex.len == 0)
		check_error(c, ERR_INVALID,
		    "has to hold an exact, a prefix or a regex that is not "
		    "empty");
	else if (m->regex.len > 0)
		check_text_match(c, m);
}

static void
check_cors_method(struct check *c, const void *value)
{
	static const char *const words[] = {"GET", "HEAD", "POST", "PUT",
	    "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"};
	const struct slice *s = value;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq(*s, slice_str(words[i])))
			return;
	check_error(c, ERR_INVALID, "\"%.*s\" is no method of HTTP",
	    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static void
check_cors_header(struct check *c, const void *value)
{
	const struct slice *s = value;

	if (!is_header_like(*s))
		check_error(c, ERR_INVALID, "\"%.*s\" is no name of a header",
		    SLICE_ARG(slice_sub(*s, 0, NAME_LABEL_MAX)));
}

static void
check_max_age(struct check *c, const void *us)
{
	enum { SECOND_US = 1000000 };
	uint64_t age = *(const uint64_t *)us;

	check_duration(c, us);
	if (age % SECOND_US != 0)
		check_error(
		    c, ERR_INVALID, "has to be a whole number of seconds");
}

static const struct field_word preflight_words[] = {
    {"UNSPECIFIED", PREFLIGHT_UNSPECIFIED, 0},
    {"FORWARD", PREFLIGHT_FORWARD, 0},
    {"IGNORE", PREFLIGHT_IGNORE, 0},
    {NULL, 0, 0},
};

static const struct field cors_policy_fields[] = {
    ROWS_OF(cors_policy, "allowOrigins", allow_origins, string_match, 0,
	.check = check_origin, .doc = "Origins that may call."),
    ROW(cors_policy, "allowOrigin", allow_origin, FIELD_STRING,
	.flags = FIELD_REPEATED,
	.doc = "The older form of allowOrigins: whole texts."),
    ROW(cors_policy, "allowMethods", allow_methods, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_cors_method,
	.doc = "Methods that they may use; `*` for all."),
    ROW(cors_policy, "allowHeaders", allow_headers, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_cors_header,
	.doc = "Headers that they may send; `*` for all."),
    ROW(cors_policy, "exposeHeaders", expose_headers, FIELD_STRING,
	.flags = FIELD_REPEATED, .check = check_cors_header,
	.doc = "Headers of the answer that they may read."),
    ROW(cors_policy, "maxAge", max_age, FIELD_DURATION, .check = check_max_age,
	.doc = "How long a browser keeps the answer, in whole seconds."),
    ROW(cors_policy, "allowCredentials", allow_credentials, FIELD_BOOL,
	.doc = "Whether they may send cookies."),
    ROW(cors_policy, "unmatchedPreflights", unmatched_preflights, FIELD_ENUM,
	.words = preflight_words, .otherwise = "UNSPECIFIED",
	.doc = "What becomes of a question from another origin: FORWARD, the "
	       "default, or IGNORE."),
};

const struct message cors_policy_message = MESSAGE(cors_policy, "CorsPolicy",
    cors_policy_fields, .doc = "Which other origins a browser may call from.");
