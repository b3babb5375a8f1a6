/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy — the data plane of one machine: what programs send and what reaches
 * them.
 *
 * One share of everything a worker thread, and no lock on a request's path.
 * The control loop opens it, publishes views and credentials, asks for lists;
 * workers do the rest. Functions are for the control loop's thread unless
 * they say "on a worker".
 */
#ifndef MESHD_PROXY_H
#define MESHD_PROXY_H

#include "base/base.h"
#include "ca/ca.h"
#include "loop/loop.h"
#include "model/model.h"
#include "net/net.h"
#include "tls/tls.h"

enum { PROXY_HBONE_PORT = 15008 };

struct proxy;
struct proxy_credentials;

enum proxy_listening {
	PROXY_LISTENS,
	PROXY_WAITS, /* its port is taken; it tries again */
	PROXY_CLOSED
};

/* What became of one worker's listener: "hbone", or an upstream's. */
struct proxy_listener {
	struct slice name;
	struct addr addr;
	unsigned worker;
	enum proxy_listening state;
	struct slice why; /* PROXY_WAITS: in words */
};

struct proxy_spec {
	struct loop *control;
	struct workers *workers;
	struct net_factory *factory;
	struct addr hbone;         /* where tunnels come in; port 0 takes any,
				    * family 0: nothing comes in */
	struct slice trust_domain; /* copied */
	struct slice server_name;  /* for Proxy-Status and Via; "meshd" */
	uint64_t h2_window_bytes;  /* growth of all windows together */
	/* On a worker, in the turn in which a flow ended; `record` is lent. */
	void (*on_flow)(
	    void *arg, unsigned worker, const struct flow_record *record);
	/* On the control loop; all of it is lent. */
	void (*on_listener)(void *arg, const struct proxy_listener *l);
	void *arg;
};

/* Begins to listen; on_listener tells how that went. */
struct proxy *proxy_open(const struct proxy_spec *spec);

/*
 * Closes listeners and connections, then calls done(arg) on the control loop;
 * the proxy is gone by then. With `drain_us` connections get that long to end
 * by themselves: responses say Connection: close, tunnels get GOAWAY.
 */
void proxy_close(
    struct proxy **pp, uint64_t drain_us, void (*done)(void *arg), void *arg);

/*
 * The view from now on. Listeners that it no longer names are closed, new
 * ones opened; living connections stay. done(arg) when it is in force on
 * every worker; may be NULL. Keeps a reference of its own.
 */
void proxy_publish(
    struct proxy *p, const struct view *v, void (*done)(void *arg), void *arg);

/* --- who this machine is, to its peers --- */

struct proxy_identity {
	struct slice uri; /* spiffe://… */
	struct tls_identity *identity;
};

struct proxy_credentials_spec {
	const struct proxy_identity *identities;
	size_t count;
	/* Who answers and calls when none is named; `count` for nobody. */
	size_t fallback;
	struct tls_trust *trust;
	const struct ca_revocation *revocations;
	size_t revocation_count;
};

/* Immutable and counted; text is copied, references are taken. */
struct proxy_credentials *proxy_credentials_new(
    const struct proxy_credentials_spec *spec);
void proxy_credentials_unref(struct proxy_credentials **cp);

/*
 * New handshakes use these. Living connections stay as they are, but for those
 * whose peer is revoked by now: they are cut.
 */
void proxy_set_credentials(struct proxy *p, struct proxy_credentials *c);

/* --- what is going on --- */

enum proxy_conn_kind {
	PROXY_CONN_HTTP,    /* a client of a named listener */
	PROXY_CONN_TCP,     /* the same, bytes */
	PROXY_CONN_UPGRADE, /* the same, after 101 */
	PROXY_CONN_INBOUND  /* a tunnel's stream to a local service */
};

const char *proxy_conn_kind_name(enum proxy_conn_kind k);

enum { PROXY_CONN_TEXT_MAX = 256 };

/* One connection, as it was when asked. */
struct proxy_conn_info {
	enum proxy_conn_kind kind;
	unsigned worker;
	uint64_t id;
	uint64_t age_us;
	uint64_t requests;
	uint64_t bytes_in;
	uint64_t bytes_out;
	struct addr peer;
	char what[PROXY_CONN_TEXT_MAX];   /* listener or service */
	char source[PROXY_CONN_TEXT_MAX]; /* identity, or "" */
};

enum { PROXY_CONNS_LISTED_MAX = 10000 };

/* cb(arg) once, on the control loop; the list is lent. */
void proxy_list_conns(struct proxy *p,
    void (*cb)(void *arg, const struct proxy_conn_info *conns, size_t count),
    void *arg);

/*
 * The name that a tunnel's client sends as SNI, so that the destination shows
 * the right identity: "<account>.<namespace>.sa.<trust domain>". SLICE_NONE
 * when the arena is full or the name is no host name.
 */
struct slice proxy_sni_of(struct arena *a, const struct identity *id);

#endif
