/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — the node's own struct and what its parts ask of each other.
 *
 * Each part owns its struct; what they share is here. All on the control loop.
 */
#ifndef MESHD_NODE_INSIDE_H
#define MESHD_NODE_INSIDE_H

#include "http/http.h"
#include "xds/xds.h"

#include "link.h"
#include "node.h"
#include "state.h"
#include "wire.h"

enum { NODE_MAGIC = 0x6e6f6465, NODE_LABEL_MAX = NAME_LABEL_MAX + 1 };

struct node {
	uint32_t magic;
	struct sm sm; /* enum node_state */
	struct loop *loop;
	struct net_factory *factory;
	void (*on_ready)(void *arg, enum err e, const struct fault *why);
	void *arg;
	uint64_t began_us;
	bool told; /* on_ready was called for this start or join */
	bool expiry_told;
	struct loop_later start;
	struct ca_token token; /* to join by, at the start */
	bool has_token;

	/* as asked */
	char want_name[NODE_LABEL_MAX];
	char want_network[NODE_LABEL_MAX];
	char ns[NODE_LABEL_MAX];
	char account[NODE_LABEL_MAX];
	enum view_proxy proxy;
	struct labels labels; /* in `texts` */
	struct arena texts;
	struct addr addrs[NODE_ADDRS_MAX]; /* without ports */
	size_t addr_count;
	bool addrs_asked;   /* else they follow the machine's interfaces */
	bool addr_was_here; /* the first of them, of those asked for */
	struct fault addr_trouble; /* empty: none */
	struct fault refusal;      /* why it waits for another token */
	struct timer addrs_timer;
	struct addr hbone;
	struct addr gossip;
	unsigned worker_count;
	struct telemetry_config log;
	uint16_t tunnel_port; /* of the HBONE listener, once it is open */

	struct state state;
	struct membership member;
	bool is_member;
	struct tls_trust *trust;
	struct tls_config *client_tls;
	struct jobs *jobs;

	struct join *join;             /* while it joins or re-enrols */
	struct identities *identities; /* from node_open() on */
	struct exposed *exposed;       /* the same */
	struct place *place;           /* the same */
	struct settled *settled;       /* the same */
	struct groups *groups;         /* the same */
	struct upstreams *upstreams;   /* the same */
	struct captured *captured;     /* the same */
	struct units *units;           /* the same */
	bool exec_checks;
	struct plane *plane; /* these four while it is a member */
	struct publisher *publisher;
	struct peers *peers;
	struct uplink *uplink;
	struct gossip_revoked *revoked; /* from the first run on */
	struct loop_later revoked_news;
	struct interests *interests; /* lives with it */
	struct health *health;       /* while it is a member */
	struct facts *facts;         /* the same */
	struct dns *dns; /* while it is a member; NULL: none is wanted */
	struct resolver_spec dns_spec; /* as asked */
	struct addr dns_listen[RESOLVER_ADDRS_MAX];
	struct addr dns_upstreams[RESOLVER_ADDRS_MAX];
	enum wiring_kind wiring;
	unsigned wiring_open; /* changes under way */
	bool wiring_ends;     /* then what is changed is taken back */
	char wiring_link[WIRING_NAME_MAX]; /* empty: the usual one */

	/* the end */
	struct loop_later end;
	unsigned closing; /* parts that have not said that they are gone */
	bool stopped;     /* all parts are gone */
	void (*on_closed)(void *arg);
	void *closed_arg;
	void (*on_left)(void *arg);
	void *left_arg;
};

int64_t node_wall_ms(const struct node *n);

/* The file of the membership again, after part of it changed; logs. */
void node_save_member(struct node *n);

/* A new bundle: trust for all connections to come. Takes what is in `b`. */
void node_set_bundle(struct node *n, struct wire_bundle *b);

/* What changes who we are or what we offer: credentials, offers, view. */
void node_identities_changed(struct node *n);
/* Whom peers may be, and whose services are called, is another now. */
void node_revocations_changed(struct node *n);

/* Join or re-enrol said yes: `m` and `chain` are taken over. */
void node_granted(
    struct node *n, struct membership *m, struct tls_chain *chain);
/* It said no for good; `e` is not OK. */
void node_refused(struct node *n, enum err e, const struct fault *why);
/* The node's certificate has expired: only its known key helps now. */
void node_reenrol(struct node *n);

/* A view is in force on every worker. */
void node_published(struct node *n);

/* One part that node_close() or node_leave() waits for is gone. */
void node_part_closed(struct node *n);

/* --- join.c --------------------------------------------------------------- */

/* Copies the token; NULL: by the known key. Ends in node_granted/_refused. */
void join_begin(struct node *n, const struct ca_token *token);
void join_cancel(struct node *n);
struct slice join_trouble(const struct node *n); /* why it takes so long */
void join_retry(struct node *n);                 /* now, if it waits */

/* --- identity.c ----------------------------------------------------------- */

void identities_open(struct node *n);
void identities_close(struct node *n);

/* This machine needs that identity from now on. */
void identities_want(struct node *n, struct slice ns, struct slice account);
bool identities_have(
    const struct node *n, struct slice ns, struct slice account);
/* The server will not have it so. */
bool identities_are_refused(
    const struct node *n, struct slice ns, struct slice account);
/* Why it is not here, in words. */
struct slice identities_problem(
    const struct node *n, struct slice ns, struct slice account);

/* Borrowed; NULL before it has joined. */
struct tls_identity *identities_node(const struct node *n);
MUST_USE enum err identities_set_node(
    struct node *n, struct tls_chain *chain, struct fault *why);
bool identities_node_expired(const struct node *n);

/* A session to a server is there: what is due is asked for. */
void identities_on_session(struct node *n);
/* What was refused is asked for again. */
void identities_retry(struct node *n);

/* A new reference. */
struct proxy_credentials *identities_credentials(const struct node *n);

/* --- uplink.c ------------------------------------------------------------- */

/* Reads the snapshot; connects with uplink_start(). */
void uplink_open(struct node *n);
void uplink_start(struct node *n);
/* Enrolling again was refused: later, and later again. */
void uplink_refused(struct node *n, const struct fault *why);
/* What waits for its time is tried now. */
void uplink_retry(struct node *n);
/* Then node_part_closed(). */
void uplink_close(struct node *n);
void uplink_free(struct node *n);

/* The HTTP/2 session to a server, or NULL. Borrowed for the turn. */
struct http2 *uplink_session(const struct node *n);
struct slice uplink_server(const struct node *n);

typedef void (*uplink_tell_cb)(struct node *n, struct slice name, bool more);
/* A host is asked of the servers, or no more. */
void uplink_want(struct node *n, struct slice host, bool more);
/* The servers are told a fact of this machine, or no more. */
void uplink_tell(struct node *n, struct slice fact, bool more);
/* All that is about it is in force. */
bool uplink_has_host(const struct node *n, struct slice host);

/* An update was settled: the snapshot is due. */
void uplink_settled(struct node *n);

/* Those that the stream has; each is good, or it was refused. */
void uplink_each_revocation(const struct node *n,
    void (*each)(void *arg, const struct xds_resource *r), void *arg);
void uplink_fill_status(const struct node *n, struct node_status *out);
void uplink_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- interest.c ----------------------------------------------------------- */

struct discovery_scope;
struct discovery_machine;

/* With the uplink, before it asks for anything else. */
void interests_open(struct node *n);
void interests_close(struct node *n);
/* Tells the names that are new, and those that are no more; how many. */
size_t tell_changes(struct node *n, const struct map *before,
    const struct map *now, uplink_tell_cb tell);
/* Upstreams or what is exposed may have changed. */
void interests_refresh(struct node *n);
/* HOST_ALL is among them; and all that there is is in force. */
bool interests_have_all(const struct node *n);
bool interests_know_all(const struct node *n);
/* The stream brought hosts. */
void interests_arrived(struct node *n);
/* What is wanted now, in the arena. ERR_NO_MEMORY. */
MUST_USE enum err interests_scope(
    const struct node *n, struct arena *arena, struct discovery_scope *out);
/* A view with the scope of that version is in force. */
void interests_in_force(struct node *n, uint64_t version);

/* --- facts.c -------------------------------------------------------------- */

void facts_open(struct node *n);
void facts_close(struct node *n);
/* Upstreams or what is announced may have changed. */
void facts_refresh(struct node *n);

/* --- addresses.c ---------------------------------------------------------- */

/* None asked for: the machine's own. */
void addresses_take(struct node *n, const struct addr *asked, size_t count);
/* Follows what becomes of them, while it is a member. */
void addresses_open(struct node *n);
void addresses_close(struct node *n);
void addresses_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- catalog.c ------------------------------------------------------------ */

/* Reads catalog and peers, opens gossip. Goes on without it, in words. */
void peers_open(struct node *n);

/* Good-bye to all, then done: node_part_closed(). */
void peers_close(struct node *n);
void peers_free(struct node *n);

struct gossip *peers_gossip(const struct node *n); /* NULL: not running */
const struct discovery_catalog *peers_catalog(const struct node *n);
uint32_t peers_issued_s(const struct node *n);
void peers_self(const struct node *n, struct gossip_id *out);

/* Says what we offer, again if it changed. */
void peers_offer(struct node *n);
/* The machine's addresses are others. */
void peers_moved(struct node *n);
void peers_set_voucher(struct node *n);
void peers_set_keyring(struct node *n);
void peers_set_trust(struct node *n);
void peers_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- revoked.c ------------------------------------------------------------ */

/* Reads what was known of them; before gossip is opened. */
void revoked_open(struct node *n);
void revoked_close(struct node *n);

/* One of the stream: what it says of a node is told on by gossip. */
MUST_USE enum err revoked_take(
    struct node *n, struct slice body, struct fault *why);
/* One that is new is in the set. */
void revoked_news(struct node *n, struct slice node);
/* It is about this very machine. */
bool revoked_self(const struct node *n);

/* Of stream and gossip, all in force; they lie in the arena. */
const struct ca_revocation *revoked_all(
    const struct node *n, struct arena *arena, size_t *out_count);

/* --- exposed.c ------------------------------------------------------------ */

void exposed_open(struct node *n);
void exposed_close(struct node *n);

/* Those that may be announced: all text is borrowed until the next change. */
struct discovery_local;
size_t exposed_locals(const struct node *n, struct arena *arena,
    const struct discovery_local **out);

/*
 * Those that are: nobody is told of one before it is in force here, since who
 * hears of it may call at once.
 */
size_t exposed_offers(const struct node *n, struct arena *arena,
    const struct discovery_local **out);

/* The view of this generation has all that may be announced by now. */
void exposed_compiled(struct node *n, uint64_t generation);

/* Identities that it needs, into `out`; returns how many. */
size_t exposed_wanted(const struct node *n, struct ca_wanted *out, size_t max);
size_t exposed_count(const struct node *n);

/* Another one where services, or their checks, are. */
uint64_t exposed_version(const struct node *n);

/* One of them, of exposed_count(). */
struct exposed_check {
	const struct node_expose *what;
	const struct resource *own; /* its own check, or NULL */
	bool serves;                /* callers know of it */
};
struct exposed_check exposed_check(const struct node *n, size_t index);
void exposed_forget(struct node *n);

/*
 * Of those by `by`, these and no others from now on; `refused` for each that
 * cannot be. True if anything is another; who asks for a view does it after.
 */
typedef void (*exposed_refused_cb)(
    void *arg, const struct node_expose *e, const struct fault *why);
bool exposed_set(struct node *n, enum node_exposer by,
    const struct node_expose *list, size_t count, exposed_refused_cb refused,
    void *arg);
/* Services and groups as they are, onto the disk. */
MUST_USE enum err exposed_save(const struct node *n, struct fault *why);
/* Says of that failure what is in force all the same. */
enum err exposed_not_kept(enum err err, struct fault *why);

/* --- place.c ----------------------------------------------------------- */

/* After groups. */
void place_open(struct node *n, const struct node_place *p);
void place_close(struct node *n);
struct slice place_of(const struct node *n);
void place_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- settled.c ------------------------------------------------------------ */

void settled_open(struct node *n);
void settled_close(struct node *n);
void settled_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- groups.c ------------------------------------------------------------- */

void groups_open(struct node *n);
void groups_close(struct node *n);
void groups_forget(struct node *n);

/* As the file has them; a list, in the arena. */
void groups_load(struct node *n, const struct value *list);
struct value *groups_encode(const struct node *n, struct arena *arena);

/* WorkloadGroups may be others: what they make this machine offer, is. */
void groups_refresh(struct node *n);
/* Hosts that lead to them. */
void groups_each_host(const struct node *n,
    void (*each)(void *arg, struct slice host), void *arg);
/* Where the first of them that says it puts this machine; or empty. */
struct slice groups_locality(const struct node *n);
/* Those that nothing is offered for yet. */
void groups_each_waiting(const struct node *n,
    void (*each)(void *arg, const struct node_exposed *e), void *arg);
void groups_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);
/* One as its file and the API have it; borrows. What it lacks is empty. */
void exposed_decode(const struct value *v,
    struct label labels[GOSSIP_LABELS_MAX], struct node_expose *out);
/* As node_expose() would refuse it, by itself. */
MUST_USE enum err exposed_check_all(
    const struct node *n, const struct node_expose *e, struct fault *why);

/* Whether this machine may be that account; ERR_DENIED, or what is wrong with
 * its name, in words. */
MUST_USE enum err node_may_be(const struct node *n, struct slice ns,
    struct slice account, struct fault *why);
/* The passing one of that name is offered no more, if it is there. */
void exposed_end(
    struct node *n, struct slice name, struct slice ns, uint16_t port);

/* --- capture.c ------------------------------------------------------------ */

/* Takes the descriptor, if it is one. */
void captured_open(struct node *n, const struct capture_ends *helper);
void captured_close(struct node *n);
/*
 * A view is in force: what was kept of a capture is, again. True once it is so
 * or was refused; node_published() is called then, if it is not so at once.
 */
MUST_USE bool captured_restore(struct node *n);
/* Nothing is captured any more, unless it is to stay so without us. */
void captured_stop(struct node *n);
/* Programs here call by addresses. */
bool captured_wants_all(const struct node *n);
/* Who asks for names here has calls to automatic addresses captured. */
bool captured_tells_automatic(const struct node *n);
void captured_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- unit.c --------------------------------------------------------------- */

void units_open(struct node *n);
/* Some are to be captured whenever they are active. */
bool units_any(const struct node *n);
void units_close(struct node *n);
/* None is captured any more; all stay known. */
void units_stop(struct node *n);

/* --- health.c ------------------------------------------------------------- */

void health_open(struct node *n);
void health_close(struct node *n);

/* The checks of services, if those or policies are others. */
void health_refresh(struct node *n);

/* Why nobody may call it, in words, in the arena; empty: it may be called. */
struct slice health_why_not(
    const struct node *n, const struct node_expose *e, struct arena *arena);

/* What is known of its health. */
void health_fill(const struct node *n, struct node_exposed *row);

void health_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* Which of both is the check of the service: `best`, which may be NULL, or one
 * more resource of any kind. What lies in the namespace `root` and names no
 * service is for all namespaces. */
const struct resource *health_better(const struct resource *best,
    const struct resource *r, const struct node_expose *e, struct slice root);

/* Of e->check; in words. A new reference. */
MUST_USE enum err health_read_check(
    const struct node_expose *e, struct resource **out, struct fault *why);

/* ERR_DENIED: it runs a command, and this machine allows none. */
MUST_USE enum err health_may_check(
    const struct node *n, const struct value *check, struct fault *why);

/* --- upstreams.c ---------------------------------------------------------- */

void upstreams_open(struct node *n);
void upstreams_close(struct node *n);
size_t upstreams_count(const struct node *n);

/* In the arena; NULL: it is full. */
const struct view_upstream_input *upstreams_inputs(
    const struct node *n, struct arena *arena);
void upstreams_want_identities(struct node *n);

/* --- plane.c: workers, proxy, telemetry ----------------------------------- */

void plane_open(struct node *n);
struct proxy *plane_proxy(const struct node *n);
void plane_set_credentials(struct node *n);
/* How it stands with an address to listen at. The worst is the last. */
enum door_state {
	DOOR_OPEN,
	DOOR_AWAITED, /* neither open nor refused yet */
	DOOR_REFUSED, /* it is tried again */
	DOOR_NONE     /* nobody wants it */
};

/* Of all workers, at this name and address. */
enum door_state plane_door(
    const struct node *n, struct slice name, const struct addr *addr);
void plane_set_log_success(struct node *n, bool on);
/* n->log.lines, else as this view has it; NULL: as the last had it. */
void plane_choose_lines(struct node *n, const struct view *v);
/* Listeners whose ports are taken. */
void plane_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);
/* Then node_part_closed(). */
void plane_close(struct node *n, uint64_t drain_us);
void plane_free(struct node *n);

/* --- dns.c ---------------------------------------------------------------- */

/* Copies what was asked for. */
void dns_keep(struct node *n, const struct resolver_spec *spec,
    const struct wiring_spec *wiring);
void dns_open(struct node *n);
enum door_state dns_door(const struct node *n, const struct addr *a);
/* Programs are sent away again; then node_part_closed(). */
void dns_unwire(struct node *n);
void dns_close(struct node *n);
/* A view is in force on every worker. */
void dns_publish(struct node *n, const struct view *v);
/* Questions that rules lead to port CAPTURE_DNS_PORT are answered. */
bool dns_takes_questions(const struct node *n);
void dns_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

/* --- publish.c ------------------------------------------------------------ */

void publisher_open(struct node *n);
void publisher_close(struct node *n);

/* Something changed: a view soon. */
void publisher_touch(struct node *n);

/* Names that could not be resolved are asked for now. */
void publisher_retry(struct node *n);

/* The same; `u` is settled when that view is in force. Takes it. */
void publisher_update(struct node *n, struct xds_update *u);

/* A resource that the snapshot brought. */
void publisher_restore(struct node *n, const struct xds_resource *r);

const struct view *publisher_view(const struct node *n);
/* What its view is made of; in the arena, or the node's. ERR_NO_MEMORY. */
MUST_USE enum err node_machine(
    const struct node *n, struct arena *arena, struct discovery_machine *out);
/* As node_survey(). */
MUST_USE enum err publisher_survey(
    const struct node *n, struct view **out, struct fault *why);
uint64_t publisher_generation(const struct node *n);
/* Another one where HealthCheckPolicies, or WorkloadGroups, are. */
uint64_t publisher_policies(const struct node *n);
uint64_t publisher_groups(const struct node *n);
size_t publisher_resources(const struct node *n);
void publisher_each_resource(const struct node *n,
    void (*each)(void *arg, const struct resource *r), void *arg);
void publisher_each_problem(const struct node *n,
    void (*each)(void *arg, const struct node_problem *p), void *arg);

#endif
