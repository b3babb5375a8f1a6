/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile — workloads meet Services, whatever the order they come in.
 */
#include "mesh.h"
#include "unit.h"

static const char service_web[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: web}\n"
    "spec:\n"
    "  selector: {app: web}\n"
    "  ports:\n"
    "  - {name: http, port: 80, targetPort: 8080}\n";

static struct mesh_node
node_of(const char *name, const char *addrs, const struct gossip_service *s)
{
	return (struct mesh_node){.name = name,
	    .addrs = addrs,
	    .issued_s = 100,
	    .services = s,
	    .count = 1};
}

TEST(a_service_nobody_wrote_comes_from_its_record)
{
	struct gossip_service web = mesh_service("web", 8080, "http");
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.out.service_count, 1);
	EXPECT_SLICE(m.out.services[0].name, S("web"));
	EXPECT_SLICE(m.out.services[0].origin, S("record of node a"));
	EXPECT_EQ(m.out.services[0].ports[0].port, 8080);
	EXPECT_SLICE(m.out.services[0].ports[0].protocol, S("http"));
	EXPECT_STR(mesh_text(&m), "web.default:8080 10.0.0.2:8080 healthy\n");
	EXPECT_EQ(m.endpoints[0].tunnel.port, 15008);
	EXPECT_EQ(m.out.conflict_count, 0);
	mesh_fini(&m);
}

TEST(a_written_service_overrides_and_selects_by_label)
{
	struct gossip_service web = mesh_service("web", 8080, "http");
	struct gossip_service other = mesh_service("other", 8080, "http");
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh_node b = node_of("b", "10.0.0.3", &other);
	struct mesh m;

	mesh_init(&m);
	other.labels = web.labels; /* the Service's, under another name */
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_TRUE(mesh_put(&m, &b));
	mesh_apply(&m, service_web);
	mesh_compile(&m);
	EXPECT_EQ(m.out.service_count, 1);
	EXPECT_SLICE(m.out.services[0].name, S("other"));
	EXPECT_STR(mesh_text(&m), "other.default:8080 10.0.0.3:8080 healthy\n"
				  "web.default:80 10.0.0.2:8080 healthy\n"
				  "web.default:80 10.0.0.3:8080 healthy\n");
	mesh_fini(&m);
}

TEST(a_record_that_the_written_service_does_not_select_is_reported)
{
	struct gossip_service web = mesh_service("web", 8080, "http");
	struct gossip_service moved = mesh_service("web", 9999, "http");
	struct gossip_label label = {S("app"), S("shop")};
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh_node b = node_of("b", "10.0.0.3", &moved);
	struct mesh m;

	mesh_init(&m);
	web.labels = &label;
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_TRUE(mesh_put(&m, &b));
	mesh_apply(&m, service_web);
	mesh_compile(&m);
	EXPECT_EQ(m.out.service_count, 0);
	EXPECT_EQ(m.endpoint_count, 0);
	EXPECT_EQ(m.out.conflict_count, 2);
	EXPECT_SLICE(m.out.conflicts[0],
	    S("node a offers web.default:8080, but the written Service of that "
	      "name does not select its labels"));
	EXPECT_SLICE(m.out.conflicts[1],
	    S("node b offers web.default:9999, but the written Service of that "
	      "name has no port that leads there"));
	mesh_fini(&m);
}

TEST(the_older_record_says_what_a_port_speaks)
{
	struct gossip_service http = mesh_service("web", 80, "http");
	struct gossip_service tcp = mesh_service("web", 80, "tcp");
	struct mesh_node young = node_of("a", "10.0.0.2", &tcp);
	struct mesh_node old = node_of("b", "10.0.0.3", &http);
	struct mesh m;

	mesh_init(&m);
	young.issued_s = 200;
	EXPECT_TRUE(mesh_put(&m, &young));
	EXPECT_TRUE(mesh_put(&m, &old));
	mesh_compile(&m);
	EXPECT_SLICE(m.out.services[0].ports[0].protocol, S("http"));
	EXPECT_STR(mesh_text(&m), "web.default:80 10.0.0.3:80 healthy\n");
	EXPECT_EQ(m.out.conflict_count, 1);
	EXPECT_SLICE(m.out.conflicts[0],
	    S("node a offers web.default:80 as tcp, which is not used: the "
	      "older record of node b says http"));
	/* But a dead one has no say against the living. */
	old.status = GOSSIP_DOWN;
	EXPECT_TRUE(mesh_put(&m, &old));
	mesh_compile(&m);
	EXPECT_SLICE(m.out.services[0].ports[0].protocol, S("tcp"));
	mesh_fini(&m);
}

TEST(of_two_records_of_one_second_the_first_name_says_it)
{
	struct gossip_service http = mesh_service("web", 80, "http");
	struct gossip_service tcp = mesh_service("web", 80, "tcp");
	struct mesh_node a = node_of("a", "10.0.0.2", &http);
	struct mesh_node b = node_of("b", "10.0.0.3", &tcp);
	struct mesh m;

	/* Their ids, which nobody knows, say the opposite. */
	a.id = "z";
	b.id = "c";
	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &b));
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_SLICE(m.out.services[0].ports[0].protocol, S("http"));
	EXPECT_EQ(m.out.conflict_count, 1);
	mesh_fini(&m);
}

TEST(only_evidence_takes_an_endpoint_out)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node nodes[] = {
	    node_of("a", "10.0.0.2", &web),
	    node_of("b", "10.0.0.3", &web),
	    node_of("c", "10.0.0.4", &web),
	    node_of("d", "10.0.0.5", &web),
	    node_of("e", "10.0.0.6", &web),
	};
	struct mesh m;

	mesh_init(&m);
	nodes[0].status = GOSSIP_SUSPECT;
	nodes[1].status = GOSSIP_DOWN;
	nodes[2].status = GOSSIP_LEFT;
	nodes[3].unhealthy = 1;
	nodes[4].health = GOSSIP_DRAINING;
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		EXPECT_TRUE(mesh_put(&m, &nodes[i]));
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "web.default:80 10.0.0.2:80 healthy\n"
				  "web.default:80 10.0.0.3:80 down\n"
				  "web.default:80 10.0.0.4:80 down\n"
				  "web.default:80 10.0.0.5:80 unhealthy\n"
				  "web.default:80 10.0.0.6:80 draining\n");
	EXPECT_SLICE(m.endpoints[2].reason, S("node c has left"));
	mesh_fini(&m);
}

TEST(an_address_of_a_family_that_we_have_is_picked)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node both = node_of("a", "fd00::2,10.0.0.2", &web);
	struct mesh_node six = node_of("b", "fd00::3", &web);
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &both));
	EXPECT_TRUE(mesh_put(&m, &six));
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "web.default:80 10.0.0.2:80 healthy\n"
				  "web.default:80 [fd00::3]:80 unhealthy\n");
	m.in.families = DISCOVERY_V4 | DISCOVERY_V6;
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "web.default:80 [fd00::2]:80 healthy\n"
				  "web.default:80 [fd00::3]:80 healthy\n");
	mesh_fini(&m);
}

TEST(a_tunnel_may_take_the_other_family_where_both_ends_have_it)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node both = {.name = "a",
	    .addrs = "10.0.0.2,172.17.0.1,fd00::2,fd00::3",
	    .services = &web,
	    .count = 1};
	struct mesh m;
	char text[ADDR_TEXT_MAX];

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &both));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoints[0].other_tunnel.family, ADDR_NONE);
	m.in.families = DISCOVERY_V4 | DISCOVERY_V6;
	mesh_compile(&m);
	EXPECT_STR(addr_format(&m.endpoints[0].tunnel, text), "10.0.0.2:15008");
	EXPECT_STR(
	    addr_format(&m.endpoints[0].other_tunnel, text), "[fd00::2]:15008");
	mesh_fini(&m);
}

TEST(a_local_service_is_exposed_and_called_where_it_listens)
{
	struct label app = {S("app"), S("web")};
	struct discovery_local web = {.name = S("web"),
	    .ns = S("default"),
	    .account = S("web"),
	    .protocol = S("http"),
	    .labels = {&app, 1},
	    .port = 80,
	    .weight = 100,
	    .target = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 81}};
	struct mesh m;

	mesh_init(&m);
	m.in.locals = &web;
	m.in.local_count = 1;
	mesh_apply(&m, service_web);
	mesh_compile(&m);
	EXPECT_EQ(m.out.exposed_count, 1);
	EXPECT_EQ(m.out.exposed[0].addr.port, 80);
	EXPECT_TRUE(addr_is_any(&m.out.exposed[0].addr));
	EXPECT_EQ(m.out.exposed[0].target.port, 81);
	EXPECT_STR(mesh_text(&m), "web.default:80 127.0.0.1:81 healthy\n");
	EXPECT_EQ(m.endpoints[0].tunnel.family, ADDR_NONE);
	web.unhealthy = S("GET /: 503");
	mesh_compile(&m);
	EXPECT_STR(mesh_text(&m), "web.default:80 127.0.0.1:81 unhealthy\n");
	EXPECT_SLICE(m.endpoints[0].reason, S("GET /: 503"));
	mesh_fini(&m);
}

TEST(of_two_nodes_at_one_address_the_older_is_used)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh_node b = node_of("b", "10.0.0.2", &web);
	struct mesh m;

	mesh_init(&m);
	a.issued_s = 300;
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_TRUE(mesh_put(&m, &b));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 1);
	EXPECT_SLICE(m.endpoints[0].node, S("b"));
	EXPECT_EQ(m.out.conflict_count, 1);
	mesh_fini(&m);
}

TEST(what_lost_its_name_or_its_voucher_is_left_out)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh m;

	mesh_init(&m);
	a.name_lost = true;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 0);
	EXPECT_EQ(m.out.conflict_count, 1);
	a.name_lost = false;
	EXPECT_TRUE(mesh_put(&m, &a));
	m.in.now_s = 2000;
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 0);
	EXPECT_EQ(m.out.conflict_count, 0);
	mesh_fini(&m);
}

TEST(a_revoked_node_serves_nothing_until_it_joined_anew)
{
	static const struct ca_revocation revoked = {
	    .identity = {"spiffe://mesh.internal/ns/meshd-nodes/sa/a", 42},
	    .since_ms = 200 * 1000};
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = node_of("a", "10.0.0.2", &web);
	struct mesh_node b = node_of("b", "10.0.0.3", &web);
	struct mesh m;

	mesh_init(&m);
	m.in.revocations = &revoked;
	m.in.revocation_count = 1;
	a.issued_s = 100;
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_TRUE(mesh_put(&m, &b));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 1);
	EXPECT_SLICE(m.endpoints[0].node, S("b"));
	a.issued_s = 300;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 2);
	mesh_fini(&m);
}

/* --- order does not matter ------------------------------------------------ */

static const char *const yaml[] = {
    service_web,
    "apiVersion: v1\nkind: Service\nmetadata: {name: all}\n"
    "spec:\n  selector: {app: web}\n  ports:\n  - {name: tcp, port: 8080}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n"
    "spec:\n  ports:\n  - {name: tcp, port: 5432}\n",
};

static const char *
compile_in_order(struct mesh *m, struct rng *rng)
{
	static const char *const names[] = {"web", "db", "cache"};
	static const char *const addrs[] = {
	    "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.2", "10.0.0.6"};
	static const char *const ids[] = {"a", "b", "c", "d", "e"};
	size_t order[] = {0, 1, 2, 3, 4};
	size_t first = rng_below(rng, ARRAY_LEN(yaml));

	for (size_t i = ARRAY_LEN(order) - 1; i > 0; i--) {
		size_t j = rng_below(rng, i + 1);
		size_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		size_t k = order[i];
		struct gossip_service s[] = {
		    mesh_service(names[k % 3], 8080, k == 2 ? "tcp" : "http"),
		    mesh_service(names[(k + 1) % 3], 5432, "tcp"),
		};
		struct mesh_node n = {.name = ids[k],
		    .addrs = addrs[k],
		    .issued_s = (uint32_t)(100 * (k % 2)),
		    .services = s,
		    .count = 2};

		EXPECT_TRUE(mesh_put(m, &n));
	}
	for (size_t i = 0; i < ARRAY_LEN(yaml); i++)
		mesh_apply(m, yaml[(first + i) % ARRAY_LEN(yaml)]);
	mesh_compile(m);
	return mesh_text(m);
}

TEST(shuffled_inputs_give_the_same_output)
{
	struct rng rng;
	struct mesh first;

	rng_init(&rng, 7);
	mesh_init(&first);
	(void)compile_in_order(&first, &rng);
	EXPECT_TRUE(first.out.conflict_count > 0);
	for (int round = 0; round < 50; round++) {
		struct mesh m;

		mesh_init(&m);
		EXPECT_STR(compile_in_order(&m, &rng), mesh_text(&first));
		EXPECT_EQ(m.out.conflict_count, first.out.conflict_count);
		for (size_t i = 0; i < m.out.conflict_count; i++)
			EXPECT_SLICE(
			    m.out.conflicts[i], first.out.conflicts[i]);
		EXPECT_EQ(m.out.service_count, first.out.service_count);
		mesh_fini(&m);
	}
	mesh_fini(&first);
}
