/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolved — endpoints that are written by a name are where that leads.
 */
#include <stdio.h>

#include "compiled.h"
#include "unit.h"

#define ENTRY(spec)                                                            \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: db, namespace: default}\nspec:\n"                    \
	"  hosts: [db.example.com]\n"                                          \
	"  ports: [{number: 80, name: web, protocol: HTTP,\n"                  \
	"    targetPort: 8080}]\n" spec
#define STRICT ENTRY("  resolution: DNS\n")
#define FLOATING ENTRY("  resolution: DNS_ROUND_ROBIN\n")
#define TWO_NAMES                                                              \
	ENTRY("  resolution: DNS\n  endpoints:\n"                              \
	      "  - {address: B.example.com, locality: a/b/c, weight: 3,\n"     \
	      "     ports: {web: 9000}}\n"                                     \
	      "  - {address: a.example.com}\n"                                 \
	      "  - {address: 192.0.2.9}\n")

static const struct addr three[] = {{ADDR_V4, {10, 0, 0, 3}, 0},
    {ADDR_V4, {10, 0, 0, 1}, 0}, {ADDR_V6, {0xfd, [15] = 7}, 0}};

static struct view_name_input
known(struct slice name, size_t count)
{
	return (struct view_name_input){
	    .name = name, .version = 1, .addrs = three, .count = count};
}

static const struct view_cluster *
compile(struct compiled *c, const char *yaml,
    const struct view_name_input *names, size_t count)
{
	compiled_init_from(
	    c, yaml, &(struct view_input){.names = names, .name_count = count});
	return view_find_cluster(c->v, S("outbound|80||db.example.com"));
}

static bool
is_at(const struct view_endpoint *e, const char *address)
{
	char text[ENDPOINT_TEXT_MAX];

	return strcmp(view_endpoint_address(e, text), address) == 0;
}

TEST(a_view_says_which_names_it_needs)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name *names;
	size_t count;

	(void)compile(&c, TWO_NAMES, NULL, 0);
	names = view_names(c.v, &count);
	EXPECT_EQ(count, 2);
	EXPECT_SLICE(names[0].name, S("a.example.com"));
	EXPECT_SLICE(names[1].name, S("b.example.com"));
	EXPECT_FALSE(names[0].in_order);
	EXPECT_EQ(view_name_refresh_us(c.v), 60000000);
}

TEST(without_endpoints_the_host_is_the_name)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name *names;
	size_t count;

	(void)compile(&c, FLOATING, NULL, 0);
	names = view_names(c.v, &count);
	EXPECT_EQ(count, 1);
	EXPECT_SLICE(names[0].name, S("db.example.com"));
	EXPECT_TRUE(names[0].in_order);
}

TEST(a_name_of_which_nobody_knows_is_awaited)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster *to = compile(&c, STRICT, NULL, 0);

	EXPECT_EQ(to->type, VIEW_CLUSTER_STRICT_DNS);
	EXPECT_EQ(to->endpoint_count, 1);
	EXPECT_EQ(to->usable_count, 0);
	EXPECT_EQ(to->awaited_count, 1);
	EXPECT_TRUE(is_at(to->endpoints[0], "db.example.com:8080"));
	EXPECT_SLICE(
	    to->endpoints[0]->reason, S("db.example.com is being looked up"));
}

TEST(one_that_leads_nowhere_says_why)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name_input nowhere = {.name = S("db.example.com"),
	    .version = 1,
	    .reason = S("there is no such name")};
	const struct view_cluster *to = compile(&c, STRICT, &nowhere, 1);

	EXPECT_EQ(to->usable_count, 0);
	EXPECT_EQ(to->awaited_count, 0);
	EXPECT_SLICE(view_cluster_why_none(to),
	    S("db.example.com leads nowhere: there is no such name"));
}

TEST(each_address_is_an_endpoint_at_the_targets_port)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name_input all = known(S("db.example.com"), 3);
	const struct view_cluster *to = compile(&c, STRICT, &all, 1);

	EXPECT_EQ(to->usable_count, 3);
	EXPECT_EQ(to->awaited_count, 0);
	EXPECT_TRUE(is_at(to->endpoints[0], "10.0.0.1:8080"));
	EXPECT_TRUE(is_at(to->endpoints[1], "10.0.0.3:8080"));
	EXPECT_TRUE(is_at(to->endpoints[2], "[fd00::7]:8080"));
	EXPECT_SLICE(to->endpoints[2]->name, S("db.example.com"));
	EXPECT_EQ(to->endpoints[0]->other_count, 0);
	EXPECT_TRUE(to->endpoints[0]->id != to->endpoints[1]->id);
	EXPECT_SLICE(view_cluster_why_none(to), S(""));
}

TEST(an_address_that_stays_keeps_its_id)
{
	AUTO(compiled_fini) struct compiled c, d;
	const struct view_name_input two = known(S("db.example.com"), 2);
	const struct view_name_input one = known(S("db.example.com"), 1);
	const struct view_cluster *before = compile(&c, STRICT, &two, 1);
	const struct view_cluster *after = compile(&d, STRICT, &one, 1);

	EXPECT_TRUE(is_at(before->endpoints[1], "10.0.0.3:8080"));
	EXPECT_TRUE(is_at(after->endpoints[0], "10.0.0.3:8080"));
	EXPECT_EQ(before->endpoints[1]->id, after->endpoints[0]->id);
}

TEST(what_is_written_of_a_name_holds_for_its_addresses)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name_input names[] = {
	    known(S("a.example.com"), 1), known(S("b.example.com"), 2)};
	const struct view_cluster *to = compile(&c, TWO_NAMES, names, 2);

	EXPECT_EQ(to->endpoint_count, 4);
	EXPECT_EQ(to->usable_count, 4);
	EXPECT_EQ(to->locality_count, 2);
	EXPECT_SLICE(to->localities[1].name, S("a/b/c"));
	EXPECT_EQ(to->localities[1].count, 2);
	EXPECT_EQ(to->localities[1].weight, 3); /* not for each address */
	EXPECT_TRUE(is_at(to->endpoints[2], "10.0.0.1:9000"));
	EXPECT_EQ(to->endpoints[2]->weight, 3);
	EXPECT_EQ(to->endpoints[3]->weight, 3);
	EXPECT_EQ(to->localities[0].weight, 2);
}

TEST(one_that_floats_is_one_endpoint_and_the_same_wherever_it_leads)
{
	AUTO(compiled_fini) struct compiled c, d, e;
	const struct view_name_input all = known(S("db.example.com"), 3);
	struct view_name_input moved = all;
	const struct view_cluster *to = compile(&c, FLOATING, &all, 1);
	const struct view_cluster *then, *never;

	EXPECT_EQ(to->type, VIEW_CLUSTER_LOGICAL_DNS);
	EXPECT_EQ(to->endpoint_count, 1);
	EXPECT_EQ(to->usable_count, 1);
	EXPECT_TRUE(to->endpoints[0]->floats);
	EXPECT_TRUE(is_at(to->endpoints[0], "10.0.0.3:8080"));
	EXPECT_EQ(to->endpoints[0]->other_count, 2);
	EXPECT_EQ(to->endpoints[0]->others[0].port, 8080);
	EXPECT_EQ(to->endpoints[0]->others[1].family, ADDR_V6);
	moved.addrs++;
	moved.count = 1;
	then = compile(&d, FLOATING, &moved, 1);
	never = compile(&e, FLOATING, NULL, 0);
	EXPECT_TRUE(is_at(then->endpoints[0], "10.0.0.1:8080"));
	EXPECT_EQ(then->endpoints[0]->id, to->endpoints[0]->id);
	EXPECT_EQ(never->endpoints[0]->id, to->endpoints[0]->id);
}

TEST(workload_entries_by_name_are_chosen_too)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name_input one = known(S("vm.example.com"), 1);
	const struct view_cluster *to = compile(&c,
	    ENTRY("  resolution: DNS\n"
		  "  workloadSelector: {labels: {app: db}}\n"
		  "---\n"
		  "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\n"
		  "metadata: {name: vm, namespace: default}\n"
		  "spec: {address: vm.example.com, labels: {app: db}}\n"),
	    &one, 1);

	EXPECT_EQ(to->usable_count, 1);
	EXPECT_TRUE(is_at(to->endpoints[0], "10.0.0.3:8080"));
	EXPECT_SLICE(to->endpoints[0]->workload, S("vm"));
}

/* An answer of DNS is no reason to look at anything else. */
TEST(another_answer_is_a_patch)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_name_input one = known(S("db.example.com"), 1);
	struct view_input in = {.lists_version = 1, .version = 1};
	struct view *before, *after;
	const struct view_cluster *to;
	size_t x, y;

	compiled_init_from(&c, STRICT, &in);
	in.resources = (const struct resource *const *)c.l.items;
	in.resource_count = c.l.count;
	in.before = before = c.v;
	in.names = &one;
	in.name_count = 1;
	EXPECT_OK(view_compile(&in, &after, NULL));
	EXPECT_TRUE(after != before);
	EXPECT_TRUE(view_names(before, &x) == view_names(after, &y));
	to = view_find_like(
	    after, view_find_cluster(before, S("outbound|80||db.example.com")));
	EXPECT_EQ(to->usable_count, 1);
	in.before = after;
	EXPECT_OK(view_compile(&in, &before, NULL));
	EXPECT_TRUE(before == after); /* nothing is new */
	view_unref(&before);
	view_unref(&after);
}
