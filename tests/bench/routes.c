/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes — what it costs to find the last of 1,000 rules, and the first.
 *
 * A line a kind of rules on stderr: nanoseconds of this thread for a request
 * that the first of 1,000 rules takes, for one that the last takes, and for
 * one where there is only that rule; the least of some tries. On stdout, as
 * JSON, the worst ratio of last to first, and of last to the only one, and the
 * slowest look-up.
 */
#include <stdio.h>
#include <time.h>

#include "codec/codec.h"
#include "model/model.h"

enum {
	RULES = 1000,
	FIRST = 1000, /* their numbers have the same length */
	LOOKUPS = 100000,
	TRIES = 7,
	YAML_MAX = 4 << 20,
	RESOURCES_MAX = 4
};

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- a mesh of one service with so many rules ----------------------------- */

struct mesh {
	struct resource *items[RESOURCES_MAX];
	size_t count;
	struct view *view;
};

static enum err
take(void *arg, const struct value *doc, const char *place)
{
	struct mesh *m = arg;
	struct resource_source source = {.parse_json = codec_json_parse,
	    .place = place,
	    .trust_domain = S("mesh.internal")};
	struct findings found = {0};

	CHECK(m->count < RESOURCES_MAX);
	CHECK(
	    resource_decode(doc, &source, &m->items[m->count++], &found) == OK);
	findings_fini(&found);
	return OK;
}

/* `match` is one in YAML, with a %d for the rule's number. */
static void
write_rules(struct buf *yaml, const char *match, int first, int last)
{
	char text[512], rule[1024];

	CHECK(buf_add_slice(yaml,
		  S("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		    "spec: {ports: [{name: http, port: 80}]}\n---\n"
		    "apiVersion: networking.istio.io/v1\n"
		    "kind: VirtualService\nmetadata: {name: web}\nspec:\n"
		    "  hosts: [web]\n  http:\n")) == OK);
	for (int i = first; i <= last; i++) {
		struct slice rest = slice_str(match);
		struct slice head = slice_split(&rest, '#');

		(void)snprintf(text, sizeof(text), "%.*s%d%.*s",
		    SLICE_ARG(head), i, SLICE_ARG(rest));
		(void)snprintf(rule, sizeof(rule),
		    "  - {match: [{%s}], route: [{destination: {host: "
		    "web}}]}\n",
		    text);
		CHECK(buf_add_slice(yaml, slice_str(rule)) == OK);
	}
}

static void
mesh_init(struct mesh *m, const char *match, int first, int last)
{
	AUTO(buf_fini) struct buf yaml = BUF(YAML_MAX);
	AUTO(arena_fini) struct arena a;
	struct codec_documents docs;
	struct faults errors = {0};
	struct view_input in = {0};

	*m = (struct mesh){.count = 0};
	arena_init(&a, 64 << 20);
	write_rules(&yaml, match, first, last);
	CHECK(codec_yaml_parse(buf_slice(&yaml), "rules", &a, &docs, &errors) ==
	      OK);
	for (size_t i = 0; i < docs.count; i++)
		CHECK(resource_unfold(docs.items[i].root, &a, take, m) == OK);
	in.resources = (const struct resource *const *)m->items;
	in.resource_count = m->count;
	CHECK(view_compile(&in, &m->view, NULL) == OK);
	faults_fini(&errors);
}

static void
mesh_fini(struct mesh *m)
{
	view_unref(&m->view);
	for (size_t i = 0; i < m->count; i++)
		resource_unref(&m->items[i]);
}

/* --- requests ------------------------------------------------------------- */

/* Rules, and a request that the rule of a number takes. */
struct kind {
	const char *name;
	const char *match;
	const char *path;   /* with a # for the number */
	const char *header; /* the value of x-user; may be empty */
};

static const struct kind kinds[] = {
    {"exact paths", "uri: {exact: /shop/items/#/details}",
	"/shop/items/#/details?page=2", ""},
    {"prefixes", "uri: {prefix: /shop/items/#/}", "/shop/items/#/pictures/1",
	""},
    {"expressions", "uri: {regex: '/shop/items/#/[a-z]+'}",
	"/shop/items/#/details", ""},
    {"a header", "uri: {prefix: /}, headers: {x-user: {exact: user-#}}",
	"/shop/items", "user-#"},
};

static bool
get_header(void *arg, struct slice name, struct slice *out)
{
	*out = slice_str(arg);
	return slice_eq(name, S("x-user"));
}

static void
put_number(char out[128], const char *text, int number)
{
	struct slice rest = slice_str(text);
	struct slice head = slice_split(&rest, '#');

	if (head.len == strlen(text))
		(void)snprintf(out, 128, "%s", text);
	else
		(void)snprintf(out, 128, "%.*s%d%.*s", SLICE_ARG(head), number,
		    SLICE_ARG(rest));
}

/* Nanoseconds of one look-up, which has to find this rule. */
static double
measure(const struct mesh *m, const struct kind *k, int number, size_t rule)
{
	const struct view_host *h = view_find_host(m->view, NULL, S("web"), 80);
	char path[128], user[128];
	struct http_attrs a = {.method = S("GET"),
	    .scheme = S("http"),
	    .authority = S("web"),
	    .port = 80,
	    .header = get_header,
	    .arg = user};
	double least = 1e18;

	put_number(path, k->path, number);
	put_number(user, k->header, number);
	a.path = slice_str(path);
	for (int i = 0; i < TRIES; i++) {
		double at = now_ns();

		for (int j = 0; j < LOOKUPS; j++)
			CHECK(
			    view_route_http(h, &a, NULL).route->index == rule);
		least = MIN(least, (now_ns() - at) / LOOKUPS);
	}
	return least;
}

int
main(void)
{
	double last_to_first = 0, last_to_only = 0, slowest = 0;

	fprintf(stderr, "%-12s %8s %8s %8s\n", "", "first", "last", "only");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		AUTO(mesh_fini) struct mesh all, one;
		double first, last, only;

		mesh_init(&all, kinds[i].match, FIRST, FIRST + RULES - 1);
		mesh_init(
		    &one, kinds[i].match, FIRST + RULES - 1, FIRST + RULES - 1);
		first = measure(&all, &kinds[i], FIRST, 0);
		last = measure(&all, &kinds[i], FIRST + RULES - 1, RULES - 1);
		only = measure(&one, &kinds[i], FIRST + RULES - 1, 0);
		fprintf(stderr, "%-12s %8.1f %8.1f %8.1f\n", kinds[i].name,
		    first, last, only);
		last_to_first = MAX(last_to_first, last / first);
		last_to_only = MAX(last_to_only, last / only);
		slowest = MAX(slowest, last);
	}
	printf("{\"last_to_first\": %.2f, \"last_to_only\": %.2f, "
	       "\"slowest_ns\": %.1f}\n",
	    last_to_first, last_to_only, slowest);
	return 0;
}
