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

/* The chains of a server that is AUTO_PASSTHROUGH, for patches. */
struct passed {
	const struct view_listener *of; /* that has them, */
	size_t from;                    /* from this place on */
	const struct view_chain **chains;
	size_t *ends; /* of those of each of the services */
};

/* One server of a Gateway, on one port of the machine. */
struct served {
	const struct gateway_server *spec;
	const struct resource *gateway;
	struct slice name; /* of the Gateway: "ns/name" */
	enum port_protocol protocol;
	const struct served_host *hosts;
	size_t host_count;
	struct slice routes;   /* the name of its set of routes; empty: bytes */
	struct passed *passed; /* NULL: it is none, or the base has another */
};

struct origin served_origin(const struct served *s);

/* Problems of what is listened to on a port have its mark; see problem_row. */
static inline uint32_t
door_mark(uint16_t number)
{
	return (uint32_t)number + 1;
}

/* Of what is told of a gateway's WorkloadGroup. */
enum { GROUP_MARK = DOORS_SHARED + 1 };

/* The same of the rules of a set of routes, by its place. */
static inline uint32_t
set_mark(size_t place)
{
	return GROUP_MARK + 1 + (uint32_t)place;
}

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
	struct rows gateways; /* const struct resource: for this machine */
	struct rows targets;  /* struct target */
	struct rows ports;    /* struct served_port, in the order of age */
	struct map sets;      /* name → struct rows of struct served */
};

void serving_init(struct serving *s);
void serving_fini(struct serving *s);

/* Of the scope at hand. */
void merge_servers(struct builder *b, struct serving *out);

/* With the Gateways and targets that are filled in. */
void merge_servers_again(struct builder *b, struct serving *s);

/* Is the Gateway for the scope at hand, where these lead? */
bool is_gateway_for(const struct builder *b, const struct rows *targets,
    const struct resource *r);

/* --- services that lead here (targets.c) ---------------------------------- */

/* A port of a service, and where it arrives at this machine. */
struct target {
	const struct service_row *service;
	uint16_t port;
	uint16_t arrives;
	bool by_labels;   /* the service is of gateways with these labels */
	bool by_endpoint; /* it is known by where that is */
};

/* To the machine, in the scope at hand: struct target, the oldest first. */
void find_targets(struct builder *b, struct rows *out);

/* Likewise, where those of the base are known. */
void find_targets_now(
    struct builder *b, const struct rows *base, struct rows *out);

/* Is the Service of gateways with the labels of the scope at hand? */
bool selects_gateway(const struct builder *b, const struct service_row *s);

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
	enum sight sight;
	size_t rank; /* who is asked first */
	bool is_of_patch;
};

struct bindings {
	struct map of_gateway; /* "ns/name" → struct binding */
	struct rows all;       /* struct bound, by rank */
	/* Of a patch's, the rest of which is the base's. */
	struct rows gone; /* const struct resource */
	struct rows come; /* struct bound, by rank */
};

void bindings_init(struct builder *b, struct bindings *out);
void bindings_fini(struct bindings *g);

/* One more of a patch's, in the scope at hand; nothing if that does not see
 * it. After the last they are put between those of the base. */
void bind_later(
    struct builder *b, struct bindings *g, const struct resource *r);
void bindings_rank(struct bindings *g);

/* Does it name the server's Gateway? */
bool is_bound_to(const struct resource *r, const struct served *s);

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

struct gateway_draft;

/* For one Gateway; no rows if none of them is for it. */
struct gateway_part {
	const struct resource *resource;
	struct slice gateway; /* "ns/name" */
	uint16_t port;
	bool ends_tls;
	struct scope *scope;
	struct view_http_route *rows;
	size_t count;
	size_t last;          /* 1: the last row takes everything */
	bool tells;           /* something is wrong with them */
	struct claim *claims; /* who has them, of the base */
};

/* Made of the rules of `r`, as the server has them, and known to these; NULL
 * when it is full. */
struct gateway_part *gateway_part_of(
    struct builder *b, const struct served *s, const struct resource *r);

/* For patches: what becomes of the rules of `by` hangs on where they lead. */
void note_gateway_lead(struct builder *b, const struct destination_spec *d,
    const struct resource *owner, const struct resource *by);

/* --- virtual hosts of a set of routes (virtual_hosts.c) ------------------- */

/* What one server says of a host: rules, or that it redirects. */
struct claim {
	size_t at;                 /* of the server, among those of the set */
	struct gateway_part *part; /* NULL: it redirects */
	struct gateway_draft *draft;
	struct claim *next, *next_of_part;
};

/* One row of the view, of the base; all that share it follow the first. */
struct gateway_host {
	struct view_host row; /* first */
	struct gateway_draft *first;
};

struct gateway_draft {
	const struct gateway_set *set;
	struct slice host;  /* canonical; "ns/host" if only a redirect */
	struct slice shown; /* as dashboards have it */
	/* In the order of servers, and of age. */
	struct claim *claims, *last;
	/* What these come to. */
	struct gateway_part **parts;
	size_t part_count;
	uint16_t port;
	bool needs_tls;
	bool ends_tls;
	struct origin origin;
	/* Those that share a row, the most specific first. */
	struct gateway_draft *next_of_row;
	struct gateway_host *row; /* of the base */
	/* Of a patch: the base's; NULL: it has none. */
	const struct gateway_draft *base;
	bool is_as_before;
};

/* What a set is made of. */
struct gateway_set {
	const struct view_routes *routes;
	uint32_t mark;
	struct scope *scope;
	const struct served **servers; /* in the order of age */
	size_t server_count;
	struct rows drafts; /* struct gateway_draft */
	struct map by_host; /* → struct gateway_draft */
	struct view_host
	    *nobody; /* 404 for everything; NULL: there are hosts */
};

void gateway_set_fini(struct gateway_set *s);

/* What its claims come to; it has some. */
void settle_draft(struct builder *b, struct gateway_draft *x);

bool has_same_parts(
    const struct gateway_draft *x, const struct gateway_draft *y);

/* Those that share a row follow the first of them, which are put out; the
 * drafts are sorted. */
void group_drafts(struct rows *drafts, struct rows *out);

void fill_gateway_host(
    struct builder *b, const struct gateway_draft *x, struct view_host *h);
void fill_nobody(
    struct builder *b, const struct gateway_set *set, struct view_host *h);

const struct view_routes *compile_virtual_hosts(struct builder *b,
    const struct bindings *g, struct slice name, const struct rows *servers);

#endif
