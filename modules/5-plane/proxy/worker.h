/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker — one thread's share of the proxy, and what its rooms know of it.
 */
#ifndef MESHD_WORKER_H
#define MESHD_WORKER_H

#include "http/http.h"

#include "proxy.h"

struct snapshot;
struct hosts;
struct tunnels;
struct listeners;
struct inbound;
struct wanted;

/* Who dialled a tunnel, and how its handshake went. */
enum { TUNNEL_OUT, TUNNEL_IN, TUNNEL_WAYS };
enum { TUNNEL_FULL, TUNNEL_RESUMED, TUNNEL_KINDS };

struct worker {
	uint32_t magic;
	unsigned index;
	struct proxy *proxy;
	struct loop *loop;
	struct rng rng;
	struct snapshot *now;    /* the view in force; NULL before the first */
	struct hosts *hosts;     /* what traffic did, by endpoint id */
	struct tunnels *tunnels; /* HBONE sessions that go out */
	struct listeners *listeners;
	struct proxy_captured captured;
	struct wanted *wanted; /* hosts that programs name */
	struct map outside;    /* where names of others lead, outside.c */
	struct inbound *inbound;
	struct proxy_credentials *credentials; /* NULL before the first */
	struct list conns;                     /* struct registered */
	struct list awaiting;                  /* struct awaiting */
	uint64_t next_id;
	uint32_t upstreams;    /* connections to services, idle ones too */
	struct list mirrors;   /* copies of requests under way, mirror.c */
	uint32_t mirror_count; /* of them */
	size_t mirror_bytes;   /* of bodies that are held for copies */
	bool draining;
	_Atomic uint32_t load; /* inbound sessions; others read it */
	struct buf to_client;  /* what one handler collects for each side; */
	struct buf to_service; /* empty between handlers */
};

struct proxy {
	uint32_t magic;
	struct proxy_spec spec;
	struct slice trust_domain;
	struct arena arena; /* the text above */
	struct http2_budget budget;
	struct proxy_limits limits;  /* no zero among them */
	struct tls_tickets *tickets; /* for who comes in, to any worker */
	/* How many were opened. */
	struct metric_series *tunnels[TUNNEL_WAYS][TUNNEL_KINDS];
	struct metric_family *refusals;
	struct worker *worker; /* an array, by index */
	unsigned count;
	bool keeps_answers; /* relaxed: one more or less does not matter */
};

/* Whom a flow is for; what is known of the very endpoint comes later. */
void worker_name_destination(
    struct flow_record *f, const struct view_cluster *c);

static inline bool
proxy_keeps_answers(const struct proxy *p)
{
	return __atomic_load_n(&p->keeps_answers, __ATOMIC_RELAXED);
}

/* Tells the owner of a flow's end. */
void worker_report(struct worker *w, const struct flow_record *record);

/* Who broke a rule of its protocol, or met a limit. */
enum refused { REFUSED_CLIENT, REFUSED_SERVICE, REFUSED_NODE };

/* Counts it, by the word of what it was: http1_flaw_word() and the like. */
void worker_refused(struct worker *w, enum refused who, const char *reason);

/* The same for a connection of HTTP/2 that ended, if that was why. */
void worker_refused_http2(
    struct worker *w, enum refused who, const struct http2 *c);

/* A listener's fate, for the owner of the proxy; `why` if it waits. */
void worker_tell_listener(struct worker *w, struct slice name,
    const struct addr *addr, enum proxy_listening state,
    const struct fault *why);

/* A tunnel's handshake is over, and its peer has said the first words. */
void worker_tell_tunnel(struct worker *w, int way, struct http2 *session);

/* Connections to this listener wait: the process is out of something. */
void worker_tell_shortage(const char *listener, enum err why);

/* A connection to a program of this machine, for that client: it will bear the
 * client's address if it is to and can. */
void worker_bear_source(const struct worker *w, const struct addr *client,
    struct net_connect_spec *spec);

/* --- the list of connections --- */

/* Part of every connection's object. */
struct registered {
	struct list link;
	enum proxy_conn_kind kind;
	uint64_t id;
	uint64_t since_us;
	/* Fills what it knows; the common part is filled already. */
	void (*describe)(struct registered *r, struct proxy_conn_info *out);
	/* Ends it at once. */
	void (*cut)(struct registered *r, enum err why);
	/* Asks it to end when what it does now is done. May be NULL. */
	void (*drain)(struct registered *r);
};

void worker_register(struct worker *w, struct registered *r);
void worker_unregister(struct registered *r);

/* --- what waits for a view that knows more --- */

/* Part of its object; zeroed it is idle. */
struct awaiting {
	struct list link;
	struct timer until;
	/* Another view is in force: it may be over now. */
	void (*on_view)(struct awaiting *a);
	/* It was in vain; it is idle by then. */
	void (*on_end)(struct awaiting *a);
};

/* The two functions are set. */
void awaiting_begin(struct worker *w, struct awaiting *a, uint64_t longest_us);
/* Harmless when idle. */
void awaiting_stop(struct awaiting *a);
void awaiting_tell(struct worker *w);

/* --- credentials -----------------------------------------------------------
 */

/* Borrowed; NULL if there is none of that name and no fallback either. */
struct tls_identity *credentials_find(
    const struct proxy_credentials *c, struct slice uri);

/* The identity that an SNI names, or the fallback; borrowed or NULL. */
struct tls_identity *credentials_find_sni(
    const struct proxy_credentials *c, struct slice sni);

struct tls_trust *credentials_trust(const struct proxy_credentials *c);

bool credentials_revoke(
    const struct proxy_credentials *c, const struct tls_peer *peer);

/* A tls_check_cb: refuses whom the worker's (`arg`) credentials revoke. */
MUST_USE enum err credentials_check(
    void *arg, const struct tls_peer *peer, struct fault *why);
struct proxy_credentials *proxy_credentials_ref(struct proxy_credentials *c);

#endif
