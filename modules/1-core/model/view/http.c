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

static bool
is_authority(struct slice name)
{
	return slice_eq_nocase(name, S("host")) ||
	       slice_eq_nocase(name, S(":authority"));
}

/* Any name may be written, but not any can stand in a message. */
static bool
is_header_name(struct slice name)
{
	return is_token(name) || is_authority(name);
}

/* What can be done as it is written; the rest is left out. */
static const struct label *
compile_labels(struct builder *b, const struct labels *l, size_t *out_count)
{
	struct label *items = take(b, l->count, sizeof(*items));

	*out_count = 0;
	for (size_t i = 0; items != NULL && i < l->count; i++) {
		struct label *to = &items[*out_count];

		if (!is_header_name(l->items[i].key) ||
		    header_value_is_computed(l->items[i].value))
			continue;
		to->key = take_lower(b, l->items[i].key);
		to->value = unescape(b, l->items[i].value);
		(*out_count)++;
	}
	return items;
}

/*
 * A header that would get a computed value is taken out instead: else whoever
 * calls could give it one, and the service might believe it.
 */
static void
compile_removals(struct builder *b, const struct header_operations *o,
    struct view_headers *out)
{
	struct slice *names =
	    take(b, o->remove.count + o->set.count, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; names != NULL && i < o->remove.count; i++)
		if (is_token(o->remove.items[i]))
			names[n++] = take_lower(b, o->remove.items[i]);
	for (size_t i = 0; names != NULL && i < o->set.count; i++) {
		const struct label *l = &o->set.items[i];

		if (header_value_is_computed(l->value) && is_token(l->key) &&
		    !is_authority(l->key))
			names[n++] = take_lower(b, l->key);
	}
	out->remove = names;
	out->remove_count = n;
}

static void
compile_operations(struct builder *b, const struct header_operations *o,
    const struct resource *owner, struct view_headers *out)
{
	struct origin at;

	if (o == NULL)
		return;
	out->set = compile_labels(b, &o->set, &out->set_count);
	out->add = compile_labels(b, &o->add, &out->add_count);
	compile_removals(b, o, out);
	if (out->set_count == o->set.count && out->add_count == o->add.count)
		return;
	at = origin_of(owner, o->head.line);
	add_problem(b, &at,
	    "headers with a computed value such as %%REQ(x)%%, or with a name "
	    "that none can have, are not in force yet; what was to be set is "
	    "taken out");
}

static void
compile_headers(struct builder *b, const struct headers_spec *h,
    const struct resource *owner, struct view_headers *request,
    struct view_headers *response)
{
	if (h == NULL)
		return;
	compile_operations(b, h->request, owner, request);
	compile_operations(b, h->response, owner, response);
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
		compile_headers(b, d->headers, owner, &items[i].request,
		    &items[i].response);
	}
	out->destinations = items;
	out->destination_count = spec->route.count;
}

/* An answer that nobody makes yet is no reason to send the request on. */
static void
compile_answer(struct builder *b, const struct http_route *spec,
    const struct resource *owner, struct view_http_route *out)
{
	const struct inert_name rows[] = {
	    {"redirect", spec->redirect != NULL},
	    {"directResponse", spec->direct_response != NULL},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));
	struct view_destination *d = take(b, 1, sizeof(*d));
	struct origin o = origin_of(owner, spec->head.line);

	if (d == NULL)
		return;
	d->flag = FLOW_NO_CLUSTER;
	d->missing = take_printf(b, "not in force yet: %.*s", SLICE_ARG(names));
	out->destinations = d;
	out->destination_count = 1;
	add_problem(b, &o,
	    "its requests are answered 503, as its action is "
	    "%.*s",
	    SLICE_ARG(d->missing));
}

/* What is left undone while the request goes on. */
static void
report_inert(struct builder *b, const struct http_route *spec,
    const struct resource *owner)
{
	const struct inert_name rows[] = {
	    {"fault", spec->fault != NULL},
	    {"mirror", spec->mirror != NULL},
	    {"mirrors", spec->mirrors.count > 0},
	    {"corsPolicy", spec->cors_policy != NULL},
	    {"uriRegexRewrite",
		spec->rewrite != NULL && spec->rewrite->uri_regex != NULL},
	};
	struct slice names = inert_names(b, rows, ARRAY_LEN(rows));
	struct origin o = origin_of(owner, spec->head.line);

	if (names.len > 0)
		add_problem(b, &o,
		    "goes on without what is not in force yet: "
		    "%.*s",
		    SLICE_ARG(names));
}

void
compile_http_rule(struct builder *b, const struct http_rule *rule,
    const struct view_host *h, struct view_http_route *out)
{
	const struct http_route *spec = rule->spec;
	const struct resource *owner = rule->owner;

	out->name = spec->name;
	out->origin = origin_of(owner, spec->head.line);
	out->timeout_us = spec->timeout;
	compile_matches(b, rule, h->port, out);
	report_inert(b, spec, owner);
	if (spec->route.count > 0)
		compile_destinations(b, spec, owner, h->port, out);
	else
		compile_answer(b, spec, owner, out);
	compile_retry(b, spec->retries, &out->retry);
	compile_headers(b, spec->headers, owner, &out->request, &out->response);
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
	if (d->cluster != NULL)
		d->name = d->cluster->name;
	else
		d->flag = FLOW_NO_CLUSTER;
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
	const struct rows *rules =
	    owner != NULL ? &http_rules_of(b, owner)->rows : NULL;
	struct view_http_route *routes;

	if (rules == NULL || rules->count == 0) {
		if (s != NULL)
			default_route(b, h, s, p);
		return;
	}
	routes = take(b, rules->count, sizeof(*routes));
	for (size_t i = 0; routes != NULL && i < rules->count; i++) {
		compile_http_rule(b, rules->items[i], h, &routes[i]);
		routes[i].index = i;
	}
	h->origin = origin_of(owner, 0);
	h->http = routes;
	h->http_count = routes != NULL ? rules->count : 0;
}
