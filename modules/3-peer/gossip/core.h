/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core — swim and catalog as one pure machine over one table of members.
 *
 * core_step() takes the time and one input and hands actions to a sink. There
 * is no clock, no socket and no chance inside but the rng it was given, so a
 * thousand of them run in one test. The files of the machine:
 *
 *	members.c   the table, and every change of a status
 *	probe.c     who is asked for a sign of life, and helping others to ask
 *	verdict.c   suspect, dead, and refuting what is said of us
 *	spread.c    what is told on: one queue keyed by subject
 *	catalog.c   records: ours, and those of others as they come
 *	repair.c    pulls, digests, joining
 *	revoke.c    revocations, and who they are about
 *	saved.c     peers on disk
 *	core.c      steps, timers, parts
 */
#ifndef MESHD_GOSSIP_CORE_H
#define MESHD_GOSSIP_CORE_H

#include "packet.h"
#include "record.h"
#include "revocation.h"
#include "suspicion.h"
#include "wire.h"

/* --- tuning (README.md says where the numbers come from) ------------------ */

enum {
	PROBE_INTERVAL_MS = 1000,
	PROBE_TIMEOUT_MIN_MS = 100,
	PROBE_TIMEOUT_MAX_MS = 500,
	PROBE_HELPERS = 5,
	HEALTH_MAX = 7,
	SPREAD_INTERVAL_MS = 200,
	SPREAD_FANOUT = 3,
	SPREAD_PACKETS_MAX = 4, /* to one target in one interval */
	SPREAD_AT_ONCE = 32, /* members that hear of our state in that turn */
	SPREAD_MULTIPLE = 4,
	SPREAD_TIERS = 40,
	DEAD_TOLD_MS = 30 * 1000, /* gossip goes to a dead one for so long */
	DOWN_KEPT_MS = 72 * 3600 * 1000,
	ANNOUNCE_INTERVAL_MS = 15 * 1000, /* to a down one */
	DIGEST_INTERVAL_MS = 10 * 1000,
	SYNC_SPACING_MS = 1000,
	JOIN_RETRY_MS = 1000,
	JOIN_RETRY_MAX_MS = 10 * 1000,
	SEED_INTERVAL_MS = 60 * 1000,
	SWEEP_INTERVAL_MS = 60 * 1000,
	PULL_RETRY_MS = 500,
	PULL_RETRY_MAX_MS = 30 * 1000,
	PULLS_PER_TICK = 10,
	LEAVE_MS = 3000,
	RELAYS_MAX = 64,
	OUTCOMES = 16, /* of our own probes, for the accusation limit */
	OUTCOMES_MIN = 5,
	ACCUSE_SICK_MS = 5000, /* between accusations when many probes fail */
	ACCUSE_PER_MINUTE = 20,
	CALL_HOPS_MAX = 4,
	REPLY_PACKETS_MAX = 8,
	SLIP_MS = 300, /* later than planned by so much: we were not running */
	CLONE_HITS = 3
};

/* --- members -------------------------------------------------------------- */

enum news { NEWS_NONE, NEWS_STATE, NEWS_SUSPECT, NEWS_DEAD };

struct peer {
	struct gossip_member pub;
	size_t index; /* in core.peers */

	/* catalog */
	uint8_t public_key[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t voucher[GOSSIP_VOUCHER_MAX];
	uint8_t voucher_len;
	bool expired; /* its voucher */
	uint64_t voucher_hash;
	uint32_t issued_s;
	uint32_t expires_s;
	uint8_t state_bytes[GOSSIP_STATE_MAX];
	uint8_t state_len;
	struct state state;
	struct blob *offers; /* what state.offers names, if offers_have == it */
	uint64_t offers_have;
	uint64_t offers_refused;
	uint64_t pull_at_ms; /* 0: nothing is missing */
	uint32_t pull_tries;

	/* repair */
	struct list in_bucket;
	uint64_t digest;
	uint32_t seen; /* == core.mark: named by the other side */

	/* swim */
	struct suspicion doubt; /* while SUSPECT */
	struct gossip_id name_rival;

	/* what is to be told about it */
	struct list in_tier;
	enum news news;
	uint8_t told;
	bool with_voucher;
	struct gossip_id accuser;
};

/* --- inputs and actions --------------------------------------------------- */

enum core_input_type {
	CORE_TICK,    /* core_due_ms() has come */
	CORE_PACKET,  /* a datagram, opened */
	CORE_REQUEST, /* of a call; CORE_ANSWER comes within this step */
	CORE_REPLY    /* to a call of ours */
};

struct core_input {
	enum core_input_type type;
	struct addr from;
	struct packet_from sender;
	struct slice payload;
	uint8_t hops; /* REPLY: of the call */
};

enum core_action_type {
	CORE_SEND, /* `payload` in one datagram to `to` */
	CORE_CALL, /* `payload` as a request to `to`; a lost one is just lost */
	CORE_ANSWER, /* `payload` as the answer to this request */
	CORE_EVENT,  /* for the owner */
	CORE_LEFT    /* our good-bye has spread */
};

/* Everything is borrowed for the call of the sink. */
struct core_action {
	enum core_action_type type;
	struct addr to;
	struct slice payload;
	uint8_t hops; /* CALL: give it back with the reply */
	struct gossip_event event;
};

/* May not call the core. */
typedef void (*core_sink)(void *arg, const struct core_action *action);

/* The time of a step: monotonic, and Unix time for what expires. */
struct core_time {
	uint64_t ms;
	int64_t wall_s;
};

struct core_config {
	uint8_t secret_key[CRYPTO_ED25519_SECRET_LEN];
	struct slice voucher; /* verified by core_new */
	struct gossip_trust trust;
	struct gossip_revoked *revoked; /* kept */
	struct addr advertise;
	uint64_t boot;
	uint64_t seed; /* of the rng */
	record_verify_fn verify;
	core_sink sink;
	void *arg;
};

struct probe {
	enum { PROBE_IDLE, PROBE_DIRECT, PROBE_INDIRECT } phase;
	struct gossip_id target;
	uint32_t seq;
	uint32_t helpers; /* asked */
	uint32_t nacks;   /* heard */
	bool tcp_answered;
	uint64_t sent_ms;
	uint64_t timeout_ms;  /* then helpers are asked */
	uint64_t deadline_ms; /* then it failed */
};

/* A probe that we make for someone else. */
struct relay {
	uint32_t seq;        /* ours; 0: free */
	uint32_t origin_seq; /* theirs */
	struct addr origin;
	uint64_t nack_ms; /* 0: said */
	uint64_t until_ms;
};

struct core {
	struct core_time now;
	uint64_t planned_ms; /* the last core_due_ms() */
	struct core_config config;
	struct rng rng;
	struct gossip_stats stats;

	/* members */
	struct peer *self;
	struct peer **peers; /* us included */
	size_t count;
	size_t cap;
	struct map by_id;
	struct map by_name; /* the living holder of each name */
	struct peer **walk; /* the shuffled order of probes */
	size_t walk_count;
	size_t walk_at;
	size_t alive;   /* up or suspect, us included */
	size_t doubted; /* suspect */
	size_t down;
	size_t pulling;

	/* swim */
	struct probe probe;
	struct relay relays[RELAYS_MAX];
	uint32_t next_seq;
	uint64_t next_probe_ms;
	unsigned health;   /* 0 is best */
	uint32_t outcomes; /* bit set: failed */
	unsigned outcome_count;
	uint64_t last_accused_ms;
	uint64_t accused_minute_ms;
	unsigned accused_in_minute;

	/* what is told on */
	struct list tiers[SPREAD_TIERS];
	size_t queued;
	uint64_t next_spread_ms;
	uint64_t next_announce_ms;

	/* repair */
	struct list buckets[DIGEST_BUCKETS];
	uint64_t bucket_hash[DIGEST_BUCKETS];
	uint32_t mark;
	uint64_t next_digest_ms;
	uint64_t next_sync_ms; /* not before */
	uint64_t next_sweep_ms;

	/* joining and leaving */
	struct addr seeds[GOSSIP_SEEDS_MAX];
	size_t seed_count;
	size_t seed_at;
	uint64_t next_join_ms;
	uint32_t join_wait_ms;
	bool leaving;
	uint64_t leave_until_ms; /* 0: not leaving, or said so */

	/* a second process with our key */
	uint64_t clone_boot;
	unsigned clone_hits;
	bool clone_told;
	bool yielded;
};

/* --- the machine from outside --------------------------------------------- */

/* ERR_AUTH, ERR_EXPIRED or ERR_INVALID if our own voucher does not stand. */
MUST_USE enum err core_new(const struct core_config *config,
    struct core_time now, struct core **out, struct fault *why);
void core_free(struct core **cp);

void core_step(
    struct core *c, struct core_time now, const struct core_input *in);

/* When the next CORE_TICK is wanted. */
uint64_t core_due_ms(struct core *c);

void core_join(struct core *c, struct core_time now, const struct addr *seeds,
    size_t count);
void core_leave(struct core *c, struct core_time now);
MUST_USE enum err core_set_offers(struct core *c, struct core_time now,
    const struct gossip_offers *o, struct fault *why);
void core_set_health(struct core *c, struct core_time now,
    enum gossip_health node, uint64_t unhealthy);
MUST_USE enum err core_set_voucher(
    struct core *c, struct core_time now, struct slice voucher);
MUST_USE enum err core_revoke(
    struct core *c, struct core_time now, struct slice revocation);
void core_set_advertise(
    struct core *c, struct core_time now, const struct addr *a);

/* Only before the first step. Damaged entries are counted and left out. */
void core_restore(struct core *c, struct core_time now, struct slice saved);
MUST_USE enum err core_save(const struct core *c, struct buf *out);

bool core_record(const struct peer *p, struct gossip_record *out);

/* --- the machine from inside ---------------------------------------------- */

/* members.c */
struct peer *peer_find(const struct core *c, const struct gossip_id *id);
/* NULL at the limit. */
struct peer *peer_add(struct core *c, const struct gossip_id *id);
void peer_remove(struct core *c, struct peer *p);
/* The same at any time, told to the owner. */
void peer_expel(struct core *c, struct peer *p);
void peer_set_voucher(struct core *c, struct peer *p, struct slice bytes,
    const struct gossip_voucher *v);
void peer_set_state(struct peer *p, struct slice bytes, const struct state *s);
/* Sets status, tells the owner, keeps digest, names and counts. */
void peer_set_status(struct core *c, struct peer *p, enum gossip_status s);
void peer_set_digest(struct core *c, struct peer *p);
void peer_want_offers(struct core *c, struct peer *p);
static inline bool
peer_is_alive(const struct peer *p)
{
	return p->pub.status == GOSSIP_UP || p->pub.status == GOSSIP_SUSPECT;
}
void members_sweep(struct core *c);
/* A random member that `fits`; NULL if there is none. */
struct peer *members_pick(
    struct core *c, bool (*fits)(const struct core *c, const struct peer *p));
bool fits_alive(const struct core *c, const struct peer *p);
void emit_event(struct core *c, enum gossip_event_type type,
    const struct peer *p, const struct peer *other);

/* core.c */
uint32_t core_seq(struct core *c); /* a fresh number, never 0 */

/* core.c: bytes on their way out, gathered in parts */
enum out_mode { OUT_PACKET, OUT_ANSWER, OUT_CALL };
struct out {
	struct core *c;
	struct packer p;
	enum out_mode mode;
	struct addr to;
	uint8_t hops;
	unsigned sent; /* packets */
	bool filled;   /* with news: telling twice in a packet is waste */
	uint8_t *mem;
	uint8_t packet[PACKET_PAYLOAD_MAX];
};
void out_packet(struct core *c, struct out *o, const struct addr *to);
/* False without memory: then there is nothing to flush. */
bool out_call(
    struct core *c, struct out *o, const struct addr *to, uint8_t hops);
/* Room for n bytes, by sending what is there if need be; NULL if never. */
struct packer *out_room(struct out *o, size_t n);
/* Sends what is there. A packet takes news with it. */
void out_flush(struct out *o);
void out_intro(struct out *o, const struct peer *p); /* voucher and state */
void out_verdict(struct out *o, const struct peer *p);

/* probe.c */
void probe_tick(struct core *c);
uint64_t probe_due_ms(const struct core *c);
void probe_slipped(struct core *c, uint64_t ms);
void on_ping(struct core *c, struct out *o, const struct core_input *in,
    struct slice body);
void on_ping_req(
    struct core *c, const struct core_input *in, struct slice body);
void on_ack(struct core *c, const struct core_input *in, struct slice body);
void on_nack(struct core *c, struct slice body);
void health_add(struct core *c, int delta);

/* verdict.c */
void verdict_tick(struct core *c);
uint64_t verdict_due_ms(const struct core *c);
void verdict_slipped(struct core *c, uint64_t ms);
void accuse(struct core *c, struct peer *p);
void suspect(struct core *c, struct peer *p, uint64_t incarnation,
    const struct gossip_id *accuser);
void on_verdict(struct core *c, struct out *o, const struct core_input *in,
    enum part_type type, struct slice body);
void refute(struct core *c, uint64_t above);

/* spread.c */
void spread_tick(struct core *c);
uint64_t spread_due_ms(const struct core *c);
void spread_news(struct core *c, struct peer *p, enum news n,
    const struct gossip_id *accuser);
void spread_forget(struct core *c, struct peer *p);
void spread_fill(struct core *c, struct packer *p);
/* Our own state, to many, without waiting for the next interval. */
void spread_at_once(struct core *c);

/* catalog.c */
void self_publish(struct core *c);
void on_state(struct core *c, struct out *o, const struct core_input *in,
    struct slice voucher, struct slice body);
void on_offers(struct core *c, struct slice body);

/* revoke.c */
void on_revocation(struct core *c, struct slice body);
void on_revoked(struct core *c, struct out *o, struct slice body);
/* Those that were not told `limit` times. */
void revocations_fill(struct core *c, struct packer *p, unsigned limit);
void revocations_pack_known(const struct core *c, struct packer *p);

/* repair.c */
void repair_tick(struct core *c);
uint64_t repair_due_ms(const struct core *c);
void on_pull(struct core *c, struct out *o, struct slice body);
void on_too_big(struct core *c, const struct core_input *in, struct slice body);
void on_root(struct core *c, const struct core_input *in, struct slice body);
void on_digest(struct core *c, struct out *o, struct slice body);
void on_bucket(struct core *c, struct out *o, const struct core_input *in,
    struct slice body);

#endif
