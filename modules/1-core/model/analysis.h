/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analysis — what is valid by itself and yet wrong, or unwise, beside the rest.
 *
 * Upstream's findings under upstream's codes (IST0101 …), and some of our own
 * (MSH0101 …). Pure: documents, and what is known to live, in; findings out.
 *
 * Nothing is said to be missing of which nothing is known: without a Service,
 * a ServiceEntry and a living service, no host is called unknown; the same
 * holds for workloads, namespaces and secrets.
 */
#ifndef MESHD_ANALYSIS_H
#define MESHD_ANALYSIS_H

#include "resource.h"

/* --- the tables ----------------------------------------------------------- */

enum analysis_level { ANALYSIS_INFO, ANALYSIS_WARNING, ANALYSIS_ERROR };

/* "info", "warning", "error". */
const char *analysis_level_name(enum analysis_level level);
MUST_USE enum err analysis_level_parse(
    struct slice text, enum analysis_level *out);

/* A kind of finding. */
struct analysis_code {
	const char *id;    /* "IST0101" */
	const char *title; /* "ReferencedResourceNotFound": upstream's name */
	enum analysis_level level;
	const char *doc; /* one sentence */
};

struct analysis; /* one run */

enum { ANALYZER_CODES_MAX = 6 };

/* Who finds it. */
struct analyzer {
	const char *name; /* "virtual-service-hosts" */
	const char *doc;
	const char *codes[ANALYZER_CODES_MAX]; /* then NULL */
	void (*run)(struct analysis *a);       /* NULL: not by analysis_run() */
};

/* By id; by the order in which they run. */
const struct analysis_code *analysis_codes(size_t *out_count);
const struct analyzer *analyzers(size_t *out_count);

/* NULL if there is none. */
const struct analysis_code *analysis_code_find(struct slice id);

/* --- what is analysed ----------------------------------------------------- */

/*
 * One document. Of several with one key the last counts; what comes first is
 * the store's, so that files lie on top of it.
 */
struct analysis_document {
	/* Decoded with keep_wrong; NULL: a kind that is none of ours. */
	const struct resource *resource;
	const struct value *tree; /* as it was read; NULL: it is in the store */
	const char *file;         /* NULL: none */
	const struct findings *found; /* of the decoding; NULL: none */
};

/* A service of a machine, as its record says. */
struct analysis_workload {
	struct slice node;
	struct slice network;
	const struct addr *addrs;
	size_t addr_count;
	uint32_t issued_s; /* of its voucher: the older one is right */
	struct slice name; /* of the service */
	struct slice ns;
	struct slice protocol; /* empty: unknown */
	struct labels labels;
	uint16_t port; /* callers' */
	bool healthy;
	bool gone; /* the machine is down, has left, or is not believed */
};

/* A certificate of the mesh's own. */
struct analysis_certificate {
	struct slice of; /* "node web" */
	int64_t not_after_ms;
	int64_t warn_ms; /* how long before its end somebody has to act */
};

/* From when to when a certificate in PEM is good: tls_cert_validity(). */
typedef enum err (*analysis_pem_cb)(
    struct slice pem, int64_t *out_not_before_ms, int64_t *out_not_after_ms);

enum analysis_flags {
	/* Workloads are all that live, so that what is not there is missing. */
	ANALYSIS_LIVING = 1 << 0,
	/*
	 * Gateways with upstream's labels, istio=ingressgateway and
	 * istio=egressgateway, are taken to be there, with its ports.
	 */
	ANALYSIS_USUAL_GATEWAYS = 1 << 1
};

/* All borrowed for the call. */
struct analysis_input {
	const struct analysis_document *documents;
	size_t document_count;
	const struct analysis_workload *workloads;
	size_t workload_count;
	const struct analysis_certificate *certificates;
	size_t certificate_count;
	struct slice ns;          /* of other kinds' documents that name none */
	struct slice domain;      /* of the mesh; "cluster.local" if empty */
	struct slice root_ns;     /* "istio-system" if empty */
	struct slice network;     /* of entries that name none */
	int64_t now_ms;           /* Unix time; 0: nothing is said of time */
	analysis_pem_cb read_pem; /* NULL: nothing is said of certificates */
	unsigned flags;           /* enum analysis_flags */
};

/* --- what is found -------------------------------------------------------- */

enum {
	ANALYSIS_FINDINGS_MAX = 10000, /* past that they are only counted */
	ANALYSIS_RELATED_MAX = 8
};

struct analysis_finding {
	const struct analysis_code *code;
	const struct analyzer *by;
	struct resource_key key;
	const char *file;    /* "" if there is none */
	uint32_t line;       /* 0 if unknown */
	const char *field;   /* "spec.http[0].route[1]", or "" */
	const char *message; /* words */
	struct slice related[ANALYSIS_RELATED_MAX]; /* keys, for people */
	size_t related_count;
	bool passing; /* would be right once a workload starts */
};

struct analysis_result {
	struct arena arena;
	struct analysis_finding *items; /* errors first, then by code and key */
	size_t count;
	size_t cap;
	size_t dropped;
};

/* Fills an empty result. Never fails: what had no room is counted. */
void analysis_run(const struct analysis_input *in, struct analysis_result *out);
void analysis_result_fini(struct analysis_result *r);

/* An error whatever starts or stops: a change that brings it is refused. */
bool analysis_objects(const struct analysis_finding *f);

/* The first of these; NULL if there is none. */
const struct analysis_finding *analysis_objection(
    const struct analysis_result *r);

/* Leaves what is below `level`, or of another namespace than `ns`, out. */
void analysis_keep(
    struct analysis_result *r, enum analysis_level level, struct slice ns);

/* Leaves out what `before` has, too: what a change brings. */
void analysis_subtract(
    struct analysis_result *r, const struct analysis_result *before);

/* --- what concerns a change ----------------------------------------------- */

/*
 * Resources by what ties them to others: hosts, gateways, labels, ports,
 * secrets. A change is judged among those that it concerns, not among all.
 */
struct analysis_index;

/* `domain` is of the mesh, and borrowed. */
struct analysis_index *analysis_index_new(struct slice domain);
void analysis_index_free(struct analysis_index **xp);

/* Borrows the resource until it is taken out again. */
void analysis_index_add(struct analysis_index *x, const struct resource *r);
void analysis_index_remove(struct analysis_index *x, const struct resource *r);

/*
 * What these have to do with, themselves left out, in no order; at most
 * `most`. Of very many that one thing ties together the newest are taken.
 */
size_t analysis_index_near(const struct analysis_index *x,
    const struct resource *const *changed, size_t count,
    const struct resource **out, size_t most);

/*
 * A list for programs: {"id", "title", "level", "analyzer", "group", "kind",
 * "namespace", "name", "file", "line", "field", "message", "related",
 * "passing"},
 * without what is not there. NULL when the arena is full.
 */
struct value *analysis_value(const struct analysis_result *r, struct arena *a);

#endif
