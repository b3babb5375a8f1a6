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
#include "capture/capture.h"
#include "gossip/gossip.h"
#include "loop/loop.h"
#include "model/model.h"
#include "net/net.h"
#include "proxy/proxy.h"
#include "resolver/resolver.h"
#include "telemetry/telemetry.h"

#include "doctor/doctor.h"
#include "link.h"
#include "wiring.h"

#define NODE_STATE_DIR "/var/lib/meshd/agent"

enum {
	NODE_ADDRS_MAX = GOSSIP_ADDRS_MAX,
	NODE_UPSTREAMS_MAX = 1024,
	NODE_LABELS_MAX = 64,
	NODE_LABEL_BYTES_MAX = 180, /* both texts: they are asked for */
	NODE_EXPOSED_MAX = GOSSIP_SERVICES_MAX,
	NODE_SERVERS_MAX = 8,
	NODE_TEXT_MAX = 256,
	NODE_CHECK_MAX = 640,
	NODE_UNIT_MAX = 256, /* of a unit's name */
	NODE_SETTLE_MS = 50  /* at most one new view in this time */
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

/* Who said that something is offered; each has its own. */
enum node_exposer { NODE_BY_COMMAND, NODE_BY_SETTINGS, NODE_BY_GROUP };

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
	/* The `spec` of a HealthCheckPolicy, for it alone; NULL: as policies
	 * say. */
	const struct value *check;
	/* Not after a restart, and nobody else's to replace: of a node_run. */
	bool is_passing;
	/* Not for node_expose(), whose services are by command: */
	enum node_exposer by;
	struct slice origin; /* words: where it is written */
	struct addr asked;   /* where its check asks; ADDR_NONE: the target */
	struct slice leaves; /* words: why nobody may call it any more */
};

/* A port of a workload, beside those of its group's template. */
struct node_group_port {
	uint16_t port; /* callers' */
	struct addr target;
};

enum { NODE_GROUPS_MAX = 16, NODE_GROUP_PORTS_MAX = 16 };

/* This machine is a workload of a WorkloadGroup. Text is borrowed. */
struct node_group {
	struct slice name;
	struct slice ns;            /* "default" if empty */
	const struct label *labels; /* over those of the group */
	size_t label_count;
	struct slice protocol; /* of these ports; empty: as the group says */
	const struct node_group_port *ports;
	size_t port_count;
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

/* Where it lies: what is said, or a program that says it, which is asked anew
 * by each call; neither: as its groups do. Text is borrowed. */
struct node_place {
	struct slice locality; /* of node_locality_check() */
	struct slice command;  /* words between blanks, for its first line */
};

enum { NODE_LOCALITY_COMMAND_MAX = 1024 };

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
	struct node_place place;
	/* capture_helper_start()'s, taken whatever comes of this; zeroed:
	 * nothing can be captured here. */
	struct capture_ends capture;
	bool exec_checks; /* health checks may run commands here */
	/* `lines` NULL: as MeshConfig says, else Istio's text. */
	struct telemetry_config log;
	const struct node_upstream *upstreams;
	size_t upstream_count;
	/* Where names are answered, nowhere if listen_count is 0; what ties it
	 * to the rest is the node's. */
	struct resolver_spec dns;
	/* Whether programs come to ask there: kind, link, conf, bus. */
	struct wiring_spec wiring;
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
 * ERR_UNSUPPORTED (udp). A check that runs a command is ERR_DENIED unless the
 * spec allows it.
 */
MUST_USE enum err node_expose(
    struct node *n, const struct node_expose *e, struct fault *why);

/* All its ports if `port` is 0. ERR_NOT_FOUND. */
MUST_USE enum err node_unexpose(struct node *n, struct slice name,
    struct slice ns, uint16_t port, struct fault *why);

/*
 * What the machine's own files say it offers: these and no others from now on,
 * each with its `origin`. What cannot be is a problem of kind "service".
 */
void node_set_services(
    struct node *n, const struct node_expose *list, size_t count);

/*
 * A service as JSON has it: "name", "namespace", "account", "protocol", "port",
 * "target", "labels", "check". Borrows. ERR_INVALID.
 */
MUST_USE enum err node_expose_read(const struct value *v,
    struct label labels[GOSSIP_LABELS_MAX], struct node_expose *out,
    struct fault *why);

/*
 * Is a workload of that group from now on and after a restart: what the group
 * says of its workloads is offered for as long as the group is there, and some
 * seconds more. The same group again replaces. Whether our voucher grants the
 * group's account is told by node_each_exposed(). ERR_DENIED: not its
 * namespace. ERR_INVALID, ERR_LIMIT.
 */
MUST_USE enum err node_group_enter(
    struct node *n, const struct node_group *g, struct fault *why);
/* ERR_NOT_FOUND. */
MUST_USE enum err node_group_leave(
    struct node *n, struct slice name, struct slice ns, struct fault *why);

/* Replaces all named listeners; copies. ERR_INVALID: two of one name. */
MUST_USE enum err node_set_upstreams(struct node *n,
    const struct node_upstream *upstreams, size_t count, struct fault *why);

/*
 * Programs' connections come to the proxy from now on, and after a restart.
 * With `confirm_us` they do for so long only, unless node_capture_confirm()
 * comes: then it is again as it was. What the mesh itself needs is filled in:
 * the wish says the rest, and of sshd's ports those that are known besides.
 * `done` comes once. ERR_PERMISSION: there is no helper; ERR_BUSY: it is being
 * changed, or a port of ours is taken; what capture_wish_check() says.
 */
typedef void (*node_capture_cb)(void *arg, enum err e, const struct fault *why);
void node_capture_on(struct node *n, const struct capture_wish *w,
    uint64_t confirm_us, node_capture_cb done, void *arg);
void node_capture_off(struct node *n, node_capture_cb done, void *arg);

/*
 * ERR_NOT_FOUND: nothing waits for it. ERR_UNREACHABLE, ERR_RESET: a server
 * that was reached before is not reached by a new connection, or a session of
 * SSH that stood is gone; then it still waits, and falls back in its time.
 */
void node_capture_confirm(struct node *n, node_capture_cb done, void *arg);

/* All of it is lent. */
struct node_capture_state {
	bool possible;                   /* there is a helper */
	const struct capture_wish *wish; /* in force; NULL: none */
	uint64_t left_us;                /* to confirm it in; 0: it is */
	struct slice trouble;            /* why what was kept is not in force */
	const struct capture_report *report; /* what the kernel has */
};
void node_capture_read(struct node *n,
    void (*done)(void *arg, const struct node_capture_state *s), void *arg);

/*
 * A program that calls as an account of its own from its first connection on:
 * all that its cgroup sends, but for what goes to the machine itself, comes to
 * the proxy, and what it offers is offered as long. Text is borrowed.
 */
struct node_run {
	struct slice unit;   /* whose it is; empty: nobody's */
	struct slice cgroup; /* below the root of cgroups */
	struct slice ns;
	struct slice account;
	const struct node_expose *expose; /* as `ns` and `account`; or NULL */
	/* Somebody says so now: an account that was refused is asked for again.
	 */
	bool is_anew;
	uint64_t wait_us; /* for certificate and configuration; a minute at
			   * most */
};

struct ward; /* opaque */

/* Once: OK, and it is in force; `why` has words if not all that it needs is
 * here, though it was waited for. Not OK: it is not captured. */
typedef void (*node_run_cb)(void *arg, enum err e, const struct fault *why);

/*
 * ready(arg) comes after this returns. As node_capture_on() and node_expose()
 * refuse; ERR_EXISTS: the service is exposed already; ERR_LIMIT.
 */
MUST_USE enum err node_run_begin(struct node *n, const struct node_run *spec,
    node_run_cb ready, void *arg, struct ward **out, struct fault *why);
/* Before the node is closed, whatever became of it. */
void node_run_end(struct ward **wp);

struct node_run_state {
	struct slice unit;
	struct slice cgroup;
	struct slice identity;
	struct slice service; /* empty: none */
	const char *state;    /* "waits", "captured", "not captured" */
	struct slice missed;  /* what was not here in time, in words */
};
void node_each_run(const struct node *n,
    void (*each)(void *arg, const struct node_run_state *s), void *arg);

/*
 * The same of a unit of systemd's, while it is active, from now on and after a
 * restart: {"unit", "namespace", "account", "expose": as node_expose()}. In its
 * place if it is known already. ERR_DENIED, ERR_INVALID and the like.
 */
MUST_USE enum err node_unit_put(
    struct node *n, const struct value *v, struct fault *why);
/* ERR_NOT_FOUND. */
MUST_USE enum err node_unit_remove(
    struct node *n, struct slice name, struct fault *why);
/* It begins in that cgroup, and waits for `ready`, which comes once; not when
 * the node is closed. */
void node_unit_started(struct node *n, struct slice name, struct slice cgroup,
    uint64_t wait_us, node_run_cb ready, void *arg);
/* It has ended. ERR_NOT_FOUND. */
MUST_USE enum err node_unit_stopped(
    struct node *n, struct slice name, struct fault *why);

/* A wish as JSON has it, as in the state directory: "out", "in", "uids",
 * "gids", "cgroups", "exclude", "sshd", "loopback", "dns", "failClosed". In
 * words, if it is none; NULL: the arena is full. */
MUST_USE enum err node_capture_decode(
    const struct value *v, struct capture_wish *out, struct fault *why);
struct value *node_capture_encode(
    const struct capture_wish *w, struct arena *arena);

void node_set_place(struct node *n, const struct node_place *p);
/* "region", "region/zone" or "region/zone/subzone". ERR_INVALID, ERR_LIMIT. */
MUST_USE enum err node_locality_check(struct slice text, struct fault *why);

/* Access log lines for successes, too. */
void node_set_log_success(struct node *n, bool on);

/* How they look from now on; takes a reference, NULL as in the spec. */
void node_set_log_lines(struct node *n, struct telemetry_lines *lines);

/*
 * done(arg) once each worker has come round to it: while one of them hangs,
 * not at all. At once if there are none yet.
 */
void node_ask_workers(struct node *n, void (*done)(void *arg), void *arg);

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
	/* A group that is not in force yet has no port. */
	const struct node_expose *what;
	bool announced;
	struct slice waits_for; /* words, if not */
	/* "http:8080/healthz", or "tcp (shop/db)" of a HealthCheckPolicy;
	 * empty: it has none, and nothing below is there. */
	char check[NODE_CHECK_MAX];
	const char *health;  /* "unknown", "healthy", "unhealthy"; NULL: it is
			      * not asked, and `reason` says why */
	int64_t since_ms;    /* Unix time */
	struct slice reason; /* "GET /healthz: 503" */
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
 * ports that are taken, services that are not well, groups that it is no
 * workload of, and that it was revoked itself.
 */
struct node_problem {
	/* "resource", "view", "discovery", "name", "port", "health",
	 * "service", "group", "locality", "revocation" */
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
	struct slice locality; /* empty: it is not said */
	bool connected;        /* to a server */
	bool synced;           /* and it has told all */
	struct slice server;   /* the one it is, or was last, connected to */
	struct slice trouble;  /* why not connected, in words; or empty */
	uint64_t generation;   /* of the view in force */
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

/*
 * As resolver_query(). ERR_INVALID: it is no name; ERR_UNSUPPORTED, ERR_BUSY:
 * names are not answered here, or not yet.
 */
MUST_USE enum err node_dns_query(struct node *n, struct slice name,
    uint16_t type,
    void (*done)(void *arg, const struct resolver_report *report), void *arg,
    struct fault *why);

/* As model_answer() on the view in force; NULL: none yet, or arena full. */
struct value *node_explain(const struct node *n,
    const struct explain_question *question, struct arena *arena);

/* --- what passes, and what has passed ------------------------------------- */

struct node_tap;

/*
 * Flows as they happen, as lines of JSON, until it is closed; on_lines on the
 * control loop. Takes the match, whatever comes of it. ERR_BUSY: as many taps
 * as may be are open, or there is no data plane yet.
 */
MUST_USE enum err node_tap_open(struct node *n, struct telemetry_query *match,
    void (*on_lines)(void *arg, struct slice lines, size_t count), void *arg,
    struct node_tap **out, struct fault *why);
void node_tap_close(struct node_tap **tp);
struct telemetry_tap *node_tap_flows(const struct node_tap *t);

/* Requests with this id that are remembered, as lines of JSON, by worker; once,
 * on the control loop; none without a data plane. */
void node_find_requests(struct node *n, struct slice id,
    void (*done)(void *arg, struct slice lines), void *arg);

/* All resources in force, for `meshd get` at the agent. */
void node_each_resource(const struct node *n,
    void (*each)(void *arg, const struct resource *r), void *arg);

#endif
