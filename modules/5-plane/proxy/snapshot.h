/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — one view on one worker, with its clusters bound to hosts.
 *
 * Requests hold the snapshot that they began with, counted without atomics
 * because it never leaves its worker. Clusters are bound at first use. Hosts
 * (counts, failures, idle connections) live by endpoint id and survive views.
 */
#ifndef MESHD_SNAPSHOT_H
#define MESHD_SNAPSHOT_H

#include "lb/lb.h"
#include "worker.h"

enum {
	HOST_FORGET_US = 60 * 1000000, /* unused that long, it is forgotten */
	HOST_IDLE_CONNS_MAX = 1024     /* kept open to it, 1.2 KB each */
};

/* One endpoint, as this worker met it. */
struct host {
	struct lb_host lb;
	uint64_t id;
	uint32_t refs; /* snapshots, connections, requests */
	uint64_t unused_since_us;
	struct list idle; /* connections, the freshest first (conns.c) */
	uint32_t idle_count;
	struct list sessions; /* of HTTP/2 (sessions.c) */
	uint32_t streams_max; /* of a session, as the last said; or 0 */
};

/* A cluster with its hosts, in the order of its endpoints. */
struct bound {
	const struct view_cluster *cluster;
	struct host **hosts;
	struct lb_set set;
};

struct snapshot {
	struct worker *worker;
	struct view *view; /* ours to let go of; read only */
	uint32_t refs;
	struct bound **bound; /* open addressing by the row's id */
	size_t bound_count;
	size_t bound_cap; /* power of two, never full */
};

struct snapshot *snapshot_new(struct worker *w, const struct view *v);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot **sp);

/*
 * The cluster's hosts; never NULL, and it stays where it is. The cluster is a
 * row of the view.
 */
struct bound *snapshot_bind(struct snapshot *s, const struct view_cluster *c);

/*
 * The endpoint that takes one more request, by the cluster's balancer; one of
 * those that were tried only if there is no other (NULLs are none). NULL: there
 * is none at all. *out_host is counted, and counts the request as active.
 */
const struct view_endpoint *bound_pick(struct bound *b, struct worker *w,
    struct host *const *tried, size_t count, struct host **out_host);

/* The same of the one at that address; NULL: none of them is there. */
const struct view_endpoint *bound_pick_at(
    struct bound *b, const struct addr *at, struct host **out_host);
bool bound_has_at(const struct bound *b, const struct addr *at);

/*
 * Nothing of it can be picked, but where a name of its endpoints leads is being
 * looked up. Then bound_now() is the same cluster in the worker's view of now,
 * kept by *held, in place of what that kept; NULL: there is none.
 */
bool bound_is_awaited(const struct bound *b);
struct bound *bound_now(
    const struct bound *b, struct worker *w, struct snapshot **held);

/* How old a connection to it may become; 0: any age, as without a cluster. */
uint64_t bound_longest_us(const struct bound *b);

/* As the service's port says, or as the client of the request does. */
bool bound_speaks_http2(const struct bound *b, const struct http_head *h);

/* The table of hosts; it ends when nothing refers to any of them. */
struct hosts *hosts_new(struct loop *loop);
void hosts_free(struct hosts **hp);

/* Ends all connections that nobody uses; with a session only those in it. */
struct http2;
void hosts_close_idle(struct hosts *h, const struct http2 *session);

/* Counted; made if new. */
struct host *hosts_ref(struct hosts *h, uint64_t id);
void host_unref(struct hosts *h, struct host **hp);

#endif
