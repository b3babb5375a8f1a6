/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_services — Services, ServiceEntries and WorkloadEntries.
 */
#include "random_text.h"

void
put_service(struct text *t)
{
	static const char *const ports_of[] = {
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: tcp, port: 3306}", "{name: https, port: 443}",
	    "{name: grpc-x, port: 8080}", "{name: x, port: 9000}"};

	put_head(t, "v1", "Service");
	if (maybe(t, 6))
		put(t, "  type: ExternalName\n  externalName: example.com\n");
	put_selector(t, "  selector: {", "}\n");
	if (maybe(t, 4))
		put(t, "  clusterIP: None\n");
	put2(t, "  ports:\n  - ", ANY(t, ports_of), "\n");
}

void
put_entry(struct text *t)
{
	static const char *const how[] = {
	    "STATIC", "DNS", "NONE", "DNS_ROUND_ROBIN"};
	static const char *const where[] = {"MESH_INTERNAL", "MESH_EXTERNAL"};
	const char *resolution = ANY(t, how);

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	put_export(t);
	put2(t, "  hosts: [\"", ANY(t, few_hosts), "\"]\n");
	put2(t, "  location: ", ANY(t, where), "\n");
	put2(t, "  ports: [{number: ", ANY(t, few_ports),
	    ", name: http, protocol: HTTP}]\n");
	put2(t, "  resolution: ", resolution, "\n");
	if (maybe(t, 3))
		put(t, "  addresses: [10.1.1.1]\n");
	if (strcmp(resolution, "STATIC") == 0 && maybe(t, 2))
		put_selector(t, "  workloadSelector: {labels: {", "}}\n");
	else if (strcmp(resolution, "STATIC") == 0)
		put(t, "  endpoints:\n"
		       "  - {address: 10.9.0.1, labels: {version: v1}}\n"
		       "  - {address: 10.9.0.2, labels: {version: v2}}\n");
	else if (strcmp(resolution, "NONE") != 0 && maybe(t, 2))
		put(t, "  endpoints:\n"
		       "  - {address: a.names.test, labels: {version: v1}}\n");
	else if (strcmp(resolution, "DNS") == 0 && maybe(t, 2))
		put(t, "  endpoints:\n"
		       "  - {address: a.names.test, labels: {version: v1}}\n"
		       "  - {address: b.names.test, labels: {version: v2}}\n");
}

void
put_workload(struct text *t)
{
	static const char *const networks[] = {"''", "far"};
	static const char *const addresses[] = {"10.9.1.1", "10.9.1.2"};

	put_head(t, "networking.istio.io/v1", "WorkloadEntry");
	put2(t, "  address: ", ANY(t, addresses), "\n");
	put_selector(t, "  labels: {", "}\n");
	put2(t, "  network: ", ANY(t, networks), "\n");
}

struct resource *
random_workload(struct rng *rng, uint64_t head)
{
	return random_valid(rng, head, put_workload);
}

/* Ports that mostly are those of the same head before. */
static void
put_ports(struct text *t, const char *const *forms, size_t count)
{
	struct rng *rng = t->rng, again;

	rng_init(&again, t->head);
	if (!maybe(t, 4))
		t->rng = &again;
	put2(t, "  ports: [", forms[rng_below(t->rng, count)], "");
	if (maybe(t, 3))
		put2(t, ", ", forms[rng_below(t->rng, count)], "");
	put(t, "]\n");
	t->rng = rng;
}

static void
put_service_again(struct text *t)
{
	static const char *const forms[] = {
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: grpc-x, port: 8080}", "{name: tcp, port: 3306}",
	    "{name: x, port: 9000}", "{name: https, port: 443}"};
	static const char *const addresses[] = {
	    "10.1.1.1", "10.1.1.2", "10.1.1.3", "240.240.0.7"};

	put_head(t, "v1", "Service");
	if (maybe(t, 20))
		put(t, "  type: ExternalName\n  externalName: example.com\n");
	else if (maybe(t, 20))
		put(t, "  clusterIP: None\n");
	else if (maybe(t, 3))
		put2(t, "  clusterIP: ", ANY(t, addresses), "\n");
	put_selector(t, "  selector: {", "}\n");
	put_ports(t, forms, ARRAY_LEN(forms));
}

static void
put_entry_again(struct text *t)
{
	static const char *const forms[] = {
	    "{number: 80, name: http, protocol: HTTP}",
	    "{number: 8080, name: auto, protocol: UNSET}",
	    "{number: 3306, name: tcp, protocol: TCP}",
	    "{number: 443, name: tls, protocol: TLS}"};
	static const char *const own[] = {"api.example.com", "example.com",
	    "a.test", "b.test", "c.test", "d.test", "e.test", "f.test",
	    "web.shop.svc.cluster.local", "*.example.com"};
	static const char *const rest[] = {
	    "  resolution: STATIC\n  endpoints:\n"
	    "  - {address: 10.9.0.1, labels: {version: v1}}\n",
	    "  resolution: DNS\n", "  resolution: NONE\n",
	    "  resolution: STATIC\n"
	    "  workloadSelector: {labels: {version: v1}}\n",
	    "  resolution: DNS_ROUND_ROBIN\n  endpoints:\n"
	    "  - {address: a.names.test, labels: {version: v1}}\n"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	put_export(t);
	rng_init(&again, t->head);
	if (!maybe(t, 6))
		t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"");
	if (maybe(t, 4))
		put2(t, ", \"", ANY(t, own), "\"");
	t->rng = rng;
	put(t, "]\n");
	if (maybe(t, 4))
		put(t, "  addresses: [10.1.1.1]\n");
	put_ports(t, forms, ARRAY_LEN(forms));
	put(t, ANY(t, rest));
}

struct resource *
random_service(struct rng *rng, uint64_t head)
{
	return random_valid(
	    rng, head, head % 3 == 0 ? put_entry_again : put_service_again);
}

/* Mostly without an address, so that it is called at its endpoints. */
static void
put_headless(struct text *t)
{
	static const char *const forms[] = {"{name: tcp, port: 3306}",
	    "{name: tcp, port: 3306}", "{name: x, port: 9000}",
	    "{name: http, port: 80, targetPort: 8080}",
	    "{name: https, port: 443}"};

	put_head(t, "v1", "Service");
	if (!maybe(t, 4))
		put(t, "  clusterIP: None\n");
	put_selector(t, "  selector: {", "}\n");
	put_ports(t, forms, ARRAY_LEN(forms));
}

static void
put_passing_entry(struct text *t)
{
	static const char *const forms[] = {
	    "{number: 3306, name: tcp, protocol: TCP}",
	    "{number: 3306, name: tcp, protocol: TCP}",
	    "{number: 443, name: tls, protocol: TLS}",
	    "{number: 8080, name: auto, protocol: UNSET}"};
	static const char *const own[] = {
	    "a.test", "b.test", "c.test", "web.shop.svc.cluster.local"};
	static const char *const ways[] = {"  resolution: NONE\n",
	    "  resolution: NONE\n  endpoints:\n  - {address: 10.0.0.2}\n",
	    "  resolution: NONE\n  endpoints:\n"
	    "  - {address: 10.0.0.1}\n  - {address: 10.0.0.5}\n",
	    "  resolution: STATIC\n  endpoints:\n  - {address: 10.9.0.1}\n"};
	struct rng *rng = t->rng, again;

	put_head(t, "networking.istio.io/v1", "ServiceEntry");
	rng_init(&again, t->head);
	t->rng = &again;
	put2(t, "  hosts: [\"", ANY(t, own), "\"]\n");
	t->rng = rng;
	if (maybe(t, 6))
		put(t, "  addresses: [10.1.1.1]\n");
	put_ports(t, forms, ARRAY_LEN(forms));
	put(t, ANY(t, ways));
}

struct resource *
random_headless(struct rng *rng, uint64_t head)
{
	return random_valid(
	    rng, head, head % 3 == 0 ? put_passing_entry : put_headless);
}
