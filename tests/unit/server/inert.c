/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inert — what is not in force, by resource: counted, and told in order.
 */
#include "unit.h"

#include <stdio.h>

#include "inert.h"

static void
find(struct findings *f, bool guards, const char *field)
{
	struct fault why = {0};

	(void)fault_set(&why, guards ? ERR_UNSUPPORTED : OK, "words");
	why.id = guards ? "MSH0002" : "MSH0001";
	memcpy(why.field, field, strlen(field) + 1);
	findings_add_inert(f, &why);
}

/* Another field each time: what is said twice counts once. */
static void
find_some(struct findings *f, int count)
{
	for (int n = 0; n < count; n++) {
		char field[16];

		(void)snprintf(field, sizeof(field), "a%d", n);
		find(f, false, field);
	}
}

struct told {
	char text[512];
	size_t left; /* stops at 0 */
};

static bool
tell(void *arg, const struct server_inert *row)
{
	struct told *t = arg;
	size_t len = strlen(t->text);

	EXPECT_SLICE(row->text, S("words"));
	(void)snprintf(t->text + len, sizeof(t->text) - len, "%.*s %.*s%s; ",
	    SLICE_ARG(row->resource), SLICE_ARG(row->field),
	    row->guards ? "!" : "");
	return --t->left > 0;
}

TEST(guards_come_first_then_by_resource)
{
	AUTO(findings_fini) struct findings one = {0};
	AUTO(findings_fini) struct findings two = {0};
	AUTO(inert_fini) struct inert i;
	struct told t = {.left = 100};

	inert_init(&i);
	find(&one, false, "spec.a");
	find(&two, false, "spec.b");
	find(&two, true, "spec.c");
	inert_put(&i, S("g/Kind/ns/x"), &one);
	inert_put(&i, S("/Service/ns/x"), &two);
	inert_each(&i, tell, &t);
	EXPECT_STR(t.text,
	    "Service/ns/x spec.c!; Service/ns/x spec.b; Kind/ns/x spec.a; ");
	EXPECT_EQ(i.all.resources, 2);
	EXPECT_EQ(i.all.fields, 3);
	EXPECT_EQ(i.guards.resources, 1);
	EXPECT_EQ(i.guards.fields, 1);
}

TEST(what_was_said_before_is_taken_back)
{
	AUTO(findings_fini) struct findings bad = {0};
	AUTO(findings_fini) struct findings good = {0};
	AUTO(inert_fini) struct inert i;
	struct told t = {.left = 100};

	inert_init(&i);
	find(&bad, true, "kind");
	inert_put(&i, S("g/Kind/ns/x"), &bad);
	inert_put(&i, S("g/Kind/ns/x"), &bad);
	EXPECT_EQ(i.guards.fields, 1);
	inert_put(&i, S("g/Kind/ns/x"), &good);
	inert_put(&i, S("g/Kind/ns/y"), NULL);
	inert_each(&i, tell, &t);
	EXPECT_STR(t.text, "");
	EXPECT_EQ(i.all.resources, 0);
	EXPECT_EQ(i.all.fields, 0);
	EXPECT_EQ(i.guards.resources, 0);
	EXPECT_EQ(i.guards.fields, 0);
}

TEST(who_has_heard_enough_hears_no_more)
{
	AUTO(findings_fini) struct findings f = {0};
	AUTO(inert_fini) struct inert i;
	struct told t = {.left = 2};

	inert_init(&i);
	find_some(&f, 5);
	inert_put(&i, S("g/Kind/ns/x"), &f);
	inert_each(&i, tell, &t);
	EXPECT_STR(t.text, "Kind/ns/x a0; Kind/ns/x a1; ");
}

TEST(a_guard_is_told_however_much_there_is)
{
	AUTO(findings_fini) struct findings f = {0};
	AUTO(inert_fini) struct inert i;
	struct told t = {.left = 1};

	inert_init(&i);
	find_some(&f, FAULTS_MAX + 7);
	find(&f, true, "kind");
	EXPECT_EQ(f.guards, 1);
	EXPECT_EQ(f.inert.count, FAULTS_MAX);
	EXPECT_EQ(f.inert.dropped, 8);
	inert_put(&i, S("g/Kind/ns/x"), &f);
	inert_each(&i, tell, &t);
	EXPECT_STR(t.text, "Kind/ns/x kind!; ");
	EXPECT_EQ(i.all.fields, FAULTS_MAX + 8);
}
