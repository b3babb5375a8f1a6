/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operators — the names between two "%".
 */
#include "operators.h"
#include "format.h"

static const struct {
	const char *name;
	enum operator_argument argument;
} rows[OPERATOR_COUNT] = {
#define X(id, name, argument) [id] = {name, argument},
    OPERATOR_TABLE(X)
#undef X
};

/* They tell of peers' certificates, of filters and metadata that are not here,
 * or of what is no business of a service. */
static const char *const inert[] = {"BYTES_RETRANSMITTED", "CEL",
    "CLUSTER_METADATA", "COALESCE", "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_HANDSHAKE_DURATION", "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN", "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_PEER_CERT", "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN", "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_ISSUER", "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT",
    "DYNAMIC_METADATA", "ENVIRONMENT", "FILTER_CHAIN_NAME", "FILTER_STATE",
    "METADATA", "PACKETS_RETRANSMITTED", "PER_REQUEST_STATE", "REQUEST_HEADER",
    "REQUEST_HEADERS_BYTES", "RESPONSE_HEADER", "RESPONSE_HEADERS_BYTES",
    "RESPONSE_TRAILERS_BYTES", "ROUNDTRIP_DURATION", "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT", "TRACE_ID", "UNIQUE_ID", "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION", "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_FILTER_STATE", "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_METADATA", "UPSTREAM_PEER_CERT", "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_SESSION_ID", "UPSTREAM_TLS_VERSION",
    "UPSTREAM_WIRE_BYTES_RECEIVED", "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME"};

static bool
is_inert(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(inert); i++)
		if (slice_eq(name, slice_str(inert[i])))
			return true;
	return false;
}

/* --- arguments ------------------------------------------------------------ */

static bool
is_one_of(struct slice s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(s, slice_str(words[i])))
			return true;
	return false;
}

/* "NQ:ORIG_OR_PATH": with or without the query, and which of the two paths. */
static bool
is_path(struct slice s)
{
	static const char *const queries[] = {"WQ", "NQ"};
	static const char *const paths[] = {"PATH", "ORIG", "ORIG_OR_PATH"};

	return is_one_of(slice_split(&s, ':'), queries, ARRAY_LEN(queries)) &&
	       (s.len == 0 || is_one_of(s, paths, ARRAY_LEN(paths)));
}

static bool
is_grpc(struct slice s)
{
	static const char *const forms[] = {
	    "CAMEL_STRING", "SNAKE_STRING", "NUMBER"};

	return is_one_of(s, forms, ARRAY_LEN(forms));
}

static bool
takes(enum operator_id id, struct slice argument)
{
	if (argument.len == 0)
		return rows[id].argument != ARGUMENT_MUST;
	if (id == OPERATOR_COMMON_TIME)
		return format_is_span(argument);
	if (id == OPERATOR_PATH)
		return is_path(argument);
	if (id == OPERATOR_GRPC)
		return is_grpc(argument);
	return rows[id].argument != ARGUMENT_NONE;
}

static enum operator_id
find(const struct operator_use *u)
{
	for (int i = OPERATOR_INERT + 1; i < OPERATOR_COUNT; i++)
		if (slice_eq(u->name, slice_str(rows[i].name)))
			return takes((enum operator_id)i, u->argument)
				   ? (enum operator_id)i
				   : OPERATOR_UNKNOWN;
	return is_inert(u->name) ? OPERATOR_INERT : OPERATOR_UNKNOWN;
}

/* ":12"; nothing is no limit. */
static bool
read_limit(struct slice s, size_t *out)
{
	uint64_t n;

	if (s.len == 0)
		return true;
	if (s.ptr[0] != ':' || slice_to_u64(slice_sub(s, 1, s.len), &n) != OK ||
	    n == 0 || n > SIZE_MAX)
		return false;
	*out = (size_t)n;
	return true;
}

/* Where it may not stand it has no value. */
static bool
is_allowed(enum operator_id id, enum operator_place place)
{
	static const enum operator_id log_only[] = {
#define X(id, name, argument) id,
	    OPERATOR_LOG_TABLE(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(log_only); i++)
		if (id == log_only[i])
			return place == OPERATOR_IN_LOG;
	return true;
}

struct operator_use
operator_parse(struct slice written, enum operator_place place)
{
	size_t open = slice_find(written, '(');
	size_t close = slice_rfind(written, ')');
	bool has = open < written.len && close < written.len && close > open;
	size_t colon = slice_find(written, ':');
	size_t name = MIN(open, has ? written.len : colon);
	struct operator_use u = {.name = slice_sub(written, 0, name)};
	struct slice behind =
	    slice_sub(written, has ? close + 1 : name, written.len);

	if (has)
		u.argument = slice_sub(written, open + 1, close - open - 1);
	u.id = OPERATOR_UNKNOWN;
	if (read_limit(slice_trim(behind), &u.limit))
		u.id = find(&u);
	if (!is_allowed(u.id, place))
		u.id = OPERATOR_INERT;
	return u;
}

/* --- where one ends ------------------------------------------------------- */

/*
 * Operators as Envoy writes them: %NAME%, %NAME(argument)%, and
 * %NAME(["argument", …])%, where a backslash takes the next byte along.
 */
enum operator_state {
	OP_NAME,      /* up to the sign or an argument */
	OP_ARGUMENTS, /* after "(" */
	OP_STRING,    /* in an argument */
	OP_NEXT,      /* after one in quotes: a comma, or the end of the list */
	OP_QUOTE,     /* a quote is due */
	OP_CLOSE,     /* the parenthesis is due */
	OP_END,       /* the sign is due */
	OP_LIMIT,     /* in the digits behind the parentheses */
	OP_DONE,
	OP_BAD
};

static enum operator_state
skip_spaces(enum operator_state s, char byte)
{
	return byte == ' ' ? s : OP_BAD;
}

static enum operator_state
end_by(enum operator_state s, enum operator_place place, char byte)
{
	if (byte == '%')
		return OP_DONE;
	if (byte == ':' && place == OPERATOR_IN_LOG)
		return OP_LIMIT;
	return skip_spaces(s, byte);
}

static enum operator_state
step(enum operator_state s, enum operator_place place, char byte)
{
	switch (s) {
	case OP_NAME:
		if (byte == '%')
			return OP_DONE;
		return byte == '(' ? OP_ARGUMENTS : s;
	case OP_ARGUMENTS:
		if (byte == '[')
			return OP_QUOTE;
		return byte == ' ' ? s : OP_STRING;
	case OP_STRING:
		if (byte == ')')
			return OP_END;
		return byte == '"' ? OP_NEXT : s;
	case OP_NEXT:
		if (byte == ',')
			return OP_QUOTE;
		return byte == ']' ? OP_CLOSE : skip_spaces(s, byte);
	case OP_QUOTE:
		return byte == '"' ? OP_STRING : skip_spaces(s, byte);
	case OP_CLOSE:
		return byte == ')' ? OP_END : skip_spaces(s, byte);
	case OP_END:
		return end_by(s, place, byte);
	case OP_LIMIT:
		return byte == '%' ? OP_DONE : s;
	default:
		return OP_BAD;
	}
}

/* From behind the sign to behind its partner. False if there is none. */
static bool
skip_operator(struct slice text, enum operator_place place, size_t *at)
{
	enum operator_state s = OP_NAME;

	while (*at < text.len && s != OP_DONE && s != OP_BAD) {
		char byte = text.ptr[(*at)++];

		if (s != OP_STRING || byte != '\\')
			s = step(s, place, byte);
		else if ((*at)++ == text.len)
			return false;
	}
	return s == OP_DONE;
}

bool
operator_next(
    struct slice text, enum operator_place place, size_t *at, bool *out_whole)
{
	while (*at < text.len) {
		if (text.ptr[(*at)++] != '%')
			continue;
		if (*at < text.len && text.ptr[*at] == '%') {
			(*at)++;
			continue;
		}
		*out_whole = skip_operator(text, place, at);
		return true;
	}
	return false;
}

bool
operator_cut(struct slice *rest, enum operator_place place,
    struct slice *out_text, struct slice *out_operator)
{
	size_t at = 0, open = 0;
	bool whole;

	while (open < rest->len &&
	       (rest->ptr[open] != '%' ||
		   slice_starts(slice_sub(*rest, open, 2), S("%%"))))
		open += rest->ptr[open] == '%' ? 2 : 1;
	if (!operator_next(*rest, place, &at, &whole) || !whole)
		return false;
	*out_text = slice_sub(*rest, 0, open);
	*out_operator = slice_sub(*rest, open + 1, at - open - 2);
	*rest = slice_sub(*rest, at, rest->len);
	return true;
}

void
operators_offer(struct nearest *n)
{
	for (int i = OPERATOR_INERT + 1; i < OPERATOR_COUNT; i++)
		nearest_offer(n, rows[i].name);
}
