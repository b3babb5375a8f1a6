/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dns — the name server of this machine, tied to the rest of the node.
 *
 * It is told of a view when that is in force: who is given an address may call
 * it. A name that nobody here asked for yet is asked of the servers, as a host
 * that is called is.
 */
#define LOG_MODULE "node"

#include <stdio.h>

#include "inside.h"

struct dns {
	struct resolver *resolver;
	char
	    conf[WIRING_PATH_MAX]; /* of name servers, while ours is in place */
	bool wired;                /* that was asked for, once it listened */
	char not_wired[FAULT_TEXT_MAX];
	/* Of each address: it listens, or why it does not. */
	bool listens[RESOLVER_ADDRS_MAX];
	char why[RESOLVER_ADDRS_MAX][FAULT_TEXT_MAX];
};

void
dns_keep(struct node *n, const struct resolver_spec *spec,
    const struct wiring_spec *wiring)
{
	struct resolver_spec *to = &n->dns_spec;

	n->wiring = wiring->kind;
	if (wiring->link != NULL)
		(void)snprintf(
		    n->wiring_link, sizeof(n->wiring_link), "%s", wiring->link);

	*to = *spec;
	to->listen_count = MIN(spec->listen_count, RESOLVER_ADDRS_MAX);
	to->upstream_count = MIN(spec->upstream_count, RESOLVER_ADDRS_MAX);
	for (size_t i = 0; i < to->listen_count; i++)
		n->dns_listen[i] = spec->listen[i];
	for (size_t i = 0; i < to->upstream_count; i++)
		n->dns_upstreams[i] = spec->upstreams[i];
	to->listen = n->dns_listen;
	to->upstreams = n->dns_upstreams;
}

static void
on_host_told(void *arg, enum err e, const struct fault *why)
{
	if (e != OK)
		log_debug("a host that is asked for is not known",
		    "reason=\"%s\"", why->text);
	resolver_host_told(arg, e);
}

static void
on_host(void *arg, struct slice host, struct resolver_host *ask)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	node_ask_host(n, host, on_host_told, ask);
}

/* --- wiring --------------------------------------------------------------- */

static void end_wiring(struct node *n);

/* What is under way holds the node; its end waits for that. */
static void
wiring_over(struct node *n)
{
	CHECK(n->wiring_open > 0);
	if (--n->wiring_open == 0 && n->wiring_ends)
		end_wiring(n);
}

static void
tell_wired(struct node *n, enum err e, const struct fault *why)
{
	(void)snprintf(n->dns->not_wired, sizeof(n->dns->not_wired), "%s",
	    e != OK ? why->text : "");
	if (e == OK)
		log_info("programs of this machine ask here for names", "by=%s",
		    n->wiring == WIRING_RESOLVED ? "systemd-resolved"
						 : "resolv.conf");
	else
		log_error("programs of this machine do not ask here for names",
		    "why=\"%s\"", why->text);
}

static void
on_wired(void *arg, enum err e, const struct fault *why)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	if (n->dns != NULL)
		tell_wired(n, e, why);
	wiring_over(n);
}

/* Once it listens: nobody is sent to where nobody answers. */
static void
wire(struct node *n)
{
	struct wiring_spec spec = {.loop = n->loop,
	    .state_dir = n->state.dir,
	    .kind = n->wiring,
	    .link = n->wiring_link[0] != '\0' ? n->wiring_link : NULL,
	    .server = n->dns_listen[0],
	    .domain = slice_str(n->member.domain),
	    .ns = slice_str(n->ns)};

	if (n->dns->wired || n->wiring == WIRING_OFF || n->wiring_ends)
		return;
	n->dns->wired = true;
	n->wiring_open++;
	wiring_set(&spec, on_wired, n);
}

static void
tell_unwired(const struct node *n, enum err e, const struct fault *why)
{
	if (e == OK)
		log_info("names are looked up here as they were before",
		    "state=%s", n->state.dir);
	else if (e != ERR_NOT_FOUND)
		log_error("what was wired for names is not taken back",
		    "why=\"%s\" hint=\"meshd dns unwire\"", why->text);
}

static void
on_left_over(void *arg, enum err e, const struct fault *why)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	tell_unwired(n, e, why);
	wiring_over(n);
}

/* What an agent left that was ended before it could take it back. */
static void
take_back_left_over(struct node *n)
{
	n->wiring_open++;
	wiring_restore(n->loop, n->state.dir, on_left_over, n);
}

static void
on_unwired(void *arg, enum err e, const struct fault *why)
{
	struct node *n;

	OBJ(n, arg, NODE_MAGIC);
	tell_unwired(n, e, why);
	node_part_closed(n);
}

static void
end_wiring(struct node *n)
{
	if (n->dns != NULL && n->dns->wired)
		wiring_restore(n->loop, n->state.dir, on_unwired, n);
	else
		node_part_closed(n);
}

void
dns_unwire(struct node *n)
{
	n->wiring_ends = true;
	if (n->wiring_open == 0)
		end_wiring(n);
}

/* --- the name server ------------------------------------------------------ */

static size_t
index_of(const struct node *n, const struct addr *a)
{
	size_t i = 0;

	while (i < n->dns_spec.listen_count && !addr_eq(&n->dns_listen[i], a))
		i++;
	return i;
}

enum door_state
dns_door(const struct node *n, const struct addr *a)
{
	size_t i = index_of(n, a);

	if (i == n->dns_spec.listen_count)
		return DOOR_NONE;
	if (n->dns == NULL)
		return DOOR_AWAITED;
	return n->dns->listens[i]          ? DOOR_OPEN
	       : n->dns->why[i][0] != '\0' ? DOOR_REFUSED
					   : DOOR_AWAITED;
}

static void
on_listener(void *arg, const struct addr *a, const char *why)
{
	struct node *n;
	char text[ADDR_TEXT_MAX];
	size_t i;

	OBJ(n, arg, NODE_MAGIC);
	i = index_of(n, a);
	if (n->dns == NULL || i == n->dns_spec.listen_count)
		return;
	(void)snprintf(n->dns->why[i], sizeof(n->dns->why[i]), "%s",
	    why != NULL ? why : "");
	n->dns->listens[i] = why == NULL;
	if (why != NULL)
		log_error("listener could not open; it tries again",
		    "name=dns addr=%s why=\"%s\"", addr_format(a, text), why);
	else
		log_info("listening", "name=dns addr=%s", addr_format(a, text));
	if (why == NULL && i == 0)
		wire(n);
}

void
dns_open(struct node *n)
{
	struct resolver_spec spec = n->dns_spec;

	if (n->wiring == WIRING_OFF)
		take_back_left_over(n);
	if (spec.listen_count == 0)
		return;
	spec.control = n->loop;
	spec.factory = n->factory;
	spec.on_host = on_host;
	spec.on_listener = on_listener;
	spec.arg = n;
	n->dns = mem_new(sizeof(*n->dns));
	if (n->wiring == WIRING_RESOLV_CONF &&
	    wiring_keep_conf(n->state.dir, NULL, n->dns->conf, NULL) == OK)
		spec.conf = n->dns->conf;
	n->dns->resolver = resolver_open(&spec);
}

void
dns_close(struct node *n)
{
	if (n->dns == NULL)
		return;
	resolver_close(&n->dns->resolver);
	mem_free(&n->dns);
}

void
dns_publish(struct node *n, const struct view *v)
{
	if (n->dns != NULL)
		resolver_publish(n->dns->resolver, v);
}

bool
dns_takes_questions(const struct node *n)
{
	for (size_t i = 0; n->dns != NULL && i < n->dns_spec.listen_count; i++)
		if (n->dns_listen[i].port == CAPTURE_DNS_PORT &&
		    n->dns->why[i][0] == '\0')
			return true;
	return false;
}

void
dns_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg)
{
	char text[ADDR_TEXT_MAX], about[ADDR_TEXT_MAX + 8];

	if (n->dns != NULL && n->dns->not_wired[0] != '\0')
		each(arg, &(struct node_problem){.kind = "name",
			      .about = S("dns-wire"),
			      .text = slice_str(n->dns->not_wired)});
	for (size_t i = 0; n->dns != NULL && i < n->dns_spec.listen_count;
	     i++) {
		if (n->dns->why[i][0] == '\0')
			continue;
		(void)snprintf(about, sizeof(about), "dns %s",
		    addr_format(&n->dns_listen[i], text));
		each(arg, &(struct node_problem){.kind = "port",
			      .about = slice_str(about),
			      .text = slice_str(n->dns->why[i])});
	}
}

enum err
node_dns_query(struct node *n, struct slice name, uint16_t type,
    void (*done)(void *arg, const struct resolver_report *report), void *arg,
    struct fault *why)
{
	if (n->dns_spec.listen_count == 0)
		return fault_set(why, ERR_UNSUPPORTED,
		    "this agent answers no names: it runs with --dns off");
	if (n->dns == NULL)
		return fault_set(why, ERR_BUSY, "this agent is no member now");
	if (resolver_query(n->dns->resolver, name, type, done, arg) != OK)
		return fault_set(why, ERR_INVALID, "\"%.*s\" is no name",
		    SLICE_ARG(slice_sub(name, 0, NAME_HOST_MAX)));
	return OK;
}
