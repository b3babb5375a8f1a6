/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask — by HTTP/1.1, by connecting, by gRPC; commands are in exec.c.
 *
 * Each question has a connection of its own, so that an answer says as well
 * that the service still takes connections.
 */
#include "ask.h"

#include "codec/codec.h"
#include "http/http.h"
#include "net/net.h"
#include "tls/tls.h"

#include <stdio.h>

enum {
	ASK_MAGIC = 0x61736b21,
	HEAD_ARENA_MAX = 64 << 10,
	WHAT_MAX = 128, /* of a path or a name, in the reason */
	STATUS_GOOD_FIRST = 200,
	STATUS_GOOD_LAST = 399,
	US_A_MS = 1000
};

struct ask {
	uint32_t magic;
	struct ask_spec spec;
	struct http_call *call; /* http, grpc */
	struct stream *stream;  /* tcp */
	struct health_exec *exec;
	bool is_good;
	char reason[HEALTH_REASON_MAX];
	struct loop_later tell;
};

const char *
ask_time(uint64_t us, char out[ASK_TIME_MAX])
{
	(void)snprintf(out, ASK_TIME_MAX, "%gs", (double)us / 1e6);
	return out;
}

/* --- the end -------------------------------------------------------------- */

static void
ask_free(struct ask **ap)
{
	struct ask *a = *ap;

	*ap = NULL;
	loop_later_cancel(&a->tell);
	http_call_cancel(&a->call);
	health_exec_cancel(&a->exec);
	a->magic = 0;
	mem_free(&a);
}

static void
tell(struct ask *a)
{
	struct ask_spec spec = a->spec;
	bool is_good = a->is_good;
	char reason[HEALTH_REASON_MAX];

	slice_mend_utf8(a->reason, strlen(a->reason));
	memcpy(reason, a->reason, sizeof(reason));
	ask_free(&a);
	spec.done(spec.arg, is_good, reason);
}

/* What was going on, and why it did not come to an answer. */
static void
say_failure(struct ask *a, const char *what, enum err e)
{
	char time[ASK_TIME_MAX];

	if (e == ERR_TIMEOUT)
		(void)snprintf(a->reason, sizeof(a->reason),
		    "%s: no answer within %s", what,
		    ask_time(a->spec.policy->timeout, time));
	else
		(void)snprintf(a->reason, sizeof(a->reason), "%s: %s", what,
		    e == ERR_EOF   ? "it closed without a whole answer"
		    : e == ERR_TLS ? "no handshake of TLS 1.3"
				   : err_text(e));
}

/* The service's own, or another port beside it. */
static struct addr
place_of(const struct ask *a, int64_t port)
{
	struct addr out = a->spec.target;

	if (port != 0)
		out.port = (uint16_t)port;
	return out;
}

/* --- tcp ------------------------------------------------------------------ */

static void
on_tell(void *arg)
{
	struct ask *a;

	OBJ(a, arg, ASK_MAGIC);
	tell(a);
}

static void
let_go(struct ask *a)
{
	if (a->stream == NULL)
		return;
	stream_set_events(a->stream, &stream_deaf, NULL);
	stream_close(a->stream, OK);
	a->stream = NULL;
}

static void
name_connect(const struct ask *a, char out[WHAT_MAX])
{
	struct addr at = place_of(a, a->spec.policy->tcp->port);
	char text[ADDR_TEXT_MAX];

	(void)snprintf(out, WHAT_MAX, "connect to %s", addr_format(&at, text));
}

static void
ignore_data(struct stream *s, void *arg, struct slice data)
{
	(void)s;
	(void)arg;
	(void)data;
}

static void
on_connected(struct stream *s, void *arg)
{
	struct ask *a;
	char what[WHAT_MAX];

	(void)s;
	OBJ(a, arg, ASK_MAGIC);
	name_connect(a, what);
	a->is_good = true;
	(void)snprintf(a->reason, sizeof(a->reason), "%s: ok", what);
	let_go(a);
	loop_later(a->spec.loop, &a->tell);
}

static void
on_no_connection(struct stream *s, void *arg, enum err why)
{
	struct ask *a;
	char what[WHAT_MAX];

	(void)s;
	OBJ(a, arg, ASK_MAGIC);
	name_connect(a, what);
	a->stream = NULL;
	say_failure(a, what, why);
	loop_later(a->spec.loop, &a->tell);
}

static void
open_tcp(struct ask *a)
{
	static const struct stream_events events = {
	    .on_open = on_connected,
	    .on_data = ignore_data,
	    .on_close = on_no_connection,
	};
	struct net_connect_spec spec = NET_CONNECT_SPEC;

	spec.addr = place_of(a, a->spec.policy->tcp->port);
	spec.timeout_us = a->spec.policy->timeout;
	a->stream = net_connect(a->spec.loop, &spec, &events, a);
}

/* --- http ----------------------------------------------------------------- */

static bool
is_among(const struct health_http *h, unsigned status)
{
	for (size_t i = 0; i < h->expected_statuses.count; i++) {
		struct slice last = h->expected_statuses.items[i];
		struct slice first = slice_split(&last, '-');
		uint64_t from, to;

		if (last.len == 0)
			last = first;
		if (slice_to_u64(first, &from) == OK &&
		    slice_to_u64(last, &to) == OK && status >= from &&
		    status <= to)
			return true;
	}
	return h->expected_statuses.count == 0 && status >= STATUS_GOOD_FIRST &&
	       status <= STATUS_GOOD_LAST;
}

static void
on_http(void *arg, const struct http_result *r)
{
	const struct health_http *h;
	char what[WHAT_MAX];
	struct ask *a;

	OBJ(a, arg, ASK_MAGIC);
	a->call = NULL;
	h = a->spec.policy->http;
	(void)snprintf(what, sizeof(what), "%.*s %.*s", SLICE_ARG(h->method),
	    SLICE_ARG(h->path));
	/* A body that is too long to look at is a whole one. */
	if (r->err != OK && (r->err != ERR_LIMIT || r->status == 0)) {
		say_failure(a, what, r->err);
	} else {
		a->is_good = is_among(h, r->status);
		(void)snprintf(
		    a->reason, sizeof(a->reason), "%s: %u", what, r->status);
	}
	tell(a);
}

static enum err
fill_head(const struct health_http *h, struct http_head *out)
{
	enum err e = http_head_add(out, S("user-agent"), S("meshd-health"));

	for (size_t i = 0; e == OK && i < h->headers.count; i++)
		e = http_head_set(
		    out, h->headers.items[i].name, h->headers.items[i].value);
	return e;
}

static struct slice
authority_of(const struct addr *at, struct slice host, char out[ADDR_TEXT_MAX])
{
	return host.len > 0 ? host : slice_str(addr_format(at, out));
}

static bool
is_https(const struct ask *a)
{
	const struct health_http *h = a->spec.policy->http;

	return h != NULL && h->scheme == HEALTH_HTTPS;
}

/* TLS over the stream, which it takes; NULL: there is none. */
static struct stream *
secure(const struct ask *a, struct stream *below)
{
	AUTO(tls_config_unref) struct tls_config *config = NULL;
	struct slice host = a->spec.policy->http->host;
	struct slice name = slice_sub(host, 0, slice_find(host, ':'));
	struct stream *out = NULL;
	struct addr ip;

	if (addr_parse_ip(name, &ip) == OK || slice_starts(host, S("[")))
		name = SLICE_NONE; /* RFC 6066 §3: addresses are no names */
	if (tls_unverified_config(
		(uint32_t)(a->spec.policy->timeout / US_A_MS), &config) == OK &&
	    tls_unverified_client(
		below, config, name, &stream_deaf, NULL, &out, NULL) == OK)
		return out;
	stream_close(below, ERR_TLS);
	return NULL;
}

/* Says the rest of the call and begins it. */
static void
call(struct ask *a, const struct addr *at, struct http_call_spec spec)
{
	struct net_connect_spec conn = NET_CONNECT_SPEC;

	conn.addr = *at;
	conn.timeout_us = a->spec.policy->timeout;
	spec.loop = a->spec.loop;
	spec.conn = net_connect(a->spec.loop, &conn, &stream_deaf, NULL);
	if (is_https(a))
		spec.conn = secure(a, spec.conn);
	if (spec.conn == NULL) {
		say_failure(a, "TLS", ERR_TLS);
		loop_later(a->spec.loop, &a->tell);
		return;
	}
	spec.timeout_us = a->spec.policy->timeout;
	spec.body_limit = HEALTH_BODY_MAX;
	spec.arg = a;
	a->call = http_call_open(&spec);
}

static void
open_http(struct ask *a)
{
	const struct health_http *h = a->spec.policy->http;
	AUTO(arena_fini) struct arena arena = {0};
	struct addr at = place_of(a, h->port);
	char text[ADDR_TEXT_MAX];
	struct http_head head;

	arena_init(&arena, HEAD_ARENA_MAX);
	http_head_init(&head, &arena);
	head.scheme = is_https(a) ? S("https") : S("http");
	head.authority = authority_of(&at, h->host, text);
	if (fill_head(h, &head) != OK) {
		(void)snprintf(a->reason, sizeof(a->reason),
		    "a header of its check is none that HTTP can say");
		loop_later(a->spec.loop, &a->tell);
		return;
	}
	call(a, &at,
	    (struct http_call_spec){.proto = HTTP_PROTO_1,
		.method = h->method,
		.authority = head.authority,
		.path = h->path,
		.extra = &head,
		.on_done = on_http});
}

/* --- grpc ----------------------------------------------------------------- */

static bool
on_message(void *arg, struct slice message)
{
	int32_t *status = arg;

	if (codec_health_response_decode(message, status) != OK)
		*status = -1;
	return false;
}

static void
say_serving(struct ask *a, const char *what, int32_t status)
{
	static const char *const words[] = {
	    "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};

	a->is_good = status == CODEC_HEALTH_SERVING;
	(void)snprintf(a->reason, sizeof(a->reason), "%s: %s", what,
	    status >= 0 && (size_t)status < ARRAY_LEN(words)
		? words[status]
		: "its answer is no health");
}

static void
read_grpc(struct ask *a, const char *what, const struct http_result *r)
{
	struct grpc_reader reader;
	struct slice code = SLICE_NONE, words = SLICE_NONE;
	int32_t status = -1;

	if (r->status != 200) {
		(void)snprintf(a->reason, sizeof(a->reason),
		    "%s: HTTP status %u", what, r->status);
		return;
	}
	(void)http_head_get(r->head, S("grpc-message"), &words);
	if (http_head_get(r->head, S("grpc-status"), &code) &&
	    !slice_eq(code, S("0"))) {
		(void)snprintf(a->reason, sizeof(a->reason),
		    "%s: gRPC status %.*s %.*s", what,
		    SLICE_ARG(slice_sub(code, 0, 3)),
		    SLICE_ARG(slice_sub(words, 0, WHAT_MAX)));
		return;
	}
	grpc_reader_init(&reader, HEALTH_BODY_MAX);
	if (grpc_reader_feed(&reader, r->body, on_message, &status) != OK)
		status = -1;
	grpc_reader_fini(&reader);
	say_serving(a, what, status);
}

static void
on_grpc(void *arg, const struct http_result *r)
{
	struct slice service;
	char what[WHAT_MAX];
	struct ask *a;

	OBJ(a, arg, ASK_MAGIC);
	a->call = NULL;
	service = a->spec.policy->grpc->service;
	(void)snprintf(what, sizeof(what), "gRPC health%s%.*s",
	    service.len > 0 ? " of " : "", SLICE_ARG(service));
	if (r->err != OK)
		say_failure(a, what, r->err);
	else
		read_grpc(a, what, r);
	tell(a);
}

static void
open_grpc(struct ask *a)
{
	const struct health_grpc *g = a->spec.policy->grpc;
	AUTO(buf_fini) struct buf message = BUF(HEALTH_BODY_MAX);
	AUTO(buf_fini) struct buf body = BUF(HEALTH_BODY_MAX);
	AUTO(arena_fini) struct arena arena = {0};
	struct addr at = place_of(a, g->port);
	char text[ADDR_TEXT_MAX];
	struct http_head head;

	arena_init(&arena, HEAD_ARENA_MAX);
	http_head_init(&head, &arena);
	head.scheme = S("http");
	if (codec_health_request_encode(g->service, &message) != OK ||
	    grpc_write(buf_slice(&message), &body) != OK ||
	    http_head_add(&head, S("te"), S("trailers")) != OK) {
		(void)snprintf(a->reason, sizeof(a->reason),
		    "the name of the service that is asked for is too long");
		loop_later(a->spec.loop, &a->tell);
		return;
	}
	call(a, &at,
	    (struct http_call_spec){.proto = HTTP_PROTO_2,
		.method = S("POST"),
		.authority = authority_of(&at, SLICE_NONE, text),
		.path = S("/grpc.health.v1.Health/Check"),
		.content_type = S("application/grpc"),
		.extra = &head,
		.body = buf_slice(&body),
		.on_done = on_grpc});
}

/* --- a command ------------------------------------------------------------ */

static void
on_exec(void *arg, bool is_good, const char *reason, struct slice said)
{
	struct ask *a;

	(void)said; /* it is in the reason */

	OBJ(a, arg, ASK_MAGIC);
	a->exec = NULL;
	a->is_good = is_good;
	(void)snprintf(a->reason, sizeof(a->reason), "%s", reason);
	tell(a);
}

static void
open_exec(struct ask *a)
{
	const struct probe_exec *x = a->spec.policy->exec;

	a->exec =
	    health_exec_open(&(struct health_exec_spec){.loop = a->spec.loop,
		.words = x->command.items,
		.word_count = x->command.count,
		.timeout_us = a->spec.policy->timeout,
		.done = on_exec,
		.arg = a});
}

/* --- the owner's side ----------------------------------------------------- */

struct ask *
ask_open(const struct ask_spec *spec)
{
	struct ask *a = mem_new(sizeof(*a));

	a->magic = ASK_MAGIC;
	a->spec = *spec;
	loop_later_init(&a->tell, on_tell, a);
	if (spec->policy->http != NULL)
		open_http(a);
	else if (spec->policy->tcp != NULL)
		open_tcp(a);
	else if (spec->policy->grpc != NULL)
		open_grpc(a);
	else
		open_exec(a);
	return a;
}

void
ask_cancel(struct ask **ap)
{
	if (*ap == NULL)
		return;
	let_go(*ap);
	ask_free(ap);
}
