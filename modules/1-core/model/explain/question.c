/* SPDX-License-Identifier: Apache-2.0 */
/*
 * question — what is asked, out of JSON.
 */
#include "explain.h"
#include "kinds/gateway.h"

struct question_reader {
	struct arena *arena;
	struct explain_question *q;
	const struct value *v; /* the member at hand */
	struct fault *why;
};

/* --- members of each type ------------------------------------------------- */

static enum err
wrong(const struct question_reader *r, const char *wanted)
{
	struct slice key = slice_sub(r->v->key, 0, 64);

	if (r->v->type == VALUE_STRING)
		return fault_set(r->why, ERR_INVALID,
		    "%.*s is %s, not \"%.*s\"", SLICE_ARG(key), wanted,
		    SLICE_ARG(slice_sub(r->v->string, 0, 64)));
	return fault_set(
	    r->why, ERR_INVALID, "%.*s is %s", SLICE_ARG(key), wanted);
}

static enum err
read_text(struct question_reader *r, struct slice *out)
{
	if (r->v->type != VALUE_STRING)
		return wrong(r, "a text");
	*out = r->v->string;
	return OK;
}

/* What one of a few words may be: an enum, by its numbers. */
struct words {
	const char *const *items;
	size_t count;
	const char *wanted;
};

static enum err
read_word(struct question_reader *r, const struct words *w, unsigned *out)
{
	for (size_t i = 0; i < w->count; i++)
		if (r->v->type == VALUE_STRING &&
		    slice_eq(r->v->string, slice_str(w->items[i]))) {
			*out = (unsigned)i;
			return OK;
		}
	return wrong(r, w->wanted);
}

static enum err
read_pairs(struct question_reader *r, size_t most, struct labels *out)
{
	struct label *items;
	size_t n = 0;

	if (r->v->type != VALUE_MAP)
		return wrong(r, "a map of texts");
	if (r->v->count > most)
		return fault_set(r->why, ERR_LIMIT, "more than %zu %.*s", most,
		    SLICE_ARG(r->v->key));
	items = arena_alloc_array(r->arena, r->v->count + 1, sizeof(*items));
	if (items == NULL)
		return fault_set(
		    r->why, ERR_NO_MEMORY, "the question is too large");
	VALUE_EACH(r->v, it)
	{
		if (it->type != VALUE_STRING)
			return wrong(r, "a map of texts");
		items[n++] = (struct label){it->key, it->string};
	}
	*out = (struct labels){items, n};
	return OK;
}

static enum err
read_ip(struct question_reader *r, struct addr *out)
{
	if (r->v->type != VALUE_STRING ||
	    addr_parse_ip(r->v->string, out) != OK)
		return wrong(r, "an IP address");
	return OK;
}

/* --- the members ---------------------------------------------------------- */

enum { LABELS_MAX = 64 };

static enum err
read_labels(struct question_reader *r)
{
	return read_pairs(r, LABELS_MAX, &r->q->place.labels);
}

static enum err
read_headers(struct question_reader *r)
{
	struct explain_request *q = &r->q->connection.request;
	struct labels l;
	enum err e = read_pairs(r, EXPLAIN_HEADERS_MAX, &l);

	if (e != OK)
		return e;
	q->headers = l.items;
	q->header_count = l.count;
	return OK;
}

static enum err
read_place_ip(struct question_reader *r)
{
	return read_ip(r, &r->q->place.ip);
}

static enum err
read_address(struct question_reader *r)
{
	return read_ip(r, &r->q->connection.destination);
}

static enum err
read_source(struct question_reader *r)
{
	return read_ip(r, &r->q->connection.source);
}

static enum err
read_port(struct question_reader *r)
{
	if (r->v->type != VALUE_INT || r->v->integer < 0 ||
	    r->v->integer > UINT16_MAX)
		return wrong(r, "a number from 0 to 65535");
	r->q->connection.request.port = (uint16_t)r->v->integer;
	return OK;
}

static enum err
read_alpn(struct question_reader *r)
{
	struct slice *items;
	size_t n = 0;

	if (r->v->type != VALUE_LIST || r->v->count > EXPLAIN_ALPNS_MAX)
		return wrong(r, "a list of at most 16 texts");
	items = arena_alloc_array(r->arena, r->v->count + 1, sizeof(*items));
	if (items == NULL)
		return fault_set(
		    r->why, ERR_NO_MEMORY, "the question is too large");
	VALUE_EACH(r->v, it)
	{
		if (it->type != VALUE_STRING)
			return wrong(r, "a list of at most 16 texts");
		items[n++] = it->string;
	}
	r->q->connection.alpns = items;
	r->q->connection.alpn_count = n;
	return OK;
}

static enum err
read_with(struct question_reader *r)
{
	if (r->v->type != VALUE_LIST)
		return wrong(r, "a list of documents");
	r->q->with.list = r->v;
	return OK;
}

static enum err
read_places(struct question_reader *r)
{
	if (r->v->type != VALUE_LIST)
		return wrong(r, "a list of files and lines");
	r->q->with.places = r->v;
	return OK;
}

/* Names in a hello have no case. */
static enum err
read_sni(struct question_reader *r)
{
	struct slice text = SLICE_NONE;
	char *lower;
	enum err e = read_text(r, &text);

	if (e != OK)
		return e;
	lower = arena_alloc(r->arena, text.len + 1);
	if (lower == NULL)
		return fault_set(
		    r->why, ERR_NO_MEMORY, "the question is too large");
	for (size_t i = 0; i < text.len; i++)
		lower[i] = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z'
			       ? (char)(text.ptr[i] + ('a' - 'A'))
			       : text.ptr[i];
	r->q->connection.sni = slice_of(lower, text.len);
	r->q->connection.request.sni = r->q->connection.sni;
	return OK;
}

/* --- all of it ------------------------------------------------------------ */

static const char *const proxies[] = {
    [VIEW_SIDECAR] = "sidecar", [VIEW_ROUTER] = "gateway"};
static const char *const directions[] = {[VIEW_OUTBOUND] = "outbound",
    [VIEW_INBOUND] = "inbound",
    [VIEW_GATEWAY] = "gateway"};
static const char *const protocols[] = {[EXPLAIN_TCP] = "tcp",
    [EXPLAIN_HTTP] = "http",
    [EXPLAIN_HTTP2] = "http2",
    [EXPLAIN_GRPC] = "grpc"};
static const char *const tls[] = {[EXPLAIN_PLAINTEXT] = "plaintext",
    [EXPLAIN_TLS] = "tls",
    [EXPLAIN_MTLS] = "mtls",
    [EXPLAIN_CLIENT] = "client"};

/* A member is read, or is one of some words, or is a text at `offset`. */
static const struct member {
	const char *key;
	enum err (*read)(struct question_reader *r);
	struct words words;
	size_t offset;
} members[] = {
#define READ(key, read)                                                        \
	{                                                                      \
		key, read, {NULL, 0, NULL}, 0                                  \
	}
#define TEXT(key, member)                                                      \
	{                                                                      \
		key, NULL, {NULL, 0, NULL},                                    \
		    offsetof(struct explain_question, member)                  \
	}
#define WORD(key, member, words, wanted)                                       \
	{                                                                      \
		key, NULL, {words, ARRAY_LEN(words), wanted},                  \
		    offsetof(struct explain_question, member)                  \
	}
    TEXT("namespace", place.ns),
    READ("labels", read_labels),
    WORD("proxy", place.proxy, proxies, "sidecar or gateway"),
    READ("ip", read_place_ip),
    WORD("direction", connection.direction, directions,
	"outbound, inbound or gateway"),
    READ("address", read_address),
    READ("port", read_port),
    WORD(
	"protocol", connection.protocol, protocols, "tcp, http, http2 or grpc"),
    WORD("tls", connection.tls, tls, "plaintext, tls, mtls or client"),
    READ("sni", read_sni),
    READ("alpn", read_alpn),
    READ("with", read_with),
    READ("places", read_places),
    TEXT("cluster", cluster),
    TEXT("secret", connection.secret),
    TEXT("peer", connection.peer),
    READ("sourceIp", read_source),
    TEXT("upstream", connection.request.upstream),
    TEXT("host", connection.request.host),
    TEXT("method", connection.request.method),
    TEXT("scheme", connection.request.scheme),
    TEXT("authority", connection.request.authority),
    TEXT("path", connection.request.path),
    READ("headers", read_headers),
};

static enum err
read_member(struct question_reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];
		void *at = (char *)r->q + m->offset;

		if (!slice_eq(r->v->key, slice_str(m->key)))
			continue;
		if (m->read != NULL)
			return m->read(r);
		if (m->words.count > 0)
			return read_word(r, &m->words, at);
		return read_text(r, at);
	}
	return fault_set(r->why, ERR_INVALID, "a question has no member %.*s",
	    SLICE_ARG(slice_sub(r->v->key, 0, 64)));
}

/* Nobody could answer a question about nothing. */
static enum err
check_asked(const struct explain_question *q, struct fault *why)
{
	const struct explain_request *r = &q->connection.request;

	if (q->cluster.len > 0)
		return OK;
	if (q->is_connection && r->port == 0)
		return fault_set(why, ERR_INVALID,
		    "a question about a connection has the port that it calls");
	if (!q->is_connection && r->host.len == 0 && r->upstream.len == 0)
		return fault_set(why, ERR_INVALID,
		    "a question has a host or an upstream (of a request), a "
		    "direction (of a connection), or a cluster");
	return OK;
}

enum err
explain_read(const struct value *v, struct arena *arena,
    struct explain_question *out, struct fault *why)
{
	struct explain_question q = {0};
	struct question_reader r = {.arena = arena, .q = &q, .why = why};
	enum err e = OK;

	if (v == NULL || v->type != VALUE_MAP)
		return fault_set(why, ERR_INVALID, "a question is a map");
	VALUE_EACH(v, it)
	{
		r.v = it;
		if (e == OK)
			e = read_member(&r);
	}
	if (e != OK)
		return e;
	q.is_connection = value_get(v, S("direction")) != NULL;
	q.connection.request.ns = q.place.ns;
	q.connection.request.labels = q.place.labels;
	q.connection.destination.port = q.connection.request.port;
	e = check_asked(&q, why);
	if (e == OK)
		*out = q;
	return e;
}

void
explain_view_input(const struct explain_place *place, struct view_input *out)
{
	struct slice network =
	    labels_get(&place->labels, S("topology.istio.io/network"));

	out->proxy = place->proxy;
	out->ns = place->ns;
	out->labels = place->labels;
	if (network.len > 0)
		out->network = network;
	if (place->ip.family == ADDR_NONE)
		return;
	out->addrs = &place->ip;
	out->addr_count = 1;
}

bool
explain_gateway_place(const struct resource *r, struct explain_place *out)
{
	const struct gateway *g = r->spec;

	if (r->kind != &kind_gateway)
		return false;
	*out = (struct explain_place){
	    .proxy = VIEW_ROUTER, .ns = r->key.ns, .labels = g->selector};
	return true;
}
