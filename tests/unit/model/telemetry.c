/* SPDX-License-Identifier: Apache-2.0 */
/*
 * telemetry — Telemetry: right, wrong, and what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define TM                                                                     \
	"apiVersion: telemetry.istio.io/v1\nkind: Telemetry\n"                 \
	"metadata: {name: x}\nspec:\n"
#define METRICS(words) TM "  metrics: [{overrides: [{" words "}]}]\n"

static const struct mistake wrongs[] = {
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
	expect_mistakes(wrongs, ARRAY_LEN(wrongs));
}

TEST(what_of_a_telemetry_is_not_used_is_warned_of)
{
	static const struct warned rows[] = {
	    {TM "  metrics: [{overrides: [{tagOverrides: {'': {value: "
		"a}}}]}]\n",
		1},
	    {TM "  tracing: [{}, {}]\n", 1},
	    {TM "  tracing: [{providers: [{name: a}, {name: b}]}]\n", 1},
	    {TM "  selector: {}\n", 1},
	    {TM "  accessLogging: [{filter: {expression: "
		"'response.code >= 400'}}]\n",
		0},
	};

	expect_warned(rows, ARRAY_LEN(rows));
}
