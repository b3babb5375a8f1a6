/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service_entry — ServiceEntry, WorkloadEntry and WorkloadGroup: right, wrong,
 * and what is said about each.
 */
#include "expect.h"
#include "unit.h"

#define HEAD(kind)                                                             \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: x}\nspec:\n"
#define SE HEAD("ServiceEntry")
#define SE_HTTP                                                                \
	SE "  hosts: [a.example.com]\n"                                        \
	   "  ports: [{number: 80, name: http, protocol: HTTP}]\n"
#define WE HEAD("WorkloadEntry")
#define WG HEAD("WorkloadGroup") "  template: {}\n  probe: "

static const struct mistake wrongs[] = {
    {SE "  resolution: DNS\n", "spec.hosts", "is required"},
    {SE "  hosts: ['*']\n", "spec.hosts[0]", "may not be \"*\""},
    {SE "  hosts: [a_b]\n", "spec.hosts[0]", "no host name"},
    {SE "  hosts: [a.b]\n  addresses: [10.0.0.300]\n", "spec.addresses[0]",
	"neither an address"},
    {SE "  hosts: [a.b]\n  addresses: [10.0.0.0/8]\n  resolution: DNS\n",
	"spec.addresses[0]", "NONE/STATIC"},
    {SE "  hosts: [a.b]\n  ports: [{number: 80}]\n", "spec.ports[0].name",
	"is required"},
    {SE "  hosts: [a.b]\n  ports: [{number: 80, name: a, protocol: HTPP}]\n",
	"spec.ports[0].protocol", "did you mean \"HTTP\""},
    {SE "  hosts: [a.b]\n  ports: [{number: 80, name: a, protocol: TCP}, "
	"{number: 81, name: a, protocol: TCP}]\n",
	"spec.ports[1].name", "already defined"},
    {SE_HTTP "  endpoints: [{address: 10.0.0.1}]\n", "spec.endpoints",
	"no endpoints"},
    {SE_HTTP "  resolution: STATIC\n  endpoints: [{address: a.b}]\n",
	"spec.endpoints[0].address", "not a valid IP"},
    {SE_HTTP "  resolution: STATIC\n"
	     "  endpoints: [{address: 10.0.0.1, ports: {htp: 81}}]\n",
	"spec.endpoints[0].ports", "not defined"},
    {SE_HTTP "  resolution: STATIC\n"
	     "  endpoints: [{address: 'unix://a/b'}]\n",
	"spec.endpoints[0].address", "absolute path"},
    {SE_HTTP "  resolution: DNS_ROUND_ROBIN\n"
	     "  endpoints: [{address: a.b}, {address: c.d}]\n",
	"spec.endpoints", "0 or 1"},
    {SE_HTTP "  resolution: DNS\n  endpoints: [{address: 'unix:///a'}]\n",
	"spec.endpoints[0].address", "takes resolution STATIC"},
    {SE "  hosts: ['*.a.b']\n  resolution: DNS\n", "spec.hosts[0]", "FQDN"},
    {SE_HTTP "  resolution: DYNAMIC_DNS\n", "spec.hosts[0]", "wildcarded"},
    {SE "  hosts: ['*.b']\n  resolution: DYNAMIC_DNS\n  location: 9\n",
	"spec.location", "neither MESH_EXTERNAL"},
    {SE "  hosts: ['*.b']\n  resolution: DYNAMIC_DNS\n"
	"  ports: [{number: 443, name: a, protocol: HTTPS}]\n",
	"spec.ports[0].protocol", "only HTTP, TLS, GRPC"},
    {SE_HTTP "  resolution: STATIC\n  workloadSelector: {labels: {a: b}}\n"
	     "  endpoints: [{address: 10.0.0.1}]\n",
	"spec", "only one of"},
    {SE "  hosts: [a.b, c.d]\n  resolution: DNS\n"
	"  ports: [{number: 80, name: tcp, protocol: TCP}]\n",
	"spec.hosts", "multiple hosts"},
    {SE_HTTP "  exportTo: ['~', a]\n", "spec.exportTo[0]", "alone"},
    {WE "  weight: 1\n", "spec.address", "address is required"},
    {WE "  address: 'unix:///a'\n  ports: {a: 1}\n", "spec.ports", "no ports"},
    {WE "  address: 'unix:///a/'\n", "spec.address", "a folder"},
    {WE "  address: 10.0.0.1\n  ports: {a: 70000}\n", "spec.ports[\"a\"]",
	"outside"},
    {WE "  address: 10.0.0.1\n  labels: {a: '-'}\n", "spec.labels[\"a\"]",
	"no label value"},
    {HEAD("WorkloadGroup") "  metadata: {}\n", "spec.template", "is required"},
    {WG "{}\n", "spec.probe", "has to say how"},
    {WG "{grpc: {port: 1}}\n", "spec.probe", "grpc is not a way"},
    {WG "{httpGet: {port: 80, scheme: http}}\n", "spec.probe.httpGet.scheme",
	"neither HTTP nor HTTPS"},
    {WG "{exec: {command: []}}\n", "spec.probe.exec.command", "empty"},
    {WG "{periodSeconds: -1, exec: {command: [a]}}\n",
	"spec.probe.periodSeconds", "outside"},
};

TEST(each_mistake_in_an_entry_is_named)
{
	expect_mistakes(wrongs, ARRAY_LEN(wrongs));
}

TEST(hosts_and_addresses_that_do_not_fit_are_warned_of)
{
	static const struct warned rows[] = {
	    {SE "  hosts: [a.b]\n  ports: [{number: 1, name: t, protocol: "
		"tcp}]\n",
		1},
	    {SE "  hosts: [a.b]\n  ports: [{number: 1, name: t}]\n"
		"  resolution: STATIC\n",
		0},
	    {SE "  hosts: ['*.a.b']\n  ports: [{number: 1, name: t}]\n"
		"  resolution: STATIC\n",
		0},
	    {SE "  hosts: [a.b]\n  ports: [{number: 1, name: t}]\n"
		"  addresses: [10.0.0.1]\n",
		0},
	    {SE "  hosts: [a.b, c.d]\n  addresses: [10.0.0.1]\n"
		"  ports: [{number: 1, name: t, protocol: TLS}]\n"
		"  resolution: DNS\n",
		1},
	    {SE "  hosts: ['*a.b']\n  resolution: STATIC\n", 1},
	    {SE "  hosts: ['*a.b']\n  resolution: DYNAMIC_DNS\n"
		"  ports: [{number: 1, name: t, protocol: TLS}]\n",
		0},
	    {SE "  hosts: [a.b, c.d]\n  addresses: [10.0.0.1]\n"
		"  ports: [{number: 1, name: t, protocol: TLS}]\n"
		"  resolution: STATIC\n",
		0},
	};

	expect_warned(rows, ARRAY_LEN(rows));
}

TEST(an_address_may_be_declined)
{
	AUTO(loaded_fini) struct loaded l;

	load("apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
	     "metadata: {name: x, labels: "
	     "{networking.istio.io/enable-autoallocate-ip: 'False'}}\n"
	     "spec: {hosts: [a.b], resolution: STATIC, "
	     "ports: [{number: 1, name: t}]}\n",
	    NULL, &l);
	EXPECT_EQ(l.count, 1);
	EXPECT_EQ(l.found.warnings.count, 1);
	EXPECT_STR(l.found.warnings.items[0].id, "IST0134");
}

TEST(an_entry_comes_back_as_it_was_written)
{
	expect_written(SE_HTTP
	    "  resolution: STATIC\n  location: 1\n"
	    "  endpoints: [{address: '::1', ports: {http: '81'}}]\n",
	    S("{\"endpoints\":[{\"address\":\"::1\",\"ports\":{\"http\":81}}],"
	      "\"hosts\":[\"a.example.com\"],\"location\":\"MESH_INTERNAL\","
	      "\"ports\":[{\"name\":\"http\",\"number\":80,\"protocol\":"
	      "\"HTTP\"}],\"resolution\":\"STATIC\"}"));
}
