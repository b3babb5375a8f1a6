/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workloads — WorkloadEntries and machines that a selector chooses.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define CHOOSING(resolution, ports)                                            \
	ENTRY("e", "hosts: [e.com], resolution: " resolution                   \
		   ", location: MESH_INTERNAL, ports: [" ports                 \
		   "], workloadSelector: {labels: {app: db}}")
#define SQL "{number: 80, name: sql, protocol: TCP}"
#define SQL_TO "{number: 80, name: sql, protocol: TCP, targetPort: 81}"
#define IS_DB "labels: {app: db}"

/* "192.0.2.1:80 a, …": address and workload. */
static const char *
seen(const struct compiled *c, const char *name)
{
	static char text[1024];
	const struct view_cluster *of =
	    view_find_cluster(c->v, slice_str(name));
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; of != NULL && i < of->endpoint_count; i++) {
		char addr[ENDPOINT_TEXT_MAX];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %.*s",
		    n > 0 ? ", " : "",
		    view_endpoint_address(of->endpoints[i], addr),
		    SLICE_ARG(of->endpoints[i]->workload));
	}
	return text;
}

static const char *
of_entry(const char *yaml)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c, yaml);
	return seen(&c, "outbound|80||e.com");
}

TEST(an_entry_chooses_by_labels_in_its_namespace)
{
	EXPECT_STR(of_entry(CHOOSING("STATIC", SQL) WORKLOAD(
		       "a", "address: 192.0.2.1, " IS_DB) WORKLOAD("b",
		       "address: 192.0.2.2, labels: {app: web}") OF(NET,
		       "WorkloadEntry", "name: c, namespace: other",
		       "address: 192.0.2.3, " IS_DB) DOC(NET, "WorkloadEntry",
		       NAMED("d") ", labels: {app: db}",
		       "spec: {address: 192.0.2.4, labels: {app: "
		       "web}}")),
	    "192.0.2.1:80 a, 192.0.2.4:80 d");
}

TEST(the_workloads_port_of_that_name_comes_before_the_target)
{
	EXPECT_STR(of_entry(CHOOSING("STATIC", SQL_TO) WORKLOAD(
		       "a", "address: 192.0.2.1, " IS_DB) WORKLOAD("b",
		       "address: 192.0.2.2, ports: {sql: 82}, " IS_DB)),
	    "192.0.2.1:81 a, 192.0.2.2:82 b");
}

TEST(names_are_chosen_only_where_names_are_resolved)
{
#define NAMED_ONE                                                              \
	WORKLOAD("a", "address: a.example.com, " IS_DB)                        \
	WORKLOAD("b", "address: 192.0.2.2, " IS_DB)

	EXPECT_STR(
	    of_entry(CHOOSING("STATIC", SQL) NAMED_ONE), "192.0.2.2:80 b");
	EXPECT_STR(of_entry(CHOOSING("DNS", SQL) NAMED_ONE),
	    "192.0.2.2:80 b, a.example.com:80 a");
	/* None at all: upstream has no such cluster. */
	EXPECT_STR(of_entry(CHOOSING("DNS", SQL)), "");
}

TEST(a_service_chooses_entries_too)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    SERVICE_OF("db", "selector: {app: db}, ports: [{name: sql, port: "
			     "80, targetPort: admin}]")
		WORKLOAD("a", "address: 192.0.2.1, ports: {admin: 9}, " IS_DB)
		    WORKLOAD("b", "address: 192.0.2.2, ports: {sql: 8}, " IS_DB)
			WORKLOAD("c", "address: 192.0.2.3, " IS_DB));
	EXPECT_STR(seen(&c, "outbound|80||db.shop.svc.cluster.local"),
	    "192.0.2.1:9 a, 192.0.2.2:8 b, 192.0.2.3:80 c");
}

#define TUNNELLED(protocols)                                                   \
	"labels: {app: db, networking.istio.io/tunnel: \"" protocols "\"}"
#define SQL_ENTRY CHOOSING("STATIC", SQL)
#define CLUSTER "outbound|80||e.com"

/* A ztunnel is at its address, and who it speaks for is known. */
TEST(a_workload_may_take_tunnels)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_endpoint *const *all;

	compiled_init(&c,
	    SQL_ENTRY WORKLOAD("a",
		"address: 192.0.2.1, serviceAccount: sql, " TUNNELLED("http"))
		WORKLOAD("b",
		    "address: 192.0.2.2, serviceAccount: sql, " TUNNELLED("no"))
		    WORKLOAD("c", "address: 192.0.2.3, " TUNNELLED("http")));
	EXPECT_STR(seen(&c, CLUSTER), "192.0.2.1:80 a, 192.0.2.2:80 b, "
				      "192.0.2.3:80 c");
	all = view_find_cluster(c.v, S(CLUSTER))->endpoints;
	EXPECT_EQ(all[0]->tunnel.port, VIEW_TUNNEL_PORT);
	EXPECT_SLICE(
	    all[0]->identity, S("spiffe://mesh.internal/ns/shop/sa/sql"));
	EXPECT_EQ(all[1]->tunnel.family, ADDR_NONE);
	EXPECT_FALSE(all[2]->usable);
	EXPECT_SLICE(all[2]->reason,
	    S("a tunnel, and no serviceAccount that is to be expected "
	      "there"));
}

/* What machines offer: the first two on one port, under two services. */
static void
offer(struct view_endpoint_input out[3])
{
	static const struct label db[] = {{{"app", 3}, {"db", 2}}};

	for (size_t i = 0; i < 3; i++) {
		out[i] = (struct view_endpoint_input){.service = S("db"),
		    .service_ns = S("shop"),
		    .service_port = (uint16_t)(80 + i),
		    .node = S("n1"),
		    .workload = S("w"),
		    .ns = S("shop"),
		    .account = S("sql"),
		    .labels = {db, 1},
		    .weight = 1};
		EXPECT_OK(addr_parse(S("10.0.0.1:80"), &out[i].addr));
		EXPECT_OK(addr_parse(S("10.0.0.1:15008"), &out[i].tunnel));
	}
	out[2].addr.port = 99;
}

TEST(an_entry_chooses_what_machines_offer_on_that_port)
{
	struct view_endpoint_input offers[3];
	const struct view_input in = {.endpoints = offers, .endpoint_count = 3};
	AUTO(compiled_fini) struct compiled c;
	const struct view_endpoint *e;

	offer(offers);
	compiled_init_from(&c, CHOOSING("STATIC", SQL), &in);
	EXPECT_STR(seen(&c, "outbound|80||e.com"), "10.0.0.1:80 w");
	e = view_find_cluster(c.v, S("outbound|80||e.com"))->endpoints[0];
	EXPECT_EQ(e->tunnel.port, 15008);
	EXPECT_SLICE(e->identity, S("spiffe://mesh.internal/ns/shop/sa/sql"));
	EXPECT_TRUE(e->mutual);
}

TEST(who_has_an_account_wants_mutual_tls_unless_a_label_or_policy_says_no)
{
	static const struct {
		const char *yaml;
		bool mutual;
	} rows[] = {
	    {WORKLOAD("a", "address: 192.0.2.1, " IS_DB), false},
	    {WORKLOAD("a", "address: 192.0.2.1, serviceAccount: x, " IS_DB),
		true},
	    {WORKLOAD("a", "address: 192.0.2.1, serviceAccount: x, labels: "
			   "{app: db, security.istio.io/tlsMode: disabled}"),
		false},
	    {WORKLOAD("a", "address: 192.0.2.1, serviceAccount: x, " IS_DB)
		    POLICY("PeerAuthentication", "p",
			"selector: {matchLabels: {app: db}}, mtls: {mode: "
			"STRICT}, portLevelMtls: {80: {mode: DISABLE}}"),
		false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled c;
		char yaml[4096];

		(void)snprintf(yaml, sizeof(yaml), "%s%s",
		    CHOOSING("STATIC", SQL), rows[i].yaml);
		compiled_init(&c, yaml);
		EXPECT_EQ(view_find_cluster(c.v, S("outbound|80||e.com"))
			      ->endpoints[0]
			      ->mutual,
		    rows[i].mutual);
	}
}

TEST(sockets_get_no_calls_and_own_names_are_looked_up)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_cluster *of;

	compiled_init(&c,
	    ENTRY("u", "hosts: [u.com], resolution: STATIC, ports: [" SQL
		       "], endpoints: [{address: 'unix:///run/app.sock'}]")
		ENTRY("d",
		    "hosts: [d.com], resolution: DNS, ports: [" SQL_TO "]"));
	EXPECT_STR(seen(&c, "outbound|80||u.com"),
	    "/run/app.sock unix:///run/app.sock");
	EXPECT_STR(seen(&c, "outbound|80||d.com"), "d.com:81 d");
	of = view_find_cluster(c.v, S("outbound|80||d.com"));
	EXPECT_EQ(of->usable_count, 0);
	EXPECT_EQ(of->awaited_count, 1);
	EXPECT_SLICE(of->endpoints[0]->reason, S("d.com is being looked up"));
}
