/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_access — questions about access, read and answered; paths.
 */
#include "codec/codec.h"
#include "policies.h"
#include "unit.h"

struct told {
	struct arena arena;
	enum err e;
	struct fault why;
	struct value *answer;
};

static void
told_fini(struct told *t)
{
	arena_fini(&t->arena);
}

static void
ask(const struct guarded *g, const char *question, struct told *t)
{
	struct explain_access a = {
	    .parse_json = codec_json_parse, .now_ms = INT64_C(1700000000000)};

	*t = (struct told){.answer = NULL};
	arena_init(&t->arena, 1 << 20);
	EXPECT_OK(codec_json_parse(
	    slice_str(question), &t->arena, &a.question, NULL));
	t->e = model_explain_access(g->v, &a, &t->arena, &t->answer, &t->why);
}

static struct slice
text(const struct told *t, const char *path)
{
	const struct value *v = value_get_path(t->answer, slice_str(path));

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

static int64_t
number(const struct told *t, const char *path)
{
	const struct value *v = value_get_path(t->answer, slice_str(path));

	return v != NULL && v->type == VALUE_INT ? v->integer : -1;
}

static bool
allowed(const struct told *t)
{
	const struct value *v = value_get_path(t->answer, S("outcome.allowed"));

	return v != NULL && v->type == VALUE_BOOL && v->boolean;
}

#define PATHS                                                                  \
	POLICY("p", "default",                                                 \
	    "rules: [{to: [{operation: {paths: [/a]}}]}, {from: [{source: "    \
	    "{principals: [mesh.internal/ns/x/sa/y]}}, {source: "              \
	    "{ipBlocks: [10.0.0.1]}}]}]")

TEST(an_answer_names_the_rule_and_why_not_the_earlier_ones)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;
	const struct value *first;

	guarded_init(&g, PATHS);
	ask(&g, "{\"to\":\"web\",\"path\":\"/b\",\"from\":\"y.x\"}", &t);
	EXPECT_OK(t.e);
	EXPECT_TRUE(allowed(&t));
	EXPECT_SLICE(text(&t, "policy"), S("default/p"));
	EXPECT_EQ(number(&t, "rule"), 2);
	EXPECT_SLICE(text(&t, "origin"), S("p.yaml:4"));
	EXPECT_EQ(number(&t, "workload.workloadPort"), 0);
	first = value_get(t.answer, S("rules"))->child;
	EXPECT_SLICE(value_get_string(first, S("why"), S("")),
	    S("not so: request.path is one of /a; it is \"/b\""));
}

TEST(a_refusal_says_what_none_of_the_alternatives_has)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;
	const struct value *last;

	guarded_init(&g, PATHS);
	ask(&g, "{\"to\":\"web.default\",\"sourceIp\":\"10.0.0.2\"}", &t);
	EXPECT_FALSE(allowed(&t));
	EXPECT_EQ(number(&t, "outcome.status"), 403);
	last = value_get(t.answer, S("rules"))->last;
	EXPECT_SLICE(value_get_string(last, S("why"), S("")),
	    S("not so: source.principal is one of mesh.internal/ns/x/sa/y; "
	      "the call has none; nor does one of 1 others hold"));
}

TEST(a_connection_is_told_that_a_rule_is_about_requests)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;
	const struct value *first;

	guarded_init(&g, PATHS);
	ask(&g, "{\"to\":\"web\",\"tcp\":true}", &t);
	EXPECT_EQ(number(&t, "outcome.status"), 0);
	first = value_get(t.answer, S("rules"))->child;
	EXPECT_SLICE(value_get_string(first, S("why"), S("")),
	    S("it is about requests, and a connection has none"));
}

TEST(a_denial_that_gets_wider_for_a_connection_says_so)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;

	guarded_init(&g,
	    POLICY("d", "default",
		"action: DENY, rules: [{to: [{operation: {paths: [/a]}}]}]"));
	ask(&g, "{\"to\":\"web\",\"tcp\":true}", &t);
	EXPECT_FALSE(allowed(&t));
	EXPECT_SLICE(value_get_string(value_get(t.answer, S("rules"))->child,
			 S("why"), S("")),
	    S("takes it; what it asks of requests is not asked of a "
	      "connection"));
}

#define JWT                                                                    \
	"apiVersion: security.istio.io/v1\nkind: RequestAuthentication\n"      \
	"metadata: {name: r}\nspec: {jwtRules: [{issuer: i}]}\n"

TEST(claims_stand_for_a_token)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told good, old;

	guarded_init(&g, JWT);
	ask(&g, "{\"to\":\"web\",\"jwt\":{\"iss\":\"i\",\"sub\":\"s\"}}",
	    &good);
	EXPECT_TRUE(allowed(&good));
	EXPECT_SLICE(text(&good, "token.subject"), S("s"));
	ask(&g, "{\"to\":\"web\",\"jwt\":{\"iss\":\"i\",\"exp\":1600000000}}",
	    &old);
	EXPECT_EQ(number(&old, "outcome.status"), 401);
	EXPECT_SLICE(text(&old, "outcome.reason"),
	    S("a token is expired, or not valid yet"));
}

TEST(a_token_is_read_and_what_is_none_is_refused)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told good, bad;

	guarded_init(&g, JWT);
	/* {"iss":"i","sub":"s"} in the middle */
	ask(&g,
	    "{\"to\":\"web\",\"headers\":{\"Authorization\":\"Bearer "
	    "e30.eyJpc3MiOiJpIiwic3ViIjoicyJ9.c2ln\"}}",
	    &good);
	EXPECT_SLICE(text(&good, "token.subject"), S("s"));
	ask(&g, "{\"to\":\"web\",\"jwt\":\"e30.e30\"}", &bad);
	EXPECT_EQ(number(&bad, "outcome.status"), 401);
}

TEST(a_wrong_question_is_refused_in_words)
{
	static const char *const questions[] = {"{}", "[]",
	    "{\"to\":\"web\",\"port\":70000}", "{\"to\":\"web\",\"x\":1}",
	    "{\"to\":\"web\",\"sourceIp\":\"x\"}", "{\"to\":1}",
	    "{\"to\":\"web\",\"headers\":{\"a\":1}}",
	    "{\"to\":\"web\",\"jwt\":1}",
	    "{\"to\":\"web\",\"labels\":{\"app\":\"other\"}}"};
	AUTO(guarded_fini) struct guarded g;

	guarded_init(&g, "");
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		AUTO(told_fini) struct told t;

		ask(&g, questions[i], &t);
		EXPECT_ERR(t.e, ERR_INVALID);
		EXPECT_TRUE(t.why.text[0] != '\0');
	}
}

TEST(nothing_is_said_of_what_is_not_exposed)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;

	guarded_init(&g, "");
	ask(&g, "{\"to\":\"db\"}", &t);
	EXPECT_ERR(t.e, ERR_NOT_FOUND);
}

/* --- which workload files mean -------------------------------------------- */

TEST(a_service_says_which_workload_and_port_it_leads_to)
{
	AUTO(arena_fini) struct arena a;
	struct view_exposed_input w;
	struct view_input in = {0};
	struct loaded l;
	const struct value *q;

	load("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	     "spec: {selector: {app: w}, ports: [{name: http-x, port: 80, "
	     "targetPort: 8080}, {name: sql, port: 5432}]}\n",
	    NULL, &l);
	EXPECT_OK(l.e);
	arena_init(&a, 1 << 16);
	EXPECT_OK(codec_json_parse(
	    S("{\"to\":\"web.default.svc.cluster.local\"}"), &a, &q, NULL));
	in.resources = (const struct resource *const *)l.items;
	in.resource_count = l.count;
	EXPECT_OK(explain_access_workload(q, &in, &a, &w, NULL));
	EXPECT_EQ(w.port, 80);
	EXPECT_EQ(w.target.port, 8080);
	EXPECT_SLICE(w.protocol, S("http"));
	EXPECT_SLICE(labels_get(&w.labels, S("app")), S("w"));
	EXPECT_OK(
	    codec_json_parse(S("{\"to\":\"web\",\"port\":81}"), &a, &q, NULL));
	EXPECT_ERR(
	    explain_access_workload(q, &in, &a, &w, NULL), ERR_NOT_FOUND);
	loaded_fini(&l);
}

TEST(a_workload_is_what_its_record_says_or_what_is_given)
{
	AUTO(arena_fini) struct arena a;
	const struct label v1[] = {{S("version"), S("v1")}};
	const struct view_port_input port = {.port = 81, .protocol = S("tcp")};
	const struct view_service_input service = {.name = S("web"),
	    .ns = S("default"),
	    .ports = &port,
	    .port_count = 1};
	const struct view_endpoint_input endpoint = {
	    .service_port = 81, .addr = {.port = 8081}, .labels = {v1, 1}};
	const struct view_serving serving = {.service = S("web"),
	    .ns = S("default"),
	    .endpoints = &endpoint,
	    .count = 1};
	const struct view_input in = {.services = &service,
	    .service_count = 1,
	    .servings = &serving,
	    .serving_count = 1};
	struct view_exposed_input w;
	struct fault why = {0};
	const struct value *q;

	arena_init(&a, 1 << 16);
	EXPECT_OK(codec_json_parse(S("{\"to\":\"web\"}"), &a, &q, NULL));
	EXPECT_OK(explain_access_workload(q, &in, &a, &w, NULL));
	EXPECT_EQ(w.port, 81);
	EXPECT_EQ(w.target.port, 8081);
	EXPECT_SLICE(w.protocol, S("tcp"));
	EXPECT_SLICE(labels_get(&w.labels, S("version")), S("v1"));
	EXPECT_OK(codec_json_parse(S("{\"to\":\"wbe\"}"), &a, &q, NULL));
	EXPECT_ERR(
	    explain_access_workload(q, &in, &a, &w, &why), ERR_NOT_FOUND);
	EXPECT_STR(why.text, "there is no Service wbe.default; say with labels "
			     "whom to judge, as "
			     "policies go by them");
	EXPECT_OK(codec_json_parse(
	    S("{\"to\":\"wbe\",\"labels\":{\"app\":\"x\"}}"), &a, &q, NULL));
	EXPECT_OK(explain_access_workload(q, &in, &a, &w, NULL));
	EXPECT_SLICE(labels_get(&w.labels, S("app")), S("x"));
}

/* --- paths ---------------------------------------------------------------- */

static void
expect_paths(const char *how, const char *const (*pairs)[2], size_t count)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(buf_fini) struct buf yaml = BUF(1024);

	EXPECT_OK(buf_printf(
	    &yaml, "pathNormalization: {normalization: %s}\n%c", how, 0));
	guarded_init(&g, buf_slice(&yaml).ptr);
	for (size_t i = 0; i < count; i++) {
		AUTO(arena_fini) struct arena a;
		struct slice out;

		arena_init(&a, 1 << 16);
		EXPECT_OK(
		    view_normalize_path(g.v, slice_str(pairs[i][0]), &a, &out));
		EXPECT_SLICE(out, slice_str(pairs[i][1]));
	}
}

TEST(a_path_may_stay_as_it_came_but_for_its_fragment)
{
	static const char *const pairs[][2] = {{"/", "/"}, {"/app#foo", "/app"},
	    {"/app/../admin", "/app/../admin"},
	    {"/app/%2E./x?q=%41#f", "/app/%2E./x?q=%41"}, {"/a\\b", "/a\\b"},
	    {"/app//", "/app//"}};

	expect_paths("NONE", pairs, ARRAY_LEN(pairs));
}

TEST(dot_segments_go_and_unreserved_escapes_are_undone)
{
	static const char *const pairs[][2] = {{"/app/../admin", "/admin"},
	    {"/xyz%30..//abc", "/xyz0..//abc"}, {"/app/%2E./admin", "/admin"},
	    {"/app\\admin", "/app/admin"}, {"/app/%2f", "/app/%2f"},
	    {"/app/\\/\\/\\admin", "/app//////admin"},
	    {"/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
		"/%5Capp%2f%5c%2F..%2fadmin%5c/abc"},
	    {"/app//../admin", "/app/admin"}, {"/app//../../admin", "/admin"},
	    {"/a/.", "/a/"}, {"/a/..", "/"}, {"/..", "/"}, {"/a/b/../..", "/"},
	    {"/...", "/..."}, {"/a%", "/a%"}, {"/a%zz", "/a%zz"},
	    {"/x?y=/../z", "/x?y=/../z"}};

	expect_paths("BASE", pairs, ARRAY_LEN(pairs));
	expect_paths("DEFAULT", pairs, ARRAY_LEN(pairs));
}

TEST(runs_of_slashes_become_one)
{
	static const char *const pairs[][2] = {{"/app//", "/app/"},
	    {"/app/%2f", "/app/%2f"}, {"/xyz%30..//abc", "/xyz0../abc"},
	    {"/app/\\/\\/\\admin", "/app/admin"}, {"//", "/"}};

	expect_paths("MERGE_SLASHES", pairs, ARRAY_LEN(pairs));
}

TEST(escaped_slashes_are_slashes)
{
	static const char *const pairs[][2] = {{"/app/%2f", "/app/"},
	    {"/%2Fapp%5cadmin%5Cabc", "/app/admin/abc"},
	    {"/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc", "/app/admin/abc"},
	    {"/%c0%2fadmin", "/%c0/admin"}, {"/%252e%252e/x", "/%252e%252e/x"}};

	expect_paths("DECODE_AND_MERGE_SLASHES", pairs, ARRAY_LEN(pairs));
}

TEST(a_zero_byte_is_no_path)
{
	AUTO(guarded_fini) struct guarded g;
	AUTO(told_fini) struct told t;

	guarded_init(&g, "");
	ask(&g, "{\"to\":\"web\",\"path\":\"/admin%00\"}", &t);
	EXPECT_EQ(number(&t, "outcome.status"), 400);
}
