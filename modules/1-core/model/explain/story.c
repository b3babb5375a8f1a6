/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story — an explanation while it is told.
 */
#include "story.h"
#include "chains.h"

/* --- the request ---------------------------------------------------------- */

static bool
header_of(void *arg, struct slice name, struct slice *out)
{
	const struct explain_request *r = arg;

	for (size_t i = 0; i < r->header_count; i++)
		if (slice_eq_nocase(r->headers[i].key, name)) {
			*out = r->headers[i].value;
			return true;
		}
	return slice_eq(name, S("host")) ? (*out = r->authority).len > 0
					 : false;
}

struct http_attrs
story_attrs(const struct story *s, const struct view_host *h)
{
	const struct explain_request *r = s->ask;
	bool tls = h != NULL && h->ends_tls;

	return (struct http_attrs){
	    .method = story_or(r->method, S("GET")),
	    .scheme = story_or(r->scheme, tls ? S("https") : S("http")),
	    .authority = story_or(r->authority, r->host),
	    .path = story_or(r->path, S("/")),
	    .port = h != NULL && h->port != 0 ? h->port : s->port,
	    .header = header_of,
	    .arg = (void *)(uintptr_t)r,
	};
}

static void
put_request(struct story *s, const struct http_attrs *a)
{
	const struct labels headers = {s->ask->headers, s->ask->header_count};
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "method", a->method);
	tree_put_text(&s->t, map, "scheme", a->scheme);
	tree_put_text(&s->t, map, "authority", a->authority);
	tree_put_text(&s->t, map, "path", a->path);
	tree_put(&s->t, map, "headers", tree_labels(&s->t, &headers));
	tree_put(&s->t, s->root, "request", map);
}

void
story_error(struct story *s, const char *name)
{
	tree_put_text(&s->t, s->root, "error", slice_str(name));
}

/* --- the end of it -------------------------------------------------------- */

void
story_outcome(
    struct story *s, unsigned status, enum flow_flag flag, struct slice reason)
{
	struct value *map = tree_map(&s->t);

	tree_put_int(&s->t, map, "status", status);
	tree_put_text(&s->t, map, "flag", slice_str(flow_flag_letters(flag)));
	tree_put_text(&s->t, map, "reason",
	    story_or(reason, slice_str(flow_flag_words(flag))));
	tree_put(&s->t, s->root, "outcome", map);
}

static struct value *
destination(struct story *s, const struct view_destination *d, uint32_t total)
{
	struct value *map = tree_destination(&s->t, d, total);
	const struct view_cluster *c;

	if (d->cluster == NULL)
		return map;
	c = view_cluster_now(s->v, d->cluster);
	story_meet(s, &c->origin);
	story_meet(s, &c->service->origin);
	tree_put_cluster(&s->t, map, c);
	if (view_translates_grpc_web(s->chain, s->host, c))
		tree_put_bool(&s->t, map, "grpcWeb", true);
	if (!s->ask->offline || c->endpoint_count > 0)
		tree_put(&s->t, map, "endpoints", tree_endpoints(&s->t, c));
	if (!s->ask->offline)
		tree_put_int(&s->t, map, "usable", (int64_t)c->usable_count);
	return map;
}

/* Files do not tell: then it is; so is the program, as far as the mesh knows.
 */
static bool
is_served(const struct story *s, const struct view_cluster *c)
{
	c = view_cluster_now(s->v, c);
	return s->ask->offline || s->is_inbound || c->usable_count > 0 ||
	       c->awaited_count > 0;
}

/* Where it goes, if nothing is missing. */
static struct slice
served_words(const struct story *s, const struct view_cluster *c)
{
	c = view_cluster_now(s->v, c);
	if (s->is_inbound)
		return S("goes to the program beside the proxy");
	if (c->usable_count == 0 && c->awaited_count > 0)
		return S("goes where the name of the endpoint leads, as soon "
			 "as the proxy knows that");
	if (!s->ask->offline)
		return S("goes to a living endpoint");
	if (c->usable_count > 0)
		return S("goes to an endpoint that the files name; whether it "
			 "lives, files do not tell");
	return S("goes to the destination; files do not tell whether anybody "
		 "serves it");
}

/* Nobody takes any of it. Bytes are not answered. */
static void
tell_unserved(struct story *s, enum flow_flag flag, struct slice reason)
{
	if (s->is_bytes)
		story_outcome(s, 0, flag,
		    tree_printf(&s->t, "the connection is closed: %.*s",
			SLICE_ARG(reason)));
	else
		story_outcome(s, 503, flag, reason);
}

static struct slice
why_unserved(const struct story *s, const struct view_destination *d)
{
	return d->cluster == NULL
		   ? d->missing
		   : view_cluster_why_none(view_cluster_now(s->v, d->cluster));
}

/* Told of one destination; with several, only of what all have in common. */
static void
judge(struct story *s, const struct view_destination *items, size_t count,
    uint32_t total)
{
	const struct view_cluster *good = NULL;
	enum flow_flag flag = FLOW_OK;
	struct slice reason = S("");
	bool bad = false;

	for (size_t i = 0; i < count; i++) {
		const struct view_destination *d = &items[i];
		bool taken = count == 1 || total == 0 ? i == 0 : d->weight > 0;

		if (!taken)
			continue;
		if (d->passes) {
			story_outcome(s, 0, FLOW_OK,
			    S("goes where its caller meant it to, outside of "
			      "the mesh"));
			return;
		}
		if (d->cluster != NULL && is_served(s, d->cluster)) {
			good = d->cluster;
			continue;
		}
		bad = true;
		flag = d->cluster != NULL ? FLOW_NO_ENDPOINT : d->flag;
		reason = story_or(
		    why_unserved(s, d), slice_str(flow_flag_words(flag)));
	}
	if (!bad && good != NULL)
		story_outcome(s, 0, FLOW_OK, served_words(s, good));
	else if (good == NULL)
		tell_unserved(s, flag, reason);
	else
		story_outcome(s, 0, flag,
		    tree_printf(&s->t, "some of it is %s: %.*s",
			s->is_bytes ? "closed" : "answered 503",
			SLICE_ARG(reason)));
}

static void
put_destinations(struct story *s, const struct view_destination *items,
    size_t count, uint32_t total)
{
	struct value *list = tree_list(&s->t);

	if (count == 1)
		tree_put_text(&s->t, s->root, "clusterMatched", items[0].name);
	for (size_t i = 0; i < count; i++)
		tree_add(&s->t, list, destination(s, &items[i], total));
	tree_put(&s->t, s->root, "destinations", list);
	story_clusters(s, items, count);
}

/* --- rules ---------------------------------------------------------------- */

/* Of a rule for connections. */
static struct slice
why_not_tcp(struct story *s, const struct view_step *step)
{
	const struct view_tcp_route *r = step->tcp;
	const struct view_chain_match m = {.cidrs = r->cidrs,
	    .cidr_count = r->cidr_count,
	    .snis = r->snis,
	    .sni_count = r->sni_count};
	enum view_misfit misfit =
	    view_tcp_misfit(r, step->host->port, &s->seen);

	if (misfit == VIEW_FITS)
		return S("another one fits better");
	if (misfit == VIEW_OTHER_PORT)
		return story_or(r->never, S("another port was called"));
	return tree_printf(&s->t, "not so: %.*s",
	    SLICE_ARG(chains_misfit(&s->t, misfit, &m, &s->seen)));
}

static struct slice
why_not(struct story *s, const struct view_step *step)
{
	struct slice wanted;

	if (step->matched)
		return S("");
	if (step->tcp != NULL)
		return why_not_tcp(s, step);
	if (step->failed->subject == VIEW_NEVER)
		return step->failed->value;
	wanted = tree_condition(&s->t, step->failed);
	if (step->has_actual)
		return tree_printf(&s->t, "not so: %.*s; it is \"%.*s\"",
		    SLICE_ARG(wanted),
		    SLICE_ARG(slice_sub(step->actual, 0, 200)));
	return tree_printf(&s->t, "not so: %.*s%s", SLICE_ARG(wanted),
	    step->failed->subject == VIEW_ON_HEADER ||
		    step->failed->subject == VIEW_ON_PARAMETER
		? "; the request has none"
		: "");
}

void
story_on_step(void *arg, const struct view_step *step)
{
	struct story *s = arg;
	struct value *map = tree_map(&s->t);
	size_t rule = step->route ? step->route->index : step->tcp->index;
	const struct origin *o =
	    step->route ? &step->route->origin : &step->tcp->origin;
	struct origin at = *o;

	story_meet(s, o);
	if (step->match != NULL && step->match->line > 0 && at.line > 0)
		at.line = step->match->line;
	tree_put_int(&s->t, map, "rule", (int64_t)rule);
	if (step->route != NULL)
		tree_put_text(&s->t, map, "name", step->route->name);
	if (step->route != NULL && step->match != NULL) {
		tree_put_int(
		    &s->t, map, "match", step->match - step->route->matches);
		tree_put_text(&s->t, map, "matchName", step->match->name);
	}
	tree_put_text(&s->t, map, "origin", tree_origin(&s->t, &at));
	tree_put_bool(&s->t, map, "matched", step->matched);
	tree_put_text(&s->t, map, "why", why_not(s, step));
	tree_add(&s->t, s->rules, map);
}

static void
put_route(struct story *s, const struct view_http_choice *c,
    const struct http_attrs *a)
{
	const struct view_http_route *r = c->route;
	struct slice path = a->path;

	tree_put_text(&s->t, s->root, "routeMatched", view_choice_name(c));
	tree_put_text(&s->t, s->root, "origin", tree_origin(&s->t, &r->origin));
	if (r->rewrite_uri &&
	    view_rewrite_path(c, a->path, s->t.arena, &path) != OK)
		s->t.full = true;
	if (r->rewrite_uri)
		tree_put_text(&s->t, s->root, "rewrittenPath", path);
	if (r->redirect != NULL &&
	    view_redirect_location(c, a, s->t.arena, &path) != OK)
		s->t.full = true;
	if (r->redirect != NULL)
		tree_put_text(&s->t, s->root, "location", path);
}

/* A fault that hits every request comes before any of its answers. */
static bool
is_refused(struct story *s, const struct view_fault *f)
{
	if (f == NULL || f->abort_millionths < VIEW_MILLION ||
	    (f->abort_status == 0 && !f->aborts_grpc))
		return false;
	story_outcome(s, f->abort_status != 0 ? f->abort_status : 200,
	    FLOW_FAULT,
	    f->abort_status != 0
		? S("the rule refuses every request on purpose")
		: tree_printf(&s->t,
		      "the rule refuses every request on purpose, with status "
		      "%u of gRPC",
		      (unsigned)f->grpc_status));
	return true;
}

static void
judge_route(struct story *s, const struct view_http_route *r)
{
	if (is_refused(s, r->fault))
		return;
	if (r->redirect != NULL)
		story_outcome(s, r->redirect->code, FLOW_OK,
		    S("the rule answers: another place"));
	else if (r->answer != NULL && r->answer->refusal.len > 0)
		story_outcome(
		    s, r->answer->status, FLOW_NO_CLUSTER, r->answer->refusal);
	else if (r->answer != NULL)
		story_outcome(
		    s, r->answer->status, FLOW_OK, S("the rule answers"));
	else
		judge(
		    s, r->destinations, r->destination_count, r->weight_total);
}

void
story_http(struct story *s, const struct view_host *h)
{
	struct view_trace trace = {story_on_step, s};
	struct http_attrs a = story_attrs(s, h);
	struct view_http_choice c;
	enum err e = view_normalize_path(s->v, a.path, s->t.arena, &a.path);

	s->host = h;
	story_meet(s, &h->origin);
	tree_put_text(&s->t, s->root, "virtualHostMatched", h->name);
	put_request(s, &a);
	s->t.full = s->t.full || e == ERR_LIMIT;
	if (e == ERR_INVALID) {
		story_outcome(s, 400, FLOW_DOWNSTREAM_PROTOCOL,
		    S("the path has an escaped zero, which no path may have"));
		return;
	}
	c = view_route_http(h, &a, &trace);
	tree_put(&s->t, s->root, "rules", s->rules);
	if (c.route == NULL) {
		story_error(s, "ErrNoRoute");
		story_outcome(s, 404, FLOW_NO_ROUTE, S(""));
		return;
	}
	put_route(s, &c, &a);
	tree_put(&s->t, s->root, "action", tree_http_action(&s->t, c.route));
	tree_put(&s->t, s->root, "notInForce", tree_http_inert(&s->t, c.route));
	if (c.route->redirect == NULL && c.route->answer == NULL)
		put_destinations(s, c.route->destinations,
		    c.route->destination_count, c.route->weight_total);
	judge_route(s, c.route);
}

void
story_tcp(struct story *s, const struct view_tcp_route *r)
{
	if (r == NULL) {
		story_outcome(s, 0, FLOW_NO_ROUTE, S(""));
		return;
	}
	s->is_bytes = true;
	story_meet(s, &r->origin);
	tree_put_text(&s->t, s->root, "origin", tree_origin(&s->t, &r->origin));
	tree_put(&s->t, s->root, "action", tree_tcp_action(&s->t, r));
	put_destinations(
	    s, r->destinations, r->destination_count, r->weight_total);
	if (s->is_refused)
		tell_unserved(s, FLOW_DOWNSTREAM_PROTOCOL, view_only_requests);
	else
		judge(
		    s, r->destinations, r->destination_count, r->weight_total);
}

void
story_caller(struct story *s, const struct view_scope *of)
{
	struct value *map = tree_map(&s->t);

	tree_put_text(&s->t, map, "namespace", of->ns);
	tree_put(&s->t, map, "labels", tree_labels(&s->t, &of->labels));
	tree_put(&s->t, s->root, "caller", map);
}

void
story_init(struct story *s, const struct view *v,
    const struct explain_request *ask, struct arena *arena)
{
	*s = (struct story){.t = {.arena = arena}, .v = v, .ask = ask};
	s->port = ask->port;
	s->seen.sni = ask->sni;
	s->seen.tls = ask->sni.len > 0;
	s->root = tree_map(&s->t);
	s->rules = tree_list(&s->t);
}
