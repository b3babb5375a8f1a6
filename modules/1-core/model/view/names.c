/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names — one spelling for each host, and where rows come from.
 */
#include <stdio.h>

#include "hosts.h"
#include "inside.h"

/* It would be this one, if there were such a service. */
static void
note_two_labels(struct builder *b, struct slice of)
{
	if (b->v->base == NULL && map_get(&b->two_labels, of) == NULL)
		(void)map_put(&b->two_labels, of, b); /* only the mark */
}

/* That of a service is the service's own. */
struct slice
canonical_host(struct builder *b, struct slice host, struct slice ns)
{
	char text[HOST_TEXT_MAX], full[HOST_TEXT_MAX];
	struct slice s = host_spell_written(host, ns, b->v->domain, text);
	const struct service_row *row = service_at(b, s);

	if (host_may_be_outside(s)) {
		struct slice of = host_spell(s, ns, b->v->domain, full);

		note_two_labels(b, of);
		if (row == NULL)
			row = service_at(b, of);
	}
	return row != NULL ? row->row.host : take_copy(b, s);
}

struct slice
written_host(struct builder *b, struct slice host, struct slice ns)
{
	char text[HOST_TEXT_MAX];

	return take_copy(b, host_spell_written(host, ns, b->v->domain, text));
}

struct slice
istio_host(struct builder *b, struct slice host)
{
	struct slice domain = b->v->domain;
	struct slice rest = slice_sub(host, 0, host.len - domain.len);

	if (host.len > domain.len && slice_ends(host, domain) &&
	    (slice_ends(rest, S(".svc.")) || slice_eq(rest, S("*."))))
		return take_join(b, SLICES(rest, S("cluster.local")));
	return host;
}

struct origin
origin_of(const struct resource *r, uint32_t line)
{
	return (struct origin){.key = r->key,
	    .revision = r->revision,
	    .file = r->file,
	    .line = r->file.len > 0 ? (line > 0 ? line : r->line) : 0};
}

char *
origin_format(const struct origin *o, char out[ORIGIN_TEXT_MAX])
{
	char key[RESOURCE_KEY_MAX];

	if (o->key.kind.len == 0)
		(void)snprintf(
		    out, ORIGIN_TEXT_MAX, "%.*s", SLICE_ARG(o->words));
	else if (o->file.len > 0)
		(void)snprintf(out, ORIGIN_TEXT_MAX, "%.*s:%u",
		    SLICE_ARG(o->file), (unsigned)o->line);
	else
		(void)snprintf(out, ORIGIN_TEXT_MAX, "%s@%llu",
		    resource_key_format(&o->key, key),
		    (unsigned long long)o->revision);
	return out;
}

static const struct {
	const char *word;
	enum view_protocol protocol;
} protocols[] = {
    {"http", VIEW_HTTP},
    {"http2", VIEW_HTTP2},
    {"grpc", VIEW_GRPC},
    {"grpc-web", VIEW_GRPC_WEB},
    {"http_proxy", VIEW_HTTP},
    {"kubernetes.io/h2c", VIEW_HTTP2},
    {"kubernetes.io/ws", VIEW_HTTP},
    {"kubernetes.io/wss", VIEW_TLS},
    {"https", VIEW_TLS},
    {"tls", VIEW_TLS},
    {"tcp", VIEW_TCP},
    {"udp", VIEW_TCP},
    {"mongo", VIEW_TCP},
    {"redis", VIEW_TCP},
    {"mysql", VIEW_TCP},
};

static bool
protocol_word(struct slice word, enum view_protocol *out)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (slice_eq_nocase(word, slice_str(protocols[i].word))) {
			*out = protocols[i].protocol;
			return true;
		}
	return false;
}

enum view_protocol
protocol_of(struct slice app, struct slice name)
{
	enum view_protocol p = VIEW_AUTO;
	struct slice word = app.len > 0 ? app : name;

	if (protocol_word(word, &p))
		return p;
	if (slice_eq_nocase(slice_sub(word, 0, 8), S("grpc-web")))
		return VIEW_GRPC_WEB;
	word = slice_sub(word, 0, slice_find(word, '-'));
	(void)protocol_word(word, &p); /* unknown: found out */
	return p;
}

/* Servers that speak first wait for nobody's first byte. */
static bool
speaks_first(uint16_t port)
{
	enum { SMTP = 25, DNS = 53, MYSQL = 3306, MONGODB = 27017 };

	return port == SMTP || port == DNS || port == MYSQL || port == MONGODB;
}

enum view_protocol
protocol_of_port(uint16_t port, struct slice app, struct slice name)
{
	enum view_protocol p = protocol_of(app, name);

	return p == VIEW_AUTO && speaks_first(port) ? VIEW_TCP : p;
}

enum view_protocol
protocol_of_record(struct slice app, struct slice name)
{
	enum view_protocol p = protocol_of(app, name);

	return p == VIEW_AUTO ? VIEW_TCP : p;
}

const char *
view_direction_name(enum view_direction d)
{
	static const char *const names[] = {
	    [VIEW_OUTBOUND] = "outbound",
	    [VIEW_INBOUND] = "inbound",
	    [VIEW_GATEWAY] = "gateway",
	};

	return names[d];
}

const char *
view_tls_mode_name(enum view_tls_mode m)
{
	static const char *const names[] = {
	    [VIEW_TLS_NONE] = "",
	    [VIEW_TLS_SIMPLE] = "SIMPLE",
	    [VIEW_TLS_MUTUAL] = "MUTUAL",
	    [VIEW_TLS_OPTIONAL] = "OPTIONAL_MUTUAL",
	    [VIEW_TLS_ISTIO_MUTUAL] = "ISTIO_MUTUAL",
	};

	return names[m];
}

const char *
view_protocol_name(enum view_protocol p)
{
	static const char *const names[] = {
	    [VIEW_TCP] = "tcp",
	    [VIEW_HTTP] = "http",
	    [VIEW_HTTP2] = "http2",
	    [VIEW_GRPC] = "grpc",
	    [VIEW_GRPC_WEB] = "grpc-web",
	    [VIEW_TLS] = "tls",
	    [VIEW_AUTO] = "auto",
	};

	CHECK((unsigned)p < ARRAY_LEN(names));
	return names[p];
}

struct slice
identity_of(struct builder *b, struct slice ns, struct slice account)
{
	struct identity id = {b->v->trust_domain, ns, account};
	struct slice text;

	if (account.len == 0)
		return S("");
	text = name_identity_format(b->arena, &id);
	b->full = b->full || text.ptr == NULL;
	return text.ptr != NULL ? text : S("");
}

struct slice
label_key(struct slice ns, const struct label *l, char out[LABEL_KEY_BYTES])
{
	if (l == NULL)
		return ns;
	return slice_join(SLICES(ns, S("\n"), l->key, S("\n"), l->value), out,
	    LABEL_KEY_BYTES);
}
