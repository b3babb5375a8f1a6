/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — workloads, who may stand behind which service, and what came of it.
 *
 *	record ─► workloads ─┐ by name and label          ┌─► endpoints
 *	                     ├──────────► serving (dirty) ─┼─► ports, if nobody
 *	Service ─────────────┘                             │   wrote a Service
 *	                                                   └─► conflicts
 */
#ifndef MESHD_DISCOVERY_INSIDE_H
#define MESHD_DISCOVERY_INSIDE_H

#include "discovery.h"

enum { KEY_MAX = 1024 };

/* A list of pointers. */
struct crowd {
	void **items;
	size_t count;
	size_t cap;
};

/* One service of one node's record, or of this machine. */
struct workload {
	struct slice node;
	struct slice network;
	struct slice locality;
	struct slice name;
	struct slice ns;
	struct slice account;
	struct slice protocol;
	struct labels labels;
	uint16_t port;
	uint16_t weight;
	uint16_t index;     /* among those of its record */
	bool draws;         /* its name into the scope */
	bool is_reachable;  /* by an address of a family that we have */
	struct addr addr;   /* with `port`; here: where it listens */
	struct addr tunnel; /* family 0: none */
	struct addr other;  /* the same by the other family, if it has one */
	enum view_health health;
	struct slice reason;
	/* Its age, for conflicts: the living first, then the older voucher. */
	bool gone;
	uint32_t issued_s;
	struct gossip_id id;
};

/* What a record may be used for. */
enum use {
	USE_NOT,     /* no addresses, expired, or revoked */
	USE_REFUSED, /* an older living node has its name */
	USE_ALL
};

/* A record of the catalog as it was when it was looked at, or this machine;
 * its workloads are those of the scope. */
struct source {
	struct gossip_id id;
	uint64_t version; /* of the record */
	enum use use;
	bool seen;    /* in this update */
	bool is_full; /* sticky: `arena` */
	struct arena arena;
	struct blob *offers; /* where texts of workloads lie */
	struct workload *workloads;
	size_t count;
	struct slice conflict; /* words, or empty */
	struct slice *reasons; /* of verdict.c, or NULL */
};

/* One service, written or told, and who serves it. */
struct serving {
	struct list link;  /* of discovery.newest */
	struct slice name; /* these lie behind it */
	struct slice ns;
	const struct resource *written; /* NULL: its records say what it is */
	bool is_dirty;                  /* it is in discovery.dirty */
	bool is_told;                   /* `service` is filled */
	uint64_t version;   /* another one each time that it is made */
	size_t place;       /* among those that are given out */
	uint64_t told;      /* a hash of `service`; 0: it is not told */
	bool is_empty;      /* nobody wrote it, and nobody serves it */
	struct arena arena; /* of all that follows */
	struct view_service_input service;
	struct view_endpoint_input *endpoints;
	size_t endpoint_count;
	struct slice *conflicts;
	size_t conflict_count;
};

struct discovery {
	struct discovery_input in; /* of the update at hand */
	bool is_settled;           /* what follows holds */
	struct gossip_id self;     /* that all was made with */
	unsigned families;
	char node[GOSSIP_NAME_MAX + 1];
	char network[GOSSIP_NAME_MAX + 1];
	uint64_t resources_version;
	bool is_scoped;
	uint64_t scope_version;
	uint64_t scope_resources; /* the version of those it was made with */
	struct map scope;         /* "ns/name", "ns/key=value", "ns" → mark */
	struct map drawn;         /* "ns/name" → struct drawn */
	struct map spaces;        /* namespaces of both → mark */
	bool scope_moved;         /* records are to be read again */
	struct map sources;       /* id → struct source */
	struct source *local;     /* this machine */
	struct map services;  /* "ns/name" → const struct resource, a ref */
	struct map selecting; /* crowd_label_key() → struct crowd of those */
	struct map
	    workloads; /* crowd_name_key(), crowd_label_key() → struct crowd */
	struct map servings; /* "ns/name" → struct serving */
	struct crowd order;  /* struct serving, by namespace and name */
	bool is_unordered;   /* some came, or are empty now */
	bool has_changed;    /* anything, in this update */
	uint64_t clock;      /* the last version that was given; never back */
	uint64_t lists_version; /* of which services and servings are in them */
	struct crowd dirty;     /* struct serving */
	struct list newest;     /* struct serving, by version, the last first */
	enum err err;           /* the first failure of this update */
	/* What is given out. */
	struct arena arena;
	struct discovery_output out;
};

void crowd_add(struct crowd *c, void *item);
void crowd_remove(struct crowd *c, const void *item);
void crowd_fini(struct crowd *c);

/* --- collect.c ------------------------------------------------------------ */

/* <0 if `a` wins over `b`. */
int workload_age_cmp(const struct workload *a, const struct workload *b);

/* Fills a new source. ERR_NO_MEMORY. */
MUST_USE enum err source_read(const struct discovery *d,
    const struct discovery_record *r, enum use use, struct source *out);
MUST_USE enum err source_read_locals(
    const struct discovery *d, struct source *out);
struct source *source_new(void);
void source_free(struct source **sp);

/* What is wanted of that record now is what was read. */
bool source_has_wanted(const struct discovery *d, const struct source *s,
    const struct discovery_record *r);

/* What it was read from is what this machine serves now. */
bool source_has(const struct source *s, const struct discovery_input *in);

enum use use_of(const struct discovery *d, const struct discovery_record *r);

/* --- verdict.c ------------------------------------------------------------ */

/* True if the verdict is another than before. */
bool workload_judge(const struct discovery *d, const struct discovery_record *r,
    const struct gossip_service *s, struct source *of, struct workload *w);

/* False if more than the verdict may be another: it has to be read anew. */
bool source_judge_again(struct discovery *d, struct source *s,
    const struct discovery_record *r, enum use use);

/* --- scoping.c ------------------------------------------------------------ */

enum wanted {
	WANTED_NOT,
	WANTED,
	WANTED_WITH_NAME /* for its label: so are all others of its name */
};

void scoping_init(struct discovery *d);
void scoping_fini(struct discovery *d);

/* What is asked for now; says by `scope_moved` whether that is news. */
void scoping_look(struct discovery *d);

enum wanted scoping_wants(
    const struct discovery *d, const struct gossip_service *s);

/* One that may draw in its name came, or went. */
void scoping_draw(struct discovery *d, const struct workload *w);
void scoping_let_go(struct discovery *d, const struct workload *w);

/* --- crowds.c ------------------------------------------------------------- */

/* Empty if it is longer than any name or label that can be selected. */
struct slice crowd_name_key(
    struct slice ns, struct slice name, char out[KEY_MAX]);
struct slice crowd_label_key(
    struct slice ns, const struct label *l, char out[KEY_MAX]);

/* As a Service's selector looks at it. */
struct service_offer workload_offer(const struct workload *w);
/* Whoever may have to do with it becomes dirty. */
void touch_workload(struct discovery *d, const struct workload *w);
void join_workload(struct discovery *d, struct workload *w);
void leave_workload(struct discovery *d, struct workload *w);
void join_service(struct discovery *d, const struct resource *r);
void leave_service(struct discovery *d, const struct resource *r);

/* Those that a written one may select, and maybe more; NULL: none. */
const struct crowd *candidates_of(
    const struct discovery *d, const struct serving *s);

/* Those that were exposed under its name; NULL: none. */
struct crowd *named_as(const struct discovery *d, const struct serving *s);

void serving_free(void *serving);

/* Out of the map, and freed; it is in no list any more. */
void serving_drop(struct discovery *d, struct serving *s);

/* --- match.c -------------------------------------------------------------- */

/* Makes all of it anew. False: nobody wrote it, and nobody serves it. */
bool serving_make(struct discovery *d, struct serving *s);

#endif
