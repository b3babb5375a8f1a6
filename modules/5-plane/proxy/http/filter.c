/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter — the filters that every request goes through: what it is, and where
 * it goes.
 */
#include "http/filter.h"

#include "http/by_rule.h"
#include "http/upgrade.h"
#include "upstream/outside.h"

enum { UUID_LEN = 36 };

/* --- hygiene ---------------------------------------------------------------
 */

/* UUID version 4 (RFC 9562 §5.4); not a secret, so chance is enough. */
static void
make_uuid(struct rng *rng, char out[UUID_LEN])
{
	static const char hex[] = "0123456789abcdef";
	/* Where the digits of each byte begin, between the dashes. */
	static const uint8_t places[] = {
	    0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
	uint64_t words[] = {rng_u64(rng), rng_u64(rng)};
	uint8_t bytes[sizeof(words)];

	memcpy(bytes, words, sizeof(bytes));
	bytes[6] = 0x40 | (bytes[6] & 0x0f);
	bytes[8] = 0x80 | (bytes[8] & 0x3f); /* the variant's two bits */
	memset(out, '-', UUID_LEN);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		out[places[i]] = hex[bytes[i] >> 4];
		out[places[i] + 1] = hex[bytes[i] & 15];
	}
}

static enum err
add_request_id(struct request *r)
{
	char text[UUID_LEN];
	struct slice kept;
	enum err e;

	if (http_head_has(r->head, HTTP_X_REQUEST_ID))
		return OK;
	make_uuid(&r->worker->rng, text);
	e = arena_copy(r->head->arena, slice_of(text, UUID_LEN), &kept);
	if (e != OK)
		return e;
	return http_head_set_id(r->head, HTTP_X_REQUEST_ID, kept);
}

/* By which it is found, whatever becomes of it. */
static enum err
name_request(struct request *r)
{
	enum err e = add_request_id(r);

	if (e == OK)
		(void)http_head_get_id(
		    r->head, HTTP_X_REQUEST_ID, &r->record.request_id);
	return e;
}

/* False: it was answered. Before anybody asks for the path. */
static bool
normalize_path(struct request *r)
{
	struct slice path;
	enum err e = view_normalize_path(
	    r->snapshot->view, r->head->path, &r->arena, &path);

	if (e == OK)
		r->head->path = path;
	else if (e == ERR_INVALID)
		request_answer(r, 400, FLOW_DOWNSTREAM_PROTOCOL,
		    S("the path has an escaped zero, which no path may have"));
	else
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
		    S("the path is too long once its bytes are escaped"));
	return e == OK;
}

/* With these a client could steer Envoy; it is no business of a client's, and
 * Envoy takes them out as well, behind "x-envoy-". */
static bool
is_steering(struct slice name)
{
	static const struct slice names[] = {{"expected-rq-timeout-ms", 22},
	    {"force-trace", 11}, {"hedge-on-per-try-timeout", 24},
	    {"internal", 8}, {"ip-tags", 7}, {"max-retries", 11},
	    {"original-url", 12}, {"retriable-header-names", 22},
	    {"retriable-status-codes", 22}, {"retry-grpc-on", 13},
	    {"retry-on", 8}, {"upstream-alt-stat-name", 22},
	    {"upstream-rq-per-try-timeout-ms", 30},
	    {"upstream-rq-timeout-alt-response", 32},
	    {"upstream-rq-timeout-ms", 22},
	    {"upstream-stream-duration-ms", 27}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return false;
}

static void
strip_steering(struct http_head *h)
{
	const struct slice prefix = S("x-envoy-");
	size_t i = 0;

	while (i < h->count) {
		struct slice name = h->fields[i].name;

		if (slice_eq_nocase(slice_sub(name, 0, prefix.len), prefix) &&
		    is_steering(slice_sub(name, prefix.len, name.len)))
			(void)http_head_remove(h, name); /* all of them */
		else
			i++;
	}
}

static enum filter_verdict
hygiene_request(struct request *r)
{
	struct http_head *h = r->head;

	if (!normalize_path(r))
		return FILTER_ANSWERED;
	http_head_strip_hops(h);
	strip_steering(h);
	/* Behind a switch nobody looks: HTTP has to stay what we can read. */
	if (http_list_has(h->upgrade, S("h2c")))
		h->upgrade = SLICE_NONE;
	if (name_request(r) != OK || upgrade_ask(r) != OK ||
	    (!http_head_has(h, HTTP_X_FORWARDED_PROTO) &&
		http_head_set_id(h, HTTP_X_FORWARDED_PROTO, S("http")) != OK)) {
		request_answer(r, 431, FLOW_DOWNSTREAM_PROTOCOL,
		    S("no room for the fields that a request needs here"));
		return FILTER_ANSWERED;
	}
	return FILTER_GO_ON;
}

static enum filter_verdict
hygiene_response(struct request *r, struct http_head *h)
{
	(void)r; /* nothing of the request matters */
	http_head_strip_hops(h);
	return FILTER_GO_ON;
}

const struct filter filter_hygiene = {.name = "hygiene",
    .on_request = hygiene_request,
    .on_response = hygiene_response};

/* --- route ------------------------------------------------------------------
 */

static bool
get_header(void *arg, struct slice name, struct slice *out)
{
	const struct request *r = arg;
	size_t cursor = 0;

	if (http_head_next(r->head, name, &cursor) == NULL)
		return http_head_get(r->head, name, out);
	*out = http_head_join(r->head, name);
	return true;
}

static enum filter_verdict
no_route(struct request *r, struct slice detail)
{
	request_answer(r, 404, FLOW_NO_ROUTE, detail);
	return FILTER_ANSWERED;
}

static enum filter_verdict
find_host(struct request *r)
{
	const struct view_chain *c = r->way.chain;
	const struct view *v = r->snapshot->view;
	const struct slice authority = r->head->authority;

	if (r->way.may_come) {
		request_answer(r, 503, FLOW_NO_CLUSTER, r->way.why_not);
		return FILTER_ANSWERED;
	}
	if (r->way.host == NULL && (c == NULL || c->routes == NULL))
		return no_route(r, S("this listener is no longer configured"));
	r->virtual_host = r->way.host != NULL
			      ? r->way.host
			      : view_find_domain(v, c->routes, authority);
	if (r->virtual_host == NULL)
		return no_route(
		    r, arena_printf(&r->arena,
			   "no virtual host has the authority \"%.*s\"",
			   SLICE_ARG(authority)));
	r->record.destination.service = r->virtual_host->host;
	if (!r->virtual_host->needs_tls)
		return FILTER_GO_ON;
	by_rule_to_https(r);
	return FILTER_ANSWERED;
}

static bool
choose_route(struct request *r)
{
	const struct view_host *host = r->virtual_host;
	struct http_attrs attrs = {
	    .method = r->head->method,
	    .scheme = S("http"),
	    .authority = r->head->authority,
	    .path = r->head->path,
	    .port = host->port != 0 ? host->port : r->client->local.port,
	    .header = get_header,
	    .arg = r,
	};

	r->choice = view_route_http(host, &attrs, NULL);
	return r->choice.route != NULL;
}

static void
name_parties(struct request *r)
{
	struct flow_record *f = &r->record;
	const struct view_destination *d = r->destination;

	f->route = view_choice_name(&r->choice);
	f->origin = &r->choice.route->origin;
	if (d != NULL && d->cluster != NULL)
		worker_name_destination(f, d->cluster);
	else if (d != NULL && r->outside != NULL)
		f->cluster = d->name;
}

/* Who takes it is decided once, whatever is done before it gets there. */
static enum filter_verdict
route_request(struct request *r)
{
	const struct view_http_route *route;
	enum filter_verdict v = find_host(r);

	if (v != FILTER_GO_ON)
		return v;
	if (!choose_route(r))
		return no_route(r, SLICE_NONE);
	route = r->choice.route;
	if (route->redirect == NULL && route->answer == NULL)
		r->destination =
		    view_choose(route->destinations, route->destination_count,
			route->weight_total, rng_u64(&r->worker->rng));
	name_parties(r);
	return FILTER_GO_ON;
}

const struct filter filter_route = {
    .name = "route", .on_request = route_request};

/* --- target -----------------------------------------------------------------
 */

/* False: there is no room. */
static bool
lead_on(struct request *r)
{
	const struct addr *called = &r->client->local;

	r->leads_on = true;
	if (r->bound != NULL && bound_has_at(r->bound, called))
		return true;
	r->outside = arena_alloc(&r->arena, sizeof(*r->outside));
	if (r->outside == NULL)
		return false;
	outside_be(r->outside, r->worker, called);
	return true;
}

static enum filter_verdict
target_request(struct request *r)
{
	const struct view_http_route *route = r->choice.route;
	const struct view_destination *d = r->destination;

	if (d != NULL && d->cluster != NULL)
		r->bound = snapshot_bind(r->snapshot, d->cluster);
	if (d != NULL && listener_leads_on(r->client->listener, d)) {
		if (lead_on(r))
			return FILTER_GO_ON;
		request_answer(r, 503, FLOW_OVERFLOW, SLICE_NONE);
		return FILTER_ANSWERED;
	}
	if (r->bound != NULL)
		return FILTER_GO_ON;
	if (d != NULL && d->passes && r->outside != NULL)
		return FILTER_GO_ON;
	if (d != NULL)
		request_answer(r, 503, d->flag, d->missing);
	else if (route->answer != NULL && route->answer->refusal.len > 0)
		request_answer(r, route->answer->status, FLOW_NO_CLUSTER,
		    route->answer->refusal);
	else
		by_rule_answer(r);
	return FILTER_ANSWERED;
}

const struct filter filter_target = {
    .name = "target", .on_request = target_request};
