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
	H2_WINDOW_BYTES = 64 << 20, /* growth of all windows of the agent */
	DOOR_NAME_MAX = 128
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
	struct list doors; /* struct door */
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

/* All workers' listeners of one name and address; bits are workers. */
struct door {
	struct list link;
	struct addr addr;
	uint64_t open;
	uint64_t waiting;
	char name[DOOR_NAME_MAX];
	char why[FAULT_TEXT_MAX];
};

static struct door *
door_of(struct plane *p, const struct proxy_listener *l)
{
	struct door *d;

	LIST_EACH (&p->doors, it) {
		d = CONTAINER(it, struct door, link);
		if (addr_eq(&d->addr, &l->addr) &&
		    slice_eq(slice_str(d->name), l->name))
			return d;
	}
	d = mem_new(sizeof(*d));
	d->addr = l->addr;
	(void)snprintf(d->name, sizeof(d->name), "%.*s", SLICE_ARG(l->name));
	list_push_back(&p->doors, &d->link);
	return d;
}

static void
door_free(struct door *d)
{
	list_remove(&d->link);
	mem_free(&d);
}

static void
door_opens(struct plane *p, struct door *d, uint64_t worker)
{
	char text[ADDR_TEXT_MAX];

	if (d->open == 0)
		log_info("listening", "name=%s addr=%s", d->name,
		    addr_format(&d->addr, text));
	d->open |= worker;
	d->waiting &= ~worker;
	if (strcmp(d->name, "hbone") == 0) {
		p->node->tunnel_port = d->addr.port;
		peers_offer(p->node);
	}
}

static void
door_waits(struct door *d, uint64_t worker, struct slice why)
{
	if (d->waiting == 0)
		log_error("listener could not open; it tries again",
		    "name=%s why=\"%.*s\"", d->name, SLICE_ARG(why));
	d->waiting |= worker;
	(void)snprintf(
	    d->why, sizeof(d->why), "%.*s; it is tried again", SLICE_ARG(why));
}

static void
on_listener(void *arg, const struct proxy_listener *l)
{
	struct plane *p;
	struct door *d;
	uint64_t worker = UINT64_C(1) << l->worker;

	OBJ(p, arg, PLANE_MAGIC);
	d = door_of(p, l);
	if (l->state == PROXY_LISTENS) {
		door_opens(p, d, worker);
	} else if (l->state == PROXY_WAITS) {
		door_waits(d, worker, l->why);
	} else {
		d->open &= ~worker;
		d->waiting &= ~worker;
	}
	if (d->open == 0 && d->waiting == 0)
		door_free(d);
}

void
plane_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	char text[ADDR_TEXT_MAX];
	char about[DOOR_NAME_MAX + ADDR_TEXT_MAX];

	if (n->plane == NULL)
		return;
	LIST_EACH (&n->plane->doors, it) {
		const struct door *d = CONTAINER(it, struct door, link);

		if (d->waiting == 0)
			continue;
		(void)snprintf(about, sizeof(about), "%s %s", d->name,
		    addr_format(&d->addr, text));
		each(arg, &(struct node_problem){.kind = "port",
			      .about = slice_str(about),
			      .text = slice_str(d->why)});
	}
}

static unsigned
count_workers(unsigned asked)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = cores > 0 ? (unsigned)cores : 1;

	return MIN(asked == 0 ? most : asked, WORKERS_MAX);
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
	list_init(&p->doors);
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
	LIST_EACH (&p->doors, it)
		door_free(CONTAINER(it, struct door, link));
	telemetry_free(&p->telemetry);
	p->magic = 0;
	mem_free(&n->plane);
}
