/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig — a whole proxy in a test: workers, a control loop, a view, records.
 *
 * The test's thread is the control loop's; clients and servers are blocking
 * sockets (wire.h). Services are implied by endpoints; rules come as YAML.
 */
#ifndef MESHD_TEST_RIG_H
#define MESHD_TEST_RIG_H

#include "proxy.h"
#include "wire.h"

#include <pthread.h>

enum { RIG_ROWS = 8, RIG_RECORDS = 4096, RIG_TEXT = 256 };

/* What was told of one flow. */
struct rig_record {
	enum flow_kind kind;
	enum flow_flag flag;
	enum flow_reporter reporter;
	uint16_t status;
	unsigned attempts;
	bool delayed;
	bool retries_spent;
	bool has_grpc;
	uint8_t grpc;
	uint64_t received;
	uint64_t sent;
	char detail[RIG_TEXT];
	char cluster[RIG_TEXT];
	char source[RIG_TEXT];
	struct addr upstream;
	struct addr upstream_local;
	struct addr remote; /* the client */
	struct addr local;  /* that it called */
	char forwarded_for[RIG_TEXT];
	char caller[RIG_TEXT];  /* the source's canonical name */
	char version[RIG_TEXT]; /* the destination's */
	uint64_t destination;   /* its key */
};

struct rig {
	struct loop *control;
	struct workers *workers;
	struct net_factory *factory;
	struct proxy *proxy;
	bool done; /* of whatever was asked last */

	/* The view that rig_publish() makes. */
	struct view_endpoint_input endpoints[RIG_ROWS];
	struct label labels[RIG_ROWS];
	size_t endpoint_count;
	struct view_upstream_input upstreams[RIG_ROWS];
	size_t upstream_count;
	struct view_exposed_input exposed[RIG_ROWS];
	size_t exposed_count;
	struct view_service_input services[RIG_ROWS];
	struct view_port_input ports[RIG_ROWS];
	size_t service_count;
	struct view_name_input names[RIG_ROWS];
	size_t name_count;
	uint64_t generation;
	/* VIEW_ROUTER: a gateway with istio=edge, at loopback's addresses. */
	enum view_proxy kind;

	/* What the proxy told. */
	struct {
		char name[64];
		struct addr addr;
		unsigned opened; /* workers that said so */
	} listening[RIG_ROWS + 1];
	size_t listening_count;
	unsigned listeners_failed;
	pthread_mutex_t lock; /* of the records */
	struct rig_record records[RIG_RECORDS];
	size_t record_count;

	/* The list of connections that was asked for. */
	struct proxy_conn_info conns[64];
	size_t conn_count;
};

/* Of the rigs that are made from now on; zeroes: the proxy's own. */
extern struct proxy_limits rig_limits;

/* What was counted so far, by the name of who was refused and by reason. */
uint64_t rig_refused(const char *peer, const char *reason);

/* `hbone`: tunnels come in as well, at any port of that family's loopback. */
struct rig *rig_new(unsigned workers, enum addr_family hbone);

/* Closes with that time to drain, waits, and frees all. */
void rig_free(struct rig **rp);
void rig_close(struct rig *r, uint64_t drain_us);

/* A service of default with one port, 80; protocol "http", "http2", "tcp". */
void rig_service(struct rig *r, const char *name, const char *protocol);
struct view_endpoint_input *rig_endpoint(struct rig *r, const char *service,
    const struct addr *addr, const char *version);

/* A listener of the service's name, on any port of loopback. */
void rig_listen(struct rig *r, const char *service, enum addr_family family);
struct addr rig_addr(struct rig *r, const char *name);

/* Waits until a listener of that name is open on every worker. */
void rig_await(struct rig *r, const char *name);

/* Compiles, publishes, waits until it is in force and listeners are open. */
void rig_publish(struct rig *r, const char *yaml);

/* Turns the control loop until the condition holds; ten seconds at most. */
#define RIG_UNTIL(r, cond)                                                     \
	do {                                                                   \
		uint64_t until_ = clock_mono_us(&clock_system) + 10000000;     \
		while (!(cond)) {                                              \
			CHECK(clock_mono_us(&clock_system) < until_);          \
			loop_turn((r)->control, 5000);                         \
		}                                                              \
	} while (0)

/* The n-th record; waits for it. */
struct rig_record rig_record(struct rig *r, size_t n);
size_t rig_records(struct rig *r);

/* Fills r->conns. */
void rig_list(struct rig *r);

/* Runs fn(arg) on a worker and waits for it. */
void rig_on_worker(
    struct rig *r, unsigned index, void (*fn)(void *arg), void *arg);

/* One request over a new connection to the listener; checks nothing. */
void rig_get(
    struct rig *r, const char *listener, const char *path, struct reply *out);

/* A rig with one worker, one service "web" and a listener for it. */
struct rig *rig_web(
    server_fn fn, const char *text, const char *protocol, struct server *s);

/* The bytes that came by the only connection, and went, once that stands still.
 */
struct rig_bytes {
	uint64_t in;
	uint64_t out;
};
struct rig_bytes rig_still(struct rig *r);

#endif
