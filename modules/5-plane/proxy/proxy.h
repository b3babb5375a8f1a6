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

struct proxy;
struct proxy_credentials;
struct proxy_ask;

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

/* How many and how long; 0: as said there. */
struct proxy_limits {
	uint32_t conns;          /* of clients, a listener and worker: 32768 */
	uint32_t tunnels;        /* that come in, a worker: 8192 */
	uint64_t head_us;        /* until a request's head is whole: 60 s */
	uint64_t idle_us;        /* a client without a request: 1 h */
	uint64_t stream_idle_us; /* a request of which nothing moves: 5 min */
};

struct proxy_spec {
	struct loop *control;
	struct workers *workers;
	struct net_factory *factory;
	struct addr hbone;         /* where tunnels come in; port 0 takes any,
				    * family 0: nothing comes in */
	struct slice trust_domain; /* copied */
	uint64_t h2_window_bytes;  /* growth of all windows together */
	struct proxy_limits limits;
	/* On a worker, in the turn in which a flow ended; `record` is lent. */
	void (*on_flow)(
	    void *arg, unsigned worker, const struct flow_record *record);
	/* On the control loop; all of it is lent. */
	void (*on_listener)(void *arg, const struct proxy_listener *l);
	/*
	 * On the control loop: a program calls this host (lent) by name, and
	 * shall meet what holds for it. proxy_host_told(ask) once, when that is
	 * in force, or cannot be. May be NULL: nothing is missing.
	 */
	void (*on_host)(void *arg, struct slice host, struct proxy_ask *ask);
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

/*
 * The ports to which rules of the machine lead what programs call, and who
 * calls them; family 0: it is not listened there. done(arg) when they are open
 * on every worker, or are tried again (on_listener); may be NULL. A connection
 * that no rule led there is refused.
 */
enum {
	PROXY_DOORS_MAX = 2, /* of each: IPv4 and IPv6 */
	PROXY_OWN_MAX = 32,
	PROXY_CLUSTER_MAX = 64,
	PROXY_OWN_TEXT_MAX = 256
};

/* One whose clients call as an identity of their own, and as no other. */
struct proxy_own {
	struct addr out[PROXY_DOORS_MAX];
	char identity[PROXY_OWN_TEXT_MAX]; /* URI */
	char cluster[PROXY_CLUSTER_MAX];   /* as reports have it */
};

struct proxy_captured {
	struct addr out[PROXY_DOORS_MAX];
	struct addr in[PROXY_DOORS_MAX];
	struct proxy_own own[PROXY_OWN_MAX];
	/* Who is called here, by tunnels too, sees the address of its caller:
	 * there are transparent sockets, and what is answered comes back. */
	bool keeps_source;
};
void proxy_capture(struct proxy *p, const struct proxy_captured *c,
    void (*done)(void *arg), void *arg);

void proxy_host_told(struct proxy_ask *ask);

/* Whether records come with the heads of answers; any thread. */
void proxy_keep_answers(struct proxy *p, bool on);

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
	PROXY_CONN_UPGRADE, /* the same, after 101, or CONNECT's 200 */
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
