/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — the control plane of a mesh: its configuration, kept and asked.
 *
 * Assembles the store and what lives on it. Everything runs on the loop that
 * it was opened with. What the API and the command line may do, they do
 * through these calls.
 */
#ifndef MESHD_SERVER_H
#define MESHD_SERVER_H

#include "base/base.h"
#include "ca/ca.h"
#include "gossip/gossip.h"
#include "loop/loop.h"
#include "model/model.h"
#include "net/net.h"

enum {
	SERVER_APPLY_MAX = 10000, /* documents of one apply */
	SERVER_ACTOR_MAX = 128,
	SERVER_CONTROL_PORT = 15012,
	SERVER_ADVERTISED_MAX = 8,
	SERVER_NOTE_MAX = 128 /* bytes of a token's note */
};

#define SERVER_TRUST_DOMAIN "mesh.internal"

struct server;

/* Texts outlive the server. */
struct server_spec {
	struct loop *loop;
	struct net_factory *factory; /* kept: where its sockets come from */
	const char *state_dir;
	const struct clock *clock; /* NULL is the machine's */
	const char *name;          /* a label; NULL: from the host's name */
	struct addr control;       /* ADDR_NONE: [::]:15012 */
	struct addr gossip;        /* ADDR_NONE: [::]:15946 */
	/* IPs or names that agents reach it at; none: the machine's IPs. */
	const char *const *advertised;
	size_t advertised_count;
	const char *config_dir;  /* a folder to follow; NULL: none */
	bool config_allow_inert; /* of its files also what is MSH0002 */
	bool config_force; /* although they bring errors beside the rest */
	/* Once: OK, and it serves; else it only can be closed. */
	void (*on_ready)(void *arg, enum err e, const struct fault *why);
	void *arg;
};

/* Never NULL. */
struct server *server_open(const struct server_spec *spec);

/* What was asked is answered first; then on_closed(arg). */
void server_close(struct server **sp, void (*on_closed)(void *arg), void *arg);

/*
 * The index-th address that agents are told, with this port, as a token and a
 * URL write it. ERR_NOT_FOUND behind the last.
 */
MUST_USE enum err server_reached_at(const struct server *s, size_t index,
    uint16_t port, char out[CA_TOKEN_SERVER_LEN]);

struct server_init_spec {
	const char *state_dir;    /* made with mode 0700 if it is not there */
	const char *trust_domain; /* NULL: SERVER_TRUST_DOMAIN */
	/* PEM files of a CA to use: the chain up to its root, and the key of
	 * the first. Both NULL: a new root. */
	const char *ca_cert;
	const char *ca_key;
	const struct clock *clock; /* NULL is the machine's */
};

/*
 * Makes the state directory of a new mesh: the key under which secrets are
 * sealed, and the store with root, voucher key, gossip key and mesh id, all of
 * them the folder's owner's. Blocks; before any loop runs, after tls_init().
 * ERR_EXISTS if there is one already; any other failure leaves nothing of it
 * behind.
 */
MUST_USE enum err server_init(
    const struct server_init_spec *spec, struct fault *why);

/* --- backup and restore --- */

typedef void (*server_backup_cb)(
    void *arg, enum err e, const struct fault *why, uint64_t revision);

/*
 * Everything that makes the mesh this one, while the server goes on, into a
 * file of mode 0600 on its machine. Secrets in it are sealed; the key is not
 * in it. Copies the path.
 */
void server_backup(
    struct server *s, const char *path, server_backup_cb cb, void *arg);

struct server_restore_spec {
	const char *state_dir; /* empty, or not there */
	const char *file;      /* the backup */
	const char *key_file;  /* seal.key as it was beside it */
};

struct server_restored {
	uint64_t revision;
	int64_t time_ms; /* of its last change; 0: none */
};

/*
 * Makes the state directory of the mesh in the backup; blocks, before any
 * loop runs. Refused in words, and then nothing is left of it: a folder that
 * is not empty, a backup that is damaged, of a newer meshd, or of another key.
 */
MUST_USE enum err server_restore(const struct server_restore_spec *spec,
    struct server_restored *out, struct fault *why);

/* --- configuration --- */

/* Who asks, for the log and for what is allowed. */
struct server_actor {
	char name[SERVER_ACTOR_MAX]; /* "uid 0", "editor token 1a2b…" */
	enum ca_role role;
	struct ca_grant grant; /* an editor's namespaces */
};

/* ERR_DENIED, in words, for less than this role. */
MUST_USE enum err server_may(
    const struct server_actor *a, enum ca_role needed, struct fault *why);

/* ERR_DENIED, in words, for who may not write this resource. */
MUST_USE enum err server_may_write(const struct server_actor *a,
    const struct resource_key *key, struct fault *why);

/*
 * Whose token this is, as it came over HTTP. `out` is set if the decision is
 * CA_OK; it is good for one request, because a token may be taken back.
 */
void server_operator(struct server *s, struct slice token,
    struct server_actor *out, struct ca_decision *decision);

/*
 * Shown by the API's port: the key is its own and the same over restarts and
 * renewals. Borrowed until the next turn; NULL before on_ready.
 */
struct tls_identity *server_api_identity(const struct server *s);

/*
 * What a change would do to calls, from the place of each service that members
 * offer, of programs that offer nothing in the namespaces that agents tell, and
 * of gateways.
 */
struct server_blast {
	/* A list of {caller, to, text}: "web.default", "reviews.default:80",
	 * "10 % now go to v2". */
	const struct value *list;
	size_t places;   /* that were looked at */
	size_t left_out; /* too many */
};

struct server_apply_result {
	enum err err;            /* OK: all of it is in force and on disk */
	const struct fault *why; /* one sentence, if err is not OK */
	const struct findings *found; /* mistakes and warnings in documents */
	struct server_change {
		struct resource_key key;
		const char *outcome; /* "created", "updated", "unchanged" … */
		/* If it was only tried: what of it, and why it would be
		 * refused. */
		struct diff diff;
		const char *conflict; /* NULL: it would not */
	} const *changes;
	size_t count;
	uint64_t revision;
	const struct analysis_result *analysis; /* what the change brings */
	const struct server_blast *blast;       /* NULL: nobody asked for it */
};

typedef void (*server_apply_cb)(void *arg, const struct server_apply_result *r);

enum server_intent {
	SERVER_CHANGE, /* it */
	SERVER_TRY,    /* only say what would change */
	SERVER_BLAST   /* and what that would do to whose calls, later */
};

struct server_apply_spec {
	const struct value *const *docs;
	size_t count;
	struct slice ns; /* where a document names none; "default" if empty */
	enum server_intent intent;
	const struct server_actor *actor; /* may be NULL, but to change it */
	struct slice request_id;          /* of the caller, or empty */
	bool allow_inert; /* also what lets more through: MSH0002 */
	bool force;       /* although it brings errors beside the rest */
	/*
	 * Deletes, of the kinds of the documents, what has all these labels,
	 * is not among the documents, and may be written by the actor. NULL:
	 * nothing; empty: ERR_INVALID.
	 */
	const struct labels *prune;
};

/*
 * All documents or none. Checks them again, whatever the client did, and that
 * the actor may write each. Those with MSH0002 are ERR_UNSUPPORTED, a change
 * that brings errors beside the rest is ERR_INVALID. A document with
 * metadata.resourceVersion is applied only onto that revision. For SERVER_BLAST
 * it is ERR_BUSY while too many are looking, ERR_LIMIT for too much to tell.
 * The call-back comes once, maybe before this returns.
 */
void server_apply(struct server *s, const struct server_apply_spec *spec,
    server_apply_cb cb, void *arg);

struct server_delete_spec {
	const struct resource_key *keys;
	size_t count;
	enum server_intent intent;
	const struct server_actor *actor;
};

/* All or none; ERR_NOT_FOUND names what is not there. */
void server_delete(struct server *s, const struct server_delete_spec *spec,
    server_apply_cb cb, void *arg);

/* Empty slices match everything. */
struct server_filter {
	struct slice kind; /* kind, plural or alias */
	struct slice ns;
	struct slice name;
	struct slice after; /* only what comes behind server_resource_place() */
};

enum { SERVER_PLACE_MAX = 2 * RESOURCE_KEY_MAX };

/* Where a resource stands among all, as text; returns what is in `out`. */
struct slice server_resource_place(
    const struct resource *r, char out[SERVER_PLACE_MAX]);

/*
 * Calls each with what matches, by kind, namespace, name; false stops.
 * ERR_INVALID, in words, for a kind that there is none of.
 */
MUST_USE enum err server_each_resource(struct server *s,
    const struct server_filter *filter,
    bool (*each)(void *arg, const struct resource *r), void *arg,
    struct fault *why);

/*
 * All configuration and what members offer, as the proxy at this place sees
 * it, but without anything of a machine's own; for explain and lists. With a
 * documents on top, which replace what has their keys.
 */
MUST_USE enum err server_view(const struct server *s,
    const struct explain_place *place, const struct explain_documents *with,
    struct view **out, struct fault *why);

/* The view of a machine, and what of it this server cannot know. */
struct server_machine {
	struct view *view; /* the caller's */
	const struct slice *unknown;
	size_t unknown_count;
};

/*
 * The same view that the machine makes itself, with what it offers, who calls
 * there, and what it was sent: by its record, and by what it tells on its
 * stream. What is not known is said in sentences, in the arena. ERR_NOT_FOUND
 * in words for one that has not joined.
 */
MUST_USE enum err server_machine_view(const struct server *s, struct slice node,
    struct arena *arena, struct server_machine *out, struct fault *why);

/*
 * As model_explain_access(), by the stored configuration: the workload is what
 * the Service of its name says, or else the records of those who serve it.
 */
MUST_USE enum err server_explain_access(const struct server *s,
    const struct explain_access *ask, struct arena *arena, struct value **out,
    struct fault *why);

/* --- analysis --- */

struct server_analyze_spec {
	const struct value *const *docs; /* on top of what is stored; copied */
	size_t count;
	struct slice ns; /* where a document names none; "default" if empty */
};

/* `r` is borrowed; NULL unless OK. */
typedef void (*server_analysis_cb)(void *arg, enum err e,
    const struct fault *why, const struct analysis_result *r);

/*
 * Looks at all that is stored, what lives, and the certificates, on another
 * thread. ERR_BUSY while too many are looking, ERR_LIMIT for too much.
 */
void server_analyze(struct server *s, const struct server_analyze_spec *spec,
    server_analysis_cb cb, void *arg);

/* --- the past --- */

struct server_past {
	enum err err;
	const struct fault *why;
	struct server_past_row {
		uint64_t revision;
		int64_t time_ms;
		struct slice actor;
		struct slice what; /* "created Service default/a; …" */
		/* Of one resource: against the version before it. */
		struct diff diff;
	} const *rows; /* newest first */
	size_t count;
};

typedef void (*server_past_cb)(void *arg, const struct server_past *past);

/* The last `limit` changes of anything. */
void server_log(struct server *s, size_t limit, server_past_cb cb, void *arg);

/* The last `limit` versions of one resource; copies the key. ERR_NOT_FOUND. */
void server_history(struct server *s, const struct resource_key *key,
    size_t limit, server_past_cb cb, void *arg);

struct server_rollback_spec {
	uint64_t revision; /* configuration is to be as it was then */
	const struct resource_key *key; /* only of this; NULL: all of it */
	const struct server_actor *actor;
	enum server_intent intent;
	bool allow_inert; /* as of an apply */
	bool force;       /* as of an apply */
};

/*
 * One mutation that brings back what was, judged as an apply is. Copies the
 * spec. ERR_NOT_FOUND if the log no longer reaches so far, or if the one
 * resource was not there; ERR_CONFLICT if something changed meanwhile.
 */
void server_rollback(struct server *s, const struct server_rollback_spec *spec,
    server_apply_cb cb, void *arg);

struct server_status {
	uint64_t revision;
	size_t resources;
	uint64_t uptime_us;
	size_t quarantined; /* stored, but no longer understood */
	/* Stored, but not in force; and of that, what lets more through. */
	struct server_inert_count {
		size_t resources;
		size_t fields;
	} inert, guards;
	struct slice name;
	struct slice trust_domain; /* empty before it is ready */
	struct addr control;       /* that it listens on */
	uint16_t gossip_port;
	size_t nodes;         /* that have joined */
	size_t agents;        /* that are connected */
	struct slice trouble; /* why it could not write; or empty */
};

void server_status(const struct server *s, struct server_status *out);

/* The folder of configuration that the server follows. */
struct server_folder {
	struct slice path;
	enum server_folder_state {
		SERVER_FOLDER_READING, /* for the first time */
		SERVER_FOLDER_IN_FORCE,
		SERVER_FOLDER_REFUSED /* what it brought before stays */
	} state;
	/* Of what is in force of it. */
	uint64_t revision;
	int64_t since_ms;
	size_t resources;
	/* If it is refused: in words, and each mistake with its place. */
	struct slice why;
	const struct faults *errors;
};

/* False if it follows none. Borrowed until the next turn. */
bool server_folder(const struct server *s, struct server_folder *out);

/* A field of a stored resource that is not in force. */
struct server_inert {
	struct slice resource; /* "PeerAuthentication/default/strict" */
	bool guards;           /* MSH0002, else MSH0001 */
	struct slice field;
	struct slice text;
};

/* What lets more through first, by kind, namespace, name; false stops. */
void server_each_inert(const struct server *s,
    bool (*each)(void *arg, const struct server_inert *row), void *arg);

/* --- tokens, nodes, certificates; from on_ready on ------------------------ */

typedef void (*server_done_cb)(void *arg, enum err e, const struct fault *why);

/* `text` is the token: shown once, wiped after the call. */
typedef void (*server_token_cb)(void *arg, enum err e, const struct fault *why,
    struct slice id, struct slice text);

struct server_token_spec {
	const struct ca_bounds *bounds; /* ca_bounds_default() */
	struct slice note;
	uint16_t api_port; /* for an operator's; 0: it is not open */
	const struct server_actor *actor;
};

/*
 * A token for these bounds. ERR_INVALID in words. The server keeps what it
 * needs to check the token or a proof of it, not the token.
 */
void server_token_create(struct server *s, const struct server_token_spec *spec,
    server_token_cb cb, void *arg);

/* ERR_NOT_FOUND. What joined by it stays. */
void server_token_revoke(struct server *s, struct slice id,
    const struct server_actor *actor, server_done_cb cb, void *arg);

/* Rows of the iterations are borrowed for the call. */
struct server_token {
	struct slice id;
	struct slice note;
	const struct ca_bounds *bounds;
	int64_t created_ms;
	int64_t expires_ms;
	size_t uses;
	bool expired;
	bool revoked;
};

/* The newest first. */
void server_each_token(const struct server *s,
    void (*each)(void *arg, const struct server_token *t), void *arg);

/* A machine that has joined. */
struct server_node {
	struct slice name;
	struct slice id; /* gossip's, in hex */
	struct slice network;
	struct slice token_id; /* that let it in */
	const struct ca_grant *grant;
	int64_t joined_ms;
	int64_t not_after_ms; /* of its last certificate */
	bool revoked;
	bool connected; /* its control stream is here */
};

/* By name. */
void server_each_node(const struct server *s,
    void (*each)(void *arg, const struct server_node *n), void *arg);

/*
 * Its certificates and streams are refused from now on; its name is free for
 * another key. ERR_NOT_FOUND.
 */
void server_node_revoke(struct server *s, struct slice name,
    struct slice reason, const struct server_actor *actor, server_done_cb cb,
    void *arg);

/* What signs, for `ca show`. */
struct server_ca {
	struct slice trust_domain;
	struct tls_chain *root; /* borrowed */
	struct tls_pin root_pin;
	struct tls_pin api_pin; /* of the key at the API's port */
	int64_t root_not_after_ms;
	int64_t signer_not_after_ms; /* this server's intermediate */
	int64_t server_not_after_ms; /* its own certificate */
	uint8_t voucher_key[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t mesh_id[GOSSIP_MESH_LEN];
};

void server_ca(const struct server *s, struct server_ca *out);

/* --- agents on the control stream ----------------------------------------- */

struct server_agent {
	struct slice node;
	struct addr addr;
	uint64_t connected_us; /* ago */
	uint64_t revision;     /* all of it is in force there, or refused */
	size_t refused;
	/* From the commit to its word that a change is in force; of the last
	 * changes, but for their number since it is connected. */
	size_t changes;
	uint64_t last_us;
	uint64_t p50_us;
	uint64_t p99_us;
	size_t behind;      /* resources that it has not answered yet */
	uint64_t behind_us; /* the oldest change of them was committed so long
			     * ago; 0: none is because of a change */
};

void server_each_agent(const struct server *s,
    void (*each)(void *arg, const struct server_agent *a), void *arg);

/* A resource that one agent cannot use, and why. */
struct server_refusal {
	struct slice node;
	struct slice resource; /* "networking.istio.io/VirtualService/…" */
	struct slice version;
	struct slice reason;
};

/* `node` empty: of all agents. */
void server_each_refusal(const struct server *s, struct slice node,
    void (*each)(void *arg, const struct server_refusal *r), void *arg);

/* --- what gossip knows ---------------------------------------------------- */

struct server_member {
	const struct gossip_member *member;
	uint32_t roles; /* enum gossip_role; 0 while its record is not here */
	struct slice locality;
	size_t services;
};

void server_each_member(const struct server *s,
    void (*each)(void *arg, const struct server_member *m), void *arg);

#endif
