/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node — one machine of the mesh, as an agent or as a gateway.
 *
 * Assembles identities, control stream, gossip, discovery and proxy over a
 * state directory. Everything here is for the thread of the control loop; the
 * data plane runs on workers that the node starts itself. What the local API
 * and the command line may do, they do through these calls.
 */
#ifndef MESHD_NODE_H
#define MESHD_NODE_H

#include "base/base.h"
#include "gossip/gossip.h"
#include "loop/loop.h"
#include "model/model.h"
#include "net/net.h"
#include "proxy/proxy.h"
#include "telemetry/telemetry.h"

#include "link.h"

#define NODE_STATE_DIR "/var/lib/meshd/agent"

enum {
	NODE_ADDRS_MAX = GOSSIP_ADDRS_MAX,
	NODE_UPSTREAMS_MAX = 1024,
	NODE_LABELS_MAX = 64,
	NODE_LABEL_BYTES_MAX = 180, /* both texts: they are asked for */
	NODE_EXPOSED_MAX = GOSSIP_SERVICES_MAX,
	NODE_SERVERS_MAX = 8,
	NODE_TEXT_MAX = 256,
	NODE_SETTLE_MS = 50 /* at most one new view in this time */
};

struct node; /* opaque */

/* A named listener: `name=listen → host:port`. Text is borrowed. */
struct node_upstream {
	struct slice name;
	struct slice host; /* any form of a service's name */
	uint16_t port;     /* 0: the service's first */
	struct addr listen;
	struct slice ns;      /* with `account`, who it calls as */
	struct slice account; /* empty: the node itself */
};

/* What this machine offers. Text is borrowed. */
struct node_expose {
	struct slice name;
	struct slice ns;            /* "default" if empty */
	struct slice account;       /* "default" if empty */
	struct slice protocol;      /* "http", "tcp" …; "tcp" if empty */
	struct addr target;         /* where it listens; no IP: 127.0.0.1 */
	uint16_t port;              /* callers'; 0: the target's */
	uint16_t weight;            /* 0: 100 */
	const struct label *labels; /* app=<name> is added if it is not there */
	size_t label_count;
};

/*	WAITING --token--> JOINING --granted--> RUNNING --close--> CLOSING
 *			      `--refused--> WAITING			*/
enum node_state {
	NODE_WAITING, /* not a member, no token */
	NODE_JOINING,
	NODE_RUNNING,
	NODE_CLOSING
};

const char *node_state_name(enum node_state s);

struct node_spec {
	struct loop *loop; /* the control loop; its clock is used */
	struct net_factory *factory;
	const char *state_dir; /* NULL: NODE_STATE_DIR; made 0700 if absent */
	struct slice name;     /* at the first join; empty: the host's name */
	struct slice network;  /* at the first join; empty: "default" */
	struct slice token;    /* "mj1.…", or empty */
	struct slice ns;       /* of programs here; empty: "default" */
	struct slice account;  /* who they call as; empty: the node itself */
	enum view_proxy proxy; /* VIEW_ROUTER: a gateway */
	const struct label *labels; /* a gateway's, that select it */
	size_t label_count;
	const struct addr *addrs; /* announced; none: what the machine has */
	size_t addr_count;
	struct addr hbone;  /* where tunnels come in; ADDR_NONE: [::]:15008 */
	struct addr gossip; /* ADDR_NONE: [::]:15946 */
	unsigned workers;   /* 0: one a core */
	struct telemetry_config log;
	const struct node_upstream *upstreams;
	size_t upstream_count;
	/*
	 * The outcome of a start or a join: OK, and it serves; else in words,
	 * with the server's own hint. After a refusal node_join() may be
	 * tried again. Never from inside node_open().
	 */
	void (*on_ready)(void *arg, enum err e, const struct fault *why);
	void *arg;
};

/*
 * Reads the state directory and begins. A node that has joined before serves
 * at once from what is there, whether a server lives or not, and takes no
 * notice of the token. ERR_PERMISSION, ERR_CORRUPT, ERR_INVALID, ERR_BUSY
 * (another process has the directory), in words.
 */
MUST_USE enum err node_open(
    const struct node_spec *spec, struct node **out, struct fault *why);

/*
 * Says good-bye to its peers, gives connections `drain_us` to end, closes all
 * and calls done(arg) once. *np becomes NULL.
 */
void node_close(
    struct node **np, uint64_t drain_us, void (*done)(void *arg), void *arg);

enum node_state node_state(const struct node *n);

/*
 * Joins by this token; on_ready tells the outcome. ERR_PARSE and the like for
 * the token's own mistakes, ERR_EXISTS for a member, ERR_BUSY while joining.
 * In any case node_retry().
 */
MUST_USE enum err node_join(
    struct node *n, struct slice token, struct fault *why);

/* What waits after a failure or a refusal is tried now: an operator acted. */
void node_retry(struct node *n);

/*
 * Leaves the mesh: says good-bye, stops, then forgets identity and
 * configuration on disk. done(arg) once; then only node_close() is left.
 */
void node_leave(struct node *n, void (*done)(void *arg), void *arg);

/* --- the local API -------------------------------------------------------- */

/*
 * Offers a service from now on and after a restart; the same name, namespace
 * and port again replaces. ERR_DENIED: our voucher does not grant it.
 * ERR_EXISTS: the port belongs to another service. ERR_INVALID, ERR_LIMIT,
 * ERR_UNSUPPORTED (udp).
 */
MUST_USE enum err node_expose(
    struct node *n, const struct node_expose *e, struct fault *why);

/* All its ports if `port` is 0. ERR_NOT_FOUND. */
MUST_USE enum err node_unexpose(struct node *n, struct slice name,
    struct slice ns, uint16_t port, struct fault *why);

/* Replaces all named listeners; copies. ERR_INVALID: two of one name. */
MUST_USE enum err node_set_upstreams(struct node *n,
    const struct node_upstream *upstreams, size_t count, struct fault *why);

/* Access log lines for successes, too. */
void node_set_log_success(struct node *n, bool on);

/* --- questions; every row is borrowed for the call ------------------------ */

struct node_member {
	struct slice name;
	struct slice network;
	struct addr addr;
	const char *status; /* "up", "suspect", "down", "left" */
	const char *health; /* "healthy", "unhealthy", "draining" */
	uint32_t rtt_ms;
	uint64_t since_ms; /* ago */
	size_t services;
	bool self;
};

void node_each_member(const struct node *n,
    void (*each)(void *arg, const struct node_member *m), void *arg);

/*
 * Nothing here calls this service of the view, so no server was asked how it
 * is configured: it is what records say.
 */
bool node_is_by_records(const struct node *n, const struct view_service *s);

struct node_exposed {
	const struct node_expose *what;
	bool announced;
	struct slice waits_for; /* words, if not */
};

void node_each_exposed(const struct node *n,
    void (*each)(void *arg, const struct node_exposed *e), void *arg);

struct node_identity {
	struct slice uri;
	int64_t not_after_ms; /* 0: none yet */
	int64_t renew_at_ms;
	struct slice problem; /* words of the last failure, or empty */
};

void node_each_identity(const struct node *n,
    void (*each)(void *arg, const struct node_identity *i), void *arg);

/*
 * Resources that this agent refused, view problems, conflicts of records,
 * ports that are taken, and that it was revoked itself.
 */
struct node_problem {
	/* "resource", "view", "discovery", "port", "revocation" */
	const char *kind;
	struct slice about;
	struct slice text;
};

void node_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

struct node_status {
	enum node_state state;
	enum view_proxy proxy;
	struct labels labels;
	struct slice name;
	struct slice trust_domain;
	struct slice network;
	bool connected;       /* to a server */
	bool synced;          /* and it has told all */
	struct slice server;  /* the one it is, or was last, connected to */
	struct slice trouble; /* why not connected, in words; or empty */
	uint64_t generation;  /* of the view in force */
	uint64_t uptime_us;
	size_t members;
	size_t members_up;
	size_t resources;
	size_t refused;
	size_t exposed;
	size_t upstreams;
};

void node_status(const struct node *n, struct node_status *out);

/* NULL before it runs. Borrowed until the next turn. */
const struct view *node_view(const struct node *n);
struct proxy *node_proxy(struct node *n);

/*
 * A view of what members offer that is out of this machine's scope, by their
 * records alone: for people who look around. Made anew for each question; the
 * caller's. ERR_BUSY before it runs.
 */
MUST_USE enum err node_survey(
    const struct node *n, struct view **out, struct fault *why);

/*
 * What the servers have of the host is wanted for some minutes. `done` comes
 * once: now, or when all of it is in force, within a second. Not OK: answers
 * about the host would not be right, in words.
 */
void node_ask_host(struct node *n, struct slice host,
    void (*done)(void *arg, enum err e, const struct fault *why), void *arg);

/* As model_answer() on the view in force; NULL: none yet, or arena full. */
struct value *node_explain(const struct node *n,
    const struct explain_question *question, struct arena *arena);

/* All resources in force, for `meshd get` at the agent. */
void node_each_resource(const struct node *n,
    void (*each)(void *arg, const struct resource *r), void *arg);

#endif
