/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports — what may be read over TCP: metrics, health, and the API on loopback.
 *
 * Each port has a small server of its own. Whoever comes in here is a viewer.
 */
#define LOG_MODULE "admin"

#include "inside.h"

#include <stdio.h>

enum { PORT_MAGIC = 0x706f7274, METRICS_BYTES = 128 << 20, NAME_MAX_LEN = 16 };

typedef void (*port_handler)(struct admin *a, struct http_exchange *x);

struct port {
	uint32_t magic;
	struct ports *ports; /* NULL once they are closed */
	struct admin *admin;
	const char *name;
	struct addr addr;
	char waits[FAULT_TEXT_MAX]; /* why it is not open yet, or "" */
	port_handler handle;
	struct net_listener *listener; /* NULL once closed */
	struct http_server *http;
	struct admin_peer reader;
};

enum { PORTS = 3 };

struct ports {
	struct port *port[PORTS];
};

/* --- what they answer --- */

static bool
is_get(struct http_exchange *x, struct slice path)
{
	return slice_eq(http_exchange_head(x)->method, S("GET")) &&
	       slice_eq(http_exchange_path(x), path);
}

static void
not_here(struct http_exchange *x, struct slice what)
{
	http_exchange_respond(x, 404, S("text/plain"), what);
}

static void
metrics(struct admin *a, struct http_exchange *x)
{
	AUTO(buf_fini) struct buf text = BUF(METRICS_BYTES);

	(void)a; /* metrics are the process's */
	if (!is_get(x, S("/metrics")) && !is_get(x, S("/stats/prometheus"))) {
		not_here(x, S("only GET /metrics is served here\n"));
		return;
	}
	if (metrics_render(&text) != OK) {
		http_exchange_respond(
		    x, 500, S("text/plain"), S("the metrics are too large\n"));
		return;
	}
	http_exchange_respond(
	    x, 200, S("text/plain; version=0.0.4"), buf_slice(&text));
}

static void
health(struct admin *a, struct http_exchange *x)
{
	struct node_status s;

	if (!is_get(x, S("/healthz/ready"))) {
		not_here(x, S("only GET /healthz/ready is served here\n"));
		return;
	}
	if (a->spec.node == NULL) {
		http_exchange_respond(x, 200, S("text/plain"), S("serving\n"));
		return;
	}
	node_status(a->spec.node, &s);
	if (s.state == NODE_RUNNING)
		http_exchange_respond(x, 200, S("text/plain"), S("serving\n"));
	else
		http_exchange_respond(x, 503, S("text/plain"),
		    slice_str(node_state_name(s.state)));
}

/* --- connections --- */

static void
on_request(void *arg, struct http_exchange *x)
{
	struct port *p;

	OBJ(p, arg, PORT_MAGIC);
	p->handle(p->admin, x);
}

static void
on_accept(struct net_listener *l, void *arg, int fd, const struct addr *peer)
{
	struct port *p;

	(void)l;    /* the port's */
	(void)peer; /* whoever it is, it only reads */
	OBJ(p, arg, PORT_MAGIC);
	http_server_serve(p->http,
	    net_stream_new(p->admin->spec.loop, fd, &admin_early, NULL),
	    HTTP_PROTO_1, &p->reader);
}

static void
port_free(struct port *p)
{
	p->magic = 0;
	mem_free(&p);
}

static void
on_open(struct net_listener *l, void *arg)
{
	struct port *p;
	char text[ADDR_TEXT_MAX];
	struct addr addr = net_listener_addr(l);

	OBJ(p, arg, PORT_MAGIC);
	p->waits[0] = '\0';
	log_info(
	    "listening", "name=%s addr=%s", p->name, addr_format(&addr, text));
}

static void
on_wait(struct net_listener *l, void *arg, const struct fault *words)
{
	struct port *p;

	(void)l; /* the port's */
	OBJ(p, arg, PORT_MAGIC);
	log_error("listener could not open; it tries again",
	    "name=%s why=\"%s\"", p->name, words->text);
	(void)snprintf(p->waits, sizeof(p->waits), "%.*s; it is tried again",
	    FAULT_TEXT_MAX - 32, words->text);
}

static void
on_close(
    struct net_listener *l, void *arg, enum err why, const struct fault *words)
{
	struct port *p;

	(void)l;   /* gone with this call */
	(void)why; /* our own wish, else the kernel's */
	(void)words;
	OBJ(p, arg, PORT_MAGIC);
	p->listener = NULL;
	if (p->ports == NULL)
		port_free(p);
}

static const struct net_listener_events listener_events = {
    .on_open = on_open,
    .on_accept = on_accept,
    .on_wait = on_wait,
    .on_close = on_close,
};

/* --- opening and closing --- */

static struct port *
port_open(struct ports *owner, struct admin *a, const char *name,
    const struct addr *addr, port_handler handle)
{
	struct net_socket_spec spec = NET_SOCKET_SPEC;
	struct port *p;

	if (addr->family == ADDR_NONE)
		return NULL;
	p = mem_new(sizeof(*p));
	p->magic = PORT_MAGIC;
	p->ports = owner;
	p->admin = a;
	p->name = name;
	p->addr = *addr;
	p->handle = handle;
	p->reader.admin = a;
	p->reader.actor.role = CA_ROLE_VIEWER;
	(void)snprintf(
	    p->reader.actor.name, sizeof(p->reader.actor.name), "%s", name);
	p->http = http_server_new(&(struct http_server_spec){
	    .loop = a->spec.loop, .on_request = on_request, .arg = p});
	spec.name = slice_str(name);
	spec.kind = NET_LISTEN;
	spec.addr = *addr;
	spec.options = NET_NODELAY;
	p->listener = net_listener_open(
	    a->spec.factory, a->spec.loop, &spec, &listener_events, p);
	return p;
}

struct ports *
ports_open(struct admin *a)
{
	struct ports *ps = mem_new(sizeof(*ps));
	const struct admin_spec *s = &a->spec;

	ps->port[0] = port_open(ps, a, "metrics", &s->metrics, metrics);
	ps->port[1] = port_open(ps, a, "health", &s->health, health);
	ps->port[2] = port_open(ps, a, "admin", &s->loopback, admin_dispatch);
	return ps;
}

void
ports_each_problem(const struct ports *ps,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	for (size_t i = 0; ps != NULL && i < PORTS; i++) {
		const struct port *p = ps->port[i];
		char text[ADDR_TEXT_MAX];
		char about[ADDR_TEXT_MAX + NAME_MAX_LEN];

		if (p == NULL || p->waits[0] == '\0')
			continue;
		(void)snprintf(about, sizeof(about), "%s %s", p->name,
		    addr_format(&p->addr, text));
		each(arg, &(struct node_problem){.kind = "port",
			      .about = slice_str(about),
			      .text = slice_str(p->waits)});
	}
}

void
ports_close(struct ports **pp)
{
	struct ports *ps = *pp;

	if (ps == NULL)
		return;
	for (size_t i = 0; i < PORTS; i++) {
		struct port *p = ps->port[i];

		if (p == NULL)
			continue;
		p->ports = NULL;
		http_server_free(&p->http);
		if (p->listener != NULL)
			net_listener_close(p->listener);
		else
			port_free(p);
	}
	mem_free(pp);
}
