/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http — the rules for requests of one host.
 */
#include "http_fields.h"
#include "inside.h"
#include "retry_words.h"

enum { DEFAULT_ATTEMPTS = 2 };

/* What Istio tries again where nothing is said (its default policy). */
static const uint32_t default_retry_on =
    VIEW_RETRY_CONNECT_FAILURE | VIEW_RETRY_REFUSED_STREAM |
    VIEW_RETRY_GRPC_UNAVAILABLE | VIEW_RETRY_GRPC_CANCELLED;

/* --- matches -------------------------------------------------------------- */

static struct view_condition
condition(const struct string_match *m, enum view_subject subject)
{
	struct view_condition c = {.subject = subject, .test = VIEW_PRESENT};

	if (message_has(&string_match_message, m, "exact")) {
		c.test = VIEW_EXACT;
		c.value = m->exact;
	} else if (message_has(&string_match_message, m, "prefix")) {
		c.test = VIEW_PREFIX;
		c.value = m->prefix;
	}
	return c;
}

/* Names that upstream does not look at under `headers`. */
static bool
is_shadowed(struct slice name)
{
	return slice_eq(name, S("uri")) || slice_eq(name, S("scheme")) ||
	       slice_eq(name, S("method")) || slice_eq(name, S("authority"));
}

static void
compile_match(
    struct builder *b, const struct http_match *m, struct view_match *out)
{
	enum { OWN_TESTS = 5 };
	const struct {
		const struct string_match *match;
		enum view_subject subject;
	} own[] = {{m->uri, VIEW_ON_PATH}, {m->method, VIEW_ON_METHOD},
	    {m->scheme, VIEW_ON_SCHEME}, {m->authority, VIEW_ON_AUTHORITY}};
	struct view_condition *c =
	    take(b, OWN_TESTS + m->headers.count, sizeof(*c));

	if (c == NULL)
		return;
	out->name = m->name;
	out->line = m->head.line;
	out->conditions = c;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (own[i].match != NULL)
			c[out->count++] =
			    condition(own[i].match, own[i].subject);
	if (m->port != 0)
		c[out->count++] = (struct view_condition){
		    .subject = VIEW_ON_PORT, .port = (uint16_t)m->port};
	for (size_t i = 0; i < m->headers.count; i++) {
		const struct message_entry *e = &m->headers.items[i];

		if (is_shadowed(e->key))
			continue;
		c[out->count] = condition(e->message, VIEW_ON_HEADER);
		c[out->count++].header = take_lower(b, e->key);
	}
}

static void
compile_matches(struct builder *b, const struct http_route *spec,
    struct view_http_route *out)
{
	struct view_match *items = take(b, spec->match.count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < spec->match.count; i++)
		compile_match(b, &spec->match.items[i], &items[i]);
	out->matches = items;
	out->match_count = spec->match.count;
}

/* --- headers -------------------------------------------------------------- */

/* "%%" was checked to be the only use of the sign. */
static struct slice
unescape(struct builder *b, struct slice value)
{
	struct slice copy = take_copy(b, value);
	char *p = (char *)(uintptr_t)copy.ptr; /* ours */
	size_t n = 0;

	for (size_t i = 0; i < copy.len; i++) {
		p[n++] = p[i];
		i += p[i] == '%' && i + 1 < copy.len;
	}
	copy.len = n;
	return copy;
}

static const struct label *
compile_labels(struct builder *b, const struct labels *l)
{
	struct label *items = take(b, l->count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < l->count; i++) {
		items[i].key = take_lower(b, l->items[i].key);
		items[i].value = unescape(b, l->items[i].value);
	}
	return items;
}

static void
compile_operations(struct builder *b, const struct header_operations *o,
    struct view_headers *out)
{
	struct slice *names;

	if (o == NULL)
		return;
	names = take(b, o->remove.count, sizeof(*names));
	for (size_t i = 0; names != NULL && i < o->remove.count; i++)
		names[i] = take_lower(b, o->remove.items[i]);
	out->set = compile_labels(b, &o->set);
	out->set_count = o->set.count;
	out->add = compile_labels(b, &o->add);
	out->add_count = o->add.count;
	out->remove = names;
	out->remove_count = o->remove.count;
}

static void
compile_headers(struct builder *b, const struct headers_spec *h,
    struct view_headers *request, struct view_headers *response)
{
	if (h == NULL)
		return;
	compile_operations(b, h->request, request);
	compile_operations(b, h->response, response);
}

/* --- retries -------------------------------------------------------------- */

static void
compile_retry_on(struct builder *b, struct slice list, struct view_retry *out)
{
	uint16_t *statuses = take(b, list.len, sizeof(*statuses));

	out->statuses = statuses;
	while (statuses != NULL && list.len > 0) {
		struct slice word = slice_trim(slice_split(&list, ','));
		uint16_t status;
		uint32_t bit;

		if (!retry_word_parse(word, &bit, &status))
			continue;
		out->on |= bit;
		if (status != 0)
			statuses[out->status_count++] = status;
	}
}

static void
compile_retry(
    struct builder *b, const struct http_retry *r, struct view_retry *out)
{
	out->attempts = DEFAULT_ATTEMPTS;
	out->on = default_retry_on;
	if (r == NULL)
		return;
	out->attempts = (uint32_t)r->attempts;
	out->per_try_timeout_us = r->per_try_timeout;
	if (r->retry_on.len == 0)
		return;
	out->on = 0;
	compile_retry_on(b, r->retry_on, out);
}

/* --- routes --------------------------------------------------------------- */

static void
compile_destinations(struct builder *b, const struct http_route *spec,
    const struct resource *owner, uint16_t port, struct view_http_route *out)
{
	struct view_destination *items =
	    take(b, spec->route.count, sizeof(*items));

	for (size_t i = 0; items != NULL && i < spec->route.count; i++) {
		const struct http_destination *d = &spec->route.items[i];

		compile_destination(b, d->destination, owner, port, &items[i]);
		items[i].weight = (uint32_t)d->weight;
		out->weight_total += items[i].weight;
		compile_headers(
		    b, d->headers, &items[i].request, &items[i].response);
	}
	out->destinations = items;
	out->destination_count = spec->route.count;
}

static void
compile_route(struct builder *b, const struct http_route *spec,
    const struct resource *owner, uint16_t port, struct view_http_route *out)
{
	out->name = spec->name;
	out->origin = origin_of(owner, spec->head.line);
	out->timeout_us = spec->timeout;
	compile_matches(b, spec, out);
	compile_destinations(b, spec, owner, port, out);
	compile_retry(b, spec->retries, &out->retry);
	compile_headers(b, spec->headers, &out->request, &out->response);
	if (spec->rewrite == NULL)
		return;
	out->rewrite_uri = spec->rewrite->uri.len > 0;
	out->new_uri = spec->rewrite->uri;
	out->new_authority = spec->rewrite->authority;
}

/* Everything goes to the service itself. */
static void
default_route(struct builder *b, struct view_host *h, struct service_row *s,
    const struct port_row *p)
{
	struct view_http_route *r = take(b, 1, sizeof(*r));
	struct view_destination *d = take(b, 1, sizeof(*d));

	if (r == NULL || d == NULL)
		return;
	d->cluster = find_cluster(b, s, p, S(""), &d->missing);
	d->host = s->row.host;
	r->name = S("default");
	r->destinations = d;
	r->destination_count = 1;
	r->origin = s->row.origin;
	compile_retry(b, NULL, &r->retry);
	h->http = r;
	h->http_count = 1;
}

void
compile_http(struct builder *b, struct view_host *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p)
{
	const struct virtual_service *vs =
	    owner != NULL ? resource_virtual_service(owner) : NULL;
	struct view_http_route *routes;

	if (vs == NULL || vs->http.count == 0) {
		if (s != NULL)
			default_route(b, h, s, p);
		return;
	}
	routes = take(b, vs->http.count, sizeof(*routes));
	for (size_t i = 0; routes != NULL && i < vs->http.count; i++) {
		compile_route(
		    b, &vs->http.items[i], owner, h->port, &routes[i]);
		routes[i].index = i;
	}
	h->origin = origin_of(owner, 0);
	h->http = routes;
	h->http_count = routes != NULL ? vs->http.count : 0;
}
