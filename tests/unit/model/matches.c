/* SPDX-License-Identifier: Apache-2.0 */
/*
 * matches — which requests the match of a rule takes, and what explain says.
 */
#include <stdio.h>

#include "codec/codec.h"
#include "load.h"
#include "unit.h"

#define MESH                                                                   \
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"               \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"                       \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web}\nspec:\n  hosts: [web]\n  http:\n"              \
	"  - {match: [{%s}], rewrite: {uri: /new/},\n"                         \
	"     route: [{destination: {host: web}}]}\n"                          \
	"  - {route: [{destination: {host: web}}]}\n"

struct world {
	struct loaded l;
	struct view *v;
};

static void
world_init(struct world *w, const char *match, const struct view *before)
{
	char yaml[2048];
	struct view_input in = {.before = before};

	*w = (struct world){.v = NULL};
	(void)snprintf(yaml, sizeof(yaml), MESH, match);
	load(yaml, "mesh.yaml", &w->l);
	EXPECT_EQ(w->l.count, 2);
	in.resources = (const struct resource *const *)w->l.items;
	in.resource_count = w->l.count;
	EXPECT_OK(view_compile(&in, &w->v, NULL));
}

static void
world_fini(struct world *w)
{
	view_unref(&w->v);
	loaded_fini(&w->l);
}

/* "name: value\n" as often as there are headers. */
static bool
header(void *arg, struct slice name, struct slice *out)
{
	struct slice rest = slice_str(arg);

	while (rest.len > 0) {
		struct slice line = slice_split(&rest, '\n');

		if (!slice_eq(slice_split(&line, ':'), name))
			continue;
		*out = slice_trim(line);
		return true;
	}
	return false;
}

static struct view_http_choice
ask(const struct world *w, const char *path, const char *headers,
    const struct view_trace *trace)
{
	char kept[256];
	const struct http_attrs a = {.method = S("GET"),
	    .scheme = S("http"),
	    .authority = S("web.default:80"),
	    .path = slice_str(path),
	    .port = 80,
	    .header = header,
	    .arg = kept};

	(void)snprintf(kept, sizeof(kept), "%s", headers);
	return view_route_http(
	    view_find_host(w->v, NULL, S("web"), 80), &a, trace);
}

TEST(each_test_takes_what_it_says_and_nothing_else)
{
	static const struct {
		const char *match;
		const char *path;
		const char *headers;
		bool taken;
	} rows[] = {
	    {"uri: {regex: '/a/[0-9]+'}", "/a/12?x", "", true},
	    {"uri: {regex: '/a/[0-9]+'}", "/a/12/b", "", false},
	    {"uri: {regex: '/A'}, ignoreUriCase: true", "/a", "", false},
	    {"uri: {exact: /Ab}, ignoreUriCase: true", "/aB?c", "", true},
	    {"uri: {exact: /Ab}, ignoreUriCase: true", "/aBc", "", false},
	    {"uri: {exact: /Ab}", "/aB", "", false},
	    {"uri: {prefix: /Ab}, ignoreUriCase: true", "/aBc", "", true},
	    {"uri: {prefix: /Ab}, ignoreUriCase: true", "/a", "", false},
	    {"method: {regex: 'GET|HEAD'}", "/", "", true},
	    {"method: {regex: 'HEAD|P.*'}", "/", "", false},
	    {"authority: {regex: 'web[.].*'}", "/", "", true},
	    {"scheme: {regex: https}", "/", "", false},
	    {"headers: {X: {regex: 'a+'}}", "/", "x: aaa", true},
	    {"headers: {X: {regex: 'a+'}}", "/", "x: aab", false},
	    {"headers: {X: {regex: 'a*'}}", "/", "", false},
	    {"headers: {X: {}}", "/", "x: y", true},
	    {"headers: {X: {}}", "/", "y: x", false},
	    {"withoutHeaders: {X: {}}", "/", "", true},
	    {"withoutHeaders: {X: {}}", "/", "x:", false},
	    {"withoutHeaders: {X: {regex: '*'}}", "/", "x: y", false},
	    {"withoutHeaders: {X: {regex: '*'}}", "/", "", true},
	    {"withoutHeaders: {X: {exact: a}}", "/", "x: a", false},
	    {"withoutHeaders: {X: {exact: a}}", "/", "x: b", true},
	    {"withoutHeaders: {X: {exact: a}}", "/", "", true},
	    {"withoutHeaders: {X: {prefix: a}}", "/", "x: ab", false},
	    /* What is not there is empty, and empty is what this is. */
	    {"withoutHeaders: {X: {regex: 'a*'}}", "/", "", false},
	    {"withoutHeaders: {':method': {exact: GET}}", "/", "", false},
	    {"queryParams: {q: {exact: a}}", "/?q=a", "", true},
	    {"queryParams: {q: {exact: a}}", "/?q=ab", "", false},
	    {"queryParams: {q: {exact: a}}", "/q=a", "", false},
	    {"queryParams: {q: {exact: a}}", "/?p&q=a&r#z", "", true},
	    {"queryParams: {q: {exact: a}}", "/?q=b&q=a", "", false},
	    {"queryParams: {q: {exact: ''}}", "/?q", "", true},
	    {"queryParams: {q: {exact: ''}}", "/?q=", "", true},
	    {"queryParams: {q: {exact: ''}}", "/?r", "", false},
	    {"queryParams: {q: {exact: 'a=b'}}", "/?q=a=b", "", true},
	    {"queryParams: {q: {prefix: a}}", "/?q=ab", "", true},
	    {"queryParams: {q: {regex: '[0-9]+'}}", "/?q=12", "", true},
	    {"queryParams: {q: {regex: '[0-9]+'}}", "/?q=12x", "", false},
	    {"queryParams: {q: {}}", "/?a=b&q", "", true},
	    {"queryParams: {q: {}}", "/?Q=1#?q=1", "", false},
	    {"uri: {regex: '/a.*'}, headers: {x: {exact: y}}, "
	     "withoutHeaders: {z: {}}, queryParams: {q: {}}",
		"/ab?q", "x: y", true},
	    {"uri: {regex: '/a.*'}, headers: {x: {exact: y}}, "
	     "withoutHeaders: {z: {}}, queryParams: {q: {}}",
		"/ab?q", "x: y\nz: 1", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(world_fini) struct world w;
		size_t index;

		world_init(&w, rows[i].match, NULL);
		index =
		    ask(&w, rows[i].path, rows[i].headers, NULL).route->index;
		if ((index == 0) != rows[i].taken)
			printf("%s %s [%s]\n", rows[i].match, rows[i].path,
			    rows[i].headers);
		EXPECT_EQ(index, rows[i].taken ? 0 : 1);
	}
}

static void
keep_step(void *arg, const struct view_step *step)
{
	struct view_step *first = arg;

	if (first->host == NULL)
		*first = *step;
}

TEST(what_costs_least_is_tested_first)
{
	AUTO(world_fini) struct world w;
	struct view_step step = {.host = NULL};
	const struct view_trace trace = {keep_step, &step};

	world_init(&w,
	    "headers: {x: {regex: '.*b'}}, queryParams: {q: {exact: a}}, "
	    "method: {exact: PUT}, uri: {regex: '/b'}",
	    NULL);
	(void)ask(&w, "/", "", &trace);
	EXPECT_EQ(step.failed->subject, VIEW_ON_METHOD);
	EXPECT_EQ(step.match->conditions[1].subject, VIEW_ON_PARAMETER);
	EXPECT_EQ(step.match->conditions[2].test, VIEW_REGEX);
	EXPECT_EQ(step.match->conditions[3].test, VIEW_REGEX);
}

TEST(a_prefix_in_another_case_is_replaced)
{
	AUTO(world_fini) struct world w;
	AUTO(arena_fini) struct arena a;
	struct view_http_choice choice;
	struct slice path;

	arena_init(&a, 1 << 16);
	world_init(&w, "uri: {prefix: /Old/}, ignoreUriCase: true", NULL);
	choice = ask(&w, "/oLD/x?q", "", NULL);
	EXPECT_OK(view_rewrite_path(&choice, S("/oLD/x?q"), &a, &path));
	EXPECT_SLICE(path, S("/new/x?q"));
}

/* The rule of the test has no name. */
TEST(a_match_with_a_name_is_named_behind_its_rule)
{
	AUTO(world_fini) struct world w;
	struct view_http_choice choice;

	world_init(&w, "name: it, uri: {prefix: /a}", NULL);
	choice = ask(&w, "/a", "", NULL);
	EXPECT_SLICE(view_choice_name(&choice), S(".it"));
	choice = ask(&w, "/b", "", NULL);
	EXPECT_SLICE(view_choice_name(&choice), S(""));
}

TEST(an_expression_is_compiled_once_for_views_in_a_row)
{
	AUTO(world_fini) struct world first, next;
	static const char match[] =
	    "uri: {regex: '/a.*'}, headers: {x: {regex: '/a.*'}}";
	const struct regex *r;

	world_init(&first, match, NULL);
	r = ask(&first, "/a", "x: /a", NULL).match->conditions[0].regex;
	EXPECT_TRUE(
	    r == ask(&first, "/a", "x: /a", NULL).match->conditions[1].regex);
	world_init(&next, match, first.v);
	view_unref(&first.v);
	EXPECT_TRUE(
	    r == ask(&next, "/a", "x: /a", NULL).match->conditions[0].regex);
}
