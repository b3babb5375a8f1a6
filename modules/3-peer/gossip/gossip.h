/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gossip — which peers there are, whether they live, and what they offer.
 *
 * Two pure machines, swim (who is alive: SWIM with Lifeguard) and catalog
 * (what each member offers, in records that it signed itself), tied here to
 * the loop and to UDP and TCP on one port. Everything runs on the thread of
 * the loop that gossip_open() was given. README.md has the drawing.
 */
#ifndef MESHD_GOSSIP_H
#define MESHD_GOSSIP_H

#include "base/base.h"

enum {
	GOSSIP_PORT = 15946,
	GOSSIP_ID_LEN = 16,
	GOSSIP_MESH_LEN = 16,
	GOSSIP_NAME_MAX = 63,        /* node names and networks */
	GOSSIP_VOUCHER_MAX = 200,    /* bytes on the wire, signature included */
	GOSSIP_STATE_MAX = 164,      /* 100 and the signature */
	GOSSIP_REVOCATION_MAX = 141, /* with its signature */
	GOSSIP_REVOCATIONS_MAX = 4096, /* known at a time */
	GOSSIP_OFFERS_MAX = 32 << 10,
	GOSSIP_ADDRS_MAX = 8,
	GOSSIP_SERVICES_MAX = 256, /* of one node */
	GOSSIP_LABELS_MAX = 32,    /* of one service */
	GOSSIP_LOCALITY_MAX = 191,
	GOSSIP_KEYS_MAX = 3,  /* old, new, and one on its way */
	GOSSIP_TRUST_MAX = 8, /* CA keys that may sign vouchers */
	GOSSIP_SEEDS_MAX = 64,
	GOSSIP_MEMBERS_MAX =
	    8192 /* hard; a pool is advised to stay below 2000 */
};

/* --- node ids and vouchers ------------------------------------------------ */

/* A node is its key: the first 16 bytes of SHA-256 of its Ed25519 key. */
struct gossip_id {
	uint8_t bytes[GOSSIP_ID_LEN];
};

enum { GOSSIP_ID_TEXT_MAX = 2 * GOSSIP_ID_LEN + 1 };

void gossip_id_of_key(
    const uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN], struct gossip_id *out);
bool gossip_id_eq(const struct gossip_id *a, const struct gossip_id *b);

/* Hex, zero-ended. Returns out. */
char *gossip_id_format(
    const struct gossip_id *id, char out[GOSSIP_ID_TEXT_MAX]);

/*
 * What the CA says about a node: this key belongs to this name and may offer
 * services of these namespaces, under these accounts, in this network. The
 * lists are names with commas between them, or "*" for any. Text borrows.
 */
struct gossip_voucher {
	uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN];
	struct slice name;
	struct slice network;
	struct slice namespaces; /* "default,shop" */
	struct slice accounts;   /* "web,*" is the same as "*" */
	uint32_t issued_s;       /* Unix time; the older of two names wins */
	uint32_t expires_s;      /* Unix time */
};

/*
 * Encodes and signs with the CA's key. ERR_LIMIT, in words, if it comes to
 * more than GOSSIP_VOUCHER_MAX bytes; ERR_INVALID for a name that is none.
 */
MUST_USE enum err gossip_voucher_sign(const struct gossip_voucher *v,
    const uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_VOUCHER_MAX], size_t *out_len, struct fault *why);

/* Only reads; proves nothing. Borrows from `bytes`. ERR_PARSE. */
MUST_USE enum err gossip_voucher_parse(
    struct slice bytes, struct gossip_voucher *out);

/*
 * The CA keys that a mesh trusts for vouchers; several while it rotates.
 */
struct gossip_trust {
	uint8_t keys[GOSSIP_TRUST_MAX][CRYPTO_ED25519_PUBLIC_LEN];
	size_t count;
};

/*
 * Parses and checks the signature and, two hours of skew allowed, the expiry.
 * ERR_PARSE, ERR_AUTH or ERR_EXPIRED; now_s is Unix time.
 */
MUST_USE enum err gossip_voucher_verify(struct slice bytes,
    const struct gossip_trust *trust, int64_t now_s,
    struct gossip_voucher *out);

/* True if both are in the voucher's lists; an empty account needs none. */
bool gossip_voucher_grants(
    const struct gossip_voucher *v, struct slice ns, struct slice account);

/* --- revocations ---------------------------------------------------------- */

/*
 * What the CA takes back: all that this node was given until then. Any member
 * may pass it on. Text borrows.
 */
struct gossip_revocation {
	struct slice node;
	int64_t since_ms;   /* Unix time */
	uint32_t expires_s; /* Unix time: nothing is left to revoke */
};

/* ERR_INVALID: no voucher can name such a node. */
MUST_USE enum err gossip_revocation_sign(const struct gossip_revocation *r,
    const uint8_t ca_secret[CRYPTO_ED25519_SECRET_LEN],
    uint8_t out[GOSSIP_REVOCATION_MAX], size_t *out_len);

/* Only reads; proves nothing. Borrows from `bytes`. ERR_PARSE. */
MUST_USE enum err gossip_revocation_parse(
    struct slice bytes, struct gossip_revocation *out);

/*
 * Those that a member knows: one for each node, GOSSIP_REVOCATIONS_MAX of
 * those that last longest. It is its owner's and outlives any struct gossip,
 * so that what was heard is obeyed while gossip is not open.
 */
struct gossip_revoked;

struct gossip_revoked *gossip_revoked_new(void);
void gossip_revoked_free(struct gossip_revoked **setp);

/*
 * Without telling anybody: for a set that no gossip has, see gossip_revoke().
 * ERR_EXISTS: it, or a later one of that node, is known. ERR_PARSE, ERR_AUTH,
 * ERR_EXPIRED, or ERR_LIMIT if the set is full of such that last longer.
 */
MUST_USE enum err gossip_revoked_add(struct gossip_revoked *set,
    struct slice bytes, const struct gossip_trust *trust, int64_t now_s);

/* for (size_t i = 0; gossip_revoked_next(set, &i, &r);) */
bool gossip_revoked_next(const struct gossip_revoked *set, size_t *cursor,
    struct gossip_revocation *out);

/* Was a voucher of this name and time taken back? */
bool gossip_revoked_has(
    const struct gossip_revoked *set, struct slice node, uint32_t issued_s);

/* Their bytes one after the other, for a file. */
enum {
	GOSSIP_REVOKED_BYTES_MAX =
	    1 + GOSSIP_REVOCATIONS_MAX * (2 + GOSSIP_REVOCATION_MAX)
};
MUST_USE enum err gossip_revoked_encode(
    const struct gossip_revoked *set, struct buf *out);

/* Adds those that stand. ERR_CORRUPT: some did not. */
MUST_USE enum err gossip_revoked_decode(struct gossip_revoked *set,
    struct slice bytes, const struct gossip_trust *trust, int64_t now_s);

/* --- records -------------------------------------------------------------- */

enum gossip_health { GOSSIP_HEALTHY, GOSSIP_UNHEALTHY, GOSSIP_DRAINING };

enum gossip_role {
	GOSSIP_ROLE_AGENT = 1 << 0,
	GOSSIP_ROLE_SERVER = 1 << 1,
	GOSSIP_ROLE_GATEWAY = 1 << 2
};

struct gossip_label {
	struct slice key;
	struct slice value;
};

/* One service that a node serves; names as in configuration. */
struct gossip_service {
	struct slice name;
	struct slice ns;
	struct slice account;
	struct slice protocol; /* "http", "tcp", "grpc" …; at most 15 bytes */
	const struct gossip_label *labels;
	size_t label_count;
	uint16_t port;   /* where callers address it */
	uint16_t weight; /* 0 takes no new traffic */
	uint8_t health;  /* enum gossip_health, slow-changing; see below */
};

/* The slow part of a record: announced by its hash, pulled once. */
struct gossip_offers {
	struct addr addrs[GOSSIP_ADDRS_MAX]; /* IPv4 and IPv6, no port */
	size_t addr_count;
	struct slice network;  /* has to be the voucher's */
	struct slice locality; /* "region/zone/subzone" */
	uint32_t roles;        /* enum gossip_role */
	uint16_t tunnel_port;  /* HBONE; 0 is none */
	const struct gossip_service *services;
	size_t service_count;
};

/* Offers that are read one service after the other; nothing is allocated. */
struct gossip_reading {
	struct gossip_offers offers; /* `services` is NULL */
	struct reader rest;
	size_t index; /* of the service that comes next */
	struct gossip_label labels[GOSSIP_LABELS_MAX];
};

/* Reads what comes before services. Text borrows from `bytes`. ERR_PARSE. */
MUST_USE enum err gossip_offers_open(
    struct slice bytes, struct gossip_reading *out);

/*
 * The next service; its labels are good until the next call. False after the
 * last, or where the bytes make no sense.
 */
bool gossip_offers_next(struct gossip_reading *x, struct gossip_service *out);

/* OK after all services of what was signed, else ERR_PARSE. */
MUST_USE enum err gossip_offers_done(const struct gossip_reading *x);

/*
 * All of it at once. Text borrows from `bytes`, arrays come from `arena`.
 * ERR_PARSE, or ERR_NO_MEMORY when the arena is full.
 */
MUST_USE enum err gossip_offers_decode(
    struct slice bytes, struct arena *arena, struct gossip_offers *out);

/* --- members -------------------------------------------------------------- */

enum gossip_status {
	GOSSIP_UP,
	GOSSIP_SUSPECT, /* silent; others are asked */
	GOSSIP_DOWN,    /* dead; remembered for 72 h */
	GOSSIP_LEFT     /* said good-bye; never becomes DOWN */
};

const char *gossip_status_name(enum gossip_status s); /* "up" … */
const char *gossip_health_name(uint8_t health);       /* "healthy" … */

/* What is known of one member; borrowed until the next turn of the loop. */
struct gossip_member {
	struct gossip_id id;
	char name[GOSSIP_NAME_MAX + 1];
	char network[GOSSIP_NAME_MAX + 1];
	struct addr addr;     /* where it gossips */
	uint64_t incarnation; /* raised by the member alone */
	uint64_t epoch;       /* raised with each change of its record */
	uint64_t since_ms;    /* loop time of the last change of status */
	uint32_t rtt_ms;      /* 0 as long as it is not known */
	uint8_t status;       /* enum gossip_status */
	uint8_t health;       /* enum gossip_health */
	bool self;
	bool name_lost; /* an older living member has the same name */
};

/*
 * A member's whole record. `unhealthy` has bit i set if service i of the
 * offers (i < 64) fails its checks: health moves without moving the offers.
 */
struct gossip_record {
	const struct gossip_member *member;
	uint64_t unhealthy;
	struct blob *offers; /* for gossip_offers_open(); may be NULL */
	struct gossip_voucher voucher; /* what it may offer */
};

/* True if the node and service `index` of it are healthy by its own word. */
bool gossip_service_is_healthy(const struct gossip_record *r,
    const struct gossip_service *s, size_t index);

/* --- running -------------------------------------------------------------- */

struct gossip_key {
	uint8_t id;
	uint8_t bytes[CRYPTO_KEY_LEN];
};

/* keys[0] encrypts, all decrypt. */
struct gossip_keyring {
	struct gossip_key keys[GOSSIP_KEYS_MAX];
	size_t count;
};

enum gossip_event_type {
	GOSSIP_EVENT_READY,     /* the sockets are open */
	GOSSIP_EVENT_FAILED,    /* they could not be: `err`; close it */
	GOSSIP_EVENT_MEMBER,    /* its status changed, or it is new */
	GOSSIP_EVENT_RECORD,    /* its health, offers or voucher changed */
	GOSSIP_EVENT_FORGOTTEN, /* down or left for too long; last word of it */
	GOSSIP_EVENT_CONFLICT,  /* `other` has the same name; said once */
	GOSSIP_EVENT_CLONED,    /* another process uses our key; said once */
	GOSSIP_EVENT_REVOKED,   /* `node` was, and is no member any more */
	GOSSIP_EVENT_CLOSED     /* exactly once and last */
};

struct gossip_event {
	enum gossip_event_type type;
	enum err err;
	const struct gossip_member *member; /* borrowed for this call */
	const struct gossip_member *other;  /* the winner of a CONFLICT */
	struct slice node; /* of REVOKED, which has no member */
};

typedef void (*gossip_event_cb)(void *arg, const struct gossip_event *event);

struct loop;
struct net_factory;

struct gossip_config {
	uint8_t mesh[GOSSIP_MESH_LEN]; /* the same in the whole mesh */
	uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN]; /* wiped on close */
	struct slice voucher;                          /* copied */
	struct gossip_trust trust;
	struct gossip_keyring keyring;
	struct gossip_revoked *revoked; /* kept until CLOSED; grows */
	struct addr bind;               /* "[::]:15946"; port 0 takes any */
	struct addr advertise; /* what others send to; port 0 takes bind's */
	struct slice saved;    /* of gossip_save(), or empty; not kept */
	struct net_factory *factory; /* where its sockets come from; kept */
	gossip_event_cb on_event;    /* may call any function here */
	void *arg;
};

struct gossip;

/*
 * Opens the UDP and TCP sockets; READY or FAILED comes later. ERR_AUTH or
 * ERR_EXPIRED if our own voucher does not stand, ERR_INVALID for a key that
 * is not the voucher's or a wrong configuration. Damaged `saved` is ignored
 * and counted: peers are found again.
 */
MUST_USE enum err gossip_open(struct loop *loop,
    const struct gossip_config *config, struct gossip **out, struct fault *why);

/* Asynchronous; without gossip_leave() others will find us dead. NULLs *gp. */
void gossip_close(struct gossip **gp);

/* The port that is in use, after READY. */
uint16_t gossip_port(const struct gossip *g);

/*
 * Announces us to these addresses until one answers, and again whenever we
 * know nobody alive. Copies up to GOSSIP_SEEDS_MAX, replaces earlier ones.
 */
void gossip_join(struct gossip *g, const struct addr *seeds, size_t count);

/* Says good-bye, draining from now on; done() once, when it has spread or 3 s
 * have passed. */
void gossip_leave(struct gossip *g, void (*done)(void *arg), void *arg);

/*
 * What we offer from now on; copies. ERR_DENIED if our voucher does not grant
 * it, ERR_LIMIT if it is too much, both in words; ERR_NO_MEMORY. The same
 * offers again change nothing.
 */
MUST_USE enum err gossip_set_offers(
    struct gossip *g, const struct gossip_offers *offers, struct fault *why);

/* Our health and that of the first 64 services; pushed eagerly. */
void gossip_set_health(
    struct gossip *g, enum gossip_health node, uint64_t unhealthy);

/* Where others find us from now on; port 0 takes bind's. */
void gossip_set_advertise(struct gossip *g, const struct addr *advertise);

/* A renewed voucher for the same key; errors as gossip_voucher_verify(). */
MUST_USE enum err gossip_set_voucher(struct gossip *g, struct slice voucher);
void gossip_set_trust(struct gossip *g, const struct gossip_trust *trust);

/*
 * A signed revocation, from wherever it came: into the set, to all members;
 * REVOKED follows. Errors as gossip_revoked_add().
 */
MUST_USE enum err gossip_revoke(struct gossip *g, struct slice revocation);

/* ERR_INVALID if it is empty or an id is there twice. */
MUST_USE enum err gossip_set_keyring(
    struct gossip *g, const struct gossip_keyring *keyring);

/* for (size_t i = 0; (m = gossip_member_next(g, &i)) != NULL;) — us, too. */
const struct gossip_member *gossip_member_next(
    const struct gossip *g, size_t *cursor);
const struct gossip_member *gossip_member_get(
    const struct gossip *g, const struct gossip_id *id);
const struct gossip_member *gossip_self(const struct gossip *g);

/*
 * Likewise over records whose voucher has not expired, of members in any
 * status: the caller decides what a silent one means. False at the end.
 */
bool gossip_record_next(
    const struct gossip *g, size_t *cursor, struct gossip_record *out);
bool gossip_record_get(const struct gossip *g, const struct gossip_id *id,
    struct gossip_record *out);

/*
 * Peers and our own counters, for `saved` of the next start. Written by the
 * owner whenever it likes: after events, say, at most once in 10 s.
 */
enum { GOSSIP_SAVED_MAX = 4 << 20 };
MUST_USE enum err gossip_save(const struct gossip *g, struct buf *out);

/*	X(name, what it counts)	*/
#define GOSSIP_STATS(X)                                                        \
	X(packets_in, "packets received and opened")                           \
	X(packets_out, "packets sent")                                         \
	X(bytes_in, "bytes of packets received")                               \
	X(bytes_out, "bytes of packets sent")                                  \
	X(calls_in, "TCP requests answered")                                   \
	X(calls_out, "TCP requests made")                                      \
	X(drop_key, "packets under no key of ours, or damaged")                \
	X(drop_replay, "packets that came twice or too late")                  \
	X(drop_malformed, "messages that do not parse")                        \
	X(drop_voucher, "vouchers that do not stand")                          \
	X(drop_signature, "records with a wrong signature")                    \
	X(drop_granted, "offers outside their voucher")                        \
	X(drop_revocation, "revocations that do not stand")                    \
	X(drop_revoked, "records of nodes that were revoked")                  \
	X(drop_limit, "members or records past a limit, or out of memory")     \
	X(drop_send, "packets that the socket had no room for")                \
	X(drop_stranger, "accusations by who is no member")                    \
	X(drop_saved, "saved peers that were damaged")                         \
	X(probes, "probes made")                                               \
	X(probes_failed, "probes without an answer on any way")                \
	X(probes_tcp, "probes that only TCP answered: is UDP filtered?")       \
	X(suspicions, "members that we began to suspect")                      \
	X(deaths, "members that became down")                                  \
	X(refutations, "accusations against us that we refuted")               \
	X(accusations_held, "own accusations held back by the rate limit")     \
	X(pulls, "offers and vouchers asked for")                              \
	X(syncs, "digest exchanges with a difference")

struct gossip_stats {
#define X(name, text) uint64_t name;
	GOSSIP_STATS(X)
#undef X
	uint32_t health;     /* local health multiplier, 0 is best, at most 7 */
	uint32_t queued;     /* subjects that wait to be told on */
	uint32_t keys_known; /* senders whose keys are cached */
};

void gossip_stats(const struct gossip *g, struct gossip_stats *out);

/* --- who is no member: does a packet get there, and back? ------------------
 */

struct gossip_echo; /* pure; its packets go to any member */

struct gossip_echo *gossip_echo_new(
    const uint8_t mesh[GOSSIP_MESH_LEN], const struct gossip_keyring *keyring);
void gossip_echo_free(struct gossip_echo **ep);

enum { GOSSIP_ECHO_MIN = 128 };

/* A question of so many bytes, GOSSIP_ECHO_MIN to LIMIT_GOSSIP_PACKET; `seq` is
 * not 0. */
void gossip_echo_ask(
    struct gossip_echo *e, uint32_t seq, size_t size, uint8_t *out);

/* True if it answers one; to which. */
bool gossip_echo_answer(
    struct gossip_echo *e, struct slice packet, uint32_t *out_seq);

#endif
