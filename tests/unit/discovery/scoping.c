/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scoping — what nobody wants makes no rows, and what is wanted is whole.
 */
#include "mesh.h"
#include "unit.h"

static const struct slice web = {"web.default.svc.mesh.internal", 29};
static struct discovery_scope scope;

static void
want(struct mesh *m, const struct slice *hosts, size_t count)
{
	scope = (struct discovery_scope){.domain = S("mesh.internal"),
	    .hosts = hosts,
	    .count = count,
	    .version = scope.version + 1};
	m->in.scope = &scope;
}

static void
put(struct mesh *m, const char *node, const char *addr,
    const struct gossip_service *services, size_t count)
{
	struct mesh_node n = {
	    .name = node, .addrs = addr, .services = services, .count = count};

	EXPECT_TRUE(mesh_put(m, &n));
}

/* a serves web and db, b web and cache. */
static void
begin(struct mesh *m)
{
	struct gossip_service of_a[] = {
	    mesh_service("web", 8080, "http"), mesh_service("db", 5432, "tcp")};
	struct gossip_service of_b[] = {mesh_service("web", 8080, "http"),
	    mesh_service("cache", 6379, "tcp")};

	mesh_init(m);
	put(m, "a", "10.0.0.2", of_a, ARRAY_LEN(of_a));
	put(m, "b", "10.0.0.3", of_b, ARRAY_LEN(of_b));
}

TEST(what_nobody_wants_makes_no_rows)
{
	struct mesh m;

	begin(&m);
	want(&m, NULL, 0);
	mesh_compile(&m);
	EXPECT_EQ(m.out.service_count, 0);
	EXPECT_STR(mesh_text(&m), "");
	mesh_fini(&m);
}

TEST(a_host_that_is_asked_for_comes_and_goes)
{
	static const char both[] = "web.default:8080 10.0.0.2:8080 healthy\n"
				   "web.default:8080 10.0.0.3:8080 healthy\n";
	struct mesh m;

	begin(&m);
	want(&m, &web, 1);
	mesh_compile(&m);
	EXPECT_EQ(m.out.service_count, 1);
	EXPECT_STR(mesh_text(&m), both);
	want(&m, NULL, 0);
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "");
	want(&m, &web, 1);
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), both);
	mesh_fini(&m);
}

TEST(what_a_rule_leads_to_is_wanted)
{
	struct mesh m;

	begin(&m);
	want(&m, &web, 1);
	mesh_apply(&m,
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: web}\nspec:\n  hosts: [web]\n  tcp:\n"
	    "  - route: [{destination: {host: db}}]\n");
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "db.default:5432 10.0.0.2:5432 healthy\n"
				  "web.default:8080 10.0.0.2:8080 healthy\n"
				  "web.default:8080 10.0.0.3:8080 healthy\n");
	mesh_fini(&m);
}

TEST(what_a_selector_chooses_draws_in_the_whole_service)
{
	struct gossip_label labels[] = {
	    {S("app"), S("web")}, {S("shown"), S("yes")}};
	struct gossip_service shown = mesh_service("web", 8080, "http");
	struct mesh m;

	begin(&m);
	want(&m, NULL, 0);
	mesh_apply(&m, "apiVersion: v1\nkind: Service\nmetadata: {name: show}\n"
		       "spec:\n  selector: {shown: \"yes\"}\n  ports:\n"
		       "  - {name: http, port: 80, targetPort: 8080}\n");
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "");
	shown.labels = labels;
	shown.label_count = ARRAY_LEN(labels);
	put(&m, "c", "10.0.0.4", &shown, 1);
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "show.default:80 10.0.0.4:8080 healthy\n"
				  "web.default:8080 10.0.0.2:8080 healthy\n"
				  "web.default:8080 10.0.0.3:8080 healthy\n"
				  "web.default:8080 10.0.0.4:8080 healthy\n");
	shown.label_count = 1;
	put(&m, "c", "10.0.0.4", &shown, 1);
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "");
	mesh_fini(&m);
}

TEST(a_local_service_draws_in_those_of_its_name)
{
	struct discovery_local local = {.name = S("web"),
	    .ns = S("default"),
	    .protocol = S("http"),
	    .port = 8080,
	    .weight = 100,
	    .target = {ADDR_V4, {127, 0, 0, 1}, 9}};
	struct mesh m;

	begin(&m);
	want(&m, NULL, 0);
	m.in.locals = &local;
	m.in.local_count = 1;
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 3);
	mesh_fini(&m);
}

/* The arrays of before are given again. */
TEST(news_of_what_nobody_wants_is_no_news)
{
	struct gossip_service db = mesh_service("db", 5432, "tcp");
	uint64_t version;
	struct mesh m;

	begin(&m);
	want(&m, &web, 1);
	mesh_compile(&m);
	version = m.out.servings[0].version;
	put(&m, "c", "10.0.0.4", &db, 1);
	mesh_compile(&m);
	EXPECT_EQ(m.out.servings[0].version, version);
	db = mesh_service("web", 8080, "http");
	put(&m, "c", "10.0.0.4", &db, 1);
	mesh_compile(&m);
	EXPECT_NE(m.out.servings[0].version, version);
	EXPECT_EQ(m.endpoint_count, 3);
	mesh_fini(&m);
}

TEST(a_local_service_of_a_namespace_that_nobody_asked_for_is_whole)
{
	struct gossip_service shop = mesh_service("web", 8080, "http");
	struct discovery_local local = {.name = S("web"),
	    .ns = S("shop"),
	    .protocol = S("http"),
	    .port = 8080,
	    .weight = 100,
	    .target = {ADDR_V4, {127, 0, 0, 1}, 9}};
	struct mesh m;

	begin(&m);
	shop.ns = S("shop");
	put(&m, "c", "10.0.0.4", &shop, 1);
	want(&m, &web, 1);
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 2);
	m.in.locals = &local;
	m.in.local_count = 1;
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 4);
	want(&m, NULL, 0);
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 2);
	mesh_fini(&m);
}
