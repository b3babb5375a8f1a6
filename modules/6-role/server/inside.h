/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — the server's own struct and how its parts call each other.
 */
#ifndef MESHD_SERVER_INSIDE_H
#define MESHD_SERVER_INSIDE_H

#include "http/http.h"
#include "xds/xds.h"

#include "cache.h"
#include "follow.h"
#include "interest.h"
#include "mesh.h"
#include "own.h"
#include "owned.h"
#include "paths.h"
#include "propagation.h"
#include "registry.h"
#include "server.h"
#include "turns.h"

enum { SERVER_MAGIC = 0x73657276 };

/* What is open and will say when it is closed. */
enum server_part {
	PART_STORE = 1 << 0,
	PART_CONTROL = 1 << 1,
	PART_GOSSIP = 1 << 2,
	PART_ANALYSIS = 1 << 3, /* one is running */
	PART_FOLLOW = 1 << 4
};

struct server {
	uint32_t magic;
	struct server_spec spec;
	struct store *store; /* NULL if it could not even begin */
	struct store_watch *watch;
	struct cache cache;
	struct owned owned;
	struct follow *follow; /* NULL: no folder is followed */
	struct mesh mesh;
	struct registry registry;
	struct own own;
	/* 15012: control.c */
	struct net_listener *listener;
	struct http_server *http;
	struct tls_config *tls;
	struct turns shaking; /* connections before their first request */
	struct timer shaking_timer;
	/* The stream: agents.c, feed.c */
	struct xds_source *source;
	struct interest_index interests;
	struct analysis_index *near; /* the same resources, by their ties */
	struct map asked; /* host → struct asking: how many agents ask */
	struct list agents;
	struct turns firsts; /* who gets all that concerns it */
	struct timer firsts_timer;
	size_t sent_first; /* resources, since nobody had a turn */
	struct commits commits;
	struct metric_series *propagated; /* the histogram */
	struct timer forget;              /* bodies that were made to be sent */
	/* analyze.c */
	struct jobs *jobs; /* NULL before the first */
	size_t analyses;   /* that run */
	struct loop_later flush;
	/* members.c */
	struct gossip *gossip;
	struct gossip_revoked *revoked;
	bool gossip_ready;
	struct timer save;
	struct timer upkeep;
	struct timer tidy; /* gives memory back after a time of much */
	uint64_t upkeeps;
	struct loop_later later;
	struct fault start_fault;
	struct fault row_fault; /* of a row that the start cannot do without */
	uint64_t began_us;
	bool started; /* the parts after the store were begun */
	bool told;    /* on_ready was called */
	bool closing;
	uint32_t parts; /* enum server_part */
	void (*on_closed)(void *arg);
	void *closed_arg;
};

static inline struct server *
server_of(void *arg)
{
	struct server *s;

	OBJ(s, arg, SERVER_MAGIC);
	return s;
}

static inline int64_t
server_now_ms(const struct server *s)
{
	return clock_wall_ms(s->spec.clock);
}

/* --- server.c --- */

/* The start failed: says so, once. */
void server_fail(struct server *s, enum err e, const struct fault *why);
/* The start went well: says so, once. */
void server_is_up(struct server *s);
/* So many resources came or went at once: memory may be given back. */
void server_had_many(struct server *s, size_t count);
/* A part has closed; the last one ends the server. */
void server_part_gone(struct server *s, enum server_part part);

/* --- control.c: the listener of agents --- */

/* Goes on with members_open() when it listens. */
void control_open(struct server *s);
void control_close(struct server *s);
uint16_t control_port(const struct server *s);

/*
 * Who is at the other end: a node that joined with this key and was not
 * revoked. NULL, and a verdict with words: tell it.
 */
const struct registry_node *control_peer(const struct server *s,
    const struct stream *stream, struct ca_decision *out);

/* Answers. Bodies are trees in the exchange's arena; NULL is a 500. */
void control_answer(struct http_exchange *x, const struct value *v);
void control_refuse(struct http_exchange *x, unsigned status, const char *code,
    struct slice message, const char *hint);
void control_refuse_verdict(
    struct http_exchange *x, const struct ca_decision *d);
/* When the store could not: 503, 507 for a full disk. */
void control_refuse_store(
    struct http_exchange *x, enum err e, const struct fault *why);

/* --- analyze.c --- */

/*
 * What it would bring to put `now` in the place of what has the key of the
 * change, or nothing where it is NULL; as analysis_run() tells it. Bounded,
 * whatever the store holds.
 */
void analyze_change(struct server *s, const struct server_change *changes,
    struct resource *const *now, size_t count, struct analysis_result *out);
/*
 * `job` on the thread of analyses, then `then` here, which ends with
 * analyze_done(). ERR_BUSY while too many run.
 */
MUST_USE enum err analyze_submit(struct server *s, void (*job)(void *arg),
    void (*then)(void *arg), void *arg, struct fault *why);
void analyze_done(struct server *s);
/* When nothing runs any more. */
void analyze_close(struct server *s);

/* --- join.c, certify.c: handlers --- */

void join_handle(struct server *s, struct http_exchange *x);
void reenrol_handle(struct server *s, struct http_exchange *x);
void certify_handle(struct server *s, struct http_exchange *x);

/* --- token_row.c --- */

enum { TOKEN_SEALED_NAME_MAX = sizeof("token/") + CA_TOKEN_ID_TEXT };

/* What its key is sealed under. */
struct slice token_sealed_name(const char *id, char out[TOKEN_SEALED_NAME_MAX]);

/* False if there is no such token, or nobody can read its key. Wipe it. */
bool token_row(
    const struct server *s, struct slice id, struct ca_token_row *out);

/* --- issue.c: what comes of a yes --- */

/* A certificate and what the store must know of it. */
struct issued {
	struct tls_chain *chain;
	struct tls_cert_info info;
	char serial[2 * TLS_SERIAL_LEN + 1];
};

void issued_fini(struct issued *i);
/* For a workload of the node; its own if there is no `workload`. */
MUST_USE enum err issue_leaf(const struct server *s, struct slice node,
    const struct identity *workload, const struct tls_csr *csr,
    struct issued *out, struct fault *why);
/* Text is borrowed from both. */
void issue_cert_op(
    const struct issued *i, struct slice node, struct store_op *out);
/* The node has a new certificate: its serials and their end. */
void issue_note(struct registry_node *n, const struct issued *i);
MUST_USE enum err issue_voucher(const struct server *s,
    const struct registry_node *n, uint8_t out[GOSSIP_VOUCHER_MAX],
    size_t *out_len, struct fault *why);

/* "certificate_pem" into an answer. */
void issue_put_pem(
    struct arena *a, struct value **map, const struct tls_chain *chain);

/* --- feed.c: what streams carry --- */

#define SERVER_TYPE_RESOURCE "type.googleapis.com/meshd.v1.Resource"
#define SERVER_TYPE_HOST "type.googleapis.com/meshd.v1.Host"
/* Names that agents tell of themselves by; there are no such resources. */
#define SERVER_TYPE_MACHINE "type.googleapis.com/meshd.v1.Machine"
#define SERVER_TYPE_BUNDLE "type.googleapis.com/meshd.v1.Bundle"
#define SERVER_TYPE_GOSSIP_KEYS "type.googleapis.com/meshd.v1.GossipKeys"
#define SERVER_TYPE_REVOCATION "type.googleapis.com/meshd.v1.Revocation"

void feed_open(struct server *s);
void feed_close(struct server *s);
/* An agent asks for the host, or asks no more. */
void feed_ask(struct server *s, struct slice host, bool more);
/* Bundle and keys, once they are known. */
MUST_USE enum err feed_mesh(struct server *s);
/* Those that were stored before there was a key to sign them with. */
void feed_revocations(struct server *s);
/* At the turn's end: sends what is due, and hears who has everything. */
void feed_flush(struct server *s);
/* For the cache: what the resource was and what it is now both count. */
void feed_changed(
    void *arg, const struct resource *before, const struct resource *now);
/* Before the cache forgets everything: the rows that are there come again. */
void feed_reset(struct server *s);
/* Once the cache has taken them. */
void feed_take(struct server *s, const struct store_changes *changes);
/* Trees in the arena, NULL when it is full. */
struct value *feed_bundle(const struct server *s, struct arena *a);
struct value *feed_gossip_keys(const struct server *s, struct arena *a);

/* --- agents.c: who listens --- */

void agents_open(struct server *s);
void agents_accept(
    struct server *s, struct http2_stream *stream, struct http_head *h);
void agents_close(struct server *s);
/* Ends streams of nodes that were revoked. */
void agents_check(struct server *s);
/* Those whose interests are stale find out anew what concerns them. */
void agents_follow(struct server *s);
bool agents_has(const struct server *s, struct slice node);
/* What concerns it; NULL if it is not connected. */
const struct interest *agents_interest(
    const struct server *s, struct slice node);
/* How many resources it has not answered. */
size_t agents_behind(const struct server *s, struct slice node);
/* What it tells of itself (discovery_take_facts()); borrowed until the next
 * turn, the array in the arena. NULL if that is full. */
const struct slice *agents_facts(const struct server *s, struct slice node,
    struct arena *arena, size_t *out_count);
struct discovery_machine;

/* Those that are gateways, as far as they are connected; of each its name,
 * namespace and labels, in the arena. */
void agents_each_gateway(const struct server *s, struct arena *arena,
    void (*each)(void *arg, const struct discovery_machine *m), void *arg);
size_t agents_count(const struct server *s);

/* --- members.c: gossip --- */

/* Goes on with server_is_up() when its sockets are open. */
void members_open(struct server *s);
void members_close(struct server *s);
/* The voucher was renewed. */
void members_renew(struct server *s);
/* A signed revocation: into gossip's set, and told if it is open. */
void members_revoke(struct server *s, struct slice statement);

/* What each machine offers, as it says; borrowed for the call. */
struct member_offer {
	const struct gossip_member *member;
	const struct gossip_offers *offers; /* all that it offers */
	const struct gossip_service *service;
	uint32_t issued_s; /* of its voucher, Unix time */
	bool healthy;
	bool gone; /* it is down, has left, or an older one has its name */
};

void members_each_offer(const struct server *s,
    void (*each)(void *arg, const struct member_offer *o), void *arg);

/* The labels of an offer; as many as there is room for. */
struct labels members_copy_labels(
    const struct gossip_service *s, struct arena *a);

#endif
