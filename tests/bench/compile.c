/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile — what one proxy's view of a large mesh costs.
 *
 *	compile SERVICES
 *
 * A mesh of so many Services in 100 namespaces, five endpoints each, a
 * VirtualService and a DestinationRule for every second one, none of it out of
 * a proxy's scope. On stdout, as JSON: the milliseconds of this thread for a
 * view from nothing (the least of some tries), and what it takes of memory;
 * and for one where an endpoint is another than before, or the weights of a
 * VirtualService, or the policy of a DestinationRule.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"

enum {
	CHANGES = 101,
	NAMESPACES = 100,
	ENDPOINTS = 5,
	TRIES = 3,
	TEXT_MAX = 4096
};

static double
cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
used_mib(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd) / (1 << 20);
}

/* --- the mesh ------------------------------------------------------------- */

struct mesh {
	const struct resource **resources;
	size_t resource_count;
	struct view_endpoint_input *endpoints;
	size_t endpoint_count;
	struct view_serving *servings;
	size_t serving_count;
	struct arena arena; /* of the endpoints' texts */
};

static const char service_text[] =
    "apiVersion: v1\n"
    "kind: Service\n"
    "metadata: {name: service-N, namespace: space-S}\n"
    "spec:\n"
    "  selector: {app: service-N}\n"
    "  ports: [{name: http, port: 80, targetPort: 8080}]\n";

#define RULE_TEXT(balancer)                                                    \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: DestinationRule\n"                                              \
	"metadata: {name: service-N, namespace: space-S}\n"                    \
	"spec:\n"                                                              \
	"  host: service-N\n"                                                  \
	"  trafficPolicy: {loadBalancer: {simple: " balancer "}}\n"            \
	"  subsets:\n"                                                         \
	"  - {name: v1, labels: {version: v1}}\n"                              \
	"  - {name: v2, labels: {version: v2}}\n"

#define ROUTES_TEXT(timeout, v1, v2)                                           \
	"apiVersion: networking.istio.io/v1\n"                                 \
	"kind: VirtualService\n"                                               \
	"metadata: {name: service-N, namespace: space-S}\n"                    \
	"spec:\n"                                                              \
	"  hosts: [service-N]\n"                                               \
	"  http:\n"                                                            \
	"  - match: [{uri: {prefix: /v2/}}]\n"                                 \
	"    route: [{destination: {host: service-N, subset: v2}}]\n"          \
	"  - timeout: " timeout "\n"                                           \
	"    route:\n"                                                         \
	"    - {destination: {host: service-N, subset: v1}, weight: " v1 "}\n" \
	"    - {destination: {host: service-N, subset: v2}, weight: " v2 "}\n"

static const char rule_text[] = RULE_TEXT("LEAST_REQUEST");
static const char other_rule_text[] = RULE_TEXT("ROUND_ROBIN");
static const char routes_text[] = ROUTES_TEXT("5s", "9", "1");
static const char other_routes_text[] = ROUTES_TEXT("3s", "5", "5");

static struct resource *
decode(const char *text)
{
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&a, 1 << 20);
	CHECK(codec_yaml_parse(
		  slice_str(text), "mesh", &a, &docs, &found.errors) == OK);
	CHECK(resource_decode(docs.items[0].root, &source, &r, &found) == OK);
	return r;
}

/* -N and -S in the text are the numbers of the service and its namespace. */
static struct resource *
document(const char *form, size_t number)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_MAX);

	for (const char *p = form; *p != '\0'; p++) {
		if (p > form && p[-1] == '-' && (*p == 'N' || *p == 'S'))
			CHECK(buf_printf(&text, "%zu",
				  *p == 'N' ? number : number % NAMESPACES) ==
			      OK);
		else
			CHECK(buf_add_byte(&text, (uint8_t)*p) == OK);
	}
	CHECK(buf_add_byte(&text, '\0') == OK);
	return decode(buf_slice(&text).ptr);
}

static struct slice
text_of(struct mesh *m, const char *word, size_t number)
{
	struct slice s = arena_printf(&m->arena, "%s-%zu", word, number);

	CHECK(s.len > 0);
	return s;
}

static struct labels
labels_of(struct mesh *m, size_t number)
{
	struct label *items = arena_alloc_array(&m->arena, 2, sizeof(*items));

	CHECK(items != NULL);
	items[0] = (struct label){S("app"), text_of(m, "service", number)};
	items[1] =
	    (struct label){S("version"), number % 2 == 0 ? S("v1") : S("v2")};
	return (struct labels){items, 2};
}

static void
add_endpoints(struct mesh *m, size_t number)
{
	for (size_t i = 0; i < ENDPOINTS; i++) {
		size_t n = m->endpoint_count++;

		m->endpoints[n] = (struct view_endpoint_input){
		    .service = text_of(m, "service", number),
		    .service_ns = text_of(m, "space", number % NAMESPACES),
		    .service_port = 80,
		    .addr = {ADDR_V4,
			{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
			8080},
		    .tunnel = {ADDR_V4,
			{10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
			15008},
		    .network = S("east"),
		    .node = text_of(m, "node", n % 1000),
		    .workload = text_of(m, "service", number),
		    .ns = text_of(m, "space", number % NAMESPACES),
		    .account = text_of(m, "service", number),
		    .labels = labels_of(m, i),
		    .locality = S("eu/west/a"),
		    .weight = 1,
		};
	}
}

static void
make(struct mesh *m, size_t services)
{
	m->resources = mem_resize(NULL, 0, services * 3, sizeof(*m->resources));
	m->endpoints =
	    mem_resize(NULL, 0, services * ENDPOINTS, sizeof(*m->endpoints));
	m->servings = mem_resize(NULL, 0, services, sizeof(*m->servings));
	arena_init(&m->arena, (size_t)1 << 30);
	for (size_t i = 0; i < services; i++) {
		m->resources[m->resource_count++] = document(service_text, i);
		if (i % 2 == 0) {
			m->resources[m->resource_count++] =
			    document(rule_text, i);
			m->resources[m->resource_count++] =
			    document(routes_text, i);
		}
		add_endpoints(m, i);
		m->servings[m->serving_count++] =
		    (struct view_serving){.service = text_of(m, "service", i),
			.ns = text_of(m, "space", i % NAMESPACES),
			.version = 1,
			.endpoints = &m->endpoints[i * ENDPOINTS],
			.count = ENDPOINTS};
	}
}

static void
drop(struct mesh *m)
{
	for (size_t i = 0; i < m->resource_count; i++) {
		struct resource *r =
		    (struct resource *)(uintptr_t)m->resources[i];

		resource_unref(&r);
	}
	mem_free(&m->resources);
	mem_free(&m->endpoints);
	mem_free(&m->servings);
	arena_fini(&m->arena);
}

/* --- measuring ------------------------------------------------------------ */

struct found {
	double full_ms, full_mib, endpoint_ms, rules_ms, policy_ms;
};

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct view *
compile(const struct mesh *m, const struct view *before)
{
	struct view_input in = {.resources = m->resources,
	    .resource_count = m->resource_count,
	    .servings = m->servings,
	    .serving_count = m->serving_count,
	    .version = 1,
	    .before = before};
	struct view *v;
	struct fault why;

	CHECK(view_compile(&in, &v, &why) == OK);
	return v;
}

static void
measure_full(const struct mesh *m, struct found *f)
{
	for (int i = 0; i < TRIES; i++) {
		double mib = used_mib(), at = cpu_ms(), took;
		struct view *v = compile(m, NULL);

		took = cpu_ms() - at;
		f->full_mib = used_mib() - mib;
		f->full_ms = i == 0 ? took : MIN(f->full_ms, took);
		view_unref(&v);
	}
}

/* One of them is unhealthy, or is well again. */
static void
change_endpoint(struct mesh *m, size_t i)
{
	size_t n = i * 7919 % m->endpoint_count;
	struct view_endpoint_input *e = &m->endpoints[n];

	e->health = e->health == VIEW_HEALTHY ? VIEW_UNHEALTHY : VIEW_HEALTHY;
	m->servings[n / ENDPOINTS].version++;
}

/* Of every second service there are three resources, of the others one. */
static void
replace(struct mesh *m, size_t i, size_t at, const char *form)
{
	size_t services = m->resource_count / 2;
	size_t number = i * 7919 % services / 2 * 2;
	struct resource **r =
	    (struct resource **)(uintptr_t)&m->resources[number * 2 + at];

	resource_unref(r);
	*r = document(form, number);
}

/* One of the VirtualServices has other weights, or its own again. */
static void
change_rules(struct mesh *m, size_t i)
{
	replace(m, i, 2, i % 2 == 0 ? other_routes_text : routes_text);
}

static void
change_policy(struct mesh *m, size_t i)
{
	replace(m, i, 1, i % 2 == 0 ? other_rule_text : rule_text);
}

/* The median of many. */
static double
measure(struct mesh *m, void (*change)(struct mesh *m, size_t i))
{
	struct view *v = compile(m, NULL);
	double took[CHANGES];

	for (size_t i = 0; i < CHANGES; i++) {
		struct view *before = v;
		double at;

		change(m, i);
		at = cpu_ms();
		v = compile(m, before);
		took[i] = cpu_ms() - at;
		view_unref(&before);
	}
	view_unref(&v);
	qsort(took, CHANGES, sizeof(took[0]), by_size);
	return took[CHANGES / 2];
}

int
main(int argc, char **argv)
{
	struct found f = {0};
	struct mesh m = {0};
	char *end;
	unsigned long services = argc == 2 ? strtoul(argv[1], &end, 10) : 0;

	if (services == 0 || services > 100000 || *end != '\0') {
		(void)fprintf(stderr, "usage: compile SERVICES (1-100000)\n");
		return 2;
	}
	make(&m, services);
	measure_full(&m, &f);
	f.endpoint_ms = measure(&m, change_endpoint);
	f.rules_ms = measure(&m, change_rules);
	f.policy_ms = measure(&m, change_policy);
	(void)printf("{\"full_ms\": %.3f, \"full_mib\": %.1f, "
		     "\"endpoint_ms\": %.4f, \"rules_ms\": %.4f, "
		     "\"policy_ms\": %.4f}\n",
	    f.full_ms, f.full_mib, f.endpoint_ms, f.rules_ms, f.policy_ms);
	drop(&m);
	return 0;
}
