/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http — the rules for requests of one host.
 *
 * What a rule does is compiled one action a file, see actions.h.
 */
#include "actions.h"

/* --- destinations --------------------------------------------------------- */

/* Of several destinations each has its own; of one they are the route's. */
static void
compile_changes(struct builder *b, const struct http_route *spec,
    const struct resource *owner, struct view_http_route *out)
{
	struct header_changes c;

	compile_headers(b, spec->headers, owner, &c);
	out->request = c.request;
	out->response = c.response;
	if (spec->route.count > 0)
		out->new_authority = c.authority;
}

static void
compile_own_changes(struct builder *b, const struct http_destination *spec,
    const struct resource *owner, struct view_destination *out)
{
	struct header_changes c;

	compile_headers(b, spec->headers, owner, &c);
	out->request = c.request;
	out->response = c.response;
	out->new_authority = c.authority;
}

static void
take_over_changes(struct builder *b, struct view_destination *from,
    struct view_http_route *to)
{
	append_headers(b, &from->request, &to->request);
	append_headers(b, &from->response, &to->response);
	if (to->new_authority.len == 0)
		to->new_authority = from->new_authority;
	from->request = from->response = (struct view_headers){0};
	from->new_authority = S("");
}

/* By what its endpoints are chosen; a destination without weight counts not. */
static void
add_hash(struct builder *b, const struct http_destination *d,
    const struct http_rule *rule, struct view_hash_policy **hashes,
    struct view_http_route *out)
{
	size_t most = rule->spec->route.count;
	struct service_row *s =
	    find_destination_service(b, d->destination, rule->owner);
	struct view_hash_policy hash;

	if (s == NULL || (most > 1 && d->weight == 0) ||
	    !find_hash(b, s, 0, d->destination, &hash))
		return;
	if (*hashes == NULL) /* few rules have one */
		*hashes = take(b, most, sizeof(**hashes));
	if (*hashes != NULL)
		(*hashes)[out->hash_count++] = hash;
}

static void
compile_destinations(struct builder *b, const struct http_rule *rule,
    uint16_t port, struct view_http_route *out)
{
	const struct http_route *spec = rule->spec;
	struct view_destination *items =
	    take(b, spec->route.count, sizeof(*items));
	struct view_hash_policy *hashes = NULL;

	for (size_t i = 0; !b->full && i < spec->route.count; i++) {
		const struct http_destination *d = &spec->route.items[i];

		compile_destination(
		    b, d->destination, rule->owner, port, &items[i]);
		items[i].weight = (uint32_t)d->weight;
		out->weight_total += items[i].weight;
		compile_own_changes(b, d, rule->owner, &items[i]);
		add_hash(b, d, rule, &hashes, out);
	}
	if (items == NULL)
		return;
	if (spec->route.count == 1)
		take_over_changes(b, &items[0], out);
	out->hashes = hashes;
	out->destinations = items;
	out->destination_count = spec->route.count;
}

/* --- answers of our own --------------------------------------------------- */

/* What cannot be done is no reason to send the request on without it. */
static void
refuse(struct builder *b, const struct http_rule *rule, struct slice why,
    struct view_http_route *out)
{
	struct view_destination *d = take(b, 1, sizeof(*d));
	struct origin o = origin_of(rule->owner, rule->spec->head.line);

	if (d == NULL)
		return;
	d->flag = FLOW_NO_CLUSTER;
	d->missing = why;
	out->destinations = d;
	out->destination_count = 1;
	out->weight_total = 0;
	add_problem(b, &o,
	    "its requests are answered 503, as its action is %.*s",
	    SLICE_ARG(why));
}

static bool
can_redirect(const struct http_redirect *r)
{
	return is_one_word(r->uri) && is_one_word(r->prefix_rewrite) &&
	       is_one_word(r->authority);
}

static void
compile_own_answer(struct builder *b, const struct http_rule *rule,
    const struct view_host *h, struct view_http_route *out)
{
	const struct http_route *spec = rule->spec;

	if (spec->redirect != NULL && !can_redirect(spec->redirect))
		refuse(b, rule,
		    S("a redirect with a byte that no place may have"), out);
	else if (spec->redirect != NULL)
		out->redirect = compile_redirect(b, spec->redirect, h);
	else if (spec->direct_response != NULL)
		out->answer = compile_answer(b, spec->direct_response);
	else
		refuse(b, rule, S("none"), out);
}

/* --- routes --------------------------------------------------------------- */

static void
compile_regex_rewrite(struct builder *b, const struct http_rule *rule,
    struct view_http_route *out)
{
	const struct regex_rewrite *w = rule->spec->rewrite->uri_regex;
	struct slice words = S("");
	struct fault why = {0};

	out->new_uri = w->rewrite;
	out->rewrite_pattern = w->match;
	out->rewrite_regex = find_regex(b, w->match, &words);
	if (out->rewrite_regex != NULL &&
	    regex_check_rewrite(out->rewrite_regex, w->rewrite, &why) != OK)
		words = take_printf(b, "%s", why.text);
	out->rewrite_uri = words.len == 0;
	if (words.len > 0)
		refuse(b, rule,
		    take_printf(b, "a rewrite that cannot be made: %.*s",
			SLICE_ARG(words)),
		    out);
}

/* Of redirects and answers nothing is rewritten. */
static void
compile_rewrite(struct builder *b, const struct http_rule *rule,
    struct view_http_route *out)
{
	const struct http_rewrite *w = rule->spec->rewrite;

	if (w == NULL || rule->spec->route.count == 0)
		return;
	if (!is_one_word(w->uri) || !is_one_word(w->authority) ||
	    (w->uri_regex != NULL && !is_one_word(w->uri_regex->rewrite))) {
		refuse(b, rule,
		    S("a rewrite with a byte that no path may have"), out);
		return;
	}
	out->rewrite_uri = w->uri.len > 0;
	out->new_uri = w->uri;
	if (w->authority.len > 0)
		out->new_authority = w->authority;
	if (w->uri_regex != NULL)
		compile_regex_rewrite(b, rule, out);
}

void
compile_http_rule(struct builder *b, const struct http_rule *rule,
    const struct view_host *h, struct view_http_route *out)
{
	const struct http_route *spec = rule->spec;
	bool hashed;

	out->name = spec->name;
	out->origin = origin_of(rule->owner, spec->head.line);
	out->timeout_us = out->grpc_timeout_us = spec->timeout;
	compile_matches(b, rule, h->port, out);
	compile_changes(b, spec, rule->owner, out);
	if (spec->route.count > 0)
		compile_destinations(b, rule, h->port, out);
	else
		compile_own_answer(b, rule, h, out);
	compile_rewrite(b, rule, out);
	hashed = spec->route.count == 1 && out->hash_count > 0;
	compile_retry(b, spec->retries, hashed, &out->retry);
	compile_mirrors(b, spec, rule->owner, h->port, out);
	out->cors = compile_cors(b, spec->cors_policy);
	out->fault = compile_fault(b, spec->fault);
}

/* Everything goes to the service itself. */
static void
default_route(struct builder *b, struct view_host *h, struct service_row *s,
    const struct port_row *p)
{
	struct view_http_route *r = take(b, 1, sizeof(*r));
	struct view_destination *d = take(b, 1, sizeof(*d));
	struct view_hash_policy hash, *kept;

	if (r == NULL || d == NULL)
		return;
	compile_own(b, s, p, p->port, d);
	r->name = S("default");
	r->destinations = d;
	r->destination_count = 1;
	r->origin = s->row.origin;
	if (find_hash(b, s, p->port, NULL, &hash)) {
		kept = take(b, 1, sizeof(*kept));
		if (kept == NULL)
			return;
		*kept = hash;
		r->hashes = kept;
		r->hash_count = 1;
	}
	compile_retry(b, NULL, /* hashed */ false, &r->retry);
	h->http = r;
	h->http_count = 1;
}

void
inbound_actions(struct builder *b, struct view_http_route *r, bool is_grpc)
{
	r->timeout_us = r->grpc_timeout_us = r->stream_us = 0;
	r->limits_stream = true;
	compile_inbound_retry(b, is_grpc, &r->retry);
}

void
compile_http(struct builder *b, struct host_row *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p)
{
	struct http_rules *rules =
	    owner != NULL ? http_rules_of(b, owner) : NULL;
	struct view_http_route *routes;
	size_t count = rules != NULL ? rules->rows.count : 0;

	if (count == 0) {
		if (s != NULL)
			default_route(b, &h->row, s, p);
		return;
	}
	routes = take(b, count, sizeof(*routes));
	b->owner = owner;
	b->is_quiet = h->is_quiet;
	b->known_by = b->in->proxy == VIEW_SIDECAR ? h->row.port : 0;
	for (size_t i = 0; routes != NULL && i < count; i++) {
		compile_http_rule(b, rules->rows.items[i], &h->row, &routes[i]);
		routes[i].index = i;
	}
	b->owner = NULL;
	b->is_quiet = false;
	b->known_by = 0;
	rows_add(&rules->hosts, h);
	h->owner = owner;
	h->row.has_rules = true;
	h->row.origin = origin_of(owner, 0);
	h->row.http = routes;
	h->row.http_count = routes != NULL ? count : 0;
	index_routes(b, &h->row);
}
