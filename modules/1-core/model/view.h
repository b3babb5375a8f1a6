/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view — what one proxy makes of the mesh: hosts, routes, clusters, endpoints.
 *
 * Compiled once from plain data, immutable, counted; any thread may read it.
 * The proxy and `explain` ask it through the same functions. What traffic
 * does (counts, failures) lives elsewhere, under the ids that rows have here.
 */
#ifndef MESHD_VIEW_H
#define MESHD_VIEW_H

#include "listener.h"

/* --- what goes in (all borrowed for the call, then copied) ---------------- */

/* HBONE, where nothing else is said. */
enum { VIEW_TUNNEL_PORT = 15008 };

/* A port of a service that nobody wrote a Service for. */
struct view_port_input {
	uint16_t port;
	struct slice name;
	struct slice protocol; /* "http", "tcp", …; empty: tcp */
};

/* A service known from records only; a written Service overrides it. */
struct view_service_input {
	struct slice name;
	struct slice ns;
	const struct view_port_input *ports;
	size_t port_count;
	struct slice origin; /* words: "record of node db-1" */
};

/* One workload behind one port of one service. */
struct view_endpoint_input {
	struct slice service;
	struct slice service_ns;
	uint16_t service_port;
	struct addr addr; /* of the workload, port included: CONNECT's target */
	struct addr tunnel; /* HBONE of its node; family 0: none, plaintext */
	struct addr other_tunnel; /* the same at another address, or family 0 */
	struct slice network;
	struct slice node;
	struct slice workload;
	struct slice ns; /* with `account`, of its identity */
	struct slice account;
	struct labels labels;
	struct slice locality;
	uint32_t weight; /* 0 takes no new traffic */
	enum view_health health;
	struct slice reason; /* words, if not healthy */
};

/* All behind one service, and a number that is another one with each change. */
struct view_serving {
	struct slice service;
	struct slice ns;
	uint64_t version;
	const struct view_endpoint_input *endpoints;
	size_t count;
};

/* What is known of a name that endpoints have, see view_names(). */
struct view_name_input {
	struct slice name;
	uint64_t version;         /* another one with each change */
	const struct addr *addrs; /* without ports */
	size_t count;
	struct slice reason; /* words, if it leads nowhere; without addresses
			      * and words nobody knows yet */
};

/* A named listener: what a program on this machine connects to. */
struct view_upstream_input {
	struct slice name; /* unique: "reviews" */
	struct slice host; /* any form of a service name, or a host */
	uint16_t port;     /* 0: the service's first */
	struct addr listen;
	struct slice ns;      /* with `account`, who it calls as */
	struct slice account; /* empty: the node's default */
};

/* A local service that the mesh may reach through this proxy. */
struct view_exposed_input {
	struct slice service;
	struct slice ns;
	uint16_t port; /* callers' */
	struct slice protocol;
	struct addr addr;   /* as announced, port included; any IP: port only */
	struct addr target; /* where it really listens */
	struct slice account;
	struct labels labels;
};

struct view_input {
	enum view_proxy proxy;
	struct slice domain;         /* "mesh.internal" if empty */
	struct slice trust_domain;   /* the same as `domain` if empty */
	struct slice root_namespace; /* "istio-system" if empty */
	/* Whose place this is: who calls without a listener of its own. */
	struct slice ns; /* "default" if empty */
	struct labels labels;
	struct slice network;  /* that it lies in */
	struct slice locality; /* "region/zone/subzone"; may be empty */
	struct slice identity; /* its own; who calls without an account */
	struct slice account;  /* who it calls as itself, in `ns`; may be empty
				*/
	const struct resource *const *resources;
	size_t resource_count;
	const struct view_service_input *services;
	size_t service_count;
	const struct view_endpoint_input *endpoints;
	size_t endpoint_count;
	/* Those of services as a whole, each once, beside `endpoints`. */
	const struct view_serving *servings;
	size_t serving_count;
	/* By name, each once; of those that are not there nobody knows. */
	const struct view_name_input *names;
	size_t name_count;
	/*
	 * A number of which services and servings there are, and in what order:
	 * if `before` had the same, what is written above is where it was. 0:
	 * nobody knows.
	 */
	uint64_t lists_version;
	/* Likewise of the resources, in their order, and of `names`. */
	uint64_t resources_version;
	uint64_t names_version;
	/*
	 * If each change of any serving has a version of its own, above all
	 * that were given before: where among them those are that have one
	 * above `moved_since`, and maybe others. 0: nobody knows.
	 */
	uint64_t moved_since;
	const size_t *moved;
	size_t moved_count;
	/*
	 * A number of all that is neither in `resources`, `servings`, `names`
	 * nor `exposed`, nor the generation: if `before` had the same, and the
	 * resources in the same order, only what changed in those is made anew.
	 * 0: nobody knows.
	 */
	uint64_t version;
	const struct view_upstream_input *upstreams;
	size_t upstream_count;
	const struct view_exposed_input *exposed;
	size_t exposed_count;
	/* How YAML inside of a text is read, as codec_yaml_parse_one() does it;
	 * NULL: it is not. */
	resource_json_cb parse_yaml;
	const struct addr *addrs; /* of this machine, as announced; no port */
	size_t addr_count;
	/* Programs' questions to name servers are answered here, and what they
	 * call comes here: as ISTIO_META_DNS_CAPTURE says of others. */
	bool captures_dns;
	/* Machines are told apart by their addresses: bytes to a service that
	 * has none of its own are those to one of its members. */
	bool knows_members;
	uint64_t generation;       /* for people: which view this is */
	const struct view *before; /* what it has may be shared; may be NULL */
};

/* --- rows ----------------------------------------------------------------- */

/* As whom calls leave this machine. */
struct view_caller {
	struct slice identity; /* spiffe://…; the node's without an account */
	struct flow_party party; /* what reports say of it */
};

struct view_upstream {
	struct slice name;
	struct addr listen;
	struct slice ns;
	struct slice account;
	struct view_caller caller; /* its clients */
	const struct view_scope *scope;
	/* NULL: see `missing`; its rules are those of view_host_now(). */
	const struct view_host *host;
	struct slice missing; /* words */
};

struct view_exposed {
	struct slice service;
	struct slice ns;
	struct slice host; /* "web.default.svc.mesh.internal" */
	uint16_t port;
	enum view_protocol protocol;
	struct addr addr; /* as announced; any IP: the port alone decides */
	struct addr target;
	struct slice account;
	struct slice identity; /* spiffe://… */
	struct labels labels;
	struct flow_party party;        /* what reports say of it */
	struct slice cluster;           /* "inbound|80||" */
	const struct view_guard *guard; /* see view_guard_now() */
};

/* A name that endpoints have instead of an address; in lower case. */
struct view_name {
	struct slice name;
	bool in_order; /* it matters which of its addresses is the first */
};

/* Something that does not take part, or not fully, and why. */
struct view_problem {
	struct origin origin;
	struct slice text;
	bool lost; /* for that it is not in the view, and nobody asks it */
};

/* --- the view ------------------------------------------------------------- */

struct view; /* opaque */

enum { VIEW_BYTES_MAX = 1 << 30 };

/*
 * Never refuses for what resources say: what cannot be used is a problem of
 * the view. ERR_NO_MEMORY or ERR_LIMIT otherwise. The order of the inputs
 * does not matter. It is `before` itself if that is known to be the same.
 * References to the resources are kept.
 */
MUST_USE enum err view_compile(
    const struct view_input *in, struct view **out, struct fault *why);

struct view *view_ref(const struct view *v);
void view_unref(struct view **vp);

/*
 * A hash of all that it says, the generation apart; equal views have equal
 * ones. Made anew at each call: not for a request's path.
 */
uint64_t view_fingerprint(const struct view *v);

/* One after the other, by name: `at` is 0 for the first, and NULL means that
 * there are no more. They live as long as `v`, as all rows do. */
const struct view_host *view_next_host(const struct view *v, size_t *at);
const struct view_cluster *view_next_cluster(const struct view *v, size_t *at);

/* Arrays of rows, or of pointers to them, in a fixed order. */
const struct view_upstream *view_upstreams(
    const struct view *v, size_t *out_count);
const struct view_exposed *view_exposures(
    const struct view *v, size_t *out_count);
const struct view_problem *view_problems(
    const struct view *v, size_t *out_count);
/* From where calls are made; the proxy's own place is the first. */
const struct view_scope *const *view_scopes(
    const struct view *v, size_t *out_count);

/* Whose addresses it needs, by name, each once; and how soon they are asked
 * for again where nothing else says it (MeshConfig's dnsRefreshRate). */
const struct view_name *view_names(const struct view *v, size_t *out_count);
uint64_t view_name_refresh_us(const struct view *v);

const struct view_upstream *view_find_upstream(
    const struct view *v, struct slice name);

/* Whom a gateway calls as. */
const struct view_caller *view_self(const struct view *v);

/* By full name; NULL if there is none. */
const struct view_cluster *view_find_cluster(
    const struct view *v, struct slice name);

/* The same one in another view; NULL if it has none. */
const struct view_cluster *view_find_like(
    const struct view *v, const struct view_cluster *c);

/*
 * The cluster with the endpoints that this view has, and the host with its
 * rules: where little is another than before, the rest of a view, and what it
 * names, is that of an older one. Of a row that another row has, or that a
 * look-up without a view gave.
 */
const struct view_cluster *view_cluster_now(
    const struct view *v, const struct view_cluster *c);
const struct view_host *view_host_now(
    const struct view *v, const struct view_host *h);

/* The scope of such callers; the proxy's own if nobody calls from there. */
const struct view_scope *view_find_scope(
    const struct view *v, struct slice ns, const struct labels *labels);

/*
 * The host that answers for `authority`'s name (any form of a service's name,
 * whatever the case, no port in it) on `port`; 0 is the service's first. `of`
 * is a scope of this view, NULL the proxy's own. Exact names before
 * wildcards, longer wildcards before shorter.
 */
const struct view_host *view_find_host(const struct view *v,
    const struct view_scope *of, struct slice host, uint16_t port);

/*
 * The ports of the name that the host has, by number from 0; NULL: no more. Of
 * a host that view_find_host() gave for the same scope.
 */
const struct view_host *view_host_port(const struct view *v,
    const struct view_scope *of, const struct view_host *h, size_t index);

/* All endpoints behind a port of a service; NULL: nobody calls it here. */
const struct view_cluster *view_port_cluster(
    const struct view *v, const struct view_host *port);

/* The name that a written Service gives the port; else empty. */
struct slice view_port_name(const struct view_host *port);

/* "mesh.internal"; and which view it is. */
struct slice view_domain(const struct view *v);
uint64_t view_generation(const struct view *v);

/* DNS tells of automatic addresses, and calls to them are taken: it is this
 * machine's to answer or, of those of IPv4, MeshConfig says
 * ISTIO_META_DNS_CAPTURE. */
bool view_tells_automatic(const struct view *v, enum addr_family family);

/* Is it out of their ranges, and so nobody's but the mesh's? */
bool view_is_automatic(const struct addr *a);

/* Is it what calls to a host that the mesh does not know meet? */
bool view_is_unknown(const struct view_host *h);

/* Who is called by a client of a proxy. */
struct view_called {
	struct slice host;
	uint16_t port;
	bool connect; /* else a request of HTTP */
};

struct view_refusal {
	unsigned status;
	enum flow_flag flag;
	struct slice words;
};

/*
 * Somebody who is not known is called: is that refused? False: it goes where
 * the unknown goes; the one destination of that.
 */
bool view_is_refused(const struct view *v, const struct view_called *c,
    struct arena *arena, struct view_refusal *out);
const struct view_destination *view_unknown_destination(const struct view *v);

/* How lines of the access log look by MeshConfig; borrowed, empty: as usual. */
struct view_log {
	struct slice format;
	bool json;
};

struct view_log view_access_log(const struct view *v);

/*
 * The path, with its query, by MeshConfig's pathNormalization; what is judged,
 * routed and forwarded is this. ERR_INVALID: no path at all, to be answered
 * 400; ERR_LIMIT: the arena is full. Where there is nothing to change it is
 * the path itself.
 */
MUST_USE enum err view_normalize_path(const struct view *v, struct slice path,
    struct arena *arena, struct slice *out);

/* The exposed service at the address of a CONNECT; NULL: not exposed. */
const struct view_exposed *view_find_exposed(
    const struct view *v, const struct addr *target);

/* The same by any form of its service's full name, and the callers' port. */
const struct view_exposed *view_find_exposed_host(
    const struct view *v, struct slice host, uint16_t port);

/*
 * Who answers at that address of the machine to a caller that names nobody:
 * the identity of all that is exposed there, whatever the port; of all that is
 * exposed, if nothing is at that address, as behind NAT. SLICE_NONE if they
 * are of several identities, or nothing is exposed.
 */
struct slice view_identity_at(const struct view *v, const struct addr *at);

/* Is this the IP address of one that the machine announces as its own? And all
 * of these, without ports. */
bool view_is_announced(const struct view *v, const struct addr *a);
const struct addr *view_announced(const struct view *v, size_t *out_count);

/* All of it as a tree, for admin. Borrows from the view. NULL: arena full. */
struct value *view_dump(const struct view *v, struct arena *arena);

#endif
