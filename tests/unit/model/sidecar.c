/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sidecar — what a scope sees of the mesh: exportTo, and which Sidecar holds.
 */
#include <stdio.h>

#include "calls.h"
#include "expect.h"
#include "unit.h"

#define IN(ns, kind, name, day)                                                \
	"kind: " kind "\nmetadata: {name: " name ", namespace: " ns ",\n"      \
	"  creationTimestamp: '2026-01-" day "T00:00:00Z'}\n"
#define SVC(ns, name)                                                          \
	"apiVersion: v1\n" IN(                                                 \
	    ns, "Service", name, "01") "spec: {ports: [{name: http, port: "    \
				       "80}, {name: http-b, port: "            \
				       "81}]}\n---\n"
#define ISTIO "apiVersion: networking.istio.io/v1\n"
#define SIDECAR(ns, name, day, spec)                                           \
	ISTIO IN(ns, "Sidecar", name, day) "spec: {" spec "}\n---\n"
#define VS(ns, name, day, spec)                                                \
	ISTIO IN(ns, "VirtualService", name, day) "spec: {" spec "}\n---\n"
#define SEES(host) "egress: [{hosts: ['" host "']}]"
#define SERVICES SVC("one", "a") SVC("one", "b") SVC("two", "c")

static bool
sees(const struct compiled *c, const char *host)
{
	return view_find_host(c->v, NULL, slice_str(host), 80) != NULL;
}

/* From the place of a workload with one label, "app". */
static void
init_at(struct compiled *c, const char *yaml, const char *ns, const char *app)
{
	const struct label l = {S("app"), slice_str(app)};

	compiled_init_from(c, yaml,
	    &(struct view_input){.ns = slice_str(ns), .labels = {&l, 1}});
}

/* What a workload `app` in namespace one sees of a, b and c: "a-c". */
static struct slice
seen(struct compiled *c, const char *yaml, const char *app)
{
	static const char *const hosts[] = {"a.one", "b.one", "c.two"};
	static char text[ARRAY_LEN(hosts) + 1];

	init_at(c, yaml, "one", app);
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		text[i] = sees(c, hosts[i]) ? hosts[i][0] : '-';
	compiled_fini(c);
	return slice_str(text);
}

TEST(a_sidecar_names_what_is_seen)
{
	static const struct {
		const char *egress;
		const char *seen;
	} rows[] = {
	    {"egress: [{hosts: ['./*']}]", "ab-"},
	    {"egress: [{hosts: ['two/*']}]", "--c"},
	    {"egress: [{hosts: ['*/*']}]", "abc"},
	    {"egress: [{hosts: ['~/*']}]", "---"},
	    {"egress: [{hosts: ['*/*', '~one/*']}]", "--c"},
	    {"egress: [{hosts: ['*/*', '~/b.one.svc.cluster.local']}]", "a-c"},
	    {"egress: [{hosts: ['one/a.one.svc.cluster.local']}]", "a--"},
	    {"egress: [{hosts: ['two/a.one.svc.cluster.local']}]", "---"},
	    {"egress: [{hosts: ['*/*.two.svc.cluster.local']}]", "--c"},
	    {"outboundTrafficPolicy: {mode: ALLOW_ANY}", "abc"},
	};
	struct compiled c;
	char yaml[4096];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(yaml, sizeof(yaml),
		    SERVICES SIDECAR("one", "s", "01", "%s"), rows[i].egress);
		EXPECT_SLICE(seen(&c, yaml, "x"), slice_str(rows[i].seen));
	}
}

TEST(one_sidecar_holds)
{
	const char *yaml = SERVICES SIDECAR("istio-system", "root", "01",
	    SEES("two/*")) SIDECAR("istio-system", "other", "02", SEES("*/*"))
	    SIDECAR("one", "b-later", "03",
		"workloadSelector: {labels: {app: x}}, " SEES("*/*"))
		SIDECAR("one", "c-first", "02",
		    "workloadSelector: {labels: {app: x}}, " SEES("./*"));
	const char *all =
	    SERVICES SIDECAR("istio-system", "root", "01", SEES("two/*"))
		SIDECAR("one", "all", "01", SEES("*/b.one.svc.cluster.local"))
		    SIDECAR("one", "x", "04",
			"workloadSelector: {labels: {app: x}}, " SEES("./*"));
	struct compiled c;

	EXPECT_SLICE(seen(&c, yaml, "x"), S("ab-"));
	EXPECT_SLICE(seen(&c, yaml, "y"), S("--c"));
	EXPECT_SLICE(seen(&c, all, "x"), S("ab-"));
	EXPECT_SLICE(seen(&c, all, "y"), S("-b-"));
}

TEST(what_is_not_exported_is_not_seen)
{
	const char *hidden = SERVICES
	    "apiVersion: v1\nkind: Service\nmetadata: {name: d, namespace: "
	    "two, annotations: {networking.istio.io/exportTo: 'x, .'}}\n"
	    "spec: {ports: [{port: 80}]}\n---\n"
	    "apiVersion: v1\nkind: Service\nmetadata: {name: e, namespace: "
	    "two, annotations: {networking.istio.io/exportTo: 'x, one'}}\n"
	    "spec: {ports: [{port: 80}]}\n";
	const char *mesh = SERVICES
	    "apiVersion: meshd.dev/v1\nkind: MeshConfig\nmetadata: {name: "
	    "default}\nspec: {defaultServiceExportTo: [.]}\n";
	struct compiled c;

	init_at(&c, hidden, "one", "x");
	EXPECT_FALSE(sees(&c, "d.two"));
	EXPECT_TRUE(sees(&c, "e.two"));
	compiled_fini(&c);
	EXPECT_SLICE(seen(&c, mesh, "x"), S("ab-"));
}

TEST(a_destination_of_a_rule_that_is_seen_is_known)
{
	const char *yaml = SERVICES SIDECAR("one", "s", "01",
	    SEES("./a.one.svc.cluster.local")) VS("one", "v", "01",
	    "hosts: [a], http: [{route: [{destination: {host: "
	    "c.two.svc.cluster.local, port: {number: 80}}}]}]");
	AUTO(compiled_fini) struct compiled c;
	const struct view_host *h;

	init_at(&c, yaml, "one", "x");
	h = view_find_host(c.v, NULL, S("a"), 80);
	EXPECT_SLICE(h->http[0].destinations[0].cluster->name,
	    S("outbound|80||c.two.svc.cluster.local"));
	EXPECT_FALSE(sees(&c, "c.two"));
	EXPECT_FALSE(sees(&c, "b.one"));
}

TEST(rules_for_some_are_asked_before_those_for_all)
{
	const char *yaml = SERVICES VS("one", "all", "01",
	    "hosts: [a], http: [{name: all, route: [{destination: {host: "
	    "a}}]}]") VS("one", "own", "02",
	    "hosts: [a], exportTo: [.], http: [{name: own, route: "
	    "[{destination: {host: a}}]}]");
	AUTO(compiled_fini) struct compiled c;

	init_at(&c, yaml, "one", "x");
	EXPECT_SLICE(
	    view_find_host(c.v, NULL, S("a"), 80)->http[0].name, S("own"));
}

TEST(a_port_that_a_sidecar_names_has_hosts_of_its_own)
{
	const char *yaml = SERVICES SIDECAR("one", "s", "01",
	    "egress: [{port: {number: 80, name: http, protocol: HTTP}, bind: "
	    "127.0.0.1, captureMode: NONE, hosts: ['./a.one.svc.cluster.local'"
	    "]}, {hosts: ['*/*']}]");
	AUTO(compiled_fini) struct compiled c;
	const struct view_listener *l;
	struct addr at;

	init_at(&c, yaml, "one", "x");
	EXPECT_SLICE(call_host(&c, HTTP("127.0.0.1:80", "a.one")),
	    S("a.one.svc.cluster.local:80"));
	EXPECT_SLICE(
	    call_host(&c, HTTP("127.0.0.1:80", "b.one")), S("allow_any"));
	EXPECT_SLICE(call_host(&c, HTTP("1.2.3.4:81", "b.one")),
	    S("b.one.svc.cluster.local:81"));
	EXPECT_FALSE(sees(&c, "b.one"));
	EXPECT_OK(addr_parse(S("127.0.0.1:80"), &at));
	l = view_find_listener(c.v, NULL, VIEW_OUTBOUND, &at);
	EXPECT_TRUE(l->bound);
	EXPECT_SLICE(l->name, S("127.0.0.1_80"));
}

TEST(a_sidecar_says_what_becomes_of_the_unknown)
{
	AUTO(compiled_fini) struct compiled c;

	init_at(&c,
	    SERVICES SIDECAR("one", "s", "01",
		"outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: "
		"c.two.svc.cluster.local, port: {number: 81}}}"),
	    "one", "x");
	EXPECT_SLICE(call_target(&c, TCP("1.2.3.4:5")),
	    S("outbound|81||c.two.svc.cluster.local"));
	EXPECT_SLICE(call_host(&c, HTTP("1.2.3.4:80", "x.y")), S("allow_any"));
}

TEST(a_service_that_some_see_is_asked_before_those_that_all_see)
{
	const char *yaml = "apiVersion: v1\n" IN("two", "Service", "late",
	    "09") "spec: {ports: [{name: tcp, port: 9000}]}\n---\n"
		  "apiVersion: v1\n" IN("two", "Service", "early",
		      "02") "spec: {ports: [{name: tcp, port: 9000}]}\n---\n"
			    "apiVersion: v1\nkind: Service\nmetadata: {name: "
			    "last, namespace: "
			    "two,\n  creationTimestamp: "
			    "'2026-01-11T00:00:00Z',\n"
			    "  annotations: {networking.istio.io/exportTo: "
			    "one}}\n"
			    "spec: {ports: [{name: tcp, port: 9000}]}\n";
	AUTO(compiled_fini) struct compiled c;

	init_at(&c, yaml, "one", "x");
	EXPECT_SLICE(call_target(&c, TCP("1.2.3.4:9000")),
	    S("outbound|9000||last.two.svc.cluster.local"));
	compiled_fini(&c);
	init_at(&c, yaml, "other", "x");
	EXPECT_SLICE(call_target(&c, TCP("1.2.3.4:9000")),
	    S("outbound|9000||early.two.svc.cluster.local"));
}

TEST(at_a_sidecars_address_a_network_is_told_by_its_name)
{
	AUTO(compiled_fini) struct compiled c;

	init_at(&c,
	    ISTIO IN("one", "ServiceEntry", "e",
		"01") "spec: {hosts: [a.com], addresses: [10.2.0.0/16], ports: "
		      "[{number: "
		      "443, name: t, protocol: TLS}]}\n---\n" SIDECAR("one",
			  "s", "01",
			  "egress: [{port: {number: 443, name: t, protocol: "
			  "TLS}, bind: "
			  "127.0.0.1, hosts: ['*/*']}]"),
	    "one", "x");
	EXPECT_SLICE(call_target(&c, TLS("127.0.0.1:443", "a.com")),
	    S("outbound|443||a.com"));
	EXPECT_SLICE(call_target(&c, TLS("127.0.0.1:443", "b.com")),
	    S("PassthroughCluster"));
}

#define HELD(spec)                                                             \
	"apiVersion: networking.istio.io/v1\nkind: Sidecar\n"                  \
	"metadata: {name: x}\nspec: {" spec "}\n"

TEST(what_it_lets_named_upstreams_call_is_in_force_and_the_rest_is_told)
{
	expect_in_force(HELD("workloadSelector: {labels: {app: a}}, "
			     "egress: [{port: {number: 80, name: http, "
			     "protocol: HTTP}, hosts: ['./*']}, "
			     "{hosts: ['~/*']}]"));
	expect_inert(HELD("egress: [{bind: 127.0.0.1, port: {number: 80, "
			  "name: http, protocol: HTTP}, hosts: ['./*']}]"),
	    "spec.egress[0].bind", "MSH0001");
	expect_inert(HELD("egress: [{captureMode: NONE, hosts: ['./*']}]"),
	    "spec.egress[0].captureMode", "MSH0001");
	expect_inert(HELD("ingress: [{port: {number: 80, name: http, "
			  "protocol: HTTP}}]"),
	    "spec.ingress", "MSH0001");
	expect_in_force(HELD("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"));
}
