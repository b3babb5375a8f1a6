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
	return fault_set(r->why, ERR_INVALID, "%.*s is %s",
	    SLICE_ARG(slice_sub(r->v->key, 0, 64)), wanted);
}

static enum err
read_text(struct question_reader *r, struct slice *out)
{
	if (r->v->type != VALUE_STRING)
		return wrong(r, "a text");
	*out = r->v->string;
	return OK;
}

static enum err
read_word(struct question_reader *r, const char *const *words, size_t count,
    const char *wanted, unsigned *out)
{
	for (size_t i = 0; i < count; i++)
		if (r->v->type == VALUE_STRING &&
		    slice_eq(r->v->string, slice_str(words[i]))) {
			*out = (unsigned)i;
			return OK;
		}
	return wrong(r, wanted);
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
read_proxy(struct question_reader *r)
{
	static const char *const words[] = {
	    [VIEW_SIDECAR] = "sidecar", [VIEW_ROUTER] = "gateway"};
	unsigned n = 0;
	enum err e =
	    read_word(r, words, ARRAY_LEN(words), "sidecar or gateway", &n);

	if (e == OK)
		r->q->place.proxy = (enum view_proxy)n;
	return e;
}

static enum err
read_direction(struct question_reader *r)
{
	static const char *const words[] = {[VIEW_OUTBOUND] = "outbound",
	    [VIEW_INBOUND] = "inbound",
	    [VIEW_GATEWAY] = "gateway"};
	unsigned n = 0;
	enum err e = read_word(
	    r, words, ARRAY_LEN(words), "outbound, inbound or gateway", &n);

	if (e != OK)
		return e;
	r->q->connection.direction = (enum view_direction)n;
	r->q->is_connection = true;
	return OK;
}

static enum err
read_protocol(struct question_reader *r)
{
	static const char *const words[] = {[EXPLAIN_TCP] = "tcp",
	    [EXPLAIN_HTTP] = "http",
	    [EXPLAIN_HTTP2] = "http2",
	    [EXPLAIN_GRPC] = "grpc"};
	unsigned n = 0;
	enum err e = read_word(
	    r, words, ARRAY_LEN(words), "tcp, http, http2 or grpc", &n);

	if (e == OK)
		r->q->connection.protocol = (enum explain_protocol)n;
	return e;
}

static enum err
read_tls(struct question_reader *r)
{
	static const char *const words[] = {[EXPLAIN_PLAINTEXT] = "plaintext",
	    [EXPLAIN_TLS] = "tls",
	    [EXPLAIN_MTLS] = "mtls"};
	unsigned n = 0;
	enum err e =
	    read_word(r, words, ARRAY_LEN(words), "plaintext, tls or mtls", &n);

	if (e == OK)
		r->q->connection.tls = (enum explain_tls)n;
	return e;
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
read_port(struct question_reader *r)
{
	if (r->v->type != VALUE_INT || r->v->integer < 0 ||
	    r->v->integer > UINT16_MAX)
		return wrong(r, "a port (0-65535)");
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
	r->q->with = r->v;
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
	return OK;
}

/* --- all of it ------------------------------------------------------------ */

#define TEXT(key, member)                                                      \
	{                                                                      \
		key, NULL, offsetof(struct explain_question, member)           \
	}

static const struct member {
	const char *key;
	enum err (*read)(
	    struct question_reader *r); /* NULL: a text, at `offset` */
	size_t offset;
} members[] = {
    TEXT("namespace", place.ns),
    {"labels", read_labels, 0},
    {"proxy", read_proxy, 0},
    {"ip", read_place_ip, 0},
    {"direction", read_direction, 0},
    {"address", read_address, 0},
    {"port", read_port, 0},
    {"protocol", read_protocol, 0},
    {"tls", read_tls, 0},
    {"sni", read_sni, 0},
    {"alpn", read_alpn, 0},
    {"with", read_with, 0},
    TEXT("cluster", cluster),
    TEXT("secret", connection.secret),
    TEXT("upstream", connection.request.upstream),
    TEXT("host", connection.request.host),
    TEXT("method", connection.request.method),
    TEXT("scheme", connection.request.scheme),
    TEXT("authority", connection.request.authority),
    TEXT("path", connection.request.path),
    {"headers", read_headers, 0},
};

static enum err
read_member(struct question_reader *r)
{
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		const struct member *m = &members[i];

		if (!slice_eq(r->v->key, slice_str(m->key)))
			continue;
		if (m->read != NULL)
			return m->read(r);
		return read_text(
		    r, (struct slice *)(void *)((char *)r->q + m->offset));
	}
	return fault_set(r->why, ERR_INVALID, "a question has no member %.*s",
	    SLICE_ARG(slice_sub(r->v->key, 0, 64)));
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
	q.connection.request.ns = q.place.ns;
	q.connection.request.labels = q.place.labels;
	q.connection.destination.port = q.connection.request.port;
	*out = q;
	return OK;
}

void
explain_view_input(const struct explain_place *place, struct view_input *out)
{
	out->proxy = place->proxy;
	out->ns = place->ns;
	out->labels = place->labels;
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
