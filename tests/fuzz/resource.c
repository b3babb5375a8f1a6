/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource — a file of configuration, from its text to one proxy's view.
 *
 * What is accepted is written and read again, and says the same. The view of
 * all that was accepted finds each of its hosts, and the order of resources
 * makes no difference to it. A refusal has words, and no resource.
 */
#include "codec/codec.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE_MAX_TRIED = 4096, RESOURCES_MAX = 16, ARENA_MAX = 64 << 20 };

static const struct resource_source stored = {
    .parse_json = codec_json_parse, .file = "fuzz.yaml", .created_ms = 1};

/* --- one resource --------------------------------------------------------- */

static void
write_down(const struct resource *r, struct arena *a, struct buf *out)
{
	const struct value *v = resource_encode(r, RESOURCE_WITH_STATE, a);

	CHECK(v != NULL);
	CHECK(codec_json_emit(v, out) == OK);
}

static void
read_again(const struct resource *r)
{
	AUTO(arena_fini) struct arena a;
	AUTO(buf_fini) struct buf first = BUF(LIMIT_DOC_BYTES);
	AUTO(buf_fini) struct buf second = BUF(LIMIT_DOC_BYTES);
	AUTO(resource_unref) struct resource *again = NULL;
	struct findings found = {0};
	const struct value *doc;

	arena_init(&a, ARENA_MAX);
	write_down(r, &a, &first);
	CHECK(codec_json_parse(buf_slice(&first), &a, &doc, NULL) == OK);
	CHECK(resource_decode(doc, &stored, &again, &found) == OK);
	CHECK(again != NULL && resource_key_eq(&r->key, &again->key));
	write_down(again, &a, &second);
	CHECK(slice_eq(buf_slice(&first), buf_slice(&second)));
	findings_fini(&found);
}

/* The resource, or NULL for what is refused or skipped. */
static struct resource *
decode(const struct value *doc, const char *place)
{
	struct resource_source source = stored;
	struct findings found = {0};
	struct resource_key key;
	struct resource *r = NULL;
	struct fault why = {0};
	enum err e;

	source.place = place;
	e = resource_decode(doc, &source, &r, &found);
	CHECK((e == OK) == (found.errors.count == 0));
	CHECK(e == OK || r == NULL);
	for (size_t i = 0; i < found.errors.count; i++)
		CHECK(found.errors.items[i].text[0] != '\0');
	if (resource_key_read(doc, S("default"), &key, &why) == OK)
		CHECK(r == NULL || resource_key_eq(&key, &r->key));
	else
		CHECK(why.text[0] != '\0' && r == NULL);
	findings_fini(&found);
	return r;
}

/* --- a view of them ------------------------------------------------------- */

static struct view *
compile(const struct resource *const *resources, size_t count,
    enum view_proxy proxy)
{
	struct view_port_input port = {80, S("http"), S("http")};
	struct view_service_input service = {
	    .name = S("web"), .ns = S("default"), &port, 1, S("a record")};
	struct label version = {S("version"), S("v1")};
	struct view_endpoint_input endpoint = {.service = S("web"),
	    .service_ns = S("default"),
	    .service_port = 80,
	    .addr = {ADDR_V4, {10, 0, 0, 7}, 8080},
	    .network = S("default"),
	    .node = S("n"),
	    .workload = S("w"),
	    .ns = S("default"),
	    .account = S("web"),
	    .labels = {&version, 1},
	    .weight = 1};
	struct view_upstream_input upstream = {.name = S("web"),
	    .host = S("web"),
	    .listen = {ADDR_V4, {127, 0, 0, 1}, 9000},
	    .ns = S("default")};
	struct view_input in = {.proxy = proxy,
	    .resources = resources,
	    .resource_count = count,
	    .services = &service,
	    .service_count = 1,
	    .endpoints = &endpoint,
	    .endpoint_count = 1,
	    .upstreams = &upstream,
	    .upstream_count = 1};
	struct view *v = NULL;

	CHECK(view_compile(&in, &v, NULL) == OK);
	return v;
}

static bool
header(void *arg, struct slice name, struct slice *out_value)
{
	(void)arg;
	*out_value = name;
	return name.len % 2 == 0;
}

static void
ignore(void *arg, const struct view_step *step)
{
	(void)arg;
	(void)step;
}

static void
ask_http(const struct view_host *host, struct slice path, struct arena *a)
{
	struct http_attrs attrs = {.method = S("GET"),
	    .scheme = S("http"),
	    .authority = host->host,
	    .path = path,
	    .port = host->port,
	    .header = header};
	const struct view_trace trace = {ignore, NULL};
	struct view_http_choice c = view_route_http(host, &attrs, NULL);
	struct view_http_choice walked = view_route_http(host, &attrs, &trace);
	struct slice text;
	enum err e;

	CHECK(walked.route == c.route && walked.match == c.match);
	if (c.route == NULL)
		return;
	if (c.route->redirect != NULL) {
		CHECK(view_redirect_location(&c, &attrs, a, &text) == OK);
		return;
	}
	if (c.route->answer != NULL)
		return;
	CHECK(c.route->destination_count > 0);
	CHECK(view_choose(c.route->destinations, c.route->destination_count,
		  c.route->weight_total, path.len) != NULL);
	e = view_rewrite_path(&c, path, a, &text);
	CHECK(e == OK || (e == ERR_LIMIT && c.route->rewrite_regex != NULL));
	CHECK(e != OK || c.route->rewrite_uri || slice_eq(path, text));
}

static void
ask_clusters(const struct view *v)
{
	const struct view_cluster *c;

	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;) {
		CHECK(c->usable_count <= c->endpoint_count);
		CHECK(view_find_cluster(v, c->name) == c);
	}
}

static void
ask_routes(const struct view *v, const struct view_routes *r, struct arena *a)
{
	size_t count;
	const struct view_host *const *hosts = view_routes_hosts(r, &count);

	for (size_t i = 0; i < count; i++) {
		struct slice host = hosts[i]->host;

		if (slice_find(host, '/') == host.len &&
		    slice_find(host, '*') == host.len)
			CHECK(view_find_domain(v, r, host) == hosts[i]);
		if (hosts[i]->http_count > 0)
			ask_http(hosts[i], S("/a/b?c=d"), a);
	}
}

/* Each chain, by a name that it has; the index says what a walk says. */
static void
ask_chains(const struct view *v, const struct view_listener *l, struct arena *a)
{
	struct slice alpn = S("istio");
	struct view_listener plain = *l;

	plain.snis = NULL;
	for (size_t i = 0; i < l->chain_count; i++) {
		const struct view_chain *c = &l->chains[i];
		struct view_connection k = {.tls = true,
		    .alpns = &alpn,
		    .alpn_count = 1,
		    .sni = c->match.sni_count > 0 ? c->match.snis[0] : S("")};

		CHECK(c->routes != NULL || c->tcp != NULL);
		CHECK(view_find_chain(v, l, &k) ==
		      view_find_chain(v, &plain, &k));
		if (c->routes != NULL)
			ask_routes(v, c->routes, a);
	}
}

static void
ask_listeners(
    const struct view *v, enum view_direction direction, struct arena *a)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, NULL, direction, &count);

	for (size_t i = 0; i < count; i++) {
		CHECK(all[i]->chain_count > 0 || all[i]->otherwise != NULL);
		ask_chains(v, all[i], a);
	}
}

static bool
has_host(const struct view_routes *r, const struct view_host *h)
{
	size_t count;
	const struct view_host *const *hosts = view_routes_hosts(r, &count);

	for (size_t i = 0; i < count; i++)
		if (hosts[i] == h)
			return true;
	return false;
}

/* By its name, or where a listener looks for it. */
static bool
is_found(const struct view *v, const struct view_host *h)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, h->scope, VIEW_OUTBOUND, &count);

	if (h->host.ptr[0] == '*' ||
	    view_find_host(v, h->scope, h->host, h->port) == h)
		return true;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < all[i]->chain_count; j++) {
			const struct view_chain *c = &all[i]->chains[j];

			if (c->routes != NULL && has_host(c->routes, h))
				return true;
		}
	return false;
}

static void
ask_hosts(const struct view *v, struct arena *a)
{
	const struct view_host *h;

	for (size_t i = 0; (h = view_next_host(v, &i)) != NULL;) {
		CHECK(is_found(v, h));
		ask_http(h, S("/"), a);
		ask_http(h, S("/a/b?c=d"), a);
		(void)view_route_tcp(h, &(struct view_connection){0}, NULL);
	}
}

static void
look(struct resource *const *all, size_t count)
{
	AUTO(arena_fini) struct arena a;
	const struct resource *order[RESOURCES_MAX];
	struct view *one, *other;

	arena_init(&a, ARENA_MAX);
	for (size_t i = 0; i < count; i++)
		order[i] = all[i];
	one = compile(order, count, VIEW_ROUTER);
	ask_listeners(one, VIEW_GATEWAY, &a);
	view_unref(&one);
	one = compile(order, count, VIEW_SIDECAR);
	for (size_t i = 0; i < count; i++)
		order[i] = all[count - 1 - i];
	other = compile(order, count, VIEW_SIDECAR);
	CHECK(view_fingerprint(one) == view_fingerprint(other));
	ask_listeners(one, VIEW_OUTBOUND, &a);
	ask_hosts(one, &a);
	ask_clusters(one);
	CHECK(view_dump(one, &a) != NULL);
	view_unref(&one);
	view_unref(&other);
}

/* A key comes once: the store would have only the last one. */
static bool
is_there(struct resource *const *all, size_t count, const struct resource *r)
{
	for (size_t i = 0; i < count; i++)
		if (resource_key_eq(&all[i]->key, &r->key))
			return true;
	return false;
}

struct read {
	struct resource *all[RESOURCES_MAX];
	size_t count;
};

static enum err
take(void *arg, const struct value *doc, const char *place)
{
	struct read *r = arg;
	struct resource *one;

	if (r->count == RESOURCES_MAX)
		return ERR_LIMIT;
	one = decode(doc, place);
	if (one == NULL)
		return OK;
	read_again(one);
	if (is_there(r->all, r->count, one))
		resource_unref(&one);
	else
		r->all[r->count++] = one;
	return OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena_fini) struct arena a;
	struct codec_documents docs;
	struct faults faults = {0};
	struct read r = {0};
	enum err e;

	if (size > SIZE_MAX_TRIED)
		return 0;
	arena_init(&a, ARENA_MAX);
	/* Documents beside a wrong one are read all the same. */
	e = codec_yaml_parse(
	    slice_of(data, size), stored.file, &a, &docs, &faults);
	CHECK((e == OK) == (faults.count == 0));
	for (size_t i = 0; i < docs.count; i++)
		if (docs.items[i].root != NULL &&
		    resource_unfold(docs.items[i].root, &a, take, &r) != OK)
			break; /* more than is tried */
	look(r.all, r.count);
	for (size_t i = 0; i < r.count; i++)
		resource_unref(&r.all[i]);
	faults_fini(&faults);
	return 0;
}
