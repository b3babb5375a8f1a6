/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields — the tables of fields, walked as paths.
 */
#include <stdio.h>

#include "load.h"
#include "unit.h"

TEST(a_row_is_found_by_its_path_with_or_without_what_is_around)
{
	static const char *const paths[] = {"spec.rules.from.source.principals",
	    "rules.from.source.principals",
	    "rules[3].from[0].source.principals"};
	struct field_place p;
	struct nearest near;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		EXPECT_TRUE(fields_find(&kind_authorization_policy,
		    slice_str(paths[i]), &p, &near));
		EXPECT_STR(p.field->name, "principals");
		EXPECT_EQ(p.flags, FIELD_GUARD);
	}
}

TEST(a_path_that_leads_nowhere_names_what_comes_near)
{
	struct field_place p;
	struct nearest near;

	EXPECT_FALSE(fields_find(
	    &kind_authorization_policy, S("spec.rules.fromm"), &p, &near));
	EXPECT_SLICE(near.wrong, S("fromm"));
	EXPECT_STR(near.best, "from");
}

TEST(a_kind_is_found_whatever_the_case)
{
	EXPECT_TRUE(resource_kind_find(S("VS")) == &kind_virtual_service);
	EXPECT_TRUE(resource_kind_find(S("wasmPlugins")) == &kind_wasm_plugin);
	EXPECT_TRUE(resource_kind_find(S("pod")) == NULL);
}

struct seen {
	size_t rows;
	size_t without_doc;
	size_t wide;
};

static void
look(void *arg, const struct field_place *p)
{
	struct seen *s = arg;
	char type[FIELD_TYPE_MAX];

	s->rows++;
	if (p->field == NULL || p->word != NULL)
		return;
	s->without_doc += p->field->doc == NULL || p->field->doc[0] == 0;
	s->wide +=
	    strlen(field_type_text(p->field, type)) >= FIELD_TYPE_MAX - 1;
}

TEST(every_row_of_every_kind_is_documented)
{
	size_t count;
	const struct resource_kind *const *kinds = resource_kinds(&count);

	for (size_t i = 0; i < count; i++) {
		struct seen s = {0};

		fields_each(kinds[i], look, &s);
		EXPECT_TRUE(s.rows > 1);
		EXPECT_EQ(s.without_doc, 0);
		EXPECT_EQ(s.wide, 0);
	}
}

TEST(what_is_inert_as_a_whole_is_told_once)
{
	struct seen s = {0};

	fields_each_inert(&kind_authorization_policy, look, &s);
	EXPECT_EQ(s.rows, 1);
}
