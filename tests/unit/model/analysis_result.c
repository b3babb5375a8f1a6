/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis_result — what becomes of findings: order, silence, overlay, change.
 */
#include <stdio.h>

#include "analyse.h"
#include "codec/codec.h"
#include "documents.h"
#include "load.h"
#include "unit.h"

#define UNKNOWN_ROUTE ROUTE("r", RULES_TO(LEAD("nobody")))
#define A SERVICE("a", HTTP80)
#define UNKNOWN A UNKNOWN_ROUTE
#define TOLD "IST0101 VirtualService/shop/r spec.http[0].route[0].destination\n"

TEST(a_finding_has_its_place_in_the_file)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};

	analyse(UNKNOWN, NULL, &r);
	EXPECT_EQ(r.count, 1);
	EXPECT_STR(r.items[0].file, "x.yaml");
	EXPECT_EQ(r.items[0].line, 4);
	EXPECT_STR(r.items[0].by->name, "route-hosts");
	EXPECT_TRUE(analysis_objection(&r) == &r.items[0]);
}

TEST(errors_come_first_and_mistakes_of_documents_are_among_them)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};

	analyse(SERVICE("a", "{name: web, port: 80}")
		    ROUTE("r", "hosts: [x.y], htpp: [], " AWAY),
	    NULL, &r);
	EXPECT_EQ(r.count, 2);
	EXPECT_STR(r.items[0].code->id, "IST0106");
	EXPECT_STR(r.items[0].field, "spec.htpp");
	EXPECT_EQ(r.items[1].code->level, ANALYSIS_INFO);
}

TEST(what_cannot_be_read_whole_is_a_fact_all_the_same)
{
#define WRONG_PORT "{name: http, port: 80, protocol: HTTP}"
#define SOON                                                                   \
	"hosts: [x.y], http: [{timeout: soon, route: [" LEAD("nobody") "]}]"
	expect_found(
	    SERVICE("a", WRONG_PORT) ROUTE("r", RULES_TO(LEAD("a"))), "");
	expect_found(A ROUTE("r", SOON), "");
}

TEST(a_resource_may_ask_for_silence)
{
#define SILENT(codes)                                                          \
	A OF(NET, "VirtualService",                                            \
	    NAMED("r") ", annotations: {galley.istio.io/analyze-suppress: "    \
		       "'" codes "'}",                                         \
	    RULES_TO(LEAD("nobody")))
	expect_found(SILENT("IST0101"), "");
	expect_found(SILENT("IST0109, IST0101"), "");
	expect_found(SILENT("*"), "");
	expect_found(SILENT("IST0102"), TOLD);
}

TEST(files_lie_on_top_of_the_store)
{
	AUTO(loaded_fini) struct loaded l;
	struct analysis_document stored[4];
	struct analysis_input in = {.documents = stored};

	load(UNKNOWN, NULL, &l);
	for (size_t i = 0; i < l.count; i++)
		stored[in.document_count++] =
		    (struct analysis_document){.resource = l.items[i]};
	expect_found_with("", &in, TOLD);
	/* The store's own is replaced, and nobody is told of that. */
	expect_found_with(ROUTE("r", RULES_TO(LEAD("a"))), &in, "");
	expect_found_with(SERVICE("nobody", HTTP80), &in, "");
}

#define ON_PATH(path, host)                                                    \
	"{match: [{uri: {exact: " path "}}], route: [" LEAD(host) "]}"
#define THRICE                                                                 \
	ON_PATH("/a", "a")                                                     \
	", " ON_PATH("/b", "nobody") ", " ON_PATH("/c", "nobody")

TEST(what_was_said_before_is_subtracted_as_often)
{
	AUTO(analysis_result_fini) struct analysis_result before = {0};
	AUTO(analysis_result_fini) struct analysis_result after = {0};
	char text[ANALYSED_TEXT_MAX];

	analyse(UNKNOWN, NULL, &before);
	analyse(A ROUTE("r", "hosts: [x.y], http: [" THRICE "]"), NULL, &after);
	analysis_subtract(&after, &before);
	EXPECT_STR(analysed_text(&after, text),
	    "IST0101 VirtualService/shop/r "
	    "spec.http[2].route[0].destination\n");
	analysis_subtract(&after, &after);
	EXPECT_EQ(after.count, 0);
}

TEST(levels_and_namespaces_may_be_chosen)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};

	analyse(UNKNOWN SERVICE("b", "{name: web, port: 80}"), NULL, &r);
	EXPECT_EQ(r.count, 2);
	analysis_keep(&r, ANALYSIS_WARNING, S(""));
	EXPECT_EQ(r.count, 1);
	analysis_keep(&r, ANALYSIS_INFO, S("elsewhere"));
	EXPECT_EQ(r.count, 0);
}

TEST(levels_are_read_as_they_are_written)
{
	enum analysis_level level;

	for (int i = ANALYSIS_INFO; i <= ANALYSIS_ERROR; i++) {
		const char *name = analysis_level_name((enum analysis_level)i);

		EXPECT_OK(analysis_level_parse(slice_str(name), &level));
		EXPECT_EQ(level, i);
	}
	EXPECT_ERR(analysis_level_parse(S("loud"), &level), ERR_INVALID);
}

TEST(an_error_that_a_start_would_mend_is_no_objection)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};
	const struct analysis_input living = {.flags = ANALYSIS_LIVING};

#define SUBSET RULE("a", "host: a, subsets: [{name: v1, labels: {v: '1'}}]")
	analyse(A SUBSET, &living, &r);
	EXPECT_EQ(r.count, 2);
	EXPECT_STR(r.items[0].code->id, "IST0173");
	EXPECT_STR(r.items[1].code->id, "MSH0103");
	EXPECT_TRUE(r.items[0].passing);
	EXPECT_TRUE(analysis_objection(&r) == NULL);
}

TEST(programs_get_what_people_get)
{
	AUTO(analysis_result_fini) struct analysis_result r = {0};
	AUTO(arena_fini) struct arena a;
	const struct value *item;

	arena_init(&a, 1 << 20);
	analyse(UNKNOWN, NULL, &r);
	item = analysis_value(&r, &a)->child;
	EXPECT_SLICE(value_get_string(item, S("id"), S("")), S("IST0101"));
	EXPECT_SLICE(value_get_string(item, S("title"), S("")),
	    S("ReferencedResourceNotFound"));
	EXPECT_SLICE(value_get_string(item, S("level"), S("")), S("error"));
	EXPECT_SLICE(
	    value_get_string(item, S("kind"), S("")), S("VirtualService"));
	EXPECT_SLICE(value_get_string(item, S("name"), S("")), S("r"));
	EXPECT_EQ(value_get(item, S("line"))->integer, 4);
	arena_reset(&a);
	a.limit = 64;
	EXPECT_TRUE(analysis_value(&r, &a) == NULL);
}

/* --- what concerns a change ----------------------------------------------- */

/* "kind/name " of what is near the resources from `from` on. */
static const char *
near_text(const char *yaml, size_t from, char out[ANALYSED_TEXT_MAX])
{
	AUTO(loaded_fini) struct loaded l;
	AUTO(analysis_index_free)
	struct analysis_index *x = analysis_index_new(S("mesh.internal"));
	const struct resource *found[LOADED_MAX];
	size_t used = 0, n;

	load(yaml, NULL, &l);
	for (size_t i = 0; i < l.count; i++)
		analysis_index_add(x, l.items[i]);
	n = analysis_index_near(x,
	    (const struct resource *const *)&l.items[from], l.count - from,
	    found, LOADED_MAX);
	out[0] = '\0';
	for (size_t i = 0; i < l.count; i++)
		for (size_t j = 0; j < n; j++)
			if (found[j] == l.items[i])
				used += (size_t)snprintf(out + used,
				    ANALYSED_TEXT_MAX - used, "%.*s/%.*s ",
				    SLICE_ARG(l.items[i]->key.kind),
				    SLICE_ARG(l.items[i]->key.name));
	for (size_t i = 0; i < l.count; i++)
		analysis_index_remove(x, l.items[i]);
	EXPECT_EQ(analysis_index_near(x,
		      (const struct resource *const *)&l.items[from],
		      l.count - from, found, LOADED_MAX),
	    0);
	return out;
}

#define FAR                                                                    \
	OF("v1", "Service", "name: f, namespace: far", "ports: [" HTTP80 "]")
#define LABELLED(name, app)                                                    \
	WORKLOAD(name, "address: 10.0.0.1, labels: {app: " app "}")

TEST(a_change_is_judged_among_what_it_is_tied_to)
{
	static const struct {
		const char *yaml;
		size_t from; /* what changes: from here on */
		const char *near;
	} cases[] = {
	    {FAR A RULE("a", "host: a") ROUTE("r", RULES_TO(LEAD("a"))), 3,
		"Service/a DestinationRule/a "},
	    {FAR ROUTE("r", RULES_TO(LEAD("a"))) A, 2, "VirtualService/r "},
	    {FAR ENTRY("e", "hosts: ['*.w.org'], resolution: NONE")
		    ROUTE("r", RULES_TO(LEAD("a.w.org"))),
		2, "ServiceEntry/e "},
	    {FAR ON_80("g") ROUTE("r", "hosts: [b], gateways: [g], " AWAY), 2,
		"Gateway/g "},
	    {FAR SIDECAR("x", "") SIDECAR("y", ""), 2, "Sidecar/x "},
	    {FAR LABELLED("w1", "a") LABELLED("w2", "b")
		    SIDECAR("x", "workloadSelector: {labels: {app: a}}"),
		3, "WorkloadEntry/w1 "},
	};
	char text[ANALYSED_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		EXPECT_STR(near_text(cases[i].yaml, cases[i].from, text),
		    cases[i].near);
}

TEST(what_very_many_share_does_not_make_a_change_slow)
{
	enum { MANY = 20000 };
	AUTO(loaded_fini) struct loaded l;
	AUTO(analysis_index_free)
	struct analysis_index *x = analysis_index_new(S("mesh.internal"));
	AUTO(mem_free)
	struct resource **all = mem_new_array(MANY, sizeof(struct resource *));
	const struct resource *out[LOADED_MAX];
	const struct resource *changed;

	load(SIDECAR("x", ""), NULL, &l);
	changed = l.items[0];
	for (size_t i = 0; i < MANY; i++) {
		struct loaded one;

		load(SIDECAR("x", ""), NULL, &one);
		all[i] = resource_ref(one.items[0]);
		loaded_fini(&one);
		analysis_index_add(x, all[i]);
	}
	EXPECT_EQ(
	    analysis_index_near(x, &changed, 1, out, LOADED_MAX), LOADED_MAX);
	for (size_t i = 0; i < MANY; i++) {
		analysis_index_remove(x, all[MANY - 1 - i]);
		resource_unref(&all[MANY - 1 - i]);
	}
	EXPECT_EQ(analysis_index_near(x, &changed, 1, out, LOADED_MAX), 0);
}
