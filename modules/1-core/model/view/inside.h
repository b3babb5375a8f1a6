/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what a view is made of, and the steps that make it.
 *
 *	once         Services, records, ServiceEntries ─► services ─► endpoints
 *	             DestinationRules, Sidecars, PeerAuthentications ─► indexes
 *	each scope   Sidecar ─► egress ─► hosts ─► routes ─► clusters
 *	                          └─► listeners ─► chains ─► routes
 *	once         upstreams, exposed ─► edges
 *
 * What is declared here follows the steps. A row is made of the thing at hand;
 * what else it takes is looked up by name, and never by a walk over the mesh.
 */
#ifndef MESHD_VIEW_INSIDE_H
#define MESHD_VIEW_INSIDE_H

#include <stdatomic.h>

#include "hosts.h"
#include "kinds/mesh_config.h"
#include "kinds/sidecar.h"
#include "pages.h"
#include "view.h"

/* A growing array of pointers; the rows lie in the view's arena. */
struct rows {
	void **items;
	size_t count;
	size_t cap;
};

/* Where connections come in. */
struct listener_set {
	struct rows rows; /* struct view_listener, by name */
	struct map by_addr;
};

/* The hosts of one scope, and who decides about them while it is compiled. */
struct scope {
	struct view_scope row; /* first */
	size_t place;          /* among the view's */
	uint64_t hash;         /* of the row; 0: the proxy's own */
	struct map hosts; /* host → struct host_row, the first of its ports */
	struct rows wildcards; /* struct view_host, the longest first */
	/* const struct resource, that exportTo lets it see, as it asks them. */
	struct rows virtual_services;
	struct rows egresses; /* struct egress; at least one */
	struct map imports;   /* host → struct import */
	/* What is called and not known. */
	const struct view_host *unknown_host;
	const struct view_tcp_route *unknown_route;
	/* Of each direction, but that those of VIEW_INBOUND are the view's. */
	struct listener_set listeners[VIEW_DIRECTIONS];
	struct rows hiding;        /* struct shared_listener: `hides` */
	struct rows routes;        /* struct view_routes */
	struct map routes_by_name; /* those of ports that are called */
	struct rows sets;          /* of them: of ports, and of proxies */
	bool has_hosts_aside;      /* of ports that have no set of routes */
	bool sidecar_known;
	const struct resource *sidecar; /* see sidecar_of() */
};

/*
 * Routes of a service's port for connections, the last the service's own,
 * unless one before takes all. A port of TLS meets rules by server name, and
 * no others.
 */
struct tcp_routes {
	const struct view_tcp_route *items;
	const bool *met; /* of each: may what is captured meet it? */
	size_t count;
	const struct resource *owner; /* of the first; NULL: nobody's rule */
};

/* One port of a host; the one that was compiled last counts. */
struct host_row {
	struct view_host row; /* first */
	const struct egress *egress;
	struct service_row *service; /* NULL if it is none */
	const struct port_row *port;
	const struct resource *owner; /* the VirtualService that decides about
				       * its requests; NULL: none */
	/* Another service wanted one of its domains, too. */
	bool is_contested;
	/* What is wrong with the rules is told where a service of its name has
	 * the port, or no service is of its name. */
	bool is_quiet;
	struct tcp_routes tcp;
	struct host_row *next;
	struct host_row *next_of_service;
};

/* A VirtualService of an egress. */
struct ruling {
	const struct resource *resource;
	size_t rank; /* a lower one is asked first */
	size_t mark; /* the last walk that met it */
};

/*
 * What is imported for some listeners: for the port that a Sidecar names, or
 * for all that it does not name. Without a Sidecar there is one, of all.
 */
struct egress {
	size_t place;                      /* among those of its scope */
	const struct sidecar_egress *spec; /* NULL: nobody wrote one */
	struct wish *wish;                 /* NULL: of all */
	struct rows services;     /* struct service_row, oldest first */
	struct rows rulings;      /* struct ruling, by rank */
	struct map owner_by_host; /* host → struct host_owners */
	size_t wildcard_count;    /* of them: of wildcards */
	struct map called;        /* 2 bytes of port → struct called */
	/* host → struct rows of struct service_row that stand for it. */
	struct map aliases;
	size_t marks;
};

/* The hosts that an egress has on one port. */
struct called {
	struct rows hosts; /* struct host_row */
};

/* Ports of one host that may be destinations. */
struct import_port {
	struct service_row *service;
	struct port_row *port;
	struct import_port *next;
};

struct import {
	struct service_row *service; /* the first of them */
	struct import_port *ports;
	bool is_ruled; /* some of it is there because a rule leads to it */
};

/* A listener of programs' calls, and the services that have a part in it. */
struct shared_listener {
	struct view_listener row; /* first */
	const struct service_row *first;
	const struct egress *egress; /* of the first */
	size_t count;                /* of their ports */
	bool is_simple;              /* the first alone says what it is */
	bool hides; /* another cannot be told from it, which was told */
};

enum { PROBLEMS_MAX = 1000 };

/* One of those that tell a problem. */
struct teller {
	const struct resource *owner; /* whose rules it is about; NULL: none's
				       */
	/* Of a gateway what it is about: see door_mark(), set_mark(), or
	 * DOORS_SHARED; 0: it is about none. */
	uint32_t door;
	struct teller *next;
};

struct problem_row {
	struct view_problem row; /* first */
	struct teller *tellers;  /* one or more */
};

/* It is about who shares a port. */
enum { DOORS_SHARED = (1 << 16) + 1 };

/* Of a machine: about how it is called; about whom it cannot call, as another
 * has the listener. */
enum { DOOR_HERE = DOORS_SHARED + 1, DOOR_HIDDEN };

/* What is known of a serving once it is compiled; behind those of the input
 * come those of `unserved`, and in a patch those that came since. */
struct serving_state {
	uint64_t version;
	struct slice ns, service; /* empty: it is unserved, or the slot free */
	struct blob *text;        /* where these lie; NULL: in the base */
	uint64_t here, here_now;  /* see served_here(): the base's, its own */
	uint64_t offered;         /* see offered_to() */
	struct box *box;          /* its clusters; NULL: as in the base */
};

/* Which of the servings of the input is of which slot, and the other way round;
 * views whose inputs list the same have it in common. */
struct places {
	atomic_uint refs;
	uint32_t *of_slots; /* from 1; 0: it is not there */
	uint32_t *slots;
};

/*
 * Rows that are newer than the view's own (patch.c): clusters of one service,
 * what else hangs on one resource, or what is said of this machine's workloads
 * (patch_own.c).
 */
struct box {
	atomic_uint refs;
	struct arena arena;
	struct resource *resource; /* a reference; NULL: it is of endpoints */
	struct resource *was; /* the same, that it is for; if it is a record */
	struct rows hosts;    /* struct view_host */
	struct rows more_hosts;  /* struct more_host */
	struct rows fewer_hosts; /* struct view_host: the base's, gone */
	struct rows clusters;    /* struct cluster_row: the base has none like
				  * them; see view_cluster_now() */
	struct rows problems;    /* struct problem_row */
	/* Of what a Service or ServiceEntry is now (patch_services.c). */
	struct rows services;       /* struct service_row */
	struct rows their_clusters; /* struct cluster_row, by slot anywhere */
	struct rows fewer_clusters; /* struct cluster_row: the base's, gone */
	uint64_t names_version;     /* of those that no serving is of */
	/* Where programs call, if services are others (patch_front.c), or
	 * anybody calls a gateway (patch_gateways.c). */
	struct rows routes;            /* struct view_routes */
	bool tells_hidden;             /* all that listeners hide */
	struct listener_set *outbound; /* of each scope: all by name, and what
					* the base has not by address */
	struct map doors_anew;         /* marks of tellers → anything */
	size_t outbound_count;
	struct view_name *names;
	size_t name_count;
	/* In place of the view's; of workloads here alone. */
	const struct mesh_config *mesh; /* if that is another */
	struct rows resources, guards;
	struct listener_set inbound;
	bool is_here; /* where other services are served here: that, and: */
	struct view_exposed *exposed;
	size_t exposed_count;
	struct map regexes; /* as in the view, of these alone */
	size_t regex_bytes;
};

/* A virtual host of a set of routes that the base has not. */
struct more_host {
	struct host_row row; /* first */
	const struct view_routes *routes;
	const struct slice *domains;
	size_t domain_count;
};

/*
 * A resource that is another one than in the base, whose box has what hangs on
 * it; both the same: what hangs on it does so in another way.
 */
struct renewal {
	const struct resource *old;   /* the base's; NULL: it came */
	const struct resource *fresh; /* the box's; NULL: it went */
	/* What hangs on others is another for it, too: who decides about a
	 * host, or which subsets a service has. */
	bool moves;
	struct box *box;
};

/* What a patch has more of than its base, in order. */
struct more_row {
	void *row;
	size_t at; /* among all */
};

struct more_rows {
	struct more_row *items;
	size_t count;
};

struct view {
	uint32_t magic;
	atomic_uint refs;
	/* Of its input. */
	uint64_t lists_version, resources_version, names_version;
	uint64_t newest;       /* the greatest of a serving; 0: nobody knows */
	struct pages servings; /* struct serving_state, of its input */
	struct places *places;
	size_t box_bytes; /* of all that boxes of servings hold */
	/* How many of the servings are served here otherwise than in the base.
	 */
	size_t moved_here;
	uint64_t exposed_version; /* see exposed_version_of() */
	uint64_t version;         /* a patch copies all from here on */
	/*
	 * What it was made with, for patches; NULL: there will be none. In a
	 * patched view all but the lists of clusters, hosts and problems, what
	 * its boxes have and what stands before this is the `base`'s, which
	 * owns it.
	 */
	struct builder *made_by;
	const struct view *base; /* NULL: it is none */
	struct renewal *renewals;
	size_t renewal_count;
	struct box *own;   /* of workloads here; NULL: as in the base */
	struct box *front; /* where programs call; NULL: as in the base */
	struct box *doors; /* the same of a gateway (patch_gateways.c) */
	struct resource **inputs; /* references, in the order of the input */
	size_t input_count;
	struct arena arena;
	uint64_t generation;
	struct slice domain;
	struct slice trust_domain;
	struct slice root_ns;
	enum path_normalization normalization; /* never the default's number */
	const struct mesh_config *mesh; /* what is written, or the defaults */
	bool captures_dns; /* this machine; or any that does tells of them: */
	bool tells_automatic;
	bool knows_members;    /* see view_input */
	struct rows scopes;    /* struct scope; the proxy's own is the first */
	struct rows resources; /* of the inputs, by key, each once */
	struct map regexes;    /* pattern → struct regex, a reference */
	size_t regex_bytes;
	/* Both by slot, which are in order; NULL: a patch has it no more. What
	 * it has more of is behind those of the base, and once more in order.
	 */
	struct pages hosts, clusters;
	struct more_rows listed_hosts, listed_clusters;
	struct map more_hosts; /* see more_key() → struct view_host */
	struct rows more_odd;  /* struct more_host: with domains "*x.y" */
	/* The scope and the host → struct host_row, the first of its ports, or
	 * `no_host`: of services that are others than in the base. */
	struct map hosts_now;
	struct rows guards; /* struct view_guard */
	struct listener_set inbound;
	struct view_name *names; /* by name */
	size_t name_count;
	struct view_caller self;
	struct view_upstream *upstreams;
	size_t upstream_count;
	struct view_exposed *exposed; /* by port, then address */
	size_t exposed_count;
	struct addr *addrs; /* of this machine */
	size_t addr_count;
	struct view_problem *problems;   /* by their origin */
	struct teller **problem_tellers; /* of each; see problem_row */
	size_t problem_count;
	struct map cluster_by_name;
	struct map upstream_by_name;
};

/* One port of a service while it is compiled. */
struct port_row {
	uint16_t port;
	enum view_protocol protocol;
	struct rows endpoints; /* struct view_endpoint, by network, address */
	bool is_scattered;     /* any is, or was, of another namespace */
	struct cluster_row *clusters;
};

/* A cluster, and by what its endpoints were chosen. */
struct cluster_row {
	struct view_cluster row;          /* first */
	const struct subset_spec *subset; /* NULL: all endpoints */
	const struct merged_rule *rule;   /* its service's; may be NULL */
	uint64_t networks; /* network_bit() of all that it has endpoints in */
	/* By their first four bytes the addresses of these are within. */
	uint32_t lowest, highest;
	bool fails_over;  /* failures are noticed */
	bool is_behind;   /* some of them are behind gateways */
	bool leaves_out;  /* or cannot be reached by these, which is told */
	bool is_unchosen; /* its callers say which endpoint they mean */
	bool is_own;      /* callers of other scopes are given another one */
	bool is_kept;     /* not only rules for requests lead to it */
	bool is_led_to;   /* a rule for requests was the first that did */
	struct scope *scope;
	struct cluster_row *next; /* of the same port */
};

struct service_row {
	struct view_service row;         /* first */
	const struct resource *resource; /* NULL: from records */
	struct service_row *next; /* of the same host; asked after this one */
	struct port_row *ports;
	size_t port_count;
	struct name_use *names; /* that its endpoints have */
	size_t serving;         /* its slot, from 1: see serving_state */
	struct host_row *hosts; /* with its ports, in any scope */
	/* Whose rules for requests lead to subsets of it, known or not. */
	struct named_by *namings;
	struct named_by *policies; /* DestinationRules of just its host */
	bool is_split;             /* what is no such rule leads to them, too */
	bool leads_here;           /* it is served on this machine */
	bool is_gateway;           /* of a Network: its endpoints are */
	bool is_told_now; /* while patch_records.c looks: records still do */
	const struct ruled *ruled; /* in the patch that is made; else NULL */
	/* For rule_of(): how it is called from which scope. */
	const struct merged_rule *rule;
	const struct scope *rule_scope; /* NULL: nobody asked */
	struct import **imports;        /* of a patch's: by the scope's place */
};

/* The service that has a host is another than in the base. */
struct service_now {
	struct service_row *old, *fresh; /* NULL: it has none */
	size_t item;  /* whose renewal it is: that of `fresh`, if any */
	bool is_free; /* `old` has it no more by what another renewal says */
	bool shifts;  /* who knows the host does not find it as before */
};

/* A name of a service's endpoints, in lower case. */
struct name_use {
	struct slice name;
	struct name_use *next;
};

/*
 * DestinationRules of one host, one namespace, one exportTo and one selector
 * are one: of a subset's name the first counts, of the policies too.
 */
struct merged_rule {
	struct rows sources; /* const struct resource, the first to count first
			      */
	const struct slice *export_to;
	size_t export_count;
	const struct labels *callers; /* NULL: for any */
};

/* A resource that names a service. */
struct named_by {
	const struct resource *by;
	struct named_by *next;
};

/* What holds in some scopes, in the base and now; both may be NULL. */
struct rule_pair {
	const struct merged_rule *old, *now;
};

/* A service that obeys another DestinationRule than in the base, in the patch
 * that is made (patch_policies.c). */
struct ruled {
	struct service_row *service;
	struct rule_pair *pairs; /* each once; none: it is as in the base */
	size_t pair_count;
	bool same_subsets; /* has them, as in the base */
	bool is_due;       /* it was another in the view before */
	bool is_filled;    /* what the base has not is in a box */
};

/* From which side rules are looked for (rules.c). */
enum rule_side {
	RULES_OWN,      /* by callers of their namespace */
	RULES_EXPORTED, /* by callers of others */
	RULES_OWN_ROOT, /* by those of the root namespace: the rest of it */
	RULES_COUNT
};

struct rule_index {
	struct map by_host; /* "ns/host" → rows of struct merged_rule */
	struct rows odd;    /* struct odd_rules, for "*x.com": longest first */
};

/* A WorkloadEntry, or an endpoint that a ServiceEntry lists. */
struct workload {
	const struct resource *resource; /* NULL: it is listed */
	const struct workload_entry *spec;
	struct labels labels;
	struct slice name;
};

/* What is to become an endpoint. */
struct found_endpoint {
	struct view_endpoint_input in;
	struct slice name; /* to be resolved, or a path; empty: in.addr */
	bool mutual;       /* it wants mutual TLS, for all that it says */
	/* Of a name, see view_endpoint. */
	const struct addr *others;
	size_t other_count;
	bool floats;
	bool is_awaited;
	bool is_further;
	struct slice why_not; /* in the view's arena */
};

/* Of the Network kind, or only named by gateways. */
struct network_row {
	struct slice name;
	const struct network *spec;
	const struct cidr *ranges; /* of its endpoints */
	size_t range_count;
	struct rows gateways; /* struct view_endpoint, by address */
};

/* What a DestinationRule and the mesh say about one port, one subset. Has no
 * padding before its end that would not be zero: it is a key. */
struct settings {
	const struct connection_pool *pool;
	const struct outlier_detection *outlier;
	const struct load_balancer *balancer;
	const struct client_tls *tls;
	const struct tunnel_settings *tunnel;
	const struct proxy_protocol *proxy_protocol;
	const struct retry_budget *budget;
	uint64_t selecting; /* 1: of a rule for some callers */
};

struct builder {
	struct view *v;
	struct patching *patch; /* that is made; NULL: a view is */
	struct arena *arena;    /* where rows go */
	const struct view_input *in;
	struct view_input kept; /* in place of it, once it is compiled */
	bool is_plain;          /* endpoints are nowhere but in clusters */
	const struct mesh_config *mesh; /* what is written, or the defaults */
	struct rows services;           /* struct service_row, by host */
	struct map service_by_host;     /* → struct service_row */
	struct rows hosts, clusters;    /* of the view, until all are there */
	size_t served_count;            /* servings of the input */
	struct rows unserved; /* struct service_row: no serving is of it */
	/* Servings of the input that no service is of: their slots, from 1. */
	struct rows unclaimed;
	struct rows recorded;         /* struct service_row: nobody wrote it */
	struct map names;             /* → struct view_name */
	bool is_mixed;                /* one has names and a serving */
	struct rows virtual_services; /* const struct resource, oldest first */
	struct rule_index rules[RULES_COUNT];
	/* const struct service_row: servers here obey DestinationRules. */
	struct rows obeyed;
	/* In place of those of some hosts, while a patch is made; or NULL. */
	const struct rule_index *rules_now;
	struct rows services_by_age; /* struct service_row */
	/* PeerAuthentications (peers.c): a namespace → the one for all of it;
	 * a namespace and a label → struct rows of those that ask for it. */
	struct map peers_by_ns;
	struct map peers_by_label;
	/* At a gateway: struct gateway_state, of each scope; struct
	 * gateway_set; whose problems are told, see door_mark(). */
	struct rows gateways, gateway_sets;
	uint32_t door;
	struct inbound *inbound; /* of its own scope; NULL: a gateway */
	struct rows
	    sidecars; /* const struct resource, first to be asked first */
	struct scope *scope;   /* that is compiled now */
	struct egress *egress; /* of it, the one at hand */
	struct slice gateway;  /* likewise, "ns/name"; empty: inside the mesh */
	/* Likewise, of the VirtualService whose rules for requests they are, at
	 * a gateway; else empty. */
	struct slice rules_ns;
	struct map policies; /* struct settings → struct view_cluster_policy */
	struct map http_rules; /* address of a resource → struct http_rules */
	struct map workloads;  /* by namespace and label: rows of workload */
	struct map offers;     /* the same of what machines offer */
	struct rows selecting; /* struct service_row: is_selecting_entry() */
	/* The same: those that lead here, or have an endpoint here. */
	struct rows here, headless; /* is_called_at_endpoints(), written */
	/* In a patch: const struct resource, and struct workload of others. */
	struct rows gone_workloads, come_workloads;
	/* In a patch: host → struct service_now; NULL: none is another. */
	const struct map *services_now;
	/* In a patch: host → struct service_row, which is as in the base while
	 * rules for connections to it are others; NULL: none is. */
	const struct map *rewired;
	struct service_row *arriving; /* whose clusters are made; or NULL */
	struct listener_set *outbound_now; /* where listeners go; or NULL */
	/* For patches: host → struct rows of const struct resource, the
	 * VirtualServices that lead there and do not have it; services that two
	 * labels may stand for → anything; services of records under a written
	 * one's host → anything. */
	struct map led_to, two_labels, overridden;
	struct rows named; /* struct service_row: those with names */
	struct rows roots; /* const struct resource: those with delegates */
	struct numbers *numbers; /* automatic addresses; NULL: none is */
	struct rows networks;    /* struct network_row, by name */
	struct slice locality;   /* this proxy's */
	uint32_t gateway_scale;  /* of weights; 0: there is no gateway */
	struct rows problems;    /* struct problem_row */
	size_t told;             /* how often any was */
	/* The VirtualService whose rules for requests are at hand, or NULL. */
	const struct resource *owner;
	bool is_quiet; /* as of the host at hand */
	/* The port by which these rules know services; 0: they know all. */
	uint16_t known_by;
	struct box *box;   /* that is filled; NULL: a view is made */
	bool more_follows; /* sticky: the box alone would not do */
	bool full;         /* sticky: the arena's limit was reached */
};

/* All that name a host, the first to be asked first. */
struct host_owners {
	struct rows all; /* struct ruling */
};

/* --- memory (memory.c) ---------------------------------------------------- */

void rows_add(struct rows *r, void *item);
void rows_fini(struct rows *r);
void rows_sort(struct rows *r, int (*cmp)(const void *, const void *));
void rows_sort_by_age(struct rows *r); /* of const struct resource */

/* Rows by a key: one to those that are there; the rows lie in the arena. */
void rows_add_under(
    struct builder *b, struct map *index, struct slice key, void *item);
void rows_drop(void *value); /* for map_fini */
void copy_rows(struct rows *out, const struct rows *from);
void rows_insert(struct rows *r, size_t at, void *item);

/* How many of them, which are in order, come before it. */
size_t rows_place(const struct rows *all, void *item,
    int (*cmp)(const void *a, const void *b));

/* All resources of a kind, the oldest first. */
void rows_of_kind(const struct builder *b, const struct resource_kind *kind,
    struct rows *out);

/* Zeroed, from the arena at hand; NULL and b->full when it is full. */
void *take(struct builder *b, size_t count, size_t size);
struct slice take_copy(struct builder *b, struct slice s);
struct slice take_lower(struct builder *b, struct slice s);
struct slice take_join(
    struct builder *b, const struct slice *parts, size_t count);
struct slice take_printf(struct builder *b, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
struct labels take_labels(struct builder *b, const struct labels *l);
void add_problem(struct builder *b, const struct origin *o, const char *fmt,
    ...) PRINTF_LIKE(3, 4);
/* The same of what is not in the view at all. */
void add_loss(struct builder *b, const struct origin *o, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Names of what was written but is not in force, by commas. */
struct inert_name {
	const char *name;
	bool there;
};
struct slice inert_names(
    struct builder *b, const struct inert_name *rows, size_t count);

/* --- the mesh (mesh.c) ---------------------------------------------------- */

/* Where those of a kind and namespace begin among the view's resources. */
size_t first_resource(
    const struct view *v, const struct resource_kind *kind, struct slice ns);

/* NULL: there is none. */
const struct resource *find_resource(const struct view *v,
    const struct resource_kind *kind, struct slice ns, struct slice name);

/* What is written for the whole mesh, else the defaults, which are in the
 * arena; NULL: no room. The resources are in the order of a view's. */
const struct mesh_config *find_mesh(
    const struct rows *resources, struct arena *arena);

/* What is done to paths, never the default's number (compile.c). */
enum path_normalization normalization_of(const struct mesh_config *m);

/* Does something stand before gateways that tells of its callers (topology.c)?
 */
bool is_behind_proxy(const struct mesh_proxy *p);

/* --- policies (../access/compile.c) --------------------------------------- */

/* Made once for each workload; NULL when it is full. */
const struct view_guard *guard_of(
    struct builder *b, struct slice ns, const struct labels *labels);

/* The same workloads once more, to those that the view at hand has. */
void renew_guards(struct builder *b, const struct rows *all);

/* --- requests (conditions.c) ---------------------------------------------- */

/* Of a path. */
struct slice without_query(struct slice path);

/* A header, or what ":method" and its kin stand for. */
bool http_header_of(
    const struct http_attrs *a, struct slice name, struct slice *out);

/* --- routes (domains.c) --------------------------------------------------- */

struct domain {
	struct slice name; /* "*x.shop.com" */
	const struct view_host *host;
};

struct view_routes {
	/* In whose namespace short names are; NULL: names are as they are. */
	const struct scope *scope;
	struct slice name;
	struct map domains; /* also wildcards → struct view_host */
	struct rows odd;    /* struct domain, "*x.y"; the longest first */
	const struct view_host *any;
	struct rows hosts; /* struct view_host, in their order */
	/* A proxy's: of another port than 80 it is that port's set that counts.
	 */
	bool by_port;
	const struct view_routes *of; /* of a service: its port's */
	/* Whose virtual hosts they are, of a port's or a proxy's. */
	struct egress *egress;
	uint16_t port;
};

/* Of the scope at hand; NULL when it is full. */
struct view_routes *add_routes(struct builder *b, struct slice name);

/*
 * In lower case, without a port, a service's in full; may be "*", "*.shop.com"
 * or an IP. False if another host has it already, which then keeps it.
 */
bool add_domain(struct builder *b, struct view_routes *r, struct slice domain,
    const struct view_host *host);

/* The key of what a patch has more of: a domain of routes, a host of a scope.
 */
enum { MORE_KEY_MAX = HOST_TEXT_MAX + sizeof(void *) };
struct slice more_key(
    const void *of, struct slice domain, char out[MORE_KEY_MAX]);

/* After the last domain. */
void seal_routes(struct view_routes *r);

/* The host of just this domain; NULL: none. */
const struct view_host *find_exact(
    const struct view_routes *r, struct slice domain);

void routes_fini(struct view_routes *r);

/* --- lists (lists.c) ------------------------------------------------------ */

/* All that were made: each has its slot from now on. */
void give_slots(struct builder *b);

/* --- scopes (scopes.c) ---------------------------------------------------- */

void scope_fini(struct scope *s);

/* There will be no patches. */
void scope_settle(struct scope *s);

static inline const struct scope *
scope_const(const struct view_scope *row)
{
	return (const struct scope *)(const void *)row;
}

/* Who is called by the host in the scope, the first of its ports; NULL: nobody
 * of just this host (lookup.c). */
const struct host_row *host_row_now(
    const struct view *v, const struct scope *s, struct slice host);

/* Stands for a host that a patch has no more. */
extern struct host_row no_host;

/* --- names (names.c) ------------------------------------------------------ */

/*
 * The one spelling of a host: lower case, a service's in full under the mesh
 * domain. `ns` completes a name without dots. Two labels are a service's name
 * and namespace if there is such a service, and no other of just this name.
 * Wildcards keep their "*.".
 */
struct slice canonical_host(
    struct builder *b, struct slice host, struct slice ns);

/* The same before the services are known: two labels stay as they are. */
struct slice written_host(
    struct builder *b, struct slice host, struct slice ns);

/* As dashboards have it: "reviews.default.svc.cluster.local". */
struct slice istio_host(struct builder *b, struct slice host);

enum { HOST_KEY_MAX = HOST_TEXT_MAX + 8 }; /* and ":65535" */

struct origin origin_of(const struct resource *r, uint32_t line);

/* By appProtocol, else by the port's name; VIEW_AUTO if neither says it. */
enum view_protocol protocol_of(struct slice app, struct slice name);

/* The same of a Service: some ports are known to be bytes. */
enum view_protocol protocol_of_port(
    uint16_t port, struct slice app, struct slice name);

/* The same of what a machine announces: bytes unless it says more. */
enum view_protocol protocol_of_record(struct slice app, struct slice name);

/* "spiffe://…" or nothing without an account. */
struct slice identity_of(
    struct builder *b, struct slice ns, struct slice account);

/*
 * The key of what has a label in a namespace; without one, of all in it. What
 * does not fit is cut: who finds something compares in full.
 */
enum { LABEL_KEY_BYTES = 512 };
struct slice label_key(
    struct slice ns, const struct label *l, char out[LABEL_KEY_BYTES]);

/* --- Sidecar (sidecars.c) ------------------------------------------------- */

/* The one that holds in the scope at hand; NULL: none. */
const struct resource *sidecar_of(struct builder *b);

/* Does it hold in the scope, or would it beside the one that does? */
bool sidecar_would_hold(
    const struct view *v, const struct scope *s, const struct resource *r);

/* --- PeerAuthentication (peers.c) ----------------------------------------- */

/* What holds for a workload. */
struct peer_policy {
	enum mutual_tls_mode mode;       /* never MUTUAL_TLS_UNSET */
	const struct resource *by;       /* NULL: nobody says so */
	const struct resource *workload; /* may name ports; NULL: none */
};

struct peer_policy peer_policy_of(
    const struct builder *b, struct slice ns, const struct labels *labels);

/* On one of its ports, where programs listen; 0: on one that none names. */
enum mutual_tls_mode peer_policy_on(
    const struct peer_policy *p, uint16_t port, const struct resource **out_by);

/* The i-th of the ports that it sets apart; 0: there are no more. */
uint16_t peer_policy_port(const struct peer_policy *p, size_t i);

/* Both of it, for one that calls the workload there. Never UNSET. */
enum mutual_tls_mode mutual_tls_of(struct builder *b, struct slice ns,
    const struct labels *labels, uint16_t port);

void peers_fini(struct builder *b);

/* --- the steps, in their order -------------------------------------------- */

/* Who wants mutual TLS, found by namespace and label (peers.c). */
void collect_peers(struct builder *b);

/* What one writes down; into the box at hand, if there is one. */
void add_written_service(struct builder *b, const struct resource *r);
void add_entry(struct builder *b, const struct resource *r);

/* Services of all kinds, by host (services.c); those of ServiceEntries
 * (entries.c) get addresses that nobody wrote (vips.c). */
void compile_services(struct builder *b);
void compile_entries(struct builder *b);
void give_addresses(struct builder *b);

/* Why an endpoint is not used that only its network's gateways reach. */
#define NO_ADDRESS "it has no address of its own"

/* Who serves a port (endpoints.c), by records and by selectors (workloads.c),
 * and what leads into other networks (networks.c). */
void compile_endpoints(struct builder *b);
void collect_networks(struct builder *b);
void index_workloads(struct builder *b);
void find_gateways(struct builder *b);

/* VirtualServices by age (owners.c), DestinationRules by host (rules.c),
 * Sidecars as they are asked (sidecars.c). */
void collect_rules(struct builder *b);
void index_rules(struct builder *b);
void collect_sidecars(struct builder *b);

/* One scope for each place that is called from (scopes.c), and in each: */
void compile_scopes(struct builder *b);

/* What its listeners import (imports.c), and who decides about each host
 * (owners.c). */
void compile_imports(struct builder *b);
void compile_owners(struct builder *b);

/* Hosts and their routes, whose destinations are clusters (hosts.c). */
void compile_hosts(struct builder *b);

/* Clusters of subsets that no route leads to, as upstream has them
 * (clusters.c). */
void compile_subsets(struct builder *b);
void compile_subsets_of(struct builder *b, struct service_row *s);

/* Listeners and their chains (listeners.c): where programs here call
 * (outbound.c), where they are called (inbound.c), and of a gateway
 * (gateway.c). */
void compile_listeners(struct builder *b);
void compile_outbound(struct builder *b);
void compile_inbound(struct builder *b);
void compile_inbound_listeners(struct builder *b);
void compile_gateway(struct builder *b);
void gateways_fini(struct builder *b);

/* At the end named listeners and exposed ports, which are the machine's and
 * not a scope's (edges.c). */
void compile_edges(struct builder *b);
void compile_exposed(struct builder *b);

/* A number of what is exposed, whatever the order. */
uint64_t exposed_version_of(const struct view_input *in);

/* And what policies say of these, and of ports here (../access). */
void compile_access(struct builder *b);

/* --- services (services.c, entries.c, vips.c) ----------------------------- */

/* Its endpoints go, or all that nobody asks for later (compile.c). */
void service_fini(struct service_row *s);
void service_trim(struct service_row *s);

/* One more, behind those that have its host already. */
void chain_service(struct builder *b, struct service_row *s);

/* The first that has the host now; NULL: none. */
struct service_row *service_at(const struct builder *b, struct slice host);

/* By age; for rows of pointers. */
int compare_service_ages(const void *a, const void *b);

bool has_connections(const struct resource *r); /* of a VirtualService */

/* Is it as in the base, and called by other rules (patch_connections.c)? */
bool is_rewired(const struct builder *b, const struct service_row *s);

/* Is its host, or it, another one in the patch that is made? */
const struct service_now *service_now_of(
    const struct builder *b, struct slice host);

/* A service that nobody wrote. */
void add_record(struct builder *b, const struct view_service_input *in);

/* One more to the room that `ports` has; of one number the first counts. */
void add_port(
    struct service_row *s, uint16_t port, enum view_protocol protocol);

/* The one that is imported in the scope at hand; outside of one, any. */
struct service_row *find_service(const struct builder *b, struct slice host);
bool is_seen_service(const struct builder *b, const struct service_row *s);
struct port_row *find_port(const struct service_row *s, uint16_t port);

bool is_entry(const struct service_row *s);    /* of a ServiceEntry */
bool is_resolved(const struct service_row *s); /* and resolved by names */
/* Has any of its endpoints the labels, or is it not by names that it is told?
 * Else there is no cluster of the subset (clusters.c). */
bool has_names_of(
    const struct service_row *s, const struct subset_spec *subset);
/* Do records tell of its endpoints? */
bool is_recorded(const struct builder *b, const struct service_row *s);

/* Has it a listener at each of them (patch_headless.c)? Then its rows keep
 * them. */
bool is_called_at_endpoints(const struct service_row *s);

/* Upstream's word for machines whose DNS tells of automatic addresses (vips.c).
 */
bool captures_dns(const struct mesh_config *mesh);

/* Where a service is called; none: anywhere (vips.c). */
const struct cidr *service_addresses(
    struct builder *b, const struct service_row *s, size_t *out_count);
bool cidr_is_one(const struct cidr *c);

/* Of a patch's, which takes the place of `old` (or NULL). False: others would
 * be at other addresses, or it cannot be told. */
MUST_USE bool give_address_later(
    struct builder *b, const struct service_row *old, struct service_row *s);
/* Would others be, if it went? */
bool frees_address(const struct builder *b, const struct service_row *s);

/* What patches need to know of the servings of the input (servings.c). */
void keep_servings(struct builder *b);
void servings_fini(struct view *v);

/* --- endpoints (endpoints.c, workloads.c, networks.c) --------------------- */

/* Those of records and WorkloadEntries, of a service of records or Services. */
void add_serving(
    struct builder *b, struct service_row *s, const struct view_serving *from);
void add_written_endpoints(struct builder *b, struct service_row *s);

/* That which records of it are about: the first of the host; NULL: none. */
struct slice recorded_host(const struct builder *b, struct slice ns,
    struct slice name, char text[HOST_TEXT_MAX]);
struct service_row *service_of(
    const struct builder *b, struct slice ns, struct slice name);

void add_endpoint(struct builder *b, struct service_row *s, struct port_row *p,
    const struct found_endpoint *f);
void add_endpoint_row(struct builder *b, const struct service_row *s,
    struct port_row *p, const struct found_endpoint *f);

/* Where the name leads, one row for each address or one for all (resolved.c).
 */
void add_by_name(struct builder *b, struct service_row *s, struct port_row *p,
    const struct found_endpoint *f);

/* After the last endpoint. */
void keep_names(struct builder *b);

/* Those of a patch, into the box at hand. */
void keep_names_now(struct builder *b);

/* Another number where a name of the service leads elsewhere. */
uint64_t names_version(
    const struct view_input *in, const struct service_row *s);

/*
 * The workload, for a port that is called so and is this one if the workload
 * says nothing else (workloads.c). Borrows.
 */
struct found_endpoint workload_at(const struct workload *w, struct slice ns,
    struct slice port_name, int64_t port);

/* Is it a ServiceEntry that chooses among WorkloadEntries, and among what
 * machines offer? */
bool is_selecting_entry(const struct service_row *s);

/* Is it chosen by the service's selector, or by that of such an entry? */
bool selects_workload(const struct service_row *s, const struct workload *w);
bool selects_offer(
    const struct service_row *s, const struct view_endpoint_input *in);

/* It may be none of the port's; of a patch all of them (patch_workloads.c). */
void add_offer(struct builder *b, struct service_row *s, struct port_row *p,
    const struct entry_port *port, const struct view_endpoint_input *in);
void add_offers_now(struct builder *b, struct service_row *s,
    struct port_row *p, const struct entry_port *port);

/* NULL when it is full. */
struct workload *workload_new(struct builder *b, const struct resource *r);

/* Those that its selector chooses. */
void add_selected_by_entry(struct builder *b, struct service_row *s,
    struct port_row *p, const struct entry_port *port);
void add_selected_by_service(
    struct builder *b, struct service_row *s, struct port_row *p);
void workloads_fini(struct builder *b);

/*
 * Where it lies: what is said, else what its labels say; of networks last the
 * one in whose range the address is. The network is borrowed, the locality
 * copied (networks.c, localities.c).
 */
struct slice network_of(const struct builder *b, struct slice given,
    const struct labels *labels, const struct addr *a);
struct slice locality_of(
    struct builder *b, struct slice given, const struct labels *labels);

/* What is said for all of a cluster, whatever its endpoints want. */
struct network_rules {
	bool all_mutual;
	bool none_mutual;
	struct origin origin; /* for what is told */
};

/* Puts gateways in the place of endpoints that lie in other networks; are there
 * any? Some may be left out. */
bool replace_by_gateways(struct builder *b, struct rows *endpoints,
    const struct network_rules *r, size_t *out_left);

/* For patches: one more; its gateways; the row of just this resource (NULL:
 * none); what all weights are multiplied by. */
struct network_row *network_new(struct builder *b, const struct resource *r);
void network_fini(struct network_row *n);
void network_find_gateways(struct builder *b, struct network_row *n);
struct network_row *find_network_row(
    const struct builder *b, const struct resource *r);
uint32_t gateway_scale_of(const struct rows *networks);

/* Its ranges, as many as it says at most. A bit for its name, of few; none: 0.
 */
size_t network_ranges(const struct network *n, struct cidr *out);
uint64_t network_bit(struct slice name);

/* Of an address, whatever its family: in the order of addresses. */
uint32_t first_bytes(const struct addr *a);

void networks_fini(struct builder *b);

/*
 * Gives the cluster these endpoints, by priority and locality; `fails_over`:
 * failures are noticed, so that priorities mean something (localities.c).
 */
void arrange_endpoints(struct builder *b, struct view_cluster *c,
    struct rows *endpoints, bool fails_over);

/* Does it depend on who calls, and not only on the machine? */
bool arranges_by_labels(const struct view_cluster_policy *p, bool fails_over);

/* Whether the cluster is called in plain text, once more, before these are its
 * endpoints (clusters.c). */
void secure_again(
    struct builder *b, struct cluster_row *row, const struct port_row *p);

/* The endpoints of a cluster anew, out of those of a port (clusters.c). */
void choose_endpoints(struct builder *b, struct cluster_row *c,
    const struct view_service *s, const struct port_row *p);

/*
 * Little is another than in `before`: the same view with that. NULL: it is
 * more, or more follows from it (patch.c).
 */
struct view *view_patch(const struct view_input *in);
void patch_drop(struct view *v); /* at its end */

/* Are the clusters that they lead to there in any case (patch_rules.c)? */
bool lead_to_kept(const struct view_http_route *rows, size_t count);

static inline struct service_row *
service_of_cluster(const struct cluster_row *c)
{
	return (struct service_row *)(uintptr_t)c->row.service;
}

/* In the order of a view; for rows of pointers. */
int compare_problems(const void *a, const void *b);
int compare_clusters(const void *a, const void *b);
int compare_hosts(const void *a, const void *b);

/* A bit, of few, for each of the entries that choose any of it; none: 0
 * (patch_workloads.c). */
uint64_t offered_to(const struct builder *b, const struct view_serving *from);

/* Of the sockets that are at addresses of the view's machine; none: 0. */
uint64_t served_here(const struct view *v, const struct view_serving *from);

/* Of its network, name and address. */
uint64_t endpoint_id(const struct view_endpoint *e);

/* --- who sees what, and for whom it is (exports.c, scopes.c) -------------- */

/* How a resource is seen: upstream asks those of the first kind first. */
enum sight {
	SIGHT_PRIVATE, /* in its own namespace, and not by all */
	SIGHT_NAMED,   /* in namespaces that it names */
	SIGHT_PUBLIC,
	SIGHT_NONE
};

/*
 * Whether the resource is seen from the namespace: by its exportTo, else by
 * what MeshConfig says of its kind (exports.c).
 */
bool is_exported(
    const struct builder *b, const struct resource *r, struct slice ns);

/* Every one that is wanted is in the list. */
bool exports_cover(const struct slice *list, size_t count,
    const struct slice *wanted, size_t wanted_count);

enum sight sight_of(
    const struct builder *b, const struct resource *r, struct slice ns);

/* The scope that its clients call from; NULL when it is full. */
const struct scope *scope_of_upstream(
    struct builder *b, const struct view_upstream_input *u);

/* Whom a match is for. */
struct callers {
	const struct labels *labels;
	struct slice ns; /* empty: of any */
	const struct slice *gateways;
	size_t gateway_count;
	struct slice owner_ns; /* in which names of gateways are short */
};

/* Why it is not for those of the scope or the gateway at hand, in words; else
 * empty. */
struct slice why_not_callers(struct builder *b, const struct callers *c);

bool is_for_callers(const struct builder *b, const struct callers *c);

/* --- what a scope imports, and whose rules decide (imports.c, owners.c) --- */

/* What the scope at hand imports of the host; NULL: nothing. */
const struct import *find_import(const struct builder *b, struct slice host);
const struct import_port *find_import_port(
    const struct builder *b, struct slice host, uint16_t port);

/* In the scope at hand: those that not everybody sees are asked first, the
 * older before the younger. */
bool is_for_all(const struct builder *b, const struct service_row *s);
bool is_asked_before(const struct builder *b, const struct service_row *x,
    const struct service_row *y);

/* As each scope imports it, if no rule leads there; of a patch. */
void import_later(struct builder *b, struct service_row *s);

/* Has the egress, of the scope at hand, the service? And is the VirtualService
 * one of its rules? */
bool egress_has(const struct builder *b, const struct egress *e,
    const struct service_row *s);
bool egress_obeys(
    struct builder *b, const struct egress *e, const struct resource *r);

/* Services of the egress at hand that stand for the host; NULL: none. */
const struct rows *aliases_of(const struct builder *b, struct slice host);

/* The egress that has the port's virtual hosts; NULL: none. */
struct egress *egress_of_port(const struct scope *s, uint16_t port);
uint16_t egress_port(const struct egress *e); /* 0: none, or a socket */
uint16_t taken_port(const struct egress *e);  /* of services; 0: each */
bool is_egress_of_rest(const struct egress *e);

/*
 * The VirtualService that decides about requests to a host's port (0: any) in
 * the egress at hand; NULL: none.
 */
const struct resource *owner_of(
    struct builder *b, struct slice host, uint16_t port);

/* The loser's rules are met by nobody where the winner has one. */
void report_conflict(struct builder *b, const struct resource *loser,
    const struct resource *winner, struct slice host);

/* Is there one of a wildcard that the host lies in, in the egress at hand? */
bool has_wildcard_owner(const struct builder *b, struct slice host);

/* All that name the host and have a rule for requests to the port. */
void add_rulings(
    struct builder *b, struct slice host, uint16_t port, struct rows *out);

/* In a patch: what that one of the base is now; NULL: gone, or elsewhere. And
 * those that are elsewhere, for connections (patch_owners.c). */
const struct resource *ruling_now(
    const struct patching *p, const struct resource *old);
void add_moved_rulings(struct patching *p, struct slice host, struct rows *out);

/* Is `x` asked before `y` in the scope at hand? */
bool is_ruling_before(const struct builder *b, const struct resource *x,
    const struct resource *y);

/* All that name the host or a part of it, for connections, the first to be
 * asked first; const struct resource. */
void find_tcp_rulings(struct builder *b, struct slice host, struct rows *out);
void rulings_sort(struct rows *r);

/* --- DestinationRules (rules.c, policies.c) ------------------------------- */

/* The one that callers of the scope at hand obey; NULL: none (rules.c). */
const struct merged_rule *rule_of(
    const struct builder *b, struct service_row *s);
void rules_fini(struct builder *b);

/* The one that servers of it obey: workloadSelector is for callers only. */
const struct merged_rule *rule_of_servers(
    const struct builder *b, const struct service_row *s);

/* The same, that a patch knows that it hangs on it. */
const struct merged_rule *find_rule_of_servers(
    struct builder *b, const struct service_row *s);

/* The host that it is for. */
struct slice host_of_rule(struct builder *b, const struct resource *r);

/* Makes an index of the rules of now for the hosts of those that are others. */
void index_rules_again(struct builder *b, const struct renewal *all,
    size_t count, struct rule_index *out);
void rule_indexes_fini(struct rule_index *all);

/* What is wrong with a DestinationRule, or not in force. */
void report_rule(struct builder *b, const struct resource *r);

/* The first policy of them; NULL: none has one. */
const struct traffic_policy *find_policy(
    const struct merged_rule *m, const struct resource **out_rule);

/* The first definition of a subset's name; NULL: there is none. */
const struct subset_spec *find_subset(const struct merged_rule *m,
    struct slice name, const struct resource **out_rule);

/* Of one port and one subset; the policies may be NULL (policies.c). */
struct settings merge_settings(const struct builder *b,
    const struct traffic_policy *of_all, const struct traffic_policy *of_subset,
    uint16_t port);

/* NULL when it is full. */
const struct view_cluster_policy *cluster_policy_of(
    struct builder *b, const struct settings *s);

/* --- clusters (clusters.c, local_clusters.c, localities.c) ---------------- */

/*
 * The cluster of one subset (empty: all) of a port, made once. NULL, with
 * words in *missing, if there is no such subset.
 */
const struct view_cluster *find_cluster(struct builder *b,
    struct service_row *s, const struct port_row *p, struct slice subset,
    struct slice *missing);

bool has_cluster(struct builder *b, struct service_row *s, struct port_row *p,
    struct slice subset);

/* Has another of its name, for callers of other scopes: which of them has the
 * name's id hangs on which was asked for first. */
bool has_namesake(const struct cluster_row *c);

/* One that the base of a patch has not, without endpoints. NULL when it is
 * full, or more would follow from it. */
struct cluster_row *add_later(struct builder *b, struct service_row *s,
    struct port_row *p, const struct merged_rule *m, struct slice subset);

/*
 * The same cluster of before by another rule, with the endpoints of `p`; NULL
 * when it is full, or would be another one for other callers.
 */
struct cluster_row *remake_cluster(struct builder *b,
    const struct cluster_row *old, struct service_row *s, struct port_row *p,
    const struct merged_rule *m);

/*
 * One that is of no service, made once of a name: "PassthroughCluster",
 * "BlackHoleCluster", "inbound|80||". `only` may be NULL; it is kept.
 */
struct view_cluster *bare_cluster(struct builder *b, struct slice name,
    enum view_cluster_type type, const struct view_endpoint *only);
struct view_cluster *new_bare_cluster(struct builder *b, struct slice name,
    enum view_cluster_type type, const struct view_endpoint *only);

/* Those that every proxy of its kind has. */
void compile_bare_clusters(struct builder *b);

/* --- rules, with those of delegates put in (delegates.c) ------------------ */

struct http_rule {
	const struct http_route *spec;
	const struct resource *owner; /* in whose namespace short names are */
};

struct http_rules {
	struct rows rows;  /* struct http_rule */
	struct rows hosts; /* struct host_row: those whose rules they are */
	struct rows parts; /* struct gateway_part: as Gateways have them */
};

/* Made once for each resource. */
struct http_rules *http_rules_of(struct builder *b, const struct resource *r);
bool has_delegates(const struct resource *r);

/* In a patch: the VirtualService of the key, if it is there now. And what is
 * wrong with delegates of one, which else is told when its rules are made. */
const struct resource *delegate_now(
    const struct patching *p, struct slice ns, struct slice name);

/* Likewise: is each that is for the host, which has another service, for no
 * other one (patch_naming.c)? */
bool is_named_alone(struct patching *p, struct slice host);

void report_delegates(struct builder *b, const struct resource *r);
void http_rules_drop(void *value);

/* Each place that the resource leads to, these being its rules for requests:
 * by which of them, or by one for connections (NULL). */
typedef void (*destination_cb)(struct builder *b,
    const struct destination_spec *d, const struct resource *owner,
    const struct http_rule *rule, void *arg);
void each_lead(struct builder *b, const struct http_rules *rules,
    const struct resource *r, destination_cb meet, void *arg);

/* May anything from the scope at hand to the port meet one of its rules? */
bool has_http_rule(struct builder *b, const struct resource *r, uint16_t port);
bool has_rule_among(
    struct builder *b, const struct http_rules *rules, uint16_t port);

/* --- routes of requests (http.c) ------------------------------------------ */

/*
 * Are connections to it told apart by their source alone? Upstream asks the
 * policy for all ports and the subset's balancer, no port's own (hashing.c).
 */
bool hashes_source(
    const struct builder *b, struct service_row *s, struct slice subset);

/* Shares of destinations, for connections (tcp.c). */
void compile_shares(struct builder *b, const struct tcp_destination *specs,
    size_t count, const struct resource *owner, uint16_t port,
    struct view_tcp_route *out);

/* Routes of one host; `s` and `p` are NULL for one that is no service. */
void compile_http(struct builder *b, struct host_row *h,
    const struct resource *owner, struct service_row *s,
    const struct port_row *p);

/* One rule of the host, whose name, port and TLS count. */
void compile_http_rule(struct builder *b, const struct http_rule *rule,
    const struct view_host *h, struct view_http_route *out);

/* What the rule's matches ask of a request to the port (matches.c). */
void compile_matches(struct builder *b, const struct http_rule *rule,
    uint16_t port, struct view_http_route *out);

/* The view's own, made once (matches.c). NULL, and why it cannot be used. */
const struct regex *find_regex(
    struct builder *b, struct slice pattern, struct slice *why);
void regex_drop(void *value); /* for map_fini */

/*
 * Where calls of the port itself go: to the endpoints of the service that has
 * the host here. NULL, and why, if that has no such port (destinations.c).
 */
const struct view_cluster *find_own_cluster(struct builder *b,
    struct service_row *s, const struct port_row *p, struct slice *missing);

/* The same as a destination; `p` NULL: the service has no such port. */
void compile_own(struct builder *b, struct service_row *s,
    const struct port_row *p, uint16_t port, struct view_destination *out);

/* The service that is meant; NULL: there is none (destinations.c). */
struct service_row *find_destination_service(struct builder *b,
    const struct destination_spec *spec, const struct resource *owner);

/* Where a destination leads (destinations.c). */
void compile_destination(struct builder *b, const struct destination_spec *spec,
    const struct resource *owner, uint16_t called_port,
    struct view_destination *out);

/*
 * What Istio does with calls to programs here, where no rule can say it: no
 * limit of time, and what failed before it was sent is tried again (http.c).
 */
void inbound_actions(
    struct builder *b, struct view_http_route *r, bool is_grpc);

/* Makes the host's index; once its routes are there (index_make.c). */
void index_routes(struct builder *b, struct view_host *h);

/* --- routes of connections (tcp.c) ---------------------------------------- */

/* Those of a service's port for connections. */
struct tcp_routes compile_tcp(struct builder *b, struct service_row *s,
    const struct port_row *p, bool tls, uint16_t called);

/* --- hosts (hosts.c) ------------------------------------------------------ */

/* A row of the view; NULL when it is full (hosts.c). */
struct host_row *new_host(
    struct builder *b, struct slice name, struct slice host, uint16_t port);

/* One that is no row of the view yet, of the scope and the egress at hand. */
void fill_new_host(struct builder *b, struct host_row *h, struct slice name,
    struct slice host, uint16_t port);

/* Has the egress at hand a row for the port? */
bool is_called_here(const struct builder *b, const struct port_row *p);

/* With what is called on a service's port, where the owner decides. */
void fill_host(struct builder *b, struct host_row *h, struct service_row *s,
    const struct port_row *p, const struct resource *owner);

/* As dashboards have it: "reviews.default.svc.cluster.local:80". */
struct slice service_host_name(
    struct builder *b, const struct service_row *s, uint16_t port);

/* A host that is no service of the port that is called (0: of any): requests
 * meet the owner's rules (port_routes.c). */
struct slice bare_host_name(
    struct builder *b, struct slice host, uint16_t port);
void fill_bare_host(
    struct builder *b, struct host_row *h, const struct resource *owner);

/* What becomes of calls to what is not known (unknown.c). */
void compile_unknown(struct builder *b);
const struct destination_spec *egress_proxy_of(const struct scope *s);
const struct view_tcp_route *nowhere_route(struct builder *b);

/* --- sets of hosts, one for each port (port_routes.c) --------------------- */

/*
 * The virtual hosts that a port is called for; made once (port_routes.c). Where
 * a listener is a proxy or a socket, they are those of port 80 under its
 * `name`.
 */
const struct view_routes *routes_of_port(struct builder *b, uint16_t port);
const struct view_routes *routes_of_proxy(
    struct builder *b, struct egress *e, struct slice name);

/* Is any on a port that has no routes, as nobody listens there? */
bool has_hosts_aside(const struct scope *s);

/* May requests meet it? */
bool takes_requests(const struct host_row *h);

/* By which it is called beside its name, where no other stands for it:
 * addresses, and names of the machines of one that has none. */
size_t more_domains(
    struct builder *b, const struct host_row *h, struct slice **out);

/* That of one service alone, whatever the authority is. */
const struct view_routes *routes_of_service(
    struct builder *b, const struct service_row *s, uint16_t port);

/* The name of a service in each form that says it here (port_routes.c). */
enum { FORMS_MAX = 7 };
size_t host_forms(struct builder *b, const struct service_row *s,
    struct slice out[FORMS_MAX]);

/* --- listeners (listeners.c, chains.c, snis.c) ---------------------------- */

bool is_own_address(const struct builder *b, const struct addr *a);

/* Does it lead to this machine (ports.c)? Its endpoints have to be there. */
bool leads_here(struct builder *b, struct service_row *s);

/* A service's ports, with endpoints, as it leads here; struct inbound_port. */
void collect_leads(struct builder *b, struct service_row *s,
    const struct port_row *ports, struct rows *out);

/* In a patch: of all that may (patch_here.c). */
void collect_leads_now(struct builder *b, struct rows *out);
/* Is it at an address of this machine, or is any of the service's (targets.c)?
 */
bool is_endpoint_here(const struct builder *b, const struct view_endpoint *e);
bool is_served_here(const struct builder *b, const struct service_row *s);

/* Is a listener of the scope at hand made again that hides something? */
bool opens_hiding(struct builder *b);

/* Where programs call, for services that are others (patch_outbound.c): all
 * listeners of the scope at hand, into the set. */
void renew_outbound(struct builder *b, struct listener_set *out);

/* As upstream writes it for a machine without any address of IPv4. */
struct slice any_address(const struct builder *b);

/* One to the scope at hand; its address is that of no other (chains.c). */
void add_listener(struct builder *b, struct view_listener *l);

/* That of exactly this address; NULL: none. */
const struct view_listener *find_listener(
    const struct listener_set *set, const struct addr *a);

/* It is found no more, though the base of a patch has it (chains.c). */
void hide_listener(struct listener_set *set, const struct view_listener *l);

/* It is found in the place of one that is hidden. */
void show_listener(struct listener_set *set, struct view_listener *l);

void listeners_init(struct listener_set *set);
void listeners_fini(struct listener_set *set);
void listeners_sort(struct listener_set *set);       /* after the last one */
int compare_listeners(const void *a, const void *b); /* by name */

/* Chains of a listener of the base that a patch's has at other places, in
 * their order. */
struct chain_moves {
	const struct view_listener *of; /* NULL: there are none */
	struct chain_move {
		size_t from, to, count;
	} * items;
	size_t count, cap;
};

void move_chain(struct chain_moves *m, const struct view_listener *of,
    size_t from, size_t to);
void chain_moves_fini(struct chain_moves *m);

/* An index of the chains; NULL if a walk is as good (snis.c). What moved there
 * is taken from the other's. */
const struct view_snis *index_snis(struct builder *b,
    const struct view_listener *l, const struct chain_moves *moves);

/* A name that is asked for. */
struct sni {
	bool ending; /* ".shop.com" of "*.shop.com"; else a name */
	struct slice text;
};

/* The next that several chains have, which are put out; any name is "*". False
 * after the last. */
bool next_shared_sni(const struct view_snis *s, size_t *at, struct sni *out,
    const uint32_t **out_chains, size_t *out_count);

/* Those of the longest pattern that the name has, in their order. */
const uint32_t *find_by_sni(
    const struct view_snis *s, struct slice sni, size_t *out_count);

#endif
