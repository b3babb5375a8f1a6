/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery — who serves what: members' records and Services become endpoints.
 *
 * Pure but for the catalog's file. A service is known from a written Service,
 * whose selector picks workloads by label, or from records alone; what is
 * written overrides. The same inputs in any order give the same output.
 */
#ifndef MESHD_DISCOVERY_H
#define MESHD_DISCOVERY_H

#include "base/base.h"
#include "ca/ca.h"
#include "gossip/gossip.h"
#include "model/model.h"

enum {
	DISCOVERY_RECORDS_MAX = GOSSIP_MEMBERS_MAX,
	DISCOVERY_FILE_MAX = 64 << 20,     /* bytes of a saved catalog */
	DISCOVERY_ENDPOINTS_MAX = 1 << 20, /* of one compilation */
	DISCOVERY_CONFLICTS_MAX = 1000,    /* reported; more are counted */
	DISCOVERY_BYTES_MAX = 512 << 20
};

/* --- the catalog: the last that was heard of each member ------------------ */

struct discovery_catalog; /* opaque */

/* Borrowed until the catalog changes. */
struct discovery_record {
	struct gossip_id id;
	char name[GOSSIP_NAME_MAX + 1];
	char network[GOSSIP_NAME_MAX + 1]; /* its voucher's */
	uint8_t status;                    /* enum gossip_status */
	uint8_t health;                    /* enum gossip_health */
	bool name_lost;     /* an older living member has the same name */
	uint32_t issued_s;  /* of its voucher, Unix time */
	uint32_t expires_s; /* the same */
	uint64_t unhealthy; /* bit i: service i, i < 64 */
	size_t service_count;
	struct blob *offers; /* as they were signed; NULL: have not come */
	uint64_t version;    /* another one with each change */
};

struct discovery_catalog *discovery_catalog_new(void);
void discovery_catalog_free(struct discovery_catalog **cp);

/*
 * Keeps what gossip knows of a member, and says whether that was news: its
 * offers are held, not copied, so that they lie in memory once. A record whose
 * offers have not come yet keeps those of before. ERR_PARSE for offers that are
 * none, ERR_LIMIT past DISCOVERY_RECORDS_MAX; then nothing changes.
 */
MUST_USE enum err discovery_catalog_put(struct discovery_catalog *c,
    const struct gossip_record *r, bool *out_changed);

/* False if it was not there. */
bool discovery_catalog_forget(
    struct discovery_catalog *c, const struct gossip_id *id);

/* for (size_t i = 0; (r = discovery_catalog_next(c, &i)) != NULL;), by id. */
const struct discovery_record *discovery_catalog_next(
    const struct discovery_catalog *c, size_t *cursor);

/*
 * The catalog as a file: version, records, SHA-256. Appends. ERR_LIMIT when
 * `out` is full.
 */
MUST_USE enum err discovery_catalog_encode(
    const struct discovery_catalog *c, struct buf *out);

/*
 * Adds the records of a file. All or nothing: ERR_CORRUPT for what was
 * damaged, ERR_UNSUPPORTED for another version. Who was suspected counts as
 * up again.
 */
MUST_USE enum err discovery_catalog_decode(
    struct discovery_catalog *c, struct slice bytes, struct fault *why);

/* --- who serves what ------------------------------------------------------ */

enum discovery_family { DISCOVERY_V4 = 1 << 0, DISCOVERY_V6 = 1 << 1 };

/* A service of this machine. */
struct discovery_local {
	struct slice name;
	struct slice ns;
	struct slice account;
	struct slice protocol;
	struct labels labels;
	uint16_t port;          /* callers' */
	uint16_t weight;        /* 0 takes no new traffic */
	struct addr target;     /* where it really listens */
	struct slice unhealthy; /* why nobody may call it; empty: it is well */
};

/*
 * What is wanted of a mesh: services of these hosts, and of those that the
 * resources at hand are about or lead to. What no scope wants costs nothing
 * but the bytes of its record.
 */
struct discovery_scope {
	struct slice domain;
	const struct slice *hosts; /* as host_spell() has them */
	size_t count;
	uint64_t version; /* another one where they are; 0: look each time */
};

/* All borrowed. */
struct discovery_input {
	const struct discovery_catalog *catalog;
	const struct resource *const *resources; /* of any kind */
	size_t resource_count;
	/* Another one where they are; 0: they may be others each time. */
	uint64_t resources_version;
	const struct discovery_local *locals;
	size_t local_count;
	const struct ca_revocation *revocations;
	size_t revocation_count;
	int64_t now_s; /* Unix time; an expired voucher's record is left out */
	/* This machine. Its own record in the catalog is not used. */
	struct gossip_id self;
	uint32_t issued_s; /* of its voucher: the older one wins a conflict */
	struct slice node;
	struct slice network;
	struct slice locality;
	unsigned families; /* that it can call: enum discovery_family */
	const struct discovery_scope *scope; /* NULL: all is wanted */
};

struct discovery_output {
	const struct view_service_input *services;
	size_t service_count;
	/* Written Services too; a version is another one with each change. */
	const struct view_serving *servings;
	size_t serving_count;
	const struct view_exposed_input *exposed;
	size_t exposed_count;
	/* Another number where other services or servings are listed. */
	uint64_t lists_version;
	/* Where the servings are that have a version above that. */
	uint64_t moved_since;
	const size_t *moved;
	size_t moved_count;
	/* What contradicts something else, in words, and who won. */
	const struct slice *conflicts;
	size_t conflict_count;
	size_t conflicts_dropped;
};

struct discovery; /* opaque: what came of all inputs so far */

struct discovery *discovery_new(void);
void discovery_free(struct discovery **dp);

/*
 * What holds now. Costs what changed since the last call, not what is there:
 * records are looked at where their version is another, and services are made
 * anew where a workload came or went that they may have; where the scope is
 * another, each record is read again. The output is the same as of a new one
 * with these inputs; it is good until the next call, and borrows from nothing.
 * ERR_NO_MEMORY, or ERR_LIMIT for too many endpoints; the next call begins anew
 * then.
 */
MUST_USE enum err discovery_update(struct discovery *d,
    const struct discovery_input *in, struct discovery_output *out);

/* Resources of other kinds may change, and without a scope nothing else is
 * given out. */
bool discovery_reads(const struct resource_kind *kind);

/* Was a service of that name wanted, at the last update? */
bool discovery_wants(
    const struct discovery *d, struct slice ns, struct slice name);

/* The families among these addresses, loopback not counted. */
unsigned discovery_families(const struct addr *addrs, size_t count);

/* --- one machine ---------------------------------------------------------- */

/*
 * All that a machine's own view is made of, beside what holds for the whole
 * mesh: whoever knows the same of it makes the same view. All borrowed.
 */
struct discovery_machine {
	struct gossip_id id;
	struct slice name;
	struct slice network;
	struct slice locality; /* "region/zone/subzone"; may be empty */
	struct slice domain;
	struct slice trust_domain;
	struct slice identity; /* its own: spiffe://… */
	uint32_t issued_s;     /* of its voucher */
	unsigned families;     /* that it can call: enum discovery_family */
	const struct addr *addrs;
	size_t addr_count;
	const struct discovery_local *locals; /* that it announces */
	size_t local_count;
	struct slice ns; /* of its programs */
	/* Who calls from here unless an upstream says it; empty: the machine.
	 */
	struct slice account;
	enum view_proxy proxy;
	struct labels labels; /* a gateway's, by which it is selected */
	const struct view_upstream_input *upstreams;
	size_t upstream_count;
	/* Of discovery_take_facts(): services that are in the record and were
	 * not told of, or the reverse; the latter are not among `locals`. */
	size_t mismatches;
};

/*
 * discovery_update() for this machine, and what its view is compiled from. Of
 * `mesh` what is about a machine is not looked at. `out` borrows from all of
 * them, until the next call.
 */
MUST_USE enum err discovery_view_input(struct discovery *d,
    const struct discovery_machine *m, const struct discovery_input *mesh,
    struct discovery_output *found, struct view_input *out);

/*
 * What its record does not say, in texts that it tells its servers by: its
 * namespace, who it calls as, what kind of proxy it is and its labels, each
 * upstream, and where each service listens. JSON, one map a fact:
 *
 *	{"namespace"}
 *	{"caller"}			an account
 *	{"proxy"}			"gateway"
 *	{"label", "value"}
 *	{"upstream", "host", "port", "listen", "namespace", "account"}
 *	{"port", "target"}
 *
 * Calls `each` with all of them, borrowed; how many had no room in
 * DISCOVERY_FACT_MAX bytes, and are left out, is returned.
 */
enum { DISCOVERY_FACT_MAX = 1000, DISCOVERY_FACTS_MAX = 4096 };

MUST_USE size_t discovery_each_fact(const struct discovery_machine *m,
    void (*each)(void *arg, struct slice fact), void *arg);

/*
 * The other way round: into a machine that has what its record says. In any
 * order; members that are not known are passed over. Texts lie in the arena.
 * ERR_INVALID in words for a fact that is none; ERR_LIMIT.
 */
MUST_USE enum err discovery_take_facts(const struct slice *facts, size_t count,
    struct arena *arena, struct discovery_machine *m, struct fault *why);

#endif
