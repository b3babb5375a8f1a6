/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_clusters — where inbound connections lead on this machine, and with
 * which bounds.
 */
#include "machine.h"
#include "unit.h"

#define ENTRY                                                                  \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec: {hosts: [web.shop.com], resolution: STATIC,\n"                  \
	"  location: MESH_INTERNAL, endpoints: [{address: 10.0.0.7}],\n"       \
	"  ports: [{number: 80, name: http, protocol: HTTP}]}\n---\n"
#define INGRESS(rest)                                                          \
	"apiVersion: networking.istio.io/v1\nkind: Sidecar\n"                  \
	"metadata: {name: s, namespace: shop}\n"                               \
	"spec:\n  ingress:\n"                                                  \
	"  - {port: {number: 80, name: h, protocol: HTTP}" rest "}\n---\n"
#define POOL(n) "{tcp: {maxConnections: " n "}}"
#define RULE(name, rest)                                                       \
	"apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"          \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec: {host: web.shop.com, " rest "}\n---\n"

static const struct view_cluster *
port_80(const struct machine *m)
{
	return view_find_cluster(m->v, S("inbound|80||"));
}

/* Where a default endpoint leads; "called" if to where it was called. */
static const char *
leads_to(const struct machine *m)
{
	static char text[ENDPOINT_TEXT_MAX];
	const struct view_cluster *c = port_80(m);

	if (c->type == VIEW_CLUSTER_ORIGINAL_DST)
		return "called";
	EXPECT_EQ(c->type, VIEW_CLUSTER_STATIC);
	EXPECT_EQ(c->endpoint_count, 1);
	EXPECT_EQ(c->usable_count, 1);
	return view_endpoint_address(c->endpoints[0], text);
}

TEST(a_program_is_where_it_was_called_unless_somebody_says_more)
{
	AUTO(machine_fini) struct machine called, local, ingress;

	machine_init(&called, ENTRY);
	EXPECT_STR(leads_to(&called), "called");
	machine_init(&local,
	    ENTRY "apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
		  "metadata: {name: default}\n"
		  "spec: {inboundTrafficPolicy: {mode: LOCALHOST}}\n");
	EXPECT_STR(leads_to(&local), "127.0.0.1:80");
	machine_init(&ingress, INGRESS(""));
	EXPECT_STR(leads_to(&ingress), "called");
}

TEST(a_default_endpoint_says_where)
{
	static const struct {
		const char *yaml;
		const char *where;
	} rows[] = {
	    {INGRESS(", defaultEndpoint: '127.0.0.1:8080'"), "127.0.0.1:8080"},
	    {INGRESS(", defaultEndpoint: '0.0.0.0:9999'"), "10.0.0.7:9999"},
	    /* The machine has no address of IPv6. */
	    {INGRESS(", defaultEndpoint: '[::]:9999'"), "[::1]:9999"},
	    {INGRESS(", defaultEndpoint: '[::1]:8080'"), "127.0.0.1:8080"},
	    {INGRESS(", defaultEndpoint: 'unix:///run/app.sock'"),
		"/run/app.sock"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(machine_fini) struct machine m;

		machine_init(&m, rows[i].yaml);
		EXPECT_STR(leads_to(&m), rows[i].where);
	}
}

TEST(on_a_machine_of_ipv6_loopback_is_of_it)
{
	AUTO(machine_fini) struct machine m;

	machine_init(&m, INGRESS(", defaultEndpoint: '127.0.0.1:8080'"));
	EXPECT_OK(addr_parse_ip(S("2001:db8::7"), &m.addr));
	machine_compile(&m);
	EXPECT_STR(leads_to(&m), "[::1]:8080");
}

/* --- bounds --------------------------------------------------------------- */

static uint32_t
most(const struct machine *m)
{
	return port_80(m)->policy->limits.connections;
}

TEST(the_bounds_of_callers_hold_here_too)
{
	AUTO(machine_fini) struct machine m, selecting, at_ingress;

	machine_init(&m,
	    ENTRY RULE("r", "trafficPolicy: {connectionPool: " POOL("7") "}"));
	EXPECT_EQ(most(&m), 7);
	EXPECT_SLICE(port_80(&m)->origin.key.name, S("r"));
	/* One for some callers is for callers only. */
	machine_init(&selecting,
	    ENTRY RULE("r", "workloadSelector: {matchLabels: {app: web}}, "
			    "trafficPolicy: {connectionPool: " POOL("7") "}"));
	EXPECT_EQ(most(&selecting), VIEW_UNBOUNDED);
	machine_init(&at_ingress,
	    ENTRY INGRESS("")
		RULE("r", "trafficPolicy: {connectionPool: " POOL("7") "}"));
	EXPECT_EQ(most(&at_ingress), 7);
}

TEST(a_sidecar_bounds_its_own_port_before_all)
{
	AUTO(machine_fini) struct machine all, one;

	machine_init(&all,
	    ENTRY RULE("r",
		"trafficPolicy: {connectionPool: " POOL(
		    "7") "}") "apiVersion: networking.istio.io/v1\nkind: "
			      "Sidecar\n"
			      "metadata: {name: s, namespace: shop}\n"
			      "spec: {inboundConnectionPool: " POOL("8") "}\n");
	EXPECT_EQ(most(&all), 8);
	machine_init(&one, "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
			   "metadata: {name: s, namespace: shop}\n"
			   "spec: {inboundConnectionPool: " POOL(
			       "8") ",\n"
				    "  ingress: [{port: {number: 80, name: h, "
				    "protocol: HTTP},\n"
				    "    connectionPool: " POOL("9") "}]}\n");
	EXPECT_EQ(most(&one), 9);
}

TEST(what_passes_through_has_no_bounds)
{
	AUTO(machine_fini) struct machine m;
	const struct view_cluster *c;

	machine_init(&m, "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
			 "metadata: {name: s, namespace: shop}\n"
			 "spec: {inboundConnectionPool: " POOL("8") "}\n");
	c = view_find_cluster(m.v, S("InboundPassthroughCluster"));
	EXPECT_EQ(c->type, VIEW_CLUSTER_ORIGINAL_DST);
	EXPECT_EQ(c->policy->limits.connections, VIEW_UNBOUNDED);
	c = view_find_cluster(m.v, S("BlackHoleCluster"));
	EXPECT_EQ(c->type, VIEW_CLUSTER_STATIC);
	EXPECT_EQ(c->endpoint_count, 0);
}
