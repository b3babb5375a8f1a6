/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plane — workers, the proxy on them, and a telemetry writer for each.
 */
#define LOG_MODULE "node"

#include <stdio.h>
#include <unistd.h>

#include "inside.h"

enum {
	PLANE_MAGIC = 0x706c616e,
	H2_WINDOW_BYTES = 64 << 20 /* growth of all windows of the agent */
};

/* One worker's; only its thread touches it. */
struct reporter {
	struct telemetry_writer *writer;
	struct loop_hook hook;
};

struct plane {
	uint32_t magic;
	struct node *node;
	struct telemetry *telemetry;
	struct reporter reporters[WORKERS_MAX];
	struct workers *workers;
	struct proxy *proxy;
	char failure[FAULT_TEXT_MAX]; /* of a listener, as it was logged last */
};

/* --- on workers ----------------------------------------------------------- */

static void
flush(void *arg)
{
	struct reporter *r = arg;

	telemetry_flush(r->writer);
}

static void
on_start(struct loop *l, unsigned index, void *arg)
{
	struct plane *p;
	struct reporter *r;

	OBJ(p, arg, PLANE_MAGIC);
	r = &p->reporters[index];
	metric_thread_init();
	r->writer = telemetry_writer_new(p->telemetry);
	loop_hook_add(l, &r->hook, flush, r);
}

static void
on_stop(struct loop *l, unsigned index, void *arg)
{
	struct plane *p;
	struct reporter *r;

	(void)l;
	OBJ(p, arg, PLANE_MAGIC);
	r = &p->reporters[index];
	loop_hook_remove(&r->hook);
	telemetry_writer_free(&r->writer);
}

static void
on_flow(void *arg, unsigned worker, const struct flow_record *record)
{
	struct plane *p;

	OBJ(p, arg, PLANE_MAGIC);
	telemetry_report(p->reporters[worker].writer, record);
}

/* --- on the control loop -------------------------------------------------- */

/* Workers share a port, and mostly the reason why it did not open. */
static void
say_listener(struct plane *p, unsigned worker, struct slice name,
    const struct addr *addr, const struct fault *why)
{
	char text[ADDR_TEXT_MAX];

	if (why == NULL && worker == 0)
		log_info("listening", "name=%.*s addr=%s", SLICE_ARG(name),
		    addr_format(addr, text));
	if (why == NULL || (worker > 0 && strcmp(p->failure, why->text) == 0))
		return;
	log_error("listener could not open", "name=%.*s why=\"%s\"",
	    SLICE_ARG(name), why->text);
	(void)snprintf(p->failure, sizeof(p->failure), "%s", why->text);
}

static void
on_listener(void *arg, unsigned worker, struct slice name,
    const struct addr *addr, const struct fault *why)
{
	struct plane *p;

	OBJ(p, arg, PLANE_MAGIC);
	say_listener(p, worker, name, addr, why);
	if (why == NULL && slice_eq(name, S("hbone"))) {
		p->node->tunnel_port = addr->port;
		peers_offer(p->node);
	}
}

static unsigned
count_workers(unsigned asked)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = cores > 0 ? (unsigned)cores : 1;

	return MIN(MIN(asked == 0 ? most : asked, most), WORKERS_MAX);
}

void
plane_open(struct node *n)
{
	struct plane *p = mem_new(sizeof(*p));
	struct workers_spec workers = {.count = count_workers(n->worker_count),
	    .clock = loop_clock(n->loop),
	    .on_start = on_start,
	    .on_stop = on_stop,
	    .arg = p};
	struct proxy_spec spec = {.control = n->loop,
	    .factory = n->factory,
	    .hbone = n->hbone,
	    .trust_domain = slice_str(n->member.bundle.trust_domain),
	    .h2_window_bytes = H2_WINDOW_BYTES,
	    .on_flow = on_flow,
	    .on_listener = on_listener,
	    .arg = p};

	p->magic = PLANE_MAGIC;
	p->node = n;
	p->telemetry = telemetry_new(&n->log);
	p->workers = workers_new(&workers);
	spec.workers = p->workers;
	p->proxy = proxy_open(&spec);
	n->plane = p;
}

struct proxy *
plane_proxy(const struct node *n)
{
	return n->plane != NULL ? n->plane->proxy : NULL;
}

void
plane_set_credentials(struct node *n)
{
	struct proxy_credentials *c;

	if (plane_proxy(n) == NULL)
		return;
	c = identities_credentials(n);
	proxy_set_credentials(n->plane->proxy, c);
	proxy_credentials_unref(&c);
}

void
plane_set_log_success(struct node *n, bool on)
{
	if (n->plane != NULL)
		telemetry_set_log_success(n->plane->telemetry, on);
}

static void
on_closed(void *arg)
{
	struct plane *p;

	OBJ(p, arg, PLANE_MAGIC);
	node_part_closed(p->node);
}

void
plane_close(struct node *n, uint64_t drain_us)
{
	proxy_close(&n->plane->proxy, drain_us, on_closed, n->plane);
}

void
plane_free(struct node *n)
{
	struct plane *p = n->plane;

	if (p == NULL)
		return;
	workers_free(&p->workers);
	telemetry_free(&p->telemetry);
	p->magic = 0;
	mem_free(&n->plane);
}
