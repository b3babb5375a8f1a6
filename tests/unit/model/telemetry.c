/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — Telemetry: right, wrong, and what is said about each.
 */
#include <stdio.h>

#include "codec/codec.h"
#include "load.h"
#include "unit.h"

#define TM                                                                     \
	"apiVersion: telemetry.istio.io/v1\nkind: Telemetry\n"                 \
	"metadata: {name: x}\nspec:\n"
#define METRICS(words) TM "  metrics: [{overrides: [{" words "}]}]\n"

static const struct wrong {
	const char *yaml;
	const char *field;
	const char *words;
} wrongs[] = {
    {TM "  tracing: [{providers: [{}]}]\n", "spec.tracing[0].providers[0].name",
	"is required"},
    {TM "  tracing: [{randomSamplingPercentage: 100.5}]\n",
	"spec.tracing[0].randomSamplingPercentage", "not in range"},
    {TM "  tracing: [{customTags: {a: {literal: {value: ''}}}}]\n",
	"spec.tracing[0].customTags[\"a\"].literal.value", "empty"},
    {TM "  tracing: [{customTags: {'': {literal: {value: a}}}}]\n",
	"spec.tracing[0].customTags[\"\"]", "name of the tag"},
    {TM "  tracing: [{customTags: {a: {header: {}}}}]\n",
	"spec.tracing[0].customTags[\"a\"].header.name", "is required"},
    {METRICS("match: {metric: REQUEST_CONT}"),
	"spec.metrics[0].overrides[0].match.metric",
	"did you mean \"REQUEST_COUNT\""},
    {METRICS("tagOverrides: {a: {operation: UPSERT}}"),
	"spec.metrics[0].overrides[0].tagOverrides[\"a\"].value",
	"must be set"},
    {METRICS("tagOverrides: {a: {operation: REMOVE, value: b}}"),
	"spec.metrics[0].overrides[0].tagOverrides[\"a\"].value",
	"may only be set"},
    {TM "  metrics: [{reportingInterval: soon}]\n",
	"spec.metrics[0].reportingInterval", "no duration"},
    {TM "  accessLogging: [{filter: {}}]\n",
	"spec.accessLogging[0].filter.expression", ""},
    {TM "  accessLogging: [{filter: {expression: 'a b'}}]\n",
	"spec.accessLogging[0].filter.expression", ""},
    {TM "  selector: {matchLabels: {'': b}}\n",
	"spec.selector.matchLabels[\"\"]", "name of a label is missing"},
};

TEST(each_mistake_in_a_telemetry_is_named)
{
	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		AUTO(loaded_fini) struct loaded l;
		const struct fault *f;

		load(wrongs[i].yaml, "x.yaml", &l);
		EXPECT_EQ(l.count, 0);
		f = find_error(&l, wrongs[i].words);
		if (f == NULL)
			EXPECT_STR(l.found.errors.count > 0
				       ? l.found.errors.items[0].text
				       : wrongs[i].yaml,
			    wrongs[i].words);
		EXPECT_STR(f->field, wrongs[i].field);
	}
}

TEST(what_of_a_telemetry_is_not_used_is_warned_of)
{
	static const struct {
		const char *spec;
		size_t warnings;
	} rows[] = {
	    {"  metrics: [{overrides: [{tagOverrides: {'': {value: "
	     "a}}}]}]\n",
		1},
	    {"  tracing: [{}, {}]\n", 1},
	    {"  tracing: [{providers: [{name: a}, {name: b}]}]\n", 1},
	    {"  selector: {}\n", 1},
	    {"  accessLogging: [{filter: {expression: "
	     "'response.code >= 400'}}]\n",
		0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(loaded_fini) struct loaded l;
		char yaml[512];

		(void)snprintf(yaml, sizeof(yaml), "%s%s", TM, rows[i].spec);
		load(yaml, NULL, &l);
		EXPECT_EQ(l.count, 1);
		EXPECT_EQ(l.found.warnings.count, rows[i].warnings);
	}
}
