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
	DOOR_NAME_MAX = 128,
	FOUND_BYTES = 1 << 20 /* of one worker's answer about one id */
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
	struct list doors;   /* struct door */
	struct view_log log; /* as the view says; the text is ours */
	struct list taps;    /* struct node_tap */
	size_t tap_count;
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

enum door_state
plane_door(const struct node *n, struct slice name, const struct addr *addr)
{
	uint64_t all;

	if (n->plane == NULL)
		return DOOR_AWAITED;
	all = UINT64_MAX >> (64 - workers_count(n->plane->workers));
	LIST_EACH (&n->plane->doors, it) {
		const struct door *d = CONTAINER(it, struct door, link);

		if (addr_eq(&d->addr, addr) &&
		    slice_eq(slice_str(d->name), name))
			return d->waiting != 0  ? DOOR_REFUSED
			       : d->open == all ? DOOR_OPEN
						: DOOR_AWAITED;
	}
	return DOOR_AWAITED;
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

static void
on_host_told(void *arg, enum err e, const struct fault *why)
{
	if (e != OK)
		log_debug("a host that is called is not known", "reason=\"%s\"",
		    why->text);
	proxy_host_told(arg);
}

static void
on_host(void *arg, struct slice host, struct proxy_ask *ask)
{
	struct plane *p;

	OBJ(p, arg, PLANE_MAGIC);
	node_ask_host(p->node, host, on_host_told, ask);
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
	    .on_host = on_host,
	    .arg = p};

	p->magic = PLANE_MAGIC;
	p->node = n;
	list_init(&p->doors);
	list_init(&p->taps);
	p->telemetry = telemetry_new(&n->log);
	p->workers = workers_new(&workers);
	spec.workers = p->workers;
	p->proxy = proxy_open(&spec);
	p->log.format = slice_of(mem_strndup("", 0), 0);
	n->plane = p;
	if (n->log.lines != NULL)
		proxy_keep_answers(
		    p->proxy, telemetry_lines_want_answers(n->log.lines));
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

/* --- how lines look ------------------------------------------------------- */

struct new_lines {
	struct plane *plane;
	struct telemetry_lines *lines;
};

static void
take_lines(struct loop *l, unsigned index, void *arg)
{
	const struct new_lines *n = arg;
	struct telemetry_writer *w = n->plane->reporters[index].writer;

	(void)l; /* the worker's */
	if (w != NULL)
		telemetry_writer_use(w, n->lines);
}

static void
lines_taken(void *arg)
{
	struct new_lines *n = arg;

	telemetry_lines_unref(&n->lines);
	mem_free(&n);
}

/* Takes the lines. */
static void
use_lines(struct plane *p, struct telemetry_lines *lines)
{
	struct new_lines *n = mem_new(sizeof(*n));

	*n = (struct new_lines){p, lines};
	proxy_keep_answers(p->proxy, telemetry_lines_want_answers(lines));
	workers_each(p->workers, take_lines, p->node->loop, lines_taken, n);
}

static bool
keep_log(struct plane *p, const struct view_log *log)
{
	char *mine = (char *)(uintptr_t)p->log.format.ptr; /* a copy */

	if (log->json == p->log.json && slice_eq(log->format, p->log.format))
		return false;
	mem_free(&mine);
	p->log = (struct view_log){
	    .format = slice_of(
		mem_strndup(log->format.ptr, log->format.len), log->format.len),
	    .json = log->json};
	return true;
}

/* Istio's text, where even that which the mesh wants makes no sense. */
static struct telemetry_lines *
lines_of(const struct view_log *log)
{
	struct telemetry_lines *lines = NULL;
	struct fault why = {0};

	if (telemetry_lines_new(log->json ? TELEMETRY_JSON : TELEMETRY_TEXT,
		log->format, &lines, &why) == OK)
		return lines;
	log_error(
	    "MeshConfig's accessLogFormat is not used", "why=\"%s\"", why.text);
	CHECK(telemetry_lines_new(TELEMETRY_TEXT, S(""), &lines, NULL) == OK);
	return lines;
}

void
plane_choose_lines(struct node *n, const struct view *v)
{
	struct plane *p = n->plane;
	struct view_log log = {0};
	bool changed = v == NULL;

	if (p == NULL || p->proxy == NULL)
		return;
	if (v != NULL) {
		log = view_access_log(v);
		changed = keep_log(p, &log);
	}
	if (!changed)
		return;
	if (n->log.lines != NULL)
		use_lines(p, telemetry_lines_ref(n->log.lines));
	else
		use_lines(p, lines_of(&p->log));
}

/* --- taps ----------------------------------------------------------------- */

struct node_tap {
	struct list link;
	struct plane *plane; /* NULL once that is gone */
	struct loop *loop;
	struct telemetry_tap *tap;
};

/* A worker that is stopping has no writer any more. */
static void
tap_worker(struct loop *l, unsigned index, void *arg)
{
	const struct node_tap *t = arg;
	struct telemetry_writer *w = t->plane->reporters[index].writer;

	(void)l; /* the worker's */
	if (w != NULL)
		telemetry_writer_tap(w, t->tap);
}

struct untapping {
	struct plane *plane;
	struct node_tap *tap;
};

static void
untap_worker(struct loop *l, unsigned index, void *arg)
{
	const struct untapping *u = arg;
	struct telemetry_writer *w = u->plane->reporters[index].writer;

	(void)l; /* the worker's */
	if (w != NULL)
		telemetry_writer_untap(w, u->tap->tap);
}

static void
tap_free(void *arg)
{
	struct node_tap *t = arg;

	telemetry_tap_free(&t->tap);
	mem_free(&t);
}

/* What workers had sent has come before this. */
static void
untapped(void *arg)
{
	struct untapping *u = arg;

	tap_free(u->tap);
	mem_free(&u);
}

enum err
node_tap_open(struct node *n, struct telemetry_query *match,
    void (*on_lines)(void *arg, struct slice lines, size_t count), void *arg,
    struct node_tap **out, struct fault *why)
{
	struct plane *p = n->plane;
	struct node_tap *t;

	if (plane_proxy(n) == NULL || p->tap_count == TELEMETRY_TAPS_MAX) {
		telemetry_query_free(&match);
		return p == NULL
			   ? fault_set(
				 why, ERR_BUSY, "this agent is in no mesh yet")
			   : fault_set(why, ERR_BUSY,
				 "%d look already, which is as many as may",
				 TELEMETRY_TAPS_MAX);
	}
	t = mem_new(sizeof(*t));
	t->plane = p;
	t->loop = n->loop;
	t->tap = telemetry_tap_new(&(struct telemetry_tap_spec){
	    .loop = n->loop, .match = match, .on_lines = on_lines, .arg = arg});
	list_push_back(&p->taps, &t->link);
	p->tap_count++;
	workers_each(p->workers, tap_worker, n->loop, NULL, t);
	*out = t;
	return OK;
}

void
node_tap_close(struct node_tap **tp)
{
	struct node_tap *t = TAKE(*tp);
	struct untapping *u;

	if (t == NULL)
		return;
	telemetry_tap_close(t->tap);
	if (t->plane == NULL) {
		loop_post(t->loop, tap_free, t);
		return;
	}
	u = mem_new(sizeof(*u));
	*u = (struct untapping){t->plane, t};
	list_remove(&t->link);
	t->plane->tap_count--;
	workers_each(t->plane->workers, untap_worker, t->loop, untapped, u);
}

struct telemetry_tap *
node_tap_flows(const struct node_tap *t)
{
	return t->tap;
}

/* --- what has passed ------------------------------------------------------ */

struct finding {
	struct plane *plane;
	struct slice id; /* a copy */
	struct buf found[WORKERS_MAX];
	void (*done)(void *arg, struct slice lines);
	void *arg;
};

static void
find_worker(struct loop *l, unsigned index, void *arg)
{
	struct finding *f = arg;
	const struct telemetry_writer *w = f->plane->reporters[index].writer;

	(void)l; /* the worker's */
	buf_init(&f->found[index], FOUND_BYTES);
	if (w != NULL) /* what does not fit is not told */
		(void)!telemetry_writer_find(w, f->id, &f->found[index]);
}

static void
found(void *arg)
{
	AUTO(buf_fini) struct buf all = BUF(WORKERS_MAX * FOUND_BYTES);
	struct finding *f = arg;
	char *id = (char *)(uintptr_t)f->id.ptr;

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		CHECK(buf_add_slice(&all, buf_slice(&f->found[i])) == OK);
		buf_fini(&f->found[i]);
	}
	f->done(f->arg, buf_slice(&all));
	mem_free(&id);
	mem_free(&f);
}

void
node_find_requests(struct node *n, struct slice id,
    void (*done)(void *arg, struct slice lines), void *arg)
{
	struct finding *f;

	if (plane_proxy(n) == NULL) {
		done(arg, SLICE_NONE);
		return;
	}
	f = mem_new(sizeof(*f));
	f->plane = n->plane;
	f->id = slice_of(mem_strndup(id.ptr, id.len), id.len);
	f->done = done;
	f->arg = arg;
	workers_each(n->plane->workers, find_worker, n->loop, found, f);
}

/* --- whether they live ---------------------------------------------------- */

static void
answer(struct loop *l, unsigned index, void *arg)
{
	(void)l; /* that it turns is all */
	(void)index;
	(void)arg;
}

void
node_ask_workers(struct node *n, void (*done)(void *arg), void *arg)
{
	if (n->plane == NULL)
		done(arg);
	else
		workers_each(n->plane->workers, answer, n->loop, done, arg);
}

/* --- the end -------------------------------------------------------------- */

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
	char *format;

	if (p == NULL)
		return;
	format = (char *)(uintptr_t)p->log.format.ptr; /* a copy */
	mem_free(&format);
	workers_free(&p->workers);
	LIST_EACH (&p->taps, it) {
		struct node_tap *t = CONTAINER(it, struct node_tap, link);

		list_remove(it);
		t->plane = NULL; /* who opened it closes it */
	}
	LIST_EACH (&p->doors, it)
		door_free(CONTAINER(it, struct door, link));
	telemetry_free(&p->telemetry);
	p->magic = 0;
	mem_free(&n->plane);
}
