/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — what the analyzers share: the facts, the look-ups, and how to tell.
 *
 *	documents ─► items ─┬─► facts (workloads, hosts, secrets, namespaces)
 *	living, certificates ┘        │
 *	                              ▼
 *	                 each analyzer: items of its kinds, facts ─► tell()
 */
#ifndef MESHD_ANALYSIS_INSIDE_H
#define MESHD_ANALYSIS_INSIDE_H

#include "../analysis.h"
#include "../hosts.h"
#include "lookup.h"

#define FACTS_OF(type)                                                         \
	struct {                                                               \
		type *items;                                                   \
		size_t count;                                                  \
		size_t cap;                                                    \
	}

/* --- documents ------------------------------------------------------------ */

/* A document that counts: the last one of its key. */
struct item {
	const struct resource *r; /* NULL: a fact of another kind */
	const struct value *tree; /* NULL: not read from a file */
	const char *file;         /* "" if there is none */
	uint32_t line;
	struct resource_key key;
	const struct findings *found;
	bool unread;  /* could not be read whole: a fact, but told nothing */
	bool dropped; /* another one of its key counts; only while collecting */
};

struct item_list {
	const struct item *const *items;
	size_t count;
};

/* --- facts ---------------------------------------------------------------- */

enum workload_flags {
	WORKLOAD_IN_MESH = 1 << 0, /* a pod: once they are settled */
	WORKLOAD_AMBIENT = 1 << 1, /* a pod that has no proxy of its own */
	WORKLOAD_POD = 1 << 2,     /* of a cluster: reached by its Service */
	WORKLOAD_LIVING = 1 << 3,
	WORKLOAD_HEALTHY = 1 << 4,
	WORKLOAD_USUAL = 1 << 5, /* a gateway that is taken to be there */
	WORKLOAD_UNDECIDED = 1
			     << 6, /* a pod that its namespace decides about */
	WORKLOAD_INLINE = 1 << 7   /* an endpoint inside of a ServiceEntry */
};

struct workload {
	struct slice ns;
	struct slice name;
	struct labels labels;
	const struct item *item; /* NULL: it lives, or is taken to be there */
	/* Of what lives: the service, and the machine. */
	const struct analysis_workload *living;
	unsigned flags; /* enum workload_flags */
};

struct host_port {
	int64_t number;
	int64_t target; /* 0: the number, or a name */
	bool tcp;
};

/* A host that may be called: of a Service, a ServiceEntry or what lives. */
struct host_fact {
	struct slice host; /* as host_spell() has it */
	struct slice text; /* as it was written, in lower case */
	struct slice ns;
	const struct slice *scopes; /* namespaces that see it; "*" is all */
	size_t scope_count;
	const struct host_port *ports;
	size_t port_count;
	const struct item *item; /* NULL: it only lives */
};

struct secret_fact {
	struct slice ns;
	struct slice name;
	struct slice pem; /* the certificate; empty: there is none */
	bool sealed;      /* what it holds is not to be seen */
	const struct item *item;
};

enum namespace_flags {
	NAMESPACE_AMBIENT = 1 << 0, /* its pods have no proxy of their own */
	NAMESPACE_INJECTED = 1 << 1
};

struct namespace_fact {
	struct slice name;
	unsigned flags;
};

/* A Gateway of ours, or of the Gateway API. */
struct gateway_fact {
	struct slice ns;
	struct slice name;
	const struct item *item;
	const struct slice *hosts; /* "ns/host"; the namespace is resolved */
	size_t host_count;
};

/* What the mesh's own configuration says, as far as analyzers ask. */
struct mesh_facts {
	bool log_providers;   /* there are default providers of access logs */
	bool gives_addresses; /* ServiceEntries get addresses by themselves */
	const struct slice *old_tracers; /* providers of a retired kind */
	size_t old_tracer_count;
};

struct facts {
	FACTS_OF(struct workload) workloads;
	FACTS_OF(struct host_fact) hosts;
	FACTS_OF(struct secret_fact) secrets;
	FACTS_OF(struct namespace_fact) namespaces;
	FACTS_OF(struct gateway_fact) gateways;
	FACTS_OF(const struct host_fact *) patterns; /* hosts with a star */
	struct lookup workload_of_label;             /* any namespace */
	struct lookup workload_of_ns_label;
	struct lookup living_of_service; /* by namespace and name */
	struct lookup workload_of_ns;    /* and of "", which is all */
	struct lookup host_of_name;
	struct lookup secret_of_name;
	struct lookup namespace_of_name;
	struct lookup gateway_of_name;
	struct lookup service_of_label; /* Services, by each pair they select */
	struct mesh_facts mesh;
	bool workloads_known;
	bool hosts_known;
};

struct analysis {
	const struct analysis_input *in;
	struct analysis_result *out;
	struct arena arena; /* of facts */
	struct slice domain;
	struct slice root_ns;
	FACTS_OF(struct item) items;
	FACTS_OF(struct item) twice;             /* of files, and overridden */
	FACTS_OF(const struct item *) * of_kind; /* as in resource_kinds() */
	struct facts facts;
	const struct analyzer *running;
	bool full; /* something had no room, so not all was looked at */
};

/* Room for one more; arrays move, so pointers are taken when all is there. */
void *facts_room(void *items, size_t count, size_t *cap, size_t size);
#define FACTS_PUSH(list)                                                       \
	((list)->items = facts_room((list)->items, (list)->count,              \
	     &(list)->cap, sizeof(*(list)->items)),                            \
	    &(list)->items[(list)->count++])

/* In facts.c: everything of `a` that is not given. */
void facts_collect(struct analysis *a);
void facts_fini(struct facts *f);

/* In workloads.c; what lives comes when all that is written is there. */
void facts_add_workload_entry(struct analysis *a, const struct item *it);
void facts_add_workload_group(struct analysis *a, const struct item *it);
void facts_add_living_workloads(struct analysis *a);
void facts_index_workloads(struct analysis *a);

/* In hosts.c. */
void facts_add_service(struct analysis *a, const struct item *it);
void facts_add_entry(struct analysis *a, const struct item *it);
void facts_add_living(struct analysis *a);
void facts_index_hosts(struct analysis *a);

/* In kubernetes.c: what documents of a cluster tell; whose pods are ours. */
void facts_add_foreign(struct analysis *a, const struct item *it);
void facts_settle_pods(struct analysis *a);

/* In mesh.c. */
void facts_add_mesh(struct analysis *a, const struct item *it);

/* Text that lives as long as the run. */
struct slice keep_text(struct analysis *a, struct slice s);

/* --- asking --------------------------------------------------------------- */

struct item_list items_of(
    const struct analysis *a, const struct resource_kind *kind);

/* The tree's member by dots, in a file or in what the store has. */
const struct value *item_tree(struct analysis *a, const struct item *it);

/* A map of strings in a tree; what is no text is left out. */
struct labels map_labels(struct analysis *a, const struct value *map);

/*
 * Each workload with these labels; `ns` empty: of any namespace. No labels:
 * all of them. At most SELECTED_MAX are looked at; false ends it.
 */
enum { SELECTED_MAX = 4096 };
void workloads_select(const struct analysis *a, struct slice ns,
    const struct labels *labels,
    bool (*each)(void *arg, const struct workload *w), void *arg);

/* The first that has all `flags`, or NULL. */
const struct workload *workload_find(const struct analysis *a, struct slice ns,
    const struct labels *labels, unsigned flags);

/*
 * Each Service of the namespace whose selector these labels fit; one without
 * any may be for them.
 */
void services_selecting(const struct analysis *a, struct slice ns,
    const struct labels *labels,
    void (*each)(void *arg, const struct item *service), void *arg);

/* Texts as `exportTo` has them. */
struct texts {
	const struct slice *items;
	size_t count;
};
#define TEXTS(list) ((struct texts){(list).items, (list).count})

/*
 * The host that is meant by `text` in a resource of `ns` that is itself
 * exported to these; NULL if it sees none.
 */
const struct host_fact *host_find(const struct analysis *a, struct slice ns,
    struct texts export_to, struct slice text);

/* host_spell() into the run's memory. */
struct slice spell(struct analysis *a, struct slice host, struct slice ns);

const struct secret_fact *secret_find(
    const struct analysis *a, struct slice ns, struct slice name);
const struct namespace_fact *namespace_find(
    const struct analysis *a, struct slice name);

/* "gateway" or "ns/gateway", as a resource of `ns` writes it; NULL. */
const struct gateway_fact *gateway_find(
    const struct analysis *a, struct slice ns, struct slice text);

/* "ns/name" apart, with `ns` for a name alone. */
void split_ref(struct slice text, struct slice ns, struct slice *out_ns,
    struct slice *out);

/* Two Gateways have one selector, or a workload that both select. */
bool gateways_meet(
    const struct analysis *a, const struct item *x, const struct item *y);

/* As upstream: a star at the beginning of either stands for any text. */
bool host_matches(struct slice a, struct slice b);

/* Whom a policy is for, whatever its kind; false: it has no selector. */
bool selector_of(const struct resource *r, struct labels *out);

/* "app=web,tier=x" for messages. */
enum { LABELS_TEXT_MAX = 256 };
const char *labels_text(const struct labels *l, char out[LABELS_TEXT_MAX]);

/* --- telling -------------------------------------------------------------- */

/* Where a finding stands. */
struct place {
	const struct item *item;
	uint32_t line; /* 0: the item's */
	char field[FAULT_FIELD_MAX];
	const struct item *related[ANALYSIS_RELATED_MAX];
	size_t related_count;
	bool always;  /* also of what could not be read whole */
	bool passing; /* a workload that starts would mend it */
};

/* `head` is the message that stands there, or NULL. */
struct place place_at(const struct item *it, const struct message_head *head,
    const char *fmt, ...) PRINTF_LIKE(3, 4);
void place_relate(struct place *p, const struct item *other);

/* Nothing is told of what could not be read whole, or asks for silence. */
void tell(struct analysis *a, const char *id, const struct place *p,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* --- the analyzers -------------------------------------------------------- */

void analyze_schema(struct analysis *a);
void analyze_duplicates(struct analysis *a);
void analyze_deprecated(struct analysis *a);

void analyze_route_hosts(struct analysis *a);
void analyze_route_subsets(struct analysis *a);
void analyze_route_gateways(struct analysis *a);
void analyze_route_claims(struct analysis *a);
void analyze_subset_at_ingress(struct analysis *a);
void analyze_mesh_hosts(struct analysis *a);

void analyze_gateway_selector(struct analysis *a);
void analyze_gateway_ports(struct analysis *a);
void analyze_gateway_conflicts(struct analysis *a);
void analyze_gateway_certificates(struct analysis *a);
void analyze_gateway_credentials(struct analysis *a);

void analyze_rule_authorities(struct analysis *a);
void analyze_rule_hosts(struct analysis *a);

void analyze_entry_addresses(struct analysis *a);
void analyze_entry_protocols(struct analysis *a);
void analyze_port_names(struct analysis *a);
void analyze_annotations(struct analysis *a);

void analyze_sidecar_selectors(struct analysis *a);
void analyze_telemetry_selectors(struct analysis *a);
void analyze_telemetry_defaults(struct analysis *a);
void analyze_telemetry_providers(struct analysis *a);
void analyze_authorization(struct analysis *a);
void analyze_key_fetching(struct analysis *a);
void analyze_network_registries(struct analysis *a);

void analyze_never_matching(struct analysis *a);
void analyze_delegates(struct analysis *a);
void analyze_expiry(struct analysis *a);
void analyze_healthless_services(struct analysis *a);
void analyze_idle_policies(struct analysis *a);
void analyze_shadowed_routes(struct analysis *a);
void analyze_port_clashes(struct analysis *a);
void analyze_gateway_clashes(struct analysis *a); /* a part of it */
void analyze_offers(struct analysis *a);
void analyze_host_spellings(struct analysis *a);

#endif
