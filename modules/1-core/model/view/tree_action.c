/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_action — what a rule does, as a value, in Envoy's and Istio's words.
 */
#include "retry_words.h"
#include "tree.h"

static struct slice
duration(struct tree *t, uint64_t us)
{
	return us == 0 ? S("0s") : tree_duration(t, us);
}

static void
put_number(struct tree *t, struct value *map, const char *key, double n)
{
	struct value *v;

	if (n == (double)(int64_t)n) {
		tree_put_int(t, map, key, (int64_t)n);
		return;
	}
	v = value_new(t->arena, VALUE_FLOAT);
	t->full = t->full || v == NULL;
	if (v != NULL)
		v->real = n;
	tree_put(t, map, key, v);
}

static void
put_percent(struct tree *t, struct value *map, uint32_t millionths)
{
	put_number(t, map, "percent", millionths / (VIEW_MILLION / 100.0));
}

/* --- headers -------------------------------------------------------------- */

/* As it was written: the sign twice. */
static struct slice
written(struct tree *t, struct slice value)
{
	struct slice rest = value;
	struct slice text = S("");

	if (slice_find(value, '%') == value.len)
		return value;
	while (rest.len > 0) {
		size_t at = slice_find(rest, '%');

		text = tree_printf(t, "%.*s%.*s%s", SLICE_ARG(text),
		    SLICE_ARG(slice_sub(rest, 0, at)),
		    at < rest.len ? "%%" : "");
		rest = slice_sub(rest, at + 1, rest.len);
	}
	return text;
}

static struct value *
change(struct tree *t, const struct view_header *h)
{
	struct value *map = tree_map(t);

	tree_put_text(t, map, "name", h->name);
	tree_put_text(t, map, "op", h->append ? S("append") : S("set"));
	tree_put_text(t, map, "value",
	    h->format != NULL ? h->format->written : written(t, h->value));
	return map;
}

struct value *
tree_headers(struct tree *t, const struct view_headers *h)
{
	struct value *map = tree_map(t);
	struct value *changes = tree_list(t);
	struct value *gone = tree_list(t);

	for (size_t i = 0; i < h->change_count; i++)
		tree_add(t, changes, change(t, &h->changes[i]));
	for (size_t i = 0; i < h->remove_count; i++)
		tree_add_text(t, gone, h->remove[i]);
	tree_put(t, map, "add", changes);
	tree_put(t, map, "remove", gone);
	return map;
}

static void
put_headers(struct tree *t, struct value *map,
    const struct view_headers *request, const struct view_headers *response)
{
	tree_put(t, map, "requestHeaders", tree_headers(t, request));
	tree_put(t, map, "responseHeaders", tree_headers(t, response));
}

/* --- answers -------------------------------------------------------------- */

static struct value *
redirect(struct tree *t, const struct view_redirect *r)
{
	struct value *map = tree_map(t);

	tree_put_int(t, map, "code", r->code);
	tree_put_text(t, map, "scheme", r->scheme);
	tree_put_text(t, map, "host", r->host);
	if (r->port != 0)
		tree_put_int(t, map, "port", r->port);
	tree_put_text(t, map, "path", r->path);
	tree_put_text(t, map, "prefixRewrite", r->prefix);
	return map;
}

static struct value *
answer(struct tree *t, const struct view_answer *a)
{
	struct value *map = tree_map(t);

	tree_put_int(t, map, "status", a->status);
	if (a->encoded.len > 0)
		tree_put_text(t, map, "bodyBytes", a->encoded);
	else
		tree_put_text(t, map, "body", a->body);
	return map;
}

/* --- destinations --------------------------------------------------------- */

static struct value *
weighted(struct tree *t, const struct view_destination *items, size_t count,
    uint32_t weight_total)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++) {
		const struct view_destination *d = &items[i];
		struct value *map;

		if (weight_total > 0 && d->weight == 0)
			continue;
		map = tree_map(t);
		tree_put_text(t, map, "cluster", d->name);
		tree_put_int(t, map, "weight", d->weight);
		tree_put_text(t, map, "hostRewrite", d->new_authority);
		put_headers(t, map, &d->request, &d->response);
		tree_add(t, list, map);
	}
	return list;
}

static void
put_clusters(struct tree *t, struct value *map,
    const struct view_destination *items, size_t count, uint32_t weight_total)
{
	if (count == 1)
		tree_put_text(t, map, "cluster", items[0].name);
	else
		tree_put(t, map, "weightedClusters",
		    weighted(t, items, count, weight_total));
}

static struct value *
mirrors(struct tree *t, const struct view_http_route *r)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < r->mirror_count; i++) {
		struct value *map = tree_map(t);

		tree_put_text(t, map, "cluster", r->mirrors[i].to.name);
		put_percent(t, map, r->mirrors[i].millionths);
		tree_add(t, list, map);
	}
	return list;
}

static struct value *
attributes(struct tree *t, const struct view_hash_policy *h)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < h->attribute_count; i++) {
		struct value *map = tree_map(t);

		tree_put_text(t, map, "name", h->attributes[i].key);
		tree_put_text(t, map, "value", h->attributes[i].value);
		tree_add(t, list, map);
	}
	return list;
}

static struct value *
hash(struct tree *t, const struct view_hash_policy *h)
{
	struct value *map = tree_map(t);

	switch (h->key) {
	case VIEW_HASH_BY_HEADER:
		tree_put_text(t, map, "header", h->name);
		break;
	case VIEW_HASH_BY_COOKIE:
		tree_put_text(t, map, "cookie", h->name);
		if (h->has_ttl)
			tree_put_text(t, map, "ttl", duration(t, h->ttl_us));
		tree_put_text(t, map, "path", h->path);
		tree_put(t, map, "attributes", attributes(t, h));
		break;
	case VIEW_HASH_BY_SOURCE:
		tree_put_bool(t, map, "sourceIp", true);
		break;
	case VIEW_HASH_BY_PARAMETER:
		tree_put_text(t, map, "queryParameter", h->name);
		break;
	}
	return map;
}

static struct value *
hashes(struct tree *t, const struct view_hash_policy *items, size_t count)
{
	struct value *list = tree_list(t);

	for (size_t i = 0; i < count; i++)
		tree_add(t, list, hash(t, &items[i]));
	return list;
}

/* --- retries -------------------------------------------------------------- */

static struct value *
retry(struct tree *t, const struct view_retry *r)
{
	struct value *map = tree_map(t);
	struct value *statuses = tree_list(t);
	struct value *predicates = tree_list(t);

	if (r->attempts == 0)
		return map;
	tree_put_int(t, map, "numRetries", r->attempts);
	tree_put_text(t, map, "retryOn", r->words);
	for (size_t i = 0; i < r->status_count; i++)
		tree_add(t, statuses, value_new_int(t->arena, r->statuses[i]));
	tree_put(t, map, "statusCodes", statuses);
	tree_put_text(
	    t, map, "perTryTimeout", tree_duration(t, r->per_try_timeout_us));
	tree_put_text(t, map, "backoffBase", tree_duration(t, r->backoff_us));
	tree_put_int(t, map, "hostSelectionAttempts", r->choices);
	if (r->avoid_tried)
		tree_add_text(t, predicates,
		    S("envoy.retry_host_predicates.previous_hosts"));
	tree_put(t, map, "hostPredicates", predicates);
	if (r->avoid_priorities)
		tree_put_text(t, map, "priority",
		    S("envoy.retry_priorities.previous_priorities"));
	return map;
}

/* --- beside them ---------------------------------------------------------- */

static struct value *
cors(struct tree *t, const struct view_cors *c)
{
	static const char *const tests[] = {[VIEW_EXACT] = "exact",
	    [VIEW_PREFIX] = "prefix",
	    [VIEW_REGEX] = "regex",
	    [VIEW_PRESENT] = ""};
	struct value *map = tree_map(t);
	struct value *origins = tree_list(t);

	for (size_t i = 0; i < c->origin_count; i++)
		tree_add_text(t, origins,
		    tree_printf(t, "%s:%.*s", tests[c->origins[i].test],
			SLICE_ARG(c->origins[i].value)));
	tree_put(t, map, "origins", origins);
	tree_put_text(t, map, "methods", c->methods);
	tree_put_text(t, map, "headers", c->headers);
	tree_put_text(t, map, "expose", c->expose);
	tree_put_text(t, map, "maxAge", c->max_age);
	if (c->says_credentials)
		tree_put_bool(t, map, "credentials", c->credentials);
	tree_put_bool(
	    t, map, "forwardUnmatchedPreflights", c->forwards_unmatched);
	return map;
}

static struct value *
delay(struct tree *t, const struct view_fault *f)
{
	struct value *map = tree_map(t);

	if (f->delay_us == 0)
		return map;
	tree_put_text(t, map, "fixed", tree_duration(t, f->delay_us));
	put_percent(t, map, f->delay_millionths);
	return map;
}

static struct value *
abort_of(struct tree *t, const struct view_fault *f)
{
	struct value *map = tree_map(t);

	if (f->abort_status != 0)
		tree_put_int(t, map, "http", f->abort_status);
	else if (f->aborts_grpc)
		tree_put_int(t, map, "grpc", f->grpc_status);
	else
		return map;
	if (f->says_abort_share)
		put_percent(t, map, f->abort_millionths);
	return map;
}

static struct value *
fault(struct tree *t, const struct view_fault *f)
{
	struct value *map = tree_map(t);

	tree_put(t, map, "delay", delay(t, f));
	tree_put(t, map, "abort", abort_of(t, f));
	return map;
}

/* --- the whole ------------------------------------------------------------ */

static void
put_rewrite(struct tree *t, struct value *map, const struct view_http_route *r)
{
	struct value *regex = tree_map(t);

	if (r->rewrite_pattern.len > 0) {
		tree_put_text(t, regex, "regex", r->rewrite_pattern);
		tree_put_text(t, regex, "substitution", r->new_uri);
		tree_put(t, map, "regexRewrite", regex);
	} else if (r->rewrite_uri) {
		tree_put_text(t, map, "prefixRewrite", r->new_uri);
	}
	tree_put_text(t, map, "hostRewrite", r->new_authority);
}

static void
put_sending(struct tree *t, struct value *map, const struct view_http_route *r)
{
	put_clusters(
	    t, map, r->destinations, r->destination_count, r->weight_total);
	put_rewrite(t, map, r);
	tree_put_text(t, map, "timeout", duration(t, r->timeout_us));
	if (r->limits_stream) {
		tree_put_text(
		    t, map, "maxStreamDuration", duration(t, r->stream_us));
		tree_put_text(t, map, "grpcTimeoutHeaderMax",
		    duration(t, r->grpc_timeout_us));
	}
	tree_put(t, map, "retry", retry(t, &r->retry));
	tree_put(t, map, "hashPolicy", hashes(t, r->hashes, r->hash_count));
	tree_put(t, map, "mirrors", mirrors(t, r));
}

struct value *
tree_http_action(struct tree *t, const struct view_http_route *r)
{
	struct value *map = tree_map(t);

	if (r->redirect != NULL)
		tree_put(t, map, "redirect", redirect(t, r->redirect));
	else if (r->answer != NULL)
		tree_put(t, map, "directResponse", answer(t, r->answer));
	else
		put_sending(t, map, r);
	put_headers(t, map, &r->request, &r->response);
	if (r->cors != NULL)
		tree_put(t, map, "cors", cors(t, r->cors));
	if (r->fault != NULL)
		tree_put(t, map, "fault", fault(t, r->fault));
	return map;
}

static void
add_inert(struct tree *t, struct value *list, const struct view_headers *h)
{
	for (size_t i = 0; i < h->change_count; i++) {
		const struct view_header *to = &h->changes[i];

		if (to->format != NULL && to->format->is_inert)
			tree_add_text(t, list,
			    tree_printf(t, "header %.*s: %.*s",
				SLICE_ARG(to->name),
				SLICE_ARG(to->format->written)));
	}
}

struct value *
tree_http_inert(struct tree *t, const struct view_http_route *r)
{
	struct value *list = tree_list(t);

	add_inert(t, list, &r->request);
	add_inert(t, list, &r->response);
	for (size_t i = 0; i < r->destination_count; i++) {
		add_inert(t, list, &r->destinations[i].request);
		add_inert(t, list, &r->destinations[i].response);
	}
	return list;
}

struct value *
tree_tcp_action(struct tree *t, const struct view_tcp_route *r)
{
	static const struct view_hash_policy by_source = {
	    .key = VIEW_HASH_BY_SOURCE};
	struct value *map = tree_map(t);

	put_clusters(
	    t, map, r->destinations, r->destination_count, r->weight_total);
	tree_put(t, map, "hashPolicy",
	    hashes(t, &by_source, r->hashes_source ? 1 : 0));
	return map;
}
