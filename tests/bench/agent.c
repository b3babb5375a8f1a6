/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent — what one agent makes of a mesh, from a record to the view in force.
 *
 *	agent all SERVICES        everything is in its scope
 *	agent some SERVICES       20 services are, in a mesh of so many
 *
 * The steps of node/publish.c, with a worker that takes each view. In the
 * first form every service is written and has ten endpoints; what is waited
 * for is the worker's word: on stdout as JSON, in milliseconds, the first view
 * of all, and the median of some changes, of one endpoint and of one service
 * more. In the second a service has five endpoints and only those that are
 * called are written; it prints what is kept, in bytes, and how long it takes
 * until one more, which nobody wrote, is in force.
 *
 * Records are made by gossip itself: one member that offers one thing after
 * the other, whose words are given to the catalog as other members'.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "codec/codec.h"
#include "discovery/discovery.h"
#include "loop/loop.h"
#include "net/net.h"
#include "proxy/proxy.h"

enum {
	NAMESPACES = 100,
	OF_NODE = 50, /* services of one node */
	CALLED = 20,
	CHANGES = 21,
	SERVICES_MAX = 100000,
	NAME_BYTES = 64,
	TEXT_MAX = 4096
};

struct bench {
	struct discovery_scope scope;
	struct loop *loop;
	struct net_factory *factory;
	struct workers *workers;
	struct proxy *proxy;
	bool in_force;
	bool is_closed;
	struct gossip *gossip; /* who makes the records */
	struct gossip_revoked *revoked;
	bool is_gone;
	struct discovery_catalog *catalog;
	struct discovery *discovery;
	struct discovery_input in;
	const struct resource **resources;
	size_t resource_count;
	struct view *view;
	size_t services;
	size_t endpoints; /* of each service */
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t
used_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static size_t
rss_bytes(void)
{
	AUTO(buf_fini) struct buf b = BUF(TEXT_MAX);
	struct fault why;
	struct slice rest;
	uint64_t pages = 0;

	mem_give_back();
	CHECK(file_read("/proc/self/statm", &b, &why) == OK);
	rest = buf_slice(&b);
	(void)slice_split(&rest, ' '); /* all of its addresses */
	CHECK(slice_to_u64(slice_split(&rest, ' '), &pages) == OK);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* --- records -------------------------------------------------------------- */

static void
on_gossip(void *arg, const struct gossip_event *e)
{
	struct bench *b = arg;

	b->is_gone = b->is_gone || e->type == GOSSIP_EVENT_CLOSED;
}

static void
open_gossip(struct bench *b)
{
	struct gossip_config c = {.factory = b->factory,
	    .on_event = on_gossip,
	    .arg = b,
	    .keyring = {.keys = {{1, {9}}}, .count = 1}};
	uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN];
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	struct gossip_voucher v = {.name = S("node"),
	    .network = S("default"),
	    .namespaces = S("*"),
	    .accounts = S("*"),
	    .issued_s = (uint32_t)time(NULL),
	    .expires_s = UINT32_MAX};
	size_t len = 0;
	struct fault why;

	crypto_ed25519_new(c.trust.keys[0], ca_secret);
	crypto_ed25519_new(v.public_key, c.secret_key);
	c.trust.count = 1;
	CHECK(gossip_voucher_sign(&v, ca_secret, voucher, &len, &why) == OK);
	c.voucher = slice_of(voucher, len);
	CHECK(addr_parse_ip(S("127.0.0.1"), &c.bind) == OK);
	c.advertise = c.bind;
	b->revoked = gossip_revoked_new();
	c.revoked = b->revoked;
	CHECK(gossip_open(b->loop, &c, &b->gossip, &why) == OK);
}

static struct slice
numbered(char text[NAME_BYTES], const char *word, size_t number)
{
	int len = snprintf(text, NAME_BYTES, "%s-%zu", word, number);

	return slice_of(text, (size_t)len);
}

/* The texts of one service of an offer. */
struct texts {
	char name[NAME_BYTES];
	char ns[NAME_BYTES];
	struct gossip_label labels[2];
};

static struct gossip_service
service_of(size_t number, size_t endpoint, struct texts *t)
{
	struct slice name = numbered(t->name, "service", number);

	t->labels[0] = (struct gossip_label){S("app"), name};
	t->labels[1] = (struct gossip_label){
	    S("version"), endpoint % 2 == 0 ? S("v1") : S("v2")};
	return (struct gossip_service){.name = name,
	    .ns = numbered(t->ns, "space", number % NAMESPACES),
	    .account = S("default"),
	    .protocol = S("http"),
	    .labels = t->labels,
	    .label_count = ARRAY_LEN(t->labels),
	    .port = 8080,
	    .weight = 100};
}

/* Endpoint n of all is of service n % services, on node n / OF_NODE. */
static void
put_node(struct bench *b, size_t node, uint64_t unhealthy)
{
	static struct texts texts[OF_NODE];
	struct gossip_service services[OF_NODE];
	struct gossip_offers o = {.addr_count = 1,
	    .network = S("default"),
	    .roles = GOSSIP_ROLE_AGENT,
	    .tunnel_port = 15008,
	    .services = services,
	    .service_count = OF_NODE};
	struct gossip_member m = *gossip_self(b->gossip);
	struct gossip_record r;
	struct fault why;
	bool news;

	o.addrs[0] = (struct addr){
	    ADDR_V4, {10, 0, (uint8_t)(node >> 8), (uint8_t)node}, 0};
	for (size_t i = 0; i < OF_NODE; i++) {
		size_t n = node * OF_NODE + i;

		services[i] =
		    service_of(n % b->services, n / b->services, &texts[i]);
	}
	CHECK(gossip_set_offers(b->gossip, &o, &why) == OK);
	CHECK(gossip_record_get(b->gossip, &m.id, &r));
	memcpy(m.id.bytes, &node, sizeof(node));
	(void)numbered(m.name, "node", node);
	r.member = &m;
	r.unhealthy = unhealthy;
	CHECK(discovery_catalog_put(b->catalog, &r, &news) == OK);
}

/* --- configuration -------------------------------------------------------- */

static struct resource *
document(size_t number, const char *suffix)
{
	AUTO(buf_fini) struct buf text = BUF(TEXT_MAX);
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct codec_documents docs;
	struct resource *r = NULL;

	arena_init(&a, 1 << 20);
	CHECK(buf_printf(&text,
		  "apiVersion: v1\nkind: Service\n"
		  "metadata: {name: service-%zu%s, namespace: "
		  "space-%zu}\n"
		  "spec:\n"
		  "  selector: {app: service-%zu}\n"
		  "  ports: [{name: http, port: 80, targetPort: "
		  "8080}]\n",
		  number, suffix, number % NAMESPACES, number) == OK);
	CHECK(codec_yaml_parse(
		  buf_slice(&text), "mesh", &a, &docs, &found.errors) == OK);
	CHECK(resource_decode(docs.items[0].root, &source, &r, &found) == OK);
	return r;
}

static void
add_service(struct bench *b, size_t number, const char *suffix)
{
	b->resources[b->resource_count++] = document(number, suffix);
	b->in.resources_version++;
}

/* --- one view ------------------------------------------------------------- */

static void
on_in_force(void *arg)
{
	struct bench *b = arg;

	b->in_force = true;
	loop_stop(b->loop);
}

/* Milliseconds until the worker has it. */
static double
publish(struct bench *b)
{
	struct discovery_output d;
	struct view *fresh;
	struct view_input in = {.resources = b->resources,
	    .resource_count = b->resource_count,
	    .network = S("default"),
	    .before = b->view};
	struct fault why;
	double at = now_ms();

	b->in.resources = b->resources;
	b->in.resource_count = b->resource_count;
	CHECK(discovery_update(b->discovery, &b->in, &d) == OK);
	in.services = d.services;
	in.service_count = d.service_count;
	in.servings = d.servings;
	in.serving_count = d.serving_count;
	in.version = 1;
	in.lists_version = d.lists_version;
	in.resources_version = b->in.resources_version;
	in.names_version = 1; /* there are none */
	in.moved_since = d.moved_since;
	in.moved = d.moved;
	in.moved_count = d.moved_count;
	CHECK(view_compile(&in, &fresh, &why) == OK);
	b->in_force = false;
	proxy_publish(b->proxy, fresh, on_in_force, b);
	while (!b->in_force)
		loop_run(b->loop);
	at = now_ms() - at;
	view_unref(&b->view);
	b->view = fresh;
	return at;
}

/* --- birth and end -------------------------------------------------------- */

static void
open_all(struct bench *b, size_t services, size_t endpoints)
{
	struct workers_spec workers = {.count = 1};
	struct proxy_spec proxy;

	*b = (struct bench){.services = services, .endpoints = endpoints};
	b->loop = loop_new(NULL);
	b->factory = net_factory_new();
	b->workers = workers_new(&workers);
	proxy = (struct proxy_spec){.control = b->loop,
	    .workers = b->workers,
	    .factory = b->factory,
	    .trust_domain = S("mesh.internal")};
	b->proxy = proxy_open(&proxy);
	b->catalog = discovery_catalog_new();
	b->discovery = discovery_new();
	b->resources =
	    mem_new_array(services + CHANGES, sizeof(struct resource *));
	b->in = (struct discovery_input){.catalog = b->catalog,
	    .now_s = (int64_t)time(NULL),
	    .node = S("here"),
	    .network = S("default"),
	    .families = DISCOVERY_V4};
	open_gossip(b);
}

static void
on_closed(void *arg)
{
	struct bench *b = arg;

	b->is_closed = true;
}

static void
close_all(struct bench *b)
{
	gossip_close(&b->gossip);
	proxy_close(&b->proxy, 0, on_closed, b);
	while (!b->is_closed || !b->is_gone)
		loop_turn(b->loop, 1000);
	gossip_revoked_free(&b->revoked);
	workers_free(&b->workers);
	discovery_free(&b->discovery);
	discovery_catalog_free(&b->catalog);
	view_unref(&b->view);
	for (size_t i = 0; i < b->resource_count; i++) {
		struct resource *r =
		    (struct resource *)(uintptr_t)b->resources[i];

		resource_unref(&r);
	}
	mem_free(&b->resources);
	net_factory_free(&b->factory);
	loop_free(&b->loop);
}

/* --- measuring ------------------------------------------------------------ */

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_size);
	return values[count / 2];
}

static void
measure_all(struct bench *b)
{
	double first, endpoint[CHANGES], service[CHANGES];

	for (size_t i = 0; i < b->services * b->endpoints / OF_NODE; i++)
		put_node(b, i, 0);
	for (size_t i = 0; i < b->services; i++)
		add_service(b, i, "");
	first = publish(b);
	for (size_t i = 0; i < CHANGES; i++) {
		put_node(b, 0, /* unhealthy */ i % 2 == 0);
		endpoint[i] = publish(b);
	}
	for (size_t i = 0; i < CHANGES; i++) {
		add_service(b, i, "-more");
		service[i] = publish(b);
	}
	(void)printf("{\"first_ms\": %.3f, \"endpoint_ms\": %.3f, "
		     "\"service_ms\": %.3f}\n",
	    first, median(endpoint, CHANGES), median(service, CHANGES));
}

static void
measure_some(struct bench *b)
{
	static const struct slice one = {
	    "service-1.space-1.svc.mesh.internal", 35};
	size_t used, rss, called;
	double moved;

	b->scope = (struct discovery_scope){.domain = S("mesh.internal")};
	b->in.scope = &b->scope;
	(void)publish(b);
	used = used_bytes();
	rss = rss_bytes();
	for (size_t i = 0; i < b->services * b->endpoints / OF_NODE; i++)
		put_node(b, i, 0);
	for (size_t i = 0; i < CALLED; i++)
		add_service(b, i * b->services / CALLED, "");
	(void)publish(b);
	called = CALLED * b->endpoints;
	used = used_bytes() - used;
	rss = rss_bytes() - rss;
	b->scope.hosts = &one;
	b->scope.count = 1;
	moved = publish(b);
	(void)printf("{\"used\": %zu, \"rss\": %zu, \"out_of_scope\": %zu, "
		     "\"moved_ms\": %.3f}\n",
	    used, rss, b->services * b->endpoints - called, moved);
}

int
main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long services = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
	bool all = argc == 3 && strcmp(argv[1], "all") == 0;
	struct bench b;

	if (services < OF_NODE || services > SERVICES_MAX || *end != '\0' ||
	    (!all && strcmp(argv[1], "some") != 0)) {
		(void)fprintf(stderr, "usage: agent all|some SERVICES "
				      "(50-100000)\n");
		return 2;
	}
	open_all(&b, services, all ? 10 : 5);
	if (all)
		measure_all(&b);
	else
		measure_some(&b);
	close_all(&b);
	return 0;
}
