/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what the parts of the resolver share.
 *
 * But for what is said to be the control loop's, all of it is the thread's.
 */
#ifndef MESHD_RESOLVER_INSIDE_H
#define MESHD_RESOLVER_INSIDE_H

#define LOG_MODULE "dns"

#include <stdatomic.h>

#include "cache.h"
#include "decide.h"
#include "resolver.h"
#include "upstreams.h"

enum {
	RESOLVER_MAGIC = 0x72736c76,
	MESH_WAIT_US = 1000000,   /* for a name of the mesh to come */
	OUTSIDE_WAIT_US = 250000, /* for any other, which others know */
	BLIND_WAIT_US = 150000,   /* for a view, where no server answers */
	PATH_BYTES = 256
};

/* --- who asks ------------------------------------------------------------- */

struct door; /* where questions come in */
struct conn; /* one that came over TCP */
struct inquiry;

enum asker_kind { ASKER_UDP, ASKER_TCP, ASKER_INSIDE, ASKER_PROBE };

struct asker {
	enum asker_kind kind;
	struct door *door;
	struct conn *conn; /* NULL: gone */
	struct inquiry *inquiry;
	struct addr from;
};

enum result {
	RESULT_MESH,
	RESULT_NODATA,
	RESULT_NO_NAME,
	RESULT_CACHED,
	RESULT_RELAYED,
	RESULT_FAILED,
	RESULT_REFUSED,
	RESULT_MALFORMED,
	RESULTS
};

/* What came of a question, for the log, the numbers and who inquires. */
struct outcome {
	enum result result;
	const struct decided *decided; /* NULL: it was not read */
	const char *why;               /* in place of the decision's */
	const struct addr *upstream;   /* or NULL */
	uint64_t took_us;
};

/* A question that cannot be answered at once. */
struct ask {
	struct list link;
	struct resolver *resolver;
	struct asker asker;
	struct dns_question q;
	char *message;
	size_t len;
	uint64_t began_us;
	struct timer timer;
	/* while its host is waited for (hosts.c) */
	struct list host_link;
	/* while others are asked (relay.c) */
	bool relayed;
	struct list followers; /* struct ask: the same question, asked once */
	struct list follow_link;
	struct addr upstream;
	uint32_t tried; /* a set of upstreams */
	unsigned tries;
	uint16_t id;
	struct net_udp *udp;
	struct stream *tcp;
	struct buf in;
	struct buf last; /* an answer that is worse than another's */
};

/* --- the resolver --------------------------------------------------------- */

struct metric_series;

enum { TYPES = 5, UPSTREAM_TEXT = ADDR_TEXT_MAX };

struct resolver {
	uint32_t magic;
	atomic_uint refs;
	/* the control loop's */
	struct resolver_spec spec; /* with copies */
	struct addr listen[RESOLVER_ADDRS_MAX];
	struct addr asked[RESOLVER_ADDRS_MAX];
	struct workers *thread;
	bool closed;
	/* the thread's */
	struct loop *loop;
	bool stopping; /* what waited was answered, and nothing may wait now */
	const struct view *view;
	struct door *doors[RESOLVER_ADDRS_MAX];
	struct list conns;
	size_t conn_count;
	struct list asks;
	size_t ask_count;
	size_t relayed_count;
	struct map hosts; /* struct host */
	size_t outside_count;
	uint64_t hosts_swept_us;
	struct dns_cache *cache;
	struct upstreams upstreams;
	char conf[PATH_BYTES];
	uint64_t conf_looked_us;
	uint64_t conf_mark; /* of the file as it was read */
	char probe[17];     /* of names that show loops */
	struct rng rng;
	uint32_t logged;
	struct metric_series *counts[TYPES][RESULTS];
	struct metric_series *waits;
	struct metric_series *cached;
	struct metric_family *failures; /* by upstream */
	struct decided decided;
	char out[DNS_MESSAGE_MAX + 1];
};

void resolver_unref(struct resolver *r);

/* --- doors.c -------------------------------------------------------------- */

struct door *door_open(struct resolver *r, const struct addr *a);
/* Closes it, at the thread's end. */
void door_close(struct door **dp);
void conns_close(struct resolver *r);

/* The most that this asker takes. */
size_t asker_limit(const struct asker *who, const struct dns_question *q);
void asker_tell(struct resolver *r, const struct asker *who,
    struct slice message, const struct outcome *o);
/* One more question of a connection waits, or one less. */
void conn_hold(struct conn *c, int more);

/* --- answer.c ------------------------------------------------------------- */

void answer_question(
    struct resolver *r, const struct asker *who, struct slice message);
/* What waited is decided anew; ends the ask, or relays it. */
void answer_ask(struct ask *a);
void answer_failed(struct ask *a, unsigned rcode, const char *why);

struct ask *ask_new(struct resolver *r, const struct asker *who,
    const struct dns_question *q, struct slice message);
void ask_free(struct ask *a);

/* --- hosts.c -------------------------------------------------------------- */

/* Is what the view has of that host all that there is? Asks, if not. */
bool hosts_know(struct resolver *r, const struct decided *d);
void hosts_wait(struct ask *a, const struct decided *d);
/* A view came: those who wait look again. */
void hosts_look(struct resolver *r);
void hosts_close(struct resolver *r);

/* --- relay.c -------------------------------------------------------------- */

/* Others are asked; takes the ask. */
void relay_begin(struct ask *a);
void relay_end(struct ask *a);
void relay_set_upstreams(struct resolver *r);
/* One of our own questions came back: who it went to is not asked any more. */
bool relay_is_probe(struct resolver *r, struct slice host);

/* --- inquiry.c ------------------------------------------------------------ */

void inquiry_told(struct resolver *r, struct inquiry *i, struct slice message,
    const struct outcome *o);

/* --- stats.c -------------------------------------------------------------- */

void stats_open(struct resolver *r);
void stats_count(struct resolver *r, const struct asker *who,
    const struct dns_question *q, const struct outcome *o);
void stats_upstream_failed(struct resolver *r, const struct addr *a);
const char *result_name(enum result x);

#endif
