/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener — where connections come in, and which chain takes one.
 *
 * A connection meets a listener by its original destination, one of its
 * chains by what is known of it before a byte is answered (address, SNI, ALPN),
 * and there either a set of routes (requests) or one route for its bytes. The
 * shape and the names are those of Envoy's listeners, filter chains and route
 * configurations, as Istio writes them, so that dashboards know them.
 */
#ifndef MESHD_LISTENER_H
#define MESHD_LISTENER_H

#include "kinds/security.h"
#include "route.h"

enum view_direction {
	VIEW_OUTBOUND, /* programs here call the mesh */
	VIEW_INBOUND,  /* the mesh calls programs here */
	VIEW_GATEWAY   /* anybody calls a gateway */
};

struct view;
struct view_guard; /* authn.h */

enum { VIEW_DIRECTIONS = VIEW_GATEWAY + 1 };

/* "outbound", "inbound", "gateway". */
const char *view_direction_name(enum view_direction d);

/* Whose mesh it is: a machine with workloads, or a gateway. */
enum view_proxy { VIEW_SIDECAR, VIEW_ROUTER };

/* What is known of a connection when a chain is chosen. */
struct view_connection {
	struct addr destination; /* as called, port included */
	struct addr source;
	bool tls;
	struct slice sni; /* in lower case; empty: none */
	/* Application protocols: of the ClientHello; where a plain connection
	 * was sniffed "http/1.0", "http/1.1" or "h2c". */
	const struct slice *alpns;
	size_t alpn_count;
};

enum view_transport { VIEW_ANY_TRANSPORT, VIEW_PLAIN, VIEW_TLS_TRANSPORT };

/* What is empty or 0 takes any. */
struct view_chain_match {
	uint16_t port; /* called; for listeners of any port */
	const struct cidr *cidrs;
	size_t cidr_count;
	const struct slice *snis; /* exact, or "*.shop.com" */
	size_t sni_count;
	enum view_transport transport;
	const struct slice *alpns;
	size_t alpn_count;
	/* Bytes for a service without an address of its own: one of its
	 * members has to be called. See view_find_chain(). */
	const struct view_cluster *members;
};

/* What a chain does with TLS before anything else. */
enum view_tls_mode {
	VIEW_TLS_NONE,        /* bytes as they come, TLS or not */
	VIEW_TLS_SIMPLE,      /* ends it with a certificate of its own */
	VIEW_TLS_MUTUAL,      /* and wants one of its client */
	VIEW_TLS_OPTIONAL,    /* and takes one of its client */
	VIEW_TLS_ISTIO_MUTUAL /* the same with those of the mesh */
};

/* As a Gateway writes it; empty for bytes as they come. */
const char *view_tls_mode_name(enum view_tls_mode m);

struct view_chain_tls {
	enum view_tls_mode mode;
	const struct server_tls *settings; /* as written; NULL: the mesh's */
	/* Names of what it shows, "kubernetes://name" of the gateway's own
	 * namespace; none: files of the settings, or what the mesh gave. */
	const struct slice *secrets;
	size_t secret_count;
	struct slice ca_secret; /* for clients; empty: beside the first */
};

/*
 * Envoy's route configuration: virtual hosts found by a request's authority.
 */
struct view_routes;

struct view_snis; /* opaque */

struct slice view_routes_name(const struct view_routes *r);

/* Its virtual hosts, see view_host_now(); those of a gateway, the most specific
 * first. What a patch (patch.c) has more or less, only a look-up knows. */
const struct view_host *const *view_routes_hosts(
    const struct view_routes *r, size_t *out_count);

/*
 * The virtual host that an authority (a port may be in it, any case) meets:
 * exact names before wildcards, longer wildcards before shorter, "*" last.
 * The port counts where a proxy is asked; 80 is meant if there is none. NULL:
 * none.
 */
const struct view_host *view_find_domain(
    const struct view *v, const struct view_routes *r, struct slice authority);

/* "shop.com:8080" without its port; "[::1]:80" without that, too. The port is
 * 0 if there is none. */
struct slice view_split_authority(struct slice authority, uint16_t *out_port);

struct view_chain {
	struct slice name; /* Istio's; may be empty */
	struct view_chain_match match;
	struct view_chain_tls tls;
	/* Requests are parsed, and meet these; NULL: bytes. */
	const struct view_routes *routes;
	/* Where bytes go. Never NULL without `routes`. */
	const struct view_tcp_route *tcp;
	/* Of a server with GRPC-WEB; see view_translates_grpc_web(). */
	bool grpc_web;
	/* Nowhere: its service has rules for requests, and they are none. */
	bool refuses_bytes;
	/* Inbound: what the port takes, and who says so; else UNSET. */
	enum mutual_tls_mode peers;
	struct origin peers_origin;
	/* Inbound and gateway: what policies say of whom it leads to, see
	 * view_guard_now(); NULL: nothing. */
	const struct view_guard *guard;
	struct origin origin;
};

struct view_listener {
	struct slice
	    name; /* "0.0.0.0_9080", "10.0.0.7_3306", "virtualInbound" */
	enum view_direction direction;
	/* Family ADDR_NONE: of any IP; port 0: of any port. */
	struct addr addr;
	struct slice path; /* a Unix socket instead; or empty */
	bool bound; /* a socket of its own; else only what is captured meets it
		     */
	bool proxies;     /* HTTP, for programs that name it as their proxy */
	bool sniffs_http; /* reads ahead to know whether it is HTTP */
	/* Each connection begins with a PROXY header, which says who it is
	 * from; what does not is closed. */
	bool reads_proxy_header;
	/* Reads a ClientHello ahead, at ports where a chain asks for that. */
	bool sniffs_tls;
	const struct view_chain *chains;
	size_t chain_count;
	const struct view_chain *otherwise; /* if none matches; may be NULL */
	const struct view_snis *snis;       /* the chains by name; NULL: few */
	struct origin origin;
};

/* The listener that takes a connection to this address: one of just this
 * address before one of any; NULL: none. */
const struct view_listener *view_find_listener(const struct view *v,
    const struct view_scope *of, enum view_direction direction,
    const struct addr *destination);

/*
 * The chain that takes a connection, by Envoy's order: the port, the longest
 * prefix of the address, the SNI (exact, then the longest wildcard), the
 * transport, the application protocols; what is chosen first is not taken back
 * where nothing further matches. TLS is not seen as such where no chain of the
 * port asks for it. NULL: none, not even `otherwise`.
 *
 * Of chains that ask for members the one is taken whose member was called by
 * the address; any is where that is an automatic one, which is nobody else's.
 */
const struct view_chain *view_find_chain(const struct view *v,
    const struct view_listener *l, const struct view_connection *c);

/* Why a gateway's proxy lets nobody in by the chain yet, in words; empty: it
 * does. */
struct slice view_chain_missing(const struct view_chain *c);

/* Why bytes are refused where requests have rules, in words. */
extern const struct slice view_only_requests;

/* What keeps a chain from taking a connection, in the order of asking. */
enum view_misfit {
	VIEW_FITS, /* nothing does, though another one may fit better */
	VIEW_OTHER_PORT,
	VIEW_OTHER_ADDRESS,
	VIEW_OTHER_SNI,
	VIEW_OTHER_TRANSPORT,
	VIEW_OTHER_ALPN
};

enum view_misfit view_chain_misfit(
    const struct view_chain *chain, const struct view_connection *c);

/* The same of a rule for connections to a port of that number. */
enum view_misfit view_tcp_misfit(const struct view_tcp_route *r, uint16_t port,
    const struct view_connection *c);

/*
 * Is gRPC-Web translated into gRPC? Where a server of a gateway (`by`), the
 * service that is called (`host`) or the one that takes it (`to`) declares
 * grpc-web. Any of them may be NULL.
 */
bool view_translates_grpc_web(const struct view_chain *by,
    const struct view_host *host, const struct view_cluster *to);

/* All of a scope in a direction, in the order of their names. */
const struct view_listener *const *view_listeners(const struct view *v,
    const struct view_scope *of, enum view_direction direction,
    size_t *out_count);

#endif
