/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index — the index of rules finds what a walk through them finds.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"
#include "view/index.h"

enum {
	SETS = 2000,
	ASKED = 60,
	RULES_MAX = 80,
	MATCHES_MAX = 2,
	LATE = 16,
	TESTS_MAX = 4
};

/* --- rules at random ------------------------------------------------------ */

static const char *const paths[] = {"/", "/a", "/A", "/a/b", "/a/b/c", "/A/b",
    "/api", "/api/", "/api/v1", "/api/v1/x", "/API/v1", "/b", "", "*",
    "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
static const char *const patterns[] = {"/a.*", "/api/v[0-9]+", "/ap?.*",
    "(?i)/A/b", ".*", "/a|/b", "^/b$", "/x{3,}", "/a/b+/c*", ""};
static const char *const values[] = {"a", "A", "b", "ab", "", "GET"};
static const char *const names[] = {"x-user", "x-v", "h0", "h1", "h2", "h3",
    "h4", "h5", "h6", "h7", "h8", ":method", ":path"};

struct world {
	struct view v;
	struct builder b;
	struct view_host host;
	struct regex *regexes[ARRAY_LEN(patterns)];
	struct rng rng;
	uint64_t seed;
};

#define PICK(w, list) slice_str((list)[rng_below(&(w)->rng, ARRAY_LEN(list))])

static bool
chance(struct world *w, uint64_t percent)
{
	return rng_below(&w->rng, 100) < percent;
}

/* All prefixes of the longest path are many buckets for one request. */
static struct slice
any_path(struct world *w)
{
	struct slice path = PICK(w, paths);

	return path.len > 20 ? slice_sub(path, 0, 1 + rng_below(&w->rng, 60))
			     : path;
}

static struct view_condition
any_condition(struct world *w)
{
	static const enum view_subject subjects[] = {VIEW_ON_PATH, VIEW_ON_PATH,
	    VIEW_ON_PATH, VIEW_ON_METHOD, VIEW_ON_SCHEME, VIEW_ON_AUTHORITY,
	    VIEW_ON_HEADER, VIEW_ON_HEADER, VIEW_ON_PARAMETER, VIEW_ON_PORT,
	    VIEW_NEVER};
	struct view_condition c = {
	    .subject = subjects[rng_below(&w->rng, ARRAY_LEN(subjects))],
	    .test = (enum view_test)rng_below(&w->rng, VIEW_PRESENT + 1)};
	size_t regex = rng_below(&w->rng, ARRAY_LEN(patterns));

	if (c.subject == VIEW_NEVER && chance(w, 70))
		c.subject = VIEW_ON_PATH;
	c.any_case = c.subject == VIEW_ON_PATH && chance(w, 30);
	c.negated = c.subject >= VIEW_ON_HEADER && chance(w, 20);
	c.name = PICK(w, names);
	c.port = chance(w, 50) ? 80 : 81;
	c.value = c.subject == VIEW_ON_PATH ? any_path(w) : PICK(w, values);
	if (c.test == VIEW_REGEX) {
		c.value = slice_str(patterns[regex]);
		c.regex = w->regexes[regex];
	}
	return c;
}

static void
any_match(struct world *w, struct view_match *m)
{
	struct view_condition *c = take(&w->b, TESTS_MAX, sizeof(*c));

	m->count = chance(w, 1) ? 0 : 2 + rng_below(&w->rng, TESTS_MAX - 1);
	m->conditions = c;
	for (size_t i = 0; i < m->count; i++)
		c[i] = any_condition(w);
}

static void
any_route(struct world *w, struct view_http_route *r)
{
	struct view_match *m = take(&w->b, MATCHES_MAX, sizeof(*m));

	r->match_count = chance(w, 1) ? 0 : 1 + rng_below(&w->rng, MATCHES_MAX);
	r->matches = m;
	for (size_t i = 0; i < r->match_count; i++)
		any_match(w, &m[i]);
}

static void
world_init(struct world *w, uint64_t seed)
{
	struct view_http_route *routes;

	*w = (struct world){.b = {.v = NULL}, .seed = seed};
	w->b.v = &w->v;
	arena_init(&w->v.arena, 16 << 20);
	rng_init(&w->rng, seed);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		EXPECT_OK(regex_compile(
		    slice_str(patterns[i]), &w->regexes[i], NULL));
	w->host.http_count =
	    INDEX_ROUTES_MIN + rng_below(&w->rng, RULES_MAX - INDEX_ROUTES_MIN);
	routes = take(&w->b, w->host.http_count, sizeof(*routes));
	for (size_t i = 0; i < w->host.http_count; i++) {
		any_route(w, &routes[i]);
		routes[i].index = i;
	}
	w->host.http = routes;
	index_routes(&w->b, &w->host);
	EXPECT_TRUE(w->host.index != NULL);
}

static void
world_fini(struct world *w)
{
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		regex_unref(&w->regexes[i]);
	arena_fini(&w->v.arena);
}

/* --- requests at random --------------------------------------------------- */

struct asked {
	struct slice headers[ARRAY_LEN(names)]; /* ptr NULL: not there */
	char path[128];
};

static bool
get_header(void *arg, struct slice name, struct slice *out)
{
	const struct asked *q = arg;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq(name, slice_str(names[i]))) {
			*out = q->headers[i];
			return out->ptr != NULL;
		}
	return false;
}

static struct http_attrs
any_request(struct world *w, struct asked *q)
{
	static const char *const ends[] = {
	    "", "", "", "/", "x", "?x-user=a&x-v=b", "/1?h0=ab"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		q->headers[i] = chance(w, 60) ? PICK(w, values) : SLICE_NONE;
	(void)snprintf(q->path, sizeof(q->path), "%.*s%.*s",
	    SLICE_ARG(any_path(w)), SLICE_ARG(PICK(w, ends)));
	return (struct http_attrs){.method = PICK(w, values),
	    .scheme = PICK(w, values),
	    .authority = PICK(w, values),
	    .path = slice_str(q->path),
	    .port = chance(w, 80) ? 80 : 81,
	    .header = get_header,
	    .arg = q};
}

static void
ignore(void *arg, const struct view_step *step)
{
	(void)arg;
	(void)step;
}

/* Counts those that found a rule, and those that found a late one. */
static void
expect_same(struct world *w, size_t *found, size_t *late)
{
	struct view_trace trace = {ignore, NULL};
	struct asked q;
	struct http_attrs a = any_request(w, &q);
	struct view_http_choice walked = view_route_http(&w->host, &a, &trace);
	struct view_http_choice same = view_route_http(&w->host, &a, NULL);

	if (walked.route != same.route || walked.match != same.match)
		(void)fprintf(stderr, "seed %llu: %zu rules, path %s\n",
		    (unsigned long long)w->seed, w->host.http_count, q.path);
	EXPECT_TRUE(walked.route == same.route);
	EXPECT_TRUE(walked.match == same.match);
	*found += same.route != NULL;
	*late += same.route != NULL && same.route->index > LATE;
}

TEST(what_the_index_finds_is_what_a_walk_finds)
{
	size_t found = 0, late = 0;

	for (uint64_t seed = 1; seed <= SETS; seed++) {
		AUTO(world_fini) struct world w;

		world_init(&w, seed);
		for (int i = 0; i < ASKED; i++)
			expect_same(&w, &found, &late);
	}
	/* The test asks something. */
	EXPECT_TRUE(found > SETS * ASKED / 4);
	EXPECT_TRUE(found < SETS * ASKED);
	EXPECT_TRUE(late > SETS);
}

/* --- which bucket --------------------------------------------------------- */

#define WEB                                                                    \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"                       \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: v}\nspec:\n  hosts: [web]\n  http:\n"

/* Rules that have `match` with their number in the place of a %d. */
static void
numbered(struct compiled *w, int count, const char *match)
{
	AUTO(buf_fini) struct buf yaml = BUF(1 << 20);
	char rule[256], one[128];

	EXPECT_OK(buf_add_slice(&yaml, S(WEB)));
	for (int i = 0; i < count; i++) {
		struct slice rest = slice_str(match);
		struct slice head = slice_split(&rest, '#');

		(void)snprintf(one, sizeof(one), "%.*s%d%.*s", SLICE_ARG(head),
		    i, SLICE_ARG(rest));
		(void)snprintf(rule, sizeof(rule),
		    "  - {match: [{%s}], route: [{destination: {host: "
		    "web}}]}\n",
		    one);
		EXPECT_OK(buf_add_slice(&yaml, slice_str(rule)));
	}
	EXPECT_OK(buf_add_byte(&yaml, 0));
	compiled_init(w, buf_slice(&yaml).ptr);
}

static const struct view_host *
web(const struct compiled *w)
{
	return view_find_host(w->v, NULL, S("web"), 80);
}

TEST(few_rules_are_walked)
{
	AUTO(compiled_fini) struct compiled w;

	numbered(&w, INDEX_ROUTES_MIN - 1, "uri: {prefix: /a/#}");
	EXPECT_TRUE(web(&w)->index == NULL);
}

/* The most that any bucket has. */
static uint32_t
fullest(const struct route_index *x)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i <= x->slot_mask; i++)
		most = MAX(most, x->slots[i].count);
	return MAX(most, x->loose_count);
}

TEST(what_tells_rules_apart_is_their_key)
{
	static const char *const matches[] = {
	    "uri: {exact: /a/#}",
	    "uri: {prefix: /a/#/}",
	    "uri: {regex: '/a/#/.*'}",
	    "uri: {prefix: /}, headers: {who: {exact: user-#}}",
	    "uri: {exact: /}, authority: {exact: h#.com}",
	    "method: {exact: GET}, queryParams: {q: {exact: v#}}",
	};

	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		AUTO(compiled_fini) struct compiled w;

		numbered(&w, 200, matches[i]);
		EXPECT_EQ(fullest(web(&w)->index), 1);
	}
}

TEST(rules_without_a_key_are_asked_one_after_the_other)
{
	AUTO(compiled_fini) struct compiled w;

	numbered(&w, 20, "uri: {regex: '[a]/#'}");
	EXPECT_EQ(web(&w)->index->loose_count, 20);
}

TEST(a_request_that_fits_too_much_is_walked)
{
	enum { COUNT = 2 * INDEX_CURSORS_MAX };
	AUTO(compiled_fini) struct compiled w;
	AUTO(buf_fini) struct buf yaml = BUF(1 << 20);
	char xs[COUNT + 1] = "", rule[512];
	struct http_attrs a = {.method = S("M63"), .path = slice_str(xs)};

	EXPECT_OK(buf_add_slice(&yaml, S(WEB)));
	for (int i = 0; i < COUNT; i++) {
		xs[i] = i == 0 ? '/' : 'x';
		(void)snprintf(rule, sizeof(rule),
		    "  - {match: [{uri: {prefix: %s}, method: {exact: M%d}}], "
		    "redirect: {uri: /}}\n",
		    xs, i);
		EXPECT_OK(buf_add_slice(&yaml, slice_str(rule)));
	}
	EXPECT_OK(buf_add_byte(&yaml, 0));
	compiled_init(&w, buf_slice(&yaml).ptr);
	a.path.len = COUNT;
	EXPECT_EQ(view_route_http(web(&w), &a, NULL).route->index, COUNT - 1);
}
