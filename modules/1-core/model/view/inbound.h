/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbound — where this machine's workloads are called, and how.
 */
#ifndef MESHD_VIEW_INBOUND_H
#define MESHD_VIEW_INBOUND_H

#include "inside.h"

/* Who is called there: what is exposed, or the place whose view it is. */
struct callee {
	struct slice ns;
	const struct labels *labels;
};

struct inbound_port {
	uint16_t port;         /* where the workload is called */
	uint16_t service_port; /* where callers say that they call */
	enum view_protocol protocol;
	struct slice host; /* Istio's name of the service, for people */
	const struct service_row *service;     /* NULL: of no service */
	const struct sidecar_ingress *ingress; /* NULL: of a service */
	struct callee callee;
	struct origin origin;
};

/* --- ports (ports.c) ------------------------------------------------------ */

/*
 * One for each port, by number: of the Sidecar that holds, if it has
 * an ingress; else of the services that lead here, the oldest service first,
 * and what is exposed besides.
 */
void collect_inbound_ports(struct builder *b, struct rows *out);

/* --- where they go (local_clusters.c) ------------------------------------- */

/* "inbound|80||". NULL when it is full. */
const struct view_cluster *add_local_cluster(
    struct builder *b, struct slice name, const struct inbound_port *p);

/* --- ways in (ways.c) ----------------------------------------------------- */

enum alpns { ANY_ALPN, PLAIN_HTTP, MESH_HTTP, MESH_TCP, MESH_ANY };

/* What is known of the connection, and what is done with it. */
struct way {
	enum view_transport transport;
	enum alpns alpns;
	bool ends_tls;
	bool http;
};

enum { WAYS_MAX = 5 };

/* They end with one of VIEW_ANY_TRANSPORT. */
const struct way *inbound_ways(
    enum mutual_tls_mode peers, enum view_protocol p);

/* Where a Sidecar's ingress ends TLS with a certificate of its own. */
const struct way *inbound_ways_behind_tls(enum view_protocol p);

void way_match(const struct way *w, struct view_chain_match *out);

#endif
