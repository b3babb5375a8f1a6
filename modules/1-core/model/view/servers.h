/* SPDX-License-Identifier: Apache-2.0 */
/*
 * servers — what the Gateways for this machine serve, port by port.
 *
 * Several Gateways may say something of one port. The older is asked first;
 * what cannot stand beside it is left out, and reported.
 */
#ifndef MESHD_VIEW_SERVERS_H
#define MESHD_VIEW_SERVERS_H

#include "inside.h"

struct served_host {
	struct slice ns; /* whose VirtualServices may have it; empty: any */
	struct slice host;
};

/* One server of a Gateway, on one port of the machine. */
struct served {
	const struct gateway_server *spec;
	const struct resource *gateway;
	struct slice name; /* of the Gateway: "ns/name" */
	enum port_protocol protocol;
	const struct served_host *hosts;
	size_t host_count;
	struct slice routes; /* the name of its set of routes; empty: bytes */
};

struct origin served_origin(const struct served *s);

/* Ends TLS, or speaks HTTP in the clear: requests are parsed. */
bool served_is_http(const struct served *s);
bool served_is_passthrough(const struct served *s);
bool served_redirects(const struct served *s); /* to HTTPS */

/* What servers of one protocol take at one address and port. */
struct served_port {
	uint16_t number;
	struct slice protocol; /* as written */
	struct slice bind;     /* an IP, or empty */
	struct slice routes;   /* of plain HTTP */
	struct rows servers;   /* struct served */
};

struct serving {
	struct rows ports; /* struct served_port, in the order of age */
	struct map sets;   /* name → struct rows of struct served */
};

void serving_init(struct serving *s);
void serving_fini(struct serving *s);

/* Of the scope at hand. */
void merge_servers(struct builder *b, struct serving *out);

/* --- services that lead here (targets.c) ---------------------------------- */

/* A port of a service, and where it arrives at this machine. */
struct target {
	const struct service_row *service;
	uint16_t port;
	uint16_t arrives;
	bool by_labels; /* the service is of gateways with these labels */
};

/* To the machine, in the scope at hand: struct target, the oldest first. */
void find_targets(struct builder *b, struct rows *out);

/* Does it say itself which services lead to it? */
bool names_services(const struct resource *gateway);
bool is_named_by(const struct target *t, const struct resource *gateway);

/* Does the service's port stand for that of a server? */
bool leads_to(
    const struct target *t, const struct resource *gateway, int64_t number);

/* --- VirtualServices of a Gateway (bindings.c) ---------------------------- */

struct bound {
	const struct resource *resource;
	const struct slice *hosts; /* canonical */
	size_t host_count;
	size_t rank; /* who is asked first */
};

struct bindings {
	struct map of_gateway; /* "ns/name" → struct binding */
};

void bindings_init(struct builder *b, struct bindings *out);
void bindings_fini(struct bindings *g);

/*
 * Those that say something of a host of the server, the first to be asked
 * first: struct bound.
 */
void find_bound(
    const struct bindings *g, const struct served *s, struct rows *out);

/* Is it for VirtualServices of this namespace, and one is within the other?
 * The narrower of the two. */
bool served_meets(const struct served_host *h, const struct bound *v,
    struct slice host, struct slice *out);

/* --- the rules of one VirtualService (gateway_parts.c) -------------------- */

/* A virtual host of a gateway. */
struct gateway_host {
	struct view_host row; /* first */
	const struct view_routes *routes;
	struct gateway_host *next;
};

/* For one Gateway; no rows if none of them is for it. */
struct gateway_part {
	const struct resource *resource;
	struct slice gateway; /* "ns/name" */
	uint16_t port;
	bool ends_tls;
	struct scope *scope;
	struct view_http_route *rows;
	size_t count;
	size_t last;                /* 1: the last row takes everything */
	bool is_mixed;              /* some host has rules of others, too */
	struct gateway_host *hosts; /* those that have no others */
};

/* Made of the rules of `r`, as the server has them, and known to these; NULL
 * when it is full. */
struct gateway_part *gateway_part_of(
    struct builder *b, const struct served *s, const struct resource *r);

/* The host is made of these, struct gateway_part. */
void gateway_parts_have(const struct rows *parts, struct gateway_host *h);

/* --- virtual hosts of a set of routes (virtual_hosts.c) ------------------- */

/* A host while it is looked for. */
struct gateway_draft {
	struct slice host;  /* canonical; "ns/host" if only a redirect */
	struct slice shown; /* as dashboards have it */
	uint16_t port;
	struct rows parts; /* struct gateway_part */
	bool needs_tls;
	bool ends_tls;
	struct origin origin;
};

/* Without a rule, as the first server has it. */
void gateway_draft_init(struct builder *b, const struct served *s,
    struct slice host, struct gateway_draft *out);

/* The most specific first; for rows of pointers. */
int compare_gateway_drafts(const void *a, const void *b);

void fill_gateway_host(
    struct builder *b, const struct gateway_draft *x, struct view_host *h);

/* What a set is made of beside VirtualServices, for patches. */
struct gateway_set {
	const struct view_routes *routes;
	struct scope *scope;
	const struct served **servers; /* in the order of age */
	size_t server_count;
	bool is_blackhole; /* nobody is at home */
};

const struct view_routes *compile_virtual_hosts(struct builder *b,
    const struct bindings *g, struct slice name, const struct rows *servers);

#endif
