/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what a view is made of, and the steps that make it.
 *
 *	resources ─► services, rules ─┐
 *	endpoints ─► sorted rows ─────┼─► hosts ─► routes ─► clusters
 *	upstreams, exposed ───────────┘
 */
#ifndef MESHD_VIEW_INSIDE_H
#define MESHD_VIEW_INSIDE_H

#include <stdatomic.h>

#include "view.h"

/* A growing array of pointers; the rows lie in the view's arena. */
struct rows {
	void **items;
	size_t count;
	size_t cap;
};

/* The hosts of one scope, and who decides about them while it is compiled. */
struct scope {
	struct view_scope row;        /* first */
	uint64_t hash;                /* of the row; 0: the proxy's own */
	struct map host_by_key;       /* "host:port" → struct view_host */
	struct map host_first;        /* "host" → the first of its ports */
	struct rows wildcards;        /* the longest first */
	struct rows virtual_services; /* const struct resource, that it sees */
	struct map owner_by_host;     /* host → struct host_owners */
	struct rows wildcard_owners;  /* struct host_owners, longest first */
};

struct view {
	uint32_t magic;
	atomic_uint refs;
	struct arena arena;
	uint64_t generation;
	struct slice domain;
	struct slice trust_domain;
	struct slice root_ns;
	struct rows scopes;    /* struct scope; the proxy's own is the first */
	struct rows resources; /* references */
	struct map regexes;    /* pattern → struct regex, a reference */
	size_t regex_bytes;
	struct rows hosts;
	struct rows clusters;
	struct view_upstream *upstreams;
	size_t upstream_count;
	struct view_exposed *exposed; /* by port, then address */
	size_t exposed_count;
	struct addr *addrs; /* of this machine */
	size_t addr_count;
	struct view_problem *problems;
	size_t problem_count;
	struct map cluster_by_name; /* also by its 8 bytes of id */
	struct map upstream_by_name;
};

/* One port of a service while it is compiled. */
struct port_row {
	uint16_t port;
	enum view_protocol protocol;
	size_t first_endpoint; /* in builder.endpoints */
	size_t endpoint_count;
};

struct service_row {
	struct view_service row;         /* first */
	const struct resource *resource; /* NULL: from records */
	struct service_row *next; /* of the same host; asked after this one */
	struct port_row *ports;
	size_t port_count;
	/* What the DestinationRules say about it in the scope at hand. */
	struct rows rules; /* const struct resource, the oldest first */
	uint64_t rules_hash;
};

struct builder {
	struct view *v;
	const struct view_input *in;
	struct rows services;         /* struct service_row, by host */
	struct map service_by_host;   /* → struct service_row */
	struct rows virtual_services; /* const struct resource, oldest first */
	struct rows rules;            /* struct rule_row, oldest first */
	struct scope *scope;          /* that is compiled now */
	struct map cluster_by_key; /* name and rules → struct view_cluster */
	struct map http_rules; /* address of a resource → struct http_rules */
	struct view_endpoint *endpoints;
	struct rows problems; /* struct view_problem */
	bool full;            /* sticky: the arena's limit was reached */
};

/* A DestinationRule and its host in full. */
struct rule_row {
	const struct resource *resource;
	struct slice host;
};

/* All that name a host, the first to be asked first. */
struct host_owners {
	struct slice host; /* exact, or "*.shop.svc.mesh.internal" */
	struct rows all;   /* const struct resource */
};

/* --- memory (memory.c) ---------------------------------------------------- */

void rows_add(struct rows *r, void *item);
void rows_fini(struct rows *r);

/* Zeroed, from the view's arena; NULL and b->full when it is full. */
void *take(struct builder *b, size_t count, size_t size);
struct slice take_copy(struct builder *b, struct slice s);
struct slice take_lower(struct builder *b, struct slice s);
struct slice take_printf(struct builder *b, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
struct labels take_labels(struct builder *b, const struct labels *l);
void add_problem(struct builder *b, const struct origin *o, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* Names of what was written but is not in force, by commas. */
struct inert_name {
	const char *name;
	bool there;
};
struct slice inert_names(
    struct builder *b, const struct inert_name *rows, size_t count);

/*
 * Why a match takes nothing, as words: it has tests of these names, which
 * nobody makes. Reported, too. Nothing if there is none.
 */
struct slice inert_match(
    struct builder *b, struct slice names, const struct origin *o);

/* --- the mesh (mesh.c) ---------------------------------------------------- */

/* Where those of a kind and namespace begin among the view's resources. */
size_t first_resource(
    const struct view *v, const struct resource_kind *kind, struct slice ns);

/* What the mesh was told of itself; NULL if nobody wrote a MeshConfig. */
const struct mesh_config *find_mesh_config(const struct view *v);

/* --- requests (lookup.c) -------------------------------------------------- */

struct slice without_query(struct slice path);

/* A header, or what ":method" and its kin stand for. */
bool http_header_of(
    const struct http_attrs *a, struct slice name, struct slice *out);

/* --- scopes (scopes.c) ---------------------------------------------------- */

void scope_fini(struct scope *s);

static inline const struct scope *
scope_const(const struct view_scope *row)
{
	return (const struct scope *)(const void *)row;
}

/* --- names (names.c) ------------------------------------------------------ */

/*
 * The one spelling of a host: lower case, a service's in full under the mesh
 * domain. `ns` completes a name without dots. Wildcards keep their "*.".
 */
struct slice canonical_host(
    struct builder *b, struct slice host, struct slice ns);

struct origin origin_of(const struct resource *r, uint32_t line);

/* By appProtocol, else by the port's name. */
enum view_protocol protocol_of(struct slice app, struct slice name);

/* "spiffe://…" or nothing without an account. */
struct slice identity_of(
    struct builder *b, struct slice ns, struct slice account);

/* --- steps, in their order ------------------------------------------------ */

void compile_services(struct builder *b);  /* services.c */
void compile_endpoints(struct builder *b); /* endpoints.c */
void collect_rules(struct builder *b);     /* owners.c */
void compile_scopes(struct builder *b);    /* scopes.c */
void compile_edges(struct builder *b);     /* edges.c */
void compile_access(struct builder *b);    /* access.c, of what is exposed */

/* For one scope after the other: */
void compile_owners(struct builder *b); /* owners.c */
void compile_hosts(struct builder *b);  /* hosts.c */

/* Whether the resource, which names these, is seen from the namespace. */
bool is_exported(const struct resource *r, struct slice ns,
    const struct slice *export_to, size_t count);

/* The scope that its clients call from; NULL when it is full. */
const struct scope *scope_of_upstream(
    struct builder *b, const struct view_upstream_input *u);

/* Whom a match is for. */
struct callers {
	const struct labels *labels;
	struct slice ns; /* empty: of any */
	const struct slice *gateways;
	size_t gateway_count;
};

/* Why it is not for those of the scope at hand, in words; else empty. */
struct slice why_not_callers(struct builder *b, const struct callers *c);

bool is_for_callers(const struct builder *b, const struct callers *c);

/*
 * The VirtualService that decides about a host's port (0: any), by rules for
 * requests or for connections, in the scope at hand; NULL: none.
 */
const struct resource *owner_of(
    struct builder *b, struct slice host, uint16_t port, bool http);

/* --- rules, with those of delegates put in (delegates.c) ------------------ */

struct http_rule {
	const struct http_route *spec;
	const struct resource *owner; /* in whose namespace short names are */
};

struct http_rules {
	struct rows rows; /* struct http_rule */
};

/* Made once for each resource. */
const struct http_rules *http_rules_of(
    struct builder *b, const struct resource *r);
void http_rules_drop(void *value);

/* May anything from the scope at hand to the port meet one of its rules? */
bool has_http_rule(struct builder *b, const struct resource *r, uint16_t port);
bool has_tcp_rule(struct builder *b, const struct resource *r, uint16_t port);

/* Fills service->rules by upstream's look-up (istio's order). */
void find_rules(struct builder *b, struct service_row *s);

/*
 * The cluster of one subset (empty: all) of a port, made once. NULL, with
 * words in *missing, if there is no such subset.
 */
const struct view_cluster *find_cluster(struct builder *b,
    struct service_row *s, const struct port_row *p, struct slice subset,
    struct slice *missing);

/* The one that is seen from the scope at hand; outside of one, any. */
struct service_row *find_service(const struct builder *b, struct slice host);
struct port_row *find_port(const struct service_row *s, uint16_t port);

/* What the rule's matches ask of a request (matches.c). */
void compile_matches(struct builder *b, const struct http_route *spec,
    struct view_http_route *out);

/* Routes of one host; `s` and `p` are NULL for one that is no service. */
void compile_http(struct builder *b, struct view_host *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p);
void compile_tcp(struct builder *b, struct view_host *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p);

/* Where a destination leads (destinations.c). */
void compile_destination(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner, uint16_t called_port,
    struct view_destination *out);

#endif
