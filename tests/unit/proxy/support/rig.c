/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig — a whole proxy in a test: workers, a control loop, a view, records.
 */
#include "rig.h"
#include "codec/codec.h"

#include <stdio.h>

enum { RESOURCES_MAX = 16 };

struct proxy_limits rig_limits;

/* --- what the proxy tells ---------------------------------------------------
 */

static void
copy(struct slice s, char out[RIG_TEXT])
{
	(void)snprintf(out, RIG_TEXT, "%.*s", SLICE_ARG(s));
}

static void
on_flow(void *arg, unsigned worker, const struct flow_record *f)
{
	struct rig *r = arg;
	struct rig_record *to;

	(void)worker;
	pthread_mutex_lock(&r->lock);
	to = &r->records[r->record_count % RIG_RECORDS];
	*to = (struct rig_record){.kind = f->kind,
	    .flag = f->flag,
	    .reporter = f->reporter,
	    .status = f->status,
	    .attempts = f->attempts,
	    .delayed = f->delayed,
	    .retries_spent = f->retries_spent,
	    .has_grpc = f->has_grpc,
	    .grpc = f->grpc,
	    .upstream = f->upstream,
	    .upstream_local = f->upstream_local,
	    .remote = f->downstream_remote,
	    .local = f->downstream_local,
	    .received = f->bytes_received,
	    .sent = f->bytes_sent};
	copy(f->detail, to->detail);
	copy(f->cluster, to->cluster);
	copy(f->source.identity, to->source);
	copy(f->forwarded_for, to->forwarded_for);
	copy(f->source.canonical_name, to->caller);
	copy(f->destination.version, to->version);
	to->destination = f->destination.key;
	r->record_count++;
	pthread_mutex_unlock(&r->lock);
}

static void
on_listener(void *arg, const struct proxy_listener *l)
{
	struct rig *r = arg;
	size_t i = 0;

	if (l->state != PROXY_LISTENS) {
		r->listeners_failed += l->state == PROXY_WAITS;
		return;
	}
	while (i < r->listening_count &&
	       !slice_eq(slice_str(r->listening[i].name), l->name))
		i++;
	CHECK(i < ARRAY_LEN(r->listening));
	if (i == r->listening_count) {
		r->listening_count++;
		CHECK(slice_to_cstr(l->name, r->listening[i].name,
			  sizeof(r->listening[i].name)) == OK);
	}
	r->listening[i].addr = l->addr;
	r->listening[i].opened++;
}

size_t
rig_records(struct rig *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->record_count;
	pthread_mutex_unlock(&r->lock);
	return n;
}

struct rig_record
rig_record(struct rig *r, size_t n)
{
	struct rig_record out;

	RIG_UNTIL(r, rig_records(r) > n);
	pthread_mutex_lock(&r->lock);
	out = r->records[n];
	pthread_mutex_unlock(&r->lock);
	return out;
}

/* --- life --- */

struct rig *
rig_new(unsigned workers, enum addr_family hbone)
{
	struct rig *r = mem_new(sizeof(*r));
	struct workers_spec spec = {.count = workers};
	struct proxy_spec proxy = {.trust_domain = S("mesh.internal"),
	    .h2_window_bytes = 64 << 20,
	    .limits = rig_limits,
	    .on_flow = on_flow,
	    .on_listener = on_listener,
	    .arg = r};

	CHECK(pthread_mutex_init(&r->lock, NULL) == 0);
	r->control = loop_new(NULL);
	r->workers = workers_new(&spec);
	r->factory = net_factory_new();
	proxy.control = r->control;
	proxy.workers = r->workers;
	proxy.factory = r->factory;
	if (hbone != ADDR_NONE)
		proxy.hbone = closed_port(hbone);
	r->proxy = proxy_open(&proxy);
	if (hbone != ADDR_NONE)
		RIG_UNTIL(r, r->listening_count == 1 &&
				 r->listening[0].opened == workers);
	return r;
}

static void
on_done(void *arg)
{
	((struct rig *)arg)->done = true;
}

void
rig_close(struct rig *r, uint64_t drain_us)
{
	r->done = false;
	proxy_close(&r->proxy, drain_us, on_done, r);
	RIG_UNTIL(r, r->done);
}

void
rig_free(struct rig **rp)
{
	struct rig *r = *rp;

	if (r->proxy != NULL)
		rig_close(r, /* drain_us */ 0);
	workers_free(&r->workers);
	loop_settle(r->control);
	net_factory_free(&r->factory);
	loop_free(&r->control);
	pthread_mutex_destroy(&r->lock);
	mem_free(rp);
}

/* --- the view --- */

void
rig_service(struct rig *r, const char *name, const char *protocol)
{
	size_t i = r->service_count++;

	CHECK(i < RIG_ROWS);
	r->ports[i] = (struct view_port_input){
	    .port = 80, .protocol = slice_str(protocol)};
	r->services[i] = (struct view_service_input){
	    slice_str(name), S("default"), &r->ports[i], 1, S("test")};
}

struct view_endpoint_input *
rig_endpoint(struct rig *r, const char *service, const struct addr *addr,
    const char *version)
{
	size_t i = r->endpoint_count++;

	CHECK(i < RIG_ROWS);
	r->labels[i] =
	    (struct label){S("version"), slice_str(version ? version : "v1")};
	r->endpoints[i] =
	    (struct view_endpoint_input){.service = slice_str(service),
		.service_ns = S("default"),
		.service_port = 80,
		.addr = *addr,
		.node = S("n1"),
		.workload = slice_str(service),
		.ns = S("default"),
		.account = slice_str(service),
		.labels = {&r->labels[i], 1},
		.weight = 1};
	return &r->endpoints[i];
}

/* A port that is free now; all workers have to share one. */
void
rig_listen(struct rig *r, const char *service, enum addr_family family)
{
	size_t i = r->upstream_count++;

	CHECK(i < RIG_ROWS);
	r->upstreams[i] = (struct view_upstream_input){
	    .name = slice_str(service),
	    .host = slice_str(service),
	    .listen = closed_port(family),
	    .account = S("client"),
	};
}

struct addr
rig_addr(struct rig *r, const char *name)
{
	for (size_t i = 0; i < r->listening_count; i++)
		if (strcmp(r->listening[i].name, name) == 0)
			return r->listening[i].addr;
	CHECK(!"a listener of that name");
	return (struct addr){0};
}

void
rig_await(struct rig *r, const char *name)
{
	size_t i = 0;

	RIG_UNTIL(r, r->listening_count > 0);
	while (
	    i < r->listening_count && strcmp(r->listening[i].name, name) != 0) {
		loop_turn(r->control, 5000);
		i = i + 1 < r->listening_count ? i + 1 : 0;
	}
	RIG_UNTIL(r, r->listening[i].opened >= workers_count(r->workers));
}

static size_t
load(const char *yaml, struct resource *out[RESOURCES_MAX])
{
	AUTO(arena_fini) struct arena a;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.file = "test.yaml"};
	struct codec_documents docs;
	size_t n = 0;

	arena_init(&a, 1 << 20);
	CHECK(codec_yaml_parse(slice_str(yaml), "test.yaml", &a, &docs,
		  &found.errors) == OK);
	CHECK(docs.count <= RESOURCES_MAX);
	for (size_t i = 0; i < docs.count; i++) {
		if (resource_decode(
			docs.items[i].root, &source, &out[n], &found) != OK) {
			printf("%s\n", found.errors.items[0].text);
			CHECK(!"a resource that is right");
		}
		n++;
	}
	return n;
}

static bool
all_listen(const struct rig *r)
{
	for (size_t i = 0; i < r->upstream_count; i++) {
		bool open = false;

		for (size_t n = 0; n < r->listening_count; n++)
			open |=
			    slice_eq(slice_str(r->listening[n].name),
				r->upstreams[i].name) &&
			    r->listening[n].opened >= workers_count(r->workers);
		if (!open)
			return false;
	}
	return true;
}

void
rig_publish(struct rig *r, const char *yaml)
{
	struct resource *resources[RESOURCES_MAX] = {NULL};
	struct view_input in = {
	    .trust_domain = S("mesh.internal"),
	    .services = r->services,
	    .service_count = r->service_count,
	    .endpoints = r->endpoints,
	    .endpoint_count = r->endpoint_count,
	    .upstreams = r->upstreams,
	    .upstream_count = r->upstream_count,
	    .exposed = r->exposed,
	    .exposed_count = r->exposed_count,
	    .names = r->names,
	    .name_count = r->name_count,
	    .generation = ++r->generation,
	};
	static const struct label label = {{"istio", 5}, {"edge", 4}};
	struct view *v = NULL;

	in.proxy = r->kind;
	in.identity = S("spiffe://mesh.internal/ns/edge/sa/gw");
	if (r->kind == VIEW_ROUTER)
		in.labels = (struct labels){&label, 1};
	if (yaml != NULL)
		in.resource_count = load(yaml, resources);
	in.resources = (const struct resource *const *)resources;
	CHECK(view_compile(&in, &v, NULL) == OK);
	for (size_t i = 0; i < in.resource_count; i++)
		resource_unref(&resources[i]);
	r->done = false;
	proxy_publish(r->proxy, v, on_done, r);
	view_unref(&v);
	RIG_UNTIL(r, r->done && (all_listen(r) || r->listeners_failed > 0));
}

/* --- questions --- */

/* The family is the proxy's: a name that is there already gives the same. */
uint64_t
rig_refused(const char *peer, const char *reason)
{
	static const char *const labels[] = {"peer", "reason"};
	struct metric_family *f = metric_family_new("meshd_refusals_total", "",
	    METRIC_COUNTER, labels, ARRAY_LEN(labels), NULL, 0);
	struct metric_series *s = metric_series_get(
	    f, (const struct slice[]){slice_str(peer), slice_str(reason)});
	uint64_t n = (uint64_t)metric_value(s);

	metric_series_release(s);
	return n;
}

static void
on_conns(void *arg, const struct proxy_conn_info *conns, size_t count)
{
	struct rig *r = arg;

	CHECK(count <= ARRAY_LEN(r->conns));
	memcpy(r->conns, conns, count * sizeof(*conns));
	r->conn_count = count;
	r->done = true;
}

void
rig_list(struct rig *r)
{
	r->done = false;
	proxy_list_conns(r->proxy, on_conns, r);
	RIG_UNTIL(r, r->done);
}

struct errand {
	void (*fn)(void *arg);
	void *arg;
	atomic_bool done;
};

static void
run_errand(void *arg)
{
	struct errand *e = arg;

	e->fn(e->arg);
	atomic_store(&e->done, true);
}

void
rig_on_worker(struct rig *r, unsigned index, void (*fn)(void *arg), void *arg)
{
	struct errand e = {.fn = fn, .arg = arg};

	workers_post(r->workers, index, run_errand, &e);
	RIG_UNTIL(r, atomic_load(&e.done));
}

void
rig_get(
    struct rig *r, const char *listener, const char *path, struct reply *out)
{
	struct addr to = rig_addr(r, listener);
	struct wire w = wire_dial(&to);
	char text[512];

	(void)snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nhost: %s\r\n\r\n", path, listener);
	CHECK(wire_say(&w, text));
	reply_read(&w, "GET", out);
	wire_close(&w);
}

struct rig *
rig_web(server_fn fn, const char *text, const char *protocol, struct server *s)
{
	struct rig *r = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);

	server_open(s, ADDR_V4, fn, text);
	rig_service(r, "web", protocol);
	rig_endpoint(r, "web", &s->addr, NULL);
	rig_listen(r, "web", ADDR_V4);
	rig_publish(r, NULL);
	return r;
}

static struct rig_bytes
bytes_now(struct rig *r)
{
	rig_list(r);
	CHECK(r->conn_count == 1);
	return (struct rig_bytes){r->conns[0].bytes_in, r->conns[0].bytes_out};
}

struct rig_bytes
rig_still(struct rig *r)
{
	struct rig_bytes now = bytes_now(r), before;

	do {
		before = now;
		for (int i = 0; i < 20; i++)
			loop_turn(r->control, 5000);
		now = bytes_now(r);
	} while (now.in != before.in || now.out != before.out || now.in == 0);
	return now;
}
