/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolver — the name server of a machine.
 *
 * Names of the mesh it answers by the view in force; all else goes to the name
 * servers that the machine has, as it came. It has a thread and a loop of its
 * own, so that no name waits for what the control loop makes.
 */
#ifndef MESHD_RESOLVER_H
#define MESHD_RESOLVER_H

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"
#include "net/net.h"

enum {
	RESOLVER_PORT = 15053,
	RESOLVER_ADDRS_MAX = 8, /* where it listens, and whom it asks */
	RESOLVER_TTL_S = 5,
	RESOLVER_ASKS_MAX = 2048,  /* questions that wait for anything */
	RESOLVER_RELAYS_MAX = 256, /* of these, that others are asked */
	/* Of one address of askers: one of many cannot have all. */
	RESOLVER_RELAYS_OF_ONE = 192,
	/* Of one name and type, that differ in something else: a loop. */
	RESOLVER_SAME_MAX = 32,
	RESOLVER_CONNS_MAX = 64,   /* over TCP */
	RESOLVER_HOSTS_MAX = 512,  /* names that the servers are asked about */
	RESOLVER_OUTSIDE_MAX = 256 /* of these, outside the mesh's domain */
};

#define RESOLVER_CONF "/etc/resolv.conf"

struct resolver;      /* opaque */
struct resolver_host; /* a question about a host, on its way */

/* Which questions leave a line in the log. */
enum resolver_log { RESOLVER_LOG_OFF, RESOLVER_LOG_FAILED, RESOLVER_LOG_ALL };

struct resolver_spec {
	struct loop *control;
	struct net_factory *factory;
	/* UDP and TCP. No address of these is any address: a resolver for all
	 * who come would be a weapon. */
	const struct addr *listen;
	size_t listen_count;
	const struct addr *upstreams;
	size_t upstream_count; /* 0: those of `conf`, as it is at the time */
	const char *conf;      /* NULL: RESOLVER_CONF */
	uint32_t ttl_s;        /* of answers by the view */
	enum resolver_log log;
	uint32_t log_each; /* of those every such one; 0 is 1 */
	/*
	 * On the control loop: the servers are to be asked about the host; then
	 * resolver_host_told(), when what they said is in force. NULL: what
	 * the view has is all.
	 */
	void (*on_host)(
	    void *arg, struct slice host, struct resolver_host *ask);
	/* On the control loop, of each address, and each change: why it does
	 * not listen there; NULL: it does. */
	void (*on_listener)(void *arg, const struct addr *a, const char *why);
	void *arg;
};

/* All that follow are the control loop's. */
struct resolver *resolver_open(const struct resolver_spec *spec);

/* Ends its thread. NULLs *rp. */
void resolver_close(struct resolver **rp);

/* Takes a reference. */
void resolver_publish(struct resolver *r, const struct view *v);

/* Once for each on_host; also after resolver_close(). Not OK: nobody knows. */
void resolver_host_told(struct resolver_host *ask, enum err e);

/* What came of a question, for people; all lent. */
struct resolver_report {
	struct slice message; /* the answer as it is sent; or empty */
	const char *result;   /* "mesh", "absent", "relayed" … */
	const char *form;     /* of the name, or NULL */
	const char *why;
	struct slice host;    /* of the service, or empty */
	struct slice origin;  /* where that is written, or empty */
	struct addr upstream; /* who was asked; family ADDR_NONE: nobody */
	uint64_t took_us;
};

/*
 * Asks as a program here would, and tells on the control loop; once, whatever
 * comes. ERR_PARSE: the name is none.
 */
MUST_USE enum err resolver_query(struct resolver *r, struct slice name,
    uint16_t type,
    void (*done)(void *arg, const struct resolver_report *report), void *arg);

#endif
