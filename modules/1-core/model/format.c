/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format — texts with operators in them, and what these stand for.
 */
#include "format_parts.h"

#include <stdio.h>
#include <unistd.h>

/* --- parsing -------------------------------------------------------------- */

enum err
format_unescape(struct slice written, struct arena *a, struct slice *out)
{
	struct slice copy = S("");
	enum err e = written.len > 0 ? arena_copy(a, written, &copy) : OK;
	char *p = (char *)(uintptr_t)copy.ptr; /* ours */
	size_t n = 0;

	if (e != OK)
		return e;
	for (size_t i = 0; i < copy.len; i++) {
		p[n++] = p[i];
		i += p[i] == '%' && i + 1 < copy.len;
	}
	copy.len = n;
	*out = copy;
	return OK;
}

static enum err
lower(struct slice text, struct arena *a, struct slice *out)
{
	struct slice copy = S("");
	enum err e = text.len > 0 ? arena_copy(a, text, &copy) : OK;
	char *p = (char *)(uintptr_t)copy.ptr; /* ours */

	for (size_t i = 0; e == OK && i < copy.len; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
	*out = copy;
	return e;
}

static bool
names_headers(enum operator_id id)
{
	return id == OPERATOR_REQ || id == OPERATOR_RESP ||
	       id == OPERATOR_TRAILER;
}

/* "REQ(x?y)": y where there is no x. */
static enum err
part_of(struct slice text, const struct operator_use *u, struct arena *a,
    struct view_format_part *p)
{
	struct slice rest = u->argument;
	enum err e = format_unescape(text, a, &p->text);

	p->id = u->id;
	p->limit = u->limit;
	if (e == OK && !names_headers(u->id))
		return arena_copy(a, u->argument, &p->argument);
	if (e == OK)
		e = lower(slice_split(&rest, '?'), a, &p->argument);
	return e == OK ? lower(rest, a, &p->otherwise) : e;
}

static bool
is_made(const struct view_format_part *p)
{
	return p->id != OPERATOR_UNKNOWN && p->id != OPERATOR_INERT;
}

enum err
format_parse(struct slice written, enum operator_place place, struct arena *a,
    struct view_format *out)
{
	struct slice rest = written, text, operator;
	struct view_format f = {.written = written};
	struct view_format_part *parts;
	size_t most = 1;
	enum err e = OK;

	while (operator_cut(&rest, place, &text, &operator))
		most++;
	parts = arena_alloc_array(a, most, sizeof(*parts));
	if (parts == NULL)
		return ERR_NO_MEMORY;
	for (rest = written;
	     e == OK && operator_cut(&rest, place, &text, &operator);
	     f.count++) {
		const struct operator_use u = operator_parse(operator, place);

		e = part_of(text, &u, a, &parts[f.count]);
		f.is_inert = f.is_inert || !is_made(&parts[f.count]);
	}
	if (e == OK && rest.len > 0)
		e = format_unescape(rest, a, &parts[f.count++].text);
	f.parts = parts;
	if (e == OK)
		*out = f;
	return e;
}

static enum err
unknown(const struct operator_use *u, struct fault *why)
{
	char hint[NEAREST_TEXT_MAX];
	struct nearest near;

	nearest_init(&near, u->name);
	operators_offer(&near);
	return fault_set(why, ERR_INVALID,
	    "%%%.*s%% is no operator of an access log, or it has an argument "
	    "that it may not have, or has none%s",
	    SLICE_ARG(slice_sub(u->name, 0, NAME_LABEL_MAX)),
	    nearest_text(&near, hint));
}

enum err
format_check(struct slice written, bool *out_inert, struct fault *why)
{
	struct slice rest = written, text, operator;
	size_t at = 0;
	bool whole;

	*out_inert = false;
	while (operator_next(written, OPERATOR_IN_LOG, &at, &whole))
		if (!whole)
			return fault_set(why, ERR_INVALID,
			    "a \"%%\" begins an operator such as %%DURATION%% "
			    "that does not end; write \"%%%%\" for the sign "
			    "alone");
	while (operator_cut(&rest, OPERATOR_IN_LOG, &text, &operator)) {
		struct operator_use u =
		    operator_parse(operator, OPERATOR_IN_LOG);

		if (u.id == OPERATOR_UNKNOWN)
			return unknown(&u, why);
		*out_inert = *out_inert || u.id == OPERATOR_INERT;
	}
	return OK;
}

/* --- what is made --------------------------------------------------------- */

void
format_count(struct format_value *v, uint64_t n)
{
	v->text = slice_from_u64(n, v->room);
	v->is_number = true;
}

/* --- fields --------------------------------------------------------------- */

/* What the record itself has of a request whose head is gone. */
static bool
own_field(const struct flow_record *f, struct slice name, struct slice *out)
{
	const struct {
		const char *name;
		struct slice value;
	} texts[] = {{":method", f->method}, {":path", f->path},
	    {":authority", f->authority}, {"host", f->authority},
	    {"user-agent", f->user_agent},
	    {"x-forwarded-for", f->forwarded_for},
	    {"x-request-id", f->request_id}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!slice_eq(name, slice_str(texts[i].name)))
			continue;
		*out = texts[i].value;
		return out->len > 0;
	}
	return false;
}

static bool
request_field(const struct flow_record *f, struct slice name, struct slice *out)
{
	const struct flow_heads *h = &f->heads;

	return h->request != NULL && h->field(h->request, name, out)
		   ? true
		   : own_field(f, name, out);
}

static void
put_request(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	struct slice s;

	if (request_field(f, p->argument, &s) ||
	    (p->otherwise.len > 0 && request_field(f, p->otherwise, &s)))
		v->text = s;
}

/* Envoy's router writes it into the answer; here only the log knows. */
static bool
is_service_time(const struct view_format_part *p)
{
	return p->id == OPERATOR_RESP &&
	       slice_eq(p->argument, S("x-envoy-upstream-service-time"));
}

static void
put_answer(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	const void *head =
	    p->id == OPERATOR_RESP ? f->heads.answer : f->heads.trailers;
	struct slice s;

	if (head != NULL && (f->heads.field(head, p->argument, &s) ||
				(p->otherwise.len > 0 &&
				    f->heads.field(head, p->otherwise, &s))))
		v->text = s;
	else if (is_service_time(p) && f->kind == FLOW_HTTP &&
		 f->upstream_us > 0)
		format_count(v, f->upstream_us / 1000);
}

/* "NQ:ORIG", "WQ", ""; by default with the query, as it came. */
static void
put_path(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	struct slice which = p->argument;
	struct slice query = slice_split(&which, ':');
	struct slice path = SLICE_NONE;
	bool has = !slice_eq(which, S("PATH")) &&
		   request_field(f, S("x-envoy-original-path"), &path);

	if (!has && !slice_eq(which, S("ORIG")))
		has = request_field(f, S(":path"), &path);
	if (has && slice_eq(query, S("NQ")))
		path = slice_sub(path, 0, slice_find(path, '?'));
	v->text = path;
}

/* The first of that name in the query, as it came. */
static void
put_parameter(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	struct slice path, rest;

	if (!request_field(f, S(":path"), &path))
		return;
	rest = slice_sub(path, slice_find(path, '?') + 1, path.len);
	while (rest.len > 0) {
		struct slice value = slice_split(&rest, '&');

		if (!slice_eq(slice_split(&value, '='), p->argument))
			continue;
		v->text = value;
		return;
	}
}

/* --- members and addresses ------------------------------------------------ */

/* What an operator asks for of which member of the record. */
enum member_part { NO_MEMBER, WHOLE, IP, PORT, TEXT, NUMBER };

static const struct {
	enum member_part part;
	size_t offset;
} members[OPERATOR_COUNT] = {
#define OF(member) offsetof(struct flow_record, member)
    [OPERATOR_HOST] = {WHOLE, OF(upstream)},
    [OPERATOR_UP] = {WHOLE, OF(upstream)},
    [OPERATOR_UP_IP] = {IP, OF(upstream)},
    [OPERATOR_UP_PORT] = {PORT, OF(upstream)},
    [OPERATOR_UP_NAME] = {WHOLE, OF(upstream)},
    [OPERATOR_UP_NAME_IP] = {IP, OF(upstream)},
    [OPERATOR_UP_LOCAL] = {WHOLE, OF(upstream_local)},
    [OPERATOR_UP_LOCAL_IP] = {IP, OF(upstream_local)},
    [OPERATOR_UP_LOCAL_PORT] = {PORT, OF(upstream_local)},
    [OPERATOR_LOCAL] = {WHOLE, OF(downstream_local)},
    [OPERATOR_LOCAL_IP] = {IP, OF(downstream_local)},
    [OPERATOR_LOCAL_PORT] = {PORT, OF(downstream_local)},
    [OPERATOR_DIRECT_LOCAL] = {WHOLE, OF(downstream_local)},
    [OPERATOR_DIRECT_LOCAL_IP] = {IP, OF(downstream_local)},
    [OPERATOR_DIRECT] = {WHOLE, OF(downstream_remote)},
    [OPERATOR_DIRECT_IP] = {IP, OF(downstream_remote)},
    [OPERATOR_DIRECT_PORT] = {PORT, OF(downstream_remote)},
    [OPERATOR_PROTOCOL] = {TEXT, OF(version)},
    [OPERATOR_UP_PROTOCOL] = {TEXT, OF(upstream_version)},
    [OPERATOR_ROUTE] = {TEXT, OF(route)},
    [OPERATOR_STREAM] = {TEXT, OF(request_id)},
    [OPERATOR_SNI] = {TEXT, OF(sni)},
    [OPERATOR_CLUSTER] = {TEXT, OF(cluster)},
    [OPERATOR_CLUSTER_RAW] = {TEXT, OF(cluster)},
    [OPERATOR_RECEIVED] = {NUMBER, OF(bytes_received)},
    [OPERATOR_SENT] = {NUMBER, OF(bytes_sent)},
#undef OF
};

static void
put_address(struct format_value *v, const struct addr *a, enum member_part part)
{
	char text[ADDR_TEXT_MAX];
	int n;

	if (a->family == ADDR_NONE)
		return;
	if (part == PORT) {
		format_count(v, a->port);
		return;
	}
	if (part == IP || a->port != 0) {
		v->text = slice_str(part == IP ? addr_format_ip(a, v->room)
					       : addr_format(a, v->room));
		return;
	}
	n = snprintf(v->room, sizeof(v->room),
	    a->family == ADDR_V6 ? "[%s]:0" : "%s:0", addr_format_ip(a, text));
	v->text = slice_of(v->room, (size_t)n);
}

/* What a service of gRPC says of a failure is in no other column. */
static void
reason(const struct flow_record *f, struct format_value *v)
{
	v->text = flow_reason(f);
	if (f->detail.len > 0 || f->flag != FLOW_OK || !f->has_grpc ||
	    f->grpc == 0)
		return;
	(void)snprintf(
	    v->room, sizeof(v->room), "gRPC status %u", (unsigned)f->grpc);
	v->text = slice_str(v->room);
}

/*
 * Whoever stands before us is trusted to say for whom it calls, as Envoy does
 * in a sidecar: the last of X-Forwarded-For. Its port is known only if that is
 * the caller itself, as a gateway writes it.
 */
static struct addr
client(const struct flow_record *f)
{
	struct slice list = f->forwarded_for;
	size_t comma = slice_rfind(list, ',');
	struct addr a;

	if (comma < list.len)
		list = slice_sub(list, comma + 1, list.len);
	if (f->kind != FLOW_HTTP || addr_parse_ip(slice_trim(list), &a) != OK ||
	    addr_ip_eq(&a, &f->downstream_remote))
		return f->downstream_remote;
	return a;
}

static void
put_client(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	struct addr a = client(f);

	if (p->id == OPERATOR_REMOTE_IP)
		put_address(v, &a, IP);
	else
		put_address(v, &a, p->id == OPERATOR_REMOTE ? WHOLE : PORT);
}

/* Of all tries, the last one too. */
static void
put_tried(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	size_t n = 0;

	(void)p; /* it has no argument */
	for (size_t i = 0; i <= f->try_count; i++) {
		const struct addr *a =
		    i < f->try_count ? &f->tries[i].endpoint : &f->upstream;
		char text[ADDR_TEXT_MAX];

		if (a->family == ADDR_NONE)
			continue;
		n += (size_t)snprintf(v->room + n, sizeof(v->room) - n, "%s%s",
		    n > 0 ? "," : "", addr_format(a, text));
		if (n >= sizeof(v->room))
			return; /* more than there ever are */
	}
	v->text = slice_of(v->room, n);
}

static void
put_member(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	const void *member = (const char *)f + members[p->id].offset;
	enum member_part part = members[p->id].part;

	if (part == TEXT)
		v->text = *(const struct slice *)member;
	else if (part == NUMBER)
		format_count(v, *(const uint64_t *)member);
	else
		put_address(v, member, part);
}

/* --- the others ----------------------------------------------------------- */

static const char *const grpc_names[][2] = {
    {"OK", "OK"},
    {"Canceled", "CANCELLED"},
    {"Unknown", "UNKNOWN"},
    {"InvalidArgument", "INVALID_ARGUMENT"},
    {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
    {"NotFound", "NOT_FOUND"},
    {"AlreadyExists", "ALREADY_EXISTS"},
    {"PermissionDenied", "PERMISSION_DENIED"},
    {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
    {"FailedPrecondition", "FAILED_PRECONDITION"},
    {"Aborted", "ABORTED"},
    {"OutOfRange", "OUT_OF_RANGE"},
    {"Unimplemented", "UNIMPLEMENTED"},
    {"Internal", "INTERNAL"},
    {"Unavailable", "UNAVAILABLE"},
    {"DataLoss", "DATA_LOSS"},
    {"Unauthenticated", "UNAUTHENTICATED"},
};

static void
put_grpc(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	bool number =
	    p->id == OPERATOR_GRPC_NUMBER || slice_eq(p->argument, S("NUMBER"));
	bool snake = slice_eq(p->argument, S("SNAKE_STRING"));

	if (!f->has_grpc)
		return;
	if (number || f->grpc >= ARRAY_LEN(grpc_names))
		format_count(v, f->grpc);
	else
		v->text = slice_str(grpc_names[f->grpc][snake]);
}

static void
put_log_type(struct format_value *v, const struct flow_record *f)
{
	if (f->kind == FLOW_HTTP || f->kind == FLOW_COPY)
		v->text = S("DownstreamEnd");
	else
		v->text = f->kind == FLOW_TCP_OPENED ? S("TcpUpstreamConnected")
						     : S("TcpConnectionEnd");
}

static void
put_hostname(struct format_value *v)
{
	v->room[sizeof(v->room) - 1] = 0;
	if (gethostname(v->room, sizeof(v->room) - 1) == 0)
		v->text = slice_str(v->room);
}

/* Only the destination of a tunnel vouches for who is at its ends. */
static void
put_tls(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	if (!f->mutual_tls)
		return;
	if (p->id == OPERATOR_PEER_URI)
		v->text = f->source.identity;
	else
		v->text = p->id == OPERATOR_LOCAL_URI ? f->destination.identity
						      : S("TLSv1.3");
}

static void
put_other(struct format_value *v, const struct view_format_part *p,
    const struct flow_record *f)
{
	switch (p->id) {
	case OPERATOR_CODE:
		format_count(v, f->status);
		break;
	case OPERATOR_CODE_DETAILS:
		v->text = flow_details(f);
		break;
	case OPERATOR_FLAGS:
		v->text = slice_str(flow_letters(f, v->room));
		break;
	case OPERATOR_FLAGS_LONG:
		v->text = slice_str(flow_names(f, v->room));
		break;
	case OPERATOR_UP_REASON:
		reason(f, v);
		break;
	case OPERATOR_OWN_BODY:
		v->text = f->own ? flow_reason(f) : SLICE_NONE;
		break;
	case OPERATOR_DURATION:
		format_count(v, f->duration_us / 1000);
		break;
	case OPERATOR_ATTEMPTS:
		format_count(v, f->attempts);
		break;
	case OPERATOR_CONNECTION:
		format_count(v, f->connection);
		break;
	case OPERATOR_HOSTNAME:
		put_hostname(v);
		break;
	case OPERATOR_LOG_TYPE:
		put_log_type(v, f);
		break;
	default: /* text alone; and what nothing here is told of */
		break;
	}
}

/* Those that have a function of their own. */
static void (*const makers[OPERATOR_COUNT])(struct format_value *v,
    const struct view_format_part *p, const struct flow_record *f) = {
    [OPERATOR_REQ] = put_request,
    [OPERATOR_RESP] = put_answer,
    [OPERATOR_TRAILER] = put_answer,
    [OPERATOR_PATH] = put_path,
    [OPERATOR_QUERY_PARAM] = put_parameter,
    [OPERATOR_REMOTE] = put_client,
    [OPERATOR_REMOTE_IP] = put_client,
    [OPERATOR_REMOTE_PORT] = put_client,
    [OPERATOR_UP_TRIED] = put_tried,
    [OPERATOR_START_TIME] = format_put_time,
    [OPERATOR_START_LOCAL] = format_put_time,
    [OPERATOR_EMIT] = format_put_time,
    [OPERATOR_EMIT_LOCAL] = format_put_time,
    [OPERATOR_REQUEST_TIME] = format_put_span,
    [OPERATOR_REQUEST_TX] = format_put_span,
    [OPERATOR_RESPONSE_TIME] = format_put_span,
    [OPERATOR_RESPONSE_TX] = format_put_span,
    [OPERATOR_COMMON_TIME] = format_put_span,
    [OPERATOR_GRPC] = put_grpc,
    [OPERATOR_GRPC_NUMBER] = put_grpc,
    [OPERATOR_PEER_URI] = put_tls,
    [OPERATOR_LOCAL_URI] = put_tls,
    [OPERATOR_TLS] = put_tls,
};

void
format_value(const struct view_format_part *p, const struct flow_record *f,
    struct format_value *out)
{
	out->text = SLICE_NONE;
	out->is_number = false;
	if (members[p->id].part != NO_MEMBER)
		put_member(out, p, f);
	else if (makers[p->id] != NULL)
		makers[p->id](out, p, f);
	else
		put_other(out, p, f);
	if (p->limit > 0 && out->text.len > p->limit)
		out->text = slice_sub(out->text, 0, p->limit);
}
